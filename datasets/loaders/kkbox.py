"""KKBox: the x1 files, whose header names the columns, or Kaggle's raw tables, joined during conversion."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from datasets._csv import Derive
from datasets._layouts import Layout
from datasets._refusals import raise_refusal
from datasets._sources import ENDINGS, Reader, Source
from datasets.loaders import published
from datasets.registry import DatasetError

MEMBERS = ("city", "bd", "gender", "registered_via")
SONGS = ("song_length", "genre_ids", "artist_name", "composer", "lyricist", "language")
NUMBERS = ("bd", "song_length")


def derive(layout: Layout, source: Source) -> Derive | None:
    """Columns of members.csv and songs.csv, looked up for each row; null for a member or song not listed."""
    if layout.name != "raw":
        return None
    members = _side(source, "members.csv", "msno", MEMBERS)
    songs = _side(source, "songs.csv", "song_id", SONGS)

    def make(texts: dict[str, pa.Array]) -> dict[str, pa.Array]:
        made: dict[str, pa.Array] = {}
        for key, table, names in (("msno", members, MEMBERS), ("song_id", songs, SONGS)):
            place = pc.index_in(texts[key], value_set=table[key])
            made |= {name: table[name].take(place) for name in names}
        return made

    return make


def _side(source: Source, name: str, key: str, columns: tuple[str, ...]) -> dict[str, pa.Array]:
    """Read a table next to train.csv: its key and columns."""
    base = source.path.parent
    path = next((base / (name + ending) for ending in ENDINGS[:3] if (base / (name + ending)).is_file()), None)
    if path is None:
        raise DatasetError(f"{base / name} not found; KKBox's raw train.csv needs members.csv and songs.csv beside it")
    types = {column: pa.float64() if column in NUMBERS else pa.string() for column in columns}
    with Reader(Source(path)) as reader:
        next(reader.blocks(1 << 16), None)  # raises a clear error for a file that is not UTF-8 text
    try:
        table = pa_csv.read_csv(
            path,
            parse_options=pa_csv.ParseOptions(newlines_in_values=True),
            convert_options=pa_csv.ConvertOptions(
                column_types={key: pa.string()} | types,
                include_columns=[key, *columns],
                null_values=[""],
                strings_can_be_null=True,
            ),
        )
    except (pa.ArrowException, OSError) as error:
        raise_refusal(path, error)
        raise DatasetError(f"cannot read {path} ({str(error).splitlines()[0]}); fetch or copy it again") from error
    found = {column: table[column].combine_chunks() for column in table.column_names}
    if pc.count_distinct(found[key]).as_py() < len(found[key]):
        raise DatasetError(f"{path}: a {key} is there twice; each may have one line only")
    return found


HOOKS = published.Hooks(derive=derive)
