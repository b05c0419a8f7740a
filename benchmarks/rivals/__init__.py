"""Other solvers of the same projection, one adapter each; those with more dependencies than hsboost are optional."""

from __future__ import annotations

from benchmarks.rivals._base import Availability, DidNotConverge, Rival
from benchmarks.rivals.entmax import Entmax
from benchmarks.rivals.jaxopt import Jaxopt
from benchmarks.rivals.numpy_in_place import NumpyInPlace
from benchmarks.rivals.numpy_newton import NumpyNewton
from benchmarks.rivals.pav import Pav, PavInPlace
from benchmarks.rivals.scipy_isotonic import ScipyIsotonic

RIVALS: dict[str, Rival] = {
    rival.name: rival
    for rival in (NumpyNewton(), NumpyInPlace(), Jaxopt(), ScipyIsotonic(), Pav(), PavInPlace(), Entmax())
}

__all__ = ["RIVALS", "Availability", "DidNotConverge", "Rival"]
