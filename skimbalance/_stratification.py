"""Iterative stratification: which part each row goes to.

The rarest label is distributed first, each of its rows to the part that wants it most
(Sechidis et al., 2011). Within one label the order in which the parts are served does
not depend on which row comes next, so a whole label is placed at once with array
operations.
"""

import numpy as np
import scipy.sparse as sp


def _served_order(label_desire, size_desire, n_rows):
    """Return the part that takes each of the next rows of one label.

    Each row goes to the part with the largest desire for the label, then for rows at
    all; taking one lowers both by one. That is a merge of falling sequences, so one
    sort.
    """
    n_parts = len(label_desire)
    taken = np.arange(n_rows)
    wants = np.subtract.outer(label_desire, taken).ravel()
    room = np.subtract.outer(size_desire, taken).ravel()
    part = np.repeat(np.arange(n_parts), n_rows)
    return part[np.lexsort((part, -room, -wants))[:n_rows]]


class _Stratification:
    """The state of one run of iterative stratification.

    Parameters
    ----------
    labels : csr_array of shape (n_samples, n_labels)
        Positives.
    sizes : ndarray of float, shape (n_parts,)
        Wanted number of rows of each part.
    """

    def __init__(self, labels, sizes):
        self.labels, self.columns = labels, labels.tocsc()
        share = sizes / sizes.sum()
        self.remaining = np.diff(self.columns.indptr)
        self.label_desire = np.outer(share, self.remaining).astype(float)
        self.size_desire = sizes.astype(float)
        self.part = np.full(labels.shape[0], -1)

    def place_label(self, label):
        """Place the rows of a label that are not placed yet."""
        cells = slice(self.columns.indptr[label], self.columns.indptr[label + 1])
        rows = self.columns.indices[cells]
        rows = rows[self.part[rows] < 0]
        desire = self.label_desire[:, label]
        self._place(rows, _served_order(desire, self.size_desire, len(rows)))

    def place_rest(self):
        """Place the rows without labels where rows are wanted most."""
        rows = np.flatnonzero(self.part < 0)
        none = np.zeros_like(self.size_desire)
        self._place(rows, _served_order(self.size_desire, none, len(rows)))

    def _place(self, rows, parts):
        self.part[rows] = parts
        placed = self.labels[rows]
        row_parts = np.repeat(parts, np.diff(placed.indptr))
        np.subtract.at(self.label_desire, (row_parts, placed.indices), 1)
        np.subtract.at(self.remaining, placed.indices, 1)
        np.subtract.at(self.size_desire, parts, 1)


def _distribute(labels, sizes):
    """Return the part of each row, in the order of the rows."""
    run = _Stratification(labels, sizes)
    while run.remaining.any():
        open_labels = np.flatnonzero(run.remaining)
        run.place_label(open_labels[run.remaining[open_labels].argmin()])
    run.place_rest()
    return run.part


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
    if sp.issparse(values) and values.data.min(initial=1) > 0:
        return values
    return sp.csr_array(values == 1).astype(np.int8)


def _group_positives(labels, groups):
    """Return which labels each group has, and how many rows."""
    _, index, n_rows = np.unique(groups, return_inverse=True, return_counts=True)
    membership = sp.csr_array(
        (np.ones(len(index), dtype=np.int64), (index, np.arange(len(index))))
    )
    return (membership @ labels > 0).astype(np.int8).tocsr(), index, n_rows


def stratify(labels, sizes, rng=None, groups=None):
    """Distribute rows over parts so that each label keeps its share in each.

    Parameters
    ----------
    labels : csr_array of shape (n_samples, n_labels)
        Positives, from `positives`.
    sizes : array-like of shape (n_parts,)
        Wanted number of rows of each part.
    rng : RandomState or None
        Takes the rows in random order; None keeps the order they have.
    groups : array-like of shape (n_samples,) or None
        Rows of one group stay together.

    Returns
    -------
    part : ndarray of int, shape (n_samples,)
    """
    sizes = np.asarray(sizes, dtype=float)
    if groups is not None:
        labels, index, n_rows = _group_positives(labels, groups)
        return stratify(labels, sizes * len(n_rows) / sizes.sum(), rng)[index]
    order = np.arange(labels.shape[0])
    if rng is not None:
        order = rng.permutation(order)
        labels = labels[order]
    part = np.empty_like(order)
    part[order] = _distribute(labels, sizes)
    return part
