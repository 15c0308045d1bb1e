"""Scores of one label, averaged over labels: of rankings, decisions, probabilities."""

import numpy as np
import scipy.sparse as sp

from skimbalance._columns import (
    confusion,
    f_beta_of_counts,
    mass_at_least,
    tally,
    total,
)
from skimbalance._labels import (
    check_label_matrix,
    check_scored_labels,
)
from skimbalance._validation import (
    align_columns,
    check_choice,
    check_integer,
    check_interval,
    column_names,
)
from skimbalance.metrics._averages import averaged, check_average

_NO_POSITIVE = "no observed positive"
_NO_CELL = "no observed cell"


def check_decided_labels(y_true, y_pred, sample_weight):
    """Return labels, decisions as a dense array of 0 and 1, and weights."""
    y_pred = align_columns(y_pred, column_names(y_true), "y_pred")
    decided = check_label_matrix(y_pred, "y_pred")
    decided = decided.toarray() if sp.issparse(decided) else decided
    if decided.min() < 0:
        raise ValueError("y_pred must hold decisions, 0 or 1, and none may be missing.")
    return check_scored_labels(y_true, decided, sample_weight, "y_pred")


def check_probable_labels(y_true, y_proba, sample_weight):
    """Return labels, their probabilities, and weights."""
    labels, proba, weight = check_scored_labels(
        y_true, y_proba, sample_weight, "y_proba"
    )
    if proba.min() < 0 or proba.max() > 1:
        raise ValueError("y_proba must hold probabilities, between 0 and 1.")
    return labels, proba if proba.dtype.kind == "f" else proba.astype(float), weight


def _gained(hits):
    """Return what each level adds to the positives above it."""
    return hits - np.append(hits[1:], 0)


def average_precision(target, score, weight=None):
    """Area under the precision-recall curve, as a sum over the positives."""
    if not total(weight, target) > 0:
        return np.nan
    _, hits, decided = tally(target, score, weight)
    reached = decided > 0
    gained, hits, decided = _gained(hits)[reached], hits[reached], decided[reached]
    return min(gained @ (hits / decided) / hits[0], 1.0)


def roc_auc(target, score, weight=None):
    """Share of the pairs of a positive and a negative that are in order."""
    n_positive, n_negative = total(weight, target), total(weight, ~target)
    if not (n_positive > 0 and n_negative > 0):
        return np.nan
    levels, hits, _ = tally(target, score, weight)
    negative = score[~target].astype(np.float64, copy=False)
    negative_weight = None if weight is None else weight[~target]
    below = n_negative - mass_at_least(negative, levels, negative_weight)
    mirrored = -levels[::-1].astype(np.float64)
    at_most = mass_at_least(-negative, mirrored, negative_weight)[::-1]
    # A tie is half a pair in order.
    in_order = _gained(hits) @ (below + at_most) / (2 * n_positive * n_negative)
    return min(max(in_order, 0.0), 1.0)


def f_beta(beta):
    """Return the F-beta score as a function of targets and decisions."""

    def score(target, decided, weight=None):
        hit, false_positive, missed, _ = confusion(target, decided == 1, weight)
        return f_beta_of_counts(beta, hit, false_positive, missed)

    return score


def _mean(values, weight):
    if weight is None:
        return values.mean(dtype=np.float64) if len(values) else np.nan
    return weight @ values / weight.sum() if weight.any() else np.nan


def log_loss(target, proba, weight=None):
    """Mean of minus the logarithm of the probability of what is true."""
    eps = np.finfo(proba.dtype).eps
    proba = proba.clip(eps, 1 - eps).astype(np.float64, copy=False)
    return -_mean(np.log(np.where(target, proba, 1 - proba)), weight)


def brier(target, proba, weight=None):
    """Mean squared difference between probability and truth."""
    return _mean((proba.astype(np.float64, copy=False) - target) ** 2, weight)


def equal_mass_bins(proba, weight, n_bins):
    """Return the bin of each cell: equal weight in each, equal values together."""
    order = np.argsort(proba, kind="stable")
    mass = np.ones(len(proba)) if weight is None else weight[order]
    below = np.cumsum(mass) - mass
    ranked = proba[order]
    # Cells of one value go where the first of them goes.
    first = np.zeros(len(ranked), dtype=np.intp)
    rising = np.flatnonzero(ranked[1:] > ranked[:-1]) + 1
    first[rising] = rising
    below = below[np.maximum.accumulate(first)]
    bins = np.empty(len(proba), dtype=np.intp)
    bins[order] = np.minimum(n_bins * (below / mass.sum()), n_bins - 1)
    return bins


