"""The layer and the losses on tensors that the host does not read, as those of a GPU, against the core.

``HSBOOST_TORCH_DEVICE=cuda`` puts the tensors there. Without it they are the processor's, and the package is told that
it may not read them, so that all code is that of a GPU.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install -e '.[torch]'")

from test_torch_layer import KINDS, by_core, problem  # noqa: E402
from test_torch_smooth import FORMS, case, counted, each_form  # noqa: E402
from test_torch_smooth import by_core as smooth_by_core  # noqa: E402
from torch.func import grad, jacfwd, jacrev, jvp, vmap  # noqa: E402

from hsboost import losses as core  # noqa: E402
from hsboost import project_hypersimplex  # noqa: E402
from hsboost.torch import (  # noqa: E402
    ExactLoss,
    HypersimplexLoss,
    HypersimplexSmoothFYLoss,
    HypersimplexSmoothLoss,
    _entropic,
    _projection,
    _search,
    _targets,
    soft_binary_argmax,
)

DEVICE = os.environ.get("HSBOOST_TORCH_DEVICE", "cpu")
IS_CUDA = DEVICE.startswith("cuda")
if IS_CUDA and not torch.cuda.is_available():
    pytest.fail(f"HSBOOST_TORCH_DEVICE={DEVICE!r}, but torch finds no GPU; leave it out", pytrace=False)

on_a_gpu = pytest.mark.skipif(not IS_CUDA, reason="needs a GPU and HSBOOST_TORCH_DEVICE=cuda")


@pytest.fixture(autouse=True)
def _not_readable(monkeypatch: pytest.MonkeyPatch) -> None:
    if not IS_CUDA:
        for module in (_entropic, _projection, _targets):
            monkeypatch.setattr(module, "readable", lambda t: False)


def there(a: Any, **more: Any) -> Any:
    return torch.tensor(a, device=DEVICE, **more)


def here(t: Any) -> np.ndarray:
    return t.detach().cpu().numpy()


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search for many scores, Newton's, for few as well."""
    monkeypatch.setattr(_search, "LARGE", 1)
    monkeypatch.setattr("hsboost.torch._entropic_search.LARGE", 1)


@pytest.mark.parametrize("kind", KINDS)
def test_values_are_the_core_s(kind: str) -> None:
    for seed in range(8):
        x, k, temperature = problem(kind, seed)
        k = np.minimum(k, x.shape[1])
        truth = by_core(x, k, temperature)
        scores = there(x)
        found = soft_binary_argmax(scores, there(k), temperature)
        assert found.device == scores.device
        np.testing.assert_allclose(here(found), truth, rtol=0, atol=1e-12)
        columns = soft_binary_argmax(scores.t().contiguous(), there(k), temperature, dim=0)
        np.testing.assert_allclose(here(columns.t()), truth, rtol=0, atol=1e-12)
        narrow = x.astype(np.float32)
        found = soft_binary_argmax(there(narrow), there(k), temperature)
        np.testing.assert_allclose(here(found), by_core(narrow, k, temperature), rtol=0, atol=2e-7)


@pytest.mark.usefixtures("few")
def test_values_are_the_core_s_by_newton_s_method() -> None:
    for kind in KINDS:
        test_values_are_the_core_s(kind)


@each_form
def test_entropic_values_are_the_core_s(form: str) -> None:
    for kind in KINDS:
        for seed in range(3):
            c = case(kind, seed, form)
            x, k, more = c.tensors()
            more = {name: t.to(DEVICE) if isinstance(t, torch.Tensor) else t for name, t in more.items()}
            found = soft_binary_argmax(x.to(DEVICE), k.to(DEVICE), c.temperature, **more)
            np.testing.assert_allclose(counted(c, here(found)), smooth_by_core(c), rtol=0, atol=1e-12, err_msg=kind)


@pytest.mark.usefixtures("few")
def test_entropic_values_are_the_core_s_by_newton_s_method() -> None:
    for form in FORMS:
        test_entropic_values_are_the_core_s(form)


