"""The input stage against scikit-learn's scaler, and by hand on sparse rows."""

import itertools
import pickle
import tracemalloc
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.stats import kstest, norm
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from skimbalance.preprocessing import (
    InputEncoder,
    InputScaler,
    _distance_from_normal,
    _sorted_columns,
)


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


# ------------------------------------------------------------------------ InputEncoder


def smooth_clip(z):
    return z / np.sqrt(1 + (z / 3) ** 2)


def piecewise_linear(x, edges):
    """Gorishniy et al. (2022), equation 1, without extrapolation."""
    pairs = itertools.pairwise(edges)
    return np.column_stack([np.clip((x - a) / (b - a), 0, 1) for a, b in pairs])


def lowest_quantiles(x, fractions):
    return np.quantile(x, fractions, method="inverted_cdf")


@pytest.mark.parametrize("encoding", ["auto", "smooth_clip", "row_norm"])
def test_the_encoder_passes_scikit_learns_checks(encoding):
    results = check_estimator(InputEncoder(encoding), on_fail=None, on_skip=None)
    assert not [r["check_name"] for r in results if r["status"] == "failed"]
    assert len(results) > 30


def test_columns_are_encoded_as_the_papers_say():
    rng = np.random.default_rng(0)
    X = rng.normal(3, [1, 10, 0.1], size=(1000, 3)) ** 3
    encoder = InputEncoder().fit(X)
    assert encoder.encoding_ == "piecewise_linear"
    low, median, high = lowest_quantiles(X[:, 1], [0.25, 0.5, 0.75])
    edges = lowest_quantiles(X[:, 1], np.linspace(0, 1, 9))
    encoded = encoder.transform(X)
    assert encoded.shape == (1000, 3 + 3 * 8)
    assert encoded.dtype == np.float32
    assert encoded.flags.c_contiguous
    np.testing.assert_allclose(
        encoded[:, 1], smooth_clip((X[:, 1] - median) / (high - low)), atol=1e-6
    )
    np.testing.assert_allclose(encoder.bin_edges_[1], edges)
    np.testing.assert_allclose(
        encoded[:, 11:19], piecewise_linear(X[:, 1], edges), atol=1e-6
    )
    # Each row fills the bins from the first one on.
    assert (np.diff(encoded[:, 3:11], axis=1) <= 0).all()
    np.testing.assert_array_equal(encoder.transform(X[3:4]), encoded[3:4])


def test_the_rule_counts_columns():
    X = np.random.default_rng(0).normal(size=(50, 113))
    assert InputEncoder().fit(X[:, :112]).encoding_ == "piecewise_linear"
    wide = InputEncoder().fit(X)
    assert wide.encoding_ == "smooth_clip"
    assert wide.transform(X).shape == X.shape
    assert abs(wide.transform(1e200 * X)).max() == 3
    sparse = InputEncoder().fit(sp.csr_matrix(X))
    assert sparse.encoding_ == "row_norm"
    forced = InputEncoder("piecewise_linear").fit(sp.csr_array(X[:, :2]))
    np.testing.assert_array_equal(
        forced.transform(sp.csr_array(X[:, :2])),
        InputEncoder().fit_transform(X[:, :2]),
    )


@pytest.mark.parametrize("n_rows", [107, 2000])
@pytest.mark.parametrize(
    ("draw", "encoding"),
    [
        (lambda rng, size: rng.normal(3, 0.01, size), "smooth_clip"),
        (lambda rng, size: rng.standard_t(4, size), "smooth_clip"),
        (lambda rng, size: rng.exponential(size=size), "piecewise_linear"),
        (lambda rng, size: rng.poisson(0.5, size), "piecewise_linear"),
        (lambda rng, size: np.maximum(rng.normal(size=size), 0), "piecewise_linear"),
        (lambda rng, size: np.full(size, 0.1), "smooth_clip"),
    ],
    ids=["normal", "t", "exponential", "counts", "rectified", "constant"],
)
def test_the_rule_reads_the_distribution_of_wide_tables(n_rows, draw, encoding):
    rng = np.random.default_rng(0)
    X = draw(rng, (n_rows, 150))
    encoder = InputEncoder().fit(X)
    assert encoder.encoding_ == encoding
    if encoding == "piecewise_linear":
        assert max(map(len, encoder.bin_edges_)) <= 5
        four = InputEncoder("piecewise_linear", n_bins=4).fit(X)
        np.testing.assert_array_equal(encoder.transform(X), four.transform(X))
        two = InputEncoder(n_bins=2).fit(X)
        assert max(map(len, two.bin_edges_)) <= 3
    # The median column decides, up to 300 columns.
    normal = rng.normal(size=(n_rows, 151))
    assert InputEncoder().fit(np.hstack([X, normal])).encoding_ == "smooth_clip"
    assert InputEncoder().fit(np.hstack([X, X])).encoding_ == encoding
    more = np.hstack([X, X, X[:, :1]])
    assert InputEncoder().fit(more).encoding_ == "smooth_clip"
    forced = InputEncoder("piecewise_linear").fit(more)
    assert forced.encoding_ == "piecewise_linear"