def equal_width_bins(proba, weight, n_bins):  # noqa: ARG001
    """Return the bin of each cell among equal intervals of [0, 1].

    An inner edge belongs to the bin below it, as in scikit-learn's calibration_curve.
    """
    return np.searchsorted(np.linspace(0, 1, n_bins + 1)[1:-1], proba)


BINNINGS = {"quantile": equal_mass_bins, "uniform": equal_width_bins}


def reliability(target, proba, weight=None, *, n_bins=10, strategy="quantile"):
    """Return for each bin that holds cells its mass, mean probability and base rate."""
    bins = BINNINGS[strategy](proba, weight, n_bins)
    weight = np.ones(len(proba)) if weight is None else weight
    mass = np.bincount(bins, weight, n_bins)
    held = mass > 0
    sums = [np.bincount(bins, weight * of, n_bins)[held] for of in (proba, target)]
    return mass[held], sums[0] / mass[held], sums[1] / mass[held]


def _l1(share, gap):
    return share @ gap


def _l2(share, gap):
    return np.sqrt(share @ gap**2)


def _largest(share, gap):  # noqa: ARG001
    return gap.max()


_NORMS = {"l1": _l1, "l2": _l2, "max": _largest}


def _calibration_error(n_bins, strategy, norm):
    def score(target, proba, weight=None):
        if not (len(target) if weight is None else weight.any()):
            return np.nan
        mass, said, seen = reliability(
            target, proba, weight, n_bins=n_bins, strategy=strategy
        )
        return _NORMS[norm](mass / mass.sum(), np.abs(said - seen))

    return score


def multilabel_average_precision_score(
    y_true, y_score, *, average="macro", undefined="skip", sample_weight=None
):
    """Compute the average precision of a label matrix.

    Parameters
    ----------
    y_true : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
        0, 1 and NaN for a missing label, which is left out.
    y_score : array-like of shape (n_samples, n_labels) or (n_samples,)
        Probabilities or any scores that rank; finite.
    average : {"macro", "micro", "samples", "weighted", None}, default="macro"
        Over labels, over all cells, over rows, over labels weighted by their
        positives, or not at all.
    undefined : {"skip", "nan", 0.0}, default="skip"
        What a label (or row) without observed positives counts as: left out with one
        `UndefinedLabelWarning` that says how many, NaN, or 0 as in scikit-learn.
    sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
            default=None
        Weights of the rows or cells.

    Returns
    -------
    score : float, or ndarray of float64 of shape (n_labels,) if `average` is None
        NaN where nothing is defined.

    Raises
    ------
    ValueError
        If the shapes differ, scores are not finite, or an option is not known.

    See Also
    --------
    sklearn.metrics.average_precision_score : Refuses missing labels and sparse \
        `y_true`, and counts labels without positives as 0.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.metrics import multilabel_average_precision_score
    >>> Y = np.array([[1, 0], [0, np.nan], [1, 1]])
    >>> S = np.array([[0.9, 0.2], [0.8, 0.5], [0.7, 0.1]])
    >>> multilabel_average_precision_score(Y, S, average=None)
    array([0.83333333, 0.5       ])
    """
    check_average(average, y_true=y_true)
    return averaged(
        average_precision,
        *check_scored_labels(y_true, y_score, sample_weight),
        average=average,
        undefined=undefined,
        what="Average precision",
        lacking=_NO_POSITIVE,
    )


def multilabel_roc_auc_score(
    y_true, y_score, *, average="macro", undefined="skip", sample_weight=None
):
    """Compute the area under the ROC curve of a label matrix.

    It is blind to the base rate: on a label of 1 % positives a model can reach 0.95 and
    still be wrong in nine of ten of its decisions. Look at the average precision, too.

    Parameters
    ----------
    y_true : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
        0, 1 and NaN for a missing label, which is left out.
    y_score : array-like of shape (n_samples, n_labels) or (n_samples,)
        Probabilities or any scores that rank; finite.
    average : {"macro", "micro", "samples", "weighted", None}, default="macro"
        Over labels, over all cells, over rows, over labels weighted by their
        positives, or not at all.
    undefined : {"skip", "nan", 0.0}, default="skip"
        What a label (or row) counts as that lacks observed positives or negatives: left
        out with one `UndefinedLabelWarning` that says how many, NaN, or 0.
    sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
            default=None
        Weights of the rows or cells.

    Returns
    -------
    score : float, or ndarray of float64 of shape (n_labels,) if `average` is None
        NaN where nothing is defined.

    Raises
    ------
    ValueError
        If the shapes differ, scores are not finite, or an option is not known.

    See Also
    --------
    sklearn.metrics.roc_auc_score : One label without positives turns its macro to NaN.

    Examples
    --------
    >>> from skimbalance.metrics import multilabel_roc_auc_score
    >>> multilabel_roc_auc_score([[1], [0], [1], [0]], [[0.9], [0.8], [0.7], [0.1]])
    0.75
    """
    check_average(average, y_true=y_true)
    return averaged(
        roc_auc,
        *check_scored_labels(y_true, y_score, sample_weight),
        average=average,
        undefined=undefined,
        what="ROC AUC",
        lacking="no observed positive or no observed negative",
    )


