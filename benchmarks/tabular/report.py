"""The report: one set of tables, written as Markdown and printed with rich."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.console import Console

from benchmarks.output import Cell, Table, markdown_table, print_table
from benchmarks.tabular.aggregate import Case, Difference, Estimate, Statistics
from benchmarks.tabular.boosters import BOOSTERS
from benchmarks.tabular.evaluate import METRICS, Metric
from benchmarks.tabular.losses import BASELINE, DEFAULT_LOSSES, LOSSES
from benchmarks.tabular.notes import data_lines, notes
from benchmarks.tabular.store import Record

WIDE = 170
MARKS = {"better": " ▲", "worse": " ▼", "within noise": "", "one seed": ""}


@dataclass(frozen=True)
class Result:
    """What a report is drawn from: the runs' shared facts, where it was drawn, the statistics."""

    shared: Record
    environment: dict[str, Any]
    statistics: Statistics

    def to_json(self) -> dict[str, Any]:
        """The content of results.json."""
        return {
            "settings": self.shared["settings"],
            "boosters": self.shared["boosters"],
            "losses": self.shared["losses"],
            "versions": self.shared["versions"],
            "environment_of_the_report": self.environment,
            "seeds": sorted({run["seed"] for run in self.statistics.runs}),
            **self.statistics.to_json(),
            "runs": self.statistics.runs,
        }


def build(runs: list[Record], shared: Record, environment: dict[str, Any]) -> Result:
    """Gather a report's material from finished runs."""
    return Result(shared, environment, Statistics(runs, list(BOOSTERS), list(LOSSES)))


def tables(result: Result) -> list[Table]:
    """Lay out all tables: AUC over the data sets, each data set in full, differences, tally."""
    statistics = result.statistics
    layout = [_auc_table(statistics)]
    layout += [_dataset_table(statistics, dataset) for dataset in statistics.datasets]
    if statistics.rivals and BASELINE in statistics.losses:
        layout += [_difference_table(statistics), _tally_table(statistics)]
    return layout


def _auc_table(statistics: Statistics) -> Table:
    rows = []
    for booster in [name for name in BOOSTERS if any(case[1] == name for case in statistics.cases)]:
        for loss in statistics.losses:
            cells = [_figure(statistics, (name, booster), loss, METRICS[0]) for name in statistics.datasets]
            rows.append([Cell(BOOSTERS[booster].label), _loss(loss), *cells])
    header = [Cell("booster"), Cell("loss"), *(Cell(name) for name in statistics.datasets)]
    return Table("Test AUC", header, rows)


def _dataset_table(statistics: Statistics, dataset: str) -> Table:
    rows = []
    for case in [case for case in statistics.cases if case[0] == dataset]:
        for loss in statistics.losses:
            if not statistics.runs_of(case, loss):
                continue
            cells = [_figure(statistics, case, loss, metric) for metric in METRICS]
            cells += [
                _plus_minus(statistics.estimate(case, loss, "own_log_loss"), 4),
                _plus_minus(statistics.estimate(case, loss, "seconds"), 2),
                _median(statistics.ratio(case, loss, "seconds")),
                _median(statistics.ratio(case, loss, "seconds_per_round")),
                _plus_minus(statistics.estimate(case, loss, "rounds"), 0),
            ]
            rows.append([Cell(BOOSTERS[case[1]].label), _loss(loss), *cells])
    header = [Cell("booster"), Cell("loss"), *_metric_header()]
    header += [
        Cell("own log loss", brief="own"),
        Cell("seconds", brief="s"),
        Cell("time × log loss", brief="×"),
        Cell("per round × log loss", brief="×/rd"),
        Cell("rounds", brief="rds"),
    ]
    return Table(f"{dataset}: test figures", header, rows)


def _difference_table(statistics: Statistics) -> Table:
    rows = []
    for case in statistics.cases:
        for loss in statistics.rivals:
            gaps = [statistics.difference(case, loss, metric) for metric in METRICS]
            if any(gaps):
                name = [Cell(case[0]), Cell(BOOSTERS[case[1]].label), _loss(loss)]
                rows.append(name + [_difference(gap) for gap in gaps])
    header = [Cell("data set"), Cell("booster"), Cell("loss"), *_metric_header()]
    return Table("Differences to log loss, paired by seed, with 95 % intervals", header, rows, labels=3)


