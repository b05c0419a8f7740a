"""The shared part of the published sets' loaders: find the files, convert them once, open the result."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from datasets import _places
from datasets._convert import Part, Progress, Unusable, cached, convert, inspect
from datasets._csv import Derive
from datasets._layouts import Layout, SourceFile
from datasets._lock import making
from datasets._sources import Source, digest, digest_of
from datasets._store import PART_CODES, DamagedCache, Store, open_parquet
from datasets.registry import DatasetError, DatasetInfo, unknown

OPEN_AT_MOST = 3
Watch = Callable[[str], Progress]
_opened: dict[tuple[object, ...], Store] = {}
_opening = threading.Lock()


@dataclass(frozen=True)
class Hooks:
    """A set's special cases beyond the registry.

    ``derive`` (layout, source) returns the function that computes the layout's derived columns from the raw ones,
    or None. ``split`` (rows) returns the source's own split for one file that holds all rows ((n,) int8, or
    None for an incomplete file). ``carve`` is the way to cut a validation split if the source has only train and
    test: "end" (the last 5% of train) or "seed" (10% of train, at random).
    """

    derive: Callable[[Layout, Source], Derive | None] | None = None
    split: Callable[[int], np.ndarray | None] | None = None
    carve: str = "end"


def hooks_of(info: DatasetInfo) -> Hooks:
    """Return the hooks of a set's module."""
    found: Hooks = importlib.import_module(f"datasets.loaders.{info.loader}").HOOKS
    return found


def home(folder: Path | None) -> Path:
    """Return the folder with a set's files: the data folder, otherwise the per-user one."""
    return _places.user_folder() if folder is None else folder


def available_layout(info: DatasetInfo, folder: Path | None) -> str | None:
    """Return the first layout in which a set can be loaded now, without reading it: None if there is none."""
    return next((layout.name for layout in info.layouts.values() if is_available(info, layout, folder)), None)


def is_available(info: DatasetInfo, layout: Layout, folder: Path | None) -> bool:
    """Whether a set can be loaded in this layout now, without reading it."""
    return _complete(layout, _sources(info, layout, folder)) or _complete(layout, _within_reach(info, layout, folder))


def nothing_there(info: DatasetInfo, layout: Layout, folder: Path | None) -> DatasetError:
    """The error for a layout without files."""
    return DatasetError(_nothing(info, home(folder), [layout], folder))


def choose(info: DatasetInfo, folder: Path | None, wanted: str | None = None) -> Layout:
    """Return the layout to load: the requested one, otherwise the first in the registry whose files exist."""
    if wanted is not None and wanted not in info.layouts:
        raise unknown("layout", wanted, info.layouts)
    name = wanted if wanted is not None else available_layout(info, folder)
    if name is not None:
        return info.layouts[name]
    raise DatasetError(_nothing(info, home(folder), info.layouts.values(), folder))


def parts(
    info: DatasetInfo,
    layout: Layout,
    folder: Path | None,
    hooks: Hooks,
    *,
    sources: dict[str, Source] | None = None,
    max_malformed: int | None = None,
    watch: Watch | None = None,
    check: bool = False,
) -> dict[str, Part]:
    """Return the converted parts of a layout, in the order train, valid, test; converts missing ones.

    ``sources`` overrides the files in the folder. A cache of another source or another version of this code, or a
    damaged one, is converted again; ``check`` reads all of it to find damage. Of several concurrent calls one converts
    a file and the others wait. ``max_malformed``: malformed rows to accept in each file; None (default) accepts none in
    a new conversion, and any existing cache.
    """
    found = _sources(info, layout, folder) if sources is None else sources
    cache = _places.cache_folder(info, layout, folder)
    made: dict[str, Part] = {}

    def usable(part: str, source: Source | None) -> Part | None:
        old = cached(layout, part, cache, source)
        if old is None or (max_malformed is not None and old.notes["malformed"]["count"] > max_malformed):
            return None
        return old if not check or _is_whole(info, layout, part, old) else None

    for part in layout.names:
        fault = _fault(layout, part, cache)
        source = found.get(part) or (None if fault is None else fault.source)
        old = usable(part, found.get(part))
        if old is None and source is not None:
            limit = max_malformed if max_malformed is not None else 0 if fault is None else fault.malformed
            with making(cache, f"{part}.parquet"):
                # Another process may have converted it in the meantime.
                if (old := usable(part, found.get(part))) is None:
                    derive = None if hooks.derive is None else hooks.derive(layout, source)
                    shown = None if watch is None else watch(f"{info.name} {part}")
                    old = convert(info, layout, part, source, cache, derive=derive, max_malformed=limit, progress=shown)
        if old is not None:
            made[part] = old
    if not _complete(layout, made):
        raise nothing_there(info, layout, folder)
    return made


