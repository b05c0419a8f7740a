"""Read a user's own data: ``<name>.parquet`` and ``<name>.toml`` in the data folder."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from datasets._splits import PARTS
from datasets._table import Table, group_ids, read_parquet, read_schema
from datasets.registry import DatasetError, DatasetInfo, unknown

# Key -> (type, its name in messages). `positive` may be any scalar.
_TEXT = ("title", "licence", "source", "citation", "label_meaning", "notes")
_KEYS: dict[str, tuple[type, str]] = {
    "label": (str, "a text"),
    "positive": (object, "a value"),
    "categorical": (list, "a list of texts"),
    "drop": (list, "a list of texts"),
    "group": (str, "a text"),
    "split_column": (str, "a text"),
    **dict.fromkeys(_TEXT, (str, "a text")),
}


def names(data_dir: Path) -> list[str]:
    """List the data sets of a folder: names that have both a ``.parquet`` and a ``.toml`` file, sorted."""
    return sorted(path.stem for path in data_dir.glob("*.toml") if path.with_suffix(".parquet").is_file())


def read(name: str, data_dir: Path) -> Table:
    """Read ``<name>.parquet`` as ``<name>.toml`` describes it.

    The TOML file names the ``label`` column and may give ``positive`` (the value that counts as 1; default
    1), ``categorical``, ``drop`` (columns to leave out, such as those that reveal the label), ``group``
    (each group then stays in one split), ``split_column`` (holding train / valid / test) and title, licence,
    source, citation, label_meaning, notes. Raises `DatasetError` naming the file, the key and the remedy.
    """
    path, described_by = data_dir / f"{name}.parquet", data_dir / f"{name}.toml"
    settings = _settings(described_by)
    frame = _frame(path)
    categorical, drop = settings.get("categorical", []), settings.get("drop", [])
    named = {key: [settings[key]] for key in ("label", "group", "split_column") if key in settings}
    for key, columns in (named | {"categorical": categorical, "drop": drop}).items():
        for column in columns:
            if column not in frame.columns:
                choices, where = map(str, frame.columns), f" (columns of {path.name})"
                raise unknown(f"{described_by}: {key}", column, choices, where)
    label = settings["label"]
    y = _label(_plain(frame[label], path), settings.get("positive", 1), described_by, "positive" in settings)
    group, split_column = settings.get("group"), settings.get("split_column")
    groups = None if group is None else group_ids(_plain(_no_missing(frame[group], path), path))
    part = None if split_column is None else _parts(_plain(frame[split_column], path), path)
    special = {label, group, split_column, *drop}
    X = frame.drop(columns=[column for column in frame.columns if column in special])
    if X.empty:
        raise DatasetError(f"{path}: no feature is left beside {', '.join(map(repr, sorted(filter(None, special))))}")
    for column in X.columns:
        X[column] = _feature(X[column], column in categorical, path)
    info = DatasetInfo(
        name=name,
        loader="own",
        label=label,
        rows=len(X),
        positive_rate=float(y.mean()),
        columns=tuple(X.columns),
        categorical=tuple(column for column in X.columns if column in categorical),
        group=group,
        split="given" if part is not None else "groups" if groups is not None else "stratified",
        split_meaning="" if part is None else f"given by the column {split_column!r}",
        left_out=tuple(drop),
        file=str(path),
        **({"title": name} | {key: settings[key] for key in _TEXT if key in settings}),
    )
    return Table(info, X, y, groups, part)


def _settings(path: Path) -> dict[str, Any]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"cannot read {path} ({error.strerror})") from error
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content:
        raise DatasetError(f"{path} is UTF-16 text (or none), and TOML is UTF-8; save it as UTF-8")
    try:
        # Some editors begin UTF-8 with a byte order mark, and end lines with CR or CRLF.
        text = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
        settings = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = 1 + content[: error.start].count(b"\n")
        raise DatasetError(f"{path} is not UTF-8 text (line {line}: byte {error.start}); save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise DatasetError(f"cannot read {path} as TOML ({error}); mend the file") from error
    for key, value in settings.items():
        if key not in _KEYS:
            raise unknown(f"{path}: key", key, _KEYS)
        kind, called = _KEYS[key]
        items = value if kind is list and isinstance(value, list) else []
        if not isinstance(value, kind) or not all(isinstance(item, str) for item in items):
            raise DatasetError(f"{path}: {key} must be {called}, got {value!r}")
    if "label" not in settings:
        raise DatasetError(f'{path}: no label column given; add a line such as label = "y"')
    return settings


def _frame(path: Path) -> pd.DataFrame:
    """Read the table; columns keep the file's names, which are unique texts."""
    schema = read_schema(path)
    repeated = next((name for name in schema.names if schema.names.count(name) > 1), None)
    if repeated is not None:
        places = [str(place) for place, name in enumerate(schema.names, 1) if name == repeated]
        raise DatasetError(
            f"{path}: {len(places)} columns are named {repeated!r} (columns {', '.join(places)}); rename or drop "
            "all but one in the file"
        )
    frame = read_parquet(path)
    index = {name for name in (schema.pandas_metadata or {}).get("index_columns", []) if isinstance(name, str)}
    # pandas restores integers and tuples as names; the file and the description name columns by texts.
    names = [name for name in schema.names if name not in index]
    frame.columns = pd.Index(names if len(names) == frame.shape[1] else frame.columns.map(str))
    return frame


