"""From one value for each label, or row, to one value."""

import numpy as np

from skimbalance._base import warn_undefined
from skimbalance._columns import all_entries, iter_columns
from skimbalance._counts import count_labels
from skimbalance._validation import n_dimensions

_AVERAGES = ("macro", "micro", "samples", "weighted", None)


def check_average(average, options=_AVERAGES, y_true=None):
    """Raise a ValueError unless the average is one of the options, and has labels."""
    if average not in options:
        known = ", ".join(repr(option) for option in options)
        raise ValueError(f"average={average!r} is not known. Use one of {known}.")
    if average == "samples" and y_true is not None:
        check_two_dimensions(y_true, "average='samples'")


def check_two_dimensions(y_true, name):
    """Raise a ValueError unless the rows of `y_true` have labels to average over."""
    if n_dimensions(y_true) == 1:
        raise ValueError(
            f"{name} is over the labels of a row: y_true must be 2D, of shape "
            "(n_samples, n_labels), but has one dimension."
        )


def check_undefined(undefined):
    """Raise a ValueError unless this is a rule for undefined values."""
    if not (undefined in ("skip", "nan") or undefined == 0.0):
        raise ValueError(f"undefined={undefined!r} must be 'skip', 'nan' or 0.0.")


def averaged(score, labels, scores, weight, *, average, undefined, what, lacking):
    """Evaluate a score over labels, rows or all cells, and average its values.

    Parameters
    ----------
    score : callable
        ``score(target, score, weight) -> float``, NaN where it is undefined.
    labels, scores, weight : ndarray
        From `check_scored_labels`.
    average : {"macro", "micro", "samples", "weighted", None}
    undefined : {"skip", "nan", 0.0}
    what, lacking : str
        For the warning: what is undefined, and what the labels lack.

    Returns
    -------
    float, or ndarray of float64 of shape (n_labels,)
    """
    check_average(average)
    check_undefined(undefined)
    support = None
    if average == "micro":
        columns, average = [all_entries(labels, scores, weight)], "macro"
        unit = "the one pool of all cells"
    elif average == "samples":
        if weight is not None and weight.ndim == 1:
            support, weight = weight, None
        columns = iter_columns(labels.T, scores.T, None if weight is None else weight.T)
        unit = "rows"
    else:
        columns = iter_columns(labels, scores, weight)
        if average == "weighted":
            support = count_labels(labels, weight)[0]
        unit = "labels"
    values = np.array([score(*column) for column in columns], dtype=np.float64)
    values, kept = settled(values, undefined, f"{what} is undefined", unit, lacking)
    if average is None:
        return values
    return mean_of(values, support, kept, undefined)


def settled(values, undefined, what, unit, lacking):
    """Apply the rule for undefined values; return the values and which ones count."""
    left_out = np.isnan(values)
    if undefined == "nan" or not left_out.any():
        return values, np.ones(len(values), dtype=bool)
    if undefined != "skip":
        return np.where(left_out, undefined, values), np.ones(len(values), dtype=bool)
    warn_undefined(
        f"{what} for {left_out.sum()} of {len(values)} {unit}, which have {lacking}; "
        "they are left out.",
    )
    return values, ~left_out


def mean_of(values, support, kept, undefined):
    """Return the mean of the values that count, the undefined value without any."""
    values, support = values[kept], None if support is None else support[kept]
    if support is None:
        return float(values.mean()) if len(values) else np.nan
    if support.any():
        return float(np.average(values, weights=support))
    if undefined == 0.0:
        return 0.0
    if undefined == "skip" and len(values):
        warn_undefined("The weighted average is undefined: no label has a positive.")
    return np.nan
