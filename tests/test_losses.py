"""One conformance harness for every loss: what is listed in `LOSSES` is tested.

References are autograd in float64 and numerical minimisers of the expected loss.
"""

import copy
import re

import numpy as np
import pytest
import torch
from nets import stable_id
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.base import clone
from torch.nn.functional import logsigmoid, softplus

from skimbalance.losses import (
    LOSSES,
    AsymmetricLoss,
    DistributionBalancedLoss,
    FocalLoss,
    FunctionLoss,
    HardNegativeMiningLoss,
    LDAMLoss,
    LogitAdjustedLoss,
    LogLoss,
    NegativeTolerantLoss,
    PointwiseLoss,
    Poly1Loss,
    SetLoss,
    SoftmaxFocalLoss,
    SoftmaxLoss,
    SoftmaxPoly1Loss,
    SoftTargetLoss,
    TwoWayLoss,
)
from skimbalance.losses._inverse import (
    unsmoothed_log_odds,
    unsmoothed_log_probabilities,
)
from skimbalance.neural_network._module import SetCriterion

N_POSITIVE = np.array([400.0, 50.0, 9.0])
N_NEGATIVE = 1000 - N_POSITIVE
CONFUSION = [
    [0.9, 0.05, 0.05, 0.0],
    [0.1, 0.7, 0.1, 0.1],
    [0.0, 0.1, 0.9, 0.0],
    [0.2, 0.0, 0.0, 1.8],
]
ETAS = np.concatenate(
    [np.logspace(-4, -1, 15), np.linspace(0.1, 0.9, 17), [0.99, 0.9999]]
)


class SquaredLogLoss(PointwiseLoss):
    """What a user writes: two methods, no constructor."""

    def positive(self, scores):
        return softplus(-scores) ** 2

    def negative(self, scores):
        return softplus(scores) ** 2


def squared_log_loss(scores, targets):
    """The same as a plain function."""
    return softplus(torch.where(targets > 0.5, -scores, scores)) ** 2


class SquaredSoftmaxLogLoss(SoftmaxLoss):
    """The same for classes."""

    def forward(self, scores, targets):
        rows = torch.arange(len(scores), device=scores.device)
        return scores.float().log_softmax(dim=1)[rows, targets] ** 2


def _variants():
    return sorted(set(LOSSES.values()), key=lambda cls: cls.__name__)


def _all_losses(base):
    losses = [cls() for cls in _variants() if issubclass(cls, base)]
    if base is PointwiseLoss:
        losses += [
            FocalLoss(gamma=0.5),
            FocalLoss(gamma=0),
            FocalLoss(gamma=5),
            FocalLoss(gamma=[0.0, 1.0, 2.5]),
            FocalLoss(detach_modulator=True),
            AsymmetricLoss(gamma_positive=0, gamma_negative=2, margin=0.0),
            AsymmetricLoss(gamma_positive=0, gamma_negative=1, margin=0.2),
            AsymmetricLoss(gamma_positive=0.5, gamma_negative=0.5),
            AsymmetricLoss(gamma_negative=0),
            AsymmetricLoss(detach_modulator=True),
            AsymmetricLoss(0.5, 2, margin=0.0, detach_modulator=True),
            Poly1Loss(epsilon=-0.9),
            Poly1Loss(epsilon=20.0),
            NegativeTolerantLoss(kappa=1.0, negative_scale=0.5),
            DistributionBalancedLoss(gamma=0.5, kappa=0.5),
            HardNegativeMiningLoss(FocalLoss(), per="batch"),
            SquaredLogLoss(),
            FunctionLoss(squared_log_loss),
        ]
    if base is SoftmaxLoss:
        losses += [
            SoftmaxFocalLoss(0),
            SoftmaxFocalLoss(0.5),
            SoftmaxFocalLoss(5),
            SoftmaxPoly1Loss(-0.9),
            LogitAdjustedLoss(tau=0.5),
            SoftTargetLoss(CONFUSION),
            SquaredSoftmaxLogLoss(),
        ]
    if base is SetLoss:
        losses += [TwoWayLoss(1.0, 2.0)]
    return losses


def _name(loss):
    """Name a loss the same way in each process: no address of a function."""
    return re.sub(r" at 0x\w+", "", repr(loss))


def each(base):
    return pytest.mark.parametrize("loss", _all_losses(base), ids=_name)


