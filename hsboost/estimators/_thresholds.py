"""Where ``predict`` cuts: thresholds from rows that the trees have not seen, so that new rows meet the budget.

Trees push their training rows away from the cut, and new rows land elsewhere: the score that k training rows exceed is
exceeded by more, or fewer, new ones. A model's cuts are first those of its training rows, and are moved by what other
rows show.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold

from hsboost._solver.segments import Segments
from hsboost._validation import Budgets
from hsboost.estimators import _boosters, _weights
from hsboost.estimators._boosters.aliases import settled
from hsboost.estimators._boosters.named import named
from hsboost.estimators._budgets import TrainingBudget
from hsboost.estimators._evaluation import EvaluationSet
from hsboost.estimators._inputs.rows import take_rows
from hsboost.losses import HypersimplexLoss, Loss

Source = Literal["training", "holdout", "cross-fit"]
SOURCES = ("auto", "training", "holdout", "cross-fit")

#: Rows above a cut (or below it) that tell where it lies: its error is about one in the square root of them.
ENOUGH = 20
#: With so many, more folds would say little more.
PLENTY = 200
#: Least number for which "auto" trains folds.
SOME = 10
#: From so many training rows on "auto" trains no folds: trees of usual size fit them less closely, and folds would
#: double the time of what takes long.
MANY = 100_000
FOLDS = 5

#: Arguments of ``fit`` that go with evaluation sets, which folds do not have.
_OF_EVALUATION = ("eval_metric", "eval_names", "callbacks")


class Unseen(NamedTuple):
    """Scores of rows that the trees were not trained on, relative to the cuts of those that they were trained on."""

    scores: np.ndarray  # (n,) or (n, C), relative to the common cut
    y: np.ndarray  # class numbers
    weight: np.ndarray | None  # with class weights
    grouped: np.ndarray | None = None  # relative to the cut of the row's group
    labels: np.ndarray | None = None  # that group's label


class Shares(NamedTuple):
    """What k is as a share of rows, from the training rows: of all rows, and of each group."""

    overall: Budgets
    by_group: Budgets

    @classmethod
    def of(cls, budget: TrainingBudget) -> Shares:
        """Counts become shares of the weight of the rows (of the group) that they were counts of."""
        shares = budget.for_training(False)
        return cls(shares if budget.segments is None else budget.overall(), shares)


class Aside(NamedTuple):
    """Rows that the trees are not trained on."""

    X: Any
    y: np.ndarray  # class numbers
    weight: np.ndarray | None  # how many cases a row stands for
    counted: np.ndarray | None  # times class weights: as budgets count it
    labels: np.ndarray | None  # of each row's group


def aside_of_set(
    one: EvaluationSet, weight: np.ndarray | None, own: np.ndarray | None, y: np.ndarray, groups: Any
) -> Aside:
    """An evaluation set; ``weight`` and ``own`` are the training rows' weights, with class weights or not."""
    counted = one.weight
    if weight is not None:
        by_class = np.ones(int(y.max()) + 1)
        some = np.ones(y.size, np.bool_) if own is None else own > 0.0
        by_class[y[some]] = weight[some] if own is None else weight[some] / own[some]
        if (by_class != 1.0).any():
            counted = by_class[one.y] if counted is None else counted * by_class[one.y]
    return Aside(one.X, one.y, one.weight, counted, None if groups is None else _labels(Segments.by_label(groups)))


def aside_of_rows(
    X: Any,
    y: np.ndarray,
    own: np.ndarray | None,
    weight: np.ndarray | None,
    segments: Segments | None,
    rows: np.ndarray,
) -> Aside:
    """Some of the training rows, set aside."""
    own, counted = (None if one is None else one[rows] for one in (own, weight))
    labels = None if segments is None else _labels(segments)[rows]
    return Aside(take_rows(X, rows), y[rows], own, counted, labels)


def _labels(segments: Segments) -> np.ndarray:
    """The group label of each row."""
    known = np.empty(len(segments.labels), dtype=object)
    known[:] = segments.labels
    return known[segments.codes]


