"""Group labels of every kind: the same rows together whatever holds the labels, or one clear error."""

from __future__ import annotations

import datetime as dt
import decimal
import fractions
import uuid
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from hsboost import HypersimplexLoss, PrecisionAtK, precision_at_k, project_hypersimplex
from hsboost._kernels._compile import PARALLEL_FROM
from hsboost._solver.segments import Segments

pytestmark = pytest.mark.truth

D = decimal.Decimal
DAYS = [dt.date(2026, 1, 2), dt.date(2026, 1, 1)]
TIMES = [dt.datetime(2026, 1, 2), dt.datetime(2026, 1, 1)]
BIG = [2**63 + 5, 2**63, 2**63 + 5, 2**63 + 1]
LEAST = -(2**63)

#: Labels of four rows, and the place of each among the sorted labels.
GOOD: dict[str, tuple[Any, list[int]]] = {
    "uint64": (np.array(BIG, np.uint64), [2, 0, 2, 1]),
    "uint64, byte-swapped": (np.array(BIG, ">u8"), [2, 0, 2, 1]),
    "uint64, far apart": (np.array([2**64 - 1, 0, 2**63, 2**64 - 1], np.uint64), [2, 0, 1, 2]),
    "uint64, sorted": (np.array(sorted(BIG), np.uint64), [0, 1, 2, 2]),
    "uint64, list": (BIG, [2, 0, 2, 1]),
    "uint64, pandas": (pd.Series(BIG, dtype="UInt64"), [2, 0, 2, 1]),
    "uint64, polars": (pl.Series(BIG, dtype=pl.UInt64), [2, 0, 2, 1]),
    "uint64, arrow": (pa.array(BIG, pa.uint64()), [2, 0, 2, 1]),
    "least int64": (np.array([LEAST + 1, LEAST, LEAST, LEAST + 1]), [1, 0, 0, 1]),
    "least and largest int64": (np.array([2**63 - 1, LEAST, 2**63 - 1, LEAST]), [1, 0, 1, 0]),
    "int8": (np.array([127, -128, 127, -128], np.int8), [1, 0, 1, 0]),
    "uint8": (np.array([255, 0, 255, 0], np.uint8), [1, 0, 1, 0]),
    "beyond int64": ([2**63, -1, 2**70, -1], [1, 0, 2, 0]),
    "neighbours above 2**53": (np.array([2**62 + 1, 2**62, 2**62 + 1, 2**62]), [1, 0, 1, 0]),
    "neighbours above 2**53, pandas": (pd.Series([2**62 + 1, 2**62] * 2, dtype="Int64"), [1, 0, 1, 0]),
    "neighbours above 2**53, arrow": (pd.Series([2**62 + 1, 2**62] * 2, dtype="int64[pyarrow]"), [1, 0, 1, 0]),
    "integers of several types": ([np.int8(1), np.uint64(1), 1, np.int64(2)], [0, 0, 0, 1]),
    "bool": (np.array([True, False, True, False]), [1, 0, 1, 0]),
    "bool, pandas": (pd.Series([True, False, True, False], dtype="boolean"), [1, 0, 1, 0]),
    "bool and int": ([True, 1, 0, False], [1, 1, 0, 0]),
    "int and float": ([1, 1.0, 2, 2.0], [0, 0, 1, 1]),
    "zeros": (np.array([0.0, -0.0, 1.0, -0.0]), [0, 0, 1, 0]),
    "zeros, list": ([0.0, -0.0, 1.0, 0], [0, 0, 1, 0]),
    "infinities": (np.array([np.inf, 0.0, -np.inf, np.inf]), [2, 1, 0, 2]),
    "float16": (np.array([2, 1, 2, 1], np.float16), [1, 0, 1, 0]),
    "longdouble": (np.array([2, 1, 2, 1], np.longdouble), [1, 0, 1, 0]),
    "decimal": ([D("1.10"), D("1.1"), D(2), 2], [0, 0, 1, 1]),
    "fraction": ([fractions.Fraction(1, 2), 0.5, 1, 1], [0, 0, 1, 1]),
    "decimal, polars": (pl.Series([D("1.5"), D("2.5")] * 2), [0, 1, 0, 1]),
    "text of several widths": (np.array(["a", "bbbb", "a", "bb"]), [0, 2, 0, 1]),
    "text with spaces": (["a", "bbbb", "a ", "a"], [0, 2, 1, 0]),
    "text, polars": (pl.Series(["b", "a", "b", "a"]), [1, 0, 1, 0]),
    "text, pandas": (pd.Series(["b", "a", "b", "a"], dtype="string"), [1, 0, 1, 0]),
    "bytes": (np.array([b"a", b"b", b"a", b"b"]), [0, 1, 0, 1]),
    "bytes with a zero": ([b"a\0", b"a", b"a\0", b"a"], [1, 0, 1, 0]),
    "categories, one unused": (pd.Categorical(["b", "a", "b", "a"], ["z", "b", "a"]), [1, 0, 1, 0]),
    "categories, polars": (pl.Series(["b", "a", "b", "a"], dtype=pl.Categorical), [1, 0, 1, 0]),
    "enum, polars": (pl.Series(["b", "a", "b", "a"], dtype=pl.Enum(["z", "b", "a"])), [1, 0, 1, 0]),
    "dictionary, arrow": (pa.array(["b", "a", "b", "a"]).dictionary_encode(), [1, 0, 1, 0]),
    "timestamps": ([pd.Timestamp(TIMES[0]), pd.Timestamp(TIMES[1]), *TIMES], [1, 0, 1, 0]),
    "days far apart": (np.array(["9999-01-02", "0001-01-01"] * 2, "M8[D]"), [1, 0, 1, 0]),
    "dates, polars": (pl.Series(DAYS * 2), [1, 0, 1, 0]),
    "times with a zone, polars": (pl.Series(TIMES * 2).dt.replace_time_zone("UTC"), [1, 0, 1, 0]),
    "dates, arrow": (pa.array(DAYS * 2), [1, 0, 1, 0]),
    "months": (pd.PeriodIndex(["2026-02", "2026-01"] * 2, freq="M"), [1, 0, 1, 0]),
    "intervals": (pd.cut([1, 5, 1, 5], [0, 2, 6]), [0, 1, 0, 1]),
    "tuples": ([("b", 1), ("a", 2), ("b", 1), ("a", 2)], [1, 0, 1, 0]),
    "tuples of several lengths": ([("b", 1), ("a",), ("b", 1), ("a",)], [1, 0, 1, 0]),
    "tuples, pandas": (pd.MultiIndex.from_tuples([("b", 1), ("a", 2)] * 2), [1, 0, 1, 0]),
    "uuid": ([uuid.UUID(int=5), uuid.UUID(int=3)] * 2, [1, 0, 1, 0]),
    "a mask of nothing": (np.ma.array([2, 1, 2, 1]), [1, 0, 1, 0]),
}  # fmt: skip

