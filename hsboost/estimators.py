"""HSClassifier: the HyperSimplex loss on either booster, with scikit-learn's interface."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import train_test_split
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _num_samples, check_is_fitted, column_or_1d

from hsboost import _boosters, _calibration
from hsboost import _validation as check
from hsboost._validation import Budget
from hsboost.losses.hypersimplex import DEFAULT_FLOOR
from hsboost.metrics import PrecisionAtK
from hsboost.objectives import HypersimplexObjective
from hsboost.projection import total_weight


def _calibrated(self: HSClassifier) -> bool:
    if self.calibration is None:
        raise AttributeError(
            "raw scores of the HyperSimplex loss are not probabilities; "
            "pass calibration='sigmoid' or 'isotonic' to HSClassifier to have them fitted on held-out rows"
        )
    return True


class HSClassifier(ClassifierMixin, BaseEstimator):
    """Binary classifier whose trees are trained for precision at a budget, on XGBoost or LightGBM.

    Where log loss asks for good probabilities everywhere, this asks which k rows to act on.

    Parameters
    ----------
    estimator : None, "xgboost", "lightgbm", XGBClassifier or LGBMClassifier, default None
        The booster and its settings; None means ``"xgboost"``. An estimator is cloned, its objective replaced.
    k : None, int or float in (0, 1), default None
        How many rows to call positive in training. None: as many as are positive. int: a count of the rows passed to
        ``fit``, in units of weight. float: a share of their weight.
    temperature : float, default 1.0
        Softness in units of the raw scores; with the exact Hessian it sets their unit (see
        :class:`hsboost.HypersimplexObjective`).
    hessian : {"exact", "unit"}, default "exact"
        See :class:`hsboost.HypersimplexLoss`.
    hessian_floor : float, default 1e-3
        See :class:`hsboost.HypersimplexLoss`.
    calibration : {None, "sigmoid", "isotonic"}, default None
        How ``predict_proba`` turns scores into probabilities. The calibrator is fitted on rows the trees were not:
        on ``eval_set`` if ``fit`` gets one, else on a share of the training rows set aside for it. None: no
        ``predict_proba``, and every row is used for the trees.
    calibration_fraction : float, default 0.1
        Share of the rows set aside (stratified) when ``calibration`` is given and ``eval_set`` is not.
    random_state : None, int or RandomState, default None
        Chooses those rows. It does not reach the booster: give that its own seed.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        Labels; ``classes_[1]`` is the positive one.
    estimator_ : XGBClassifier or LGBMClassifier
        The fitted booster.
    objective_ : HypersimplexObjective
        The objective it was trained with.
    threshold_ : float
        The raw score that the top k training rows exceed, at the rounds that predictions use.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        When ``X`` had string column names.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from hsboost import HSClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = HSClassifier(k=0.1).fit(X, y)
    >>> int(model.predict_top_k(X, 25).sum())
    25
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        k: Budget = None,
        temperature: float = 1.0,
        hessian: Literal["exact", "unit"] = "exact",
        hessian_floor: float = DEFAULT_FLOOR,
        calibration: Literal["sigmoid", "isotonic"] | None = None,
        calibration_fraction: float = 0.1,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.k = k
        self.temperature = temperature
        self.hessian = hessian
        self.hessian_floor = hessian_floor
        self.calibration = calibration
        self.calibration_fraction = calibration_fraction
        self.random_state = random_state

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        eval_set: tuple[Any, ArrayLike] | list[tuple[Any, ArrayLike]] | None = None,
        **fit_params: Any,
    ) -> HSClassifier:
        """Train the trees, find the threshold, fit the calibrator if one is asked for.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n_samples, n_features)
            Passed to the booster as it is: categoricals and missing values keep their meaning.
        y : array-like of shape (n_samples,)
            Two classes, of any type; the greater one (in sorted order) is positive.
        sample_weight : array-like of shape (n_samples,), optional
        eval_set : (X, y) or list of them, optional
            For early stopping (set on the booster) and calibration; the last one counts, as in the boosters. Watched
            with :class:`hsboost.PrecisionAtK` at the budget, unless you chose an ``eval_metric``.
        **fit_params
            Passed to the booster's ``fit``, for example ``eval_metric`` and ``callbacks`` of LightGBM.

        Returns
        -------
        HSClassifier
            Itself, fitted.
        """
        k = check.check_budget(self.k)
        if self.calibration is not None:
            check.check_choice(self.calibration, "calibration", ("sigmoid", "isotonic"))
        n_samples, labels = _boosters.check_inputs(X, y)
        self.classes_, encoded = _encode(labels)
        weight = check.check_weight(sample_weight, n_samples, "X")
        total = total_weight(weight, n_samples)
        sets = _as_sets(eval_set)
        encoded_sets = [(X_, _encode_known(X_, y_, self.classes_)) for X_, y_ in sets]

        train_X, train_y, train_w, held_out = X, encoded, weight, None
        if self.calibration is not None:
            if encoded_sets:
                held_out = (*encoded_sets[-1], None)
            else:
                train_X, train_y, train_w, held_out = self._set_aside(X, encoded, weight)
        if isinstance(k, int):
            # A count of the rows passed in: the same share of those that are left for the trees.
            kept = total_weight(train_w, len(train_y))
            share = check.budget_mass(k, total, 0.0) / total
            k = k if kept == total or share == 0.0 else min(share, float(np.nextafter(1.0, 0.0)))
        self.objective_ = HypersimplexObjective(
            k=k, temperature=self.temperature, hessian=self.hessian, hessian_floor=self.hessian_floor
        )
        self.estimator_ = _boosters.prepare(self.estimator, self.objective_)
        # Evaluation sets have sizes of their own: a count becomes the share it is of the training rows.
        watched = k if not isinstance(k, int) or not 0 < k < total else k / total
        _boosters.fit(self.estimator_, train_X, train_y, train_w, encoded_sets, PrecisionAtK(watched), fit_params)
        self.n_features_in_ = int(self.estimator_.n_features_in_)
        names = _boosters.column_names(X)
        if names is not None:
            self.feature_names_in_ = names
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        scores = _boosters.raw_scores(self.estimator_, train_X)
        self.threshold_ = self.objective_.fit_threshold(scores, train_y, train_w)
        self.__dict__.pop("calibrator_", None)  # of an earlier fit
        if held_out is not None:
            held_X, held_y, held_w = held_out
            held_scores = _boosters.raw_scores(self.estimator_, held_X) - self.threshold_
            self.calibrator_ = _calibration.fit(self.calibration, held_scores, held_y, held_w)
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Raw score minus the threshold: above 0 is positive.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,), float64
        """
        check_is_fitted(self, "estimator_")
        _boosters.check_columns(self, X)
        return _boosters.raw_scores(self.estimator_, X) - self.threshold_

    def predict(self, X: Any) -> np.ndarray:
        """Class of each row by itself: positive where the score exceeds the threshold learned in training.

        How many rows that makes positive depends on the rows; for exactly k of them use :meth:`predict_top_k`.
        """
        positive = self.decision_function(X) > 0.0
        return self.classes_[positive.astype(np.intp)]

    def predict_top_k(self, X: Any, k: int | float) -> np.ndarray:
        """Classes with exactly k positives: the k highest-scored of these rows.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n_samples, n_features)
        k : int or float in (0, 1)
            A count, or a share of the rows (rounded to the nearest count).

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels. Ties go to the rows that come first.
        """
        scores = self.decision_function(X)
        budget = check.check_budget(k)
        if budget is None:
            raise ValueError("k must be an int (a count) or a float in (0, 1) (a share); the rows have no labels")
        count = round(check.budget_mass(budget, float(scores.size), 0.0))
        chosen = np.zeros(scores.size, dtype=np.intp)
        chosen[np.argsort(-scores, kind="stable")[:count]] = 1
        return self.classes_[chosen]

    @available_if(_calibrated)
    def predict_proba(self, X: Any) -> np.ndarray:
        """Calibrated probabilities of both classes.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            Columns in the order of ``classes_``.

        Raises
        ------
        AttributeError
            Without ``calibration``: raw scores are not probabilities, and are not passed off as such.
        """
        check_is_fitted(self, "calibrator_")
        scores = self.decision_function(X)
        positive = self.calibrator_.predict(scores)
        return np.column_stack([1.0 - positive, positive])

    def _set_aside(self, X: Any, y: np.ndarray, w: np.ndarray | None) -> tuple[Any, np.ndarray, Any, tuple[Any, ...]]:
        """Split off the rows the calibrator is fitted on."""
        fraction = self.calibration_fraction
        if not (isinstance(fraction, float) and 0.0 < fraction < 1.0):
            raise ValueError(f"calibration_fraction must be a float in (0, 1), got {fraction!r}")
        index = np.arange(y.size)
        try:
            train, held = train_test_split(index, test_size=fraction, random_state=self.random_state, stratify=y)
        except ValueError as error:
            raise ValueError(
                f"calibration_fraction={fraction} leaves a class without rows ({np.bincount(y).tolist()} rows per "
                "class); pass an eval_set, more rows, or calibration=None"
            ) from error
        train.sort()
        held.sort()
        take = _boosters.take_rows
        weights = (None, None) if w is None else (w[train], w[held])
        return take(X, train), y[train], weights[0], (take(X, held), y[held], weights[1])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        return tags


def _encode(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sorted classes and 0/1 labels, with one clear error for anything but two classes."""
    y = column_or_1d(y, warn=True)
    check_classification_targets(y)
    classes, encoded = np.unique(y, return_inverse=True)
    if classes.size < 2:
        raise ValueError(f"y holds 1 class, {classes[0]!r}; HSClassifier needs rows of two classes")
    if classes.size > 2:
        raise ValueError(
            f"Only binary classification is supported. The type of the target is multiclass: y holds {classes.size} "
            f"classes ({', '.join(map(repr, classes[:5]))}{', …' if classes.size > 5 else ''}); "
            "train one HSClassifier per class, for example with OneVsRestClassifier"
        )
    return classes, encoded.astype(np.int32)


def _encode_known(X: Any, y: ArrayLike, classes: np.ndarray) -> np.ndarray:
    labels = column_or_1d(np.asarray(y))
    if labels.size != _num_samples(X):
        raise ValueError(f"eval_set must have one label per row: got {_num_samples(X)} rows and {labels.size} labels")
    unknown = ~np.isin(labels, classes)
    if unknown.any():
        raise ValueError(
            f"eval_set holds the label {labels[unknown][0]!r}, which y does not; known: {classes.tolist()}"
        )
    return (labels == classes[1]).astype(np.int32)


def _as_sets(eval_set: Any) -> list[tuple[Any, Any]]:
    if eval_set is None:
        return []
    if isinstance(eval_set, tuple) and len(eval_set) == 2 and not isinstance(eval_set[0], tuple):
        return [eval_set]
    if isinstance(eval_set, list) and all(isinstance(pair, tuple) and len(pair) == 2 for pair in eval_set):
        return eval_set
    raise ValueError("eval_set must be a pair (X, y) or a list of such pairs")
