"""What lets a training go on: from a checkpoint, or from an earlier fit.

A checkpoint is what a killed training needs to go on as if nothing had happened: one
file, replaced as a whole after every epoch. It holds tensors, numbers and strings only,
so that it loads with ``weights_only=True``: a checkpoint runs no code. A digest of the
whole file stands at its end. The state of callbacks is encoded as such plain data, and
what a run depends on is described by texts that another run is compared with.
"""

import contextlib
import errno
import functools
import hashlib
import io
import numbers
import os
import pickle
import threading
import types
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from skorch.callbacks import (
    Callback,
    EarlyStopping,
    GradientNormClipping,
    InputShapeSetter,
    LoadInitState,
    LRScheduler,
)
from skorch.callbacks.scoring import ScoringBase
from skorch.callbacks.training import ParamMapper
from skorch.history import History

from skimbalance._base import warn_user
from skimbalance._validation import check_layer_sizes, frame_columns
from skimbalance.exceptions import CheckpointWarning
from skimbalance.neural_network._checks import check_params
from skimbalance.neural_network._data import JoinedRows
from skimbalance.neural_network._optimizer import resolve_optimizer
from skimbalance.neural_network._output import as_switch
from skimbalance.preprocessing import InputEncoder

_FORMAT = "skimbalance checkpoint 7"
_DIGEST_BYTES = hashlib.sha256().digest_size
_UNREADABLE = pickle.UnpicklingError, RuntimeError, EOFError, OSError
# How an optimizer computes, which depends on the device and not on a checkpoint.
_EXECUTION = "fused", "foreach", "capturable"
# Predictions of the running epoch, which scoring callbacks gather anew.
_CACHES = "y_trues_", "y_preds_"
_PLAIN = (type(None), bool, int, float, str, torch.Tensor)
_DICTS = dict, OrderedDict, Counter
_SEQUENCES = list, tuple, set
_BY_NAME = {kind.__name__: kind for kind in (*_DICTS, *_SEQUENCES)}
# Arrays up to this size are read as a whole, larger ones at evenly spaced rows: a
# memory map of the size of a disk would take as long as an epoch.
_WHOLE_BYTES = 2**28
_SAMPLED_ROWS = 2**12
_SAMPLED_ITEMS = 64
# Values that are compared in one form at a time, a choice: copies of 2 MB in float32.
_BLOCK_VALUES = 2**19
# Arrays and lists of numbers up to this length are shown as lists, longer ones not.
_SHOWN_ITEMS = 64
_SHOWN = bool, numbers.Number, str, bytes, os.PathLike, torch.dtype, torch.device
# Callbacks of skorch that move weights, rates or the last epoch. Others of the user's
# are free, since a callback that changes the training looks like one that logs it.
_CHANGES_TRAINING = (
    EarlyStopping,
    GradientNormClipping,
    InputShapeSetter,
    LoadInitState,
    LRScheduler,
    ParamMapper,
)
# What changes no weights, or may be changed on purpose when a run is resumed. All other
# parameters have to be the same, those that are added later as well.
_FREE_PARAMS = {
    "accelerator",
    "callbacks",
    "checkpoint",
    "compile",
    "correct_probabilities",
    "data_device",
    "device",
    "lr",
    "max_epochs",
    "num_workers",
    "random_state",
    "resume",
    "threshold",
    "verbose",
    "warm_start",
}
# What the number of members depends on.
_SET_MEMBERS = "n_members", "cross_fit", "early_stopping"
# What plays no part in `partial_fit`, or is read anew from chunk to chunk.
_FREE_IN_CHUNKS = (_FREE_PARAMS - {"callbacks"}) | {
    "class_weight",
    "cross_fit",
    "early_stopping",
    "n_iter_no_change",
    "pos_label",
    "scoring",
    "validation_fraction",
}


