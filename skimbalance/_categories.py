"""The categorical columns of a table: which they are, and what values they hold."""

from collections import Counter
from typing import Any

import numpy as np

from skimbalance._validation import closest, frame_columns, take_rows

NO_CATEGORIES = "{} holds values that are no categories: {}."


def find_categorical(X, given) -> np.ndarray:
    """Return a mask of the categorical columns of a data frame or an array.

    Parameters
    ----------
    X : ndarray or data frame of shape (n_samples, n_features)
    given : None, "from_dtype" or array-like
        As `CategoryEncoder` takes it.

    Returns
    -------
    ndarray of bool, shape (n_features,)
    """
    columns, n_features = frame_columns(X), X.shape[1]
    names = [] if columns is None else list(columns)
    if isinstance(given, str):
        is_frame = bool(names)
        given = [is_frame and _is_category(column_of(X, k)) for k in range(n_features)]
    return categorical_mask(given, n_features, names)


def column_of(X, k) -> Any:
    """Return one column of a data frame or an array."""
    # An int of Python: polars takes no integer of NumPy, which older versions of
    # scikit-learn pass on.
    return take_rows(X, int(k), axis=1) if hasattr(X, "columns") else X[:, k]


def column_name(X, k):
    """Return how errors call a column."""
    names = frame_columns(X)
    return f"Column {k}" if names is None else f"Column {names[k]!r}"


def as_list(column) -> list:
    """Return the values of a column as objects of Python, which have a hash."""
    dtype = getattr(column, "dtype", None)
    if isinstance(dtype, np.dtype) and dtype in (np.float16, np.float32):
        # 0.1 is one category in each precision: that of its shortest decimals.
        return np.asarray(column).astype(str).astype(np.float64).tolist()
    if hasattr(column, "to_pylist"):  # of pyarrow
        return column.to_pylist()
    return column.to_list() if hasattr(column, "to_list") else column.tolist()


def as_rows(X) -> np.ndarray:
    """Return a list of rows as an array, in which numbers beside strings stay such."""
    array = np.asarray(X)
    if array.dtype.kind not in "US":
        return array
    objects = np.asarray(X, dtype=object)
    return array if all(map(_is_text, objects.ravel())) else objects


def is_missing(value):
    """Return whether a value is None, NaN, NaT or NA."""
    if value is None:
        return True
    try:
        return bool(value != value)
    except TypeError:  # pandas.NA is neither equal to itself nor different
        return True


def count_values(column, name):
    """Return how many rows have each value of a column."""
    try:
        return Counter(as_list(column))
    except TypeError as error:
        raise TypeError(NO_CATEGORIES.format(name, error)) from error


def as_categories(values):
    """Return categories as a sorted array."""
    try:
        values = sorted(values)
    except TypeError:  # numbers and strings, or other values without an order
        values = sorted(values, key=lambda value: (type(value).__name__, str(value)))
    if len(set(map(type, values))) == 1 and isinstance(values[0], int | float | str):
        array = np.array(values)
        # Integers on both sides of 2**63 would become floats, and strings lose zero
        # bytes at their end: they would not be found again.
        if array.tolist() == values:
            return array
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def _is_category(column):
    """Return whether a column of a data frame holds categories, by its dtype.

    Strings that are all numbers are read as numbers, as scikit-learn reads them.
    """
    dtype = getattr(column, "dtype", getattr(column, "type", None))
    # pandas' "category", "Categorical" and "Enum" of polars, pyarrow's dictionaries.
    if str(dtype).lower().startswith(("category", "categorical", "enum", "dictionary")):
        return True
    if getattr(dtype, "kind", "O") not in "OUST":
        return False
    try:
        values = {value for value in set(as_list(column)) if not is_missing(value)}
    except TypeError:  # they have no hash
        return False
    return bool(values) and all(map(_is_text, values)) and not _are_numbers(values)


def _is_text(value):
    return isinstance(value, str | bytes)


def _are_numbers(values):
    try:
        return all(map(np.isfinite, map(float, values)))
    except ValueError:
        return False


def categorical_mask(given, n_features, names):
    """Return a mask of columns that are given as a mask, as indices or as names."""
    mask = np.zeros(n_features, dtype=bool)
    if given is None or not np.size(given):
        return mask
    given, names = np.asarray(given), list(names)
    if all(isinstance(entry, bool | np.bool_) for entry in given.ravel()):
        given = given.astype(bool)  # a mask of objects, as nullable dtypes make one
    start = "categorical_features must be a mask, indices or names of columns of X"
    if given.ndim != 1 or given.dtype.kind not in "biuUOT":
        raise ValueError(f"{start}, got {given!r}.")
    if given.dtype.kind == "b":
        if given.shape != mask.shape:
            raise ValueError(
                f"{start}: the mask has shape {given.shape}, but X has {n_features} "
                "columns."
            )
        return given.copy()
    for entry in given.tolist():
        if isinstance(entry, str):
            if entry not in names:
                raise ValueError(
                    f"{start}, but X has no column {entry!r}.{closest(entry, names)}"
                )
            mask[names.index(entry)] = True
        elif isinstance(entry, int) and -n_features <= entry < n_features:
            mask[entry] = True
        else:
            raise ValueError(
                f"{start}, got {entry!r} for an X of {n_features} columns."
            )
    return mask
