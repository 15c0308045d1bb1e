"""Calibrators against the known posterior of drawn labels, and against scikit-learn."""

import tracemalloc
import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.optimize import brentq
from scipy.special import expit, log_softmax, logit
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from skimbalance.calibration import (
    BaseCalibrator,
    LabelCalibrator,
    MultilabelCalibratedClassifierCV,
    PooledCalibrator,
    TemperatureCalibrator,
    estimate_prior,
    prior_shift,
)
from skimbalance.calibration._calibrators import ShrunkClassCalibrator
from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.metrics import (
    calibration_error,
    multilabel_average_precision_score,
    multilabel_log_loss,
)
from skimbalance.model_selection import MultilabelStratifiedKFold
from skimbalance.neural_network import ImbalancedMLPClassifier

METHODS = ("sigmoid", "isotonic", "temperature", "beta")
each_method = pytest.mark.parametrize("method", METHODS)


def _drawn(rng, n, shift=(0.0, -1.0, -3.0)):
    """Log-odds, and labels drawn from them."""
    true = rng.normal(size=(n, len(shift))) + shift
    return true, (rng.random(true.shape) < expit(true)).astype(int)


DISTORTIONS = {
    "sigmoid": lambda z: 0.5 * z + 2,
    "temperature": lambda z: 3 * z,
    "isotonic": lambda z: z**3 + z,
    # Inverse of a beta map with slopes 2 and 0.5: found on a grid.
    "beta": lambda z: np.interp(z, _beta_map(_GRID), _GRID),
}
_GRID = np.linspace(-30, 30, 60001)


def _beta_map(x):
    return -2 * np.logaddexp(0, -x) + 0.5 * np.logaddexp(0, x) + 0.3


@each_method
def test_each_method_removes_its_own_distortion(method):
    rng = np.random.default_rng(0)
    distort = DISTORTIONS[method]
    true, Y = _drawn(rng, 20_000)
    fresh, Y_fresh = _drawn(rng, 20_000)
    calibrator = LabelCalibrator(method).fit(distort(true), Y)
    found = expit(calibrator.transform(distort(fresh)))
    best = multilabel_log_loss(Y_fresh, expit(fresh))
    assert multilabel_log_loss(Y_fresh, found) < 1.01 * best
    raw = multilabel_log_loss(Y_fresh, expit(distort(fresh)))
    assert multilabel_log_loss(Y_fresh, found) < 0.95 * raw


@each_method
def test_maps_are_monotone(method):
    rng = np.random.default_rng(0)
    true, Y = _drawn(rng, 500)
    calibrator = LabelCalibrator(method).fit(true, Y)
    grid = np.linspace(-50, 50, 1001)[:, None] + np.zeros(3)
    steps = np.diff(calibrator.transform(grid), axis=0)
    assert np.isfinite(steps).all()
    assert (steps >= 0).all() if method == "isotonic" else (steps > 0).all()


def test_sigmoid_without_shrinkage_is_logistic_regression():
    rng = np.random.default_rng(0)
    true, Y = _drawn(rng, 2000)
    weight = rng.random(2000)
    for w in (None, weight):
        calibrator = LabelCalibrator(shrinkage=0).fit(2 * true, Y, w)
        for k in range(3):
            plain = LogisticRegression(C=np.inf, tol=1e-8)
            plain.fit(2 * true[:, [k]], Y[:, k], sample_weight=w)
            slope = np.exp(calibrator.parameters_[k, 0])
            assert slope == pytest.approx(plain.coef_[0, 0], abs=2e-3)
            intercept = calibrator.parameters_[k, 1]
            assert intercept == pytest.approx(plain.intercept_[0], abs=2e-3)


def test_isotonic_without_shrinkage_is_isotonic_regression():
    rng = np.random.default_rng(0)
    true, Y = _drawn(rng, 300)
    found = expit(LabelCalibrator("isotonic", shrinkage=0).fit(true, Y).transform(true))
    for k in range(3):
        plain = IsotonicRegression().fit_transform(true[:, k], Y[:, k])
        np.testing.assert_allclose(found[:, k], plain, atol=1e-12)


@each_method
def test_rare_labels_follow_the_common_map(method):
    """Three positives determine less than ten thousand."""
    rng = np.random.default_rng(0)
    true, Y = _drawn(rng, 4000, shift=(0, 0, 0, -8))
    Y[:, 3] = 0
    Y[[5, 50, 500], 3] = 1
    calibrator = LabelCalibrator(method).fit(true, Y)
    own = calibrator.transform(true)
    if method != "isotonic":
        slope = np.exp(calibrator.parameters_[:, 0])
        assert abs(slope[3] - np.exp(calibrator.pooled_[0])) < 0.5
    alone = LabelCalibrator(method, shrinkage=0).fit(true, Y)
    assert np.ptp(own[:, 3]) > 0.1
    strong = LabelCalibrator(method, shrinkage=1e9).fit(true, Y)
    several = [c.transform(true)[:, 3] for c in (strong, calibrator, alone)]
    gap = [np.abs(s - several[0]).mean() for s in several]
    assert gap[0] <= gap[1] <= gap[2] + 1e-9


