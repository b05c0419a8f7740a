"""The forms in which evaluation sets, their weights and their names may be passed to ``fit``."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import _num_samples

from hsboost import _validation as check
from hsboost.estimators._evaluation.deciding import deciding


def one_form(eval_set: Any, eval_X: Any, eval_y: Any) -> tuple[Any, str]:
    """Evaluation sets as pairs, and what they are called in errors, whichever of the two forms they came in.

    ``eval_X`` and ``eval_y`` are one set, or tuples (or lists of matrices) of as many entries: LightGBM's form from
    4.7 on.

    Raises
    ------
    ValueError
        For both forms at once, for one of the two without the other, for different numbers of sets.
    """
    if eval_X is None and eval_y is None:
        return eval_set, "eval_set"
    if eval_set is not None:
        raise ValueError("eval_set and eval_X, eval_y are one argument in two forms; give one of them")
    if eval_X is None or eval_y is None:
        there, missing = ("eval_X", "eval_y") if eval_y is None else ("eval_y", "eval_X")
        raise ValueError(f"{there} goes with {missing}, which is None; pass both, or eval_set=(X, y)")
    if not (isinstance(eval_X, list | tuple) and len(eval_X) and all(map(_is_matrix, eval_X))):
        return [(eval_X, eval_y)], "(eval_X, eval_y)"
    if not isinstance(eval_y, list | tuple) or len(eval_y) != len(eval_X):
        raise ValueError(
            f"eval_y must have the labels of each of the {len(eval_X)} sets of eval_X, got {_described(eval_y)}; pass "
            "a tuple with one entry for each"
        )
    return list(zip(eval_X, eval_y, strict=True)), "(eval_X, eval_y)"


def evaluation_sets(eval_set: Any, eval_groups: Any, called: str = "eval_set") -> list[tuple[Any, Any]]:
    """eval_set as a list of pairs.

    A tuple of two may be one pair whose X is a tuple or list of rows, or two pairs. It is two pairs only where both
    of its entries hold a matrix first: the first entry of rows is a row, whose own entries are numbers. A list of two
    is never one pair.
    """
    if eval_set is None:
        sets = []
    elif isinstance(eval_set, list | tuple) and all(_is_pair(one) for one in eval_set):
        sets = [tuple(pair) for pair in eval_set]
    elif isinstance(eval_set, tuple) and len(eval_set) == 2 and not _is_pair(eval_set[0]):
        sets = [eval_set]
    elif isinstance(eval_set, list | tuple) and all(isinstance(one, tuple) and len(one) == 2 for one in eval_set):
        sets = list(eval_set)
    else:
        raise ValueError(
            f"eval_set must be a pair (X, y) or a list of such pairs, got {_described(eval_set)}; pass [(X, y)]"
        )
    for i, (X, _) in enumerate(sets):
        if X is None or isinstance(X, str | bytes) or np.isscalar(X):
            raise ValueError(f"{set_name(i, len(sets), called)}'s X is {X!r}; pass rows with the columns of X")
    if eval_groups is not None and len(sets) != 1:
        raise ValueError(f"eval_groups goes with one eval_set, got {len(sets)}; pass a single pair (X, y)")
    if eval_groups is not None:
        check.check_same_length(np.empty(len(eval_groups)), "eval_groups", _num_samples(sets[0][0]), f"{called}'s X")
    return sets


def set_name(i: int, n_sets: int, called: str = "eval_set") -> str:
    """What evaluation set ``i`` is called in errors: by its place where there are several; see :func:`one_form`."""
    return called if n_sets == 1 else f"{called}[{i}]"


def sample_weights(n_sets: int, eval_sample_weight: Any, sample_weight_eval_set: Any) -> tuple[str, list[Any]]:
    """The weights of each set, by either booster's name, and that name."""
    if eval_sample_weight is not None and sample_weight_eval_set is not None:
        raise ValueError("eval_sample_weight and sample_weight_eval_set are one argument; give one of them")
    if eval_sample_weight is None and sample_weight_eval_set is not None:
        return "sample_weight_eval_set", _entries(sample_weight_eval_set, "sample_weight_eval_set", n_sets, _is_column)
    return "eval_sample_weight", _entries(eval_sample_weight, "eval_sample_weight", n_sets, _is_column)


