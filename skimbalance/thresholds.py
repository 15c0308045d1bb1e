"""From honest probabilities to decisions."""

import numpy as np

from skimbalance._validation import check_interval

__all__ = [
    "plug_in_threshold",
]


def plug_in_threshold(y_score, beta=1.0, average="macro"):
    """Return the cut that maximises the expected F-beta, from probabilities alone.

    With the probabilities of a label sorted downwards, deciding the first k of n rows
    has the expected F-beta ``(1 + beta^2) sum_{i<=k} p_i / (k + beta^2 sum_i p_i)``.
    Its maximum F* is reached by the cut ``F* / (1 + beta^2)``. No labels are needed,
    but the probabilities must be honest, and of rows that did not train the model.

    Parameters
    ----------
    y_score : array-like of shape (n_samples, n_labels) or (n_samples,)
        Probabilities.
    beta : float, default=1.0
        Weight of the recall; at least 0.
    average : {"macro", "micro"}, default="macro"
        A cut for each label, or one for all.

    Returns
    -------
    threshold : ndarray of float64, shape (n_labels,)
        Between 0 and 1; decide where the probability is greater.

    Raises
    ------
    ValueError
        If a score is not a probability, or an option is not known.

    References
    ----------
    .. [1] Lipton, Elkan, Naryanaswamy, "Optimal Thresholding of Classifiers to Maximize
       F1 Measure", ECML PKDD 2014.

    Examples
    --------
    >>> from skimbalance.thresholds import plug_in_threshold
    >>> plug_in_threshold([0.9, 0.3, 0.1, 0.1])
    array([0.375])
    """
    check_interval("beta", beta, 0)
    if average not in ("macro", "micro"):
        raise ValueError(f"average={average!r} is not known. Use 'macro' or 'micro'.")
    proba = np.asarray(y_score, dtype=np.float64)
    if not ((proba >= 0) & (proba <= 1)).all():
        raise ValueError("y_score must hold probabilities, between 0 and 1.")
    columns = proba.reshape(len(proba), -1)
    n_labels = columns.shape[1]
    if average == "micro":
        columns = columns.reshape(-1, 1)
    best = np.array([_best_expected_f(column, beta) for column in columns.T])
    return np.broadcast_to(best / (1 + beta**2), (n_labels,)).copy()


def _best_expected_f(proba, beta):
    ranked = np.sort(proba)[::-1]
    k = np.arange(1, len(ranked) + 1)
    total = beta**2 * ranked.sum()
    return ((1 + beta**2) * np.cumsum(ranked) / (k + total)).max()
