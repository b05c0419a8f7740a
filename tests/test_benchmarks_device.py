"""``python -m benchmarks gpu-check``: its parts and their limits, what survives what, and its report."""

from __future__ import annotations

import io
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from _commands import check_refused, command, records
from rich.console import Console
from test_benchmarks_gpu import kernel

from benchmarks.calls import gpu_machine as machine
from benchmarks.calls.gpu import COPY, PROJECTION
from benchmarks.device import check, layer, tests, worker
from benchmarks.device.layer import BOTH, FORWARD, PAV, SORT, THRESHOLD
from benchmarks.device.parts import PARTS, Part
from benchmarks.device.report import CheckReport
from benchmarks.device.requests import GpuCheckRequest
from benchmarks.device.worker import CRASHED, DONE, FAILED, STOPPED, record_of
from benchmarks.suite.store import RunStore
from benchmarks.trainings.gpu_report import LOG_LOSS, ON_GPU

SETTINGS = check.Settings(True, 1)
PLACE = {"hardware": {"memory_gib": 1, "system": "s"}, "commit": None}


def test_every_part_has_steps_within_the_time_of_a_card() -> None:
    assert all(part.steps() for part in PARTS.values())
    assert all(0 < part.least <= part.seconds for part in PARTS.values())
    # What the requirements need fits into the usual time, with room for what is slower than expected.
    needed = ("environment", "cuda-tests", "equality", "kernels", "training", "layer")
    assert list(PARTS)[: len(needed)] == list(needed)
    assert sum(PARTS[name].least for name in needed) < 0.5 * 60 * GpuCheckRequest.minutes
    help_text = str(GpuCheckRequest.__annotations__["parts"])
    assert all(name in help_text for name in PARTS)


def test_a_part_runs_in_a_process_and_is_not_run_again(tmp_path: Path) -> None:
    options = ("--simulate", "--threads", "1", "--parts", "environment")
    first = command("gpu-check", tmp_path, *options)
    assert first.exit_code == 0, first.output
    assert [(one["step"], one["outcome"]) for one in records(tmp_path)] == [("software", DONE), ("card", DONE)]
    assert records(tmp_path)[1]["result"]["name"] == machine.SIMULATOR  # the process is in the simulator
    assert "environment: software: done" in (tmp_path / "log.txt").read_text(encoding="utf-8")
    assert "environment: done before." in command("gpu-check", tmp_path, *options).output
    assert len(records(tmp_path)) == 2
    result = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert result["simulated"] is True
    assert {one["verdict"] for one in result["targets"]} == {"not measured"}
    assert len(list(tmp_path.iterdir())) <= 8
    assert "settings.threads was 1, is 2" in command("gpu-check", tmp_path, "--simulate", "--threads", "2").output


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[[bool], Any]]:
    """One part of two steps, in this process."""
    steps: dict[str, Callable[[bool], Any]] = {"one": lambda tiny: {"tiny": tiny}, "two": lambda tiny: {}}
    monkeypatch.setattr(Part, "steps", lambda self: steps)
    monkeypatch.setattr(worker, "PARTS", {"p": Part("p", "a part", "none", 100.0)})
    return steps


def begun(folder: Path) -> RunStore[worker.Key]:
    store = worker.open_store(folder)
    store.begin({"settings": {"simulated": True, "threads": 1}})
    return store


def run(folder: Path, code: int | None, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, str]]:
    """A run of the part whose process ends with ``code`` (None: it was stopped); (step, attempt, outcome) so far."""

    def watched(command: list[str], *given: Any) -> int | None:
        names = command[command.index("--tiny") + 1 :]
        crashes = code is None or (code != 0 and len(names) > 1)
        if not crashes:
            worker.main(folder, "p", names, tiny=True)
        return code

    monkeypatch.setattr(check, "watched", watched)
    check.run_part(worker.PARTS["p"], folder, SETTINGS, 5.0, Console(quiet=True))
    return [(one["step"], one["attempt"], one["outcome"]) for one in records(folder)]


