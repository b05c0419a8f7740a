"""The documentation is correct: code blocks run, commands and links work, every public name is described."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from _docs_scripts import script

import hsboost
import hsboost.losses

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MARKS = ("main job", "tests")

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)


def blocks(page: Path, language: str) -> list[str]:
    """Fenced blocks of one language, with their line numbers kept by leading newlines."""
    text = page.read_text(encoding="utf-8")
    return ["\n" * text.count("\n", 0, m.start(2)) + m[2] for m in FENCE.finditer(text) if m[1] == language]


def prose(page: Path) -> str:
    """The page without its fenced blocks and inline code."""
    return re.sub(r"`[^`\n]+`", "", FENCE.sub("", page.read_text(encoding="utf-8")))


def commands(page: Path) -> list[str]:
    """What a reader is asked to type."""
    lines = [line for block in blocks(page, "console") for line in block.splitlines()]
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def anchors(page: Path) -> set[str]:
    """Names of a page's headings, as GitHub and MkDocs form them."""
    headings = HEADING.findall(FENCE.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


RUNNER = """
import sys
namespace = {"__name__": "__main__"}
for number, source in enumerate(sys.stdin.read().split("\\0")):
    exec(compile(source, sys.argv[1], "exec"), namespace)
"""


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=name_of)
def test_python_blocks_run_in_order_in_one_namespace(page: Path) -> None:
    needs_torch = any(re.search(r"^(import|from) torch\b", block, re.MULTILINE) for block in blocks(page, "python"))
    if needs_torch and importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed: pip install hsboost[torch]")
    # A process of its own: a reader starts afresh. One thread: the tables are tiny, and other tests run beside this.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg"}
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, name_of(page)],
        input="\0".join(blocks(page, "python")),
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=ROOT,
        env={**environment, "PYTHONIOENCODING": "utf-8"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("mark", MARKS)
def test_marked_commands_of_the_readme_are_there_and_ask_for_extras_that_exist(mark: str) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.findall(rf"^<!-- ci: {mark} -->\n```console\n\$ (.+)\n```$", text, re.MULTILINE)
    assert len(found) == 1, f"README needs exactly one one-line console block right after <!-- ci: {mark} -->"
    assert "python3 -m venv" in found[0], "a newcomer starts without an environment"
    assert re.search(r'pip install .*-e "\.\[\w+\]"', found[0])
    runner = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert f'readme_command "{mark}"' in runner


def test_the_readme_installs_from_a_clone_and_explains_every_extra_of_the_user() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition("## Install\n")[2].partition("\n## ")[0]
    assert not re.search(r"^\$.*pip install[^.\n]*hsboost", section, re.MULTILINE), "hsboost is on no index"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    explained = re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`.+?) \|", section, re.MULTILINE)))
    assert {*explained, "rivals", "docs", "dev"} == set(project["project"]["optional-dependencies"])  # for developers
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == ["hsboost"]


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=name_of)
def test_commands_name_extras_that_exist_and_no_place_of_this_machine(page: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = set(project["optional-dependencies"])
    for command in commands(page):
        for names in re.findall(r"(?:\.|hsboost)\[([\w,\- ]+)\]", command):
            assert {name.strip() for name in names.split(",")} <= extras, command
        assert not re.search(r"""(?:^|[\s"'=:])(?:~|/\w|[A-Za-z]:\\)""", command), f"a path of one machine: {command}"
        assert not re.search(r"index-url|://|localhost|\d+\.\d+\.\d+\.\d+", command), f"a host: {command}"


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=name_of)
def test_relative_links_and_images_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, fragment = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.is_relative_to(ROOT), f"{target} leaves the repository"
        assert file.exists(), f"{target} does not exist"
        if page.parent == ROOT / "docs":
            assert file.is_relative_to(ROOT / "docs"), f"{target} would be missing from the built pages"
        if fragment:
            assert fragment in anchors(file), f"{target}: no such heading"


def test_link_checker_sees_the_links() -> None:
    found = LINK.findall(prose(ROOT / "README.md"))
    assert {"docs/guide.md", "docs/img/how_it_works.png", "#does-it-help"} <= set(found)


@pytest.mark.parametrize("name", sorted(set(hsboost.__all__) - {"__version__"}))
def test_public_names_are_described_and_in_the_reference(name: str) -> None:
    thing = getattr(hsboost, name)
    doc = inspect.getdoc(thing)
    assert doc
    assert len(doc.splitlines()[0]) > 20
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert re.search(rf"^(?:::: |### `|::: [\w.]+\.){name}\b", page, re.MULTILINE), f"docs/api.md lacks {name}"


