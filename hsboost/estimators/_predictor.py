"""What a fitted classifier does: decide, rank, explain, be saved."""

from __future__ import annotations

import os
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from hsboost import _validation as check
from hsboost._solver.segments import Segments
from hsboost._validation import Budgets
from hsboost.estimators import _boosters, _calibration, _explanation, _guarded, _history, _top_k
from hsboost.estimators._export import export as _export
from hsboost.estimators._export.result import ExportResult
from hsboost.estimators._model_file import persistence
from hsboost.losses import HypersimplexLoss, Loss, get_loss

#: Losses that take k, temperature and the curvature's settings from the estimator.
HYPERSIMPLEX = ("hypersimplex", "hypersimplex-fy")

Self = TypeVar("Self", bound="Predictor")


def _has_probabilities(self: Predictor) -> bool:
    if self.calibration is None and not self._own_probabilities():
        raise AttributeError(
            "raw scores of the HyperSimplex loss are not probabilities; "
            "pass calibration='sigmoid' or 'isotonic' to HSClassifier to have them fitted on held-out rows"
        )
    return True


def _segments(groups: ArrayLike, n: int) -> Segments | None:
    """The groups of n rows; None where there are no rows."""
    if n == 0:
        check.check_same_length(np.asarray(groups), "groups", 0, "X")
        return None
    return Segments.by_label(groups, n, "X")


