"""Scores of each label and their averages: rankings, predictions, probabilities.

The scores of one label are functions ``score(target, score, weight) -> float`` of its
observed entries, which return NaN where they are undefined. `averaged` evaluates them
over labels, over rows or over all entries together.
"""

from functools import partial

import numpy as np
import scipy.sparse as sp

from skimbalance._base import warn_undefined
from skimbalance._columns import (
    all_entries,
    confusion,
    f_beta_of_counts,
    iter_columns,
    mass_at_least,
    ratio,
    tally,
    total,
)
from skimbalance._counts import (
    count_labels,
    take_weights,
    weights_or_ones,
)
from skimbalance._labels import check_label_matrix, check_scored_labels
from skimbalance._validation import (
    align_columns,
    check_beta,
    check_choice,
    check_integer,
    column_names,
    n_dimensions,
)

_AVERAGES = ("macro", "micro", "samples", "weighted", None)
_NO_POSITIVE = "no observed positive"
_NO_ENTRY = "no observed entry"
# Sums of weights, as fractions of their total, differ by less for a million rows.
_ROUNDING = 1e-9


# --------------------------------------------------------------------------
# Checks


def check_average(average, options=_AVERAGES, y_true=None):
    """Raise a ValueError unless the average is one of the options, and has labels."""
    if average not in options:
        known = ", ".join(repr(option) for option in options)
        raise ValueError(f"average={average!r} is not known. Use one of {known}.")
    if average == "samples" and y_true is not None:
        check_two_dimensions(y_true, "average='samples'")


def check_two_dimensions(y_true, name):
    """Raise a ValueError unless the rows of `y_true` have labels to average over.

    `check_scored_labels` reads a 1-D target as a matrix of one label, so this check
    comes before it.
    """
    if n_dimensions(y_true) == 1:
        raise ValueError(
            f"{name} is over the labels of a row: y_true must be 2D, of shape "
            "(n_samples, n_labels), but has one dimension."
        )


def check_undefined(undefined):
    """Raise a ValueError unless this is a rule for undefined values."""
    if not (undefined in ("skip", "nan") or undefined == 0.0):
        raise ValueError(f"undefined={undefined!r} must be 'skip', 'nan' or 0.0.")


def check_predicted_labels(y_true, y_pred, sample_weight):
    """Return labels, predicted labels as a dense array of 0 and 1, and weights."""
    y_pred = align_columns(y_pred, column_names(y_true), "y_pred")
    predicted = check_label_matrix(y_pred, "y_pred")
    predicted = predicted.toarray() if sp.issparse(predicted) else predicted
    if predicted.min() < 0:
        raise ValueError(
            "y_pred must hold predicted labels, 0 or 1, and none may be missing."
        )
    return check_scored_labels(y_true, predicted, sample_weight, "y_pred")


def check_probable_labels(y_true, y_proba, sample_weight):
    """Return labels, their probabilities, and weights."""
    labels, proba, weight = check_scored_labels(
        y_true, y_proba, sample_weight, "y_proba"
    )
    if proba.min() < 0 or proba.max() > 1:
        raise ValueError("y_proba must hold probabilities, between 0 and 1.")
    return labels, proba if proba.dtype.kind == "f" else proba.astype(float), weight


# --------------------------------------------------------------------------
# Averages


def each_label(score, labels, scores, weight=None):
    """Return a score of each label, NaN where it is undefined."""
    columns = iter_columns(labels, scores, weight)
    return np.array([score(*column) for column in columns], dtype=np.float64)


def averaged(score, labels, scores, weight, *, average, undefined, what, lacking):
    """Evaluate a score over labels, rows or all entries, and average its values.

    Parameters
    ----------
    score : callable
        ``score(target, score, weight) -> float``, NaN where it is undefined.
    labels, scores, weight : ndarray
        From `check_scored_labels`.
    average : {"macro", "micro", "samples", "weighted", None}
        From `check_average`.
    undefined : {"skip", "nan", 0.0}
    what, lacking : str
        For the warning: what is undefined, and what the labels lack.

    Returns
    -------
    float, or ndarray of float64 of shape (n_labels,)
    """
    check_undefined(undefined)
    support, unit = None, "labels"
    if average == "micro":
        values = np.array([score(*all_entries(labels, scores, weight))], dtype=float)
        unit = "the one pool of all entries"
    elif average == "samples":
        # Weights of rows weigh their values; weights of entries act within a row.
        if weight is not None and weight.ndim == 1:
            support, weight = weight, None
        weight = None if weight is None else weight.T
        values, unit = each_label(score, labels.T, scores.T, weight), "rows"
    else:
        values = each_label(score, labels, scores, weight)
        if average == "weighted":
            support = count_labels(labels, weight)[0]
    values = resolve_undefined(values, undefined, f"{what} is undefined", unit, lacking)
    return values if average is None else mean_of(values, support, undefined)