class Checkpoint(Callback):
    """Save the state of the training after every epoch, and restore it.

    skorch's `Checkpoint` saves weights, optimizer and history apart; this one saves
    what a run needs to end at the same bits, in one file that is never half written.

    Parameters
    ----------
    folder : str or path
        Made if it is not there.
    resume : bool
        Read what an earlier run has left in the folder, if there is anything.

    Attributes
    ----------
    saved : dict or None
        What was read.
    about : dict
        What a run must have in common with the one that is resumed: strings by the
        names that a user knows. Set before training.
    seed : int
        The seed of the run, which a resumed one takes over.
    fold : ndarray of int16 or None
        The folds of the rows, or the part of each, which a resumed run takes over.
    stopping : KeepBest
        Watches the epochs, and goes on watching.
    """

    def __init__(self, folder, resume):
        self.file = Path(folder) / "checkpoint.pt"
        _prepare(self.file)
        self.saved: Any = _read(self.file) if resume and self.file.exists() else None
        self.about, self.warned = {}, set()
        self.stopping: Any = None
        saved = self.saved or {"seed": None, "fold": None}
        self.seed, self.fold = saved["seed"], decode(saved["fold"])

    def restore(self, net):
        """Put a net and its stopping into the saved state.

        Raises
        ------
        ValueError
            If the checkpoint is of another run.
        """
        self.rates = [group["lr"] for group in net.optimizer_.param_groups]
        if self.saved is None:
            return
        self._check_same_run()
        net.trained_.load_state_dict(self.saved["trained"])
        self._restore_optimizer(net.optimizer_)
        net.history = History(self.saved["history"])
        self.stopping.restore(self.saved["best"])

    def restore_step(self, net):
        """Put what belongs to a training that has begun into the saved state."""
        self.starts = {name: dict(vars(cb)) for name, cb in net.callbacks_}
        if self.saved is None:
            return
        for name, callback in net.callbacks_:
            restore_callback(callback, self.saved["callbacks"].get(name, {}))
        # Callbacks may have moved them: a new schedule sets the rates, for example.
        net.trained_.load_state_dict(self.saved["trained"])
        for name, parameter in net.module_.named_parameters():
            parameter.requires_grad_(name in self.saved["trainable"])
        self._restore_optimizer(net.optimizer_)
        self._scale_schedules(net)
        net.stopped_ = self.saved["stopped"]
        net.step_.load_state(self.saved["step"])
        torch.set_rng_state(self.saved["rng"].cpu())
        if net.device.type == "cuda" and self.saved["device_rng"] is not None:
            torch.cuda.set_rng_state(self.saved["device_rng"].cpu(), net.device)
        self.saved = None

    def _restore_optimizer(self, optimizer):
        """Restore the state of an optimizer, and scale its rates to a new one."""
        fresh = [
            {key: group[key] for key in _EXECUTION if key in group}
            for group in optimizer.param_groups
        ]
        optimizer.load_state_dict(self.saved["optimizer"])
        _restore_dtypes(optimizer, self.saved["optimizer"]["state"])
        ratios = self._ratios()
        for group, execution, ratio in zip(
            optimizer.param_groups, fresh, ratios, strict=True
        ):
            group.update(execution)
            for key in ("lr", "initial_lr"):
                if key in group:
                    group[key] = _scaled(group[key], ratio)

    def _ratios(self):
        """Return the new and the old learning rate with which each group begins."""
        return list(zip(self.rates, self.saved["rates"], strict=True))

    def _scale_schedules(self, net):
        """Start the schedules of callbacks from a new learning rate."""
        for _, callback in net.callbacks_:
            schedule = getattr(callback, "lr_scheduler_", None)
            for name in ("base_lrs", "_last_lr"):
                rates = getattr(schedule, name, None)
                if isinstance(rates, list) and len(rates) == len(self.rates):
                    rates[:] = map(_scaled, rates, self._ratios())

    def _check_same_run(self):
        """Raise a ValueError that names what differs from the run that was saved."""
        before = self.saved["about"]
        differing = [
            f"{key} was {_shown(before.get(key))} and is {_shown(value)}"
            for key, value in self.about.items()
            if before.get(key) != value
        ]
        if differing:
            raise ValueError(
                f"The checkpoint {str(self.file)!r} is of another run: "
                f"{'; '.join(differing)}. Give this run a folder of its own, or set "
                "resume=False to overwrite it."
            )

    def on_epoch_end(self, net, *args, **kwargs):  # noqa: ARG002
        if net.step_.part[0] != 0:  # one of several processes writes
            return
        on_cuda = net.device.type == "cuda"
        state = {
            "format": _FORMAT,
            "about": self.about,
            "seed": self.seed,
            "fold": encode(self.fold),
            "trained": net.trained_.state_dict(),
            "trainable": _trainable(net.module_),
            "optimizer": net.optimizer_.state_dict(),
            "rates": self.rates,
            "callbacks": self._callbacks_of(net),
            "history": [_plain(row) for row in net.history],
            "best": self.stopping.saved(),
            "stopped": bool(net.stopped_),
            "step": net.step_.state(),
            "rng": torch.get_rng_state(),
            "device_rng": torch.cuda.get_rng_state(net.device) if on_cuda else None,
        }
        _write(self.file, state)

    def _callbacks_of(self, net):
        """Return the state of the user's callbacks; warn of what cannot be stored."""
        states, ours = {}, dict(net.get_default_callbacks())
        for name, callback in net.callbacks_:
            if name in ours or callback in (self, self.stopping):
                continue
            states[name], left_out = state_of(callback, self.starts[name])
            if left_out and name not in self.warned:
                self.warned.add(name)
                warn_user(
                    f"The checkpoint cannot hold {', '.join(left_out)} of the callback "
                    f"{name!r}, which is no plain data: a resumed run starts it anew.",
                    CheckpointWarning,
                )
        return states


