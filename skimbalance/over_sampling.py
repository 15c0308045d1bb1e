"""Resamplers of label matrices that add rows for rare labels.

They follow imbalanced-learn's interface, and run in its pipelines. Each is meant to be
the algorithm of its paper, as descriptions and implementations in Java (Mulan) and R
give it; the papers themselves were not compared line by line. The docstrings say where
the R package mldr.resampling (0.2.3) differs.
"""

from numbers import Real
from typing import ClassVar

import numpy as np
import scipy.sparse as sp

from skimbalance._columns import ratio
from skimbalance._neighbors import NewRows, most_frequent, nearest_rows, row_lengths
from skimbalance._resampling import (
    CATEGORICAL,
    N_JOBS,
    N_NEIGHBORS,
    ROUNDING,
    Imbalance,
    LocalImbalance,
    RowSampler,
    SyntheticSampler,
    draw_in_rounds,
    flip,
    n_resampled,
    only_labels,
    rows_of_label_sets,
    rows_of_labels,
    spread,
)
from skimbalance._validation import Number, StrOptions
from skimbalance.metrics._imbalance import scumble_of_rows

__all__ = ["LPROS", "MLROS", "MLSMOTE", "MLSOL", "REMEDIAL"]

# Choices: a quarter more rows are cloned, as many as keep the other labels near their
# counts; and the fraction of synthetic rows in the published code of MLSOL's authors.
_CLONED, _SYNTHETIC = 0.25, 0.3
_FRACTION = [Number(Real, 0, None, closed="neither")]
_RANKING, _UNION, _INTERSECTION = "ranking", "union", "intersection"
# Liu et al. (2022), after Napierala and Stefanowski (2016): an entry is safe below
# the first fraction of unlike neighbours, borderline below the second, else rare or,
# without like neighbours, an outlier.
_SAFE, _BORDERLINE = 0.3, 0.7
# How far from a seed, as a fraction of the way to the other row, its label reaches.
_REACH_SAFE, _REACH_BORDERLINE = 0.5, 0.75
# Beyond both ends of the way, since a new row may coincide with one of the two.
_REACH_ALWAYS, _REACH_NEVER = 1 + 1e-5, -1e-5


class LPROS(RowSampler):
    """Clone rows of rare label sets (LP-ROS).

    Rows are grouped by their label set. Sets of fewer rows than the mean get copies of
    rows drawn from them with replacement, each up to the mean: in equal parts from the
    largest of these sets to the smallest, where the larger ones leave over what they
    cannot take [1]_.

    Parameters
    ----------
    sampling_strategy : float, default=0.25
        The number of copies as a fraction of the rows. With all rare sets at the mean,
        sampling stops with a `ResamplingWarning`.

    random_state : int, RandomState instance or None, default=None
        Seed of the draws.

    Attributes
    ----------
    sample_indices_ : ndarray of int
        The row of the input that each row of the result copies.

    n_features_in_ : int
        Number of columns of `X`.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, when they are strings.

    See Also
    --------
    MLROS : Clones rows of rare labels.
    skimbalance.under_sampling.LPRUS : Removes rows of frequent label sets.

    Notes
    -----
    A label set is often unique where labels are many; copies of it then also copy
    frequent labels. In mldr.resampling sets may exceed the mean, and the number of
    copies differs from the one asked for.

    References
    ----------
    .. [1] Charte, Rivera, del Jesus, Herrera, "Addressing Imbalance in Multilabel
       Classification: Measures and Random Resampling Algorithms", Neurocomputing 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.over_sampling import LPROS
    >>> Y = np.array([[1, 0]] * 7 + [[1, 1]])
    >>> X_new, Y_new = LPROS(random_state=0).fit_resample(np.arange(8)[:, None], Y)
    >>> Y_new.sum(axis=0)
    array([10,  3])
    """

    _parameter_constraints: ClassVar[dict] = {
        "sampling_strategy": _FRACTION,
        "random_state": ["random_state"],
    }
    _for_classes = "imblearn.over_sampling.RandomOverSampler"

    def __init__(self, *, sampling_strategy=_CLONED, random_state=None):
        self.sampling_strategy = sampling_strategy
        self.random_state = random_state

    def _fit_resample(self, X, y):  # noqa: ARG002
        n_samples, rng = y.shape[0], self._random()
        bags = rows_of_label_sets(y)
        rng.shuffle(bags)  # chance decides which of equal sets get what is left over
        sizes = np.array([len(bag) for bag in bags])
        lacking = np.floor(n_samples / len(bags) - sizes)
        asked = n_resampled(self.sampling_strategy, n_samples)
        amounts = spread(asked, np.maximum(lacking, 0).astype(np.intp))
        clones = [rng.choice(bag, n) for bag, n in zip(bags, amounts, strict=True)]
        why = "no label set may exceed the mean size of the label sets"
        self._warn_unreached(amounts.sum(), asked, n_samples, why)
        rows = np.concatenate([np.arange(n_samples), *clones])
        return rows, y[rows]


