"""The base of the classifiers that wrap another classifier.

They compute its out-of-fold scores of each label, keep it fitted on all rows, and
return its predictions in the form of the target: a label matrix for a label matrix,
classes for classes. The one label of a binary target is 1 where `y` is the positive
class.
"""

from collections.abc import Callable
from dataclasses import replace
from inspect import signature
from numbers import Integral, Real
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn import get_config
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import PredefinedSplit, StratifiedShuffleSplit
from sklearn.utils import Bunch, get_tags, indexable
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from skimbalance._base import (
    DocLinkMixin,
    label_names_of,
    label_scores,
    warn_undefined,
)
from skimbalance._counts import (
    at_least_mean_1,
    have_both_values,
    rows_with_weight,
    without_weightless,
)
from skimbalance._labels import (
    BINARY,
    MULTICLASS,
    MULTILABEL,
    Target,
    check_target,
    encode_like,
    find_positive,
    has_missing,
    read_target,
)
from skimbalance._validation import (
    GivenSplits,
    align_labels,
    check_cv,
    check_same_length,
    check_weights,
    clone,
    n_samples_of,
    take_params,
    take_rows,
)
from skimbalance.model_selection import (
    MultilabelStratifiedKFold,
    MultilabelStratifiedShuffleSplit,
)


def check_classifier(estimator: Any) -> None:
    """Raise a TypeError unless this is a classifier."""
    if not hasattr(estimator, "fit") or isinstance(estimator, type):
        raise TypeError(
            f"estimator={estimator!r} is not an estimator: pass a classifier, fitted "
            "or not."
        )
    if get_tags(estimator).estimator_type != "classifier":
        raise TypeError(
            f"estimator={estimator!r} is a {get_tags(estimator).estimator_type}, not a "
            "classifier."
        )


def check_takes_labels(estimator):
    """Raise a ValueError if this is one of scikit-learn's classifiers of a 1-D `y`.

    Whether a classifier that wraps others reads a label matrix depends on these, and
    other libraries do not set the tag.
    """
    tags: Any = get_tags(estimator)
    wraps = any(
        hasattr(estimator, name) for name in ("estimator", "estimators", "steps")
    )
    takes_labels = tags.classifier_tags.multi_label or tags.target_tags.multi_output
    if type(estimator).__module__.startswith("sklearn.") and not (
        wraps or takes_labels
    ):
        raise ValueError(
            f"{type(estimator).__name__} reads no label matrix, but y is one: wrap it, "
            f"as OneVsRestClassifier({type(estimator).__name__}()) for example."
        )


def to_split(y, target):
    """Return the target to stratify by: a label matrix, or one label as classes.

    scikit-learn's splitters stratify one label, but read no NaN.
    """
    if target.n_outputs > 1 or has_missing(target.values):
        return y
    labels = target.values
    return (labels.toarray() if sp.issparse(labels) else labels).ravel()


class _Pooled:
    """Mixin of splitters without a warning: scores of folds are pooled."""

    def _warn_if_empty(self, labels, part, n_tests):  # noqa: ARG002
        return True


class _PooledFolds(_Pooled, MultilabelStratifiedKFold):
    """Stratified folds."""


class _HeldOutFraction(_Pooled, MultilabelStratifiedShuffleSplit):
    """A single stratified split."""


def make_folds(cv: Any, y: Any, random_state: Any = None) -> Any:
    """Return a splitter; a fraction of held-out rows makes one split.

    Parameters
    ----------
    cv : None, int, float, splitter or iterable
        None stands for five folds; folds and fractions are stratified by label.
    y : array-like or sparse matrix
        Classes, or a label matrix.
    random_state : int, RandomState instance or None
        For a fraction.
    """
    is_fraction = isinstance(cv, Real) and not isinstance(cv, Integral)
    if is_fraction and not 0 < float(cv) < 1:
        raise ValueError(
            f"cv={cv!r}: a fraction of held-out rows must be within (0, 1)."
        )
    if np.ndim(y) == 1:
        if is_fraction:
            return StratifiedShuffleSplit(1, test_size=cv, random_state=random_state)
        return check_cv(cv, y, classifier=True)
    if is_fraction:
        return _HeldOutFraction(1, test_size=cv, random_state=random_state)
    if cv is None or isinstance(cv, Integral):
        return _PooledFolds(5 if cv is None else int(cv))
    return check_cv(cv)


