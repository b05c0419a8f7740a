"""``python -m benchmarks scaling``: plan, figures, cost model and report from made-up cases; one small real run."""

from __future__ import annotations

import importlib.util
import json
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _commands import check_refused, command, records
from rich.console import Console

from benchmarks.suite.options import OptionError
from benchmarks.trainings import scaling_data as data
from benchmarks.trainings import scaling_model as model
from benchmarks.trainings import scaling_spark
from benchmarks.trainings import scaling_workers as workers_of
from benchmarks.trainings.objectives import HYPERSIMPLEX, LOG_LOSS
from benchmarks.trainings.requests import ScalingRequest
from benchmarks.trainings.scaling import Plan
from benchmarks.trainings.scaling_figures import DASK, SPARK, TRACKER, Cases, requirements
from benchmarks.trainings.scaling_model import Network, ring_steps
from benchmarks.trainings.scaling_report import ScalingReport
from benchmarks.trainings.scaling_workers import Job

ROOT = Path(__file__).resolve().parents[1]
CORES, ROUNDS = 4, 4


def case(rows: int, workers: int, engine: str = TRACKER, slower: float = 1.0, calls: int = 3) -> dict[str, Any]:
    """A case whose times follow the cost model to the letter: the prices are in `test_the_cost_model_…`."""
    per_core, talking = rows / min(CORES, workers * max(1, CORES // workers)), workers > 1
    inside = 1e-3 + 2e-9 * per_core + talking * calls * (3e-5 + 1e-4 * ring_steps(workers))
    rest = 4e-3 + 3e-8 * per_core + talking * model.TREE_CALLS * 5e-5 * ring_steps(workers)
    trainings = []
    for repeat in range(2):
        for rank in range(workers):
            for name in (HYPERSIMPLEX, LOG_LOSS):
                own = name == HYPERSIMPLEX
                seconds = (rest + inside if own else rest) * (slower if own else 1.0)
                trainings.append(
                    {
                        "objective_name": name,
                        "repeat": repeat,
                        "rank": rank,
                        "rounds": [9 * seconds, *[seconds * (1 - 0.1 * (rank > 0))] * (ROUNDS - 1)],
                        "objective": [inside] * ROUNDS if own else [],
                        "reductions": [inside / 2 * talking] * ROUNDS if own else [],
                        "traffic": [[9, 4500, 4048], [calls, 5000, 4048], [calls, 5000, 4048], [calls + 1, 5040, 4048]]
                        if own
                        else [],
                        "peak_bytes": (300 + 10 * rank) * 2**20,
                    }
                )
    record = {"engine": engine, "rows": rows, "workers": workers, "threads_each": max(1, CORES // workers)}
    return record | {"bins": 1000, "trainings": trainings}


@pytest.fixture
def cases() -> Cases:
    grid = [case(rows, workers) for rows in (100_000, 1_000_000) for workers in (1, 2, 4)]
    return Cases([*grid, case(1_000_000, 2, DASK, slower=0.9), case(1_000_000, 2, SPARK, slower=0.9)])


def test_the_plan_is_every_pair_and_one_case_under_dask() -> None:
    plan = Plan([100_000, 10_000_000], [1, 2], 5, 1, 4, with_dask=True)
    assert plan.keys()[:-1] == [(TRACKER, rows, workers) for rows in plan.rows for workers in plan.workers]
    assert plan.keys()[-1] == (DASK, 100_000, 2)
    assert [plan.threads_each(workers) for workers in (1, 2, 3, 8)] == [4, 2, 1, 1]
    both = Plan([100_000, 10_000_000], [1, 2], 5, 1, 4, with_dask=True, with_spark=True)
    assert both.keys() == [*plan.keys(), (SPARK, 100_000, 2)]
    without = Plan([200], [1, 4], 5, 1, 4, with_dask=True)
    assert [engine for engine, *_ in without.keys()] == [TRACKER] * 2  # noqa: SIM118


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--rows", "5"], ["--rows", "'5'", "at least 200"]),
        (["--workers", "0"], ["--workers", "'0'", "1 to 64"]),
        (["--workers", "two"], ["--workers", "'two'"]),
        (["--rounds", "1"], ["--rounds", "at least 2"]),
        (["--bandwidth", "0"], ["--bandwidth", "above 0"]),
        (["--latency", "-1"], ["--latency", "at least 0"]),
        (["--data-dir", "nowhere"], ["--data-dir", "nowhere"]),
        (["--report-only"], ["--report-only", "no finished runs"]),
    ],
)
def test_a_bad_option_gets_one_clear_error(given: list[str], words: list[str], tmp_path: Path) -> None:
    check_refused(command("scaling", tmp_path / "out", *given), words)


def test_parts_are_the_rows_once_each_whatever_the_number_of_workers(tmp_path: Path) -> None:
    table = data.write_table(data.MADE_UP, 1_000, None, tmp_path)
    assert table.n == 1_000
    for rows in (250, 1_000, 2_300):
        whole = table.part(rows, 1, 0)
        for workers in (2, 3):
            parts = [table.part(rows, workers, rank) for rank in range(workers)]
            for which in (0, 1):
                np.testing.assert_array_equal(np.concatenate([part[which] for part in parts]), whole[which])
            assert max(len(y) for _, y in parts) - min(len(y) for _, y in parts) <= 1
    X, y = table.part(2_300, 1, 0)
    np.testing.assert_array_equal(X[1_000:2_000], X[:1_000])
    assert X.dtype == y.dtype == np.float32
    assert set(np.unique(y)) == {0.0, 1.0}
    assert all(len(np.unique(column)) <= count for column, count in zip(X.T, data.DISTINCT, strict=True))


def test_figures_are_of_warm_rounds_and_the_slowest_worker(cases: Cases) -> None:
    record = cases.at((TRACKER, 1_000_000, 2))
    assert record is not None
    first = record["trainings"][0]["rounds"]
    assert cases.round_seconds(record, HYPERSIMPLEX).median == pytest.approx(first[1])
    assert cases.cold_seconds(record, HYPERSIMPLEX) == pytest.approx(first[0])
    log_loss = next(t for t in record["trainings"] if t["objective_name"] == LOG_LOSS)
    assert cases.ratios(record) == pytest.approx([sum(first) / sum(log_loss["rounds"])] * 2)
    assert cases.traffic(record)._asdict() == {
        "cold_calls": 9,
        "warm_calls": 3.0,
        "warm_calls_most": 4,
        "cold_bytes": 4500,
        "warm_bytes": 5000.0,
        "largest": 4048,
    }
    assert cases.share(record, "reductions") == pytest.approx(cases.share(record) / 2)
    assert cases.peak_bytes(record, LOG_LOSS) == 310 * 2**20


def test_the_cost_model_finds_the_prices_it_was_made_with(cases: Cases) -> None:
    fitted = model.fit(cases, CORES)
    assert fitted is not None
    assert fitted.objective == pytest.approx((1e-3, 2e-9, 3e-5, 1e-4), rel=1e-6)
    assert fitted.booster[:2] == pytest.approx((4e-3, 3e-8), rel=1e-6)
    assert fitted.booster.step == pytest.approx(5e-5, rel=1e-6)
    assert np.abs(fitted.residuals).max() < 1e-6
    found = model.predict(fitted, Network(latency_us=0.0, gbits=1e12, cores_each=10))
    assert found.objective == pytest.approx(1e-3 + 2e-9 * 1e6)
    assert found.objective_talk == pytest.approx(3 * (3e-5 + 198e-4))
    slow = model.predict(fitted, Network(latency_us=50.0, gbits=10.0, cores_each=10))
    # 3 calls of 198 messages of 50 µs; of 5,000 bytes in all each worker sends 198 hundredths.
    assert slow.objective_talk - found.objective_talk == pytest.approx(3 * 198 * 50e-6 + 1.98 * 5_000 * 8 / 1e10)
    assert slow.ratio == pytest.approx(slow.seconds / (slow.booster + slow.booster_talk))


def test_prices_are_not_negative_and_too_few_cases_give_no_model(cases: Cases) -> None:
    assert model.fit(Cases(cases.records[:1]), CORES) is None
    assert model.fit(Cases([r for r in cases.records if r["rows"] == 100_000]), CORES) is None
    assert model.fit(Cases([r for r in cases.records if r["workers"] == 1]), CORES) is None
    reversed_rows = [case(100_000, w) | {"rows": 10_000_000} for w in (1, 2)]
    fitted = model.fit(Cases([*reversed_rows, *[case(1_000_000, w) for w in (1, 2)]]), CORES)
    assert fitted is not None
    assert min(*fitted.objective, *fitted.booster) >= 0.0
    # With one number of workers above 1 the whole of a call is put on its steps: the dearer guess for many workers.
    assert fitted.objective.call == 0.0 < fitted.objective.step


def test_requirements_are_checked_against_every_case(cases: Cases) -> None:
    found = requirements(cases)
    assert [target.measured for target in found[:2]] == [4.0, 4048.0]
    assert [target.verdict for target in found] == ["met", "met", "met", "met"]
    engines = [case(1_000_000, 2, engine, slower=1.2) for engine in (DASK, SPARK)]
    slow = Cases([case(1_000_000, 2, calls=4), *engines])
    assert [target.verdict for target in requirements(slow)] == ["not met", "met", "not met", "not met"]
    assert [t.verdict for t in requirements(Cases([case(1_000, 1)]))] == ["not measured"] * 4


def test_the_report_states_what_the_prediction_takes_for_granted(cases: Cases) -> None:
    shared = {
        "settings": {"rounds": ROUNDS, "repeats": 2, "threads": CORES, "data": data.FLIGHTS},
        "params": {},
        "versions": {"python": "3"},
        "cpu": "a machine",
    }
    place = {"hardware": {"memory_gib": 1, "system": "Linux"}, "commit": None}
    text = ScalingReport(
        shared, place, cases.records, ScalingRequest(latency=20.0, bandwidth=25.0, cores_each=8)
    ).to_markdown()
    for words in ("20 µs per message", "25 Gbit/s", "8 cores", "100 equal machines", "Predicted, not measured", "ring"):
        assert words in text
    assert "missing" not in text
    result = ScalingReport(shared, place, cases.records[:2], ScalingRequest())
    assert "No cost model" in result.to_markdown()
    assert "under Dask is missing" in result.to_markdown()
    assert "under Spark is missing" in result.to_markdown()
    assert result.to_json()["cost_model"] is None


def test_one_worker_alone_is_reported_without_traffic(tmp_path: Path) -> None:
    shared = {"settings": {"rounds": ROUNDS, "repeats": 2, "threads": CORES, "data": data.MADE_UP}, "params": {}}
    place = {"hardware": {"memory_gib": 1, "system": "Linux"}, "commit": None}
    report = ScalingReport(shared | {"versions": {}, "cpu": "a machine"}, place, [case(1_000, 1)], ScalingRequest())
    console = Console(record=True, width=160)
    report.publish(tmp_path, console)
    for text in (console.export_text(), (tmp_path / "table.md").read_text(encoding="utf-8")):
        assert "A round by rows and workers" in text
        assert "hands to all-reduce" not in text


# ---- real processes --------------------------------------------------------------------------------------------


@pytest.fixture
def can_listen() -> None:
    try:
        with socket.create_server(("127.0.0.1", 0)):
            pass
    except OSError as error:
        pytest.skip(f"XGBoost's tracker cannot listen here: {error}")


@pytest.mark.usefixtures("can_listen")
def test_a_small_run_resumes_and_redraws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HSBOOST_DATA_DIR", raising=False)
    monkeypatch.setenv("HSBOOST_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("benchmarks.trainings.scaling.dask_is_here", lambda: False)
    monkeypatch.setattr("benchmarks.trainings.scaling.spark_is_here", lambda: False)
    options = ["--rows", "400,800", "--workers", "2", "--rounds", "3", "--repeats", "1"]
    out = tmp_path / "out"
    result = command("scaling", out, *options)
    assert result.exit_code == 0, result.output
    found = records(out)
    assert [(r["engine"], r["rows"], r["workers"]) for r in found] == [(TRACKER, 400, 2), (TRACKER, 800, 2)]
    for record in found:
        assert len(record["trainings"]) == 2 * 2
        for training in record["trainings"]:
            own = training["objective_name"] == HYPERSIMPLEX
            assert len(training["rounds"]) == 3
            assert len(training["objective"]) == len(training["traffic"]) == (3 if own else 0)
            assert all(calls > 0 for calls, *_ in training["traffic"])
            assert 0.0 <= sum(training["reductions"]) <= sum(training["objective"]) <= sum(training["rounds"])
    text = (out / "table.md").read_text(encoding="utf-8")
    assert "Made-up rows" in text
    assert re.search(r"largest single call.*\| \d+ B", text)
    assert (out / "scaling.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((out / "results.json").read_text(encoding="utf-8"))["runs"] == found
    # The last case is made again, alone.
    lines = (out / "runs.jsonl").read_bytes().splitlines(keepends=True)
    (out / "runs.jsonl").write_bytes(b"".join(lines[:-1]))
    made: list[int] = []

    def interrupted(job: Job, advance: Any) -> Any:
        made.append(job.rows)
        raise KeyboardInterrupt

    monkeypatch.setattr(workers_of, "train_on_processes", interrupted)
    stopped = command("scaling", out, *options)
    assert stopped.exit_code == 130
    assert "1 of 2 cases are kept" in stopped.output
    assert made == [800]
    assert command("scaling", out, "--report-only").exit_code == 0


@pytest.mark.usefixtures("can_listen")
def test_a_worker_that_fails_is_named_and_none_is_left(tmp_path: Path) -> None:
    table = data.write_table(data.MADE_UP, 300, None, tmp_path)
    table.labels.unlink()
    with pytest.raises(RuntimeError, match=r"worker \d failed:(.|\n)*labels\.npy"):
        workers_of.train_on_processes(Job(table, 300, 2, 1, 2, 1), lambda: None)


@pytest.mark.skipif(not scaling_spark.spark_is_here(), reason="needs pyspark and Java")
def test_the_case_under_spark_notes_the_same_things(tmp_path: Path) -> None:
    """In a process of its own: Spark has one session in each."""
    code = """
import sys
from pathlib import Path
from benchmarks.trainings import scaling_data as data
from benchmarks.trainings.objectives import HYPERSIMPLEX, LOG_LOSS
from benchmarks.trainings.scaling_spark import train_under_spark
from benchmarks.trainings.scaling_workers import Job

table = data.write_table(data.MADE_UP, 600, None, Path(sys.argv[1]))
told = []
found = train_under_spark(Job(table, 600, 2, 1, 3, 1), lambda: told.append(1))
kinds = [(rank, name) for rank in (0, 1) for name in (HYPERSIMPLEX, LOG_LOSS)]
assert [(t["rank"], t["objective_name"]) for t in found] == kinds, found
assert len(told) == 4
assert all(len(t["rounds"]) == 3 for t in found)
assert [len(t["traffic"]) for t in found] == [3, 0, 3, 0]
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="needs dask and distributed")
def test_the_case_under_dask_notes_the_same_things(tmp_path: Path) -> None:
    table = data.write_table(data.MADE_UP, 600, None, tmp_path)
    told: list[int] = []
    found = workers_of.train_under_dask(Job(table, 600, 2, 1, 3, 1), lambda: told.append(1))
    assert [(t["rank"], t["objective_name"]) for t in found] == [
        (rank, name) for rank in (0, 1) for name in (HYPERSIMPLEX, LOG_LOSS)
    ]
    assert len(told) == 4
    assert all(len(t["rounds"]) == 3 for t in found)
    assert [len(t["traffic"]) for t in found] == [3, 0, 3, 0]


def test_a_folder_without_flights_is_refused_only_when_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HSBOOST_DATA_DIR", raising=False)
    monkeypatch.setenv("HSBOOST_CACHE_DIR", str(tmp_path / "cache"))
    assert data.available_source(None) == data.MADE_UP
    with pytest.raises(OptionError, match=r"--data-dir: .*flights3m"):
        data.available_source(tmp_path)
