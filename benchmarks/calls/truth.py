"""The reference solution of a case in long double, without any code of hsboost, and the errors of results against it.

Long double has 64 bits of mantissa on x86 Linux; where it is plain float64 (Windows, some ARM) errors below 1e-15
mean nothing. Rows are processed in chunks, so that a hundred million of them fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from benchmarks.calls.cases import Case, FloatArray, PartCase, Rows, make_parts, make_rows
from benchmarks.calls.methods import OURS, STEPS, Method, own_methods, own_part_methods
from benchmarks.suite.store import Record
from hsboost.losses.hypersimplex import DEFAULT_FLOOR

Long = np.longdouble
CHUNK = 1 << 20
SAMPLE = 100_000
MOST_STEPS = 500


class Sums(NamedTuple):
    """Weight above 1, weight in (0, 1] and Σ w v over it, at one multiplier."""

    ones: Any
    active: Any
    mass: Any


def _chunks(n: int) -> Iterator[slice]:
    for start in range(0, n, CHUNK):
        yield slice(start, min(n, start + CHUNK))


def _sums(x: FloatArray, w: FloatArray | None, nu: Any) -> Sums:
    ones, active, mass = Long(0), Long(0), Long(0)
    margin = 1e-9 * max(1.0, abs(float(nu)))
    for part in _chunks(x.size):
        # Long double is slow: float64 first identifies the rows that are certainly 1 or 0.
        rough = x[part].astype(np.float64) - float(nu)
        unsure = (rough > -margin) & (rough < 1.0 + margin)
        sure = rough >= 1.0 + margin
        v = x[part][unsure].astype(Long) - nu
        above, inside = v > 1, (v > 0) & (v <= 1)
        if w is None:
            ones += np.count_nonzero(sure) + np.count_nonzero(above)
            active += np.count_nonzero(inside)
            mass += v[inside].sum()
        else:
            weight = w[part][unsure].astype(Long)
            ones += w[part][sure].sum(dtype=Long) + weight[above].sum()
            active += weight[inside].sum()
            mass += (weight[inside] * v[inside]).sum()
    return Sums(ones, active, mass)


def threshold(x: FloatArray, w: FloatArray | None, k: float) -> Any:
    """Solve Σ w clip(x - nu, 0, 1) = k for nu in long double; bracketed Newton from a sample's solution."""
    stride = x.size // SAMPLE
    if stride < 2:
        return _solve(x, w, Long(k), (Long(x.min()) - 1 + Long(x.max())) / 2)
    sample = x[::stride]
    weight = None if w is None else w[::stride]
    full, part = (Long(rows.size) if of is None else of.sum(dtype=Long) for rows, of in ((x, w), (sample, weight)))
    return _solve(x, w, Long(k), threshold(sample, weight, float(k * part / full)))


def _solve(x: FloatArray, w: FloatArray | None, k: Any, nu: Any) -> Any:
    total = Long(x.size) if w is None else w.sum(dtype=Long)
    lo, hi = Long(x.min()) - 1, Long(x.max())
    eps = np.finfo(Long).eps
    for _ in range(MOST_STEPS):
        at = _sums(x, w, nu)
        excess = at.ones + at.mass - k
        # Without active rows F is flat: the rest of k is rounding in k itself.
        if excess == 0 or (at.active == 0 and abs(excess) <= 1e-15 * total):
            return nu
        lo, hi = (nu, hi) if excess > 0 else (lo, nu)
        following = nu + excess / at.active if at.active > 0 else Long("nan")
        if abs(following - nu) <= 2 * eps * max(1, abs(nu)) or hi - lo <= 2 * eps * max(1, abs(nu)):
            return nu
        nu = following if lo < following < hi else (lo + hi) / 2
    raise RuntimeError("the long-double reference did not end; please report the case that did this")


class Accuracy(NamedTuple):
    """Largest error of a row, and |Σ w y - k| (None for gradients)."""

    error: float
    mass_error: float | None


def check_projection(y: FloatArray, x: FloatArray, w: FloatArray | None, k: float, nu: Any) -> Accuracy:
    """Compare a projection with clip(x - nu, 0, 1) row by row, in long double."""
    worst, mass = Long(0), Long(0)
    for part in _chunks(x.size):
        found = y[part].astype(Long)
        worst = max(worst, np.abs(found - np.clip(x[part].astype(Long) - nu, 0, 1)).max())
        mass += found.sum() if w is None else (w[part].astype(Long) * found).sum()
    return Accuracy(_plain(worst), _plain(abs(mass - Long(k))))


def mass_error(y: FloatArray, w: FloatArray | None, k: float) -> float:
    """|Σ w y - k| of one part of a projection, small enough for a single sum."""
    terms = y.astype(Long) if w is None else w.astype(Long) * y
    return _plain(abs(terms.sum() - Long(k)))