def converted(info: DatasetInfo, layout: Layout, folder: Path | None) -> dict[str, Part] | None:
    """Return the converted parts of a layout if all exist and match their sources; converts nothing."""
    found, cache = _sources(info, layout, folder), _places.cache_folder(info, layout, folder)
    made = {part: cached(layout, part, cache, found.get(part)) for part in layout.names}
    whole = {part: old for part, old in made.items() if old is not None}
    return whole if _complete(layout, whole) and set(found) <= set(whole) else None


def convert_from(
    info: DatasetInfo,
    folder: Path | None,
    source: Path | None,
    wanted: str | None,
    max_malformed: int,
    watch: Watch | None = None,
) -> tuple[dict[str, Part], Layout]:
    """Convert ``source`` (a file or a folder; None: the data folder) into the cache of ``folder``."""
    if wanted is not None and wanted not in info.layouts:
        raise unknown("layout", wanted, info.layouts)
    hooks = hooks_of(info)
    if source is None:
        layout = choose(info, folder, wanted)
        return parts(info, layout, folder, hooks, max_malformed=max_malformed, watch=watch, check=True), layout
    if not source.exists():
        raise DatasetError(f"--from: {source} does not exist")
    candidates = [layout for layout in info.layouts.values() if wanted in (None, layout.name)]
    for layout in candidates:
        found = _places.find_in(info, layout, source) if source.is_dir() else _places.match(layout, source)
        if not found and wanted is not None and source.is_file() and list(layout.names) == ["all"]:
            found = {"all": Source(source)}
        done = converted(info, layout, folder) or _made(info, layout, folder)
        if found and _complete(layout, {**done, **found}):
            made = parts(
                info, layout, folder, hooks, sources=found, max_malformed=max_malformed, watch=watch, check=True
            )
            return made, layout
    names = "; ".join(
        f"{layout.name}: {' + '.join(layout.names[part][0] for part in _places.required(layout))}"
        for layout in candidates
    )
    raise DatasetError(
        f"--from: {source} does not have the files of {info.name} ({names}; as they are or .gz, .bz2, .xz); "
        "rename them so, or name the form of a single file with --layout"
    )


def verify(info: DatasetInfo, folder: Path | None, check: Callable[[SourceFile, Path], str]) -> Iterator[str]:
    """Check the local files and the caches; yields a line for each, raises `DatasetError` at the first fault."""
    seen = 0
    for layout in info.layouts.values():
        for source in _sources(info, layout, folder).values():
            seen += 1
            yield _verify_source(info, source, check)
        cache = _places.cache_folder(info, layout, folder)
        for part in layout.names:
            try:
                made = inspect(layout, part, cache, None)
            except Unusable as fault:
                seen += 1
                path = cache / f"{part}.parquet"
                if fault.damaged:
                    again = _sources(info, layout, folder).get(part) or fault.source
                    remedy = (
                        f"the next use converts it again from {again}"
                        if again is not None
                        else "fetch or copy its source again: the next use converts it"
                    )
                    raise DatasetError(f"{path} cannot be trusted: {fault}; {remedy}") from fault
                yield f"{path} is not in use: {fault}"
            else:
                if made is not None:
                    seen += 1
                    Store(info, layout, {part: made}).check()
                    yield f"ok: {made.path} is whole ({made.notes['rows']:,} rows)"
    if not seen:
        raise DatasetError(_nothing(info, home(folder), info.layouts.values(), folder))


