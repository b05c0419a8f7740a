"""One hypersimplex over all rows: the passes behind a loss's value, its derivatives and a boosting round."""

from __future__ import annotations

import warnings
from sys import getrefcount
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from hsboost import _validation as check
from hsboost._kernels import gradient as kernels
from hsboost._kernels._compile import BLOCK, as_input
from hsboost._solver.search import Multiplier
from hsboost._solver.solve import solve_multiplier
from hsboost._validation import Budget, FloatArray

#: References to an array that only its `Round` holds: the tuple's, and the argument of getrefcount.
_UNSHARED = 2


class Slopes(NamedTuple):
    """How derivatives are scaled: on the active set A and off it.

    gradient = slope w (r - mean) on A and outer w (r - mean) off A; hessian = bend w max(1 - own w / Σ_A w, floor) on
    A and bend w floor off A. r = ŷ - y; the mean is that of r on A, or, for the ``convex`` loss, (k - Σ w y) / Σ w.
    """

    slope: float
    bend: float
    floor: float
    own: float = 0.0
    convex: bool = False

    @property
    def outer(self) -> float:
        """The slope off the active set."""
        return self.slope if self.convex else 0.0


class Rows(NamedTuple):
    """Rows of the right shape: scores, labels, weights, Σ w, Σ w y and the total mass that k means here."""

    x: FloatArray
    y: FloatArray
    w: FloatArray | None
    total: float
    positive: float
    mass: float
    checked: bool = True

    def mean(self, slopes: Slopes, active: float, residual: float) -> float:
        """What residuals are centred with."""
        if slopes.convex:
            return (self.mass - self.positive) / self.total if self.total > 0.0 else 0.0
        return residual / active if active > 0.0 else 0.0


class Round(NamedTuple):
    """What one boosting round leaves for the next: where it cut, Σ w and Σ w y, and arrays to write into."""

    where: Multiplier
    total: float
    positive: float
    active: float
    gradient: np.ndarray | None
    hessian: np.ndarray | None

    @property
    def soft_threshold(self) -> float:
        """The raw score that got ŷ = 1/2."""
        return self.where.soft_threshold

    @property
    def active_share(self) -> float:
        """Share of the weight with 0 < ŷ < 1."""
        return self.active / self.total

    def without_arrays(self) -> Round:
        """The numbers alone."""
        return self._replace(gradient=None, hessian=None)