def resolve_undefined(values, undefined, what, unit, lacking):
    """Replace NaN by a number, or warn of the values that a mean leaves out."""
    is_undefined = np.isnan(values)
    if undefined == "nan" or not is_undefined.any():
        return values
    if undefined != "skip":
        return np.where(is_undefined, undefined, values)
    warn_undefined(
        f"{what} for {is_undefined.sum()} of {len(values)} {unit}, which have "
        f"{lacking}; they are left out. undefined=0.0 counts them as 0, so that means "
        "of several models are over the same ones.",
    )
    return values


def mean_of(values, support=None, undefined="skip"):
    """Return the mean of the values that count, the undefined value without any."""
    if undefined == "skip":
        # np.nanmean warns where nothing is defined, and knows no weights.
        defined = ~np.isnan(values)
        values, support = values[defined], take_weights(support, defined)
    if support is None:
        return float(values.mean()) if len(values) else np.nan
    if support.any():
        return float(np.average(values, weights=support))
    if undefined == 0.0:
        return 0.0
    if undefined == "skip" and len(values):
        warn_undefined("The weighted average is undefined: no label has a positive.")
    return np.nan


# --------------------------------------------------------------------------
# Scores of one label


def counts_at(at_or_above):
    """Return the counts at each level, from those at or above it."""
    return at_or_above - np.append(at_or_above[1:], 0)


def average_precision(target, score, weight=None):
    """Compute the area under the precision-recall curve, a sum over the positives."""
    if not total(weight, target) > 0:
        return np.nan
    _, hits, predicted = tally(target, score, weight)
    # Where positives of weight 0 come first, nothing is predicted: no precision.
    some = predicted > 0
    gained, hits, predicted = counts_at(hits)[some], hits[some], predicted[some]
    # Rounded sums of weights may exceed 1 by a few units in the last place.
    return min(gained @ (hits / predicted) / hits[0], 1.0)


def _mirrored(score):
    """Return scores in the opposite order, also of unsigned and of large integers."""
    return ~score if score.dtype.kind in "iu" else -score


def roc_auc(target, score, weight=None):
    """Compute the fraction of the pairs of a positive and a negative in order."""
    n_positive, n_negative = total(weight, target), total(weight, ~target)
    if not (n_positive > 0 and n_negative > 0):
        return np.nan
    levels, hits, _ = tally(target, score, weight)
    negative, negative_weight = score[~target], take_weights(weight, ~target)
    below = n_negative - mass_at_least(negative, levels, negative_weight)
    # Mirrored, "at least" reads "at most".
    mirrored = _mirrored(levels)[::-1]
    at_most = mass_at_least(_mirrored(negative), mirrored, negative_weight)[::-1]
    # A tie is half a pair in order. Each count is divided by its own sum: the product
    # of two sums of weights may leave the range of float64.
    fraction_below = (below + at_most) / (2 * n_negative)
    in_order = (counts_at(hits) / n_positive) @ fraction_below
    # The difference of sums of weights rounds, also across 0 and 1.
    return min(max(in_order, 0.0), 1.0)


def f_beta(target, predicted, weight=None, *, beta=1.0):
    """Compute the F-beta score of the predictions of one label."""
    tp, fp, fn, _ = confusion(target, predicted == 1, weight)
    return f_beta_of_counts(beta, tp, fp, fn)


def _mean(values, weight):
    """Return the weighted mean, NaN without any weight, where np.average raises."""
    if weight is None:
        return values.mean(dtype=np.float64) if len(values) else np.nan
    return weight @ values / weight.sum() if weight.any() else np.nan


def log_loss(target, proba, weight=None):
    """Compute the mean of minus the logarithm of the probability of the truth."""
    # scikit-learn's bounds: nearer to 1 than eps, a number of this dtype is 1. The eps
    # of a long double vanishes beside 1 in float64.
    eps = max(np.finfo(proba.dtype).eps, np.finfo(np.float64).eps)
    proba = proba.clip(eps, 1 - eps).astype(np.float64, copy=False)
    return -_mean(np.log(np.where(target, proba, 1 - proba)), weight)


