"""Compiled kernels on disk, so that a process loads in milliseconds what another one compiled in seconds.

Numba's own cache checks only the file of the compiled function and Numba's version. Kernels call each other across
files and are inlined into their callers: after an upgrade a caller would keep the old code of its callees. Here the
folder is named after a digest of all kernels and of everything else that affects machine code, so that code from other
sources or versions is never found. Each compiled form has its own file with a checksum: processes that compile at the
same time do not interfere, and damaged files are compiled again. A process without a writeable folder reads what it
can, compiles the rest and warns once.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pickle
import pkgutil
import re
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from functools import cache
from types import CodeType
from typing import Any, NamedTuple

import llvmlite
import numba
import numpy as np

from hsboost import _stack
from hsboost._version import __version__

#: How many folders of other digests to keep, in addition to all that were used less than a day ago.
KEPT_FOLDERS = 8
KEPT_SECONDS = 86_400.0

#: Settings of Numba that change the machine code of the same source. The processor is part of Numba's own key.
_SETTINGS = ("OPT", "BOUNDSCHECK", "DEBUGINFO_DEFAULT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "USING_SVML")

_FOLDER = re.compile(r"hsboost-[0-9a-f]{16}")

#: Why compiled forms of this process could not be stored, one entry for each.
lost: list[str] = []


def attach(dispatcher: Any) -> Any:
    """Let a Numba dispatcher load and store its compiled forms on disk; anything else is returned unchanged.

    Under ``NUMBA_DISABLE_JIT`` and in the CUDA simulator kernels are plain functions, and there is nothing to store.
    """
    if hasattr(dispatcher, "enable_caching"):
        try:
            dispatcher._cache = _cache_class(_numbas_cache(dispatcher))(dispatcher.py_func)
        except (ImportError, AttributeError, TypeError) as error:  # internals of Numba, which may change
            _warn(f"Numba {numba.__version__} keeps them in another way: {error}")
    return dispatcher


def _numbas_cache(dispatcher: Any) -> Any:
    """The class of cache that Numba, or numba-cuda, would use."""
    if type(dispatcher).__module__.startswith("numba.cuda"):
        from numba.cuda.dispatcher import CUDACache

        return CUDACache
    from numba.core.caching import FunctionCache

    return FunctionCache


@cache
def _cache_class(base: Any) -> Any:
    """Numba's cache with other folders and files; serialisation stays Numba's."""

    class Implementation(base._impl_class):
        def __init__(self, function: Any) -> None:  # Numba's refuses functions where no folder is writable
            self._lineno = function.__code__.co_firstlineno
            self._locator = _Locator(function)
            self._filename_base = f"{function.__module__.rpartition('.')[2]}.{function.__qualname__}"

    class KernelCache(base):
        _impl_class = Implementation

        def __init__(self, function: Any) -> None:
            super().__init__(function)
            self._cache_file = _Forms(self._impl._filename_base, self._impl._locator.folder)

        @property
        def cache_path(self) -> str | None:
            return self._cache_file.places().writable

        def load_overload(self, sig: Any, target_context: Any) -> Any:
            try:
                return super().load_overload(sig, target_context)
            except Exception:  # unreadable or damaged in any way: compiling is always right
                return None

        def save_overload(self, sig: Any, data: Any) -> None:
            try:
                super().save_overload(sig, data)
            except Warning:  # Numba warns about our source, and the user turned warnings into errors
                raise
            except Exception as error:  # a full disk, for example; the form in memory is valid
                reason = f"{type(error).__name__}: {error}"
            else:
                return
            _warn(reason)

    return KernelCache


class _Locator:
    """The locator interface by which Numba finds a function's folder on disk."""

    def __init__(self, function: Any) -> None:
        self._py_file = function.__code__.co_filename
        self.folder = _folder_of(function.__module__)

    def get_cache_path(self) -> str:
        return os.path.join(*_roots()[:1], self.folder or "")  # the preferred folder: import does not touch the disk

    def get_source_stamp(self) -> str:
        return self.folder or ""

    def get_disambiguator(self) -> str:
        return ""

    def ensure_cache_path(self) -> None:
        """Do nothing: `_Forms.save` reports why a folder cannot be used."""


class _Forms:
    """The compiled forms of one function, one file each, instead of Numba's index and numbered data files.

    A file holds the SHA-256 of the rest, then a pickle of Numba's key (signature, processor, bytecode) and the form.
    """

    def __init__(self, name: str, folder: str | None) -> None:
        self._name, self._folder = re.sub(r"[^\w.]", "", name), folder

    def places(self) -> _Places:
        if self._folder is None:
            return _Places((), None, "the code of the kernels cannot be read to recognise it again")
        return _places(_roots(), self._folder)

    def _file(self, key: Any) -> str:
        return f"{self._name}-{hashlib.sha256(repr(key).encode()).hexdigest()[:16]}.nbc"

    def load(self, key: Any) -> Any:
        for path in self.places().readable:
            try:
                with open(os.path.join(path, self._file(key)), "rb") as file:
                    digest, content = file.read(32), file.read()
            except OSError:
                continue
            if hashlib.sha256(content).digest() == digest:
                found, form = pickle.loads(content)
                if found == key:
                    _note_use(path)
                    return form
        return None

    def save(self, key: Any, form: Any) -> None:
        from numba.core.serialize import dumps

        places = self.places()
        if places.writable is None:
            raise OSError(places.refused)
        content = dumps((key, form))
        path = os.path.join(places.writable, self._file(key))
        part = f"{path}.{uuid.uuid4().hex[:16]}"
        try:
            os.makedirs(places.writable, exist_ok=True)  # another process may have removed it in the meantime
            with open(part, "xb") as file:
                file.write(hashlib.sha256(content).digest() + content)
            os.replace(part, path)
        except OSError:
            _remove(part)
            if not os.path.exists(path):  # another process may have stored it; Windows cannot replace a file in use
                raise

    def flush(self) -> None:
        for path in self.places().readable:
            for name in os.listdir(path) if os.path.isdir(path) else ():
                if name.rpartition("-")[0] == self._name:
                    _remove(os.path.join(path, name))


