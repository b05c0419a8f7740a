"""Precision and recall of the k highest scores, and the area under the ROC curve, as metrics of both boosters."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import UndefinedMetricWarning

from hsboost import _stack
from hsboost import _validation as check
from hsboost._boosting import dmatrix
from hsboost._boosting.dataset_groups import (
    ROW_FIELD,
    check_name,
    labels_of_rows,
    query_groups,
    row_codes,
    row_weights,
    several_workers,
)
from hsboost._boosting.lightgbm_workers import refuse_lightgbm_workers
from hsboost._kernels import top
from hsboost._kernels._compile import as_input
from hsboost._solver.segments import Segments
from hsboost._solver.top_k import last_score
from hsboost._validation import Budgets, FloatArray
from hsboost._workers import communicator, metrics


def precision_at_k(
    y_true: ArrayLike,
    y_score: ArrayLike,
    k: Budgets = None,
    *,
    sample_weight: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    pos_label: Any = 1,
) -> float:
    """Of the k rows you would act on first, the share that is positive.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Labels; two values at most, ``pos_label`` one of them. With scores of shape (n, C): the classes 0 … C-1.
    y_score : array-like of shape (n,) or (n, C)
        Scores, higher first. Only their order counts. With a column per class each class has its own top k, and hits
        and budgets are added up over the classes (the micro average).
    k : None, int, float in (0, 1), or a mapping, default None
        None: as many rows as there are positives (precision = recall, the break-even point). int: a count, in units
        of weight; all rows (of a group) where there are fewer. float: a share of the total weight. With groups or
        classes each has that budget, or its own from a mapping of labels (with both, classes map to groups).
    sample_weight : array-like of shape (n,), optional
        Finite and >= 0. The top k is then the highest-scored rows of total weight k.
    groups : array-like of shape (n,), optional
        Label of each row's group: each group has its own top k, hits and budgets are added up.
    pos_label : default 1
        The label that counts as positive.

    Returns
    -------
    float
        In [0, 1]. Rows tied at the boundary share the remaining places evenly, so that the order of the rows never
        matters: constant scores give the prevalence. 0.0 with an ``UndefinedMetricWarning`` when k is 0.

    Raises
    ------
    ValueError
        For lengths that differ, non-finite scores, bad weights, or a mapping without a budget for some group or class.

    Examples
    --------
    >>> from hsboost import precision_at_k
    >>> precision_at_k([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1], k=1)
    1.0
    >>> precision_at_k([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1])
    0.5
    """
    hits, budget, _ = _hits_at_k(y_true, y_score, k, sample_weight, groups, pos_label)
    return _ratio(hits, budget, "Precision@k", "k is 0")


def recall_at_k(
    y_true: ArrayLike,
    y_score: ArrayLike,
    k: Budgets = None,
    *,
    sample_weight: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    pos_label: Any = 1,
) -> float:
    """Of all positives, the share found among the k rows you would act on first.

    Parameters
    ----------
    y_true, y_score, k, sample_weight, groups, pos_label
        As for :func:`precision_at_k`.

    Returns
    -------
    float
        In [0, 1]; 0.0 with an ``UndefinedMetricWarning`` when there are no positives.

    Examples
    --------
    >>> from hsboost import recall_at_k
    >>> recall_at_k([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1], k=3)
    1.0
    """
    hits, _, positives = _hits_at_k(y_true, y_score, k, sample_weight, groups, pos_label)
    return _ratio(hits, positives, "Recall@k", "there are no positive labels")


def _ratio(hits: float, of: float, name: str, why: str) -> float:
    if of <= 0.0:
        _stack.warn(f"{name} is undefined because {why}; 0.0 is returned.", UndefinedMetricWarning)
        return 0.0
    return min(hits / of, 1.0)  # sums of weights in different orders may differ in the last digit


def _hits_at_k(
    y_true: ArrayLike,
    y_score: ArrayLike,
    k: Budgets,
    sample_weight: ArrayLike | None,
    groups: ArrayLike | Segments | None,
    pos_label: Any,
    is_checked: bool = False,
) -> tuple[float, float, float]:
    """(weight of positives among the top k, k as a mass, weight of all positives), over groups and classes.

    ``is_checked``: k comes from `check_budgets`.
    """
    score = check.check_score_columns(y_score, "y_score")
    n = score.shape[0]
    if not np.isfinite(score).all():
        raise check.not_finite(score, "y_score")
    labels = np.asarray(y_true)
    check.check_same_length(labels, "y_true", n, "y_score")
    weight = check.check_weight(sample_weight, n, "y_score")
    if weight is not None:
        weight = check.checked_weight(weight)
    budgets = k if is_checked else check.check_budgets(k)
    if score.ndim == 1:
        positive = labels == pos_label
        _check_two_values(labels, positive, pos_label)
        problems = [(score, positive, budgets)]
    else:
        classes = check.check_classes(labels, n, score.shape[1])
        by_class = check.class_budgets(budgets, score.shape[1])
        problems = [(score[:, c], classes == c, budget) for c, budget in enumerate(by_class)]
    if groups is None or isinstance(groups, Segments):
        segments = groups
        if segments is not None and segments.n != n:
            raise check.wrong_groups(segments.n, n)
    else:
        segments = Segments.by_label(groups, n, "y_score")
    hits = np.array([_hits_of_one(*problem, weight, segments) for problem in problems])
    return tuple(hits.sum(axis=0).tolist())


def _hits_of_one(
    score: FloatArray, positive: np.ndarray, k: Budgets, weight: np.ndarray | None, segments: Segments | None
) -> tuple[float, float, float]:
    """`_hits_at_k` for one column of scores."""
    if segments is None:
        total, found = _weighed(positive, weight)
        return *_hits_among(score, positive, weight, check.budget_mass(check.single_budget(k), total, found)), found
    return _hits_of_groups(score, positive, k, weight, segments)


def _hits_of_groups(
    score: FloatArray, positive: np.ndarray, k: Budgets, weight: np.ndarray | None, segments: Segments
) -> tuple[float, float, float]:
    """`_hits_of_one`, added up over groups: small ones in one compiled pass."""
    score, hit = segments.sort(score), segments.sort(positive.astype(np.float32))
    weight = None if weight is None else segments.sort(weight)
    begins, sizes = segments.offsets[:-1], np.diff(segments.offsets)
    found = np.add.reduceat(hit.astype(np.float64) if weight is None else hit * weight, begins)
    total = sizes.astype(np.float64) if weight is None else np.add.reduceat(weight, begins)
    mass = check.BudgetRule.of(k, segments.labels).masses(total, found)
    hits = np.zeros(mass.size)
    if segments.small_rows:
        rows = as_input(score), hit, weight
        top.hits(segments.small_rows, *rows, segments.offsets, segments.tasks, mass, hits)
    by_numpy = sizes > (top.MOST_ROWS if segments.small_rows else 0)
    for g in np.flatnonzero(by_numpy).tolist():
        at = segments.slice(g)
        hits[g], _ = _hits_among(score[at], hit[at] > 0.0, None if weight is None else weight[at], float(mass[g]))
    taken = np.stack([hits, mass], axis=1).sum(axis=0)
    return float(taken[0]), float(taken[1]), float(found.sum())


def _weighed(positive: np.ndarray, weight: np.ndarray | None) -> tuple[float, float]:
    """Σ w, and the part of it in the positives."""
    if weight is None:
        return float(positive.size), float(positive.sum())
    return float(weight.sum()), float(weight[positive].sum())


def _hits_among(score: FloatArray, positive: np.ndarray, weight: np.ndarray | None, mass: float) -> tuple[float, float]:
    """(weight of positives among the top ``mass``, mass)."""
    if mass <= 0.0:
        return 0.0, 0.0
    last = last_score(score, weight, mass)
    above, tied = score > last, score == last
    if weight is None:
        left = mass - float(above.sum())
        return float((above & positive).sum()) + left * float((tied & positive).sum()) / float(tied.sum()), mass
    left = mass - float(weight[above].sum())
    tied_weight = float(weight[tied].sum())
    share = min(max(left / tied_weight, 0.0), 1.0) if tied_weight > 0.0 else 0.0
    return float(weight[above & positive].sum()) + share * float(weight[tied & positive].sum()), mass


def _called_by_lightgbm() -> bool:
    """Whether the metric is called by LightGBM's scikit-learn wrapper itself."""
    return sys._getframe(2).f_globals.get("__name__") == "lightgbm.sklearn"


