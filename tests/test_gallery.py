"""The gallery shows the scripts of examples/ as they are; what they print is compared in test_examples.py."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from _docs_scripts import gallery
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("name", gallery.names())
def test_a_page_is_made_from_the_script_of_today(name: str) -> None:
    target = gallery.PAGES / f"{name}.md"
    assert target.exists(), f"run python docs/gallery.py {name}"
    text = target.read_text(encoding="utf-8")
    assert text == gallery.page(name, *gallery.parts(text)), f"run python docs/gallery.py {name}"
    assert len(gallery.parts(text)[0].splitlines()) >= 3


def test_the_gallery_has_all_pages_and_no_others() -> None:
    expected = {*gallery.names(), "index"}
    assert {page.stem for page in gallery.PAGES.glob("*.md")} == expected
    assert (gallery.PAGES / "index.md").read_text(encoding="utf-8") == gallery.index(), "run python docs/gallery.py"
    listed = re.findall(
        r"^ +- [^:\n]+: gallery/(\w+)\.md$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert sorted(listed) == sorted(expected), "list the page in mkdocs.yml, too"


@pytest.mark.parametrize("name", sorted(set(gallery.names()) - gallery.SERVICES.keys()))
def test_a_picture_is_there_and_described(name: str) -> None:
    with Image.open(gallery.PICTURES / f"{name}.png") as picture:
        assert picture.width >= 700
    assert (gallery.PICTURES / f"{name}.png").stat().st_size < 150_000
    assert len(gallery.ALT[name]) > 30
    assert f"![{gallery.ALT[name]}](../img/gallery/{name}.png)" in (gallery.PAGES / f"{name}.md").read_text(
        encoding="utf-8"
    )


def test_a_page_gives_back_what_was_printed() -> None:
    printed = "a  1\n\n  b 2.5 # three\n"
    page = gallery.page("leads", printed, "Printed with A 1.")
    assert gallery.parts(page) == (printed, "Printed with A 1.")
    assert gallery.without_folders("wrote /tmp/x/leads.png, /a/b/model.json: 3") == "wrote leads.png, model.json: 3"
