"""DaskHSClassifier: HSClassifier for rows on many machines."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from hsboost import _validation as check
from hsboost._engines import plan
from hsboost._engines import rows as _rows
from hsboost._validation import Budgets
from hsboost.dask import _evaluation, _levels, _training
from hsboost.dask import _partitions as partitions
from hsboost.dask._predicting import DaskPredictor, head, on_cluster
from hsboost.dask._training import Training
from hsboost.estimators import HSClassifier, _autolog, _boosters, _calibration, _start, _weights
from hsboost.estimators._evaluation import deciding, only_training_rows
from hsboost.estimators._inputs import categories
from hsboost.losses import Loss

#: What ``fit`` learns; all of it is of one fit.
FITTED = frozenset({"local_", "evals_result_"})


class DaskHSClassifier(DaskPredictor):
    """HSClassifier on a Dask cluster: trees for precision at a budget of all rows, wherever these are.

    All workers' rows compete for one budget and share one threshold, as if they were in one place (see the guide to
    distributed training). The trees are XGBoost's, trained with ``xgboost.dask``. Rows do not leave their workers;
    this class itself gathers counts, a few thousand sums at a time, and with ``calibration`` the scores of the
    evaluation rows.

    Parameters
    ----------
    estimator : None, "xgboost", XGBClassifier or DaskXGBClassifier, default None
        The booster and its settings; None means ``"xgboost"``. Callbacks (checkpoints), early stopping, metrics and
        ``coll_cfg`` (how workers find each other, retries, time-outs) are used. LightGBM is refused: under Dask it
        shows a custom objective the rows of one worker only.
    loss, k, temperature, hessian, hessian_floor, pos_label, class_weight
        As for :class:`hsboost.HSClassifier`.
    calibration : {None, "sigmoid", "isotonic"}, default None
        How ``predict_proba`` turns scores into probabilities. Fitted on the last ``eval_set`` that is not the training
        rows, whose scores, labels and weights are brought to the client.

    Attributes
    ----------
    classes_, pos_label_, threshold_, group_thresholds_, n_features_in_, feature_names_in_, booster_
        As for :class:`hsboost.HSClassifier` with ``threshold="training"``: the thresholds are exactly those of the
        gathered scores of the training rows. Cross-fitting would train on the cluster several times.
    evals_result_ : dict
        XGBoost's record of the evaluation sets, "validation_0" and so on.
    client : distributed.Client
        The cluster to work on; may be set, otherwise Dask's current client. Not a parameter, not pickled.

    Examples
    --------
    >>> model = DaskHSClassifier(k=0.05).fit(X, y)  # doctest: +SKIP
    >>> calls = model.predict_top_k(X_new, 1_000)  # a Dask collection  # doctest: +SKIP
    >>> model.to_local().save_model("model.json")  # doctest: +SKIP
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

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        eval_set: tuple[Any, Any] | list[tuple[Any, Any]] | None = None,
        *,
        eval_X: Any = None,
        eval_y: Any = None,
        groups: Any = None,
        eval_groups: Any = None,
        eval_sample_weight: Any = None,
        sample_weight_eval_set: Any = None,
        eval_class_weight: Any = None,
        init_model: HSClassifier | DaskHSClassifier | None = None,
        **fit_params: Any,
    ) -> DaskHSClassifier:
        """Train the trees on the cluster, find the thresholds, fit the calibrator if one is asked for.

        After an error (an interrupt, too) the estimator is what it was before the call.

        Parameters
        ----------
        X : Dask array or data frame of shape (n_samples, n_features)
            Cut by rows. Persisted on the cluster while training goes on.
        y : Dask array or series
            Two or more classes, of any type; which of two is positive, ``pos_label`` says.
        sample_weight : Dask array or series, optional
        eval_set : (X, y) or list of them, optional
            Watched with :class:`hsboost.PrecisionAtK` of all workers' rows, unless you chose an ``eval_metric``. Early
            stopping (set on the booster) and calibration go by the last set that is not the training rows, as in
            :meth:`hsboost.HSClassifier.fit`: not the same collections, nor equal ones in partitions of equal length.
        eval_X, eval_y : Dask collections, or tuples of them, optional
            The same as ``eval_set``, in LightGBM's form.
        groups : Dask array or series, optional
            Group of each row (at most 2**24 groups); a group's rows may lie on several workers.
        eval_groups : Dask array or series, optional
            Groups of the rows of a single ``eval_set``.
        eval_sample_weight, sample_weight_eval_set : list of Dask arrays or series, or None, optional
        eval_class_weight : list of "balanced", dict of class labels to weights, or None, optional
            As for :meth:`hsboost.HSClassifier.fit`.
        init_model : HSClassifier or DaskHSClassifier, optional
            A fitted model of the same classes to go on from: its trees come first.
        **fit_params
            ``xgb_model`` (a booster, a checkpoint's path), ``verbose``, ``coll_cfg``: passed to
            ``xgboost.dask.train``.

        Returns
        -------
        DaskHSClassifier
            Itself, fitted.

        Raises
        ------
        ValueError, TypeError
            For bad input; what is wrong with rows names their partition.
        """
        k = check.check_budgets(self.k)
        local = self._blank()
        if self.calibration is not None:
            check.check_choice(self.calibration, "calibration", ("sigmoid", "isotonic"))
        sets = _evaluation.given_sets(
            eval_set,
            eval_X,
            eval_y,
            groups,
            eval_groups,
            self.calibration,
            eval_sample_weight,
            sample_weight_eval_set,
            eval_class_weight,
        )
        class_weight = _weights.class_weight_of(local)
        client = self._cluster()
        _boosters.check_names("xgboost", head(X))
        persisted = _levels.unified(client, partitions.kept(client, X))
        training = _training.read(
            client, persisted, y, sample_weight, groups, class_weight, _weights.name_of(local), self.pos_label
        )
        budget = training.budget(k)
        evaluation = _evaluation.read(client, training, X, y, sets)
        place = deciding([one.is_training for one in evaluation])
        labels, counted = None, None
        if self.calibration is not None:
            if place is None:
                raise only_training_rows("calibration", self.calibration)
            labels, counted = _evaluation.of_calibrator(client, evaluation[place])
        before = self._start(client, init_model, training)

        index = _evaluation.group_numbers(training, evaluation)
        made = plan.plan(local, k, training, budget, index, eval_groups is not None, before)
        estimator, unit = made.estimator, made.final.unit
        _boosters.know_categories(estimator, head(training.X))
        extra = self._extra(fit_params, before)
        found = _training.train(client, estimator, made.objective, training, evaluation, made.metric, extra)

        local = plan.assembled(local, made, found["booster"], training.classes, head(X))
        _training.find_thresholds(client, local, training, budget)
        if place is not None and labels is not None:
            last = evaluation[place]
            parts = partitions.each(
                _rows.call, partitions.pieces(last.X, "X"), [None] * len(last.rows),
                shared=(on_cluster(client, local), "_margins"),
            )  # fmt: skip
            scores = np.concatenate(partitions.collect(client, parts)) / unit
            local.calibrators_ = _calibration.fit_all(self.calibration, scores, labels, counted)
        unfitted = {name: value for name, value in vars(self).items() if name not in FITTED}
        self.__dict__ = unfitted | {"local_": local, "evals_result_": found["history"]}
        _autolog.log(self, "xgboost", lambda: _training.first_rows(X, _autolog.ROWS), groups, found["history"])
        return self

    def _blank(self) -> HSClassifier:
        """An unfitted HSClassifier with these settings."""
        settings = self.get_params(deep=False) | {"threshold": "training"}
        settings["estimator"] = _local_estimator(self.estimator)
        return HSClassifier(**settings)

    def _start(self, client: Any, init_model: Any, training: Training) -> HSClassifier | None:
        """The model to go on from."""
        classes, X = training.classes, training.X
        if init_model is None:
            return None
        if not isinstance(init_model, HSClassifier | DaskHSClassifier):
            raise TypeError(f"init_model must be a fitted HSClassifier or DaskHSClassifier, got {init_model!r}")
        check_is_fitted(init_model, "classes_")
        model = init_model.local_ if isinstance(init_model, DaskHSClassifier) else init_model
        if _boosters.kind(model.estimator_) != "xgboost":
            raise ValueError("init_model was trained with LightGBM; only XGBoost's trees can be continued here")
        _start.check_classes(model, classes)
        _boosters.check_columns_of_start(model, head(X))
        if categories.of_frame(head(X), "xgboost"):
            known = categories.of_booster("xgboost", model.booster_)
            _evaluation.check_categories(client, known, X, "init_model was trained on other columns: X")
        return model

    def _extra(self, fit_params: dict[str, Any], before: HSClassifier | None) -> dict[str, Any]:
        extra = dict(fit_params)
        unknown = sorted(set(extra) - {"xgb_model", "verbose", "coll_cfg"})
        if unknown:
            raise TypeError(f"fit takes xgb_model, verbose and coll_cfg besides its own arguments, got {unknown[0]!r}")
        if getattr(self.estimator, "coll_cfg", None) is not None:
            extra.setdefault("coll_cfg", self.estimator.coll_cfg)
        if before is not None:
            if extra.get("xgb_model") is not None:
                raise ValueError("init_model and xgb_model both say where to go on from; give one of them")
            extra["xgb_model"] = _boosters.start(before.estimator_)
        return extra


def _local_estimator(estimator: Any) -> Any:
    """The booster's settings as HSClassifier takes them."""
    if estimator is None or isinstance(estimator, str):
        name = estimator
    else:
        name = _boosters.kind(estimator)
        kinds = {(c.__module__.partition(".")[0], c.__name__) for c in type(estimator).__mro__}
        if ("xgboost", "DaskXGBClassifier") in kinds:
            from xgboost import XGBClassifier

            settings = clone(estimator).get_params(deep=False)
            settings.pop("coll_cfg", None)
            return XGBClassifier(**settings)
        if any(package == "lightgbm" for package, _ in kinds):
            name = "lightgbm"
    if name == "lightgbm":
        raise ValueError(
            "estimator: under Dask, LightGBM shows a custom objective the rows of one worker only, and this loss needs "
            "all of them; use 'xgboost', or HSClassifier('lightgbm') on one machine"
        )
    if name not in (None, "xgboost"):
        raise ValueError(
            f"estimator must be None, 'xgboost', an XGBClassifier or a DaskXGBClassifier; got {estimator!r}"
        )
    return estimator
