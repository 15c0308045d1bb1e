"""Rows as points: columns of any kind as numbers, neighbours, and rows between two.

Nominal columns enter distances by the value difference metric (VDM): the distance of
two values is that of the label frequencies among their rows. It is Euclidean in
coordinates of the values, so that scikit-learn's search finds the neighbours.
"""

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.metrics import pairwise_distances_chunked
from sklearn.neighbors import NearestNeighbors

from skimbalance._labels import is_missing
from skimbalance._validation import (
    check_array,
    check_unique_columns,
    closest,
    column_names,
    take_rows,
)

# Up to here all distances, a few rows at a time, take seconds: ties are broken by the
# number of the row, so that dense and sparse rows have the same neighbours. Beyond, a
# tree is faster for dense rows; it breaks ties by its layout.
_MOST_CHUNKED = 20_000
# Megabytes of distances at a time; with scikit-learn's default, 1 GB, it is no faster.
_CHUNK_MB = 64


# --------------------------------------------------------------------------
# Columns


@dataclass(frozen=True)
class Features:
    """The columns of `X`: numbers, and nominal ones as integers.

    Parameters
    ----------
    values : ndarray or csr_array of float, shape (n_samples, n_numeric)
        The numeric columns.
    codes : ndarray of int, shape (n_samples, n_nominal)
        The nominal columns; equal values have equal codes, 0, 1, ...
    numeric, nominal : ndarray of int
        The positions of both in `X`.
    whole : ndarray of bool, shape (n_numeric,)
        Which numeric columns hold integers, so that new values are rounded.
    """

    values: Any
    codes: np.ndarray
    numeric: np.ndarray
    nominal: np.ndarray
    whole: np.ndarray

    @classmethod
    def read(cls, X: Any, categorical_features: Any = None) -> "Features":
        """Read any container.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
        categorical_features : "auto", None or array-like
            Names, positions or a mask of the nominal columns. "auto" takes those of a
            data frame that are no numbers.

        Raises
        ------
        ValueError
            If a value is missing, or a column is neither numeric nor nominal.
        """
        if hasattr(X, "columns"):
            check_unique_columns(X, "X")
        if isinstance(X, list):
            X = np.asarray(X)
        n_features = X.shape[1]
        nominal = _nominal_columns(X, categorical_features)
        numeric = np.setdiff1d(np.arange(n_features), nominal)
        if not len(nominal):
            values = _numbers(X)
        elif not len(numeric):
            values = np.empty((X.shape[0], 0))
        else:
            values = _numbers(take_rows(X, numeric, axis=1))
        codes = [_codes(X, column) for column in nominal]
        shape = X.shape[0], len(nominal)
        whole = np.array([_holds_integers(X, column) for column in numeric], dtype=bool)
        codes = np.column_stack(codes) if codes else np.empty(shape, dtype=np.intp)
        return cls(values, codes, numeric, nominal, whole)

    def between(self, seeds, partners, rng) -> Any:
        """Return the numeric columns of random rows between seeds and partners."""
        rows = interpolate(self.values[seeds], self.values[partners], rng)
        if not self.whole.any():
            return rows
        # A whole number between two others stays there when it is rounded.
        if sp.issparse(rows):
            return rows.rint()
        rows[:, self.whole] = np.rint(rows[:, self.whole])
        return rows

    def no_rows(self) -> "NewRows":
        """Return an empty result."""
        none = np.empty(0, dtype=np.intp)
        return NewRows(none, self.values[none], np.empty((0, len(self.nominal)), int))

    def points(self, labels: Any) -> Any:
        """Return the rows as points whose Euclidean distances are those of the papers.

        Parameters
        ----------
        labels : csr_array of shape (n_samples, n_labels)
            Indicator of the labels on which the distance of nominal values rests; the
            mean over the labels.
        """
        if not len(self.nominal):
            return self.values
        return np.hstack([self.values, *self.coordinates(labels)])

    def coordinates(self, labels: Any) -> list[np.ndarray]:
        """Return the coordinates of the values of each nominal column."""
        return [_coordinates(column, labels) for column in self.codes.T]


def _numbers(X):
    """Return numeric columns as floats; a frame of sparse columns is made dense."""
    if hasattr(X, "columns"):
        _check_dtypes(X)
    values: Any = check_array(
        X,
        accept_sparse="csr",
        dtype=[np.float64, np.float32],
        ensure_all_finite="allow-nan",
        input_name="X",
    )
    if np.isnan(values.data if sp.issparse(values) else values).any():
        raise ValueError(
            "X has missing values (NaN), and rows with them have no nearest "
            "neighbours. Fill them before, by sklearn.impute.SimpleImputer in an "
            "imblearn.pipeline.Pipeline for example, or use a sampler that copies rows."
        )
    if not sp.issparse(values):
        return values
    if hasattr(X, "columns"):
        return values.toarray()
    values = sp.csr_array(values)
    if not values.has_canonical_format:
        values = values.copy()
        values.sum_duplicates()
    return values


