"""What the displays draw: labels, scores and names out of what users pass."""

import numpy as np
import scipy.sparse as sp

from skimbalance._base import find_response, label_scores, warn_positive_class
from skimbalance._counts import count_labels
from skimbalance._labels import (
    check_scored_labels,
    check_target,
    positive_of,
)
from skimbalance._validation import (
    align_columns,
    column_names,
)

# Up to so many labels have a line of their own.
FEW = 10


def labels_of_estimator(estimator, y, pos_label):
    """Return the labels, and how `label_scores` reads the answer of a classifier.

    A `pos_label` of the classifier itself counts where none is given.
    """
    if sp.issparse(y) or np.ndim(y) == 2:
        y = align_columns(y, getattr(estimator, "label_names_", None), "y")
        return labels_of(y, pos_label, "y"), {"n_labels": np.shape(y)[1]}
    pos_label = own_pos_label(estimator) if pos_label is None else pos_label
    classes = np.union1d(getattr(estimator, "classes_", y), y)
    _check_two(classes, "y")
    if pos_label is None:
        _warn_positive_class(check_target(y))
    positive = positive_of(classes, pos_label)
    labels = (np.asarray(y) == positive).astype(int).reshape(-1, 1)
    return labels, {"positive": positive}


def _warn_positive_class(target):
    """Warn where the majority counts as positive, but for classes that 1 is one of."""
    if not set(target.classes.tolist()) <= {-1, 0, 1}:
        warn_positive_class(target, None, "The display", count_labels(target.values))


def own_pos_label(estimator):
    """Return the positive class of a fitted classifier, None if it does not tell."""
    default = getattr(estimator, "pos_label", None)
    return getattr(estimator, "pos_label_", default)


def scores_of(estimator, X, methods, read_as):
    """Return the scores of each label of the rows."""
    return label_scores(estimator, X, find_response(estimator, methods), **read_as)


def _check_two(classes, name):
    if len(classes) > 2:
        raise ValueError(
            f"{name} has {len(classes)} classes: only two classes or a label matrix "
            "can be drawn. Draw one class against the others, as y == class."
        )


def labels_of(y, pos_label, name="y_true"):
    """Return a label matrix as it is; of two classes 1 for the positive one."""
    if sp.issparse(y) or np.ndim(y) == 2:
        if pos_label is not None:
            check_target(y, name, pos_label)
        return y
    values = np.asarray(y)
    if values.dtype.kind == "f" and np.isnan(values).any():
        return values  # one label with missing entries
    target = check_target(values, name, pos_label)
    _check_two(target.classes, name)
    if pos_label is None:
        _warn_positive_class(target)
    return (values == positive_of(target.classes, pos_label)).astype(int)


def align_with(y_true, *frames):
    """Return what goes with the labels, its columns aligned by their names."""
    names = column_names(y_true)
    return [align_columns(frame, names, name) for name, frame in frames]


def scored(y_true, y_score, sample_weight, pos_label):
    """Return labels, scores and weights of entries, which go together."""
    given = ("y_score", y_score), ("sample_weight", sample_weight)
    y_score, sample_weight = align_with(y_true, *given)
    return check_scored_labels(labels_of(y_true, pos_label), y_score, sample_weight)


def names_of(y, label_names, n_labels):
    """Return a name for each label."""
    if label_names is None:
        label_names = column_names(y)
    if label_names is None:
        label_names = [f"label {k}" for k in range(n_labels)]
    if len(label_names) != n_labels:
        raise ValueError(
            f"label_names has {len(label_names)} names for {n_labels} labels."
        )
    return [str(name) for name in label_names]


def drawn_labels(labels, n_labels):
    """Return the indices of the labels that get a line of their own."""
    if labels is None:
        return range(n_labels) if 1 < n_labels <= FEW else range(0)
    labels = [int(k) for k in labels]
    if not all(0 <= k < n_labels for k in labels):
        raise ValueError(
            f"labels={labels!r} must be column numbers below {n_labels}, the number of "
            "labels."
        )
    return labels
