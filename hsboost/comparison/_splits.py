"""Rows for training, for the choice of settings and rounds, and for the test: at random, whole groups, or by time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.model_selection import GroupKFold, GroupShuffleSplit, StratifiedKFold, check_cv, train_test_split

from hsboost import _validation as check
from hsboost._solver.segments import Segments

#: Share of the rows before the test rows that choose settings and rounds: 60 / 20 / 20 % with five test parts.
VALIDATION = 0.25
#: From this many groups on they are taken for days, users or queries, of which new ones will come.
MANY_GROUPS = 30
#: Fewer rows than this are split twice by default: trainings are quick there, and differences noisy.
FEW_ROWS = 100_000
#: With time, the test rows are cut from the later half.
FUTURE = 0.5


@dataclass(frozen=True)
class Split:
    """Row numbers, sorted: trees are trained on ``train``, settings and rounds chosen on ``valid``."""

    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray

    @property
    def ratio(self) -> float:
        """Test rows over the rows for training and choice."""
        return self.test.size / (self.train.size + self.valid.size)


@dataclass(frozen=True)
class Splits:
    """The splits, what they are in words, and whether groups are never on both sides of one."""

    parts: list[Split]
    words: str
    whole_groups: bool


def read_time(time: ArrayLike, n: int) -> np.ndarray:
    """The rank of each row's time, equal for equal times: numbers, dates, or texts that are ISO dates."""
    values = pd.Series(np.asarray(time) if not isinstance(time, pd.Series) else time.to_numpy())
    check.check_same_length(np.empty(len(values)), "time", n, "X")
    missing = int(values.isna().sum())
    if missing:
        raise ValueError(
            f"time is missing in {missing} rows (first: row {int(np.argmax(values.isna()))}); drop these rows"
        )
    if values.dtype.kind not in "biufMm":
        try:
            values = pd.to_datetime(values, format="ISO8601", utc=True)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"time must hold numbers or dates, got {values.iloc[0]!r}; write dates as 2013-01-31 (ISO 8601)"
            ) from error
    return values.rank(method="dense").to_numpy().astype(np.intp)


def make_splits(
    positive: np.ndarray,
    segments: Segments | None,
    time: np.ndarray | None,
    cv: Any,
    repeats: int | None,
    new_groups: bool | None,
    random_state: int,
) -> Splits:
    """Splits of the rows, every part with both classes.

    ``cv`` is a number of test parts, or what scikit-learn takes as ``cv``; see :func:`hsboost.compare_losses`.
    """
    n = positive.size
    codes = None if segments is None else segments.codes
    own = cv is None or (isinstance(cv, int | np.integer) and not isinstance(cv, bool))
    if not own:
        if time is not None or repeats not in (None, 1) or new_groups is not None:
            raise ValueError(
                "time, repeats and new_groups choose among the splits made here, and cv is a splitter of your own; "
                "give either"
            )
        pairs, words = list(_of_sklearn(cv, positive, codes)), f"splits by {_name(cv)}"
    else:
        parts = 5 if cv is None else int(cv)
        if parts < 1 or (parts < 2 and time is None):
            raise ValueError(f"cv must be 2 or more test parts, or a scikit-learn splitter; got {cv!r}")
        if repeats is None:
            repeats = 2 if n < FEW_ROWS and time is None else 1
        if not isinstance(repeats, int | np.integer) or repeats < 1:
            raise ValueError(f"repeats must be a whole number from 1, got {repeats!r}")
        if time is not None and (repeats > 1 or new_groups is not None):
            raise ValueError("repeats and new_groups do not go with time: its splits are cut in one way only")
        if new_groups is not None and segments is None:
            raise ValueError(f"new_groups={new_groups!r} goes with groups; pass groups= too")
        many = segments is not None and len(segments.labels) >= MANY_GROUPS
        whole = segments is not None and (many if new_groups is None else new_groups)
        if time is not None:
            pairs, words = _in_time(time, parts), "test parts in order of time, each tested on models of earlier rows"
        elif whole:
            pairs, words = _by_groups(codes, parts, repeats, random_state), "test parts of whole groups"
        else:
            pairs, words = _by_rows(positive, parts, repeats, random_state), "test parts of rows"
        words += "" if repeats == 1 else f", {repeats} times {parts}"
    ordered = all(before.max() < test.min() for before, test in pairs) if time is None else True
    apart = codes is not None and all(not np.isin(codes[test], codes[before]).any() for before, test in pairs)
    found = []
    for i, (before, test) in enumerate(pairs):
        at = time if time is not None else np.arange(n)
        if ordered:
            train, valid = _latest(before, at, codes if apart else None)
        else:
            train, valid = _at_random(before, positive, codes if apart else None, random_state + i)
        split = Split(np.sort(train), np.sort(valid), np.sort(test))
        _check(split, i, positive)
        found.append(split)
    return Splits(found, f"{len(found)} {words}", apart)


