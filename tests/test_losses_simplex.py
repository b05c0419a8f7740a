"""The softmax family: against SciPy, the projection, the entmax package and its own definition; margin losses."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, log_softmax, softmax

from hsboost import project_hypersimplex
from hsboost.losses import EntmaxLoss, FocalLoss, HingeLoss, SoftmaxLoss, SparsemaxLoss, SquaredHingeLoss, entmax15

ALPHAS = [1.0, 1.001, 1.05, 1.25, 1.5, 1.75, 2.0]


def negentropy(p, alpha):
    if alpha == 1.0:
        return (p * np.log(np.where(p > 0, p, 1))).sum(axis=-1)
    return ((p**alpha).sum(axis=-1) - 1) / (alpha * (alpha - 1))


def by_bisection(x, alpha):
    """ŷ of one row from its definition, [(α - 1) θ - τ]_+^(1/(α-1)), τ halved down to the last digit."""
    z = (alpha - 1) * (x - x.max())
    low, high = -1.0, 0.0
    for _ in range(200):
        tau = (low + high) / 2
        total = (np.maximum(z - tau, 0) ** (1 / (alpha - 1))).sum()
        low, high = (tau, high) if total > 1 else (low, tau)
    p = np.maximum(z - low, 0) ** (1 / (alpha - 1))
    return p / p.sum()


@pytest.mark.parametrize("size", [0.1, 1.0, 10.0, 1e6])
@pytest.mark.parametrize("classes", [2, 3, 17, 400])
@pytest.mark.parametrize("alpha", ALPHAS)
def test_probabilities_equal_their_definition(alpha, classes, size, rng):
    x = size * rng.normal(size=(6, classes))
    x[1] = np.round(x[1] / size) * size  # ties
    x[2] = x[2, 0]
    p = EntmaxLoss(alpha).probabilities(x)
    expected = softmax(x, axis=1) if alpha == 1.0 else np.array([by_bisection(row, alpha) for row in x])
    np.testing.assert_allclose(p, expected, rtol=0, atol=1e-13 / min(alpha - 1, 1) if alpha > 1 else 1e-15)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-14)


@pytest.mark.parametrize("size", [0.1, 1.0, 30.0])
@pytest.mark.parametrize("classes", [2, 3, 50, 1000])
def test_sparsemax_is_the_projection_with_k_1(classes, size, rng):
    x = size * rng.normal(size=(8, classes))
    x[1] = np.round(x[1])
    expected = [project_hypersimplex(row, 1).values for row in x]
    np.testing.assert_allclose(SparsemaxLoss().probabilities(x), expected, rtol=0, atol=2e-14)
    s = size * rng.normal(size=8)
    expected = [project_hypersimplex([0.0, v], 1).values for v in s]
    np.testing.assert_allclose(SparsemaxLoss().probabilities(s), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("classes", [2, 5, 40])
def test_loss_is_the_fenchel_young_loss(alpha, classes, rng):
    x, y = 3 * rng.normal(size=(20, classes)), rng.integers(0, classes, 20)
    loss = EntmaxLoss(alpha)
    p = loss.probabilities(x)
    conjugate = (p * x).sum(axis=1) - negentropy(p, alpha)
    assert loss.loss(y, x) == pytest.approx((conjugate - x[np.arange(20), y]).sum(), rel=1e-11)
    np.testing.assert_allclose(loss.gradient(y, x), p - np.eye(classes)[y], rtol=0, atol=1e-14)
    # ŷ is the maximiser: no other probability vector does better.
    for _ in range(200):
        q = rng.dirichlet(np.full(classes, 0.5), 20)
        assert np.all((q * x).sum(axis=1) - negentropy(q, alpha) <= conjugate + 1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("rows", [41, 9_001])  # a block, and several
def test_small_log_loss_keeps_the_digits_of_what_a_row_lacks(rows, weighted, dtype):
    s = np.resize(np.r_[np.linspace(-45.0, 45.0, 37), 0.0, -0.0, 700.0, -1e30], rows).astype(dtype)
    y = (np.arange(rows) % 2).astype(np.float32)
    w = np.resize([0.0, 0.25, 3.0], rows).astype(dtype) if weighted else None
    true = s.astype(np.float64)
    factor = np.ones(rows) if w is None else w
    expected = factor * np.where(y == 1, -expit(-true), expit(true))
    bent = factor * np.maximum(expit(true) * expit(-true), 1e-16)
    for found, tolerance in (
        (SoftmaxLoss().gradient_hessian(y, s, w), 3e-7 if dtype == np.float32 else 1e-15),
        (SoftmaxLoss().boosting_step(y, s, w, None)[:2], 3e-7),
    ):
        # Gradients that float32 has no digits for are not asked for digits.
        for got, want, least in zip(found, (expected, bent), (1e-37, 1e-16), strict=True):
            np.testing.assert_allclose(got, want, rtol=tolerance, atol=least)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": 2.0}, "y_true must be 0 or 1"),
        ({"y": np.nan}, "y_true must be 0 or 1"),
        ({"y": 1e-60}, "y_true must be 0 or 1"),
        ({"x": np.nan}, "raw_prediction must be finite, got nan at row 3"),
        ({"x": -np.inf}, "raw_prediction must be finite, got -inf at row 3"),
        ({"w": -1.0}, "sample_weight must"),
        ({"w": np.nan}, "sample_weight must"),
        ({"w": np.inf}, "sample_weight must"),
    ],
)
@pytest.mark.parametrize("rows", [9, 9_001])
def test_log_loss_refuses_in_one_pass_what_it_refused_in_many(change, message, rows, rng):
    arrays = {"y": (rng.random(rows) < 0.5).astype(float), "x": rng.normal(size=rows), "w": np.ones(rows)}
    for name, value in change.items():
        arrays[name][3] = value
    for call in (SoftmaxLoss().gradient_hessian, lambda *given: SoftmaxLoss().boosting_step(*given, None)):
        with pytest.raises(ValueError, match=message):
            call(arrays["y"], arrays["x"], arrays["w"])
        with pytest.raises(ValueError, match="sample_weight"):
            call(np.zeros(rows), np.zeros(rows), np.zeros(rows))


@pytest.mark.parametrize("alpha", ALPHAS)
def test_one_score_is_the_lead_of_class_1(alpha, rng):
    s, y = np.r_[3 * rng.normal(size=30), 0.0, 2.0, -2.0, 1.0], rng.integers(0, 2, 34)
    both = np.column_stack([np.zeros_like(s), s])
    loss = EntmaxLoss(alpha)
    tolerance = 1e-13 / min(1.0, alpha - 1) if alpha > 1 else 1e-15
    np.testing.assert_allclose(loss.probabilities(s), loss.probabilities(both), rtol=0, atol=tolerance)
    assert loss.loss(y, s) == pytest.approx(loss.loss(y, both), rel=1e-11)
    np.testing.assert_allclose(loss.gradient(y, s), loss.probabilities(both)[:, 1] - y, rtol=0, atol=tolerance)
    assert loss.gradient([1], [0.0]) == pytest.approx(-0.5)


def test_softmax_keeps_its_digits():
    s = np.array([-800.0, -40, -1, 0, 1, 40, 800])
    np.testing.assert_allclose(SoftmaxLoss().probabilities(s)[:, 1], expit(s), rtol=1e-15)
    np.testing.assert_allclose(SoftmaxLoss().gradient(np.ones(7), s), -expit(-s), rtol=1e-14)
    np.testing.assert_allclose(SoftmaxLoss().gradient_hessian(np.ones(7), s)[1][2:-2], (expit(s) * expit(-s))[2:-2])
    x = np.array([[0.0, 50.0, 3.0], [700.0, -700.0, 0.0]])
    assert SoftmaxLoss().loss([1, 0], x) == pytest.approx(-log_softmax(x, axis=1)[[0, 1], [1, 0]].sum(), rel=1e-14)
    assert SoftmaxLoss().gradient([1, 0], x)[0, 1] == pytest.approx(-(np.exp(-47) + np.exp(-50)), rel=1e-13)


@pytest.mark.parametrize("alpha", [1.25, 1.5, 2.0])
def test_a_lead_of_one_over_alpha_minus_one_is_enough(alpha):
    lead = 1 / (alpha - 1)
    loss = EntmaxLoss(alpha)
    for x, y in (([lead + 1e-9], 1), ([[lead + 1e-9, 0.0, 0.0]], 0)):
        assert loss.loss([y], x) == 0
        assert not loss.gradient([y], x).any()
    assert loss.loss([1], [lead - 0.1]) > 0


def test_binary_sparsemax_is_a_huber_loss():
    m = np.linspace(-3, 3, 61)
    expected = np.where(m >= 1, 0, np.where(m <= -1, -m, (1 - m) ** 2 / 4))
    np.testing.assert_allclose([SparsemaxLoss().loss([1], [v]) for v in m], expected, rtol=0, atol=1e-15)
    np.testing.assert_allclose([SparsemaxLoss().loss([0], [-v]) for v in m], expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("alpha", [1.0, 1.3, 1.5, 2.0])
def test_curvature_rules_by_hand(alpha, rng):
    x, y = rng.normal(size=(10, 4)), rng.integers(0, 4, 10)
    p = EntmaxLoss(alpha).probabilities(x)
    s = np.where(p > 0, np.where(p > 0, p, 1) ** (2 - alpha), 0)
    diagonal = s * (1 - s / s.sum(axis=1, keepdims=True))
    rules = {
        "exact": diagonal, "bound": 2 * diagonal, "friedman": 4 / 3 * diagonal,
        "constant": np.full_like(s, 0.5 if alpha == 1 else 1.0),
    }  # fmt: skip
    rules[None] = rules["bound" if alpha == 1 else "constant"]
    for rule, expected in rules.items():
        found = EntmaxLoss(alpha, rule, 1e-6).gradient_hessian(y, x)[1]
        np.testing.assert_allclose(found, np.maximum(expected, 1e-6), rtol=1e-9, err_msg=str(rule))
    lead = rng.normal(size=10)
    p = EntmaxLoss(alpha).probabilities(lead)[:, 1]
    np.testing.assert_allclose(
        EntmaxLoss(alpha, "bound").gradient_hessian(np.ones(10), lead)[1], (p - 0.5) / lead, rtol=1e-9
    )
    np.testing.assert_allclose(
        EntmaxLoss(alpha, "constant").gradient_hessian(np.ones(10), lead)[1], 2.0 ** (alpha - 3), rtol=1e-14
    )


@pytest.mark.parametrize("classes", [2, 7, 100])
def test_the_entmax_package_agrees(classes, rng):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    entmax = pytest.importorskip("entmax", reason="entmax is not installed")
    x, y = 2 * rng.normal(size=(25, classes)), rng.integers(0, classes, 25)
    theirs = {
        2.0: (entmax.sparsemax, entmax.sparsemax_loss),
        1.5: (entmax.entmax15, entmax.entmax15_loss),
        1.2: (
            lambda t, dim: entmax.entmax_bisect(t, 1.2, dim=dim, n_iter=80),
            lambda t, c: entmax.entmax_bisect_loss(t, c, alpha=1.2, n_iter=80),
        ),
    }
    for alpha, (mapping, loss) in theirs.items():
        scores = torch.tensor(x, requires_grad=True)
        p = mapping(scores, dim=-1).detach().numpy()
        value = loss(scores, torch.tensor(y)).sum()
        value.backward()
        ours = EntmaxLoss(alpha)
        np.testing.assert_allclose(ours.probabilities(x), p, rtol=0, atol=1e-10)
        assert ours.loss(y, x) == pytest.approx(value.item(), rel=1e-9)
        np.testing.assert_allclose(ours.gradient(y, x), scores.grad.numpy(), rtol=0, atol=1e-10)


@pytest.mark.parametrize("alpha", [0.5, 1.0001, 2.1, -1, np.nan, "2", True])
def test_alpha_out_of_range(alpha):
    with pytest.raises(ValueError, match="alpha must be"):
        EntmaxLoss(alpha)


def test_entmax15_is_entmax_at_one_and_a_half(rng):
    assert repr(entmax15()) == repr(EntmaxLoss(1.5))
    x = rng.normal(size=(20, 9)) * 2
    y = rng.integers(0, 9, 20)
    assert EntmaxLoss(1.5).loss(y, x) == pytest.approx(EntmaxLoss(1.5 + 1e-12).loss(y, x), rel=1e-9)


# --- the margin losses and focal, by hand ---------------------------------------------------------------------------


def test_hinge_and_squared_hinge_by_hand(rng):
    s, y = 2 * rng.normal(size=50), rng.integers(0, 2, 50)
    m = np.where(y == 1, s, -s)
    assert HingeLoss().loss(y, s) == pytest.approx(np.maximum(1 - m, 0).sum(), rel=1e-13)
    assert SquaredHingeLoss().loss(y, s) == pytest.approx((np.maximum(1 - m, 0) ** 2).sum(), rel=1e-13)
    hessian = HingeLoss(0.25).gradient_hessian(y, s)[1]
    np.testing.assert_allclose(hessian, 0.5 / np.maximum(np.abs(1 - m), 0.25), rtol=1e-14)
    one_hot = 2 * np.eye(4)[np.arange(50) % 4] - 1
    x = rng.normal(size=(50, 4))
    assert HingeLoss().loss(np.arange(50) % 4, x) == pytest.approx(np.maximum(1 - one_hot * x, 0).sum(), rel=1e-13)


def test_hinge_newton_step_never_goes_uphill(rng):
    """With the corner's half-width below every distance the parabola lies above the hinge."""
    s, y = 5 * rng.normal(size=400), rng.integers(0, 2, 400)
    gradient, hessian = HingeLoss(1e-6).gradient_hessian(y, s)
    groups = rng.integers(0, 12, 400)  # leaves of a tree
    step = -np.bincount(groups, gradient) / np.bincount(groups, hessian)
    assert HingeLoss().loss(y, s + step[groups]) <= HingeLoss().loss(y, s)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 5.0])