def _trainable(module):
    """Return the names of the parameters that no callback has frozen."""
    return [name for name, p in module.named_parameters() if p.requires_grad]


def _restore_dtypes(optimizer, saved):
    """Give the state of an optimizer the dtypes that it was saved with.

    torch casts all of it to the dtype of the weights, running products of NAdam too.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for number, entries in saved.items():
        state = optimizer.state[parameters[number]]
        for key, value in entries.items():
            if isinstance(value, torch.Tensor) and state[key].dtype != value.dtype:
                state[key] = value.to(state[key].device)


def _scaled(rate, ratio):
    """Return a learning rate scaled as if training had begun with another one."""
    new, old = ratio
    return rate if new == old else new * (rate / old)


def _shown(value):
    return "not there" if value is None else value


def _plain(row):
    """Return a row of the history without its batches, in Python's own numbers."""
    plain = {
        key: value.item() if isinstance(value, np.generic) else value
        for key, value in row.items()
    }
    return {**plain, "batches": []}


def _partial(file):
    """Return a file to write to first, which no other run writes to."""
    writer = f"{os.getpid()}-{threading.get_ident()}"
    return file.with_name(f"{file.stem}.{writer}.partial")


def _prepare(file):
    """Make the folder, and raise before training where no file can be written."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        for partial in file.parent.glob(f"{file.stem}*.partial"):
            partial.unlink(missing_ok=True)  # of a run that was killed
        is_folder = file.is_dir()
    except (OSError, ValueError) as error:
        raise ValueError(
            f"checkpoint={str(file.parent)!r} must be a folder to write in: {error}"
        ) from error
    if is_folder:
        raise ValueError(
            f"{str(file)!r} is a folder, where the checkpoint is to be written. Give "
            "checkpoint another folder."
        )
    if not os.access(file.parent, os.W_OK):
        raise ValueError(f"checkpoint={str(file.parent)!r} cannot be written in.")


def _write(file, state):
    """Write a state so that the file holds, at any time, the old one or the new one."""
    partial = _partial(file)
    try:
        content = _with_digest(state)
        try:
            _replace(file, partial, content)
        except FileNotFoundError:  # another run in the folder has tidied it up
            _replace(file, partial, content)
        _sync_folder(file.parent)
    except (OSError, RuntimeError) as error:
        raise OSError(
            getattr(error, "errno", None) or errno.EIO,
            f"The checkpoint {str(file)!r} cannot be written: {error}",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _with_digest(state):
    stream = io.BytesIO()
    torch.save(state, stream)
    stream.write(hashlib.sha256(stream.getbuffer()).digest())
    return stream.getbuffer()


def _replace(file, partial, content):
    with open(partial, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    os.replace(partial, file)


def _sync_folder(folder):
    """Write the folder to the disk, so that a renamed file survives a power failure."""
    try:
        number = os.open(folder, os.O_RDONLY)
    except OSError:  # folders cannot be opened on Windows
        return
    try:
        os.fsync(number)
    except OSError:  # nor synchronised on some network drives
        pass
    finally:
        os.close(number)


def _read(file):
    """Return what a checkpoint holds, or raise a ValueError where it is damaged."""
    try:
        content = file.read_bytes()
        body, digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
        if hashlib.sha256(body).digest() != digest:
            raise EOFError("the digest does not fit")
        saved = torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise ValueError(
            f"{str(file)!r} is damaged, or no checkpoint at all: {error}. Delete it, "
            "or set resume=False to overwrite it."
        ) from error
    if not isinstance(saved, dict) or saved.get("format") != _FORMAT:
        raise ValueError(
            f"{str(file)!r} is not a checkpoint of this version of skimbalance. Delete "
            "it, or set resume=False to overwrite it."
        )
    return saved


class NotPlainError(TypeError):
    """Raised for a value whose loading would run code."""


def state_of(callback, start):
    """Return what a callback has learned, and the names of what cannot be stored.

    Parameters
    ----------
    callback : skorch.callbacks.Callback
    start : dict
        Its attributes when training began: what is still the same object and no plain
        data, such as a function, is made anew by the callback itself.
    """
    state, left_out = {}, []
    for name, value in vars(callback).items():
        if isinstance(callback, ScoringBase) and name in _CACHES:
            continue
        try:
            state[name] = encode(value)
        except NotPlainError:
            if value is not start.get(name):
                left_out.append(name)
    return state, left_out


def restore_callback(callback, state):
    """Give a callback the attributes that were stored."""
    for name, value in state.items():
        vars(callback)[name] = decode(value, vars(callback).get(name))


def _is_numeric(value):
    return isinstance(value, np.ndarray) and value.dtype.kind in "biuf"


def encode(value: Any) -> Any:
    """Return a value as plain data: tensors, numbers, strings, lists and dicts."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, np.generic):
        return encode(value.item())
    if _is_numeric(value):
        return ["array", torch.as_tensor(value.copy())]
    if type(value) in _DICTS:
        pairs = [[encode(key), encode(entry)] for key, entry in value.items()]
        return [type(value).__name__, pairs]
    if type(value) in _SEQUENCES:
        return [type(value).__name__, [encode(entry) for entry in value]]
    has_state = hasattr(value, "state_dict") and hasattr(value, "load_state_dict")
    if has_state and not isinstance(value, type):
        return ["state", encode(value.state_dict())]
    raise NotPlainError(type(value).__name__)


