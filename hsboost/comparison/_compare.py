"""compare_losses: is a loss for the budget better on these rows?"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hsboost import _validation as check
from hsboost._solver.segments import Segments
from hsboost._validation import Budget, Budgets
from hsboost._version import __version__
from hsboost.comparison import _progress, _splits, _training
from hsboost.comparison._result import LossComparison
from hsboost.comparison._splits import Splits
from hsboost.comparison._state import State, described, digest
from hsboost.comparison._training import Rows
from hsboost.comparison._trials import Candidate, Trial, read_candidates
from hsboost.estimators import _boosters
from hsboost.estimators._inputs.rows import check_inputs


class ComparisonInterrupted(KeyboardInterrupt):
    """Ctrl-C in a comparison: ``partial`` is the comparison of the splits that are complete, or None."""

    def __init__(self, partial: LossComparison | None, done: int, total: int) -> None:
        super().__init__(f"interrupted after {done} of {total} trainings")
        self.partial, self.done, self.total = partial, done, total


def compare_losses(
    X: Any,
    y: ArrayLike,
    *,
    k: Budgets = None,
    groups: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    time: ArrayLike | None = None,
    pos_label: Any = None,
    estimator: Any = None,
    losses: Any = None,
    cv: Any = None,
    repeats: int | None = None,
    new_groups: bool | None = None,
    confidence: float = 0.95,
    worth: float = 0.005,
    random_state: int = 0,
    state: str | os.PathLike[str] | None = None,
    verbose: bool | Callable[[str], object] = False,
) -> LossComparison:
    """Is a loss for the budget better on my data? Train log loss and its rivals alike, and recommend one.

    Every loss gets the same rows, trees and rounds. In each split the rows before the test rows are divided again:
    trees are trained on three quarters; the last quarter, the validation rows, chooses each loss's number of rounds
    and its setting (the k it trains with, the weight of the positives; at most four by default) by precision at k.
    Test rows take no part in training or choice.

    Parameters
    ----------
    X : array-like, DataFrame or sparse matrix of shape (n, p)
        As for :class:`hsboost.HSClassifier`: categorical columns and missing values keep their meaning.
    y : array-like of shape (n,)
        Two classes.
    k : None, int, float in (0, 1), or a mapping, default None
        The budget of the comparison: how many rows you would act on. float: a share, of each group with groups. int: a
        count of all rows of X, taken as that share of each test part; with groups that are whole in every split a count
        for each group, with others a count of the group's rows in X. A mapping goes from group labels to budgets.
        None: as many as are positive.
    groups : array-like of shape (n,), optional
        Each group (day, branch, user) has its own top k. Losses with budgets train for budgets per group, log loss on
        all rows.
    sample_weight : array-like of shape (n,), optional
        Of training, validation and test rows; counts and shares are in units of it.
    time : array-like of shape (n,), optional
        Numbers or dates. Test parts are cut from the later half, each tested on models of the rows before it, whose
        latest quarter are the validation rows; rows of equal time stay together.
    pos_label : default None
        The positive class. Needed unless labels are 0/1, -1/1 or booleans.
    estimator : None, "xgboost", "lightgbm", XGBClassifier or LGBMClassifier, default None
        The booster and its trees, the same for every loss; None means ``"xgboost"``. All its rounds are trained (unless
        it stops early by a setting of its own), and the best one by validation is used.
    losses : None, list or mapping, optional
        None: :data:`hsboost.comparison.CANDIDATES`, as far as this version has them. A list of names (of candidates, or
        of :data:`hsboost.losses.LOSSES`) and losses; a mapping from names of your own to a name, a loss,
        :class:`hsboost.comparison.Trial` or a list of them, among which validation rows choose. Log loss always joins.
    cv : None, int or scikit-learn splitter, default None
        None means 5. int: so many test parts: of rows, stratified, each row tested once; of whole groups, see
        ``new_groups``; in order of time, with ``time``. Any splitter or list of (training rows, test rows): as it says;
        where all its training rows come before the test rows, the last of them are the validation rows.
    repeats : int, optional
        Split the rows anew so many times: narrower intervals for more time. Default: twice with fewer than 100,000
        rows, else once; once with ``time`` or a splitter.
    new_groups : bool, optional
        Whether groups to be predicted will be new ones (days, users): each is then in one part only. Else (branches,
        regions) every part has rows of each. Default: new with 30 groups or more.
    confidence : float, default 0.95
        Of the intervals and the recommendation.
    worth : float, default 0.005
        The least gain in precision that you would switch for.
    random_state : int, default 0
        Of the splits. The booster has its own.
    state : path-like, optional
        A file that keeps what is trained. After an interruption the same call goes on; losses and repeats may be
        added. Other rows, settings or versions are refused.
    verbose : bool or callable taking a str, default False
        Report every training: to stderr, or to the callable.

    Returns
    -------
    LossComparison
        ``print`` it; ``.frame``, ``.recommendation``, ``.plot()``.

    Raises
    ------
    ValueError, TypeError
        For labels of other than two classes, missing labels or groups, k out of range, parts without a positive or a
        negative row, a state file of another comparison, and whatever the boosters refuse.
    ComparisonInterrupted
        On Ctrl-C: a ``KeyboardInterrupt`` whose ``partial`` is the comparison of the splits that are complete.

    Notes
    -----
    Differences are paired by split. Splits share training rows, which makes their differences correlated: intervals are
    widened as Nadeau and Bengio do (variance s² (1/J + test rows / other rows) for J splits, J - 1 degrees of
    freedom), and the p of the losses are adjusted by Holm. With ``time`` this is an approximation, as training parts
    grow. Recall differs from precision by a factor that all losses share, so one test serves both.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from xgboost import XGBClassifier
    >>> from hsboost import compare_losses
    >>> X, y = make_classification(2000, weights=[0.9], flip_y=0.1, random_state=0)
    >>> trees = XGBClassifier(n_estimators=5)
    >>> comparison = compare_losses(X, y, k=0.05, estimator=trees, losses=["hypersimplex"], cv=3)
    >>> comparison.frame.index.tolist()
    ['log-loss', 'hypersimplex']
    """
    candidates = read_candidates(losses)
    confidence, worth = check.check_share(confidence, "confidence"), check.check_positive(worth, "worth")
    if not isinstance(random_state, int | np.integer) or isinstance(random_state, bool):
        raise ValueError(f"random_state must be a whole number, got {random_state!r}")
    k = check.check_budgets(k)
    X = _boosters.readable(estimator, X)
    n, labels = check_inputs(X, y)
    _boosters.check_names(estimator, X)
    booster = _training.booster_of(estimator, X)
    positive = _positive(labels, pos_label)
    weight = check.check_weight(sample_weight, n, "X")
    weight = None if weight is None else check.checked_weight(weight)
    segments = None if groups is None else Segments.by_label(groups, n, "X")
    moments = None if time is None else _splits.read_time(time, n)
    splits = _splits.make_splits(positive, segments, moments, cv, repeats, new_groups, int(random_state))
    rows = Rows(X, positive, weight, None if segments is None else segments.codes, k)
    rows = Rows(X, positive, weight, rows.codes, _test_budgets(rows, segments, splits))
    description = _description(rows, k, segments, splits, booster)

    marks = [] if state is None else [str(digest(np.r_[-1, s.train, -1, s.valid, -1, s.test])) for s in splits.parts]
    keeper = State(state, {} if state is None else _what_of(rows, booster), marks)
    trials = list({trial.key: trial for one in candidates for trial in one.trials}.values())
    try:
        return _run(candidates, trials, rows, splits, booster, keeper, verbose, description, confidence, worth)
    finally:
        keeper.close()


def _run(
    candidates: list[Candidate],
    trials: list[Trial],
    rows: Rows,
    splits: Splits,
    booster: Any,
    keeper: State,
    verbose: bool | Callable[[str], object],
    description: str,
    confidence: float,
    worth: float,
) -> LossComparison:
    keys = {trial.key for trial in trials}
    ratio = float(np.mean([split.ratio for split in splits.parts]))

    def compared(parts: list[int], what: str) -> LossComparison:
        records = [keeper.done[i, trial.key] for i in parts for trial in trials]
        return LossComparison(candidates, records, ratio, what, confidence, worth)

    total, count = len(splits.parts) * len(trials), len(splits.parts)
    done = sum(i < count and key in keys for i, key in keeper.done)
    report = verbose if callable(verbose) else _progress.to_stderr if verbose else None
    progress = _progress.Progress(report, total, done)
    try:
        for i, split in enumerate(splits.parts):
            for trial in trials:
                if (i, trial.key) in keeper.done:
                    continue
                record = {"split": i, "trial": trial.key, **_training.run(trial, booster, rows, split)}
                keeper.add(record)
                progress.add(i, count, trial.key, record["precision"], record["seconds"])
    except KeyboardInterrupt as stop:
        whole = [i for i in range(count) if all((i, key) in keeper.done for key in keys)]
        partial = compared(whole, f"{description}\nInterrupted: {len(whole)} of {count} splits") if whole else None
        raise ComparisonInterrupted(partial, progress.done, total) from stop
    return compared(list(range(count)), description)


def _positive(labels: np.ndarray, pos_label: Any) -> np.ndarray:
    """Which rows are positive."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    classes = np.unique(labels)
    if classes.size != 2:
        held = ", ".join(map(repr, classes[:4].tolist())) + (" …" if classes.size > 4 else "")
        raise ValueError(
            f"y must hold two classes, got {classes.size}: {held}; pass (y == your_label) to compare for one of them"
        )
    if pos_label is None:
        usual = {(0, 1), (-1, 1)}
        if classes.dtype.kind not in "biuf" or tuple(classes.tolist()) not in usual:
            raise ValueError(
                f"y holds {classes[0].item()!r} and {classes[1].item()!r}; say which is positive with pos_label=..."
            )
        return np.asarray(labels == classes[1])
    positive = np.asarray(labels == pos_label)
    if positive.shape != labels.shape or not positive.any():
        raise ValueError(
            f"pos_label={pos_label!r} is not among the labels, {' and '.join(map(repr, classes.tolist()))}"
        )
    return positive


