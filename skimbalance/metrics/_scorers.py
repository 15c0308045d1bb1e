"""Scorers by name, for cross-validation, grid search and early stopping."""

import inspect

import numpy as np
import scipy.sparse as sp

from skimbalance._base import (
    DECISION,
    PROBA,
    find_response,
    label_names_of,
    label_places,
    label_scores,
)
from skimbalance._labels import positive_of
from skimbalance._validation import (
    Scorer,
    align_columns,
    check_choice,
    closest,
    column_names,
    column_order,
    take_columns,
)
from skimbalance.metrics import _per_label, _ranking

# What a metric reads: scores that rank, probabilities, or predicted labels.
_RANKED, _PROBABLE, _PREDICTED = (DECISION, PROBA), (PROBA,), "predict"
# The k of the scorers that are listed by name, those of extreme classification papers.
_DEPTHS = (1, 3, 5)


def read_labels(estimator, y, sample_weight=None, pos_label=None):
    """Return labels of 0 and 1, weights, and how `label_scores` reads a classifier.

    Parameters
    ----------
    estimator : classifier
        Fitted.
    y : {array-like, sparse matrix} of shape (n_samples,) or (n_samples, n_labels)
        Two classes, of which the positive one becomes 1, or a label matrix, which is
        returned as it is: what goes with its columns may be given by position.
    sample_weight : array-like, default=None
        Weights of rows, or of entries, which are put into the order of `y`.
    pos_label : object, default=None
        None is the last of two classes.
    """
    if sp.issparse(y) or np.ndim(y) == 2:
        if pos_label is not None:
            raise ValueError(
                f"pos_label={pos_label!r} goes with a y of two classes, but y is a "
                "label matrix."
            )
        names = _names_of_columns(y, label_names_of(estimator))
        weight = align_columns(sample_weight, names, "sample_weight")
        return y, weight, {"n_labels": np.shape(y)[1], "label_names": names}
    y = np.asarray(y)
    # A fold may lack a class that the estimator knows, and the reverse.
    classes = np.union1d(getattr(estimator, "classes_", y), y)
    if len(classes) > 2:
        raise ValueError(
            f"y has {len(classes)} classes, but only two classes or a label matrix can "
            "be scored or drawn. Pass one class against the others, as y == class."
        )
    positive = positive_of(classes, pos_label)
    return (y == positive).astype(int), sample_weight, {"positive": positive}


def _names_of_columns(y, label_names):
    """Return the names of the columns of a label matrix, or None.

    Columns without names are in the order of the classifier.
    """
    in_place = column_order(y, label_names, "y") is None
    return label_names if label_names is not None and in_place else column_names(y)


class LabelScorer(Scorer):
    """Score the responses of any multilabel or binary classifier.

    scikit-learn's own scorer reads a matrix of two labels as two classes, fails where
    a fold has a label of one value only, and cannot read classes that are strings
    unless it is made with a `pos_label`.
    """

    @property
    def weighs_entries(self):
        """Whether it takes weights of entries, as metrics of single labels do."""
        return self._score_func.__module__ == _per_label.__name__

    def _score(self, method_caller, estimator, X, y_true, **kwargs):  # noqa: ARG002
        """Return the metric of the response that it reads, as scikit-learn calls it."""
        options = {**self._kwargs, **kwargs}
        weight = options.pop("sample_weight", None)
        # For the reading of the target alone; the metrics see 0 and 1.
        pos_label = options.pop("pos_label", None)
        labels, weight, read_as = read_labels(estimator, y_true, weight, pos_label)
        if weight is not None:
            options["sample_weight"] = weight
        if self._response_method == "predict":
            response = estimator.predict(X)
            places = label_places(estimator, read_as.get("label_names"))
            if "positive" in read_as:
                response = (response == read_as["positive"]).astype(int)
            elif places is not None:
                response = take_columns(response, places)
        else:
            method = find_response(estimator, self._response_method)
            response = label_scores(estimator, X, method, **read_as)
            response = response if "n_labels" in read_as else response.ravel()
        return self._sign * self._score_func(labels, response, **options)


def _over_averages(name, score, response, sign=1):
    """Return an entry of the registry for each average of a metric."""
    prefix = "" if sign > 0 else "neg_"
    return {
        f"{prefix}{average}_{name}": (score, sign, response, {"average": average})
        for average in ("macro", "micro", "samples", "weighted")
    }


