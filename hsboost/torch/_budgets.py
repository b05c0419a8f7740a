"""The rules for k that turn a batch's indicators into one budget per column."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor

from hsboost._validation.budgets import MOST

RULES = ("count", "half", "running")


def check_budget(k: Any) -> str | float | tuple[float, ...]:
    """A rule's name, a count (int), a share (float in (0, 1)), or one count or share per column.

    Counts stay ints. Raises a ValueError that lists the accepted forms.
    """
    if isinstance(k, str):
        if k not in RULES:
            raise ValueError(f"k must be {', '.join(map(repr, RULES))}, a number or one number per class; got {k!r}")
        return k
    if isinstance(k, Tensor):
        k = k.tolist()
    if isinstance(k, Sequence) or (hasattr(k, "__len__") and hasattr(k, "__iter__")):
        values = tuple(_number(value) for value in k)
        if not values:
            raise ValueError("k is empty; pass one number per class")
        return values
    return _number(k)


def _number(k: Any) -> float:
    if isinstance(k, Integral) and not isinstance(k, bool) and int(k) >= 0:
        return int(k)
    if isinstance(k, Real) and not isinstance(k, Integral) and 0.0 < float(k) < 1.0 and math.isfinite(float(k)):
        return float(k)
    raise ValueError(f"k as a number is a count (int, at least 0) or a share of the batch (float in (0, 1)); got {k!r}")


def masses(k: str | float | tuple[float, ...], positive: Tensor, total: Tensor) -> Tensor:
    """One budget per column, and group: ``positive`` (C, …) is Σ w y of each, ``total`` (…) is Σ w; float64.

    A count above Σ w takes all rows.
    """
    whole = total.expand(positive.shape)
    if k == "count":
        return positive
    if k == "half":
        return (0.5 * whole).floor()
    columns = len(positive)
    values = k if isinstance(k, tuple) else (k,) * columns
    if len(values) != columns:
        raise ValueError(f"k has {len(values)} numbers for {columns} columns of input; pass one per class")
    # Strings are settled above.
    pairs = zip(values, whole, strict=True)
    return torch.stack(
        [w.clamp(max=float(min(value, MOST))) if isinstance(value, int) else float(value) * w for value, w in pairs]
    )
