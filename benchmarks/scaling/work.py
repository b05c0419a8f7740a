"""One case: the same trees for both objectives, in turn; what a worker process does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.scaling.data import Table
from benchmarks.store import Record

HYPERSIMPLEX, LOG_LOSS = "hypersimplex", "log_loss"
OBJECTIVES = (HYPERSIMPLEX, LOG_LOSS)
DEPTH, MAX_BIN = 6, 256
WARM_UP_ROUNDS, WARM_UP = 3, -1

PARAMS: dict[str, Any] = {
    "tree_method": "hist",
    "max_depth": DEPTH,
    "max_bin": MAX_BIN,
    "learning_rate": 0.1,
    "min_child_weight": 0.0,
    # Stated, because the built-in loss would otherwise spend a round on estimating it.
    "base_score": 0.5,
    "seed": 0,
}


@dataclass(frozen=True)
class Job:
    """A case in a worker's terms; ``threads`` are those of one worker."""

    table: Table
    rows: int
    workers: int
    threads: int
    rounds: int
    repeats: int

    def params(self, objective: str) -> dict[str, Any]:
        """Return the booster's settings for one objective."""
        nominal = "binary:logistic" if objective == LOG_LOSS else "reg:squarederror"
        return PARAMS | {"nthread": self.threads, "objective": nominal}

    def trainings(self) -> list[tuple[str, int, int]]:
        """List (objective, repeat, rounds) in order: a warm-up of both first, then turns that rotate."""
        found = [(name, WARM_UP, min(WARM_UP_ROUNDS, self.rounds)) for name in OBJECTIVES]
        for repeat in range(self.repeats):
            order = OBJECTIVES if repeat % 2 == 0 else OBJECTIVES[::-1]
            found += [(name, repeat, self.rounds) for name in order]
        return found


def custom(objective: str) -> Any:
    """Make the objective for `xgb.train`, None for the built-in one."""
    from benchmarks.scaling.watch import Watched
    from hsboost import HypersimplexObjective

    return Watched(HypersimplexObjective()) if objective == HYPERSIMPLEX else None


def train_part(job: Job, rank: int, tell: Callable[[], object]) -> list[Record]:
    """Train on this worker's rows, inside the communicator where there are several; ``tell`` after each training."""
    import numba
    import xgboost as xgb

    from benchmarks.scaling import watch

    numba.set_num_threads(min(job.threads, numba.config.NUMBA_NUM_THREADS))
    # Given as an expression: the rows themselves are not needed beside their bins.
    data = xgb.QuantileDMatrix(*job.table.part(job.rows, job.workers, rank), nthread=job.threads, max_bin=MAX_BIN)
    bins = len(data.get_quantile_cut()[1])
    for objective, repeat, rounds in job.trainings():
        clock = watch.Clock(objective, repeat)
        xgb.train(job.params(objective), data, rounds, obj=custom(objective), callbacks=[clock])
        tell()
    return [found | {"bins": bins} for found in watch.take() if found["repeat"] != WARM_UP]
