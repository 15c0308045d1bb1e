"""Warnings, bases of estimators and the scores of any classifier, for all modules.

The scores: `predict_proba` of a label matrix is one array (`OneVsRestClassifier`,
`ClassifierChain`, the nets here) or a list of arrays, one a label (forests, nearest
neighbours, `MultiOutputClassifier`), in which a label that has one value only has one
column. `label_scores` returns ``(n_samples, n_labels)`` for all of them: the
probability of a 1, or, of a 1-D target, of its positive class.
"""

import contextlib
import importlib.metadata
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator

from skimbalance._validation import name_order
from skimbalance.exceptions import PositiveClassWarning, UndefinedLabelWarning

PROBA, DECISION = "predict_proba", "decision_function"

# Balancing weights make both classes equal up to the rounding of their sums, which is
# below 1e-9 for a million rows.
_ROUNDING = 1e-9
# Packages whose frames lie between the user's line and the code that warns: those that
# call the library, and those through which it calls itself.
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


def warn_user(message: str, category: type[Warning]) -> None:
    """Warn at the line of the user's code that called the library.

    Python 3.12 has ``skip_file_prefixes`` for this; 3.11 needs a walk up the stack.

    Parameters
    ----------
    message : str
    category : subclass of Warning
    """
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and _is_library(frame):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def _is_library(frame):
    package = frame.f_globals.get("__name__", "").partition(".")[0]
    return package in _LIBRARIES


def warn_undefined(message: str) -> None:
    """Warn of labels that a computation leaves out."""
    warn_user(message, UndefinedLabelWarning)


def warn_positive_class(target: Any, pos_label: Any, asked: str, counts: Any) -> None:
    """Warn if the positive class is the majority and `pos_label` is not set.

    Parameters
    ----------
    target : Target
    pos_label : object or None
        As the user gave it.
    asked : str
        The option that treats the positive class differently.
    counts : pair of ndarray of shape (1,)
        Weighted positives and negatives of a binary target.
    """
    if pos_label is not None or target.kind != "binary" or len(target.classes) < 2:
        return
    positive, negative = counts[0].item(), counts[1].item()
    # scikit-learn takes the last class as the positive one without a word, and in data
    # such as "fraud" and "ok" that is the majority.
    if positive > negative * (1 + _ROUNDING):
        other, last = target.classes.tolist()
        warn_user(
            f"{asked} treats the positive class differently. That is the last of "
            f"classes_, {last!r}, which {positive / (positive + negative):.0%} of the "
            f"rows have. Set pos_label={other!r} if the rarer class is meant, else "
            f"pos_label={last!r}.",
            PositiveClassWarning,
        )


@contextlib.contextmanager
def unchanged_on_error(estimator: object) -> Iterator[None]:
    """Restore the attributes of an estimator if the block raises."""
    # A shallow copy: attributes that were replaced come back. What is changed in place,
    # as the net is by partial_fit, has to restore itself.
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


def documentation_url() -> str:
    """Return the address of the site, or "" while the package states none.

    It is the entry ``Documentation`` of ``[project.urls]`` in ``pyproject.toml``.
    """
    try:
        package = importlib.metadata.metadata("skimbalance")
    except importlib.metadata.PackageNotFoundError:  # a checkout that is not installed
        return ""
    for entry in package.get_all("Project-URL") or ():
        name, _, url = entry.partition(",")
        if name.strip().lower() == "documentation":
            return url.strip().rstrip("/")
    return ""


class DocLinkMixin:
    """Link the HTML representation of an estimator to its page of the API reference.

    scikit-learn reads these two attributes, and shows no link where it gets "".
    """

    _doc_link_module = "skimbalance"

    @property
    def _doc_link_template(self):
        # The names of the pages are those that autosummary gives them in docs/api.
        page = "/api/generated/{estimator_module}.{estimator_name}.html"
        url = documentation_url()
        return url and url + page


