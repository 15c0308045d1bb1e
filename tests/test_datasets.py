"""The generators have the properties that their docstrings state."""

import inspect

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import logit

from skimbalance.datasets import make_imbalanced_multilabel, make_overlaid_digits


def test_rates_cardinality_and_imbalance_are_as_asked_for():
    X, Y = make_imbalanced_multilabel(
        60_000, 12, 10, cardinality=1.5, imbalance_ratio=16, random_state=0
    )
    rates = Y.mean(axis=0)
    expected = np.geomspace(16, 1, 10)
    expected *= 1.5 / expected.sum()
    np.testing.assert_allclose(rates, expected, rtol=0.05)
    assert X.shape == (60_000, 12)
    assert X.dtype == np.float32
    assert Y.dtype == np.int8


def test_labels_are_drawn_from_the_posterior():
    _, Y, posterior = make_imbalanced_multilabel(
        60_000, n_labels=5, signal=3.0, return_posterior=True, random_state=1
    )
    np.testing.assert_allclose(posterior.mean(axis=0), Y.mean(axis=0), rtol=0.05)
    for low, high in ((0.0, 0.1), (0.3, 0.4), (0.7, 0.8)):
        entries = (posterior >= low) & (posterior < high)
        assert Y[entries].mean() == pytest.approx(posterior[entries].mean(), abs=0.02)
    log_odds = np.log(posterior / (1 - posterior))
    np.testing.assert_allclose(log_odds.std(axis=0), 3.0, rtol=0.15)


def test_noise_has_a_constant_posterior():
    _, _, posterior = make_imbalanced_multilabel(
        100, signal=0, return_posterior=True, random_state=0
    )
    assert np.ptp(posterior, axis=0).max() < 1e-6


def test_sparse_and_chunked_draws_are_the_dense_one(monkeypatch):
    arguments = {"n_samples": 500, "n_labels": 40, "random_state": 3}
    X, Y = make_imbalanced_multilabel(**arguments)
    X_sparse, Y_sparse = make_imbalanced_multilabel(**arguments, sparse=True)
    assert isinstance(Y_sparse, sp.csr_array)
    np.testing.assert_array_equal(X, X_sparse)
    np.testing.assert_array_equal(Y, Y_sparse.toarray())
    monkeypatch.setattr("skimbalance.datasets._CHUNK_ENTRIES", 333)
    np.testing.assert_array_equal(make_imbalanced_multilabel(**arguments)[1], Y)


def test_digits_are_overlaid():
    X, Y = make_overlaid_digits(3000, imbalance_ratio=30, random_state=0)
    assert X.shape == (3000, 256)
    assert X.min() == 0
    assert X.max() == 1
    sizes = Y.sum(axis=1)
    assert set(sizes) == {2, 3, 4}
    counts = np.sort(Y.sum(axis=0))
    assert counts[-1] > 6 * counts[0]
    ink = [X[sizes == size].sum(axis=1).mean() for size in (2, 3, 4)]
    assert ink == sorted(ink)


def test_ratio_and_signal_are_as_documented():
    counts = make_overlaid_digits(2500, imbalance_ratio=20, random_state=2)[1].sum(0)
    assert 11 < counts.max() / counts.min() < 15
    deviations = []
    for seed in range(4):
        _, _, posterior = make_imbalanced_multilabel(
            1000, 20, 20, return_posterior=True, random_state=seed
        )
        deviations.append(logit(posterior.astype(float)).std(axis=0))
    inside = (np.array(deviations) > 1.5) & (np.array(deviations) < 2.4)
    assert inside.mean() == pytest.approx(0.9, abs=0.05)


def test_the_same_seed_draws_the_same():
    for make in (make_imbalanced_multilabel, make_overlaid_digits):
        first, second = make(50, random_state=4), make(50, random_state=4)
        for a, b in zip(first, second, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("make", "arguments", "name"),
    [
        (make_imbalanced_multilabel, {"n_samples": 0}, "n_samples"),
        (make_imbalanced_multilabel, {"n_labels": 0}, "n_labels"),
        (make_imbalanced_multilabel, {"cardinality": 10.0}, "cardinality"),
        (make_imbalanced_multilabel, {"cardinality": 5.0}, "Lower one of them"),
        (make_imbalanced_multilabel, {"imbalance_ratio": 0.5}, "imbalance_ratio"),
        (make_imbalanced_multilabel, {"signal": -1}, "signal"),
        (make_overlaid_digits, {"imbalance_ratio": 0.5}, "imbalance_ratio"),
    ],
)
def test_bad_input(make, arguments, name):
    with pytest.raises(ValueError, match=name):
        make(**arguments)


_WRONG = {
    "n_samples": [0, 2.5, 10.0, "10", None, True, np.nan],
    "n_features": [0, 2.5, 10.0, "10", None, True],
    "n_labels": [0, 2.5, 10.0, "10", None, True],
    "n_factors": [0, 2.5, 10.0, "10", None, True],
    "cardinality": [0, 10, -1.0, "1", None, True, np.nan, np.inf],
    "imbalance_ratio": [0.5, "20", None, True, np.nan, np.inf],
    "signal": [-1, "2", None, True, np.nan, np.inf],
    "sparse": ["yes", None, 2, 0.5],
    "return_posterior": ["yes", None, 2, 0.5],
    "random_state": ["0", 2.5, -1, [1]],
}


@pytest.mark.parametrize("make", [make_imbalanced_multilabel, make_overlaid_digits])
def test_each_wrong_argument_is_named(make):
    names = inspect.signature(make).parameters
    assert names.keys() <= _WRONG.keys()
    for name in names:
        for value in _WRONG[name]:
            with pytest.raises(ValueError, match=name):
                make(**{"n_samples": 20, name: value})


def test_numbers_of_numpy_are_arguments():
    X, Y, posterior = make_imbalanced_multilabel(
        np.int64(20),
        cardinality=np.float32(2),
        sparse=np.True_,
        return_posterior=1,
        random_state=np.int64(0),
    )
    assert len(X) == 20
    assert sp.issparse(Y)
    assert posterior.shape == Y.shape
