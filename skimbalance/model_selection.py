"""Splitters that keep every label represented in every part.

Iterative stratification (Sechidis et al., 2011) on dense or sparse label matrices,
which are never densified.
"""

import numpy as np
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_random_state, indexable

from skimbalance._stratification import positives
from skimbalance._stratification import stratify as distribute
from skimbalance._validation import (
    check_interval,
    check_target,
    n_samples_of,
    split_sizes,
    take_rows,
)

__all__ = [
    "MultilabelStratifiedKFold",
    "multilabel_train_test_split",
]


class MultilabelStratifiedKFold(BaseCrossValidator):
    """K folds in which every label keeps its share.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    shuffle : bool, default=False
        Take the rows in random order.
    random_state : int, RandomState instance or None, default=None
        Used when `shuffle` is True.

    Raises
    ------
    ValueError
        If `n_splits` is below 2 or no integer, or `random_state` is set without
        `shuffle`; in `split`, if there are fewer rows than folds.

    References
    ----------
    .. [1] Sechidis, Tsoumakas, Vlahavas, "On the Stratification of Multi-Label Data",
       ECML PKDD 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.model_selection import MultilabelStratifiedKFold
    >>> Y = np.array([[1, 0], [1, 0], [0, 1], [0, 1]])
    >>> for train, test in MultilabelStratifiedKFold(2).split(Y, Y):
    ...     print(Y[test].sum(axis=0))
    [1 1]
    [1 1]
    """

    def __init__(self, n_splits=5, *, shuffle=False, random_state=None):
        check_interval("n_splits", n_splits, 2)
        if int(n_splits) != n_splits:
            raise ValueError(f"n_splits={n_splits!r} must be an integer.")
        if not shuffle and random_state is not None:
            raise ValueError(
                "Setting a random_state has no effect since shuffle is False. Leave "
                "random_state to its default (None), or set shuffle=True."
            )
        self.n_splits = int(n_splits)
        self.shuffle = shuffle
        self.random_state = random_state

    def get_n_splits(self, X=None, y=None, groups=None):  # noqa: ARG002
        """Return the number of folds.

        Parameters
        ----------
        X, y, groups : object
            Ignored.

        Returns
        -------
        n_splits : int
            The number of folds.
        """
        return self.n_splits

    def split(self, X, y, groups=None):
        """Generate the indices of training and test rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Only its length is used.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
            The targets, 0, 1 and NaN for a label matrix.
        groups : None
            Ignored.

        Yields
        ------
        train, test : ndarray of int
            Row indices.

        Raises
        ------
        ValueError
            If there are fewer rows than folds, or lengths differ.
        """
        return super().split(X, y, groups)

    def _iter_test_indices(self, X=None, y=None, groups=None):  # noqa: ARG002
        labels = positives(check_target(y).values)
        if labels.shape[0] < self.n_splits:
            raise ValueError(
                f"Cannot have number of splits n_splits={self.n_splits} greater than "
                f"the number of samples: n_samples={labels.shape[0]}."
            )
        rng = check_random_state(self.random_state) if self.shuffle else None
        sizes = np.full(self.n_splits, labels.shape[0] / self.n_splits)
        fold = distribute(labels, sizes, rng)
        for k in range(self.n_splits):
            yield np.flatnonzero(fold == k)


def multilabel_train_test_split(
    *arrays, stratify, groups=None, test_size=None, train_size=None, random_state=None
):
    """Split arrays into training and test rows in which every label keeps its share.

    Parameters
    ----------
    *arrays : sequence of array-likes, sparse matrices or data frames of length
    n_samples
        What to split.
    stratify : {array-like, sparse matrix} of shape (n_samples, n_labels) or
    (n_samples,)
        The targets that the split keeps in proportion.
    groups : array-like of shape (n_samples,), default=None
        Rows of one group stay on one side; the sizes are kept as closely as they allow.
    test_size : float or int, default=None
        Share or number of the test rows; by default what `train_size` leaves, or 0.25.
    train_size : float or int, default=None
        Share or number of the training rows.
    random_state : int, RandomState instance or None, default=None
        Of the order in which rows are taken.

    Returns
    -------
    splitting : list of length 2 * len(arrays)
        For each array its training and its test rows.

    Raises
    ------
    ValueError
        If lengths differ or the sizes make no sense.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.model_selection import multilabel_train_test_split
    >>> X, Y = np.arange(8).reshape(-1, 1), np.tile([[1, 0], [0, 1]], (4, 1))
    >>> X_train, X_test, Y_train, Y_test = multilabel_train_test_split(
    ...     X, Y, stratify=Y, random_state=0)
    >>> Y_test.sum(axis=0)
    array([1, 1])
    """
    if not arrays:
        raise ValueError("At least one array required as input")
    *arrays, stratify, groups = indexable(*arrays, stratify, groups)
    n_samples = n_samples_of(arrays[0])
    n_train, n_test = split_sizes(n_samples, test_size, train_size)
    sizes = np.array([n_train, n_test, n_samples - n_train - n_test])
    rng = check_random_state(random_state)
    labels = positives(check_target(stratify).values)
    part = distribute(labels, sizes, rng, groups)
    parts = [np.flatnonzero(part == k) for k in range(2)]
    return [take_rows(array, rows) for array in arrays for rows in parts]
