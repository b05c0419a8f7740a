"""Damaged and unexpected files: nothing is dropped or changed unnoticed, and each error names file, line and remedy."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma

import _published as tiny
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from datasets import DatasetError, _csv, _sources, load
from datasets.__main__ import app
from datasets._malformed import Malformed
from datasets.registry import registry

pytestmark = pytest.mark.usefixtures("own_cache")


def changed(text, line, new):
    """Text with one line (from 1) replaced, or removed for None."""
    rows = text.split("\n")
    rows[line - 1 : line] = [] if new is None else [new]
    return "\n".join(rows)


HIGGS, FLIGHT, KDD12, LIBSVM = tiny.higgs(), tiny.flight(), tiny.kdd12_log(), tiny.libsvm()
ROW = HIGGS.split("\n")[3]
SHORT = ROW.rsplit(",", 1)[0]

MALFORMED = {
    "too few columns": ("higgs", "HIGGS.csv", changed(HIGGS, 4, SHORT), r"line 4: 28 columns in place of 29"),
    "too many columns": ("higgs", "HIGGS.csv", changed(HIGGS, 4, ROW + ",1"), r"line 4: 30 columns in place of 29"),
    "blank line": ("higgs", "HIGGS.csv", changed(HIGGS, 7, ""), r"line 7: blank line"),
    "blank first line": ("higgs", "HIGGS.csv", "\n" + HIGGS, r"line 1: blank line"),
    "blank last line": ("higgs", "HIGGS.csv", HIGGS + "\n", r"line 61: blank line"),
    "text for a number": (
        "higgs",
        "HIGGS.csv",
        changed(HIGGS, 9, SHORT + ",x1"),
        "line 9: m_wwbb is 'x1', which is no float",
    ),
    "another label": (
        "higgs",
        "HIGGS.csv",
        changed(HIGGS, 2, "2" + ROW[1:]),
        "line 2: the label is '2', not one of two classes",
    ),
    "no label": ("higgs", "HIGGS.csv", changed(HIGGS, 2, ROW[1:]), "line 2: the label is None"),
    "half a last line": ("higgs", "HIGGS.csv", HIGGS[:-40], r"line 60: \d+ columns in place of 29"),
    "open quote": (
        "flight",
        "flight-x.csv",
        changed(FLIGHT, 5, FLIGHT.split("\n")[4].replace('"c-4"', '"c-4', 1)),
        "line 5: a quote without its partner",
    ),
    "two open quotes": ("flight", "flight-x.csv", FLIGHT.replace('"c-4"', '"c-4', 2), r"lines? (5|2 to 61)"),
    "no such month": (
        "flight",
        "flight-x.csv",
        FLIGHT.replace('"c-12"', '"c-13"', 1),
        "line 13: Month cannot be made of 'c-13'",
    ),
    "number that is too large": (
        "kdd12",
        "click_prediction_small.csv",
        KDD12.replace(",1,1071", ",99999999999,1071", 1),
        "line 2: impression is '9{11}', which is no int32",
    ),
    "index order": ("kdd10", "kddb", changed(LIBSVM, 3, "1 5:1 4:1"), "line 3: indices do not increase"),
    "index twice": ("kdd10", "kddb", changed(LIBSVM, 3, "1 5:1 5:1"), "line 3: indices do not increase"),
    "index 0": ("kdd10", "kddb", changed(LIBSVM, 3, "1 0:1 5:1"), "line 3: an index is outside 1 to 29,890,095"),
    "index beyond the set": (
        "kdd10",
        "kddb",
        changed(LIBSVM, 3, "1 29890096:1"),
        "line 3: an index is outside 1 to 29,890,095",
    ),
    "index beyond int64": (
        "kdd10",
        "kddb",
        changed(LIBSVM, 3, "1 99999999999999999999:1"),
        "line 3: .*99999999999999999999",
    ),
    "no value": ("kdd10", "kddb", changed(LIBSVM, 3, "1 5"), "line 3: not of the form index:value"),
    "libsvm label": ("kdd10", "kddb", changed(LIBSVM, 3, "2 5:1"), "line 3: the label is not 1, 0 or -1"),
    "libsvm blank": ("kdd10", "kddb", changed(LIBSVM, 3, ""), "line 3: blank line"),
    "no such hour": (
        "avazu",
        "train.csv",
        tiny.avazu_raw().replace(",14102101,", ",14102131,", 1),
        "line 3: hour_of_day cannot be made of this row",
    ),
    "id without :1": (
        "movielens",
        "train.libsvm",
        tiny.movielens_afn().replace("101:1", "101", 1),
        "line 2: item_id cannot be made of this row",
    ),
}


def put(name, file, text, folder):
    tiny.put(folder / name, file, text)
    for other in {"kddb": ["kddb.t"], "train.libsvm": ["valid.libsvm", "test.libsvm"]}.get(file, []):
        tiny.put(folder / name, other, tiny.libsvm(12, 1) if name == "kdd10" else tiny.movielens_afn(seed=1))
    return folder


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_rows_are_refused_with_file_line_and_remedy(case, tmp_path):
    name, file, text, message = MALFORMED[case]
    with pytest.raises(DatasetError, match=message) as caught:
        load(name, data_dir=put(name, file, text, tmp_path))
    assert str(tmp_path / name / file) in str(caught.value)
    assert not list(tmp_path.rglob("*.parquet"))
    if "quoted field" not in str(caught.value):
        assert "1 malformed row in what was read so far, 0 allowed" in str(caught.value)
        assert "--max-malformed" in str(caught.value)


@pytest.mark.parametrize("case", [case for case in MALFORMED if case != "two open quotes"])
def test_allowed_malformed_rows_are_left_out_and_on_record(case, tmp_path):
    name, file, text, _ = MALFORMED[case]
    folder = put(name, file, text, tmp_path)
    result = CliRunner().invoke(app, ["convert", name, "--data-dir", str(folder), "--max-malformed", "1"])
    assert result.exit_code == 0, result.output
    assert "malformed rows left out: 1 (line" in result.output
    data = load(name, data_dir=folder)
    assert " left out: 1 (line" in data.info.here
    sound = text.count("\n") + (not text.endswith("\n")) - 1 - (name in ("flight", "kdd12", "avazu"))
    note = json.loads(
        next(tmp_path.rglob("all.json" if name in ("higgs", "kdd12", "avazu") else "train.json")).read_text()
    )
    assert (note["rows"], note["malformed"]["count"]) == (sound, 1)
    # A stricter conversion does not accept the looser one's cache.
    again = CliRunner().invoke(app, ["convert", name, "--data-dir", str(folder)])
    assert again.exit_code == 1
    assert "malformed" in again.output


def test_the_first_lines_are_named_and_the_rest_counted(tmp_path):
    text = HIGGS
    for line in (50, 3, 40, 20, 10, 30):
        text = changed(text, line, "1,2" if line % 20 else "x" + ROW)
    with pytest.raises(
        DatasetError,
        match=r"6 malformed rows .*line 3: 2 columns.*line 10: .*line 20: the label is 'x.*line 30: .*line 40: .*"
        r"; and 1 more",
    ):
        load("higgs", data_dir=put("higgs", "HIGGS.csv", text, tmp_path))


@pytest.mark.parametrize("size", [500, 5_000])
def test_line_numbers_do_not_depend_on_the_blocks(size, tmp_path, monkeypatch):
    monkeypatch.setattr(_sources, "BLOCK", size)
    text = changed(changed(FLIGHT, 30, '"c-1"'), 45, "")
    folder = put("flight", "flight-x.csv", text, tmp_path)
    result = CliRunner().invoke(app, ["convert", "flight", "--data-dir", str(folder), "--max-malformed", "2"])
    assert "line 30: 1 columns in place of 9; line 45: blank line" in result.output
    assert len(load("flight", data_dir=folder).y) == 58


def test_text_that_is_not_utf8_is_malformed(tmp_path):
    path = tiny.put(tmp_path / "flight", "flight-x.csv", FLIGHT)
    path.write_bytes(path.read_bytes().replace(b'"AP2"', b'"\xff\xfe"', 1))
    with pytest.raises(DatasetError, match=r"flight-x\.csv: 1 malformed row .*line 4: not UTF-8 text"):
        load("flight", data_dir=tmp_path)


@pytest.mark.parametrize(
    ("name", "file", "text"),
    [("higgs", "HIGGS.csv", HIGGS), ("flight", "flight-x.csv", FLIGHT), ("kdd12", "kdd12.tr", LIBSVM)],
)
def test_windows_line_ends_and_byte_order_marks_change_nothing(name, file, text, tmp_path):
    plain = put(name, file, text, tmp_path / "plain")
    other = tmp_path / "other"
    tiny.put(other / name, file, "\ufeff" + text.replace("\n", "\r\n").rstrip("\n"))
    if name == "kdd12":
        for folder in (plain, other):
            tiny.put(folder / name, "kdd12.val", tiny.libsvm(12, 1))
    first, second = load(name, data_dir=plain), load(name, data_dir=other)
    np.testing.assert_array_equal(first.y, second.y)
    same = (first.X != second.X).nnz == 0 if name == "kdd12" else first.X.equals(second.X)
    assert same


def test_ids_of_any_length_stay_apart(tmp_path):
    """Beyond int64 and beyond float64's 53 bits: as categories, and as numbers by their order."""
    text = tiny.movielens_x1()
    big = [10**25 + k for k in range(7)]
    for k, identity in enumerate(big):
        text = text.replace(f"\n0,{k},", f"\n0,{identity},").replace(f"\n1,{k},", f"\n1,{identity},")
    for part in ("train", "valid", "test"):
        tiny.put(tmp_path / "movielens", f"{part}.csv", text)
    data = load("movielens", split="train", data_dir=tmp_path)
    assert set(data.X["user_id"]) == {str(identity) for identity in big}
    numbers = load("movielens", split="train", encoding="as_numbers", data_dir=tmp_path)
    np.testing.assert_array_equal(numbers.X["user_id"], np.arange(30) % 7)
    np.testing.assert_array_equal(numbers.X["item_id"], 100 + np.arange(30) % 5)
    log = load("kdd12", data_dir=put("kdd12", "click_prediction_small.csv", KDD12, tmp_path))
    assert log.X["url_hash"].iloc[3] == "10710025208886284291"


