"""Settings shared by all tests."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

# First calls compile kernels: no deadline. In CI the examples are always the same, so that a failure there is news.
_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("default", max_examples=80, **_COMMON)
settings.register_profile("ci", max_examples=120, derandomize=True, **_COMMON)
settings.register_profile("few", max_examples=10, derandomize=True, **_COMMON)
settings.register_profile("thorough", max_examples=3000, **_COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "default"))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name long contents by their length.

    pytest would put them into the test's name whole, and pytest-xdist asks that all workers give a test the same name,
    which a compressed file does not promise: gzip writes the second of its making into the head.
    """
    if isinstance(val, str | bytes) and len(val) > 200:
        return f"{argname} of {len(val)} {'characters' if isinstance(val, str) else 'bytes'}"
    return None


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator with the same seed in every test."""
    return np.random.default_rng(20_260_217)


@pytest.fixture
def passes_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send problems of every size through the block passes that normally serve large ones."""
    monkeypatch.setattr("hsboost._solver.search.SMALL", 0)
    monkeypatch.setattr("hsboost._solver.segments.SMALL_GROUP", 0)
    monkeypatch.setattr("hsboost._solver.problems.BLOCK", 0)
