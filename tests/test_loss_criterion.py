"""Losses as criteria of a torch training loop."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional

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
    SoftF1Loss,
    SoftmaxFocalLoss,
    SoftmaxLogLoss,
    SoftmaxLoss,
    SoftTargetLoss,
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


LEARNT = [
    LogLoss(),
    FocalLoss(),
    AsymmetricLoss(),
    HardNegativeMiningLoss(FocalLoss(), easy_rate=0.0),
    NegativeTolerantLoss().setup([5, 7, 3], [15, 13, 17]),
    DistributionBalancedLoss().setup([5, 7, 3], [15, 13, 17]),
]


@pytest.mark.parametrize("loss", LEARNT, ids=repr)
@pytest.mark.parametrize("learnt", ["targets", "weight", "pos_weight"])
def test_weights_and_soft_targets_have_gradients(loss, learnt, scores):
    generator = torch.Generator().manual_seed(2)
    given = {
        "targets": torch.rand(12, 3, generator=generator),
        "weight": torch.rand(12, 1, generator=generator),
        "pos_weight": torch.rand(3, generator=generator),
    }
    given = {key: tensor.double() for key, tensor in given.items()}
    plain = loss(scores.double(), **given, reduction="sum")

    def with_learnt(tensor):
        return loss(scores.double(), **{**given, learnt: tensor}, reduction="sum")

    tensor = given[learnt].clone().requires_grad_()
    torch.testing.assert_close(with_learnt(tensor), plain)
    assert torch.autograd.gradcheck(with_learnt, (tensor,))
    targets = given["targets"].clone().requires_grad_()
    assert loss(scores.detach().double(), targets).requires_grad


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


@pytest.mark.parametrize("loss", [LogLoss(), FocalLoss(), AsymmetricLoss()], ids=str)
@pytest.mark.parametrize("pos_weight", [2, 2.0, [2.0], torch.tensor(2.0)], ids=str)
@pytest.mark.parametrize("rate", [0.02, 0.4])  # few positives are looked up one by one
def test_one_number_weights_the_positives_of_all_labels(loss, pos_weight, rate):
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(100, 40, generator=generator)
    targets = (torch.rand(100, 40, generator=generator) < rate).to(torch.int8)
    expected = (loss(scores, targets) * (1 + targets)).sum()
    found = loss(scores, targets, pos_weight=pos_weight, reduction="sum")
    torch.testing.assert_close(found, expected)
    soft = 0.9 * targets + 0.05
    expected = loss(scores, soft, pos_weight=torch.full((40,), 2.0)).mean()
    found = loss(scores, soft, pos_weight=pos_weight, reduction="mean")
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("loss", [ZLPRLoss(), SoftF1Loss()], ids=str)
def test_loss_of_whole_rows_needs_no_weights(loss, scores, targets):
    ones = torch.ones_like(scores)
    expected = loss(scores, targets, ones).mean()
    torch.testing.assert_close(loss(scores, targets, reduction="mean"), expected)
    keyword = loss(scores, targets, weight=torch.ones(12, 1), reduction="mean")
    torch.testing.assert_close(keyword, expected)
    with pytest.raises(ValueError, match="has no pos_weight"):
        loss(scores, targets, pos_weight=2.0)


@pytest.mark.parametrize("loss", [ZLPRLoss(), TwoWayLoss(), SoftF1Loss()], ids=repr)
@pytest.mark.parametrize("n_columns", [1, 3])
def test_the_weight_of_a_row_repeats_it(loss, n_columns, scores, targets):
    scores = scores.detach()
    times = torch.tensor([2, 0, 3, 1, 1, 1, 0, 1, 1, 2, 1, 1])
    weight = times.reshape(-1, 1).expand(-1, n_columns)
    reduction = "mean" if loss.depends_on_batch else "sum"
    weighted = loss(scores, targets, weight=weight, reduction=reduction)
    rows = torch.arange(12).repeat_interleave(times)
    repeated = loss(scores[rows], targets[rows], reduction=reduction)
    torch.testing.assert_close(weighted, repeated)


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


@pytest.mark.parametrize("name", ["pos_weight", "weight"])
@pytest.mark.parametrize("least", [-1.0, np.nan])
@pytest.mark.parametrize("loss", [LogLoss(), FocalLoss()], ids=str)
def test_weights_that_are_negative_or_nan_are_refused(
    loss, least, name, scores, targets
):
    for weight in (least, [1.0, least, 2.0], torch.tensor([1.0, least, 2.0])):
        with pytest.raises(ValueError, match=f"^{name} must be at least 0"):
            loss(scores, targets, **{name: weight}, reduction="mean")
        with pytest.raises(ValueError, match=f"^{name} must be at least 0"):
            SoftmaxLogLoss()(scores[:3], torch.arange(3), **{name: weight})


def test_the_complement_of_an_integer_mask_is_no_weight(scores, targets):
    missing = (targets == 1).int()
    with pytest.raises(ValueError, match=r"weight must be at least 0.*1 - mask"):
        LogLoss()(scores, targets, weight=~missing, reduction="mean")
    observed = LogLoss()(scores, targets, weight=1 - missing, reduction="mean")
    as_bool = LogLoss()(scores, targets, weight=~missing.bool(), reduction="mean")
    torch.testing.assert_close(observed, as_bool)


def test_no_pos_weight_is_none_wherever_it_is_read(scores):
    rates = [0.1, 0.2, 0.3]
    found, expected = (
        [
            LogLoss().log_odds(scores, weight),
            FocalLoss().link(weight)(scores.double()),
            FocalLoss().initial_scores(rates, weight),
            SoftmaxLogLoss().log_probabilities(scores, weight),
            LogitAdjustedLoss().setup([1, 2, 3], [5, 4, 3]).link(weight)(scores),
        ]
        for weight in (None, 1.0)
    )
    for each, other in zip(found, expected, strict=True):
        torch.testing.assert_close(each, other, rtol=0, atol=0)


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


class SquaredTerms(LogLoss):
    """Overrides `forward` together with both terms, which is consistent."""

    def positive(self, scores):
        return (scores - 1) ** 2

    def negative(self, scores):
        return scores**2

    def forward(self, scores, targets):
        return (scores - targets) ** 2


@pytest.mark.parametrize("base", [LogLoss, FocalLoss, PointwiseLoss, FunctionLoss])
@pytest.mark.parametrize("method", ["forward", "weighted_sum"])
def test_a_loss_overrides_its_forward_together_with_its_terms(base, method):
    def squared(self, scores, targets):
        return (scores - targets) ** 2

    message = f"Own overrides {method}, .*write positive.*or derive from SetLoss"
    with pytest.raises(TypeError, match=message):
        type("Own", (base,), {method: squared})
    if method == "forward":  # one of two terms is not enough
        with pytest.raises(TypeError, match=message):
            type("Own", (base,), {method: squared, "negative": lambda _, z: z**2})
    scores, targets = torch.tensor([[3.0, -2.0]]), torch.tensor([[1.0, 0.0]])
    assert SquaredTerms()(scores, targets).tolist() == [[4.0, 4.0]]
    assert SquaredTerms()(scores, targets, reduction="sum").item() == 8.0
    weighted = SquaredTerms()(scores, targets, pos_weight=2.0)
    assert weighted.tolist() == [[8.0, 4.0]]


@pytest.mark.parametrize("shape", [(3, 1), (1, 3), (1, 1), (3, 3)])
def test_a_pos_weight_has_one_axis(shape):
    scores, weight = torch.zeros(3, 3), np.ones(shape)
    for call in (
        lambda: LogLoss()(scores, scores, pos_weight=weight),
        lambda: LogLoss().log_odds(scores, weight),
        lambda: LogLoss().link(weight),
        lambda: LogLoss().initial_scores([0.1, 0.2, 0.3], weight),
        lambda: SoftmaxLogLoss().log_probabilities(scores, weight),
        lambda: SoftmaxLogLoss().link(weight, n_outputs=3),
    ):
        with pytest.raises(ValueError, match=re.escape(f"has the shape {shape}")):
            call()
    one = LogLoss().log_odds(scores, [2.0])
    torch.testing.assert_close(one, torch.full((3, 3), -np.log(2.0)).double())


INVALID = [
    (AsymmetricLoss(margin=5.0), "margin"),
    (FocalLoss(gamma=-1), "gamma"),
    (FocalLoss(gamma=[1.0, 2.0]), "gamma"),
    (Poly1Loss(epsilon=-2), "epsilon"),
    (HardNegativeMiningLoss(FocalLoss(gamma=-1)), "gamma"),
    (HardNegativeMiningLoss(easy_rate=2), "easy_rate"),
    (FunctionLoss(3), "function"),
    (TwoWayLoss(positive_temperature=0), "positive_temperature"),
    (SoftmaxFocalLoss(gamma=-1), "gamma"),
    (SoftTargetLoss([[0.9, 0.1], [0.2, 0.8]]), "target_matrix is for 2"),
]


@pytest.mark.parametrize(("loss", "name"), INVALID, ids=str)
def test_parameters_are_checked_in_the_call_and_in_the_inverse(loss, name):
    scores = torch.zeros(3, 3)
    targets = torch.tensor([0, 1, 2])
    if loss.target_types != ("multiclass",):
        targets = torch.eye(3)
    calls = [
        lambda: loss(scores, targets),
        lambda: loss(scores, targets, reduction="mean"),
        lambda: loss.link(n_outputs=3),
        lambda: loss.initial_scores([0.1, 0.2, 0.7]),
    ]
    if hasattr(loss, "log_odds"):
        calls.append(lambda: loss.log_odds(scores))
    if hasattr(loss, "log_probabilities"):
        calls.append(lambda: loss.log_probabilities(scores))
    for call in calls:
        with pytest.raises((ValueError, TypeError), match=name):
            call()


def test_parameters_are_checked_once_for_their_values(monkeypatch):
    scores, checked = torch.zeros(3, 3), []
    check = FocalLoss.check_params

    def counted(self, n_outputs):
        checked.append(n_outputs)
        check(self, n_outputs)

    monkeypatch.setattr(FocalLoss, "check_params", counted)
    loss = FocalLoss(gamma=np.ones(3))
    for _ in range(3):
        loss(scores, scores)
        loss.log_odds(scores)
    assert checked == [3]
    loss.gamma = -1.0
    with pytest.raises(ValueError, match="gamma"):
        loss(scores, scores)
    loss = HardNegativeMiningLoss(FocalLoss())
    loss(scores, scores)
    loss.loss.gamma = -1.0
    with pytest.raises(ValueError, match="gamma"):
        loss(scores, scores)


def test_a_call_leaves_no_trace_in_what_is_stored():
    loss, fresh = FocalLoss(), FocalLoss()
    loss(torch.zeros(2, 2), torch.zeros(2, 2))
    assert loss.__getstate__().keys() == fresh.__getstate__().keys()
    copied = pickle.loads(pickle.dumps(loss))
    assert copied.__getstate__().keys() == fresh.__getstate__().keys()


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (([np.nan, 5], [2, 3]), "n_positive must hold counts"),
        (([1, 5], [np.inf, 3]), "n_negative must hold counts"),
        (([-1, 5], [2, 3]), "n_positive must hold counts"),
        (([1, 5], [2, 3, 4]), "n_positive has 2 counts and n_negative 3"),
        ((5, 3), r"n_positive has the shape \(\)"),
    ],
)
def test_setup_refuses_what_are_no_counts(counts, words):
    for loss in (LogLoss(), LogitAdjustedLoss(), NegativeTolerantLoss(), ZLPRLoss()):
        with pytest.raises(ValueError, match=words):
            loss.setup(*counts)


@pytest.mark.parametrize("reduction", ["none", "sum"])
@pytest.mark.parametrize("label", [-1, 2, -0.1, 1.1, np.nan])
def test_targets_outside_of_their_range_are_refused(label, reduction):
    scores, targets = torch.tensor([[0.5, 1.0]]), torch.tensor([[label, 0]])
    for loss in (LogLoss(), FocalLoss(), ZLPRLoss(), SoftF1Loss()):
        with pytest.raises(ValueError, match=r"labels in \[0, 1\].*weight=0"):
            loss(scores, targets, reduction=reduction)


@pytest.mark.parametrize("label", [-1, -100, 3])
def test_classes_that_the_scores_lack_are_refused(label):
    targets = torch.tensor([0, label])
    for loss in (SoftmaxLogLoss(), SoftTargetLoss(), SoftmaxFocalLoss()):
        with pytest.raises(ValueError, match=r"the classes 0 to 2.*weight=0"):
            loss(torch.zeros(2, 3), targets)


def test_a_missing_label_is_left_out_by_its_weight():
    scores, targets = torch.tensor([[0.5, 1.0]]), torch.tensor([[0, 1]])
    weight = torch.tensor([[0.0, 1.0]])
    for reduction in ("none", "sum"):
        value = FocalLoss()(scores, targets, weight=weight, reduction=reduction)
        s = torch.tensor(1.0).sigmoid()
        torch.testing.assert_close(value.sum(), -((1 - s) ** 2) * s.log())
    empty = torch.zeros(0, 2)
    assert FocalLoss()(empty, empty, reduction="sum") == 0


@pytest.mark.parametrize("weight", [0.1, [0.1, 0.7], np.array([0.1, 0.7])], ids=repr)
def test_a_pos_weight_has_the_precision_of_the_scores(weight):
    scores = torch.tensor([[0.3, -1.2]], dtype=torch.float64)
    expected = torch.tensor(np.log1p(np.exp(-scores.numpy())) * weight)
    for reduction in ("none", "sum"):
        value = LogLoss()(
            scores, torch.ones(1, 2), pos_weight=weight, reduction=reduction
        )
        exact = expected if reduction == "none" else expected.sum()
        torch.testing.assert_close(value, exact, rtol=1e-14, atol=0)
    by_class = SoftmaxLogLoss()(scores, torch.tensor([1]), pos_weight=weight)
    exact = -scores.log_softmax(1)[:, 1] * float(np.ravel(weight)[-1])
    torch.testing.assert_close(by_class, exact, rtol=1e-14, atol=0)


def test_an_exponent_for_each_label_needs_no_setup():
    gamma, scores = [0.0, 1.5, 3.0], torch.tensor([[0.3, 0.3, 0.3], [-2.0, 1.0, 0.5]])
    loss = FocalLoss(gamma=gamma)
    assert loss.invertible
    assert loss.link().problem is None
    columns = [FocalLoss(gamma=g).log_odds(scores[:, [k]]) for k, g in enumerate(gamma)]
    torch.testing.assert_close(loss.log_odds(scores), torch.cat(columns, dim=1))
    mined = HardNegativeMiningLoss(FocalLoss(gamma=gamma))
    assert mined.log_odds(scores).shape == (2, 3)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("weight", [2, 2.0, np.float64(2.0), torch.tensor(2.0)])
def test_a_weight_may_be_a_number(scores, targets, reduction, weight):
    classes, function = targets.argmax(1), FunctionLoss(lambda z, y: (z - y) ** 2)
    losses = LogLoss(), FocalLoss(), DistributionBalancedLoss(), function
    for loss in (*losses, SoftmaxLogLoss(), ZLPRLoss()):
        loss.setup([3, 4, 5], [9, 8, 7])
        labels = classes if loss.target_types == ("multiclass",) else targets
        plain = loss(scores, labels, reduction=reduction)
        weighted = loss(scores, labels, weight=weight, reduction=reduction)
        torch.testing.assert_close(weighted, 2 * plain)


@pytest.mark.parametrize("reduction", ["none", "sum"])
def test_a_weight_of_another_shape_is_named(scores, targets, reduction):
    for loss in (LogLoss(), FocalLoss(), ZLPRLoss()):
        for shape in ((12,), (11, 3), (1, 12, 3)):
            with pytest.raises(ValueError, match="weight has the shape"):
                loss(scores, targets, weight=torch.ones(shape), reduction=reduction)
    with pytest.raises(ValueError, match=r"weight has the shape \(12, 1\)"):
        SoftmaxLogLoss()(scores, targets.argmax(1), weight=torch.ones(12, 1))


class MeanOfRows(SoftmaxLoss):
    def forward(self, scores, targets):
        return functional.cross_entropy(scores, targets)


class MeanOfSets(SetLoss):
    def forward(self, scores, targets, entry_weight):
        return (entry_weight * (scores.sigmoid() - targets) ** 2).mean()


class MeanOfTerms(PointwiseLoss):
    def positive(self, scores):
        return functional.softplus(-scores).mean()

    def negative(self, scores):
        return functional.softplus(scores)


AVERAGING = {
    "forward": [MeanOfRows(), MeanOfSets()],
    "positive": [
        MeanOfTerms(),
        FunctionLoss(torch.nn.BCEWithLogitsLoss()),
        HardNegativeMiningLoss(MeanOfTerms()),
    ],
}


@pytest.mark.parametrize("reduction", ["none", "mean"])
@pytest.mark.parametrize(
    ("name", "loss"),
    [(name, loss) for name, losses in AVERAGING.items() for loss in losses],
    ids=str,
)
def test_a_loss_of_ones_own_that_averages_is_refused(name, loss, reduction):
    scores, targets = torch.zeros(4, 3), torch.eye(4, 3)
    if isinstance(loss, SoftmaxLoss):
        targets = torch.tensor([0, 1, 2, 0])
    with pytest.raises(ValueError, match=rf"{name} gave a single Tensor"):
        loss(scores, targets, reduction=reduction)


def test_a_series_of_weights_or_counts_is_read_by_position(scores, targets):
    Y = pd.DataFrame(targets.numpy(), columns=["c", "a", "b"])
    n_positive, n_negative = Y.sum(), (1 - Y).sum()
    loss = NegativeTolerantLoss().setup(n_positive, n_negative)
    np.testing.assert_array_equal(loss.n_positive_, n_positive)
    weight, entries = n_negative / n_positive, 1.0 + Y
    for series, array in ((weight, weight.to_numpy()), (weight[::-1], weight[::-1])):
        array = np.asarray(array)
        found = loss(scores, targets, pos_weight=series, weight=entries)
        expected = loss(scores, targets, pos_weight=array, weight=entries.to_numpy())
        torch.testing.assert_close(found, expected)
        found, expected = (loss.log_odds(scores, each) for each in (series, array))
        torch.testing.assert_close(found, expected)
    prior = (n_positive + 0.5) / (len(Y) + 1)
    starts = [loss.initial_scores(each) for each in (prior, prior.to_numpy())]
    torch.testing.assert_close(*starts)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32])
@pytest.mark.parametrize("name", [n for n, kind in LOSSES if kind == "multiclass"])
def test_classes_are_integers_of_any_width(name, dtype, scores):
    loss = LOSSES[name, "multiclass"]().setup([3, 4, 5], [9, 8, 7])
    classes = torch.arange(12) % 3
    expected = loss(scores, classes, pos_weight=POS_WEIGHT)
    found = loss(scores, classes.to(dtype), pos_weight=POS_WEIGHT)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("shape", [(100,), (100, 2)])
def test_counts_of_other_outputs_are_not_broadcast(shape):
    loss = NegativeTolerantLoss().setup([5], [95])
    with pytest.raises(ValueError, match="counts of 1 outputs, but the scores have"):
        loss(torch.zeros(shape), torch.zeros(shape))


@pytest.mark.parametrize("name", [n for n, kind in LOSSES if kind == "multiclass"])
def test_starts_of_classes_divide_the_base_rates_by_their_sum(name):
    loss = LOSSES[name, "multiclass"]().setup([3, 4, 5], [9, 8, 7])
    prior = np.array([3.5, 4.5, 5.5]) / 13
    found, expected = map(loss.initial_scores, (prior, prior / prior.sum()))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize(
    "loss",
    [
        NegativeTolerantLoss(),
        AsymmetricLoss(),
        LogitAdjustedLoss(),
        HardNegativeMiningLoss(NegativeTolerantLoss()),
    ],
    ids=repr,
)
def test_a_net_in_half_precision_keeps_the_counts_of_its_loss(loss, dtype):
    loss.setup([2_000_001, 100_000, 3], [99_999, 2_000_000, 2_099_997])
    scores = torch.linspace(-4, 2, 12, dtype=torch.float64).reshape(4, 3)
    of_classes = isinstance(loss, SoftmaxLoss)
    invert = loss.log_probabilities if of_classes else loss.log_odds
    expected, start = invert(scores), loss.initial_scores([0.2, 0.3, 0.5])
    module = torch.nn.ModuleList([torch.nn.Linear(2, 3), loss]).to(dtype)
    assert module[0].weight.dtype == dtype
    torch.testing.assert_close(invert(scores), expected)
    torch.testing.assert_close(loss.initial_scores([0.2, 0.3, 0.5]), start)


class Tempered(PointwiseLoss):
    def __init__(self):
        super().__init__()
        self.temperature = torch.nn.Parameter(torch.ones(()))

    def positive(self, scores):
        return functional.softplus(-self.temperature * scores)

    def negative(self, scores):
        return functional.softplus(self.temperature * scores)


@pytest.mark.parametrize("mined", [False, True])
def test_a_loss_by_autograd_learns_a_parameter(mined, scores, targets):
    tempered = Tempered()
    loss = HardNegativeMiningLoss(tempered) if mined else tempered
    loss(scores, targets, reduction="mean").backward()
    assert tempered.temperature.grad.abs() > 0


@pytest.mark.parametrize("mined", [False, True])
def test_a_loss_with_its_derivative_learns_no_parameter(mined, scores, targets):
    loss = FocalLoss(gamma=torch.nn.Parameter(torch.ones(3)))
    loss = HardNegativeMiningLoss(loss) if mined else loss
    for call in (
        lambda: loss(scores, targets),
        lambda: loss.log_odds(scores),
        lambda: loss.setup([3, 4, 5], [9, 8, 7]),
    ):
        with pytest.raises(ValueError, match="Loss gives its derivative by the scores"):
            call()
