"""``python -m benchmarks gpu-vision``: an excerpt of the paper's first table on a GPU, in the time there is."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.device.requests import GpuVisionRequest
from benchmarks.quality.requests import VisionRequest
from benchmarks.suite import options, report
from benchmarks.suite.options import OptionError

LOSSES = "ce,hypersimplex-count,hypersimplex-half"
#: The paper's epochs.
MOST_EPOCHS = 600
#: Share of the time for the epochs that are planned: the rest is for pictures, the report, and slower epochs.
PLANNED = 0.8
#: Where tests on real rows find theirs, see CONTRIBUTING.md.
DATA_VARIABLE = "HSBOOST_REAL_DATA"
#: The file with the number of epochs, which every resumption has to keep.
PLAN = "plan.json"


def main(request: GpuVisionRequest, console: Console | None = None) -> int:
    """Choose the number of epochs and carry out ``python -m benchmarks vision`` with it; returns the exit code."""
    from benchmarks.quality.vision.plan import need_torch

    need_torch()
    console = console or report.default_console()
    options.above_zero(minutes=request.minutes)
    options.at_least(1, seeds=request.seeds, epochs=request.epochs)
    end = time.monotonic() + 60.0 * request.minutes
    asked = vision_request(request)
    if not request.report_only:
        report.check_writable(request.folder)
        if request.fresh:
            (request.folder / PLAN).unlink(missing_ok=True)
        epochs = request.epochs or planned(request.folder) or chosen(asked, 60.0 * request.minutes, console)
        report.replace(request.folder / PLAN, json.dumps({"epochs": epochs}) + "\n")
        asked = vision_request(request, epochs, max((end - time.monotonic()) / 60.0, 1e-3))
    from benchmarks.quality.vision import run

    return run.main(asked, console)


def vision_request(request: GpuVisionRequest, epochs: int | None = None, minutes: float | None = None) -> VisionRequest:
    """The options of the command ``vision``; small without a GPU."""
    small: dict[str, Any] = {"small": True, "rows": 60, "hidden": 2, "batches": "16,32", "device": "cpu"}
    large: dict[str, Any] = {
        "datasets": "cifar10",
        "batches": request.batches,
        "precision": request.precision,
        "device": "cuda",
        "data_dir": _data_dir(request.data_dir),
        "jpeg": True,
    }
    return VisionRequest(
        losses=LOSSES,
        seeds=request.seeds,
        epochs=epochs,
        minutes=minutes,
        learning_rate=request.learning_rate,
        validation=0.0,
        threads=request.threads,
        out=request.out,
        report_only=request.report_only,
        fresh=request.fresh,
        **(small if request.simulate else large),
    )


def _data_dir(given: Path | None) -> Path | None:
    """The folder with cifar10/: as given, or of the environment; that folder itself is understood too."""
    found = given or (Path(os.environ[DATA_VARIABLE]) if os.environ.get(DATA_VARIABLE) else None)
    if found is not None and found.name == "cifar10" and not (found / "cifar10").is_dir():
        return found.parent
    return found


def planned(folder: Path) -> int | None:
    """The epochs that an earlier command in this folder chose."""
    path = folder / PLAN
    if not path.is_file():
        return None
    try:
        return int(json.loads(path.read_text(encoding="utf-8"))["epochs"])
    except (KeyError, TypeError, ValueError):
        raise OptionError(f"--out: {str(path)!r} is damaged; give --epochs, or use --fresh to start over") from None


def chosen(asked: VisionRequest, seconds: float, console: Console) -> int:
    """How many epochs every run can have, from the second epoch of each loss and batch size of the first seed."""
    from benchmarks.quality.vision.plan import make_plan
    from benchmarks.quality.vision.run import configured, load
    from benchmarks.quality.vision.train import Training, resident

    begun = time.monotonic()
    plan = make_plan(asked)
    first = [case for case in plan.cases if case.seed == 0]
    with configured(plan.settings):
        data = resident(load(asked, first[0].dataset), plan.settings, 0)
        each = []
        for case in first:
            training = Training(case, plan.settings, data)
            for _ in range(2):  # compiles, and chooses algorithms, in the first
                start = time.monotonic()
                training.run_epoch()
            each.append(time.monotonic() - start)
            console.print(f"{case.key}: {each[-1]:.2f} s an epoch", highlight=False)
    left = max(0.0, seconds - (time.monotonic() - begun))
    epochs = int(PLANNED * left / (sum(each) * len(plan.cases) / len(first)))
    found = min(max(epochs, 1), MOST_EPOCHS)
    console.print(f"{found} epochs for each of {len(plan.cases)} runs", highlight=False)
    return found
