"""The layer: projection onto the hypersimplex with exact derivatives of every order and kind that torch knows."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd import Function

from hsboost import _validation as check
from hsboost._solver.problems import REGULARIZATIONS
from hsboost.projection import _TINY
from hsboost.torch import _entropic, _host, _search
from hsboost.torch._targets import readable

METHODS = ("threshold", "pav")
_HALVES = (torch.float16, torch.bfloat16)
_FLOATS = (torch.float32, torch.float64)


def soft_binary_argmax(
    x: Tensor,
    k: float | Tensor,
    temperature: float = 1.0,
    dim: int = -1,
    *,
    method: Literal["threshold", "pav"] = "threshold",
    regularization: Literal["euclidean", "entropic"] = "euclidean",
    sample_weight: Tensor | None = None,
    groups: Tensor | None = None,
    validate: bool = False,
) -> Tensor:
    """Soft top-k as a layer: scores to assignments in [0, 1] that sum to exactly k along one dimension.

    Solves argmin ½‖y - x / temperature‖² over { y in [0,1]^n : Σ y = k } for every slice of ``x`` along ``dim``:
    y = clip(x / temperature - ν, 0, 1) with one ν per slice. The derivative is exact, in reverse and in forward mode:
    J v = (v - mean_A v) / temperature on the active set A = { 0 < y < 1 } and 0 elsewhere. J is piecewise constant, so
    second derivatives are those of what is composed with the layer. With ``regularization="entropic"`` it is
    y = σ(x / temperature - ν) with Σ w y = k, as `hsboost.project_hypersimplex` has it: J v = s (v - Σ w s v / Σ w s) /
    temperature with s = y (1 - y), smooth, with exact derivatives of all orders. Both work under ``torch.func``
    (``vmap`` included) and ``torch.compile(fullgraph=True)``.

    Parameters
    ----------
    x : Tensor, float16, bfloat16, float32 or float64
        Raw scores, finite, any shape. Half precision is solved in float32 (sums in float64) and rounded at the end.
    k : float or Tensor that broadcasts to the shape of x without ``dim``
        Sum of each slice, integer or fractional, 0 <= k <= n. A constant: no gradient. With ``sample_weight`` the
        weighted sum; with ``groups`` that of each group, a number or a Tensor with one more dimension, the last, for
        the groups.
    temperature : float, default 1.0
        Softness, in units of x. Towards 0 the result is the indicator of the k largest scores.
    dim : int, default -1
        The dimension along which scores compete.
    method : {"threshold", "pav"}, default "threshold"
        ``"threshold"``: search for ν, O(n), no sort. ``"pav"``: the paper's sort and pool-adjacent-violators, for
        comparison: on the CPU, one thread, one problem at a time, for float32 and float64.
    regularization : {"euclidean", "entropic"}, default "euclidean"
        ``"euclidean"``: the nearest point; far scores get 0 or 1 and no gradient. ``"entropic"``: every score gets
        something in between and a gradient (the limited multi-label projection). It is solved in float64, whatever the
        dtype of x.
    sample_weight : Tensor of shape (n,), or of the shape of x, optional
        Weights w of the n scores of a slice, finite and >= 0. A constant. Only for ``regularization="entropic"``.
    groups : Tensor of shape (n,), whole numbers, optional
        The group of each score of a slice, numbered from 0: one problem per group. Only for
        ``regularization="entropic"``, and not in compiled code.
    validate : bool, default False
        Check the values of ``x`` and ``k`` on a GPU too, which makes the host wait for the GPU. On the CPU they are
        always checked; without the check, in compiled code, and for the entropic one under ``torch.func``, a slice (or
        group) with bad values gets NaN.

    Returns
    -------
    Tensor of the shape and dtype of x.

    Raises
    ------
    ValueError
        For an ``x`` that is empty along ``dim`` or not of floats, k out of range or of a shape that does not
        broadcast, scores that are not finite, bad weights or groups, and a temperature that is not positive.

    References
    ----------
    Gomez, Wang, Tang, "Differentiable Zero-One Loss via Hypersimplex Projections", arXiv 2602.23336.
    Amos, Koltun, Kolter, "The Limited Multi-Label Projection Layer", arXiv 1906.08707 (entropic).

    Examples
    --------
    >>> import torch
    >>> from hsboost.torch import soft_binary_argmax
    >>> x = torch.tensor([2.0, 1.2, 0.9, -3.0], requires_grad=True)
    >>> y = soft_binary_argmax(x, k=2)
    >>> [round(v, 3) for v in y.tolist()]
    [1.0, 0.65, 0.35, 0.0]
    >>> y[1].backward()
    >>> x.grad
    tensor([ 0.0000,  0.5000, -0.5000,  0.0000])
    """
    check.check_choice(method, "method", METHODS)
    check.check_choice(regularization, "regularization", REGULARIZATIONS)
    temperature = _check_temperature(temperature)
    if not isinstance(x, Tensor) or x.dtype not in (*_HALVES, *_FLOATS):
        raise ValueError(f"x must be a tensor of floats, got {getattr(x, 'dtype', type(x))}; convert it with .float()")
    if x.ndim == 0 or not -x.ndim <= dim < x.ndim:
        raise ValueError(f"dim must be a dimension of x, got dim {dim} for shape {tuple(x.shape)}")
    scores = x.movedim(dim, -1)
    if scores.shape[-1] == 0:
        raise ValueError(f"x is empty along dim {dim}, shape {tuple(x.shape)}; pass at least one score")
    if regularization == "entropic":
        if method == "pav":
            raise ValueError("method='pav' solves the Euclidean projection; got regularization='entropic'")
        problem = entropic_problem(scores, k, _moved(sample_weight, x, dim), groups)
        odds = _entropic.log_odds(problem, temperature, validate)
        return torch.sigmoid(odds).to(x.dtype).movedim(-1, dim)
    for name, given in (("sample_weight", sample_weight), ("groups", groups)):
        if given is not None:
            raise ValueError(
                f"{name} is known to the entropic projection only; leave it out, or pass regularization='entropic'"
            )
    mass = _masses(k, scores)
    work = scores.float() if x.dtype in _HALVES else scores
    if torch.compiler.is_compiling():
        if method == "pav":
            raise ValueError("method='pav' cannot be compiled; leave it out, or keep it outside of torch.compile")
        values = _traced(work, mass, temperature)
    else:
        values = _Projection.apply(work, mass, temperature, method, validate)
    return values.to(x.dtype).movedim(-1, dim)


def _check_temperature(temperature: float) -> float:
    if isinstance(temperature, Tensor):
        raise ValueError("temperature must be a number, not a tensor; pass temperature.item() if it is a constant")
    if not torch.compiler.is_compiling():
        temperature = check.check_temperature(temperature)
        if temperature < _TINY:
            raise ValueError(f"temperature must be at least {_TINY:.3g} here, got {temperature!r}; scale x up instead")
    return float(temperature)


def _masses(k: float | Tensor, scores: Tensor, *groups: int) -> Tensor:
    """k as float64, one per problem, or per group of one."""
    shape, device = (*scores.shape[:-1], *groups), scores.device
    if isinstance(k, Tensor):
        if k.requires_grad:
            raise ValueError("k is a constant of the layer and gets no gradient; pass k.detach()")
        mass = k.to(device=device, dtype=torch.float64)
    else:
        mass = torch.full((), float(k), dtype=torch.float64, device=device)
    try:
        return mass.expand(shape) if mass.ndim <= len(shape) else mass.broadcast_to(shape)
    except RuntimeError:
        raise ValueError(
            f"k must be a number or broadcast to one per problem, shape {shape}; got shape {tuple(mass.shape)}"
        ) from None


def entropic_problem(
    scores: Tensor, k: float | Tensor, sample_weight: Tensor | None, groups: Tensor | None
) -> _entropic.Problem:
    """Scores (…, n), k, weights (n,) or (…, n) and groups (n,) as one checked problem."""
    n = scores.shape[-1]
    count = k.shape[-1] if isinstance(k, Tensor) and k.ndim > 0 and k.shape[-1] > 1 else None
    sums = _entropic.group_sums(groups, n, None if groups is None else count)
    w = _entropic.weights_of(sample_weight, scores.shape, scores.device)
    rows = torch.ones(n, dtype=torch.float64, device=scores.device) if w is None else w
    mass = _masses(k, scores).unsqueeze(-1) if groups is None else _masses(k, scores, sums.number)
    work = scores.float() if scores.dtype in _HALVES else scores
    return _entropic.Problem(work, mass, sums.of(rows).expand(mass.shape), w, sums)


def _moved(sample_weight: Tensor | None, x: Tensor, dim: int) -> Tensor | None:
    """Weights of the shape of x, as the scores are."""
    whole = isinstance(sample_weight, Tensor) and sample_weight.shape == x.shape
    return sample_weight.movedim(dim, -1) if whole and sample_weight is not None else sample_weight


def _traced(x: Tensor, k: Tensor, temperature: float) -> Tensor:
    """The layer in plain operations. ``x - x.detach()`` is 0 with derivative 1: it carries the exact derivative."""
    values = _search.project(x.detach(), k, 1.0 / temperature).to(x.dtype)
    return values + _derivative(x - x.detach(), values, temperature)


def _derivative(u: Tensor, y: Tensor, temperature: float) -> Tensor:
    """J u in plain operations, linear in u."""
    active = (y > 0.0) & (y < 1.0)
    inside = torch.where(active, u, 0.0)
    count = active.sum(-1, keepdim=True).clamp(min=1)
    mean = (inside.sum(-1, keepdim=True, dtype=torch.float64) / count).to(u.dtype)
    return torch.where(active, (u - mean) / temperature, 0.0)


def _rows(t: Tensor) -> Tensor:
    return t.detach().reshape(-1, t.shape[-1])


class _Projection(Function):
    """Forward: the search. Derivatives: `_Derivative`, in both modes."""

    @staticmethod
    def forward(x: Tensor, k: Tensor, temperature: float, method: str, validate: bool) -> Tensor:
        if x.numel() == 0:
            return torch.empty_like(x)
        if readable(x):
            return _host.project(_rows(x), k.reshape(-1), temperature, method).reshape(x.shape)
        if validate or method == "pav":
            values = _host.project(_rows(x).cpu(), k.reshape(-1).cpu(), temperature, method)
            if method == "pav":
                return values.reshape(x.shape).to(x.device)
        return _search.project(x, k, 1.0 / temperature).to(x.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(output)
        ctx.save_for_forward(output)
        ctx.temperature = inputs[2]

    @staticmethod
    def backward(ctx: Any, *u: Tensor) -> tuple[Tensor | None, ...]:
        (y,) = ctx.saved_tensors
        return _Derivative.apply(u[0], y, ctx.temperature), None, None, None, None

    @staticmethod
    def jvp(ctx: Any, v: Tensor, *_: Any) -> Tensor:
        (y,) = ctx.saved_tensors
        return _Derivative.apply(v, y, ctx.temperature)

    @staticmethod
    def vmap(
        info: Any, dims: tuple[int | None, ...], x: Tensor, k: Tensor, temperature: float, method: str, validate: bool
    ) -> tuple[Tensor, int]:
        x, k = _batch_first(info, x, dims[0]), _batch_first(info, k, dims[1])
        return _Projection.apply(x, k, temperature, method, validate), 0


class _Derivative(Function):
    """J u, which is linear in u and has no derivative in the values (a.e.): its own transpose and its own tangent."""

    @staticmethod
    def forward(u: Tensor, y: Tensor, temperature: float) -> Tensor:
        if u.numel() and u.dtype == y.dtype and y.dtype in _FLOATS and readable(u) and readable(y):
            return _host.derivative(_rows(u), _rows(y), temperature).reshape(y.shape)
        return _derivative(u, y, temperature)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(inputs[1])
        ctx.save_for_forward(inputs[1])
        ctx.temperature = inputs[2]

    @staticmethod
    def backward(ctx: Any, *g: Tensor) -> tuple[Tensor | None, ...]:
        (y,) = ctx.saved_tensors
        return _Derivative.apply(g[0], y, ctx.temperature), None, None

    @staticmethod
    def jvp(ctx: Any, v: Tensor | None, *_: Any) -> Tensor:
        (y,) = ctx.saved_tensors
        return torch.zeros_like(y) if v is None else _Derivative.apply(v, y, ctx.temperature)

    @staticmethod
    def vmap(info: Any, dims: tuple[int | None, ...], u: Tensor, y: Tensor, temperature: float) -> tuple[Tensor, int]:
        return _Derivative.apply(_batch_first(info, u, dims[0]), _batch_first(info, y, dims[1]), temperature), 0


def _batch_first(info: Any, t: Tensor, dim: int | None) -> Tensor:
    return t.expand(info.batch_size, *t.shape) if dim is None else t.movedim(dim, 0)
