"""Probabilities at other base rates than those of the training rows."""

import numpy as np

from skimbalance._validation import (
    check_interval,
    check_per_label,
    check_probabilities,
    column_names,
)

# By which the sum of the probabilities of classes, with few digits, may differ from 1.
_ROUNDING = 0.01


def check_prior(name, prior, n_columns, *, exclusive, names=None):
    """Return base rates as an array of one for each column, within (0, 1)."""
    prior = check_per_label(
        name,
        prior,
        n_columns,
        "base rate",
        names=names,
        low=0,
        high=1,
        closed="neither",
    )
    if exclusive and not np.isclose(prior.sum(), 1):
        raise ValueError(f"{name} must sum to 1: the classes exclude each other.")
    return prior


def _as_probabilities(y_proba, exclusive):
    """Return probabilities of labels, or of classes, whose rows sum to 1, as float64.

    A single row of labels may sum to 1 by chance.
    """
    proba = check_probabilities(y_proba).astype(np.float64)
    sums = proba.sum(axis=1)
    if exclusive and not np.allclose(sums, 1, atol=_ROUNDING):
        raise ValueError(
            "Each row of y_proba must sum to 1 with exclusive=True, which is for "
            "classes of which one is true. Leave it False for labels."
        )
    if not exclusive and min(proba.shape) > 1 and np.allclose(sums, 1):
        raise ValueError(
            "The rows of y_proba sum to 1, as those of classes do: pass "
            "exclusive=True with a base rate for each class, or, of two classes, the "
            "column of the positive one alone, such as y_proba[:, 1]."
        )
    return proba


def _shift(proba, prior, new_prior, exclusive):
    """Return probabilities at new base rates, by Bayes' rule."""
    if exclusive:
        # Times the smallest prior, as the inverse of a denormal number overflows.
        positive = proba * new_prior * (prior.min() / prior)
        return positive / positive.sum(axis=1, keepdims=True)
    positive = proba * new_prior * (1 - prior)
    return positive / (positive + (1 - proba) * (1 - new_prior) * prior)


def prior_shift(y_proba, prior, new_prior, *, exclusive=False) -> np.ndarray:
    """Compute the probabilities at other base rates.

    Where only the base rates differ between training and deployment, not the inputs of
    the positives and of the negatives, Bayes' rule gives the new probabilities.

    Parameters
    ----------
    y_proba : array-like of shape (n_samples, n_labels) or (n_samples,)
        Calibrated probabilities at the old base rates.
    prior : float or array-like of shape (n_labels,)
        The old base rates, of the rows that trained the model.
    new_prior : float or array-like of shape (n_labels,)
        The new ones.
    exclusive : bool, default=False
        Whether the columns are classes of which one is true, and sum to 1.

    Returns
    -------
    proba : ndarray of float64, of the shape of `y_proba`
        Probabilities at the new base rates.

    Raises
    ------
    ValueError
        If a probability is outside [0, 1], or a base rate outside (0, 1), if classes do
        not sum to 1, or if all rows of several columns sum to 1 without `exclusive`.

    See Also
    --------
    estimate_prior : Base rates of unlabelled rows.

    References
    ----------
    .. [1] Elkan, "The Foundations of Cost-Sensitive Learning", IJCAI 2001.
    .. [2] Saerens, Latinne, Decaestecker, "Adjusting the Outputs of a Classifier to New
       a Priori Probabilities", Neural Computation 2002.

    Examples
    --------
    >>> from skimbalance.calibration import prior_shift
    >>> prior_shift([0.5], prior=0.5, new_prior=0.1).round(3)
    array([0.1])
    """
    proba = _as_probabilities(y_proba, exclusive)
    old, new = (
        check_prior(
            name,
            value,
            proba.shape[1],
            exclusive=exclusive,
            names=column_names(y_proba),
        )
        for name, value in (("prior", prior), ("new_prior", new_prior))
    )
    return _shift(proba, old, new, exclusive).reshape(np.shape(y_proba))


def estimate_prior(
    y_proba, prior, *, exclusive=False, max_iter=1000, tol=1e-8
) -> np.ndarray:
    """Estimate the base rates of unlabelled rows from their probabilities.

    Expectation maximisation: the mean probability at the present base rates gives the
    next ones. The mean of `y_proba` itself is biased towards the old base rates.

    Parameters
    ----------
    y_proba : array-like of shape (n_samples, n_labels) or (n_samples,)
        Calibrated probabilities at the old base rates, of rows of the new population.
    prior : float or array-like of shape (n_labels,)
        The old base rates, of the rows that trained the model.
    exclusive : bool, default=False
        Whether the columns are classes of which one is true, and sum to 1.
    max_iter : int, default=1000
        Most iterations.
    tol : float, default=1e-8
        Ends when no base rate moves by more.

    Returns
    -------
    new_prior : ndarray of float64, shape (n_labels,)
        Between 0 and 1. Its standard error is at least that of a fraction of the rows.

    Raises
    ------
    ValueError
        If a probability is outside [0, 1], or a base rate outside (0, 1), if classes do
        not sum to 1, or if all rows of several columns sum to 1 without `exclusive`.

    See Also
    --------
    prior_shift : Probabilities at these base rates.

    References
    ----------
    .. [1] Saerens, Latinne, Decaestecker, "Adjusting the Outputs of a Classifier to New
       a Priori Probabilities", Neural Computation 2002.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.calibration import estimate_prior
    >>> rng = np.random.default_rng(0)
    >>> y = rng.random(5000) < 0.1
    >>> x = rng.normal(size=5000) + 2 * y
    >>> proba_at_one_half = 1 / (1 + np.exp(2 - 2 * x))
    >>> estimate_prior(proba_at_one_half, prior=0.5).round(1)
    array([0.1])
    """
    check_interval("max_iter", max_iter, 1)
    check_interval("tol", tol, 0)
    proba = _as_probabilities(y_proba, exclusive)
    names = column_names(y_proba)
    old = check_prior("prior", prior, proba.shape[1], exclusive=exclusive, names=names)
    new = old
    for _ in range(int(max_iter)):
        before, new = new, _shift(proba, old, new, exclusive).mean(axis=0)
        if np.abs(new - before).max() <= tol:
            break
    return new