def prepared(loss):
    return clone(loss).setup(N_POSITIVE, N_NEGATIVE)


def focal_term(z, gamma, detach=False):
    """``-s^gamma LS(-z)``, written for autograd."""
    factor = (gamma * logsigmoid(z)).exp()
    return -(factor.detach() if detach else factor) * logsigmoid(-z)


def asymmetric_term(z, loss):
    if loss.margin == 0:
        return focal_term(z, loss.gamma_negative, loss.detach_modulator)
    shifted = (z.sigmoid() - loss.margin).clamp(min=0)
    counted = shifted > 0
    focus = torch.where(counted, shifted, 1.0) ** loss.gamma_negative
    focus = focus.detach() if loss.detach_modulator else focus
    return torch.where(counted, focus * -torch.log1p(-shifted), 0.0)


def written_out(loss, z):
    """The terms of a loss at z, as formulas of torch and not by its own methods."""
    if isinstance(loss, HardNegativeMiningLoss):
        return written_out(loss._mined, z)
    if isinstance(loss, NegativeTolerantLoss):
        u, scale = z - loss.shift_.to(z), loss.negative_scale
        return focal_term(-u, loss.gamma), focal_term(scale * u, loss.gamma) / scale
    if isinstance(loss, AsymmetricLoss):
        up = focal_term(-z, loss.gamma_positive, loss.detach_modulator)
        return up, asymmetric_term(z, loss)
    if isinstance(loss, FocalLoss):
        gamma = torch.as_tensor(loss.gamma, dtype=z.dtype, device=z.device)
        return tuple(focal_term(x, gamma, loss.detach_modulator) for x in (-z, z))
    if isinstance(loss, Poly1Loss):
        return tuple(-logsigmoid(x) + loss.epsilon * (-x).sigmoid() for x in (z, -z))
    if isinstance(loss, LogLoss):
        return -logsigmoid(z), -logsigmoid(-z)
    # Terms without derivatives are written for autograd as they are; others would be
    # compared with themselves.
    assert type(loss).positive is not PointwiseLoss.positive, (
        f"Write the terms of {type(loss).__name__} for autograd in `written_out`."
    )
    return loss.positive(z), loss.negative(z)


def expected_gradient(loss, scores, targets):
    """The derivative that training follows, by autograd in float64."""
    scores = scores.detach().double().requires_grad_()
    targets = targets.double()
    positive, negative = written_out(loss, scores)
    value = targets * positive + (1 - targets) * negative
    return value.detach(), torch.autograd.grad(value.sum(), scores)[0]


# ---------------------------------------------------------------- every pointwise loss


@each(PointwiseLoss)
def test_is_cloned_by_scikit_learn_and_never_changed_by_setup(loss):
    before = copy.deepcopy(loss.get_params())
    twin = prepared(loss)
    assert type(twin) is type(loss)
    assert repr(twin.get_params()) == repr(before) == repr(loss.get_params())
    assert not dict(loss.named_buffers())


@each(PointwiseLoss)
def test_fused_value_and_gradient_equal_positive_and_negative(loss, device):
    torch.manual_seed(0)
    loss = prepared(loss).to(device)
    scores = (torch.randn(50, 3, dtype=torch.float64) * 8).to(device).requires_grad_()
    for targets in (torch.rand(50, 3).round(), torch.rand(50, 3)):
        targets = targets.double().to(device)
        value = loss(scores, targets)
        reference, slope = expected_gradient(loss, scores, targets)
        torch.testing.assert_close(value, reference, rtol=1e-12, atol=1e-300)
        (gradient,) = torch.autograd.grad(value.sum(), scores)
        torch.testing.assert_close(gradient, slope, rtol=1e-10, atol=1e-13)
        weight = torch.rand(3, dtype=torch.float64, device=device)
        torch.manual_seed(1)
        factor = loss.entry_weight(scores.detach(), targets > 0.5, weight)
        torch.manual_seed(1)
        total = loss.weighted_sum(scores, targets, weight)
        torch.testing.assert_close(total, (reference * factor).sum())
        (gradient,) = torch.autograd.grad(total, scores)
        torch.testing.assert_close(gradient, slope * factor)


# Few positives are looked up one by one, many are not.
either_way = pytest.mark.parametrize("rate", [0.05, 0.4])