def _over_depths(name, score):
    """Return an entry of the registry for each listed k of a metric."""
    return {f"{name}_{k}": (score, 1, _RANKED, {"k": k}) for k in _DEPTHS}


# The registry: metric, sign, responses, and the options that the name stands for.
_SCORERS = {
    **_over_averages(
        "average_precision", _per_label.multilabel_average_precision_score, _RANKED
    ),
    **_over_averages("roc_auc", _per_label.multilabel_roc_auc_score, _RANKED),
    **_over_averages("f1", _per_label.multilabel_fbeta_score, _PREDICTED),
    **_over_averages("log_loss", _per_label.multilabel_log_loss, _PROBABLE, -1),
    **_over_averages(
        "brier_score", _per_label.multilabel_brier_score_loss, _PROBABLE, -1
    ),
    **_over_averages("calibration_error", _per_label.calibration_error, _PROBABLE, -1),
    **_over_depths("precision_at", _ranking.precision_at_k),
    **_over_depths("recall_at", _ranking.recall_at_k),
    **_over_depths("ndcg_at", _ranking.ndcg_at_k),
    **_over_depths(
        "propensity_scored_precision_at", _ranking.propensity_scored_precision_at_k
    ),
    "label_ranking_average_precision": (
        _ranking.label_ranking_average_precision_score,
        1,
        _RANKED,
        {},
    ),
    "neg_coverage_error": (_ranking.coverage_error, -1, _RANKED, {}),
}


def _find(name):
    """Return the entry of a scorer; ``..._at_7`` is that of any k."""
    stem, _, depth = name.rpartition("_")
    if f"{stem}_1" in _SCORERS and depth.isdigit():
        score, sign, response, _ = _SCORERS[f"{stem}_1"]
        return score, sign, response, {"k": int(depth)}
    check_choice("name", name, _SCORERS)
    return _SCORERS[name]


def _check_options(name, score, options):
    """Raise a ValueError unless the metric has each option."""
    known = inspect.signature(score).parameters
    for key in options.keys() - {"pos_label"}:
        if key not in known:
            raise ValueError(
                f"{key!r} is not an option of {name!r}.{closest(key, known)}"
            )


def get_scorer_names() -> list[str]:
    """Return the names that `get_scorer` knows.

    Returns
    -------
    names : list of str
        In alphabetical order; for the metrics at k those of 1, 3 and 5. The user guide
        lists them all.

    Examples
    --------
    >>> from skimbalance.metrics import get_scorer_names
    >>> "macro_average_precision" in get_scorer_names()
    True
    """
    return sorted(_SCORERS)


def get_scorer(name: str, **options) -> LabelScorer:
    """Return a scorer by name, for `cross_val_score`, `GridSearchCV`, early stopping.

    Unlike scikit-learn's, these scorers take sparse and missing labels where the tool
    passes them on, classifiers whose `predict_proba` is a list of arrays, and two
    classes of any names. Of these, scikit-learn's ``"average_precision"`` and ``"f1"``
    take 1 for the positive class, whatever `pos_label` the classifier has: classes
    that are strings fail, which a search turns into scores of NaN.

    Parameters
    ----------
    name : str
        One of `get_scorer_names`, or ``"precision_at_k"``, ``"recall_at_k"``,
        ``"ndcg_at_k"``, ``"propensity_scored_precision_at_k"`` with a number for k.
        Greater is better: losses start with ``neg_``.
    **options : dict
        Parameters of the metric behind it, such as ``beta`` or ``undefined``; an array
        with an entry for each label has the order of the columns of `y`. And
        ``pos_label``, the positive class of a target of two classes; None is the last
        of the classes.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y)``.

    Raises
    ------
    ValueError
        If the name is not known, or an option is not one of the metric.

    Examples
    --------
    >>> from skimbalance.metrics import get_scorer
    >>> scorer = get_scorer("macro_average_precision")
    >>> f2_scorer = get_scorer("macro_f1", beta=2)
    >>> fraud_scorer = get_scorer("macro_average_precision", pos_label="fraud")

    For the only label of a binary target, the macro average is that of this label.
    """
    score, sign, response, settings = _find(str(name))
    _check_options(name, score, options)
    return LabelScorer(score, sign, {**settings, **options}, response_method=response)
