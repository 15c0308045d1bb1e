"""A label matrix one label at a time, and counts along the scores of a label.

Every score, threshold and calibrator reads a label as three arrays: its targets, its
scores and its weights, over the cells that were observed.
"""

import numpy as np
import scipy.sparse as sp

from skimbalance._counts import SparseWeights

_BLOCK = 64
_BUCKET_BITS = 14
_RARE = 12


def iter_columns(labels, scores, weight=None):
    """Yield for each label its targets, scores and weights over the observed cells.

    Parameters
    ----------
    labels : ndarray or sparse array of int8, shape (n_samples, n_labels)
        1, 0, and below 0 where the label is missing.
    scores : ndarray of shape (n_samples, n_labels)
        Anything said of each cell.
    weight : None, ndarray or SparseWeights
        Of rows or entries.

    Yields
    ------
    target : ndarray of bool, shape (n_observed,)
    score : ndarray of shape (n_observed,)
    weight : ndarray of float64, shape (n_observed,), or None
    """
    if sp.issparse(labels):
        labels = labels.tocsc()
    if isinstance(weight, SparseWeights):
        weight = weight.tocsc()
    for start in range(0, labels.shape[1], _BLOCK):
        columns = slice(start, start + _BLOCK)
        # Columns of a C-ordered matrix are slow to walk; a few at a time are not.
        targets = _transposed(labels, columns)
        observed = targets >= 0
        weights = _block_weights(weight, columns, len(targets))
        complete = observed.all(axis=1)
        block = zip(targets == 1, _transposed(scores, columns), weights, strict=True)
        for k, (target, score, w) in enumerate(block):
            if complete[k]:
                yield target, score, w
            else:
                seen = observed[k]
                yield target[seen], score[seen], None if w is None else w[seen]


def _transposed(matrix, columns):
    block = matrix[:, columns]
    if not isinstance(block, np.ndarray):
        block = block.toarray()
    return np.ascontiguousarray(block.T)


def _block_weights(weight, columns, n_columns):
    """Return the weights of each column of a block."""
    if weight is None or weight.ndim == 1:
        return [weight] * n_columns
    return _transposed(weight, columns)


def all_entries(labels, scores, weight=None):
    """Return the observed cells of all labels as the columns of one binary problem."""
    cells = labels.toarray() if sp.issparse(labels) else labels
    if weight is not None and weight.ndim == 1:
        weight = np.repeat(weight, cells.shape[1])
    elif weight is not None:
        weight = weight.toarray() if isinstance(weight, SparseWeights) else weight
        weight = weight.ravel()
    return next(iter_columns(cells.reshape(-1, 1), scores.reshape(-1, 1), weight))


def mass_at_least(score, levels, weight=None):
    """Return how many scores, or how much weight, reach each level.

    Parameters
    ----------
    score : ndarray of shape (n_samples,)
        Finite.
    levels : ndarray of shape (n_levels,)
        In ascending order.
    weight : ndarray of shape (n_samples,) or None
        None counts.

    Returns
    -------
    mass : ndarray of int or float64, shape (n_levels,)
    """
    if weight is not None:
        order = np.argsort(score)
        from_here = np.append(np.cumsum(weight[order][::-1])[::-1], 0.0)
        return from_here[np.searchsorted(score[order], levels)]
    if len(levels) * _RARE < len(score):
        return _count_at_few_levels(score, levels)
    return len(score) - np.searchsorted(np.sort(score), levels)


def _count_at_few_levels(score, levels):
    """Count without sorting: only scores that share a bucket with a level compete.

    A rare label has few levels, so most scores are counted by bucket alone. Measured on
    16,000 scores in double precision with 1 % positives: 0.4 to 0.5 of a sort's time.
    """
    buckets = _buckets(np.concatenate([levels, score]))
    of_level, of_score = buckets[: len(levels)], buckets[len(levels) :]
    size = np.bincount(of_score, minlength=2**_BUCKET_BITS)
    contested = np.zeros(len(size), dtype=bool)
    contested[of_level] = True
    held = np.flatnonzero(contested)
    rivals = np.sort(score[contested[of_score]])
    uncontested = np.add.reduceat(size, held) - size[held]
    above = uncontested[::-1].cumsum()[::-1]
    won = len(rivals) - np.searchsorted(rivals, levels)
    return above[np.searchsorted(held, of_level)] + won


def _buckets(values):
    """Return integers below 2 ** _BUCKET_BITS that never fall where the values rise.

    The bits of a float32, read as an integer, rise with it, and as fast in each octave:
    buckets suit probabilities of 1e-4 as well as those of 0.5.
    """
    with np.errstate(over="ignore"):
        bits = (values.astype(np.float32) + np.float32(0)).view(np.int32)
    rising = (bits ^ ((bits >> 31) & 0x7FFFFFFF)).astype(np.int64)
    rising -= rising.min()
    return rising >> max(int(rising.max()).bit_length() - _BUCKET_BITS, 0)


def tally(target, score, weight=None):
    """Count what is decided when the cut lies just below each distinct positive.

    Parameters
    ----------
    target : ndarray of bool, shape (n_observed,)
    score : ndarray of shape (n_observed,)
    weight : ndarray of shape (n_observed,) or None

    Returns
    -------
    levels : ndarray of shape (n_levels,)
        The scores of the positives, ascending.
    hits : ndarray of shape (n_levels,)
        Weight of the positives at or above each.
    decided : ndarray of shape (n_levels,)
        Weight of all cells at or above each.
    """
    if weight is not None:
        positive = score[target]
        levels = np.unique(positive)
        hits = mass_at_least(positive, levels, weight[target])
        return levels, hits, mass_at_least(score, levels, weight)
    levels, first = _distinct(np.sort(score[target]))
    return levels, np.count_nonzero(target) - first, mass_at_least(score, levels)


def _distinct(ranked):
    """Return the distinct ones of sorted values, and where each comes first."""
    new = np.ones(len(ranked), dtype=bool)
    np.not_equal(ranked[1:], ranked[:-1], out=new[1:])
    first = np.flatnonzero(new)
    return ranked[first], first


def ratio(numerator, denominator, undefined=np.nan):
    """Return quotients, and `undefined` where the denominator is not above 0."""
    out = np.full(np.shape(denominator), undefined, dtype=np.float64)
    np.divide(numerator, denominator, out=out, where=np.asarray(denominator) > 0)
    return out[()]


def f_beta_of_counts(beta, hit, false_positive, missed):
    """Return the F-beta score of counts, or arrays of them; NaN where all are 0."""
    relevant = (1 + beta**2) * hit + beta**2 * missed + false_positive
    return ratio((1 + beta**2) * hit, relevant)


def total(weight, cells):
    """Return how many of some cells there are, or their weight."""
    if weight is None:
        return np.count_nonzero(cells)
    return weight[cells].sum()


def confusion(target, decided, weight=None):
    """Return the true positives, false positives, false negatives, true negatives.

    Parameters
    ----------
    target, decided : ndarray of bool, shape (n_observed,)
    weight : ndarray of shape (n_observed,) or None
    """
    if weight is not None:
        # A difference of sums would leave rounding noise where there is nothing.
        cells = target & decided, decided & ~target, target & ~decided
        return *(total(weight, each) for each in cells), total(
            weight, ~(target | decided)
        )
    hit = np.count_nonzero(target & decided)
    false_positive = np.count_nonzero(decided) - hit
    missed = np.count_nonzero(target) - hit
    return hit, false_positive, missed, len(target) - hit - false_positive - missed
