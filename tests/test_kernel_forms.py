"""How arrays lie in memory changes no value and compiles nothing twice: read-only, mapped, swapped, strided."""

from __future__ import annotations

import ast
import gc
import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pandas as pd
import polars as pl
import pytest

from hsboost import HypersimplexLoss, HypersimplexObjective, PrecisionAtK, project_hypersimplex
from hsboost._kernels._compile import _uncollected, as_input
from hsboost._kernels.columns import transpose
from hsboost._kernels.entropic_search import settle as settle_entropic
from hsboost._kernels.settle import settle
from hsboost._solver.segments import Segments
from hsboost.losses import BudgetLogLoss, HypersimplexSmoothFYLoss, HypersimplexSmoothLoss, get_loss

pytestmark = pytest.mark.truth

N = 300
RNG = np.random.default_rng(5)
SCORES = RNG.normal(size=(N, 3))
LABELS = (RNG.random(N) < 0.3).astype(np.float32)
CLASSES = RNG.integers(0, 3, N)
WEIGHTS = RNG.integers(1, 4, N).astype(np.float32)
GROUPS = np.sort(RNG.integers(0, 9, N))
SHUFFLED = RNG.permutation(GROUPS)

Kind = Callable[[np.ndarray, Path], Any]


def read_only(a: np.ndarray, folder: Path) -> np.ndarray:
    a = a.copy()
    a.flags.writeable = False
    return a


def mapped(a: np.ndarray, folder: Path) -> np.ndarray:
    path = folder / f"{len(list(folder.iterdir()))}.npy"
    np.save(path, a)
    return np.load(path, mmap_mode="r")


def of_bytes(a: np.ndarray, folder: Path) -> np.ndarray:
    return np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape)


def unpickled(a: np.ndarray, folder: Path) -> np.ndarray:
    """As workers get them: the buffer is memory that belongs to others."""
    buffers: list[pickle.PickleBuffer] = []
    content = pickle.dumps(a, protocol=5, buffer_callback=buffers.append)
    return pickle.loads(content, buffers=[bytes(buffer.raw()) for buffer in buffers])


def of_pandas(a: np.ndarray, folder: Path) -> Any:
    return pd.Series(a) if a.ndim == 1 else pd.DataFrame(a)


def of_polars(a: np.ndarray, folder: Path) -> Any:
    return pl.Series(a) if a.ndim == 1 else pl.DataFrame(a)


def strided(a: np.ndarray, folder: Path) -> np.ndarray:
    return np.repeat(a, 2, axis=0)[::2]


def strided_read_only(a: np.ndarray, folder: Path) -> np.ndarray:
    return read_only(np.repeat(a, 2, axis=0), folder)[::2]


def reversed_(a: np.ndarray, folder: Path) -> np.ndarray:
    return a[::-1].copy()[::-1]


def unaligned(a: np.ndarray, folder: Path) -> np.ndarray:
    return np.frombuffer(bytearray(b"\0" + a.tobytes()), a.dtype, offset=1).reshape(a.shape)


def unaligned_read_only(a: np.ndarray, folder: Path) -> np.ndarray:
    return np.frombuffer(b"\0" + a.tobytes(), a.dtype, offset=1).reshape(a.shape)


def fields(a: np.ndarray, folder: Path) -> np.ndarray:
    """A column of packed records: strided and unaligned."""
    records = np.zeros(a.shape, dtype=[("flag", "i1"), ("value", a.dtype)])
    records["value"] = a
    return records["value"]


def swapped(a: np.ndarray, folder: Path) -> np.ndarray:
    return a.astype(a.dtype.newbyteorder())


def swapped_read_only(a: np.ndarray, folder: Path) -> np.ndarray:
    return read_only(swapped(a, folder), folder)


def by_columns(a: np.ndarray, folder: Path) -> np.ndarray:
    return np.asfortranarray(a)


def by_columns_read_only(a: np.ndarray, folder: Path) -> np.ndarray:
    a = np.asfortranarray(a).copy(order="F")
    a.flags.writeable = False
    return a


KINDS: list[Kind] = [
    read_only, mapped, of_bytes, unpickled, of_pandas, of_polars, strided, strided_read_only, reversed_, unaligned,
    unaligned_read_only, fields, swapped, swapped_read_only, by_columns, by_columns_read_only,
]  # fmt: skip


