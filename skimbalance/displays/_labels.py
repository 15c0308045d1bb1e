"""Displays of label matrices: counts, labels that share rows, effects of resampling."""

from typing import Any, Self

import numpy as np
import scipy.sparse as sp

from skimbalance._columns import ratio
from skimbalance._counts import count_labels
from skimbalance._labels import check_label_matrix
from skimbalance._validation import align_columns, check_integer, column_names
from skimbalance.displays._base import Display, check_drawn, names_of
from skimbalance.metrics._imbalance import (
    imbalance_ratios,
    positive_entries,
    scumble_of_labels,
    scumble_of_rows,
)

# Points of height per label: a name of 6 points is the smallest that prints legibly.
_ROOMY, _LEAST = 14, 7
# Up to so many labels have a line with their name in a figure of our own, which is then
# 10 inches high: more does not fit a page.
_MOST_NAMED = 60
# Characters of a name: longer ones would leave no place for the counts.
_LONGEST_NAME = 24
# Counts whose largest and smallest differ by more are drawn on a logarithmic axis: a
# bar of a thirtieth of the width is hardly seen.
_WIDE_RANGE = 30
# Fractions of fewer rows are noise: one row makes all its labels seem to go together.
_ENOUGH_ROWS = 10
# Up to so many labels have the fractions written into the matrix.
_MOST_WRITTEN = 12


