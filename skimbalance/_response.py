"""Ask any fitted classifier for one score a label, whatever form its answer has.

`predict_proba` of a label matrix comes as one array (`OneVsRestClassifier`,
`ClassifierChain`, the nets here) or as a list of arrays a label (forests, nearest
neighbours, `MultiOutputClassifier`), in which a label that had one value only has one
column. Here it is always ``(n_samples, n_labels)``: the probability of a 1.
"""

import numpy as np

PROBA, DECISION = "predict_proba", "decision_function"


def find_response(estimator, methods):
    """Return the name of the first of the methods that the estimator has."""
    for name in methods:
        if hasattr(estimator, name):
            return name
    raise ValueError(
        f"{type(estimator).__name__} has none of the methods {', '.join(methods)}, so "
        "there are no scores to work on."
    )


def label_scores(estimator, X, method, n_labels=None):
    """Return the scores of the labels of each row.

    Parameters
    ----------
    estimator : classifier
        Fitted.
    X : array-like
        Its inputs.
    method : {"predict_proba", "decision_function"}
    n_labels : int or None
        None for the 1-D target of a binary problem, whose second class is the label.

    Returns
    -------
    scores : ndarray of float, shape (n_samples, n_labels)
    """
    answer = getattr(estimator, method)(X)
    if isinstance(answer, list):
        scores = _of_columns(answer, estimator.classes_)
    else:
        scores = np.asarray(answer)
        if scores.dtype.kind != "f":
            scores = scores.astype(np.float64)
        if n_labels in (None, 1):
            scores = _of_one_label(scores, estimator)
    expected = n_labels or 1
    if scores.ndim != 2 or scores.shape[1] != expected:
        raise ValueError(
            f"{type(estimator).__name__}.{method} gives an array of shape "
            f"{scores.shape} for {expected} labels; was it fitted with other labels?"
        )
    if not np.isfinite(scores).all():
        raise ValueError(
            f"{type(estimator).__name__}.{method} gives scores that are not finite."
        )
    return scores


def _of_columns(answers, classes):
    """Return the probability of 1 from an answer of one array a label."""
    columns = []
    for answer, known in zip(answers, classes, strict=True):
        answer = np.asarray(answer)
        is_one = np.asarray(known).astype(np.float64) == 1
        columns.append(answer[:, is_one].sum(axis=1))
    return np.column_stack(columns)


def _of_one_label(scores, estimator):
    """Return the column of the second class of a binary problem."""
    if scores.ndim == 1:
        return scores.reshape(-1, 1)
    if scores.shape[1] == 2:
        return scores[:, 1:]
    classes = np.ravel(getattr(estimator, "classes_", [0, 1]))
    if scores.shape[1] == 1 and len(classes) == 1:
        # One class only: the probability of a second one is 0.
        return np.zeros_like(scores)
    return scores
