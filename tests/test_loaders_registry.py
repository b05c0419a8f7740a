"""The registry is complete and consistent, and the page about the data sets says what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import datasets
from datasets import page
from datasets.loaders import published
from datasets.registry import registry

DOCS = Path(__file__).resolve().parents[1] / "docs" / "datasets.md"
NAMES = [name for name, info in registry().items() if info.published]
PAPER = {
    "higgs": (0.823, 0.846),
    "flight": (0.773, 0.778),
    "kdd10": (0.826, 0.849),
    "kdd12": (0.724, 0.729),
    "criteo": (0.774, 0.796),
    "avazu": (0.738, 0.741),
    "kkbox": (0.777, 0.797),
    "movielens": (0.827, 0.828),
}


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.delenv("HSBOOST_DATA_DIR", raising=False)
    monkeypatch.setenv("HSBOOST_CACHE_DIR", str(tmp_path))


def test_the_eight_sets_of_the_paper_and_one_for_scale_are_there():
    assert [*PAPER, "flights3m"] == NAMES
    for name, (cross_entropy, hypersimplex) in PAPER.items():
        assert registry()[name].paper == {"cross_entropy": cross_entropy, "hypersimplex": hypersimplex}
        assert registry()[name].figures
    assert datasets.list_datasets() == ["nycflights13", "adult", "bank_marketing"]


@pytest.mark.parametrize("name", NAMES)
def test_every_set_says_what_it_is(name):
    info = registry()[name]
    for text in (
        info.title,
        info.task,
        info.label_meaning,
        info.split_meaning,
        info.licence,
        info.source,
        info.citation,
    ):
        assert text
    assert 0 < info.positive_rate < 1
    assert published.hooks_of(info)
    assert datasets.describe(name).here.startswith("not here")
    if info.group:
        assert info.group_meaning


@pytest.mark.parametrize("name", NAMES)
def test_files_have_addresses_and_checksums_that_can_be_right(name):
    info = registry()[name]
    for file in info.files:
        assert file.layout in info.layouts
        assert file.urls
        assert all(re.fullmatch(r"https?://\S+", url) and url.endswith(file.name) for url in file.urls)
        for checksum in [*([] if file.checksum is None else [file.checksum]), *file.members.values()]:
            assert re.fullmatch(r"md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", checksum)
    fetched = {file.layout for file in info.files}
    assert not info.files or next(iter(info.layouts)) in fetched


@pytest.mark.parametrize(("name", "layout"), [(n, x) for n in NAMES for x in registry()[n].layouts])
def test_layouts_are_consistent(name, layout):
    info = registry()[name]
    found = info.layouts[layout]
    columns = [*found.columns, *found.derived]
    kinds = {"label", "drop", "raw", "order", "group", "category", "float32", "float64", "int32", "int64"}
    assert {column.kind for column in columns} <= kinds
    assert set(found.names) <= {"all", "train", "valid", "test"}
    if found.sparse:
        assert found.features
        assert not columns
        return
    assert sum(column.kind == "label" for column in columns) == 1
    assert len({column.source for column in found.columns}) == len(found.columns)
    group = found.overrides.get("group", info.group)
    assert group is None or group in {column.name for column in columns if column.kind in ("group", "category")}
    if found.overrides.get("split") == "within_groups":
        assert any(column.kind == "order" for column in columns)
    if "all" in found.names and name not in ("higgs", "flights3m"):
        assert found.overrides["split"] in ("order", "groups", "within_groups")


def test_the_page_is_up_to_date():
    text = DOCS.read_text(encoding="utf-8")
    remedy = "run: python -m datasets.page docs/datasets.md"
    assert page.replaced(text) == text, remedy
    for name in registry():
        assert f"`{name}`" in text


@pytest.mark.parametrize("name", NAMES)
def test_the_page_has_the_figures(name):
    info = registry()[name]
    text = DOCS.read_text(encoding="utf-8")
    section = text.split(f"### {name}\n")[1].split("\n### ")[0]
    for value in [*info.paper.values(), *(figure.test for figure in info.figures)]:
        assert f"{value:.4g}" in section
    for layout in info.layouts:
        assert f"Layout `{layout}`" in section
    assert info.licence in section


def test_the_limit_on_levels_is_the_one_on_the_page():
    from datasets._convert import LEVELS_AT_MOST

    assert f"**{LEVELS_AT_MOST} levels or fewer**" in DOCS.read_text(encoding="utf-8")
