"""``python -m benchmarks budgets``: train each loss for budgets, keep each finished training, report what there is."""

from __future__ import annotations

import contextlib

from benchmarks.quality.budgets import tables
from benchmarks.quality.budgets.methods import Training, methods
from benchmarks.quality.budgets.plan import Plan, make_plan, shared_facts
from benchmarks.quality.budgets.report import BudgetsReport
from benchmarks.quality.budgets.settings import TREES, Key, Settings, key_of
from benchmarks.quality.budgets.train import PREPARED, Prepared, Refused
from benchmarks.quality.requests import BudgetsRequest
from benchmarks.suite.options import OptionError
from benchmarks.suite.run import Benchmark, StatusLine, Work
from benchmarks.suite.store import Record, RunStore

FIELDS = (*Key._fields, "data", "seconds", "processor_seconds", "figures", "refused")
WARM_UP_ROUNDS = 2


def prepare(request: BudgetsRequest) -> Work[Key]:
    """Check every option and list the runs."""
    plan = make_plan(request)

    def pinned(missing: object) -> contextlib.AbstractContextManager[None]:
        import numba

        with contextlib.suppress(ValueError):  # more threads than numba was started with: it keeps its own limit
            numba.set_num_threads(plan.settings.threads)
        return contextlib.nullcontext()

    return Work(plan.keys(), shared_facts(plan.settings), Runs(plan), unit="training", around=pinned)


class Runs:
    """Carries out trainings; the next of the same split reuses the rows of the last, converted for its booster."""

    def __init__(self, plan: Plan) -> None:
        self.settings: Settings = plan.settings
        # By name: what the keys hold.
        self.trainings: dict[str, Training] = {
            one.name: one
            for block in plan.blocks
            for method in methods().values()
            for budget in block.budgets
            for one in method.trainings(budget, block.trees, plan.settings.trials)
        }
        self.cut: tuple[object, tables.Fold] | None = None
        self.prepared: tuple[object, Prepared] | None = None
        self.warmed: set[tuple[str, str, bool]] = set()

    def __call__(self, key: Key, store: RunStore[Key], status: StatusLine) -> Record:
        cut = (key.dataset, key.split, key.fold, key.rows, key.noise)
        if self.cut is None or self.cut[0] != cut:
            status(f"{key.dataset}, {key.split} {key.fold}: loading")
            self.prepared = None
            self.cut = cut, tables.make_fold(*cut, self.settings)
            self._check_same_data(key, self.cut[1], store)
        fold = self.cut[1]
        if self.prepared is None or self.prepared[0] != key.booster:
            self.prepared = key.booster, PREPARED[key.booster](fold, self.settings)
        status(f"{key.dataset}, {key.split} {key.fold}, {key.booster}, {key.trees}: {key.training}")
        training, prepared = self.trainings[key.training], self.prepared[1]
        record: Record = key._asdict() | {"data": fold.facts()}
        try:
            kind = (key.booster, training.loss, training.by_group)
            if kind not in self.warmed:
                prepared.warm_up(training, WARM_UP_ROUNDS)  # compilation is no loss's training time
                self.warmed.add(kind)
            return record | prepared.run(training, TREES[key.trees])
        except (Refused, ValueError, FloatingPointError, _lightgbm_error()) as error:
            # One training must not end a run of days; the report names it.
            reason = str(error) if isinstance(error, Refused) else f"failed: {type(error).__name__}: {error}"
            nothing = {"seconds": None, "processor_seconds": None, "figures": None}
            return record | nothing | {"refused": reason}

    @staticmethod
    def _check_same_data(key: Key, fold: tables.Fold, store: RunStore[Key]) -> None:
        """Refuse to add to runs on other rows of the same name."""
        for other, record in store.runs.items():
            if other.dataset == key.dataset and record["data"]["digest"] != fold.digest:
                raise OptionError(
                    f"--out: {store.path} holds runs on other rows of {key.dataset!r}: the data have changed; use "
                    "--fresh to start over, or choose another --out"
                )


def _lightgbm_error() -> type[Exception]:
    """LightGBM's own kind of error; XGBoost's is a ValueError."""
    from lightgbm.basic import LightGBMError

    found: type[Exception] = LightGBMError
    return found


BENCHMARK = Benchmark(key_of, FIELDS, prepare, BudgetsReport)
main = BENCHMARK.run