def _check_two_values(labels: np.ndarray, positive: np.ndarray, pos_label: Any) -> None:
    rest = labels[~positive]
    if rest.size and not bool(np.all(rest == rest[0])):
        raise ValueError(
            f"y_true must hold two values, pos_label={pos_label!r} and one other; got {rest[0]!r} and others besides; "
            "pass (y_true == your_label) instead"
        )


class _Metric(ABC):
    """Base of the metric objects: the call signatures of both boosters, and one value for all workers.

    Subclasses compute the value for rows in one process, and for rows that are distributed over XGBoost's workers.
    """

    __name__: str

    @abstractmethod
    def _value(self, y_true: Any, y_score: Any, sample_weight: Any, data: Any) -> float:
        """The value when this process holds all rows."""

    @abstractmethod
    def _value_of_all(self, workers: communicator.Workers, y: Any, score: Any, weight: Any, data: Any) -> float:
        """The value over all workers' rows; every worker passes its own rows."""

    def _measure(self, y_true: Any, y_score: Any, sample_weight: Any, data: Any) -> float:
        refuse_lightgbm_workers(data, self.__name__)
        workers = communicator.workers()
        if workers is None:
            return self._value(y_true, y_score, sample_weight, data)
        return self._value_of_all(workers, y_true, y_score, sample_weight, data)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: ArrayLike | None = None) -> Any:
        """(name, value) for a DMatrix, (name, value, True) for a LightGBM Dataset, the value for two arrays.

        LightGBM's scikit-learn wrapper also passes two arrays, but expects a triple: it gets (name, value, True).
        """
        if not hasattr(y_pred, "get_label"):
            if _called_by_lightgbm():
                return self.lightgbm(y_true, y_pred, sample_weight)
            return self._measure(y_true, y_pred, sample_weight, None)
        raw, data, copy = y_true, y_pred, not dmatrix.is_ours(self)
        value = self._measure(dmatrix.read(data, "label", copy), raw, row_weights(data, len(raw), copy), data)
        if hasattr(data, "num_col"):  # xgboost.DMatrix
            return self.__name__, value
        return self.__name__, value, True

    def lightgbm(self, y_true: Any, y_pred: Any, sample_weight: ArrayLike | None = None) -> tuple[str, float, bool]:
        """(name, value, True), the form LightGBM expects, whatever the caller."""
        return self.__name__, self._measure(y_true, y_pred, sample_weight, None), True


