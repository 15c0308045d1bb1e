"""Metrics against scikit-learn where both are defined, else by hand."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference
from sklearn.calibration import calibration_curve
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.multiclass import OneVsRestClassifier

from skimbalance.calibration import estimate_prior, prior_shift
from skimbalance.metrics import (
    UndefinedLabelWarning,
    calibration_error,
    coverage_error,
    expected_observed_ratio,
    get_scorer,
    get_scorer_names,
    label_distribution_distance,
    label_frequency_report,
    label_propensity,
    label_ranking_average_precision_score,
    label_report,
    multilabel_average_precision_score,
    multilabel_brier_score_loss,
    multilabel_fbeta_score,
    multilabel_log_loss,
    multilabel_roc_auc_score,
    ndcg_at_k,
    precision_at_k,
    predicted_observed_ratio,
    propensity_scored_precision_at_k,
    recall_at_k,
)
from skimbalance.metrics._per_label import equal_mass_bins
from skimbalance.thresholds import expected_f_beta, tune_thresholds


@st.composite
def scored_labels(draw):
    """Label matrices in which every label and every row has both values, with ties."""
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    n, k = draw(st.integers(2, 40)), draw(st.integers(2, 6))
    Y = (rng.random((n, k)) < draw(st.floats(0.1, 0.9))).astype(int)
    Y[0], Y[:, 0] = 1, 1
    return Y, rng.integers(0, draw(st.integers(1, 30)), size=(n, k)).astype(float), rng


@settings(max_examples=60)
@given(scored_labels())
def test_average_precision_equals_scikit_learn(case):
    Y, S, rng = case
    for weight in (None, rng.random(len(Y)) + 0.01):
        for average in ("macro", "micro", "weighted", "samples", None):
            expected = average_precision_score(
                Y, S, average=average, sample_weight=weight
            )
            for y in (Y, sp.csr_array(Y), Y.astype(bool)):
                found = multilabel_average_precision_score(
                    y, S, average=average, sample_weight=weight
                )
                np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_average_precision_by_hand():
    """Ranked 0.9+, 0.8-, 0.7+: precision 1 at the first hit, 2/3 at the second."""
    score = multilabel_average_precision_score([1, 0, 1], [0.9, 0.8, 0.7])
    assert score == pytest.approx((1 + 2 / 3) / 2)


def test_missing_labels_equal_absent_rows():
    rng = np.random.default_rng(0)
    Y = (rng.random((60, 3)) < 0.4).astype(float)
    S, W = rng.random((60, 3)), rng.random(60)
    missing = rng.random((60, 3)) < 0.3
    with_missing = np.where(missing, np.nan, Y)
    for weight in (None, W):
        expected = [
            average_precision_score(
                Y[~missing[:, k], k],
                S[~missing[:, k], k],
                sample_weight=None if weight is None else weight[~missing[:, k]],
            )
            for k in range(3)
        ]
        for y in (with_missing, sp.csr_array(with_missing)):
            found = multilabel_average_precision_score(
                y, S, average=None, sample_weight=weight
            )
            np.testing.assert_allclose(found, expected, atol=1e-12)
            micro = multilabel_average_precision_score(
                y, S, average="micro", sample_weight=weight
            )
            entries = np.repeat(W[:, None], 3, axis=1)[~missing]
            np.testing.assert_allclose(
                micro,
                average_precision_score(
                    Y[~missing],
                    S[~missing],
                    sample_weight=None if weight is None else entries,
                ),
                atol=1e-12,
            )


def test_undefined_labels():
    Y, S = np.array([[1, 0], [0, 0]]), np.array([[0.9, 0.1], [0.2, 0.3]])
    with pytest.warns(
        UndefinedLabelWarning, match=r"1 of 2 labels.*undefined=0\.0 counts them"
    ) as caught:
        assert multilabel_average_precision_score(Y, S) == 1.0
    assert len(caught) == 1
    assert np.isnan(multilabel_average_precision_score(Y, S, undefined="nan"))
    assert multilabel_average_precision_score(Y, S, undefined=0.0) == 0.5
    each = multilabel_average_precision_score(Y, S, average=None, undefined="nan")
    np.testing.assert_array_equal(each, [1, np.nan])
    with pytest.warns(UndefinedLabelWarning):
        assert np.isnan(multilabel_average_precision_score(np.zeros((2, 2)), S))


def test_zero_weights_leave_rows_out():
    Y, S = np.array([[1], [0], [1]]), np.array([[0.1], [0.5], [0.9]])
    score = multilabel_average_precision_score(Y, S, sample_weight=[0, 1, 1])
    assert score == 1.0


def test_ratios_by_hand():
    Y = np.array([[1, 0], [0, 0], [1, 1], [0, np.nan]])
    P = np.array([[0.5, 0.5], [0.5, 0.25], [1.0, 0.25], [1.0, 0.9]])
    for y in (Y, sp.csr_array(Y)):
        assert expected_observed_ratio(y, P) == pytest.approx((3 + 1) / 3)
        each = expected_observed_ratio(y, P, average=None)
        np.testing.assert_allclose(each, [1.5, 1.0])
        weighted = expected_observed_ratio(
            y, P, average=None, sample_weight=[0, 1, 1, 2]
        )
        np.testing.assert_allclose(weighted, [3.5, 0.5])
    predicted = (P > 0.4).astype(int)
    for p in (predicted, sp.csr_array(predicted), predicted.astype(bool)):
        assert predicted_observed_ratio(Y, p) == pytest.approx(5 / 3)
    assert np.isnan(expected_observed_ratio(np.zeros((2, 1)), np.ones((2, 1))))


@pytest.mark.filterwarnings("ignore::skimbalance.metrics.UndefinedLabelWarning")
def test_scorers_read_sparse_and_missing_labels():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 6))
    Y = (X + rng.normal(size=(150, 6)) > 0.5).astype(int)
    model = OneVsRestClassifier(LogisticRegression())
    for name in get_scorer_names():
        scores = cross_val_score(model, X, Y, scoring=get_scorer(name), cv=3)
        low, high = (-6, 0) if name.startswith("neg_") else (0.3, 1)
        assert ((scores > low) & (scores <= high)).all(), name
    macro = get_scorer("macro_average_precision")
    model.fit(X, Y)
    expected = average_precision_score(Y, model.predict_proba(X))
    assert macro(model, X, Y) == pytest.approx(expected)
    assert macro(model, X, sp.csr_array(Y)) == pytest.approx(expected)
    with_missing = Y.astype(float)
    with_missing[:20, 0] = np.nan
    assert macro(model, X, with_missing) != pytest.approx(expected)
    search = GridSearchCV(model, {"estimator__C": [0.1, 1]}, scoring=macro, cv=3)
    assert search.fit(X, sp.csr_array(Y)).best_score_ > 0.5


AVERAGES = ("macro", "micro", "samples", "weighted", None)


def _same(found, expected):
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@settings(max_examples=40)
@given(scored_labels())
def test_roc_auc_equals_scikit_learn(case):
    Y, S, rng = case
    # A second row and column of zeros give each of both values.
    Y, S = np.vstack([Y, np.zeros_like(Y[:1])]), np.vstack([S, S[:1]])
    Y, S = np.hstack([Y, np.zeros_like(Y[:, :1])]), np.hstack([S, S[:, :1]])
    Y[0, -1] = 1
    inner = slice(0, -1)
    for weight in (None, rng.random(len(Y)) + 0.01):
        for average in ("macro", "micro", "weighted", None):
            expected = reference.roc_auc_score(
                Y, S, average=average, sample_weight=weight
            )
            for y in (Y, sp.csr_array(Y)):
                found = multilabel_roc_auc_score(
                    y, S, average=average, sample_weight=weight
                )
                _same(found, expected)
    rows = Y[inner].sum(axis=1) < Y.shape[1]
    rows = np.flatnonzero(rows)
    if len(rows):
        expected = reference.roc_auc_score(Y[rows], S[rows], average="samples")
        _same(multilabel_roc_auc_score(Y[rows], S[rows], average="samples"), expected)


@settings(max_examples=40)
@given(scored_labels(), st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.0, np.inf]))
def test_f_beta_equals_scikit_learn(case, beta):
    Y, S, rng = case
    D = (np.median(S) < S).astype(int)
    for weight in (None, rng.random(len(Y)) + 0.01):
        for average in AVERAGES:
            expected = reference.fbeta_score(
                Y,
                D,
                beta=beta,
                average=average,
                sample_weight=weight,
                zero_division=0.0,
            )
            for y, d in ((Y, D), (sp.csr_array(Y), sp.csr_array(D))):
                found = multilabel_fbeta_score(
                    y,
                    d,
                    beta=beta,
                    average=average,
                    sample_weight=weight,
                    undefined=0.0,
                )
                _same(found, expected)


@settings(max_examples=40)
@given(scored_labels())
def test_losses_of_probabilities_equal_scikit_learn(case):
    Y, S, rng = case
    P = S / 30
    for weight in (None, rng.random(len(Y)) + 0.01):
        columns = [
            [
                reference.log_loss(y, p, sample_weight=weight, labels=[0, 1]),
                np.average((y - p) ** 2, weights=weight),
            ]
            for y, p in zip(Y.T, P.T, strict=True)
        ]
        for score, each in zip(
            (multilabel_log_loss, multilabel_brier_score_loss),
            np.transpose(columns),
            strict=True,
        ):
            for y in (Y, sp.csr_array(Y)):
                _same(score(y, P, average=None, sample_weight=weight), each)
                for average in ("macro", "micro", "samples"):
                    found = score(y, P, average=average, sample_weight=weight)
                    _same(found, each.mean())


def test_log_loss_of_float32_probabilities_of_0_and_1_is_finite():
    Y, P = np.array([[1], [0]]), np.array([[0], [1]], dtype=np.float32)
    expected = reference.log_loss(Y[:, 0], P[:, 0])
    assert multilabel_log_loss(Y, P) == pytest.approx(expected)


PER_LABEL = {
    "average precision": multilabel_average_precision_score,
    "ROC AUC": multilabel_roc_auc_score,
    "F1": lambda y, s, **o: multilabel_fbeta_score(y, s > 0.5, **o),
    "log-loss": multilabel_log_loss,
    "Brier": multilabel_brier_score_loss,
    "calibration": calibration_error,
}
each_score = pytest.mark.parametrize("score", PER_LABEL.values(), ids=PER_LABEL)


@each_score
@pytest.mark.filterwarnings("ignore::skimbalance.metrics.UndefinedLabelWarning")
def test_a_missing_label_equals_an_absent_entry(score):
    rng = np.random.default_rng(0)
    Y = (rng.random((80, 3)) < 0.4).astype(float)
    P, W = rng.random(Y.shape), rng.random(len(Y))
    missing = rng.random(Y.shape) < 0.3
    with_missing = np.where(missing, np.nan, Y)
    for weight in (None, W):
        kept = [~missing[:, k] for k in range(3)]
        each = [
            score(
                Y[rows, k],
                P[rows, k],
                sample_weight=None if weight is None else weight[rows],
            )
            for k, rows in enumerate(kept)
        ]
        for y in (with_missing, sp.csr_array(with_missing)):
            _same(score(y, P, average=None, sample_weight=weight), each)
            _same(score(y, P, sample_weight=weight), np.mean(each))
    entries = np.where(missing, 0.0, np.repeat(W[:, None], 3, axis=1))
    for average in ("macro", "micro", "samples", "weighted", None):
        by_weight = score(Y, P, average=average, sample_weight=entries)
        by_missing = score(with_missing, P, average=average, sample_weight=entries)
        _same(by_weight, by_missing)
    excess = sp.csr_array(entries - 1)
    _same(score(Y, P, sample_weight=excess), score(Y, P, sample_weight=entries))


@each_score
def test_undefined_labels_are_counted_once(score):
    Y = np.full((6, 3), np.nan)
    Y[:, 0] = [0, 1, 0, 1, 1, 0]
    P = np.full(Y.shape, 0.25)
    P[:, 0] = [0.1, 0.8, 0.3, 0.9, 0.4, 0.6]
    alone = score(Y[:, 0], P[:, 0])
    with pytest.warns(UndefinedLabelWarning, match="2 of 3 labels") as caught:
        _same(score(Y, P), alone)
    assert len(caught) == 1
    assert np.isnan(score(Y, P, undefined="nan"))
    _same(score(Y, P, undefined=0.0), alone / 3)


def _error_by_hand(y, p, n_bins):
    """Calibration error of bins of equal size, where no value is tied."""
    parts = np.array_split(np.argsort(p), n_bins)
    gaps = [abs(y[part].mean() - p[part].mean()) for part in parts]
    return np.array(gaps)


def test_calibration_error_by_hand():
    rng = np.random.default_rng(0)
    Y, P = (rng.random((100, 2)) < 0.3).astype(int), rng.random((100, 2))
    gaps = [_error_by_hand(Y[:, k], P[:, k], 10) for k in range(2)]
    _same(calibration_error(Y, P, average=None), [g.mean() for g in gaps])
    squared = [np.sqrt((g**2).mean()) for g in gaps]
    _same(calibration_error(Y, P, norm="l2"), np.mean(squared))
    _same(calibration_error(Y, P, norm="max"), np.mean([g.max() for g in gaps]))
    pooled = _error_by_hand(Y.ravel(), P.ravel(), 10).mean()
    _same(calibration_error(Y, P, average="micro"), pooled)
    by_width = 0.0
    bins = np.minimum((P[:, 0] * 5).astype(int), 4)
    for b in range(5):
        rows = bins == b
        by_width += rows.mean() * abs(Y[rows, 0].mean() - P[rows, 0].mean())
    found = calibration_error(Y[:, 0], P[:, 0], n_bins=5, strategy="uniform")
    _same(found, by_width)


def test_equal_probabilities_share_a_bin():
    """Bins that split ties would depend on the order of the rows."""
    Y = np.repeat([0, 1], 50)
    assert calibration_error(Y, np.full(100, 0.5)) == 0
    assert calibration_error(Y[::-1], np.full(100, 0.5)) == 0


@pytest.mark.parametrize("scale", [None, 0.1, 0.7, 1 / 3, 1e-3, 7])
def test_bins_of_equal_weights_are_those_of_counts(scale):
    p = np.arange(100) / 100
    weight = None if scale is None else np.full(100, scale)
    for n_bins in (7, 10, 50, 100):
        bins = equal_mass_bins(p, weight, n_bins)
        np.testing.assert_array_equal(bins, np.arange(100) * n_bins // 100)


@st.composite
def ranked_rows(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, k = draw(st.integers(1, 8)), draw(st.integers(2, 7))
    Y = (rng.random((n, k)) < 0.5).astype(int)
    return Y, rng.integers(0, draw(st.integers(1, 12)), (n, k)) / 10, rng


@settings(max_examples=60)
@given(ranked_rows(), st.data())
def test_ndcg_and_depth_equal_scikit_learn(case, data):
    Y, S, rng = case
    k = data.draw(st.integers(1, Y.shape[1]))
    weight = rng.random(len(Y)) + 0.1
    for y in (Y, sp.csr_array(Y)):
        found = ndcg_at_k(y, S, k, undefined=0.0, sample_weight=weight)
        _same(found, reference.ndcg_score(Y, S, k=k, sample_weight=weight))
        found = coverage_error(y, S, undefined=0.0, sample_weight=weight)
        _same(found, reference.coverage_error(Y, S, sample_weight=weight))
    rows = Y.any(axis=1)
    if rows.any():
        expected = reference.label_ranking_average_precision_score(Y[rows], S[rows])
        _same(label_ranking_average_precision_score(Y[rows], S[rows]), expected)


def _mean_over_orders(y, s, k, rng, count):
    """Average of a count in the top k over random orders of tied scores."""
    total = 0.0
    for _ in range(3000):
        order = np.lexsort((rng.random(len(s)), -s))
        total += count(y[order[:k]])
    return total / 3000


def test_precision_and_recall_at_k_are_means_over_the_orders_of_ties():
    rng = np.random.default_rng(0)
    Y, S = np.array([[1, 0, 1, 0, 1]]), np.array([[0.9, 0.5, 0.5, 0.5, 0.1]])
    for k in range(1, 6):
        hits = _mean_over_orders(Y[0], S[0], k, rng, np.sum)
        assert precision_at_k(Y, S, k) == pytest.approx(hits / k, abs=0.03)
        assert recall_at_k(Y, S, k) == pytest.approx(hits / 3, abs=0.03)


def test_a_missing_label_is_not_in_the_ranking():
    Y = np.array([[1, np.nan, 0], [np.nan, np.nan, 1]])
    S = np.array([[0.5, 0.9, 0.1], [0.9, 0.8, 0.1]])
    for y in (Y, sp.csr_array(Y)):
        assert precision_at_k(y, S, 1) == 1.0
        assert precision_at_k(y, S, 2) == 0.75
        assert recall_at_k(y, S, 1) == ndcg_at_k(y, S, 1) == 1.0
        assert coverage_error(y, S) == 1.0


def test_rows_without_true_labels_are_left_out():
    Y, S = [[0, 0], [0, 1]], [[0.1, 0.2], [0.1, 0.2]]
    for score in (recall_at_k, ndcg_at_k):
        with pytest.warns(UndefinedLabelWarning, match="1 of 2 rows"):
            assert score(Y, S, 1) == 1.0
        assert score(Y, S, 1, undefined=0.0) == 0.5
    assert precision_at_k(Y, S, 1) == 0.5


def test_propensity_scored_precision_by_hand():
    """Jain et al.: (1 / k) sum y / p over the best that any ranking reaches."""
    Y = np.array([[1, 0, 1], [0, 1, 1]])
    S = np.array([[0.9, 0.8, 0.1], [0.1, 0.2, 0.7]])
    p = np.array([1, 0.5, 0.25])
    # First row: the top one is label 0, worth 1 of 4; second: label 2, worth 4 of 4.
    found = propensity_scored_precision_at_k(Y, S, 1, propensity=p)
    assert found == pytest.approx((1 + 4) / (4 + 4))
    # Two places: 0 and 1 (1 of 5), 2 and 1 (6 of 6); weights 3 and 1.
    found = propensity_scored_precision_at_k(
        Y, S, 2, propensity=p, sample_weight=[3, 1]
    )
    assert found == pytest.approx((3 * 1 + 6) / (3 * 5 + 6))
    same = propensity_scored_precision_at_k(Y, S, 1, propensity=np.ones(3))
    assert same == pytest.approx(precision_at_k(Y, S, 1))
    assert np.isnan(propensity_scored_precision_at_k(np.zeros((2, 3)), S, 1))


def test_propensity_by_the_formula():
    Y = (np.arange(1000)[:, None] < [500, 5]).astype(int)
    scale = (np.log(1000) - 1) * 2.5**0.55
    expected = [1 / (1 + scale * np.exp(-0.55 * np.log(n + 1.5))) for n in (500, 5)]
    _same(label_propensity(Y), expected)


def test_frequency_report_by_hand():
    rng = np.random.default_rng(0)
    Y_train = np.arange(500)[:, None] < [200, 50, 40, 5]
    Y = (rng.random((300, 4)) < [0.4, 0.1, 0.1, 0.0]).astype(int)
    P = rng.random(Y.shape)
    report = label_frequency_report(Y, P, y_train=Y_train, threshold=[0.5, 0.9, 0.9, 1])
    assert [report[g]["n_labels"] for g in ("head", "medium", "tail")] == [1, 2, 1]
    each = reference.average_precision_score(Y[:, :3], P[:, :3], average=None)
    assert report["medium"]["average_precision"] == pytest.approx(each[1:].mean())
    assert report["all"]["average_precision"] == pytest.approx(each.mean())
    assert report["all"]["n_undefined"] == report["tail"]["n_undefined"] == 1
    assert np.isnan(report["tail"]["f1"])
    predicted = P[:, 1:3] > 0.9
    f1 = reference.f1_score(Y[:, 1:3], predicted, average="macro")
    assert report["medium"]["f1"] == pytest.approx(f1)
    ratio = predicted.sum() / Y[:, 1:3].sum()
    assert report["medium"]["predicted_observed_ratio"] == pytest.approx(ratio)
    assert report["head"]["expected_observed_ratio"] == pytest.approx(
        P[:, 0].sum() / Y[:, 0].sum()
    )
    assert np.isnan(label_frequency_report(Y, 2 * P)["all"]["expected_observed_ratio"])


def test_label_report_names_labels_and_bounds_the_precision():
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    Y = (rng.random((400, 2)) < [0.5, 0.02]).astype(int)
    P = np.clip(0.4 * Y + 0.6 * rng.random(Y.shape), 0, 1)
    frame = pd.DataFrame(Y, columns=["often", "rare"])
    report = label_report(frame, P, random_state=0, n_bootstraps=300)
    assert list(report["label"]) == ["often", "rare"]
    low, high = report["average_precision_low"], report["average_precision_high"]
    assert (low < report["average_precision"]).all()
    assert (report["average_precision"] < high).all()
    assert high[1] - low[1] > 2 * (high[0] - low[0])
    again = label_report(sp.csr_array(Y), P, random_state=0, n_bootstraps=300)
    _same(again["average_precision_low"], low)
    assert pd.DataFrame(report).shape == (2, 9)


def test_bootstrap_interval_agrees_with_resampled_rows():
    rng = np.random.default_rng(0)
    y = (rng.random(300) < 0.2).astype(int)
    s = np.round(y + rng.normal(size=300), 1)
    report = label_report(y, s, n_bootstraps=4000, random_state=0)
    values = []
    for _ in range(2000):
        rows = rng.integers(0, 300, 300)
        values.append(average_precision_score(y[rows], s[rows]))
    expected = np.quantile(values, [0.025, 0.975])
    found = [report["average_precision_low"][0], report["average_precision_high"][0]]
    np.testing.assert_allclose(found, expected, atol=0.02)


def test_scorers_read_the_list_of_arrays_of_a_forest():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    Y = np.column_stack([X[:, 0] > 0, X[:, 1] > 0.5, np.zeros(80)]).astype(int)
    model = RandomForestClassifier(10, random_state=0).fit(X[:40], Y[:40])
    with pytest.warns(UndefinedLabelWarning, match="1 of 3"):
        found = get_scorer("macro_average_precision")(model, X[40:], Y[40:])
    proba = np.column_stack([p[:, 1] for p in model.predict_proba(X[40:])[:2]])
    assert found == pytest.approx(average_precision_score(Y[40:, :2], proba))


def test_scorers_take_options_and_any_k():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    Y = (X > 0.3).astype(int)
    model = OneVsRestClassifier(LogisticRegression()).fit(X, Y)
    found = get_scorer("precision_at_2")(model, X, Y)
    assert found == pytest.approx(precision_at_k(Y, model.decision_function(X), 2))
    found = get_scorer("macro_f1", beta=2)(model, X, Y)
    assert found == pytest.approx(multilabel_fbeta_score(Y, model.predict(X), beta=2))
    with pytest.raises(ValueError, match="not an option"):
        get_scorer("macro_f1", betta=2)
    binary = LogisticRegression().fit(X, Y[:, 0])
    found = get_scorer("macro_average_precision")(binary, X, Y[:, 0])
    assert found == pytest.approx(average_precision_score(Y[:, 0], X[:, 0]), abs=0.1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: multilabel_average_precision_score([[1, 0]], [[1]]), "shape"),
        (lambda: multilabel_average_precision_score([[1]], [[np.nan]]), "finite"),
        (lambda: multilabel_average_precision_score([[1], [0]], [[1]]), "inconsistent"),
        (lambda: multilabel_average_precision_score([[1]], [[1]], average="x"), "'x'"),
        (
            lambda: multilabel_average_precision_score([[1]], [[1]], undefined=1),
            "undef",
        ),
        (lambda: multilabel_average_precision_score([[2]], [[1]]), "the value 2"),
        (lambda: expected_observed_ratio([[1]], [[1]], average="macro"), "macro"),
        (lambda: get_scorer("macro_average_precisoin"), "Did you mean"),
        (lambda: precision_at_k([[1, 0]], [[1, 0]], 3), "number of labels, 2"),
        (lambda: precision_at_k([[1, 0]], [[1, 0]], 0), "k=0"),
        (lambda: multilabel_log_loss([[1]], [[1.5]]), "between 0 and 1"),
        (lambda: multilabel_fbeta_score([[1]], [[0.5]]), "0.5"),
        (lambda: multilabel_fbeta_score([[1]], [[np.nan]]), "missing"),
        (lambda: multilabel_fbeta_score([[1]], [[1]], beta=-1), "beta"),
        (lambda: calibration_error([[1]], [[1]], n_bins=0), "n_bins"),
        (lambda: calibration_error([[1]], [[1]], strategy="mass"), "strategy"),
        (lambda: calibration_error([[1]], [[1]], norm="l3"), "norm"),
        (lambda: label_propensity([[1]], a=-1), "a=-1"),
        (
            lambda: propensity_scored_precision_at_k([[1]], [[1]], 1, propensity=[2]),
            "propensity",
        ),
        (lambda: label_frequency_report([[1]], [[1]], bounds=(9, 1)), "bounds"),
        (lambda: label_frequency_report([[1]], [[1]], y_train=[[1, 1]]), "y_train"),
        (lambda: label_report([[1]], [[1]], threshold=[0.5, 0.5]), "threshold"),
        (lambda: label_report([[1]], [[1]], label_names=["a", "b"]), "label_names"),
        (lambda: label_report([[1]], [[1]], n_bootstraps=0), "n_bootstraps"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---------------------------------------------------------------- loops of plain Python


def ap_of_one(pairs):
    """Average precision of (target, score, weight) by the definition of the curve."""
    total = sum(w for t, _, w in pairs if t)
    if total <= 0:
        return float("nan")
    value = 0.0
    for level in {s for t, s, w in pairs if t}:
        above = [(t, w) for t, s, w in pairs if s >= level]
        hits, predicted = sum(w for t, w in above if t), sum(w for _, w in above)
        gained = sum(w for t, s, w in pairs if t and s == level)
        value += gained / total * (hits / predicted if predicted else 0.0)
    return value


def auc_of_one(pairs):
    ranked = won = 0.0
    for t, s, w in pairs:
        for u, r, v in pairs:
            if t and not u:
                ranked += w * v
                won += w * v * (1.0 if s > r else 0.5 if s == r else 0.0)
    return won / ranked if ranked > 0 else float("nan")


def f_of_one(pairs):
    hit = sum(w for t, s, w in pairs if t and s > 0.5)
    wrong = sum(w for t, s, w in pairs if bool(t) != (s > 0.5))
    return 2 * hit / (2 * hit + wrong) if hit + wrong > 0 else float("nan")


def mean_of_one(loss):
    def value(pairs):
        total = sum(w for _, _, w in pairs)
        summed = sum(w * loss(t, s) for t, s, w in pairs)
        return summed / total if total > 0 else float("nan")

    return value


BY_LOOPS = {
    "average precision": ap_of_one,
    "ROC AUC": auc_of_one,
    "F1": f_of_one,
    "log-loss": mean_of_one(lambda t, s: -np.log(s if t else 1 - s)),
    "Brier": mean_of_one(lambda t, s: (s - t) ** 2),
}


def expected_by_loops(score, Y, P, W, average, undefined):
    """Average a score of lists of (target, score, weight) over what `average` names."""
    n, k = Y.shape
    W2 = np.broadcast_to(W.reshape(n, -1), (n, k))
    entries = [[(Y[i, j], P[i, j], W2[i, j], i, j) for j in range(k)] for i in range(n)]
    observed = [c for row in entries for c in row if not np.isnan(c[0]) and c[2] > 0]
    groups, support = [observed], [1.0]
    if average == "samples":
        rows = [i for i in range(n) if W.ndim == 2 or W[i] > 0]
        support = [1.0 if W.ndim == 2 else W[i] for i in rows]
        groups = [[c for c in observed if c[3] == i] for i in rows]
        if W.ndim == 1:
            groups = [[(t, s, 1.0) for t, s, *_ in group] for group in groups]
    elif average != "micro":
        groups = [[c for c in observed if c[4] == j] for j in range(k)]
        support = [1.0] * k
        if average == "weighted":
            support = [sum(c[2] for c in group if c[0]) for group in groups]
    values = [score([c[:3] for c in group]) for group in groups]
    if undefined == 0.0:
        values = [0.0 if np.isnan(v) else v for v in values]
    if average is None:
        return values
    pairs = list(zip(values, support))
    if undefined == "skip":
        pairs = [(v, s) for v, s in pairs if not np.isnan(v)]
    mass = sum(s for _, s in pairs)
    if mass == 0:
        return 0.0 if undefined == 0.0 else float("nan")
    return sum(v * s for v, s in pairs) / mass


@pytest.mark.parametrize("name", BY_LOOPS)
@pytest.mark.parametrize("undefined", ["skip", "nan", 0.0])
@pytest.mark.parametrize("average", ["macro", "micro", "samples", "weighted", None])
@pytest.mark.filterwarnings("ignore::skimbalance.metrics.UndefinedLabelWarning")
def test_every_average_equals_loops_of_plain_python(name, average, undefined):
    rng = np.random.default_rng(0)
    Y = (rng.random((12, 4)) < [0.4, 0.2, 0, 1]).astype(float)
    with_missing = np.where(rng.random(Y.shape) < 0.2, np.nan, Y)
    with_missing[3] = np.nan
    P = rng.integers(1, 10, Y.shape) / 10
    rows = rng.uniform(0.1, 2, 12) * (rng.random(12) < 0.7)
    entries = rng.uniform(0.1, 2, Y.shape) * (rng.random(Y.shape) < 0.7)
    options = {"average": average, "undefined": undefined}
    for y in (Y, with_missing, np.zeros(Y.shape), np.ones(Y.shape)):
        for W in (np.ones(12), rows, entries):
            expected = expected_by_loops(BY_LOOPS[name], y, P, W, **options)
            for weight in (W, sp.csr_array(W - 1)) if W.ndim == 2 else (W,):
                for target in (y, sp.csr_array(y)):
                    found = PER_LABEL[name](target, P, sample_weight=weight, **options)
                    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    "score",
    [
        coverage_error,
        label_ranking_average_precision_score,
        lambda y, s: ndcg_at_k(y, s, 1),
        lambda y, s: precision_at_k(y, s, 1),
        lambda y, s: recall_at_k(y, s, 1),
        lambda y, s: propensity_scored_precision_at_k(y, s, 1),
        lambda y, s: multilabel_average_precision_score(y, s, average="samples"),
        lambda y, s: multilabel_log_loss(y, s, average="samples"),
    ],
)
@pytest.mark.parametrize("y", [[0, 1, 0], np.array([0, 1, 0]), pd.Series([0, 1, 0])])
def test_a_ranking_of_labels_needs_two_dimensions(score, y):
    with pytest.raises(ValueError, match="y_true must be 2D"):
        score(y, [0.25, 0.3, 0.2])


def test_uniform_bins_equal_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    for n_bins in (2, 5, 10):
        edges = np.linspace(0, 1, n_bins + 1)
        p = np.r_[edges, edges[1:-1], rng.random(50)]
        y = rng.integers(0, 2, len(p))
        true, mean = calibration_curve(y, p, n_bins=n_bins, strategy="uniform")
        bins = np.searchsorted(edges[1:-1], p)
        mass = np.bincount(bins, minlength=n_bins)
        expected = (mass[mass > 0] / len(p)) @ np.abs(true - mean)
        found = calibration_error(y, p, n_bins=n_bins, strategy="uniform")
        assert found == pytest.approx(expected, rel=1e-12)


def test_frames_are_aligned_by_the_names_of_the_labels():
    rng = np.random.default_rng(0)
    Y, P = (rng.random((30, 3)) < 0.4).astype(int), rng.random((30, 3))
    W, names = rng.random((30, 3)), list("abc")
    y, p, w = (pd.DataFrame(each, columns=names) for each in (Y, P, W))
    sparse = pd.DataFrame.sparse.from_spmatrix(sp.csr_matrix(Y), columns=names)
    expected = multilabel_average_precision_score(Y, P, sample_weight=W)
    for frame in (y, sparse, y.astype("Int64"), y.astype(bool)):
        for scores in (P, p, p[["c", "a", "b"]], pd.DataFrame(P)):
            for weight in (W, w[["b", "c", "a"]]):
                found = multilabel_average_precision_score(
                    frame, scores, sample_weight=weight
                )
                assert found == pytest.approx(expected, rel=1e-12)
    predicted = (p > 0.5).astype(int)
    expected = multilabel_fbeta_score(Y, predicted.to_numpy(), average=None)
    swapped = predicted[["b", "a", "c"]]
    np.testing.assert_array_equal(
        multilabel_fbeta_score(y, swapped, average=None), expected
    )
    for wrong in (p.rename(columns={"a": "x"}), p[["a", "b"]]):
        with pytest.raises(ValueError, match="y_score must have the label columns"):
            multilabel_average_precision_score(y, wrong)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([[0.1, np.nan], [0.2, 0.3]], "y_score must be finite"),
        ([["a", "b"], ["c", "d"]], "y_score must hold numbers"),
        (
            np.array([["a", 1], [2, 3]], dtype=object),
            "y_score must hold finite numbers",
        ),
        ([[1j, 0], [0, 0]], "y_score must hold numbers"),
        (sp.csr_array(np.eye(2)), "y_score must be dense"),
        ([np.eye(2), np.eye(2)], r"column_stack\(\[p\[:, 1\] for p in y_score"),
        ([[0.1, 0.2]], "inconsistent"),
        ([[0.1], [0.2]], r"shape \(2, 1\), but y_true has shape \(2, 2\)"),
    ],
)
def test_bad_scores_are_named(scores, message):
    with pytest.raises(ValueError, match=message):
        multilabel_average_precision_score([[0, 1], [1, 0]], scores)


def test_both_columns_of_probabilities_are_not_one_label():
    with pytest.raises(ValueError, match=r"y_proba\[:, 1\]"):
        multilabel_log_loss([0, 1], [[0.2, 0.8], [0.1, 0.9]])


def test_masks_as_splits_are_refused():
    mask = np.array([True, False])
    with pytest.raises(ValueError, match="row indices, not masks"):
        label_distribution_distance([[0], [1]], [(mask, ~mask)])


def test_log_odds_have_no_expected_number():
    with pytest.raises(ValueError, match="y_proba must hold probabilities"):
        expected_observed_ratio([[1, 0], [0, 1]], [[2.0, -1.0], [-3.0, 0.5]])


@pytest.mark.parametrize(
    ("start", "dtype"), [(0, "u8"), (2**60, "i8"), (-(2**63), "i8"), (2**63, "u8")]
)
def test_large_integers_are_ranked_as_their_differences(start, dtype):
    rng = np.random.default_rng(0)
    Y, S = rng.random((60, 5)) < 0.4, rng.integers(0, 30, (60, 5))
    large = S.astype(dtype) + np.array(start, dtype)
    for score in (
        multilabel_roc_auc_score,
        multilabel_average_precision_score,
        partial(multilabel_roc_auc_score, average="samples"),
        partial(ndcg_at_k, k=3),
        coverage_error,
        label_ranking_average_precision_score,
    ):
        assert score(Y, large, undefined=0.0) == score(Y, S, undefined=0.0)


@pytest.mark.parametrize("scale", [1e-300, 1e-162, 1.0, 1e155, 1e300])
def test_roc_auc_of_weights_of_any_scale(scale):
    y, score, weight = [0, 1, 1, 0, 1], [0.1, 0.9, 0.3, 0.4, 0.2], [1, 2, 3, 1, 2]
    expected = roc_auc_score(y, score, sample_weight=weight)
    found = multilabel_roc_auc_score(y, score, sample_weight=np.multiply(weight, scale))
    assert found == pytest.approx(expected, rel=1e-12)


def test_log_loss_of_long_doubles_is_finite():
    proba = np.array([[0, 1], [1, 0]], dtype=np.longdouble)
    expected = -np.log(np.finfo(np.float64).eps)
    assert multilabel_log_loss([[1, 0], [0, 1]], proba) == pytest.approx(expected)


def test_numbers_with_names_go_with_the_names_of_the_labels():
    rng = np.random.default_rng(0)
    Y = pd.DataFrame(rng.integers(0, 2, (40, 2)), columns=["a", "b"])
    proba = pd.DataFrame(rng.random((40, 2)), columns=["a", "b"])
    named, numbers = {"b": 0.9, "a": 0.1}, [0.1, 0.9]
    for call in (
        lambda v: label_report(Y, proba, threshold=v, random_state=0)["threshold"],
        lambda v: label_frequency_report(Y, proba, threshold=v)["all"]["f1"],
        lambda v: propensity_scored_precision_at_k(Y, proba, 1, propensity=v),
        lambda v: expected_f_beta(proba, v),
        lambda v: prior_shift(proba, v, 0.3),
        lambda v: estimate_prior(proba, v),
    ):
        np.testing.assert_array_equal(call(named), call(numbers))
    with pytest.raises(
        ValueError, match=r"labels have no names\. Pass the labels as a data"
    ):
        label_report(Y.to_numpy(), proba.to_numpy(), threshold=named)


def test_scores_may_be_bools():
    Y = np.array([[1, 0], [0, 1], [1, 1], [0, 0]])
    scores = np.array([[1, 0], [0, 1], [1, 0], [0, 0]], dtype=bool)
    found = [tune_thresholds(Y, s) for s in (scores, scores.astype(float))]
    np.testing.assert_allclose(*found, rtol=1e-6)  # bools become float32


@pytest.mark.parametrize(("classes", "more"), [("ab", False), ("abcd", True)])
def test_names_of_several_classes_are_scored_one_against_the_others(classes, more):
    y = np.array(list(classes) * 3)
    with pytest.raises(ValueError, match="holds strings") as error:
        expected_observed_ratio(y, np.full(len(y), 0.5))
    assert ("one against the others" in str(error.value)) == more
