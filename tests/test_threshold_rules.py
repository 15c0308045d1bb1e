"""Threshold rules as objects: one registry, every place that takes a rule, any beta."""

import inspect
import pickle
import re
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from nets import stable_id
from scipy.special import logit
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import fbeta_score
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.utils.estimator_checks import check_estimator

from skimbalance import thresholds
from skimbalance.exceptions import (
    ImbalanceWarning,
    PositiveClassWarning,
    UndefinedLabelWarning,
)
from skimbalance.metrics import label_report
from skimbalance.neural_network import ImbalancedMLPClassifier
from skimbalance.thresholds import (
    Cardinality,
    Cost,
    FBeta,
    MatchedPrevalence,
    MicroFBeta,
    MultilabelFixedThresholdClassifier,
    Prior,
    TopK,
    Uncorrected,
    expected_f_beta,
    plug_in_threshold,
    tune_thresholds,
)
from skimbalance.thresholds import _rules as rules_module
from skimbalance.thresholds._rules import (
    RULES,
    HeldOutRule,
    PlainRule,
    RowRule,
    ThresholdRule,
    learn_thresholds,
    resolve_rule,
)

RULE_CLASSES = [
    thing
    for thing in vars(thresholds).values()
    if inspect.isclass(thing) and issubclass(thing, ThresholdRule)
]
HELD_OUT_RULES = [name for name, rule in RULES.items() if issubclass(rule, HeldOutRule)]
each_held_out_rule = pytest.mark.parametrize("rule", HELD_OUT_RULES)


def _rows(n=300, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    Y = (X[:, :3] + rng.normal(size=(n, 3)) > [0.3, 0.8, 1.4]).astype(int)
    return X, Y


def _net(threshold=0.5, **options):
    return ImbalancedMLPClassifier(
        (), max_epochs=3, random_state=0, threshold=threshold, **options
    )


def _wrapped(threshold, **options):
    inner = OneVsRestClassifier(LogisticRegression())
    return MultilabelFixedThresholdClassifier(inner, threshold=threshold, **options)


each_model = pytest.mark.parametrize("make", [_net, _wrapped], ids=["net", "wrapper"])


# --------------------------------------------------------------------------
# The registry


@pytest.mark.parametrize("kind", [ThresholdRule, PlainRule, HeldOutRule, RowRule])
@each_model
def test_a_rule_without_its_method_never_acts_as_another_one(monkeypatch, kind, make):
    unfinished = type("Unfinished", (kind,), {})
    monkeypatch.setitem(rules_module.RULES, "unfinished", unfinished)
    X, Y = _rows()
    model = make(threshold="unfinished")
    with pytest.raises(TypeError, match="abstract"):
        model.fit(X, Y)
    assert not hasattr(model, "n_features_in_")


class _MeanOfPositives(HeldOutRule):
    """The mean probability of the positives: a rule that somebody adds."""

    def learn(self, labels, proba, weight):
        dense = labels.toarray() if sp.issparse(labels) else labels
        return np.array([p[y == 1].mean() for y, p in zip(dense.T, proba.T)])


@pytest.mark.parametrize("by_name", [True, False])
def test_a_rule_written_once_works_in_nets_and_wrappers(monkeypatch, by_name):
    monkeypatch.setitem(rules_module.RULES, "mean", _MeanOfPositives)
    threshold = "mean" if by_name else _MeanOfPositives()
    X, Y = _rows()
    X_val, Y_val = _rows(seed=1)
    net = _net(threshold=threshold).fit(X, Y, X_val=X_val, y_val=Y_val)
    proba = net.predict_proba(X_val)
    expected = [p[y == 1].mean() for y, p in zip(Y_val.T, proba.T)]
    np.testing.assert_array_equal(net.predict(X_val), proba > np.array(expected))
    wrapper = MultilabelFixedThresholdClassifier(
        net, threshold=threshold, cv="prefit"
    ).fit(X_val, Y_val)
    np.testing.assert_allclose(wrapper.thresholds_, expected)


@pytest.mark.parametrize("rule", RULE_CLASSES, ids=lambda rule: rule.__name__)
def test_rules_are_cloned_pickled_and_checked_as_scikit_learn_does(rule):
    first = rule()
    assert repr(clone(first)) == repr(first) == repr(pickle.loads(pickle.dumps(first)))
    assert set(first.get_params()) == set(inspect.signature(rule).parameters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_estimator(first)
    assert rule in RULES.values()


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("f1", "f_beta"),
        ("F2", "f_beta"),
        ("fbeta", "f_beta"),
        ("micro_f1", "micro_f_beta"),
        ("macro_f1", "f_beta"),
        ("macro_f_beta", "f_beta"),
        ("cost_sensitive", "cost"),
        ("top-k", "top_k"),
        ("prevalence", "prior"),
    ],
)
def test_unknown_names_lead_to_the_nearest_rule(name, nearest):
    with pytest.raises(ValueError, match=f"Did you mean '{nearest}'"):
        resolve_rule(name)


