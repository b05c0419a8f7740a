"""Running the benchmark commands and reading what they keep."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from benchmarks.__main__ import app


def command(name: str, out: Path, *more: str) -> Any:
    """Run a command into a folder."""
    result = CliRunner().invoke(app, [name, "--out", str(out), *more])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def records(out: Path) -> list[dict[str, Any]]:
    """The finished runs of a folder."""
    lines = (out / "runs.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines[1:]]