def _shortened(name):
    """Return a name that leaves place for the picture."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _is_wide(counts):
    """Return whether counts need a logarithmic axis."""
    known = counts[counts > 0]
    return bool(len(known)) and known.max() > _WIDE_RANGE * known.min()


class _CountDisplay(Display):
    """Base of the displays of counts: a line a label with its name, or a curve."""

    def _count_axes(self, ax, n_labels):
        """Return the axes, and the font size of names; 0 if they have no place.

        A figure of our own is as high as the names need.
        """
        self._is_own, figsize = ax is None, None
        if n_labels <= _MOST_NAMED:
            per_label = _ROOMY if n_labels <= 30 else 10
            figsize = 6.4, max(2.4, (n_labels * per_label + 70) / 72)
        ax = self._set_axes(ax, figsize)
        height = ax.get_window_extent().height * 72 / self.figure_.dpi
        per_label = height / n_labels
        if n_labels > _MOST_NAMED or per_label < _LEAST:
            return ax, 0
        return ax, min(10.0, 0.8 * per_label)

    def _set_legend(self, ax, handles, **options):
        """Draw the legend; in a figure of our own below the axes, free of bars."""
        if self._is_own:
            options |= {"loc": "outside lower right", "ncols": 2, "frameon": False}
            self.figure_.legend(handles=handles, fontsize="small", **options)
        else:
            ax.legend(handles=handles, fontsize="small", loc="best", **options)

    def _show_ranks(self, ax, n_labels, text):
        """Prepare an axis of ranks, with a margin beside the most frequent label."""
        margin = 0.02 * n_labels
        ax.set(xlabel=text, ylabel="Positives", xlim=(-margin, n_labels + margin))
        ax.xaxis.set_major_formatter("{x:,.0f}")

    def _name_labels(self, ax, names, size):
        """Write the names beside the lines, the first one at the top."""
        ax.set_yticks(range(len(names)), list(map(_shortened, names)), fontsize=size)
        ax.set_ylim(len(names) - 0.4, -0.6)
        ax.tick_params(axis="y", length=0)
        ax.spines[["top", "right"]].set_visible(False)

    def _scale_counts(self, axis, counts):
        """Choose the scale of the axis of counts, from a little below the least."""
        ax = self.ax_
        limits = ax.set_xlim if axis == "x" else ax.set_ylim
        if _is_wide(counts):
            (ax.set_xscale if axis == "x" else ax.set_yscale)("log")
            (ax.xaxis if axis == "x" else ax.yaxis).set_major_formatter("{x:,.0f}")
            # A bar of 1 has a length, too.
            limits(0.6, 2.2 * counts.max())
        else:
            limits(0, 1.15 * max(counts.max(initial=0), 1))


class LabelImbalanceDisplay(_CountDisplay):
    """Numbers of positives of the labels, from the most frequent to the rarest.

    Up to 60 labels have a bar each, with name and number; more are a curve over their
    rank.

    Use `from_labels`.

    Parameters
    ----------
    n_positive : ndarray of shape (n_labels,)
        Positives of each label, in descending order.
    label_names : list of str
        Names of the labels, in the same order.
    rare : int
        Labels with fewer positives are marked.
    mean_imbalance_ratio : float
        Mean imbalance ratio of the labels with positives.

    Attributes
    ----------
    bars_ : matplotlib Artist
        The bars, or the curve.
    ax_ : matplotlib Axes
        Axes with the counts.
    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    skimbalance.metrics.imbalance_report : The counts as a table, with a reading.

    References
    ----------
    .. [1] Charte, Rivera, del Jesus, Herrera, "Addressing Imbalance in Multilabel
       Classification: Measures and Random Resampling Algorithms", Neurocomputing 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.displays import LabelImbalanceDisplay
    >>> rng = np.random.default_rng(0)
    >>> Y = (rng.random((500, 3)) < [0.01, 0.3, 0.1]).astype(int)
    >>> names = ["eel", "cat", "dog"]
    >>> LabelImbalanceDisplay.from_labels(Y, label_names=names).label_names
    ['cat', 'dog', 'eel']
    """

    def __init__(self, *, n_positive, label_names, rare, mean_imbalance_ratio):
        self.n_positive = n_positive
        self.label_names = label_names
        self.rare = rare
        self.mean_imbalance_ratio = mean_imbalance_ratio

    def plot(self, ax=None) -> Self:
        """Draw the counts.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes a figure, as high as the names need.

        Returns
        -------
        display : LabelImbalanceDisplay
            This object, with its artists.
        """
        ax, size = self._count_axes(ax, len(self.n_positive))
        draw = self._plot_bars if size else self._plot_curve
        draw(ax, size)
        ax.set_title(
            f"{len(self.n_positive):,} labels, mean imbalance ratio "
            f"{self.mean_imbalance_ratio:.3g}",
            fontsize="medium",
        )
        return self

    def _plot_bars(self, ax, size):
        """Draw a bar for each label, with its number at the end."""
        counts = self.n_positive
        rare = counts < self.rare
        self._scale_counts("x", counts)
        self.bars_ = ax.barh(
            range(len(counts)), counts, color=np.where(rare, "C1", "C0"), height=0.75
        )
        for k, count in enumerate(counts):
            ax.annotate(
                f"{count:,.0f}",
                (max(count, ax.get_xlim()[0]), k),
                xytext=(3, 0),
                textcoords="offset points",
                va="center",
                fontsize=0.9 * size,
            )
        self._name_labels(ax, self.label_names, size)
        ax.set_xlabel("Positives")
        if rare.any():
            handle = ax.barh([np.nan], [np.nan], color="C1", label=self._rare_text())
            self._set_legend(ax, [handle])

    def _rare_text(self):
        """Return how many labels are rare, and how many of them have no positive."""
        n_rare = int((self.n_positive < self.rare).sum())
        n_empty = int((self.n_positive == 0).sum())
        noun = "label" if n_rare == 1 else "labels"
        text = f"fewer than {self.rare} positives: {n_rare:,} {noun}"
        return f"{text}, {n_empty:,} without any" if n_empty else text

    def _plot_curve(self, ax, size):  # noqa: ARG002
        """Draw the counts over the rank, and name the first and the last label."""
        counts, n_labels = self.n_positive, len(self.n_positive)
        self._scale_counts("y", counts)
        low = ax.get_ylim()[0]
        drawn = np.maximum(counts, low)
        # Steps about the ranks, so that a single rare label has an area, too.
        edges, heights = np.arange(n_labels + 1) + 0.5, np.append(drawn, drawn[-1])
        options: Any = {"step": "post", "lw": 0}
        ax.fill_between(edges, low, heights, color="C0", alpha=0.25, **options)
        (self.bars_,) = ax.step(edges, heights, where="post", color="C0")
        n_rare = int((counts < self.rare).sum())
        if n_rare:
            tail = edges[-n_rare - 1 :], low, heights[-n_rare - 1 :]
            area = ax.fill_between(
                *tail, color="C1", label=self._rare_text(), **options
            )
            ax.axhline(self.rare, color="C1", ls=":", lw=1)
            self._set_legend(ax, [area])
        rank = np.arange(1, n_labels + 1)
        self._name_ends(ax, rank, drawn)
        self._show_ranks(ax, n_labels, "Rank of the label")

    def _name_ends(self, ax, rank, drawn):
        """Write the most frequent label and the rarest one beside the curve."""
        for k, align, shift in ((0, "left", (6, 0)), (-1, "right", (0, 10))):
            text = f"{_shortened(self.label_names[k])}: {self.n_positive[k]:,.0f}"
            ax.annotate(
                text,
                (rank[k], drawn[k]),
                xytext=shift,
                textcoords="offset points",
                ha=align,
                fontsize="small",
            )

    @classmethod
    def from_labels(cls, y, *, label_names=None, rare=10, ax=None) -> Self:
        """Draw the counts of a label matrix.

        Parameters
        ----------
        y : {array-like, sparse matrix} of shape (n_samples, n_labels)
            0, 1 and NaN for a missing label, which is not counted.
        label_names : array-like of str, shape (n_labels,), default=None
            None takes the columns of a data frame, or numbers.
        rare : int, default=10
            Labels with fewer positives are marked.
        ax : matplotlib Axes, default=None
            None makes a figure.

        Returns
        -------
        display : LabelImbalanceDisplay
            Drawn.

        Raises
        ------
        ValueError
            If `y` is no label matrix, or names and labels differ in number.
        """
        rare = check_integer("rare", rare, 0)
        labels = check_label_matrix(y)
        names = names_of(label_names, y, labels.shape[1])
        n_positive, _ = count_labels(labels)
        order = np.argsort(-n_positive, kind="stable")
        display = cls(
            n_positive=n_positive[order],
            label_names=[names[k] for k in order],
            rare=rare,
            mean_imbalance_ratio=_mean_ratio(labels),
        )
        return display.plot(ax)


def _mean_ratio(labels):
    """Return the mean imbalance ratio of the labels with positives, or NaN."""
    ratios = imbalance_ratios(labels)
    known = ratios[~np.isnan(ratios)]
    return float(known.mean()) if len(known) else np.nan


class ResamplingDisplay(_CountDisplay):
    """Numbers of positives of the labels before and after resampling.

    Up to 60 labels have a line each, from the number before to the one after; more are
    points over their rank.

    Use `from_labels`.

    Parameters
    ----------
    before, after : ndarray of shape (n_labels,)
        Positives of each label, in descending order before.
    label_names : list of str
        Names of the labels, in the same order.
    n_rows : tuple of two int
        Numbers of rows before and after.
    mean_imbalance_ratio : tuple of two float
        Mean imbalance ratios before and after.

    Attributes
    ----------
    before_, after_ : matplotlib Artist
        The points, or the curves.
    ax_ : matplotlib Axes
        Axes with the counts.
    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    LabelImbalanceDisplay : Of one label matrix.

    References
    ----------
    .. [1] Charte, Rivera, del Jesus, Herrera, "Addressing Imbalance in Multilabel
       Classification: Measures and Random Resampling Algorithms", Neurocomputing 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.displays import ResamplingDisplay
    >>> Y = np.array([[1, 0], [1, 0], [1, 1], [1, 0]])
    >>> display = ResamplingDisplay.from_labels(Y, np.vstack([Y, Y[2:3]]))
    >>> display.mean_imbalance_ratio
    (2.5, 1.75)
    """

    def __init__(self, *, before, after, label_names, n_rows, mean_imbalance_ratio):
        self.before = before
        self.after = after
        self.label_names = label_names
        self.n_rows = n_rows
        self.mean_imbalance_ratio = mean_imbalance_ratio

    def plot(self, ax=None) -> Self:
        """Draw the counts.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes a figure, as high as the names need.

        Returns
        -------
        display : ResamplingDisplay
            This object, with its artists.
        """
        n_labels, both = len(self.before), np.append(self.before, self.after)
        ax, size = self._count_axes(ax, n_labels)
        self._scale_counts("x" if size else "y", both)
        low = (ax.get_xlim() if size else ax.get_ylim())[0]
        # On a logarithmic axis a label without positives stands at the margin.
        before, after = np.maximum(self.before, low), np.maximum(self.after, low)
        if size:
            self._plot_lines(ax, size, before, after)
        else:
            self._plot_points(ax, before, after)
        rows, ratios = self.n_rows, self.mean_imbalance_ratio
        ax.set_title(
            f"{rows[0]:,} → {rows[1]:,} rows, mean imbalance ratio {ratios[0]:.3g} → "
            f"{ratios[1]:.3g}",
            fontsize="medium",
        )
        # The points of many labels are too small to be recognised in the legend.
        scale = 4 if len(before) > 500 else 1
        self._set_legend(ax, [self.before_, self.after_], markerscale=scale)
        return self

    def _plot_lines(self, ax, size, before, after):
        """Draw a line for each label, from the number before to the one after."""
        place = np.arange(len(before))
        ax.hlines(place, before, after, color="0.75", lw=2, zorder=1)
        (self.before_,) = ax.plot(
            before, place, "o", ms=5, mfc="w", color="0.4", label="before"
        )
        (self.after_,) = ax.plot(after, place, "o", ms=5, color="C0", label="after")
        self._name_labels(ax, self.label_names, size)
        ax.grid(axis="y", color="0.93", zorder=0)
        ax.set_axisbelow(True)
        ax.set_xlabel("Positives")

    def _plot_points(self, ax, before, after):
        """Draw the counts over the rank before: a curve, and points about it."""
        rank = np.arange(1, len(before) + 1)
        size = float(np.clip(6000 / len(rank), 3, 25))
        self.after_ = ax.scatter(
            rank, after, s=size, lw=0, alpha=0.5, color="C0", label="after"
        )
        (self.before_,) = ax.plot(rank, before, color="0.2", lw=2, label="before")
        self._show_ranks(ax, len(rank), "Rank of the label before")

    @classmethod
    def from_labels(cls, y_before, y_after, *, label_names=None, ax=None) -> Self:
        """Draw the counts of the label matrices before and after resampling.

        Parameters
        ----------
        y_before, y_after : {array-like, sparse matrix} of shape (n_samples, n_labels)
            0, 1 and NaN for a missing label, which is not counted; the numbers of rows
            may differ. Columns of frames are matched by name.
        label_names : array-like of str, shape (n_labels,), default=None
            None takes the columns of a data frame, or numbers.
        ax : matplotlib Axes, default=None
            None makes a figure.

        Returns
        -------
        display : ResamplingDisplay
            Drawn.

        Raises
        ------
        ValueError
            If one is no label matrix, or their numbers of labels differ.
        """
        y_after = align_columns(y_after, column_names(y_before), "y_after")
        first = check_label_matrix(y_before, "y_before")
        second = check_label_matrix(y_after, "y_after")
        if first.shape[1] != second.shape[1]:
            raise ValueError(
                f"y_after has {second.shape[1]} labels, but y_before has "
                f"{first.shape[1]}."
            )
        names = names_of(label_names, y_before, first.shape[1])
        before, after = count_labels(first)[0], count_labels(second)[0]
        order = np.argsort(-before, kind="stable")
        display = cls(
            before=before[order],
            after=after[order],
            label_names=[names[k] for k in order],
            n_rows=(first.shape[0], second.shape[0]),
            mean_imbalance_ratio=(_mean_ratio(first), _mean_ratio(second)),
        )
        return display.plot(ax)


class LabelCooccurrenceDisplay(Display):
    """How often a row with one label has another one, as a matrix of colours.

    Of many labels, half of those shown are the most frequent ones and half those of
    ten positives or more that share their rows most with much more frequent labels (the
    highest SCUMBLE).

    Use `from_labels`.

    Parameters
    ----------
    probability : ndarray of shape (n_shown, n_shown)
        Of the rows with the label of the row, the fraction with that of the column;
        NaN for labels without positives.
    label_names : list of str
        Names of the labels that are shown, from the most frequent to the rarest.
    n_positive : ndarray of shape (n_shown,)
        Their positives.
    n_labels : int
        Number of all labels.
    scumble : float
        SCUMBLE of all rows.

    Attributes
    ----------
    im_ : matplotlib Artist
        The matrix.
    ax_ : matplotlib Axes
        Axes with the matrix.
    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    skimbalance.metrics.scumble_score : How far frequent and rare labels share rows.

    References
    ----------
    .. [1] Charte, Rivera, del Jesus, Herrera, "Concurrence among Imbalanced Labels and
       its Influence on Multilabel Resampling Algorithms", HAIS 2014.

    Examples
    --------
    >>> from skimbalance.displays import LabelCooccurrenceDisplay
    >>> Y = [[1, 0], [1, 1], [1, 0], [1, 0]]
    >>> LabelCooccurrenceDisplay.from_labels(Y).probability
    array([[1.  , 0.25],
           [1.  , 1.  ]])
    """

    def __init__(self, *, probability, label_names, n_positive, n_labels, scumble):
        self.probability = probability
        self.label_names = label_names
        self.n_positive = n_positive
        self.n_labels = n_labels
        self.scumble = scumble

    def plot(self, ax=None) -> Self:
        """Draw the matrix.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes a figure, as large as the names need.

        Returns
        -------
        display : LabelCooccurrenceDisplay
            This object, with its artists.
        """
        n_shown = len(self.label_names)
        side = (max(n_shown, 12) * 11 + 190) / 72
        ax = self._set_axes(ax, (side + 1, side))
        others = np.where(np.eye(n_shown, dtype=bool), np.nan, self.probability)
        known = others[~np.isnan(others)]
        # The diagonal is 1 by definition: with it, all else would be pale.
        self.im_ = ax.imshow(others, cmap=_colours(), vmin=0, vmax=_top(known))
        self._name_axes(ax)
        self.figure_.colorbar(self.im_, ax=ax, shrink=0.7)
        if n_shown <= _MOST_WRITTEN:
            self._write_fractions(ax, others)
        ax.set(
            ylabel="Of the rows with this label ...",
            xlabel="... the fraction that has this one, too",
        )
        part = "" if n_shown == self.n_labels else f"{n_shown:,} of "
        ax.set_title(
            f"{part}{self.n_labels:,} labels, SCUMBLE {self.scumble:.2g}",
            fontsize="medium",
        )
        return self

    def _write_fractions(self, ax, others):
        """Write the fractions into the matrix, pale on dark entries."""
        dark = 0.6 * self.im_.get_clim()[1]
        for k, j in np.argwhere(~np.isnan(others)):
            colour = "w" if others[k, j] > dark else "0.2"
            text = f"{others[k, j]:.2f}"
            ax.text(j, k, text, ha="center", va="center", color=colour, fontsize=8)

    def _name_axes(self, ax):
        """Write the names on both axes, and the counts with those of the lines."""
        n_shown = len(self.label_names)
        extent = ax.get_window_extent()
        per_label = min(extent.width, extent.height) * 72 / self.figure_.dpi / n_shown
        size = float(np.clip(0.8 * per_label, 4, 10))
        names = list(map(_shortened, self.label_names))
        lines = [
            f"{name} ({count:,.0f})"
            for name, count in zip(names, self.n_positive, strict=True)
        ]
        ax.set_xticks(range(n_shown), names, rotation=90, fontsize=size)
        ax.set_yticks(range(n_shown), lines, fontsize=size)
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)

    @classmethod
    def from_labels(
        cls, y, *, labels=None, max_labels=30, label_names=None, ax=None
    ) -> Self:
        """Draw the labels of a label matrix that share rows.

        Parameters
        ----------
        y : {array-like, sparse matrix} of shape (n_samples, n_labels)
            0, 1 and NaN for a missing label; a pair counts in the rows where the other
            label is observed.
        labels : array-like of int, shape (n_chosen,), default=None
            Columns that are shown. None chooses them.
        max_labels : int, default=30
            The most labels that are chosen.
        label_names : array-like of str, shape (n_labels,), default=None
            None takes the columns of a data frame, or numbers.
        ax : matplotlib Axes, default=None
            None makes a figure.

        Returns
        -------
        display : LabelCooccurrenceDisplay
            Drawn.

        Raises
        ------
        ValueError
            If `y` is no label matrix, or `labels` are no columns of it.
        """
        max_labels = check_integer("max_labels", max_labels, 2)
        matrix = check_label_matrix(y)
        n_labels = matrix.shape[1]
        names = names_of(label_names, y, n_labels)
        n_positive, _ = count_labels(matrix)
        positive = positive_entries(matrix)
        rows = scumble_of_rows(positive, imbalance_ratios(matrix))
        if labels is None:
            shown = _most_telling(n_positive, positive, rows, max_labels)
        else:
            shown = np.array(check_drawn(labels, n_labels))
        shown = shown[np.argsort(-n_positive[shown], kind="stable")]
        display = cls(
            probability=_conditional(matrix, shown),
            label_names=[names[k] for k in shown],
            n_positive=n_positive[shown],
            n_labels=n_labels,
            scumble=float(rows.mean()),
        )
        return display.plot(ax)


def _most_telling(n_positive, positive, rows, most):
    """Return the most frequent labels, and those that share rows with them."""
    order = np.argsort(-n_positive, kind="stable")
    if len(order) <= most:
        return order
    frequent, others = np.split(order, [most - most // 2])
    shared = np.nan_to_num(scumble_of_labels(positive, rows)[others])
    is_noise = n_positive[others] < _ENOUGH_ROWS
    return np.append(frequent, others[np.lexsort((-shared, is_noise))[: most // 2]])


def _conditional(matrix, shown):
    """Return the fraction of the rows of each label that have each other one."""
    block = matrix[:, shown]
    block = block.toarray() if sp.issparse(block) else block
    positive, observed = (block == 1).astype(float), (block >= 0).astype(float)
    return ratio(positive.T @ positive, positive.T @ observed)


def _colours():
    """Return a map of colours in which what is not defined is grey."""
    from matplotlib import colormaps

    return colormaps["Blues"].with_extremes(bad="0.85")


def _top(known):
    """Return the end of the scale of colours."""
    return float(known.max()) if len(known) and known.max() > 0 else 1.0
