"""The report of the budgets benchmark: gains by cell, counts for the targets, growth with rows, costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from operator import attrgetter
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from benchmarks.quality.budgets import export, plots
from benchmarks.quality.budgets.cells import CONFIDENCE, DEFAULTS, MANY_ROWS, TUNED, Cell, Cells, Compared
from benchmarks.quality.budgets.methods import BASELINE, LAMBDAMART, PRIMARY, TRIALS, WEIGHTED, Method, methods, ours
from benchmarks.quality.budgets.plan import KNOWN, blocks
from benchmarks.quality.budgets.settings import ALL, GROUP, TREES, shown
from benchmarks.suite.report import Report, made_with
from benchmarks.suite.requirements import Requirement
from benchmarks.suite.tables import NONE, Column, Table, count, table_of
from benchmarks.suite.tables import Cell as Entry


class BudgetsReport(Report):
    """Precision among the top k of each method, minus tuned log loss's, in every cell."""

    facts = ("settings", "trees", "versions")
    picture = ("gains.png", "Precision at k minus tuned log loss's, with 95 % intervals, in every cell")
    closing = "Gains in points (hundredths of precision) on tuned log loss; * significant, ! leaks. More: table.md."

    def gather(self) -> None:
        settings = self.shared["settings"]
        self.cells = Cells(self.records, settings["trials"], settings["folds"])
        self.title = f"Budgets: precision among the top k in {len(self.cells.cells)} cells"

    def of(self, judged: str) -> list[Cell]:
        """The cells judged in a way."""
        return [cell for cell in self.cells.cells if cell.judged == judged]

    def tables(self, brief: bool = False) -> list[Table]:
        return [
            self._gains(ALL, "Gain in precision, all rows together", brief),
            self._gains(GROUP, "Gain in precision, group by group", brief),
            *(self._counts(judged) for judged in (ALL, GROUP)),
            self._growth(),
            self._costs(),
        ]

    def shown(self, brief: bool) -> list[tuple[Table, bool]]:
        return [(table, True) for table in self.tables(brief=True)]

    def _gains(self, judged: str, title: str, brief: bool) -> Table:
        return self._side_by_side(judged, title) if brief else self._one_below_another(judged, title)

    def _side_by_side(self, judged: str, title: str) -> Table:
        """For a terminal: the methods that the targets are about, ours at their defaults, a line for each cell."""
        columns: list[Column[Cell]] = [
            Column("data, split", _place, "data"),
            Column("trees", _trees),
            Column("k", lambda cell: Entry(shown(cell.budget), brief=shown(cell.budget)[:4])),
            Column("log loss", self._base, "logl."),
        ]
        for method in self._present(judged):
            if not (method.has_budget if method.ours else method.name in (WEIGHTED, LAMBDAMART)):
                continue
            variant = DEFAULTS if method.ours else TUNED
            columns.append(Column(method.label, partial(self._gain, method=method, variant=variant), method.brief))
        return table_of(title, columns, self.of(judged), 3)

    def _one_below_another(self, judged: str, title: str) -> Table:
        """For a page: a line for each cell and method."""
        lines: list[tuple[Cell, Method]] = []
        for cell in self.of(judged):
            here = {one.name for one in self.cells.methods(cell)} | self.cells.refused.get(cell, {}).keys()
            lines += [(cell, one) for one in self._present(judged) if one.name in here]
        columns: list[Column[tuple[Cell, Method]]] = [
            Column("data, split", lambda line: _place(line[0])),
            Column("rows", lambda line: count(self.cells.rows(line[0]))),
            Column("trees", lambda line: _trees(line[0])),
            Column("k", lambda line: shown(line[0].budget)),
            Column("log loss", lambda line: self._base(line[0])),
            Column("method", lambda line: line[1].label.removesuffix(", by group")),
            Column("at its defaults", lambda line: self._gain(*line, DEFAULTS) if line[1].ours else None),
            Column("best of its trials", lambda line: self._gain(*line, TUNED)),
        ]
        return table_of(title, columns, lines, 6)

    def _present(self, judged: str) -> list[Method]:
        """The methods that have figures somewhere, without log loss."""
        present = {one.name for cell in self.of(judged) for one in self.cells.methods(cell)}
        return [one for one in methods().values() if one.name in present and one.name != BASELINE]

    def _base(self, cell: Cell) -> Entry:
        text = f"{self.cells.mean(cell, BASELINE):.3f}"
        return Entry(text, brief=text.removeprefix("0"))

    def _gain(self, cell: Cell, method: Method, variant: str) -> Entry:
        if method.name in self.cells.refused.get(cell, {}):
            return Entry("refuses", brief="refus.")
        found = self.cells.compare(cell, (method.name, variant))
        if found is None:
            return NONE
        star = "*" if found.verdict else ""
        text = f"{found.difference.mean:+.3f}{star} ({_interval(found)})"
        return Entry(text, found.verdict > 0, f"{100 * found.difference.mean:+.1f}{star}")

    def _counts(self, judged: str) -> Table:
        """How many cells with many rows each method wins and loses against each rival."""
        bases = [(BASELINE, "log loss"), (WEIGHTED, "weighted")]
        bases += [(LAMBDAMART, "LambdaMART")] if judged == GROUP else []
        cells = [cell for cell in self.of(judged) if self.cells.large(cell)]
        lines = [(method, variant) for method in ours(judged) for variant in (DEFAULTS, TUNED)]
        lines = [line for line in lines if any(self.cells.figures(cell, line[0].name) for cell in cells)]

        def tally(base: str) -> Callable[[tuple[Method, str]], str]:
            def show(line: tuple[Method, str]) -> str:
                found = Tally.of(self.cells.compare_all(cells, (line[0].name, line[1]), (base, TUNED)).values())
                return f"+{found.above} −{found.below} of {found.cells} ({found.above_holm}, {found.below_holm})"

            return show

        columns: list[Column[tuple[Method, str]]] = [
            Column("method", lambda line: Entry(f"{line[0].label}, {line[1]}", brief=f"{line[0].brief} {line[1]}"))
        ]
        columns += [Column(f"against {label}, tuned", tally(base), label) for base, label in bases]
        words = "group by group" if judged == GROUP else "all rows together"
        return table_of(f"Cells of {MANY_ROWS:,} rows and more, {words}", columns, lines, 1)

    def growths(self) -> list[tuple[Cell, list[Cell]]]:
        """Cells that differ in nothing but their rows, where there are three or more, with increasing rows."""
        series: dict[Cell, list[Cell]] = {}
        for cell in self.cells.cells:
            series.setdefault(cell._replace(rows=0), []).append(cell)
        return [(key, sorted(found, key=self.cells.rows)) for key, found in series.items() if len(found) >= 3]

    def _growth(self) -> Table:
        lines = [
            (cell, method, found)
            for _, cells in self.growths()
            for cell in cells
            for method in self.cells.methods(cell)
            if method.ours and (found := self.cells.compare(cell, (method.name, DEFAULTS))) is not None
        ]
        Line = tuple[Cell, Method, Compared]

        def interval(line: Line) -> Entry:
            found = line[2]
            brief = f"{100 * found.difference.mean:+.1f} ({_interval(found, '{:+.1f}', 100)})"
            return Entry(f"{found.difference.mean:+.3f} ({_interval(found)})", found.verdict > 0, brief)

        columns: list[Column[Line]] = [
            Column("data, split", lambda line: _place(line[0])),
            Column("trees", lambda line: _trees(line[0])),
            Column("k", lambda line: shown(line[0].budget)),
            Column("method", lambda line: Entry(line[1].label, brief=line[1].brief)),
            Column("rows", lambda line: count(self.cells.rows(line[0]))),
            Column("gain at the defaults", interval, "gain"),
        ]  # fmt: skip
        return table_of("Growth with rows", columns, lines, 4)

    def _costs(self) -> Table:
        """Training time and AUC against log loss, the median over cells."""
        lines = [
            (judged, booster, method)
            for judged in (ALL, GROUP)
            for booster in dict.fromkeys(cell.booster for cell in self.of(judged))
            for method in methods().values()
            if method.name != BASELINE
            and any(self.cells.figures(cell, method.name) for cell in self.of(judged) if cell.booster == booster)
        ]
        Line = tuple[str, str, Method]

        def over_cells(figure: Callable[[Cell, str], float | None], form: str) -> Callable[[Line], str | None]:
            def show(line: Line) -> str | None:
                cells = [cell for cell in self.of(line[0]) if cell.booster == line[1]]
                values = [value for cell in cells if (value := figure(cell, line[2].name)) is not None]
                return form.format(median(values)) if values else None

            return show

        def gap(metric: str) -> Callable[[Cell, str], float | None]:
            def figure(cell: Cell, method: str) -> float | None:
                found = self.cells.compare(cell, (method, TUNED), metric=metric)
                return None if found is None else found.difference.mean

            return figure

        columns: list[Column[Line]] = [
            Column("judged", lambda line: "all rows" if line[0] == ALL else "groups"),
            Column("booster", lambda line: line[1]),
            Column("method", lambda line: Entry(line[2].label, brief=line[2].brief)),
            Column("precision", over_cells(gap("precision"), "{:+.3f}"), "prec."),
            Column("recall", over_cells(gap("recall"), "{:+.3f}")),
            Column("AUC", over_cells(gap("auc"), "{:+.3f}")),
            Column("time", over_cells(self.cells.time_ratio, "{:.2f}×")),
        ]
        return table_of("Against tuned log loss: medians over the cells", columns, lines, 3)

    def notes(self) -> list[str]:
        settings = self.shared["settings"]
        combination = attrgetter("dataset", "split", "booster", "trees", "rows", "noise")
        asked = {combination(block) for block in blocks(self.request.scope)}
        ran = {combination(cell) for cell in self.cells.cells} & asked
        splits = sorted({len(self.cells.figures(cell, BASELINE)) for cell in self.cells.cells})
        sizes = ", ".join(f"{name} ({one.rounds} rounds, {one.leaves} leaves)" for name, one in TREES.items())
        data = dict.fromkeys(cell.dataset for cell in self.cells.cells)
        return [
            f"{len(self.records):,} trainings; {len(ran)} of the {len(asked)} combinations of data, split, booster, "
            f"trees, rows and noise in --scope {self.request.scope} have figures, the others are not in the tables. "
            f"Splits of a cell: {', '.join(map(str, splits)) or 'none'} of {settings['folds']}.",
            f"Trees: {sizes}; of one size in both boosters (XGBoost grows leaf-wise). Every training grows all rounds; "
            "the round is chosen by precision at k on validation rows.",
            f"Each method has {TRIALS} trials ({settings['trials']} where the trees are tuned), chosen by precision at "
            "k on validation rows in every split, and is judged on test rows. “defaults” is its first trial alone. Log "
            "loss, L2 and rankings without truncation try learning rates, weighted log loss weights of the positives "
            "from 1 down to 0.03, focal its gamma, LambdaMART truncations from k to 4 k, this package's losses "
            "multiples of k.",
            "Differences are paired by split; intervals and * are of the corrected resampled t-test at "
            f"{CONFIDENCE:.0%} (Nadeau and Bengio), each cell by itself. Counts: + significantly above, − below; in "
            "brackets the same with Holm's correction over the cells. Counts and targets are of cells with all splits.",
            "Time is processor time of training, of all threads, at the defaults. Splits: random rows, whole groups "
            "that are not in training, or the future (trained on all that was before).",
            *(f"{name} leaks: {KNOWN[name].leak}." for name in data if name in KNOWN and KNOWN[name].leak),
            *self._refusals(),
        ]

    def _refusals(self) -> list[str]:
        reasons = {
            f"{cell.booster}, {methods()[name].label}, on {cell.dataset}: {' '.join(reason.split())[:200]}."
            for cell, refusals in self.cells.refused.items()
            for name, reason in refusals.items()
        }
        return sorted(reasons)

    def requirements(self) -> list[Requirement]:
        """The targets, for `PRIMARY` at its defaults: significant differences, of all rows together in large cells."""
        large = {judged: [cell for cell in self.of(judged) if self.cells.large(cell)] for judged in (ALL, GROUP)}
        found = []
        for base, words, least in ((BASELINE, "log loss", 2 / 3), (WEIGHTED, "weighted log loss", 1 / 2)):
            tally = Tally.of(self.cells.compare_all(large[ALL], (PRIMARY, DEFAULTS), (base, TUNED)).values())
            note = f"{tally.cells} cells"
            found.append(_share(f"share of cells above tuned {words}", tally.above, tally.cells, least, True, note))
            found.append(_share(f"share of cells below tuned {words}", tally.below, tally.cells, 1 / 20, False, note))
        by_group, cells = (f"{PRIMARY}/groups", DEFAULTS), self.of(GROUP)
        tally = Tally.of(self.cells.compare_all(cells, by_group, (BASELINE, TUNED)).values())
        found.append(
            _share(
                "by group: share above tuned log loss", tally.above, tally.cells, 1 / 2, True, f"{tally.cells} cells"
            )
        )
        tally = Tally.of(self.cells.compare_all(cells, by_group, (LAMBDAMART, TUNED)).values())
        found.append(
            _share("by group: share below LambdaMART", tally.below, tally.cells, 1 / 10, False, f"{tally.cells} cells")
        )
        times = [value for cell in cells if (value := self.cells.time_ratio(cell, by_group[0], LAMBDAMART)) is not None]
        note = f"{len(times)} cells, median" if times else "no cell has both"
        found.append(
            Requirement("by group: training time over LambdaMART's", median(times) if times else None, 0.2, note=note)
        )
        return found

    def summary(self) -> dict[str, Any]:
        return {
            "cells": export.rows(self.cells),
            "refused": [cell._asdict() | why for cell, why in self.cells.refused.items()],
        }

    def draw(self, out: Path) -> list[str]:
        return [*export.write(self.cells, out), *plots.draw(self.cells, self.growths(), out)]

    def made_with(self) -> list[str]:
        return made_with(self.shared, self.place, f" (waiting: {self.shared['openmp_wait_policy'] or 'default'})")


