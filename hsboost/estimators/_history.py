"""What happened round by round: a record for plots, and lines for those who watch."""

from __future__ import annotations

import sys
from numbers import Integral
from typing import Any

import numpy as np


class History:
    """Keeps threshold and active share of every boosting round; prints a line every ``verbose`` rounds.

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
        self.record: dict[str, list[Any]] = {"iteration": [], "threshold": [], "active_share": []}

    def __call__(self, state: Any) -> None:
        states = state if type(state) is tuple else (state,)
        iteration = len(self.record["iteration"])
        self.record["iteration"].append(iteration)
        if all(hasattr(one, "active_share") for one in states):
            cuts, shares = [self.unit * one.cut for one in states], [float(one.active_share) for one in states]
            self.record["threshold"].append(cuts[0] if len(cuts) == 1 else np.array(cuts))
            self.record["active_share"].append(shares[0] if len(shares) == 1 else np.array(shares))
        if self.verbose > 0 and iteration % self.verbose == 0:
            print(self._line(iteration), file=sys.stderr, flush=True)

    def _line(self, iteration: int) -> str:
        if not self.record["threshold"]:
            return f"[{iteration}]"
        cut, share = np.ravel(self.record["threshold"][-1]), np.ravel(self.record["active_share"][-1])
        where = f"{cut[0]:.6g}" if cut.size == 1 else f"{cut.min():.6g} to {cut.max():.6g}"
        return f"[{iteration}] threshold {where}, active {share.mean():.1%}"

    def finished(self) -> dict[str, list[Any]]:
        """The record, without the columns that stayed empty."""
        return {name: values for name, values in self.record.items() if values}
