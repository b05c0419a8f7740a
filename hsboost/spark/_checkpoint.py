"""``xgboost.train`` that goes on from where an earlier attempt of the same fit was lost."""

from __future__ import annotations

import pickle
from typing import Any, NamedTuple


class Place(NamedTuple):
    """Where checkpoints of one fit lie: a folder that all machines reach, and after how many rounds one is written."""

    folder: str
    interval: int


class _State(NamedTuple):
    """A checkpoint: the trees, the record of the evaluation, and what early stopping remembers."""

    booster: bytes
    rounds: int
    history: dict[str, Any]
    stopping: list[dict[str, Any]]


def _file_of(place: Place) -> tuple[Any, str]:
    from pyarrow import fs

    filesystem, path = fs.FileSystem.from_uri(place.folder)
    return filesystem, path.rstrip("/")


def load(place: Place | None) -> _State | None:
    """The latest checkpoint, if there is one."""
    if place is None:
        return None
    from pyarrow.fs import FileType

    filesystem, path = _file_of(place)
    if filesystem.get_file_info(f"{path}/checkpoint").type == FileType.NotFound:
        return None
    with filesystem.open_input_stream(f"{path}/checkpoint") as file:
        return pickle.loads(file.read())  # written by this fit: the folder is of its own


def save(place: Place, state: _State) -> None:
    """Replace the latest checkpoint, whole."""
    filesystem, path = _file_of(place)
    filesystem.create_dir(path, recursive=True)
    with filesystem.open_output_stream(f"{path}/checkpoint.new") as file:
        file.write(pickle.dumps(state))
    filesystem.move(f"{path}/checkpoint.new", f"{path}/checkpoint")


def remove(place: Place | None) -> None:
    """No checkpoint of this fit is left."""
    if place is None:
        return
    from pyarrow.fs import FileType

    filesystem, path = _file_of(place)
    if filesystem.get_file_info(path).type != FileType.NotFound:
        filesystem.delete_dir(path)


def train(
    params: dict[str, Any],
    dtrain: Any,
    rounds: int,
    *,
    evals: list[Any],
    obj: Any,
    custom_metric: Any,
    early_stopping_rounds: int | None,
    callbacks: Any,
    evals_result: dict[str, Any],
    place: Place | None,
    crew: Any,
) -> Any:
    """``xgboost.train``, which writes checkpoints to ``place`` and begins with the latest one."""
    import xgboost as xgb
    from xgboost.callback import CallbackContainer, EarlyStopping

    if place is None:
        return xgb.train(
            params,
            dtrain,
            rounds,
            evals=evals,
            obj=obj,
            custom_metric=custom_metric,
            early_stopping_rounds=early_stopping_rounds,
            callbacks=callbacks,
            evals_result=evals_result,
            verbose_eval=False,
        )
    # The loop of xgboost.train, which would begin at round 0 with a model to go on from, and so repeat the random
    # numbers of its first rounds. Early stopping goes on with what it remembers. XGBoost's trees carry random numbers
    # from round to round, which no file holds: so every run reads its own checkpoint back, whether it was lost or not.
    state = crew.share(lambda: load(place) if crew.rank == 0 else None)[0]
    chosen = list(callbacks or [])
    if early_stopping_rounds:
        chosen.append(EarlyStopping(rounds=early_stopping_rounds))
    stopping = [one for one in chosen if isinstance(one, EarlyStopping)]
    container = CallbackContainer(chosen, metric=custom_metric, output_margin=True)
    params = params | {"seed_per_iteration": True}
    matrices = [dtrain, *(one for one, _ in evals)]

    def opened(trees: bytes | None) -> Any:
        return xgb.Booster(params, matrices, model_file=None if trees is None else bytearray(trees))

    first = 0
    booster = container.before_training(opened(None if state is None else state.booster))
    if state is not None:
        first = state.rounds
        container.history.update(state.history)
        for one, memory in zip(stopping, state.stopping, strict=True):
            one.__dict__.update(memory)
    for i in range(first, rounds):
        if container.before_iteration(booster, i, dtrain, evals):
            break
        booster.update(dtrain, iteration=i, fobj=obj)
        if container.after_iteration(booster, i, dtrain, evals):
            break
        if (i + 1) % place.interval == 0 and i + 1 < rounds:
            trees = bytes(booster.save_raw("ubj"))
            now = _State(trees, i + 1, dict(container.history), [dict(vars(one)) for one in stopping])
            crew.share(lambda now=now: save(place, now) if crew.rank == 0 else None)
            booster = opened(trees)
    booster = container.after_training(booster)
    evals_result.update(container.history)
    return booster.reset()