def _test_budgets(rows: Rows, segments: Segments | None, splits: Splits) -> Budgets:
    """The k of every part: counts of rows that are split become shares."""
    k, n = rows.k, rows.positive.size
    w = np.ones(n) if rows.weight is None else rows.weight
    if isinstance(k, Mapping):
        if segments is None:
            raise ValueError(f"k is a mapping of {len(k)} labels, and there are no groups; pass groups=, or one budget")
        check.BudgetRule.of(k, segments.labels)  # one budget for each group
        named = check.by_label(k)
        own = {code: named[label] for code, label in enumerate(segments.labels)}
        if splits.whole_groups:
            return own
        totals = np.bincount(segments.codes, w)
        return {code: _share(budget, float(totals[code])) for code, budget in own.items()}
    if not isinstance(k, int) or splits.whole_groups:
        return _positive_count(k)
    if segments is None:
        return _share(_positive_count(k), float(w.sum()))
    totals = np.bincount(segments.codes, w)
    return {code: _share(k, float(total)) for code, total in enumerate(totals)}


def _positive_count(k: Budget) -> Budget:
    if k == 0:
        raise ValueError("k=0 acts on no row, and there is nothing to compare; pass 1 or more")
    return k


def _share(budget: Budget, total: float) -> Budget:
    """A count as a share of ``total``."""
    if not isinstance(budget, int) or budget == 0:
        return budget
    if budget >= total:
        raise ValueError(f"k={budget} is not below the {total:g} rows (or weight) there are, and all would be chosen")
    return budget / total


