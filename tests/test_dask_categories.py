"""DaskHSClassifier on frames whose partitions list their categories each in its own way."""

from __future__ import annotations

from typing import Any

import dask
import numpy as np
import pandas as pd
import pytest
from _versions import need
from xgboost import XGBClassifier

from hsboost import HSClassifier, precision_at_k

dd = pytest.importorskip("dask.dataframe", reason="needs dask[dataframe]")
pytest.importorskip("distributed", reason="needs distributed")

from dask.dataframe.utils import UNKNOWN_CATEGORIES  # noqa: E402

from hsboost.dask import DaskHSClassifier  # noqa: E402

pytestmark = pytest.mark.slow  # a cluster of processes

N = 200
LEVELS = ["x", "y", "z"]
VALUES = np.array(LEVELS)[np.random.default_rng(0).integers(0, 3, N)]
NUMBERS = np.random.default_rng(1).normal(size=N).round(1)
Y = (VALUES == "y") ^ (np.random.default_rng(2).random(N) < 0.1)
FRAME = pd.DataFrame({"a": pd.Categorical(VALUES, categories=LEVELS), "b": NUMBERS})
LOCAL_SETTINGS: dict[str, Any] = {"n_estimators": 3, "enable_categorical": True, "n_jobs": 1}

#: What each half of the rows lists; values that a list lacks do not occur in its half.
LISTS = {
    "same": (LEVELS, LEVELS), "other order": (LEVELS, LEVELS[::-1]), "the second lacks one": (LEVELS, ["y", "z"]),
    "the first lacks one": (["y", "z"], LEVELS), "each lacks one": (["y", "z"], ["y", "x"]),
    "one more": ([*LEVELS, "w"], ["y", "z", "x"]),
}  # fmt: skip


def trees() -> XGBClassifier:
    return XGBClassifier(**LOCAL_SETTINGS)


def series(values: Any) -> Any:
    return dd.from_pandas(pd.Series(values), npartitions=2)


