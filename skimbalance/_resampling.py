"""The base of the multilabel resamplers, and what several of them compute.

Every row of a resampled set has a source, a row of the input. `RowSampler` returns
copies of rows, whose labels may be fewer; `SyntheticSampler` appends rows between two
others. Labels are a CSR indicator inside, whatever container they come in.
"""

from abc import abstractmethod
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from imblearn.base import BaseSampler
from sklearn.utils import check_random_state

from skimbalance._base import DocLinkMixin, warn_user
from skimbalance._categories import as_rows, column_of
from skimbalance._columns import ratio
from skimbalance._labels import check_label_matrix, has_missing
from skimbalance._neighbors import Features, NewRows
from skimbalance._validation import (
    Number,
    check_parameters,
    check_same_length,
    check_weights,
    column_names,
    is_pyarrow,
    n_dimensions,
    take_rows,
    validate_data,
)
from skimbalance.exceptions import ResamplingWarning
from skimbalance.metrics._imbalance import imbalance_ratios, positive_entries

# Constraints of parameters that several samplers share.
N_NEIGHBORS = [Number(Integral, 1, None, closed="left")]
N_JOBS = [Number(Integral, None, None, closed="neither"), None]
CATEGORICAL = ["array-like", str, None]
# Ratios and scores that are equal to their mean differ from it by rounding.
ROUNDING = 1e-12


# --------------------------------------------------------------------------
# Base classes


class BaseMultilabelSampler(DocLinkMixin, BaseSampler):
    """Base of the resamplers of label matrices.

    imbalanced-learn's own checks read a label matrix with at most one label a row as
    classes, and refuse all others: `_check_X_y` takes their place, and
    `sampling_strategy`, which counts classes there, is a fraction of the rows here.
    """

    _parameter_constraints: ClassVar[dict] = {}
    # What imbalanced-learn has for a target of classes, for the error message.
    _for_classes: ClassVar[str]

    def fit(self, X, y):
        """Check the parameters and the data, as `fit_resample` does.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Input rows.
        y : {array-like, sparse matrix, data frame} of shape (n_samples, n_labels)
            Labels.

        Returns
        -------
        self : object
            The sampler.
        """
        check_parameters(self)
        self._check_X_y(X, y)
        return self

    def _check_X_y(self, X, y) -> Any:  # noqa: N802
        """Return the labels as a CSR indicator; note the columns of `X`."""
        for name, value in (("X", X), ("y", y)):
            if value is None:
                raise ValueError(
                    f"{type(self).__name__} requires {name} to be passed, but {name} "
                    "is None."
                )
            if is_pyarrow(value):
                raise TypeError(
                    f"{name} is a pyarrow {type(value).__name__}, which has no rows to "
                    f"take: pass {name}.to_pandas() or polars.from_arrow({name})."
                )
        check_same_length(X=X, y=y)
        if n_dimensions(y) == 1 or np.shape(y)[1] == 1:
            raise ValueError(
                f"{type(self).__name__} resamples label matrices of several columns, "
                f"but y has the shape {np.shape(y)}. For a single label or for classes "
                f"use {self._for_classes}."
            )
        labels = check_label_matrix(y)
        if has_missing(labels):
            raise ValueError(
                f"{type(self).__name__} needs all labels of a row, but y has missing "
                "labels. Drop these rows, by y[~np.isnan(y).any(axis=1)], or weight "
                "the labels instead: the losses and pos_weight read missing labels."
            )
        self._check_features(X)
        # The products of the resamplers count rows, which int8 would overflow.
        return positive_entries(labels).astype(np.int32)

    def _check_features(self, X):
        """Note the number and the names of the columns; read no value."""
        if self._reads_values() and n_dimensions(X) != 2:
            raise ValueError(
                f"Expected 2D array, got {n_dimensions(X)}D array instead: X has the "
                f"shape {np.shape(X)}. Reshape your data, a single column by "
                "X.reshape(-1, 1)."
            )
        validate_data(self, X, skip_check_array=True)

    def _reads_values(self):
        """Return whether there are neighbours, on which the values of X act."""
        return "n_jobs" in self.get_params()

    def _random(self):
        return check_random_state(getattr(self, "random_state", None))

    def _warn(self, message, /):
        """Warn; a net collects the messages of the samplers of its members instead."""
        warn_user(message, ResamplingWarning)

    def _warn_unchanged(self, why):
        """Warn that there is nothing to resample."""
        self._warn(f"{type(self).__name__} returns the input unchanged: {why}.")

    def _warn_unreached(self, n_done, n_asked, n_samples, why):
        """Warn if fewer rows than asked were changed; the papers stop early, too."""
        if n_asked == 0:
            self._warn_unchanged(
                f"sampling_strategy={self.sampling_strategy} of {n_samples} rows is "
                "less than one row"
            )
        elif n_done == 0:
            self._warn_unchanged(why)
        elif n_done < n_asked:
            self._warn(
                f"{type(self).__name__} changes {n_done} rows instead of {n_asked}: "
                f"{why}. sampling_strategy={self.sampling_strategy} cannot be reached "
                f"here; pass at most {np.floor(1e6 * n_done / n_samples) / 1e6:g}."
            )

    def __sklearn_tags__(self):
        tags: Any = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = False
        tags.sampler_tags.sample_indices = True
        tags.input_tags.string = tags.input_tags.allow_nan = not self._reads_values()
        return tags


