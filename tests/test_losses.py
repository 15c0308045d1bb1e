"""One conformance harness for every loss, then the values of each one.

Reference values are formulas written out in NumPy float64, or numerical minimisers of
the expected loss; never the code's own output.
"""

import copy

import numpy as np
import pytest
import torch
from scipy.optimize import brentq, minimize
from scipy.special import expit, log_softmax, logit, softmax
from sklearn.base import clone
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid, softplus

from skimbalance.losses import (
    LOSSES,
    AsymmetricLoss,
    FocalLoss,
    LogLoss,
    PointwiseLoss,
    SoftmaxFocalLoss,
    SoftmaxLogLoss,
    SoftmaxLoss,
)

N_POSITIVE = np.array([400.0, 50.0, 9.0])
N_NEGATIVE = 1000 - N_POSITIVE
ETAS = np.concatenate(
    [np.logspace(-4, -1, 15), np.linspace(0.1, 0.9, 17), [0.99, 0.9999]]
)


class SquaredLogLoss(PointwiseLoss):
    """What a user writes: two methods, no constructor."""

    def positive(self, scores):
        return softplus(-scores) ** 2

    def negative(self, scores):
        return softplus(scores) ** 2


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
            SquaredLogLoss(),
        ]
    if base is SoftmaxLoss:
        losses += [SoftmaxFocalLoss(0), SoftmaxFocalLoss(0.5), SoftmaxFocalLoss(5)]
        losses += [SquaredSoftmaxLogLoss()]
    return losses


def each(base):
    return pytest.mark.parametrize("loss", _all_losses(base), ids=repr)


def prepared(loss):
    return clone(loss).setup(N_POSITIVE, N_NEGATIVE)


def expected_gradient(loss, scores, targets):
    """The derivative that training follows, by autograd in float64."""
    scores = scores.detach().double().requires_grad_()
    targets = targets.double()
    value = targets * loss.positive(scores) + (1 - targets) * loss.negative(scores)
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
        total = loss.weighted_sum(scores, targets, weight)
        torch.testing.assert_close(total, (reference * weight).sum())
        (gradient,) = torch.autograd.grad(total, scores)
        torch.testing.assert_close(gradient, slope * weight)


@each(PointwiseLoss)
def test_gradcheck(loss, device):
    if getattr(loss, "detach_modulator", False):
        pytest.skip("a detached modulator makes the gradient differ by design")
    loss = prepared(loss).to(device)
    torch.manual_seed(1)
    scores = (torch.randn(5, 3, dtype=torch.float64) * 3).to(device).requires_grad_()
    targets = torch.rand(5, 3, dtype=torch.float64, device=device)
    assert torch.autograd.gradcheck(loss, (scores, targets))


@each(PointwiseLoss)
def test_blocks_of_rows_give_what_one_block_gives(loss, monkeypatch):
    loss = prepared(loss)
    scores, targets = torch.randn(64, 3).double(), torch.rand(64, 3).round().double()
    whole = loss(scores, targets)
    monkeypatch.setattr("skimbalance.losses._base._BLOCK_CELLS", 21)
    torch.testing.assert_close(loss(scores, targets), whole, rtol=1e-14, atol=0)


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


@pytest.mark.parametrize("pos_weight", [1.0, 20.0, [0.5, 3.0, 99.0]], ids=str)
@each(PointwiseLoss)
def test_log_odds_are_finite_and_strictly_increasing(loss, pos_weight, device):
    if not loss.invertible:
        pytest.skip("no inverse")
    loss = prepared(loss).to(device)
    scores = np.unique(
        np.concatenate([-np.logspace(-3, 4, 400), [0.0], np.logspace(-3, 4, 400)])
    )
    table = torch.as_tensor(scores, device=device).reshape(-1, 1).repeat(1, 3)
    log_odds = loss.log_odds(table, pos_weight)
    assert log_odds.dtype == torch.float64
    assert log_odds.isfinite().all()
    assert (log_odds.diff(dim=0) > 0).all()


def minimiser(loss, eta, column, pos_weight):
    """Minimise the expected loss of one label numerically, by its derivative."""

    def slope(score):
        scores = torch.full((1, 3), score, dtype=torch.float64)
        _, up = expected_gradient(loss, scores, torch.ones(1, 3))
        _, down = expected_gradient(loss, scores, torch.zeros(1, 3))
        up, down = up[0, column].item(), down[0, column].item()
        return eta * pos_weight * up + (1 - eta) * down

    # Far out autograd's 1 - sigmoid is zero, and with it the slope.
    high = next(score for score in (39.0, 30.0, 20.0, 12.0, 9.0) if slope(score) > 0)
    return brentq(slope, -39.0, high, xtol=1e-15, rtol=1e-15)


