"""The boosters' settings under one name each, and an error for those without effect on a custom objective.

Both boosters know many settings under several names. LightGBM's estimator silently prefers a name of its own
constructor, at its default, to some of the others (``learning_rate=0.1`` to ``eta``), and some of the others to what
was set later (``loss`` to ``objective``). Here every setting gets the constructor's name, or LightGBM's main one, and
two values for one setting are an error.
"""

from __future__ import annotations

from inspect import Parameter, signature
from numbers import Real
from typing import Any

#: XGBoost's documented second names.
_XGBOOST = {
    "eta": "learning_rate",
    "min_split_loss": "gamma",
    "lambda": "reg_lambda",
    "alpha": "reg_alpha",
    "nthread": "n_jobs",
    "seed": "random_state",
}

_CLASSES = "use HSClassifier(class_weight=...) or sample_weight"
_START = "leave it out: the losses of this package find their own start"
_REGRESSION = "leave it out"
_RANKING = "leave it out: budgets per group are fit(groups=...)"

#: Settings that only the boosters' own losses read, by LightGBM's main names: their neutral value, what to do instead.
#: Found in LightGBM's list of parameters; tests train with each of them.
_WITHOUT_EFFECT_ON_LIGHTGBM: dict[str, tuple[Any, str]] = {
    "scale_pos_weight": (1, _CLASSES),
    "is_unbalance": (False, _CLASSES),
    "pos_bagging_fraction": (1, _CLASSES),
    "neg_bagging_fraction": (1, _CLASSES),
    "boost_from_average": (True, _START),
    "sigmoid": (1, _REGRESSION),
    "reg_sqrt": (False, _REGRESSION),
    "alpha": (0.9, "leave it out (for an L1 penalty use reg_alpha)"),
    "fair_c": (1, _REGRESSION),
    "poisson_max_delta_step": (0.7, "leave it out (for a limit of leaf values use max_delta_step)"),
    "tweedie_variance_power": (1.5, _REGRESSION),
    "lambdarank_truncation_level": (30, _RANKING),
    "lambdarank_norm": (True, _RANKING),
    "lambdarank_position_bias_regularization": (0, _RANKING),
    "label_gain": ("", _RANKING),
    "objective_seed": (5, "leave it out"),
}

_WITHOUT_EFFECT_ON_XGBOOST: dict[str, tuple[Any, str]] = {
    "scale_pos_weight": (1, _CLASSES),
    "tweedie_variance_power": (1.5, _REGRESSION),
    "huber_slope": (1, _REGRESSION),
    "quantile_alpha": (None, _REGRESSION),
    "expectile_alpha": (None, _REGRESSION),
    "aft_loss_distribution": ("normal", _REGRESSION),
    "aft_loss_distribution_scale": (1, _REGRESSION),
    "lambdarank_pair_method": ("topk", _RANKING),
    "lambdarank_num_pair_per_sample": (None, _RANKING),
    "lambdarank_normalization": (True, _RANKING),
    "lambdarank_score_normalization": (True, _RANKING),
    "lambdarank_unbiased": (False, _RANKING),
    "lambdarank_bias_norm": (1, _RANKING),
    "ndcg_exp_gain": (True, _RANKING),
    "num_target": (1, "leave it out, it is read from y"),
    # LightGBM's names, which XGBoost would pass over with a line on stderr.
    "is_unbalance": (False, _CLASSES),
    "unbalance": (False, _CLASSES),
    "unbalanced_sets": (False, _CLASSES),
}

#: LightGBM's names for random forests.
_FORESTS = ("rf", "random_forest")

#: Settings of which 0 makes a constant model, silently (XGBoost), or gets an error in LightGBM's own terms.
_POSITIVE = ("learning_rate", "subsample", "bagging_fraction", "feature_fraction")


def lightgbm_names() -> dict[str, str]:
    """Every name that LightGBM knows a setting under, to its main name: LightGBM's own table."""
    from lightgbm.basic import _ConfigAliases

    _ConfigAliases.get("objective")  # reads the table from the library
    return {name: main for main, names in _ConfigAliases.aliases.items() for name in (main, *names)}


