"""The entropic layer and the smooth losses for PyTorch: values, derivatives of all orders, transforms, bad input."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install -e '.[torch]'")

import reference_entropic as reference  # noqa: E402
from test_torch_layer import KINDS, problem  # noqa: E402
from torch import nn  # noqa: E402
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vmap  # noqa: E402

from hsboost import losses as core  # noqa: E402
from hsboost import project_hypersimplex  # noqa: E402
from hsboost.torch import (  # noqa: E402
    HypersimplexLoss,
    HypersimplexSmoothFYLoss,
    HypersimplexSmoothLoss,
    _entropic,
    _entropic_search,
    _projection,
    soft_binary_argmax,
)

FORMS = {"plain": (False, False), "weights": (True, False), "groups": (False, True), "both": (True, True)}
each_form = pytest.mark.parametrize("form", FORMS)


class Case(NamedTuple):
    """Scores of some problems (P, n), weights and groups of their rows, budgets (P,) or (P, groups), temperature."""

    x: np.ndarray
    w: np.ndarray | None
    groups: np.ndarray | None
    k: np.ndarray
    temperature: float

    def tensors(self) -> tuple[Any, Any, dict[str, Any]]:
        """(scores, k, the other arguments of the layer)."""
        more = {"sample_weight": self.w, "groups": self.groups}
        more = {name: torch.tensor(value) for name, value in more.items() if value is not None}
        return torch.tensor(self.x), torch.tensor(self.k), {"regularization": "entropic", **more}

    def parts(self, i: int) -> list[tuple[np.ndarray, float, np.ndarray | None]]:
        """(rows, k, weights) of every problem of its own in problem i."""
        if self.groups is None:
            return [(np.arange(self.x.shape[1]), float(self.k[i]), self.w)]
        found = [(np.flatnonzero(self.groups == g), float(self.k[i, g])) for g in range(self.k.shape[1])]
        return [(rows, k, None if self.w is None else self.w[rows]) for rows, k in found if rows.size]


def case(kind: str, seed: int, form: str) -> Case:
    """As `problem`, with the weights and groups that the form has."""
    x, k, temperature = problem(kind, seed)
    weighted, grouped = FORMS[form]
    rng, n = np.random.default_rng(seed + 1000), x.shape[1]
    w = rng.integers(0, 4, n) * 0.37 if weighted else None
    if w is not None:
        w[0] = 1.0
    groups = rng.integers(0, 3, n) if grouped else None
    share, each = np.minimum(k / n, 1.0), np.ones(n) if w is None else w
    if groups is None:
        return Case(x, w, groups, np.minimum(k, n) if w is None else share * w.sum(), temperature)
    k = share[:, None] * np.bincount(groups, each, 3)
    return Case(x, w, groups, np.floor(k) if seed % 2 else k, temperature)


def by_core(c: Case) -> np.ndarray:
    """The projections by `hsboost.project_hypersimplex`, one by one."""
    out = np.empty_like(c.x)
    for i, row in enumerate(c.x):
        for rows, k, w in c.parts(i):
            total = rows.size if w is None else w.sum()
            if total == 0.0:
                out[i, rows] = 0.0  # of no weight: nothing to compare
                continue
            found = project_hypersimplex(
                row[rows], k, temperature=c.temperature, sample_weight=w, regularization="entropic"
            )
            out[i, rows] = found.values
    return out


def counted(c: Case, values: np.ndarray) -> np.ndarray:
    """Without rows in groups of no weight."""
    if c.w is None or c.groups is None:
        return values
    return np.where(np.bincount(c.groups, c.w, 3)[c.groups] > 0.0, values, 0.0)


# --- values -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@each_form
def test_all_ways_agree_with_the_core(kind: str, form: str) -> None:
    for seed in range(8):
        c = case(kind, seed, form)
        truth, (x, k, more) = by_core(c), c.tensors()
        found = {"layer": soft_binary_argmax(x, k, c.temperature, **more)}
        if c.groups is None and c.w is None:
            found["columns"] = soft_binary_argmax(x.t().contiguous(), k, c.temperature, dim=0, **more).t()
        p = _projection.entropic_problem(x, k, more.get("sample_weight"), more.get("groups"))
        for one_by_one in (False, True):
            at = _entropic_search.solve(p, 1.0 / c.temperature, one_by_one)
            found[f"search {one_by_one}"] = torch.sigmoid(_entropic.place(x, p.sums, *at, c.temperature))
        for name, values in found.items():
            atol = 1e-14 if name == "layer" else 1e-12
            np.testing.assert_allclose(counted(c, values.numpy()), truth, rtol=0, atol=atol, err_msg=name)


def lml(x: Any, k: int) -> Any:
    """The layer's published definition by bisection: argmin -xᵀy - H(y), Σ y = k, so y = σ(x + ν) for each row of x."""
    low, high = -x.amax(1) - 50.0, -x.amin(1) + 50.0
    for _ in range(200):
        middle = 0.5 * low + 0.5 * high
        more = torch.sigmoid(x + middle[:, None]).sum(1) > k
        low, high = torch.where(more, low, middle), torch.where(more, middle, high)
    return torch.sigmoid(x + low[:, None])


