"""Calibration of scores that no inverse leads back to probabilities.

A loss without an inverse bends the scores of each label or class in its own way, so
what they all share is only the start.
"""

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, logit
from sklearn.isotonic import IsotonicRegression

from skimbalance.calibration import PooledCalibrator

_LEAST_POSITIVES = 50
_PRIOR_POSITIVES = 20
_LEAST_PROBABILITY = 1e-9


class ShrunkLabelCalibrator:
    """Pooled sigmoid, then what each label can afford beyond it.

    Every label gets an intercept of its own, drawn to 0 by a unit Gaussian prior: ten
    held-out positives nearly free it. From 50 on it gets an isotonic step as well,
    mixed with what came before, which counts as much as 20 positives: so no two scores
    are tied, and no probability is 0 or 1.

    Attributes
    ----------
    pooled_ : PooledCalibrator
        The start.
    intercept_ : ndarray of shape (n_labels,)
        Added to the pooled log-odds.
    steps_ : dict of IsotonicRegression
        By column.
    share_ : dict of float
        The part that the step has in the mixture, by column.
    """

    def fit(self, log_odds, y, sample_weight=None):
        """Learn from held-out rows; `y` holds NaN where a label is missing."""
        weight = np.ones(1) if sample_weight is None else np.asarray(sample_weight)
        weight = weight.reshape(-1, 1) if weight.ndim == 1 else weight
        weight = np.where(np.isnan(y), 0.0, weight)
        positive = np.nan_to_num(y)
        self.pooled_ = PooledCalibrator().fit(log_odds, y, sample_weight)
        log_odds = self.pooled_.transform(log_odds)
        self.intercept_ = _shrunk_intercepts(log_odds, positive, weight)
        proba = expit(log_odds + self.intercept_)
        n_positive = positive.sum(axis=0, where=weight > 0)
        self.steps_, self.share_ = {}, {}
        for k in np.flatnonzero(n_positive >= _LEAST_POSITIVES):
            step = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
            self.steps_[k] = step.fit(proba[:, k], positive[:, k], weight[:, k])
            self.share_[k] = n_positive[k] / (n_positive[k] + _PRIOR_POSITIVES)
        return self

    def transform(self, log_odds):
        """Return calibrated log-odds."""
        log_odds = self.pooled_.transform(log_odds) + self.intercept_
        for k, step in self.steps_.items():
            proba = expit(log_odds[:, k])
            mixed = (1 - self.share_[k]) * proba + self.share_[k] * step.predict(proba)
            inside = mixed.clip(_LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
            log_odds[:, k] = logit(inside)
        return log_odds


def _shrunk_intercepts(log_odds, positive, weight, steps=30):
    """Minimise each label's log-loss plus ``b^2 / 2``, by Newton's method."""
    intercept = np.zeros(log_odds.shape[1])
    for _ in range(steps):
        proba = expit(log_odds + intercept)
        slope = (weight * (proba - positive)).sum(axis=0) + intercept
        curvature = (weight * proba * (1 - proba)).sum(axis=0) + 1
        intercept = intercept - np.clip(slope / curvature, -1, 1)
    return intercept


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