def split_rows(folds: Any, X: Any, y: Any, weight: Any, params: dict) -> list:
    """Return the training and test rows of each fold, none of them without weight.

    Parameters
    ----------
    folds : splitter
    X, y : indexable
    weight : ndarray of shape (n_samples,) or (n_samples, n_labels), or None
        A row of weight 0 is in no part of any fold.
    params : dict
        For `split`, with an entry for each row where they are arrays.

    Raises
    ------
    ValueError
        If there is no fold.
    """
    splits = _split_rows(folds, X, y, weight, params)
    if not splits:
        raise ValueError(
            "cv has no folds. A generator is used up by one fit: pass a list of folds."
        )
    return splits


def _split_rows(folds, X, y, weight, params):
    """Return the splits as `split_rows` does."""
    kept = rows_with_weight(weight)
    if kept is None:
        return list(folds.split(X, y, **params))
    if isinstance(folds, PredefinedSplit | GivenSplits):
        # Their indices are of all rows.
        parts = folds.split(X, y, **params)
        return [tuple(rows[kept[rows]] for rows in split) for split in parts]
    rows = np.flatnonzero(kept)
    params = take_params(X, params, rows)
    parts = folds.split(take_rows(X, rows), take_rows(y, rows), **params)
    return [tuple(rows[part] for part in split) for split in parts]


def with_positive(target: Target, pos_label: Any) -> Target:
    """Return a binary target with another positive class, if one is given."""
    if pos_label is None or target.kind != BINARY:
        return target
    place = find_positive(target.classes, pos_label)
    flips = place != target.positive
    values = 1 - target.values if flips else target.values
    return replace(target, values=values, positive=place)


def positive_class(target: Target) -> Any:
    """Return the positive class of a binary target, None for any other."""
    return target.classes[target.positive] if target.kind == BINARY else None


def _read_as(target):
    """Return the arguments of `label_scores` for a classifier of this target."""
    if target.kind != MULTILABEL:
        return {"positive": positive_class(target)}
    return {"n_labels": target.n_outputs, "label_names": target.label_names}


def _scored_fold(estimator, X, y, train, test, method, read_as, params):
    """Fit a clone on some rows and score others."""
    fitted = clone(estimator).fit(
        take_rows(X, train), take_rows(y, train), **take_params(X, params, train)
    )
    return fitted, label_scores(fitted, take_rows(X, test), method, **read_as)


def _able_to_count(y, n_labels):
    """Return a label matrix in a dtype that holds the number of the last label.

    The `LabelBinarizer` inside scikit-learn's classifiers numbers the labels in the
    dtype of `y`. It permutes the columns of an int8 matrix of more than 128 labels, and
    an `MLPClassifier` learns the wrong ones without a word (seen in 1.9.1).
    """
    dtypes = {y.dtype} if hasattr(y, "dtype") else set(getattr(y, "dtypes", ()))
    dtype = dtypes.pop() if len(dtypes) == 1 else None
    if not isinstance(dtype, np.dtype) or dtype.kind not in "iu":
        return y
    enough = np.promote_types(dtype, np.min_scalar_type(n_labels))
    return y if n_labels - 1 <= np.iinfo(dtype).max else y.astype(enough)


def _warn_lacking(labels, splits):
    """Warn once of the labels that have one value in the training rows of a fold."""
    lacking = np.zeros(labels.shape[1], dtype=bool)
    for train, _ in splits:
        lacking |= ~have_both_values(labels[train])
    # The caller warns of labels that lack a value among all rows.
    lacking &= have_both_values(labels)
    if lacking.any():
        warn_undefined(
            f"{lacking.sum()} of {len(lacking)} labels have one value only in the "
            "training rows of at least one fold: their scores there are constant, and "
            "their thresholds or calibrators are rough."
        )


class LabelScoreMixin(ClassifierMixin):
    """Score label matrices that scikit-learn's accuracy cannot read.

    It raises an error for a missing label, and for the columns of a frame in another
    order it counts the wrong ones.
    """

    _target: Target
    predict: Any

    def score(self, X, y, sample_weight=None):
        """Return the accuracy; for a label matrix the subset accuracy.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.
        y : {array-like, sparse matrix} of shape (n_samples,) or (n_samples, n_labels)
            Targets; the columns of a frame are aligned by their names, and any
            prediction of a missing label is correct.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        score : float
            Fraction of the rows whose labels are all predicted correctly.

        Raises
        ------
        ValueError
            If the inputs are not of the fitted shape.
        """
        check_is_fitted(self)
        if self._target.kind != MULTILABEL:
            # As `fit` reads it: scikit-learn knows no numbers in an array of objects.
            return super().score(X, read_target(y, "y"), sample_weight)
        labels, predicted = (
            matrix.toarray() if sp.issparse(matrix) else matrix
            for matrix in (encode_like(y, self._target), self.predict(X))
        )
        correct = ((labels == predicted) | (labels < 0)).all(axis=1)
        weight = check_weights(sample_weight, len(correct))
        return float(np.average(correct, weights=weight))