class DictParamsMixin(BaseEstimator):
    """Let ``set_params(module__width=3)`` set entries of dict parameters.

    `_dict_params` maps a prefix to the name of a dict parameter, ``"module"`` to
    ``"module_params"``. ``get_params(deep=True)`` returns the entries of the dict. A
    dict is copied before it changes, so that the dict of the user stays as it is. If
    the parameter named by the prefix is itself an estimator, its own parameters are
    set instead.
    """

    _dict_params: ClassVar[dict[str, str]] = {}

    def _reaches_dict(self, prefix):
        """Whether ``prefix__name`` is an entry of a dict, not of an estimator."""
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


class NamedParamsMixin(BaseEstimator):
    """Explain that ``threshold__beta`` needs an object where a name is given.

    Without it `set_params` fails on a name with ``'str' object has no attribute
    'set_params'``, after it has set some of the other parameters.

    `_nested_checks` maps a parameter to a function of its value and of the nested
    parameters, by their own names, which raises the error.
    """

    _nested_checks: ClassVar[dict[str, Callable[[Any, dict], None]]] = {}

    def set_params(self, **params):
        """Set the parameters.

        Parameters
        ----------
        **params : dict
            Values by name; ``parameter__name`` for those of an object.

        Returns
        -------
        self : estimator
            This object.

        Raises
        ------
        ValueError
            If a nested parameter is set where there is no object.
        """
        for name, check in self._nested_checks.items():
            prefix = f"{name}__"
            nested = {
                key.removeprefix(prefix): value
                for key, value in params.items()
                if key.startswith(prefix)
            }
            check(params.get(name, getattr(self, name)), nested)
        return super().set_params(**params)


# --------------------------------------------------------------------------
# Scores of any classifier


def unwrap(estimator: Any) -> Any:
    """Return the classifier whose predictions a fitted pipeline or search returns.

    They pass the methods of a classifier on, but not its attributes.

    Parameters
    ----------
    estimator : classifier
        A pipeline is its last step, a search its best estimator, in any nesting; any
        other classifier is returned as it is.
    """
    while True:
        steps = getattr(estimator, "steps", None)
        inner = steps[-1][1] if steps else getattr(estimator, "best_estimator_", None)
        if inner is None:
            return estimator
        estimator = inner


def label_names_of(estimator: Any) -> np.ndarray | None:
    """Return the names of the labels that a classifier was fitted on, or None."""
    return getattr(unwrap(estimator), "label_names_", None)


def label_places(
    estimator: Any, label_names: Any, name: str = "y"
) -> np.ndarray | None:
    """Return the places of some labels among the scores of a fitted classifier.

    One that was fitted before, or wraps such a one, keeps the order of its labels.

    Parameters
    ----------
    estimator : classifier
    label_names : ndarray of str or None
        The names of the labels whose places are returned.
    name : str
        How the error message calls what has these labels.

    Returns
    -------
    places : ndarray of int, or None
        None where all labels are in place, or either side has no names.

    Raises
    ------
    ValueError
        If the classifier was fitted on other labels.
    """
    order = name_order(label_names, label_names_of(estimator), name)
    return None if order is None else np.argsort(order)


def _reason(error):
    """Return the message of an AttributeError and of its cause.

    scikit-learn's `available_if` raises one whose cause says why a method is missing.
    """
    cause = error.__cause__ or error.__context__
    return str(error) if cause is None else f"{error}: {cause}"


def find_response(
    estimator: object, methods: Iterable[str], needed_by: str | None = None
) -> str:
    """Return the name of the first of the methods that the estimator has.

    Parameters
    ----------
    estimator : classifier
    methods : iterable of str
        In the order of preference.
    needed_by : str or None
        The parameter that needs `predict_proba`, for the error.
    """
    reasons = []
    for name in methods:
        try:
            getattr(estimator, name)
        except AttributeError as error:
            reasons.append(_reason(error))
        else:
            return name
    if needed_by is not None:
        raise ValueError(
            f"{type(estimator).__name__} has no {' or '.join(methods)}, which "
            f"{needed_by} needs: wrap it in CalibratedClassifierCV, or for a label "
            f"matrix in MultilabelCalibratedClassifierCV. {' '.join(reasons)}"
        )
    raise ValueError(
        f"{type(estimator).__name__} has none of the methods {', '.join(methods)}, so "
        f"there are no scores to work on. {' '.join(reasons)}"
    )


