"""Scripts of docs/ as modules: they lie in no package."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any


def script(name: str) -> Any:
    place = Path(__file__).resolve().parents[1] / "docs" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"_docs_{name}", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


gallery = script("gallery")
