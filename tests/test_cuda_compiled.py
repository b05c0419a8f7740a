"""The CUDA kernels compiled for a GPU, without one: types that the simulator does not check, and what the code costs.

Needs numba-cuda with NVVM (``pip install "numba-cuda[cu13]"``); with ``ptxas`` as well (the package nvidia-cuda-nvcc)
machine code is made and its registers are counted.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from _cuda_forms import ARGUMENTS, MODULES, Form, forms

from hsboost.cuda import _device
from hsboost.cuda._ahead import LOADS
from hsboost.cuda._kernels import THREADS

#: Compute capability of the H100 and H200. PTX for it also runs on newer GPUs.
CAPABILITY = (9, 0)
#: Registers of a multiprocessor, and the threads whose share of them keeps enough loads under way.
REGISTERS, FEWEST_THREADS = 65_536, 3 * THREADS

CASES = [(name, form) for name in ARGUMENTS for form in forms(name)]


def compiler_missing() -> str | None:
    """Why nothing can be compiled for a GPU here."""
    if _device.simulated():
        return "the simulator compiles nothing"
    if importlib.util.find_spec("numba_cuda") is None:
        return "no numba-cuda: pip install 'numba-cuda[cu13]'"
    try:
        from numba.cuda.cudadrv import nvvm

        nvvm.NVVM()
    except Exception as error:  # each version of Numba reports a missing library in its own way
        return f"no NVVM: pip install 'numba-cuda[cu13]' ({str(error).strip().splitlines()[-1]})"
    return None


needs_nvvm = pytest.mark.skipif(compiler_missing() is not None, reason=str(compiler_missing()))


def kernels() -> dict[str, Any]:
    """Every kernel of both modules by name."""
    return {
        f"{module.__name__.rpartition('.')[2]}.{name}": found
        for module in MODULES
        for name, found in vars(module).items()
        if _is_kernel(found, module)
    }


def _is_kernel(found: Any, module: Any) -> bool:
    function = getattr(found, "py_func", None)
    if function is None or function.__module__ != module.__name__:
        return False
    return not found.targetoptions.get("device")


@cache
def ptx(name: str, form: Form) -> str:
    """The kernel's PTX for `CAPABILITY`."""
    from numba import cuda, types
    from numba.cuda import dispatcher

    _device.prepare_numba()

    def type_of(text: str) -> Any:
        scalar, _, dimensions = text.rstrip("]").partition("[")
        found = getattr(types, "boolean" if scalar == "bool" else scalar)
        return types.Array(found, int(dimensions), "C") if dimensions else found

    # Functions that kernels call are compiled for the current device.
    usual = dispatcher.get_current_device
    dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=CAPABILITY)
    try:
        text, returned = cuda.compile_ptx(kernels()[name].py_func, tuple(map(type_of, form)), cc=CAPABILITY)
    finally:
        dispatcher.get_current_device = usual
    assert returned == types.void
    return str(text)


@needs_nvvm
def test_numpy_is_left_as_it_was() -> None:
    before = "row_stack" in vars(np)
    _device.prepare_numba()
    assert ("row_stack" in vars(np)) == before


@needs_nvvm
def test_every_kernel_has_forms() -> None:
    assert set(kernels()) == set(ARGUMENTS)


@needs_nvvm
@pytest.mark.parametrize(("name", "form"), CASES)
def test_every_form_compiles_without_memory_of_its_own(name: str, form: Form) -> None:
    code = ptx(name, form)
    assert f".target sm_{CAPABILITY[0]}{CAPABILITY[1]}" in code
    assert ".local" not in code  # arrays or registers in memory
    assert not re.search(r"^\s*call", code, re.MULTILINE)  # all is inlined
    assert "atom." not in code  # sums in an order that differs from run to run
    assert not re.search(r"\b(add|sub|mul|fma|div|ex2)\.[a-z.]*f32", code)  # all arithmetic is float64


@needs_nvvm
@pytest.mark.parametrize(
    "name", [name for name in ARGUMENTS if name.endswith(("sums", "window", "gradient", "values"))]
)
def test_a_thread_has_several_loads_under_way(name: str) -> None:
    """With one at a time most of the memory's bandwidth is unused: loads do not pass stores and branches.

    The compiler may move the first one behind the branch that needs it, where the others are under way.
    """
    runs = re.split(r"\bst\.|\bbra\b|\bbar\.", ptx(name, forms(name)[0]))
    assert max(len(re.findall(r"ld\.global\.f32", run)) for run in runs) >= LOADS - 1


def _ptxas() -> str | None:
    """The assembler that belongs to NVVM's package, because another version's may be older than the code."""
    try:
        import nvidia
    except ImportError:
        return shutil.which("ptxas")
    places = [place for root in nvidia.__path__ for place in Path(root).glob("cu*/bin/ptxas")]
    return str(places[0]) if places else None


@needs_nvvm
@pytest.mark.skipif(_ptxas() is None, reason="no ptxas: pip install nvidia-cuda-nvcc")
@pytest.mark.parametrize("name", ARGUMENTS)
def test_registers_suffice(name: str, tmp_path: Path) -> None:
    source = tmp_path / "kernel.ptx"
    for form in forms(name):
        source.write_text(ptx(name, form), encoding="utf-8")
        command = [str(_ptxas()), "-v", "-arch=sm_90", str(source), "-o", str(tmp_path / "kernel.cubin")]
        said = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True).stderr
        assert "0 bytes spill stores, 0 bytes spill loads" in said
        used = re.search(r"Used (\d+) registers", said)
        assert used is not None
        assert int(used[1]) * FEWEST_THREADS <= REGISTERS
