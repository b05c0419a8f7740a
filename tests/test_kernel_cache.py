"""Compiled kernels on disk: never older than what they were compiled from, and never a reason to fail.

Most tests run on a package of two kernels with the real `_cache` and `_compile`, so that a process compiles in a moment
and may edit, damage and upgrade as it likes.
"""

from __future__ import annotations

import compileall
import importlib
import os
import pickle
import pkgutil
import re
import shutil
import subprocess
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

import hsboost
from hsboost import precompile
from hsboost._kernels import _cache

pytestmark = pytest.mark.truth

PACKAGE = Path(hsboost.__file__).parent

CALLEE = """
from hsboost._kernels._compile import njit

STEP = 1.0

@njit
def shift(x):
    return x + STEP
"""
CALLER = """
from hsboost._kernels._compile import njit
from hsboost._kernels.callee import shift

@njit
def twice(x):
    return 2.0 * shift(x)
"""
#: The value for 3.0, and how many compiled forms came from disk: the caller's, with the callee inlined.
CALL = """
from hsboost._kernels.caller import twice
print(twice(3.0), sum(twice.stats.cache_hits.values()))
"""
#: How many warnings there were, and the first one.
WARNINGS = """
import warnings
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    {}
print(len(seen), [(w.category.__name__, str(w.message)) for w in seen])
"""

NO_ROOT = "needs to be root, to run as another user"
as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason=NO_ROOT)


@pytest.fixture
def site() -> Iterator[Path]:
    """A folder that every user can read, with the small package."""
    root = Path(tempfile.mkdtemp(prefix="hsboost-test-"))
    root.chmod(0o755)
    kernels = root / "site" / "hsboost" / "_kernels"
    kernels.mkdir(parents=True)
    (kernels.parent / "__init__.py").write_text("")
    shutil.copy(PACKAGE / "_version.py", kernels.parent)
    for name in ("__init__.py", "_cache.py", "_compile.py"):
        shutil.copy(PACKAGE / "_kernels" / name, kernels)
    (kernels / "callee.py").write_text(CALLEE)
    (kernels / "caller.py").write_text(CALLER)
    yield root / "site"
    shutil.rmtree(root)


def run(site: Path, code: str = CALL, **environment: str | None) -> str:
    """What a new process prints. Its package holds no bytecode files: where those are stale Python runs old code."""
    settings = {"PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1", "NUMBA_CACHE_DIR": str(site.parent / "cache")}
    settings = {name: value for name, value in {**os.environ, **settings, **environment}.items() if value is not None}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], env=settings, cwd=site.parent, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def rewrite(path: Path, old: str, new: str) -> None:
    """Edit, as an upgrade does that keeps size and time of the file."""
    text, times = path.read_text(), path.stat()
    assert text.count(old) == 1
    assert len(new) == len(old)
    path.write_text(text.replace(old, new))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_upgrades_and_downgrades_run_their_own_code(site: Path) -> None:
    """The caller's file stays the same for the first two edits: Numba's cache would go on with the old callee."""
    kernels = site / "hsboost" / "_kernels"
    assert [run(site), run(site)] == ["8.0 0", "8.0 1"]
    rewrite(kernels / "callee.py", "x + STEP", "x - STEP")
    assert run(site) == "4.0 0"
    rewrite(kernels / "callee.py", "STEP = 1.0", "STEP = 5.0")
    assert run(site) == "-4.0 0"
    rewrite(kernels / "caller.py", "2.0 * shift", "3.0 * shift")
    assert run(site) == "-6.0 0"
    (kernels / "callee.py").write_text(CALLEE)
    (kernels / "caller.py").write_text(CALLER)
    assert run(site) == "8.0 1"  # a downgrade finds what that version had left


def test_what_counts_is_the_code_that_python_runs(site: Path) -> None:
    """With a bytecode file that looks fresh Python runs old code: no later process may take that for the new one's."""
    assert compileall.compile_dir(site, quiet=1)
    assert run(site) == "8.0 0"
    callee = site / "hsboost" / "_kernels" / "callee.py"
    rewrite(callee, "x + STEP", "x - STEP")
    assert run(site) == "8.0 1"
    shutil.rmtree(callee.parent / "__pycache__")
    assert run(site) == "4.0 0"
    callee.write_text("# Where the value comes from.\n" + callee.read_text())
    assert run(site) == "4.0 1"  # a comment is no reason to compile


