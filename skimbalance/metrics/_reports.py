"""Tables over groups of labels and over single labels."""

import numpy as np
from sklearn.utils import check_random_state

from skimbalance._columns import iter_columns, ratio, tally
from skimbalance._counts import count_labels
from skimbalance._labels import (
    check_label_matrix,
    check_scored_labels,
)
from skimbalance._validation import (
    align_columns,
    check_integer,
    check_interval,
    check_per_label,
    column_names,
)
from skimbalance.metrics._per_label import (
    average_precision,
    counts_at,
    each_label,
    f_beta,
    mean_of,
    observed_sum,
    roc_auc,
)


def check_label_names(label_names, y, n_labels):
    """Return a name for each label, by default a column of `y`, or None."""
    names = column_names(y) if label_names is None else label_names
    if names is not None and len(names) != n_labels:
        raise ValueError(f"label_names has {len(names)} names for {n_labels} labels.")
    return names


def _n_expected(labels, scores, weight):
    """Return the sum of the probabilities of each label, NaN for other scores."""
    if scores.min() < 0 or scores.max() > 1:
        return np.full(labels.shape[1], np.nan)
    return each_label(observed_sum, labels, scores, weight)


def _n_training_positives(y_train, y_true, labels):
    """Return the unweighted positives of the labels, of `y_true` without `y_train`."""
    if y_train is None:
        return count_labels(labels)[0]
    y_train = align_columns(y_train, column_names(y_true), "y_train")
    n_positive, _ = count_labels(check_label_matrix(y_train, "y_train"))
    if len(n_positive) != labels.shape[1]:
        raise ValueError(
            f"y_train has {len(n_positive)} labels, but y_true has {labels.shape[1]}."
        )
    return n_positive


def _summary(group, means, sums, n_positive):
    """Return one line of the report by frequency."""
    line = {
        "n_labels": int(group.sum()),
        "n_positive": float(n_positive[group].sum()),
        "n_undefined": int(np.isnan(means["average_precision"][group]).sum()),
    }
    line |= {name: mean_of(values[group]) for name, values in means.items()}
    for name, values in sums.items():
        line[name] = float(ratio(values[group].sum(), n_positive[group].sum()))
    return line


def label_frequency_report(
    y_true,
    y_score,
    *,
    y_train=None,
    threshold=0.5,
    bounds=(20, 100),
    sample_weight=None,
) -> dict[str, dict]:
    """Compute scores over the frequent, the medium and the rare labels.

    A mean over all labels hides where a model fails. The groups are those of
    long-tailed learning [1]_: the head has more than 100 training positives, the tail
    fewer than 20.

    Parameters
    ----------
    y_true : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
        0, 1 and NaN for a missing label, which is left out.
    y_score : array-like of the shape of `y_true`
        Probabilities, or any scores that rank; finite.
    y_train : {array-like, sparse matrix} of shape (n_train, n_labels), default=None
        The training labels, whose positives make the groups. None takes `y_true`.
    threshold : float or array-like of shape (n_labels,), default=0.5
        The thresholds behind F1 and the predicted-observed ratio.
    bounds : tuple of two int, default=(20, 100)
        The tail has fewer positives than the first, the head more than the second.
    sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
            default=None
        Weights of the rows or entries.

    Returns
    -------
    report : dict of dict
        For ``"head"``, ``"medium"``, ``"tail"`` and ``"all"``: the number of labels and
        of positives in `y_true`; `n_undefined`, the labels without observed positives,
        which no mean counts; the means of ``average_precision``, ``roc_auc`` and ``f1``
        over labels; ``expected_observed_ratio`` (NaN for scores that are no
        probabilities) and ``predicted_observed_ratio`` over entries. A group without
        labels holds NaN.

    Raises
    ------
    ValueError
        If shapes differ or `bounds` are not in order.

    See Also
    --------
    label_report : The same label by label.

    Notes
    -----
    Among labels that have few positives in `y_train`, many drew fewer than their rate
    by chance. The ``expected_observed_ratio`` of the tail is then below 1 also for
    probabilities that are right on the training rows. Compare it with the ratio of the
    base rates of `y_train`, or pass all labelled rows as `y_train`.

    References
    ----------
    .. [1] Wu, Huang, Liu, Wang, Lin, "Distribution-Balanced Loss for Multi-Label
       Classification in Long-Tailed Datasets", ECCV 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.metrics import label_frequency_report
    >>> rng = np.random.default_rng(0)
    >>> Y = rng.random((1000, 3)) < [0.3, 0.05, 0.01]
    >>> report = label_frequency_report(Y, 0.5 * Y + 0.4 * rng.random(Y.shape))
    >>> {name: line["n_labels"] for name, line in report.items()}
    {'head': 1, 'medium': 1, 'tail': 1, 'all': 3}
    """
    labels, scores, weight = check_scored_labels(y_true, y_score, sample_weight)
    low, high = bounds
    if not 0 <= low <= high:
        raise ValueError(f"bounds={bounds!r} must be two numbers, the smaller first.")
    frequency = _n_training_positives(y_train, y_true, labels)
    predicted = scores > check_per_label(
        "threshold", threshold, labels.shape[1], names=column_names(y_true)
    )
    n_positive, _ = count_labels(labels, weight)
    means = {
        "average_precision": each_label(average_precision, labels, scores, weight),
        "roc_auc": each_label(roc_auc, labels, scores, weight),
        "f1": each_label(f_beta, labels, predicted, weight),
    }
    # The three means are over the same labels: those with an observed positive.
    means["f1"][np.isnan(means["average_precision"])] = np.nan
    sums = {
        "expected_observed_ratio": _n_expected(labels, scores, weight),
        "predicted_observed_ratio": each_label(observed_sum, labels, predicted, weight),
    }
    tail, head = frequency < low, frequency > high
    whole = np.ones(len(frequency), dtype=bool)
    groups = {"head": head, "medium": ~head & ~tail, "tail": tail, "all": whole}
    return {
        name: _summary(group, means, sums, n_positive) for name, group in groups.items()
    }


