"""Checks of parameters, scores, weights and the columns of data frames.

This is also the only module that imports private helpers of scikit-learn.
"""

import difflib
import inspect
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone as _clone
from sklearn.metrics._scorer import _Scorer
from sklearn.model_selection import check_cv as _check_cv
from sklearn.model_selection._search import BaseSearchCV as _BaseSearchCV
from sklearn.model_selection._split import (
    _CVIterableWrapper,
    _validate_shuffle_split,
)
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import (
    Hidden,
    Interval,
    InvalidParameterError,
    Options,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.validation import (
    _check_method_params,
    _num_samples,
)
from sklearn.utils.validation import check_array as _check_array
from sklearn.utils.validation import validate_data as _validate_data

from skimbalance._counts import SparseWeights

# Private helpers of scikit-learn (1.7 and later) under names of this package: where one
# moves, only this module changes.
n_samples_of = _num_samples
take_rows = _safe_indexing
take_params = _check_method_params
Scorer = _Scorer
Composition = _BaseComposition
Search = _BaseSearchCV
GivenSplits = _CVIterableWrapper
# scikit-learn has no annotations; type checkers infer narrow ones from its defaults.
check_cv: Callable[..., Any] = _check_cv
clone: Callable[..., Any] = _clone


def check_array(array: Any, **options: Any) -> Any:
    """Check an array as scikit-learn does; a sparse one stores each entry once."""
    return without_duplicates(_check_array(array, **options))


def validate_data(estimator: Any, X: Any, **options: Any) -> Any:
    """Check inputs as scikit-learn does; sparse ones store each entry once."""
    return without_duplicates(_validate_data(estimator, X, **options))


def without_duplicates(matrix: Any) -> Any:
    """Return a matrix whose entries are stored once; others stand for their sum.

    The matrix that the user passed stays as it is.
    """
    # Formats that are changed in place, such as LIL, cannot hold an entry twice.
    if sp.issparse(matrix) and not getattr(matrix, "has_canonical_format", True):
        matrix = matrix.copy()
        matrix.sum_duplicates()
    return matrix


def split_sizes(
    n_samples: int, test_size: Any, train_size: Any, default_test_size: float = 0.25
) -> tuple[int, int]:
    """Return the numbers of training and test rows, as scikit-learn computes them."""
    return _validate_shuffle_split(n_samples, test_size, train_size, default_test_size)


# --------------------------------------------------------------------------
# Parameters


def closest(name: object, options: Collection) -> str:
    """Return ``" Did you mean 'x'?"``, or an empty string if no option is similar.

    Upper and lower case are the same, and an option is similar as well if the name is
    longer by an underscore and a suffix.
    """
    known = {str(option).lower(): str(option) for option in options}
    given = str(name).lower()
    # With the cutoff of difflib, 0.6: one or two wrong letters of a short name.
    matches = difflib.get_close_matches(given, known)
    matches = matches or [key for key in known if f"{given}_".startswith(f"{key}_")]
    # The class 1 is no hint for "1". As a list: NumPy warns of a string in numbers.
    looks_the_same = known.get(given) == name and name not in list(options)
    if not matches or looks_the_same:
        return ""
    return f" Did you mean {' or '.join(repr(known[match]) for match in matches)}?"


def check_choice(name: str, value: object, options: Collection) -> None:
    """Raise a ValueError that lists the options unless `value` is one of them."""
    # The type first: an array or a list has no hash, and `in` would raise. As a tuple,
    # which torch 2.6 compiles: losses check their `reduction` here.
    if not isinstance(value, (str, Integral)) or value not in options:
        known = ", ".join(repr(option) for option in sorted(options))
        raise ValueError(
            f"{name}={value!r} is not known.{closest(value, options)} Use one of "
            f"{known}."
        )


def _is_finite(number):
    try:
        return math.isfinite(number)
    except OverflowError:  # an integer beyond all floats
        return False


def _within(values, low, high, closed):
    """Return which values lie in an interval, `closed` as scikit-learn's `Interval`."""
    above = values >= low if closed in ("both", "left") else values > low
    below = values <= high if closed in ("both", "right") else values < high
    return above & below


def _format_interval(low, high, closed):
    """Return an interval in brackets; infinity is never in it."""
    left = "(["[low > -np.inf and closed in ("both", "left")]
    right = ")]"[high < np.inf and closed in ("both", "right")]
    return f"{left}{low}, {high}{right}"


def check_interval(
    name: str, value: object, low: float, high: float = np.inf, *, closed: str = "both"
) -> None:
    """Raise a ValueError unless the finite number lies between `low` and `high`."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not (is_number and _is_finite(value) and _within(value, low, high, closed)):
        raise ValueError(
            f"{name}={value!r} must be a number in "
            f"{_format_interval(low, high, closed)}."
        )


def check_beta(beta: object) -> None:
    """Raise a ValueError unless `beta` is at least 0; infinity is recall alone."""
    # `check_interval` accepts finite numbers only.
    if not (isinstance(beta, Real) and beta == np.inf):
        check_interval("beta", beta, 0)


def check_switch(name: str, value: object) -> None:
    """Raise a ValueError unless `value` is a bool, or 0 or 1 for one."""
    if not (isinstance(value, Integral | np.bool_) and value in (0, 1)):
        raise ValueError(f"{name}={value!r} must be True or False.")


def check_layer_sizes(sizes: Any, name: str = "hidden_layer_sizes") -> tuple[int, ...]:
    """Return the widths of layers as a tuple of int; an int stands for one layer."""
    widths: Any = sizes.tolist() if isinstance(sizes, np.ndarray) else sizes
    # A bool is an Integral as well; the loop below rejects it with the same message.
    if isinstance(widths, Integral):
        widths = (widths,)
    if not isinstance(widths, (list, tuple, range)):
        widths = (None,)
    for width in widths:
        if not isinstance(width, Integral) or isinstance(width, bool) or width < 1:
            raise ValueError(
                f"{name}={sizes!r} must hold the width of each hidden layer, a whole "
                "number from 1 upwards, such as (64, 32) or 64."
            )
    return tuple(map(int, widths))


class Number(Interval):
    """An interval of numbers for `_parameter_constraints`; a bool is no number."""

    def is_satisfied_by(self, val):
        if isinstance(val, (bool, np.bool_)) or not super().is_satisfied_by(val):
            return False
        return self.type is not Real or _is_finite(val)


def switch() -> list:
    """Return the constraints of a bool: NumPy's is one, and so are 0 and 1."""
    return ["boolean", Hidden(Options(Integral, {0, 1}))]


def check_parameters(estimator: Any) -> None:
    """Check the parameters of an estimator by its `_parameter_constraints`."""
    constraints = estimator._parameter_constraints
    values = {name: getattr(estimator, name) for name in constraints}
    check_arguments(type(estimator).__name__, constraints, values)


def check_arguments(caller: str, constraints: Mapping, values: Mapping) -> None:
    """Check the arguments of a function, or the parameters of an estimator.

    Parameters
    ----------
    caller : str
        How the error message calls the function or the class.
    constraints : dict of str to list
        Those of scikit-learn's `validate_parameter_constraints`.
    values : dict of str to object
        The argument of each name; others are ignored.

    Raises
    ------
    InvalidParameterError
        A ValueError and TypeError that names the parameter, what it may be, and the
        nearest spelling of a misspelt name.
    """
    for name, allowed in constraints.items():
        value = values[name]
        try:
            validate_parameter_constraints({name: allowed}, {name: value}, caller)
        except InvalidParameterError as error:
            # scikit-learn lists the options, and leaves the nearest one to the reader.
            options = [c.options for c in allowed if isinstance(c, StrOptions)]
            hint = closest(value, set().union(*options))
            raise InvalidParameterError(f"{error}{hint}") from None


def scorer_pos_label(scorer: object) -> Any:
    """Return the `pos_label` that a scorer was made with, or None."""
    return scorer._kwargs.get("pos_label") if isinstance(scorer, _Scorer) else None


def accepted_names(function: Callable) -> tuple[list[str], bool]:
    """Return the parameter names of a callable, and whether it takes any others."""
    # The signature of a class is that of its `__new__`, which may take anything.
    is_class = inspect.isclass(function) and inspect.isfunction(function.__init__)
    try:
        signature = inspect.signature(function.__init__ if is_class else function)
    except ValueError:  # some functions written in C have no signature
        return [], True
    parameters = list(signature.parameters.values())[is_class:]
    names = [
        p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
    ]
    return names, any(p.kind == p.VAR_KEYWORD for p in parameters)


def check_keywords(
    prefix: str, params: Iterable[str], function: Callable, reserved: Collection = ()
) -> None:
    """Raise a ValueError unless all `params` are parameters of `function`."""
    names, takes_any = accepted_names(function)
    owner = getattr(function, "__name__", repr(function))
    for key in params:
        if key in reserved:
            raise ValueError(
                f"{prefix}__{key} is set by the estimator itself; leave it out of "
                f"{prefix}_params."
            )
        if key not in names and not takes_any:
            options = [name for name in names if name not in reserved]
            raise ValueError(
                f"{prefix}__{key} is not a parameter of {owner}."
                f"{closest(key, options)} It takes {', '.join(options) or 'none'}."
            )


def check_integer(
    name: str, value: Any, low: int, high: float = np.inf, high_is: str = ""
) -> int:
    """Return a whole number between `low` and `high` as an int.

    Parameters
    ----------
    name : str
    value : object
        A float that is whole is accepted; a bool is not.
    low, high : int
    high_is : str
        What `high` is, for the error.

    Raises
    ------
    ValueError
        If the value is no such number.
    """
    is_float = isinstance(value, float | np.floating) and value.is_integer()
    whole = isinstance(value, Integral) and not isinstance(value, bool | np.bool_)
    if not ((whole or is_float) and low <= int(value) <= high):
        most = f" and at most {high_is}{high}" if high < np.inf else ""
        raise ValueError(
            f"{name}={value!r} must be an integer of at least {low}{most}."
        )
    return int(value)


def check_k(k: Any, n_labels: int) -> int:
    """Return the number of labels that are selected in each row as an int."""
    return check_integer("k", k, 1, n_labels, "the number of labels, ")


def _format_entries(values, chosen, names):
    """Return the first chosen numbers, each with its label, for an error."""
    places = np.flatnonzero(chosen)
    # Three show what is wrong; hundreds of labels would hide the rest of the error.
    first = [
        f"{values[k]} for label {k if names is None else names[k]!r}"
        for k in places[:3].tolist()
    ]
    more = len(places) - len(first)
    return ", ".join(first) + (f" and {more} more" if more else "")


def check_per_label(
    name: str,
    value: Any,
    n_labels: int,
    what: str = "number",
    *,
    names: Any = None,
    low: float = -np.inf,
    high: float = np.inf,
    closed: str = "both",
    slack: float = 0.0,
    hint: str = "",
    hint_outside: str = "",
) -> np.ndarray:
    """Return a number, or an array of one for each label, as a float array.

    Parameters
    ----------
    name : str
        How the error messages call the value.
    value : float, array-like of shape (n_labels,), dict, Series or data frame
        Numbers with names are put into the order of `names`.
    n_labels : int
    what : str
        What the numbers are, for the error.
    names : sequence or None
        As in `align_weights`.
    low, high : float
        The interval of the numbers.
    closed : {"both", "left", "right", "neither"}
        Which ends belong to the interval.
    slack : float
        How far below `low` a number may be all the same.
    hint : str
        What else the parameter may be, for the error.
    hint_outside : str
        What to do about numbers outside of the interval, for their error.

    Returns
    -------
    ndarray of float64, shape (n_labels,)
        A copy.

    Raises
    ------
    ValueError
        If the shape is another, or a value is not a finite number in the interval.
    """
    aligned = align_weights(value, names, name)
    try:
        values = np.asarray(aligned)
        # None alone would become NaN; in an array it is a missing number.
        is_numeric = values.dtype.kind in "iuf" or (
            values.dtype.kind == "O" and values.ndim > 0
        )
        values = values.astype(np.float64)
    except (TypeError, ValueError):  # strings, or rows of several lengths
        values, is_numeric = np.empty(0), False
    if not is_numeric:
        raise ValueError(
            f"{name}={value!r} must be a number or an array of shape ({n_labels},) "
            f"with one {what} for each label.{hint}"
        )
    if values.shape not in ((), (n_labels,)):
        raise ValueError(
            f"{name} has shape {values.shape}, expected a number or ({n_labels},): one "
            f"{what} for each label.{hint}"
        )
    outside = ~(np.isfinite(values) & _within(values, low - slack, high, closed))
    if outside.any():
        is_bounded = (low, high) != (-np.inf, np.inf)
        where = f"lie in {_format_interval(low, high, closed)}" if is_bounded else ""
        got = _format_entries(values, outside, names) if values.ndim else repr(value)
        raise ValueError(
            f"{name} must {where or 'be finite'}, got {got}.{hint_outside}"
        )
    return np.broadcast_to(values, (n_labels,)).copy()


# --------------------------------------------------------------------------
# Names of columns


def check_unique(names: Iterable, where: str) -> None:
    """Raise a ValueError if a name comes twice; `where` says in what."""
    repeated = [name for name, n in Counter(names).items() if n > 1]
    if repeated:
        raise ValueError(f"{where} {repeated[0]!r} more than once.")


def is_pyarrow(container: object) -> bool:
    """Return whether this is a table or an array of pyarrow."""
    return type(container).__module__.startswith("pyarrow")


def frame_columns(frame: Any) -> Any:
    """Return the column names of a data frame, None for anything else."""
    # The columns of a pyarrow Table are arrays. A column of pandas may have the name
    # "column_names", and is an attribute then.
    if is_pyarrow(frame):
        return getattr(frame, "column_names", None)
    return getattr(frame, "columns", None)


def check_unique_columns(frame: Any, name: str) -> None:
    """Raise a ValueError if two columns of a data frame have the same name."""
    check_unique(frame_columns(frame), f"{name} has the column name")


def column_names(y: Any) -> np.ndarray | None:
    """Return the column names of a data frame as strings, None for anything else."""
    columns = frame_columns(y)
    if columns is None:
        return None
    return np.asarray([str(column) for column in columns], dtype=object)


def column_order(frame: Any, label_names: Any, name: str) -> np.ndarray | None:
    """Return the places of the fitted columns in a frame; None where they are in place.

    The arguments are those of `align_columns`.
    """
    return name_order(column_names(frame), label_names, name)


def name_order(columns: Any, label_names: Any, name: str) -> np.ndarray | None:
    """Return the places of the fitted names among those of some columns, or None.

    `columns` is an ndarray of str or None; the rest is as in `align_columns`.
    """
    if columns is None or label_names is None or np.array_equal(columns, label_names):
        return None
    known = set(label_names)
    # A frame that was made of an array has the columns 0, 1, ...: order, not names.
    positions = [str(number) for number in range(len(label_names))]
    if columns.tolist() == positions and known != set(positions):
        return None
    place = {column: number for number, column in enumerate(columns)}
    if len(columns) != len(label_names) or place.keys() != known:
        unknown = [column for column in columns if column not in known]
        lacking = [label for label in label_names if label not in place]
        raise ValueError(
            f"{name} must have the label columns that were fitted. It lacks "
            f"{lacking[:5]} and has {unknown[:5]} instead."
        )
    return np.array([place[label] for label in label_names])


def take_columns(matrix: Any, columns: np.ndarray) -> Any:
    """Return some columns of labels or weights in the container that they came in."""
    matrix = matrix if hasattr(matrix, "shape") else np.asarray(matrix)
    return _safe_indexing(matrix, columns, axis=1)


def align_columns(frame: Any, label_names: Any, name: str) -> Any:
    """Return a frame of labels with its columns in the order of the fitted ones.

    Parameters
    ----------
    frame : data frame or object
        An object without column names is returned as it is; so is a frame whose columns
        are numbered from 0, unless the label names are.
    label_names : ndarray of str or None
        The fitted names; None where `y` had none.
    name : str
        How the error message calls the frame.

    Raises
    ------
    ValueError
        If the names differ from the fitted ones.
    """
    order = column_order(frame, label_names, name)
    return frame if order is None else take_columns(frame, order)


def align_labels(
    y: Any,
    sample_weight: Any,
    label_names: Any,
    names: tuple[str, str] = ("y", "sample_weight"),
) -> tuple[Any, Any]:
    """Return labels, and weights of rows or entries, in the order of the fitted labels.

    Parameters
    ----------
    y : data frame or object
        Labels, as in `align_columns`.
    sample_weight : data frame, object or None
        Weights of entries without names belong to the columns of `y` as it is passed.
    label_names : ndarray of str or None
        The fitted names.
    names : tuple of str
        How the error messages call labels and weights.

    Raises
    ------
    ValueError
        If the names differ from the fitted ones.
    """
    name, weight_name = names
    order = column_order(y, label_names, name)
    if order is None:
        return y, align_columns(sample_weight, label_names, weight_name)
    weight = align_columns(sample_weight, column_names(y), weight_name)
    if frame_columns(weight) is not None:
        # Reordered, columns that are numbered from 0 would be taken for names.
        weight = np.asarray(weight)
    shape = np.shape(weight)
    # Of another shape they are weights of rows, or the error of what reads them.
    if len(shape) == 2 and shape[1] == len(order):
        weight = take_columns(weight, order)
    return take_columns(y, order), weight


def _as_series(weights, name):
    """Return a data frame of one row or one column as a Series, all else unchanged.

    One row of polars becomes a dict: its Series have no index.
    """
    if hasattr(weights, "to_dicts") and len(weights) == 1:
        return weights.to_dicts()[0]
    if not hasattr(weights, "iloc") or np.ndim(weights) != 2:
        return weights
    if 1 not in weights.shape:
        raise ValueError(
            f"{name} is a data frame of shape {weights.shape}, but must have one row "
            "or one column."
        )
    return weights.iloc[0] if len(weights) == 1 else weights.iloc[:, 0]


def align_weights(weights: Any, names: Any, name: str) -> Any:
    """Return weights that come with names as an array in the order of the names.

    Parameters
    ----------
    weights : dict, pandas Series, data frame of one row or column, or object
        An object without names is returned as it is; so are the values of a Series
        whose index counts from 0, unless the names do.
    names : sequence or None
        Names of the labels, or the classes; None stands for 0, 1, 2, ...
    name : str
        How the error message calls the weights.

    Raises
    ------
    ValueError
        If a name is missing or not known.
    """
    weights = _as_series(weights, name)
    if isinstance(weights, Mapping):
        given: dict[Any, Any] = dict(weights)
    elif hasattr(weights, "index") and hasattr(weights, "to_dict"):
        check_unique(weights.index, f"{name} has the name")
        given = dict(zip(weights.index, np.asarray(weights), strict=True))
    else:
        return weights
    positions = list(range(len(given)))
    if names is None and set(given) != set(positions):
        raise ValueError(
            f"{name} has the names {list(given)[:5]}, but the labels have no names. "
            f"Pass the labels as a data frame, or {name} as an array with one entry "
            "for each label, or with the keys 0, 1, 2, ..."
        )
    known = positions if names is None else list(names)
    is_numbered = list(given) == positions and not isinstance(weights, Mapping)
    if is_numbered and set(map(str, known)) != set(map(str, positions)):
        return np.asarray(weights)
    if all(isinstance(label, str) for label in known):
        # `column_names` returns strings, also for columns that are numbers.
        given = {str(key): entry for key, entry in given.items()}
    unknown = [key for key in given if key not in known]
    lacking = [key for key in known if key not in given]
    if unknown or lacking:
        hint = closest(unknown[0], known) if unknown else ""
        more = f" and has {unknown[:5]} instead" if unknown else ""
        raise ValueError(
            f"{name} must have one entry for each of {known[:5]}"
            f"{' ...' if len(known) > 5 else ''}: it lacks {lacking[:5]}{more}.{hint}"
        )
    return np.array([given[key] for key in known])


# --------------------------------------------------------------------------
# Weights and scores


def check_weights(
    sample_weight: Any,
    n_samples: int,
    n_labels: int | None = None,
    name: str = "sample_weight",
    label_names: Any = None,
) -> Any:
    """Return weights of rows or entries as float64, or None.

    Parameters
    ----------
    sample_weight : None, array-like of shape (n_samples,) or (n_samples, n_labels), \
            data frame or sparse matrix of shape (n_samples, n_labels)
        A sparse matrix holds what the weight of an entry exceeds 1 by, as
        `PosWeightTransformer.transform` returns it. The columns of a data frame are
        put into the order of the label names.
    n_samples : int
    n_labels : int or None
        None where only rows have weights.
    name : str
    label_names : ndarray of str or None
        The names of the labels, where `y` has any.

    Returns
    -------
    None, ndarray or SparseWeights
    """
    if sample_weight is None:
        return None
    aligned = align_columns(sample_weight, label_names, name)
    weight = _as_weights(aligned, name)
    if weight.ndim == 0:  # a number for all, as in scikit-learn
        weight = np.full(n_samples, float(weight))
    allowed = [(n_samples,)] + ([(n_samples, n_labels)] if n_labels else [])
    if weight.shape not in allowed:
        shapes = " or ".join(str(shape) for shape in allowed)
        raise ValueError(f"{name} has shape {weight.shape}, expected {shapes}.")
    values: Any = weight.stored() if isinstance(weight, SparseWeights) else weight
    if not np.isfinite(values).all() or values.min(initial=0.0) < 0:
        raise ValueError(
            f"{name} contains NaN, infinity or a number below 0: weights must be "
            "finite and not negative."
        )
    if not weight.max() > 0:
        raise ValueError(f"{name} is zero everywhere: no row or entry is left.")
    return weight


def _as_weights(sample_weight: Any, name: str) -> Any:
    """Return weights of any container as float64."""
    if isinstance(sample_weight, SparseWeights):
        return sample_weight
    if sp.issparse(sample_weight):
        excess = sp.csr_array(sample_weight, dtype=np.float64)
        return SparseWeights(without_duplicates(excess))
    refuse_masked(sample_weight, name)
    weight = np.asarray(sample_weight)
    if weight.dtype.kind not in "biufO":
        raise ValueError(f"{name} must hold numbers, got values of {weight.dtype}.")
    try:
        return weight.astype(np.float64, copy=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must hold numbers: {error}.") from error


def n_dimensions(y: Any) -> int:
    """Return the number of dimensions of an array-like, a frame or a sparse matrix."""
    return y.ndim if hasattr(y, "ndim") else np.ndim(y)


def refuse_masked(values: Any, name: str) -> None:
    """Raise a ValueError for masked entries, whose mask would be dropped."""
    if np.ma.is_masked(values):
        raise ValueError(f"{name} has masked entries: pass {name}.filled(...).")


def _as_numbers(values: Any, name: str) -> np.ndarray:
    """Return scores of any container as an array of finite numbers."""
    if sp.issparse(values):
        raise ValueError(f"{name} must be dense: pass {name}.toarray().")
    refuse_masked(values, name)
    scores = np.asarray(values)
    if scores.dtype.kind == "O":
        try:
            scores = scores.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name} must hold finite numbers: {error}.") from error
    if scores.dtype.kind not in "biuf":
        raise ValueError(f"{name} must hold numbers, got {scores.dtype}.")
    if scores.dtype.kind == "f" and not np.isfinite(scores).all():
        raise ValueError(f"{name} must be finite, but has NaN or infinity.")
    return scores


def check_scores(
    y_score: Any, shape: tuple[int, int], name: str = "y_score"
) -> np.ndarray:
    """Return scores as a finite array of the shape of the labels."""
    scores = _as_numbers(y_score, name)
    if scores.dtype == bool:  # which has no differences
        scores = scores.astype(np.float32)
    if scores.ndim == 1:
        scores = scores.reshape(-1, 1)
    if scores.shape != shape:
        hint = ""
        if scores.shape == (shape[0], 2) and shape[1] == 1:
            hint = f" Pass the scores of the positive class alone, {name}[:, 1]."
        raise ValueError(
            f"{name} has shape {scores.shape}, but y_true has shape {shape}.{hint}"
        )
    return scores


def check_probabilities(y_proba: Any, name: str = "y_proba") -> np.ndarray:
    """Return probabilities as a float array (n_samples, n_labels)."""
    proba = _as_numbers(y_proba, name)
    if proba.dtype.kind != "f":
        proba = proba.astype(np.float64)
    if proba.ndim not in (1, 2) or proba.size == 0:
        raise ValueError(
            f"{name} has shape {proba.shape}, expected (n_samples, n_labels) or "
            "(n_samples,)."
        )
    if not (proba.min() >= 0 and proba.max() <= 1):
        raise ValueError(f"{name} must hold probabilities, between 0 and 1.")
    return proba.reshape(len(proba), -1)


def check_same_length(**arrays: Any) -> None:
    """Raise a ValueError that names the arguments unless all have as many rows."""
    present = {name: array for name, array in arrays.items() if array is not None}
    lengths = {name: _length(array, name) for name, array in present.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name}: {length}" for name, length in lengths.items())
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: {shown}."
        )


