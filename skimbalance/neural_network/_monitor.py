"""What early stopping watches: a score of the held-out rows, or their loss."""

import numpy as np
import scipy.sparse as sp
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import get_scorer as sklearn_scorer

from skimbalance import metrics
from skimbalance._net import KeepBest
from skimbalance._validation import (
    BINARY,
    MISSING,
    MULTICLASS,
    closest,
    count_labels,
)

_LEAST_POSITIVES = 3
# Scores that are worked on at a time, in double precision.
_BLOCK_CELLS = 2**18
_LEAST_POOLED_POSITIVES = 100
# Held-out positives, of all outputs together, below which no score tells anything.
_LEAST_JUDGED = 5
# Training where nothing tells when to stop: so many epochs, or steps if that is longer.
_UNJUDGED_EPOCHS = 5
_UNJUDGED_STEPS = 100


class _ScoredRows(ClassifierMixin, BaseEstimator):
    """A classifier that has its answer already, for scorers that want to ask one."""

    def __init__(self, classes, scores, probabilities):
        self.classes_, self.scores = classes, scores
        self.probabilities = probabilities

    def decision_function(self, X):  # noqa: ARG002
        return self.scores

    def predict_proba(self, X):  # noqa: ARG002
        return self.probabilities(self.scores)

    def predict(self, X):
        proba = self.predict_proba(X)
        if self.classes_.ndim == 2:
            return (proba > 0.5).astype(int)
        return self.classes_[proba.argmax(axis=1)]


def find_scorer(scoring):
    """Return a scorer by name, ours before scikit-learn's, or the callable itself."""
    if callable(scoring):
        return scoring
    try:
        return metrics.get_scorer(scoring)
    except ValueError:
        pass
    try:
        return sklearn_scorer(scoring)
    except (ValueError, TypeError) as error:
        names = [*metrics.get_scorer_names(), "loss"]
        raise ValueError(
            f"scoring={scoring!r} is not known.{closest(scoring, names)} Use 'loss', a "
            "name that skimbalance.metrics.get_scorer or sklearn.metrics.get_scorer "
            "knows, or a callable scorer(estimator, X, y)."
        ) from error


def _reliable_labels(values):
    """Return which labels have enough of both values to be ranked."""
    positive, negative = count_labels(values)
    return (positive >= _LEAST_POSITIVES) & (negative > 0)


def _ranks_reliably(head, values):
    """Whether held-out labels are enough to watch their macro average precision."""
    reliable = _reliable_labels(values)
    pooled = count_labels(values)[0][reliable].sum()
    half = head.trained.sum() / 2
    return reliable.sum() >= half and pooled >= _LEAST_POOLED_POSITIVES


def _n_rare(kind, head, values):
    """Return how many entries have the rarer value of their trained label."""
    if kind == MULTICLASS:
        return len(values) - np.bincount(values, minlength=1).max()
    return np.minimum(*count_labels(values))[head.trained].sum()


def can_judge(scoring, kind, head, values):
    """Whether the held-out rows can tell when to stop.

    A scoring that the user has asked for is always followed.
    """
    return scoring is not None or _n_rare(kind, head, values) >= _LEAST_JUDGED


class KeepLast(KeepBest):
    """Keep the last weights, whatever the held-out rows say."""

    def _value(self, net):  # noqa: ARG002
        return None


def unjudged_epochs(n_rows, rows_of_a_step):
    """Return how many epochs to train where nothing tells when to stop."""
    n_steps = -(-n_rows // rows_of_a_step)
    return max(_UNJUDGED_EPOCHS, -(-_UNJUDGED_STEPS // n_steps))


def _by_default(kind, head, values):
    """Return what is watched where the user did not say.

    The loss with large weights of rare labels is too noisy to be told by: where weights
    are undone, the probabilities are watched without them.
    """
    if kind == MULTICLASS:
        return "loss"
    if _ranks_reliably(head, values):
        return "macro_average_precision"
    return "neg_micro_log_loss" if head.undoes else "loss"


def _as_users_see(kind, classes, values):
    """Return `y` as it was passed, its classes, and the columns that are scored."""
    if kind == MULTICLASS:
        return classes[values], classes, slice(None)
    if kind == BINARY:
        return values[:, 0], np.array([0, 1]), slice(None)
    columns = _reliable_labels(values)
    if not columns.any():
        columns[:] = True
    labels = values[:, columns]
    labels = labels.toarray() if sp.issparse(labels) else labels
    missing = labels == MISSING
    y = np.where(missing, np.nan, labels) if missing.any() else labels
    return y, classes[columns], columns


def make_monitor(scoring, head, kind, classes, X, values):
    """Return ``score(raw_scores) -> float`` of the held-out rows, or None for the loss.

    Parameters
    ----------
    scoring : None, "loss", str or callable
        None is macro average precision, where held-out positives are enough for it: at
        least 3 in at least half of the trained labels, at least 100 in all. Labels with
        fewer are never scored. Else it is the log-loss of undone probabilities, or the
        loss itself, which multiclass targets always watch.
    head : LabelHead or ClassHead
        Turns raw scores into probabilities.
    kind : str
        The kind of target.
    classes : ndarray
        As the estimator's `classes_`.
    X, values : array
        The held-out rows; `values` as `Target.values`.
    """
    if scoring is None:
        scoring = _by_default(kind, head, values)
    if scoring == "loss":
        return None
    scorer = find_scorer(scoring)
    y, classes, columns = _as_users_see(kind, classes, values)

    def score(raw):
        scores = _scores_of(raw, head, columns)
        probabilities = head.probabilities
        if kind == BINARY:
            scores, probabilities = scores[:, 0], _of_both_classes
        return float(scorer(_ScoredRows(classes, scores, probabilities), X, y))

    return score


def _scores_of(raw, head, columns):
    """Return the scores of some columns, in the net's precision; empties `raw`."""
    stop, dtype = sum(map(len, raw)), raw[0].numpy().dtype
    n_columns = np.empty(head.n_outputs)[columns].size
    scores = np.empty((stop, n_columns), dtype=dtype)
    size = max(1, _BLOCK_CELLS // head.n_outputs)
    while raw:
        for block in reversed(raw.pop().split(size)):
            start = stop - len(block)
            scores[start:stop] = head.scores(block)[:, columns]
            stop = start
    return scores


def _of_both_classes(scores):
    proba = expit(scores).reshape(-1, 1)
    return np.hstack([1 - proba, proba])
