"""Measure the cost of converting a large file: ``python -m datasets.measure_conversion --rows 5000000``.

Writes a synthetic file in HIGGS's layout (CSV) or kddb's (libsvm) to a temporary folder, converts it in a separate
process, and prints the time and the peak of that process's memory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

COLUMNS, NONZEROS, BLOCK_ROWS = 28, 29, 50_000
FILES = {"higgs": ("HIGGS.csv", "uci"), "kdd10": ("kddb", "libsvm")}
_CHILD = """
import json, resource, sys
from pathlib import Path
from datasets import _convert
from datasets._sources import Source
from datasets.registry import registry
folder, name, layout = sys.argv[1:]
info = registry()[name]
source = next(path for path in (Path(folder) / name).iterdir() if path.is_file())
part = next(iter(info.layouts[layout].names))
made = _convert.convert(info, info.layouts[layout], part, Source(source), Path(folder) / "parquet")
unit = 1 if sys.platform == "darwin" else 1024
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
status = Path("/proc/self/status")
if status.exists():  # getrusage counts what the process that started this one held
    peak = next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM"))
print(json.dumps({"peak": peak, "rows": made.notes["rows"]}))
"""


def write(path: Path, rows: int, name: str = "higgs", seed: int = 0) -> int:
    """Write ``rows`` synthetic rows of "higgs" (label, 28 numbers) or "kdd10" (libsvm); returns the bytes."""
    rng = np.random.default_rng(seed)
    with path.open("w") as stream:
        for start in range(0, rows, BLOCK_ROWS):
            count = min(BLOCK_ROWS, rows - start)
            label = rng.integers(0, 2, count)
            if name == "higgs":
                values = np.column_stack([label, rng.normal(size=(count, COLUMNS))])
                np.savetxt(stream, values, fmt="%.18e", delimiter=",")
            else:
                steps = rng.integers(1, 29_890_095 // NONZEROS, (count, NONZEROS))
                np.savetxt(stream, np.column_stack([label, steps.cumsum(axis=1)]), fmt="%d" + " %d:0.185695" * NONZEROS)
    return path.stat().st_size


def measure(folder: Path, rows: int, name: str = "higgs") -> dict[str, float]:
    """Write and convert ``rows`` rows in ``folder``: bytes of text, seconds of conversion, peak memory in bytes."""
    file, layout = FILES[name]
    (folder / name).mkdir()
    size = write(folder / name / file, rows, name)
    root = str(Path(__file__).resolve().parents[1])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(folder), name, layout],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    )
    seconds = time.perf_counter() - start
    return {"bytes": size, "seconds": seconds, **json.loads(done.stdout.splitlines()[-1])}


def main(
    rows: Annotated[int, typer.Option(min=1, help="Rows to write.")] = 5_000_000,
    name: Annotated[str, typer.Option(help="higgs (CSV) or kdd10 (libsvm).")] = "higgs",
) -> None:
    """Write a synthetic file, convert it, and print time and peak memory."""
    if name not in FILES:
        raise typer.BadParameter(f"--name: {name!r} is not one of {', '.join(FILES)}")
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), rows, name)
    print(
        f"{found['rows']:,} rows, {found['bytes'] / 1e9:.2f} GB of text: {found['seconds']:.0f} s, "
        f"peak memory {found['peak'] / 1e6:,.0f} MB"
    )


if __name__ == "__main__":
    typer.run(main)
