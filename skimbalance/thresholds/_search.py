"""Search for the cuts that are best on known labels."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.special import betaincinv
from sklearn.metrics import get_scorer as sklearn_scorer

from skimbalance import metrics
from skimbalance._base import warn_undefined
from skimbalance._columns import all_cells, confusion, iter_columns, tally, total
from skimbalance._validation import (
    Scorer,
    check_choice,
    check_interval,
    check_scored_labels,
    closest,
    count_labels,
)
from skimbalance.thresholds._link import are_probabilities, fit_link, plug_in_cut
from skimbalance.thresholds._rules import midpoint_below

_GRID = 100
_SWEEPS = 20
_CONFIDENCE = 0.9


# --------------------------------------------------------------------------
# Metrics of confusion counts


def _over(numerator, denominator):
    """Divide, 0 by 0 being 0 as in scikit-learn."""
    shape = np.broadcast_shapes(np.shape(numerator), np.shape(denominator))
    out = np.zeros(shape)
    return np.divide(
        numerator, denominator, out=out, where=np.not_equal(denominator, 0)
    )


def _f_beta(beta):
    def metric(tp, fp, fn, tn):  # noqa: ARG001
        hits = (1 + beta**2) * tp
        return _over(hits, hits + beta**2 * fn + fp)

    return metric


def _jaccard(tp, fp, fn, tn):  # noqa: ARG001
    return _over(tp, tp + fp + fn)


def _accuracy(tp, fp, fn, tn):
    return _over(tp + tn, tp + fp + fn + tn)


def _balanced_accuracy(tp, fp, fn, tn):
    return (_over(tp, tp + fn) + _over(tn, tn + fp)) / 2


def _geometric_mean(tp, fp, fn, tn):
    return np.sqrt(np.maximum(_over(tp, tp + fn) * _over(tn, tn + fp), 0))


def _matthews(tp, fp, fn, tn):
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


def _of_scorer(scorer, scoring):
    """Return the metric behind a scorer, unless it does not look at decisions."""
    if scorer._response_method != "predict":
        raise ValueError(
            f"scoring={scoring!r} does not depend on the cut: there is nothing to "
            f"tune. Use one of {sorted(METRICS)}."
        )

    def metric(y_true, y_pred):
        return scorer._sign * scorer._score_func(y_true, y_pred, **scorer._kwargs)

    return metric


def find_metric(scoring):
    """Return a metric of confusion counts, or else of labels and decisions.

    Returns
    -------
    of_counts : callable or None
        ``metric(tp, fp, fn, tn)``.
    of_labels : callable or None
        ``metric(y_true, y_pred)``.
    """
    if isinstance(scoring, str):
        if scoring in METRICS:
            return METRICS[scoring], None
        if scoring in metrics.get_scorer_names():
            return None, _of_scorer(metrics.get_scorer(scoring), scoring)
        try:
            return None, _of_scorer(sklearn_scorer(scoring), scoring)
        except (ValueError, KeyError) as error:
            if "does not depend" in str(error):
                raise
            raise ValueError(
                f"scoring={scoring!r} is not known.{closest(scoring, METRICS)} Use one "
                f"of {sorted(METRICS)}, the name of a scorer, or a callable "
                "metric(y_true, y_pred)."
            ) from error
    if isinstance(scoring, Scorer):
        return None, _of_scorer(scoring, scoring)
    if not callable(scoring):
        raise ValueError(
            f"scoring={scoring!r} must be one of {sorted(METRICS)}, the name of a "
            "scorer, or a callable metric(y_true, y_pred)."
        )
    return None, scoring


# --------------------------------------------------------------------------
# One label


@dataclass(frozen=True)
class Curve:
    """The values of a metric when the cut lies just below each level, or above all."""

    levels: np.ndarray
    values: np.ndarray

    def best_cut(self, score):
        """Return the cut of the greatest value, halfway down to the next score."""
        best = self.values.argmax()
        if best == len(self.levels):
            return np.float64(score.max())
        return midpoint_below(score, self.levels[best])


def _counts_of(hits, decided, target, weight):
    """Return confusion counts from what is hit and decided, nothing decided last."""
    tp, decided = np.append(hits, 0), np.append(decided, 0)
    n_positive = total(weight, target)
    mass = len(target) if weight is None else weight.sum()
    fp = decided - tp
    return tp, fp, n_positive - tp, mass - n_positive - fp


def _exact_curve(metric, target, score, weight):
    """Evaluate all cuts that can be best.

    Fewer false positives at equal true ones are never worse, so that the best cut lies
    just below a positive, or above all scores.
    """
    levels, hits, decided = tally(target, score, weight)
    return Curve(levels, metric(*_counts_of(hits, decided, target, weight)))


def _some_levels(target, score):
    levels = np.unique(score[target])
    spread = np.linspace(0, len(levels) - 1, _GRID).round().astype(int)
    return levels[np.unique(spread)]


def _grid_curve(metric, target, score, weight):
    """Evaluate a metric of labels and decisions at a hundred cuts."""
    levels = _some_levels(target, score)
    cuts = [*levels, np.inf]
    options = {} if weight is None else {"sample_weight": weight}
    y = target.astype(int)
    values = [metric(y, (score >= cut).astype(int), **options) for cut in cuts]
    return Curve(levels, np.array(values, dtype=np.float64))


# --------------------------------------------------------------------------
# All labels


@dataclass(frozen=True)
class Search:
    """What a search found: a cut for each label, its score, and the curves behind."""

    cuts: np.ndarray
    scores: np.ndarray | float
    curves: list


def _trainable(labels, weight):
    positive, negative = count_labels(labels, weight)
    return (positive > 0) & (negative > 0)


def _shrunk(tuned, plain, n_positive, shrinkage):
    share = shrinkage / (shrinkage + n_positive) if shrinkage else 0.0
    return (1 - share) * tuned + share * plain


def _search_macro(metric, labels, scores, weight, *, shrinkage, default):
    """Tune each label by itself; shrink towards its plug-in cut."""
    of_counts, of_labels = metric
    link = fit_link(labels, scores, weight) if shrinkage else None
    known = _trainable(labels, weight)
    cuts, reached, curves = np.full(len(known), default), np.zeros(len(known)), []
    for k, (target, score, w) in enumerate(iter_columns(labels, scores, weight)):
        if known[k]:
            curve = (
                _exact_curve(of_counts, target, score, w)
                if of_counts
                else _grid_curve(of_labels, target, score, w)
            )
            cuts[k] = curve.best_cut(score)
            curves.append(curve)
            if shrinkage:
                expected = plug_in_cut(
                    of_counts or METRICS["f1"],
                    link.probability(score),
                    w,
                    float(link.probability(cuts[k])),
                )
                plain, n_positive = link.score(expected), total(w, target)
                cuts[k] = _shrunk(cuts[k], plain, n_positive, shrinkage)
        else:
            curves.append(Curve(np.empty(0), np.empty(0)))
        reached[k] = _value(metric, target, score > cuts[k], w)
    return Search(cuts, reached, curves)


def _value(metric, target, decided, weight):
    """Return the metric of decisions on one label."""
    of_counts, of_labels = metric
    if of_counts:
        return float(of_counts(*confusion(target, decided, weight)))
    options = {} if weight is None else {"sample_weight": weight}
    return float(of_labels(target.astype(int), decided.astype(int), **options))


def _common_cut(metric, labels, scores, weight):
    """Return the best cut for the cells of all labels, and the curve behind."""
    target, score, weight = all_cells(labels, scores, weight)
    curve = _exact_curve(metric, target, score, weight)
    return curve.best_cut(score), curve


def _search_micro(metric, labels, scores, weight, *, shrinkage, default):
    """Tune one label after the other on the counts of all, from the common cut."""
    common, curve = _common_cut(metric, labels, scores, weight)
    known = _trainable(labels, weight)
    cuts = np.where(known, common, default)
    candidates, counts = [], []
    for k, (target, score, w) in enumerate(iter_columns(labels, scores, weight)):
        counts.append(confusion(target, score > cuts[k], w))
        levels, hits, decided = tally(target, score, w) if known[k] else (None,) * 3
        own = _counts_of(hits, decided, target, w) if known[k] else None
        candidates.append((levels, own))
    chosen, counts = _ascend(metric, candidates, np.array(counts, dtype=np.float64))
    n_positive, _ = count_labels(labels, weight)
    for k, (_, score, _) in enumerate(iter_columns(labels, scores, weight)):
        levels = candidates[k][0]
        if chosen[k] is not None:
            above = chosen[k] == len(levels)
            cuts[k] = score.max() if above else midpoint_below(score, levels[chosen[k]])
            cuts[k] = _shrunk(cuts[k], common, n_positive[k], shrinkage)
    decided = scores > cuts
    reached = float(metric(*confusion(*all_cells(labels, decided, weight))))
    return Search(cuts, reached, [curve])


def _ascend(metric, candidates, counts):
    """Improve the pooled metric label by label until a sweep changes nothing."""
    chosen, pooled = [None] * len(candidates), counts.sum(axis=0)
    for _ in range(_SWEEPS):
        before = metric(*pooled)
        for k, (_, own) in enumerate(candidates):
            if own is None:
                continue
            rest = pooled - counts[k]
            values = metric(*(r + o for r, o in zip(rest, own, strict=True)))
            best = int(values.argmax())
            if values[best] > metric(*pooled) + 1e-12:
                chosen[k], counts[k] = best, [o[best] for o in own]
                pooled = rest + counts[k]
        if metric(*pooled) <= before + 1e-12:
            break
    return chosen, counts


def _search_samples(metric, labels, scores, weight, *, shrinkage, default):
    """Tune one label after the other on the mean over rows, from the common cut."""
    if weight is not None and weight.ndim == 2:
        raise ValueError(
            "average='samples' weighs rows: pass sample_weight of shape (n_samples,)."
        )
    labels = labels.toarray() if sp.issparse(labels) else labels
    rows = np.ones(len(labels)) if weight is None else weight
    common, curve = _common_cut_of_rows(metric, labels, scores, rows)
    known = _trainable(labels, weight)
    cuts = np.where(known, common, default)
    counts = _row_counts(labels, scores > cuts)
    n_positive, _ = count_labels(labels, weight)
    for _ in range(_SWEEPS):
        before = rows @ metric(*counts)
        for k in np.flatnonzero(known):
            _improve_label(metric, labels[:, k], scores[:, k], rows, counts, cuts, k)
        if rows @ metric(*counts) <= before + 1e-12 * rows.sum():
            break
    for k in np.flatnonzero(known):
        cuts[k] = _shrunk(cuts[k], common, n_positive[k], shrinkage)
    reached = rows @ metric(*_row_counts(labels, scores > cuts)) / rows.sum()
    return Search(cuts, float(reached), [curve])


def _row_counts(labels, decided):
    """Return the confusion counts of each row, as an array (4, n_samples)."""
    positive, negative = labels == 1, labels == 0
    return np.array(
        [
            (positive & decided).sum(axis=1),
            (negative & decided).sum(axis=1),
            (positive & ~decided).sum(axis=1),
            (negative & ~decided).sum(axis=1),
        ],
        dtype=np.float64,
    )


def _common_cut_of_rows(metric, labels, scores, rows):
    target, score, _ = all_cells(labels, scores)
    levels = _some_levels(target, score)
    values = [
        rows @ metric(*_row_counts(labels, scores >= cut)) for cut in [*levels, np.inf]
    ]
    curve = Curve(levels, np.array(values) / rows.sum())
    return curve.best_cut(score), curve


def _cells(column, decided):
    """Return the confusion counts that one label adds to each row."""
    return _row_counts(column[:, None], decided[:, None])


def _improve_label(metric, column, score, rows, counts, cuts, k):
    """Give one label its best cut while the others stay; update counts and cuts."""
    rest = counts - _cells(column, score > cuts[k])
    everywhere = np.ones(len(column), dtype=bool)
    off = metric(*(rest + _cells(column, ~everywhere)))
    gain = rows * (metric(*(rest + _cells(column, everywhere))) - off)
    levels, place = np.unique(score, return_inverse=True)
    gains = np.bincount(place, gain, len(levels))[::-1].cumsum()[::-1]
    best = gains.argmax()
    now = gain @ (score > cuts[k])
    if max(gains[best], 0.0) <= now + 1e-12:
        return
    none = gains[best] <= 0
    cuts[k] = levels[-1] if none else midpoint_below(score, levels[best])
    counts[:] = rest + _cells(column, score > cuts[k])


def _search_common(metric, labels, scores, weight, *, default, **_):
    """Find one cut for all labels by a metric of whole label matrices."""
    of_labels = metric
    labels = labels.toarray() if sp.issparse(labels) else labels
    if (labels < 0).any():
        raise ValueError(
            "A callable metric of whole matrices cannot read missing labels. Use "
            "average='macro', or one of the named metrics."
        )
    target, score, _ = all_cells(labels, scores)
    levels = _some_levels(target, score)
    options = {} if weight is None else {"sample_weight": weight}
    values = [
        of_labels(labels, (scores >= cut).astype(int), **options)
        for cut in [*levels, np.inf]
    ]
    curve = Curve(levels, np.array(values, dtype=np.float64))
    cuts = np.where(_trainable(labels, None), curve.best_cut(score), default)
    reached = of_labels(labels, (scores > cuts).astype(int), **options)
    return Search(cuts, float(reached), [curve])


# --------------------------------------------------------------------------
# A constraint


def _lower_bound(hits, size):
    """Return the lower bound of a share, at 90 % confidence (Clopper-Pearson)."""
    return np.where(
        hits > 0, betaincinv(np.maximum(hits, 1), size - hits + 1, 1 - _CONFIDENCE), 0.0
    )


def _constrained_cut(what, least, target, score):
    """Return the best cut that meets the constraint, else the one that comes nearest.

    Returns
    -------
    cut : float
    bound : float
        What is shown of the constrained share.
    reached : float
        The other share.
    """
    levels, hits, decided = tally(target, score)
    n_positive = np.count_nonzero(target)
    bound = _lower_bound(hits, n_positive if what == "recall" else decided)
    other = hits / (decided if what == "recall" else n_positive)
    met = bound >= least
    best = np.where(met, other, -1.0).argmax() if met.any() else bound.argmax()
    return midpoint_below(score, levels[best]), bound[best], other[best]


def _search_constrained(constraint, labels, scores, default):
    what, least = constraint
    known = _trainable(labels, None)
    cuts, reached = np.full(len(known), default), np.zeros(len(known))
    bounds = np.full(len(known), np.inf)
    for k, (target, score, _) in enumerate(iter_columns(labels, scores)):
        if known[k]:
            cuts[k], bounds[k], reached[k] = _constrained_cut(
                what, least, target, score
            )
    short = bounds < least
    if short.any():
        needed = int(np.ceil(np.log(1 - _CONFIDENCE) / np.log(least)))
        of = "positives" if what == "recall" else "decided rows, all of them right,"
        warn_undefined(
            f"A {what} of {least} cannot be shown at {_CONFIDENCE:.0%} confidence for "
            f"{short.sum()} of {len(known)} labels: it takes at least {needed} {of} of "
            f"a label. They get the cut of the best {what} that can be shown, between "
            f"{bounds[short].min():.2f} and {bounds[short].max():.2f}.",
        )
    return Search(cuts, reached, [])


# --------------------------------------------------------------------------
# The front door


def check_search(scoring, average, shrinkage, constraint):
    """Check the options of a search before any work; return its metric."""
    check_choice("average", average, {"macro", "micro", "samples"})
    check_interval("shrinkage", shrinkage, 0, closed="left")
    if constraint is None:
        return find_metric(scoring)
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
    return None, None


_SEARCHES = {
    "macro": _search_macro,
    "micro": _search_micro,
    "samples": _search_samples,
}


def search(metric, labels, scores, weight, *, average, shrinkage, constraint):
    """Find the cuts of all labels; those of one value are cut where they always are.

    Parameters
    ----------
    metric : tuple
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
    default = 0.5 if are_probabilities(scores) else 0.0
    lacking = ~_trainable(labels, weight)
    if lacking.any():
        warn_undefined(
            f"{lacking.sum()} of {len(lacking)} labels have one value only: they are "
            f"cut at {default}.",
        )
    if lacking.all():
        return Search(np.full(len(lacking), default), np.zeros(len(lacking)), [])
    if constraint is not None:
        if weight is not None:
            raise ValueError(
                "constraint counts rows: sample_weight must be None with it."
            )
        return _search_constrained(constraint, labels, scores, default)
    of_counts, of_labels = metric
    if of_labels and average != "macro":
        found = _search_common(of_labels, labels, scores, weight, default=default)
    else:
        given = metric if average == "macro" else of_counts
        find = _SEARCHES[average]
        options = {"shrinkage": shrinkage, "default": default}
        found = find(given, labels, scores, weight, **options)
    if of_labels and all(np.ptp(c.values) == 0 for c in found.curves if len(c.values)):
        raise ValueError(
            "scoring does not depend on the cut: its value is the same at all cuts, so "
            "there is nothing to tune."
        )
    return found


