"""``python -m benchmarks tabular``: train every loss on every split, evaluate it on test, keep each finished run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality.requests import TabularRequest
from benchmarks.quality.tabular import evaluate, resample, tuning
from benchmarks.quality.tabular.boosters import BOOSTERS, Prepared
from benchmarks.quality.tabular.losses import EVERY_LOSS, Loss
from benchmarks.quality.tabular.plan import PROTOCOLS, make_plan, shared_facts
from benchmarks.quality.tabular.published import PublishedHypersimplex, published_k, recipe
from benchmarks.quality.tabular.report import TabularReport
from benchmarks.quality.tabular.settings import Key, Settings, key_of
from benchmarks.quality.tabular.splits import Splits
from benchmarks.suite.run import Benchmark, StatusLine, Work
from benchmarks.suite.store import Record, RunStore

WARM_UP_ROUNDS = 2
#: Entries that every record has.
FIELDS = (
    *("dataset", "booster", "loss", "seed", "data", "rounds", "rounds_trained", "seconds", "seconds_per_round"),
    *("selection", "valid_auc", "course", "active", "own_log_loss", "curve"),
    *(metric.key for metric in (*evaluate.METRICS, evaluate.ECE)),
)


def prepare(request: TabularRequest) -> Work[Key]:
    """Check every option and list the runs."""
    plan = make_plan(request)

    def forget() -> None:
        (request.folder / tuning.DATABASE).unlink(missing_ok=True)

    def pinned(missing: object) -> contextlib.AbstractContextManager[None]:
        _pin_threads(plan.settings.threads)
        return contextlib.nullcontext()

    return Work(plan.keys(), shared_facts(plan.settings), Runs(plan.settings), around=pinned, forget=forget)


def _pin_threads(threads: int) -> None:
    import numba

    with contextlib.suppress(ValueError):  # more threads than numba was started with: it keeps its own limit
        numba.set_num_threads(threads)


class Runs:
    """Carries out runs; the next run of the same split reuses the splits of the last, converted for the boosters."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.splits: Splits | None = None
        self.prepared: dict[str, Prepared] = {}
        self.warmed: set[tuple[str, str, str]] = set()

    def __call__(self, key: Key, store: RunStore[Key], status: StatusLine) -> Record:
        dataset, name, _, seed = key
        if self.splits is None or (self.splits.dataset, self.splits.seed) != (dataset, seed):
            status(f"{dataset}, seed {seed}: loading")
            self.prepared = {}
            self.splits = Splits(dataset, seed, self.settings)
            self.splits.check_same_data(store)
        splits, booster, loss = self.splits, BOOSTERS[name], loss_for(key, self.splits)
        status(f"{dataset}, seed {seed}: {booster.label}, {loss.label}")
        if name not in self.prepared:
            self.prepared[name] = splits.prepare(booster)
        score = evaluate.selection_score(self.settings.selection, splits.valid.y)
        if key[:3] not in self.warmed:
            # Compilation and first memory accesses must not count towards any loss's training time.
            self.prepared[name].train(loss, score, min(WARM_UP_ROUNDS, rounds_for(self.settings, dataset)))
            self.warmed.add(key[:3])
        return run_once(key, splits, self.prepared[name], loss, score, self.settings, store.path.parent)


def loss_for(key: Key, splits: Splits) -> Loss:
    """Return the run's loss before tuning."""
    dataset, _, name, _ = key
    loss = PublishedHypersimplex(recipe(dataset).scale) if name == PublishedHypersimplex.name else EVERY_LOSS[name]
    return loss.on(splits.train.y)


def rounds_for(settings: Settings, dataset: str) -> int:
    """Most boosting rounds of a data set."""
    return recipe(dataset).rounds if settings.rounds is None else settings.rounds


def run_once(
    key: Key,
    splits: Splits,
    prepared: Prepared,
    loss: Loss,
    score: Callable[[Any], float],
    settings: Settings,
    out: Path,
) -> Record:
    """Train one loss on one split, after tuning if the protocol has it, and return its record for the store."""
    dataset, booster, name, seed = key
    rounds, trees = rounds_for(settings, dataset), None
    found: dict[str, Any] = {}
    if settings.trials:
        tuned = tuning.tune(key, splits, prepared, score, settings, out)
        loss, trees = EVERY_LOSS[name].tuned(**tuned.own).on(splits.train.y), tuned.trees
        found = {"tuned": tuned.to_json()}
    if name == PublishedHypersimplex.name:
        found["k_off"] = published_k(splits.train.y) - int(np.sum(splits.train.y))
    trained = prepared.train(loss, score, rounds, trees)
    valid, test = splits.valid, splits.test
    if PROTOCOLS[settings.protocol].corrected:
        digest = splits.facts["digest"]["test"]
        found["bootstrap"] = resample.replicates(valid.y, trained.raw_valid, test.y, trained.raw_test, digest)
    return (
        {
            "dataset": dataset,
            "booster": booster,
            "loss": loss.name,
            "seed": seed,
            "data": splits.facts,
            "rounds": trained.rounds,
            "rounds_trained": trained.rounds_trained,
            "seconds": trained.seconds,
            "seconds_per_round": trained.seconds / max(trained.rounds_trained, 1),
            "selection": score(trained.raw_valid),
            "valid_auc": evaluate.auc(valid.y, trained.raw_valid),
            "course": trained.course,
            "active": trained.active,
        }
        | evaluate.evaluate(loss, valid.y, trained.raw_valid, test.y, trained.raw_test)
        | found
    )


BENCHMARK = Benchmark(key_of, FIELDS, prepare, TabularReport)
main = BENCHMARK.run
