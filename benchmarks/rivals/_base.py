"""The interface of another solver of the projection in the benchmark."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]


class Availability(NamedTuple):
    """Whether something can run on this machine; ``reason`` says why not."""

    ok: bool
    reason: str = ""


class DidNotConverge(RuntimeError):
    """Raised by a rival's call that gave up: the benchmark reports it and continues."""


class Rival(ABC):
    """One solver of argmin ½ Σ w (y - x)² over 0 <= y <= 1, Σ w y = k.

    ``sorts`` marks solvers that sort all rows, ``into`` those that write into an existing array; ``kinds`` are the
    supported problems: one, one per group of rows, or one per class column; ``packages`` are the required
    distributions, by name on the index and by name of the module.
    """

    name: str
    label: str
    sorts: bool = False
    into: bool = False
    weighted: bool = True
    kinds: tuple[str, ...] = ("one", "groups", "columns")
    packages: tuple[tuple[str, str], ...] = ()

    def available(self) -> Availability:
        """Say whether the packages are installed, without importing them."""
        missing = [package for package, module in self.packages if importlib.util.find_spec(module) is None]
        if missing:
            return Availability(False, f"not installed: {', '.join(missing)}")
        return Availability(True)

    def versions(self) -> dict[str, str]:
        """Collect the versions of the installed packages."""
        return {
            package: importlib.metadata.version(package)
            for package, module in self.packages
            if importlib.util.find_spec(module) is not None
        }

    def supports(self, weighted: bool, kind: str = "one") -> Availability:
        """Say whether this solver supports the problem."""
        if kind not in self.kinds:
            return Availability(False, f"has no {kind}")
        if weighted and not self.weighted:
            return Availability(False, "has no sample weights")
        return Availability(True)

    @abstractmethod
    def prepare(self, x: FloatArray, k: float, w: FloatArray | None) -> Callable[[], FloatArray]:
        """Convert the problem, untimed, and return the call that is timed.

        ``x`` (n,) are scores, ``k`` the mass Σ w y, ``w`` (n,) weights or None. The call returns y (n,) as NumPy.
        """

    def prepare_groups(
        self, x: FloatArray, k: FloatArray, w: FloatArray | None, groups: NDArray[np.int64]
    ) -> Callable[[], FloatArray]:
        """The same with one problem per group, ``k`` in the order of the sorted labels ``groups`` (n,).

        The default is a simple loop: over slices if the rows are sorted by group already, otherwise over the rows
        that one sort of the labels finds. Finding them is part of the call, as it is in hsboost.
        """

        def solve() -> FloatArray:
            rows: list[Any]
            if (groups[1:] >= groups[:-1]).all():
                ends = [0, *(np.flatnonzero(np.diff(groups)) + 1).tolist(), groups.size]
                rows = [slice(*pair) for pair in itertools.pairwise(ends)]
            else:
                order = np.argsort(groups, kind="stable")
                rows = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
            y = np.empty_like(x)
            for at, mass in zip(rows, k.tolist(), strict=True):
                y[at] = self.prepare(x[at], mass, None if w is None else w[at])()
            return y

        return solve

    def prepare_columns(self, x: FloatArray, k: FloatArray, w: FloatArray | None) -> Callable[[], FloatArray]:
        """The same with one problem per column of ``x`` (n, C), ``k`` (C,). The default is a loop."""

        def solve() -> FloatArray:
            y = np.empty_like(x)
            for c, mass in enumerate(k.tolist()):
                y[:, c] = self.prepare(x[:, c], mass, w)()
            return y

        return solve
