"""The value of each loss against its formula, written out in NumPy float64."""

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from scipy.special import expit, log_softmax, logit, logsumexp, softmax

from skimbalance.losses import (
    AsymmetricLoss,
    DistributionBalancedLoss,
    FocalLoss,
    HardNegativeMiningLoss,
    LDAMLoss,
    LogitAdjustedLoss,
    LogLoss,
    NegativeTolerantLoss,
    Poly1Loss,
    SoftF1Loss,
    SoftmaxFocalLoss,
    SoftmaxLogLoss,
    SoftmaxPoly1Loss,
    SoftTargetLoss,
    TwoWayLoss,
    ZLPRLoss,
)

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


def test_asymmetric_loss_scores_a_probability_of_a_hundredth_as_a_third():
    """The score at which eta l_pos' + (1 - eta) l_neg' changes its sign."""

    def slope(z):
        scores = torch.tensor(z, dtype=torch.float64, requires_grad=True)
        loss = AsymmetricLoss()
        risk = 0.01 * loss.positive(scores) + 0.99 * loss.negative(scores)
        return torch.autograd.grad(risk, scores)[0].item()

    score = brentq(slope, -5, 5, xtol=1e-14)
    assert expit(score) == pytest.approx(0.32, abs=0.01)
    log_odds = AsymmetricLoss().log_odds([score]).item()
    assert expit(log_odds) == pytest.approx(0.01, abs=1e-10)


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


@pytest.mark.parametrize("epsilon", [-0.5, 0, 1, 3])
def test_poly1_values(epsilon):
    assert_terms(
        Poly1Loss(epsilon),
        -np.log(S) + epsilon * (1 - S),
        -np.log(1 - S) + epsilon * S,
    )


def _shift(kappa=0.05):
    return kappa * np.log(1000 / 20 - 1)


def test_negative_tolerant_values():
    u = Z - _shift()
    loss = NegativeTolerantLoss().setup([20.0] * len(Z), [980.0] * len(Z))
    assert_terms(loss, np.logaddexp(0, -u), np.logaddexp(0, 2 * u) / 2)


@pytest.mark.parametrize("gamma", [0.5, 2])
def test_distribution_balanced_values(gamma):
    u = Z - _shift()
    counts = [20.0] * len(Z), [980.0] * len(Z)
    loss = DistributionBalancedLoss(gamma).setup(*counts)
    assert_terms(
        loss,
        expit(-u) ** gamma * np.logaddexp(0, -u),
        expit(2 * u) ** gamma * np.logaddexp(0, 2 * u) / 2,
    )


def test_distribution_balanced_weights_of_entries():
    """alpha + sigmoid(beta (r - mu)), r = (1 / n_k) / sum_i y_i / n_i."""
    counts = np.array([500.0, 50.0, 5.0, 0.0])
    loss = DistributionBalancedLoss().setup(counts, 1000 - counts)
    Y = np.array([[1, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]])
    found = loss.entry_weight(torch.zeros(4, 4).double(), torch.tensor(Y > 0)).numpy()
    for i in range(3):
        fraction = (1 / counts[:3]) / sum(1 / counts[k] for k in range(3) if Y[i, k])
        expected = 0.1 + expit(10 * (fraction - 0.2))
        np.testing.assert_allclose(found[i, :3], expected, rtol=1e-9)
    # A row without positives has r = 0; a label without positives is no NaN.
    np.testing.assert_allclose(found[3], 0.1 + expit(-2.0), rtol=1e-9)
    assert np.isfinite(found).all()


