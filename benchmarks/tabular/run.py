"""Train what is missing, keep each finished run, and write the report."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks import environment
from benchmarks.options import choose
from benchmarks.output import default_console, progress_bar, publish
from benchmarks.resume import Work, carry_out
from benchmarks.store import Record, RunStore
from benchmarks.tabular import evaluate, report, resample, tuning
from benchmarks.tabular.boosters import BOOSTERS, Prepared
from benchmarks.tabular.data import Splits
from benchmarks.tabular.keys import Key, key_of
from benchmarks.tabular.losses import EVERY_LOSS, Loss
from benchmarks.tabular.plan import ALL, Plan, Request, make_plan, shared_facts
from benchmarks.tabular.protocols import PROTOCOLS
from benchmarks.tabular.published import PublishedHypersimplex, published_k, recipe
from benchmarks.tabular.settings import Settings

WARM_UP_ROUNDS = 2
#: Entries that every record has.
FIELDS = (
    *("dataset", "booster", "loss", "seed", "data", "rounds", "rounds_trained", "seconds", "seconds_per_round"),
    *("selection", "valid_auc", "course", "active", "own_log_loss", "curve"),
    *(metric.key for metric in (*evaluate.METRICS, evaluate.ECE)),
)


def main(request: Request, console: Console | None = None) -> int:
    """Carry out ``python -m benchmarks tabular``; returns the exit code, or raises OptionError."""
    console = console or default_console()

    def work() -> Work[Key]:
        plan = make_plan(request)

        def make(missing: list[Key], store: RunStore[Key]) -> None:
            execute(plan, missing, store, console)

        def forget() -> None:
            (request.out / tuning.DATABASE).unlink(missing_ok=True)

        return Work(plan.keys(), shared_facts(plan.settings), make, forget=forget)

    def written(store: RunStore[Key], records: list[Record]) -> None:
        chosen = _chosen(request, records) if request.report_only else records
        write_report(store, chosen, request.out, console)

    return carry_out(request, key_of, work, written, console, FIELDS)


def execute(plan: Plan, missing: list[Key], store: RunStore[Key], console: Console) -> None:
    """Train the missing runs in order and append each to the store as soon as it is finished."""
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


def _chosen(request: Request, runs: list[Record]) -> list[Record]:
    """The finished runs of the data sets, boosters and losses that ``--report-only`` was asked for."""
    options = (
        ("--datasets", "data set", request.datasets),
        ("--boosters", "booster", request.boosters),
        ("--losses", "loss", None if request.losses == ALL else request.losses),
    )
    every = [key_of(run) for run in runs]
    for position, (option, what, text) in enumerate(options):
        present = list(dict.fromkeys(str(key[position]) for key in every))
        wanted = choose(option, what, text, present)
        runs = [run for run in runs if key_of(run)[position] in wanted]
    return runs


def write_report(store: RunStore[Key], runs: list[Record], out: Path, console: Console) -> None:
    """Write table.md, results.json and the plots from finished runs, and print the tables."""
    from benchmarks.tabular import plots

    assert store.header is not None
    result = report.build(runs, store.header, environment.describe(store.header["settings"]["threads"]))
    report.print_tables(result, console)
    publish(out, result, report.to_markdown(result), plots.draw(result, out), console)