@pytest.mark.parametrize(("rows", "n", "k"), [(50, 7, 1), (50, 7, 6), (20, 100, 5), (5, 1000, 500), (3, 2, 1)])
def test_the_limited_multi_label_projection(rows: int, n: int, k: int) -> None:
    x = 3.0 * torch.randn(rows, n, dtype=torch.float64, generator=torch.Generator().manual_seed(n))
    expected = lml(x, k)
    found = soft_binary_argmax(x, k, regularization="entropic")
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-13)
    torch.testing.assert_close(found.sum(1), torch.full((rows,), float(k), dtype=torch.float64), rtol=1e-14, atol=0)
    # It is a minimum: no exchange between two entries makes the objective smaller.
    y = found.requires_grad_()
    objective = -(x * y).sum() + torch.special.xlogy(y, y).sum() + torch.special.xlogy(1 - y, 1 - y).sum()
    (slope,) = torch.autograd.grad(objective, y)
    assert (slope - slope.mean(1, keepdim=True)).abs().max() < 1e-9


@pytest.mark.parametrize("one_by_one", [False, True])
@pytest.mark.parametrize("share", [1e-4, 0.3, 0.99])
def test_tensor_search_on_many_scores(one_by_one: bool, share: float, rng: np.random.Generator) -> None:
    x = np.stack([rng.normal(size=20_000), rng.standard_cauchy(20_000), rng.integers(0, 50, 20_000) / 7.0])
    c = Case(x, None, None, np.full(3, share * 20_000), 0.7)
    p = _projection.entropic_problem(torch.tensor(x), torch.tensor(c.k), None, None)
    at = _entropic_search.solve(p, 1.0 / 0.7, one_by_one)
    values = torch.sigmoid(_entropic.place(p.x, p.sums, *at, 0.7)).numpy()
    np.testing.assert_allclose(values, by_core(c), rtol=0, atol=1e-12)