def source(
    asked: str,
    has_cuts: bool,
    aside: Aside | None,
    shares: Shares,
    budget: TrainingBudget,
    y: np.ndarray,
    init_model: Any,
) -> Source:
    """The rows that thresholds come from; ``y`` are class numbers of the rows that the trees are trained on.

    Raises
    ------
    ValueError
        For rows that were asked for and cannot say where to cut.
    """
    n_columns = budget.n_columns
    if asked == "cross-fit" and init_model is not None:
        raise ValueError(
            "threshold='cross-fit' needs models that have not seen some rows, and the trees of init_model have seen "
            "what they have; pass threshold='holdout' with an eval_set, or 'training'"
        )
    if not has_cuts or asked == "training":
        return "training"
    if asked == "holdout":
        assert aside is not None
        if budget.segments is not None and aside.labels is None:
            raise ValueError(
                "threshold='holdout' needs the group of each evaluation row; pass eval_groups=, with a single eval_set"
            )
        if not _is_known(shares.overall, aside.y, aside.counted, n_columns).all():
            raise ValueError(
                "threshold='holdout': the held-out rows lack a class (or its weight), of which k=None takes as many as "
                "there are; pass an eval_set with all classes, or a number for k"
            )
        return "holdout"
    if asked == "cross-fit":
        return "cross-fit"
    grouped = budget.segments is None or (aside is not None and aside.labels is not None)
    if aside is not None and grouped and rows_above(shares, aside.y, n_columns) >= ENOUGH:
        return "holdout" if _is_known(shares.overall, aside.y, aside.counted, n_columns).all() else "training"
    few = init_model is not None or rows_above(shares, y, n_columns) < SOME
    return "training" if few or y.size >= MANY else "cross-fit"


def of_training(
    model: Any,
    loss: Loss,
    budget: TrainingBudget,
    X: Any,
    y: np.ndarray,
    w: np.ndarray | None,
    segments: Segments | None,
) -> None:
    """Set the model's thresholds to the cuts of its training rows' scores."""
    raw = model._raw(X)
    if not np.ptp(raw, axis=0).any():
        _boosters.warn_of_one_score(model.estimator_, 1.0 if w is None else float(w.mean()), _weights.name_of(model))
    if raw.ndim == 2 and not loss.has_budget:
        model.threshold_ = np.zeros(raw.shape[1])  # scores of these losses compare between classes
        if segments is not None:
            model.group_thresholds_ = {label: np.zeros(raw.shape[1]) for label in segments.labels}
        return
    unit = model.objective_.unit
    own = budget.for_training(y.size == budget.n)
    model.threshold_ = HypersimplexLoss(own if segments is None else budget.overall()).threshold(y, raw, w, step=unit)
    if segments is not None:
        cuts = HypersimplexLoss(own).threshold(y, raw, w, segments, unit)
        columns: Any = cuts if raw.ndim == 1 else cuts.T
        model.group_thresholds_ = {
            label: cut if raw.ndim == 2 else float(cut) for label, cut in zip(segments.labels, columns, strict=True)
        }


def scored(model: Any, aside: Aside) -> Unseen:
    """Those rows' scores by a fitted model, relative to its cuts."""
    raw = model._raw(aside.X)
    if aside.labels is None or not hasattr(model, "group_thresholds_"):
        return Unseen(raw - model.threshold_, aside.y, aside.counted)
    grouped = raw - np.array([model.group_thresholds_.get(one, model.threshold_) for one in aside.labels.tolist()])
    return Unseen(raw - model.threshold_, aside.y, aside.counted, grouped, aside.labels)


def rows_above(shares: Shares, y: np.ndarray, n_columns: int) -> float:
    """How many of such rows are about to exceed the cut, or to stay below it: the fewest, of any class."""
    columns = [shares.overall] if n_columns == 1 else list(dict(_by_class(shares.overall, n_columns)).values())
    expected = [
        float((y == (1 if n_columns == 1 else c)).mean()) if k is None else float(k)  # type: ignore[arg-type]
        for c, k in enumerate(columns)
    ]
    return min(min(one, 1.0 - one) for one in expected) * y.size


def move(model: Any, unseen: Unseen, shares: Shares, n_columns: int) -> None:
    """Set the thresholds of a fitted ``model``, which are those of its training rows, to where ``unseen`` puts them."""
    step = model.objective_.unit
    moved = HypersimplexLoss(shares.overall).threshold(unseen.y, unseen.scores, unseen.weight, step=step)
    present = _is_known(shares.overall, unseen.y, unseen.weight, n_columns)
    common = model.threshold_ + np.where(present, moved, 0.0)
    if unseen.grouped is not None and unseen.labels is not None:
        model.group_thresholds_ = _moved_groups(model, unseen, shares, n_columns, step)
    model.threshold_ = common if n_columns > 1 else float(common[0])


