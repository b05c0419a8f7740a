"""The argument types of the CUDA kernels: some tests compile them, others see that launches have no others."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from hsboost.cuda import _entropic_kernels, _kernels

MODULES = (_kernels, _entropic_kernels)

#: Arguments by kernel: X the dtype of scores, W of weights, v a float64; the rest are names of `TYPES`.
ARGUMENTS = {
    "_kernels.sums": "X W bool counts bool v v v sums",
    "_kernels.window": "X W bool counts bool v v v v X W counts int sums",
    "_kernels.collect": "X counts ends X",
    "_kernels.survey": "X W bool v v v v sums sums",
    "_kernels.residuals": "X labels W bool v v v v sums",
    "_kernels.gradient": "X labels W bool v v v v v v v v v v out out",
    "_kernels.values": "X v v v v X",
    "_entropic_kernels.sums": "X W bool v v v sums",
    "_entropic_kernels.residuals": "X labels W bool v v v v v sums",
    "_entropic_kernels.gradient": "X labels W bool v v v v v v v v v v out out",
    "_entropic_kernels.convex_gradient": "X labels W bool v v v v v v v v v out out",
    "_entropic_kernels.windowed_gradient": "X labels W bool v v v v v v v out out",
    "_entropic_kernels.values": "X v v v X",
}
TYPES = {
    "v": "float64",
    "bool": "bool",
    "int": "int64",
    "counts": "int32[1]",
    "ends": "int64[1]",
    "labels": "float32[1]",
    "out": "float32[1]",
    "sums": "float64[2]",
}

Form = tuple[str, ...]


def forms(name: str) -> list[Form]:
    """Every list of argument types of a kernel; without weights the scores take their place."""
    words = ARGUMENTS[name].split()
    floats = ("float32[1]", "float64[1]")
    found = (tuple((TYPES | {"X": x, "W": w})[word] for word in words) for x, w in product(floats, floats))
    return list(dict.fromkeys(found))


def type_of(argument: Any) -> str:
    """The type of an argument of a launch, as in `TYPES`."""
    for kind, name in ((bool, "bool"), (int, "int64"), (float, "float64")):
        if isinstance(argument, kind):
            return name
    return f"{np.dtype(argument.dtype).name}[{argument.ndim}]"
