"""Boost on a GPU without moving gradients back and forth: the HyperSimplex loss for XGBoost's ``device="cuda"``.

XGBoost passes a custom objective its predictions in host memory on every device. This module copies them to the GPU
once per round; labels, weights and the previous multiplier stay there between rounds. The search of
`hsboost._solver.search` runs over a reducer on the GPU, and gradient and curvature are written there as CuPy float32
arrays, which XGBoost takes without a copy. The solver is the same, and the numbers agree with the processor's to
float32 rounding. Repeated calls give the same bits, on any GPU.

You need not call this module to train. `HypersimplexObjective(device="auto")`, the default, uses it when the booster
trains on a GPU and CuPy and numba-cuda are installed (``pip install hsboost[gpu]``), and otherwise the processor.

Supported: one output and one column per class, sample weights, every k and temperature, exact and unit curvature, the
convex sibling `HypersimplexFYLoss`, the smooth losses `HypersimplexSmoothLoss` and `HypersimplexSmoothFYLoss` and, on
their projection, `BudgetLogLoss` (all by the search of `hsboost._solver.entropic`). Groups stay on the processor, as do
training on several machines and small data sets, where launches would take longer than the work.

LightGBM passes predictions and takes gradients in host memory, also when it trains with ``device_type="cuda"``: it
copies both itself. With LightGBM the processor's path is used, because the GPU's would add two copies and save none.
"""

from __future__ import annotations

from typing import Any, Literal

from hsboost import _validation as check
from hsboost._boosting.caller import caller
from hsboost._kernels import search
from hsboost._solver.entropic import HALF
from hsboost._solver.problems import REGULARIZATIONS, total_weight
from hsboost._solver.search import Multiplier
from hsboost.cuda import _entropic, _reducer, _step
from hsboost.cuda import _entropic_kernels as entropic_kernels
from hsboost.cuda import _kernels as kernels
from hsboost.cuda._device import Device, grid, missing
from hsboost.cuda._device import device as numbered
from hsboost.cuda._rows import RowsByDataset
from hsboost.cuda._selection import LEAST_ROWS, chosen
from hsboost.losses import HypersimplexLoss

__all__ = ["LEAST_ROWS", "RowsByDataset", "boosting_step", "missing", "project_hypersimplex"]


def boosting_step(
    loss: HypersimplexLoss,
    y_true: Any,
    raw: Any,
    weight: Any,
    state: Any,
    device: str = "auto",
    grouped: bool = False,
    dataset: Any = None,
    rows: RowsByDataset | None = None,
) -> tuple[Any, Any, Any] | None:
    """One boosting round on the GPU that the calling booster trains on; None if it belongs on the processor.

    Parameters
    ----------
    loss : HypersimplexLoss
        The loss, or its convex sibling.
    y_true, raw, weight, state
        As for :meth:`hsboost.HypersimplexLoss.boosting_step`, in host memory; states are interchangeable.
    device : {"auto", "cpu", "cuda", "cuda:N"}, default "auto"
        ``"auto"``: the GPU of the ``xgboost.Booster`` found in the call stack, if any. ``"cuda"``: a GPU or an error.
    grouped : bool, default False
        Whether the rows have groups, which the GPU path does not support.
    dataset : xgboost.DMatrix, optional
        The data set with these rows; found in the call stack if the scikit-learn wrappers do not pass it.
    rows : RowsByDataset, optional
        The rows copied for each data set in earlier rounds; updated. None: everything is copied again.

    Returns
    -------
    gradient, hessian, state : CuPy float32 arrays of the shape of the scores; or None

    Raises
    ------
    ValueError
        As the loss does, and for a requested device that is not available.
    """
    found = caller()
    number = chosen(device, len(raw), grouped, found)
    if number is None:
        return None
    if dataset is None and found is not None:
        dataset = found.dataset
    held = None if rows is None else rows.take(dataset)
    gradient, hessian, state, held = _step.boosting_step(numbered(number), loss, y_true, raw, weight, state, held)
    if rows is not None:
        rows.put(dataset, held)
    return gradient, hessian, state


def project_hypersimplex(
    x: Any,
    k: float,
    temperature: float = 1.0,
    sample_weight: Any = None,
    number: int = 0,
    regularization: Literal["euclidean", "entropic"] = "euclidean",
) -> tuple[Any, Multiplier, int]:
    """argmin ½ Σ w (y - x / temperature)² over { y in [0,1]^n : Σ w y = k }, for scores in GPU memory.

    With ``regularization="entropic"`` the smooth projection onto the same set.

    Parameters
    ----------
    x : CuPy array of shape (n,), float32 or float64, contiguous
        Finite scores.
    k : float
        Total mass, 0 <= k <= Σ w.
    temperature : float, default 1.0
        Unlike `hsboost.project_hypersimplex` this does not rescale temperatures near the smallest float.
    sample_weight : CuPy array of shape (n,), optional
        Finite and >= 0.
    number : int, default 0
        The GPU that holds the arrays.
    regularization : {"euclidean", "entropic"}, default "euclidean"
        As for `hsboost.project_hypersimplex`.

    Returns
    -------
    values : CuPy array of the shape and dtype of x
    threshold : Multiplier
    passes : int
        Passes over all rows that the search took; writing the values is one more.

    Raises
    ------
    ValueError
        For a mass out of range, weights without a positive finite sum, scores that are not finite, or without a GPU.

    Source: arXiv 2602.23336, equation of the soft-binary-argmax@k; see `hsboost.project_hypersimplex`.
    """
    reason = missing()
    if reason is not None:
        raise ValueError(f"there is no GPU to project on: {reason}, or use hsboost.project_hypersimplex")
    temperature = check.check_temperature(temperature)
    check.check_choice(regularization, "regularization", REGULARIZATIONS)
    find = _reducer.find if regularization == "euclidean" else _entropic.find
    place = numbered(number)
    with place.current():
        weights = None if sample_weight is None else place.download(sample_weight)
        total = total_weight(weights, int(x.size))
        if not 0.0 <= k <= total * (1.0 + check.ROUNDING):
            raise ValueError(f"k must be between 0 and the total weight {total:g}, got {k!r}")
        try:
            where, passes = find(place, x, sample_weight, min(float(k), total), total, temperature)
        except FloatingPointError:
            raise check.not_finite(place.download(x), "x") from None
        out = place.empty(x.shape, x.dtype)
        write_values(place, x, where, out)
        place.finish()
    return out, where, passes


def write_values(place: Device, x: Any, where: Multiplier, out: Any) -> None:
    """The projected values for a multiplier, as `hsboost._solver.problems.values_at` computes them."""
    if where.half == HALF:
        entropic_kernels.values[grid(place, int(x.size))](
            place.view(x), where.anchor, where.scale, where.nu, place.view(out)
        )
        return
    margin = 2 * search.MARGIN if where.flat else 0.0
    kernels.values[grid(place, int(x.size))](
        place.view(x), where.anchor, where.scale, where.nu, margin, place.view(out)
    )
