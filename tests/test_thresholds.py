"""Thresholds against all thresholds tried, rules against formulas."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import binom
from sklearn import metrics as reference
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import make_scorer

from skimbalance.exceptions import UndefinedLabelWarning
from skimbalance.thresholds import (
    Cardinality,
    FBeta,
    MatchedPrevalence,
    MicroFBeta,
    MultilabelTunedThresholdClassifierCV,
    TopK,
    expected_f_beta,
    plug_in_threshold,
    tune_thresholds,
)
from skimbalance.thresholds._metrics import METRICS
from skimbalance.thresholds._plug_in import Link, fit_link, metric_plug_in
from skimbalance.thresholds._rules import learn_thresholds
from skimbalance.thresholds._search import check_search, search

SCIKIT_LEARN = {
    "accuracy": reference.accuracy_score,
    "balanced_accuracy": reference.balanced_accuracy_score,
    "f0.5": lambda y, d: reference.fbeta_score(y, d, beta=0.5, zero_division=0.0),
    "f1": lambda y, d: reference.f1_score(y, d, zero_division=0.0),
    "f2": lambda y, d: reference.fbeta_score(y, d, beta=2, zero_division=0.0),
    "geometric_mean": lambda y, d: np.sqrt(
        np.prod([reference.recall_score(y, d, pos_label=c) for c in (0, 1)])
    ),
    "jaccard": lambda y, d: reference.jaccard_score(y, d, zero_division=0.0),
    "matthews_corrcoef": reference.matthews_corrcoef,
}


def _label(rng):
    """A small label of both values, its scores often tied or constant."""
    n = rng.integers(2, 13)
    y = rng.integers(0, 2, n)
    y[:2] = rng.permutation([0, 1])
    return y, rng.integers(0, rng.integers(1, 9), n) / 8


def _best_by_brute_force(y, score, metric):
    thresholds = [-1.0, *np.unique(score)]
    return max(metric(y, (score > threshold).astype(int)) for threshold in thresholds)


@pytest.mark.filterwarnings("ignore:y_pred contains classes")
@pytest.mark.parametrize(
    ("seed", "n_cases"), [(0, 100), pytest.param(1, 500, marks=pytest.mark.slow)]
)
def test_exact_search_equals_all_thresholds_on_small_cases(seed, n_cases):
    rng = np.random.default_rng(seed)
    for case in range(n_cases):
        y, score = _label(rng)
        for name in ["f1", sorted(METRICS)[case % len(METRICS)]]:
            threshold = tune_thresholds(y, score, scoring=name, shrinkage=0)[0]
            metric = SCIKIT_LEARN[name]
            found = metric(y, (score > threshold).astype(int))
            best = _best_by_brute_force(y, score, metric)
            assert found == pytest.approx(best, abs=1e-12), (name, y, score)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("scale", [np.int64(10**9), 1e-100, 1e100])
def test_metrics_of_counts_depend_on_their_ratios_only(name, scale):
    counts = np.array([[40, 3, 0], [10, 1, 0], [9, 4, 2], [200, 6, 7]])
    expected = METRICS[name](*counts)
    np.testing.assert_allclose(METRICS[name](*(counts * scale)), expected)


def test_no_score_lies_on_a_threshold():
    """The threshold is halfway between two scores: `>` and `>=` predict the same."""
    rng = np.random.default_rng(1)
    for _ in range(100):
        y, score = _label(rng)
        threshold = tune_thresholds(y, score, shrinkage=0)[0]
        assert not (score == threshold).any()
        lower, upper = score[score < threshold], score[score > threshold]
        if len(lower):
            assert threshold == pytest.approx((lower.max() + upper.min()) / 2)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_weights_are_repeated_rows(seed):
    rng = np.random.default_rng(seed)
    y, score = _label(rng)
    times = rng.integers(0, 4, len(y))
    times[:2] += 1
    for shrinkage in (0, 5):
        weighted = tune_thresholds(y, score, shrinkage=shrinkage, sample_weight=times)
        repeated = tune_thresholds(
            np.repeat(y, times), np.repeat(score, times), shrinkage=shrinkage
        )
        # The threshold is halfway down to the next score, which may have no weight.
        predicted = [(score > t) * (times > 0) for t in (weighted, repeated)]
        if shrinkage == 0:
            np.testing.assert_array_equal(*predicted)


def _many(rng, n=200, k=4):
    Y = (rng.random((n, k)) < [0.4, 0.2, 0.1, 0.05]).astype(int)
    return Y, expit(rng.normal(size=(n, k)) + 2 * Y - 2)


@pytest.mark.parametrize("average", ["macro", "micro", "samples"])
def test_weights_of_a_mean_below_1_are_scaled_to_it(average):
    rng = np.random.default_rng(0)
    Y = (rng.random((300, 3)) < [0.4, 0.2, 0.05]).astype(int)
    P = expit(rng.normal(size=Y.shape) + 2 * Y - 2)
    few = np.full(len(Y), 1 / len(Y))
    found = [
        tune_thresholds(Y, P, average=average, sample_weight=w) for w in (few, None)
    ]
    np.testing.assert_array_equal(*found)
    parts = rng.integers(1, 4, len(Y)) / 1e6
    found = [
        tune_thresholds(Y, P, average=average, sample_weight=w)
        for w in (parts, parts / parts.mean())
    ]
    np.testing.assert_allclose(*found)


def test_missing_and_sparse_labels():
    rng = np.random.default_rng(0)
    Y, P = _many(rng)
    missing = rng.random(Y.shape) < 0.2
    holes = np.where(missing, np.nan, Y)
    each = [
        tune_thresholds(Y[~m, k], P[~m, k], shrinkage=0)[0]
        for k, m in enumerate(missing.T)
    ]
    for y in (holes, sp.csr_array(holes)):
        np.testing.assert_allclose(tune_thresholds(y, P, shrinkage=0), each)
    entries = np.where(missing, 0.0, 1.0)
    for average in ("macro", "micro"):
        by_hole = tune_thresholds(holes, P, average=average)
        by_weight = tune_thresholds(Y, P, average=average, sample_weight=entries)
        hit = [(threshold < P) & ~missing for threshold in (by_hole, by_weight)]
        assert (hit[0] != hit[1]).mean() < 0.01
    samples = tune_thresholds(holes, P, average="samples")
    assert samples.shape == (4,)


def test_shrinkage_is_the_formula():
    rng = np.random.default_rng(0)
    Y, P = _many(rng)
    tuned = tune_thresholds(Y, P, shrinkage=0)
    plain = tune_thresholds(Y, P, shrinkage=1e12)
    n_positive = Y.sum(axis=0)
    for k in (5, 20):
        fraction = k / (k + n_positive)
        np.testing.assert_allclose(
            tune_thresholds(Y, P, shrinkage=k),
            (1 - fraction) * tuned + fraction * plain,
            rtol=1e-6,
        )


def test_plain_thresholds_are_plug_in_thresholds_of_pooled_probabilities():
    rng = np.random.default_rng(0)
    Y, P = _many(rng, n=2000)
    link = fit_link(Y.astype(np.int8), P)
    for scoring, beta in (("f1", 1), ("f2", 2), ("f0.5", 0.5)):
        plain = tune_thresholds(Y, P, scoring=scoring, shrinkage=1e12)
        expected = plug_in_threshold(link.probability(P), beta)
        np.testing.assert_allclose(link.probability(plain), expected, rtol=1e-5)
    half = tune_thresholds(Y, P, scoring="accuracy", shrinkage=1e12)
    np.testing.assert_allclose(link.probability(half), 0.5, rtol=1e-6)
    prior = tune_thresholds(Y, P, scoring="balanced_accuracy", shrinkage=1e12)
    rates = link.probability(P).mean(axis=0)
    np.testing.assert_allclose(link.probability(prior), rates, rtol=1e-6)


@settings(max_examples=100)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.sampled_from([0.5, 1, 2]))
def test_plug_in_iteration_ends_at_the_best_of_all_sets(proba, beta):
    proba = np.array(proba)
    if proba.max() < 1e-6:
        return
    name = {0.5: "f0.5", 1: "f1", 2: "f2"}[beta]
    threshold = metric_plug_in(METRICS[name], proba)
    reached = expected_f_beta(proba, min(threshold, 1.0), beta=beta)
    ranked = np.sort(proba)[::-1]
    best = max(
        (1 + beta**2) * ranked[:k].sum() / (k + beta**2 * proba.sum())
        for k in range(1, len(proba) + 1)
    )
    # A probability on the threshold changes nothing either way.
    is_on_threshold = (np.abs(proba - threshold) < 1e-6).any()
    assert reached == pytest.approx(best, rel=1e-5) or is_on_threshold
    assert plug_in_threshold(proba, beta)[0] * (1 + beta**2) == pytest.approx(best)


def test_expected_f_beta_by_hand_and_by_drawn_labels():
    P = np.array([[0.9, 0.2], [0.3, 0.1], [0.1, 0.0], [0.1, 0.0]])
    each = expected_f_beta(P, [0.25, 0.15], average=None)
    np.testing.assert_allclose(each, [2 * 1.2 / (2 + 1.4), 2 * 0.2 / (1 + 0.3)])
    assert expected_f_beta(P, [0.25, 0.15]) == pytest.approx(each.mean())
    pooled = expected_f_beta(P, [0.25, 0.15], average="micro")
    assert pooled == pytest.approx(2 * 1.4 / (3 + 1.7))
    rng = np.random.default_rng(0)
    proba = rng.random(2000) ** 2
    y = rng.random((200, 2000)) < proba
    drawn = np.mean([reference.f1_score(row, proba > 0.4) for row in y])
    assert expected_f_beta(proba, 0.4) == pytest.approx(drawn, abs=0.002)
    assert expected_f_beta(np.zeros(3), 0.5) == 0.0


def test_any_scores_are_linked_to_probabilities():
    """Decision scores and probabilities of one model lead to the same predictions."""
    rng = np.random.default_rng(0)
    Y, P = _many(rng, n=3000)
    scores = 3 * np.log(P / (1 - P)) + 1
    for shrinkage in (0, 1e12):
        by_proba = tune_thresholds(Y, P, shrinkage=shrinkage) < P
        by_score = scores > tune_thresholds(Y, scores, shrinkage=shrinkage)
        assert (by_proba != by_score).mean() < 1e-3
    link = Link(2.0, -1.0, 1e-3, 1 - 1e-3, True)
    p = np.array([0.01, 0.5, 0.9])
    np.testing.assert_allclose(link.score(link.probability(p)), p)


def test_certain_probabilities_stay_finite():
    Y = np.array([0, 0, 1, 1, 0, 1])
    P = np.array([0.0, 0.0, 1.0, 1.0, 0.0, 0.0])
    threshold = tune_thresholds(Y, P)
    assert np.isfinite(threshold).all()
    assert 0 < threshold[0] < 1
    low, high = fit_link(Y[:, None], P[:, None]).probability(np.array([0.0, 1.0]))
    assert low < 0.5 < high


# --------------------------------------------------------------------------
# Other averages


def _found(Y, S, scoring="f1", average="macro", shrinkage=0, weight=None):
    options = {"average": average, "shrinkage": shrinkage, "constraint": None}
    metric = check_search(scoring, **options)
    return search(metric, np.asarray(Y, np.int8), S, weight, **options)


def _best_of_all_vectors(Y, S, score):
    """Try every vector of thresholds of two labels."""
    columns = [[-1.0, *np.unique(column)] for column in S.T]
    return max(score(Y, np.array([a, b]) < S) for a in columns[0] for b in columns[1])


@pytest.mark.parametrize("average", ["micro", "samples"])
@pytest.mark.filterwarnings("ignore::skimbalance.exceptions.UndefinedLabelWarning")
def test_ascent_is_close_to_all_vectors_of_thresholds(average):
    rng = np.random.default_rng(0)
    short = []
    for _ in range(60):
        n = rng.integers(4, 12)
        Y = rng.integers(0, 2, (n, 2))
        Y[:2] = [[0, 1], [1, 0]]
        S = rng.integers(0, 6, (n, 2)) / 5

        def score(y, d):
            return reference.f1_score(y, d, average=average, zero_division=0.0)

        found = _found(Y, S, average=average)
        reached = score(Y, found.thresholds < S)
        assert found.scores == pytest.approx(reached, abs=1e-12)
        short.append(_best_of_all_vectors(Y, S, score) - reached)
    assert min(short) > -1e-12
    assert np.mean(np.array(short) > 1e-9) < 0.2
    assert np.mean(short) < 0.01


@pytest.mark.parametrize("average", ["micro", "samples"])
def test_ascent_beats_the_common_threshold(average, load):
    data = load("yeast")
    train, test = data["train_idx"], data["test_idx"]
    Y = data["Y"].toarray()
    model = LogisticRegression(max_iter=300)
    columns = [
        model.fit(data["X"][train], y).predict_proba(data["X"][test])[:, 1]
        for y in Y[train].T
    ]
    S = np.column_stack(columns)
    found = _found(Y[test], S, average=average)
    common = max(
        reference.f1_score(Y[test], threshold < S, average=average, zero_division=0.0)
        for threshold in np.linspace(0.05, 0.6, 12)
    )
    assert found.scores > common
    weighed = tune_thresholds(
        Y[test], S, average=average, shrinkage=0, sample_weight=np.full(len(S), 2.0)
    )
    np.testing.assert_allclose(weighed, found.thresholds)


def test_callables_get_one_label_at_a_time_or_whole_matrices():
    rng = np.random.default_rng(0)
    Y, S = _many(rng)
    exact = tune_thresholds(Y, S, shrinkage=0)
    for scoring in (reference.f1_score, make_scorer(reference.f1_score)):
        by_grid = tune_thresholds(Y, S, scoring=scoring, shrinkage=0)
        np.testing.assert_allclose(by_grid, exact)
    shapes = []

    def metric(y_true, y_pred):
        shapes.append(y_true.shape)
        return reference.f1_score(y_true, y_pred, average="micro")

    thresholds = tune_thresholds(Y, S, scoring=metric, average="micro", shrinkage=0)
    assert set(shapes) == {Y.shape}
    assert len(shapes) <= 103
    assert np.ptp(thresholds) == 0
    loss = make_scorer(reference.hamming_loss, greater_is_better=False)
    by_loss = tune_thresholds(Y, S, scoring=loss, average="micro")
    right = [((threshold < S) == Y).mean() for threshold in (by_loss, 0.1, 0.9)]
    assert right[0] >= max(right)


@pytest.mark.parametrize("average", ["micro", "samples"])
def test_a_named_scorer_tunes_one_common_threshold(average):
    Y, S = _many(np.random.default_rng(0))
    thresholds = tune_thresholds(Y, S, scoring=f"f1_{average}", average=average)
    assert np.ptp(thresholds) == 0


def test_a_threshold_at_which_a_metric_is_nan_is_not_the_best():
    """As the precision where nothing is predicted, if its scorer says so."""
    Y, S = _many(np.random.default_rng(0))
    for scoring in (
        make_scorer(reference.precision_score, zero_division=np.nan),
        lambda y, d: y[d == 1].mean() if d.any() else np.nan,
    ):
        found = tune_thresholds(Y, S, scoring=scoring, shrinkage=0)
        best = tune_thresholds(Y, S, scoring="precision", shrinkage=0)
        np.testing.assert_array_equal(found, best)
        assert (found < S).any(axis=0).all()


@pytest.mark.parametrize("average", ["macro", "micro", "samples"])
@pytest.mark.parametrize("scoring", ["accuracy", "jaccard", "geometric_mean"])
def test_rounding_does_not_choose_between_equal_thresholds(scoring, average):
    """By the order of the rows, the unit of their weights, or weights for repeats."""
    rng = np.random.default_rng(0)
    options = {"scoring": scoring, "average": average, "shrinkage": 0}
    for _ in range(15):
        Y, S = _many(rng, 120)
        times, order = rng.integers(1, 4, len(Y)), rng.permutation(len(Y))
        first = tune_thresholds(Y, S, sample_weight=times, **options)
        others = [
            tune_thresholds(Y, S, sample_weight=1.1 * times, **options),
            tune_thresholds(Y[order], S[order], sample_weight=times[order], **options),
            tune_thresholds(Y.repeat(times, 0), S.repeat(times, 0), **options),
        ]
        np.testing.assert_allclose(others, [first] * 3)


@pytest.mark.parametrize("average", ["macro", "micro"])
def test_rounded_weights_make_no_correlation_where_there_is_none(average):
    """The positives have the least score: all or none predicted is as good."""
    rng = np.random.default_rng(0)
    y = np.arange(60) < 3
    score = np.where(y, 0.1, rng.integers(1, 5, 60) / 10)
    options = {"scoring": "matthews_corrcoef", "average": average, "shrinkage": 0}
    plain = tune_thresholds(y, score, **options)
    for _ in range(100):
        weight = 1 + rng.random(60)
        found = tune_thresholds(y, score, sample_weight=weight, **options)
        np.testing.assert_array_equal(found, plain)


def test_scorers_of_label_matrices_score_each_label_by_itself():
    """Given one label, scikit-learn's would average over its classes 0 and 1."""
    Y, S = _many(np.random.default_rng(0))
    exact = tune_thresholds(Y, S, shrinkage=0)
    forest = RandomForestClassifier(10, random_state=0)
    model = MultilabelTunedThresholdClassifierCV(forest, cv=2).fit(S, Y)
    for scoring in ("f1_macro", "f1_weighted", "macro_f1", "weighted_f1"):
        for Z in (Y, sp.csr_array(Y)):
            found = tune_thresholds(Z, S, scoring=scoring, shrinkage=0)
            np.testing.assert_allclose(found, exact)
        tuned = clone(model).set_params(scoring=scoring).fit(S, Y)
        np.testing.assert_allclose(tuned.thresholds_, model.thresholds_)
    for scoring in ("f1_micro", "f1_samples", "micro_f1"):
        with pytest.raises(ValueError, match="pass average="):
            tune_thresholds(Y, S, scoring=scoring)
        # One label has nothing to pool with.
        if scoring != "f1_samples":
            assert tune_thresholds(Y[:, 0], S[:, 0], scoring=scoring).shape == (1,)


