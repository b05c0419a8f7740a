"""Assign cases to ten specialists, each with a fixed capacity: several classes with a budget each.

Problem: scanned digits go to ten specialists, one per digit, and each can take a fixed number. An image may go to two
specialists or to none; each pile should hold as many images of the right digit as possible. Class budgets set the
sizes of the piles; each class is projected onto its own budget.

Data: scikit-learn's digits (1,797 images of 8 x 8 pixels), one seeded split. Compared with LightGBM's own multiclass
log loss, which ranks the pile of a class by the probability of that class.

    python examples/multiclass.py [--plot digits.png]

Needs: hsboost with the extra plot.
"""

from __future__ import annotations

import argparse

import matplotlib
import numpy as np
from lightgbm import LGBMClassifier
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from hsboost import HSClassifier
from hsboost.plotting import PrecisionAtKDisplay

SHOWN = (1, 3, 8, 9)  # digits that are mistaken for others


def trees() -> LGBMClassifier:
    """The same trees for both losses."""
    return LGBMClassifier(n_estimators=40, learning_rate=0.15, num_leaves=15, random_state=0, n_jobs=1, verbose=-1)


def main(plot: str | None = None) -> dict[str, float]:
    """Train, print accuracy and what the piles hold, and return the figures."""
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)
    digits = np.unique(y)
    capacity = {int(digit): 80 for digit in digits}  # of about 90 images of each digit in the test set

    model = HSClassifier(trees()).fit(X_train, y_train)  # k=None: each class as often as in the training rows
    scores = model.decision_function(X_test)
    assert scores.shape == (len(y_test), len(digits))
    piles = model.predict_top_k(X_test, k=capacity)
    assert piles.sum(axis=0).tolist() == [capacity[int(digit)] for digit in model.classes_]

    log_loss = trees().fit(X_train, y_train)
    shares = log_loss.predict_proba(X_test)
    others = np.zeros_like(piles)
    for column, digit in enumerate(log_loss.classes_):
        others[np.argsort(-shares[:, column], kind="stable")[: capacity[int(digit)]], column] = True

    right = y_test[:, None] == digits[None, :]
    total = sum(capacity.values())
    figures = {
        "accuracy": float((model.predict(X_test) == y_test).mean()),
        "accuracy of log loss": float((log_loss.predict(X_test) == y_test).mean()),
        "right in the piles": float((piles & right).sum() / total),
        "right in the piles of log loss": float((others & right).sum() / total),
    }
    sizes = f"{len(y_test)} images, {len(digits)} piles of {capacity[0]}"
    print(f"{sizes}; one split, so differences under 1 % mean little")
    for name, value in figures.items():
        print(f"  {name:<32}{100 * value:6.1f} %")
    twice, none = int((piles.sum(axis=1) > 1).sum()), int((~piles.any(axis=1)).sum())
    print(f"  {twice} images lie on two piles or more, {none} on none")
    wrong = {int(digit): int((piles & ~right)[:, column].sum()) for column, digit in enumerate(digits)}
    print(f"  wrong ones by pile: {wrong}")

    if plot:
        matplotlib.use("Agg")
        import matplotlib.pyplot as plt

        figure, grid = plt.subplots(2, 2, figsize=(12, 7.6), layout="constrained")
        for axes, digit in zip(grid.flat, SHOWN, strict=True):
            for name, one in (("HyperSimplex", model), ("log loss", log_loss)):
                PrecisionAtKDisplay.from_estimator(
                    one, X_test, y_test, pos_label=digit, metric="precision", log=True, name=name, ax=axes
                )
            axes.set_title(f"The pile of digit {digit}", loc="left", fontsize=11)
        figure.savefig(plot, dpi=110)
        plt.close(figure)
        print(f"wrote {plot}")
    return figures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Fill a pile of fixed size for every class.")
    parser.add_argument("--plot", metavar="PATH", help="also save a picture")
    main(parser.parse_args().plot)