def _moved_groups(model: Any, unseen: Unseen, shares: Shares, n_columns: int, step: float) -> dict[Any, Any]:
    """Cuts of groups: each moved by its own rows where they are enough, else as all groups together."""
    cuts = model.group_thresholds_
    assert unseen.labels is not None
    assert unseen.grouped is not None
    known = np.array([label in cuts for label in unseen.labels.tolist()], dtype=np.bool_)
    if not known.any():
        return dict(cuts)
    weight = None if unseen.weight is None else unseen.weight[known]
    y, scores = unseen.y[known], unseen.grouped[known]
    segments = Segments.by_label(unseen.labels[known])
    if weight is not None and not weight.any():
        return dict(cuts)
    together = TrainingBudget(shares.by_group, np.arange(max(2, n_columns)), y, weight, segments).overall()
    pooled = HypersimplexLoss(together).threshold(y, scores, weight, step=step)
    pooled = np.where(_is_known(together, y, weight, n_columns), pooled, 0.0)
    own = HypersimplexLoss(shares.by_group).threshold(y, scores, weight, segments, step).reshape(n_columns, -1)
    enough = np.array([_rows_of_group(shares, y, segments, c, n_columns) for c in range(n_columns)]) >= ENOUGH
    moves = np.where(enough, own, pooled[:, None])
    place = {label: g for g, label in enumerate(segments.labels)}
    found = {}
    for label, cut in cuts.items():
        moved = cut + (moves[:, place[label]] if label in place else pooled)
        found[label] = moved if n_columns > 1 else float(moved[0])
    return found


def _rows_of_group(shares: Shares, y: np.ndarray, segments: Segments, column: int, n_columns: int) -> np.ndarray:
    """Rows of each group about to exceed its cut, or to stay below it, the fewer of both."""
    budgets = shares.by_group if n_columns == 1 else _by_class(shares.by_group, n_columns)[column]
    sizes = np.bincount(segments.codes)
    positive = np.bincount(segments.codes, y == (1 if n_columns == 1 else column))
    each: list[Any] = [budgets[label] if isinstance(budgets, dict) else budgets for label in segments.labels]
    above = np.array(
        [p if k is None else float(k) * n for k, p, n in zip(each, positive.tolist(), sizes.tolist(), strict=True)]
    )
    return np.minimum(above, sizes - above)


def _by_class(k: Budgets, n_columns: int) -> dict[int, Any]:
    return {c: k[c] if isinstance(k, dict) else k for c in range(n_columns)}


def _is_known(k: Budgets, y: np.ndarray, weight: np.ndarray | None, n_columns: int) -> np.ndarray:
    """For each column: k says how many, or some rows of the class do where it is None; of rows that count."""
    columns = [k] if n_columns == 1 else list(_by_class(k, n_columns).values())
    counted = y if weight is None else y[weight > 0.0]
    if not counted.size:
        return np.zeros(n_columns, dtype=np.bool_)
    wanted = [1] if n_columns == 1 else range(n_columns)
    return np.array([one is not None or bool((counted == c).any()) for one, c in zip(columns, wanted, strict=True)])


class Folds(NamedTuple):
    """Everything that models of parts of the training rows are trained with."""

    classifier: Any  # unfitted: the settings, with the booster of :func:`_booster_for_folds`
    train: Callable[..., Any]  # HSClassifier.fit, whatever a subclass makes of it
    X: Any
    y: np.ndarray
    weight: np.ndarray | None  # with class weights
    segments: Segments | None
    fit_params: dict[str, Any]


def folds_of(
    model: Any,
    train: Callable[..., Any],
    trained: Any,
    shares: Shares,
    rows: tuple[Any, np.ndarray, np.ndarray | None, Segments | None],
    fit_params: dict[str, Any],
) -> Folds:
    """For ``model``, whose ``trained`` booster saw all of ``rows``: X, class numbers, weights, groups."""
    X, y, weight, segments = rows
    n_classes = int(y.max()) + 1
    settings = model.get_params(deep=False) | {
        "estimator": _booster_for_folds(model.estimator, trained, n_classes),
        "k": _by_code(shares.by_group, segments, n_classes),
        "loss": model._loss_name(),  # of the model's own k: "auto" may mean another where k is given
        **{"pos_label": None, "class_weight": None, "calibration": None, "threshold": "training", "verbose": 0},
    }
    return Folds(type(model)(**settings), train, X, y, weight, segments, _arguments_for_folds(fit_params))


