"""Values as JSON can hold them, and back: numbers, texts, arrays, mappings with any such keys, NaN and infinity.

Whoever reads a file checks what lies in it: the second half has the checks, one clear ValueError each.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

#: The greatest finite float32.
FLOAT32 = float(np.finfo(np.float32).max)


def encode(value: Any, name: str) -> Any:
    """``value`` in terms of JSON; TypeError, naming ``name``, for what has no such form."""
    if isinstance(value, np.datetime64 | np.timedelta64 | datetime.date | datetime.timedelta):
        return _encode_time(value)
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
        return np.array(_nested(value["array"]), dtype=_dtype(value["dtype"]))
    if "time" in value:
        return _decode_time(*value["time"])
    if "list" in value:
        return [decode(one) for one in value["list"]]
    if "tuple" in value:
        return tuple(decode(one) for one in value["tuple"])
    return {decode(key): decode(one) for key, one in value["mapping"]}


def _encode_time(value: Any) -> dict[str, Any]:
    """Dates, times and spans of time by their kind, their unit's number, and the name of the time zone."""
    if type(value) is datetime.date:
        return {"time": ["date", value.isoformat(), None]}
    span = isinstance(value, np.timedelta64 | datetime.timedelta)
    # Labels of groups are pandas' own, whatever they were given as.
    stamp: Any = pd.Timedelta(value) if span else pd.Timestamp(value)
    zone = None if span or stamp.tz is None else str(stamp.tz)
    if zone is not None and pd.Timestamp(stamp.asm8, tz="UTC").tz_convert(_zone(zone)) != stamp:
        raise TypeError(f"the time zone of {value!r} has no name that a file can hold; use UTC or texts")
    return {"time": ["span" if span else "moment", [int(stamp.asm8.astype(np.int64)), stamp.unit], zone]}


def _decode_time(kind: Any, value: Any, zone: Any) -> Any:
    if kind == "date":
        return datetime.date.fromisoformat(value)
    number, unit = value
    entry(unit, ("s", "ms", "us", "ns"), "the unit of a time")
    whole(number, "a time", -(2**63) + 1, 2**63 - 1)
    if entry(kind, ("span", "moment"), "the kind of a time") == "span":
        return pd.Timedelta(np.timedelta64(number, unit))
    stamp = pd.Timestamp(np.datetime64(number, unit))
    return stamp if zone is None else stamp.tz_localize("UTC").tz_convert(_zone(zone))


def _zone(name: Any) -> str:
    """The name of a time zone, as names of time zones look."""
    if not isinstance(name, str) or not re.fullmatch(
        r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}|UTC[+-]\d\d:\d\d", name
    ):
        raise ValueError(f"a time zone is called {_short(name)}")
    return name


def _nested(values: list[Any]) -> list[Any]:
    return [decode(one) for one in values]


def _dtype(text: Any) -> np.dtype[Any]:
    """Numbers, truth values, texts and objects: the types of arrays that ``encode`` meets."""
    if not isinstance(text, str) or text[1:2] not in set("biufUO") or text[0] not in "<>|=":
        raise ValueError(f"an array's dtype is {text!r}")
    return np.dtype(text)


# Checks of what was read


def part(mapping: Any, name: str, where: str) -> Any:
    """``mapping[name]``."""
    if not isinstance(mapping, dict):
        raise ValueError(f"{where} is no mapping")
    if name not in mapping:
        raise ValueError(f"{where} lacks {name!r}")
    return mapping[name]


def entry(value: Any, choices: Iterable[Any], where: str) -> Any:
    """One of ``choices``, of the same type."""
    if not any(type(value) is type(one) and value == one for one in choices):
        raise ValueError(f"{where} is {_short(value)}")
    return value


def whole(value: Any, where: str, least: int, most: int) -> int:
    """A whole number between ``least`` and ``most``, as an int or as the text of one."""
    if isinstance(value, str) and value.isascii() and value.removeprefix("-").isdigit() and len(value) < 20:
        value = int(value)
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{where} must be a whole number from {least} to {most}, is {_short(value)}")
    return value


def real(value: Any, where: str) -> float:
    """A finite number."""
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError(f"{where} must be a finite number, is {_short(value)}")
    return float(value)


def wholes(value: Any, where: str, size: int | None = None, least: int = 0, most: int = 2**31 - 1) -> np.ndarray:
    """A list of ``size`` whole numbers in range, as int64."""
    _check_list(value, where, size, {int})
    if value and not least <= min(value) <= max(value) <= most:
        raise ValueError(f"{where} must lie from {least} to {most}")
    return np.array(value, dtype=np.int64)


def reals(value: Any, where: str, size: int | None = None, most: float = FLOAT32) -> np.ndarray:
    """A list of ``size`` finite numbers of absolute value at most ``most``, as float64."""
    _check_list(value, where, size, {int, float})
    found = np.array(value, dtype=np.float64)
    if not (np.abs(found) <= most).all():  # NaN is not
        raise ValueError(f"{where} must hold finite numbers")
    return found


def texts(value: Any, where: str, sizes: tuple[int, ...]) -> list[str]:
    """A list of texts, of one of these sizes."""
    _check_list(value, where, None, {str})
    if len(value) not in sizes:
        raise ValueError(f"{where} has {len(value)} entries, not {' or '.join(map(str, sizes))}")
    return value


def _check_list(value: Any, where: str, size: int | None, types: set[type]) -> None:
    if not isinstance(value, list):
        raise ValueError(f"{where} is no list")
    if size is not None and len(value) != size:
        raise ValueError(f"{where} has {len(value)} entries, not {size}")
    if not set(map(type, value)) <= types:
        raise ValueError(f"{where} holds something that is no {' or '.join(sorted(t.__name__ for t in types))}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 60 else text[:57] + "..."
