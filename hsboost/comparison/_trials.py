"""What is compared: losses by name, each with the few settings among which validation rows choose."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hsboost import _validation as check
from hsboost._validation import Budget, Budgets
from hsboost.losses import LOSSES, Loss, get_loss

#: The loss that all others are compared with, and its simplest rival.
BASELINE, WEIGHTED = "log-loss", "log-loss-weighted"

#: The largest share that a budget can be.
NEARLY_ALL = float(np.nextafter(1.0, 0.0))


@dataclass(frozen=True)
class Trial:
    """One setting that is trained.

    Parameters
    ----------
    loss : str or Loss, default "log-loss"
        As ``HSClassifier`` takes it; a loss of your own settings has no k.
    k_factor : float, default 1.0
        The k to train with, as a multiple of the k of the comparison. Losses without a budget do not use it.
    positive_weight : float, default 1.0
        Multiplied into the weights of the positive training rows; validation and test rows keep theirs.
    settings : mapping, optional
        More arguments of ``HSClassifier``, for example ``{"hessian_floor": 0.5}``.
    """

    loss: str | Loss = BASELINE
    k_factor: float = 1.0
    positive_weight: float = 1.0
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(
        self,
    ) -> None:  # the name of a loss is looked up when it is compared: CANDIDATES may name later ones
        check.check_positive(self.k_factor, "k_factor")
        check.check_positive(self.positive_weight, "positive_weight")
        if getattr(self.loss, "k", None) is not None:
            raise ValueError(f"loss={self.loss!r} has a k of its own; leave it out, compare_losses(k=...) sets it")
        reserved = {"estimator", "loss", "k", "calibration"} & set(self.settings)
        if reserved:
            raise ValueError(f"settings hold {sorted(reserved)[0]!r}, which the comparison sets; leave it out")

    @property
    def key(self) -> str:
        """The setting in words, as state files and results name it."""
        parts = [self.loss if isinstance(self.loss, str) else repr(self.loss)]
        parts += [f"k x {self.k_factor:g}"] if self.has_budget and self.k_factor != 1.0 else []
        parts += [f"positives x {self.positive_weight:g}"] if self.positive_weight != 1.0 else []
        parts += [f"{name}={value!r}" for name, value in sorted(self.settings.items())]
        return ", ".join(parts)

    @property
    def has_budget(self) -> bool:
        """Whether the loss trains for a budget, of all rows or of each group."""
        if isinstance(self.loss, Loss):
            return hasattr(self.loss, "k")
        return "k" in inspect.signature(LOSSES[self.loss]).parameters


@dataclass(frozen=True)
class Candidate:
    """A loss under the name it has in results, and its trials: validation rows choose one of them in every split."""

    name: str
    trials: tuple[Trial, ...]


def _at_k(loss: str, *factors: float) -> tuple[Trial, ...]:
    return tuple(Trial(loss, k_factor=factor) for factor in factors)


#: What is compared by default, those whose losses exist: at most four trials each, the search that every loss gets.
#: Of equally good trials the first is taken. More losses would widen everybody's interval.
CANDIDATES: tuple[Candidate, ...] = (
    Candidate(BASELINE, (Trial(),)),
    Candidate(WEIGHTED, tuple(Trial(positive_weight=weight) for weight in (1.0, 0.3, 0.1, 0.03))),
    Candidate("budget-log-loss", _at_k("budget-log-loss", 1.0, 0.5, 0.25, 2.0)),
    Candidate("hypersimplex", _at_k("hypersimplex", 1.0, 0.5, 0.25, 2.0)),
)


def default_candidates() -> list[Candidate]:
    """Those of :data:`CANDIDATES` whose losses are registered."""
    return [one for one in CANDIDATES if all(trial.loss in LOSSES for trial in one.trials)]


def read_candidates(losses: Any) -> list[Candidate]:
    """What a user passes as ``losses``, log loss first.

    Raises
    ------
    ValueError
        For an unknown name, a name given twice, nothing to compare log loss with.
    TypeError
        For what is no name, loss, candidate or mapping of them.
    """
    found = default_candidates() if losses is None else list(_listed(losses))
    known = {one.name: one for one in CANDIDATES}
    if all(one.name != BASELINE for one in found):
        found.insert(0, known[BASELINE])
    found.sort(key=lambda one: one.name != BASELINE)
    names = [one.name for one in found]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"losses hold {name!r} twice; give each a name of its own, as a mapping")
    if len(found) < 2:
        raise ValueError(f"losses hold {BASELINE!r} only; name a loss to compare it with, for example 'hypersimplex'")
    for trial in (trial for one in found for trial in one.trials):
        if not isinstance(trial.loss, Loss):
            get_loss(trial.loss)  # an unknown name is an error here, not after an hour
    return found


def _listed(losses: Any) -> Iterable[Candidate]:
    if isinstance(losses, Mapping):
        for name, what in losses.items():
            if not isinstance(name, str) or not name.strip():
                raise TypeError(f"losses must go from names (texts) to losses, got the name {name!r}")
            trials = tuple(map(_trial, what)) if isinstance(what, list | tuple) else _candidate(what).trials
            if not trials:
                raise ValueError(f"losses[{name!r}] is empty; give it a loss, or a list of Trial")
            yield Candidate(name, trials)
        return
    if isinstance(losses, str | Loss | Trial | Candidate):
        losses = [losses]
    if not isinstance(losses, list | tuple):
        raise TypeError(
            f"losses must be None, a list of names and losses, or a mapping from names to them, got {losses!r}"
        )
    yield from map(_candidate, losses)


def _candidate(what: Any) -> Candidate:
    if isinstance(what, Candidate):
        return what
    if isinstance(what, str):
        named = {one.name: one for one in default_candidates()}
        if what in named:
            return named[what]
        if what not in LOSSES:
            known = ", ".join([*named, *(name for name in LOSSES if name not in named)])
            raise ValueError(f"losses hold {what!r}, which is no loss; known: {known}")
    trial = _trial(what)
    return Candidate(trial.key, (trial,))


def _trial(what: Any) -> Trial:
    if isinstance(what, Trial):
        return what
    if isinstance(what, str | Loss):
        return Trial(what)
    raise TypeError(f"losses must hold names, losses, Trial or Candidate, got {what!r}")


def training_budget(k: Budgets, factor: float, positive: np.ndarray, weight: np.ndarray | None, codes: Any) -> Budgets:
    """The k to train with: ``factor`` times ``k``, for training rows with these positives and groups.

    Shares stay below 1, and a count above 0 does not become 0.
    """
    if factor == 1.0:
        return k
    if isinstance(k, Mapping):
        filled = {label: budget for label, budget in k.items() if budget is not None}
        own = _own_shares(positive, weight, codes) if len(filled) < len(k) else {}
        return {label: _times(own.get(label, 0) if budget is None else budget, factor) for label, budget in k.items()}
    if k is not None:
        return _times(k, factor)
    own = _own_shares(positive, weight, np.zeros(positive.size, np.intp) if codes is None else codes)
    shares = {label: _times(share, factor) for label, share in own.items()}
    return shares if codes is not None else shares[0]


def _own_shares(positive: np.ndarray, weight: np.ndarray | None, codes: np.ndarray) -> dict[int, Budget]:
    """Each group's share of positives; 0, the count, where it has none."""
    w = np.ones(positive.size) if weight is None else weight
    total, found = np.bincount(codes, w), np.bincount(codes, w * positive)
    return {
        int(code): min(float(found[code] / total[code]), NEARLY_ALL) if found[code] > 0.0 else 0
        for code in np.unique(codes)
    }


def _times(budget: Budget, factor: float) -> Budget:
    if isinstance(budget, float):
        # Half the way to all rows at most: training on all of them teaches nothing.
        return min(budget * factor, 0.5 * (1.0 + budget), NEARLY_ALL)
    assert budget is not None
    return max(round(budget * factor), min(budget, 1))
