"""Measures of the imbalance of a label matrix, and a report of them.

The first half works on label matrices that are checked already (see
`check_label_matrix`), for the resamplers; the second half is public.
"""

from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse as sp

from skimbalance._base import warn_undefined
from skimbalance._columns import ratio
from skimbalance._counts import count_labels, entries_with
from skimbalance._labels import check_label_matrix, has_missing
from skimbalance._validation import (
    check_choice,
    check_switch,
    n_dimensions,
)
from skimbalance.metrics._reports import check_label_names

# Charte, Rivera, del Jesus, Herrera (Neurocomputing 2015) call a set imbalanced whose
# mean imbalance ratio exceeds 1.5 and whose coefficient of variation exceeds 0.2.
_IMBALANCED_MEAN, _IMBALANCED_CV = 1.5, 0.2
# From a SCUMBLE of 0.1 on, the same authors (HAIS 2014) find that resampling of whole
# rows does not help.
_HIGH_SCUMBLE = 0.1
# From here on the reading mentions the rows without labels.
_MANY_UNLABELLED = 0.05

# --------------------------------------------------------------------------
# Measures of checked label matrices


def positive_entries(labels: Any) -> Any:
    """Return the indicator of the positive entries, a CSR array."""
    if sp.issparse(labels):
        return entries_with(labels, 1)
    return sp.csr_array(labels == 1)


def imbalance_ratios(labels: Any) -> np.ndarray:
    """Return the frequency of the most frequent label over that of each label.

    Parameters
    ----------
    labels : ndarray or csr_array of int8, shape (n_samples, n_labels)

    Returns
    -------
    ratios : ndarray of float64, shape (n_labels,)
        NaN for a label without positives.
    """
    frequency, n_negative = count_labels(labels)
    if has_missing(labels):
        # Counts of labels that are observed in different rows do not compare.
        frequency = ratio(frequency, frequency + n_negative, undefined=0.0)
    return ratio(frequency.max(), frequency)


def scumble_of_rows(positive: Any, ratios: np.ndarray) -> np.ndarray:
    """Return the SCUMBLE of each row from the imbalance ratios of the labels.

    Parameters
    ----------
    positive : csr_array of shape (n_samples, n_labels)
        From `positive_entries`.
    ratios : ndarray of float64, shape (n_labels,)
        From `imbalance_ratios`.

    Returns
    -------
    scumble : ndarray of float64, shape (n_samples,)
        0 for a row with fewer than two labels.
    """
    n_labels = np.diff(positive.indptr)
    known = np.where(np.isnan(ratios), 1.0, ratios)  # no entry has such a label
    with_one = np.maximum(n_labels, 1)
    geometric = np.exp(positive @ np.log(known) / with_one)
    arithmetic = positive @ known / with_one
    # The two means of one value, or of equal ones, differ by rounding.
    scumble = np.maximum(1 - ratio(geometric, arithmetic, undefined=1.0), 0.0)
    return np.where(n_labels > 1, scumble, 0.0)


def count_label_sets(positive: Any) -> int:
    """Return the number of distinct rows of an indicator, with the empty one."""
    # Sets of bytes stay sparse, where np.unique would need dense rows.
    start, indices = positive.indptr, positive.indices
    return len({indices[low:high].tobytes() for low, high in pairwise(start)})


def _check_labels(y: Any, complete: str | None = None) -> Any:
    """Return a label matrix of two dimensions, complete for the measure named."""
    if n_dimensions(y) == 1:
        raise ValueError(
            "y has one dimension, but the imbalance of labels is measured over the "
            "columns of a label matrix, of shape (n_samples, n_labels). For classes "
            "that exclude each other count them by np.unique(y, return_counts=True)."
        )
    labels = check_label_matrix(y)
    if complete is not None and has_missing(labels):
        raise ValueError(
            f"y has missing labels, but {complete} needs all labels of a row. Drop "
            "the rows with missing labels, by y[~np.isnan(y).any(axis=1)]; "
            "imbalance_ratio_per_label and label_cardinality read missing labels."
        )
    return labels


def _known_ratios(labels):
    """Return the imbalance ratios of the labels with positives, with one warning."""
    ratios = imbalance_ratios(labels)
    undefined = np.isnan(ratios)
    if undefined.any():
        warn_undefined(
            f"{undefined.sum()} of {len(ratios)} labels have no observed positive; "
            "their imbalance ratio is not defined, and they are left out."
        )
    return ratios[~undefined]


# --------------------------------------------------------------------------
# Imbalance ratios