def brier(target, proba, weight=None):
    """Compute the mean squared difference between probability and truth."""
    return _mean((proba.astype(np.float64, copy=False) - target) ** 2, weight)


def observed_sum(target, score, weight=None):  # noqa: ARG001
    """Return the sum of the scores of the observed entries."""
    return score.sum(dtype=np.float64) if weight is None else weight @ score


# --------------------------------------------------------------------------
# Bins of probabilities


def equal_mass_bins(proba, weight, n_bins):
    """Return the bin of each entry: equal weight in each, equal values together."""
    order = np.argsort(proba, kind="stable")
    mass = weights_or_ones(weight, len(proba))[order]
    below = np.cumsum(mass) - mass
    ranked = proba[order]
    # Entries of one value go where the first of them goes: else the order of the rows
    # would decide which of them share a bin.
    first = np.zeros(len(ranked), dtype=np.intp)
    rising = np.flatnonzero(ranked[1:] > ranked[:-1]) + 1
    first[rising] = rising
    below = below[np.maximum.accumulate(first)]
    bins = np.empty(len(proba), dtype=np.intp)
    # An entry at an edge opens the next bin, whatever the sums of the weights round to.
    fraction = below / mass.sum() + _ROUNDING
    bins[order] = np.minimum(n_bins * fraction, n_bins - 1)
    return bins


def equal_width_bins(proba, weight, n_bins):  # noqa: ARG001
    """Return the bin of each entry among equal intervals of [0, 1].

    An inner edge belongs to the bin below it, as in scikit-learn's calibration_curve.
    """
    return np.searchsorted(np.linspace(0, 1, n_bins + 1)[1:-1], proba)


BINNINGS = {"quantile": equal_mass_bins, "uniform": equal_width_bins}


def reliability(target, proba, weight=None, *, n_bins=10, strategy="quantile"):
    """Return mass, mean probability and base rate of each bin that holds entries."""
    bins = BINNINGS[strategy](proba, weight, n_bins)
    weight = weights_or_ones(weight, len(proba))
    mass = np.bincount(bins, weight, n_bins)
    filled = mass > 0
    sums = [np.bincount(bins, weight * of, n_bins)[filled] for of in (proba, target)]
    return mass[filled], sums[0] / mass[filled], sums[1] / mass[filled]


# How the gaps of the bins become one number, given the fraction of mass in each bin.
_NORMS = {
    "l1": lambda fraction, gap: fraction @ gap,
    "l2": lambda fraction, gap: np.sqrt(fraction @ gap**2),
    "max": lambda fraction, gap: gap.max(),  # noqa: ARG005
}


def binned_error(target, proba, weight=None, *, n_bins, strategy, norm):
    """Compute the calibration error of the probabilities of one label."""
    if not (len(target) if weight is None else weight.any()):
        return np.nan
    mass, expected, observed = reliability(
        target, proba, weight, n_bins=n_bins, strategy=strategy
    )
    return _NORMS[norm](mass / mass.sum(), np.abs(expected - observed))


# --------------------------------------------------------------------------
# Public metrics


