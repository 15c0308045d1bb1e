"""Calibration of class scores that no inverse leads back to probabilities.

A loss without an inverse bends the scores of each class in its own way, so the
temperature that they share is not enough.
"""

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax

from skimbalance.calibration import _ClassPrevalenceMixin

# Positives and negatives that are added to the counts of an output.
_ADDED = 0.25
# Expected positives that weigh as much as the count, where rows are a sample.
_DOUBT = 3.0
_LEAST = 1e-12


def known_rate(positive, negative):
    """Return the prevalence that counts tell, a little drawn to one half.

    A quarter of a positive and of a negative is added, but no more than a quarter of
    what there is. Less would leave nothing to fresh rows where a net knows its only
    positive by heart; more would make the sum over labels of a few positives too large.

    Parameters
    ----------
    positive, negative : ndarray of shape (n_outputs,)
        Weighted counts.
    """
    added = _ADDED * np.minimum(1, [positive, negative])
    observed = positive + negative + added.sum(axis=0)
    rate = np.full(len(positive), 0.5)
    return np.divide(positive + added[0], observed, out=rate, where=observed > 0)


def matched_prevalence(mean, rate, scored, doubt):
    """Return what the mean probability of each output is to become.

    Parameters
    ----------
    mean : ndarray of shape (n_outputs,)
        Mean probability over the rows that were scored.
    rate : ndarray of shape (n_outputs,)
        From `known_rate`.
    scored : ndarray of shape (n_outputs,)
        The weight of the scored rows.
    doubt : float
        From 0, where the counted rows are those that were scored and the mean becomes
        the rate, to 1, where chance had a hand in the difference of the two.
    """
    doubt = _DOUBT * doubt
    ratio = np.ones(len(mean))
    np.divide(rate * scored + doubt, mean * scored + doubt, out=ratio, where=scored > 0)
    return np.clip(mean * ratio, _LEAST, 1 - _LEAST)


class ShrunkClassCalibrator(_ClassPrevalenceMixin):
    """One temperature for all classes and an intercept for each, drawn to none.

    Attributes
    ----------
    slope_ : float
        The inverse temperature, positive.
    intercept_ : ndarray of shape (n_classes,)
        Added to the log-probabilities after it.
    """

    def fit(self, log_proba, y, sample_weight=None):
        """Learn from held-out rows; `y` are indices of classes."""
        weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight)
        rows, total = np.arange(len(y)), weight.sum()
        seen = np.bincount(y, weights=weight, minlength=log_proba.shape[1])

        def risk(theta):
            scaled = np.exp(theta[0]) * log_proba
            log_p = log_softmax(scaled + theta[1:], axis=1)
            p = np.exp(log_p)
            rise = weight @ ((p * scaled).sum(axis=1) - scaled[rows, y])
            gradient = theta + np.append(rise, weight @ p - seen)
            value = 0.5 * theta @ theta - weight @ log_p[rows, y]
            return value / total, gradient / total

        start = np.zeros(log_proba.shape[1] + 1)
        theta = minimize(risk, start, jac=True, method="BFGS").x
        self.slope_, self.intercept_ = float(np.exp(theta[0])), theta[1:]
        return self

    def transform(self, log_proba):
        """Return calibrated log-probabilities."""
        return log_softmax(self.slope_ * log_proba + self.intercept_, axis=1)