SCORE = np.array([3.0, 2.0, 1.0, 0.0])
Y = np.array([0, 1, 1, 0])


@pytest.mark.parametrize("kind", GOOD)
def test_equal_labels_are_one_group(kind: str) -> None:
    labels, codes = GOOD[kind]
    segments = Segments.by_label(labels)
    assert segments.codes.tolist() == codes
    assert len(segments.labels) == max(codes) + 1
    assert all(a < b for a, b in zip(segments.labels, segments.labels[1:], strict=False))
    # The labels found, and those given, name the groups' budgets.
    expected = HypersimplexLoss(dict.fromkeys(range(len(segments.labels)), 1)).loss(Y, SCORE, None, codes)
    assert HypersimplexLoss(dict.fromkeys(segments.labels, 1)).loss(Y, SCORE, None, labels) == expected
    assert precision_at_k(Y, SCORE, 1, groups=labels) == precision_at_k(Y, SCORE, 1, groups=codes)
    assert PrecisionAtK(1, groups=labels)(Y, SCORE) == precision_at_k(Y, SCORE, 1, groups=codes)
    np.testing.assert_array_equal(
        project_hypersimplex(SCORE, 1, groups=labels).values, project_hypersimplex(SCORE, 1, groups=codes).values
    )


@pytest.mark.parametrize(
    ("labels", "keys"),
    [
        ([1, 2], [np.int64(1), np.uint8(2)]), (np.array([1, 2], np.uint64), [1.0, np.float32(2)]),
        (np.array([0.5, 2.0]), [np.float32(0.5), 2]), (np.array([True, False]), [1, np.False_]),
        (np.array(["a", "b"]), ["a", np.str_("b")]), (np.array([2**63, 2**63 + 1], np.uint64), [2**63, 2**63 + 1]),
        (np.array(["2026-01-01", "2026-01-02"], "M8[D]"), [np.datetime64("2026-01-01"), dt.datetime(2026, 1, 2)]),
    ],
)  # fmt: skip
def test_keys_of_a_mapping_are_found_by_value(labels: Any, keys: list[Any]) -> None:
    groups = [labels[0], labels[0], labels[1], labels[1]]
    got = HypersimplexLoss({keys[0]: 2, keys[1]: 0}).threshold(Y, SCORE, None, np.asarray(groups))
    assert np.sort(got).tolist() == sorted(HypersimplexLoss({0: 2, 1: 0}).threshold(Y, SCORE, None, [0, 0, 1, 1]))
    with pytest.raises(ValueError, match="k has no budget for group"):
        HypersimplexLoss({keys[0]: 2}).loss(Y, SCORE, None, np.asarray(groups))