class RowSampler(BaseMultilabelSampler):
    """Base of the samplers that remove rows, or add copies of rows."""

    def fit_resample(self, X, y, sample_weight=None):
        """Resample rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Input rows.
        y : {array-like, sparse matrix, data frame} of shape (n_samples, n_labels)
            Labels, 0 and 1, none missing.
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
                default=None
            Weights of rows or entries, of which each new row has those of its source.
            They have no influence on the rows that are chosen.

        Returns
        -------
        X_resampled : container of the type of `X`
            A data frame keeps its columns and dtypes, and has a new index.
        y_resampled : container of the type of `y`
            The labels of the rows.
        sample_weight_resampled : container of the type of `sample_weight`
            Only if weights were passed, so never in a pipeline.
        """
        check_parameters(self)
        labels = self._check_X_y(X, y)
        check_weights(sample_weight, *labels.shape, label_names=column_names(y))
        rows, labels = self._fit_resample(X, labels)
        self.sample_indices_ = rows
        resampled = _take(X, rows), _labels_like(labels, y)
        if sample_weight is None:
            return resampled
        return (*resampled, _take(sample_weight, rows))

    @abstractmethod
    def _fit_resample(self, X: Any, y: Any) -> Any:
        """Return the source of each row of the result, and its labels."""


class SyntheticSampler(BaseMultilabelSampler):
    """Base of the samplers that append rows which lie between two others."""

    categorical_features: Any

    def fit_resample(self, X, y):
        """Append synthetic rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Input rows, none of whose values is missing.
        y : {array-like, sparse matrix, data frame} of shape (n_samples, n_labels)
            Labels, 0 and 1, none missing.

        Returns
        -------
        X_resampled : container of the type of `X`
            The rows of `X`, then the new ones. A data frame keeps its columns and
            dtypes, and has a new index; values of integer columns are rounded.
        y_resampled : container of the type of `y`
            Their labels.
        """
        check_parameters(self)
        labels = self._check_X_y(X, y)
        features = Features.read(X, self.categorical_features)
        new, new_labels = self._fit_resample(features, labels)
        stacked = sp.vstack([labels, new_labels], format="csr")
        return _append(X, features, new), _labels_like(stacked, y)

    @abstractmethod
    def _fit_resample(self, X: Any, y: Any) -> Any:
        """Return the `NewRows`, and a CSR indicator of their labels."""

    def __sklearn_tags__(self):
        tags: Any = super().__sklearn_tags__()
        tags.sampler_tags.sample_indices = False
        return tags


# --------------------------------------------------------------------------
# Containers


def _take(container: Any, rows: np.ndarray) -> Any:
    """Return rows of any container, without the index of a data frame."""
    if sp.issparse(container):
        return container.tocsr()[rows].asformat(container.format)
    taken: Any = take_rows(container, rows)
    return taken.reset_index(drop=True) if hasattr(taken, "reset_index") else taken


def _sparse_like(rows: Any, like: Any) -> Any:
    """Return a CSR array as an array or a matrix, in the format of another one."""
    layout = like.format
    kind = sp.csr_matrix if isinstance(like, sp.spmatrix) else sp.csr_array
    return kind(rows).asformat(layout)


