"""Batch samplers: how often rows are drawn, what weighs them, and what corrects it."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from nets import small, small_problem
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import GridSearchCV

from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.losses import LogLoss
from skimbalance.metrics import expected_observed_ratio, multilabel_log_loss
from skimbalance.neural_network import ImbalancedMLPClassifier, LabelAwareBatches
from skimbalance.neural_network._batches import (
    Draws,
    _corrected_draws,
    _own_draws,
)
from skimbalance.neural_network._module import PointwiseCriterion, sum_over_members

# Eight rows: three labels with four, two and one positives; two rows have none.
Y = np.array(
    [
        [1, 0, 0],
        [1, 0, 0],
        [1, 1, 0],
        [1, 0, 1],
        [0, 1, 0],
        [0, 0, 0],
        [0, 0, 0],
        [0, 0, 0],
    ]
)
FOLD = np.array([0, 1, 2, 0, 1, 2, 0, 1])
TRAINS = FOLD[:, None] != np.arange(3)
SAMPLERS = ["label_aware", LabelAwareBatches(uniform=0.5, correct=True)]
each_sampler = pytest.mark.parametrize("sampler", SAMPLERS, ids=str)


def holding_out(**params):
    """Return a small net that holds rows out, which a label matrix needs."""
    return small(early_stopping=True, **params)


class Alternating(BaseEstimator):
    """Draw every other row twice as often: a sampler of the user."""

    def __init__(self, factor=2.0):
        self.factor = factor

    def row_probabilities(self, y):
        return np.where(np.arange(y.shape[0]) % 2, self.factor, 1.0)


@pytest.fixture(scope="module")
def problem():
    return small_problem()


# ------------------------------------------------------------------------ probabilities


def _by_hand(labels, power, uniform):
    """Return the probabilities of the formula, entry by entry."""
    n_samples, n_labels = labels.shape
    n_positive = labels.sum(axis=0)
    weights = [n**power if n else 0.0 for n in n_positive]
    q = np.full(n_samples, uniform / n_samples)
    for i in range(n_samples):
        for k in range(n_labels):
            if labels[i, k]:
                chosen = weights[k] / sum(weights)
                q[i] += (1 - uniform) * chosen / n_positive[k]
    return q


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("uniform", [0.2, 0.6, 1.0])
def test_probabilities_of_rows_by_hand(power, uniform):
    sampler = LabelAwareBatches(power, uniform)
    q = sampler.row_probabilities(sp.csr_array(Y))
    np.testing.assert_allclose(q, _by_hand(Y, power, uniform))
    assert q.sum() == pytest.approx(1)
    assert q.min() >= uniform / len(Y)
    without = np.column_stack([Y, np.zeros(8, dtype=int)])  # a label of no row
    again = sampler.row_probabilities(sp.csr_array(without))
    np.testing.assert_allclose(again, q)
    nothing = sampler.row_probabilities(sp.csr_array((8, 3), dtype=np.int8))
    np.testing.assert_allclose(nothing, 1 / 8)


def test_rows_are_drawn_as_often_as_the_formula_says():
    q = LabelAwareBatches(uniform=0.2).row_probabilities(sp.csr_array(Y))
    torch.manual_seed(0)
    counts = np.array([np.bincount(Draws(q).order(), minlength=8) for _ in range(1000)])
    assert (counts.sum(axis=1) == 8).all()
    # Systematic sampling: never more than one away from the expectation.
    assert (np.abs(counts - 8 * q) < 1).all()
    np.testing.assert_allclose(counts.mean(axis=0), 8 * q, atol=0.06)
    # The order of the drawn rows is random: each place holds each row as often.
    first = np.bincount([Draws(q).order()[0] for _ in range(1000)], minlength=8)
    np.testing.assert_allclose(first / 1000, q, atol=0.06)


def test_labels_are_drawn_first():
    """The frequencies are those of drawing a label and then one of its rows."""
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(4000):
        if rng.random() < 0.2:
            drawn.append(rng.integers(8))
        else:
            drawn.append(rng.choice(np.flatnonzero(Y[:, rng.integers(3)])))
    q = LabelAwareBatches(uniform=0.2).row_probabilities(sp.csr_array(Y))
    np.testing.assert_allclose(np.bincount(drawn) / 4000, q, atol=0.03)


# ------------------------------------------------------------------------------ weights


def test_corrected_weights_are_inverse_probabilities_with_a_bound():
    sampler = LabelAwareBatches(uniform=0.25, correct=True)
    draws = _corrected_draws(sampler, sp.csr_array(Y), None)
    q = sampler.row_probabilities(sp.csr_array(Y))
    np.testing.assert_allclose(draws.importance, 1 / (8 * q), rtol=1e-6)
    assert draws.importance.max() <= 1 / 0.25 + 1e-6
    assert draws.log_rates is None
    kish = 64 / (1 / (8 * q)).mean()
    assert draws.effective_size(64) == pytest.approx(kish, rel=1e-5)


def test_members_draw_from_their_own_rows_by_their_own_frequencies():
    sampler = LabelAwareBatches(uniform=0.2)
    q, weight = _own_draws(sampler, sp.csr_array(Y), TRAINS)
    assert q.sum() == pytest.approx(1)
    for member in range(3):
        own = member != FOLD
        law = q * weight[:, member]
        assert (law[~own] == 0).all()
        np.testing.assert_allclose(law[own], _by_hand(Y[own], 0, 0.2), rtol=1e-6)


def test_corrected_members_weigh_their_own_rows_equally():
    sampler = LabelAwareBatches(uniform=0.2, correct=True)
    draws = _corrected_draws(sampler, sp.csr_array(Y), TRAINS)
    for member in range(3):
        own = member != FOLD
        mean = draws.probability * draws.importance[:, member]
        np.testing.assert_allclose(mean, own / own.sum(), rtol=1e-6)


def _gradient(criterion, scores, labels, weight, **given):
    scores = scores.clone().requires_grad_()
    sum_over_members(criterion, scores, labels, weight, **given).backward()
    return scores.grad


@pytest.mark.parametrize("weight", [None, "rows", "entries"])
def test_expected_gradient_of_corrected_members_is_the_plain_one(weight):
    torch.manual_seed(0)
    labels = torch.as_tensor(np.where(np.arange(24).reshape(8, 3) == 5, -1, Y))
    weights = {"rows": torch.rand(8).double(), "entries": torch.rand(8, 3).double()}
    weight = weights.get(weight)
    scores = torch.randn(8, 3, 3, dtype=torch.float64)
    criterion = PointwiseCriterion(LogLoss(), has_missing=True)
    sampler = LabelAwareBatches(uniform=0.3, correct=True)
    draws = _corrected_draws(sampler, sp.csr_array(Y), TRAINS)
    # The mean over draws: each row counts by its probability, as if in one batch.
    often = torch.as_tensor(8 * draws.probability[:, None] * draws.importance)
    expected = _gradient(criterion, scores, labels, weight, importance=often)
    plain = _gradient(criterion, scores, labels, weight, fold=torch.as_tensor(FOLD))
    torch.testing.assert_close(expected, plain, rtol=1e-6, atol=1e-9)


def test_mean_gradient_over_many_draws_is_the_plain_one():
    torch.manual_seed(0)
    X, labels = torch.randn(8, 2, dtype=torch.float64), torch.as_tensor(Y).double()
    W = torch.randn(2, 3, dtype=torch.float64)
    each = torch.einsum("ni,nk->nik", X, torch.sigmoid(X @ W) - labels)
    sampler = LabelAwareBatches(uniform=0.2, correct=True)
    draws = _corrected_draws(sampler, sp.csr_array(Y), None)
    sums = []
    for _ in range(1000):
        order = draws.order()
        weight = draws.weights_of(order)
        sums.append((weight[:, None, None] * each[order]).mean(dim=0))
    sums = torch.stack(sums)
    error = sums.std(dim=0) / len(sums) ** 0.5
    assert ((sums.mean(dim=0) - each.mean(dim=0)).abs() < 4 * error + 1e-6).all()


# ---------------------------------------------------------------------------------- fit


@each_sampler
@pytest.mark.parametrize("cross_fit", [True, False])
def test_fit_is_deterministic_and_probabilities_are_calibrated(
    sampler, cross_fit, problem
):
    X, labels = make_imbalanced_multilabel(
        1000, n_labels=4, imbalance_ratio=10, random_state=0
    )
    net = ImbalancedMLPClassifier(
        (16,),
        batch_sampler=sampler,
        cross_fit=cross_fit,
        max_epochs=5,
        random_state=0,
    )
    proba = net.fit(X[:600], labels[:600]).predict_proba(X[600:])
    again = clone(net).fit(X[:600], labels[:600]).predict_proba(X[600:])
    np.testing.assert_array_equal(proba, again)
    assert net.probabilities_corrected_
    assert 0.7 < expected_observed_ratio(labels[600:], proba) < 1.4
    plain = clone(net).set_params(batch_sampler=None).fit(X[:600], labels[:600])
    assert not np.allclose(proba, plain.predict_proba(X[600:]))
    assert plain.effective_batch_size_ is None
    loss = multilabel_log_loss(labels[600:], proba)
    base = multilabel_log_loss(labels[600:], plain.predict_proba(X[600:]))
    assert loss < base + 0.05


def test_containers_and_missing_labels_do_not_matter(problem):
    X, labels = problem
    net = holding_out(batch_sampler="label_aware")
    dense = net.fit(X, labels).predict_proba(X)
    sparse = clone(net).fit(X, sp.csr_matrix(labels)).predict_proba(X)
    np.testing.assert_allclose(sparse, dense, rtol=1e-6)
    missing = labels.astype(float)
    missing[::7, 1] = np.nan
    dense = clone(net).fit(X, missing).predict_proba(X)
    sparse = clone(net).fit(X, sp.csr_matrix(missing)).predict_proba(X)
    np.testing.assert_allclose(sparse, dense, rtol=1e-6)


def test_resumed_training_draws_on(tmp_path, problem):
    X, labels = problem
    for sampler in ("label_aware", LabelAwareBatches(correct=True)):
        whole = holding_out(batch_sampler=sampler, max_epochs=6).fit(X, labels)
        folder = tmp_path / str(sampler)
        first = holding_out(batch_sampler=sampler, max_epochs=3, checkpoint=folder)
        first.fit(X, labels)
        resumed = clone(first).set_params(max_epochs=6, resume=True).fit(X, labels)
        np.testing.assert_array_equal(resumed.predict_proba(X), whole.predict_proba(X))
        other = clone(first).set_params(batch_sampler=None, resume=True)
        with pytest.raises(ValueError, match="batch_sampler"):
            other.fit(X, labels)


def test_partial_fit_refuses_it(problem):
    X, labels = problem
    with pytest.raises(ValueError, match=r"batch_sampler='label_aware'.*call fit"):
        holding_out(batch_sampler="label_aware").partial_fit(X, labels)
    fitted = holding_out(batch_sampler="square_root").fit(X, labels)
    with pytest.raises(ValueError, match="batch_sampler=None"):
        fitted.partial_fit(X, labels)


def test_row_weights_of_the_user_and_a_single_net(problem):
    X, labels = problem
    weight = np.random.default_rng(0).random(len(X)) + 0.5
    for given in (weight, np.tile(weight[:, None], labels.shape[1])):
        net = holding_out(batch_sampler=LabelAwareBatches(correct=True), n_members=1)
        proba = net.fit(X, labels, sample_weight=given).predict_proba(X)
        assert np.isfinite(proba).all()
        assert 1 < net.effective_batch_size_ < net.net_.batch_size


# -------------------------------------------------------------- what corrects the shift


def _classes(n_classes, n=1500, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.choice(
        n_classes, n, p=np.array([0.9, 0.1] if n_classes == 2 else [0.8, 0.15, 0.05])
    )
    return rng.normal(size=(n, 3)) + np.eye(3)[y], y


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("sampler", ["label_aware", "square_root"])
def test_known_rates_correct_classes_exactly(n_classes, sampler):
    X, y = _classes(n_classes)
    net = ImbalancedMLPClassifier(
        (),
        batch_sampler=sampler,
        correct_probabilities="exact",
        max_epochs=20,
        random_state=0,
    ).fit(X, y)
    counts = np.bincount(y)
    power = {"label_aware": 0.0, "square_root": 0.5}[sampler]
    chosen = counts**power / (counts**power).sum()
    rate = (
        0.2 + 0.8 * chosen * len(y) / counts
    )  # draws of a row of the class, per epoch
    raw = torch.randn(7, net._output.n_outputs).double()
    scores = net._output.scores(raw)
    if n_classes == 2:
        np.testing.assert_allclose(scores, raw.numpy() - np.log(rate[1] / rate[0]))
    else:
        shifted = raw.numpy() - np.log(rate)
        expected = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        np.testing.assert_allclose(scores, expected)
    assert net.probabilities_corrected_
    fresh, truth = _classes(n_classes, seed=1)
    mean = net.predict_proba(fresh).mean(axis=0)
    np.testing.assert_allclose(mean, np.bincount(truth) / len(truth), atol=0.02)


def test_the_bias_starts_at_the_base_rates_of_the_draws(problem):
    X, y = _classes(2)
    net = ImbalancedMLPClassifier(batch_sampler="label_aware", max_epochs=1)
    net.fit(X, y)
    start = net._output.initial_bias()
    rate = 0.2 * y.mean() + 0.8 * 0.5
    np.testing.assert_allclose(start, np.log(rate / (1 - rate)), atol=1e-6)


def test_label_matrices_need_held_out_rows_for_it(problem):
    X, labels = problem
    with pytest.raises(ValueError, match="early_stopping=True"):
        small(batch_sampler="label_aware").fit(X, labels)
    with pytest.raises(ValueError, match="no exact inverse"):
        holding_out(batch_sampler="label_aware", correct_probabilities="exact").fit(
            X, labels
        )
    for params in (
        {"batch_sampler": "label_aware", "correct_probabilities": False},
        {"batch_sampler": LabelAwareBatches(correct=True)},
    ):
        net = small(**params).fit(X, labels)
        is_corrected = params.get("correct_probabilities", True)
        assert net.probabilities_corrected_ == is_corrected


# ------------------------------------------------------------------ objects of the user


def test_an_object_of_the_user_draws(problem):
    X, labels = problem
    net = holding_out(batch_sampler=Alternating(3.0)).fit(X, labels)
    assert net.effective_batch_size_ == net.net_.batch_size
    folds = holding_out(batch_sampler=Alternating(3.0), cross_fit=True).fit(X, labels)
    # Each member leaves out its fold, a fifth of each batch.
    assert folds.effective_batch_size_ < 0.85 * folds.net_.batch_size
    pickle.loads(pickle.dumps(net)).predict(X)
    y = labels[:, 0]  # the draws depend on more than the class: nothing exact is known
    with pytest.raises(ValueError, match="no exact inverse"):
        holding_out(batch_sampler=Alternating(), correct_probabilities="exact").fit(
            X, y
        )


def test_parameters_are_searched(problem):
    X, labels = problem
    search = GridSearchCV(
        holding_out(batch_sampler=LabelAwareBatches(), max_epochs=1),
        {"batch_sampler__uniform": [0.2, 0.8]},
        cv=2,
        scoring="neg_log_loss",
        error_score="raise",
    )
    search.set_params(
        scoring=lambda net, X, y: -multilabel_log_loss(y, net.predict_proba(X))
    )
    search.fit(X, labels)
    assert search.best_params_["batch_sampler__uniform"] in (0.2, 0.8)


class _Wrong(Alternating):
    """Return what it was given."""

    def __init__(self, values=None, correct=False):
        self.values, self.correct = values, correct

    def row_probabilities(self, y):
        return np.resize(self.values, y.shape[0] + (len(self.values) == 1))


@pytest.mark.parametrize(
    ("sampler", "error", "message"),
    [
        ("label_awar", ValueError, "Did you mean 'label_aware'"),
        (LabelAwareBatches, TypeError, "an object with the method"),
        (3, TypeError, "row_probabilities"),
        (LabelAwareBatches(uniform=0.1), ValueError, "'uniform' parameter.*Got 0.1"),
        (LabelAwareBatches(power=2), ValueError, "'power' parameter"),
        (LabelAwareBatches(correct="yes"), ValueError, "'correct' parameter"),
        (_Wrong([1.0]), ValueError, "a number for each row"),
        (_Wrong([1.0, -1.0]), ValueError, "at least 0"),
        (_Wrong([0.0, 0.0]), ValueError, "not all 0"),
        (_Wrong([1.0, np.nan]), ValueError, "finite"),
        (_Wrong([1.0, 0.0], correct=True), ValueError, "no weight can make up"),
    ],
)
def test_bad_samplers_are_named(sampler, error, message, problem):
    with pytest.raises(error, match=message):
        small(batch_sampler=sampler).fit(*problem)


def test_weights_of_rows_are_refused_where_rows_are_coupled(problem):
    coupled = "two_way"
    sampler = LabelAwareBatches(correct=True)
    with pytest.raises(ValueError, match="function of all rows of a batch"):
        holding_out(batch_sampler=sampler, loss=coupled).fit(*problem)
    holding_out(batch_sampler="label_aware", loss=coupled, max_epochs=1).fit(*problem)


def test_verbose_shows_the_effective_size(capsys, problem):
    holding_out(batch_sampler=LabelAwareBatches(correct=True), verbose=1).fit(*problem)
    assert "drawn rows" in capsys.readouterr().out
