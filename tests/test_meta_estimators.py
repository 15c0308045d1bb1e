"""The classifiers that wrap a classifier, as scikit-learn and its users meet them."""

import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn
from nets import stable_id
from sklearn.base import clone
from sklearn.datasets import load_iris, make_classification
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    PredefinedSplit,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import check_estimator

from skimbalance.calibration import MultilabelCalibratedClassifierCV
from skimbalance.exceptions import UndefinedLabelWarning
from skimbalance.metrics import get_scorer
from skimbalance.model_selection import (
    MultilabelStratifiedKFold,
    RepeatedMultilabelStratifiedKFold,
)
from skimbalance.neural_network import ImbalancedMLPClassifier
from skimbalance.thresholds import (
    Cost,
    FBeta,
    MatchedPrevalence,
    MicroFBeta,
    MinimumExpectedCostClassifier,
    MultilabelFixedThresholdClassifier,
    MultilabelTunedThresholdClassifierCV,
    TopK,
    plug_in_threshold,
    tune_thresholds,
)

WRAPPERS = {
    "fixed": lambda inner, **o: MultilabelFixedThresholdClassifier(
        inner, threshold="f_beta", **o
    ),
    "tuned": lambda inner, **o: MultilabelTunedThresholdClassifierCV(
        inner, refit=o.get("cv") != "prefit", **o
    ),
    "calibrated": MultilabelCalibratedClassifierCV,
}
each_wrapper = pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
INNER = {
    "one against rest": lambda: OneVsRestClassifier(LogisticRegression()),
    "forest": lambda: RandomForestClassifier(15, min_samples_leaf=3, random_state=0),
    "chain": lambda: ClassifierChain(LogisticRegression()),
    "outputs": lambda: MultiOutputClassifier(LogisticRegression()),
    "neighbours": KNeighborsClassifier,
    "pipeline": lambda: make_pipeline(
        StandardScaler(), OneVsRestClassifier(LogisticRegression())
    ),
}


def _rows(n=200, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 5))
    Y = (X[:, :3] + rng.normal(size=(n, 3)) > [0, 0.7, 1.5]).astype(int)
    return X, Y


# What scikit-learn expects of FixedThresholdClassifier: the first only for thresholds
# that were searched.
SEARCHED = {"check_classifiers_train"}


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (MultilabelFixedThresholdClassifier(LogisticRegression()), set()),
        (
            MultilabelFixedThresholdClassifier(
                LogisticRegression(), threshold="f_beta", cv=3
            ),
            SEARCHED,
        ),
        (MultilabelTunedThresholdClassifierCV(LogisticRegression(), cv=3), set()),
        (MinimumExpectedCostClassifier(LogisticRegression()), set()),
        (MultilabelCalibratedClassifierCV(LogisticRegression(), cv=3), set()),
        (
            MultilabelCalibratedClassifierCV(
                LogisticRegression(), cv=3, ensemble=False, method="isotonic"
            ),
            set(),
        ),
    ],
    ids=["fixed", "plug-in", "tuned", "cost", "calibrated", "isotonic"],
)
@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_checks(model, expected):
    """At most what scikit-learn lists for its own twins, and no other."""
    results = check_estimator(model, on_fail=None, on_skip=None)
    failed = {r["check_name"] for r in results if r["status"] == "failed"}
    assert failed <= expected
    assert len(results) > 50


@each_wrapper
@pytest.mark.parametrize("inner", INNER.values(), ids=INNER)
def test_any_multilabel_classifier(wrap, inner):
    X, Y = _rows()
    model = wrap(inner(), cv=3).fit(X, Y)
    proba = model.predict_proba(X)
    assert proba.shape == Y.shape
    assert ((proba >= 0) & (proba <= 1)).all()
    assert model.predict(X).shape == Y.shape
    assert set(np.unique(model.predict(X))) == {0, 1}
    np.testing.assert_array_equal(model.classes_, np.tile([0, 1], (3, 1)))
    assert model.n_features_in_ == 5


@each_wrapper
def test_a_net(wrap):
    from skimbalance.neural_network import ImbalancedMLPClassifier

    X, Y = _rows()
    holes = Y.astype(float)
    holes[:40, 0] = np.nan
    net = ImbalancedMLPClassifier((8,), max_epochs=2, random_state=0)
    for y in (holes, sp.csr_array(holes)):
        model = wrap(net, cv=3).fit(X, y)
        predicted = model.predict(X)
        assert sp.issparse(predicted) == sp.issparse(y)
        assert predicted.shape == Y.shape
        assert predicted.dtype == y.dtype


@each_wrapper
def test_binary_classes(wrap):
    X, Y = _rows()
    y = np.array(["no", "yes"])[Y[:, 1]]
    model = wrap(LogisticRegression()).fit(X, y)
    assert set(model.predict(X)) == {"no", "yes"}
    np.testing.assert_array_equal(model.classes_, ["no", "yes"])
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)
    with pytest.raises(ValueError, match="Unknown label type: multiclass"):
        wrap(LogisticRegression()).fit(*load_iris(return_X_y=True))


