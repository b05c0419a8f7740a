"""Values as JSON can hold them, and back: numbers, texts, arrays, mappings with any such keys, NaN and infinity."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np


def encode(value: Any, name: str) -> Any:
    """``value`` in terms of JSON; TypeError, naming ``name``, for what has no such form."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": repr(value)}
    if isinstance(value, np.ndarray):
        return {"array": [encode(one, name) for one in value.tolist()], "dtype": value.dtype.str}
    if isinstance(value, list | tuple):
        return {"list" if isinstance(value, list) else "tuple": [encode(one, name) for one in value]}
    if isinstance(value, Mapping):
        return {"mapping": [[encode(key, name), encode(one, name)] for key, one in value.items()]}
    raise TypeError(
        f"{name} holds {value!r} ({type(value).__name__}), which a JSON file cannot hold; "
        "use texts and numbers, or save with pickle or joblib"
    )


def decode(value: Any) -> Any:
    """What :func:`encode` was given."""
    if not isinstance(value, dict):
        return value
    if "float" in value:
        return float(value["float"])
    if "array" in value:
        return np.array(_nested(value["array"]), dtype=np.dtype(value["dtype"]))
    if "list" in value:
        return [decode(one) for one in value["list"]]
    if "tuple" in value:
        return tuple(decode(one) for one in value["tuple"])
    return {decode(key): decode(one) for key, one in value["mapping"]}


def _nested(values: list[Any]) -> list[Any]:
    return [decode(one) for one in values]