def uses(kind: Kind, folder: Path, dtype: Any) -> Iterator[Any]:
    """Results of every way in which arrays reach kernels."""

    def a(array: np.ndarray) -> Any:
        return kind(array, folder)

    x, columns = SCORES[:, 0].astype(dtype), SCORES.astype(dtype)
    for w in (None, WEIGHTS):

        def weight(w: np.ndarray | None = w) -> Any:
            return None if w is None else a(w)

        for regularization in ("euclidean", "entropic"):
            projection = project_hypersimplex(a(x), 20, sample_weight=weight(), regularization=regularization)
            yield from (projection.values, projection.soft_threshold, projection.jvp(x))
        yield project_hypersimplex(a(columns), 20, sample_weight=weight()).values
        yield project_hypersimplex(a(x), 20, sample_weight=weight(), method="pav").values
        for groups in (GROUPS, SHUFFLED):
            yield project_hypersimplex(a(x), 2, sample_weight=weight(), groups=a(groups)).values
        for kind_of_loss in (HypersimplexLoss, HypersimplexSmoothLoss, HypersimplexSmoothFYLoss, BudgetLogLoss):
            loss = kind_of_loss(k=20)
            yield loss.loss(a(LABELS), a(x), weight())
            yield from loss.gradient_hessian(a(LABELS), a(x), weight())
        objective = HypersimplexObjective(k=20)
        yield from objective(a(LABELS), a(x), weight())
        yield from objective(a(LABELS), a(x), weight())  # from where the first round ended
        softmax = get_loss("softmax")
        yield from softmax.gradient_hessian(a(CLASSES), a(columns), weight())
        yield PrecisionAtK(20)(a(LABELS), a(x), weight())
    yield from HypersimplexObjective(k=2, groups=a(SHUFFLED))(a(LABELS), a(x))
    yield get_loss("softmax").probabilities(a(columns))


def forms() -> dict[str, int]:
    """How many compiled forms each kernel has in this process."""
    found = {}
    for name, module in list(sys.modules.items()):
        if name.startswith("hsboost"):
            for value in vars(module).values():
                for one in (value, getattr(value, "serial", None), getattr(value, "_parallel", None)):
                    if hasattr(one, "signatures") and hasattr(one, "py_func"):
                        found[f"{one.py_func.__module__}.{one.py_func.__name__}"] = len(one.signatures)
    return found


@pytest.fixture(scope="module", params=[np.float32, np.float64])
def usual(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, list[Any]]:
    """Results for arrays as NumPy makes them, and for those columns that lie neither by rows nor by columns."""
    folder = tmp_path_factory.mktemp("usual")
    results = list(uses(lambda a, folder: a.copy(), folder, request.param))
    project_hypersimplex(np.repeat(SCORES.astype(request.param), 2, axis=1)[:, ::2], 20)
    return request.param, results


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__.rstrip("_"))
def test_the_kind_of_array_changes_no_value_and_compiles_nothing(
    usual: tuple[Any, list[Any]], kind: Kind, tmp_path: Path
) -> None:
    dtype, expected = usual
    before = forms()
    found = list(uses(kind, tmp_path, dtype))
    assert {name: count for name, count in forms().items() if before.get(name) != count} == {}
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
        assert np.asarray(one).dtype == np.asarray(other).dtype


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")
def test_forms_differ_in_dtype_and_weights_and_in_nothing_else(usual: tuple[Any, list[Any]]) -> None:
    """At most {float32, float64} scores x {no, float32, float64} weights: what precompile compiles."""
    for kernel in (settle, settle_entropic):
        seen = {(str(args[0].dtype), str(getattr(args[1], "dtype", None))) for args in kernel.signatures}
        assert len(kernel.signatures) == len(seen) <= 6
    for kernel in (settle, settle_entropic, transpose.serial):
        for args in kernel.signatures:
            assert all(one.mutable and one.aligned for one in args if isinstance(one, numba.types.Array))
    assert {(args[0].layout, args[1].layout) for args in transpose.serial.signatures} <= {("C", "C"), ("A", "C")}


def test_usual_arrays_are_passed_as_they_are() -> None:
    for a in (np.arange(5.0), np.zeros((3, 2)), np.arange(4)):
        assert as_input(a) is a


@pytest.mark.parametrize("kind", [read_only, mapped, of_bytes, unpickled])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint8, np.bool_])
def test_read_only_memory_is_not_copied_and_keeps_its_mark(kind: Kind, dtype: Any, tmp_path: Path) -> None:
    a = kind(np.arange(12).reshape(3, 4).astype(dtype), tmp_path)
    found = as_input(a)
    assert np.shares_memory(found, a)
    assert found.dtype == a.dtype
    assert found.flags.carray
    assert not a.flags.writeable
    assert as_input(a.T, any_layout=True).strides == a.T.strides
    expected = a.tolist()
    del a
    assert found.tolist() == expected  # the memory lives on


