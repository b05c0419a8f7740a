"""The layer for PyTorch: values against the core, derivatives of every kind, transforms, compilers, bad input."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install -e '.[torch]'")

import reference  # noqa: E402
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vmap  # noqa: E402

from hsboost import project_hypersimplex  # noqa: E402
from hsboost.torch import _projection, _search, soft_binary_argmax  # noqa: E402

KINDS = ("normal", "ties", "whole", "huge", "equal", "huge ties", "tiny range")


def problem(kind: str, seed: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Scores of several problems, a budget for each (fractional or whole) and a temperature."""
    rng = np.random.default_rng(seed)
    shape = int(rng.integers(1, 5)), int(rng.integers(1, 60))
    x = rng.normal(size=shape) * 10.0 ** rng.integers(-3, 4)
    if kind == "ties":
        x = rng.integers(-2, 3, size=shape) / 2.0
    elif kind == "whole":
        x = np.round(x)
    elif kind == "huge":
        x = np.where(rng.random(shape) < 0.3, 1e30 * rng.choice([-1, 1], size=shape), rng.normal(size=shape))
    elif kind == "equal":
        x = np.full(shape, rng.normal())
    elif kind == "huge ties":
        x = rng.integers(0, 2, size=shape) * 1e30 + rng.integers(0, 2, size=shape)
    elif kind == "tiny range":
        x = 1.0 + rng.normal(size=shape) * 1e-14
    k = rng.random(shape[0]) * shape[1]
    return x, np.floor(k + rng.random()) if seed % 2 else k, 10.0 ** float(rng.integers(-3, 3))


def by_core(x: np.ndarray, k: np.ndarray, temperature: float) -> np.ndarray:
    found = [project_hypersimplex(row, float(mass), temperature=temperature) for row, mass in zip(x, k, strict=True)]
    return np.stack([one.values for one in found])


# --- values -------------------------------------------------------------------------------------------------------


@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 10_000))
def test_all_ways_agree_with_the_core(kind: str, seed: int) -> None:
    x, k, temperature = problem(kind, seed)
    k = np.minimum(k, x.shape[1])
    truth = by_core(x, k, temperature)
    scores, mass = torch.tensor(x), torch.tensor(k)
    assert torch.equal(soft_binary_argmax(scores, mass, temperature), torch.tensor(truth))
    by_columns = soft_binary_argmax(scores.t().contiguous(), mass, temperature, dim=0)
    np.testing.assert_allclose(by_columns.t().numpy(), truth, rtol=0, atol=1e-14)
    for one_by_one in (False, True):
        found = _search.project(scores, mass, 1.0 / temperature, one_by_one)
        np.testing.assert_allclose(found.numpy(), truth, rtol=0, atol=1e-12)
    narrow = x.astype(np.float32)
    found = _search.project(torch.tensor(narrow), mass, 1.0 / temperature)
    np.testing.assert_allclose(found.numpy(), by_core(narrow, k, temperature), rtol=0, atol=2e-7)
    by_pav = soft_binary_argmax(scores, mass, temperature, method="pav")
    np.testing.assert_allclose(by_pav.numpy(), truth, rtol=0, atol=1e-9)


@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 10_000))
def test_tensor_search_agrees_with_slow_bisection(kind: str, seed: int) -> None:
    x, k, temperature = problem(kind, seed)
    mass = float(min(k[0], x.shape[1]))
    truth = reference.project(x[0], mass, temperature).values if 0 < mass < x.shape[1] else None
    found = _search.project(torch.tensor(x[:1]), torch.tensor([mass], dtype=torch.float64), 1.0 / temperature)[0]
    assert found.sum().item() == pytest.approx(mass, rel=1e-12, abs=1e-12)
    if truth is not None:
        np.testing.assert_allclose(found.numpy(), truth, rtol=0, atol=1e-12)


