"""Categories that mean the same in every partition.

XGBoost reads categories as the places they have in their partition's own list. Partitions that were made categorical
one by one, or whose lists differ in order, would be mixed up in training, silently.
"""

from __future__ import annotations

from typing import Any

import dask.dataframe as dd
import pandas as pd
from dask.dataframe.utils import has_known_categories

from hsboost.dask import _partitions as partitions
from hsboost.estimators._inputs import categories as _categories


def unified(client: Any, X: Any) -> Any:
    """A persisted frame whose partitions all have the same categories in the same order; other collections as they are.

    The order is that of the frame where it knows its categories, then that of the partitions.

    Raises
    ------
    ValueError
        For a column whose categories are texts in some partitions and numbers in others.
    """
    if not isinstance(X, dd.DataFrame) or not _of(X._meta):
        return X
    found = partitions.collect(client, partitions.each(_of, partitions.pieces(X, "X")))
    known = {place: one for place, one in _of(X._meta).items() if has_known_categories(X._meta.iloc[:, place])}
    levels = {place: _union(place, X.columns[place], known, found) for place in _of(X._meta)}
    lists = [{place: known.get(place, pd.Index([])) for place in levels}, *found]
    same = all(one.get(place, levels[place]).tolist() == levels[place].tolist() for one in lists for place in levels)
    return X if same else recoded(client, X, levels)


def like(client: Any, X: Any, training: Any) -> Any:
    """A persisted frame with the categories of the training rows; values that these do not have become missing."""
    levels = _of(training._meta) if isinstance(training, dd.DataFrame) else {}
    return recoded(client, X, levels) if levels else X


def recoded(client: Any, X: Any, levels: dict[int, pd.Index]) -> Any:
    """A frame with the given categories in its columns, by their places."""
    return client.persist(X.map_partitions(_recode, levels, meta=_recode(X._meta, levels)))


def _of(rows: pd.DataFrame) -> dict[int, pd.Index]:
    """The categories of each categorical column."""
    kinds = enumerate(rows.dtypes)
    return {place: dtype.categories for place, dtype in kinds if isinstance(dtype, pd.CategoricalDtype)}


def _union(place: int, column: Any, known: dict[int, pd.Index], found: list[dict[int, pd.Index]]) -> pd.Index:
    lists = [one[place] for one in [known, *found] if place in one]
    kinds = {kind: i for i, one in enumerate(found) if (kind := _categories.type_of(one.get(place))) is not None}
    if len(kinds) > 1:
        where = " and ".join(f"{kind} in partition {i}" for kind, i in kinds.items())
        raise ValueError(f"X: the categories of column {column!r} are {where}; convert them to one type")
    values = list(dict.fromkeys(value for one in lists for value in one))
    longest = max(lists, key=len)
    return longest if longest.tolist() == values else pd.Index(values, dtype=_dtype(lists))


def _dtype(lists: list[pd.Index]) -> Any:
    """The type of the lists that hold anything, or what pandas makes of their values."""
    dtypes = {one.dtype for one in lists if len(one)}
    return dtypes.pop() if len(dtypes) == 1 else None


def _recode(rows: pd.DataFrame, levels: dict[int, pd.Index]) -> pd.DataFrame:
    columns = {i: rows.iloc[:, i] for i in range(rows.shape[1])}
    for place, categories in levels.items():
        if isinstance(rows.dtypes.iloc[place], pd.CategoricalDtype):
            columns[place] = columns[place].cat.set_categories(categories)
    return pd.DataFrame(columns, index=rows.index).set_axis(rows.columns, axis=1)
