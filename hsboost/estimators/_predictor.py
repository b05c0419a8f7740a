"""What a fitted classifier does: decide, rank, explain."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from hsboost import _validation as check
from hsboost._solver.segments import Segments
from hsboost._validation import Budgets
from hsboost.estimators import _boosters, _calibration, _explanation, _guarded, _top_k
from hsboost.estimators._boosters import named
from hsboost.estimators._boosters import scores as _scores
from hsboost.estimators._model_file.persistence import parameters
from hsboost.estimators._storage import Storage
from hsboost.losses import LOSSES, Loss, get_loss
from hsboost.losses.registry import unknown

#: The loss that serves the budget best, as far as we know.
AUTO = "auto"
#: Losses that take k, temperature and the curvature's settings from the estimator.
HYPERSIMPLEX = ("hypersimplex", "hypersimplex-fy", "hypersimplex-smooth", "hypersimplex-smooth-fy")


def _has_probabilities(self: Predictor) -> bool:
    if self.calibration is None and not self._own_probabilities():
        raise AttributeError(
            f"raw scores of {self._scored()} are not probabilities; "
            "pass calibration='sigmoid' or 'isotonic' to HSClassifier to have them fitted on held-out rows"
        )
    return True


def _segments(groups: ArrayLike, n: int) -> Segments | None:
    """The groups of n rows; None where there are no rows."""
    if n == 0:
        check.check_same_length(np.asarray(groups), "groups", 0, "X")
        return None
    return Segments.by_label(groups, n, "X")


class Ranking(NamedTuple):
    """Rows in order, best first: what :meth:`hsboost.HSClassifier.rank` returns.

    ``order`` holds row numbers: ``X[order[:20]]`` are the first twenty. ``place`` is each row's place, 0 for the best
    of all rows or of its group: ``X[place < 20]`` are the same twenty, or twenty of each group. ``scores`` are those of
    the positive class, one per row of X. For more than two classes each has a column for every class.
    """

    order: np.ndarray
    place: np.ndarray
    scores: np.ndarray


class Predictor(ClassifierMixin, Storage):
    """The half of :class:`hsboost.HSClassifier` that does not train."""

    estimator: Any
    # Where scikit-learn routes metadata (set_config(enable_metadata_routing=True)), groups go everywhere by default.
    __metadata_request__fit = {"groups": True}  # noqa: RUF012
    __metadata_request__predict = {"groups": True}  # noqa: RUF012
    __metadata_request__decision_function = {"groups": True}  # noqa: RUF012
    __metadata_request__score = {"groups": True}  # noqa: RUF012

    def set_params(self, **params: Any) -> Any:
        """Set parameters, those of the booster inside (``estimator__max_depth``) too, where it is given by its name.

        Returns
        -------
        self
        """
        return super().set_params(**named.with_booster(self.estimator, params))

    def decision_function(self, X: Any, groups: ArrayLike | None = None) -> np.ndarray:
        """Raw score minus the threshold: above 0 is ``classes_[1]``; of several classes the highest wins.

        With ``pos_label=classes_[0]`` the sign is turned, as scikit-learn's tools expect it. The scores of the positive
        class, whichever it is, are ``rank(X).scores``.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n_samples, n_features)
        groups : array-like of shape (n_samples,), optional
            Use each group's own threshold, if the model was trained with groups; groups that it has not seen get the
            common one.

        Returns
        -------
        ndarray of shape (n_samples,), or (n_samples, C) for more than two classes, float64
        """
        decisions = self._decide(self._read(X), groups)
        return -decisions if self._is_turned() else decisions

    def predict(self, X: Any, groups: ArrayLike | None = None) -> np.ndarray:
        """Class of each row by itself: positive where the score exceeds the threshold that ``fit`` found.

        About k of rows like those of ``fit`` (see ``threshold``); for exactly k use :meth:`predict_top_k`. Of
        several classes the one whose score exceeds its threshold by most. ``groups`` as in :meth:`decision_function`.
        """
        scores = self._decide(self._read(X), groups)
        chosen = scores.argmax(axis=1) if scores.ndim == 2 else (scores > 0.0).astype(np.intp)
        return self._numbered()[chosen]

    def rank(self, X: Any, groups: ArrayLike | None = None) -> Ranking:
        """The queue: rows in order, best first, with their scores. Ties go to the rows that come first.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n_samples, n_features)
        groups : array-like of shape (n_samples,), optional
            Group of each row: ``order`` goes group by group (in sorted order), ``place`` counts within the group. Must
            be given where the model was trained with groups.

        Returns
        -------
        Ranking
            ``order``, ``place`` and ``scores``, each of shape (n_samples,), or (n_samples, C) for more than two
            classes. A score is the raw score of the positive class (of each class) minus its threshold.
        """
        X = self._read(X)
        self._check_grouped(groups)
        scores = self._decide(X, groups if hasattr(self, "group_thresholds_") else None)
        segments = None if groups is None else _segments(groups, scores.shape[0])
        if scores.ndim == 1:
            return Ranking(*_top_k.ranked(scores, segments), scores)
        order, place = zip(*(_top_k.ranked(column, segments) for column in scores.T), strict=True)
        return Ranking(np.stack(order, axis=1), np.stack(place, axis=1), scores)

    def predict_top_k(
        self, X: Any, k: Budgets = None, groups: ArrayLike | None = None, *, return_mask: bool = False
    ) -> np.ndarray:
        """Exactly k positives: the k highest-scored of these rows, of each group, of each class.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n_samples, n_features)
        k : int, float in (0, 1), or a mapping, optional
            A count (all rows where there are fewer), or a share of the rows (rounded to the nearest count). With
            ``groups`` each group has it, or its own from a mapping of group labels. For more than two classes each
            class has it, or its own from a mapping of class labels. Default: the model's own k, which must not be None
            then.
        groups : array-like of shape (n_samples,), optional
            Group of each row. Must be given where the model was trained with groups, whose scores need not compare;
            one and the same label for all rows ranks them together.
        return_mask : bool, default False
            Return which rows are chosen, in place of labels: ``X[mask]`` is the queue.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels, or with ``return_mask`` bool. Ties go to the rows that come first.
        ndarray of shape (n_samples, C), bool
            For more than two classes: column c is true for the top rows of class c. A row may be chosen by several
            classes, or by none.
        """
        X = self._read(X)
        self._check_grouped(groups)
        scores = self._decide(X)
        k = self.k if k is None else k
        segments = None if groups is None else _segments(groups, scores.shape[0])
        budgets = _top_k.budgets(k, self._numbered(), groups is not None)
        if scores.shape[0] == 0:
            as_mask = return_mask or scores.ndim == 2
            return np.empty(scores.shape, dtype=np.bool_) if as_mask else self.classes_[:0]
        if scores.ndim == 1:
            mask = _top_k.top(scores, budgets[0], segments)
            return mask if return_mask else self._numbered()[mask.astype(np.intp)]
        return np.column_stack([_top_k.top(column, b, segments) for column, b in zip(scores.T, budgets, strict=True)])

    def score(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None, groups: ArrayLike | None = None
    ) -> float:
        """Accuracy of :meth:`predict`, with ``groups`` by each group's own threshold."""
        return float(accuracy_score(y, self.predict(X, groups), sample_weight=sample_weight))

    @available_if(_has_probabilities)
    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the classes: calibrated, or the loss's own (log loss and its family).

        Returns
        -------
        ndarray of shape (n_samples, C)
            Columns in the order of ``classes_``. With more than two classes each is calibrated against the rest, and
            the rows are scaled to sum to 1.

        Raises
        ------
        AttributeError
            Without ``calibration``, for losses without probabilities: raw scores are not probabilities.
        """
        check_is_fitted(self, "estimator_")
        if self.calibration is None:
            raw = self._raw(self._read(X))
            if len(raw) == 0:
                return np.empty((0, self.classes_.size))
            probabilities = self.objective_.loss.probabilities(raw)
            assert probabilities is not None
        else:  # in units of the trees, as they were fitted: calibrators compare scores with fixed numbers
            probabilities = _calibration.predict(self.calibrators_, self._decide(self._read(X)) / self.objective_.unit)
        return probabilities[:, ::-1] if self._is_turned() else probabilities

    def contributions(self, X: Any, groups: ArrayLike | None = None) -> np.ndarray:
        """What each feature adds to each row's ``decision_function``: SHAP values by the booster's own algorithm.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n_samples, n_features)
        groups : array-like of shape (n_samples,), optional
            As for :meth:`decision_function`.

        Returns
        -------
        ndarray of shape (n_samples, n_features + 1), or (n_samples, C, n_features + 1)
            The last column is the rest: the average score minus the threshold. Rows sum to ``decision_function`` (to
            float32 rounding with XGBoost).
        """
        X = self._read(X)
        found = _scores.contributions(self.estimator_, X, self.classes_.size)
        found *= self.objective_.unit
        found[..., -1] += (0.0 if self.objective_.offset is None else self.objective_.offset) - self._cuts(
            groups, found.shape[0]
        )
        return -found if self._is_turned() else found

    def explain(self, X: Any, output: Literal["decision", "probability"] = "decision") -> Any:
        """:meth:`contributions` as a ``shap.Explanation``, for shap's plots (``pip install shap``).

        ``shap.TreeExplainer(model.estimator_)`` would explain the trees alone: without threshold and calibration,
        without the weights of XGBoost's DART, with LightGBM's classes added up.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n_samples, n_features)
        output : {"decision", "probability"}, default "decision"
            Of ``decision_function``, in whose units 0 is the cut; or of ``predict_proba``, where that is a sigmoid or
            softmax of the scores (log loss, ``calibration="sigmoid"`` of two classes): each feature's share of the way
            from the average score to the row's, through the link.

        Returns
        -------
        shap.Explanation
            Values (n_samples, n_features), or (n_samples, n_features, C) for more than two classes; with the base value
            a row sums to ``output`` (of two classes of ``classes_[1]``). ``data`` has categories as codes,
            ``display_data`` as they are.

        Raises
        ------
        ImportError
            Where shap is not installed.
        ValueError
            For probabilities that the model does not have, or that no shares add up to.
        """
        return _explanation.explain(self, self._read(X), output)

    @property
    def booster_(self) -> Any:
        """The native model as it was trained: an ``xgboost.Booster`` or a ``lightgbm.Booster``.

        Warns once of what it lacks: the constant that training started from, a true link, a cut behind the best round.
        :meth:`export` writes a model with the same decisions.
        """
        check_is_fitted(self, "estimator_")
        _guarded.warn_of_native(self.estimator_)
        return _boosters.native(self.estimator_)

    @property
    def feature_importances_(self) -> np.ndarray:
        """Importance of each feature, as the booster defines it."""
        check_is_fitted(self, "estimator_")
        return np.asarray(self.estimator_.feature_importances_)

    def _loss(self, k: Budgets) -> Loss:
        """The loss with this estimator's settings."""
        name, settings = self._loss_name(), self._loss_settings()
        if not isinstance(name, Loss) and not (isinstance(name, str) and name in LOSSES):
            raise unknown(name, (AUTO, *LOSSES))
        if not isinstance(name, Loss) and name in HYPERSIMPLEX:
            return get_loss(name, k=k, **settings)
        for setting, value in settings.items():
            remedy = "or set it in the loss" if isinstance(name, Loss) else 'or pass loss="hypersimplex"'
            meant = (
                f"loss={name!r}" if self.loss is name else f"{name!r}, which loss={self.loss!r} trains where k is given"
            )
            raise ValueError(
                f"{setting}={value!r} is a setting of the hypersimplex losses given by name, and would have no effect "
                f"with {meant}; leave it out, {remedy}"
            )
        if not isinstance(name, Loss):
            return get_loss(name, k=k) if name == "budget-log-loss" else get_loss(name)
        if not name.has_budget:
            return name
        if name.k is not None:
            raise ValueError(f"k is the estimator's here: pass HSClassifier(k={name.k!r}) and a loss without k")
        return type(name)(**(parameters(name) | {"k": k}))

    def _loss_name(self) -> str | Loss:
        """``loss``, with ``"auto"`` resolved: it depends on nothing but ``k``."""
        if isinstance(self.loss, Loss) or self.loss != AUTO:
            return self.loss
        return "hypersimplex" if self.k is None else "budget-log-loss"

    def _loss_settings(self) -> dict[str, Any]:
        """The settings of the hypersimplex losses that are not at their defaults."""
        given = {"temperature": self.temperature, "hessian": self.hessian, "hessian_floor": self.hessian_floor}
        defaults = {"temperature": 1.0, "hessian": "exact", "hessian_floor": None}
        return {name: value for name, value in given.items() if np.ndim(value) or value != defaults[name]}

    def _read(self, X: Any) -> Any:
        """X as the booster reads it rightly; its columns are those of ``fit``."""
        check_is_fitted(self, "estimator_")
        X = _boosters.readable(self.estimator_, X)
        _boosters.check_columns(self, X)
        return X

    def _raw(self, X: Any) -> np.ndarray:
        """Raw scores, from where boosting started."""
        raw = self.objective_.unit * _scores.raw_scores(self.estimator_, X)
        return raw if self.objective_.offset is None else raw + self.objective_.offset

    def _margins(self, X: Any) -> np.ndarray:
        """Scores of the positive class, of rows of any type."""
        return self._decide(self._read(X))

    def _decide(self, X: Any, groups: ArrayLike | None = None) -> np.ndarray:
        raw = self._raw(X)
        decisions: np.ndarray = raw - self._cuts(groups, raw.shape[0])
        return decisions

    def _cuts(self, groups: ArrayLike | None, n: int) -> Any:
        """The threshold of each of n rows, or of all of them."""
        if groups is None:
            return self.threshold_
        if not hasattr(self, "group_thresholds_"):
            raise _top_k.without_groups()
        segments = _segments(groups, n)
        if segments is None:
            return self.threshold_
        cuts = np.array([self.group_thresholds_.get(label, self.threshold_) for label in segments.labels])
        return cuts[segments.codes]

    def _check_grouped(self, groups: Any) -> None:
        """Rows are ranked within their groups, where the model was trained to do so."""
        if groups is None and hasattr(self, "group_thresholds_"):
            raise _top_k.needs_groups()

    def _numbered(self) -> np.ndarray:
        """The classes in the order of their numbers, which the booster knows: of two the positive one last."""
        check_is_fitted(self, "estimator_")
        return self.classes_[::-1] if self._is_turned() else self.classes_

    def _is_turned(self) -> bool:
        """Whether ``classes_[0]`` is the positive one of two."""
        return self.classes_.size == 2 and bool(self.pos_label_ == self.classes_[0])

    def _own_probabilities(self, grouped: bool = False) -> bool:
        """Whether the loss says what probability a score stands for: of groups only where it is a sum over rows."""
        loss = self._loss(None)
        if loss.has_budget and (grouped or hasattr(self, "group_thresholds_")):
            return False
        return loss.probabilities(np.zeros(1)) is not None

    def _scored(self) -> str:
        """What has scores that are no probabilities, for errors."""
        known = self._loss(None).probabilities(np.zeros(1)) is not None
        return "groups (log-odds up to a constant of each)" if known else "the HyperSimplex loss"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        return tags
