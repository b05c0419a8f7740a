"""XGBoost's distributed training with a loss of this package, and the thresholds of its scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import dask.array as da
import numpy as np
from distributed import Client

from hsboost import _validation as check
from hsboost._boosting.dataset_groups import ROW_FIELD
from hsboost._solver.segments import Segments
from hsboost._validation import Budgets
from hsboost._workers import radix
from hsboost.dask import _partitions as partitions
from hsboost.dask import _rows
from hsboost.estimators import _boosters, _weights
from hsboost.estimators._budgets import TrainingBudget
from hsboost.estimators._evaluation import eval_metric, stopping
from hsboost.estimators._inputs import labels as _labels
from hsboost.estimators._inputs.class_weight import weight_by_class
from hsboost.metrics import PrecisionAtK

#: Group numbers are passed as float32.
MOST_GROUPS = 1 << 24


class Training(NamedTuple):
    """The training rows, encoded, where they are; and what is known of them all."""

    X: Any
    places: list[list[str]]  # the workers that hold each partition
    rows: list[Any]
    classes: np.ndarray  # in the order of their numbers: of two the positive one last
    labels: list[Any] | None
    weighted: bool
    cells: np.ndarray  # weight by class and group, (C, G)
    n_rows: int  # as the cells: of the training rows
    is_training: bool = False  # of an evaluation set: it is the training rows

    @property
    def numbers(self) -> dict[Any, int] | None:
        """Group labels to numbers."""
        return None if self.labels is None else {label: g for g, label in enumerate(self.labels)}

    def budget(self, k: Budgets) -> TrainingBudget:
        """What k means for these rows: classes and groups as rows of their own, weighing what they weigh."""
        n_classes, n_groups = self.cells.shape
        segments = None if self.labels is None else Segments.by_label(self.labels * n_classes)
        return TrainingBudget(k, self.classes, np.repeat(np.arange(n_classes), n_groups), self.cells.ravel(), segments)


def read(
    client: Client,
    X: Any,
    y: Any,
    sample_weight: Any,
    groups: Any,
    class_weight: Any,
    weights: str,
    pos_label: Any,
) -> Training:
    """Classes, groups and weights of all rows (X is persisted); the labels are encoded and kept beside them.

    ``weights`` is what the weights, of rows and classes together, are called in errors.
    """
    x = partitions.pieces(X, "X")
    none = [None] * len(x)
    given = [
        none if other is None else client.compute(partitions.aligned(X, other, name))
        for name, other in (("y", y), ("sample_weight", sample_weight), ("groups", groups))
    ]
    seen = partitions.collect(client, partitions.each(_rows.survey, x, *given))
    full = [one for one in seen if one.counts.size]
    if not full:
        raise ValueError("X holds no rows; pass at least one row of each class")
    classes, at = np.unique(np.concatenate([one.classes for one in full]), return_inverse=True)
    counts = np.bincount(at, np.concatenate([one.counts for one in full]))
    _labels.encode(classes)
    known, classes = classes, _labels.numbered(classes, pos_label)
    counts = counts[_labels.numbers(classes, known)]
    labels = None
    if groups is not None:
        labels = Segments.by_label([label for one in seen for label in one.groups]).labels
        if len(labels) >= MOST_GROUPS:
            raise ValueError(f"groups holds {len(labels)} labels; at most {MOST_GROUPS - 1} can travel with the rows")
    by_class = None
    if class_weight is not None:
        by_class = weight_by_class(class_weight, classes, counts, "class_weight", strict=False)
    index = None if labels is None else {label: g for g, label in enumerate(labels)}
    places = partitions.holders(client, X)
    rows = partitions.beside(client, places, _rows.encode, *given, shared=(classes, by_class, index))
    shape = (classes.size, 1 if labels is None else len(labels))
    cells = partitions.Partitions(client, rows).sum(shape, _rows.cells, *shape)
    check.check_total_weight(float(cells.sum()), weights)
    weighted = sample_weight is not None or by_class is not None
    if weighted:
        greatest = partitions.Partitions(client, rows).max((1,), _rows.largest_weight)
        check.check_some_weight(float(greatest[0]), weights)
    return Training(X, places, rows, classes, labels, weighted, cells, int(counts.sum()))


def matrix(client: Client, estimator: Any, training: Training, reference: Any = None) -> Any:
    """XGBoost's data, in the layout that XGBClassifier would choose."""
    from xgboost import dask as xgboost_dask

    def detail(function: Any) -> Any:
        return partitions.details(client, training.places, function, training.rows)

    settings = {
        "missing": estimator.missing,
        "enable_categorical": bool(estimator.enable_categorical),
        "feature_types": estimator.feature_types,
    }
    if getattr(estimator, "feature_weights", None) is not None:  # XGBoost has them from 3.0 on
        settings["feature_weights"] = da.from_array(np.asarray(estimator.feature_weights))
    if training.weighted:
        settings["weight"] = detail(_rows.weight_of)
    if training.labels is not None:
        settings[ROW_FIELD] = detail(_rows.group_of)
    label = detail(_rows.label_of)
    if estimator.tree_method in (None, "auto", "hist") and not (estimator.device or "").startswith("sycl"):
        return xgboost_dask.DaskQuantileDMatrix(
            client, training.X, label, max_bin=estimator.max_bin, ref=reference, **settings
        )  # fmt: skip
    return xgboost_dask.DaskDMatrix(client, training.X, label, **settings)


