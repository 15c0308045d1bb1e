"""Ensembles of different classifiers of the same labels.

A net and a forest make different errors, so their combination ranks and predicts better
than either. The combination is learnt on scores of rows that did not train what scored
them, and an estimator that has such scores after its own fit is not fitted again.
"""

from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from scipy.optimize import minimize
from scipy.special import expit, log_softmax
from sklearn import get_config
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch, get_tags, indexable
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from skimbalance._base import warn_positive_class
from skimbalance._columns import one_in, ratio
from skimbalance._counts import MISSING, at_least_mean_1, count_labels
from skimbalance._labels import (
    BINARY,
    MULTICLASS,
    MULTILABEL,
    check_target,
    has_missing,
    with_missing,
)
from skimbalance._log_odds import prevalence_of_counts
from skimbalance._meta import (
    LabelMetaClassifier,
    LabelProbabilityMixin,
    check_classifier,
    check_takes_labels,
    make_folds,
    positive_class,
    split_rows,
    to_split,
)
from skimbalance._out_of_fold import (
    LabelwiseScorer,
    Task,
    fit_labelwise,
    fit_scorer,
)
from skimbalance._validation import (
    Composition,
    Search,
    align_columns,
    check_same_length,
    check_weights,
    clone,
    n_dimensions,
    n_samples_of,
    take_columns,
)
from skimbalance.calibration import PooledCalibrator, TemperatureCalibrator
from skimbalance.model_selection import MultilabelStratifiedGroupKFold
from skimbalance.neural_network import (
    ImbalancedMLPClassifier,
    ImbalancedNetClassifier,
)
from skimbalance.thresholds._rules import RuleParamsMixin, Uncorrected, resolve_rule
from skimbalance.thresholds._search import KnownLabels

__all__ = ["MultilabelStackingClassifier"]

# Entries that a weight of an estimator is fitted on: their number is small, and with
# 1 % positives this has 5,000 of them.
_MOST_ENTRIES = 2**19
# Candidates for the fraction of the way from the fitted to the equal weights. The loss
# is convex along it and flat near its minimum, so that few are enough.
_SHRINKAGES = np.linspace(0, 1, 5)


def _keeps_labels(estimator):
    """Whether an estimator is frozen, or the one that predicts inside it is."""
    if isinstance(estimator, Pipeline):
        return _keeps_labels(estimator.steps[-1][1])
    if isinstance(estimator, (LabelMetaClassifier, Search)):
        return _keeps_labels(getattr(estimator, "estimator", None))
    return isinstance(estimator, FrozenEstimator)


def _reads_missing_labels(estimator):
    """Whether an estimator takes labels and weights in every form."""
    if _keeps_labels(estimator):
        return True  # the frozen one reads none
    if isinstance(estimator, Pipeline):
        return _reads_missing_labels(estimator.steps[-1][1])
    inner = getattr(estimator, "estimator", None)
    if isinstance(estimator, LabelMetaClassifier) and inner is not None:
        return _reads_missing_labels(inner)
    nets = (ImbalancedMLPClassifier, ImbalancedNetClassifier)
    return isinstance(estimator, (*nets, MultilabelStackingClassifier))


# --------------------------------------------------------------------------
# Weights