def decode(value, present: Any = None) -> Any:
    """Return what `encode` was given; an object with a state takes it over."""
    if not isinstance(value, list):
        return value
    kind, content = value
    if kind == "state":
        present.load_state_dict(decode(content))
        return present
    if kind == "array":
        return content.numpy()
    made = _BY_NAME[kind]
    if made in _DICTS:
        return made({decode(key): decode(entry) for key, entry in content})
    return made(decode(entry) for entry in content)


def training_callbacks(callbacks):
    """Return the callbacks of the user that are known to change the training."""
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
    """Return a short text that differs for different arrays, or parts of a run.

    Parameters
    ----------
    *arrays : ndarray, sparse array, rows of a Dataset, Tensor or None
        With the order of their rows.
    """
    seen = hashlib.sha256()
    for array in arrays:
        _update(seen, array)
    return f"<digest {seen.hexdigest()[:16]}>"


def digest_of_values(*arrays):
    """Return a short text that is the same for equal values in another container.

    The entries other than 0 count, in float32, whatever dtype they have. An array that
    is too large to be read as a whole gets the same text in the same container only.

    Parameters
    ----------
    *arrays : ndarray, sparse array or rows of a Dataset
        Of rows.
    """
    streams = [hashlib.sha256() for _ in range(3)]
    for array in arrays:
        streams[0].update(str(array.shape).encode())
        for block in _row_blocks(array):
            parts = np.diff(block.indptr), block.indices
            for stream, part in zip(streams[:2], parts, strict=True):
                stream.update(part.astype(np.int64).tobytes())
            # NaN has many representations.
            values = np.where(np.isnan(block.data), np.float32(np.nan), block.data)
            streams[2].update(values.tobytes())
    return "".join(stream.hexdigest()[:16] for stream in streams)


