"""The inverse is checked: which losses have one, found out without trusting a flag.

What is right comes from the expected loss itself: a loss has an inverse where each
probability has minimisers of its own, which a fine grid of scores shows.
"""

import pickle
import warnings

import numpy as np
import pytest
import torch
from nets import stable_id
from scipy.special import expit, logit
from sklearn.base import clone
from torch.nn.functional import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    logsigmoid,
    relu,
    softplus,
)

from skimbalance.exceptions import CalibrationWarning
from skimbalance.losses import (
    AsymmetricLoss,
    FocalLoss,
    FunctionLoss,
    HardNegativeMiningLoss,
    LogLoss,
    NegativeTolerantLoss,
    PointwiseLoss,
    Poly1Loss,
    SetLoss,
    SoftmaxLogLoss,
    SoftmaxLoss,
    SoftTargetLoss,
)
from skimbalance.neural_network import ImbalancedMLPClassifier


class Terms(PointwiseLoss):
    """A loss of a user, its two terms given as functions."""

    def __init__(self, up, down):
        super().__init__()
        self.up, self.down = up, down

    def positive(self, scores):
        return self.up(scores)

    def negative(self, scores):
        return self.down(scores)


def as_function(up, down):
    return FunctionLoss(lambda z, y: torch.where(y > 0.5, up(z), down(z)))


def cross_entropy_of(q):
    """Generalized cross-entropy (Zhang, Sabuncu, 2018), of log-odds (1 - q) z."""
    return lambda z: (1 - z.sigmoid() ** q) / q, lambda z: (1 - (-z).sigmoid() ** q) / q


# The terms, and the log-odds that a score stands for.
INVERTIBLE = {
    "log": ((lambda z: softplus(-z), softplus), lambda z: z),
    "square": (
        (lambda z: (-z).sigmoid() ** 2, lambda z: z.sigmoid() ** 2),
        lambda z: z,
    ),
    "exponential": ((lambda z: (-z).exp(), torch.exp), lambda z: 2 * z),
    "generalized": (cross_entropy_of(0.5), lambda z: z / 2),
    "hinge_squared": (
        (lambda z: relu(1 - z) ** 2, lambda z: relu(1 + z) ** 2),
        lambda z: np.log((1 + z) / (1 - z)),
    ),
    "raw_square": (
        (lambda z: (z - 1) ** 2, lambda z: z**2),
        lambda z: np.log(z / (1 - z)),
    ),
    "clamped": (
        (
            lambda z: -z.sigmoid().clamp(1e-8).log(),
            lambda z: -(-z).sigmoid().clamp(1e-8).log(),
        ),
        lambda z: z,
    ),
}
NOT_INVERTIBLE = {
    "hinge": (lambda z: relu(1 - z), lambda z: relu(1 + z)),
    "absolute": (lambda z: (-z).sigmoid(), torch.sigmoid),
    "hill": (
        lambda z: -logsigmoid(z),
        lambda z: (1.5 - z.sigmoid()) * z.sigmoid() ** 2,
    ),
    "ramp": (lambda z: (1 - z).clamp(0, 2), lambda z: (1 + z).clamp(0, 2)),
    "dice": (lambda z: 1 - 2 * z.sigmoid() / (z.sigmoid() + 1), torch.sigmoid),
    "tversky": (
        lambda z: 1 - z.sigmoid() / (z.sigmoid() + 0.3 * (-z).sigmoid()),
        lambda z: 1 - (-z).sigmoid() / ((-z).sigmoid() + 0.7 * z.sigmoid()),
    ),
    "perceptron": (lambda z: relu(-z), relu),
    "constant": (lambda z: 0 * z, lambda z: 0 * z),
    "upside_down": (softplus, lambda z: softplus(-z)),
    "nearly_flat": cross_entropy_of(0.999),
}
WIDE = np.unique(np.concatenate([-np.logspace(-3, 4, 200), np.logspace(-3, 4, 200)]))
COUNTS = [(1, 1), (2, 18), (50, 950), (5_000, 995_000)]


