"""``python -m benchmarks gpu``: its plan, its report on made-up figures, and what it says where there is no GPU."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _commands import command
from rich.console import Console

from benchmarks.calls import gpu_machine as machine
from benchmarks.calls.gpu import COPY, LABELS, PROJECTION, STEP_WARM, STREAM, median, ratio
from benchmarks.suite.options import OptionError
from benchmarks.suite.store import RunStore
from benchmarks.suite.tables import Table
from benchmarks.trainings import gpu as run
from benchmarks.trainings.gpu_report import FLOOR, LOG_LOSS, ON_GPU, ON_HOST, REQUIRED, GpuReport
from benchmarks.trainings.requests import GpuRequest

PNG = b"\x89PNG\r\n\x1a\n"
MADE_UP_GPU = {"name": "made up", "memory_gib": 80.0, "compute_capability": "9.0"}


@pytest.fixture(autouse=True)
def _made_up_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "describe", lambda: MADE_UP_GPU)


def request(out: Path, **more: Any) -> GpuRequest:
    given = {"sizes": "1e8", "rows": "1e7", "rounds": 4, "repeats": 2, "threads": 1, "out": out}
    return GpuRequest(**(given | more))


def gpu_report(records: list[dict[str, Any]], out: Path = Path()) -> GpuReport:
    shared = run.shared_facts(run.make_plan(request(out)).settings)
    return GpuReport(shared, {"hardware": {"memory_gib": 1, "system": "s"}, "commit": None}, records)


def kernel(n: int, dtype: str, difference: float = 0.0, **seconds: float) -> dict[str, Any]:
    methods = {name: [0.9 * found, found, 2.0 * found] for name, found in seconds.items()}
    return {
        "kind": "kernels",
        "n": n,
        "dtype": dtype,
        "methods": methods,
        "passes": 2,
        "gradient_difference": difference,
    }


def turn(rows: int, repeat: int, **seconds: float) -> dict[str, Any]:
    trained = {
        name: {
            "seconds": found,
            "calls": [] if name == LOG_LOSS else [0.01, 0.02, 0.04],
            "objective_seconds": 0.0 if name == LOG_LOSS else 0.07,
            "leaves": 60.0,
        }
        for name, found in seconds.items()
    }
    return {"kind": "training", "rows": rows, "repeat": repeat, "objectives": trained}


TURNS = [
    turn(10_000_000, 0, **{ON_GPU: 2.2, ON_HOST: 4.0, FLOOR: 2.1, LOG_LOSS: 2.0}),
    turn(10_000_000, 1, **{ON_GPU: 3.6, ON_HOST: 6.0, FLOOR: 3.3, LOG_LOSS: 3.0}),
]
RECORDS = [
    kernel(100_000_000, "float32", 1e-7, **{COPY: 1e-3, PROJECTION: 1.8e-3, STREAM: 2e-3, STEP_WARM: 5e-3}),
    kernel(100_000_000, "float64", 2e-7, **{COPY: 2e-3, PROJECTION: 5e-3}),
    *TURNS,
]


def test_requirements_are_checked_against_medians_and_ratios_within_a_turn() -> None:
    found = gpu_report(RECORDS).requirements()
    assert [target.measured for target in found] == [pytest.approx(1.8), pytest.approx(1.15), 1.0]
    assert [target.verdict for target in found] == ["met", "met", "met"]
    assert "800 GB/s" in found[0].note
    assert "2 + 1" in found[0].note
    slow = [kernel(100_000_000, "float32", 1e-3, **{COPY: 1e-3, PROJECTION: 2.5e-3})]
    assert [target.verdict for target in gpu_report(slow).requirements()] == ["not met", "not measured", "not met"]
    assert [target.verdict for target in gpu_report([]).requirements()] == ["not measured"] * 3


def test_figures() -> None:
    found = gpu_report(RECORDS)
    record = found.kernels[0]
    assert (record["n"], record["dtype"]) == (100_000_000, "float32")
    assert median(record, PROJECTION) == pytest.approx(1.8e-3)
    assert ratio(record, STEP_WARM) == pytest.approx(2.5)
    assert ratio(RECORDS[1], STEP_WARM) is None
    assert gpu_report([kernel(5, "float32", **{COPY: 1e-3, PROJECTION: 1e-3})]).requirements()[0].measured is None
    assert found.trainings.ratios(REQUIRED, ON_GPU, ON_HOST) == pytest.approx([0.55, 0.6])
    assert found.trainings.call_seconds(REQUIRED, ON_GPU) == pytest.approx(0.02)
    assert found.trainings.call_seconds(REQUIRED, LOG_LOSS) is None


def stored(out: Path) -> RunStore[run.Key]:
    """A folder with every unit of the plan of `request`, as if a GPU had been there."""
    store: RunStore[run.Key] = RunStore(out / "runs.jsonl", run.key_of)
    store.begin(run.shared_facts(run.make_plan(request(out)).settings))
    for record in RECORDS:
        store.append(record)
    return store


def test_the_report_names_the_gpu_and_agrees_with_the_runs(tmp_path: Path) -> None:
    stored(tmp_path)
    console = Console(width=160, record=True)
    assert run.main(request(tmp_path, report_only=True), console) == 0
    assert "made up" in console.export_text()
    result = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert result["gpu"] == MADE_UP_GPU
    assert [row["objective"] for row in result["trainings"]] == list(run.OBJECTIVES)
    assert result["trainings"][0]["ratio_to_log_loss"]["median"] == pytest.approx(1.15)
    assert result["kernels"][0]["ratio_to_floor"] == {PROJECTION: pytest.approx(1.8), STEP_WARM: pytest.approx(2.5)}
    page = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert "GPU: made up (memory gib 80.0, compute capability 9.0)." in page
    assert "| **1.8 (×1.8)** |" in page
    assert "| 10,000,000 | HyperSimplex on the GPU | **2.900** | 1.150 (1.100–1.200) | 0.575 (0.550–0.600) |" in page
    assert (tmp_path / "gpu.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize("kind", ["kernels", "training"])
def test_half_a_benchmark_is_reported_too(kind: str, tmp_path: Path) -> None:
    found = gpu_report([record for record in RECORDS if record["kind"] == kind])
    tables: list[Table] = [table for table in found.tables() if table.rows]
    assert any("training" in table.title for table in tables) == (kind == "training")
    assert any("Kernels" in table.title for table in tables) == (kind == "kernels")
    assert len(found.to_markdown()) > 1000


def test_what_is_finished_is_not_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first run is interrupted in its second training; the second goes on from there."""
    monkeypatch.setattr(machine, "need_gpu", lambda: None)
    monkeypatch.setattr(machine, "binned", lambda X, y, threads: len(y))
    monkeypatch.setattr(run, "make_data", lambda n: (np.zeros((8, 1)), np.zeros(8)))
    done: list[Any] = []
    stop = [True]

    def run_case(n: int, dtype: str, samples: int) -> dict[str, Any]:
        done.append((n, dtype))
        return kernel(n, dtype, **dict.fromkeys(LABELS, 1e-3))

    def train_once(data: Any, objective: Any, rounds: int, threads: int) -> dict[str, Any]:
        if rounds == 4:
            done.append(objective.name)
        if stop[0] and done.count(LOG_LOSS) == 2:
            raise KeyboardInterrupt
        return turn(1, 0, **{objective.name: 1.0})["objectives"][objective.name]

    monkeypatch.setattr(run, "run_case", run_case)
    monkeypatch.setattr(run, "train_once", train_once)
    assert run.main(request(tmp_path), Console(quiet=True)) == 130
    assert not (tmp_path / "table.md").exists()
    stop[0] = False
    done.clear()
    assert run.main(request(tmp_path), Console(quiet=True)) == 0
    names = list(run.OBJECTIVES)
    assert done == names[1:] + names[:1]  # the second turn only, in its own order
    assert (tmp_path / "table.md").exists()
    with pytest.raises(OptionError, match="other settings"):
        run.main(request(tmp_path, rounds=5), Console(quiet=True))


