"""A model as treelite's checkpoint, by treelite's own loaders of XGBoost's and LightGBM's files."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hsboost.estimators._export.plan import Plan


def to_bytes(content: bytes, kind: str, plan: Plan) -> bytes:
    """The checkpoint of a native file's content."""
    import treelite

    try:
        return _loaded(content, kind, plan)
    except treelite.TreeliteError as error:
        reason = str(error).strip().split("\n")[0][:200]
        raise ValueError(
            f"format='treelite': treelite {treelite.__version__} does not read this model of {kind} ({reason}); "
            f"upgrade treelite, or export to format={kind!r}"
        ) from error


def _loaded(content: bytes, kind: str, plan: Plan) -> bytes:
    import treelite

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / ("model.json" if kind == "xgboost" else "model.txt")
        if kind == "xgboost":
            file.write_bytes(content)
            loaded = treelite.frontend.load_xgboost_model(str(file), format_choice="json")
        else:
            # Its loader of several classes takes LightGBM's own objectives only.
            named = f"objective=multiclass num_class:{plan.shift.size}".encode()
            file.write_bytes(content.replace(b"\nobjective=custom\n", b"\n" + named + b"\n", 1))
            loaded = treelite.frontend.load_lightgbm_model(str(file))
            if plan.shift.size > 1 and plan.link == "identity":
                loaded.get_header_accessor().set_field("postprocessor", "identity_multiclass")
    return bytes(loaded.serialize_bytes())


def load(content: bytes) -> Any:
    """treelite's model of a checkpoint."""
    import treelite

    return treelite.Model.deserialize_bytes(content)
