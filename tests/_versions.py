"""Old versions of libraries: skips, with a reason, of what they cannot do, and warnings of their own."""

from __future__ import annotations

import importlib
import warnings

import pytest


def need(package: str, least: str, what: str) -> None:
    """Skip the test where ``package`` is older than ``least``, the first version seen to do what is tested."""
    if older(package, least):
        found = importlib.import_module(package).__version__
        pytest.skip(f"{what} from {package} {least} on; this is {found}")


def older(package: str, least: str) -> bool:
    """Whether ``package`` is older than ``least``."""
    return _numbers(importlib.import_module(package).__version__) < _numbers(least)


def need_arrow(booster: str, form: str) -> None:
    """Skip where LightGBM's own estimators do not take what has the data frame interchange protocol."""
    if booster == "lightgbm" and form in ("arrow", "polars"):
        need("lightgbm", "4.7", "scikit-learn 1.6 and later name the columns of Arrow tables and Polars frames")


# matplotlib 3.8 calls what pyparsing 3.3 warns of; LightGBM 4.6 takes the names of columns that it made up in fit for
# given ones, and misses them in predict.
FALSE_ALARM = "X does not have valid feature names, but LGBMClassifier was fitted with feature names"


def ignore_others() -> None:
    """Within ``warnings.catch_warnings``: let pass what old versions warn of by themselves."""
    warnings.filterwarnings("ignore", r"'\w+' deprecated - use '\w+'")
    if older("lightgbm", "4.7"):
        warnings.filterwarnings("ignore", FALSE_ALARM)


def ignoring_others() -> list[str]:
    """The same as options of a Python process, which know no patterns."""
    ignored = [":::matplotlib._fontconfig_pattern", ":::matplotlib._mathtext"]
    ignored += [":PySpark does not yet fully support pandas"]  # 4.3, of pandas 3
    ignored += [f":{FALSE_ALARM}"] if older("lightgbm", "4.7") else []
    return [part for one in ignored for part in ("-W", f"ignore{one}")]


def _numbers(text: str) -> list[int]:
    """The release's numbers; a development version counts as its release."""
    return [int("".join(filter(str.isdigit, part)) or 0) for part in text.split(".")[:3]]