def check_step(
    outputs: tuple[FloatArray, FloatArray],
    y_true: FloatArray,
    x: FloatArray,
    w: FloatArray | None,
    nu: Any,
    floor: float,
) -> Accuracy:
    """Compare a boosting step with its formulas (temperature 1), in long double.

    Gradient w (r - Σ_A w r / Σ_A w) on A; curvature w on A and w ``floor`` off it, as the step returns them. Rows
    within rounding of a kink (0 or 1) may be on either side and are not compared.
    """
    active, residual = Long(0), Long(0)
    for part in _chunks(x.size):
        v, weight = x[part].astype(Long) - nu, _weight(w, part, x)
        inside = (v > 0) & (v < 1)
        active += weight[inside].sum()
        residual += (weight * (v - y_true[part]))[inside].sum()
    mean = residual / active if active > 0 else Long(0)
    worst = Long(0)
    for part in _chunks(x.size):
        v, weight = x[part].astype(Long) - nu, _weight(w, part, x)
        inside = (v > 0) & (v < 1)
        gradient = np.where(inside, weight * (v - y_true[part] - mean), 0)
        hessian = weight * np.where(inside, 1, Long(floor))
        clear = (np.abs(v) > 1e-9) & (np.abs(v - 1) > 1e-9)
        for output, expected in zip(outputs, (gradient, hessian), strict=True):
            worst = max(worst, np.abs(output[part].astype(Long) - expected)[clear].max(initial=0))
    return Accuracy(_plain(worst), None)


def _weight(w: FloatArray | None, part: slice, x: FloatArray) -> Any:
    return np.ones(x[part].size, Long) if w is None else w[part].astype(Long)


def _plain(value: Any) -> float:
    """A float that JSON can represent: overflow and NaN become the largest number."""
    number = float(value)
    return number if np.isfinite(number) else float(np.finfo(np.float64).max)


#: With more groups than this only a sample is compared with the reference, evenly spread over the sorted labels.
MOST_CHECKED = 50


class Single:
    """The rows of one problem and their reference solution."""

    def __init__(self, case: Case) -> None:
        self.rows = make_rows(case)
        self.nu = threshold(self.rows.x, self.rows.w, self.rows.k)
        self.facts = {"k": self.rows.k, "threshold": float(self.nu)}

    def own_methods(self) -> list[Method]:
        """What hsboost does with it, and the floors."""
        return own_methods(self.rows)

    def accuracy(self, method: Method, result: Any) -> Record:
        """Errors of a method's result against the reference; nothing for floors."""
        x, w = self.rows.x, self.rows.w
        if method.name in STEPS:
            return check_step(result, self.rows.y, x, w, self.nu, DEFAULT_FLOOR)._asdict()
        if method.name in OURS or method.is_rival:
            return check_projection(result, x, w, self.rows.k, self.nu)._asdict()
        return {}


class Parts:
    """The rows of many problems, and the reference solution of all of them or a sample."""

    def __init__(self, case: PartCase) -> None:
        self.rows = make_parts(case)
        parts = len(self.rows.index)
        self.checked = sorted(set(np.linspace(0, parts - 1, MOST_CHECKED).astype(int).tolist()))
        self.nu = [threshold(rows.x, rows.w, rows.k) for rows in map(self.rows.of, self.checked)]
        self.facts = {"k": float(self.rows.k.sum()), "parts": parts, "checked_parts": len(self.checked)}

    def own_methods(self) -> list[Method]:
        """What hsboost does with it, and the floors."""
        return own_part_methods(self.rows)

    def accuracy(self, method: Method, result: Any) -> Record:
        """The worst row of the checked parts, and the worst sum of all parts."""
        if method.name in STEPS:
            gradient, hessian = result
            steps = [
                check_step((gradient[at], hessian[at]), part.y, part.x, part.w, nu, DEFAULT_FLOOR)
                for at, part, nu in self._checked_parts()
            ]
            return {"error": max(step.error for step in steps), "mass_error": None}
        if method.name != "projection" and not method.is_rival:
            return {}
        errors = [
            check_projection(result[at], part.x, part.w, part.k, nu).error for at, part, nu in self._checked_parts()
        ]
        masses = [
            mass_error(result[at], part.w, part.k)
            for at, part in zip(self.rows.index, map(self.rows.of, range(len(self.rows.index))), strict=True)
        ]
        return {"error": max(errors), "mass_error": max(masses)}

    def _checked_parts(self) -> Iterator[tuple[Any, Rows, Any]]:
        """The index, the rows and the multiplier of each checked part."""
        for p, nu in zip(self.checked, self.nu, strict=True):
            yield self.rows.index[p], self.rows.of(p), nu