@either_way
@each(PointwiseLoss)
def test_weighted_sum_of_hard_targets_is_the_formula(loss, rate, device):
    torch.manual_seed(0)
    loss = prepared(loss).to(device)
    scores = (torch.randn(50, 3, dtype=torch.float64) * 4).to(device).requires_grad_()
    targets = torch.rand(50, 3, device=device) < rate
    pos_weight = torch.tensor([0.5, 2.0, 30.0], dtype=torch.float64, device=device)
    weight = torch.rand(50, 3, dtype=torch.float64, device=device)
    reference, slope = expected_gradient(loss, scores, targets)
    torch.manual_seed(1)
    factor = loss.entry_weight(scores.detach(), targets, weight)
    factor = factor * torch.where(targets, pos_weight, 1.0)
    for dtype in (torch.bool, torch.int8, torch.float64):
        torch.manual_seed(1)
        total = loss.weighted_sum(scores, targets.to(dtype), weight, pos_weight)
        torch.testing.assert_close(total, (reference * factor).sum())
        (gradient,) = torch.autograd.grad(total, scores)
        torch.testing.assert_close(gradient, slope * factor, rtol=1e-9, atol=1e-12)


@each(PointwiseLoss)
def test_gradcheck(loss, device):
    if getattr(loss, "detach_modulator", False):
        pytest.skip("a detached modulator makes the gradient differ by design")
    loss = prepared(loss).to(device)
    torch.manual_seed(1)
    scores = (torch.randn(5, 3, dtype=torch.float64) * 3).to(device).requires_grad_()
    targets = torch.rand(5, 3, dtype=torch.float64, device=device)
    assert torch.autograd.gradcheck(loss, (scores, targets))


@either_way
@each(PointwiseLoss)
def test_blocks_of_rows_give_what_one_block_gives(loss, rate, monkeypatch):
    loss = prepared(loss)
    torch.manual_seed(0)
    scores, targets = torch.randn(64, 3).double(), torch.rand(64, 3) < rate
    torch.manual_seed(1)
    whole, total = loss(scores, targets), loss.weighted_sum(scores, targets)
    monkeypatch.setattr("skimbalance.losses._fused._BLOCK_ENTRIES", 21)
    torch.testing.assert_close(loss(scores, targets), whole, rtol=1e-14, atol=0)
    torch.manual_seed(1)
    torch.testing.assert_close(loss.weighted_sum(scores, targets), total)


@each(PointwiseLoss)
def test_scores_may_lie_in_memory_as_they_like(loss):
    loss = prepared(loss)
    scores = torch.randn(3, 40, dtype=torch.float64).T.requires_grad_()
    targets = (torch.rand(3, 40) < 0.05).T
    plain = scores.detach().contiguous().requires_grad_()
    for evaluate in (loss, loss.weighted_sum):
        found = []
        for given in (scores, plain):
            torch.manual_seed(0)
            total = evaluate(given, targets).sum()
            found.append((total, *torch.autograd.grad(total, given)))
        torch.testing.assert_close(*found)


@each(PointwiseLoss)
def test_a_graph_that_is_kept_can_be_differentiated_again(loss):
    loss = prepared(loss)
    scores = torch.randn(40, 3, dtype=torch.float64, requires_grad=True)
    targets = torch.rand(40, 3) < 0.05
    for total in (loss(scores, targets).sum(), loss.weighted_sum(scores, targets)):
        once, again = (
            torch.autograd.grad(factor * total, scores, retain_graph=True)[0]
            for factor in (1.0, 2.0)
        )
        torch.testing.assert_close(again, 2 * once)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's own modules
