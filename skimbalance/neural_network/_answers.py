"""The form of the answers: arrays filled block by block, columns in class order."""

import numpy as np
from scipy.special import expit, log_expit

from skimbalance._base import warn_user
from skimbalance.exceptions import NoPositivePredictedWarning, PositiveClassWarning

# Rules and scores that treat the two classes of a binary target differently.
_RULES_OF_POSITIVES = {"cost", "f_beta", "micro_f_beta", "trained"}
_SCORES_OF_POSITIVES = {"average_precision", "f1", "jaccard", "precision", "recall"}


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
        warn_user(
            f"No positive is predicted among {n_rows} rows, where the training has "
            f"{prior:.2%} of class {str(positive)!r}: calibrated probabilities of a "
            "rare class seldom pass a threshold of 0.5. Set threshold to a rule that "
            "fits your metric, such as 'f_beta', or wrap the estimator in a classifier "
            "of skimbalance.thresholds.",
            NoPositivePredictedWarning,
        )


def warn_majority(estimator, pos_weight, target, counts):
    """Warn if the majority counts as positive in what treats positives differently.

    Parameters
    ----------
    estimator : BaseImbalancedNet
        Its `pos_label` is None.
    pos_weight : None, str, PosWeightTransformer or ndarray
        From `resolve_weight`.
    target : Target
        Binary, with two classes.
    counts : pair of ndarray of shape (1,)
        Weighted positives and negatives.
    """
    weighs = not isinstance(pos_weight, np.ndarray) or (pos_weight != 1).any()
    threshold = estimator.threshold
    asked = {
        "pos_weight": pos_weight is not None and weighs,
        "threshold": isinstance(threshold, str) and threshold in _RULES_OF_POSITIVES,
        "scoring": isinstance(estimator.scoring, str)
        and estimator.scoring in _SCORES_OF_POSITIVES,
    }
    names = [name for name, given in asked.items() if given]
    if names and counts[0][0] > counts[1][0]:
        negative, positive = target.classes.tolist()
        warn_user(
            f"{' and '.join(names)} treat{'s' * (len(names) == 1)} {positive!r} as the "
            f"positive class, classes_[1], which is the majority. Set "
            f"pos_label={negative!r} if that is the class to find, or "
            f"pos_label={positive!r} to keep it without this warning.",
            PositiveClassWarning,
        )
