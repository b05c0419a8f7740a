"""Files in the encoding, line ends, delimiter or packing of another program: read right, or one clear error."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
from pathlib import Path

import _published as tiny
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from datasets import DatasetError, load
from datasets.__main__ import app

pytestmark = [pytest.mark.truth, pytest.mark.usefixtures("own_cache")]
CR_IN_LINE = "a carriage return within the line"
HIGGS, FLIGHT, LIBSVM, RATINGS = tiny.higgs(), tiny.flight(), tiny.libsvm(), tiny.movielens_ratings()
UTF8 = r"write it as UTF-8 \(iconv"


def put(folder: Path, name: str, content: bytes) -> Path:
    """Write a set's file as these bytes, its test file in the plain form."""
    files = {"higgs": "HIGGS.csv", "flight": "flight-x.csv", "kdd10": "kddb", "movielens": "ml-100k.inter"}
    path = folder / name / files[name]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    if name == "kdd10":
        tiny.put(folder / name, "kddb.t", tiny.libsvm(12, 1))
    return path


def fields(text: str, delimiter: str) -> bytes:
    return text.replace(",", delimiter).encode()


def last(text: str, before: str, value: str) -> bytes:
    """The text with the last value of line 1 replaced."""
    return re.sub(rf"{before}[^{before}]*\n", f"{before}{value}\n", text, count=1).encode()


READ = {
    "UTF-8 mark": ("flight", b"\xef\xbb\xbf" + FLIGHT.encode()),
    "UTF-8 mark, CRLF": ("flight", ("\ufeff" + FLIGHT.replace("\n", "\r\n")).encode()),
    "UTF-8 mark, no header": ("higgs", b"\xef\xbb\xbf" + HIGGS.encode()),
    "UTF-8 mark, libsvm": ("kdd10", b"\xef\xbb\xbf" + LIBSVM.encode()),
    "no last line end": ("higgs", HIGGS.rstrip("\n").encode()),
}
PLAIN = {"higgs": HIGGS, "flight": FLIGHT, "kdd10": LIBSVM}

