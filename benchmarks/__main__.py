"""Command line: ``python -m benchmarks <subject>``.

A subject's options are the fields of its request; a new subject joins the list below.
"""

from __future__ import annotations

import typer

from benchmarks.calls.requests import KernelsRequest, LossesRequest
from benchmarks.device.requests import GpuCheckRequest, GpuVisionRequest
from benchmarks.quality.requests import BudgetsRequest, TabularRequest, ThresholdsRequest, VisionRequest
from benchmarks.suite import environment
from benchmarks.suite.options import Request, command
from benchmarks.trainings.requests import GpuRequest, OutOfCoreRequest, ScalingRequest, TrainingRequest, WaitingRequest

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
SUBJECTS: dict[str, type[Request]] = {
    "tabular": TabularRequest,
    "budgets": BudgetsRequest,
    "kernels": KernelsRequest,
    "training": TrainingRequest,
    "waiting": WaitingRequest,
    "losses": LossesRequest,
    "thresholds": ThresholdsRequest,
    "vision": VisionRequest,
    "scaling": ScalingRequest,
    "outofcore": OutOfCoreRequest,
    "gpu": GpuRequest,
    "gpu-check": GpuCheckRequest,
    "gpu-vision": GpuVisionRequest,
}


@app.callback()
def main() -> None:
    """Benchmarks of hsboost."""
    environment.let_waiting_threads_sleep()  # before any command imports a booster


for name, request in SUBJECTS.items():
    app.command()(command(name, request))

if __name__ == "__main__":
    app(prog_name="python -m benchmarks")