@dataclass
class _Entries:
    """Scores, targets and weights of the entries that the weights are fitted on.

    `features` is (n_estimators, n_entries) log-odds with bool targets, or
    (n_estimators, n_entries, n_classes) log-probabilities with class indices. `part`
    is the number of the fold of each entry.
    """

    features: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    part: np.ndarray

    def where(self, chosen):
        """Return some of the entries."""
        return _Entries(
            self.features[:, chosen],
            self.target[chosen],
            self.weight[chosen],
            self.part[chosen],
        )

    def averaged(self):
        """Return the entries with the mean of the estimators as the only one."""
        return replace(self, features=self.features.mean(axis=0, keepdims=True))

    @property
    def n_intercepts(self):
        """1 for labels, the number of classes for classes."""
        return self.features.shape[2] if self.features.ndim == 3 else 1

    def loss(self, theta):
        """Return the summed log-loss of weights and intercepts, and its gradient."""
        n_weights = len(self.features)
        scores = np.tensordot(theta[:n_weights], self.features, 1) + theta[n_weights:]
        if self.features.ndim == 2:
            value = self.weight @ (np.logaddexp(0, scores) - self.target * scores)
            error = self.weight * (expit(scores) - self.target)
            return value, np.append(self.features @ error, error.sum())
        log_p = log_softmax(scores, axis=1)
        rows = np.arange(len(log_p))
        error = np.exp(log_p)
        error[rows, self.target] -= 1
        error *= self.weight[:, None]
        value = -self.weight @ log_p[rows, self.target]
        slopes = np.tensordot(self.features, error, 2)
        return value, np.concatenate([slopes, error.sum(axis=0)])

    def fit(self):
        """Return the weights, not negative, and the intercepts of least log-loss.

        A Gaussian prior as strong as one entry draws them to the plain mean, so that
        separable scores have a minimum.
        """
        n_weights = len(self.features)
        centre = np.zeros(n_weights + self.n_intercepts)
        centre[:n_weights] = 1 / n_weights
        unit = max(self.weight.sum(), np.finfo(float).tiny)

        def risk(theta):
            value, gradient = self.loss(theta)
            moved = theta - centre
            return (value + moved @ moved / 2) / unit, (gradient + moved) / unit

        # An estimator that is worse than chance on these rows gets 0, not a negative
        # weight, which would read the noise of a few of them.
        bounds = [(0, None)] * n_weights + [(None, None)] * self.n_intercepts
        # Near machine precision, so that equal data in another order agree.
        options = {"ftol": 1e-15, "gtol": 1e-10, "maxiter": 500}
        found = minimize(
            risk, centre, jac=True, method="L-BFGS-B", bounds=bounds, options=options
        )
        return found.x

    def fit_both(self):
        """Return fitted weights, and equal ones with one common slope."""
        n_weights = len(self.features)
        common = self.averaged().fit()
        equal = np.append(np.full(n_weights, common[0] / n_weights), common[1:])
        return self.fit(), equal


def _choose_shrinkage(entries):
    """Return how far to move the weights towards equal ones, by held-out log-loss.

    Each fold is judged by weights that the other folds give. Of equal ones the largest.
    """
    losses = np.zeros(len(_SHRINKAGES))
    for part in np.unique(entries.part):
        others, held_out = entries.part != part, entries.part == part
        if not others.any():
            return 1.0  # nothing to compare weights on
        fitted, equal = entries.where(others).fit_both()
        judged = entries.where(held_out)
        losses += [
            judged.loss(fitted + fraction * (equal - fitted))[0]
            for fraction in _SHRINKAGES
        ]
    # Losses that differ by rounding are equal.
    near = losses <= losses.min() + 1e-9 * abs(losses.min())
    return float(_SHRINKAGES[near].max())


# --------------------------------------------------------------------------
# The classifier


class _NamedEstimators(Composition):
    """Reach the estimators, and their parameters, by name."""

    def get_params(self, deep=True):
        """Get the parameters.

        Parameters
        ----------
        deep : bool, default=True
            With the estimators by name, and their parameters.

        Returns
        -------
        params : dict
            Values by name.
        """
        return self._get_params("estimators", deep=deep)

    def set_params(self, **params):
        """Set parameters.

        Parameters
        ----------
        **params : dict
            Values by name: of this object, an estimator, or ``name__parameter``.

        Returns
        -------
        self : estimator
            This object.
        """
        self._set_params("estimators", **params)
        return self


