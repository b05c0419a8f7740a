"""Print the installed versions of hsboost's direct requirements; exit with 1 if one is not the declared lower bound."""

from __future__ import annotations

import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]


def requirements(extra: str | None) -> list[Requirement]:
    """The requirements of the package, or those of an extra and of the extras that it names."""
    found = []
    for line in project["dependencies"] if extra is None else project["optional-dependencies"][extra]:
        one = Requirement(line)
        found += [r for e in sorted(one.extras) for r in requirements(e)] if one.name == project["name"] else [one]
    return found


wrong = 0
print(f"Python {sys.version.split()[0]}")
for one in requirements(None) + requirements("test"):
    bounds = [s.version for s in one.specifier if s.operator in (">=", "==")]
    installed = importlib.metadata.version(one.name)
    fits = len(bounds) == 1 and re.sub(r"(\.0)+$", "", str(Version(installed))) == re.sub(r"(\.0)+$", "", bounds[0])
    wrong += not fits
    print(f"{one.name} {installed}" + ("" if fits else f"  <- not the lower bound of {one}"))
sys.exit(wrong > 0)