@pytest.mark.parametrize("way", ["layer", "traced"])
def test_limits(way: str) -> None:
    def layer(t: Any, k: Any, temperature: float = 1.0, **more: Any) -> Any:
        if way == "traced":
            p = _projection.entropic_problem(t, k, more.get("sample_weight"), more.get("groups"))
            return torch.sigmoid(_entropic.traced(p, temperature))
        return soft_binary_argmax(t, k, temperature, regularization="entropic", **more)

    x = torch.tensor([3.0, -1.0, 2.0], dtype=torch.float64)
    assert layer(x, 0).tolist() == [0, 0, 0]
    assert layer(x, 3).tolist() == [1, 1, 1]
    assert layer(x, 1, 1e-4).tolist() == [1, 0, 0]
    assert layer(torch.tensor([7.0], dtype=torch.float64), 0.25).tolist() == [pytest.approx(0.25, rel=1e-15)]
    w = torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64)
    assert layer(x, 3.5, sample_weight=w).tolist() == [1, 1, 1]
    tied = layer(torch.full((5,), 7.5, dtype=torch.float64), 2.0)
    np.testing.assert_allclose(tied, 0.4, rtol=1e-14)
    far = torch.tensor([1e30, -1e30, 0.3, 1e30, 0.1, -1e30], dtype=torch.float64)
    assert layer(far, 2).tolist() == [1, 0, 0, 1, 0, 0]
    np.testing.assert_allclose(layer(far, 3), reference.project(far.numpy(), 3).values.astype(float), atol=1e-13)
    assert layer(far, 4.5, 0.01).tolist() == [1, pytest.approx(0.25), 1, 1, 1, pytest.approx(0.25)]
    for k in (0.0, 3.0, 1.0):  # no value moves: no gradient of any order, and nothing that is not a number
        scores = x.clone().requires_grad_()
        (slope,) = torch.autograd.grad(layer(scores, k, 1e-4).square().sum(), scores, create_graph=True)
        assert slope.tolist() == [0, 0, 0]
        (bend,) = torch.autograd.grad(slope.sum(), scores)
        assert bend.tolist() == [0, 0, 0]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_dtypes(dtype: str) -> None:
    kind = getattr(torch, dtype)
    x = torch.randn(3, 200, generator=torch.Generator().manual_seed(1)).to(kind).requires_grad_()
    k = torch.tensor([1.0, 2.5, 150.0])
    y = soft_binary_argmax(x, k, 0.8, regularization="entropic")
    assert y.dtype == kind
    exact = soft_binary_argmax(x.double(), k, 0.8, regularization="entropic")
    assert torch.equal(y, exact.to(kind))  # solved in float64 and rounded once
    (g,) = torch.autograd.grad(y[2].square().sum(), x)
    (precise,) = torch.autograd.grad(exact[2].square().sum(), x)
    assert g.dtype == kind
    assert (g - precise).abs().max() < 8 * torch.finfo(kind).eps


def test_no_problems_at_all() -> None:
    for form in (slice(0), slice(5)):
        x = torch.zeros(5, 3, dtype=torch.float64)[form].requires_grad_()
        y = soft_binary_argmax(x, 1.0, regularization="entropic", groups=torch.tensor([0, 0, 0]))
        (slope,) = torch.autograd.grad(y.sum(), x)
        assert y.shape == slope.shape == x.shape


@pytest.mark.parametrize("dim", [0, 1, 2, -2])
def test_every_dimension_with_its_weights(dim: int) -> None:
    draw = torch.Generator().manual_seed(0)
    x, w = (torch.rand(3, 4, 5, dtype=torch.float64, generator=draw) + 0.2 for _ in range(2))
    y = soft_binary_argmax(x, 0.5, 0.3, dim, regularization="entropic", sample_weight=w)
    torch.testing.assert_close((w * y).sum(dim), torch.full_like(y.sum(dim), 0.5), rtol=1e-13, atol=0)
    shared = w.movedim(dim, -1)[0, 0].contiguous()
    y = soft_binary_argmax(x, 0.5, 0.3, dim, regularization="entropic", sample_weight=shared)
    torch.testing.assert_close((y.movedim(dim, -1) * shared).sum(-1), torch.full_like(y.sum(dim), 0.5))


# --- derivatives --------------------------------------------------------------------------------------------------


def traced(x: Any, k: Any, temperature: float, sample_weight: Any = None, groups: Any = None, **_: Any) -> Any:
    """The layer as a compiler sees it, outside of one."""
    p = _projection.entropic_problem(x, k, sample_weight, groups)
    return torch.sigmoid(_entropic.traced(p, temperature))


WAYS: dict[str, Any] = {"eager": soft_binary_argmax, "traced": traced}


@pytest.mark.parametrize("way", WAYS)
@each_form
def test_gradcheck_of_both_orders_and_both_modes(way: str, form: str) -> None:
    c = case("normal", 4, form)
    rng = np.random.default_rng(3)
    c = c._replace(x=rng.normal(size=(2, c.x.shape[1])), k=c.k[[0, 0]] if c.groups is None else 0.4 * c.k[[0, 0]])
    x, k, more = (part[..., :8] if i == 0 else part for i, part in enumerate(c.tensors()))
    more = {name: value[:8] if isinstance(value, torch.Tensor) else value for name, value in more.items()}
    share = torch.tensor([[0.3], [0.6]], dtype=torch.float64)
    w = more.get("sample_weight", torch.ones(8, dtype=torch.float64))
    groups = more.get("groups", torch.zeros(8, dtype=torch.int64))
    k = share * torch.zeros(3, dtype=torch.float64).index_add(0, groups, w)
    k = k if "groups" in more else k[:, 0]

    def layer(t: Any) -> Any:
        return WAYS[way](t, k, 1.5, **more)

    x = x.contiguous().requires_grad_()
    old = way == "eager"  # old batching has no rule for detach
    assert torch.autograd.gradcheck(
        layer, x, check_forward_ad=True, check_batched_grad=old, check_batched_forward_grad=old
    )
    assert torch.autograd.gradgradcheck(layer, x, check_fwd_over_rev=old)
    assert torch.autograd.gradgradcheck(lambda t: layer(t).square() * layer(t), x)