@pytest.mark.parametrize(
    "loss",
    [AsymmetricLoss(), DistributionBalancedLoss(), FocalLoss([0.0, 1.0, 2.5])],
    ids=stable_id,
)
def test_a_compiled_loss_is_the_same_loss(loss):
    loss = prepared(loss)
    scores = torch.randn(40, 3, dtype=torch.float64, requires_grad=True)
    hard, soft = (torch.rand(40, 3) < 0.3).to(torch.int8), torch.rand(40, 3).double()
    weights = torch.rand(40, 3).double(), torch.tensor([0.5, 2.0, 30.0]).double()

    def evaluate(loss, scores):
        total = loss.weighted_sum(scores, hard, *weights)
        return total + loss(scores, soft).square().sum()

    results = []
    for function in (evaluate, torch.compile(evaluate, fullgraph=True)):
        value = function(loss, scores)
        results.append((value, *torch.autograd.grad(value, scores)))
    torch.testing.assert_close(*results, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@each(PointwiseLoss)
def test_values_and_gradients_of_large_scores_are_finite(loss, dtype, device):
    loss = prepared(loss).to(device)
    extremes = torch.tensor([-1e4, -200, -88, -17, -1e-3, 0, 1e-3, 17, 88, 200, 1e4])
    scores = extremes.reshape(-1, 1).repeat(1, 3).to(device, dtype).requires_grad_()
    for target in (0.0, 1.0, 0.3):
        value = loss(scores, torch.full_like(scores, target))
        (gradient,) = torch.autograd.grad(value.sum(), scores)
        assert value.isfinite().all()
        assert gradient.isfinite().all()
        assert value.dtype == torch.float32
        assert gradient.dtype == dtype


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@each(PointwiseLoss)
def test_low_precision_is_close_to_float64(loss, dtype, device):
    loss = prepared(loss).to(device)
    torch.manual_seed(2)
    scores = (torch.randn(200, 3) * 4).to(device, dtype).requires_grad_()
    targets = torch.rand(200, 3, device=device).round()
    value = loss(scores, targets)
    reference, slope = expected_gradient(loss, scores, targets)
    torch.testing.assert_close(value.double(), reference, rtol=2e-5, atol=1e-7)
    (gradient,) = torch.autograd.grad(value.sum(), scores)
    precision = {"rtol": 2e-5, "atol": 1e-7}
    if dtype != torch.float32:
        precision = {"rtol": 2 * torch.finfo(dtype).eps, "atol": 1e-6}
    torch.testing.assert_close(gradient.double(), slope, **precision)


@each(PointwiseLoss)
def test_soft_targets_mix_the_two_terms(loss):
    loss = prepared(loss)
    scores = torch.linspace(-5, 5, 21, dtype=torch.float64).reshape(-1, 1).repeat(1, 3)
    mixed = loss(scores, torch.full_like(scores, 0.3))
    expected = 0.3 * loss.positive(scores) + 0.7 * loss.negative(scores)
    torch.testing.assert_close(mixed, expected)


@pytest.mark.parametrize("pos_weight", [1.0, 20.0, [0.5, 3.0, 99.0]], ids=stable_id)
@each(PointwiseLoss)
def test_log_odds_are_finite_and_strictly_increasing(loss, pos_weight, device):
    loss = prepared(loss).to(device)  # with an inverse or without
    scores = np.unique(
        np.concatenate([-np.logspace(-3, 4, 400), [0.0], np.logspace(-3, 4, 400)])
    )
    table = torch.as_tensor(scores, device=device).reshape(-1, 1).repeat(1, 3)
    log_odds = loss.log_odds(table, pos_weight)
    assert log_odds.dtype == torch.float64
    assert log_odds.isfinite().all()
    assert (log_odds.diff(dim=0) > 0).all()


def minimisers(loss, etas, pos_weight=1.0, smoothing=0.0, prior=0.5):
    """Minimise the expected loss of each label numerically, by its derivative.

    NaN where no score of this loss stands for so extreme an eta.
    """
    t = torch.as_tensor(etas).reshape(-1, 1).repeat(1, 3)
    t = (1 - smoothing) * t + smoothing * torch.as_tensor(prior)

    def slope(scores):
        _, up = expected_gradient(loss, scores, torch.ones_like(scores))
        _, down = expected_gradient(loss, scores, torch.zeros_like(scores))
        return t * pos_weight * up + (1 - t) * down

    low, high = torch.full_like(t, -39.0), torch.full_like(t, torch.nan)
    for candidate in (39.0, 30.0, 20.0, 12.0, 9.0):
        # Far out autograd's 1 - sigmoid is zero, and with it the slope.
        fits = high.isnan() & (slope(torch.full_like(t, candidate)) > 0)
        high = torch.where(fits, candidate, high)
    high = torch.where(slope(low) <= 0, high, torch.nan)
    for _ in range(100):
        middle = (low + high) / 2
        rising = slope(middle) > 0
        high = torch.where(rising, middle, high)
        low = torch.where(rising, low, middle)
    return high


@pytest.mark.parametrize("smoothing", [0.0, 0.05])
@pytest.mark.parametrize("pos_weight", [1.0, 20.0])
@each(PointwiseLoss)
def test_inverse_is_the_minimiser_of_the_expected_loss(loss, pos_weight, smoothing):
    loss = prepared(loss)
    if problem := loss.link(pos_weight).problem:
        pytest.skip(f"no inverse: {problem}")
    prior = torch.as_tensor(N_POSITIVE / 1000)
    floor = torch.full((3,), 0.5 / 1001, dtype=torch.float64)
    # Maps go on as lines beyond what the counts can tell apart.
    etas = ETAS[(ETAS > 0.51 / 1001) & (ETAS < 1 - 0.51 / 1001)]
    scores = minimisers(loss, etas, pos_weight, smoothing, prior)
    reached = ~scores.isnan()
    found = loss.log_odds(scores.nan_to_num(), pos_weight)
    if smoothing:
        found = unsmoothed_log_odds(found, prior, smoothing, floor)
    error = (found.sigmoid() - torch.as_tensor(etas).reshape(-1, 1)).abs()
    # Where this fails for terms without derivatives, write them by `logsigmoid`: the
    # derivative of `sigmoid` has lost half of its digits at a score of 18.
    # An error near 1e-3 at the ends means that the scores of the loss are bounded.
    assert error[reached].max() < 1e-10
    assert reached.sum() > 30


@pytest.mark.parametrize("pos_weight", [1.0, 20.0, [0.5, 3.0, 99.0]], ids=stable_id)
@each(PointwiseLoss)
def test_initial_scores_predict_the_prior(loss, pos_weight):
    loss = prepared(loss)
    if problem := loss.link(pos_weight).problem:
        pytest.skip(f"no inverse: {problem}")
    prior = (N_POSITIVE + 0.5) / 1001
    scores = loss.link(pos_weight).initial_scores(prior)
    found = expit(loss.log_odds(scores.reshape(1, -1), pos_weight).numpy()[0])
    np.testing.assert_allclose(found, prior, rtol=1e-9)


# ------------------------------------------------------------------ every softmax loss


def class_loss(loss):
    counts = np.array([198.0, 436.0, 710.0, 272.0])
    return clone(loss).setup(counts, counts.sum() - counts)


@each(SoftmaxLoss)
def test_softmax_gradcheck(loss):
    if isinstance(loss, SquaredSoftmaxLogLoss):
        pytest.skip("computes in float32")
    loss = class_loss(loss)
    torch.manual_seed(0)
    scores = (torch.randn(6, 4, dtype=torch.float64) * 2).requires_grad_()
    targets = torch.tensor([0, 1, 2, 3, 0, 1])
    assert torch.autograd.gradcheck(lambda z: loss(z, targets), (scores,))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@each(SoftmaxLoss)
def test_softmax_values_and_gradients_of_large_scores_are_finite(loss, dtype, device):
    loss = class_loss(loss).to(device)
    extremes = torch.tensor([[-1e4, 0, 0, 0], [1e4, 0, 0, 0], [1e4, -1e4, 1e4, 0]])
    scores = extremes.to(device, dtype).requires_grad_()
    for k in range(4):
        value = loss(scores, torch.full((3,), k, device=device))
        (gradient,) = torch.autograd.grad(value.sum(), scores)
        assert value.shape == (3,)
        assert value.isfinite().all()
        assert gradient.isfinite().all()


@pytest.mark.parametrize(
    "pos_weight", [[1.0] * 4, [2.04, 0.93, 0.57, 1.49]], ids=stable_id
)
@each(SoftmaxLoss)
def test_softmax_inverse_is_the_minimiser_of_the_expected_loss(loss, pos_weight):
    if not loss.invertible or isinstance(loss, SquaredSoftmaxLogLoss):
        pytest.skip("no inverse, or no float64")
    loss = class_loss(loss)
    rng = np.random.default_rng(0)
    classes = torch.arange(4)
    for eta in rng.dirichlet(np.ones(4), size=12):
        cost = torch.as_tensor(eta * np.asarray(pos_weight))

        def risk(z, cost=cost):
            scores = torch.tensor(z).reshape(1, -1).repeat(4, 1).requires_grad_()
            value = (cost * loss(scores, classes)).sum()
            (gradient,) = torch.autograd.grad(value, scores)
            return value.item(), gradient.sum(dim=0).numpy()

        options = {"gtol": 1e-13, "ftol": 0, "maxiter": 10_000, "maxcor": 30}
        best = minimize(risk, np.log(eta), jac=True, method="L-BFGS-B", options=options)
        found = loss.log_probabilities(best.x.reshape(1, -1), pos_weight).exp()[0]
        np.testing.assert_allclose(found, eta, atol=2e-6)
        # At the minimiser the weighted gradients cancel: the identity behind the map.
        scores = torch.tensor(best.x).reshape(1, -1)
        slopes = torch.stack([loss._gradients(scores, k)[0] for k in range(4)])
        balance = (found * torch.tensor(pos_weight, dtype=torch.float64)) @ slopes
        assert balance.abs().max() < 1e-10


@each(SoftmaxLoss)
def test_softmax_closed_form_equals_the_null_vector(loss):
    if not loss.invertible or isinstance(loss, SquaredSoftmaxLogLoss):
        pytest.skip("no inverse, or no float64")
    loss = class_loss(loss)
    torch.manual_seed(3)
    scores = torch.randn(100, 4, dtype=torch.float64) * 2
    closed = loss.log_probabilities(scores)
    general = SoftmaxLoss.closed_form_log_posterior(loss, scores).log_softmax(dim=1)
    # Outside of what soft targets can mix, there is no posterior.
    proper = general.min(dim=1).values > np.log(1e-6)
    assert proper.sum() > 10
    torch.testing.assert_close(closed[proper], general[proper], rtol=0, atol=1e-6)


@each(SoftmaxLoss)
def test_softmax_log_probabilities_are_finite_for_large_scores(loss):
    if not loss.invertible:
        pytest.skip("no inverse")
    if isinstance(loss, SquaredSoftmaxLogLoss):
        pytest.skip("a user's loss is solved by linear algebra, in the bulk only")
    loss = class_loss(loss)
    scores = torch.tensor([[1e4, 0, -1e4, 5.0], [1e4, 1e4, 0, 0], [0, 0, 0, -1e4]])
    assert loss.log_probabilities(scores).isfinite().all()


@pytest.mark.parametrize("pos_weight", [1.0, [2.04, 0.93, 0.57, 1.49]], ids=stable_id)
@each(SoftmaxLoss)
def test_softmax_initial_scores_predict_the_prior(loss, pos_weight):
    if not loss.invertible:
        pytest.skip("no inverse")
    loss = class_loss(loss)
    prior = np.array([198, 436, 710, 272]) / 1616
    scores = loss.link(pos_weight).initial_scores(prior)
    found = loss.log_probabilities(scores.reshape(1, -1), pos_weight).exp()[0]
    tolerance = 1e-5 if isinstance(loss, SquaredSoftmaxLogLoss) else 1e-9
    np.testing.assert_allclose(found, prior, rtol=tolerance)
    assert scores.mean().abs() < 1e-9


def test_smoothing_of_classes_is_corrected():
    rng = np.random.default_rng(0)
    eta = torch.as_tensor(rng.dirichlet(np.ones(4), size=50).clip(1e-3))
    eta /= eta.sum(dim=1, keepdim=True)
    prior = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
    smoothed = (0.95 * eta + 0.05 * prior).log()
    found = unsmoothed_log_probabilities(smoothed, prior, 0.05, 1e-4).exp()
    torch.testing.assert_close(found, eta, rtol=1e-12, atol=0)
    extreme = torch.tensor([[0.0, -900, -900, -900]], dtype=torch.float64)
    found = unsmoothed_log_probabilities(extreme.log_softmax(1), prior, 0.05, 1e-4)
    assert found.isfinite().all()


@pytest.mark.parametrize("prior", [1e-6, 0.01, 0.5, 0.999])
def test_unsmoothed_log_odds_are_finite_and_strictly_increasing(prior):
    scores = torch.linspace(-800, 800, 4001, dtype=torch.float64).reshape(-1, 1)
    prior = torch.tensor([prior], dtype=torch.float64)
    found = unsmoothed_log_odds(scores, prior, 0.1, torch.tensor([1e-4]).double())
    assert found.isfinite().all()
    assert (found.diff(dim=0) > 0).all()


# ---------------------------------------------------------------- every set-level loss


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@each(SetLoss)
def test_set_losses_and_gradients_are_finite(loss, dtype, device):
    loss = clone(loss).setup(N_POSITIVE, N_NEGATIVE).to(device)
    extremes = torch.tensor([-1e4, -200, -17, -1e-3, 0, 1e-3, 17, 200, 1e4])
    scores = extremes.reshape(-1, 1).repeat(1, 3).to(device, dtype).requires_grad_()
    for targets in (torch.zeros(9, 3), torch.ones(9, 3), torch.eye(3).repeat(3, 1)):
        for mask in (torch.ones(9, 3), torch.eye(3).repeat(3, 1), torch.zeros(9, 3)):
            value = loss(scores, targets.to(device, dtype), mask.to(device, dtype))
            (gradient,) = torch.autograd.grad(value.sum(), scores)
            assert value.shape == (9,)
            assert value.isfinite().all()
            assert gradient.isfinite().all()
            assert (gradient[mask.to(device) == 0] == 0).all()


@each(SetLoss)
def test_set_losses_gradcheck_and_reward_the_right_order(loss):
    torch.manual_seed(0)
    targets, weight = (torch.rand(6, 4) < 0.4).double(), torch.rand(6, 4).double()
    scores = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: loss(z, targets, weight), (scores,))
    right, wrong = (sign * (2 * targets - 1) for sign in (1, -1))
    ones = torch.ones_like(weight)
    assert loss(right, targets, ones).sum() < loss(wrong, targets, ones).sum()


