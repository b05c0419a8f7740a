"""``python -m benchmarks outofcore``: the memory of training with the features on disk, against their raw size."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

from benchmarks.suite import environment, options
from benchmarks.suite.options import OptionError
from benchmarks.suite.report import Report
from benchmarks.suite.requirements import Requirement
from benchmarks.suite.run import Benchmark, StatusLine, Work
from benchmarks.suite.store import Record, RunStore
from benchmarks.suite.tables import Cell, Column, Table, table_of, written
from benchmarks.trainings import outofcore_case as case_of
from benchmarks.trainings.objectives import HYPERSIMPLEX, LARGE_PARAMS, LOG_LOSS, OBJECTIVES
from benchmarks.trainings.outofcore_batches import NARROW, WIDE
from benchmarks.trainings.outofcore_case import EXTERNAL, IN_MEMORY
from benchmarks.trainings.requests import OutOfCoreRequest

MOST_ROWS, FEWEST_ROWS, SMALL_ROWS = 3_000_000, 200, 20_000
#: Largest peak allowed, as a share of the features as float32.
BOUND = 0.5
#: Entries that every record has.
FIELDS = (
    *("way", "objective", "columns", "rows", "matrix"),
    *("seconds_binning", "seconds_per_round", "disk_bytes", "peak_bytes", "raw_bytes"),
)

Key = tuple[str, str, int]
KEYS: tuple[Key, ...] = (
    (EXTERNAL, HYPERSIMPLEX, WIDE),
    (EXTERNAL, LOG_LOSS, WIDE),
    (IN_MEMORY, HYPERSIMPLEX, WIDE),
    (EXTERNAL, HYPERSIMPLEX, NARROW),
    (IN_MEMORY, HYPERSIMPLEX, NARROW),
)


@dataclass(frozen=True)
class Settings:
    """The settings that affect memory and time, other than a case's way, objective and columns."""

    rows: int
    rounds: int
    threads: int


key_of = itemgetter("way", "objective", "columns")


def make_settings(request: OutOfCoreRequest) -> Settings:
    """Check every option and fill in the defaults; raises OptionError naming option, value and choices."""
    options.at_least(1, rounds=request.rounds)
    threads = options.threads(request.threads)
    rows = SMALL_ROWS if request.small else MOST_ROWS
    if request.rows is not None:
        given = options.sizes("--rows", request.rows, FEWEST_ROWS)
        if len(given) != 1 or given[0] > MOST_ROWS:
            raise OptionError(f"--rows: one number of at most {MOST_ROWS:,}, got {request.rows!r}")
        rows = given[0]
    return Settings(rows, request.rounds, threads)


def available_rows(rows: int, data_dir: Path | None) -> int:
    """How many of the requested rows are available; raises OptionError without the flights."""
    from datasets import DatasetError, stream

    try:
        return len(stream("flights3m", rows=rows, data_dir=data_dir))
    except DatasetError as error:
        raise OptionError(f"--data-dir: {error}") from None


def prepare(request: OutOfCoreRequest) -> Work[Key]:
    """Check every option and list the cases."""
    settings = make_settings(request)
    rows = available_rows(settings.rows, request.data_dir)

    def make(key: Key, store: RunStore[Key], status: StatusLine) -> Record:
        """Train once; the first case also measures the objective's allocations."""
        status(f"{key[0]}, {key[1]}, {key[2]} columns")
        with tempfile.TemporaryDirectory(prefix="hsboost-outofcore-") as folder:
            case = case_of.Case(*key, rows, settings.rounds, settings.threads, request.data_dir, Path(folder))
            found = case_of.in_fresh_process(case)
        return found | ({"objective_bytes_per_row": case_of.objective_bytes_per_row()} if key == KEYS[0] else {})

    sources = (f"trainings/{name}.py" for name in ("outofcore_batches", "outofcore_case", "objectives"))
    packages = (*environment.PACKAGES, "pyarrow")
    shared = environment.shared_facts(settings, (*sources, "suite/measure.py"), packages, params=LARGE_PARAMS)
    return Work(KEYS, shared, make, "case")


