"""Classifiers that decide by thresholds on what another classifier says."""

import numpy as np
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skimbalance._base import warn_undefined
from skimbalance._meta import LabelMetaClassifier
from skimbalance._response import DECISION, PROBA, find_response, label_scores
from skimbalance._validation import (
    MULTILABEL,
    check_choice,
    check_interval,
    check_probabilities,
    count_labels,
)
from skimbalance.thresholds._rules import (
    HELD_OUT_RULES,
    ROW_RULES,
    RULES,
    check_cuts,
    cost_cuts,
    decide_most_probable,
    expected_cardinality,
    held_out_cuts,
)
from skimbalance.thresholds._search import check_search, search


def _inner_has(method):
    """Return a condition for `available_if`: the wrapped classifier has a method."""

    def condition(self):
        inner = getattr(self, "estimator_", self.estimator)
        getattr(inner, method)  # its AttributeError says what is missing
        return True

    return condition


class _DecidingClassifier(LabelMetaClassifier):
    """Base: pass the scores of the wrapped classifier on; only decisions differ."""

    def _scores(self, X, method):
        check_is_fitted(self)
        return label_scores(self.estimator_, X, method, self._n_labels)

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
        if self._n_labels is None:
            return self.estimator_.predict_proba(X)
        return self._scores(X, "predict_proba")

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
            As the classifier gives them.
        """
        check_is_fitted(self)
        return self.estimator_.decision_function(X)


class MultilabelFixedThresholdClassifier(_DecidingClassifier):
    """Decide by given thresholds, or by a rule that needs no search.

    Parameters
    ----------
    estimator : classifier
        With `predict_proba`, of a label matrix or of two classes.

    threshold : float, array-like of shape (n_labels,) or str, default=0.5
        A label is decided where its probability is greater. The rules:

        - ``"accuracy"``: 0.5, best for the share of right cells.
        - ``"prior"``: the base rate, best for balanced accuracy.
        - ``"cost"``: ``cost_fp / (cost_fp + cost_fn)``.
        - ``"f_beta"``: the plug-in cut of each label, from its probabilities.
        - ``"micro_f_beta"``: one plug-in cut for all cells.
        - ``"rate"``: as many decided as there were positives.
        - ``"top_k"``: the `k` most probable labels of each row.
        - ``"cardinality"``: as many labels of a row as it is expected to have.

        ``"f_beta"``, ``"micro_f_beta"`` and ``"rate"`` read out-of-fold probabilities.

    beta : float, default=1.0
        Weight of the recall in the F-beta rules.

    cost_fp, cost_fn : float or array-like of shape (n_labels,), default=1.0
        What a false positive and a false negative cost, for ``"cost"``.

    k : int, default=1
        For ``"top_k"``.

    guard : bool, default=False
        Under ``"f_beta"``, a label that would be decided in every row, as its best
        expected F-beta is that of all-positive, is decided by rate. This lowers the
        expected F-beta; it spares useless decisions.

    cv : int, float, splitter, iterable or "prefit", default=5
        The folds of the out-of-fold probabilities, stratified by label. A share holds
        out one part; ``"prefit"`` takes the estimator as it is, and the rows passed to
        `fit`, which must not be those that trained it.

    n_jobs : int, default=None
        Folds fitted at the same time.

    random_state : int, RandomState instance or None, default=None
        Of the held-out share.

    Attributes
    ----------
    estimator_ : classifier
        Fitted on all rows.

    thresholds_ : ndarray of float64, shape (n_labels,), or None
        The cuts; None for the two rules that decide by row. Labels that had one value
        only are cut at 0.5 by the rules that read probabilities, with one warning.

    classes_ : ndarray of shape (2,) or (n_labels, 2)
        The classes, or ``[0, 1]`` for each label.

    n_features_in_ : int
        Number of features, if the estimator tells.

    feature_names_in_ : ndarray of str, shape (n_features,)
        Their names, if the estimator tells.

    See Also
    --------
    MultilabelTunedThresholdClassifierCV : Cuts found by search.
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
        beta=1.0,
        cost_fp=1.0,
        cost_fn=1.0,
        k=1,
        guard=False,
        cv=5,
        n_jobs=None,
        random_state=None,
    ):
        self.estimator = estimator
        self.threshold = threshold
        self.beta = beta
        self.cost_fp = cost_fp
        self.cost_fn = cost_fn
        self.k = k
        self.guard = guard
        self.cv = cv
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X, y, sample_weight=None, **params):
        """Fit the classifier and find the cuts.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.
        y : {array-like, sparse matrix} of shape (n_samples,) or (n_samples, n_labels)
            Two classes, or a label matrix.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, for the classifier and for the cuts.
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
        self._check_rule(target)
        find_response(self.estimator, (PROBA,))
        routed = self._route(sample_weight, params)
        thresholds = self._find_cuts(X, y, target, weight, routed)
        self.estimator_ = self._fit_estimator(X, y, target, routed)
        self.thresholds_ = thresholds
        return self

    def _check_rule(self, target):
        n_labels = target.n_outputs
        if not isinstance(self.threshold, str):
            check_cuts(self.threshold, n_labels)
            return
        check_choice("threshold", self.threshold, RULES)
        check_interval("beta", self.beta, 0)
        if self.threshold in ROW_RULES and target.kind != MULTILABEL:
            raise ValueError(
                f"threshold={self.threshold!r} compares the labels of a row: it needs "
                "a label matrix."
            )
        if self.threshold == "cost":
            cost_cuts(self.cost_fp, self.cost_fn, n_labels)
        if self.threshold == "top_k":
            check_interval("k", self.k, 1)
            if self.k > n_labels or self.k != int(self.k):
                raise ValueError(
                    f"k={self.k} must be an integer of at most the number of labels, "
                    f"{n_labels}."
                )

    def _find_cuts(self, X, y, target, weight, routed):
        n_labels = target.n_outputs
        if not isinstance(self.threshold, str):
            return check_cuts(self.threshold, n_labels)
        if self.threshold in ROW_RULES:
            return None
        if self.threshold == "cost":
            return cost_cuts(self.cost_fp, self.cost_fn, n_labels)
        if self.threshold in HELD_OUT_RULES:
            return self._find_held_out_cuts(X, y, target, weight, routed)
        if self.threshold == "accuracy":
            return np.full(n_labels, 0.5)
        positive, negative = count_labels(target.values, weight)
        observed = np.maximum(positive + negative, np.finfo(float).tiny)
        return positive / observed

    def _find_held_out_cuts(self, X, y, target, weight, routed):
        rows, proba = self._held_out_scores(
            X, y, target, PROBA, routed, self.random_state
        )
        proba = check_probabilities(proba, f"{type(self.estimator).__name__}'s proba")
        labels, weight = target.values[rows], None if weight is None else weight[rows]
        positive, negative = count_labels(labels, weight)
        known = (positive > 0) & (negative > 0)
        cuts = np.full(len(known), 0.5)
        if not known.all():
            warn_undefined(
                f"{(~known).sum()} of {len(known)} labels have one value only: they "
                "are cut at 0.5.",
            )
        if known.any():
            if weight is not None and weight.ndim == 2:
                weight = weight[:, known]
            cuts[known] = held_out_cuts(
                self.threshold,
                labels[:, known],
                proba[:, known],
                weight,
                beta=self.beta,
                guard=self.guard,
            )
        return cuts

    def predict(self, X):
        """Decide.

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
        if self.thresholds_ is not None:
            return self._as_target(proba > self.thresholds_)
        n_decided = self.k if self.threshold == "top_k" else expected_cardinality(proba)
        return self._as_target(decide_most_probable(proba, n_decided))