class Predictor(ClassifierMixin, BaseEstimator):
    """The half of :class:`hsboost.HSClassifier` that does not train."""

    def decision_function(self, X: Any, groups: ArrayLike | None = None) -> np.ndarray:
        """Raw score minus the threshold: above 0 is positive; of several classes the highest wins.

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
        return self._decide(self._read(X), groups)

    def predict(self, X: Any, groups: ArrayLike | None = None) -> np.ndarray:
        """Class of each row by itself: positive where the score exceeds the threshold learned in training.

        How many rows that makes positive depends on the rows; for exactly k of them use :meth:`predict_top_k`. Of
        several classes the one whose score exceeds its threshold by most. ``groups`` as in :meth:`decision_function`.
        """
        scores = self.decision_function(X, groups)
        chosen = scores.argmax(axis=1) if scores.ndim == 2 else (scores > 0.0).astype(np.intp)
        return self.classes_[chosen]

    def predict_top_k(self, X: Any, k: Budgets = None, groups: ArrayLike | None = None) -> np.ndarray:
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
            Group of each row.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels. Ties go to the rows that come first.
        ndarray of shape (n_samples, C), bool
            For more than two classes: column c is true for the top rows of class c. A row may be chosen by several
            classes, or by none.
        """
        scores = self.decision_function(X)
        k = self.k if k is None else k
        segments = None if groups is None else _segments(groups, scores.shape[0])
        budgets = _top_k.budgets(k, self.classes_, groups is not None)
        if scores.shape[0] == 0:
            return self.classes_[:0] if scores.ndim == 1 else np.empty(scores.shape, dtype=np.bool_)
        if scores.ndim == 1:
            return self.classes_[_top_k.top(scores, budgets[0], segments).astype(np.intp)]
        return np.column_stack([_top_k.top(column, b, segments) for column, b in zip(scores.T, budgets, strict=True)])

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
            Without ``calibration``, for losses without probabilities: raw scores are not passed off as such.
        """
        check_is_fitted(self, "estimator_")
        if self.calibration is None:
            raw = self._raw(self._read(X))
            if len(raw) == 0:
                return np.empty((0, self.classes_.size))
            probabilities = self.objective_.loss.probabilities(raw)
            assert probabilities is not None
            return probabilities
        # In units of the trees, as they were fitted: calibrators compare scores with fixed numbers.
        return _calibration.predict(self.calibrators_, self.decision_function(X) / self.objective_.unit)

    def contributions(self, X: Any) -> np.ndarray:
        """What each feature adds to each row's ``decision_function``: SHAP values by the booster's own algorithm.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_features + 1), or (n_samples, C, n_features + 1)
            The last column is the rest: the average score minus ``threshold_``. Rows sum to ``decision_function`` (to
            float32 rounding with XGBoost).
        """
        X = self._read(X)
        found = _boosters.contributions(self.estimator_, X, self.classes_.size)
        found *= self.objective_.unit
        found[..., -1] += self._shift()
        return found

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
        :meth:`export` writes a model that decides alike.
        """
        check_is_fitted(self, "estimator_")
        _guarded.warn_of_native(self.estimator_)
        return _boosters.native(self.estimator_)

    @property
    def feature_importances_(self) -> np.ndarray:
        """Importance of each feature, as the booster defines it."""
        check_is_fitted(self, "estimator_")
        return np.asarray(self.estimator_.feature_importances_)

    def save_model(self, path: str | os.PathLike[str]) -> None:
        """Write everything predictions need into one JSON file; :meth:`load_model` reads it back.

        Parameters
        ----------
        path : path-like
            Overwritten if it exists (by a rename: never half a file), with the permissions that it had.

        Raises
        ------
        TypeError
            For group labels or classes that JSON cannot tell apart from others (not text, number or bool).
        ValueError
            For a model that would not load again: the file's content is loaded once before it is written.
        OSError
            Where the file cannot be written: a folder, a folder that is missing, no permission, a full disk.
        """
        check_is_fitted(self, "estimator_")
        persistence.save(self, path)

    def export(
        self,
        path: str | os.PathLike[str],
        format: Literal["xgboost", "lightgbm", "onnx", "treelite"] | None = None,
        *,
        output: Literal["decision", "probability"] | None = None,
        threshold: Literal["global"] | None = None,
        rows: Any = None,
        require_check: bool = False,
    ) -> ExportResult:
        """Write the model for another runtime, so that it decides there as it does here.

        Offset, threshold and calibration are written into the trees, with the rounds that predictions use and DART's
        weights, and the nominal objective gets the link that is true. The file is read back by its runtime and compared
        on rows drawn between the model's own split values before it is written.

        Parameters
        ----------
        path : path-like
            Replaced whole, or left as it was.
        format : {"xgboost", "lightgbm", "onnx", "treelite"}, optional
            XGBoost's model file (``.json``, ``.ubj``), LightGBM's text (``.txt``), ONNX (``.onnx``; outputs ``label``,
            ``decision_function`` and ``probabilities``), treelite's checkpoint (``.tl``). Default: by the end of
            ``path``. The first two take models of that booster.
        output : {"decision", "probability"}, optional
            ``"decision"``: the runtime's scores are :meth:`decision_function`, with the identity for a link: above 0 is
            positive, of several classes the highest wins. ``"probability"``: the runtime gives :meth:`predict_proba`,
            with a sigmoid or softmax for a link; :meth:`predict` cuts at the result's ``cut``, not at one half.
            Default: probabilities where the model has some.
        threshold : "global", optional
            For models trained with groups, which are refused without it: cut all rows at ``threshold_``, as
            :meth:`predict` does without ``groups``.
        rows : array-like or DataFrame, optional
            Rows of your own to be compared, too.
        require_check : bool, default False
            An error where the format's runtime is not installed; otherwise the result says that nothing was compared.

        Returns
        -------
        ExportResult
            How to read the file and what was compared; ``print`` it.

        Raises
        ------
        ValueError
            For what the format cannot hold (isotonic calibration, thresholds of groups, linear trees in ONNX …), and
            where the runtime's answers differ by more than rounding; nothing is written then.
        ImportError
            Where the package that writes the format is missing (``pip install hsboost[export]``).
        OSError
            Where the file cannot be written.
        """
        check_is_fitted(self, "estimator_")
        return _export.write(self, path, format, output, threshold, rows, require_check)

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        if "estimator_" in state:
            state = state | {"_booster_version": persistence.booster_version(state["estimator_"])}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        wrote = state.pop("_booster_version", None)
        if "training_history_" in state:
            state["training_history_"] = _history.from_file(state["training_history_"])
        super().__setstate__(state)
        if wrote is not None:
            persistence.warn_of_pickles(wrote, persistence.booster_version(state["estimator_"]))

    @classmethod
    def load_model(cls: type[Self], path: str | os.PathLike[str]) -> Self:
        """A model written by :meth:`save_model`: predictions are the same to the last bit.

        Nothing in the file is executed. It holds no training data; ``fit`` may be called again. Another version of the
        booster may read it, too: it has to give the scores that the file carries for a few made-up rows (to the bit for
        the same version on the same kind of processor, else to the rounding of float32).

        Raises
        ------
        ValueError
            For a file that is damaged, is something else, comes from a later version of the format, or that this
            version of the booster does not read as the one that wrote it did; then the message names both.
        """
        return persistence.load(cls, path)

    def _loss(self, k: Budgets, grouped: bool) -> Loss:
        """The loss with this estimator's settings."""
        if isinstance(self.loss, Loss):
            loss = self.loss
            if isinstance(loss, HypersimplexLoss) and loss.k is not None:
                raise ValueError(f"k is the estimator's here: pass HSClassifier(k={loss.k!r}) and a loss without k")
            if isinstance(loss, HypersimplexLoss):
                loss = type(loss)(**(persistence.parameters(loss) | {"k": k}))
        elif self.loss in HYPERSIMPLEX:
            floor = {} if self.hessian_floor is None else {"hessian_floor": self.hessian_floor}
            loss = get_loss(self.loss, k=k, temperature=self.temperature, hessian=self.hessian, **floor)
        else:
            loss = get_loss(self.loss)
        if grouped and not isinstance(loss, HypersimplexLoss):
            raise ValueError(
                f"groups need a hypersimplex loss, whose rows compete for a budget; got loss={self.loss!r}"
            )
        return loss

    def _read(self, X: Any) -> Any:
        """X as the booster reads it rightly; its columns are those of ``fit``."""
        check_is_fitted(self, "estimator_")
        X = _boosters.readable(self.estimator_, X)
        _boosters.check_columns(self, X)
        return X

    def _raw(self, X: Any) -> np.ndarray:
        """Raw scores, from where boosting started."""
        raw = self.objective_.unit * _boosters.raw_scores(self.estimator_, X)
        return raw if self.objective_.offset is None else raw + self.objective_.offset

    def _shift(self) -> Any:
        """What is added to the booster's scores times their unit to get ``decision_function``."""
        return (0.0 if self.objective_.offset is None else self.objective_.offset) - self.threshold_

    def _decide(self, X: Any, groups: ArrayLike | None = None) -> np.ndarray:
        raw = self._raw(X)
        if groups is None:
            return raw - self.threshold_
        if not hasattr(self, "group_thresholds_"):
            raise ValueError("this model was trained without groups and has no group thresholds; leave groups out")
        segments = _segments(groups, raw.shape[0])
        if segments is None:
            return raw
        cuts = np.array([self.group_thresholds_.get(label, self.threshold_) for label in segments.labels])
        return raw - cuts[segments.codes]

    def _own_probabilities(self) -> bool:
        """Whether the loss says what probability a score stands for."""
        return self._loss(None, False).probabilities(np.zeros(1)) is not None

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        return tags
