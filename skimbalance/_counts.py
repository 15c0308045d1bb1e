"""Counts of the positives and negatives of labels, weighted or not."""

import numpy as np
import scipy.sparse as sp

from skimbalance._entry_weights import SparseWeights

# How an int8 label matrix holds a label that was not observed.
MISSING = -1


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


def cells_with(labels, value):
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
    positive, stored = cells_with(labels, 1), abs(labels)
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
