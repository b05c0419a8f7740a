"""The report of the tabular benchmark: figures by data set, differences to log loss, tallies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.quality.requests import TabularRequest
from benchmarks.quality.tabular import paper, plots
from benchmarks.quality.tabular.boosters import BOOSTERS
from benchmarks.quality.tabular.evaluate import Metric
from benchmarks.quality.tabular.losses import BASELINE, DEFAULT_LOSSES, EVERY_LOSS
from benchmarks.quality.tabular.notes import data_lines, heading, notes
from benchmarks.quality.tabular.plan import ALL, PAPER, PROTOCOLS, QUICK
from benchmarks.quality.tabular.settings import key_of
from benchmarks.quality.tabular.statistics import Case, Difference, Estimate, Statistics, estimate
from benchmarks.suite.options import choose
from benchmarks.suite.report import WIDE, Report, made_with
from benchmarks.suite.store import Record
from benchmarks.suite.tables import NONE, Cell, Column, Table, table_of

MARKS = {"better": " ▲", "worse": " ▼", "within noise": "", "one seed": ""}
#: Entries of a record with many numbers.
LONG = ("bootstrap", "course", "active", "curve")
#: A case with a loss: a line of most tables.
Line = tuple[Case, str]
Columns = list[Column[Line]]


class TabularReport(Report):
    """The figures of each loss on each data set with each booster."""

    facts = ("settings", "boosters", "losses", "versions")

    def gather(self) -> None:
        self.protocol = protocol = PROTOCOLS[self.shared["settings"].get("protocol", QUICK.name)]
        runs = _chosen(self.request, self.records) if self.request.report_only else self.records
        self.statistics = Statistics(runs, list(BOOSTERS), list(EVERY_LOSS), protocol.metrics, protocol.corrected)
        few = set(self.statistics.losses) <= set(DEFAULT_LOSSES)
        subject = "L2, log loss and HyperSimplex" if few else f"{len(self.statistics.losses)} losses"
        self.title = f"Tabular benchmark: {protocol.title if protocol is not QUICK else subject}"

    def summary(self) -> dict[str, Any]:
        statistics = self.statistics
        return {
            "seeds": sorted({run["seed"] for run in statistics.runs}),
            **statistics.to_json(),
            **({"paper": paper.to_json(statistics)} if self.protocol is PAPER else {}),
            # Without bootstrap samples and the points of curves, which are most of the size; runs.jsonl has them.
            "runs": [{k: v for k, v in run.items() if k not in LONG} for run in statistics.runs],
        }

    def notes(self) -> list[str]:
        return notes(self.statistics, self.shared["settings"], self.protocol)

    def opening(self) -> list[str]:
        return [*super().opening(), "## Data", "", *(f"* {line}" for line in data_lines(self.statistics)), ""]

    def made_with(self) -> list[str]:
        return made_with(self.shared, self.place, f" (waiting: {self.shared['openmp_wait_policy'] or 'default'})")

    def spoken(self, brief: bool) -> list[str]:
        """All notes; a narrow terminal shows means without deviations and intervals."""
        left_out = f"Deviations and intervals: table.md, or a terminal of at least {WIDE} columns."
        return self.notes() + ([left_out] if brief else [])

    def draw(self, out: Path) -> list[str]:
        """Curves, differences, and the protocol's own plots."""
        return plots.draw(self.statistics, self.protocol, out)

    def tables(self) -> list[Table]:
        """AUC over the data sets, each data set in full, differences, tally.

        The paper's protocol starts with its own tables; a corrected one ends with pairwise wins and tests over data
        sets.
        """
        statistics = self.statistics
        compared = bool(statistics.rivals) and BASELINE in statistics.losses
        layout = paper.tables(statistics) if self.protocol is PAPER else []
        layout += [_auc_table(statistics)]
        layout += [_dataset_table(statistics, dataset) for dataset in statistics.datasets]
        if compared:
            layout += [_difference_table(statistics), _tally_table(statistics)]
        if statistics.corrected and statistics.rivals:
            layout += [_wins_table(statistics)]
            layout += [_over_datasets_table(statistics)] if compared else []
        if self.shared["settings"].get("trials"):
            layout.append(_tuning_table(statistics))
        return layout