@each_wrapper
def test_cross_validation_grids_clones_and_pickles(wrap):
    X, Y = _rows()
    model = wrap(OneVsRestClassifier(LogisticRegression()), cv=3)
    for scoring in ("average_precision", "roc_auc", "f1_macro"):
        assert (cross_val_score(model, X, Y, scoring=scoring, cv=3) > 0.3).all()
    ours = get_scorer("macro_average_precision")
    assert (cross_val_score(model, X, Y, scoring=ours, cv=3) > 0.3).all()
    assert cross_val_predict(model, X, Y, cv=3, method="predict_proba").shape == Y.shape
    search = GridSearchCV(model, {"estimator__estimator__C": [0.1, 1.0]}, cv=3)
    assert search.fit(X, Y).best_params_["estimator__estimator__C"] in (0.1, 1.0)
    copy = clone(model)
    assert copy.get_params()["cv"] == 3
    fitted = model.fit(X, Y)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))


@each_wrapper
def test_folds_in_parallel_are_the_same(wrap):
    X, Y = _rows()
    inner = OneVsRestClassifier(LogisticRegression())
    alone = wrap(inner).fit(X, Y).predict_proba(X)
    with joblib.parallel_backend("threading"):
        together = wrap(inner, n_jobs=2).fit(X, Y).predict_proba(X)
    np.testing.assert_array_equal(alone, together)


@each_wrapper
def test_thresholds_and_maps_never_see_rows_that_trained(wrap):
    """A model that remembers its rows would look perfect on them."""
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(300, 4)), (rng.random((300, 2)) < 0.2).astype(int)
    model = wrap(KNeighborsClassifier(1)).fit(X, Y)
    if hasattr(model, "thresholds_"):
        # Noise: out of fold the best threshold predicts nearly every label.
        assert (model.predict(rng.normal(size=(300, 4))).mean(axis=0) > 0.15).all()
    else:
        proba = model.predict_proba(rng.normal(size=(300, 4)))
        assert abs(proba.mean() - Y.mean()) < 0.05
        assert np.ptp(proba) < 0.4


def test_tuned_thresholds_by_hand():
    X, Y = _rows()
    inner = OneVsRestClassifier(LogisticRegression())
    folds = MultilabelStratifiedKFold(5)
    out = cross_val_predict(inner, X, Y, cv=folds, method="predict_proba")
    for options in ({}, {"average": "micro"}, {"scoring": "f2", "shrinkage": 0}):
        model = MultilabelTunedThresholdClassifierCV(inner, **options).fit(X, Y)
        expected = tune_thresholds(Y, out, **options)
        np.testing.assert_allclose(model.thresholds_, expected)
        proba = inner.fit(X, Y).predict_proba(X)
        np.testing.assert_array_equal(model.predict(X), proba > expected)
    model = MultilabelTunedThresholdClassifierCV(inner, shrinkage=0).fit(X, Y)
    best = f1_score(Y, out > model.thresholds_, average=None)
    np.testing.assert_allclose(model.best_scores_, best)
    rule = MultilabelFixedThresholdClassifier(inner, threshold="f_beta").fit(X, Y)
    np.testing.assert_allclose(rule.thresholds_, plug_in_threshold(out))


@pytest.mark.parametrize("weight", [None, np.arange(200) % 3], ids=["rows", "weights"])
@pytest.mark.parametrize("name", WRAPPERS)
def test_repeats_of_a_row_count_once(name, weight):
    X, Y = _rows()
    splits = list(MultilabelStratifiedKFold(4).split(X, Y))
    once, thrice = (
        WRAPPERS[name](MultiOutputClassifier(LogisticRegression()), cv=splits * times)
        for times in (1, 3)
    )
    if name == "tuned" and weight is None:
        once.constraint = thrice.constraint = ("recall", 0.8)
    for model in (once, thrice):
        model.fit(X, Y, sample_weight=weight)
    np.testing.assert_allclose(once.predict_proba(X), thrice.predict_proba(X))
    if name != "calibrated":
        np.testing.assert_allclose(once.thresholds_, thrice.thresholds_)


def test_tuned_thresholds_are_those_of_the_mean_scores_of_repeats():
    X, Y = _rows()
    inner = OneVsRestClassifier(LogisticRegression())
    cv = RepeatedMultilabelStratifiedKFold(n_splits=3, n_repeats=2, random_state=0)
    model = MultilabelTunedThresholdClassifierCV(inner, cv=cv).fit(X, Y)
    total = np.zeros(Y.shape)
    for train, test in cv.split(X, Y):
        total[test] += inner.fit(X[train], Y[train]).predict_proba(X[test])
    np.testing.assert_allclose(model.thresholds_, tune_thresholds(Y, total / 2))
    fixed = MultilabelFixedThresholdClassifier(inner, threshold="f_beta", cv=cv)
    expected = tune_thresholds(Y, total / 2, threshold="f_beta")
    np.testing.assert_allclose(fixed.fit(X, Y).thresholds_, expected)


