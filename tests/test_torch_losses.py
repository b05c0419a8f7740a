"""HypersimplexLoss and ExactLoss for PyTorch: the numbers of hsboost.losses, rules for k, state, shapes, bad input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install -e '.[torch]'")

from torch import nn  # noqa: E402
from torch.func import jacfwd, jacrev  # noqa: E402

import hsboost.losses as core  # noqa: E402
from hsboost.torch import ExactLoss, HypersimplexLoss, soft_binary_argmax  # noqa: E402
from hsboost.torch._quadrature import log_probability  # noqa: E402

REDUCTIONS = ("sum", "mean")


def batch(seed: int, rows: int, columns: int) -> tuple[Any, Any]:
    """Scores that need a gradient, and classes."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, columns)) * 10.0 ** rng.integers(-1, 2)
    return torch.tensor(x, requires_grad=True), torch.tensor(rng.integers(0, max(columns, 2), rows))


# --- HyperSimplex -------------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 10_000), rows=st.integers(1, 40), columns=st.integers(2, 5), share=st.booleans())
def test_hypersimplex_is_the_cores(seed: int, rows: int, columns: int, share: bool) -> None:
    x, y = batch(seed, rows, columns)
    rng = np.random.default_rng(seed)
    numbers = [float(rng.uniform(0.05, 0.95)) if share else int(rng.integers(0, rows + 1)) for _ in range(columns)]
    temperature = float(rng.choice([0.3, 1.0, 1.5]))
    for reduction in REDUCTIONS:
        for k, budgets in (
            ("count", None),
            ("half", rows // 2),
            (numbers, dict(enumerate(numbers))),
            (numbers[0],) * 2,
        ):
            theirs = core.HypersimplexLoss(budgets, temperature, reduction=reduction)
            value = HypersimplexLoss(k, temperature, reduction)(x, y)
            assert value.item() == pytest.approx(theirs.loss(y.numpy(), x.detach().numpy()), rel=1e-12, abs=1e-13)
            (gradient,) = torch.autograd.grad(value, x)
            expected = theirs.gradient(y.numpy(), x.detach().numpy())
            np.testing.assert_allclose(gradient.numpy(), expected, rtol=1e-11, atol=1e-12)


@pytest.mark.truth
@pytest.mark.parametrize(
    ("rows", "k", "expected"),
    [(1, "half", 0), (2, "half", 1), (3, "half", 1), (7, "half", 3), (8, "half", 4), (3, 0.5, 1.5), (7, 0.5, 3.5)],
)
def test_half_is_the_integer_part_as_the_published_code_has_it(rows: int, k: Any, expected: float) -> None:
    x, y = batch(rows, rows, 3)
    value = HypersimplexLoss(k, 1.5)(x, y)
    projected = soft_binary_argmax(x, expected, 1.5, dim=0)
    by_hand = (projected - torch.nn.functional.one_hot(y, 3)).square().sum() / rows
    assert value.item() == pytest.approx(by_hand.item(), rel=1e-12, abs=1e-13)
    assert HypersimplexLoss(k, 1.5).soft_threshold(x, y).tolist() == [
        pytest.approx(HypersimplexLoss([expected] * 3 if k == "half" else [k] * 3, 1.5).soft_threshold(x, y)[c].item())
        for c in range(3)
    ]


@pytest.mark.truth
def test_half_of_three_rows_gives_the_published_value() -> None:
    # Scores [2, 1, .2] and labels [1, 0, 1]: one row, k = int(3 * 0.5), gets 1 from the layer: 1 of 3 rows is wrong.
    scores, labels = torch.tensor([[2.0], [1.0], [0.2]], dtype=torch.float64), torch.tensor([1, 0, 1])
    assert HypersimplexLoss("half")(scores, labels).item() == pytest.approx(1 / 3, rel=1e-12)
    assert HypersimplexLoss(0.5)(scores, labels).item() == pytest.approx(0.41666666666666, rel=1e-12)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_binary_and_multilabel_are_single_columns(reduction: str) -> None:
    x, _ = batch(1, 30, 3)
    labels = torch.tensor(np.random.default_rng(1).integers(0, 2, (30, 3)))
    theirs = core.HypersimplexLoss(reduction=reduction)
    by_hand = [theirs.loss(labels[:, c].numpy(), x[:, c].detach().numpy()) for c in range(3)]
    loss = HypersimplexLoss(reduction=reduction)
    assert loss(x, labels).item() == pytest.approx(sum(by_hand), rel=1e-12)
    assert loss(x, labels.bool()).item() == loss(x, labels.float()).item() == loss(x, labels).item()
    for scores in (x[:, 0], x[:, :1]):
        for target in (labels[:, 0], labels[:, 0].float()):
            assert loss(scores, target).item() == pytest.approx(by_hand[0], rel=1e-12)
    assert loss(x[:, :1], labels[:, :1]).item() == pytest.approx(by_hand[0], rel=1e-12)


@given(seed=st.integers(0, 10_000), rows=st.integers(1, 30), temperature=st.sampled_from([0.01, 1.0, 30.0]))
def test_soft_cut_is_the_cores(seed: int, rows: int, temperature: float) -> None:
    x, y = batch(seed, rows, 3)
    expected = core.HypersimplexLoss(temperature=temperature).soft_threshold(y.numpy(), x.detach().numpy())
    found = HypersimplexLoss(temperature=temperature).soft_threshold(x, y)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9, atol=1e-9)


