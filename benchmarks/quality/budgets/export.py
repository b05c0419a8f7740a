"""The cells as plain rows: cells.csv and results.json."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

from benchmarks.quality.budgets.cells import DEFAULTS, METRICS, TUNED, Cells
from benchmarks.quality.budgets.methods import BASELINE, LAMBDAMART, WEIGHTED
from benchmarks.suite.report import replace

FILE = "cells.csv"


def rows(cells: Cells) -> list[dict[str, Any]]:
    """A row for each cell, method, variant and rival: means of both, the difference with its interval, time."""
    found = []
    for cell in cells.cells:
        known = cells.methods(cell)
        bases = [base for base in (BASELINE, WEIGHTED, LAMBDAMART) if base in {one.name for one in known}]
        for method in known:
            for base in bases:
                if method.name == base or (not method.ours and base != BASELINE):
                    continue
                for variant in (DEFAULTS, TUNED):
                    row: dict[str, Any] = cell._asdict() | {
                        "rows_seen": cells.rows(cell), "method": method.name, "variant": variant, "rival": base,
                    }  # fmt: skip
                    times = cells.time(cell, method.name, base) or (math.nan,) * 3
                    for name, value in zip(("time_ratio", "time_low", "time_high"), times, strict=True):
                        row[name] = None if math.isnan(value) else value
                    for metric in METRICS:
                        compared = cells.compare(cell, (method.name, variant), (base, TUNED), metric)
                        if compared is None:
                            break
                        low, high = compared.interval
                        values = {
                            "": compared.ours, "_rival": compared.base, "_difference": compared.difference.mean,
                            "_low": low, "_high": high, "_p": compared.difference.p,
                        }  # fmt: skip
                        row["splits"] = compared.splits
                        row |= {f"{metric}{end}": None if math.isnan(v) else v for end, v in values.items()}
                    else:
                        found.append(row)
    return found


def write(cells: Cells, out: Path) -> list[str]:
    """Write cells.csv; returns its name."""
    lines = rows(cells)
    if not lines:
        return []
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: f"{v:.6g}" if isinstance(v, float) else v for name, v in line.items()} for line in lines)
    replace(out / FILE, text.getvalue())
    return [FILE]
