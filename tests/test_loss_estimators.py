"""Losses inside the estimators: smoothing, calibration, functions, class weights."""

import pickle
import warnings

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from skimbalance._labels import (
    BINARY,
    MULTICLASS,
    MULTILABEL,
)
from skimbalance.calibration._calibrators import ShrunkClassCalibrator
from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.losses import (
    LOSSES,
    FocalLoss,
    FunctionLoss,
    HardNegativeMiningLoss,
    LogLoss,
    PointwiseLoss,
    SoftTargetLoss,
)
from skimbalance.metrics import expected_observed_ratio, multilabel_log_loss
from skimbalance.model_selection import multilabel_train_test_split
from skimbalance.neural_network import ImbalancedMLPClassifier, ImbalancedNetClassifier
from skimbalance.weights import compute_pos_weight


def small(**params):
    """A net that trains in a blink, on all its rows."""
    defaults = {
        "hidden_layer_sizes": (16,),
        "max_epochs": 3,
        "early_stopping": False,
        "random_state": 0,
    }
    return ImbalancedMLPClassifier(**{**defaults, **params})


def linear(n_features, n_outputs):
    return torch.nn.Linear(n_features, n_outputs)


@pytest.fixture(scope="module")
def problem():
    X, Y = make_imbalanced_multilabel(
        300, 6, 4, cardinality=1.2, imbalance_ratio=4, random_state=0
    )
    return X.astype(np.float64), Y.astype(np.int64)


@pytest.fixture(scope="module")
def known():
    """Rows to train on, to test on, and the true posterior of the latter."""
    rates = np.geomspace(0.02, 0.2, 5)
    X, Y, posterior = make_imbalanced_multilabel(
        8000,
        10,
        5,
        cardinality=rates.sum(),
        imbalance_ratio=10,
        return_posterior=True,
        random_state=0,
    )
    X, X_test, Y, _, _, eta = multilabel_train_test_split(
        X, Y, posterior, stratify=Y, test_size=0.4, random_state=0
    )
    return X, Y, X_test, eta.astype(float)


def expected_log_loss(eta, proba):
    proba = proba.astype(float).clip(1e-9, 1 - 1e-9)
    return -np.mean(eta * np.log(proba) + (1 - eta) * np.log1p(-proba))


def learner(**params):
    defaults = {"max_epochs": 25, "lr": 3e-3, "dropout": 0.0, "batch_size": 256}
    return small(**{**defaults, "early_stopping": True, "scoring": "loss", **params})


@pytest.fixture(scope="module")
def plain(known):
    X, Y, X_test, eta = known
    return expected_log_loss(eta, learner().fit(X, Y).predict_proba(X_test))


# ------------------------------------------------------------------------- every loss


@pytest.mark.parametrize("name", [n for n, kind in LOSSES if kind == MULTILABEL])
def test_every_loss_gives_corrected_probabilities_of_labels(known, plain, name):
    X, Y, X_test, eta = known
    net = learner(loss=name).fit(X, Y)
    proba = net.predict_proba(X_test)
    assert net.probabilities_corrected_
    assert ((proba > 0) & (proba < 1)).all()
    assert expected_log_loss(eta, proba) < 1.1 * plain
    ratio = proba.mean(axis=0) / eta.mean(axis=0)
    assert (np.abs(np.log(ratio)) < np.log(1.5)).all()


