"""A compact summary of held-out scores, from which rules learn their thresholds.

A fitted net keeps it instead of the rows, so that `threshold` may be set after `fit` to
any rule that reads one label at a time, or the entries of all labels.
"""

from dataclasses import dataclass, replace
from functools import partial
from itertools import compress

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from skimbalance._columns import iter_columns
from skimbalance._counts import MISSING, take_weights
from skimbalance._log_odds import match_means
from skimbalance.thresholds._rules import learn_thresholds

# Entries of a label, each a score and a weight of float32: 3.5 of the 4 kB that a label
# may add to a pickle. The arrays around them take the rest where there is one label.
_ENTRIES = 448
# Positives up to which each is kept, however many negatives there are: recall and
# precision of a rare label depend on single ones.
_POSITIVES = 256
# Blocks of the positives where there are more. With 128 the thresholds of
# `MatchedPrevalence` are passed by as many rows as those of all rows, with a standard
# deviation of .8 % over drawn labels (400 positives in 50,000), with 256 of 1.4 %.
_POSITIVE_BLOCKS = 128
# The largest scores that are single rows in any case, for rules of high precision; a
# choice.
_SINGLE = 32
# Probabilities are clipped to these, so that the log-odds of a mean are finite.
_LEAST, _MOST = np.finfo(np.float64).tiny, 1 - 2.0**-53


@dataclass(frozen=True)
class ScoreSummary:
    """The scores of each label: the important ones one by one, the others in blocks.

    Attributes
    ----------
    log_odds : ndarray of float32, shape (n_labels, n_entries)
        The score of a row; or the log-odds of the mean probability of a block of rows,
        so that the sum of the probabilities is kept.
    weight : ndarray of float32, shape (n_labels, n_entries)
        The weight of the rows that an entry stands for; 0 where there are none.
    n_positive : ndarray of int16, shape (n_labels,)
        How many entries, the first ones, are positives.
    chosen : ndarray of bool, shape (n_all_labels,)
        Which of all labels these are.
    """

    log_odds: NDArray[np.float32]
    weight: NDArray[np.float32]
    n_positive: NDArray[np.int16]
    chosen: NDArray[np.bool_]

    @classmethod
    def of_scores(cls, labels, log_odds, weight, chosen):
        """Return the summary of some of the labels.

        Parameters
        ----------
        labels, log_odds, weight : ndarray
            As `iter_columns` takes them, which walks them a few columns at a time.
        chosen : ndarray of bool, shape (n_all_labels,)
        """
        n_chosen = np.count_nonzero(chosen)
        shape = n_chosen, min(_ENTRIES, len(log_odds))
        kept = cls(
            np.zeros(shape, np.float32),
            np.zeros(shape, np.float32),
            np.zeros(n_chosen, np.int16),
            chosen,
        )
        columns = compress(iter_columns(labels, log_odds, weight), chosen)
        for k, column in enumerate(columns):
            score, mass, kept.n_positive[k] = _summarize_label(*column)
            kept.log_odds[k, : len(score)] = score
            kept.weight[k, : len(score)] = mass
        return kept

    def columns(self):
        """Return labels, log-odds and weights, as `iter_columns` takes them.

        The rows of these arrays are places in the summary: the entries of a row have
        nothing in common.
        """
        is_positive = np.arange(self.weight.shape[1]) < self.n_positive[:, None]
        labels = np.where(self.weight > 0, is_positive, MISSING).astype(np.int8)
        log_odds, weight = self.log_odds.astype(float), self.weight.astype(float)
        return labels.T, log_odds.T, weight.T

    def drawn_together(self, spread):
        """Return the scores times `spread`, at the same mean probability of each label.

        Parameters
        ----------
        spread : float
            The ratio of two standard deviations, at most 1.
        """
        if spread == 1:
            return self
        _, log_odds, weight = self.columns()
        # Any weights do for a label without entries, whose mean is never read.
        weight = np.where(weight.sum(axis=0) > 0, weight, 1.0)
        mean = np.average(expit(log_odds), axis=0, weights=weight)
        drawn = spread * log_odds
        drawn += match_means(drawn, mean.clip(_LEAST, _MOST), weight)
        return replace(self, log_odds=drawn.T.astype(np.float32))

    def thresholds(self, rule):
        """Return the thresholds that a rule learns, and 0.5 for labels not chosen.

        Parameters
        ----------
        rule : HeldOutRule

        Returns
        -------
        thresholds : ndarray of float64, shape (n_all_labels,)
        """
        labels, log_odds, weight = self.columns()
        thresholds = np.full(len(self.chosen), 0.5)
        thresholds[self.chosen] = learn_thresholds(
            rule, labels, expit(log_odds), weight
        )
        return thresholds


def _summarize_label(target, score, weight):
    """Return log-odds and weights of a label's entries, and how many are positive.

    All rows have an entry of their own where there are few. Else many positives become
    blocks, so that the negatives, of which there are more, have most of the entries.
    """
    if weight is not None:
        counts = weight > 0
        target, score, weight = target[counts], score[counts], weight[counts]
    n_positive = np.count_nonzero(target)
    left = _ENTRIES - (len(target) - n_positive)
    n_most, n_blocks = max(_POSITIVES, left), max(_POSITIVE_BLOCKS, left)
    of_positives = partial(_even_blocks, n_blocks=n_blocks)
    own = score[target], take_weights(weight, target)
    positive = _blocks(*own, n_most, of_positives)
    n_left = _ENTRIES - len(positive[0])
    of_negatives = partial(_growing_blocks, n_blocks=n_left, n_positive=n_positive)
    own = score[~target], take_weights(weight, ~target)
    negative = _blocks(*own, n_left, of_negatives)
    log_odds, mass = map(np.concatenate, zip(positive, negative, strict=True))
    # The next number above the score: a threshold at the largest one of all, where
    # nothing is to be predicted, must not be below it in float64.
    return np.nextafter(log_odds.astype(np.float32), np.inf), mass, len(positive[0])


def _blocks(score, weight, n_most, starts_of):
    """Return the scores and weights of at most `n_most` rows, or of blocks of rows.

    From the largest score down.

    Parameters
    ----------
    score : ndarray of shape (n_rows,)
    weight : ndarray of shape (n_rows,) or None
    n_most : int
        Rows up to which each is kept.
    starts_of : callable
        ``starts_of(n_rows)`` returns the rank at which each block starts.
    """
    if weight is None:  # a sort alone takes a third of the time
        score, weight = np.sort(score)[::-1], np.ones(len(score))
    else:
        order = np.argsort(-score)
        score, weight = score[order], weight[order]
    if len(score) <= n_most:
        return score, weight
    starts = starts_of(len(score))
    mass = np.add.reduceat(weight, starts)
    mean = np.add.reduceat(weight * expit(score), starts) / mass
    is_single = np.diff(starts, append=len(score)) == 1
    # A score of its own is not rounded by way of a probability.
    of_blocks = logit(mean.clip(_LEAST, _MOST))
    return np.where(is_single, score[starts], of_blocks), mass


def _even_blocks(n_rows, n_blocks):
    """Return the starts of blocks of one size after the first, single rows.

    A threshold within a block of positives moves the recall by the same anywhere. The
    last is a single row as well: `FBeta` reads whether a threshold is below all scores.
    """
    even = np.linspace(_SINGLE, n_rows - 1, n_blocks - _SINGLE)
    return np.append(np.arange(_SINGLE), even.astype(np.int64))


def _growing_blocks(n_rows, n_blocks, n_positive):
    """Return the starts of blocks of negatives, each in proportion to what precedes it.

    With `r` false positives, precision and F-beta depend on ``n_positive + r``, and
    blocks of a constant fraction of that have the least relative error. The first ones,
    where this is less than a row, are single rows; the last is one, as above.
    """
    rank = np.arange(n_blocks)
    before, after = n_positive + 1.0 + rank, n_positive + float(n_rows)
    # So many blocks there are if all from a rank on grow by the factor that makes the
    # block at this rank one row.
    needed = rank + before * np.log(after / before)
    n_single = np.clip(np.searchsorted(needed, n_blocks), _SINGLE, n_blocks - 1)
    grown = np.geomspace(before[n_single], after, n_blocks - n_single)
    starts = np.append(rank[:n_single], np.rint(grown - n_positive - 1))
    return np.unique(starts.astype(np.int64))
