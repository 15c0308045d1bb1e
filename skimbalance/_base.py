"""Small bases and tools that several modules share."""

import contextlib
import sys
import warnings

from skimbalance.exceptions import PositiveClassWarning, UndefinedLabelWarning

# Balancing weights make both classes equal, but for the rounding of their sums.
_ROUNDING = 1e-9
# Packages whose frames lie between the user's line and the code that warns.
_LIBRARIES = {
    "contextlib",
    "functools",
    "imblearn",
    "joblib",
    "skimbalance",
    "sklearn",
    "skorch",
    "torch",
}


def warn_user(message, category):
    """Warn at the line of the user's code that called into the library.

    Python 3.12 has ``skip_file_prefixes`` for this; 3.11 needs a walk up the stack.

    Parameters
    ----------
    message : str
    category : type
        A subclass of Warning.
    """
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and _is_library(frame):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def _is_library(frame):
    package = frame.f_globals.get("__name__", "").partition(".")[0]
    return package in _LIBRARIES


def warn_undefined(message):
    """Warn of labels that a computation has to leave out."""
    warn_user(message, UndefinedLabelWarning)


def warn_positive_class(target, pos_label, asked, counts):
    """Warn where the majority counts as positive, and nobody said that it should.

    Parameters
    ----------
    target : Target
    pos_label : object or None
        As the user gave it.
    asked : str
        What is asked for that treats the positive class in its own way.
    counts : pair of ndarray of shape (1,)
        Weighted positives and negatives of a binary target.
    """
    if pos_label is not None or target.kind != "binary" or len(target.classes) < 2:
        return
    positive, negative = counts[0].item(), counts[1].item()
    if positive > negative * (1 + _ROUNDING):
        other, last = target.classes.tolist()
        warn_user(
            f"{asked} treats the positive class in its own way. That is the last of "
            f"classes_, {last!r}, which {positive / (positive + negative):.0%} of the "
            f"rows have. Set pos_label={other!r} if the rarer class is meant, else "
            f"pos_label={last!r}.",
            PositiveClassWarning,
        )


class DictParamsMixin:
    """Let ``set_params(module__width=3)`` reach into dict parameters.

    `_dict_params` maps a prefix to the dict parameter behind it, ``"module"`` to
    ``"module_params"``. Entries of the dict show in ``get_params(deep=True)``. A dict
    is copied before it changes, so the one that a user passed stays as it was. Where
    the prefix itself holds an estimator-like object, its own parameters come first.
    """

    _dict_params = {}  # noqa: RUF012

    def _reaches_dict(self, prefix):
        return prefix in self._dict_params and not hasattr(
            getattr(self, prefix, None), "set_params"
        )

    def get_params(self, deep=True):
        """Get the parameters.

        Parameters
        ----------
        deep : bool, default=True
            With those of nested objects and the entries of the dict parameters.

        Returns
        -------
        params : dict
            Values by name.
        """
        params = super().get_params(deep=deep)
        for prefix, name in self._dict_params.items() if deep else ():
            entries = getattr(self, name)
            if self._reaches_dict(prefix) and isinstance(entries, dict):
                params.update({f"{prefix}__{key}": entries[key] for key in entries})
        return params

    def set_params(self, **params):
        """Set parameters.

        Parameters
        ----------
        **params : dict
            Values by name; ``prefix__name`` for nested ones.

        Returns
        -------
        self : estimator
            This object.
        """
        plain = {key: value for key, value in params.items() if "__" not in key}
        super().set_params(**plain)
        nested = {key: params[key] for key in params.keys() - plain.keys()}
        for key in sorted(nested):
            prefix, _, entry = key.partition("__")
            if self._reaches_dict(prefix):
                name = self._dict_params[prefix]
                value = {**(getattr(self, name) or {}), entry: nested.pop(key)}
                setattr(self, name, value)
        super().set_params(**nested)
        return self


@contextlib.contextmanager
def unchanged_on_error(estimator):
    """Give an estimator its attributes back when the block raises."""
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