def class_weights(n_sets: int, eval_class_weight: Any) -> list[Any]:
    """The class weights of each set."""
    return _entries(eval_class_weight, "eval_class_weight", n_sets, lambda value: isinstance(value, str | Mapping))


def names(value: Any, is_training: list[bool]) -> list[str] | None:
    """LightGBM's ``eval_names``: a text of its own for each set, or None.

    LightGBM leaves out names that are too many, joins sets of one name, and calls the training rows "training": its
    early stopping passes over a set of that name.
    """
    if value is None:
        return None
    ordered = isinstance(value, list | tuple | np.ndarray | pd.Index | pd.Series) and np.ndim(value) == 1
    given = [value] if isinstance(value, str) else list(value) if ordered else None
    if given is None or not all(isinstance(one, str) for one in given):
        raise TypeError(f"eval_names must be a list of texts, one for each evaluation set, got {value!r}; pass a list")
    if not given:
        return None
    if not is_training:
        raise ValueError(f"eval_names={given!r} goes with eval_set, and there is none; pass eval_set=, or leave it out")
    if len(given) != len(is_training):
        raise ValueError(
            f"eval_names must have one name for each evaluation set: expected {len(is_training)}, got {given!r}"
        )
    if len(set(given)) < len(given):
        raise ValueError(f"eval_names={given!r} gives one name to several sets; call each by a name of its own")
    place = deciding(is_training)
    if place is not None and given[place] == "training":
        raise ValueError(
            f"eval_names={given!r} calls the set that decides when to stop 'training', LightGBM's name for the "
            "training rows, on which it never stops; give it another name"
        )
    return [str(one) for one in given]


def _is_pair(value: Any) -> bool:
    """Two entries, of which the first is a matrix."""
    return isinstance(value, list | tuple) and len(value) == 2 and _is_matrix(value[0])


def _is_matrix(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return bool(value) and (isinstance(value[0], list | tuple) or np.ndim(value[0]) == 1)
    shape = getattr(value, "shape", None)
    return hasattr(value, "__array__") if shape is None else len(shape) == 2


def _described(value: Any) -> str:
    """The kinds of what is in a container."""
    if not isinstance(value, list | tuple):
        return f"a {type(value).__name__}"
    inside = [
        f"{type(one).__name__} of {len(one)}" if isinstance(one, list | tuple) else type(one).__name__
        for one in value[:4]
    ]
    return f"a {type(value).__name__} of {len(value)} ({', '.join(inside)}{', …' if len(value) > 4 else ''})"


def _entries(value: Any, name: str, n_sets: int, is_entry: Any) -> list[Any]:
    """One entry for each set; for a single set the entry itself will do."""
    if value is None:
        return [None] * n_sets
    if n_sets == 0:
        raise ValueError(f"{name} goes with eval_set, and there is none; pass eval_set=, or leave {name} out")
    if n_sets == 1 and is_entry(value):
        return [value]
    if isinstance(value, np.ndarray) and value.ndim == 2:
        value = list(value)
    if not isinstance(value, list | tuple) or is_entry(value):
        raise ValueError(
            f"{name} must be a list with one entry (or None) for each of the {n_sets} evaluation sets, "
            f"got {type(value).__name__}"
        )
    if len(value) != n_sets:
        raise ValueError(
            f"{name} must have one entry (or None) for each evaluation set: expected {n_sets}, got {len(value)}"
        )
    return list(value)


def _is_column(value: Any) -> bool:
    """One weight per row, rather than a list of such columns."""
    if isinstance(value, list | tuple):
        return bool(value) and all(isinstance(one, Real | np.bool_) for one in value)
    return not isinstance(value, Mapping | str) and getattr(value, "ndim", 1) == 1