def cross_fit(model: Any, folds: Folds, shares: Shares, n_columns: int, strict: bool) -> Source:
    """Move the thresholds of a fitted ``model``; returns their source, "training" where no fold can be trained.

    Raises
    ------
    ValueError
        With ``strict``, where a class has fewer than two rows, or a fold cannot be trained.
    """
    try:
        unseen = _cross_fitted(folds, rows_above(shares, folds.y, n_columns))
    except ValueError:
        if strict:
            raise
        return "training"
    move(model, unseen, shares, n_columns)
    return "cross-fit"


def _cross_fitted(folds: Folds, above: float) -> Unseen:
    """Scores of training rows by models that were not trained on them, each relative to its own model's cuts.

    ``above`` is :func:`rows_above` of all rows: where there are many, few folds will do.
    """
    least = int(np.bincount(folds.y).min())
    if least < 2:
        raise ValueError(
            f"threshold='cross-fit' needs two rows of each class at least, and one has {least}; pass more rows, or "
            "threshold='training'"
        )
    codes = None if folds.segments is None else folds.segments.codes
    found: list[tuple[np.ndarray, ...]] = []
    parts = StratifiedKFold(min(FOLDS, least), shuffle=True, random_state=0)
    for train, rest in parts.split(np.zeros(folds.y.size), folds.y):
        model = clone(folds.classifier)
        weight, groups = (None if one is None else one[train] for one in (folds.weight, codes))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # said of all rows already
            X = take_rows(folds.X, train)
            folds.train(model, X, folds.y[train], weight, groups=groups, **folds.fit_params)
            raw = model._raw(take_rows(folds.X, rest))
        grouped = raw if codes is None else raw - model._cuts(codes[rest], rest.size)
        found.append((rest, raw - model.threshold_, grouped))
        if above * sum(one[0].size for one in found) / folds.y.size >= PLENTY:
            break
    rows, scores, grouped = (np.concatenate(part) for part in zip(*found, strict=True))
    weight = None if folds.weight is None else folds.weight[rows]
    if folds.segments is None:
        return Unseen(scores, folds.y[rows], weight)
    return Unseen(scores, folds.y[rows], weight, grouped, _labels(folds.segments)[rows])


def _by_code(k: Budgets, segments: Segments | None, n_classes: int) -> Budgets:
    """Budgets by group label as budgets by group number."""
    if segments is None or not isinstance(k, dict):
        return k
    if n_classes > 2:
        return {c: _by_code(one, segments, 2) for c, one in k.items()}
    return {g: k[label] for g, label in enumerate(segments.labels)}


def _booster_for_folds(given: Any, trained: Any, n_classes: int) -> Any:
    """The booster ``given`` with as many rounds as ``trained`` predicts with: none stops early, or calls back."""
    kind = str(_boosters.kind(trained))
    booster = settled(clone(named(given)), kind, n_classes)
    (getattr(booster, "kwargs", None) or {}).pop("class_weight", None)  # in the weights already
    if kind == "xgboost":
        from xgboost.callback import LearningRateScheduler

        kept = [one for one in booster.callbacks or [] if isinstance(one, LearningRateScheduler)]
        booster.set_params(early_stopping_rounds=None, callbacks=kept or None, eval_metric=None)
        rounds = _boosters.rounds(trained)
    else:
        settings = booster.get_params()
        unwanted = ("class_weight", "early_stopping_round", "metric")
        booster.set_params(**{name: None for name in unwanted if settings.get(name) is not None})
        rounds = trained.best_iteration_ if (trained.best_iteration_ or 0) > 0 else None
    return booster if rounds is None else booster.set_params(n_estimators=rounds)


def _arguments_for_folds(fit_params: dict[str, Any]) -> dict[str, Any]:
    """Arguments of ``fit`` without evaluation sets' own; of LightGBM's callbacks those that set parameters remain."""
    kept = {name: value for name, value in fit_params.items() if name not in _OF_EVALUATION}
    callbacks = [one for one in fit_params.get("callbacks") or [] if type(one).__name__ == "_ResetParameterCallback"]
    return kept | ({"callbacks": callbacks} if callbacks else {})