def multilabel_fbeta_score(
    y_true,
    y_pred,
    *,
    beta=1.0,
    average="macro",
    undefined="skip",
    sample_weight=None,
):
    """Compute the F-beta score of decisions.

    Parameters
    ----------
    y_true : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
        0, 1 and NaN for a missing label, which is left out.
    y_pred : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
        Decisions, 0 or 1.
    beta : float, default=1.0
        Weight of the recall; 1 is the F1 score, 0 the precision.
    average : {"macro", "micro", "samples", "weighted", None}, default="macro"
        Over labels, over all cells, over rows, over labels weighted by their
        positives, or not at all.
    undefined : {"skip", "nan", 0.0}, default="skip"
        What a label (or row) counts as that has neither positives nor decisions: left
        out with one `UndefinedLabelWarning` that says how many, NaN, or 0 as in
        scikit-learn. A label without positives that is decided has the score 0.
    sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
            default=None
        Weights of the rows or cells.

    Returns
    -------
    score : float, or ndarray of float64 of shape (n_labels,) if `average` is None
        NaN where nothing is defined.

    Raises
    ------
    ValueError
        If the shapes differ, a decision is neither 0 nor 1, or an option is not known.

    See Also
    --------
    sklearn.metrics.fbeta_score : Refuses missing labels.

    Examples
    --------
    >>> from skimbalance.metrics import multilabel_fbeta_score
    >>> Y, decided = [[1, 0], [0, 1], [1, 1]], [[1, 0], [1, 0], [1, 1]]
    >>> multilabel_fbeta_score(Y, decided, average=None)
    array([0.8       , 0.66666667])
    """
    check_interval("beta", beta, 0, closed="left")
    check_average(average, y_true=y_true)
    return averaged(
        f_beta(beta),
        *check_decided_labels(y_true, y_pred, sample_weight),
        average=average,
        undefined=undefined,
        what="F-beta",
        lacking="neither positives nor decisions",
    )


def multilabel_log_loss(
    y_true, y_proba, *, average="macro", undefined="skip", sample_weight=None
):
    """Compute the log-loss of the probabilities of labels.

    Parameters
    ----------
    y_true : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
        0, 1 and NaN for a missing label, which is left out.
    y_proba : array-like of shape (n_samples, n_labels) or (n_samples,)
        Probabilities of the labels, moved away from 0 and 1 by the precision of their
        dtype, as in scikit-learn.
    average : {"macro", "micro", "samples", "weighted", None}, default="macro"
        Over labels, over all cells, over rows, over labels weighted by their
        positives, or not at all. Without missing labels or weights the first three are
        the same.
    undefined : {"skip", "nan", 0.0}, default="skip"
        What a label (or row) without observed cells counts as: left out with one
        `UndefinedLabelWarning` that says how many, NaN, or 0.
    sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
            default=None
        Weights of the rows or cells.

    Returns
    -------
    loss : float, or ndarray of float64 of shape (n_labels,) if `average` is None
        NaN where nothing is defined.

    Raises
    ------
    ValueError
        If the shapes differ, a probability is outside [0, 1], or an option is not
        known.

    See Also
    --------
    sklearn.metrics.log_loss : Reads a label matrix as classes that exclude each other.

    Examples
    --------
    >>> from skimbalance.metrics import multilabel_log_loss
    >>> round(multilabel_log_loss([[1, 0], [0, 0]], [[0.5, 0.1], [0.5, 0.1]]), 3)
    0.399
    """
    check_average(average, y_true=y_true)
    return averaged(
        log_loss,
        *check_probable_labels(y_true, y_proba, sample_weight),
        average=average,
        undefined=undefined,
        what="Log-loss",
        lacking=_NO_CELL,
    )


