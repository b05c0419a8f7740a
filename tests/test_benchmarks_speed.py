"""``python -m benchmarks kernels``: its report agrees with its runs, rivals agree, requirements are computed."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _commands import check_refused, command, records
from rich.console import Console

from benchmarks.calls import kernels as kernels_run
from benchmarks.calls import truth
from benchmarks.calls.cases import BUDGETS, DISTRIBUTIONS, LAYOUTS, Case, PartCase, make_rows
from benchmarks.calls.kernels import cases_of, make_plan
from benchmarks.calls.kernels_figures import Figures, requirements
from benchmarks.calls.methods import expected_seconds
from benchmarks.calls.requests import KernelsRequest
from benchmarks.rivals import RIVALS
from benchmarks.suite import options
from benchmarks.suite.options import OptionError
from hsboost import project_hypersimplex

PNG = b"\x89PNG\r\n\x1a\n"
KERNELS = ("--sizes", "60,1000", "--repeats", "1", "--rivals", "scipy_isotonic,pav", "--threads", "1")
KERNELS += ("--distributions", "normal,ties", "--budgets", "small,half")


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished kernels benchmark."""
    out = tmp_path_factory.mktemp("kernels") / "new"
    result = command("kernels", out, *KERNELS)
    assert result.exit_code == 0, result.output
    assert "needs normal/half" in result.output
    return out


# ---- kernels: cases, reference, rivals ---------------------------------------------------------------------


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("weights", [False, True])
def test_the_reference_agrees_with_the_projection(distribution: str, budget: str, weights: bool) -> None:
    rows = make_rows(Case(500, distribution, budget, "float64", weights))
    nu = truth.threshold(rows.x, rows.w, rows.k)
    y = project_hypersimplex(rows.x, rows.k, sample_weight=rows.w).values
    found = truth.check_projection(y, rows.x, rows.w, rows.k, nu)
    assert found.error < 1e-13
    assert found.mass_error is not None
    assert found.mass_error < 1e-11
    wrong = truth.check_projection(np.roll(y, 1), rows.x, rows.w, rows.k, nu)
    assert wrong.error > 0.1


def test_the_reference_starts_large_problems_from_a_sample() -> None:
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=250_000), rng.uniform(0.5, 2.0, 250_000)
    for weight in (None, w):
        nu = float(truth.threshold(x, weight, 70_000.0))
        expected = project_hypersimplex(x, 70_000.0, sample_weight=weight).multiplier
        assert nu == pytest.approx(expected, abs=1e-12)


def test_rows_are_repeatable_and_shared_by_the_dtypes() -> None:
    first, again, single = (make_rows(Case(300, "margins", "half", t, True)) for t in ("float64", "float64", "float32"))
    np.testing.assert_array_equal(first.x, again.x)
    np.testing.assert_array_equal(first.y, single.y)
    np.testing.assert_array_equal(first.x.astype(np.float32), single.x)
    assert first.k == float(np.dot(first.w, first.y))


@pytest.mark.parametrize("name", RIVALS)
@pytest.mark.parametrize("weights", [False, True])
def test_rivals_solve_the_same_problem(name: str, weights: bool) -> None:
    rival = RIVALS[name]
    here = rival.available()
    if not here.ok:
        pytest.skip(here.reason)
    if not rival.supports(weights).ok:
        assert rival.supports(weights).reason
        return
    rows = make_rows(Case(400, "normal", "half", "float64", weights))
    # A multiplier of 30 halvings is what jaxopt stops at.
    tolerance = 1e-6 if name == "jaxopt" else 1e-11
    for k in (rows.k, rows.k - 0.25):
        y = rival.prepare(rows.x, k, rows.w)()
        expected = project_hypersimplex(rows.x, k, sample_weight=rows.w).values
        np.testing.assert_allclose(y, expected, rtol=0, atol=tolerance)


def test_a_rival_that_is_not_installed_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RIVALS["entmax"], "packages", (("no-such-package", "no_such_module_here"),))
    options = ("--sizes", "60", "--distributions", "normal", "--budgets", "half", "--rivals", "entmax")
    options += ("--dtypes", "float64", "--parts", "none", "--repeats", "1")
    assert command("kernels", tmp_path, *options).exit_code == 0
    found = records(tmp_path)[0]["methods"]["entmax"]
    assert found == {"skipped": "not installed: no-such-package"}
    assert "not installed: no-such-package" in (tmp_path / "table.md").read_text(encoding="utf-8")