# --------------------------------------------------------------------------
# Constraints


def test_constrained_threshold_is_the_best_of_those_that_show_the_recall():
    rng = np.random.default_rng(0)
    for _ in range(20):
        y = np.repeat([1, 0], [40, 160])
        score = np.round(rng.normal(size=200) + 1.5 * y, 1)
        threshold = tune_thresholds(y, score, constraint=("recall", 0.8))[0]
        best = -1.0
        for level in np.unique(score):
            predicted = score >= level
            hits = predicted[y == 1].sum()
            # Shown at 90 %: at a recall of 0.8, so many hits have at most 10 %.
            if binom.sf(hits - 1, 40, 0.8) <= 0.1:
                best = max(best, hits / predicted.sum())
        assert y[score > threshold].mean() == pytest.approx(best)


def test_recall_holds_on_new_rows_as_often_as_the_confidence():
    rng = np.random.default_rng(0)
    held = []
    for _ in range(300):
        positive = rng.normal(1.5, 1, 100)
        negative = rng.normal(0, 1, 1000)
        y = np.repeat([1, 0], [100, 1000])
        score = np.concatenate([positive, negative])
        threshold = tune_thresholds(y, score, constraint=("recall", 0.8))[0]
        recall = (rng.normal(1.5, 1, 20000) > threshold).mean()
        held.append(recall >= 0.8)
    assert np.mean(held) > 0.85