def _row_blocks(array: Any):
    """Yield the rows of an array as CSR arrays of float32 without stored zeros."""
    if not sp.issparse(array):
        array = _sampled(array)
        array = array.reshape(len(array), -1)
    n_values = array.nnz if sp.issparse(array) else array.size
    step = max(1, _BLOCK_VALUES * array.shape[0] // max(n_values, 1))
    for start in range(0, array.shape[0], step):
        with np.errstate(over="ignore"):  # infinite, as any other such value
            rows = array[start : start + step].astype(np.float32)
        block = sp.csr_array(rows)
        block.sum_duplicates()
        block.eliminate_zeros()
        yield block


def _update(seen, array: Any):
    """Add an array to a hash, with its shape and its dtype."""
    if array is None:
        seen.update(b"none")
        return
    if isinstance(array, JoinedRows):
        for part in array.arrays:
            _update(seen, part)
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
    """Return an array, or evenly spaced rows of one that is too large to be read."""
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
    value = _in_one_form(value)
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


def _in_one_form(value: Any) -> Any:
    """Return equal values in one form: 2.0 as 2, an array of numbers as a list."""
    if isinstance(value, (list, tuple)) and len(value) > _SHOWN_ITEMS:
        are_numbers = all(isinstance(item, numbers.Real) for item in value)
        return np.asarray(value, dtype=np.float64) if are_numbers else value
    is_array = isinstance(value, (np.ndarray, np.generic))
    if is_array and value.dtype.kind in "biuf":
        few = value.size <= _SHOWN_ITEMS
        value = value.tolist() if few else np.asarray(value, dtype=np.float64)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _described_object(value):
    """Return the text of a class, a function or an object: what it is made of."""
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, functools.partial):
        return described([value.func, value.args, value.keywords])
    if isinstance(value, types.MethodType):
        return described([value.__func__, value.__self__])
    if isinstance(value, types.FunctionType):
        held = [c.cell_contents for c in value.__closure__ or () if _is_filled(c)]
        defaults = [value.__defaults__, value.__kwdefaults__]
        parts = [_described_code(value.__code__), described([defaults, held])]
        return f"{value.__qualname__} {_short(parts)}"
    if hasattr(value, "__array__"):  # a frame or a series, with its names
        columns, index = frame_columns(value), getattr(value, "index", None)
        names = [columns, index if hasattr(value, "iloc") else None]
        shown = [repr(None if each is None else list(each)) for each in names]
        return digest(np.asarray(value)) + _short(shown)
    if not hasattr(value, "__dict__"):
        return getattr(value, "__qualname__", type(value).__qualname__)
    known = {key: v for key, v in vars(value).items() if not key.endswith("_")}
    return described(type(value)) + described(known)


def _is_filled(cell):
    """Return whether a variable of a closure (a cell of Python) has a value."""
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


