"""One boosting round on a device: scores in, float32 gradient and curvature out, the same numbers as on the host."""

from __future__ import annotations

from typing import Any

import numpy as np

from hsboost import _validation as check
from hsboost._solver.search import Multiplier
from hsboost._solver.segments import Multipliers
from hsboost.cuda import _kernels as kernels
from hsboost.cuda._device import Device, grid
from hsboost.cuda._reducer import find
from hsboost.cuda._rows import DeviceRows, moved
from hsboost.losses import HypersimplexLoss
from hsboost.losses._euclidean import means
from hsboost.losses._passes import Slopes
from hsboost.losses._problems import check_label_array, check_learnable, warn_if_all
from hsboost.losses._rounds import Round


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
    found, active = [], np.zeros((outputs, 1))
    for c in range(outputs):
        one = _Output(device, rows, c, scores[c])
        where = one.find(float(mass[c, 0]), loss.temperature, None if last is None else last.where.row(c).at(0))
        active[c] = one.write(where, slopes, float(mass[c, 0]), both[0, c], both[1, c])
        found.append(Multipliers.of(where))
    device.finish()  # XGBoost uses its own stream
    offsets = np.array([0, scores.shape[1]], np.intp)
    state = Round(
        Multipliers.stack(found), total, positive, active, mass, rows.total, offsets, loss.k, rule, outputs > 1
    )
    return both[0], both[1], state


class _Output:
    """One column of scores, with the rows of its class as positives."""

    def __init__(self, device: Device, rows: DeviceRows, c: int, x: Any) -> None:
        self.device, self.rows, self.x = device, rows, x
        self.target, self.positive = rows.targets[c], rows.positives[c]
        self._grid = grid(device, int(x.size))
        view = device.view(x)
        weights = view if rows.w is None else device.view(rows.w)
        self._arrays = view, device.view(rows.y), weights, rows.w is not None, self.target

    def find(self, mass: float, temperature: float, start: Multiplier | None) -> Multiplier:
        """The multiplier of this output's projection."""
        return find(self.device, self.x, self.rows.w, mass, self.rows.total, temperature, start)[0]

    def write(self, where: Multiplier, slopes: Slopes, mass: float, gradient: Any, hessian: Any) -> float:
        """Gradient and curvature into the given arrays; returns the weight of the active rows."""
        out = self.device.empty((2, self._grid[0]), np.float64)
        place = where.anchor, where.scale, where.nu
        kernels.residuals[self._grid](*self._arrays, *place, self.device.view(out))
        active, residual = self.device.download(out).sum(axis=1).tolist()
        numbers = (np.array([one]) for one in (mass, self.rows.total, self.positive, active, residual))
        mean = float(means(slopes, *numbers)[0])
        kernels.gradient[self._grid](
            *self._arrays, *place, mean, slopes.own / active if active > 0.0 else 0.0,
            slopes.slope, slopes.outer, slopes.bend, slopes.floor,
            self.device.view(gradient), self.device.view(hessian),
        )  # fmt: skip
        return active
