"""What the user passes to the estimators, checked and encoded before any work.

First the inputs: which containers are accepted, and what is wrong with others. Then
targets and weights, and last the parameters, alone, together and with the target. The
errors come before those of scikit-learn, NumPy or torch, which name other things.
"""

import contextlib
import datetime
import numbers
import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset

from skimbalance._base import warn_positive_class
from skimbalance._categories import as_rows, find_categorical, is_missing
from skimbalance._counts import check_label_counts
from skimbalance._labels import (
    BINARY,
    MULTILABEL,
    check_target,
    encode_like,
    find_positive,
    no_class,
)
from skimbalance._validation import (
    align_weights,
    check_array,
    check_parameters,
    check_unique_columns,
    take_rows,
    validate_data,
)
from skimbalance.neural_network._batches import resolve_sampler
from skimbalance.neural_network._callbacks import check_callbacks, check_scoring
from skimbalance.neural_network._data import DatasetRows, JoinedRows
from skimbalance.neural_network._devices import check_devices, resolve_device
from skimbalance.neural_network._module import check_module
from skimbalance.neural_network._optimizer import check_optimizer
from skimbalance.neural_network._output import resolve_output_params
from skimbalance.neural_network._resampler import check_resampler
from skimbalance.neural_network._training import check_net_params
from skimbalance.preprocessing import CategoryEncoder
from skimbalance.thresholds._rules import resolve_rule
from skimbalance.weights import PosWeightTransformer

# Scores that differ with the class that counts as positive.
_SCORES_OF_POSITIVES = {"average_precision", "f1", "jaccard", "precision", "recall"}

_ONE_ARRAY = (
    "one array of shape (n_samples, ...) is expected, or a map-style torch Dataset. "
    "Several inputs are a dict or a tuple of arrays, for ImbalancedNetClassifier with "
    "a module of your own"
)
_ENCODE = (
    "Encode it as numbers, for example by OneHotEncoder or OrdinalEncoder in a "
    "ColumnTransformer, or name it in categorical_features of ImbalancedMLPClassifier "
    "with standardize='auto'"
)
# What torch cannot gather rows of, and the type that holds the same values.
_TAKEN_AS = {"uint16": np.int32, "uint32": np.int64}


def as_one_array(X: Any, name="X", y=None) -> Any:
    """Return inputs in a container that has rows, or raise an error that says why not.

    Parameters
    ----------
    X : object
        As the user passed it.
    name : str
        How the error messages call it.
    y : object, default=None
        Targets, whose number distinguishes a list of rows from one of input arrays.

    Returns
    -------
    DatasetRows, JoinedRows, array, sparse matrix or data frame
        Lists and tensors become arrays; what has a shape stays as it is.
    """
    if sp.issparse(X):  # a DOK matrix is a Mapping, too, and has no length
        return X.tocsr() if X.format == "dok" else X
    if isinstance(X, DataLoader):
        raise TypeError(
            f"{name} is a DataLoader, but {_ONE_ARRAY}. Pass its dataset, "
            f"{name}=loader.dataset; batch_size and num_workers are parameters of the "
            "estimator."
        )
    if isinstance(X, Mapping) or _is_tuple_of_arrays(X):
        return _joined_rows(X, name)
    if _is_list_of_inputs(X, y):
        raise TypeError(f"{name} is a {type(X).__name__}, but {_ONE_ARRAY}.")
    if isinstance(X, (str, bytes, Iterator, Set)) or not _is_collection(X):
        raise TypeError(f"{name} is of type {type(X).__name__}, but {_ONE_ARRAY}.")
    if isinstance(X, Dataset) or _is_slice_dataset(X):
        return _dataset_rows(X, name)
    if isinstance(X, torch.Tensor):
        return _tensor_as_array(X, name)
    if isinstance(X, (list, tuple)):
        return _list_as_array(X, name)
    # A mask without a masked value hides nothing, and is dropped by check_array.
    if isinstance(X, np.ma.MaskedArray) and np.ma.is_masked(X):
        raise ValueError(
            f"{name} is a masked array, and masked values would be read as they are: "
            "fill or impute them first."
        )
    # A pandas Series has a shape, but none of the columns that frames are checked by.
    return np.asarray(X) if not hasattr(X, "shape") or hasattr(X, "to_list") else X


def _is_tuple_of_arrays(X):
    return isinstance(X, tuple) and any(
        np.ndim(item) and hasattr(item, "shape") for item in X
    )


