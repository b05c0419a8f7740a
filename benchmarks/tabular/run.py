"""Plan the runs, train what is missing, keep each finished run, and write the report."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks import environment
from benchmarks.options import choose
from benchmarks.output import INTERRUPTED, check_writable, default_console, progress_bar, replace
from benchmarks.resume import finished_runs, make_missing
from benchmarks.tabular import evaluate, report, resample, tuning
from benchmarks.tabular.boosters import BOOSTERS, Prepared
from benchmarks.tabular.data import Splits
from benchmarks.tabular.losses import EVERY_LOSS, Loss
from benchmarks.tabular.plan import ALL, Plan, Request, make_plan, shared_facts
from benchmarks.tabular.protocols import PROTOCOLS
from benchmarks.tabular.published import PublishedHypersimplex, published_k, recipe
from benchmarks.tabular.settings import Settings
from benchmarks.tabular.store import Key, Record, RunStore

WARM_UP_ROUNDS = 2


def main(request: Request, console: Console | None = None) -> int:
    """Carry out ``python -m benchmarks tabular``; returns the exit code, or raises OptionError."""
    console = console or default_console()
    store_path = request.out / "runs.jsonl"
    if request.report_only:
        return _report_only(request, store_path, console)
    plan = make_plan(request)
    check_writable(request.out)
    if request.fresh:
        store_path.unlink(missing_ok=True)
        (request.out / tuning.DATABASE).unlink(missing_ok=True)
    store = RunStore(store_path)
    keys = plan.keys()

    def work(missing: list[Key]) -> None:
        execute(plan, missing, store, console)

    if not make_missing(store, shared_facts(plan.settings), keys, work, console):
        return INTERRUPTED
    _write_report(store, set(keys), request.out, console)
    return 0


def execute(plan: Plan, missing: list[Key], store: RunStore, console: Console) -> None:
    """Train the missing runs in order and append each to the store as soon as it is finished."""
    if not missing:
        return
    _pin_threads(plan.settings.threads)
    warmed: set[tuple[str, str, str]] = set()
    with progress_bar(console) as progress:
        task = progress.add_task("starting", total=len(missing))
        for (dataset, seed), group in _grouped(missing):
            progress.update(task, description=f"{dataset}, seed {seed}: loading")
            splits = Splits(dataset, seed, plan.settings)
            splits.check_same_data(store)
            prepared: dict[str, Prepared] = {}
            for key in group:
                booster, loss = BOOSTERS[key[1]], loss_for(key, splits)
                progress.update(task, description=f"{dataset}, seed {seed}: {booster.label}, {loss.label}")
                if booster.name not in prepared:
                    prepared[booster.name] = splits.prepare(booster)
                score = evaluate.selection_score(plan.settings.selection, splits.valid.y)
                if key[:3] not in warmed:
                    # Compilation and first touches must not count as any loss's training time.
                    prepared[booster.name].train(loss, score, min(WARM_UP_ROUNDS, rounds_for(plan.settings, dataset)))
                    warmed.add(key[:3])
                store.append(
                    run_once(key, splits, prepared[booster.name], loss, score, plan.settings, store.path.parent)
                )
                progress.advance(task)
        progress.update(task, description="all runs done")


def _grouped(keys: list[Key]) -> Iterator[tuple[tuple[str, int], list[Key]]]:
    groups: dict[tuple[str, int], list[Key]] = {}
    for key in keys:
        groups.setdefault((key[0], key[3]), []).append(key)
    yield from groups.items()


def _pin_threads(threads: int) -> None:
    import numba

    with contextlib.suppress(ValueError):  # more threads than numba was started with: it keeps its own limit
        numba.set_num_threads(threads)


def loss_for(key: Key, splits: Splits) -> Loss:
    """Return the run's loss, as it is before tuning."""
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
    """Train one loss on one split, tuned first where the protocol says so, and return its record for the store."""
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


def _report_only(request: Request, store_path: Path, console: Console) -> int:
    store = RunStore(store_path)
    finished_runs(store, request.out)
    options = (
        ("--datasets", "data set", request.datasets),
        ("--boosters", "booster", request.boosters),
        ("--losses", "loss", None if request.losses == ALL else request.losses),
    )
    keys = set(store.runs)
    for position, (option, what, text) in enumerate(options):
        present = list(dict.fromkeys(str(key[position]) for key in store.runs))
        chosen = choose(option, what, text, present)
        keys = {key for key in keys if key[position] in chosen}
    _write_report(store, keys, request.out, console)
    return 0


def _write_report(store: RunStore, keys: set[Key], out: Path, console: Console) -> None:
    from benchmarks.tabular import plots

    runs = [record for key, record in store.runs.items() if key in keys]
    assert store.header is not None
    result = report.build(runs, store.header, environment.describe(store.header["settings"]["threads"]))
    replace(out / "results.json", json.dumps(result.to_json(), indent=1, allow_nan=False) + "\n")
    replace(out / "table.md", report.to_markdown(result))
    report.print_tables(result, console)
    written = plots.draw(result, out)
    console.print(f"Wrote {out}: table.md, results.json, runs.jsonl, {', '.join(written)}.")