def check_groups(groups) -> Any:
    """Return groups as an array, or raise a ValueError unless there is one a row."""
    if groups is None:
        return None
    groups = np.asarray(groups)
    if groups.ndim != 1:
        raise ValueError(
            f"groups has shape {groups.shape}, but must have one entry for each row."
        )
    try:
        np.unique(groups)  # the splitter sorts them, too
    except TypeError as error:
        raise ValueError(
            f"groups holds values that cannot be sorted ({error}), such "
            "as names and None. Give every row a number or a name."
        ) from error
    return groups


def _length(array, name):
    """Return the number of rows; `name` is how the error messages call the array."""
    # A dok_array is a Mapping, too, and so is skorch's SliceDict, of arrays.
    shape: Any = getattr(array, "shape", None)
    if shape and (sp.issparse(array) or isinstance(array, Mapping)):
        return shape[0]
    if isinstance(array, Mapping):
        raise TypeError(
            f"{name} must be array-like, got a {type(array).__name__}. Pass several "
            "inputs X as skorch.helper.SliceDict(**X), whose rows can be sliced."
        )
    if isinstance(array, set | frozenset | str | bytes):
        raise TypeError(f"{name} must be array-like, got a {type(array).__name__}.")
    try:
        return _num_samples(array)
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from error