@pytest.mark.parametrize("way", WAYS)
def test_third_derivatives(way: str) -> None:
    x = torch.tensor([0.3, -0.4, 1.2, 0.0], dtype=torch.float64)

    def second(t: Any) -> Any:
        return hessian(lambda u: (WAYS[way](u, 1.5, 0.7, regularization="entropic") ** 2).sum())(t)

    step = 1e-5
    third = jacrev(second)(x)
    for i, move in enumerate(torch.eye(4, dtype=torch.float64) * step):
        expected = (second(x + move) - second(x - move)) / (2 * step)
        torch.testing.assert_close(third[..., i], expected, rtol=0, atol=1e-7)
    assert third.abs().max() > 0.1


@pytest.mark.parametrize("kind", ["normal", "whole", "huge"])
@pytest.mark.parametrize("form", ["plain", "both"])
def test_jacobian_is_that_of_the_core(kind: str, form: str) -> None:
    for seed in range(6):
        c = case(kind, seed, form)
        u = np.random.default_rng(seed).normal(size=c.x.shape[1])
        x, k, more = c.tensors()
        leaf = x[0].clone().requires_grad_()
        soft_binary_argmax(leaf, k[0], c.temperature, **more).backward(torch.tensor(u))
        _, forward = jvp(lambda t, k=k, c=c, m=more: soft_binary_argmax(t, k[0], c.temperature, **m), (x[0],),
                         (torch.tensor(u),))  # fmt: skip
        for rows, mass, w in c.parts(0):
            if w is not None and w.sum() == 0.0:
                continue
            one = project_hypersimplex(
                c.x[0, rows], mass, temperature=c.temperature, sample_weight=w, regularization="entropic"
            )
            scale = 1e-12 * max(1.0, 1.0 / c.temperature)
            np.testing.assert_allclose(leaf.grad.numpy()[rows], one.vjp(u[rows]), rtol=0, atol=4.0 * scale)
            np.testing.assert_allclose(forward.numpy()[rows], one.jvp(u[rows]), rtol=0, atol=4.0 * scale)


def test_transforms_of_transforms() -> None:
    draw = torch.Generator().manual_seed(4)
    x, w = torch.randn(5, 7, dtype=torch.float64, generator=draw), torch.rand(5, 7, dtype=torch.float64, generator=draw)
    groups = torch.tensor([0, 1, 0, 1, 1, 0, 1])

    def layer(t: Any, k: Any = 2.0, **more: Any) -> Any:
        return soft_binary_argmax(t, k, 0.7, regularization="entropic", **more)

    def energy(t: Any) -> Any:
        return (layer(t) ** 3).sum()

    close = {"rtol": 0, "atol": 1e-12}
    torch.testing.assert_close(vmap(layer)(x), layer(x), **close)
    k = torch.tensor([1.0, 2.0, 0.5, 3.0, 6.0])
    torch.testing.assert_close(vmap(layer, (1, 0))(x.t(), k), layer(x, k), **close)
    torch.testing.assert_close(vmap(lambda k: layer(x[0], k))(k), layer(x[:1].expand(5, 7), k), **close)
    both = vmap(lambda t, v: layer(t, 0.2, sample_weight=v, groups=groups))(x, w)
    torch.testing.assert_close(both, layer(x, 0.2, sample_weight=w, groups=groups), **close)
    torch.testing.assert_close(vmap(grad(energy))(x), torch.stack([grad(energy)(row) for row in x]), **close)
    expected = hessian(energy)(x[0])
    for found in [f(g(energy))(x[0]) for f in (jacfwd, jacrev) for g in (jacfwd, jacrev)]:
        torch.testing.assert_close(found, expected, **close)
    leaf = x.clone().requires_grad_()
    (batched,) = torch.autograd.grad(layer(leaf)[0], leaf, torch.eye(7, dtype=torch.float64), is_grads_batched=True)
    torch.testing.assert_close(batched[:, 0], jacrev(layer)(x[0]), **close)


