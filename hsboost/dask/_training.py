"""XGBoost's distributed training with a loss of this package, and the thresholds of its scores."""

from __future__ import annotations

from typing import Any, NamedTuple

import dask.array as da
import numpy as np
from distributed import Client

from hsboost import _validation as check
from hsboost._boosting.dataset_groups import ROW_FIELD
from hsboost._engines import plan
from hsboost._engines import rows as _rows
from hsboost._validation import Budgets
from hsboost.dask import _partitions as partitions
from hsboost.estimators import _boosters
from hsboost.estimators._budgets import TrainingBudget
from hsboost.estimators._evaluation import stopping
from hsboost.estimators._inputs.class_weight import weight_by_class
from hsboost.metrics import PrecisionAtK


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
        return plan.index_of(self.labels)

    def budget(self, k: Budgets) -> TrainingBudget:
        """What k means for these rows."""
        return plan.budget_of(k, self)


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
    classes, counts, labels = plan.union(seen, pos_label, groups is not None)
    by_class = None
    if class_weight is not None:
        by_class = weight_by_class(class_weight, classes, counts, "class_weight", strict=False)
    index = plan.index_of(labels)
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

    params, custom = plan.native_settings(estimator, training.classes.size, metric if evaluation else None)
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


def find_thresholds(client: Client, model: Any, training: Training, budget: TrainingBudget) -> None:
    """Set the hard cuts of the training scores on ``model``, an HSClassifier, as its own ``fit`` would find them."""
    shared = (client.scatter(model, hash=False), training.cells.shape[1])
    scores = client.persist(
        partitions.each(_rows.training_rows, partitions.pieces(training.X, "X"), training.rows, shared=shared)
    )

    def place_of(which: int) -> partitions.Partitions:
        return partitions.Partitions(client, partitions.each(_rows.part_of, scores, shared=(which,)))

    plan.find_thresholds(model, place_of, training, budget)


def first_rows(X: Any, n: int) -> Any:
    """The first rows of a Dask array or data frame, as an array or a frame."""
    return X.head(n, npartitions=-1) if hasattr(X, "head") else X[:n].compute()
