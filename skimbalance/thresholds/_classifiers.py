"""Classifiers that predict by thresholds on the scores of another classifier."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skimbalance._base import (
    DECISION,
    PROBA,
    find_response,
    label_places,
    warn_positive_class,
)
from skimbalance._counts import (
    count_labels,
    have_both_values,
    take_weights,
)
from skimbalance._labels import (
    BINARY,
    MULTILABEL,
)
from skimbalance._meta import LabelMetaClassifier, with_positive
from skimbalance._validation import (
    align_weights,
    check_choice,
    check_probabilities,
)
from skimbalance.thresholds._metrics import find_pos_label
from skimbalance.thresholds._rules import (
    RuleParamsMixin,
    resolve_rule,
)
from skimbalance.thresholds._search import (
    KnownLabels,
    check_labels,
    check_search,
    search,
    warn_constant_scores,
)


def _inner_has(method):
    """Return a condition for `available_if`: the wrapped classifier has a method."""

    def condition(self):
        inner = getattr(self, "estimator_", self.estimator)
        getattr(inner, method)  # its AttributeError names what is missing
        return True

    return condition


class _ThresholdedClassifier(LabelMetaClassifier):
    """Base: pass the scores of the wrapped classifier on; only predictions differ."""

    estimator_: Any

    def _scores(self, X, method):
        check_is_fitted(self)
        return self._label_scores(self.estimator_, X, method)

    def _class_places(self):
        """Return the places of `classes_` among those of the wrapped classifier.

        None where they are in place: it may keep another order than the sorted one.
        """
        own, known = (
            np.ravel(getattr(model, "classes_", [])).tolist()
            for model in (self, self.estimator_)
        )
        is_moved = own != known and len(own) == len(known) and set(own) == set(known)
        return [known.index(label) for label in own] if is_moved else None

    @available_if(_inner_has("predict_proba"))
    def predict_proba(self, X):
        """Return the probabilities of the wrapped classifier.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_labels) or (n_samples, n_classes)
            That each label is 1, or of each class of a 1-D target.
        """
        check_is_fitted(self)
        if self._target.kind == MULTILABEL:
            return self._scores(X, PROBA)
        proba, places = self.estimator_.predict_proba(X), self._class_places()
        return proba if places is None else np.asarray(proba)[:, places]

    @available_if(_inner_has("predict_proba"))
    def predict_log_proba(self, X):
        """Return the logarithms of the probabilities of the wrapped classifier.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        log_proba : ndarray of shape (n_samples, n_labels) or (n_samples, n_classes)
            The logarithm of the probability of each label, or class of a 1-D target.
        """
        # A probability of 0 is minus infinity here, without a warning, as in
        # scikit-learn.
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    @available_if(_inner_has("decision_function"))
    def decision_function(self, X):
        """Return the scores of the wrapped classifier.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        scores : ndarray of shape (n_samples, n_labels) or (n_samples,)
            As the classifier gives them, in the order of the labels of `fit`.
        """
        check_is_fitted(self)
        scores = self.estimator_.decision_function(X)
        if self._target.kind == MULTILABEL:
            places = label_places(self.estimator_, self._target.label_names)
        else:
            places = self._class_places()
        if places is None:
            return scores
        # One column is the score of the last of two classes, here of the first.
        return -scores if np.ndim(scores) == 1 else scores[:, places]


def _known_of(rows, target, weight, scores):
    """Return labels and weights of held-out rows; warn of constant scores of a fold."""
    labels, weight = target.values[rows], take_weights(weight, rows)
    warn_constant_scores(scores, have_both_values(labels, weight))
    return labels, weight


def _means_of_repeats(parts, scores):
    """Return the held-out rows, each once, and the mean of the scores of each.

    A row that is held out several times would count as several positives, and as
    independent evidence under a constraint.
    """
    rows = np.concatenate(parts)
    # A copy of one part would double the memory of the scores.
    scores = scores[0] if len(scores) == 1 else np.concatenate(scores)
    once, times = np.unique(rows, return_counts=True)
    if len(once) == len(rows):
        return rows, scores
    order, starts = np.argsort(rows, kind="stable"), np.cumsum(times) - times
    return once, np.add.reduceat(scores[order], starts, axis=0) / times[:, None]


class MultilabelFixedThresholdClassifier(RuleParamsMixin, _ThresholdedClassifier):
    """Predict by given thresholds, or by a rule that needs no search.

    Parameters
    ----------
    estimator : classifier
        With `predict_proba`, of a label matrix or of two classes.

    threshold : float, array-like of shape (n_labels,), dict, pandas Series, str or \
            rule object, default=0.5
        A label is predicted where its probability is greater; a dict or a Series has
        the threshold of each label by its name, or that of the positive class of a
        binary target. A rule is an object such as ``FBeta(beta=2)``, whose parameters
        are searched as ``threshold__beta``, or its name, such as ``"f_beta"``, which
        stands for the default parameters. The rules are those of
        `skimbalance.thresholds`; the user guide compares them. Those that learn
        thresholds read out-of-fold probabilities. A change takes effect in `fit`; the
        parameter of a net does in `predict`.

    cv : int, float, splitter, iterable or "prefit", default=5
        The folds of the out-of-fold probabilities, stratified by label. A fraction
        holds out one part; ``"prefit"`` takes the estimator as it is, and the rows
        passed to `fit`, which must not be those that trained it. A row that is held out
        several times counts once, with the mean of its probabilities.

    n_jobs : int, default=None
        Folds fitted at the same time.

    random_state : int, RandomState instance or None, default=None
        Seed of the held-out fraction.

    pos_label : object, default=None
        The positive class of a binary target, which thresholds, rules and costs are
        about; None is the last of `classes_`. It changes neither the order of
        `classes_` nor that of the columns of `predict_proba`.

    Attributes
    ----------
    estimator_ : classifier
        Fitted on all rows.

    thresholds_ : ndarray of float64, shape (n_labels,), or None
        On the probabilities; for a binary target, on that of `pos_label_`. None for the
        rules that compare the labels of a row, `TopK` and `Cardinality`. Labels that
        had one value only are thresholded at 0.5 by `Prior`, and by the rules that read
        probabilities, these with one warning.

    pos_label_ : object
        The positive class; None for a label matrix.

    classes_ : ndarray of shape (2,) or (n_labels, 2)
        The classes, or ``[0, 1]`` for each label.

    label_names_ : ndarray of str, shape (n_labels,)
        Where `y` is a data frame, or the names of a classifier that is fitted already.

    n_features_in_ : int
        Number of features, if `estimator_` has the attribute.

    feature_names_in_ : ndarray of str, shape (n_features,)
        Their names, if `estimator_` has the attribute.

    See Also
    --------
    MultilabelTunedThresholdClassifierCV : Thresholds found by search.
    sklearn.model_selection.FixedThresholdClassifier : For one label.

    References
    ----------
    .. [1] Elkan, "The Foundations of Cost-Sensitive Learning", IJCAI 2001.
    .. [2] Lipton, Elkan, Naryanaswamy, "Optimal Thresholding of Classifiers to Maximize
       F1 Measure", ECML PKDD 2014.

    Examples
    --------
    >>> from sklearn.datasets import make_multilabel_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.multiclass import OneVsRestClassifier
    >>> from skimbalance.thresholds import MultilabelFixedThresholdClassifier
    >>> X, Y = make_multilabel_classification(random_state=0)
    >>> model = MultilabelFixedThresholdClassifier(
    ...     OneVsRestClassifier(LogisticRegression()), threshold="f_beta")
    >>> model.fit(X, Y).predict(X).shape
    (100, 5)
    """

    def __init__(
        self,
        estimator,
        *,
        threshold=0.5,
        cv=5,
        n_jobs=None,
        random_state=None,
        pos_label=None,
    ):
        self.estimator = estimator
        self.threshold = threshold
        self.cv = cv
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.pos_label = pos_label

    def fit(self, X, y, sample_weight=None, **params):
        """Fit the classifier and find the thresholds.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.
        y : {array-like, sparse matrix} of shape (n_samples,) or (n_samples, n_labels)
            Two classes, or a label matrix.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, for the thresholds, and for the classifier unless it is
            fitted already.
        **params : dict
            For `fit` of the classifier, or routed by scikit-learn's metadata routing.

        Returns
        -------
        self : MultilabelFixedThresholdClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If an option makes no sense for the target, or the classifier has no
            `predict_proba`.
        TypeError
            If `estimator` is not a classifier.
        """
        X, y, target, weight = self._check_input(X, y, sample_weight)
        rule = resolve_rule(self.threshold)
        names = target.output_names
        rule.check(target.kind, target.n_outputs, names)
        find_response(self.estimator, (PROBA,), f"threshold={self.threshold!r}")
        if rule.depends_on_pos_label:
            what = f"threshold={self.threshold!r}"
            counts = count_labels(target.values, weight)
            warn_positive_class(target, self.pos_label, what, counts)
        routed = self._route(sample_weight, params)
        held_out = partial(self._out_of_fold, X, y, target, weight, routed)
        source = KnownLabels(target.values, weight, names, held_out)
        # All that may fail comes first: an estimator that is fitted stays as it was.
        thresholds = rule.thresholds(source)
        self.estimator_ = self._fit_estimator(X, y, target, routed)
        # A copy, as `predict` must not change with a later `set_params`.
        self.thresholds_ = thresholds
        self._fitted_rule: Any = clone(rule)
        return self

    def _out_of_fold(self, X, y, target, weight, routed):
        """Return labels, out-of-fold probabilities and weights of the same rows."""
        parts, scores = self._held_out_scores(
            X, y, target, weight, PROBA, routed, self.random_state
        )
        name = type(self.estimator).__name__
        rows, means = _means_of_repeats(parts, scores)
        proba = check_probabilities(means, f"{name}'s proba")
        labels, weight = _known_of(rows, target, weight, scores)
        return labels, proba, weight

    def predict(self, X):
        """Predict by the thresholds, or by the rule.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        y : ndarray or sparse matrix of shape (n_samples,) or (n_samples, n_labels)
            In the form of the fitted `y`.
        """
        proba = self._scores(X, PROBA)
        return self._as_target(self._fitted_rule.predict(proba, self.thresholds_))


class MultilabelTunedThresholdClassifierCV(_ThresholdedClassifier):
    """Predict by thresholds that are best on out-of-fold scores.

    Parameters
    ----------
    estimator : classifier
        A classifier of a label matrix or of two classes, with `predict_proba` or
        `decision_function`.

    scoring : str or callable, default="f1"
        What to maximise, as in `tune_thresholds`. For a binary target, a scorer of
        scikit-learn gets the classes as they were passed, and uses its own `pos_label`;
        a callable ``metric(y_true, y_pred)`` gets 1 for the positive class.

    average : {"macro", "micro", "samples"}, default="macro"
        The metric of each label; of all entries together; the mean over rows.

    response_method : {"auto", "decision_function", "predict_proba"}, default="auto"
        What is thresholded; ``"auto"`` prefers `predict_proba`.

    cv : int, float, splitter, iterable or "prefit", default=None
        The folds of the out-of-fold scores, which are pooled; None stands for 5, which
        are stratified by label. A fraction holds out one part; ``"prefit"`` takes the
        estimator as it is, and the rows passed to `fit`, which must not be those that
        trained it. A row that is held out several times, by repeated folds, counts
        once, with the mean of its scores.

    shrinkage : float, default=20.0
        Positives that weigh as much as the plug-in threshold; 0 for none. See
        `tune_thresholds`.

    constraint : tuple of str and float, default=None
        ``("recall", 0.9)`` or ``("precision", 0.9)``, as in `tune_thresholds`.

    refit : bool, default=True
        Fit on all rows after the search. False keeps the classifier of the only split,
        and is needed with ``cv="prefit"``.

    store_cv_results : bool, default=False
        Keep the values of the metric at all thresholds in `cv_results_`.

    n_jobs : int, default=None
        Folds fitted at the same time.

    random_state : int, RandomState instance or None, default=None
        Seed of the held-out fraction.

    pos_label : object, default=None
        The positive class of a binary target, which thresholds and metric are about;
        None is that of the scorer, or else the last of `classes_`. It changes neither
        the order of `classes_` nor that of the columns of `predict_proba`.

    Attributes
    ----------
    estimator_ : classifier
        The fitted classifier that predicts.

    thresholds_ : ndarray of float64, shape (n_labels,)
        A label is predicted where its score is greater. For a binary target, the score
        is that of `pos_label_`; the sign of `decision_function` is changed if that is
        the first of `classes_`.

    best_scores_ : ndarray of float64 of shape (n_labels,), or float
        The out-of-fold metric at `thresholds_`: of each label under ``"macro"``, else
        of all together. A metric of the rows that chose the thresholds, so optimistic.
        Under a constraint, the one of precision and recall that is not constrained.

    cv_results_ : dict
        ``"thresholds"`` and ``"scores"``: for each label (one entry for ``"micro"`` and
        ``"samples"``) the values of the metric when the threshold is just below each of
        some scores. Only with `store_cv_results`.

    pos_label_ : object
        The positive class; None for a label matrix.

    classes_ : ndarray of shape (2,) or (n_labels, 2)
        The classes, or ``[0, 1]`` for each label.

    label_names_ : ndarray of str, shape (n_labels,)
        Where `y` is a data frame, or the names of a classifier that is fitted already.

    n_features_in_ : int
        Number of features, if `estimator_` has the attribute.

    feature_names_in_ : ndarray of str, shape (n_features,)
        Their names, if `estimator_` has the attribute.

    See Also
    --------
    tune_thresholds : The search itself.
    MultilabelFixedThresholdClassifier : Rules that need no search.
    sklearn.model_selection.TunedThresholdClassifierCV : For one label.

    References
    ----------
    .. [1] Fan, Lin, "A Study on Threshold Selection for Multi-label Classification",
       2007.

    Examples
    --------
    >>> from sklearn.datasets import make_multilabel_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.multiclass import OneVsRestClassifier
    >>> from skimbalance.thresholds import MultilabelTunedThresholdClassifierCV
    >>> X, Y = make_multilabel_classification(random_state=0)
    >>> model = MultilabelTunedThresholdClassifierCV(
    ...     OneVsRestClassifier(LogisticRegression())).fit(X, Y)
    >>> model.thresholds_.shape
    (5,)
    """

    def __init__(
        self,
        estimator,
        *,
        scoring="f1",
        average="macro",
        response_method="auto",
        cv=None,
        shrinkage=20.0,
        constraint=None,
        refit=True,
        store_cv_results=False,
        n_jobs=None,
        random_state=None,
        pos_label=None,
    ):
        self.estimator = estimator
        self.scoring = scoring
        self.average = average
        self.response_method = response_method
        self.cv = cv
        self.shrinkage = shrinkage
        self.constraint = constraint
        self.refit = refit
        self.store_cv_results = store_cv_results
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.pos_label = pos_label

    def fit(self, X, y, sample_weight=None, **params):
        """Find the thresholds on out-of-fold scores, and fit the classifier.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.
        y : {array-like, sparse matrix} of shape (n_samples,) or (n_samples, n_labels)
            Two classes, or a label matrix.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, for the thresholds, and for the classifier unless it is
            fitted already. Whole numbers equal repeated rows; for the thresholds,
            weights of a mean below 1 are scaled to it.
        **params : dict
            For `fit` of the classifier, or routed by scikit-learn's metadata routing.

        Returns
        -------
        self : MultilabelTunedThresholdClassifierCV
            The fitted classifier.

        Raises
        ------
        ValueError
            If an option makes no sense, the metric does not depend on the threshold,
            the `pos_label` of a scorer is another one, or the classifier has no scores.
        TypeError
            If `estimator` is not a classifier.
        """
        X, y, target, weight = self._check_input(X, y, sample_weight)
        pos_label = self._known_pos_label()
        target = with_positive(target, pos_label)
        options: dict[str, Any] = {
            "average": self.average,
            "shrinkage": self.shrinkage,
            "constraint": self.constraint,
        }
        metric = check_search(
            self.scoring,
            **options,
            target=target,
            n_labels=target.n_outputs,
            is_weighted=weight is not None,
        )
        check_labels(metric, self.average, target.values, weight)
        if metric.depends_on_pos_label:
            name = "scoring" if self.constraint is None else "constraint"
            what = f"{name}={getattr(self, name)!r}"
            counts = count_labels(target.values, weight)
            warn_positive_class(target, pos_label, what, counts)
        method = self._find_response()
        self._check_refit()
        # The checks end here; what follows fits classifiers.
        routed = self._route(sample_weight, params)
        parts, scores = self._tuning_scores(X, y, target, weight, method, routed)
        rows, means = _means_of_repeats(parts, scores)
        labels, weight = _known_of(rows, target, weight, scores)
        found = search(metric, labels, means, weight, **options)
        if self.refit or self._is_prefit():
            self.estimator_ = self._fit_estimator(X, y, target, routed)
        self._response_method = method
        self.thresholds_, self.best_scores_ = found.thresholds, found.scores
        vars(self).pop("cv_results_", None)
        if self.store_cv_results:
            self.cv_results_ = {
                "thresholds": [curve.levels for curve in found.curves],
                # The last value belongs to a threshold above all scores.
                "scores": [curve.values[:-1] for curve in found.curves],
            }
        return self

    def _known_pos_label(self):
        """Return the class that is positive to the wrapper, or to its scorer."""
        if self.constraint is not None:
            return self.pos_label  # the constraint replaces the scorer
        return find_pos_label(self.scoring, self.pos_label)

    def _find_response(self):
        """Return the method whose scores are thresholded."""
        methods = {
            "auto": (PROBA, DECISION),
            PROBA: (PROBA,),
            DECISION: (DECISION,),
        }
        check_choice("response_method", self.response_method, methods)
        return find_response(self.estimator, methods[self.response_method])

    def _check_refit(self):
        if self._is_prefit() and self.refit:
            raise ValueError("When cv='prefit', refit cannot be True: set refit=False.")

    def _tuning_scores(self, X, y, target, weight, method, routed):
        """Return out-of-fold scores; without refit keep the classifier behind them."""
        if self.refit or self._is_prefit():
            return self._held_out_scores(
                X, y, target, weight, method, routed, self.random_state
            )
        rows, scores, fitted = self._fit_folds(
            X, y, target, weight, method, routed, self.random_state
        )
        # Several classifiers: none of them is the one that predicts.
        if len(fitted) > 1:
            raise ValueError("When cv has several folds, refit cannot be False.")
        self.estimator_ = fitted[0]
        self._set_target(target)
        self._set_features(fitted[0])
        return rows, scores

    def predict(self, X):
        """Predict by the thresholds.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        y : ndarray or sparse matrix of shape (n_samples,) or (n_samples, n_labels)
            In the form of the fitted `y`.
        """
        check_is_fitted(self)
        return self._as_target(
            self._scores(X, self._response_method) > self.thresholds_
        )


class MinimumExpectedCostClassifier(_ThresholdedClassifier):
    """Predict the class of least expected cost.

    For a row with the class probabilities p it predicts ``argmin_j sum_y p_y C[y, j]``.
    The probabilities must be calibrated for the rows that are predicted: those of a
    forest by `sklearn.calibration.CalibratedClassifierCV`. The costs come in here, so
    train without `class_weight`, unless it states the population; it would weigh the
    classes a second time, without a warning.

    Parameters
    ----------
    estimator : classifier
        With `predict_proba`, of two or more classes.

    cost_matrix : {array-like, data frame} of shape (n_classes, n_classes), default=None
        ``cost_matrix[y, j]`` is what it costs to predict class j where class y is true,
        in the order of `classes_`, or, with `pos_label`, the other class first. A frame
        whose index and columns are the classes is read by these names. None: every
        error costs 1, so that the most probable class is predicted.

    pos_label : object, default=None
        The positive class of a binary target, which stands last in a `cost_matrix`
        without names; None is the last of `classes_`. The order of `classes_` stays.

    Attributes
    ----------
    estimator_ : classifier
        The fitted classifier. To keep one that is fitted already, wrap it in
        `sklearn.frozen.FrozenEstimator`.

    classes_ : ndarray of shape (n_classes,)
        The classes.

    pos_label_ : object
        The positive class of a binary target, else None.

    n_features_in_ : int
        Number of features, if `estimator_` has the attribute.

    feature_names_in_ : ndarray of str, shape (n_features,)
        Their names, if `estimator_` has the attribute.

    See Also
    --------
    MultilabelFixedThresholdClassifier : Costs of the errors of each label.

    References
    ----------
    .. [1] Elkan, "The Foundations of Cost-Sensitive Learning", IJCAI 2001.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skimbalance.thresholds import MinimumExpectedCostClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> cost_matrix = [[0, 1, 1], [1, 0, 1], [100, 100, 0]]  # never miss class 2
    >>> model = MinimumExpectedCostClassifier(LogisticRegression(max_iter=500),
    ...                                       cost_matrix).fit(X, y)
    >>> bool((model.predict(X[y == 2]) == 2).all())
    True
    """

    _binary_or_multilabel_only = False

    def __init__(self, estimator: Any, cost_matrix=None, *, pos_label=None):
        self.estimator = estimator
        self.cost_matrix = cost_matrix
        self.pos_label = pos_label

    def fit(self, X, y, sample_weight=None, **params):
        """Fit the classifier.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.
        y : array-like of shape (n_samples,)
            Classes.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        **params : dict
            For `fit` of the classifier, or routed by scikit-learn's metadata routing.

        Returns
        -------
        self : MinimumExpectedCostClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If `cost_matrix` does not fit the classes, `y` is a label matrix, or the
            classifier has no `predict_proba`.
        TypeError
            If `estimator` is not a classifier.
        """
        X, y, target, _ = self._check_input(X, y, sample_weight)
        if target.kind == MULTILABEL:
            raise ValueError(
                "y is a label matrix, whose labels do not exclude each other: use "
                "MultilabelFixedThresholdClassifier with threshold='cost'."
            )
        costs = self._check_costs(target)
        find_response(self.estimator, (PROBA,), "cost_matrix")
        routed = self._route(sample_weight, params)
        self.estimator_ = self._fit_estimator(X, y, target, routed)
        self._costs = costs
        return self

    def _check_costs(self, target):
        """Return the costs in the order of `classes_`."""
        classes = target.classes
        if self.cost_matrix is None:
            return 1 - np.eye(len(classes))  # 0 for the true class, 1 for any other
        costs, is_named = _by_class_names(self.cost_matrix, classes)
        expected = (len(classes),) * 2
        if costs.shape != expected:
            raise ValueError(
                f"cost_matrix must have shape {expected}, one row for each true class "
                f"of {classes!r}; got shape {costs.shape}."
            )
        if not np.isfinite(costs).all():
            raise ValueError("cost_matrix must be finite, but has NaN or infinity.")
        # Without names the positive class stands last, which may be `classes_[0]`.
        is_flipped = target.kind == BINARY and target.is_flipped
        return costs[::-1, ::-1] if is_flipped and not is_named else costs

    def predict(self, X):
        """Predict the class of least expected cost.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Classes; of equal costs the first.
        """
        proba = 1.0 * np.asarray(self.predict_proba(X))  # of integers, too
        expected, size = proba @ self._costs, proba @ np.abs(self._costs)
        # Costs that are equal round to different ones, by the order of their sums.
        margin = len(self._costs) * np.finfo(proba.dtype).eps * size
        least = (expected + margin).min(axis=1, keepdims=True)
        return self.classes_[(expected - margin <= least).argmax(axis=1)]


def _by_class_names(cost_matrix, classes):
    """Return costs in the order of the classes, and whether it came with names.

    A frame with default names on both axes counts as an array, and so does one of
    polars, whose rows have no names, with the columns in the order of the classes.
    """
    axes = [getattr(cost_matrix, name, None) for name in ("index", "columns")]
    # A list has a method `index`, which is no axis.
    names = [list(axis) for axis in axes if axis is not None and not callable(axis)]
    if len(names) < len(axes):
        _check_columns(names, classes)
        return _as_numbers(cost_matrix), False
    known = classes.tolist()
    if all(axis == list(range(len(axis))) for axis in names) and names[0] != known:
        return _as_numbers(cost_matrix), False
    orders = []
    for axis, what in zip(names, ("index", "columns"), strict=True):
        if len(set(axis)) != len(axis):
            raise ValueError(f"The {what} of cost_matrix have a class more than once.")
        places = {name: place for place, name in enumerate(axis)}
        what = f"The {what} of cost_matrix, the classes,"
        orders.append(align_weights(places, known, what))
    return _as_numbers(cost_matrix)[np.ix_(*orders)], True


def _check_columns(names, classes):
    """Raise where the columns of a frame without row names are in another order."""
    known = [str(label) for label in classes]
    if names and set(names[0]) & set(known) and names[0] != known:
        raise ValueError(
            f"The columns of cost_matrix are {names[0]}, the classes {known}. Its rows "
            "have no names: put both into the order of the classes, or pass a pandas "
            "data frame with the classes as index and columns."
        )


def _as_numbers(cost_matrix):
    """Return the costs as an array of float64."""
    if isinstance(cost_matrix, Mapping):
        raise TypeError(
            "cost_matrix must be a matrix, with a row for each true class, or a pandas "
            "data frame with the classes as index and columns, not a dict."
        )
    try:
        return np.asarray(cost_matrix, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"cost_matrix must hold numbers, one row for each class: {error}"
        ) from error
