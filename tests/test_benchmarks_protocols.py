"""The paper, fair and tuned protocols of ``python -m benchmarks tabular``, and what they are made of."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import _published as write
import numpy as np
import pytest
from _commands import check_refused, command, records
from _shop import write_shop
from scipy import sparse

from benchmarks.quality.requests import TabularRequest
from benchmarks.quality.tabular import compare, evaluate, losses, plan, published, resample, run, splits
from benchmarks.quality.tabular.losses import EVERY_LOSS, LOSSES
from benchmarks.quality.tabular.plan import CONTENDERS, FAIR, PAPER, TUNED
from datasets.registry import registry

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An easy set of our own, and two of the paper's in their published layouts: one dense, one sparse."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    write_shop(folder, rng)
    values = rng.normal(size=(900, 28)).astype(np.float32)
    y = (values[:, 0] + values[:, 1] + rng.normal(size=900) > 0).astype(int)
    rows = [f"{label}," + ",".join(f"{v:.9g}" for v in row) for label, row in zip(y, values, strict=True)]
    write.put(folder / "higgs", "HIGGS.csv", write.lines(rows))
    for name, count in (("kddb", 700), ("kddb.t", 200)):
        first, noise = rng.integers(1, 9, count), rng.integers(10, 30, count)
        y = (first + rng.normal(size=count) > 3).astype(int)
        rows = [f"{label} {i}:1 {j}:1" for label, i, j in zip(y, first, noise, strict=True)]
        write.put(folder / "kdd10", name, write.lines(rows))
    return folder


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HSBOOST_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


def tabular(folder: Path, out: Path, *more: str) -> Any:
    return command("tabular", out, "--data-dir", str(folder), "--threads", "1", *more)


def without_times(record: dict[str, Any]) -> dict[str, Any]:
    tuned = {key: value for key, value in record.get("tuned", {}).items() if key != "seconds"}
    return {name: value for name, value in record.items() if not name.startswith("seconds")} | {"tuned": tuned}


# ---- the paper's protocol --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def paper(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("paper")
    result = tabular(folder, out, "--protocol", "paper", "--datasets", "higgs,kdd10", "--rounds", "12")
    assert result.exit_code == 0, result.output
    return out


def test_paper_protocol_trains_the_scripts_way(paper: Path) -> None:
    header = json.loads((paper / "runs.jsonl").read_text(encoding="utf-8").splitlines()[0])["shared"]
    assert header["settings"]["encoding"] == "as_numbers"
    assert header["boosters"]["lightgbm"]["min_sum_hessian_in_leaf"] == 100
    runs = records(paper)
    assert [(found["dataset"], found["loss"]) for found in runs] == [
        (dataset, loss) for dataset in ("higgs", "kdd10") for loss in PAPER.losses
    ]
    for found in runs:
        assert found["booster"] == "lightgbm"
        assert found["valid_auc"] == found["selection"]
        assert found["selection"] == pytest.approx(max(value for _, value in found["course"]), rel=1e-5)
        assert bool(found["active"]) == (found["loss"] == "hypersimplex-published")
        if found["active"]:
            assert found["active"][0] == [1, 1.0]  # all scores are 0, in the middle of the band
            assert found["k_off"] in (-1, 0)


def test_paper_report_prints_the_published_figures_beside_ours(paper: Path) -> None:
    text = (paper / "table.md").read_text(encoding="utf-8")
    result = json.loads((paper / "results.json").read_text(encoding="utf-8"))
    for dataset in ("higgs", "kdd10"):
        figures = registry()[dataset].paper
        line = next(line for line in text.splitlines() if line.startswith(f"| {dataset} | 900 of "))
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        ours = [found for found in records(paper) if found["dataset"] == dataset]
        assert cells[2:4] == [f"{figures['cross_entropy']:.3f}", f"{figures['hypersimplex']:.3f}"]
        assert cells[4:] == [f"{found[key]:.3f}" for key in ("valid_auc", "auc") for found in ours]
        assert result["paper"][dataset]["published"] == figures
        step = published.recipe(dataset).step(ours[0]["data"]["rows"]["train"])
        assert result["paper"][dataset]["step"] == pytest.approx(step)
    assert "a subset" in text
    for name in ("paper.png", "band.png", "learning_curves.png"):
        assert (paper / name).read_bytes().startswith(PNG)


def test_paper_protocol_is_for_lightgbm_and_available_sets(folder: Path, tmp_path: Path) -> None:
    for options, words in (
        (["--datasets", "higgs", "--boosters", "xgboost"], ["--boosters", "lightgbm only"]),
        (["--datasets", "criteo"], ["--datasets", "'criteo'", "higgs, kdd10"]),
        ([], ["--datasets", "higgs,kdd10"]),
    ):
        check_refused(tabular(folder, tmp_path, "--protocol", "paper", *options), words)


def request(folder: Path, **more: Any) -> TabularRequest:
    return TabularRequest(**({"data_dir": folder, "out": folder} | more))


def test_sets_in_a_folder_are_trained_only_when_named(folder: Path) -> None:
    shipped = [name for name, info in registry().items() if not info.published]
    for protocol in ("quick", "fair", "tuned"):
        made = plan.make_plan(request(folder, protocol=protocol))
        assert made.datasets == shipped
    assert plan.make_plan(request(folder, datasets="kdd10,shop")).datasets == ["kdd10", "shop"]
    quick = plan.make_plan(request(folder))
    assert (quick.seeds, quick.settings.rows, quick.settings.rounds, quick.settings.trials) == (5, 50_000, 200, 0)
    assert plan.make_plan(request(folder, protocol="tuned")).settings.trials == TUNED.trials


def test_sparse_rows_have_a_digest_of_their_own() -> None:
    X = sparse.random(20, 9, 0.3, "csr", dtype=np.float32, random_state=0)
    wide, other = X.copy(), X.copy()
    wide.indices, wide.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    other.data[3] += 1
    y = np.arange(20) % 2
    found = [splits._digest(SimpleNamespace(X=sparse.csr_matrix(part), y=y)) for part in (X, wide, other)]
    assert found[0] == found[1] != found[2]


def test_columns_without_entries_in_training_are_left_out() -> None:
    X = sparse.random(30, 12, 0.2, "csr", dtype=np.float32, random_state=1)
    columns = np.array([1, 4, 5, 11])
    np.testing.assert_array_equal(splits.columns_of(X, columns).toarray(), X.toarray()[:, columns])


# ---- the fair protocol -----------------------------------------------------------------------------------

QUICKLY = ("--datasets", "shop", "--rounds", "5", "--seeds", "2")


@pytest.fixture(scope="module")
def fair(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("fair")
    result = tabular(folder, out, "--protocol", "fair", *QUICKLY)
    assert result.exit_code == 0, result.output
    return out


def test_fair_runs_every_contender(fair: Path) -> None:
    runs = records(fair)
    assert [(r["seed"], r["booster"], r["loss"]) for r in runs] == [
        (seed, booster, loss) for seed in (0, 1) for booster in FAIR.boosters for loss in CONTENDERS
    ]
    for found in runs:
        assert found["auc"] > 0.8, (found["booster"], found["loss"])
        assert 0 <= found["calibration_error"] < 0.3
        assert {key: len(values) for key, values in found["bootstrap"].items()} == {
            metric.key: resample.SAMPLES for metric in FAIR.metrics
        }


def test_fair_differences_are_corrected(fair: Path) -> None:
    result = json.loads((fair / "results.json").read_text(encoding="utf-8"))
    assert "bootstrap" not in result["runs"][0]
    for metric in FAIR.metrics:
        gaps = [gap for gap in result["differences_to_log_loss"] if gap["metric"] == metric.key]
        assert len(gaps) == 2 * (len(CONTENDERS) - 1)
        assert [gap["p_holm"] for gap in gaps] == pytest.approx(compare.holm([gap["p"] for gap in gaps]))
        for gap in gaps:
            assert (gap["verdict"] in ("better", "worse")) == (gap["p_holm"] <= 0.05)
            assert gap["low"] <= gap["mean"] <= gap["high"]
    won, of = result["wins"]["l2"]["log-loss"], result["wins"]["log-loss"]["l2"]
    assert won[1] == of[1] == 2
    assert won[0] + of[0] <= 2
    text = (fair / "table.md").read_text(encoding="utf-8")
    for words in ("Holm", "Nadeau", "Pairwise", "| ECE |", "LambdaMART", "Over the 1 data sets"):
        assert words in text
    for name in ("wins.png", "differences.png", "learning_curves.png"):
        assert (fair / name).read_bytes().startswith(PNG)


def test_fair_killed_and_resumed_gives_the_same_numbers(folder: Path, fair: Path, tmp_path: Path) -> None:
    lines = (fair / "runs.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "runs.jsonl").write_bytes(b"".join(lines[:19]) + lines[19][: len(lines[19]) // 2])
    assert tabular(folder, tmp_path, "--protocol", "fair", *QUICKLY).exit_code == 0
    assert list(map(without_times, records(tmp_path))) == list(map(without_times, records(fair)))


def test_protocols_are_not_mixed(folder: Path, fair: Path, tmp_path: Path) -> None:
    (tmp_path / "runs.jsonl").write_bytes((fair / "runs.jsonl").read_bytes())
    result = tabular(folder, tmp_path, *QUICKLY)
    assert result.exit_code == 2
    assert "settings.protocol was 'fair', is 'quick'" in result.stderr


def test_classes_are_balanced_and_queries_deal_every_row() -> None:
    y = np.repeat([1, 0], [20, 60])
    assert losses.ClassWeighted().on(y).xgboost().params["scale_pos_weight"] == 3.0
    assert losses.ClassWeighted(0.5).on(y).lightgbm().params["scale_pos_weight"] == pytest.approx(3**0.5)
    assert losses.Ranking().on(y).lightgbm().params["lambdarank_truncation_level"] == 20
    many = np.tile(y, 100)
    params = losses.Ranking(0.5).on(many).xgboost().params
    assert params["lambdarank_num_pair_per_sample"] == round(0.5 * 0.25 * losses.QUERY_ROWS)
    order, sizes = losses.queries(1003, 250, seed=1)
    assert sorted(order) == list(range(1003))
    assert sizes.sum() == 1003
    assert sizes.tolist() == [251, 251, 251, 250]


def test_calibration_error_is_the_mean_gap_of_bins() -> None:
    rng = np.random.default_rng(2)
    p = rng.random(900)
    y = (rng.random(900) < p**2).astype(np.int64)
    order = np.argsort(p)
    expected = sum(abs(y[part].sum() - p[part].sum()) for part in np.array_split(order, evaluate.ECE_BINS)) / 900
    assert evaluate.calibration_error(y, p) == pytest.approx(expected, abs=2e-3)
    assert evaluate.calibration_error(np.repeat([0, 1], [75, 25]), np.full(100, 0.25)) == pytest.approx(0, abs=1e-12)
    assert evaluate.calibration_error(np.repeat([0, 1], [75, 25]), np.full(100, 0.5)) == pytest.approx(0.25)


# ---- the tuned protocol ----------------------------------------------------------------------------------

SEARCH = ("--protocol", "tuned", "--datasets", "shop", "--seeds", "1", "--rounds", "3", "--trials", "7")
SEARCHED = ("--losses", "log-loss,hypersimplex", "--boosters", "lightgbm")


def test_defaults_of_the_spaces_are_the_losses_own() -> None:
    y = np.repeat([1, 0], [30, 90])
    for name in CONTENDERS:
        loss = LOSSES[name]
        same = loss.tuned(**{part: space.default for part, space in loss.space.items()})
        assert same.on(y).describe() == loss.on(y).describe()
        with pytest.raises(TypeError, match="charm"):
            loss.tuned(charm=1.0)
    assert {name for name in CONTENDERS if not EVERY_LOSS[name].space} == {"l2", "log-loss"}
    twice = repr(LOSSES["hypersimplex"].tuned(budget=2.0, hessian_floor=0.1).on(y).describe())
    assert "k=0.4" in twice  # odds 1/3, twice that: 2/5 of the rows
    assert "hessian_floor=0.1" in twice


@pytest.fixture(scope="module")
def tuned(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("optuna")
    out = tmp_path_factory.mktemp("tuned")
    result = tabular(folder, out, *SEARCH, *SEARCHED)
    assert result.exit_code == 0, result.output
    return out


def test_every_loss_gets_the_same_trials(tuned: Path) -> None:
    for found in records(tuned):
        search = found["tuned"]
        assert search["trials"] == 7
        assert search["score"] == pytest.approx(found["selection"])
        assert search["score"] >= search["default_score"]
        assert set(search["trees"]) == {
            "learning_rate",
            "num_leaves",
            "min_data_in_leaf",
            "feature_fraction",
            "lambda_l2",
        }
        assert set(search["own"]) == set(LOSSES[found["loss"]].space)
    assert "What tuning took" in (tuned / "table.md").read_text(encoding="utf-8")


def test_a_search_that_was_killed_goes_on_to_the_same_numbers(
    folder: Path, tuned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks.quality.tabular.boosters import _PreparedLightGBM

    train, calls = _PreparedLightGBM.train, []

    def dying(self: Any, *args: Any) -> Any:
        calls.append(args)
        if (
            len(calls) == 15
        ):  # warm-up, 7 trials and the final training of the first loss; then the 5th trial of the other
            raise KeyboardInterrupt
        return train(self, *args)

    monkeypatch.setattr(_PreparedLightGBM, "train", dying)
    stopped = tabular(folder, tmp_path, *SEARCH, *SEARCHED)
    assert stopped.exit_code == 130
    assert "1 of 2 runs are kept" in stopped.output
    assert tabular(folder, tmp_path, *SEARCH, *SEARCHED).exit_code == 0
    assert len(calls) == 15 + 1 + 3 + 1  # warm-up, the three trials that were missing, the final training
    assert list(map(without_times, records(tmp_path))) == list(map(without_times, records(tuned)))


def test_no_trial_begins_after_the_time_is_up(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    options = ("--losses", "log-loss", "--boosters", "lightgbm", "--tune-seconds", "1e-9")
    assert tabular(folder, tmp_path, *SEARCH, *options).exit_code == 0
    (found,) = records(tmp_path)
    assert found["tuned"]["trials"] == 1
    assert found["tuned"]["score"] == found["tuned"]["default_score"]


def test_without_optuna_there_is_one_clear_error(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "optuna", None)
    result = tabular(folder, tmp_path, *SEARCH, *SEARCHED)
    assert result.exit_code == 2
    assert "pip install optuna" in result.stderr
    assert run.tuning.DATABASE not in {path.name for path in tmp_path.iterdir()}
