"""SparkHSClassifier: rows in partitions are trained on as if they were in one place."""

from __future__ import annotations

import datetime
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from _spark import COLUMNS, TREES, callback, classifier, dealt, example
from xgboost import XGBClassifier

from hsboost import HSClassifier, precision_at_k
from hsboost.losses import HypersimplexLoss


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return example()


def halves(rows: pd.DataFrame) -> list[pd.DataFrame]:
    return [rows[:450], rows[450:]]


def raw(model: Any, rows: pd.DataFrame) -> np.ndarray:
    """Scores of the positive class as the trees have them."""
    local = model.to_classifier() if hasattr(model, "to_classifier") else model
    return local._raw(local._read(rows[COLUMNS]))


DEALT = {
    "even": halves,
    "uneven": lambda rows: [rows[:37], rows[37:]],
    "the first empty": lambda rows: [rows[:0], rows],
    "positives in one": lambda rows: [rows[rows.y == 0], rows[rows.y == 1]],
}


@pytest.mark.parametrize("how", DEALT)
def test_partitions_make_no_difference(spark: Any, rows: pd.DataFrame, how: str) -> None:
    parts = DEALT[how](rows)
    model = classifier(k=90).fit(dealt(spark, parts))
    together = pd.concat(parts)
    alone = HSClassifier(XGBClassifier(**TREES), k=90, threshold="training").fit(together[COLUMNS], together.y)
    np.testing.assert_allclose(raw(model, rows), raw(alone, rows), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.threshold_, alone.threshold_, rtol=1e-5)


BUDGETS = {
    "the positives": {},
    "a share": {"k": 0.1},
    "weights": {"k": 0.2, "weight_col": "w"},
    "weights of classes": {"class_weight": {0: 1.0, 1: 3.0}},
    "a count for each group": {"k": 25, "group_col": "g"},
    "groups and weights": {"k": {"north": 20, "south": 0.1, None: 0.3}, "group_col": "g", "weight_col": "w"},
    "log loss": {"loss": "log-loss", "k": 40, "group_col": "g"},
}


@pytest.mark.parametrize("budget", BUDGETS)
def test_budgets_are_those_of_all_rows(spark: Any, rows: pd.DataFrame, budget: str) -> None:
    settings = BUDGETS[budget]
    model = classifier(**settings).fit(dealt(spark, halves(rows)))
    own = {name: value for name, value in settings.items() if not name.endswith("_col")}
    weight = rows.w if "weight_col" in settings else None
    groups = rows.g if "group_col" in settings else None
    alone = HSClassifier(XGBClassifier(**TREES), threshold="training", **own)
    alone.fit(rows[COLUMNS], rows.y, sample_weight=weight, groups=groups)
    np.testing.assert_allclose(raw(model, rows), raw(alone, rows), rtol=1e-5, atol=1e-5)
    if groups is None:
        k, given = own.get("k"), weight
        if "class_weight" in own:
            given = np.where(rows.y == 1, 3.0, 1.0)
        wanted = HypersimplexLoss(k).threshold(rows.y, raw(model, rows), given)
        np.testing.assert_allclose(model.threshold_, wanted, rtol=1e-12)
    else:
        wanted = HypersimplexLoss(own["k"]).threshold(rows.y, raw(model, rows), weight, groups)
        found = model.group_thresholds_
        assert list(found) == sorted(set(rows.g))
        np.testing.assert_allclose(list(found.values()), wanted, rtol=1e-12)


def test_equals_two_dask_workers(spark: Any, client: Any, rows: pd.DataFrame) -> None:
    import dask.dataframe as dd

    from hsboost.dask import DaskHSClassifier

    parts = [rows[:300], rows[300:]]
    frame = dd.from_map(lambda i: parts[i], [0, 1], meta=rows[:0])
    settings = {"k": {"north": 20, "south": 0.1, None: 0.3}}
    other = DaskHSClassifier(XGBClassifier(**TREES), **settings)
    other.fit(frame[COLUMNS], frame["y"], sample_weight=frame["w"], groups=frame["g"])
    model = classifier(**settings, weight_col="w", group_col="g").fit(dealt(spark, parts))
    np.testing.assert_array_equal(raw(model, rows), raw(other.to_local(), rows))
    assert model.threshold_ == other.threshold_
    assert model.group_thresholds_ == other.group_thresholds_


