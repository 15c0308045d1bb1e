"""The state of callbacks as plain data, which a checkpoint can hold."""

from collections import Counter, OrderedDict

import numpy as np
import torch
from skorch.callbacks.scoring import ScoringBase

# Predictions of the running epoch, which scoring callbacks gather anew.
_CACHES = "y_trues_", "y_preds_"
_PLAIN = (type(None), bool, int, float, str, torch.Tensor)
_DICTS = dict, OrderedDict, Counter
_SEQUENCES = list, tuple, set
_BY_NAME = {kind.__name__: kind for kind in (*_DICTS, *_SEQUENCES)}


class NotPlainError(TypeError):
    """A value that cannot be stored without running code when it is loaded."""


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


def encode(value):
    """Return a value as plain data: tensors, numbers, strings, lists and dicts."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, np.generic):
        return encode(value.item())
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
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


def decode(value, present=None):
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
