"""From the records of cases to figures: medians with quartiles, and ratios of methods timed in the same rounds."""

from __future__ import annotations

from benchmarks.suite.measure import Spread, spread
from benchmarks.suite.store import Record


def timing(record: Record, method: str) -> Spread | None:
    """Seconds of a method in a case; None where it was not timed."""
    seconds = record["methods"].get(method, {}).get("seconds")
    return spread(seconds) if seconds else None


def median(record: Record, method: str) -> float:
    """Median seconds of a method that was timed."""
    found = timing(record, method)
    assert found is not None, method
    return found.median


def ratio(record: Record, method: str, base: str) -> float | None:
    """Ratio of medians of two methods; None where one of them was not timed."""
    above, below = timing(record, method), timing(record, base)
    return above.median / below.median if above and below else None
