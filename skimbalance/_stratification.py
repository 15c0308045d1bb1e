"""Which part each row goes to: iterative stratification, refined by swaps.

The rarest label is distributed first, each of its rows to the part that wants it most
(Sechidis et al., 2011). Within one label the order in which the parts are served does
not depend on which row comes next, so a whole label is placed at once.

The refinement then swaps rows between parts, many at a time, while that lowers the
squared deviation of the label counts from what each part should have. Labels that a
part still lacks, or that stay uneven where nothing can be gained any more, get more
weight from sweep to sweep.

Groups are items with label counts instead of rows with labels; all else is the same.
"""

import numpy as np
import scipy.sparse as sp

from skimbalance._validation import MISSING

_MOST_PAIRS = 50_000_000
_CELLS_PER_CHUNK = 65_536
_ITEMS_PER_CHUNK = 128, 2048
_LOAD = 2_000_000
_SWEEPS = 1, 300
_LARGEST_BOOST = 1000
_NOISE = 1e-9


# ------------------------------------------------------------------ what is spread out


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
    return _cells_with(values, 1)


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
    cells = _cells_with(values, MISSING)
    return cells[:, np.flatnonzero(cells.sum(axis=0))]


def _cells_with(values, value):
    if not sp.issparse(values):
        return sp.csr_array(values == value).astype(np.int8)
    hit = values.data == value
    if value == 1 and hit.all():
        return values
    cells = hit.astype(np.int8), values.indices.copy(), values.indptr.copy()
    cells = sp.csr_array(cells, shape=values.shape)
    cells.eliminate_zeros()
    return cells


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


# ---------------------------------------------------------------- what each part wants


def _wanted(totals, sizes, n_required):
    """Return how many positives of each label each part should have.

    In proportion to its size; but of labels that have enough of them, at least one in
    each of the first `n_required` parts.
    """
    wanted = np.outer(totals, sizes / sizes.sum())
    least = np.arange(len(sizes)) < n_required
    short, over = np.maximum(least - wanted, 0), np.maximum(wanted - least, 0)
    given = short.sum(axis=1) / np.maximum(over.sum(axis=1), _NOISE)
    enough = (totals >= n_required)[:, None]
    return np.where(enough, wanted + short - over * given[:, None], wanted)


def _even_range(wanted):
    """Return the least and the most that each part has in an even spread."""
    wanted = np.round(wanted, 6)
    nearest, total = np.rint(wanted), np.rint(wanted.sum(axis=1))
    fits = (nearest.sum(axis=1) <= total)[:, None]
    return np.where(fits, nearest, np.floor(wanted)), np.ceil(wanted)


def _whole(sizes):
    """Return whole numbers of the same sum, the larger ones first."""
    whole = np.floor(sizes + _NOISE).astype(np.intp)
    whole[: int(np.rint(sizes.sum())) - whole.sum()] += 1
    return whole


# ----------------------------------------------------------------- the rare ones first


def _cells_of(items, rows):
    """Return where the cells of some rows are stored, one row after the other."""
    starts, ends = items.indptr[rows], items.indptr[rows + 1]
    lengths = ends - starts
    offsets = np.cumsum(lengths) - lengths
    return np.repeat(starts - offsets, lengths) + np.arange(lengths.sum())


def _levelled(desire, room, n_rows):
    """Return how many of the next rows of a label each part takes.

    Each row goes to the part with the largest desire for the label, then for rows at
    all; taking one lowers both by one. So the desires are levelled from above, and what
    whole numbers leave over goes where most is wanted.
    """
    ranked = np.sort(desire)[::-1]
    level = ((ranked.cumsum() - n_rows) / np.arange(1, len(desire) + 1)).max()
    taken = np.maximum(np.floor(desire - level + _NOISE), 0).astype(np.intp)
    order = np.lexsort((taken - room, -np.round(desire - taken, 6)))
    taken[order[: n_rows - taken.sum()]] += 1
    return taken