class MultilabelTunedThresholdClassifierCV(_DecidingClassifier):
    """Decide by thresholds that are best on out-of-fold scores.

    Parameters
    ----------
    estimator : classifier
        Of a label matrix or of two classes, with `predict_proba` or
        `decision_function`.

    scoring : str or callable, default="f1"
        What to maximise, as in `tune_thresholds`.

    average : {"macro", "micro", "samples"}, default="macro"
        The metric of each label; of all cells together; the mean over rows.

    response_method : {"auto", "decision_function", "predict_proba"}, default="auto"
        What is cut; ``"auto"`` prefers `predict_proba`.

    cv : int, float, splitter, iterable or "prefit", default=None
        The folds of the out-of-fold scores, which are pooled; None stands for 5, which
        are stratified by label. A share holds out one part; ``"prefit"`` takes the
        estimator as it is, and the rows passed to `fit`, which must not be those that
        trained it.

    shrinkage : float, default=20.0
        Positives that weigh as much as the plug-in cut; 0 for none. See
        `tune_thresholds`.

    constraint : tuple of str and float, default=None
        ``("recall", 0.9)`` or ``("precision", 0.9)``, as in `tune_thresholds`.

    refit : bool, default=True
        Fit on all rows after the search. False keeps the classifier of the only split,
        and is needed with ``cv="prefit"``.

    store_cv_results : bool, default=False
        Keep the values of the metric at all cuts in `cv_results_`.

    n_jobs : int, default=None
        Folds fitted at the same time.

    random_state : int, RandomState instance or None, default=None
        Of the held-out share.

    Attributes
    ----------
    estimator_ : classifier
        The fitted classifier that predicts.

    thresholds_ : ndarray of float64, shape (n_labels,)
        A label is decided where its score is greater.

    best_scores_ : ndarray of float64 of shape (n_labels,), or float
        The out-of-fold metric at `thresholds_`: of each label under ``"macro"``, else
        of all together. A metric of the rows that chose the cuts, so optimistic. Under
        a constraint, the share that is not constrained.

    cv_results_ : dict
        ``"thresholds"`` and ``"scores"``: for each label (one entry for
        ``"micro"`` and ``"samples"``) the values of the metric when the cut is just
        below each of some scores. Only with `store_cv_results`.

    classes_ : ndarray of shape (2,) or (n_labels, 2)
        The classes, or ``[0, 1]`` for each label.

    n_features_in_ : int
        Number of features, if the estimator tells.

    feature_names_in_ : ndarray of str, shape (n_features,)
        Their names, if the estimator tells.

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

    def fit(self, X, y, sample_weight=None, **params):
        """Find the cuts on out-of-fold scores, and fit the classifier.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.
        y : {array-like, sparse matrix} of shape (n_samples,) or (n_samples, n_labels)
            Two classes, or a label matrix.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, for the classifier and for the cuts.
        **params : dict
            For `fit` of the classifier, or routed by scikit-learn's metadata routing.

        Returns
        -------
        self : MultilabelTunedThresholdClassifierCV
            The fitted classifier.

        Raises
        ------
        ValueError
            If an option makes no sense, the metric does not depend on the cut, or the
            classifier has no scores.
        TypeError
            If `estimator` is not a classifier.
        """
        X, y, target, weight = self._check_input(X, y, sample_weight)
        options = {
            "average": self.average,
            "shrinkage": self.shrinkage,
            "constraint": self.constraint,
        }
        metric = check_search(self.scoring, **options)
        method = self._find_response()
        self._check_refit()
        routed = self._route(sample_weight, params)
        rows, scores = self._tuning_scores(X, y, target, method, routed)
        if weight is not None:
            weight = weight[rows]
        found = search(metric, target.values[rows], scores, weight, **options)
        if self.refit or self._is_prefit():
            self.estimator_ = self._fit_estimator(X, y, target, routed)
        self._response_method = method
        self.thresholds_, self.best_scores_ = found.cuts, found.scores
        if self.store_cv_results:
            self.cv_results_ = {
                "thresholds": [curve.levels for curve in found.curves],
                "scores": [curve.values[:-1] for curve in found.curves],
            }
        return self

    def _find_response(self):
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

    def _tuning_scores(self, X, y, target, method, routed):
        """Return out-of-fold scores; without refit keep the classifier behind them."""
        if self.refit or self._is_prefit():
            return self._held_out_scores(
                X, y, target, method, routed, self.random_state
            )
        rows, scores, fitted = self._fit_folds(
            X, y, target, method, routed, self.random_state
        )
        if len(fitted) > 1:
            raise ValueError("When cv has several folds, refit cannot be False.")
        self.estimator_ = fitted[0]
        self._keep(target, fitted[0])
        return rows[0], scores[0]

    def predict(self, X):
        """Decide.

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