def test_bins_of_wide_tables_are_centred():
    rng = np.random.default_rng(0)
    X = rng.exponential(size=(500, 113))
    X[:, 3] = rng.integers(0, 3, 500)
    X[:, 4] = np.where(rng.random(500) < 0.8, 0, X[:, 4])
    weight = rng.integers(0, 4, 500)
    encoder = InputEncoder().fit(X, sample_weight=weight)
    bins = encoder.transform(X)[:, 113:]
    np.testing.assert_allclose(weight @ bins / weight.sum(), 0, atol=1e-6)
    again = np.repeat(X, weight, axis=0)
    for column, expected in ((0, slice(0, 4)), (3, slice(12, 14))):
        edges = encoder.bin_edges_[column]
        plain = piecewise_linear(X[:, column], edges)
        mean = piecewise_linear(again[:, column], edges).mean(axis=0)
        np.testing.assert_allclose(bins[:, expected], plain - mean, atol=1e-6)
    narrow = InputEncoder().fit(X[:, :112]).transform(X[:, :112])
    assert narrow[:, 112:].min() == 0


def test_the_distance_from_normal_is_that_of_lilliefors():
    rng = np.random.default_rng(0)
    weight = rng.integers(0, 4, 60)
    for values in (rng.exponential(size=60), rng.integers(0, 5, 60) * 1e200):
        again = np.repeat(values, weight)
        unit = again / again.max()
        reference = kstest(unit, norm(unit.mean(), unit.std()).cdf).statistic
        column = next(_sorted_columns(values.reshape(-1, 1), 7.0 * weight))
        assert _distance_from_normal(*column) == pytest.approx(reference, rel=1e-9)


def test_columns_of_few_values():
    rng = np.random.default_rng(0)
    n = 400
    columns = [
        np.full(n, 7.0),
        rng.integers(0, 2, n),
        rng.integers(0, 3, n) * 5,
        rng.choice([0, 1, 2, 3, 9], n, p=[0.9, 0.04, 0.03, 0.02, 0.01]),
        np.where(rng.random(n) < 0.8, 0, rng.normal(size=n)),
    ]
    X = np.column_stack(columns)
    encoder = InputEncoder().fit(X)
    edges = encoder.bin_edges_
    assert len(edges[0]) == len(edges[1]) == 0  # bins would repeat the scaled column
    np.testing.assert_array_equal(edges[2], [0, 5, 10])
    np.testing.assert_array_equal(edges[3], [0, 1, 2, 3, 9])
    expected = np.unique(lowest_quantiles(columns[4], np.linspace(0, 1, 9)))
    assert len(expected) < 9
    np.testing.assert_allclose(edges[4], expected)
    encoded = encoder.transform(X)
    assert encoded.shape[1] == 5 + 2 + 4 + len(expected) - 1
    assert (encoded[:, 0] == 0).all()
    assert (encoder.transform(X + 1)[:, 0] == 0).all()  # nothing is known of 8
    assert len(np.unique(encoded[:, 1])) == 2
    assert np.isfinite(encoded).all()
    ordinal = encoded[:, 7:11]  # 0 .. 9 as so many ones
    np.testing.assert_array_equal(
        ordinal.sum(axis=1), np.searchsorted(edges[3], columns[3])
    )


@pytest.mark.parametrize("encoding", ["piecewise_linear", "smooth_clip", "row_norm"])
@pytest.mark.parametrize("n_bins", [1, 2, 3, 8, 11])
def test_weights_repeat_rows(encoding, n_bins):
    rng = np.random.default_rng(n_bins)
    X = np.column_stack([rng.normal(size=90), rng.integers(0, 20, 90), np.zeros(90)])
    X[:, 2] = np.where(rng.random(90) < 0.7, 0, X[:, 0])
    weight = rng.integers(0, 4, 90)
    X = sp.csr_array(X) if encoding == "row_norm" else X
    again = np.repeat(np.arange(90), weight)
    repeated = InputEncoder(encoding, n_bins=n_bins).fit(X[again])
    expected = as_dense(repeated.transform(X))
    assert np.isfinite(expected).all()
    for scale in (1.0, 0.1, 1e-12, 3e9):
        weighted = InputEncoder(encoding, n_bins=n_bins)
        weighted.fit(X, sample_weight=scale * weight)
        np.testing.assert_allclose(
            as_dense(weighted.transform(X)), expected, rtol=1e-6, atol=1e-12
        )
    plain = InputEncoder(encoding, n_bins=n_bins).fit(X)
    ones = InputEncoder(encoding, n_bins=n_bins).fit(X, sample_weight=np.ones(90))
    np.testing.assert_array_equal(
        as_dense(plain.transform(X)), as_dense(ones.transform(X))
    )


