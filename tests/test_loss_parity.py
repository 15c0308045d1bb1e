"""Other libraries' and papers' weighted losses, each with its formula written out.

Ours are called as training calls them: the batch loss around an unreduced loss.
"""

import numpy as np
import pytest
import torch
from scipy.special import expit, log_softmax
from sklearn.utils.class_weight import compute_class_weight as sklearn_class_weight
from torch.nn import BCEWithLogitsLoss, CrossEntropyLoss

from skimbalance.losses import (
    FocalLoss,
    LogLoss,
    SoftmaxLogLoss,
    SoftTargetLoss,
)
from skimbalance.neural_network._module import criterion_of
from skimbalance.weights import compute_label_weight, compute_pos_weight

FOUR_CLASSES = np.array([198, 436, 710, 272])


def tensor(values):
    return torch.as_tensor(np.asarray(values, dtype=np.float64))


def batch_mean(loss, scores, labels, weight=None, **weights):
    """The batch loss as the estimators compute it, a mean over all entries."""
    params = {key: tensor(value) for key, value in weights.items()}
    if np.ndim(labels) == 2:
        params["n_trained"] = labels.shape[1]
    criterion = criterion_of(loss)(loss, **params)
    labels = torch.as_tensor(labels)
    weight = None if weight is None else tensor(weight)
    total = criterion(tensor(scores), labels, weight).item()
    return total / criterion.divisor(len(labels))


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    return rng.normal(size=(32, 6)) * 3, rng.integers(0, 2, size=(32, 6))


def weighted_cross_entropy_with_logits(labels, logits, pos_weight):
    """TensorFlow's documentation of tf.nn.weighted_cross_entropy_with_logits."""
    factor = 1 + (pos_weight - 1) * labels
    tail = np.log1p(np.exp(-np.abs(logits))) + np.maximum(-logits, 0)
    return (1 - labels) * logits + factor * tail


def test_tensorflow_weighted_cross_entropy(batch):
    scores, labels = batch
    pos_weight = np.array([1.0, 2.0, 5.0, 0.5, 20.0, 99.0])
    expected = weighted_cross_entropy_with_logits(labels, scores, pos_weight)
    found = batch_mean(LogLoss(), scores, labels, pos_weight=pos_weight)
    assert found == pytest.approx(expected.mean(), rel=1e-12)


def test_tensorflow_weighted_cross_entropy_of_soft_targets(batch):
    scores, _ = batch
    soft = np.random.default_rng(1).random(scores.shape)
    expected = weighted_cross_entropy_with_logits(soft, scores, 7.0)
    found = LogLoss().weighted_sum(
        tensor(scores), tensor(soft), pos_weight=tensor([7.0] * 6)
    )
    assert found.item() == pytest.approx(expected.sum(), rel=1e-12)


def test_torch_bce_with_weight_and_pos_weight(batch):
    scores, labels = batch
    rng = np.random.default_rng(2)
    weight, pos_weight = rng.random(scores.shape), rng.random(6) * 9 + 0.5
    theirs = BCEWithLogitsLoss(weight=tensor(weight), pos_weight=tensor(pos_weight))
    expected = theirs(tensor(scores), tensor(labels)).item()
    found = batch_mean(LogLoss(), scores, labels, weight, pos_weight=pos_weight)
    assert found == pytest.approx(expected, rel=1e-12)


def sigmoid_focal_loss(inputs, targets, alpha, gamma):
    """The formula of torchvision.ops.sigmoid_focal_loss."""
    p = expit(inputs)
    cross_entropy = -(targets * np.log(p) + (1 - targets) * np.log(1 - p))
    p_t = p * targets + (1 - p) * (1 - targets)
    loss = cross_entropy * (1 - p_t) ** gamma
    if alpha >= 0:
        loss = (alpha * targets + (1 - alpha) * (1 - targets)) * loss
    return loss


@pytest.mark.parametrize("gamma", [1.0, 2.0, 3.5])
def test_torchvision_focal_loss(batch, gamma):
    """Its alpha = 0.25 weighs positives *down*: pos_weight = alpha / (1 - alpha)."""
    scores, labels = batch
    plain = sigmoid_focal_loss(scores, labels, -1, gamma).mean()
    assert batch_mean(FocalLoss(gamma), scores, labels) == pytest.approx(plain)
    balanced = sigmoid_focal_loss(scores, labels, 0.25, gamma).mean()
    found = batch_mean(FocalLoss(gamma), scores, labels, pos_weight=[1 / 3] * 6)
    assert 0.75 * found == pytest.approx(balanced)


def test_focal_factor_is_that_of_the_true_class():
    """A copied snippet has (1 - p)^gamma for both signs; the paper has (1 - p_t).

    With the snippet an easy negative (p = 0.01) keeps 98 % of its loss, so nothing is
    focused; with ours it keeps 0.01 %.
    """
    score = np.log(0.01 / 0.99)
    found = FocalLoss(2.0).negative(tensor([score])).item()
    assert found == pytest.approx(0.01**2 * -np.log(0.99))
    snippet = (1 - 0.01) ** 2 * -np.log(0.99)
    assert found < snippet / 5000