def multilabel_average_precision_score(
    y_true, y_score, *, average="macro", undefined="skip", sample_weight=None
) -> float | np.ndarray:
    """Compute the average precision of a label matrix.

    Parameters
    ----------
    y_true : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
        0, 1 and NaN for a missing label, which is left out.
    y_score : array-like of shape (n_samples, n_labels) or (n_samples,)
        Probabilities or any scores that rank; finite.
    average : {"macro", "micro", "samples", "weighted", None}, default="macro"
        Over labels, over all entries, over rows, over labels weighted by their
        positives, or not at all.
    undefined : {"skip", "nan", 0.0}, default="skip"
        What a label (or row) without observed positives counts as: left out with one
        `UndefinedLabelWarning` that counts them, NaN, or 0 as in scikit-learn.
    sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
            default=None
        Weights of the rows or entries.

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
) -> float | np.ndarray:
    """Compute the area under the ROC curve of a label matrix.

    It is blind to the base rate: on a label of 1 % positives a model can reach 0.95
    while nine of ten of its predicted positives are wrong. Read the average precision,
    too.

    Parameters
    ----------
    y_true : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
        0, 1 and NaN for a missing label, which is left out.
    y_score : array-like of shape (n_samples, n_labels) or (n_samples,)
        Probabilities or any scores that rank; finite.
    average : {"macro", "micro", "samples", "weighted", None}, default="macro"
        Over labels, over all entries, over rows, over labels weighted by their
        positives, or not at all.
    undefined : {"skip", "nan", 0.0}, default="skip"
        What a label (or row) counts as that lacks observed positives or negatives: left
        out with one `UndefinedLabelWarning` that counts them, NaN, or 0.
    sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
            default=None
        Weights of the rows or entries.

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
) -> float | np.ndarray:
    """Compute the F-beta score of predicted labels.

    Parameters
    ----------
    y_true : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
        0, 1 and NaN for a missing label, which is left out.
    y_pred : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
        Predicted labels, 0 or 1.
    beta : float, default=1.0
        Weight of the recall; 1 is the F1 score, 0 the precision, infinity the recall,
        which is undefined without positives.
    average : {"macro", "micro", "samples", "weighted", None}, default="macro"
        Over labels, over all entries, over rows, over labels weighted by their
        positives, or not at all.
    undefined : {"skip", "nan", 0.0}, default="skip"
        What a label (or row) without positives and without predicted positives counts
        as: left out with one `UndefinedLabelWarning` that counts them, NaN, or 0 as in
        scikit-learn. A label with predicted positives only has the score 0.
    sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
            default=None
        Weights of the rows or entries.

    Returns
    -------
    score : float, or ndarray of float64 of shape (n_labels,) if `average` is None
        NaN where nothing is defined.

    Raises
    ------
    ValueError
        If the shapes differ, a predicted label is neither 0 nor 1, or an option is not
        known.

    See Also
    --------
    sklearn.metrics.fbeta_score : Refuses missing labels.

    Examples
    --------
    >>> from skimbalance.metrics import multilabel_fbeta_score
    >>> Y, predicted = [[1, 0], [0, 1], [1, 1]], [[1, 0], [1, 0], [1, 1]]
    >>> multilabel_fbeta_score(Y, predicted, average=None)
    array([0.8       , 0.66666667])
    """
    check_beta(beta)
    check_average(average, y_true=y_true)
    return averaged(
        partial(f_beta, beta=beta),
        *check_predicted_labels(y_true, y_pred, sample_weight),
        average=average,
        undefined=undefined,
        what="F-beta",
        lacking="neither positives nor predicted positives",
    )


