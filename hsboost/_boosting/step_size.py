"""Refuse gradients that a booster cannot use: so small that it grows no trees, or so large that its sums overflow."""

from __future__ import annotations

from hsboost.losses import Loss

#: Units of the scores in which a booster grows the trees of unit 1, measured with xgboost 3.2.0 and lightgbm 4.7.0.
#: XGBoost drops splits that gain less than 1e-6: in the unit 0.01 these gain less than 0.01 in the unit 1, a loss that
#: begins to matter. It squares sums of gradients in float32, which suffices for 1e10 rows. LightGBM treats leaf values
#: below 1e-35 as 0, and stores gradients in float32.
UNITS = {"XGBoost": (1e-2, 1e9), "LightGBM": (1e-20, 1e20)}

#: XGBoost's least gain of a split, and a sum of gradients that it can square.
LEAST_GAIN, LARGEST_SUM = 1e-6, 1e19

#: Largest sum of weights: both boosters hold them in float32.
LARGEST_WEIGHT = 1e38


def check_unit(loss: Loss, factor: float, unit: float, booster: str) -> None:
    """Refuse a loss whose unit, divided by ``factor``, keeps the booster from growing the trees of unit 1.

    ``unit`` is the unit of an earlier model's scores, for the error; 1 if there is none.
    """
    low, high = UNITS[booster]
    if low <= loss.unit / factor <= high:
        return
    name = loss.unit_name or "the loss"
    found = f"{name}={loss.unit * unit / factor:g}" if loss.unit_name else f"{name} has the unit 1"
    if unit != 1.0:
        raise ValueError(
            f"{found}, but the scores of the trees to go on from are in units of {unit:g}, and the ratio must lie in "
            f"{low:g} to {high:g} for {booster} to grow the right trees; train init_model again with "
            f"{name}={loss.unit * unit / factor:g}, or train from the start"
        )
    raise ValueError(
        f"{found} is the unit of the trained scores, and {booster} grows the trees of unit 1 in units from {low:g} to "
        f"{high:g} only (it drops small gains, or its sums overflow); leave {name} at 1, which gives the same ranking "
        f"and the same decisions, and multiply the scores, or use HSClassifier, which does so for every {name}"
    )


def check_weights(loss: Loss, factor: float, total: float, booster: str, name: str = "sample_weight") -> None:
    """Refuse weights whose sums overflow in the booster: it would silently grow other trees, or none.

    No sum of gradients exceeds the unit times ``total``, the sum of the weights. :func:`check_steps` handles steps
    that are too large even for usual weights.
    """
    slope = loss.step_slope(total)
    step = loss.unit / factor if slope is None else min(1.0, slope / factor)
    most = min(LARGEST_WEIGHT, LARGEST_SUM / step) if booster == "XGBoost" else LARGEST_WEIGHT / max(1.0, step)
    if total > most:
        raise ValueError(
            f"{name} must have a sum of at most {most:.3g} for {booster}, whose sums of weighted gradients overflow "
            f"beyond, got {total:.3g}; divide the weights by a constant"
        )


def check_steps(loss: Loss, factor: float, total: float, booster: str) -> None:
    """With ``hessian="unit"``, where the temperature is a step size, refuse steps with which no tree can grow.

    For rows of total weight W with gradients w·s·r, |r| <= 1 about a mean, no split gains more than s² W and no sum of
    gradients exceeds s W.
    """
    slope = loss.step_slope(total)
    if slope is None:
        return
    slope /= factor
    if booster == "XGBoost":
        small, large = slope * slope * total < LEAST_GAIN, slope * total > LARGEST_SUM
        why = f"no split gains {LEAST_GAIN:g}, XGBoost's least" if small else "XGBoost's sums of them overflow"
    else:
        low, high = UNITS[booster]
        small, large = slope < low, slope > high
        why = "LightGBM takes its steps for 0" if small else "they overflow"
    if small or large:
        temperature, reduction = (getattr(loss, name, None) for name in ("temperature", "reduction"))
        raise ValueError(
            f"temperature={temperature:g} with hessian='unit' and reduction={reduction!r} is a step size; "
            f"with a total weight of {total:g} it makes gradients of {slope:.3g} a unit of weight, and {why}. "
            "Choose a temperature nearer to 1, reduction='sum', or hessian='exact', whose trees do not depend on it"
        )