def _tally_table(statistics: Statistics) -> Table:
    rows = []
    for loss in statistics.rivals:
        cells = []
        for metric in METRICS:
            counts = statistics.tally(loss, metric)
            undecided = counts["within noise"] + counts["one seed"]
            cells.append(Cell(f"{counts['better']} / {counts['worse']} / {undecided}"))
        rows.append([_loss(loss), *cells])
    title = "Against log loss: cases better / worse / undecided"
    return Table(title, [Cell("loss"), *_metric_header()], rows, labels=1)


def _metric_header() -> list[Cell]:
    return [Cell(metric.label, brief=metric.brief) for metric in METRICS]


def _loss(name: str) -> Cell:
    return Cell(LOSSES[name].label, brief=LOSSES[name].label.partition(" (")[0])


def _figure(statistics: Statistics, case: Case, loss: str, metric: Metric) -> Cell:
    shown = _plus_minus(statistics.estimate(case, loss, metric.key), 4)
    gap = statistics.difference(case, loss, metric) if loss != BASELINE else None
    mark = MARKS[gap.verdict] if gap else ""
    brief = (shown.brief or shown.text).removeprefix("0") + mark.strip()
    return Cell(shown.text + mark, strong=statistics.best(case, metric) == loss, brief=brief)


def _difference(gap: Difference | None) -> Cell:
    if gap is None:
        return Cell("–")
    mark, text = MARKS[gap.verdict], f"{gap.mean:+.4f}"
    brief = text.replace("0.", ".", 1) + mark.strip()
    if gap.low is None or gap.high is None:
        return Cell(text, brief=brief)
    return Cell(f"{text} ±{(gap.high - gap.low) / 2:.4f}{mark}", brief=brief)


def _plus_minus(found: Estimate | None, digits: int) -> Cell:
    if found is None:
        return Cell("–")
    text = f"{found.mean:.{digits}f}"
    return Cell(text if found.std is None else f"{text} ±{found.std:.{digits}f}", brief=text)


def _median(found: Estimate | None) -> Cell:
    return Cell("–" if found is None else f"{found.median:.2f}")


def to_markdown(result: Result) -> str:
    """Write the whole report as Markdown."""
    place, versions = result.environment, result.shared["versions"]
    few = set(result.statistics.losses) <= set(DEFAULT_LOSSES)
    subject = "L2, log loss and HyperSimplex" if few else f"{len(result.statistics.losses)} losses"
    lines = [f"# Tabular benchmark: {subject}", ""]
    lines += [f"* {note}" for note in notes(result.statistics, result.shared["settings"])] + [""]
    lines += ["## Data", "", *(f"* {line}" for line in data_lines(result.statistics)), ""]
    for table in tables(result):
        lines += [f"## {table.title}", "", *markdown_table(table), ""]
    lines += [
        "## Made with",
        "",
        f"* {result.shared['cpu']}, {result.shared['settings']['threads']} threads (waiting: "
        f"{result.shared['openmp_wait_policy'] or 'default'}); "
        f"{place['hardware']['memory_gib']} GiB of memory; {place['hardware']['system']}",
        f"* {', '.join(f'{name} {version}' for name, version in versions.items())}",
        f"* commit {place['commit'] or 'unknown'}",
    ]
    return "\n".join(lines) + "\n"


def print_tables(result: Result, console: Console) -> None:
    """Print the tables and the notes; a narrow terminal gets means without deviations and intervals."""
    brief = console.width < WIDE
    for table in tables(result):
        print_table(table, console, brief)
    for note in notes(result.statistics, result.shared["settings"]):
        console.print(f"• {note}", highlight=False)
    if brief:
        console.print("• Deviations and intervals: table.md, or a terminal of at least 170 columns.", highlight=False)