def requirements(records: list[Record]) -> list[Requirement]:
    """The peak out of core against the features' size."""
    claim = f"3e6 flights x {WIDE} columns, out of core: peak memory against the features as float32"
    wanted = (EXTERNAL, HYPERSIMPLEX, WIDE, MOST_ROWS)
    for r in records:
        if (*key_of(r), r["rows"]) == wanted and r["peak_bytes"] is not None:
            note = f"{r['peak_bytes'] / 2**20:.0f} MiB of {r['raw_bytes'] / 2**20:.0f}; {r['matrix']}"
            return [Requirement(claim, r["peak_bytes"] / r["raw_bytes"], BOUND, note=note)]
    return [Requirement(claim, None, BOUND, note="needs 3e6 rows, and Linux to measure memory")]


class OutOfCoreReport(Report):
    """The memory of training out of core, by way and width, and the objective's own."""

    title = "Training out of core"
    facts = ("settings", "params", "versions")

    def requirements(self) -> list[Requirement]:
        return requirements(self.records)

    def tables(self) -> list[Table]:
        """What the objective allocates, and memory by way and width."""
        own: dict[str, float] = next(
            (r["objective_bytes_per_row"] for r in self.records if r.get("objective_bytes_per_row")), {}
        )
        allocated: list[Column[tuple[str, float]]] = [
            Column("when", lambda r: r[0].replace("_", " ")),
            Column("bytes a row", lambda r: f"{r[1]:.1f}"),
        ]
        columns: list[Column[Record]] = [
            Column("columns", lambda r: str(r["columns"])),
            Column("way", lambda r: r["way"]),
            Column("objective", lambda r: Cell(OBJECTIVES[r["objective"]].label, r["objective"] == HYPERSIMPLEX)),
            Column("raw MiB", lambda r: f"{r['raw_bytes'] / 2**20:.0f}"),
            Column("peak MiB", lambda r: written("{:.0f}", r["peak_bytes"], 2**-20)),
            Column("of raw", lambda r: _share(r, "{:.2f}", "raw_bytes")),
            Column("peak B a row", lambda r: _share(r, "{:.0f}", "rows")),
            Column("disk MiB", lambda r: f"{r['disk_bytes'] / 2**20:.0f}"),
            Column("binning s", lambda r: f"{r['seconds_binning']:.1f}"),
            Column("s a round", lambda r: f"{r['seconds_per_round']:.3f}"),
        ]
        records = sorted(self.records, key=lambda r: KEYS.index(key_of(r)))
        return [
            table_of("What the objective allocates", allocated, own.items(), labels=1),
            table_of("Memory", columns, records, labels=3),
        ]

    def shown(self, brief: bool) -> list[tuple[Table, bool]]:
        """Memory first, in the same form as in the file."""
        return [(table, False) for table in reversed(self.tables())]

    def summary(self) -> dict[str, Any]:
        return {"runs": self.records}

    def notes(self) -> list[str]:
        settings = self.shared["settings"]
        return [
            f"{settings['rows']:,} flights of 2001 (flights3m) from Parquet, a row group at a time, through the "
            f"loaders' iterator; {settings['rounds']} rounds, {settings['threads']} threads, each case in a process of "
            "its own.",
            f"{NARROW} columns are the flights as they are, airports as codes; {WIDE} are those with the product and "
            "the difference of every two, made slice by slice as XGBoost asks for them and never there as a whole.",
            "raw is the size of the features as float32. peak is the growth of resident memory from before the files "
            "are opened to the end of training, pages of XGBoost's file that the system keeps in memory included. disk "
            "is that file.",
            "Labels, scores, gradients and the place of each row in the tree grow with the rows and not with the "
            "columns: out of core they are what stays in memory, for every loss. Narrow rows therefore gain little.",
        ]


def _share(record: Record, form: str, of: str) -> str | None:
    """The peak over another entry of the record."""
    return None if record["peak_bytes"] is None else form.format(record["peak_bytes"] / record[of])


BENCHMARK = Benchmark(key_of, FIELDS, prepare, OutOfCoreReport)
main = BENCHMARK.run
