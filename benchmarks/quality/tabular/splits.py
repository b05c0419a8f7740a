"""One data set's splits for one seed, with the facts that identify and describe them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from benchmarks.quality.tabular.boosters import Booster, Prepared
from benchmarks.quality.tabular.settings import Key, Settings
from benchmarks.suite.options import OptionError
from benchmarks.suite.store import Record, RunStore


class Splits:
    """The three splits of a data set for one seed, with the facts that identify and describe them."""

    def __init__(self, dataset: str, seed: int, settings: Settings) -> None:
        import datasets

        self._settings, self.seed, self.dataset = settings, seed, dataset
        try:
            self.train, self.valid, self.test = datasets.load_splits(
                dataset,
                seed=seed,
                rows=settings.rows,
                encoding=settings.encoding,
                data_dir=settings.data_dir,
            )
        except datasets.DatasetError as error:
            raise OptionError(f"--datasets: cannot load {dataset!r}: {error}") from None
        parts = {"train": self.train, "valid": self.valid, "test": self.test}
        for name, part in parts.items():
            if len(np.unique(part.y)) < 2:
                raise OptionError(
                    f"--rows: the {name} split of {dataset!r} (seed {seed}, {len(part.y)} rows) holds one "
                    "class only; use more rows"
                )
        self.facts: Record = {
            "rows": {name: len(part.y) for name, part in parts.items()},
            "columns": self.train.X.shape[1],
            "categorical": len(self.train.categorical),
            "prevalence": float(np.mean(self.test.y)),
            "digest": {name: _digest(part) for name, part in parts.items()},
            "title": self.train.info.title,
            "here": self.train.info.here,
            "differs": self.train.info.layouts[self.train.info.layout].differs if self.train.info.layout else "",
            "licence": self.train.info.licence,
        }
        # Figures do not depend on names, but the boosters refuse or change some names of columns and levels.
        self.train, self.valid, self.test = (
            part if sparse.issparse(part.X) else replace(part, X=neutral(part.X)) for part in parts.values()
        )
        if sparse.issparse(self.train.X):
            # No tree can split on a column that is empty in training, and boosters need memory for each of millions.
            seen = np.unique(self.train.X.indices)
            self.train, self.valid, self.test = (
                replace(part, X=columns_of(part.X, seen)) for part in (self.train, self.valid, self.test)
            )

    def prepare(self, booster: Booster) -> Prepared:
        """Convert the splits to a booster's own format."""
        return booster.prepare(self.train, self.valid, self.test, self._settings, self.seed)

    def check_same_data(self, store: RunStore[Key]) -> None:
        """Refuse to add to runs on other rows with the same name and seed."""
        for record in store.runs.values():
            same = (record["dataset"], record["seed"]) == (self.dataset, self.seed)
            if same and record["data"]["digest"] != self.facts["digest"]:
                raise OptionError(
                    f"--out: {store.path} holds runs on other rows of {self.dataset!r} (seed "
                    f"{self.seed}): the data "
                    "have changed; use --fresh to start over, or choose another --out"
                )


def neutral(X: pd.DataFrame) -> pd.DataFrame:
    """Name columns by their positions (f0, f1, ...) and the levels of categories by theirs (0, 1, ...).

    Such names mean the same to both boosters, and levels of any type (texts, dates, numbers, none at all) are the
    same categories.
    """
    columns = {}
    for place in range(X.shape[1]):
        values = X.iloc[:, place]
        if isinstance(values.dtype, pd.CategoricalDtype):
            levels = pd.RangeIndex(max(len(values.cat.categories), 1))
            values = pd.Series(pd.Categorical.from_codes(values.cat.codes, categories=levels), index=X.index)
        columns[f"f{place}"] = values
    return pd.DataFrame(columns, index=X.index)


def columns_of(X: Any, columns: NDArray[Any]) -> sparse.csr_matrix:
    """Select sorted ``columns`` of a CSR matrix, in time proportional to its entries, not its width."""
    place = np.searchsorted(columns, X.indices)
    kept = columns[np.minimum(place, len(columns) - 1)] == X.indices
    before = np.concatenate([[0], np.cumsum(kept)])
    shape = (X.shape[0], len(columns))
    return sparse.csr_matrix((X.data[kept], place[kept], before[X.indptr]), shape=shape)


def _digest(part: Any) -> str:
    digest = hashlib.sha256()
    if isinstance(part.X, sparse.csr_matrix):
        # scipy chooses the integer type of indices; it must not affect the digest.
        for array in (part.X.indptr.astype(np.int64), part.X.indices.astype(np.int64), part.X.data):
            digest.update(array.tobytes())
    else:
        digest.update(pd.util.hash_pandas_object(part.X, index=False).to_numpy().tobytes())
    digest.update(np.asarray(part.y, dtype=np.int8).tobytes())
    return digest.hexdigest()[:12]
