"""The weighted combination of classifiers, against formulas written out."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn
from nets import documented_sums
from scipy.special import expit, log_softmax, logit
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_iris
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import check_estimator

from skimbalance._out_of_fold import Task, fit_scorer
from skimbalance.calibration import MultilabelCalibratedClassifierCV
from skimbalance.ensemble import (
    MultilabelStackingClassifier,
    _choose_shrinkage,
    _Entries,
)
from skimbalance.metrics import get_scorer
from skimbalance.neural_network import ImbalancedMLPClassifier
from skimbalance.thresholds import (
    FBeta,
    MultilabelFixedThresholdClassifier,
    MultilabelTunedThresholdClassifierCV,
)


class Reads(ClassifierMixin, BaseEstimator):
    """A classifier of labels whose log-odds are some columns of its input."""

    def __init__(self, first=0, n_labels=3, sign=1.0):
        self.first, self.n_labels, self.sign = first, n_labels, sign

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.array([0, 1])
        self.n_fitted_ = len(X)
        return self

    def _log_odds(self, X):
        return self.sign * np.asarray(X)[:, self.first : self.first + self.n_labels]

    def predict_proba(self, X):
        return expit(self._log_odds(X))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class Nets(Reads):
    """The same with out-of-fold log-odds of its own; counts its fits."""

    fits = 0

    def fit(self, X, y, sample_weight=None, groups=None):
        type(self).fits += 1
        self.out_of_fold_log_odds_ = self._log_odds(X)
        return super().fit(X, y)


def forest(n=30, **params):
    return ExtraTreesClassifier(
        n, bootstrap=True, oob_score=True, random_state=0, **params
    )


def linear():
    return OneVsRestClassifier(LogisticRegression())


def stack(*estimators, **params):
    named = [(f"e{k}", estimator) for k, estimator in enumerate(estimators)]
    return MultilabelStackingClassifier(named, **params)


def drawn(weights=(0.7, 0.2), offset=-0.5, n=4000, n_labels=3, seed=0):
    """Rows of two sets of log-odds, and labels drawn from a known combination."""
    rng = np.random.default_rng(seed)
    X = rng.normal(0, 2, size=(n, 2 * n_labels))
    z = weights[0] * X[:, :n_labels] + weights[1] * X[:, n_labels:] + offset
    return X, (rng.random(z.shape) < expit(z)).astype(int), expit(z)


def rows(n=300, n_labels=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 6))
    rare = np.linspace(0, 1.5, n_labels)
    Y = X[:, :n_labels] + rng.normal(size=(n, n_labels)) > rare
    return X, Y.astype(int)


# ------------------------------------------------------------------------------ weights


def test_weights_and_calibration_are_those_that_drew_the_labels():
    X, Y, proba = drawn()
    model = stack(Reads(0), Reads(3)).fit(X, Y)
    np.testing.assert_allclose(model.fitted_weights_, [0.7, 0.2], atol=0.04)
    assert model.equal_weights_[0] == model.equal_weights_[1]
    assert model.shrinkage_ == 0  # 4,000 rows tell the two apart
    np.testing.assert_array_equal(model.weights_, model.fitted_weights_)
    assert abs(model.predict_proba(X) - proba).mean() < 0.01


def test_equal_weights_where_the_truth_is_equal():
    X, Y, _ = drawn((0.5, 0.5), n=60, n_labels=2)
    model = stack(Reads(0, 2), Reads(2, 2)).fit(X, Y)
    assert model.shrinkage_ == 1
    np.testing.assert_allclose(model.weights_, model.equal_weights_)


def test_a_weight_is_never_negative():
    X, Y, _ = drawn((1, 0))
    model = stack(Reads(0), Reads(0, sign=-1), Reads(3)).fit(X, Y)
    assert (model.fitted_weights_ >= 0).all()
    assert model.fitted_weights_[1] == 0


def test_weights_minimise_the_log_loss():
    X, Y, _ = drawn(n=500)
    features = np.array([X[:, :3].ravel(), X[:, 3:].ravel()])
    target, weight = Y.ravel() == 1, np.full(Y.size, 2.0)
    entries = _Entries(features, target, weight, np.arange(Y.size) % 5)
    theta = entries.fit()
    p = expit(theta[:2] @ features + theta[2])
    error = weight * (p - target)
    # The prior: a Gaussian of the strength of one entry around the plain mean.
    gradient = np.append(features @ error, error.sum()) + theta - [0.5, 0.5, 0]
    np.testing.assert_allclose(gradient, 0, atol=1e-4)
    loss = -(weight * np.where(target, np.log(p), np.log1p(-p))).sum()
    assert entries.loss(theta)[0] == pytest.approx(loss)


def test_labels_and_two_classes_have_the_same_weights():
    """The log-probabilities of two classes hold the log-odds of one label."""
    X, Y, _ = drawn(n=800, n_labels=1)
    label = _Entries(X.T, Y[:, 0] == 1, np.ones(800), np.arange(800) % 5)
    log_p = log_softmax(np.stack([np.zeros_like(X.T), X.T], axis=2), axis=2)
    classes = _Entries(log_p, Y[:, 0], np.ones(800), np.arange(800) % 5)
    one, two = label.fit(), classes.fit()
    np.testing.assert_allclose(two[:2], one[:2], rtol=2e-3)
    assert two[3] - two[2] == pytest.approx(one[2], rel=1e-2)
    assert _choose_shrinkage(label) == _choose_shrinkage(classes)


def test_shrinkage_has_the_least_held_out_loss():
    X, Y, _ = drawn(n=40, n_labels=1)
    parts = np.arange(40) % 5
    entries = _Entries(X.T, Y[:, 0] == 1, np.ones(40), parts)
    losses = np.zeros(5)
    for part in range(5):
        fitted, equal = entries.where(parts != part).fit_both()
        for k, fraction in enumerate(np.linspace(0, 1, 5)):
            theta = (1 - fraction) * fitted + fraction * equal
            losses[k] += entries.where(parts == part).loss(theta)[0]
    assert _choose_shrinkage(entries) == np.linspace(0, 1, 5)[losses.argmin()]


# -------------------------------------------------------------------------- calibration


def test_out_of_fold_probabilities_have_the_documented_sums():
    X, Y = rows()
    model = stack(Nets(0, 4), Nets(1, 4)).fit(X, Y)
    z = np.tensordot(model.weights_, [X[:, :4], X[:, 1:5]], 1)
    sums = expit(model.calibrator_.transform(z)).sum(axis=0)
    pooled = clone(model.calibrator_).fit(z, Y)
    s, y = expit(pooled.transform(z)).sum(axis=0), Y.sum(axis=0)
    np.testing.assert_allclose(sums, documented_sums(y, s, len(Y)), rtol=1e-5)


def test_calibration_in_the_large_on_fresh_rows():
    X, Y = rows(3000)
    train, test = np.arange(1500), np.arange(1500, 3000)
    balanced = RandomForestClassifier(
        30, class_weight="balanced", oob_score=True, random_state=0, max_depth=6
    )
    model = stack(linear(), balanced).fit(X[train], Y[train])
    ratio = model.predict_proba(X[test]).sum(axis=0) / Y[test].sum(axis=0)
    np.testing.assert_allclose(ratio, 1, atol=0.12)


def test_classes_are_calibrated_in_the_large():
    X, y = load_iris(return_X_y=True)
    model = stack(GaussianNB(), LogisticRegression(max_iter=500)).fit(X, y)
    proba = model.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    np.testing.assert_allclose(proba.sum(axis=0), 50, atol=3)
    assert model.score(X, y) > 0.95


# ------------------------------------------------------------------ out-of-fold scores


def test_out_of_bag_votes_are_smoothed_by_their_number():
    X, Y = rows(60)
    fitted = forest(4).fit(X, Y)
    drawn_rows = fitted.estimators_samples_
    votes = np.array([[row not in set(d) for d in drawn_rows] for row in range(60)])
    trees = [np.stack(t.predict_proba(X))[..., 1].T for t in fitted.estimators_]
    m = votes.sum(axis=1, keepdims=True)
    shares = np.einsum("rt,trl->rl", votes, np.array(trees)) / np.maximum(m, 1)
    prior = Y.mean(axis=0)
    expected = logit((m * shares + prior) / (m + 1))
    assert (m == 0).any()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of scikit-learn, on rows without a tree
        task = Task(X, Y, [], prior, np.full(4, 60.0), n_labels=4, uses_own=True)
        scorer, found = fit_scorer(forest(4), task, {})
    np.testing.assert_allclose(found, expected, atol=1e-12)
    np.testing.assert_allclose(
        found[m[:, 0] == 0], logit(prior)[None].repeat((m == 0).sum(), 0)
    )
    mean = np.mean(trees, axis=0)
    expected = logit((4 * mean + prior) / 5)
    np.testing.assert_allclose(scorer.log_odds(X), expected, atol=1e-12)


def test_votes_of_unknown_rows_are_those_of_folds():
    """imbalanced-learn's forest does not tell which rows its trees drew."""
    ensemble = pytest.importorskip("imblearn.ensemble")
    X, Y = rows(200)
    params = {"bootstrap": True, "replacement": True, "random_state": 0}
    both = [
        ensemble.BalancedRandomForestClassifier(
            20, sampling_strategy="all", oob_score=oob_score, **params
        )
        for oob_score in (True, False)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on rows without a tree
        own, other = (stack(each).fit(X, Y[:, 0]) for each in both)
    np.testing.assert_array_equal(own.predict_proba(X), other.predict_proba(X))
    p = own.estimators_[0].predict_proba(X)[:, 1:]
    expected = logit((20 * p + Y[:, 0].mean()) / 21)
    np.testing.assert_allclose(own._scorers[0].log_odds(X), expected)


def test_an_estimator_with_its_own_scores_is_fitted_once():
    X, Y, _ = drawn(n=200)
    Nets.fits = 0
    stack(Nets(0), Reads(3)).fit(X, Y)
    assert Nets.fits == 1
    stack(Nets(0), Reads(3)).fit(X, Y, groups=np.arange(200) // 4)
    assert Nets.fits == 2  # its fit takes groups
    stack(Nets(0), Reads(3), cv=3).fit(X, Y)
    assert Nets.fits == 6  # folds that are given are for all


def test_a_row_without_own_scores_counts_for_nothing():
    class Some(Nets):
        def fit(self, X, y, sample_weight=None):
            super().fit(X, y)
            self.out_of_fold_log_odds_ = np.where(
                np.arange(len(X))[:, None] < 100, self._log_odds(X), np.nan
            )
            return self

    X, Y, _ = drawn(n=200)
    some, all_of = stack(Some(0)).fit(X, Y), stack(Nets(0)).fit(X[:100], Y[:100])
    np.testing.assert_allclose(some.fitted_weights_, all_of.fitted_weights_, rtol=1e-5)


@pytest.mark.parametrize("kind", ["binary", "labels"])
def test_groups_do_not_leak(kind):
    """A classifier that knows rows by heart looks perfect where their twins train."""
    rng = np.random.default_rng(0)
    groups = rng.permutation(np.repeat(np.arange(60), 4))
    X, Y = rng.normal(size=(60, 3))[groups], rng.integers(0, 2, size=(60, 2))[groups]
    y = Y[:, 0] if kind == "binary" else Y
    for estimator in (KNeighborsClassifier(3), forest(20)):
        leaky = stack(estimator).fit(X, y)
        grouped = stack(estimator).fit(X, y, groups=groups)
        splitter = stack(estimator, cv=GroupKFold(4)).fit(X, y, groups=groups)
        assert leaky.weights_[0] > 0.5
        assert grouped.weights_[0] < 0.3
        assert splitter.weights_[0] < 0.3


def test_a_fold_without_a_class_and_rows_in_no_fold():
    X, y = load_iris(return_X_y=True)
    model = stack(LogisticRegression(max_iter=500), LinearSVC(), cv=KFold(3))
    model.fit(X, y)  # sorted: each fold lacks one class
    assert np.isfinite(model.predict_proba(X)).all()
    half = [(np.arange(0, 150, 2), np.arange(1, 150, 2))]
    model = stack(LogisticRegression(max_iter=500), cv=half).fit(X, y)
    assert model.score(X, y) > 0.9
    with pytest.raises(ValueError, match="used up by one fit"):
        stack(LogisticRegression(), cv=iter([])).fit(X, y)


def test_binary_folds_of_one_class():
    X, Y = rows(40, 1)
    order = np.argsort(Y[:, 0])
    model = stack(LogisticRegression(), cv=KFold(2)).fit(X[order], Y[order, 0])
    assert np.isfinite(model.predict_proba(X)).all()


# ------------------------------------------------------------------------------ targets


def test_a_binary_target_is_one_label():
    X, Y = rows(200, 1)
    pair = LogisticRegression(), forest()
    matrix = stack(*pair).fit(X, Y)
    binary = stack(*pair).fit(X, np.array(["no", "yes"])[Y[:, 0]])
    flipped = stack(*pair, pos_label="no").fit(X, np.array(["no", "yes"])[Y[:, 0]])
    p = matrix.predict_proba(X)[:, 0]
    np.testing.assert_allclose(binary.predict_proba(X)[:, 1], p, rtol=1e-9)
    np.testing.assert_allclose(binary.predict_proba(X).sum(axis=1), 1)
    np.testing.assert_allclose(flipped.predict_proba(X)[:, 1], p, atol=0.02)
    np.testing.assert_array_equal(binary.predict(X) == "yes", p > 0.5)
    assert flipped.pos_label_ == "no"


def test_constant_labels_get_their_base_rate():
    X, Y = rows(100)
    Y = np.column_stack([np.zeros(100, int), Y[:, 0], np.ones(100, int), Y[:, 1]])
    model = stack(linear(), forest()).fit(X, Y)
    proba = model.predict_proba(X)
    np.testing.assert_allclose(proba[:, 0], 0.5 / 101)
    np.testing.assert_allclose(proba[:, 2], 100.5 / 101)
    same = stack(linear(), forest()).fit(X, Y[:, [1, 3]])
    np.testing.assert_allclose(proba[:, [1, 3]], same.predict_proba(X), rtol=1e-6)
    one = stack(linear(), forest()).fit(X, Y[:, :2])
    assert one.predict_proba(X).shape == (100, 2)
    none = stack(linear(), forest()).fit(X, Y[:, [0, 2]])
    np.testing.assert_allclose(none.predict_proba(X), proba[:, [0, 2]])
    np.testing.assert_array_equal(none.predict(X), Y[:, [0, 2]])


def test_missing_labels_and_weights_of_entries():
    """A label that is missing, and one of weight 0, are not there."""
    X, Y = rows(200, 3)
    holes = np.random.default_rng(1).random(Y.shape) < 0.3
    missing = np.where(holes, np.nan, Y)
    pair = LogisticRegression(), GaussianNB()  # forests draw by weights, also of 1
    cv = KFold(4)  # folds stratified by label read labels of weight 0
    model = stack(*pair, cv=cv).fit(X, missing)
    assert [label.n_features_in_ for label in model.estimators_[1]] == [6, 6, 6]
    for y, weight in (
        (missing, np.where(holes, 5.0, 1.0)),
        (Y, (~holes).astype(float)),
        (Y, sp.csr_array(holes * -1.0)),  # what the weights exceed 1 by
    ):
        other = stack(*pair, cv=cv).fit(X, y, sample_weight=weight)
        np.testing.assert_allclose(
            model.predict_proba(X), other.predict_proba(X), rtol=1e-6
        )
    net = ImbalancedMLPClassifier((8,), max_epochs=2, random_state=0)
    model = stack(net, forest()).fit(X, missing, sample_weight=1 + holes)
    assert isinstance(model.estimators_[0], ImbalancedMLPClassifier)
    assert len(model.estimators_[1]) == 3


def test_multi_output_classifiers_are_fitted_for_each_label_with_missing_ones():
    X, Y = rows(200, 3)
    missing = np.where(np.random.default_rng(1).random(Y.shape) < 0.3, np.nan, Y)
    plain, wrapped = (
        stack(first, GaussianNB(), cv=KFold(4)).fit(X, missing).predict_proba(X)
        for first in (LogisticRegression(), MultiOutputClassifier(LogisticRegression()))
    )
    np.testing.assert_array_equal(wrapped, plain)


def test_rows_without_weight_are_in_no_fold():
    X, Y = rows(120, 2)
    present = np.random.default_rng(0).permutation(np.arange(120) < 70)
    pair = [DecisionTreeClassifier(max_depth=k, random_state=0) for k in (2, 4)]
    weighted = stack(*pair, cv=3).fit(X, Y, sample_weight=present.astype(float))
    plain = stack(*pair, cv=3).fit(X[present], Y[present])
    np.testing.assert_allclose(
        weighted.predict_proba(X), plain.predict_proba(X), rtol=1e-6
    )


def test_a_classifier_of_one_label_is_refused_with_the_way_out():
    X, Y = rows(80, 2)
    with pytest.raises(ValueError, match="wrap it, as OneVsRestClassifier"):
        stack(forest(), LogisticRegression()).fit(X, Y)


def test_a_frozen_estimator_needs_no_weights():
    X, Y = rows(80, 1)
    y = Y.ravel()
    frozen = FrozenEstimator(LogisticRegression().fit(X, y))
    weighted = stack(frozen).fit(X, y, sample_weight=np.ones(80))
    np.testing.assert_allclose(
        weighted.predict_proba(X), stack(frozen).fit(X, y).predict_proba(X)
    )


@pytest.mark.parametrize("cv", [None, 3])
def test_own_scores_of_a_frozen_estimator_are_those_of_other_rows(cv):
    X, Y, _ = drawn(n=300)
    before, fresh = slice(200), slice(200, None)
    trees = [forest().fit(X[before], Y[before]) for _ in range(2)]
    del trees[1].oob_decision_function_
    trees[1].oob_score = False
    for models in (trees, [Nets(0).fit(X[before], Y[before]), Reads(0).fit(X, Y)]):
        frozen, plain = (
            stack(FrozenEstimator(model), Reads(3), cv=cv).fit(X[fresh], Y[fresh])
            for model in models
        )
        np.testing.assert_array_equal(frozen.predict_proba(X), plain.predict_proba(X))
        assert frozen.estimators_[0].estimator is models[0]


def test_a_frozen_estimator_needs_no_complete_labels():
    """It gives scores of all its labels, whatever those of this fit are."""
    X, Y, _ = drawn(n=200)
    frozen = FrozenEstimator(Reads(0, 3).fit(X, Y))
    cv = KFold(4)
    first = stack(FrozenEstimator(Reads(0, 2).fit(X, Y[:, :2])), cv=cv).fit(X, Y[:, :2])
    constant = stack(frozen, cv=cv).fit(X, np.column_stack([Y[:, :2], np.zeros(200)]))
    np.testing.assert_allclose(
        constant.predict_proba(X)[:, :2], first.predict_proba(X), rtol=1e-6
    )
    np.testing.assert_allclose(constant.predict_proba(X)[:, 2], 0.5 / 201)
    holes = np.random.default_rng(1).random(Y.shape) < 0.3
    missing = stack(frozen, cv=cv).fit(X, np.where(holes, np.nan, Y))
    weighted = stack(frozen, cv=cv).fit(X, Y, sample_weight=(~holes).astype(float))
    np.testing.assert_array_equal(missing.predict_proba(X), weighted.predict_proba(X))


@pytest.mark.parametrize("wrap", [None, MultilabelTunedThresholdClassifierCV])
def test_the_labels_of_a_frozen_estimator_are_found_by_name(wrap):
    X, Y = rows(200)
    Y = pd.DataFrame(Y, columns=list("abcd"))
    calibrated = MultilabelCalibratedClassifierCV(linear(), cv=2).fit(X, Y)
    member = FrozenEstimator(calibrated)
    member = member if wrap is None else wrap(member, cv=KFold(4))
    frozen = stack(member, cv=KFold(4)).fit(X, Y)
    other = stack(member, cv=KFold(4)).fit(X, Y[list("cabd")])
    np.testing.assert_allclose(
        other.predict_proba(X), frozen.predict_proba(X)[:, [2, 0, 1, 3]], rtol=1e-6
    )
    missing = Y.mask(np.random.default_rng(1).random(Y.shape) < 0.2)
    assert stack(member).fit(X, missing).predict_proba(X).shape == (200, 4)
    with pytest.raises(ValueError, match=r"lacks \['d'\] and has \['e'\]"):
        frozen.fit(X, Y.rename(columns={"d": "e"}))


AROUND_FROZEN = {
    "pipeline": lambda inner: make_pipeline(FunctionTransformer(), inner),
    "wrapper": lambda inner: MultilabelCalibratedClassifierCV(inner),
    "search": lambda inner: GridSearchCV(
        MultilabelCalibratedClassifierCV(inner),
        {"method": ["sigmoid"]},
        cv=KFold(2),
        scoring=get_scorer("neg_macro_log_loss"),
    ),
}


@pytest.mark.filterwarnings("ignore::skimbalance.exceptions.UndefinedLabelWarning")
@pytest.mark.parametrize("around", AROUND_FROZEN)
def test_a_constant_label_is_left_out_around_a_frozen_estimator(around):
    X, Y = rows(200)
    Y = pd.DataFrame(Y, columns=list("abcd"))
    member = FrozenEstimator(MultilabelFixedThresholdClassifier(linear()).fit(X, Y))
    member = AROUND_FROZEN[around](member)
    constant = Y.assign(b=0)
    frozen, other = (
        stack(member, cv=KFold(4)).fit(X, y) for y in (constant, constant[list("cabd")])
    )
    np.testing.assert_allclose(frozen.predict_proba(X)[:, 1], 0.5 / 201)
    np.testing.assert_allclose(
        other.predict_proba(X), frozen.predict_proba(X)[:, [2, 0, 1, 3]], rtol=1e-6
    )
    weight = np.ones(Y.shape)
    if around == "wrapper":
        frozen.fit(X, constant, sample_weight=weight)
        assert frozen.predict_proba(X).shape == Y.shape


def test_a_frozen_estimator_of_more_classes_is_refused():
    X, y = rows(200)[0], np.arange(200) % 4
    frozen = FrozenEstimator(GaussianNB().fit(X, y))
    some = y != 1
    with pytest.raises(ValueError, match=r"knows the classes \[1\], which y lacks"):
        stack(frozen).fit(X[some], y[some])


def test_row_weights_are_repeated_rows():
    X, Y = rows(120, 2)
    weight = np.random.default_rng(0).integers(0, 3, 120)

    def folds(number):
        return [
            (np.flatnonzero(number % 3 != k), np.flatnonzero(number % 3 == k))
            for k in range(3)
        ]

    again = np.repeat(np.arange(120), weight)

    weighted = stack(Reads(0, 2), Reads(2, 2), cv=folds(np.arange(120)))
    weighted.fit(X, Y, sample_weight=weight)
    repeated = stack(Reads(0, 2), Reads(2, 2), cv=folds(again))
    repeated.fit(X[again], Y[again])
    np.testing.assert_allclose(
        weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-6
    )


def test_sparse_inputs_and_labels():
    X, Y = rows()
    dense = stack(linear(), forest()).fit(X, Y)
    model = stack(linear(), forest()).fit(sp.csr_array(X), sp.csr_matrix(Y))
    proba = model.predict_proba(sp.csr_array(X))
    np.testing.assert_allclose(proba, dense.predict_proba(X), atol=0.02)
    assert isinstance(model.predict(sp.csr_array(X)), sp.csr_matrix)


def test_frames_keep_their_names():
    X, Y = rows()
    X = pd.DataFrame(X, columns=list("abcdef"))
    Y = pd.DataFrame(Y, columns=["red", "green", "blue", "grey"]).assign(none=0)
    net = ImbalancedMLPClassifier((8,), max_epochs=2, random_state=0)
    model = stack(net, forest()).fit(X, Y)
    assert model.label_names_.tolist() == Y.columns.tolist()
    assert model.feature_names_in_.tolist() == X.columns.tolist()
    assert model.estimators_[0].label_names_.tolist() == Y.columns.tolist()[:4]
    assert model.score(X, Y[Y.columns[::-1]]) == model.score(X, Y)
    model.fit(X.to_numpy(), Y.to_numpy())
    assert not hasattr(model, "label_names_")
    assert not hasattr(model, "feature_names_in_")
    model.fit(X, Y).fit(X.to_numpy(), np.zeros_like(Y))
    assert not hasattr(model, "feature_names_in_")


@pytest.mark.parametrize("order", ["abcd", "dabc"])
@pytest.mark.parametrize("names", ["abcd", range(4)])
def test_weight_frames_go_with_the_labels_that_vary(order, names):
    X, Y = rows()
    Y[:, 1] = 0
    weight = np.random.default_rng(1).integers(1, 4, Y.shape).astype(float)
    net = ImbalancedMLPClassifier((), max_epochs=2, random_state=0)
    expected = stack(net, cv=2).fit(X, Y, sample_weight=weight)
    frame = pd.DataFrame(weight, columns=list(names))
    frame = frame[list(order)] if names == "abcd" else frame
    model = stack(net, cv=2)
    model.fit(X, pd.DataFrame(Y, columns=list("abcd")), sample_weight=frame)
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))