def test_a_slow_rival_is_reported(tmp_path: Path) -> None:
    options = ("--sizes", "60", "--distributions", "normal", "--budgets", "half", "--rivals", "pav", "--repeats", "1")
    options += ("--parts", "none")
    assert command("kernels", tmp_path, *options, "--rival-seconds", "0").exit_code == 0
    for record in records(tmp_path):
        assert record["methods"]["pav"]["skipped"].endswith("(limit 0 s)")


def test_a_rival_that_does_not_converge_is_reported(tmp_path: Path) -> None:
    options = ("--sizes", "1000", "--distributions", "heavy_tails", "--budgets", "half", "--rivals", "numpy_newton")
    options += ("--dtypes", "float64", "--parts", "none", "--repeats", "1")
    assert command("kernels", tmp_path, *options).exit_code == 0
    for record in records(tmp_path):
        found = record["methods"]["numpy_newton"]
        assert "seconds" in found or found["skipped"].startswith("failed: no solution after")


def test_a_rivals_time_is_predicted_from_a_smaller_case() -> None:
    earlier = [_case(10_000, "float64", {"pav": [0.1]}), _case(100_000, "float64", {"pav": [2.0, 1.0, 9.0]})]
    assert expected_seconds("pav", Case(1_000_000, "normal", "half", "float64", False), earlier) == pytest.approx(20.0)
    assert expected_seconds("pav", Case(1_000_000, "normal", "half", "float32", False), earlier) is None
    assert expected_seconds("entmax", Case(1_000_000, "normal", "half", "float64", False), earlier) is None
    parted = {"case": "few_sorted/float64/unweighted/20000", "n": 20_000, "methods": {"pav": {"seconds": [0.5]}}}
    earlier.append(parted)
    assert expected_seconds("pav", PartCase(40_000, "few_sorted", "float64", False), earlier) == pytest.approx(1.0)
    assert expected_seconds("pav", PartCase(40_000, "few_shuffled", "float64", False), earlier) is None


# ---- kernels: groups and classes -----------------------------------------------------------------------------


def test_parts_are_chosen_by_name(tmp_path: Path) -> None:
    def layouts(parts: str | None) -> set[str]:
        plan = make_plan(dataclasses.replace(_report_request(tmp_path), parts=parts))
        return {case.layout for case in plan.cases if isinstance(case, PartCase)}

    assert layouts(None) == set(LAYOUTS)
    assert layouts("none") == set()
    assert layouts("few_sorted, columns_c") == {"few_sorted", "columns_c"}
    with pytest.raises(OptionError, match=r"--parts.*'rows'.*few_sorted"):
        layouts("rows")


def test_the_cost_of_parts_is_reported(kernels: Path) -> None:
    cases = json.loads((kernels / "results.json").read_text(encoding="utf-8"))["cases"]
    parted = [case for case in cases if "layout" in case]
    assert {(case["layout"], case["n"]) for case in parted} == {(layout, 1000) for layout in LAYOUTS}
    for case in parted:
        methods = case["methods"]
        assert ("gather" in methods) == case["layout"].endswith("shuffled")
        assert ("find_groups" in methods) == (not case["layout"].startswith("columns"))
        for name in ("projection", "step_warm") if case["dtype"] == "float32" else ("projection",):
            ratio = methods[name]["seconds"]["median"] / methods[f"one_{name}"]["seconds"]["median"]
            assert methods[name]["ratio_to_one_problem"] == pytest.approx(ratio)
        assert methods["projection"]["mass_error"] < 1e-3
        assert "seconds" in methods["scipy_isotonic"]
    assert all("ratio_to_one_problem" not in case["methods"]["projection"] for case in cases if case not in parted)
    text = (kernels / "table.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| 10 groups, shuffled | float32, weighted | 1e3 |")]
    assert len(rows) == 2  # projection, step
    for row in rows:
        assert "–" not in row
    for heading in ("## Groups and classes: projection", "## Groups and classes: loss step", "## Accuracy of groups"):
        assert heading in text
    assert "* Groups and classes:" in text


# ---- kernels: plan, report, resuming -------------------------------------------------------------------------