@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_compiles_whole(backend: str) -> None:
    torch._dynamo.reset()
    draw = torch.Generator().manual_seed(5)
    x = torch.randn(12, 3, generator=draw).requires_grad_()
    w, k = torch.rand(12, dtype=torch.float64, generator=draw), torch.tensor([0.5, 1.5, 3.0])

    def layer(t: Any, k: Any) -> Any:
        return soft_binary_argmax(t, k, 1.5, dim=0, regularization="entropic", sample_weight=w)

    compiled = torch.compile(layer, fullgraph=True, backend=backend)
    y, expected = compiled(x, k), layer(x, k)
    torch.testing.assert_close(y, expected, rtol=0, atol=1e-6)
    found = [torch.autograd.grad(values.square().sum(), x)[0] for values in (y, expected)]
    torch.testing.assert_close(*found, rtol=0, atol=1e-6)
    bad = x.detach().clone()
    bad[3, 1] = torch.nan
    assert compiled(bad.requires_grad_(), k).isnan().all(0).tolist() == [False, True, False]


def test_groups_are_not_compiled() -> None:
    torch._dynamo.reset()
    x, groups = torch.randn(6, dtype=torch.float64), torch.tensor([0, 1] * 3)

    def layer(t: Any) -> Any:
        return soft_binary_argmax(t, 1.0, regularization="entropic", groups=groups)

    with pytest.raises(Exception, match="groups cannot be compiled"):
        torch.compile(layer, fullgraph=True, backend="aot_eager")(x)
    torch.testing.assert_close(torch.compile(layer, backend="aot_eager")(x), layer(x))  # outside of the graph


# --- bad input ----------------------------------------------------------------------------------------------------


def whole(*numbers: int) -> Any:
    return torch.tensor(numbers)


@pytest.mark.parametrize(
    ("arguments", "more", "words"),
    [
        (([[1.0, float("nan")]], 1), {}, ["x must be finite", "nan", "place 1 of problem 0"]),
        (([1.0, 2.0], 3), {}, ["k must lie between 0 and 2, the number of scores", "got 3"]),
        (([1.0, 2.0], -0.5), {}, ["k must lie between 0 and 2", "-0.5"]),
        (([1.0, 2.0], float("nan")), {}, ["k must lie between", "nan"]),
        (([1.0, 2.0], 3), {"sample_weight": torch.ones(2)}, ["k must lie between 0 and 2, the total weight"]),
        (([1.0, 2.0, 0.0], 2), {"groups": whole(0, 0, 1)}, ["k must lie between 0 and 1", "in group 1", "got 2"]),
        (([1.0, 2.0, 0.0], torch.tensor([1.0, 1.0])), {"groups": whole(0, 2, 1)}, ["numbered from 0 to 1", "got 2"]),
        (([1.0, 2.0], 0.5), {"groups": whole(0, -1)}, ["groups must be numbered from 0", "got -1"]),
        (([1.0, 2.0], 0.5), {"groups": whole(0)}, ["groups must have shape (2,)", "(1,)"]),
        (([1.0, 2.0], 0.5), {"groups": torch.ones(2)}, ["groups must be a tensor of whole numbers", "float32"]),
        (([1.0, 2.0], 0.5), {"groups": [0, 1]}, ["groups must be a tensor", "list"]),
        (([1.0, 2.0], 1), {"sample_weight": torch.tensor([1.0, -1.0])}, ["finite and >= 0", "-1.0 at row 1"]),
        (([1.0, 2.0], 1), {"sample_weight": torch.tensor([1.0, torch.nan])}, ["finite and >= 0", "nan"]),
        (([1.0, 2.0], 0), {"sample_weight": torch.zeros(2)}, ["sample_weight"]),
        (([1.0, 2.0], 1), {"sample_weight": torch.ones(3)}, ["sample_weight must have shape (2,)", "(3,)"]),
        (([1.0, 2.0], 1), {"sample_weight": [1.0, 1.0]}, ["sample_weight must be a tensor", "list"]),
        (([1.0, 2.0], 1), {"sample_weight": torch.ones(2, requires_grad=True)}, ["sample_weight is a constant"]),
        (([1.0], torch.ones((), requires_grad=True)), {}, ["k is a constant", "detach"]),
        (([[1.0, 2.0]], torch.ones(3)), {}, ["k must be a number or broadcast", "(1,)", "(3,)"]),
        (([1.0], 1, 0.0), {}, ["temperature must be a positive finite number", "0.0"]),
        (([1.0], 1, 1e-310), {}, ["temperature must be at least"]),
        (([1.0], 1), {"method": "pav"}, ["method='pav' solves the Euclidean projection"]),
        (([1.0], 1), {"regularization": "entropy"}, ["regularization must be one of", "'entropy'"]),
        (([1.0], 1), {"regularization": "euclidean", "groups": whole(0)}, ["groups is known to the entropic"]),
        (([1.0], 1), {"regularization": "euclidean", "sample_weight": torch.ones(1)}, ["sample_weight is known"]),
    ],
)
def test_one_clear_error(arguments: tuple[Any, ...], more: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ValueError) as caught:
        soft_binary_argmax(torch.tensor(arguments[0]), *arguments[1:], **{"regularization": "entropic", **more})
    for word in words:
        assert word in str(caught.value)


