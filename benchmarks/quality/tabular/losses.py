"""Which losses there are, under which names."""

from __future__ import annotations

from benchmarks.quality.tabular.adapters import Hypersimplex, LogLoss, Loss, Range, Registered, SquaredError
from benchmarks.quality.tabular.published import PublishedHypersimplex
from benchmarks.quality.tabular.rivals import ClassWeighted, Ranking

#: Losses that ``--losses`` may name. Not among them, because with two classes they are others: softmax and sampled
#: softmax (log loss), squared (L2).
LOSSES: dict[str, Loss] = {
    loss.name: loss
    for loss in (
        SquaredError(),
        LogLoss(),
        Hypersimplex(),
        Hypersimplex(convex=True),
        ClassWeighted(),
        Registered("focal", "focal", space={"gamma": Range(0.25, 4.0, 2.0, log=True)}),
        Ranking(),
        Registered("exact", "EXACT"),
        Registered("exact-log", "EXACT, -log P", "exact", log=True),
        Registered("sparsemax", "sparsemax"),
        Registered("entmax15", "entmax 1.5"),
        Registered("hinge", "hinge"),
        Registered("squared-hinge", "squared hinge"),
    )
}
#: With those of one protocol only.
EVERY_LOSS: dict[str, Loss] = LOSSES | {PublishedHypersimplex.name: PublishedHypersimplex()}
DEFAULT_LOSSES = (SquaredError.name, LogLoss.name, Hypersimplex.name)
BASELINE = LogLoss.name
