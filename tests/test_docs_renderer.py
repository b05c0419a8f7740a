"""The formulas' renderer lies in the repository as it was published, and the pages load nothing from elsewhere."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"


def test_the_renderer_is_the_published_one() -> None:
    """Checksums that docs/js/vendor_katex.sh wrote after it compared the package with its pinned one."""
    folder = DOCS / "js" / "katex"
    head, *lines = (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    script = (DOCS / "js" / "vendor_katex.sh").read_text(encoding="utf-8")
    for pinned in re.findall(r"^(?:version|integrity)=(.+)$", script, re.MULTILINE):
        assert pinned in head
    listed = dict(reversed(line.split("  ")) for line in lines)
    files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file() and p.name != "SHA256SUMS"}
    assert {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()} == listed
    assert "LICENSE" in listed


def test_the_pages_ask_for_no_script_or_style_from_elsewhere() -> None:
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    extra = re.findall(r"^  - (\S+\.(?:js|css))$", settings, re.MULTILINE)
    assert len(extra) == 4
    assert [name for name in extra if not (DOCS / name).is_file()] == []
    assert not re.search(r"https?://", settings)
