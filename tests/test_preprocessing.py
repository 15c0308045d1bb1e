"""The input stage against scikit-learn's scaler, and by hand on sparse rows."""

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
