"""Defaults that docstrings state are those of the signatures."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest

import hsboost
import hsboost.losses
import hsboost.plotting

pytestmark = pytest.mark.truth

#: ``name : type, default value`` of the Parameters section; ``a, b : …`` states it for both.
STATED = re.compile(r"^ *(?P<names>\w+(?:, \w+)*) : .*\bdefault:? (?P<value>.+?)$", re.MULTILINE)


def public() -> Iterator[tuple[str, Any]]:
    modules = [hsboost, hsboost.losses, hsboost.plotting]
    for name, needs in (("torch", "torch"), ("dask", "distributed"), ("spark", "pyspark")):
        if importlib.util.find_spec(needs) is not None:
            modules.append(importlib.import_module(f"hsboost.{name}"))
    for module in modules:
        for name in sorted(set(module.__all__) - {"__version__", "LOSSES", "hypersimplex_obj"}):
            thing = getattr(module, name)
            yield f"{module.__name__}.{name}", thing
            if inspect.isclass(thing):
                for member in sorted(vars(thing)):
                    value = getattr(thing, member)
                    if not member.startswith("_") and callable(value):
                        yield f"{module.__name__}.{name}.{member}", value


def stated(thing: Any) -> list[tuple[str, Any]]:
    """(parameter, default) as the docstring says it."""
    doc = (inspect.getdoc(thing) or "").partition("Parameters\n-----")[2].partition("\n\nReturns\n")[0]
    doc = doc.partition("\n\nAttributes\n")[0]
    found = []
    for match in STATED.finditer(doc):
        value = match["value"].split(" (")[0] if not match["value"].startswith("(") else match["value"]
        try:
            default = ast.literal_eval(value)
        except (SyntaxError, ValueError):
            default = value
        found += [(name, default) for name in match["names"].split(", ")]
    return found


CASES = [
    pytest.param(thing, name, default, id=f"{path}-{name}")
    for path, thing in public()
    for name, default in stated(thing)
]


@pytest.mark.parametrize(("thing", "name", "default"), CASES)
def test_the_default_is_the_signatures(thing: Any, name: str, default: Any) -> None:
    parameters = inspect.signature(thing).parameters
    assert name in parameters
    assert parameters[name].default == default
    assert type(parameters[name].default) is type(default)


def test_the_defaults_are_found() -> None:
    assert len(CASES) > 60
    assert ("temperature", 1.0) in stated(hsboost.HSClassifier)
    assert ("sigma_bounds", (0.05, 20.0)) in stated(hsboost.losses.ExactLoss)