def test_unchecked_problems_with_bad_values_get_nan_and_others_do_not() -> None:
    x = torch.randn(5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(6))
    x[1, 2], x[2, 0] = torch.nan, -torch.inf
    w = torch.ones(5, 6, dtype=torch.float64)
    w[4, 1] = -1.0
    p = _projection.entropic_problem(x, torch.tensor([2.0, 2.0, 2.0, 6.5, 1.0]), None, None)._replace(w=w)
    for one_by_one in (False, True):
        at = _entropic_search.solve(p, 1.0, one_by_one)
        y = torch.sigmoid(_entropic.place(x, p.sums, *at, 1.0))
        assert y.isnan().all(1).tolist() == [False, True, True, True, True]
        truth = project_hypersimplex(x[0].numpy(), 2.0, regularization="entropic").values
        np.testing.assert_allclose(y[0].numpy(), truth, rtol=0, atol=1e-13)


# --- losses -------------------------------------------------------------------------------------------------------

PAIRS = [
    (HypersimplexSmoothLoss, core.HypersimplexSmoothLoss),
    (HypersimplexSmoothFYLoss, core.HypersimplexSmoothFYLoss),
]
each_loss = pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=["squared", "convex"])


def batch(seed: int, rows: int, columns: int, form: str) -> tuple[Any, Any, dict[str, Any]]:
    """(scores with a gradient, labels, weights and groups of the rows)."""
    rng = np.random.default_rng(seed)
    x = torch.tensor(rng.normal(size=(rows, columns)) * 2.0, requires_grad=True)
    y = torch.tensor(rng.integers(0, max(columns, 2), rows))
    weighted, grouped = FORMS[form]
    more = {"sample_weight": torch.tensor(rng.integers(0, 4, rows) + 0.25)} if weighted else {}
    return x, y, more | ({"groups": torch.tensor(rng.permutation(np.arange(rows) % 3))} if grouped else {})