# --------------------------------------------------------------------------- thresholds


def test_thresholds_are_learnt_from_out_of_fold_probabilities():
    X, Y = rows(500)
    model = stack(linear(), forest(), threshold=FBeta(beta=2)).fit(X, Y)
    plain = stack(linear(), forest()).fit(X, Y)
    assert (model.thresholds_ < 0.5).all()
    np.testing.assert_array_equal(
        model.predict(X), plain.predict_proba(X) > model.thresholds_
    )
    np.testing.assert_array_equal(
        stack(linear(), threshold=[0.1, 0.2, 0.3, 0.4]).fit(X, Y).thresholds_,
        [0.1, 0.2, 0.3, 0.4],
    )
    top = stack(linear(), forest(), threshold="top_k").fit(X, Y)
    assert (top.predict(X).sum(axis=1) == 1).all()
    assert top.thresholds_ is None


# ------------------------------------------------------------------------- scikit-learn


@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_checks():
    model = stack(LogisticRegression(max_iter=500), LogisticRegression(C=0.01))
    results = check_estimator(model, on_fail=None, on_skip=None)
    assert not [r["check_name"] for r in results if r["status"] == "failed"]
    assert len(results) > 50


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_checks_of_a_net_and_trees():
    """All but what a forest that draws rows fails on its own."""
    net = ImbalancedMLPClassifier((8,), max_epochs=10, random_state=0)
    results = check_estimator(stack(net, forest(10)), on_fail=None, on_skip=None)
    failed = {r["check_name"] for r in results if r["status"] == "failed"}
    assert failed <= {
        "check_sample_weight_equivalence_on_dense_data",
        "check_sample_weight_equivalence_on_sparse_data",
    }