def test_rules_by_hand():
    X, Y = _rows()
    inner = OneVsRestClassifier(LogisticRegression())
    proba = inner.fit(X, Y).predict_proba(X)

    def predicted(threshold, **options):
        model = MultilabelFixedThresholdClassifier(
            inner, threshold=threshold, **options
        )
        return model.fit(X, Y).predict(X)

    np.testing.assert_array_equal(predicted(0.3), proba > 0.3)
    thresholds = [0.2, 0.3, 0.4]
    np.testing.assert_array_equal(predicted(thresholds), proba > np.array(thresholds))
    np.testing.assert_array_equal(predicted("accuracy"), proba > 0.5)
    np.testing.assert_array_equal(predicted("prior"), proba > Y.mean(axis=0))
    found = predicted(Cost(cost_fp=1, cost_fn=[1, 3, 9]))
    np.testing.assert_array_equal(found, proba > [0.5, 0.25, 0.1])
    assert (predicted(TopK(k=2)).sum(axis=1) == 2).all()
    expected = np.rint(proba.sum(axis=1))
    np.testing.assert_array_equal(predicted("cardinality").sum(axis=1), expected)
    assert predicted("matched_prevalence").sum() == pytest.approx(Y.sum(), rel=0.15)


def test_micro_rule_and_guard():
    X, Y = _rows()
    inner = OneVsRestClassifier(LogisticRegression())
    micro = MultilabelFixedThresholdClassifier(inner, threshold=MicroFBeta(beta=2))
    assert np.ptp(micro.fit(X, Y).thresholds_) == 0
    ignorant = DummyClassifier()
    plain, guarded = (
        MultilabelFixedThresholdClassifier(ignorant, threshold=FBeta(guard=guard))
        .fit(X, Y)
        .predict(X)
        for guard in (False, True)
    )
    assert plain.all()
    np.testing.assert_array_equal(guarded.any(axis=0), Y.mean(axis=0) > 0.5)


def test_decision_scores():
    X, Y = _rows()
    margins = OneVsRestClassifier(LinearSVC())
    model = MultilabelTunedThresholdClassifierCV(margins).fit(X, Y)
    scores = model.decision_function(X)
    np.testing.assert_array_equal(model.predict(X), scores > model.thresholds_)
    assert not hasattr(model, "predict_proba")
    with pytest.raises(ValueError, match="predict_proba"):
        MultilabelFixedThresholdClassifier(margins).fit(X, Y)
    both = MultilabelTunedThresholdClassifierCV(
        OneVsRestClassifier(LogisticRegression()), response_method="decision_function"
    )
    assert (both.fit(X, Y).thresholds_ < 0).any()


def test_prefit_reads_the_rows_it_is_given():
    X, Y = _rows(400)
    fitted = OneVsRestClassifier(LogisticRegression()).fit(X[:200], Y[:200])
    held = fitted.predict_proba(X[200:])
    tuned = MultilabelTunedThresholdClassifierCV(fitted, cv="prefit", refit=False)
    tuned.fit(X[200:], Y[200:])
    assert tuned.estimator_ is fitted
    np.testing.assert_allclose(tuned.thresholds_, tune_thresholds(Y[200:], held))
    rule = MultilabelFixedThresholdClassifier(fitted, threshold="f_beta", cv="prefit")
    thresholds = rule.fit(X[200:], Y[200:]).thresholds_
    np.testing.assert_allclose(thresholds, plug_in_threshold(held))
    frozen = MultilabelTunedThresholdClassifierCV(FrozenEstimator(fitted))
    np.testing.assert_allclose(
        frozen.fit(X[200:], Y[200:]).thresholds_, tuned.thresholds_
    )
    binary = LogisticRegression().fit(X[:200], Y[:200, 0])
    one = MultilabelTunedThresholdClassifierCV(binary, cv="prefit", refit=False)
    assert one.fit(X[200:], Y[200:, 0]).thresholds_.shape == (1,)
    with pytest.raises(ValueError, match="refit cannot be True"):
        MultilabelTunedThresholdClassifierCV(fitted, cv="prefit").fit(X, Y)


def test_one_split_may_keep_its_classifier():
    X, Y = _rows()
    inner = OneVsRestClassifier(LogisticRegression())
    model = MultilabelTunedThresholdClassifierCV(
        inner, cv=0.3, refit=False, random_state=0
    ).fit(X, Y)
    again = clone(model).fit(X, Y)
    np.testing.assert_array_equal(model.thresholds_, again.thresholds_)
    whole = inner.fit(X, Y)
    assert not np.allclose(model.predict_proba(X), whole.predict_proba(X))
    with pytest.raises(ValueError, match="several folds"):
        MultilabelTunedThresholdClassifierCV(inner, refit=False).fit(X, Y)
    with pytest.raises(ValueError, match="fraction"):
        MultilabelTunedThresholdClassifierCV(inner, cv=1.5).fit(X, Y)
    binary = MultilabelTunedThresholdClassifierCV(
        LogisticRegression(), cv=0.3, refit=False, random_state=0
    )
    assert binary.fit(X, Y[:, 0]).thresholds_.shape == (1,)


def test_stored_curves_hold_the_best_score():
    X, Y = _rows()
    model = MultilabelTunedThresholdClassifierCV(
        OneVsRestClassifier(LogisticRegression()), shrinkage=0, store_cv_results=True
    ).fit(X, Y)
    best = [scores.max() for scores in model.cv_results_["scores"]]
    np.testing.assert_allclose(best, model.best_scores_)
    shapes = [t.shape == s.shape for t, s in zip(*model.cv_results_.values())]
    assert all(shapes)
    model.set_params(store_cv_results=False).fit(X, Y)
    assert not hasattr(model, "cv_results_")


