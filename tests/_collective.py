"""Threads in the place of XGBoost's workers: every call waits for all of them, as the real ones do."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from hsboost._workers.communicator import Workers

#: Seconds after which a worker that waits for another says so: a test must not hang.
PATIENCE = 60.0


class Room:
    """Where the threads meet."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.barrier = threading.Barrier(size, timeout=PATIENCE)
        self.desk: list[Any] = [None] * size

    def exchange(self, rank: int, thing: Any) -> list[Any]:
        """What everyone brought."""
        self.desk[rank] = thing
        self.barrier.wait()
        found = list(self.desk)
        self.barrier.wait()
        return found


class FakeCollective:
    """`xgboost.collective`, as one of the threads sees it."""

    def __init__(self, room: Room, rank: int) -> None:
        self.room, self.rank = room, rank
        self.calls: list[str] = []

    def get_rank(self) -> int:
        return self.rank

    def get_world_size(self) -> int:
        return self.room.size

    def allreduce(self, data: np.ndarray, op: int) -> np.ndarray:
        self.calls.append(f"allreduce {data.size}")
        parts = self.room.exchange(self.rank, (data.copy(), op))
        assert len({(part.size, part_op) for part, part_op in parts}) == 1, "workers ask for different things"
        return (np.maximum, np.minimum, np.add)[op].reduce([part for part, _ in parts])

    def broadcast(self, data: Any, root: int) -> Any:
        self.calls.append(f"broadcast {root}")
        parts = self.room.exchange(self.rank, (data, root))
        assert len({part_root for _, part_root in parts}) == 1, "workers wait for different ones"
        return copy.deepcopy(parts[root][0])


def on_workers(size: int, work: Callable[[Workers], Any]) -> list[Any]:
    """What ``work`` returns on each of so many workers, an exception where it raised one.

    All of them must have made the same calls.
    """
    room = Room(size)
    ends = [FakeCollective(room, rank) for rank in range(size)]

    def run(end: FakeCollective) -> Any:
        try:
            return work(Workers(end))
        except Exception as error:
            return error

    with ThreadPoolExecutor(size) as pool:
        found = list(pool.map(run, ends))
    assert all(end.calls == ends[0].calls for end in ends)
    return found
