"""Inputs of the estimators: which containers they take, and what is wrong with others.

Errors come before those of scikit-learn, NumPy or torch, which name other things.
"""

import datetime
import re
from collections.abc import Iterator, Mapping, Set

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.utils.validation import validate_data
from torch.utils.data import DataLoader, Dataset, IterableDataset

from skimbalance._validation import check_unique_columns
from skimbalance.neural_network._batches import DatasetRows

_ONE_ARRAY = (
    "one array of shape (n_samples, ...) is expected, or a map-style torch Dataset. "
    "Inputs of several arrays are not supported yet: join them into one array, and "
    "take it apart in the forward method of the module"
)
_ENCODE = (
    "Encode it as numbers, for example by OneHotEncoder or OrdinalEncoder in a "
    "ColumnTransformer"
)
# What torch cannot gather rows of, and the type that holds the same values.
_TAKEN_AS = {"uint16": np.int32, "uint32": np.int64}


def as_one_array(X, name="X", y=None):
    """Return inputs in a container that has rows, or raise an error that says why not.

    Parameters
    ----------
    X : object
        As the user passed it.
    name : str
        How the error messages call it.
    y : object, default=None
        Targets, whose number tells a list of rows from a list of input arrays.

    Returns
    -------
    DatasetRows, array, sparse matrix or data frame
        Lists and tensors become arrays; what has a shape stays as it is.
    """
    if sp.issparse(X):  # one of them is a Mapping, too, and has no length
        return X.tocsr() if isinstance(X, Mapping) else X
    if isinstance(X, DataLoader):
        raise TypeError(
            f"{name} is a DataLoader, but {_ONE_ARRAY}. Pass its dataset, "
            f"{name}=loader.dataset; batch_size and num_workers are parameters of the "
            "estimator."
        )
    if isinstance(X, Mapping) or _is_tuple_of_arrays(X) or _is_list_of_inputs(X, y):
        raise TypeError(f"{name} is a {type(X).__name__}, but {_ONE_ARRAY}.")
    if isinstance(X, (str, bytes, Iterator, Set)) or not _is_collection(X):
        raise TypeError(f"{name} is of type {type(X).__name__}, but {_ONE_ARRAY}.")
    if isinstance(X, Dataset) or _is_slice_dataset(X):
        return _dataset_rows(X, name)
    if isinstance(X, torch.Tensor):
        return _tensor_as_array(X, name)
    if isinstance(X, (list, tuple)):
        return _list_as_array(X, name)
    if isinstance(X, np.ma.MaskedArray) and np.ma.is_masked(X):
        raise ValueError(
            f"{name} is a masked array, and masked values would be read as they are: "
            "fill or impute them first."
        )
    return np.asarray(X) if not hasattr(X, "shape") or hasattr(X, "to_list") else X


def _is_tuple_of_arrays(X):
    return isinstance(X, tuple) and any(
        np.ndim(item) and hasattr(item, "shape") for item in X
    )


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
    if isinstance(X, IterableDataset) or not hasattr(X, "__len__"):
        raise TypeError(
            f"{name} is an iterable Dataset, but a map-style one is expected, with "
            "__len__ and __getitem__."
        )
    if len(X) == 0:
        raise ValueError(
            f"{name} is a Dataset of length 0: at least one row is needed."
        )
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


def _tensor_as_array(X, name):
    """Return a dense tensor as an array; NumPy has no bfloat16."""
    if X.layout is not torch.strided:
        raise TypeError(
            f"{name} is a tensor of layout {X.layout}: pass a dense tensor, or a CSR "
            "matrix of scipy.sparse."
        )
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
    if X and isinstance(X[0], (tuple, list)) and any(map(torch.is_tensor, X[0])):
        raise TypeError(
            f"{name} is a list of items of a Dataset, as scikit-learn's tools take "
            "them out of one. Pass skorch.helper.SliceDataset(dataset) to these tools "
            "instead, which stays a Dataset when it is sliced."
        )
    try:
        return np.asarray(X)
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


def read_inputs(estimator, X, reset, allow_nd, name="X"):
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
    ndarray, csr_array or DatasetRows
        Of a dtype that torch computes with.
    """
    X = as_one_array(X, name)
    fitted = None if reset else estimator._input_shape
    if not isinstance(X, DatasetRows):
        return _read_array(estimator, X, fitted, allow_nd, name)
    if reset:
        estimator.n_features_in_ = X.shape[1]
        vars(estimator).pop("feature_names_in_", None)
    elif X.shape[1:] != fitted:
        raise ValueError(_other_shape(name, X, fitted))
    return X


def _read_array(estimator, X, fitted, allow_nd, name):
    """Return a checked array; errors of scikit-learn get the name of the argument."""
    _check_columns(X, name)
    _check_row_shape(X, fitted, name)
    X = _with_integers(X)
    try:
        with np.errstate(all="ignore"):  # of sums of what is infinite
            X = validate_data(
                estimator,
                X,
                reset=fitted is None,
                accept_sparse="csr",
                order="C",
                allow_nd=allow_nd,
            )
    except (TypeError, ValueError) as error:
        if re.search(rf"\b{name}\b", str(error)):
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{name}: {error}") from error
    X = _as_computable(X, name)
    return sp.csr_array(X) if sp.issparse(X) else X


def _with_integers(X):
    """Return integers in an object or a nullable dtype, or beside bools, as int64.

    scikit-learn would make floats of them, which tell large identifiers apart no more
    and are no input of an embedding.
    """
    if hasattr(X, "infer_objects"):
        X = X.infer_objects()
        kinds = {getattr(dtype, "kind", "O") for dtype in X.dtypes}
        is_split = "b" in kinds or any(hasattr(d, "numpy_dtype") for d in X.dtypes)
        if is_split and _are_integers(kinds) and not X.isna().any(axis=None):
            return X.astype(np.int64)
    elif isinstance(X, np.ndarray) and X.dtype.kind == "O" and X.size:
        values = np.array(X.ravel().tolist())
        if _are_integers({values.dtype.kind}):
            return values.reshape(X.shape)
    return X


def _are_integers(kinds):
    return kinds <= set("iub") and not kinds <= {"b"}


def _other_shape(name, X, fitted):
    return (
        f"{name} has rows of shape {X.shape[1:]}, but the estimator was fitted with "
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
    if X.dtype.kind == "O" and X.ndim == 1 and len({_length(row) for row in X}) > 1:
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
        if values.dtype.kind in "US":
            raise ValueError("dtype='numeric' is asked for")
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(_no_numbers(values, name, error)) from error


def _are_dates(values):
    return len(values) > 0 and all(isinstance(v, datetime.date) for v in values)


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
    if dtype.kind == "f" and dtype.itemsize > 8:
        wanted = np.float64
    if dtype.name == "float16" and sp.issparse(X):  # SciPy takes no rows of these
        wanted = np.float32
    if dtype.name == "uint64":
        most = X.max() if X.size else 0
        wanted = np.int64 if most < 2**63 else np.float64
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


def check_groups(groups):
    """Return groups as an array, or raise a ValueError unless there is one a row."""
    if groups is None:
        return None
    groups = np.asarray(groups)
    if groups.ndim != 1:
        raise ValueError(
            f"groups has shape {groups.shape}, but must have one entry for each row."
        )
    try:
        np.unique(groups)
    except TypeError as error:
        raise ValueError(
            f"groups holds values that cannot be told apart by sorting ({error}), such "
            "as names and None. Give every row a number or a name."
        ) from error
    return groups
