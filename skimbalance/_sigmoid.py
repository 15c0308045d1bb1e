"""Slopes and an intercept on log-odds: the fit behind every parametric calibrator."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit


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