def assert_finite_and_increasing(loss, pos_weight, n_labels=1):
    table = torch.as_tensor(WIDE).reshape(-1, 1).repeat(1, n_labels)
    log_odds = loss.log_odds(table, pos_weight)
    assert log_odds.isfinite().all()
    assert (log_odds.diff(dim=0) > 0).all()
    start = loss.link(pos_weight).initial_scores([0.03] * n_labels)
    assert start.isfinite().all()


def has_inverse(loss):
    return loss.link().problem is None


either = pytest.mark.parametrize("make", [Terms, as_function])


@pytest.mark.parametrize("name", ["hinge_squared", "raw_square"])
def test_scores_beyond_all_probabilities_are_no_outliers(name):
    terms, _ = INVERTIBLE[name]
    loss = Terms(*terms).setup([50], [950])
    low, high = loss.link().initial_scores([0.5 / 1001, 0.9995])
    steps = torch.tensor([[0.0], [1.0], [5.0]], dtype=torch.float64)
    for ends in (low - 0.01 - steps, high + 0.01 + steps):
        # No steeper than the log loss, whose scores are log-odds.
        assert (loss.log_odds(ends).diff(dim=0).abs() <= steps.diff(dim=0) + 1e-9).all()


@pytest.mark.parametrize(("scale", "shift"), [(5, 25), (3, -22), (3, 40)])
def test_a_map_that_bends_beyond_the_searched_scores_is_found_out(scale, shift):
    """Its log-odds are `scale (z - shift)`: a line of slope 1 would miss them."""
    loss = Terms(
        lambda z: softplus(-scale * (z - shift)),
        lambda z: softplus(scale * (z - shift)),
    ).setup([100], [900])
    assert "beyond 20" in loss.link().problem
    plain = Terms(lambda z: softplus(-z), softplus).setup([100], [900])
    assert plain.link().problem is None


def test_a_far_shift_by_label_is_found_out():
    shifted = NegativeTolerantLoss(kappa=5.0, negative_scale=2.0).setup([10], [990])
    assert "beyond 20" in shifted.link().problem
    near = NegativeTolerantLoss(kappa=1.0, negative_scale=2.0).setup([10], [990])
    u = torch.tensor([[-1.0], [0.0], [2.0]], dtype=torch.float64)
    expected = logsigmoid(2 * u) - logsigmoid(-u)  # the docstring's formula
    torch.testing.assert_close(near.log_odds(u + np.log(99)), expected)


@pytest.mark.parametrize("weight", [1.0, 20.0])
@pytest.mark.parametrize("margin", [0.05, 0.5, 3.0])
def test_bounded_scores_reach_all_probabilities(margin, weight):
    """A squared hinge is best at `m (2 e - 1)`, `e` the weighted posterior."""
    loss = Terms(lambda z: relu(margin - z) ** 2, lambda z: relu(margin + z) ** 2)
    loss.setup([400], [600])
    eta = torch.tensor([[0.0006], [0.01], [0.5], [0.99], [0.9994]], dtype=torch.float64)
    weighted = weight * eta / (weight * eta + 1 - eta)
    assert loss.link(weight).problem is None
    found = loss.log_odds(margin * (2 * weighted - 1), weight).sigmoid()
    torch.testing.assert_close(found, eta, rtol=1e-6, atol=0)


def test_a_loss_of_bounded_scores_keeps_the_order_of_the_rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1500, 3))
    log_odds = 1.5 * X[:, 0] - 2
    y = rng.random(1500) < expit(log_odds)
    loss = Terms(*INVERTIBLE["hinge_squared"][0])
    net = ImbalancedMLPClassifier((), loss=loss, max_epochs=20, random_state=0)
    proba = net.fit(X, y).predict_proba(X)[:, 1]
    assert np.corrcoef(proba, expit(log_odds))[0, 1] > 0.9
    assert proba.sum() == pytest.approx(expit(log_odds).sum(), rel=0.1)


