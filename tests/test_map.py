"""Every module has a place: a layer in the import contracts, and a word in the map of CONTRIBUTING.md."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = sorted({path.parent for path in (ROOT / "hsboost").rglob("__init__.py")})


def modules(package: Path) -> set[str]:
    """Names of a package's modules and subpackages."""
    files = {path.stem for path in package.glob("*.py")} - {"__init__"}
    return files | {path.parent.name for path in package.glob("*/__init__.py")}


def name_of(package: Path) -> str:
    return ".".join(package.relative_to(ROOT).parts)


@pytest.mark.parametrize("package", PACKAGES, ids=name_of)
def test_every_module_has_a_layer(package: Path) -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (own,) = (one for one in contracts if one.get("containers") == [name_of(package)])
    named = [name.strip() for layer in own["layers"] for name in layer.split("|")]
    assert own["exhaustive"] is True
    assert sorted(named) == sorted(modules(package))


def test_every_module_is_in_the_map() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    lines = text.partition("## Where things are")[2].partition("\n## ")[0].splitlines()
    # A folder or file begins an entry; text that is indented further belongs to the entry above it.
    entry = re.compile(r"^( {4,8})([\w./]+)(?: |$)")
    described: dict[str, str] = {}
    current = ""
    for line in lines:
        found = entry.match(line)
        current = found[2] if found else current
        described[current] = described.get(current, "") + line
    for package in PACKAGES:
        if package.name == "hsboost":
            expected = {f"{m}/" if (package / m).is_dir() else f"{m}.py" for m in modules(package)}
            assert expected <= set(described)
            continue
        words = set(re.findall(r"\w+", described[f"{package.name}/"]))
        missing = {m for m in modules(package) if m not in words and f"{m}/" not in described}
        assert not missing, f"{package.name}/: {sorted(missing)}"
