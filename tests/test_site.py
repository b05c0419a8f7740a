"""The documentation's site in a real browser: every page, at the width of a phone and of a desk, and the search.

Needs the extra `docs` and a Chromium (`apt-get install chromium`, or the path of one in HSBOOST_BROWSER). Builds the
site, unless HSBOOST_SITE names a built one.
"""

from __future__ import annotations

import http.server
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("zensical", reason="needs zensical: pip install hsboost[docs]")
pytest.importorskip("mkdocstrings", reason="needs mkdocstrings: pip install hsboost[docs]")
playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install hsboost[docs]")

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
NAMES = ("chromium", "chromium-headless-shell", "chromium-browser", "google-chrome")
BROWSER = os.environ.get("HSBOOST_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs a browser: apt-get install chromium, or HSBOOST_BROWSER")

#: What is wrong with the page that is open. A formula's source stays in its accessible form, which nobody sees.
FAULTS = r"""
() => {
  const found = [];
  const body = document.querySelector("article") ?? document.body;
  const formulas = body.querySelectorAll(".arithmatex"), set = body.querySelectorAll(".arithmatex .katex");
  if (formulas.length !== set.length) found.push(`${formulas.length} formulas, ${set.length} typeset`);
  for (const error of body.querySelectorAll(".katex-error")) found.push(`formula: ${error.title}`);
  const walker = document.createTreeWalker(body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (node.parentElement.closest("pre, code, script, style, .katex")) continue;
    if (/\$|\\\(|\\\[/.test(node.data)) found.push(`raw formula: ${node.data.trim().slice(0, 80)}`);
    if (/^:::/.test(node.data.trim())) found.push(`no docstring: ${node.data.trim().slice(0, 80)}`);
  }
  for (const image of body.querySelectorAll("img")) {
    if (!image.complete || !image.naturalWidth) found.push(`no image: ${image.src}`);
    if ((image.alt ?? "").trim().length < 5) found.push(`image without a description: ${image.src}`);
  }
  const page = document.documentElement;
  if (page.scrollWidth > innerWidth) found.push(`${page.scrollWidth} pixels wide in ${innerWidth}`);
  if (!document.title || !body.querySelector("h1")) found.push("no title");
  return found;
}
"""


def pages() -> dict[str, str]:
    """Address of every page by its file."""
    found = {}
    for file in sorted(DOCS.rglob("*.md")):
        name = file.relative_to(DOCS).with_suffix("").as_posix()
        found[f"{name}.md"] = re.sub(r"(^|/)index/$", r"\1", f"{name}/")
    return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if os.environ.get("HSBOOST_SITE"):
        return Path(os.environ["HSBOOST_SITE"])
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(DOCS, folder / "docs")
    (folder / "hsboost").symlink_to(ROOT / "hsboost")
    shutil.copy(ROOT / "mkdocs.yml", folder)
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return folder / "site"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


class Visitor:
    """A browser on one folder: opens addresses, and notes what is wrong."""

    def __init__(self, page: Any, home: str) -> None:
        self.page, self.home, self.events = page, home, list[str]()
        page.on("console", lambda message: message.type == "error" and self.events.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: self.events.append(f"script: {error}"))
        page.on("response", lambda one: one.status >= 400 and self.events.append(f"{one.status} {one.url}"))
        page.route("**/*", self.only_here)

    def only_here(self, route: Any) -> None:
        if route.request.url.startswith((self.home, "data:", "blob:")):
            route.continue_()
        else:
            self.events.append(f"leaves the machine: {route.request.url}")
            route.abort()

    def faults(self, address: str, *more: dict[str, int]) -> list[str]:
        """Open a page on a phone, then widen it to further sizes."""
        self.events.clear()
        self.page.set_viewport_size(PHONE)
        self.page.goto(self.home + address, wait_until="networkidle")
        found = self.page.evaluate(FAULTS)
        for size in more:
            self.page.set_viewport_size(size)
            found += self.page.evaluate(FAULTS)
        return [*self.events, *found]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        sandbox = ["--no-sandbox"] if os.name == "posix" and os.geteuid() == 0 else []
        running = started.chromium.launch(executable_path=BROWSER, args=sandbox)
        yield running
        running.close()


def visiting(browser: Any, folder: Path) -> Iterator[Visitor]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = browser.new_page()
        yield Visitor(page, f"http://127.0.0.1:{server.server_port}/")
        page.close()
        server.shutdown()


@pytest.fixture(scope="module")
def visitor(browser: Any, site: Path) -> Iterator[Visitor]:
    yield from visiting(browser, site)


@pytest.mark.parametrize("name", pages())
def test_a_page_is_whole_and_fits(visitor: Visitor, name: str) -> None:
    assert visitor.faults(pages()[name], DESK) == []


def test_the_site_has_these_pages_and_formulas(visitor: Visitor, site: Path) -> None:
    built = {path.relative_to(site).as_posix().removesuffix("index.html") for path in site.rglob("index.html")}
    assert built == set(pages().values())
    visitor.faults("method/")
    assert visitor.page.locator(".katex").count() > 150
    fonts = visitor.page.evaluate("[...document.fonts].filter(f => f.status === 'loaded').map(f => f.family)")
    assert "KaTeX_Math" in " ".join(fonts)


@pytest.mark.parametrize(
    ("words", "address"), [("predict_top_k", "api/"), ("calibration", "guide/"), ("sparsemax", "losses/")]
)
def test_search_finds(visitor: Visitor, words: str, address: str) -> None:
    assert visitor.faults("") == []
    page = visitor.page
    page.keyboard.press("/")
    page.keyboard.type(words)
    hit = page.locator(f'a[href*="{address}"]:visible', has_text=re.compile(words, re.IGNORECASE))
    hit.first.wait_for(timeout=20_000)
    hit.first.click()
    page.wait_for_url(f"**/{address}**")
    assert visitor.events == []


def test_every_kind_of_fault_is_seen(browser: Any, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(
        "<title>x</title><h1>x</h1><p>cost $x^2$ <span class=arithmatex>\\(y\\)</span></p><p>::: a.b</p>"
        "<img src=nothing.png><div style='width: 2000px'>wide</div>"
        "<script>console.error('broken')</script><script>nothing()</script>"
        "<link rel=stylesheet href='http://fonts.invalid/a.css'>",
        encoding="utf-8",
    )
    with contextmanager(visiting)(browser, tmp_path) as visitor:
        found = "\n".join(visitor.faults(""))
    expected = [
        *("console: broken", "script: nothing is not defined", "404 http", "leaves the machine: http://fonts.invalid"),
        *(
            "1 formulas, 0 typeset",
            "raw formula: cost $x^2$",
            "no docstring: ::: a.b",
            "no image: ",
            "pixels wide in 390",
        ),
        "image without a description: ",
    ]
    assert [one for one in expected if one not in found] == []
