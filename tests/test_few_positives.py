"""Labels with few positives: the split, when training stops, and the probabilities."""

import numpy as np
import pytest
import scipy.sparse as sp
from nets import small
from scipy.special import expit

from skimbalance._log_odds import (
    prevalence_of_counts,
    smoothed_prevalence,
    target_mean_probability,
)
from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.neural_network import ImbalancedMLPClassifier


def held_out_by(n, Y, **fit_params):
    """Return whether each row is held out, from the inputs that a scorer receives."""
    seen = []

    def scorer(estimator, X, y):
        seen.append(X.ravel().astype(int))
        return 0.0

    params = {"scoring": scorer, "max_epochs": 1, "early_stopping": True}
    net = small(hidden_layer_sizes=(2,), **params)
    net.fit(np.arange(n, dtype=np.float64).reshape(-1, 1), Y, **fit_params)
    return np.isin(np.arange(n), seen[0])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", ["dense", "sparse", "missing", "weighted", "groups"])
def test_each_label_has_a_positive_on_both_sides(kind, seed):
    rng = np.random.default_rng(seed)
    n, n_labels = 400, 25
    Y = (rng.random((n, n_labels)) < 0.1 * (np.arange(n_labels) % 2)).astype(float)
    for k in range(0, n_labels, 2):
        Y[rng.choice(n, size=2 + k // 2, replace=False), k] = 1
    counted, passed, params = Y == 1, Y, {}
    if kind == "sparse":
        passed = sp.csr_array(Y)
    elif kind == "missing":
        passed = np.where(rng.random(Y.shape) < 0.3, np.nan, Y)
        counted = passed == 1
    elif kind == "weighted":
        weight = rng.integers(0, 2, size=Y.shape)
        for k in range(n_labels):
            weight[np.flatnonzero(counted[:, k])[:1], k] = 1
        counted, params = counted & (weight > 0), {"sample_weight": weight}
    elif kind == "groups":
        params = {"groups": rng.integers(0, n // 2, size=n)}
    held = held_out_by(n, passed, **params)
    several = counted.sum(axis=0) >= 2
    if kind == "groups":
        n_groups = [len(set(params["groups"][column])) for column in counted.T]
        several &= np.array(n_groups) >= 2
    assert several.sum() >= 15
    assert counted[held][:, several].any(axis=0).all()
    assert counted[~held][:, several].any(axis=0).all()


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_the_rarer_value_is_on_both_sides_where_most_are_positive(container):
    rng = np.random.default_rng(0)
    for _ in range(4):
        Y = np.ones((300, 6))
        for k in range(6):
            Y[rng.choice(300, size=2 + k // 2, replace=False), k] = 0
        weight = rng.integers(0, 2, size=Y.shape)
        for k in range(6):
            weight[np.flatnonzero(Y[:, k] == 0)[: 1 + k // 3], k] = 1
        held = held_out_by(300, container(Y), sample_weight=weight)
        counted = (Y == 0) & (weight > 0)
        several = counted.sum(axis=0) >= 2
        assert several[5]
        assert counted[held][:, several].any(axis=0).all()
        assert counted[~held][:, several].any(axis=0).all()


@pytest.mark.parametrize("seed", range(5))
def test_each_class_has_a_row_on_both_sides(seed):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat(np.arange(6), [700, 2, 3, 5, 9, 30]))
    held = held_out_by(len(y), y)
    assert set(y[held]) == set(y[~held]) == set(range(6))


def four_of_a_thousand(seed=0):
    rng = np.random.default_rng(seed)
    y = np.zeros(1000, dtype=int)
    y[rng.choice(1000, 4, replace=False)] = 1
    return rng.normal(size=(1000, 5)), y


def test_hardly_a_held_out_positive_does_not_stop_the_training():
    X, y = four_of_a_thousand()
    params = {"early_stopping": "auto", "n_iter_no_change": 1, "max_epochs": 30}
    params["batch_size"] = 45
    net = small(**params).fit(X, y)
    assert net.n_iter_ == 5  # 20 steps an epoch, 100 in all
    assert net.best_score_ is None
    assert "valid_loss" in net.history_[0]
    longer = small(**{**params, "max_epochs": 5, "n_iter_no_change": 50}).fit(X, y)
    np.testing.assert_array_equal(net.predict_proba(X), longer.predict_proba(X))
    assert small(**{**params, "max_epochs": 2}).fit(X, y).n_iter_ == 2
    large = small(**{**params, "batch_size": 450}).fit(X, y)
    assert large.n_iter_ == 30  # two steps an epoch
    asked = small(**params, scoring="neg_micro_log_loss").fit(X, y)
    assert asked.best_score_ is not None


def test_held_out_positives_of_all_labels_count_together():
    X, Y = np.random.default_rng(0).normal(size=(1000, 5)), np.zeros((1000, 8), int)
    Y[np.arange(24), np.arange(24) % 8] = 1
    net = small(early_stopping="auto", max_epochs=2).fit(X, Y)
    assert net.best_score_ is not None


def test_a_class_of_hardly_any_rows_does_not_stop_the_training():
    X, y = four_of_a_thousand()
    y[:3] = 2
    params = {"early_stopping": "auto", "n_iter_no_change": 1, "max_epochs": 30}
    net = small(batch_size=45, **params).fit(X, y)
    assert net.n_iter_ == 5  # 20 steps an epoch, 100 in all
    assert net.best_score_ is None


def test_held_out_rows_that_cannot_judge_keep_the_last_epoch():
    X, y = four_of_a_thousand()
    net = small(max_epochs=7).fit(X, y, X_val=X[y == 0][:50], y_val=y[y == 0][:50])
    assert net.n_iter_ == 7
    assert net.best_score_ is None


# --------------------------------------------------------------------------
# The probabilities


def test_the_smoothed_prevalence_adds_a_quarter():
    positive, negative = (
        np.array([1.0, 4.0, 0.4, 0.0, 0]),
        np.array([99.0, 6, 9.6, 5, 0]),
    )
    right = [1.25 / 100.5, 4.25 / 10.5, 0.5 / 10.35, 0.0, 0.5]
    np.testing.assert_allclose(smoothed_prevalence(positive, negative), right)


def test_the_sums_of_labels_follow_a_power_of_the_base_rate():
    positive = np.geomspace(2, 5000, 50)
    mass = np.full(50, 1e4)
    expected = positive * (positive / mass) ** 0.3  # a hundredth of the rarest is left
    rate = prevalence_of_counts(positive, expected, mass)
    np.testing.assert_allclose(rate * mass / positive, 1, atol=0.05)


def test_the_sum_of_one_label_is_shrunk_by_its_formula():
    # The other labels agree with their sums, so that there is no trend.
    positive = np.repeat([400.0, 4.0], 200)
    expected = positive.copy()
    expected[-1] = 1
    rate = prevalence_of_counts(positive, expected, np.full(400, 1e4))
    np.testing.assert_allclose(1e4 * rate[:-1], positive[:-1], rtol=0.01)
    assert 1e4 * rate[-1] == pytest.approx(4.3 / 1.3, rel=0.02)


def test_sums_of_one_label_and_of_none():
    alone = prevalence_of_counts(np.array([4.0]), np.array([1.0]), np.array([100.0]))
    assert 100 * alone[0] == pytest.approx(4)
    unseen = prevalence_of_counts(np.zeros(2), np.array([0.0, 2.0]), np.full(2, 9.0))
    np.testing.assert_allclose(unseen, [0, 2 * 0.3 / 2.3 / 9])


def test_no_sum_exceeds_the_rows():
    # The trend alone makes the sum of the first label 31 of 20 rows.
    positive, expected = np.array([19.9, 15, 2]), np.array([17.8, 1.3, 16.1])
    rate = prevalence_of_counts(positive, expected, np.full(3, 20.0))
    np.testing.assert_allclose(rate[0], 20.2 / 20.3)
    assert (rate < 1).all()


def test_the_target_of_a_mean_probability_by_its_formula():
    mean, rate = np.array([0.01, 0.2, 0.0]), np.array([0.02, 0.1, 0.3])
    scored = np.array([100.0, 1000, 0])
    exact = target_mean_probability(mean, rate, scored, 0.0)
    np.testing.assert_allclose(exact[:2], rate[:2])
    drawn = target_mean_probability(mean, rate, scored, 1.0)
    right = [0.01 * (2 + 3) / (1 + 3), 0.2 * (100 + 3) / (200 + 3)]
    np.testing.assert_allclose(drawn[:2], right)
    assert (exact > 0).all()


def rare_problem(n, seed, fresh=6000, per_band=12):
    """Return rows of labels of 1 to 100 expected positives, in four bands."""
    low, high = np.array([1, 5, 10, 30]), np.array([4, 9, 29, 100])
    rates = np.concatenate(np.geomspace(low, high, per_band, axis=1)) / n
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n + fresh, 10))
    log_odds = 1.5 * X @ rng.normal(size=(10, len(rates))) / np.sqrt(10)
    shift = np.log(rates)
    for _ in range(50):
        shift += np.log(rates / expit(log_odds + shift).mean(axis=0))
    Y = (rng.random(log_odds.shape) < expit(log_odds + shift)).astype(int)
    return X[:n], Y[:n], X[n:], Y[n:]


@pytest.mark.filterwarnings("ignore::skimbalance.exceptions.UndefinedLabelWarning")
@pytest.mark.parametrize(
    "params",
    [
        {},
        pytest.param({"pos_weight": "sqrt"}, marks=pytest.mark.slow),
        pytest.param({"loss": "focal"}, marks=pytest.mark.slow),
        pytest.param({"n_members": 2}, marks=pytest.mark.slow),
    ],
)
def test_probabilities_of_fresh_rows_add_up_in_each_band(params):
    expected = positives = 0
    for seed in range(3):
        X, Y, X_fresh, Y_fresh = rare_problem(1000, seed)
        net = ImbalancedMLPClassifier((128,), random_state=seed, **params).fit(X, Y)
        expected = expected + net.predict_proba(X_fresh).sum(axis=0)
        positives = positives + Y_fresh.sum(axis=0)
    ratio = expected.reshape(4, -1).sum(axis=1) / positives.reshape(4, -1).sum(axis=1)
    assert (ratio > 0.7).all(), ratio
    assert (ratio < 1.4).all(), ratio


@pytest.mark.filterwarnings("ignore::skimbalance.exceptions.UndefinedLabelWarning")
@pytest.mark.parametrize(
    "pos_weight", [None, pytest.param("balanced", marks=pytest.mark.slow)]
)
def test_rare_labels_among_many_add_up(pos_weight):
    """Frequent labels set the slope, which is above 1 in a short training."""
    X, Y = make_imbalanced_multilabel(
        8000, 30, 200, cardinality=6, imbalance_ratio=200, signal=3, random_state=0
    )
    net = ImbalancedMLPClassifier(
        (64,), max_epochs=12, pos_weight=pos_weight, random_state=0
    ).fit(X[:3000], Y[:3000])
    expected = net.predict_proba(X[3000:]).sum(axis=0)
    positive, fresh = Y[:3000].sum(axis=0), Y[3000:].sum(axis=0)
    for low, high in ((1, 10), (10, 30), (30, 3000)):
        band = (positive >= low) & (positive < high)
        assert 0.8 < expected[band].sum() / fresh[band].sum() < 1.25


@pytest.mark.parametrize("seed", range(3))
def test_probabilities_of_a_very_rare_class_add_up(seed):
    X, y = four_of_a_thousand(seed)
    for value in (1, 0):  # the rarer class first, then the other
        net = small(early_stopping="auto", max_epochs=50).fit(X, y == value)
        assert 2 < net.predict_proba(X)[:, value].sum() < 8
    y[y == 1] = [1, 1, 2, 2]
    proba = small(early_stopping="auto", max_epochs=50).fit(X, y).predict_proba(X)
    assert (proba[:, 1:].sum(axis=0) > 0.7).all()
    assert (proba[:, 1:].sum(axis=0) < 5).all()


def weighted_problem():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 5))
    Y = (X[:, :3] + rng.normal(size=(600, 3)) > [1.0, 2.0, 2.5]).astype(float)
    Y[rng.random(Y.shape) < 0.2] = np.nan
    return X, Y, rng.integers(0, 4, size=Y.shape) / 1.5


@pytest.mark.parametrize("loss", ["log_loss", "soft_f1"])
def test_weighted_and_missing_entries_count_as_they_should(loss):
    X, Y, weight = weighted_problem()
    net = small(loss=loss, early_stopping="auto", cross_fit="auto", max_epochs=20)
    proba = net.fit(X, Y, sample_weight=weight).predict_proba(X)
    weight = np.where(np.isnan(Y), 0, weight)
    summed = (weight * proba).sum(axis=0)
    true = np.nansum(weight * Y, axis=0)
    np.testing.assert_allclose(summed.sum() / true.sum(), 1, atol=0.15)
    np.testing.assert_allclose(summed / true, 1, atol=0.35)


def test_rows_of_another_population_keep_their_prevalence():
    X, Y, X_val, Y_val = rare_problem(600, 0, fresh=1500, per_band=1)
    frequent = Y[:, 3] == 1
    X, Y = np.vstack([X, *[X[frequent]] * 6]), np.vstack([Y, *[Y[frequent]] * 6])
    net = small(max_epochs=10).fit(X, Y[:, 3], X_val=X_val, y_val=Y_val[:, 3])
    ratio = net.predict_proba(X_val)[:, 1].sum() / Y_val[:, 3].sum()
    assert ratio == pytest.approx(1, abs=0.1)
    assert Y[:, 3].mean() > 3 * Y_val[:, 3].mean()


def test_calibration_changes_no_ranking():
    X, Y, X_fresh, _ = rare_problem(500, 1, fresh=500)
    net = small(early_stopping="auto", max_epochs=8).fit(X, Y[:, 24:])
    raw = small(early_stopping="auto", max_epochs=8, correct_probabilities="exact").fit(
        X, Y[:, 24:]
    )
    before, after = (m.decision_function(X_fresh) for m in (raw, net))
    for k in range(before.shape[1]):
        order = np.argsort(before[:, k])
        assert (np.diff(after[order, k]) >= 0).all()


@pytest.mark.parametrize("true", [np.True_, 1])
def test_any_true_value_calibrates(true):
    X, Y, X_fresh, _ = rare_problem(300, 1, fresh=50, per_band=1)
    nets = [
        small(early_stopping="auto", correct_probabilities=value).fit(X, Y[:, 3])
        for value in (True, true)
    ]
    plain, other = (net.predict_proba(X_fresh) for net in nets)
    assert nets[1].calibrator_ is not None
    np.testing.assert_array_equal(plain, other)