@pytest.mark.parametrize("kind", [strided, reversed_, unaligned, unaligned_read_only, fields])
def test_memory_that_lies_otherwise_is_copied(kind: Kind, tmp_path: Path) -> None:
    a = kind(np.arange(12.0), tmp_path)
    found = as_input(a)
    assert not np.shares_memory(found, a)
    assert found.flags.carray
    assert found.tolist() == list(range(12))


def test_a_broadcast_weight_is_every_rows_weight() -> None:
    weight = np.broadcast_to(np.float64(2.0), N)
    found = project_hypersimplex(SCORES[:, 0], 40, sample_weight=weight).values
    np.testing.assert_array_equal(found, project_hypersimplex(SCORES[:, 0], 40, sample_weight=np.full(N, 2.0)).values)


def test_groups_from_a_shared_pickle_run_the_same_kernels() -> None:
    buffers: list[pickle.PickleBuffer] = []
    content = pickle.dumps(Segments.by_label(SHUFFLED), protocol=5, buffer_callback=buffers.append)
    segments = pickle.loads(content, buffers=[bytes(buffer.raw()) for buffer in buffers])
    for array in (segments.offsets, segments.order, segments.tasks):
        assert array.flags.carray
    x = SCORES[:, 0]
    np.testing.assert_array_equal(segments.unsort(segments.sort(x)), x)


def test_labels_in_the_other_byte_order_are_judged_before_they_are_rounded() -> None:
    """Rounded to float32 1e-60 would be the label 0."""
    labels = LABELS.astype(">f8")
    labels[7] = 1e-60
    with pytest.raises(ValueError, match="y_true must be 0 or 1, got 1e-60 at row 7"):
        HypersimplexLoss().loss(labels, SCORES[:, 0])


def kernels() -> Iterator[tuple[str, set[str], ast.FunctionDef]]:
    """(file, the file's constants without a type, function) of everything that is compiled."""
    for path in sorted(Path(as_input.__code__.co_filename).parent.glob("[!_]*.py")):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        literals = {
            target.id
            for line in body
            if isinstance(line, ast.Assign)
            and isinstance(line.value, ast.Constant)
            and type(line.value.value) in (int, bool)
            for target in line.targets
            if isinstance(target, ast.Name)
        }
        for line in body:
            if isinstance(line, ast.FunctionDef):
                yield path.name, literals, line


def test_kernels_hand_on_no_literal_and_nothing_that_may_be_none() -> None:
    """Numba would compile the callee, and all that it calls, for each of them: findings/numba_*.sh."""
    found = list(kernels())
    names = {function.name for _, _, function in found}
    twins = []
    for file, literals, function in found:
        for node in ast.walk(function):
            if isinstance(node, ast.IfExp) and any(
                isinstance(branch, ast.Constant) and branch.value is None for branch in (node.body, node.orelse)
            ):
                twins.append(f"{file}: {ast.unparse(node)}")
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
                twins += [
                    f"{file}: {ast.unparse(node)}"
                    for one in node.args
                    if (isinstance(one, ast.Constant) and type(one.value) in (int, bool))
                    or (isinstance(one, ast.Name) and one.id in literals)
                ]
    assert len(names) > 50
    assert twins == []


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled under NUMBA_DISABLE_JIT")
@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize("argument", [3.0, "no number"])
def test_garbage_waits_for_the_compiler_and_for_nothing_else(wanted: bool, argument: Any) -> None:
    """Numba makes objects by the ten thousand; the collector would look through all of the process's meanwhile."""
    collected: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        collected.append(info["generation"])

    def half(number: float) -> float:
        return number / 2.0

    kernel, usual = _uncollected(numba.njit(half)), gc.isenabled()
    (gc.enable if wanted else gc.disable)()
    gc.callbacks.append(note)
    try:
        with nullcontext() if argument == 3.0 else pytest.raises(numba.TypingError):
            assert kernel(argument) == 1.5
        assert len(collected) <= 2 * 2  # where it is allowed again, of which each is told at its start and its end
        assert gc.isenabled() is wanted
    finally:
        gc.callbacks.remove(note)
        (gc.enable if usual else gc.disable)()