def test_early_stopping_watches_all_validation_rows(spark: Any, rows: pd.DataFrame) -> None:
    settings = {"n_estimators": 12, "max_depth": 2, "early_stopping_rounds": 2, "k": 0.1}
    estimator = classifier(**settings, validation_indicator_col="valid", weight_col="w", calibration="sigmoid")
    model = estimator.fit(dealt(spark, halves(rows)))
    train, valid = rows[~rows.valid], rows[rows.valid]
    local = model.to_classifier()
    rounds = local.booster_.best_iteration + 1
    history = model.evals_result["validation_0"]
    assert list(history) == ["precision@0.1"]
    scores = raw(model, valid)
    found = precision_at_k(valid.y, scores, 0.1, sample_weight=valid.w)
    np.testing.assert_allclose(history["precision@0.1"][rounds - 1], found, rtol=1e-6)  # XGBoost writes it as text
    assert max(history["precision@0.1"]) == history["precision@0.1"][rounds - 1]
    assert len(history["precision@0.1"]) == min(rounds + 2, 12)
    alone = HSClassifier(
        XGBClassifier(**{name: value for name, value in settings.items() if name != "k"}), k=0.1, calibration="sigmoid",
        threshold="training",
    )  # fmt: skip
    alone.fit(
        train[COLUMNS], train.y, sample_weight=train.w, eval_set=(valid[COLUMNS], valid.y), eval_sample_weight=valid.w
    )
    np.testing.assert_allclose(local.predict_proba(rows[COLUMNS]), alone.predict_proba(rows[COLUMNS]), rtol=1e-4)


def test_vectors_arrays_and_columns_hold_the_same_features(spark: Any, rows: pd.DataFrame) -> None:
    from pyspark.ml.linalg import Vectors

    sparse = rows[:200].assign(a=rows.a.where(rows.a > 20, 0.0), b=0.0, c=rows.c.where(rows.c > 30, np.nan))

    def made(i: int, values: list[float]) -> Any:
        return (
            Vectors.sparse(3, {j: one for j, one in enumerate(values) if one != 0}) if i % 2 else Vectors.dense(values)
        )

    features = sparse[COLUMNS].to_numpy().tolist()
    table = [(*one, int(y), made(i, one), one) for i, (one, y) in enumerate(zip(features, sparse.y, strict=True))]
    frame = spark.createDataFrame(table, [*COLUMNS, "y", "vector", "array"]).coalesce(1)
    models = {name: classifier(features_col=name, num_workers=1).fit(frame) for name in ("vector", "array")}
    models["columns"] = classifier(num_workers=1).fit(frame)
    expected = models["columns"].transform(frame).toPandas().decision
    for name in ("vector", "array"):
        np.testing.assert_array_equal(models[name].transform(frame).toPandas().decision, expected)
    # What a sparse vector does not store is missing where 0 is.
    missing = classifier(features_col="vector", missing=0.0, num_workers=1).fit(frame)
    alone = HSClassifier(XGBClassifier(missing=0.0, **TREES), threshold="training").fit(
        sparse[COLUMNS].to_numpy(), sparse.y
    )
    found = missing.transform(frame).toPandas()
    decisions = alone.decision_function(found[COLUMNS].to_numpy())
    np.testing.assert_allclose(found.decision, decisions, rtol=1e-5, atol=1e-6)


def test_categories_are_those_of_all_partitions(spark: Any, rows: pd.DataFrame) -> None:
    texts = rows.assign(place=np.where(rows.a > 25, "far", np.where(rows.b > 20, "near", "by")))
    texts.loc[texts.index[5], "place"] = None
    parts = [texts[texts.place != "far"], texts[texts.place == "far"]]
    columns = [*COLUMNS, "place"]
    model = classifier(features_col=columns, enable_categorical=True, k=0.1).fit(dealt(spark, parts))
    together = pd.concat(parts)
    frame = together[columns].astype({"place": "category"})
    alone = HSClassifier(XGBClassifier(enable_categorical=True, **TREES), k=0.1, threshold="training")
    alone.fit(frame, together.y)
    found = model.transform(dealt(spark, parts)).toPandas()
    np.testing.assert_allclose(found.decision, alone.decision_function(frame), rtol=1e-5, atol=1e-6)


def test_external_memory_trains_the_same_trees(spark: Any, rows: pd.DataFrame, monkeypatch: Any) -> None:
    frame = dealt(spark, halves(rows))
    kept = classifier(k=0.1, group_col="g").fit(frame)
    paged = classifier(k=0.1, group_col="g", external_memory=True).fit(frame)
    np.testing.assert_allclose(raw(paged, rows), raw(kept, rows), rtol=1e-6)
    assert paged.group_thresholds_ == pytest.approx(kept.group_thresholds_, rel=1e-6)


