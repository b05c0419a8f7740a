"""An equal budget of trials for every loss, stored in a database so that an interrupted search can resume."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from benchmarks.quality.tabular.adapters import Range
from benchmarks.quality.tabular.boosters import BOOSTERS, Prepared
from benchmarks.quality.tabular.losses import EVERY_LOSS
from benchmarks.quality.tabular.settings import Key, Settings
from benchmarks.quality.tabular.splits import Splits
from benchmarks.suite.options import OptionError

if TYPE_CHECKING:
    import optuna

DATABASE = "trials.db"
#: Random trials before the sampler uses earlier results; the first trial takes the defaults.
STARTUP_TRIALS = 5


@dataclass(frozen=True)
class Tuned:
    """The result of a search: settings of the trees, the loss's own, and the cost of the search."""

    trees: dict[str, Any]
    own: dict[str, float]
    score: float
    default_score: float
    trials: int
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Give the content of a record's entry."""
        return vars(self)


def tune(
    key: Key, splits: Splits, prepared: Prepared, score: Callable[[Any], float], settings: Settings, out: Path
) -> Tuned:
    """Search one run's parameters for the best ``score`` on validation; test rows are not used.

    The first trial takes the defaults, so tuning never ends below them on validation. Every trial draws from a
    sampler seeded by its number, so that an interrupted search resumes with the same trials. No trial starts once the
    trials took ``settings.tune_seconds`` together. Raises OptionError without optuna.
    """
    try:
        import optuna
    except ImportError:
        raise OptionError("--protocol: tuned needs optuna; run: pip install optuna") from None
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return _search(key, splits, prepared, score, settings, out)
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        # An altered or damaged database; SQLite also reports a full disk only by such an error.
        reason = str(error).splitlines()[0]
        raise OptionError(
            f"--out: {out / DATABASE} cannot be read or written ({reason}); free space if the disk is full, use "
            "--fresh to start over, or choose another --out"
        ) from None


def _search(
    key: Key, splits: Splits, prepared: Prepared, score: Callable[[Any], float], settings: Settings, out: Path
) -> Tuned:
    import optuna

    _, booster, name, _ = key
    rounds = settings.rounds
    assert rounds is not None
    trees, own = BOOSTERS[booster].space(), dict(EVERY_LOSS[name].space)
    study = _study(key, splits, settings, out)
    while True:
        done = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
        for known in done:
            _check(known, out)
        spent = sum(trial.user_attrs["seconds"] for trial in done)
        if len(done) >= settings.trials or (done and spent >= settings.tune_seconds):
            break
        if not done and not study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.WAITING,)):
            study.enqueue_trial({part: _typed(space, space.default) for part, space in (trees | own).items()})
        # Seeded by the study and the number of finished trials: optuna's own numbers include interrupted ones.
        study.sampler = optuna.samplers.TPESampler(
            seed=_seed(f"{'/'.join(map(str, key))}/{len(done)}"), n_startup_trials=STARTUP_TRIALS
        )
        trial = study.ask()
        values = {part: _suggest(trial, part, space) for part, space in (trees | own).items()}
        loss = EVERY_LOSS[name].tuned(**{part: values[part] for part in own}).on(splits.train.y)
        start = perf_counter()
        trained = prepared.train(loss, score, rounds, {part: values[part] for part in trees})
        seconds, value = perf_counter() - start, score(trained.raw_valid)
        trial.set_user_attr("seconds", seconds)
        trial.set_user_attr("checksum", _checksum(trial.params, seconds, value))
        study.tell(trial, value)
    best = max(done, key=lambda trial: (trial.value, -trial.number))
    assert best.value is not None
    assert done[0].value is not None
    return Tuned(
        trees={part: best.params[part] for part in trees},
        own={part: best.params[part] for part in own},
        score=best.value,
        default_score=done[0].value,
        trials=len(done),
        seconds=spent,
    )


def _checksum(params: dict[str, Any], seconds: float, value: float | None) -> str:
    return hashlib.sha256(json.dumps([sorted(params.items()), seconds, value]).encode()).hexdigest()


def _check(trial: optuna.trial.FrozenTrial, out: Path) -> None:
    """Raise OptionError for a finished trial that was changed after it was written."""
    attributes = trial.user_attrs
    expected = _checksum(trial.params, attributes.get("seconds", 0.0), trial.value)
    if attributes.get("checksum") != expected:
        raise OptionError(
            f"--out: trial {trial.number} in {out / DATABASE} was altered or damaged, or is of an earlier version; use "
            "--fresh to start over, or choose another --out"
        )


def _study(key: Key, splits: Splits, settings: Settings, out: Path) -> optuna.Study:
    """Open a run's study, and mark trials that a killed process left unfinished as failed."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    facts = [*key, settings.rounds, settings.selection, settings.threads, *splits.facts["digest"].values()]
    study = optuna.create_study(
        storage=f"sqlite:///{out / DATABASE}",
        study_name="/".join(map(str, facts)),
        direction="maximize",
        load_if_exists=True,
    )
    for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    return study


def _suggest(trial: optuna.Trial, name: str, space: Range) -> float | int:
    if space.whole:
        return trial.suggest_int(name, int(space.low), int(space.high), log=space.log)
    return trial.suggest_float(name, space.low, space.high, log=space.log)


def _typed(space: Range, value: float) -> float | int:
    return int(value) if space.whole else value


def _seed(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