def _what_of(rows: Rows, booster: Any) -> dict[str, Any]:
    """What trainings depend on, beside their trial."""
    library = str(_boosters.kind(booster))
    k = rows.k
    return {
        "X": digest(rows.X),
        "y": digest(rows.positive),
        "sample_weight": digest(rows.weight),
        "groups": digest(rows.codes),
        "k": repr(k) if not isinstance(k, Mapping) else digest(np.array([repr(sorted(k.items()))])),
        "estimator": described(booster),
        "hsboost": __version__,
        library: version(library),
    }


def _description(rows: Rows, k: Budgets, segments: Segments | None, splits: Splits, booster: Any) -> str:
    n, share = rows.positive.size, float(rows.positive.mean())
    budget = "as many as are positive" if k is None else f"{100 * k:g} %" if isinstance(k, float) else f"{k}"
    of = "" if segments is None else f" of each of {len(segments.labels):,} groups"
    budget, of = ("a budget", f" for each of {len(k)} groups") if isinstance(k, Mapping) else (budget, of)
    first = splits.parts[0]
    sizes = f"{first.train.size:,} + {first.valid.size:,} + {first.test.size:,}"
    lines = [
        f"{n:,} rows, {100 * share:.3g} % positive; k: {budget}{of}; {type(booster).__name__}",
        f"{splits.words}; rows to train + validate + test: {sizes}{' (first)' if len(splits.parts) > 1 else ''}",
    ]
    chosen = _chosen_of_test(rows, splits)
    if chosen < 20:
        text = (
            f"k is about {chosen:.3g} rows of a test part: precision moves in steps of about {1 / max(chosen, 1):.2g}"
        )
        lines.append(text)
    return "\n".join(wrapped for line in lines for wrapped in textwrap.wrap(line, 79))


def _chosen_of_test(rows: Rows, splits: Splits) -> float:
    """About how many rows (or weight) are chosen of the smallest test part."""
    found = []
    for split in splits.parts:
        w = np.ones(split.test.size) if rows.weight is None else rows.weight[split.test]
        codes = np.zeros(w.size, np.intp) if rows.codes is None else rows.codes[split.test]
        labels, codes = np.unique(codes, return_inverse=True)
        rule = check.BudgetRule.of(rows.k, labels.tolist())
        masses = rule.masses(np.bincount(codes, w), np.bincount(codes, w * rows.positive[split.test]))
        found.append(float(masses.sum()))
    return min(found)
