"""Scores of the ranking of the labels of a row.

Labels of equal score share the places that they fill, so no result depends on the order
of the columns. A missing label is not in the ranking.
"""

import numpy as np
import scipy.sparse as sp

from skimbalance._columns import ratio
from skimbalance._counts import (
    count_labels,
    weights_or_ones,
)
from skimbalance._labels import (
    check_label_matrix,
    check_scored_labels,
)
from skimbalance._validation import (
    check_interval,
    check_k,
    check_per_label,
    check_weights,
    column_names,
    n_samples_of,
)
from skimbalance.metrics._per_label import (
    average_precision,
    averaged,
    check_two_dimensions,
    check_undefined,
    mean_of,
    resolve_undefined,
)

# Entries ranked at a time, a bound of the memory: each float64 copy takes 34 MB.
_RANKED_ENTRIES = 2**22
_NO_TRUE_LABEL = "no true label"


def _check_rows(y_true, y_score, k, sample_weight):
    """Return labels, scores and row weights, and the checked k."""
    check_two_dimensions(y_true, "The ranking")
    if sample_weight is not None:
        sample_weight = check_weights(sample_weight, n_samples_of(y_true))
    labels, scores, weight = check_scored_labels(y_true, y_score, sample_weight)
    k = check_k(k, labels.shape[1])
    return labels, scores, weight, k


def _as_float64(scores):
    """Return scores as a new array of float64, by their ranks if some would be tied."""
    if scores.dtype.kind in "iu" and scores.dtype.itemsize == 8:
        _, ranks = np.unique(scores, return_inverse=True)
        scores = ranks.reshape(scores.shape)
    return scores.astype(np.float64)


