"""Flight (benchm-ml): quoted CSV, numbers written like "c-7"; calendar days as groups."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from datasets._csv import Derive
from datasets._layouts import Layout
from datasets._sources import Source
from datasets.loaders import published

LARGEST = {"Month": 12, "DayofMonth": 31, "DayOfWeek": 7}


def derive(layout: Layout, source: Source) -> Derive:
    """Numbers from "c-7" (null for anything else), and the calendar day as MM-DD."""

    def make(texts: dict[str, pa.Array]) -> dict[str, pa.Array]:
        numbers = {name: _number(texts[name], largest) for name, largest in LARGEST.items()}
        month, day = (pc.utf8_lpad(pc.cast(numbers[name], pa.string()), 2, "0") for name in ("Month", "DayofMonth"))
        return numbers | {"calendar_day": pc.binary_join_element_wise(month, day, "-")}

    return make


def _number(texts: pa.Array, largest: int) -> pa.Array:
    fits = pc.fill_null(pc.match_substring_regex(texts, r"^c-[1-9][0-9]?$"), False)
    numbers = pc.cast(pc.if_else(fits, pc.utf8_slice_codeunits(texts, 2), None), pa.int32())
    return pc.if_else(pc.less_equal(numbers, largest), numbers, pa.scalar(None, pa.int32()))


HOOKS = published.Hooks(derive=derive, carve="seed")