def test_unreduced() -> None:
    x, y = batch(2, 12, 4)
    each = HypersimplexLoss(reduction="none")(x, y)
    assert each.shape == x.shape
    assert each.sum().item() == pytest.approx(HypersimplexLoss(reduction="sum")(x, y).item())
    assert HypersimplexLoss(reduction="none")(x[:, 0], y % 2).shape == (12,)
    rows = ExactLoss(reduction="none")(x, y)
    assert rows.shape == (12,)
    assert rows.mean().item() == pytest.approx(ExactLoss()(x, y).item())


@pytest.mark.parametrize("k", ["count", "half", 3, 0.25, [1, 2, 3, 4]])
def test_hypersimplex_gradcheck(k: Any) -> None:
    x, y = batch(3, 8, 4)
    loss = HypersimplexLoss(k, 1.5)
    assert torch.autograd.gradcheck(lambda t: loss(t, y), x.detach().requires_grad_(), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(lambda t: loss(t, y), x.detach().requires_grad_())


def test_zero_when_right_by_a_margin_and_counting_when_hard() -> None:
    x = torch.tensor([[9.0, 0.0], [8.0, 1.0], [0.0, 9.0], [1.0, 8.0]])
    assert HypersimplexLoss(reduction="sum")(x, torch.tensor([0, 0, 1, 1])).item() == 0
    # One wrong row in each column of four: two mistakes a column, each worth a half.
    assert HypersimplexLoss(temperature=1e-3, reduction="sum")(x, torch.tensor([1, 0, 0, 1])).item() == 2


def test_running_frequencies_follow_the_batches_and_are_kept() -> None:
    loss = HypersimplexLoss("running", 1.5, num_classes=3, momentum=0.25)
    batches = [torch.tensor(y) for y in ([0, 0, 1, 2], [2, 2, 2, 2], [1, 1, 0, 0], [0, 1, 2, 0], [0] * 4, [1] * 4)]
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    expected = torch.zeros(3)
    for i, y in enumerate(batches, start=1):
        seen = torch.bincount(y, minlength=3) / 4
        rate = max(1 / i, 0.25)  # the first four count equally
        expected = (1 - rate) * expected + rate * seen
        value = loss(x, y)
        torch.testing.assert_close(loss.frequency, expected)
        by_hand = soft_binary_argmax(x, expected.double() * 4, 1.5, dim=0) - nn.functional.one_hot(y, 3)
        assert value.item() == pytest.approx(by_hand.square().sum().item() / 4, rel=1e-5)
    assert int(loss.batches) == 6
    other = HypersimplexLoss("running", 1.5, num_classes=3)
    other.load_state_dict(loss.state_dict())
    other.eval()
    assert other(x, batches[1]).item() == loss.eval()(x, batches[1]).item()
    torch.testing.assert_close(other.frequency, expected)
    plain = HypersimplexLoss("running", num_classes=3, momentum=None)
    for y in batches:
        plain(x, y)
    torch.testing.assert_close(plain.frequency, torch.bincount(torch.cat(batches), minlength=3) / 24)
    assert not HypersimplexLoss("count").state_dict()


def test_half_precision_comes_back_as_float32() -> None:
    x, y = batch(4, 20, 3)
    for loss in (HypersimplexLoss(), ExactLoss()):
        value = loss(x.detach().bfloat16().requires_grad_(), y)
        assert value.dtype == torch.float32
        assert value.item() == pytest.approx(loss(x.detach().bfloat16().double(), y).item(), rel=1e-5)
        assert loss(x, y).dtype == torch.float64


# --- EXACT --------------------------------------------------------------------------------------------------------


@given(
    seed=st.integers(0, 10_000),
    classes=st.integers(1, 8),
    log=st.booleans(),
    margin=st.sampled_from([None, 0.7]),
    learned=st.booleans(),
)
def test_exact_is_the_cores(seed: int, classes: int, log: bool, margin: float | None, learned: bool) -> None:
    x, y = batch(seed, 10, classes + learned)
    y = y.clamp(max=max(classes, 2) - 1)
    sigma: Any = "learned" if learned else float(np.random.default_rng(seed).uniform(0.2, 3.0))
    theirs = core.ExactLoss(sigma, log, margin)
    value = ExactLoss(sigma, log, margin, "sum")(x, y)
    assert value.item() == pytest.approx(theirs.loss(y.numpy(), x.detach().numpy()), rel=1e-11, abs=1e-13)
    (gradient,) = torch.autograd.grad(value, x)
    expected = theirs.gradient(y.numpy(), x.detach().numpy())
    np.testing.assert_allclose(gradient.numpy(), expected, rtol=1e-8, atol=1e-11 * max(1.0, np.abs(expected).max()))


@pytest.mark.parametrize("others", [2, 3, 9, 31, 99, 999])
def test_nodes_suffice_for_extreme_rows(others: int, rng: np.random.Generator) -> None:
    rows = [rng.normal(size=others) * 10.0 ** rng.uniform(-2, 2) for _ in range(12)]
    rows += [np.full(others, s) for s in (0.0, 5.0, -1.0, -5.0, -30.0, -300.0)]
    rows += [np.where(rng.random(others) < 0.5, 0.0, s) for s in (-40.0, -5.0, 5.0, 40.0)]
    rows += [-np.arange(others) * s for s in (0.1, 1.0)]
    a = np.array(rows)
    means = np.hstack([np.zeros((len(a), 1)), -a])
    loss = core.ExactLoss(log=True)
    truth = np.array([loss.loss([0], row[None]) for row in means])
    found = -log_probability(torch.tensor(a)).numpy()
    np.testing.assert_allclose(found, truth, rtol=1e-12, atol=1e-13)


def test_far_rows_keep_their_gradient() -> None:
    x = torch.tensor([[0.0, 5e4, 1.0], [0.0, 1e6, 1e6]], dtype=torch.float64, requires_grad=True)
    y = torch.zeros(2, dtype=torch.int64)
    value = ExactLoss(log=True, reduction="sum")(x, y)
    theirs = core.ExactLoss(log=True)
    assert value.item() == pytest.approx(theirs.loss(y.numpy(), x.detach().numpy()), rel=1e-9)
    (gradient,) = torch.autograd.grad(value, x)
    np.testing.assert_allclose(gradient.numpy(), theirs.gradient(y.numpy(), x.detach().numpy()), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("sigma", [0.7, "learned", "parameter"])
@pytest.mark.parametrize("log", [False, True])
def test_exact_gradcheck(sigma: Any, log: bool) -> None:
    x, y = batch(5, 5, 4)
    y = y.clamp(max=2)
    loss = ExactLoss(sigma, log)
    assert torch.autograd.gradcheck(lambda t: loss(t, y), x.detach().clamp(-2, 2).requires_grad_())
    assert torch.autograd.gradgradcheck(lambda t: loss(t, y), x.detach().clamp(-2, 2).requires_grad_())


@pytest.mark.truth
def test_second_derivatives_in_every_mix_of_modes() -> None:
    """Forward mode within forward mode used to be wrong by whole numbers."""
    x, y = torch.tensor([[0.3, -0.4, 1.2], [2.0, 0.1, -1.0]], dtype=torch.float64), torch.tensor([1, 0])
    for log in (False, True):

        def loss(t: Any, log: bool = log) -> Any:
            return ExactLoss(log=log)(t, y)

        step = 1e-5 * torch.eye(6, dtype=torch.float64).reshape(6, 2, 3)
        slope = jacrev(loss)
        expected = torch.stack([(slope(x + d) - slope(x - d)) / 2e-5 for d in step]).reshape(2, 3, 2, 3)
        for outer in (jacfwd, jacrev):
            for inner in (jacfwd, jacrev):
                torch.testing.assert_close(outer(inner(loss))(x), expected, rtol=0, atol=1e-8)


def test_one_sigma_is_learned() -> None:
    loss = ExactLoss("parameter", log=True)
    assert [name for name, _ in loss.named_parameters()] == ["log_sigma"]
    x, y = torch.tensor([[2.0, 0.0, 0.0]] * 8), torch.tensor([0] * 7 + [1])
    fixed = {s: ExactLoss(s, log=True)(x, y).item() for s in (0.5, 1.0, 2.0)}
    assert loss(x, y).item() == pytest.approx(fixed[1.0])
    optimizer = torch.optim.Adam(loss.parameters(), lr=0.05)
    for _ in range(100):
        optimizer.zero_grad()
        loss(x, y).backward()
        optimizer.step()
    assert loss(x, y).item() < min(fixed.values())
    with torch.no_grad():
        loss.log_sigma.fill_(99.0)
    loss.log_sigma.grad = None
    loss(x, y).backward()
    assert loss(x, y).item() == pytest.approx(ExactLoss(20.0, log=True)(x, y).item())  # at its bound …
    assert loss.log_sigma.grad.item() > 0  # … and on its way back


# --- both ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [HypersimplexLoss("count", 0.5), HypersimplexLoss("half", 1.5), ExactLoss(log=True)])
def test_a_plain_loop_learns(loss: nn.Module) -> None:
    draw = torch.Generator().manual_seed(0)
    y = torch.randint(0, 3, (300,), generator=draw)
    x = torch.randn(300, 2, generator=draw) * 0.4 + torch.tensor([[0.0, 1.5], [-1.3, -0.8], [1.3, -0.8]])[y]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Linear(2, 3)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    before = (net(x).argmax(1) == y).float().mean().item()
    for _ in range(150):
        optimizer.zero_grad()
        loss(net(x), y).backward()
        optimizer.step()
    after = (net(x).argmax(1) == y).float().mean().item()
    assert after > max(0.95, before)


@pytest.mark.parametrize("make", [HypersimplexLoss, lambda: HypersimplexLoss("running", num_classes=4), ExactLoss])
def test_losses_compile_whole(make: Any) -> None:
    torch._dynamo.reset()
    x, y = batch(6, 12, 4)
    loss, plain = make(), make()
    value = torch.compile(loss, fullgraph=True, backend="aot_eager")(x, y)
    (gradient,) = torch.autograd.grad(value, x)
    assert value.item() == pytest.approx(plain(x, y).item(), rel=1e-12)
    torch.testing.assert_close(gradient, torch.autograd.grad(plain(x, y), x)[0], rtol=0, atol=1e-12)


def test_repr() -> None:
    assert repr(HypersimplexLoss("half", 1.5)) == "HypersimplexLoss(k='half', temperature=1.5, reduction='mean')"
    assert repr(ExactLoss()) == "ExactLoss(sigma=1.0, log=False, margin=None, reduction='mean')"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: HypersimplexLoss("most"), ["'count', 'half', 'running'", "'most'"]),
        (lambda: HypersimplexLoss(1.5), ["count (int", "share", "1.5"]),
        (lambda: HypersimplexLoss(-1), ["-1"]),
        (lambda: HypersimplexLoss(True), ["True"]),
        (lambda: HypersimplexLoss([]), ["k is empty"]),
        (lambda: HypersimplexLoss("running"), ["num_classes"]),
        (lambda: HypersimplexLoss(momentum=1.5), ["momentum", "1.5"]),
        (lambda: HypersimplexLoss(temperature=0), ["temperature"]),
        (lambda: HypersimplexLoss(reduction="all"), ["reduction", "'all'"]),
        (lambda: ExactLoss("free"), ["'learned' or 'parameter'", "'free'"]),
        (lambda: ExactLoss(0.0), ["sigma"]),
        (lambda: ExactLoss(log=1), ["log must be"]),
        (lambda: ExactLoss(sigma_bounds=(2.0, 1.0)), ["sigma_bounds"]),
        (lambda: HypersimplexLoss([1, 1])(torch.ones(3, 4), torch.zeros(3).long()), ["2 numbers for 4 columns"]),
        (lambda: HypersimplexLoss("running", num_classes=3)(torch.ones(2, 2), torch.zeros(2).long()), ["num_classes"]),
    ],
)
def test_bad_parameters(make: Any, words: list[str]) -> None:
    with pytest.raises(ValueError) as caught:
        make()
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("loss", [HypersimplexLoss(), ExactLoss()], ids=["hypersimplex", "exact"])
@pytest.mark.parametrize(
    ("scores", "target", "words"),
    [
        (torch.ones(3, 2), torch.tensor([0, 1, 2]), ["classes 0 to 1", "got 2"]),
        (torch.ones(3, 2), torch.tensor([0, -1, 1]), ["got -1"]),
        (torch.ones(3, 2), torch.tensor([0.0, 1.0, 1.0]), ["whole numbers", "float32"]),
        (torch.ones(3, 2), torch.tensor([0, 1]), ["shape (3,)", "(2,)"]),
        (torch.ones(3), torch.tensor([0, 1, 2]), ["0 and 1 only", "2"]),
        (torch.ones(3).long(), torch.tensor([0, 1, 1]), ["tensor of floats", "int64"]),
        (torch.ones(2, 2, 2), torch.tensor([0, 1]), ["(B,) or (B, C)", "(2, 2, 2)"]),
        (torch.ones(0, 2), torch.tensor([]).long(), ["hold a row"]),
    ],
)
def test_bad_batches(loss: nn.Module, scores: Any, target: Any, words: list[str]) -> None:
    with pytest.raises(ValueError) as caught:
        loss(scores, target)
    for word in words:
        assert word in str(caught.value)


def test_scores_that_are_not_finite() -> None:
    with pytest.raises(ValueError, match="x must be finite, got nan at place 1 of problem 0"):
        HypersimplexLoss()(torch.tensor([[0.0, 1.0], [torch.nan, 0.0]]), torch.tensor([0, 1]))
    assert ExactLoss()(torch.tensor([[0.0, torch.nan]]), torch.tensor([0])).isnan()
