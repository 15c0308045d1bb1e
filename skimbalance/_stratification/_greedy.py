"""The rarest label first: iterative stratification of rows, and its twin for groups."""

import math

import numpy as np

from skimbalance._stratification._shares import NOISE

_ROWS_PER_CHUNK = 4096
# Rows that a part has too many before they count in a tie.
_MANY_ROWS = 5


def _cells_of(items, rows):
    """Return where the cells of some rows are stored, one row after the other."""
    starts, ends = items.indptr[rows], items.indptr[rows + 1]
    lengths = ends - starts
    offsets = np.cumsum(lengths) - lengths
    return np.repeat(starts - offsets, lengths) + np.arange(lengths.sum())


def _levelled(desire, excess, n_rows, rng=None):
    """Return how many of the next rows of a label each part takes.

    `desire` and `excess` are lists of a number for each part. Each row goes to the part
    with the largest desire for the label; taking one lowers it by one. So the desires
    are levelled from above, and what whole numbers leave over goes where most is
    wanted. Of equal desires a part with many rows too few comes first, then lots are
    drawn: otherwise half a positive would go to the same part in every split.
    """
    # Plain Python: for a handful of parts a call of NumPy takes longer than the loop.
    level, total = -np.inf, -n_rows
    for count, wish in enumerate(sorted(desire, reverse=True), 1):
        total += wish
        level = max(level, total / count)
    taken = [max(math.floor(wish - level + NOISE), 0) for wish in desire]
    parts = range(len(desire))
    lot = parts if rng is None else rng.permutation(len(desire)).tolist()
    order = sorted(
        parts,
        key=lambda j: (
            -round(desire[j] - taken[j], 6),
            round(excess[j] / _MANY_ROWS),
            lot[j],
        ),
    )
    for j in order[: n_rows - sum(taken)]:
        taken[j] += 1
    return taken


class IterativeStratification:
    """The state of one run of iterative stratification on rows.

    Parameters
    ----------
    labels : csr_array of shape (n_samples, n_columns)
        Positives, and what else is to be spread.
    wanted : ndarray of shape (n_columns, n_parts)
        Positives that each part should have.
    sizes : ndarray of float, shape (n_parts,)
        Rows that each part should have.
    rng : RandomState or None
        Of the order in which the rows of a label are taken.
    """

    def __init__(self, labels, wanted, sizes, rng):
        self.labels, self.columns = labels, labels.tocsc()
        self.wanted, self.room, self.rng = wanted, sizes.tolist(), rng
        self.fractions = (sizes / sizes.sum()).tolist()
        self.numbers = np.arange(len(sizes))
        self.part = np.full(labels.shape[0], -1)
        self.remaining = np.diff(self.columns.indptr).astype(np.uint32)

    def run(self):
        """Return the part of each row."""
        label = self._rarest()
        while self.remaining[label]:
            self._place_label(label)
            label = self._rarest()
        self._place(np.flatnonzero(self.part < 0), np.array(self.room))
        return self.part

    def _rarest(self):
        # An unsigned 0 minus 1 is the largest number: nothing left, never the rarest.
        return (self.remaining - np.uint32(1)).argmin()

    def _place_label(self, label):
        cells = slice(self.columns.indptr[label], self.columns.indptr[label + 1])
        rows = self.columns.indices[cells]
        parts = self.part[rows]
        placed = np.bincount(parts + 1, minlength=len(self.room) + 1)[1:]
        self._place(rows[parts < 0], self.wanted[label] - placed)

    def _place(self, rows, desire):
        left = sum(self.room)
        excess = [
            left * f - room for f, room in zip(self.fractions, self.room, strict=True)
        ]
        shares = _levelled(desire.tolist(), excess, len(rows), self.rng)
        if self.rng is not None:
            rows = self.rng.permutation(rows)
        self.part[rows] = np.repeat(self.numbers, shares)
        self.room = [room - n for room, n in zip(self.room, shares, strict=True)]
        for start in range(0, len(rows), _ROWS_PER_CHUNK):
            cells = _cells_of(self.labels, rows[start : start + _ROWS_PER_CHUNK])
            np.subtract.at(self.remaining, self.labels.indices[cells], np.uint32(1))


def level_sizes(part, sizes, burden, rng):
    """Move the lightest rows of parts that are too large to parts that are too small.

    Parameters
    ----------
    part : ndarray of int, shape (n_samples,)
        Changed in place.
    sizes : ndarray of int, shape (n_parts,)
    burden : ndarray of shape (n_samples,)
        Number of labels of each row.
    rng : RandomState or None
        Of the order of rows that are equally light: without it the classes that come
        first would give up their rows in every split.
    """
    excess = np.bincount(part, minlength=len(sizes)) - sizes
    if not excess.any():
        return
    order = np.arange(len(part)) if rng is None else rng.permutation(len(part))
    lightest = order[burden[order].argsort(kind="stable")]
    spare = [
        lightest[part[lightest] == j][: excess[j]] for j in np.flatnonzero(excess > 0)
    ]
    short = np.repeat(np.arange(len(sizes)), np.maximum(-excess, 0))
    part[np.concatenate(spare)] = short


def place_groups(items, wanted, weights, rng):
    """Give each group, the heaviest first, to the part where it costs least.

    Parameters
    ----------
    items : csr_array of shape (n_groups, n_columns)
        Counts of each group.
    wanted : ndarray of shape (n_columns, n_parts)
    weights : ndarray of shape (n_columns,)
    rng : RandomState or None
        Of the order of groups that are equally heavy.

    Returns
    -------
    part : ndarray of int, shape (n_groups,)
    """
    part = np.empty(items.shape[0], dtype=np.intp)
    pull = -weights[:, None] * wanted
    order = np.arange(len(part)) if rng is None else rng.permutation(len(part))
    order = order[np.argsort(-items.sum(axis=1)[order], kind="stable")]
    for group in order:
        cells = slice(items.indptr[group], items.indptr[group + 1])
        columns, counts = items.indices[cells], items.data[cells]
        part[group] = (counts @ pull[columns]).argmin()
        pull[columns, part[group]] += counts * weights[columns]
    return part


def fill_parts(part, n_parts, n_rows):
    """Give each part without a group the smallest group of the part with most groups.

    Parameters
    ----------
    part : ndarray of int, shape (n_groups,)
        Changed in place.
    n_parts : int
        If there are fewer groups, the first parts get one.
    n_rows : ndarray of int, shape (n_groups,)
    """
    n_groups = np.bincount(part, minlength=n_parts)
    for empty in np.flatnonzero(n_groups[: len(part)] == 0):
        crowded = np.flatnonzero(part == np.bincount(part).argmax())
        part[crowded[n_rows[crowded].argmin()]] = empty
