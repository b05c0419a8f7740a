"""The rows of one partition: read once from Spark, kept in pieces, shown to XGBoost piece by piece."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from sklearn.utils.validation import _num_samples

from hsboost._boosting.dataset_groups import ROW_FIELD
from hsboost.spark import _arrow
from hsboost.spark._arrow import GROUP, LABEL, VALID, WEIGHT, Layout

#: Rows are put together into pieces of at least so many: Spark's batches (10,000 rows) are small for XGBoost.
PIECE = 1 << 17


class Names(NamedTuple):
    """What errors call the columns."""

    label: str
    weight: str | None
    group: str | None
    valid: str | None


class Pieces:
    """Rows of features in pieces, in memory, or one at a time from files of a folder."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._kept: list[Any] = []
        self._waiting: list[Any] = []
        self._rows = 0

    def append(self, rows: Any) -> None:
        """Another batch."""
        self._waiting.append(rows)
        self._rows += _num_samples(rows)
        if self._rows >= PIECE:
            self.close()

    def close(self) -> None:
        """All batches are here."""
        if self._waiting:
            piece = _arrow.joined(self._waiting)
            self._waiting, self._rows = [], 0
            if self._folder is not None:
                path = self._folder / f"{id(self)}-{len(self._kept)}"
                path.write_bytes(pickle.dumps(piece, protocol=pickle.HIGHEST_PROTOCOL))
                piece = path
            self._kept.append(piece)

    def __iter__(self) -> Iterator[Any]:
        for piece in self._kept:
            # A file that this process has written itself.
            yield pickle.loads(piece.read_bytes()) if isinstance(piece, Path) else piece


class Part(NamedTuple):
    """Training rows, or validation rows, of one partition."""

    pieces: Pieces
    label: np.ndarray
    weight: np.ndarray | None
    group: np.ndarray | None


def read(
    batches: Iterable[pa.RecordBatch], layout: Layout, names: Names, missing: float, folder: Path | None
) -> tuple[Part, Part]:
    """Training rows and validation rows.

    Raises
    ------
    ValueError
        For rows without a label, a weight, a group or features, and for infinite features.
    """
    columns: list[dict[str, list[Any]]] = [{name: [] for name in (LABEL, WEIGHT, GROUP)} for _ in range(2)]
    pieces = Pieces(folder), Pieces(folder)
    for batch in batches:
        if batch.num_rows == 0:
            continue
        found = dict(zip(batch.schema.names, batch.columns, strict=True))
        _check(found, names)
        rows = _arrow.features(found, layout)
        _arrow.check_finite(rows, layout, missing)
        held = np.zeros(batch.num_rows, bool) if names.valid is None else _arrow.values(found[VALID]).astype(bool)
        for which, mask in ((0, ~held), (1, held)):
            if not mask.any():
                continue
            pieces[which].append(rows if mask.all() else _arrow.take(rows, mask))
            for name in (LABEL, WEIGHT, GROUP):
                if name in found:
                    columns[which][name].append(_arrow.values(found[name])[mask])
    parts = []
    for which in (0, 1):
        pieces[which].close()
        own = {name: np.concatenate(seen) if seen else np.empty(0) for name, seen in columns[which].items()}
        weight = None if names.weight is None else own[WEIGHT]
        parts.append(Part(pieces[which], own[LABEL], weight, None if names.group is None else own[GROUP]))
    return parts[0], parts[1]


def _check(found: dict[str, pa.Array], names: Names) -> None:
    _arrow.check_present(found[LABEL], f"label_col {names.label!r}", "drop the rows without a label")
    if names.weight is not None:
        _arrow.check_present(found[WEIGHT], f"weight_col {names.weight!r}", "give every row a weight (0 leaves it out)")
    if names.group is not None:
        _arrow.check_present(found[GROUP], f"group_col {names.group!r}", "give those rows a group")
    if names.valid is not None:
        remedy = "it says true for validation rows and false for training rows"
        _arrow.check_present(found[VALID], f"validation_indicator_col {names.valid!r}", remedy)


def width_of(part: Part) -> int:
    """The number of features; 0 without rows."""
    return max((int(piece.shape[1]) for piece in part.pieces), default=0)


def matrix(
    part: Part,
    rows: Any,
    layout: Layout,
    width: int,
    levels: dict[str, list[str]],
    estimator: Any,
    nthread: int,
    reference: Any,
    folder: Path | None,
) -> Any:
    """XGBoost's data of encoded ``rows`` (``hsboost._engines.rows.Encoded``), in the layout that XGBClassifier chooses.

    With ``folder`` it lies there, and XGBoost reads it page by page.
    """
    import xgboost as xgb

    settings = {
        "missing": estimator.missing,
        "nthread": nthread,
        "enable_categorical": bool(estimator.enable_categorical),
    }
    quantiles = estimator.tree_method in (None, "auto", "hist") and not (estimator.device or "").startswith("sycl")
    if not quantiles:
        pieces = [_arrow.with_levels(piece, levels) for piece in part.pieces]
        data = _arrow.joined(pieces) if pieces else _with_empty(layout, width, levels)
        fields = _fields(rows, slice(None), estimator)
        return _weighted(xgb.DMatrix(data, **fields, **settings), estimator)

    class Shown(xgb.DataIter):
        """One piece after the other."""

        def __init__(self) -> None:
            self._pieces: Iterator[Any] = iter(())
            self._at = self._seen = 0
            super().__init__(**({} if folder is None else {"cache_prefix": str(folder / f"cache-{id(part)}")}))

        def next(self, input_data: Any) -> bool:
            piece = next(self._pieces, None)
            if piece is None:
                if self._seen:
                    return False
                piece = _with_empty(layout, width, levels)  # a partition without rows has its columns, too
            self._seen += 1
            n = _num_samples(piece)
            own = slice(self._at, self._at + n)
            self._at += n
            input_data(data=_arrow.with_levels(piece, levels), **_fields(rows, own, estimator))
            return True

        def reset(self) -> None:
            self._pieces, self._at, self._seen = iter(part.pieces), 0, 0

    kind = xgb.QuantileDMatrix if folder is None else xgb.ExtMemQuantileDMatrix
    return _weighted(kind(Shown(), max_bin=estimator.max_bin, ref=reference, **settings), estimator)


def _fields(rows: Any, own: slice, estimator: Any) -> dict[str, Any]:
    fields = {"label": rows.label[own], "feature_types": estimator.feature_types}
    if rows.weight is not None:
        fields["weight"] = rows.weight[own]
    if rows.group is not None:
        fields[ROW_FIELD] = rows.group[own]
    return fields


def _weighted(data: Any, estimator: Any) -> Any:
    weights = getattr(estimator, "feature_weights", None)
    if weights is not None:
        data.set_info(feature_weights=np.asarray(weights))
    return data


def _with_empty(layout: Layout, width: int, levels: dict[str, list[str]]) -> Any:
    return _arrow.with_levels(_arrow.empty(layout, width), levels)
