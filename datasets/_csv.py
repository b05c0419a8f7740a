"""From blocks of delimited text to typed columns; malformed rows are counted."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from datasets._layouts import NUMBERS, Column, Layout
from datasets._malformed import Malformed
from datasets.registry import DatasetError

LABEL, ORDER = "__label", "__order"
DELIMITERS = (",", ";", "\t", "|", " ")
Derive = Callable[[dict[str, pa.Array]], dict[str, pa.Array]]
_TYPES = {"order": pa.float64(), "group": pa.string(), "category": pa.string()} | {
    kind: getattr(pa, kind)() for kind in NUMBERS
}


def stored_name(column: Column) -> str:
    """Return the name of a column in the Parquet cache: label and order get names that no feature has."""
    return {"label": LABEL, "order": ORDER}.get(column.kind, column.name)


def schema(columns: list[Column]) -> pa.Schema:
    """Return the Parquet schema of the columns that are kept."""
    kinds = {"label": pa.int8()} | _TYPES
    return pa.schema([(stored_name(column), kinds[column.kind]) for column in columns if column.kind in kinds])


def kept(layout: Layout, columns: list[Column]) -> list[Column]:
    """List the stored columns, in order: the file's columns that are not dropped, and the derived ones.

    A derived column takes the position of the raw column of the same name.
    """
    derived = {column.name: column for column in layout.derived}
    found = [derived.pop(column.name, column) for column in columns if column.kind not in ("drop",)]
    return [column for column in [*found, *derived.values()] if column.kind != "raw"]


def header(layout: Layout, first: bytes, where: object) -> tuple[list[Column], bool]:
    """Return the file's columns, in its order, and whether its first line is a header."""
    expected = {column.source: column for column in layout.columns}
    _check_delimiter(layout, first, where)
    if layout.header == "none":
        fields = _fields(layout, first)
        if fields == list(expected) or (len(fields) == len(expected) and not any(map(_number, fields))):
            raise DatasetError(
                f"{where}: line 1 is a header ({_short(first)}), but this layout ({layout.name}) has none; "
                "remove that line"
            )
        return list(layout.columns), False
    fields = _fields(layout, first)
    missing = [name for name in expected if name not in fields]
    if missing and layout.header == "optional" and not set(fields) & set(expected):
        return list(layout.columns), False
    if len(missing) == len(expected):
        raise DatasetError(
            f"{where}: the header is missing: line 1 reads {_short(first)}; put this line first: "
            f"{layout.delimiter.join(expected)}"
        )
    if missing:
        raise DatasetError(
            f"{where}: line 1 (the header) lacks {', '.join(missing[:6])}; this layout ({layout.name}) needs "
            f"{layout.delimiter.join(expected)}"
        )
    if len(set(fields)) < len(fields):
        raise DatasetError(f"{where}: line 1 (the header) names a column twice: {_short(first)}; rename one")
    if taken := {LABEL, ORDER} & set(fields):
        raise DatasetError(
            f"{where}: line 1 (the header) has the column {min(taken)}, a name kept for the label; rename it"
        )
    further = [name for name in fields if name not in expected]
    if further and layout.further is None:
        raise DatasetError(
            f"{where}: line 1 (the header) has unknown columns {', '.join(further[:6])}; this layout "
            f"({layout.name}) has {layout.delimiter.join(expected)}"
        )
    return [expected.get(name) or Column(name, layout.further or "category") for name in fields], True


def _check_delimiter(layout: Layout, first: bytes, where: object) -> None:
    """Raise if the first line is a single field but has the layout's number of fields with another delimiter."""
    if len(layout.columns) < 2 or len(_fields(layout, first)) > 1:
        return
    for other in DELIMITERS:
        if other != layout.delimiter and len(_fields(replace(layout, delimiter=other), first)) >= len(layout.columns):
            raise DatasetError(
                f"{where}: line 1 has {other!r} between its fields, this layout ({layout.name}) needs "
                f"{layout.delimiter!r}; write the file with that"
            )


