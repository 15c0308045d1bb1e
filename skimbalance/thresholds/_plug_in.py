"""Plug-in thresholds, which follow from the probabilities of a label alone."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from skimbalance._columns import all_entries, one_in, ratio
from skimbalance._counts import take_weights, weights_or_ones
from skimbalance._log_odds import finite_range, fit_sigmoid
from skimbalance._validation import (
    check_beta,
    check_choice,
    check_per_label,
    check_probabilities,
    column_names,
)

# Entries that the shared sigmoid is fitted on: for two parameters they are plenty.
_MOST_ENTRIES = 2**18
# Part of a row by which counts are moved to compare the gain of one more prediction.
_STEP = 1e-3


# --------------------------------------------------------------------------
# F-beta


def _by_average(proba, average):
    """Return the probabilities as columns, one for each threshold."""
    check_choice("average", average, {"macro", "micro"})
    return proba if average == "macro" else proba.reshape(-1, 1)


def plug_in_threshold(
    y_score: ArrayLike, beta: float = 1.0, average: str = "macro"
) -> NDArray[np.float64]:
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


def f_beta_of_sums(beta, expected_tp, n_predicted, n_positive):
    """Return F-beta from sums over rows, 0 where it is 0 / 0.

    Numerator and denominator are divided by ``1 + beta^2``, so that both stay finite
    for a beta of any size, infinity included.
    """
    weight = _precision_weight(beta)
    return ratio(
        expected_tp, weight * n_predicted + (1 - weight) * n_positive, undefined=0.0
    )


def _precision_weight(beta):
    """Return ``1 / (1 + beta^2)``, which stays finite for a beta of any size."""
    if beta <= 1:
        return 1 / (1 + float(beta) ** 2)
    # The square of a beta beyond 1e154 would overflow; that of its inverse does not.
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
        # A row of weight 0 must not be the most probable one.
        proba, weight = proba[weight > 0], weight[weight > 0]
    ranked = np.argsort(-proba)
    weights = weights_or_ones(weight, len(proba))[ranked]
    # 64-bit sums: in float32 the small probabilities of many rows would be lost.
    expected_tp = np.cumsum(weights * proba[ranked], dtype=np.float64)
    best = f_beta_of_sums(beta, expected_tp, np.cumsum(weights), expected_tp[-1]).max()
    threshold, top = _precision_weight(beta) * best, proba[ranked[0]]
    # For beta near 0 the threshold is the largest probability itself, up to rounding.
    if 0 < top <= threshold:
        threshold = midpoint_below(proba, top, lowest=0.0)
    return threshold, best


def midpoint_below(score, level, lowest=None):
    """Return a threshold that the scores from a level upwards exceed, and no other.

    It lies halfway to the next lower score, so that rounding, as from probabilities to
    log-odds and back, changes no prediction. `lowest` takes the place of that score for
    the least of them, if there is such a bound.
    """
    lower = score[score < level]
    level = np.float64(level)
    if len(lower):
        lowest = lower.max()
    if lowest is None or lowest >= level:
        return np.nextafter(level, -np.inf)
    return lowest + (level - np.float64(lowest)) / 2


def expected_f_beta(
    y_score: ArrayLike,
    threshold: ArrayLike = 0.5,
    *,
    beta: float = 1.0,
    average: str | None = "macro",
) -> float | NDArray[np.float64]:
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
    names = column_names(y_score)
    predicted = proba > check_thresholds(threshold, proba.shape[1], names)
    sums = np.array(
        [part.sum(0, dtype=float) for part in (proba * predicted, predicted, proba)]
    )
    if average == "micro":
        sums = sums.sum(axis=1, keepdims=True)
    score = f_beta_of_sums(beta, *sums)
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
    return check_per_label(
        name,
        threshold,
        n_labels,
        "threshold",
        names=label_names,
        low=0,
        high=1,
        # Just below 0, as a search may find it, rows of probability 0 are predicted.
        slack=np.nextafter(0.0, 1.0),
        hint=" It may also be the name of a rule or a rule object.",
    )


# --------------------------------------------------------------------------
# Any metric, of any scores


def are_probabilities(scores):
    """Whether scores can be read as probabilities."""
    return bool(scores.min() >= 0 and scores.max() <= 1)


@dataclass(frozen=True)
class Link:
    """A sigmoid, shared by all labels, between scores and probabilities."""

    slope: float
    intercept: float
    low: float  # `low` and `high` bound the scores that it was fitted on
    high: float
    of_odds: bool  # of the log-odds of scores that are probabilities

    def probability(self, scores):
        """Return the probabilities of the scores."""
        scores = np.clip(scores, self.low, self.high)
        if self.of_odds:
            scores = np.log(scores / (1 - scores))
        return expit(self.slope * scores + self.intercept)

    def score(self, probability):
        """Return the score of a probability, within the range of the known ones."""
        # The logarithm of 0 is minus infinity here, which is clipped.
        with np.errstate(divide="ignore"):
            score = (logit(probability) - self.intercept) / self.slope
        return np.clip(expit(score) if self.of_odds else score, self.low, self.high)


def fit_link(labels, scores, weight=None):
    """Fit the sigmoid on the entries of all labels; of very many on some rows only."""
    some = one_in(-(-scores.size // _MOST_ENTRIES), len(scores))
    weight = take_weights(weight, some)
    target, score, weight = all_entries(labels[some], scores[some], weight)
    of_odds = are_probabilities(scores)
    low, high = finite_range(score) if of_odds else (score.min(), score.max())
    # In float32 the bound nearest to 1 would round to 1, whose log-odds are infinite.
    score = np.clip(score.astype(np.float64), low, high)
    slope, intercept = fit_sigmoid(target, logit(score) if of_odds else score, weight)
    return Link(slope, intercept, float(low), float(high), of_odds)


def _indifference(metric, expected_tp, predicted, n_positive, n_rows):
    """Return the probability at which one more predicted row changes nothing.

    It is the ratio of the metric's slopes in false and in true positives, taken as
    differences, so that a metric needs no derivatives.
    """
    tp = expected_tp + _STEP * np.array([0, 1, 0])
    fp = predicted - expected_tp + _STEP * np.array([0, 0, 1])
    now, right, wrong = metric(tp, fp, n_positive - tp, n_rows - n_positive - fp)
    return (now - wrong) / (right - wrong) if right > wrong else np.inf


def metric_plug_in(metric, proba, weight=None, start=0.0):
    """Return the threshold of the best expected metric.

    After a first threshold, the next one is where one more predicted row changes
    nothing, until it increases no more. For ratios of linear functions of the confusion
    counts, F-beta, Jaccard, accuracy and balanced accuracy among them, this is
    Dinkelbach's iteration, which ends at the best of all thresholds.

    Parameters
    ----------
    metric : callable
        ``metric(tp, fp, fn, tn)``, of expected counts.
    proba : ndarray of shape (n_observed,)
    weight : ndarray of shape (n_observed,) or None
    start : float
        The first threshold; nearer to the best it saves rounds.
    """
    weighted = proba if weight is None else weight * proba
    n_positive = weighted.sum(dtype=np.float64)
    n_rows = len(proba) if weight is None else weight.sum()
    counts = _expected_counts(weighted, weight, proba > start)
    threshold = -1.0
    while True:
        higher = _indifference(metric, *counts, n_positive, n_rows)
        if not higher > threshold * (1 + 1e-7):  # nor if it is not a number
            return max(threshold, 0.0)
        if higher >= proba.max(initial=0.0):
            return min(higher, 1.0)
        threshold = higher
        # Thresholds only increase, so rows below one are never looked at again.
        kept = proba > threshold
        proba, weighted = proba[kept], weighted[kept]
        weight = take_weights(weight, kept)
        counts = _expected_counts(weighted, weight)


def _expected_counts(weighted, weight, chosen: Any = slice(None)):
    """Return the expected true positives among chosen rows, and their weight."""
    weighted = weighted[chosen]
    predicted = len(weighted) if weight is None else weight[chosen].sum()
    return weighted.sum(dtype=np.float64), predicted