def test_one_label_agrees_with_scikit_learn():
    X, Y = _rows(600)
    y = Y[:, 1]
    theirs = TunedThresholdClassifierCV(LogisticRegression(), scoring="f1")
    ours = MultilabelTunedThresholdClassifierCV(LogisticRegression())
    thresholds = theirs.fit(X, y).best_threshold_, ours.fit(X, y).thresholds_[0]
    assert thresholds[0] == pytest.approx(thresholds[1], abs=0.1)
    scores = [f1_score(y, m.predict(X)) for m in (theirs, ours)]
    assert scores[0] == pytest.approx(scores[1], abs=0.03)


def test_expected_cost_by_hand():
    X, y = load_iris(return_X_y=True)
    rng = np.random.default_rng(0)
    X = X + rng.normal(size=X.shape)
    C = rng.random((3, 3))
    model = MinimumExpectedCostClassifier(LogisticRegression(max_iter=1000), C)
    names = np.array(["a", "b", "c"])
    proba = model.fit(X, names[y]).predict_proba(X)
    costs = [[sum(p[t] * C[t, j] for t in range(3)) for j in range(3)] for p in proba]
    np.testing.assert_array_equal(model.predict(X), names[np.argmin(costs, axis=1)])
    default = MinimumExpectedCostClassifier(LogisticRegression(max_iter=1000))
    inner = default.fit(X, y).estimator_
    np.testing.assert_array_equal(default.predict(X), inner.predict(X))
    two = MinimumExpectedCostClassifier(LogisticRegression(), [[0, 1], [9, 0]])
    proba = two.fit(X, y > 1).predict_proba(X)[:, 1]
    np.testing.assert_array_equal(two.predict(X), proba > 0.1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_of_equal_costs_the_first_class_is_predicted(dtype):
    """However their sums round: the columns of a class in another place change."""
    rng = np.random.default_rng(0)
    y, X = np.arange(6).repeat(2), np.zeros((12, 1))
    votes = rng.multinomial(10, np.full(6, 1 / 6), size=2000)

    class Votes(LogisticRegression):
        def predict_proba(self, X):
            return (votes / 10).astype(dtype)

    default = MinimumExpectedCostClassifier(Votes()).fit(X, y)
    np.testing.assert_array_equal(default.predict(X), votes.argmax(axis=1))
    costs = np.array([[0, 1, 2], [1, 0, 1], [4, 3, 0]]).repeat(2, 0).repeat(2, 1)
    model = MinimumExpectedCostClassifier(Votes(), costs / 7).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), (votes @ costs).argmin(axis=1))


class _Descending(LogisticRegression):
    """A classifier that keeps its classes, and their columns, in descending order."""

    def fit(self, X, y, sample_weight=None):
        super().fit(X, y, sample_weight)
        self.coef_, self.intercept_ = self.coef_[::-1], self.intercept_[::-1]
        if len(self.classes_) == 2:
            self.coef_, self.intercept_ = -self.coef_, -self.intercept_
        self.classes_ = self.classes_[::-1]
        return self


@pytest.mark.parametrize("n_classes", [2, 3])
def test_classes_in_another_order_are_found_by_name(n_classes):
    X, y = load_iris(return_X_y=True)
    X, y = X[y < n_classes], np.array(["a", "b", "c"])[y[y < n_classes]]
    wraps = [lambda inner: MinimumExpectedCostClassifier(inner, np.eye(n_classes))]
    if n_classes == 2:
        wraps += [*WRAPPERS.values()]
    for wrap in wraps:
        usual, other = (
            wrap(inner(max_iter=300)).fit(X, y)
            for inner in (LogisticRegression, _Descending)
        )
        for method in ("predict_proba", "predict_log_proba", "decision_function"):
            if hasattr(usual, method):
                np.testing.assert_allclose(
                    getattr(other, method)(X), getattr(usual, method)(X), atol=1e-9
                )
        np.testing.assert_array_equal(other.predict(X), usual.predict(X))


# --------------------------------------------------------------------------
# Weights and metadata


@each_wrapper
def test_weights_reach_the_classifier_and_the_thresholds(wrap):
    X, Y = _rows()
    weight = np.where(X[:, 0] > 0, 5.0, 1.0)
    forest = RandomForestClassifier(15, min_samples_leaf=5, random_state=0)
    plain, weighted = (
        wrap(forest, cv=3).fit(X, Y, sample_weight=w) for w in (None, weight)
    )
    assert not np.allclose(plain.predict_proba(X), weighted.predict_proba(X))
    with pytest.raises(ValueError, match="takes no sample_weight"):
        wrap(OneVsRestClassifier(LogisticRegression())).fit(X, Y, sample_weight=weight)
    fitted = forest.fit(X[:100], Y[:100])
    models = [
        wrap(fitted, cv="prefit").fit(X[100:], Y[100:], sample_weight=w)
        for w in (None, weight[100:])
    ]
    if hasattr(models[0], "thresholds_"):
        assert not np.allclose(models[0].thresholds_, models[1].thresholds_)


