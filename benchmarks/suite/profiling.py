"""Where the time of a call goes, function by function. Compiled kernels and libraries count for who calls them."""

from __future__ import annotations

import cProfile
import pstats
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

#: Calls are repeated for so long, and at least so often.
SECONDS, CALLS = 0.5, 2
#: Functions are listed until they explain so much of the time, and so many at most.
ENOUGH, MOST = 0.9, 5


def profile(call: Callable[[], Any]) -> list[dict[str, Any]]:
    """The functions in which most of the time passes: ``where``, ``seconds`` of one call, ``share`` of its time.

    Time in a function's own code, and in C code that has no Python function of its own. Numba's kernels have names;
    so have the calls into the boosters' libraries, under the function that makes them.
    """
    call()  # compiles
    observer = cProfile.Profile()
    calls, start = 0, perf_counter()
    while calls < CALLS or perf_counter() - start < SECONDS:
        observer.enable()
        call()
        observer.disable()
        calls += 1
    return longest({place: own for place, (_, _, own, _, _) in _stats(observer).items()}, calls)


def _stats(observer: cProfile.Profile) -> dict[tuple[str, int, str], tuple[Any, ...]]:
    found: dict[tuple[str, int, str], tuple[Any, ...]] = pstats.Stats(observer).stats  # type: ignore[attr-defined]
    return found


def longest(own: dict[tuple[str, int, str], float], calls: int) -> list[dict[str, Any]]:
    """The functions with the most time of their own, by (file, line, name); ``own`` is of so many calls."""
    total = sum(own.values())
    named: dict[str, float] = {}
    for place, spent in own.items():
        named[_name(place)] = named.get(_name(place), 0.0) + spent
    found: list[dict[str, Any]] = []
    explained = 0.0
    for where, spent in sorted(named.items(), key=lambda one: -one[1])[:MOST]:
        if total <= 0.0 or explained >= ENOUGH * total:
            break
        explained += spent
        found.append({"where": where, "seconds": spent / calls, "share": spent / total})
    return found


def _name(place: tuple[str, int, str]) -> str:
    """The function with its module; built-in ones by their name."""
    file, _, name = place
    if file.startswith("~") or not file:
        return name.strip("<>{}").removeprefix("built-in method ").removeprefix("method ")
    roots = sorted((str(Path(one or ".").resolve()) for one in sys.path), key=len, reverse=True)
    path = next((file[len(root) + 1 :] for root in roots if file.startswith(root + "/")), Path(file).name)
    return f"{path.removesuffix('.py')}: {name}"