def _labels_like(labels: Any, y: Any) -> Any:
    """Return a CSR indicator in the container, dtype and columns of `y`."""
    if sp.issparse(y):
        return _sparse_like(labels.astype(y.dtype), y)
    dense = labels.toarray()
    if hasattr(y, "iloc"):
        frame = type(y)(dense, columns=y.columns)
        # Of the categories False and True none is an integer: it would be missing.
        return frame.astype(y.dtypes.map(_dtype_of_values)).astype(y.dtypes)
    if hasattr(y, "schema"):  # polars
        return type(y)(dense, schema=y.schema)
    return _array_like(dense.astype(np.asarray(y).dtype), y)


def _array_like(array: np.ndarray, like: Any) -> Any:
    """Return an array as it is, or as a list or a torch tensor as another one."""
    if hasattr(like, "new_tensor"):
        return like.new_tensor(array)
    return array.tolist() if isinstance(like, list) else array


def _dtype_of_values(dtype):
    """Return the dtype of the categories of a dtype of pandas, or the dtype itself."""
    return getattr(getattr(dtype, "categories", None), "dtype", dtype)


def _append(X: Any, features: Features, new: NewRows) -> Any:
    """Return the rows of `X` and new ones, in the container of `X`."""
    if sp.issparse(X):
        rows = [sp.csr_array(X), new.values.astype(X.dtype)]
        return _sparse_like(sp.vstack(rows, format="csr"), X)
    if hasattr(X, "columns"):
        return _append_to_frame(X, features, new)
    table = as_rows(X) if isinstance(X, list) else np.asarray(X)
    rows = table[new.seeds]
    if table.dtype.kind in "US":  # strings of a fixed width would truncate numbers
        rows = rows.astype(object)
    rows[:, features.numeric] = new.values
    rows[:, features.nominal] = table[new.nominal_sources, features.nominal]
    if table.dtype.kind in "US":
        rows = rows.astype(table.dtype.type)
    return _array_like(np.concatenate([table, rows]), X)


def _append_to_frame(X: Any, features: Features, new: NewRows) -> Any:
    """Return a data frame of pandas or polars with new rows, of the same dtypes."""
    columns: dict[int, Any] = dict(zip(features.numeric, new.values.T, strict=True))
    for place, column in enumerate(features.nominal):
        sources = new.nominal_sources[:, place]
        columns[column] = take_rows(column_of(X, column), sources)
    if not hasattr(X, "iloc"):  # polars
        series = type(X.to_series(0))
        rows = [
            series(name, columns[j]).cast(X.schema[name])
            for j, name in enumerate(X.columns)
        ]
        return X.vstack(type(X)(rows))
    import pandas as pd  # no dependency: only a frame of pandas leads here

    rows = _take(X, new.seeds)
    for column, values in columns.items():
        rows.isetitem(column, getattr(values, "array", values))
    return pd.concat([X, rows.astype(X.dtypes)], ignore_index=True)


# --------------------------------------------------------------------------
# Labels


@dataclass(frozen=True)
class Imbalance:
    """Which labels are rare.

    Parameters
    ----------
    ratios : ndarray of float64, shape (n_labels,)
        The imbalance ratio of each label (IRLbl); NaN for one without positives, which
        is neither a minority nor a majority label.
    mean : float
        The mean ratio (MeanIR) of the labels with positives.
    """

    ratios: np.ndarray
    mean: float

    @classmethod
    def of(cls, labels: Any) -> "Imbalance":
        """Measure a CSR indicator."""
        ratios = imbalance_ratios(labels)
        known = ratios[~np.isnan(ratios)]
        return cls(ratios, float(known.mean()) if len(known) else 1.0)

    @property
    def minority(self) -> np.ndarray:
        """Whether the ratio of each label exceeds the mean."""
        return self.ratios > self.mean * (1 + ROUNDING)

    @property
    def majority(self) -> np.ndarray:
        """Whether the ratio of each label is below the mean."""
        return self.ratios < self.mean * (1 - ROUNDING)

    def majority_rows(self, labels: Any) -> np.ndarray:
        """Return whether a row has majority labels, and none of the minority."""
        has_majority = labels @ self.majority.astype(np.int32) > 0
        return has_majority & (labels @ self.minority.astype(np.int32) == 0)


