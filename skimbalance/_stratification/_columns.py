"""What is spread out: the positives, the missing cells, and the pairs of labels."""

import numpy as np
import scipy.sparse as sp

from skimbalance._counts import MISSING, entries_with

_MOST_PAIRS = 50_000_000


def positives(values):
    """Return the positives of encoded targets as a CSR indicator.

    Parameters
    ----------
    values : ndarray or csr_array
        A label matrix, or class indices of which each becomes a column.

    Returns
    -------
    csr_array of int8, shape (n_samples, n_outputs)
    """
    if values.ndim == 1:
        n_samples = len(values)
        ones = np.ones(n_samples, dtype=np.int8)
        return sp.csr_array((ones, values, np.arange(n_samples + 1)))
    return _indicator(values, 1)


def missing(values):
    """Return the missing cells of encoded targets, of the labels that have any.

    Parameters
    ----------
    values : ndarray or csr_array
        A label matrix, or class indices.

    Returns
    -------
    csr_array of int8, shape (n_samples, n_labels_with_missing_cells)
    """
    if values.ndim == 1:
        return sp.csr_array((len(values), 0), dtype=np.int8)
    cells = _indicator(values, MISSING)
    return cells[:, np.flatnonzero(cells.sum(axis=0))]


def _indicator(values, value):
    if sp.issparse(values):
        return entries_with(values, value)
    return sp.csr_array(values == value).astype(np.int8)


def label_pairs(labels):
    """Return which pairs of labels each row has, of the pairs that occur twice or more.

    Parameters
    ----------
    labels : csr_array of shape (n_samples, n_labels)
        Positives, in canonical format.

    Returns
    -------
    csr_array of int8, shape (n_samples, n_pairs)

    Raises
    ------
    ValueError
        If the rows have more than 50 million pairs of positives together.
    """
    per_row = np.diff(labels.indptr).astype(np.int64)
    n_pairs = int((per_row * (per_row - 1) // 2).sum())
    if n_pairs > _MOST_PAIRS:
        raise ValueError(
            f"order=2 needs the pairs of positives of every row, which are "
            f"{n_pairs:,} here, more than the limit of {_MOST_PAIRS:,}. Use order=1."
        )
    row, pair = _pairs_of_cells(labels)
    _, column, count = np.unique(pair, return_inverse=True, return_counts=True)
    often = count > 1
    kept = often[column]
    column = (np.cumsum(often) - 1)[column[kept]]
    ones = np.ones(len(column), dtype=np.int8)
    shape = labels.shape[0], int(often.sum())
    return sp.csr_array((ones, (row[kept], column)), shape=shape)


def _pairs_of_cells(labels):
    """Return for each pair of positives in a row the row and the pair's number."""
    row = np.repeat(np.arange(labels.shape[0]), np.diff(labels.indptr))
    n_later = labels.indptr[row + 1] - np.arange(labels.nnz) - 1
    first = np.repeat(np.arange(labels.nnz), n_later)
    offset = np.repeat(np.cumsum(n_later) - n_later, n_later)
    second = first + 1 + np.arange(len(first)) - offset
    pair = labels.indices[first].astype(np.int64) * labels.shape[1]
    return row[first], pair + labels.indices[second]


def group_items(columns, groups):
    """Return the counts of each group, its rows last, and the group of each row."""
    _, index, n_rows = np.unique(groups, return_inverse=True, return_counts=True)
    ones = np.ones(len(index), dtype=np.int64)
    member = sp.csr_array((ones, (index, np.arange(len(index)))))
    return sp.hstack([member @ columns, n_rows[:, None]], format="csr"), index