def _verify_source(info: DatasetInfo, source: Source, check: Callable[[SourceFile, Path], str]) -> str:
    known = [subset for subset in info.subsets if subset.sha256 == digest(source.path)]
    if known:
        return f"ok: {source} is a known copy, for which no checksum is published: {known[0].note}"
    if source.member is not None:
        members = next((file.members for file in info.files if file.name == source.path.name), {})
        if (expected := members.get(Path(source.member).name)) is not None:
            algorithm, _, value = expected.partition(":")
            if (found := digest_of(source, algorithm)) != value:
                raise DatasetError(f"{source}: {algorithm} is {found}, expected {value}; remove it and fetch it again")
            return f"ok: {source} has the {algorithm} that was published"
    files = [file for file in info.files if file.name == source.path.name]
    if not files:
        return f"{source}: no checksum is published under this name; its SHA-256 is {digest(source.path)}"
    return f"ok: {source} {check(files[0], source.path)}"


def read(info: DatasetInfo, folder: Path | None, hooks: Hooks, wanted: str | None = None) -> Store:
    """Open a published set, after converting it if necessary; errors name the files and the remedy."""
    layout = choose(info, folder, wanted)
    made = parts(info, layout, folder, hooks)
    key = (info.name, *((part.path, part.path.stat().st_mtime_ns) for part in made.values()))
    with _opening:
        if key not in _opened:
            while len(_opened) >= OPEN_AT_MOST:
                _opened.pop(next(iter(_opened)))
            _opened[key] = _open(local_info(info, layout, made), layout, made, hooks)
        return _opened[key]


def _open(info: DatasetInfo, layout: Layout, made: dict[str, Part], hooks: Hooks) -> Store:
    schemas = {part: set(open_parquet(made[part]).schema_arrow.names) for part in made}
    for part, names in schemas.items():
        if names != (first := next(iter(schemas.values()))):
            raise DatasetError(
                f"{info.name}: the {part} file has not the columns of the others ({', '.join(sorted(names ^ first))} "
                "differ); take all files from one download"
            )
    sizes = {part: int(made[part].notes["rows"]) for part in made}
    if len(made) > 1:
        codes = [np.full(rows, PART_CODES[part], dtype=np.int8) for part, rows in sizes.items()]
        return Store(replace(info, split="given"), layout, made, np.concatenate(codes), hooks.carve)
    own_split = None if hooks.split is None else hooks.split(sum(sizes.values()))
    if own_split is None and info.split == "given":
        info = replace(info, split="stratified")
    return Store(info, layout, made, own_split)


def local_info(info: DatasetInfo, layout: Layout, made: dict[str, Part]) -> DatasetInfo:
    """Return the registry's facts, replaced by those of the local copy, and a note on how it differs."""
    rows = sum(part.notes["rows"] for part in made.values())
    positives = sum(part.notes["positives"] for part in made.values())
    store = Store(info, layout, made)
    text = [] if layout.sparse else [name for name in store.features if name in store.categories]
    named = info if not layout.overrides else replace(info, **layout.overrides)
    return replace(
        named,
        rows=rows,
        positive_rate=positives / rows,
        layout=layout.name,
        columns=() if layout.sparse else tuple(store.features),
        categorical=tuple(name for name in text if store.levels(name) is not None),
        encoded=tuple(name for name in text if store.levels(name) is None),
        here=_here(info, layout, made, rows),
        file=", ".join(Path(part.notes["source"]["path"]).name for part in made.values()),
    )


