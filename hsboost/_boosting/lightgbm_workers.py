"""Refuse losses that couple rows on LightGBM's workers, whose network is not accessible from Python.

A custom objective of LightGBM sees the rows of its own machine only, and neither its Python package nor its C interface
offers a sum over machines. Training would continue without an error, with a different threshold on every machine.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from types import FrameType
from typing import Any

from hsboost._stack import frames

#: LightGBM's names for the number of machines and for their list.
_NUMBER = ("num_machines", "num_machine")
_LIST = ("machines", "workers", "nodes")
#: Greatest distance on the call stack to LightGBM's own frames.
_NEAR = 12


def refuse_lightgbm_workers(dataset: Any = None, what: str = "this objective") -> None:
    """Raise if LightGBM is training here as one machine of several.

    Parameters
    ----------
    dataset : lightgbm.Dataset, optional
        The data set that LightGBM passed, if any: its parameters name the machines. The call stack is also searched
        for LightGBM's booster and for the task of ``lightgbm.dask``.
    what : str
        Subject of the error message.

    Raises
    ------
    RuntimeError
        With the alternatives. LightGBM on one machine is accepted, inside a Dask task as well.
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
            # LightGBM leaves its network open when training fails; the next training in this process would wait for
            # machines that are gone.
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
    # Booster.set_network does not change the parameters; its default of one machine is of no use, so assume several.
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
