"""Probabilities and decisions against the number of true positives."""

import numpy as np

from skimbalance._columns import iter_columns, ratio
from skimbalance._counts import count_labels
from skimbalance._labels import check_scored_labels
from skimbalance.metrics._averages import check_average
from skimbalance.metrics._scores import check_decided_labels


def said_of_labels(labels, said, weight):
    """Return the sum of what is said of the observed cells of each label."""
    columns = iter_columns(labels, said, weight)
    return np.array(
        [
            score.sum(dtype=np.float64) if kept is None else kept @ score
            for _, score, kept in columns
        ]
    )


def _ratio(labels, said, weight, average):
    """Return what is said of the observed cells over their true positives."""
    check_average(average, ("micro", None))
    sums = said_of_labels(labels, said, weight)
    n_positive, _ = count_labels(labels, weight)
    if average is None:
        return ratio(sums, n_positive)
    return float(ratio(sums.sum(), n_positive.sum()))


def expected_observed_ratio(y_true, y_proba, *, average="micro", sample_weight=None):
    """Compare the sum of the probabilities with the number of true positives.

    Parameters
    ----------
    y_true : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
        0, 1 and NaN for a missing label, which is left out.
    y_proba : array-like of shape (n_samples, n_labels) or (n_samples,)
        Probabilities of the labels.
    average : {"micro", None}, default="micro"
        Over all labels, or one ratio a label.
    sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
            default=None
        Weights of the rows or cells.

    Returns
    -------
    ratio : float, or ndarray of float64 of shape (n_labels,) if `average` is None
        1 if the probabilities are right on average, 2 if they promise twice too many
        positives; NaN for a label without positives.

    Raises
    ------
    ValueError
        If the shapes differ or the probabilities are not finite.

    See Also
    --------
    predicted_observed_ratio : The same of decisions.

    Examples
    --------
    >>> from skimbalance.metrics import expected_observed_ratio
    >>> expected_observed_ratio([[1, 0], [0, 0]], [[0.9, 0.6], [0.3, 0.2]])
    2.0
    """
    return _ratio(
        *check_scored_labels(y_true, y_proba, sample_weight, "y_proba"), average
    )


def predicted_observed_ratio(y_true, y_pred, *, average="micro", sample_weight=None):
    """Compare the number of decided positives with the number of true ones.

    Parameters
    ----------
    y_true : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
        0, 1 and NaN for a missing label, which is left out.
    y_pred : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
        Decisions, 0 or 1.
    average : {"micro", None}, default="micro"
        Over all labels, or one ratio a label.
    sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
            default=None
        Weights of the rows or cells.

    Returns
    -------
    ratio : float, or ndarray of float64 of shape (n_labels,) if `average` is None
        1 if as many are decided as there are; NaN for a label without positives.

    Raises
    ------
    ValueError
        If the shapes differ or a decision is neither 0 nor 1.

    See Also
    --------
    expected_observed_ratio : The same of probabilities.

    Examples
    --------
    >>> from skimbalance.metrics import predicted_observed_ratio
    >>> predicted_observed_ratio([[1, 0], [0, 0]], [[1, 1], [0, 0]])
    2.0
    """
    return _ratio(*check_decided_labels(y_true, y_pred, sample_weight), average)
