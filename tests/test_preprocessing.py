"""The input stage against scikit-learn's scaler, and by hand on sparse rows."""

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from skimbalance.preprocessing import InputScaler


def test_passes_scikit_learns_checks():
    results = check_estimator(InputScaler(), on_fail=None, on_skip=None)
    assert not [r["check_name"] for r in results if r["status"] == "failed"]
    assert len(results) > 30


def test_dense_columns_are_standardised_in_chunks():
    rng = np.random.default_rng(0)
    X = rng.normal(3, [1, 10, 0, 100], size=(20_000, 4))
    weight = rng.random(20_000)
    for sample_weight in (None, weight):
        reference = StandardScaler().fit(X, sample_weight=sample_weight)
        scaler = InputScaler().fit(X, sample_weight=sample_weight)
        np.testing.assert_allclose(scaler.center_, reference.mean_, rtol=1e-9)
        np.testing.assert_allclose(scaler.scale_, reference.scale_, rtol=1e-9)
        np.testing.assert_allclose(
            scaler.transform(X), reference.transform(X), atol=1e-9
        )


def test_sparse_rows_get_one_common_scale():
    rng = np.random.default_rng(0)
    X = sp.csr_array(7 * rng.random((200, 30)) * (rng.random((200, 30)) < 0.2))
    scaler = InputScaler().fit(X)
    scaled = scaler.transform(X)
    assert scaler.center_ is None
    assert sp.issparse(scaled)
    assert (scaled.toarray() ** 2).mean() == pytest.approx(1)
    np.testing.assert_allclose(scaler.transform(X.toarray()), scaled.toarray())
    weight = np.r_[np.ones(50), np.zeros(150)]
    halved = InputScaler().fit(X, sample_weight=weight)
    assert (halved.transform(X[:50]).toarray() ** 2).mean() == pytest.approx(1)
    empty = InputScaler().fit(sp.csr_array((3, 2)))
    assert empty.scale_ == 1


def test_a_dense_scaler_centres_sparse_rows():
    X = np.random.default_rng(0).normal(2, 1, size=(50, 3))
    scaler = InputScaler().fit(X)
    np.testing.assert_allclose(scaler.transform(sp.csr_array(X)), scaler.transform(X))


def _exact(X, weight):
    """Mean and deviation of each column in rational arithmetic."""
    weight = [Fraction(float(w)) for w in weight]
    total, found = sum(weight), []
    for column in np.asarray(X).T:
        column = [
            Fraction(int(v) if X.dtype.kind in "iu" else float(v)) for v in column
        ]
        mean = sum(w * v for w, v in zip(weight, column)) / total
        variance = sum(w * (v - mean) ** 2 for w, v in zip(weight, column)) / total
        found.append((float(mean), float(variance) ** 0.5 if variance else 1.0))
    return np.array(found).T


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("weighted", [False, True])
def test_statistics_are_those_of_exact_arithmetic(weighted):
    rng = np.random.default_rng(0)
    row = np.arange(40)
    columns = [
        np.full(40, 0.1),  # one value, which no float sum gives back
        1.7e9 + row,  # unix seconds
        1e16 + 2 * row,
        rng.normal(size=40) * 1e-120,
        np.where(row == 3, 1e30, 0),
    ]
    X = np.column_stack(columns)
    weight = rng.uniform(0, 3, 40) * (row != 3) if weighted else np.ones(40)
    weight[7:9] = 0
    scaler = InputScaler().fit(X, sample_weight=weight)
    center, scale = _exact(X, weight)
    np.testing.assert_allclose(scaler.center_, center, rtol=1e-14, atol=0)
    np.testing.assert_allclose(scaler.scale_, scale, rtol=1e-9)
    kept = InputScaler().fit(X[weight > 0], sample_weight=weight[weight > 0])
    np.testing.assert_array_equal(scaler.scale_, kept.scale_)
    doubled = InputScaler().fit(X, sample_weight=2.0**-40 * weight)
    np.testing.assert_array_equal(scaler.scale_, doubled.scale_)
    np.testing.assert_array_equal(scaler.center_, doubled.center_)


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint16, np.float16, ">f4"])
def test_every_type_of_number_is_scaled_in_float64(dtype):
    X = np.array([[3, 100], [4, 100], [7, 100]]).astype(dtype)
    scaler = InputScaler().fit(X)
    assert scaler.center_.dtype == scaler.scale_.dtype == np.float64
    np.testing.assert_allclose(scaler.center_, [14 / 3, 100], rtol=1e-15)
    np.testing.assert_allclose(scaler.scale_, [np.sqrt(26 / 9), 1], rtol=1e-15)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [1e-320, 1e-200, 1e19, 1e200])
def test_squares_that_overflow_or_vanish(size):
    X = np.array([[1, 0.0], [-2, 3], [0, 1], [5, 0]]) * size
    dense, sparse = InputScaler().fit(X), InputScaler().fit(sp.csr_array(X))
    expected = np.array([[1, 0.0], [-2, 3], [0, 1], [5, 0]])
    np.testing.assert_allclose(dense.scale_ / size, expected.std(axis=0), rtol=1e-3)
    np.testing.assert_allclose(dense.center_ / size, expected.mean(axis=0), rtol=1e-3)
    assert sparse.scale_ / size == pytest.approx(np.sqrt(40 / 8), rel=1e-3)
    small = InputScaler().fit(sp.csr_array((X / size * 1e20).astype(np.float32)))
    assert small.scale_ == pytest.approx(np.sqrt(40 / 8) * 1e20)
