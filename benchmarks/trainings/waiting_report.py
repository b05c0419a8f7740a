"""The report of the waiting benchmark: every row as a ratio with its spread, of this build and of the other one."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.suite.report import Report
from benchmarks.suite.requirements import Requirement, ratio_within
from benchmarks.suite.store import Record
from benchmarks.suite.tables import Column, Table, seconds, table_of, with_range
from benchmarks.trainings.waiting_rows import PROFILE, ROWS


def ratios(record: Record, build: str) -> list[float]:
    """A turn's ratios, sample by sample; of a row about processes, of this build to the other one."""
    found = record[build]
    if found is None or "failed" in found:
        return []
    if ROWS[record["row"]].kind == "process":
        other = record["other"]
        if build == "other" or other is None or "failed" in other:
            return []
        return [found["measured"][0] / other["measured"][0]]
    return [a / b for a, b in zip(found["measured"], found["base"], strict=True)]


class WaitingReport(Report):
    """What users wait for, in the order of the table."""

    title = "Waiting benchmark: where users wait"
    facts = ("settings", "versions", "openmp_wait_policy")
    closing = "Ranges, failures and how to read the figures: table.md."

    def gather(self) -> None:
        turns = [record for record in self.records if record["turn"] != PROFILE]
        self.found = {
            row: [record for record in turns if record["row"] == row]
            for row in ROWS
            if any(record["row"] == row for record in turns)
        }
        self.profiles: dict[str, list[Record]] = {
            record["row"]: record["this"]["profile"]
            for record in self.records
            if record["turn"] == PROFILE and "profile" in record["this"]
        }

    def of(self, row: str, build: str) -> list[float]:
        """The median ratio of every turn."""
        turns = (ratios(record, build) for record in self.found[row])
        return [float(np.median(turn)) for turn in turns if turn]

    def requirements(self) -> list[Requirement]:
        """One for each row that was run."""
        made = []
        for row in self.found:
            one = ROWS[row]
            missing = self._failure(row, "this") or "needs --against"
            bound = ratio_within(one.claim, self.of(row, "this"), one.bound, missing)
            made.append(Requirement(bound.claim, bound.measured, bound.bound, at_least=one.at_least, note=bound.note))
        return made

    def tables(self) -> list[Table]:
        columns: list[Column[str]] = [
            Column("row", lambda row: row),
            Column("ratio", lambda row: with_range(self.of(row, "this")) if self.of(row, "this") else None),
            Column("other build's", lambda row: with_range(self.of(row, "other")) if self.of(row, "other") else None),
            Column("measured", lambda row: self._amount(row, "this", "measured")),
            Column("divided by", lambda row: self._amount(row, "this", "base")),
            Column("other build, measured", lambda row: self._amount(row, "other", "measured"), "other"),
        ]
        return [table_of("Where users wait", columns, self.found, labels=1), self._where()]

    def _where(self) -> Table:
        """Where the time of the rows goes that miss their bound."""
        missed = {one.claim for one in self.requirements() if one.verdict == "not met"}
        lines = [
            (row, part)
            for row, profile in self.profiles.items()
            if row in self.found and ROWS[row].claim in missed
            for part in profile
        ]
        columns: list[Column[tuple[str, Record]]] = [
            Column("row", lambda line: line[0]),
            Column("function or stage", lambda line: line[1]["where"]),
            Column("share of its time", lambda line: f"{100 * line[1]['share']:.0f} %"),
            Column("time", lambda line: seconds(line[1]["seconds"])),
        ]
        return table_of("Where the time of the misses goes", columns, lines, labels=2)

    def _amount(self, row: str, build: str, call: str) -> str | None:
        """The median of a call, seconds or bytes."""
        every = [record[build].get(call) for record in self.found[row] if record[build] is not None]
        values = [value for one in every if one for value in one]
        if not values:
            return None
        middle = float(np.median(values))
        if ROWS[row].kind == "figure":
            return f"{middle:.4f}"
        return f"{middle / 2**20:.0f} MiB" if ROWS[row].kind == "memory" else seconds(middle)

    def _failure(self, row: str, build: str) -> str:
        found = [record[build]["failed"] for record in self.found[row] if record[build] and "failed" in record[build]]
        return f"failed: {found[0]}" if found else ""

    def notes(self) -> list[str]:
        settings = self.shared["settings"]
        failures = [
            f"{row}, {build} build: {failure}."
            for row in self.found
            for build in ("this", "other")
            if (failure := self._failure(row, build))
        ]
        return [
            f"Threads: {settings['threads']}; share of the usual data rows: {settings['scale']:g}. A turn is a process "
            "of each build, one after the other; within it the measured call and the one it is divided by alternate. "
            "Ratios are medians of the turns' medians, with the least and the greatest turn.",
            "Profiles are of one more process: a function's own time, with the compiled code that it calls; times are "
            "longer under a profiler. A process is split into its imports, the compiler and the rest.",
            *failures,
        ]

    def summary(self) -> dict[str, Any]:
        return {
            "rows": [
                {"row": row, "bound": ROWS[row].bound}
                | {build: self.of(row, build) for build in ("this", "other")}
                | {"profile": self.profiles.get(row)}
                for row in self.found
            ]
        }
