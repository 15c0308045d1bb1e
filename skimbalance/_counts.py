"""Counts of the positives and negatives of labels, weighted or not."""

import numpy as np
import scipy.sparse as sp

# How an int8 label matrix holds a label that was not observed.
MISSING = -1


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

    def scaled(self, factor):
        """Return the weights times a number; a weight of 0 stays exactly 0."""
        return SparseWeights(self.excess * factor, self.base * factor)

    def max(self):
        """Return the largest weight."""
        n_stored, size = self.excess.nnz, np.prod(self.shape)
        return self.stored().max(initial=0.0 if n_stored == size else self.base)

    def zeros(self):
        """Return the indicator of the entries of weight 0."""
        excess = self.excess
        is_zero = (self.stored() == 0).astype(np.int8)
        zero = sp.csr_array(
            (is_zero, excess.indices.copy(), excess.indptr.copy()), shape=self.shape
        )
        zero.eliminate_zeros()
        return zero

    def sum_of(self, cells):
        """Return the weight of some entries of each column.

        Parameters
        ----------
        cells : csr_array of shape (n_samples, n_labels)
            1 for an entry that counts; no other value is stored.
        """
        n_cells = np.bincount(cells.indices, minlength=self.shape[1])
        return self._column_sums(self.excess.multiply(cells).tocsr(), n_cells)

    def sum_outside(self, cells):
        """Return the weight of all other entries of each column; see `sum_of`."""
        outside = sp.csr_array(self.excess - self.excess.multiply(cells))
        outside.eliminate_zeros()
        n_cells = np.bincount(cells.indices, minlength=self.shape[1])
        return self._column_sums(outside, self.shape[0] - n_cells)

    def _column_sums(self, excess, n_cells):
        """Sum the weights of `n_cells` entries, of which `excess` stores some."""
        size = self.shape[1]
        n_stored = np.bincount(excess.indices, minlength=size)
        stored = np.bincount(excess.indices, self.base + excess.data, size)
        return (n_cells - n_stored) * self.base + stored


def _count_dense(labels, value, weight):
    counts = np.zeros(labels.shape[1])
    for start in range(0, labels.shape[0], 4096):
        rows = slice(start, start + 4096)
        block = labels[rows]
        hit = (block.toarray() if sp.issparse(block) else block) == value
        if weight is None:
            counts += hit.sum(axis=0)
        elif weight.ndim == 1:
            counts += weight[rows] @ hit
        else:
            counts += (weight[rows] * hit).sum(axis=0)
    return counts


def entries_with(labels, value):
    """Return the indicator of the stored cells that hold `value`."""
    hit = labels.data == value
    if hit.all():
        return labels if value == 1 else abs(labels)
    cells = sp.csr_array(
        (hit.astype(np.int8), labels.indices.copy(), labels.indptr.copy()),
        shape=labels.shape,
    )
    cells.eliminate_zeros()
    return cells


def _count_unstored(cells, weight):
    """Return the weight of the rows that each column does not store.

    Where a column stores most of the weight, the rest is summed: the difference of two
    large sums is rounding noise, which would pass for a negative.
    """
    total, stored = weight.sum(), cells.T @ weight
    rest, columns = total - stored, cells.tocsc()
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
    counts = [np.bincount(c.indices, minlength=c.shape[1]) for c in (positive, stored)]
    return counts[0].astype(np.float64), labels.shape[0] - counts[1].astype(np.float64)


def count_labels(labels, sample_weight=None):
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
    if sp.issparse(labels) and not _is_dense(sample_weight):
        return _count_sparse(labels, sample_weight)
    if isinstance(sample_weight, SparseWeights):
        sample_weight = sample_weight.toarray()
    return tuple(_count_dense(labels, value, sample_weight) for value in (1, 0))


def _is_dense(weight):
    return isinstance(weight, np.ndarray) and weight.ndim == 2


def without_weightless(labels, weight):
    """Return a label matrix in which the entries of weight 0 are missing."""
    zero = weight.zeros() if isinstance(weight, SparseWeights) else weight == 0
    if not sp.issparse(labels):
        zero = zero.toarray() == 1 if sp.issparse(zero) else zero
        zero &= labels != MISSING
        return np.where(zero, np.int8(MISSING), labels) if zero.any() else labels
    zero = sp.csr_array(zero, dtype=np.int8)
    if zero.nnz == 0:
        return labels
    labels = sp.csr_array(labels - labels.multiply(zero) + MISSING * zero)
    labels.eliminate_zeros()
    return labels


def check_label_counts(label_counts, n_samples=None, n_labels=None):
    """Return positives and negatives as two float arrays, whichever way they came.

    Parameters
    ----------
    label_counts : array-like
        The pair ``(n_positive, n_negative)``, or the positives alone when `n_samples`
        says what they were counted on.
    n_samples : int or None
    n_labels : int or None
        How many labels there must be.
    """
    if n_samples is None:
        if not hasattr(label_counts, "__len__") or len(label_counts) != 2:
            raise ValueError(
                "label_counts must be the pair (n_positive, n_negative); to give the "
                "positives alone, pass n_samples as well."
            )
        positive, negative = map(np.atleast_1d, label_counts)
        if positive.shape != negative.shape:
            raise ValueError(
                f"label_counts holds {positive.size} counts of positives, but "
                f"{negative.size} of negatives."
            )
    else:
        positive = np.atleast_1d(label_counts)
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
