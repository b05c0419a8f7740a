"""The paper's table beside the same recipe run here, and what that recipe does to the projection."""

from __future__ import annotations

from typing import Any

from benchmarks.output import Cell, Table
from benchmarks.tabular.aggregate import Statistics
from benchmarks.tabular.notes import heading
from benchmarks.tabular.published import PublishedHypersimplex, recipe

#: Our loss beside each of the paper's columns: what its scripts really train.
COLUMNS = {"l2": "cross_entropy", PublishedHypersimplex.name: "hypersimplex"}
NAMES = {
    "l2": "L2 (“cross entropy” as published)",
    "log-loss": "log loss",
    PublishedHypersimplex.name: "HyperSimplex (as published)",
}


def published(dataset: str) -> dict[str, float]:
    """The paper's figures for a data set, from the registry."""
    from datasets.registry import registry

    return registry()[dataset].paper


def full_rows(dataset: str) -> int:
    """Rows of the whole published data set."""
    from datasets.registry import registry

    return registry()[dataset].rows


def tables(statistics: Statistics) -> list[Table]:
    """Lay out the paper's table beside ours, and the recipe's steps."""
    return [_table(statistics), _recipe_table(statistics)]


def _name(loss: str) -> str:
    from benchmarks.tabular.losses import EVERY_LOSS

    return NAMES.get(loss, EVERY_LOSS[loss].label)


def _mean(statistics: Statistics, dataset: str, loss: str, key: str) -> Cell:
    found = statistics.estimate((dataset, "lightgbm"), loss, key)
    if found is None:
        return Cell("–")
    return Cell(
        f"{found.mean:.3f}" if found.std is None else f"{found.mean:.3f} ±{found.std:.3f}", brief=f"{found.mean:.3f}"
    )


def _table(statistics: Statistics) -> Table:
    rows = []
    for dataset in statistics.datasets:
        theirs = published(dataset)
        data = next(run["data"] for run in statistics.runs if run["dataset"] == dataset)
        cells = [Cell(f"{theirs[column]:.3f}") for column in COLUMNS.values()]
        cells += [_mean(statistics, dataset, loss, "valid_auc") for loss in statistics.losses]
        cells += [_mean(statistics, dataset, loss, "auc") for loss in statistics.losses]
        note = f"{sum(data['rows'].values()):,} of {full_rows(dataset):,} rows" + (
            "; other features or rows than the paper's" if data.get("differs") else ""
        )
        rows.append([Cell(dataset), Cell(note, brief=f"{sum(data['rows'].values()):,}"), *cells])
    header = [Cell("data set"), Cell("here", brief="rows here")]
    header += [Cell("paper: “Cross Entropy”", brief="paper CE"), Cell("paper: HyperSimplex", brief="paper HS")]
    header += [Cell(f"{_name(loss)}, validation", brief=f"{_brief(loss)} val.") for loss in statistics.losses]
    header += [Cell(f"{_name(loss)}, test", brief=f"{_brief(loss)} test") for loss in statistics.losses]
    return Table(
        "AUC at the round that is best on validation: the paper's figures (left) and the recipe run here", header, rows
    )


def _brief(loss: str) -> str:
    return {"l2": "L2", "log-loss": "logl.", PublishedHypersimplex.name: "HS"}.get(loss, loss)


def _recipe_table(statistics: Statistics) -> Table:
    rows = []
    for dataset in statistics.datasets:
        runs = statistics.runs_of((dataset, "lightgbm"), PublishedHypersimplex.name)
        if not runs:
            continue
        script, train = recipe(dataset), runs[0]["data"]["rows"]["train"]
        shares = [share for _, share in runs[0]["active"]]
        rows.append(
            [
                heading(statistics, dataset),
                Cell(f"{train:,}"),
                Cell("/".join(dict.fromkeys(f"{run['k_off']:+d}" if run["k_off"] else "0" for run in runs))),
                Cell(f"{script.scale:g}"),
                Cell(f"{script.step(train):.2g}"),
                Cell(f"{script.step(full_rows(dataset)):.2g}"),
                Cell(f"{runs[0]['rounds']} / {runs[0]['rounds_trained']}"),
                Cell(f"{min(shares):.1%}"),
                Cell(f"{shares[-1]:.1%}"),
            ]
        )
    names = (
        ("data set", "data set"),
        ("training rows", "rows"),
        ("k − positives", "k off"),
        ("gradient ×", "×"),
        ("step here", "step here"),
        ("step, all published rows", "step, all"),
        ("rounds: best / trained", "rounds"),
        ("least share in the band", "least"),
        ("last share", "last"),
    )
    title = "HyperSimplex as published: its step as a learning rate of L2 boosting, and the rows that it still moves"
    return Table(title, [Cell(name, brief=brief) for name, brief in names], rows, labels=1)


def to_json(statistics: Statistics) -> dict[str, Any]:
    """The published figures and the recipe's steps as plain data."""
    found = {}
    for dataset in statistics.datasets:
        script = recipe(dataset)
        train = next(run["data"]["rows"]["train"] for run in statistics.runs if run["dataset"] == dataset)
        found[dataset] = {
            "published": published(dataset),
            "full_rows": full_rows(dataset),
            "params": script.params,
            "gradient_factor": script.scale,
            "step": script.step(train),
            "step_of_all_rows": script.step(full_rows(dataset)),
        }
    return found
