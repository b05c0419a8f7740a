"""Groups of rows that a booster's data set carries."""

from __future__ import annotations

from typing import Any

import numpy as np

from hsboost._segments import Segments

#: The field of an XGBoost DMatrix that may carry a group code for each row.
ROW_FIELD = "label_lower_bound"


def query_groups(dataset: Any) -> np.ndarray:
    """Where the query groups of an XGBoost DMatrix or a LightGBM Dataset begin, and the number of rows."""
    if dataset is None:
        raise ValueError(
            "groups='dataset' works in xgb.train and lgb.train, which hand over the data set; "
            "with the scikit-learn wrappers pass groups as one label per row, or use HSClassifier"
        )
    if hasattr(dataset, "get_uint_info"):
        pointer = dataset.get_uint_info("group_ptr").astype(np.intp)
    else:
        sizes = dataset.get_group()
        pointer = np.concatenate([[0], np.cumsum([] if sizes is None else sizes)]).astype(np.intp)
    if len(pointer) < 2:
        raise ValueError("groups='dataset', but the data set carries no query groups; build it with qid= or group=")
    return pointer


def row_groups(dataset: Any) -> Segments | None:
    """Groups by the codes that a DMatrix carries row by row, wherever its rows came from; None without rows."""
    if not hasattr(dataset, "get_float_info"):
        raise ValueError(
            f"groups={ROW_FIELD!r} works in XGBoost's training functions, which hand over the DMatrix that carries "
            "that field; elsewhere pass groups as one label per row"
        )
    if dataset.num_row() == 0:
        return None
    codes = dataset.get_float_info(ROW_FIELD)
    if len(codes) == 0:
        raise ValueError(f"groups={ROW_FIELD!r}, but the DMatrix has no such field; build it with {ROW_FIELD}=codes")
    good = (codes >= 0) & (codes < 2**24) & (codes == np.floor(codes))
    if not good.all():
        row = int(np.argmin(good))
        raise ValueError(
            f"{ROW_FIELD} must hold group codes, whole numbers from 0 to {2**24 - 1} (it is float32), got {codes[row]} "
            f"at row {row} ({int((~good).sum())} such rows in all)"
        )
    return Segments.by_label(codes.astype(np.int64))
