"""Calibrators: from scores to calibrated log-odds, learnt on held-out rows.

Calibrators of labels derive from `BaseCalibrator`; `_CALIBRATORS` holds their names.
"""

from abc import ABC, abstractmethod
from functools import partial
from typing import Any, Self

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, log_softmax, logit
from sklearn.base import BaseEstimator, clone
from sklearn.isotonic import IsotonicRegression
from sklearn.utils.validation import check_is_fitted

from skimbalance._base import (
    DocLinkMixin,
)
from skimbalance._columns import all_entries, iter_columns, one_in, total
from skimbalance._counts import at_least_mean_1, take_weights, weights_or_ones
from skimbalance._labels import check_label_matrix
from skimbalance._log_odds import (
    as_columns,
    fit_sigmoid,
    fit_slopes,
    match_class_means,
    match_means,
)
from skimbalance._validation import (
    align_columns,
    align_labels,
    check_choice,
    check_interval,
    check_weights,
    column_names,
    column_order,
)
from skimbalance.calibration._base_rates import check_prior

# Entries that fit the common map: it has two or three parameters for all labels.
_POOLED_ENTRIES = 2**20
# Bound of the log-odds of isotonic steps, whose ends are at 0 and 1: below the rounding
# of a probability in double precision.
_MOST_LOG_ODDS = 40.0
SHRINKAGE = 20.0
# Prevalences are learnt from fewer positives than slopes, so that intercepts are drawn
# to the common one with less strength.
_INTERCEPT_FRACTION = 1 / 20
# Without any prior, the slope of a label of one value would run off to infinity.
_LEAST_SHRINKAGE = 1e-3


def _as_scores(values, name, n_columns=None, *, finite=False):
    """Return scores as float64 of shape (n_samples, n_columns), without NaN."""
    scores = np.asarray(values, dtype=np.float64)
    if scores.ndim not in (1, 2) or not scores.size:
        raise ValueError(
            f"{name} has shape {scores.shape}, expected (n_samples, n_columns)."
        )
    scores = scores.reshape(len(scores), -1)
    if n_columns is not None and scores.shape[1] != n_columns:
        raise ValueError(
            f"{name} has {scores.shape[1]} columns, but the calibrator was fitted with "
            f"{n_columns}."
        )
    # Probabilities of 0 and 1 can be mapped, but no slope can be learnt from them.
    if np.isnan(scores).any() or (finite and np.isinf(scores).any()):
        what = "finite, but has NaN or infinity" if finite else "without NaN"
        raise ValueError(
            f"{name} must be {what}. Clip probabilities of 0 and 1 before you take "
            "logarithms."
        )
    return scores


def _check_log_odds(log_odds, y, sample_weight, names):
    """Return labels, log-odds of each entry, and weights, which go together."""
    labels = check_label_matrix(y)
    log_odds = align_columns(log_odds, names, "log_odds")
    log_odds = _as_scores(log_odds, "log_odds", finite=True)
    if log_odds.shape != labels.shape:
        raise ValueError(
            f"log_odds has shape {log_odds.shape}, but y has shape {labels.shape}."
        )
    weight = check_weights(sample_weight, *labels.shape, label_names=names)
    return labels, log_odds, weight


# --------------------------------------------------------------------------
# Calibrators of labels


