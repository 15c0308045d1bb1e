"""Tiny bases that more than one room shares. Think twice before adding here."""

import contextlib
import warnings


class UndefinedLabelWarning(UserWarning):
    """Some labels lack a value that the computation needs, and were left out."""


def warn_undefined(message, stacklevel=4):
    """Warn of labels that a computation had to treat apart."""
    warnings.warn(message, UndefinedLabelWarning, stacklevel=stacklevel)


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
