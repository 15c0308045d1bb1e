"""The form of the answers: arrays filled block by block, columns in class order."""

import numpy as np
from scipy.special import expit, log_expit

from skimbalance._base import warn_user
from skimbalance.exceptions import NoPositivePredictedWarning


def answer_dtype(X):
    """Return the precision of the answers: float32 for float32 inputs, else float64."""
    return np.float32 if X.dtype == np.float32 else np.float64


def stacked(blocks, n_rows, dtype):
    """Return blocks of rows as one array, holding one block beside it."""
    out, start = None, 0
    for block in blocks:
        if out is None:
            out = np.empty((n_rows, *block.shape[1:]), dtype=dtype)
        out[start : start + len(block)] = block
        start += len(block)
    return out


def top_k(proba, k):
    """Return the columns and the values of the k largest of each row, falling."""
    top = np.argpartition(proba, proba.shape[1] - k, axis=1)[:, -k:]
    order = np.argsort(-np.take_along_axis(proba, top, axis=1), axis=1, kind="stable")
    top = np.take_along_axis(top, order, axis=1)
    return top, np.take_along_axis(proba, top, axis=1)


def both_classes(log_odds, target, log=False):
    """Return the (log-)probabilities of the classes of a binary target.

    Parameters
    ----------
    log_odds : ndarray of shape (n_samples, 1)
        Of the positive class.
    target : Target
    log : bool, default=False

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        In the order of the classes. Each column is computed from the log-odds, as
        ``1 - p`` would be 0 where p rounds to 1.
    """
    if len(target.classes) == 1:
        return np.full_like(log_odds, 0.0 if log else 1.0)
    scores = -log_odds if target.is_flipped else log_odds
    return (log_expit if log else expit)(np.hstack([-scores, scores]))


def warn_no_label(n_empty, n_rows, share_without_label):
    """Warn if most rows got no label, though most rows of the training have one."""
    if n_empty > n_rows / 2 > 0 and share_without_label <= 0.5:
        warn_user(
            f"{n_empty} of {n_rows} rows got no label: calibrated probabilities of "
            "rare labels seldom pass a threshold of 0.5. Set threshold to a rule that "
            "fits your metric, such as 'f_beta', or wrap the estimator in a classifier "
            "of skimbalance.thresholds.",
            NoPositivePredictedWarning,
        )


def warn_no_positive(predicted, positive, prior):
    """Warn if no row is predicted positive where at least one positive is expected."""
    n_rows = len(predicted)
    if n_rows * prior >= 1 and not (predicted == positive).any():
        shown = positive.item() if isinstance(positive, np.generic) else positive
        warn_user(
            f"No positive is predicted among {n_rows} rows, where the training has "
            f"{prior:.2%} of class {shown!r}: calibrated probabilities of a "
            "rare class seldom pass a threshold of 0.5. Set threshold to a rule that "
            "fits your metric, such as 'f_beta', or wrap the estimator in a classifier "
            "of skimbalance.thresholds.",
            NoPositivePredictedWarning,
        )