def settled(estimator: Any, booster: str, n_classes: int) -> Any:
    """The estimator, or one of the same settings under one name each, all of which have an effect.

    Parameters
    ----------
    estimator : XGBClassifier or LGBMClassifier
        Unfitted.
    booster : {"xgboost", "lightgbm"}
    n_classes : int
        Of the labels; a ``num_class`` must agree.

    Raises
    ------
    ValueError
        For two values of one setting, a setting that only built-in losses read, another number of classes.
    """
    given = estimator.get_params(deep=False)
    names = lightgbm_names() if booster == "lightgbm" else _XGBOOST
    own = _constructor(type(estimator), booster)
    settings: dict[str, Any] = {}
    for main, same in _by_setting(given, names).items():
        name = next((one for one in same if one in own), main)
        if main == "objective":
            if name in own:
                settings[name] = own[name]  # whatever it was and whatever it was called: it is replaced
            continue
        said = {one: value for one, value in same.items() if value is not None and not _equal(value, own.get(one))}
        if any(not _equal(value, first) for first in list(said.values())[:1] for value in said.values()):
            listed = " and ".join(f"{one}={value!r}" for one, value in said.items())
            raise ValueError(
                f"estimator: {listed} are one setting of {_called(booster)} under {len(said)} names; give one of them"
            )
        spelling, value = next(iter(said.items()), (name, same.get(name)))
        _check(main, spelling, value, booster, n_classes)
        if name in own or (value is not None and main != "num_class"):
            settings[name] = value
    if settings.keys() == given.keys() and all(settings[name] is given[name] or name == "objective" for name in given):
        return estimator
    return type(estimator)(**settings)


def _constructor(kind: type, booster: str) -> dict[str, Any]:
    """The constructor's arguments and their defaults."""
    found: dict[str, Any] = {}
    for one in reversed(kind.__mro__):
        if one.__module__.partition(".")[0] == booster or one is kind:
            arguments = signature(one.__init__).parameters.values() if "__init__" in vars(one) else ()  # type: ignore[misc]
            found |= {
                argument.name: None if argument.default is Parameter.empty else argument.default
                for argument in arguments
                if argument.name != "self" and argument.kind not in (Parameter.VAR_KEYWORD, Parameter.VAR_POSITIONAL)
            }
    return found


def _by_setting(given: dict[str, Any], names: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Settings by their main name: the names they were given under, and the values."""
    found: dict[str, dict[str, Any]] = {}
    for name, value in given.items():
        found.setdefault(names.get(name, name), {})[name] = value
    return found


def _check(main: str, name: str, value: Any, booster: str, n_classes: int) -> None:
    """The setting has an effect, and no other than meant."""
    if value is None:
        return
    known = _WITHOUT_EFFECT_ON_LIGHTGBM if booster == "lightgbm" else _WITHOUT_EFFECT_ON_XGBOOST
    if main in known:
        neutral, remedy = known[main]
        if not _equal(_number(value), neutral):
            raise ValueError(
                f"{name}={value!r} belongs to the booster's own losses and would have no effect here; {remedy}"
            )
    if main == "boosting" and booster == "lightgbm" and str(value).strip().lower() in _FORESTS:
        raise ValueError(
            f"{name}={value!r} is LightGBM's random forest, which takes its built-in losses only; leave it at 'gbdt' "
            "(forests are trained with XGBClassifier(num_parallel_tree=..., subsample=...))"
        )
    number = _number(value)
    if main in _POSITIVE and isinstance(number, Real) and number <= 0:
        raise ValueError(f"{name}={value!r} makes every tree say nothing; pass a positive number")
    if main == "n_estimators" and isinstance(number, Real) and number < 0:
        raise ValueError(f"{name}={value!r} is no number of trees, and XGBoost would grow none; pass 1 or more")
    if main == "bagging_by_query" and _number(value):
        raise ValueError(
            f"{name}={value!r} needs LightGBM's query groups, which HSClassifier does not hand over, and trains a "
            "constant model without them; leave it out (budgets per group are fit(groups=...))"
        )
    if main == "num_class" and _number(value) not in ((1, 2) if n_classes == 2 else (n_classes,)):
        raise ValueError(f"{name}={value!r}, but y holds {n_classes} classes; leave it out, it is read from y")


def _number(value: Any) -> Any:
    """Texts as LightGBM reads them."""
    if not isinstance(value, str):
        return value
    text = value.strip().lower()
    if text in ("true", "+", "false", "-"):
        return text in ("true", "+")
    try:
        return float(text)
    except ValueError:
        return value


def _equal(one: Any, other: Any) -> bool:
    """The same value; arrays and what cannot be compared by what they look like."""
    try:
        return one is other or bool(one == other)
    except (TypeError, ValueError):
        return repr(one) == repr(other)


def _called(booster: str) -> str:
    return "LightGBM" if booster == "lightgbm" else "XGBoost"