def imbalance_ratio_per_label(y) -> np.ndarray:
    """Compute the imbalance ratio of each label (IRLbl).

    The number of positives of the most frequent label, divided by that of the label
    [1]_. With missing labels the frequencies among the observed entries take the place
    of the numbers.

    Parameters
    ----------
    y : {array-like, sparse matrix} of shape (n_samples, n_labels)
        0, 1 and NaN for a missing label.

    Returns
    -------
    ratios : ndarray of float64, shape (n_labels,)
        1 for the most frequent label, larger for the others; NaN for a label without
        positives, for which the ratio is not defined. The R package mldr sets it to 0
        there, as if it were the most frequent label of all.

    Raises
    ------
    ValueError
        If `y` is no label matrix.

    See Also
    --------
    mean_imbalance_ratio : Their mean.
    imbalance_report : With counts and a reading.

    References
    ----------
    .. [1] Charte, Rivera, del Jesus, Herrera, "Addressing Imbalance in Multilabel
       Classification: Measures and Random Resampling Algorithms", Neurocomputing 2015.

    Examples
    --------
    >>> from skimbalance.metrics import imbalance_ratio_per_label
    >>> imbalance_ratio_per_label([[1, 0], [1, 1], [1, 0], [1, 1]])
    array([1., 2.])
    """
    return imbalance_ratios(_check_labels(y))


def mean_imbalance_ratio(y) -> float:
    """Compute the mean imbalance ratio of the labels (MeanIR).

    Labels whose imbalance ratio exceeds it are the minority labels of the resamplers
    [1]_.

    Parameters
    ----------
    y : {array-like, sparse matrix} of shape (n_samples, n_labels)
        0, 1 and NaN for a missing label.

    Returns
    -------
    mean : float
        At least 1. Labels without positives are left out with one
        `UndefinedLabelWarning`; mldr counts them as 0, which lowers the mean. NaN if
        no label has a positive.

    Raises
    ------
    ValueError
        If `y` is no label matrix.

    References
    ----------
    .. [1] Charte, Rivera, del Jesus, Herrera, "Addressing Imbalance in Multilabel
       Classification: Measures and Random Resampling Algorithms", Neurocomputing 2015.

    Examples
    --------
    >>> from skimbalance.metrics import mean_imbalance_ratio
    >>> mean_imbalance_ratio([[1, 0], [1, 1], [1, 0], [1, 1]])
    1.5
    """
    ratios = _known_ratios(_check_labels(y))
    return float(ratios.mean()) if len(ratios) else np.nan


def imbalance_ratio_cv(y) -> float:
    """Compute the coefficient of variation of the imbalance ratios (CVIR).

    Their standard deviation, with the divisor n - 1, over their mean [1]_.

    Parameters
    ----------
    y : {array-like, sparse matrix} of shape (n_samples, n_labels)
        0, 1 and NaN for a missing label.

    Returns
    -------
    variation : float
        0 if all labels are equally frequent. Labels without positives are left out
        with one `UndefinedLabelWarning`; mldr counts their ratio as 0. NaN for fewer
        than two labels with positives.

    Raises
    ------
    ValueError
        If `y` is no label matrix.

    References
    ----------
    .. [1] Charte, Rivera, del Jesus, Herrera, "Addressing Imbalance in Multilabel
       Classification: Measures and Random Resampling Algorithms", Neurocomputing 2015.

    Examples
    --------
    >>> from skimbalance.metrics import imbalance_ratio_cv
    >>> round(imbalance_ratio_cv([[1, 0], [1, 1], [1, 0], [1, 1]]), 4)
    0.4714
    """
    return _variation(_known_ratios(_check_labels(y)))


def _variation(ratios):
    """Return the coefficient of variation; NaN where a deviation is not defined."""
    if len(ratios) < 2:
        return np.nan
    return float(ratios.std(ddof=1) / ratios.mean())


# --------------------------------------------------------------------------
# Frequent and rare labels in the same rows