@either
@pytest.mark.parametrize("name", INVERTIBLE)
def test_an_increasing_map_is_an_inverse(name, make):
    terms, expected = INVERTIBLE[name]
    loss = make(*terms).setup([50], [950])
    assert has_inverse(loss)
    etas = np.array([0.001, 0.05, 0.3, 0.8, 0.99])
    grid = np.linspace(-14, 14, 2001)
    for eta in etas:
        score = loss.link().initial_scores([eta]).item()
        found = expected(score)
        assert found == pytest.approx(logit(eta), abs=1e-6)
        # It is where the expected loss is least.
        z = torch.as_tensor(grid)
        risk = eta * loss.positive(z) + (1 - eta) * loss.negative(z)
        own = torch.tensor([score], dtype=torch.float64)
        best = eta * loss.positive(own) + (1 - eta) * loss.negative(own)
        assert best.item() <= risk.min().item() + 1e-12
    assert_finite_and_increasing(loss, 1.0)


@either
@pytest.mark.parametrize("counts", COUNTS[1:])
@pytest.mark.parametrize("name", NOT_INVERTIBLE)
def test_a_map_that_does_not_increase_is_found_out(name, counts, make):
    loss = make(*NOT_INVERTIBLE[name]).setup(*([count] for count in counts))
    for pos_weight in (1.0, 1e-4, 1e6):
        link = loss.link(pos_weight)
        if pos_weight == 1.0:
            assert not has_inverse(loss)
            assert link.problem
        assert_finite_and_increasing(loss, pos_weight)


BUILT_IN = [
    LogLoss(),
    FocalLoss(),
    FocalLoss(detach_modulator=True),
    Poly1Loss(1e4),
    Poly1Loss(-0.999),
    NegativeTolerantLoss(1.0, 0.5),
    AsymmetricLoss(),
    AsymmetricLoss(detach_modulator=True),
    AsymmetricLoss(gamma_positive=0),
    AsymmetricLoss(gamma_positive=0, margin=0.6),
    AsymmetricLoss(gamma_negative=0),
    AsymmetricLoss(0, 0, 0.2),
    AsymmetricLoss(0.5, 0.5),
    HardNegativeMiningLoss(AsymmetricLoss(0)),
    HardNegativeMiningLoss(Terms(*NOT_INVERTIBLE["hinge"])),
]


@pytest.mark.parametrize("pos_weight", [1e-4, 1.0, 50.0, 1e4, 1e6])
@pytest.mark.parametrize("loss", BUILT_IN, ids=stable_id)
def test_log_odds_and_starts_are_finite_whatever_the_counts(loss, pos_weight):
    for positive, negative in COUNTS:
        loss = clone(loss).setup([positive, negative], [negative, positive])
        assert_finite_and_increasing(loss, pos_weight, n_labels=2)


@pytest.mark.parametrize(
    ("loss", "pos_weight", "least", "most"),
    [
        # No score stands for more than 1 / (1 + margin (1 - margin) ...) = 0.9637.
        (AsymmetricLoss(gamma_positive=0), 1.0, 0.0, 0.9637),
        (AsymmetricLoss(gamma_positive=0), 1e4, 0.0, 1 / (1 + 1e4 / 26.55)),
        # The slope of a negative jumps from 0 at the margin.
        (AsymmetricLoss(gamma_negative=0), 1.0, 0.0436, 1.0),
        (AsymmetricLoss(0, 0, 0.2), 1.0, 0.1666, 0.8),
        (AsymmetricLoss(), 1.0, 0.0, 1.0),
        (AsymmetricLoss(), 1e4, 0.0, 1.0),
        (Poly1Loss(1e4), 1.0, 0.0, 1.0),  # nearly flat in the middle
        (Poly1Loss(1e4), 1e4, 0.0, 1.0),
    ],
)
def test_probabilities_without_a_score_of_their_own(loss, pos_weight, least, most):
    """Between `least` and `most` each probability has a score; the check agrees."""
    for n_rows in (20, 1000):
        floor = 0.5 / (n_rows + 1)
        loss = clone(loss).setup([n_rows / 10], [n_rows * 0.9])
        complete = least <= floor and most >= 1 - floor
        assert (loss.link(pos_weight).problem is None) == complete


class Flagged(Terms):
    """Claims of a user that are not true."""

    invertible = True


