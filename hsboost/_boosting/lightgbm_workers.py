"""Where a loss that couples rows cannot work: LightGBM's workers, whose network carries nothing for Python.

A custom objective of LightGBM sees the rows of its own machine, and neither its Python package nor its C interface
offers a sum over machines. Training would go on without an error, with one threshold for every machine's rows.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from types import FrameType
from typing import Any

from hsboost._boosting.caller import frames

#: LightGBM's names for the number of machines and for their list.
_NUMBER = ("num_machines", "num_machine")
_LIST = ("machines", "workers", "nodes")
#: How far up the stack LightGBM's own calls can be from here.
_NEAR = 12


def refuse_lightgbm_workers(dataset: Any = None, what: str = "this objective") -> None:
    """Raise if LightGBM is training here as one machine of several.

    Parameters
    ----------
    dataset : lightgbm.Dataset, optional
        The data set that LightGBM handed over, where it did: its parameters name the machines. Besides, the calls that
        led here are looked through for LightGBM's booster and for the task of ``lightgbm.dask``.
    what : str
        Who says so.

    Raises
    ------
    RuntimeError
        With the ways out. LightGBM on one machine, inside a Dask task too, passes.
    """
    if "lightgbm" not in sys.modules:
        return
    several = _name_several(getattr(dataset, "params", None))
    booster = None
    for frame in frames(_NEAR):
        if booster is None and frame.f_globals.get("__name__") == "lightgbm.basic":
            booster = frame.f_locals.get("self")
        several = several or _is_one_of_several(frame)
    if several:
        with suppress(Exception):
            # LightGBM leaves its network open when training fails, and the next training in this process would wait
            # for machines that have gone.
            booster.free_network()  # type: ignore[union-attr]
        raise RuntimeError(
            f"LightGBM trains on several machines and shows {what} the rows of this one only, without a way to add "
            "up over all, which it needs; train with xgboost.dask (or hsboost.dask.DaskHSClassifier), where all "
            "workers share one threshold, with LightGBM on one machine, or with one of LightGBM's own losses"
        )


def _is_one_of_several(frame: FrameType) -> bool:
    """Whether a call on the stack is LightGBM's training on several machines."""
    module = frame.f_globals.get("__name__")
    if module == "lightgbm.dask" and frame.f_code.co_name == "_train_part":
        return int(frame.f_locals.get("num_machines", 0)) > 1
    booster = frame.f_locals.get("self") if module == "lightgbm.basic" else None
    params = getattr(booster, "params", None)
    # Booster.set_network leaves no trace in the parameters; its default is one machine, which nobody would call it for.
    return _name_several(params) or bool(getattr(booster, "_network", False) and not _listed(params))


def _name_several(params: Any) -> bool:
    """Whether LightGBM's parameters list several machines; without a list it opens no network."""
    listed = _listed(params)
    given = [params[name] for name in _NUMBER if params.get(name) is not None] if listed else []
    return int(given[0]) > 1 if given else listed > 1


def _listed(params: Any) -> int:
    """How many machines LightGBM's parameters list."""
    found = next((params[name] for name in _LIST if params.get(name)), ()) if params else ()
    return len([one for one in found.split(",") if one.strip()] if isinstance(found, str) else found)
