"""The data of a fit: encoded once, never copied, and split into its parts."""

from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np
import scipy.sparse as sp

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
    check_target,
    encode_like,
    has_missing,
    with_missing,
)
from skimbalance._stratification import positives, stratify
from skimbalance._validation import check_weights
from skimbalance.neural_network._batches import (
    RowSet,
    input_source,
    label_source,
    weight_source,
)
from skimbalance.weights import _class_weights

# Held-out entries beyond which a score gains little and an epoch takes longer.
_VALIDATION_ENTRIES = 2**23


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
    """

    def __init__(self, rows, held_out=None, groups=None):
        self.rows = self.training = rows
        self.held_out, self.groups = held_out, groups

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
    def is_split(self):
        """Whether the held-out rows are of the arrays whose other rows train."""
        return self.held_out is not None and self.held_out.X is self.rows.X

    @property
    def population(self):
        """The rows that the probabilities are for.

        Rows that the user has held out may be of another population than those that
        trained, so they stand for themselves.
        """
        return self.rows if self.is_split else self.held_out

    def split(self, fraction, rng):
        """Hold out a stratified fraction of the rows, as an index into their arrays."""
        rows, n_rows = self.rows, len(self.rows)
        n_held = max(1, round(fraction * n_rows))
        n_held = min(n_held, max(100, _VALIDATION_ENTRIES // self.target.n_outputs))
        groups = None if self.groups is None else self.groups[rows.index]
        sizes = n_rows - n_held, n_held
        part = stratify(rows.rarer_values(), sizes, rng, groups, n_required=2)
        if part.all() or not part.any():
            raise ValueError(
                "The rows cannot be split into a training and a validation part. Pass "
                "more rows or groups, X_val and y_val, or early_stopping=False."
            )
        self.training, self.held_out = (rows.at(rows.index[part == k]) for k in (0, 1))


class FirstChunk(TrainingData):
    """The first of several chunks, whose label counts are given, or are not known."""

    counts = all_counts = None

    def __init__(self, rows, label_counts):
        super().__init__(rows)
        self.counts = self.all_counts = label_counts


@dataclass(frozen=True)
class Rows:
    """Inputs, target and weights of all rows, and the index of those selected.

    Attributes
    ----------
    X : ndarray, csr_array or DatasetRows
    target : Target
        With the values of all rows; without values where there are inputs only.
    weight : ndarray, SparseWeights or None
        Of rows or entries, with mean 1.
    index : ndarray of int
    sources : dict
        What reads the arrays, shared with other rows of the same ones.
    """

    X: object
    target: Target
    weight: object
    index: np.ndarray
    sources: dict = field(default_factory=dict)

    def __len__(self):
        return len(self.index)

    @property
    def values(self):
        """The encoded targets of all rows."""
        return self.target.values

    @cached_property
    def counts(self):
        """The weighted counts of each output: positives and negatives.

        Of a multiclass target the rows in each class, and out of it.
        """
        values, weight = self.selected("values"), self.selected("weight")
        if self.target.kind != MULTICLASS:
            return count_labels(values, weight)
        n_classes = self.target.n_outputs
        inside = np.bincount(values, weights=weight, minlength=n_classes).astype(float)
        return inside, inside.sum() - inside

    def at(self, index):
        """Return other rows of the same arrays."""
        return Rows(self.X, self.target, self.weight, index, self.sources)

    def first(self, n_rows):
        """Return the first of the rows."""
        return self.at(self.index[:n_rows])

    def thinned(self, most):
        """Return every so many rows, at most about so many."""
        return self.at(self.index[:: -(-len(self) // most)])

    def selected(self, name):
        """Return the selected rows of one of the arrays; all of them uncopied."""
        array = getattr(self, name)
        if array is None or len(self.index) == self.X.shape[0]:
            return array
        return array[self.index]

    def row_weight(self):
        """Return a weight for each row of the arrays, 0 where it is not selected.

        The weight of a row is the mean weight of its observed entries.
        """
        weight = np.zeros(self.X.shape[0])
        totals, counts = _row_totals(self.values, self.weight)
        weight[self.index] = totals[self.index] / counts[self.index]
        return weight

    def rarer_values(self):
        """Return which rows have the rarer value of each label, or each class.

        Only entries that have a weight count. The columns come in no particular order.
        """
        labels = positives(self.values)
        if self.values.ndim == 2:
            n_positive, n_negative = count_labels(self.selected("values"))
            common = np.flatnonzero(n_positive > n_negative)
            labels = self._with_weight(labels)
            if len(common):
                others = np.flatnonzero(n_positive <= n_negative)
                negatives = [labels[:, others], self._negatives(common)]
                labels = sp.hstack(negatives, format="csr")
        return labels if len(self) == self.X.shape[0] else labels[self.index]

    def _negatives(self, columns):
        """Return the negatives of some columns, which are few labels."""
        values = self.values[:, columns]
        values = values.toarray() if sp.issparse(values) else values
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
        if sp.issparse(self.values):
            labelled = np.diff(self.values.indptr) > 0
        else:
            labelled = (self.values > 0).any(axis=1)
        return 1 - float(np.mean(labelled[self.index]))

    @property
    def n_bytes(self):
        """What the arrays take."""
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
            scaling = () if scaler is None else (scaler.center_, scaler.scale_)
            self.sources[key] = sources = (
                input_source(
                    self.X, x_dtype, device, *scaling, keep_sparse=keep_sparse
                ),
                label_source(self.values, device),
                weight_source(self.weight, dtype, device),
            )
            for source in sources if moves else ():
                if source is not None:
                    source.move()
        decode = partial(decode_labels, replace(self.target, values=None))
        return RowSet(self.index, *self.sources[key], decode)


def encode_rows(X, target, sample_weight, class_weight, name="y"):
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
    class_weight : dict, "balanced" or None
        As in scikit-learn.
    name : str, default="y"
        How the error messages call the targets.
    """
    weight, values = _read_weights(X.shape[0], target, sample_weight), target.values
    if class_weight is not None:
        by_class = _weights_by_class(class_weight, target, weight)
        weight = by_class if weight is None else weight * by_class
    if weight is not None and weight.ndim == 2:
        values = without_weightless(values, weight)
    totals, counts = _row_totals(values, weight)
    index = np.flatnonzero(counts)
    if len(index) == 0:
        raise ValueError(_describe_nothing_left(values, weight, name))
    mean = totals[index].sum() / counts[index].sum()
    target = replace(target, values=values)
    return Rows(X, target, _normalized(weight, mean, index), index)


