"""The recommendation that follows from the differences, and its confidence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from hsboost.comparison._statistics import Difference, holm
from hsboost.comparison._trials import BASELINE, WEIGHTED

Verdict = Literal["switch", "as good", "not shown", "one split"]


@dataclass(frozen=True)
class Recommendation:
    """Which loss to train with.

    Attributes
    ----------
    loss : str
        The recommended one; ``"log-loss"`` unless another finds more.
    verdict : {"switch", "as good", "not shown", "one split"}
        ``"switch"``: ``loss`` has significantly higher precision at k than log loss. ``"as good"``: no other loss gains
        as much as is worth a switch, with confidence. ``"not shown"``: none is significantly better, but gains worth a
        switch cannot be excluded. ``"one split"``: without a spread nothing can be tested.
    p : float
        Of the recommended loss's difference to log loss, adjusted for the number of losses (Holm); NaN without one.
    alternatives : tuple of str
        Losses that do not differ significantly from the recommended one: those that are better than log loss, too, and
        log loss with the positives weighted, the simplest rival.
    largest_gain : float
        No loss gains more precision over log loss than this, with confidence, all losses together (Bonferroni).
    text : str
        All of it in sentences.
    """

    loss: str
    verdict: Verdict
    p: float
    alternatives: tuple[str, ...]
    largest_gain: float
    text: str

    def __str__(self) -> str:
        return self.text


def recommend(
    differences: Mapping[str, Difference],
    against: Mapping[tuple[str, str], Difference],
    confidence: float,
    worth: float,
) -> Recommendation:
    """Decide.

    Parameters
    ----------
    differences : mapping of the losses but log loss to their differences in precision to log loss
    against : mapping of pairs of the other losses to the first's difference to the second
    confidence : float
        1 - α of all tests.
    worth : float
        The least gain in precision that is worth a switch.
    """
    names = list(differences)
    means = {name: difference.mean for name, difference in differences.items()}
    sure = f"{100 * confidence:g} %"
    if any(math.isnan(one.error) for one in differences.values()):
        best = max(means, key=means.__getitem__)
        text = (
            f"One split has no spread to judge by ({best} {means[best]:+.4f}): stay with log loss, or give more splits."
        )
        return Recommendation(BASELINE, "one split", math.nan, (), math.nan, text)
    adjusted = dict(zip(names, holm([differences[name].p for name in names]), strict=True))
    largest = min(max(differences[name].interval(confidence, len(names))[1] for name in names), 1.0)
    better = [name for name in names if adjusted[name] <= 1.0 - confidence and means[name] > 0.0]
    if not better or largest < worth:
        largest = max(largest, 0.0)
        if largest < worth:
            text = (
                f"Log loss is as good here: no other loss gains as much as {worth:g} precision ({sure} certain, all "
                f"{len(names)} together: at most {largest:+.4f})."
            )
            return Recommendation(BASELINE, "as good", math.nan, (), largest, text)
        text = (
            f"Stay with log loss: no other loss is better beyond noise. Gains up to {largest:+.4f} cannot be excluded "
            f"({sure}, all {len(names)} together); more splits (repeats) or rows would tell."
        )
        return Recommendation(BASELINE, "not shown", math.nan, (), largest, text)
    best = max(better, key=means.__getitem__)
    # The weighted log loss is compared even if it is not significantly better: it is the simplest rival.
    others = [name for name in names if name != best and (name in better or name == WEIGHTED)]
    apart = dict(zip(others, holm([against[best, name].p for name in others]), strict=True))
    same = tuple(name for name in others if apart[name] > 1.0 - confidence)
    low, high = differences[best].interval(confidence)
    gain = f"{means[best]:+.4f} precision (p = {adjusted[best]:.2g} after Holm's correction for {len(names)} losses)"
    text = f"Use {best}: {gain}, between {low:+.4f} and {high:+.4f} with {sure} confidence."
    if low < worth:
        text += f" It may be less than the {worth:g} that is worth a switch."
    if WEIGHTED in same:
        text += (
            f" Log loss with the positives weighted ({means[WEIGHTED]:+.4f}) is not told apart from it, and is the "
            "simpler way."
        )
    elif WEIGHTED in others:
        text += f" It finds more than log loss with the positives weighted, too (p = {apart[WEIGHTED]:.2g})."
    rest = [name for name in same if name != WEIGHTED]
    if rest:
        text += f" Not told apart from it: {', '.join(rest)}."
    return Recommendation(best, "switch", adjusted[best], same, largest, text)
