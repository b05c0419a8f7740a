"""Query groups that a data set carries: none is cut in two, weights of whole groups, subsets, cross-validation."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
import scipy.sparse as sp
import xgboost as xgb
from _boosters import LGB, XGB, Recorder, lgb_data, make_data, train_lgb, train_xgb, trees, xgb_data
from _collective import on_workers
from _versions import need

from hsboost import (
    DistributedAUC,
    HypersimplexLoss,
    HypersimplexObjective,
    PrecisionAtK,
    RecallAtK,
    precision_at_k,
    recall_at_k,
)
from hsboost._workers import communicator
from hsboost.losses import get_loss
from hsboost.objectives import LossObjective

pytestmark = pytest.mark.truth

X, Y = make_data(600)
QUERY = np.repeat(np.arange(4), 150)
SCORE = (X[:, 0] + 1e-4 * np.arange(600)).astype(np.float32)
HIST = {"tree_method": "hist"}
METRICS = [PrecisionAtK, RecallAtK]
each_metric = pytest.mark.parametrize("metric", METRICS)
each_booster = pytest.mark.parametrize("booster", ["xgboost", "lightgbm"])
FUNCTION = {PrecisionAtK: precision_at_k, RecallAtK: recall_at_k}


class Batches(xgb.DataIter):
    """Rows in batches that end at ``cuts``, whatever query that is in; and the row fields asked for."""

    def __init__(self, cuts: list[int], cache: Path | None = None, **fields: np.ndarray) -> None:
        self.ends, self.fields, self.at = [0, *cuts, 600], fields, 0
        super().__init__(cache_prefix=None if cache is None else str(cache))

    def next(self, input_data: Any) -> bool:
        if self.at == len(self.ends) - 1:
            return False
        rows = slice(*self.ends[self.at : self.at + 2])
        input_data(data=X[rows].copy(), label=Y[rows], **{name: values[rows] for name, values in self.fields.items()})
        self.at += 1
        return True

    def reset(self) -> None:
        self.at = 0


#: Ways to build a DMatrix, and whether its queries are surely whole.
BUILD: dict[str, tuple[bool, Any]] = {
    "arrays": (True, lambda _, **f: xgb.DMatrix(X, Y, nthread=1, **f)),
    "sparse": (True, lambda _, **f: xgb.DMatrix(sp.csr_matrix(X), Y, nthread=1, **f)),
    "quantiles of arrays": (False, lambda _, **f: xgb.QuantileDMatrix(X, Y, nthread=1, **f)),
    "one batch": (False, lambda _, **f: xgb.QuantileDMatrix(Batches([], **f), nthread=1)),
    "batches": (False, lambda _, **f: xgb.QuantileDMatrix(Batches([200, 350], **f), nthread=1)),
    "batches of whole queries": (False, lambda _, **f: xgb.QuantileDMatrix(Batches([150, 300], **f), nthread=1)),
    "reference": (
        False,
        lambda _, **f: xgb.QuantileDMatrix(
            Batches([200, 350], **f), nthread=1, ref=xgb.QuantileDMatrix(X, Y, nthread=1)
        ),
    ),
    "external memory": (
        False, lambda p, **f: xgb.ExtMemQuantileDMatrix(Batches([200, 350], p / "a", **f), nthread=1)
    ),
    "pages": (False, lambda p, **f: xgb.DMatrix(Batches([200, 350], p / "b", **f), nthread=1)),
}  # fmt: skip


@pytest.mark.parametrize("way", BUILD)
def test_a_query_never_gets_two_budgets(way: str, tmp_path: Path) -> None:
    """Refused where XGBoost may have cut queries; exact, batches or not, by the field of the rows."""
    if way == "external memory":
        need("xgboost", "3.0", "quantized pages are kept on disk")
    whole, build = BUILD[way]
    expected = HypersimplexLoss(0.2).boosting_step(Y, SCORE, None, None, QUERY)[0]
    data = build(tmp_path, qid=QUERY)
    objective = HypersimplexObjective(0.2, groups="dataset")
    if whole:
        np.testing.assert_array_equal(objective(SCORE, data)[0], expected)
        value = PrecisionAtK(0.2, groups="dataset")(SCORE, data)[1]
        assert value == precision_at_k(Y, SCORE, 0.2, groups=QUERY)
    else:
        kind = type(data).__name__
        message = rf"groups='dataset' is not exact on a {kind} .*label_lower_bound=codes.*groups='label_lower_bound'"
        for call in (objective, PrecisionAtK(0.2, groups="dataset"), RecallAtK(None, groups="dataset")):
            with pytest.raises(ValueError, match=message):
                call(SCORE, data)
        with pytest.raises(ValueError, match=message):
            train_xgb(objective, data, 1, **HIST)
    by_row = build(tmp_path, label_lower_bound=QUERY.astype(float))
    np.testing.assert_array_equal(HypersimplexObjective(0.2, groups="label_lower_bound")(SCORE, by_row)[0], expected)
    value = PrecisionAtK(0.2, groups="label_lower_bound")(SCORE, by_row)[1]
    assert value == precision_at_k(Y, SCORE, 0.2, groups=QUERY)


def test_batches_that_cut_queries_train_the_same_model_by_the_field_of_the_rows() -> None:
    field = {"label_lower_bound": QUERY.astype(float)}
    whole, cut = (xgb.QuantileDMatrix(Batches(cuts, **field), nthread=1, max_bin=1024) for cuts in ([], [200, 350]))
    assert cut.get_uint_info("group_ptr").size == 0
    bins = {**HIST, "max_bin": 1024}
    models = [train_xgb(HypersimplexObjective(20, groups="label_lower_bound"), d, 4, **bins) for d in (whole, cut)]
    expected = train_xgb(HypersimplexObjective(20, groups="dataset"), xgb_data(X, Y, qid=QUERY), 4, **bins)
    for model in models:
        np.testing.assert_array_equal(model.predict(xgb_data(X)), expected.predict(xgb_data(X)))


def test_xgboost_still_cuts_queries_at_batches() -> None:
    """Why the above is refused; if this fails, XGBoost has changed."""
    data = xgb.QuantileDMatrix(Batches([200, 350], qid=QUERY), nthread=1)
    assert data.get_uint_info("group_ptr").tolist() == [0, 150, 200, 300, 350, 450, 600]


def test_groups_that_do_not_cover_the_rows_are_refused() -> None:
    part = xgb_data(X, Y, qid=QUERY).slice(np.arange(100, 400), allow_groups=True)
    with pytest.raises(ValueError, match="groups='dataset', but the data set carries no query groups"):
        HypersimplexObjective(0.2, groups="dataset")(SCORE[:300], part)
    part.set_group([50, 250])
    expected = HypersimplexLoss(0.2).boosting_step(Y[100:400], SCORE[100:400], None, None, np.arange(300) >= 50)[0]
    got = HypersimplexObjective(0.2, groups="dataset")(SCORE[100:400], part)[0]
    np.testing.assert_array_equal(got, expected)


def test_groups_set_anew_are_the_ones_that_count() -> None:
    by_query, by_row = (
        HypersimplexObjective(0.2, groups="dataset"),
        HypersimplexObjective(0.2, groups="label_lower_bound"),
    )
    data = xgb_data(X, Y, qid=QUERY, label_lower_bound=QUERY)
    for objective in (by_query, by_row):
        objective(SCORE, data)
    data.set_group([100, 500])
    other = (np.arange(600) >= 100).astype(int)
    data.set_float_info("label_lower_bound", other)
    expected = HypersimplexLoss(0.2).boosting_step(Y, SCORE, None, None, other)[0]
    for objective in (by_query, by_row):
        np.testing.assert_array_equal(objective(SCORE, data)[0], expected)


# --- metrics with the data set's groups ---------------------------------------------------------------------------


@each_metric
@each_booster
@pytest.mark.parametrize("k", [None, 5, 0.1, 151, {0: 3, 1: 5, 2: 0.5, 3: None}])
def test_metrics_take_the_groups_of_the_data_set(metric: Any, booster: str, k: Any) -> None:
    watched = metric(k, groups="dataset")
    found: dict[str, Any] = {}
    if booster == "xgboost":
        data = xgb_data(X, Y, qid=QUERY)
        model = xgb.train(
            {**XGB, "disable_default_eval_metric": True}, data, 2, obj=HypersimplexObjective(0.1, groups="dataset"),
            custom_metric=watched, evals=[(data, "set")], evals_result=found, verbose_eval=False,
        )  # fmt: skip
        scores = model.predict(data, output_margin=True)
    else:
        data = lgb_data(X, Y, group=[150] * 4)
        model = lgb.train(
            {**LGB, "objective": HypersimplexObjective(0.1, groups="dataset"), "metric": "None"}, data, 2,
            feval=watched, valid_sets=[data], valid_names=["set"], callbacks=[lgb.record_evaluation(found)],
        )  # fmt: skip
        scores = model.predict(X, raw_score=True)
    expected = FUNCTION[metric](Y, scores, k, groups=QUERY)
    assert found["set"][watched.__name__][-1] == pytest.approx(expected, abs=1e-6)


def test_metrics_of_several_classes_and_empty_queries() -> None:
    labels, scores = np.arange(600) % 3, np.column_stack([SCORE, -SCORE, X[:, 1]])
    k = {0: {0: 3, 1: 5, 3: None}, 1: 0.1, 2: 7}
    data = xgb_data(X, labels, group=[150, 150, 0, 300])
    expected = precision_at_k(labels, scores, k, groups=np.repeat([0, 1, 3], [150, 150, 300]))
    assert PrecisionAtK(k, groups="dataset")(scores, data)[1] == expected


@each_metric
def test_metrics_refuse_what_the_objective_refuses(metric: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = pickle.loads(pickle.dumps(metric(3, groups="dataset")))
    assert repr(watched) == f"{metric.__name__}(k=3, groups='dataset')"
    with pytest.raises(ValueError, match=r"groups='dataset' works in xgb.train and lgb.train"):
        watched(Y, SCORE)
    for plain in (xgb_data(X, Y), lgb_data(X, Y).construct()):
        with pytest.raises(ValueError, match="the data set carries no query groups"):
            watched(SCORE, plain)
    with pytest.raises(ValueError, match=r"groups must be None, 'dataset', 'label_lower_bound' or one label per row"):
        metric(3, groups="data")
    data = xgb_data(X, Y, qid=QUERY)

    def work(workers: Any) -> Any:
        monkeypatch.setattr(communicator, "workers", lambda: workers)
        return watched(SCORE, data)

    for end in on_workers(2, work):
        assert isinstance(end, ValueError)
        assert "groups='dataset' does not work on several workers" in str(end)


# --- one weight per query group -----------------------------------------------------------------------------------

PER_QUERY = np.array([1.0, 2.0, 0.5, 3.0])


@pytest.mark.parametrize("measure", [PrecisionAtK(0.2), RecallAtK(20), PrecisionAtK(), DistributedAUC()])
@pytest.mark.parametrize("groups", [None, "dataset", QUERY])
def test_metrics_take_one_weight_per_query(measure: Any, groups: Any) -> None:
    if isinstance(measure, PrecisionAtK):
        measure = type(measure)(measure.k, groups=groups)
    elif groups is not None:
        return
    plain = xgb_data(X, Y, weight=PER_QUERY[QUERY])
    by_row = measure if groups is None else type(measure)(measure.k, groups=QUERY)
    got = measure(SCORE, xgb_data(X, Y, qid=QUERY, weight=PER_QUERY))
    assert got == by_row(SCORE, plain)
    assert got != measure(SCORE, xgb_data(X, Y, qid=QUERY))


@pytest.mark.parametrize(
    "objective",
    [
        HypersimplexObjective(0.2), HypersimplexObjective(0.2, groups="dataset"),
        HypersimplexObjective(0.2, groups=QUERY), HypersimplexObjective(0.2, groups="label_lower_bound"),
        LossObjective(get_loss("log-loss")), LossObjective(get_loss("focal")),
    ],
    ids=["one budget", "dataset", "array", "field", "log loss", "focal"],
)  # fmt: skip
def test_objectives_take_one_weight_per_query(objective: Any) -> None:
    field = {"label_lower_bound": QUERY}
    given = objective(SCORE, xgb_data(X, Y, qid=QUERY, weight=PER_QUERY, **field))
    by_row = objective
    if getattr(objective, "groups", None) is not None:
        by_row = HypersimplexObjective(0.2, groups=QUERY)
    expected = by_row(SCORE, xgb_data(X, Y, weight=PER_QUERY[QUERY], **field))
    for ours, theirs in zip(given, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_training_and_watching_with_one_weight_per_query() -> None:
    """All of XGBoost's: train, evaluate, stop early; cut by batches, a weight goes to each piece."""
    data = xgb_data(X, Y, qid=QUERY, weight=PER_QUERY)
    found: dict[str, Any] = {}
    booster = xgb.train(
        {**XGB, "disable_default_eval_metric": True}, data, 4, obj=HypersimplexObjective(0.2, groups="dataset"),
        custom_metric=PrecisionAtK(0.2, groups="dataset"), evals=[(data, "set")], evals_result=found,
        verbose_eval=False, early_stopping_rounds=3,
    )  # fmt: skip
    scores = booster.predict(data, output_margin=True, iteration_range=(0, booster.num_boosted_rounds()))
    expected = precision_at_k(Y, scores, 0.2, sample_weight=PER_QUERY[QUERY], groups=QUERY)
    assert found["set"]["precision@0.2"][-1] == pytest.approx(expected, abs=1e-6)

    class Weighted(Batches):
        def next(self, input_data: Any) -> bool:
            def put(**rows: Any) -> None:
                input_data(**rows, weight=PER_QUERY[np.unique(rows["qid"])])

            return super().next(put)

    cut = xgb.QuantileDMatrix(Weighted([200, 350], qid=QUERY), nthread=1)
    assert len(cut.get_weight()) == 6
    plain = xgb_data(X, Y, weight=PER_QUERY[QUERY])
    assert DistributedAUC()(SCORE, cut) == DistributedAUC()(SCORE, plain)
    assert PrecisionAtK(0.2, groups=QUERY)(SCORE, cut) == PrecisionAtK(0.2, groups=QUERY)(SCORE, plain)


