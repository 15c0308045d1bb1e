"""The splitters, and the parts that they make of the rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Integral

import numpy as np
import scipy.sparse as sp
from sklearn.model_selection import BaseCrossValidator, BaseShuffleSplit
from sklearn.utils import check_array, check_random_state, indexable
from sklearn.utils.multiclass import type_of_target

from skimbalance._base import warn_undefined, warn_user
from skimbalance._labels import (
    BINARY,
    MULTICLASS,
    MULTILABEL,
    check_target,
)
from skimbalance._validation import (
    check_choice,
    check_groups,
    check_integer,
    check_same_length,
    n_samples_of,
    split_sizes,
    take_rows,
)
from skimbalance.model_selection._greedy import (
    IterativeStratification,
    fill_parts,
    level_sizes,
    place_groups,
)
from skimbalance.model_selection._label_counts import (
    column_weights,
    desired_counts,
    even_range,
    group_items,
    label_pairs,
    missing,
    part_counts,
    positives,
    whole_sizes,
    widen_for_groups,
)
from skimbalance.model_selection._swaps import Refinement

__all__ = [
    "MultilabelStratifiedGroupKFold",
    "MultilabelStratifiedKFold",
    "MultilabelStratifiedShuffleSplit",
    "RepeatedMultilabelStratifiedKFold",
    "multilabel_train_test_split",
]

_SUPPORTED = BINARY, MULTICLASS, MULTILABEL


# ------------------------------------------------------------------ checks of the input


def _check_n_splits(n_splits):
    # The texts are those of scikit-learn, which its own estimator checks look for.
    if not isinstance(n_splits, Integral):
        raise ValueError(
            f"The number of folds must be of Integral type. {n_splits!r} of type "
            f"{type(n_splits)} was passed."
        )
    if n_splits < 2:
        raise ValueError(
            "k-fold cross-validation requires at least one train/test split by setting "
            f"n_splits=2 or more, got n_splits={n_splits}."
        )


def _check_flag(name, value):
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False; got {value!r}.")


def _check_method(order, refine):
    check_choice("order", order, (1, 2))
    _check_flag("refine", refine)


def _check_supported(y, name):
    """Return `y` as a `Target`; name its type in the error when it is none."""
    try:
        return check_target(y, name)
    except ValueError as error:
        kind = _kind_of(y)
        if kind in (*_SUPPORTED, None):
            raise
        raise ValueError(
            f"Supported target types are: {_SUPPORTED}. Got {kind!r} instead. {error}"
        ) from error


def _kind_of(y):
    try:
        with np.errstate(invalid="ignore"):
            return type_of_target(y)
    except (TypeError, ValueError):
        return None


def _check_groups(groups):
    if groups is None:
        raise ValueError("The 'groups' parameter should not be None.")
    groups = check_array(groups, input_name="groups", ensure_2d=False, dtype=None)  # pyright: ignore[reportArgumentType]
    return check_groups(groups)


def _check_enough(n_splits, n, what):
    if n_splits > n:
        raise ValueError(
            f"Cannot have number of splits n_splits={n_splits} greater than the number "
            f"of {what}."
        )


# ----------------------------------------------------------------- the part of each row


def stratified_parts(
    labels, sizes, rng=None, groups=None, *, extra=None, n_required=0, refine=True
):
    """Return a part for each row, so that each label keeps its fraction in each part.

    Parameters
    ----------
    labels : csr_array of shape (n_samples, n_labels)
        Positives, from `positives`.
    sizes : array-like of shape (n_parts,)
        Desired number of rows of each part.
    rng : RandomState or None
        Takes the rows in random order; None keeps the order they have.
    groups : array-like of shape (n_samples,) or None
        Rows of one group stay together.
    extra : csr_array of shape (n_samples, n_columns) or None
        What else is to be distributed: missing entries, pairs of labels.
    n_required : int
        The first parts get a positive of each label that has as many, and a group.
    refine : bool
        Swap rows after the greedy distribution, which makes the sizes exact too.

    Returns
    -------
    part : ndarray of int, shape (n_samples,)
    """
    sizes, (n_samples, n_labels) = np.asarray(sizes, dtype=float), labels.shape
    columns = labels if extra is None else sp.hstack([labels, extra], format="csr")
    totals = columns.sum(axis=0)
    weights = column_weights(totals, n_samples, n_labels)
    # The greedy distribution aims at fractions of rows, so that each part is as likely
    # to get the rows that are left over; the refinement needs whole sizes.
    desired = desired_counts(totals, sizes, n_required)
    whole = whole_sizes(sizes)
    objective = (
        desired_counts(totals, whole, n_required),
        even_range(desired[:n_labels]),
        weights,
    )
    if groups is not None:
        return _group_parts(columns, groups, whole, objective, rng, refine, n_required)
    part = IterativeStratification(columns, desired, sizes, rng).run()
    if not refine:
        return part
    level_sizes(part, whole, np.diff(labels.indptr), rng)
    return Refinement(columns, part, *objective, _or_fixed(rng)).run()


def _group_parts(columns, groups, sizes, objective, rng, refine, n_required):
    """Return a part for each row, the same one for all rows of a group.

    Groups are handled as rows are, with counts of labels instead of labels.
    """
    desired, even, weights = objective
    items, index = group_items(columns, groups)
    even = widen_for_groups(even, items)
    # The number of rows is one more column, as important as a label is on average.
    desired, weights = np.vstack([desired, sizes]), np.append(weights, weights.mean())
    part = place_groups(items, desired, weights, rng)
    if refine:
        # Groups may move as well: a move is a swap with an item that holds nothing.
        nothing = sp.csr_array(items.shape, dtype=items.dtype)
        both = sp.vstack([items, nothing], format="csr")
        start = np.concatenate([part, np.arange(len(part)) % len(sizes)])
        refined = Refinement(both, start, desired, even, weights, _or_fixed(rng)).run()
        part = refined[: len(part)]
    fill_parts(part, n_required, items[:, [-1]].toarray().ravel())
    return part[index]


def _or_fixed(rng):
    # Without shuffling the refinement still draws its candidates, always the same ones.
    return rng or np.random.RandomState(0)


# ------------------------------------------------------------------- what to distribute


@dataclass(frozen=True)
class _Labels:
    """The positives of a target, and what else is to be distributed with them.

    Attributes
    ----------
    positives : csr_array of shape (n_samples, n_labels)
    extra : csr_array of shape (n_samples, n_columns) or None
        Missing entries and pairs of labels.
    names : ndarray of shape (n_labels,)
    """

    positives: sp.csr_array
    extra: sp.csr_array | None
    names: np.ndarray

    @classmethod
    def of(cls, y, order, name="y"):
        """Read a target; each class of a 1-D one is a label."""
        target = _check_supported(y, name)
        one_dimensional = target.kind != MULTILABEL
        values = target.class_index if one_dimensional else target.values
        labels = positives(values)
        extra = [missing(values)] + ([label_pairs(labels)] if order == 2 else [])
        extra = [columns for columns in extra if columns.nnz]
        names = target.classes if one_dimensional else target.label_names
        if names is None:
            names = np.arange(target.n_outputs)
        extra = sp.csr_array(sp.hstack(extra, format="csr")) if extra else None
        return cls(labels, extra, names.astype(str) if names.dtype == "O" else names)

    def __len__(self):
        return len(self.positives.indptr) - 1

    def parts(self, sizes, rng, groups, n_required, refine):
        """Return the part of each row."""
        return stratified_parts(
            self.positives,
            sizes,
            rng,
            groups,
            extra=self.extra,
            n_required=n_required,
            refine=refine,
        )


class _LabelSplits:
    """What the splitters have in common.

    A subclass writes ``_rounds(labels, groups)``. It yields for each partition of the
    rows the part of each row and the number of test parts, which come first. A row of
    part -1 is in no training part either.
    """

    n_splits: int
    order: int
    refine: bool

    def _rounds(self, labels, groups) -> Iterator[tuple[np.ndarray, int]]:
        raise NotImplementedError

    def split(self, X, y, groups=None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Generate the indices of training and test rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Only its length is used.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
            A label matrix of 0, 1 and NaN (missing), or classes.
        groups : object
            Ignored, with a warning.

        Yields
        ------
        train, test : ndarray of int
            Row indices, ascending.

        Raises
        ------
        ValueError
            If lengths differ, `y` is neither a label matrix nor classes, or there are
            too few rows.

        Warns
        -----
        UndefinedLabelWarning
            If some labels have a test fold without a positive.
        """
        if groups is not None:
            warn_user(
                f"The groups parameter is ignored by {type(self).__name__}",
                UserWarning,
            )
        yield from self._split(X, y, None)

    def _split(self, X, y, groups):
        """Yield the splits of all rounds, with one warning for all of them."""
        check_same_length(X=X, y=y, groups=groups)
        labels, warned = _Labels.of(y, self.order), False
        for part, n_tests in self._rounds(labels, groups):
            warned = warned or self._warn_if_empty(labels, part, n_tests)
            for test in range(n_tests):
                chosen = part == test
                yield np.flatnonzero(~chosen & (part >= 0)), np.flatnonzero(chosen)

    def _warn_if_empty(self, labels, part, n_tests):
        """Warn if some test part has no positive of a label; return whether it did."""
        counts = part_counts(labels.positives, part, n_tests)
        n_without = np.count_nonzero((counts == 0).any(axis=1))
        if n_without == 0:
            return False
        n_none = np.count_nonzero(labels.positives.sum(axis=0) == 0)
        warn_undefined(
            f"{n_without} of {len(counts)} labels have a test fold without a positive, "
            f"of which {n_none} have no positive at all. Metrics of these labels are "
            f"undefined there; {type(self).__name__}.report shows which they are."
        )
        return True

    def report(self, y) -> np.ndarray:
        """Count the positives of each label in each test fold.

        Parameters
        ----------
        y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
            As for `split`.

        Returns
        -------
        table : structured ndarray of shape (n_labels,)
            With the fields ``label`` (its name, its number, or the class),
            ``positives`` (in all rows), ``fold_0``, ``fold_1`` and so on (in the test
            rows of each split) and ``folds_without`` (how many of these are 0).
            ``pandas.DataFrame(table)`` shows it well. With a `random_state` that is no
            integer, the next `split` makes other folds.

        Raises
        ------
        ValueError
            As `split` does.
        """
        return self._report(y, None)

    def _report(self, y, groups):
        """Return the table of `report`; the rows of `groups` stay together."""
        check_same_length(y=y, groups=groups)
        labels = _Labels.of(y, self.order)
        counts = np.hstack(
            [
                part_counts(labels.positives, part, n_tests)
                for part, n_tests in self._rounds(labels, groups)
            ]
        )
        columns = {"label": labels.names, "positives": labels.positives.sum(axis=0)}
        columns |= {f"fold_{j}": count for j, count in enumerate(counts.T)}
        columns["folds_without"] = (counts == 0).sum(axis=1)
        dtype = [(name, column.dtype) for name, column in columns.items()]
        table = np.empty(len(counts), dtype=dtype)
        for name, column in columns.items():
            table[name] = column
        return table

    def _folds(self, labels, groups, rng):
        """Return the fold of each row."""
        _check_enough(self.n_splits, len(labels), f"samples: n_samples={len(labels)}")
        sizes = np.full(self.n_splits, len(labels) / self.n_splits)
        return labels.parts(sizes, rng, groups, self.n_splits, self.refine)


