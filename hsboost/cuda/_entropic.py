"""The entropic projection of rows on a GPU: the reducer of `hsboost._solver.entropic` for one problem, and its search.

The search takes three to five passes, one or two from the last round's multiplier, and each brings eight sums to the
host.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hsboost._kernels import entropic_search as search
from hsboost._kernels import guess
from hsboost._solver import entropic
from hsboost._solver.search import RUN, Multiplier, sample_runs, scale_of
from hsboost.cuda import _entropic_kernels as kernels
from hsboost.cuda._device import Device, grid
from hsboost.cuda._kernels import survey


class EntropicReducer:
    """Scores ``x`` (and weights) on a device, as CuPy arrays; implements `hsboost._solver.entropic.Reducer`."""

    def __init__(self, device: Device, x: Any, w: Any | None) -> None:
        self.device, self.n = device, int(x.size)
        self._arrays = x, w
        self._x = device.view(x)
        self._w = self._x if w is None else device.view(w)
        #: Passes over all rows so far.
        self.passes = 0

    def sums(self, anchor: np.ndarray, scale: float, nu: np.ndarray, asked: np.ndarray) -> np.ndarray:
        """See `hsboost._solver.entropic.Reducer`."""
        launch = grid(self.device, self.n, kernels.KINDS)
        out = self.device.empty((kernels.KINDS, launch[0]), np.float64)
        place = float(anchor[0]), scale, float(nu[0])
        kernels.sums[launch](self._x, self._w, self._arrays[1] is not None, *place, self.device.view(out))
        self.passes += 1
        found = self.device.download(out).sum(axis=1)
        if found[-1]:
            raise FloatingPointError
        return found[None, :-1]

    def edges(self, anchor: np.ndarray, scale: float, nu: np.ndarray) -> np.ndarray:
        """See `hsboost._solver.entropic.Reducer`."""
        launch = grid(self.device, self.n)
        out = self.device.empty((6, launch[0]), np.float64)
        place = float(anchor[0]), scale, float(nu[0])
        survey[launch](
            self._x, self._w, self._arrays[1] is not None, *place, 0.0,
            self.device.view(out[:4]), self.device.view(out[4:]),
        )  # fmt: skip
        self.passes += 1
        partial = self.device.download(out)
        if partial[5].any():
            raise FloatingPointError
        return partial[[0, 1, 3, 2]].max(axis=1)[None]

    def guess(self, scale: float, share: float) -> tuple[float, float]:
        """(anchor, nu) of a sample, ``share`` the part of the weight that is k."""
        x, w = self._arrays
        if self.n < 2 * RUN:
            return float(self.device.download(x[:1])[0]), 0.0
        at = self.device.upload(guess.places(self.n, sample_runs(self.n), RUN))
        some, some_w = self.device.download(x[at]), None if w is None else self.device.download(w[at])
        anchor, nu = search.guess(some, some_w, scale, share)
        return float(anchor), float(nu)


def find(
    device: Device,
    x: Any,
    w: Any | None,
    k: float,
    total: float,
    temperature: float,
    start: Multiplier | None = None,
) -> tuple[Multiplier, int]:
    """The multiplier of scores on the device, and the number of passes over all rows.

    Same as `hsboost._solver.entropic.multiplier_of`, which is also the fallback (in host memory) for scores too far
    apart for the search. Raises FloatingPointError on NaN or inf.
    """
    rows, scale = EntropicReducer(device, x, w), scale_of(temperature)
    try:
        anchor, nu = rows.guess(scale, k / total) if start is None else (start.anchor, start.nu)
        first = np.array([anchor]), np.array([nu])
        return entropic.find(rows, np.array([k]), np.array([total]), scale, first).at(0), rows.passes
    except OverflowError:
        host_w = None if w is None else device.download(w)
        return entropic.multiplier_of(device.download(x), host_w, k, total, temperature), rows.passes