def test_workers_take_one_weight_per_query(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = xgb_data(X, Y, weight=PER_QUERY[QUERY])
    parts = [slice(0, 300), slice(300, 600)]

    def work(workers: Any) -> Any:
        at = parts[workers.rank]
        data = xgb_data(X[at], Y[at], qid=QUERY[at], weight=PER_QUERY[QUERY[at][[0, -1]]])
        return [watch._value_of_all(workers, Y[at], SCORE[at], _weights(data), data) for watch in watched]

    from hsboost._boosting.dataset_groups import row_weights

    def _weights(data: Any) -> Any:
        return row_weights(data, data.num_row())

    watched = [PrecisionAtK(0.2), RecallAtK(10), DistributedAUC()]
    expected = [watch(SCORE, plain)[1] for watch in watched]
    for end in on_workers(2, work):
        assert end == pytest.approx(expected, rel=1e-12)


def test_weights_of_neither_rows_nor_queries_are_refused() -> None:
    data = xgb_data(X, Y, qid=QUERY, weight=PER_QUERY)
    data.set_group([300, 300])
    for call in (HypersimplexObjective(0.2), PrecisionAtK(0.2), DistributedAUC()):
        with pytest.raises(ValueError, match=r"sample_weight must have one entry per row .* got \(4,\)"):
            call(SCORE, data)


def test_as_many_queries_as_rows() -> None:
    data = xgb_data(X, Y, qid=np.arange(600), weight=QUERY + 1.0)
    assert PrecisionAtK(0.2)(SCORE, data) == PrecisionAtK(0.2)(SCORE, xgb_data(X, Y, weight=QUERY + 1.0))


# --- subsets and folds --------------------------------------------------------------------------------------------


def in_order(index: np.ndarray) -> np.ndarray:
    return np.sort(index)


@pytest.mark.parametrize("nested", [False, True])
def test_a_lightgbm_subset_takes_the_labels_of_its_rows(nested: bool) -> None:
    """`Dataset.subset` sorts the rows that it is given: labels of all rows are aligned, those of a part refused."""
    rng = np.random.default_rng(0)
    index, labels = rng.permutation(600)[:300], rng.integers(0, 5, 600)
    parent = lgb_data(X, Y)
    part, rows = parent.subset(index), in_order(index)
    if nested:
        inner = rng.permutation(300)[:120]
        part, rows = part.subset(inner), rows[in_order(inner)]
    part.construct()
    np.testing.assert_array_equal(part.get_label(), Y[rows])
    expected = HypersimplexLoss(0.2).boosting_step(Y[rows], SCORE[rows], None, None, labels[rows])[0]
    objective = HypersimplexObjective(0.2, groups=labels)
    for _ in range(2):
        np.testing.assert_allclose(objective(SCORE[rows], part)[0], expected, atol=1e-6)
    names = np.array(["b", "a", "e", "c", "d"])[labels]
    value = precision_at_k(Y[rows], SCORE[rows], {"a": 3, "b": 1, "c": 0.5, "d": 7, "e": None}, groups=names[rows])
    watched = PrecisionAtK({"a": 3, "b": 1, "c": 0.5, "d": 7, "e": None}, groups=names)
    assert watched(SCORE[rows], part)[1] == pytest.approx(value)
    message = r"as many as this subset of a LightGBM Dataset has, but Dataset.subset sorts.*labels of all rows"
    for call in (HypersimplexObjective(0.2, groups=labels[rows]), PrecisionAtK(2, groups=labels[rows])):
        with pytest.raises(ValueError, match=message):
            call(SCORE[rows], part)
    for call in (HypersimplexObjective(0.2, groups=labels[:77]), PrecisionAtK(2, groups=labels[:77])):
        with pytest.raises(ValueError, match=r"groups describes 77 rows"):
            call(SCORE[rows], part)


def test_a_lightgbm_subset_of_all_rows_is_refused() -> None:
    order = np.random.default_rng(0).permutation(600)
    part = lgb_data(X, Y).subset(order).construct()
    with pytest.raises(ValueError, match=r"of one that holds them all, train on that data set itself"):
        HypersimplexObjective(0.2, groups=QUERY[order])(SCORE, part)


def test_training_on_a_subset_is_training_on_its_rows() -> None:
    index, labels = np.random.default_rng(1).permutation(600)[:400], np.arange(600) % 7
    rows = in_order(index)
    parent = lgb_data(X, Y)
    part = train_lgb(HypersimplexObjective(0.2, groups=labels), parent.subset(index), 3)
    alone = train_lgb(HypersimplexObjective(0.2, groups=labels[rows]), lgb_data(X[rows], Y[rows]), 3)
    np.testing.assert_allclose(part.predict(X), alone.predict(X), atol=1e-6)


@each_metric
def test_lightgbm_cv_with_an_array_of_labels(metric: Any) -> None:
    """Objective and metric get the labels of each fold's rows."""
    labels = np.random.default_rng(2).permutation(600) % 9
    seen = Recorder(HypersimplexObjective(0.3, groups=labels))
    folds: list[np.ndarray] = []
    seen.watch = lambda _, data, __: folds.append(np.asarray(data.used_indices))
    watched, values = metric(3, groups=labels), []

    def feval(scores: np.ndarray, data: Any) -> Any:
        rows = np.asarray(data.used_indices)
        values.append((watched(scores, data)[1], FUNCTION[metric](Y[rows], scores, 3, groups=labels[rows])))
        return watched(scores, data)

    lgb.cv({**LGB, "objective": seen, "metric": "None"}, lgb_data(X, Y), 2, nfold=3, feval=feval)
    assert len(folds) == 6
    for rows, (gradient, _) in zip(folds, seen.outputs, strict=True):
        np.testing.assert_allclose(np.bincount(labels[rows], gradient), 0, atol=1e-3)
    assert len(values) == 6
    for got, expected in values:
        assert got == pytest.approx(expected, abs=1e-12)


def test_a_lightgbm_subset_keeps_the_numbers_of_its_query_groups() -> None:
    """k = {query: budget} goes by the whole data set's numbers, also where a fold begins with query 2."""
    k = {0: 1, 1: 2, 2: 30, 3: 60}
    rows = np.arange(300, 600)
    parent = lgb_data(X, Y, group=[150] * 4)
    for part, at in (
        (parent.subset(rows), rows), (parent.subset(rows).subset(np.arange(150, 300)), rows[150:]),
        (parent.subset(np.arange(0, 600, 2)), np.arange(0, 600, 2)),
    ):  # fmt: skip
        part.construct()
        expected = HypersimplexLoss(k).boosting_step(Y[at], SCORE[at], None, None, QUERY[at])[0]
        np.testing.assert_array_equal(HypersimplexObjective(k, groups="dataset")(SCORE[at], part)[0], expected)
        value = PrecisionAtK(k, groups="dataset")(SCORE[at], part)[1]
        assert value == precision_at_k(Y[at], SCORE[at], k, groups=QUERY[at])
    part = parent.subset(rows).construct()
    part.set_group([100, 200])  # the user's own, with numbers of their own
    expected = HypersimplexLoss({0: 5, 1: 6}).boosting_step(Y[rows], SCORE[rows], None, None, np.arange(300) >= 100)[0]
    np.testing.assert_array_equal(HypersimplexObjective({0: 5, 1: 6}, groups="dataset")(SCORE[rows], part)[0], expected)


def test_groups_of_a_lightgbm_file_reach_its_subsets(tmp_path: Path) -> None:
    """LightGBM forgets them; here they are whole, and have the file's numbers."""
    lgb_data(X, Y, group=[150] * 4).construct().save_binary(str(tmp_path / "rows.bin"))
    rows = np.arange(100, 600)
    k = {0: 1, 1: 2, 2: 30, 3: 60}
    params = {"verbose": -1, "min_data_in_bin": 1}
    part = lgb.Dataset(str(tmp_path / "rows.bin"), params=params, free_raw_data=False).subset(rows).construct()
    expected = HypersimplexLoss(k).boosting_step(Y[rows], SCORE[rows], None, None, QUERY[rows])[0]
    np.testing.assert_array_equal(HypersimplexObjective(k, groups="dataset")(SCORE[rows], part)[0], expected)
    value = RecallAtK(k, groups="dataset")(SCORE[rows], part)[1]
    assert value == recall_at_k(Y[rows], SCORE[rows], k, groups=QUERY[rows])


@pytest.mark.parametrize("classes", [2, 3])
def test_xgboost_cv_refuses_budgets_by_the_numbers_of_groups(classes: int) -> None:
    """It shuffles the groups and numbers each fold's anew."""
    by_query = {0: 1, 1: 2, 2: 30, 3: 60}
    labels, params = Y, {**XGB, "disable_default_eval_metric": True}
    k: Any = by_query
    if classes == 3:
        labels, k = np.arange(600) % 3, {0: 5, 1: by_query, 2: 0.1}
        params |= {"objective": "multi:softprob", "num_class": 3}
    data = xgb_data(X, labels, qid=QUERY)
    message = "k names groups by their numbers, but xgb.cv shuffles"
    with pytest.raises(ValueError, match=message):
        xgb.cv(params, data, 2, nfold=2, obj=HypersimplexObjective(k, groups="dataset"))
    plain = HypersimplexObjective({0: 5, 1: 7, 2: 0.1} if classes == 3 else 5, groups="dataset")
    with pytest.raises(ValueError, match=message):
        xgb.cv(params, data, 2, nfold=2, obj=plain, custom_metric=PrecisionAtK(k, groups="dataset"))
    found = xgb.cv(
        params, data, 2, nfold=2, obj=plain, custom_metric=PrecisionAtK(plain.loss.k, groups="dataset"),
        as_pandas=False,
    )  # fmt: skip
    (mean,) = (values for name, values in found.items() if name.startswith("test-precision") and "mean" in name)
    assert len(mean) == 2
    assert trees(train_xgb(HypersimplexObjective(k, groups="dataset"), data, 1, **params))


def test_xgboost_cv_watches_whole_queries() -> None:
    watched, values = PrecisionAtK(5, groups="dataset"), []

    def metric(scores: np.ndarray, data: xgb.DMatrix) -> Any:
        pointer = data.get_uint_info("group_ptr").astype(int)
        groups = np.repeat(np.arange(pointer.size - 1), np.diff(pointer))
        values.append((watched(scores, data)[1], precision_at_k(data.get_label(), scores, 5, groups=groups)))
        return watched(scores, data)

    xgb.cv(
        {**XGB, "disable_default_eval_metric": True}, xgb_data(X, Y, qid=QUERY), 2, nfold=2,
        obj=HypersimplexObjective(5, groups="dataset"), custom_metric=metric,
    )  # fmt: skip
    assert len(values) == 8
    assert all(a == b for a, b in values)