class _IterativeStratification:
    """The state of one run of iterative stratification on rows.

    Parameters
    ----------
    labels : csr_array of shape (n_samples, n_labels)
        Positives.
    wanted : ndarray of shape (n_labels, n_parts)
        Positives that each part should have.
    sizes : ndarray of float, shape (n_parts,)
        Rows that each part should have.
    rng : RandomState or None
        Of the order in which the rows of a label are taken.
    """

    def __init__(self, labels, wanted, sizes, rng):
        self.labels, self.columns = labels, labels.tocsc()
        self.wanted, self.room, self.rng = wanted, sizes.copy(), rng
        self.part = np.full(labels.shape[0], -1)
        self.remaining = np.diff(self.columns.indptr).astype(np.uint32)

    def run(self):
        """Return the part of each row."""
        label = self._rarest()
        while self.remaining[label]:
            self._place_label(label)
            label = self._rarest()
        self._place(np.flatnonzero(self.part < 0), self.room)
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
        shares = _levelled(desire, self.room, len(rows))
        if self.rng is not None:
            rows = self.rng.permutation(rows)
        self.part[rows] = np.repeat(np.arange(len(shares)), shares)
        self.room -= shares
        for start in range(0, len(rows), 4096):
            cells = _cells_of(self.labels, rows[start : start + 4096])
            np.subtract.at(self.remaining, self.labels.indices[cells], np.uint32(1))


def _level_sizes(part, sizes, burden):
    """Move the lightest rows of parts that are too large to parts that are too small."""
    excess = np.bincount(part, minlength=len(sizes)) - sizes
    lightest = burden.argsort(kind="stable")
    spare = [
        lightest[part[lightest] == j][: excess[j]] for j in np.flatnonzero(excess > 0)
    ]
    if spare:
        short = np.repeat(np.arange(len(sizes)), np.maximum(-excess, 0))
        part[np.concatenate(spare)] = short


def _place_groups(items, order, wanted, weights):
    """Give each group, in the given order, to the part where it costs least."""
    part = np.empty(items.shape[0], dtype=np.intp)
    pull = -weights[:, None] * wanted
    for group in order:
        cells = slice(items.indptr[group], items.indptr[group + 1])
        columns, counts = items.indices[cells], items.data[cells]
        part[group] = (counts @ pull[columns]).argmin()
        pull[columns, part[group]] += counts * weights[columns]
    return part


# ------------------------------------------------------------------------- then, swaps


def _partners(best, bound):
    """Match the parts that gain most by swapping their best items.

    Parameters
    ----------
    best : ndarray of shape (n_parts, n_parts)
        Lowest cost of moving an item from one part to another.
    bound : float
        Highest cost of a swap.

    Returns
    -------
    partner : ndarray of int, shape (n_parts,)
        -1 for a part that is left alone.
    """
    partner = np.full(len(best), -1)
    first, second = np.triu_indices(len(best), 1)
    cost = (best + best.T)[first, second]
    for pair in cost.argsort(kind="stable"):
        if not cost[pair] < bound:
            break
        a, b = first[pair], second[pair]
        if partner[a] < 0 and partner[b] < 0:
            partner[a], partner[b] = b, a
    return partner


def _ranks(keys):
    """Return the position of each entry among those with the same key, in order."""
    order = keys.argsort(kind="stable")
    size = np.bincount(keys)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(keys)) - np.repeat(np.cumsum(size) - size, size)
    return rank


def _candidates(costs, own, bound):
    """Return pairs of items that may be worth swapping.

    Each part has one partner at most. Their items are sorted by the cost of moving them
    to the other, and the r-th of one goes with the r-th of the other.

    Parameters
    ----------
    costs : ndarray of shape (n_items, n_parts)
        Of moving each item to each part, infinite for its own.
    own : ndarray of int, shape (n_items,)
    bound : float
        Highest cost of a swap.

    Returns
    -------
    left, right : ndarray of int
        Item numbers; the parts on the left are lower.
    cost : ndarray of float
        Of each swap, if the two have no more in common than any two items.
    """
    n_parts = costs.shape[1]
    best = [costs[own == j].min(axis=0, initial=np.inf) for j in range(n_parts)]
    partner = _partners(np.array(best), bound)
    other = partner[own]
    matched = np.flatnonzero(other >= 0)
    move = costs[matched, other[matched]]
    matched, move = matched[move.argsort(kind="stable")], np.sort(move)
    rank = _ranks(own[matched])
    place = np.full((n_parts, rank.max(initial=-1) + 1), -1)
    place[own[matched], rank] = np.arange(len(matched))
    left = np.flatnonzero(own[matched] < other[matched])
    right = place[other[matched[left]], rank[left]]
    left, right = left[right >= 0], right[right >= 0]
    cost = move[left] + move[right]
    left, right, cost = (each[cost < bound] for each in (left, right, cost))
    return matched[left], matched[right], cost