def label_scores(
    estimator: Any,
    X: Any,
    method: str,
    n_labels: int | None = None,
    positive: Any = None,
    label_names: Any = None,
) -> np.ndarray:
    """Return the scores of the labels of each row.

    Parameters
    ----------
    estimator : classifier
        Fitted.
    X : array-like
        Its inputs.
    method : {"predict_proba", "decision_function"}
    n_labels : int or None
        None for a 1-D target.
    positive : object or None
        The class of a 1-D target whose scores are returned; None is the last one. Of a
        label matrix it is always 1.
    label_names : ndarray of str or None
        The names of the labels in the order of the columns that are returned; None is
        the order of the classifier.

    Returns
    -------
    scores : ndarray of float, shape (n_samples, n_labels)
    """
    places = label_places(estimator, label_names)
    response = _response(estimator, X, method)
    if isinstance(response, list):
        scores = _of_columns(response, estimator.classes_)
    else:
        scores = np.asarray(response)
        if scores.dtype.kind != "f":
            scores = scores.astype(np.float64)
        if n_labels in (None, 1):
            positive = positive if n_labels is None else 1
            scores = _of_one_label(scores, estimator, method, positive)
    expected = n_labels or 1
    if scores.ndim != 2 or scores.shape[1] != expected:
        raise ValueError(
            f"{type(estimator).__name__}.{method} gives an array of shape "
            f"{scores.shape} for {expected} labels; was it fitted with other labels?"
        )
    if not np.isfinite(scores).all():
        raise ValueError(
            f"{type(estimator).__name__}.{method} gives scores that are not finite."
        )
    return scores if places is None else scores[:, places]


def _response(estimator, X, method):
    """Return the result of a method that an estimator may lack once it is fitted.

    As a search has no `predict_proba` if the best of its candidates has none.
    """
    try:
        respond = getattr(estimator, method)
    except AttributeError as error:
        raise ValueError(
            f"The fitted {type(estimator).__name__} has no {method}. {_reason(error)}"
        ) from error
    return respond(X)


def _of_columns(responses, classes):
    """Return the probability of 1 from a list of arrays, one a label."""
    columns = []
    for response, known in zip(responses, classes, strict=True):
        is_one = np.asarray(known).astype(np.float64) == 1
        columns.append(np.asarray(response)[:, is_one].sum(axis=1))
    return np.column_stack(columns)


def _of_one_label(scores, estimator, method, positive):
    """Return the column of the positive class of a binary problem.

    More than two columns are returned as they are: `label_scores` reports their shape.
    """
    classes = np.ravel(getattr(estimator, "classes_", [0, 1])).tolist()
    positive = classes[-1] if positive is None else positive
    is_positive = [bool(known == positive) for known in classes]
    if len(classes) > 1 and not any(is_positive):
        raise ValueError(
            f"{type(estimator).__name__} was fitted with the classes {classes}, which "
            f"lack {positive!r}."
        )
    if len(classes) == 1:
        # The probability of the only class is 1; the other sign of a decision is -1.
        value = float(is_positive[0])
        value = value if method == PROBA else 2 * value - 1
        return np.full((len(scores), 1), value, dtype=scores.dtype)
    if scores.ndim == 2 and scores.shape[1] > 1:
        return scores[:, is_positive] if scores.shape[1] == 2 else scores
    # One column is the score of the last class.
    scores = scores.reshape(-1, 1)
    if is_positive[-1]:
        return scores
    return 1 - scores if method == PROBA else -scores
