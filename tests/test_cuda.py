"""Which device a round belongs on, and the GPU path's own tests, run by numba's CUDA simulator in another process."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost as xgb

from hsboost import HypersimplexLoss, cuda
from hsboost._boosting.accelerator import Accelerator
from hsboost._boosting.caller import Caller, caller
from hsboost.cuda import _device, _selection
from hsboost.cuda._selection import LEAST_ROWS, chosen, device_of

ROOT = Path(__file__).parent.parent
SIMULATED = ["test_cuda_passes.py", "test_cuda_objective.py", "test_cuda_smooth.py", "test_cuda_check.py"]


def simulated(*command: str) -> subprocess.CompletedProcess[str]:
    """Run Python with numba's CUDA simulator, which is chosen when numba is imported."""
    environment = os.environ | {"NUMBA_ENABLE_CUDASIM": "1", "HYPOTHESIS_PROFILE": "few", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False
    )


@pytest.mark.slow
@pytest.mark.skipif(_device.simulated(), reason="this is the simulator already")
@pytest.mark.parametrize("name", SIMULATED)
def test_the_passes_run_in_the_simulator(name: str, warning_options: list[str]) -> None:
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", *warning_options]
    done = simulated("-m", "pytest", *options, f"tests/{name}")
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= 5


def test_importing_hsboost_starts_no_cuda() -> None:
    code = (
        "import sys, hsboost; "
        "print([name for name in sys.modules if name in ('cupy', 'hsboost.cuda') or name.startswith('numba.cuda.cud')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300, check=True
    )
    assert done.stdout.strip() == "[]"


def without_gpu() -> bool:
    return cuda.missing() is not None


@pytest.mark.skipif(not without_gpu(), reason="there is a GPU, or the simulator of one")
def test_without_a_gpu_the_reason_is_told() -> None:
    reason = cuda.missing()
    assert reason is not None
    for call in (
        lambda: chosen("cuda", 10, False, None),
        lambda: cuda.project_hypersimplex(np.zeros(3), 1.0),
        lambda: Accelerator("cuda").step(HypersimplexLoss(), [0, 1], np.zeros(2), None, None, False, None),
    ):
        with pytest.raises(ValueError, match=re.escape(reason)):
            call()
    assert Accelerator("auto").step(HypersimplexLoss(), [0, 1], np.zeros(2), None, None, False, None) is None


def test_a_broken_cupy_is_a_reason_and_not_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        class cuda:
            class runtime:
                @staticmethod
                def getDeviceCount() -> int:
                    raise RuntimeError("cudaErrorInsufficientDriver")

    monkeypatch.setattr(_device, "simulated", lambda: False)
    monkeypatch.setitem(sys.modules, "cupy", Broken)
    assert _device.missing.__wrapped__() == "CUDA does not start (cudaErrorInsufficientDriver)"
    monkeypatch.setattr(Broken.cuda.runtime, "getDeviceCount", staticmethod(lambda: 0))
    assert _device.missing.__wrapped__() == "CuPy finds no CUDA device"
    monkeypatch.setattr(Broken.cuda.runtime, "getDeviceCount", staticmethod(lambda: 1))
    monkeypatch.setattr(_device.importlib.util, "find_spec", lambda name: None)
    assert _device.missing.__wrapped__() == "numba-cuda is not installed; install hsboost[gpu]"
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert "CuPy cannot be imported" in str(_device.missing.__wrapped__())


class Booster:
    """As much of an ``xgboost.Booster`` as is asked for its device."""

    def __init__(self, device: str) -> None:
        self.device = device

    def save_config(self) -> str:
        return json.dumps({"learner": {"generic_param": {"device": self.device}}})


@pytest.mark.parametrize(
    ("device", "number"),
    [("cpu", None), ("cuda", 0), ("cuda:0", 0), ("cuda:3", 3), ("gpu", 0), ("gpu:1", 1), ("sycl:gpu", None)],
)
def test_the_booster_s_device_is_read_from_its_configuration(device: str, number: int | None) -> None:
    assert device_of(Booster(device)) == number


def test_a_booster_that_does_not_tell_trains_on_a_processor() -> None:
    assert device_of(None) is None
    broken = Booster("cuda")
    broken.save_config = lambda: "{"  # type: ignore[method-assign]
    assert device_of(broken) is None


