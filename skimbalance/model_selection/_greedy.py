"""The rarest label first: iterative stratification of rows, and its twin for groups.

Sechidis, Tsoumakas, Vlahavas, "On the Stratification of Multi-Label Data", ECML PKDD
2011. The order in which the parts receive the rows of one label does not depend on
which row comes next, so all rows of a label are placed at once.
"""

import math

import numpy as np

from skimbalance.model_selection._label_counts import NOISE

# Bounds the memory of the gathered entries, 24 bytes each, where a label has most rows.
_ROWS_PER_CHUNK = 4096
# A part's excess of rows decides a tie only in steps of this many: smaller differences
# depend on the order of the labels, and would send every tie to the same part.
_EXCESS_STEP = 5


def _counts_per_part(demand, excess, n_rows, rng=None):
    """Return how many of the next rows of a label each part receives.

    Each row goes to the part with the largest demand for the label, and lowers it by
    one. So the largest demands are lowered first, and rows that are left over by
    rounding go to the parts with the largest demand. Between equal demands, the part
    that lacks most rows comes first, and then chance decides: otherwise the same part
    would get the extra positive in every split.

    Parameters
    ----------
    demand, excess : list of float, one for each part
    n_rows : int
    rng : RandomState or None

    Returns
    -------
    list of int, one for each part
    """
    # Plain Python: for a handful of parts a call of NumPy takes longer than the loop.
    level, total = -math.inf, -n_rows
    for count, each in enumerate(sorted(demand, reverse=True), 1):
        total += each
        level = max(level, total / count)
    counts = [max(math.floor(each - level + NOISE), 0) for each in demand]
    parts = range(len(demand))
    # Drawn even where it decides nothing: a seed gives the same splits in any case.
    tie_break = parts if rng is None else rng.permutation(len(demand)).tolist()
    n_left = n_rows - sum(counts)
    if n_left:
        keys = [
            (-round(demand[j] - counts[j], 6), round(excess[j] / _EXCESS_STEP))
            for j in parts
        ]
        for j in sorted(parts, key=lambda j: (keys[j], tie_break[j]))[:n_left]:
            counts[j] += 1
    return counts


class IterativeStratification:
    """The state of one run of iterative stratification on rows.

    Parameters
    ----------
    items : csr_array of shape (n_samples, n_columns)
        Positives, and what else is to be distributed.
    desired : ndarray of shape (n_columns, n_parts)
        Positives that each part should have.
    sizes : ndarray of float, shape (n_parts,)
        Rows that each part should have.
    rng : RandomState or None
        Random generator of the order in which the rows of a label are placed.
    """

    def __init__(self, items, desired, sizes, rng):
        self.items, self.columns = items, items.tocsc()
        self.desired, self.n_free, self.rng = desired, sizes.tolist(), rng
        self.fractions = (sizes / sizes.sum()).tolist()
        self.numbers = np.arange(len(sizes))
        self.starts, self.lengths = items.indptr[:-1], np.diff(items.indptr)
        self.part = np.full(items.shape[0], -1)
        self.remaining = np.diff(self.columns.indptr).astype(np.uint32)

    def run(self):
        """Return the part of each row."""
        column = self._rarest()
        while self.remaining[column]:
            self._place_column(column)
            column = self._rarest()
        self._place(np.flatnonzero(self.part < 0), np.array(self.n_free))
        return self.part

    def _rarest(self):
        # An unsigned 0 minus 1 is the largest number: nothing left, never the rarest.
        return (self.remaining - np.uint32(1)).argmin()

    def _place_column(self, column):
        """Place the rows of a column that have no part yet."""
        entries = slice(self.columns.indptr[column], self.columns.indptr[column + 1])
        rows = self.columns.indices[entries]
        parts = self.part[rows]
        placed = np.bincount(parts + 1, minlength=len(self.n_free) + 1)[1:]
        self._place(rows[parts < 0], self.desired[column] - placed)

    def _place(self, rows, demand):
        """Give rows to the parts that demand them, and count what remains."""
        n_left = sum(self.n_free)
        excess = [
            n_left * fraction - n_free
            for fraction, n_free in zip(self.fractions, self.n_free, strict=True)
        ]
        counts = _counts_per_part(demand.tolist(), excess, len(rows), self.rng)
        if self.rng is not None:
            rows = self.rng.permutation(rows)
        self.part[rows] = self.numbers.repeat(counts)
        self.n_free = [a - b for a, b in zip(self.n_free, counts, strict=True)]
        for start in range(0, len(rows), _ROWS_PER_CHUNK):
            self._update_counts(rows[start : start + _ROWS_PER_CHUNK])

    def _update_counts(self, rows):
        """Subtract the entries of some rows from the counts of what remains."""
        lengths = self.lengths[rows]
        ends = lengths.cumsum()
        # The entries of one row after the other: a row of the CSR array itself, for
        # as few rows as a rare label has, would take 6 times as long.
        entries = (self.starts[rows] - ends + lengths).repeat(lengths)
        entries += np.arange(len(entries), dtype=entries.dtype)
        np.subtract.at(self.remaining, self.items.indices[entries], np.uint32(1))


