"""Plug-in thresholds: what the probabilities of a label alone say about F-beta."""

from numbers import Real

import numpy as np

from skimbalance._validation import (
    align_weights,
    check_choice,
    check_interval,
    check_probabilities,
)


def check_beta(beta):
    """Raise a ValueError unless `beta` is at least 0; infinity is recall alone."""
    if not (isinstance(beta, Real) and beta == np.inf):
        check_interval("beta", beta, 0)


def _by_average(proba, average):
    """Return the columns, one for each threshold."""
    check_choice("average", average, {"macro", "micro"})
    return proba if average == "macro" else proba.reshape(-1, 1)


def plug_in_threshold(y_score, beta=1.0, average="macro"):
    """Compute the threshold of the greatest expected F-beta from probabilities alone.

    If the k most probable of n rows are predicted positive, the expected F-beta is
    ``(1 + beta^2) sum_{i<=k} p_i / (k + beta^2 sum_i p_i)``. The threshold
    ``F* / (1 + beta^2)`` reaches its maximum F*. No labels are needed, but the
    probabilities must be calibrated, and of rows that did not train the model.

    Parameters
    ----------
    y_score : array-like of shape (n_samples, n_labels) or (n_samples,)
        Probabilities.
    beta : float, default=1.0
        Weight of the recall: 0 is the precision, infinity the recall.
    average : {"macro", "micro"}, default="macro"
        A threshold for each label, or one for all.

    Returns
    -------
    threshold : ndarray of float64, shape (n_labels,)
        Between 0 and 1; predict the label where the probability is greater. At least
        one row is, unless all probabilities are 0.

    Raises
    ------
    ValueError
        If a score is not a probability, or an option is not known.

    See Also
    --------
    expected_f_beta : The F-beta that a threshold is expected to reach.
    tune_thresholds : Thresholds from known labels.
    FBeta : The same as a rule of a classifier.

    References
    ----------
    .. [1] Lipton, Elkan, Naryanaswamy, "Optimal Thresholding of Classifiers to Maximize
       F1 Measure", ECML PKDD 2014.

    Examples
    --------
    >>> from skimbalance.thresholds import plug_in_threshold
    >>> plug_in_threshold([0.9, 0.3, 0.1, 0.1])
    array([0.375])
    """
    check_beta(beta)
    proba = check_probabilities(y_score, "y_score")
    columns = _by_average(proba, average)
    best = np.array([plug_in(column, beta)[0] for column in columns.T])
    return np.broadcast_to(best, proba.shape[1:]).copy()


def precision_weight(beta):
    """Return ``1 / (1 + beta^2)``, which stays finite for a beta of any size."""
    if beta <= 1:
        return 1 / (1 + float(beta) ** 2)
    inverse_square = float(beta) ** -2
    return inverse_square / (1 + inverse_square)


def plug_in(proba, beta, weight=None):
    """Return the plug-in threshold of one label, and the expected F-beta it reaches.

    Parameters
    ----------
    proba : ndarray of shape (n_observed,)
    beta : float
        Any number from 0 (precision) to infinity (recall).
    weight : ndarray of shape (n_observed,) or None

    Returns
    -------
    threshold : float
        The most probable row is above it, unless all probabilities are 0.
    best : float
    """
    if weight is not None:
        proba, weight = proba[weight > 0], weight[weight > 0]
    ranked = np.argsort(-proba)
    mass = np.ones(len(proba)) if weight is None else weight[ranked]
    hits = np.cumsum(mass * proba[ranked], dtype=np.float64)
    of_precision = precision_weight(beta)
    size = of_precision * np.cumsum(mass) + (1 - of_precision) * hits[-1]
    reached = np.divide(hits, size, out=np.zeros(len(hits)), where=size > 0)
    threshold, top = of_precision * reached.max(), proba[ranked[0]]
    # For beta near 0 the threshold is the largest probability itself, up to rounding.
    if 0 < top <= threshold:
        threshold = midpoint_below(proba, top, lowest=0.0)
    return threshold, reached.max()


def midpoint_below(score, level, lowest=None):
    """Return a threshold that the scores from a level upwards exceed, and no other.

    It lies halfway to the next lower score, so that rounding changes no prediction.
    Below the least of the scores stands `lowest`, if there is such a bound.
    """
    lower = score[score < level]
    level = np.float64(level)
    if len(lower):
        lowest = lower.max()
    if lowest is None or lowest >= level:
        return np.nextafter(level, -np.inf)
    return lowest + (level - np.float64(lowest)) / 2


def expected_f_beta(y_score, threshold=0.5, *, beta=1.0, average="macro"):
    """Compute the expected F-beta of predictions from probabilities alone.

    The ratio of the expectations of numerator and denominator, which for more than a
    few rows is the expectation of the ratio.

    Parameters
    ----------
    y_score : array-like of shape (n_samples, n_labels) or (n_samples,)
        Calibrated probabilities.
    threshold : float or array-like of shape (n_labels,), default=0.5
        A label is predicted where its probability is greater.
    beta : float, default=1.0
        Weight of the recall: 0 is the precision, infinity the recall.
    average : {"macro", "micro", None}, default="macro"
        Mean over labels, one value of all entries, or a value for each label.

    Returns
    -------
    score : float, or ndarray of float64 of shape (n_labels,) if `average` is None
        0 for a label whose probabilities are all 0 and that is predicted nowhere.

    Raises
    ------
    ValueError
        If a score is not a probability, or thresholds do not fit.

    See Also
    --------
    plug_in_threshold : The threshold of the greatest value.

    References
    ----------
    .. [1] Lipton, Elkan, Naryanaswamy, "Optimal Thresholding of Classifiers to Maximize
       F1 Measure", ECML PKDD 2014.

    Examples
    --------
    >>> from skimbalance.thresholds import expected_f_beta
    >>> round(expected_f_beta([0.9, 0.3, 0.1, 0.1], 0.375), 2)
    0.75
    """
    check_beta(beta)
    check_choice("average", str(average), {"macro", "micro", "None"})
    proba = check_probabilities(y_score, "y_score")
    predicted = proba > check_thresholds(threshold, proba.shape[1])
    sums = np.array(
        [part.sum(0, dtype=float) for part in (proba * predicted, predicted, proba)]
    )
    if average == "micro":
        sums = sums.sum(axis=1, keepdims=True)
    hits, n_predicted, n_expected = sums
    of_precision = precision_weight(beta)
    size = of_precision * n_predicted + (1 - of_precision) * n_expected
    score = np.divide(hits, size, out=np.zeros_like(size), where=size > 0)
    return score if average is None else float(score.mean())


def check_thresholds(threshold, n_labels, label_names=None, name="threshold"):
    """Return thresholds on probabilities, one for each label.

    Parameters
    ----------
    threshold : float, array-like of shape (n_labels,), dict or pandas Series
        A dict or a Series has a threshold for each name of a label.
    n_labels : int
    label_names : ndarray of str or None
    name : str
        How the error messages call them.
    """
    values = align_weights(threshold, label_names, name)
    try:
        values = np.asarray(values)
    except ValueError:  # rows of several lengths
        values = np.asarray(None)
    if values.dtype.kind not in "iuf" or values.shape not in ((), (n_labels,)):
        raise ValueError(
            f"{name}={threshold!r} must be a number, an array of shape ({n_labels},) "
            "with one threshold for each label, the name of a rule or a rule object."
        )
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(
            f"{name}={threshold!r} must lie in [0, 1]: probabilities are compared "
            "with it."
        )
    return np.broadcast_to(values, (n_labels,)).astype(np.float64)
