"""Reading and encoding of targets: classes of a 1-D target, or a label matrix.

A label matrix has one form in the package: ``int8``, dense or CSR, 1 for a positive, 0
for a negative, ``MISSING`` (-1) for an unobserved label. One byte an entry keeps a
dense matrix an eighth of its usual size, and no later line needs to think about NaN.
"""

import datetime
import decimal
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from skimbalance._base import warn_user
from skimbalance._counts import MISSING, rows_with_weight, without_weightless
from skimbalance._validation import (
    align_columns,
    check_array,
    check_same_length,
    check_scores,
    check_unique_columns,
    check_weights,
    closest,
    column_names,
    n_dimensions,
    without_duplicates,
)

BINARY, MULTICLASS, MULTILABEL = "binary", "multiclass", "multilabel-indicator"

_COLLECTIONS = (list, tuple, set, frozenset, np.ndarray)
# Decimal is no Real for Python, and NumPy's bool is no number.
_NUMBERS = (Real, decimal.Decimal, np.bool_)
# Surveys code a missing value as 9, 99 or 999: from here on, the only number besides 0
# and 1 is read as such a code; below, as a count.
_LEAST_MISSING_CODE = 9

# --------------------------------------------------------------------------
# Values of any container


def read_target(y: Any, name: str) -> Any:
    """Return a target as an array of numbers, bools or strings, or a CSR array.

    Parameters
    ----------
    y : {array-like, sparse matrix, data frame}
        Missing values of any library among numbers become NaN.
    name : str
        How the error messages call it.

    Returns
    -------
    ndarray or csr_array

    Raises
    ------
    ValueError
        If the values are no classes or labels.
    TypeError
        If they are bytes.
    """
    # The checks that are switched off here follow below: their messages say what to do.
    values: Any = check_array(
        _without_nullable_dtype(_as_readable(y, name)),
        accept_sparse="csr",
        dtype=None,
        ensure_2d=False,
        allow_nd=True,
        ensure_all_finite=False,
        ensure_min_samples=0,
        ensure_min_features=0,
        input_name=name,
    )
    if sp.issparse(values):
        return values
    if values.ndim not in (1, 2):
        raise ValueError(
            f"{name} must be an array-like of one or two dimensions, got "
            f"{values.ndim} in a value of type {type(y).__name__}."
        )
    if values.dtype.kind == "O":
        values = _read_objects(values, name)
    if values.dtype.kind == "S":
        raise TypeError(
            f"{name} holds bytes: Support for labels represented as bytes is not "
            f"supported. Convert the labels to strings, by {name}.astype(str), or to "
            "integers."
        )
    if values.dtype.kind in "mM":
        raise ValueError(_not_classes(name, "dates or times"))
    if values.dtype.kind not in "biufUO":
        raise ValueError(_not_classes(name, f"values of the dtype {values.dtype}"))
    return values


def _as_readable(y, name):
    """Return a target of which scikit-learn reads the missing values and the classes.

    check_array would drop the mask of a masked array, turn the numbers of a mixed list
    into strings, and report complex numbers without a way out.
    """
    if hasattr(y, "columns"):
        check_unique_columns(y, name)
    if isinstance(y, np.ma.MaskedArray):
        mask, missing = np.ma.getmaskarray(y), np.array(None, dtype=object)
        y = np.where(mask, missing, y.data) if mask.any() else y.data
    elif isinstance(y, list | tuple):
        y = _read_sequence(y, name)
    if getattr(getattr(y, "dtype", None), "kind", None) == "c":
        raise ValueError(
            f"Complex data not supported: {_not_classes(name, 'complex numbers')}"
        )
    return y