# ------------------------------------------------------------------------ the splitters


# scikit-learn's base classes have a default of None for `y`, which is required here.
class _KFold(_LabelSplits, BaseCrossValidator):  # pyright: ignore[reportIncompatibleMethodOverride]
    """K folds of rows or of groups."""

    def __init__(
        self, n_splits=5, *, shuffle=False, random_state=None, order=1, refine=True
    ):
        _check_n_splits(n_splits)
        _check_flag("shuffle", shuffle)
        if not shuffle and random_state is not None:
            raise ValueError(
                "Setting a random_state has no effect since shuffle is False. You "
                "should leave random_state to its default (None), or set shuffle=True."
            )
        _check_method(order, refine)
        self.n_splits = int(n_splits)
        self.shuffle = shuffle
        self.random_state = random_state
        self.order = order
        self.refine = refine

    def get_n_splits(self, X=None, y=None, groups=None) -> int:  # noqa: ARG002  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the number of folds.

        Parameters
        ----------
        X, y, groups : object
            Ignored.

        Returns
        -------
        n_splits : int
            The number of folds.
        """
        return self.n_splits

    def _rounds(self, labels, groups):
        rng = check_random_state(self.random_state) if self.shuffle else None
        yield self._folds(labels, groups, rng), self.n_splits


class MultilabelStratifiedKFold(_KFold):
    """K folds in which every label keeps its fraction.

    Iterative stratification [1]_ distributes the rarest label first; swaps of rows
    between the folds then make the label counts more even and the folds equally large.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    shuffle : bool, default=False
        Take the rows in random order.
    random_state : int, RandomState instance or None, default=None
        Used when `shuffle` is True.
    order : {1, 2}, default=1
        2 keeps the fractions of pairs of labels as well [2]_. Time and memory grow with
        the number of pairs of positives in the rows, which is 50 million at most.
    refine : bool, default=True
        Swap rows after the iterative stratification. False is the algorithm of the
        papers; its folds may differ in size.

    Raises
    ------
    ValueError
        If a parameter is out of range, or `random_state` is set without `shuffle`.
    TypeError
        If `shuffle` or `refine` is no bool.

    See Also
    --------
    RepeatedMultilabelStratifiedKFold : Several times, each time with other folds.
    MultilabelStratifiedGroupKFold : Keeps groups of rows together.

    Notes
    -----
    The folds' sizes differ by one at most, with ``refine=True``. A label with at least
    `n_splits` positives has one in each fold wherever the search finds such folds; an
    `UndefinedLabelWarning` counts the labels that have not, and `report` names them.
    The missing entries (NaN) of a label are distributed as well, so that its fraction
    of the observed entries is kept. A 1-D `y` is split by its classes.

    The same seed gives the same folds whatever the dtype and the sparse format of `y`.

    References
    ----------
    .. [1] Sechidis, Tsoumakas, Vlahavas, "On the Stratification of Multi-Label Data",
       ECML PKDD 2011.
    .. [2] Szymanski, Kajdanowicz, "A Network Perspective on Stratification of
       Multi-Label Data", LIDTA 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.model_selection import MultilabelStratifiedKFold
    >>> Y = np.array([[1, 0], [1, 0], [0, 1], [0, 1]])
    >>> for train, test in MultilabelStratifiedKFold(2).split(Y, Y):
    ...     print(Y[test].sum(axis=0))
    [1 1]
    [1 1]
    """


class MultilabelStratifiedGroupKFold(_KFold):
    """K folds with no group on both sides, and labels as even as the groups allow.

    The heaviest group goes first, each to the fold where it makes the label counts and
    the number of rows most even; moves and swaps of groups follow.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2 and at most the number of groups.
    shuffle : bool, default=False
        Take groups of the same weight, and candidates for a swap, in random order.
    random_state : int, RandomState instance or None, default=None
        Used when `shuffle` is True.
    order : {1, 2}, default=1
        2 keeps the fractions of pairs as well, see `MultilabelStratifiedKFold`.
    refine : bool, default=True
        Move and swap groups after the greedy distribution.

    Raises
    ------
    ValueError
        If a parameter is out of range, or `random_state` is set without `shuffle`.
    TypeError
        If `shuffle` or `refine` is no bool.

    See Also
    --------
    MultilabelStratifiedKFold : Without groups.
    sklearn.model_selection.StratifiedGroupKFold : For 1-D targets.

    Notes
    -----
    With metadata routing, `groups` is requested by default. No fold is empty.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.model_selection import MultilabelStratifiedGroupKFold
    >>> Y = np.array([[1, 0], [0, 1], [1, 0], [0, 1], [1, 1], [1, 1]])
    >>> groups = np.array(["a", "a", "b", "b", "c", "d"])
    >>> cv = MultilabelStratifiedGroupKFold(2)
    >>> for train, test in cv.split(Y, Y, groups):
    ...     print(groups[test], Y[test].sum(axis=0))
    ['a' 'a' 'c'] [2 2]
    ['b' 'b' 'd'] [2 2]
    """

    # As in scikit-learn's own group splitters: requested by default.
    __metadata_request__split = {"groups": True}  # noqa: RUF012

    def split(self, X, y, groups=None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Generate the indices of training and test rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Only its length is used.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
            A label matrix of 0, 1 and NaN (missing), or classes.
        groups : array-like of shape (n_samples,)
            Rows of one group stay together.

        Yields
        ------
        train, test : ndarray of int
            Row indices, ascending.

        Raises
        ------
        ValueError
            If lengths differ, `y` is neither a label matrix nor classes, or there are
            fewer groups than folds.

        Warns
        -----
        UndefinedLabelWarning
            If some labels have a test fold without a positive.
        """
        yield from self._split(X, y, _check_groups(groups))

    def report(self, y, groups) -> np.ndarray:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Count the positives of each label in each test fold.

        Parameters
        ----------
        y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
            As for `split`.
        groups : array-like of shape (n_samples,)
            As for `split`.

        Returns
        -------
        table : structured ndarray of shape (n_labels,)
            As of `MultilabelStratifiedKFold.report`.

        Raises
        ------
        ValueError
            As `split` does.
        """
        return self._report(y, _check_groups(groups))

    def _rounds(self, labels, groups):
        n_groups = len(np.unique(groups))
        _check_enough(self.n_splits, n_groups, f"groups: {n_groups}")
        yield from super()._rounds(labels, groups)


class RepeatedMultilabelStratifiedKFold(_LabelSplits, BaseCrossValidator):  # pyright: ignore[reportIncompatibleMethodOverride]
    """K folds in which every label keeps its fraction, several times.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    n_repeats : int, default=10
        Number of times that the rows are distributed.
    random_state : int, RandomState instance or None, default=None
        Seed of the random order of the rows.
    order : {1, 2}, default=1
        2 keeps the fractions of pairs as well, see `MultilabelStratifiedKFold`.
    refine : bool, default=True
        Swap rows after the iterative stratification.

    Raises
    ------
    ValueError
        If a parameter is out of range.
    TypeError
        If `refine` is no bool.

    See Also
    --------
    MultilabelStratifiedKFold : Once.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.model_selection import RepeatedMultilabelStratifiedKFold
    >>> Y = np.tile([[1, 0], [0, 1]], (3, 1))
    >>> cv = RepeatedMultilabelStratifiedKFold(n_splits=3, n_repeats=2, random_state=0)
    >>> cv.get_n_splits()
    6
    >>> {tuple(Y[test].sum(axis=0).tolist()) for train, test in cv.split(Y, Y)}
    {(1, 1)}
    """

    def __init__(
        self, *, n_splits=5, n_repeats=10, random_state=None, order=1, refine=True
    ):
        _check_n_splits(n_splits)
        n_repeats = check_integer("n_repeats", n_repeats, 1)
        _check_method(order, refine)
        self.n_splits = int(n_splits)
        self.n_repeats = n_repeats
        self.random_state = random_state
        self.order = order
        self.refine = refine

    def get_n_splits(self, X=None, y=None, groups=None) -> int:  # noqa: ARG002  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the number of splits, ``n_splits * n_repeats``.

        Parameters
        ----------
        X, y, groups : object
            Ignored.

        Returns
        -------
        n_splits : int
            The number of splits.
        """
        return self.n_splits * self.n_repeats

    def _rounds(self, labels, groups):
        rng = check_random_state(self.random_state)
        for _ in range(self.n_repeats):
            yield self._folds(labels, groups, rng), self.n_splits