@each(SetLoss)
def test_a_row_of_weight_two_is_two_rows(loss):
    torch.manual_seed(1)
    scores, targets = torch.randn(5, 3).double(), (torch.rand(5, 3) < 0.5).to(int)
    weight = torch.tensor([2.0, 1, 1, 1, 1], dtype=torch.float64)
    twice = torch.tensor([0, 0, 1, 2, 3, 4])
    criteria = SetCriterion(loss, mean_entry_weight=6 / 5), SetCriterion(loss)
    given = (scores, targets, weight), (scores[twice], targets[twice], None)
    weighted, repeated = (
        criterion(*rows) / criterion.divisor(len(rows[0]))
        for criterion, rows in zip(criteria, given)
    )
    torch.testing.assert_close(weighted, repeated)


# ------------------------------------------------------------------------- the contract


def test_registry_classes_serve_the_kind_they_are_listed_under():
    assert LOSSES
    for (_, kind), loss in LOSSES.items():
        assert kind in loss.target_types


def test_a_loss_that_needs_counts_says_so():
    with pytest.raises(RuntimeError, match="setup"):
        LogLoss().state("n_positive_", torch.zeros(1))


@pytest.mark.parametrize(
    ("loss", "name"),
    [
        (FocalLoss(gamma=-1), "gamma"),
        (FocalLoss(gamma=[1.0, -0.1]), "gamma"),
        (FocalLoss(gamma="two"), "gamma"),
        (FocalLoss(gamma=None), "gamma"),
        (FocalLoss(gamma=10**400), "gamma"),
        (FocalLoss(gamma=[1.0, 2.0]), "gamma has shape"),
        (FocalLoss(detach_modulator="false"), "detach_modulator"),
        (AsymmetricLoss(detach_modulator=2), "detach_modulator"),
        (AsymmetricLoss(gamma_negative=np.inf), "gamma_negative"),
        (DistributionBalancedLoss(beta="a"), "beta"),
        (DistributionBalancedLoss(mu=np.nan), "mu"),
        (HardNegativeMiningLoss(ratio=np.inf), "ratio"),
        (HardNegativeMiningLoss(min_negatives=1.5), "min_negatives"),
        (HardNegativeMiningLoss(per=["label"]), "per"),
        (SoftTargetLoss("eye"), "target_matrix"),
        (SoftTargetLoss([[1, 2], [3]]), "target_matrix"),
        (SoftmaxFocalLoss(gamma="two"), "gamma"),
        (AsymmetricLoss(gamma_positive=-1), "gamma_positive"),
        (AsymmetricLoss(gamma_negative=-1), "gamma_negative"),
        (AsymmetricLoss(margin=1.0), "margin"),
        (Poly1Loss(-1), "epsilon"),
        (SoftmaxPoly1Loss(-1), "epsilon"),
        (NegativeTolerantLoss(kappa=-1), "kappa"),
        (NegativeTolerantLoss(negative_scale=0), "negative_scale"),
        (DistributionBalancedLoss(gamma=-1), "gamma"),
        (DistributionBalancedLoss(alpha=-1), "alpha"),
        (HardNegativeMiningLoss(ratio=-1), "ratio"),
        (HardNegativeMiningLoss(easy_rate=2), "easy_rate"),
        (HardNegativeMiningLoss(min_negatives=-1), "min_negatives"),
        (HardNegativeMiningLoss(per="row"), "per"),
        (HardNegativeMiningLoss(FocalLoss(-1)), "gamma"),
        (LogitAdjustedLoss(-1), "tau"),
        (LDAMLoss(max_margin=-1), "max_margin"),
        (LDAMLoss(scale=0), "scale"),
        (SoftTargetLoss([[1, 0]]), "n_classes"),
        (SoftTargetLoss(-np.eye(3)), "at least 0"),
        (SoftTargetLoss(np.ones((3, 3))), "singular"),
        (SoftTargetLoss([[0, 1, 2], [1, 0, 1], [5, 1, 0]]), "no cost"),
        (SoftTargetLoss([[1, 0, 0], [2, 1, 0], [0, 0, 1]]), "largest on its diagonal"),
        (SoftTargetLoss(np.eye(2)), "2 classes, but y has 3"),
        (TwoWayLoss(0), "positive_temperature"),
        (FunctionLoss(lambda z, y: (z - y).mean()), "reduction='none'"),
        (FunctionLoss(lambda z, y: 1.0), "a float"),
        (FunctionLoss(lambda z, y: z - z.mean()), "mixes entries"),
        (FunctionLoss(lambda z, y: z * y.sum()), "mixes entries"),
    ],
)
def test_parameters_are_checked_in_setup(loss, name):
    with pytest.raises(ValueError, match=name):
        loss.setup(N_POSITIVE, N_NEGATIVE)


