"""Held-out rows: their missing labels, their weights, and for whom they stand."""

import numpy as np
import pandas as pd
import pytest
import torch
from nets import small, small_problem
from sklearn.metrics import average_precision_score
from torch.nn.functional import binary_cross_entropy_with_logits

from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.metrics import get_scorer_names
from skimbalance.neural_network import ImbalancedMLPClassifier
from skimbalance.weights import compute_class_weight

TRAINING, HELD_OUT = slice(200), slice(200, None)


@pytest.fixture(scope="module")
def problem():
    return small_problem()


def expected_loss(net, X, Y, weight):
    """The weighted mean loss of the observed entries, by torch."""
    scores = net.net_.forward(X).double()
    labels = torch.as_tensor(np.nan_to_num(Y), dtype=torch.float64)
    values = binary_cross_entropy_with_logits(scores, labels, reduction="none").numpy()
    weight = np.where(np.isnan(Y), 0, weight)
    return (values * weight).sum() / weight.sum()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("complete", [False, True])
def test_the_validation_loss_is_the_mean_of_observed_entries(
    problem, complete, weighted
):
    """Whether labels are missing among the training rows is of no consequence."""
    X, Y = problem[0], problem[1].astype(float)
    rng = np.random.default_rng(0)
    Y[HELD_OUT][rng.random(Y[HELD_OUT].shape) < 0.5] = np.nan
    if not complete:
        Y[:9, 0] = np.nan
    weight = rng.uniform(0.5, 3, Y[HELD_OUT].shape) if weighted else np.ones(1)
    given = {"sample_weight_val": weight} if weighted else {}
    net = small(scoring="loss", n_iter_no_change=99, max_epochs=3, precision="64")
    net.fit(X[TRAINING], Y[TRAINING], X_val=X[HELD_OUT], y_val=Y[HELD_OUT], **given)
    best = min(net.history_, key=lambda epoch: epoch["valid_loss"])
    loss = expected_loss(net, X[HELD_OUT], Y[HELD_OUT], weight)
    assert best["valid_loss"] == pytest.approx(loss, rel=1e-6)
    assert net.best_score_ == pytest.approx(-loss, rel=1e-6)


@pytest.mark.parametrize("loss", ["focal", "zlpr", "two_way", "soft_f1"])
def test_held_out_entries_of_weight_0_are_missing_ones(problem, loss):
    X, Y = problem
    known = np.random.default_rng(0).random(Y[HELD_OUT].shape) < 0.5
    net, first = small(loss=loss, max_epochs=1), []
    held_out = {"X_val": X[HELD_OUT]}
    for y_val, weight in (
        (np.where(known, Y[HELD_OUT], np.nan), None),
        (Y[HELD_OUT], known.astype(float)),
    ):
        given = {**held_out, "y_val": y_val, "sample_weight_val": weight}
        net.fit(X[TRAINING], Y[TRAINING], **given)
        first.append(net.history_[0]["valid_loss"])
    assert np.isfinite(first[0])
    assert first[0] == pytest.approx(first[1], rel=1e-6)


def test_the_fitted_net_trains_on_rows_with_missing_labels(problem):
    X, Y = problem
    net = small(max_epochs=2).fit(X, Y)
    few = np.full(Y.shape, np.nan)
    few[:5] = Y[:5]
    net.net_.partial_fit(X, few)
    assert 0 < net.net_.history[-1]["train_loss"] < 2


def test_the_score_that_stops_weighs_the_rows():
    """Rows with a weight of nearly 0 have no say, as rows of weight 0 have none."""
    X, Y = make_imbalanced_multilabel(400, 6, 2, imbalance_ratio=3, random_state=0)
    weight = np.ones(400)
    Y[300:] = 1 - Y[300:]
    weight[300:] = 1e-9
    held_out = {"X_val": X[200:], "y_val": Y[200:], "sample_weight_val": weight[200:]}
    for scoring in ("macro_average_precision", "average_precision"):
        net = small(scoring=scoring, max_epochs=2).fit(X[:200], Y[:200], **held_out)
        proba = net.predict_proba(X[200:300])
        expected = average_precision_score(Y[200:300], proba)
        assert net.best_score_ == pytest.approx(expected, abs=1e-3)


def test_entry_weights_reach_the_score_that_stops(problem):
    X, Y = problem
    weight = np.random.default_rng(0).uniform(0.1, 4, Y[HELD_OUT].shape)
    net = small(scoring="macro_average_precision", max_epochs=1)
    held_out = {"X_val": X[HELD_OUT], "y_val": Y[HELD_OUT]}
    net.fit(X[TRAINING], Y[TRAINING], **held_out, sample_weight_val=weight)
    proba = net.predict_proba(X[HELD_OUT])
    columns = zip(Y[HELD_OUT].T, proba.T, weight.T, strict=True)
    each = [average_precision_score(y, p, sample_weight=w) for y, p, w in columns]
    assert net.best_score_ == pytest.approx(np.mean(each), abs=1e-6)


def test_held_out_rows_stand_for_themselves_whatever_array_they_are_in(problem):
    X, Y = problem
    noisy = np.where(np.random.default_rng(0).random(Y.shape) < 0.3, 1 - Y, Y)
    X = np.ascontiguousarray(X, dtype=np.float64)
    same, copied = (
        small(max_epochs=2, early_stopping=True).fit(X, noisy, X_val=held, y_val=Y)
        for held in (X, X.copy())
    )
    np.testing.assert_array_equal(same.predict_proba(X), copied.predict_proba(X))
    mean = same.predict_proba(X).mean(axis=0)
    np.testing.assert_allclose(mean, Y.mean(axis=0), rtol=0.05)


