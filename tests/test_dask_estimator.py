"""DaskHSClassifier on a cluster of two processes, against HSClassifier with all rows in one place."""

from __future__ import annotations

import copy
import pickle
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from xgboost import XGBClassifier

from hsboost import HSClassifier, HypersimplexLoss, precision_at_k
from hsboost.metrics import DistributedAUC, PrecisionAtK

da = pytest.importorskip("dask.array", reason="needs dask")
dd = pytest.importorskip("dask.dataframe", reason="needs dask[dataframe]")
pytest.importorskip("distributed", reason="needs distributed")

from hsboost.dask import DaskHSClassifier  # noqa: E402
from hsboost.dask import _partitions as partitions  # noqa: E402
from hsboost.estimators import _weights  # noqa: E402

N = 400
COLUMNS = ["a", "b", "c", "d"]
#: Uneven partitions, one of them empty.
CHUNKS = (120, 0, 30, 250)


def trees(**settings: Any) -> XGBClassifier:
    """A small booster; its few distinct feature values make the bins the same for any layout of the rows."""
    return XGBClassifier(**{"n_estimators": 5, "max_depth": 3, "n_jobs": 1, "random_state": 0} | settings)


def make(n_classes: int = 2, n: int = N, seed: int = 0) -> dict[str, np.ndarray]:
    """Rows with text labels, weights and text groups."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4)).round(1).astype(np.float32)
    if n_classes == 2:
        y = np.where(X[:, 0] + rng.normal(size=n) > 0.8, "yes", "no")
    else:
        y = np.array(["ant", "bee", "cat"])[(X[:, :3] + rng.normal(size=(n, 3))).argmax(axis=1)]
    groups = np.array(["north", "south", "west"])[rng.integers(0, 3, n)]
    return {"X": X, "y": y, "sample_weight": rng.integers(1, 4, n).astype(float), "groups": groups}


def spread(rows: np.ndarray, frames: bool = False) -> Any:
    """The rows as a Dask collection of uneven partitions."""
    starts = np.cumsum((0, *CHUNKS))
    if not frames:
        tail = () if rows.ndim == 1 else (rows.shape[1:],)
        return da.from_array(rows, chunks=(CHUNKS, *tail))
    frame = pd.DataFrame(rows, columns=COLUMNS) if rows.ndim == 2 else pd.Series(rows)
    frame.index = frame.index * 10
    parts = [frame.iloc[a:b] for a, b in pairwise(starts)]
    import dask

    return dd.from_delayed([dask.delayed(part) for part in parts], meta=frame.iloc[:0])


CASES: dict[str, tuple[int, tuple[str, ...], dict[str, Any]]] = {
    "as many as are positive": (2, (), {}),
    "share, weights": (2, ("sample_weight",), {"k": 0.1}),
    "count, class weights": (2, (), {"k": 40, "class_weight": {"yes": 2.0}}),
    "convex sibling, balanced": (2, (), {"k": 0.1, "loss": "hypersimplex-fy", "class_weight": "balanced"}),
    "smooth, groups": (2, ("groups",), {"k": 0.1, "loss": "hypersimplex-smooth"}),
    "log loss near a cut": (2, ("sample_weight",), {"k": 0.1, "loss": "budget-log-loss"}),
    "log loss near the groups' cuts": (2, ("groups",), {"k": 0.1, "loss": "budget-log-loss"}),
    "additive loss with a start": (2, ("sample_weight",), {"k": 0.1, "loss": "log-loss"}),
    "classes": (3, ("sample_weight",), {"k": {"ant": 0.1, "bee": None, "cat": 0.3}}),
    "groups": (2, ("groups",), {"k": {"north": 5, "south": 0.2, "west": None}}),
    "groups, weights": (2, ("groups", "sample_weight"), {"k": 0.15}),
    "groups and classes": (3, ("groups",), {"k": 0.1, "loss": "hypersimplex", "temperature": 2.0}),
}


@pytest.mark.parametrize(
    ("case", "frames"), [*((case, False) for case in CASES), ("share, weights", True), ("groups and classes", True)]
)
def test_it_is_hsclassifier_with_rows_elsewhere(case: str, frames: bool, client: Any) -> None:
    n_classes, extra, settings = CASES[case]
    rows = make(n_classes)
    given = {name: spread(rows[name], frames) for name in ("X", "y", *extra)}
    model = DaskHSClassifier(trees(), **settings).fit(**given)
    local_X = pd.DataFrame(rows["X"], columns=COLUMNS) if frames else rows["X"]
    here = HSClassifier(trees(), threshold="training", **settings).fit(
        local_X, *(rows[name] for name in ("y",)), **{e: rows[e] for e in extra}
    )
    np.testing.assert_array_equal(model.classes_, here.classes_)
    np.testing.assert_allclose(model.threshold_, here.threshold_, rtol=1e-4, atol=1e-5)
    decided = model.decision_function(given["X"])
    assert isinstance(decided, da.Array) != frames
    np.testing.assert_allclose(decided.compute(), here.decision_function(local_X), atol=1e-4)
    assert model.n_features_in_ == 4
    assert hasattr(model, "feature_names_in_") == frames
    assert hasattr(model, "predict_proba") == hasattr(here, "predict_proba")

    # Whatever rounding did to the trees: the thresholds are the hard cuts of these trees' scores, to the last bit.
    local = model.to_local()
    raw, encoded = local._raw(local_X), np.searchsorted(model.classes_, rows["y"])
    weight = _weights.by_row(here, rows["sample_weight"] if "sample_weight" in extra else None, rows["y"])
    if "groups" not in extra:
        k = settings.get("k")
        k = {i: k[c] for i, c in enumerate(model.classes_.tolist())} if isinstance(k, dict) else k
        np.testing.assert_array_equal(model.threshold_, HypersimplexLoss(k).threshold(encoded, raw, weight))
    else:
        cuts = local.objective_.loss.threshold(encoded, raw, weight, rows["groups"])
        np.testing.assert_array_equal(np.transpose(list(model.group_thresholds_.values())), cuts)
        by_group = model.decision_function(given["X"], groups=given["groups"])
        np.testing.assert_array_equal(by_group.compute(), local.decision_function(local_X, groups=rows["groups"]))


@pytest.mark.truth
@pytest.mark.parametrize("case", ["groups, weights", "classes"])
def test_no_temperature_changes_a_tree_or_a_decision(case: str, client: Any) -> None:
    n_classes, extra, settings = CASES[case]
    rows = make(n_classes)
    given = {name: spread(rows[name], False) for name in ("X", "y", *extra)}
    other = spread(np.roll(rows["y"], 1), False)  # not the training rows
    one, *others = (
        DaskHSClassifier(trees(), calibration="isotonic", **{**settings, "loss": "hypersimplex", "temperature": t}).fit(
            **given, eval_set=(given["X"], other)
        )
        for t in (1.0, 1e-30, 1e18)
    )
    decided, chances = one.decision_function(given["X"]).compute(), one.predict_proba(given["X"]).compute()
    for t, model in zip((1e-30, 1e18), others, strict=True):
        # Trees of several workers agree to float32 rounding, as sums of gradients come in another order.
        np.testing.assert_allclose(model.decision_function(given["X"]).compute() / t, decided, atol=1e-4)
        np.testing.assert_allclose(model.predict_proba(given["X"]).compute(), chances, atol=1e-3)
        local, encoded = model.to_local(), np.searchsorted(model.classes_, rows["y"])
        if "groups" not in extra:
            k = {i: settings["k"][c] for i, c in enumerate(model.classes_.tolist())}
            cut = HypersimplexLoss(k).threshold(encoded, local._raw(rows["X"]), rows["sample_weight"], step=t)
            np.testing.assert_array_equal(model.threshold_, cut)


@pytest.fixture(scope="module")
def fitted(client: Any) -> dict[Any, DaskHSClassifier]:
    """Models of two and of three classes, on arrays; the trees are few, so scores are tied."""
    made = {}
    for n_classes in (2, 3):
        rows = make(n_classes)
        k = 0.1
        made[n_classes] = DaskHSClassifier(trees(n_estimators=1, max_depth=2), k=k).fit(
            spread(rows["X"]), spread(rows["y"]), groups=spread(rows["groups"])
        )
    return made


def of_all_rows(model: DaskHSClassifier) -> DaskHSClassifier:
    """The same trees, as if trained without groups: of such a model all rows are ranked together."""
    other = copy.copy(model)
    other.local_ = model.to_local()
    del other.local_.group_thresholds_
    return other


@pytest.mark.filterwarnings("ignore:X has feature names")
@pytest.mark.parametrize(("n_classes", "frames"), [(2, False), (2, True), (3, False)])
@pytest.mark.parametrize(
    ("k", "grouped"),
    [(0, False), (1, False), (37, False), (N, False), (0.33, False), (None, False), (9, True), (0.5, True), (200, True),
     ({"north": 0, "south": 11, "west": 0.9}, True)],
)  # fmt: skip
def test_top_k_is_exact_and_ties_go_to_the_first_rows(
    k: Any, grouped: bool, n_classes: int, frames: bool, fitted: Any
) -> None:
    rows, model = make(n_classes), fitted[n_classes] if grouped else of_all_rows(fitted[n_classes])
    groups = {"groups": rows["groups"]} if grouped else {}
    if n_classes == 3 and isinstance(k, dict):
        k = dict.fromkeys(("ant", "bee", "cat"), k)
    expected = model.to_local().predict_top_k(rows["X"], k, **groups)
    found = model.predict_top_k(
        _plain(spread(rows["X"], frames)), k, **{name: spread(value, frames) for name, value in groups.items()}
    )
    assert isinstance(found, da.Array) != frames
    np.testing.assert_array_equal(np.asarray(found.compute()), expected)
    if frames:
        np.testing.assert_array_equal(found.compute().index, np.arange(N) * 10)


def _plain(X: Any) -> Any:
    """Frames under the names that models of arrays know."""
    return (
        X.rename(columns=dict(zip(COLUMNS, [f"f{i}" for i in range(4)], strict=True))) if hasattr(X, "columns") else X
    )


@pytest.mark.parametrize("n_classes", [2, 3])
def test_rows_by_themselves(n_classes: int, fitted: Any) -> None:
    rows, model = make(n_classes, seed=1), fitted[n_classes]
    X, local = spread(rows["X"]), model.to_local()
    np.testing.assert_array_equal(model.decision_function(X).compute(), local.decision_function(rows["X"]))
    predicted = model.predict(X)
    assert predicted.dtype == rows["y"].dtype
    np.testing.assert_array_equal(predicted.compute(), local.predict(rows["X"]))
    grouped = model.predict(X, groups=spread(rows["groups"])).compute()
    np.testing.assert_array_equal(grouped, local.predict(rows["X"], groups=rows["groups"]))
    y, w = rows["y"], rows["sample_weight"]
    assert model.score(X, spread(y)) == pytest.approx(local.score(rows["X"], y), rel=1e-12)
    assert model.score(X, spread(y), spread(w)) == pytest.approx(local.score(rows["X"], y, w), rel=1e-12)


def test_partitions_of_unknown_length(fitted: Any) -> None:
    rows, model = make(), of_all_rows(fitted[2])
    X = spread(rows["X"])
    X = X[X[:, 0] > 0]
    assert np.isnan(X.shape[0])
    kept = rows["X"][rows["X"][:, 0] > 0]
    np.testing.assert_array_equal(model.predict_top_k(X, 21).compute(), model.to_local().predict_top_k(kept, 21))


def test_chunks_of_arrays_need_not_agree(client: Any) -> None:
    rows = make()
    X, y = da.from_array(rows["X"], chunks=(150, 4)), da.from_array(rows["y"], chunks=77)
    model = DaskHSClassifier(trees(), k=0.1).fit(X, y, da.from_array(rows["sample_weight"], chunks=400))
    here = HSClassifier(trees(), threshold="training", k=0.1).fit(rows["X"], rows["y"], rows["sample_weight"])
    assert model.threshold_ == pytest.approx(here.threshold_, rel=1e-4)


@pytest.mark.parametrize("grouped", [False, True])
def test_evaluation_is_of_all_rows_together(grouped: bool, client: Any) -> None:
    rows, other = make(), make(seed=1)
    settings = trees(n_estimators=30, early_stopping_rounds=3)
    groups = {"groups": spread(rows["groups"]), "eval_groups": spread(other["groups"])} if grouped else {}
    model = DaskHSClassifier(settings, k=0.1).fit(
        spread(rows["X"]), spread(rows["y"]), eval_set=(spread(other["X"]), spread(other["y"])), **groups
    )
    (values,) = model.evals_result_["validation_0"].values()
    assert len(values) < 30
    assert model.booster_.best_iteration == int(np.argmax(values))
    local = model.to_local()
    raw = local._raw(other["X"])  # of the best round
    expected = precision_at_k(other["y"] == "yes", raw, 0.1, groups=other["groups"] if grouped else None)
    assert max(values) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("metric", [PrecisionAtK(0.1), DistributedAUC()])
def test_metrics_of_xgboost_dask(metric: Any, client: Any) -> None:
    rows = make()
    y = (rows["y"] == "yes").astype(float)
    # Frames, as XGBoost refuses arrays without rows that begin at an odd byte, which those that travelled may.
    X, y_parts, weight = (spread(part, frames=True) for part in (rows["X"], y, rows["sample_weight"]))
    data = xgb.dask.DaskDMatrix(client, X, y_parts, weight=weight)
    found = xgb.dask.train(
        client, {"max_depth": 2, "objective": "binary:logistic"}, data, 3, evals=[(data, "all")], custom_metric=metric
    )
    raw = found["booster"].predict(xgb.DMatrix(pd.DataFrame(rows["X"], columns=COLUMNS)))
    w = rows["sample_weight"]
    area = isinstance(metric, DistributedAUC)
    expected = roc_auc_score(y, raw, sample_weight=w) if area else precision_at_k(y, raw, 0.1, sample_weight=w)
    assert found["history"]["all"][metric.__name__][-1] == pytest.approx(expected, abs=1e-6)


def test_a_metric_chosen_by_the_user(client: Any) -> None:
    rows = make()
    pair = spread(rows["X"]), spread(rows["y"])
    for metric, name in ((DistributedAUC(), "auc_distributed"), (["logloss", roc_auc_score], "roc_auc_score")):
        model = DaskHSClassifier(trees(eval_metric=metric), k=0.1).fit(*pair, eval_set=pair)
        assert name in model.evals_result_["validation_0"]
    assert "logloss" in model.evals_result_["validation_0"]


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("calibration", ["sigmoid", "isotonic"])
def test_probabilities_are_fitted_on_the_evaluation_rows(calibration: Any, n_classes: int, client: Any) -> None:
    rows, other = make(n_classes), make(n_classes, seed=1)
    model = DaskHSClassifier(trees(), k=0.1, calibration=calibration).fit(
        spread(rows["X"]), spread(rows["y"]), eval_set=(spread(other["X"]), spread(other["y"]))
    )
    here = HSClassifier(trees(), threshold="training", k=0.1, calibration=calibration).fit(
        rows["X"], rows["y"], eval_set=(other["X"], other["y"])
    )
    found = model.predict_proba(spread(rows["X"])).compute()
    np.testing.assert_allclose(found, here.predict_proba(rows["X"]), atol=1e-3)
    np.testing.assert_array_equal(found, model.to_local().predict_proba(rows["X"]))


def test_probabilities_of_the_loss_itself_or_none(client: Any, fitted: Any) -> None:
    rows = make()
    model = DaskHSClassifier(trees(), loss="log-loss").fit(spread(rows["X"]), spread(rows["y"]))
    found = model.predict_proba(spread(rows["X"], frames=False)).compute()
    np.testing.assert_array_equal(found, model.to_local().predict_proba(rows["X"]))
    assert not hasattr(fitted[2], "predict_proba")
    with pytest.raises(AttributeError) as caught:
        fitted[2].predict_proba(spread(rows["X"]))
    assert "pass calibration='sigmoid' or 'isotonic' to DaskHSClassifier, and fit" in str(caught.value.__cause__)


def test_going_on_where_training_stopped(client: Any, tmp_path: Path) -> None:
    rows = make()
    pair = spread(rows["X"]), spread(rows["y"])
    whole = DaskHSClassifier(trees(n_estimators=6), k=0.1).fit(*pair)
    checkpoint = xgb.callback.TrainingCheckPoint(tmp_path, interval=2, name="model")
    first = DaskHSClassifier(trees(n_estimators=3, callbacks=[checkpoint]), k=0.1).fit(*pair)
    (saved,) = tmp_path.glob("model_*")  # after the third round
    ways = [{"init_model": first}, {"init_model": first.to_local()}, {"xgb_model": str(saved)}]
    for way in ways:
        more = DaskHSClassifier(trees(n_estimators=3), k=0.1).fit(*pair, **way)
        assert more.booster_.num_boosted_rounds() == 6
        np.testing.assert_allclose(
            more.decision_function(pair[0]).compute(), whole.decision_function(pair[0]).compute(), atol=1e-5
        )
        assert more.threshold_ == pytest.approx(whole.threshold_, abs=1e-5)


def test_scikit_learns_surface(client: Any, tmp_path: Path) -> None:
    rows = make()
    pair = spread(rows["X"]), spread(rows["y"])
    booster = xgb.dask.DaskXGBClassifier(n_estimators=2, max_depth=2)
    model = DaskHSClassifier(booster, k=0.2).set_params(estimator__n_estimators=4, k=0.1)
    assert model.get_params()["estimator__n_estimators"] == 4
    copied = clone(model)
    copied.client = client
    copied.fit(*pair)
    assert copied.booster_.num_boosted_rounds() == 4
    restored = pickle.loads(pickle.dumps(copied))
    expected = copied.decision_function(pair[0]).compute()
    np.testing.assert_array_equal(restored.decision_function(pair[0]).compute(), expected)
    result = copied.export(tmp_path / "export.json", rows=rows["X"])  # without a cluster, too
    assert (result.ties, result.rows) == (0, 2000 + len(rows["X"]))
    with pytest.raises(TypeError, match="rows must be rows in memory, got a Dask"):
        copied.export(tmp_path / "export.json", rows=spread(rows["X"]))
    copied.to_local().save_model(tmp_path / "model.json")
    loaded = HSClassifier.load_model(tmp_path / "model.json")
    np.testing.assert_array_equal(loaded.decision_function(rows["X"]), expected)
    assert not hasattr(model, "classes_")
    assert not hasattr(model, "no_such_thing")
    assert DaskHSClassifier().fit(*pair).score(*pair) > 0.7


BAD_FITS = [
    ({"X": make()["X"]}, {}, TypeError, r"^X must be a Dask array or data frame, got ndarray; for rows in memory"),
    ({"y": make()["y"]}, {}, TypeError, r"^y must be a Dask array or data frame, got ndarray"),
    ({"X": da.from_array(make()["X"], chunks=(200, 2))}, {}, ValueError, r"^X must be cut by rows only, got 2 blocks"),
    ({"y": da.from_array(make()["y"][:-1])}, {}, ValueError, r"^y must have one entry per row of X: expected 400, got"),
    ({"y": spread(make()["y"], frames=True).repartition(npartitions=2)}, {}, ValueError, r"^y must be cut as X is, wh"),
    ({"y": spread(np.full(N, "a"))}, {}, ValueError, r"y holds 1 class, 'a'|y holds 1 class, np\.str_\('a'\)"),
    ({"y": spread(np.where(np.arange(N) == 125, np.nan, np.arange(N) % 2))}, {}, ValueError, r"^partition 2: y must n"),
    ({"sample_weight": spread(-np.ones(N))}, {}, ValueError, r"^partition 0: sample_weight must be finite and >= 0, "),
    ({"sample_weight": spread(np.zeros(N))}, {}, ValueError, r"^sample_weight must have a positive sum"),
    ({}, {"k": 1.5}, ValueError, r"^k as a float is a share"),
    ({}, {"k": {"north": 1}}, ValueError, r"^k is a mapping of \['north'\]; with two classes and no groups"),
    ({"groups": spread(make()["groups"])}, {"k": {"north": 1}}, ValueError, r"^k has no budget for group 'south'"),
    ({"eval_groups": spread(make()["groups"])}, {}, ValueError, r"^eval_groups goes with groups"),
    ({}, {"calibration": "sigmoid"}, ValueError, r"^calibration='sigmoid' is fitted on rows that the trees are not tr"),
    ({}, {"estimator": "lightgbm"}, ValueError, r"^estimator: under Dask, LightGBM shows a custom objective the rows"),
    ({}, {"estimator": "catboost"}, ValueError, r"^estimator must be None, 'xgboost', an XGBClassifier or a DaskXGBC"),
    ({"init_model": 3}, {}, TypeError, r"^init_model must be a fitted HSClassifier or DaskHSClassifier, got 3"),
    ({"learning_rate": 3}, {}, TypeError, r"^fit takes xgb_model, verbose and coll_cfg besides .* got 'learning_rate'"),
    ({"eval_set": (spread(make()["X"]), spread(make(3)["y"]))}, {}, ValueError, r"eval_set holds the label .*'yes'\]$"),
]


@pytest.mark.parametrize(("change", "settings", "kind", "message"), BAD_FITS)
def test_bad_input_gets_one_clear_error(change: Any, settings: Any, kind: Any, message: str, client: Any) -> None:
    rows = make()
    given = {"X": spread(rows["X"]), "y": spread(rows["y"])} | change
    with pytest.raises(kind, match=message):
        DaskHSClassifier(**{"estimator": trees()} | settings).fit(**given)


def test_bad_rows_to_predict_get_one_clear_error(client: Any, fitted: Any) -> None:
    rows, model = make(), fitted[2]
    with pytest.raises(TypeError, match=r"to_local\(\) of a fitted model"):
        model.predict(rows["X"])
    with pytest.raises(ValueError, match="X has 3 features, but HSClassifier is expecting 4"):
        model.predict(spread(rows["X"][:, :3]))
    assert (of_all_rows(model).predict_top_k(spread(rows["X"]), 401).compute() == "yes").all()
    without = DaskHSClassifier(trees()).fit(spread(rows["X"]), spread(rows["y"]))
    with pytest.raises(ValueError, match=r"^k must be an int \(a count\) or a float"):
        without.predict_top_k(spread(rows["X"]))
    with pytest.raises(ValueError, match=r"^this model was trained without groups"):
        without.decision_function(spread(rows["X"]), groups=spread(rows["groups"]))
    with pytest.raises(ValueError, match=r"asynchronous"):
        _on_an_asynchronous_client(without, spread(rows["X"]))


def _on_an_asynchronous_client(model: Any, X: Any) -> None:
    class Asynchronous:
        asynchronous = True

    model.client = Asynchronous()
    model.predict(X)


@pytest.mark.parametrize("quantiles", [False, True])
@pytest.mark.parametrize("n_rows", [0, 50])
def test_blocks_may_begin_at_any_byte(n_rows: int, quantiles: bool, client: Any) -> None:
    rows = np.random.default_rng(0).normal(size=(n_rows, 3))
    given = partitions.kept(client, da.from_array(rows, chunks=(50, 3))).blocks[0].compute()
    # As it arrives at another worker, in the middle of a message.
    message = np.zeros(3 + rows.nbytes, np.uint8)
    moved = np.ndarray(rows.shape, given.dtype, message, offset=3)
    moved[...] = given
    data = (xgb.QuantileDMatrix if quantiles else xgb.DMatrix)(moved, label=np.zeros(n_rows))
    assert (data.num_row(), data.num_col()) == rows.shape