@pytest.mark.parametrize(
    "labels",
    [
        [1, float("nan"), 2, 2], [1, None, 2, 2], ["a", None, "b", "b"], [D(1), D("NaN"), D(1), D(2)],
        np.array(["2026-01-02", "NaT", "2026-01-02", "2026-01-01"], "M8[s]"), [TIMES[0], pd.NaT, *TIMES],
        pd.Series([2, None, 2, 1], dtype="Int64"), pd.Series(["a", None, "b", "b"], dtype="string"),
        pd.Series([True, None, True, False], dtype="boolean"), pd.Categorical(["b", None, "b", "a"]),
        pl.Series([2**62 + 1, None, 2**62, 1]), pl.Series(["b", None, "b", "a"]), pl.Series([True, None, True, False]),
        pa.array([1, None, 2, 2]), pa.array(["b", None, "b", "a"]), np.ma.array([1, 2, 1, 2], mask=[0, 1, 0, 0]),
        np.array([1, np.nan, 2, 2], np.longdouble),
    ],
)  # fmt: skip
def test_a_missing_label_is_named_by_its_row(labels: Any) -> None:
    for call in (Segments.by_label, lambda g: precision_at_k(Y, SCORE, 1, groups=g)):
        with pytest.raises(ValueError, match="groups must not hold missing labels, got one at row 1; give those rows"):
            call(labels)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a", 1, "a", 1], "labels of one kind that can be sorted"),
        (pd.Series(["a", 1, "a", 1]), "labels of one kind that can be sorted"),
        (["a", b"a", "a", b"a"], "labels of one kind that can be sorted"),
        ([pd.Timestamp(TIMES[0]), DAYS[1], pd.Timestamp(TIMES[0]), DAYS[1]], "labels of one kind that can be sorted"),
        ([("a", 1), "a", ("a", 1), "a"], "labels of one kind that can be sorted"),
        (np.array([1j, 2, 1j, 2]), "labels of one kind that can be sorted"),
        (pd.Series([[1], [2], [1], [2]]), "labels that can be looked up, such as numbers or texts: unhashable"),
        ([[1], [2], [1], [2]], r"groups must be one-dimensional, got shape \(4, 1\)"),
        (pd.DataFrame({"a": [1, 2, 1, 2]}), r"groups must be one-dimensional, got shape \(4, 1\)"),
        ({1, 2, 3, 4}, r"groups must be one-dimensional, got shape \(\)"),
        ((i for i in range(4)), r"groups must be one-dimensional, got shape \(\)"),
    ],
)
def test_labels_that_cannot_be_used_are_one_clear_error(labels: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Segments.by_label(labels)


@pytest.mark.skipif(np.finfo(np.longdouble).eps == np.finfo(float).eps, reason="longdouble is float64 here")
def test_labels_finer_than_float64_are_not_merged() -> None:
    labels = np.array([1, 1 + np.finfo(np.longdouble).eps, 1, 1], np.longdouble)
    with pytest.raises(ValueError, match="labels that float64 cannot tell apart; number the groups"):
        Segments.by_label(labels)


@pytest.mark.parametrize("first", [0, -7, 2**63 - 40, -(2**63)])
@pytest.mark.parametrize("place", [0, -1, 70_000])
@pytest.mark.parametrize("layout", ["contiguous", "strided", "read-only", "narrow"])
def test_the_ends_of_many_labels_are_found_wherever_they_lie(first: int, place: int, layout: str) -> None:
    """Of many rows in no order the smallest and largest label come from threaded blocks."""
    codes = np.random.default_rng(3).integers(1, 38, PARALLEL_FROM + 5)
    codes[place], codes[(place + 9) % codes.size] = 0, 38
    labels = first + codes
    if layout == "strided":
        labels = np.repeat(labels, 2)[::2]
    if layout == "narrow" and abs(first) < 2**31:
        labels = labels.astype(np.int32)
    labels.flags.writeable = layout != "read-only"
    segments = Segments.by_label(labels)
    assert segments.labels == [first + code for code in range(39)]
    np.testing.assert_array_equal(segments.codes, codes)