@each_wrapper
def test_metadata_routing(wrap):
    X, Y = _rows()
    weight, groups = np.linspace(0.1, 1, len(X)), np.arange(len(X)) // 10
    with sklearn.config_context(enable_metadata_routing=True):
        inner = RandomForestClassifier(5, random_state=0)
        inner.set_fit_request(sample_weight=True)
        model = wrap(inner, cv=GroupKFold(3))
        model.set_fit_request(sample_weight=True)
        model.fit(X, Y, sample_weight=weight, groups=groups)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scaler, inner)
        inside = wrap(pipeline, cv=3).set_fit_request(sample_weight=True)
        assert inside.fit(X, Y, sample_weight=weight).predict(X).shape == Y.shape


# --------------------------------------------------------------------------
# The net's own rules


def _net(**options):
    from skimbalance.neural_network import ImbalancedMLPClassifier

    return ImbalancedMLPClassifier((8,), max_epochs=5, random_state=0, **options)


@pytest.mark.parametrize(
    "rule", [FBeta(beta=2), MicroFBeta(beta=2), MatchedPrevalence()], ids=stable_id
)
def test_a_net_takes_thresholds_from_its_held_out_rows(rule):
    X, Y = _rows(400)
    X_val, Y_val = _rows(300, seed=1)
    net = _net(threshold=rule)
    net.fit(X, Y, X_val=X_val, y_val=Y_val)
    proba = net.predict_proba(X_val)
    wrapped = MultilabelFixedThresholdClassifier(net, threshold=rule, cv="prefit")
    wrapped.fit(X_val, Y_val)
    np.testing.assert_array_equal(net.predict(X_val), proba > wrapped.thresholds_)
    split = _net(threshold=rule).fit(X, Y)
    assert split.predict(X).mean() > 0.1
    again = pickle.loads(pickle.dumps(split))
    np.testing.assert_array_equal(again.predict(X), split.predict(X))


def test_a_net_takes_rules_that_need_no_rows():
    X, Y = _rows(400)
    net = _net(early_stopping=False).fit(X, Y)
    proba = net.predict_proba(X)
    for rule, expected in (
        ("accuracy", proba > 0.5),
        ("prior", proba > Y.mean(axis=0)),
        (Cost(cost_fn=4.0), proba > 0.2),
    ):
        net.set_params(threshold=rule)
        np.testing.assert_array_equal(net.predict(X), expected)
    net.set_params(threshold=TopK(), threshold__k=2)
    assert (net.predict(X).sum(axis=1) == 2).all()
    net.set_params(threshold="cardinality")
    np.testing.assert_array_equal(net.predict(X).sum(axis=1), np.rint(proba.sum(1)))
    with pytest.raises(ValueError, match="fit again"):
        net.set_params(threshold="f_beta").predict(X)


def test_a_net_predicts_constant_labels_by_their_constant():
    X, Y = _rows(400)
    Y[:, 0], Y[:, 1] = 0, 1
    for rule in ("f_beta", "micro_f_beta", "matched_prevalence", "prior"):
        with pytest.warns(UserWarning, match="one value"):
            predicted = _net(threshold=rule).fit(X, Y).predict(X)
        assert not predicted[:, 0].any()
        assert predicted[:, 1].all()


def test_a_rule_that_needs_probabilities_says_how_to_get_them():
    X, Y = _rows(100)
    model = MultilabelFixedThresholdClassifier(LinearSVC(), threshold="f_beta")
    wanted = "LinearSVC has no predict_proba, which threshold='f_beta' needs: wrap it"
    with pytest.raises(ValueError, match=wanted):
        model.fit(X, Y[:, 0])


def test_a_net_refuses_rules_it_cannot_follow():
    X, Y = _rows(400)
    for options, y, message in (
        ({"threshold": "f_beta", "early_stopping": False}, Y, "held-out rows"),
        ({"threshold": TopK(k=4)}, Y, "number of labels"),
        ({"threshold": "fbeta"}, Y, "Did you mean"),
        ({"threshold": Cost(cost_fp=-1)}, Y, "cost_fp"),
        ({"threshold": "top_k"}, Y[:, 0], "label matrix"),
        ({"threshold": "prior"}, Y.sum(axis=1), "threshold"),
    ):
        with pytest.raises(ValueError, match=message):
            _net(**options).fit(X, y)


# --------------------------------------------------------------------------
# What cannot be


def test_a_label_of_one_value_is_predicted_by_its_constant():
    X, Y = _rows()
    Y = np.column_stack([Y, np.zeros(len(Y), int), np.ones(len(Y), int)])
    forest = RandomForestClassifier(10, random_state=0)
    for name in ("fixed", "tuned"):
        with pytest.warns(UndefinedLabelWarning, match="2 of 5 labels") as caught:
            model = WRAPPERS[name](forest, cv=3).fit(X, Y)
        ours = [w for w in caught if w.category is UndefinedLabelWarning]
        assert len(ours) == 1
        np.testing.assert_array_equal(model.thresholds_[3:], 0.5)
        assert (model.predict(X)[:, 3] == 0).all()
        assert (model.predict(X)[:, 4] == 1).all()