@pytest.mark.parametrize("name", sorted(set(hsboost.__all__) - {"__version__", "hypersimplex_obj"}))
def test_public_methods_have_docstrings(name: str) -> None:
    thing = getattr(hsboost, name)
    for member, value in vars(thing).items() if inspect.isclass(thing) else ():
        if not member.startswith("_") and (callable(value) or isinstance(value, property)):
            assert inspect.getdoc(getattr(thing, member, value)) or inspect.getdoc(value), f"{name}.{member}"


def in_the_reference() -> list[str]:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    return re.findall(r"^::: hsboost\.([\w.]+)$", page, re.MULTILINE)


@pytest.mark.parametrize("path", in_the_reference())
def test_reference_points_at_public_names_that_exist(path: str) -> None:
    module, _, name = path.rpartition(".")
    needs = {"torch": "torch", "dask": "distributed", "spark": "pyspark"}.get(module)
    if needs is not None:
        pytest.importorskip(needs)
    home = importlib.import_module(f"hsboost.{module}")
    assert getattr(home, name)
    public = home.__all__ if needs is not None else {*hsboost.__all__, *hsboost.losses.__all__}
    assert name in public, f"{name} is in the reference but not public"


def test_every_page_is_in_the_navigation() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = set(re.findall(r"^ +- [^:\n]+: ([^\s/]+\.md)$", text, re.MULTILINE))  # the gallery: test_gallery.py
    assert listed == {page.name for page in PAGES if page.parent == ROOT / "docs"}


@pytest.mark.parametrize(
    ("page", "mark", "reports", "least"),
    [
        ("README.md", "table", ["tabular"], 11),
        ("README.md", "paper", ["tabular-paper", "tabular-fair"], 11),
        ("README.md", "budgets", ["budgets-shipped"], 11),
        ("docs/index.md", "wins", ["tabular"], 4),
        ("docs/when-it-helps.md", "groups", ["budgets"], 20),
        ("docs/when-it-helps.md", "rows", ["budgets"], 40),
        ("docs/when-it-helps.md", "growth", ["budgets-growth"], 24),
        ("docs/when-it-helps.md", "rivals", ["budgets-rivals"], 24),
        ("docs/when-it-helps.md", "several", ["budgets-several"], 36),
        ("docs/when-it-helps.md", "noise", ["budgets-noise"], 30),
        ("docs/when-it-helps.md", "confirm", ["budgets-confirm"], 30),
    ],
)
def test_the_figures_are_those_of_the_committed_reports(page: str, mark: str, reports: list[str], least: int) -> None:
    readme = (ROOT / page).read_text(encoding="utf-8")
    section = readme.split(f"<!-- {mark}: begin -->")[1].split(f"<!-- {mark}: end -->")[0]
    figures = [line for line in section.splitlines() if line.startswith("|")]
    texts = [(ROOT / "docs/results" / name / "table.md").read_text(encoding="utf-8") for name in reports]
    found = {line for text in texts for line in text.splitlines()}
    assert len(figures) >= least
    assert [line for line in figures if line not in found] == []


def test_the_home_page_has_the_readmes_two_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    marked = re.findall(r"<!-- ci: [\w ]+ -->\n```console\n\$ (.*)\n```", text)
    assert commands(ROOT / "docs" / "index.md") == marked
    assert len(marked) == 2


def test_what_remedies_for_rare_positives_do_to_the_top_is_the_committed_report() -> None:
    text = (ROOT / "docs" / "coming_from.md").read_text(encoding="utf-8")
    shown = text.split("<!-- top: begin -->")[1].split("<!-- top: end -->")[0].strip()
    found = json.loads((ROOT / "docs/results/top/results.json").read_text(encoding="utf-8"))
    assert shown == script("figures_top").table(found)
