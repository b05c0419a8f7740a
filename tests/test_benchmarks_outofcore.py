"""``python -m benchmarks outofcore``, on small flights; and the same model with the features on disk."""

from __future__ import annotations

import functools
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xgboost as xgb
from _commands import check_refused, command, records

from benchmarks.trainings import outofcore_batches as batches
from benchmarks.trainings import outofcore_case as work
from benchmarks.trainings.objectives import large_params
from benchmarks.trainings.outofcore import KEYS, MOST_ROWS, requirements
from datasets import stream
from hsboost import HypersimplexObjective

ROWS = 1_500


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with made-up flights, as the published file has them."""
    rng = np.random.default_rng(0)
    base = tmp_path_factory.mktemp("data")
    time = pd.date_range("2001-01-01 00:01", periods=ROWS, freq="170min", unit="us")
    table = pa.table(
        {
            "date": pa.array(time),
            "delay": (rng.exponential(12.0, ROWS) + 8 * (time.hour > 16) - 5).astype(np.int64),
            "distance": rng.integers(1, 40, ROWS) * 50,
            "origin": pa.array(rng.choice(["LAS", "ATL", "MCI", "ORD"], ROWS).tolist(), pa.large_string()),
            "destination": pa.array(rng.choice(["PHL", "SAV"], ROWS).tolist(), pa.large_string()),
        }
    )
    (base / "flight").mkdir()
    pq.write_table(table, base / "flight" / "flights-3m.parquet")
    return base


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HSBOOST_DATA_DIR", raising=False)
    monkeypatch.setenv("HSBOOST_CACHE_DIR", str(tmp_path / "cache"))


def flights(folder: Path) -> Any:
    return stream("flights3m", encoding="as_numbers", data_dir=folder)


def case(folder: Path, pages: Path, way: str, columns: int) -> work.Case:
    return work.Case(way, work.HYPERSIMPLEX, columns, ROWS, 3, 1, folder, pages)


def put(got: list[dict[str, Any]], **given: Any) -> None:
    got.append(given)


@pytest.mark.parametrize("columns", [batches.NARROW, batches.WIDE])
def test_slices_put_together_are_the_crossed_rows(folder: Path, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "SLICE", 400)
    rows = flights(folder)
    whole = np.concatenate([rows.matrix(number) for number in range(len(rows.starts) - 1)])
    source = batches.CrossedBatches(rows, columns, None)
    for _ in range(2):  # XGBoost reads several times
        got: list[dict[str, Any]] = []
        take = functools.partial(put, got)
        while source.next(take):
            pass
        source.reset()
        assert len(got) >= 4
        X = np.concatenate([part["data"] for part in got])
        np.testing.assert_array_equal(np.concatenate([part["label"] for part in got]), rows.y)
        assert X.shape == (ROWS, columns)
        assert X.dtype == np.float32
        np.testing.assert_array_equal(X[:, : batches.OWN], whole)
    if columns == batches.WIDE:
        for place, (i, j) in enumerate(itertools.combinations(range(batches.OWN), 2), start=batches.OWN):
            np.testing.assert_array_equal(X[:, place], whole[:, i] * whole[:, j])
            np.testing.assert_array_equal(X[:, place + 28], whole[:, i] - whole[:, j])


def test_the_model_from_disk_is_the_model_from_memory(folder: Path, tmp_path: Path) -> None:
    """Fewer distinct values than bins: the cut points are the values themselves."""
    params = large_params(work.HYPERSIMPLEX, 1)
    rows = flights(folder)
    X = np.concatenate([rows.matrix(number) for number in range(len(rows.starts) - 1)])
    found = []
    for way in (work.EXTERNAL, work.IN_MEMORY):
        matrix = work.binned(flights(folder), case(folder, tmp_path, way, batches.NARROW), tmp_path)
        booster = xgb.train(params, matrix, 10, obj=HypersimplexObjective())
        found.append(booster.predict(xgb.DMatrix(X), output_margin=True))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5, atol=1e-6)
    assert np.std(found[0]) > 0.01


def test_the_objective_keeps_a_few_numbers_for_each_row() -> None:
    """Labels, gradient and curvature, float32 each; of the last two it keeps the memory, for the next round."""
    found = work.objective_bytes_per_row(1 << 18)
    assert found["first_round"] <= 16.0
    assert found["later_rounds"] <= 16.0
    assert found["between_rounds"] <= 10.0


def test_the_command_resumes_and_reports(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[work.Case] = []
    monkeypatch.setattr(work, "objective_bytes_per_row", lambda: {"between_rounds": 12.0})

    def here(given: work.Case) -> dict[str, Any]:
        calls.append(given)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return work.carry_out(given)

    monkeypatch.setattr(work, "in_fresh_process", here)
    out = tmp_path / "out"
    options = ["--data-dir", str(folder), "--rows", str(ROWS), "--rounds", "2", "--threads", "1"]
    stopped = command("outofcore", out, *options)
    assert stopped.exit_code == 130
    assert f"2 of {len(KEYS)} cases are kept" in stopped.output
    result = command("outofcore", out, *options)
    assert result.exit_code == 0, result.output
    found = records(out)
    assert [(r["way"], r["objective"], r["columns"]) for r in found] == list(KEYS)
    assert len(calls) == len(KEYS) + 1
    external = [r for r in found if r["way"] == work.EXTERNAL]
    if hasattr(xgb, "ExtMemQuantileDMatrix"):
        assert {r["matrix"] for r in external} == {"ExtMemQuantileDMatrix"}
        assert all(r["disk_bytes"] > 0 for r in external)
    assert found[0]["raw_bytes"] == ROWS * 64 * 4
    text = (out / "table.md").read_text(encoding="utf-8")
    assert "needs 3e6 rows" in text
    assert "between rounds" in text
    assert json.loads((out / "results.json").read_text(encoding="utf-8"))["runs"] == found
    assert command("outofcore", out, "--report-only").exit_code == 0


def test_a_case_in_a_fresh_process(folder: Path, tmp_path: Path) -> None:
    found = work.in_fresh_process(case(folder, tmp_path, work.EXTERNAL, batches.WIDE))
    assert found["seconds_per_round"] > 0.0
    assert found["peak_bytes"] is None or found["peak_bytes"] > 0
    assert list(tmp_path.glob("pages-*")) == []


def test_a_case_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"out of core, 8 columns failed:(.|\n)*flights3m"):
        work.in_fresh_process(case(tmp_path, tmp_path, work.EXTERNAL, batches.NARROW))


def test_the_requirement_is_about_three_million_wide_rows() -> None:
    def verdict(rows: int, peak: int | None) -> str:
        record = {
            "way": work.EXTERNAL,
            "objective": work.HYPERSIMPLEX,
            "columns": 64,
            "rows": rows,
            "peak_bytes": peak,
            "raw_bytes": rows * 256,
            "matrix": "ExtMemQuantileDMatrix",
        }
        (target,) = requirements([record])
        return target.verdict

    assert verdict(MOST_ROWS, MOST_ROWS * 127) == "met"
    assert verdict(MOST_ROWS, MOST_ROWS * 129) == "not met"
    assert verdict(MOST_ROWS, None) == verdict(1_000, 1) == "not measured"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--rows", "4e6"], ["--rows", "at most 3,000,000"]),
        (["--rows", "300,400"], ["--rows", "one number"]),
        (["--rounds", "0"], ["--rounds", "at least 1"]),
        (["--threads", "100000"], ["--threads", "cores"]),
        (["--data-dir", "nowhere"], ["--data-dir", "nowhere"]),
        ([], ["--data-dir", "flights3m"]),
        (["--report-only"], ["--report-only", "no finished runs"]),
    ],
)
def test_a_bad_option_gets_one_clear_error(given: list[str], words: list[str], tmp_path: Path) -> None:
    check_refused(command("outofcore", tmp_path / "out", *given), words)