class Tally(NamedTuple):
    """How many cells are significantly above and below, of how many; also with Holm's correction."""

    above: int
    below: int
    cells: int
    above_holm: int
    below_holm: int

    @classmethod
    def of(cls, compared: Iterable[Compared]) -> Tally:
        """Count."""
        every: Sequence[Compared] = list(compared)
        strict = [one for one in every if one.p_holm < 1.0 - CONFIDENCE]
        return cls(
            sum(one.verdict > 0 for one in every),
            sum(one.verdict < 0 for one in every),
            len(every),
            sum(one.verdict > 0 for one in strict),
            sum(one.verdict < 0 for one in strict),
        )


def _interval(found: Compared, form: str = "{:+.3f}", scale: float = 1.0) -> str:
    if found.splits < 2:
        return "one split"
    low, high = found.interval
    return f"{form.format(scale * low)} … {form.format(scale * high)}"


def _place(cell: Cell) -> Entry:
    """Data and split; what leaks is marked wherever its figures stand."""
    known = KNOWN.get(cell.dataset)
    leaks = known is not None and bool(known.leak)
    noise = f", {cell.noise:.0%} of labels flipped" if cell.noise else ""
    short = f"{cell.dataset[:7]}{'!' if leaks else ''} {cell.split[:4]}" + (f" ~{cell.noise:.0%}" if noise else "")
    return Entry(f"{cell.dataset}{' (leaks)' if leaks else ''}, {cell.split}{noise}", brief=short)


def _trees(cell: Cell) -> Entry:
    return Entry(f"{cell.trees}, {cell.booster}", brief=f"{cell.trees} {cell.booster[0].upper()}")


def _share(claim: str, part: int, of: int, bound: float, at_least: bool, note: str) -> Requirement:
    return Requirement(claim, part / of if of else None, round(bound, 3), "", at_least, note)
