"""Calibration of scores that no inverse leads back to probabilities.

A loss without an inverse bends each label's scores in its own way, so the slope and
intercept that all labels share are only the start.
"""

import numpy as np
from scipy.special import expit, logit
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
