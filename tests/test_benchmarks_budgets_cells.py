"""The figures that ``python -m benchmarks budgets`` reports: choices, differences, counts, growth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.quality.budgets import methods, report
from benchmarks.quality.budgets.cells import DEFAULTS, TUNED, Cell, Cells
from benchmarks.quality.budgets.methods import BASELINE, TRIALS
from benchmarks.quality.budgets.settings import ALL, BUDGETS, RANDOM, TIME
from benchmarks.quality.requests import BudgetsRequest

PLACE = {"dataset": "adult", "rows": 0, "noise": 0.0, "split": RANDOM, "booster": "lightgbm", "trees": "100x8"}
CELL = Cell(*PLACE.values(), ALL, "0.05")


def made(training: str, fold: int, valid: float, test: float, **more: Any) -> dict[str, Any]:
    """A record with equal figures for every budget."""
    one = {"valid": valid, "precision": test, "recall": test / 2, "auc": test, "rounds": 1}
    facts = {"rows": {"train": 90_000, "valid": 30_000, "test": 30_000}, "ratio": 0.25}
    return {
        **PLACE, "fold": fold, "training": training, "fingerprint": "", "data": facts, "seconds": 1.0,
        "processor_seconds": 2.0, "refused": None, "figures": {ALL: [one] * len(BUDGETS)},
    } | more  # fmt: skip


def trained(method: str, fold: int, valid: list[float], test: list[float]) -> list[dict[str, Any]]:
    names = [one.name for one in methods.methods()[method].trainings("0.05", "100x8", 0)]
    return [made(*values) for values in zip(names, [fold] * TRIALS, valid, test, strict=True)]


def test_validation_chooses_and_defaults_are_the_first_trial() -> None:
    found = Cells(
        [
            *trained(BASELINE, 0, [0.5, 0.6, 0.6, 0.1], [0.5, 0.4, 0.9, 0.9]),
            *trained("hypersimplex", 0, [0.5, 0.5, 0.7, 0.1], [0.6, 0.1, 0.3, 0.9]),
        ],
        0,
        1,
    )
    assert found.cells == [CELL]
    # Of the equally good second and third trial the second.
    assert found.mean(CELL, BASELINE) == 0.4
    assert found.mean(CELL, BASELINE, variant=DEFAULTS) == 0.5
    assert found.mean(CELL, "hypersimplex") == 0.3
    one = found.compare(CELL, ("hypersimplex", DEFAULTS))
    assert one is not None
    assert (one.difference.mean, one.splits, one.verdict) == (pytest.approx(0.2), 1, 0)
    assert found.rows(CELL) == 120_000
    assert found.large(CELL)
    assert found.time_ratio(CELL, "hypersimplex") == 1.0


def test_time_is_compared_by_ratio_with_an_interval() -> None:
    runs = []
    for number, factor in enumerate((2.0, 2.0, 4.0)):
        runs += trained(BASELINE, number, [1.0, 0, 0, 0], [0.5, 0, 0, 0])
        slow = trained("hypersimplex", number, [1.0, 0, 0, 0], [0.5, 0, 0, 0])
        runs += [one | {"processor_seconds": 2.0 * factor} for one in slow]
    found = Cells(runs, 0, 5).time(CELL, "hypersimplex")
    assert found is not None
    mean, low, high = found
    assert mean == pytest.approx(16.0 ** (1 / 3))
    assert low * high == pytest.approx(mean**2)
    assert low < 2.0 < 4.0 < high


def test_differences_are_the_corrected_resampled_t_test() -> None:
    ours, base = [0.62, 0.64, 0.61, 0.66, 0.63], [0.60, 0.60, 0.60, 0.61, 0.59]
    runs = []
    for number, (own, other) in enumerate(zip(ours, base, strict=True)):
        runs += trained(BASELINE, number, [1.0, 0, 0, 0], [other, 0, 0, 0])
        runs += trained("hypersimplex", number, [1.0, 0, 0, 0], [own, 0, 0, 0])
    found = Cells(runs, 0, 5)
    one = found.compare(CELL, ("hypersimplex", TUNED))
    assert one is not None
    gaps = np.subtract(ours, base)
    error = np.sqrt(gaps.var(ddof=1) * (1 / 5 + 0.25))
    assert one.difference.error == pytest.approx(error)
    assert one.interval == pytest.approx((gaps.mean() - 2.7764451 * error, gaps.mean() + 2.7764451 * error))
    assert one.verdict == 1
    tally = report.Tally.of(found.compare_all([CELL], ("hypersimplex", TUNED)).values())
    assert tally == (1, 0, 1, 1, 0)
    against = Cells(runs, 0, 5).compare(CELL, (BASELINE, TUNED), ("hypersimplex", TUNED))
    assert against is not None
    assert against.verdict == -1


def test_growth_and_refusals_are_in_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "PRIMARY", "hypersimplex")  # the loss that was trained below
    runs = []
    for rows, gain in ((10_000, 0.01), (100_000, 0.05), (0, 0.09)):
        for number in (0, 1, 2):
            facts = {"rows": {"train": 3 * (rows or 10**6) // 4, "valid": (rows or 10**6) // 4}, "ratio": 0.25}
            both = trained(BASELINE, number, [1.0, 0, 0, 0], [0.5 + number / 100, 0, 0, 0])
            both += trained("hypersimplex", number, [1.0, 0, 0, 0], [0.5 + gain + number / 90, 0, 0, 0])
            both += trained("hypersimplex-smooth", number, [1.0, 0, 0, 0], [0.5, 0, 0, 0])
            runs += [one | {"dataset": "flights3m", "split": TIME, "rows": rows, "data": facts} for one in both]
            refused = made("focal gamma=2", number, 0, 0, figures=None, refused="refuses it")
            runs += [refused | {"dataset": "flights3m", "split": TIME, "rows": rows, "data": facts}]
            runs += [
                made(f"focal gamma={gamma:g}", number, 0, 0)
                | {"dataset": "flights3m", "split": TIME, "rows": rows, "data": facts}
                for gamma in (1.0, 0.5, 4.0)
            ]
    shared = {"settings": {"trials": 6, "folds": 3, "threads": 2}, "versions": {}, "trees": {}, "cpu": "none"}
    place = {"hardware": {"memory_gib": 1, "system": "none"}, "commit": None}
    made_report = report.BudgetsReport(shared | {"openmp_wait_policy": None}, place, runs, BudgetsRequest())
    text = made_report.to_markdown()
    assert "flights3m leaks: its time is the actual departure" in text
    assert "lightgbm, focal, on flights3m: refuses it." in text
    (line,) = (
        one
        for one in text.splitlines()
        if one.startswith("| flights3m (leaks), time | 100x8, lightgbm | 5% | HyperSimplex | 1e5")
    )
    assert "| **+0.051 (" in line
    assert [cell.rows for cell in made_report.growths()[0][1]] == [10_000, 100_000, 0]
    # The cells of 100,000 rows and more: both are won.
    assert "| HyperSimplex, defaults | +2 −0 of 2 (2, 0) |" in text
    met = {one.claim: one.verdict for one in made_report.requirements()}
    assert met["share of cells above tuned log loss"] == "met"
    assert met["share of cells above tuned weighted log loss"] == "not measured"
    assert made_report.draw(tmp_path) == ["cells.csv", "gains.png", "growth.png"]


def test_an_unfinished_method_counts_in_the_splits_that_are_complete() -> None:
    runs = [one for number in (0, 1) for one in trained(BASELINE, number, [1.0, 0, 0, 0], [0.5, 0, 0, 0])]
    runs += trained("hypersimplex", 0, [1.0, 0, 0, 0], [0.6, 0, 0, 0])
    runs += trained("hypersimplex", 1, [1.0, 0, 0, 0], [0.6, 0, 0, 0])[:-1]
    found = Cells(runs, 0, 5)
    assert sorted(found.figures(CELL, "hypersimplex")) == [0]
    assert sorted(found.figures(CELL, BASELINE)) == [0, 1]
    assert found.compare_all([CELL], ("hypersimplex", TUNED)) == {}


def test_the_last_record_of_a_changed_loss_counts() -> None:
    runs = trained(BASELINE, 0, [1.0, 0, 0, 0], [0.5, 0, 0, 0])
    runs += trained("hypersimplex", 0, [1.0, 0, 0, 0], [0.6, 0, 0, 0])
    runs += [one | {"fingerprint": "new"} for one in trained("hypersimplex", 0, [1.0, 0, 0, 0], [0.7, 0, 0, 0])]
    assert Cells(runs, 0, 5).mean(CELL, "hypersimplex") == 0.7
