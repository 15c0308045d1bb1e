"""Search for the thresholds that are best on known labels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv

from skimbalance._base import warn_undefined
from skimbalance._columns import (
    all_entries,
    confusion,
    iter_columns,
    ratio,
    tally,
    total,
)
from skimbalance._counts import (
    at_least_mean_1,
    count_labels,
    have_both_values,
    weights_or_ones,
)
from skimbalance._labels import BINARY, MULTILABEL, check_scored_labels, has_missing
from skimbalance._validation import (
    align_columns,
    check_choice,
    check_interval,
    check_probabilities,
    column_names,
)
from skimbalance.thresholds._metrics import METRICS, Metric, find_metric
from skimbalance.thresholds._plug_in import (
    are_probabilities,
    fit_link,
    metric_plug_in,
    midpoint_below,
)
from skimbalance.thresholds._rules import (
    learn_thresholds,
    resolve_rule,
)

# Thresholds that are tried where each costs a call of the metric.
_GRID = 100
# Most passes over the labels; on drawn problems of 400 x 12 one to three were enough.
_SWEEPS = 20
# A smaller gain is rounding, and following it could go on for ever.
_LEAST_GAIN = 1e-12
# Confidence of the bound behind a constraint; `tune_thresholds` documents it.
_CONFIDENCE = 0.9
# Scores that differ by rounding only, relative to the largest one, are constant.
_CONSTANT = 1e-12


# --------------------------------------------------------------------------
# One label


def _first_best(values):
    """Return the place of the first of the greatest values, of which NaN is none.

    Equal values may round to different ones, by the order of the rows and by the unit
    of their weights.
    """
    known = np.fmax(values, -np.inf)
    best = known.max()
    least = best - _LEAST_GAIN * abs(best) if np.isfinite(best) else best
    return int((known >= least).argmax())


@dataclass(frozen=True)
class Curve:
    """The values of a metric at thresholds just below each level, and above all."""

    levels: np.ndarray
    values: np.ndarray

    def best_threshold(self, score):
        """Return the threshold of the greatest value, midway to the next score."""
        best = _first_best(self.values)
        if best == len(self.levels):
            return np.float64(score.max())
        return midpoint_below(score, self.levels[best])


def _counts_by_level(target, score, weight):
    """Return the levels of one label and the confusion counts at each.

    One more entry stands for a threshold above all scores: nothing is predicted.
    """
    if weight is None:
        levels, tp, predicted = tally(target, score)
        fp = predicted - tp
        n_positive = np.count_nonzero(target)
        n_negative = len(target) - n_positive
        fn, tn = n_positive - tp, n_negative - fp
    else:
        # A difference of sums would leave rounding noise where there is nothing.
        levels = np.unique(score[target])
        (tp, fn), (fp, tn) = (
            _mass_on_both_sides(score[entries], levels, weight[entries])
            for entries in (target, ~target)
        )
    above = (0, 0, total(weight, target), total(weight, ~target))
    counts = (tp, fp, fn, tn)
    return levels, tuple(map(np.append, counts, above))


def _mass_on_both_sides(score, levels, weight):
    """Return the weight of the scores that reach each level, and of those below it."""
    order = np.argsort(score)
    weight, place = weight[order], np.searchsorted(score[order], levels)
    below = np.append(0.0, np.cumsum(weight))
    reached = np.append(np.cumsum(weight[::-1])[::-1], 0.0)
    return reached[place], below[place]


def _exact_curve(metric, target, score, weight):
    """Evaluate all thresholds that can be best.

    With equal true positives, fewer false positives are never worse. So the best
    threshold lies just below a positive, or above all scores.
    """
    levels, counts = _counts_by_level(target, score, weight)
    return Curve(levels, metric(*counts))


def _some_levels(target, score):
    """Return at most `_GRID` scores of positives, evenly spaced by rank."""
    levels = np.unique(score[target])
    spread = np.linspace(0, len(levels) - 1, _GRID).round().astype(int)
    return levels[np.unique(spread)]


def _grid_curve(value_at, target, score):
    """Evaluate a metric at a hundred thresholds; `value_at` gets a level."""
    levels = _some_levels(target, score)
    values = [value_at(level) for level in [*levels, np.inf]]
    return Curve(levels, np.array(values, dtype=np.float64))


def _label_curve(metric, target, score, weight):
    """Evaluate a metric along the thresholds of one label."""
    if metric.of_counts:
        return _exact_curve(metric.of_counts, target, score, weight)

    def value_at(level):
        return _value(metric, target, score >= level, weight)

    return _grid_curve(value_at, target, score)


def _value(metric, target, predicted, weight):
    """Return the metric of the predictions of one label."""
    if metric.of_counts:
        return float(metric.of_counts(*confusion(target, predicted, weight)))
    options = {} if weight is None else {"sample_weight": weight}
    return float(metric.of_labels(target.astype(int), predicted.astype(int), **options))


# --------------------------------------------------------------------------
# All labels


@dataclass(frozen=True)
class Search:
    """What a search found: a threshold and a score for each label, and the curves."""

    thresholds: np.ndarray
    scores: np.ndarray | float
    curves: list[Curve]


def _shrunk(tuned, plain, n_positive, shrinkage):
    """Move a tuned threshold towards a plain one, more so with fewer positives."""
    fraction = shrinkage / (shrinkage + n_positive) if shrinkage else 0.0
    # Two equal thresholds give the same one, without rounding.
    return tuned + fraction * (plain - tuned)


def _search_macro(metric, labels, scores, weight, *, shrinkage, default):
    """Tune each label by itself; shrink towards its plug-in threshold."""
    link = fit_link(labels, scores, weight) if shrinkage else None
    known = have_both_values(labels, weight)
    thresholds, reached = np.full(len(known), default), np.zeros(len(known))
    curves = [Curve(np.empty(0), np.empty(0))] * len(known)
    for k, (target, score, w) in enumerate(iter_columns(labels, scores, weight)):
        if known[k]:
            curves[k] = _label_curve(metric, target, score, w)
            thresholds[k] = curves[k].best_threshold(score)
        if known[k] and link is not None:
            plain = _plain_threshold(metric, link, score, w, thresholds[k])
            n_positive = total(w, target)
            thresholds[k] = _shrunk(thresholds[k], plain, n_positive, shrinkage)
        reached[k] = _value(metric, target, score > thresholds[k], w)
    return Search(thresholds, reached, curves)


def _plain_threshold(metric, link, score, weight, tuned):
    """Return the plug-in threshold of one label on its scores.

    For a metric without counts it is that of F1, which suits rare labels.
    """
    of_counts = metric.of_counts or METRICS["f1"]
    proba, start = link.probability(score), float(link.probability(tuned))
    threshold = metric_plug_in(of_counts, proba, weight, start)
    # The link ends inside 0 and 1: what predicts no row, or all, has to stay so.
    if threshold >= proba.max():
        return np.float64(score.max())
    if threshold < proba.min():
        return np.nextafter(np.float64(score.min()), -np.inf)
    return link.score(threshold)


def _common_threshold(metric, labels, scores, weight):
    """Return the best threshold for the entries of all labels, and its curve."""
    target, score, weight = all_entries(labels, scores, weight)
    curve = _exact_curve(metric, target, score, weight)
    return curve.best_threshold(score), curve


def _search_micro(metric, labels, scores, weight, *, shrinkage, default):
    """Tune one label after the other on the counts of all labels."""
    common, curve = _common_threshold(metric, labels, scores, weight)
    known = have_both_values(labels, weight)
    thresholds = np.where(known, common, default)
    candidates, counts = [], []
    for k, (target, score, w) in enumerate(iter_columns(labels, scores, weight)):
        counts.append(confusion(target, score > thresholds[k], w))
        own = _counts_by_level(target, score, w) if known[k] else (None, None)
        candidates.append(own)
    chosen = _ascend(metric, candidates, np.array(counts, dtype=np.float64))
    n_positive, _ = count_labels(labels, weight)
    # A second walk over the columns: keeping all scores in order would double them.
    for k, (_, score, _) in enumerate(iter_columns(labels, scores, weight)):
        if chosen[k] is not None:
            levels = candidates[k][0]
            above = chosen[k] == len(levels)
            own = score.max() if above else midpoint_below(score, levels[chosen[k]])
            thresholds[k] = _shrunk(own, common, n_positive[k], shrinkage)
    predicted = scores > thresholds
    reached = float(metric(*confusion(*all_entries(labels, predicted, weight))))
    return Search(thresholds, reached, [curve])


def _ascend(metric, candidates, counts):
    """Improve the pooled metric label by label until a sweep changes nothing.

    Parameters
    ----------
    metric : callable
    candidates : list of pairs
        Levels and confusion counts of each label, or twice None.
    counts : ndarray of float64, shape (n_labels, 4)
        Confusion counts of each label to start from; changed in place.

    Returns
    -------
    chosen : list of int or None
        The place of the best level of each label, None where it stays as it was.
    """
    chosen: list[int | None] = [None] * len(candidates)
    pooled = counts.sum(axis=0)
    for _ in range(_SWEEPS):
        before = metric(*pooled)
        for k, (_, own) in enumerate(candidates):
            if own is None:
                continue
            rest = pooled - counts[k]
            values = metric(*(r + o for r, o in zip(rest, own, strict=True)))
            best = _first_best(values)
            if values[best] > metric(*pooled) + _LEAST_GAIN:
                chosen[k], counts[k] = best, [o[best] for o in own]
                pooled = rest + counts[k]
        if metric(*pooled) <= before + _LEAST_GAIN:
            break
    return chosen


def _search_samples(metric, labels, scores, weight, *, shrinkage, default):
    """Tune one label after the other on the mean over rows."""
    labels = labels.toarray() if sp.issparse(labels) else labels
    rows = weights_or_ones(weight, len(labels))
    common, curve = _common_threshold_of_rows(metric, labels, scores, rows)
    known = have_both_values(labels, weight)
    thresholds = np.where(known, common, default)
    counts = _row_counts(labels, scores > thresholds)
    n_positive, _ = count_labels(labels, weight)
    for _ in range(_SWEEPS):
        before = rows @ metric(*counts)
        for k in np.flatnonzero(known):
            column = labels[:, k], scores[:, k], rows
            _improve_label(metric, *column, counts, thresholds, k)
        if rows @ metric(*counts) <= before + _LEAST_GAIN * rows.sum():
            break
    for k in np.flatnonzero(known):
        thresholds[k] = _shrunk(thresholds[k], common, n_positive[k], shrinkage)
    reached = rows @ metric(*_row_counts(labels, scores > thresholds)) / rows.sum()
    return Search(thresholds, float(reached), [curve])


def _row_counts(labels, predicted):
    """Return the confusion counts of each row, as an array (4, n_samples)."""
    positive, negative = labels == 1, labels == 0
    return np.array(
        [
            (positive & predicted).sum(axis=1),
            (negative & predicted).sum(axis=1),
            (positive & ~predicted).sum(axis=1),
            (negative & ~predicted).sum(axis=1),
        ],
        dtype=np.float64,
    )


def _common_threshold_of_rows(metric, labels, scores, rows):
    """Return the threshold for all labels that is best for the mean over rows."""
    target, score, _ = all_entries(labels, scores)

    def value_at(level):
        return rows @ metric(*_row_counts(labels, scores >= level)) / rows.sum()

    curve = _grid_curve(value_at, target, score)
    return curve.best_threshold(score), curve


def _column_counts(column, predicted):
    """Return the confusion counts that one label adds to each row."""
    return _row_counts(column[:, None], predicted[:, None])


def _improve_label(metric, column, score, rows, counts, thresholds, k):
    """Give one label its best threshold while the others stay; update in place.

    The metric of a row depends on whether this label is predicted in it, so what a
    threshold gains is the sum over the rows above it.
    """
    rest = counts - _column_counts(column, score > thresholds[k])
    everywhere = np.ones(len(column), dtype=bool)
    off = metric(*(rest + _column_counts(column, ~everywhere)))
    gain = rows * (metric(*(rest + _column_counts(column, everywhere))) - off)
    levels, place = np.unique(score, return_inverse=True)
    gains = np.bincount(place, gain, len(levels))[::-1].cumsum()[::-1]
    rounding = _LEAST_GAIN * rows.sum()
    best = (gains >= gains.max() - rounding).argmax()
    now = gain @ (score > thresholds[k])
    if max(gains[best], 0.0) <= now + rounding:
        return
    none = gains[best] <= rounding
    thresholds[k] = levels[-1] if none else midpoint_below(score, levels[best])
    counts[:] = rest + _column_counts(column, score > thresholds[k])


def _search_common(of_labels, labels, scores, weight, *, default):
    """Find one threshold for all labels by a metric of whole label matrices."""
    labels = labels.toarray() if sp.issparse(labels) else labels
    target, score, _ = all_entries(labels, scores)
    options = {} if weight is None else {"sample_weight": weight}

    def value_at(level):
        return of_labels(labels, (scores >= level).astype(int), **options)

    curve = _grid_curve(value_at, target, score)
    best = curve.best_threshold(score)
    thresholds = np.where(have_both_values(labels), best, default)
    reached = of_labels(labels, (scores > thresholds).astype(int), **options)
    return Search(thresholds, float(reached), [curve])


# --------------------------------------------------------------------------
# A constraint


def _lower_bound(n_correct, size):
    """Return the lower bound of a fraction, at 90 % confidence (Clopper-Pearson).

    `scipy.stats.binomtest` gives the same for one fraction at a time.
    """
    bound = betaincinv(np.maximum(n_correct, 1), size - n_correct + 1, 1 - _CONFIDENCE)
    return np.where(n_correct > 0, bound, 0.0)


def _constrained_threshold(what, least, target, score):
    """Return the best threshold that meets the constraint, else the nearest one.

    Returns
    -------
    threshold : float
    bound : float
        Lower bound of the constrained fraction.
    reached : float
        The other one of precision and recall.
    """
    levels, tp, predicted = tally(target, score)
    n_positive = np.count_nonzero(target)
    bound = _lower_bound(tp, n_positive if what == "recall" else predicted)
    other = tp / (predicted if what == "recall" else n_positive)
    met = bound >= least
    best = np.where(met, other, -1.0).argmax() if met.any() else bound.argmax()
    return midpoint_below(score, levels[best]), bound[best], other[best]


def _search_constrained(constraint, labels, scores, default):
    """Find the thresholds under a constraint; warn of labels that cannot meet it."""
    what, least = constraint
    known = have_both_values(labels)
    thresholds, reached = np.full(len(known), default), np.zeros(len(known))
    bounds = np.full(len(known), np.inf)
    for k, (target, score, _) in enumerate(iter_columns(labels, scores)):
        if known[k]:
            thresholds[k], bounds[k], reached[k] = _constrained_threshold(
                what, least, target, score
            )
    short = bounds < least
    if short.any():
        # All of n are right with a bound of (1 - confidence) ** (1 / n).
        needed = int(np.ceil(np.log(1 - _CONFIDENCE) / np.log(least)))
        of = "positives" if what == "recall" else "predicted rows, all of them right,"
        warn_undefined(
            f"A {what} of {least} cannot be shown at {_CONFIDENCE:.0%} confidence for "
            f"{short.sum()} of {len(known)} labels: it takes at least {needed} {of} of "
            f"a label. They get the threshold of the best {what} that can be shown, "
            f"between {bounds[short].min():.2f} and {bounds[short].max():.2f}.",
        )
    return Search(thresholds, reached, [])


# --------------------------------------------------------------------------
# Thresholds of a rule


class KnownLabels:
    """The `ThresholdSource` of labels that are known.

    Parameters
    ----------
    labels : ndarray or sparse array of int8, shape (n_samples, n_labels)
    weight : ndarray, SparseWeights or None
    label_names : ndarray of str or None
    held_out : callable
        Returns labels, probabilities and weights of held-out rows. Called by the rules
        that learn from them alone: it may have to fit a classifier in each fold.
    """

    def __init__(self, labels, weight, label_names, held_out):
        self.labels, self.weight, self.label_names = labels, weight, label_names
        self.held_out = held_out

    @property
    def prior(self):
        """The fraction of positives among the observed entries of each label."""
        positive, negative = count_labels(self.labels, self.weight)
        return ratio(positive, positive + negative, undefined=0.0)

    def learnt_thresholds(self, rule):
        """Return the thresholds that a rule learns from the held-out rows."""
        return learn_thresholds(rule, *self.held_out())

    def uncorrected_thresholds(self):
        """Raise a ValueError, as there are probabilities only."""
        raise ValueError(
            "threshold='uncorrected' thresholds the raw scores of a net of "
            "skimbalance.neural_network, as its own parameter; here there are "
            "probabilities only."
        )


def _rule_thresholds(threshold, labels, y_score, weight, label_names):
    """Return the thresholds of a rule on held-out probabilities."""
    rule, n_labels = resolve_rule(threshold), labels.shape[1]
    rule.check(BINARY if n_labels == 1 else MULTILABEL, n_labels, label_names)
    proba = check_probabilities(y_score, "y_score")
    held_out = labels, proba, weight
    source = KnownLabels(labels, weight, label_names, lambda: held_out)
    found = rule.thresholds(source)
    if found is None:
        raise ValueError(
            f"threshold={threshold!r} compares the labels of a row and has no "
            "thresholds: use it in MultilabelFixedThresholdClassifier."
        )
    return found


# --------------------------------------------------------------------------
# The public function


def check_search(
    scoring,
    average,
    shrinkage,
    constraint,
    target=None,
    *,
    n_labels=1,
    is_weighted=False,
) -> Metric:
    """Check the options of a search before any work; return its metric.

    Parameters
    ----------
    scoring, average, shrinkage, constraint : object
        As `tune_thresholds` takes them.
    target : Target or None
        None where the labels are 0 and 1.
    n_labels : int
        1 for a binary target.
    is_weighted : bool
        Whether there are sample weights.

    Returns
    -------
    Metric
    """
    check_choice("average", average, {"macro", "micro", "samples"})
    check_interval("shrinkage", shrinkage, 0, closed="left")
    if constraint is None:
        each_label = average == "macro" and n_labels > 1
        return find_metric(
            scoring, target, is_weighted=is_weighted, each_label=each_label
        )
    if not isinstance(constraint, tuple | list) or len(constraint) != 2:
        raise ValueError(
            f"constraint={constraint!r} must be a pair such as ('recall', 0.9)."
        )
    check_choice("constraint[0]", constraint[0], {"recall", "precision"})
    check_interval("constraint[1]", constraint[1], 0, 1, closed="neither")
    if average != "macro":
        raise ValueError(
            f"average={average!r}: a constraint holds for each label by itself; use "
            "'macro'."
        )
    if is_weighted:
        raise ValueError("constraint counts rows: sample_weight must be None with it.")
    return Metric()


_SEARCHES = {
    "macro": _search_macro,
    "micro": _search_micro,
    "samples": _search_samples,
}


def check_labels(metric, average, labels, weight):
    """Raise a ValueError unless a metric can be averaged over these labels."""
    if average == "samples" and weight is not None and weight.ndim == 2:
        raise ValueError(
            "average='samples' weighs rows: pass sample_weight of shape (n_samples,)."
        )
    if metric.of_labels and average != "macro" and has_missing(labels):
        raise ValueError(
            "A callable metric of whole matrices cannot read missing labels. Use "
            "average='macro', or one of the named metrics."
        )


def search(metric, labels, scores, weight, *, average, shrinkage, constraint) -> Search:
    """Find the thresholds of all labels.

    Labels of one value are thresholded where probabilities are 0.5, or scores 0.

    Parameters
    ----------
    metric : Metric
        From `check_search`.
    labels, scores, weight : ndarray
        From `check_scored_labels`.
    average : {"macro", "micro", "samples"}
    shrinkage : float
    constraint : tuple or None

    Returns
    -------
    Search
    """
    # Where both classes are equally probable, or a margin is 0.
    default = 0.5 if are_probabilities(scores) else 0.0
    known = have_both_values(labels, weight)
    if not known.all():
        warn_undefined(
            f"{(~known).sum()} of {len(known)} labels have one value only: they are "
            f"thresholded at {default}.",
        )
    if not known.any():
        return Search(np.full(len(known), default), np.zeros(len(known)), [])
    if constraint is not None:
        return _search_constrained(constraint, labels, scores, default)
    if metric.of_labels and average != "macro":
        # Each value costs a pass over the whole matrix, too much for every label.
        found = _search_common(
            metric.of_labels, labels, scores, weight, default=default
        )
    else:
        given = metric if average == "macro" else metric.of_counts
        options = {"shrinkage": shrinkage, "default": default}
        found = _SEARCHES[average](given, labels, scores, weight, **options)
    _check_depends(metric, found)
    return found


def warn_constant_scores(parts, known):
    """Warn of labels whose scores are the same in all rows of each classifier."""
    constant = known.copy()
    # Each classifier by itself: the constants of several folds differ.
    for scores in parts:
        low, high = scores.min(axis=0), scores.max(axis=0)
        constant &= high - low <= _CONSTANT * np.maximum(np.abs(low), np.abs(high))
    if constant.any():
        warn_undefined(
            f"{constant.sum()} of {len(constant)} labels have constant scores: there "
            "is no threshold to find, but to predict the label in all rows or in none."
        )


def _check_depends(metric, found):
    """Raise a ValueError if a metric has one value whatever is predicted."""
    # Those of counts always depend on the predictions.
    values = [curve.values for curve in found.curves if len(curve.values)]
    if metric.of_labels and all(np.ptp(v) == 0 for v in values):
        raise ValueError(
            "scoring does not depend on the threshold: its value is the same at all "
            "thresholds, so there is nothing to tune."
        )


def tune_thresholds(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    scoring: str | Callable = "f1",
    average: str = "macro",
    shrinkage: float = 20.0,
    constraint: Sequence | None = None,
    threshold: Any = None,
    sample_weight: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """Find the threshold of each label that is best on held-out rows.

    For a metric of the confusion counts of a label all thresholds are compared, by one
    sort of its scores. A threshold found on few positives is noise, so it is moved
    towards the one that the probabilities themselves lead to:
    ``(1 - s) * tuned + s * plug_in`` with ``s = shrinkage / (shrinkage + n_positive)``.

    Parameters
    ----------
    y_true : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
        0, 1 and NaN for a missing label, which is left out.
    y_score : array-like of shape (n_samples, n_labels) or (n_samples,)
        Probabilities or decision scores of rows that did not train the model. Where
        both are frames, the columns are aligned by their names.
    scoring : str or callable, default="f1"
        ``"f1"``, ``"f0.5"``, ``"f2"``, ``"jaccard"``, ``"accuracy"``,
        ``"balanced_accuracy"``, ``"geometric_mean"`` or ``"matthews_corrcoef"``: all
        thresholds are compared. The name of a scorer of predictions, a scorer, or a
        callable ``metric(y_true, y_pred)``, greater is better: 100 thresholds are.
    average : {"macro", "micro", "samples"}, default="macro"
        The metric of each label; of all entries together; the mean over rows. The last
        two start at the best common threshold and improve one label after the other. A
        callable gets one label at a time under ``"macro"``, else whole matrices and one
        threshold for all. Of a scorer that takes a mean over labels, as ``"f1_macro"``
        does, ``"macro"`` tunes the metric of each label; one that scores all labels
        together, as ``"f1_micro"`` does, needs ``average="micro"``.
    shrinkage : float, default=20.0
        Positives that weigh as much as the plug-in threshold; 0 for none. The plug-in
        threshold reads probabilities after one sigmoid for all labels, fitted here;
        under ``"micro"`` and ``"samples"`` the common threshold takes its place.
    constraint : tuple of str and float, default=None
        ``("recall", 0.9)`` takes the threshold of best precision among those whose
        recall is at least 0.9 by a lower binomial bound of 90 %; ``("precision", 0.9)``
        likewise. It replaces `scoring`, and nothing is shrunk. Where a label has too
        few rows to show it, the threshold of the best bound is taken, with one warning.
    threshold : str or rule object, default=None
        A rule such as ``FBeta(beta=2)``, which replaces `scoring` and the search:
        return the thresholds that it has on these rows, whose scores must be
        probabilities. `average`, `shrinkage` and `constraint` play no part.
    sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
            default=None
        Weights of the rows or entries. Whole numbers equal repeated rows; weights of a
        mean below 1 are scaled to it, so that they may sum to 1.

    Returns
    -------
    thresholds : ndarray of float64, shape (n_labels,)
        Predict a label where its score is greater. Halfway between two scores, so that
        none of the given ones is equal to it. A label of one value gets 0.5, or 0 where
        the scores are no probabilities, with one warning.

    Raises
    ------
    ValueError
        If shapes differ, scores are not finite, an option is not known, or the metric
        does not depend on the threshold.

    See Also
    --------
    MultilabelTunedThresholdClassifierCV : The same for a classifier, out of fold.
    plug_in_threshold : Thresholds without labels.

    References
    ----------
    .. [1] Lipton, Elkan, Naryanaswamy, "Optimal Thresholding of Classifiers to Maximize
       F1 Measure", ECML PKDD 2014.
    .. [2] Koyejo, Natarajan, Ravikumar, Dhillon, "Consistent Binary Classification with
       Generalized Performance Metrics", NeurIPS 2014.
    .. [3] Fan, Lin, "A Study on Threshold Selection for Multi-label Classification",
       2007: thresholds of rare labels over-fit.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.thresholds import tune_thresholds
    >>> Y = np.array([[1, 0], [1, 0], [0, 1], [0, 0]])
    >>> scores = np.array([[0.4, 0.1], [0.3, 0.2], [0.2, 0.3], [0.1, 0.2]])
    >>> tune_thresholds(Y, scores, shrinkage=0)
    array([0.25, 0.25])
    """
    names = column_names(y_true)
    y_score = align_columns(y_score, names, "y_score")
    sample_weight = align_columns(sample_weight, names, "sample_weight")
    labels, scores, weight = check_scored_labels(y_true, y_score, sample_weight)
    options = {"average": average, "shrinkage": shrinkage, "constraint": constraint}
    metric = check_search(
        scoring,
        **options,
        n_labels=labels.shape[1],
        is_weighted=sample_weight is not None,
    )
    weight = at_least_mean_1(weight)
    if threshold is not None:
        return _rule_thresholds(threshold, labels, scores, weight, names)
    check_labels(metric, average, labels, weight)
    warn_constant_scores([scores], have_both_values(labels, weight))
    return search(metric, labels, scores, weight, **options).thresholds
