"""The report: one set of tables, written as Markdown and printed with rich."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.console import Console

from benchmarks.output import Cell, Table, markdown_table, print_table
from benchmarks.store import Record
from benchmarks.tabular import paper
from benchmarks.tabular.aggregate import Case, Difference, Estimate, Statistics, estimate
from benchmarks.tabular.boosters import BOOSTERS
from benchmarks.tabular.evaluate import Metric
from benchmarks.tabular.losses import BASELINE, DEFAULT_LOSSES, EVERY_LOSS
from benchmarks.tabular.notes import data_lines, heading, notes
from benchmarks.tabular.protocols import PAPER, PROTOCOLS, QUICK, Protocol

WIDE = 170
MARKS = {"better": " ▲", "worse": " ▼", "within noise": "", "one seed": ""}


@dataclass(frozen=True)
class Result:
    """What a report is drawn from: the runs' shared facts, where it was drawn, the statistics."""

    shared: Record
    environment: dict[str, Any]
    statistics: Statistics

    @property
    def protocol(self) -> Protocol:
        """The protocol that the runs followed."""
        return protocol_of(self.shared)

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
            **({"paper": paper.to_json(self.statistics)} if self.protocol is PAPER else {}),
            # Without bootstrap samples and the points of curves, which runs.jsonl has: they are most of its size.
            "runs": [{k: v for k, v in run.items() if k not in LONG} for run in self.statistics.runs],
        }


#: What a run's record holds many numbers of.
LONG = ("bootstrap", "course", "active", "curve")


def protocol_of(shared: Record) -> Protocol:
    """Return the protocol named in the runs' shared facts."""
    return PROTOCOLS[shared["settings"].get("protocol", QUICK.name)]


def build(runs: list[Record], shared: Record, environment: dict[str, Any]) -> Result:
    """Gather a report's material from finished runs."""
    protocol = protocol_of(shared)
    statistics = Statistics(runs, list(BOOSTERS), list(EVERY_LOSS), protocol.metrics, protocol.corrected)
    return Result(shared, environment, statistics)


def tables(result: Result) -> list[Table]:
    """Lay out all tables: AUC over the data sets, each data set in full, differences, tally.

    The paper's protocol begins with its own, a corrected one ends with the pairwise wins and the tests over data sets.
    """
    statistics = result.statistics
    layout = paper.tables(statistics) if result.protocol is PAPER else []
    layout += [_auc_table(statistics)]
    layout += [_dataset_table(statistics, dataset) for dataset in statistics.datasets]
    if statistics.rivals and BASELINE in statistics.losses:
        layout += [_difference_table(statistics), _tally_table(statistics)]
    if statistics.corrected and statistics.rivals:
        layout += [_wins_table(statistics)]
        layout += [_over_datasets_table(statistics)] if BASELINE in statistics.losses else []
    if result.shared["settings"].get("trials"):
        layout.append(_tuning_table(statistics))
    return layout


def _auc_table(statistics: Statistics) -> Table:
    rows = []
    for booster in [name for name in BOOSTERS if any(case[1] == name for case in statistics.cases)]:
        for loss in statistics.losses:
            cells = [_figure(statistics, (name, booster), loss, statistics.metrics[0]) for name in statistics.datasets]
            rows.append([Cell(BOOSTERS[booster].label), _loss(loss), *cells])
    header = [Cell("booster"), Cell("loss"), *(heading(statistics, name) for name in statistics.datasets)]
    return Table("Test AUC", header, rows)


def _dataset_table(statistics: Statistics, dataset: str) -> Table:
    rows = []
    for case in [case for case in statistics.cases if case[0] == dataset]:
        for loss in statistics.losses:
            if not statistics.runs_of(case, loss):
                continue
            cells = [_figure(statistics, case, loss, metric) for metric in statistics.metrics]
            cells += [
                _plus_minus(statistics.estimate(case, loss, "own_log_loss"), 4),
                _plus_minus(statistics.estimate(case, loss, "seconds"), 2),
                _median(statistics.ratio(case, loss, "seconds")),
                _median(statistics.ratio(case, loss, "seconds_per_round")),
                _plus_minus(statistics.estimate(case, loss, "rounds"), 0),
            ]
            rows.append([Cell(BOOSTERS[case[1]].label), _loss(loss), *cells])
    header = [Cell("booster"), Cell("loss"), *_metric_header(statistics)]
    header += [
        Cell("own log loss", brief="own"),
        Cell("seconds", brief="s"),
        Cell("time × log loss", brief="×"),
        Cell("per round × log loss", brief="×/rd"),
        Cell("rounds", brief="rds"),
    ]
    return Table(f"{heading(statistics, dataset).text}: test figures", header, rows)