@pytest.mark.parametrize(("ending", "packer"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)])
@pytest.mark.parametrize("keep", [0.5, 0.999])
def test_truncated_compressed_files_are_named(ending, packer, keep, tmp_path):
    packed = packer(tiny.higgs(400).encode())
    path = tmp_path / "higgs" / f"HIGGS.csv{ending}"
    path.parent.mkdir()
    path.write_bytes(packed[: int(keep * len(packed))])
    with pytest.raises(DatasetError, match=r"HIGGS\.csv\.\w+ is truncated or damaged.*fetch or copy it again"):
        load("higgs", data_dir=tmp_path)
    assert not list(tmp_path.rglob("*.parquet*"))


def test_damaged_compressed_files_and_archives_are_named(tmp_path):
    packed = bytearray(gzip.compress(tiny.higgs(400).encode()))
    packed[len(packed) // 2] ^= 255
    (tmp_path / "higgs").mkdir()
    (tmp_path / "higgs" / "HIGGS.csv.gz").write_bytes(packed)
    with pytest.raises(DatasetError, match=r"HIGGS\.csv\.gz is truncated or damaged"):
        load("higgs", data_dir=tmp_path)
    (tmp_path / "avazu").mkdir()
    (tmp_path / "avazu" / "Avazu_x1.zip").write_bytes(tiny.zipped({"train.csv": tiny.avazu_x1()})[:-30])
    with pytest.raises(DatasetError, match=r"Avazu_x1\.zip is truncated or damaged"):
        load("avazu", data_dir=tmp_path)


@pytest.mark.parametrize("text", ["", "\n"])
def test_empty_files_are_named(text, tmp_path):
    with pytest.raises(DatasetError, match=r"HIGGS\.csv(: 1 malformed row .*blank line| is empty \(0 bytes\); fetch)"):
        load("higgs", data_dir=put("higgs", "HIGGS.csv", text, tmp_path))


def test_a_header_without_rows_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"flight-x\.csv holds no rows of data; fetch or copy it again"):
        load("flight", data_dir=put("flight", "flight-x.csv", tiny.FLIGHT_HEADER + "\n", tmp_path))