def test_focal_weight_does_not_enter_its_own_factor(batch):
    """Several copies take p_t from the weighted cross-entropy: exp(-w * loss)."""
    scores, labels = batch
    p_t = np.where(labels == 1, expit(scores), expit(-scores))
    weight = np.where(labels == 1, 5.0, 1.0)
    expected = (weight * (1 - p_t) ** 2 * -np.log(p_t)).mean()
    found = batch_mean(FocalLoss(2.0), scores, labels, pos_weight=[5.0] * 6)
    assert found == pytest.approx(expected)


def test_positive_only_weight_of_fifty_on_512_labels():
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(size=(16, 512)), rng.random((16, 512)) < 0.02
    labels = labels.astype(np.int8)
    cross_entropy = np.logaddexp(0, np.where(labels == 1, -scores, scores))
    expected = (cross_entropy * np.where(labels == 1, 50.0, 1.0)).mean()
    found = batch_mean(LogLoss(), scores, labels, pos_weight=[50.0] * 512)
    assert found == pytest.approx(expected, rel=1e-12)


def test_weights_for_each_of_270_labels():
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(size=(16, 270)), rng.integers(0, 2, size=(16, 270))
    up, across = rng.random(270) * 20 + 1, rng.random(270)
    cross_entropy = np.logaddexp(0, np.where(labels == 1, -scores, scores))
    expected = (cross_entropy * np.where(labels == 1, up, 1.0) * across).mean()
    found = batch_mean(LogLoss(), scores, labels, pos_weight=up, label_weight=across)
    assert found == pytest.approx(expected, rel=1e-12)


def test_balanced_weight_is_neg_over_pos_with_a_little_guard():
    positive = np.array([1, 3, 17, 400, 999])
    found = compute_pos_weight(label_counts=positive, n_samples=1000)
    guarded = (1000 - positive) / (positive + 1e-5)
    np.testing.assert_allclose(guarded, found, rtol=1e-5)


def test_minimum_normalised_inverse_frequencies_and_their_log():
    positive = np.array([1, 3, 17, 400, 999])
    frequency = positive / 1000
    inverse = (1 / frequency) / (1 / frequency).min()
    counted = {"label_counts": positive, "n_samples": 1000, "normalize": None}
    np.testing.assert_allclose(compute_label_weight(**counted), inverse)
    found = compute_label_weight(scheme="log", **counted)
    np.testing.assert_allclose(found, np.log(1 + inverse))


# ------------------------------------------------------------------------- four classes


@pytest.fixture
def four_classes():
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(4), FOUR_CLASSES)
    return rng.normal(size=(len(y), 4)), y


def test_weights_of_the_four_class_question(four_classes):
    _, y = four_classes
    weight = compute_pos_weight(y)
    np.testing.assert_allclose(weight, [2.04, 0.93, 0.57, 1.49], atol=5e-3)
    by_sklearn = sklearn_class_weight("balanced", classes=np.arange(4), y=y)
    np.testing.assert_allclose(weight, by_sklearn)
    # Frequencies as weights are upside down: the largest class would weigh most.
    assert (np.argsort(weight) == np.argsort(-FOUR_CLASSES)).all()


def test_class_weights_by_true_label(four_classes):
    """Torch's mean divides by the weights in the batch, ours by the rows."""
    scores, y = four_classes
    weight = compute_pos_weight(y)
    log_p = log_softmax(scores, axis=1)
    expected = (weight[y] * -log_p[np.arange(len(y)), y]).mean()
    found = batch_mean(SoftmaxLogLoss(), scores, y, pos_weight=weight)
    assert found == pytest.approx(expected, rel=1e-12)
    summed = CrossEntropyLoss(tensor(weight), reduction="sum")
    theirs = summed(tensor(scores), torch.as_tensor(y)).item() / len(y)
    assert found == pytest.approx(theirs, rel=1e-12)


def test_a_weight_for_each_pair_of_true_and_predicted_class(four_classes):
    """The whole (n_samples, n_classes) weight matrix, from integer targets."""
    scores, y = four_classes
    W = np.random.default_rng(1).random((4, 4)) + np.eye(4)
    weight_matrix = W[y]
    assert weight_matrix.shape == (1616, 4)
    log_p = log_softmax(scores, axis=1)
    expected = -(weight_matrix * log_p).sum(axis=1).mean()
    found = batch_mean(SoftTargetLoss(W), scores, y)
    assert found == pytest.approx(expected, rel=1e-12)


def test_weights_by_predicted_class_are_the_rank_one_case(four_classes):
    """W = u v^T: u by true class, v by predicted class. No scores tell classes apart
    under it but for u, so it evaluates, and training refuses it."""
    scores, y = four_classes
    u, v = compute_pos_weight(y), np.array([1.0, 2.0, 0.5, 3.0])
    loss = SoftTargetLoss(np.outer(u, v))
    log_p = log_softmax(scores, axis=1)
    expected = -(u[y] * (log_p @ v)).mean()
    assert batch_mean(loss, scores, y) == pytest.approx(expected, rel=1e-12)
    with pytest.raises(ValueError, match="singular"):
        loss.check_params(len(u))
    # On the diagonal it is the weight by true class.
    diagonal = batch_mean(SoftTargetLoss(np.diag(u)), scores, y)
    by_class = batch_mean(SoftmaxLogLoss(), scores, y, pos_weight=u)
    assert diagonal == pytest.approx(by_class, rel=1e-12)
