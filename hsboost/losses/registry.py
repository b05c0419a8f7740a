"""Losses by name: one word to swap in ``HSClassifier(loss="…")`` and ``benchmarks tabular --losses …``."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from hsboost.losses._base import Loss
from hsboost.losses.budget_log_loss import BudgetLogLoss
from hsboost.losses.exact import ExactLoss
from hsboost.losses.focal import FocalLoss
from hsboost.losses.hypersimplex import HypersimplexLoss
from hsboost.losses.hypersimplex_fy import HypersimplexFYLoss
from hsboost.losses.hypersimplex_smooth import HypersimplexSmoothFYLoss, HypersimplexSmoothLoss
from hsboost.losses.margins import HingeLoss, SquaredHingeLoss, SquaredLoss
from hsboost.losses.sampled import SampledSoftmaxLoss
from hsboost.losses.simplex import EntmaxLoss, SoftmaxLoss, SparsemaxLoss, entmax15

#: Name to class (or function that makes the loss); ``log-loss`` and ``softmax`` are one loss under two names.
LOSSES: Mapping[str, Callable[..., Loss]] = MappingProxyType(
    {
        "hypersimplex": HypersimplexLoss,
        "hypersimplex-fy": HypersimplexFYLoss,
        "hypersimplex-smooth": HypersimplexSmoothLoss,
        "hypersimplex-smooth-fy": HypersimplexSmoothFYLoss,
        "budget-log-loss": BudgetLogLoss,
        "exact": ExactLoss,
        "log-loss": SoftmaxLoss,
        "softmax": SoftmaxLoss,
        "sparsemax": SparsemaxLoss,
        "entmax15": entmax15,
        "entmax": EntmaxLoss,
        "squared": SquaredLoss,
        "hinge": HingeLoss,
        "squared-hinge": SquaredHingeLoss,
        "focal": FocalLoss,
        "sampled-softmax": SampledSoftmaxLoss,
    }
)


def get_loss(name: str, **parameters: Any) -> Loss:
    """Make a loss from its name.

    Parameters
    ----------
    name : str
        A key of :data:`LOSSES`.
    **parameters
        As the loss's constructor takes them.

    Returns
    -------
    Loss

    Raises
    ------
    ValueError
        For an unknown name, a parameter that the loss does not have, or a value out of range.

    Examples
    --------
    >>> from hsboost.losses import get_loss
    >>> get_loss("sparsemax")
    SparsemaxLoss(curvature=None, hessian_floor=1e-16)
    """
    if not isinstance(name, str) or name not in LOSSES:
        raise unknown(name, LOSSES)
    make = LOSSES[name]
    known = list(inspect.signature(make).parameters)
    for parameter in parameters:
        if parameter not in known:
            raise ValueError(f"loss {name!r} has no parameter {parameter!r}{_hint(parameter, known)}")
    return make(**parameters)


def unknown(name: Any, known: Iterable[str]) -> ValueError:
    """The error for what is none of the ``known`` names."""
    return ValueError(f"loss must be the name of a loss; got {name!r}{_hint(name, known)}")


def _hint(word: Any, known: Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(word.lower().replace("_", "-"), known, 1) if isinstance(word, str) else []
    close = close or (difflib.get_close_matches(word, known, 1) if isinstance(word, str) else [])
    meant = f"; did you mean {close[0]!r}?" if close else "."
    return f"{meant} Known: {', '.join(known) or 'none'}"
