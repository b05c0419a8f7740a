"""A boosting round over many workers gives every row what it gets when all rows are on one machine."""

from __future__ import annotations

import itertools
import threading

import numpy as np
import pytest
from _collective import on_workers
from _workers import deals, of, parts
from hypothesis import given
from hypothesis import strategies as st

from hsboost import HypersimplexLoss, LossObjective
from hsboost._solver.segments import Segments
from hsboost._workers.communicator import Workers
from hsboost.losses import HypersimplexFYLoss, SquaredLoss, get_loss

LOSSES = [
    HypersimplexLoss(),
    HypersimplexLoss(k=0.2, temperature=0.5),
    HypersimplexLoss(k=3, hessian="unit", reduction="mean"),
    HypersimplexFYLoss(k=0.3),
]


def data(seed, n=60, classes=2, weighted=False):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n if classes == 2 else (n, classes)).astype(np.float32)
    y = rng.integers(0, classes, n)
    y[:classes] = np.arange(classes)
    w = (rng.exponential(size=n) + 0.1).astype(np.float32) if weighted else None
    return x, y, w, rng.integers(0, 4, n)


def step(workers, loss, x, y, w, groups, deal, state=None):
    """One worker's round; groups are labels of all rows, or None."""
    at = parts(len(x), deal)[workers.rank]
    mine = None if groups is None else groups[at]

    def segments():
        return Segments.by_label(mine) if mine.size else None

    labels, raw = y[at], x[at]
    if raw.shape[0] == 0:
        raw = np.empty(0, np.float32)  # as XGBoost has it, whatever the number of classes
    return loss.distributed_step(lambda: labels, raw, of(w, at), state, None if groups is None else segments, workers)


def in_turns(loss, turns, w, groups, deal):
    """A round for each (scores, labels), every worker going on from its last; what the workers got in each of them."""

    def rounds(workers):
        state, found = None, []
        for scores, labels in turns:
            found.append(step(workers, loss, scores, labels, w, groups, deal, state))
            state = found[-1][2]
        return found

    ends = on_workers(len(deal), rounds)
    for end in ends:
        assert not isinstance(end, Exception), end
    return list(zip(*ends, strict=True))


def changing(x, y):
    """Scores and labels of four rounds: as given, moved, other labels, rows in another order."""
    other = np.where(np.arange(len(y)) % 11 == 5, 1 - y, y)
    return [(x, y), (x + np.float32(0.3) * y.astype(np.float32), y), (x, other), (x[::-1].copy(), other)]


def joined(ends, which, shape):
    """All workers' parts, one below the other."""
    return np.concatenate([end[which].reshape(-1, *shape[1:]) for end in ends])


def assert_same(ends, loss, x, y, w, groups):
    for end in ends:
        if isinstance(end, Exception):
            raise end
    gradient, hessian, state = loss.boosting_step(y, x, w, None, groups)
    np.testing.assert_allclose(joined(ends, 0, x.shape), gradient, rtol=3e-6, atol=3e-7)
    np.testing.assert_allclose(joined(ends, 1, x.shape), hessian, rtol=1e-6, atol=1e-9)
    other = ends[0][2]
    np.testing.assert_allclose(other.soft_threshold, state.soft_threshold, rtol=1e-12, atol=1e-12)
    assert other.active_share == pytest.approx(state.active_share, abs=1e-12)


@given(st.integers(0, 10_000), deals, st.sampled_from(LOSSES), st.booleans(), st.booleans(), st.sampled_from([2, 3]))
def test_derivatives_are_those_of_all_rows(seed, deal, loss, weighted, grouped, classes):
    x, y, w, groups = data(seed, classes=classes, weighted=weighted)
    groups = groups if grouped else None
    if grouped and loss.k == 3:
        loss = HypersimplexLoss(k={0: 1, 1: 0.5, 2: None, 3: 0.1} if classes == 2 else 0.4)
    ends = on_workers(len(deal), lambda workers: step(workers, loss, x, y, w, groups, deal))
    assert_same(ends, loss, x, y, w, groups)


@given(st.integers(0, 10_000), deals, st.booleans())
def test_later_rounds_go_on_from_the_last(seed, deal, grouped):
    loss = HypersimplexLoss()
    x, y, w, groups = data(seed, n=200, weighted=True)
    groups = groups if grouped else None
    steps = [np.random.default_rng(seed + r).normal(size=x.size).astype(np.float32) * 0.1 for r in range(3)]
    turns = [(scores, y) for scores in itertools.accumulate(steps, initial=x)][1:]
    for (scores, _), ends in zip(turns, in_turns(loss, turns, w, groups, deal), strict=True):
        assert_same(ends, loss, scores, y, w, groups)