def halves(lists: tuple[list[str], list[str]]) -> tuple[pd.DataFrame, pd.Series, list[pd.DataFrame]]:
    """Rows, labels, and the rows in two halves with these lists."""
    kept = np.array([VALUES[i] in lists[i >= N // 2] for i in range(N)])
    rows, labels = FRAME[kept].reset_index(drop=True), pd.Series(Y[kept])
    cut = int(kept[: N // 2].sum())
    parts = []
    for half, levels in zip((rows.iloc[:cut], rows.iloc[cut:]), lists, strict=True):
        parts.append(half.assign(a=half["a"].cat.set_categories(levels)))
        assert not parts[-1]["a"].isna().any()
    return rows, labels, parts


def frame(parts: list[pd.DataFrame], is_known: bool) -> Any:
    """A Dask frame of these partitions, that says their categories or does not."""
    meta = FRAME.iloc[:0]
    if not is_known:
        meta = meta.assign(a=pd.Categorical([], categories=[UNKNOWN_CATEGORIES]))
    return dd.from_delayed([dask.delayed(part) for part in parts], meta=meta, verify_meta=False)


def labelled(labels: pd.Series, parts: list[pd.DataFrame]) -> Any:
    cut = len(parts[0])
    pieces = [dask.delayed(labels.iloc[:cut]), dask.delayed(labels.iloc[cut:])]
    return dd.from_delayed(pieces, meta=labels.iloc[:0], verify_meta=False)


@pytest.mark.parametrize("lists", LISTS)
@pytest.mark.parametrize("is_known", [True, False])
def test_trees_are_those_of_the_gathered_rows(client: Any, lists: str, is_known: bool) -> None:
    rows, labels, parts = halves(LISTS[lists])
    right = HSClassifier(trees(), k=0.2, threshold="training").fit(rows, labels)
    scores = right.decision_function(rows)
    assert len(np.unique(scores)) > 3
    model = DaskHSClassifier(trees(), k=0.2).fit(frame(parts, is_known), labelled(labels, parts))
    np.testing.assert_allclose(model.to_local().decision_function(rows), scores, atol=1e-6)
    assert model.threshold_ == pytest.approx(right.threshold_, abs=1e-6)


@pytest.mark.parametrize("lists", LISTS)
@pytest.mark.parametrize("is_known", [True, False])
def test_evaluation_sets_are_read_as_the_training_rows(client: Any, lists: str, is_known: bool) -> None:
    need("xgboost", "3.1.1", "categories are told by their names, not their positions,")
    rows, labels, parts = halves(LISTS[lists])
    train = dd.from_pandas(FRAME, npartitions=2)
    model = DaskHSClassifier(trees(), k=0.3)
    if "w" in LISTS[lists][0]:
        parts[0]["a"] = parts[0]["a"].cat.remove_categories("w")
    model.fit(train, series(Y), eval_set=(frame(parts, is_known), labelled(labels, parts)))
    right = precision_at_k(labels, model.to_local().decision_function(rows), 0.3)
    assert model.evals_result_["validation_0"]["precision@0.3"][-1] == pytest.approx(right, abs=1e-6)
    scores = np.asarray(model.decision_function(frame(parts, is_known)).compute())
    np.testing.assert_allclose(scores, model.to_local().decision_function(rows), atol=1e-6)


@pytest.mark.parametrize("is_known", [True, False])
def test_training_rows_that_do_not_say_their_categories(client: Any, is_known: bool) -> None:
    _, labels, parts = halves(LISTS["other order"])
    valid = dd.from_pandas(FRAME, npartitions=2)
    model = DaskHSClassifier(trees(), k=0.3)
    model.fit(frame(parts, is_known), labelled(labels, parts), eval_set=(valid, series(Y)))
    right = precision_at_k(Y, model.to_local().decision_function(FRAME), 0.3)
    assert model.evals_result_["validation_0"]["precision@0.3"][-1] == pytest.approx(right, abs=1e-6)


def test_categories_of_several_types(client: Any) -> None:
    _, labels, parts = halves(LISTS["same"])
    parts[1] = parts[1].assign(a=pd.Categorical(parts[1]["a"].cat.codes.to_numpy()))
    message = (
        "^X: the categories of column 'a' are texts in partition 0 and numbers in partition 1; convert them to one"
    )
    with pytest.raises(ValueError, match=message):
        DaskHSClassifier(trees(), k=0.2).fit(frame(parts, False), labelled(labels, parts))


@pytest.mark.parametrize("is_known", [True, False])
def test_init_model_is_checked_on_every_partition_before_training(client: Any, is_known: bool) -> None:
    need("xgboost", "3.1.1", "categories are told by their names, not their positions,")
    rows, labels, parts = halves(LISTS["other order"])
    first = HSClassifier(trees(), k=0.2, threshold="training").fit(FRAME, Y)
    going_on = DaskHSClassifier(trees(), k=0.2).fit(frame(parts, is_known), labelled(labels, parts), init_model=first)
    right = HSClassifier(trees(), k=0.2, threshold="training").fit(rows, labels, init_model=first)
    np.testing.assert_allclose(going_on.to_local().decision_function(rows), right.decision_function(rows), atol=1e-6)
    late = parts[1]["a"].astype(object).where(np.arange(len(parts[1])) < 90, "new")
    parts[1] = parts[1].assign(a=late.astype("category"))
    with pytest.raises(
        ValueError, match="init_model was trained on other columns: X: column 'a' holds the category 'new'"
    ):
        DaskHSClassifier(trees(), k=0.2).fit(frame(parts, is_known), labelled(labels, parts), init_model=first)


# Names beside none


@pytest.mark.parametrize("names", [[0, 1], ["0", "1"], [1, 0], ["a", "b"]], ids=str)
def test_an_array_beside_a_frame(client: Any, names: list[Any]) -> None:
    """Under Dask both are one or the other, numbers as names included: XGBoost compares them by partition."""
    rows = np.column_stack([NUMBERS, Y + NUMBERS])
    named, plain = dd.from_pandas(pd.DataFrame(rows, columns=names), npartitions=2), dask.array.from_array(rows)
    model = DaskHSClassifier(trees(), k=0.2)
    labels = dask.array.from_array(Y)
    with pytest.raises(
        ValueError, match=r"^eval_set's X has no column names, but X has; pass a frame with the columns"
    ):
        model.fit(named, series(Y), eval_set=(plain, labels))
    with pytest.raises(
        ValueError, match=r"^eval_set's X(: The feature names should match| has column names, but X has n)"
    ):
        model.fit(plain, labels, eval_set=(named, series(Y)))
    one = [model.fit(named, series(Y), eval_set=(named, series(Y))).evals_result_]
    one += [model.fit(plain, labels, eval_set=(plain, labels)).evals_result_]
    assert one[0] == one[1]