@pytest.mark.parametrize("name", RULES)
def test_the_docstring_of_a_rule_has_its_name_as_a_string(name):
    assert f'Its name as a string is ``"{name}"``' in RULES[name].__doc__


@pytest.mark.parametrize(
    ("threshold", "error", "message"),
    [
        (FBeta, TypeError, r"FBeta\(\)"),
        (FBeta(beta=-1), ValueError, "beta"),
        (MicroFBeta(beta="1"), ValueError, "beta"),
        (TopK(k=4), ValueError, "number of labels, 3"),
        (TopK(k=True), ValueError, "k=True"),
        (Cost(cost_fp=0, cost_fn=[1, 0, 1]), ValueError, "both"),
        (Cost(cost_fn="dear"), ValueError, "cost_fn"),
        (Cost(cost_fn={"a": 1, "b": 2, "d": 3}), ValueError, "cost_fn"),
        ({"a": 0.1, "b": 0.2}, ValueError, "threshold"),
        ([0.1, [0.2]], ValueError, "threshold"),
        (np.nan, ValueError, "must lie in"),
        (None, ValueError, "rule object"),
        (True, ValueError, "threshold=True"),
    ],
)
@each_model
def test_bad_rules_are_refused_before_training(make, threshold, error, message):
    X, Y = _rows()
    frame = pd.DataFrame(Y, columns=["a", "b", "c"])
    model = make(threshold=threshold)
    with pytest.raises(error, match=message):
        model.fit(X, frame)
    assert not hasattr(model, "n_features_in_")


@each_model
def test_a_tuned_threshold_below_a_score_of_zero_is_one_to_give(make):
    """As of forests, which often give a positive the probability 0."""
    found = tune_thresholds(
        [[1, 0, 1]] * 30 + [[0, 1, 0]] * 30,
        [[0.0, 0.0, 0.9]] * 30 + [[0.0, 0.7, 0.0]] * 30,
        scoring="recall",
        shrinkage=0,
    )
    assert (found < 0).tolist() == [True, False, False]
    X, Y = _rows()
    model = make(threshold=found).fit(X, Y)
    np.testing.assert_array_equal(model.thresholds_, found)
    np.testing.assert_array_equal(model.predict(X), model.predict_proba(X) > found)
    assert expected_f_beta([[0.0], [1.0]], found[:1], average=None) == 2 / 3
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\], got -0.1"):
        make(threshold=[-0.1, 0.5, 0.5]).fit(X, Y)