def _chosen(request: TabularRequest, runs: list[Record]) -> list[Record]:
    """The finished runs of the data sets, boosters and losses requested with ``--report-only``."""
    every = [key_of(run) for run in runs]
    for position, (option, what, text) in enumerate(
        (
            ("--datasets", "data set", request.datasets),
            ("--boosters", "booster", request.boosters),
            ("--losses", "loss", None if request.losses == ALL else request.losses),
        )
    ):
        wanted = choose(option, what, text, dict.fromkeys(str(key[position]) for key in every))
        runs = [run for run in runs if key_of(run)[position] in wanted]
    return runs


def _loss(name: str) -> Cell:
    loss = EVERY_LOSS[name]
    return Cell(loss.label, brief=loss.brief or loss.label.partition(" (")[0])


def _lines(statistics: Statistics, losses: list[str]) -> list[Line]:
    return [(case, loss) for case in statistics.cases for loss in losses if statistics.runs_of(case, loss)]


def _metrics(statistics: Statistics, show: Callable[[Any, Metric], Cell | str | None]) -> list[Column[Any]]:
    """A column for each metric."""

    def column(metric: Metric) -> Column[Any]:
        return Column(metric.label, lambda row: show(row, metric), metric.brief)

    return [column(metric) for metric in statistics.metrics]


BOOSTER: Column[Line] = Column("booster", lambda r: BOOSTERS[r[0][1]].label)
LOSS: Column[Line] = Column("loss", lambda r: _loss(r[1]))


def _data_set(statistics: Statistics) -> Column[Line]:
    return Column("data set", lambda r: heading(statistics, r[0][0]))


def _auc_table(statistics: Statistics) -> Table:
    boosters = [name for name in BOOSTERS if any(case[1] == name for case in statistics.cases)]
    rows = [
        [Cell(BOOSTERS[booster].label), _loss(loss)]
        + [_figure(statistics, ((name, booster), loss), statistics.metrics[0]) for name in statistics.datasets]
        for booster in boosters
        for loss in statistics.losses
    ]
    header = [Cell("booster"), Cell("loss"), *(heading(statistics, name) for name in statistics.datasets)]
    return Table("Test AUC", header, rows)


def _dataset_table(statistics: Statistics, dataset: str) -> Table:
    def mean(key: str, digits: int) -> Callable[[Line], Cell]:
        return lambda line: _plus_minus(statistics.estimate(*line, key), digits)

    def times(key: str) -> Callable[[Line], str | None]:
        def show(line: Line) -> str | None:
            found = statistics.ratio(*line, key)
            return None if found is None else f"{found.median:.2f}"

        return show

    columns: Columns = [
        *(BOOSTER, LOSS),
        *_metrics(statistics, lambda line, metric: _figure(statistics, line, metric)),
        Column("own log loss", mean("own_log_loss", 4), "own"),
        Column("seconds", mean("seconds", 2), "s"),
        Column("time × log loss", times("seconds"), "×"),
        Column("per round × log loss", times("seconds_per_round"), "×/rd"),
        Column("rounds", mean("rounds", 0), "rds"),
    ]
    lines = [line for line in _lines(statistics, statistics.losses) if line[0][0] == dataset]
    return table_of(f"{heading(statistics, dataset).text}: test figures", columns, lines)


def _difference_table(statistics: Statistics) -> Table:
    def difference(line: Line, metric: Metric) -> Cell:
        return _difference(statistics.difference(*line, metric))

    columns = [_data_set(statistics), BOOSTER, LOSS, *_metrics(statistics, difference)]
    lines = [
        line
        for line in _lines(statistics, statistics.rivals)
        if any(statistics.difference(*line, metric) for metric in statistics.metrics)
    ]
    title = "Differences to log loss, paired by seed, with 95 % intervals"
    return table_of(title + (", marked after Holm" if statistics.corrected else ""), columns, lines, labels=3)