def _joined_rows(X, name):
    """Return a dict or a tuple of arrays as rows, or raise an error that says why not.

    The arrays of the items are read as one array is, each under a name of its own.
    """
    is_dict = isinstance(X, Mapping)
    if not len(X) or (is_dict and not all(isinstance(key, str) for key in X)):
        raise TypeError(
            f"{name} is a {type(X).__name__}, whose items must be arrays, and its keys "
            "the names of arguments of the module."
        )
    arrays = {
        f"{name}[{key!r}]": part
        for key, part in (X.items() if is_dict else enumerate(X))
    }
    arrays = {key: _part_array(part, key) for key, part in arrays.items()}
    lengths = {key: len(part) for key, part in arrays.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{key}: {length}" for key, length in lengths.items())
        raise ValueError(
            f"The arrays of {name} must have the same number of rows, but have {shown}."
        )
    return JoinedRows(list(arrays.values()), list(X) if is_dict else None)


def _part_array(part, name):
    """Return one of several inputs as a dense array of numbers."""
    part = as_one_array(part, name)
    if sp.issparse(part) or isinstance(part, DatasetRows | JoinedRows):
        raise TypeError(f"{name} must be a dense array, as one of several inputs.")
    _check_columns(part, name)
    part = check_array(
        _with_integers(part),
        order="C",
        allow_nd=True,
        ensure_2d=False,
        input_name=name,
    )
    return _as_computable(part, name)


def _read_joined(estimator, X, fitted, allows_several, name):
    """Return several checked inputs, in the order and of the kinds of the fitted."""
    if not allows_several:
        kind = "tuple" if X.names is None else "dict"
        raise TypeError(
            f"{name} is a {kind}, but the default module reads one array: {_ONE_ARRAY}."
        )
    if fitted is None:
        estimator.category_encoder_ = None
        for attribute in ("n_features_in_", "feature_names_in_"):
            vars(estimator).pop(attribute, None)
        estimator._integer_parts = [part.dtype.kind in "biu" for part in X.arrays]
        return X
    if isinstance(fitted, dict) and X.names and set(X.names) == set(fitted):
        arrays = dict(zip(X.names, X.arrays, strict=True))
        X = JoinedRows([arrays[key] for key in fitted], list(fitted))
    if X.row_shape != fitted:
        raise ValueError(_other_shape(name, X, fitted))
    names = X.names or range(len(X.arrays))
    every = zip(X.arrays, names, estimator._integer_parts, strict=True)
    arrays = [_of_kind(part, f"{name}[{key!r}]", is_int) for part, key, is_int in every]
    return JoinedRows(arrays, X.names)


def _of_kind(part, name, is_integer):
    """Return an array with integers if the fitted one had such, and else floats."""
    if is_integer == (part.dtype.kind in "biu"):
        return part
    if not is_integer:
        return part.astype(np.float64)
    integers = part.astype(np.int64)
    if not np.array_equal(integers, part):
        raise ValueError(
            f"{name} holds other numbers than integers, and held integers in fit."
        )
    return integers


def _is_list_of_inputs(X, y):
    """Whether a list holds arrays of as many rows as `y`, and not rows."""
    if not isinstance(X, list) or not X or y is None or len(X) == _length(y):
        return False
    return all(hasattr(item, "shape") and _length(item) == _length(y) for item in X)


def _is_collection(X):
    return hasattr(X, "__len__") or hasattr(X, "__array__") or isinstance(X, Dataset)


def _is_slice_dataset(X):
    """Whether inputs are a `skorch.helper.SliceDataset`, which is no Dataset itself."""
    return isinstance(getattr(X, "dataset", None), Dataset) and hasattr(X, "indices_")


def _dataset_rows(X, name):
    """Return a map-style Dataset as rows, or raise an error that says why not."""
    # Batches are drawn by index, in a new order each epoch: a stream has no index.
    if isinstance(X, IterableDataset) or not hasattr(X, "__len__"):
        raise TypeError(
            f"{name} is an iterable Dataset, but a map-style one is expected, with "
            "__len__ and __getitem__."
        )
    if len(X) == 0:
        raise ValueError(
            f"{name} is a Dataset of length 0: at least one row is needed."
        )
    # One item stands for all; `DatasetRows` compares the shape of the others with it.
    item = X[0]
    first = item[0] if isinstance(item, (tuple, list)) and len(item) else item
    if isinstance(first, Mapping) or not np.ndim(first):
        kind = type(first).__name__
        raise TypeError(
            f"{name} is a Dataset whose items are of type {kind}, but each item must "
            f"be one array of inputs, or a tuple that begins with one. A {kind} is not "
            "supported yet."
        )
    rows = DatasetRows(X)
    if rows.dtype.kind not in "biuf":
        raise ValueError(
            f"{name} is a Dataset whose items have dtype {rows.dtype}: numbers are "
            "expected."
        )
    return rows


def check_has_targets(X, y):
    """Raise a ValueError where the targets are expected to come with a Dataset."""
    if y is None and isinstance(X, DatasetRows):
        raise ValueError(
            "requires y to be passed, but the target y is None. Targets that are the "
            "second items of a Dataset are y=skorch.helper.SliceDataset(dataset, 1)."
        )


def _tensor_as_array(X, name):
    """Return a dense tensor as an array; NumPy has no bfloat16."""
    if X.layout is not torch.strided:
        raise TypeError(
            f"{name} is a tensor of layout {X.layout}: pass a dense tensor, or a CSR "
            "matrix of scipy.sparse."
        )
    # A meta tensor has a shape and no values; NumPy has no quantized types.
    if X.is_meta or X.is_quantized:
        kind = "meta" if X.is_meta else "quantized"
        raise TypeError(f"{name} is a {kind} tensor: pass one that holds numbers.")
    X = X.detach().cpu()
    return (X.float() if X.dtype is torch.bfloat16 else X).numpy()


def _list_as_array(X, name):
    """Return a list of rows as an array, or raise an error that names the way out."""
    if X and isinstance(X[0], Mapping):
        raise TypeError(
            f"{name} is a list of dicts, but {_ONE_ARRAY}. DictVectorizer makes one of "
            "dicts of numbers and names."
        )
    # cross_validate takes the rows of a Dataset one by one: a list of (input, target).
    if X and isinstance(X[0], (tuple, list)) and any(map(torch.is_tensor, X[0])):
        raise TypeError(
            f"{name} is a list of items of a Dataset, as scikit-learn's tools take "
            "them out of one. Pass skorch.helper.SliceDataset(dataset) to these tools "
            "instead, which stays a Dataset when it is sliced."
        )
    try:
        return as_rows(X)
    except (ValueError, TypeError) as error:
        raise ValueError(_describe_ragged(X, name)) from error


def _describe_ragged(X, name):
    """Return the error message for rows that make no array."""
    lengths = sorted({_length(row) for row in X})
    shown = ", ".join(map(str, lengths[:3])) + (", ..." if len(lengths) > 3 else "")
    differ = f"length ({shown})" if len(lengths) > 1 else "shape"
    return (
        f"The rows of {name} differ in {differ}. Pad or crop them to one length, so "
        "that they make one array."
    )


def _length(rows):
    if hasattr(rows, "shape") and np.ndim(rows):
        return rows.shape[0]
    return len(rows) if hasattr(rows, "__len__") else 1


def read_inputs(estimator, X, reset, allow_nd, name="X") -> Any:
    """Return checked inputs of any container.

    Parameters
    ----------
    estimator : BaseImbalancedNet
        Gets the number and the names of the features in `fit`.
    X : object
        As the user passed it.
    reset : bool
        True in `fit`; else the rows must have the fitted shape.
    allow_nd : bool
        Whether a row may have more than one dimension.
    name : str
        How the error messages call it.

    Returns
    -------
    ndarray, csr_array, DatasetRows or JoinedRows
        In a dtype that torch computes with.
    """
    X = as_one_array(X, name)
    fitted = None if reset else estimator._input_shape
    if isinstance(X, JoinedRows):
        return _read_joined(estimator, X, fitted, allow_nd, name)
    if isinstance(fitted, dict | list):
        raise ValueError(_other_shape(name, X, fitted))
    if not isinstance(X, DatasetRows):
        return _read_array(estimator, X, fitted, allow_nd, name)
    if reset:
        estimator.category_encoder_ = None
        estimator.n_features_in_ = X.shape[1]
        # Of an earlier fit on a data frame.
        vars(estimator).pop("feature_names_in_", None)
    elif estimator.category_encoder_ is not None:
        raise ValueError(_no_table(name))
    elif X.shape[1:] != fitted:
        raise ValueError(_other_shape(name, X, fitted))
    return X


def _read_array(estimator, X, fitted, allow_nd, name):
    """Return a checked array; errors of scikit-learn get the name of the argument."""
    encoder = _category_encoder(estimator, X, fitted, name)
    if encoder is not None:
        return _read_table(estimator, encoder, X, fitted, name)
    # First what scikit-learn would report without the column, or without a way out.
    _check_columns(X, name)
    _check_row_shape(X, fitted, name)
    X = _with_integers(X)
    imputes = estimator._reads_tables() if fitted is None else estimator._imputes
    allows_nan = imputes and not sp.issparse(X)
    with _named(name), np.errstate(all="ignore"):  # of sums of what is infinite
        X = validate_data(
            estimator,
            X,
            reset=fitted is None,
            accept_sparse="csr",
            dtype=_wanted_dtype(X),
            order="C",
            allow_nd=allow_nd,
            ensure_all_finite="allow-nan" if allows_nan else True,
        )
    X = _as_computable(X, name)
    return sp.csr_array(X) if sp.issparse(X) else X


def _category_encoder(estimator, X, fitted, name):
    """Return what encodes the categories of a table; None where there are none.

    In `fit` it is a new one, to be fitted, unless a warm start goes on with the codes
    that the weights belong to.
    """
    given = getattr(estimator, "categorical_features", None)
    if fitted is not None or goes_on(estimator):
        encoder = getattr(estimator, "category_encoder_", None)
        if fitted is None and len(X.shape) == 2:
            _check_same_columns(encoder, given, X)
        return encoder
    estimator.category_encoder_ = None
    # By the shape: NumPy makes an array of a frame of polars, to count its dimensions.
    if given is None or sp.issparse(X) or len(X.shape) != 2:
        _check_no_categories(given, name, "a dense X of shape (n_samples, n_features)")
        return None
    if not estimator._reads_tables():
        _check_no_categories(given, name, "standardize='auto'")
        return None
    if hasattr(X, "columns"):
        check_unique_columns(X, name)
    with _named(name):
        is_categorical = find_categorical(X, given)
    if is_categorical.any():
        estimator.category_encoder_ = CategoryEncoder(is_categorical)
    return estimator.category_encoder_


def goes_on(estimator):
    """Return whether `fit` goes on with the weights of an earlier fit."""
    return estimator.warm_start and getattr(estimator, "net_", None) is not None


def _check_same_columns(encoder, given, X):
    """Raise a ValueError where a warm start is to embed other columns than before."""
    if isinstance(given, str):  # whose choice is that of the first fit
        return
    now = find_categorical(X, given)
    before = np.zeros_like(now) if encoder is None else encoder.is_categorical_
    if not np.array_equal(now, before):
        raise ValueError(
            "warm_start=True goes on with embeddings of the columns "
            f"{np.flatnonzero(before).tolist()}, but categorical_features={given!r}. "
            "Set it back, or set warm_start=False to start anew."
        )


def recount_categories(estimator, X, rows):
    """Find the categories among the rows that count, as if there were no others.

    A category that only rows without a weight or a label have would get an embedding
    that nothing trains.

    Parameters
    ----------
    estimator : BaseImbalancedNet
        Has read `X` in this fit.
    X : array or data frame
        As passed.
    rows : Rows
        With all codes.

    Returns
    -------
    Rows
        With the codes of these categories.
    """
    encoder = estimator.category_encoder_
    if encoder is None or goes_on(estimator):
        return rows
    encoder.fit(take_rows(X, rows.index))
    return replace(rows, X=np.ascontiguousarray(encoder.transform(X)))


def _check_no_categories(given, name, needed):
    """Raise a ValueError where columns are named that cannot be embedded."""
    if given is not None and not isinstance(given, str):
        raise ValueError(
            f"categorical_features={given!r} embeds columns of {name}, which needs "
            f"{needed}. Set categorical_features=None, or encode the columns."
        )


def _read_table(estimator, encoder, X, fitted, name):
    """Return a table with codes in place of its categories."""
    if sp.issparse(X) or len(X.shape) != 2:
        raise ValueError(_no_table(name))
    with _named(name):
        validate_data(estimator, X, reset=fitted is None, skip_check_array=True)
        # Fitted or not, it has the mask that `_category_encoder` found.
        numbers = np.flatnonzero(~encoder.categorical_features)
        _check_columns(take_rows(X, numbers, axis=1), name)
        if not hasattr(encoder, "categories_"):
            encoder.fit(X)
        with np.errstate(all="ignore"):
            return np.ascontiguousarray(encoder.transform(X))


def _no_table(name):
    return (
        f"{name} must be a data frame or a dense array of shape (n_samples, "
        "n_features), as the net was fitted on categories."
    )


@contextlib.contextmanager
def _named(name):
    """Give errors of scikit-learn the name of the argument, which most of them lack."""
    try:
        yield
    except (TypeError, ValueError) as error:
        # Most messages of scikit-learn say X, whatever the argument is called.
        if re.search(rf"\b{name}\b", str(error)):
            raise
        # Subclasses of the two may need other arguments than a message.
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{name}: {error}") from error


def _with_integers(X) -> Any:
    """Return integers of an object or a nullable dtype, or next to bools, as int64.

    scikit-learn would make floats of them, which round large identifiers and are no
    input of an embedding.
    """
    if hasattr(X, "infer_objects"):
        X = X.infer_objects()  # columns of objects that are all integers, or all floats
        kinds = {getattr(dtype, "kind", "O") for dtype in X.dtypes}
        is_split = "b" in kinds or any(hasattr(d, "numpy_dtype") for d in X.dtypes)
        if is_split and _are_integers(kinds) and not X.isna().any(axis=None):
            return X.astype(np.int64)
    elif isinstance(X, np.ndarray) and X.dtype.kind == "O" and X.size:
        values = np.array(X.ravel().tolist())
        if _are_integers({values.dtype.kind}):
            return values.reshape(X.shape)
    return X


def _wanted_dtype(X):
    """Return what inputs are converted to: floats where a frame makes objects of them.

    Polars does of decimals, and of bools with missing values, pandas of strings. Of the
    objects of NumPy scikit-learn makes floats itself.
    """
    if hasattr(X, "infer_objects"):
        is_object = any(getattr(dtype, "type", None) is str for dtype in X.dtypes)
    else:
        is_object = hasattr(X, "columns") and np.asarray(X).dtype.kind == "O"
    return np.float64 if is_object else "numeric"


def _are_integers(kinds):
    return kinds <= set("iub") and not kinds <= {"b"}


def _other_shape(name, X, fitted):
    shape = getattr(X, "row_shape", X.shape[1:])
    return (
        f"{name} has rows of shape {shape}, but the estimator was fitted with "
        f"rows of shape {fitted}."
    )


def _check_columns(X, name):
    """Raise an error that names the first column that does not hold numbers."""
    if hasattr(X, "columns") and hasattr(X, "dtypes"):
        check_unique_columns(X, name)
        # Those of polars have no kind; the array of the column has one.
        kinds = [getattr(dtype, "kind", "O") for dtype in X.dtypes]
        for place, (column, kind) in enumerate(zip(X.columns, kinds, strict=True)):
            if kind not in "biuf":
                values = X.iloc[:, place] if hasattr(X, "iloc") else X[column]
                _check_numbers(np.asarray(values), f"Column {column!r} of {name}")
    elif isinstance(X, np.ndarray):
        _check_array_columns(X, name)
    elif sp.issparse(X) and X.dtype.kind == "c":
        raise ValueError(_complex(name))


def _check_array_columns(X, name):
    """Raise an error that names the first column of an array without numbers."""
    if X.dtype.kind in "biuf":
        return
    if X.dtype.kind == "c":
        raise ValueError(_complex(name))
    is_column = all(isinstance(row, str | bytes) for row in X)
    is_ragged = X.dtype.kind == "O" and X.ndim == 1 and not is_column
    if is_ragged and len({_length(row) for row in X}) > 1:
        raise ValueError(_describe_ragged(X, name))
    if X.ndim != 2:
        _check_numbers(X.ravel(), name)
        return
    for place, column in enumerate(X.T):
        _check_numbers(column, f"Column {place} of {name}")


def _check_numbers(values, name):
    """Raise an error unless the values of a column are numbers."""
    if values.dtype.kind in "biuf":
        return
    if values.dtype.kind == "c":
        raise ValueError(_complex(name))
    if values.dtype.kind in "mM" or _are_dates(values):
        raise ValueError(
            f"{name} holds dates or times ({values.dtype}). Turn it into numbers, such "
            "as days since a fixed date, hour and weekday."
        )
    try:
        values.astype(np.float64)
        # astype reads "1" as 1, but strings of digits are codes as a rule.
        if values.dtype.kind in "US":
            raise ValueError("dtype='numeric' is required")
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(_no_numbers(values, name, error)) from error


def _are_dates(values):
    present = [value for value in values if not is_missing(value)]
    return bool(present) and all(isinstance(v, datetime.date) for v in present)


def _complex(name):
    return (
        f"{name} holds complex numbers. Complex data not supported: make two columns, "
        "of the real and of the imaginary parts."
    )


def _no_numbers(values, name, error):
    """Return the error message for values that are no numbers."""
    text = [value for value in values if isinstance(value, (str, bytes))]
    if not text:
        return f"{name} holds no numbers: {str(error).rstrip('.')}. {_ENCODE}."
    return (
        f"{name} holds strings such as {str(text[0])!r}, but a net computes with "
        f"numbers. {_ENCODE}."
    )


def _as_computable(X, name):
    """Return checked inputs in a dtype that torch computes with, of equal values."""
    dtype = X.dtype
    wanted = _TAKEN_AS.get(dtype.name, dtype.newbyteorder("="))
    if dtype.kind == "f" and dtype.itemsize > 8:  # torch has no long double
        wanted = np.float64
    if dtype.name == "float16" and sp.issparse(X):  # SciPy takes no rows of these
        wanted = np.float32
    if dtype.name == "uint64":  # exact as int64 if it fits, and else rounded
        most = X.max() if X.size else 0
        wanted = np.int64 if most < 2**63 else np.float64
    # Files may hold the other byte order, which torch cannot read.
    if dtype == wanted and dtype.isnative:
        return X
    if dtype.kind == "f" and dtype.itemsize > 8:
        values = X.data if sp.issparse(X) else X
        if np.abs(values).max(initial=0) > np.finfo(np.float64).max:
            raise ValueError(f"{name} holds values beyond the range of float64.")
    return X.astype(wanted)


def _check_row_shape(X, fitted, name):
    """Raise a ValueError unless the rows hold values, in the shape of the fitted ones.

    Rows of one dimension each are left to scikit-learn's check of their number.
    """
    shape = X.shape[1:]
    if len(shape) > 1 and 0 in shape:
        raise ValueError(f"{name} has rows of shape {shape}, which hold no value.")
    if fitted is not None and shape != fitted and max(len(shape), len(fitted)) > 1:
        raise ValueError(_other_shape(name, X, fitted))


def target_of_classes(y, classes, pos_label):
    """Encode a first chunk: a 1-D `y` by all its classes, of which it may lack some."""
    if classes is None or sp.issparse(y) or np.ndim(y) == 2:
        return check_target(y, pos_label=pos_label)
    target = check_target(np.asarray(classes), "classes", pos_label)
    return replace(target, values=encode_like(y, target))


def check_params(estimator, target):
    """Check the parameters, alone and with the target, before any work.

    Parameters
    ----------
    estimator : BaseImbalancedNet
    target : Target

    Returns
    -------
    OutputParams
        Those that an output model is made from.

    Raises
    ------
    ValueError
        If a parameter makes no sense. `InvalidParameterError`, where its line in the
        table of constraints says so, is a TypeError, too.
    TypeError
        If `module`, `callbacks` or `accelerator` is nothing that can be used.
    """
    check_parameters(estimator)
    check_callbacks(estimator.callbacks)
    check_net_params(estimator.net_params)
    check_module(*estimator._module())
    if estimator.accelerator is not None:
        _check_accelerator(estimator, estimator.accelerator)
    check_devices(estimator)
    _check_checkpoint(estimator)
    check_optimizer(estimator)
    check_threshold_for(estimator, target)
    params = resolve_output_params(estimator, target)
    check_scoring(estimator.scoring, target, estimator.pos_label)
    if estimator.batch_sampler is not None:
        resolve_sampler(estimator.batch_sampler)
    if estimator.resampler is not None:
        check_resampler(estimator.resampler)
    _check_class_weight(estimator.class_weight, target)
    # Else the net of the last fit is not used, and may have had another positive class.
    goes_on = estimator.warm_start and estimator.__sklearn_is_fitted__()
    if goes_on and np.array_equal(target.classes, estimator.classes_):
        _check_same_positive(estimator, target.positive)
    return params


def _check_accelerator(estimator, accelerator):
    """Raise unless an Accelerator leaves precision and steps to the estimator."""
    if not hasattr(accelerator, "prepare_model"):
        raise TypeError(
            f"accelerator={accelerator!r} must be an accelerate.Accelerator or None."
        )
    # The training step of the estimator does both, and accelerate would do them again.
    precision, n_batches = (
        accelerator.mixed_precision,
        accelerator.gradient_accumulation_steps,
    )
    if precision != "no":
        raise ValueError(
            f"accelerator has mixed_precision={precision!r}. Leave it 'no', and set "
            "precision of the estimator to 'bf16' or '16'."
        )
    if n_batches != 1:
        raise ValueError(
            f"accelerator has gradient_accumulation_steps={n_batches}. Leave it 1, and "
            "set gradient_accumulation of the estimator."
        )
    device, own = estimator.device, accelerator.device
    if device is not None and resolve_device(device).type != own.type:
        raise ValueError(
            f"device={device!r}, but accelerator trains on {str(own)!r}. Leave device "
            "None."
        )
    # None, or a generator that a process has drawn from, would differ by process.
    is_seed = isinstance(estimator.random_state, numbers.Integral)
    if accelerator.num_processes > 1 and not is_seed:
        raise ValueError(
            f"random_state={estimator.random_state!r} must be an int with several "
            "processes, which all have to draw the same."
        )


def _check_checkpoint(estimator):
    """Raise a ValueError where checkpoints contradict another parameter."""
    if estimator.resume and estimator.checkpoint is None:
        raise ValueError("resume=True needs checkpoint, the folder to resume from.")
    if estimator.checkpoint == "":
        raise ValueError("checkpoint='' is no folder. Give one, or None for none.")
    if estimator.checkpoint is not None and estimator.warm_start:
        raise ValueError(
            "checkpoint and warm_start do not go together: a warm start goes on from "
            "the estimator, resume=True from a checkpoint. Choose one."
        )


def _check_class_weight(class_weight, target):
    """Raise a ValueError unless the entries of a dict are weights of known classes.

    As in scikit-learn, a class that is left out has weight 1 if all keys are classes.
    """
    if not isinstance(class_weight, dict) or target.classes.ndim == 2:
        return
    for key, weight in class_weight.items():
        number = isinstance(weight, (int, float, np.number))
        if not number or not np.isfinite(weight) or weight < 0:
            raise ValueError(
                f"class_weight[{key!r}]={weight!r} must be a finite number that is not "
                "negative."
            )
    known = target.classes.tolist()
    unknown = [key for key in class_weight if key not in known]
    if unknown and any(label not in class_weight for label in known):
        raise ValueError(
            f"class_weight has the keys {unknown[:5]}, which are "
            f"{no_class(unknown[0], known)}"
        )


def check_threshold_for(estimator, target):
    """Raise a ValueError unless `threshold` suits the target."""
    rule = resolve_rule(estimator.threshold)
    rule.check(target.kind, target.n_outputs, target.output_names)
    if rule.needs_rows:
        raise ValueError(
            f"threshold={estimator.threshold!r} compares the labels of held-out rows, "
            "of which a net keeps a summary for each label only: wrap the fitted "
            "estimator with cv='prefit', on other rows, in "
            "skimbalance.thresholds.MultilabelFixedThresholdClassifier."
        )


def check_first_chunk(estimator, target, params, classes, label_counts):
    """Raise a ValueError where the first call of `partial_fit` lacks what it needs."""
    if classes is None and target.kind != MULTILABEL:
        raise ValueError("classes must be passed on the first call to partial_fit.")
    counts = {
        "pos_weight": isinstance(params.pos_weight, str | PosWeightTransformer),
        "label_weight": isinstance(params.label_weight, str | PosWeightTransformer),
        "loss": params.loss.needs_counts,
        "label_smoothing": bool(params.smoothing),
    }
    # Names of schemes are known by `params`; messages show what the user has set.
    counting = [
        f"{name}={getattr(estimator, name)!r}" for name in counts if counts[name]
    ]
    if counting and label_counts is None:
        raise ValueError(
            f"{' and '.join(counting)} cannot be used in partial_fit without "
            "label_counts=(n_positive, n_negative) over all chunks: pass them at "
            "the first call, or give the weights as an array."
        )


def _is_by_class(counts, classes):
    """Whether counts have the classes as keys, as `value_counts` of pandas has them."""
    if isinstance(counts, Mapping):
        return True
    keys = getattr(counts, "keys", list)()
    return not set(keys).isdisjoint(classes.tolist())


def _against_the_rest(counts, target):
    """Return the rows of each class, or of the positive one, and those of the rest."""
    counts = align_weights(counts, target.classes.tolist(), "label_counts")
    positive = counts[[target.positive]] if target.kind == BINARY else counts
    return positive, counts.sum() - positive


def read_label_counts(label_counts, target):
    """Return the counts over all chunks in the order of the labels, or the classes.

    Counts in a Series are in an order of their own: `value_counts` of pandas sorts them
    by size. Where the labels have no names, the order of a Series is theirs.

    Parameters
    ----------
    label_counts : pair of array-like, Series or dict, or Series or dict by class
    target : Target

    Returns
    -------
    pair of ndarray of shape (n_outputs,)
    """
    names, n_outputs = target.output_names, target.n_outputs
    if target.kind != MULTILABEL and _is_by_class(label_counts, target.classes):
        label_counts = _against_the_rest(label_counts, target)
    if n_outputs > 1 and isinstance(label_counts, tuple | list):
        label_counts = [
            part
            if names is None and not isinstance(part, Mapping)
            else align_weights(part, names, "label_counts")
            for part in label_counts
        ]
    return check_label_counts(label_counts, n_labels=n_outputs)


def check_chunks_suffice(estimator):
    """Raise a ValueError where a parameter needs all rows, not those of a chunk."""
    for name in ("resampler", "batch_sampler"):
        value = getattr(estimator, name)
        if value is not None:
            raise ValueError(
                f"{name}={value!r} goes by the frequencies of the labels of all rows, "
                f"and partial_fit knows those of a chunk only: call fit, or set {name}="
                "None."
            )
    if estimator.class_weight == "balanced":
        raise ValueError(
            "class_weight='balanced' is not supported for partial_fit, which would "
            "balance each chunk by itself: pass a dict, such as compute_class_weight "
            "returns for the classes of all rows, or None."
        )


def check_same_classes(estimator, classes):
    """Raise a ValueError if a later chunk has other classes, or another `pos_label`.

    Parameters
    ----------
    estimator : BaseImbalancedNet
        Fitted.
    classes : array-like or None
        As passed to `partial_fit`.
    """
    target = estimator._target
    if target.kind == MULTILABEL:
        return
    if classes is not None and not _are_classes(classes, target.classes):
        raise ValueError(
            f"classes={classes!r} differs from the classes of the first call to "
            f"partial_fit, {target.classes.tolist()}."
        )
    if target.kind == BINARY and estimator.pos_label is not None:
        positive = find_positive(target.classes, estimator.pos_label)
        _check_same_positive(estimator, positive)


def _are_classes(values, classes):
    try:
        return np.array_equal(np.unique(values), classes)
    except TypeError:  # they cannot be sorted
        return False


def _check_same_positive(estimator, positive):
    """Raise a ValueError if training goes on with the other class as positive."""
    target = estimator._target
    if positive != target.positive:
        raise ValueError(
            f"pos_label={estimator.pos_label!r}, but the net was trained with "
            f"{target.classes.tolist()[target.positive]!r} as the positive class. Fit "
            "a new estimator, or set pos_label back."
        )


def warn_of_positive_class(estimator, data, pos_weight):
    """Warn where a parameter treats a positive class that nobody chose in its own way.

    Parameters
    ----------
    estimator : BaseImbalancedNet
    data : TrainingData
    pos_weight : None, str, PosWeightTransformer or ndarray
        From `resolve_weight`.
    """
    if data.target.kind != BINARY or data.all_counts is None:
        return
    name, scoring = None, estimator.scoring
    # Weights of 1 treat both classes alike.
    is_one = isinstance(pos_weight, np.ndarray) and (pos_weight == 1).all()
    if pos_weight is not None and not is_one:
        name = "pos_weight"
    elif resolve_rule(estimator.threshold).depends_on_pos_label:
        name = "threshold"
    elif isinstance(scoring, str) and scoring in _SCORES_OF_POSITIVES:
        name = "scoring"
    if name is not None:
        parameter = f"{name}={getattr(estimator, name)!r}"
        pos_label, counts = estimator.pos_label, data.all_counts
        warn_positive_class(data.target, pos_label, parameter, counts)