@each_model
@pytest.mark.parametrize(
    ("threshold", "params", "message"),
    [
        (
            "f_beta",
            {"beta": 2},
            'threshold="f_beta" is a name and has no parameters; '
            "pass threshold=FBeta(beta=2)",
        ),
        ("cost", {"cost_fn": 9, "cost_fp": 1}, "pass threshold=Cost(cost_fn=9, cost_f"),
        ("f_beta", {"bta": 2}, "no parameter 'bta'. Did you mean 'beta'"),
        ("prior", {"beta": 2}, "Prior, the rule of threshold='prior', has no param"),
        ("f1", {"beta": 2}, "threshold='f1' is not known. Did you mean 'f_beta'"),
        (0.3, {"beta": 2}, "such as threshold=FBeta(beta=2)"),
        ([0.1, 0.2, 0.3], {"beta": 2}, "such as threshold=FBeta(beta=2)"),
        (FBeta(), {"bta": 2}, "Invalid parameter 'bta'"),
    ],
    ids=stable_id,
)
def test_parameters_belong_to_a_rule_object(make, threshold, params, message):
    nested = {f"threshold__{name}": value for name, value in params.items()}
    model = make(threshold=threshold)
    with pytest.raises(ValueError, match=re.escape(message)):
        model.set_params(**nested)
    assert repr(model) == repr(make(threshold=threshold))
    with pytest.raises(ValueError, match=re.escape(message)):
        make(threshold=0.5).set_params(threshold=clone(threshold, safe=False), **nested)


@each_model
def test_a_rule_and_its_parameters_are_set_together(make):
    model = make(threshold="f_beta")
    model.set_params(threshold=FBeta(), threshold__beta=2)
    assert model.threshold.beta == model.get_params()["threshold__beta"] == 2
    assert clone(model).get_params()["threshold__beta"] == 2
    assert not any(key.startswith("threshold__") for key in make("f_beta").get_params())


def test_rules_that_need_other_data_are_refused():
    X, Y = _rows()
    with pytest.raises(ValueError, match="raw scores"):
        _wrapped(Uncorrected()).fit(X, Y)
    with pytest.raises(ValueError, match="partial_fit"):
        _net(threshold=FBeta()).partial_fit(X, Y)


# --------------------------------------------------------------------------
# Objects and names


@pytest.mark.parametrize("name", RULES)
def test_an_object_is_what_its_name_stands_for(name):
    X, Y = _rows()
    rule = RULES[name]()
    if name != "uncorrected":  # which is for the raw scores of a net
        by_object, by_name = _wrapped(rule).fit(X, Y), _wrapped(name).fit(X, Y)
        np.testing.assert_array_equal(by_object.predict(X), by_name.predict(X))
    nets = _net(threshold=rule).fit(X, Y), _net(threshold=name).fit(X, Y)
    np.testing.assert_array_equal(*(net.predict(X) for net in nets))


def test_parameters_of_a_rule_are_searched():
    X, Y = _rows()
    for model in (_net(threshold=FBeta(), early_stopping=True), _wrapped(FBeta())):
        grid = GridSearchCV(model, {"threshold__beta": [0.3, 3]}, cv=2)
        scores = grid.set_params(scoring="recall_macro").fit(X, Y)
        assert scores.best_params_ == {"threshold__beta": 3}
        assert model.threshold.beta == 1.0


def test_other_parameters_of_a_rule_are_used_without_a_fit_in_a_net_only():
    X, Y = _rows()
    net = _net(threshold=FBeta(beta=1)).fit(X, Y)
    before = net.predict(X)
    after = net.set_params(threshold__beta=3).predict(X)
    assert after.sum() > before.sum()
    again = _net(threshold=FBeta(beta=3)).fit(X, Y)
    np.testing.assert_array_equal(after, again.predict(X))
    wrapper = _wrapped(FBeta()).fit(X, Y)
    before = wrapper.predict(X)
    after = wrapper.set_params(threshold=TopK()).predict(X)
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("rule", [Cost(cost_fn=9), FBeta(), "prior"])
def test_a_rule_of_labels_names_the_way_out_for_classes(rule):
    X, Y = _rows()
    with pytest.raises(ValueError, match=r"MinimumExpectedCostClassifier.*prior_"):
        _net(threshold=rule).fit(X, Y.sum(axis=1))