@pytest.mark.parametrize(
    ("name", "file", "text", "message"),
    [
        (
            "flight",
            "flight-x.csv",
            FLIGHT.split("\n", 1)[1],
            r"the header is missing: line 1 reads .*; put this line first: Month,",
        ),
        (
            "flight",
            "flight-x.csv",
            FLIGHT.replace("DepTime", "Dep"),
            r"line 1 \(the header\) lacks DepTime; this layout \(benchm-ml\) needs Month,",
        ),
        (
            "flight",
            "flight-x.csv",
            FLIGHT.replace('"dep_delayed_15min"', '"dep_delayed_15min","Year"'),
            r"line 1 \(the header\) has unknown columns Year",
        ),
        (
            "flight",
            "flight-x.csv",
            FLIGHT.replace('"dep_delayed_15min"', '"dep_delayed_15min","Month"'),
            r"names a column twice",
        ),
        (
            "higgs",
            "HIGGS.csv",
            "signal," + ",".join(f"f{i}" for i in range(28)) + "\n" + HIGGS,
            r"line 1 is a header \('signal,f0.*but this layout \(uci\) has none; remove that line",
        ),
        ("avazu", "train.csv", tiny.avazu_x1(), r"line 1 \(the header\) lacks id, click|the header is missing"),
    ],
)
def test_headers_that_are_missing_or_unexpected_are_named(name, file, text, message, tmp_path):
    with pytest.raises(DatasetError, match=message) as caught:
        load(name, data_dir=put(name, file, text, tmp_path))
    assert str(tmp_path / name / file) in str(caught.value)