@each_wrapper
def test_a_label_of_one_value_in_a_fold_is_warned_of_once(wrap):
    X, Y = _rows()
    Y[:, 2] = 0
    Y[7, 2] = 1
    forest = RandomForestClassifier(10, random_state=0)
    with pytest.warns(UndefinedLabelWarning, match="1 of 3 labels have one") as caught:
        wrap(forest, cv=3).fit(X, Y)
    assert len([w for w in caught if w.category is UndefinedLabelWarning]) == 1


@each_wrapper
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"estimator": LinearRegression()}, TypeError, "not a classifier"),
        ({"estimator": LogisticRegression}, TypeError, "not an estimator"),
        ({"cv": "prefit", "estimator": LogisticRegression()}, Exception, "fitted"),
        ({"cv": "five"}, ValueError, "cv"),
        ({"cv": iter([])}, ValueError, "used up by one fit"),
    ],
)
def test_bad_estimators_and_folds(wrap, change, error, message):
    X, Y = _rows()
    options = {"estimator": OneVsRestClassifier(LogisticRegression()), **change}
    with pytest.raises(error, match=message):
        wrap(options.pop("estimator"), **options).fit(X, Y[:, 0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 1.5}, "must lie in"),
        ({"threshold": [0.5, 0.5]}, "shape"),
        ({"threshold": "f1"}, "Did you mean|not known"),
        ({"threshold": FBeta(beta=-1)}, "beta"),
        ({"threshold": Cost(cost_fp=0, cost_fn=0)}, "both"),
        ({"threshold": Cost(cost_fp=-1)}, "cost_fp"),
        ({"threshold": Cost(cost_fn=[1, 2])}, "cost_fn has shape"),
        ({"threshold": TopK(k=4)}, "number of labels, 3"),
        ({"threshold": TopK(k=1.5)}, "k=1.5"),
    ],
)
def test_bad_rules(options, message):
    X, Y = _rows()
    model = MultilabelFixedThresholdClassifier(
        OneVsRestClassifier(LogisticRegression()), **options
    )
    with pytest.raises(ValueError, match=message):
        model.fit(X, Y)


def test_bad_options_elsewhere():
    X, Y = _rows()
    inner = OneVsRestClassifier(LogisticRegression())
    for options, message in (
        ({"response_method": "predict"}, "response_method"),
        ({"scoring": "roc_auc"}, "does not depend"),
        ({"average": "none"}, "average"),
        ({"shrinkage": None}, "shrinkage"),
        ({"constraint": ("recall", 2)}, "constraint"),
    ):
        with pytest.raises(ValueError, match=message):
            MultilabelTunedThresholdClassifierCV(inner, **options).fit(X, Y)
    for rule in ("top_k", "cardinality"):
        with pytest.raises(ValueError, match="label matrix"):
            MultilabelFixedThresholdClassifier(
                LogisticRegression(), threshold=rule
            ).fit(X, Y[:, 0])
    for costs in ([[0, 1]], np.full((2, 2), np.nan), np.eye(3)):
        with pytest.raises(ValueError, match="cost_matrix"):
            MinimumExpectedCostClassifier(LogisticRegression(), costs).fit(X, Y[:, 0])
    with pytest.raises(ValueError, match="label matrix"):
        MinimumExpectedCostClassifier(inner).fit(X, Y)
    for options in ({"method": "platt"}, {"ensemble": "no"}):
        with pytest.raises(ValueError, match=next(iter(options))):
            MultilabelCalibratedClassifierCV(inner, **options).fit(X, Y)


class _Broken(OneVsRestClassifier):
    """A classifier whose scores are not finite."""

    def predict_proba(self, X):
        return np.full((len(X), 3), np.nan)

    decision_function = predict_proba


@each_wrapper
def test_scores_that_are_not_finite(wrap):
    X, Y = _rows()
    with pytest.raises(ValueError, match="not finite"):
        wrap(_Broken(LogisticRegression())).fit(X, Y)


@each_wrapper
def test_no_warning_on_good_rows(wrap):
    X, Y = _rows()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        wrap(OneVsRestClassifier(LogisticRegression())).fit(X, Y).predict(X)


def test_a_cost_matrix_of_polars_must_have_the_order_of_the_classes():
    polars = pytest.importorskip("polars")
    X, y = make_classification(200, random_state=0)
    y = np.where(y == 1, "good", "bad")
    costs = np.array([[0.0, 1.0], [50.0, 0.0]])

    def fit(matrix):
        model = MinimumExpectedCostClassifier(LogisticRegression(), matrix)
        return model.fit(X, y).predict(X)

    frame = polars.DataFrame(costs, schema=["bad", "good"], orient="row")
    np.testing.assert_array_equal(fit(frame), fit(costs))
    with pytest.raises(ValueError, match=r"columns of cost_matrix are \['good', 'bad'"):
        fit(polars.DataFrame(costs, schema=["good", "bad"], orient="row"))
    with pytest.raises(TypeError, match="classes as index and columns, not a dict"):
        fit({"bad": 1.0, "good": 50.0})


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array, pd.DataFrame])
def test_scikit_learns_classifiers_can_count_the_labels(container):
    """With int8, LabelBinarizer of scikit-learn 1.9 permutes 130 columns."""
    rng = np.random.default_rng(0)
    Y = (rng.random((60, 130)) < 0.3).astype(np.int8)
    X = Y + 0.1 * rng.normal(size=Y.shape)
    net = MLPClassifier((), max_iter=60, learning_rate_init=0.05, random_state=0)
    expected = MultilabelFixedThresholdClassifier(net).fit(X, Y.astype(np.int64))
    found = MultilabelFixedThresholdClassifier(net).fit(X, container(Y))
    np.testing.assert_allclose(found.predict_proba(X), expected.predict_proba(X))
    assert f1_score(Y, expected.predict(X), average="micro") > 0.9
    predicted = found.predict(X)
    assert (getattr(predicted, "dtype", None) or np.asarray(predicted).dtype) == np.int8


