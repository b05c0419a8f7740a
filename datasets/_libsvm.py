"""From blocks of libsvm text to sparse rows; malformed rows are counted."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datasets._csv import LABEL
from datasets._malformed import Malformed

INDICES, VALUES = "__indices", "__values"
SCHEMA = pa.schema([(LABEL, pa.int8()), (INDICES, pa.list_(pa.int32())), (VALUES, pa.list_(pa.float32()))])


def parse(features: int, line: int, block: bytes, malformed: Malformed) -> pa.Table:
    """Turn complete lines (``label index:value ...``, indices from 1, increasing, at most ``features``) into rows.

    Indices are stored from 0, values as float32. Rows of another form go to ``malformed``.
    """
    try:
        return _fast(features, block)
    except (ValueError, pa.ArrowException):
        pass
    # This block has an error: parse it line by line.
    good = []
    for number, text in enumerate(block.split(b"\n")[:-1], line):
        try:
            _fast(features, text + b"\n")
        except (ValueError, pa.ArrowException) as error:
            malformed.add(number, str(error).splitlines()[0] if text.strip() else "blank line")
        else:
            good.append(text + b"\n")
    return _fast(features, b"".join(good)) if good else SCHEMA.empty_table()


def _fast(features: int, block: bytes) -> pa.Table:
    """Parse a block without errors; otherwise raises ValueError or an Arrow error."""
    lines = pc.split_pattern(pa.array([block[:-1].decode("utf-8")]), "\n").flatten()
    words = pc.split_pattern_regex(pc.utf8_trim_whitespace(lines), " +") if b"  " in block else pc.split_pattern(
        pc.utf8_trim_whitespace(lines), " "
    )  # fmt: skip
    starts, flat = words.offsets.to_numpy(), words.flatten()
    is_label = np.zeros(len(flat), dtype=bool)
    is_label[starts[:-1]] = True
    numbers = pc.cast(flat.filter(pa.array(is_label)), pa.float32()).to_numpy()
    if not np.isin(numbers, (1, 0, -1)).all():
        raise ValueError("the label is not 1, 0 or -1")
    pairs = pc.split_pattern(flat.filter(pa.array(~is_label)), ":")
    if not pc.all(pc.equal(pairs.value_lengths(), 2)).as_py() and len(pairs):
        raise ValueError("not of the form index:value")
    halves = pairs.flatten()
    even = np.arange(0, len(halves), 2)
    indices = pc.cast(halves.take(pa.array(even)), pa.int64()).to_numpy()
    values = pc.cast(halves.take(pa.array(even + 1)), pa.float32())
    if np.isinf(values.to_numpy()).any():
        raise ValueError("a value is infinite as float32")
    if len(indices) and not (indices.min() >= 1 and indices.max() <= features):
        raise ValueError(f"an index is outside 1 to {features:,}")
    offsets = (starts - np.arange(len(starts))).astype(np.int32)
    steps = np.diff(indices)
    inner = offsets[1:-1]
    steps[inner[(inner > 0) & (inner < len(indices))] - 1] = 1
    if (steps <= 0).any():
        raise ValueError("indices do not increase")
    ends = pa.array(offsets)
    return pa.table(
        {
            LABEL: pa.array((numbers > 0).astype(np.int8)),
            INDICES: pa.ListArray.from_arrays(ends, pa.array((indices - 1).astype(np.int32))),
            VALUES: pa.ListArray.from_arrays(ends, values),
        },
        schema=SCHEMA,
    )