class PrecisionAtK(_Metric):
    """Watch precision@k on evaluation data, and stop early on it, in XGBoost and LightGBM.

    ``xgb.train(..., custom_metric=PrecisionAtK(0.05))`` (XGBoost maximises it by itself, as its name begins with
    "pre"), ``lgb.train(..., feval=PrecisionAtK(0.05))``, ``XGBClassifier(eval_metric=PrecisionAtK(0.05))`` and
    ``LGBMClassifier().fit(..., eval_metric=PrecisionAtK(0.05))`` all take the same object. Weights of the evaluation
    data are used: one per row or, as XGBoost keeps them with ``qid``, one per query group.

    In distributed XGBoost training (``xgboost.dask``, Ray Train) the value is that of all workers' rows together, and
    every worker gets it; XGBoost would average the workers' own values.

    Parameters
    ----------
    k : None, int, float in (0, 1), or a mapping, default None
        As for :func:`precision_at_k`; a float suits evaluation sets of different sizes.
    groups : None, "dataset", "label_lower_bound" or array-like of shape (n,), default None
        Groups of the evaluation rows, for a budget per group. An array: for evaluation data with that many rows only,
        all in one place (of a LightGBM subset, such as a fold of ``lgb.cv``: the labels of all rows that it was taken
        from). ``"dataset"``: the query groups of the ``DMatrix`` or ``Dataset`` that the metric is called on.
        ``"label_lower_bound"``: numbers in that field of the ``DMatrix``, which every worker's rows carry with them.
        Both as for :class:`hsboost.HypersimplexObjective`; a mapping k then goes from these numbers.

    Notes
    -----
    The two scikit-learn wrappers call a metric with the same arguments and expect different return values: a number,
    and a (name, value, is_higher_better) triple. The metric recognises LightGBM's wrapper by the calling module. If
    you wrap the metric in a function of your own, call :meth:`lightgbm` for the triple.
    """

    _function = staticmethod(precision_at_k)
    _stem = "precision"

    def __init__(
        self, k: Budgets = None, groups: ArrayLike | Literal["dataset", "label_lower_bound"] | None = None
    ) -> None:
        check_name(groups)
        self.k = check.check_budgets(k)
        self.groups = groups
        self._segments: Segments | None = None
        each = "budgets" if isinstance(k, Mapping) else "positives" if k is None else k
        self.__name__ = f"{self._stem}@{each}"

    def __repr__(self) -> str:
        groups = repr(self.groups) if isinstance(self.groups, str) else "…"
        return f"{type(self).__name__}(k={self.k!r}{'' if self.groups is None else f', groups={groups}'})"

    def _value(self, y_true: Any, y_score: Any, sample_weight: Any, data: Any) -> float:
        groups: Any = self.groups
        if isinstance(groups, str) and groups == "dataset":
            groups = query_groups(data, self.k, 1 if np.ndim(y_score) == 1 else np.shape(y_score)[1])
        elif isinstance(groups, str):
            groups = row_codes(data)
        elif groups is not None:
            if self._segments is None:  # found once for all rounds
                self._segments = Segments.by_label(groups)
            if getattr(data, "used_indices", None) is not None:
                groups = labels_of_rows(self._segments, data)
            elif self._segments.n == len(y_score):
                groups = self._segments
        return self._ratio_of(*_hits_at_k(y_true, y_score, self.k, sample_weight, groups, 1, is_checked=True))

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_segments": None}

    def _value_of_all(self, workers: communicator.Workers, y: Any, score: Any, weight: Any, data: Any) -> float:
        if isinstance(self.groups, str) and self.groups == "dataset":
            raise several_workers()
        if self.groups is not None and not isinstance(self.groups, str):
            raise ValueError(
                f"groups describes {np.size(self.groups)} rows, but {workers.size} workers hold the rows here; give "
                f"the DMatrix the groups as numbers, label_lower_bound=, and the metric groups={ROW_FIELD!r}"
            )
        groups = None if self.groups is None else (lambda: row_codes(data))
        return self._ratio_of(*metrics.hits_at_k(workers, y, score, self.k, weight, groups))

    @staticmethod
    def _ratio_of(hits: float, budget: float, positives: float) -> float:
        return _ratio(hits, budget, "Precision@k", "k is 0")


