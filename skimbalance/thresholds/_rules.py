"""Rules that need no search: the cut follows from costs, base rates, probabilities."""

import numpy as np

from skimbalance._columns import all_cells, iter_columns, mass_at_least, total
from skimbalance._validation import check_choice, check_interval, check_probabilities


def _by_average(proba, average):
    """Return the columns that share a cut."""
    check_choice("average", average, {"macro", "micro"})
    return proba if average == "macro" else proba.reshape(-1, 1)


def plug_in_threshold(y_score, beta=1.0, average="macro"):
    """Compute the cut that maximises the expected F-beta, from probabilities alone.

    With the probabilities of a label sorted downwards, deciding the first k of n rows
    has the expected F-beta ``(1 + beta^2) sum_{i<=k} p_i / (k + beta^2 sum_i p_i)``.
    Its maximum F* is reached by the cut ``F* / (1 + beta^2)``. No labels are needed,
    but the probabilities must be honest, and of rows that did not train the model.

    Parameters
    ----------
    y_score : array-like of shape (n_samples, n_labels) or (n_samples,)
        Probabilities.
    beta : float, default=1.0
        Weight of the recall; at least 0.
    average : {"macro", "micro"}, default="macro"
        A cut for each label, or one for all.

    Returns
    -------
    threshold : ndarray of float64, shape (n_labels,)
        Between 0 and 1; decide where the probability is greater.

    Raises
    ------
    ValueError
        If a score is not a probability, or an option is not known.

    See Also
    --------
    expected_f_beta : What a cut is expected to reach.
    tune_thresholds : Cuts from labels.

    References
    ----------
    .. [1] Lipton, Elkan, Naryanaswamy, "Optimal Thresholding of Classifiers to Maximize
       F1 Measure", ECML PKDD 2014.

    Examples
    --------
    >>> from skimbalance.thresholds import plug_in_threshold
    >>> plug_in_threshold([0.9, 0.3, 0.1, 0.1])
    array([0.375])
    """
    check_interval("beta", beta, 0)
    proba = check_probabilities(y_score, "y_score")
    columns = _by_average(proba, average)
    best = np.array([best_expected_f_beta(column, beta) for column in columns.T])
    return np.broadcast_to(best / (1 + beta**2), proba.shape[1:]).copy()


def best_expected_f_beta(proba, beta, weight=None):
    """Return the greatest expected F-beta of the decisions on one label."""
    order = np.argsort(-proba)
    mass = np.ones(len(proba)) if weight is None else weight[order]
    hits = np.cumsum(mass * proba[order], dtype=np.float64)
    decided = np.cumsum(mass)
    size = decided + beta**2 * hits[-1]
    gained = np.divide(hits, size, out=np.zeros(len(hits)), where=size > 0)
    return (1 + beta**2) * gained.max()


def expected_f_beta(y_score, threshold=0.5, *, beta=1.0, average="macro"):
    """Compute the F-beta that decisions are expected to reach, without labels.

    The ratio of the expectations of numerator and denominator, which for more than a
    few rows is the expectation of the ratio.

    Parameters
    ----------
    y_score : array-like of shape (n_samples, n_labels) or (n_samples,)
        Honest probabilities.
    threshold : float or array-like of shape (n_labels,), default=0.5
        A label is decided where its probability is greater.
    beta : float, default=1.0
        Weight of the recall; at least 0.
    average : {"macro", "micro", None}, default="macro"
        Mean over labels, over all cells, or a value for each label.

    Returns
    -------
    score : float, or ndarray of float64 of shape (n_labels,) if `average` is None
        0 for a label whose probabilities are all 0 and of which nothing is decided.

    Raises
    ------
    ValueError
        If a score is not a probability, or thresholds do not fit.

    See Also
    --------
    plug_in_threshold : The cut of the greatest value.

    References
    ----------
    .. [1] Lipton, Elkan, Naryanaswamy, "Optimal Thresholding of Classifiers to Maximize
       F1 Measure", ECML PKDD 2014.

    Examples
    --------
    >>> from skimbalance.thresholds import expected_f_beta
    >>> round(expected_f_beta([0.9, 0.3, 0.1, 0.1], 0.375), 2)
    0.75
    """
    check_interval("beta", beta, 0)
    check_choice("average", str(average), {"macro", "micro", "None"})
    proba = check_probabilities(y_score, "y_score")
    decided = proba > check_cuts(threshold, proba.shape[1])
    sums = np.array([(proba * decided).sum(0), decided.sum(0), proba.sum(0)], float)
    if average == "micro":
        sums = sums.sum(axis=1, keepdims=True)
    hits, n_decided, n_expected = sums
    size = n_decided + beta**2 * n_expected
    score = np.divide(
        (1 + beta**2) * hits, size, out=np.zeros_like(size), where=size > 0
    )
    return score if average is None else float(score.mean())


