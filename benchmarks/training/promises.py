"""The promises about training time, each checked against the turns."""

from __future__ import annotations

import numpy as np

from benchmarks.targets import Target
from benchmarks.training.aggregate import Trainings
from benchmarks.training.boosters import BOOSTERS
from benchmarks.training.objectives import HYPERSIMPLEX, LOG_LOSS, OBJECTIVES, TRIVIAL

ROWS = 1_000_000
BOUNDS = ((TRIVIAL, 1.05), (LOG_LOSS, 1.12))


def targets(trainings: Trainings) -> list[Target]:
    """List the promises for both boosters, at a million rows."""
    found = []
    for name, booster in BOOSTERS.items():
        for base, bound in BOUNDS:
            claim = f"{booster.label}, 1e6 x 28: HyperSimplex against {OBJECTIVES[base].label}"
            ratios = trainings.ratios((name, ROWS), HYPERSIMPLEX, base)
            if not ratios:
                found.append(Target(claim, None, bound, note="needs 1e6 rows"))
                continue
            note = f"repeats: {len(ratios)}; {min(ratios):.3f}–{max(ratios):.3f}"
            found.append(Target(claim, float(np.median(ratios)), bound, note=note))
    return found
