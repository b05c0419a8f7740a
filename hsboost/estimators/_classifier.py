"""HSClassifier: the losses of this package on either booster, with scikit-learn's interface."""

from __future__ import annotations

import copy
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import check_is_fitted

from hsboost import _validation as check
from hsboost._solver.segments import Segments
from hsboost._validation import Budgets
from hsboost._workers.communicator import workers
from hsboost.estimators import _autolog, _boosters, _calibration, _evaluation, _start, _thresholds, _weights
from hsboost.estimators._budgets import TrainingBudget, check_spent
from hsboost.estimators._history import History
from hsboost.estimators._inputs import labels as _labels
from hsboost.estimators._inputs.features import column_names
from hsboost.estimators._inputs.rows import check_inputs, take_rows
from hsboost.estimators._predictor import Predictor
from hsboost.losses import Loss
from hsboost.metrics import PrecisionAtK
from hsboost.objectives import objective_of

#: What ``fit`` learns; all of it is of one fit.
FITTED = frozenset(
    {
        "classes_", "pos_label_", "estimator_", "objective_", "threshold_", "group_thresholds_", "threshold_source_",
        "calibrators_",
        "training_history_", "n_features_in_", "feature_names_in_",
    }
)  # fmt: skip


class HSClassifier(Predictor):
    """Classifier whose trees are trained for precision at a budget, on XGBoost or LightGBM.

    Where log loss asks for good probabilities everywhere, this asks which k rows to act on: of all rows, of each
    group (branch, day, region, query), of each class.

    Parameters
    ----------
    estimator : None, "xgboost", "lightgbm", XGBClassifier or LGBMClassifier, default None
        The booster and its settings; None means ``"xgboost"``. An estimator is cloned, its objective replaced,
        whichever of LightGBM's names for it (``loss``, ``application`` …) was used. Settings count under every name
        that the booster knows; two values for one are an error, and so is a setting that only built-in losses read.
        Most losses start from their own best constant and refuse XGBoost's ``base_score`` beside it; the hypersimplex
        losses do not see a constant, and the focal and exact ones start from ``base_score``.
    loss : str or Loss, default "auto"
        ``"auto"`` is what finds the most at the top of a list, as far as we know: where ``k`` is given, log loss
        tailored to the budget, ``"budget-log-loss"``; else the HyperSimplex loss, ``"hypersimplex"``. Others: a name of
        :data:`hsboost.losses.LOSSES` (``"hypersimplex-fy"`` is the convex sibling, ``"hypersimplex-smooth"`` the smooth
        one, ``"log-loss"`` the usual rival), or a loss of your own settings. ``objective_.loss`` is the one trained.
    k : None, int, float in (0, 1), or a mapping, default None
        How many rows to call positive in training. None: as many as are positive. int: a count of the rows passed to
        ``fit``, in units of weight; of all rows, or of a group, where there are fewer. float: a share of their weight.
        With ``groups`` each group has that budget, or its own from a mapping of group labels. With more than two
        classes each class has it, or its own from a mapping of class labels (to mappings of group labels, with
        groups). Losses other than the hypersimplex ones use k for ``threshold_`` only.
    temperature : float, default 1.0
        Of the hypersimplex losses; others refuse it. Softness in units of the raw scores. With the exact Hessian it
        sets their unit and changes no tree: trees are grown at temperature 1, and ``decision_function``, thresholds and
        contributions are multiplied. With ``hessian="unit"`` it is a step size.
    hessian : {"exact", "unit"}, default "exact"
        Of the hypersimplex losses, see :class:`hsboost.HypersimplexLoss`.
    hessian_floor : float, optional
        Of the hypersimplex losses, see :class:`hsboost.HypersimplexLoss`; the loss's own default if None.
    pos_label : default None
        Of two classes the one that is looked for: budgets, thresholds, the top k, ``rank``, metrics, calibration and
        displays are about it. None: the greater label in sorted order, with a warning where the labels are texts. Not
        for more than two classes. ``decision_function``, ``predict_proba`` and ``contributions`` keep scikit-learn's
        order all the same: above 0 is ``classes_[1]``, so that its scorers and other tools read them rightly.
    class_weight : None, "balanced" or dict of class labels to weights, default None
        Multiplied into the sample weights, as in scikit-learn: of trees, budgets and thresholds alike. Not of the
        calibrator: they say what mistakes cost, not how many cases a row stands for.
    calibration : {None, "sigmoid", "isotonic"}, default None
        How ``predict_proba`` turns scores into probabilities. The calibrator is fitted on rows the trees were not:
        on the last ``eval_set`` that is not the training rows, if ``fit`` gets one, with its ``eval_sample_weight``;
        else on a share of the training rows set aside for it, with their ``sample_weight``. None: no
        ``predict_proba`` (unless the loss has probabilities of its own), and every row is used for the trees.
    calibration_fraction : float in (0, 1), default 0.1
        Share of the rows set aside (stratified) when ``calibration`` or ``threshold="holdout"`` is given and
        ``eval_set`` is not.
    threshold : {"auto", "training", "holdout", "cross-fit"}, default "auto"
        The rows on which ``predict`` learns where to cut, so that k of such rows are called. ``"training"``: the
        training rows, free of cost; with trees that fit them closely new rows miss the budget widely. ``"holdout"``:
        rows that the trees are not trained on, the last ``eval_set`` that is not the training rows or, without one, a
        share of the training rows set aside (``calibration_fraction``). ``"cross-fit"``: the training rows, scored by
        models that were trained without them, one to five further trainings with as many rounds, on four fifths of the
        rows each; the trees themselves are trained on all rows. ``"auto"``: held-out rows that are there anyway, if 20
        or more of them will lie above the cut and below it; else cross-fitted, if 10 or more training rows will and
        there are fewer than 100,000, which trees of usual size fit less closely; else (and with ``init_model``) the
        training rows.
    verbose : int, default 0
        Print threshold and active share to stderr every so many rounds; 0 (or less) for silence.
    random_state : None, int or RandomState, default None
        Chooses the rows set aside. It does not reach the booster: give that its own seed.

    Attributes
    ----------
    classes_ : ndarray of shape (C,)
        Labels, sorted.
    pos_label_ : label
        Of two classes the positive one.
    estimator_ : XGBClassifier or LGBMClassifier
        The fitted booster; ``booster_`` is its native model. Its ``predict`` and ``predict_proba`` know no threshold
        and are refused unless asked for raw scores. Its scores are in units of the temperature (of ``sigma`` for
        :class:`hsboost.losses.ExactLoss`): times ``objective_.unit``, plus ``objective_.offset`` unless that is
        None, they are raw scores. A metric of your own sees the booster's scores.
    objective_ : LossObjective
        The objective it was trained with (without the training rows' groups).
    threshold_ : float, or ndarray of shape (C,) for more than two classes
        The raw score that the top k rows exceed, at the rounds that predictions use: of the rows that ``threshold``
        names, of which a count k is the share that it is of the training rows. With groups: the top rows of all groups
        together, as many as their budgets add up to.
    group_thresholds_ : dict
        With groups: label to the raw score that the group's top rows exceed (an ndarray (C,) for several classes).
    threshold_source_ : {"training", "holdout", "cross-fit"}
        The rows that the thresholds come from.
    training_history_ : dict of lists
        Of every boosting round: ``"iteration"``, ``"soft_threshold"`` (where ŷ = 1/2; arrays for groups and classes)
        and ``"active_share"`` (the weight with 0 < ŷ < 1, as a share; with the smooth losses
        the mean of 4 ŷ (1 - ŷ)).
    n_features_in_ : int
    feature_names_in_ : ndarray of object
        When ``X`` had column names: texts, or numbers (0, 1, 2 … in this order also fit arrays without names).

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
        loss: str | Loss = "auto",
        k: Budgets = None,
        temperature: float = 1.0,
        hessian: Literal["exact", "unit"] = "exact",
        hessian_floor: float | None = None,
        pos_label: Any = None,
        class_weight: Any = None,
        calibration: Literal["sigmoid", "isotonic"] | None = None,
        calibration_fraction: float = 0.1,
        threshold: Literal["auto", "training", "holdout", "cross-fit"] = "auto",
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.loss = loss
        self.k = k
        self.temperature = temperature
        self.hessian = hessian
        self.hessian_floor = hessian_floor
        self.pos_label = pos_label
        self.class_weight = class_weight
        self.calibration = calibration
        self.calibration_fraction = calibration_fraction
        self.threshold = threshold
        self.verbose = verbose
        self.random_state = random_state

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        eval_set: tuple[Any, ArrayLike] | list[tuple[Any, ArrayLike]] | None = None,
        *,
        eval_X: Any = None,
        eval_y: Any = None,
        groups: ArrayLike | None = None,
        eval_groups: ArrayLike | None = None,
        eval_sample_weight: Any = None,
        sample_weight_eval_set: Any = None,
        eval_class_weight: Any = None,
        init_model: HSClassifier | None = None,
        **fit_params: Any,
    ) -> HSClassifier:
        """Train the trees, find the thresholds, fit the calibrator if one is asked for.

        After an error (an interrupt, too) the estimator is what it was before the call.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n_samples, n_features)
            Passed to the booster as it is (categoricals and missing values keep their meaning), or converted where it
            would be misread: other byte order, masked arrays (masked is missing), split entries of sparse matrices.
        y : array-like of shape (n_samples,)
            Two or more classes, of any type; which of two is positive, ``pos_label`` says.
        sample_weight : array-like of shape (n_samples,), optional
        eval_set : (X, y) or list of them, optional
            Rows to be watched, each set with :class:`hsboost.PrecisionAtK` at the budget, unless you chose an
            ``eval_metric``. On both boosters one set decides when to stop early (if the booster is asked to, by
            parameter or callback) and fits the calibrator: the last that is not the training rows. These are told by
            being the same X and y, or by equal values. Among the sets they are recorded like the others, and never
            stop and never calibrate; alone, early stopping is off, with a warning. An ``EarlyStopping`` of XGBoost
            that names a set by ``data_name`` keeps to it.
        eval_X, eval_y : matrix and labels, or tuples of them, optional
            The same as ``eval_set``, in the form that LightGBM has from 4.7 on; either form works with both boosters.
        groups : array-like of shape (n_samples,), optional
            Group of each row: rows compete for their group's budget only. Losses without a budget are trained as
            without groups, and have a threshold for each group all the same.
        eval_groups : array-like, optional
            Groups of the rows of a single ``eval_set``; without it the budgets' sum is watched over all its rows.
        eval_sample_weight, sample_weight_eval_set : list of array-like or None, optional
            Weights of the rows of each evaluation set (LightGBM's name and XGBoost's; either works with both): of the
            metric, and of the calibrator. For a single set its weights themselves will do.
        eval_class_weight : list of "balanced", dict of class labels to weights, or None, optional
            Multiplied into those weights for the metric, with both boosters; not for the calibrator (see
            ``class_weight``). Classes that a dict leaves out weigh 1. For a single set its entry itself will do.
        init_model : HSClassifier, optional
            A fitted model of the same classes and booster to go on from: its trees come first.
        **fit_params
            Passed to the booster's ``fit``, for example ``eval_metric`` and ``callbacks`` of LightGBM. Metrics of this
            package go there as they are, alone or in lists.

        Returns
        -------
        HSClassifier
            Itself, fitted.

        Raises
        ------
        ValueError, TypeError
            For dates, texts or complex numbers in X; for two columns of one name; for an evaluation set whose columns
            (names, order, number) or categories are not those of X; for arguments and settings without effect.

        Warns
        -----
        UserWarning
            Where no tree has a split and all rows get the same score, as with XGBoost and weights that sum to one
            (its ``min_child_weight`` is 1); where ``eval_set`` holds the training rows only.
        """
        if workers() is not None:
            raise RuntimeError(
                "HSClassifier trains on one machine, and this is one worker of several; "
                "use hsboost.dask.DaskHSClassifier, or xgboost.train with hsboost.HypersimplexObjective"
            )
        k = check.check_budgets(self.k)
        if self.calibration is not None:
            check.check_choice(self.calibration, "calibration", ("sigmoid", "isotonic"))
        check.check_choice(self.threshold, "threshold", _thresholds.SOURCES)
        history = History(self.verbose)
        given, X = X, _boosters.readable(self.estimator, X)
        n_samples, labels = check_inputs(X, y)
        _boosters.check_names(self.estimator, X)
        known, encoded = _labels.encode(labels)
        classes = _labels.numbered(known, self.pos_label)  # of two the positive one is number 1
        encoded = _labels.numbers(known, classes)[encoded]
        if eval_groups is not None and groups is None:
            raise ValueError("eval_groups goes with groups: a budget per group is trained for only with groups=")
        if init_model is not None:
            if not isinstance(init_model, HSClassifier):
                raise TypeError(f"init_model must be a fitted HSClassifier, got {init_model!r}")
            check_is_fitted(init_model, "estimator_")
            _boosters.check_columns_of_start(init_model, X)
            X = _boosters.continued(init_model.estimator_, X)
        pairs, called = _evaluation.one_form(eval_set, eval_X, eval_y)
        sets = self._read_sets(_evaluation.evaluation_sets(pairs, eval_groups, called), given, X, called)
        evaluation = _evaluation.read(
            sets, classes, (X, encoded), eval_sample_weight, sample_weight_eval_set, eval_class_weight, called
        )
        own_weight = check.check_weight(sample_weight, n_samples, "X")
        own_weight = None if own_weight is None else check.checked_weight(own_weight)
        weight = _weights.by_row(self, own_weight, labels)
        segments = None if groups is None else Segments.by_label(groups, n_samples, "X")
        budget = TrainingBudget(k, classes, encoded, weight, segments)

        # What is learnt goes to a copy, and to this estimator at the end, all at once.
        fitted = type(self).__new__(type(self))
        fitted.__dict__.update(self._unfitted())
        if isinstance(self.random_state, np.random.RandomState):
            fitted.random_state = copy.deepcopy(self.random_state)
        calibrates, holds_out = self.calibration is not None, self.threshold == "holdout"
        kept, aside = np.arange(n_samples), None
        if evaluation:
            place = _evaluation.deciding([one.is_training for one in evaluation])
            if place is not None:
                aside = _thresholds.aside_of_set(evaluation[place], weight, own_weight, encoded, eval_groups)
            elif calibrates or holds_out:
                name = "calibration" if calibrates else "threshold"
                raise _evaluation.only_training_rows(name, getattr(self, name))
        elif calibrates or holds_out:
            kept, held = fitted._set_aside(encoded)
            aside = _thresholds.aside_of_rows(X, encoded, own_weight, weight, segments, held)
        if calibrates and aside is not None:
            _calibration.check_rows(aside.y, aside.weight, classes.size)
        whole = kept.size == n_samples
        train_X = X if whole else take_rows(X, kept)
        train_y, train_w = encoded[kept], None if weight is None else weight[kept]
        train_groups = segments if segments is None or whole else Segments.by_label(np.asarray(groups)[kept])

        loss = self._loss(budget.for_training(whole))
        has_cuts = loss.has_budget or classes.size == 2  # scores of other losses compare between classes
        shares = _thresholds.Shares.of(budget)
        source = _thresholds.source(self.threshold, has_cuts, aside, shares, budget, encoded[kept], init_model)
        check_spent(k, budget.n_columns, loss, self.loss)
        offset = _start.offset(loss, train_y, train_w, classes.size, init_model)
        competing = train_groups if loss.has_budget else None  # rows of other losses do not
        objective = objective_of(loss, competing, offset, _start.unit(loss, self.estimator, init_model))
        if train_w is not None and classes.size == 2 and loss.has_budget and loss.k is None:
            with np.errstate(over="ignore"):
                stored = train_w.astype(np.float32)  # as boosters keep it: the greatest numbers are refused below
            for c in (0, 1):
                if not stored[train_y == c].any():
                    raise _labels.without_weight(classes[c], _weights.name_of(self))
        if weight is not None:
            booster = "XGBoost" if _boosters.kind_meant(self.estimator) == "xgboost" else "LightGBM"
            objective.check_weights(float(weight.sum()), booster, _weights.name_of(self))
        history.unit = objective.cut_unit
        objective.on_round = history
        estimator = _boosters.prepare(self.estimator, objective, classes.size)
        metric = PrecisionAtK(budget.for_evaluation(eval_groups is not None), eval_groups)
        before = None if init_model is None else _start.trees(init_model, classes, estimator)
        with _autolog.unlogged():
            _boosters.fit(estimator, train_X, train_y, train_w, evaluation, metric, before, fit_params)

        fitted.classes_, fitted.estimator_ = known, estimator
        if classes.size == 2:
            fitted.pos_label_ = classes[1]
        fitted.training_history_ = history.finished()
        fitted.n_features_in_ = int(estimator.n_features_in_)
        fitted._remember_columns(X)
        # The training rows' groups are data, and callbacks are not part of a model.
        fitted.objective_ = objective_of(loss, None, objective.offset, objective.unit)
        _boosters.exchange_objective(estimator, fitted.objective_)
        fitted._find_thresholds(loss, budget, train_X, train_y, train_w, train_groups)
        fitted.threshold_source_ = source
        if source == "holdout" and aside is not None:
            _thresholds.move(fitted, _thresholds.scored(fitted, aside), shares, budget.n_columns)
        elif source == "cross-fit":
            rows = train_X, train_y, train_w, train_groups
            folds = _thresholds.folds_of(self, HSClassifier.fit, estimator, shares, rows, fit_params)
            strict = self.threshold == "cross-fit"
            with _autolog.unlogged():
                fitted.threshold_source_ = _thresholds.cross_fit(fitted, folds, shares, budget.n_columns, strict)
        if calibrates and aside is not None:
            decisions = fitted._decide(aside.X) / objective.unit
            fitted.calibrators_ = _calibration.fit_all(self.calibration, decisions, aside.y, aside.weight)
        if fitted.random_state is not self.random_state:
            self.random_state.set_state(fitted.random_state.get_state())
        self.__dict__ = self._unfitted() | {name: value for name, value in vars(fitted).items() if name in FITTED}
        results = getattr(estimator, "evals_result_", None)
        first = np.arange(min(_autolog.ROWS, n_samples))
        _autolog.log(self, str(_boosters.kind(estimator)), lambda: take_rows(given, first), groups, results)
        return self

    def _unfitted(self) -> dict[str, Any]:
        """The attributes without those of an earlier fit."""
        return {name: value for name, value in vars(self).items() if name not in FITTED}

    def _read_sets(self, sets: list[tuple[Any, Any]], given: Any, X: Any, called: str) -> list[tuple[Any, Any]]:
        """Evaluation sets as the booster reads them rightly, with X's columns; X itself (``given``) stays itself."""
        found = []
        for i, (rows, labels) in enumerate(sets):
            name = f"{_evaluation.set_name(i, len(sets), called)}'s X"
            other = X if rows is given else _boosters.readable(self.estimator, rows, name)
            if other is not X:
                other = _boosters.check_evaluation(self.estimator, X, other, name)
            found.append((other, labels))
        return found

    def _find_thresholds(self, *rows: Any) -> None:
        """Set the thresholds to the cuts of the training rows: the arguments of `_thresholds.of_training`."""
        _thresholds.of_training(self, *rows)

    def _remember_columns(self, X: Any) -> None:
        names = column_names(X)
        if names is not None:
            self.feature_names_in_ = names

    def _set_aside(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows for the trees and rows that the calibrator is fitted on."""
        fraction = check.check_share(self.calibration_fraction, "calibration_fraction")
        index = np.arange(y.size)
        try:
            train, held = train_test_split(index, test_size=fraction, random_state=self.random_state, stratify=y)
        except ValueError as error:
            raise ValueError(
                f"calibration_fraction={self.calibration_fraction} leaves a class without rows "
                f"({np.bincount(y).tolist()} rows per class); pass an eval_set, more rows, or calibration=None"
            ) from error
        return np.sort(train), np.sort(held)