def _plain(values: pd.Series, path: Path) -> pd.Series:
    """Return a column whose values can be compared; raises for lists and structures."""
    known = values.dropna()
    if len(known) and not pd.api.types.is_hashable(known.iloc[0]):
        raise DatasetError(
            f"{path}: column {values.name!r} holds lists or structures, no plain values; list it under drop in the "
            ".toml file, or write its parts as columns"
        )
    return values


def _label(values: pd.Series, positive: object, path: Path, given: bool) -> np.ndarray:
    column = f"{path}: label column {values.name!r}"
    if values.isna().any():
        raise DatasetError(f"{column} has {int(values.isna().sum())} missing values; drop these rows")
    if values.empty:
        raise DatasetError(f"{column} has no rows")
    found = values.unique().tolist()
    column += f" holds {', '.join(map(repr, found[:6]))}{', ...' if len(found) > 6 else ''}"
    if len(found) < 2:
        raise DatasetError(f"{column} only; two classes are needed")
    if not given and len(found) > 2:
        raise DatasetError(f"{column}; say which value counts as 1 with a line positive = ...")
    if positive not in found:
        raise DatasetError(f"{column}, not {positive!r}; set positive to the value that counts as 1")
    return (values == positive).to_numpy(np.int8)


def _no_missing(values: pd.Series, path: Path) -> pd.Series:
    if values.isna().any():
        raise DatasetError(
            f"{path}: column {values.name!r} has {int(values.isna().sum())} missing values; fill or drop them"
        )
    return values


def _parts(values: pd.Series, path: Path) -> np.ndarray:
    found = set(_no_missing(values, path).unique())
    if found != set(PARTS):
        shown = sorted(map(str, found))
        raise DatasetError(
            f"{path}: column {values.name!r} must hold {', '.join(PARTS)}, and nothing else, got {shown}"
        )
    return values.map({name: code for code, name in enumerate(PARTS)}).to_numpy(np.int8)


def _feature(values: pd.Series, categorical: bool, path: Path) -> pd.Series:
    if categorical:
        # Levels fixed over all rows here are the same in every split.
        return _plain(values, path).astype("category").cat.remove_unused_categories()
    if not values.notna().any():
        return pd.Series(np.nan, index=values.index, name=values.name)
    if pd.api.types.infer_dtype(values, skipna=True) == "boolean":
        return values.astype("float32" if values.isna().any() else "int8")
    if not pd.api.types.is_numeric_dtype(values.dtype):
        remedy = "list it under categorical or drop in the .toml file"
        raise DatasetError(f"{path}: column {values.name!r} holds {values.dtype}, not numbers; {remedy}")
    numbers = values.astype("float64") if pd.api.types.is_extension_array_dtype(values.dtype) else values
    # Boosters store features as float32: values beyond its range become infinite.
    beyond = np.flatnonzero(np.abs(numbers.to_numpy(np.float64)) > np.finfo(np.float32).max)
    if len(beyond):
        raise DatasetError(
            f"{path}: column {values.name!r} holds {float(numbers.iloc[beyond[0]])} in row {beyond[0] + 1} (of "
            f"{len(beyond)} such), which is infinite as float32; make it missing, rescale the column, or drop it"
        )
    return numbers
