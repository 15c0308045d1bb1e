"""The input stage of the default net.

Nets train badly on columns of different scale, so the default net standardises its
input with statistics of its training part. Rows are scaled batch by batch: no scaled
copy of the data is ever made. Categories of a table become codes before, and the module
embeds these.
"""

from itertools import pairwise
from numbers import Integral
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from scipy.special import ndtr
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.preprocessing import normalize
from sklearn.utils.validation import check_is_fitted

from skimbalance._base import DocLinkMixin
from skimbalance._categories import (
    NO_CATEGORIES,
    as_categories,
    as_list,
    as_rows,
    categorical_mask,
    column_name,
    column_of,
    count_values,
    find_categorical,
    is_missing,
)
from skimbalance._validation import (
    Number,
    Options,
    StrOptions,
    check_array,
    check_parameters,
    check_weights,
    take_rows,
    validate_data,
)

__all__ = [
    "CategoryEncoder",
    "InputEncoder",
    "InputScaler",
]

_PIECEWISE, _CLIPPED, _ROW_NORM = "piecewise_linear", "smooth_clip", "row_norm"
# Rows that are read at once: 64 MiB of doubles for a thousand columns.
_CHUNK_ROWS = 8192
# Entries of the float64 block that `transform` works on: 2 MB, which a core's cache
# holds, so that the five passes over it cost little more than one.
_BLOCK_ENTRIES = 2**18
# Entries of the copies of columns that `fit` sorts: 128 MB in float64.
_SORTED_ENTRIES = 2**24
# The most columns that get 8 bins, so 9 inputs each; more make the first layer the
# dearest part of a step. Of real tables with up to 103 columns all gain (yeast, 103:
# macro AP .516 for .506 with the smooth clip).
_MOST_ENCODED = 112
# A wider table gets bins where its median column is further from the normal
# distribution than this, in the maximum distance of distribution functions. Normal
# columns that enter smoothly, as embeddings do, lose by bins (128 columns, labelled by
# a random net: macro AP .072 for .118); image and audio features gain. The distance is
# .01 for those normal columns, .08 for columns of the t distribution with 3 degrees of
# freedom, .15 for scene (294 columns) and .35 for birds (271). It is Lilliefors' 1 %
# critical value, 1.03 / sqrt(n), for 106 rows, so that small samples of normal columns
# stay below it. To encode only the columns beyond it gains half as much on scene.
_FURTHEST_NORMAL = 0.1
# Bins of a column there, and the most columns, which make 1,500 inputs. Inside the
# training parts of birds and scene, mean macro AP / log-loss skill of three splits:
# smooth clip .584 / .376 and .859 / .604, 4 bins .586 / .381 and (one split) .883 /
# .632, 4 centred bins .590 / .392 and .887 / .645, in 1.4 and 2 times the time of the
# clip. 8 bins are no better (.883 / .634 on scene; on birds, centred, .563 / .360
# against .560 / .362 for 4 on the same split). Up to 112 columns centring loses on
# yeast (.499 for .505, .520 for .528) what it gains on emotions (.772 for .769).
_N_WIDE_BINS = 4
_MOST_WIDE = 300
# Bins of a column, and the smooth clip beside them: chosen by 3-fold cross-validation
# inside the training parts of 10 sets of 6 to 103 columns, up to 1,500 rows, one seed,
# one hidden layer of 256 units. Mean macro AP / log-loss skill: standardised
# .501 / .224, smooth clip .519 / .241, 8 bins .543 / .284, 8 bins beside standardised
# .544 / .300, 8 bins beside smooth clip .550 / .302, 16 bins beside standardised
# .544 / .268, 16 bins beside smooth clip .542 / .250.
_N_BINS = 8
# Where the smooth clip bends: Holzmueller et al. (2024) have 3.
_CLIP = 3.0
# The largest root mean square of stored values, relative to the median column.
_MOST_RMS = 2.0
# Cumulated weights differ from a fraction of their sum by rounding alone up to this.
_TIE = 1e-12
# Squares below this have lost digits, or are 0 already, in float64.
_SMALLEST_SQUARE = 1e-290
# A deviation of so much of the mean is the rounding of the values themselves.
_NOISE = 4 * np.finfo(np.float64).eps


