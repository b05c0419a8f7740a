"""Early stopping on one evaluation set, by whichever setting of the booster.

XGBoost would stop on the last set, LightGBM on any that is not its training data.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from hsboost import _stack
from hsboost.estimators._evaluation.deciding import deciding


def on_one_set(
    kind: str | None, estimator: Any, extra: dict[str, Any], is_training: list[bool]
) -> AbstractContextManager[None]:
    """While this lasts, ``estimator`` stops on the set that decides; ``extra`` are the arguments of its ``fit``.

    Without such a set all rounds are trained, with a warning.
    """
    return _xgboost(estimator, is_training) if kind == "xgboost" else _lightgbm(estimator, extra, is_training)


@contextmanager
def _xgboost(estimator: Any, is_training: list[bool]) -> Iterator[None]:
    from xgboost.callback import EarlyStopping

    rounds, callbacks = estimator.early_stopping_rounds, estimator.callbacks
    given = list(callbacks or [])
    stopping = [one for one in given if isinstance(one, EarlyStopping)]
    if not (rounds or stopping):
        yield
        return
    place = _place(is_training)
    named = [one for one in stopping if one.data is not None]
    for one in named:
        if one.data in {f"validation_{i}" for i, own in enumerate(is_training) if own}:
            raise ValueError(
                f"EarlyStopping(data_name={one.data!r}) names the training rows, which say nothing about when to stop; "
                "leave data_name out, or name another evaluation set"
            )
    unnamed = [one for one in stopping if one.data is None]
    if place is None:
        estimator.early_stopping_rounds = None
        estimator.callbacks = [one for one in given if one not in stopping] or None
    elif place < len(is_training) - 1:
        name = f"validation_{place}"
        for one in unnamed:
            one.data = name
        if rounds:
            estimator.early_stopping_rounds = None
            estimator.callbacks = [*given, EarlyStopping(rounds=rounds, data_name=name)]
    try:
        yield
    finally:
        estimator.early_stopping_rounds, estimator.callbacks = rounds, callbacks
        for one in unnamed:
            one.data = None


@contextmanager
def _lightgbm(estimator: Any, extra: dict[str, Any], is_training: list[bool]) -> Iterator[None]:
    import lightgbm as lgb

    kind = type(lgb.early_stopping(1, verbose=False))
    given = list(extra.get("callbacks") or [])
    settings = _settings(estimator)
    # LightGBM makes a callback of its parameters, which would be shown all sets.
    own = _own_callback(estimator, settings)
    stopping = [one for one in given if isinstance(one, kind) and one.enabled]
    if not stopping and own is None:
        yield
        return
    place = _place(is_training)
    if place is None or len(is_training) > 1:
        every = given if own is None else [*given, own]
        extra["callbacks"] = [
            _OnOneSet(one, _name(extra.get("eval_names"), place)) if isinstance(one, kind) else one
            for one in every
            if place is not None or not isinstance(one, kind)
        ]
        if own is not None:
            estimator.set_params(**dict.fromkeys(settings))
    try:
        yield
    finally:
        if own is not None:
            estimator.set_params(**settings)


def is_asked(estimator: Any, extra: dict[str, Any]) -> bool:
    """Whether LightGBM is to stop early, by a parameter or by a callback among the arguments of ``fit``."""
    import lightgbm as lgb

    kind = type(lgb.early_stopping(1, verbose=False))
    given = list(extra.get("callbacks") or [])
    return any(isinstance(one, kind) and one.enabled for one in given) or (
        _own_callback(estimator, _settings(estimator)) is not None
    )


def _place(is_training: list[bool]) -> int | None:
    """The set to stop on, where early stopping is asked for."""
    if not is_training:
        raise ValueError(
            "early stopping needs rows that the trees are not trained on; pass eval_set=(X_valid, y_valid), or leave "
            "early stopping out"
        )
    place = deciding(is_training)
    if place is None:
        _stack.warn(
            "eval_set holds the training rows only, which say nothing about when to stop: early stopping is off and "
            "all rounds are trained; pass other rows too",
        )
    return place


def _settings(estimator: Any) -> dict[str, Any]:
    """LightGBM's parameter of early stopping, by whichever of its names it was given."""
    from lightgbm.basic import _ConfigAliases

    params = estimator.get_params()
    return {name: params[name] for name in _ConfigAliases.get_sorted("early_stopping_round") if name in params}


def _own_callback(estimator: Any, settings: dict[str, Any]) -> Any:
    """The callback that LightGBM would make of its parameters, or None."""
    import lightgbm as lgb

    # LightGBM takes its own name before an alias.
    rounds = settings.get("early_stopping_round", next(iter(settings.values()), None))
    if rounds is None:
        return None
    params = estimator.get_params()
    made = lgb.early_stopping(
        rounds,
        first_metric_only=params.get("first_metric_only", False),
        min_delta=params.get("early_stopping_min_delta", 0.0),
        verbose=_is_verbose(params),
    )
    return made if made.enabled else None


def _is_verbose(params: dict[str, Any]) -> bool:
    from lightgbm.basic import _ConfigAliases

    names = [name for name in _ConfigAliases.get_sorted("verbosity") if params.get(name) is not None]
    return not names or params[names[0]] > 0


def _name(names: Any, place: int | None) -> str:
    """What LightGBM calls the set at this place."""
    known = [names] if isinstance(names, str) else list(names or [])
    return known[place] if place is not None and place < len(known) else f"valid_{place}"


class _OnOneSet:
    """An early-stopping callback of LightGBM to which one evaluation set is shown."""

    before_iteration = False

    def __init__(self, callback: Any, name: str) -> None:
        self.callback, self.name, self.order = callback, name, callback.order
        self.results: dict[int, Any] = {}

    def __call__(self, env: Any) -> None:
        from lightgbm.callback import EarlyStopException

        everything = env.evaluation_result_list or []
        self.results[env.iteration] = everything
        shown = {"evaluation_result_list": [one for one in everything if one[0] == self.name]}
        try:
            self.callback(env._replace(**shown) if hasattr(env, "_replace") else dataclasses.replace(env, **shown))
        except EarlyStopException as stop:
            stop.best_score = self.results[stop.best_iteration]  # the record of the best round names every set
            raise
