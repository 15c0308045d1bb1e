"""Scorers by name, for cross-validation, grid search and early stopping."""

import inspect

import numpy as np
import scipy.sparse as sp

from skimbalance._base import DECISION, PROBA, find_response, label_scores
from skimbalance._labels import positive_of
from skimbalance._validation import (
    Scorer,
    align_columns,
    check_choice,
    closest,
)
from skimbalance.metrics import _ranking, _scores

_RANKED, _PROBABLE, _PREDICTED = (DECISION, PROBA), (PROBA,), "predict"
_DEPTHS = (1, 3, 5)


class LabelScorer(Scorer):
    """A scorer that reads the answer of any multilabel or binary classifier.

    scikit-learn's own takes the labels of two columns for two classes, fails where a
    fold has a label of one value only, and cannot read classes that are strings.
    """

    def _score(self, method_caller, estimator, X, y_true, **kwargs):  # noqa: ARG002
        options = {**self._kwargs, **kwargs}
        pos_label = options.pop("pos_label", None)
        if sp.issparse(y_true) or np.ndim(y_true) == 2:
            y_true, answer = self._of_labels(estimator, X, y_true, pos_label)
        else:
            y_true, answer = self._of_classes(estimator, X, y_true, pos_label)
        return self._sign * self._score_func(y_true, answer, **options)

    def _of_labels(self, estimator, X, y, pos_label):
        """Return a label matrix, and the answer of the estimator for it."""
        if pos_label is not None:
            raise ValueError(
                f"pos_label={pos_label!r} goes with a y of two classes, but y is a "
                "label matrix."
            )
        y = align_columns(y, getattr(estimator, "label_names_", None), "y")
        if self._response_method == "predict":
            return y, estimator.predict(X)
        method = find_response(estimator, self._response_method)
        return y, label_scores(estimator, X, method, np.shape(y)[1])

    def _of_classes(self, estimator, X, y, pos_label):
        """Return a binary target as 0 and 1, and the answer for its positive class."""
        y = np.asarray(y)
        classes = np.unique(y)
        if hasattr(estimator, "classes_"):
            classes = np.union1d(estimator.classes_, classes)
        if len(classes) > 2:
            raise ValueError(
                "This scorer reads a label matrix or two classes, but there are "
                f"{len(classes)} classes."
            )
        positive = positive_of(classes, pos_label)
        if self._response_method == "predict":
            answer = (estimator.predict(X) == positive).astype(int)
        else:
            method = find_response(estimator, self._response_method)
            answer = label_scores(estimator, X, method, positive=positive).ravel()
        return (y == positive).astype(int), answer


def _over_averages(name, score, response, sign=1):
    prefix = "" if sign > 0 else "neg_"
    return {
        f"{prefix}{average}_{name}": (score, sign, response, {"average": average})
        for average in ("macro", "micro", "samples", "weighted")
    }


def _over_depths(name, score):
    return {f"{name}_{k}": (score, 1, _RANKED, {"k": k}) for k in _DEPTHS}


_SCORERS = {
    **_over_averages(
        "average_precision", _scores.multilabel_average_precision_score, _RANKED
    ),
    **_over_averages("roc_auc", _scores.multilabel_roc_auc_score, _RANKED),
    **_over_averages("f1", _scores.multilabel_fbeta_score, _PREDICTED),
    **_over_averages("log_loss", _scores.multilabel_log_loss, _PROBABLE, -1),
    **_over_averages("brier_score", _scores.multilabel_brier_score_loss, _PROBABLE, -1),
    **_over_averages("calibration_error", _scores.calibration_error, _PROBABLE, -1),
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
    known = inspect.signature(score).parameters
    for key in options.keys() - {"pos_label"}:
        if key not in known:
            raise ValueError(
                f"{key!r} is not an option of {name!r}.{closest(key, known)}"
            )


def get_scorer_names():
    """Return the names that `get_scorer` knows.

    Returns
    -------
    names : list of str
        In alphabetical order; for the metrics at k those of 1, 3 and 5.

    Examples
    --------
    >>> from skimbalance.metrics import get_scorer_names
    >>> get_scorer_names()[:3]
    ['label_ranking_average_precision', 'macro_average_precision', 'macro_f1']
    """
    return sorted(_SCORERS)


def get_scorer(name, **options):
    """Return a scorer by name, for `cross_val_score`, `GridSearchCV`, early stopping.

    Unlike scikit-learn's, these scorers take sparse and missing labels where the tool
    passes them on, and classifiers that answer with a list of arrays.

    Parameters
    ----------
    name : str
        One of `get_scorer_names`, or ``"precision_at_k"``, ``"recall_at_k"``,
        ``"ndcg_at_k"``, ``"propensity_scored_precision_at_k"`` with a number for k.
        Greater is better: losses start with ``neg_``.
    **options : dict
        Parameters of the metric behind it, such as ``beta`` or ``undefined``, and
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
    """
    score, sign, response, settings = _find(str(name))
    _check_options(name, score, options)
    return LabelScorer(score, sign, {**settings, **options}, response_method=response)