@pytest.mark.parametrize("one_by_one", [False, True])
@pytest.mark.parametrize("share", [1e-4, 0.3, 0.5, 0.99])
def test_tensor_search_on_many_scores(one_by_one: bool, share: float, rng: np.random.Generator) -> None:
    x = np.stack([rng.normal(size=30_000), rng.standard_cauchy(30_000), rng.integers(0, 50, 30_000) / 7.0])
    k = np.full(3, share * 30_000)
    found = _search.project(torch.tensor(x), torch.tensor(k), 1.0 / 0.7, one_by_one)
    np.testing.assert_allclose(found.numpy(), by_core(x, k, 0.7), rtol=0, atol=1e-12)


def test_selection_finds_the_score_of_each_rank(rng: np.random.Generator) -> None:
    x = np.concatenate([rng.normal(size=20), [0.0, -0.0, 1e30, -1e30, 5e-324, -5e-324, 1.5, 1.5]])
    descending = torch.tensor(np.sort(x)[::-1].copy())
    ranks = torch.arange(1, len(x) + 1, dtype=torch.float64)
    for dtype in (torch.float64, torch.float32):
        rows = torch.tensor(x).to(dtype).expand(len(x), -1)
        for bits in (1, 4):
            assert torch.equal(_search.select(rows, ranks, bits), descending.to(dtype))


