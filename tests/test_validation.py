"""Bad input gets one clear error, which names the argument and the value."""

from __future__ import annotations

import re

import numpy as np
import pytest

from hsboost import HypersimplexLoss, project_hypersimplex
from hsboost._kernels._compile import BLOCK
from hsboost._solver.search import SMALL
from hsboost._validation import checked_weight

X = np.array([0.5, -1.0, 2.0, 0.0])
Y = np.array([1, 0, 1, 0])
METHODS = ["threshold", "pav"]

#: An int that no float holds.
HUGE = pytest.param(10**400, id="beyond floats")


def refused(*parts: str):
    """A ValueError whose message holds the parts in this order."""
    return pytest.raises(ValueError, match=".*".join(re.escape(p) for p in parts))


LOSS_CALLS = {
    "loss": lambda *a: HypersimplexLoss().loss(*a),
    "gradient": lambda *a: HypersimplexLoss().gradient(*a),
    "gradient_hessian": lambda *a: HypersimplexLoss().gradient_hessian(*a),
    "boosting_step": lambda y, x, w=None: HypersimplexLoss().boosting_step(y, x, w, None),
    "threshold": lambda *a: HypersimplexLoss().soft_threshold(*a),
}
each_call = pytest.mark.parametrize("call", LOSS_CALLS.values(), ids=LOSS_CALLS)
each_method = pytest.mark.parametrize("method", METHODS)
NOT_FINITE = [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf")]

# --- scores -------------------------------------------------------------------------------------------------------


@each_method
@pytest.mark.parametrize(("bad", "shown"), NOT_FINITE)
@pytest.mark.parametrize("n", [1, 5, BLOCK, SMALL + 1, 100_001])
@pytest.mark.parametrize("k", ["none", "some", "all"])
def test_projection_scores_not_finite(method, bad, shown, n, k):
    x = np.linspace(-3, 3, n)
    for row in sorted({0, n // 2, n - 1}):
        with_bad = x.copy()
        with_bad[row] = bad
        for scores in (with_bad, with_bad.astype(np.float32)):
            with refused("x must be finite", f"got {shown} at row {row}", "1 such rows"):
                project_hypersimplex(scores, {"none": 0, "some": 0.4 * n, "all": n}[k], method=method)


@each_call
@pytest.mark.parametrize(("bad", "shown"), NOT_FINITE)
@pytest.mark.parametrize("n", [5, SMALL + 1])
def test_loss_scores_not_finite(call, bad, shown, n):
    x, y = np.linspace(-3, 3, n), np.arange(n) % 2
    x[-1] = bad
    with refused("raw_prediction must be finite", f"got {shown} at row {n - 1}"):
        call(y, x)
    for method in ("loss", "gradient", "soft_threshold", "threshold"):  # k = 0 needs no search, which is no excuse
        with refused("raw_prediction must be finite", f"got {shown} at row {n - 1}"):
            getattr(HypersimplexLoss(0), method)(y, x)


def test_bad_scores_of_rows_without_weight_are_noticed():
    with refused("x must be finite", "got nan at row 1"):
        project_hypersimplex([0.0, np.nan, 1.0], 1, sample_weight=[1, 0, 1])
    with refused("x must be finite", "got nan at row 1"):
        project_hypersimplex([0.0, np.nan, 1.0], 1, sample_weight=[1, 0, 1], method="pav")


@pytest.mark.parametrize(
    ("x", "parts"),
    [
        ([], ("x is empty",)),
        (np.zeros((3, 0)), ("x is empty",)),
        (np.zeros((3, 2, 2)), ("x must be one-dimensional", "(3, 2, 2)")),
        (3.0, ("x must be one-dimensional", "()")),
        (["a", "b"], ("x must hold numbers", "<U1")),
        ([1j, 2.0], ("x must hold numbers", "complex128")),
        (np.array([None, 1.0]), ("x must hold numbers", "object")),
    ],
)
def test_scores_of_wrong_shape_or_kind(x, parts):
    with refused(*parts):
        project_hypersimplex(x, 1)
    with refused(*(p.replace("x ", "raw_prediction ", 1) if p.startswith("x ") else p for p in parts)):
        HypersimplexLoss().loss(np.zeros(np.size(x)), x)


# --- k ------------------------------------------------------------------------------------------------------------


@each_method
@pytest.mark.parametrize(
    ("k", "parts"),
    [
        (-1, ("k must lie between 0 and", "4", "got -1")),
        (-1e-9, ("k must lie between 0 and", "4", "got -1e-09")),
        (4.001, ("k must lie between 0 and", "4", "got 4.001")),
        (np.nan, ("k must be a finite number", "nan")),
        (np.inf, ("k must be a finite number", "inf")),
        (True, ("k must be a finite number", "True")),
        (np.True_, ("k must be a finite number", "True")),
        ("2", ("k must be a finite number", "'2'")),
        (None, ("k must be a finite number", "None")),
        ([1], ("k must be a finite number", "[1]")),
        pytest.param(10**400, ("k must",), id="beyond floats"),
    ],
)
def test_mass_out_of_range(method, k, parts):
    with refused(*parts):
        project_hypersimplex(X, k, method=method)


def test_mass_above_the_total_weight():
    with refused("k must lie between 0 and the total weight 2", "got 3"):
        project_hypersimplex(X, 3, sample_weight=[0.5] * 4)
    # A sum of the same weights in another order may be one rounding larger, and means all of it.
    assert project_hypersimplex(X, 4 * (1 + 1e-15)).values.tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("k", "parts"),
    [
        (1.0, ("k as a float", "1.0", "k=1")),
        (0.0, ("k as a float", "(0, 1)", "0.0")),
        (-0.5, ("k as a float", "-0.5")),
        (7.0, ("k as a float", "7.0", "k=7")),
        (np.nan, ("k as a float", "nan")),
        (np.inf, ("k as a float", "inf")),
        (-3, ("k as a count must be >= 0", "-3")),
        (True, ("k must be None, an int", "True")),
        (False, ("k must be None, an int", "False")),
        ("5%", ("k must be None, an int", "'5%'")),
        ([3], ("k must be None, an int", "[3]")),
    ],
)
def test_budget(k, parts):
    with refused(*parts):
        HypersimplexLoss(k)


def test_a_count_above_the_total_weight_takes_all_of_it():
    loss = HypersimplexLoss(5)
    assert loss.loss(Y, X) == 0.5 * (len(Y) - sum(Y))  # every row is called positive
    np.testing.assert_array_equal(loss.gradient(Y, X, [0.5] * 4), np.zeros(4))


# --- temperature and choices --------------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [0, 0.0, -1.0, np.nan, np.inf, "1", None, True, [1.0], HUGE])
def test_temperature(temperature):
    parts = ("temperature must be a positive finite number", repr(temperature)[:20])
    with refused(*parts):
        project_hypersimplex(X, 1, temperature=temperature)
    with refused(*parts):
        HypersimplexLoss(temperature=temperature)


@pytest.mark.parametrize("value", ["newton", "", None, 1])
def test_unknown_choices(value):
    with refused("method must be one of 'threshold', 'pav'", repr(value)):
        project_hypersimplex(X, 1, method=value)
    with refused("hessian must be one of 'exact', 'unit'", repr(value)):
        HypersimplexLoss(hessian=value)
    with refused("reduction must be one of 'sum', 'mean'", repr(value)):
        HypersimplexLoss(reduction=value)


@pytest.mark.parametrize("floor", [0, -1e-3, np.nan, np.inf, "x", None, True, 1.5])
def test_hessian_floor(floor):
    with refused("hessian_floor", repr(floor)):
        HypersimplexLoss(hessian_floor=floor)


# --- weights ------------------------------------------------------------------------------------------------------

WEIGHTS = [
    ([1, -2.5, 1, 1], ("sample_weight must be finite and >= 0", "-2.5 at row 1")),
    ([1, 1, np.nan, 1], ("sample_weight must be finite and >= 0", "nan at row 2")),
    ([1, 1, 1, np.inf], ("sample_weight must be finite and >= 0", "inf at row 3")),
    ([-1, 1, 1, 1], ("sample_weight must be finite and >= 0", "-1.0 at row 0")),
    ([0, 0, 0, 0], ("sample_weight must have a positive sum", "0")),
    ([1, 1, 1], ("sample_weight must have one entry per row", "(4,)", "(3,)")),
    (np.ones((4, 2)), ("sample_weight must have one entry per row", "(4,)", "(4, 2)")),
    (2.0, ("sample_weight must have one entry per row", "(4,)", "()")),
    (list("abcd"), ("sample_weight must hold numbers", "<U1")),
    ([1e308, 1e308, 1e308, 1e308], ("sample_weight", "sum", "inf")),  # each is fine, their sum is not
]


@each_method
@pytest.mark.parametrize(("weight", "parts"), WEIGHTS)
def test_projection_weights(method, weight, parts):
    with refused(*parts):
        project_hypersimplex(X, 1, sample_weight=weight, method=method)


@each_call
@pytest.mark.parametrize(("weight", "parts"), WEIGHTS)
def test_loss_weights(call, weight, parts):
    with refused(*parts):
        call(Y, X, weight)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("weight", "parts"), [(w, p) for w, p in WEIGHTS if np.shape(w) == (4,) and w[0] != "a"])
def test_weights_by_themselves(weight, parts, dtype):
    with np.errstate(over="ignore"):
        bad = np.asarray(weight).astype(dtype)  # what float32 cannot hold is infinite by itself
    if np.isinf(bad[0]):
        parts = ("sample_weight must be finite and >= 0", "inf at row 0", "4 such rows")
    with refused(*parts):
        checked_weight(bad)
    good = np.array([0.5, 0.0, 3.0], dtype)
    assert checked_weight(good).dtype == np.float64
    assert checked_weight(good).tolist() == good.tolist()


def test_float32_weights_whose_sum_is_beyond_float32_are_summed_in_float64():
    assert checked_weight(np.full(4, 3e38, np.float32)).sum() == pytest.approx(1.2e39)


@pytest.mark.parametrize("n", [SMALL + 1, 100_001])
def test_a_bad_weight_or_label_at_the_end_of_a_long_array(n):
    x, y, w = np.linspace(-3, 3, n), np.arange(n) % 2, np.ones(n)
    w[-1] = -1.0
    with refused("sample_weight", f"-1.0 at row {n - 1}"):
        project_hypersimplex(x, 10, sample_weight=w)
    with refused("sample_weight", f"-1.0 at row {n - 1}"):
        HypersimplexLoss().loss(y, x, w)
    y[-1] = 2
    with refused("y_true must be 0 or 1", f"2 at row {n - 1}"):
        HypersimplexLoss().loss(y, x)


# --- labels -------------------------------------------------------------------------------------------------------


@each_call
@pytest.mark.parametrize(
    ("y", "parts"),
    [
        ([0, 1, 2, 0], ("y_true must be 0 or 1", "got 2 at row 2")),
        ([-1, 1, 1, -1], ("y_true must be 0 or 1", "got -1 at row 0", "2 such rows")),
        ([0, 1, 0.5, 0], ("y_true must be 0 or 1", "got 0.5 at row 2")),
        ([0, 1, np.nan, 0], ("y_true must be 0 or 1", "got nan at row 2")),
        ([0, 1, np.inf, 0], ("y_true must be 0 or 1", "got inf at row 2")),
        ([0, 1, 1 + 1e-12, 0], ("y_true must be 0 or 1", "at row 2")),
        ([0, 1, 1e-60, 0], ("y_true must be 0 or 1", "1e-60 at row 2")),
        (list("abab"), ("y_true must hold 0 and 1", "<U1")),
        ([None, 1, 0, 1], ("y_true must hold 0 and 1", "object")),
        ([0, 1, 1], ("y_true must have one entry per row", "(4,)", "(3,)")),
        ([], ("y_true must have one entry per row", "(4,)", "(0,)")),
        (np.ones((4, 1)), ("y_true must have one entry per row", "(4,)", "(4, 1)")),
    ],
)
def test_labels(call, y, parts):
    with refused(*parts):
        call(y, X)


# --- directions ---------------------------------------------------------------------------------------------------


def test_directions():
    p = project_hypersimplex(X, 2)
    for product in (p.jvp, p.vjp):
        with refused("the direction must have one entry per row", "(4,)", "(3,)"):
            product([1.0, 2.0, 3.0])