def test_zlpr_values():
    rng = np.random.default_rng(0)
    scores, Y = rng.normal(size=(6, 5)), rng.integers(0, 2, size=(6, 5))
    Y[0], Y[1] = 0, 1
    expected = [
        np.log1p(np.exp(-z[y == 1]).sum()) + np.log1p(np.exp(z[y == 0]).sum())
        for z, y in zip(scores, Y)
    ]
    found = ZLPRLoss()(torch.tensor(scores), torch.tensor(Y), torch.ones(6, 5))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_soft_f1_values():
    rng = np.random.default_rng(0)
    scores, Y = rng.normal(size=(6, 4)), rng.integers(0, 2, size=(6, 4))
    Y[:, 3] = 0  # no positive in the batch: left out
    s = expit(scores)
    f1 = [2 * (s[:, k] @ Y[:, k]) / (s[:, k] + Y[:, k]).sum() for k in range(3)]
    found = SoftF1Loss()(torch.tensor(scores), torch.tensor(Y), torch.ones(6, 4))
    np.testing.assert_allclose(found, np.full(6, 1 - np.mean(f1)), rtol=1e-6)


def test_two_way_values():
    rng = np.random.default_rng(0)
    scores, Y = rng.normal(size=(6, 4)), rng.integers(0, 2, size=(6, 4))
    Y[0], Y[:, 3] = 0, 0  # a row and a label with one value only

    def margin(z, y):
        up, down = 4 * logsumexp(-z[y == 1] / 4), logsumexp(z[y == 0])
        return np.logaddexp(0, up + down)

    # The mean over the rows of both values: 5 of the 6.
    rows = [0.0] + [6 / 5 * margin(scores[i], Y[i]) for i in range(1, 6)]
    labels = [margin(scores[:, k], Y[:, k]) for k in range(3)]
    found = TwoWayLoss()(torch.tensor(scores), torch.tensor(Y), torch.ones(6, 4))
    np.testing.assert_allclose(found, rows + np.mean(labels), rtol=1e-6)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_two_way_averages_over_rows_and_labels_of_both_values(rate):
    """The authors' formula with the masks of the docstring, and with row weights."""
    rng = np.random.default_rng(1)
    scores, Y = rng.normal(size=(40, 4)), (rng.random((40, 4)) < rate).astype(int)
    weight = rng.integers(1, 4, size=40).astype(float)
    Y[:7], Y[7:12] = 0, 1

    def margin(z, y, w):
        up = 4 * logsumexp(-z[y == 1] / 4, b=w[y == 1])
        return np.logaddexp(0, up + logsumexp(z[y == 0], b=w[y == 0]))

    for w in (np.ones(40), weight):
        ranked = [i for i in range(40) if 0 < Y[i].sum() < 4]
        rows = [margin(scores[i], Y[i], np.ones(4)) for i in ranked]
        labels = [margin(scores[:, k], Y[:, k], w) for k in range(4)]
        expected = np.average(rows, weights=w[ranked]) + np.mean(labels)
        entries = torch.tensor(w)[:, None].repeat(1, 4)
        found = TwoWayLoss()(torch.tensor(scores), torch.tensor(Y), entries)
        assert found.mean().item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(("up", "down", "margin"), [(1, 4, 0.05), (0, 2, 0), (2, 1, 0)])
def test_asymmetric_with_detached_factors_follows_the_authors_gradient(
    up, down, margin
):
    """Same values; slopes are those of the log terms times constant factors."""
    loss = AsymmetricLoss(up, down, margin, detach_modulator=True)
    shifted = np.maximum(S - margin, 0)
    assert_terms(
        loss,
        -((1 - S) ** up) * np.log(S),
        -(shifted**down) * np.log(1 - shifted),
    )
    falling = -((1 - S) ** (up + 1))
    rising = np.where(margin < S, shifted**down * S * (1 - S) / (1 - shifted), 0.0)
    scores = torch.as_tensor(Z).requires_grad_()
    for target, slope in ((1.0, falling), (0.0, rising)):
        value = loss(scores, torch.full_like(scores, target)).sum()
        (gradient,) = torch.autograd.grad(value, scores)
        np.testing.assert_allclose(gradient, slope, rtol=1e-9, atol=1e-14)
    inside = rising > -1e-6 * falling  # below that the map goes on linearly
    found = loss.log_odds(Z[inside])
    expected = np.log(rising[inside] / -falling[inside])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("scale", [0.5, 2.0, 5.0])
