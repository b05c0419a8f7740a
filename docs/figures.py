"""Draw the figures of the documentation from the package itself: ``python docs/figures.py``."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from hsboost import HypersimplexLoss, project_hypersimplex

INK, POSITIVE, NEGATIVE, BAND = "#1f2933", "#d1495b", "#30638e", "#f4e3b2"


def how_it_works(path: Path) -> None:
    """Scores, their projection with threshold and active band, and the resulting gradient."""
    rng = np.random.default_rng(4)
    y = np.repeat([1, 0], [16, 34])
    x = np.where(y == 1, rng.normal(0.9, 0.8, y.size), rng.normal(-0.5, 0.8, y.size))
    k = int(y.sum())
    p = project_hypersimplex(x, k)
    gradient = HypersimplexLoss().gradient(y, x)
    low, high = p.multiplier, p.multiplier + 1.0

    figure, (top, bottom) = plt.subplots(2, 1, figsize=(8.2, 5.2), sharex=True, height_ratios=[1.5, 1])
    grid = np.linspace(x.min() - 0.3, x.max() + 0.3, 500)
    for axes in (top, bottom):
        axes.axvspan(low, high, color=BAND, zorder=0)
        axes.axvline(p.soft_threshold, color=INK, lw=1, ls=":")
        axes.spines[["top", "right"]].set_visible(False)
    top.plot(grid, np.clip(grid - p.multiplier, 0, 1), color=INK, lw=1.5)
    for label, color, name in ((1, POSITIVE, "positive"), (0, NEGATIVE, "negative")):
        rows = y == label
        top.scatter(x[rows], p.values[rows], color=color, s=28, zorder=3, label=f"{name} ({rows.sum()})")
        bottom.vlines(x[rows], 0, -gradient[rows], color=color, lw=2)
        bottom.scatter(x[rows], -gradient[rows], color=color, s=14, zorder=3)
    top.set_ylabel("soft assignment ŷ")
    top.set_title(f"ŷ = clip(score − ν, 0, 1): one threshold ν makes Σ ŷ = k = {k}", loc="left", fontsize=11)
    top.legend(frameon=False, loc="upper left")
    top.annotate(
        "active band: only these\nrows have a gradient",
        (high, 0.35),
        (high + 0.35, 0.25),
        fontsize=9,
        arrowprops={"arrowstyle": "->", "color": INK},
    )
    bottom.axhline(0, color=INK, lw=0.8)
    bottom.set_ylabel("push on the score\n(−gradient)")
    bottom.set_xlabel("raw score")
    figure.tight_layout()
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


if __name__ == "__main__":
    folder = Path(__file__).parent / "img"
    folder.mkdir(exist_ok=True)
    how_it_works(folder / "how_it_works.png")
