"""What the benchmark asks of another solver of the projection."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]


class Availability(NamedTuple):
    """Whether something can be run here; ``reason`` says why not."""

    ok: bool
    reason: str = ""


class DidNotConverge(RuntimeError):
    """Raised by a rival's call that gave up: the benchmark reports it and goes on."""


class Rival(ABC):
    """One solver of argmin ½ Σ w (y - x)² over 0 <= y <= 1, Σ w y = k.

    ``sorts`` marks those that sort all rows; ``packages`` are the distributions it needs, by name on the index and
    by name of the module.
    """

    name: str
    label: str
    sorts: bool = False
    weighted: bool = True
    packages: tuple[tuple[str, str], ...] = ()

    def available(self) -> Availability:
        """Say whether the packages are there, without importing them."""
        missing = [package for package, module in self.packages if importlib.util.find_spec(module) is None]
        if missing:
            return Availability(False, f"not installed: {', '.join(missing)}")
        return Availability(True)

    def versions(self) -> dict[str, str]:
        """Collect the versions of the packages that are there."""
        return {
            package: importlib.metadata.version(package)
            for package, module in self.packages
            if importlib.util.find_spec(module) is not None
        }

    def supports(self, weighted: bool) -> Availability:
        """Say whether the problem can be put to this solver at all."""
        if weighted and not self.weighted:
            return Availability(False, "has no sample weights")
        return Availability(True)

    @abstractmethod
    def prepare(self, x: FloatArray, k: float, w: FloatArray | None) -> Callable[[], FloatArray]:
        """Convert the problem, untimed, and return the call that is timed.

        ``x`` (n,) are scores, ``k`` the mass Σ w y, ``w`` (n,) weights or None. The call returns y (n,) as NumPy.
        """