def test_focal_by_hand(gamma, rng):
    s, y = 3 * rng.normal(size=60), rng.integers(0, 2, 60)
    p = expit(np.where(y == 1, s, -s))
    weight = np.where(y == 1, 0.25, 0.75)
    expected = -(weight * (1 - p) ** gamma * np.log(p)).sum()
    assert FocalLoss(gamma, 0.25).loss(y, s) == pytest.approx(expected, rel=1e-12)
    x = rng.normal(size=(60, 3))
    c = np.arange(60) % 3
    q = softmax(x, axis=1)[np.arange(60), c]
    expected = -(np.array([1, 2, 0.5])[c] * (1 - q) ** gamma * np.log(q)).sum()
    assert FocalLoss(gamma, [1, 2, 0.5]).loss(c, x) == pytest.approx(expected, rel=1e-12)
    if gamma == 0:
        np.testing.assert_allclose(FocalLoss(0).gradient(c, x), SoftmaxLoss().gradient(c, x), rtol=1e-13)
        for a, b in zip(FocalLoss(0).gradient_hessian(y, s), SoftmaxLoss().gradient_hessian(y, s), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-13)


@pytest.mark.parametrize("alpha", [0.0, 1.0, True, "x", [1.0], [1.0, -1.0], [1.0, np.nan]])
def test_focal_alpha_out_of_range(alpha):
    with pytest.raises(ValueError, match="alpha must be"):
        FocalLoss(alpha=alpha)
    with pytest.raises(ValueError, match="alpha has 3 weights for 2 classes"):
        FocalLoss(alpha=[1, 1, 1]).loss([0, 1], [0.0, 1.0])
    with pytest.raises(ValueError, match="but there are 3 classes"):
        FocalLoss(alpha=0.5).loss([0], [[0.0, 1.0, 2.0]])
