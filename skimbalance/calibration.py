"""Calibrators: from scores to honest probabilities, learnt on held-out rows.

What the training loss distorts is undone exactly by the loss itself. What remains, the
over-confidence of a flexible net on few rows, takes two numbers for all labels
together.
"""

import numpy as np
import scipy.sparse as sp
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, log_softmax
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skimbalance._validation import check_label_matrix, check_weights

__all__ = [
    "PooledCalibrator",
    "TemperatureCalibrator",
]


class PooledCalibrator(BaseEstimator):
    """One slope and one intercept on the log-odds, shared by all labels.

    Platt's sigmoid with its two parameters fitted on the cells of all labels together,
    so that the rarest label needs no positives of its own. A unit Gaussian prior around
    the identity keeps it harmless on a handful of cells.

    Attributes
    ----------
    slope_ : float
        Positive, so no ranking changes.

    intercept_ : float
        Added after the slope.

    References
    ----------
    .. [1] Platt, "Probabilistic Outputs for Support Vector Machines", 1999.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.calibration import PooledCalibrator
    >>> rng = np.random.default_rng(0)
    >>> log_odds = rng.normal(size=(5000, 2))
    >>> labels = rng.random((5000, 2)) < 1 / (1 + np.exp(-log_odds))
    >>> calibrator = PooledCalibrator().fit(3 * log_odds, labels)
    >>> round(calibrator.slope_, 1)
    0.3
    """

    def fit(self, log_odds, y, sample_weight=None):
        """Learn the slope and the intercept.

        Parameters
        ----------
        log_odds : array-like of shape (n_samples, n_labels)
            Of rows that did not train what gave them.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels)
            0, 1 and NaN for a missing label.
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
                default=None
            Weights of the rows or cells.

        Returns
        -------
        self : PooledCalibrator
            The fitted calibrator.

        Raises
        ------
        ValueError
            If the shapes differ.
        """
        labels = check_label_matrix(y)
        labels = labels.toarray() if sp.issparse(labels) else labels
        log_odds = np.asarray(log_odds, dtype=np.float64).reshape(len(labels), -1)
        weight = check_weights(sample_weight, *labels.shape)
        if sp.issparse(weight):
            weight = 1 + weight.toarray()
        if log_odds.shape != labels.shape:
            raise ValueError(
                f"log_odds has shape {log_odds.shape}, but y has shape {labels.shape}."
            )
        weight = np.ones(1) if weight is None else weight
        weight = weight.reshape(-1, 1) if weight.ndim == 1 else weight
        cell_weight = np.where(labels >= 0, weight, 0.0)
        self.slope_, self.intercept_ = _fit_sigmoid(
            log_odds.ravel(), (labels == 1).ravel(), cell_weight.ravel()
        )
        return self

    def transform(self, log_odds):
        """Return calibrated log-odds.

        Parameters
        ----------
        log_odds : array-like of shape (n_samples, n_labels)
            Log-odds as they left the inverse of the loss.

        Returns
        -------
        ndarray of shape (n_samples, n_labels)
            Log-odds of honest probabilities.
        """
        check_is_fitted(self)
        return self.slope_ * np.asarray(log_odds) + self.intercept_


def _fit_sigmoid(log_odds, positive, weight):
    """Minimise the log-loss over the slope, in log form, and the intercept."""

    def risk(theta):
        slope, intercept = np.exp(theta[0]), theta[1]
        scores = slope * log_odds + intercept
        value = weight @ (np.logaddexp(0, scores) - positive * scores)
        error = weight * (expit(scores) - positive)
        gradient = np.array([slope * (error @ log_odds), error.sum()])
        return value + 0.5 * theta @ theta, gradient + theta

    # The risk grows with the rows; scaled to a mean, its tolerance means something.
    total = max(weight.sum(), 1.0)

    def scaled(theta):
        value, gradient = risk(theta)
        return value / total, gradient / total

    theta = minimize(scaled, np.zeros(2), jac=True, method="BFGS").x
    return float(np.exp(theta[0])), float(theta[1])


class TemperatureCalibrator(BaseEstimator):
    """One temperature on the log-probabilities of a multiclass model.

    Attributes
    ----------
    slope_ : float
        The inverse temperature, positive.

    References
    ----------
    .. [1] Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural Networks",
       ICML 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.calibration import TemperatureCalibrator
    >>> log_proba = np.log([[0.98, 0.01, 0.01]] * 4)
    >>> calibrator = TemperatureCalibrator().fit(log_proba, [0, 0, 0, 1])
    >>> calibrator.slope_ < 1
    True
    """

    def fit(self, log_proba, y, sample_weight=None):
        """Learn the temperature.

        Parameters
        ----------
        log_proba : array-like of shape (n_samples, n_classes)
            Of rows that did not train what gave them.
        y : array-like of int, shape (n_samples,)
            Index of the true class.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        self : TemperatureCalibrator
            The fitted calibrator.

        Raises
        ------
        ValueError
            If the shapes differ.
        """
        log_proba = np.asarray(log_proba, dtype=np.float64)
        rows = np.arange(len(log_proba))
        y = np.asarray(y)
        if y.shape != rows.shape:
            raise ValueError(f"y has shape {y.shape}, expected {rows.shape}.")
        weight = check_weights(sample_weight, len(rows))
        weight = np.ones(len(rows)) if weight is None else weight

        def risk(log_slope):
            log_p = log_softmax(np.exp(log_slope) * log_proba, axis=1)[rows, y]
            return 0.5 * log_slope**2 - weight @ log_p

        best = minimize_scalar(risk, bounds=(-3, 3), method="bounded")
        self.slope_ = float(np.exp(best.x))
        return self

    def transform(self, log_proba):
        """Return calibrated log-probabilities.

        Parameters
        ----------
        log_proba : array-like of shape (n_samples, n_classes)
            Log-probabilities as they left the inverse of the loss.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Normalised.
        """
        check_is_fitted(self)
        return log_softmax(self.slope_ * np.asarray(log_proba), axis=1)
