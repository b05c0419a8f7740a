"""One boosting round on a device: scores in, float32 gradient and curvature out, the same numbers as on the host."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from hsboost import _validation as check
from hsboost._solver.search import Multiplier
from hsboost._solver.segments import Multipliers
from hsboost.cuda import _entropic, _reducer
from hsboost.cuda import _entropic_kernels as entropic_kernels
from hsboost.cuda import _kernels as kernels
from hsboost.cuda._device import Device, grid
from hsboost.cuda._rows import DeviceRows, moved
from hsboost.losses import HypersimplexLoss
from hsboost.losses import _entropic as _entropic_loss
from hsboost.losses._euclidean import means
from hsboost.losses._passes import Slopes, Sums, Totals
from hsboost.losses._problems import check_label_array, check_learnable, warn_if_all
from hsboost.losses._rounds import Round
from hsboost.losses._windowed import Windowed


def boosting_step(
    device: Device,
    loss: HypersimplexLoss,
    y_true: Any,
    raw: Any,
    weight: Any,
    state: Any,
    rows: DeviceRows | None,
) -> tuple[Any, Any, Any, DeviceRows]:
    """`HypersimplexLoss.boosting_step` without groups on a device; also returns the rows to pass in the next round.

    ``state`` and the returned state are those of the host's path (without arrays), so that a training may switch
    between the two.
    """
    x = check.check_score_columns(raw, "raw_prediction")
    w = check.check_weight(weight, x.shape[0], "raw_prediction")
    labels = np.ascontiguousarray(check_label_array(y_true, x.shape[0]))
    outputs = 1 if x.ndim == 1 else x.shape[1]
    last = state if isinstance(state, Round) and state.is_of(loss, x, None) else None
    with device.current():
        if rows is None or not rows.holds(device, labels, w, outputs):
            rows = moved(device, x, labels, w, outputs)
        rows.scores = device.upload(x if x.ndim == 1 else x.T, rows.scores)
        try:
            gradient, hessian, ended = passes(device, loss, rows, last)
        except FloatingPointError:
            raise check.not_finite(x, "raw_prediction") from None
    return (*((gradient[0], hessian[0]) if x.ndim == 1 else (gradient.T, hessian.T)), ended, rows)


def passes(device: Device, loss: HypersimplexLoss, rows: DeviceRows, last: Round | None) -> tuple[Any, Any, Round]:
    """One round for the scores stored in ``rows``: gradient and curvature of shape (outputs, n), and the state.

    Raises FloatingPointError when a score is not finite.
    """
    outputs = len(rows.targets)
    total, positive = np.array([rows.total]), np.array(rows.positives)[:, None]
    rule = check.BudgetRule.of_problems(loss.k, outputs, None)
    mass = rule.masses(total, positive)
    check_learnable(loss.k, total, positive, mass)
    slopes = loss.boosting_slopes(rows.total)
    if last is None and not slopes.convex:
        warn_if_all(mass, total)
    scores = rows.scores.reshape(outputs, -1)
    both = device.empty((2, *scores.shape), np.float32)
    find, write = _SEARCHES[loss.passes.REGULARIZATION], _writer(loss)
    columns, found = [_Output(device, rows, c, scores[c]) for c in range(outputs)], []
    for c, one in enumerate(columns):
        start = None if last is None else last.where.row(c).at(0)
        found.append(find(device, one.x, rows.w, float(mass[c, 0]), rows.total, loss.temperature, start)[0])
    totals = Totals(mass, total, positive)
    active = write(columns, found, slopes, totals, both)
    device.finish()  # XGBoost uses its own stream
    offsets = np.array([0, scores.shape[1]], np.intp)
    where = Multipliers.stack([Multipliers.of(one) for one in found])
    state = Round(where, totals, active, rows.total, offsets, loss.k, rule, outputs > 1)
    return both[0], both[1], state


class _Output:
    """One column of scores, with the rows of its class as positives."""

    def __init__(self, device: Device, rows: DeviceRows, c: int, x: Any) -> None:
        self.device, self.x = device, x
        self.grid = grid(device, int(x.size))
        view = device.view(x)
        weights = view if rows.w is None else device.view(rows.w)
        #: The first arguments of the kernels.
        self.arrays = view, device.view(rows.y), weights, rows.w is not None, rows.targets[c]

    def sums(self, kernel: Any, kinds: int, where: Multiplier, *numbers: float) -> list[float]:
        """The sums of a pass over the residuals."""
        out = self.device.empty((kinds, self.grid[0]), np.float64)
        kernel[self.grid](*self.arrays, where.anchor, where.scale, where.nu, *numbers, self.device.view(out))
        found: list[float] = self.device.download(out).sum(axis=1).tolist()
        return found

    def write(self, kernel: Any, where: Multiplier, numbers: Any, gradient: Any, hessian: Any) -> None:
        """Run the pass that writes gradient and curvature."""
        outputs = self.device.view(gradient), self.device.view(hessian)
        kernel[self.grid](*self.arrays, where.anchor, where.scale, where.nu, *numbers, *outputs)


def _writer(loss: HypersimplexLoss) -> Any:
    """What writes the derivatives of a loss."""
    if isinstance(loss.passes, Windowed):
        return partial(_write_windowed, loss.passes)
    return {"euclidean": _write_euclidean, "entropic": _write_entropic}[loss.passes.REGULARIZATION]


def _write_euclidean(
    columns: list[_Output],
    found: list[Multiplier],
    slopes: Slopes,
    totals: Totals,
    both: Any,
) -> np.ndarray:
    """Gradient and curvature of all columns into ``both`` (2, C, n); returns the weight of the active rows (C, 1)."""
    sums = [one.sums(kernels.residuals, 2, where) for one, where in zip(columns, found, strict=True)]
    active, residual = np.array(sums).T[:, :, None]
    mean = means(slopes, totals, active, residual)
    own = np.divide(slopes.own, active, out=np.zeros_like(active), where=active > 0.0)
    scales = slopes.slope, slopes.outer, slopes.bend, slopes.floor
    for c, (one, where) in enumerate(zip(columns, found, strict=True)):
        one.write(kernels.gradient, where, (mean.item(c), own.item(c), *scales), both[0, c], both[1, c])
    return active


def _write_entropic(
    columns: list[_Output],
    found: list[Multiplier],
    slopes: Slopes,
    totals: Totals,
    both: Any,
) -> np.ndarray:
    """As `_write_euclidean`; returns Σ w 4 d (C, 1). How derivatives are scaled is the loss's own rule, `numbers`."""
    known = _edge_sums(columns, found, soft=1.0)
    per_problem, scales = _entropic_loss.numbers(slopes, known, totals)
    kernel = entropic_kernels.convex_gradient if slopes.convex else entropic_kernels.gradient
    for c, (one, where) in enumerate(zip(columns, found, strict=True)):
        one.write(kernel, where, (*(part.item(c, 0) for part in per_problem), *scales), both[0, c], both[1, c])
    return known.active


def _write_windowed(
    window: Windowed,
    columns: list[_Output],
    found: list[Multiplier],
    slopes: Slopes,
    totals: Totals,
    both: Any,
) -> np.ndarray:
    """As `_write_entropic`, of log loss under a window: how rows count is the loss's own rule, `weights`."""
    known = _edge_sums(columns, found, soft=0.0)
    base, peak = window.weights(known, float(totals.total.sum()), slopes.levelled)
    for c, (one, where) in enumerate(zip(columns, found, strict=True)):
        numbers = base.item(c), peak.item(c), slopes.floor
        one.write(entropic_kernels.windowed_gradient, where, numbers, both[0, c], both[1, c])
    return known.active


def _edge_sums(columns: list[_Output], found: list[Multiplier], soft: float) -> Sums:
    """4 Σ w d, Σ w d (soft ŷ - y), Σ w d² of every column (C, 1)."""
    sums = [one.sums(entropic_kernels.residuals, 3, where, soft) for one, where in zip(columns, found, strict=True)]
    slope, residual, square = np.array(sums).T[:, :, None]
    return Sums(4.0 * slope, residual, square)


#: The search of each projection.
_SEARCHES: dict[str, Any] = {"euclidean": _reducer.find, "entropic": _entropic.find}
