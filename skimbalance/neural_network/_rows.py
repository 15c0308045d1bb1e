"""The data of a fit: all rows, those that train and those held out, and the folds.

Each part is an index into arrays that are encoded once and never copied.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import scipy.sparse as sp

from skimbalance._columns import one_in
from skimbalance._counts import (
    MISSING,
    SparseWeights,
    count_labels,
    entries_with,
    without_weightless,
)
from skimbalance._labels import (
    BINARY,
    MULTICLASS,
    MULTILABEL,
    Target,
    has_missing,
    with_missing,
)
from skimbalance._validation import check_weights
from skimbalance.model_selection._label_counts import positives
from skimbalance.model_selection._splitters import stratified_parts
from skimbalance.neural_network._data import (
    JoinedRows,
    JoinedSource,
    RowSet,
    label_source,
    scaled_source,
    weight_source,
)
from skimbalance.weights import _class_weights

# Held-out entries beyond which a score gains little and an epoch takes longer.
_VALIDATION_ENTRIES = 2**23
# The same of out-of-fold scores: rows that a pass over all of them saves do not train
# more. Sorting so many takes a second, where an epoch of five members takes several.
_OUT_OF_FOLD_ENTRIES = 2**24
# Rows up to which all make one full batch, without dropout and without a held-out part:
# `check_estimator` expects the same net of weighted rows as of repeated ones. With more
# rows a net that is never stopped was worse than a constant.
_TINY_ROWS = 100
# What error messages call inputs, targets and weights.
NAMES = "X", "y", "sample_weight"
HELD_OUT_NAMES = "X_val", "y_val", "sample_weight_val"


class TrainingData:
    """The data of a fit: the rows given to it, those that train and those held out.

    Parameters
    ----------
    rows : Rows
        All rows that were given as `X` and `y`.
    held_out : Rows or None
        Rows that the user holds out. `split` takes some of `rows` instead.
    groups : ndarray of shape (n_samples,) or None
        Rows of one group stay together when the rows are split.

    Attributes
    ----------
    training : Rows
        The rows that train the net.
    is_split : bool
        Whether the held-out rows were split from `rows`.
    n_folds : int
        Number of folds, each held out by the member of its number; 0 without folds.
        All rows are then in `training` and in `held_out`.
    part : ndarray of int16, shape (n_samples,), or None
        The fold of each row; without folds, 1 where a row was split off to be held out
        and 0 where it trains. -1 for rows that do not count.
    resampled : Resampled or None
        What a resampler made of the training rows.
    draws : Draws or None
        What draws the rows of each epoch, with a resampler or a batch sampler.
    """

    def __init__(self, rows, held_out=None, groups=None):
        self.rows = self.training = rows
        self.held_out, self.groups, self.n_folds = held_out, groups, 0
        self.is_split = False
        self.part: Any = None
        self.resampled: Any = None
        self.draws: Any = None

    @property
    def target(self):
        """The kind and the classes of the targets."""
        return self.rows.target

    @property
    def counts(self):
        """The weighted positives and negatives of each output that train."""
        return self.training.counts

    @property
    def all_counts(self):
        """The same among all rows given to `fit`."""
        return self.rows.counts

    @property
    def counts_all_chunks(self):
        """Whether `all_counts` are those of all chunks that `partial_fit` will get."""
        return False

    @property
    def batch_rows(self):
        """The rows that batches are made of: those that train, or resampled ones."""
        return self.training if self.resampled is None else self.resampled.rows

    @property
    def trains(self):
        """Which members train on each of these rows; None where all train on all."""
        if self.resampled is not None:
            return self.resampled.trains
        rows = self.training
        if rows.fold is None:
            return None
        return rows.fold[rows.index][:, None] != np.arange(self.n_folds)

    def rows_of_members(self):
        """Yield the rows that each member trains on, where they have folds."""
        if self.resampled is not None:
            return self.resampled.of_members()
        return self.training.outside_each_fold()

    @property
    def watched(self):
        """The held-out rows that are scored in each epoch, or None."""
        if self.held_out is None or not self.n_folds:
            return self.held_out
        return self.held_out.thinned(self._most_rows(_OUT_OF_FOLD_ENTRIES))

    @property
    def population(self):
        """The rows whose base rates the probabilities are to have.

        All rows of `fit`; or the rows that the user holds out, which may come from
        another population than the training rows.
        """
        return self.rows if self.is_split else self.held_out

    def split(self, fraction, rng):
        """Hold out a stratified fraction of the rows, as an index into their arrays."""
        n_rows = len(self.rows)
        n_held = max(1, round(fraction * n_rows))
        n_held = min(n_held, self._most_rows(_VALIDATION_ENTRIES))
        # Two positives of a label: one to train on, and one to judge by.
        self.set_held_out(self._parts((n_rows - n_held, n_held), rng))

    def set_held_out(self, part):
        """Hold out the rows with ``part == 1`` from all nets; 0 trains.

        Parameters
        ----------
        part : ndarray of int16, shape (n_samples,)
            Of all rows of the arrays, -1 for those that do not count.
        """
        self.is_split, self.part, index = True, part, self.rows.index
        self.training, self.held_out = (
            self.rows.at(index[part[index] == k]) for k in (0, 1)
        )

    def split_folds(self, n_folds, rng):
        """Put each row into one of at most so many folds, stratified by label.

        No more folds than groups, or rows: each fold has to hold some.
        """
        rows = self.rows
        n_units = len(rows)
        if self.groups is not None:
            n_units = len(np.unique(self.groups[rows.index]))
        n_folds = min(n_folds, n_units)
        sizes = np.full(n_folds, len(rows) / max(n_folds, 1))
        self.set_folds(self._parts(sizes, rng))

    def set_folds(self, fold):
        """Let the member `k` train on all rows but those with ``fold == k``.

        Parameters
        ----------
        fold : ndarray of int16, shape (n_samples,)
            Of all rows of the arrays, -1 for those that do not count.
        """
        self.is_split, self.part, self.n_folds = True, fold, int(fold.max()) + 1
        self.training = replace(self.rows, fold=fold)
        # In the order of the folds, so that a batch of them is scored by one member.
        order = np.argsort(fold[self.rows.index], kind="stable")
        index = self.rows.index[order]
        self.held_out = replace(self.training, index=index, by_fold=True)

    def _most_rows(self, n_entries):
        """Return how many rows have so many entries, at least 100."""
        return max(100, n_entries // self.target.n_outputs)

    def _parts(self, sizes, rng):
        """Return a part for each row of the arrays, stratified, and whole groups.

        It is -1 for rows that do not count.
        """
        rows, n_parts = self.rows, len(sizes)
        groups = None if self.groups is None else self.groups[rows.index]
        part = np.zeros(len(rows), dtype=int)
        if n_parts > 1:
            labels = rows.rarer_values()
            part = stratified_parts(labels, sizes, rng, groups, n_required=n_parts)
        if n_parts < 2 or not np.bincount(part, minlength=n_parts).all():
            raise ValueError(
                "The rows cannot be split into a training and a validation part. Pass "
                "more rows or groups, X_val and y_val, or early_stopping=False."
            )
        parts = np.full(rows.X.shape[0], -1, dtype=np.int16)
        parts[rows.index] = part
        return parts


class FirstChunk(TrainingData):
    """The first of several chunks, whose label counts are given, or are not known."""

    def __init__(self, rows, label_counts):
        super().__init__(rows)
        self.label_counts = label_counts

    @property
    def counts(self):
        """The counts over all chunks to come, or None."""
        return self.label_counts

    @property
    def all_counts(self):
        """The same."""
        return self.label_counts

    @property
    def counts_all_chunks(self):
        """Whether the counts are given."""
        return self.label_counts is not None


@dataclass(frozen=True)
class Rows:
    """Inputs, target and weights of all rows, and the index of those selected.

    Attributes
    ----------
    X : ndarray, csr_array, DatasetRows or JoinedRows
    target : Target
        With the values of all rows; without values where there are inputs only.
    weight : ndarray, SparseWeights or None
        Weights of rows or entries, with mean `mean_weight`.
    index : ndarray of int
    sources : dict
        What reads the arrays, shared with other rows of the same ones.
    fold : ndarray of int16 or None
        Of all rows, the number of the member that does not train on it.
    by_fold : bool
        Whether each row is scored by that member only. The index is then in the order
        of the folds.
    unit : float
        What the weights were divided by: their mean, or that of earlier rows.
    mean_weight : float
        The mean after the division; 1 unless `unit` is that of earlier rows.
    class_weight : ndarray of shape (n_classes,) or None
        The weights of the classes that are part of `weight`.
    """

    X: Any
    target: Target
    weight: Any
    index: np.ndarray
    sources: dict = field(default_factory=dict)
    fold: Any = None
    by_fold: bool = False
    unit: float = 1.0
    mean_weight: float = 1.0
    class_weight: Any = None

    def __len__(self):
        return len(self.index)

    @property
    def values(self) -> Any:
        """The encoded targets of all rows."""
        return self.target.values

    @cached_property
    def counts(self):
        """The weighted counts of each output: positives and negatives.

        For a multiclass target, the rows in each class and those outside it.
        """
        values, weight = self.selected("values"), self.selected("weight")
        if self.target.kind != MULTICLASS:
            return count_labels(values, weight)
        n_classes = self.target.n_outputs
        inside = np.bincount(values, weights=weight, minlength=n_classes).astype(float)
        return inside, inside.sum() - inside

    def at(self, index):
        """Return other rows of the same arrays."""
        return replace(self, index=index)

    def first(self, n_rows):
        """Return the first of the rows."""
        return self.at(self.index[:n_rows])

    def thinned(self, most):
        """Return about evenly spaced rows, at most `most`."""
        return self.at(self.index[one_in(-(-len(self) // most), len(self))])

    def in_each_fold(self):
        """Yield the rows of each fold; nothing where they have no folds."""
        if self.fold is not None:
            fold = self.fold[self.index]
            for number in np.unique(fold):
                yield self.at(self.index[fold == number])

    def outside_each_fold(self):
        """Yield the rows that each member trains on."""
        fold = self.fold[self.index]
        for number in range(int(self.fold.max()) + 1):
            yield self.at(self.index[fold != number])

    def selected(self, name) -> Any:
        """Return the selected rows of one of the arrays; all of them uncopied."""
        array = getattr(self, name)
        return array if array is None or self._are_all else array[self.index]

    @cached_property
    def _are_all(self):
        """Whether these are all rows of the arrays, in their order."""
        return np.array_equal(self.index, np.arange(self.X.shape[0]))

    def row_weight(self):
        """Return a weight for each row of the arrays, 0 where it is not selected.

        The weight of a row is the mean weight of its observed entries.
        """
        weight = np.zeros(self.X.shape[0])
        totals, counts = row_totals(self.values, self.weight)
        weight[self.index] = totals[self.index] / counts[self.index]
        return weight

    def positives(self):
        """Return the positives of a label matrix that have a weight, of these rows."""
        labels = self._with_weight(positives(self.values))
        return labels if self._are_all else labels[self.index]

    def rarer_values(self):
        """Return which rows have the rarer value of each label, or each class.

        Only entries that have a weight count. The columns come in no particular order.
        """
        labels: Any = positives(self.values)
        if self.values.ndim == 2:
            n_positive, n_negative = count_labels(self.selected("values"))
            common = np.flatnonzero(n_positive > n_negative)
            labels = self._with_weight(labels)
            if len(common):
                others = np.flatnonzero(n_positive <= n_negative)
                negatives = [labels[:, others], self._negatives(common)]
                labels = sp.hstack(negatives, format="csr")
        return labels if self._are_all else labels[self.index]

    def _negatives(self, columns):
        """Return the negatives of some columns, which are few labels."""
        values = self.values[:, columns]
        values = as_dense(values)
        return self._with_weight(sp.csr_array(values == 0).astype(np.int8), columns)

    def _with_weight(self, entries, columns=slice(None)):
        """Return the entries whose own weight is not 0."""
        weight = self.weight
        if weight is None or weight.ndim == 1:
            return entries
        weight = weight[:, columns]
        is_sparse = isinstance(weight, SparseWeights)
        absent = weight.zeros() if is_sparse else sp.csr_array(weight == 0)
        return sp.csr_array(entries - entries.multiply(absent))

    def fraction_without_label(self):
        """Return the fraction of the rows that have no positive."""
        labelled = np.diff(positives(self.values).indptr) > 0
        return 1 - float(np.mean(labelled[self.index]))

    @property
    def n_bytes(self):
        """The memory of the arrays."""
        arrays = (self.X, self.values, self.weight)
        return sum(
            array.data.nbytes + array.indices.nbytes + array.indptr.nbytes
            if sp.issparse(array)
            else array.nbytes
            for array in arrays
            if array is not None
        )

    def row_set(self, dtype, device, scaler, keep_sparse, moves=False, x_dtype=None):
        """Return the rows as the net reads them.

        The sources are shared with other rows of the same arrays, so that what `moves`
        to the device does so once. Inputs may have a dtype of their own: integers.
        """
        x_dtype = dtype if x_dtype is None else x_dtype
        key = moves, x_dtype
        if key not in self.sources:
            self.sources[key] = sources = (
                JoinedSource(self.X, dtype, device, x_dtype != dtype)
                if isinstance(self.X, JoinedRows)
                else scaled_source(self.X, x_dtype, device, scaler, keep_sparse),
                label_source(self.values, device),
                weight_source(self.weight, dtype, device),
            )
            for source in sources if moves else ():
                if source is not None:
                    source.move()
        decode = partial(decode_labels, replace(self.target, values=None))
        x, labels, weight = self.sources[key]
        rows = RowSet(self.index, x, labels, weight, decode)
        if self.by_fold:
            rows.folds = self.fold[self.index]
        elif self.fold is not None:
            rows.mask_folds(self.fold, self._fold_source(device, moves))
        return rows

    def _fold_source(self, device, moves):
        """Return the source of the folds, which other rows of the arrays share."""
        key = "fold", moves
        if key not in self.sources:
            source: Any = label_source(self.fold, device)
            self.sources[key] = source
            if moves:
                source.move()
        return self.sources[key]


def encode_rows(X, target, sample_weight, class_weight, names=NAMES, unit=None):
    """Check the weights and find the rows that count.

    An entry of weight 0 becomes a missing label, so that it is absent from the split,
    the counts, the scores and the thresholds alike. The others are scaled to mean 1
    over the observed entries: a weight of rows and its copy in each column agree.

    Parameters
    ----------
    X : ndarray or csr_array
        Checked inputs.
    target : Target
        Checked targets.
    sample_weight : array-like, sparse matrix or None
        As passed.
    class_weight : dict, "balanced", ndarray of shape (n_classes,) or None
        As in scikit-learn, or the weights of the classes.
    names : tuple of str, default=("X", "y", "sample_weight")
        How the error messages call the inputs, the targets and the weights.
    unit : float or None, default=None
        What the weights are divided by; None is their mean. Later chunks are divided by
        the mean of the first one, so that the weights of their rows compare.
    """
    weight, largest = _read_weights(X.shape[0], target, sample_weight, names[2])
    values, of_classes = target.values, class_weight
    if class_weight is not None:
        if not isinstance(class_weight, np.ndarray):
            of_classes = _weights_of_classes(class_weight, target, weight)
        by_class = of_classes[target.class_index]
        weight = by_class if weight is None else weight * by_class
    if weight is not None and weight.ndim == 2:
        values = without_weightless(values, weight)
    totals, counts = row_totals(values, weight)
    index = np.flatnonzero(counts)
    if len(index) == 0:
        raise ValueError(_describe_nothing_left(values, weight, names))
    # Over entries, not over rows: rows may have different numbers of missing labels.
    mean = totals[index].sum() / counts[index].sum()
    scale = mean if unit is None else unit / largest
    if weight is None and scale != 1:
        weight = np.ones(X.shape[0])
    return Rows(
        X,
        replace(target, values=values),
        _normalized(weight, scale, index),
        index,
        unit=scale * largest,
        mean_weight=mean / scale,
        class_weight=of_classes,
    )


def _read_weights(n_samples, target, sample_weight, name) -> Any:
    """Return weights of rows, or of entries if these differ within rows, and a factor.

    The weights are divided by the factor, the largest of them, so that sums neither
    overflow nor vanish.
    """
    n_labels = None if target.kind == MULTICLASS else target.n_outputs
    weight = check_weights(sample_weight, n_samples, n_labels, name, target.label_names)
    if weight is None:
        return None, 1.0
    if isinstance(weight, SparseWeights) and not sp.issparse(target.values):
        weight = weight.toarray()
    if isinstance(weight, np.ndarray) and weight.ndim == 2:
        # One weight a row takes less memory than the same one in each column.
        weight = weight[:, 0] if (weight == weight[:, :1]).all() else weight
    largest = float(weight.max())
    return weight / largest, largest


def _weights_of_classes(class_weight, target, sample_weight):
    """Return the weight of each class."""
    if target.kind == MULTILABEL:
        raise ValueError(
            "class_weight goes with a 1-D y. For a label matrix use pos_weight (the "
            "positives of each label), label_weight (labels among each other) or "
            "sample_weight of shape (n_samples, n_labels)."
        )
    return _class_weights(target, class_weight, sample_weight)


def _normalized(weight, divisor, index):
    """Divide weights, in place; return None where all that count are 1 then."""
    if weight is None:
        return None
    if isinstance(weight, SparseWeights):
        weight = weight / divisor
        stored = weight.stored()
        return None if np.isin(stored, [0.0, 1.0]).all() and divisor == 1 else weight
    if divisor != 1:
        weight /= divisor
    counted = weight[index]
    return None if ((counted == 1) | (counted == 0)).all() else weight


def _describe_nothing_left(values, weight, names):
    """Return the error message for rows none of which has an observed label."""
    _, name, weight_name = names
    if values.ndim == 2 and weight is None:
        return (
            f"No label is observed: {name} is missing (NaN) everywhere. At least one "
            "entry must be 0 or 1."
        )
    return (
        f"class_weight and {weight_name} leave no row to learn from: each label of "
        f"{name} is missing (NaN) or has weight 0."
    )


def as_dense(matrix) -> Any:
    """Return a matrix as an array, which it is already unless it is sparse."""
    return matrix.toarray() if sp.issparse(matrix) else matrix


def row_totals(values, weight):
    """Return the weight and the number of the counted entries of each row."""
    if values.ndim == 1:
        counts = np.ones(len(values))
    elif not has_missing(values):
        counts = np.full(values.shape[0], values.shape[1], dtype=np.float64)
    elif sp.issparse(values):
        absent = entries_with(values, MISSING)
        counts = values.shape[1] - np.diff(absent.indptr).astype(np.float64)
    else:
        counts = np.count_nonzero(values != MISSING, axis=1).astype(np.float64)
    if weight is None:
        return counts, counts
    if weight.ndim == 1:
        return weight * counts, counts * (weight > 0)
    return _entry_totals(values, weight), counts


def _entry_totals(values, weight):
    """Return the weight of the observed entries of each row."""
    if not sp.issparse(values):
        return weight.sum(axis=1, where=values != MISSING)
    absent = entries_with(values, MISSING)
    if isinstance(weight, SparseWeights):
        return weight.T.sum_outside(sp.csr_array(absent.T))
    return weight.sum(axis=1) - absent.multiply(weight).sum(axis=1)


def decode_labels(target, labels):
    """Return encoded labels, true or predicted, in the form that users pass.

    Parameters
    ----------
    target : Target
        Its values are not read.
    labels : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        As `Target.values`, dense.
    """
    if target.kind == MULTILABEL:
        return with_missing(labels)
    if len(target.classes) == 1:
        return np.repeat(target.classes, len(labels))
    if target.kind == BINARY:
        labels = labels.ravel()
        labels = 1 - labels if target.is_flipped else labels
    return target.classes[labels]


def is_tiny(n_rows):
    """Return whether all rows make one batch, without dropout and held-out rows."""
    return n_rows <= _TINY_ROWS
