"""Metrics against scikit-learn where both are defined, else by hand."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.multiclass import OneVsRestClassifier

from skimbalance.metrics import (
    UndefinedLabelWarning,
    decision_ratio,
    get_scorer,
    get_scorer_names,
    multilabel_average_precision_score,
    probability_ratio,
)


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


def test_missing_labels_are_rows_that_are_not_there():
    rng = np.random.default_rng(0)
    Y = (rng.random((60, 3)) < 0.4).astype(float)
    S, W = rng.random((60, 3)), rng.random(60)
    missing = rng.random((60, 3)) < 0.3
    holes = np.where(missing, np.nan, Y)
    for weight in (None, W):
        expected = [
            average_precision_score(
                Y[~missing[:, k], k],
                S[~missing[:, k], k],
                sample_weight=None if weight is None else weight[~missing[:, k]],
            )
            for k in range(3)
        ]
        for y in (holes, sp.csr_array(holes)):
            found = multilabel_average_precision_score(
                y, S, average=None, sample_weight=weight
            )
            np.testing.assert_allclose(found, expected, atol=1e-12)
            micro = multilabel_average_precision_score(
                y, S, average="micro", sample_weight=weight
            )
            cells = np.repeat(W[:, None], 3, axis=1)[~missing]
            np.testing.assert_allclose(
                micro,
                average_precision_score(
                    Y[~missing],
                    S[~missing],
                    sample_weight=None if weight is None else cells,
                ),
                atol=1e-12,
            )


def test_undefined_labels():
    Y, S = np.array([[1, 0], [0, 0]]), np.array([[0.9, 0.1], [0.2, 0.3]])
    with pytest.warns(UndefinedLabelWarning, match="1 of 2 labels") as caught:
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
        assert probability_ratio(y, P) == pytest.approx((3 + 1) / 3)
        each = probability_ratio(y, P, average=None)
        np.testing.assert_allclose(each, [1.5, 1.0])
        weighted = probability_ratio(y, P, average=None, sample_weight=[0, 1, 1, 2])
        np.testing.assert_allclose(weighted, [3.5, 0.5])
    decided = (P > 0.4).astype(int)
    for d in (decided, sp.csr_array(decided), decided.astype(bool)):
        assert decision_ratio(Y, d) == pytest.approx(5 / 3)
    assert np.isnan(probability_ratio(np.zeros((2, 1)), np.ones((2, 1))))


def test_scorers_take_what_scikit_learn_refuses():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 4))
    Y = (X[:, :3] + rng.normal(size=(150, 3)) > 0.5).astype(int)
    model = OneVsRestClassifier(LogisticRegression())
    for name in get_scorer_names():
        scores = cross_val_score(model, X, Y, scoring=get_scorer(name), cv=3)
        assert (scores > 0.5).all()
    macro = get_scorer("macro_average_precision")
    model.fit(X, Y)
    expected = average_precision_score(Y, model.predict_proba(X))
    assert macro(model, X, Y) == pytest.approx(expected)
    assert macro(model, X, sp.csr_array(Y)) == pytest.approx(expected)
    holes = Y.astype(float)
    holes[:20, 0] = np.nan
    assert macro(model, X, holes) != pytest.approx(expected)
    search = GridSearchCV(model, {"estimator__C": [0.1, 1]}, scoring=macro, cv=3)
    assert search.fit(X, sp.csr_array(Y)).best_score_ > 0.5


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
        (lambda: probability_ratio([[1]], [[1]], average="macro"), "macro"),
        (lambda: get_scorer("macro_average_precisoin"), "Did you mean"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