class MultilabelStratifiedShuffleSplit(_LabelSplits, BaseShuffleSplit):  # pyright: ignore[reportIncompatibleMethodOverride]
    """Random splits in which every label keeps its fraction.

    Parameters
    ----------
    n_splits : int, default=10
        Number of splits.
    test_size : float or int, default=None
        Fraction or number of test rows; by default what `train_size` leaves, or 0.1.
    train_size : float or int, default=None
        Fraction or number of training rows; by default what `test_size` leaves.
    random_state : int, RandomState instance or None, default=None
        Seed of the random order of the rows.
    order : {1, 2}, default=1
        2 keeps the fractions of pairs as well, see `MultilabelStratifiedKFold`.
    refine : bool, default=True
        Swap rows after the iterative stratification, and make the sizes exact.

    Raises
    ------
    ValueError
        If a parameter is out of range.
    TypeError
        If `refine` is no bool.

    See Also
    --------
    multilabel_train_test_split : One split of arrays.

    Notes
    -----
    A label with two positives or more has one on each side wherever the search finds
    such a split. A single positive is on the side that should have more of it. Where
    both sides should have a half more than a whole number, chance decides.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.model_selection import MultilabelStratifiedShuffleSplit
    >>> Y = np.tile([[1, 0], [0, 1]], (4, 1))
    >>> cv = MultilabelStratifiedShuffleSplit(2, test_size=0.25, random_state=0)
    >>> for train, test in cv.split(Y, Y):
    ...     print(len(train), Y[test].sum(axis=0))
    6 [1 1]
    6 [1 1]
    """

    def __init__(
        self,
        n_splits=10,
        *,
        test_size=None,
        train_size=None,
        random_state=None,
        order=1,
        refine=True,
    ):
        n_splits = check_integer("n_splits", n_splits, 1)
        _check_method(order, refine)
        super().__init__(
            n_splits,
            test_size=test_size,
            train_size=train_size,
            random_state=random_state,
        )
        self.order = order
        self.refine = refine

    def _rounds(self, labels, groups):
        sizes = split_sizes(len(labels), self.test_size, self.train_size, 0.1)
        rng = check_random_state(self.random_state)
        for _ in range(self.n_splits):
            yield _two_sides(labels, sizes, rng, groups, self.refine), 1


