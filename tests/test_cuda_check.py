"""The steps of ``python -m benchmarks gpu-check`` at tiny sizes, by numba's CUDA simulator (test_cuda.py)."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.device import equality, speed, training
from benchmarks.device.worker import DONE, run_step
from benchmarks.trainings.gpu_report import FLOOR, LOG_LOSS, ON_GPU, ON_HOST
from hsboost import cuda

if cuda.missing() is not None:
    pytest.skip(
        f"needs a GPU, or NUMBA_ENABLE_CUDASIM=1 with which test_cuda.py runs it ({cuda.missing()})",
        allow_module_level=True,
    )


def done(part: str, name: str, step: Any) -> Any:
    """The figures of a step in its tiny size."""
    record = run_step(part, name, step, 0, tiny=True)
    assert record["outcome"] == DONE, record["error"]
    return record["result"]


def test_results_are_compared_with_the_processor_s(monkeypatch: pytest.MonkeyPatch) -> None:
    few, usual = ("binary", "weights", "classes", "smooth", "log loss at the edge"), equality._losses
    monkeypatch.setattr(equality, "_losses", lambda n: {name: usual(n)[name] for name in few})
    gradients = done("equality", "gradients", equality.gradients)["cases"]
    trees = done("equality", "trees", equality.trees)["cases"]
    assert {"binary", "weights", "classes", "smooth", "groups"} <= set(trees)
    for one in gradients.values():
        assert one["difference"] <= one["bound"]
    for one in trees.values():
        assert one["trees_with_the_same_splits"] == one["trees"] > 0
        assert one["prediction_difference"] < 1e-6


def test_a_difference_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    write = cuda._step._write_euclidean

    def wrong(columns: Any, found: Any, slopes: Any, totals: Any, both: Any) -> Any:
        active = write(columns, found, slopes, totals, both)
        both[0, 0, 3] *= 1.00001
        return active

    monkeypatch.setattr(cuda._step, "_write_euclidean", wrong)
    monkeypatch.setattr(equality, "_losses", lambda n, usual=equality._losses: {"binary": usual(n)["binary"]})
    one = done("equality", "gradients", equality.gradients)["cases"]["binary"]
    assert one["difference"] > one["bound"]


def test_every_pass_is_timed_alone() -> None:
    found = done("passes", "1e8 float32", speed.passes)
    assert set(found["seconds"]) == set(found["bytes"])
    assert all(time > 0.0 for times in found["seconds"].values() for time in times.values())


@pytest.mark.parametrize("place", ["device", "host"])
def test_trainings_count_what_they_copy(place: str) -> None:
    step = training.STEPS["training"]["1e7 rows"] if place == "device" else training.trained(64, "host", 1)
    found = done("training", "1e7 rows", step)
    assert found["place"] == place
    (turn,) = found["turns"]
    assert list(turn["objectives"]) == [ON_GPU, LOG_LOSS, FLOOR, ON_HOST]
    ours, scores = turn["objectives"][ON_GPU], 4 * found["rows"]
    assert ours["to_device"] >= scores * (found["rounds"] + 1)  # the labels once
    assert ours["to_host"] > 0
    assert turn["objectives"][FLOOR]["to_device"] == scores * (found["rounds"] + 2)
    assert turn["objectives"][LOG_LOSS]["to_device"] == turn["objectives"][ON_HOST]["to_device"] == 0