REFUSED = {
    "UTF-16 LE": ("flight", FLIGHT.encode("utf-16"), rf"is UTF-16 text; {UTF8}"),
    "UTF-16 BE": ("flight", b"\xfe\xff" + FLIGHT.encode("utf-16-be"), rf"is UTF-16 text; {UTF8}"),
    "UTF-16 without a mark": ("flight", FLIGHT.encode("utf-16-le"), rf"is UTF-16 text without a .* mark.*{UTF8}"),
    "UTF-16, no header": ("higgs", HIGGS.encode("utf-16"), rf"is UTF-16 text; {UTF8}"),
    "UTF-16, libsvm": ("kdd10", LIBSVM.encode("utf-16"), rf"is UTF-16 text; {UTF8}"),
    "UTF-32 LE": ("higgs", HIGGS.encode("utf-32"), rf"is UTF-32 text; {UTF8}"),
    "UTF-32 BE": ("higgs", b"\0\0\xfe\xff" + HIGGS.encode("utf-32-be"), rf"is UTF-32 text; {UTF8}"),
    "CR only": ("flight", FLIGHT.replace("\n", "\r").encode(), "ends its lines with CR alone.*LF line ends"),
    "CR only, no header": ("higgs", HIGGS.replace("\n", "\r").encode(), "ends its lines with CR alone"),
    "CR only, libsvm": ("kdd10", LIBSVM.replace("\n", "\r").encode(), "ends its lines with CR alone"),
    "CR within a line": ("flight", FLIGHT.replace('"c-4",', '"c-4",\r', 1).encode(), f"line 5: {CR_IN_LINE}"),
    "one CR for LF": ("higgs", HIGGS.replace("\n", "\r", 1).encode(), f"line 1: {CR_IN_LINE}"),
    "Latin-1": ("flight", FLIGHT.replace("AP3", "é", 1).encode("latin-1"), "line 5: not UTF-8 text"),
    "Latin-1 header": ("flight", FLIGHT.replace("Origin", "Origé", 1).encode("latin-1"), r"line 1 .*lacks Origin"),
    "Latin-1, libsvm": ("kdd10", LIBSVM.replace(":1", ":é", 1).encode("latin-1"), "line 1: .*codec can't decode"),
    "NUL in text": ("flight", FLIGHT.replace("AP3", "A\0P3", 1).encode(), "line 5: a NUL byte"),
    "NUL in a number": ("higgs", HIGGS.replace("\n0,", "\n0,\0", 1).encode(), "a NUL byte"),
    "zeros at the end": ("higgs", HIGGS.encode() + bytes(40), "line 61: (a NUL byte|1 columns)"),
    "semicolons": ("flight", fields(FLIGHT, ";"), r"line 1 has ';' between its fields, this layout .* needs ','"),
    "tabs": ("flight", fields(FLIGHT, "\t"), r"line 1 has '\\t' between its fields"),
    "bars": ("flight", fields(FLIGHT, "|"), r"line 1 has '\|' between its fields"),
    "semicolons, no header": ("higgs", fields(HIGGS, ";"), r"line 1 has ';' between its fields"),
    "spaces, no header": ("higgs", fields(HIGGS, " "), r"line 1 has ' ' between its fields"),
    "commas for tabs": ("movielens", RATINGS.replace("\t", ",").encode(), r"has ',' between .* needs '\\t'"),
    "gzip": ("higgs", gzip.compress(HIGGS.encode()), "holds gzip-compressed data.*give it the ending .gz or unpack it"),
    "bzip2": ("higgs", bz2.compress(HIGGS.encode()), "holds bzip2-compressed data.*the ending .bz2"),
    "xz": ("kdd10", lzma.compress(LIBSVM.encode()), "holds xz-compressed data.*the ending .xz"),
    "zstd": ("higgs", pa.compress(HIGGS.encode(), "zstd", asbytes=True), "holds zstd-compressed data.*; unpack it"),
    "zip": ("higgs", tiny.zipped({"HIGGS.csv": HIGGS}), "is a zip archive .*unpack it"),
    "Parquet": ("higgs", b"PAR1" + bytes(20), "is a Parquet file where text is expected"),
    "a web page": ("higgs", b"\n<!DOCTYPE html>\n<html>", "is a web page, not the file; download it again"),
    "a pointer": ("higgs", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a Git LFS pointer"),
    "empty": ("flight", b"", r"is empty \(0 bytes\)"),
    "a mark alone": ("flight", b"\xef\xbb\xbf", "(holds no rows|header is missing)"),
    "a header alone": ("flight", (tiny.FLIGHT_HEADER + "\n").encode(), "holds no rows of data"),
    "a header without its line end": ("flight", tiny.FLIGHT_HEADER.encode(), "holds no rows of data"),
    "an infinity": ("higgs", last(HIGGS, ",", "inf"), "line 1: m_wwbb is 'inf', which is infinite as float"),
    "beyond float32": ("higgs", last(HIGGS, ",", "-1e39"), "line 1: m_wwbb is '-1e39', which is infinite"),
    "an infinity, libsvm": ("kdd10", last(LIBSVM, ":", "inf"), "line 1: a value is infinite as float32"),
}  # fmt: skip


@pytest.mark.parametrize("case", READ)
def test_read_as_the_plain_file(case, tmp_path):
    name, content = READ[case]
    put(tmp_path / "plain", name, PLAIN[name].encode())
    put(tmp_path / "other", name, content)
    first, second = (load(name, data_dir=tmp_path / folder) for folder in ("plain", "other"))
    np.testing.assert_array_equal(first.y, second.y)
    assert (first.X != second.X).nnz == 0 if name == "kdd10" else first.X.equals(second.X)


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_the_file_what_was_found_and_the_remedy(case, tmp_path):
    name, content, message = REFUSED[case]
    path = put(tmp_path, name, content)
    with pytest.raises(DatasetError, match=message) as caught:
        load(name, data_dir=tmp_path)
    assert str(path) in str(caught.value)
    assert not [path for path in tmp_path.rglob("parquet/**/*") if path.is_file()]
    result = CliRunner().invoke(app, ["convert", name, "--data-dir", str(tmp_path)])
    assert result.exit_code == 1
    assert result.output.count("error: ") == 1


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz"])
def test_looked_for_within_compressed_files_and_archives_too(ending, tmp_path):
    packed = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}[ending](HIGGS.encode("utf-16"))
    (tmp_path / "higgs").mkdir()
    (tmp_path / "higgs" / f"HIGGS.csv{ending}").write_bytes(packed)
    with pytest.raises(DatasetError, match=rf"HIGGS\.csv{ending} is UTF-16 text"):
        load("higgs", data_dir=tmp_path)