class MultilabelStackingClassifier(
    RuleParamsMixin, LabelProbabilityMixin, LabelMetaClassifier, _NamedEstimators
):
    """Combine different classifiers by weights on their log-odds, and calibrate.

    Each estimator is fitted on all rows. Its weight is learnt from scores of rows that
    did not train what scored them: those that it has after its own fit, in
    ``out_of_fold_log_odds_`` or out of bag in a forest with ``oob_score=True``, else
    those of clones fitted in folds. The weights are common to all labels, so the rarest
    label needs no positives of its own, and are drawn towards equal weights by a
    fraction that is chosen on held-out folds.

    Parameters
    ----------
    estimators : list of (str, classifier) tuples, default=None
        Classifiers of the target, with `predict_proba` or `decision_function`. None
        stands for a default net and 300 extremely randomised trees,
        ``[("net", ImbalancedMLPClassifier()), ("trees", ExtraTreesClassifier(300,
        bootstrap=True, oob_score=True))]``. ``"drop"`` in place of a classifier leaves
        it out. A `FrozenEstimator` stays as it is and scores all rows of `fit`, which
        must not be those that trained it.

    threshold : float, array-like of shape (n_labels,), dict, pandas Series, str or \
            rule object, default=0.5
        A label is predicted where its probability is greater; or a rule of
        `skimbalance.thresholds`, such as `FBeta`, or its name, which learns from the
        out-of-fold probabilities. For a multiclass target, the most probable class is
        predicted. A change takes effect in `fit`.

    cv : int, splitter or iterable, default=None
        None uses the scores that an estimator brings along, and five folds, stratified
        by label, for the others. Anything else are the folds for all of them.

    n_jobs : int, default=None
        Estimators fitted at the same time.

    random_state : int, RandomState instance or None, default=None
        Seed of the default estimators, and of a held-out fraction as `cv`.

    pos_label : object, default=None
        The positive class of a binary target; None is the last of `classes_`. The order
        of `classes_` and of the columns of `predict_proba` stays.

    Attributes
    ----------
    estimators_ : list of classifier
        The fitted estimators; a list of them, one for each label, where a classifier
        that reads no missing labels was given some. Empty where no label has both
        values.

    named_estimators_ : Bunch
        The same by name.

    weights_ : ndarray of float64, shape (n_estimators,)
        Weights of the estimators: ``fitted_weights_`` drawn towards ``equal_weights_``
        by `shrinkage_`.

    fitted_weights_, equal_weights_ : ndarray of float64, shape (n_estimators,)
        The weights of least log-loss, not negative, and equal ones of least log-loss.

    shrinkage_ : float
        0 where the weights are the fitted ones, 1 where they are equal.

    calibrator_ : PooledCalibrator or TemperatureCalibrator
        Maps the weighted log-odds, or the log-probabilities of a multiclass target, to
        calibrated ones.

    thresholds_ : ndarray of float64, shape (n_labels,), or None
        The threshold of each label; None for a multiclass target, and for the rules
        that compare the labels of a row, `TopK` and `Cardinality`.

    classes_ : ndarray of shape (n_classes,) or (n_labels, 2)
        The classes, or ``[0, 1]`` for each label.

    pos_label_ : object
        The positive class; None unless the target is binary.

    label_names_ : ndarray of str, shape (n_labels,)
        Where `y` is a data frame.

    n_features_in_ : int
        Number of features, if an estimator tells.

    feature_names_in_ : ndarray of str, shape (n_features,)
        Their names, if an estimator tells.

    See Also
    --------
    skimbalance.calibration.MultilabelCalibratedClassifierCV : For one classifier.
    sklearn.ensemble.StackingClassifier : For 1-D targets, without calibration.

    Notes
    -----
    A forest's probability `p` enters as ``(m p + prior) / (m + 1)``, `m` the number of
    trees that vote on the row, so a row without an out-of-bag tree has the base rate.
    For any other classifier of probabilities `m` is the number of rows of the label,
    so that probabilities of 0 and 1 have finite log-odds; those of a net are not moved.
    Labels with positives only, or negatives only, are given to no estimator: their
    probability is ``(y + .5) / (n + 1)``, with `y` positives among `n` rows.

    With `groups`, folds keep each group on one side, and out-of-bag scores are not
    used, as the trees draw rows and not groups.

    The calibration is one slope and one intercept for all labels; then the intercept
    of each label moves, first by a power of its base rate that is common to all, so
    that the sum `s` of its out-of-fold probabilities becomes
    ``s (y + 0.3) / (s + 0.3)``.

    References
    ----------
    .. [1] Wolpert, "Stacked Generalization", Neural Networks 1992.
    .. [2] Breiman, "Stacked Regressions", Machine Learning 1996: weights that are not
       negative.

    Examples
    --------
    >>> from sklearn.datasets import make_multilabel_classification
    >>> from sklearn.ensemble import ExtraTreesClassifier
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.multiclass import OneVsRestClassifier
    >>> from skimbalance.ensemble import MultilabelStackingClassifier
    >>> X, Y = make_multilabel_classification(random_state=0)
    >>> trees = ExtraTreesClassifier(
    ...     50, bootstrap=True, oob_score=True, random_state=0)
    >>> linear = OneVsRestClassifier(LogisticRegression())
    >>> model = MultilabelStackingClassifier([("linear", linear), ("trees", trees)])
    >>> model.fit(X, Y).predict_proba(X).shape
    (100, 5)
    >>> model.weights_.shape
    (2,)
    """

    _binary_or_multilabel_only = False
    calibrator_: Any

    def __init__(
        self,
        estimators=None,
        *,
        threshold=0.5,
        cv=None,
        n_jobs=None,
        random_state=None,
        pos_label=None,
    ):
        self.estimators = estimators
        self.threshold = threshold
        self.cv = cv
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.pos_label = pos_label

    def _named(self):
        """Return the names and the estimators that take part."""
        if self.estimators is None:
            net = ImbalancedMLPClassifier(random_state=self.random_state)
            trees = ExtraTreesClassifier(
                300, bootstrap=True, oob_score=True, random_state=self.random_state
            )
            return [("net", net), ("trees", trees)]
        return [(n, each) for n, each in self.estimators if not _is_dropped(each)]

    def _check_named(self):
        """Return the names and the estimators, or raise an error for what is none."""
        named = self.estimators
        pairs = isinstance(named, (list, tuple)) and all(
            isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in named
        )
        if named is not None and not pairs:
            raise ValueError(
                f"estimators={named!r} must be a list of (name, classifier) tuples, or "
                "None for a net and trees."
            )
        named = self._named()
        if not named:
            raise ValueError("estimators has no classifier: pass at least one.")
        self._validate_names([name for name, _ in named])
        for _, estimator in named:
            check_classifier(estimator)
        return named

    # ----------------------------------------------------------------------
    # Fitting

    def fit(self, X, y, sample_weight=None, *, groups=None, **params) -> Self:
        """Fit the estimators, their weights, the calibration and the thresholds.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.
        y : {array-like, sparse matrix} of shape (n_samples,) or (n_samples, n_labels)
            Classes, or a label matrix, where NaN is a missing label. A classifier that
            is none of the nets here is fitted for each label where labels are missing.
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
                default=None
            Weights of the rows or entries, for all estimators, the weights, the
            calibration and the thresholds. Whole numbers equal repeated rows; outside
            the estimators, weights of a mean below 1 are scaled to it.
        groups : array-like of shape (n_samples,), default=None
            Rows of one group are never on both sides of a split.
        **params : dict
            Routed by scikit-learn's metadata routing.

        Returns
        -------
        self : MultilabelStackingClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If an option makes no sense for the target, or an estimator has no scores or
            takes no weights.
        TypeError
            If one of `estimators` is not a classifier.
        """
        named = self._check_named()
        check_same_length(X=X, y=y, groups=groups)  # which names them
        X, y, groups = indexable(X, y, groups)
        target = check_target(y, pos_label=self.pos_label)
        n_labels = target.n_outputs if target.kind == MULTILABEL else None
        weight = check_weights(
            sample_weight, n_samples_of(X), n_labels, label_names=target.label_names
        )
        rule = self._check_rule(target, weight)
        routed = self._route_all(named, sample_weight, groups, params)
        self._set_target(target)
        scaled = at_least_mean_1(weight)  # the estimators get them as they were passed
        self._set_counts(target, scaled)
        fitted = self._fit_estimators(named, X, y, target, weight, groups, routed)
        is_scored, log_odds = self._fit_weights(*fitted, target, scaled)
        self._rule, self.thresholds_ = clone(rule), None
        if target.kind != MULTICLASS:
            source = self._threshold_source(target, scaled, is_scored, log_odds)
            self.thresholds_ = rule.thresholds(source)
        return self

    def _threshold_source(self, target, weight, is_scored, log_odds):
        """Return what a rule may ask: base rates, and out-of-fold probabilities."""
        labels = _dense(target.values)
        proba = np.tile(self._constant, (len(labels), 1))
        known = np.zeros(labels.shape, dtype=bool)
        proba[:, self._varies], known[:, self._varies] = expit(log_odds), is_scored
        held_out = np.where(known, labels, MISSING), proba, weight
        return KnownLabels(labels, weight, target.output_names, lambda: held_out)

    def _check_rule(self, target, weight):
        """Return the threshold rule of the parameter, which must suit the target."""
        rule = resolve_rule(self.threshold)
        rule.check(target.kind, target.n_outputs, target.output_names)
        if isinstance(rule, Uncorrected):
            raise ValueError(
                f"threshold={self.threshold!r} thresholds the raw scores of a single "
                "net, as its own parameter; an ensemble predicts by probabilities."
            )
        if target.kind == BINARY and rule.depends_on_pos_label:
            what = f"threshold={self.threshold!r}"
            counts = count_labels(target.values, weight)
            warn_positive_class(target, self.pos_label, what, counts)
        return rule

    def _route_all(self, named, sample_weight, groups, params):
        """Return what each estimator's `fit`, and the splitter, is given."""
        if get_config()["enable_metadata_routing"]:
            given = {"sample_weight": sample_weight, "groups": groups, **params}
            return process_routing(self, "fit", **given)
        if params:
            raise ValueError(
                f"fit takes no {', '.join(map(repr, params))}. Turn scikit-learn's "
                "metadata routing on to pass it to the estimators that request it."
            )
        routed = Bunch(splitter=Bunch(split={}))
        for name, estimator in named:
            routed[name] = Bunch(fit={})
            if groups is not None and has_fit_parameter(estimator, "groups"):
                routed[name].fit["groups"] = groups
            if sample_weight is None or isinstance(estimator, FrozenEstimator):
                continue  # a frozen estimator is not fitted
            if not has_fit_parameter(estimator, "sample_weight"):
                raise ValueError(
                    f"{type(estimator).__name__}.fit takes no sample_weight. Turn "
                    "scikit-learn's metadata routing on to choose who gets it."
                )
            routed[name].fit["sample_weight"] = sample_weight
        return routed

    def _make_splits(self, X, y, target, weight, groups, routed):
        """Return the rows of each fold; with groups, no group is in two folds."""
        y, cv = to_split(y, target), self.cv
        params = dict(routed.splitter.split)
        if groups is not None:
            params["groups"] = groups
        if groups is not None and (cv is None or isinstance(cv, Integral)):
            # Fewer groups than folds would be an error of the splitter.
            n_splits = min(5 if cv is None else int(cv), len(np.unique(groups)))
            one_label = n_dimensions(y) == 1
            make = StratifiedGroupKFold if one_label else MultilabelStratifiedGroupKFold
            folds = make(n_splits)
        else:
            folds: Any = make_folds(cv, y, self.random_state)
        return split_rows(folds, X, y, weight, params)

    def _set_counts(self, target, weight):
        """Set base rates, and the labels of one value with their probability."""
        if target.kind == MULTICLASS:
            positive = np.bincount(target.values, weight, len(target.classes))
            self._mass = np.full(len(positive), float(positive.sum()))
            self._varies = np.ones(len(positive), dtype=bool)
        else:
            positive, negative = count_labels(target.values, weight)
            self._mass = positive + negative
            self._varies = (positive > 0) & (negative > 0)
        self._prior = ratio(positive, self._mass, undefined=0.5)
        # As the nets predict a label of one value.
        self._constant = (positive + 0.5) / (self._mass + 1)

    def _fit_estimators(self, named, X, y, target, weight, groups, routed):
        """Fit the estimators; return the out-of-fold log-odds of each."""
        self._scorers = []
        if not self._varies.any():
            self.estimators_, self.named_estimators_ = [], Bunch()
            self._set_features(None)
            self.n_features_in_ = np.shape(X)[1]  # which no estimator could tell
            return [], []
        splits = self._make_splits(X, y, target, weight, groups, routed)
        tasks = [
            self._task(each, X, y, target, weight, splits, groups) for _, each in named
        ]
        jobs = [
            delayed(fit)(
                each, task, *more, self._fit_params(each, routed[name].fit, weight)
            )
            for (name, each), (fit, task, *more) in zip(named, tasks, strict=True)
        ]
        found = Parallel(n_jobs=self.n_jobs)(jobs)
        self._scorers, scores = map(list, zip(*found, strict=True))
        self.estimators_ = [
            scorer.estimators
            if isinstance(scorer, LabelwiseScorer)
            else scorer.estimator
            for scorer in self._scorers
        ]
        names = [name for name, _ in named]
        fitted = dict(zip(names, self.estimators_, strict=True))
        self.named_estimators_ = Bunch(**fitted)
        first = self.estimators_[0]
        self._set_features(first[0] if isinstance(first, list) else first)
        return scores, splits

    def _task(self, estimator, X, y, target, weight, splits, groups):
        """Return the function that fits an estimator, and what it needs to know.

        Nets get `y` as it is, others a dense matrix without missing labels, or one
        label after another.
        """
        own_groups = groups is None or has_fit_parameter(estimator, "groups")
        task = Task(
            X,
            y,
            splits,
            prior=self._prior[self._varies],
            mass=self._mass[self._varies],
            positive=positive_class(target),
            classes=target.classes if target.kind == MULTICLASS else None,
            uses_own=self.cv is None and own_groups,
        )
        if target.kind != MULTILABEL:
            return fit_scorer, task
        columns = np.flatnonzero(self._varies)
        if _keeps_labels(estimator):
            # It gives scores of all labels that it was fitted on, whatever `y` is.
            task = replace(task, n_labels=len(self._varies), columns=columns)
            return fit_scorer, task
        if _reads_missing_labels(estimator):
            y = _some_columns(y, columns, len(self._varies))
            return fit_scorer, replace(task, y=y, n_labels=len(columns))
        labels = _dense(target.values)[:, columns]
        # scikit-learn's classifiers of a label matrix need all labels of a row, with
        # one weight.
        if has_missing(labels) or (weight is not None and weight.ndim == 2):
            per_entry = None
            if weight is not None and weight.ndim == 2:
                per_entry = _dense(weight)[:, columns]
            return fit_labelwise, task, labels, per_entry
        labels = labels.astype(np.int64)
        if len(columns) == 1:  # which scikit-learn takes as classes
            return fit_scorer, replace(task, y=labels[:, 0], positive=1)
        check_takes_labels(estimator)
        return fit_scorer, replace(task, y=labels, n_labels=len(columns))

    def _fit_params(self, estimator, params, weight):
        """Return parameters of `fit` of an estimator of the labels that vary."""
        if weight is None or weight.ndim != 2 or "sample_weight" not in params:
            return params
        params = dict(params)
        given = params.pop("sample_weight")
        if _reads_missing_labels(estimator):
            # Some columns of a frame without names are no longer numbered from 0.
            given = align_columns(given, self._target.label_names, "sample_weight")
            given = given if sp.issparse(given) else np.asarray(given)
            if not _keeps_labels(estimator):
                columns = np.flatnonzero(self._varies)
                given = _some_columns(given, columns, len(self._varies))
            params["sample_weight"] = given
        return params

    # ----------------------------------------------------------------------
    # Weights and calibration

    def _fit_weights(self, scores, splits, target, weight):
        """Fit weights and calibrator on out-of-fold log-odds, which are returned.

        Returns
        -------
        is_scored : ndarray of bool, shape (n_samples, n_labels) or (n_samples,)
        log_odds : ndarray of float64, shape (n_samples, n_labels or n_classes)
            Calibrated.
        """
        if not scores:
            empty = np.empty((n_samples_of(target.values), 0))
            self.weights_ = self.fitted_weights_ = self.equal_weights_ = np.empty(0)
            self.shrinkage_, self.calibrator_ = 1.0, None
            return empty > 0, empty
        features: Any = np.array(scores)
        is_scored = np.isfinite(features).all(axis=0)
        if target.kind == MULTICLASS:
            is_scored, labels = is_scored.all(axis=1), target.values
            observed = is_scored
        else:
            labels = _dense(target.values)[:, self._varies]
            observed = is_scored & (labels != MISSING)
        mass = self._entry_weights(weight, observed)
        observed = mass > 0
        part = np.full(len(observed), -1)
        for number, (_, test) in enumerate(splits):
            part[test] = number
        # Some rows, for weights and slope only; intercepts read all rows.
        some = one_in(-(-features[0].size // _MOST_ENTRIES), len(observed))
        chosen = observed[some]
        parts = np.broadcast_to(_as_column(part, observed), observed.shape)
        entries = _Entries(
            features[:, some][:, chosen],
            labels[some][chosen] * 1,
            mass[some][chosen],
            parts[some][chosen],
        )
        self._set_weights(entries)
        # Rows without a score count for nothing, but NaN times 0 would be NaN.
        combined = np.tensordot(self.weights_, np.nan_to_num(features), 1)
        if target.kind == MULTICLASS:
            self._calibrate_classes(
                combined[observed], labels[observed], mass[observed]
            )
        else:
            self._calibrate_labels(combined, labels, mass, some)
        return is_scored, self.calibrator_.transform(combined)

    def _entry_weights(self, weight, observed):
        """Return the weights of labels that vary, or rows: 0 where not observed."""
        if weight is None:
            return observed.astype(np.float64)
        if weight.ndim == 2:
            return _dense(weight)[:, self._varies] * observed
        return _as_column(weight, observed) * observed

    def _set_weights(self, entries):
        """Set the weights: fitted, equal, and between them."""
        fitted, equal = entries.fit_both()
        self.shrinkage_ = _choose_shrinkage(entries)
        n_weights = len(entries.features)
        self.fitted_weights_ = fitted[:n_weights]
        self.equal_weights_ = equal[:n_weights]
        moved = self.shrinkage_ * (self.equal_weights_ - self.fitted_weights_)
        self.weights_ = self.fitted_weights_ + moved

    def _calibrate_labels(self, log_odds, labels, mass, some):
        """Fit one slope and intercept, then meet the count of each label, if shrunk."""
        seen = np.where(mass[some] > 0, labels[some], MISSING)
        self.calibrator_ = PooledCalibrator()
        self.calibrator_.fit(log_odds[some], with_missing(seen), mass[some])
        proba = expit(self.calibrator_.transform(log_odds))
        expected, positive = (mass * proba).sum(axis=0), (mass * (labels == 1)).sum(0)
        rate = prevalence_of_counts(positive, expected, mass.sum(axis=0))
        self.calibrator_.match_prevalence(log_odds, rate, mass)

    def _calibrate_classes(self, log_proba, index, weight):
        """Fit one temperature, then meet the count of each class, if shrunk."""
        self.calibrator_ = TemperatureCalibrator().fit(log_proba, index, weight)
        expected = weight @ np.exp(self.calibrator_.transform(log_proba))
        positive = np.bincount(index, weight, len(expected))
        mass = np.full(len(expected), weight.sum())
        rate = prevalence_of_counts(positive, expected, mass)
        self.calibrator_.match_prevalence(log_proba, rate / rate.sum(), weight)

    # ----------------------------------------------------------------------
    # Predictions

    def _label_probabilities(self, X):
        """Return the probability of each label, or of each class of many."""
        check_is_fitted(self)
        if not self._scorers:
            return np.tile(self._constant, (n_samples_of(X), 1))
        scores = np.array([scorer.log_odds(X) for scorer in self._scorers])
        scores = self.calibrator_.transform(np.tensordot(self.weights_, scores, 1))
        if self._target.kind == MULTICLASS:
            return np.exp(scores)
        proba = np.tile(self._constant, (len(scores), 1))
        proba[:, self._varies] = expit(scores)
        return proba

    def predict(self, X) -> Any:
        """Predict by the thresholds, or the most probable of many classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        y : ndarray or sparse matrix of shape (n_samples,) or (n_samples, n_labels)
            In the form of the fitted `y`.
        """
        proba = self._label_probabilities(X)
        if self._target.kind == MULTICLASS:
            return self.classes_[proba.argmax(axis=1)]
        return self._as_target(self._rule.predict(proba, self.thresholds_))

    # ----------------------------------------------------------------------
    # scikit-learn

    def get_metadata_routing(self):
        """Tell where the parameters of `fit` go.

        Returns
        -------
        routing : MetadataRouter
            To the estimators, and to the splitter.
        """
        router = MetadataRouter(owner=self).add_self_request(self)
        for name, estimator in self._named():
            router.add(
                method_mapping=MethodMapping().add(caller="fit", callee="fit"),
                **{name: estimator},
            )
        return router.add(
            splitter=self.cv,
            method_mapping=MethodMapping().add(caller="fit", callee="split"),
        )

    def __sklearn_tags__(self):
        # LabelMetaClassifier reads those of one `estimator`.
        tags = super(LabelMetaClassifier, self).__sklearn_tags__()
        inner = [get_tags(estimator) for _, estimator in self._named()]
        tags.input_tags.sparse = all(each.input_tags.sparse for each in inner)
        tags.input_tags.allow_nan = all(each.input_tags.allow_nan for each in inner)
        tags.classifier_tags.multi_label = all(
            each.classifier_tags is None or each.classifier_tags.multi_label
            for each in inner
        )
        return tags


def _is_dropped(estimator):
    return isinstance(estimator, str) and estimator == "drop"


def _dense(matrix):
    """Return labels or weights of any form as an array."""
    return matrix if isinstance(matrix, np.ndarray) else matrix.toarray()


def _some_columns(matrix, columns, n_columns):
    """Return some columns of labels or weights in the container that they came in."""
    if len(columns) == n_columns:
        return matrix
    return take_columns(matrix, columns)


def _as_column(values, like):
    """Return a number for each row with as many dimensions as another array."""
    return values if like.ndim == 1 else values[:, None]
