"""The device for a round of boosting. Boosters do not pass it to a custom objective, so it is read from the caller."""

from __future__ import annotations

import json
import re
from typing import Any

from hsboost._boosting.caller import Caller
from hsboost.cuda._device import missing, simulated

#: Fewer rows than this stay on the host unless a device is requested: launches would take longer than the work.
LEAST_ROWS = 131_072


def device_of(booster: Any) -> int | None:
    """Number of the GPU that an ``xgboost.Booster`` trains on, None for a processor (or if it is unknown)."""
    try:
        name = json.loads(booster.save_config())["learner"]["generic_param"]["device"]
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    found = re.fullmatch(r"(?:cuda|gpu)(?::(\d+))?", str(name))
    return None if found is None else int(found[1] or 0)


def chosen(device: str, n: int, grouped: bool, found: Caller | None) -> int | None:
    """Number of the GPU for a round of n rows, None for the host's path.

    ``"auto"`` never fails: a round that the GPU path does not support stays on the host. ``"cuda"`` never falls back:
    a ValueError names the obstacle.
    """
    if device == "cpu":
        return None
    if device == "auto":
        if n < LEAST_ROWS or grouped or found is None or found.library != "xgboost" or missing() is not None:
            return None
        return device_of(found.booster)
    if found is not None and found.library == "lightgbm":
        raise ValueError(
            f"device={device!r} works with XGBoost only: LightGBM takes gradients in host memory, also when it trains "
            "on a GPU, and copies them itself; use device='auto'"
        )
    if grouped:
        raise ValueError(f"device={device!r} does not know groups yet; use device='auto', which is right with both")
    reason = missing()
    if reason is not None:
        raise ValueError(f"device={device!r} cannot be had: {reason}, or use device='auto'")
    _, _, number = device.partition(":")
    if found is None or simulated():
        return int(number or 0)
    trained_on = device_of(found.booster)
    if trained_on is None:
        raise ValueError(
            f"device={device!r}, but the booster does not train on a GPU; set device='cuda' among its parameters too, "
            "or use device='auto'"
        )
    if number and int(number) != trained_on:
        raise ValueError(
            f"device={device!r}, but the booster trains on GPU {trained_on}; name the same one, or use device='auto'"
        )
    return trained_on
