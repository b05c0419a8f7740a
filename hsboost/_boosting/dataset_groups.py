"""Groups of rows that a booster's data set carries, and how it reorders groups that are passed separately."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hsboost._boosting import dmatrix
from hsboost._boosting.caller import in_xgboost_cv
from hsboost._solver.segments import Segments

#: The field of an XGBoost DMatrix that may carry a group code for each row.
ROW_FIELD = "label_lower_bound"


def check_name(groups: Any) -> None:
    """Check ``groups`` if it is a string: it must name one of the two fields of a data set."""
    if isinstance(groups, str) and groups not in ("dataset", ROW_FIELD):
        raise ValueError(f"groups must be None, 'dataset', {ROW_FIELD!r} or one label per row, got {groups!r}")


def query_groups(dataset: Any, k: Any = None, columns: int = 1) -> Segments:
    """The query groups that an XGBoost DMatrix or a LightGBM Dataset carries, labelled by their numbers.

    A LightGBM subset (a fold of ``lgb.cv``) keeps the numbers of the data set that it was taken from. ``k`` and the
    number of score ``columns`` determine whether the numbers matter.

    Raises
    ------
    ValueError
        If there are no query groups; if XGBoost may have cut some of them between batches, which it does not record;
        if ``k`` names groups whose numbers ``xgb.cv`` has changed.
    """
    if dataset is None:
        raise ValueError(
            "groups='dataset' works in xgb.train and lgb.train, which hand over the data set; "
            "with the scikit-learn wrappers pass groups as one label per row, or use HSClassifier"
        )
    is_lightgbm = not hasattr(dataset, "get_uint_info")
    if is_lightgbm:
        sizes, numbers = _lightgbm_queries(dataset)
        pointer = np.concatenate([[0], np.cumsum(sizes)]).astype(np.intp)
    else:
        pointer, numbers = dataset.get_uint_info("group_ptr").astype(np.intp), None
    if len(pointer) < 2:
        raise ValueError("groups='dataset', but the data set carries no query groups; build it with qid= or group=")
    segments = Segments.by_size(pointer)
    if segments.n != (dataset.num_data() if is_lightgbm else dataset.num_row()):
        raise ValueError("the query groups of the data set do not cover its rows; set them anew with set_group")
    if is_lightgbm:
        segments.labels = segments.labels if numbers is None else numbers
        return segments
    if not _is_in_one_piece(dataset):
        raise ValueError(
            f"groups='dataset' is not exact on a {type(dataset).__name__} that XGBoost may have built from several "
            "batches (an iterator, a DaskQuantileDMatrix's partitions): it begins a new query group with each of them, "
            f"so that a query in two batches would get two budgets; give each row the number of its query, {ROW_FIELD}="
            f"codes, when you build it, and use groups={ROW_FIELD!r}, or build a DMatrix from arrays with qid="
        )
    if _names_groups(k, columns) and in_xgboost_cv():
        raise ValueError(
            "k names groups by their numbers, but xgb.cv shuffles the query groups and numbers those of each fold "
            f"anew; pass one budget for all groups, or give each row the number of its query, {ROW_FIELD}=codes, leave "
            f"qid out and use groups={ROW_FIELD!r} with folds= of whole groups"
        )
    return segments


def several_workers() -> ValueError:
    """The error for query groups when rows are distributed over several workers."""
    return ValueError(
        "groups='dataset' does not work on several workers: a DMatrix keeps the sizes of its query groups, not "
        f"their names, so that a group on two workers would count as two; pass each row's group as a number, "
        f"{ROW_FIELD}=codes, when you build the (Dask) DMatrix, and groups={ROW_FIELD!r} here"
    )


def row_weights(dataset: Any, n: int, copy: bool = False) -> Any:
    """A data set's weights, one for each of its n rows; None if it has none.

    A DMatrix with query groups holds one weight for each of these. Without ``copy`` they may be the data set's own
    memory (`dmatrix.lent`).
    """
    weight = dmatrix.read(dataset, "weight", copy)
    # XGBoost says "no weights" with an empty array, LightGBM with None.
    if weight is None or len(weight) == 0:
        return None
    if len(weight) != n and hasattr(dataset, "get_uint_info"):
        sizes = np.diff(dataset.get_uint_info("group_ptr").astype(np.intp))
        if len(sizes) == len(weight):
            return np.repeat(weight, sizes)
    return weight


def labels_of_rows(segments: Segments, dataset: Any) -> Segments:
    """Groups given as an array of labels, for the rows that a data set has.

    A LightGBM ``Dataset.subset`` (a fold of ``lgb.cv``) records the rows it took, in ascending order whatever the
    requested order: the labels must be those of all rows of the parent data set.
    """
    if getattr(dataset, "used_indices", None) is None:
        return segments
    n, rows, parent = len(dataset.used_indices), np.asarray(dataset.used_indices, dtype=np.intp), dataset.reference
    if segments.n == n:
        raise ValueError(
            f"groups describes {n} rows, as many as this subset of a LightGBM Dataset has, but Dataset.subset sorts "
            "the rows that it takes, so that these may be other rows' labels; pass the labels of all rows of the data "
            "set that it was taken from (of one that holds them all, train on that data set itself), or build that one "
            "with group= and use groups='dataset'"
        )
    while parent.num_data() != segments.n:
        if parent.used_indices is None:
            return segments  # labels of other rows: the comparison of lengths reports it
        rows, parent = np.asarray(parent.used_indices, dtype=np.intp)[rows], parent.reference
    return segments.take(rows)


def row_codes(dataset: Any) -> np.ndarray:
    """The group codes that a DMatrix carries row by row (`dmatrix.lent`), float32, whatever it was built from."""
    if not hasattr(dataset, "get_float_info"):
        raise ValueError(
            f"groups={ROW_FIELD!r} works in XGBoost's training functions, which hand over the DMatrix that carries "
            "that field, and needs an xgboost.DMatrix; elsewhere pass groups as one label per row"
        )
    codes = np.asarray(dmatrix.read(dataset, ROW_FIELD))
    if len(codes) == 0 and dataset.num_row() > 0:
        raise ValueError(f"groups={ROW_FIELD!r}, but the DMatrix has no such field; build it with {ROW_FIELD}=codes")
    good = (codes >= 0) & (codes < 2**24) & (codes == np.floor(codes))
    if not good.all():
        row = int(np.argmin(good))
        raise ValueError(
            f"{ROW_FIELD} must hold group codes, whole numbers from 0 to {2**24 - 1} (it is float32), got {codes[row]} "
            f"at row {row} ({int((~good).sum())} such rows in all)"
        )
    return codes


def _is_in_one_piece(dataset: Any) -> bool:
    """Whether a DMatrix certainly was built from one batch.

    XGBoost can slice a DMatrix that was built directly from arrays, and none that was built through an iterator.
    Arrays passed to a QuantileDMatrix also go through an iterator, and the number of batches is not recorded.
    """
    if dataset.num_row() == 0:
        return True
    try:
        dataset.slice([0], allow_groups=True)
    except Exception:
        return False
    return True


def _lightgbm_queries(dataset: Any) -> tuple[Any, list[int] | None]:
    """Sizes of a LightGBM Dataset's query groups, and for a subset their numbers in the data set that it is part of.

    LightGBM passes groups on to a subset only if the parent's Python object holds them (they were set or read there),
    and leaves an empty list otherwise: for a data set read from a file, or a subset that was not constructed yet. This
    function recovers them.
    """
    own = dataset.get_group()
    own = [] if own is None else own
    if getattr(dataset, "used_indices", None) is not None:
        rows, parent = _rows_in(dataset)
        sizes = parent.get_group()
        if sizes is not None and len(sizes):
            numbers, counts = np.unique(np.repeat(np.arange(len(sizes)), sizes)[rows], return_counts=True)
            # Groups set on the subset itself are numbered within the subset.
            if len(own) == 0 or np.array_equal(counts, own):
                return counts, numbers.tolist()
    return own, None


def _rows_in(subset: Any) -> tuple[np.ndarray, Any]:
    """The data set that a LightGBM subset, or a subset of subsets, was taken from, and its rows there."""
    rows, parent = np.asarray(subset.used_indices, dtype=np.intp), subset.reference
    while parent.used_indices is not None:
        rows, parent = np.asarray(parent.used_indices, dtype=np.intp)[rows], parent.reference
    return rows, parent


def _names_groups(k: Any, columns: int) -> bool:
    """Whether budgets depend on the groups' labels."""
    if not isinstance(k, Mapping):
        return False
    return columns == 1 or any(isinstance(of_class, Mapping) for of_class in k.values())
