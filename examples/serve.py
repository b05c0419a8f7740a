"""Serve the decisions of a trained model from a web service without hsboost.

Problem: one team trains a model and another serves it, with XGBoost only. The exported file holds the trees, the
threshold and the intercept, so the service compares a score with 0. A row that the model cannot read gets a clear error
422 before prediction; a missing value is valid.

Data: synthetic calls to customers, with a category and missing values, seeded.

    python examples/serve.py [--train model.json | --serve model.json --port 8000 | --self-test]

Needs: hsboost with the extra serve (FastAPI, uvicorn and, for the self-test, httpx).
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pandas as pd
import xgboost as xgb
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

REGIONS = ["north", "south", "east", "west"]
Number = Annotated[float | None, Field(allow_inf_nan=False)]


class Customer(BaseModel):
    """One row: every column by name, null where a value is missing."""

    model_config = ConfigDict(extra="forbid")
    age: Number
    balance: Number
    calls: Number
    region: Literal["north", "south", "east", "west"] | None


class Decision(BaseModel):
    """Whether to call, and by how much the score exceeds the cut."""

    call: bool
    score: float


def customers(n: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows, and who said yes."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"age": rng.normal(45, 12, n), "balance": rng.lognormal(7, 1, n), "calls": rng.poisson(2.0, n)})
    X["region"] = pd.Categorical(np.array(REGIONS)[rng.integers(0, 4, n)], categories=REGIONS)
    odds = 0.8 * (np.log(X["balance"]) - 7) + 1.2 * (X["region"] == "west") - 0.3 * X["calls"] - 1.5
    y = (rng.random(n) < 1 / (1 + np.exp(-odds))).astype(int)
    X["calls"] = X["calls"].astype(float)
    X.loc[rng.random(n) < 0.1, "balance"] = np.nan
    return X, y


def train(path: Path) -> None:
    """Train and export; the answers for the self-test lie beside the model."""
    from hsboost import HSClassifier  # nowhere else

    X, y = customers(4000, 0)
    booster = xgb.XGBClassifier(n_estimators=80, max_depth=4, enable_categorical=True, n_jobs=1)
    model = HSClassifier(booster, k=0.1).fit(X, y)
    new, _ = customers(500, 1)
    print(model.export(path, rows=new))
    new.assign(called=model.predict(new)).to_json(path.with_suffix(".rows"), orient="records", double_precision=15)


def service(path: Path) -> FastAPI:
    """The application, which needs XGBoost and the exported file."""
    booster = xgb.Booster({"nthread": 1}, model_file=path)
    app = FastAPI(title="Whom to call")

    def decide(rows: list[Customer]) -> list[Decision]:
        frame = pd.DataFrame([row.model_dump() for row in rows])
        numbers = ["age", "balance", "calls"]
        frame[numbers] = frame[numbers].astype(float)
        frame["region"] = pd.Categorical(frame["region"], categories=REGIONS)
        scores = booster.predict(xgb.DMatrix(frame, enable_categorical=True, nthread=1))
        return [Decision(call=bool(score > 0), score=float(score)) for score in scores]

    @app.get("/health")
    def health() -> dict[str, bool]:
        return {"hsboost": "hsboost" in sys.modules}

    @app.post("/decide")
    def one(row: Customer) -> Decision:
        return decide([row])[0]

    @app.post("/decide-all")
    def several(rows: Annotated[list[Customer], Field(min_length=1, max_length=10_000)]) -> list[Decision]:
        return decide(rows)

    return app


def self_test() -> None:
    """Train in one process, serve in another, ask from this one."""
    import httpx

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        subprocess.run([sys.executable, __file__, "--train", str(path)], check=True)
        rows = pd.read_json(path.with_suffix(".rows"), orient="records").astype(object)
        rows = rows.where(rows.notna(), None)
        called = rows.pop("called").astype(bool).tolist()
        given = rows.to_dict(orient="records")
        command = [sys.executable, __file__, "--serve", str(path), "--port", "0"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
            try:
                found = (re.search(r"running on (\S+)", line) for line in server.stderr or ())
                address = next(one[1] for one in found if one)
                with httpx.Client(base_url=address, timeout=60) as client:
                    ask(client, given, called)
            finally:
                server.terminate()
                server.communicate()  # reads what is left, so that the server can end
    print("the service has stopped")


def ask(client: object, given: list[dict[str, object]], called: list[bool]) -> None:
    """One row, a batch, bad rows, and how long one row takes."""
    assert client.get("/health").json() == {"hsboost": False}
    batch = client.post("/decide-all", json=given).json()
    assert [one["call"] for one in batch] == called
    print(f"a batch: {len(batch)} rows, {sum(called)} to call, all as the model decided")
    assert client.post("/decide", json=given[0]).json() == batch[0]
    bad = {
        "a text for a number": given[0] | {"age": "old"},
        "an unknown region": given[0] | {"region": "centre"},
        "a column too many": given[0] | {"shoe_size": 43.0},
        "a column missing": {name: value for name, value in given[0].items() if name != "calls"},
    }
    for what, row in bad.items():
        answer = client.post("/decide", json=row)
        (error,) = answer.json()["detail"]
        assert answer.status_code == 422
        print(f"{what}: 422, {error['loc'][-1]}: {error['msg']}")
    assert client.post("/decide-all", json=[]).status_code == 422
    times = []
    for row in given[:100]:
        begin = time.perf_counter()
        client.post("/decide", json=row).raise_for_status()
        times.append(1000 * (time.perf_counter() - begin))
    print(f"one row: median {np.median(times):.1f} ms, slowest of {len(times)} {max(times):.1f} ms, with HTTP")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Serve an exported model.")
    parser.add_argument("--train", type=Path, metavar="PATH", help="train a model and export it to PATH (.json)")
    parser.add_argument("--serve", type=Path, metavar="PATH", help="serve the model in PATH")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--self-test", action="store_true", help="start, ask, send bad rows, stop")
    chosen = parser.parse_args()
    if chosen.train:
        train(chosen.train)
    elif chosen.serve:
        import uvicorn

        uvicorn.run(service(chosen.serve), host="127.0.0.1", port=chosen.port, access_log=False)
    elif chosen.self_test:
        self_test()
    else:
        parser.error("pass --train, --serve or --self-test")
