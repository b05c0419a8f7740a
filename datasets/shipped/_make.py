"""Helpers of the scripts that created the shipped files: finding the package, writing the Parquet file."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import typer

Number = Literal["int8", "int16", "int32", "float32"]


class SourceError(RuntimeError):
    """The package that a shipped file is made from is missing or of another version than the known one."""


def source_file(package: str, version: str, relative: str, sha256: str) -> Path:
    """Find a data file inside an installed package without importing that package, and check its bytes.

    Parameters: the package's name, the version needed, the file's path inside it, and its SHA-256 as hex
    digits. Returns the file's path. Raises `SourceError` if the package is missing or of another version, or if
    the file differs.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SourceError(f"package {package!r} is not installed; run: pip install {package}=={version}")
    found = importlib.metadata.version(package)
    if found != version:
        raise SourceError(
            f"package {package!r} is version {found}, not {version}; run: pip install {package}=={version}"
        )
    path = Path(spec.submodule_search_locations[0]) / relative
    actual = hashlib.sha256(path.read_bytes()).hexdigest()
    if actual != sha256:
        raise SourceError(f"{relative} of {package} {version}: SHA-256 is {actual}, expected {sha256}; reinstall it")
    return path


def as_category(values: pd.Series, order: list[str] | None = None) -> pd.Series:
    """Turn text into a categorical column: levels sorted, or in the given order if there is one."""
    levels = sorted(values.dropna().unique()) if order is None else order
    unknown = set(values.dropna().unique()) - set(levels)
    if unknown:
        raise SourceError(f"column {values.name!r} has levels that are not in the given order: {sorted(unknown)}")
    return values.astype(pd.CategoricalDtype(levels))


def columns(
    table: pd.DataFrame,
    leave_out: tuple[str, ...],
    numbers: Mapping[str, Number],
    orders: Mapping[str, list[str]] = MappingProxyType({}),
) -> dict[str, pd.Series]:
    """The columns of a table but some: ``numbers`` of their types, the others as categories, in ``orders`` if given."""
    return {
        name: table[name].astype(numbers[name]) if name in numbers else as_category(table[name], orders.get(name))
        for name in table.columns
        if name not in leave_out
    }


def write(table: pd.DataFrame, path: Path) -> str:
    """Write a table as zstd Parquet (one row group, no pandas metadata) and return the file's SHA-256."""
    arrow = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(arrow, path, compression="zstd", compression_level=19, row_group_size=len(table))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def run(make: Callable[[], pd.DataFrame]) -> None:
    """Command line of a make script: build the table, write it to ``--out``, print its checksum."""

    def command(out: Annotated[Path, typer.Option(help="Parquet file to write.")]) -> None:
        try:
            table = make()
        except SourceError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(1) from None
        digest = write(table, out)
        typer.echo(f"{out}: {len(table)} rows, {out.stat().st_size} bytes, sha256 {digest}")

    typer.run(command)