@pytest.mark.parametrize("regularization", ["euclidean", "entropic"])
def test_derivatives_are_the_core_s(regularization: Any, rng: np.random.Generator) -> None:
    for seed in range(4):
        x, u = rng.normal(size=(2, 40))
        result = project_hypersimplex(x, 11.5, temperature=0.7, regularization=regularization)
        leaf = there(x, requires_grad=True)

        def layer(t: Any) -> Any:
            return soft_binary_argmax(t, 11.5, 0.7, regularization=regularization)

        layer(leaf).backward(there(u))
        np.testing.assert_allclose(here(leaf.grad), result.vjp(u), rtol=0, atol=1e-11)
        _, forward = jvp(layer, (there(x),), (there(u),))
        np.testing.assert_allclose(here(forward), result.jvp(u), rtol=0, atol=1e-11, err_msg=str(seed))


@pytest.mark.parametrize("regularization", ["euclidean", "entropic"])
def test_gradcheck_and_transforms(regularization: Any, rng: np.random.Generator) -> None:
    x = there(rng.normal(size=(3, 7)), requires_grad=True)

    def layer(t: Any) -> Any:
        return soft_binary_argmax(t, 2.5, 1.5, regularization=regularization)

    # Sums on a GPU by index_add or by block may differ in the last bit between calls.
    assert torch.autograd.gradcheck(layer, x, check_forward_ad=True, nondet_tol=1e-12)
    assert torch.autograd.gradgradcheck(lambda t: layer(t).square() * layer(t), x, nondet_tol=1e-12)
    rows = x.detach()
    torch.testing.assert_close(vmap(layer)(rows), layer(rows), rtol=0, atol=1e-12)
    energy = grad(lambda t: (layer(t) ** 3).sum())
    torch.testing.assert_close(jacfwd(energy)(rows[0]), jacrev(energy)(rows[0]), rtol=0, atol=1e-10)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_dtypes(dtype: str, rng: np.random.Generator) -> None:
    x = there(rng.normal(size=(4, 300))).to(getattr(torch, dtype))
    k = there([1.0, 2.5, 150.0, 299.0])
    found, exact = soft_binary_argmax(x, k, 0.8), soft_binary_argmax(x.double(), k, 0.8)
    assert found.dtype == x.dtype
    assert (found.double() - exact).abs().max() <= torch.finfo(x.dtype).eps


def batch(rng: np.random.Generator) -> tuple[Any, Any, Any, Any]:
    return rng.normal(size=(60, 4)), rng.integers(0, 4, 60), rng.random(60), rng.integers(0, 3, 60)


