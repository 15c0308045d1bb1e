"""Resamplers of label matrices that remove rows with frequent labels.

They follow imbalanced-learn's interface, and run in its pipelines. Each is meant to be
the algorithm of its paper, as descriptions and implementations in Java (Mulan) and R
give it; the papers themselves were not compared line by line. The docstrings say where
the R package mldr.resampling (0.2.3) differs.
"""

from abc import abstractmethod
from numbers import Real
from typing import ClassVar

import numpy as np

from skimbalance._columns import ratio
from skimbalance._neighbors import Features, nearest_rows
from skimbalance._resampling import (
    CATEGORICAL,
    N_JOBS,
    N_NEIGHBORS,
    Imbalance,
    LocalImbalance,
    RowSampler,
    adjusted_hamming,
    draw_in_rounds,
    n_resampled,
    rows_of_label_sets,
    rows_of_labels,
    spread,
)
from skimbalance._validation import Number

__all__ = ["LPRUS", "MLRUS", "MLTL", "MLUL", "MLeNN"]

_FRACTION = [Number(Real, 0, 1, closed="neither")]
_THRESHOLD = [Number(Real, 0, 1, closed="both")]
# A choice, less than the samplers that add rows: what is removed teaches nothing.
_REMOVED = 0.1


class _UnderSampler(RowSampler):
    """Base of the samplers that remove rows and keep the order of the others."""

    def _fit_resample(self, X, y):
        kept = np.ones(y.shape[0], dtype=bool)
        kept[self._removed(X, y)] = False
        rows = np.flatnonzero(kept)
        return rows, y[rows]

    @abstractmethod
    def _removed(self, X, y):
        """Return which rows are removed, as indices or as a mask."""


class LPRUS(_UnderSampler):
    """Remove rows of frequent label sets (LP-RUS).

    Rows are grouped by their label set. Sets of more rows than the mean lose rows
    drawn at random, each down to the mean at most: in equal parts from the smallest of
    these sets to the largest, where the smaller ones leave over what they cannot
    give [1]_.

    Parameters
    ----------
    sampling_strategy : float, default=0.1
        The number of removed rows as a fraction of the rows. With all sets at the
        mean, sampling stops with a `ResamplingWarning`.

    random_state : int, RandomState instance or None, default=None
        Seed of the draws.

    Attributes
    ----------
    sample_indices_ : ndarray of int
        The rows of the input that are kept, in their order.

    n_features_in_ : int
        Number of columns of `X`.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, when they are strings.

    See Also
    --------
    MLRUS : Removes rows of frequent labels.
    skimbalance.over_sampling.LPROS : Clones rows of rare label sets.

    Notes
    -----
    mldr.resampling rounds the number for each set, and deletes whole sets where it
    rounds to 0.

    References
    ----------
    .. [1] Charte, Rivera, del Jesus, Herrera, "Addressing Imbalance in Multilabel
       Classification: Measures and Random Resampling Algorithms", Neurocomputing 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.under_sampling import LPRUS
    >>> Y = np.array([[1, 0]] * 8 + [[1, 1]] * 2)
    >>> sampler = LPRUS(sampling_strategy=0.3, random_state=0)
    >>> X_new, Y_new = sampler.fit_resample(np.arange(10)[:, None], Y)
    >>> Y_new.sum(axis=0)
    array([7, 2])
    """

    _parameter_constraints: ClassVar[dict] = {
        "sampling_strategy": _FRACTION,
        "random_state": ["random_state"],
    }
    _for_classes = "imblearn.under_sampling.RandomUnderSampler"

    def __init__(self, *, sampling_strategy=_REMOVED, random_state=None):
        self.sampling_strategy = sampling_strategy
        self.random_state = random_state

    def _removed(self, X, y):  # noqa: ARG002
        n_samples, rng = y.shape[0], self._random()
        bags = rows_of_label_sets(y)
        rng.shuffle(bags)  # chance decides which of equal sets give what is left over
        sizes = np.array([len(bag) for bag in bags])
        beyond = np.floor(sizes - n_samples / len(bags))
        asked = n_resampled(self.sampling_strategy, n_samples)
        amounts = spread(asked, np.maximum(beyond, 0).astype(np.intp))
        why = "no label set may fall below the mean size of the label sets"
        self._warn_unreached(amounts.sum(), asked, n_samples, why)
        return np.concatenate(
            [
                rng.choice(bag, n, replace=False)
                for bag, n in zip(bags, amounts, strict=True)
            ]
        )


