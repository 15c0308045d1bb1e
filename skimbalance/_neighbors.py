"""Rows as points: columns of any kind as numbers, neighbours, and rows between two.

Nominal columns enter distances by the value difference metric (VDM): the distance of
two values is that of the label frequencies among their rows. It is Euclidean in
coordinates of the values, so that scikit-learn's search finds the neighbours.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.metrics import pairwise_distances_chunked
from sklearn.neighbors import NearestNeighbors

from skimbalance._categories import as_rows, categorical_mask, column_of
from skimbalance._labels import is_missing
from skimbalance._validation import (
    check_array,
    check_unique_columns,
    column_names,
    take_rows,
)

# Up to here ties are broken by the number of the row, so that dense and sparse rows
# have the same neighbours: all distances, a few rows at a time, take seconds. Beyond,
# dense rows have those that scikit-learn's search finds.
_MOST_CHUNKED = 20_000
# Megabytes of distances at a time; with scikit-learn's default, 1 GB, it is no faster.
_CHUNK_MB = 64
# Up to here scikit-learn's "auto" takes a tree, which computes differences.
_MOST_DIRECT_COLUMNS = 15
# Coordinates of pairs that are held at once: 16 MiB of doubles.
_PAIR_ENTRIES = 2**21
# How many more rows than asked for a search returns, to tell ties: few, since each
# costs a distance, and continuous columns need one.
_MORE = 4
# Relative error that is accepted where ties are broken by chance, too.
_ACCURATE = 1e-9


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
            X = as_rows(X)
        elif not sp.issparse(X) and not hasattr(X, "columns"):
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
    return sp.csr_array(values)


def _check_dtypes(X):
    """Raise a ValueError if a column that is to be numeric holds other values."""
    dtypes = {name: _dtype(X, place) for place, name in enumerate(X.columns)}
    # A user may count bools among the numbers.
    odd = [
        name
        for name, dtype in dtypes.items()
        if not (_is_number(dtype) or _is_bool(dtype))
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
    names = column_names(X)
    names = [] if names is None else names
    mask = categorical_mask(categorical_features, n_features, names)
    if mask.any() and sp.issparse(X):
        raise ValueError(
            "categorical_features goes with dense X: pass X.toarray() or a data frame, "
            "or encode the nominal columns by OneHotEncoder and leave it None."
        )
    return np.flatnonzero(mask)


def _dtype(X, column) -> Any:
    """Return the dtype of a column, of the stored values where they are sparse."""
    values: Any = column_of(X, column) if hasattr(X, "columns") else X
    dtype = values.dtype
    return getattr(dtype, "subtype", dtype)


def _is_number(dtype):
    """Whether a dtype is one of numbers; a bool is a nominal value."""
    return dtype.is_numeric() if hasattr(dtype, "is_numeric") else dtype.kind in "iuf"


def _is_bool(dtype):
    """Whether a dtype of pandas or polars is one of bools."""
    return "bool" in str(dtype).lower()


def _holds_integers(X, column):
    """Whether a numeric column holds integers, or bools that count as numbers."""
    dtype = _dtype(X, column)
    if getattr(dtype, "kind", None) == "O":  # numbers beside strings
        dtype = np.asarray(X[:, column].tolist()).dtype
    is_integer = getattr(dtype, "is_integer", None)  # of polars
    if is_integer is None:
        return dtype.kind in "biu"
    return is_integer() or _is_bool(dtype)


def _codes(X, column):
    """Return a nominal column as integers, in the order of the first appearance."""
    values = np.asarray(column_of(X, column), dtype=object).ravel()
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

    Neither an offset of a column nor a scale of all changes them: distances that decide
    are sums of squared differences in float64, scaled by a power of two.

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
    n_samples = points.shape[0]
    if n_neighbors >= n_samples:
        raise ValueError(
            f"{name}={n_neighbors} needs at least {n_neighbors + 1} rows, but X has "
            f"{n_samples}: lower {name}."
        )
    space = _Space.of(points)
    found, left = np.empty((n_samples, n_neighbors), dtype=np.intp), slice(None)
    if not sp.issparse(points):
        found, left = _search(space, n_neighbors, n_jobs)
    queries = np.arange(n_samples)[left]
    if not len(queries):
        return found

    def nearest(distances, start):
        rows = queries[start : start + len(distances)]
        return _nearest_of_chunk(space, distances, rows, n_neighbors)

    # Twice the same object lets scikit-learn compute the squared norms once.
    whole = len(queries) == n_samples
    metric: Any = {"metric": "sqeuclidean"} if space.is_direct else {"squared": True}
    chunks = pairwise_distances_chunked(
        space.centred if whole else space.centred[queries],
        space.centred,
        reduce_func=nearest,
        n_jobs=n_jobs,
        working_memory=_CHUNK_MB,
        **metric,
    )
    found[left] = np.concatenate(list(chunks))
    return found


@dataclass(frozen=True)
class _Space:
    """Rows, and how far fast distances between them are from the exact ones.

    The fast ones choose candidates; `distances` of these decide.

    Parameters
    ----------
    points : ndarray or csr_array of shape (n_samples, n_coordinates)
        The rows as they were given.
    exponent : int
        All distances are those of half the rows over ``2 ** exponent``.
    centred : ndarray or csr_array of float64
        Half the rows, less a value of each column, over ``2 ** exponent``: below 1. A
        CSR array is only centred in columns that store all entries.
    squared_norms : ndarray of float64, shape (n_samples,)
        Of the centred rows.
    is_direct : bool
        Whether fast distances are computed from differences, and not from products.
    is_exact : bool
        Whether the coordinates have so few bits that no fast distance is rounded.
    """

    points: Any
    exponent: int
    centred: Any
    squared_norms: np.ndarray
    is_direct: bool
    is_exact: bool

    @classmethod
    def of(cls, points: Any) -> "_Space":
        """Centre and scale rows."""
        n_columns = points.shape[1]
        centred = _less_centres(points)
        values: Any = centred.data if sp.issparse(centred) else centred
        largest = max(values.max(initial=0.0), -values.min(initial=0.0))
        exponent = int(np.frexp(largest)[1])
        np.ldexp(values, -exponent, out=values)
        # Of multiples of 2 ** -bits below 1, the 4 * n_columns products of a squared
        # distance have a sum of at most 53 bits, those of a float64.
        bits = (51 - n_columns.bit_length()) // 2
        return cls(
            points,
            exponent,
            centred,
            _squared_norms(centred),
            not sp.issparse(points) and n_columns <= _MOST_DIRECT_COLUMNS,
            _are_multiples(points, exponent + 1 - bits),
        )

    def rounding(self, rows: Any, squared: np.ndarray) -> Any:
        """Return a bound on the error of fast squared distances of rows to others.

        Of those up to some squared distances. A row at a squared distance D from one
        of squared norm N has a squared norm of at most 2 * (N + D).
        """
        if self.is_exact:
            return 0.0
        eps, norms = np.finfo(np.float64).eps, self.squared_norms[rows]
        size = self.centred.shape[1] + 8
        if self.is_direct:  # centring rounds each coordinate
            # The last term is that of rows which centring makes equal.
            return eps * (
                size * squared + 4 * np.sqrt(norms * squared) + 4 * eps * norms
            )
        # Of a sum of n products at most n * eps times the sum of their magnitudes.
        return 2 * size * eps * (3 * norms + 2 * squared)

    def distances(self, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Return the squared distances of pairs of rows, from their differences.

        Squares are added in the order of the columns, so that dense and sparse rows
        have the same sums, and equal distances are equal.
        """
        step = max(1, _PAIR_ENTRIES // self._entries_in_row())
        parts = [
            self._distances(rows[low : low + step], others[low : low + step])
            for low in range(0, len(rows), step)
        ]
        return np.concatenate([np.empty(0), *parts])

    def _entries_in_row(self):
        """Return the mean number of stored entries of a row, at least 1."""
        n_samples, n_columns = self.points.shape
        if sp.issparse(self.points):
            n_columns = self.points.nnz // n_samples
        return max(1, n_columns)

    def _distances(self, rows, others):
        """Return the squared distances of so few pairs that memory holds them."""
        # Halves, since the difference of two finite numbers may be infinite.
        first, second = (
            self.points[chosen].astype(np.float64) * 0.5 for chosen in (rows, others)
        )
        difference = first - second
        values: Any = difference.data if sp.issparse(difference) else difference
        np.ldexp(values, -self.exponent, out=values)
        values *= values
        if sp.issparse(difference):
            # A product adds in order; a sum of NumPy or SciPy adds in pairs.
            return difference @ np.ones(difference.shape[1])
        return values.cumsum(axis=1)[:, -1] if values.size else np.zeros(len(rows))


def _less_centres(points):
    """Return half of rows less a median of each column, as float64.

    Distances from products lose the digits that all rows share. Half of them, since
    the difference of two finite numbers may be infinite.
    """
    half = points.astype(np.float64) * 0.5
    middle = points.shape[0] // 2
    if not sp.issparse(points):
        # An entry, so that a column of whole numbers remains one.
        half -= np.partition(half, middle, axis=0)[middle]
        return half
    centres = np.zeros(points.shape[1])
    n_stored = np.bincount(half.indices, minlength=len(centres))
    full = np.flatnonzero(n_stored == points.shape[0])
    if len(full):  # all others keep their zeros, which stay sparse
        centres[full] = np.partition(half[:, full].toarray(), middle, axis=0)[middle]
        half.data -= centres[half.indices]
    return half


def _are_multiples(points, exponent):
    """Return whether all values are multiples of ``2 ** exponent`` of up to 53 bits."""
    values = points.data if sp.issparse(points) else points
    step = max(1, _PAIR_ENTRIES // max(1, values.size // max(1, len(values))))
    for low in range(0, len(values), step):
        with np.errstate(over="ignore"):  # infinite is above 53 bits
            multiples = np.ldexp(values[low : low + step].astype(float), -exponent)
        if not (
            (np.abs(multiples) <= 2.0**53) & (multiples == np.rint(multiples))
        ).all():
            return False
    return True


def _squared_norms(rows):
    """Return the squared Euclidean length of each row."""
    if sp.issparse(rows):
        return rows.multiply(rows).sum(axis=1)
    return np.einsum("ij,ij->i", rows, rows)


def _search(space, n_neighbors, n_jobs):
    """Return the nearest rows of dense points, and where more have to be compared.

    scikit-learn's search is faster than all distances, but of equal ones it returns
    any. It returns a few more rows than asked for: where the last of these are clearly
    beyond the neighbours, none is lacking.
    """
    n_samples = len(space.centred)
    n_found = min(n_neighbors + _MORE, n_samples - 1)
    algorithm = "kd_tree" if space.is_direct else "brute"
    search = NearestNeighbors(n_neighbors=n_found, algorithm=algorithm, n_jobs=n_jobs)
    fast, rows = search.fit(space.centred).kneighbors()
    queries = np.repeat(np.arange(n_samples), n_found)
    exact = space.distances(queries, rows.ravel()).reshape(rows.shape)
    order = np.lexsort((rows, exact))[:, :n_neighbors]
    found = np.take_along_axis(rows, order, axis=1)
    last = np.take_along_axis(exact, order[:, -1:], axis=1)[:, 0]
    slack = space.rounding(slice(None), last)
    # Rows that are not found are not nearer than the last that is, whose distance is
    # the rounded square root of its square.
    fast_last = fast[:, -1] ** 2 * (1 - 4 * np.finfo(np.float64).eps)
    is_complete = (fast_last > last + 3 * slack) | (n_found == n_samples - 1)
    if n_samples > _MOST_CHUNKED:  # of equal distances, any
        is_complete |= (last == 0) | (slack <= _ACCURATE * last)
    return found, ~is_complete


def _nearest_of_chunk(space, distances, queries, n_neighbors):
    """Return the nearest rows of a chunk; of equal distances the first rows.

    Candidates are all rows that may be among them in spite of the rounding of the
    distances, which the exact ones decide.
    """
    rows = np.arange(len(distances))
    distances[rows, queries] = np.inf
    last = np.partition(distances, n_neighbors - 1)[:, n_neighbors - 1]
    bound = last + 3 * space.rounding(queries, last)
    chosen = distances <= bound[:, None]
    if space.is_exact:
        _keep_first_ties(chosen, distances, last, n_neighbors)
    row, found = np.nonzero(chosen)
    exact = (
        distances[row, found]
        if space.is_exact
        else space.distances(queries[row], found)
    )
    order = np.lexsort((found, exact, row))
    start = np.searchsorted(row, rows)
    return found[order[start[:, None] + np.arange(n_neighbors)]]


def _keep_first_ties(chosen, distances, last, n_neighbors):
    """Drop the later of the candidates at the last distance from a mask."""
    surplus = chosen.sum(axis=1) - n_neighbors
    for row in np.flatnonzero(surplus):
        ties = np.flatnonzero(distances[row] == last[row])
        chosen[row, ties[-surplus[row] :]] = False


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


def row_lengths(rows: Any) -> np.ndarray:
    """Return the Euclidean length of each row; no square is infinite, or lost as 0."""
    if not sp.issparse(rows):
        exponent = np.frexp(np.abs(rows).max(axis=1, initial=0.0))[1]
        scaled = np.ldexp(rows, -exponent[:, None])
    else:
        scaled = sp.csr_array(rows, copy=True)
        exponent = np.frexp(abs(scaled).max(axis=1).toarray().ravel())[1]
        per_entry = np.repeat(exponent, np.diff(scaled.indptr))
        scaled.data = np.ldexp(scaled.data, -per_entry)
    return np.ldexp(np.sqrt(_squared_norms(scaled)), exponent)
