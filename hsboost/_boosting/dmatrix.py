"""Labels and weights of a booster's data set; those of an XGBoost DMatrix are read where they lie."""

from __future__ import annotations

import ctypes
import json
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np

#: The methods of a DMatrix that return a copy of a field; of others it is ``get_float_info``.
READERS = {"label": "get_label", "weight": "get_weight"}

#: Asks for a field of a DMatrix, by its handle, and returns XGBoost's description of the array; None for an error.
Ask: TypeAlias = Callable[[Any, bytes], bytes | None]


def read(dataset: Any, field: str, copy: bool = False) -> Any:
    """A field of a data set, as its own methods return it; a DMatrix lends it without a copy (`lent`)."""
    found = None if copy else lent(dataset, field)
    if found is not None:
        return found
    return getattr(dataset, READERS[field])() if field in READERS else dataset.get_float_info(field)


def is_ours(reader: object) -> bool:
    """Whether the class of an object is this package's, and keeps nothing of what is lent; a user's may."""
    return type(reader).__module__.partition(".")[0] == __name__.partition(".")[0]


def lent(dataset: Any, field: str) -> np.ndarray | None:
    """A DMatrix's own memory of ``field`` as an array; None if it has to be asked for a copy.

    A custom objective reads labels and weights in every round, and the copy costs more than the pass that reads it: at
    few rows for a class that XGBoost builds for each array, at many for new memory. The array is valid while the
    DMatrix keeps the field as it is: read it within the round, and keep nothing of it.
    """
    kind: Any = type(dataset)
    ask = _ask_of(kind, field)
    if ask is None:
        return None
    said = ask(dataset.handle, field.encode())
    if said is None:  # the copy's error says why
        return None
    interface = _interface(said)
    if interface is None:
        return None
    if 0 in interface["shape"]:
        return np.empty(interface["shape"], interface["typestr"])
    return np.asarray(_Lent(dataset, interface))


@lru_cache(maxsize=64)  # the same in every round
def _interface(said: bytes) -> dict[str, Any] | None:
    """NumPy's array interface of XGBoost's description; None for an array on a GPU, where its copy stays, too."""
    found = json.loads(said.decode())
    if "stream" in found:
        return None
    strides = found.get("strides")
    # Not marked read-only: kernels are compiled for one kind of array.
    found |= {"data": (found["data"][0], False), "strides": None if strides is None else tuple(strides)}
    return found | {"shape": tuple(found["shape"])}


class _Lent:
    """What keeps a DMatrix alive as long as an array of its memory."""

    __slots__ = ("__array_interface__", "dataset")

    def __init__(self, dataset: Any, interface: dict[str, Any]) -> None:
        self.dataset = dataset
        self.__array_interface__ = interface


@lru_cache(maxsize=64)
def _ask_of(kind: Any, field: str) -> Ask | None:
    """The C interface's function behind ``get_label`` and ``get_weight``, if nothing else stands between them."""
    xgboost = sys.modules.get("xgboost")
    if xgboost is None or not issubclass(kind, xgboost.DMatrix):
        return None
    usual, names = vars(xgboost.DMatrix), (READERS.get(field, "get_float_info"), "_get_info")
    if any(getattr(kind, name, None) is not usual.get(name) for name in names):
        return None  # a subclass with labels of its own
    try:
        # A second object of the same function: argument types set on XGBoost's own would hold for its calls, too.
        function = xgboost.core._LIB["XGDMatrixGetInfoRef"]
    except (AttributeError, TypeError):  # older versions, or another layout of the package
        return None
    function.argtypes = ctypes.c_void_p, ctypes.c_char_p, ctypes.POINTER(ctypes.c_char_p)
    function.restype = ctypes.c_int

    def ask(handle: Any, name: bytes) -> bytes | None:
        said = ctypes.c_char_p()
        return None if function(handle, name, ctypes.byref(said)) else said.value

    return ask