class MLRUS(_UnderSampler):
    """Remove rows of frequent labels (ML-RUS).

    Labels are frequent if their imbalance ratio is below the mean. In rounds a row of
    each of them is drawn and removed; a label whose ratio has come up to the mean is
    left out from then on [1]_.

    Parameters
    ----------
    sampling_strategy : float, default=0.1
        The number of removed rows as a fraction of the rows. Without a frequent label
        left, sampling stops with a `ResamplingWarning`.

    random_state : int, RandomState instance or None, default=None
        Seed of the draws.

    Attributes
    ----------
    sample_indices_ : ndarray of int
        The rows of the input that are kept, in their order.

    n_features_in_ : int
        Number of columns of `X`.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, when they are strings.

    See Also
    --------
    MLeNN : Removes no row with a rare label.

    Notes
    -----
    Rows without labels stay. A row that also has a rare label may go, since the
    algorithm of the paper draws by one label at a time. Ratios follow the counts, the
    mean stays that of the input. mldr.resampling draws once, with replacement, from
    all rows without a rare label, and so removes fewer rows than it is asked to.

    References
    ----------
    .. [1] Charte, Rivera, del Jesus, Herrera, "Addressing Imbalance in Multilabel
       Classification: Measures and Random Resampling Algorithms", Neurocomputing 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.under_sampling import MLRUS
    >>> Y = np.array([[1, 0]] * 8 + [[0, 1]] * 2)
    >>> sampler = MLRUS(sampling_strategy=0.3, random_state=0)
    >>> X_new, Y_new = sampler.fit_resample(np.arange(10)[:, None], Y)
    >>> Y_new.sum(axis=0)
    array([5, 2])
    """

    _parameter_constraints: ClassVar[dict] = LPRUS._parameter_constraints
    _for_classes = LPRUS._for_classes

    def __init__(self, *, sampling_strategy=_REMOVED, random_state=None):
        self.sampling_strategy = sampling_strategy
        self.random_state = random_state

    def _removed(self, X, y):  # noqa: ARG002
        n_samples = y.shape[0]
        imbalance = Imbalance.of(y)
        bags = rows_of_labels(y, imbalance.majority)
        asked = n_resampled(self.sampling_strategy, n_samples)
        removed = draw_in_rounds(y, bags, asked, -1, imbalance.mean, self._random())
        why = "no label is left whose imbalance ratio is below the mean"
        self._warn_unreached(len(removed), asked, n_samples, why)
        return np.array(removed, dtype=np.intp)


class MLeNN(_UnderSampler):
    """Remove rows of frequent labels that differ from their neighbours (MLeNN).

    An edited nearest-neighbour rule. A row may go if it has a label whose imbalance
    ratio is below the mean, and none above; it goes if its labels differ from those of
    at least half of its nearest neighbours [1]_.

    Parameters
    ----------
    n_neighbors : int, default=3
        Number of neighbours, less than the number of rows.

    threshold : float, default=0.75
        Two rows differ if their adjusted Hamming distance exceeds it: the number of
        labels that one of them has, over the sum of the numbers of labels of both.

    categorical_features : "auto", None or array-like of shape (n_categorical,) or \
            (n_features,), default="auto"
        Nominal columns, by name, position or mask. ``"auto"`` takes the columns of a
        data frame that are no numbers, bools included, and none of an array.

    n_jobs : int or None, default=None
        As in `sklearn.neighbors.NearestNeighbors`.

    Attributes
    ----------
    sample_indices_ : ndarray of int
        The rows of the input that are kept, in their order.

    n_features_in_ : int
        Number of columns of `X`.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, when they are strings.

    See Also
    --------
    MLTL : Removes only rows next to one that differs.

    Notes
    -----
    Distances are Euclidean, with the value difference metric over all labels for
    nominal values; scale the columns before. Rows without labels stay, but are
    neighbours. All rows are judged by the input. mldr.resampling removes one row only,
    skips the nearest neighbour, and does not protect rare labels.

    References
    ----------
    .. [1] Charte, Rivera, del Jesus, Herrera, "MLeNN: A First Approach to Heuristic
       Multilabel Undersampling", IDEAL 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.under_sampling import MLeNN
    >>> X = np.array([[0.0], [1.0], [2.0], [10.0], [11.0], [12.5]])
    >>> Y = np.array([[1, 0], [1, 0], [1, 0], [1, 0], [0, 1], [0, 1]])
    >>> sampler = MLeNN(n_neighbors=2)
    >>> X_new, Y_new = sampler.fit_resample(X, Y)
    >>> sampler.sample_indices_
    array([0, 1, 2, 4, 5])
    """

    _parameter_constraints: ClassVar[dict] = {
        "n_neighbors": N_NEIGHBORS,
        "threshold": _THRESHOLD,
        "categorical_features": CATEGORICAL,
        "n_jobs": N_JOBS,
    }
    _for_classes = "imblearn.under_sampling.EditedNearestNeighbours"

    def __init__(
        self,
        *,
        n_neighbors=3,
        threshold=0.75,
        categorical_features="auto",
        n_jobs=None,
    ):
        self.n_neighbors = n_neighbors
        self.threshold = threshold
        self.categorical_features = categorical_features
        self.n_jobs = n_jobs

    def _removed(self, X, y):
        points = Features.read(X, self.categorical_features).points(y)
        candidates = np.flatnonzero(Imbalance.of(y).majority_rows(y))
        neighbors = nearest_rows(points, self.n_neighbors, self.n_jobs)[candidates]
        differs = adjusted_hamming(y, candidates, neighbors) > self.threshold
        removed = candidates[differs.sum(axis=1) >= self.n_neighbors / 2]
        if not len(removed):
            self._warn_unchanged(
                "no row without rare labels differs from half of its neighbours; a "
                "lower threshold finds more"
            )
        return removed