def test_a_net_shows_its_thresholds():
    X, Y = _rows()
    assert not hasattr(_net(), "thresholds_")
    net = _net(threshold=FBeta()).fit(X, Y)
    learnt = net.thresholds_
    np.testing.assert_array_equal(net.predict(X), net.predict_proba(X) > learnt)
    again = net.set_params(threshold=FBeta(beta=2)).thresholds_
    assert (again < learnt).all()
    np.testing.assert_array_equal(net.predict(X), net.predict_proba(X) > again)
    for threshold in ("uncorrected", "prior", 0.3):
        thresholds_ = net.set_params(threshold=threshold).thresholds_
        np.testing.assert_array_equal(
            net.predict(X), net.predict_proba(X) > thresholds_
        )
    assert net.set_params(threshold=TopK()).thresholds_ is None
    assert _net().fit(X, Y.sum(axis=1)).thresholds_ is None


def test_the_threshold_of_a_binary_net_is_that_of_the_positive_class():
    X, Y = _rows()
    y = np.where(Y[:, 0], "fraud", "ok")
    net = _net(threshold=Cost(cost_fn=9), pos_label="fraud").fit(X, y)
    np.testing.assert_allclose(net.thresholds_, [0.1])
    proba = net.predict_proba(X)[:, 0]
    np.testing.assert_array_equal(net.predict(X) == "fraud", proba > 0.1)


def test_thresholds_and_costs_are_aligned_by_the_names_of_the_labels():
    X, Y = _rows()
    frame = pd.DataFrame(Y, columns=["a", "b", "c"])
    by_name = {"c": 0.9, "a": 0.1, "b": 0.3}
    for given in (by_name, pd.Series(by_name)):
        fitted = _wrapped(given).fit(X, frame).thresholds_
        np.testing.assert_array_equal(fitted, [0.1, 0.3, 0.9])
        net = _net(threshold=given).fit(X, frame)
        proba = net.predict_proba(X)
        np.testing.assert_array_equal(net.predict(X), proba > [0.1, 0.3, 0.9])
    costs = Cost(cost_fn={"c": 9, "a": 1, "b": 3})
    fitted = _wrapped(costs).fit(X, frame).thresholds_
    np.testing.assert_allclose(fitted, [1 / 2, 1 / 4, 1 / 10])


# --------------------------------------------------------------------------
# Arrays


@pytest.mark.parametrize("name", [n for n in RULES if n != "uncorrected"])
@pytest.mark.parametrize("by_name", [True, False])
def test_every_rule_works_on_arrays_as_in_a_wrapper(name, by_name):
    X, Y = _rows()
    inner = OneVsRestClassifier(LogisticRegression()).fit(X, Y)
    proba = inner.predict_proba(X)
    threshold = name if by_name else RULES[name]()
    wrapper = _wrapped(threshold, cv="prefit").set_params(estimator=inner).fit(X, Y)
    if isinstance(RULES[name](), RowRule):
        with pytest.raises(ValueError, match="has no thresholds"):
            tune_thresholds(Y, proba, threshold=threshold)
        return
    found = tune_thresholds(Y, proba, threshold=threshold)
    np.testing.assert_array_equal(found, wrapper.thresholds_)
    # The reports of the metrics take what a rule returns.
    report = label_report(Y, proba, threshold=found, n_bootstraps=1)
    expected = wrapper.predict(X).sum(axis=0) / Y.sum(axis=0)
    np.testing.assert_allclose(report["predicted_observed_ratio"], expected)


