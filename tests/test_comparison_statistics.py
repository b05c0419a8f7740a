"""Figures and decisions of a comparison of losses, against references written by hand."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest

from hsboost.comparison import _recommendation
from hsboost.comparison._statistics import Difference, auc, difference, holm


def test_difference_is_nadeau_and_bengios_corrected_t_test():
    ours, base, ratio = [0.50, 0.54, 0.55, 0.61, 0.50], [0.48, 0.50, 0.56, 0.57, 0.48], 1 / 3
    gaps = [a - b for a, b in zip(ours, base, strict=True)]
    mean = sum(gaps) / 5
    error = math.sqrt(statistics.variance(gaps) * (1 / 5 + ratio))
    found = difference(ours, base, ratio)
    assert found.mean == pytest.approx(mean)
    assert found.error == pytest.approx(error)
    assert found.freedom == 4
    t = 2.7764451051977987  # 97.5 % point of Student's t with 4 degrees of freedom
    assert found.interval(0.95) == pytest.approx((mean - t * error, mean + t * error))
    # t's distribution function with 4 degrees of freedom, in closed form.
    x = mean / error
    s = x / math.sqrt(4 + x * x)
    assert found.p == pytest.approx(2 * (0.5 - 0.75 * (s - s**3 / 3)))
    # Three intervals at 95 % together: each at 1 - 0.05 / 3.
    assert found.interval(0.95, 3) == pytest.approx(found.interval(1 - 0.05 / 3))


def test_one_split_has_no_interval_and_equal_gaps_prove_nothing():
    alone = difference([0.5], [0.4], 0.25)
    assert alone.mean == pytest.approx(0.1)
    assert math.isnan(alone.p)
    assert all(map(math.isnan, alone.interval(0.95)))
    equal = difference([0.6, 0.7], [0.5, 0.6], 0.25)
    assert (equal.p, equal.error) == (1.0, 0.0)
    assert equal.interval(0.95) == pytest.approx((0.1, 0.1))


@pytest.mark.parametrize(
    ("p", "adjusted"),
    [
        ([0.01], [0.01]),
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),
        ([0.5, 0.9], [1.0, 1.0]),
        ([0.02, 0.02], [0.04, 0.04]),
    ],
)
def test_holm(p, adjusted):
    assert holm(p) == pytest.approx(adjusted)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("grouped", [False, True])
def test_auc_counts_pairs_within_groups(weighted, grouped):
    rng = np.random.default_rng(3)
    score, positive = rng.integers(0, 6, 60).astype(float), rng.random(60) < 0.4
    weight, codes = (rng.uniform(0.1, 3, 60) if weighted else None), (rng.integers(0, 7, 60) if grouped else None)
    w, g = np.ones(60) if weight is None else weight, np.zeros(60) if codes is None else codes
    won = total = 0.0
    for i in np.flatnonzero(positive):
        for j in np.flatnonzero(~positive):
            if g[i] == g[j]:
                total += w[i] * w[j]
                won += w[i] * w[j] * (1.0 if score[i] > score[j] else 0.5 if score[i] == score[j] else 0.0)
    assert auc(positive, score, weight, codes) == pytest.approx(won / total)


def test_auc_without_a_pair_is_nan():
    assert math.isnan(auc(np.array([True, False]), np.array([1.0, 0.0]), None, np.array([0, 1])))


def gap(mean: float, error: float) -> Difference:
    """A difference over ten splits."""
    from scipy.stats import t

    return Difference(mean, error, 9.0, 1.0 if error == 0 else float(2 * t.sf(abs(mean) / error, 9)))


NOISE, SHARP = 0.02, 0.001
#: Losses' differences to log loss, those between the others where they matter; verdict, loss, alternatives.
DECISIONS = {
    "nothing is better, and gains are excluded": (
        {"hypersimplex": (0.0, SHARP), "log-loss-weighted": (-0.01, SHARP)}, {}, "as good", "log-loss", (),
    ),
    "all are worse": ({"hypersimplex": (-0.03, SHARP)}, {}, "as good", "log-loss", ()),
    "nothing is better, and who knows": (
        {"hypersimplex": (0.01, NOISE), "log-loss-weighted": (0.0, NOISE)}, {}, "not shown", "log-loss", (),
    ),
    "better, by less than is worth a switch": ({"hypersimplex": (0.0015, 0.0003)}, {}, "as good", "log-loss", ()),
    "better": ({"hypersimplex": (0.02, SHARP)}, {}, "switch", "hypersimplex", ()),
    # p = 0.02 alone, above 0.05 among four.
    "better alone, not among four": (
        {"hypersimplex": (0.028, 0.01), "a": (0.0, 0.01), "b": (0.0, 0.01), "c": (0.0, 0.01)},
        {}, "not shown", "log-loss", (),
    ),
    "the weight does it as well": (
        {"hypersimplex": (0.021, SHARP), "log-loss-weighted": (0.020, SHARP)},
        {("hypersimplex", "log-loss-weighted"): (0.001, NOISE)},
        "switch", "hypersimplex", ("log-loss-weighted",),
    ),
    "better than the weight, too": (
        {"hypersimplex": (0.03, SHARP), "log-loss-weighted": (0.01, SHARP)},
        {("hypersimplex", "log-loss-weighted"): (0.02, SHARP)},
        "switch", "hypersimplex", (),
    ),
    "the weight is not better for sure, and as good": (
        {"hypersimplex": (0.021, SHARP), "log-loss-weighted": (0.015, NOISE)},
        {("hypersimplex", "log-loss-weighted"): (0.006, NOISE)},
        "switch", "hypersimplex", ("log-loss-weighted",),
    ),
    "the weight is best": (
        {"hypersimplex": (0.01, SHARP), "log-loss-weighted": (0.03, SHARP)},
        {("log-loss-weighted", "hypersimplex"): (0.02, SHARP)},
        "switch", "log-loss-weighted", (),
    ),
    # The higher mean may be noise: what is recommended is better than log loss for sure.
    "the best mean is not certain": (
        {"hypersimplex": (0.05, 0.05), "hypersimplex-fy": (0.02, SHARP)}, {}, "switch", "hypersimplex-fy", (),
    ),
    "equal in every split": ({"hypersimplex": (0.03, 0.0)}, {}, "not shown", "log-loss", ()),
}  # fmt: skip


@pytest.mark.parametrize("case", DECISIONS)
def test_recommendation(case):
    differences, against, verdict, loss, alternatives = DECISIONS[case]
    found = _recommendation.recommend(
        {name: gap(*value) for name, value in differences.items()},
        {pair: gap(*value) for pair, value in against.items()},
        confidence=0.95,
        worth=0.005,
    )
    assert (found.verdict, found.loss, found.alternatives) == (verdict, loss, alternatives)
    assert str(found) == found.text
    assert math.isnan(found.p) == (verdict != "switch")
    if verdict == "switch":
        assert found.p <= 0.05
        assert loss in found.text
    if verdict == "as good":
        assert found.largest_gain < 0.005
    if loss == "hypersimplex" and "log-loss-weighted" in differences and not alternatives:
        assert "It finds more than log loss with the positives weighted, too (p = " in found.text
    if "log-loss-weighted" in alternatives:
        assert "positives weighted (" in found.text


def test_recommendation_from_one_split_is_none():
    one = Difference(0.1, math.nan, 0.0, math.nan)
    found = _recommendation.recommend({"hypersimplex": one}, {}, 0.95, 0.005)
    assert (found.verdict, found.loss) == ("one split", "log-loss")
    assert "+0.1000" in found.text


def test_recommendation_says_how_certain_it_is():
    found = _recommendation.recommend({"a": gap(0.02, 0.004), "b": gap(0.0, 0.004)}, {}, 0.95, 0.005)
    alone = gap(0.02, 0.004)
    assert found.p == pytest.approx(2 * alone.p)
    low, high = alone.interval(0.95)
    assert f"between {low:+.4f} and {high:+.4f} with 95 % confidence" in found.text
    assert found.largest_gain == pytest.approx(alone.interval(1 - 0.05 / 2)[1])
