"""Trainings in which one worker fails; these run in the processes of `_crew` and on Dask's workers."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xgboost as xgb
from xgboost import collective

from hsboost import HypersimplexObjective

ROUNDS, FAULTY = 8, 1
#: Fewer distinct values than bins: the same cut points however the rows are spread.
PARAMS = {"base_score": 0.0, "max_depth": 3, "max_bin": 64, "nthread": 1, "objective": "reg:squarederror"}


def rows() -> tuple[np.ndarray, np.ndarray]:
    """All rows: whole numbers below 50."""
    rng = np.random.default_rng(5)
    X = rng.integers(0, 50, (900, 5)).astype(np.float32)
    return X, (X[:, 0] + rng.normal(0.0, 20.0, len(X)) > 30.0).astype(np.float32)


def matrix(rank: int, workers: int) -> Any:
    X, y = rows()
    return xgb.QuantileDMatrix(X[rank::workers], y[rank::workers], max_bin=64)


class Broken:
    """Labels on a disk that has failed."""

    def __len__(self) -> int:
        return 300

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise OSError("the disk is gone")


class Faulty:
    """The objective; on one worker something happens when a given round begins."""

    def __init__(self, at: int, fault: Callable[[Any, np.ndarray, Any], Any]) -> None:
        self.objective, self.at, self.fault, self.round = HypersimplexObjective(), at, fault, 0

    def __call__(self, scores: np.ndarray, data: Any) -> Any:
        now, self.round = self.round, self.round + 1
        if now == self.at and collective.get_rank() == FAULTY:
            return self.fault(self.objective, scores, data)
        return self.objective(scores, data)


def bad_label(objective: Any, scores: np.ndarray, data: Any) -> Any:
    label = data.get_label()
    label[0] = 2.0
    return objective(label, scores)


def missing_label(objective: Any, scores: np.ndarray, data: Any) -> Any:
    label = data.get_label()
    label[3] = np.nan
    return objective(label, scores)


def bad_weight(objective: Any, scores: np.ndarray, data: Any) -> Any:
    return objective(data.get_label(), scores, np.full(len(scores), -1.0))


def broken_disk(objective: Any, scores: np.ndarray, data: Any) -> Any:
    return objective(Broken(), scores)


def own_mistake(objective: Any, scores: np.ndarray, data: Any) -> Any:
    raise KeyError("raised by the caller's own function")


def faults_in_turn(end: Any, connection: dict[str, Any], faults: list[tuple[Callable[..., Any], int]]) -> Any:
    """One training after another in the same communicator, each with its fault; the errors, and a last good model."""
    found = []
    with collective.CommunicatorContext(**connection):
        rank, workers = collective.get_rank(), collective.get_world_size()
        for fault, at in faults:
            try:
                xgb.train(PARAMS, matrix(rank, workers), ROUNDS, obj=Faulty(at, fault))
            except Exception as error:
                found.append((type(error).__name__, str(error)))
            else:
                found.append(("nothing", ""))
        model = xgb.train(PARAMS, matrix(rank, workers), ROUNDS, obj=HypersimplexObjective())
    return found, predictions(model)


def train(
    end: Any,
    connection: dict[str, Any],
    fault: Callable[..., Any] | None = None,
    at: int = 0,
    folder: Path | None = None,
    start: Path | None = None,
) -> np.ndarray:
    """Train, from a checkpoint if there is one, with a checkpoint after each round; predictions of all rows."""
    checkpoint = [] if folder is None else [xgb.callback.TrainingCheckPoint(folder, interval=1)]
    done = 0 if start is None else xgb.Booster(model_file=start).num_boosted_rounds()
    with collective.CommunicatorContext(**connection):
        data = matrix(collective.get_rank(), collective.get_world_size())
        objective = HypersimplexObjective() if fault is None else Faulty(at, Told(end, fault))
        model = xgb.train(PARAMS, data, ROUNDS - done, obj=objective, callbacks=checkpoint, xgb_model=start)
    return predictions(model)


class Told:
    """Says on the way that the moment has come, then lets the fault happen."""

    def __init__(self, end: Any, fault: Callable[..., Any]) -> None:
        self.end, self.fault = end, fault

    def __call__(self, *given: Any) -> Any:
        self.end.send("now")
        return self.fault(*given)


def killed(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def stalled(objective: Any, scores: np.ndarray, data: Any) -> Any:
    os.kill(os.getpid(), signal.SIGSTOP)
    return objective(scores, data)


def predictions(model: Any) -> np.ndarray:
    return model.predict(xgb.DMatrix(rows()[0]), output_margin=True)


def alone() -> np.ndarray:
    """The model of an uninterrupted training in one process."""
    return predictions(xgb.train(PARAMS, matrix(0, 1), ROUNDS, obj=HypersimplexObjective()))


class KilledOnce:
    """A fault for Dask, which may start a worker again: only the first one dies."""

    def __init__(self, folder: Path) -> None:
        self.mark = folder / "killed"

    def __call__(self, objective: Any, scores: np.ndarray, data: Any) -> Any:
        if not self.mark.exists():
            self.mark.touch()
            killed()
        return objective(scores, data)