def _with_code(build):
    """Return what builds a module; a class with its methods, which may be edited."""
    if not isinstance(build, type):
        return build
    own = [base for base in build.__mro__ if not base.__module__.startswith("torch.")]
    methods = [value for base in own for value in vars(base).values()]
    return [build, *(m for m in methods if isinstance(m, types.FunctionType))]


# Parameters that are given in several forms, or are more than their value shows.
_ONE_FORM = {
    "cross_fit": as_switch,
    "early_stopping": as_switch,
    "hidden_layer_sizes": check_layer_sizes,
    "module": _with_code,
    "optimizer": resolve_optimizer,
    "standardize": as_switch,
}


def _identity_of(name, value):
    """Return a text that is the same for all equal forms of a parameter."""
    return identity_of(_ONE_FORM[name](value) if name in _ONE_FORM else value)


def run_identity(estimator, data):
    """Return texts that must be the same in a run that resumes this one.

    Parameters
    ----------
    estimator : BaseImbalancedNet
    data : TrainingData
    """
    identity = {
        name: _identity_of(name, value)
        for name, value in estimator.get_params(deep=False).items()
        if name not in _FREE_PARAMS
    }
    if isinstance(estimator.random_state, numbers.Integral):
        identity["random_state"] = identity_of(estimator.random_state)
    training, held_out = _arrays(data.training), _arrays(data.held_out)
    return {
        **identity,
        "callbacks": identity_of(training_callbacks(estimator.callbacks)),
        "sizes of the weights": repr(_shapes(estimator.net_)),
        "number of training rows": repr(len(data.training)),
        "number of held-out rows": repr(len(data.held_out or ())),
        "data of X": digest(training[0], held_out[0]),
        "data of y": digest(training[1], held_out[1]),
        "data of sample_weight": digest(training[2], held_out[2]),
        "data of groups": digest(_numbered(data.groups)),
        "choice of the held-out rows": digest(training[3], held_out[3], training[4]),
    }


def _numbered(groups):
    """Return the number of the group of each row: equal groups may have other names."""
    return None if groups is None else np.unique(groups, return_inverse=True)[1]


def _arrays(rows):
    """Return what identifies the data of a run: the arrays, and which rows of them."""
    if rows is None:
        return (None,) * 5
    return rows.X, rows.values, rows.weight, rows.index, rows.fold


def _shapes(net):
    state = net.module_.state_dict()
    return {name: tuple(value.shape) for name, value in state.items()}


def go_on_with_chunks(estimator):
    """Let a changed learning rate take effect in `partial_fit`, and refuse the rest.

    Parameters
    ----------
    estimator : BaseImbalancedNet
        Fitted.

    Raises
    ------
    ValueError
        If a parameter makes no sense, or the net was made with another value of it.
    """
    check_params(estimator, estimator._target)
    if estimator.net_ is None:
        return
    before, now = estimator._made_with, estimator.get_params(deep=False)
    for name in sorted(now.keys() - _FREE_IN_CHUNKS):
        one, other = before[name], now[name]
        if one is not other and _identity_of(name, one) != _identity_of(name, other):
            raise ValueError(
                f"{name}={other!r}, but partial_fit goes on with a net that was made "
                f"with {name}={one!r}. Set it back, or fit a new estimator."
            )
    net = estimator.net_
    net.verbose = estimator.verbose
    for group in net.optimizer_.param_groups:
        for key in {"lr", "initial_lr"} & group.keys():
            group[key] = _scaled(group[key], (estimator.lr, net.lr))
    net.lr = estimator.lr  # beside the rates that follow it, whatever fails later