def test_costs_that_are_not_finite_are_called_so():
    X, y = load_iris(return_X_y=True)
    costs = 1 - np.eye(3)
    costs[0, 1] = np.nan
    with pytest.raises(ValueError, match="cost_matrix must be finite, but has NaN"):
        MinimumExpectedCostClassifier(LogisticRegression(), costs).fit(X, y)


@pytest.mark.parametrize("cv", [2, 5, "given", "predefined", "prefit"])
@pytest.mark.parametrize("name", WRAPPERS)
def test_rows_without_weight_are_absent(name, cv):
    """Also from the folds, and from the bounds and steps that scores set."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(160, 6))
    y = X[:, 1] + rng.normal(size=160) > 1
    present = rng.permutation(np.arange(160) < 80)
    X[~present] *= 100  # probabilities near 0 and 1
    number = np.arange(160) % 3
    of_rows = {"present": number[present], "all": number}
    fitted = LogisticRegression().fit(X[present][:40], y[present][:40])

    def make(rows):
        number = of_rows[rows]
        splits = {
            "given": [(np.flatnonzero(number), np.flatnonzero(number == 0))],
            "predefined": PredefinedSplit(number),
        }
        estimator = fitted if cv == "prefit" else LogisticRegression()
        return WRAPPERS[name](estimator, cv=splits.get(cv, cv))

    weighted = make("all").fit(X, y, sample_weight=present.astype(float))
    plain = make("present").fit(X[present], y[present])
    np.testing.assert_allclose(
        weighted.predict_proba(X), plain.predict_proba(X), rtol=1e-6
    )
    if name != "calibrated":
        np.testing.assert_allclose(weighted.thresholds_, plain.thresholds_, rtol=1e-6)


@pytest.mark.parametrize("cv", [3, 0.3])
@pytest.mark.parametrize("name", WRAPPERS)
def test_rows_of_a_label_matrix_without_weight_are_in_no_fold(name, cv):
    X, Y = _rows()
    present = np.arange(len(X)) % 5 > 1
    model = WRAPPERS[name](
        MultiOutputClassifier(LogisticRegression()), cv=cv, random_state=0
    )
    weighted = clone(model).fit(X, Y, sample_weight=present.astype(float))
    plain = clone(model).fit(X[present], Y[present])
    np.testing.assert_allclose(
        weighted.predict_proba(X), plain.predict_proba(X), rtol=1e-6
    )
    if name != "calibrated":
        np.testing.assert_allclose(weighted.thresholds_, plain.thresholds_, rtol=1e-6)


@pytest.mark.parametrize("name", WRAPPERS)
def test_weights_that_sum_to_1_are_those_of_mean_1(name):
    X, Y = _rows()
    inner = MultiOutputClassifier(GaussianNB())
    few, none = (
        WRAPPERS[name](inner).fit(X, Y, sample_weight=w)
        for w in (np.full(len(X), 1 / len(X)), None)
    )
    np.testing.assert_allclose(few.predict_proba(X), none.predict_proba(X), rtol=1e-6)
    if name != "calibrated":
        np.testing.assert_allclose(few.thresholds_, none.thresholds_, rtol=1e-6)


@pytest.mark.parametrize("name", WRAPPERS)
def test_entries_without_weight_are_missing_labels(name):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 4))
    Y = (X[:, :3] + rng.normal(size=(120, 3)) > 0.8).astype(float)
    holes = rng.random(Y.shape) < 0.3
    fitted = OneVsRestClassifier(LogisticRegression()).fit(X, Y)
    weighted, missing = (WRAPPERS[name](fitted, cv="prefit") for _ in range(2))
    weighted.fit(X, Y, sample_weight=(~holes).astype(float))
    missing.fit(X, np.where(holes, np.nan, Y))
    np.testing.assert_allclose(weighted.predict_proba(X), missing.predict_proba(X))
    if name != "calibrated":
        np.testing.assert_allclose(weighted.thresholds_, missing.thresholds_)


def _named_rows():
    """Return rows, a label frame, weights of entries, and another column order."""
    X, Y = _rows(120)
    Y = pd.DataFrame(Y, columns=["a", "b", "c"])
    weight = np.random.default_rng(1).integers(1, 6, Y.shape).astype(float)
    return X, Y, pd.DataFrame(weight, columns=Y.columns), ["c", "a", "b"]


@pytest.mark.parametrize("around", ["alone", "pipeline", "search", "frozen"])
@each_wrapper
def test_scorers_read_label_frames_by_name(wrap, around):
    """With the weights of their entries, which without names go with the labels."""
    X, Y, weight, order = _named_rows()
    model = wrap(OneVsRestClassifier(LogisticRegression()), cv=2)
    if around == "search":
        model = GridSearchCV(model, {"cv": [2]}, cv=MultilabelStratifiedKFold(2))
    elif around == "pipeline":
        model = make_pipeline(StandardScaler(), model)
    model.fit(X, Y)
    model = FrozenEstimator(model) if around == "frozen" else model
    for name in ("macro_f1", "macro_average_precision", "neg_macro_log_loss"):
        scorer = get_scorer(name)
        assert scorer(model, X, Y) == pytest.approx(scorer(model, X, Y[order]))
        weighted = [
            scorer(model, X, y, sample_weight=w)
            for y, w in (
                (Y, weight),
                (Y.to_numpy(), weight[order]),
                (Y[order], weight),
                (Y[order], weight[order].to_numpy()),
                (Y[order], weight[order].to_numpy().tolist()),
                (Y[order], pd.DataFrame(weight[order].to_numpy())),
                (Y[order], sp.csr_array(weight[order].to_numpy() - 1)),
            )
        ]
        np.testing.assert_allclose(weighted, weighted[0])
        assert weighted[0] != pytest.approx(scorer(model, X, Y))


def test_options_of_a_scorer_by_position_go_with_the_columns_of_y():
    X, Y, _, order = _named_rows()
    model = MultilabelFixedThresholdClassifier(
        OneVsRestClassifier(LogisticRegression())
    )
    model.fit(X, Y)
    name, propensity = "propensity_scored_precision_at_1", np.array([0.9, 0.1, 0.4])
    expected = get_scorer(name, propensity=propensity)(model, X, Y)
    scorer = get_scorer(name, propensity=propensity[[2, 0, 1]])
    assert scorer(model, X, Y[order]) == pytest.approx(expected)


# What keeps the order of the labels of a frozen classifier, whatever it is fitted on.
AROUND_FROZEN = {
    "calibrated": MultilabelCalibratedClassifierCV,
    "fixed": MultilabelFixedThresholdClassifier,
    "pipeline": lambda inner: make_pipeline(StandardScaler(), inner),
    "search": lambda inner: GridSearchCV(
        MultilabelCalibratedClassifierCV(inner),
        {"method": ["sigmoid"]},
        cv=MultilabelStratifiedKFold(2),
        scoring=get_scorer("neg_macro_log_loss"),
    ),
}


@pytest.mark.parametrize("around", AROUND_FROZEN)
@each_wrapper
def test_labels_are_found_by_name_in_a_classifier_around_a_frozen_one(wrap, around):
    X, Y, _, order = _named_rows()
    named = MultilabelFixedThresholdClassifier(
        OneVsRestClassifier(LogisticRegression())
    )
    inner = AROUND_FROZEN[around](FrozenEstimator(named.fit(X, Y)))
    folds = list(MultilabelStratifiedKFold(3).split(X, Y))
    expected, model = (wrap(inner, cv=folds).fit(X, y) for y in (Y, Y[order]))
    assert model.label_names_.tolist() == order
    places = [2, 0, 1]
    np.testing.assert_allclose(
        model.predict_proba(X), expected.predict_proba(X)[:, places]
    )
    np.testing.assert_array_equal(model.predict(X), expected.predict(X)[:, places])
    assert model.score(X, Y) == expected.score(X, Y)
    if hasattr(model, "decision_function"):
        scores, given = expected.decision_function(X), model.decision_function(X)
        np.testing.assert_allclose(given, scores[:, places])


@pytest.mark.parametrize("frozen", [False, True])
@each_wrapper
def test_weights_without_names_go_with_the_labels_as_they_are_passed(wrap, frozen):
    X, Y, weight, order = _named_rows()
    net = ImbalancedMLPClassifier((), max_epochs=2, random_state=0)
    net = make_pipeline(StandardScaler(), net).fit(X, Y)

    def fit(y, w):
        model = wrap(FrozenEstimator(net)) if frozen else wrap(net, cv="prefit")
        return model.fit(X, y, sample_weight=w)

    expected = fit(Y, weight)
    assert expected.label_names_.tolist() == ["a", "b", "c"]
    for w in (weight, weight[order].to_numpy()):
        model = fit(Y[order], w)
        assert model.label_names_.tolist() == ["a", "b", "c"]
        np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
        np.testing.assert_array_equal(model.predict(X), expected.predict(X))


@each_wrapper
def test_a_second_fit_leaves_nothing_of_the_first(wrap):
    X, Y, _, _ = _named_rows()
    model = wrap(OneVsRestClassifier(LogisticRegression()), cv=2)
    model.fit(pd.DataFrame(X, columns=list("vwxyz")), Y)
    assert model.feature_names_in_.tolist() == list("vwxyz")
    assert model.label_names_.tolist() == ["a", "b", "c"]
    model.fit(X, Y.to_numpy())
    for name in ("feature_names_in_", "label_names_"):
        assert not hasattr(model, name)


@pytest.mark.parametrize("name", WRAPPERS)
def test_a_classifier_of_one_label_is_refused_with_the_way_out(name):
    X, Y = np.eye(6), np.eye(6)[:, :2]
    with pytest.raises(ValueError, match=r"OneVsRestClassifier\(LogisticRegression"):
        WRAPPERS[name](LogisticRegression()).fit(X, Y)
