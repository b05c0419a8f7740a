"""The locations of a published set's files: sources in a data folder, the Parquet cache, the per-user folder."""

from __future__ import annotations

import hashlib
import os
import stat
import zipfile
from pathlib import Path

from datasets._layouts import Layout
from datasets._refusals import raise_refusal
from datasets._sources import ENDINGS, Source
from datasets.registry import DatasetError, DatasetInfo

CACHE_VARIABLE = "HSBOOST_CACHE_DIR"


def user_folder() -> Path:
    """Return the per-user folder for downloads and Parquet caches (HSBOOST_CACHE_DIR overrides it)."""
    given = os.environ.get(CACHE_VARIABLE)
    if given:
        return Path(given)
    try:
        import platformdirs
    except ImportError:  # the benchmarks also run on rented machines that lack it; this is its answer on Linux
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hsboost" / "datasets"
    return platformdirs.user_cache_path("hsboost", appauthor=False) / "datasets"


def cache_folder(info: DatasetInfo, layout: Layout, folder: Path | None) -> Path:
    """Return the folder of a set's Parquet files.

    It is in the data folder or, if that is None or read-only, in the per-user folder (under a name derived from the
    data folder's path, so that two data folders do not share a cache).
    """
    if folder is None:
        return user_folder() / info.name / "parquet" / layout.name
    if all(_writable(path) for path in (folder, folder / info.name) if path.exists()):
        return folder / info.name / "parquet" / layout.name
    key = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]
    return user_folder() / f"for-{key}" / info.name / "parquet" / layout.name


def _writable(folder: Path) -> bool:
    # Respect the permission bits even if the user could override them: a read-only folder is not changed.
    return bool(folder.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)) and os.access(folder, os.W_OK)


def find(info: DatasetInfo, layout: Layout, folder: Path) -> dict[str, Source]:
    """Find the source files of a layout in ``folder/<name>/``: part to `Source`, empty if there are none.

    A name may have the ending of a compression, or be in the layout's zip archive. Raises `DatasetError` if two files
    match.
    """
    for base in (folder / info.name, *(folder / other for other in layout.folders)):
        if base.is_dir() and (found := find_in(info, layout, base)):
            return found
    return {}


def find_in(info: DatasetInfo, layout: Layout, base: Path) -> dict[str, Source]:
    """Find the source files of a layout directly in one folder; otherwise like `find`."""
    found: dict[str, Source] = {}
    archives = [base / file.name for file in info.files if file.layout == layout.name and file.name.endswith(".zip")]
    for part, patterns in layout.names.items():
        for pattern in patterns:
            paths = sorted(path for ending in ENDINGS for path in base.glob(pattern + ending) if path.is_file())
            if len(paths) > 1:
                raise DatasetError(
                    f"{base}: {', '.join(path.name for path in paths)} all fit as the {part} file of {info.name}; "
                    "keep one, or choose with: python -m datasets convert NAME --from PATH"
                )
            if paths:
                found[part] = Source(paths[0])
                break
        else:
            for archive in archives:
                if archive.is_file() and (member := _member(archive, patterns)):
                    found[part] = Source(archive, member)
    return found


def match(layout: Layout, path: Path) -> dict[str, Source]:
    """Identify the part of a layout that a single file is, by its name: empty if it is none."""
    if path.suffix == ".zip":
        members = {part: _member(path, patterns) for part, patterns in layout.names.items()}
        return {part: Source(path, member) for part, member in members.items() if member}
    name = path.name
    for ending in ENDINGS[1:]:
        name = name.removesuffix(ending)
    for part, patterns in layout.names.items():
        if any(Path(name).match(pattern) for pattern in patterns):
            return {part: Source(path)}
    return {}


def required(layout: Layout) -> list[str]:
    """List the parts that a layout must have."""
    return [part for part in layout.names if part not in layout.optional]


def _member(archive: Path, patterns: tuple[str, ...]) -> str | None:
    try:
        with zipfile.ZipFile(archive) as opened:
            names = [name for name in opened.namelist() if not name.startswith("__MACOSX")]
    except (zipfile.BadZipFile, OSError) as error:
        raise_refusal(archive, error)
        raise DatasetError(f"{archive} is truncated or damaged ({error}); fetch or copy it again") from error
    fits = [name for name in names if any(Path(name).match(pattern) for pattern in patterns)]
    if len(fits) > 1:
        raise DatasetError(f"{archive} holds {', '.join(fits)}, which all fit; unpack the one to use")
    return fits[0] if fits else None
