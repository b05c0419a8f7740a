"""A data set's labels and weights on a device: checked and copied once, reused while they stay the same."""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import prange

from hsboost import _validation as check
from hsboost._kernels._compile import BLOCK, Kernel
from hsboost._validation import FloatArray
from hsboost.cuda._device import Device
from hsboost.losses._problems import Rows, label_totals


def _differences(a: Any, b: Any, out: Any) -> None:
    """out[b] = entries that differ (NaN from everything) in block b."""
    n = a.size
    for k in prange(out.size):
        count = 0
        for i in range(k * BLOCK, min(n, (k + 1) * BLOCK)):
            count += 1 if a[i] != b[i] else 0
        out[k] = count


_count_differences = Kernel(_differences)


def _same(a: np.ndarray | None, b: np.ndarray | None) -> bool:
    """Whether two arrays hold the same numbers; threaded, because every round compares them."""
    if a is None or b is None:
        return a is b
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    out = np.empty((a.size + BLOCK - 1) // BLOCK, np.int64)
    _count_differences(a.size, a, b, out)
    return not out.any()


@dataclass
class DeviceRows:
    """The arrays that stay on the device between rounds: labels (class ids), weights, and a buffer for the scores.

    ``totals`` and ``positives`` are Σ w and Σ w [y = c] of the host's arrays, c = 1 alone for a single output.
    """

    device: Device
    labels: np.ndarray
    weights: np.ndarray | None
    y: Any
    w: Any | None
    targets: list[float]
    total: float
    positives: list[float]
    scores: Any = None

    def holds(self, device: Device, labels: np.ndarray, weights: np.ndarray | None, outputs: int) -> bool:
        """Whether these are the rows with the given labels and weights."""
        if self.device is not device or len(self.targets) != outputs:
            return False
        return _same(self.labels, labels) and _same(self.weights, weights)


def moved(device: Device, x: FloatArray, labels: np.ndarray, weights: FloatArray | None, outputs: int) -> DeviceRows:
    """Check labels (0 and 1, or the classes 0 … C-1) and weights as the host's path does, and copy them."""
    if outputs == 1:
        rows, totals, positive = Rows.of(x, labels, weights, None).counted()
        total, targets, positives = float(totals[0]), [1.0], [float(positive[0, 0])]
        check.check_total_weight(total)
        y = rows.y[0]
    else:
        classes = check.check_classes(labels, x.shape[0], outputs)
        y = classes.astype(np.float32)
        total, _, _, wrong = label_totals(np.zeros_like(y), weights)
        if wrong and weights is not None:
            raise check.bad_weights(weights)
        check.check_total_weight(total)
        targets = [float(c) for c in range(outputs)]
        positives = np.bincount(classes, weights, minlength=outputs).tolist()
    return DeviceRows(
        device,
        # Copies, so that a later change of the caller's arrays is detected.
        np.array(labels),
        None if weights is None else np.array(weights),
        device.upload(y),
        None if weights is None else device.upload(weights),
        targets,
        total,
        positives,
    )


class RowsByDataset:
    """`DeviceRows` of each ``DMatrix``, released with it. Removed while in use: two threads never share buffers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: weakref.WeakKeyDictionary[Any, DeviceRows] = weakref.WeakKeyDictionary()

    def take(self, dataset: Any) -> DeviceRows | None:
        """The rows of a data set, or None if there are none or they are in use."""
        with self._lock:
            return None if dataset is None else self._rows.pop(dataset, None)

    def put(self, dataset: Any, rows: DeviceRows) -> None:
        """Keep them for the next round."""
        if dataset is not None:
            with self._lock:
                self._rows[dataset] = rows