@pytest.mark.filterwarnings("ignore::skimbalance.exceptions.UndefinedLabelWarning")
@pytest.mark.parametrize(
    "name",
    [n for n in RULES if n != "uncorrected" and not issubclass(RULES[n], RowRule)],
)
def test_a_label_of_one_value_is_thresholded_at_one_half(name):
    X, Y = _rows()
    Y[:, 1:] = 0, 1
    P = 1 / (1 + np.exp(-X[:, :3]))
    found = tune_thresholds(Y, P, threshold=name)
    np.testing.assert_array_equal(found[1:], 0.5)
    Y = np.where(np.arange(len(Y))[:, None] < [0, len(Y), 0], np.nan, Y)
    assert tune_thresholds(Y, P, threshold=name)[1] == 0.5


def test_a_rule_on_arrays_reads_names_weights_and_missing_labels():
    X, Y = _rows()
    P = 1 / (1 + np.exp(-X[:, :3]))
    weight = np.linspace(0, 2, len(Y))
    frame = pd.DataFrame(Y, columns=["a", "b", "c"])
    costs = Cost(cost_fn={"c": 9, "a": 1, "b": 3})
    found = tune_thresholds(frame, P, threshold=costs)
    np.testing.assert_allclose(found, [1 / 2, 1 / 4, 1 / 10])
    prior = tune_thresholds(Y, P, threshold="prior", sample_weight=weight)
    np.testing.assert_allclose(prior, np.average(Y, axis=0, weights=weight))
    holes = np.where(np.arange(len(Y))[:, None] < [0, 50, 100], np.nan, Y)
    prior = tune_thresholds(sp.csr_array(holes), P, threshold=Prior())
    np.testing.assert_allclose(prior, np.nanmean(holes, axis=0))
    one = tune_thresholds(Y[:, 0], P[:, 0], threshold=FBeta(beta=2))
    np.testing.assert_array_equal(one, plug_in_threshold(P[:, 0], beta=2))


@pytest.mark.parametrize(
    ("threshold", "scale", "error", "message"),
    [
        ("uncorrected", 1, ValueError, "raw scores"),
        ("f1", 1, ValueError, "Did you mean 'f_beta'"),
        (FBeta, 1, TypeError, r"FBeta\(\)"),
        (FBeta(beta=-1), 1, ValueError, "beta"),
        (FBeta(), 2, ValueError, "y_score must hold probabilities"),
    ],
    ids=stable_id,
)
def test_bad_rules_on_arrays(threshold, scale, error, message):
    X, Y = _rows()
    P = scale / (1 + np.exp(-X[:, :3]))
    with pytest.raises(error, match=message):
        tune_thresholds(Y, P, threshold=threshold)


# --------------------------------------------------------------------------
# Held-out labels of one value


def test_a_held_out_label_without_both_values_is_thresholded_at_one_half():
    rng = np.random.default_rng(0)
    P = rng.random((40, 4))
    Y = (rng.random(P.shape) < P).astype(np.int8)
    Y[:, 1], Y[:, 2], Y[:, 3] = -1, 0, 1
    for rule in map(resolve_rule, HELD_OUT_RULES):
        with pytest.warns(UndefinedLabelWarning, match="3 of 4 labels") as caught:
            found = learn_thresholds(rule, Y, P)
        assert len(caught) == 1
        alone = learn_thresholds(rule, Y[:, :1], P[:, :1])
        np.testing.assert_array_equal(found, [alone[0], 0.5, 0.5, 0.5])
    weight = np.ones(P.shape)
    weight[:, 0] = Y[:, 0]
    with pytest.warns(UndefinedLabelWarning, match="4 of 4 labels"):
        np.testing.assert_array_equal(learn_thresholds(FBeta(), Y, P, weight), 0.5)


