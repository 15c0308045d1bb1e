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


class IsotonicLabelCalibrator:
    """Pooled sigmoid, then an isotonic step for each label that can carry one.

    The step is fitted from 50 held-out positives on, and mixed with the pooled answer,
    which counts as much as 20 positives: so no two scores are tied, and no probability
    is 0 or 1.

    Attributes
    ----------
    pooled_ : PooledCalibrator
        The start.
    steps_ : dict of IsotonicRegression
        By column.
    share_ : dict of float
        The part that the step has in the mixture, by column.
    """

    def fit(self, log_odds, y, sample_weight=None):
        """Learn from held-out rows; `y` holds NaN where a label is missing."""
        self.pooled_ = PooledCalibrator().fit(log_odds, y, sample_weight)
        proba = expit(self.pooled_.transform(log_odds))
        weight = np.ones(1) if sample_weight is None else np.asarray(sample_weight)
        weight = weight.reshape(-1, 1) if weight.ndim == 1 else weight
        weight = np.broadcast_to(weight, y.shape)
        n_positive = (y == 1).sum(axis=0)
        self.steps_, self.share_ = {}, {}
        for k in np.flatnonzero(n_positive >= _LEAST_POSITIVES):
            seen = ~np.isnan(y[:, k])
            step = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
            cells = proba[seen, k], y[seen, k], weight[seen, k]
            self.steps_[k] = step.fit(cells[0], cells[1], sample_weight=cells[2])
            self.share_[k] = n_positive[k] / (n_positive[k] + _PRIOR_POSITIVES)
        return self

    def transform(self, log_odds):
        """Return calibrated log-odds."""
        log_odds = self.pooled_.transform(log_odds)
        for k, step in self.steps_.items():
            proba = expit(log_odds[:, k])
            mixed = (1 - self.share_[k]) * proba + self.share_[k] * step.predict(proba)
            inside = mixed.clip(_LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
            log_odds[:, k] = logit(inside)
        return log_odds
