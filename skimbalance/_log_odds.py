"""Fits of log-odds: slopes, intercepts, prevalences, and finite log-odds of scores.

The calibrators, the links of the thresholds and the nets share them.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_expit, log_softmax, logit
from sklearn.utils import gen_batches

from skimbalance._columns import (
    ratio,
)
from skimbalance._counts import (
    SparseWeights,
    weights_or_ones,
)

# Positives and negatives that are added to the counts of an output; a choice between
# the two errors that `smoothed_prevalence` names.
_ADDED = 0.25
# Positives that the expected number of a label weighs as much as in the correction of
# its intercept, because the positives of a rare label are few. Measured on 13 fits to
# real and generated label matrices, as the mean |log expected / observed| of labels in
# test rows: .087, .084, .082, .082 for 3, 1, .3, .1, and .084 where the counts are met
# exactly; .110 for 3 without the trend of `prevalence_of_counts`.
EXPECTED_STRENGTH = 0.3
# More than bisection alone needs: from bounds 100 apart to 1e-12 it takes 47 steps.
_NEWTON_STEPS = 100
# On the log-odds of a mean: a choice, above the rounding of the sums.
_MEAN_TOLERANCE = 1e-12
# Positives that the expected number of a label weighs as much as where the scored rows
# are a sample: its own number of positives is off by chance.
_SAMPLED_STRENGTH = 3.0
# Keeps the logit of a matched prevalence finite.
_LEAST_PREVALENCE = 1e-12
# Bound of the logarithm of a slope, far above any that is found: its exponential, and
# what that multiplies, stay finite.
_MOST_LOG_SLOPE = 100.0
# Entries whose probabilities are computed at a time: 2 MiB of float64, in the cache.
_BLOCK_ENTRIES = 2**18
# Bounds of probabilities that are all 0 or 1, of a tree with pure leaves for example:
# those of the fraction of two votes, the coarsest one with a value in between. They do
# not depend on the number of rows, so that whole weights equal repeated rows.
_BOUNDS_OF_CERTAIN = 0.25, 0.75


def finite_range(proba):
    """Return the bounds to clip probabilities to, so that their log-odds are finite.

    Clip 0 to half of the smallest positive probability, and 1 by the same rule. Where
    none lies between 0 and 1, clip to 1/4 and 3/4.
    """
    if not ((proba > 0) & (proba < 1)).any():
        return _BOUNDS_OF_CERTAIN
    low = float(proba.min(initial=1.0, where=proba > 0)) / 2
    high = 1 - (1 - float(proba.max(initial=0.0, where=proba < 1))) / 2
    return min(low, 0.5), max(high, 0.5)


@dataclass(frozen=True)
class FiniteLogOdds:
    """Turn the scores of a classifier into log-odds, finite ones.

    Scores that are no probabilities count as log-odds.

    Parameters
    ----------
    low, high : float
        The bounds that scores are clipped to, from `finite_range`.
    of_proba : bool
        Whether the scores are probabilities.
    """

    low: float
    high: float
    of_proba: bool

    @classmethod
    def of_range(cls, scores, of_proba):
        """Return the map for scores in the range of those given."""
        bounds = finite_range(scores) if of_proba else (-np.inf, np.inf)
        return cls(*bounds, of_proba)

    def __call__(self, scores):
        """Return the log-odds."""
        scores = scores.astype(np.float64, copy=False)
        return logit(np.clip(scores, self.low, self.high)) if self.of_proba else scores


def smoothed_prevalence(positive, negative):
    """Return the prevalence of counted outputs, a little shrunk to one half.

    A quarter of a positive and of a negative is added, but no more than a quarter of
    what there is. Less would leave nothing to fresh rows where a net fits its only
    positive exactly; more would make the sum over labels of a few positives too large.

    Parameters
    ----------
    positive, negative : ndarray of shape (n_outputs,)
        Weighted counts.
    """
    added = _ADDED * np.minimum(1, [positive, negative])
    observed = positive + negative + added.sum(axis=0)
    return ratio(positive + added[0], observed, undefined=0.5)


def prevalence_of_counts(positive, expected, mass):
    """Return the mean that probabilities are given: of the counts, drawn to their sum.

    A slope that is fitted on all labels moves the sum `s` of the probabilities of rare
    labels more than that of others: by half where all labels together add up. So the
    sum is multiplied by a power of the base rate first, fitted on all labels, and then
    becomes ``(y + 0.3) / (s + 0.3)`` of itself, `y` being the positives.

    Parameters
    ----------
    positive, expected, mass : ndarray of shape (n_outputs,)
        Weighted positives, sum of the probabilities, and weight of the rows.
    """
    expected = expected.copy()
    some = (expected > 0) & (positive > 0)
    if some.any():
        log_rate = np.log(positive[some] / mass[some])
        trend = _trend(positive[some], expected[some], log_rate)
        # Probabilities of a frequent label cannot sum to more than the rows.
        expected[some] = np.minimum(expected[some] * trend, mass[some])
    moved = (positive + EXPECTED_STRENGTH) / (expected + EXPECTED_STRENGTH)
    return ratio(expected * moved, mass, undefined=0.5)


def _trend(positive, expected, feature):
    """Return ``exp(a + b * feature)``, the ratio of two sums by Poisson regression.

    The exponent has a unit Gaussian prior. scikit-learn's `PoissonRegressor` warns
    where its line search finds no better point, as with one label, or an exact fit.
    """
    total, feature = positive.sum(), feature - feature.mean()

    def risk(theta):
        log_ratio = theta[0] + theta[1] * feature
        error = expected * np.exp(log_ratio) - positive
        value = error.sum() - positive @ log_ratio + 0.5 * theta[1] ** 2
        return value / total, np.array(
            [error.sum(), error @ feature + theta[1]]
        ) / total

    start = np.array([np.log(total / expected.sum()), 0.0])
    theta = minimize(risk, start, jac=True, method="BFGS").x
    return np.exp(theta[0] + theta[1] * feature)


def fit_slopes(
    target,
    features,
    weight,
    centre,
    strength: float | np.ndarray = 1.0,
    *,
    intercept=True,
):
    """Return the logarithms of the slopes, and the intercept, of least log-loss.

    Parameters
    ----------
    target : ndarray of bool, shape (n_entries,)
    features : ndarray of float64, shape (n_features, n_entries)
        Each with a positive slope, so that the sum rises with the log-odds.
    weight : ndarray of float64, shape (n_entries,), or None
    centre : ndarray of float64, shape (n_features + 1,)
        Mode of the Gaussian prior, and where the search starts.
    strength : float or ndarray of shape (n_features + 1,), default=1.0
        Precision of the prior, in entries.
    intercept : bool, default=True
        False leaves the last entry at 0.

    Returns
    -------
    theta : ndarray of float64, shape (n_features + 1,)
    """
    weight = weights_or_ones(weight, len(target))
    # The risk grows with the rarer class. Divided by its number, the gradient is of the
    # order of 1, as the tolerance of BFGS takes it to be.
    n_positive = weight @ target
    total = max(min(n_positive, weight.sum() - n_positive), 1.0)

    def risk(theta):
        # A step of the search may go far beyond what float64 can hold.
        slopes = np.exp(np.minimum(theta[:-1], _MOST_LOG_SLOPE))
        scores = slopes @ features + theta[-1]
        step = theta - centre
        value = weight @ (np.logaddexp(0, scores) - target * scores)
        error = weight * (expit(scores) - target)
        gradient = np.append(slopes * (features @ error), error.sum())
        gradient = (gradient + strength * step) / total
        gradient[-1] *= intercept
        return (value + 0.5 * (strength * step) @ step) / total, gradient

    return minimize(risk, centre, jac=True, method="BFGS").x


def fit_sigmoid(target, log_odds, weight=None):
    """Return the one slope and the intercept, drawn towards the identity."""
    theta = fit_slopes(target, log_odds[None], weight, np.zeros(2))
    return float(np.exp(theta[0])), float(theta[1])


def target_mean_probability(mean, rate, scored, sampling_weight):
    """Return what the mean probability of each output is to become.

    Parameters
    ----------
    mean : ndarray of shape (n_outputs,)
        Mean probability over the rows that were scored.
    rate : ndarray of shape (n_outputs,)
        From `smoothed_prevalence`.
    scored : ndarray of shape (n_outputs,)
        The weight of the scored rows.
    sampling_weight : float
        0: the scored rows are the counted ones, match exactly; 1: they are a sample,
        shrink the change.
    """
    added = _SAMPLED_STRENGTH * sampling_weight
    change = np.ones(len(mean))
    np.divide(
        rate * scored + added, mean * scored + added, out=change, where=scored > 0
    )
    return inside_unit_interval(mean * change)


def inside_unit_interval(prevalence):
    """Return prevalences away from 0 and 1, so that their log-odds are finite."""
    return np.clip(prevalence, _LEAST_PREVALENCE, 1 - _LEAST_PREVALENCE)


def match_means(log_odds, target, weight=None):
    """Return what to add to each column so that its mean probability is the target.

    Newton's method on the log-odds of the mean, kept between bounds on the root.
    `scipy.optimize.elementwise.find_root` evaluates all rows 11 to 13 times where this
    does so 4 times (20,000 normal log-odds in each of 1 and of 100 columns).

    Parameters
    ----------
    log_odds : ndarray of float64, shape (n_rows, n_columns)
    target : ndarray of float64, shape (n_columns,)
        Between 0 and 1.
    weight : ndarray of float64 or None, shape (n_rows, 1) or (n_rows, n_columns)
        With a positive sum in each column.

    Returns
    -------
    shift : ndarray of float64, shape (n_columns,)
    """
    weight = weights_or_ones(weight, len(log_odds)).reshape(len(log_odds), -1)
    log_odds_of_target = logit(target)
    # A mean lies between the extremes, so the shift lies between these two.
    low = log_odds_of_target - log_odds.max(axis=0)
    high = log_odds_of_target - log_odds.min(axis=0)
    shift = np.clip(0.0, low, high)
    for _ in range(_NEWTON_STEPS):
        mean, slope = _mean_and_slope(log_odds, shift, weight)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            gap = logit(mean) - log_odds_of_target
            newton = shift - gap / (slope / (mean * (1 - mean)))
        if (np.abs(gap) < _MEAN_TOLERANCE).all():
            break
        low, high = np.where(gap < 0, shift, low), np.where(gap > 0, shift, high)
        # Far from the root the mean is flat, and a step of Newton leaves the bounds.
        inside = (newton >= low) & (newton <= high)
        shift = np.where(inside, newton, (low + high) / 2)
    return shift


def blocks_of_rows(matrix):
    """Return slices of rows, for steps that make copies of all rows they are given."""
    n_rows, n_columns = matrix.shape
    return gen_batches(n_rows, max(1, _BLOCK_ENTRIES // n_columns))


def _mean_and_slope(log_odds, shift, weight):
    """Return the mean probability of each column, and its derivative by the shift.

    In blocks, as each step on all rows is a copy of the log-odds.
    """
    mass, sums = weight.sum(axis=0), np.zeros((2, log_odds.shape[1]))
    for rows in blocks_of_rows(log_odds):
        p = expit(log_odds[rows] + shift)
        part = weight[rows] / mass * p
        sums += part.sum(axis=0), (part * (1 - p)).sum(axis=0)
    return sums


def match_class_means(log_proba, target, weight=None):
    """Return what to add to each class so that its mean probability is the target.

    Parameters
    ----------
    log_proba : ndarray of float64, shape (n_rows, n_classes)
    target : ndarray of float64, shape (n_classes,)
        Positive, with a sum of 1.
    weight : ndarray of float64 or None, shape (n_rows, 1)

    Returns
    -------
    shift : ndarray of float64, shape (n_classes,)
    """
    weight = weights_or_ones(weight, len(log_proba)).reshape(-1)
    fraction = weight / weight.sum()
    # In these units the curvature is about the same along each class.
    unit = 1 / np.sqrt(target)

    def risk(theta):
        shift = unit * theta
        log_p = log_softmax(log_proba + shift, axis=1)
        # The log of the normaliser is the same in each column.
        normaliser = (log_proba + shift - log_p)[:, 0]
        gradient = fraction @ np.exp(log_p) - target
        return fraction @ normaliser - target @ shift, unit * gradient

    start = np.zeros(len(target))
    return unit * minimize(risk, start, jac=True, method="BFGS", tol=1e-9).x


def as_columns(weight):
    """Return weights as a dense matrix of one column, or of one for each label."""
    if weight is None or isinstance(weight, SparseWeights):
        return None if weight is None else weight.toarray()
    return weight.reshape(len(weight), -1)


def both_classes(log_odds, target, log=False):
    """Return the (log-)probabilities of the classes of a binary target.

    Parameters
    ----------
    log_odds : ndarray of shape (n_samples, 1)
        The log-odds of the positive class.
    target : Target
    log : bool, default=False

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        In the order of the classes. Each column is computed from the log-odds, as
        ``1 - p`` would be 0 where p rounds to 1.
    """
    if len(target.classes) == 1:
        return np.full_like(log_odds, 0.0 if log else 1.0)
    scores = -log_odds if target.is_flipped else log_odds
    return (log_expit if log else expit)(np.hstack([-scores, scores]))