@each_held_out_rule
@pytest.mark.parametrize("value", [np.nan, 0, 1])
def test_a_net_survives_a_held_out_label_of_one_value(rule, value):
    X, Y = _rows(200)
    X_val, Y_val = _rows(100, seed=1)
    Y_val = Y_val.astype(float)
    Y_val[:, 1] = value
    net = _net(threshold=rule)
    with pytest.warns(UndefinedLabelWarning, match="1 of 3 labels") as caught:
        net.fit(X, Y, X_val=X_val, y_val=Y_val)
    assert len([w for w in caught if w.category is UndefinedLabelWarning]) == 1
    proba = net.predict_proba(X)
    np.testing.assert_array_equal(net.predict(X)[:, 1], proba[:, 1] > 0.5)


def test_held_out_rows_without_a_label_are_refused_before_training():
    X, Y = _rows(200)
    with pytest.raises(ValueError, match="No label is observed: y_val"):
        _net().fit(X, Y, X_val=X[:5], y_val=np.full((5, 3), np.nan))


def test_a_rule_never_acts_without_the_probabilities_that_it_needs():
    X, Y = _rows()
    net = _net(loss="zlpr", early_stopping=False).fit(X, Y)
    raw = net.predict(X)
    assert 0 < raw.mean() < 1
    for threshold in ("accuracy", "uncorrected", Uncorrected()):
        net.set_params(threshold=threshold)
        np.testing.assert_array_equal(net.predict(X), raw)
    for threshold in ("prior", "cost", "top_k", 0.3, Cardinality()):
        with pytest.raises(ValueError, match="needs probabilities"):
            net.set_params(threshold=threshold).predict(X)


class _Failing(HeldOutRule):
    def learn(self, labels, proba, weight):
        raise RuntimeError("no luck")


def test_a_rule_that_fails_after_training_keeps_the_net():
    X, Y = _rows()
    net = _net(threshold=_Failing())
    with pytest.warns(ImbalanceWarning, match="no luck") as caught:
        net.fit(X, Y)
    assert len(caught) == 1
    assert net.predict_proba(X).shape == Y.shape
    with pytest.raises(RuntimeError, match="no luck"):
        net.predict(X)
    net.set_params(threshold=0.4)
    np.testing.assert_array_equal(net.predict(X), net.predict_proba(X) > 0.4)


# --------------------------------------------------------------------------
# Plug-in thresholds of any beta


def _best_sets(proba, beta):
    """Every number of most probable rows, and the expected F-beta of each."""
    ranked, total = np.sort(proba)[::-1], proba.sum()
    k = np.arange(1, len(proba) + 1)
    if np.isinf(beta):
        return ranked.cumsum() / total
    return (1 + beta**2) * ranked.cumsum() / (k + beta**2 * total)