def test_claims_are_not_believed():
    loss = Flagged(*NOT_INVERTIBLE["absolute"]).setup([30], [70])
    assert loss.link().problem
    assert_finite_and_increasing(loss, 1.0)


class WrongForm(Terms):
    def unweighted_log_odds(self, scores):
        return 3 * scores


class RightForm(Terms):
    def unweighted_log_odds(self, scores):
        return scores / 2


def test_a_closed_form_is_compared_with_the_terms(problem):
    terms = cross_entropy_of(0.5)
    assert has_inverse(RightForm(*terms).setup([30], [70]))
    wrong = WrongForm(*terms).setup([30], [70])
    assert not has_inverse(wrong)
    # The derivatives of the terms are believed.
    assert wrong.log_odds([[2.0]]).item() == pytest.approx(1.0, abs=1e-9)
    with pytest.raises(ValueError, match="contradicts"):
        small(loss=wrong).fit(*problem)


class Halved(AsymmetricLoss):
    """A subclass that overrides one term, and no formula derived from it."""

    def negative(self, scores):
        return 0.5 * super().negative(scores)


class Hinged(LogLoss):
    def positive(self, scores):
        return relu(1 - scores)

    def negative(self, scores):
        return relu(1 + scores)


def test_a_subclass_leaves_formulas_of_its_base_behind():
    loss = Halved().setup([50], [950])
    scores = torch.linspace(-1, 3, 7, dtype=torch.float64).reshape(-1, 1)
    plain = AsymmetricLoss().setup([50], [950])
    targets = torch.zeros_like(scores)
    torch.testing.assert_close(loss(scores, targets), plain(scores, targets) / 2)
    total = loss.weighted_sum(scores, targets.bool())
    torch.testing.assert_close(total, plain(scores, targets).sum() / 2)
    torch.testing.assert_close(
        loss.log_odds(scores), plain.log_odds(scores) - np.log(2), rtol=0, atol=1e-9
    )
    hinged = Hinged().setup([50], [950])
    assert not has_inverse(hinged)
    expected = relu(1 + scores).sum()
    torch.testing.assert_close(hinged.weighted_sum(scores, targets.bool()), expected)


class MilderNegatives(NegativeTolerantLoss):
    """Overrides the negative term with its derivative."""

    def negative_value_and_grad(self, scores, labels=slice(None)):
        value, slope = super().negative_value_and_grad(scores, labels)
        return value / 2, slope / 2


class MilderLogLoss(LogLoss):
    def negative_value_and_grad(self, scores, labels=slice(None)):
        value, slope = super().negative_value_and_grad(scores, labels)
        return value / 2, slope / 2


@pytest.mark.parametrize("loss", [MilderNegatives(), MilderLogLoss()], ids=stable_id)
def test_all_forms_of_a_term_follow_the_one_that_a_subclass_overrides(loss):
    loss.setup([50, 50], [950, 950])
    scores = torch.randn(40, 2, dtype=torch.float64)
    value, _ = loss.negative_value_and_grad(scores)
    torch.testing.assert_close(loss.negative(scores), value)
    targets = torch.rand(40, 2) < 0.4  # too many positives to look them up
    expected = torch.where(targets, loss.positive(scores), value)
    torch.testing.assert_close(loss(scores, targets), expected)
    torch.testing.assert_close(loss.weighted_sum(scores, targets), expected.sum())


def test_whether_scores_are_log_odds_is_found_out():
    proper = [LogLoss(), FocalLoss(gamma=0), Terms(*INVERTIBLE["log"][0])]
    bent = [FocalLoss(), Hinged(), AsymmetricLoss(), HardNegativeMiningLoss()]
    for losses, expected in ((proper, True), (bent, False)):
        for loss in losses:
            assert loss.setup([50], [950]).link().is_identity == expected


# ----------------------------------------------------------------------------- softmax


class SoftmaxTerms(SoftmaxLoss):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, scores, targets):
        return self.function(scores, targets)


def _at(table, targets):
    return table.gather(1, targets.reshape(-1, 1)).squeeze(1)


def squared_softmax(scores, targets):
    return _at(scores.log_softmax(1), targets) ** 2


def absolute_softmax(scores, targets):
    return 1 - _at(scores.softmax(1), targets)


