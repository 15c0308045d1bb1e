"""Which part each row goes to: iterative stratification, refined by swaps.

The rarest label is distributed first, each of its rows to the part that wants it most
(Sechidis et al., 2011). Within one label the order in which the parts are served does
not depend on which row comes next, so a whole label is placed at once.

The refinement then swaps rows between parts, many at a time, while that lowers the
squared deviation of the label counts from what each part should have. Labels that a
part still lacks, or that stay uneven where nothing can be gained any more, get more
weight from sweep to sweep. Where the few last ones resist, a tabu search follows.

Groups are items with label counts instead of rows with labels; all else is the same.
"""

import numpy as np
import scipy.sparse as sp

from skimbalance._stratification._columns import (
    group_items,
    label_pairs,
    missing,
    positives,
)
from skimbalance._stratification._greedy import (
    IterativeStratification,
    fill_parts,
    level_sizes,
    place_groups,
)
from skimbalance._stratification._refinement import Refinement, part_counts
from skimbalance._stratification._shares import (
    attainable,
    even_range,
    importance,
    wanted_counts,
    whole_sizes,
)

__all__ = ["label_pairs", "missing", "part_counts", "positives", "stratify"]


def stratify(
    labels, sizes, rng=None, groups=None, *, extra=None, n_required=0, refine=True
):
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
    extra : csr_array of shape (n_samples, n_columns) or None
        What else is to be spread: missing cells, pairs of labels.
    n_required : int
        The first parts get a positive of each label that has as many.
    refine : bool
        Swap rows after the greedy distribution, which makes the sizes exact too.

    Returns
    -------
    part : ndarray of int, shape (n_samples,)
    """
    sizes, n_labels = np.asarray(sizes, dtype=float), labels.shape[1]
    columns = labels if extra is None else sp.hstack([labels, extra], format="csr")
    totals = columns.sum(axis=0)
    weights = importance(totals, columns.shape[0], n_labels)
    loose = wanted_counts(totals, sizes, n_required)
    whole = whole_sizes(sizes)
    target = (
        wanted_counts(totals, whole, n_required),
        even_range(loose[:n_labels]),
        weights,
    )
    if groups is not None:
        return _stratify_groups(columns, groups, whole, target, rng, refine)
    part = IterativeStratification(columns, loose, sizes, rng).run()
    if not refine:
        return part
    level_sizes(part, whole, np.diff(labels.indptr), rng)
    return Refinement(columns, part, *target, _or_fixed(rng)).run()


def _stratify_groups(columns, groups, sizes, target, rng, refine):
    wanted, even, weights = target
    items, index = group_items(columns, groups)
    even = attainable(even, items)
    # The number of rows is one more column, as important as a label is on average.
    wanted, weights = np.vstack([wanted, sizes]), np.append(weights, weights.mean())
    part = place_groups(items, wanted, weights, rng)
    if refine:
        # A move is a swap with an item that holds nothing.
        nothing = sp.csr_array(items.shape, dtype=items.dtype)
        both = sp.vstack([items, nothing], format="csr")
        start = np.concatenate([part, np.arange(len(part)) % len(sizes)])
        refined = Refinement(both, start, wanted, even, weights, _or_fixed(rng)).run()
        part = refined[: len(part)]
    fill_parts(part, len(sizes), items[:, [-1]].toarray().ravel())
    return part[index]


def _or_fixed(rng):
    return rng or np.random.RandomState(0)
