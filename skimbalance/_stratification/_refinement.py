"""Swaps between parts, many at a time, while they lower the deviation."""

import numpy as np
import scipy.sparse as sp

from skimbalance._stratification._search import tabu_search
from skimbalance._stratification._shares import NOISE

_CELLS_PER_CHUNK = 65_536
_ITEMS_PER_CHUNK = 128, 2048
_LOAD = 2_000_000
_SWEEPS = 1, 300
_LARGEST_BOOST = 1000
_SEARCHED_ITEMS = 160
_SEARCHES = 10, 40
# Positives astray that are as bad as a label that a part lacks altogether.
_LACK = 20


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


class Refinement:
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
        From `even_range`, for the labels, which are the first columns.
    weights : ndarray of shape (n_columns,)
    rng : RandomState
    """

    def __init__(self, items, part, wanted, even, weights, rng):
        self.items, self.wanted, self.rng = items, wanted, rng
        self.n_labels, self.n_parts = even[0].shape
        self.even, self.fair_weights, self.weights = even, weights, weights.copy()
        self.mean = wanted.sum(axis=1) / items.shape[0]
        self.small = len(part) <= _SEARCHED_ITEMS
        self.settled, self.lowest = False, (np.inf, np.inf)
        self._restart(part)
        self._weigh_items()

    def run(self):
        """Swap until all is even or no time is left; return the best parts seen."""
        self._sweep_repeatedly()
        if self.settled:
            self._search_repeatedly()
        return self.found

    def _sweep_repeatedly(self):
        lacking, uneven = self._record()
        for turn in range(self._n_sweeps()):
            if turn:
                self._boost(uneven if self.settled else lacking)
            n_swaps = self._sweep()
            lacking, uneven = self._record()
            self.settled |= n_swaps == 0
            if n_swaps == 0 and (self.small or not uneven.any()):
                break

    def _search_repeatedly(self):
        self.weights = self.fair_weights.copy()
        self._restart(self.found.copy())
        few, many = _SEARCHES
        for turn in range(many if self.small else few):
            lacking, uneven = self._record()
            todo = uneven if self.small and turn < few else lacking
            if not todo.any():
                break
            self._boost(todo)
            self._search(todo)
        self._record()

    def _restart(self, part):
        """Take the items where they are said to be."""
        self.part = part
        deviation = part_counts(self.items, part, self.n_parts) - self.wanted
        self.pull = np.ascontiguousarray(self.weights[:, None] * deviation)

    def _record(self):
        """Keep the parts if they are the best yet; return `_unmet`."""
        lacking, uneven = self._unmet()
        state = _LACK * lacking.sum() + uneven.sum(), self._objective()
        # Of equal states the first one stays: the rounding of the sums would choose
        # the same one in every split.
        unmet, objective = self.lowest
        if state < (unmet, objective * (1 - NOISE)):
            self.lowest, self.found = state, self.part.copy()
        return lacking, uneven

    def _search(self, unmet):
        """Search among some items, those that have an unmet label first."""
        first = self.items[:, np.flatnonzero(unmet)].sum(axis=1) > 0
        key = self.rng.uniform(size=len(self.part)) - first
        chosen = np.argsort(key)[:_SEARCHED_ITEMS]
        items, part = self.items[chosen].astype(float), self.part.copy()
        weighted = items.data * self.weights[items.indices], items.indices, items.indptr
        overlap = (sp.csr_array(weighted, shape=items.shape) @ items.T).toarray()
        part[chosen] = tabu_search(items @ self.pull, overlap, part[chosen], self.rng)
        self._restart(part)

    def _sweep(self):
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

    def _boost(self, unmet):
        """Raise the weights of the labels that are unmet, by turns."""
        labels = np.flatnonzero(unmet)
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
        common = self.weights * self.mean
        self.burden = self._distance(self.items) - 2 * (self.items @ common)
        self.burden += common @ self.mean

    def _improve(self, chosen):
        """Swap some of the chosen items; return how many pairs."""
        items, own = self.items[chosen], self.part[chosen]
        costs = self._moving_costs(items, own, chosen)
        bound = np.inf if self.settled else -NOISE
        left, right, cost = _candidates(costs, own, bound)
        if self.settled:
            burden = self.burden[chosen]
            cost += self._distance(items[left] - items[right])
            cost -= burden[left] + burden[right]
            order = cost.argsort(kind="stable")
            order = order[cost[order] < -NOISE]
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

    def _distance(self, apart):
        """Return the weighted squares of some rows."""
        squares = apart.data**2, apart.indices, apart.indptr
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
        failed = gain > -NOISE
        undo = failed[here]
        _shift(pull, enters[undo], leaves[undo], change[undo])
        return failed


def _shift(pull, leaves, enters, change):
    np.subtract.at(pull, leaves, change)
    np.add.at(pull, enters, change)


def part_counts(items, part, n_parts):
    """Return the counts of each part, shape (n_columns, n_parts)."""
    sums = [items[part == j].sum(axis=0) for j in range(n_parts)]
    return np.transpose(sums)