def test_a_worker_that_forgot_the_last_round_makes_all_begin_again():
    loss, deal = HypersimplexLoss(), (0.5, 0.5)
    x, y, w, _ = data(1, n=300)

    def rounds(workers):
        first = step(workers, loss, x, y, w, None, deal)
        state = first[2] if workers.rank == 0 else None
        return step(workers, loss, x + np.float32(0.5) * y.astype(np.float32), y, w, None, deal, state)

    ends = on_workers(2, rounds)
    assert_same(ends, loss, x + np.float32(0.5) * y.astype(np.float32), y, w, None)


def test_states_of_two_trainings_are_not_mixed():
    loss, deal = HypersimplexLoss(), (0.5, 0.5)
    x, y, w, _ = data(2, n=300)

    def rounds(workers):
        one, other = (step(workers, loss, scores, y, w, None, deal)[2] for scores in (x, 40 - x))
        return step(workers, loss, x, y, w, None, deal, one if workers.rank == 0 else other)

    assert_same(on_workers(2, rounds), loss, x, y, w, None)


@pytest.mark.parametrize("what", ["labels", "weights"])
def test_labels_and_weights_may_change_between_rounds(what):
    loss, deal = HypersimplexLoss(), (0.2, 0.8)
    x, y, w, _ = data(3, n=300, weighted=True)
    y2, w2 = (1 - y, w) if what == "labels" else (y, w * np.arange(1, 301, dtype=np.float32))

    def rounds(workers):
        state = step(workers, loss, x, y, w, None, deal)[2]
        return step(workers, loss, x, y2, w2, None, deal, state)

    assert_same(on_workers(2, rounds), loss, x, y2, w2, None)


def test_a_round_that_goes_on_takes_at_most_four_calls_of_4096_bytes():
    loss, deal = HypersimplexLoss(k=0.1), (0.5, 0.5)
    x, y, w, _ = data(4, n=30_000)
    rng = np.random.default_rng(0)
    moves = [0.1 * 0.9**r * rng.normal(size=x.size).astype(np.float32) for r in range(12)]

    def rounds(workers):
        state, scores, traffic = None, x, []
        for move in moves:
            scores = scores + move
            # Each round of a training begins its own count.
            state = step(Workers(workers._collective), loss, scores, y, w, None, deal, state)[2]
            traffic.append(state.meeting.traffic)
        return traffic

    first, *later = on_workers(2, rounds)[0]
    assert max(traffic.calls for traffic in later) <= 4
    assert max(traffic.largest for traffic in (first, *later)) <= 4096


def broken(what):
    """Rows of which worker 1 of 2 has one that is wrong, and what is said of it."""
    x, y, w, _groups = data(5, n=40, weighted=True)
    y = y.astype(np.float32)
    if what == "score":
        x[33] = np.nan
        return x, y, w, None, "raw_prediction must be finite, got nan at row 13"
    if what == "label":
        y[25] = 7
        return x, y, w, None, "y_true must be 0 or 1, got 7.0 at row 5"
    if what == "weight":
        w[21] = -1
        return x, y, w, None, "sample_weight must be finite and >= 0, got -1.0 at row 1"
    return x, y, w[:30], None, "sample_weight must have one entry per row"


@pytest.mark.parametrize("what", ["score", "label", "weight", "length"])
@pytest.mark.parametrize("later", [False, True])
def test_what_is_wrong_on_one_worker_is_said_on_all(what, later):
    x, y, w, groups, message = broken(what)
    good = data(5, n=40, weighted=True)

    def work(workers):
        state = step(workers, HypersimplexLoss(), *good[:3], None, (0.5, 0.5))[2] if later else None
        return step(workers, HypersimplexLoss(), x, y, w, groups, (0.5, 0.5), state)

    ends = on_workers(2, work)
    for end in ends:
        assert isinstance(end, ValueError)
        assert f"worker 1 of 2: {message}" in str(end)


def test_what_is_wrong_with_all_rows_is_said_on_all():
    x, y, w, groups = data(6, n=40)
    cases = [
        (HypersimplexLoss(), np.zeros(40), None, "y_true must hold both classes"),
        (HypersimplexLoss(k={0: 1, 1: 1}), y, groups, "k has no budget for group 2"),
        (HypersimplexLoss(k={0: 1}), y, None, "k is a mapping of 1 labels"),
    ]
    for loss, labels, g, message in cases:
        ends = on_workers(
            2, lambda workers, loss=loss, labels=labels, g=g: step(workers, loss, x, labels, w, g, (0.5, 0.5))
        )
        for end in ends:
            assert isinstance(end, ValueError), end
            assert message in str(end)
    ends = on_workers(2, lambda workers: step(workers, HypersimplexLoss(), x[:0], y[:0], None, None, (0.5, 0.5)))
    assert all("y_true is empty on every worker" in str(end) for end in ends)