class MLROS(RowSampler):
    """Clone rows of rare labels (ML-ROS).

    Labels are rare if their imbalance ratio exceeds the mean. In rounds a row of each
    of them is drawn, with replacement, and copied; a label whose ratio has come down
    to the mean is left out from then on [1]_.

    Parameters
    ----------
    sampling_strategy : float, default=0.25
        The number of copies as a fraction of the rows. Without a rare label left,
        sampling stops with a `ResamplingWarning`.

    random_state : int, RandomState instance or None, default=None
        Seed of the draws.

    Attributes
    ----------
    sample_indices_ : ndarray of int
        The row of the input that each row of the result copies.

    n_features_in_ : int
        Number of columns of `X`.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, when they are strings.

    See Also
    --------
    MLSMOTE : Appends rows between those of rare labels.
    skimbalance.metrics.scumble_score : Whether copies of rare labels are copies of
        frequent ones as well.

    Notes
    -----
    Ratios follow the counts, the mean stays that of the input, as in the paper. The
    last round ends with the number asked for, which random labels get. In
    mldr.resampling no label is ever left out, and the copies of a label with one row
    are copies of other rows.

    References
    ----------
    .. [1] Charte, Rivera, del Jesus, Herrera, "Addressing Imbalance in Multilabel
       Classification: Measures and Random Resampling Algorithms", Neurocomputing 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.over_sampling import MLROS
    >>> Y = np.array([[1, 0]] * 7 + [[0, 1]])
    >>> sampler = MLROS(sampling_strategy=0.125, random_state=0)
    >>> X_new, Y_new = sampler.fit_resample(np.arange(8)[:, None], Y)
    >>> Y_new.sum(axis=0)
    array([7, 2])
    """

    _parameter_constraints: ClassVar[dict] = LPROS._parameter_constraints
    _for_classes = LPROS._for_classes

    def __init__(self, *, sampling_strategy=_CLONED, random_state=None):
        self.sampling_strategy = sampling_strategy
        self.random_state = random_state

    def _fit_resample(self, X, y):  # noqa: ARG002
        n_samples = y.shape[0]
        imbalance = Imbalance.of(y)
        bags = rows_of_labels(y, imbalance.minority)
        asked = n_resampled(self.sampling_strategy, n_samples)
        clones = draw_in_rounds(y, bags, asked, 1, imbalance.mean, self._random())
        why = "no label is left whose imbalance ratio exceeds the mean"
        self._warn_unreached(len(clones), asked, n_samples, why)
        rows = np.concatenate([np.arange(n_samples), np.array(clones, dtype=np.intp)])
        return rows, y[rows]