def _blocks(labels, scores):
    """Yield relevance, scores and number of labels of a few rows at a time."""
    n_rows, n_labels = labels.shape
    step = max(1, _RANKED_ENTRIES // n_labels)
    for start in range(0, n_rows, step):
        rows = labels[start : start + step]
        rows = rows.toarray() if sp.issparse(rows) else rows
        ranked = _as_float64(scores[start : start + step])
        # Below every score, a missing label takes a place that nothing counts.
        ranked[rows < 0] = -np.inf
        yield rows == 1, ranked, (rows >= 0).sum(axis=1)


def _gain_of_top(gain, scores, k):
    """Return the gain of the k best scores of each row; equal scores share places.

    Where scores are equal at place k, the result is the mean over all orders of the
    tied labels, so it does not depend on which of them a partition puts first.
    """
    last = -np.partition(-scores, k - 1, axis=1)[:, k - 1 : k]
    above, tied = scores > last, scores == last
    places = k - above.sum(axis=1)
    shared = (gain * tied).sum(axis=1) / tied.sum(axis=1)
    return (gain * above).sum(axis=1) + places * shared


def _mean_over_rows(values, weight, undefined, what, lacking):
    """Return the mean of the values of the rows, which come block by block."""
    check_undefined(undefined)
    what, values = f"{what} is undefined", np.concatenate(values)
    values = resolve_undefined(values, undefined, what, "rows", lacking)
    return mean_of(values, weight, undefined)


def precision_at_k(
    y_true, y_score, k, *, undefined="skip", sample_weight=None
) -> float:
    """Compute the fraction of true labels among the k best scored ones of a row.

    Parameters
    ----------
    y_true : {array-like, sparse matrix} of shape (n_samples, n_labels)
        0, 1 and NaN for a missing label, which is left out of the ranking.
    y_score : array-like of shape (n_samples, n_labels)
        Probabilities or any scores that rank the labels of a row; finite.
    k : int
        At most the number of labels. A row with fewer observed labels counts these.
    undefined : {"skip", "nan", 0.0}, default="skip"
        What a row without observed labels counts as: left out with one
        `UndefinedLabelWarning` that counts them, NaN, or 0.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows.

    Returns
    -------
    score : float
        Mean over the rows.

    Raises
    ------
    ValueError
        If `k` is above the number of labels, the shapes differ, or scores are not
        finite.

    Examples
    --------
    >>> from skimbalance.metrics import precision_at_k
    >>> Y, scores = [[1, 0, 1], [0, 0, 1]], [[0.9, 0.8, 0.1], [0.1, 0.2, 0.7]]
    >>> precision_at_k(Y, scores, 1), precision_at_k(Y, scores, 2)
    (1.0, 0.5)
    """
    labels, scores, weight, k = _check_rows(y_true, y_score, k, sample_weight)
    values = [
        ratio(_gain_of_top(relevant, ranked, k), np.minimum(n_observed, k))
        for relevant, ranked, n_observed in _blocks(labels, scores)
    ]
    return _mean_over_rows(
        values, weight, undefined, "Precision at k", "no observed label"
    )


def recall_at_k(y_true, y_score, k, *, undefined="skip", sample_weight=None) -> float:
    """Compute the fraction of the true labels of a row among its k best scored.

    Parameters
    ----------
    y_true : {array-like, sparse matrix} of shape (n_samples, n_labels)
        0, 1 and NaN for a missing label, which is left out of the ranking.
    y_score : array-like of shape (n_samples, n_labels)
        Probabilities or any scores that rank the labels of a row; finite.
    k : int
        At most the number of labels.
    undefined : {"skip", "nan", 0.0}, default="skip"
        What a row without true labels counts as: left out with one
        `UndefinedLabelWarning` that counts them, NaN, or 0.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows.

    Returns
    -------
    score : float
        Mean over the rows.

    Raises
    ------
    ValueError
        If `k` is above the number of labels, the shapes differ, or scores are not
        finite.

    Examples
    --------
    >>> from skimbalance.metrics import recall_at_k
    >>> Y, scores = [[1, 0, 1], [0, 0, 1]], [[0.9, 0.8, 0.1], [0.1, 0.2, 0.7]]
    >>> recall_at_k(Y, scores, 1)
    0.75
    """
    labels, scores, weight, k = _check_rows(y_true, y_score, k, sample_weight)
    values = [
        ratio(_gain_of_top(relevant, ranked, k), relevant.sum(axis=1))
        for relevant, ranked, _ in _blocks(labels, scores)
    ]
    return _mean_over_rows(values, weight, undefined, "Recall at k", _NO_TRUE_LABEL)


def _shared_discounts(ranked, discounts):
    """Return the discount of each place, averaged over the places of equal scores.

    Each place finds the first and the last place of its score by running extremes along
    the sorted rows; the sum of discounts between the two comes from their cumsum.
    """
    n_rows, n_places = ranked.shape
    places = np.arange(n_places)
    new = np.ones((n_rows, n_places), dtype=bool)
    np.not_equal(ranked[:, 1:], ranked[:, :-1], out=new[:, 1:])
    first = np.maximum.accumulate(np.where(new, places, 0), axis=1)
    ends = np.where(np.roll(new, -1, axis=1), places + 1, n_places)
    ends[:, -1] = n_places
    end = np.minimum.accumulate(ends[:, ::-1], axis=1)[:, ::-1]
    summed = np.append(0, np.cumsum(discounts))
    return (summed[end] - summed[first]) / (end - first)


def ndcg_at_k(y_true, y_score, k, *, undefined="skip", sample_weight=None) -> float:
    """Compute the normalized discounted cumulative gain of the k best scored labels.

    Parameters
    ----------
    y_true : {array-like, sparse matrix} of shape (n_samples, n_labels)
        0, 1 and NaN for a missing label, which is left out of the ranking.
    y_score : array-like of shape (n_samples, n_labels)
        Probabilities or any scores that rank the labels of a row; finite.
    k : int
        At most the number of labels.
    undefined : {"skip", "nan", 0.0}, default="skip"
        What a row without true labels counts as: left out with one
        `UndefinedLabelWarning` that counts them, NaN, or 0 as in scikit-learn.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows.

    Returns
    -------
    score : float
        Mean over the rows.

    Raises
    ------
    ValueError
        If `k` is above the number of labels, the shapes differ, or scores are not
        finite.

    See Also
    --------
    sklearn.metrics.ndcg_score : Of graded relevance.

    References
    ----------
    .. [1] Jarvelin, Kekalainen, "Cumulated Gain-Based Evaluation of IR Techniques", ACM
       TOIS 2002.

    Examples
    --------
    >>> from skimbalance.metrics import ndcg_at_k
    >>> Y, scores = [[1, 0, 1], [0, 0, 1]], [[0.9, 0.8, 0.1], [0.1, 0.2, 0.7]]
    >>> round(ndcg_at_k(Y, scores, 2), 3)
    0.807
    """
    labels, scores, weight, k = _check_rows(y_true, y_score, k, sample_weight)
    places = np.arange(labels.shape[1])
    discounts = np.where(places < k, 1 / np.log2(places + 2), 0.0)
    ideal = np.append(0, np.cumsum(discounts))
    values = []
    for relevant, ranked, _ in _blocks(labels, scores):
        order = np.argsort(-ranked, axis=1)
        shared = _shared_discounts(np.take_along_axis(ranked, order, axis=1), discounts)
        gain = (shared * np.take_along_axis(relevant, order, axis=1)).sum(axis=1)
        values.append(ratio(gain, ideal[relevant.sum(axis=1)]))
    return _mean_over_rows(values, weight, undefined, "nDCG at k", _NO_TRUE_LABEL)


def label_propensity(y_train, *, a=0.55, b=1.5) -> np.ndarray:
    """Compute the probability that a true label is recorded, from its frequency.

    Parameters
    ----------
    y_train : {array-like, sparse matrix} of shape (n_samples, n_labels)
        The training labels: 0, 1 and NaN for a missing label.
    a, b : float, default=0.55, 1.5
        Constants of the model; Jain et al. use 0.55 and 1.5 for most sets, 0.5 and 0.4
        for Wikipedia, 0.6 and 2.6 for Amazon.

    Returns
    -------
    propensity : ndarray of float64, shape (n_labels,)
        In (0, 1]: the smaller, the rarer the label.

    Raises
    ------
    ValueError
        If a constant is negative.

    References
    ----------
    .. [1] Jain, Prabhu, Varma, "Extreme Multi-label Loss Functions for Recommendation,
       Tagging, Ranking & Other Missing Label Applications", KDD 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.metrics import label_propensity
    >>> Y = np.arange(1000).reshape(-1, 1) < [[500, 50, 5]]
    >>> label_propensity(Y).round(2)
    array([0.76, 0.47, 0.22])
    """
    check_interval("a", a, 0)
    check_interval("b", b, 0)
    return _propensity(check_label_matrix(y_train, "y_train"), a, b)


def _propensity(labels, a=0.55, b=1.5):
    # One row has log(1) - 1 < 0, which would make a propensity above 1.
    scale = max(np.log(labels.shape[0]) - 1, 0) * (b + 1) ** a
    return 1 / (1 + scale * (count_labels(labels)[0] + b) ** -a)


def _check_propensity(propensity, labels, names):
    """Return the propensity of each label, by default from the labels themselves."""
    if propensity is None:
        return _propensity(labels)
    propensity = check_per_label("propensity", propensity, labels.shape[1], names=names)
    if not ((propensity > 0) & (propensity <= 1)).all():
        raise ValueError("propensity must lie in (0, 1].")
    return propensity


def propensity_scored_precision_at_k(
    y_true, y_score, k, *, propensity=None, sample_weight=None
) -> float:
    """Compute the precision at k with rare labels weighted up.

    Each true label counts ``1 / propensity``; the sum is divided by the largest that
    any ranking reaches, as the papers report it.

    Parameters
    ----------
    y_true : {array-like, sparse matrix} of shape (n_samples, n_labels)
        0, 1 and NaN for a missing label, which is left out of the ranking.
    y_score : array-like of shape (n_samples, n_labels)
        Probabilities or any scores that rank the labels of a row; finite.
    k : int
        At most the number of labels.
    propensity : array-like of shape (n_labels,), default=None
        From `label_propensity` of the training labels. None takes `y_true` itself,
        with each row counted once, whatever its weight.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows.

    Returns
    -------
    score : float
        Between 0 and 1; NaN without any true label.

    Raises
    ------
    ValueError
        If `k` is above the number of labels, the shapes differ, scores are not finite,
        or a propensity is outside (0, 1].

    See Also
    --------
    label_propensity : The propensities.

    References
    ----------
    .. [1] Jain, Prabhu, Varma, "Extreme Multi-label Loss Functions for Recommendation,
       Tagging, Ranking & Other Missing Label Applications", KDD 2016.

    Examples
    --------
    >>> from skimbalance.metrics import propensity_scored_precision_at_k
    >>> Y, scores = [[1, 0, 1], [0, 0, 1]], [[0.9, 0.8, 0.1], [0.1, 0.2, 0.7]]
    >>> propensity_scored_precision_at_k(Y, scores, 1, propensity=[1, 0.5, 0.25])
    0.625
    """
    labels, scores, weight, k = _check_rows(y_true, y_score, k, sample_weight)
    label_gain = 1 / _check_propensity(propensity, labels, column_names(y_true))
    reached, best = [], []
    for relevant, ranked, _ in _blocks(labels, scores):
        gain = relevant * label_gain
        reached.append(_gain_of_top(gain, ranked, k))
        best.append(-np.partition(-gain, k - 1, axis=1)[:, :k].sum(axis=1))
    weight = weights_or_ones(weight, len(scores))
    return float(ratio(weight @ np.concatenate(reached), weight @ np.concatenate(best)))


def _averaged_rows(score, labels, scores, weight, undefined, what):
    """Return the mean over the rows of a score of one row."""
    options = {"undefined": undefined, "what": what, "lacking": _NO_TRUE_LABEL}
    return float(averaged(score, labels, scores, weight, average="samples", **options))


def _depth(target, score, weight):
    """Return the number of labels down to the last true one of a row."""
    if not target.any():
        return np.nan
    reached = score >= score[target].min()
    return np.count_nonzero(reached) if weight is None else weight @ reached


def coverage_error(y_true, y_score, *, undefined="skip", sample_weight=None) -> float:
    """Compute the mean depth in the ranking that covers the true labels of a row.

    Parameters
    ----------
    y_true : {array-like, sparse matrix} of shape (n_samples, n_labels)
        0, 1 and NaN for a missing label, which is left out of the ranking.
    y_score : array-like of shape (n_samples, n_labels)
        Probabilities or any scores that rank the labels of a row; finite.
    undefined : {"skip", "nan", 0.0}, default="skip"
        What a row without true labels counts as: left out with one
        `UndefinedLabelWarning` that counts them, NaN, or 0 as in scikit-learn.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows.

    Returns
    -------
    error : float
        Mean number of labels down to the last true one; lower is better.

    Raises
    ------
    ValueError
        If the shapes differ or scores are not finite.

    See Also
    --------
    sklearn.metrics.coverage_error : Counts rows without true labels as 0.

    Examples
    --------
    >>> from skimbalance.metrics import coverage_error
    >>> coverage_error([[1, 0, 0], [0, 0, 1]], [[0.75, 0.5, 1], [1, 0.2, 0.1]])
    2.5
    """
    labels, scores, weight, _ = _check_rows(y_true, y_score, 1, sample_weight)
    return _averaged_rows(
        _depth, labels, scores, weight, undefined, "The coverage error"
    )


def label_ranking_average_precision_score(
    y_true, y_score, *, undefined="skip", sample_weight=None
) -> float:
    """Compute the mean average precision of the ranking of the labels of a row.

    Equal to `multilabel_average_precision_score` with ``average="samples"``.

    Parameters
    ----------
    y_true : {array-like, sparse matrix} of shape (n_samples, n_labels)
        0, 1 and NaN for a missing label, which is left out of the ranking.
    y_score : array-like of shape (n_samples, n_labels)
        Probabilities or any scores that rank the labels of a row; finite.
    undefined : {"skip", "nan", 0.0}, default="skip"
        What a row without true labels counts as: left out with one
        `UndefinedLabelWarning` that counts them, NaN, or 0.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows.

    Returns
    -------
    score : float
        Mean over the rows.

    Raises
    ------
    ValueError
        If the shapes differ or scores are not finite.

    See Also
    --------
    sklearn.metrics.label_ranking_average_precision_score : Counts rows without true \
        labels as 1.

    Examples
    --------
    >>> from skimbalance.metrics import label_ranking_average_precision_score
    >>> Y, scores = [[1, 0, 0], [0, 0, 1]], [[0.75, 0.5, 1], [1, 0.2, 0.1]]
    >>> round(label_ranking_average_precision_score(Y, scores), 3)
    0.417
    """
    labels, scores, weight, _ = _check_rows(y_true, y_score, 1, sample_weight)
    return _averaged_rows(
        average_precision, labels, scores, weight, undefined, "Average precision"
    )