class InputScaler(DocLinkMixin, OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Standardise dense columns; bring sparse rows to a common size.

    A dense column is centred and divided by its standard deviation. A sparse matrix is
    multiplied by one number, so that its entries have a mean square of 1. Centring
    would make it dense, and division by its deviation would make a rare column huge.

    Attributes
    ----------
    center_ : ndarray of shape (n_features,) or None
        What is subtracted; None after fitting on a sparse matrix.

    scale_ : ndarray of shape (n_features,) or float
        What the rest is divided by.

    n_features_in_ : int
        Number of columns seen in `fit`.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, when they are strings.

    See Also
    --------
    sklearn.preprocessing.StandardScaler : The same for dense columns.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.preprocessing import InputScaler
    >>> InputScaler().fit_transform(np.array([[0.0, 5.0], [2.0, 5.0]]))
    array([[-1.,  0.],
           [ 1.,  0.]])
    """

    def fit(self, X, y=None, sample_weight=None):  # noqa: ARG002
        """Learn the centre and the scale.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Read in chunks of rows, never copied as a whole.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        self : InputScaler
            The fitted transformer.

        Raises
        ------
        ValueError
            If `X` is empty, not finite, or too large to be scaled.
        """
        X = validate_data(self, X, accept_sparse="csr")
        sample_weight = check_weights(sample_weight, X.shape[0])
        if sp.issparse(X):
            self.center_, self.scale_ = None, _common_scale(X, sample_weight)
        else:
            self.center_, self.scale_ = _center_and_scale(X, sample_weight)
        if not np.isfinite(self.scale_).all():
            raise ValueError("X has values too large to be scaled in float64.")
        return self

    def transform(self, X):
        """Return the scaled rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows of the kind that was fitted.

        Returns
        -------
        ndarray or csr_array of shape (n_samples, n_features)
            A scaled copy.

        Raises
        ------
        ValueError
            If `X` has another number of columns.
        """
        check_is_fitted(self)
        X = validate_data(
            self,
            X,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            reset=False,
        )
        if sp.issparse(X) and self.center_ is not None:
            X = X.toarray()
        return (X if self.center_ is None else X - self.center_) / self.scale_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _common_scale(X, sample_weight):
    """Return the root of the mean square of all entries of a sparse matrix."""
    if sample_weight is not None:
        X = X[sample_weight > 0]
        sample_weight = sample_weight[sample_weight > 0]
    # Relative to the largest value, no square overflows or vanishes.
    largest = float(abs(X).max()) if X.nnz else 0.0
    if largest == 0:
        return 1.0
    squares = (X.data.astype(np.float64) / largest) ** 2, X.indices, X.indptr
    by_row = sp.csr_array(squares, shape=X.shape).sum(axis=1)
    mean = np.average(by_row, weights=sample_weight) / X.shape[1]
    return largest * float(np.sqrt(mean))


def _center_and_scale(X, sample_weight):
    """Return the mean and the standard deviation of each column in float64.

    A column of one value has the deviation 1. Columns whose squares overflow or vanish
    are read a second time, in units of their largest value.
    """
    first = 0 if sample_weight is None else int(np.argmax(sample_weight > 0))
    origin = X[first].astype(np.float64)
    unit = np.ones_like(origin)
    mean, variance, varies = _moments(X, sample_weight, origin, unit)
    in_range = (variance > _SMALLEST_SQUARE) & (variance < np.inf)
    extreme = np.flatnonzero(varies & ~in_range)
    if len(extreme):
        unit[extreme] = _largest(X, extreme)
        mean, variance, varies = _moments(X, sample_weight, origin, unit)
    center, scale = (origin / unit + mean) * unit, np.sqrt(variance) * unit
    noise = _NOISE * np.abs(center)
    return center, np.where(varies & (scale > noise), scale, 1.0)


def _moments(X, sample_weight, origin, unit):
    """Return mean, variance and whether there are two values, for each column.

    In the distance from `origin`, in which a column of one value is exactly 0. The
    chunks are combined by the formula of Chan, Golub and LeVeque (1979), a sum of
    squares, which no rounding makes negative.
    """
    total, mean, squares = 0.0, np.zeros_like(origin), np.zeros_like(origin)
    varies = np.zeros(len(origin), dtype=bool)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        for rows, weight in _chunks(X, sample_weight):
            apart = rows.astype(np.float64) / unit - origin / unit
            varies |= (apart != 0).any(axis=0)
            mass = weight.sum()
            chunk_mean = weight @ apart / mass
            apart -= chunk_mean
            shift = chunk_mean - mean
            squares += weight @ apart**2 + shift**2 * (total * mass / (total + mass))
            total += mass
            mean += shift * (mass / total)
    return mean, squares / total, varies


def _chunks(X, sample_weight):
    """Yield a few rows at a time, and their weights, without rows of weight 0."""
    for start in range(0, X.shape[0], _CHUNK_ROWS):
        rows = X[start : start + _CHUNK_ROWS]
        if sample_weight is None:
            yield rows, np.ones(len(rows))
            continue
        weight = sample_weight[start : start + _CHUNK_ROWS]
        if (weight > 0).all():
            yield rows, weight
        elif weight.any():
            yield rows[weight > 0], weight[weight > 0]


def _largest(X, columns):
    """Return the largest absolute value of some columns."""
    chunks = (rows[:, columns].astype(np.float64) for rows, _ in _chunks(X, None))
    return np.max([np.abs(rows).max(axis=0) for rows in chunks], axis=0)


# --------------------------------------------------------------------------
# Encoding


class InputEncoder(DocLinkMixin, OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Encode the columns of a table, or of sparse rows, as inputs of a net.

    One rule on the data decides what is done:

    ======================  =======================================================
    ``"piecewise_linear"``  dense, up to 112 columns, or up to 300 that are far from
                            normal: each column scaled, and beside it its
                            piecewise-linear encoding
    ``"smooth_clip"``       other dense tables: each column scaled robustly and clipped
                            smoothly
    ``"row_norm"``          sparse: large columns capped, rows of the same length
    ======================  =======================================================

    Parameters
    ----------
    encoding : {"auto", "piecewise_linear", "smooth_clip", "row_norm"}, default="auto"
        ``"auto"`` follows the rule above. ``"row_norm"`` needs no dense copy of sparse
        rows; the other two make one.

    n_bins : int, default=8
        Most bins of a column in the piecewise-linear encoding. With
        ``encoding="auto"``, at most 4 where there are more than 112 columns.

    dtype : {numpy.float32, numpy.float64}, default=numpy.float32
        The dtype of the output. Columns are scaled in float64 before the conversion.

    categorical_features : array-like of shape (n_features,) or (n_categorical,), \
            default=None
        Mask or indices of columns that hold codes, such as those of `CategoryEncoder`.
        They are not scaled, and come last. All others are numeric columns.

    Attributes
    ----------
    encoding_ : {"piecewise_linear", "smooth_clip", "row_norm"}
        The encoding that the rule chose.

    center_ : ndarray of float64, shape (n_numeric,), or None
        What is subtracted from the numeric columns; None for ``"row_norm"``.

    scale_ : ndarray of float64, shape (n_numeric,)
        What the rest is divided by; infinite for a constant column, which is encoded
        as 0 whatever its value.

    bin_edges_ : list of ndarray of float64
        Edges of the bins of each numeric column, ascending; empty where a column has no
        bins.

    is_categorical_ : ndarray of bool, shape (n_features,)
        Which columns hold codes.

    has_missing_ : ndarray of bool, shape (n_numeric,)
        Which numeric columns had missing values in `fit`.

    n_features_in_ : int
        Number of columns seen in `fit`.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, when they are strings.

    See Also
    --------
    InputScaler : Scales only.
    sklearn.preprocessing.KBinsDiscretizer : Bins without the position inside a bin.

    Notes
    -----
    With edges ``b_0 < ... < b_T`` the piecewise-linear encoding of a value `x` [1]_ is
    ``clip((x - b_(t-1)) / (b_t - b_(t-1)), 0, 1)`` for each bin `t`. The edges are
    quantiles, and several that are equal are one edge. A column of at most
    ``n_bins + 1`` values has all of them as edges, so that a rare code keeps its bin. A
    single bin would repeat the scaled column and is left out, as for two values. Where
    there are more than 112 columns, the mean of each bin over the rows of `fit` is
    subtracted.

    Of 113 to 300 columns, the maximum distance between the distribution function of
    each column and that of the normal distribution with its mean and its standard
    deviation is computed, as in the test of Lilliefors [3]_. They are encoded if the
    median of these distances is more than 0.1. A constant column has the distance 0.

    The smooth clip is ``x / sqrt(1 + (x / 3)**2)`` after the subtraction of the median
    and the division by the interquartile range, or by half the range where that is 0
    [2]_.

    A missing value (NaN) of a dense column is encoded as the median of the column. Each
    column that had one in `fit` gets an indicator, 1 where the value is missing and
    else 0; a column in which values are missing later only gets none, as by
    `sklearn.impute.SimpleImputer`. A column without any value is encoded as 0.

    For sparse rows, the root mean square of the stored values of each column is
    computed. A column in which it is more than twice that of the median column is
    scaled down to this. Then each row is brought to the Euclidean length
    ``sqrt(n_features)``, so that the mean of its squares is 1.

    References
    ----------
    .. [1] Gorishniy, Rubachev, Babenko, "On Embeddings for Numerical Features in
       Tabular Deep Learning", NeurIPS 2022.
    .. [2] Holzmueller, Grinsztajn, Steinwart, "Better by Default: Strong Pre-Tuned MLPs
       and Boosted Trees on Tabular Data", NeurIPS 2024.
    .. [3] Lilliefors, "On the Kolmogorov-Smirnov Test for Normality with Mean and
       Variance Unknown", Journal of the American Statistical Association, 1967.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.preprocessing import InputEncoder
    >>> encoder = InputEncoder(n_bins=2).fit(np.arange(9.0).reshape(-1, 1))
    >>> encoder.bin_edges_
    [array([0., 4., 8.])]
    >>> encoder.transform([[5.0]])[:, 1:]
    array([[1.  , 0.25]], dtype=float32)
    """

    _parameter_constraints = {  # noqa: RUF012
        "encoding": [StrOptions({"auto", _PIECEWISE, _CLIPPED, _ROW_NORM})],
        "n_bins": [Number(Integral, 1, None, closed="left")],
        "dtype": [Options(type, {np.float32, np.float64})],
        "categorical_features": ["array-like", None],
    }

    def __init__(
        self,
        encoding="auto",
        *,
        n_bins=_N_BINS,
        dtype=np.float32,
        categorical_features=None,
    ):
        self.encoding = encoding
        self.n_bins = n_bins
        self.dtype = dtype
        self.categorical_features = categorical_features

    def fit(self, X, y=None, sample_weight=None) -> Self:  # noqa: ARG002
        """Compute centres, scales and bins.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Dense columns are sorted a few at a time, never copied as a whole.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows; a row of weight 0 is left out.

        Returns
        -------
        self : InputEncoder
            The fitted transformer.

        Raises
        ------
        ValueError
            If a parameter is not known, or `X` is empty, infinite, or too large to be
            scaled, or sparse with missing values or with codes.
        """
        check_parameters(self)
        X = self._validate(X, reset=True)
        weight = check_weights(sample_weight, X.shape[0])
        names = getattr(self, "feature_names_in_", [])
        given = self.categorical_features
        self.is_categorical_ = categorical_mask(given, X.shape[1], names)
        if self.is_categorical_.any() and not sp.issparse(X):
            X = X[:, ~self.is_categorical_]
        self.encoding_ = self._choose_encoding(X, weight)
        if self.encoding_ == _ROW_NORM:
            self._check_dense_for_codes(X)
            self.center_, self._bin_mean = None, np.empty(0)
            self.has_missing_ = np.zeros(X.shape[1], dtype=bool)
            self.scale_ = _capped_scale(sp.csr_array(X), weight)
            self.bin_edges_ = [np.empty(0) for _ in self.scale_]
        else:
            X = X.toarray()[:, ~self.is_categorical_] if sp.issparse(X) else X
            self._fit_columns(X, weight)
        self._set_bins()
        return self

    def _validate(self, X, reset):
        """Return checked rows; only those of a dense array may lack values."""
        finite: Any = True if sp.issparse(X) else "allow-nan"
        given = {"accept_sparse": "csr", "ensure_all_finite": finite, "reset": reset}
        return validate_data(self, X, **given)

    def _check_dense_for_codes(self, X):
        """Raise where the norm of a row would mix codes or missing values into it."""
        if self.is_categorical_.any():
            raise ValueError(
                "categorical_features needs dense X, and an encoding other than "
                f"{_ROW_NORM!r}."
            )
        if not sp.issparse(X) and np.isnan(X).any():
            raise ValueError(
                f"encoding={_ROW_NORM!r} takes no missing values, but X contains NaN. "
                "Choose another encoding."
            )

    def _choose_encoding(self, X, weight):
        """Return the encoding for data of this form, width and distribution."""
        if self.encoding != "auto":
            return self.encoding
        if sp.issparse(X):
            return _ROW_NORM
        if X.shape[1] <= _MOST_ENCODED:
            return _PIECEWISE
        if X.shape[1] > _MOST_WIDE:
            return _CLIPPED
        columns = _sorted_columns(X, weight)
        distance = np.median([_distance_from_normal(*column) for column in columns])
        return _PIECEWISE if distance > _FURTHEST_NORMAL else _CLIPPED

    def _fit_columns(self, X, weight):
        """Set the centre, the scale and the bins of dense columns."""
        n_bins = self.n_bins if self.encoding_ == _PIECEWISE else 0
        n_rows = X.shape[0] if weight is None else np.count_nonzero(weight)
        is_wide = X.shape[1] > _MOST_ENCODED
        if is_wide and self.encoding == "auto":
            n_bins = min(n_bins, _N_WIDE_BINS)
        scales, self.bin_edges_, means, n_present = [], [], [np.empty(0)], []
        for column in _sorted_columns(X, weight):
            edges = _bin_edges(*column, n_bins)
            scales.append(_robust_scale(*column))
            self.bin_edges_.append(edges)
            mean = _bin_means(*column, edges) if is_wide else np.zeros_like(edges[1:])
            means.append(mean)
            n_present.append(len(column[0]))
        # A table of codes alone has no numeric column.
        self.center_, self.scale_ = np.reshape(scales, (-1, 2)).T
        self._bin_mean = np.concatenate(means)
        self.has_missing_ = np.array(n_present, dtype=int) < n_rows

    def _set_bins(self):
        """Set the column, the lower edge and the width of each bin, in one array each.

        So `transform` computes the bins of all columns at once.
        """
        n_bins = [max(len(edges) - 1, 0) for edges in self.bin_edges_]
        self._bin_column = np.repeat(np.arange(len(n_bins)), n_bins)
        none = np.empty(0)  # a table of codes alone has no bins
        starts = [edges[:-1] for edges in self.bin_edges_]
        widths = [np.diff(edges) for edges in self.bin_edges_]
        self._bin_start = np.concatenate([none, *starts])
        self._bin_width = np.concatenate([none, *widths])

    @property
    def _n_outputs(self):
        """The number of encoded columns."""
        n_codes = np.count_nonzero(self.is_categorical_)
        n_scaled = len(self.scale_) + len(self._bin_column)
        return n_scaled + np.count_nonzero(self.has_missing_) + n_codes

    def transform(self, X) -> Any:
        """Return the encoded rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to encode.

        Returns
        -------
        ndarray or csr_array of shape (n_samples, n_features_out)
            Of `dtype`: all scaled columns, then the bins of all columns, indicators of
            missing values, and columns of codes. Sparse where `X` is sparse and
            ``encoding_`` is ``"row_norm"``.

        Raises
        ------
        ValueError
            If `X` has another number of columns, or lacks values where the encoding
            takes none.
        """
        check_is_fitted(self)
        X = self._validate(X, reset=False)
        if self.encoding_ == _ROW_NORM:
            self._check_dense_for_codes(X)
            return self._normalized(X)
        n_features = len(self.scale_)
        n_scaled = n_features + len(self._bin_column)
        n_numeric = n_scaled + np.count_nonzero(self.has_missing_)
        out = np.empty((X.shape[0], self._n_outputs), self.dtype)
        step = max(_BLOCK_ENTRIES // max(out.shape[1], 1), 1)
        for start in range(0, len(out), step):
            rows = X[start : start + step]
            rows = rows.toarray() if sp.issparse(rows) else rows
            rows, block = rows.astype(np.float64), out[start : start + step]
            block[:, n_numeric:] = rows[:, self.is_categorical_]
            if n_features < rows.shape[1]:
                rows = rows[:, ~self.is_categorical_]
            missing = np.isnan(rows)
            block[:, n_scaled:n_numeric] = missing[:, self.has_missing_]
            np.copyto(rows, np.asarray(self.center_), where=missing)
            bins = rows[:, self._bin_column]
            bins -= self._bin_start
            bins /= self._bin_width
            np.clip(bins, 0, 1, out=bins)
            bins -= self._bin_mean
            block[:, n_features:n_scaled] = bins
            block[:, :n_features] = _smooth_clip((rows - self.center_) / self.scale_)
        return out

    def _normalized(self, X):
        """Return rows whose mean square is 1, columns capped; rows of zeros stay.

        The weights of a layer of torch start with a variance of 1 / (3 n_features),
        which goes with such rows. Rows of length 1 train for 38 to 107 epochs instead
        of 7 to 15 (medical, enron, corel5k, bibtex), to a macro AP of .294 for .308.
        """
        length = np.sqrt(X.shape[1])
        if not sp.issparse(X):
            X = normalize(X / self.scale_, copy=False)
            X *= length
            return X.astype(self.dtype)
        # In float64: the square of a scaled value overflows in float32 beyond 1e19.
        values = X.data / self.scale_[X.indices]
        X = sp.csr_array((values, X.indices, X.indptr), shape=X.shape)
        normalize(X, copy=False)
        X.data *= length
        return X.astype(self.dtype)

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Return the names of the encoded columns.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns; by default those seen in `fit`, or ``x0``, ``x1``, ...

        Returns
        -------
        names : ndarray of str objects, shape (n_features_out,)
            The names of the numeric columns, then ``x0_bin0``, ``x0_bin1`` and so on,
            ``x0_missing`` and so on, and the names of the columns of codes.
        """
        check_is_fitted(self)
        every: Any = super().get_feature_names_out(input_features)
        names, codes = every[~self.is_categorical_], every[self.is_categorical_]
        bins = [
            f"{name}_bin{k}"
            for name, edges in zip(names, self.bin_edges_, strict=True)
            for k in range(len(edges) - 1)
        ]
        missing = [f"{name}_missing" for name in names[self.has_missing_]]
        return np.array([*names, *bins, *missing, *codes], dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = self.encoding != _ROW_NORM
        tags.transformer_tags.preserves_dtype = []
        return tags


def _sorted_columns(X, weight):
    """Yield the sorted values of each column, and the weight up to each of them.

    Rows of weight 0 are left out, and so are missing values, which sort last. Columns
    of a C-ordered array are slow to read one by one, so a few are copied at a time.
    """
    kept = slice(None)
    if weight is not None:
        kept = np.flatnonzero(weight > 0)
        weight = weight[kept]
    step = max(_SORTED_ENTRIES // X.shape[0], 1)
    for start in range(0, X.shape[1], step):
        block = X[:, start : start + step][kept]
        # Large integers that are one float64 must be one value here, too.
        for values in block.T.astype(np.float64, order="C"):
            if weight is None:
                values.sort()
                mass = np.arange(1.0, len(values) + 1)
            else:
                order = np.argsort(values)
                values, mass = values[order], np.cumsum(weight[order])
            present = slice(int(np.searchsorted(values, np.nan)))
            yield values[present], mass[present]


def _quantiles(values, mass, fractions):
    """Return the weighted quantiles of sorted values.

    They are values of the data, so integer weights equal repeated rows.
    """
    reached = np.searchsorted(mass, np.asarray(fractions) * mass[-1] * (1 - _TIE))
    return values[reached]


def _robust_scale(values, mass):
    """Return the median, and the interquartile range or half the range if that is 0.

    A constant column has the scale inf, so that the net reads 0 there: it cannot learn
    anything about other values of that column.
    """
    if not len(values):  # all are missing
        return 0.0, np.inf
    with np.errstate(over="ignore"):
        width = values[-1] - values[0]
    if not np.isfinite(width):
        raise ValueError("X has values too large to be scaled in float64.")
    low, median, high = _quantiles(values, mass, [0.25, 0.5, 0.75])
    scale = high - low if high > low else width / 2
    return median, scale if scale > 0 else np.inf


def _bin_edges(values, mass, n_bins):
    """Return the edges of at most `n_bins` bins, none instead of a single bin."""
    if not len(values):
        return values
    distinct = _few_distinct(values, n_bins + 1)
    if distinct is not None:
        return distinct if len(distinct) > 2 else np.empty(0)
    # A frequent value is several quantiles and loses bins. To fill them up from the
    # other values gave AP .550 and skill .302 against .550 and .304 on 10 sets.
    edges = np.unique(_quantiles(values, mass, np.linspace(0, 1, n_bins + 1)))
    return edges if len(edges) > 2 else np.empty(0)


def _bin_means(values, mass, edges):
    """Return the weighted mean of each bin's encoding."""
    weight = np.diff(mass, prepend=0)
    means = [
        np.average(np.clip((values - low) / (high - low), 0, 1), weights=weight)
        for low, high in pairwise(edges)
    ]
    return np.array(means, dtype=np.float64)


def _distance_from_normal(values, mass):
    """Return the largest distance of a column's distribution function from a normal's.

    The normal distribution has the column's mean and standard deviation. Both sides of
    each step count, so that integer weights equal repeated rows.
    """
    width = values[-1] - values[0] if len(values) else 0.0
    if not 0 < width < np.inf:
        return 0.0  # a constant, or values that `_robust_scale` refuses
    weight = np.diff(mass, prepend=0)
    unit = (values - values[0]) / width  # whose squares are in the range of float64
    unit -= np.average(unit, weights=weight)
    expected = ndtr(unit / np.sqrt(np.average(unit**2, weights=weight)))
    after = mass / mass[-1] - expected
    return float(max(after.max(), (weight / mass[-1] - after).max()))


def _few_distinct(values, most):
    """Return the distinct values of sorted ones, None if more than `most`."""
    new = values[1:] != values[:-1]
    if np.count_nonzero(new) >= most:
        return None
    return np.append(values[:1], values[1:][new])


def _smooth_clip(scaled):
    """Return scaled values compressed into (-3, 3), nearly unchanged around 0."""
    # Beyond 1e8 the result is 3 in float64; the square would overflow beyond 1e154.
    unit = np.clip(scaled / _CLIP, -1e8, 1e8)
    return _CLIP * unit / np.sqrt(1 + unit * unit)


def _capped_scale(X, weight):
    """Return what to divide sparse columns by, relative to the median column.

    The median column's root mean square of the stored values is 1 after the division,
    so that the squares in row lengths neither overflow nor vanish.
    """
    if weight is not None:
        X, weight = X[weight > 0], weight[weight > 0]
    n_features, columns = X.shape[1], X.indices
    largest = abs(X).max(axis=0).toarray().ravel().astype(np.float64)
    unit = np.where(largest > 0, largest, 1.0)
    squares = X.data / unit[columns]
    mass = (squares != 0).astype(np.float64)
    if weight is not None:
        mass *= np.repeat(weight, np.diff(X.indptr))
    squares *= squares
    squares *= mass
    sums = np.bincount(columns, squares, n_features)
    masses = np.bincount(columns, mass, n_features)
    filled = masses > 0
    if not filled.any():
        return np.ones(n_features)
    rms = unit * np.sqrt(np.divide(sums, masses, out=np.ones(n_features), where=filled))
    typical = np.median(rms[filled])
    return np.where(filled, np.maximum(rms / _MOST_RMS, typical), typical)


# --------------------------------------------------------------------------
# Categories


class CategoryEncoder(
    DocLinkMixin, OneToOneFeatureMixin, TransformerMixin, BaseEstimator
):
    """Turn the categories of a table into codes, and leave its numbers as they are.

    Each categorical column becomes integers: 0 for a category that `fit` has not seen,
    or seen in fewer rows than `min_frequency`; 1, 2, ... for the others in their order;
    and one more for a missing value, if `fit` has seen enough of these, too. The
    default net embeds the codes, and trains what stands for 0 on the rare categories.

    Parameters
    ----------
    categorical_features : {"from_dtype"}, None or array-like of shape \
            (n_features,) or (n_categorical,), default="from_dtype"
        The categorical columns: a mask, indices, or names. ``"from_dtype"`` takes those
        of a data frame that have a categorical dtype, or hold strings that are not all
        numbers; an array has none. None: no column.

    min_frequency : int, default=2
        Number of rows from which a category has a code of its own.

    Attributes
    ----------
    is_categorical_ : ndarray of bool, shape (n_features,)
        Which columns are categorical.

    categories_ : list of ndarray or None
        The categories of each column that have a code of their own, without the missing
        one; None for a numeric column.

    n_codes_ : ndarray of int, shape (n_categorical,)
        Number of codes of each categorical column, with that of unknown categories.

    n_features_in_ : int
        Number of columns seen in `fit`.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, when they are strings.

    See Also
    --------
    InputEncoder : Encodes the numeric columns.
    sklearn.preprocessing.OrdinalEncoder : Codes for all columns.

    Examples
    --------
    >>> import pandas as pd
    >>> from skimbalance.preprocessing import CategoryEncoder
    >>> X = pd.DataFrame({"size": [1.5, 2.0, 3.0, 2.5], "color": list("rgrg")})
    >>> encoder = CategoryEncoder().fit(X)
    >>> encoder.transform(pd.DataFrame({"size": [4.0, 1.0], "color": ["r", "b"]}))
    array([[4., 2.],
           [1., 0.]])
    """

    _parameter_constraints = {  # noqa: RUF012
        "categorical_features": ["array-like", StrOptions({"from_dtype"}), None],
        "min_frequency": [Number(Integral, 1, None, closed="left")],
    }

    def __init__(self, categorical_features: Any = "from_dtype", *, min_frequency=2):
        self.categorical_features = categorical_features
        self.min_frequency = min_frequency

    def fit(self, X, y=None) -> Self:  # noqa: ARG002
        """Find the categorical columns and their categories.

        Parameters
        ----------
        X : {array-like, data frame} of shape (n_samples, n_features)
            Frames of pandas or polars, or an array.
        y : None
            Ignored.

        Returns
        -------
        self : CategoryEncoder
            The fitted transformer.

        Raises
        ------
        ValueError
            If `categorical_features` names no columns of `X`.
        TypeError
            If the values of a categorical column cannot be compared.
        """
        check_parameters(self)
        X = self._validate(X, reset=True)
        n_features = X.shape[1]
        self.is_categorical_ = find_categorical(X, self.categorical_features)
        self.categories_: list[Any] = [None] * n_features
        self._codes_missing = np.zeros(n_features, dtype=bool)
        for k in np.flatnonzero(self.is_categorical_):
            counts = count_values(column_of(X, k), column_name(X, k))
            most = sum(n for value, n in counts.items() if is_missing(value))
            self._codes_missing[k] = most >= self.min_frequency
            kept = [
                value
                for value, n in counts.items()
                if n >= self.min_frequency and not is_missing(value)
            ]
            self.categories_[k] = as_categories(kept)
        # Values that are no numbers are an error here, and not first in `transform`.
        self._numbers(X)
        return self

    @property
    def n_codes_(self) -> np.ndarray:
        """The number of codes of each categorical column."""
        columns = np.flatnonzero(self.is_categorical_)
        n_codes = [1 + len(self.categories_[k]) for k in columns]
        return np.array(n_codes, dtype=int) + self._codes_missing[columns]

    def transform(self, X) -> np.ndarray:
        """Return the table as numbers.

        Parameters
        ----------
        X : {array-like, data frame} of shape (n_samples, n_features)
            Rows with the columns of `fit`.

        Returns
        -------
        ndarray of float, shape (n_samples, n_features)
            The numbers, NaN where one is missing, and the codes, in the order of the
            columns; float32 if the numbers are, else float64.

        Raises
        ------
        ValueError
            If `X` has other columns, or values that are no numbers.
        """
        check_is_fitted(self)
        X = self._validate(X, reset=False)
        numbers = self._numbers(X)
        out = np.empty(X.shape, dtype=numbers.dtype)
        out[:, ~self.is_categorical_] = numbers
        for k in np.flatnonzero(self.is_categorical_):
            out[:, k] = self._codes(column_of(X, k), k, column_name(X, k))
        return out

    def _validate(self, X, reset):
        """Return a table as it is, or as an array, with its names and width checked."""
        if not hasattr(X, "columns"):
            X = as_rows(X) if isinstance(X, list | tuple) else X
            X = check_array(X, dtype=None, ensure_all_finite="allow-nan")
        validate_data(self, X, reset=reset, skip_check_array=True)
        if not X.shape[0]:  # of a data frame, which nothing has checked yet
            raise ValueError(
                f"Found array with 0 sample(s) (shape={X.shape}) while a minimum of 1 "
                "is required."
            )
        return X

    def _numbers(self, X):
        """Return the numeric columns as an array of floats."""
        columns = np.flatnonzero(~self.is_categorical_)
        if not len(columns):
            return np.empty((X.shape[0], 0))
        part = take_rows(X, columns, axis=1)
        numbers = check_array(part, ensure_all_finite="allow-nan", input_name="X")
        # Codes beside narrow integers or float16 would be rounded, or overflow.
        return numbers.astype(np.float32 if numbers.dtype == np.float32 else np.float64)

    def _codes(self, column, k, name):
        """Return the codes of one column."""
        table = {c: code for code, c in enumerate(self.categories_[k].tolist(), 1)}
        values = as_list(column)
        try:
            codes = np.array([table.get(value, 0) for value in values], dtype=int)
        except TypeError as error:  # lists have no hash
            raise TypeError(NO_CATEGORIES.format(name, error)) from error
        if self._codes_missing[k]:
            for row in np.flatnonzero(codes == 0):
                if is_missing(values[row]):
                    codes[row] = len(table) + 1
        return codes

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags
