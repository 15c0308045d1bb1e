"""From the scores of any classifier to probabilities, and their plug-in threshold."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from skimbalance._columns import all_entries
from skimbalance._sigmoid import fit_sigmoid

_MOST_CELLS = 2**18
_STEP = 1e-3


def are_probabilities(scores):
    """Whether scores can be read as probabilities."""
    return bool(scores.min() >= 0 and scores.max() <= 1)


@dataclass(frozen=True)
class Link:
    """A sigmoid, shared by all labels, between scores and probabilities."""

    slope: float
    intercept: float
    low: float
    high: float
    of_odds: bool

    def probability(self, scores):
        """Return the probabilities of the scores."""
        scores = np.clip(scores, self.low, self.high)
        if self.of_odds:
            scores = np.log(scores / (1 - scores))
        return expit(self.slope * scores + self.intercept)

    def score(self, probability):
        """Return the score of a probability, within the range of the known ones."""
        with np.errstate(divide="ignore"):
            score = (logit(probability) - self.intercept) / self.slope
        return np.clip(expit(score) if self.of_odds else score, self.low, self.high)


def _range(scores, of_odds):
    """Return the bounds of the scores; 0 and 1 count as half of the next ones."""
    if not of_odds:
        return scores.min(), scores.max()
    low = scores.min(initial=1.0, where=scores > 0) / 2
    high = 1 - (1 - scores.max(initial=0.0, where=scores < 1)) / 2
    return min(low, 0.5), max(high, 0.5)


def fit_link(labels, scores, weight=None):
    """Fit the sigmoid on the entries of all labels; of very many on some rows only."""
    step = -(-scores.size // _MOST_CELLS)
    if weight is not None:
        weight = weight[::step]
    target, score, weight = all_entries(labels[::step], scores[::step], weight)
    of_odds = are_probabilities(scores)
    low, high = map(float, _range(score, of_odds))
    score = np.clip(score, low, high).astype(np.float64)
    weight = np.ones(len(score)) if weight is None else weight
    slope, intercept = fit_sigmoid(logit(score) if of_odds else score, target, weight)
    return Link(slope, intercept, low, high, of_odds)


def _indifference(metric, hits, predicted, n_positive, mass):
    """Return the probability at which one more predicted row changes nothing."""
    tp = hits + _STEP * np.array([0, 1, 0])
    fp = predicted - hits + _STEP * np.array([0, 0, 1])
    now, right, wrong = metric(tp, fp, n_positive - tp, mass - n_positive - fp)
    return (now - wrong) / (right - wrong) if right > wrong else np.inf


def metric_plug_in(metric, proba, weight=None, start=0.0):
    """Return the threshold of the best expected metric.

    After a first threshold, the next one is where one more predicted row changes
    nothing, until it increases no more. For ratios of linear functions of the confusion
    counts, F-beta, Jaccard, accuracy and balanced accuracy among them, this is
    Dinkelbach's iteration, which ends at the best of all thresholds.

    Parameters
    ----------
    metric : callable
        ``metric(tp, fp, fn, tn)``, of expected counts.
    proba : ndarray of shape (n_observed,)
    weight : ndarray of shape (n_observed,) or None
    start : float
        The first threshold; nearer to the best it saves rounds.
    """
    gain = proba if weight is None else weight * proba
    n_positive = gain.sum(dtype=np.float64)
    mass = len(proba) if weight is None else weight.sum()
    first = proba > start
    hits, predicted = _sums(gain, weight, first)
    threshold = -1.0
    while True:
        higher = _indifference(metric, hits, predicted, n_positive, mass)
        if not higher > threshold * (1 + 1e-7):
            return max(threshold, 0.0)
        if higher >= proba.max(initial=0.0):
            return min(higher, 1.0)
        threshold = higher
        kept = proba > threshold
        proba, gain = proba[kept], gain[kept]
        weight = None if weight is None else weight[kept]
        hits, predicted = _sums(gain, weight)


def _sums(gain, weight, chosen=slice(None)):
    """Return the expected positives among chosen rows, and their mass."""
    gain = gain[chosen]
    predicted = len(gain) if weight is None else weight[chosen].sum()
    return gain.sum(dtype=np.float64), predicted