class REMEDIAL(RowSampler):
    """Split rows in which rare and frequent labels meet.

    A row whose SCUMBLE exceeds the mean becomes two: in its place it keeps the rare
    labels, and a copy at the end has the frequent ones. Counts of labels stay as they
    are. Copies of rare labels are then no copies of frequent ones, so that a sampler
    such as `MLSMOTE` after it does more [1]_.

    Attributes
    ----------
    sample_indices_ : ndarray of int
        The row of the input that each row of the result is made of.

    n_features_in_ : int
        Number of columns of `X`.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, when they are strings.

    See Also
    --------
    skimbalance.metrics.scumble_score : How far frequent and rare labels share rows.

    Notes
    -----
    Each half says that labels are absent which the row has: calibrated probabilities
    of a model that is trained on it are too low. A row whose labels are all rare, or
    all frequent, but differ enough in frequency, leaves a half without labels, as the
    algorithm of the paper has it. mldr.resampling gives the same rows in another order.

    References
    ----------
    .. [1] Charte, Rivera, del Jesus, Herrera, "Resampling Multilabel Datasets by
       Decoupling Highly Imbalanced Labels", HAIS 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.over_sampling import REMEDIAL
    >>> Y = np.array([[1, 0], [1, 0], [1, 1]])
    >>> X_new, Y_new = REMEDIAL().fit_resample(np.arange(3)[:, None], Y)
    >>> X_new.ravel()
    array([0, 1, 2, 2])
    >>> Y_new
    array([[1, 0],
           [1, 0],
           [0, 1],
           [1, 0]])
    """

    _for_classes = "no resampler, since there are no labels to decouple"

    def _fit_resample(self, X, y):  # noqa: ARG002
        imbalance = Imbalance.of(y)
        scumble = scumble_of_rows(y, imbalance.ratios)
        affected = scumble > scumble.mean() + ROUNDING
        if not affected.any():
            self._warn_unchanged("no row has frequent and rare labels")
        frequent = only_labels(y, ~imbalance.minority)
        split = np.flatnonzero(affected)
        rows = np.concatenate([np.arange(y.shape[0]), split])
        # Only the affected rows lose their frequent labels.
        frequent.data *= np.repeat(affected, np.diff(frequent.indptr))
        labels = [y - frequent, frequent[split]]
        return rows, sp.vstack(labels, format="csr")


class MLSMOTE(SyntheticSampler):
    """Append rows between neighbours that share a rare label (MLSMOTE).

    Each row of each label whose imbalance ratio exceeds the mean is a seed: of its
    nearest neighbours among the rows of this label one is drawn, and the new row lies
    between both. A nominal column has the most frequent value of the neighbours. The
    labels are those of more than half of the seed and its neighbours [1]_.

    Parameters
    ----------
    k_neighbors : int, default=5
        Number of neighbours. A label of fewer rows uses those there are; the only row
        of a label is copied.

    label_combination : {"ranking", "union", "intersection"}, default="ranking"
        The labels of a new row: of more than half of the seed and its neighbours, of
        any of them, or of all.

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
    n_features_in_ : int
        Number of columns of `X`.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, when they are strings.

    See Also
    --------
    MLSOL : Chooses the seeds by the labels of their neighbours.
    REMEDIAL : Decouples rare from frequent labels before.

    Notes
    -----
    Distances are Euclidean, and those of nominal values come from the value difference
    metric for the label; scale the columns before. The fraction of the way from the
    seed to the neighbour is drawn for each column. Ratios are those of the input: new
    rows are no seeds. The number of new rows is the sum of the counts of rare labels.

    mldr.resampling skips the nearest neighbour, and moves towards an arbitrary row;
    the results here are those of the paper.

    References
    ----------
    .. [1] Charte, Rivera, del Jesus, Herrera, "MLSMOTE: Approaching Imbalanced
       Multilabel Learning through Synthetic Instance Generation", Knowledge-Based
       Systems 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.over_sampling import MLSMOTE
    >>> X = np.array([[0.0], [1.0], [2.0], [5.0], [7.0]])
    >>> Y = np.array([[1, 0], [1, 0], [1, 0], [1, 1], [0, 1]])
    >>> X_new, Y_new = MLSMOTE(random_state=0).fit_resample(X, Y)
    >>> X_new[5:].round(2).ravel()
    array([6.1 , 5.57])
    >>> Y_new[5:]
    array([[0, 1],
           [0, 1]])
    """

    _parameter_constraints: ClassVar[dict] = {
        "k_neighbors": N_NEIGHBORS,
        "label_combination": [StrOptions({_RANKING, _UNION, _INTERSECTION})],
        "categorical_features": CATEGORICAL,
        "random_state": ["random_state"],
        "n_jobs": N_JOBS,
    }
    _for_classes = "imblearn.over_sampling.SMOTE"

    def __init__(
        self,
        *,
        k_neighbors=5,
        label_combination=_RANKING,
        categorical_features="auto",
        random_state=None,
        n_jobs=None,
    ):
        self.k_neighbors = k_neighbors
        self.label_combination = label_combination
        self.categorical_features = categorical_features
        self.random_state = random_state
        self.n_jobs = n_jobs

    def _fit_resample(self, X, y):
        rng = self._random()
        bags = rows_of_labels(y, Imbalance.of(y).minority)
        if not bags:
            self._warn_unchanged("no label has an imbalance ratio above the mean")
            return X.no_rows(), y[:0]
        partners, sources, labels = [], [], []
        for label, bag in bags.items():
            neighbors = self._neighbors_in(bag, X.points(y[:, [label]]))
            drawn = rng.randint(neighbors.shape[1], size=len(bag))
            partners.append(neighbors[np.arange(len(bag)), drawn])
            sources.append(most_frequent(X.codes, neighbors))
            labels.append(self._combine(y, np.column_stack([bag, neighbors])))
        seeds, partners = np.concatenate(list(bags.values())), np.concatenate(partners)
        values = X.between(seeds, partners, rng)
        new = NewRows(seeds, values, np.concatenate(sources))
        return new, sp.vstack(labels, format="csr")

    def _neighbors_in(self, bag, points):
        """Return the neighbours of the rows of a label, within these rows."""
        if len(bag) == 1:  # the only row is its own neighbour, which copies it
            return bag[:, None]
        k = min(self.k_neighbors, len(bag) - 1)
        return bag[nearest_rows(points[bag], k, self.n_jobs)]

    def _combine(self, y, groups):
        """Return the labels of each group of a seed and its neighbours."""
        n_groups, size = groups.shape
        ones = np.ones(groups.size, dtype=np.int32)
        indptr = np.arange(0, groups.size + 1, size)
        member = sp.csr_array(
            (ones, groups.ravel(), indptr), shape=(n_groups, y.shape[0])
        )
        count = sp.csr_array(member @ y)
        more_than = {_UNION: 0, _INTERSECTION: size - 1, _RANKING: size / 2}
        count.data = (count.data > more_than[self.label_combination]).astype(np.int32)
        count.eliminate_zeros()
        return count


