"""How far a comparison is, in lines of text."""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import perf_counter


def to_stderr(line: str) -> None:
    """A line of progress where it does not mix with results."""
    print(line, file=sys.stderr, flush=True)


class Progress:
    """Says after every training what came out, and how long the rest may take."""

    def __init__(self, report: Callable[[str], object] | None, total: int, done: int) -> None:
        self.report, self.total, self.done, self.resumed = report, total, done, done
        self._begin = perf_counter()
        if report is not None and done:
            report(f"{done} of {total} trainings were done before")

    def add(self, split: int, splits: int, trial: str, precision: float, seconds: float) -> None:
        """Another training is done."""
        self.done += 1
        if self.report is None:
            return
        spent = perf_counter() - self._begin
        left = spent / (self.done - self.resumed) * (self.total - self.done)
        self.report(
            f"{self.done}/{self.total}  split {split + 1}/{splits}  {trial}: precision {precision:.4f}, {seconds:.1f} s"
            + (f"; about {_duration(left)} left" if self.done < self.total else "")
        )


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