def _check_dtypes(X):
    """Raise a ValueError if a column that is to be numeric holds other values."""
    dtypes = {name: _dtype(X, place) for place, name in enumerate(X.columns)}
    # Bools of pandas and polars, which a user may count among the numbers.
    odd = [
        name
        for name, dtype in dtypes.items()
        if not _is_number(dtype) and "bool" not in str(dtype).lower()
    ]
    if odd:
        raise ValueError(
            f"X has the columns {odd[:5]}, which are no numbers: name them in "
            'categorical_features, leave it "auto", or encode them.'
        )


def _nominal_columns(X, categorical_features):
    """Return the positions of the nominal columns."""
    n_features = X.shape[1]
    if categorical_features is None:
        return np.empty(0, dtype=np.intp)
    if isinstance(categorical_features, str):
        if categorical_features != "auto":
            raise ValueError(
                f'categorical_features={categorical_features!r} must be "auto", None, '
                "or an array of names, positions or bools."
            )
        if not hasattr(X, "columns"):
            return np.empty(0, dtype=np.intp)
        is_nominal = [not _is_number(_dtype(X, place)) for place in range(n_features)]
        return np.flatnonzero(is_nominal)
    chosen = np.asarray(categorical_features)
    if len(chosen) and sp.issparse(X):
        raise ValueError(
            "categorical_features goes with dense X: pass X.toarray() or a data frame, "
            "or encode the nominal columns by OneHotEncoder and leave it None."
        )
    return np.unique([_position(X, name, n_features) for name in _listed(chosen)])


def _listed(chosen):
    """Return the entries of a list of columns, or the positions in a mask."""
    return np.flatnonzero(chosen) if chosen.dtype == bool else chosen.tolist()


def _position(X, column, n_features):
    """Return the position of a column that is named or numbered."""
    if isinstance(column, Integral) and 0 <= int(column) < n_features:
        return int(column)
    names = column_names(X)
    names = [] if names is None else names.tolist()
    if column not in names:
        raise ValueError(
            f"categorical_features has {column!r}, which is no column of X."
            f"{closest(column, names)}"
        )
    return names.index(column)


def _dtype(X, column) -> Any:
    """Return the dtype of a column, of the stored values where they are sparse."""
    values: Any = take_rows(X, column, axis=1) if hasattr(X, "columns") else X
    dtype = values.dtype
    return getattr(dtype, "subtype", dtype)


def _is_number(dtype):
    """Whether a dtype is one of numbers; a bool is a nominal value."""
    return dtype.is_numeric() if hasattr(dtype, "is_numeric") else dtype.kind in "iuf"


def _holds_integers(X, column):
    """Whether a numeric column holds integers, or an array bools."""
    dtype = _dtype(X, column)
    return dtype.is_integer() if hasattr(dtype, "is_integer") else dtype.kind in "biu"


def _codes(X, column):
    """Return a nominal column as integers, in the order of the first appearance."""
    values = np.asarray(take_rows(X, column, axis=1), dtype=object).ravel()
    numbers: dict[Any, int] = {}
    codes = [numbers.setdefault(value, len(numbers)) for value in values.tolist()]
    if any(is_missing(value) for value in numbers):
        raise ValueError(
            f"X has a missing value in the nominal column {column}: give the missing "
            "values a category of their own, by fillna('missing')."
        )
    return np.array(codes, dtype=np.intp)


def _coordinates(codes, labels):
    """Return coordinates of nominal values whose distances are those of the VDM.

    The squared distance is the mean over the labels of the sum over both classes of
    the squared difference of their frequencies; both classes differ by the same.
    """
    n_values, n_labels = codes.max(initial=-1) + 1, labels.shape[1]
    ones = np.ones(len(codes))
    of_value = sp.csr_array((ones, (codes, np.arange(len(codes)))))
    rates = (of_value @ labels).toarray() / np.bincount(codes, minlength=n_values)[
        :, None
    ]
    # Rotated, they need at most one coordinate a value, however many the labels are.
    left, scale, _ = np.linalg.svd(rates * np.sqrt(2 / n_labels), full_matrices=False)
    return (left * scale)[codes]


# --------------------------------------------------------------------------
# Neighbours


