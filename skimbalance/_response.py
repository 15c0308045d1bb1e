"""Ask any fitted classifier for one score a label, whatever form its answer has.

`predict_proba` of a label matrix comes as one array (`OneVsRestClassifier`,
`ClassifierChain`, the nets here) or as a list of arrays a label (forests, nearest
neighbours, `MultiOutputClassifier`), in which a label that had one value only has one
column. Here it is always ``(n_samples, n_labels)``: the probability of a 1, or, of a
1-D target, of its positive class.
"""

import numpy as np

PROBA, DECISION = "predict_proba", "decision_function"


def _reason(error):
    """Return the message of an AttributeError, and the reason behind it."""
    cause = error.__cause__ or error.__context__
    return str(error) if cause is None else f"{error}: {cause}"


def find_response(estimator, methods):
    """Return the name of the first of the methods that the estimator has."""
    reasons = []
    for name in methods:
        try:
            getattr(estimator, name)
        except AttributeError as error:
            reasons.append(_reason(error))
        else:
            return name
    raise ValueError(
        f"{type(estimator).__name__} has none of the methods {', '.join(methods)}, so "
        f"there are no scores to work on. {' '.join(reasons)}"
    )


def label_scores(estimator, X, method, n_labels=None, positive=None):
    """Return the scores of the labels of each row.

    Parameters
    ----------
    estimator : classifier
        Fitted.
    X : array-like
        Its inputs.
    method : {"predict_proba", "decision_function"}
    n_labels : int or None
        None for a 1-D target.
    positive : object or None
        The class of a 1-D target whose scores are returned; None is the last one. Of a
        label matrix it is always 1.

    Returns
    -------
    scores : ndarray of float, shape (n_samples, n_labels)
    """
    answer = _ask(estimator, X, method)
    if isinstance(answer, list):
        scores = _of_columns(answer, estimator.classes_)
    else:
        scores = np.asarray(answer)
        if scores.dtype.kind != "f":
            scores = scores.astype(np.float64)
        if n_labels in (None, 1):
            positive = positive if n_labels is None else 1
            scores = _of_one_label(scores, estimator, method, positive)
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


def _ask(estimator, X, method):
    """Return the answer of a method that may only be missing once fitted."""
    try:
        answer = getattr(estimator, method)
    except AttributeError as error:
        raise ValueError(
            f"The fitted {type(estimator).__name__} has no {method}. {_reason(error)}"
        ) from error
    return answer(X)


def _of_columns(answers, classes):
    """Return the probability of 1 from an answer of one array a label."""
    columns = []
    for answer, known in zip(answers, classes, strict=True):
        answer = np.asarray(answer)
        is_one = np.asarray(known).astype(np.float64) == 1
        columns.append(answer[:, is_one].sum(axis=1))
    return np.column_stack(columns)


def _of_one_label(scores, estimator, method, positive):
    """Return the column of the positive class of a binary problem."""
    classes = np.ravel(getattr(estimator, "classes_", [0, 1])).tolist()
    positive = classes[-1] if positive is None else positive
    is_positive = [bool(known == positive) for known in classes]
    if len(classes) > 1 and not any(is_positive):
        raise ValueError(
            f"{type(estimator).__name__} was fitted with the classes {classes}, which "
            f"lack {positive!r}."
        )
    if len(classes) == 1:
        # A classifier of one class: it is certain of it.
        value = float(is_positive[0])
        value = value if method == PROBA else 2 * value - 1
        return np.full((len(scores), 1), value, dtype=scores.dtype)
    if scores.ndim == 2 and scores.shape[1] == 2:
        return scores[:, is_positive]
    if scores.ndim == 2 and scores.shape[1] > 2:
        return scores
    scores = scores.reshape(-1, 1)
    if is_positive[-1]:
        return scores
    return 1 - scores if method == PROBA else -scores
