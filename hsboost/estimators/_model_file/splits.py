"""What a booster's model compares rows with: split values, categories, linear terms. Check rows are made from it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

_LARGE = 1e300


@dataclass
class Splits:
    """The places at which a model's scores change.

    Attributes
    ----------
    n_features, n_outputs : int
        Columns of X, raw scores of a row.
    n_rounds : int
        Boosting rounds that the model holds.
    numeric, categorical : dict of feature to list of arrays
        Values it is compared with; codes of categories that go one way.
    linear : set of int
        Features that are multiplied with a coefficient.
    scale : float
        The greatest raw score that the leaves allow, in absolute value: the unit of rounding errors.
    """

    n_features: int
    n_outputs: int
    n_rounds: int = 0
    numeric: dict[int, list[np.ndarray]] = field(default_factory=dict)
    categorical: dict[int, list[np.ndarray]] = field(default_factory=dict)
    linear: set[int] = field(default_factory=set)
    scale: float = 0.0

    def add(self, features: np.ndarray, values: np.ndarray) -> None:
        """Comparisons of features with values, arrays of one length.

        Any number stands for an infinite value, which parts the missing from all numbers, and a large one for a value
        that parts the infinite from them.
        """
        values = np.clip(np.where(np.isinf(values), 0.0, values), -_LARGE, _LARGE)
        for feature in np.unique(features).tolist():
            self.numeric.setdefault(feature, []).append(values[features == feature])


def check_tree(children: np.ndarray, size: int, where: str) -> None:
    """Nodes 0 … size-1 are one tree with root 0: every other node is a child once, and the root leads to all.

    ``children`` has the children of each node in its row, -1 for none.
    """
    inner = children[children[:, 0] >= 0]
    times = np.bincount(inner.ravel(), minlength=size)
    if times.size > size:
        raise ValueError(f"{where} names a child that is no node of the tree")
    if times[0] != 0:
        raise ValueError(f"{where} names the root as a child")
    if (times[1:] != 1).any():
        raise ValueError(f"{where} has a node that is not the child of exactly one other")
    level, reached = np.zeros(1, dtype=np.int64), 0
    while level.size:  # ends: each node is a child once, and the root never
        reached += level.size
        below = children[level]
        level = below[below[:, 0] >= 0].ravel()
    if reached != size:
        raise ValueError(f"{where} has nodes in a circle, which the root does not lead to")