def _two_sides(labels, sizes, rng, groups, refine):
    """Return 0 for the test rows, 1 for the training rows, -1 for rows of neither."""
    n_train, n_test = sizes
    left_out = len(labels) - n_train - n_test
    # Rows that neither side asks for are a part of their own, as evenly labelled.
    sizes = (n_test, n_train, left_out) if left_out else (n_test, n_train)
    part = labels.parts(sizes, rng, groups, 2, refine)
    part[part == 2] = -1
    return part


def multilabel_train_test_split(
    *arrays,
    stratify,
    groups=None,
    test_size=None,
    train_size=None,
    random_state=None,
    order=1,
    refine=True,
) -> list:
    """Split arrays into training and test rows in which every label keeps its fraction.

    Parameters
    ----------
    *arrays : sequence of array-likes, sparse matrices or data frames of length \
            n_samples
        What to split.
    stratify : {array-like, sparse matrix} of shape (n_samples, n_labels) or \
            (n_samples,)
        A label matrix of 0, 1 and NaN (missing), or classes.
    groups : array-like of shape (n_samples,), default=None
        Rows of one group stay on one side; the sizes are kept as closely as they allow.
    test_size : float or int, default=None
        Fraction or number of test rows; by default what `train_size` leaves, or 0.25.
    train_size : float or int, default=None
        Fraction or number of training rows; by default what `test_size` leaves.
    random_state : int, RandomState instance or None, default=None
        Seed of the order in which rows are placed.
    order : {1, 2}, default=1
        2 keeps the fractions of pairs as well, see `MultilabelStratifiedKFold`.
    refine : bool, default=True
        Swap rows after the iterative stratification, and make the sizes exact.

    Returns
    -------
    splitting : list of length 2 * len(arrays)
        For each array its training and its test rows, in their order.

    Raises
    ------
    ValueError
        If lengths differ, the sizes make no sense, `stratify` is neither a label matrix
        nor classes, or there is a single group.
    TypeError
        If `refine` is no bool.

    See Also
    --------
    MultilabelStratifiedShuffleSplit : Indices of several such splits.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.model_selection import multilabel_train_test_split
    >>> X, Y = np.arange(8).reshape(-1, 1), np.tile([[1, 0], [0, 1]], (4, 1))
    >>> X_train, X_test, Y_train, Y_test = multilabel_train_test_split(
    ...     X, Y, stratify=Y, random_state=0)
    >>> Y_test.sum(axis=0)
    array([1, 1])
    """
    if not arrays:
        raise ValueError("At least one array required as input")
    _check_method(order, refine)
    arrays = indexable(*arrays)
    check_same_length(array=arrays[0], stratify=stratify, groups=groups)
    if groups is not None:
        groups = _check_groups(groups)
        n_groups = len(np.unique(groups))
        if n_groups < 2:
            raise ValueError(
                f"With n_groups={n_groups} the resulting train or test set will be "
                "empty: at least two groups are needed."
            )
    sizes = split_sizes(n_samples_of(arrays[0]), test_size, train_size)
    labels = _Labels.of(stratify, order, "stratify")
    part = _two_sides(labels, sizes, check_random_state(random_state), groups, refine)
    sides = [np.flatnonzero(part == side) for side in (1, 0)]
    return [take_rows(array, rows) for array in arrays for rows in sides]
