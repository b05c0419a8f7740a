"""What follows from the classes, groups and weights of all partitions: budgets, objective, booster, thresholds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from hsboost import _validation as check
from hsboost._boosting.dataset_groups import ROW_FIELD
from hsboost._engines.rows import Seen
from hsboost._solver.segments import Segments
from hsboost._validation import Budgets
from hsboost._workers import radix
from hsboost.estimators import _boosters, _start, _weights
from hsboost.estimators._budgets import TrainingBudget, check_spent
from hsboost.estimators._evaluation import eval_metric
from hsboost.estimators._inputs import labels as _labels
from hsboost.losses import Loss
from hsboost.metrics import PrecisionAtK
from hsboost.objectives import objective_of

#: Group numbers are passed as float32.
MOST_GROUPS = 1 << 24


class Known(Protocol):
    """What is known of all training rows."""

    @property
    def classes(self) -> np.ndarray: ...  # in the order of their numbers: of two the positive one last

    @property
    def labels(self) -> list[Any] | None: ...  # of the groups

    @property
    def weighted(self) -> bool: ...

    @property
    def cells(self) -> np.ndarray: ...  # weight by class and group, (C, G)

    @property
    def n_rows(self) -> int: ...


class Plan(NamedTuple):
    """What is trained, and how it is watched."""

    loss: Loss
    objective: Any  # with the groups that come with the rows
    final: Any  # the objective that the model keeps
    estimator: Any
    metric: PrecisionAtK


def union(seen: list[Seen], pos_label: Any, grouped: bool) -> tuple[np.ndarray, np.ndarray, list[Any] | None]:
    """Classes in the order of their numbers, rows of each, and sorted group labels (None without groups)."""
    full = [one for one in seen if one.counts.size]
    if not full:
        raise ValueError("X holds no rows; pass at least one row of each class")
    known, at = np.unique(np.concatenate([one.classes for one in full]), return_inverse=True)
    counts = np.bincount(at, np.concatenate([one.counts for one in full]))
    _labels.encode(known)
    classes = _labels.numbered(known, pos_label)
    counts = counts[_labels.numbers(classes, known)]
    if not grouped:
        return classes, counts, None
    labels = Segments.by_label([label for one in seen for label in one.groups]).labels
    if len(labels) >= MOST_GROUPS:
        raise ValueError(f"groups holds {len(labels)} labels; at most {MOST_GROUPS - 1} can travel with the rows")
    return classes, counts, labels


def index_of(labels: list[Any] | None) -> dict[Any, int] | None:
    """Group labels to numbers."""
    return None if labels is None else {label: g for g, label in enumerate(labels)}


def budget_of(k: Budgets, known: Known) -> TrainingBudget:
    """What k means for these rows: classes and groups as rows of their own, weighing what they weigh."""
    n_classes, n_groups = known.cells.shape
    segments = None if known.labels is None else Segments.by_label(known.labels * n_classes)
    return TrainingBudget(k, known.classes, np.repeat(np.arange(n_classes), n_groups), known.cells.ravel(), segments)


def plan(
    local: Any,
    k: Budgets,
    known: Known,
    budget: TrainingBudget,
    index: dict[Any, int] | None,
    eval_grouped: bool,
    before: Any = None,
) -> Plan:
    """Loss, objective and booster of ``local``, an unfitted HSClassifier.

    ``index`` numbers the groups of training and evaluation rows; ``eval_grouped``: the latter have groups, too;
    ``before`` is a fitted HSClassifier to go on from, or None.
    """
    loss = local._loss(budget.for_training(True))
    check_spent(k, budget.n_columns, loss, local.loss)
    if known.weighted and budget.n_columns == 1 and loss.has_budget and loss.k is None:
        for label, cell in zip(known.classes, known.cells, strict=True):
            if not cell.sum() > 0.0:
                raise _labels.without_weight(label, _weights.name_of(local))
    classes = np.arange(known.classes.size)
    cells = np.repeat(classes, known.cells.shape[1]), known.cells.ravel()
    offset = _start.offset(loss, *cells, classes.size, before)
    unit = _start.unit(loss, local.estimator, before)
    columns = budget.n_columns
    objective = objective_of(
        local._loss(by_code(budget.for_training(True), index, columns)),
        ROW_FIELD if known.labels is not None and loss.has_budget else None,
        offset,
        unit,
    )
    if known.weighted:
        objective.check_weights(float(known.cells.sum()), "XGBoost", _weights.name_of(local))
    final = objective_of(loss, None, offset, unit)
    estimator = _boosters.prepare(local.estimator, final, classes.size)
    watched = by_code(budget.for_evaluation(eval_grouped), index, columns)
    return Plan(loss, objective, final, estimator, PrecisionAtK(watched, ROW_FIELD if eval_grouped else None))


def by_code(k: Budgets, index: dict[Any, int] | None, n_columns: int) -> Budgets:
    """Budgets by group label as budgets by group number, as they lie in the data."""
    if index is None or not isinstance(k, Mapping):
        return k
    if n_columns > 1:
        return {c: by_code(budget, index, 1) for c, budget in k.items()}
    k = check.by_label(k)
    return {float(g): k[label if label in k else None] for label, g in index.items() if label in k or None in k}


def native_settings(estimator: Any, n_classes: int, metric: PrecisionAtK | None) -> tuple[dict[str, Any], Any]:
    """Parameters of an XGBClassifier for ``xgboost.train``, and the metric that is a function, if any.

    Unless the user chose a metric it is ``metric``; that is None where no rows are watched.
    """
    params = estimator.get_xgb_params() | {"objective": "binary:logistic"}
    if n_classes > 2:
        params |= {"objective": "multi:softprob", "num_class": n_classes}
    params.pop("feature_weights", None)
    return params, None if metric is None else _metrics(estimator, params, metric)


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


def assembled(local: Any, made: Plan, booster: Any, classes: np.ndarray, columns: Any) -> Any:
    """The trained trees as an HSClassifier without thresholds; ``columns`` are rows, of which names are read."""
    estimator = made.estimator
    estimator.load_model(bytearray(booster.save_raw("ubj")))
    estimator.n_classes_ = classes.size
    local.classes_, local.estimator_ = np.sort(classes), estimator
    if classes.size == 2:
        local.pos_label_ = classes[1]
    local.n_features_in_ = int(estimator.n_features_in_)
    local.training_history_ = {"iteration": list(range(booster.num_boosted_rounds()))}
    local._remember_columns(columns)
    local.objective_ = made.final
    _boosters.exchange_objective(estimator, made.final)
    local.threshold_source_ = "training"
    return local


def find_thresholds(model: Any, place_of: Callable[[int], radix.Places], known: Known, budget: TrainingBudget) -> None:
    """Set the hard cuts of the training scores on ``model``, an HSClassifier, as its own ``fit`` would find them.

    ``place_of(0)`` holds the scores as rankings of each column, ``place_of(1)`` of each column and group.
    """
    loss, columns = model.objective_.loss, budget.n_columns
    n_groups = known.cells.shape[1]
    greatest, least = place_of(0).max((2, columns), _greatest_and_least, columns)
    if (greatest == -least).all():
        average = float(known.cells.sum()) / known.n_rows
        _boosters.warn_of_one_score(model.estimator_, average, _weights.name_of(model))
    if columns > 1 and not loss.has_budget:
        model.threshold_ = np.zeros(columns)
        if known.labels is not None:
            model.group_thresholds_ = {label: np.zeros(columns) for label in known.labels}
        return
    offset = np.ravel(0.0 if model.objective_.offset is None else model.objective_.offset)
    own = known.cells[[1] if columns == 1 else list(range(columns))]
    total = known.cells.sum(axis=0)

    def found(which: int, mass: np.ndarray) -> np.ndarray:
        place = place_of(which)
        shift = np.repeat(np.broadcast_to(offset, (columns,)), mass.size // columns)
        boundaries = radix.boundaries(place, mass, np.float32, "raw_prediction")
        return radix.cuts(place, boundaries, mass, shift, model.objective_.unit)

    overall = budget.overall() if known.labels is not None else budget.for_training(True)
    budgets = [overall] if columns == 1 else check.class_budgets(overall, columns)
    pairs = zip(budgets, own.sum(axis=1).tolist(), strict=True)
    all_rows = float(total.sum())
    cut = found(0, np.array([check.budget_mass(check.single_budget(b), all_rows, p) for b, p in pairs]))
    model.threshold_ = float(cut[0]) if columns == 1 else cut
    if known.labels is None:
        return
    trained = budget.for_training(True)
    by_column = [trained] if columns == 1 else check.class_budgets(trained, columns)
    rules = [check.BudgetRule.of(b, known.labels) for b in by_column]
    masses = np.stack([rule.masses(total, positive) for rule, positive in zip(rules, own, strict=True)])
    grouped = found(1, masses.ravel()).reshape(columns, n_groups)
    grouped = np.where(np.isnan(grouped), cut[:, None], grouped)  # groups without weight
    model.group_thresholds_ = {
        label: float(grouped[0, g]) if columns == 1 else grouped[:, g].copy() for g, label in enumerate(known.labels)
    }


def _greatest_and_least(rows: radix.Rows, columns: int) -> np.ndarray:
    """The greatest score of each column, and minus the least, of one partition: (2, columns)."""
    scores = rows.score.reshape(columns, -1)
    return np.stack([scores.max(axis=1, initial=-np.inf), (-scores).max(axis=1, initial=-np.inf)])