def _read_weights(n_samples, target, sample_weight):
    """Return weights of rows, or of entries if these differ within rows.

    The largest weight is 1, so that sums neither overflow nor vanish.
    """
    n_labels = None if target.kind == MULTICLASS else target.n_outputs
    weight = check_weights(
        sample_weight, n_samples, n_labels, label_names=target.label_names
    )
    if weight is None:
        return None
    if isinstance(weight, SparseWeights) and not sp.issparse(target.values):
        weight = weight.toarray()
    if isinstance(weight, np.ndarray) and weight.ndim == 2:
        weight = weight[:, 0] if (weight == weight[:, :1]).all() else weight
    return weight / weight.max()


def _weights_by_class(class_weight, target, sample_weight):
    """Return the weight of the class of each row."""
    if target.kind == MULTILABEL:
        raise ValueError(
            "class_weight goes with a 1-D y. For a label matrix use pos_weight (the "
            "positives of each label), label_weight (labels among each other) or "
            "sample_weight of shape (n_samples, n_labels)."
        )
    return _class_weights(target, class_weight, sample_weight)[target.class_index]


def _row_totals(values, weight):
    """Return of each row the weight and the number of the entries that count."""
    if values.ndim == 1:
        counts = np.ones(len(values))
    elif not has_missing(values):
        counts = np.full(*values.shape, dtype=np.float64)
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


def _normalized(weight, mean, index):
    """Scale weights to mean 1, in place; None where all that count are equal."""
    if weight is None:
        return None
    if isinstance(weight, SparseWeights):
        weight = weight / mean
        stored = weight.stored()
        return None if np.isin(stored, [0.0, 1.0]).all() and mean == 1 else weight
    weight /= mean
    counted = weight[index]
    return None if ((counted == 1) | (counted == 0)).all() else weight


def _describe_nothing_left(values, weight, name):
    """Return the error message for rows none of which has an observed label."""
    if values.ndim == 2 and weight is None:
        return (
            f"No label is observed: {name} is missing (NaN) everywhere. At least one "
            "entry must be 0 or 1."
        )
    return (
        "class_weight and sample_weight leave no row to learn from: each label of "
        f"{name} is missing (NaN) or has weight 0."
    )


def target_of_classes(y, classes, pos_label):
    """Encode a first chunk: a 1-D `y` by all its classes, of which it may lack some."""
    if classes is None or sp.issparse(y) or np.ndim(y) == 2:
        return check_target(y, pos_label=pos_label)
    target = check_target(np.asarray(classes), "classes", pos_label)
    return replace(target, values=encode_like(y, target))


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
