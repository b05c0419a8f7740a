"""Decide whether `.ci/run` also tests the lowest versions. Prints "run: why" or "skip: why".

The decision depends on the commit, not on the clock, so that repeated tests of a commit are the same. The lowest
versions are tested if the commit changes files that affect them, and on the first day (UTC) with a commit in every
week. HSBOOST_LOWEST=1 or 0 overrides both.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

WATCHED = ("pyproject.toml", ".ci/")


def answer(setting: str, day: date, earlier: Iterable[date], changed: Iterable[str]) -> str:
    """The answer for a commit of ``day`` that changes the files ``changed``, after commits on the days ``earlier``."""
    if setting not in ("", "0", "1"):
        raise SystemExit(f"HSBOOST_LOWEST must be 0, 1 or unset, got {setting!r}")
    if setting:
        return f"{'run' if setting == '1' else 'skip'}: HSBOOST_LOWEST={setting}"
    for name in changed:
        if name.startswith(WATCHED):
            return f"run: the last commit touches {name}"
    monday = day - timedelta(days=day.weekday())
    tested = [one for one in earlier if monday <= one < day]
    if tested:
        return f"skip: it was the turn of this week's first commits, of {min(tested)}; HSBOOST_LOWEST=1 runs it"
    return f"run: {day} is the first day of its week with a commit"


def git(*arguments: str) -> list[str]:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout.split()


def main() -> None:
    # For a merge, follow the first parent: the branch that it was merged into.
    times = git("log", "--first-parent", "--format=%ct")
    days = [datetime.fromtimestamp(int(one), UTC).date() for one in times]
    changed = git("diff", "--name-only", "HEAD^", "HEAD") if len(days) > 1 else []
    print(answer(os.environ.get("HSBOOST_LOWEST", ""), days[0], days[1:], changed))


if __name__ == "__main__":
    main()
