"""Encoded rows: what `fit` makes of its arguments, without copying them."""

from dataclasses import dataclass, field, replace

import numpy as np
import scipy.sparse as sp
from sklearn.utils import compute_sample_weight

from skimbalance._net import RowSet, input_source, label_source, weight_source
from skimbalance._validation import (
    MISSING,
    MULTICLASS,
    MULTILABEL,
    check_weights,
    has_missing,
)


@dataclass(frozen=True)
class EncodedRows:
    """Inputs, targets and weights of all rows, and the index of those meant."""

    X: object
    values: object
    weight: object
    index: np.ndarray
    sources: dict = field(default_factory=dict)

    def __len__(self):
        return len(self.index)

    def at(self, index):
        """Return other rows of the same arrays."""
        return replace(self, index=index)

    def taken(self, name):
        """Return the meant rows of one of the arrays; all of them uncopied."""
        array = getattr(self, name)
        if array is None or len(self.index) == self.X.shape[0]:
            return array
        return array[self.index]

    def row_weight(self):
        """Return a weight for each row of the arrays, 0 where it is not meant."""
        weight = np.zeros(self.X.shape[0])
        by_row = self.weight is not None and self.weight.ndim == 1
        weight[self.index] = self.weight[self.index] if by_row else 1.0
        return weight

    @property
    def n_bytes(self):
        """What the arrays take."""
        arrays = (self.X, self.values, self.weight)
        return sum(_n_bytes(array) for array in arrays if array is not None)

    def row_set(self, dtype, device, scaler, keep_sparse, moves=False):
        """Return the rows as the net reads them.

        The sources are shared with other rows of the same arrays, so that what `moves`
        to the device does so once.
        """
        key = moves, dtype
        if key not in self.sources:
            center, scale = (
                (None, None) if scaler is None else (scaler.center_, scaler.scale_)
            )
            x = input_source(self.X, dtype, device, center, scale, keep_sparse)
            labels = None if self.values is None else label_source(self.values, device)
            made = x, labels, weight_source(self.weight, dtype, device)
            for source in made if moves else ():
                if source is not None:
                    source.move()
            self.sources[key] = made
        return RowSet(self.index, *self.sources[key])


def _n_bytes(array):
    if sp.issparse(array):
        return array.data.nbytes + array.indices.nbytes + array.indptr.nbytes
    return array.nbytes


def encode_rows(X, target, sample_weight, class_weight, y):
    """Check the weights and find the rows that count.

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
    y : array-like
        The targets as passed, for `class_weight`.
    """
    n_labels = None if target.kind == MULTICLASS else target.n_outputs
    weight = check_weights(sample_weight, X.shape[0], n_labels)
    if sp.issparse(weight) and not sp.issparse(target.values):
        weight = 1 + weight.toarray()
    weight = _combine(weight, _class_weights(class_weight, target, y))
    counted = _weighted(weight, X.shape[0]) & _labelled(target.values, X.shape[0])
    return EncodedRows(X, target.values, weight, np.flatnonzero(counted))


def _class_weights(class_weight, target, y):
    if class_weight is None:
        return None
    if target.kind == MULTILABEL:
        raise ValueError(
            "class_weight goes with a 1-D y. For a label matrix use pos_weight (the "
            "positives of each label), label_weight (labels among each other) or "
            "sample_weight of shape (n_samples, n_labels)."
        )
    return compute_sample_weight(class_weight, np.ravel(y))


def _combine(weight, class_weights):
    """Return row weights of mean 1 where they count, cell weights as they are."""
    if _same_in_each_row(weight):
        weight = weight[:, 0]
    if class_weights is not None:
        if weight is not None and weight.ndim == 2:
            class_weights = class_weights.reshape(-1, 1)
        weight = class_weights if weight is None else weight * class_weights
    if weight is None or weight.ndim == 2:
        return weight
    if not weight.any():
        raise ValueError("class_weight and sample_weight leave no row to learn from.")
    return weight / weight[weight > 0].mean()


def _same_in_each_row(weight):
    dense = isinstance(weight, np.ndarray) and weight.ndim == 2
    return dense and bool((weight == weight[:, :1]).all())


def _stored_in_all(matrix, value):
    """Return the rows of a CSR array that hold one value, not 0, in all their cells."""
    stored = sp.csr_array(matrix == value)
    return np.diff(stored.indptr) == matrix.shape[1]


def _weighted(weight, n_samples):
    """Return whether each row has a weight."""
    if weight is None:
        return np.ones(n_samples, dtype=bool)
    if sp.issparse(weight):
        return ~_stored_in_all(weight, -1)
    return weight != 0 if weight.ndim == 1 else weight.any(axis=1)


def _labelled(values, n_samples):
    """Return whether each row has a label that is not missing."""
    if values.ndim == 1 or not has_missing(values):
        return np.ones(n_samples, dtype=bool)
    if sp.issparse(values):
        return ~_stored_in_all(values, MISSING)
    return (values != MISSING).any(axis=1)