class BaseCalibrator(DocLinkMixin, BaseEstimator, ABC):
    """Base of the calibrators of labels.

    A subclass has two methods. ``learn(labels, log_odds, weight)`` keeps what it learns
    in attributes that end with an underscore; ``map(log_odds)`` applies it. `fit`,
    `transform` and `match_prevalence` follow from them. Its objects are values of
    ``method`` of `MultilabelCalibratedClassifierCV`.

    Attributes
    ----------
    intercept_ : float or ndarray of shape (n_labels,)
        Added to the mapped log-odds. One for each label after `match_prevalence`.

    See Also
    --------
    PooledCalibrator : One map for all labels.
    LabelCalibrator : A map for each label.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.calibration import BaseCalibrator
    >>> class Offset(BaseCalibrator):
    ...     def learn(self, labels, log_odds, weight):
    ...         self.offset_ = np.log((labels == 1).mean()) - log_odds.mean()
    ...
    ...     def map(self, log_odds):
    ...         return log_odds + self.offset_
    >>> calibrator = Offset().fit([[0.0], [1.0], [2.0]], [[0], [0], [1]])
    >>> calibrator.match_prevalence([[0.0], [1.0], [2.0]], [0.1])
    Offset()
    """

    # The names of the labels, where `y` or `log_odds` had any.
    _label_names: Any = None
    # Whether the base rates are to be met after `fit`; not by a map without intercept.
    matches_prevalence = True

    @property
    def _n_columns(self):
        """The number of labels, or None where one map serves any number of them."""
        n_intercepts = np.size(self.intercept_)
        return None if n_intercepts == 1 else n_intercepts

    @abstractmethod
    def learn(self, labels, log_odds, weight):
        """Learn the map.

        Parameters
        ----------
        labels : ndarray or sparse array of int8, shape (n_samples, n_labels)
            1, 0, and below 0 where a label is missing.
        log_odds : ndarray of float64, shape (n_samples, n_labels)
        weight : None, ndarray or SparseWeights
            Weights of the rows or entries.
        """

    @abstractmethod
    def map(self, log_odds) -> np.ndarray:
        """Return mapped log-odds, which increase with `log_odds`.

        Parameters
        ----------
        log_odds : ndarray of float64, shape (n_samples, n_labels)
        """

    def fit(self, log_odds, y, sample_weight=None) -> Self:
        """Learn the map.

        Parameters
        ----------
        log_odds : array-like of shape (n_samples, n_labels)
            Or scores that increase with them, of rows that did not train the model.
            The columns of a frame are aligned with those of `y` by their names.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels)
            0, 1 and NaN for a missing label.
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
                default=None
            Weights of the rows or entries. Whole numbers equal repeated rows; weights
            of a mean below 1 are scaled to it.

        Returns
        -------
        self : object
            The fitted calibrator.

        Raises
        ------
        ValueError
            If the shapes differ, the log-odds are not finite, or a parameter is not
            known.
        """
        names = column_names(y)
        names = column_names(log_odds) if names is None else names
        labels, log_odds, weight = _check_log_odds(log_odds, y, sample_weight, names)
        self._label_names = names
        return self._fit_checked(labels, log_odds, at_least_mean_1(weight))

    def _fit_checked(self, labels, log_odds, weight):
        """Learn the map from what `learn` takes, of weights that count entries."""
        self.intercept_ = 0.0
        self.learn(labels, log_odds, weight)
        return self

    def transform(self, log_odds) -> np.ndarray:
        """Return calibrated log-odds.

        Parameters
        ----------
        log_odds : array-like of shape (n_samples, n_labels)
            As in `fit`. The columns of a frame are mapped by their names.

        Returns
        -------
        ndarray of float64, of the shape of `log_odds`
            Log-odds of calibrated probabilities, in the order of these columns.

        Raises
        ------
        ValueError
            If the number of labels differs, or a value is NaN.
        """
        check_is_fitted(self)
        scores, order = self._in_fitted_order(log_odds)
        mapped = self.map(scores) + self.intercept_
        if order is not None:
            mapped = mapped[:, np.argsort(order)]  # back to that of the frame
        return mapped.reshape(np.shape(log_odds))

    def _has_other_labels(self, log_odds):
        """Whether scores are of other labels, which one map serves as well."""
        names, known = column_names(log_odds), self._label_names
        if self._n_columns is not None or names is None:
            return False
        return known is None or set(names) != set(known)

    def _in_fitted_order(self, log_odds):
        """Return scores in the order of the labels, and where their columns were."""
        scores = _as_scores(log_odds, "log_odds", self._n_columns)
        if self._has_other_labels(log_odds):
            return scores, None
        order = column_order(log_odds, self._label_names, "log_odds")
        return scores if order is None else scores[:, order], order

    def match_prevalence(self, log_odds, prevalence, sample_weight=None) -> Self:
        """Move the intercept of each label to meet a known prevalence.

        A few positives of a rare label determine no slope, but its prevalence is known.
        No ranking within a label changes.

        Parameters
        ----------
        log_odds : array-like of shape (n_samples, n_labels)
            As in `fit`, of rows whose mean is to meet it; they need no targets.
        prevalence : float or array-like of shape (n_labels,)
            The mean that the calibrated probabilities of each label are to have, above
            0 and below 1, in the order of `fit`, or a Series by name. A number is the
            mean over all entries, which moves the intercepts of all labels alike.
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
                default=None
            Weights of the rows or entries. A label without any weight keeps its
            intercept.

        Returns
        -------
        self : object
            The calibrator.

        Raises
        ------
        ValueError
            If the shapes differ or a prevalence is outside (0, 1).
        """
        check_is_fitted(self)
        if self._has_other_labels(log_odds):
            # The intercepts will be those of these labels.
            self._label_names = column_names(log_odds)
        log_odds, sample_weight = align_labels(
            log_odds, sample_weight, self._label_names, ("log_odds", "sample_weight")
        )
        scores, _ = self._in_fitted_order(log_odds)
        calibrated, names = self.map(scores) + self.intercept_, self._label_names
        weight = check_weights(sample_weight, *calibrated.shape, label_names=names)
        weight = as_columns(weight)
        weight = np.broadcast_to(1.0 if weight is None else weight, calibrated.shape)
        if np.ndim(prevalence) == 0:
            calibrated, weight = calibrated.reshape(-1, 1), weight.reshape(-1, 1)
        prevalence = check_prior(
            "prevalence", prevalence, calibrated.shape[1], exclusive=False, names=names
        )
        some = weight.any(axis=0)
        if some.all():  # without a copy
            some = slice(None)
        shift = np.zeros(calibrated.shape[1])
        shift[some] = match_means(
            calibrated[:, some], prevalence[some], weight[:, some]
        )
        self.intercept_ = self.intercept_ + shift
        return self


