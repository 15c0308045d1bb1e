"""A tabu search for few items: the best swap of all, even where it costs something.

Sweeps of swaps end in a local minimum, which matters where items are few. On seven real
label matrices in 40 random groups, five folds end at 0.39 to 0.93 times the label
distribution distance without it; in 100 groups, or with rows as items, it changes the
result on one of them (cal500, at 0.83 times) and costs next to nothing.
"""

import numpy as np

from skimbalance._stratification._shares import NOISE

_STEPS = 300
_STEPS_PER_ITEM = 5
_TENURE = 4, 12


def tabu_search(costs, overlap, part, rng):
    """Swap items between parts, and return the best that was seen.

    Each step makes the cheapest swap of two items that did not move lately.

    Parameters
    ----------
    costs : ndarray of shape (n_items, n_parts)
        Slope of the objective when an item comes to a part; changed in place.
    overlap : ndarray of shape (n_items, n_items)
        What two items have in common, weighted.
    part : ndarray of int, shape (n_items,)
    rng : RandomState

    Returns
    -------
    part : ndarray of int, shape (n_items,)
    """
    n_items = len(part)
    best, lowest, change = part, -NOISE, 0.0
    part, tabu_until = part.copy(), np.zeros(n_items)
    squares = overlap.diagonal()
    apart = squares[:, None] + squares - 2 * overlap
    n_steps = min(_STEPS, _STEPS_PER_ITEM * n_items)
    for step, tenure in enumerate(rng.randint(*_TENURE, size=(n_steps, 2))):
        swaps = _swap_costs(costs, apart, part, tabu_until > step)
        i, j = divmod(int(swaps.argmin()), n_items)
        if not swaps[i, j] < np.inf:
            continue
        change += swaps[i, j]
        shift = overlap[:, i] - overlap[:, j]
        costs[:, part[i]] -= shift
        costs[:, part[j]] += shift
        part[i], part[j] = part[j], part[i]
        tabu_until[[i, j]] = step + tenure
        if change < lowest:
            best, lowest = part.copy(), change
    return best


def _swap_costs(costs, apart, part, barred):
    """Return what swapping each two items costs, infinite where it must not be."""
    moves = costs[:, part]
    moves -= moves.diagonal()[:, None].copy()
    swaps = moves + moves.T
    swaps += apart
    swaps[part[:, None] == part] = np.inf
    swaps[barred] = np.inf
    swaps[:, barred] = np.inf
    return swaps
