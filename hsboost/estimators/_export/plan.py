"""The content of a file: the trees' scores times a factor plus a shift, a link, and the cut.

With trees' scores t, HSClassifier computes unit · t + offset - threshold, and a sigmoid calibrator is linear in that.
So decisions and probabilities are both a link of ``factor · t + shift``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from hsboost.estimators._calibration import Sigmoid

Link = Literal["identity", "sigmoid", "softmax", "each"]


@dataclass(frozen=True)
class Plan:
    """The margin ``factor · t + shift`` of trees' scores t, its link, and the margin above which a row is positive.

    ``factor`` and ``shift`` have one entry per output. ``link`` is ``"each"`` for a sigmoid per class, scaled to sum
    to 1. ``cut`` is None for several classes: the highest margin wins, or, with ``"each"``, the highest decision.
    """

    output: Literal["decision", "probability"]
    factor: np.ndarray
    shift: np.ndarray
    link: Link
    cut: float | None

    def margin(self, scores: np.ndarray) -> np.ndarray:
        """Margins (n, C) of trees' scores (n,) or (n, C)."""
        return self.factor * scores.reshape(len(scores), -1) + self.shift

    def linked(self, margin: np.ndarray) -> np.ndarray:
        """Outputs (n, C) of margins; of two classes' probabilities the positive one's."""
        if self.link == "identity":
            return margin
        if self.link == "softmax":
            powers = np.exp(margin - margin.max(axis=1, keepdims=True))
            return np.asarray(powers / powers.sum(axis=1, keepdims=True))
        return np.exp(-np.logaddexp(0.0, -margin))

    def output_cut(self) -> float | None:
        """The cut in terms of the output."""
        return None if self.cut is None else float(self.linked(np.array([[self.cut]]))[0, 0])


def of(model: Any, output: str | None) -> Plan:
    """The plan for a file of ``model``; ``output`` None: probabilities where they are what the model is for.

    That is with a calibrator, or where its loss has probabilities and no budget: the top of a list is decided by cuts.

    Raises
    ------
    ValueError
        Where the model has no probabilities, or none that are a link of a line in the scores.
    """
    if output not in (None, "decision", "probability"):
        raise ValueError(f"output must be 'decision', 'probability' or None, got {output!r}")
    has = model.calibration is not None or model._own_probabilities()
    if output == "probability" and not has:
        raise ValueError(
            "output='probability': this model has none, as raw scores of its loss are no probabilities; pass "
            "output='decision', or train with calibration='sigmoid'"
        )
    budget_alone = model.calibration is None and model.objective_.loss.has_budget
    if output == "decision" or not has or (output is None and budget_alone):
        return decisions(model)
    return _calibrated(model) if model.calibration is not None else _own(model)


def _arrays(model: Any, factor: Any, shift: Any) -> tuple[np.ndarray, np.ndarray]:
    n_outputs = 1 if model.classes_.size == 2 else model.classes_.size
    return tuple(np.broadcast_to(np.asarray(one, dtype=np.float64), (n_outputs,)) for one in (factor, shift))  # type: ignore[return-value]


def _sign(model: Any) -> float:
    """-1 where the trees score the first of two classes: ``decision_function`` is above 0 for the second."""
    return -1.0 if model._is_turned() else 1.0


def _shift(model: Any) -> Any:
    """What is added to raw scores of the positive class, or of each class, to make 0 the cut."""
    offset = model.objective_.offset
    return (0.0 if offset is None else np.asarray(offset)) - np.asarray(model.threshold_)


def decisions(model: Any) -> Plan:
    """``decision_function``: 0 is the cut."""
    sign = _sign(model)
    factor, shift = _arrays(model, sign * model.objective_.unit, sign * _shift(model))
    return Plan("decision", factor, shift, "identity", 0.0 if model.classes_.size == 2 else None)


def _own(model: Any) -> Plan:
    """The loss's own probabilities, if they are a sigmoid or softmax of the raw scores."""
    loss, several = model.objective_.loss, model.classes_.size > 2
    offset = model.objective_.offset
    sign = _sign(model)
    factor, shift = _arrays(model, sign * model.objective_.unit, 0.0 if offset is None else sign * np.asarray(offset))
    link: Link = "softmax" if several else "sigmoid"
    plan = Plan("probability", factor, shift, link, None if several else sign * float(model.threshold_))
    # Recognised by its values, so that losses of the user's own count, too.
    tried = np.linspace(-8.0, 8.0, 33)
    tried = tried[:, None] * np.cos(np.arange(model.classes_.size)) if several else tried
    found = loss.probabilities(tried)
    wanted = plan.linked(tried.reshape(33, -1))
    if not np.allclose(found if several else found[:, 1:], wanted, rtol=0.0, atol=1e-12):
        raise ValueError(
            f"output='probability': the probabilities of {loss!r} are no sigmoid or softmax of its scores, which is "
            "all that these formats know; pass output='decision', or train with calibration='sigmoid'"
        )
    if several and np.ptp(model.threshold_) > 0.0:
        raise ValueError(
            "output='probability': the classes have thresholds of their own, so the most probable class is not the "
            "one that predict chooses; pass output='decision'"
        )
    return plan


def _calibrated(model: Any) -> Plan:
    calibrators = model.calibrators_
    if not all(isinstance(one, Sigmoid) for one in calibrators):
        raise ValueError(
            f"calibration={model.calibration!r} is no line in the scores and does not fold into trees; train with "
            "calibration='sigmoid', or pass output='decision'"
        )
    slope = np.array([one.slope for one in calibrators])
    intercept = np.array([one.intercept for one in calibrators])
    several = model.classes_.size > 2
    if not several and not slope[0] > 0.0:
        raise ValueError(
            f"the sigmoid calibrator does not rise with the score (slope {slope[0]:.3g}), so no cut of its "
            "probabilities gives the decisions; pass output='decision', or calibrate on more rows"
        )
    # Calibrators see decisions in units of the trees.
    sign = _sign(model)
    _, shift = _arrays(model, 1.0, sign * (slope * (_shift(model) / model.objective_.unit) + intercept))
    cut = None if several else sign * float(intercept[0])
    return Plan("probability", sign * slope, shift, "each" if several else "sigmoid", cut)
