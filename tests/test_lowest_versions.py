"""The lowest versions of pyproject.toml: what they cannot do has one clear error, and when CI tests them."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from _versions import older
from lightgbm import LGBMClassifier

from hsboost import HSClassifier

pytestmark = pytest.mark.truth

SCRIPT = Path(__file__).resolve().parents[1] / ".ci" / "lowest_due.py"

X = np.random.default_rng(0).normal(size=(60, 2))
Y = (X[:, 0] > 0).astype(int)
MONDAY, TUESDAY, FRIDAY, SUNDAY = (date(2026, 11, day) for day in (23, 24, 27, 29))
LAST_SUNDAY = date(2026, 11, 22)
PATH = os.environ["PATH"]


@pytest.mark.parametrize("form", ["polars", "arrow"])
def test_frames_that_an_old_lightgbm_cannot_take(form: str) -> None:
    columns = {"a": X[:, 0], "b": X[:, 1]}
    frame = pl.DataFrame(columns) if form == "polars" else pa.table(columns)
    model = HSClassifier(LGBMClassifier(n_estimators=2, verbose=-1, n_jobs=1))
    if not older("lightgbm", "4.7"):
        assert model.fit(frame, Y).feature_names_in_.tolist() == ["a", "b"]
        return
    message = rf"^X: LightGBM before 4.7 takes no {form.replace('arrow', 'pyarrow')} .*pass a pandas DataFrame"
    with pytest.raises(ValueError, match=message):
        model.fit(frame, Y)


@pytest.fixture(scope="module")
def script() -> Any:
    if not SCRIPT.is_file():
        pytest.skip("the scripts of continuous integration are not in source archives")
    spec = importlib.util.spec_from_file_location("lowest_due", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("setting", "day", "earlier", "changed", "expected"),
    [
        ("", MONDAY, [LAST_SUNDAY], [], "run: 2026-11-23 is the first day"),
        ("", MONDAY, [MONDAY, LAST_SUNDAY], [], "run: 2026-11-23 is the first day"),  # all of that day
        ("", TUESDAY, [MONDAY], [], "skip: .* of 2026-11-23"),
        ("", FRIDAY, [LAST_SUNDAY], ["README.md"], "run: 2026-11-27 is the first day"),  # a week that begins late
        ("", SUNDAY, [FRIDAY, TUESDAY, LAST_SUNDAY], ["README.md"], "skip: .* of 2026-11-24"),
        ("", SUNDAY, [FRIDAY], ["README.md", "pyproject.toml"], "run: the last commit touches pyproject.toml"),
        ("", SUNDAY, [FRIDAY], [".ci/lowest"], "run: the last commit touches .ci/lowest"),
        ("", MONDAY, [], [], "run: "),  # no history at hand
        ("0", MONDAY, [], ["pyproject.toml"], "skip: HSBOOST_LOWEST=0"),
        ("1", SUNDAY, [FRIDAY], [], "run: HSBOOST_LOWEST=1"),
    ],
)
def test_small_when_it_is_due(
    script: Any, setting: str, day: date, earlier: list[date], changed: list[str], expected: str
) -> None:
    assert re.match(expected, script.answer(setting, day, earlier, changed))


def test_small_other_settings_are_an_error(script: Any) -> None:
    with pytest.raises(SystemExit, match="HSBOOST_LOWEST must be 0, 1 or unset, got 'yes'"):
        script.answer("yes", MONDAY, [], [])


@pytest.mark.usefixtures("script")
def test_the_commit_decides_not_the_clock(tmp_path: Path) -> None:
    def git(*arguments: str, when: str = "2020-01-01") -> None:
        dates = {"GIT_AUTHOR_DATE": f"{when}T12:00:00Z", "GIT_COMMITTER_DATE": f"{when}T12:00:00Z"}
        who = {f"GIT_{role}_{what}": "a@b" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        alone = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "PATH": PATH}
        subprocess.run(["git", *arguments], check=True, cwd=tmp_path, env=dates | who | alone, capture_output=True)

    def commit(name: str, when: str) -> str:
        (tmp_path / name).write_text(when, encoding="utf-8")
        git("add", name)
        git("commit", "-m", name, when=when)
        environment = {"PATH": PATH}
        done = subprocess.run(
            [sys.executable, str(SCRIPT)], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout.partition(":")[0]

    git("init", "-b", "main")
    days = [("a", "2026-11-20"), ("b", "2026-11-24"), ("c", "2026-11-25"), ("pyproject.toml", "2026-11-25")]
    assert [commit(*one) for one in days] == ["run", "run", "skip", "run"]
    git("checkout", "-b", "branch")
    assert commit("d", "2026-11-26") == "skip"
    git("checkout", "main")
    git("merge", "--no-ff", "branch", when="2026-12-02")  # of another week, though the branch's commits are not
    assert commit("e", "2026-12-03") == "skip"
