"""A small data set in a folder, for tests of the tabular benchmark."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd


def write_shop(folder: Path, rng: np.random.Generator, missing: bool = False) -> None:
    """Write ``shop.parquet`` and its description: numbers (with ``missing`` values), a category, 30 % positive."""
    n = 900
    frame = pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n), "c": rng.choice(list("xyz"), n)})
    score = frame["a"] + (frame["c"] == "x") + 0.5 * rng.normal(size=n)
    frame["bought"] = np.where(score > np.quantile(score, 0.7), "yes", "no")
    if missing:
        frame.loc[::17, "b"] = np.nan
    frame.to_parquet(folder / "shop.parquet")
    description = ('label = "bought"', 'positive = "yes"', 'categorical = ["c"]', 'licence = "CC0-1.0"')
    (folder / "shop.toml").write_text("\n".join(description) + "\n", encoding="utf-8")
