"""What is distributed over the parts, and how much of it each part should have.

Columns are the positives of each label, the missing entries, and the pairs of labels.
"""

import numpy as np
import scipy.sparse as sp

from skimbalance._counts import MISSING, entries_with

# Differences below this are rounding errors of sums in double precision.
NOISE = 1e-9
# A bound of the memory: a pair takes 57 bytes while the pairs are counted (peak of
# tracemalloc for 1 million pairs of 60 labels), so 2.9 GB at this limit.
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
    """Return the missing entries of encoded targets, of the labels that have any.

    Parameters
    ----------
    values : ndarray or csr_array
        A label matrix, or class indices.

    Returns
    -------
    csr_array of int8, shape (n_samples, n_labels_with_missing_entries)
    """
    if values.ndim == 1:
        return sp.csr_array((len(values), 0), dtype=np.int8)
    entries = _indicator(values, MISSING)
    return entries[:, np.flatnonzero(entries.sum(axis=0))]


def _indicator(values, value):
    """Return where a label matrix holds `value`, as a CSR indicator."""
    if sp.issparse(values):
        return entries_with(values, value)
    n_samples, n_labels = values.shape
    # NumPy finds the nonzero entries of a 1-D boolean array 5 times faster than those
    # of a 2-D one, which is what SciPy's conversion to CSR looks for.
    place = np.flatnonzero(values == value)
    row_starts = np.arange(n_samples + 1) * n_labels
    indptr = place.searchsorted(row_starts)
    column = place - np.repeat(row_starts[:-1], np.diff(indptr))
    ones = np.ones(len(place), dtype=np.int8)
    return sp.csr_array((ones, column, indptr), shape=values.shape)


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
    row, pair = _pairs_of_entries(labels)
    _, column, count = np.unique(pair, return_inverse=True, return_counts=True)
    often = count > 1
    kept = often[column]
    column = (np.cumsum(often) - 1)[column[kept]]
    ones = np.ones(len(column), dtype=np.int8)
    shape = labels.shape[0], int(often.sum())
    return sp.csr_array((ones, (row[kept], column)), shape=shape)


def _pairs_of_entries(labels):
    """Return for each pair of positives in a row the row and the pair's number."""
    row = np.repeat(np.arange(labels.shape[0]), np.diff(labels.indptr))
    n_later = labels.indptr[row + 1] - np.arange(labels.nnz) - 1
    first = np.repeat(np.arange(labels.nnz), n_later)
    offset = np.repeat(np.cumsum(n_later) - n_later, n_later)
    second = first + 1 + np.arange(len(first)) - offset
    # 64 bits: the square of 50,000 labels exceeds the largest int32.
    pair = labels.indices[first].astype(np.int64) * labels.shape[1]
    return row[first], pair + labels.indices[second]


def group_items(columns, groups):
    """Return the counts of each group, its rows last, and the group of each row."""
    _, index, n_rows = np.unique(groups, return_inverse=True, return_counts=True)
    ones = np.ones(len(index), dtype=np.int64)
    member = sp.csr_array((ones, (index, np.arange(len(index)))))
    items = sp.hstack([member @ columns, n_rows[:, None]], format="csr")
    return sp.csr_array(items), index


def part_counts(items, part, n_parts):
    """Return the counts of each part, shape (n_columns, n_parts)."""
    sums = [items[part == j].sum(axis=0) for j in range(n_parts)]
    return np.transpose(sums)


def desired_counts(totals, sizes, n_required):
    """Return how many positives of each label each part should have.

    In proportion to its size; but of labels that have enough of them, at least one in
    each of the first `n_required` parts.

    Parameters
    ----------
    totals : ndarray of shape (n_columns,)
    sizes : ndarray of shape (n_parts,)
    n_required : int

    Returns
    -------
    ndarray of float, shape (n_columns, n_parts)
    """
    desired = np.outer(totals, sizes / sizes.sum())
    least = np.arange(len(sizes)) < n_required
    short, over = np.maximum(least - desired, 0), np.maximum(desired - least, 0)
    # What some parts lack comes from the others in proportion to what they have.
    given = short.sum(axis=1) / np.maximum(over.sum(axis=1), NOISE)
    enough = (totals >= n_required)[:, None]
    return np.where(enough, desired + short - over * given[:, None], desired)


def even_range(desired):
    """Return the least and the most that each part has in an even distribution.

    A half is rounded to either side.
    """
    # Six digits: `desired` is a product with a fraction, and .5 must stay .5.
    desired = np.round(desired, 6)
    nearest, total = np.ceil(desired - 0.5), np.rint(desired.sum(axis=1))
    fits = (nearest.sum(axis=1) <= total)[:, None]
    return np.where(fits, nearest, np.floor(desired)), np.ceil(desired)


def widen_for_groups(even, items):
    """Widen an even range to what groups allow.

    Some part has at least what the largest group has of a label, and some part has none
    if fewer groups have the label than there are parts.

    Parameters
    ----------
    even : pair of ndarray of shape (n_labels, n_parts)
        From `even_range`.
    items : csr_array of shape (n_groups, n_columns)
        Counts of each group, the labels first.

    Returns
    -------
    pair of ndarray of shape (n_labels, n_parts)
    """
    least, most = even
    columns = items[:, : len(least)].tocsc()
    widespread = np.diff(columns.indptr) >= least.shape[1]
    largest = columns.max(axis=0).toarray().reshape(-1, 1)
    return least * widespread[:, None], np.maximum(most, largest)


def whole_sizes(sizes):
    """Return whole numbers of the same sum, the larger ones first."""
    whole = np.floor(sizes + NOISE).astype(np.intp)
    whole[: int(np.rint(sizes.sum())) - whole.sum()] += 1
    return whole


def column_weights(totals, n_samples, n_labels):
    """Return the weight of a squared deviation of each column.

    The inverse of its variance under random sampling; what comes after the labels
    weighs as much as the labels together, at most.

    Parameters
    ----------
    totals : ndarray of shape (n_columns,)
    n_samples : int
    n_labels : int

    Returns
    -------
    ndarray of float, shape (n_columns,)
    """
    # At least the variance of half a positive: a label of all rows would weigh
    # infinitely much.
    weights = 1 / np.maximum(totals * (1 - totals / n_samples), 0.5)
    weights[n_labels:] *= min(1, n_labels / max(len(totals) - n_labels, 1))
    return weights
