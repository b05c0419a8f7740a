"""The vision benchmark from the command line, its resumed runs, and its figures."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _commands import check_refused, command, records
from scipy import stats

from datasets.vision import load_images

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install -e '.[torch]'")

from benchmarks.calls import layer  # noqa: E402
from benchmarks.quality.vision import train  # noqa: E402
from benchmarks.quality.vision.augment import augmented, scaling  # noqa: E402
from benchmarks.quality.vision.figures import Figures, paired, trend  # noqa: E402
from benchmarks.quality.vision.losses import make_loss  # noqa: E402
from benchmarks.quality.vision.network import network  # noqa: E402
from benchmarks.quality.vision.plan import ALL_LOSSES, BATCHES, LOSSES, Case, Settings  # noqa: E402
from benchmarks.quality.vision.published import differences, published  # noqa: E402
from benchmarks.quality.vision.report import over_batches  # noqa: E402
from benchmarks.quality.vision.run import Runs  # noqa: E402

pytestmark = pytest.mark.usefixtures("own_cache")


QUICK = ("--small", "--epochs", "2", "--rows", "300", "--hidden", "4", "--batches", "64,150", "--threads", "1")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("vision")
    result = command("vision", out, *QUICK)
    assert result.exit_code == 0, result.output
    return out


def test_every_run_is_made_and_reported(finished: Path) -> None:
    runs = records(finished)
    assert [(r["seed"], r["batch"], r["loss"]) for r in runs] == [
        (seed, batch, loss) for seed in (0, 1) for batch in (64, 150) for loss in LOSSES
    ]
    for run in runs:
        assert run["data"]["rows"] == {"train": 270, "valid": 30, "test": 300}
        assert 0 < run["aligned"] < 1
        assert all(len(run["curves"][name]) == 2 for name in ("train_loss", "test", "valid", "seconds"))
    result = json.loads((finished / "results.json").read_text(encoding="utf-8"))
    assert len(result["cells"]) == 2 * len(LOSSES)
    assert {"t_test", "wilcoxon"} <= set(result["cells"][1]["against"]["ce"]["max"])
    assert len(result["gap_to_cross_entropy_by_batch"]) == 4 * (len(LOSSES) - 1)
    text = (finished / "table.md").read_text(encoding="utf-8")
    for words in (
        "digits: maximum over epochs",
        "after the last epoch",
        "best validation",
        "Wilcoxon",
        "torch",
        "commit",
    ):
        assert words in text
    for name in ("digits_epochs.png", "digits_batches.png"):
        assert (finished / name).stat().st_size > 10_000
        assert f"({name})" in text
    assert not list((finished / "unfinished").glob("*"))


def test_goes_on_where_it_stopped_and_redraws(finished: Path) -> None:
    before = records(finished)
    assert "24 of 24 runs are already" in command("vision", finished, *QUICK).output
    assert command("vision", finished, "--report-only").exit_code == 0
    assert records(finished) == before
    assert "settings.epochs was 2, is 3" in command("vision", finished, *QUICK, "--epochs", "3").output


SETTINGS = Settings(4, 200, 4, 1e-3, 0.1, 1.5, True, "float32", "cpu", 1)


@pytest.mark.parametrize("loss", ["ce", "hypersimplex-count"])
def test_a_killed_run_resumes_as_if_nothing_had_happened(
    loss: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case("digits", 64, loss, 3)
    data = train.resident(load_images("digits"), SETTINGS, case.seed)
    whole = train.run_case(case, SETTINGS, data, {}, tmp_path / "whole")
    monkeypatch.setattr(train, "KEPT_EVERY", 0.0)

    def die(doing: str) -> None:
        if doing.startswith("epoch 3"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train.run_case(case, SETTINGS, data, {}, tmp_path / "killed", die)
    (kept,) = (tmp_path / "killed").glob("*")
    said: list[str] = []
    resumed = train.run_case(case, SETTINGS, data, {}, tmp_path / "killed", said.append)
    assert [words.split(",")[0] for words in said] == ["epoch 3 of 4", "epoch 4 of 4"]
    for name in ("test", "valid", "train_loss"):
        assert resumed["curves"][name] == whole["curves"][name]
    said.clear()
    train.run_case(case, SETTINGS, data, {"other": "facts"}, tmp_path / "killed", said.append)
    assert len(said) == 4
    train.forget(case, tmp_path / "killed")
    assert not kept.exists()


def test_runs_of_a_limited_time_are_reported_and_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = Runs.kept

    def last(self: Runs, key: str) -> None:
        usual(self, key)
        self.end = -math.inf

    monkeypatch.setattr(Runs, "kept", last)
    options = (*QUICK[:-4], "--batches", "64", "--threads", "1", "--losses", "ce,mse", "--seeds", "1")
    first = command("vision", tmp_path, *options, "--minutes", "1")
    assert "The time is up: 1 of 2 runs are done" in first.output
    assert [one["loss"] for one in records(tmp_path)] == ["ce"]
    assert "1 runs of 2 epochs" in (tmp_path / "table.md").read_text(encoding="utf-8")
    assert len(list((tmp_path / "unfinished").glob("*.pt"))) == 1
    monkeypatch.undo()
    assert command("vision", tmp_path, *options).exit_code == 0
    assert [one["loss"] for one in records(tmp_path)] == ["ce", "mse"]
    assert not list((tmp_path / "unfinished").glob("*"))
    nothing = command("vision", tmp_path / "none", *options, "--minutes", "1e-9")
    assert "0 of 2 runs are done" in nothing.output
    assert not (tmp_path / "none" / "table.md").exists()


def test_runs_repeat_and_seeds_differ(tmp_path: Path) -> None:
    images = load_images("digits")
    curves = []
    for seed in (0, 0, 1):
        data = train.resident(images, SETTINGS, seed)
        record = train.run_case(Case("digits", 64, "mse", seed), SETTINGS, data, {}, tmp_path)
        curves.append(record["curves"]["train_loss"])
    assert curves[0] == curves[1] != curves[2]


def test_alignment_mends_columns_that_moved_as_a_whole() -> None:
    settings = replace(SETTINGS, rows=0, hidden=8, augment=False)
    data = train.resident(load_images("digits"), settings, 0)
    training = train.Training(Case("digits", 64, "ce", 0), settings, data)
    for _ in range(3):
        training.run_epoch()
    before = training.aligned()
    with torch.no_grad():
        training.net[-1].bias += torch.arange(10.0) * 5
    assert training.accuracy(*data.test) < 0.3 < 0.6 < before
    assert training.aligned() == pytest.approx(before, abs=0.01)


def test_no_validation(tmp_path: Path) -> None:
    options = ("--small", "--epochs", "1", "--rows", "100", "--hidden", "2", "--batches", "50", "--seeds", "1")
    result = command("vision", tmp_path, *options, "--validation", "0", "--losses", "ce,exact-log", "--threads", "1")
    assert result.exit_code == 0, result.output
    assert records(tmp_path)[0]["curves"]["valid"] == []
    assert "best validation" not in (tmp_path / "table.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--losses", "log"], ["--losses", "'log'", "hypersimplex-half"]),
        (["--datasets", "mnist"], ["--datasets", "'mnist'", "cifar10"]),
        (["--batches", "1"], ["--batches", "'1'"]),
        (["--epochs", "0"], ["--epochs", "at least 1"]),
        (["--validation", "0.9"], ["--validation", "[0, 0.5]"]),
        (["--temperature", "0"], ["--temperature", "positive"]),
        (["--minutes", "0"], ["--minutes", "positive"]),
        (["--learning-rate", "-1"], ["--learning-rate", "positive"]),
        (["--precision", "int8"], ["--precision", "'int8'"]),
        (["--device", "tpu"], ["--device", "'tpu'"]),
        (["--datasets", "cifar10"], ["--datasets", "not found", "--download"]),
        (["--report-only"], ["--report-only", "no finished runs"]),
        (["--layer", "--repeats", "0"], ["--repeats", "at least 1"]),
    ],
)
def test_wrong_options(options: list[str], words: list[str], tmp_path: Path) -> None:
    check_refused(command("vision", tmp_path / "out", *options), words)


def test_layer_is_timed(tmp_path: Path) -> None:
    result = command("vision", tmp_path, "--layer", "--layer-rows", "2000", "--repeats", "1", "--threads", "1")
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "layer.json").read_text(encoding="utf-8"))
    assert [target["verdict"] for target in found["targets"]] == ["not measured"] * 2
    assert min(min(t) for way in found["seconds"]["float32"].values() for t in way.values()) > 0
    made = {"threshold": {"both": [1.0, 2.0, 3.0]}, "pav": {"both": [9.0, 12.0, 30.0]}}
    assert layer.ratio(made) == 6
    assert "Layer" in (tmp_path / "layer.md").read_text(encoding="utf-8")


# --- parts --------------------------------------------------------------------------------------------------------


def record(batch: int, loss: str, seed: int, test: list[float], valid: list[float]) -> dict[str, Any]:
    curves = {"test": test, "valid": valid, "seconds": [1.0], "train_loss": [1.0]}
    return {"dataset": "cifar10", "batch": batch, "loss": loss, "seed": seed, "curves": curves, "aligned": 0.25}


def test_figures() -> None:
    rng = np.random.default_rng(0)
    runs, gaps = [], {}
    for batch in BATCHES:
        for seed in range(5):
            ce = rng.uniform(0.8, 0.9)
            gaps[batch, seed] = 0.002 * np.log2(batch) + rng.normal() * 1e-4
            runs.append(record(batch, "ce", seed, [0.1, ce, 0.5], [0.1, 0.2, 0.3]))
            runs.append(record(batch, "hypersimplex-half", seed, [0.1, ce + gaps[batch, seed], 0.6], [0.9, 0.9, 0.3]))
    figures = Figures(runs)
    of_512 = [gaps[512, seed] for seed in range(5)]
    found = figures.paired("cifar10", 512, "hypersimplex-half", "ce", "max")
    assert found is not None
    assert found.mean == pytest.approx(np.mean(of_512))
    assert found.t_test == pytest.approx(stats.ttest_1samp(of_512, 0).pvalue)
    assert found.wilcoxon == pytest.approx(0.0625)
    assert figures.values("cifar10", 128, "ce", "final") == dict.fromkeys(range(5), 0.5)
    assert figures.values("cifar10", 128, "hypersimplex-half", "selected") == dict.fromkeys(range(5), 0.1)
    slope = figures.trend("cifar10", "hypersimplex-half", "max")
    assert slope is not None
    assert slope.slope == pytest.approx(0.002, rel=0.05)
    assert slope.verdict == "moves for the loss"
    flat = figures.paired("cifar10", 128, "hypersimplex-half", "ce", "final")
    assert flat is not None
    assert (flat.mean, flat.t_test) == (pytest.approx(0.1), None)
    assert figures.paired("cifar10", 128, "hypersimplex-half", "mse", "max") is None
    assert paired([0.1]).t_test is None
    assert paired([0.0, 0.25]).mean == 0.125  # Wilcoxon's test has one difference left: no NaN in the report
    assert paired([0.0, 0.25]).wilcoxon in (None, 1.0)
    assert trend([(7.0, 0.1)]) is None
    down = trend([(7.0, 0.3), (8.0, 0.2), (9.0, 0.1001)])
    assert down is not None
    assert down.verdict == "moves against the loss"


def test_a_report_says_what_differs_from_the_published_runs() -> None:
    theirs = {"epochs": 600, "hidden": 64, "learning_rate": 1e-4, "temperature": 1.5, "rows": 0}
    assert differences(theirs | {"validation": 0.0, "augment": True}) == []
    ours = {"epochs": 40, "hidden": 64, "learning_rate": 1e-3, "temperature": 1.5, "rows": 10_000}
    assert differences(ours | {"validation": 0.1, "augment": False}) == [
        "epochs 40 (600)",
        "Adam's step 0.001 (0.0001)",
        "pictures at most 10,000 (all)",
        "share held out 0.1 (0)",
        "augmentation no (yes)",
    ]


def test_published_figures_are_drawn_beside_runs_of_their_settings_only() -> None:
    figures = Figures([record(512, loss, 0, [0.1, 0.8], [0.1, 0.2]) for loss in ("ce", "hypersimplex-half")])

    def labels(comparable: bool) -> set[str]:
        legend = over_batches(figures, "cifar10", comparable).legends[0]
        return {text.get_text() for text in legend.get_texts()}

    own = {"cross entropy", "HyperSimplex, k = n/2"}
    assert labels(False) == own
    assert labels(True) == own | {f"{label}, published" for label in own}


def test_published_rows_show_the_published_direction() -> None:
    for dataset in ("cifar10", "fashion-mnist"):
        for figure in ("max", "final"):
            ours, theirs = (published(dataset, loss, figure) for loss in ("hypersimplex-half", "ce"))
            assert list(ours) == list(BATCHES)
            gaps = [ours[batch] - theirs[batch] for batch in BATCHES]
            assert min(gaps) > 0
            assert gaps[-1] > gaps[0]
    assert published("cifar10", "ce", "max")[512] == 0.8807
    assert published("digits", "ce", "max") == {}
    assert published("cifar10", "ce", "selected") == {}


def test_augmentation_crops_and_flips_within_mirrored_edges() -> None:
    draw = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (64, 3, 32, 32), generator=draw, dtype=torch.uint8)
    assert augmented(x, True, torch.Generator().manual_seed(1)).shape == x.shape
    padded = torch.nn.functional.pad(x.float(), (4, 4, 4, 4), mode="reflect").to(torch.uint8)
    turned = 0
    for before, after in zip(padded, augmented(x, True, torch.Generator().manual_seed(1)), strict=True):
        crops = [before[:, i : i + 32, j : j + 32] for i in range(9) for j in range(9)]
        flipped = any(torch.equal(after, crop.flip(2)) for crop in crops)
        assert flipped or any(torch.equal(after, crop) for crop in crops)
        turned += flipped
    assert 16 < turned < 48


def test_scaling_and_network() -> None:
    x = torch.randint(0, 256, (50, 1, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    z = scaling("digits", x)(x)
    assert abs(z.mean().item()) < 1e-5
    assert z.std().item() == pytest.approx(1, abs=1e-3)
    assert scaling("cifar10", x)(x[:1].expand(1, 3, 8, 8)).shape == (1, 3, 8, 8)
    assert network(1, 8, 8, 4, 10)(z).shape == (50, 10)
    weights = sum(p.numel() for p in network(3, 32, 32, 64, 10).parameters())
    assert weights == 3 * 9 * 64 + 64 + 3 * (64 * 9 * 64 + 64) + 4 * 128 + (8 * 8 * 64 + 1) * 512 + 513 * 10


def test_losses_of_the_benchmark() -> None:
    draw = torch.Generator().manual_seed(0)
    scores, y = torch.randn(40, 10, generator=draw), torch.randint(0, 10, (40,), generator=draw)
    for name in ALL_LOSSES:
        leaf = scores.clone().requires_grad_()
        value = make_loss(name, SETTINGS)(leaf, y)
        value.backward()
        assert torch.isfinite(value)
        assert leaf.grad is not None
        assert leaf.grad.abs().max() > 0
    hinge = torch.nn.functional.multi_margin_loss(scores, y) * 10
    assert make_loss("hinge", SETTINGS)(scores, y).item() == pytest.approx(hinge.item(), rel=1e-5)
    square = (scores.softmax(1) - torch.nn.functional.one_hot(y, 10)).square().mean()
    assert make_loss("mse", SETTINGS)(scores, y).item() == pytest.approx(square.item(), rel=1e-5)
