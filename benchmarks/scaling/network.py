"""The network of the prediction: what one all-reduce of XGBoost costs on it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Network:
    """The machines of the prediction: ``latency_us`` of one message, ``gbits`` per second, ``cores_each``."""

    latency_us: float = 50.0
    gbits: float = 10.0
    cores_each: int = 16

    def seconds(self, calls: float, call_bytes: float, workers: int) -> float:
        """Time on the wire of so many ring all-reduces, one after another."""
        steps = ring_steps(workers)
        return calls * (steps * self.latency_us * 1e-6 + steps / workers * call_bytes * 8 / (self.gbits * 1e9))


def ring_steps(workers: int) -> int:
    """Messages that a worker sends, one after another, in one all-reduce."""
    return 2 * (workers - 1)