@pytest.mark.parametrize("form", ["zip", "bytecode", "frozen"])
def test_packages_without_source_files(site: Path, form: str) -> None:
    """In a zip file, as bytecode alone, or within an executable, whose loader knows code but no files."""
    code = CALL
    path = site
    if form == "zip":
        path = Path(shutil.make_archive(str(site.parent / "packed"), "zip", site))
    elif form == "bytecode":
        assert compileall.compile_dir(site, quiet=1, legacy=True)
        for source in site.rglob("*.py"):
            source.unlink()
    else:
        code = FROZEN.format(site=str(site)) + CALL
        path = site.parent / "nowhere"
    home = site.parent / "home"
    for hits in (0, 1):
        settings = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "PYTHONPATH": str(path)}
        assert run(site, code, **settings, NUMBA_CACHE_DIR=None) == f"8.0 {hits}"


FROZEN = """
import importlib.abc, importlib.machinery, os, sys
codes = {{}}
for folder, _, files in os.walk({site!r}):
    for file in files:
        name = os.path.relpath(os.path.join(folder, file), {site!r})[:-3].replace(os.sep, ".").removesuffix(".__init__")
        codes[name] = compile(open(os.path.join(folder, file)).read(), "nowhere/" + file, "exec")

class Loader(importlib.abc.InspectLoader):
    def get_source(self, name): return None
    def get_code(self, name): return codes[name]
    def is_package(self, name): return any(other.startswith(name + ".") for other in codes)

class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name not in codes: return None
        spec = importlib.machinery.ModuleSpec(name, Loader(), is_package=Loader().is_package(name))
        spec.origin, spec.has_location = "nowhere/" + name, True
        return spec

import pkgutil
pkgutil.iter_modules = lambda path: [
    pkgutil.ModuleInfo(None, name.rpartition(".")[2], False) for name in codes if name.startswith("hsboost._kernels.")
]
sys.frozen = True
sys.meta_path.insert(0, Finder())
"""


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


# In this process: a module of its own, whose dispatchers are made again at each `load`, as in a new process.


class Loaded:
    """A module of one kernel; every load begins without compiled forms."""

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


# In new processes: what a container does.


def test_no_folder_can_be_written_to_by_any_user(site: Path) -> None:
    """Files where folders would go: refused to every user, root included."""
    (site / "hsboost" / "_kernels" / "__pycache__").write_text("")
    home, elsewhere = site.parent / "home", site.parent / "file"
    home.write_text("")
    elsewhere.write_text("")
    code = WARNINGS.format("import hsboost._kernels._compile as c") + WARNINGS.format(CALL.strip().replace("\n", "; "))
    settings = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    for folder in (None, str(elsewhere)):
        lines = run(site, code, **settings, NUMBA_CACHE_DIR=folder).splitlines()
        assert lines[:2] == ["0 []", "8.0 0"]
        assert lines[2].startswith("1 [('RuntimeWarning', 'compiled kernels cannot be kept on disk (")
        assert "Set NUMBA_CACHE_DIR to a folder that this user can write to" in lines[2]


#: Everything that Python might still load goes first: its own files may be closed to the other user.
BECOME_ANOTHER = """
import os, sys, tempfile, uuid, pkgutil, shutil, warnings, importlib.metadata, numba, numpy, numba.misc.appdirs
numba.njit(lambda x: x)(1.0)
numba.core.caching, numba.core.serialize
os.setgroups([]); os.setgid(54321); os.setuid(54321)
os.environ.pop("HOME", None)
"""


@as_root
@pytest.mark.parametrize("filled", ["filled", "unreadable"])
def test_another_user_in_a_container(site: Path, filled: str) -> None:
    """Without a home or a writable folder: what root compiled for all is used, else all is compiled."""
    folder = site.parent / "cache"
    folder.mkdir()
    assert run(site) == "8.0 0"
    if filled == "unreadable":
        for path in folder.rglob("*.nbc"):
            path.chmod(0)
    code = BECOME_ANOTHER + WARNINGS.format(CALL.strip().replace("\n", "; "))
    lines = run(site, code, HOME=None, XDG_CACHE_HOME=None).splitlines()
    if filled == "filled":
        assert lines == ["8.0 1", "0 []"]
    else:
        assert lines[0] == "8.0 0"
        assert lines[1].startswith("1 [('RuntimeWarning', ")
        assert "Permission denied" in lines[1]
        assert "NUMBA_CACHE_DIR" in lines[1]
    assert not list(site.parent.rglob("~"))


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
