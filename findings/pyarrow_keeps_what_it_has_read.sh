#!/usr/bin/env bash
# pyarrow 25.0.0 and 26.0.1 (24.0.0: not): an open ParquetFile keeps the bytes that it has read. Iterating over batches adds
# up all row groups' chunks of the chosen columns; `close()` does not let go of them either, only dropping the object does.
#
# `iter_batches` is the usual way through a file larger than memory: one would guess that it needs the memory of a batch, or
# of a row group. Since the default of `pre_buffer` changed from False to True it grows to the columns of the whole file, as
# they are stored; `read_row_group` in a loop keeps one row group after its table is gone. The same default reads in a thread
# of Arrow's although `use_threads=False` was asked for, which shows with a file that is a Python object.
#
# Remedy: ParquetFile(..., pre_buffer=False), with which all of it is as before.
#
# Exits 0 while pyarrow behaves so, 1 when the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/read.py" <<'PYTHON'
import io
import sys
import threading

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

GROUPS, ROWS = 8, 100_000
path = sys.argv[1]
values = np.random.default_rng(0).normal(size=GROUPS * ROWS)
pq.write_table(pa.table({"a": values, "b": values}), path, row_group_size=ROWS, compression="none", use_dictionary=False)
CHUNK = 8 * ROWS  # bytes of a column in a row group


class Watched(io.FileIO):
    """A file that notes which threads read it."""

    threads = set()

    def read(self, size=-1):
        self.threads.add(threading.get_ident())
        return super().read(size)


def chunks(before):
    return round((pa.total_allocated_bytes() - before) / CHUNK)


def observe(**options):
    before = pa.total_allocated_bytes()
    file = pq.ParquetFile(path, **options)
    file.read_row_group(0, columns=["a"], use_threads=False)
    row_group = chunks(before)
    file.close()
    file = pq.ParquetFile(path, **options)
    batches = file.iter_batches(batch_size=1_000, columns=["a"], use_threads=False)
    next(batches)
    first = chunks(before)
    for batch in batches:
        del batch
    last = chunks(before)
    file.close()
    closed = chunks(before)
    del file, batches
    released = chunks(before)
    watched = Watched(path)
    file = pq.ParquetFile(watched, **options)
    watched.threads.clear()
    file.read_row_group(0, use_threads=False)
    here = watched.threads == {threading.get_ident()}
    return row_group, first, last, closed, released, here


print(f"pyarrow {pa.__version__}: chunks of {CHUNK:,} bytes held, of a column of {GROUPS} chunks")
for options in ({}, {"pre_buffer": False}, {"pre_buffer": True}):
    found = observe(**options)
    print("%-22s after a row group %d, first batch %d, last batch %d, close() %d, del %d; read in the asking thread: %s"
          % (options or "defaults", *found))
    keeps = options.get("pre_buffer", pa.__version__ >= "25")
    # While the batches of a row group are read, its chunk is held in any case.
    expected = (1, 1, GROUPS, GROUPS, 0, False) if keeps else (0, 1, 0, 0, 0, True)
    if found != expected:
        sys.exit(f"changed: expected {expected}, found {found}")
PYTHON
for version in 24.0.0 25.0.0 26.0.1; do
  python3 -m venv "$folder/$version"
  "$folder/$version/bin/pip" install --quiet --disable-pip-version-check "pyarrow==$version" "numpy==2.4.6"
  "$folder/$version/bin/python" "$folder/read.py" "$folder/file.parquet"
done
