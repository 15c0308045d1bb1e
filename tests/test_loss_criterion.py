"""Losses as criteria of a torch training loop."""

import re

import numpy as np
import pytest
import torch
from torch.nn import functional

from skimbalance.losses import (
    LOSSES,
    DistributionBalancedLoss,
    FocalLoss,
    FunctionLoss,
    LDAMLoss,
    LogLoss,
    SoftF1Loss,
    SoftmaxLogLoss,
    TwoWayLoss,
    ZLPRLoss,
)


@pytest.fixture
def scores():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(12, 3, generator=generator, requires_grad=True)


@pytest.fixture
def targets():
    generator = torch.Generator().manual_seed(1)
    return (torch.rand(12, 3, generator=generator) < 0.3).float()


POS_WEIGHT = np.array([1.0, 4.0, 9.0])


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.int64])
def test_log_loss_is_torchs_with_its_pos_weight(scores, targets, reduction, dtype):
    options = {"pos_weight": torch.tensor(POS_WEIGHT).float(), "reduction": reduction}
    expected = functional.binary_cross_entropy_with_logits(scores, targets, **options)
    ours = LogLoss()(
        scores, targets.to(dtype), pos_weight=POS_WEIGHT, reduction=reduction
    )
    torch.testing.assert_close(ours, expected)
    gradients = [
        torch.autograd.grad(value.sum(), scores, retain_graph=True)[0]
        for value in (ours, expected)
    ]
    torch.testing.assert_close(*gradients)


def test_mean_of_a_multiclass_loss_divides_by_the_rows(scores):
    classes = torch.arange(12) % 3
    ours = SoftmaxLogLoss()(scores, classes, pos_weight=POS_WEIGHT, reduction="mean")
    weights = torch.tensor(POS_WEIGHT).float()
    each = functional.cross_entropy(scores, classes, weight=weights, reduction="none")
    torch.testing.assert_close(ours, each.mean())


@pytest.mark.parametrize(
    "loss",
    [
        FocalLoss(),
        FunctionLoss(lambda scores, targets: (scores.sigmoid() - targets) ** 2),
    ],
    ids=["fused", "by autograd"],
)
def test_reductions_agree_with_the_weighted_entries(loss, scores, targets):
    weight = (torch.arange(12) % 4 != 0).float()[:, None]
    given = {"pos_weight": POS_WEIGHT, "weight": weight}
    entries = loss(scores, targets, **given)
    assert entries.shape == scores.shape
    assert (entries[::4] == 0).all()
    total = loss(scores, targets, **given, reduction="sum")
    torch.testing.assert_close(total, entries.sum())
    mean = loss(scores, targets, **given, reduction="mean")
    torch.testing.assert_close(mean, entries.sum() / 36)


def test_soft_targets_mix_the_weighted_terms(scores, targets):
    soft = 0.9 * targets + 0.05
    options = {"pos_weight": torch.tensor(POS_WEIGHT).float(), "reduction": "mean"}
    expected = functional.binary_cross_entropy_with_logits(scores, soft, **options)
    ours = LogLoss()(scores, soft, pos_weight=POS_WEIGHT, reduction="mean")
    torch.testing.assert_close(ours, expected)


def test_entry_weights_of_a_loss_count_in_its_reductions(scores, targets):
    loss = DistributionBalancedLoss().setup([3, 4, 5], [9, 8, 7])
    weight = loss.entry_weight(scores.detach(), targets.bool())
    expected = (loss(scores, targets) * weight).mean()
    torch.testing.assert_close(loss(scores, targets, reduction="mean"), expected)


@pytest.mark.parametrize("loss", [ZLPRLoss(), SoftF1Loss()], ids=str)
def test_loss_of_whole_rows_needs_no_weights(loss, scores, targets):
    ones = torch.ones_like(scores)
    expected = loss(scores, targets, ones).mean()
    torch.testing.assert_close(loss(scores, targets, reduction="mean"), expected)
    keyword = loss(scores, targets, weight=torch.ones(12, 1), reduction="mean")
    torch.testing.assert_close(keyword, expected)
    with pytest.raises(ValueError, match="has no pos_weight"):
        loss(scores, targets, pos_weight=2.0)


def test_unknown_reduction_is_refused(scores, targets):
    with pytest.raises(ValueError, match="reduction"):
        LogLoss()(scores, targets, reduction="avg")


