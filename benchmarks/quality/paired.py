"""Runs by cell and seed: pairs of two losses' figures, on their common seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any, TypeVar

from benchmarks.suite.store import Record

Figure = TypeVar("Figure")


class Cells:
    """Finished runs by cell (the entries of a record named by ``axes``, the loss among them) and seed."""

    def __init__(self, records: Iterable[Record], axes: tuple[str, ...]) -> None:
        cell_of = itemgetter(*axes)
        self._cells: dict[tuple[Any, ...], dict[int, Record]] = {}
        for record in sorted(records, key=itemgetter("seed")):
            self._cells.setdefault(cell_of(record), {})[record["seed"]] = record

    def runs(self, *cell: Any) -> dict[int, Record]:
        """Return a cell's runs by seed; empty if there are none."""
        return self._cells.get(cell, {})

    def pairs(
        self, ours: tuple[Any, ...], theirs: tuple[Any, ...], figure: Callable[[Record], Figure | None]
    ) -> list[tuple[Figure, Figure]]:
        """Pair a figure of two cells, seed by seed; runs without the figure (None) are omitted."""
        found, base = self.runs(*ours), self.runs(*theirs)
        both = [(figure(found[seed]), figure(base[seed])) for seed in found if seed in base]
        return [(own, other) for own, other in both if own is not None and other is not None]
