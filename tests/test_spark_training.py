"""SparkHSClassifier: rows in partitions are trained on as if they were in one place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from _spark import dealt
from xgboost import XGBClassifier

from hsboost import HSClassifier

COLUMNS = ["a", "b", "c"]
TREES = {"n_estimators": 4, "max_depth": 3}


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Rows whose features have few values, so that XGBoost's bins do not depend on the partitions."""
    rng = np.random.default_rng(21)
    n = 900
    frame = pd.DataFrame(rng.integers(0, 40, (n, 3)).astype(float), columns=COLUMNS)
    frame["y"] = (frame.a + frame.b + rng.normal(0, 9, n) > 55).astype(int)
    frame["w"] = rng.integers(1, 4, n).astype(float)
    frame["g"] = rng.choice(["north", "south", "west"], n)
    frame["valid"] = rng.random(n) < 0.25
    return frame


def halves(rows: pd.DataFrame) -> list[pd.DataFrame]:
    return [rows[:450], rows[450:]]


def classifier(**settings: Any) -> Any:
    from hsboost.spark import SparkHSClassifier

    return SparkHSClassifier(**({"features_col": COLUMNS, "label_col": "y", "num_workers": 2} | TREES | settings))


def scores_of(model: Any, rows: pd.DataFrame) -> np.ndarray:
    return model.to_classifier().rank(rows[COLUMNS]).scores + model.threshold_


DEALT = {
    "even": lambda rows: [rows[:450], rows[450:]],
    "uneven": lambda rows: [rows[:37], rows[37:]],
    "the first empty": lambda rows: [rows[:0], rows],
    "positives in one": lambda rows: [rows[rows.y == 0], rows[rows.y == 1]],
}


@pytest.mark.parametrize("how", DEALT)
def test_equals_one_machine(spark: Any, rows: pd.DataFrame, how: str) -> None:
    parts = DEALT[how](rows)
    model = classifier(k=90).fit(dealt(spark, parts))
    together = pd.concat(parts)
    alone = HSClassifier(XGBClassifier(**TREES), k=90, threshold="training").fit(together[COLUMNS], together.y)
    np.testing.assert_allclose(scores_of(model, rows), alone.rank(rows[COLUMNS]).scores + alone.threshold_, rtol=1e-5)
    np.testing.assert_allclose(model.threshold_, alone.threshold_, rtol=1e-5)