class RecallAtK(PrecisionAtK):
    """Watch recall@k on evaluation data; parameters and behaviour are those of :class:`PrecisionAtK`.

    For a fixed k it ranks models as precision@k does. XGBoost minimises metrics whose names it does not know, so
    early stopping on this one needs ``EarlyStopping(..., maximize=True)``.
    """

    _function = staticmethod(recall_at_k)
    _stem = "recall"

    @staticmethod
    def _ratio_of(hits: float, budget: float, positives: float) -> float:
        return _ratio(hits, positives, "Recall@k", "there are no positive labels")


class DistributedAUC(_Metric):
    """Watch the exact area under the ROC curve over all rows, however many workers hold them.

    XGBoost's own ``"auc"`` averages the workers' areas in distributed training. This one counts every pair of a
    positive and a negative once, wherever they are: ``xgb.train(..., custom_metric=DistributedAUC())`` on one machine,
    in ``xgboost.dask`` and in Ray Train, and everywhere else that accepts :class:`PrecisionAtK`. Weights count, tied
    pairs count half. XGBoost maximises it by itself, as its name begins with "auc".

    Notes
    -----
    For one score per row and labels 0 and 1. NaN, with an ``UndefinedMetricWarning``, where positives or negatives
    are missing (as in scikit-learn).

    Workers exchange the scores of the rarer label only: each sends its distinct scores of that label to all others, in
    batches of at most 2**20 scores from all workers together, so that a batch takes at most 16 MiB on each of them.
    Rows with the other label are sorted on the worker that holds them. With a million positives among a billion rows
    that is 12 MB per evaluation; with a hundred million positives watch :class:`PrecisionAtK` instead.
    """

    __name__ = "auc_distributed"

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def _value(self, y_true: Any, y_score: Any, sample_weight: Any, data: Any) -> float:
        return _defined(metrics.roc_auc(None, y_true, y_score, sample_weight))

    def _value_of_all(self, workers: communicator.Workers, y: Any, score: Any, weight: Any, data: Any) -> float:
        return _defined(metrics.roc_auc(workers, y, score, weight))


def _defined(area: float) -> float:
    if np.isnan(area):
        _stack.warn(
            "The area under the ROC curve is undefined because positives or negatives are missing; NaN is returned.",
            UndefinedMetricWarning,
        )
    return area