def test_precision_constraint():
    rng = np.random.default_rng(0)
    y = np.repeat([1, 0], [300, 3000])
    score = np.concatenate([rng.normal(2.5, 1, 300), rng.normal(0, 1, 3000)])
    threshold = tune_thresholds(y, score, constraint=("precision", 0.8))[0]
    predicted = score > threshold
    assert binom.sf(y[predicted].sum() - 1, predicted.sum(), 0.8) <= 0.1
    looser = tune_thresholds(y, score, constraint=("precision", 0.5))[0]
    assert looser < threshold


def test_a_constraint_beyond_the_data_warns_of_what_it_needs():
    y = np.repeat([1, 0], [5, 50])
    score = np.linspace(1, 0, 55)
    with pytest.warns(UndefinedLabelWarning, match="at least 22 positives") as caught:
        threshold = tune_thresholds(y, score, constraint=("recall", 0.9))[0]
    assert len(caught) == 1
    # 5 of 5 found: the best bound there is, 0.1 ** (1 / 5).
    assert "0.63" in str(caught[0].message)
    np.testing.assert_array_equal(score > threshold, y == 1)
    many = np.repeat([1, 0], [22, 50])
    tune_thresholds(many, np.linspace(1, 0, 72), constraint=("recall", 0.9))


# --------------------------------------------------------------------------
# Rules