class _Refinement:
    """Swaps of items between parts that lower the deviation of the label counts.

    The objective is half the sum over columns and parts of
    ``weight * (count - wanted) ** 2``, and `pull` its derivative by the count.

    Parameters
    ----------
    items : csr_array of shape (n_items, n_columns)
        Counts of labels, and of what else is to be spread.
    part : ndarray of int, shape (n_items,)
        Where the items are; changed in place.
    wanted : ndarray of shape (n_columns, n_parts)
        Counts that each part should have.
    even : pair of ndarray of shape (n_labels, n_parts)
        From `_even_range`, for the labels, which are the first columns.
    weights : ndarray of shape (n_columns,)
    rng : RandomState
    """

    def __init__(self, items, part, wanted, even, weights, rng):
        self.items, self.part, self.wanted, self.rng = items, part, wanted, rng
        self.n_labels, self.n_parts = even[0].shape
        self.even, self.fair_weights, self.weights = even, weights, weights.copy()
        self.mean = wanted.sum(axis=1) / items.shape[0]
        deviation = _counts(items, part, self.n_parts) - wanted
        self.pull = np.ascontiguousarray(weights[:, None] * deviation)
        self.settled = False
        self._weigh_items()

    def run(self):
        """Sweep until all is even or no time is left; return the best parts seen."""
        self.lowest = (np.inf,)
        small = len(self.part) <= MM
        for _ in range(self._n_sweeps()):
            n_swaps = self.sweep()
            lacking, uneven = self._record()
            self.settled |= n_swaps == 0
            if n_swaps == 0 and (small or not uneven.any()):
                break
            self._boost(np.flatnonzero(uneven if self.settled else lacking))
        if RESET:
            self.weights = self.fair_weights.copy()
            self.part = self.found.copy()
            deviation = _counts(self.items, self.part, self.n_parts) - self.wanted
            self.pull = np.ascontiguousarray(self.weights[:, None] * deviation)
        for _ in range(ROUNDS if self.settled else 0):
            todo = uneven if small else lacking
            if not todo.any():
                break
            self._boost(np.flatnonzero(todo))
            self._search(todo > 0)
            lacking, uneven = self._record()
        return self.found

    def _record(self):
        lacking, uneven = self._unmet()
        state = lacking.sum(), uneven.sum(), self._objective()
        if state < self.lowest:
            self.lowest, self.found = state, self.part.copy()
        return lacking, uneven

    def _search(self, labels):
        labels = np.flatnonzero(labels)
        first = self.items[:, labels].sum(axis=1) > 0
        key = self.rng.uniform(size=len(self.part)) - FOCUS*first
        chosen = np.argsort(key)[:MM]
        items = self.items[chosen].astype(float)
        weighted = sp.csr_array((items.data * self.weights[items.indices], items.indices, items.indptr), shape=items.shape)
        overlap = (weighted @ items.T).toarray()
        self.part[chosen] = _tabu_search(items @ self.pull, overlap, self.part[chosen], self.rng)
        deviation = _counts(self.items, self.part, self.n_parts) - self.wanted
        self.pull = np.ascontiguousarray(self.weights[:, None] * deviation)

    def sweep(self):
        """Visit all items once, in random chunks; return the number of swaps."""
        n_items = len(self.part)
        order = self.rng.permutation(n_items)
        step = int(_CELLS_PER_CHUNK * n_items / max(self.items.nnz, 1))
        step = min(int(np.clip(step, *_ITEMS_PER_CHUNK)), n_items // 2 + 1)
        return sum(
            self._improve(order[start : start + step])
            for start in range(0, n_items, step)
        )

    def _n_sweeps(self):
        # An item costs as much as ten positives.
        load = self.items.nnz + 10 * len(self.part)
        return int(np.clip(_LOAD // load, *_SWEEPS))

    def _deviation(self):
        return self.pull / self.weights[:, None]

    def _objective(self):
        return self.fair_weights @ (self._deviation() ** 2).sum(axis=1)

    def _unmet(self):
        """Return of each label how many positives a part lacks, how many are astray."""
        labels = slice(self.n_labels)
        counts = np.rint(self.wanted[labels] + self._deviation()[labels])
        least, most = self.even
        over = np.maximum(counts - most, 0)
        astray = over + np.maximum(least - counts, 0)
        lacking = ((counts == 0) & (least > 0)) | ((most == 1) & (over > 0))
        return lacking.sum(axis=1), astray.sum(axis=1)

    def _boost(self, labels):
        """Raise the weights of some labels, by turns."""
        if len(labels):
            boost = self.weights[labels] / self.fair_weights[labels]
            factor = np.where(boost > _LARGEST_BOOST, 1 / boost, 1.5)
            self.weights[labels] *= factor
            self.pull[labels] *= factor[:, None]
            self._weigh_items()

    def _weigh_items(self):
        """Compute what moving each item costs beyond the slope of the objective."""
        # Of the difference from the mean, which a swap of two items takes no notice of,
        # so that what two items have in common is 0 on average.
        squares = self.items.data**2, self.items.indices, self.items.indptr
        squares = sp.csr_array(squares, shape=self.items.shape)
        common = self.weights * self.mean
        self.burden = squares @ self.weights - 2 * (self.items @ common)
        self.burden += common @ self.mean

    def _improve(self, chosen):
        """Swap some of the chosen items; return how many pairs."""
        items, own = self.items[chosen], self.part[chosen]
        costs = self._moving_costs(items, own, chosen)
        bound = np.inf if self.settled else -_NOISE
        left, right, cost = _candidates(costs, own, bound)
        if self.settled:
            cost += self._exact(items, left, right)
            cost -= self.burden[chosen[left]] + self.burden[chosen[right]]
            order = cost.argsort(kind="stable")
            order = order[cost[order] < -_NOISE]
            left, right = left[order], right[order]
        rank = _ranks(own[left])
        order = rank.argsort(kind="stable")
        left, right = left[order], right[order]
        apart = items[left] - items[right]
        return self._exchange(apart, chosen[left], chosen[right], rank[order])

    def _moving_costs(self, items, own, chosen):
        costs = items @ self.pull
        here = np.arange(len(own)), own
        costs += (self.burden[chosen] - costs[here])[:, None]
        costs[here] = np.inf
        return costs

    def _exact(self, items, left, right):
        apart = items[left] - items[right]
        squares = apart.data.astype(float) ** 2, apart.indices, apart.indptr
        return sp.csr_array(squares, shape=apart.shape) @ self.weights

    def _exchange(self, apart, first, second, rank):
        """Swap pairs of items in the order of their rank, while that pays.

        The costs are stale after the first swap: try few, then more and more.
        """
        source, target = self.part[first], self.part[second]
        failed = np.zeros(self.n_parts, dtype=bool)
        low, stop, n_swaps = 0, 1, 0
        while low < len(rank) and not failed[source[low:]].all():
            high = rank.searchsorted(stop)
            failed = self._swap(apart, source, target, slice(low, high), failed)
            done = low + np.flatnonzero(~failed[source[low:high]])
            self.part[first[done]], self.part[second[done]] = target[done], source[done]
            n_swaps += len(done)
            low, stop = high, 3 * stop
        return n_swaps

    def _swap(self, apart, source, target, now, failed):
        """Swap some pairs of items, and take back those of the parts that got worse.

        Returns
        -------
        failed : ndarray of bool, shape (n_parts,)
            The source parts where no swap was made, now or before.
        """
        starts = apart.indptr[now.start : now.stop + 1]
        cells, lengths = slice(starts[0], starts[-1]), np.diff(starts)
        column = apart.indices[cells].astype(np.intp)
        here, row = np.repeat(source[now], lengths), column * self.n_parts
        leaves, enters = row + here, row + np.repeat(target[now], lengths)
        value = apart.data[cells] * ~failed[here]
        change = value * self.weights[column]
        pull = self.pull.reshape(-1)
        slope = pull[enters] - pull[leaves]
        _shift(pull, leaves, enters, change)
        # The objective is quadratic: its change is the mean of the slopes.
        slope += pull[enters] - pull[leaves]
        gain = np.bincount(here, value * slope, minlength=self.n_parts)
        failed = gain > -_NOISE
        undo = failed[here]
        _shift(pull, enters[undo], leaves[undo], change[undo])
        return failed


RESET=1;SB=1;ROUNDS=10;MM=160;STEPS=300;FOCUS=1.;TEN=(4,12)
def _tabu_search(costs, overlap, own, rng):
    items = np.arange(len(own))
    best, lowest, change = own, -_NOISE, 0.0
    own = own.copy()
    squares = overlap.diagonal()
    apart = squares[:, None] + squares - 2 * overlap
    tabu = np.zeros(len(own))
    tenure = rng.randint(*TEN, size=(STEPS, 2))
    for step in range(STEPS):
        moves = costs[:, own]
        moves -= costs[items, own][:, None]
        swaps = moves + moves.T + apart
        swaps[own[:, None] == own] = np.inf
        barred = tabu > step
        swaps[barred] = np.inf
        swaps[:, barred] = np.inf
        i, j = divmod(int(swaps.argmin()), len(own))
        if not swaps[i,j] < np.inf: continue
        change += swaps[i, j]
        shift = overlap[:, i] - overlap[:, j]
        costs[:, own[i]] -= shift
        costs[:, own[j]] += shift
        own[i], own[j] = own[j], own[i]
        tabu[[i, j]] = step + tenure[step]
        if change < lowest:
            best, lowest = own.copy(), change
    return best


def _shift(pull, leaves, enters, change):
    np.subtract.at(pull, leaves, change)
    np.add.at(pull, enters, change)


def _counts(items, part, n_parts):
    """Return the counts of each part, shape (n_columns, n_parts)."""
    sums = [items[part == j].sum(axis=0) for j in range(n_parts)]
    return np.transpose(sums)


# ----------------------------------------------------------------------------- together


def _group_items(labels, groups):
    """Return the counts and the number of rows of each group, and who is in which."""
    _, index, n_rows = np.unique(groups, return_inverse=True, return_counts=True)
    ones = np.ones(len(index), dtype=np.int64)
    member = sp.csr_array((ones, (index, np.arange(len(index)))))
    return sp.hstack([member @ labels, n_rows[:, None]], format="csr"), index


SIZEW = 1.0
def stratify(
    labels, sizes, rng=None, groups=None, *, n_labels=None, n_required=0, refine=True,
    importance=None,
):
    """Distribute rows over parts so that each label keeps its share in each.

    Parameters
    ----------
    labels : csr_array of shape (n_samples, n_columns)
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
    n_samples = labels.shape[0]
    given = np.asarray(sizes, dtype=float)
    sizes = _whole(given)
    totals = labels.sum(axis=0)
    weights = 1 / np.maximum(totals * (1 - totals / n_samples), 0.5)
    if importance is not None: weights = weights * importance
    n_labels = n_labels or labels.shape[1]
    loose = _wanted(totals, given, n_required)
    wanted = _wanted(totals, sizes, n_required)
    even = _even_range(loose[:n_labels])
    if groups is None:
        part = _IterativeStratification(labels, loose, given, rng).run()
        if not refine:
            return part
        _level_sizes(part, sizes, np.diff(labels.indptr))
        rng = rng or np.random.RandomState(0)
        return _Refinement(labels, part, wanted, even, weights, rng).run()
    rng = rng or np.random.RandomState(0)
    items, index = _group_items(labels, groups)
    wanted = np.vstack([wanted, sizes])
    weights = np.append(weights, SIZEW*weights.mean())
    order = np.argsort(-items.sum(axis=1), kind="stable")
    part = _place_groups(items, order, wanted, weights)
    if refine:
        n = items.shape[0]
        empty = sp.csr_array((n, items.shape[1]), dtype=items.dtype)
        part = np.concatenate([part, np.arange(n) % len(sizes)])
        items = sp.vstack([items, empty], format="csr")
        part = _Refinement(items, part, wanted, even, weights, rng).run()
    return part[index]
