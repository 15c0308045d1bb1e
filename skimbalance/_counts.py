"""Weights of rows and entries, and the counts of the positives and negatives of labels.

Weights are None (each counts 1), an array of shape (n_samples,) or (n_samples,
n_labels), or `SparseWeights`. None is kept as long as possible, since counts without
weights need less work (see `_columns`); `weights_or_ones` and `take_weights` spare the
other code a second case.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp

# The value of an unobserved label in an int8 label matrix.
MISSING = -1
# Rows that are counted at once: their floats fit the cache, and sparse labels are never
# dense as a whole. 200,000 rows of 100 labels take 0.06 s, by 16,384 rows 0.6 s.
_CHUNK_ROWS = 4096


def take_weights(weight: Any, rows: Any) -> Any:
    """Return the weights of some rows; None stays None."""
    return None if weight is None else weight[rows]


def weights_or_ones(weight: Any, n_rows: int) -> Any:
    """Return the weights, and a 1 for each row where there are none."""
    return np.ones(n_rows) if weight is None else weight


def at_least_mean_1(weight: Any) -> Any:
    """Return weights scaled to mean 1 where they are positive, if their mean is below.

    The priors of calibrators and the shrinkage of thresholds count entries: weights
    that sum to 1 would be as weak as a single entry. Whole numbers stay, and equal
    repeated rows; equal weights below 1 become exactly 1.
    """
    if weight is None:
        return None
    values, times = np.ravel(weight), None
    if isinstance(weight, SparseWeights):
        stored, size = weight.stored(), np.prod(weight.shape)
        values = np.append(stored, weight.base)
        times = np.append(np.ones(len(stored)), size - len(stored))
    positive, largest = values > 0, weight.max()
    times = take_weights(times, positive)
    mean = largest * np.average(values[positive] / largest, weights=times)
    return weight if mean >= 1 else weight / mean


def _indicator(matrix, is_one):
    """Return a CSR array that stores a 1 for some of the stored entries of another."""
    if not is_one.any():  # as a rule no label is missing
        return sp.csr_array(matrix.shape, dtype=np.int8)
    # eliminate_zeros writes into the index arrays, which belong to the other matrix.
    ones = sp.csr_array(
        (is_one.astype(np.int8), matrix.indices.copy(), matrix.indptr.copy()),
        shape=matrix.shape,
    )
    ones.eliminate_zeros()
    return ones


class SparseWeights:
    """A weight for each entry: `base`, plus what a sparse matrix stores beyond it.

    Most entries of a large label matrix weigh the same, so that only the others are
    stored. Sums add weights, each of which is at least 0: nothing is subtracted, and a
    sum is 0 only where all weights are.

    Parameters
    ----------
    excess : csr_array or csc_array of float64, shape (n_samples, n_labels)
        What the weight of an entry exceeds `base` by.
    base : float
        The weight of an entry that is not stored.
    """

    ndim = 2

    def __init__(self, excess, base=1.0):
        self.excess, self.base = excess, base

    @property
    def shape(self):
        """The numbers of rows and of labels."""
        return self.excess.shape

    @property
    def nbytes(self):
        """The size of the stored arrays."""
        excess = self.excess
        return excess.data.nbytes + excess.indices.nbytes + excess.indptr.nbytes

    @property
    def T(self):  # noqa: N802
        """The weights of the transposed label matrix."""
        return SparseWeights(self.excess.T.tocsr(), self.base)

    def __getitem__(self, index):
        return SparseWeights(self.excess[index], self.base)

    def stored(self):
        """Return the weights of the stored entries."""
        return self.base + self.excess.data

    def toarray(self):
        """Return the weights as a dense array."""
        return self.base + self.excess.toarray()

    def tocsc(self):
        """Return the weights stored by columns."""
        return SparseWeights(self.excess.tocsc(), self.base)

    def __truediv__(self, divisor):
        # By one factor for both, so that a weight of 0 stays exactly 0.
        factor = 1 / divisor
        return SparseWeights(self.excess * factor, self.base * factor)

    def max(self):
        """Return the largest weight."""
        n_stored, size = self.excess.nnz, np.prod(self.shape)
        return self.stored().max(initial=0.0 if n_stored == size else self.base)

    def zeros(self):
        """Return the indicator of the entries of weight 0."""
        return _indicator(self.excess, self.stored() == 0)

    def sum_of(self, entries):
        """Return the weight of some entries of each column.

        Parameters
        ----------
        entries : csr_array of shape (n_samples, n_labels)
            1 for an entry that counts; no other value is stored.
        """
        n_entries = np.bincount(entries.indices, minlength=self.shape[1])
        return self._column_sums(self.excess.multiply(entries).tocsr(), n_entries)

    def sum_outside(self, entries):
        """Return the weight of the entries of each column that `sum_of` leaves out."""
        outside = sp.csr_array(self.excess - self.excess.multiply(entries))
        outside.eliminate_zeros()
        n_entries = np.bincount(entries.indices, minlength=self.shape[1])
        return self._column_sums(outside, self.shape[0] - n_entries)

    def _column_sums(self, excess, n_entries):
        """Sum the weights of `n_entries` entries a column; `excess` stores some."""
        size = self.shape[1]
        n_stored = np.bincount(excess.indices, minlength=size)
        stored = np.bincount(excess.indices, self.base + excess.data, size)
        return (n_entries - n_stored) * self.base + stored


def _count_dense(labels, value, weight):
    """Count the entries of each column that hold `value`, a few rows at a time."""
    counts = np.zeros(labels.shape[1])
    for start in range(0, labels.shape[0], _CHUNK_ROWS):
        rows = slice(start, start + _CHUNK_ROWS)
        block = labels[rows]
        hit = (block.toarray() if sp.issparse(block) else block) == value
        if weight is None:  # a product with ones would convert each entry to float64
            counts += hit.sum(axis=0, dtype=np.int32)
        else:
            w = take_weights(weight, rows)
            counts += w @ hit if w.ndim == 1 else (w * hit).sum(axis=0)
    return counts


def entries_with(labels: Any, value: int) -> Any:
    """Return the indicator of the stored entries that hold `value`."""
    hit = labels.data == value
    if hit.all():  # as in most sparse labels: no copy
        return labels if value == 1 else abs(labels)
    return _indicator(labels, hit)


def _count_unstored(entries, weight):
    """Return the weight of the rows that each column does not store.

    Where a column stores most of the weight, the rest is summed: the difference of two
    large sums is rounding noise, which would pass for a negative.
    """
    total, stored = weight.sum(), entries.T @ weight
    rest, columns = total - stored, entries.tocsc()
    for k in np.flatnonzero(stored > total / 2):
        unstored = np.ones(len(weight), dtype=bool)
        unstored[columns.indices[columns.indptr[k] : columns.indptr[k + 1]]] = False
        rest[k] = weight[unstored].sum()
    return rest


def _count_sparse(labels, weight):
    """Count positives and negatives of sparse labels, none by a difference of sums."""
    positive, stored = entries_with(labels, 1), abs(labels)
    if isinstance(weight, SparseWeights):
        return weight.sum_of(positive), weight.sum_outside(stored)
    if weight is not None:
        return positive.T @ weight, _count_unstored(stored, weight)
    n_samples, n_labels = labels.shape
    n_positive, n_stored = (
        np.bincount(entries.indices, minlength=n_labels).astype(np.float64)
        for entries in (positive, stored)
    )
    return n_positive, n_samples - n_stored


def count_labels(
    labels: Any, sample_weight: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    """Count the positives and the negatives of each label among its observed entries.

    Parameters
    ----------
    labels : ndarray or csr_array of int8, shape (n_samples, n_labels)
        From `check_label_matrix`.
    sample_weight : None, ndarray or SparseWeights
        From `check_weights`.

    Returns
    -------
    n_positive, n_negative : ndarray of float64, shape (n_labels,)
        Exactly 0 where there are none, or all have weight 0.
    """
    is_dense = isinstance(sample_weight, np.ndarray) and sample_weight.ndim == 2
    if sp.issparse(labels) and not is_dense:
        return _count_sparse(labels, sample_weight)
    if isinstance(sample_weight, SparseWeights):
        sample_weight = sample_weight.toarray()
    positive, negative = (_count_dense(labels, k, sample_weight) for k in (1, 0))
    return positive, negative


def have_both_values(labels: Any, weight: Any = None) -> np.ndarray:
    """Return which labels have a positive and a negative among their entries."""
    positive, negative = count_labels(labels, weight)
    return (positive > 0) & (negative > 0)


def rows_with_weight(weight: Any) -> np.ndarray | None:
    """Return a mask of the rows of positive weight; None where that is all of them.

    Weights of entries keep all rows: an entry of weight 0 is a missing label.
    """
    if weight is None or weight.ndim == 2:
        return None
    kept = weight > 0
    return None if kept.all() else kept


def without_weightless(labels: Any, weight: Any) -> Any:
    """Return a label matrix in which the entries of weight 0 are missing."""
    if weight is None:
        return labels
    zero = weight.zeros() if isinstance(weight, SparseWeights) else weight == 0
    if not sp.issparse(labels):
        zero = zero.toarray() == 1 if sp.issparse(zero) else zero
        zero &= labels != MISSING  # if none is new, nothing has to be copied
        return np.where(zero, np.int8(MISSING), labels) if zero.any() else labels
    zero = sp.csr_array(zero, dtype=np.int8)
    if zero.nnz == 0:
        return labels
    # Setting entries of a CSR array one by one would rebuild it for each new one.
    labels = sp.csr_array(labels - labels.multiply(zero) + MISSING * zero)
    labels.eliminate_zeros()
    return labels


def check_label_counts(
    label_counts: Any, n_samples: int | None = None, n_labels: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the positives and the negatives of each label as two float arrays.

    Parameters
    ----------
    label_counts : array-like
        The pair ``(n_positive, n_negative)``, or the positives alone if `n_samples` is
        given. Two numbers are a pair only where `n_labels` is 1: else they may also
        be the positives of two labels.
    n_samples : int or None
        The number of rows that the positives were counted on.
    n_labels : int or None
        The number of labels of `y`, if it is known.
    """
    if n_samples is None:
        # Three numbers or more cannot be a pair; two numbers can, see below.
        # A dict would be unpacked into its keys.
        is_pair = hasattr(label_counts, "__len__") and len(label_counts) == 2
        if not is_pair or isinstance(label_counts, Mapping):
            raise ValueError(
                "label_counts must be the pair (n_positive, n_negative); to give the "
                "positives alone, pass n_samples as well."
            )
        positive, negative = label_counts
        if np.ndim(positive) == np.ndim(negative) == 0 and n_labels != 1:
            raise ValueError(
                f"label_counts={label_counts!r} may mean one label or two. For one "
                f"label pass ([{positive}], [{negative}]), its positives and its "
                "negatives. For two labels pass n_samples as well, or the negatives of "
                f"both: ([{positive}, {negative}], [..., ...])."
            )
        positive, negative = np.atleast_1d(positive), np.atleast_1d(negative)
        if positive.shape != negative.shape:
            raise ValueError(
                f"label_counts holds {positive.size} counts of positives, but "
                f"{negative.size} of negatives."
            )
    else:
        # In float64: a difference of narrow integers overflows.
        positive = np.atleast_1d(label_counts).astype(float)
        negative = n_samples - positive
    positive, negative = positive.astype(float), negative.astype(float)
    if positive.ndim != 1 or not np.isfinite([positive, negative]).all():
        raise ValueError("label_counts must be finite, one count for each label.")
    if n_labels is not None and len(positive) != n_labels:
        raise ValueError(
            f"label_counts is for {len(positive)} labels, but y has {n_labels}."
        )
    if positive.min(initial=0) < 0 or negative.min(initial=0) < 0:
        raise ValueError(
            "label_counts must not be negative, nor exceed n_samples when that is "
            "given."
        )
    return positive, negative
