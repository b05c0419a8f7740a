"""MovieLens: the x1 tag data as CSV or as libsvm (user:1 item:1 tag:1), or ratings in RecBole's .inter form."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from datasets._csv import Derive
from datasets._layouts import Layout
from datasets._sources import Source
from datasets.loaders import published


def derive(layout: Layout, source: Source) -> Derive | None:
    """Ids from the libsvm form's ``id:1`` words."""

    def make(texts: dict[str, pa.Array]) -> dict[str, pa.Array]:
        return {f"{name}_id": _identity(texts[name]) for name in ("user", "item", "tag")}

    return make if layout.name == "afn" else None


def _identity(words: pa.Array) -> pa.Array:
    fits = pc.fill_null(pc.match_substring_regex(words, r"^\d+:1(\.0+)?$"), False)
    return pc.if_else(fits, pc.replace_substring_regex(words, r":.*$", ""), pa.scalar(None, pa.string()))


HOOKS = published.Hooks(derive=derive)