def check_cuts(threshold, n_labels, name="threshold"):
    """Return thresholds on probabilities, one for each label."""
    cuts = np.asarray(threshold)
    if cuts.dtype.kind not in "iuf" or cuts.shape not in ((), (n_labels,)):
        raise ValueError(
            f"{name}={threshold!r} must be a number or an array of shape ({n_labels},),"
            " one cut for each label."
        )
    if not ((cuts >= 0) & (cuts <= 1)).all():
        raise ValueError(
            f"{name}={threshold!r} must lie in [0, 1]: it is a cut on probabilities."
        )
    return np.broadcast_to(cuts, (n_labels,)).astype(np.float64)


def midpoint_below(score, level):
    """Return a cut that decides the scores from a level upwards, and no other."""
    lower = score[score < level]
    if len(lower):
        level, low = np.float64(level), np.float64(lower.max())
        return low + (level - low) / 2
    return np.nextafter(np.float64(level), -np.inf)


def _rate_cut(target, score, weight):
    """Return the cut at which as many are decided as there are positives."""
    wanted = total(weight, target)
    levels = np.unique(score)
    surplus = np.append(mass_at_least(score, levels, weight), 0) - wanted
    best = np.abs(surplus).argmin()
    if best == len(levels):
        return np.float64(levels[-1])
    return midpoint_below(score, levels[best])


def _f_beta_cut(target, score, weight, beta, guard):
    """Return the plug-in cut; under `guard` by rate, if all would be decided."""
    best = best_expected_f_beta(score, beta, weight)
    n_positive = total(weight, target)
    mass = len(score) if weight is None else weight.sum()
    everywhere = (1 + beta**2) * n_positive / (mass + beta**2 * n_positive)
    cut = best / (1 + beta**2)
    if guard and (best <= everywhere or score.min() > cut):
        return _rate_cut(target, score, weight)
    return cut


HELD_OUT_RULES = ("f_beta", "micro_f_beta", "rate")
ROW_RULES = ("cardinality", "top_k")
PLAIN_RULES = ("accuracy", "cost", "prior")
RULES = (*PLAIN_RULES, *HELD_OUT_RULES, *ROW_RULES)


def held_out_cuts(rule, labels, proba, weight=None, *, beta=1.0, guard=False):
    """Return the cut of each label by one of the rules that read probabilities.

    Parameters
    ----------
    rule : {"f_beta", "micro_f_beta", "rate"}
    labels, proba, weight : ndarray
        As `iter_columns` takes them; of rows that did not train what gave `proba`.
    beta : float, default=1.0
        Weight of the recall.
    guard : bool, default=False
        Whether "f_beta" turns to "rate" where it would decide every row.

    Returns
    -------
    cuts : ndarray of float64, shape (n_labels,)
    """
    if rule == "micro_f_beta":
        cut = _f_beta_cut(*all_cells(labels, proba, weight), beta, guard=False)
        return np.full(labels.shape[1], cut)
    columns = iter_columns(labels, proba, weight)
    if rule == "rate":
        return np.array([_rate_cut(*column) for column in columns])
    return np.array([_f_beta_cut(*column, beta, guard) for column in columns])


def cost_cuts(cost_fp, cost_fn, n_labels):
    """Return the cuts above which a false negative would cost more than a false alarm.

    Parameters
    ----------
    cost_fp, cost_fn : float or array-like of shape (n_labels,)
        Not negative, and not both 0.
    n_labels : int
    """
    costs = []
    for name, cost in (("cost_fp", cost_fp), ("cost_fn", cost_fn)):
        cost = np.asarray(cost, dtype=np.float64)
        if cost.shape not in ((), (n_labels,)):
            raise ValueError(
                f"{name} has shape {cost.shape}, expected a number or ({n_labels},)."
            )
        if not (np.isfinite(cost) & (cost >= 0)).all():
            raise ValueError(f"{name} must be finite and not negative.")
        costs.append(np.broadcast_to(cost, (n_labels,)))
    total_cost = costs[0] + costs[1]
    if not total_cost.all():
        raise ValueError("cost_fp and cost_fn must not both be 0.")
    return costs[0] / total_cost


def decide_most_probable(proba, n_decided):
    """Decide the most probable labels of each row; of equals the first column.

    Parameters
    ----------
    proba : ndarray of shape (n_samples, n_labels)
    n_decided : int or ndarray of int, shape (n_samples,)
        How many.

    Returns
    -------
    decided : ndarray of bool, shape (n_samples, n_labels)
    """
    order = np.argsort(-proba, axis=1, kind="stable")
    places = np.arange(proba.shape[1])
    chosen = places < np.broadcast_to(n_decided, (len(proba),))[:, None]
    decided = np.zeros(proba.shape, dtype=bool)
    np.put_along_axis(decided, order, chosen, axis=1)
    return decided


def expected_cardinality(proba):
    """Return the number of labels that each row is expected to have, rounded."""
    return np.rint(proba.sum(axis=1)).astype(int)