@pytest.mark.parametrize("pos_weight", [1.0, 20.0])
@each(PointwiseLoss)
def test_inverse_is_the_minimiser_of_the_expected_loss(loss, pos_weight):
    if not loss.invertible:
        pytest.skip("no inverse")
    loss = prepared(loss)
    reached = 0
    for column in range(3):
        for eta in ETAS:
            if eta < 0.5 / 1001 * 1.001:
                continue  # under the floor a flat map goes on as a line
            try:
                score = minimiser(loss, eta, column, pos_weight)
            except (ValueError, StopIteration):
                continue  # no score of this loss stands for so extreme an eta
            scores = torch.full((1, 3), score, dtype=torch.float64)
            found = expit(loss.log_odds(scores, pos_weight)[0, column].item())
            floor = expit(logit(found) + np.log(pos_weight))
            if isinstance(loss, AsymmetricLoss) and _beyond_map(loss, floor):
                continue
            assert found == pytest.approx(eta, abs=1e-10)
            reached += 1
    assert reached > 30


def _beyond_map(loss, raw_eta):
    """Where the asymmetric map is flat: under the margin's jump, or over its cap."""
    if loss.gamma_negative == 0 and loss.margin > 0:
        return raw_eta < 1.01 * loss.margin
    return False


@pytest.mark.parametrize("pos_weight", [1.0, 20.0, [0.5, 3.0, 99.0]], ids=str)
@each(PointwiseLoss)
def test_initial_scores_predict_the_prior(loss, pos_weight):
    if not loss.invertible:
        pytest.skip("no inverse")
    loss = prepared(loss)
    prior = (N_POSITIVE + 0.5) / 1001
    scores = loss.initial_scores(prior, pos_weight)
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


@pytest.mark.parametrize("pos_weight", [[1.0] * 4, [2.04, 0.93, 0.57, 1.49]], ids=str)
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
        slopes = torch.stack([loss._slopes(scores, k)[0] for k in range(4)])
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
    general = SoftmaxLoss.closed_form_log_posterior(loss, scores)
    torch.testing.assert_close(closed, general.log_softmax(dim=1), rtol=0, atol=1e-6)


@each(SoftmaxLoss)
def test_softmax_log_probabilities_are_finite_for_large_scores(loss):
    if not loss.invertible:
        pytest.skip("no inverse")
    if isinstance(loss, SquaredSoftmaxLogLoss):
        pytest.skip("a user's loss is solved by linear algebra, in the bulk only")
    loss = class_loss(loss)
    scores = torch.tensor([[1e4, 0, -1e4, 5.0], [1e4, 1e4, 0, 0], [0, 0, 0, -1e4]])
    assert loss.log_probabilities(scores).isfinite().all()


@pytest.mark.parametrize("pos_weight", [1.0, [2.04, 0.93, 0.57, 1.49]], ids=str)
@each(SoftmaxLoss)
def test_softmax_initial_scores_predict_the_prior(loss, pos_weight):
    if not loss.invertible:
        pytest.skip("no inverse")
    loss = class_loss(loss)
    prior = np.array([198, 436, 710, 272]) / 1616
    scores = loss.initial_scores(prior, pos_weight)
    found = loss.log_probabilities(scores.reshape(1, -1), pos_weight).exp()[0]
    tolerance = 1e-5 if isinstance(loss, SquaredSoftmaxLogLoss) else 1e-9
    np.testing.assert_allclose(found, prior, rtol=tolerance)
    assert scores.mean().abs() < 1e-9


# ------------------------------------------------------------- values, formula by
# formula

Z = np.linspace(-6, 6, 25)
S = expit(Z)


def assert_terms(loss, positive, negative):
    scores = torch.as_tensor(Z)
    np.testing.assert_allclose(loss.positive(scores), positive, rtol=1e-12)
    np.testing.assert_allclose(loss.negative(scores), negative, rtol=1e-12, atol=1e-15)
    ones = torch.ones_like(scores)
    np.testing.assert_allclose(loss(scores, ones), positive, rtol=1e-12)
    np.testing.assert_allclose(loss(scores, 0 * ones), negative, rtol=1e-12, atol=1e-15)


def test_log_loss_values():
    assert_terms(LogLoss(), -np.log(S), -np.log(1 - S))


@pytest.mark.parametrize("gamma", [0, 0.5, 1, 2, 3.5])
def test_focal_values(gamma):
    assert_terms(
        FocalLoss(gamma),
        -((1 - S) ** gamma) * np.log(S),
        -(S**gamma) * np.log(1 - S),
    )


def test_focal_gamma_for_each_label():
    gamma = np.array([0.0, 1.0, 2.5])
    scores = torch.as_tensor(np.stack([Z] * 3, axis=1))
    table = FocalLoss(gamma)(scores, torch.ones_like(scores))
    expected = -((1 - S[:, None]) ** gamma) * np.log(S[:, None])
    np.testing.assert_allclose(table, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("up", "down", "margin"), [(1, 4, 0.05), (0, 2, 0), (0.5, 0.5, 0.2)]
)
def test_asymmetric_values(up, down, margin):
    shifted = np.maximum(S - margin, 0)
    assert_terms(
        AsymmetricLoss(up, down, margin),
        -((1 - S) ** up) * np.log(S),
        -(shifted**down) * np.log(1 - shifted),
    )