def one_against_all(scores, targets):
    hot = torch.nn.functional.one_hot(targets, scores.shape[1])
    return softplus(torch.where(hot > 0, -scores, scores)).sum(dim=1)


def crammer_singer(scores, targets):
    own = _at(scores, targets).unsqueeze(1)
    return relu(1 + scores - own).sum(dim=1) - 1


def generalized(scores, targets):
    return (1 - _at(scores.softmax(1), targets) ** 0.5) / 0.5


def upside_down(scores, targets):
    return -_at((-scores).log_softmax(1), targets)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (squared_softmax, True),
        (generalized, True),
        (torch.nn.CrossEntropyLoss(reduction="none"), True),
        (absolute_softmax, False),
        (one_against_all, False),
        (crammer_singer, False),
        (lambda z, y: 0 * _at(z, y), False),
    ],
)
def test_softmax_losses_are_checked(function, expected):
    counts = np.array([600.0, 300.0, 100.0])
    loss = SoftmaxTerms(function).setup(counts, 1000 - counts)
    assert has_inverse(loss) == expected
    scores = torch.randn(50, 3, dtype=torch.float64) * 3
    for pos_weight in (1.0, [1.0, 5.0, 100.0]):
        log_p = loss.log_probabilities(scores, pos_weight)
        assert log_p.isfinite().all()
        torch.testing.assert_close(log_p.exp().sum(1), torch.ones(50).double())
        start = loss.link(pos_weight).initial_scores(counts / 1000)
        assert start.isfinite().all()
    if not expected:
        torch.testing.assert_close(log_p, scores.log_softmax(dim=1))


class WrongPosterior(SoftmaxLogLoss):
    def closed_form_log_posterior(self, scores):
        return 2 * scores


class ScaledSoftmax(SoftmaxLogLoss):
    """Overrides the loss, and inherits a closed form that is no longer true."""

    def forward(self, scores, targets):
        return super().forward(2 * scores, targets)


def test_a_closed_form_posterior_is_compared_with_the_loss():
    counts = np.array([600.0, 300.0, 100.0])
    assert not has_inverse(WrongPosterior().setup(counts, 1000 - counts))
    loss = ScaledSoftmax().setup(counts, 1000 - counts)
    assert has_inverse(loss)
    scores = torch.tensor([[0.5, 0.0, -1.0]], dtype=torch.float64)
    expected = (2 * scores).log_softmax(1)
    torch.testing.assert_close(loss.log_probabilities(scores), expected)


# -------------------------------------------------------------------------- estimators


def small(**params):
    defaults = {"max_epochs": 2, "random_state": 0, "early_stopping": True}
    return ImbalancedMLPClassifier((), **{**defaults, **params})


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 4))
    Y = (X[:, :2] + rng.normal(size=(400, 2)) > [1.0, 1.6]).astype(int)
    return X, Y


HINGE = NOT_INVERTIBLE["hinge"]


def hinge(scores, targets):
    return relu(1 - (2 * targets - 1) * scores)


@pytest.mark.parametrize(
    "params",
    [
        {"loss": hinge},
        {"loss": Terms(*HINGE)},
        {"loss": Flagged(*HINGE)},
        {"loss": Hinged()},
        {"loss": "asymmetric", "loss_params": {"gamma_positive": 0}},
        {"loss": AsymmetricLoss(gamma_negative=0), "pos_weight": 3.0},
    ],
    ids=stable_id,
)
def test_without_an_inverse_scores_are_calibrated_with_one_warning(problem, params):
    X, Y = problem
    net = small(max_epochs=15, lr=0.05, **params)
    with pytest.warns(CalibrationWarning, match="no inverse") as caught:
        net.fit(X, Y)
    assert len(caught) == 1
    assert net.probabilities_corrected_
    proba = net.predict_proba(X)
    assert np.isfinite(net.decision_function(X)).all()
    np.testing.assert_allclose(proba.mean(0), Y.mean(0), rtol=0.4)
    for label in range(2):
        ranked = proba[Y[:, label] == 1, label].mean()
        assert ranked > 1.2 * proba[:, label].mean()
    with pytest.raises(ValueError, match=r"'exact', but loss .*no exact inverse"):
        clone(net).set_params(correct_probabilities="exact").fit(X, Y)
    with pytest.raises(ValueError, match=r"loss: .*no rows are held out"):
        clone(net).set_params(early_stopping=False).fit(X, Y)


