"""Workers that fail in mid-training: no hang, one clear error, and a checkpoint from which the same model comes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import _crew
import _faulty
import numpy as np
import pytest
import xgboost as xgb
from _cluster import local_client

from hsboost import HypersimplexObjective

WORKERS, FAULTY = 3, _faulty.FAULTY
EVERYONE = range(WORKERS)
OTHERS = [rank for rank in EVERYONE if rank != FAULTY]
#: Seconds; a sound worker on a busy machine may be late by less.
TIMEOUT = 8

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs signals that end and stop a process")


@pytest.fixture(scope="module")
def crew() -> Iterator[_crew.Crew]:
    """Three processes that have trained together once: everything is imported and compiled."""
    found = _crew.Crew(WORKERS)
    try:
        train_together(found, EVERYONE)
        yield found
    finally:
        found.close()


def train_together(crew: _crew.Crew, ranks: Any, start: Path | None = None) -> None:
    """Train without a fault, from a checkpoint if one is given; the model must be that of one process."""
    with _crew.tracker(len(ranks)) as tracker:
        joining = _crew.connections(tracker, ranks)
        crew.ask(_faulty.train, {rank: (*given, None, 0, None, start) for rank, given in joining.items()})
        for outcome in crew.outcomes(ranks, _crew.PATIENCE):
            assert outcome.error is None, outcome.text
            np.testing.assert_allclose(outcome.value, _faulty.alone(), rtol=1e-4, atol=1e-5)


def assert_lost(outcome: _crew.Outcome, rank: int) -> None:
    """One clear line that says who speaks; XGBoost's own error where its trees were waiting for the lost worker."""
    if outcome.error == "XGBoostError":
        return
    assert outcome.error == "RuntimeError", outcome
    assert outcome.text.startswith(f"worker {rank} of {WORKERS} has lost another one")
    assert "go on from the last checkpoint" in outcome.text
    assert "\n" not in outcome.text


def train_with(
    crew: _crew.Crew, tracker: Any, fault: Callable[..., Any], at: int, folder: Path | None = None, **more: Any
) -> None:
    """Start a training in which one worker meets a fault; returns when it is about to."""
    joining = _crew.connections(tracker, EVERYONE, **more)
    crew.ask(_faulty.train, {rank: (*given, fault, at, folder) for rank, given in joining.items()})
    said = crew.told(FAULTY)
    assert said == "now", said


def test_what_one_worker_cannot_do_all_refuse_with_the_same_words(crew: _crew.Crew) -> None:
    faults = [
        (_faulty.bad_label, 0),
        (_faulty.bad_label, 3),
        (_faulty.missing_label, 3),
        (_faulty.bad_weight, 3),
        (_faulty.broken_disk, 0),
        (_faulty.broken_disk, 3),
    ]
    with _crew.tracker(WORKERS) as tracker:
        joining = _crew.connections(tracker, EVERYONE)
        crew.ask(_faulty.faults_in_turn, {rank: (*given, faults) for rank, given in joining.items()})
        outcomes = crew.outcomes(EVERYONE)
    assert [outcome.error for outcome in outcomes] == [None] * WORKERS, outcomes
    errors, models = zip(*[outcome.value for outcome in outcomes], strict=True)
    assert errors[1:] == errors[:-1]
    words = ["y_true", "y_true", "y_true", "sample_weight", "OSError: the disk is gone", "OSError: the disk is gone"]
    kinds = ["ValueError"] * 4 + ["RuntimeError"] * 2
    for (kind, text), expected_kind, expected in zip(errors[0], kinds, words, strict=True):
        assert kind == expected_kind
        assert text.startswith(f"worker {FAULTY} of {WORKERS}: ")
        assert expected in text
        assert "\n" not in text
    # None of it is left behind in the communicator.
    for model in models:
        np.testing.assert_allclose(model, _faulty.alone(), rtol=1e-4, atol=1e-5)


def test_an_error_outside_the_objective_ends_the_others(crew: _crew.Crew) -> None:
    """The objective cannot tell the others what its caller's own function raises: XGBoost tells that a worker left."""
    with _crew.tracker(WORKERS) as tracker:
        train_with(crew, tracker, _faulty.own_mistake, 3)
        outcomes = crew.outcomes(EVERYONE)
    assert outcomes[FAULTY].error == "KeyError"
    for rank in OTHERS:
        assert_lost(outcomes[rank], rank)
    train_together(crew, EVERYONE)


def test_after_kill_9_the_others_end_and_a_checkpoint_gives_the_same_model(crew: _crew.Crew, tmp_path: Path) -> None:
    at = 5
    with _crew.tracker(WORKERS) as tracker:
        # Should XGBoost not notice at once (seen, rarely), its timeout ends the wait; it is 300 s unless set.
        train_with(crew, tracker, _faulty.killed, at, tmp_path, dmlc_timeout=TIMEOUT)
        outcomes = crew.outcomes(OTHERS)
    for rank, outcome in zip(OTHERS, outcomes, strict=True):
        assert_lost(outcome, rank)
    crew.processes[FAULTY].join(_crew.MINUTE)
    assert crew.processes[FAULTY].exitcode == -signal.SIGKILL
    last = max(tmp_path.iterdir(), key=lambda path: int(path.stem.rpartition("_")[2]))
    assert xgb.Booster(model_file=last).num_boosted_rounds() == at
    train_together(crew, OTHERS, last)  # those who are left read the dead worker's rows
    crew.replace(FAULTY)
    train_together(crew, EVERYONE, last)


def test_xgboosts_timeout_ends_the_wait_for_a_stalled_worker(crew: _crew.Crew) -> None:
    with _crew.tracker(WORKERS) as tracker:
        train_with(crew, tracker, _faulty.stalled, 3, dmlc_timeout=TIMEOUT)
        outcomes = crew.outcomes(OTHERS)
        for rank, outcome in zip(OTHERS, outcomes, strict=True):
            assert_lost(outcome, rank)
        assert any("timeout" in outcome.text.lower() for outcome in outcomes), outcomes
        # It wakes among the ruins, and ends as they did.
        os.kill(crew.processes[FAULTY].pid, signal.SIGCONT)
        assert_lost(crew.outcomes([FAULTY])[0], FAULTY)
    train_together(crew, EVERYONE)


def test_under_dask_a_refusal_comes_back_and_a_killed_worker_ends_the_training(tmp_path: Path) -> None:
    with local_client() as client:
        import dask.array as da
        from xgboost import dask as xgboost_dask

        X, y = (da.from_array(part, chunks=(450, *part.shape[1:])) for part in _faulty.rows())
        data = xgboost_dask.DaskQuantileDMatrix(client, X, y, max_bin=64)

        def train(objective: Any) -> Any:
            return xgboost_dask.train(client, _faulty.PARAMS, data, num_boost_round=_faulty.ROUNDS, obj=objective)

        model = train(HypersimplexObjective())["booster"]  # and everything is compiled
        np.testing.assert_allclose(_faulty.predictions(model), _faulty.alone(), rtol=1e-4, atol=1e-5)
        refused = _crew.within(_crew.MINUTE, train, _faulty.Faulty(3, _faulty.bad_label))
        assert refused.error == "ValueError"
        assert refused.text.startswith(f"worker {FAULTY} of 2: y_true")
        ended = _crew.within(_crew.MINUTE, train, _faulty.Faulty(3, _faulty.KilledOnce(tmp_path)))
        assert (tmp_path / "killed").exists()
        # XGBoost's words, from a worker that is left; Dask may say instead that one was lost.
        assert ended.error in ("XGBoostError", "KilledWorker", "RuntimeError", "ValueError"), ended