def scumble_score(y, *, per="set") -> float | np.ndarray:
    """Compute how far frequent and rare labels share rows (SCUMBLE).

    Of a row: one minus the geometric mean of the imbalance ratios of its labels over
    their arithmetic mean [1]_. A row whose labels are equally frequent has the score
    0. Where the score is high, copies of the rows of rare labels are copies of those
    of frequent ones.

    Parameters
    ----------
    y : {array-like, sparse matrix} of shape (n_samples, n_labels)
        0 and 1; no label may be missing.
    per : {"set", "row", "label"}, default="set"
        The mean over the rows; the score of each row; or the mean over the rows of
        each label.

    Returns
    -------
    score : float, or ndarray of float64 of shape (n_samples,) or (n_labels,)
        At least 0 and below 1; NaN for a label without positives.

    Raises
    ------
    ValueError
        If `y` is no label matrix or has missing labels, or `per` is not known.

    References
    ----------
    .. [1] Charte, Rivera, del Jesus, Herrera, "Concurrence among Imbalanced Labels and
       its Influence on Multilabel Resampling Algorithms", HAIS 2014.

    Examples
    --------
    >>> from skimbalance.metrics import scumble_score
    >>> Y = [[1, 0], [1, 1], [1, 0], [1, 0]]
    >>> round(scumble_score(Y), 6)
    0.05
    >>> scumble_score(Y, per="row")
    array([0. , 0.2, 0. , 0. ])
    >>> scumble_score(Y, per="label")
    array([0.05, 0.2 ])
    """
    check_choice("per", per, ("set", "row", "label"))
    labels = _check_labels(y, "scumble_score")
    positive = positive_entries(labels)
    rows = scumble_of_rows(positive, imbalance_ratios(labels))
    if per == "row":
        return rows
    return scumble_of_labels(positive, rows) if per == "label" else float(rows.mean())


def scumble_of_labels(positive, rows):
    """Return the mean score of the rows of each label."""
    n_labels = positive.shape[1]
    n_rows = np.bincount(positive.indices, minlength=n_labels)
    return ratio(positive.T @ rows, n_rows)


# --------------------------------------------------------------------------
# Sizes


def label_cardinality(y) -> float:
    """Compute the mean number of labels of a row.

    Parameters
    ----------
    y : {array-like, sparse matrix} of shape (n_samples, n_labels)
        0, 1 and NaN for a missing label.

    Returns
    -------
    cardinality : float
        The sum over the labels of their frequency among the observed entries; without
        missing labels the mean of the row sums. A label without observed entries
        counts 0.

    Raises
    ------
    ValueError
        If `y` is no label matrix.

    References
    ----------
    .. [1] Tsoumakas, Katakis, "Multi-Label Classification: An Overview", International
       Journal of Data Warehousing and Mining 2007.

    Examples
    --------
    >>> from skimbalance.metrics import label_cardinality
    >>> label_cardinality([[1, 0], [1, 1], [1, 0], [1, 1]])
    1.5
    """
    return _cardinality(_check_labels(y))


def _cardinality(labels):
    """Return the sum of the frequencies of the labels."""
    positive, negative = count_labels(labels)
    return float(ratio(positive, positive + negative, undefined=0.0).sum())


def label_density(y) -> float:
    """Compute the label cardinality over the number of labels.

    Parameters
    ----------
    y : {array-like, sparse matrix} of shape (n_samples, n_labels)
        0, 1 and NaN for a missing label.

    Returns
    -------
    density : float
        Between 0 and 1.

    Raises
    ------
    ValueError
        If `y` is no label matrix.

    See Also
    --------
    label_cardinality : With the treatment of missing labels.

    References
    ----------
    .. [1] Tsoumakas, Katakis, "Multi-Label Classification: An Overview", International
       Journal of Data Warehousing and Mining 2007.

    Examples
    --------
    >>> from skimbalance.metrics import label_density
    >>> label_density([[1, 0], [1, 1], [1, 0], [1, 1]])
    0.75
    """
    labels = _check_labels(y)
    return _cardinality(labels) / labels.shape[1]


def label_diversity(y, *, normalize=False) -> int | float:
    """Count the distinct label sets of the rows.

    Parameters
    ----------
    y : {array-like, sparse matrix} of shape (n_samples, n_labels)
        0 and 1; no label may be missing.
    normalize : bool, default=False
        Divide the number by that of the rows.

    Returns
    -------
    diversity : int, or float if `normalize`
        The set of a row without labels counts as one.

    Raises
    ------
    ValueError
        If `y` is no label matrix or has missing labels.

    References
    ----------
    .. [1] Zhang, Zhou, "A Review on Multi-Label Learning Algorithms", IEEE
       Transactions on Knowledge and Data Engineering 2014.

    Examples
    --------
    >>> from skimbalance.metrics import label_diversity
    >>> label_diversity([[1, 0], [1, 1], [1, 0], [0, 0]])
    3
    >>> label_diversity([[1, 0], [1, 1], [1, 0], [0, 0]], normalize=True)
    0.75
    """
    check_switch("normalize", normalize)
    labels = _check_labels(y, "label_diversity")
    n_sets = count_label_sets(positive_entries(labels))
    return n_sets / labels.shape[0] if normalize else n_sets


