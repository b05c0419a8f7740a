"""Compiled kernels in new processes: after upgrades, in zip files and executables, for users who can write nowhere.

They run a package of two kernels with the real `_cache` and `_compile`, compiled in a moment, to edit and to damage.
"""

from __future__ import annotations

import compileall
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import hsboost

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
    for name in ("_version.py", "_stack.py"):
        shutil.copy(PACKAGE / name, kernels.parent)
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