class _Places(NamedTuple):
    """Folders to read from, in this order; the last is writeable if any is, otherwise ``refused`` says why not."""

    readable: tuple[str, ...]
    writable: str | None
    refused: str


def _roots() -> tuple[str, ...]:
    """Where Numba would store compiled code: ``NUMBA_CACHE_DIR``, next to the source, the user's cache folder."""
    from numba.misc.appdirs import AppDirs

    of_source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "__pycache__")
    is_source = os.path.exists(__file__) and not getattr(sys, "frozen", False)  # else: a zip file, or unpacked for once
    of_user = AppDirs("numba", appauthor=False).user_cache_dir  # starts with ~ if the user has no home folder
    roots = [numba.config.CACHE_DIR, of_source if is_source else "", of_user if os.path.isabs(of_user) else ""]
    return tuple(os.path.abspath(root) for root in roots if root)


@cache
def _places(roots: tuple[str, ...], folder: str) -> _Places:
    """The first writeable root, and those before it: a container image may ship a filled read-only folder."""
    readable, refused = [], []
    for root in roots:
        path = os.path.join(root, folder)
        readable.append(path)
        try:
            is_new = not os.path.isdir(path)
            os.makedirs(path, exist_ok=True)
            tempfile.TemporaryFile(dir=path).close()  # permissions alone do not show whether writing works
        except OSError as error:
            refused.append(f"{root}: {error.strerror or error}")
            continue
        if is_new:
            _tidy(root, folder)
        return _Places(tuple(readable), path, "")
    return _Places(tuple(readable), None, "; ".join(refused) or "this user has no home folder")


def _tidy(root: str, folder: str) -> None:
    """Remove the folders of other versions except the most recently used: those may be in use elsewhere."""
    others = []
    for name in os.listdir(root):
        if _FOLDER.fullmatch(name) and name != folder:
            path = os.path.join(root, name)
            try:
                others.append((os.stat(path).st_mtime, path))
            except OSError:
                continue
    for used, path in sorted(others, reverse=True)[KEPT_FOLDERS:]:
        if time.time() - used > KEPT_SECONDS:
            shutil.rmtree(path, ignore_errors=True)


@cache
def _note_use(path: str) -> None:
    """Record the time of use, once per process; `_tidy` removes the folders used longest ago."""
    try:
        os.utime(path)
    except OSError:  # read-only: `_tidy` does not apply
        return


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return


def _warn(reason: str) -> None:
    """Warn once per process that compiled kernels are lost when it ends."""
    lost.append(reason)
    if len(lost) == 1:
        _stack.warn(
            f"compiled kernels cannot be kept on disk ({reason}), so that every new process compiles them again; "
            "results are the same. Set NUMBA_CACHE_DIR to a folder that this user can write to",
            RuntimeWarning,
        )


@cache
def _folder_of(module: str) -> str | None:
    """A name for the code that functions of that module are compiled from; None if it cannot be determined.

    Kernels inline kernels of any file, and functions elsewhere in the package inline kernels and functions of files
    next to their own. The name depends on the code that Python runs, whether from source, bytecode files, a zip file
    or an executable.
    """
    kernels = __name__.rpartition(".")[0]
    try:
        modules = sorted(f"{kernels}.{found.name}" for found in pkgutil.iter_modules(sys.modules[kernels].__path__))
        if __name__ not in modules:
            return None
        if module in modules and module != __name__:  # all kernels have one folder: read their code once
            return _folder_of(__name__)
        digest = hashlib.sha256(repr(_versions(module)).encode())
        for name in modules if module in modules else [*modules, *_beside(module)]:
            spec = importlib.util.find_spec(name)
            for part in _content(spec.loader.get_code(name)):  # type: ignore[union-attr]
                digest.update(part.encode() + b"\0")
    except Exception:  # import loaders of any kind; if one cannot give the code, nothing is stored
        return None
    return f"hsboost-{digest.hexdigest()[:16]}"


def _beside(module: str) -> list[str]:
    """A module and the others of its folder."""
    folder = module.rpartition(".")[0]
    if not folder:
        return [module]
    return sorted(f"{folder}.{found.name}" for found in pkgutil.iter_modules(sys.modules[folder].__path__))


def _versions(module: str) -> tuple[Any, ...]:
    settings = tuple(getattr(numba.config, name, None) for name in _SETTINGS)
    cuda = _version_of("numba-cuda") if module.startswith("hsboost.cuda.") else None
    return __version__, numba.__version__, llvmlite.__version__, np.__version__, cuda, sys.version, settings


def _version_of(distribution: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:  # no separate package: the CUDA target built into Numba
        return None


def _content(code: CodeType) -> Iterator[str]:
    """Everything a code object does, without the path of its file."""
    names = code.co_name, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars
    yield repr((names, code.co_argcount, code.co_kwonlyargcount, code.co_flags, code.co_code))
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _content(constant)
        elif isinstance(constant, frozenset):  # unordered
            yield repr(sorted(map(repr, constant)))
        else:
            yield repr(constant)
