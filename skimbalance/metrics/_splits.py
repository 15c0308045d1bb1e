"""Measures of stratification: labels, label pairs and rows in the test parts."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import scipy.sparse as sp

from skimbalance._counts import MISSING, entries_with
from skimbalance._labels import check_label_matrix

_PAIRS = (
    "splits must hold pairs (train, test) of row indices, as the split method of a "
    "splitter yields them."
)


def _test_parts(splits, n_samples=None):
    """Return the test rows of splits, checked to be row indices."""
    if not isinstance(splits, Iterable):
        raise TypeError(f"{_PAIRS} Got {splits!r}.")
    splits = list(splits)
    if not splits:
        raise ValueError("splits is empty: at least one pair (train, test) is needed.")
    if any(not isinstance(pair, tuple | list) or len(pair) != 2 for pair in splits):
        raise ValueError(_PAIRS)
    tests = [np.asarray(test) for _, test in splits]
    if any(test.ndim != 1 for test in tests):
        raise ValueError(_PAIRS)
    if any(test.dtype == bool for test in tests):
        raise ValueError("splits must hold row indices, not masks: use np.flatnonzero.")
    if any(len(test) and test.dtype.kind not in "iu" for test in tests):
        raise ValueError("splits must hold row indices, which are integers.")
    tests = [test.astype(np.intp) for test in tests]
    if min(test.min(initial=0) for test in tests) < 0:
        raise ValueError("splits has negative row indices.")
    last = max(test.max(initial=-1) for test in tests)
    if n_samples is not None and last >= n_samples:
        raise ValueError(f"splits has row indices of more than the {n_samples} rows.")
    return tests


def _positive_and_missing(y) -> Any:
    """Return the indicators of the positive and of the missing entries."""
    labels = check_label_matrix(y)
    if sp.issparse(labels):
        both = entries_with(labels, 1), entries_with(labels, MISSING)
    else:
        both = sp.csr_array(labels == 1), sp.csr_array(labels == MISSING)
    # Products of int8 indicators overflow from 128 shared rows on.
    return [entries.astype(np.int32) for entries in both]


def _label_counts(positive, missing):
    """Return the positives and the observed entries of each label."""
    return positive.sum(axis=0), positive.shape[0] - missing.sum(axis=0)


def _odds(positive, observed):
    """Return positives over negatives: 0 without positives, inf without negatives."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(positive > 0, positive / (observed - positive), 0.0)


def _mean_distance(whole, tests):
    """Return the mean distance of the odds in the test parts from those of all rows."""
    positive, observed = whole
    varies = (positive > 0) & (positive < observed)
    if not varies.any():
        return 0.0
    odds = _odds(positive[varies], observed[varies])
    return float(
        np.mean([np.abs(_odds(n[varies], of[varies]) - odds).mean() for n, of in tests])
    )


def label_distribution_distance(y, splits) -> float:
    """Compute how far the frequencies of the labels differ between the test parts.

    The distance of a label in a test part is that between its odds, positives over
    negatives, there and in all rows; the result is the mean over labels and parts [1]_.

    Parameters
    ----------
    y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
        0, 1 and NaN for a missing label, which is left out.
    splits : iterable of (train, test)
        Row indices, as ``cv.split(X, y)`` yields them.

    Returns
    -------
    distance : float
        0 if all odds are the same, which whole numbers seldom allow; infinite if a
        label that has negatives has none in a test part. Labels without positives or
        without negatives are left out.

    Raises
    ------
    ValueError
        If `y` is no label matrix, or `splits` is empty or no pairs of row indices.

    References
    ----------
    .. [1] Sechidis, Tsoumakas, Vlahavas, "On the Stratification of Multi-Label Data",
       ECML PKDD 2011.

    Examples
    --------
    >>> from skimbalance.metrics import label_distribution_distance
    >>> Y = [[1, 0], [1, 1], [0, 1], [0, 0]]
    >>> label_distribution_distance(Y, [([0, 2], [1, 3]), ([1, 3], [0, 2])])
    0.0
    """
    positive, missing = _positive_and_missing(y)
    tests = _test_parts(splits, positive.shape[0])
    return _mean_distance(
        _label_counts(positive, missing),
        [_label_counts(positive[test], missing[test]) for test in tests],
    )