def _resampled_precision(target, score, n_bootstraps, rng):
    """Return the average precision of resampled entries of one label.

    The average precision depends only on the numbers of entries between two positives,
    so these counts are drawn instead of the entries.
    """
    levels, hits, predicted = tally(target, score)
    positive = counts_at(hits)
    negative = counts_at(predicted) - positive
    counts = np.concatenate([positive, negative, [len(score) - predicted[0]]])
    drawn = rng.multinomial(len(score), counts / len(score), size=n_bootstraps)
    positive, negative, _ = np.split(drawn, [len(levels), 2 * len(levels)], axis=1)
    hits = positive[:, ::-1].cumsum(axis=1)[:, ::-1]
    predicted = hits + negative[:, ::-1].cumsum(axis=1)[:, ::-1]
    # Where nothing is predicted nothing is hit, and the term is 0.
    precision = hits / np.maximum(predicted, 1)
    has_positive = hits[:, 0] > 0
    sums = (positive * precision).sum(axis=1)
    return sums[has_positive] / hits[has_positive, 0]


def _interval(target, score, n_bootstraps, confidence_level, rng):
    """Return the bootstrap quantiles of the average precision of one label."""
    if not target.any():
        return np.nan, np.nan
    values = _resampled_precision(target, score, n_bootstraps, rng)
    if len(values) == 0:
        return np.nan, np.nan
    margin = (1 - confidence_level) / 2
    return tuple(np.quantile(values, [margin, 1 - margin]))


def label_report(
    y_true,
    y_score,
    *,
    threshold=0.5,
    label_names=None,
    n_bootstraps=200,
    confidence_level=0.95,
    random_state=None,
) -> dict[str, np.ndarray]:
    """Compute positives, average precision and ratios of each label.

    Parameters
    ----------
    y_true : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
        0, 1 and NaN for a missing label, which is left out.
    y_score : array-like of the shape of `y_true`
        Probabilities, or any scores that rank; finite.
    threshold : float or array-like of shape (n_labels,), default=0.5
        The thresholds behind the predicted-observed ratio. Pass those that your
        predictions use: of ``Cost(cost_fp=1, cost_fn=9)`` it is 0.1, of any rule what
        `skimbalance.thresholds.tune_thresholds` returns.
    label_names : array-like of str, shape (n_labels,), default=None
        None takes the columns of a data frame, or numbers.
    n_bootstraps : int, default=200
        Resamples behind the interval of the average precision.
    confidence_level : float, default=0.95
        Confidence level of the interval, which is made of quantiles of the resampled
        values. A label with a handful of positives has a wide one, and it is still too
        narrow.
    random_state : int, RandomState instance or None, default=None
        Seed of the resamples.

    Returns
    -------
    report : dict of ndarray, each of shape (n_labels,)
        ``label``, ``n_observed``, ``n_positive``, ``average_precision``,
        ``average_precision_low``, ``average_precision_high``,
        ``expected_observed_ratio``, ``predicted_observed_ratio`` and ``threshold``;
        ``pandas.DataFrame(report)`` is a table.
        NaN where a label has no observed positive.

    Raises
    ------
    ValueError
        If shapes differ or a parameter is out of its range.

    See Also
    --------
    label_frequency_report : The same over groups of labels.

    References
    ----------
    .. [1] Efron, Tibshirani, "An Introduction to the Bootstrap", 1993.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.metrics import label_report
    >>> Y, scores = [[1, 0], [0, 0], [1, 1]], [[0.9, 0.2], [0.3, 0.1], [0.6, 0.1]]
    >>> report = label_report(Y, scores, label_names=["cat", "dog"], random_state=0)
    >>> for name in ("label", "n_positive", "average_precision"):
    ...     print(name, report[name])
    label ['cat' 'dog']
    n_positive [2. 1.]
    average_precision [1.         0.33333333]

    A binary target, by the probability of its positive class:

    >>> y = np.array(["ok", "fraud", "ok"])
    >>> report = label_report(y == "fraud", [0.1, 0.6, 0.2], threshold=0.15)
    >>> report["predicted_observed_ratio"]
    array([2.])
    """
    n_bootstraps = check_integer("n_bootstraps", n_bootstraps, 1)
    check_interval("confidence_level", confidence_level, 0, 1, closed="neither")
    labels, scores, _ = check_scored_labels(y_true, y_score)
    n_labels = labels.shape[1]
    names = check_label_names(label_names, y_true, n_labels)
    rng = check_random_state(random_state)
    intervals = np.array(
        [
            _interval(target, score, n_bootstraps, confidence_level, rng)
            for target, score, _ in iter_columns(labels, scores)
        ]
    )
    thresholds = check_per_label("threshold", threshold, n_labels, names=names)
    n_positive, n_negative = count_labels(labels)
    n_predicted = each_label(observed_sum, labels, scores > thresholds)
    return {
        "label": np.arange(n_labels) if names is None else np.asarray(names),
        "n_observed": n_positive + n_negative,
        "n_positive": n_positive,
        "average_precision": each_label(average_precision, labels, scores),
        "average_precision_low": intervals[:, 0],
        "average_precision_high": intervals[:, 1],
        "expected_observed_ratio": ratio(_n_expected(labels, scores, None), n_positive),
        "predicted_observed_ratio": ratio(n_predicted, n_positive),
        "threshold": thresholds,
    }