class MLSOL(SyntheticSampler):
    """Append rows where the neighbours disagree about labels (MLSOL).

    The rarer value of a label is hard in a row whose neighbours have the other one.
    Seeds are drawn in proportion to the sum over their labels of this difficulty, each
    relative to its sum over the rows; a row without any like neighbour, an outlier,
    counts 0. A new row lies between a seed and one of its neighbours. Where both have
    a label, or both lack it, so does the new row; else the label goes with the nearer
    one, with a reach that depends on the difficulty [1]_.

    Parameters
    ----------
    sampling_strategy : float, default=0.3
        The number of new rows as a fraction of the rows.

    k_neighbors : int, default=5
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
    n_features_in_ : int
        Number of columns of `X`.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, when they are strings.

    See Also
    --------
    MLSMOTE : Chooses the seeds by the frequency of their labels.
    skimbalance.under_sampling.MLUL : Removes rows by the same measure.

    Notes
    -----
    Distances are Euclidean, with the value difference metric over all labels for
    nominal values, which a new row has from the seed or its neighbour at random; scale
    the columns before. Fewer than 30 % unlike neighbours are safe (reach half of the
    way), fewer than 70 % borderline (three quarters), fewer than all rare (the whole
    way, but as borderline with a safe or borderline entry among the neighbours); an
    outlier has no reach.

    All rows take part. mldr.resampling leaves rows without labels out, and then
    confuses positions with row numbers.

    References
    ----------
    .. [1] Liu, Blekas, Tsoumakas, "Multi-Label Sampling Based on Local Label
       Imbalance", Pattern Recognition 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.over_sampling import MLSOL
    >>> X = np.array([[0.0], [1.0], [2.0], [5.0], [7.0], [8.0]])
    >>> Y = np.array([[1, 0], [1, 0], [1, 0], [0, 1], [1, 1], [1, 0]])
    >>> sampler = MLSOL(k_neighbors=2, random_state=0)
    >>> X_new, Y_new = sampler.fit_resample(X, Y)
    >>> X_new.shape, Y_new.shape
    ((7, 1), (7, 2))
    """

    _parameter_constraints: ClassVar[dict] = {
        "sampling_strategy": _FRACTION,
        "k_neighbors": N_NEIGHBORS,
        "categorical_features": CATEGORICAL,
        "random_state": ["random_state"],
        "n_jobs": N_JOBS,
    }
    _for_classes = "imblearn.over_sampling.ADASYN"

    def __init__(
        self,
        *,
        sampling_strategy=_SYNTHETIC,
        k_neighbors=5,
        categorical_features="auto",
        random_state=None,
        n_jobs=None,
    ):
        self.sampling_strategy = sampling_strategy
        self.k_neighbors = k_neighbors
        self.categorical_features = categorical_features
        self.random_state = random_state
        self.n_jobs = n_jobs

    def _fit_resample(self, X, y):
        n_samples, rng = y.shape[0], self._random()
        points = X.points(y)
        neighbors = nearest_rows(points, self.k_neighbors, self.n_jobs, "k_neighbors")
        local = LocalImbalance.of(y, neighbors)
        weights = local.scores().sum(axis=1)
        n_new = n_resampled(self.sampling_strategy, n_samples)
        why = "no row has both like and unlike neighbours for a label"
        self._warn_unreached(n_new * weights.any(), n_new, n_samples, why)
        if not (n_new and weights.any()):
            return X.no_rows(), y[:0]
        seeds = rng.choice(n_samples, n_new, p=weights / weights.sum())
        partners = neighbors[seeds, rng.randint(self.k_neighbors, size=n_new)]
        values = X.between(seeds, partners, rng)
        from_partner = rng.random_sample((n_new, len(X.nominal))) < 0.5
        sources = np.where(from_partner, partners[:, None], seeds[:, None])
        fraction = _fraction_of_way(X, y, values, seeds, partners, from_partner)
        labels = _labels_on_way(local, seeds, partners, fraction)
        return NewRows(seeds, values, sources), labels