def multilabel_log_loss(
    y_true, y_proba, *, average="macro", undefined="skip", sample_weight=None
) -> float | np.ndarray:
    """Compute the log-loss of the probabilities of labels.

    Parameters
    ----------
    y_true : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
        0, 1 and NaN for a missing label, which is left out.
    y_proba : array-like of shape (n_samples, n_labels) or (n_samples,)
        Probabilities of the labels, moved away from 0 and 1 by the precision of their
        dtype, as in scikit-learn.
    average : {"macro", "micro", "samples", "weighted", None}, default="macro"
        Over labels, over all entries, over rows, over labels weighted by their
        positives, or not at all. Without missing labels or weights the first three are
        the same.
    undefined : {"skip", "nan", 0.0}, default="skip"
        What a label (or row) without observed entries counts as: left out with one
        `UndefinedLabelWarning` that counts them, NaN, or 0.
    sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
            default=None
        Weights of the rows or entries.

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
        lacking=_NO_ENTRY,
    )


def multilabel_brier_score_loss(
    y_true, y_proba, *, average="macro", undefined="skip", sample_weight=None
) -> float | np.ndarray:
    """Compute the Brier score of the probabilities of labels.

    Parameters
    ----------
    y_true : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
        0, 1 and NaN for a missing label, which is left out.
    y_proba : array-like of shape (n_samples, n_labels) or (n_samples,)
        Probabilities of the labels.
    average : {"macro", "micro", "samples", "weighted", None}, default="macro"
        Over labels, over all entries, over rows, over labels weighted by their
        positives, or not at all.
    undefined : {"skip", "nan", 0.0}, default="skip"
        What a label (or row) without observed entries counts as: left out with one
        `UndefinedLabelWarning` that counts them, NaN, or 0.
    sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
            default=None
        Weights of the rows or entries.

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
        lacking=_NO_ENTRY,
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
) -> float | np.ndarray:
    """Compute the expected calibration error.

    It measures how far mean probabilities and base rates are apart in each bin. The
    constant base rate is well calibrated and useless: read the log-loss, too.

    Parameters
    ----------
    y_true : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
        0, 1 and NaN for a missing label, which is left out.
    y_proba : array-like of shape (n_samples, n_labels) or (n_samples,)
        Probabilities of the labels.
    average : {"macro", "micro", "samples", "weighted", None}, default="macro"
        ``"macro"`` is the mean of the errors of the labels, ``"micro"`` pools the
        entries of all labels in the same bins.
    n_bins : int, default=10
        Number of bins.
    strategy : {"quantile", "uniform"}, default="quantile"
        Bins of equal mass, or of equal width. On rare labels all entries lie in the
        first bin of equal width.
    norm : {"l1", "l2", "max"}, default="l1"
        Mean, root of the mean square, or largest of the gaps.
    undefined : {"skip", "nan", 0.0}, default="skip"
        What a label (or row) without observed entries counts as: left out with one
        `UndefinedLabelWarning` that counts them, NaN, or 0.
    sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
            default=None
        Weights of the rows or entries.

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
        partial(binned_error, n_bins=n_bins, strategy=strategy, norm=norm),
        *check_probable_labels(y_true, y_proba, sample_weight),
        average=average,
        undefined=undefined,
        what="Calibration error",
        lacking=_NO_ENTRY,
    )


# --------------------------------------------------------------------------
# Ratios to the number of positives


def _ratio_to_positives(labels, scores, weight, average):
    """Return the sum of the scores of observed entries over their positives."""
    check_average(average, ("micro", None))
    sums = each_label(observed_sum, labels, scores, weight)
    n_positive, _ = count_labels(labels, weight)
    if average is None:
        return ratio(sums, n_positive)
    return float(ratio(sums.sum(), n_positive.sum()))


def expected_observed_ratio(
    y_true, y_proba, *, average="micro", sample_weight=None
) -> float | np.ndarray:
    """Compute the ratio of expected to observed positives.

    The expected number is the sum of the probabilities (E/O, calibration in the large).

    Parameters
    ----------
    y_true : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
        0, 1 and NaN for a missing label, which is left out.
    y_proba : array-like of shape (n_samples, n_labels) or (n_samples,)
        Probabilities of the labels.
    average : {"micro", None}, default="micro"
        Over all labels, or one ratio a label.
    sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
            default=None
        Weights of the rows or entries.

    Returns
    -------
    ratio : float, or ndarray of float64 of shape (n_labels,) if `average` is None
        1 if the probabilities are right on average, 2 if twice as many positives are
        expected as observed; NaN for a label without positives.

    Raises
    ------
    ValueError
        If the shapes differ or the values are no probabilities.

    See Also
    --------
    predicted_observed_ratio : The same of predicted labels.

    Examples
    --------
    >>> from skimbalance.metrics import expected_observed_ratio
    >>> expected_observed_ratio([[1, 0], [0, 0]], [[0.9, 0.6], [0.3, 0.2]])
    2.0
    """
    checked = check_probable_labels(y_true, y_proba, sample_weight)
    return _ratio_to_positives(*checked, average)


def predicted_observed_ratio(
    y_true, y_pred, *, average="micro", sample_weight=None
) -> float | np.ndarray:
    """Compute the ratio of predicted to observed positives.

    Parameters
    ----------
    y_true : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
        0, 1 and NaN for a missing label, which is left out.
    y_pred : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
        Predicted labels, 0 or 1.
    average : {"micro", None}, default="micro"
        Over all labels, or one ratio a label.
    sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
            default=None
        Weights of the rows or entries.

    Returns
    -------
    ratio : float, or ndarray of float64 of shape (n_labels,) if `average` is None
        1 if as many positives are predicted as observed; NaN for a label without
        positives.

    Raises
    ------
    ValueError
        If the shapes differ or a predicted label is neither 0 nor 1.

    See Also
    --------
    expected_observed_ratio : The same of probabilities.

    Examples
    --------
    >>> from skimbalance.metrics import predicted_observed_ratio
    >>> predicted_observed_ratio([[1, 0], [0, 0]], [[1, 1], [0, 0]])
    2.0
    """
    checked = check_predicted_labels(y_true, y_pred, sample_weight)
    return _ratio_to_positives(*checked, average)