LOSSES: dict[str, tuple[Callable[[], Any], bool]] = {
    "count": (HypersimplexLoss, False),
    "half": (lambda: HypersimplexLoss("half", 1.5, "sum"), False),
    "running": (lambda: HypersimplexLoss("running", num_classes=4), False),
    "numbers": (lambda: HypersimplexLoss([3, 0.25, 9, 0.1]), False),
    "smooth": (lambda: HypersimplexSmoothLoss(temperature=0.5), True),
    "smooth running": (lambda: HypersimplexSmoothLoss("running", num_classes=4), True),
    "smooth sibling": (lambda: HypersimplexSmoothFYLoss(0.3), True),
    "exact": (ExactLoss, False),
    "exact, one sigma": (lambda: ExactLoss("parameter", log=True), False),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_those_of_the_processor(
    name: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, with_rows = LOSSES[name]
    x, y, w, groups = batch(rng)
    found = []
    for device in (DEVICE, "cpu"):
        if device == "cpu":
            monkeypatch.undo()  # which may be read
        loss = make().to(device)
        leaf = torch.tensor(x, device=device, requires_grad=True)
        more = (torch.tensor(w, device=device), torch.tensor(groups, device=device)) if with_rows else ()
        for _ in range(2):  # the running frequencies move
            value = loss(leaf, torch.tensor(y, device=device), *more)
        value.backward()
        assert leaf.grad is not None
        found.append((value.item(), here(leaf.grad)))
    (ours, our_gradient), (theirs, their_gradient) = found
    assert ours == pytest.approx(theirs, rel=1e-11)
    np.testing.assert_allclose(our_gradient, their_gradient, rtol=1e-9, atol=1e-11)


def test_a_loss_is_the_core_s(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=200), (rng.random(200) < 0.3).astype(np.float64)
    leaf = there(x, requires_grad=True)
    value = HypersimplexLoss(reduction="sum")(leaf, there(y))
    value.backward()
    loss = core.HypersimplexLoss()
    assert value.item() == pytest.approx(loss.loss(y, x), rel=1e-12)
    np.testing.assert_allclose(here(leaf.grad), loss.gradient(y, x), rtol=0, atol=1e-12)
    cut = HypersimplexLoss().soft_threshold(there(x), there(y))
    assert cut.item() == pytest.approx(loss.soft_threshold(y, x), rel=1e-9, abs=1e-9)


def test_bad_problems_get_nan_and_an_error_on_request() -> None:
    x = there([[0.0, 1.0, 2.0], [0.0, float("nan"), 1.0], [0.0, 1.0, 2.0]])
    for regularization in ("euclidean", "entropic"):
        found = soft_binary_argmax(x, there([1.0, 1.0, 4.0]), regularization=regularization)
        assert found.isnan().all(1).tolist() == [False, True, True]
        if IS_CUDA:
            with pytest.raises(ValueError, match="x must be finite"):
                soft_binary_argmax(x, 1.0, regularization=regularization, validate=True)


@on_a_gpu  # test_torch_layer.py and test_torch_losses.py compile for a processor
@pytest.mark.parametrize("name", ["layer", "entropic layer", "count"])
def test_compiled(name: str, rng: np.random.Generator) -> None:
    torch._dynamo.reset()
    x, y, *_ = batch(rng)
    loss, target = LOSSES.get(name, (HypersimplexLoss, False))[0]().to(DEVICE), there(y)
    plain: Callable[[Any], Any] = {
        "layer": lambda t: soft_binary_argmax(t, 7.5, dim=0),
        "entropic layer": lambda t: soft_binary_argmax(t, 7.5, dim=0, regularization="entropic"),
    }.get(name, lambda t: loss(t, target))
    compiled = torch.compile(plain, fullgraph=True)
    found = []
    for way in (compiled, plain):
        leaf = there(x, requires_grad=True)
        value = way(leaf).square().sum()
        value.backward()
        found.append((value.detach(), leaf.grad))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


@on_a_gpu
@pytest.mark.parametrize("regularization", ["euclidean", "entropic"])
def test_the_host_does_not_wait_and_calls_are_captured(regularization: Any, rng: np.random.Generator) -> None:
    """What docs/torch.md says of fewer than a million scores."""
    x, u = there(rng.normal(size=(8, 500)), requires_grad=True), there(rng.normal(size=(8, 500)))

    def both() -> Any:
        return torch.autograd.grad(soft_binary_argmax(x, 60.5, regularization=regularization), x, u)[0]

    expected = both()
    torch.cuda.set_sync_debug_mode("error")
    try:
        torch.testing.assert_close(both(), expected, rtol=0, atol=1e-12)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        both()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = both()
    graph.replay()
    torch.testing.assert_close(captured, expected, rtol=0, atol=1e-12)


@on_a_gpu
@pytest.mark.parametrize("regularization", ["euclidean", "entropic"])
def test_many_scores(regularization: Any, rng: np.random.Generator) -> None:
    x = rng.normal(size=(1_200_000, 2)).astype(np.float32)
    found = here(soft_binary_argmax(there(x), 1e5, dim=0, regularization=regularization))
    for column in range(2):
        truth = project_hypersimplex(x[:, column], 1e5, regularization=regularization).values
        np.testing.assert_allclose(found[:, column], truth, rtol=0, atol=1e-6)


@on_a_gpu
def test_mixed_precision_and_a_step_of_training() -> None:
    net = torch.nn.Linear(5, 3).to(DEVICE)
    optimizer = torch.optim.Adam(net.parameters(), 0.05)
    draw = torch.Generator(DEVICE).manual_seed(0)
    x = torch.randn(400, 5, device=DEVICE, generator=draw)
    y = x[:, :3].argmax(1)
    for _ in range(60):
        with torch.autocast("cuda", torch.bfloat16):
            scores = net(x)
        optimizer.zero_grad()
        HypersimplexLoss()(scores.float(), y).backward()
        optimizer.step()
    assert (net(x).argmax(1) == y).float().mean() > 0.85