def test_a_header_may_have_another_order(tmp_path):
    rows = [line.split("\t") for line in tiny.movielens_ratings().splitlines()]
    turned = "\n".join("\t".join(row[::-1]) for row in rows) + "\n"
    one = load("movielens", data_dir=put("movielens", "ml-100k.inter", tiny.movielens_ratings(), tmp_path / "a"))
    two = load("movielens", data_dir=put("movielens", "ml-100k.inter", turned, tmp_path / "b"))
    assert one.X.equals(two.X[one.X.columns])
    np.testing.assert_array_equal(one.y, two.y)


def test_two_files_that_fit_are_not_chosen_between(tmp_path):
    put("higgs", "HIGGS.csv", HIGGS, tmp_path)
    tiny.put(tmp_path / "higgs", "HIGGS.csv", HIGGS, ".gz")
    with pytest.raises(DatasetError, match=r"HIGGS\.csv, HIGGS\.csv\.gz all fit as the all file of higgs; keep one"):
        load("higgs", data_dir=tmp_path)


def test_a_published_size_with_another_checksum_is_a_damaged_file(tmp_path, monkeypatch):
    import dataclasses

    info = registry()["higgs"]
    path = tiny.put(tmp_path / "higgs", "HIGGS.csv", HIGGS, ".gz")
    file = dataclasses.replace(info.files[0], size=path.stat().st_size)
    monkeypatch.setitem(registry(), "higgs", dataclasses.replace(info, files=(file,)))
    with pytest.raises(
        DatasetError, match=r"HIGGS\.csv\.gz: sha256 is [0-9a-f]{64}, expected ea302c18.*fetch it again"
    ):
        load("higgs", data_dir=tmp_path)


cells = st.text(st.characters(codec="utf-8", exclude_characters="\n\r\x00"), max_size=6)
any_rows = st.lists(
    st.tuples(st.sampled_from(["0", "1", "x", ""]), st.lists(cells, max_size=5)), min_size=1, max_size=12
)


@given(any_rows)
def test_every_line_of_any_text_is_read_or_counted(rows):
    """Whatever the text: a row is read as it stands, or it is counted, with its line number."""
    layout = registry()["movielens"].layouts["x1"]
    text = ["".join([label, *("," + cell for cell in row)]) for label, row in rows]
    malformed = Malformed("text", 10**9)
    table = _csv.parse(layout, list(layout.columns), 1, "".join(line + "\n" for line in text).encode(), malformed)
    sound = [line.split(",") for line in text if line.count(",") == 3 and line[:2] in ("0,", "1,")]
    expected = [[int(row[0]), *(cell or None for cell in row[1:])] for row in sound]
    assert [list(row.values()) for row in table.to_pylist()] == expected
    assert malformed.count == len(text) - len(sound)
    wrong = [n for n, line in enumerate(text, 1) if line.split(",") not in sound]
    assert [line for line, _ in malformed.first] == wrong[:5]