def _difference_table(statistics: Statistics) -> Table:
    rows = []
    for case in statistics.cases:
        for loss in statistics.rivals:
            gaps = [statistics.difference(case, loss, metric) for metric in statistics.metrics]
            if any(gaps):
                name = [heading(statistics, case[0]), Cell(BOOSTERS[case[1]].label), _loss(loss)]
                rows.append(name + [_difference(gap) for gap in gaps])
    header = [Cell("data set"), Cell("booster"), Cell("loss"), *_metric_header(statistics)]
    title = "Differences to log loss, paired by seed, with 95 % intervals"
    return Table(title + (", marked after Holm" if statistics.corrected else ""), header, rows, labels=3)


def _tally_table(statistics: Statistics) -> Table:
    rows = []
    for loss in statistics.rivals:
        cells = []
        for metric in statistics.metrics:
            counts = statistics.tally(loss, metric)
            undecided = counts["within noise"] + counts["one seed"]
            cells.append(Cell(f"{counts['better']} / {counts['worse']} / {undecided}"))
        rows.append([_loss(loss), *cells])
    title = "Against log loss: cases better / worse / undecided"
    return Table(title, [Cell("loss"), *_metric_header(statistics)], rows, labels=1)


def _wins_table(statistics: Statistics) -> Table:
    metric = statistics.metrics[0]
    wins = statistics.wins(metric)
    rows = [
        [_loss(ours), *(Cell("–" if ours == theirs else "/".join(map(str, wins[ours][theirs])))
                        for theirs in statistics.losses)]
        for ours in statistics.losses
    ]  # fmt: skip
    title = f"Pairwise: cases in which the row's mean {metric.label} beats the column's / cases"
    return Table(title, [Cell("loss"), *map(_loss, statistics.losses)], rows, labels=1)


def _over_datasets_table(statistics: Statistics) -> Table:
    rows = []
    for booster in dict.fromkeys(case[1] for case in statistics.cases):
        for loss in statistics.rivals:
            cells = []
            for metric in statistics.metrics:
                found = statistics.over_datasets(booster, loss, metric)
                p = "" if found is None or found[1] is None else f" (p {found[1]:.3f})"
                cells.append(Cell("–" if found is None else f"{found[0]:+.4f}{p}"))
            rows.append([Cell(BOOSTERS[booster].label), _loss(loss), *cells])
    title = f"Over the {len(statistics.datasets)} data sets: mean difference to log loss, and Wilcoxon's p uncorrected"
    return Table(title, [Cell("booster"), Cell("loss"), *_metric_header(statistics)], rows)


def _tuning_table(statistics: Statistics) -> Table:
    rows = []
    for case in statistics.cases:
        for loss in statistics.losses:
            tuned = [run["tuned"] for run in statistics.runs_of(case, loss)]
            if tuned:
                means = {
                    key: estimate([found[key] for found in tuned]) for key in ("default_score", "score", "seconds")
                }
                cells = [heading(statistics, case[0]), Cell(BOOSTERS[case[1]].label), _loss(loss)]
                cells += [Cell(", ".join(str(found["trials"]) for found in tuned)), _plus_minus(means["seconds"], 1)]
                rows.append([*cells, _plus_minus(means["default_score"], 4), _plus_minus(means["score"], 4)])
    names = ("data set", "booster", "loss", "trials, by seed", "seconds", "defaults, validation", "tuned, validation")
    briefs = ("data set", "booster", "loss", "trials", "s", "default", "tuned")
    header = [Cell(name, brief=brief) for name, brief in zip(names, briefs, strict=True)]
    return Table("What tuning took and gained (the parameters found are in results.json)", header, rows, labels=3)


def _metric_header(statistics: Statistics) -> list[Cell]:
    return [Cell(metric.label, brief=metric.brief) for metric in statistics.metrics]


def _loss(name: str) -> Cell:
    loss = EVERY_LOSS[name]
    return Cell(loss.label, brief=loss.brief or loss.label.partition(" (")[0])


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
    if result.protocol is not QUICK:
        subject = result.protocol.title
    lines = [f"# Tabular benchmark: {subject}", ""]
    lines += [f"* {note}" for note in notes(result.statistics, result.shared["settings"], result.protocol)] + [""]
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
    for note in notes(result.statistics, result.shared["settings"], result.protocol):
        console.print(f"• {note}", highlight=False)
    if brief:
        console.print("• Deviations and intervals: table.md, or a terminal of at least 170 columns.", highlight=False)
