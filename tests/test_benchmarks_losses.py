"""The losses benchmark from the command line, its rival, and every loss in the tabular benchmark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import genz as slow_genz
import numpy as np
import pytest
from _commands import check_refused, command, records
from scipy.special import ndtri

from benchmarks.calls import genz
from benchmarks.calls.figures import ratio
from benchmarks.calls.losses_cases import Case, exact_probabilities, make_rows, slow_probabilities
from benchmarks.calls.losses_report import Figures, requirements
from benchmarks.quality.tabular.losses import DEFAULT_LOSSES, LOSSES
from hsboost.losses import get_loss

QUICK = ("--classes", "3,16", "--repeats", "1", "--scale", "0.01")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("losses")
    result = command("losses", out, *QUICK)
    assert result.exit_code == 0, result.output
    return out


def test_every_case_is_measured_and_reported(finished: Path) -> None:
    runs = records(finished)
    assert [run["case"] for run in runs] == [f"{f}/{c}" for f in ("exact", "softmax", "sampled") for c in (3, 16)]
    for run in runs:
        assert all(min(found["seconds"]) > 0 for found in run["methods"].values())
    exact = runs[1]["methods"]
    assert set(exact) == {"exact", "exact_log", "genz", "softmax"}
    assert exact["exact"]["error"] < 1e-13 < exact["genz"]["error"] < 0.2
    assert 30 < exact["exact"]["nodes"] < 60
    assert 0 < runs[5]["methods"]["sampled_64"]["leaf_error"] < runs[5]["methods"]["sampled_16"]["leaf_error"]
    result = json.loads((finished / "results.json").read_text(encoding="utf-8"))
    assert [case["case"] for case in result["cases"]] == [run["case"] for run in runs]
    assert [target["verdict"] for target in result["targets"]][1:] == ["met", "not measured", "not measured"]
    text = (finished / "table.md").read_text(encoding="utf-8")
    for words in ("EXACT: gradient and curvature", "Softmax family", "Sampled softmax", "commit", "numba"):
        assert words in text
    assert (finished / "losses.png").stat().st_size > 10_000


def test_goes_on_where_it_stopped_and_redraws(finished: Path) -> None:
    before = records(finished)
    assert "6 of 6 cases are already" in command("losses", finished, *QUICK).output
    assert command("losses", finished, "--report-only").exit_code == 0
    assert records(finished) == before
    assert command("losses", finished, *QUICK[:-1], "0.02").exit_code == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--families", "hinge"], ["--families", "'hinge'", "exact, softmax, sampled"]),
        (["--classes", "1"], ["--classes", "'1'"]),
        (["--repeats", "0"], ["--repeats", "at least 1"]),
        (["--scale", "0"], ["--scale", "(0, 1]"]),
        (["--scale", "2"], ["--scale", "got 2"]),
        (["--threads", "4096"], ["--threads", "cores are available"]),
        (["--report-only"], ["--report-only", "no finished runs"]),
    ],
)
def test_wrong_options(options: list[str], words: list[str], tmp_path: Path) -> None:
    check_refused(command("losses", tmp_path / "out", *options), words)


def record(classes: int, seconds: float, nodes: float = 40.0) -> dict[str, Any]:
    methods = {
        "exact": {"seconds": [seconds], "nodes": nodes, "error": 1e-15},
        "genz": {"seconds": [30 * seconds], "error": 1e-2},
    }
    return {"family": "exact", "classes": classes, "methods": methods}


def test_fit_and_targets() -> None:
    figures = Figures([record(c, 2e-8 * (40 * c) ** 1.05) for c in (1000, 16, 64)])
    fit = figures.fit()
    assert fit is not None
    assert fit.power == pytest.approx(1.05)
    assert fit.scale == pytest.approx(2e-8)
    assert fit.r2 == pytest.approx(1)
    assert ratio(figures.records[0], "genz", "exact") == pytest.approx(30)
    assert [target.verdict for target in requirements(figures)] == ["met"] * 4
    assert Figures([record(16, 1.0)]).fit() is None
    slow = Figures([record(c, (40 * c) ** 1.2) for c in (16, 64, 1000)])
    assert [target.verdict for target in requirements(slow)] == ["met", "met", "not met", "met"]


def test_compiled_genz_agrees_with_the_slow_one_and_the_truth() -> None:
    p = np.r_[np.linspace(0.001, 0.999, 999), 10.0 ** -np.arange(4, 300, 7)]
    np.testing.assert_allclose([genz.ndtri(v) for v in p], ndtri(p), rtol=1e-13, atol=1e-15)
    rows = make_rows(Case("exact", 6, 0.01))
    truth = slow_probabilities(rows)
    np.testing.assert_allclose(exact_probabilities(rows, len(truth)), truth, rtol=0, atol=1e-14)
    found = genz.probabilities(rows.x, rows.y, np.random.default_rng(0).random((20_000, 5)))[: len(truth)]
    for i, (scores, true) in enumerate(zip(rows.x[:5], rows.y[:5], strict=True)):
        mean, error = slow_genz.probability(np.delete(scores[true] - scores, true), 20_000, i)
        assert abs(mean - truth[i]) < 5 * error
        assert abs(found[i] - truth[i]) < 5 * error


# --- tabular ------------------------------------------------------------------------------------------------------


def test_every_loss_in_one_table(tmp_path: Path) -> None:
    options = ("--datasets", "adult", "--rows", "1500", "--rounds", "8", "--seeds", "1", "--threads", "1")
    result = command("tabular", tmp_path, "--losses", "all", *options)
    assert result.exit_code == 0, result.output
    found = records(tmp_path)
    assert [(run["booster"], run["loss"]) for run in found] == [
        (booster, loss) for booster in ("lightgbm", "xgboost") for loss in LOSSES
    ]
    assert min(run["auc"] for run in found) > 0.75
    text = (tmp_path / "table.md").read_text(encoding="utf-8")
    for loss in LOSSES.values():
        assert f"| {loss.label} |" in text
    assert f"{len(LOSSES)} losses" in text
    assert command("tabular", tmp_path, "--losses", "all", "--report-only").exit_code == 0


def test_the_default_is_three_losses() -> None:
    assert DEFAULT_LOSSES == ("l2", "log-loss", "hypersimplex")
    assert list(LOSSES)[:3] == list(DEFAULT_LOSSES)


BUILT_IN = (*DEFAULT_LOSSES, "weighted-log-loss", "lambdarank")


@pytest.mark.parametrize("name", [name for name in LOSSES if name not in BUILT_IN])
def test_registered_losses_start_from_their_intercept(name: str) -> None:
    class Data:
        def get_label(self) -> np.ndarray:
            return np.repeat([1.0, 0.0], [3, 9]).astype(np.float32)

        def get_weight(self) -> None:
            return None

    adapter = LOSSES[name]
    gradient, hessian = adapter.lightgbm().function(np.zeros(12), Data())
    loss = get_loss("exact", log=True) if name == "exact-log" else get_loss(name)
    start = loss.intercept(Data().get_label())
    assert (start is None) == (name in ("exact", "focal") or name.startswith("hypersimplex-"))
    if start is not None:
        assert gradient.sum() == pytest.approx(0, abs=1e-5) or name == "hinge"
    assert (hessian > 0).all()
    assert repr(loss) in repr(adapter.describe())