def level_sizes(part, sizes, n_labels, rng):
    """Move rows with few labels from parts that are too large to parts too small.

    Parameters
    ----------
    part : ndarray of int, shape (n_samples,)
        Changed in place.
    sizes : ndarray of int, shape (n_parts,)
    n_labels : ndarray of shape (n_samples,)
        Number of labels of each row.
    rng : RandomState or None
        Random generator of the order of rows with equally many labels: without it, the
        first classes would give up their rows in every split.
    """
    excess = np.bincount(part, minlength=len(sizes)) - sizes
    if not excess.any():
        return
    order = np.arange(len(part)) if rng is None else rng.permutation(len(part))
    order = order[n_labels[order].argsort(kind="stable")]
    spare = [order[part[order] == j][: excess[j]] for j in np.flatnonzero(excess > 0)]
    short = np.repeat(np.arange(len(sizes)), np.maximum(-excess, 0))
    part[np.concatenate(spare)] = short


def place_groups(items, desired, weights, rng):
    """Give each group, the largest first, to the part where it costs least.

    Parameters
    ----------
    items : csr_array of shape (n_groups, n_columns)
        Counts of each group.
    desired : ndarray of shape (n_columns, n_parts)
    weights : ndarray of shape (n_columns,)
    rng : RandomState or None
        Random generator of the order of groups that are equally large.

    Returns
    -------
    part : ndarray of int, shape (n_groups,)
    """
    part = np.empty(items.shape[0], dtype=np.intp)
    gradient = -weights[:, None] * desired
    order = np.arange(len(part)) if rng is None else rng.permutation(len(part))
    order = order[np.argsort(-items.sum(axis=1)[order], kind="stable")]
    for group in order:
        entries = slice(items.indptr[group], items.indptr[group + 1])
        columns, counts = items.indices[entries], items.data[entries]
        part[group] = (counts @ gradient[columns]).argmin()
        gradient[columns, part[group]] += counts * weights[columns]
    return part


def fill_parts(part, n_parts, n_rows):
    """Give each part without a group the smallest group of the part with most groups.

    Parameters
    ----------
    part : ndarray of int, shape (n_groups,)
        Changed in place.
    n_parts : int
        The first parts, which need a group; later ones may stay empty. If there are
        fewer groups, the first ones get one.
    n_rows : ndarray of int, shape (n_groups,)
    """
    n_groups = np.bincount(part, minlength=n_parts)
    for empty in np.flatnonzero(n_groups[: min(n_parts, len(part))] == 0):
        n_groups = np.bincount(part)
        # Of equal parts the last one, which is the one that may stay empty.
        crowded = np.flatnonzero(n_groups == n_groups.max())[-1]
        groups = np.flatnonzero(part == crowded)
        part[groups[n_rows[groups].argmin()]] = empty