@pytest.mark.parametrize("beta", [0, 1e-9, 0.1, 1, 7, 1e6, np.inf])
@pytest.mark.parametrize(
    "proba",
    [
        [0.9, 0.3, 0.1],
        [0.3, 0.3, 0.3],
        [1.0, 1.0, 1.0],
        [1.0, 0.0, 0.0],
        [0.9, 0.9, 0.1, 1e-7],
    ],
    ids=stable_id,
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_plug_in_threshold_reaches_the_best_set_for_any_beta(beta, proba, dtype):
    proba = np.array(proba, dtype=dtype)
    threshold = plug_in_threshold(proba, beta=beta)[0]
    assert 0 <= threshold <= 1
    n_predicted = (proba > threshold).sum()
    assert n_predicted > 0
    values = _best_sets(proba.astype(np.float64), beta)
    assert values[n_predicted - 1] == pytest.approx(values.max(), rel=1e-6)
    expected = expected_f_beta(proba, threshold, beta=beta)
    assert expected == pytest.approx(values.max(), rel=1e-6)


def test_probabilities_of_zero_are_never_predicted():
    for beta in (0, 1, 1e200, np.inf):
        assert not (plug_in_threshold(np.zeros(3), beta=beta) < 0).any()
        assert expected_f_beta(np.zeros(3), 0.0, beta=beta) == 0


def test_a_weight_of_zero_is_a_row_that_is_not_there():
    P, Y = np.array([[0.99], [0.6], [0.2]]), np.array([[1], [1], [0]], np.int8)
    weight = np.array([0.0, 1.0, 1.0])
    for rule in (FBeta(beta=0), FBeta(), MicroFBeta(beta=0)):
        weighted = learn_thresholds(rule, Y, P, weight)
        np.testing.assert_allclose(weighted, learn_thresholds(rule, Y[1:], P[1:]))


def test_f_beta_rule_reaches_the_best_f2_of_calibrated_rows():
    rng = np.random.default_rng(0)
    P = rng.beta(1, 4, (4000, 1))
    Y = (rng.random(P.shape) < P).astype(np.int8)
    threshold = learn_thresholds(FBeta(beta=2), Y, P)[0]
    grid = [fbeta_score(Y, t < P, beta=2) for t in np.linspace(0.02, 0.6, 30)]
    assert fbeta_score(Y, threshold < P, beta=2) > max(grid) - 0.01


@each_held_out_rule
def test_a_rule_that_learns_from_constant_scores_warns(rule):
    X, Y = _rows()
    constant = DummyClassifier(strategy="prior")
    model = MultilabelFixedThresholdClassifier(constant, threshold=rule)
    with pytest.warns(UndefinedLabelWarning, match="constant scores") as caught:
        model.fit(X, Y[:, 0])
    assert len(caught) == 1
    assert caught[0].filename == __file__


def test_a_rule_about_positives_warns_once_of_the_majority():
    X, Y = _rows()
    y = np.where(Y[:, 2] == 1, "fraud", "ok")
    inner = LogisticRegression()
    for rule in (FBeta(), MicroFBeta(), Cost(1, 9), 0.3):
        model = MultilabelFixedThresholdClassifier(inner, threshold=rule)
        with pytest.warns(PositiveClassWarning, match="pos_label='fraud'") as caught:
            model.fit(X, y)
        assert len(caught) == 1
        assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for rule in (0.5, "accuracy", "prior", "matched_prevalence", Cost(2, 2)):
            MultilabelFixedThresholdClassifier(inner, threshold=rule).fit(X, y)
        for label in ("fraud", "ok"):
            MultilabelFixedThresholdClassifier(
                inner, threshold="f_beta", pos_label=label
            ).fit(X, y)
        MultilabelFixedThresholdClassifier(inner, threshold="f_beta").fit(X, Y[:, 2])


def test_equal_probabilities_are_predicted_alike_after_rounding():
    """The threshold is not next to the scores: log-odds give the same predictions."""
    for p in (0.3, 1e-6, 0.999):
        P, Y = np.full((9, 1), p), np.array([[1], *[[0]] * 8], np.int8)
        for rule, Z in ((FBeta(beta=0), Y), (FBeta(), Y), (MatchedPrevalence(), 1 - Y)):
            threshold = learn_thresholds(rule, Z, P)
            assert (logit(threshold) < logit(p) - 1e-8).all()


@pytest.mark.parametrize("rule", [*HELD_OUT_RULES, FBeta(guard=True)], ids=str)
def test_thresholds_of_weighted_rows(rule):
    """Rows of weight 0 are absent, whole weights are repeats, and no scale matters."""
    rule, rng = resolve_rule(rule), np.random.default_rng(1)
    scores = rng.random((60, 3))
    Y = (rng.random((60, 3)) < scores).astype(np.int8)
    weight = rng.integers(0, 3, 60).astype(float)
    expected = learn_thresholds(
        rule, *(np.repeat(a, weight.astype(int), 0) for a in (Y, scores))
    )
    kept = weight > 0
    for w in (weight, 0.1 * weight, weight / 3, 1e9 * weight):
        found = learn_thresholds(rule, Y, scores, w)
        np.testing.assert_allclose(found, expected)
        without = learn_thresholds(rule, Y[kept], scores[kept], w[kept])
        np.testing.assert_array_equal(found, without)