def test_matched_prevalence_predicts_as_many_as_there_are():
    rng = np.random.default_rng(0)
    Y, P = _many(rng)
    labels = Y.astype(np.int8)
    thresholds = learn_thresholds(MatchedPrevalence(), labels, P)
    np.testing.assert_array_equal((thresholds < P).sum(axis=0), Y.sum(axis=0))
    tied = np.array([[0.5], [0.5], [0.5], [0.1]])
    threshold = learn_thresholds(
        MatchedPrevalence(), np.array([[1], [1], [0], [0]], np.int8), tied
    )
    assert (tied > threshold).sum() == 3


def test_guard_spares_a_label_that_would_be_predicted_everywhere():
    rng = np.random.default_rng(0)
    P = np.column_stack([np.full(100, 0.2), rng.random(100)])
    Y = (np.arange(100)[:, None] < [20, 50]).astype(np.int8)
    plain, guarded = (
        learn_thresholds(FBeta(guard=guard), Y, P) for guard in (False, True)
    )
    assert (P[:, 0] > plain[0]).all()
    assert plain[0] == pytest.approx(plug_in_threshold(P)[0])
    assert not (P[:, 0] > guarded[0]).any()
    assert plain[1] == guarded[1]


def test_micro_rule_is_one_plug_in_threshold_of_all_entries():
    P = np.random.default_rng(0).random((50, 3)) ** 3
    Y = (P > 0.5).astype(np.int8)
    thresholds = learn_thresholds(MicroFBeta(beta=2), Y, P)
    np.testing.assert_allclose(thresholds, plug_in_threshold(P, 2, "micro"))
    missing = Y.copy()
    missing[:, 0] = -1
    with pytest.warns(UndefinedLabelWarning, match="1 of 3 labels"):
        alone = learn_thresholds(MicroFBeta(beta=2), missing, P)
    expected = plug_in_threshold(P[:, 1:], 2, "micro")[0]
    np.testing.assert_allclose(alone, [0.5, expected, expected])


