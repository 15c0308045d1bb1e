"""Targets of any container as plain arrays, and what to say of those that are none."""

import datetime
import decimal
import numbers
from collections import Counter

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array

_COLLECTIONS = (list, tuple, set, frozenset, np.ndarray)
# A lone number from here on, beside 0 and 1, is no count but stands for "missing".
_LEAST_CODE = 9
_NUMBERS = (numbers.Real, decimal.Decimal, np.bool_)


def check_unique_columns(frame, name):
    """Raise a ValueError if two columns of a data frame have the same name."""
    repeated = [column for column, n in Counter(frame.columns).items() if n > 1]
    if repeated:
        raise ValueError(f"{name} has the column name {repeated[0]!r} more than once.")


def read_target(y, name):
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
        If the values are no classes or labels. TypeError for bytes.
    """
    values = check_array(
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
    """Return a target whose missing values and classes scikit-learn reads as such."""
    if hasattr(y, "columns"):
        check_unique_columns(y, name)
    if isinstance(y, np.ma.MaskedArray):
        y = np.where(np.ma.getmaskarray(y), None, y.data) if y.mask.any() else y.data
    elif isinstance(y, list | tuple):
        y = _read_sequence(y, name)
    if getattr(getattr(y, "dtype", None), "kind", None) == "c":
        raise ValueError(
            f"Complex data not supported: {_not_classes(name, 'complex numbers')}"
        )
    return y


def _read_sequence(y, name):
    """Return a list as an array that keeps what NumPy would turn into strings."""
    if any(isinstance(row, _COLLECTIONS) and np.ndim(row) != 0 for row in y):
        lengths = {len(row) if isinstance(row, _COLLECTIONS) else None for row in y}
        names = any(isinstance(v, str) for row in y for v in _entries(row))
        if len(lengths) > 1 or (names and not isinstance(y[0], np.ndarray)):
            raise ValueError(_describe_label_lists(name))
        return y
    if any(isinstance(value, set | frozenset) for value in y):
        raise ValueError(_describe_label_lists(name))
    if any(isinstance(value, str) for value in y):
        values = np.empty(len(y), dtype=object)
        values[:] = y
        return y if all(isinstance(value, str) for value in y) else values
    return y


def _entries(row):
    return row if isinstance(row, _COLLECTIONS) else [row]


def _describe_label_lists(name):
    return (
        f"{name} lists the labels of each row, but a label matrix has a column for "
        "each label, of 0 and 1. Convert it by "
        f"sklearn.preprocessing.MultiLabelBinarizer().fit_transform({name})."
    )


def _without_nullable_dtype(y):
    """Return a pandas series of integers or bools without NA as an array of them."""
    dtype = getattr(getattr(y, "dtype", None), "numpy_dtype", None)
    if isinstance(dtype, np.dtype) and dtype.kind in "biu" and not y.isna().any():
        return y.to_numpy(dtype=dtype)
    return y


def _is_missing(value):
    """Whether an object stands for a missing value: None, NaN, pandas' NA and NaT."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def _read_objects(values, name):
    """Return an array of objects as one of numbers or bools; strings stay objects."""
    flat = values.ravel().tolist()
    known = [value for value in flat if not _is_missing(value)]
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
        flat = [np.nan if _is_missing(value) else float(value) for value in flat]
    numbers_ = np.array(flat)
    numbers_ = numbers_.astype(np.float64) if numbers_.dtype == object else numbers_
    return numbers_.reshape(values.shape)


def _check_strings(name, n_strings, n_known, n_values):
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
    return (
        f"{name} holds {what}, which are no classes. Unknown label type: pass numbers "
        f"or strings; {name}.astype(str) makes a class of each value."
    )


def describe_strings(values, name):
    """Return why strings make no labels, and what to do."""
    if values.ndim == 1 or values.shape[1] == 1:
        way_out = f"Pass ({name} == positive_class).astype(int)."
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


def describe_bad_labels(y, name):
    """Return which values of a label matrix are neither 0 nor 1, and what to do.

    Parameters
    ----------
    y : ndarray of numbers, or sparse matrix
    name : str
    """
    is_sparse = sp.issparse(y)
    cells = y.data if is_sparse else y
    missing = np.isnan(cells)
    values = np.unique(cells[~missing])
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


def _recoded(values, name, is_sparse):
    """Return a hint at cross_val_predict, which codes labels of 0, 1 and NaN anew."""
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
        f"become labels by ({name} > 0){as_int}.{_recoded(values, name, is_sparse)}"
    )


def _is_missing_code(bad, labels):
    """Whether a lone value beside labels is no class, but a code for "missing"."""
    if len(bad) != 1:
        return False
    return bad[0] < 0 or (bad[0] >= _LEAST_CODE and labels == {0, 1})


def _describe_signs(name, has_missing, is_sparse):
    if is_sparse:
        return f"Code the negatives as 0: pass {name} > 0."
    if has_missing:
        return f"Code the negatives as 0: pass ({name} + 1) / 2, which keeps NaN."
    return f"Code the negatives as 0: pass ({name} > 0).astype(int)."


def _describe_missing_code(name, code, is_sparse):
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
    if values.min() >= 0 and values.max() <= 1:
        return describe_soft_labels(name)
    return (
        "Continuous values are the target of a regression; a threshold makes labels "
        f"of them: ({name} > threshold).astype(int)."
    )


def describe_soft_labels(name):
    """Return what to do with soft labels, the probabilities of the classes."""
    return (
        "Soft labels (probabilities as targets) are not supported: code a label as "
        "0 or 1, by "
        f"({name} >= 0.5).astype(int), or pass each row twice, as 1 and as 0, with "
        "the probability of each as its sample_weight."
    )