class PooledCalibrator(BaseCalibrator):
    """One slope and one intercept on the log-odds, shared by all labels.

    Platt's sigmoid with its two parameters fitted on the entries of all labels
    together, so that the rarest label needs no positives of its own. A unit Gaussian
    prior around the identity keeps it harmless on a handful of entries.

    Attributes
    ----------
    slope_ : float
        Positive, so no ranking changes.

    intercept_ : float or ndarray of shape (n_labels,)
        Added after the slope. One for each label after `match_prevalence`.

    References
    ----------
    .. [1] Platt, "Probabilistic Outputs for Support Vector Machines", 1999.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.calibration import PooledCalibrator
    >>> rng = np.random.default_rng(0)
    >>> log_odds = rng.normal(size=(5000, 2))
    >>> labels = rng.random((5000, 2)) < 1 / (1 + np.exp(-log_odds))
    >>> calibrator = PooledCalibrator().fit(3 * log_odds, labels)
    >>> round(calibrator.slope_, 1)
    0.3
    """

    def learn(self, labels, log_odds, weight):
        entries = all_entries(labels, log_odds, weight)
        self.slope_, self.intercept_ = fit_sigmoid(*entries)

    def map(self, log_odds):
        return self.slope_ * log_odds


def _identity(log_odds):
    return log_odds[None]


def _logs_of_both(log_odds):
    """Return log p and -log(1 - p), the features of beta calibration."""
    return np.array([-np.logaddexp(0, -log_odds), np.logaddexp(0, log_odds)])


# The features of the log-odds, and whether there is an intercept. The common map of
# isotonic steps is the sigmoid.
MAPS = {
    "sigmoid": (_identity, True),
    "temperature": (_identity, False),
    "beta": (_logs_of_both, True),
    "isotonic": (_identity, True),
}