class MinimumExpectedCostClassifier(_DecidingClassifier):
    """Predict the class of least expected cost.

    Of a row with the class probabilities p it predicts ``argmin_j sum_y p_y C[y, j]``.
    The probabilities must be honest, so train without class weights; the costs come in
    here.

    Parameters
    ----------
    estimator : classifier
        With `predict_proba`, of two or more classes.

    cost_matrix : array-like of shape (n_classes, n_classes), default=None
        ``cost_matrix[y, j]`` is what it costs to predict class j where class y is true,
        in the order of `classes_`. None: every error costs 1, so that the most probable
        class is predicted.

    Attributes
    ----------
    estimator_ : classifier
        The fitted classifier. To keep one that is fitted already, wrap it in
        `sklearn.frozen.FrozenEstimator`.

    classes_ : ndarray of shape (n_classes,)
        The classes.

    n_features_in_ : int
        Number of features, if the estimator tells.

    feature_names_in_ : ndarray of str, shape (n_features,)
        Their names, if the estimator tells.

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

    def __init__(self, estimator, cost_matrix=None):
        self.estimator = estimator
        self.cost_matrix = cost_matrix

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
        costs = self._check_costs(target.classes)
        find_response(self.estimator, (PROBA,))
        routed = self._route(sample_weight, params)
        self.estimator_ = self._fit_estimator(X, y, target, routed)
        self._costs = costs
        return self

    def _check_costs(self, classes):
        if self.cost_matrix is None:
            return 1 - np.eye(len(classes))
        costs = np.asarray(self.cost_matrix, dtype=np.float64)
        expected = (len(classes),) * 2
        if costs.shape != expected or not np.isfinite(costs).all():
            raise ValueError(
                f"cost_matrix must hold finite numbers of shape {expected}, one row "
                f"for each true class of {classes!r}; got shape {costs.shape}."
            )
        return costs

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
        check_is_fitted(self)
        proba = np.asarray(self.estimator_.predict_proba(X))
        return self.classes_[(proba @ self._costs).argmin(axis=1)]
