"""What the displays share: the labels, scores and names of the user, and the axes."""

from typing import Any, Self

import numpy as np
import scipy.sparse as sp

from skimbalance._base import (
    DECISION,
    PROBA,
    find_response,
    label_scores,
    unwrap,
    warn_positive_class,
    warn_undefined,
)
from skimbalance._counts import (
    count_labels,
)
from skimbalance._labels import check_scored_labels, check_target, positive_of
from skimbalance._validation import (
    align_columns,
    check_unique,
    column_names,
)
from skimbalance.metrics._reports import check_label_names
from skimbalance.metrics._scorers import read_labels

# The most labels with a line of their own: matplotlib's colours repeat after ten.
MOST_LINES = 10

# --------------------------------------------------------------------------
# Labels, scores and names


def pos_label_of(estimator):
    """Return the positive class of a fitted classifier, None if it has none."""
    estimator = unwrap(estimator)
    default = getattr(estimator, "pos_label", None)
    return getattr(estimator, "pos_label_", default)


def labels_for_estimator(estimator, y, sample_weight, pos_label):
    """Return a label matrix, weights, and how `label_scores` reads a classifier of it.

    Without a `pos_label` that of the classifier counts.
    """
    is_matrix = sp.issparse(y) or np.ndim(y) == 2
    if pos_label is None and not is_matrix:
        pos_label = pos_label_of(estimator)
        if pos_label is None:
            _warn_positive_class(check_target(y))
    labels, weight, read_as = read_labels(estimator, y, sample_weight, pos_label)
    return labels if is_matrix else labels.reshape(-1, 1), weight, read_as


def scores_of(estimator, X, methods, read_as):
    """Return the scores of each label of the rows, in the order of `y`."""
    return label_scores(estimator, X, find_response(estimator, methods), **read_as)


def _warn_positive_class(target):
    """Warn where the majority counts as positive, unless 1 is one of the classes."""
    if not set(target.classes.tolist()) <= {-1, 0, 1}:
        warn_positive_class(target, None, "The display", count_labels(target.values))


def as_labels(y, pos_label, name="y_true"):
    """Return a label matrix as it is; of two classes 1 for the positive one."""
    if sp.issparse(y) or np.ndim(y) == 2:
        if pos_label is not None:
            check_target(y, name, pos_label)  # raises
        return y
    values = np.asarray(y)
    if values.dtype.kind == "f" and np.isnan(values).any():
        return values  # one label with missing entries
    target = check_target(values, name, pos_label)
    if len(target.classes) > 2:
        raise ValueError(
            f"{name} has {len(target.classes)} classes: only two classes or a label "
            "matrix can be drawn. Draw one class against the others, as y == class."
        )
    if pos_label is None:
        _warn_positive_class(target)
    return (values == positive_of(target.classes, pos_label)).astype(int)


def align(y_true, **frames):
    """Return frames with their columns in the order of those of `y_true`."""
    names = column_names(y_true)
    return [align_columns(frame, names, name) for name, frame in frames.items()]


def check_scored(y_true, y_score, sample_weight, pos_label):
    """Return labels, scores and weights of entries, which go together."""
    aligned = align(y_true, y_score=y_score, sample_weight=sample_weight)
    return check_scored_labels(as_labels(y_true, pos_label), *aligned)


def names_of(label_names, y, n_labels):
    """Return a name for each label."""
    names = check_label_names(label_names, y, n_labels)
    numbered = (f"label {k}" for k in range(n_labels))
    return [str(name) for name in (numbered if names is None else names)]


def keys_of(label_names, y, n_labels):
    """Return a name for each label, which are the keys of what is drawn of them.

    Raises
    ------
    ValueError
        If two labels have the same one, so that one of them would not be drawn.
    """
    names = names_of(label_names, y, n_labels)
    check_unique(names, "label_names has the name")
    return names


def check_drawn(labels, n_labels):
    """Return the indices of the labels that get a line of their own."""
    if labels is None:
        return range(n_labels) if 1 < n_labels <= MOST_LINES else range(0)
    # A mask is no list of numbers: True would be the column 1.
    labels = np.ravel(np.asarray(labels)).tolist()
    if not all(type(k) is int and 0 <= k < n_labels for k in labels):
        raise ValueError(
            f"labels={labels!r} must be column numbers below {n_labels}, the number of "
            "labels."
        )
    return labels


def warn_without_positives(n_left_out, n_labels):
    """Warn of labels that have no curve; raise a ValueError if none has one."""
    if n_left_out == n_labels:
        raise ValueError("y_true has no positive label: there is nothing to draw.")
    if n_left_out:
        warn_undefined(
            f"{n_left_out} of {n_labels} labels have no observed positive; they are "
            "left out.",
        )


# --------------------------------------------------------------------------
# Displays


class Display:
    """Base of the displays: prepare the axes."""

    def _set_axes(self, ax, figsize=None):
        """Keep the axes and their figure; without axes make both."""
        # matplotlib is an optional dependency, and slow to import.
        try:
            import matplotlib.pyplot as plt
        except ImportError as error:
            raise ImportError(
                f"{type(self).__name__} needs matplotlib: pip install "
                "'skimbalance[plot]'."
            ) from error
        if ax is None:
            _, ax = plt.subplots(figsize=figsize, layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        return ax


class CurveDisplay(Display):
    """Base of the displays of scores, with a curve for each label."""

    from_predictions: Any

    @classmethod
    def _methods_and_options(cls, estimator, read_as) -> tuple:  # noqa: ARG003
        """Return the methods that give scores, and options of `from_predictions`."""
        return (DECISION, PROBA), {}

    @classmethod
    def from_estimator(
        cls, estimator, X, y, *, sample_weight=None, pos_label=None, **options
    ) -> Self:
        """Draw the curves of a fitted classifier.

        Parameters
        ----------
        estimator : classifier
            Fitted.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows that did not train it.
        y : {array-like, sparse matrix} of shape (n_samples,) or (n_samples, n_labels)
            Their labels.
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
                default=None
            Weights of the rows or entries.
        pos_label : object, default=None
            The positive class of a binary target; None is that of the estimator, or
            else the last of its classes.
        **options : dict
            Further parameters of `from_predictions`; what they say of each label is in
            the order of the columns of `y`.

        Returns
        -------
        display : object
            This display, drawn.
        """
        y, weight, read_as = labels_for_estimator(
            estimator, y, sample_weight, pos_label
        )
        methods, defaults = cls._methods_and_options(estimator, read_as)
        scores = scores_of(estimator, X, methods, read_as)
        return cls.from_predictions(
            y, scores, sample_weight=weight, **defaults | options
        )