def only_labels(labels: Any, chosen: np.ndarray) -> Any:
    """Return a CSR indicator of the entries of the chosen labels."""
    entries = sp.csr_array(labels, copy=True)
    entries.data *= chosen[entries.indices]
    return _canonical(entries)


def rows_of_labels(labels: Any, chosen: np.ndarray) -> dict[int, np.ndarray]:
    """Return the rows that have each of the chosen labels, in ascending order."""
    columns = labels.tocsc()
    columns.sort_indices()
    bounds = list(pairwise(columns.indptr))
    return {
        int(label): columns.indices[slice(*bounds[label])]
        for label in np.flatnonzero(chosen)
    }


def rows_of_label_sets(labels: Any) -> list[np.ndarray]:
    """Return the rows that have each label set; the empty set is one."""
    labels.sort_indices()
    numbers: dict[bytes, int] = {}
    # Bytes of the indices stay sparse, where np.unique would need dense rows.
    of_row = [
        numbers.setdefault(labels.indices[low:high].tobytes(), len(numbers))
        for low, high in pairwise(labels.indptr)
    ]
    order = np.argsort(of_row, kind="stable")
    return np.split(order, np.cumsum(np.bincount(of_row))[:-1])


def n_resampled(sampling_strategy: float, n_samples: int) -> int:
    """Return the whole number of rows in a fraction of all rows."""
    # Nine digits: .29 * 100 is 28.999999999999996, but means 29.
    return int(np.round(sampling_strategy * n_samples, 9))


