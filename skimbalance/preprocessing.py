"""The input stage of the default net.

Nets train badly on columns of different scale, so the default net standardises its
input with statistics of its training part. Rows are scaled batch by batch: no scaled
copy of the data is ever made.
"""

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skimbalance._validation import check_weights, validate_data

__all__ = [
    "InputScaler",
]

# Rows that are read at once: 64 MiB of doubles for a thousand columns.
_CHUNK_ROWS = 8192
# Squares below this have lost digits, or are 0 already, in float64.
_SMALLEST_SQUARE = 1e-290
# A deviation of so much of the mean is the rounding of the values themselves.
_NOISE = 4 * np.finfo(np.float64).eps


class InputScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
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
