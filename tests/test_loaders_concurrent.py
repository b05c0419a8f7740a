"""Threads, forked processes and copies that read one converted data set at a time all get its rows."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import _published as tiny
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from datasets import _sealed, _sources, load, stream
from datasets._sealed import BlockReader
from datasets.loaders import published

pytestmark = pytest.mark.truth
THREADS = 4


@pytest.fixture(autouse=True)
def small_blocks(own_cache, monkeypatch):
    """Many row groups, each of many blocks."""
    monkeypatch.setattr(_sources, "BLOCK", 30_000)
    monkeypatch.setattr(_sealed, "BLOCK", 512)


@pytest.fixture
def clicks(tmp_path):
    return tiny.many_clicks(tmp_path)


def at_once(work, count=THREADS):
    """Do ``work(number)`` in several threads that begin together; their results."""
    begun = threading.Barrier(count)

    def one(number):
        begun.wait(60)
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def test_threads_load(clicks):
    expected = load(**clicks)
    published._opened.clear()
    for found in at_once(lambda _: load(**clicks)):
        pd.testing.assert_frame_equal(found.X, expected.X)
        np.testing.assert_array_equal(found.y, expected.y)


def test_threads_read_one_stream(clicks):
    shared = stream(**clicks)
    expected = [shared.batch(number) for number in range(len(shared.starts) - 1)]

    def read(first):
        turns = np.roll(np.arange(len(expected)), first)
        return [(number, shared.batch(number)) for _ in range(3) for number in turns]

    for found in at_once(read):
        for number, batch in found:
            pd.testing.assert_frame_equal(batch, expected[number])


def test_threads_read_rows_for_lightgbm(clicks):
    rows = stream(**clicks).lightgbm().data
    expected = rows[np.arange(len(rows)).tolist()]
    numbers = np.random.default_rng(0).integers(0, len(rows), (THREADS, 60))
    found = at_once(lambda thread: np.array([rows[int(number)] for number in numbers[thread]]))
    np.testing.assert_array_equal(np.concatenate(found), expected[numbers.ravel()])


def test_threads_with_different_encodings_and_seeds(clicks):
    choices = [{**clicks, "seed": seed, "encoding": kind} for seed in (1, 2) for kind in ("categorical", "as_numbers")]
    expected = [load(**choice).X for choice in choices]
    for found in at_once(lambda thread: [load(**choices[(thread + turn) % 4]).X for turn in range(4)]):
        for X in found:
            assert any(X.equals(one) for one in expected)


def test_threads_that_open_more_sets_than_are_kept_open(tmp_path):
    folders = [tmp_path / str(number) for number in range(2 * published.OPEN_AT_MOST)]
    for folder in folders:
        tiny.put(folder / "flight", "flight-x.csv", tiny.flight())
        load("flight", data_dir=folder)
    turns = at_once(lambda thread: [len(load("flight", data_dir=folder).y) for folder in np.roll(folders, thread)])
    assert turns == [[60] * len(folders)] * THREADS
    assert len(published._opened) <= published.OPEN_AT_MOST


@pytest.mark.parametrize("ask", [load, lambda **which: list(stream(**which))], ids=["load", "stream"])
def test_files_are_read_and_decoded_in_the_thread_that_asks(ask, clicks, monkeypatch):
    """A thread of Arrow's that still holds Python's bytes when the process ends may make it abort."""
    ask(**clicks)
    published._opened.clear()
    reading, decoding = set(), []
    blocks, group = BlockReader._blocks, pq.ParquetFile.read_row_group

    def watched_blocks(self, first, last):
        reading.add(threading.get_ident())
        return blocks(self, first, last)

    def watched_group(self, number, **options):
        decoding.append(options["use_threads"])
        return group(self, number, **options)

    monkeypatch.setattr(BlockReader, "_blocks", watched_blocks)
    monkeypatch.setattr(pq.ParquetFile, "read_row_group", watched_group)
    ask(**clicks)
    assert reading == {threading.get_ident()}
    assert len(decoding) > 9
    assert not any(decoding)


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this platform does not fork")
def test_forked_processes_read_a_stream_that_was_opened_before(clicks):
    """They share the file's position with the process that opened it."""
    shared = stream(**clicks)
    expected = shared.matrix(0)
    with warnings.catch_warnings():
        # Python 3.12 warns of forks where threads run; the threads here are idle.
        warnings.filterwarnings("ignore", ".*fork.*", DeprecationWarning)
        children = []
        for _ in range(3):
            if (child := os.fork()) == 0:
                os._exit(_differing(shared, expected))
            children.append(child)
    status = [os.waitpid(child, 0)[1] for child in children]
    assert [_differing(shared, expected), *status] == [0] * 4


def _differing(shared, expected):
    try:
        return int(not all(np.array_equal(shared.matrix(0), expected, equal_nan=True) for _ in range(200)))
    except BaseException:
        return 2


@pytest.mark.parametrize("opened", [False, True])
def test_a_pickled_stream_reads_the_same_rows(opened, clicks):
    first = stream(**clicks)
    if opened:
        first.batch(0)
    second = pickle.loads(pickle.dumps(first))
    np.testing.assert_array_equal(first.y, second.y)
    for number in range(len(first.starts) - 1):
        pd.testing.assert_frame_equal(first.batch(number), second.batch(number))