@each_loss
@each_form
@pytest.mark.parametrize("columns", [1, 4])
def test_losses_are_the_cores(ours: Any, theirs: Any, form: str, columns: int) -> None:
    x, y, more = batch(columns, 25, columns, form)
    arrays = [None if more.get(name) is None else more[name].numpy() for name in ("sample_weight", "groups")]
    total = 25.0 if arrays[0] is None else arrays[0].sum()
    scores = x if columns > 1 else x[:, 0]
    for k, budget in (("count", None), (3, 3), (0.3, 0.3)):
        expected = theirs(budget, 0.7)
        value = expected.loss(y.numpy(), scores.detach().numpy(), *arrays)
        slope = expected.gradient(y.numpy(), scores.detach().numpy(), *arrays)
        per_weight = 2.0 if ours is HypersimplexSmoothLoss else 1.0
        for reduction, factor in (("sum", 1.0), ("mean", per_weight / total)):
            found = ours(k, 0.7, reduction)(scores, y, **more)
            assert found.item() == pytest.approx(factor * value, rel=1e-12)
            (gradient,) = torch.autograd.grad(found, scores, retain_graph=True)
            np.testing.assert_allclose(gradient.numpy(), factor * slope, rtol=0, atol=1e-13)
        each = ours(k, 0.7, "none")(scores, y, **more)
        assert each.shape == scores.shape
        assert each.sum().item() == pytest.approx(value, rel=1e-12)
        cuts = ours(k, 0.7).soft_threshold(scores, y, **more)
        truth = np.asarray(expected.soft_threshold(y.numpy(), scores.detach().numpy(), *arrays))
        np.testing.assert_allclose(cuts.numpy().reshape(truth.shape), truth, rtol=0, atol=1e-11)


@each_loss
def test_rules_for_k_with_weights_and_groups(ours: Any, theirs: Any) -> None:
    """Integer weights are repeated rows, under every rule; each group has the budget that it would have alone."""
    x, y, _ = batch(1, 12, 3, "plain")
    x, times = x.detach(), torch.tensor([1, 2, 1, 3, 1, 1, 2, 1, 1, 4, 1, 1])
    at = torch.repeat_interleave(torch.arange(12), times)
    groups = torch.arange(12) % 2
    for k in ("count", "half", "running", 4, 0.35, [1, 2, 3], [0.1, 0.2, 0.7]):
        more = {"num_classes": 3} if k == "running" else {}
        weighted, repeated = ours(k, 0.8, "sum", **more), ours(k, 0.8, "sum", **more)
        assert weighted(x, y, times).item() == pytest.approx(repeated(x[at], y[at]).item(), rel=1e-12)
        if k == "running":
            torch.testing.assert_close(weighted.frequency, repeated.frequency)
            weighted.eval()
        grouped = weighted(x, y, times, groups).item()
        alone = [weighted(x[groups == g], y[groups == g], times[groups == g]).item() for g in range(2)]
        assert grouped == pytest.approx(sum(alone), rel=1e-12)


@each_loss
@each_form
def test_losses_gradcheck(ours: Any, theirs: Any, form: str) -> None:
    x, y, more = batch(3, 7, 2, form)
    for k in ("count", 0.3):
        loss = ours(k, 1.5)
        assert torch.autograd.gradcheck(lambda t, loss=loss: loss(t, y, **more), x, check_forward_ad=True)
        assert torch.autograd.gradgradcheck(lambda t, loss=loss: loss(t, y, **more), x)


def test_hessian_of_the_convex_loss_is_the_projections_jacobian() -> None:
    x, y, _ = batch(5, 9, 1, "plain")
    x = x.detach()[:, 0]
    second = hessian(lambda t: HypersimplexSmoothFYLoss(temperature=0.6, reduction="sum")(t, y))(x)
    expected = reference.fenchel_young_hessian(x.numpy(), float(y.sum()), 0.6)
    np.testing.assert_allclose(second.numpy(), expected.astype(float), rtol=0, atol=1e-12)


@each_loss
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_dtypes_of_losses(ours: Any, theirs: Any, dtype: Any) -> None:
    x, y, more = batch(4, 20, 3, "both")
    scores = x.detach().to(dtype).requires_grad_()
    value = ours()(scores, y, **more)
    assert value.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert value.item() == pytest.approx(ours()(scores.double(), y, **more).item(), rel=1e-6)
    (slope,) = torch.autograd.grad(value, scores)
    assert slope.dtype == dtype


@each_loss
def test_separated_scores_and_groups_of_one_class_have_finite_derivatives(ours: Any, theirs: Any) -> None:
    scores = torch.tensor([500.0, 400.0, -300.0, -900.0, 1e30, 2.0, 5.0], dtype=torch.float64, requires_grad=True)
    labels, groups = torch.tensor([1, 1, 0, 0, 1, 0, 0]), torch.tensor([0, 0, 0, 0, 0, 1, 1])
    for labels_now in (labels, 1 - labels):
        value = ours(reduction="sum")(scores, labels_now, groups=groups)
        expected = theirs().loss(labels_now.numpy(), scores.detach().numpy(), None, groups.numpy())
        assert value.item() == pytest.approx(expected, rel=1e-12, abs=1e-40)
        (slope,) = torch.autograd.grad(value, scores, create_graph=True)
        (bend,) = torch.autograd.grad(slope.square().sum() + slope.sum(), scores)
        truth = theirs().gradient(labels_now.numpy(), scores.detach().numpy(), None, groups.numpy())
        np.testing.assert_allclose(slope.detach().numpy(), truth, rtol=0, atol=1e-12)
        assert bend.isfinite().all()
        assert slope[5:].tolist() == [0, 0]


