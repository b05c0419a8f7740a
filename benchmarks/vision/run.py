"""Train the runs that are missing, keep each finished run, and write the report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from benchmarks import environment
from benchmarks.errors import OptionError
from benchmarks.output import default_console, progress_bar, publish
from benchmarks.resume import Work, carry_out
from benchmarks.store import Record, RunStore
from benchmarks.vision import report
from benchmarks.vision.aggregate import Figures
from benchmarks.vision.plan import Case, Plan, Request, Settings, make_plan, shared_facts
from datasets import DatasetError

KEPT = "unfinished"


#: Entries that every record has.
FIELDS = ("run", "dataset", "batch", "loss", "seed", "data", "curves", "aligned")


def key_of(record: Record) -> str:
    """Name a run: data set, batch size, loss, seed."""
    return str(record["run"])


def main(request: Request, console: Console | None = None) -> int:
    """Carry out ``python -m benchmarks vision``; returns the exit code, or raises OptionError."""
    console = console or default_console()

    def work() -> Work[str]:
        plan = make_plan(request)
        cases = {case.key: case for case in plan.cases}

        def make(missing: list[str], store: RunStore[str]) -> None:
            with configured(plan.settings):
                execute(plan, [cases[key] for key in missing], store, request, console)

        def forget() -> None:
            for old in (request.out / KEPT).glob("*.pt*"):
                old.unlink()

        return Work(list(cases), shared_facts(plan.settings), make, forget=forget)

    def written(store: RunStore[str], records: list[Record]) -> None:
        write_report(store, records, request.out, console)

    return carry_out(request, key_of, work, written, console, FIELDS)


def execute(plan: Plan, missing: list[Case], store: RunStore[str], request: Request, console: Console) -> None:
    """Train the missing runs in order and append each to the store as soon as it is finished."""
    from benchmarks.vision.train import forget, resident, run_case
    from datasets.vision import Images, load_images

    assert store.header is not None
    loaded: Images | None = None
    place: tuple[str, int] | None = None
    with progress_bar(console) as progress:
        task = progress.add_task("starting", total=len(missing))
        for case in missing:

            def say(doing: str, key: str = case.key) -> None:
                progress.update(task, description=f"{key}: {doing}")

            if loaded is None or loaded.name != case.dataset:
                say("pictures")
                try:
                    loaded = load_images(case.dataset, request.data_dir, download=request.download, jpeg=request.jpeg)
                except DatasetError as error:
                    raise OptionError(f"--datasets: {error}") from None
            if place != (case.dataset, case.seed):
                data, place = resident(loaded, plan.settings, case.seed), (case.dataset, case.seed)
            kept = request.out / KEPT
            store.append(run_case(case, plan.settings, data, store.header, kept, say))
            forget(case, kept)
            progress.advance(task)
        progress.update(task, description="all runs done")


@contextmanager
def configured(settings: Settings) -> Iterator[None]:
    """Threads and precision for the runs; put back afterwards."""
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


def write_report(store: RunStore[str], records: list[Record], out: Path, console: Console) -> None:
    """Write table.md, results.json and the plots from finished runs, and print the tables."""
    from benchmarks.vision import plots, published

    assert store.header is not None
    figures = Figures(records)
    place = environment.describe(store.header["settings"]["threads"])
    result = report.Result(store.header, place, figures)
    written = plots.draw(figures, out, comparable=not published.differences(store.header["settings"]))
    report.print_tables(result, console)
    publish(out, result, report.to_markdown(result, written), written, console)