@pytest.fixture(scope="module")
def four_classes():
    """Rows of four classes, and a function that gives the log loss of a net on some."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4000, 4))
    scores = X @ rng.normal(size=(4, 4)) * 0.7 + np.log([0.6, 0.25, 0.1, 0.05])
    y = (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
    rows = np.arange(1500), y[2500:]

    def log_loss(net):
        return -np.log(net.predict_proba(X[2500:])[rows]).mean()

    plain = log_loss(learner().fit(X[:2500], y[:2500]))
    return X[:2500], y[:2500], log_loss, plain


@pytest.mark.parametrize("name", [n for n, kind in LOSSES if kind == MULTICLASS])
def test_every_loss_gives_corrected_probabilities_of_classes(four_classes, name):
    X, y, log_loss, plain = four_classes
    net = learner(loss=name).fit(X, y)
    assert net.probabilities_corrected_
    assert log_loss(net) < 1.1 * plain


@pytest.mark.parametrize("name", [n for n, kind in LOSSES if kind == BINARY])
def test_every_loss_of_a_binary_target_fits(problem, name):
    X, Y = problem
    net = small(loss=name, early_stopping=True).fit(X, Y[:, 0])
    assert net.predict_proba(X).shape == (300, 2)


# ----------------------------------------------------------- losses without an inverse


@pytest.mark.parametrize("name", ["zlpr", "distribution_balanced", "hard_negatives"])
def test_without_held_out_rows_there_are_no_probabilities(problem, name):
    X, Y = problem
    net = small(loss=name)
    assert hasattr(net, "predict_proba")  # nothing is known before fit
    net.fit(X, Y)
    assert not net.probabilities_corrected_
    for method in ("predict_proba", "decision_function", "predict_top_k"):
        assert not hasattr(net, method)
        with pytest.raises(AttributeError) as error:
            getattr(net, method)
        assert "no rows were held out" in str(error.value.__cause__)
    raw = clone(net).set_params(correct_probabilities=False).fit(X, Y)
    np.testing.assert_array_equal(net.predict(X), raw.decision_function(X) > 0)
    with pytest.raises(ValueError, match="threshold='uncorrected'"):
        net.set_params(threshold=0.3).predict(X)


def test_held_out_rows_bring_probabilities_back(problem):
    X, Y = problem
    net = small(loss="zlpr").fit(X[:200], Y[:200], X_val=X[200:], y_val=Y[200:])
    assert net.calibrator_ is not None
    assert net.probabilities_corrected_
    assert net.predict_proba(X).shape == Y.shape


def test_an_exact_inverse_cannot_be_asked_of_a_loss_that_has_none(problem):
    with pytest.raises(ValueError, match="no exact inverse"):
        small(loss="two_way", correct_probabilities="exact").fit(*problem)


def test_partial_fit_never_calibrates(problem):
    X, Y = problem
    net = small(loss="soft_f1").partial_fit(X, Y)
    assert not hasattr(net, "predict_proba")
    assert net.predict(X).shape == Y.shape


def test_set_losses_refuse_what_has_no_meaning_for_them(problem):
    with pytest.raises(ValueError, match="pos_weight has no meaning"):
        small(loss="zlpr", pos_weight="sqrt").fit(*problem)
    with pytest.raises(ValueError, match="label_smoothing has no meaning"):
        small(loss="zlpr", label_smoothing=0.1).fit(*problem)


def test_calibration_keeps_the_ranking_and_ties_nothing(known):
    X, Y, _, _ = known
    net = learner(loss="zlpr", max_epochs=5).fit(X, Y)
    raw = clone(net).set_params(correct_probabilities=False).fit(X, Y)
    # Of each member: their mean may rank otherwise, as each is calibrated by itself.
    for scores, reference in zip(
        net.out_of_fold_log_odds_.T, raw.out_of_fold_log_odds_.T, strict=True
    ):
        assert (np.diff(scores[np.argsort(reference)]) >= 0).all()
        assert len(np.unique(scores)) > 0.99 * len(np.unique(reference))


def test_missing_and_constant_labels_under_calibration(problem):
    X, Y = problem
    holes = Y.astype(float)
    holes[::7, 0] = np.nan
    holes[:, 3] = 0
    with pytest.warns(UserWarning, match="one value only"):
        net = small(loss="zlpr", early_stopping=True).fit(X, holes)
    proba = net.predict_proba(X)
    assert np.isfinite(proba).all()
    np.testing.assert_allclose(proba[:, 3], 0.5 / 301)


# --------------------------------------------------------------------- label smoothing


def test_batch_loss_with_smoothing_is_the_formula_written_out(problem):
    """(1 - e) y + e pi in the place of y; pos_weight on the positive term alone."""
    X, Y = problem
    pos_weight, e = np.array([2.0, 3.0, 5.0, 7.0]), 0.1
    net = ImbalancedNetClassifier(
        linear,
        pos_weight=pos_weight,
        label_smoothing=e,
        early_stopping=False,
        max_epochs=1,
        batch_size=len(Y),
        lr=1e-12,
        precision="64",
        random_state=0,
    ).fit(X, Y)
    z = net.net_.module_(torch.as_tensor(X)).detach().numpy()
    t = (1 - e) * Y + e * Y.mean(axis=0)
    losses = t * pos_weight * np.logaddexp(0, -z) + (1 - t) * np.logaddexp(0, z)
    assert net.history_[0]["train_loss"] == pytest.approx(losses.mean(), rel=1e-9)


def test_batch_loss_of_classes_with_smoothing(problem):
    X, y = problem[0], problem[1].argmax(axis=1)
    weight, e = np.array([1.0, 2.0, 3.0, 4.0]), 0.1
    net = ImbalancedNetClassifier(
        linear,
        pos_weight=weight,
        label_smoothing=e,
        early_stopping=False,
        max_epochs=1,
        batch_size=len(y),
        lr=1e-12,
        precision="64",
        random_state=0,
    ).fit(X, y)
    z = net.net_.module_(torch.as_tensor(X)).detach()
    log_p = z.log_softmax(dim=1).numpy()
    t = (1 - e) * np.eye(4)[y] + e * np.bincount(y) / len(y)
    expected = -(t * weight * log_p).sum(axis=1).mean()
    assert net.history_[0]["train_loss"] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("pos_weight", [None, "balanced"])
def test_smoothing_is_corrected(known, plain, pos_weight):
    X, Y, X_test, eta = known
    net = learner(label_smoothing=0.2, pos_weight=pos_weight)
    corrected = net.set_params(correct_probabilities="exact").fit(X, Y)
    assert corrected.probabilities_corrected_
    proba = corrected.predict_proba(X_test)
    assert expected_log_loss(eta, proba) < 1.1 * plain
    raw = clone(net).set_params(correct_probabilities=False).fit(X, Y)
    assert not raw.probabilities_corrected_
    likely = eta > 0.5
    gaps = [eta[likely] - p[likely] for p in (proba, raw.predict_proba(X_test))]
    assert abs(gaps[0].mean()) < abs(gaps[1].mean())


def test_smoothing_of_classes_starts_at_the_base_rates(problem):
    X, y = problem[0], problem[1].argmax(axis=1)
    net = small(label_smoothing=0.1, max_epochs=1, lr=1e-12, dropout=0.0)
    proba = net.fit(0 * X, y).predict_proba(0 * X[:1])[0]
    spread = np.abs(proba - np.bincount(y) / len(y)).max()
    assert spread < 0.2  # the default module starts with weights of its own
    net = ImbalancedNetClassifier(linear, label_smoothing=0.1, max_epochs=30)
    proba = net.set_params(early_stopping=False, random_state=0).fit(X, y)
    assert proba.predict_proba(X).mean(axis=0) == pytest.approx(
        np.bincount(y) / len(y), abs=0.05
    )


def test_smoothing_is_checked_and_needs_counts_in_partial_fit(problem):
    for wrong in (-0.1, 1.0, "much"):
        with pytest.raises(ValueError, match="label_smoothing"):
            small(label_smoothing=wrong).fit(*problem)
    with pytest.raises(ValueError, match=r"label_smoothing=0\.1 .*label_counts"):
        small(label_smoothing=0.1).partial_fit(*problem)


# --------------------------------------------------------------------- users' functions


def cross_entropy(scores, targets):
    return binary_cross_entropy_with_logits(scores, targets, reduction="none")


def absolute_error(scores, targets):
    return (scores.sigmoid() - targets).abs()


def test_a_function_is_a_loss(problem):
    X, Y = problem
    own = small(loss=cross_entropy, pos_weight="balanced", max_epochs=10).fit(X, Y)
    reference = small(pos_weight="balanced", max_epochs=10).fit(X, Y)
    assert isinstance(own.loss_, FunctionLoss)
    np.testing.assert_allclose(
        own.decision_function(X), reference.decision_function(X), atol=1e-6
    )
    again = pickle.loads(pickle.dumps(own))
    np.testing.assert_array_equal(again.predict_proba(X), own.predict_proba(X))


def test_a_torch_loss_with_weights_for_each_label_is_a_function(problem):
    X, Y = problem
    weight = torch.as_tensor(compute_pos_weight(Y))
    theirs = torch.nn.BCEWithLogitsLoss(reduction="none", pos_weight=weight)
    own = small(loss=theirs, init_bias="zero").fit(X, Y)
    reference = small(pos_weight="balanced", init_bias="zero").fit(X, Y)
    np.testing.assert_allclose(
        own.decision_function(X), reference.decision_function(X), atol=1e-6
    )


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (torch.nn.BCEWithLogitsLoss(), "reduction='none'"),
        (lambda z, y: softplus(-z) * y / y.sum(), "mixes entries"),
        (lambda z, y: -z.softmax(dim=1).log() * y, "mixes entries"),
    ],
)
def test_functions_are_checked_before_training(problem, function, message):
    net = small(loss=function)
    with pytest.raises(ValueError, match=message):
        net.fit(*problem)
    assert not hasattr(net, "classes_")


def test_a_function_without_a_monotone_inverse_is_calibrated_with_one_warning(known):
    X, Y, X_test, eta = known
    net = learner(loss=absolute_error, pos_weight=3.0)
    with pytest.warns(UserWarning, match="no increasing map") as caught:
        net.fit(X, Y)
    assert len(caught) == 1
    proba = net.predict_proba(X_test)
    constant = np.broadcast_to(Y.mean(axis=0), eta.shape)
    assert expected_log_loss(eta, proba) < 1.1 * expected_log_loss(eta, constant)


def test_functions_are_for_labels_and_must_be_callable(problem):
    X, Y = problem
    with pytest.raises(ValueError, match="targets, but y is multiclass"):
        small(loss=cross_entropy).fit(X, Y.argmax(axis=1))
    for wrong in (3, LogLoss, None):
        with pytest.raises(TypeError, match="LOSSES"):
            small(loss=wrong).fit(X, Y)


def test_losses_and_what_they_wrap_are_searched_over(problem):
    net = small(loss=HardNegativeMiningLoss(FocalLoss()), early_stopping=True)
    grid = {"loss__loss__gamma": [0.5, 3.0], "loss__ratio": [2]}
    search = GridSearchCV(net, grid, scoring="average_precision", cv=2)
    scores = search.fit(*problem).cv_results_["mean_test_score"]
    assert scores[0] != scores[1]


# ------------------------------------------------------------------------------ classes


@pytest.fixture(scope="module")
def classes():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1616, 3))
    y = np.repeat(np.arange(4), [198, 436, 710, 272])
    X[:, 0] += y * 0.5
    return X, y


def test_pos_weight_by_true_class_is_corrected_and_class_weight_is_not(classes):
    """The same training, read in two ways."""
    X, y = classes
    weight = compute_pos_weight(y)
    # The input scaler reads the weights of rows, and would distinguish the two.
    options = {"init_bias": "zero", "max_epochs": 15, "standardize": False}
    corrected = small(pos_weight=weight, **options).fit(X, y)
    population = small(class_weight=dict(enumerate(weight)), **options).fit(X, y)
    p, q = corrected.predict_proba(X), population.predict_proba(X)
    np.testing.assert_allclose(
        p, q / weight / (q / weight).sum(axis=1, keepdims=True), atol=1e-8
    )
    # One gives the probabilities of this population, the other of a balanced one.
    np.testing.assert_allclose(p.mean(axis=0), np.bincount(y) / len(y), atol=0.03)
    np.testing.assert_allclose(q.mean(axis=0), np.full(4, 0.25), atol=0.1)


def test_balanced_softmax_decides_by_its_raw_scores(classes):
    X, y = classes
    net = learner(loss="balanced_softmax", threshold="uncorrected").fit(X, y)
    plain = learner().fit(X, y)
    recall, reference = (
        np.mean([np.mean(m.predict(X)[y == k] == k) for k in range(4)])
        for m in (net, plain)
    )
    assert recall > reference + 0.02
    np.testing.assert_allclose(
        net.predict_proba(X).mean(axis=0), np.bincount(y) / len(y), atol=0.03
    )


def test_soft_targets_are_corrected(classes):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 4))
    y = (X * 3 + rng.gumbel(size=X.shape)).argmax(axis=1)
    net = learner(loss=SoftTargetLoss(0.6 * np.eye(4) + 0.1)).fit(X[:2000], y[:2000])
    raw = clone(net).set_params(correct_probabilities=False).fit(X[:2000], y[:2000])
    rows = np.arange(1000), y[2000:]
    corrected, blurred = (
        -np.log(m.predict_proba(X[2000:])[rows]).mean() for m in (net, raw)
    )
    assert corrected < 0.8 * blurred
    X, y = classes
    with pytest.raises(ValueError, match="3 classes, but y has 4"):
        learner(loss=SoftTargetLoss(np.eye(3))).fit(X, y)


def test_every_default_stays_silent(problem):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net = small(early_stopping=True, loss="zlpr").fit(*problem)
    assert 0.5 < expected_observed_ratio(problem[1], net.predict_proba(problem[0])) < 2


# -------------------------------------------------------------------------- calibrators


def test_calibrator_of_classes_finds_what_each_class_was_shifted_by():
    rng = np.random.default_rng(0)
    log_p = log_softmax(rng.normal(size=(4000, 3)) * 1.5 + [0, -1, -2], axis=1)
    y = (log_p + rng.gumbel(size=log_p.shape)).argmax(axis=1)
    bent = log_softmax(3 * (log_p + np.array([0.5, 0.0, -0.5])), axis=1)
    found = ShrunkClassCalibrator().fit(bent, y).transform(bent)
    eta = np.exp(log_p)
    risk, oracle = (-(eta * q).sum(axis=1).mean() for q in (found, log_p))
    assert risk < 1.01 * oracle
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1)


class SlopedLoss(PointwiseLoss):
    """The log-loss with a slope that is trained, too."""

    def __init__(self):
        super().__init__()
        self.slope = torch.nn.Parameter(torch.tensor(1.0))

    def positive(self, scores):
        return softplus(-scores * self.slope)

    def negative(self, scores):
        return softplus(scores * self.slope)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_parameters_of_a_loss_are_trained(method):
    X, Y = make_imbalanced_multilabel(300, n_labels=3, random_state=0)
    net = ImbalancedMLPClassifier(
        (8,), loss=SlopedLoss(), lr=0.01, max_epochs=3, random_state=0
    )
    getattr(net, method)(X, Y)
    assert net.loss_.slope.item() != 1.0
    assert net.loss.slope.item() == 1.0


def test_parameters_of_a_loss_are_those_of_the_best_epoch():
    X, Y = make_imbalanced_multilabel(300, n_labels=3, random_state=0)
    seen = []

    class Watch(Callback):
        def on_epoch_end(self, net, **kwargs):
            seen.append(net.criterion_.loss.slope.item())

    options = {"loss": SlopedLoss(), "lr": 0.05, "random_state": 0, "scoring": "loss"}
    options |= {"cross_fit": False, "early_stopping": True}
    net = ImbalancedMLPClassifier((8,), callbacks=[Watch()], max_epochs=40, **options)
    net.fit(X, Y)
    best = int(np.argmin([epoch["valid_loss"] for epoch in net.history_]))
    assert best < len(seen) - 1
    assert net.loss_.slope.item() == seen[best]
    net.set_params(warm_start=True, max_epochs=1, lr=1e-12, callbacks=None).fit(X, Y)
    assert net.loss_.slope.item() == pytest.approx(seen[best], rel=1e-6)


def test_early_stopping_corrects_by_the_parameters_of_the_epoch():
    X, Y = make_imbalanced_multilabel(300, n_labels=3, random_state=0)
    options = {"max_epochs": 5, "random_state": 0, "scoring": "neg_micro_log_loss"}
    loss = {"loss": SlopedLoss(), "lr": 0.05, "correct_probabilities": "exact"}
    net = ImbalancedMLPClassifier((8,), **loss, **options)
    net.fit(X[:200], Y[:200], X_val=X[200:], y_val=Y[200:])
    proba = net.predict_proba(X[200:])
    expected = -multilabel_log_loss(Y[200:], proba, average="micro")
    assert net.best_score_ == pytest.approx(expected, abs=1e-6)
