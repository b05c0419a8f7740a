"""The paper's table next to our run of the same recipe, and the recipe's effect on the projection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.quality.tabular.losses import EVERY_LOSS
from benchmarks.quality.tabular.notes import heading
from benchmarks.quality.tabular.published import PublishedHypersimplex, recipe
from benchmarks.quality.tabular.statistics import Statistics
from benchmarks.suite.store import Record
from benchmarks.suite.tables import Cell, Column, Table, table_of

#: Our loss for each of the paper's columns: the loss that its scripts train.
COLUMNS = {"l2": "cross_entropy", PublishedHypersimplex.name: "hypersimplex"}
#: A loss's name in these tables, and in brief.
NAMES = {
    "l2": ("L2 (“cross entropy” as published)", "L2"),
    "log-loss": ("log loss", "logl."),
    PublishedHypersimplex.name: ("HyperSimplex (as published)", "HS"),
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


def _table(statistics: Statistics) -> Table:
    def here(dataset: str) -> Cell:
        data = statistics.data(dataset)
        rows = f"{sum(data['rows'].values()):,}"
        differs = "; other features or rows than the paper's" if data.get("differs") else ""
        return Cell(f"{rows} of {full_rows(dataset):,} rows{differs}", brief=rows)

    def theirs(column: str) -> Callable[[str], str]:
        return lambda dataset: f"{published(dataset)[column]:.3f}"

    def ours(loss: str, key: str) -> Callable[[str], Cell | None]:
        def show(dataset: str) -> Cell | None:
            found = statistics.estimate((dataset, "lightgbm"), loss, key)
            if found is None:
                return None
            mean = f"{found.mean:.3f}"
            return Cell(mean if found.std is None else f"{mean} ±{found.std:.3f}", brief=mean)

        return show

    columns: list[Column[str]] = [
        Column("data set", lambda dataset: dataset),
        Column("here", here, "rows here"),
        Column("paper: “Cross Entropy”", theirs("cross_entropy"), "paper CE"),
        Column("paper: HyperSimplex", theirs("hypersimplex"), "paper HS"),
    ]
    for key, split, short in (("valid_auc", "validation", "val."), ("auc", "test", "test")):
        for loss in statistics.losses:
            name, brief = NAMES.get(loss, (EVERY_LOSS[loss].label, loss))
            columns.append(Column(f"{name}, {split}", ours(loss, key), f"{brief} {short}"))
    title = "AUC at the round that is best on validation: the paper's figures (left) and the recipe run here"
    return table_of(title, columns, statistics.datasets)


def _recipe_table(statistics: Statistics) -> Table:
    found = {dataset: statistics.runs_of((dataset, "lightgbm"), PublishedHypersimplex.name)
             for dataset in statistics.datasets}  # fmt: skip

    def off(run: Record) -> str:
        return f"{run['k_off']:+d}" if run["k_off"] else "0"

    def train(dataset: str) -> int:
        return int(found[dataset][0]["data"]["rows"]["train"])

    def shares(dataset: str) -> list[float]:
        return [share for _, share in found[dataset][0]["active"]]

    columns: list[Column[str]] = [
        Column("data set", lambda d: heading(statistics, d), "data set"),
        Column("training rows", lambda d: f"{train(d):,}", "rows"),
        Column("k − positives", lambda d: "/".join(dict.fromkeys(map(off, found[d]))), "k off"),
        Column("gradient ×", lambda d: f"{recipe(d).scale:g}", "×"),
        Column("step here", lambda d: f"{recipe(d).step(train(d)):.2g}", "step here"),
        Column("step, all published rows", lambda d: f"{recipe(d).step(full_rows(d)):.2g}", "step, all"),
        Column("rounds: best / trained", lambda d: "{rounds} / {rounds_trained}".format(**found[d][0]), "rounds"),
        Column("least share in the band", lambda d: f"{min(shares(d)):.1%}", "least"),
        Column("last share", lambda d: f"{shares(d)[-1]:.1%}", "last"),
    ]
    title = "HyperSimplex as published: its step as a learning rate of L2 boosting, and the rows that it still moves"
    return table_of(title, columns, [dataset for dataset, runs in found.items() if runs], labels=1)


def to_json(statistics: Statistics) -> dict[str, Any]:
    """The published figures and the recipe's steps as plain data."""
    found = {}
    for dataset in statistics.datasets:
        script = recipe(dataset)
        found[dataset] = {
            "published": published(dataset),
            "full_rows": full_rows(dataset),
            "params": script.params,
            "gradient_factor": script.scale,
            "step": script.step(statistics.data(dataset)["rows"]["train"]),
            "step_of_all_rows": script.step(full_rows(dataset)),
        }
    return found