def _read_sequence(y, name):
    """Return a list of values of several types as an array of objects.

    NumPy would turn its numbers and missing values into strings.
    """
    if any(isinstance(row, _COLLECTIONS) and n_dimensions(row) != 0 for row in y):
        lengths = {len(row) if isinstance(row, _COLLECTIONS) else None for row in y}
        is_ragged, is_array = len(lengths) > 1, isinstance(y[0], np.ndarray)
        if is_ragged or (
            not is_array and any(isinstance(v, str) for r in y for v in r)
        ):
            raise ValueError(_describe_label_lists(name))
        return y
    if any(isinstance(value, set | frozenset) for value in y):
        raise ValueError(_describe_label_lists(name))
    is_string = [isinstance(value, str) for value in y]
    # Of one kind, check_array reads them right, and faster than object by object.
    if all(is_string) or not any(is_string):
        return y
    values = np.empty(len(y), dtype=object)
    values[:] = y
    return values


def _describe_label_lists(name):
    """Return the error message for lists of the labels of each row."""
    return (
        f"{name} lists the labels of each row, but a label matrix has a column for "
        "each label, of 0 and 1. Convert it by "
        f"sklearn.preprocessing.MultiLabelBinarizer().fit_transform({name})."
    )


def _without_nullable_dtype(y):
    """Return a pandas series of integers or bools without NA as an array of them."""
    dtype = getattr(getattr(y, "dtype", None), "numpy_dtype", None)
    # check_array reads a nullable dtype as floats, which would change the classes.
    if isinstance(dtype, np.dtype) and dtype.kind in "biu" and not y.isna().any():
        return y.to_numpy(dtype=dtype)
    return y


