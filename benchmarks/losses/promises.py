"""The promises about EXACT's cost, each checked against the cases."""

from __future__ import annotations

from benchmarks.losses.aggregate import FIT_FROM, Figures, ratio
from benchmarks.targets import Target

CLASSES = 16
LARGEST = 1000


def targets(figures: Figures) -> list[Target]:
    """List the promises: cost against Genz, error against Genz, growth with nodes times classes."""
    record = figures.at("exact", CLASSES)
    claims = (
        f"EXACT with gradient and curvature against 512-sample Genz (value only), C = {CLASSES}: times cheaper",
        f"EXACT's largest error against Genz's, C = {CLASSES}",
        f"EXACT's time per row grows as (nodes · classes)^p, C = {FIT_FROM} … {LARGEST}: p",
        f"… and that line explains the times (R²), C up to {LARGEST}",
    )
    missing = f"needs --families exact with {CLASSES} classes"
    cheaper = None if record is None else ratio(record, "genz", "exact")
    errors = None
    if record is not None:
        errors = record["methods"]["exact"]["error"] / record["methods"]["genz"]["error"]
    fit = figures.fit() if figures.at("exact", LARGEST) else None
    no_fit = "" if fit else f"needs {LARGEST} classes and two more of at least {FIT_FROM}"
    return [
        Target(claims[0], cheaper, 20.0, at_least=True, note="" if record else missing),
        Target(claims[1], errors, 1.0, note="" if record else missing),
        Target(claims[2], fit.power if fit else None, 1.1, unit="", note=no_fit),
        Target(claims[3], fit.r2 if fit else None, 0.98, unit="", at_least=True, note=no_fit),
    ]
