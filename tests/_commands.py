"""Running the benchmark commands and reading what they keep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from benchmarks.__main__ import app
from datasets._sealed import unseal


def command(name: str, out: Path, *more: str) -> Any:
    """Run a command into a folder."""
    result = CliRunner().invoke(app, [name, "--out", str(out), *more])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def check_refused(result: Any, words: list[str]) -> None:
    """A command that ended with one clear error, on one line, in which these words are."""
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("error: ")
    for word in words:
        assert word in result.stderr


def records(out: Path) -> list[dict[str, Any]]:
    """The finished runs of a folder, each line's checksum compared."""
    lines = (out / "runs.jsonl").read_bytes().splitlines()
    return [unseal(line) for line in lines[1:]]