def test_the_plan(tmp_path: Path) -> None:
    made = run.make_plan(request(tmp_path, sizes=None, rows=None, large=True))
    assert made.sizes == [10**6, 10**7, 10**8]
    assert made.rows == [10**6, 10**7, 5 * 10**7]
    assert len(made.keys()) == 2 * 3 + 2 * 3
    assert run.make_plan(request(tmp_path, sizes="none")).sizes == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rounds": 0}, "--rounds: must be at least 1, got 0"),
        ({"repeats": 0}, "--repeats: must be at least 1, got 0"),
        ({"threads": 10**6}, "--threads: only"),
        ({"sizes": "many"}, "--sizes: 'many' is not a whole number"),
        ({"rows": "3"}, "--rows: '3' is not a whole number of rows of at least 16"),
        ({"sizes": "none", "rows": "none"}, "nothing is left to measure"),
    ],
)
def test_wrong_options_are_named(wrong: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=message):
        run.make_plan(request(tmp_path, **wrong))


def test_without_a_gpu_one_line_and_exit_code_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hsboost.cuda.missing", lambda: "CuPy finds no CUDA device")
    out = tmp_path / "not made"
    result = command("gpu", out)
    assert result.exit_code == 2
    message = "error: this benchmark needs a CUDA GPU and hsboost[gpu]: CuPy finds no CUDA device"
    assert result.output.strip() == message
    assert not out.exists()


def test_a_processor_s_xgboost_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hsboost.cuda.missing", lambda: None)
    monkeypatch.setattr("xgboost.build_info", lambda: {"USE_CUDA": False})
    with pytest.raises(OptionError, match="the one installed was built without"):
        machine.need_gpu()