def tune_thresholds(
    y_true,
    y_score,
    *,
    scoring="f1",
    average="macro",
    shrinkage=20.0,
    constraint=None,
    sample_weight=None,
):
    """Find the cut of each label that is best on held-out rows.

    For a metric of the confusion counts of a label all cuts are compared, by one sort
    of its scores. A cut found on few positives is noise, so it is drawn towards what
    the probabilities themselves say is best: ``(1 - s) * tuned + s * plug_in`` with
    ``s = shrinkage / (shrinkage + n_positive)``.

    Parameters
    ----------
    y_true : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
        0, 1 and NaN for a missing label, which is left out.
    y_score : array-like of shape (n_samples, n_labels) or (n_samples,)
        Probabilities or decision scores of rows that did not train the model.
    scoring : str or callable, default="f1"
        ``"f1"``, ``"f0.5"``, ``"f2"``, ``"jaccard"``, ``"accuracy"``,
        ``"balanced_accuracy"``, ``"geometric_mean"`` or ``"matthews_corrcoef"``: all
        cuts are compared. The name of a scorer of decisions, a scorer, or a callable
        ``metric(y_true, y_pred)``, greater is better: 100 cuts are.
    average : {"macro", "micro", "samples"}, default="macro"
        The metric of each label; of all cells together; the mean over rows. The last
        two start at the best common cut and improve one label after the other. A
        callable gets one label at a time under ``"macro"``, else whole matrices and one
        cut for all.
    shrinkage : float, default=20.0
        Positives that weigh as much as the plug-in cut; 0 for none. The plug-in cut
        reads probabilities after one sigmoid for all labels, fitted here; under
        ``"micro"`` and ``"samples"`` the common cut takes its place.
    constraint : tuple of str and float, default=None
        ``("recall", 0.9)`` takes the cut of best precision among those whose recall is
        at least 0.9 by a lower binomial bound of 90 %; ``("precision", 0.9)`` likewise.
        It replaces `scoring`, and nothing is shrunk. Where a label has too few rows to
        show it, the cut of the best bound is taken, with one warning.
    sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
            default=None
        Weights of the rows or cells.

    Returns
    -------
    thresholds : ndarray of float64, shape (n_labels,)
        Decide where the score is greater. Halfway between two scores, so that none of
        the given ones is on the cut. A label of one value gets 0.5, or 0 where the
        scores are no probabilities, with one warning.

    Raises
    ------
    ValueError
        If shapes differ, scores are not finite, an option is not known, or the metric
        does not depend on the cut.

    See Also
    --------
    MultilabelTunedThresholdClassifierCV : The same for a classifier, out of fold.
    plug_in_threshold : Cuts without labels.

    References
    ----------
    .. [1] Lipton, Elkan, Naryanaswamy, "Optimal Thresholding of Classifiers to Maximize
       F1 Measure", ECML PKDD 2014.
    .. [2] Koyejo, Natarajan, Ravikumar, Dhillon, "Consistent Binary Classification with
       Generalized Performance Metrics", NeurIPS 2014.
    .. [3] Fan, Lin, "A Study on Threshold Selection for Multi-label Classification",
       2007: cuts of rare labels over-fit.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.thresholds import tune_thresholds
    >>> Y = np.array([[1, 0], [1, 0], [0, 1], [0, 0]])
    >>> scores = np.array([[0.4, 0.1], [0.3, 0.2], [0.2, 0.3], [0.1, 0.2]])
    >>> tune_thresholds(Y, scores, shrinkage=0)
    array([0.25, 0.25])
    """
    metric = check_search(scoring, average, shrinkage, constraint)
    labels, scores, weight = check_scored_labels(y_true, y_score, sample_weight)
    return search(
        metric,
        labels,
        scores,
        weight,
        average=average,
        shrinkage=shrinkage,
        constraint=constraint,
    ).cuts
