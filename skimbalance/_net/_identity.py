"""What a run depends on, as strings that another run is compared with."""

import functools
import hashlib
import numbers
import os
import types

import numpy as np
import scipy.sparse as sp
import torch
from skorch.callbacks import (
    EarlyStopping,
    GradientNormClipping,
    InputShapeSetter,
    LoadInitState,
    LRScheduler,
)
from skorch.callbacks.training import ParamMapper

# Arrays up to this size are read as a whole, larger ones at evenly spaced rows: a
# memory map of the size of a disk would take as long as an epoch.
_WHOLE_BYTES = 2**28
_SAMPLED_ROWS = 2**12
_SAMPLED_ITEMS = 64
# Arrays and lists of numbers up to this length are shown as lists, longer ones not.
_SHOWN_ITEMS = 64
_SHOWN = bool, numbers.Number, str, bytes, os.PathLike, torch.dtype, torch.device

# Callbacks of skorch that move weights, rates or the last epoch. Others of the user's
# are free: nothing tells the one that changes the training from the one that logs it.
_CHANGES_TRAINING = (
    EarlyStopping,
    GradientNormClipping,
    InputShapeSetter,
    LoadInitState,
    LRScheduler,
    ParamMapper,
)


def training_callbacks(callbacks):
    """Return those of a user's callbacks that are known to change the training."""
    bare = [item[-1] if isinstance(item, tuple) else item for item in callbacks or ()]
    return [
        callback
        for callback in bare
        if issubclass(
            callback if isinstance(callback, type) else type(callback),
            _CHANGES_TRAINING,
        )
    ]


def digest(*arrays):
    """Return a short text that tells arrays, or other parts of a run, apart.

    Parameters
    ----------
    *arrays : ndarray, sparse array, rows of a Dataset, Tensor or None
        With the order of their rows.
    """
    seen = hashlib.sha256()
    for array in arrays:
        _update(seen, array)
    return f"<digest {seen.hexdigest()[:16]}>"


def _update(seen, array):
    if array is None:
        seen.update(b"none")
        return
    if isinstance(array, torch.Tensor):
        array = array.detach().cpu()
        array = (array.float() if array.dtype is torch.bfloat16 else array).numpy()
    seen.update(f"{array.shape} {array.dtype}".encode())
    if sp.issparse(array):
        for part in (array.indptr, array.indices, array.data):
            seen.update(np.ascontiguousarray(part))
    elif array.dtype.kind == "O":
        seen.update(repr(array.tolist()).encode())
    else:
        seen.update(np.ascontiguousarray(_sampled(array)))


def _sampled(array):
    whole = isinstance(array, np.ndarray)
    if whole and (array.nbytes <= _WHOLE_BYTES or array.ndim == 0):
        return array
    most = _SAMPLED_ROWS if whole else _SAMPLED_ITEMS
    rows = np.linspace(0, array.shape[0] - 1, most).astype(np.int64)
    return array.take(np.unique(rows), axis=0)


def identity_of(value):
    """Return a text that is the same for values that train the same net."""
    try:
        return described(value)
    except RecursionError:  # it holds itself
        return described(type(value))


def described(value):
    """Return the text of `identity_of`, which catches values that hold themselves."""
    value = _plain(value)
    if value is None or isinstance(value, _SHOWN):
        return repr(value)
    if isinstance(value, dict):
        entries = (f"{key!r}: {described(entry)}" for key, entry in value.items())
        return f"{{{', '.join(sorted(entries))}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(described, value))}]"
    if isinstance(value, (set, frozenset)):
        return f"{{{', '.join(sorted(map(described, value)))}}}"
    if isinstance(value, (np.ndarray, torch.Tensor)) or sp.issparse(value):
        return digest(value)
    return _described_object(value)


def _plain(value):
    """Return one form of what is equal: 2.0 and 2, an array and a list of numbers."""
    if isinstance(value, (list, tuple)) and len(value) > _SHOWN_ITEMS:
        are_numbers = all(isinstance(item, numbers.Real) for item in value)
        return np.asarray(value, dtype=np.float64) if are_numbers else value
    is_array = isinstance(value, (np.ndarray, np.generic))
    if is_array and value.dtype.kind in "biuf":
        few = value.size <= _SHOWN_ITEMS
        value = value.tolist() if few else np.asarray(value, dtype=np.float64)
    is_whole = isinstance(value, float) and value.is_integer()
    return int(value) if is_whole else value


def _described_object(value):
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, functools.partial):
        return described([value.func, value.args, value.keywords])
    if isinstance(value, types.MethodType):
        return described([value.__func__, value.__self__])
    if isinstance(value, types.FunctionType):
        cells = value.__closure__ or ()
        held = [cell.cell_contents for cell in cells if _is_filled(cell)]
        defaults = [value.__defaults__, value.__kwdefaults__]
        parts = [_described_code(value.__code__), described([defaults, held])]
        return f"{value.__qualname__} {_short(parts)}"
    if hasattr(value, "iloc"):  # a frame or a series, with its names
        return digest(np.asarray(value)) + _short([repr(list(value.index))])
    if not hasattr(value, "__dict__"):
        return getattr(value, "__qualname__", type(value).__qualname__)
    known = {key: v for key, v in vars(value).items() if not key.endswith("_")}
    return described(type(value)) + described(known)


def _is_filled(cell):
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _described_code(code):
    constants = [
        _described_code(part) if isinstance(part, types.CodeType) else described(part)
        for part in code.co_consts
    ]
    return _short([code.co_code.hex(), str(code.co_names), *constants])


def _short(parts):
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
