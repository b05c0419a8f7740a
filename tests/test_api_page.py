"""docs/api.md says what every name is for, also where nobody built the site: its lists are those of the docstrings."""

from __future__ import annotations

import importlib.util
import re

import pytest
from _docs_scripts import script

api = script("api")
TEXT = api.PAGE.read_text(encoding="utf-8")
NEEDS = {"hsboost.torch": "torch", "hsboost.dask": "distributed", "hsboost.spark": "pyspark"}


@pytest.mark.parametrize("path", api.DIRECTIVE.findall(TEXT))
def test_the_list_of_the_section_has_the_name_as_it_is_today(path: str) -> None:
    needs = NEEDS.get(path.rpartition(".")[0])
    if needs is not None and importlib.util.find_spec(needs) is None:
        pytest.skip(f"needs {needs}")
    section = next(part for part in TEXT.split("\n## ") if f"::: {path}\n" in part)
    assert api.entry(path) in section.partition("\n:::")[0] + "\n", "run python docs/api.py"


def test_the_lists_hold_nothing_else() -> None:
    listed = re.findall(r"^\* `(\w+)\(", TEXT, re.MULTILINE)
    assert listed == [path.rpartition(".")[2] for path in api.DIRECTIVE.findall(TEXT)]


def test_an_entry_says_call_purpose_and_methods() -> None:
    line = api.entry("hsboost.estimators.HSClassifier")
    assert line.startswith("* `HSClassifier(estimator, loss, k, ")
    assert ": Classifier whose trees are trained for precision at a budget, on XGBoost or LightGBM. Methods: " in line
    assert {"`fit`", "`predict_top_k`", "`save_model`"} <= set(re.findall(r"`\w+`", line))
    assert "Methods" not in api.entry("hsboost.metrics.precision_at_k")
