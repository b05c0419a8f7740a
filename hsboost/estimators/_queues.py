"""The top k of the rows that any model scores."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from hsboost._solver.segments import Segments
from hsboost._validation import Budgets
from hsboost.estimators import _top_k
from hsboost.estimators._inputs import labels
from hsboost.estimators._responses import inner, method_of, response

_REMEDY = "pass a classifier, a pipeline or a search that scores rows"


def top_k(
    estimator: Any,
    X: Any,
    k: Budgets = None,
    groups: ArrayLike | None = None,
    *,
    pos_label: Any = None,
    response_method: Literal["auto", "decision_function", "predict_proba"] = "auto",
) -> np.ndarray:
    """Which k rows to act on first, by any fitted model: a pipeline, a search, a rival, an HSClassifier.

    Parameters
    ----------
    estimator : fitted classifier, Pipeline, search
        ``decision_function`` is used if there is one, else ``predict_proba``.
    X : what the estimator takes, of n rows
    k : int, float in (0, 1), or a mapping, optional
        As for :meth:`hsboost.HSClassifier.predict_top_k`: a count (all rows where there are fewer), or a share of the
        rows; with ``groups`` of each group, or its own from a mapping of group labels, for more than two classes of
        each class. Default: the k of an HSClassifier inside.
    groups : array-like of shape (n,), optional
        Group of each row: each group has its own top k.
    pos_label : default None
        The class that is looked for. None: the ``pos_label_`` of an HSClassifier inside, else ``classes_[1]`` (with a
        warning where the two classes are texts); of more than two classes every one.
    response_method : {"auto", "decision_function", "predict_proba"}, default "auto"

    Returns
    -------
    ndarray of shape (n,), bool
        True for the chosen rows: ``X[top_k(model, X, 20)]`` is the queue. Ties go to the rows that come first.
    ndarray of shape (n, C), bool
        For more than two classes and no ``pos_label``: a column of marks per class, in the order of ``classes_``.

    Raises
    ------
    ValueError
        For an estimator without scores; for no k at all; for a group or class without a budget; without ``groups``
        where the HSClassifier inside was trained with them.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from hsboost import top_k
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> rival = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    >>> int(top_k(rival, X, 20).sum())
    20
    """
    if pos_label is None and response_method == "auto" and hasattr(estimator, "predict_top_k"):
        found: np.ndarray = estimator.predict_top_k(X, k, groups, return_mask=True)
        return found
    name = method_of(estimator, response_method, _REMEDY)
    if groups is None and inner(estimator, "group_thresholds_", None) is not None:
        raise _top_k.needs_groups()
    if k is None:
        k = inner(estimator, "k", None)
    classes = np.asarray(getattr(estimator, "classes_", [0, 1]))
    if pos_label is None and classes.size > 2:
        scores = np.asarray(getattr(estimator, name)(X))
    else:
        chosen = inner(estimator, "pos_label_", None) if pos_label is None else pos_label
        if chosen is None:
            classes = labels.numbered(classes, None)
        scores, label = response(estimator, X, chosen, response_method, _REMEDY)
        classes = np.array([classes[classes != label][0], label], dtype=classes.dtype)
    segments = None if groups is None else Segments.by_label(groups, scores.shape[0], "X")
    budgets = _top_k.budgets(k, classes, groups is not None)
    if scores.ndim == 1:
        return _top_k.top(scores, budgets[0], segments)
    return np.column_stack([_top_k.top(one, b, segments) for one, b in zip(scores.T, budgets, strict=True)])