def multilabel_brier_score_loss(
    y_true, y_proba, *, average="macro", undefined="skip", sample_weight=None
):
    """Compute the Brier score of the probabilities of labels.

    Parameters
    ----------
    y_true : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
        0, 1 and NaN for a missing label, which is left out.
    y_proba : array-like of shape (n_samples, n_labels) or (n_samples,)
        Probabilities of the labels.
    average : {"macro", "micro", "samples", "weighted", None}, default="macro"
        Over labels, over all cells, over rows, over labels weighted by their
        positives, or not at all.
    undefined : {"skip", "nan", 0.0}, default="skip"
        What a label (or row) without observed cells counts as: left out with one
        `UndefinedLabelWarning` that says how many, NaN, or 0.
    sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
            default=None
        Weights of the rows or cells.

    Returns
    -------
    loss : float, or ndarray of float64 of shape (n_labels,) if `average` is None
        Mean squared difference, between 0 and 1; NaN where nothing is defined.

    Raises
    ------
    ValueError
        If the shapes differ, a probability is outside [0, 1], or an option is not
        known.

    See Also
    --------
    sklearn.metrics.brier_score_loss : Of one label.

    Examples
    --------
    >>> from skimbalance.metrics import multilabel_brier_score_loss
    >>> multilabel_brier_score_loss([[1, 0], [0, 0]], [[0.5, 0.0], [0.5, 0.0]])
    0.125
    """
    check_average(average, y_true=y_true)
    return averaged(
        brier,
        *check_probable_labels(y_true, y_proba, sample_weight),
        average=average,
        undefined=undefined,
        what="Brier score",
        lacking=_NO_CELL,
    )


def calibration_error(
    y_true,
    y_proba,
    *,
    average="macro",
    n_bins=10,
    strategy="quantile",
    norm="l1",
    undefined="skip",
    sample_weight=None,
):
    """Compute how far mean probabilities and base rates are apart, bin by bin.

    The expected calibration error. The constant base rate is well calibrated and
    useless: read it beside the log-loss.

    Parameters
    ----------
    y_true : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
        0, 1 and NaN for a missing label, which is left out.
    y_proba : array-like of shape (n_samples, n_labels) or (n_samples,)
        Probabilities of the labels.
    average : {"macro", "micro", "samples", "weighted", None}, default="macro"
        ``"macro"`` is the mean of the errors of the labels, ``"micro"`` pools the cells
        of all labels in the same bins.
    n_bins : int, default=10
        Number of bins.
    strategy : {"quantile", "uniform"}, default="quantile"
        Bins of equal mass, or of equal width. On rare labels all cells lie in the first
        bin of equal width.
    norm : {"l1", "l2", "max"}, default="l1"
        Mean, root of the mean square, or largest of the gaps.
    undefined : {"skip", "nan", 0.0}, default="skip"
        What a label (or row) without observed cells counts as: left out with one
        `UndefinedLabelWarning` that says how many, NaN, or 0.
    sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
            default=None
        Weights of the rows or cells.

    Returns
    -------
    error : float, or ndarray of float64 of shape (n_labels,) if `average` is None
        Between 0 and 1; NaN where nothing is defined.

    Raises
    ------
    ValueError
        If the shapes differ, a probability is outside [0, 1], or an option is not
        known.

    References
    ----------
    .. [1] Naeini, Cooper, Hauskrecht, "Obtaining Well Calibrated Probabilities Using
       Bayesian Binning", AAAI 2015.
    .. [2] Nixon, Dusenberry, Zhang, Jerfel, Tran, "Measuring Calibration in Deep
       Learning", CVPR Workshops 2019: bins of equal mass.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.metrics import calibration_error
    >>> Y = np.array([[0], [0], [1], [1]])
    >>> proba = np.array([[0.1], [0.1], [0.7], [0.7]])
    >>> round(calibration_error(Y, proba, n_bins=2), 3)
    0.2
    """
    n_bins = check_integer("n_bins", n_bins, 1)
    check_choice("strategy", strategy, BINNINGS)
    check_choice("norm", norm, _NORMS)
    check_average(average, y_true=y_true)
    return averaged(
        _calibration_error(n_bins, strategy, norm),
        *check_probable_labels(y_true, y_proba, sample_weight),
        average=average,
        undefined=undefined,
        what="Calibration error",
        lacking=_NO_CELL,
    )