def _here(info: DatasetInfo, layout: Layout, made: dict[str, Part], rows: int) -> str:
    """Describe the local copy and its differences from the published set."""
    # The registry has 0 if the full size is not published.
    full = int(layout.overrides.get("rows", info.rows))
    if rows == full:
        notes = [f"{rows:,} rows, the full number"]
    elif full:
        notes = [f"{rows:,} of {full:,} rows published ({rows / full:.2%}): a subset"]
    else:
        notes = [f"{rows:,} rows"]
    if len(made) > 1:
        notes[0] += " (" + ", ".join(f"{part} {made[part].notes['rows']:,}" for part in made) + ")"
    hashes = {part.notes["source"]["file_sha256"] for part in made.values()}
    notes += [f"known copy: {subset.note}" for subset in info.subsets if subset.sha256 in hashes]
    for part in made.values():
        source = part.notes["source"]
        name = Path(source["path"]).name + (f" ({source['member']})" if source["member"] else "")
        verdicts = {
            True: "is the published file by its checksum",
            False: "is not the published file (its checksum differs)",
        }
        if part.notes["published"] is not None:
            notes.append(f"{name} {verdicts[part.notes['published']]}")
        if part.notes["malformed"]["count"]:
            lines = "; ".join(f"line {line}: {reason}" for line, reason in part.notes["malformed"]["first"])
            notes.append(f"malformed rows of {name} left out: {part.notes['malformed']['count']} ({lines})")
    return ". ".join(note for note in [*notes, layout.differs.rstrip("."), layout.note.rstrip(".")] if note) + "."


def _sources(info: DatasetInfo, layout: Layout, folder: Path | None) -> dict[str, Source]:
    return _places.find(info, layout, home(folder))


def _made(info: DatasetInfo, layout: Layout, folder: Path | None) -> dict[str, Part]:
    cache = _places.cache_folder(info, layout, folder)
    found = {part: cached(layout, part, cache, None) for part in layout.names}
    return {part: made for part, made in found.items() if made is not None}


def _fault(layout: Layout, part: str, cache: Path) -> Unusable | None:
    """Why an existing converted file must not be read; None if it may be read or does not exist."""
    try:
        inspect(layout, part, cache, None)
    except Unusable as fault:
        return fault
    return None


def _within_reach(info: DatasetInfo, layout: Layout, folder: Path | None) -> set[str]:
    """Parts that were converted, or can be converted again, from a source in another folder."""
    cache = _places.cache_folder(info, layout, folder)
    made = set(_made(info, layout, folder))
    faults = {part: _fault(layout, part, cache) for part in layout.names}
    return made | {part for part, fault in faults.items() if fault is not None and fault.source is not None}


def _is_whole(info: DatasetInfo, layout: Layout, part: str, made: Part) -> bool:
    try:
        Store(info, layout, {part: made}).check()
    except DamagedCache:
        return False
    return True


def _complete(layout: Layout, found: Iterable[str]) -> bool:
    return set(_places.required(layout)) <= set(found)


def _nothing(info: DatasetInfo, folder: Path, layouts: Iterable[Layout], data_dir: Path | None) -> str:
    wanted = []
    for layout in layouts:
        names = " + ".join(layout.names[part][0] for part in _places.required(layout))
        have = ", ".join(f"{part}: {source}" for part, source in _sources(info, layout, data_dir).items())
        wanted.append(f"{names} ({layout.name}{f'; only {have} is there' if have else ''})")
    name = info.name
    fetch = f"run: python -m datasets fetch {name}; or " if info.files else "no download is known; "
    return (
        f"name: {name!r} is known, but its files are not in {folder / name}; {fetch}put there, as published "
        f"or compressed (.gz, .bz2, .xz), {' or '.join(wanted)}; or run: python -m datasets convert {name} --from PATH"
    )