GROUPS = {
    "dates": lambda rows: [datetime.date(2026, 1, 1 + i % 3) for i in range(len(rows))],
    "times": lambda rows: [datetime.datetime(2026, 1, 1, i % 3) for i in range(len(rows))],
    "truth values": lambda rows: [bool(i % 2) for i in range(len(rows))],
    "whole numbers": lambda rows: [10**12 + i % 3 for i in range(len(rows))],
}


@pytest.mark.parametrize("kind", GROUPS)
def test_labels_of_groups_of_any_type(spark: Any, rows: pd.DataFrame, kind: str) -> None:
    labels = GROUPS[kind](rows)
    frame = dealt(spark, halves(rows.assign(g=pd.Series(labels, dtype=object))))
    model = classifier(group_col="g", k={labels[0]: 11, None: 22}, n_estimators=2).fit(frame)
    assert list(model.group_thresholds_) == sorted(set(labels))
    chosen = model.predict_top_k(frame).where("selected").toPandas().g.value_counts().to_dict()
    assert chosen == {label: 11 if label == labels[0] else 22 for label in set(labels)}


def spoilt(column: str, value: Any) -> Any:
    """Rows of which one, in the second partition, holds this value."""

    def change(rows: pd.DataFrame) -> pd.DataFrame:
        found = rows.copy()
        found[column] = found[column].astype(object) if value is None else found[column]
        found.loc[found.index[600], column] = value
        return found

    return change