def shifted_problem(n_classes):
    """Return rows of even classes, and rows of which few have the last class."""
    rng = np.random.default_rng(0)
    y = rng.integers(n_classes, size=2000)
    X = rng.normal(size=(2000, 3))
    X[:, 0] += 1.5 * (y == n_classes - 1)
    kept = (y < n_classes - 1) | (rng.random(len(y)) < 0.1) | (np.arange(2000) < 1000)
    return X[kept], y[kept]


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_prior_is_that_of_held_out_rows_of_another_population(n_classes):
    """The probabilities are matched to these rows, and a rule compares both."""
    X, y = shifted_problem(n_classes)
    held_out = {"X_val": X[1000:], "y_val": y[1000:]}
    net = ImbalancedMLPClassifier((), max_epochs=5, label_smoothing=0.1, random_state=0)
    proba = net.fit(X[:1000], y[:1000], **held_out).predict_proba(X[1000:])
    prior = net.prior_ if n_classes > 2 else np.append(1 - net.prior_, net.prior_)
    np.testing.assert_allclose(prior, proba.mean(axis=0), rtol=1e-6)
    rate = np.bincount(y[1000:]) / len(y[1000:])
    np.testing.assert_allclose(prior, rate, rtol=0.1)
    if n_classes == 2:
        np.testing.assert_array_equal(
            net.set_params(threshold="prior").predict(X),
            net.predict_proba(X)[:, 1] > prior[1],
        )
        assert net.thresholds_ == net.prior_
    exported = net.to_torch()(torch.as_tensor(X[1000:])).numpy()
    np.testing.assert_allclose(
        exported.reshape(len(proba), -1)[:, -1], proba[:, -1], atol=1e-6
    )


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_prior_of_a_split_is_that_of_all_rows(n_classes):
    """Groups may leave other base rates in the part that trains."""
    X, y = shifted_problem(n_classes)
    part, weight = np.arange(len(y)) // 300, 1.0 + np.arange(len(y)) % 3
    net = small(early_stopping=True, validation_fraction=0.4)
    net.fit(X, y, sample_weight=weight, groups=part)
    rate = np.bincount(y, weight) / weight.sum()
    np.testing.assert_allclose(net.prior_, rate if n_classes > 2 else rate[1:])
    net.set_params(correct_probabilities="exact")
    net.fit(X, y, sample_weight=weight, groups=part)
    assert abs(net.prior_[-1] / rate[-1] - 1) > 0.01  # of the training part


def test_the_prior_without_a_match_to_held_out_rows_is_that_of_the_training():
    X, y = shifted_problem(2)
    Y = np.column_stack([y, y, np.arange(len(y)) % 3 == 0]).astype(float)
    Y[1000:, 1] = np.nan
    held_out = {"X_val": X[1000:], "y_val": Y[1000:]}
    of_training = Y[:1000].mean(axis=0)
    net = small(max_epochs=2).fit(X[:1000], Y[:1000], **held_out)
    assert net.prior_[0] < 0.7 * of_training[0]
    assert net.prior_[1] == pytest.approx(of_training[1])
    for correct in (False, "exact"):
        net.set_params(correct_probabilities=correct)
        net.fit(X[:1000], Y[:1000], **held_out)
        np.testing.assert_allclose(net.prior_, of_training)


def test_balanced_weights_are_those_of_the_training_classes():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    y = (X[:, 0] + rng.normal(size=300) > 1.3).astype(int)
    X_val = rng.normal(size=(80, 3)) + np.array([1.3, 0, 0])
    y_val = (X_val[:, 0] + rng.normal(size=80) > 1.3).astype(int)
    balanced, given = (
        ImbalancedMLPClassifier((), max_epochs=3, class_weight=weight, random_state=0)
        .fit(X, y, X_val=X_val, y_val=y_val)
        .predict_proba(X)
        for weight in ("balanced", compute_class_weight(y))
    )
    np.testing.assert_allclose(balanced, given, rtol=1e-6)


def test_weights_without_names_go_with_the_labels_as_they_are_passed(problem):
    """In `y_val` and in later chunks, whose columns are in another order."""
    X, Y = problem
    Y = pd.DataFrame(Y, columns=list("abcd"))
    weight = np.random.default_rng(0).uniform(0.1, 4, Y.shape)
    other = [2, 0, 3, 1]
    nets = []
    for order in ([0, 1, 2, 3], other):
        held_out = {"X_val": X[HELD_OUT], "y_val": Y.iloc[HELD_OUT, order]}
        held_out["sample_weight_val"] = weight[HELD_OUT][:, order]
        net = small(max_epochs=2).fit(X[TRAINING], Y[TRAINING], **held_out)
        net.partial_fit(X, Y.iloc[:, order], sample_weight=weight[:, order])
        nets.append(net.predict_proba(X))
    np.testing.assert_array_equal(*nets)


# There are four labels.
SCORERS = [name for name in get_scorer_names() if not name.endswith("_at_5")]


@pytest.mark.parametrize("name", [*SCORERS, "f1_macro"])
def test_each_scorer_takes_the_weights_that_it_can_read(problem, name):
    X, Y = problem
    weight = np.random.default_rng(0).uniform(0.1, 4, Y[HELD_OUT].shape)
    held_out = {"X_val": X[HELD_OUT], "y_val": Y[HELD_OUT]}
    net = small(scoring=name, max_epochs=1)
    net.fit(X[TRAINING], Y[TRAINING], **held_out, sample_weight_val=weight)
    assert np.isfinite(net.best_score_)


def test_scores_of_pairs_of_classes_are_taken_without_weights(problem):
    X, y = problem[0], problem[1][:, :2] @ [1, 2]
    net = small(scoring="roc_auc_ovo", class_weight="balanced", early_stopping=True)
    assert 0 < net.fit(X, y).best_score_ < 1
