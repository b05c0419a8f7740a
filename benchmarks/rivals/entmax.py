"""entmax (PyTorch): bisection on the same multiplier."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable

import numpy as np

from benchmarks.rivals._base import FloatArray, Rival


class Entmax(Rival):
    """``entmax.budget_bisect`` with just enough halvings for all digits of the scores' type."""

    name = "entmax"
    label = "entmax budget_bisect"
    weighted = False
    kinds = ("one", "columns")
    packages = (("entmax", "entmax"), ("torch", "torch"))

    def prepare(self, x: FloatArray, k: float, w: FloatArray | None) -> Callable[[], FloatArray]:
        """See :class:`Rival`."""
        return self._bisect(x, k)

    def prepare_columns(self, x: FloatArray, k: FloatArray, w: FloatArray | None) -> Callable[[], FloatArray]:
        """See :class:`Rival`: all columns in one call."""
        return self._bisect(x, k)

    @staticmethod
    def _bisect(x: FloatArray, k: float | FloatArray) -> Callable[[], FloatArray]:
        entmax = importlib.import_module("entmax")
        torch = importlib.import_module("torch")

        z = torch.from_numpy(x)
        mass = torch.tensor(k, dtype=z.dtype)
        # Its bracket is as wide as the scores; each step halves it.
        width = float(x.max()) - float(x.min()) + 1.0
        steps = math.ceil(math.log2(width / float(np.finfo(x.dtype).eps))) + 1

        def solve() -> FloatArray:
            with torch.inference_mode():
                return np.asarray(entmax.budget_bisect(z, budget=mass, dim=0, n_iter=steps).numpy())

        return solve
