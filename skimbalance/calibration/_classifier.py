"""A classifier that calibrates the probabilities of another one out of fold."""

from typing import Any, ClassVar, Self

import numpy as np
from scipy.special import expit
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from skimbalance._base import (
    DECISION,
    PROBA,
    NamedParamsMixin,
    find_response,
)
from skimbalance._counts import count_labels, take_weights, weights_or_ones
from skimbalance._labels import has_missing, with_missing
from skimbalance._log_odds import (
    FiniteLogOdds,
    as_columns,
    smoothed_prevalence,
)
from skimbalance._meta import LabelMetaClassifier, LabelProbabilityMixin
from skimbalance._validation import (
    check_choice,
)
from skimbalance.calibration._calibrators import (
    MAPS,
    SHRINKAGE,
    check_is_object,
    resolve_calibrator,
)


class MultilabelCalibratedClassifierCV(
    NamedParamsMixin, LabelProbabilityMixin, LabelMetaClassifier
):
    """Calibrate the probabilities of each label, out of fold.

    For classifiers whose scores are no calibrated probabilities: forests, margins, nets
    trained with a loss that has no inverse, weighted training.

    Parameters
    ----------
    estimator : classifier
        A classifier of a label matrix or of two classes, with `decision_function` or
        `predict_proba`.

    method : {"sigmoid", "isotonic", "temperature", "beta", "pooled"} or \
            BaseCalibrator, default="sigmoid"
        The map of the log-odds of a label: a method of `LabelCalibrator`, ``"pooled"``
        for `PooledCalibrator`, or a calibrator object. A probability of 0 counts as
        half of the smallest positive one, and 1 by the same rule; where all are 0 or
        1, they count as 1/4 and 3/4.

    cv : int, float, splitter, iterable or "prefit", default=None
        The folds of the out-of-fold scores; None stands for 5, which are stratified by
        label. A fraction holds out one part; ``"prefit"`` takes the estimator as it is,
        and the rows passed to `fit`, which must not be those that trained it. A row
        that is held out several times, by repeated folds, has its weight divided among
        its scores.

    ensemble : bool or "auto", default="auto"
        True keeps the classifiers of all folds and averages their calibrated
        probabilities; False fits one on all rows. The calibrators are the same: of the
        scores of all folds. ``"auto"`` is True, but for an estimator that is fitted.

    shrinkage : float, default=20.0
        Positives that weigh as much as the map common to all labels; 0 for none. It is
        for a method of `LabelCalibrator` by name: an object has its own.

    n_jobs : int, default=None
        Folds fitted at the same time.

    random_state : int, RandomState instance or None, default=None
        Seed of the held-out fraction.

    pos_label : object, default=None
        The positive class of a binary target, whose log-odds the calibrator maps; None
        is the last of `classes_`. The order of `classes_` and of the columns of
        `predict_proba` stays.

    Attributes
    ----------
    estimators_ : list of classifier
        Those that predict: one, or one for each fold.

    calibrator_ : BaseCalibrator
        Fitted on out-of-fold scores.

    classes_ : ndarray of shape (2,) or (n_labels, 2)
        The classes, or ``[0, 1]`` for each label.

    pos_label_ : object
        The positive class; None for a label matrix.

    label_names_ : ndarray of str, shape (n_labels,)
        Where `y` is a data frame, or the names of a classifier that is fitted already.

    n_features_in_ : int
        Number of features, if the estimator has it.

    feature_names_in_ : ndarray of str, shape (n_features,)
        Their names, if the estimator has them.

    See Also
    --------
    LabelCalibrator : The calibrators.
    sklearn.calibration.CalibratedClassifierCV : For classes that exclude each other.

    References
    ----------
    .. [1] Platt, "Probabilistic Outputs for Support Vector Machines", 1999.
    .. [2] Niculescu-Mizil, Caruana, "Predicting Good Probabilities with Supervised
       Learning", ICML 2005.

    Examples
    --------
    >>> from sklearn.datasets import make_multilabel_classification
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from skimbalance.calibration import MultilabelCalibratedClassifierCV
    >>> X, Y = make_multilabel_classification(random_state=0)
    >>> model = MultilabelCalibratedClassifierCV(RandomForestClassifier(20), cv=3)
    >>> model.fit(X, Y).predict_proba(X).shape
    (100, 5)
    """

    _nested_checks: ClassVar = {"method": check_is_object}

    def __init__(
        self,
        estimator,
        *,
        method="sigmoid",
        cv=None,
        ensemble="auto",
        shrinkage=SHRINKAGE,
        n_jobs=None,
        random_state=None,
        pos_label=None,
    ):
        self.estimator = estimator
        self.method = method
        self.cv = cv
        self.ensemble = ensemble
        self.shrinkage = shrinkage
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.pos_label = pos_label

    def fit(self, X, y, sample_weight=None, **params) -> Self:
        """Fit the classifier and the calibrators.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.
        y : {array-like, sparse matrix} of shape (n_samples,) or (n_samples, n_labels)
            Two classes, or a label matrix.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, for the calibrators, and for the classifier unless it
            is fitted already. Whole numbers equal repeated rows; for the calibrators,
            weights of a mean below 1 are scaled to it.
        **params : dict
            For `fit` of the classifier, or routed by scikit-learn's metadata routing.

        Returns
        -------
        self : MultilabelCalibratedClassifierCV
            The fitted classifier.

        Raises
        ------
        ValueError
            If an option is not known, or the classifier has no scores.
        TypeError
            If `estimator` is not a classifier.
        """
        X, y, target, weight = self._check_input(X, y, sample_weight)
        calibrator = self._make_calibrator()
        check_choice("ensemble", str(self.ensemble), {"auto", "True", "False"})
        method = find_response(self.estimator, (DECISION, PROBA))
        routed = self._route(sample_weight, params)
        if self._keeps_folds():
            rows, scores, fitted = self._fit_folds(
                X, y, target, weight, method, routed, self.random_state
            )
            self.estimators_ = fitted
            self._set_target(target)
            self._set_features(fitted[0])
        else:
            rows, scores = self._held_out_scores(
                X, y, target, weight, method, routed, self.random_state
            )
            self.estimators_ = [self._fit_estimator(X, y, target, routed)]
        rows, scores = np.concatenate(rows), np.concatenate(scores)
        self._response_method = method
        labels = target.values[rows]
        observed = _observed(labels)
        # The score of an entry without a label must not limit the log-odds of others.
        known = scores if observed is None else scores[observed]
        self._log_odds = FiniteLogOdds.of_range(known, method == PROBA)
        log_odds = self._log_odds(scores)
        weight = _weights_of_repeats(take_weights(weight, rows), rows)
        # Not `fit`, which would scale the weights of repeats up to mean 1.
        self.calibrator_ = calibrator._fit_checked(labels, log_odds, weight)
        if self.calibrator_.matches_prevalence:
            self._match_prevalence(log_odds, labels, weight)
        return self

    def _make_calibrator(self):
        """Return the calibrator, with the shrinkage if it is one by name."""
        calibrator = resolve_calibrator(self.method)
        if self.method in MAPS:
            return calibrator.set_params(shrinkage=self.shrinkage)
        if self.shrinkage != SHRINKAGE:
            raise ValueError(
                f"shrinkage={self.shrinkage!r} is for a method of LabelCalibrator by "
                f"name, not for method={self.method!r}: set it on the object."
            )
        return calibrator

    def _match_prevalence(self, log_odds, labels, weight):
        """Make the out-of-fold probabilities of each label add up to its positives.

        The few positives of a rare label determine its prevalence, but neither a slope
        nor steps. A label of one value gets the constant that the nets predict for it.
        """
        positive, negative = count_labels(labels, weight)
        constant = (positive + 0.5) / (positive + negative + 1)
        varies = (positive > 0) & (negative > 0)
        prevalence = smoothed_prevalence(positive, negative)
        prevalence = np.where(varies, prevalence, constant)
        observed = _observed(labels)
        if observed is not None:  # the prevalence is that of the observed entries
            weight = observed * (1.0 if weight is None else as_columns(weight))
        self.calibrator_.match_prevalence(log_odds, prevalence, weight)

    def _keeps_folds(self):
        """Whether the classifiers of all folds predict."""
        if self._is_prefit():
            return False
        if self.ensemble == "auto":
            return not isinstance(self.estimator, FrozenEstimator)
        return bool(self.ensemble)

    def _label_probabilities(self, X):
        """Return the mean calibrated probability of each label."""
        check_is_fitted(self)
        total_proba: Any = 0.0
        for estimator in self.estimators_:
            scores = self._label_scores(estimator, X, self._response_method)
            log_odds = self._log_odds(scores)
            total_proba = total_proba + expit(self.calibrator_.transform(log_odds))
        return total_proba / len(self.estimators_)

    def predict(self, X):
        """Predict the labels whose calibrated probability is above 0.5.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        y : ndarray or sparse matrix of shape (n_samples,) or (n_samples, n_labels)
            In the form of the fitted `y`.
        """
        return self._as_target(self._label_probabilities(X) > 0.5)


def _weights_of_repeats(weight, rows):
    """Return weights in which a row that is held out several times weighs as one.

    Its scores are of several classifiers, and a map of their mean would not suit those
    of a single one.
    """
    times = np.bincount(rows)[rows]
    if (times == 1).all():
        return weight
    if weight is None or weight.ndim == 1:
        return weights_or_ones(weight, len(rows)) / times
    columns: Any = as_columns(weight)
    return columns / times[:, None]


def _observed(labels):
    """Return a mask of the entries that have a label; None where all have one."""
    return ~np.isnan(with_missing(labels)) if has_missing(labels) else None