def check_warm_start(estimator, target, is_scaled):
    """Raise a ValueError where a fitted net cannot go on with other data.

    Parameters
    ----------
    estimator : BaseImbalancedNet
        Fitted, with a net.
    target : Target
        The target of the present data.
    is_scaled : bool
        Whether inputs are to be scaled.
    """
    faults = {
        "the classes and labels of the earlier fit, but y has others": not (
            np.array_equal(estimator.classes_, target.classes)
        ),
        f"rows of shape {estimator._net_shape}, but X has rows of shape "
        f"{estimator._input_shape}": estimator._input_shape != estimator._net_shape,
        f"inputs that are {'' if estimator.scaler_ else 'not '}scaled, but "
        f"standardize={estimator.standardize!r}": is_scaled
        != (estimator.scaler_ is not None),
        f"inputs that an {type(estimator.scaler_).__name__} scales, but "
        f"standardize={estimator.standardize!r}": _scales_by_another(estimator),
        **_other_names(
            "labels", "y", getattr(estimator, "label_names_", None), target.label_names
        ),
        **_other_names(
            "features",
            "X",
            getattr(estimator.net_.outputs_.estimator, "feature_names_in_", None),
            getattr(estimator, "feature_names_in_", None),
        ),
    }
    for fault in (text for text, holds in faults.items() if holds):
        raise ValueError(
            f"warm_start=True goes on with {fault}. Set warm_start=False to start anew."
        )


def _scales_by_another(estimator):
    """Return whether `standardize` asks for another scaler than there is."""
    scaler, encodes = estimator.scaler_, isinstance(estimator.standardize, str)
    return scaler is not None and encodes != isinstance(scaler, InputEncoder)


def _other_names(what, where, before, now):
    """Return a fault of `check_warm_start`: names of both fits that differ."""
    if before is None or now is None:
        return {}
    names = f"{list(before)[:5]}, but {where} has {list(now)[:5]}"
    return {f"the {what} {names}": list(before) != list(now)}


def take_over(net, previous):
    """Put the weights and the history of an earlier net into a new one.

    No callback is notified of its epochs: schedules begin anew, as the optimizer does.

    Parameters
    ----------
    net, previous : Net
    """
    if _shapes(previous) != _shapes(net):
        raise ValueError(
            "warm_start=True goes on with the weights of the earlier fit, which do not "
            f"fit the present module: {_changed(previous, net)} changed. Set it back, "
            "or set warm_start=False to start anew."
        )
    net.module_.load_state_dict(previous.module_.state_dict())
    # Buffers of the loss follow from the present data.
    learnt = dict(previous.criterion_.loss.named_parameters())
    net.criterion_.loss.load_state_dict(learnt, strict=False)
    net.earlier_ = list(previous.history)


def _changed(previous, net):
    """Return what the user changed between the modules of two nets, as a text.

    Parameters of the module that the estimator finds are no parameters of it: whether
    inputs are sparse, and the number of members where it is "auto".
    """
    before, now = (one.outputs_.estimator for one in (previous, net))
    changed = _changed_params(before, now)
    if identity_of(previous.module__build) != identity_of(net.module__build):
        changed.insert(0, "module")
    are_sparse = {one.module__params.get("sparse_input") for one in (previous, net)}
    if len(are_sparse) > 1 and "module__sparse_input" not in changed:
        changed.append("the container of X (sparse or dense)")
    if previous.module_.n_members != net.module_.n_members:
        found = "the number of members (by X_val, groups or the number of rows)"
        changed += _differing(before, now, _SET_MEMBERS) or [found]
    return ", ".join(changed) or "module"


def _changed_params(before, now):
    """Return the names of the parameters of the module that the user changed."""
    if now._module_names:  # they are parameters of the estimator
        return _differing(before, now, sorted(now._module_names))
    one, other = (each.module_params or {} for each in (before, now))
    return [
        f"module__{key}"
        for key in sorted(one.keys() | other.keys())
        if identity_of(one.get(key)) != identity_of(other.get(key))
    ]


def _differing(before, now, names):
    """Return which parameters of two estimators differ, in whatever form they are."""
    return [
        name
        for name in names
        if _identity_of(name, getattr(before, name))
        != _identity_of(name, getattr(now, name))
    ]