def test_a_plain_file_with_a_compressed_ending_is_named(tmp_path):
    (tmp_path / "higgs").mkdir()
    (tmp_path / "higgs" / "HIGGS.csv.gz").write_bytes(HIGGS.encode())
    with pytest.raises(DatasetError, match=r"HIGGS\.csv\.gz is truncated or damaged.*Not a gzipped file"):
        load("higgs", data_dir=tmp_path)


def test_a_joined_table_in_utf16_is_named(tmp_path):
    files = {name: text.encode() for name, text in tiny.kkbox_raw().items()}
    files["songs.csv"] = tiny.kkbox_raw()["songs.csv"].encode("utf-16")
    (tmp_path / "kkbox").mkdir()
    for name, content in files.items():
        (tmp_path / "kkbox" / name).write_bytes(content)
    with pytest.raises(DatasetError, match=r"songs\.csv is UTF-16 text"):
        load("kkbox", data_dir=tmp_path)


def test_a_column_that_takes_the_name_of_the_label_is_refused(tmp_path):
    for part in ("train", "valid", "test"):
        text = tiny.kkbox_x1().replace("song_length", "__label", 1)
        tiny.put(tmp_path / "kkbox", f"{part}.csv", text)
    with pytest.raises(DatasetError, match=r"has the column __label, a name kept for the label"):
        load("kkbox", data_dir=tmp_path)


# A user's own description

TOML = 'label = "y"\ndrop = ["é"]\n'


@pytest.mark.parametrize(
    "content",
    [
        TOML.encode(),
        b"\xef\xbb\xbf" + TOML.encode(),
        TOML.replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf" + TOML.replace("\n", "\r\n").encode(),
        TOML.replace("\n", "\r").encode(),
    ],
)
def test_a_description_is_read_with_a_byte_order_mark_and_any_line_ends(content, tmp_path):
    own_table(tmp_path).write_bytes(content)
    assert list(load("mine", data_dir=tmp_path).X.columns) == ["a"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (TOML.encode("utf-16"), r"mine\.toml is UTF-16 text .*save it as UTF-8"),
        (b"\xfe\xff" + TOML.encode("utf-16-be"), r"mine\.toml is UTF-16 text"),
        (TOML.encode("utf-16-le"), r"mine\.toml is UTF-16 text"),
        (TOML.encode("latin-1"), r"mine\.toml is not UTF-8 text \(line 2: byte 21\); save it as UTF-8"),
        (b"label = ", r"cannot read .*mine\.toml as TOML \(Invalid value.*\); mend the file"),
        (b"", r"mine\.toml: no label column given"),
    ],
)
def test_a_description_in_another_encoding_is_named(content, message, tmp_path):
    own_table(tmp_path).write_bytes(content)
    with pytest.raises(DatasetError, match=message):
        load("mine", data_dir=tmp_path)


def own_table(folder: Path) -> Path:
    pd.DataFrame({"a": range(30), "é": range(30), "y": [0, 1, 0] * 10}).to_parquet(folder / "mine.parquet")
    return folder / "mine.toml"


@pytest.mark.parametrize("content", [HIGGS.encode(), HIGGS.encode("utf-16"), b"", gzip.compress(HIGGS.encode())])
def test_an_own_table_that_is_no_parquet_is_named(content, tmp_path):
    own_table(tmp_path).write_text(TOML, encoding="utf-8")
    (tmp_path / "mine.parquet").write_bytes(content)
    with pytest.raises(DatasetError, match=r"cannot read .*mine\.parquet as Parquet .*restore or re-make the file"):
        load("mine", data_dir=tmp_path)
