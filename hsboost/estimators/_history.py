"""Figures of every round: a record for plots, and lines on stderr."""

from __future__ import annotations

import sys
from numbers import Integral
from typing import Any

import numpy as np


class History:
    """Keeps soft threshold and active share of every boosting round; prints a line every ``verbose`` rounds.

    For an objective's ``on_round``. Losses without a threshold leave the iterations alone.
    """

    def __init__(self, verbose: int) -> None:
        if not isinstance(verbose, Integral | np.bool_):
            raise ValueError(
                f"verbose must be a whole number, got {verbose!r}; pass 0 for silence, n for a line every n rounds"
            )
        self.verbose: int = int(verbose)
        #: What thresholds are multiplied with to be raw scores.
        self.unit: float = 1.0
        self.record: dict[str, list[Any]] = {"iteration": [], "soft_threshold": [], "active_share": []}

    def __call__(self, state: Any) -> None:
        iteration = len(self.record["iteration"])
        self.record["iteration"].append(iteration)
        if hasattr(state, "active_share"):
            self.record["soft_threshold"].append(self.unit * state.soft_threshold)
            self.record["active_share"].append(state.active_share)
        if self.verbose > 0 and iteration % self.verbose == 0:
            print(self._line(iteration), file=sys.stderr, flush=True)

    def _line(self, iteration: int) -> str:
        if not self.record["soft_threshold"]:
            return f"[{iteration}]"
        cut, share = np.ravel(self.record["soft_threshold"][-1]), np.ravel(self.record["active_share"][-1])
        where = f"{cut[0]:.6g}" if cut.size == 1 else f"{cut.min():.6g} to {cut.max():.6g}"
        return f"[{iteration}] soft threshold {where}, active {share.mean():.1%}"

    def finished(self) -> dict[str, list[Any]]:
        """The record, without the columns that stayed empty."""
        return {name: values for name, values in self.record.items() if values}


def to_file(history: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """The record under the names that model files have for its columns."""
    return {"threshold" if name == "soft_threshold" else name: values for name, values in history.items()}


def from_file(history: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Undo :func:`to_file`; in pickles from before the name changed, too."""
    return {"soft_threshold" if name == "threshold" else name: values for name, values in history.items()}