def train(
    client: Client,
    estimator: Any,
    objective: Any,
    training: Training,
    evaluation: list[Training],
    metric: PrecisionAtK,
    extra: dict[str, Any],
) -> dict[str, Any]:
    """``xgboost.dask.train`` with the settings of an XGBClassifier; its dictionary of booster and history."""
    from xgboost import dask as xgboost_dask

    n_classes = training.classes.size
    params = estimator.get_xgb_params() | {"objective": "binary:logistic"}
    if n_classes > 2:
        params |= {"objective": "multi:softprob", "num_class": n_classes}
    params.pop("feature_weights", None)
    custom = _metrics(estimator, params, metric) if evaluation else None
    dtrain = matrix(client, estimator, training)
    evals = [(matrix(client, estimator, one, dtrain), f"validation_{i}") for i, one in enumerate(evaluation)]
    is_training = [one.is_training for one in evaluation]
    with _boosters.explained(), stopping.on_one_set("xgboost", estimator, {}, is_training):
        return dict(
            xgboost_dask.train(
                client,
                params,
                dtrain,
                num_boost_round=estimator.get_num_boosting_rounds(),
                evals=evals,
                obj=objective,
                custom_metric=custom,
                early_stopping_rounds=estimator.early_stopping_rounds,
                callbacks=estimator.callbacks,
                verbose_eval=extra.pop("verbose", False),
                **extra,
            )
        )


def _metrics(estimator: Any, params: dict[str, Any], metric: PrecisionAtK) -> Any:
    """The metric that is a function, if any; names go into ``params``. Unless the user chose, it is ``metric``."""
    names, function = eval_metric.of_xgboost(estimator.eval_metric)
    if not names and function is None:
        function = metric
    params.pop("eval_metric", None)
    if names:
        params["eval_metric"] = names
    else:
        params["disable_default_eval_metric"] = True
    return None if function is None else _Native(function)


class _Native:
    """A metric of labels and scores, or one of this package, as XGBoost's native interface calls it."""

    def __init__(self, metric: Any) -> None:
        self.metric = metric

    def __call__(self, raw: np.ndarray, data: Any) -> tuple[str, float]:
        if hasattr(self.metric, "lightgbm"):  # ours take both orders
            return self.metric(raw, data)
        weight = data.get_weight()
        weighted = {"sample_weight": weight} if len(weight) else {}
        return self.metric.__name__, float(self.metric(data.get_label(), raw, **weighted))


def by_code(k: Budgets, index: dict[Any, int] | None, n_columns: int) -> Budgets:
    """Budgets by group label as budgets by group number, as they lie in the data."""
    if index is None or not isinstance(k, Mapping):
        return k
    if n_columns > 1:
        return {c: by_code(budget, index, 1) for c, budget in k.items()}
    k = check.by_label(k)
    return {float(g): k[label if label in k else None] for label, g in index.items() if label in k or None in k}


def find_thresholds(client: Client, model: Any, training: Training, budget: TrainingBudget) -> None:
    """Set the hard cuts of the training scores on ``model``, an HSClassifier, as its own ``fit`` would find them."""
    loss, columns = model.objective_.loss, budget.n_columns
    n_groups = training.cells.shape[1]
    shared = (client.scatter(model, hash=False), n_groups)
    scores = client.persist(
        partitions.each(_rows.training_rows, partitions.pieces(training.X, "X"), training.rows, shared=shared)
    )
    greatest, least = partitions.Partitions(client, scores).max((2, columns), _rows.greatest_and_least, columns)
    if (greatest == -least).all():
        average = float(training.cells.sum()) / training.n_rows
        _boosters.warn_of_one_score(model.estimator_, average, _weights.name_of(model))
    if columns > 1 and not loss.has_budget:
        model.threshold_ = np.zeros(columns)
        if training.labels is not None:
            model.group_thresholds_ = {label: np.zeros(columns) for label in training.labels}
        return
    offset = np.ravel(0.0 if model.objective_.offset is None else model.objective_.offset)
    wanted = [1] if columns == 1 else range(columns)
    own = training.cells[list(wanted)]
    total = training.cells.sum(axis=0)

    def found(which: int, mass: np.ndarray) -> np.ndarray:
        place = partitions.Partitions(client, partitions.each(_rows.part_of, scores, shared=(which,)))
        shift = np.repeat(np.broadcast_to(offset, (columns,)), mass.size // columns)
        boundaries = radix.boundaries(place, mass, np.float32, "raw_prediction")
        return radix.cuts(place, boundaries, mass, shift, model.objective_.unit)

    overall = budget.overall() if training.labels is not None else budget.for_training(True)
    budgets = [overall] if columns == 1 else check.class_budgets(overall, columns)
    pairs = zip(budgets, own.sum(axis=1).tolist(), strict=True)
    all_rows = float(total.sum())
    cut = found(0, np.array([check.budget_mass(check.single_budget(b), all_rows, p) for b, p in pairs]))
    model.threshold_ = float(cut[0]) if columns == 1 else cut
    if training.labels is None:
        return
    trained = budget.for_training(True)
    by_column = [trained] if columns == 1 else check.class_budgets(trained, columns)
    rules = [check.BudgetRule.of(b, training.labels) for b in by_column]
    masses = np.stack([rule.masses(total, positive) for rule, positive in zip(rules, own, strict=True)])
    grouped = found(1, masses.ravel()).reshape(columns, n_groups)
    grouped = np.where(np.isnan(grouped), cut[:, None], grouped)  # groups without weight
    model.group_thresholds_ = {
        label: float(grouped[0, g]) if columns == 1 else grouped[:, g].copy() for g, label in enumerate(training.labels)
    }


def first_rows(X: Any, n: int) -> Any:
    """The first rows of a Dask array or data frame, as an array or a frame."""
    return X.head(n, npartitions=-1) if hasattr(X, "head") else X[:n].compute()