def _fraction_of_way(X, y, values, seeds, partners, from_partner):
    """Return the distance of new rows from their seeds over that of both rows."""
    to_seed = row_lengths(values - X.values[seeds])
    to_partner = row_lengths(values - X.values[partners])
    for column, coordinates in enumerate(X.coordinates(y)):
        gap = row_lengths(coordinates[seeds] - coordinates[partners])
        to_seed = np.hypot(to_seed, gap * from_partner[:, column])
        to_partner = np.hypot(to_partner, gap * ~from_partner[:, column])
    return ratio(to_seed, to_seed + to_partner, undefined=0.5)


def _labels_on_way(local, seeds, partners, fraction):
    """Return the labels of rows at a fraction of the way from seeds to partners."""
    rarer, reach = local.rarer, _reach(local)
    labels = (
        rarer[seeds].multiply(rarer[partners])
        + _of_one(rarer, reach, seeds, partners, fraction)
        + _of_one(rarer, reach, partners, seeds, 1 - fraction)
    )
    return flip(labels, local.flipped)


def _of_one(rarer, reach, rows, others, fraction):
    """Return the entries of some rows that reach so far, and that others lack."""
    entries = sp.csr_array(reach[rows])
    reaches = entries.data >= np.repeat(fraction, np.diff(entries.indptr))
    entries.data = reaches.astype(np.int32)
    return entries - entries.multiply(rarer[others])


def _reach(local):
    """Return how far the entries of the rarer values reach, a CSR array."""
    unlike = local.difficulty.data
    near = unlike < _BORDERLINE
    rare = ~near & (unlike < 1)
    while True:  # each round turns an entry or ends, so that there is an end
        turned = rare & ~near & local.has_rarer_neighbors(near)
        if not turned.any():
            break
        near |= turned
    reach = local.difficulty.copy()
    reach.data = np.select(
        [unlike < _SAFE, near, rare],
        [_REACH_SAFE, _REACH_BORDERLINE, _REACH_ALWAYS],
        _REACH_NEVER,
    )
    return reach