def test_the_default_pair():
    X, Y = rows(110, 2)
    model = MultilabelStackingClassifier(random_state=0)
    again = clone(model).fit(X, Y).predict_proba(X)
    np.testing.assert_array_equal(model.fit(X, Y).predict_proba(X), again)
    net, trees = model.estimators_
    assert isinstance(net, ImbalancedMLPClassifier)
    assert len(trees.estimators_) == 300
    assert model.named_estimators_["trees"] is trees
    copied = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copied.predict_proba(X), again)


@pytest.mark.parametrize("kind", ["labels", "missing labels", "classes"])
def test_a_pickle_holds_no_training_rows(kind):
    sizes = []
    for n_rows in (100, 1000):
        X, Y = rows(n_rows, 2)
        if kind == "missing labels":
            Y = np.where(np.arange(2 * n_rows).reshape(-1, 2) % 7, Y, np.nan)
        y = Y.sum(axis=1) if kind == "classes" else Y
        model = stack(linear() if kind == "labels" else LogisticRegression())
        sizes.append(len(pickle.dumps(model.fit(X, y))))
    assert sizes[1] < sizes[0] + 200


def test_parameters_reach_the_estimators():
    model = stack(LogisticRegression(), forest())
    assert model.get_params()["e1__n_estimators"] == 30
    model.set_params(e0="drop", e1__n_estimators=7)
    X, Y = rows()
    model.fit(X, Y)
    assert len(model.estimators_) == 1
    assert len(model.estimators_[0].estimators_) == 7
    assert MultilabelStackingClassifier().get_params()["estimators"] is None