def theoretical_complexity_score(X, y) -> float:
    """Compute the theoretical complexity score of a data set (TCS).

    The logarithm of the product of the numbers of features, labels and distinct label
    sets [1]_.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Only its number of columns is used. A nominal column counts as one.
    y : {array-like, sparse matrix} of shape (n_samples, n_labels)
        0 and 1; no label may be missing.

    Returns
    -------
    score : float
        Sets of the literature range from 5 to 28.

    Raises
    ------
    ValueError
        If `y` is no label matrix or has missing labels, or `X` has no columns or
        another number of rows.

    References
    ----------
    .. [1] Charte, Rivera, del Jesus, Herrera, "On the Impact of Dataset Complexity and
       Sampling Strategy in Multilabel Classifiers Performance", HAIS 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.metrics import theoretical_complexity_score
    >>> score = theoretical_complexity_score(np.ones((4, 10)), [[1, 0], [1, 1]] * 2)
    >>> bool(np.isclose(score, np.log(10 * 2 * 2)))
    True
    """
    labels = _check_labels(y, "theoretical_complexity_score")
    shape = X.shape if hasattr(X, "shape") else np.shape(X)
    if len(shape) != 2 or shape[1] == 0:
        raise ValueError(
            "X must have two dimensions and at least one column, but has the shape "
            f"{tuple(shape)}."
        )
    if shape[0] != labels.shape[0]:
        raise ValueError(f"X has {shape[0]} rows, but y has {labels.shape[0]}.")
    n_sets = count_label_sets(positive_entries(labels))
    return float(np.log(shape[1]) + np.log(labels.shape[1]) + np.log(n_sets))


# --------------------------------------------------------------------------
# Report


def imbalance_report(y, *, label_names=None) -> Any:
    """Return counts and imbalance of each label, with a reading in plain words.

    Parameters
    ----------
    y : {array-like, sparse matrix} of shape (n_samples, n_labels)
        0, 1 and NaN for a missing label.
    label_names : array-like of str, shape (n_labels,), default=None
        None takes the columns of a data frame, or numbers.

    Returns
    -------
    report : pandas.DataFrame of n_labels rows
        Indexed by label, with the columns ``n_observed``, ``n_positive``,
        ``frequency`` (positives over observed entries), ``imbalance_ratio`` and
        ``scumble`` (NaN if labels are missing). ``report.attrs["measures"]`` is a
        dict of the measures of the whole set, by the names of their functions;
        ``report.attrs["reading"]`` says in a few sentences what they mean and what to
        do next.

    Raises
    ------
    ImportError
        If pandas is not installed.
    ValueError
        If `y` is no label matrix, or names and labels differ in number.

    See Also
    --------
    label_report : Scores of each label.
    skimbalance.displays.LabelImbalanceDisplay : The counts as a picture.

    References
    ----------
    .. [1] Charte, Rivera, del Jesus, Herrera, "Addressing Imbalance in Multilabel
       Classification: Measures and Random Resampling Algorithms", Neurocomputing 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.metrics import imbalance_report
    >>> rng = np.random.default_rng(0)
    >>> Y = (rng.random((500, 3)) < [0.3, 0.1, 0.01]).astype(int)
    >>> report = imbalance_report(Y, label_names=["cat", "dog", "eel"])
    >>> report["n_positive"].to_dict()
    {'cat': 138, 'dog': 44, 'eel': 5}
    >>> print(report.attrs["reading"].split(":")[0])
    1 label has fewer than 10 positives, 0 fewer than 5; 65 % of rows carry none
    """
    try:
        import pandas as pd  # optional, and slow to import
    except ImportError as error:
        raise ImportError(
            "imbalance_report needs pandas: pip install pandas. Each measure has a "
            "function of its own that does not."
        ) from error
    labels = _check_labels(y)
    names = check_label_names(label_names, y, labels.shape[1])
    n_positive, n_negative = count_labels(labels)
    n_observed = n_positive + n_negative
    measures, by_label = _measure_all(labels, n_positive, n_observed)
    report = pd.DataFrame(
        {
            "n_observed": n_observed.astype(int),
            "n_positive": n_positive.astype(int),
            "frequency": ratio(n_positive, n_observed),
            **by_label,
        },
        index=pd.Index(
            range(len(n_positive)) if names is None else list(names), name="label"
        ),
    )
    report.attrs["measures"] = measures
    report.attrs["reading"] = " ".join(_read(measures))
    return report


