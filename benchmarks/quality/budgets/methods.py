"""The methods that are compared, and their trials: as many for each, the first with the method's defaults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from benchmarks.quality.budgets.settings import ALL, BOOSTERS, GROUP, PREVALENCE, TUNED
from benchmarks.quality.budgets.several import MeanOfBudgets

#: Trials of a method: what it is given to choose from on validation.
TRIALS = 4
#: Learning rates of methods without a better use for their trials, as multiples of the trees' own.
STEPS = (1.0, 0.5, 1.5, 2.0)
#: Weights of the positives, downwards: weighting them up, the usual advice, costs the top of the list.
WEIGHTS = (1.0, 0.3, 0.1, 0.03)


@dataclass(frozen=True)
class Training:
    """One setting of a loss that is trained.

    ``loss`` is a name of hsboost's registry or a booster's own loss. ``budget`` and ``factor``: the k to train with, as
    a multiple of a budget ("" for losses without one); where ranking losses truncate. ``by_group``: a budget for each
    group. ``step`` multiplies the learning rate, ``weight`` the weights of positives, ``gamma`` is the focal loss's,
    ``tree`` is the number of the trees' settings where these are tuned (-1: not).
    """

    loss: str
    budget: str = ""
    factor: float = 1.0
    by_group: bool = False
    step: float = 1.0
    weight: float = 1.0
    gamma: float = 2.0
    tree: int = -1

    @property
    def name(self) -> str:
        """The setting in words; equal settings of different budgets have one name, and are trained once."""
        parts = [self.loss]
        if self.budget:
            number = self.factor * float(self.budget) if self.budget[0].isdigit() else None
            parts.append(f"k={number:g}" if number is not None else f"k={self.factor:g}x{self.budget}")
        parts += ["groups"] if self.by_group else []
        parts += [f"step={self.step:g}"] if self.step != 1.0 else []
        parts += [f"positives={self.weight:g}"] if self.weight != 1.0 else []
        parts += [f"gamma={self.gamma:g}"] if self.loss == "focal" else []
        parts += [f"trees={self.tree}"] if self.tree >= 0 else []
        return " ".join(parts)


Trial = Callable[[str], Training]


@dataclass(frozen=True)
class Method:
    """A method: its trials for a budget, where it can be judged, and how it is shown.

    ``ours``: a loss of this package. ``brief`` heads narrow columns. ``beside``: a training that the method is compared
    with, and without which it does not count.
    """

    name: str
    label: str
    brief: str
    trials: tuple[Trial, ...]
    ours: bool = False
    judged: tuple[str, ...] = (ALL, GROUP)
    boosters: tuple[str, ...] = field(default=BOOSTERS)
    beside: str = ""

    @property
    def has_budget(self) -> bool:
        """Whether it is trained for the budget that is judged."""
        return self.trials[0]("0.05").budget == "0.05"

    def trainings(self, budget: str, trees: str, number: int) -> list[Training]:
        """The trials at a budget; where the trees are tuned ``number`` of them, each with its own trees."""
        if trees != TUNED:
            return [trial(budget) for trial in self.trials]
        from dataclasses import replace

        # The learning rate is one of the trees' settings there.
        return [replace(self.trials[i % TRIALS](budget), step=1.0, tree=i) for i in range(number)]


def _steps(loss: str, by_group: bool = False) -> tuple[Trial, ...]:
    return tuple(lambda budget, step=step: Training(loss, step=step, by_group=by_group) for step in STEPS)


def _at_positives(loss: str, by_group: bool = False) -> tuple[Trial, ...]:
    return tuple(lambda budget, step=step: Training(loss, PREVALENCE, by_group=by_group, step=step) for step in STEPS)


def _at_k(loss: str, factors: tuple[float, ...], by_group: bool = False) -> tuple[Trial, ...]:
    return tuple(lambda budget, factor=factor: Training(loss, budget, factor, by_group) for factor in factors)


#: The loss with which all are compared, and its cheapest rival.
BASELINE, WEIGHTED, LAMBDAMART = "log-loss", "log-loss-weighted", "lambdarank"
#: Multiples of the budget at which this package's losses are trained. The Euclidean ones work below their k too, the
#: smooth ones around it and above.
EUCLIDEAN, SMOOTH = (1.0, 0.5, 0.25, 2.0), (1.0, 2.0, 4.0, 0.5)
LOSSES = (
    ("hypersimplex", "HyperSimplex", "HyperS.", EUCLIDEAN),
    ("hypersimplex-smooth", "smooth HyperSimplex", "smooth", SMOOTH),
    # Its k is the number of positives: another one has its minimum elsewhere.
    ("hypersimplex-smooth-fy", "smooth HyperSimplex, Fenchel-Young", "sm.FY", ()),
    ("budget-log-loss", "log loss at the budget", "bud.ll", EUCLIDEAN),
)

#: The loss that ``HSClassifier(k=...)`` trains: the one that the targets are about.
PRIMARY = "budget-log-loss"

#: One model for the budgets 1, 2, 5 and 10 %: the mean of `PRIMARY` at all of them, and the loss at one in the middle.
TOGETHER, MIDDLE = f"{PRIMARY}-mean", f"{PRIMARY}-2%"
SEVERAL = (TOGETHER, MIDDLE)


def _ours() -> list[Method]:
    from hsboost.losses import LOSSES as REGISTERED

    found = []
    for loss, label, brief, factors in LOSSES:
        if loss in REGISTERED:
            together = _at_k(loss, factors) or _at_positives(loss)
            by_group = _at_k(loss, factors, by_group=True) or _at_positives(loss, by_group=True)
            found.append(Method(loss, label, brief, together, True, (ALL,)))
            found.append(Method(f"{loss}/groups", f"{label}, by group", brief, by_group, True, (GROUP,)))
    return found


@cache
def methods() -> dict[str, Method]:
    """All methods by name; a loss that this version of hsboost lacks is left out.

    Those of `SEVERAL` take part only where a block asks for them.
    """
    ranking = (1.5, 1.0, 2.0, 4.0)
    rivals = [
        Method(BASELINE, "log loss", "log loss", _steps("log-loss")),
        Method(
            WEIGHTED,
            "log loss, positives weighted down",
            "weighted",
            tuple(lambda budget, weight=weight: Training("log-loss", weight=weight) for weight in WEIGHTS),  # type: ignore[misc]
        ),
        Method(
            "focal",
            "focal",
            "focal",
            tuple(lambda budget, gamma=gamma: Training("focal", gamma=gamma) for gamma in (2.0, 1.0, 0.5, 4.0)),  # type: ignore[misc]
        ),
        Method("l2", "L2", "L2", _steps("l2")),
        Method(LAMBDAMART, "LambdaMART", "λ-MART", _at_k("lambdarank", ranking, True), judged=(GROUP,)),
        Method("rank_xendcg", "XE-NDCG", "XENDCG", _steps("rank_xendcg", True), False, (GROUP,), ("lightgbm",)),
        Method("rank:pairwise", "RankNet pairs", "pairs", _steps("rank:pairwise", True), False, (GROUP,), ("xgboost",)),
    ]
    several = [
        Method(name, label, brief, (lambda budget, one=one: one,), judged=(ALL,), beside=TOGETHER)  # type: ignore[misc]
        for name, label, brief, one in (
            (TOGETHER, "one model: the mean of log loss at 1, 2, 5 and 10 %", "mean", Training(TOGETHER)),
            (MIDDLE, "one model: log loss at 2 %", "at 2 %", Training(PRIMARY, "0.02")),
        )
    ]
    return {method.name: method for method in (*rivals, *_ours(), *several)}


def ours(judged: str) -> list[Method]:
    """This package's methods for a way to judge."""
    return [method for method in methods().values() if method.ours and judged in method.judged]


