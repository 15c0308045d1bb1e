"""Fit a classifier, and score each row by a fit that did not train on it.

Scores that a fitted classifier brings along, out of fold or out of bag, are used as
they are; else clones are fitted in folds. A frozen classifier trained on none of the
rows. All scores are read as log-odds of labels, or as log-probabilities of classes.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import log_softmax, logit
from sklearn.dummy import DummyClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.multioutput import MultiOutputClassifier

from skimbalance._base import (
    DECISION,
    PROBA,
    find_response,
    label_places,
    label_scores,
)
from skimbalance._columns import ratio
from skimbalance._counts import MISSING
from skimbalance._validation import (
    clone,
    column_names,
    n_samples_of,
    take_params,
    take_rows,
)

# Attribute of a fitted estimator that scores each row of its fit by parts of it that
# did not train on the row: (n_samples, n_labels) log-odds of label matrices and of the
# positive class, (n_samples, n_classes) log-probabilities of other targets; NaN where a
# row has no such score.
_OWN_SCORES = "out_of_fold_log_odds_"
# Log-odds beyond this are rounding of float32 probabilities, 6e-8 next to 1.
_MOST_LOG_ODDS = 15.0


@dataclass
class Task:
    """What one estimator is fitted on, and how its scores are read.

    `prior` is the fraction of positives, or of each class, and `mass` the weight that
    it is a fraction of. `n_labels` is None for a 1-D target, `classes` is None but for
    a multiclass one. `columns` are the labels of `y` whose scores are read, None for
    all. `uses_own` is whether scores that the estimator brings along replace those of
    folds. The task of a fitted estimator is kept without rows and splits.
    """

    X: Any
    y: Any
    splits: list
    prior: np.ndarray
    mass: np.ndarray
    n_labels: int | None = None
    positive: object = None
    classes: np.ndarray | None = None
    columns: np.ndarray | None = None
    uses_own: bool = False


@dataclass
class Scorer:
    """A fitted estimator whose scores are read as log-odds, or log-probabilities.

    A probability is smoothed as a fraction of `n_votes` votes and one vote more, of the
    base rate, so that 0 and 1 become finite: ``(m * p + prior) / (m + 1)``. A forest
    has the votes of its trees, any other estimator those of the rows of its label.
    `columns` are the places of the labels among its scores; None for all in this order.
    """

    estimator: Any
    method: str
    task: Task
    n_votes: float | np.ndarray
    columns: np.ndarray | None = None

    def log_odds(self, X):
        """Return the log-odds of labels, or the log-probabilities of classes."""
        return self.smoothed(self._scores(X), self.n_votes)

    def _scores(self, X):
        """Return a score for each label, or each class of the target."""
        task = self.task
        if task.classes is None:
            scores = label_scores(
                self.estimator, X, self.method, task.n_labels, task.positive
            )
            return scores if self.columns is None else scores[:, self.columns]
        answer = np.asarray(getattr(self.estimator, self.method)(X), dtype=np.float64)
        if answer.ndim == 1:  # the decision function of two classes in a fold
            answer = np.column_stack([-answer, answer])
        scores = np.zeros((len(answer), len(task.classes)))
        if self.method == DECISION:  # a class that the fold lacks is the last choice
            scores += answer.min(axis=1, keepdims=True)
        known = np.searchsorted(task.classes, self.estimator.classes_)
        scores[:, known] = answer
        return scores

    def smoothed(self, scores, n_votes):
        """Return finite log-odds or log-probabilities."""
        is_multiclass = self.task.classes is not None
        if self.method == DECISION:
            return log_softmax(scores, axis=1) if is_multiclass else scores
        # Of an infinite number of votes the base rate is no part.
        smoothed = scores + (self.task.prior - scores) / (n_votes + 1)
        if is_multiclass:
            return np.log(np.maximum(smoothed, np.exp(-_MOST_LOG_ODDS)))
        return np.clip(logit(smoothed), -_MOST_LOG_ODDS, _MOST_LOG_ODDS)


@dataclass
class LabelwiseScorer:
    """The scorers of an estimator that was fitted for each label on its own."""

    scorers: list

    @property
    def estimators(self):
        """The fitted estimators, one for each label."""
        return [scorer.estimator for scorer in self.scorers]

    def log_odds(self, X):
        """Return the log-odds of each label."""
        return np.hstack([scorer.log_odds(X) for scorer in self.scorers])


def fit_scorer(estimator, task, params):
    """Fit an estimator; return its scorer, and log-odds of rows it did not train on."""
    if isinstance(estimator, FrozenEstimator):
        return _score_frozen(estimator, task)
    own = clone(estimator)
    if not task.uses_own and getattr(own, "oob_score", False):
        own.set_params(oob_score=False)  # nothing reads the out-of-bag scores
    scorer = _fit_rows(own, task, None, params)
    scores = _own_scores(scorer) if task.uses_own else None
    return scorer, _cross_fit(own, task, params) if scores is None else scores


def _score_frozen(estimator, task):
    """Return the scorer of a frozen classifier, and its log-odds of all rows.

    Scores that it brings along are those of the rows that trained it, which are others.
    """
    scorer = _fit_rows(estimator, replace(task, uses_own=False), None, {})
    if task.classes is not None:
        unknown = np.setdiff1d(estimator.classes_, task.classes)
        if unknown.size:
            raise ValueError(
                f"A FrozenEstimator knows the classes {unknown[:5].tolist()}, which y "
                "lacks: pass rows of all classes that it was fitted on."
            )
    return scorer, scorer.log_odds(task.X)


def _fit_rows(estimator, task, rows, params):
    """Return the scorer of an estimator that is fitted on some rows, or on all."""
    X, y = task.X, task.y
    model: Any = estimator
    if rows is not None:
        X, y = take_rows(X, rows), take_rows(y, rows)
        params = take_params(task.X, params, rows)
        model = clone(estimator)
        if task.n_labels is None and len(np.unique(y)) == 1:
            # Many classifiers raise on a single class.
            model, params = DummyClassifier(strategy="prior"), {}
    fitted = model.fit(X, y, **params)
    method = find_response(fitted, (PROBA, DECISION))
    n_votes = task.mass
    inner = fitted.estimator if isinstance(fitted, FrozenEstimator) else fitted
    # By its class: a forest of imbalanced-learn has the property, which raises.
    if hasattr(type(inner), "estimators_samples_"):
        n_votes = len(inner.estimators_)
    if task.uses_own and getattr(fitted, _OWN_SCORES, None) is not None:
        n_votes = np.inf  # its own scores are not smoothed either
    # Without the rows, which the scorer and its pickle would carry along.
    kept = replace(task, X=None, y=None, splits=[])
    return Scorer(fitted, method, kept, n_votes, _find_columns(fitted, task))


def _find_columns(fitted, task):
    """Return the places of the labels among the scores of a classifier, or None."""
    places = label_places(fitted, column_names(task.y))
    if places is None:
        return task.columns
    return places if task.columns is None else places[task.columns]


def _cross_fit(estimator, task, params):
    """Return the log-odds of each row by estimators of folds without it, else NaN.

    The mean where a row is in several test parts.
    """
    n_samples, n_outputs = n_samples_of(task.X), len(task.prior)
    total = np.zeros((n_samples, n_outputs))
    count = np.zeros((n_samples, 1))
    for train, test in task.splits:
        if len(train) and len(test):
            scorer = _fit_rows(estimator, task, train, params)
            total[test] += scorer.log_odds(take_rows(task.X, test))
            count[test] += 1
    return ratio(total, np.broadcast_to(count, total.shape))


def _own_scores(scorer):
    """Return the out-of-fold or out-of-bag log-odds of a fitted estimator, or None."""
    fitted, task = scorer.estimator, scorer.task
    own = getattr(fitted, _OWN_SCORES, None)
    if own is not None:
        own = np.asarray(own, dtype=np.float64).reshape(len(own), -1)
        if task.n_labels is None and task.classes is None:
            positive = getattr(fitted, "pos_label_", fitted.classes_[-1])
            own = own if positive == task.positive else -own
        if task.classes is not None:
            return np.maximum(own, -_MOST_LOG_ODDS)
        return np.clip(own, -_MOST_LOG_ODDS, _MOST_LOG_ODDS)
    # Without the rows of each tree, the number of votes of a row is not known.
    needed = ("oob_decision_function_", "estimators_samples_")
    if scorer.method == PROBA and all(hasattr(fitted, name) for name in needed):
        return _out_of_bag(scorer)
    return None


def _out_of_bag(scorer):
    """Return the log-odds of each row by the trees that did not draw it.

    scikit-learn keeps their mean, 0 or NaN without any, but not their number.
    """
    fitted, task = scorer.estimator, scorer.task
    proba = np.asarray(fitted.oob_decision_function_)
    n_votes = np.full((len(proba), 1), len(fitted.estimators_))
    for drawn in fitted.estimators_samples_:
        n_votes[np.unique(drawn)] -= 1
    if proba.ndim == 3:
        proba = proba[:, 1]
    elif task.classes is None:
        positive = 1 if task.n_labels else task.positive
        proba = proba[:, fitted.classes_ == positive]
    return scorer.smoothed(np.where(n_votes > 0, proba, 0.0), n_votes)


def fit_labelwise(estimator, task, labels, weight, params):
    """Fit an estimator for each label, on the rows that have weight there.

    For classifiers that read no missing labels and no weights of entries.
    """
    if isinstance(estimator, MultiOutputClassifier):
        estimator = estimator.estimator  # it does the same, and refuses a single label
    scorers, scores = [], np.full(labels.shape, np.nan)
    for k, column in enumerate(labels.T):
        some = column != MISSING
        if weight is not None:
            some &= weight[:, k] > 0
        rows = np.flatnonzero(some)
        place = np.cumsum(some) - 1
        splits = [[place[part[some[part]]] for part in split] for split in task.splits]
        own = take_params(task.X, params, rows)
        if weight is not None:
            own["sample_weight"] = weight[rows, k]
        one = replace(
            task,
            X=take_rows(task.X, rows),
            y=column[rows].astype(np.int64),
            splits=splits,
            prior=task.prior[k : k + 1],
            mass=task.mass[k : k + 1],
            n_labels=None,
            positive=1,
        )
        scorer, found = fit_scorer(estimator, one, own)
        scorers.append(scorer)
        scores[rows, k] = found[:, 0]
    return LabelwiseScorer(scorers), scores