def test_row_rules():
    P = np.array([[0.9, 0.8, 0.2], [0.3, 0.3, 0.3], [0.0, 0.1, 0.2]])
    top = TopK(2).predict(P)
    np.testing.assert_array_equal(top, [[1, 1, 0], [1, 1, 0], [0, 1, 1]])
    np.testing.assert_array_equal(
        Cardinality().predict(P), [[1, 1, 0], [1, 0, 0], [0, 0, 0]]
    )


def test_labels_of_one_value_are_thresholded_at_one_half():
    Y = np.array([[0, 1, 1], [0, 1, 0], [0, 1, 1]])
    P = np.array([[0.1, 0.9, 0.7], [0.2, 0.8, 0.6], [0.3, 0.9, 0.65]])
    for average in ("macro", "micro", "samples"):
        with pytest.warns(UndefinedLabelWarning, match="2 of 3 labels") as caught:
            thresholds = tune_thresholds(Y, P, average=average)
        assert len(caught) == 1
        np.testing.assert_array_equal(thresholds[:2], 0.5)
        with pytest.warns(UndefinedLabelWarning):
            np.testing.assert_array_equal(
                tune_thresholds(Y, 10 * P - 5, average=average)[:2], 0
            )
    with pytest.warns(UndefinedLabelWarning, match="1 of 1"):
        assert tune_thresholds([1, 1], [0.2, 0.3]) == 0.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda y, s: tune_thresholds(y, s, scoring="accuracyy"), "Did you mean"),
        (
            lambda y, s: tune_thresholds(y, s, scoring="roc_auc"),
            "depend on the threshold",
        ),
        (
            lambda y, s: tune_thresholds(y, s, scoring="macro_average_precision"),
            "depend on the threshold",
        ),
        (lambda y, s: tune_thresholds(y, s, scoring=3), "scoring=3"),
        (
            lambda y, s: tune_thresholds(y, s, scoring=lambda a, b: 1.0),
            "does not depend on the threshold",
        ),
        (lambda y, s: tune_thresholds(y, s, average="weighted"), "average"),
        (lambda y, s: tune_thresholds(y, s, shrinkage=-1), "shrinkage"),
        (lambda y, s: tune_thresholds(y, s, constraint="recall"), "pair"),
        (lambda y, s: tune_thresholds(y, s, constraint=("f1", 0.5)), "constraint"),
        (lambda y, s: tune_thresholds(y, s, constraint=("recall", 1.0)), "constraint"),
        (
            lambda y, s: tune_thresholds(
                y, s, constraint=("recall", 0.5), average="micro"
            ),
            "macro",
        ),
        (
            lambda y, s: tune_thresholds(
                y, s, constraint=("recall", 0.5), sample_weight=[1, 1, 2]
            ),
            "sample_weight",
        ),
        (
            lambda y, s: tune_thresholds(
                y, s, average="samples", sample_weight=np.ones((3, 1))
            ),
            "samples",
        ),
        (
            lambda y, s: tune_thresholds(
                [[1, np.nan], [0, 1], [1, 0]],
                np.eye(3)[:, :2],
                scoring=reference.f1_score,
                average="micro",
            ),
            "missing",
        ),
        (lambda y, s: tune_thresholds(y, [[1, 2]] * 3), "shape"),
        (lambda y, s: tune_thresholds(y, [1, 2, np.inf]), "finite"),
        (lambda y, s: plug_in_threshold([1.5]), "probabilities"),
        (lambda y, s: plug_in_threshold(s, beta=-1), "beta"),
        (lambda y, s: plug_in_threshold(s, average="samples"), "average"),
        (lambda y, s: expected_f_beta(s, [0.5, 0.5]), "threshold"),
        (lambda y, s: expected_f_beta(s, 1.5), "threshold"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.array([1, 0, 1]), np.array([0.9, 0.5, 0.4]))


@pytest.mark.parametrize("shrinkage", [0, 20, 1e9])
@pytest.mark.parametrize("certain", [True, False])
def test_two_thresholds_that_agree_shrink_to_what_both_predict(shrinkage, certain):
    """Scores of exactly 0 or 1, as of trees, are beyond all plug-in thresholds."""
    rank = np.arange(100)
    few = ((rank < 5) | (rank == 50)).astype(int)  # best not predicted at all
    top = np.where(rank < 20, 1.0 if certain else 0.99, 0.2)
    options = {"shrinkage": shrinkage, "scoring": "accuracy"}
    assert not (top > tune_thresholds(few, top, **options)).any()
    many = ((rank < 20) | ((rank >= 50) & (rank < 75))).astype(int)
    low = np.where(rank < 50, 0.0 if certain else 0.01, 0.6)
    options["scoring"] = "f2"
    assert (low > tune_thresholds(many, low, **options)).all()