FAULTS = {
    "no label": (spoilt("y", np.nan), {}, r"^partition 1 of 2: label_col 'y' is null or NaN in 1 rows"),
    "infinity": (spoilt("a", np.inf), {}, r"^partition 1 of 2: column 'a' holds infinity"),
    "no weight": (spoilt("w", np.nan), {"weight_col": "w"}, r"^partition 1 of 2: weight_col 'w' is null or NaN"),
    "negative weight": (spoilt("w", -1.0), {"weight_col": "w"}, r"^partition 1 of 2: weight_col 'w' must"),
    "no group": (spoilt("g", None), {"group_col": "g"}, r"^partition 1 of 2: group_col 'g' is null or NaN in 1 rows"),
    "one class": (lambda rows: rows.assign(y=1), {}, r"^y holds 1 class, 1"),
    "no weight at all": (lambda rows: rows.assign(w=0.0), {"weight_col": "w"}, r"^weight_col 'w' "),
    "k without its group": (lambda rows: rows, {"group_col": "g", "k": {"north": 3}}, r"^k has no budget for .*south"),
    "no validation rows": (
        lambda rows: rows.assign(valid=False), {"validation_indicator_col": "valid"},
        r"^validation_indicator_col 'valid' is false in all rows",
    ),
    "unknown validation label": (
        lambda rows: rows.assign(y=rows.y.where(rows.index != 600, 7), valid=rows.index == 600),
        {"validation_indicator_col": "valid"},
        r"^partition 1 of 2: label_col 'y' of the validation rows holds the label 7"
    ),
    "XGBoost's own": (lambda rows: rows, {"tree_method": "nonesuch"}, "nonesuch"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_one_error(spark: Any, rows: pd.DataFrame, fault: str) -> None:
    change, settings, message = FAULTS[fault]
    with pytest.raises((ValueError, RuntimeError), match=message) as caught:
        classifier(**settings).fit(dealt(spark, halves(change(rows))))
    assert "Py4J" not in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_a_failing_task_is_named(spark: Any, rows: pd.DataFrame) -> None:
    def fails(epoch: int, context: Any) -> None:
        if epoch == 1 and context.partitionId() == 1:
            raise KeyError("sought in vain")

    with pytest.raises(RuntimeError, match=r"^partition 1 of 2: KeyError: 'sought in vain'$"):
        classifier(callbacks=[callback(fails)]).fit(dealt(spark, halves(rows)))


def test_a_lost_process_costs_the_rounds_since_the_last_checkpoint(
    spark: Any, rows: pd.DataFrame, tmp_path: Any
) -> None:
    path = str(tmp_path / "rounds")

    def dies(epoch: int, context: Any) -> None:
        """End the process in the first attempt, without a word."""
        import os

        if context.partitionId() == 0:
            with open(path, "a", encoding="utf-8") as file:
                file.write(f"{epoch} ")
        elif epoch == 4 and not os.path.exists(f"{path}-died"):
            with open(f"{path}-died", "w", encoding="utf-8"):
                os._exit(1)

    settings = {
        "n_estimators": 7,
        "subsample": 0.7,
        "colsample_bytree": 0.7,
        "early_stopping_rounds": 5,
        "validation_indicator_col": "valid",
    }
    frame = dealt(spark, halves(rows))
    kept = {"checkpoint_dir": str(tmp_path), "checkpoint_interval": 2}
    whole = classifier(**settings, **kept).fit(frame)
    resumed = classifier(**settings, **kept, callbacks=[callback(dies)]).fit(frame)
    done = (tmp_path / "rounds").read_text().split()
    assert done[:4] == ["0", "1", "2", "3"]
    assert done[4:] in (["4", "5", "6"], ["4", "4", "5", "6"])  # the checkpoint was written after round 3
    trees = [one.to_classifier().estimator_.get_booster().get_dump(with_stats=True) for one in (resumed, whole)]
    assert len(trees[0]) == 7
    assert trees[0] == trees[1]
    assert resumed.threshold_ == whole.threshold_
    assert resumed.evals_result == whole.evals_result
    assert not list(tmp_path.glob("hsboost-*"))  # checkpoints of a fit that ended are removed


@pytest.mark.slow  # a cluster of its own: three more processes of Java
def test_a_killed_executor_costs_the_rounds_since_the_last_checkpoint(spark: Any, tmp_path: Any) -> None:
    script = Path(__file__).with_name("_spark_killed.py")
    done = subprocess.run([sys.executable, script, tmp_path], capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    rounds = done.stdout.strip().splitlines()[-1]
    assert rounds.split() in (["0", "1", "2", "3", *last] for last in (["4", "5", "6"], ["4", "4", "5", "6"]))


def test_rows_of_a_union_are_dealt_out_anew(spark: Any, rows: pd.DataFrame) -> None:
    train, valid = rows[~rows.valid], rows[rows.valid]
    frame = dealt(spark, [train]).union(dealt(spark, [valid]))  # two partitions, which no barrier stage can read
    model = classifier(validation_indicator_col="valid", k=0.1).fit(frame)
    alone = HSClassifier(XGBClassifier(**TREES), k=0.1, threshold="training").fit(train[COLUMNS], train.y)
    np.testing.assert_allclose(raw(model, rows), raw(alone, rows), rtol=1e-5, atol=1e-6)


SETTINGS = {
    "more tasks than Spark runs": ({"num_workers": 3}, ValueError, "num_workers=3 tasks .* runs 2 at a time"),
    "no such column": ({"label_col": "z"}, ValueError, "label_col='z' is no column of the data frame, which has"),
    "a column twice": ({"features_col": ["a", "a"]}, ValueError, "features_col names 'a' twice"),
    "texts as numbers": ({"features_col": ["a", "g"]}, TypeError, "'g' holds texts; pass enable_categorical=True"),
    "a column of another type": ({"features_col": "g"}, TypeError, "features_col 'g' is of type string"),
    "texts as validation": ({"validation_indicator_col": "g"}, TypeError, "'g' is of type string; it must be boolean"),
    "texts as weights": ({"weight_col": "g"}, TypeError, "weight_col 'g' is of type string; weights are numbers"),
    "stopping without rows": ({"early_stopping_rounds": 3}, ValueError, "early_stopping_rounds .* validation_ind"),
    "calibration without rows": ({"calibration": "sigmoid"}, ValueError, "calibration='sigmoid' .* validation_ind"),
    "checkpoints nowhere": ({"checkpoint_dir": "run"}, ValueError, "checkpoint_dir='run' must be an absolute path"),
    "no workers": ({"num_workers": 0}, ValueError, "num_workers must be 1 or more, got 0"),
    "a bad budget": ({"k": 1.5}, ValueError, "^k as a float .* got 1.5"),
    "a misspelt parameter": ({"max_dept": 3}, TypeError, "'max_dept' is no parameter .*; did you mean 'max_depth'"),
    "an objective": ({"objective": "binary:logistic"}, TypeError, "objective cannot be set here: the loss"),
    "threads": ({"n_jobs": 3}, TypeError, "n_jobs cannot be set here: .* spark.task.cpus"),
    "LightGBM": ({"estimator": "lightgbm"}, ValueError, "LightGBM has no Spark package for Python"),
    "a number as text": ({"max_depth": "deep"}, TypeError, "max_depth"),
}  # fmt: skip


@pytest.mark.parametrize("setting", SETTINGS)
def test_bad_settings_are_errors_before_any_rows_are_read(spark: Any, rows: pd.DataFrame, setting: str) -> None:
    settings, kind, message = SETTINGS[setting]
    with pytest.raises(kind, match=message):
        classifier(**settings).fit(spark.createDataFrame(rows[:20]))