def _measure_all(labels, n_positive, n_observed):
    """Return the measures of the set by name, and two measures of each label.

    Measures that are not defined are NaN, without the warnings of their functions: the
    reading names the labels behind them.
    """
    n_samples, n_labels = labels.shape
    positive, ratios = positive_entries(labels), imbalance_ratios(labels)
    rows = scumble_of_rows(positive, ratios)
    scumble = scumble_of_labels(positive, rows)
    mean_scumble, n_sets = float(rows.mean()), float(count_label_sets(positive))
    if has_missing(labels):
        scumble[:], mean_scumble, n_sets = np.nan, np.nan, np.nan
    known = ratios[~np.isnan(ratios)]
    measures = {
        "n_samples": n_samples,
        "n_labels": n_labels,
        "n_labels_without_positives": int((n_positive == 0).sum()),
        "n_labels_below_5": int((n_positive < 5).sum()),
        "n_labels_below_10": int((n_positive < 10).sum()),
        "fraction_rows_without_labels": float((np.diff(positive.indptr) == 0).mean()),
        "fraction_missing": float(1 - n_observed.sum() / n_samples / n_labels),
        "label_cardinality": _cardinality(labels),
        "label_density": _cardinality(labels) / n_labels,
        "label_diversity": n_sets,
        "mean_imbalance_ratio": float(known.mean()) if len(known) else np.nan,
        "imbalance_ratio_cv": _variation(known),
        "scumble_score": mean_scumble,
    }
    return measures, {"imbalance_ratio": ratios, "scumble": scumble}


def _read(measures):
    """Return sentences that say what the measures mean, and what to do next."""
    few, fewer, none = (
        measures["n_labels_below_10"],
        measures["n_labels_below_5"],
        measures["n_labels_without_positives"],
    )
    unlabelled = measures["fraction_rows_without_labels"]
    # A label that is missing may be there.
    observed = " that is observed" if measures["fraction_missing"] > 0 else ""
    counts = (
        f"{_number(few, 'label has', 'labels have')} fewer than 10 positives, {fewer} "
        f"fewer than 5; {unlabelled:.0%} of rows carry none{observed}"
    ).replace("%", " %")
    sentences = [f"{counts}: {_next_for_rare(few, fewer)}"]
    if none:
        sentences.append(
            f"{_number(none, 'label has', 'labels have')} no positive: no model learns "
            "and no score measures them; drop their columns."
        )
    if measures["n_labels"] > none:
        sentences += [_read_ratios(measures), _read_scumble(measures["scumble_score"])]
    if unlabelled > _MANY_UNLABELLED:
        sentences.append(
            "Resamplers that go by labels leave the rows without labels as they are, "
            "which raises the frequency of every label that they copy: check "
            "expected_observed_ratio on untouched rows."
        )
    if measures["fraction_missing"] > 0:
        sentences.append(
            f"{100 * measures['fraction_missing']:.2g} % of the entries are missing: "
            "the nets, metrics and thresholds leave them out, but resamplers need "
            "complete rows."
        )
    return sentences


def _number(n, one, many):
    """Return a count with the singular or plural of what is counted."""
    return f"{n:,} {one if n == 1 else many}"


def _next_for_rare(few, fewer):
    """Return what to do about labels with few positives."""
    if not few:
        return "each label has enough of them for cross-validation and a threshold."
    text = (
        "split by MultilabelStratifiedKFold, read their scores with the intervals of "
        "label_report, and do not compare models by them one by one"
    )
    if fewer:
        text += (
            "; of fewer than 5 positives, five folds leave a test part without any: "
            "collect more, or merge such labels with related ones"
        )
    return f"{text}."


def _read_ratios(measures):
    """Return whether the labels count as imbalanced among each other."""
    mean, variation = measures["mean_imbalance_ratio"], measures["imbalance_ratio_cv"]
    values = f"The mean imbalance ratio is {mean:.3g} (variation {variation:.2g})"
    if mean > _IMBALANCED_MEAN and variation > _IMBALANCED_CV:
        return (
            f"{values}, which counts as imbalanced: start with the default net, choose "
            "thresholds for your metric, and compare pos_weight='sqrt' and resampling "
            "with it by average precision."
        )
    return (
        f"{values}, which does not count as imbalanced between labels: resampling has "
        "little to balance; choose thresholds for your metric."
    )


def _read_scumble(scumble):
    """Return whether copies of rows can balance the labels."""
    if np.isnan(scumble):
        return "SCUMBLE is not defined, since labels are missing."
    if scumble > _HIGH_SCUMBLE:
        return (
            f"SCUMBLE is {scumble:.2g}: rare labels share rows with frequent ones, so "
            "copying their rows copies both; try REMEDIAL first, or weights of entries."
        )
    return (
        f"SCUMBLE is {scumble:.2g}: rare labels seldom share rows with frequent ones, "
        "so resampled rows can balance them."
    )