def parse(
    layout: Layout,
    columns: list[Column],
    line: int,
    block: bytes,
    malformed: Malformed,
    derive: Derive | None = None,
) -> pa.Table:
    """Turn whole lines, the first of them number ``line``, into the stored columns; bad rows go to ``malformed``."""
    texts, lines = _texts(layout, columns, line, block, malformed)
    return typed(layout, columns, texts, lines, malformed, derive)


def typed(
    layout: Layout,
    columns: list[Column],
    texts: dict[str, pa.Array],
    lines: np.ndarray,
    malformed: Malformed,
    derive: Derive | None = None,
) -> pa.Table:
    """Turn columns of text, read from the given lines, into the stored columns."""
    made = {} if derive is None else derive(texts)
    # A value derived from the row's own text must exist; one looked up in another table may be missing.
    strict = any(column.kind == "raw" for column in layout.columns)
    bad = np.zeros(len(lines), dtype=bool)
    result = []
    for column in kept(layout, columns):
        name = column.name
        if name in made:
            values = made[name]
            if strict:
                reason = f"{name} cannot be made of " + ("{}" if name in texts else "this row")
                _blame(texts.get(name, values), values.is_null(), reason, bad, lines, malformed)
        elif column.kind == "label":
            values = label(layout, texts[name])
            _blame(texts[name], values.is_null(), "the label is {}, not one of two classes", bad, lines, malformed)
        else:
            values = _cast(texts[name], column, bad, lines, malformed)
        if pa.types.is_floating(values.type) and pc.any(infinite := pc.is_inf(values)).as_py():
            reason = f"{name} is {{}}, which is infinite as {values.type}"
            _blame(texts.get(name, values), pc.fill_null(infinite, False), reason, bad, lines, malformed)
        result.append(values)
    table = pa.Table.from_arrays(result, schema=schema(kept(layout, columns)))
    return table.filter(pa.array(~bad)) if bad.any() else table


def label(layout: Layout, texts: pa.Array) -> pa.Array:
    """Turn the label column into int8 of 0/1, null for any other value."""
    if layout.positive:
        yes, no = (pc.is_in(texts, value_set=pa.array(words)) for words in (layout.positive, layout.negative))
    else:
        numbers = _numbers(texts, pa.float64())
        if layout.at_least is not None:
            yes, no = pc.greater_equal(numbers, layout.at_least), pc.less(numbers, layout.at_least)
        else:
            yes, no = pc.equal(numbers, 1.0), pc.is_in(numbers, value_set=pa.array([0.0, -1.0]))
    nothing = pa.scalar(None, pa.int8())
    return pc.if_else(pc.fill_null(yes, False), pa.scalar(1, pa.int8()),
                      pc.if_else(pc.fill_null(no, False), pa.scalar(0, pa.int8()), nothing))  # fmt: skip


def _texts(
    layout: Layout, columns: list[Column], line: int, block: bytes, malformed: Malformed
) -> tuple[dict[str, pa.Array], np.ndarray]:
    """Split lines into columns of text (null where empty), with the line number of each row."""
    skipped: list[int] = []

    def invalid(row: pa_csv.InvalidRow) -> str:
        skipped.append(row.number - 1)
        malformed.add(int(lines[row.number - 1]), f"{row.actual_columns} columns in place of {row.expected_columns}")
        return "skip"

    lines = np.arange(line, line + block.count(b"\n"))
    suspicious = block.startswith(b"\n") or b"\n\n" in block or (layout.quoted and block.count(b'"') % 2 == 1)
    suspicious = suspicious or b"\0" in block or b"\r" in block
    for attempt in (suspicious, True):
        if attempt:
            block, lines = _sound_lines(layout, block, line, malformed)
        before = malformed.first, malformed.count
        try:
            table = _read(layout, columns, block, invalid)
        except (pa.ArrowInvalid, UnicodeDecodeError) as error:
            if attempt:
                raise DatasetError(f"{malformed.where}: lines {line} and following cannot be read ({error})") from error
        else:
            if table.num_rows + len(skipped) == len(lines):
                break
            if attempt:
                raise DatasetError(
                    f"{malformed.where}: lines {line} to {lines[-1]} hold a quoted field that goes over a line's "
                    "end; put each row on one line"
                )
        # Text that is not UTF-8 or quotes that do not match: look at the block line by line.
        malformed.first, malformed.count = before
        skipped.clear()
    texts = {column.name: table.column(column.source).combine_chunks() for column in columns if column.kind != "drop"}
    return texts, np.delete(lines, skipped)


