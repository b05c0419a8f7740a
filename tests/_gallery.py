"""docs/gallery.py as a module: the documentation's scripts lie in no package."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any


def load() -> Any:
    place = Path(__file__).resolve().parents[1] / "docs" / "gallery.py"
    spec = importlib.util.spec_from_file_location("_docs_gallery", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


gallery = load()