def nearest_rows(
    points: Any,
    n_neighbors: int,
    n_jobs: int | None = None,
    name: str = "n_neighbors",
) -> np.ndarray:
    """Return the nearest other rows of each row, the nearest first.

    Parameters
    ----------
    points : ndarray or csr_array of shape (n_samples, n_coordinates)
    n_neighbors : int
        Less than the number of rows.
    n_jobs : int or None
        As in `sklearn.neighbors.NearestNeighbors`.
    name : str
        How the error message calls `n_neighbors`.

    Returns
    -------
    rows : ndarray of int, shape (n_samples, n_neighbors)

    Raises
    ------
    ValueError
        If there are too few rows.
    """
    if n_neighbors >= points.shape[0]:
        raise ValueError(
            f"{name}={n_neighbors} needs at least {n_neighbors + 1} rows, but X has "
            f"{points.shape[0]}: lower {name}."
        )
    if points.shape[0] > _MOST_CHUNKED and not sp.issparse(points):
        search = NearestNeighbors(n_neighbors=n_neighbors, n_jobs=n_jobs).fit(points)
        distances, rows = search.kneighbors()
        order = np.lexsort((rows, distances))
        return np.take_along_axis(rows, order, axis=1)

    def nearest(distances, start):
        return _nearest_of_chunk(distances, start, n_neighbors)

    chunks = pairwise_distances_chunked(
        points, reduce_func=nearest, n_jobs=n_jobs, working_memory=_CHUNK_MB
    )
    return np.concatenate(list(chunks))


def _nearest_of_chunk(distances, start, n_neighbors):
    """Return the nearest rows of a chunk; of equal distances the first rows."""
    rows = np.arange(len(distances))
    distances[rows, start + rows] = np.inf
    last = np.partition(distances, n_neighbors - 1)[:, n_neighbors - 1 : n_neighbors]
    chosen = distances <= last
    surplus = chosen.sum(axis=1) - n_neighbors
    for row in np.flatnonzero(surplus):
        ties = np.flatnonzero(distances[row] == last[row])
        chosen[row, ties[-surplus[row] :]] = False
    found = np.nonzero(chosen)[1].reshape(-1, n_neighbors)
    order = np.argsort(np.take_along_axis(distances, found, axis=1), kind="stable")
    return np.take_along_axis(found, order, axis=1)


def most_frequent(codes: np.ndarray, neighbors: np.ndarray) -> np.ndarray:
    """Return a neighbour that has the most frequent value of each nominal column.

    Parameters
    ----------
    codes : ndarray of int, shape (n_samples, n_nominal)
    neighbors : ndarray of int, shape (n_rows, n_neighbors)
        The nearest first: of values that are equally frequent, theirs is taken.

    Returns
    -------
    rows : ndarray of int, shape (n_rows, n_nominal)
    """
    values = codes[neighbors]
    n_equal = (values[:, :, None] == values[:, None, :]).sum(axis=2)
    first = n_equal.argmax(axis=1)
    return np.take_along_axis(neighbors, first, axis=1)


# --------------------------------------------------------------------------
# Rows between two others


def interpolate(first: Any, second: Any, rng: np.random.RandomState) -> Any:
    """Return rows between two others, by a random fraction for each column.

    Only where both differ is a number drawn, in the order of the rows, so that dense
    and sparse rows give the same result.

    Parameters
    ----------
    first, second : ndarray or csr_array of shape (n_rows, n_columns)
    rng : RandomState

    Returns
    -------
    ndarray or csr_array of float64, shape (n_rows, n_columns)
    """
    first, second = first.astype(np.float64), second.astype(np.float64)
    step = second - first
    if sp.issparse(step):
        step = sp.csr_array(step)
        step.eliminate_zeros()
        step.sort_indices()
        step.data *= rng.random_sample(step.nnz)
        low, high = first.minimum(second), first.maximum(second)
        # Rounding may lead beyond the second row, by a unit in the last place.
        return sp.csr_array((first + step).maximum(low).minimum(high))
    moves = step != 0
    step[moves] *= rng.random_sample(np.count_nonzero(moves))
    return np.clip(first + step, np.minimum(first, second), np.maximum(first, second))


@dataclass(frozen=True)
class NewRows:
    """Synthetic rows.

    Parameters
    ----------
    seeds : ndarray of int, shape (n_new,)
        The row of the input that each is made of.
    values : ndarray or csr_array of float64, shape (n_new, n_numeric)
        The numeric columns.
    nominal_sources : ndarray of int, shape (n_new, n_nominal)
        The row of the input whose value each nominal column has.
    """

    seeds: np.ndarray
    values: Any
    nominal_sources: np.ndarray


def squared_norms(rows: Any) -> np.ndarray:
    """Return the squared Euclidean length of each row."""
    squares = rows.multiply(rows) if sp.issparse(rows) else rows * rows
    return np.asarray(squares.sum(axis=1), dtype=np.float64).ravel()