def as_dense(X):
    return X.toarray() if sp.issparse(X) else X


def test_sparse_columns_are_capped_and_rows_have_one_length():
    rng = np.random.default_rng(0)
    dense = rng.random((100, 21)) * (rng.random((100, 21)) < 0.3)
    dense[:, 5] *= 1000
    dense[:, 6] = 0
    dense[7] = 0
    X = sp.csr_array(dense)
    X.data[3] = 0  # a stored 0 is no value
    dense = X.toarray()
    rms = np.sqrt((dense**2).sum(axis=0) / np.maximum((dense != 0).sum(axis=0), 1))
    typical = np.median(rms[rms > 0])
    capped = dense / np.maximum(rms / (2 * typical), 1)
    length = np.sqrt((capped**2).sum(axis=1, keepdims=True))
    expected = np.sqrt(21) * capped / np.where(length > 0, length, 1)
    before = X.copy()
    encoder = InputEncoder().fit(X)
    out = encoder.transform(X)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out.toarray(), expected, atol=1e-6)
    np.testing.assert_allclose(encoder.transform(dense), expected, atol=1e-6)
    np.testing.assert_array_equal(X.data, before.data)
    assert not np.shares_memory(out.indices, X.indices)
    for size in (1e-200, 1e200):
        scaled = InputEncoder().fit(X * size).transform(X * size)
        np.testing.assert_allclose(scaled.toarray(), expected, atol=1e-6)
    empty = InputEncoder().fit(sp.csr_array((3, 2)))
    assert empty.transform(sp.csr_array((3, 2))).nnz == 0


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", [np.int64, np.float64])
def test_unix_seconds_keep_their_digits(dtype):
    seconds = np.arange(1000) + 1_700_000_000
    X = seconds.reshape(-1, 1).astype(dtype)
    out = InputEncoder().fit_transform(X)
    steps = np.diff(out[:, 1:].sum(axis=1))  # all bins together
    np.testing.assert_allclose(steps, 8 / 999, rtol=0.02)
    assert len(np.unique(out[:, 0])) == 1000


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [1e-320, 1e-200, 1e19, 1e200])
@pytest.mark.parametrize("encoding", ["piecewise_linear", "smooth_clip", "row_norm"])
def test_sizes_at_the_ends_of_float64(size, encoding):
    X = np.random.default_rng(0).integers(-50, 50, (100, 3)) * 1.0
    out = InputEncoder(encoding).fit_transform(X * size)
    np.testing.assert_allclose(out, InputEncoder(encoding).fit_transform(X), atol=1e-3)


def test_the_encoder_says_what_is_wrong():
    X = np.array([[0.0], [np.nan]])
    with pytest.raises(ValueError, match="contains NaN"):
        InputEncoder("row_norm").fit(X)
    with pytest.raises(ValueError, match="contains NaN"):
        InputEncoder().fit(sp.csr_array(X))
    with pytest.raises(ValueError, match="contains infinity"):
        InputEncoder().fit([[0.0], [np.inf]])
    with pytest.raises(ValueError, match="too large"):
        InputEncoder().fit([[-1.7e308], [1.7e308]])
    with pytest.raises(ValueError, match=r"'encoding'.*Did you mean 'smooth_clip'"):
        InputEncoder("smoothclip").fit(X)
    with pytest.raises(ValueError, match="'n_bins'"):
        InputEncoder(n_bins=0).fit(X)
    with pytest.raises(ValueError, match="'dtype'"):
        InputEncoder(dtype=np.int32).fit(X)


def test_names_frames_and_pickles():
    X = pd.DataFrame({"age": np.arange(9.0), "sex": [0, 1, 1] * 3})
    encoder = InputEncoder(n_bins=2).set_output(transform="pandas").fit(X)
    out = encoder.transform(X)
    assert out.columns.tolist() == ["age", "sex", "age_bin0", "age_bin1"]
    copied = pickle.loads(pickle.dumps(encoder))
    pd.testing.assert_frame_equal(copied.transform(X), out)
    assert InputEncoder(dtype=np.float64).fit_transform(X).dtype == np.float64


def test_no_copy_of_the_output_is_made():
    X = np.random.default_rng(0).normal(size=(20_000, 40))
    encoder = InputEncoder().fit(X)
    tracemalloc.start()
    out = encoder.transform(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < out.nbytes + 40 * 2**20
