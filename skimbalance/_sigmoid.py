"""Slopes and intercepts on log-odds: the fits behind every parametric calibrator."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, logit

_MOST_STEPS = 100
_TOLERANCE = 1e-12


def fit_slopes(features, positive, weight, centre, strength=1.0, *, intercept=True):
    """Return the logarithms of the slopes, and the intercept, of least log-loss.

    Parameters
    ----------
    features : ndarray of float64, shape (n_features, n_cells)
        Each with a positive slope, so that the sum rises with the log-odds.
    positive : ndarray of bool, shape (n_cells,)
    weight : ndarray of float64, shape (n_cells,)
    centre : ndarray of float64, shape (n_features + 1,)
        Mode of the Gaussian prior, and where the search starts.
    strength : float or ndarray of shape (n_features + 1,), default=1.0
        Precision of the prior, in cells.
    intercept : bool, default=True
        False leaves the last entry at 0.

    Returns
    -------
    theta : ndarray of float64, shape (n_features + 1,)
    """
    # The risk grows with the cells that tell something; scaled by their number, its
    # tolerance means something.
    hits = weight @ positive
    total = max(min(hits, weight.sum() - hits), 1.0)

    def risk(theta):
        slopes = np.exp(theta[:-1])
        scores = slopes @ features + theta[-1]
        moved = theta - centre
        value = weight @ (np.logaddexp(0, scores) - positive * scores)
        error = weight * (expit(scores) - positive)
        gradient = np.append(slopes * (features @ error), error.sum())
        gradient = (gradient + strength * moved) / total
        gradient[-1] *= intercept
        return (value + 0.5 * (strength * moved) @ moved) / total, gradient

    return minimize(risk, centre, jac=True, method="BFGS").x


def fit_sigmoid(log_odds, positive, weight):
    """Return the one slope and the intercept, drawn towards the identity."""
    theta = fit_slopes(log_odds[None], positive, weight, np.zeros(2))
    return float(np.exp(theta[0])), float(theta[1])


def match_means(log_odds, target, weight=None):
    """Return what to add to each column so that its mean probability is the target.

    Newton's method on the log-odds of the mean, kept between bounds on the root.

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
    share = _fractions(weight, len(log_odds))
    wanted = logit(target)
    # A mean lies between the extremes, so the shift lies between these two.
    low, high = wanted - log_odds.max(axis=0), wanted - log_odds.min(axis=0)
    shift = np.clip(0.0, low, high)
    for _ in range(_MOST_STEPS):
        p = expit(log_odds + shift)
        mean = (share * p).sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            gap = logit(mean) - wanted
            slope = (share * p * (1 - p)).sum(axis=0) / (mean * (1 - mean))
            newton = shift - gap / slope
        if (np.abs(gap) < _TOLERANCE).all():
            break
        low, high = np.where(gap < 0, shift, low), np.where(gap > 0, shift, high)
        inside = (newton >= low) & (newton <= high)
        shift = np.where(inside, newton, (low + high) / 2)
    return shift


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
    share = _fractions(weight, len(log_proba))[:, 0]
    # In these units the curvature is about the same along each class.
    unit = 1 / np.sqrt(target)

    def risk(theta):
        shift = unit * theta
        log_p = log_softmax(log_proba + shift, axis=1)
        # The log of the normaliser is the same in each column.
        normaliser = (log_proba + shift - log_p)[:, 0]
        gradient = share @ np.exp(log_p) - target
        return share @ normaliser - target @ shift, unit * gradient

    start = np.zeros(len(target))
    return unit * minimize(risk, start, jac=True, method="BFGS", tol=1e-9).x


def _fractions(weight, n_rows):
    """Return weights of sum 1 in each column."""
    weight = np.ones((n_rows, 1)) if weight is None else weight
    return weight / weight.sum(axis=0)