class MLTL(_UnderSampler):
    """Remove rows of frequent labels in Tomek links (MLTL).

    Two rows are linked if each is the nearest neighbour of the other, and their labels
    differ. Of a link the rows go that have a label whose imbalance ratio is below the
    mean, and none above [1]_.

    Parameters
    ----------
    threshold : float, default=0.5
        The labels of two rows differ if their adjusted Hamming distance exceeds it:
        the number of labels that one of them has, over the sum of the numbers of
        labels of both.

    categorical_features : "auto", None or array-like of shape (n_categorical,) or \
            (n_features,), default="auto"
        Nominal columns, by name, position or mask. ``"auto"`` takes the columns of a
        data frame that are no numbers, bools included, and none of an array.

    n_jobs : int or None, default=None
        As in `sklearn.neighbors.NearestNeighbors`.

    Attributes
    ----------
    sample_indices_ : ndarray of int
        The rows of the input that are kept, in their order.

    n_features_in_ : int
        Number of columns of `X`.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, when they are strings.

    See Also
    --------
    MLeNN : Removes rows that differ from half of their neighbours.

    Notes
    -----
    Distances are Euclidean, with the value difference metric over all labels for
    nominal values; scale the columns before. mldr.resampling does not test whether
    both rows are nearest neighbours, and removes one row only.

    References
    ----------
    .. [1] Pereira, Costa, Silla, "MLTL: A Multi-Label Approach for the Tomek Link
       Undersampling Algorithm", Neurocomputing 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.under_sampling import MLTL
    >>> X = np.array([[0.0], [1.0], [2.0], [10.0], [11.0], [12.5]])
    >>> Y = np.array([[1, 0], [1, 0], [1, 0], [1, 0], [0, 1], [0, 1]])
    >>> sampler = MLTL()
    >>> X_new, Y_new = sampler.fit_resample(X, Y)
    >>> sampler.sample_indices_
    array([0, 1, 2, 4, 5])
    """

    _parameter_constraints: ClassVar[dict] = {
        "threshold": _THRESHOLD,
        "categorical_features": CATEGORICAL,
        "n_jobs": N_JOBS,
    }
    _for_classes = "imblearn.under_sampling.TomekLinks"

    def __init__(self, *, threshold=0.5, categorical_features="auto", n_jobs=None):
        self.threshold = threshold
        self.categorical_features = categorical_features
        self.n_jobs = n_jobs

    def _removed(self, X, y):
        points = Features.read(X, self.categorical_features).points(y)
        nearest = nearest_rows(points, 1, self.n_jobs)[:, 0]
        is_mutual = nearest[nearest] == np.arange(len(nearest))
        linked = np.flatnonzero(is_mutual & Imbalance.of(y).majority_rows(y))
        distances = adjusted_hamming(y, linked, nearest[linked, None])[:, 0]
        removed = linked[distances > self.threshold]
        if not len(removed):
            self._warn_unchanged(
                "no row without rare labels is in a Tomek link; a lower threshold "
                "finds more"
            )
        return removed


