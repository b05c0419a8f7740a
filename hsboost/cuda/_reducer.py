"""The reducer of `hsboost._solver.search` for rows on a GPU.

On a GPU a pass over ten million rows takes about as long as the transfer of its result to the host, so this reducer
saves round trips. The first pass already keeps the rows that are undecided in a window about the requested nu. If the
root lies in the window, as it does after a guess from a sample or in late training, no other pass over all rows is
needed. Once few rows are undecided they are copied to the host, where the last steps run.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from hsboost._kernels import guess, search
from hsboost._kernels.multiplier import block_sums
from hsboost._solver.search import (
    MOST_PASSES,
    RUN,
    Multiplier,
    Sums,
    find_multiplier,
    guess_from,
    multiplier_of,
    sample_runs,
    scale_of,
)
from hsboost.cuda import _kernels as kernels
from hsboost.cuda._device import Device, grid

#: Half the width of the window about a nu, in units of the temperature: a few times the error of a guess.
REACH = 1.0 / 32.0

#: A thread's capacity for kept rows: this many, or this share of its rows if that is more.
CAPACITY, CAPACITY_SHARE = 16, 8

#: Most undecided rows that are copied to the host: there a pass over them takes less than a launch.
MOST_ON_HOST = 32_768


class Kept(NamedTuple):
    """Rows that depend on nu in [lo, hi] at an anchor, on the device or on the host, and the sums of all others.

    ``known`` holds at nu = 0; each unit of nu lowers its mass by its active weight.
    """

    anchor: float
    lo: float
    hi: float
    known: Sums
    host: tuple[np.ndarray, np.ndarray | None] | None

    def covers(self, anchor: float, lo: float, hi: float) -> bool:
        """Whether the sums at every nu in [lo, hi] follow from these rows."""
        return anchor == self.anchor and self.lo <= lo and hi <= self.hi

    def with_rest(self, ones: float, active: float, mass: float, nu: float) -> Sums:
        """Sums over all rows at nu, given those over the rows kept."""
        known = self.known
        return Sums(known.ones + ones, known.active + active, known.mass - nu * known.active + mass)


class DeviceReducer:
    """Scores ``x`` (and weights) on a device, as CuPy arrays; implements `hsboost._solver.search.Reducer`."""

    def __init__(self, device: Device, x: Any, w: Any | None, scale: float, total: float) -> None:
        self.device, self.scale, self.total = device, scale, total
        self.n, self.anchor = int(x.size), 0.0
        self._arrays = x, w
        self._x = device.view(x)
        self._w = self._x if w is None else device.view(w)
        self._weighted = w is not None
        self._grid = grid(device, self.n)
        self._none = device.view(device.empty(1, np.int32))
        self._store: tuple[Any, ...] | None = None
        self._kept: Kept | None = None
        self._crowded = False
        self._surveyed: tuple[tuple[float, float], np.ndarray, np.ndarray] | None = None
        #: Passes over all rows so far: what a search costs on a large array.
        self.passes = 0

    def guess(self, k: float) -> tuple[float, float, float | None]:
        x, w = self._arrays
        if self.n < 2 * RUN:
            return float(self.device.download(x[:1])[0]), -0.5, None
        at = self.device.upload(guess.places(self.n, sample_runs(self.n), RUN))
        some, some_w = self.device.download(x[at]), None if w is None else self.device.download(w[at])
        return guess_from(some, some_w, self.scale, k / self.total)

    def sums(self, nu: float) -> Sums:
        if not (self._kept and self._kept.covers(self.anchor, nu, nu)) and not self._crowded:
            found = self._look(nu - REACH, nu + REACH, nu)
            if found is not None:
                return found
            self._crowded = True  # many rows share their scores: keeping them saves nothing
        kept = self._kept
        if kept is None or not kept.covers(self.anchor, nu, nu):
            return Sums(*self._sums_of_all(nu))
        if kept.host is not None:
            ones, active, mass, _ = block_sums(*kept.host, self.anchor, self.scale, nu)
            return kept.with_rest(ones, active, mass, nu)
        ones, active, mass, _ = self._sums_of_kept(nu, self._partials(4)).sum(axis=1)
        return kept.with_rest(float(ones), float(active), float(mass), nu)

    def narrow(self, lo: float, hi: float) -> bool:
        if not lo < hi < lo + 1.0:
            return False
        if not (self._kept and self._kept.covers(self.anchor, lo, hi)):
            middle = 0.5 * lo + 0.5 * hi
            left, right = min(lo, middle - REACH), max(hi, middle + REACH)
            if not right < left + 1.0 or self._look(left, right, middle) is None:
                return False
        assert self._kept is not None
        if self._kept.host is None:
            self._look_again(lo, hi)
        return True

    def widen(self) -> None:
        """Do nothing: the kept rows are used only for a nu that they cover."""

    def bounds(self) -> tuple[float, float]:
        most, _ = self._survey(0.0)
        return float(-most[2]), float(most[3])

    def nearest(self, nu: float) -> float:
        below, above = self.gap(nu)
        distances = [abs((edge - self.anchor) * self.scale - nu - 0.5) for edge in (below, above)]
        return below if distances[0] <= distances[1] else above

    def interior(self, nu: float) -> float:
        if self._kept is not None and self._kept.known.active > 0.0 and self._kept.covers(self.anchor, nu, nu):
            return self._kept.known.active
        return float(self._survey(nu)[1][0])

    def gap(self, nu: float) -> tuple[float, float]:
        most, _ = self._survey(nu)
        return float(most[0]), float(-most[1])

    def _partials(self, kinds: int) -> Any:
        return self.device.empty((kinds, self._grid[0]), np.float64)

    def _sums_of_all(self, nu: float) -> tuple[float, float, float]:
        out = self._partials(4)
        kernels.sums[self._grid](
            self._x, self._w, self._weighted, self._none, False, self.anchor, self.scale, nu,
            self.device.view(out),
        )  # fmt: skip
        self.passes += 1
        ones, active, mass, bad = self.device.download(out).sum(axis=1).tolist()
        if bad:
            raise FloatingPointError
        return ones, active, mass

    def _sums_of_kept(self, nu: float, out: Any) -> np.ndarray:
        """Write partial sums over the rows kept on the device to the last four rows of ``out``; returns all of it."""
        _, keep_x, keep_w, counts, _ = self._storage()
        kernels.sums[self._grid](
            keep_x, keep_w, self._weighted, counts, True, self.anchor, self.scale, nu,
            self.device.view(out[-4:]),
        )  # fmt: skip
        return self.device.download(out)

    def _storage(self) -> tuple[Any, ...]:
        """Arrays for the kept rows: (capacity per thread, scores, weights, counts; the arrays behind the views)."""
        if self._store is None:
            threads = self._grid[0] * self._grid[1]
            rows = -(-self.n // threads)
            capacity = min(rows, max(CAPACITY, rows // CAPACITY_SHARE))
            x, w = self._arrays
            keep_x = self.device.empty(capacity * threads, x.dtype)
            keep_w = keep_x if w is None else self.device.empty(capacity * threads, w.dtype)
            counts = self.device.empty(threads, np.int32)
            self._store = capacity, *map(self.device.view, (keep_x, keep_w, counts)), (keep_x, keep_w, counts)
        return self._store

    def _look(self, lo: float, hi: float, nu: float) -> Sums | None:
        """One pass over all rows that keeps those undecided in [lo, hi]; the sums at nu, None beyond the capacity."""
        capacity, keep_x, keep_w, counts, _ = self._storage()
        out = self._partials(10)
        kernels.window[self._grid](
            self._x, self._w, self._weighted, self._none, False, self.anchor, self.scale, lo, hi,
            keep_x, keep_w, counts, capacity, self.device.view(out[:6]),
        )  # fmt: skip
        self.passes += 1
        partial = self._sums_of_kept(nu, out)
        ones, active, mass, bad, _, homeless, *rest = partial.sum(axis=1).tolist()
        self._kept = None
        if bad:
            raise FloatingPointError
        if homeless:
            return None
        self._kept = Kept(self.anchor, lo, hi, Sums(ones, active, mass), None)
        return self._kept.with_rest(rest[0], rest[1], rest[2], nu)

    def _look_again(self, lo: float, hi: float) -> None:
        """Narrow the kept rows to [lo, hi] in place, and copy them to the host if they are few."""
        assert self._kept is not None
        capacity, keep_x, keep_w, counts, arrays = self._storage()
        out = self._partials(6)
        kernels.window[self._grid](
            keep_x, keep_w, self._weighted, counts, True, self.anchor, self.scale, lo, hi,
            keep_x, keep_w, counts, capacity, self.device.view(out),
        )  # fmt: skip
        ones, active, mass, _, held, _ = self.device.download(out).sum(axis=1).tolist()
        known = self._kept.known
        known = Sums(known.ones + ones, known.active + active, known.mass + mass)
        host = None
        if held <= MOST_ON_HOST:
            ends = self.device.view(self.device.running_sum(arrays[2]))
            host_x = self._collected(arrays[0], keep_x, counts, ends, int(held))
            host_w = self._collected(arrays[1], keep_w, counts, ends, int(held)) if self._weighted else None
            host = host_x, host_w
        self._kept = Kept(self.anchor, lo, hi, known, host)

    def _collected(self, keep: Any, view: Any, counts: Any, ends: Any, held: int) -> np.ndarray:
        if held == 0:
            return np.empty(0, keep.dtype)
        out = self.device.empty(held, keep.dtype)
        kernels.collect[self._grid](view, counts, ends, self.device.view(out))
        return self.device.download(out)

    def _survey(self, nu: float) -> tuple[np.ndarray, np.ndarray]:
        """Extremes and interior weight at nu, cached because the search asks for them one after the other."""
        if self._surveyed is None or self._surveyed[0] != (self.anchor, nu):
            out = self._partials(6)
            kernels.survey[self._grid](
                self._x, self._w, self._weighted, self.anchor, self.scale, nu, search.MARGIN,
                self.device.view(out[:4]), self.device.view(out[4:]),
            )  # fmt: skip
            self.passes += 1
            partial = self.device.download(out)
            most, found = partial[:4].max(axis=1), partial[4:].sum(axis=1)
            if found[1]:
                raise FloatingPointError
            self._surveyed = (self.anchor, nu), most, found
        return self._surveyed[1:]


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

    Same as `hsboost._solver.search.multiplier_of`, which is also the fallback (in host memory) for scores too far apart
    for the search. Raises FloatingPointError on NaN or inf.
    """
    rows = DeviceReducer(device, x, w, scale_of(temperature), total)
    first = None if start is None else (start.anchor, start.nu)
    try:
        return find_multiplier(rows, k, total, first, patience=MOST_PASSES), rows.passes
    except OverflowError:
        host_w = None if w is None else device.download(w)
        return multiplier_of(device.download(x), host_w, k, total, temperature, first), rows.passes
