"""Compiling ahead of time, and a disk cache that copes with read-only installs and several first users at once."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import hsboost
from hsboost.precompile import precompile

#: One kernel, which compiles in a moment: the sums over eight scores of zero; and how often it came from the cache.
USE_ONE_KERNEL = """
import numpy as np
from hsboost._kernels.multiplier import sums
tail = np.zeros((1, 4, 1))
sums.serial(np.zeros(8), None, 0.0, 1.0, np.zeros(1), tail)
print(tail.sum(), sum(sums.serial.stats.cache_hits.values()))
"""


def start(code: str, **environment: str) -> subprocess.Popen[str]:
    here = {"PYTHONPATH": str(Path(hsboost.__file__).parents[1])}
    return subprocess.Popen(
        [sys.executable, "-P", "-c", code], env={**os.environ, **here, **environment}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def answer(process: subprocess.Popen[str]) -> list[str]:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return out.split()


def test_precompile_reports_every_form_and_the_next_call_finds_them() -> None:
    lines: list[str] = []
    precompile(lines.append)
    assert len(lines) == len(set(lines)) >= 30
    assert any("float32" in line and "threads" in line for line in lines)


def test_processes_that_start_at_once_share_an_empty_cache(tmp_path: Path) -> None:
    first = [start(USE_ONE_KERNEL, NUMBA_CACHE_DIR=str(tmp_path)) for _ in range(3)]
    assert [answer(process)[0] for process in first] == ["8.0"] * 3
    assert answer(start(USE_ONE_KERNEL, NUMBA_CACHE_DIR=str(tmp_path))) == ["8.0", "1"]


def test_a_read_only_install_caches_in_the_users_folder(tmp_path: Path) -> None:
    site, home = tmp_path / "site", tmp_path / "home"
    home.mkdir()
    shutil.copytree(Path(hsboost.__file__).parent, site / "hsboost", ignore=shutil.ignore_patterns("__pycache__"))
    # A file where the cache folder would go: refused to every user, root included.
    for folder in (site / "hsboost", site / "hsboost" / "_kernels"):
        (folder / "__pycache__").write_text("")
    for path in [site, *site.rglob("*")]:
        path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    settings = {"PYTHONPATH": str(site), "HOME": str(home), "XDG_CACHE_HOME": str(home), "NUMBA_CACHE_DIR": ""}
    try:
        where = answer(start("import hsboost; print(hsboost.__file__)", **settings))[0]
        assert Path(where).is_relative_to(site)
        assert answer(start(USE_ONE_KERNEL, **settings)) == ["8.0", "0"]
        assert answer(start(USE_ONE_KERNEL, **settings)) == ["8.0", "1"]
        assert list(home.rglob("*.nbc"))
    finally:
        for path in [site, *site.rglob("*")]:
            path.chmod(path.stat().st_mode | stat.S_IWUSR)