def is_missing(value):
    """Whether an object stands for a missing value: None, NaN, pandas' NA and NaT."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def _read_objects(values, name):
    """Return an array of objects as one of numbers or bools; strings stay objects.

    Bytes are returned as bytes, of which `read_target` has the error message.
    """
    flat = values.ravel().tolist()
    known = [value for value in flat if not is_missing(value)]
    if any(isinstance(value, _COLLECTIONS) for value in known):
        raise ValueError(_describe_label_lists(name))
    if any(isinstance(value, bytes) for value in known):
        return values.astype(bytes)
    n_strings = sum(isinstance(value, str) for value in known)
    if n_strings:
        _check_strings(name, n_strings, len(known), len(flat))
        return values
    odd = [value for value in known if not isinstance(value, _NUMBERS)]
    if odd:
        dates = isinstance(odd[0], datetime.date | datetime.timedelta | datetime.time)
        kind = "dates or times" if dates else f"values of type {type(odd[0]).__name__}"
        raise ValueError(_not_classes(name, kind))
    if len(known) < len(flat):
        flat = [np.nan if is_missing(value) else float(value) for value in flat]
    # NumPy finds the dtype again that a pandas column of objects has lost.
    read = np.array(flat)
    # Decimal, Fraction and integers beyond int64 are still objects.
    read = read.astype(np.float64) if read.dtype == object else read
    return read.reshape(values.shape)


def _check_strings(name, n_strings, n_known, n_values):
    """Raise a ValueError unless all values are strings."""
    if n_known < n_values:
        raise ValueError(
            f"{name} has a missing value (None, NaN or NA) among strings, in "
            f"{n_values - n_known} of {n_values} entries. Drop these rows, or give "
            "the missing values a class of their own."
        )
    if n_strings < n_known:
        raise ValueError(
            f"{name} mixes strings with values of another type: convert all, by "
            f"{name}.astype(str)."
        )


def _not_classes(name, what):
    """Return the error message for values that are no classes."""
    return (
        f"{name} holds {what}, which are no classes. Unknown label type: pass numbers "
        f"or strings; {name}.astype(str) makes a class of each value."
    )


# --------------------------------------------------------------------------
# Label matrices


def _encode_entries(entries, y, name):
    """Return entries of `y`, all or the stored ones, as int8 with -1 for NaN."""
    if entries.dtype == bool:
        return entries.view(np.int8)  # no copy
    if entries.dtype.kind not in "iuf":
        raise ValueError(_describe_strings(entries, name))
    one = entries == 1
    codes = one.view(np.int8)  # the bytes of the mask itself, without a copy
    # Two counts instead of two masks: as a rule all that is not 0 is 1.
    if np.count_nonzero(one) == np.count_nonzero(entries):
        return codes
    bad = ~one & (entries != 0)
    missing = np.isnan(entries)
    if (bad & ~missing).any():
        raise ValueError(_describe_bad_labels(y, name))
    codes[missing] = MISSING
    return codes


def _encode_sparse(y: Any, name: str) -> Any:
    """Return sparse labels as a CSR array of int8 that stores no zeros.

    The matrix that the user passed stays as it is; its index arrays are shared.
    """
    y = without_duplicates(sp.csr_array(y))
    codes = sp.csr_array(
        (_encode_entries(y.data, y, name), y.indices, y.indptr), shape=y.shape
    )
    if not codes.data.all():
        # A stored 0 is no label. Its removal writes into the arrays of the user.
        codes = codes.copy()
        codes.eliminate_zeros()
    return codes


def check_label_matrix(y: Any, name: str = "y") -> Any:
    """Return `y` as an int8 label matrix: 1, 0, and -1 where the label is missing.

    Parameters
    ----------
    y : {array-like, sparse matrix, data frame} of shape (n_samples, n_labels) or \
            (n_samples,)
        0, 1 and NaN; a 1-D `y` is read as one label. In a sparse matrix an entry that
        is not stored is 0 and a stored NaN is a missing label.
    name : str
        How the error messages call it.

    Returns
    -------
    ndarray or csr_array of int8, shape (n_samples, n_labels)
    """
    y = read_target(y, name)
    if sp.issparse(y):
        labels: Any = _encode_sparse(y, name)
    else:
        labels = _encode_entries(y.reshape(-1, 1) if y.ndim == 1 else y, y, name)
    if labels.shape[0] == 0 or labels.shape[1] == 0:
        raise ValueError(
            f"{name} has shape {labels.shape}: at least one row and one label are "
            "needed."
        )
    return labels


def has_missing(labels: Any) -> bool:
    """Whether a label matrix has a missing label."""
    entries = labels.data if sp.issparse(labels) else labels
    return bool(entries.min(initial=0) < 0)


def with_missing(labels: Any) -> Any:
    """Return a label matrix in the form that users pass: NaN for a missing label."""
    if not has_missing(labels):
        return labels
    labels = labels.toarray() if sp.issparse(labels) else labels
    return np.where(labels < 0, np.nan, labels)


# --------------------------------------------------------------------------
# Targets


@dataclass(frozen=True)
class Target:
    """The kind of `y`, its classes and its encoded values.

    Parameters
    ----------
    kind : str
        `BINARY`, `MULTICLASS` or `MULTILABEL`.
    values : ndarray or csr_array, or None
        A label matrix (see `check_label_matrix`) for the binary and multilabel kinds,
        with one column for a 1-D `y`; class indices ``(n_samples,)`` of int64 for the
        multiclass kind. None where only the form of the target is kept.
    classes : ndarray of shape (n_classes,) or (n_labels, 2)
    label_names : ndarray of str or None
        The columns of a data frame.
    dtype : dtype or None
        That of `y`, in which labels are predicted.
    sparse_type : type or None
        In which labels are predicted, if `y` is sparse.
    positive : int
        The index of the positive one of two classes.
    """

    kind: str
    values: Any
    classes: np.ndarray
    label_names: np.ndarray | None = None
    dtype: np.dtype | None = None
    sparse_type: type | None = None
    positive: int = 1

    @property
    def n_outputs(self) -> int:
        """The number of labels or classes; 1 for a binary target."""
        return 1 if self.kind == BINARY else len(self.classes)

    @property
    def class_index(self) -> np.ndarray:
        """The index in `classes` of the class of each row of a 1-D target."""
        if self.kind == MULTICLASS:
            return self.values
        if len(self.classes) == 1:
            return np.zeros(len(self.values), dtype=np.int64)
        return np.where(self.values[:, 0] == 1, self.positive, 1 - self.positive)

    @property
    def output_names(self) -> Any:
        """Names of labels or classes, or the positive class; None without names."""
        if self.kind == BINARY:
            return self.classes[self.positive : self.positive + 1].tolist()
        return self.classes.tolist() if self.kind == MULTICLASS else self.label_names

    @property
    def is_flipped(self) -> bool:
        """Whether the first of two classes is the positive one."""
        return self.kind == BINARY and len(self.classes) == 2 and self.positive == 0


class _LabelClasses(np.ndarray):
    """``[0, 1]`` for each label, where the item of one label is a tuple.

    scikit-learn's `partial_dependence` refuses classifiers whose ``classes_[0]`` is an
    array, as those of several outputs with classes of their own.
    """

    def __new__(cls, values):  # skops makes an array anew by its class
        return np.asarray(values).view(cls)

    def __getitem__(self, key: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        item = super().__getitem__(key)
        is_row = isinstance(key, Integral) and self.ndim == 2
        return tuple(item.tolist()) if is_row else item


def _label_classes(n_labels):
    """Return `classes_` of a label matrix, of shape (n_labels, 2)."""
    return np.tile([0, 1], (n_labels, 1)).view(_LabelClasses)


def _is_single_label_column(y):
    """Whether an (n, 1) array is one column of a label matrix: 0, 1 and NaN."""
    if y.dtype == bool:
        return True
    return y.dtype.kind in "iuf" and bool(np.all((y == 0) | (y == 1) | np.isnan(y)))


def no_class(key: Any, classes: list) -> str:
    """Return the end of an error about a name that is none of the classes.

    The classes 0 and 1 are often a code that the user has never seen: scikit-learn
    encodes the target of `cross_val_predict(method="predict_proba")` and of
    `StackingClassifier` before it fits.
    """
    text = f"none of the classes, {classes[:5]}.{closest(key, classes)}"
    if repr(classes) != "[0, 1]":  # [False, True] would be equal, but is no code
        return text
    return (
        f"{text} If y has other classes, it was encoded before this fit, as scikit-"
        "learn's cross_val_predict and StackingClassifier do: name the class by its "
        "place in sorted order, 0 or 1. pos_label is not needed where the positive "
        "class is the last one."
    )


def find_positive(classes: np.ndarray, pos_label: Any) -> int:
    """Return the index of the positive one of the classes of a binary target.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        One or two, sorted.
    pos_label : object
        One of them; None stands for the last.

    Raises
    ------
    ValueError
        If `pos_label` is none of them.
    """
    if pos_label is None:
        return len(classes) - 1
    # One by one: NumPy compares an array of strings with a number as a whole.
    place = [k for k, known in enumerate(classes.tolist()) if known == pos_label]
    if len(place) != 1:
        raise ValueError(
            f"pos_label={pos_label!r} is {no_class(pos_label, classes.tolist())}"
        )
    return place[0]


def positive_of(classes: np.ndarray, pos_label: Any = None) -> Any:
    """Return the positive one of one or two classes.

    A lone 0, -1 or False is the negative class of a target that lacks the other one.
    """
    if pos_label is None and len(classes) == 1 and classes[0] in (0, -1):
        return 1
    return classes[find_positive(classes, pos_label)]


def check_target(y: Any, name: str = "y", pos_label: Any = None) -> Target:
    """Find the kind of a target and encode it.

    Parameters
    ----------
    y : {array-like, sparse matrix, data frame}
    name : str
        How the error messages call it.
    pos_label : object, default=None
        The positive class of a binary target; None is the last one.

    Returns
    -------
    Target

    Raises
    ------
    ValueError
        If `y` is no target of classification, or `pos_label` does not go with it.
    """
    target = _encode_target(y, name, pos_label)
    if pos_label is not None and target.kind != BINARY:
        raise ValueError(
            f"pos_label={pos_label!r} goes with a {name} of two classes, but {name} is "
            f"{target.kind}. Leave pos_label None."
        )
    return target


def _encode_target(y, name, pos_label):
    """Return the Target of `y`; `pos_label` is the positive class of a binary one."""
    if y is None:
        raise ValueError(
            f"requires {name} to be passed, but the target {name} is None."
        )
    if sp.issparse(y):
        labels = check_label_matrix(y, name)
        return Target(
            MULTILABEL,
            labels,
            _label_classes(labels.shape[1]),
            dtype=y.dtype,
            sparse_type=sp.csr_matrix if isinstance(y, sp.spmatrix) else sp.csr_array,
        )
    names = column_names(y)
    y = read_target(y, name)
    if sp.issparse(y):  # check_array reads a data frame of sparse columns so
        return replace(check_target(y, name), label_names=names)
    if y.ndim == 2 and (y.shape[1] != 1 or _is_single_label_column(y)):
        labels = check_label_matrix(y, name)
        classes = _label_classes(labels.shape[1])
        return Target(MULTILABEL, labels, classes, names, y.dtype)
    return _encode_classes(y, name, pos_label)


def _encode_classes(y, name, pos_label):
    """Return the Target of an array of classes, of one dimension or one column."""
    if y.ndim == 2:
        warn_user(
            f"A column-vector {name} was passed when a 1d array was expected. Please "
            f"change the shape of {name} to (n_samples,), for example using ravel().",
            DataConversionWarning,
        )
        y = y.ravel()
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise ValueError(
            f"{name} contains NaN or infinity. A missing label is NaN in a 2-D label "
            "matrix only; drop the rows of a 1-D target whose value is missing."
        )
    if y.size == 0:
        raise ValueError(f"{name} is empty: at least one row is needed.")
    if y.dtype.kind == "f" and (y % 1).any() and y.min() >= 0 and y.max() <= 1:
        soft = _describe_soft_labels(name)
        raise ValueError(f"Unknown label type: continuous values in {name}. {soft}")
    # After the checks above, whose messages say what to do.
    check_classification_targets(y)
    classes, index = np.unique(y, return_inverse=True)
    if type_of_target(y) == MULTICLASS and len(classes) > 2:
        return Target(MULTICLASS, index.astype(np.int64), classes, dtype=y.dtype)
    positive = find_positive(classes, pos_label)
    labels = (index == positive).astype(np.int8).reshape(-1, 1)
    return Target(BINARY, labels, classes, dtype=y.dtype, positive=positive)


def encode_like(y: Any, target: Target, name: str = "y") -> Any:
    """Encode `y` by the kind, classes and names of an earlier target.

    Parameters
    ----------
    y : {array-like, sparse matrix, data frame}
        The columns of a frame are put into the order of the names of the target.
    target : Target
        Its values are not read.
    name : str

    Returns
    -------
    ndarray or csr_array
        As `Target.values`.
    """
    if target.kind == MULTILABEL:
        labels = check_label_matrix(align_columns(y, target.label_names, name), name)
        if labels.shape[1] != target.n_outputs:
            raise ValueError(
                f"{name} has {labels.shape[1]} labels, but {target.n_outputs} were "
                "fitted."
            )
        return labels
    index = _find_classes(_one_dimensional(y, name), target.classes, name)
    if target.kind == MULTICLASS:
        return index.astype(np.int64)
    positive = min(target.positive, len(target.classes) - 1)
    return (index == positive).astype(np.int8).reshape(-1, 1)


def _one_dimensional(y, name):
    """Return the values of a target of classes."""
    y = read_target(y, name)
    if y.ndim == 2 and y.shape[1] != 1:
        raise ValueError(
            f"{name} has {y.shape[1]} columns, but a 1-D target of classes was fitted."
        )
    y = np.ravel(y.toarray() if sp.issparse(y) else y)
    if y.dtype.kind == "f" and np.isnan(y).any():
        raise ValueError(
            f"{name} has a missing value (NaN), which a target of classes must not "
            "have: drop these rows."
        )
    return y


def _find_classes(y, classes, name):
    """Return the index of each value among the classes, which are sorted."""
    index = np.zeros(0, dtype=np.intp)
    try:
        # Beyond the last class the place is len(classes): clipped, it differs from y.
        index = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
        unknown = np.unique(y[np.asarray(classes[index] != y)])
    except TypeError:  # strings among numbers cannot be ordered
        unknown = np.unique(y)
    if unknown.size:
        raise ValueError(
            f"{name} contains the classes {unknown[:5].tolist()!r}, which are not "
            f"among the known ones: {classes.tolist()!r}."
        )
    return index


def check_scored_labels(
    y_true: Any, y_score: Any, sample_weight: Any = None, name: str = "y_score"
) -> tuple[Any, np.ndarray, Any]:
    """Return labels, the score of each entry, and weights, with the same rows.

    Returns
    -------
    labels : ndarray or csr_array of int8, shape (n_rows, n_labels)
        From `check_label_matrix`; an entry of weight 0 is missing.
    scores : ndarray of shape (n_rows, n_labels)
        Finite.
    weight : None, ndarray or SparseWeights
        From `check_weights`. Frames of scores and weights are put into the order of
        the names of `y_true`, and rows of weight 0 are left out of all three.
    """
    if isinstance(y_score, list) and y_score and n_dimensions(y_score[0]) == 2:
        raise ValueError(
            f"{name} is a list of an array for each label, as some classifiers give: "
            f"pass np.column_stack([p[:, 1] for p in {name}])."
        )
    check_same_length(
        **{"y_true": y_true, name: y_score, "sample_weight": sample_weight}
    )
    names, labels = column_names(y_true), check_label_matrix(y_true, "y_true")
    scores = check_scores(align_columns(y_score, names, name), labels.shape, name)
    n_samples, n_labels = labels.shape
    weight = check_weights(sample_weight, n_samples, n_labels, label_names=names)
    if weight is not None and weight.ndim == 2:
        return without_weightless(labels, weight), scores, weight
    # A row without weight is ignored, but its score would be a threshold of a curve.
    kept = rows_with_weight(weight)
    if weight is None or kept is None:  # as almost always: no copy
        return labels, scores, weight
    return labels[kept], scores[kept], weight[kept]


# --------------------------------------------------------------------------
# Error messages


def _describe_strings(values, name):
    """Return why strings make no labels, and what to do."""
    if values.ndim == 1 or values.shape[1] == 1:
        way_out = f"Pass ({name} == positive_class).astype(int)."
        if len(np.unique(values.astype(str))) > 2:
            way_out += " Of more than two classes, score one against the others."
    elif len(known := np.unique(values.astype(str)).tolist()) <= 2:
        as_numbers = f"Pass {name}.astype(int)."
        last = f"Code the two as 0 and 1: pass ({name} == {known[-1]!r}).astype(int)."
        way_out = as_numbers if set(known) <= {"0", "1"} else last
    else:
        way_out = (
            "If each row lists names of labels, convert it by "
            "sklearn.preprocessing.MultiLabelBinarizer; if each column holds classes "
            "of its own (a multioutput target), fit a classifier a column by "
            "sklearn.multioutput.MultiOutputClassifier."
        )
    return (
        f"{name} holds strings (dtype {values.dtype}), but a label matrix must hold "
        f"0, 1 or NaN. {way_out}"
    )


def _describe_bad_labels(y, name):
    """Return which values of a label matrix are neither 0 nor 1, and what to do.

    Parameters
    ----------
    y : ndarray of numbers, or sparse matrix
    name : str
    """
    is_sparse = sp.issparse(y)
    entries = y.data if is_sparse else y
    missing = np.isnan(entries)
    values = np.unique(entries[~missing])
    if is_sparse and y.nnz < np.prod(y.shape):
        values = np.union1d(values, [0])
    bad = values[(values != 0) & (values != 1)]
    one_column = y.ndim == 1 or y.shape[1] == 1
    shown = ", ".join(f"{value:g}" for value in bad[:3])
    return (
        f"{name} contains the value{'s' * (len(bad) > 1)} {shown}, but a label is 1 "
        "for a positive and 0 for a negative. "
        f"{_way_out(values, bad, name, missing.any(), is_sparse, one_column)}"
    )


def _describe_recoded(values, name, is_sparse):
    """Return a hint at cross_val_predict, which encodes 0, 1 and NaN as 0, 1 and 2."""
    if is_sparse or set(values) != {0, 1, 2}:
        return ""
    return (
        " scikit-learn's cross_val_predict writes 2 for a missing label, NaN: if that "
        f"is where it comes from, pass np.where({name} == 2, np.nan, {name}), or use "
        "GridSearchCV or a loop over MultilabelStratifiedKFold."
    )


def _way_out(values, bad, name, has_missing, is_sparse, one_column):
    """Return what to do with values that are no labels."""
    if not np.isfinite(bad).all():
        return "Infinity is no label: look for a division by zero."
    if set(values) == {-1, 1}:
        return _describe_signs(name, has_missing, is_sparse)
    if _is_missing_code(bad, set(values) - set(bad)):
        return _describe_missing_code(name, bad[0], is_sparse)
    if (bad % 1).any():
        return _describe_fractions(values, name)
    as_int = "" if is_sparse else ".astype(int)"
    if len(values) <= 2:
        return (
            f"Code the two as 0 and 1: pass ({name} == {values[-1]:g}){as_int}, if "
            f"{values[-1]:g} is the positive one."
        )
    if one_column:
        return "More than two classes (multiclass) are no label."
    return (
        "Several columns of classes, a multioutput target, are not supported: fit a "
        "classifier a column by sklearn.multioutput.MultiOutputClassifier. Counts "
        f"become labels by ({name} > 0){as_int}."
        f"{_describe_recoded(values, name, is_sparse)}"
    )


def _is_missing_code(bad, labels):
    """Whether the only value that is no label is a code for "missing"."""
    if len(bad) != 1:
        return False
    return bad[0] < 0 or (bad[0] >= _LEAST_MISSING_CODE and labels == {0, 1})


def _describe_signs(name, has_missing, is_sparse):
    """Return what to do with labels of -1 and 1."""
    if is_sparse:
        return f"Code the negatives as 0: pass {name} > 0."
    if has_missing:
        return f"Code the negatives as 0: pass ({name} + 1) / 2, which keeps NaN."
    return f"Code the negatives as 0: pass ({name} > 0).astype(int)."


def _describe_missing_code(name, code, is_sparse):
    """Return what to do with a code of missing labels."""
    way_out = f"pass np.where({name} == {code:g}, np.nan, {name})"
    if is_sparse:
        way_out = (
            f"convert {name} to floats and set {name}.data[{name}.data == {code:g}] = "
            "np.nan"
        )
    return (
        f"If {code:g} stands for a missing label, which is NaN here, {way_out}. Note "
        "that scikit-learn's cross_val_predict re-encodes NaN labels as an integer of "
        "their own; with missing labels use GridSearchCV or a loop over "
        "MultilabelStratifiedKFold instead."
    )


def _describe_fractions(values, name):
    """Return what to do with values that are not whole."""
    if values.min() >= 0 and values.max() <= 1:
        return _describe_soft_labels(name)
    return (
        "Continuous values are the target of a regression; a threshold makes labels "
        f"of them: ({name} > threshold).astype(int)."
    )


def _describe_soft_labels(name):
    """Return what to do with soft labels, the probabilities of the classes."""
    return (
        "Soft labels (probabilities as targets) are not supported: code a label as "
        "0 or 1, by "
        f"({name} >= 0.5).astype(int), or pass each row twice, as 1 and as 0, with "
        "the probability of each as its sample_weight."
    )
