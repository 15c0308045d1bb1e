"""Scores of label matrices: rare, sparse and missing labels are read as they are.

Two ratios, never mixed: `probability_ratio` compares the sum of the probabilities with
the number of true positives, `decision_ratio` the number of decisions. One is about
honesty, the other about thresholds.
"""

import warnings

import numpy as np
import scipy.sparse as sp
from sklearn.metrics import make_scorer

from skimbalance._base import UndefinedLabelWarning
from skimbalance._validation import (
    check_choice,
    check_label_matrix,
    check_same_length,
    check_weights,
    count_labels,
)

__all__ = [
    "UndefinedLabelWarning",
    "decision_ratio",
    "get_scorer",
    "get_scorer_names",
    "multilabel_average_precision_score",
    "probability_ratio",
]

_COLUMN_BLOCK = 64


def _check_scores(y_score, shape, name="y_score"):
    """Return scores as a finite float array of the shape of the labels."""
    scores = np.asarray(y_score)
    if scores.ndim == 1:
        scores = scores.reshape(-1, 1)
    if scores.shape != shape:
        raise ValueError(
            f"{name} has shape {scores.shape}, but y_true has shape {shape}."
        )
    if scores.dtype.kind == "f" and not np.isfinite(scores).all():
        raise ValueError(f"{name} must be finite.")
    return scores


def _check_pair(y_true, y_score, sample_weight, name="y_score"):
    check_same_length(
        **{"y_true": y_true, name: y_score, "sample_weight": sample_weight}
    )
    labels = check_label_matrix(y_true, "y_true")
    scores = _check_scores(y_score, labels.shape, name)
    weight = check_weights(sample_weight, labels.shape[0])
    return labels, scores, weight


def _label_rows(labels):
    """Return a function from a label's index to its column, dense int8."""
    if not sp.issparse(labels):
        return lambda k: labels[:, k]
    columns = labels.tocsc()

    def dense(k):
        column = np.zeros(labels.shape[0], dtype=np.int8)
        cells = slice(columns.indptr[k], columns.indptr[k + 1])
        column[columns.indices[cells]] = columns.data[cells]
        return column

    return dense


def _columns(labels, scores, weight):
    """Yield for each label its targets, scores and weights over the observed cells."""
    column = _label_rows(labels)
    for start in range(0, labels.shape[1], _COLUMN_BLOCK):
        # Columns of a C-ordered matrix are slow to walk; a few at a time are not.
        block = np.ascontiguousarray(scores[:, start : start + _COLUMN_BLOCK].T)
        for offset, score in enumerate(block):
            target = column(start + offset)
            observed = target >= 0
            if observed.all():
                yield target == 1, score, weight
            else:
                kept = None if weight is None else weight[observed]
                yield target[observed] == 1, score[observed], kept


def _all_cells(labels, scores, weight):
    """Return the observed cells as one binary problem."""
    dense = labels.toarray() if sp.issparse(labels) else labels
    cell_weight = None
    if weight is not None:
        cell_weight = np.repeat(weight, labels.shape[1])
    target = dense.reshape(-1, 1)
    return next(iter(_columns(target, scores.reshape(-1, 1), cell_weight)))


def _average_precision(target, score, weight):
    """Area under the precision-recall curve as a sum over the positives."""
    n_positive = np.count_nonzero(target)
    if n_positive == 0:
        return np.nan
    if weight is None:
        ranked, hits = np.sort(score), np.sort(score[target])
        above = len(ranked) - np.searchsorted(ranked, hits)
        return np.mean((n_positive - np.searchsorted(hits, hits)) / above)
    order = np.argsort(score)
    score, target, weight = score[order], target[order], weight[order]
    # A positive sees all that score as high as itself, ties included.
    first = np.searchsorted(score, score[target])
    above = np.cumsum(weight[::-1])[::-1][first]
    hits_above = np.cumsum((weight * target)[::-1])[::-1][first]
    counted = above > 0
    if not counted.any():
        return np.nan
    precision = hits_above[counted] / above[counted]
    return np.average(precision, weights=weight[target][counted])


def _warn_undefined(n_left_out, n_labels, what, lacking):
    if n_left_out:
        warnings.warn(
            f"{what} is undefined for {n_left_out} of {n_labels} labels, which have "
            f"{lacking}; they are left out.",
            UndefinedLabelWarning,
            stacklevel=4,
        )


def _average_over_labels(values, support, average, undefined, what, lacking):
    """Average per-label values, treating the undefined ones as asked for."""
    left_out = np.isnan(values)
    if undefined == "skip":
        _warn_undefined(left_out.sum(), len(values), what, lacking)
    elif undefined != "nan":
        values = np.where(left_out, undefined, values)
        left_out = np.zeros_like(left_out)
    if average is None:
        return values
    if undefined == "skip":
        values, support = values[~left_out], support[~left_out]
    if len(values) == 0:
        return np.nan
    return float(np.average(values, weights=support if average == "weighted" else None))


_AVERAGES = ("macro", "micro", "samples", "weighted", None)