def test_shift_is_the_papers_and_the_authors_code_divides_it_by_lambda(scale):
    """The paper: nu = kappa log(N / n - 1). In the code: init_bias / neg_scale."""
    loss = NegativeTolerantLoss(kappa=0.05, negative_scale=scale).setup([10.0], [990.0])
    assert loss.shift_.item() == pytest.approx(0.05 * np.log(1000 / 10 - 1))
    init_bias = 0.05 * scale
    assert loss.shift_.item() == pytest.approx(
        init_bias / scale * np.log(1000 / 10 - 1)
    )


COUNTS = np.array([198.0, 436.0, 710.0, 272.0])


def _class_values(loss, scores, targets):
    loss.setup(COUNTS, COUNTS.sum() - COUNTS)
    return loss(torch.as_tensor(scores), torch.as_tensor(targets)).numpy()


@pytest.fixture
def classes():
    scores = np.random.default_rng(0).normal(size=(8, 4))
    return scores, np.array([0, 1, 2, 3, 0, 1, 2, 3])


def test_softmax_poly1_values(classes):
    p = softmax(classes[0], axis=1)[np.arange(8), classes[1]]
    found = _class_values(SoftmaxPoly1Loss(2.0), *classes)
    np.testing.assert_allclose(found, -np.log(p) + 2 * (1 - p), rtol=1e-12)


@pytest.mark.parametrize("tau", [0.5, 1.0])
def test_logit_adjusted_values(classes, tau):
    scores, targets = classes
    adjusted = log_softmax(scores + tau * np.log(COUNTS / COUNTS.sum()), axis=1)
    found = _class_values(LogitAdjustedLoss(tau), *classes)
    np.testing.assert_allclose(found, -adjusted[np.arange(8), targets], rtol=1e-12)