@pytest.mark.parametrize(("name", "kind"), LOSSES, ids=str)
def test_initial_scores_stand_for_the_base_rates(name, kind):
    loss = LOSSES[name, kind]()
    prior = np.array([0.05, 0.2, 0.75])
    loss.setup(1000 * prior, 1000 - 1000 * prior)
    scores = loss.initial_scores(prior)
    assert scores.shape == (3,)
    if not loss.invertible:
        return
    if kind == "multiclass":
        back = loss.log_probabilities(scores[None]).exp()[0]
    else:
        back = loss.log_odds(scores[None]).sigmoid()[0]
    np.testing.assert_allclose(back, prior, atol=1e-6)


@pytest.mark.parametrize("prior", [[0.0, 0.5], [0.2, 1.0], [0.1, np.nan]])
def test_initial_scores_refuse_base_rates_without_a_finite_score(prior):
    with pytest.raises(ValueError, match=r"prior: base rates.*n_positive \+ 0.5"):
        FocalLoss().initial_scores(prior)


def test_a_scheme_is_no_weight_of_a_criterion(scores, targets):
    with pytest.raises(TypeError, match=r"compute_pos_weight\(Y, 'sqrt'\)"):
        LogLoss()(scores, targets, pos_weight="sqrt")


@pytest.mark.parametrize("kind", ["multilabel", "multiclass"])
def test_a_weight_of_another_length_is_named(kind, scores, targets):
    loss = {"multilabel": LogLoss, "multiclass": SoftmaxLogLoss}[kind]()
    labels = targets if kind == "multilabel" else targets.argmax(1)
    wrong = np.ones(scores.shape[1] + 1)
    back = loss.log_odds if kind == "multilabel" else loss.log_probabilities
    for call in (
        lambda: loss(scores, labels, pos_weight=wrong),
        lambda: back(scores, wrong),
        lambda: loss.initial_scores(np.full(scores.shape[1], 0.3), wrong),
    ):
        with pytest.raises(ValueError, match="pos_weight has the shape"):
            call()


@pytest.mark.parametrize("weight", [0.0, -1.0, np.nan, np.inf])
def test_no_inverse_of_a_weight_that_is_not_positive(weight):
    with pytest.raises(ValueError, match="pos_weight must be positive and finite"):
        LogLoss().log_odds(torch.zeros(2, 3), weight)
    with pytest.raises(ValueError, match="pos_weight must be positive and finite"):
        SoftmaxLogLoss().log_probabilities(torch.zeros(2, 3), weight)


@pytest.mark.parametrize("loss", [LogLoss(), FocalLoss(), ZLPRLoss()], ids=str)
@pytest.mark.parametrize("shape", [(4,), (4, 1), (1, 4), (3, 4)])
def test_targets_are_not_broadcast(loss, shape):
    message = re.escape(f"targets has the shape {shape}")
    with pytest.raises(ValueError, match=message):
        loss(torch.zeros(4, 4), torch.ones(shape))


def test_classes_as_a_column_are_not_broadcast():
    scores = torch.zeros(6, 3)
    for loss in (LOSSES[name, "multiclass"]() for name in ("focal", "ldam")):
        loss.setup([1, 2, 3], [5, 4, 3])
        with pytest.raises(ValueError, match=r"need \(6,\), the index of"):
            loss(scores, torch.zeros(6, 1, dtype=torch.int64))


@pytest.mark.parametrize("loss", [ZLPRLoss(), SoftF1Loss(), TwoWayLoss()], ids=str)
def test_losses_of_rows_take_bools(loss, scores, targets):
    torch.testing.assert_close(loss(scores, targets > 0), loss(scores, targets))


@pytest.mark.parametrize("name", ["pos_weight", "weight", "reduction"])
def test_arguments_of_torchs_constructors_are_sent_to_the_call(name):
    for loss in (LogLoss, FocalLoss, ZLPRLoss, LDAMLoss):
        with pytest.raises(TypeError, match=rf"pass it in the call, .*{name}=\.\.\."):
            loss(**{name: "mean"})

    class Own(LogLoss):
        def __init__(self, weight=1.0):
            super().__init__()
            self.weight = weight

    assert Own(weight=2.0).weight == 2.0


def test_what_is_no_tensor_or_no_class_index_is_refused_by_name():
    scores, labels = torch.zeros(6, 3), torch.ones(6, 3)
    with pytest.raises(TypeError, match=r"targets must be a tensor, not ndarray"):
        LogLoss()(scores, labels.numpy())
    with pytest.raises(TypeError, match=r"scores must be a tensor, not ndarray"):
        LogLoss()(scores.numpy(), labels)
    loss = LDAMLoss().setup([1, 2, 3], [5, 4, 3])
    with pytest.raises(ValueError, match=r"the shape \(6, 3\).* need \(6,\)"):
        loss(scores, labels)
    with pytest.raises(TypeError, match=r"class indices, as int64, not torch.float32"):
        loss(scores, torch.ones(6))
