"""Models of SparkHSClassifier: columns, the top k, files, and pyspark.ml's own tools around them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from _spark import COLUMNS, TREES, classifier, dealt, example
from xgboost import XGBClassifier

from hsboost import HSClassifier, precision_at_k


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return example()


@pytest.fixture(scope="module")
def frame(spark: Any, rows: pd.DataFrame) -> Any:
    return dealt(spark, [rows[:300], rows[300:]]).persist()


@pytest.fixture(scope="module")
def grouped(frame: Any) -> Any:
    """A model with a budget for each group."""
    return classifier(k={"north": 20, "south": 0.1, None: 0.3}, group_col="g", weight_col="w").fit(frame)


@pytest.fixture(scope="module")
def named(spark: Any, rows: pd.DataFrame) -> tuple[Any, Any, pd.DataFrame]:
    """Probabilities of texts as labels, of which the first in order is looked for."""
    texts = rows.assign(y=np.where(rows.y == 1, "bad", "good"))
    frame = dealt(spark, [texts[:300], texts[300:]])
    return classifier(loss="log-loss", pos_label="bad", k=0.1).fit(frame), frame, texts


def test_columns_are_those_of_the_classifier(frame: Any, grouped: Any, rows: pd.DataFrame) -> None:
    made = grouped.transform(frame)
    assert dict(made.dtypes[-3:]) == {"rawPrediction": "vector", "decision": "double", "prediction": "double"}
    found = made.toPandas()
    local = grouped.to_classifier()
    np.testing.assert_array_equal(found.decision, local.decision_function(rows[COLUMNS], groups=rows.g))
    np.testing.assert_array_equal(found.prediction, local.predict(rows[COLUMNS], groups=rows.g))
    raw = np.stack([one.toArray() for one in found.rawPrediction])
    np.testing.assert_array_equal(raw[:, 1], local._raw(rows[COLUMNS]))
    np.testing.assert_array_equal(raw[:, 0], -raw[:, 1])
    common = grouped.copy().setGroupCol(None).setRawPredictionCol("").setPredictionCol("")
    made = common.transform(frame)
    assert made.columns == [*rows.columns, "decision"]
    np.testing.assert_array_equal(made.toPandas().decision, local.decision_function(rows[COLUMNS]))
    with pytest.raises(ValueError, match="has a column 'decision' already"):
        common.transform(made)


def test_texts_as_labels_and_probabilities(named: tuple[Any, Any, pd.DataFrame]) -> None:
    model, frame, rows = named
    made = model.transform(frame)
    assert dict(made.dtypes)["prediction"] == "string"
    found, local = made.toPandas(), model.to_classifier()
    np.testing.assert_array_equal(found.prediction, local.predict(rows[COLUMNS]))
    np.testing.assert_array_equal(found.decision, local.decision_function(rows[COLUMNS]))
    assert ((found.decision > 0) == (found.prediction == "good")).all()  # above 0 is classes_[1]
    probability = np.stack([one.toArray() for one in found.probability])
    np.testing.assert_array_equal(probability, local.predict_proba(rows[COLUMNS]))
    assert (model.numClasses, model.numFeatures, model.pos_label_) == (2, 3, "bad")


def test_the_top_k_are_exactly_k(frame: Any, grouped: Any, rows: pd.DataFrame, named: Any) -> None:
    made = grouped.predict_top_k(frame, 7)
    chosen = made.where("selected")
    assert chosen.union(chosen).groupBy("g").count().toPandas().set_index("g")["count"].tolist() == [14, 14, 14]
    found = made.toPandas()
    local = grouped.to_classifier()
    # Ties go to the rows that come first: of these partitions, in their order.
    mask = local.predict_top_k(rows[COLUMNS], 7, groups=rows.g, return_mask=True)
    np.testing.assert_array_equal(found.selected, mask)
    np.testing.assert_array_equal(found.decision, local.decision_function(rows[COLUMNS], groups=rows.g))
    model, texts, _ = named
    found = model.predict_top_k(texts, 0.05).toPandas()
    mask = model.to_classifier().predict_top_k(rows[COLUMNS], 0.05, return_mask=True)
    np.testing.assert_array_equal(found.selected, mask)
    assert mask.sum() == 45
    assert model.predict_top_k(texts.where("a > 99"), 5).count() == 0
    assert model.predict_top_k(texts).where("selected").count() == 90  # the model's own k
    with pytest.raises(ValueError, match="trained with groups"):
        grouped.copy().setGroupCol(None).predict_top_k(frame, 7)
    with pytest.raises(ValueError, match="groups='z' is no column of the data frame"):
        grouped.predict_top_k(frame, 7, groups="z")


def test_several_classes(spark: Any, rows: pd.DataFrame) -> None:
    three = rows.assign(y=rows.y + (rows.c > 30))
    frame = dealt(spark, [three[:300], three[300:]])
    model = classifier(k={0: 0.3, 1: 0.2, 2: 0.1}).fit(frame)
    estimator = HSClassifier(XGBClassifier(**TREES), k={0: 0.3, 1: 0.2, 2: 0.1}, threshold="training")
    alone = estimator.fit(three[COLUMNS], three.y)
    found, local = model.transform(frame).toPandas(), model.to_classifier()
    decisions = np.stack([one.toArray() for one in found.decision])
    np.testing.assert_array_equal(decisions, local.decision_function(three[COLUMNS]))
    np.testing.assert_allclose(decisions, alone.decision_function(three[COLUMNS]), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(found.prediction, local.predict(three[COLUMNS]))
    top = model.predict_top_k(frame, {0: 10, 1: 20, 2: 30}).toPandas()
    selected = np.array(top.selected.tolist())
    np.testing.assert_array_equal(selected, local.predict_top_k(three[COLUMNS], {0: 10, 1: 20, 2: 30}))
    assert selected.sum(axis=0).tolist() == [10, 20, 30]


def test_files(frame: Any, grouped: Any, rows: pd.DataFrame, tmp_path: Any) -> None:
    from hsboost.losses import HypersimplexSmoothLoss
    from hsboost.spark import SparkHSClassifier, SparkHSClassifierModel

    path = str(tmp_path / "model")
    grouped.write().overwrite().save(path)
    loaded = SparkHSClassifierModel.load(path)
    assert loaded.uid == grouped.uid
    assert loaded.getK() == {"north": 20, "south": 0.1, None: 0.3}
    assert loaded.explainParams() == grouped.explainParams()
    assert loaded.group_thresholds_ == grouped.group_thresholds_
    pd.testing.assert_frame_equal(loaded.transform(frame).toPandas(), grouped.transform(frame).toPandas())
    estimator = classifier(k={1: 3}, loss=HypersimplexSmoothLoss(temperature=2.0), max_depth=None)
    estimator.save(str(tmp_path / "estimator"))
    again = SparkHSClassifier.load(str(tmp_path / "estimator"))
    assert (again.getK(), again.getFeaturesCol(), again.getOrDefault("max_depth")) == ({1: 3}, COLUMNS, None)
    assert repr(again.getLoss()) == repr(estimator.getLoss())
    with pytest.raises(TypeError, match=r"callbacks=.* nothing that a file can hold; .*clear\('callbacks'\)"):
        classifier(callbacks=[object()]).save(str(tmp_path / "other"))


def test_in_a_pipeline_and_a_cross_validator(spark: Any, rows: pd.DataFrame, frame: Any, tmp_path: Any) -> None:
    from pyspark.ml import Pipeline, PipelineModel
    from pyspark.ml.evaluation import BinaryClassificationEvaluator, MulticlassClassificationEvaluator
    from pyspark.ml.feature import VectorAssembler
    from pyspark.ml.tuning import CrossValidator, ParamGridBuilder

    from hsboost.spark import PrecisionAtKEvaluator

    assembler = VectorAssembler(inputCols=COLUMNS, outputCol="features")
    estimator = classifier(features_col="features", k=0.1, num_workers=1, n_estimators=2)
    pipeline = Pipeline(stages=[assembler, estimator])
    grid = ParamGridBuilder().addGrid(estimator.max_depth, [1, 3]).build()
    evaluator = PrecisionAtKEvaluator(k=0.1, label_col="y")
    search = CrossValidator(
        estimator=pipeline, estimatorParamMaps=grid, evaluator=evaluator, numFolds=2, seed=1, parallelism=2
    ).fit(frame)
    assert search.avgMetrics[1] > search.avgMetrics[0]
    best = search.bestModel
    assert best.stages[1].getOrDefault("max_depth") == 3
    best.write().overwrite().save(str(tmp_path / "pipeline"))
    made = PipelineModel.load(str(tmp_path / "pipeline")).transform(frame)
    found = made.toPandas()
    np.testing.assert_array_equal(found.decision, best.transform(frame).toPandas().decision)
    # pyspark.ml's own evaluators read the same columns.
    accuracy = MulticlassClassificationEvaluator(labelCol="y", metricName="accuracy").evaluate(made)
    assert accuracy == pytest.approx((found.prediction == found.y).mean())
    assert BinaryClassificationEvaluator(labelCol="y").evaluate(made) > 0.8


PRECISIONS = {
    "the positives": {},
    "a share": {"k": 0.1},
    "a count and weights": {"k": 77, "weight_col": "w"},
    "groups": {"k": {"north": 5, "south": 0.2, None: 0.1}, "group_col": "g", "weight_col": "w"},
}


@pytest.mark.parametrize("case", PRECISIONS)
def test_the_evaluator_is_precision_at_k(frame: Any, rows: pd.DataFrame, case: str) -> None:
    from hsboost.spark import PrecisionAtKEvaluator

    settings = PRECISIONS[case]
    evaluator = PrecisionAtKEvaluator(**settings, label_col="y", decision_col="a")  # 40 values, so that many tie
    weight = rows.w if "weight_col" in settings else None
    groups = rows.g if "group_col" in settings else None
    expected = precision_at_k(rows.y, rows.a, settings.get("k"), sample_weight=weight, groups=groups)
    np.testing.assert_allclose(evaluator.evaluate(frame), expected, rtol=1e-12)
    assert evaluator.isLargerBetter()


def test_parameters_are_pyspark_mls() -> None:
    pytest.importorskip("pyspark.ml", reason="needs pyspark")
    from hsboost.spark import SparkHSClassifier

    estimator = SparkHSClassifier(features_col="x", k=np.int64(5), estimator=XGBClassifier(max_depth=7, n_estimators=3))
    estimator.setLabelCol("y").setWeightCol("w").setGroupCol("g").setK(0.2).setNumWorkers(4).setLoss("log-loss")
    assert (estimator.getFeaturesCol(), estimator.getLabelCol(), estimator.getWeightCol()) == ("x", "y", "w")
    assert (estimator.getGroupCol(), estimator.getK(), estimator.getNumWorkers()) == ("g", 0.2, 4)
    assert estimator.getOrDefault("max_depth") == 7
    other = estimator.copy({estimator.k: 0.3, estimator.max_depth: 2})
    assert (other.getK(), other.getOrDefault("max_depth"), estimator.getK()) == (0.3, 2, 0.2)
    assert estimator.setWeightCol(None).setParams(k=None, learning_rate=1).getK() is None
    assert not estimator.isDefined("weightCol")
    assert "how many rows to call positive" in estimator.explainParam("k")
    assert isinstance(estimator.getOrDefault("learning_rate"), float)
