"""How many positives of each label each part should have."""

import numpy as np

NOISE = 1e-9


def wanted_counts(totals, sizes, n_required):
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
    wanted = np.outer(totals, sizes / sizes.sum())
    least = np.arange(len(sizes)) < n_required
    short, over = np.maximum(least - wanted, 0), np.maximum(wanted - least, 0)
    given = short.sum(axis=1) / np.maximum(over.sum(axis=1), NOISE)
    enough = (totals >= n_required)[:, None]
    return np.where(enough, wanted + short - over * given[:, None], wanted)


def even_range(wanted):
    """Return the least and the most that each part has in an even spread.

    A half is rounded to either side.
    """
    wanted = np.round(wanted, 6)
    nearest, total = np.ceil(wanted - 0.5), np.rint(wanted.sum(axis=1))
    fits = (nearest.sum(axis=1) <= total)[:, None]
    return np.where(fits, nearest, np.floor(wanted)), np.ceil(wanted)


def attainable(even, items):
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


def importance(totals, n_samples, n_labels):
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
    weights = 1 / np.maximum(totals * (1 - totals / n_samples), 0.5)
    weights[n_labels:] *= min(1, n_labels / max(len(totals) - n_labels, 1))
    return weights