def test_metadata_routing():
    X, Y = rows()
    groups = np.arange(300) // 3
    with sklearn.config_context(enable_metadata_routing=True):
        deaf = KNeighborsClassifier()
        trees = forest().set_fit_request(sample_weight=True)
        model = stack(deaf, trees, cv=GroupKFold(3)).fit(
            X, Y, sample_weight=np.ones(300), groups=groups
        )
        assert model.predict(X).shape == Y.shape
        with pytest.raises(TypeError, match="unexpected argument"):
            stack(trees).fit(X, Y, other=1)


@pytest.mark.parametrize(
    ("model", "error", "match"),
    [
        (MultilabelStackingClassifier([]), ValueError, "no classifier"),
        (MultilabelStackingClassifier(["a"]), ValueError, "list of .name, classifier"),
        (MultilabelStackingClassifier(linear()), ValueError, "list of"),
        (stack("nothing"), TypeError, "is not an estimator"),
        (stack(linear(), threshold="f1"), ValueError, "Did you mean 'f_beta'"),
        (stack(linear(), threshold="uncorrected"), ValueError, "raw scores"),
        (
            MultilabelStackingClassifier([("a", linear()), ("a", forest())]),
            ValueError,
            "not unique",
        ),
    ],
)
def test_what_is_wrong_is_named(model, error, match):
    X, Y = rows(60)
    with pytest.raises(error, match=match):
        model.fit(X, Y)


