"""One boosting round on a device: scores in, float32 gradient and curvature out, the same numbers as on the host."""

from __future__ import annotations

from typing import Any

import numpy as np

from hsboost import _validation as check
from hsboost._solver.search import Multiplier
from hsboost.cuda import _kernels as kernels
from hsboost.cuda._device import Device, grid
from hsboost.cuda._reducer import find
from hsboost.cuda._rows import DeviceRows, moved
from hsboost.losses import HypersimplexLoss, _single
from hsboost.losses._single import Round, Slopes


def boosting_step(
    device: Device,
    loss: HypersimplexLoss,
    y_true: Any,
    raw: Any,
    weight: Any,
    state: Any,
    rows: DeviceRows | None,
) -> tuple[Any, Any, Any, DeviceRows]:
    """`HypersimplexLoss.boosting_step` without groups on a device; also the rows to hand in for the next round.

    ``state`` and the state returned are those of the host's path (without arrays), so that a training may change from
    one to the other.
    """
    x = check.check_score_columns(raw, "raw_prediction")
    w = check.check_weight(weight, x.shape[0], "raw_prediction")
    labels = np.ascontiguousarray(_single.check_label_array(y_true, x.shape[0]))
    outputs = 1 if x.ndim == 1 else x.shape[1]
    states = state if type(state) is tuple else (state,)
    if len(states) != outputs or not all(isinstance(one, Round) for one in states):
        states = (None,) * outputs
    with device.current():
        if rows is None or not rows.holds(device, labels, w, outputs):
            rows = moved(device, x, labels, w, outputs)
        _check_classes(loss, rows)
        rows.scores = device.upload(x if x.ndim == 1 else x.T, rows.scores)
        try:
            gradient, hessian, rounds = passes(device, loss, rows, states)
        except FloatingPointError:
            raise check.not_finite(x, "raw_prediction") from None
    return (*((gradient[0], hessian[0], rounds[0]) if x.ndim == 1 else (gradient.T, hessian.T, rounds)), rows)


def passes(
    device: Device, loss: HypersimplexLoss, rows: DeviceRows, states: tuple[Round | None, ...]
) -> tuple[Any, Any, tuple[Round, ...]]:
    """The round of scores that are in ``rows`` already: gradient and curvature of shape (outputs, n), and states.

    Raises FloatingPointError when a score is not finite.
    """
    outputs = len(rows.targets)
    budgets = [loss.k] if outputs == 1 else check.class_budgets(loss.k, outputs)
    scores = rows.scores.reshape(outputs, -1)
    both = device.empty((2, *scores.shape), np.float32)
    rounds = []
    for c in range(outputs):
        one, last = _Output(device, rows, c, scores[c]), states[c]
        where = one.find(check.single_budget(budgets[c]), loss.temperature, None if last is None else last.where)
        slopes = loss._boosting_slopes(rows.total)
        if last is None:
            _single.warn_if_all(one.mass, rows.total, slopes)
        active = one.write(where, slopes, both[0, c], both[1, c])
        rounds.append(Round(where, rows.total, rows.positives[c], active, None, None))
    device.finish()  # XGBoost works on a stream of its own
    return both[0], both[1], tuple(rounds)


def _check_classes(loss: HypersimplexLoss, rows: DeviceRows) -> None:
    """With k from the labels, labels from which nothing can be learnt are an error, as on the host."""
    if loss.k is not None:
        return
    if len(rows.targets) == 1:
        if not 0.0 < rows.positives[0] < rows.total:
            raise _single.one_class(0 if rows.positives[0] <= 0.0 else 1)
        return
    some = [c for c, positive in enumerate(rows.positives) if positive > 0.0]
    if len(some) < 2:
        raise _single.few_classes(some)


class _Output:
    """One column of scores against the rows whose label is its class."""

    def __init__(self, device: Device, rows: DeviceRows, c: int, x: Any) -> None:
        self.device, self.rows, self.x = device, rows, x
        self.target, self.positive = rows.targets[c], rows.positives[c]
        self.mass = 0.0
        self._grid = grid(device, int(x.size))
        view = device.view(x)
        weights = view if rows.w is None else device.view(rows.w)
        self._arrays = view, device.view(rows.y), weights, rows.w is not None, self.target

    def find(self, k: check.Budget, temperature: float, start: Multiplier | None) -> Multiplier:
        """Where the rows are cut."""
        rows = self.rows
        self.mass = check.budget_mass(k, rows.total, self.positive)
        return find(self.device, self.x, rows.w, self.mass, rows.total, temperature, start)[0]

    def write(self, where: Multiplier, slopes: Slopes, gradient: Any, hessian: Any) -> float:
        """Gradient and curvature into the given arrays; returns the weight of the active rows."""
        out = self.device.empty((2, self._grid[0]), np.float64)
        place = where.anchor, where.scale, where.nu
        kernels.residuals[self._grid](*self._arrays, *place, self.device.view(out))
        active, residual = self.device.download(out).sum(axis=1).tolist()
        labels = self.rows.labels  # in the place of arrays that a mean of sums does not look at
        mean = _single.Rows(labels, labels, None, self.rows.total, self.positive, self.mass).mean(
            slopes, active, residual
        )
        kernels.gradient[self._grid](
            *self._arrays, *place, mean, slopes.own / active if active > 0.0 else 0.0,
            slopes.slope, slopes.outer, slopes.bend, slopes.floor,
            self.device.view(gradient), self.device.view(hessian),
        )  # fmt: skip
        return active
