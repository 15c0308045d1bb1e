"""Displays of scores, probabilities and thresholds, and of the training, as curves."""

from typing import Self

import numpy as np

from skimbalance._base import (
    DECISION,
    PROBA,
    label_places,
    unwrap,
)
from skimbalance._columns import (
    all_entries,
    iter_columns,
    mass_at_least,
    one_in,
    ratio,
    tally,
)
from skimbalance._counts import (
    count_labels,
    take_weights,
)
from skimbalance._validation import (
    check_choice,
    check_interval,
    check_per_label,
)
from skimbalance.displays._base import (
    MOST_LINES,
    CurveDisplay,
    Display,
    align,
    as_labels,
    check_drawn,
    check_scored,
    keys_of,
    labels_for_estimator,
    pos_label_of,
    scores_of,
    warn_without_positives,
)
from skimbalance.metrics._per_label import (
    BINNINGS,
    average_precision,
    check_probable_labels,
    each_label,
    reliability,
)

# Ten bins of 4 million entries have a standard error below 0.001.
_BINNED_ENTRIES = 2**22
_RECALLS = np.linspace(0, 1, 101)


def _title(what, n_labels):
    """Return a title that counts the labels, where there are several."""
    return what if n_labels == 1 else f"{what} of {n_labels:,} labels"


def _mean_and_band(curves):
    """Return the mean of the curves, and the two that hold nine of ten."""
    band = np.nanquantile(curves, (0.05, 0.95), axis=0)
    return np.nanmean(curves, axis=0), *band


def _precision_at(recall, target, score, weight):
    """Return the precision where each recall is first reached."""
    _, hits, predicted = tally(target, score, weight)
    # From the highest score downwards, as the recall grows.
    hits, predicted = hits[::-1], predicted[::-1]
    # The margin keeps rounding from skipping a level whose recall is met exactly.
    place = np.searchsorted(hits, recall * hits[-1] * (1 - 1e-12))
    return ratio(hits, predicted, undefined=0.0)[place]