class LabelProbabilityMixin:
    """Return the probabilities of labels, or of the classes of a 1-D target.

    A class defines `_label_probabilities`, which gives the one column of a binary
    target.
    """

    _target: Target
    _label_probabilities: Callable
    classes_: Any

    def predict_proba(self, X) -> np.ndarray:
        """Return calibrated probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        proba : ndarray of float64, shape (n_samples, n_labels) or \
                (n_samples, n_classes)
            That each label is 1, or of each class of a 1-D target.
        """
        proba = self._label_probabilities(X)
        if self._target.kind != BINARY:
            return proba
        if len(self.classes_) == 1:
            return np.ones_like(proba)
        columns = [1 - proba, proba]
        return np.hstack(columns[::-1] if self._target.is_flipped else columns)

    def predict_log_proba(self, X) -> np.ndarray:
        """Return the logarithms of the calibrated probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        log_proba : ndarray of float64, shape (n_samples, n_labels) or \
                (n_samples, n_classes)
            The logarithm of the probability of each label, or class of a 1-D target.
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))


class LabelMetaClassifier(
    DocLinkMixin, LabelScoreMixin, MetaEstimatorMixin, BaseEstimator
):
    """Base of the classifiers that wrap one classifier of labels.

    A subclass has the parameters `estimator`, `pos_label` and, but for one, `cv` and
    `n_jobs`.
    """

    # Whether a target of several classes is an error.
    _binary_or_multilabel_only = True

    # Of the subclasses, declared for type checkers.
    estimator: Any
    pos_label: Any
    cv: Any
    n_jobs: Any
    predict: Callable[..., Any]

    # ----------------------------------------------------------------------
    # Input

    def _check_input(self, X, y, sample_weight):
        """Return indexable rows, the encoded target and its weights."""
        check_classifier(self.estimator)
        check_same_length(X=X, y=y)  # which names them
        X, y = indexable(X, y)
        if self._keeps_estimator():
            y, sample_weight = align_labels(y, sample_weight, self._fitted_names())
        # A classifier that is fitted already may know classes that `y` lacks.
        known = self._known_target(y)
        target = known or check_target(y, pos_label=self.pos_label)
        if self._binary_or_multilabel_only and target.kind == MULTICLASS:
            raise ValueError(
                "Only binary classification is supported. The type of the target is "
                "multiclass. Unknown label type: multiclass. Pass two classes or a "
                "label matrix; for costs of several classes there is "
                "MinimumExpectedCostClassifier."
            )
        n_labels = None if target.kind != MULTILABEL else target.n_outputs
        weight = check_weights(
            sample_weight, n_samples_of(X), n_labels, label_names=target.label_names
        )
        weight = at_least_mean_1(weight)  # the classifier gets them as they were passed
        if n_labels is not None:
            if n_labels > 1:
                check_takes_labels(self.estimator)
            y = _able_to_count(y, n_labels)
        if weight is not None and weight.ndim == 2:
            known = without_weightless(target.values, weight)
            target = replace(target, values=known)
        return X, y, target, weight

    def _known_target(self, y):
        """Return the target in the encoding of a classifier that is already fitted.

        None if the classifier is yet to be fitted.
        """
        if not self._keeps_estimator():
            return None
        fitted, target = self._fitted_estimator(), check_target(y)
        if target.kind == MULTILABEL:
            if self.pos_label is not None:
                check_target(y, pos_label=self.pos_label)  # raises the ValueError
            names = self._fitted_names()
            target = target if names is None else replace(target, label_names=names)
        else:
            classes = getattr(fitted, "classes_", target.classes)
            target = check_target(np.asarray(classes), pos_label=self.pos_label)
        return replace(target, values=encode_like(y, target))

    def _is_prefit(self):
        return isinstance(getattr(self, "cv", None), str) and self.cv == "prefit"

    def _keeps_estimator(self):
        """Whether the classifier is fitted already, and stays as it is."""
        return self._is_prefit() or isinstance(self.estimator, FrozenEstimator)

    def _fitted_estimator(self):
        """Return the classifier that the user has fitted."""
        check_is_fitted(
            self.estimator,
            msg="With cv='prefit' or a FrozenEstimator the estimator must be fitted: "
            "call its fit on other rows first.",
        )
        return self.estimator

    def _fitted_names(self):
        """Return the names of the labels of the classifier that the user has fitted."""
        return label_names_of(self._fitted_estimator())

    def _route(self, sample_weight, params):
        """Return which parameters go to the classifier and which to the splitter."""
        if get_config()["enable_metadata_routing"]:
            return process_routing(self, "fit", sample_weight=sample_weight, **params)
        if sample_weight is not None and not self._keeps_estimator():
            if "sample_weight" not in signature(self.estimator.fit).parameters:
                raise ValueError(
                    f"{type(self.estimator).__name__}.fit takes no sample_weight. Turn "
                    "scikit-learn's metadata routing on to pass it further down."
                )
            params = {**params, "sample_weight": sample_weight}
        return Bunch(estimator=Bunch(fit=params), splitter=Bunch(split={}))

    # ----------------------------------------------------------------------
    # Fitting

    def _fit_estimator(self, X, y, target, routed):
        """Return the classifier, fitted on all rows, and set the fitted attributes."""
        if self._is_prefit():
            fitted = self._fitted_estimator()
        else:
            fitted = clone(self.estimator).fit(X, y, **routed.estimator.fit)
        self._set_target(target)
        self._set_features(fitted)
        return fitted

    def _set_target(self, target):
        """Set the attributes that depend on the form of the target."""
        # Without the labels of the training rows, which a pickle would carry along.
        self._target = replace(target, values=None)
        self.classes_ = target.classes
        self.pos_label_ = positive_class(target)
        vars(self).pop("label_names_", None)
        if target.label_names is not None:
            self.label_names_ = target.label_names

    def _set_features(self, fitted):
        """Set the attributes that tell of the inputs, where a classifier has them."""
        for name in ("n_features_in_", "feature_names_in_"):
            vars(self).pop(name, None)
            if hasattr(fitted, name):
                setattr(self, name, getattr(fitted, name))

    def _label_scores(self, fitted, X, method):
        """Return the scores of each label, in the order of the target."""
        return label_scores(fitted, X, method, **_read_as(self._target))

    def _fit_folds(self, X, y, target, weight, method, routed, random_state=None):
        """Return the held-out rows of each fold, their scores, and the clones."""
        y_split = to_split(y, target)
        folds = make_folds(self.cv, y_split, random_state)
        splits = split_rows(folds, X, y_split, weight, routed.splitter.split)
        if target.kind == MULTILABEL:
            _warn_lacking(target.values, splits)
        results = Parallel(n_jobs=self.n_jobs)(
            delayed(_scored_fold)(
                self.estimator,
                X,
                y,
                *rows,
                method,
                _read_as(target),
                routed.estimator.fit,
            )
            for rows in splits
        )
        fitted, scores = zip(*results, strict=True)
        return [test for _, test in splits], list(scores), list(fitted)

    def _held_out_scores(self, X, y, target, weight, method, routed, random_state=None):
        """Return held-out rows and their scores, as lists with an entry for each fold.

        All rows with weight are held out from a classifier that is already fitted.
        """
        if self._is_prefit():
            fitted, rows = self._fitted_estimator(), np.arange(n_samples_of(X))
            kept = rows_with_weight(weight)
            if kept is not None:
                rows, X = rows[kept], take_rows(X, rows[kept])
            return [rows], [label_scores(fitted, X, method, **_read_as(target))]
        rows, scores, _ = self._fit_folds(
            X, y, target, weight, method, routed, random_state
        )
        return rows, scores

    # ----------------------------------------------------------------------
    # Predictions

    def _as_target(self, predicted):
        """Return predicted labels in the form of the target."""
        if self._target.kind == BINARY:
            positive = self._target.positive
            negative = len(self.classes_) - 1 - positive
            return self.classes_[np.where(predicted[:, 0], positive, negative)]
        predicted = predicted.astype(self._target.dtype)
        if self._target.sparse_type is None:
            return predicted
        return self._target.sparse_type(sp.csr_array(predicted))

    # ----------------------------------------------------------------------
    # scikit-learn

    def get_metadata_routing(self):
        """Get the metadata routing of this object.

        Returns
        -------
        routing : MetadataRouter
            Routes the parameters of `fit` to the classifier and to the splitter.
        """
        router = MetadataRouter(owner=self).add_self_request(self)
        router.add(
            estimator=self.estimator,
            method_mapping=MethodMapping().add(caller="fit", callee="fit"),
        )
        return router.add(
            splitter=getattr(self, "cv", None),
            method_mapping=MethodMapping().add(caller="fit", callee="split"),
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.input_tags.sparse = inner.input_tags.sparse
        tags.input_tags.allow_nan = inner.input_tags.allow_nan
        if inner.classifier_tags is not None:
            tags.classifier_tags.multi_label = inner.classifier_tags.multi_label
        tags.classifier_tags.multi_class = not self._binary_or_multilabel_only
        return tags