def test_ldam_values(classes):
    scores, targets = classes
    margin = 0.5 * (COUNTS / COUNTS.min()) ** -0.25
    expected = []
    for z, y in zip(scores, targets):
        lowered = z - margin * (np.arange(4) == y)
        expected.append(-log_softmax(30 * lowered)[y])
    found = _class_values(LDAMLoss(), *classes)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_soft_target_values(classes):
    W = np.array([[9, 1, 0, 0], [1, 7, 1, 1], [0, 0, 5, 0], [0, 2, 0, 8.0]]) / 10
    scores, targets = classes
    log_p = log_softmax(scores, axis=1)
    found = _class_values(SoftTargetLoss(W), scores, targets)
    expected = -(W[targets] * log_p).sum(axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    identity = _class_values(SoftTargetLoss(), scores, targets)
    np.testing.assert_allclose(identity, -log_p[np.arange(8), targets], rtol=1e-12)


def test_hard_negatives_are_the_hardest_of_their_label():
    scores = torch.tensor([[5.0, 1], [4, 9], [3, 8], [2, 7], [1, 6], [0, 5]])
    targets = torch.zeros(6, 2, dtype=torch.bool)
    targets[0, 0] = True
    mine = HardNegativeMiningLoss(ratio=2, easy_rate=0, min_negatives=1)
    kept = mine.entry_weight(scores, targets)
    np.testing.assert_array_equal(kept[:, 0], [1, 1, 1, 0, 0, 0])
    np.testing.assert_array_equal(kept[:, 1], [0, 1, 0, 0, 0, 0])
    mask = torch.ones(6, 2)
    mask[1] = 0  # missing labels are no candidates
    kept = mine.entry_weight(scores, targets, mask)
    np.testing.assert_array_equal(kept[:, 0], [1, 0, 1, 1, 0, 0])
    np.testing.assert_array_equal(kept[:, 1], [0, 0, 1, 0, 0, 0])


def test_hard_negatives_of_the_batch_and_easy_ones():
    scores = torch.tensor([[5.0, 1], [4, 9], [3, 8], [2, 7], [1, 6], [0, 5]])
    targets = torch.zeros(6, 2, dtype=torch.bool)
    targets[0, 0] = True
    mine = HardNegativeMiningLoss(ratio=2, easy_rate=0, min_negatives=1, per="batch")
    kept = mine.entry_weight(scores, targets).numpy()
    np.testing.assert_array_equal(
        kept, [[1, 0], [0, 1], [0, 1], [0, 0], [0, 0], [0, 0]]
    )
    torch.manual_seed(0)
    easy = HardNegativeMiningLoss(ratio=0, easy_rate=0.3, min_negatives=0)
    kept = easy.entry_weight(torch.zeros(2000, 3), torch.zeros(2000, 3) > 0)
    assert kept.mean().item() == pytest.approx(0.3, abs=0.02)


def test_label_weights_count_in_the_mean_of_soft_f1():
    rng = np.random.default_rng(0)
    scores = torch.tensor(rng.normal(size=(8, 3)))
    Y = torch.tensor(rng.integers(0, 2, size=(8, 3)))
    Y[0], Y[1] = 0, 1  # each label has both values
    weight, ones = torch.tensor([1.0, 2.0, 5.0]).double(), torch.ones(8, 3).double()
    columns = [(slice(None), [k]) for k in range(3)]
    missed = [SoftF1Loss()(scores[c], Y[c], ones[c])[0].item() for c in columns]
    found = SoftF1Loss()(scores, Y, weight * ones)
    expected = np.average(missed, weights=weight)
    np.testing.assert_allclose(found, np.full(8, expected), rtol=1e-6)


def test_mined_losses_keep_their_own_weights():
    torch.manual_seed(0)
    scores, Y = torch.randn(20, 3), torch.rand(20, 3) < 0.3
    for mined in (DistributionBalancedLoss(alpha=0.5), HardNegativeMiningLoss(ratio=0)):
        mined.setup(np.array([5.0, 7.0, 3.0]), np.array([15.0, 13.0, 17.0]))
        torch.manual_seed(1)
        own = mined.entry_weight(scores, Y).expand(20, 3)
        torch.manual_seed(1)
        keeps_all = HardNegativeMiningLoss(mined, ratio=20, min_negatives=20)
        np.testing.assert_array_equal(keeps_all.entry_weight(scores, Y), own)


@pytest.mark.parametrize("per", ["label", "batch"])
def test_positives_of_weight_zero_call_for_no_negatives(per):
    torch.manual_seed(0)
    scores, targets = torch.randn(20, 3), torch.rand(20, 3) < 0.2
    targets[:8] = True
    weight = torch.ones(20, 1)
    weight[:8] = 0
    mine = HardNegativeMiningLoss(ratio=1, easy_rate=0, min_negatives=0, per=per)
    kept = mine.entry_weight(scores, targets, weight)
    np.testing.assert_array_equal(kept[:8], np.zeros((8, 3)))
    np.testing.assert_array_equal(kept[8:], mine.entry_weight(scores[8:], targets[8:]))


def test_the_number_of_hard_negatives_is_no_matter_of_rounding():
    targets = torch.arange(100).reshape(-1, 1) < 50
    mine = HardNegativeMiningLoss(ratio=0.3, easy_rate=0, min_negatives=0)
    kept = mine.entry_weight(torch.arange(100.0).reshape(-1, 1), targets)
    assert kept[50:].sum() == 15


def test_distribution_balanced_weights_leave_out_labels_of_weight_zero():
    loss = DistributionBalancedLoss().setup([10, 100, 50], [990, 900, 950])
    targets = torch.tensor([[1, 1, 0], [1, 0, 1]])
    weight = torch.tensor([[0.0, 1, 1], [0, 1, 1]])
    found = loss.entry_weight(torch.zeros(2, 3), targets, weight)
    absent = loss.entry_weight(torch.zeros(2, 3), targets * (weight > 0), weight)
    torch.testing.assert_close(found, absent)