@pytest.mark.parametrize(
    "gamma", [np.float32(1.5), np.array(1.5), torch.tensor(1.5), np.full(3, 1.5)]
)
def test_a_number_of_any_kind_is_an_exponent(gamma):
    scores, targets = torch.randn(5, 3).double(), (torch.randn(5, 3) > 0).double()
    loss = FocalLoss(gamma=gamma).setup(N_POSITIVE, N_NEGATIVE)
    right = FocalLoss(gamma=1.5)(scores, targets)
    assert torch.equal(loss(scores, targets), right)


def test_what_is_wrapped_must_be_of_the_right_kind():
    with pytest.raises(TypeError, match="callable"):
        FunctionLoss("log_loss").setup(N_POSITIVE, N_NEGATIVE)
    with pytest.raises(TypeError, match="PointwiseLoss"):
        HardNegativeMiningLoss(TwoWayLoss()).setup(N_POSITIVE, N_NEGATIVE)


def test_a_function_that_does_not_increase_is_not_invertible():
    assert FunctionLoss(squared_log_loss).link().problem is None
    # The absolute error has the same slope everywhere.
    assert FunctionLoss(lambda z, y: (z.sigmoid() - y).abs()).link().problem
    # A slope of the negative term that falls again.
    bent = FunctionLoss(lambda z, y: torch.where(y > 0.5, -z, torch.atan(z)))
    assert bent.link().problem


