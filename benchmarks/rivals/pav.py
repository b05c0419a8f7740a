"""The method of the paper in this package: sort, then pool adjacent violators."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.rivals._base import FloatArray, Rival


class Pav(Rival):
    """``project_hypersimplex(…, method="pav")``."""

    name = "pav"
    label = "hsboost, method='pav'"
    sorts = True

    def prepare(self, x: FloatArray, k: float, w: FloatArray | None) -> Callable[[], FloatArray]:
        """See :class:`Rival`."""
        from hsboost import project_hypersimplex

        return lambda: project_hypersimplex(x, k, sample_weight=w, method="pav").values

    def prepare_groups(
        self, x: FloatArray, k: FloatArray, w: FloatArray | None, groups: NDArray[np.int64]
    ) -> Callable[[], FloatArray]:
        """See :class:`Rival`: the package's own groups."""
        from hsboost import project_hypersimplex

        return lambda: project_hypersimplex(x, k, sample_weight=w, groups=groups, method="pav").values

    def prepare_columns(self, x: FloatArray, k: FloatArray, w: FloatArray | None) -> Callable[[], FloatArray]:
        """See :class:`Rival`: the package's own columns."""
        from hsboost import project_hypersimplex

        return lambda: project_hypersimplex(x, k, sample_weight=w, method="pav").values


class PavInPlace(Pav):
    """``project_hypersimplex(…, method="pav", out=…)``."""

    name = "pav_into"
    label = "hsboost, method='pav', out="
    kinds = ("one",)
    into = True

    def prepare(self, x: FloatArray, k: float, w: FloatArray | None) -> Callable[[], FloatArray]:
        """See :class:`Rival`."""
        from hsboost import project_hypersimplex

        out = np.zeros_like(x)
        return lambda: project_hypersimplex(x, k, sample_weight=w, method="pav", out=out).values
