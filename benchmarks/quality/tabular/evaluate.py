"""Metrics of raw scores: one definition for every loss, selection on validation, figures on test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.quality.tabular.adapters import FloatArray, IntArray, Loss
from benchmarks.suite.options import OptionError


@dataclass(frozen=True)
class Metric:
    """A column of the report: its key in a record, its headings (``brief`` for terminals), its better direction."""

    key: str
    label: str
    brief: str
    higher_is_better: bool = True


METRICS = (
    Metric("auc", "AUC", "AUC"),
    Metric("precision_1%", "P@1%", "P@1%"),
    Metric("precision_5%", "P@5%", "P@5%"),
    Metric("precision_10%", "P@10%", "P@10%"),
    Metric("precision_prevalence", "P@prevalence", "P@prev"),
    Metric("accuracy", "accuracy", "acc."),
    Metric("log_loss", "log loss", "logl.", higher_is_better=False),
)
ECE = Metric("calibration_error", "ECE", "ECE", higher_is_better=False)
#: Bins of the expected calibration error, with numbers of rows as equal as possible.
ECE_BINS = 15
SHARES = {"precision_1%": 0.01, "precision_5%": 0.05, "precision_10%": 0.1}
# The budgets of the curve: shares of the test rows, 0.1 % to all of them, evenly spaced on a logarithmic
# axis.
BUDGETS = tuple(float(share) for share in np.geomspace(0.001, 1.0, 31).round(6))
# With fewer rows a precision changes in steps of more than 10 % and a curve shows only noise.
FEWEST_ROWS = 10


def auc(y_true: IntArray, raw: FloatArray) -> float:
    """Area under the ROC curve of raw scores (n,) for 0/1 labels (n,); ties count one half.

    The same number as scikit-learn's roc_auc_score, several times faster: it runs after every boosting round.
    """
    positive, negative = np.sort(raw[y_true == 1]), np.sort(raw[y_true == 0])
    below = np.searchsorted(negative, positive, side="left").sum()
    below_or_tied = np.searchsorted(negative, positive, side="right").sum()
    return float((below + below_or_tied) / (2.0 * len(positive) * len(negative)))


def precision(y_true: IntArray, raw: FloatArray, share: float | None) -> float:
    """Precision among the top ``share`` of the rows; None takes as many rows as there are positives."""
    from hsboost import precision_at_k

    return float(precision_at_k(y_true, raw, len(y_true) if share == 1.0 else share))


def parse_selection(text: str) -> float | str | None:
    """Read --selection: "auc", None for precision at the prevalence, or the share of precision@<share>.

    The share may be written 0.05 or 5%. Raises OptionError for anything else.
    """
    name, _, at = text.strip().lower().partition("@")
    if name == "auc" and not at:
        return "auc"
    if name == "precision" and at in ("prevalence", "k"):
        return None
    try:
        share = float(at.removesuffix("%")) / (100.0 if at.endswith("%") else 1.0)
    except ValueError:
        share = float("nan")
    if name != "precision" or not 0.0 < share < 1.0:
        raise OptionError(
            f"--selection: unknown metric {text!r}; choose from: auc, precision@prevalence, "
            "precision@<share> with a share in (0, 1) such as precision@0.05 or precision@5%"
        )
    return share


def selection_score(selection: str, y_valid: IntArray) -> Callable[[FloatArray], float]:
    """Return the function of validation raw scores that early stopping maximises."""
    share = parse_selection(selection)
    if isinstance(share, str):
        return lambda raw: auc(y_valid, raw)
    return lambda raw: precision(y_valid, raw, share)


def accuracy_cut(y_true: IntArray, raw: FloatArray) -> float:
    """Find the cut with the highest accuracy of ``raw >= cut``; the lowest cut wins a tie.

    Cuts lie midway between neighbouring distinct scores, or beyond the ends (all positive, all negative).
    """
    order = np.argsort(raw, kind="stable")
    scores, labels = raw[order], y_true[order]
    # Correct rows when the first j sorted rows are called negative: negatives among them, positives after
    # them.
    negatives = np.concatenate([[0], np.cumsum(labels == 0)])
    positives = np.concatenate([[0], np.cumsum(labels == 1)])
    correct = negatives + positives[-1] - positives
    allowed = np.concatenate([[True], scores[1:] > scores[:-1], [True]])
    j = int(np.argmax(np.where(allowed, correct, -1)))
    if j in (0, len(scores)):
        return -np.inf if j == 0 else np.inf
    # Halves first, so that the midpoint of two huge scores cannot overflow.
    middle = float(scores[j - 1] / 2 + scores[j] / 2)
    return middle if middle > scores[j - 1] else float(scores[j])


def calibrated(y_valid: IntArray, raw_valid: FloatArray, raw_test: FloatArray) -> FloatArray:
    """Turn test scores into probabilities by isotonic regression on validation, for every loss alike.

    Isotonic regression depends only on the order of the scores, so no loss gains by the shape of its scores.
    Probabilities are clipped to [1/(n+2), (n+1)/(n+2)]: n validation rows do not support more certainty (Laplace's
    rule).
    """
    from sklearn.isotonic import IsotonicRegression

    edge = 1.0 / (len(y_valid) + 2.0)
    model = IsotonicRegression(y_min=edge, y_max=1.0 - edge, out_of_bounds="clip")
    return np.asarray(model.fit(raw_valid, y_valid).predict(raw_test), dtype=np.float64)


def calibration_bins(probabilities: FloatArray) -> IntArray:
    """Bin probabilities (n,) into at most ECE_BINS bins of equal counts; equal probabilities share a bin."""
    edges = np.unique(np.quantile(probabilities, np.linspace(0.0, 1.0, ECE_BINS + 1)[1:-1]))
    return np.searchsorted(edges, probabilities, side="right")


def calibration_error(y_true: IntArray, probabilities: FloatArray) -> float:
    """Expected calibration error: distance of probabilities and frequencies, averaged over bins by their rows."""
    gaps = np.bincount(calibration_bins(probabilities), probabilities - y_true)
    return float(np.abs(gaps).sum() / len(y_true))


def evaluate(
    loss: Loss, y_valid: IntArray, raw_valid: FloatArray, y_test: IntArray, raw_test: FloatArray
) -> dict[str, Any]:
    """Compute every figure of one run on test; validation is used only to choose the cut and to calibrate.

    Returns the keys of METRICS and ECE, ``own_log_loss`` (of the loss's own probabilities, None where it has none)
    and ``curve``, the precision at each of BUDGETS.
    """
    from sklearn.metrics import log_loss

    own = loss.probabilities(raw_test)
    probabilities = calibrated(y_valid, raw_valid, raw_test)
    shares = {key: precision(y_test, raw_test, share) for key, share in SHARES.items()}
    return shares | {
        "auc": auc(y_test, raw_test),
        "precision_prevalence": precision(y_test, raw_test, None),
        "accuracy": float(np.mean((raw_test >= accuracy_cut(y_valid, raw_valid)) == y_test)),
        "log_loss": float(log_loss(y_test, probabilities, labels=[0, 1])),
        "calibration_error": calibration_error(y_test, probabilities),
        "own_log_loss": None if own is None else float(log_loss(y_test, own, labels=[0, 1])),
        "curve": [
            precision(y_test, raw_test, share) if share * len(y_test) >= FEWEST_ROWS else None for share in BUDGETS
        ],
    }