def test_estimators_that_take_no_weights():
    X, Y = rows(60, 1)
    with pytest.raises(ValueError, match=r"KNeighborsClassifier\.fit takes no sample"):
        stack(KNeighborsClassifier()).fit(X, Y[:, 0], sample_weight=np.ones(60))
    with pytest.raises(ValueError, match="fit takes no 'other'"):
        stack(linear()).fit(X, Y[:, 0], other=3)
    model = stack(RidgeClassifier(), DecisionTreeClassifier()).fit(X, Y[:, 0])
    assert np.isfinite(model.predict_proba(X)).all()


@pytest.mark.parametrize("two_dimensional", [False, True])
@pytest.mark.parametrize("scale", [1e-3, 1 / 300, 0.5])
def test_weights_of_a_small_mean_have_no_scale(scale, two_dimensional):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 4))
    y = (X[:, 0] + 0.5 * rng.normal(size=600) > 1).astype(int)
    Y = np.column_stack([y, X[:, 1] > 0.5]).astype(int) if two_dimensional else y
    weight = rng.random(Y.shape) * (rng.random(Y.shape) < 0.8)

    def fit(weight):
        model = stack(GaussianNB(), GaussianNB(var_smoothing=1.0))
        return model.fit(X, Y, sample_weight=weight).predict_proba(X)

    np.testing.assert_allclose(fit(scale * weight), fit(weight), rtol=1e-6)
