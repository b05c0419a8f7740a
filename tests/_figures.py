"""What tests of displays share."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib
from _versions import ignore_others

matplotlib.use("Agg")
import matplotlib.pyplot as plt


@contextmanager
def drawing() -> Iterator[None]:
    """No warnings from drawing, and no figure survives its test."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ignore_others()
        yield
    plt.close("all")
    assert plt.get_fignums() == []