def test_unfinished_subclasses_say_what_is_missing():
    with pytest.raises(NotImplementedError, match="positive"):
        PointwiseLoss()(torch.zeros(1, 1), torch.zeros(1, 1))
    with pytest.raises(NotImplementedError, match="forward"):
        SoftmaxLoss()(torch.zeros(1, 3), torch.zeros(1, dtype=torch.int64))


def test_log_odds_floor_follows_the_counted_rows():
    """Under the margin the asymmetric map leaves from eta = 0.5 / (n + 1)."""
    few = AsymmetricLoss().setup([5.0], [95.0])
    many = AsymmetricLoss().setup([5.0], [99_995.0])
    scores = torch.tensor([[-2.9]])  # just above the margin, eta about 1e-8
    assert few.log_odds(scores).item() > many.log_odds(scores).item() + 3
    score = minimisers(many, np.array([0.02]))[:, :1]
    for loss in (few, many):
        eta = expit(loss.log_odds(score).item())
        assert eta == pytest.approx(0.02, abs=1e-10)


def test_logsigmoid_is_exact_where_sigmoid_is_dead():
    scores = torch.tensor([[-20.0]], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(LogLoss()(scores, torch.ones(1, 1)).sum(), scores)
    assert gradient.item() == pytest.approx(-1, abs=1e-8)
    assert logsigmoid(scores).item() == pytest.approx(-20, abs=1e-8)
