"""Settings of a booster that is given by its name: ``estimator__max_depth`` of ``HSClassifier("xgboost")``."""

from __future__ import annotations

from typing import Any

#: Before the name of a setting of the booster inside.
PREFIX = "estimator__"


def named(estimator: Any) -> Any:
    """A booster with its default settings for a name, or for None; anything else as it is."""
    if estimator is None or (isinstance(estimator, str) and estimator == "xgboost"):
        from xgboost import XGBClassifier

        return XGBClassifier()
    if isinstance(estimator, str) and estimator == "lightgbm":
        from lightgbm import LGBMClassifier

        return LGBMClassifier(verbose=-1)
    return estimator


def with_booster(estimator: Any, params: dict[str, Any]) -> dict[str, Any]:
    """``params`` of ``set_params``, with a booster to set them on where some are its own and only its name is given.

    ``estimator`` is the one that is there; another may be among ``params``.

    Raises
    ------
    ValueError
        For settings of a booster whose name is not known.
    """
    own = [name for name in params if name.startswith(PREFIX)]
    given = params.get("estimator", estimator)
    if not own or not (given is None or isinstance(given, str)):
        return params
    made = named(given)
    if isinstance(made, str):
        raise ValueError(
            f"{own[0]} is a setting of a booster, and estimator={given!r} is none; pass 'xgboost' or 'lightgbm'"
        )
    return params | {"estimator": made}
