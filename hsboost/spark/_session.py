"""What Spark says of itself, where it does: Spark Connect has neither contexts nor RDDs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pyspark.errors import PySparkException

Answer = TypeVar("Answer")


def said(ask: Callable[[], Answer]) -> Answer | None:
    """The answer, or None under Spark Connect, whose versions refuse such questions with one error or another."""
    try:
        return ask()
    except (PySparkException, NotImplementedError, AttributeError):
        return None