def _of_sklearn(cv: Any, positive: np.ndarray, codes: np.ndarray | None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    y = positive.astype(np.int8)
    for i, (before, test) in enumerate(check_cv(cv, y, classifier=True).split(np.zeros(y.size), y, codes)):
        before, test = (np.flatnonzero(one) if np.asarray(one).dtype == bool else np.asarray(one, np.intp)
                        for one in (before, test))  # fmt: skip
        if not before.size or not test.size:
            raise ValueError(f"cv: split {i} has {before.size} training rows and {test.size} test rows; none is empty")
        if np.isin(test, before).any():
            raise ValueError(f"cv: split {i} has rows that are training and test rows; keep them apart")
        yield before, test


def _name(cv: Any) -> str:
    return type(cv).__name__ if hasattr(cv, "split") else "given rows"


def _by_rows(positive: np.ndarray, parts: int, repeats: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    least = int(min(positive.sum(), (~positive).sum()))
    if least < parts:
        raise ValueError(f"cv={parts} test parts need a row of each class each, and one class has {least}; lower cv")
    found = []
    for turn in range(repeats):
        folds = StratifiedKFold(parts, shuffle=True, random_state=seed + turn)
        found += list(folds.split(np.zeros(positive.size), positive))
    return found


def _by_groups(codes: Any, parts: int, repeats: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    count = int(codes.max()) + 1
    if count < 2 * parts:
        raise ValueError(
            f"cv={parts} test parts of whole groups need {2 * parts} groups at least, and there are {count}; lower cv, "
            "or pass new_groups=False if the groups to come are these"
        )
    found = []
    for turn in range(repeats):
        folds = GroupKFold(parts, shuffle=True, random_state=seed + turn)
        found += list(folds.split(np.zeros(codes.size), groups=codes))
    return found


def _in_time(time: np.ndarray, parts: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Test parts of about equal size, one after another in the later half; equal times stay together."""
    sizes = np.bincount(time)
    upto = np.cumsum(sizes)
    wanted = np.linspace(FUTURE, 1.0, parts + 1) * time.size
    # The last time of each part: as close to the wanted number of rows as whole times allow.
    ends = [int(np.argmin(np.abs(upto - rows))) for rows in wanted]
    if len(set(ends)) < len(ends) or ends[0] < 1:
        raise ValueError(
            f"time has {int((sizes > 0).sum())} different values, too few for {parts} test parts in its later half; "
            "lower cv, or pass finer times"
        )
    return [
        (np.flatnonzero(time <= begin), np.flatnonzero((time > begin) & (time <= end))) for begin, end in pairwise(ends)
    ]


def _latest(before: np.ndarray, at: np.ndarray, codes: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The last quarter of the rows for validation; equal times, and whole groups, stay together."""
    if codes is not None:
        latest = np.full(int(codes.max()) + 1, -1)
        np.maximum.at(latest, codes[before], at[before])
        place = latest[codes[before]] * (int(codes.max()) + 1) + codes[before]  # groups by their last time
    else:
        place = at[before]
    kinds, counts = np.unique(place, return_counts=True)
    upto = np.cumsum(counts)
    cut = kinds[min(int(np.argmin(np.abs(upto - (1.0 - VALIDATION) * before.size))), kinds.size - 2)]
    late = place > cut
    return before[~late], before[late]


def _at_random(
    before: np.ndarray, positive: np.ndarray, codes: np.ndarray | None, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    if codes is not None:
        one = GroupShuffleSplit(1, test_size=VALIDATION, random_state=seed)
        train, valid = next(one.split(before, groups=codes[before]))
        return before[train], before[valid]
    labels = positive[before]
    if min(labels.sum(), (~labels).sum()) < 2:
        return before, before[:0]  # refused with the split's number
    train, valid = train_test_split(before, test_size=VALIDATION, random_state=seed, stratify=labels)
    return train, valid


def _check(split: Split, i: int, positive: np.ndarray) -> None:
    for name, rows in (("training", split.train), ("validation", split.valid), ("test", split.test)):
        labels = positive[rows]
        if not labels.any() or labels.all():
            lacking = "positive" if not labels.any() else "negative"
            raise ValueError(
                f"split {i + 1} has no {lacking} row among its {rows.size} {name} rows; make fewer test parts (cv), or "
                "bring more rows"
            )
