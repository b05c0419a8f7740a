"""Skips, with a reason, of what an old version of a library cannot do."""

from __future__ import annotations

import importlib

import pytest


def need(package: str, least: str, what: str) -> None:
    """Skip the test where ``package`` is older than ``least``, the first version seen to do what is tested."""
    found = importlib.import_module(package).__version__
    if _numbers(found) < _numbers(least):
        pytest.skip(f"{what} from {package} {least} on; this is {found}")


def need_arrow(booster: str, form: str) -> None:
    """Skip where LightGBM's own estimators do not take what has the data frame interchange protocol."""
    if booster == "lightgbm" and form in ("arrow", "polars"):
        need("lightgbm", "4.7", "scikit-learn 1.6 and later name the columns of Arrow tables and Polars frames")


def _numbers(text: str) -> list[int]:
    """The release's numbers; a development version counts as its release."""
    return [int("".join(filter(str.isdigit, part)) or 0) for part in text.split(".")[:3]]
