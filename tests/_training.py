"""XGBoost training over several processes of this machine, connected as xgboost.dask connects its workers."""

from __future__ import annotations

import contextlib
import multiprocessing
import queue
import traceback
from typing import Any, NamedTuple

import numpy as np

#: Seconds for a whole training of a test.
PATIENCE = 120.0


class Job(NamedTuple):
    """What to train; the same for any number of workers."""

    loss: Any = "hypersimplex"
    k: Any = None
    classes: int = 2
    groups: int = 0
    weighted: bool = False
    rows: int = 1200
    rounds: int = 4


class Outcome(NamedTuple):
    """What one worker saw: predictions and gradients round by round, thresholds, traffic, the model."""

    rank: int
    scores: list[np.ndarray]
    gradients: list[np.ndarray]
    thresholds: list[Any]
    traffic: list[Any]
    model: bytes


def rows_of(job: Job) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Features of few distinct values: XGBoost cuts them alike however rows are dealt out."""
    rng = np.random.default_rng(11)
    X = rng.integers(0, 50, (job.rows, 5)).astype(np.float32)
    signal = X[:, 0] + 0.5 * X[:, 1] + rng.normal(scale=12, size=job.rows)
    y = np.searchsorted(np.quantile(signal, np.linspace(0, 1, job.classes + 1)[1:-1]), signal)
    w = rng.integers(1, 5, job.rows).astype(np.float32)
    return X, y.astype(np.float32), w, rng.integers(0, max(job.groups, 1), job.rows)


def _objective(job: Job) -> Any:
    from hsboost.losses import get_loss
    from hsboost.objectives import HypersimplexObjective, LossObjective

    groups = "label_lower_bound" if job.groups else None
    if job.loss == "budget-log-loss":
        return HypersimplexObjective.of(get_loss(job.loss, k=job.k), groups)
    if job.loss != "hypersimplex":
        return LossObjective(get_loss(job.loss))
    return HypersimplexObjective(job.k, groups=groups)


def _run(job: Job, shares: tuple[float, ...], rank: int) -> Outcome:
    """Train one job on this worker's rows."""
    import xgboost

    cuts = np.round(np.cumsum([0.0, *shares]) * job.rows).astype(int)
    X, y, w, g = (a[cuts[rank] : cuts[rank + 1]] for a in rows_of(job))
    extra = {"weight": w} if job.weighted else {}
    extra |= {"label_lower_bound": g} if job.groups else {}
    data = xgboost.DMatrix(X, label=y, **extra)
    objective = _objective(job)
    outcome = Outcome(rank, [], [], [], [], b"")

    def watched(scores: np.ndarray, matrix: Any) -> Any:
        gradient, hessian = objective(scores, matrix)
        outcome.scores.append(scores.copy())
        outcome.gradients.append(gradient.copy())
        if job.loss == "hypersimplex":
            outcome.thresholds.append(objective.soft_threshold_)
        return gradient, hessian

    def heard(state: Any) -> None:
        if getattr(state, "meeting", None) is not None:
            outcome.traffic.append(state.meeting.traffic)

    objective.on_round = heard
    params = {"max_bin": 64, "max_depth": 3, "base_score": 0.0, "nthread": 1, "verbosity": 0}
    if job.classes > 2:
        params |= {"num_class": job.classes, "disable_default_eval_metric": True}
    booster = xgboost.train(params, data, job.rounds, obj=watched)
    return outcome._replace(model=bytes(booster.save_raw("json")))


def _work(jobs: dict[str, Job], shares: tuple[float, ...], arguments: dict[str, Any] | None, results: Any) -> None:
    from xgboost import collective

    try:
        with collective.CommunicatorContext(**arguments) if arguments else contextlib.nullcontext():
            rank = collective.get_rank() if arguments else 0
            results.put((rank, {name: _run(job, shares, rank) for name, job in jobs.items()}))
    except BaseException:
        results.put((-1, traceback.format_exc()))
        raise


def train(jobs: dict[str, Job], shares: tuple[float, ...]) -> dict[str, list[Outcome]]:
    """Train on as many workers as there are shares of the rows; what each of them saw, in the order of the rows."""
    from xgboost.tracker import RabitTracker

    context = multiprocessing.get_context("spawn")
    results, arguments = context.Queue(), None
    if len(shares) > 1:
        tracker = RabitTracker(n_workers=len(shares), host_ip="127.0.0.1")
        tracker.start()
        arguments = tracker.worker_args()
    workers = [context.Process(target=_work, args=(jobs, shares, arguments, results)) for _ in shares]
    for worker in workers:
        worker.start()
    try:
        found = [results.get(timeout=PATIENCE) for _ in workers]
    except queue.Empty:
        raise AssertionError("the workers did not end in time") from None
    finally:
        for worker in workers:
            worker.join(timeout=5)
            worker.kill()
    for rank, one in found:
        assert rank >= 0, one
    found.sort(key=lambda end: end[0])
    return {name: [end[name] for _, end in found] for name in jobs}