def arrays_after(last: Any, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Gradient and curvature to write into: the last round's, if nobody else holds them any more (views hold, too).

    Fresh memory costs more than the pass that fills it: the operating system clears every page first.
    """
    if last is not None and last.gradient is not None and last.gradient.size == n:
        unused = getrefcount(last.gradient) == _UNSHARED and getrefcount(last.hessian) == _UNSHARED
        # Views of the two belong to the memory behind them, which the two alone may hold.
        if unused and getrefcount(last.gradient.base) == _UNSHARED + 1:
            return last.gradient, last.hessian
    both = np.empty((2, n), np.float32)  # one piece of fresh memory costs less than two
    return both[0], both[1]


def check_rows(k: Budget, x: FloatArray, y_true: ArrayLike, w: FloatArray | None, last: Round | None = None) -> Rows:
    """Check labels and weights. With ``last``, float32 labels and weights are taken to be its own: check later."""
    y = check_label_array(y_true, x.size)
    if last is not None and y.dtype == np.float32:
        y = as_input(y)
        mass = check.budget_mass(k, last.total, last.positive)
        return Rows(x, y, w, last.total, last.positive, mass, checked=False)
    # Looked at as they came: rounding to float32 would make 1e-60 a label.
    own = as_input(check.as_floats(y, np.float32))
    total, positive, wrong_labels, wrong_weights = label_totals(own, w)
    if wrong_labels:
        raise check.bad_labels(y)
    if wrong_weights and w is not None:
        raise check.bad_weights(w)
    check.check_total_weight(total)
    mass = check.budget_mass(k, total, positive)
    check.check_resolution(mass, total, w)
    return Rows(x, own.astype(np.float32, copy=False), w, total, positive, mass)


def label_totals(y: FloatArray, w: FloatArray | None) -> tuple[float, ...]:
    """(Σ w, Σ w y, rows with a wrong label, rows with a wrong weight)."""
    return _block_totals(kernels.labels, 4, y.size, y, w)


def check_label_array(y_true: ArrayLike, n: int) -> np.ndarray:
    """Labels as an array of n numbers."""
    y = np.asarray(y_true)
    check.check_same_length(y, "y_true", n, "raw_prediction")
    if y.dtype.kind not in "biuf":
        raise ValueError(f"y_true must hold 0 and 1, got dtype {y.dtype}; encode the labels first")
    return y


def find(rows: Rows, temperature: float, start: Multiplier | None = None) -> Multiplier:
    """Where the rows are cut."""
    first = None if start is None else (start.anchor, start.nu)
    return solve_multiplier(rows.x, rows.w, rows.mass, rows.total, temperature, "raw_prediction", first)


def squared_distance(rows: Rows, where: Multiplier) -> float:
    """Σ w (ŷ - y)²."""
    return _residual_sums(rows, where)[2]


def conjugate_loss(rows: Rows, where: Multiplier) -> float:
    """Σ w [(z - z̄) (ŷ - y) + (y² - ŷ²) / 2] with z = x / temperature and z̄ its mean."""
    inner, position, squares = conjugate_sums(rows, where)
    unbalanced = rows.mass - rows.positive
    return finite_or_infinite(
        inner - (position / rows.total * unbalanced if unbalanced != 0.0 else 0.0) + 0.5 * squares
    )


def finite_or_infinite(value: float) -> float:
    """Sums of finite scores that overflow in both directions leave NaN; the loss they belong to is beyond floats."""
    return float("inf") if value != value else value


def conjugate_sums(rows: Rows, where: Multiplier) -> tuple[float, float, float]:
    """(Σ w u (ŷ - y), Σ w u, Σ w (y² - ŷ²)) with u = (x - anchor) / temperature."""
    n = rows.x.size
    return _block_totals(  # type: ignore[return-value]
        kernels.conjugate, 3, n, rows.x, rows.y, rows.w, where.anchor, where.scale, where.nu
    )


def derivatives(rows: Rows, where: Multiplier, slopes: Slopes, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
    """Gradient and curvature in new arrays."""
    gradient, hessian = np.empty(rows.x.size, dtype), np.empty(rows.x.size, dtype)
    write_derivatives(rows, where, slopes, gradient, hessian)
    return gradient, hessian


def write_derivatives(
    rows: Rows,
    where: Multiplier,
    slopes: Slopes,
    gradient: np.ndarray,
    hessian: np.ndarray,
    mean: float | None = None,
) -> float:
    """Gradient and curvature into the given arrays; returns the weight of the active rows.

    ``mean`` is what residuals are centred with when these are not all rows of their problem (then 0.0 is returned).
    """
    if mean is not None:
        _write_centred(rows, where, slopes, mean, 0.0, gradient, hessian)
        return 0.0
    active, residual, _ = _residual_sums(rows, where)
    _write_derivatives(rows, where, slopes, active, residual, gradient, hessian)
    return active


def step(
    k: Budget,
    temperature: float,
    slopes_of: Any,
    x: FloatArray,
    y_true: ArrayLike,
    w: FloatArray | None,
    state: Round | None,
    one_of_several: bool = False,
) -> tuple[np.ndarray, np.ndarray, Round]:
    """One boosting round; ``slopes_of`` gives the `Slopes` for a total weight."""
    rows = check_rows(k, x, y_true, w, state)
    start = None if state is None else state.where
    where = find(rows, temperature, start)
    active, residual, *seen = _residuals_and_labels(rows, where)
    if not rows.checked and seen != [rows.total, rows.positive, 0.0, 0.0]:
        # Labels or weights are not those of the last round: look again, trusting nothing.
        rows = check_rows(k, x, y_true, w)
        where = find(rows, temperature, start)
        active, residual, *seen = _residuals_and_labels(rows, where)
    if k is None and not one_of_several and not 0.0 < rows.mass < rows.total:
        raise one_class(0 if rows.mass <= 0.0 else 1)
    gradient, hessian = arrays_after(state, x.size)
    slopes = slopes_of(rows.total)
    if state is None:
        warn_if_all(rows.mass, rows.total, slopes)
    _write_derivatives(rows, where, slopes, active, residual, gradient, hessian)
    return gradient, hessian, Round(where, seen[0], seen[1], active, gradient, hessian)


def one_class(label: int) -> ValueError:
    """The error for training labels from which nothing can be learnt."""
    return ValueError(
        f"y_true must hold both classes, 0 and 1, when k is None; got only {label} (LightGBM fills in 0 when "
        "a data set has no label); pass the labels, or give k"
    )


def few_classes(found: list[int]) -> ValueError:
    """The error for training labels of several classes of which fewer than two have rows with weight."""
    return ValueError(
        "y_true must hold at least two classes (of rows with weight) when k is None; "
        f"got only {found}; pass the labels, or give k"
    )


def warn_if_all(mass: float, total: float, slopes: Slopes) -> None:
    """Say once a training that a count takes every row, so that no row has a gradient."""
    if mass >= total * (1.0 - check.ROUNDING) and not slopes.convex:
        warnings.warn(
            f"k takes all rows (total weight {total:g}), so that there is nothing to rank and no gradient to learn "
            "from; give a smaller count, or a float in (0, 1) for a share",
            UserWarning,
            stacklevel=2,
        )


def _write_derivatives(
    rows: Rows,
    where: Multiplier,
    slopes: Slopes,
    active: float,
    residual: float,
    gradient: np.ndarray,
    hessian: np.ndarray,
) -> None:
    share = slopes.own / active if active > 0.0 else 0.0
    _write_centred(rows, where, slopes, rows.mean(slopes, active, residual), share, gradient, hessian)


def _write_centred(
    rows: Rows,
    where: Multiplier,
    slopes: Slopes,
    mean: float,
    share: float,
    gradient: np.ndarray,
    hessian: np.ndarray,
) -> None:
    kernels.gradient(
        rows.x.size, rows.x, rows.y, rows.w, where.anchor, where.scale, where.nu,
        mean, share, slopes.slope, slopes.outer, slopes.bend, slopes.floor, gradient, hessian,
    )  # fmt: skip


def _residuals_and_labels(rows: Rows, where: Multiplier) -> tuple[float, ...]:
    """(Σ_A w, Σ_A w r, Σ w, Σ w y, rows with a wrong label, rows with a wrong weight)."""
    return _block_totals(
        kernels.residuals_and_labels, 6, rows.x.size, rows.x, rows.y, rows.w, where.anchor, where.scale, where.nu
    )


def _residual_sums(rows: Rows, where: Multiplier) -> tuple[float, float, float]:
    """(Σ_A w, Σ_A w r, Σ w r²)."""
    n = rows.x.size
    return _block_totals(  # type: ignore[return-value]
        kernels.residuals, 3, n, rows.x, rows.y, rows.w, where.anchor, where.scale, where.nu
    )


def _block_totals(kernel: Any, kinds: int, n: int, *arguments: Any) -> tuple[float, ...]:
    """Run a block kernel and add its partial sums up in block order."""
    out = np.empty((kinds, (n + BLOCK - 1) // BLOCK))
    kernel(n, *arguments, out)
    return tuple(out.sum(axis=1).tolist())
