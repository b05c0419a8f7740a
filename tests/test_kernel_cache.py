"""Compiled kernels on disk: damaged files, places that cannot be written to, old folders. None is a reason to fail."""

from __future__ import annotations

import importlib
import os
import pickle
import pkgutil
import re
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

import llvmlite
import numba
import numpy as np
import pytest
from test_kernel_upgrades import CALLEE

import hsboost
from hsboost import precompile
from hsboost._kernels import _cache

pytestmark = pytest.mark.truth

PACKAGE = Path(hsboost.__file__).parent


def test_every_kernel_of_the_package_is_kept_in_this_way() -> None:
    """Whatever is compiled with plain ``numba.njit(cache=True)`` would inline old kernels after an upgrade."""
    found = 0
    for module in pkgutil.iter_modules([str(PACKAGE / "_kernels")], "hsboost._kernels."):
        for value in vars(importlib.import_module(module.name)).values():
            for dispatcher in (getattr(value, "serial", value), getattr(value, "parallel", None)):
                if hasattr(dispatcher, "enable_caching"):
                    found += 1
                    assert type(dispatcher._cache).__name__ == "KernelCache", dispatcher
    assert found > 120 or numba.config.DISABLE_JIT
    for folder in ("hsboost", "benchmarks"):
        for path in (PACKAGE.parent / folder).rglob("*.py"):
            if path.name != "_compile.py":
                assert not re.search(r"\bcache=True|numba\.n?jit\(|@numba", path.read_text()), path


def test_the_folder_is_named_after_everything_that_a_cuda_kernel_inlines(monkeypatch: pytest.MonkeyPatch) -> None:
    read, find = set(), importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: read.add(name) or find(name))
    importlib.import_module("hsboost.cuda._entropic_kernels")
    assert _cache._folder_of.__wrapped__("hsboost.cuda._entropic_kernels") is not None
    assert {f"hsboost.cuda.{name}" for name in ("_entropic_kernels", "_kernels", "_ahead")} <= read


class Loaded:
    """A module of one kernel, whose dispatchers are made again at each load, as in a new process."""

    def __init__(self, path: Path) -> None:
        path.write_text(CALLEE)
        self.name = path.stem

    def load(self) -> ModuleType:
        for cached in (_cache._folder_of, _cache._places, _cache._note_use):
            cached.cache_clear()
        sys.modules.pop(self.name, None)
        importlib.invalidate_caches()
        return importlib.import_module(self.name)

    def call(self) -> tuple[float, int, int]:
        """(value, hits, compilations) of `shift(3.0)` in a fresh dispatcher."""
        shift = self.load().shift
        value = shift(3.0)
        return value, sum(shift.stats.cache_hits.values()), sum(shift.stats.cache_misses.values())


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loaded]:
    if numba.config.DISABLE_JIT:
        pytest.skip("nothing is compiled")
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(_cache, "lost", [])
    monkeypatch.syspath_prepend(str(tmp_path))
    loaded = Loaded(tmp_path / "kernel_for_tests.py")
    yield loaded
    sys.modules.pop(loaded.name, None)
    monkeypatch.undo()
    _cache._places.cache_clear()


@pytest.fixture
def no_warning() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def checked(content: bytes) -> bytes:
    return sha256(content).digest() + content


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "shorter than its checksum": lambda content: content[:20],
    "checksum alone": lambda content: content[:32],
    "half": lambda content: content[: len(content) // 2],
    "one byte short": lambda content: content[:-1],
    "longer": lambda content: content + b"\0",
    "zeros": lambda content: bytes(len(content)),
    "text": lambda content: b"<html>503 Service Unavailable</html>",
    "no pickle": lambda content: checked(b"not a pickle"),
    "half a pickle": lambda content: checked(content[32:-1]),
    "another key": lambda content: checked(pickle.dumps(("key of another function", None))),
    "another pickle": lambda content: checked(pickle.dumps(3)),
    "the right key, nothing Numba knows": lambda content: checked(
        pickle.dumps((pickle.loads(content[32:])[0], ("form of another version",)))
    ),
    "a module that is gone": lambda content: checked(b"cmodule_that_is_gone\nThing\n."),
} | {
    f"a bit flipped at {share:.0%}": lambda content, share=share: (
        content[: (at := int(share * (len(content) - 1)))] + bytes([content[at] ^ 4]) + content[at + 1 :]
    )
    for share in (0.0, 0.001, 0.1, 0.5, 0.9, 1.0)
}