@each_method
def test_missing_sparse_and_weighted_entries(method):
    rng = np.random.default_rng(0)
    true, Y = _drawn(rng, 400)
    missing = rng.random(Y.shape) < 0.3
    with_missing = np.where(missing, np.nan, Y)
    entries = np.where(missing, 0.0, 1.0)
    found = [
        LabelCalibrator(method).fit(true, y, w).transform(true)
        for y, w in (
            (with_missing, None),
            (sp.csr_array(with_missing), None),
            (Y, entries),
            (Y, sp.csr_array(entries - 1)),
        )
    ]
    for other in found[1:]:
        np.testing.assert_allclose(found[0], other, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "make", [PooledCalibrator, *(partial(LabelCalibrator, m) for m in METHODS)]
)
def test_weights_of_a_mean_below_1_are_scaled_to_it(make):
    rng = np.random.default_rng(0)
    true, Y = _drawn(rng, 400)
    parts = rng.integers(1, 4, len(Y)) / 4000
    tiny = sp.csr_array(np.full(Y.shape, 1 / 1200 - 1))
    for few, many in (
        (np.full(len(Y), 1 / 400), None),
        (np.full(Y.shape, 1 / 1200), None),
        (tiny, None),
        (parts, parts / parts.mean()),
        (np.where(Y[:, 0] == 1, 0, 1e-9), (Y[:, 0] == 0).astype(int)),
    ):
        found = [make().fit(2 * true, Y, w).transform(true) for w in (few, many)]
        np.testing.assert_allclose(*found, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("make", [TemperatureCalibrator, ShrunkClassCalibrator])
def test_weights_of_classes_of_a_mean_below_1_are_scaled_to_it(make):
    rng = np.random.default_rng(0)
    log_proba, y = rng.normal(size=(300, 4)), rng.integers(0, 4, 300)
    few = make().fit(2 * log_proba, y, np.full(len(y), 1 / len(y)))
    none = make().fit(2 * log_proba, y)
    np.testing.assert_array_equal(few.transform(log_proba), none.transform(log_proba))


def test_labels_of_one_value_stay_finite():
    rng = np.random.default_rng(0)
    true, Y = _drawn(rng, 200)
    Y[:, 0], Y[:, 1] = 0, 1
    for method in METHODS:
        proba = expit(LabelCalibrator(method).fit(true, Y).transform(true))
        assert ((proba > 0) & (proba < 1)).all()
        if method not in ("temperature", "isotonic"):
            assert proba[:, 0].mean() < 0.05 < 0.95 < proba[:, 1].mean()


def test_labels_that_contradict_each_other_in_many_rows_stay_finite():
    """The search for the slopes of the second label starts far from them."""
    scores = np.repeat([[1.0, 1.0], [1.5, 1.5]], 2, axis=0)
    labels = [[1, 1], [0, 0], [1, 1], [0, 0]]
    counts = np.array([[80152, 1], [177, 38451], [36, 49263], [52425, 15]])
    calibrator = LabelCalibrator("beta").fit(scores, labels, counts)
    low, high = expit(calibrator.transform(scores))[1:3, 1]
    assert 0 < low < 0.01
    assert 0.99 < high < 1


def test_pooled_calibrator_finds_slope_and_intercept():
    rng = np.random.default_rng(0)
    true, Y = _drawn(rng, 20_000)
    calibrator = PooledCalibrator().fit((true - 1) / 2, Y)
    assert calibrator.slope_ == pytest.approx(2, rel=0.05)
    assert calibrator.intercept_ == pytest.approx(1, abs=0.1)
    with pytest.raises(ValueError, match="shape"):
        calibrator.fit(true[:, :2], Y)


def test_temperature_calibrator_finds_the_temperature():
    rng = np.random.default_rng(0)
    log_p = rng.normal(size=(20_000, 4))
    log_p -= np.log(np.exp(log_p).sum(axis=1, keepdims=True))
    y = (rng.random((len(log_p), 1)) > np.exp(log_p).cumsum(axis=1)).sum(axis=1)
    calibrator = TemperatureCalibrator().fit(4 * log_p, y.clip(max=3))
    assert calibrator.slope_ == pytest.approx(0.25, rel=0.03)
    with pytest.raises(ValueError, match="shape"):
        TemperatureCalibrator().fit(log_p, y[:5])


# --------------------------------------------------------------------------
# Known prevalences


def _reference_shift(log_odds, prevalence, weight):
    """Solve one label by bisection."""

    def gap(shift):
        return np.average(expit(log_odds + shift), weights=weight) - prevalence

    return brentq(gap, -60, 60, xtol=1e-13)


def _fitted(calibrator, seed=0):
    true, Y = _drawn(np.random.default_rng(seed), 500)
    return calibrator.fit(2 * true - 1, Y), 2 * true - 1


CALIBRATORS = {
    "pooled": PooledCalibrator(),
    **{name: LabelCalibrator(name) for name in METHODS},
}


@pytest.mark.parametrize("weighted", [None, "rows", "entries", "sparse"])
@pytest.mark.parametrize("name", CALIBRATORS)
def test_mean_probabilities_become_the_prevalence(name, weighted):
    rng = np.random.default_rng(1)
    calibrator, log_odds = _fitted(clone(CALIBRATORS[name]))
    before = calibrator.transform(log_odds)
    excess = rng.integers(-1, 3, size=log_odds.shape)
    weight, passed = {
        None: (np.ones(log_odds.shape), None),
        "rows": (np.tile(1.0 + excess[:, :1], 3), 1.0 + excess[:, 0]),
        "entries": (1.0 + excess, 1.0 + excess),
        "sparse": (1.0 + excess, sp.csr_array(excess)),
    }[weighted]
    prevalence = [0.3, 0.002, 0.97]
    calibrator.match_prevalence(log_odds, prevalence, passed)
    for k in range(3):
        shift = _reference_shift(before[:, k], prevalence[k], weight[:, k])
        after = calibrator.transform(log_odds)[:, k]
        np.testing.assert_allclose(after, before[:, k] + shift, rtol=1e-9, atol=1e-9)


def test_one_prevalence_moves_all_labels_alike():
    calibrator, log_odds = _fitted(PooledCalibrator())
    before = calibrator.transform(log_odds)
    calibrator.match_prevalence(log_odds, 0.4)
    shift = _reference_shift(before.ravel(), 0.4, None)
    np.testing.assert_allclose(calibrator.transform(log_odds), before + shift)


@pytest.mark.parametrize("per_label", [True, False])
def test_prevalences_of_many_rows_are_met_without_copies_of_them(per_label):
    rng = np.random.default_rng(0)
    log_odds = rng.normal(-3, 2, size=(200_000, 7))
    weight = rng.uniform(0.5, 2, size=log_odds.shape)
    prevalence = np.geomspace(1e-4, 0.4, 7) if per_label else 0.02
    calibrator = PooledCalibrator()
    calibrator.slope_, calibrator.intercept_ = 0.7, 0.3
    tracemalloc.start()
    try:
        calibrator.match_prevalence(log_odds, prevalence, weight)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 * log_odds.nbytes  # the calibrated ones, and checks of the weights
    proba = expit(0.7 * log_odds + calibrator.intercept_)
    axis = 0 if per_label else None
    mean = (weight * proba).sum(axis=axis) / weight.sum(axis=axis)
    np.testing.assert_allclose(mean, prevalence, rtol=1e-9)


def test_prevalences_of_extreme_scores_are_met():
    log_odds = np.array([[-800.0, 5.0], [700.0, 5.0], [-3.0, 5.0]])
    calibrator = PooledCalibrator()
    calibrator.slope_, calibrator.intercept_ = 1.0, 0.0
    calibrator.match_prevalence(log_odds, [0.01, 1e-6])
    proba = expit(calibrator.transform(log_odds)).mean(axis=0)
    np.testing.assert_allclose(proba, [0.01, 1e-6], rtol=1e-9)


def test_matched_prevalences_of_whole_weights_equal_those_of_repeats():
    calibrator, log_odds = _fitted(PooledCalibrator())
    again = clone(calibrator).fit(log_odds, np.tile([1, 0], (250, 3)).reshape(-1, 3))
    again.slope_, again.intercept_ = calibrator.slope_, calibrator.intercept_
    times = np.random.default_rng(0).integers(0, 4, size=len(log_odds))
    prevalence = [0.3, 0.01, 0.2]
    calibrator.match_prevalence(log_odds, prevalence, times)
    again.match_prevalence(np.repeat(log_odds, times, axis=0), prevalence)
    np.testing.assert_allclose(calibrator.intercept_, again.intercept_, rtol=1e-10)


def test_a_label_without_weight_keeps_its_intercept():
    calibrator, log_odds = _fitted(PooledCalibrator())
    before = calibrator.intercept_
    weight = np.ones(log_odds.shape)
    weight[:, 1] = 0
    calibrator.match_prevalence(log_odds, [0.3, 0.3, 0.3], weight)
    assert calibrator.intercept_[1] == before
    assert calibrator.intercept_[0] != before


@pytest.mark.parametrize("make", [TemperatureCalibrator, ShrunkClassCalibrator])
def test_mean_probabilities_of_classes_become_the_prevalences(make):
    rng = np.random.default_rng(0)
    log_p = log_softmax(3 * rng.normal(size=(600, 5)), axis=1)
    weight = rng.integers(0, 3, size=600)
    calibrator = make().fit(log_p, rng.integers(0, 5, size=600))
    before = calibrator.transform(log_p)
    prevalence = np.array([0.9, 0.05, 0.03, 0.018, 0.002])
    calibrator.match_prevalence(log_p, prevalence, weight)
    after = calibrator.transform(log_p)
    mean = np.average(np.exp(after), axis=0, weights=weight)
    np.testing.assert_allclose(mean, prevalence, rtol=1e-5)
    moved = after - before  # one number a class, but for what a row is divided by
    moved -= moved[:, :1]
    np.testing.assert_allclose(moved, moved[:1].repeat(600, axis=0), atol=1e-9)
    np.testing.assert_allclose(np.exp(after).sum(axis=1), 1)


def test_prevalences_out_of_range_are_refused():
    calibrator, log_odds = _fitted(PooledCalibrator())
    for wrong in ([0.1, 0.2], [0.1, 0.2, 0.0], 1.0):
        with pytest.raises(ValueError, match="prevalence"):
            calibrator.match_prevalence(log_odds, wrong)


# --------------------------------------------------------------------------
# The classifier


def _rows(rng, n=600):
    X = rng.normal(size=(n, 5))
    Y = (X[:, :3] + rng.normal(size=(n, 3)) > [0, 0.5, 1.5]).astype(int)
    return X, Y


def _matched(scores, Y):
    """A calibrator whose probabilities add up to the positives, by hand."""
    calibrator = LabelCalibrator().fit(scores, Y)
    return calibrator.match_prevalence(scores, (Y.sum(axis=0) + 0.25) / (len(Y) + 0.5))


def test_calibrators_see_out_of_fold_scores_only():
    """By hand: folds, log-odds, one calibrator; then one fit, or the mean of folds."""
    X, Y = _rows(np.random.default_rng(0))
    inner = OneVsRestClassifier(LogisticRegression())
    out = cross_val_predict(
        inner, X, Y, cv=MultilabelStratifiedKFold(5), method="decision_function"
    )
    calibrator = _matched(out, Y)
    alone = MultilabelCalibratedClassifierCV(inner, ensemble=False).fit(X, Y)
    whole = inner.fit(X, Y)
    expected = expit(calibrator.transform(whole.decision_function(X)))
    np.testing.assert_allclose(alone.predict_proba(X), expected, rtol=1e-6)
    np.testing.assert_array_equal(alone.predict(X), expected > 0.5)
    several = MultilabelCalibratedClassifierCV(inner).fit(X, Y)
    assert len(several.estimators_) == 5
    each = [
        expit(calibrator.transform(m.decision_function(X))) for m in several.estimators_
    ]
    np.testing.assert_allclose(several.predict_proba(X), np.mean(each, 0), rtol=1e-6)


@pytest.mark.parametrize("method", ["sigmoid", "isotonic", "beta"])
def test_probabilities_of_rare_labels_add_up_to_their_positives(method):
    """A fold without a positive of a label cannot rank it."""
    expected = np.geomspace(4, 1, 40)  # training positives of a label
    X, Y = make_imbalanced_multilabel(
        10_600,
        10,
        40,
        cardinality=expected.sum() / 600,
        imbalance_ratio=4,
        random_state=0,
    )
    inner = OneVsRestClassifier(LogisticRegression())
    model = MultilabelCalibratedClassifierCV(inner, method=method)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        proba = model.fit(X[:600], Y[:600]).predict_proba(X[600:])
    assert 0.7 < proba.sum() / Y[600:].sum() < 1.4


class _Scaled(BaseCalibrator):
    """A calibrator of one's own: the spread of all log-odds becomes 1."""

    def __init__(self, factor=1.0):
        self.factor = factor

    def learn(self, labels, log_odds, weight):
        self.spread_ = log_odds.std() / self.factor

    def map(self, log_odds):
        return log_odds / self.spread_


def test_calibrators_are_named_or_passed_as_objects():
    X, Y = _rows(np.random.default_rng(0), 300)
    inner = OneVsRestClassifier(LogisticRegression())
    model = MultilabelCalibratedClassifierCV(inner, cv=3, method="beta", shrinkage=5.0)
    expected = model.fit(X, Y).predict_proba(X)
    model.set_params(method=LabelCalibrator("beta", shrinkage=5), shrinkage=20.0)
    np.testing.assert_array_equal(model.fit(X, Y).predict_proba(X), expected)
    assert not hasattr(model.method, "parameters_")
    model.set_params(method__shrinkage=1.0)
    assert not np.array_equal(model.fit(X, Y).predict_proba(X), expected)
    pooled = model.set_params(method="pooled").fit(X, Y)
    assert isinstance(pooled.calibrator_, PooledCalibrator)
    own = model.set_params(method=_Scaled(2.0)).fit(X, Y)
    means = own.predict_proba(X).mean(axis=0)
    np.testing.assert_allclose(means, Y.mean(axis=0), atol=0.03)
    assert own.calibrator_.spread_ > 0
    with pytest.raises(ValueError, match="set it on the object"):
        model.set_params(shrinkage=1.0).fit(X, Y)
    for wrong in ("plat", _Scaled, 1.0):
        with pytest.raises(ValueError, match=r"method=.* is not known"):
            model.set_params(method=wrong).fit(X, Y)


def test_nets_take_the_same_calibrators():
    X, Y = _rows(np.random.default_rng(0))
    options = {"hidden_layer_sizes": (4,), "max_epochs": 3, "random_state": 0}
    net = ImbalancedMLPClassifier(**options).fit(X, Y)
    assert isinstance(net.calibrator_, PooledCalibrator)
    expected = net.predict_proba(X)
    net.set_params(correct_probabilities=PooledCalibrator())
    np.testing.assert_array_equal(net.fit(X, Y).predict_proba(X), expected)
    for calibrator in (_Scaled(2.0), *map(LabelCalibrator, METHODS)):
        net.set_params(correct_probabilities=calibrator).fit(X, Y)
        assert type(net.calibrator_) is type(calibrator)
        assert net.calibrator_ is not calibrator
        assert np.isfinite(net.predict_proba(X)).all()
        if calibrator.matches_prevalence:
            means = net.predict_proba(X).mean(axis=0)
            np.testing.assert_allclose(means, Y.mean(axis=0), rtol=0.3)
    y = Y.sum(axis=1)
    net.set_params(correct_probabilities=TemperatureCalibrator()).fit(X, y)
    np.testing.assert_allclose(net.predict_proba(X).sum(axis=1), 1, rtol=1e-6)
    with pytest.raises(ValueError, match="not for this target"):
        net.fit(X, Y)
    with pytest.raises(ValueError, match="not for this target"):
        net.set_params(correct_probabilities=PooledCalibrator()).fit(X, y)


def test_forests_with_lists_and_probabilities_of_zero():
    X, Y = _rows(np.random.default_rng(0))
    forest = RandomForestClassifier(30, random_state=0)
    model = MultilabelCalibratedClassifierCV(forest, cv=3).fit(X[:400], Y[:400])
    proba = model.predict_proba(X[400:])
    raw = np.column_stack(
        [p[:, 1] for p in forest.fit(X[:400], Y[:400]).predict_proba(X[400:])]
    )
    assert (raw == 0).any()
    assert ((proba > 0) & (proba < 1)).all()
    assert multilabel_log_loss(Y[400:], proba) < multilabel_log_loss(Y[400:], raw)


@pytest.mark.parametrize("method", ["sigmoid", "isotonic", "beta"])
def test_probabilities_of_0_and_1_become_the_observed_rates(method):
    X, Y = _rows(np.random.default_rng(0), 2000)
    tree = DecisionTreeClassifier(random_state=0).fit(X[:500], Y[:500])
    model = MultilabelCalibratedClassifierCV(
        tree, method=method, shrinkage=0, cv="prefit"
    )
    proba = model.fit(X[500:], Y[500:]).predict_proba(X[500:])
    leaves = tree.predict(X[500:])
    for k, leaf in np.ndindex(Y.shape[1], 2):
        rows = leaves[:, k] == leaf
        observed = Y[500:][rows, k].mean()
        np.testing.assert_allclose(proba[rows, k], observed, atol=0.005)


def test_fitted_estimators_stay_as_they_are():
    X, Y = _rows(np.random.default_rng(0))
    fitted = OneVsRestClassifier(LogisticRegression()).fit(X[:300], Y[:300])
    by_name = MultilabelCalibratedClassifierCV(fitted, cv="prefit").fit(
        X[300:], Y[300:]
    )
    assert by_name.estimators_ == [fitted]
    frozen = MultilabelCalibratedClassifierCV(FrozenEstimator(fitted))
    frozen.fit(X[300:], Y[300:])
    assert len(frozen.estimators_) == 1
    np.testing.assert_allclose(frozen.predict_proba(X), by_name.predict_proba(X))
    expected = _matched(fitted.decision_function(X[300:]), Y[300:])
    np.testing.assert_allclose(
        by_name.predict_proba(X), expit(expected.transform(fitted.decision_function(X)))
    )


def test_one_binary_label_agrees_with_scikit_learn():
    X, Y = _rows(np.random.default_rng(0), 3000)
    y = np.array(["no", "yes"])[Y[:, 1]]
    ours = MultilabelCalibratedClassifierCV(LinearSVC(), ensemble=False).fit(X, y)
    theirs = CalibratedClassifierCV(LinearSVC(), ensemble=False, cv=5).fit(X, y)
    np.testing.assert_allclose(
        ours.predict_proba(X), theirs.predict_proba(X), atol=0.02
    )
    assert set(ours.predict(X)) == {"no", "yes"}
    np.testing.assert_array_equal(ours.classes_, theirs.classes_)


def test_forests_on_real_data_become_calibrated(load):
    data = load("yeast")
    X, Y = data["X"], data["Y"].toarray()
    train, test = data["train_idx"], data["test_idx"]
    forest = RandomForestClassifier(40, class_weight="balanced", random_state=0)
    model = MultilabelCalibratedClassifierCV(forest, cv=3, ensemble=False)
    proba = model.fit(X[train], Y[train]).predict_proba(X[test])
    raw = [p[:, 1] for p in forest.fit(X[train], Y[train]).predict_proba(X[test])]
    raw = np.column_stack(raw)
    assert multilabel_log_loss(Y[test], proba) < multilabel_log_loss(Y[test], raw)
    pooled = [calibration_error(Y[test], p, average="micro") for p in (proba, raw)]
    assert pooled[0] < pooled[1]
    precision = [multilabel_average_precision_score(Y[test], p) for p in (proba, raw)]
    assert precision[0] == pytest.approx(precision[1], abs=0.03)


# --------------------------------------------------------------------------
# Other base rates


def _two_populations(rng, n, prior):
    """One normal feature; calibrated probabilities at a base rate of 0.3."""
    y = rng.random(n) < prior
    x = rng.normal(size=n) + 2 * y
    return y, expit(2 * x - 2 + logit(0.3))


def test_prior_shift_and_estimate_by_drawing():
    rng = np.random.default_rng(0)
    for new in (0.05, 0.3, 0.8):
        y, at_old = _two_populations(rng, 100_000, new)
        shifted = prior_shift(at_old, 0.3, new)
        assert shifted.mean() == pytest.approx(new, abs=0.01)
        assert calibration_error(y.astype(int), shifted) < 0.01
        assert estimate_prior(at_old, 0.3)[0] == pytest.approx(new, abs=0.01)


@pytest.mark.parametrize("prior", [1e-300, 1e-310, 5e-324])
def test_prior_shift_of_denormal_base_rates_is_finite(prior):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(
            prior_shift([0.5, 0.0, 1.0], prior, 0.1), [1, 0, 1]
        )
        classes = prior_shift(
            [[0.2, 0.3, 0.5]], [prior, 0.5, 0.5], [0.2, 0.3, 0.5], exclusive=True
        )
    np.testing.assert_allclose(classes, [[1, 0, 0]], atol=1e-290)


def test_base_rates_of_classes_need_exclusive():
    rng = np.random.default_rng(0)
    of_classes = rng.dirichlet([1, 1, 1], size=5).astype(np.float32)
    rates, new = [0.1, 0.3, 0.6], [0.3, 0.3, 0.4]
    of_two = np.array([[0.9, 0.1], [0.3, 0.7]])
    for proba, old in ((of_classes, rates), (of_two, 0.1)):
        with pytest.raises(ValueError, match="exclusive=True"):
            prior_shift(proba, old, 0.3)
        with pytest.raises(ValueError, match="exclusive=True"):
            estimate_prior(proba, old)
    shifted = prior_shift(of_classes, rates, new, exclusive=True)
    np.testing.assert_allclose(shifted.sum(axis=1), 1)
    assert prior_shift([[0.4, 0.6]], 0.1, 0.1).shape == (1, 2)  # a sum of 1 by chance


def test_prior_shift_is_bayes_rule():
    np.testing.assert_allclose(prior_shift([0.2, 0.9], 0.4, 0.4), [0.2, 0.9])
    odds = (0.2 / 0.8) * (0.1 / 0.9) / (0.4 / 0.6)
    np.testing.assert_allclose(prior_shift([[0.2]], 0.4, 0.1), [[odds / (1 + odds)]])
    P = np.array([[0.2, 0.3, 0.5]])
    old, new = np.array([0.1, 0.4, 0.5]), np.array([0.3, 0.3, 0.4])
    expected = P * new / old
    found = prior_shift(P, old, new, exclusive=True)
    np.testing.assert_allclose(found, expected / expected.sum())
    back = prior_shift(found, new, old, exclusive=True)
    np.testing.assert_allclose(back, P)


def test_estimate_prior_of_classes_sums_to_one():
    rng = np.random.default_rng(0)
    old, new = np.full(3, 1 / 3), np.array([0.1, 0.2, 0.7])
    y = rng.choice(3, 50_000, p=new)
    x = rng.normal(size=(len(y), 3)) + 2 * np.eye(3)[y]
    odds = np.exp(2 * x)
    proba = odds / odds.sum(axis=1, keepdims=True)
    found = estimate_prior(proba, old, exclusive=True)
    assert found.sum() == pytest.approx(1)
    np.testing.assert_allclose(found, new, atol=0.01)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: LabelCalibrator("platt").fit([[0.0]], [[1]]), "method"),
        (lambda: LabelCalibrator(shrinkage=-1).fit([[0.0]], [[1]]), "shrinkage"),
        (lambda: LabelCalibrator().fit([[0.0, 1.0]], [[1]]), "shape"),
        (lambda: prior_shift([1.5], 0.5, 0.5), "between 0 and 1"),
        (lambda: prior_shift([0.5], 0.0, 0.5), "prior must lie"),
        (lambda: prior_shift([0.5], 0.5, [0.5, 0.5]), "new_prior has shape"),
        (lambda: prior_shift([[0.5, 0.5]], 0.4, 0.5, exclusive=True), "sum to 1"),
        (
            lambda: prior_shift([[0.5, 0.5], [0, 0]], 0.5, 0.5, exclusive=True),
            "row of y_proba must sum to 1",
        ),
        (
            lambda: estimate_prior([[0.4, 0.1]], 0.5, exclusive=True),
            "row of y_proba must sum to 1",
        ),
        (lambda: estimate_prior([0.5], 1.0), "prior"),
        (lambda: estimate_prior([0.5], 0.5, max_iter=0), "max_iter"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("method", ["isotonic", "pooled"])
def test_parameters_of_a_method_need_an_object(method):
    model = MultilabelCalibratedClassifierCV(LinearSVC(), method=method)
    kind = "PooledCalibrator" if method == "pooled" else "LabelCalibrator"
    with pytest.raises(ValueError, match=rf"has no parameters; .*method={kind}\("):
        model.set_params(cv=3, method__shrinkage=3.0)
    assert model.cv is None
    model.set_params(method=LabelCalibrator(method), method__shrinkage=3.0)
    assert model.method.shrinkage == 3.0


@pytest.mark.parametrize(
    "calibrator", [PooledCalibrator(), *map(LabelCalibrator, METHODS)], ids=repr
)
def test_infinite_log_odds_are_mapped_to_the_ends(calibrator):
    """They are those of probabilities of 0 and 1, which new rows may have."""
    log_odds, labels = _drawn(np.random.default_rng(0), 300, (0.0, -2.0))
    calibrator = clone(calibrator).fit(log_odds, labels)
    ends = np.array([[-np.inf, np.inf], [np.inf, -np.inf]])
    far = calibrator.transform(np.sign(ends) * 1e6)
    mapped = calibrator.transform(ends)
    np.testing.assert_allclose(expit(mapped), expit(far), atol=1e-12)
    calibrator.match_prevalence(np.vstack([ends, log_odds]), [0.2, 0.3])


def test_log_odds_that_teach_nothing_are_refused_by_name():
    log_odds, labels = np.array([[0.5], [-np.inf], [1.0]]), [[1], [0], [1]]
    for calibrator in (PooledCalibrator(), LabelCalibrator()):
        with pytest.raises(ValueError, match=r"log_odds must be finite.*Clip"):
            calibrator.fit(log_odds, labels)
    with pytest.raises(ValueError, match="log_proba must be finite"):
        TemperatureCalibrator().fit([[0.0, -np.inf]], [0])


@pytest.mark.parametrize("method", ["sigmoid", "isotonic", "temperature", "beta"])
def test_calibrators_of_labels_keep_their_width_and_the_shape(method):
    rng = np.random.default_rng(0)
    log_odds = rng.normal(size=(60, 3))
    labels = rng.random((60, 3)) < 0.4
    fitted = LabelCalibrator(method).fit(log_odds, labels)
    for width in (1, 2, 5):
        with pytest.raises(ValueError, match=rf"has {width} columns.* fitted with 3"):
            fitted.transform(np.zeros((2, width)))
    with pytest.raises(ValueError, match="without NaN"):
        fitted.transform([[0.0, np.nan, 1.0]])
    with pytest.raises(ValueError, match=r"log_odds has shape \(2, 3, 1\)"):
        fitted.transform(np.zeros((2, 3, 1)))
    one = LabelCalibrator(method).fit(log_odds[:, 0], labels[:, 0])
    assert one.transform(log_odds[:, 0]).shape == (60,)
    np.testing.assert_array_equal(
        one.transform(log_odds[:, 0]), one.transform(log_odds[:, :1])[:, 0]
    )


@pytest.mark.parametrize("make", [LabelCalibrator, PooledCalibrator])
def test_frames_of_log_odds_go_with_the_labels_by_name(make):
    rng = np.random.default_rng(0)
    true, Y = _drawn(rng, 300)
    log_odds, labels = (pd.DataFrame(m, columns=list("abc")) for m in (true * 3, Y))
    other = log_odds[["c", "a", "b"]]
    prevalence = pd.Series([0.3, 0.2, 0.1], index=["a", "b", "c"])
    expected = make().fit(true * 3, Y).match_prevalence(true * 3, [0.3, 0.2, 0.1])
    found = (
        make().fit(other, labels).match_prevalence(other, prevalence[["b", "c", "a"]])
    )
    np.testing.assert_allclose(found.intercept_, expected.intercept_)
    mapped = expected.transform(true * 3)
    np.testing.assert_allclose(found.transform(log_odds), mapped)
    np.testing.assert_allclose(found.transform(other), mapped[:, [2, 0, 1]])
    with pytest.raises(ValueError, match=r"log_odds must have the label columns"):
        found.transform(log_odds.set_axis(["a", "b", "d"], axis=1))
    # A later fit without names forgets them.
    again = found.fit(true, Y).match_prevalence(true, [0.3, 0.2, 0.1])
    assert again.transform(log_odds.set_axis(["a", "b", "d"], axis=1)).shape == Y.shape


def test_the_common_map_serves_other_labels_until_each_has_an_intercept():
    rng = np.random.default_rng(0)
    log_odds = rng.normal(size=(60, 3))
    calibrator = PooledCalibrator().fit(log_odds, rng.random((60, 3)) < 0.4)
    assert calibrator.transform(np.zeros((2, 5))).shape == (2, 5)
    calibrator.match_prevalence(log_odds, [0.2, 0.3, 0.4])
    with pytest.raises(ValueError, match="has 5 columns"):
        calibrator.transform(np.zeros((2, 5)))


@pytest.mark.parametrize("y", [[0, 1, -1], [0, 1, 3], [0.0, 1.0, 2.0], list("abc")])
def test_classes_are_given_by_their_index(y):
    log_proba = np.log(np.full((3, 3), 1 / 3))
    with pytest.raises(ValueError, match=r"index of the class of each row, 0 to 2"):
        TemperatureCalibrator().fit(log_proba, y)
    fitted = TemperatureCalibrator().fit(log_proba, [0, 1, 2])
    with pytest.raises(ValueError, match=r"has 1 columns.*fitted with 3"):
        fitted.transform(np.zeros((2, 1)))


@pytest.mark.parametrize(
    ("name", "value", "wrapper"),
    [
        ("threshold", "f_beta", "MultilabelFixedThresholdClassifier"),
        (
            "correct_probabilities",
            PooledCalibrator(),
            "MultilabelCalibratedClassifierCV",
        ),
    ],
)
def test_what_is_learnt_from_held_out_rows_asks_for_some(name, value, wrapper):
    X, Y = _rows(np.random.default_rng(0), 60)
    net = ImbalancedMLPClassifier((), max_epochs=1, random_state=0, **{name: value})
    message = rf"{name}=.*none among 60 rows: pass X_val.*early_stopping.*{wrapper}"
    with pytest.raises(ValueError, match=message):
        net.fit(X, Y)
    with pytest.raises(ValueError, match=rf"{name}=.*partial_fit.*prefit.*{wrapper}"):
        net.partial_fit(X, Y)
    net.set_params(early_stopping=True).fit(X, Y)
    net.set_params(early_stopping="auto").fit(X, Y, X_val=X, y_val=Y)


def test_weights_without_names_go_with_the_log_odds_as_they_are_passed():
    rng = np.random.default_rng(0)
    L = pd.DataFrame(rng.normal(size=(200, 3)), columns=list("abc"))
    Y = (rng.random(L.shape) < expit(L)).astype(int)
    weight, prevalence = rng.random(L.shape) * (L.to_numpy() < 1), [0.1, 0.2, 0.3]
    expected, found = (
        LabelCalibrator()
        .fit(L, Y)
        .match_prevalence(L.iloc[:, order], prevalence, weight[:, order])
        .intercept_
        for order in ([0, 1, 2], [2, 0, 1])
    )
    np.testing.assert_allclose(found, expected)


def test_alternating_labels_are_read_alike_where_some_rows_fit_the_slope(monkeypatch):
    """Every second row would be positive, and say nothing of the common map."""
    rng = np.random.default_rng(0)
    labels = np.tile([[1, 0], [0, 0]], (2000, 1))
    labels[::100, 1] = 1
    log_odds = rng.normal(size=labels.shape) + 2 * labels
    every = LabelCalibrator().fit(log_odds, labels)
    name = "skimbalance.calibration._calibrators._POOLED_ENTRIES"
    monkeypatch.setattr(name, labels.size // 2)
    some = LabelCalibrator().fit(log_odds, labels)
    np.testing.assert_allclose(some.pooled_, every.pooled_, atol=0.15)


def test_prevalences_are_matched_where_rows_of_the_population_come_in_a_cycle(
    monkeypatch,
):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 4)).astype(np.float32)
    X[:, 0] = 2 * (np.arange(len(X)) % 24 < 3)
    Y = (rng.random((len(X), 2)) < expit([-4, -2] + [2, 1] * X[:, :2])).astype(int)
    module = "skimbalance.neural_network._base"
    monkeypatch.setattr(f"{module}._MATCHED_ENTRIES", 1)
    monkeypatch.setattr(f"{module}._LEAST_CALIBRATION_ROWS", len(X) // 8)
    net = ImbalancedMLPClassifier((16,), n_members=1, max_epochs=15, random_state=0)
    net.set_params(lr=0.005)
    expected = net.fit(X, Y).predict_proba(X).mean(axis=0)
    np.testing.assert_allclose(expected, Y.mean(axis=0), rtol=0.2)
