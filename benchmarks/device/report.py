"""The report of the check: requirements, what became of each step, and the figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.calls import gpu as kernels
from benchmarks.calls.layer import FULL_ROWS
from benchmarks.device.equality import THRESHOLDS_AGREE, TREES_AGREE
from benchmarks.device.layer import BOTH, FORWARD, PAV, SORT, THRESHOLD
from benchmarks.device.layer import LABELS as METHODS
from benchmarks.device.parts import PARTS
from benchmarks.device.worker import DONE
from benchmarks.suite.measure import spread
from benchmarks.suite.report import Report
from benchmarks.suite.requirements import Requirement, ratio_within
from benchmarks.suite.store import Record
from benchmarks.suite.tables import NONE, Cell, Column, Table, table_of
from benchmarks.trainings.gpu_report import LABELS as OBJECTIVES
from benchmarks.trainings.gpu_report import LOG_LOSS, ON_GPU

TIMES_COPY, TIMES_LOG_LOSS, TIMES_FASTER = 2.0, 1.10, 10.0
REQUIRED_ROWS = 10_000_000
SIMULATED = "simulated: not a measurement"
NOT_RUN = "its step did not end well, or was not run"


class CheckReport(Report):
    """Requirements and figures of a card, from whatever steps are done."""

    title = "Check on a GPU"
    facts = ("settings", "versions", "gpu")

    def gather(self) -> None:
        self.steps: dict[tuple[str, str], Record] = {(one["part"], one["step"]): one for one in self.records}
        self.simulated = bool(self.shared["settings"]["simulated"])
        self.closing = f"{self.notes()[0]} How to read the figures: table.md."

    def done(self, part: str) -> Iterator[tuple[str, Any]]:
        """(step, its figures) of a part's finished steps."""
        for (name, step), record in self.steps.items():
            if name == part and record["outcome"] == DONE:
                yield step, record["result"]

    def figures(self, *parts: str) -> list[Any]:
        """The figures of finished steps."""
        return [result for part in parts for _, result in self.done(part)]

    def requirements(self) -> list[Requirement]:
        """Each requirement; one whose step is missing, or was simulated, is not measured."""
        found = [
            self._tests(),
            *self._equality(),
            *kernels.requirements(self.figures("kernels"))[:1],
            self._training(),
            self._layer(),
        ]
        if not self.simulated:
            return found
        return [Requirement(one.claim, None, one.bound, one.unit, one.at_least, SIMULATED) for one in found]

    def _tests(self) -> Requirement:
        claim = "all tests of the device pass"
        expected = [(part, step) for part in ("cuda-tests", "torch-tests") for step in PARTS[part].steps()]
        found = {key: self.steps[key]["result"] for key in expected if key in self.steps and self._ended(key)}
        bad = [key for key, one in found.items() if one["failed"] or one["error"] or one["exit_code"]]
        bad += [key for key in expected if key in self.steps and not self._ended(key)]
        passed = sum(one["passed"] for one in found.values())
        note = f"{passed} passed" + (f"; not well: {', '.join(step for _, step in bad)}" if bad else "")
        if bad:
            return Requirement(claim, 0.0, None, note=note)
        if missing := [step for part, step in expected if (part, step) not in found]:
            return Requirement(claim, None, None, note=f"{note}; not run: {', '.join(missing)}")
        return Requirement(claim, 1.0, None, note=note)

    def _ended(self, key: tuple[str, str]) -> bool:
        return bool(self.steps[key]["outcome"] == DONE)

    def _equality(self) -> list[Requirement]:
        steps = dict(self.done("equality"))
        same, agree = (
            "gradients and curvatures equal the processor's to float32 rounding",
            "trees and thresholds are those of the objective on the processor",
        )
        found = [Requirement(same, None, None, note=NOT_RUN), Requirement(agree, None, None, note=NOT_RUN)]
        if "gradients" in steps:
            cases = steps["gradients"]["cases"]
            worst = max(cases, key=lambda name: cases[name]["difference"])
            met = all(one["difference"] <= one["bound"] for one in cases.values())
            note = f"largest of {len(cases)} cases, relative to the largest entry: {cases[worst]['difference']:.1e} "
            note += f"({worst}); rounding is {cases[worst]['bound']:.1e}"
            found[0] = Requirement(same, float(met), None, note=note)
        if "trees" in steps:
            cases = steps["trees"]["cases"]
            apart = [name for name, one in cases.items() if not _agree(one)]
            note = f"{len(cases)} cases" + (f"; apart: {', '.join(apart)}" if apart else "")
            found[1] = Requirement(agree, float(not apart), None, note=note)
        return found

    def _training(self) -> Requirement:
        claim = "XGBoost on the GPU, 1e7 x 28: HyperSimplex against built-in log loss"
        found = [one for one in self.figures("training") if one["rows"] == REQUIRED_ROWS]
        return ratio_within(claim, _ratios(found[0], ON_GPU) if found else [], TIMES_LOG_LOSS, NOT_RUN)

    def _layer(self) -> Requirement:
        claim = "layer, forward + backward, float32, 1e6 x 10: times faster than a sort and PAV, input on the card"
        found = [one for one in self.figures("layer") if one["rows"] == FULL_ROWS and PAV in one["seconds"]]
        if not found:
            return Requirement(claim, None, TIMES_FASTER, at_least=True, note=NOT_RUN)
        ours, theirs = (_median(found[0], method) for method in (THRESHOLD, PAV))
        sort = _median(found[0], SORT, FORWARD)
        note = f"{1e3 * ours:.3g} ms / {1e3 * theirs:.4g} ms; torch.sort alone {1e3 * sort:.3g} ms"
        return Requirement(claim, theirs / ours, TIMES_FASTER, at_least=True, note=note)

    def tables(self) -> list[Table]:
        """Steps, tests, gradients and trees, kernels, passes, trainings, the layer."""
        every = self.figures("kernels", "more-kernels")
        by_size = sorted(every, key=lambda record: record["n"])
        dtypes = dict.fromkeys(record["dtype"] for record in by_size)
        return [
            self._steps(),
            self._counts(),
            self._gradients(),
            self._trees(),
            *(kernels.table(by_size, dtype) for dtype in dtypes),
            self._passes(),
            self._trainings(),
            self._layers(),
        ]

    def _steps(self) -> Table:
        columns: list[Column[Record]] = [
            Column("part", lambda r: r["part"]),
            Column("step", lambda r: r["step"]),
            Column("outcome", lambda r: Cell(r["outcome"], r["outcome"] != DONE)),
            Column("seconds", lambda r: f"{r['seconds']:.1f}"),
            Column("error", lambda r: r["error"].splitlines()[0][:200] if r["error"] else None),
        ]
        begun = {part for part, _ in self.steps}
        rows = [*self.steps.values()]
        blank = {"step": "", "outcome": "not run", "seconds": 0.0, "error": ""}
        rows += [blank | {"part": name} for name in PARTS if name not in begun]
        return table_of("Steps", columns, rows)

    def _counts(self) -> Table:
        columns: list[Column[tuple[str, Any]]] = [
            Column("tests", lambda r: r[0]),
            Column("passed", lambda r: str(r[1]["passed"])),
            Column("failed", lambda r: str(r[1]["failed"] + r[1]["error"])),
            Column("skipped", lambda r: str(r[1]["skipped"])),
            Column("names of those that failed", lambda r: ", ".join(r[1]["failures"]) or None),
        ]
        return table_of("Tests", columns, [*self.done("cuda-tests"), *self.done("torch-tests")], labels=1)

    def _gradients(self) -> Table:
        columns: list[Column[tuple[str, Any]]] = [
            Column("gradients and curvatures", lambda r: r[0]),
            Column("largest difference", lambda r: f"{r[1]['difference']:.1e}"),
            Column("of thresholds", lambda r: f"{r[1]['threshold_difference']:.1e}"),
        ]
        cases = dict(self.done("equality")).get("gradients", {"cases": {}})["cases"]
        return table_of("The card's gradients minus the processor's", columns, cases.items(), labels=1)

    def _trees(self) -> Table:
        columns: list[Column[tuple[str, Any]]] = [
            Column("trees", lambda r: r[0]),
            Column("with the same splits", lambda r: f"{r[1]['trees_with_the_same_splits']} of {r[1]['trees']}"),
            Column("predictions", lambda r: f"{r[1]['prediction_difference']:.1e}"),
            Column("thresholds", lambda r: f"{r[1]['threshold_difference']:.1e}"),
        ]
        cases = dict(self.done("equality")).get("trees", {"cases": {}})["cases"]
        return table_of("Trees with the objective on the card and on the processor", columns, cases.items(), labels=1)

    def _passes(self) -> Table:
        found = self.figures("passes")
        if not found:
            return Table("Passes", [], [])
        one = found[0]
        counts = list(next(iter(one["seconds"].values())))
        header = [Cell("pass"), *(Cell(f"{count} blocks") for count in counts)]
        rows = [
            [Cell(name), *(_bandwidth(times[count], one["bytes"][name]) for count in counts)]
            for name, times in one["seconds"].items()
        ]
        title = f"Passes over {one['n']:,} float32 scores alone: milliseconds (GB/s of the arrays they touch)"
        return Table(title, header, rows, labels=1)

    def _trainings(self) -> Table:
        rows = [
            (one, name)
            for one in self.figures("training", "more-training")
            for name in OBJECTIVES
            if any(name in turn["objectives"] for turn in one["turns"])
        ]
        columns: list[Column[tuple[Any, str]]] = [
            Column("rows", lambda r: f"{r[0]['rows']:,}, from the {r[0]['place']}"),
            Column("objective", lambda r: OBJECTIVES[r[1]]),
            Column("seconds", lambda r: f"{np.median(_of(*r, 'seconds')):.3f}"),
            Column("× log loss", lambda r: f"{np.median(_ratios(*r)):.3f}"),
            Column("in the objective", lambda r: f"{sum(_of(*r, 'objective_seconds')) / sum(_of(*r, 'seconds')):.0%}"),
            Column("bytes a row and round", lambda r: _bytes(*r)),
            Column("leaves a tree", lambda r: f"{np.median(_of(*r, 'leaves')):.1f}"),
        ]
        return table_of("XGBoost's training on the card", columns, rows)

    def _layers(self) -> Table:
        rows = [(step, one, method) for step, one in self.done("layer") for method in one["seconds"]]
        columns: list[Column[tuple[str, Any, str]]] = [
            Column("scores", lambda r: r[0]),
            Column("method", lambda r: METHODS[r[2]]),
            *(
                Column(f"{kind}, ms", lambda r, kind=kind: _milliseconds(r[1], r[2], kind))  # type: ignore[misc]
                for kind in (FORWARD, BOTH)
            ),
        ]
        return table_of("The layer of PyTorch, float32", columns, rows)

    def summary(self) -> dict[str, Any]:
        return {"simulated": self.simulated, "steps": self.records}

    def notes(self) -> list[str]:
        gpu = self.shared["gpu"]
        facts = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in gpu.items() if name != "name")
        return [
            *([f"{SIMULATED.capitalize()}. Sizes are tiny, and everything ran on the processor."] * self.simulated),
            f"GPU: {gpu['name']}" + (f" ({facts})." if facts else "."),
            "Every step ran in a process with a time limit; one that failed, crashed or was stopped is listed as such, "
            "and a requirement without its step is not measured. An attempt that ended well stands for its step.",
            "Trainings: 100 rounds on 28 numeric columns drawn like the Higgs data, after an untimed warm-up; ratios "
            "are within a turn. Bytes: what the objective copies to the card and back; XGBoost copies four bytes a row "
            "and round more, its predictions for a custom objective.",
            "Layer: k a tenth of the rows, medians of wall times that wait for the card. There is no PAV on the card: "
            "method='pav' copies the scores to the processor and the result back, which is in its time.",
        ]


