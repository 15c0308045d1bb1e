"""Copies of what a user passes, so that a fit never changes it."""

import copy

from skorch.callbacks import Callback

_LOGGERS = "skorch.callbacks.logging"


def copied(value):
    """Return a deep copy; where a part cannot be copied it is shared.

    Writers and connections hold locks, for example.
    """
    try:
        return copy.deepcopy(value)
    except Exception:  # each type has an error of its own
        if isinstance(value, dict):
            return {key: copied(entry) for key, entry in value.items()}
        if type(value) in (list, tuple):
            return type(value)(map(copied, value))
        return value


def copied_callbacks(callbacks):
    """Return copies of callbacks, which share the loggers that they write to."""
    return None if callbacks is None else [_copied_callback(item) for item in callbacks]


def _copied_callback(item):
    if isinstance(item, (tuple, list)):
        name, callback = item
        return name, _copied_callback(callback)
    if not isinstance(item, Callback):
        return item
    twin = copy.copy(item)
    is_logger = any(base.__module__ == _LOGGERS for base in type(item).__mro__)
    if not is_logger:
        vars(twin).update(copied(vars(twin)))
    return twin
