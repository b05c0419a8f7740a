"""Three million flights of 2001, for tests of scale: a Parquet file with the time, the delay and the airports."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from datasets._csv import Derive
from datasets._layouts import Layout
from datasets._sources import Source
from datasets.loaders import published

LATE_MINUTES = 15


def derive(layout: Layout, source: Source) -> Derive:
    """The label, and the calendar parts of the time."""

    def make(columns: dict[str, pa.Array]) -> dict[str, pa.Array]:
        time = columns["date"]
        parts = {
            "month": pc.month,
            "day_of_month": pc.day,
            "weekday": pc.day_of_week,
            "hour": pc.hour,
            "minute": pc.minute,
        }
        made = {name: pc.cast(part(time), pa.int32()) for name, part in parts.items()}
        made["late"] = pc.cast(pc.greater_equal(columns["delay"], LATE_MINUTES), pa.int8())
        made["day"] = pc.strftime(pc.cast(time, pa.timestamp("s"), safe=False), "%Y-%m-%d")
        return made

    return make


HOOKS = published.Hooks(derive=derive)