def _tally_table(statistics: Statistics) -> Table:
    def tally(loss: str, metric: Metric) -> str:
        counts = statistics.tally(loss, metric)
        return f"{counts['better']} / {counts['worse']} / {counts['within noise'] + counts['one seed']}"

    columns: list[Column[str]] = [Column("loss", _loss), *_metrics(statistics, tally)]
    return table_of("Against log loss: cases better / worse / undecided", columns, statistics.rivals, labels=1)


def _wins_table(statistics: Statistics) -> Table:
    metric, losses = statistics.metrics[0], statistics.losses
    wins = statistics.wins(metric)
    rows = [
        [_loss(ours), *(NONE if ours == theirs else Cell("/".join(map(str, wins[ours][theirs]))) for theirs in losses)]
        for ours in losses
    ]
    title = f"Pairwise: cases in which the row's mean {metric.label} beats the column's / cases"
    return Table(title, [Cell("loss"), *map(_loss, losses)], rows, labels=1)


def _over_datasets_table(statistics: Statistics) -> Table:
    def shown(row: tuple[str, str], metric: Metric) -> str | None:
        found = statistics.over_datasets(*row, metric)
        if found is None:
            return None
        return f"{found[0]:+.4f}" + ("" if found[1] is None else f" (p {found[1]:.3f})")

    columns: list[Column[tuple[str, str]]] = [
        Column("booster", lambda r: BOOSTERS[r[0]].label),
        Column("loss", lambda r: _loss(r[1])),
        *_metrics(statistics, shown),
    ]
    boosters = dict.fromkeys(case[1] for case in statistics.cases)
    rows = [(booster, loss) for booster in boosters for loss in statistics.rivals]
    title = f"Over the {len(statistics.datasets)} data sets: mean difference to log loss, and Wilcoxon's p uncorrected"
    return table_of(title, columns, rows)


def _tuning_table(statistics: Statistics) -> Table:
    def tuned(line: Line) -> list[Record]:
        return [run["tuned"] for run in statistics.runs_of(*line)]

    def mean(key: str, digits: int) -> Callable[[Line], Cell]:
        return lambda line: _plus_minus(estimate([found[key] for found in tuned(line)]), digits)

    columns: Columns = [
        *(_data_set(statistics), BOOSTER, LOSS),
        Column("trials, by seed", lambda r: ", ".join(str(found["trials"]) for found in tuned(r)), "trials"),
        Column("seconds", mean("seconds", 1), "s"),
        Column("defaults, validation", mean("default_score", 4), "default"),
        Column("tuned, validation", mean("score", 4), "tuned"),
    ]
    title = "What tuning took and gained (the parameters found are in results.json)"
    return table_of(title, columns, _lines(statistics, statistics.losses), labels=3)


def _figure(statistics: Statistics, line: Line, metric: Metric) -> Cell:
    case, loss = line
    shown = _plus_minus(statistics.estimate(case, loss, metric.key), 4)
    gap = statistics.difference(case, loss, metric) if loss != BASELINE else None
    mark = MARKS[gap.verdict] if gap else ""
    brief = (shown.brief or shown.text).removeprefix("0") + mark.strip()
    return Cell(shown.text + mark, strong=statistics.best(case, metric) == loss, brief=brief)


def _difference(gap: Difference | None) -> Cell:
    if gap is None:
        return NONE
    mark, text = MARKS[gap.verdict], f"{gap.mean:+.4f}"
    brief = text.replace("0.", ".", 1) + mark.strip()
    if gap.low is None or gap.high is None:
        return Cell(text, brief=brief)
    return Cell(f"{text} ±{(gap.high - gap.low) / 2:.4f}{mark}", brief=brief)


def _plus_minus(found: Estimate | None, digits: int) -> Cell:
    if found is None:
        return NONE
    text = f"{found.mean:.{digits}f}"
    return Cell(text if found.std is None else f"{text} ±{found.std:.{digits}f}", brief=text)
