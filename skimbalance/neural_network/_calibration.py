"""Calibration of class scores that no inverse leads back to probabilities.

A loss without an inverse bends the scores of each class in its own way, so the
temperature that they share is not enough.
"""

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax


class ShrunkClassCalibrator:
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
