"""Memory of a round's results that the next round of the same rows writes into again."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

#: Entries from which on new memory costs more than to look after what is there: the system clears it page by page.
LEAST = 1 << 18


class _Holder:
    """What an array and all views of it keep alive, so that its end is theirs."""

    __slots__ = ("__weakref__", "memory")

    def __init__(self, memory: np.ndarray) -> None:
        self.memory = memory

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return self.memory.__array_interface__


class Recycled:
    """float32 memory that is lent as an array, and lent again once neither that array nor a view of it is left.

    Boosters copy what an objective returns and let go of it, so that a round finds the memory of the last one free;
    whoever keeps a round's results keeps their memory.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._memory = np.empty(shape, np.float32)
        self._lent: weakref.ref[_Holder] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the array."""
        return self._memory.shape

    def lend(self) -> np.ndarray | None:
        """The array, with whatever is in it; None while it is in use."""
        if self._lent is not None and self._lent() is not None:
            return None
        holder = _Holder(self._memory)
        self._lent = weakref.ref(holder)
        return np.asarray(holder)

    def __reduce__(self) -> tuple[Any, ...]:
        return Recycled, (self.shape,)
