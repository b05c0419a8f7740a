"""The kernels benchmark's groups and class columns: the rows, the truth about each part, the rivals, the plan."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.calls.cases import CLASSES, LAYOUTS, PartCase, make_parts
from benchmarks.calls.kernels import part_cases_of
from benchmarks.calls.methods import Method, gather, rival_method
from benchmarks.calls.truth import Parts
from benchmarks.rivals import RIVALS
from hsboost import project_hypersimplex


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("weights", [False, True])
def test_parts_are_problems_of_their_own(layout: str, weights: bool) -> None:
    case = PartCase(600, layout, "float64", weights)
    rows, solved = make_parts(case), project_hypersimplex
    whole = solved(rows.x, rows.k, sample_weight=rows.w, groups=rows.groups).values
    seen = np.zeros(rows.x.shape)
    for p, at in enumerate(rows.index):
        seen[at] += 1
        part = rows.of(p)
        assert part.k == pytest.approx(np.dot(np.ones_like(part.y) if part.w is None else part.w, part.y))
        np.testing.assert_allclose(whole[at], solved(part.x, part.k, sample_weight=part.w).values, rtol=0, atol=1e-13)
    assert (seen == 1).all()
    assert len(rows.index) == (CLASSES if layout.startswith("columns") else 6 if layout.startswith("many") else 10)
    assert np.shares_memory(rows.one.x, rows.x)
    assert rows.one.k == pytest.approx(rows.k.sum())
    total = rows.one.y.sum() if rows.one.w is None else np.dot(rows.one.w, rows.one.y)
    assert rows.one.k == pytest.approx(total)
    # One budget for all is another problem, or the grouping would not be tested.
    assert np.abs(solved(rows.one.x, rows.one.k, sample_weight=rows.one.w).values - whole.ravel("K")).max() > 0.1


@pytest.mark.parametrize(("one", "other"), [LAYOUTS[i : i + 2] for i in (0, 2, 4)])
def test_layouts_hold_the_same_numbers(one: str, other: str) -> None:
    first, second = (make_parts(PartCase(500, layout, "float32", True)) for layout in (one, other))
    np.testing.assert_array_equal(first.k.round(9), second.k.round(9))
    for p in range(len(first.index)):
        np.testing.assert_array_equal(np.sort(first.of(p).x), np.sort(second.of(p).x))
    assert first.x.dtype == np.float32
    if first.groups is None:
        assert first.x.flags.c_contiguous
        assert second.x.flags.f_contiguous
    else:
        assert (np.diff(first.groups) >= 0).all()
        assert not (np.diff(second.groups) >= 0).all()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_wrong_part_is_noticed(layout: str) -> None:
    problem = Parts(PartCase(20_000 if layout.startswith("many") else 2_000, layout, "float64", True))
    rows = problem.rows
    y = project_hypersimplex(rows.x, rows.k, sample_weight=rows.w, groups=rows.groups).values
    method = Method("projection", lambda: y)
    good = problem.accuracy(method, y)
    assert good["error"] < 1e-13
    assert good["mass_error"] < 1e-11
    unchecked = sorted(set(range(len(rows.index))) - set(problem.checked))
    assert bool(unchecked) == layout.startswith("many")
    wrong = y.copy()
    wrong[rows.index[(unchecked or problem.checked)[0]]] = 0.0
    assert problem.accuracy(method, wrong)["mass_error"] > 0.1
    assert problem.accuracy(method, np.roll(y, 1, axis=0))["error"] > 0.1
    step = next(one for one in Parts(PartCase(2_000, layout, "float32", True)).own_methods() if one.name == "step_cold")
    gradient, hessian = step.call()
    smaller = Parts(PartCase(2_000, layout, "float32", True))
    assert smaller.accuracy(step, (gradient, hessian))["error"] < 1e-6
    assert smaller.accuracy(step, (gradient[::-1], hessian))["error"] > 0.1


@pytest.mark.parametrize("name", RIVALS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("weights", [False, True])
def test_rivals_solve_the_same_parts(name: str, layout: str, weights: bool) -> None:
    rival, case = RIVALS[name], PartCase(400, layout, "float64", weights)
    if not rival.available().ok:
        pytest.skip(rival.available().reason)
    if not rival.supports(weights, case.kind).ok:
        assert rival.supports(weights, case.kind).reason in ("has no groups", "has no columns", "has no sample weights")
        return
    rows = make_parts(case)
    y = rival_method(name, rows).call()
    expected = project_hypersimplex(rows.x, rows.k, sample_weight=rows.w, groups=rows.groups).values
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-5 if name == "jaxopt" else 1e-11)


def test_the_gather_is_that_of_the_rows() -> None:
    rng = np.random.default_rng(0)
    for n in (1000, 200_000):
        x, order, out = rng.normal(size=n), rng.permutation(n), np.empty(n)
        gather(x, order, out)
        np.testing.assert_array_equal(out, x[order])


def test_parts_are_planned_at_two_sizes_and_weighted_once() -> None:
    found = part_cases_of([50, 1000, 10_000, 1_000_000, 10_000_000], ["float64", "float32"], list(LAYOUTS), False)
    assert {case.n for case in found} == {10_000, 1_000_000}
    assert {(case.n, case.dtype, case.layout) for case in found if case.weights} == {
        (1_000_000, "float32", layout) for layout in LAYOUTS
    }
    assert len(found) == len({case.key for case in found}) == 2 * 2 * 6 + 6
    full = part_cases_of([50, 1000, 10_000_000], ["float64"], ["columns_f"], True)
    assert [(case.n, case.weights) for case in full] == [(1000, False), (10_000_000, False), (10_000_000, True)]
    assert part_cases_of([50], ["float64"], list(LAYOUTS), False) == []