def test_exact_names_the_parameters_that_spoil_the_inverse(problem):
    loss = AsymmetricLoss(0, 0, 0.2)
    net = small(loss=loss, correct_probabilities="exact")
    with pytest.raises(ValueError, match=r"gamma_negative=0.*margin=0\.2"):
        net.fit(*problem)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(loss="asymmetric", correct_probabilities="exact").fit(*problem)


def test_a_weight_can_spoil_the_inverse(problem):
    X, Y = problem
    params = {"loss": AsymmetricLoss(gamma_positive=0, margin=0.001)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(**params, correct_probabilities="exact").fit(X, Y)
    with pytest.raises(ValueError, match="pos_weight"):
        small(**params, pos_weight=100.0, correct_probabilities="exact").fit(X, Y)


class Detached(SetLoss):
    def forward(self, scores, targets, entry_weight):
        return (entry_weight * (scores - targets) ** 2).mean()


class Summed(Terms):
    def positive(self, scores):
        return softplus(-scores).sum()


class Broken(Terms):
    def negative(self, scores):
        return (scores - 10).log()


LOG = INVERTIBLE["log"][0]


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (torch.nn.BCELoss(reduction="none"), "probabilities.*log_loss"),
        (torch.nn.BCELoss(), "log_loss"),
        (torch.nn.CrossEntropyLoss(), "log_loss"),
        (torch.nn.CrossEntropyLoss(reduction="none"), "log_loss"),
        (torch.nn.NLLLoss(), "log_loss"),
        (torch.nn.BCEWithLogitsLoss(), "reduction='none'"),
        (torch.nn.BCEWithLogitsLoss(reduction="sum"), "reduction='none'"),
        (torch.nn.MSELoss(), "reduction='none'"),
        (torch.nn.BCEWithLogitsLoss, r"BCEWithLogitsLoss\(reduction='none'\)"),
        (torch.nn.BCELoss, "log_loss"),
        (FocalLoss, r"FocalLoss\(\), or its name, loss='focal'"),
        (Terms, r"loss=Terms\(\)"),
        (None, "log_loss"),
        (3, "log_loss"),
        (binary_cross_entropy_with_logits, "reduction='none'"),
        (binary_cross_entropy, "log_loss"),
        (cross_entropy, "reduction='none'"),
        (lambda z, y: z.sigmoid().log() * y + (1 - z).log(), "NaN"),
        (lambda z, y: (z > 0) * 1.0 - y, "gradient"),
        (lambda z, y: (z - y)[:, :1], "reduction"),
        (lambda z, y: z @ y, "failed on raw scores"),
        (
            torch.nn.BCEWithLogitsLoss(reduction="none", pos_weight=torch.ones(5)),
            "failed on raw scores",
        ),
        (Summed(*LOG), r"Summed\.positive gave a single"),
        (Broken(*LOG), r"Broken\.negative gave NaN"),
        (Terms(torch.ones_like, torch.ones_like), "Terms.positive and .* gradient"),
        (Detached(), r"Detached\.forward gave a single"),
        ("bce", "log_loss"),
        ("BCEWithLogitsLoss", "log_loss"),
        ("cross_entropy", "log_loss"),
        ("ce", "log_loss"),
        ("logloss", "log_loss"),
        ("log-loss", "log_loss"),
        ("binary_crossentropy", "log_loss"),
        ("focall", "Did you mean 'focal'"),
    ],
    ids=stable_id,
)
def test_what_is_no_loss_is_refused_with_the_way_out(problem, loss, words):
    net = small(loss=loss)
    with pytest.raises((ValueError, TypeError), match=words) as error:
        net.fit(*problem)
    assert "loss" in str(error.value)
    assert not hasattr(net, "classes_")