def test_what_fails_is_recorded_and_tried_again(parts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun(tmp_path)
    good = parts["one"]

    def bad(tiny: bool) -> Any:
        raise RuntimeError("CUDA_ERROR_LAUNCH_FAILED")

    parts["one"] = bad
    found = run(tmp_path, 0, monkeypatch)
    assert found == [("one", 0, FAILED), ("two", 0, DONE)]
    assert records(tmp_path)[0]["error"] == "RuntimeError: CUDA_ERROR_LAUNCH_FAILED"
    found = run(tmp_path, None, monkeypatch)
    assert found[2:] == [("one", 1, STOPPED)]
    assert "limit was 5 s" in records(tmp_path)[2]["error"]
    parts["one"] = good
    found = run(tmp_path, 0, monkeypatch)
    assert found[3:] == [("one", 2, DONE)]
    assert worker.missing(worker.open_store(tmp_path), "p") == []


def test_the_steps_after_a_crash_run_in_another_process(
    parts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(tmp_path)
    found = run(tmp_path, -11, monkeypatch)
    assert found == [("one", 0, CRASHED), ("two", 0, DONE)]
    assert "ended with -11" in records(tmp_path)[0]["error"]
    assert worker.missing(worker.open_store(tmp_path), "p") == ["one"]


def test_time_is_shared(parts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun(tmp_path)
    given: list[tuple[str, float]] = []
    monkeypatch.setattr(worker, "PARTS", {})
    monkeypatch.setattr(worker, "missing", lambda store, part: ["one"])
    monkeypatch.setattr(check, "run_part", lambda part, *rest: given.append((part.name, round(rest[2]))))
    chosen = [Part("short", "", "", 30.0), Part("long", "", "", 500.0), Part("too long", "", "", 500.0, least=300.0)]
    assert check.run_parts(chosen, tmp_path, SETTINGS, 200.0, Console(quiet=True)) == 0
    assert given == [("short", 30), ("long", 195)]
    given.clear()
    check.run_parts(chosen, tmp_path, SETTINGS, 10.0, Console(quiet=True))
    assert given == []


def test_a_process_is_ended_with_what_it_started(tmp_path: Path) -> None:
    spin = "import sys; print('child', flush=True)\nwhile True: pass"
    code = f"import subprocess, sys; print('begun', flush=True); subprocess.run([sys.executable, '-c', {spin!r}])"
    shown = Console(width=80, record=True, file=io.StringIO())
    found = check.watched([sys.executable, "-c", code], {}, 3.0, tmp_path / "log.txt", shown)
    assert found is None
    assert (tmp_path / "log.txt").read_text(encoding="utf-8").splitlines() == ["begun", "child"]
    assert "child" in shown.export_text()
    ended = [sys.executable, "-c", "import os; print('last'); os._exit(3)"]
    assert check.watched(ended, {}, 60.0, tmp_path / "log.txt", shown) == 3


def test_without_a_card_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("hsboost.cuda.missing", lambda: "CuPy finds no CUDA device")
    monkeypatch.setattr(check, "card_of_torch", lambda: None)
    check_refused(command("gpu-check", tmp_path), ["needs a CUDA GPU", "CuPy finds no CUDA device", "--simulate"])
    check_refused(command("gpu-check", tmp_path, "--parts", "speed"), ["--parts", "'speed'", "more-kernels"])
    check_refused(command("gpu-check", tmp_path, "--minutes", "0"), ["--minutes", "positive"])
    check_refused(command("gpu-check", tmp_path, "--report-only"), ["--report-only", "no finished steps"])


def test_a_card_that_only_torch_finds_is_checked_as_far_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> Any:
        raise ImportError("libcudart.so.13")

    monkeypatch.setattr("hsboost.cuda.missing", lambda: "CuPy cannot be imported")
    monkeypatch.setattr(check, "card_of_torch", lambda: "a card")
    monkeypatch.setattr(machine, "describe", broken)
    monkeypatch.setattr(check, "watched", lambda *given: 1)
    result = command("gpu-check", tmp_path, "--threads", "1")
    assert "Only torch finds the GPU" in result.output
    assert "a card" in (tmp_path / "table.md").read_text(encoding="utf-8")
    assert list(dict.fromkeys(one["part"] for one in records(tmp_path))) == list(PARTS)
    assert {one["outcome"] for one in records(tmp_path)} == {CRASHED}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("12 passed, 1 skipped in 3.21s", {"passed": 12, "skipped": 1}),
        ("FAILED tests/a.py::b - x\nERROR tests/c.py\n= 1 failed, 2 passed, 1 error in 61s (0:01:01) =", {"failed": 1}),
        ("no tests ran in 0.01s", {"passed": 0}),
        ("Segmentation fault", {"passed": 0}),
    ],
)
def test_outcomes_of_tests_are_read(said: str, expected: dict[str, int]) -> None:
    found = tests.counted(said, 1)
    assert expected.items() <= found.items()
    assert found["failures"] == (["tests/a.py::b", "tests/c.py"] if "FAILED" in said else [])


def test_tests_outside_a_checkout_are_an_error() -> None:
    with pytest.raises(FileNotFoundError, match="gpu-check runs in a checkout"):
        tests.tested(["test_that_is_not_there.py"], [], {})


def made_up(**more: Any) -> CheckReport:
    """A report with a record for each step that decides a requirement; ``more`` replaces results by "part step"."""
    outcomes = {"passed": 9, "failed": 0, "skipped": 1, "error": 0, "exit_code": 0, "failures": []}
    tree = {"trees": 3, "trees_with_the_same_splits": 3, "prediction_difference": 1e-7, "threshold_difference": 0.0}
    times = {"seconds": 2.1, "objective_seconds": 0.3, "calls": [0.003], "leaves": 60.0, "to_device": 9, "to_host": 9}
    turn = {"objectives": {ON_GPU: times, LOG_LOSS: times | {"seconds": 2.0}}}
    layer = {THRESHOLD: {FORWARD: [0.01], BOTH: [0.02]}, SORT: {FORWARD: [0.003]}, PAV: {FORWARD: [1.0], BOTH: [1.1]}}
    results: dict[str, Any] = {
        f"{part} {step}": outcomes for part in ("cuda-tests", "torch-tests") for step in PARTS[part].steps()
    }
    results |= {
        "equality gradients": {"cases": {"binary": {"difference": 1e-7, "threshold_difference": 0.0, "bound": 4.8e-7}}},
        "equality trees": {"cases": {"binary": tree}},
        "kernels 1e8 float32": kernel(100_000_000, "float32", 1e-7, **{COPY: 1e-3, PROJECTION: 1.8e-3}),
        "training 1e7 rows": {"rows": 10_000_000, "rounds": 100, "place": "device", "turns": [turn] * 3},
        "layer 1e6 x 10": {"rows": 1_000_000, "seconds": layer},
    }
    found = []
    for name, result in (results | more).items():
        part, _, step = name.partition(" ")
        if result is None:
            continue
        broken = isinstance(result, str)
        found.append(record_of(part, step, 0, result if broken else DONE, 1.0, result={} if broken else result))
    shared = {"settings": {"simulated": False, "threads": 1}, "versions": {"python": "3"}, "cpu": "a cpu"}
    return CheckReport(shared | {"gpu": {"name": "made up"}}, PLACE, found)


def verdicts(**more: Any) -> list[str]:
    return [one.verdict for one in made_up(**more).requirements()]


def test_requirements() -> None:
    assert verdicts() == ["met"] * 6
    found = made_up().requirements()
    assert found[4].measured == pytest.approx(1.05)
    assert found[5].measured == pytest.approx(55.0)
    text = made_up().to_markdown()
    for words in (
        "GPU: made up.",
        "10,000,000, from the device",
        "HyperSimplex on the GPU",
        "| more-training |",
        "not run",
    ):
        assert words in text


CUDA_STEP, TORCH_STEP = "cuda-tests test_cuda_smooth.py", "torch-tests test_torch_device.py"
FAILING = {"passed": 9, "failed": 1, "skipped": 0, "error": 0, "exit_code": 1, "failures": ["tests/t.py::t"]}


@pytest.mark.parametrize(
    ("place", "changed", "verdict"),
    [
        (0, {CUDA_STEP: FAILING}, "not met"),
        (0, {TORCH_STEP: None}, "not measured"),
        (0, {TORCH_STEP: CRASHED}, "not met"),
        (0, {CUDA_STEP: FAILING, TORCH_STEP: None}, "not met"),
        (1, {"equality gradients": None}, "not measured"),
        (1, {"equality gradients": FAILED}, "not measured"),
        (
            1,
            {"equality gradients": {"cases": {"a": {"difference": 1e-5, "threshold_difference": 0, "bound": 1e-6}}}},
            "not met",
        ),
        (
            2,
            {
                "equality trees": {
                    "cases": {
                        "a": {
                            "trees": 3,
                            "trees_with_the_same_splits": 2,
                            "prediction_difference": 0.0,
                            "threshold_difference": 0.0,
                        }
                    }
                }
            },
            "not met",
        ),
        (3, {"kernels 1e8 float32": STOPPED}, "not measured"),
        (3, {"kernels 1e8 float32": kernel(100_000_000, "float32", **{COPY: 1e-3, PROJECTION: 3e-3})}, "not met"),
        (4, {"training 1e7 rows": None}, "not measured"),
        (5, {"layer 1e6 x 10": CRASHED}, "not measured"),
    ],
)
def test_misses_are_misses_and_what_did_not_run_is_not_passed(
    place: int, changed: dict[str, Any], verdict: str
) -> None:
    found = verdicts(**changed)
    assert found.pop(place) == verdict
    assert found == ["met"] * 5


def test_the_layer_is_timed() -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    methods = (layer.THRESHOLD, layer.ENTROPIC, layer.SORT, layer.PAV)
    record = worker.run_step("layer", "8192 x 10", layer.timed(8192, methods), 0, tiny=True)
    assert record["outcome"] == DONE, record["error"]
    found = record["result"]
    assert set(found["seconds"]) == set(methods)
    assert all(math.isfinite(time) for kinds in found["seconds"].values() for times in kinds.values() for time in times)
    assert found["difference_to_float64"] < 1e-6


# --- gpu-vision ---------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("own_cache")
def test_the_excerpt_chooses_its_epochs_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from benchmarks.device import vision

    monkeypatch.setattr(vision, "MOST_EPOCHS", 2)
    options = ("--simulate", "--threads", "1")
    first = command("gpu-vision", tmp_path, *options)
    assert first.exit_code == 0, first.output
    assert "2 epochs for each of 6 runs" in first.output
    runs = records(tmp_path)
    assert [(one["batch"], one["loss"]) for one in runs] == [
        (batch, loss) for batch in (16, 32) for loss in vision.LOSSES.split(",")
    ]
    assert {len(one["curves"]["test"]) for one in runs} == {2}
    monkeypatch.setattr(vision, "MOST_EPOCHS", 5)
    assert "6 of 6 runs are already" in command("gpu-vision", tmp_path, *options).output
    assert command("gpu-vision", tmp_path, *options, "--report-only").exit_code == 0
    (tmp_path / "plan.json").write_text("{}")
    check_refused(command("gpu-vision", tmp_path, *options), ["plan.json", "damaged", "--epochs", "--fresh"])


def test_the_excerpt_is_that_of_the_paper_on_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from benchmarks.device import vision
    from benchmarks.device.requests import GpuVisionRequest

    (tmp_path / "cifar10").mkdir()
    for place in (tmp_path, tmp_path / "cifar10"):
        monkeypatch.setenv("HSBOOST_REAL_DATA", str(place))
        asked = vision.vision_request(GpuVisionRequest(), epochs=7, minutes=2.0)
        assert asked.data_dir == tmp_path
    assert (asked.datasets, asked.jpeg, asked.device, asked.validation) == ("cifar10", True, "cuda", 0.0)
    assert (asked.batches, asked.epochs, asked.minutes) == ("512,4096", 7, 2.0)
    assert asked.hidden is None  # vision's default, the paper's 64
    check_refused(command("gpu-vision", tmp_path / "out", "--seeds", "0"), ["--seeds", "at least 1"])