class LabelCalibrator(BaseCalibrator):
    """A map for each label, drawn towards one for all labels.

    A label with many positives gets its own map of the log-odds; a rare one gets nearly
    the common one, fitted on the entries of all labels.

    Parameters
    ----------
    method : {"sigmoid", "isotonic", "temperature", "beta"}, default="sigmoid"
        ``"sigmoid"`` is a slope and an intercept on the log-odds, ``"temperature"`` the
        slope alone, ``"beta"`` two slopes, for probabilities near 0 and near 1, and an
        intercept, ``"isotonic"`` a step function that never falls.

    shrinkage : float, default=20.0
        Positives that weigh as much as the common map: the strength of a Gaussian prior
        on the logarithms of the slopes. The intercept, which a few positives determine,
        is drawn with a twentieth of it. Under ``"isotonic"`` the probability is
        ``(1 - s) * own + s * common`` with ``s = shrinkage / (shrinkage + n_positive)``
        and the sigmoid as the common map. 0 for none.

    Attributes
    ----------
    pooled_ : ndarray of float64
        Parameters of the common map: logarithms of slopes, intercept.

    parameters_ : ndarray of float64 of shape (n_labels, n_parameters), or list
        The same of each label; under ``"isotonic"`` the fitted regressions and their
        weights, None for a label of one value.

    See Also
    --------
    PooledCalibrator : One map for all labels.
    MultilabelCalibratedClassifierCV : For any classifier, out of fold.

    References
    ----------
    .. [1] Platt, "Probabilistic Outputs for Support Vector Machines", 1999.
    .. [2] Zadrozny, Elkan, "Transforming Classifier Scores into Accurate Multiclass
       Probability Estimates", KDD 2002: isotonic regression.
    .. [3] Kull, Silva Filho, Flach, "Beta Calibration", AISTATS 2017.
    .. [4] Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural Networks",
       ICML 2017: temperature.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.calibration import LabelCalibrator
    >>> rng = np.random.default_rng(0)
    >>> log_odds = rng.normal(size=(5000, 2))
    >>> labels = rng.random((5000, 2)) < 1 / (1 + np.exp(-log_odds))
    >>> calibrator = LabelCalibrator().fit([3, 0.5] * log_odds, labels)
    >>> np.exp(calibrator.parameters_[:, 0]).round(1)
    array([0.3, 1.9])
    """

    def __init__(self, method="sigmoid", *, shrinkage=SHRINKAGE):
        self.method = method
        self.shrinkage = shrinkage

    @property
    def matches_prevalence(self):
        """Whether the base rates are to be met: a temperature is for right ones."""
        return self.method != "temperature"

    @property
    def _n_columns(self):
        return len(self.parameters_)

    def learn(self, labels, log_odds, weight):
        check_choice("method", self.method, MAPS)
        check_interval("shrinkage", self.shrinkage, 0)
        self.pooled_ = self._fit_pooled(labels, log_odds, weight)
        columns = iter_columns(labels, log_odds, weight)
        if self.method == "isotonic":
            self.parameters_ = [self._fit_steps(*column) for column in columns]
        else:
            self.parameters_ = np.array([self._fit_label(*each) for each in columns])

    def _fit_pooled(self, labels, log_odds, weight):
        """Return the parameters of the common map, from a part of very many rows."""
        some = one_in(-(-log_odds.size // _POOLED_ENTRIES), len(log_odds))
        weight = take_weights(weight, some)
        target, score, weight = all_entries(labels[some], log_odds[some], weight)
        to_features, intercept = MAPS[self.method]
        features = to_features(score)
        centre = np.zeros(len(features) + 1)
        return fit_slopes(target, features, weight, centre, intercept=intercept)

    def _fit_label(self, target, score, weight):
        """Return the parameters of the map of one label, drawn to the common ones."""
        least = max(float(self.shrinkage), _LEAST_SHRINKAGE)
        strength = np.full(len(self.pooled_), least)
        strength[-1] *= _INTERCEPT_FRACTION
        to_features, intercept = MAPS[self.method]
        return fit_slopes(
            target,
            to_features(score),
            weight,
            self.pooled_,
            strength,
            intercept=intercept,
        )

    def _fit_steps(self, target, score, weight):
        """Return the isotonic regression of one label and its weight, or None."""
        # The negatives are counted: a difference of sums is never quite 0.
        n_positive, n_negative = total(weight, target), total(weight, ~target)
        if not (n_positive > 0 and n_negative > 0):
            return None
        steps = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
        steps.fit(score, target, sample_weight=weight)
        return steps, n_positive / (n_positive + self.shrinkage)

    def map(self, log_odds):
        if self.method == "isotonic":
            return self._map_by_steps(log_odds)
        to_features, _ = MAPS[self.method]
        parameters = np.asarray(self.parameters_)
        slopes, intercept = np.exp(parameters[:, :-1]), parameters[:, -1]
        return np.einsum("kf,fnk->nk", slopes, to_features(log_odds)) + intercept

    def _map_by_steps(self, log_odds):
        """Return the log-odds of the mean of own steps and the common sigmoid."""
        proba = expit(np.exp(self.pooled_[0]) * log_odds + self.pooled_[1])
        for k, fitted in enumerate(self.parameters_):
            if fitted is not None:
                steps, own = fitted
                # Steps refuse infinite log-odds, which the other maps take.
                inside = log_odds[:, k].clip(steps.X_min_, steps.X_max_)
                mapped = steps.predict(inside)
                proba[:, k] = own * mapped + (1 - own) * proba[:, k]
        with np.errstate(divide="ignore"):
            return np.clip(logit(proba), -_MOST_LOG_ODDS, _MOST_LOG_ODDS)


# Names of calibrators, and what makes one with its default parameters.
_CALIBRATORS = {name: partial(LabelCalibrator, name) for name in MAPS} | {
    "pooled": PooledCalibrator
}


def resolve_calibrator(calibrator, name="method") -> Any:
    """Return the calibrator, not fitted, that the parameter `name` stands for."""
    if isinstance(calibrator, str):
        check_choice(name, calibrator, _CALIBRATORS)
        return _CALIBRATORS[calibrator]()
    if not isinstance(calibrator, BaseCalibrator):
        raise ValueError(
            f"{name}={calibrator!r} is not known. Use a calibrator of labels, an "
            "object whose class derives from skimbalance.calibration.BaseCalibrator, "
            f"or one of {', '.join(map(repr, sorted(_CALIBRATORS)))}."
        )
    return clone(calibrator)


def check_is_object(method, params):
    """Raise a ValueError that shows the object if a name is given parameters."""
    if params and isinstance(method, str):
        given = ", ".join(f"{name}={value!r}" for name, value in params.items())
        kind = "Pooled"
        if method in MAPS:
            kind, given = "Label", f'"{method}", {given}'
        raise ValueError(
            f'method="{method}" is a name and has no parameters; pass an object of '
            f"skimbalance.calibration, such as method={kind}Calibrator({given})."
        )


# --------------------------------------------------------------------------
# Calibrators of classes that exclude each other


class _ClassCalibrator(DocLinkMixin, BaseEstimator, ABC):
    """Base: a slope on the log-probabilities, and an intercept for each class."""

    matches_prevalence = True

    @abstractmethod
    def _learn(self, log_proba, y, weight) -> tuple[float, Any]:
        """Return the slope and the intercept."""

    def fit(self, log_proba, y, sample_weight=None) -> Self:
        """Learn the slope, and the intercepts where there are any.

        Parameters
        ----------
        log_proba : array-like of shape (n_samples, n_classes)
            Log-probabilities of rows that did not train the model.
        y : array-like of int, shape (n_samples,)
            Index of the true class.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows. Whole numbers equal repeated rows; weights of a mean
            below 1 are scaled to it.

        Returns
        -------
        self : object
            The fitted calibrator.

        Raises
        ------
        ValueError
            If the shapes differ, the log-probabilities are not finite, or `y` holds
            anything but indices of their columns.
        """
        log_proba, y = _as_scores(log_proba, "log_proba", finite=True), np.asarray(y)
        n_rows, self._n_columns = log_proba.shape
        if y.shape != (n_rows,):
            raise ValueError(f"y has shape {y.shape}, expected {(n_rows,)}.")
        if y.dtype.kind not in "iu" or y.min() < 0 or y.max() >= self._n_columns:
            raise ValueError(
                f"y must hold the index of the class of each row, 0 to "
                f"{self._n_columns - 1}: pass np.searchsorted(classes_, y)."
            )
        weight = at_least_mean_1(check_weights(sample_weight, n_rows))
        weight = weights_or_ones(weight, n_rows)
        self.slope_, self.intercept_ = self._learn(log_proba, y, weight)
        return self

    def transform(self, log_proba) -> np.ndarray:
        """Return calibrated log-probabilities.

        Parameters
        ----------
        log_proba : array-like of shape (n_samples, n_classes)
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Normalised.

        Raises
        ------
        ValueError
            If the number of classes differs, or a value is NaN.
        """
        check_is_fitted(self)
        scores = _as_scores(log_proba, "log_proba", self._n_columns)
        return log_softmax(self.slope_ * scores + self.intercept_, axis=1)

    def match_prevalence(self, log_proba, prevalence, sample_weight=None) -> Self:
        """Move the intercept of each class to meet known prevalences.

        Parameters
        ----------
        log_proba : array-like of shape (n_samples, n_classes)
            As in `fit`, of rows of the population that the prevalences are of; they
            need no targets.
        prevalence : array-like of shape (n_classes,)
            The mean that the calibrated probabilities of each class are to have, above
            0 and of sum 1.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        self : object
            The calibrator.

        Raises
        ------
        ValueError
            If the shapes differ or the prevalences are none.
        """
        calibrated = self.transform(log_proba)
        n_samples, n_classes = calibrated.shape
        prevalence = check_prior("prevalence", prevalence, n_classes, exclusive=True)
        weight = as_columns(check_weights(sample_weight, n_samples))
        shift = match_class_means(calibrated, prevalence, weight)
        self.intercept_ = self.intercept_ + shift
        return self


class TemperatureCalibrator(_ClassCalibrator):
    """One temperature on the log-probabilities of a multiclass model.

    Attributes
    ----------
    slope_ : float
        The inverse temperature, positive.

    intercept_ : float or ndarray of shape (n_classes,)
        Added after the slope: 0, or one for each class after `match_prevalence`.

    References
    ----------
    .. [1] Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural Networks",
       ICML 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.calibration import TemperatureCalibrator
    >>> log_proba = np.log([[0.98, 0.01, 0.01]] * 4)
    >>> calibrator = TemperatureCalibrator().fit(log_proba, [0, 0, 0, 1])
    >>> calibrator.slope_ < 1
    True
    """

    def _learn(self, log_proba, y, weight):
        rows = np.arange(len(y))

        def risk(log_slope):
            log_p = log_softmax(np.exp(log_slope) * log_proba, axis=1)[rows, y]
            return 0.5 * log_slope**2 - weight @ log_p

        best = minimize_scalar(risk, bounds=(-3, 3), method="bounded")
        return float(np.exp(best.x)), 0.0


class ShrunkClassCalibrator(_ClassCalibrator):
    """One temperature for all classes and an intercept for each, drawn to none.

    For losses without an inverse, whose scores have base rates of their own.
    """

    def _learn(self, log_proba, y, weight):
        rows, mass = np.arange(len(y)), weight.sum()
        observed = np.bincount(y, weights=weight, minlength=log_proba.shape[1])

        def risk(theta):
            scaled = np.exp(theta[0]) * log_proba
            log_p = log_softmax(scaled + theta[1:], axis=1)
            p = np.exp(log_p)
            rise = weight @ ((p * scaled).sum(axis=1) - scaled[rows, y])
            gradient = theta + np.append(rise, weight @ p - observed)
            value = 0.5 * theta @ theta - weight @ log_p[rows, y]
            return value / mass, gradient / mass

        start = np.zeros(log_proba.shape[1] + 1)
        theta = minimize(risk, start, jac=True, method="BFGS").x
        return float(np.exp(theta[0])), theta[1:]
