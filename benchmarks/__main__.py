"""Command line: ``python -m benchmarks <subject>``.

A subject's options stand in its ``command.py``, which imports nothing heavy; a new subject joins the list below.
"""

from __future__ import annotations

import typer

from benchmarks import environment
from benchmarks.gpu.command import gpu
from benchmarks.kernels.command import kernels
from benchmarks.losses.command import losses
from benchmarks.outofcore.command import outofcore
from benchmarks.scaling.command import scaling
from benchmarks.tabular.command import tabular
from benchmarks.training.command import training
from benchmarks.vision.command import vision

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def main() -> None:
    """Benchmarks of hsboost."""
    environment.let_waiting_threads_sleep()  # before any command imports a booster


for command in (tabular, kernels, training, losses, vision, scaling, outofcore, gpu):
    app.command()(command)

if __name__ == "__main__":
    app(prog_name="python -m benchmarks")
