"""The summary of held-out scores, and thresholds set after `fit`."""

import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from nets import stable_id
from scipy.special import expit, logit
from sklearn.metrics import fbeta_score

from skimbalance._columns import iter_columns
from skimbalance._counts import SparseWeights, without_weightless
from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.exceptions import ImbalanceWarning, UndefinedLabelWarning
from skimbalance.neural_network import ImbalancedMLPClassifier
from skimbalance.neural_network import _base as base_module
from skimbalance.thresholds import (
    FBeta,
    MatchedPrevalence,
    MultilabelFixedThresholdClassifier,
)
from skimbalance.thresholds._rules import RULES, HeldOutRule, learn_thresholds
from skimbalance.thresholds._summary import ScoreSummary

BY_DEFAULT = [rule() for rule in RULES.values() if issubclass(rule, HeldOutRule)]
HELD_OUT_RULES = [
    *BY_DEFAULT,
    *(FBeta(beta=beta) for beta in (0, 2, np.inf)),
    FBeta(guard=True),
]
each_rule = pytest.mark.parametrize("rule", HELD_OUT_RULES, ids=stable_id)


def _scores(n_rows, n_positive, seed=0, shift=2.0):
    """Draw labels with so many positives, and calibrated log-odds."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((n_rows, len(n_positive)), np.int8)
    log_odds = rng.normal(size=labels.shape)
    for k, n in enumerate(n_positive):
        labels[rng.permutation(n_rows)[:n], k] = 1
        log_odds[labels[:, k] == 1, k] += shift
        # The log of the ratio of the two normal densities, and of the classes.
        log_odds[:, k] = shift * log_odds[:, k] - shift**2 / 2 + logit(n / n_rows)
    return labels, log_odds


def _summary(labels, log_odds, weight=None):
    chosen = np.ones(labels.shape[1], dtype=bool)
    return ScoreSummary.of_scores(labels, log_odds, weight, chosen)


# --------------------------------------------------------------------------
# The summary


@each_rule
@pytest.mark.parametrize("weights", [None, "rows", "entries", "sparse"])
def test_few_rows_are_kept_one_by_one(rule, weights):
    labels, log_odds = _scores(440, [256, 40, 3])
    labels[:30, 1] = -1
    rng = np.random.default_rng(1)
    weight = {
        None: None,
        "rows": rng.choice([0.0, 0.5, 2.0], 440),
        "entries": rng.choice([0.0, 0.5, 2.0], labels.shape),
        "sparse": SparseWeights(sp.csr_array(rng.choice([0.0, 1.5], labels.shape))),
    }[weights]
    found = _summary(labels, log_odds, weight).thresholds(rule)
    if weights == "rows":  # a weight of 0 means absent
        labels, log_odds = labels[weight > 0], log_odds[weight > 0]
        weight = weight[weight > 0]
    elif weights is not None:
        labels = without_weightless(labels, weight)
    right = learn_thresholds(rule, labels, expit(log_odds), weight)
    np.testing.assert_allclose(found, right, rtol=1e-6)
    predicted = expit(log_odds) > found
    np.testing.assert_array_equal(predicted, expit(log_odds) > right)


def test_few_negatives_are_kept_one_by_one_with_up_to_256_positives():
    for n_positive, n_rows in ((256, 448), (5, 448), (1, 448), (447, 448)):
        labels, log_odds = _scores(n_rows, [n_positive])
        kept = _summary(labels, log_odds)
        assert (kept.weight == 1).all()
        for value in (0, 1):
            own = np.sort(log_odds[labels == value])[::-1]
            entries = kept.columns()[0][:, 0] == value
            np.testing.assert_allclose(kept.log_odds[0, entries], own, rtol=1e-6)


@pytest.mark.parametrize("n_positive", [2, 100, 300, 5000, 19_000])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_blocks_keep_sums_extremes_and_the_largest(n_positive, is_weighted):
    labels, log_odds = _scores(20_000, [n_positive])
    weight = np.random.default_rng(1).uniform(0.5, 2, len(labels))
    weight = weight if is_weighted else None
    kept = _summary(labels, log_odds, weight)
    assert kept.log_odds.shape == (1, 448)
    weight = np.ones(len(labels)) if weight is None else weight
    kept_labels, kept_odds, kept_weight = (column[:, 0] for column in kept.columns())
    assert (kept_labels >= 0).all()
    for value in (0, 1):
        rows, entries = labels[:, 0] == value, kept_labels == value
        own, mass = log_odds[rows, 0], weight[rows]
        mean, total = kept_odds[entries], kept_weight[entries]
        assert total.sum() == pytest.approx(mass.sum(), rel=1e-6)
        expected = (mass * expit(own)).sum()
        # float32 rounds log-odds of -10 by 1e-6, a relative error of the probability.
        assert (total * expit(mean)).sum() == pytest.approx(expected, rel=3e-6)
        assert mean.min() == pytest.approx(own.min(), rel=1e-6)
        assert (np.diff(mean) <= 0).all()
        if value == 1 and n_positive <= 256:
            np.testing.assert_allclose(mean, np.sort(own)[::-1], rtol=1e-6)
        largest = np.sort(own)[::-1][:32]
        np.testing.assert_allclose(mean[:32], largest, rtol=1e-6)


def test_blocks_of_negatives_grow_with_what_precedes_them():
    for n_positive in (5, 50, 2000):
        kept = _summary(*_scores(100_000, [n_positive]))
        labels, _, weight = kept.columns()
        size = weight[labels == 0]
        before = n_positive + np.cumsum(size) - size
        assert (size[size > 2] < 0.06 * before[size > 2]).all()
        assert (np.diff(size)[:-1] >= -1).all()  # the last is the least score


@each_rule
@pytest.mark.parametrize("n_positive", [5, 30, 400, 20_000])
def test_many_rows_lead_to_nearly_the_same_thresholds(rule, n_positive):
    labels, log_odds = _scores(50_000, [n_positive] * 2)
    right = learn_thresholds(rule, labels, expit(log_odds))
    found = _summary(labels, log_odds).thresholds(rule)
    of_rows, of_summary = (expit(log_odds) > t for t in (right, found))
    beta = 1 if getattr(rule, "beta", 1) in (0, np.inf) else getattr(rule, "beta", 1)
    options = {"beta": beta, "average": "macro", "zero_division": 0}
    assert fbeta_score(labels, of_summary, **options) == pytest.approx(
        fbeta_score(labels, of_rows, **options), abs=0.002
    )
    if isinstance(rule, MatchedPrevalence):
        ratio = of_summary.sum(axis=0) / n_positive
        np.testing.assert_allclose(ratio, 1, atol=0.03)


def test_a_threshold_above_all_scores_predicts_nothing():
    log_odds = np.full((400, 1), logit(0.1))
    labels = (np.arange(400) < 40).astype(np.int8)[:, None]
    threshold = _summary(labels, log_odds).thresholds(MatchedPrevalence())
    assert not (expit(log_odds) > threshold).any()


def test_scores_are_drawn_together_at_the_same_mean():
    labels, log_odds = _scores(3000, [300, 20, 5])
    labels[:, 2] = -1  # without an observed entry
    kept = _summary(labels, log_odds)
    assert kept.drawn_together(1.0) is kept
    drawn = kept.drawn_together(0.8)
    _, before, weight = kept.columns()
    _, after, _ = drawn.columns()
    for k in (0, 1):
        mean = np.average(expit(before[:, k]), weights=weight[:, k])
        assert mean == pytest.approx(expit(log_odds[:, k]).mean(), rel=1e-6)
        again = np.average(expit(after[:, k]), weights=weight[:, k])
        assert again == pytest.approx(mean, rel=1e-5)
        np.testing.assert_allclose(np.ptp(after[:, k]), 0.8 * np.ptp(before[:, k]))
    with pytest.warns(UndefinedLabelWarning, match="1 of 3 labels"):
        assert drawn.thresholds(FBeta())[2] == 0.5


def test_only_chosen_labels_are_summarised_and_memory_is_bounded():
    labels, log_odds = _scores(600, [50, 60, 70])
    chosen = np.array([True, False, True])
    kept = ScoreSummary.of_scores(labels, log_odds, None, chosen)
    whole = _summary(labels, log_odds)
    np.testing.assert_array_equal(kept.log_odds, whole.log_odds[chosen])
    expected = np.where(chosen, whole.thresholds(FBeta()), 0.5)
    np.testing.assert_array_equal(kept.thresholds(FBeta()), expected)
    wide = _summary(*_scores(460, [4] * 500))
    assert wide.log_odds.dtype == wide.weight.dtype == np.float32
    assert (
        wide.log_odds.nbytes + wide.weight.nbytes + wide.n_positive.nbytes < 500 * 3600
    )


# --------------------------------------------------------------------------
# A fitted net


def _net(threshold=0.5, **params):
    defaults = {"hidden_layer_sizes": (8,), "max_epochs": 2, "random_state": 0}
    return ImbalancedMLPClassifier(threshold=threshold, **{**defaults, **params})


def _rows(n_rows=300, seed=0, n_labels=4):
    X, Y = make_imbalanced_multilabel(
        n_rows, 6, n_labels, cardinality=1.2, imbalance_ratio=6, random_state=seed
    )
    return X.astype(np.float64), Y.astype(np.int64)


FITS = {
    "folds": ({}, {}),
    "one part": ({"cross_fit": False}, {}),
    "weights": ({}, {"sample_weight": np.linspace(0.5, 2, 300)}),
    "X_val": ({}, dict(zip(("X_val", "y_val"), _rows(seed=1), strict=True))),
    "weighted loss": ({"loss": "focal", "pos_weight": "sqrt"}, {}),
    "uncorrected": ({"correct_probabilities": False}, {}),
}


@pytest.mark.parametrize("name", FITS)
@pytest.mark.parametrize("target", ["labels", "binary", "missing"])
@pytest.mark.filterwarnings("ignore::skimbalance.exceptions.ImbalanceWarning")
def test_a_rule_set_after_fit_gives_the_same_bits(name, target):
    X, Y = _rows()
    params, options = FITS[name]
    y = {"labels": Y, "binary": Y[:, 0], "missing": np.where(X[:, :4] > 1, np.nan, Y)}
    if target == "binary" and "y_val" in options:
        options = {**options, "y_val": options["y_val"][:, 0]}
    later = _net(**params).fit(X, y[target], **options)
    for rule in (FBeta(beta=2), *BY_DEFAULT):
        first = _net(rule, **params).fit(X, y[target], **options)
        expected = first.predict(X)
        later.set_params(threshold=rule)
        np.testing.assert_array_equal(later.predict(X), expected)
        again = pickle.loads(pickle.dumps(later))
        np.testing.assert_array_equal(again.predict(X), expected)
        _, thresholds = first._output.learnt
        np.testing.assert_array_equal(later._output.learnt_thresholds(rule), thresholds)


def test_thresholds_are_those_of_the_held_out_rows():
    X, Y = _rows()
    X_val, Y_val = _rows(400, seed=1)
    net = _net().fit(X, Y, X_val=X_val, y_val=Y_val)
    proba = net.predict_proba(X_val)
    for rule in HELD_OUT_RULES:
        wrapped = MultilabelFixedThresholdClassifier(net, threshold=rule, cv="prefit")
        right = wrapped.fit(X_val, Y_val).thresholds_
        found = net.set_params(threshold=rule)._output.learnt_thresholds(rule)
        np.testing.assert_allclose(found, right, rtol=1e-6)
        np.testing.assert_array_equal(net.predict(X_val), proba > right)


def test_predict_learns_once_and_writes_nothing(monkeypatch):
    X, Y = _rows()
    calls = []

    class Counting(FBeta):
        def learn(self, labels, proba, weight):
            calls.append(labels.shape)
            return super().learn(labels, proba, weight)

    net = _net().fit(X, Y)
    net.set_params(threshold="f_beta")
    net.predict(X[:5])
    state = pickle.dumps(net)
    expected = net.predict(X)
    assert pickle.dumps(net) == state
    monkeypatch.setattr(base_module, "_PREDICTION_BYTES", 1000)
    net.set_params(threshold=Counting())
    np.testing.assert_array_equal(net.predict(X), expected)
    assert calls == [(300, 4)]


@pytest.mark.parametrize("n_labels", [1, 2, 30])
def test_a_label_adds_at_most_four_kilobytes_to_a_pickle(n_labels):
    X, Y = _rows(1500, n_labels=30)
    y = Y[:, 0] if n_labels == 1 else Y[:, :n_labels]
    net = _net(max_epochs=1).fit(X, y)
    assert net._output.summary.log_odds.shape == (n_labels, 448)
    size = len(pickle.dumps(net))
    net._output.summary = None
    assert 3000 * n_labels < size - len(pickle.dumps(net)) <= 4096 * n_labels


def test_a_net_without_held_out_rows_names_the_way_out():
    X, Y = _rows()
    for net in (_net(early_stopping=False).fit(X, Y), _net().partial_fit(X, Y)):
        net.set_params(threshold="f_beta")
        with pytest.raises(ValueError, match="fit again with early_stopping=True"):
            net.predict(X)


class _ComparesLabels(HeldOutRule):
    """A rule of the F-beta of each row, as somebody may add."""

    needs_rows = True

    def learn(self, labels, proba, weight):
        raise AssertionError("a net has no rows to learn from")


def test_a_rule_that_needs_rows_is_refused():
    X, Y = _rows()
    net = _net(_ComparesLabels())
    with pytest.raises(ValueError, match="compares the labels of held-out rows"):
        net.fit(X, Y)
    assert not hasattr(net, "net_")
    net.set_params(threshold=0.5).fit(X, Y).set_params(threshold=_ComparesLabels())
    with pytest.raises(ValueError, match="MultilabelFixedThresholdClassifier"):
        net.predict(X)


def test_a_multiclass_net_keeps_no_summary():
    X, Y = _rows()
    net = _net(warm_start=True).fit(X[:200], Y[:200, :2] @ [1, 2])
    assert net._output.summary is None
    with pytest.warns(ImbalanceWarning, match="goes on with other rows"):
        net.fit(X[100:], Y[100:, :2] @ [1, 2])


def test_a_label_of_one_held_out_value_warns_where_its_rule_is_set():
    X, Y = _rows()
    X_val, Y_val = _rows(seed=1)
    Y_val[:, 1] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error", UndefinedLabelWarning)
        net = _net().fit(X, Y, X_val=X_val, y_val=Y_val)
    net.set_params(threshold="f_beta")
    with pytest.warns(UndefinedLabelWarning, match="1 of 4 labels") as caught:
        predicted = net.predict(X)
    assert [w.filename for w in caught] == [__file__]
    np.testing.assert_array_equal(predicted[:, 1], net.predict_proba(X)[:, 1] > 0.5)


def test_a_warm_start_keeps_the_summary_of_other_rows():
    X, Y = _rows()
    net = _net(warm_start=True).fit(X[:200], Y[:200])
    summary = net._output.summary
    net.fit(X[:200], Y[:200])  # the same rows are scored anew
    assert net._output.summary is not summary
    summary = net._output.summary
    with pytest.warns(ImbalanceWarning, match="goes on with other rows"):
        net.fit(X[100:], Y[100:])
    assert net._output.summary is summary
    net.partial_fit(X, Y)
    assert net._output.summary is summary
    Y[:, 0] = 0  # a constant label, which the kept summary has scores of
    with pytest.warns(ImbalanceWarning, match="goes on with other rows"):
        net.fit(X[50:250], Y[50:250])
    assert net._output.summary is summary
    assert net.set_params(threshold=FBeta(beta=3)).predict(X).any()


def test_the_pooled_columns_of_a_summary_are_those_of_the_rows():
    labels, log_odds = _scores(100, [20, 3])
    kept = _summary(labels, log_odds).columns()
    for own, found in zip(
        iter_columns(labels, log_odds), iter_columns(*kept), strict=True
    ):
        order = np.lexsort((-own[1], ~own[0]))
        np.testing.assert_array_equal(own[0][order], found[0])
        np.testing.assert_allclose(own[1][order], found[1], rtol=1e-6)
