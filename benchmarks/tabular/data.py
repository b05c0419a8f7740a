"""One data set's splits for one seed, with the facts that identify and describe them."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from benchmarks.errors import OptionError
from benchmarks.tabular.boosters import Booster, Prepared
from benchmarks.tabular.settings import Settings
from benchmarks.tabular.store import Record, RunStore


class Splits:
    """The three splits of a data set for one seed, with the facts that identify and describe them."""

    def __init__(self, dataset: str, seed: int, settings: Settings) -> None:
        import datasets

        self._settings, self._seed, self._dataset = settings, seed, dataset
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
            "licence": self.train.info.licence,
        }

    def prepare(self, booster: Booster) -> Prepared:
        """Convert the splits to a booster's own format."""
        return booster.prepare(self.train, self.valid, self.test, self._settings, self._seed)

    def check_same_data(self, store: RunStore) -> None:
        """Refuse to add to runs that were made on other rows under the same name and seed."""
        for record in store.runs.values():
            same = (record["dataset"], record["seed"]) == (self._dataset, self._seed)
            if same and record["data"]["digest"] != self.facts["digest"]:
                raise OptionError(
                    f"--out: {store.path} holds runs on other rows of {self._dataset!r} (seed "
                    f"{self._seed}): the data "
                    "have changed; use --fresh to start over, or choose another --out"
                )


def _digest(part: Any) -> str:
    import pandas as pd

    digest = hashlib.sha256(pd.util.hash_pandas_object(part.X, index=False).to_numpy().tobytes())
    digest.update(np.asarray(part.y, dtype=np.int8).tobytes())
    return digest.hexdigest()[:12]