@pytest.mark.usefixtures("no_warning")
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_compiled_anew_and_replaced(kernel: Loaded, tmp_path: Path, damage: str) -> None:
    assert kernel.call() == (4.0, 0, 1)
    (path,) = (tmp_path / "cache").rglob("*.nbc")
    content = path.read_bytes()
    path.write_bytes(DAMAGE[damage](content))
    assert kernel.call() == (4.0, 0, 1)
    assert kernel.call() == (4.0, 1, 0)
    assert list((tmp_path / "cache").rglob("*.nbc*")) == [path]


@pytest.mark.usefixtures("no_warning")
def test_a_file_or_folder_that_vanishes_is_made_again(kernel: Loaded, tmp_path: Path) -> None:
    assert kernel.call() == (4.0, 0, 1)
    next((tmp_path / "cache").rglob("*.nbc")).unlink()
    assert kernel.call() == (4.0, 0, 1)
    shift = kernel.load().shift
    assert shift(3.0) == 4.0
    shutil.rmtree(tmp_path / "cache")  # while a process uses it
    assert shift(3) == 4.0
    assert len(list((tmp_path / "cache").rglob("*.nbc"))) == 1


def test_a_place_that_is_no_file_costs_the_cache_alone(kernel: Loaded, tmp_path: Path) -> None:
    assert kernel.call() == (4.0, 0, 1)
    path = next((tmp_path / "cache").rglob("*.nbc"))
    path.unlink()
    path.mkdir()
    assert kernel.call() == (4.0, 0, 1)
    path.rmdir()
    assert kernel.call() == (4.0, 0, 1)
    assert kernel.call() == (4.0, 1, 0)


def test_forms_of_one_function_have_files_of_their_own(kernel: Loaded, tmp_path: Path) -> None:
    """Processes that compile different forms at the same time write to different files."""
    shift = kernel.load().shift
    assert (shift(3.0), shift(3), shift(numba.float32(3))) == (4.0, 4.0, 4.0)
    names = [path.name for path in (tmp_path / "cache").rglob("*.nbc")]
    assert len(set(names)) == len(names) == 3
    shift = kernel.load().shift
    assert (shift(numba.float32(3)), shift(3.0), sum(shift.stats.cache_hits.values())) == (4.0, 4.0, 2)
    shift.recompile()  # Numba's own way to drop what is on disk
    assert kernel.call() == (4.0, 1, 0)


@pytest.mark.usefixtures("no_warning")
@pytest.mark.parametrize(
    ("owner", "name", "value"),
    [
        (_cache, "__version__", "999.0"),
        (numba, "__version__", "999.0"),
        (llvmlite, "__version__", "999.0"),
        (np, "__version__", "999.0"),
        (sys, "version", "999.0"),
        (numba.config, "BOUNDSCHECK", 1),
        (numba.config, "USING_SVML", "another"),
        (numba.config, "OPT", 1),
    ],
)
def test_other_versions_and_settings_have_folders_of_their_own(
    kernel: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, value: Any
) -> None:
    assert kernel.call() == (4.0, 0, 1)
    with monkeypatch.context() as changed:
        changed.setattr(owner, name, value)
        shift = kernel.load().shift
    assert shift(3.0) == 4.0
    assert sum(shift.stats.cache_hits.values()) == 0
    assert len(list((tmp_path / "cache").iterdir())) == 2


def refuse(monkeypatch: pytest.MonkeyPatch, *places: Path) -> None:
    """No file can be made in these folders: what another user's folder or a read-only disk does."""
    make = tempfile.TemporaryFile

    def refusing(*args: Any, dir: str, **options: Any) -> Any:
        if any(Path(dir).is_relative_to(place) for place in places):
            raise PermissionError(13, "Permission denied", dir)
        return make(*args, dir=dir, **options)

    monkeypatch.setattr(tempfile, "TemporaryFile", refusing)


