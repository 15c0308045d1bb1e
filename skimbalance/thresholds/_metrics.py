"""The metrics that thresholds are tuned by: of confusion counts, or behind scorers."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from inspect import Parameter, signature

import numpy as np
from sklearn.metrics import get_scorer as sklearn_scorer
from sklearn.metrics import make_scorer

from skimbalance import metrics
from skimbalance._columns import f_beta_of_counts, ratio
from skimbalance._labels import BINARY, MULTILABEL
from skimbalance._validation import Scorer, closest
from skimbalance.metrics._scorers import LabelScorer


@dataclass(frozen=True)
class Metric:
    """A metric of confusion counts, or else of true and predicted labels.

    Attributes
    ----------
    of_counts : callable or None
        ``metric(tp, fp, fn, tn)``.
    of_labels : callable or None
        ``metric(y_true, y_pred, sample_weight=...)`` of labels of 0 and 1.
    depends_on_pos_label : bool
        Whether its value depends on which class is the positive one.
    """

    of_counts: Callable | None = None
    of_labels: Callable | None = None
    depends_on_pos_label: bool = True


# --------------------------------------------------------------------------
# Metrics of confusion counts


def _over(numerator, denominator):
    """Divide, 0 by 0 being 0 as in scikit-learn."""
    return ratio(numerator, denominator, undefined=0.0)


def _f_beta(beta):
    """Return F-beta as a metric of confusion counts."""

    def metric(tp, fp, fn, tn):  # noqa: ARG001
        return f_beta_of_counts(beta, tp, fp, fn, undefined=0.0)

    return metric


def _jaccard(tp, fp, fn, tn):  # noqa: ARG001
    return _over(tp, tp + fp + fn)


def _accuracy(tp, fp, fn, tn):
    return _over(tp + tn, tp + fp + fn + tn)


def _balanced_accuracy(tp, fp, fn, tn):
    return (_over(tp, tp + fn) + _over(tn, tn + fp)) / 2


# Differences of weighted sums may be just below 0, where a root is not defined: hence
# the maxima below.


def _geometric_mean(tp, fp, fn, tn):
    return np.sqrt(np.maximum(_over(tp, tp + fn) * _over(tn, tn + fp), 0))


def _matthews(tp, fp, fn, tn):
    # As fractions: the product of four counts of 100,000 rows is beyond int64, and that
    # of four sums of weights may be beyond float64.
    size = tp + fp + fn + tn
    tp, fp, fn, tn = (_over(count, size) for count in (tp, fp, fn, tn))
    marginals = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    return _over(tp * tn - fp * fn, np.sqrt(np.maximum(marginals, 0)))


METRICS = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "f0.5": _f_beta(0.5),
    "f1": _f_beta(1),
    "f2": _f_beta(2),
    "geometric_mean": _geometric_mean,
    "jaccard": _jaccard,
    "matthews_corrcoef": _matthews,
}
# These have the same value whichever class is the positive one.
_SYMMETRIC = {
    "accuracy",
    "balanced_accuracy",
    "geometric_mean",
    "matthews_corrcoef",
}


# --------------------------------------------------------------------------
# Metrics of labels


def _parameters(function):
    """Return the parameters of a function by name, none if they are not known."""
    try:
        return signature(function).parameters
    except ValueError:  # some functions written in C have no signature
        return {}


def _check_takes_weights(function, scoring):
    """Raise a ValueError if a metric is known to take no `sample_weight`."""
    parameters = _parameters(function)
    takes_any = any(p.kind == Parameter.VAR_KEYWORD for p in parameters.values())
    if parameters and not takes_any and "sample_weight" not in parameters:
        raise ValueError(
            f"scoring={scoring!r} takes no sample_weight: fit without weights, or use "
            f"one of {sorted(METRICS)}."
        )


def _for_each_label(scorer, scoring):
    """Return the options of the metric behind a scorer, for one label at a time.

    Given a single label, scikit-learn's metrics would average over its classes 0 and 1:
    the micro F1 of these two is the accuracy.

    Raises
    ------
    ValueError
        If the scorer pools the labels.
    """
    options = dict(scorer._kwargs)
    average, is_own = options.get("average"), isinstance(scorer, LabelScorer)
    if not is_own and not scorer._score_func.__module__.startswith("sklearn."):
        return options
    if average in ("micro", "samples"):
        raise ValueError(
            f"scoring={scoring!r} scores all labels together, but average='macro' "
            f"tunes each label by itself: pass average={average!r}."
        )
    # The best thresholds for a mean over labels, weighted or not, are those of each.
    if average in ("macro", "weighted") and not is_own:
        options |= {"average": "binary", "pos_label": 1}
    return options


def _of_scorer(scorer, scoring, target, *, each_label):
    """Return the metric behind a scorer, unless it does not read predictions.

    A scorer of scikit-learn gets the classes of a binary target as they were passed.
    """
    if scorer._response_method != "predict":
        raise ValueError(
            f"scoring={scoring!r} does not depend on the threshold: there is nothing "
            f"to tune. Use one of {sorted(METRICS)}."
        )
    function, options = scorer._score_func, dict(scorer._kwargs)
    if each_label:
        options = _for_each_label(scorer, scoring)
    takes = _parameters(function)
    # scikit-learn's metrics ignore `pos_label` if they average over the classes.
    is_averaged = options.get("average", "binary") != "binary"
    depends_on_pos_label = "pos_label" in takes and not is_averaged
    if "zero_division" in takes:
        options.setdefault("zero_division", 0.0)  # its default is 0, with a warning
    pair = None
    if isinstance(scorer, LabelScorer):
        # It reads labels of 0 and 1, where 1 is the positive class already.
        options.pop("pos_label", None)
        depends_on_pos_label = True
    elif target is not None and target.kind == BINARY:
        last = len(target.classes) - 1
        pair = target.classes[[last - target.positive, target.positive]]
        if depends_on_pos_label:
            options["pos_label"] = pair[1]

    def decode(labels):
        return np.asarray(labels) if pair is None else pair[np.ravel(labels)]

    def metric(y_true, y_pred, **weights):
        values = decode(y_true), decode(y_pred)
        return scorer._sign * function(*values, **options, **weights)

    return Metric(of_labels=metric, depends_on_pos_label=depends_on_pos_label)


def _scorer_by_name(scoring):
    """Return the scorer of this name, of `skimbalance.metrics` or of scikit-learn."""
    if scoring in metrics.get_scorer_names():
        return metrics.get_scorer(scoring)
    try:
        return sklearn_scorer(scoring)
    except (ValueError, KeyError) as error:
        raise ValueError(
            f"scoring={scoring!r} is not known.{closest(scoring, METRICS)} Use one "
            f"of {sorted(METRICS)}, the name of a scorer, or a callable "
            "metric(y_true, y_pred)."
        ) from error


def find_metric(scoring, target=None, *, is_weighted=False, each_label=False):
    """Return the metric that `scoring` stands for.

    Parameters
    ----------
    scoring : str or callable
    target : Target or None
        None where the labels are 0 and 1.
    is_weighted : bool
        Whether the metric has to take `sample_weight`.
    each_label : bool
        Whether it is evaluated for each of several labels by itself.
    """
    if isinstance(scoring, str) and scoring in METRICS:
        return Metric(METRICS[scoring], depends_on_pos_label=scoring not in _SYMMETRIC)
    scorer = _scorer_by_name(scoring) if isinstance(scoring, str) else scoring
    if not callable(scorer):
        raise ValueError(
            f"scoring={scoring!r} must be one of {sorted(METRICS)}, the name of a "
            "scorer, or a callable metric(y_true, y_pred)."
        )
    is_scorer = isinstance(scorer, Scorer)
    if is_weighted:
        _check_takes_weights(scorer._score_func if is_scorer else scorer, scoring)
    if not is_scorer:
        if _own_pos_label(scorer) is None:
            return Metric(None, scorer, "pos_label" in _parameters(scorer))
        # It names a class, so it has to get the classes, as a scorer does.
        scorer = make_scorer(scorer)
    _check_pos_label(scorer, target)
    return _of_scorer(scorer, scoring, target, each_label=each_label)


# --------------------------------------------------------------------------
# The positive class of a scorer


def _own_pos_label(scoring):
    """Return the `pos_label` that was given to a scorer, or by `partial`, or None."""
    if isinstance(scoring, Scorer):
        own = scoring._kwargs.get("pos_label")
        return _own_pos_label(scoring._score_func) if own is None else own
    return scoring.keywords.get("pos_label") if isinstance(scoring, partial) else None


def _check_pos_label(scorer, target):
    """Raise a ValueError unless the `pos_label` of a scorer suits a label matrix."""
    own = _own_pos_label(scorer)
    if target is not None and target.kind == MULTILABEL and own not in (None, 0, 1):
        raise ValueError(
            f"The scorer has pos_label={own!r}, but y is a label matrix, whose labels "
            "are 0 and 1."
        )


def find_pos_label(scoring, pos_label):
    """Return the positive class that a classifier and its scorer agree on, or None.

    Raises
    ------
    ValueError
        If both name one, and not the same.
    """
    own = _own_pos_label(scoring)
    if own is None or pos_label is None:
        return pos_label if own is None else own
    if own != pos_label:
        raise ValueError(
            f"pos_label={pos_label!r}, but the scorer has pos_label={own!r}: give one "
            "of them, or the same."
        )
    return pos_label
