"""Avazu: the x1 files with integer ids and their split, or Kaggle's raw columns with the hour as YYMMDDHH."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from datasets._csv import Derive
from datasets._layouts import Layout
from datasets._sources import Source
from datasets.loaders import published


def derive(layout: Layout, source: Source) -> Derive | None:
    """Hour of the day, weekday (0 is Monday) and day of the raw files; null if ``hour`` is not a valid time."""

    def make(texts: dict[str, pa.Array]) -> dict[str, pa.Array]:
        fits = pc.fill_null(
            pc.match_substring_regex(texts["hour"], r"^\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])([01]\d|2[0-3])$"), False
        )
        time = pc.strptime(pc.if_else(fits, texts["hour"], None), "%y%m%d%H", "s", error_is_null=True)
        return {
            "hour_of_day": pc.cast(pc.hour(time), pa.int32()),
            "weekday": pc.cast(pc.day_of_week(time), pa.int32()),
            "day": pc.strftime(time, "%Y-%m-%d"),
        }

    return make if layout.name == "raw" else None


HOOKS = published.Hooks(derive=derive)