@pytest.mark.parametrize(("ours", "form"), [(HypersimplexSmoothLoss, "plain"), (HypersimplexSmoothFYLoss, "weights")])
def test_losses_compile_whole(ours: Any, form: str) -> None:
    torch._dynamo.reset()
    x, y, more = batch(6, 12, 3, form)
    loss = ours(0.4)
    value, plain = torch.compile(loss, fullgraph=True, backend="aot_eager")(x, y, **more), loss(x, y, **more)
    assert value.item() == pytest.approx(plain.item(), rel=1e-12)
    torch.testing.assert_close(torch.autograd.grad(value, x)[0], torch.autograd.grad(plain, x)[0], rtol=0, atol=1e-12)


@each_loss
def test_a_plain_loop_learns_the_order_within_groups(ours: Any, theirs: Any) -> None:
    draw = torch.Generator().manual_seed(0)
    groups = torch.arange(300) % 3
    x = torch.randn(300, 2, generator=draw)
    y = (x[:, 0] + 0.3 * torch.randn(300, generator=draw) > 0.5).long()
    x = torch.cat([x, 4.0 * groups[:, None].float()], 1)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        net = nn.Linear(3, 1)
    loss, optimizer = ours(0.2, 0.5), torch.optim.Adam(net.parameters(), lr=0.05)
    first = loss(net(x)[:, 0], y, groups=groups).item()
    for _ in range(60):
        optimizer.zero_grad()
        loss(net(x)[:, 0], y, groups=groups).backward()
        optimizer.step()
    scores = net(x)[:, 0].detach()
    assert loss(scores, y, groups=groups).item() < first
    best = torch.cat([torch.nonzero(groups == g)[scores[groups == g].topk(20).indices, 0] for g in range(3)])
    assert y[best].double().mean() > 0.9


@each_loss
def test_parameters_and_bad_batches(ours: Any, theirs: Any) -> None:
    loss = ours("half", 1.5)
    assert repr(loss) == f"{ours.__name__}(k='half', temperature=1.5, reduction='mean')"
    assert isinstance(loss, HypersimplexLoss)
    x, y = torch.ones(3, 2), torch.tensor([0, 1, 1])
    for call, words in (
        (lambda: ours("most"), "'count', 'half', 'running'"),
        (lambda: ours(reduction="all"), "reduction"),
        (lambda: ours(temperature=0.0), "temperature"),
        (lambda: ours("running"), "num_classes"),
        (lambda: loss(x, torch.tensor([0, 1, 2])), "classes 0 to 1"),
        (lambda: loss(x, y, torch.ones(2)), r"sample_weight must have shape \(3,\)"),
        (lambda: loss(x, y, torch.ones(3, 2)), r"sample_weight must have shape \(3,\)"),
        (lambda: loss(x, y, torch.tensor([1.0, -2.0, 1.0])), "-2.0 at row 1"),
        (lambda: loss(x, y, torch.zeros(3)), "sample_weight"),
        (lambda: loss(x, y, None, torch.tensor([0, 1])), r"groups must have shape \(3,\)"),
        (lambda: loss(x, y, None, torch.tensor([0, 1, -1])), "numbered from 0"),
        (lambda: loss(torch.full((3, 2), torch.inf), y), "x must be finite"),
    ):
        with pytest.raises(ValueError, match=words):
            call()
    running = ours("running", num_classes=2)
    with pytest.raises(ValueError, match=r"-2\.0 at row 1"):
        running(x, y, torch.tensor([1.0, -2.0, 1.0]))
    assert running.frequency.tolist() == [0.0, 0.0]  # a bad batch leaves no trace
