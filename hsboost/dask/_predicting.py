"""What a fitted DaskHSClassifier does: decide and rank rows where they are."""

from __future__ import annotations

import copy
import os
from abc import abstractmethod
from typing import Any

import dask.dataframe as dd
import distributed
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from hsboost import _validation as check
from hsboost._engines import rows as _rows
from hsboost._solver.segments import Segments
from hsboost._validation import Budgets
from hsboost._workers import radix
from hsboost.dask import _partitions as partitions
from hsboost.estimators import ExportResult, HSClassifier, _boosters, _top_k
from hsboost.estimators._boosters import named


def _has_probabilities(self: DaskPredictor) -> bool:
    grouped = hasattr(vars(self).get("local_"), "group_thresholds_")
    if self.calibration is None and not self._blank()._own_probabilities(grouped):
        raise AttributeError(
            f"raw scores of {self._blank()._scored()} are not probabilities; pass calibration='sigmoid' or 'isotonic' "
            "to DaskHSClassifier, and fit an eval_set, on whose rows they are fitted"
        )
    return True


def _of_local(name: str) -> Any:
    return property(lambda self: getattr(self.local_, name), doc=f"``{name}`` of the fitted HSClassifier.")


class DaskPredictor(ClassifierMixin, BaseEstimator):
    """The half of :class:`hsboost.dask.DaskHSClassifier` that does not train; ``local_`` is what was trained."""

    estimator: Any
    calibration: Any
    k: Budgets
    local_: HSClassifier
    _client: Any = None
    classes_, pos_label_, threshold_, group_thresholds_, n_features_in_, feature_names_in_ = map(
        _of_local, ("classes_", "pos_label_", "threshold_", "group_thresholds_", "n_features_in_", "feature_names_in_")
    )

    def set_params(self, **params: Any) -> Any:
        """Set parameters, those of the booster inside (``estimator__max_depth``) too, where it is given by its name.

        Returns
        -------
        self
        """
        return super().set_params(**named.with_booster(self.estimator, params))

    def decision_function(self, X: Any, groups: Any = None) -> Any:
        """Raw score minus the threshold, lazily: above 0 is ``classes_[1]``; of several classes the highest wins.

        Parameters
        ----------
        X : Dask array or data frame of shape (n_samples, n_features)
        groups : Dask array or series, optional
            Use each group's own threshold, if the model was trained with groups.

        Returns
        -------
        Dask array of shape (n_samples,) or (n_samples, C), float64; for data frames a series, or a data frame
        """
        return self._mapped("decision_function", X, groups, np.float64, self._columns())

    def predict(self, X: Any, groups: Any = None) -> Any:
        """Class of each row by itself, lazily; for exactly k positives use :meth:`predict_top_k`."""
        check_is_fitted(self, "local_")
        return self._mapped("predict", X, groups, self.classes_.dtype, None)

    @available_if(_has_probabilities)
    def predict_proba(self, X: Any) -> Any:
        """Probabilities of the classes, (n_samples, C), lazily: calibrated, or the loss's own."""
        check_is_fitted(self, "local_")
        return self._mapped("predict_proba", X, None, np.float64, self.classes_.size)

    def predict_top_k(self, X: Any, k: Budgets = None, groups: Any = None, *, return_mask: bool = False) -> Any:
        """Exactly k positives among all these rows, of each group, of each class; rows stay where they are.

        The k-th highest score is found at once, in three exchanges of sums (scores are kept on the cluster for it, 4
        bytes a row and class); the marks are a lazy collection.

        Parameters
        ----------
        X : Dask array or data frame of shape (n_samples, n_features)
        k, groups, return_mask
            As for :meth:`hsboost.HSClassifier.predict_top_k`, groups as a Dask collection.

        Returns
        -------
        Dask array or series of shape (n_samples,)
            Labels, or with ``return_mask`` bool. Ties go to the rows that come first.
        Dask array or data frame of shape (n_samples, C), bool
            For more than two classes: column c is true for the top rows of class c.
        """
        x, given = self._checked(X, groups)
        self.local_._check_grouped(groups)
        client = self._cluster()
        k = self.k if k is None else k
        labels = None
        if groups is not None:
            given = client.persist(given)
            seen = partitions.collect(client, partitions.each(_rows.labels_with, x, given))
            found_labels = [label for one in seen for label in one]
            labels = Segments.by_label(found_labels).labels if found_labels else None
        classes = self.local_._numbered()
        by_column = _top_k.budgets(k, classes, groups is not None)
        if groups is not None and labels is None:  # no rows, and no groups to have a budget
            given, by_column = [None] * len(x), [0] * len(by_column)
        index = None if labels is None else {label: g for g, label in enumerate(labels)}
        rows = client.persist(partitions.each(_rows.scored, x, given, shared=(self._shared(client), index)))
        n_groups = 1 if labels is None else max(len(labels), 1)
        parts = partitions.Partitions(client, rows)
        sizes = parts.sum((len(by_column), n_groups), _sizes, len(by_column) * n_groups)
        counts = np.concatenate(
            [_top_k.counts(b, size, labels) for b, size in zip(by_column, sizes, strict=True)]
        )  # fmt: skip
        found = radix.boundaries(parts, counts, np.float32, "scores")
        tied = np.array(partitions.collect(client, partitions.each(_rows.tied, rows, shared=(found.last,))))
        # Places left at the boundary go to the partitions in their order.
        before = np.cumsum(tied, axis=0) - tied
        places = np.clip((counts - found.above)[None, :] - before, 0, tied)
        columns = self._columns()
        call = partitions.each(_rows.mark, rows, [found.last] * len(rows), list(places), shared=(columns,))
        if columns is not None or return_mask:
            return partitions.like(X, call, np.bool_, columns)
        return partitions.like(X, partitions.each(_rows.named, call, shared=(classes,)), classes.dtype)

    def score(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> float:
        """Accuracy of :meth:`predict` on all rows together, with ``groups`` by each group's own threshold."""
        x, by_group = self._checked(X, groups)
        self._check_thresholds(groups)
        client = self._cluster()
        given = [
            [None] * len(x) if other is None else partitions.aligned(X, other, name)
            for other, name in ((y, "y"), (sample_weight, "sample_weight"))
        ]
        parts = partitions.each(_rows.right, x, *given, by_group, shared=(self._shared(client),))
        right, total = partitions.Partitions(client, parts).sum((2,), np.asarray)
        if sample_weight is None and total == 0:
            raise ValueError("X holds no rows, and accuracy is a share of them; pass at least one row")
        check.check_total_weight(float(total))
        return float(right / total)

    def to_local(self) -> HSClassifier:
        """The same model as an HSClassifier, to be saved, served and explained without a cluster."""
        check_is_fitted(self, "local_")
        return copy.deepcopy(self.local_)

    def export(self, path: str | os.PathLike[str], format: Any = None, **arguments: Any) -> ExportResult:
        """Write the model for another runtime on the client's machine: as :meth:`hsboost.HSClassifier.export`.

        ``rows=`` are rows in memory, not a Dask collection.
        """
        check_is_fitted(self, "local_")
        rows = arguments.get("rows")
        if hasattr(rows, "__dask_graph__"):
            raise TypeError(
                f"rows must be rows in memory, got a Dask {type(rows).__name__}; pass rows.head(1000) of a data frame, "
                "or rows[:1000].compute() of an array"
            )
        return self.local_.export(path, format, **arguments)

    @property
    def client(self) -> Any:
        """The cluster's client."""
        return distributed.get_client() if self._client is None else self._client

    @client.setter
    def client(self, client: Any) -> None:
        self._client = client

    @property
    def booster_(self) -> Any:
        """The native ``xgboost.Booster``."""
        check_is_fitted(self, "local_")
        return self.local_.booster_

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in super().__getstate__().items() if name != "_client"}

    @abstractmethod
    def _blank(self) -> HSClassifier:
        """An unfitted HSClassifier with these settings."""

    def _cluster(self) -> Any:
        client = self.client
        if client.asynchronous:
            raise ValueError("the Dask client is asynchronous; DaskHSClassifier needs Client(..., asynchronous=False)")
        return client

    def _shared(self, client: Any) -> Any:
        """The fitted model on the cluster."""
        return on_cluster(client, self.local_)

    def _checked(self, X: Any, groups: Any) -> tuple[list[Any], list[Any]]:
        """Partitions of X and of its groups."""
        check_is_fitted(self, "local_")
        x = partitions.pieces(X, "X")
        _boosters.check_columns(self.local_, head(X))
        return x, [None] * len(x) if groups is None else partitions.aligned(X, groups, "groups")

    def _mapped(self, method: str, X: Any, groups: Any, dtype: Any, columns: int | None) -> Any:
        """A method of the local model on every partition."""
        x, given = self._checked(X, groups)
        self._check_thresholds(groups)
        values = partitions.each(_rows.call, x, given, shared=(self._shared(self._cluster()), method))
        return partitions.like(X, values, dtype, columns)

    def _check_thresholds(self, groups: Any) -> None:
        if groups is not None and not hasattr(self.local_, "group_thresholds_"):
            raise _top_k.without_groups()

    def _columns(self) -> int | None:
        check_is_fitted(self, "local_")
        return None if self.classes_.size == 2 else int(self.classes_.size)


def on_cluster(client: Any, model: HSClassifier) -> Any:
    """A local model on the cluster, with one thread for each task: the tasks are what runs in parallel."""
    model = copy.deepcopy(model)
    model.estimator_.n_jobs = 1
    model.estimator_.get_booster().set_param({"nthread": 1})
    return client.scatter(model, hash=False)


def head(X: Any) -> Any:
    """Names and number of the columns, without rows."""
    return X._meta if isinstance(X, dd.DataFrame) else X


def _sizes(rows: Any, n: int) -> np.ndarray:
    """Rows of each ranking."""
    return np.bincount(np.zeros(rows.score.size, np.intp) if rows.ranking is None else rows.ranking, minlength=n)