def test_asymmetric_loss_reads_a_true_hundredth_as_a_third():
    loss = AsymmetricLoss()
    score = minimiser(loss, 0.01, 0, 1.0)
    assert expit(score) == pytest.approx(0.32, abs=0.01)
    assert expit(loss.log_odds([score]).item()) == pytest.approx(0.01, abs=1e-10)


def test_asymmetric_loss_without_positive_focus_is_capped():
    loss = AsymmetricLoss(gamma_positive=0)
    assert expit(loss.log_odds([12.0]).item()) == pytest.approx(0.9637, abs=2e-4)


def test_focal_map_is_the_published_one():
    """Charoenphakdee et al., CVPR 2021, equation 8, in plain float64."""
    gamma = 2.0
    half = S / ((1 - S) ** gamma - gamma * (1 - S) ** (gamma - 1) * S * np.log(S))
    other = (1 - S) / (S**gamma - gamma * S ** (gamma - 1) * (1 - S) * np.log(1 - S))
    eta = half / (half + other)
    np.testing.assert_allclose(FocalLoss(gamma).log_odds(Z), logit(eta), atol=1e-9)


def test_softmax_log_loss_values():
    scores = np.random.default_rng(0).normal(size=(7, 4))
    targets = np.array([0, 1, 2, 3, 0, 1, 2])
    expected = -log_softmax(scores, axis=1)[np.arange(7), targets]
    found = SoftmaxLogLoss()(torch.as_tensor(scores), torch.as_tensor(targets))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_softmax_focal_values(gamma):
    scores = np.random.default_rng(0).normal(size=(7, 4))
    targets = np.array([0, 1, 2, 3, 0, 1, 2])
    p = softmax(scores, axis=1)[np.arange(7), targets]
    expected = -((1 - p) ** gamma) * np.log(p)
    found = SoftmaxFocalLoss(gamma)(torch.as_tensor(scores), torch.as_tensor(targets))
    np.testing.assert_allclose(found, expected, rtol=1e-11)


def test_softmax_focal_map_of_two_classes_is_the_sigmoid_one():
    scores = torch.stack(
        [torch.zeros(25, dtype=torch.float64), torch.as_tensor(Z)], dim=1
    )
    log_p = SoftmaxFocalLoss(2.0).log_probabilities(scores)
    torch.testing.assert_close(
        log_p[:, 1] - log_p[:, 0], FocalLoss(2.0).log_odds(Z), rtol=0, atol=1e-11
    )


def test_weights_of_one_change_nothing():
    torch.manual_seed(0)
    scores, targets = torch.randn(40, 3).double(), torch.rand(40, 3).round().double()
    for loss in map(prepared, _all_losses(PointwiseLoss)):
        plain = loss.weighted_sum(scores, targets)
        ones = torch.ones(40, 3, dtype=torch.float64)
        torch.testing.assert_close(loss.weighted_sum(scores, targets, ones), plain)


def test_parity_with_torch_bce():
    torch.manual_seed(0)
    scores, targets = torch.randn(8, 5).double(), torch.rand(8, 5).double()
    ours = LogLoss()(scores, targets)
    theirs = binary_cross_entropy_with_logits(scores, targets, reduction="none")
    torch.testing.assert_close(ours, theirs)


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
        (SoftmaxFocalLoss(gamma="two"), "gamma"),
        (AsymmetricLoss(gamma_positive=-1), "gamma_positive"),
        (AsymmetricLoss(gamma_negative=-1), "gamma_negative"),
        (AsymmetricLoss(margin=1.0), "margin"),
    ],
)
def test_parameters_are_checked_in_setup(loss, name):
    with pytest.raises(ValueError, match=name):
        loss.setup(N_POSITIVE, N_NEGATIVE)


def test_unfinished_subclasses_say_what_is_missing():
    with pytest.raises(NotImplementedError, match="positive"):
        PointwiseLoss()(torch.zeros(1, 1), torch.zeros(1, 1))
    with pytest.raises(NotImplementedError, match="forward"):
        SoftmaxLoss()(torch.zeros(1, 3), torch.zeros(1))


def test_log_odds_floor_follows_the_counted_rows():
    """Under the margin the asymmetric map leaves from eta = 0.5 / (n + 1)."""
    few = AsymmetricLoss().setup([5.0], [95.0])
    many = AsymmetricLoss().setup([5.0], [99_995.0])
    scores = torch.tensor([[-2.9]])  # just above the margin, eta about 1e-8
    assert few.log_odds(scores).item() > many.log_odds(scores).item() + 3
    score = minimiser(many, 0.02, 0, 1.0)
    for loss in (few, many):
        eta = expit(loss.log_odds([[score]]).item())
        assert eta == pytest.approx(0.02, abs=1e-10)


def test_logsigmoid_is_exact_where_sigmoid_is_dead():
    scores = torch.tensor([[-20.0]], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(LogLoss()(scores, torch.ones(1, 1)).sum(), scores)
    assert gradient.item() == pytest.approx(-1, abs=1e-8)
    assert logsigmoid(scores).item() == pytest.approx(-20, abs=1e-8)
