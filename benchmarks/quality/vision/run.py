"""``python -m benchmarks vision``: train the runs of a request, each resumable in the middle; or time the layer."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from operator import itemgetter
from typing import Any

from rich.console import Console

from benchmarks.quality.requests import VisionRequest
from benchmarks.quality.vision.plan import Plan, Settings, make_plan, need_torch, shared_facts
from benchmarks.suite.options import OptionError
from benchmarks.suite.report import Report
from benchmarks.suite.run import Benchmark, StatusLine, Work
from benchmarks.suite.store import Record, RunStore
from datasets import DatasetError
from datasets.vision import Images, load_images

#: Folder of the states of unfinished runs.
KEPT = "unfinished"
#: Entries that every record has.
FIELDS = ("run", "dataset", "batch", "loss", "seed", "data", "curves", "aligned")


def prepare(request: VisionRequest) -> Work[str]:
    """Check every option and list the runs."""
    plan = make_plan(request)
    kept = request.folder / KEPT

    def forget() -> None:
        for old in kept.glob("*.pt*"):
            old.unlink()

    runs = Runs(plan, request)
    shared = shared_facts(plan.settings)
    return Work(
        list(runs.cases), shared, runs, around=lambda keys: configured(plan.settings), kept=runs.kept, forget=forget
    )


class Runs:
    """Carries out runs; the next one reuses the images of the last if they are the same."""

    def __init__(self, plan: Plan, request: VisionRequest) -> None:
        from benchmarks.quality.vision.train import Resident

        self.cases, self.settings, self.request = {case.key: case for case in plan.cases}, plan.settings, request
        self.images: Images | None = None
        self.resident: tuple[tuple[str, int], Resident] | None = None
        self.end = math.inf if request.minutes is None else time.monotonic() + 60.0 * request.minutes

    def __call__(self, key: str, store: RunStore[str], status: StatusLine) -> Record:
        from benchmarks.quality.vision.train import resident, run_case

        assert store.header is not None
        case, kept = self.cases[key], self.request.folder / KEPT
        place = case.dataset, case.seed
        if self.resident is None or self.resident[0] != place:
            if self.images is None or self.images.name != case.dataset:
                status(f"{key}: pictures")
                self.images = load(self.request, case.dataset)
            self.resident = place, resident(self.images, self.settings, case.seed)
        data = self.resident[1]
        return run_case(
            case, self.settings, data, store.header, kept, lambda doing: status(f"{key}: {doing}"), self.end
        )

    def kept(self, key: str) -> None:
        """Remove the state of a run whose record is stored."""
        from benchmarks.quality.vision.train import forget

        forget(self.cases[key], self.request.folder / KEPT)


def load(asked: VisionRequest, dataset: str) -> Images:
    """The pictures of a request; raises OptionError where they are not."""
    try:
        return load_images(dataset, asked.data_dir, download=asked.download, jpeg=asked.jpeg)
    except DatasetError as error:
        raise OptionError(f"--datasets: {error}") from None


@contextmanager
def configured(settings: Settings) -> Iterator[None]:
    """Set threads and precision for the runs; restored afterwards."""
    import torch

    threads, matmul = torch.get_num_threads(), torch.get_float32_matmul_precision()
    convolutions = torch.backends.cudnn.allow_tf32
    torch.set_num_threads(settings.threads)
    torch.set_float32_matmul_precision("highest" if settings.precision == "float32" else "high")
    torch.backends.cudnn.allow_tf32 = settings.precision != "float32"
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision(matmul)
        torch.backends.cudnn.allow_tf32 = convolutions


def _report(*facts: Any) -> Report:
    from benchmarks.quality.vision.report import VisionReport

    return VisionReport(*facts)


BENCHMARK = Benchmark(itemgetter("run"), FIELDS, prepare, _report)


def main(request: VisionRequest, console: Console | None = None) -> int:
    """Carry out the command; returns the exit code, or raises OptionError."""
    need_torch()
    if request.layer:
        from benchmarks.calls import layer

        return layer.main(request.layer_rows, request.repeats, request.threads, request.folder, console)
    return BENCHMARK.run(request, console)
