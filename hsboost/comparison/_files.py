"""A table from a CSV or Parquet file: label, groups, time, weights, and the rest as features that boosters read."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

#: File names that pandas reads as delimited text, with or without compression.
TEXT = (".csv", ".tsv", ".txt")
COMPRESSED = (".gz", ".bz2", ".xz", ".zip", ".zst")
PARQUET = (".parquet", ".pq")


@dataclass
class Table:
    """Features and what goes with each row; ``notes`` say what was left out and why."""

    X: pd.DataFrame
    y: np.ndarray
    groups: pd.Series | None
    time: pd.Series | None
    weight: pd.Series | None
    notes: list[str] = field(default_factory=list)


def read(path: str | os.PathLike[str], sep: str | None = None) -> pd.DataFrame:
    """All columns of a file.

    Raises
    ------
    ValueError
        For a file that is missing, empty, of another kind or not readable.
    """
    place = Path(path)
    if place.is_dir():
        raise ValueError(f"{place} is a folder; name a CSV or Parquet file")
    if not place.exists():
        raise ValueError(f"{place} does not exist; name a CSV or Parquet file")
    suffixes = [one.lower() for one in place.suffixes]
    kind = suffixes[-2] if len(suffixes) > 1 and suffixes[-1] in COMPRESSED else suffixes[-1] if suffixes else ""
    if kind not in (*TEXT, *PARQUET):
        raise ValueError(f"{place} ends in {kind or 'nothing'!r}; name a file that ends in .csv, .tsv or .parquet")
    if kind in PARQUET and sep is not None:
        raise ValueError(f"--sep={sep!r} is for text files, and {place} is Parquet; leave it out")
    try:
        if kind in PARQUET:
            table = pd.read_parquet(place)
        else:
            table = pd.read_csv(place, sep=sep or ("\t" if kind == ".tsv" else ","), low_memory=False)
    except ImportError as error:
        raise ValueError(f"{place}: reading it needs another package: pip install pyarrow ({error})") from error
    except (OSError, ValueError) as error:  # pandas' and Arrow's errors are ValueErrors
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(f"{place} cannot be read as {'Parquet' if kind in PARQUET else 'text'}: {first}") from error
    if len(table) == 0:
        raise ValueError(f"{place} has no rows; is it the right file?")
    if table.shape[1] < 2 and kind in TEXT:
        raise ValueError(f"{place} has the one column {table.columns[0]!r}; is another separator meant? --sep ';'")
    return table


def prepare(
    table: pd.DataFrame,
    *,
    label: str,
    positive: str | None = None,
    above: float | None = None,
    groups: str | None = None,
    time: str | None = None,
    weight: str | None = None,
    drop: Sequence[str] = (),
    keep_groups: bool = False,
) -> Table:
    """The columns by their parts; rows without a label are left out, and so are columns that no tree can use.

    ``positive`` is the label's value that counts, against all others; ``above`` makes greater numbers positive.

    Raises
    ------
    ValueError
        For a column that is not there, or is wanted in two parts, and for labels that do not say who is positive.
    """
    named = {"label": label, "groups": groups, "time": time, "weight": weight}
    for part, column in [*named.items(), *(("drop", one) for one in drop)]:
        if column is not None and column not in table.columns:
            close = difflib.get_close_matches(column, map(str, table.columns), 1)
            meant = f"; did you mean {close[0]!r}?" if close else f"; columns: {', '.join(map(str, table.columns))}"
            raise ValueError(f"--{part} {column}: there is no such column{meant}")
    for part in ("groups", "time", "weight"):
        if named[part] == label:
            raise ValueError(f"--{part} {label}: this column is the label; name another")
        if named[part] is not None and named[part] in drop:
            raise ValueError(f"--{part} {named[part]}: this column is dropped, too; name it once")
    if label in drop:
        raise ValueError(f"--label {label}: this column is dropped, too; name it once")
    notes = []
    unlabelled = int(table[label].isna().sum())
    if unlabelled:
        table = table[table[label].notna()].reset_index(drop=True)
        notes.append(f"{unlabelled:,} rows without a label in {label!r} are left out")
        if len(table) == 0:
            raise ValueError(f"--label {label}: no row has a label")
    y = _labels(table[label], positive, above)
    for part in ("groups", "time"):
        column = named[part]
        if column is not None and table[column].isna().any():
            missing = table[column].isna()
            raise ValueError(
                f"--{part} {column}: {int(missing.sum()):,} rows have none (first: row {int(np.argmax(missing))}); "
                "fill them in, or drop these rows"
            )
    aside = {label, time, weight, *drop} | (set() if keep_groups else {groups})
    X = _features(table[[column for column in table.columns if column not in aside]], notes)
    part_of = {part: None if column is None else table[column] for part, column in named.items()}
    return Table(X, y, part_of["groups"], part_of["time"], part_of["weight"], notes)


def _labels(column: pd.Series, positive: str | None, above: float | None) -> np.ndarray:
    """1 for positive rows."""
    name = column.name
    numeric = pd.api.types.is_numeric_dtype(column)
    if above is not None:
        if positive is not None:
            raise ValueError("--positive and --above both say which rows are positive; give one of them")
        if not numeric or pd.api.types.is_bool_dtype(column):
            raise ValueError(f"--above {above:g} needs numbers, and {name!r} holds {column.iloc[0]!r}; use --positive")
        found = (column > above).to_numpy(dtype=bool)
        if found.all() or not found.any():
            raise ValueError(
                f"--above {above:g}: {'all' if found.any() else 'no'} rows are above; {name!r} runs from "
                f"{column.min():g} to {column.max():g}"
            )
        return found.astype(np.int8)
    values = column.unique().tolist()
    if positive is not None:
        wanted: Any = positive
        texts = column.astype(str)
        found = (texts == wanted).to_numpy(dtype=bool)
        if not found.any() and numeric:
            number = _number(positive)
            found = (column == number).to_numpy(dtype=bool) if number is not None else found
        if not found.any() or found.all():
            raise ValueError(
                f"--positive {positive}: {'every' if found.any() else 'no'} row of {name!r} has this label; it holds "
                f"{_some(values)}"
            )
        return found.astype(np.int8)
    if len(values) != 2:
        raise ValueError(
            f"--label {name}: {len(values)} different labels, {_some(values)}; say which is positive with --positive "
            "VALUE" + (", or from where on with --above NUMBER" if numeric else "")
        )
    if not numeric or {float(one) for one in values} not in ({0.0, 1.0}, {-1.0, 1.0}):
        raise ValueError(f"--label {name}: holds {_some(values)}; say which is positive with --positive VALUE")
    return (column.astype(float) == 1.0).to_numpy().astype(np.int8)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _some(values: list[Any]) -> str:
    shown = ", ".join(map(str, values[:5]))
    return shown + (" …" if len(values) > 5 else "")


def _features(table: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Numbers as they are, texts as categories; dates, identifiers and empty or constant columns are left out."""
    kept: dict[Any, pd.Series] = {}
    left: dict[str, list[str]] = {}
    for name in table.columns:
        column = table[name]
        filled = column.dropna()
        dtype = column.dtype
        if len(filled) == 0:
            left.setdefault("empty", []).append(str(name))
        elif isinstance(dtype, pd.CategoricalDtype):
            kept[name] = column.cat.rename_categories([str(one) for one in dtype.categories])
        elif pd.api.types.is_complex_dtype(dtype) or dtype.kind in "mM" or _is_date(filled):
            left.setdefault("dates and the like", []).append(str(name))
        elif pd.api.types.is_numeric_dtype(dtype):
            kept[name] = column.astype(np.float64) if _is_decimal(dtype) else column
        else:
            texts = column.astype(str).where(column.notna())
            if texts.nunique() > max(len(filled) // 2, 50):
                left.setdefault("texts that differ in most rows", []).append(str(name))
            else:
                kept[name] = texts.astype("category")
    for why, names in left.items():
        notes.append(f"left out ({why}): {', '.join(names)}")
    if not kept:
        raise ValueError("no column is left as a feature; see what --drop and the other options take away")
    return pd.DataFrame(kept, index=table.index)


def _is_decimal(dtype: Any) -> bool:
    """pandas' own number types, whose missing values boosters read as NaN."""
    return pd.api.types.is_extension_array_dtype(dtype)


def _is_date(filled: pd.Series) -> bool:
    """Dates of Python, or texts of which the first ones are ISO dates."""
    if pd.api.types.is_numeric_dtype(filled):
        return False
    first = filled.head(20)
    if all(hasattr(one, "isoformat") for one in first):
        return True
    try:
        ten = first.astype(str).str.fullmatch(r"\d{4}-\d{2}-\d{2}([T ].*)?")
        return bool(ten.all())
    except AttributeError:
        return False