@pytest.mark.parametrize("shape", [(7,), (3, 7), (2, 3, 4), (1, 1), (5, 0, 3)])
def test_every_dimension(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for dim in range(-len(shape), len(shape)):
        if shape[dim] == 0:
            continue
        y = soft_binary_argmax(x, 1, 0.5, dim)
        assert y.shape == x.shape
        moved = x.movedim(dim, -1).reshape(-1, shape[dim])
        again = soft_binary_argmax(moved, 1, 0.5).reshape(x.movedim(dim, -1).shape).movedim(-1, dim)
        torch.testing.assert_close(y, again, rtol=0, atol=1e-15)


def test_degenerate_cases() -> None:
    x = torch.tensor([3.0, -1.0, 2.0])
    assert soft_binary_argmax(x, 0).tolist() == [0, 0, 0]
    assert soft_binary_argmax(x, 3).tolist() == [1, 1, 1]
    assert soft_binary_argmax(x, 1, 1e-3).tolist() == [1, 0, 0]
    assert soft_binary_argmax(torch.tensor([7.0]), 0.25).tolist() == [0.25]
    for k in (0.0, 1.0, 3.0):  # F is flat there, or ends: no score is active, no gradient flows
        for way in (lambda t, k=k: soft_binary_argmax(t, k, 1e-2), lambda t, k=k: traced(t, k, 1e-2)):
            scores = x.clone().requires_grad_()
            way(scores)[0].backward()
            assert scores.grad is not None
            assert scores.grad.tolist() == [0, 0, 0]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_dtypes(dtype: str) -> None:
    kind = getattr(torch, dtype)
    x = torch.randn(4, 300, generator=torch.Generator().manual_seed(1)).to(kind).requires_grad_()
    y = soft_binary_argmax(x, torch.tensor([1.0, 2.5, 150.0, 299.0]), 0.8)
    assert y.dtype == kind
    eps = torch.finfo(kind).eps
    exact = soft_binary_argmax(x.double(), torch.tensor([1.0, 2.5, 150.0, 299.0]), 0.8)
    assert (y.double() - exact).abs().max() <= eps
    (g,) = torch.autograd.grad(y[2].square().sum(), x)
    (precise,) = torch.autograd.grad(exact[2].square().sum(), x)
    assert g.dtype == kind
    assert (g - precise).abs().max() < 8 * eps


def test_scores_that_need_not_be_copied_are_not_changed() -> None:
    x = torch.randn(50, 3, generator=torch.Generator().manual_seed(2))
    kept = x.clone()
    for dim in (0, 1):
        soft_binary_argmax(x, 1.0, 1.0, dim)
    assert torch.equal(x, kept)


# --- derivatives --------------------------------------------------------------------------------------------------


def traced(x: Any, k: Any, temperature: float) -> Any:
    """The layer as a compiler sees it, outside of one."""
    return _projection._traced(x, _projection._masses(k, x), temperature)


WAYS: dict[str, Callable[..., Any]] = {"eager": soft_binary_argmax, "traced": traced}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("seed", range(3))
def test_gradcheck_of_both_orders_and_both_modes(way: str, seed: int) -> None:
    x = torch.randn(3, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).requires_grad_()
    k = torch.tensor([2.0, 3.5, 1.0])

    def layer(t: Any) -> Any:
        return WAYS[way](t, k, 1.5)

    # The traced way meets detach, for which the old batching of check_batched_grad has no rule; vmap has (see below).
    old = way == "eager"
    assert torch.autograd.gradcheck(
        layer, x, check_forward_ad=True, check_batched_grad=old, check_batched_forward_grad=old
    )
    assert torch.autograd.gradgradcheck(layer, x)
    assert torch.autograd.gradgradcheck(lambda t: layer(t).square() * layer(t), x, check_fwd_over_rev=old)


@given(kind=st.sampled_from(["normal", "whole", "huge"]), seed=st.integers(0, 10_000))
def test_jacobian_is_that_of_the_core(kind: str, seed: int) -> None:
    x, k, temperature = problem(kind, seed)
    mass = float(min(k[0], x.shape[1]))
    core = project_hypersimplex(x[0], mass, temperature=temperature)
    u = np.random.default_rng(seed).normal(size=x.shape[1])
    scores, up = torch.tensor(x[0]), torch.tensor(u)
    expected = core.vjp(u)
    scale = 1e-12 * max(1.0, np.abs(expected).max())
    leaf = scores.clone().requires_grad_()
    soft_binary_argmax(leaf, mass, temperature).backward(up)
    np.testing.assert_allclose(leaf.grad.numpy(), expected, rtol=0, atol=scale)
    _, forward = jvp(lambda t: soft_binary_argmax(t, mass, temperature), (scores,), (up,))
    np.testing.assert_allclose(forward.numpy(), core.jvp(u), rtol=0, atol=scale)


def test_gradient_along_columns_and_rows_is_the_same() -> None:
    draw = torch.Generator().manual_seed(3)
    x, up = (torch.randn(200, 4, dtype=torch.float64, generator=draw) for _ in range(2))
    a, b = x.clone().requires_grad_(), x.t().contiguous().requires_grad_()
    soft_binary_argmax(a, 31.5, dim=0).backward(up)
    soft_binary_argmax(b, 31.5).backward(up.t())
    torch.testing.assert_close(a.grad, b.grad.t(), rtol=0, atol=1e-14)


def test_transforms_of_transforms() -> None:
    x = torch.randn(5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(4))

    def energy(t: Any) -> Any:
        return (soft_binary_argmax(t, 2.0, 0.7) ** 3).sum()

    layer = soft_binary_argmax
    torch.testing.assert_close(vmap(lambda t: layer(t, 2.0))(x), layer(x, 2.0))
    torch.testing.assert_close(
        vmap(lambda t, k: layer(t, k), (1, 0))(x.t(), torch.arange(5)), layer(x, torch.arange(5))
    )
    torch.testing.assert_close(
        vmap(lambda k: layer(x[0], k))(torch.arange(3)), layer(x[:1].expand(3, 7), torch.arange(3))
    )
    torch.testing.assert_close(vmap(grad(energy))(x), torch.stack([grad(energy)(row) for row in x]))
    ways = [f(g(energy))(x[0]) for f in (jacfwd, jacrev) for g in (jacfwd, jacrev)]
    for found in ways:
        torch.testing.assert_close(found, hessian(energy)(x[0]))
    assert ways[0].abs().max() > 0.1
    leaf = x.clone().requires_grad_()
    y = layer(leaf, 2.0)
    basis = torch.eye(7, dtype=torch.float64)
    (batched,) = torch.autograd.grad(y[0], leaf, basis, is_grads_batched=True)
    torch.testing.assert_close(batched[:, 0], jacrev(lambda t: layer(t, 2.0))(x[0]))
    torch.testing.assert_close(vmap(lambda t: traced(t, 2.0, 1.0))(x), layer(x, 2.0))


@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_compiles_whole(backend: str) -> None:
    torch._dynamo.reset()
    compiled = torch.compile(lambda t, k: soft_binary_argmax(t, k, 1.5, dim=0), fullgraph=True, backend=backend)
    x = torch.randn(12, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(5)).requires_grad_()
    k = torch.tensor([2.0, 3.0, 5.5])
    y = compiled(x, k)
    (g,) = torch.autograd.grad(y.square().sum(), x)
    expected = soft_binary_argmax(x, k, 1.5, dim=0)
    torch.testing.assert_close(y, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(g, torch.autograd.grad(expected.square().sum(), x)[0], rtol=0, atol=1e-12)
    bad = x.detach().clone()
    bad[3, 1] = torch.nan
    assert compiled(bad, torch.tensor([2.0, 3.0, 13.0])).isnan().all(0).tolist() == [False, True, True]


@pytest.mark.truth
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("dim", [0, 1])
def test_compiled_selection_finds_the_score_of_each_rank(dtype: Any, dim: int) -> None:
    torch._dynamo.reset()
    x = torch.randn(12, 12, dtype=dtype, generator=torch.Generator().manual_seed(7)) * 10.0
    compiled = torch.compile(lambda t, k: soft_binary_argmax(t, k, 1e-3, dim=dim), fullgraph=True)
    for k in (1, 5, 11):
        expected = (x >= x.sort(dim=dim, descending=True).values.select(dim, k - 1).unsqueeze(dim)).to(dtype)
        torch.testing.assert_close(compiled(x, torch.tensor(float(k))), expected, rtol=0, atol=0)


# --- bad input ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([[1.0, float("nan")]], 1), ["x must be finite", "nan", "place 1 of problem 0"]),
        (([[1.0, float("inf")]], 1), ["x must be finite", "inf"]),
        (([1.0, 2.0], 3), ["k must lie between 0 and 2", "3"]),
        (([1.0, 2.0], -0.5), ["k must lie between 0 and 2", "-0.5"]),
        (([1.0, 2.0], float("nan")), ["k must lie between", "nan"]),
        (([[1.0, 2.0]], torch.ones(3)), ["k must be a number or broadcast", "(1,)", "(3,)"]),
        (([1.0], torch.ones((), requires_grad=True)), ["k is a constant", "detach"]),
        (([1.0], 1, 0.0), ["temperature must be a positive finite number", "0.0"]),
        (([1.0], 1, 1e-310), ["temperature must be at least"]),
        (([1.0], 1, torch.ones(())), ["temperature must be a number"]),
        (([1.0], 1, 1.0, 1), ["dim must be a dimension", "dim 1"]),
        ((1.0, 1), ["dim must be a dimension"]),
        (([[]], 0), ["x is empty along dim -1"]),
    ],
)
def test_one_clear_error(arguments: tuple[Any, ...], words: list[str]) -> None:
    with pytest.raises(ValueError) as caught:
        soft_binary_argmax(torch.tensor(arguments[0]), *arguments[1:])
    for word in words:
        assert word in str(caught.value)


def test_errors_of_kind() -> None:
    with pytest.raises(ValueError, match=r"tensor of floats, got torch\.int64"):
        soft_binary_argmax(torch.arange(3), 1)
    with pytest.raises(ValueError, match="tensor of floats, got <class 'list'>"):
        soft_binary_argmax([1.0, 2.0], 1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="method must be one of"):
        soft_binary_argmax(torch.ones(3), 1, method="sort")  # type: ignore[arg-type]


def test_unchecked_problems_with_bad_values_get_nan_and_others_do_not() -> None:
    x = torch.randn(4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(6))
    x[1, 2], x[2, 0] = torch.nan, -torch.inf
    for one_by_one in (False, True):
        y = _search.project(x, torch.tensor([2.0, 2.0, 2.0, 6.5], dtype=torch.float64), 1.0, one_by_one)
        assert y.isnan().all(1).tolist() == [False, True, True, True]
        np.testing.assert_allclose(y[0].numpy(), project_hypersimplex(x[0].numpy(), 2.0).values, rtol=0, atol=1e-12)


def test_package_does_not_import_torch() -> None:
    code = "import sys, hsboost, hsboost.losses, hsboost.projection, hsboost.estimators; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