class MultilabelPrecisionRecallDisplay(CurveDisplay):
    """Precision against recall: mean over labels, all entries together, chosen ones.

    Use `from_estimator` or `from_predictions`.

    Parameters
    ----------
    recall : ndarray of shape (n_points,)
        Where the curves are evaluated.
    macro : ndarray of shape (n_points,)
        Mean precision of the labels.
    low, high : ndarray of shape (n_points,)
        Between them lie nine of ten labels.
    micro : ndarray of shape (n_points,)
        Precision over all entries.
    label_curves : dict of str to ndarray of shape (n_points,)
        Precision of single labels.
    average_precision : dict of str to float
        Of ``"macro"``, ``"micro"`` and the single labels. A label that is called so is
        ``"label macro"`` or ``"label micro"`` here.
    n_labels : int
        Number of labels behind the mean.
    base_rate : float, default=None
        Mean fraction of positives of the labels, which is the average precision of
        random scores; None draws no line.

    Attributes
    ----------
    line_ : matplotlib Artist
        The macro curve; of one label its only curve.
    ax_ : matplotlib Axes
        Axes with the curves.
    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    sklearn.metrics.PrecisionRecallDisplay : Of one label.

    References
    ----------
    .. [1] Saito, Rehmsmeier, "The Precision-Recall Plot Is More Informative than the
       ROC Plot When Evaluating Binary Classifiers on Imbalanced Datasets", PLOS ONE
       2015.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.displays import MultilabelPrecisionRecallDisplay
    >>> rng = np.random.default_rng(0)
    >>> Y = (rng.random((500, 3)) < [0.3, 0.1, 0.02]).astype(int)
    >>> display = MultilabelPrecisionRecallDisplay.from_predictions(
    ...     Y, Y + rng.normal(size=Y.shape))
    >>> display.ax_.get_xlabel()
    'Recall'
    """

    def __init__(
        self,
        *,
        recall,
        macro,
        low,
        high,
        micro,
        label_curves,
        average_precision,
        n_labels,
        base_rate=None,
    ):
        self.recall = recall
        self.macro = macro
        self.low = low
        self.high = high
        self.micro = micro
        self.label_curves = label_curves
        self.average_precision = average_precision
        self.n_labels = n_labels
        self.base_rate = base_rate

    def plot(self, ax=None) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes a figure.

        Returns
        -------
        display : MultilabelPrecisionRecallDisplay
            This object, with its artists.
        """
        ax = self._set_axes(ax)
        if self.n_labels == 1:
            # Mean, band and pooled entries are the one curve again.
            name = next(iter(self.label_curves), "precision")
            self.line_ = self._draw(ax, name, self.macro, "macro", "k", lw=2.5)
        else:
            self._plot_labels(ax)
        if self.base_rate is not None:
            label = f"base rate ({self.base_rate:.2g})"
            ax.axhline(self.base_rate, color="0.5", ls=":", lw=1, label=label)
        ax.set(xlabel="Recall", ylabel="Precision", xlim=(0, 1), ylim=(0, 1.02))
        ax.set_title(_title("Precision and recall", self.n_labels))
        ax.legend(fontsize="small", loc="best")
        return self

    def _draw(self, ax, name, precision, key, *style, **options):
        """Draw one curve, with its average precision in the legend."""
        label = f"{name} (AP {self.average_precision[key]:.2f})"
        (line,) = ax.plot(self.recall, precision, *style, label=label, **options)
        return line

    def _plot_labels(self, ax):
        """Draw chosen labels, the band of nine of ten, and both means."""
        for name, precision in self.label_curves.items():
            self._draw(ax, name, precision, name, lw=1, alpha=0.7)
        if self.n_labels > len(self.label_curves):
            label = f"90 % of {self.n_labels:,} labels"
            ax.fill_between(
                self.recall, self.low, self.high, color="0.85", lw=0, label=label
            )
        self.line_ = self._draw(ax, "macro", self.macro, "macro", "k", lw=2.5)
        self._draw(ax, "micro", self.micro, "micro", "k--", lw=1.5)

    @classmethod
    def from_predictions(
        cls,
        y_true,
        y_score,
        *,
        labels=None,
        label_names=None,
        sample_weight=None,
        pos_label=None,
        ax=None,
    ) -> Self:
        """Draw the curves of scores.

        Parameters
        ----------
        y_true : {array-like, sparse matrix} of shape (n_samples, n_labels) or \
                (n_samples,)
            0, 1 and NaN for a missing label, which is left out; or two classes.
        y_score : array-like of shape (n_samples, n_labels) or (n_samples,)
            Probabilities or any scores that rank.
        labels : array-like of int, shape (n_chosen,), default=None
            Columns that get a line of their own. None draws all up to ten, else none.
        label_names : array-like of str, shape (n_labels,), default=None
            None takes the columns of a data frame, or numbers.
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
                default=None
            Weights of the rows or entries.
        pos_label : object, default=None
            The positive class of a 1-D `y_true`, whose scores `y_score` holds; None is
            the last of the classes.
        ax : matplotlib Axes, default=None
            None makes a figure.

        Returns
        -------
        display : MultilabelPrecisionRecallDisplay
            Drawn.

        Raises
        ------
        ValueError
            If the shapes differ, scores are not finite, or nothing is positive.
        """
        checked = check_scored(y_true, y_score, sample_weight, pos_label)
        n_labels = checked[0].shape[1]
        names = keys_of(label_names, y_true, n_labels)
        # The means have these keys, and would be those of the label.
        names = [f"label {n}" if n in ("macro", "micro") else n for n in names]
        drawn = check_drawn(labels, n_labels)
        each = each_label(average_precision, *checked)
        defined = ~np.isnan(each)
        warn_without_positives((~defined).sum(), n_labels)
        curves = np.full((n_labels, len(_RECALLS)), np.nan)
        for k, column in enumerate(iter_columns(*checked)):
            if defined[k]:
                curves[k] = _precision_at(_RECALLS, *column)
        pooled = all_entries(*checked)
        macro, low, high = _mean_and_band(curves)
        precision = {"macro": np.nanmean(each), "micro": average_precision(*pooled)}
        _, rates = _means_of_labels(*checked)
        shown = [k for k in drawn if defined[k]]
        display = cls(
            recall=_RECALLS,
            macro=macro,
            low=low,
            high=high,
            micro=_precision_at(_RECALLS, *pooled),
            label_curves={names[k]: curves[k] for k in shown},
            average_precision=precision | {names[k]: each[k] for k in shown},
            n_labels=int(defined.sum()),
            base_rate=float(rates[rates > 0].mean()),
        )
        return display.plot(ax)


def _label_few_ticks(ax):
    """Label 1 and 3 of each decade of logarithmic axes that span less than two.

    matplotlib labels more multiples there, and the labels of the x axis overlap.
    """
    from matplotlib.ticker import LogLocator, NullFormatter

    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 3)))
        axis.set_minor_formatter(NullFormatter())


class MultilabelCalibrationDisplay(Display):
    """Observed frequencies against probabilities, of one or two sets of probabilities.

    A line joins the bins of the entries of all labels; a dot is a label, its base rate
    against its mean probability. Calibrated probabilities lie on the diagonal. Where
    most bins are rare the axes are logarithmic, and bins without positives left out.

    Use `from_estimator` or `from_predictions`.

    Parameters
    ----------
    curves : dict of str to two ndarray of shape (n_bins,)
        For each set of probabilities the mean probability and the observed frequency of
        its bins.
    label_means : dict of str to two ndarray of shape (n_labels,)
        The same of its labels.

    Attributes
    ----------
    line_ : matplotlib Artist
        The first line.
    ax_ : matplotlib Axes
        Axes with the lines.
    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    sklearn.calibration.CalibrationDisplay : Of one label.

    References
    ----------
    .. [1] Niculescu-Mizil, Caruana, "Predicting Good Probabilities with Supervised
       Learning", ICML 2005.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.displays import MultilabelCalibrationDisplay
    >>> rng = np.random.default_rng(0)
    >>> proba = rng.random((500, 3)) ** 2
    >>> Y = (rng.random(proba.shape) < proba).astype(int)
    >>> display = MultilabelCalibrationDisplay.from_predictions(
    ...     Y, proba, uncorrected=np.sqrt(proba))
    >>> sorted(display.curves)
    ['corrected', 'uncorrected']
    """

    def __init__(self, *, curves, label_means):
        self.curves = curves
        self.label_means = label_means

    def plot(self, ax=None) -> Self:
        """Draw the lines.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes a figure.

        Returns
        -------
        display : MultilabelCalibrationDisplay
            This object, with its artists.
        """
        ax = self._set_axes(ax)
        lines = []
        for k, (name, (expected, observed)) in enumerate(self.curves.items()):
            (line,) = ax.plot(expected, observed, "o-", ms=4, label=name, zorder=3 - k)
            lines.append(line)
            means = self.label_means[name]
            size = float(np.clip(2000 / len(means[0]), 2, 25))
            ax.scatter(*means, s=size, color=line.get_color(), alpha=0.3, lw=0)
        self.line_ = lines[0]
        self._set_scale(ax)
        ax.set(xlabel="Mean probability", ylabel="Observed frequency")
        ax.set_title(_title("Calibration", len(means[0])))
        ax.legend(fontsize="small", loc="upper left")
        return self

    def _set_scale(self, ax):
        """Draw the diagonal; take logarithms where most bins are rare."""
        points = np.concatenate([np.ravel(curve) for curve in self.curves.values()])
        low = 0.0
        if np.median(points) < 0.05:
            low = max(points[points > 0].min() / 2, 1e-5)
            # Clipped, a bin without positives would draw a line down to the axis.
            ax.set_xscale("log", nonpositive="mask")
            ax.set_yscale("log", nonpositive="mask")
        high = min(1.0, max(np.max(points) * (1.5 if low else 1.1), 2 * low))
        ax.plot(
            [low, high], [low, high], ":", color="0.5", label="calibrated", zorder=0
        )
        ax.set(xlim=(low, high), ylim=(low, high), aspect="equal")
        if low > 0 and high < 100 * low:
            _label_few_ticks(ax)

    @classmethod
    def from_predictions(
        cls,
        y_true,
        y_proba,
        *,
        uncorrected=None,
        n_bins=10,
        strategy="quantile",
        sample_weight=None,
        pos_label=None,
        ax=None,
    ) -> Self:
        """Draw the lines of probabilities.

        Parameters
        ----------
        y_true : {array-like, sparse matrix} of shape (n_samples, n_labels) or \
                (n_samples,)
            0, 1 and NaN for a missing label, which is left out; or two classes.
        y_proba : array-like of shape (n_samples, n_labels) or (n_samples,)
            Probabilities.
        uncorrected : array-like of shape (n_samples, n_labels) or (n_samples,), \
                default=None
            The probabilities before correction, for comparison.
        n_bins : int, default=10
            Number of bins.
        strategy : {"quantile", "uniform"}, default="quantile"
            Bins of equal mass, or of equal width.
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
                default=None
            Weights of the rows or entries.
        pos_label : object, default=None
            The positive class of a 1-D `y_true`, whose probabilities `y_proba` holds;
            None is the last of the classes.
        ax : matplotlib Axes, default=None
            None makes a figure.

        Returns
        -------
        display : MultilabelCalibrationDisplay
            Drawn.

        Raises
        ------
        ValueError
            If the shapes differ, or a probability is outside [0, 1].
        """
        check_interval("n_bins", n_bins, 1)
        check_choice("strategy", strategy, BINNINGS)
        sets = {"probabilities": y_proba}
        if uncorrected is not None:
            sets = {"corrected": y_proba, "uncorrected": uncorrected}
        sample_weight, *aligned = align(y_true, sample_weight=sample_weight, **sets)
        y = as_labels(y_true, pos_label)
        curves, label_means = {}, {}
        for name, proba in zip(sets, aligned, strict=True):
            checked = check_probable_labels(y, proba, sample_weight)
            if not np.any(count_labels(checked[0], checked[-1])):
                raise ValueError("y_true has no observed label: nothing to draw.")
            _, *curve = reliability(
                *all_entries(*_thinned(*checked)), n_bins=int(n_bins), strategy=strategy
            )
            curves[name] = tuple(curve)
            label_means[name] = _means_of_labels(*checked)
        return cls(curves=curves, label_means=label_means).plot(ax)

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        uncorrected=None,
        sample_weight=None,
        pos_label=None,
        **options,
    ) -> Self:
        """Draw the lines of a fitted classifier.

        Parameters
        ----------
        estimator : classifier
            Fitted, with `predict_proba`.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows that did not train it.
        y : {array-like, sparse matrix} of shape (n_samples,) or (n_samples, n_labels)
            Their labels.
        uncorrected : classifier, default=None
            The classifier before calibration, for comparison.
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
                default=None
            Weights of the rows or entries.
        pos_label : object, default=None
            The positive class of a binary target; None is that of the estimator, or
            else the last of its classes.
        **options : dict
            Further parameters of `from_predictions`.

        Returns
        -------
        display : MultilabelCalibrationDisplay
            Drawn.
        """
        y, weight, read_as = labels_for_estimator(
            estimator, y, sample_weight, pos_label
        )
        proba = scores_of(estimator, X, (PROBA,), read_as)
        if uncorrected is not None:
            options["uncorrected"] = scores_of(uncorrected, X, (PROBA,), read_as)
        return cls.from_predictions(y, proba, sample_weight=weight, **options)


def _thinned(labels, scores, weight):
    """Return about evenly spaced rows, with `_BINNED_ENTRIES` entries in all."""
    some = one_in(-(-scores.size // _BINNED_ENTRIES), len(scores))
    return labels[some], scores[some], take_weights(weight, some)


def _means_of_labels(labels, proba, weight):
    """Return the mean probability and the base rate of each label."""
    means = [
        (np.average(score, weights=w), np.average(target, weights=w))
        for target, score, w in iter_columns(labels, proba, weight)
        if len(target) and (w is None or w.any())
    ]
    return tuple(np.transpose(means))


def _rates_at(thresholds, target, score, weight):
    """Return precision, recall and F1 at each of some thresholds."""
    positive, levels = score[target], np.nextafter(thresholds, np.inf)
    # A label is predicted where its score is greater, not where it is equal.
    hits = mass_at_least(positive, levels, take_weights(weight, target))
    predicted = mass_at_least(score, levels, weight)
    n_positive = len(positive) if weight is None else weight[target].sum()
    f1 = 2 * hits / (predicted + n_positive)
    return ratio(hits, predicted), hits / n_positive, f1


class ThresholdCurveDisplay(CurveDisplay):
    """Precision, recall and F1 against the threshold, and the best one of each label.

    The three lines are means over labels. Below lies, for up to ten labels, a tick for
    each at its threshold, beyond ten a histogram of them.

    Use `from_estimator` or `from_predictions`.

    Parameters
    ----------
    thresholds : ndarray of shape (n_points,)
        The thresholds.
    precision, recall, f1 : ndarray of shape (n_points,)
        Means over the labels; a label that is predicted nowhere has no precision.
    low, high : ndarray of shape (n_points,)
        Between them lies the F1 of nine of ten labels.
    label_thresholds : dict of str to float
        The threshold of each label. `from_estimator` takes the `thresholds_` of the
        classifier, if it has any: they are on its probabilities, or on its decision
        scores where it has no probabilities. Else it is the best of `thresholds`.

    Attributes
    ----------
    line_ : matplotlib Artist
        The F1 curve.
    ax_ : matplotlib Axes
        Axes with the curves.
    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    skimbalance.thresholds.tune_thresholds : Finds the thresholds.

    References
    ----------
    .. [1] Lipton, Elkan, Naryanaswamy, "Optimal Thresholding of Classifiers to Maximize
       F1 Measure", ECML PKDD 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.displays import ThresholdCurveDisplay
    >>> rng = np.random.default_rng(0)
    >>> proba = rng.random((500, 3)) ** 2
    >>> Y = (rng.random(proba.shape) < proba).astype(int)
    >>> display = ThresholdCurveDisplay.from_predictions(Y, proba)
    >>> list(display.label_thresholds)
    ['label 0', 'label 1', 'label 2']
    """

    def __init__(
        self, *, thresholds, precision, recall, f1, low, high, label_thresholds
    ):
        self.thresholds = thresholds
        self.precision = precision
        self.recall = recall
        self.f1 = f1
        self.low = low
        self.high = high
        self.label_thresholds = label_thresholds

    def plot(self, ax=None) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes a figure.

        Returns
        -------
        display : ThresholdCurveDisplay
            This object, with its artists.
        """
        ax, at = self._set_axes(ax), self.thresholds
        marks = list(self.label_thresholds.values())
        if len(marks) > 1:
            label = f"F1 of 90 % of {len(marks):,} labels"
            ax.fill_between(at, self.low, self.high, color="0.9", lw=0, label=label)
        ax.plot(at, self.precision, lw=1.5, label="precision")
        ax.plot(at, self.recall, lw=1.5, label="recall")
        (self.line_,) = ax.plot(at, self.f1, "k", lw=2.5, label="F1")
        self._mark_thresholds(ax)
        if at.min() > 0 and np.median(marks) < 0.1:
            ax.set_xscale("log")
        ax.set(
            xlabel="Threshold",
            ylabel="Mean over labels" if len(marks) > 1 else "Score",
            xlim=(at.min(), at.max()),
            ylim=(-0.2, 1.02),
            yticks=np.linspace(0, 1, 6),
        )
        ax.set_title(_title("Scores by threshold", len(marks)))
        ax.axhline(0, color="0.7", lw=0.8)
        ax.legend(fontsize="small", loc="center right")
        return self

    def _mark_thresholds(self, ax):
        """Mark the thresholds of the labels below the curves."""
        marks = np.clip(list(self.label_thresholds.values()), self.thresholds[0], None)
        if len(marks) > MOST_LINES:
            counts, edges = np.histogram(marks, self.thresholds[::5])
            height = 0.15 * counts / max(counts.max(), 1)
            label = "thresholds of the labels"
            ax.stairs(
                height - 0.18, edges, baseline=-0.18, fill=True, color="C2", label=label
            )
            return
        rows = np.linspace(-0.04, -0.17, len(marks))
        for row, name, mark in zip(rows, self.label_thresholds, marks, strict=True):
            ax.plot(mark, row, "|", ms=9, mew=2.5, label=name)

    @classmethod
    def from_predictions(
        cls,
        y_true,
        y_score,
        *,
        thresholds=None,
        label_names=None,
        sample_weight=None,
        pos_label=None,
        ax=None,
    ) -> Self:
        """Draw the curves of scores.

        Parameters
        ----------
        y_true : {array-like, sparse matrix} of shape (n_samples, n_labels) or \
                (n_samples,)
            0, 1 and NaN for a missing label, which is left out; or two classes.
        y_score : array-like of shape (n_samples, n_labels) or (n_samples,)
            Probabilities or decision scores.
        thresholds : array-like of shape (n_labels,), default=None
            Those to mark, also a dict or a Series by the names of the labels. None
            marks the best of the drawn ones.
        label_names : array-like of str, shape (n_labels,), default=None
            None takes the columns of a data frame, or numbers.
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
                default=None
            Weights of the rows or entries.
        pos_label : object, default=None
            The positive class of a 1-D `y_true`, whose scores `y_score` holds; None is
            the last of the classes.
        ax : matplotlib Axes, default=None
            None makes a figure.

        Returns
        -------
        display : ThresholdCurveDisplay
            Drawn.

        Raises
        ------
        ValueError
            If the shapes differ, scores are not finite, or nothing is positive.
        """
        checked = check_scored(y_true, y_score, sample_weight, pos_label)
        names = keys_of(label_names, y_true, checked[0].shape[1])
        grid = _threshold_grid(checked[1])
        rates, known = [], []
        for k, (target, score, w) in enumerate(iter_columns(*checked)):
            if (target if w is None else w[target]).any():
                rates.append(_rates_at(grid, target, score, w))
                known.append(k)
        warn_without_positives(len(names) - len(known), len(names))
        precision, recall, f1 = np.array(rates).transpose(1, 0, 2)
        marks = grid[f1.argmax(axis=1)]
        if thresholds is not None:
            marks = check_per_label("thresholds", thresholds, len(names), names=names)[
                known
            ]
        mean, low, high = _mean_and_band(f1)
        display = cls(
            thresholds=grid,
            # np.nanmean would warn of the thresholds at which nothing is predicted.
            precision=ratio(
                np.nansum(precision, axis=0), (~np.isnan(precision)).sum(axis=0)
            ),
            recall=recall.mean(axis=0),
            f1=mean,
            low=low,
            high=high,
            label_thresholds=dict(
                zip([names[k] for k in known], marks.tolist(), strict=True)
            ),
        )
        return display.plot(ax)

    @classmethod
    def _methods_and_options(cls, estimator, read_as):
        classifier = unwrap(estimator)
        thresholds = getattr(classifier, "thresholds_", None)
        if thresholds is None:
            return (PROBA, DECISION), {}
        # A search of thresholds knows what they are compared with.
        method = getattr(classifier, "_response_method", None)
        methods = (PROBA, DECISION) if method is None else (method,)
        own = pos_label_of(classifier)
        # The thresholds of one class are no thresholds of the other.
        if own is not None and own != read_as.get("positive"):
            return methods, {}
        places = label_places(classifier, read_as.get("label_names"))
        return methods, {
            "thresholds": thresholds if places is None else thresholds[places]
        }