def _pair_counts(positive, missing, pairs):
    """Return the rows with both labels of pairs, and those where both are observed."""
    first, second = pairs
    n_missing = missing.sum(axis=0)
    # Rows in which both are missing were subtracted twice.
    observed = positive.shape[0] - n_missing[first] - n_missing[second]
    return _count_both(positive, pairs), observed + _count_both(missing, pairs)


def _count_both(entries, pairs):
    """Return the number of rows that store both labels of each pair."""
    if len(pairs[0]) == 0:  # scipy indexes with no pairs as with none at all
        return np.zeros(0)
    return np.asarray((entries.T @ entries).tocsr()[pairs]).ravel()


def label_pair_distribution_distance(y, splits) -> float:
    """Compute how far the frequencies of label pairs differ between the test parts.

    As `label_distribution_distance`, but of all pairs of labels that some row has [1]_.

    Parameters
    ----------
    y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
        0, 1 and NaN for a missing label; a pair is observed where both labels are.
    splits : iterable of (train, test)
        Row indices, as ``cv.split(X, y)`` yields them.

    Returns
    -------
    distance : float
        0 if all odds are the same, or no row has two labels.

    Raises
    ------
    ValueError
        If `y` is no label matrix, or `splits` is empty or no pairs of row indices.

    References
    ----------
    .. [1] Szymanski, Kajdanowicz, "A Network Perspective on Stratification of
       Multi-Label Data", LIDTA 2017.

    Examples
    --------
    >>> from skimbalance.metrics import label_pair_distribution_distance
    >>> Y = [[1, 1], [1, 1], [0, 1], [0, 0]]
    >>> label_pair_distribution_distance(Y, [([0, 2], [1, 3]), ([1, 3], [0, 2])])
    0.0
    """
    positive, missing = _positive_and_missing(y)
    tests = _test_parts(splits, positive.shape[0])
    pairs = sp.triu(positive.T @ positive, 1).nonzero()
    return _mean_distance(
        _pair_counts(positive, missing, pairs),
        [_pair_counts(positive[test], missing[test], pairs) for test in tests],
    )


def example_distribution_distance(splits) -> float:
    """Compute how far the sizes of the test parts differ.

    The mean distance of a test part's number of rows from their mean [1]_.

    Parameters
    ----------
    splits : iterable of (train, test)
        Row indices, as ``cv.split(X, y)`` yields them.

    Returns
    -------
    distance : float
        In rows; 0 if all parts have the same size.

    Raises
    ------
    ValueError
        If `splits` is empty or no pairs of row indices.

    References
    ----------
    .. [1] Sechidis, Tsoumakas, Vlahavas, "On the Stratification of Multi-Label Data",
       ECML PKDD 2011.

    Examples
    --------
    >>> from skimbalance.metrics import example_distribution_distance
    >>> example_distribution_distance([([0], [1, 2, 3]), ([1, 2, 3], [0])])
    1.0
    """
    sizes = [len(test) for test in _test_parts(splits)]
    return float(np.abs(np.array(sizes) - np.mean(sizes)).mean())


def empty_label_fold_count(y, splits) -> int:
    """Count the pairs of a label and a test part without a positive of it.

    Parameters
    ----------
    y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
        0, 1 and NaN for a missing label.
    splits : iterable of (train, test)
        Row indices, as ``cv.split(X, y)`` yields them.

    Returns
    -------
    count : int
        0 if each label that has positives has one in each test part.

    Raises
    ------
    ValueError
        If `y` is no label matrix, or `splits` is empty or no pairs of row indices.

    References
    ----------
    .. [1] Sechidis, Tsoumakas, Vlahavas, "On the Stratification of Multi-Label Data",
       ECML PKDD 2011.

    Examples
    --------
    >>> from skimbalance.metrics import empty_label_fold_count
    >>> Y = [[1, 0], [1, 1], [0, 1], [0, 0]]
    >>> empty_label_fold_count(Y, [([2, 3], [0, 1]), ([0, 1], [2, 3])])
    1
    """
    positive, _ = _positive_and_missing(y)
    present = positive.sum(axis=0) > 0
    tests = _test_parts(splits, positive.shape[0])
    return sum(
        int(np.count_nonzero(positive[test].sum(axis=0)[present] == 0))
        for test in tests
    )