MANY = LEAST_ROWS


@pytest.mark.parametrize(
    ("device", "n", "grouped", "found", "number"),
    [
        ("auto", MANY, False, Caller("xgboost", Booster("cuda:2")), 2),
        ("auto", MANY - 1, False, Caller("xgboost", Booster("cuda:2")), None),
        ("auto", MANY, True, Caller("xgboost", Booster("cuda:2")), None),
        ("auto", MANY, False, Caller("xgboost", Booster("cpu")), None),
        ("auto", MANY, False, Caller("lightgbm"), None),
        ("auto", MANY, False, None, None),
        ("cpu", MANY, False, Caller("xgboost", Booster("cuda")), None),
        ("cuda", 3, False, Caller("xgboost", Booster("cuda:1")), 1),
        ("cuda:1", 3, False, Caller("xgboost", Booster("cuda:1")), 1),
        ("cuda", 3, False, None, 0),
        ("cuda:2", 3, False, None, 2),
    ],
)
def test_the_choice(
    device: str, n: int, grouped: bool, found: Caller | None, number: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_selection, "missing", lambda: None)
    monkeypatch.setattr(_selection, "simulated", lambda: False)
    assert chosen(device, n, grouped, found) == number


@pytest.mark.parametrize(
    ("device", "grouped", "found", "message"),
    [
        ("cuda", False, Caller("lightgbm"), "works with XGBoost only"),
        ("cuda", True, Caller("xgboost", Booster("cuda")), "does not know groups"),
        ("cuda", False, Caller("xgboost", Booster("cpu")), "the booster does not train on a GPU"),
        ("cuda:1", False, Caller("xgboost", Booster("cuda:0")), "the booster trains on GPU 0"),
    ],
)
def test_an_order_that_cannot_be_followed_is_refused(
    device: str, grouped: bool, found: Caller, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_selection, "missing", lambda: None)
    monkeypatch.setattr(_selection, "simulated", lambda: False)
    with pytest.raises(ValueError, match=message):
        chosen(device, 10, grouped, found)


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "CUDA", "", None, 0])
def test_unknown_devices_are_refused(device: Any) -> None:
    with pytest.raises(ValueError, match="device must be 'auto', 'cpu', 'cuda' or 'cuda:N'"):
        Accelerator(device)


def test_several_workers_refuse_a_device_by_name() -> None:
    Accelerator("auto").refuse_workers()
    Accelerator("cpu").refuse_workers()
    with pytest.raises(ValueError, match="several workers"):
        Accelerator("cuda").refuse_workers()


def test_the_calling_booster_is_found(rng: np.random.Generator) -> None:
    X, y = rng.standard_normal((60, 2)), (rng.random(60) < 0.5).astype(np.float64)
    seen: list[Caller | None] = []

    def look(y_true: Any = None, y_pred: Any = None) -> tuple[np.ndarray, np.ndarray]:
        # Through a wrapper, as stopwatches and adapters are.
        seen.append((lambda: caller())())
        return y - 0.5, np.ones_like(y)

    data = xgb.DMatrix(X, y)
    booster = xgb.train({"nthread": 1}, data, 1, obj=lambda predictions, dataset: look())
    assert seen[0] is not None
    assert seen[0].library == "xgboost"
    assert seen[0].dataset is data
    assert seen[0].booster.save_raw() == booster.save_raw()
    assert device_of(seen[0].booster) is None
    xgb.XGBClassifier(n_estimators=1, n_jobs=1, objective=look).fit(X, y)
    assert seen[1] is not None
    assert isinstance(seen[1].dataset, xgb.DMatrix)
    # Last, because a machine with a GPU may lack it.
    lgb = pytest.importorskip("lightgbm", reason="LightGBM is not installed")
    lgb.train({"objective": look, "verbosity": -1, "num_threads": 1}, lgb.Dataset(X, y), 1)
    assert seen[2] == Caller("lightgbm")
    lgb.LGBMClassifier(n_estimators=1, n_jobs=1, verbosity=-1, objective=look).fit(X, y)
    assert seen[3] == Caller("lightgbm")
    look()
    assert seen[4] is None