def test_the_plan_is_a_line_and_a_cross_or_everything() -> None:
    everything = ["float64", "float32"], list(DISTRIBUTIONS), list(BUDGETS)
    full = cases_of([1000, 1_000_000], *everything, True)
    assert len(full) == len(set(full)) == 2 * 2 * 5 * 3 * 2
    plain = cases_of([1000, 1_000_000, 10_000_000], *everything, False)
    assert {case.n for case in plain if case.distribution != "normal"} == {1_000_000}
    assert {(case.n, case.dtype) for case in plain if case.weights} == {
        (n, dtype) for n in (1000, 1_000_000) for dtype in everything[0]
    }
    assert [case.n for case in plain] == sorted(case.n for case in plain)


def test_kernels_files_agree_with_the_runs(kernels: Path) -> None:
    result = json.loads((kernels / "results.json").read_text(encoding="utf-8"))
    runs = {record["case"]: record for record in records(kernels)}
    assert {case["case"] for case in result["cases"]} == set(runs)
    for case in result["cases"]:
        found = runs[case["case"]]["methods"]
        assert case["methods"].keys() == found.keys()
        for name, entry in case["methods"].items():
            if "seconds" not in entry:
                assert entry["skipped"]
                continue
            median = float(np.median(found[name]["seconds"]))
            assert entry["seconds"]["median"] == pytest.approx(median)
            assert entry["ratio_to_floor"] == pytest.approx(median / np.median(found[entry["floor"]]["seconds"]))
        assert found["projection"]["error"] < (1e-12 if case["dtype"] == "float64" else 1e-6)
        assert ("step_warm" in found) == (case["dtype"] == "float32")
        if "step_warm" in found:
            assert max(found["step_warm"]["error"], found["step_cold"]["error"]) < 1e-6
    assert {"hsboost", "scipy", "numba"} <= result["versions"].keys()
    assert result["numba_threading_layer"]
    assert (kernels / "kernels.png").read_bytes().startswith(PNG)
    text = (kernels / "table.md").read_text(encoding="utf-8")
    for heading in ("## Targets", "## Projection, float64", "## Loss step", "## Every case", "## Accuracy"):
        assert heading in text