def test_labels_of_groups_are_of_one_kind_everywhere():
    x, y, w, _ = data(7, n=40)
    mixed = np.array([1] * 20 + ["a"] * 20, dtype=object)
    ends = on_workers(2, lambda workers: step(workers, HypersimplexLoss(), x, y, w, mixed, (0.5, 0.5)))
    assert all("groups must hold labels of one kind" in str(end) for end in ends)


def test_an_unexpected_error_ends_on_all_workers():
    x, y, _w, _ = data(8, n=40)

    def work(workers):
        def labels():
            if workers.rank == 1:
                raise MemoryError("out of memory")
            return y[:20]

        return HypersimplexLoss().distributed_step(labels, x[:20], None, None, None, workers)

    for end in on_workers(2, work):
        assert isinstance(end, RuntimeError)
        assert "worker 1 of 2: MemoryError: out of memory" in str(end)


def test_a_loss_that_couples_rows_must_say_how_over_workers():
    class Coupled(SquaredLoss):
        is_separable = False

    x, y, w, _ = data(9, n=40)
    for end in on_workers(2, lambda workers: step(workers, Coupled(), x, y, w, None, (0.5, 0.5))):
        assert isinstance(end, RuntimeError)
        assert "this is one worker of 2" in str(end)


def additive(loss, x, y, w, cut):
    """A first round and a second one of a loss that is a sum over rows; worker 0 of 2 has the first ``cut`` rows."""

    def work(workers):
        at = slice(0, cut) if workers.rank == 0 else slice(cut, None)
        weight = None if w is None else w[at]
        raw = x[at] if x[at].size else np.empty(0, np.float32)
        first = loss.distributed_step(lambda: y[at], raw, weight, None, None, workers)
        second = loss.distributed_step(lambda: y[at], raw, weight, first[2], None, workers)
        np.testing.assert_array_equal(first[0], second[0])
        return first

    return on_workers(2, work)


@pytest.mark.truth
@pytest.mark.parametrize("cut", [0, 15, 40])
@pytest.mark.parametrize("name", ["log-loss", "focal"])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("weights", ["none", "some", "zero on one worker", "zero in some rows"])
def test_sums_over_rows_are_those_of_all_rows(cut, name, classes, weights):
    x, y, w, _ = data(7, n=40, classes=classes, weighted=True)
    y = y.astype(np.float32)
    if weights == "zero on one worker":
        w[:15] = 0
    elif weights == "zero in some rows":
        w[::3] = 0
    w = None if weights == "none" else w
    loss = get_loss(name)
    ends = additive(loss, x, y, w, cut)
    gradient, hessian = loss.boosting_step(y, x, w, None)[:2]
    np.testing.assert_array_equal(joined(ends, 0, x.shape), gradient)
    np.testing.assert_array_equal(joined(ends, 1, x.shape), hessian)


@pytest.mark.truth
@pytest.mark.parametrize("cut", [0, 20, 40])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y, w: w.__setitem__(25, -1), "sample_weight must be finite and >= 0, got -1.0 at row {row}"),
        (lambda x, y, w: w.__setitem__(25, np.nan), "sample_weight must be finite and >= 0, got nan at row {row}"),
        (lambda x, y, w: w.__setitem__(25, np.inf), "sample_weight must be finite and >= 0, got inf at row {row}"),
        (lambda x, y, w: w.__setitem__(slice(None), 0), "sample_weight must have a positive sum, got 0.0"),
        (lambda x, y, w: w.__setitem__(slice(None), 4e17), "sample_weight must have a sum of at most 1e+19 for XG"),
        (lambda x, y, w: w.__setitem__(25, 2e19), "sample_weight must have a sum of at most 1e+19 for XGBoost"),
        (lambda x, y, w: y.__setitem__(25, 7), "y_true must be 0 or 1, got 7.0 at row {row}"),
        (lambda x, y, w: x.__setitem__(25, np.nan), "raw_prediction must be finite, got nan at row {row}"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_sum_over_rows_is_said_on_all(cut, change, message, monkeypatch):
    """Sums of weights that are too heavy together are refused, too, where each worker's are not."""
    x, y, w, _ = data(8, n=40, weighted=True)
    y = y.astype(np.float32)
    change(x, y, w)
    worker, row = (0, 25) if cut == 40 else (1, 25 - cut)
    of_one = f"worker {worker} of 2: " if "row" in message else ""
    here = threading.local()
    monkeypatch.setattr("hsboost.objectives._loss.workers", lambda: here.workers)

    def work(workers):
        here.workers = workers
        at = slice(0, cut) if workers.rank == 0 else slice(cut, None)
        return LossObjective(get_loss("log-loss"))(y[at], x[at], w[at])

    for end in on_workers(2, work):
        assert isinstance(end, ValueError)
        assert str(end).startswith(of_one + message.format(row=row))