def _agree(case: Any) -> bool:
    same = case["trees_with_the_same_splits"] == case["trees"]
    return bool(
        same and case["prediction_difference"] <= TREES_AGREE and case["threshold_difference"] <= THRESHOLDS_AGREE
    )


def _ratios(training: Any, name: str) -> list[float]:
    turns = [turn["objectives"] for turn in training["turns"]]
    return [one[name]["seconds"] / one[LOG_LOSS]["seconds"] for one in turns if name in one and LOG_LOSS in one]


def _of(training: Any, name: str, figure: str) -> list[float]:
    turns = [turn["objectives"] for turn in training["turns"]]
    return [one[name][figure] for one in turns if name in one]


def _bytes(training: Any, name: str) -> str:
    each = training["rounds"] * training["rows"]
    return f"{sum(np.median(_of(training, name, way)) for way in ('to_device', 'to_host')) / each:.2f}"


def _median(layer: Any, method: str, kind: str = BOTH) -> float:
    return spread(layer["seconds"][method][kind]).median


def _milliseconds(layer: Any, method: str, kind: str) -> Cell:
    times = layer["seconds"][method].get(kind)
    return NONE if times is None else Cell(f"{1e3 * spread(times).median:.4g}")


def _bandwidth(seconds: float, moved: int) -> Cell:
    return Cell(f"{1e3 * seconds:.4g} ({moved / seconds / 1e9:.0f})")