def spread(total: int, capacities: np.ndarray) -> np.ndarray:
    """Distribute a total over bags, evenly as far as their capacities allow.

    From the least capacity to the largest; what a bag cannot take goes to the later
    ones in equal parts, as in LP-ROS and LP-RUS.

    Parameters
    ----------
    total : int
    capacities : ndarray of int, shape (n_bags,)

    Returns
    -------
    amounts : ndarray of int, shape (n_bags,)
    """
    amounts = np.zeros(len(capacities), dtype=np.intp)
    for place, bag in enumerate(np.argsort(capacities, kind="stable")):
        amounts[bag] = min(capacities[bag], total // (len(capacities) - place))
        total -= int(amounts[bag])
    return amounts


def draw_in_rounds(
    labels: Any,
    bags: dict[int, np.ndarray],
    n_draws: int,
    change: int,
    mean: float,
    rng: np.random.RandomState,
) -> list[int]:
    """Draw a row from the bag of each label in turns, as in ML-ROS and ML-RUS.

    After each draw the label counts are updated, and the bag of a label whose
    imbalance ratio has reached the mean is left out from then on. A last round of fewer
    draws than labels takes random ones.

    Parameters
    ----------
    labels : csr_array of shape (n_samples, n_labels)
        Indicator.
    bags : dict of label to its rows
    n_draws : int
        The most rows that are drawn.
    change : {1, -1}
        1 clones rows, which are drawn with replacement; -1 removes them.
    mean : float
        The mean imbalance ratio of the input.
    rng : RandomState

    Returns
    -------
    rows : list of int
        In the order of the draws; fewer than `n_draws` where no bag is left.
    """
    counts = labels.sum(axis=0)
    rows: list[int] = []
    removed: set[int] = set()
    sources = {
        label: _clones(bag, rng) if change > 0 else _removals(bag, removed, rng)
        for label, bag in bags.items()
    }
    while sources and len(rows) < n_draws:
        n_left = n_draws - len(rows)
        turn = list(sources)
        if n_left < len(turn):  # by chance, or the last columns would never come
            turn = rng.choice(turn, n_left, replace=False).tolist()
        for label in turn:
            row = next(sources[label], None)
            if row is not None:
                rows.append(row)
                removed.add(row)
                of_row = slice(labels.indptr[row], labels.indptr[row + 1])
                counts[labels.indices[of_row]] += change
            # Multiplied, since the last positive of a label may be gone.
            most = counts.max()
            gap = change * (mean * counts[label] - most)
            is_balanced = gap >= -ROUNDING * most
            if row is None or is_balanced:
                del sources[label]
    return rows


def _clones(bag, rng):
    """Yield random rows of a bag without end."""
    while True:
        yield int(bag[rng.randint(len(bag))])


def _removals(bag, removed, rng):
    """Yield the rows of a bag in random order, without those removed meanwhile."""
    for row in rng.permutation(bag).tolist():
        if row not in removed:
            yield row


def adjusted_hamming(labels: Any, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the labels that differ over the labels of both rows together.

    The adjusted Hamming distance of Charte et al. (2014); 0 for two rows without
    labels.

    Parameters
    ----------
    labels : csr_array of int, shape (n_samples, n_labels)
        Indicator.
    rows : ndarray of int, shape (n_rows,)
    others : ndarray of int, shape (n_rows, n_others)

    Returns
    -------
    distances : ndarray of float64, shape (n_rows, n_others)
    """
    sizes, of_rows = labels.sum(axis=1), labels[rows]
    common = [of_rows.multiply(labels[column]).sum(axis=1) for column in others.T]
    total = sizes[rows][:, None] + sizes[others]
    return ratio(total - 2 * np.transpose(common), total, undefined=0.0)


# --------------------------------------------------------------------------
# Local imbalance


@dataclass(frozen=True)
class LocalImbalance:
    """How rare the rarer value of each label is among the neighbours of its rows.

    Entries are those of a label matrix that have the rarer value of their label, 0 for
    a label of more than half of the rows. Names as in Liu, Blekas, Tsoumakas (2022).

    Parameters
    ----------
    rarer : csr_array of int, shape (n_samples, n_labels)
        Indicator of these entries.
    flipped : ndarray of bool, shape (n_labels,)
        Whether the rarer value is 0.
    adjacency : csr_array of int, shape (n_samples, n_samples)
        Which rows are neighbours of each row; only these entries are stored.
    difficulty : csr_array of float, shape (n_samples, n_labels)
        Stored for the same entries as `rarer`: the fraction of the neighbours that
        have the other value, C.
    """

    rarer: Any
    flipped: np.ndarray
    adjacency: Any
    difficulty: Any

    @classmethod
    def of(cls, labels: Any, neighbors: np.ndarray) -> "LocalImbalance":
        """Compute it from a CSR indicator and the neighbours of each row."""
        n_samples, n_neighbors = neighbors.shape
        flipped = labels.sum(axis=0) > n_samples / 2
        rarer = flip(labels, flipped)
        ones = np.ones(neighbors.size, dtype=np.int32)
        indptr = np.arange(0, neighbors.size + 1, n_neighbors)
        shape = n_samples, n_samples
        adjacency = sp.csr_array((ones, neighbors.ravel(), indptr), shape=shape)
        # One more, so that an entry without equal neighbours stays a stored one.
        n_equal = _canonical(rarer.multiply(adjacency @ rarer) + rarer)
        difficulty = n_equal.astype(np.float64)
        difficulty.data = (n_neighbors + 1 - n_equal.data) / n_neighbors
        return cls(rarer, flipped, adjacency, difficulty)

    def has_rarer_neighbors(self, entries: np.ndarray) -> np.ndarray:
        """Return for which entries one of some others is that of a neighbour.

        Parameters
        ----------
        entries : ndarray of bool, shape (n_entries,)
            The others, a choice of the stored entries of `rarer`.

        Returns
        -------
        ndarray of bool, shape (n_entries,)
            In the order of the stored entries of `rarer`.
        """
        chosen = self.rarer.copy()
        chosen.data = entries.astype(np.int32)
        reached = self.rarer.multiply(self.adjacency @ chosen) + self.rarer
        return _canonical(reached).data > 1

    def scores(self) -> Any:
        """Return C over its sum for each label, 0 for entries without equals: S."""
        scores = self.difficulty.copy()
        scores.data[scores.data == 1] = 0
        total = scores.sum(axis=0)
        scores.data /= np.where(total > 0, total, 1)[scores.indices]
        return scores


def flip(labels: Any, flipped: np.ndarray) -> Any:
    """Return a CSR indicator in which some columns have changed 0 and 1."""
    kept = only_labels(labels, ~flipped)
    columns = np.flatnonzero(flipped)
    if not len(columns):
        return kept
    inverse = sp.coo_array(1 - labels[:, columns].toarray())
    entries = inverse.data, (inverse.row, columns[inverse.col])
    return _canonical(kept + sp.csr_array(entries, shape=labels.shape))


def _canonical(labels):
    """Return a CSR array that stores no zeros, with sorted indices."""
    labels = sp.csr_array(labels)
    labels.eliminate_zeros()
    labels.sort_indices()
    return labels