class MLUL(_UnderSampler):
    """Remove rows that make labels hard for their neighbours (MLUL).

    The rarer value of a label is hard in a row whose neighbours have the other one
    (see `MLSOL`). A row is worth keeping for its own difficulty, and, by the mean over
    the rows whose neighbour it is, for their difficulty where it has the same value,
    less that where it has the other. Rows to keep are drawn in proportion to this
    value, moved so that the least is 0 [1]_.

    Parameters
    ----------
    sampling_strategy : float, default=0.1
        The number of removed rows as a fraction of the rows.

    n_neighbors : int, default=5
        Number of neighbours, less than the number of rows.

    categorical_features : "auto", None or array-like of shape (n_categorical,) or \
            (n_features,), default="auto"
        Nominal columns, by name, position or mask. ``"auto"`` takes the columns of a
        data frame that are no numbers, bools included, and none of an array.

    random_state : int, RandomState instance or None, default=None
        Seed of the draws.

    n_jobs : int or None, default=None
        As in `sklearn.neighbors.NearestNeighbors`.

    Attributes
    ----------
    sample_indices_ : ndarray of int
        The rows of the input that are kept, in their order.

    n_features_in_ : int
        Number of columns of `X`.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, when they are strings.

    See Also
    --------
    skimbalance.over_sampling.MLSOL : Appends rows by the same measure.

    Notes
    -----
    Distances are Euclidean, with the value difference metric over all labels for
    nominal values; scale the columns before. mldr.resampling removes all rows without
    labels, and takes the sum over the rows whose neighbour a row is for the mean.

    References
    ----------
    .. [1] Liu, Blekas, Tsoumakas, "Multi-Label Sampling Based on Local Label
       Imbalance", Pattern Recognition 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.under_sampling import MLUL
    >>> X = np.array([[0.0], [1.0], [2.0], [5.0], [7.0], [8.0]])
    >>> Y = np.array([[1, 0], [1, 0], [1, 0], [0, 1], [1, 1], [1, 0]])
    >>> sampler = MLUL(sampling_strategy=0.2, n_neighbors=2, random_state=0)
    >>> X_new, Y_new = sampler.fit_resample(X, Y)
    >>> X_new.shape
    (5, 1)
    """

    _parameter_constraints: ClassVar[dict] = {
        "sampling_strategy": _FRACTION,
        "n_neighbors": N_NEIGHBORS,
        "categorical_features": CATEGORICAL,
        "random_state": ["random_state"],
        "n_jobs": N_JOBS,
    }
    _for_classes = "imblearn.under_sampling.NeighbourhoodCleaningRule"

    def __init__(
        self,
        *,
        sampling_strategy=_REMOVED,
        n_neighbors=5,
        categorical_features="auto",
        random_state=None,
        n_jobs=None,
    ):
        self.sampling_strategy = sampling_strategy
        self.n_neighbors = n_neighbors
        self.categorical_features = categorical_features
        self.random_state = random_state
        self.n_jobs = n_jobs

    def _removed(self, X, y):
        n_samples, rng = y.shape[0], self._random()
        points = Features.read(X, self.categorical_features).points(y)
        neighbors = nearest_rows(points, self.n_neighbors, self.n_jobs)
        local = LocalImbalance.of(y, neighbors)
        weights = local.scores().sum(axis=1)
        asked = n_resampled(self.sampling_strategy, n_samples)
        why = "no row has both like and unlike neighbours for a label"
        self._warn_unreached(asked * weights.any(), asked, n_samples, why)
        if not weights.any():
            return []
        values = weights + _influence(local)
        # The least of exponential variables with these rates are a draw without
        # replacement (Efraimidis and Spirakis, 2006); rows of value 0 come last, in
        # random order.
        times = ratio(
            rng.standard_exponential(n_samples), values - values.min(), undefined=np.inf
        )
        order = np.lexsort((rng.random_sample(n_samples), times))
        return order[n_samples - asked :]


def _influence(local):
    """Return what each row adds to the difficulty that others have, from -1 to 1.

    The mean over the rows whose neighbour it is of their scores, each with a minus
    where the row has the other value of the label.
    """
    received = local.adjacency.T @ local.scores()
    same = local.rarer.multiply(received).sum(axis=1)
    n_reverse = np.bincount(local.adjacency.indices, minlength=local.rarer.shape[0])
    return ratio(2 * same - received.sum(axis=1), n_reverse, undefined=0.0)