def test_a_softmax_loss_that_averages_is_refused():
    rng = np.random.default_rng(0)
    loss = SoftmaxTerms(lambda z, y: squared_softmax(z, y).mean())
    with pytest.raises(ValueError, match=r"loss: SoftmaxTerms\.forward gave a single"):
        small(loss=loss).fit(rng.normal(size=(90, 3)), np.arange(90) % 3)


@pytest.mark.parametrize("buffers", ["pos_weight", "weight"])
def test_weights_inside_a_torch_loss_are_corrected(problem, buffers):
    """A weight of the positives is corrected; one of labels needs no correction."""
    X, Y = problem
    given = {buffers: torch.tensor([4.0, 9.0], dtype=torch.float64)}
    net = small(
        loss=torch.nn.BCEWithLogitsLoss(reduction="none", **given),
        correct_probabilities="exact",
        max_epochs=40,
        lr=0.05,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.fit(X, Y)
    np.testing.assert_allclose(net.predict_proba(X).mean(0), Y.mean(0), rtol=0.25)
    raw = torch.zeros(1, 2, dtype=torch.float64)
    shift = np.log([4.0, 9.0]) if buffers == "pos_weight" else np.zeros(2)
    np.testing.assert_allclose(net.loss_.log_odds(raw)[0], -shift, atol=1e-9)


class Learnable(PointwiseLoss):
    """A loss with a weight of its own, which is trained with the net."""

    def __init__(self):
        super().__init__()
        self.slope = torch.nn.Parameter(torch.tensor(1.0))

    def positive(self, scores):
        return softplus(-self.slope * scores)

    def negative(self, scores):
        return softplus(self.slope * scores)


def test_fitted_links_are_stored_and_follow_the_loss(problem):
    X, Y = problem
    for loss in (AsymmetricLoss(), Learnable(), NegativeTolerantLoss()):
        net = small(loss=loss, correct_probabilities="exact").fit(X, Y)
        again = pickle.loads(pickle.dumps(net))
        np.testing.assert_array_equal(net.predict_proba(X), again.predict_proba(X))
    wide = SoftTargetLoss([[0.9, 0.1], [0.2, 0.8]]).setup([60, 40], [40, 60])
    assert pickle.loads(pickle.dumps(wide.link()))(torch.zeros(1, 2)).exp().sum() == 1


@pytest.mark.parametrize("rarity", [1e-2, 1e-4])
def test_soft_targets_undo_class_weights_of_any_ratio(rarity):
    prior = np.array([1 - rarity, 0.6 * rarity, 0.4 * rarity])
    weight, W = 1 / prior, 0.6 * np.eye(3) + 0.1
    loss = SoftTargetLoss(W).setup(1e6 * prior, 1e6 * (1 - prior))
    posterior = np.stack([prior, [0.01, 0.98, 0.01], [0.98, 0.015, 0.005]])
    mixed = (posterior * weight) @ W
    scores = torch.as_tensor(np.log(mixed))
    found = loss.log_probabilities(scores, weight).exp().numpy()
    np.testing.assert_allclose(found, posterior, rtol=1e-6)


def test_soft_targets_floor_what_no_rows_can_mix_after_the_weights():
    weight, W = np.array([1e-3, 1.0]), np.array([[0.9, 0.1], [0.2, 0.8]])
    loss = SoftTargetLoss(W).setup([900, 100], [100, 900])
    scores = torch.tensor([[-9.0, 0.0]], dtype=torch.float64)  # below .2, the least
    unweighted = np.exp(scores.numpy()) / weight
    expected = 0.5 / 1001 * unweighted[0, 0] / unweighted.sum()
    found = loss.log_probabilities(scores, weight).exp().numpy()
    np.testing.assert_allclose(found[0, 0], expected, rtol=1e-3)


class RoundedSoftTarget(SoftTargetLoss):
    """A subclass with a closed form of its own, whose least probability is 1 %."""

    def closed_form_log_posterior(self, scores):
        W = torch.as_tensor(self.target_matrix, dtype=scores.dtype)
        posterior = torch.linalg.solve(W.T, scores.softmax(dim=1).T).T
        return posterior.clamp(min=0.01).log()


def test_the_closed_form_of_a_subclass_of_soft_targets_is_used():
    loss = RoundedSoftTarget([[0.9, 0.1], [0.2, 0.8]]).setup([900, 100], [100, 900])
    scores = torch.tensor([[-9.0, 0.0]], dtype=torch.float64)
    found = loss.log_probabilities(scores, [1.0, 2.0]).exp().numpy()
    high = (0.9 * expit(9.0) - 0.1 * expit(-9.0)) / 0.7  # by Cramer's rule
    np.testing.assert_allclose(found[0, 0], 0.01 / (0.01 + high / 2), rtol=1e-6)


def test_the_softened_target_of_each_class_is_named_for_what_it_is():
    loss = SoftTargetLoss(target_matrix=[[0.9, 0.1], [0.2, 0.8]])
    p = expit(0.4)
    scores = torch.tensor([[0.4, 0.0]], dtype=torch.float64)
    found = loss(scores, torch.tensor([1])).item()
    assert found == pytest.approx(-0.2 * np.log(p) - 0.8 * np.log(1 - p), rel=1e-12)


class Exponential(PointwiseLoss):
    """A loss written once, as value and derivative."""

    def positive_value_and_grad(self, scores, labels=slice(None)):
        value = (-scores).exp()
        return value, -value

    def negative_value_and_grad(self, scores, labels=slice(None)):
        value = scores.exp()
        return value, value.clone()


def test_value_and_derivative_are_all_that_a_loss_has_to_say():
    loss, scores = Exponential().setup([50], [950]), torch.tensor([[-1.0], [0.3]])
    scores = scores.double().requires_grad_()
    torch.testing.assert_close(loss.positive(scores), (-scores).exp())
    torch.testing.assert_close(loss.negative(scores), scores.exp())
    targets = torch.tensor([[1.0], [0.25]]).double()
    assert torch.autograd.gradcheck(loss, (scores, targets))
    total = loss.weighted_sum(scores, torch.tensor([[1], [0]]))
    assert total.item() == pytest.approx(np.exp(1.0) + np.exp(0.3))
    torch.testing.assert_close(loss.log_odds(scores), 2 * scores.detach())
    assert has_inverse(loss)
    with pytest.raises(NotImplementedError, match=r"must define positive\(scores\)"):
        PointwiseLoss().positive(scores)


def test_a_loss_that_weighs_entries_by_others_has_no_inverse():
    class Weighing(Exponential):
        def entry_weight(self, scores, targets, weight=None):
            factor = 1 + targets.sum(dim=1, keepdim=True).to(scores.dtype)
            return factor if weight is None else factor * weight

    assert not has_inverse(Weighing().setup([50], [950]))


@pytest.mark.parametrize("correct", [True, "exact"])
def test_chunks_ask_for_an_inverse_as_a_fit_does(correct):
    X, y = np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 2
    loss = Terms(*NOT_INVERTIBLE["hinge"])
    net = ImbalancedMLPClassifier((), loss=loss, correct_probabilities=correct)
    with pytest.raises(ValueError, match=r"loss.* no (exact )?inverse"):
        net.partial_fit(X, y, classes=[0, 1])
    net.set_params(correct_probabilities=False).partial_fit(X, y, classes=[0, 1])
    assert np.isfinite(net.predict_proba(X)).all()


@pytest.mark.parametrize(
    "loss",
    [
        LogLoss(),
        FocalLoss(gamma=[0.0, 1.5, 2.0]),
        AsymmetricLoss(),
        FunctionLoss(lambda z, y: softplus((1 - 2 * y) * z) ** 2),
    ],
    ids=stable_id,
)
def test_log_odds_are_differentiable_by_scores_and_weights(loss):
    scores = torch.tensor([[0.3, -1.0, 2.0], [-0.7, 25.0, 0.0]], dtype=torch.float64)
    weight = torch.tensor([1.0, 3.0, 0.5], dtype=torch.float64)
    given = scores.requires_grad_(), weight.requires_grad_()
    assert torch.autograd.gradcheck(loss.log_odds, given, rtol=1e-4)
    assert not loss.initial_scores([0.1, 0.2, 0.3], weight).requires_grad