def _check_averaging(average, undefined):
    if average not in _AVERAGES:
        known = ", ".join(repr(option) for option in _AVERAGES)
        raise ValueError(f"average={average!r} is not known. Use one of {known}.")
    if undefined not in ("skip", "nan") and undefined != 0.0:
        raise ValueError(f"undefined={undefined!r} must be 'skip', 'nan' or 0.0.")


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
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows.

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
    sklearn.metrics.average_precision_score : Refuses missing labels and sparse ones,
        and counts labels without positives as 0.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.metrics import multilabel_average_precision_score
    >>> Y = np.array([[1, 0], [0, np.nan], [1, 1]])
    >>> S = np.array([[0.9, 0.2], [0.8, 0.5], [0.7, 0.1]])
    >>> multilabel_average_precision_score(Y, S, average=None)
    array([0.83333333, 0.5       ])
    """
    _check_averaging(average, undefined)
    labels, scores, weight = _check_pair(y_true, y_score, sample_weight)
    if average == "micro":
        target, score, cell_weight = _all_cells(labels, scores, weight)
        values = np.array([_average_precision(target, score, cell_weight)])
        support, what, average = np.ones(1), "Micro average precision", "macro"
    elif average == "samples":
        columns = _columns(labels.T, scores.T, None)
        values = np.array([_average_precision(*column) for column in columns])
        support = np.ones(len(values)) if weight is None else weight
        what, average = "Average precision", "weighted"
    else:
        columns = _columns(labels, scores, weight)
        values = np.array([_average_precision(*column) for column in columns])
        support, what = count_labels(labels, weight)[0], "Average precision"
    return _average_over_labels(
        values, support, average, undefined, what, "no observed positive"
    )


def _ratio(y_true, y_pred, average, sample_weight, name):
    if average not in ("micro", None):
        raise ValueError(f"average={average!r} is not known. Use 'micro' or None.")
    labels, predicted, weight = _check_pair(y_true, y_pred, sample_weight, name)
    n_positive, _ = count_labels(labels, weight)
    sums = np.array(
        [
            score.sum() if kept is None else kept @ score
            for _, score, kept in _columns(labels, predicted, weight)
        ],
        dtype=np.float64,
    )
    if average == "micro":
        sums, n_positive = sums.sum(keepdims=True), n_positive.sum(keepdims=True)
    ratio = np.full(len(sums), np.nan)
    np.divide(sums, n_positive, out=ratio, where=n_positive > 0)
    return ratio if average is None else float(ratio[0])


def probability_ratio(y_true, y_proba, *, average="micro", sample_weight=None):
    """Compare the sum of the probabilities with the number of true positives.

    Parameters
    ----------
    y_true : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
        0, 1 and NaN for a missing label, which is left out.
    y_proba : array-like of shape (n_samples, n_labels) or (n_samples,)
        Probabilities of the labels.
    average : {"micro", None}, default="micro"
        Over all labels, or one ratio a label.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows.

    Returns
    -------
    ratio : float, or ndarray of float64 of shape (n_labels,) if `average` is None
        1 if the probabilities are right on average, 2 if they promise twice too many
        positives; NaN for a label without positives.

    Raises
    ------
    ValueError
        If the shapes differ or the probabilities are not finite.

    Examples
    --------
    >>> from skimbalance.metrics import probability_ratio
    >>> probability_ratio([[1, 0], [0, 0]], [[0.9, 0.6], [0.3, 0.2]])
    2.0
    """
    return _ratio(y_true, y_proba, average, sample_weight, "y_proba")


def decision_ratio(y_true, y_pred, *, average="micro", sample_weight=None):
    """Compare the number of decided positives with the number of true ones.

    Parameters
    ----------
    y_true : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
        0, 1 and NaN for a missing label, which is left out.
    y_pred : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
        Decisions, 0 or 1.
    average : {"micro", None}, default="micro"
        Over all labels, or one ratio a label.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows.

    Returns
    -------
    ratio : float, or ndarray of float64 of shape (n_labels,) if `average` is None
        1 if as many are decided as there are; NaN for a label without positives.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> from skimbalance.metrics import decision_ratio
    >>> decision_ratio([[1, 0], [0, 0]], [[1, 1], [0, 0]])
    2.0
    """
    decided = check_label_matrix(y_pred, "y_pred")
    decided = decided.toarray() if sp.issparse(decided) else decided
    return _ratio(y_true, decided, average, sample_weight, "y_pred")


_RANKED = ("decision_function", "predict_proba")

_SCORERS = {
    "macro_average_precision": (
        multilabel_average_precision_score,
        {"response_method": _RANKED},
    ),
    "micro_average_precision": (
        multilabel_average_precision_score,
        {"response_method": _RANKED, "average": "micro"},
    ),
}


def get_scorer_names():
    """Return the names that `get_scorer` knows.

    Returns
    -------
    names : list of str
        In alphabetical order.

    Examples
    --------
    >>> from skimbalance.metrics import get_scorer_names
    >>> get_scorer_names()
    ['macro_average_precision', 'micro_average_precision']
    """
    return sorted(_SCORERS)


def get_scorer(name):
    """Return a scorer by name, for `GridSearchCV`, `cross_validate` and the like.

    These take what scikit-learn's own scorers refuse: sparse label matrices, and
    missing labels as NaN.

    Parameters
    ----------
    name : str
        ``"macro_average_precision"`` or ``"micro_average_precision"``.

    Returns
    -------
    scorer : callable
        Called as ``scorer(estimator, X, y)``; higher is better.

    Raises
    ------
    ValueError
        If the name is not known.

    Examples
    --------
    >>> from skimbalance.metrics import get_scorer
    >>> scorer = get_scorer("macro_average_precision")
    """
    check_choice("name", name, _SCORERS)
    score, options = _SCORERS[name]
    return make_scorer(score, **options)
