"""Renew the lists of docs/api.md, which say what every name is for to readers without the built site.

    python docs/api.py      # needs torch, Dask and pyspark: their entries come from the same docstrings

The built site replaces each line `::: hsboost.…` by the whole docstring. `tests/test_api_page.py` compares the lists
with signatures and docstrings.
"""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parent / "api.md"
DIRECTIVE = re.compile(r"^::: (hsboost\.[\w.]+)\n", re.MULTILINE)
#: Standing before the first directive of a section; the list of the whole section follows.
LIST = re.compile(r"(?:^\* `.*\n(?:^  .*\n)*)+\n", re.MULTILINE)


def members(thing: type) -> list[str]:
    """Public methods that the package itself defines, in the order of their classes and sources."""
    own = [part for part in thing.__mro__ if part.__module__.startswith("hsboost")]
    found = {}
    for part in own:
        for name, value in vars(part).items():
            if not name.startswith("_") and (
                inspect.isfunction(value) or isinstance(value, classmethod | staticmethod)
            ):
                found[name] = None
    return list(found)


def entry(path: str) -> str:
    """One item of a list: the call, what it is for, its methods."""
    module, _, name = path.rpartition(".")
    thing: Any = getattr(importlib.import_module(module), name)
    parameters = [
        ("*" * (value.kind == value.VAR_POSITIONAL) + "**" * (value.kind == value.VAR_KEYWORD)) + key
        for key, value in inspect.signature(thing).parameters.items()
    ]
    summary = " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())
    summary = re.sub(r":\w+:`(?:[\w.]+\.)?(\w+)`", r"`\1`", summary).rstrip(".")
    methods = members(thing) if inspect.isclass(thing) else []
    tail = f" Methods: {', '.join(f'`{one}`' for one in methods)}." if methods else ""
    return f"* `{name}({', '.join(parameters)})`: {summary}.{tail}\n"


def renewed(text: str) -> str:
    """The page with a list in front of the first directive of every section."""
    sections = re.split(r"(?=^## )", text, flags=re.MULTILINE)
    for number, section in enumerate(sections):
        paths = DIRECTIVE.findall(section)
        if paths:
            before, first, rest = section.partition(f"::: {paths[0]}\n")
            listed = "".join(map(entry, paths)) + "\n"
            sections[number] = LIST.sub("", before) + listed + first + rest
    return "".join(sections)


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