def _read(layout: Layout, columns: list[Column], block: bytes, invalid: Callable[[pa_csv.InvalidRow], str]) -> pa.Table:
    names = [column.source for column in columns]
    wanted = [column.source for column in columns if column.kind != "drop"]
    if not block:
        return pa.table({name: pa.array([], pa.string()) for name in wanted})
    return pa_csv.read_csv(
        pa.BufferReader(block),
        # One thread: Arrow reports row numbers only then.
        read_options=pa_csv.ReadOptions(column_names=names, use_threads=False, block_size=max(len(block), 1)),
        parse_options=pa_csv.ParseOptions(
            delimiter=layout.delimiter,
            quote_char='"' if layout.quoted else False,
            invalid_row_handler=invalid,
            ignore_empty_lines=False,
        ),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(wanted, pa.string()),
            include_columns=wanted,
            null_values=[""],
            strings_can_be_null=True,
        ),
    )


def _sound_lines(layout: Layout, block: bytes, line: int, malformed: Malformed) -> tuple[bytes, np.ndarray]:
    """Drop and count lines that are blank, not UTF-8, or have an unmatched quote or a stray byte."""
    sound, numbers = [], []
    for number, text in enumerate(block.split(b"\n")[:-1], line):
        if not text:
            malformed.add(number, "blank line")
        elif b"\r" in text or b"\0" in text:
            malformed.add(number, "a carriage return within the line" if b"\r" in text else "a NUL byte")
        elif layout.quoted and text.count(b'"') % 2:
            malformed.add(number, "a quote without its partner")
        elif not _utf8(text):
            malformed.add(number, "not UTF-8 text")
        else:
            sound.append(text + b"\n")
            numbers.append(number)
    return b"".join(sound), np.array(numbers, dtype=np.int64)


def _utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _cast(texts: pa.Array, column: Column, bad: np.ndarray, lines: np.ndarray, malformed: Malformed) -> pa.Array:
    kind = _TYPES[column.kind]
    if kind == pa.string():
        return texts if texts.type == kind else pc.cast(texts, kind)
    try:
        return pc.cast(texts, kind)
    except pa.ArrowInvalid:
        values = _numbers(texts, kind)
    wrong = pc.and_(values.is_null(), texts.is_valid())
    _blame(texts, wrong, f"{column.name} is {{}}, which is no {kind}", bad, lines, malformed)
    return values


def _numbers(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    """Cast texts to numbers, null where that is impossible."""
    try:
        return pc.cast(texts, kind)
    except pa.ArrowInvalid:
        values = []
        for text in texts.to_pylist():
            try:
                values.append(None if text is None else pc.cast(pa.scalar(text), kind).as_py())
            except pa.ArrowInvalid:
                values.append(None)
        return pa.array(values, kind)


def _blame(
    texts: pa.Array, wrong: pa.Array, reason: str, bad: np.ndarray, lines: np.ndarray, malformed: Malformed
) -> None:
    """Count rows that were not counted as wrong before."""
    for row in np.flatnonzero(wrong.to_numpy(zero_copy_only=False)):
        if not bad[row]:
            bad[row] = True
            malformed.add(int(lines[row]), reason.format(repr(texts[int(row)].as_py())))


def _fields(layout: Layout, first: bytes) -> list[str]:
    text = first.decode("utf-8", "replace").rstrip("\n")
    if not layout.quoted:
        return text.split(layout.delimiter)
    return next(csv.reader([text], delimiter=layout.delimiter), [])


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _short(first: bytes) -> str:
    text = first.decode("utf-8", "replace").rstrip("\n")
    return repr(text if len(text) <= 60 else text[:60] + "...")