def _threshold_grid(scores):
    """Return a hundred thresholds, more of them where probabilities are rare."""
    low, high = float(scores.min()), float(scores.max())
    is_proba, low = low >= 0 and high <= 1, np.nextafter(low, -np.inf)
    if is_proba:  # the first threshold is one that all scores exceed
        typical = np.median(scores[scores > 0]) if (scores > 0).any() else 0.5
        low = max(low, min(typical, 0.05) / 10, 1e-4)
        return np.geomspace(low, 1, 101) if low < 0.02 else np.linspace(0, 1, 101)
    return np.linspace(low, high, 101)


def _innermost(estimator):
    """Return the fitted net in a pipeline, a search or a wrapper, if there is one."""
    while not hasattr(estimator := unwrap(estimator), "history_"):
        inner = getattr(estimator, "estimator_", None)
        if inner is None:
            break
        estimator = inner
    return estimator


class TrainingHistoryDisplay(Display):
    """Losses, and the validation score, against the epoch.

    Use `from_estimator` or `from_predictions`.

    Parameters
    ----------
    epoch : ndarray of shape (n_epochs,)
        Numbers of the epochs.
    train_loss : ndarray of shape (n_epochs,)
        Mean loss of the training rows.
    valid_loss : ndarray of shape (n_epochs,), default=None
        That of the held-out rows.
    valid_score : ndarray of shape (n_epochs,), default=None
        Their score, on an axis of its own.

    Attributes
    ----------
    line_ : matplotlib Artist
        The training loss.
    ax_ : matplotlib Axes
        Axes with the losses.
    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    skimbalance.neural_network.ImbalancedMLPClassifier : Keeps a history.

    Examples
    --------
    >>> from skimbalance.displays import TrainingHistoryDisplay
    >>> history = [{"epoch": 1, "train_loss": 0.7, "valid_loss": 0.6},
    ...            {"epoch": 2, "train_loss": 0.5, "valid_loss": 0.5}]
    >>> TrainingHistoryDisplay.from_predictions(history).ax_.get_xlabel()
    'Epoch'
    """

    def __init__(self, *, epoch, train_loss, valid_loss=None, valid_score=None):
        self.epoch = epoch
        self.train_loss = train_loss
        self.valid_loss = valid_loss
        self.valid_score = valid_score

    def plot(self, ax=None) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes a figure.

        Returns
        -------
        display : TrainingHistoryDisplay
            This object, with its artists.
        """
        ax = self._set_axes(ax)
        # A line of one point would not show.
        mark = "o-" if len(self.epoch) < 3 else "-"
        (self.line_,) = ax.plot(
            self.epoch, self.train_loss, mark, label="training loss"
        )
        lines = [self.line_]
        if self.valid_loss is not None:
            lines += ax.plot(self.epoch, self.valid_loss, mark, label="validation loss")
        ax.set(xlabel="Epoch", ylabel="Loss", title="Training history")
        if self.valid_score is not None:
            lines += self._plot_score(ax, mark)
        best = self._best_epoch()
        if best is not None:
            label = f"best epoch, {best}"
            lines.append(ax.axvline(best, color="0.6", ls=":", label=label))
        ax.legend(handles=lines, fontsize="small", loc="center right")
        return self

    def _plot_score(self, ax, mark):
        """Draw the score on an axis of its own, as its scale is another."""
        twin = ax.twinx()
        twin.set_ylabel("Validation score")
        return twin.plot(
            self.epoch, self.valid_score, mark, color="C2", label="validation score"
        )

    def _best_epoch(self):
        """Return the epoch of the best score, or else of the least held-out loss.

        A score that is undefined in each epoch, as of rows of one class, chooses none.
        """
        for values, best in (
            (self.valid_score, np.nanargmax),
            (self.valid_loss, np.nanargmin),
        ):
            if values is not None and not np.isnan(values).all():
                return self.epoch[best(values)]
        return None

    @classmethod
    def from_predictions(cls, history, *, ax=None) -> Self:
        """Draw a history.

        Parameters
        ----------
        history : list of dict
            For each epoch ``"train_loss"`` and, where rows were held out,
            ``"valid_loss"`` and ``"valid_score"``, as in `history_` of the nets.
        ax : matplotlib Axes, default=None
            None makes a figure.

        Returns
        -------
        display : TrainingHistoryDisplay
            Drawn.

        Raises
        ------
        ValueError
            If there is no epoch, or one without a training loss.
        """
        if not history or not all("train_loss" in epoch for epoch in history):
            raise ValueError(
                "history must be a list of dicts with 'train_loss', one for each epoch."
            )
        known = {
            name: np.array([epoch.get(name, np.nan) for epoch in history], dtype=float)
            for name in ("train_loss", "valid_loss", "valid_score")
            if any(epoch.get(name) is not None for epoch in history)
        }
        numbers = [epoch.get("epoch", k) for k, epoch in enumerate(history, 1)]
        return cls(epoch=np.array(numbers), **known).plot(ax)

    @classmethod
    def from_estimator(cls, estimator, *, ax=None) -> Self:
        """Draw the history of a fitted net.

        Parameters
        ----------
        estimator : estimator
            Fitted, with `history_`; or a pipeline, search or wrapper around one.
        ax : matplotlib Axes, default=None
            None makes a figure.

        Returns
        -------
        display : TrainingHistoryDisplay
            Drawn.

        Raises
        ------
        ValueError
            If the estimator has no history.
        """
        estimator = _innermost(estimator)
        if not getattr(estimator, "history_", None):
            raise ValueError(
                f"{type(estimator).__name__} has no history_: fit a net of "
                "skimbalance.neural_network first."
            )
        return cls.from_predictions(estimator.history_, ax=ax)