def test_kernels_resume_and_redraw(kernels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = (kernels / "runs.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "runs.jsonl").write_bytes(b"".join(lines[:-1]) + lines[-1][:20])
    measured: list[Case] = []
    run_case = kernels_run.run_case

    def counted(case: Case, *rest: Any) -> Any:
        measured.append(case)
        if len(measured) == 1:
            raise KeyboardInterrupt
        return run_case(case, *rest)

    monkeypatch.setattr(kernels_run, "run_case", counted)
    stopped = command("kernels", tmp_path, *KERNELS)
    assert stopped.exit_code == 130
    assert f"{len(lines) - 2} of {len(lines) - 1} cases are kept" in stopped.output.replace("\n", " ")
    assert command("kernels", tmp_path, *KERNELS).exit_code == 0
    assert measured[0] == measured[1]
    assert len(measured) == 2
    table = (tmp_path / "table.md").read_bytes()
    assert command("kernels", tmp_path, "--report-only").exit_code == 0
    assert (tmp_path / "table.md").read_bytes() == table
    other = command("kernels", tmp_path, *KERNELS, "--repeats", "3")
    assert other.exit_code == 2
    assert "settings.repeats was 1, is 3" in other.stderr


# ---- requirements --------------------------------------------------------------------------------------------


def _case(n: int, dtype: str, seconds: dict[str, list[float]], **facts: Any) -> dict[str, Any]:
    methods: dict[str, dict[str, Any]] = {name: {"seconds": found} for name, found in seconds.items()}
    for name, more in facts.items():
        methods[name] |= more
    shape = {"distribution": "normal", "budget": "half", "dtype": dtype, "weights": False, "n": n}
    return shape | {"case": Case(**shape).key, "input_bytes": 8 * n, "label_bytes": 4 * n, "methods": methods}


def test_kernel_requirements_are_computed_from_the_runs() -> None:
    big = _case(
        10_000_000, "float64",
        {
            "copy": [1.0, 2.0, 3.0], "projection": [6.0], "jaxopt": [60.0], "pav": [600.0], "scipy_isotonic": [120.0],
            "projection_into": [5.0], "numpy_in_place": [35.0], "pav_into": [200.0],
        },
        projection={"error": 1e-15, "same_bits_with_one_thread": True}, jaxopt={"error": 1e-9}, pav={"error": 0.0},
        scipy_isotonic={"error": 1e-15}, projection_into={"error": 1e-15}, numpy_in_place={"error": 1e-15},
        pav_into={"error": 1e-15},
    )  # fmt: skip
    steps = _case(
        10_000_000, "float32", {"stream": [2.0], "step_warm": [8.0], "step_cold": [9.0], "projection": [1.0]},
        projection={"same_bits_with_one_thread": False},
    )  # fmt: skip
    small = _case(1_000, "float64", {"projection": [29e-6]})
    middle = _case(1_000_000, "float64", {"projection": [0.4]})
    huge = _case(
        100_000_000, "float64", {"projection": [1.0]},
        projection={"peak_bytes": 900_000_000, "output_bytes": 800_000_000},
    )  # fmt: skip
    found = requirements(Figures([big, steps, small, middle, huge]))
    verdicts = [(target.measured, target.verdict) for target in found]
    assert verdicts == [
        (3.0, "met"),  # copies
        (10.0, "met"),  # fastest rival, less accurate than ours
        (7.0, "not met"),  # in place, which the two before do not look at
        (20.0, "not met"),  # fastest that sorts
        (40.0, "met"),  # the same in place
        (4.0, "not met"),  # warm
        (4.5, "met"),  # cold
        (pytest.approx(29.0), "met"), (None, "not measured"), (None, "not measured"),  # 1e3
        (pytest.approx(15.0), "not met"), (None, "not measured"), (None, "not measured"),  # growth
        (0.0625, "met"), (None, "not measured"),  # memory
        (0.0, "not met"),  # bits
    ]  # fmt: skip
    assert "projection in normal/half/float32/unweighted/10000000" in found[-1].note


def test_a_rival_that_is_more_accurate_keeps_us_from_claiming_speed() -> None:
    record = _case(
        10_000_000, "float64", {"projection": [1.0], "jaxopt": [99.0]},
        projection={"error": 1e-6}, jaxopt={"error": 1e-15},
    )  # fmt: skip
    target = requirements(Figures([record]))[1]
    assert target.verdict == "not met"
    assert "99×, but less accurate" in target.note


# ---- bad input -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--sizes", "1000,many"], ["--sizes", "'many'", "1000,1e6"]),
        (["--sizes", "1"], ["--sizes", "'1'", "at least 16"]),
        (["--sizes", "1e400"], ["--sizes", "'1e400'"]),
        (["--dtypes", "float16"], ["--dtypes", "'float16'", "float64, float32"]),
        (["--distributions", "cauchy"], ["--distributions", "'cauchy'", "heavy_tails"]),
        (["--budgets", "10%"], ["--budgets", "'10%'", "small, half, near"]),
        (["--rivals", "cvxpy"], ["--rivals", "'cvxpy'", "entmax"]),
        (["--repeats", "0"], ["--repeats", "at least 1", "got 0"]),
        (["--rival-seconds", "-1"], ["--rival-seconds", "at least 0", "got -1"]),
        (["--threads", "0"], ["--threads", "at least 1", "got 0"]),
        (["--threads", "100000"], ["--threads", "cores are available", "got 100000"]),
        (["--report-only"], ["--report-only", "no finished runs"]),
    ],
)
def test_a_bad_option_gets_one_clear_error(given: list[str], words: list[str], tmp_path: Path) -> None:
    check_refused(command("kernels", tmp_path / "out", *given), words)


def test_sizes_are_read_in_both_notations() -> None:
    assert options.sizes("--sizes", "1e4, 100,10000", 1) == [100, 10_000]
    with pytest.raises(OptionError, match=r"'1\.5' is not a whole number"):
        options.sizes("--sizes", "1.5", 1)


def test_reports_fit_narrow_terminals(kernels: Path, tmp_path: Path) -> None:
    (tmp_path / "runs.jsonl").write_bytes((kernels / "runs.jsonl").read_bytes())
    request = _report_request(tmp_path)
    console = Console(width=80, record=True, file=io.StringIO())
    assert kernels_run.main(request, console) == 0
    assert "Targets" in console.export_text()


def _report_request(out: Path) -> KernelsRequest:
    return KernelsRequest(repeats=1, rival_seconds=1.0, out=out, report_only=True)