@pytest.mark.usefixtures("no_warning")
def test_a_filled_folder_that_cannot_be_written_to_is_read(
    kernel: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in an image: filled by root, used by another user, who has a folder of their own for the rest."""
    assert kernel.call() == (4.0, 0, 1)
    own = tmp_path / "own"
    monkeypatch.setattr(_cache, "_roots", lambda: (str(tmp_path / "cache"), str(own)))
    refuse(monkeypatch, tmp_path / "cache")
    assert kernel.call() == (4.0, 1, 0)
    assert kernel.load().shift(3) == 4.0  # not among them
    assert len(list(own.rglob("*.nbc"))) == 1
    assert len(list((tmp_path / "cache").rglob("*.nbc"))) == 1


def test_without_any_place_there_is_one_warning_with_the_remedy(
    kernel: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_cache, "_roots", lambda: (str(tmp_path / "cache"), str(tmp_path / "own")))
    refuse(monkeypatch, tmp_path)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert kernel.call() == (4.0, 0, 1)
        assert kernel.load().shift(3) == 4.0
    assert len(seen) == 1
    assert seen[0].category is RuntimeWarning
    for part in (
        "NUMBA_CACHE_DIR",
        str(tmp_path / "cache"),
        str(tmp_path / "own"),
        "Permission denied",
        "cannot be kept on disk",
    ):
        assert part in str(seen[0].message)


def test_a_user_without_a_home_gets_the_warning_and_no_folder_named_tilde(
    kernel: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setattr(sys, "frozen", True, raising=False)  # no place beside the source either
    for name in ("XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # what Python does for an unknown user
    monkeypatch.chdir(tmp_path)
    with pytest.warns(RuntimeWarning, match="NUMBA_CACHE_DIR"):
        assert kernel.call() == (4.0, 0, 1)
    assert not (tmp_path / "~").exists()


@pytest.mark.parametrize("act", ["write", "replace"])
def test_a_full_disk_costs_the_cache_alone(
    kernel: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    if act == "write":
        resource = pytest.importorskip("resource")
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        kernel.load()  # Python's own files before
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    else:
        monkeypatch.setattr(_cache.os, "replace", full)
    try:
        with pytest.warns(RuntimeWarning, match="No space left on device|File too large"):
            value = kernel.load().shift(3.0)
    finally:
        if act == "write":
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert value == 4.0
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]  # nor a part of one
    monkeypatch.undo()


def test_warnings_as_errors_leave_a_kernel_that_works(
    kernel: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_cache, "_roots", lambda: (str(tmp_path / "cache"),))
    refuse(monkeypatch, tmp_path)
    shift = kernel.load().shift
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning, match="NUMBA_CACHE_DIR"):
            shift(3.0)
        assert shift(3.0) == 4.0


def test_a_numba_that_caches_in_another_way_costs_the_cache_alone(
    kernel: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(dispatcher: Any) -> Any:
        raise ImportError("cannot import name 'FunctionCache'")

    monkeypatch.setattr(_cache, "_numbas_cache", gone)
    with pytest.warns(RuntimeWarning, match=f"Numba {re.escape(numba.__version__)} keeps them in another way"):
        assert kernel.call() == (4.0, 0, 1)


def test_folders_of_other_versions_go_when_long_unused(kernel: Loaded, tmp_path: Path) -> None:
    root = tmp_path / "cache"
    days = {f"hsboost-{i:016x}": age for i, age in enumerate([0.1] * 6 + [2.0, 3.0, 4.0, 5.0])}
    for name in [*days, "hsboost-notes", "other-0000000000000000"]:
        (root / name).mkdir(parents=True)
        (root / name / "form.nbc").write_text("")
        used = time.time() - 86_400 * days.get(name, 100.0)
        os.utime(root / name, (used, used))
    (root / "hsboost-00000000000000ff").write_text("a file")
    os.utime(root / "hsboost-00000000000000ff", (0, 0))
    assert kernel.call() == (4.0, 0, 1)
    own = {path.name for path in root.iterdir()} - {*days, "hsboost-notes", "other-0000000000000000"}
    left = {path.name for path in root.iterdir()} & set(days)
    assert left == {name for name, age in days.items() if age <= 3.0}  # the eight last used
    assert (root / "hsboost-notes").exists()
    assert (root / "other-0000000000000000").exists()
    assert len(own - {"hsboost-00000000000000ff"}) == 1


def test_folders_in_use_stay_however_many(kernel: Loaded, tmp_path: Path) -> None:
    root = tmp_path / "cache"
    for i in range(20):
        (root / f"hsboost-{i:016x}").mkdir(parents=True)
    assert kernel.call() == (4.0, 0, 1)
    assert len(list(root.iterdir())) == 21


def test_a_use_counts_as_one(kernel: Loaded, tmp_path: Path) -> None:
    assert kernel.call() == (4.0, 0, 1)
    (folder,) = (tmp_path / "cache").iterdir()
    os.utime(folder, (0, 0))
    assert kernel.call() == (4.0, 1, 0)
    assert time.time() - folder.stat().st_mtime < 3600


def test_precompile_says_that_nothing_can_be_kept(kernel: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    def form() -> None:
        _cache._warn("/cache: Permission denied")

    monkeypatch.setattr(precompile, "_forms", lambda: iter([("first", form), ("second", form)]))
    lines: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(OSError, match=r"cannot be kept on disk \(/cache: Permission denied\); set NUMBA_CACHE_DIR"):
            precompile.precompile(lines.append)
    assert lines == []


def test_precompile_without_a_compiler_has_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    lines: list[str] = []
    precompile.precompile(lines.append)
    assert lines == ["NUMBA_DISABLE_JIT is set: kernels run as Python, and there is nothing to compile"]