def loss_of(training: Training, k: Any) -> Any:
    """The hsboost loss of a training, or None for a booster's own; ``k`` as the loss takes it."""
    from hsboost.losses import get_loss

    if training.loss == "focal":
        return get_loss("focal", gamma=training.gamma)
    if training.loss == TOGETHER:
        return MeanOfBudgets(PRIMARY)
    return get_loss(training.loss, k=k) if training.loss in {name for name, *_ in LOSSES} else None


@cache
def fingerprint(loss: str) -> str:
    """What a loss of hsboost computes, as 12 hex digits; "" for a booster's own.

    Digests gradient and curvature of fixed rows, few and many, with and without groups. A finished training is used
    again as long as its loss still computes the same.
    """
    import hashlib

    import numpy as np

    from hsboost.objectives import objective_of

    if loss_of(Training(loss, "0.05"), 0.05) is None:
        return ""
    digest = hashlib.sha256()
    rng = np.random.default_rng(0)
    for n in (2_000, 200_000):
        raw = rng.normal(size=n).round(3)
        y = (raw + rng.normal(size=n) > 1.0).astype(np.float64)
        for groups in (None, np.arange(n) // 500):
            made = loss_of(Training(loss, "0.05"), 0.05)
            if groups is not None and not made.has_budget:
                continue
            objective = objective_of(made, groups)
            for width in (0.0, 1.0, 3.0):
                for part in objective(y, width * raw):
                    digest.update(np.asarray(part, dtype=np.float32).tobytes())
    return digest.hexdigest()[:12]
