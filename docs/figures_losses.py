"""Draw the losses against the margin from the package itself: ``python docs/figures_losses.py``."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from hsboost.losses import HypersimplexFYLoss, HypersimplexLoss, Loss, get_loss

INK, GRID = "#1f2933", "#dddddd"
#: Name, label, colour, line.
CURVES = (
    ("log-loss", "log loss (softmax)", "#555555", "-"),
    ("entmax15", "entmax, α = 1.5", "#CC79A7", "-"),
    ("sparsemax", "sparsemax", "#009E73", "-"),
    ("squared", "squared", "#E69F00", "--"),
    ("hinge", "hinge", "#8A6D00", ":"),
    ("squared-hinge", "squared hinge", "#8A6D00", "--"),
    ("focal", "focal, γ = 2", "#56B4E9", "-"),
    ("exact", "EXACT, 1 − P", "#D55E00", "-"),
    ("exact-log", "EXACT, −log P", "#D55E00", "--"),
)
#: The hypersimplex losses of one row among many others that fix the threshold at 0.
COUPLED = (
    (HypersimplexLoss, "HyperSimplex", "#0072B2", "-"),
    (HypersimplexFYLoss, "HyperSimplex, Fenchel-Young", "#0072B2", "--"),
)


def by_margin(loss: Loss, margins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Loss and gradient of one positive row with each margin."""
    values = np.array([loss.loss([1], [margin]) for margin in margins])
    return values, loss.gradient(np.ones(margins.size), margins)


def beside_others(kind: type[HypersimplexLoss], margins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same for a loss of all rows: 2000 rows, evenly spread over the active band, share the row's mistakes."""
    others = np.linspace(-0.5, 0.5, 2000)
    y = np.concatenate([[1], (others > 0).astype(int)])
    loss = kind(k=int(y.sum()))
    scores = [np.concatenate([[margin], others]) for margin in margins]
    values = np.array([loss.loss(y, x) for x in scores])
    gradient = np.array([loss.gradient(y, x)[0] for x in scores])
    return values - values.min(), gradient


def draw(path: Path) -> None:
    """Loss above, gradient below, against the margin of a positive row."""
    margins = np.linspace(-3.0, 3.0, 301)
    figure, panels = plt.subplots(2, 2, figsize=(11.0, 7.4), sharex=True)
    curves = [
        (label, color, line, *by_margin(_loss(name), margins), column)
        for name, label, color, line in CURVES
        for column in [1 if name.startswith(("exact", "focal", "log-loss")) else 0]
    ]
    curves += [(label, color, line, *beside_others(kind, margins), 1) for kind, label, color, line in COUPLED]
    for label, color, line, values, gradient, column in curves:
        panels[0, column].plot(margins, values, color=color, ls=line, lw=1.7, label=label)
        panels[1, column].plot(margins, gradient, color=color, ls=line, lw=1.7)
    for axes in panels.ravel():
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color=GRID, lw=0.6)
        axes.axvline(0.0, color=INK, lw=0.8, ls=":")
        axes.set_axisbelow(True)
    titles = ("Margins and sparse probabilities", "Probabilities, accuracy, top k")
    for axes, title in zip(panels[0], titles, strict=True):
        axes.set_ylim(-0.1, 4.0)
        axes.legend(frameon=False, fontsize=9)
        axes.set_title(title, loc="left", fontsize=11)
    for axes, label in zip(panels[1], ("", "; HyperSimplex: above the cut"), strict=True):
        axes.set_ylim(-3.0, 1.1)
        axes.set_xlabel(f"margin: score of a positive row{label}")
    panels[0, 0].set_ylabel("loss of the row")
    panels[1, 0].set_ylabel("gradient")
    figure.tight_layout()
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


def _loss(name: str) -> Loss:
    return get_loss("exact", log=True) if name == "exact-log" else get_loss(name)


if __name__ == "__main__":
    folder = Path(__file__).parent / "img"
    folder.mkdir(exist_ok=True)
    draw(folder / "losses.png")
