"""What the classifiers that wrap another classifier share.

They ask it for out-of-fold scores of each label, keep it fitted on all rows, and pass
its answers on in one form: a label matrix for a label matrix, classes for classes.
"""

from dataclasses import replace
from inspect import signature
from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp
from sklearn import get_config
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.model_selection import StratifiedShuffleSplit, check_cv
from sklearn.utils import Bunch, get_tags, indexable
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from skimbalance._base import warn_undefined
from skimbalance._response import label_scores
from skimbalance._validation import (
    BINARY,
    MULTICLASS,
    MULTILABEL,
    check_target,
    check_weights,
    count_labels,
    encode_like,
    has_missing,
    n_samples_of,
    take_params,
    take_rows,
)
from skimbalance.model_selection import (
    MultilabelStratifiedKFold,
    multilabel_train_test_split,
)


def check_classifier(estimator):
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


def _to_split(y, target):
    """Return what is stratified: one complete label as classes, whatever its shape."""
    if target.n_outputs > 1 or has_missing(target.values):
        return y
    labels = target.values
    return (labels.toarray() if sp.issparse(labels) else labels).ravel()


class _PooledFolds(MultilabelStratifiedKFold):
    """Folds whose scores are pooled: one without a positive does no harm."""

    def _warn_if_empty(self, labels, part, n_tests):  # noqa: ARG002
        return True


def make_folds(cv, y, random_state=None):
    """Return a splitter, or a list with one split for a share of held-out rows.

    Parameters
    ----------
    cv : None, int, float, splitter or iterable
        None stands for five folds; folds and shares are stratified by label.
    y : array-like or sparse matrix
        Classes, or a label matrix.
    random_state : int, RandomState instance or None
        For a share.
    """
    share = isinstance(cv, Real) and not isinstance(cv, Integral)
    if share and not 0 < cv < 1:
        raise ValueError(f"cv={cv!r}: a share of held-out rows must be within (0, 1).")
    if np.ndim(y) == 1:
        if share:
            return StratifiedShuffleSplit(1, test_size=cv, random_state=random_state)
        return check_cv(cv, y, classifier=True)
    if share:
        split = multilabel_train_test_split(
            np.arange(n_samples_of(y)),
            stratify=y,
            test_size=cv,
            random_state=random_state,
        )
        return check_cv([split])
    if cv is None or isinstance(cv, Integral):
        return _PooledFolds(5 if cv is None else int(cv))
    return check_cv(cv)


def _scored_fold(estimator, X, y, train, test, method, n_labels, params):
    """Fit a clone on some rows and score others."""
    fitted = clone(estimator).fit(
        take_rows(X, train), take_rows(y, train), **take_params(X, params, train)
    )
    return fitted, label_scores(fitted, take_rows(X, test), method, n_labels)


def _of_one_value(labels):
    positive, negative = count_labels(labels)
    return (positive == 0) | (negative == 0)


def _warn_lacking(labels, splits):
    """Warn once of the labels of one value in the training rows of some fold."""
    lacking = np.zeros(labels.shape[1], dtype=bool)
    for train, _ in splits:
        lacking |= _of_one_value(labels[train])
    # Those that lack a value among all rows are another warning.
    lacking &= ~_of_one_value(labels)
    if lacking.any():
        warn_undefined(
            f"{lacking.sum()} of {len(lacking)} labels have one value only in the "
            "training rows of at least one fold: what the classifier says of them "
            "there is a constant, and their thresholds or calibrators are rough."
        )


class LabelMetaClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Base of the classifiers that wrap one classifier of labels.

    A subclass has the parameters `estimator`, `cv` and `n_jobs`.
    """

    _binary_or_multilabel_only = True

    # ----------------------------------------------------------------------
    # Input

    def _check_input(self, X, y, sample_weight):
        """Return indexable rows, the encoded target and its weights."""
        check_classifier(self.estimator)
        X, y = indexable(X, y)
        target = check_target(y)
        if self._binary_or_multilabel_only and target.kind == MULTICLASS:
            raise ValueError(
                "Only binary classification is supported. The type of the target is "
                "multiclass. Unknown label type: multiclass. Pass two classes or a "
                "label matrix."
            )
        if self._is_prefit() and target.kind != MULTILABEL:
            target = replace(target, classes=self._fitted_estimator().classes_)
            target = replace(target, values=encode_like(y, target))
        n_labels = None if target.kind != MULTILABEL else target.n_outputs
        weight = check_weights(
            sample_weight, n_samples_of(X), n_labels, label_names=target.label_names
        )
        return X, y, target, weight

    def _is_prefit(self):
        return isinstance(getattr(self, "cv", None), str) and self.cv == "prefit"

    def _fitted_estimator(self):
        check_is_fitted(
            self.estimator,
            msg="With cv='prefit' the estimator must be fitted: call its fit on other "
            "rows first, or set cv to a number of folds.",
        )
        return self.estimator

    def _route(self, sample_weight, params):
        """Return which parameters go to the classifier and which to the splitter."""
        if get_config()["enable_metadata_routing"]:
            return process_routing(self, "fit", sample_weight=sample_weight, **params)
        if sample_weight is not None:
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
        """Return the classifier, fitted on all rows; keep what its target was."""
        if self._is_prefit():
            fitted = self._fitted_estimator()
        else:
            fitted = clone(self.estimator).fit(X, y, **routed.estimator.fit)
        self._keep(target, fitted)
        return fitted

    def _keep(self, target, fitted):
        self._target = replace(target, values=None)
        self.classes_ = target.classes
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(fitted, name):
                setattr(self, name, getattr(fitted, name))

    @property
    def _n_labels(self):
        """Number of labels, None for a target of classes."""
        return len(self.classes_) if self._target.kind == MULTILABEL else None

    def _fit_folds(self, X, y, target, method, routed, random_state=None):
        """Fit a clone in each fold; return rows and scores of each, and the clones."""
        y_split = _to_split(y, target)
        folds = make_folds(self.cv, y_split, random_state)
        n_labels = target.n_outputs if target.kind == MULTILABEL else None
        splits = list(folds.split(X, y_split, **routed.splitter.split))
        if target.kind == MULTILABEL:
            _warn_lacking(target.values, splits)
        answers = Parallel(n_jobs=self.n_jobs)(
            delayed(_scored_fold)(
                self.estimator, X, y, *rows, method, n_labels, routed.estimator.fit
            )
            for rows in splits
        )
        fitted, scores = zip(*answers, strict=True)
        return [test for _, test in splits], list(scores), list(fitted)

    def _held_out_scores(self, X, y, target, method, routed, random_state=None):
        """Return scores of rows that did not train what scored them, and the rows."""
        if self._is_prefit():
            n_labels = target.n_outputs if target.kind == MULTILABEL else None
            rows = np.arange(n_samples_of(X))
            return rows, label_scores(self._fitted_estimator(), X, method, n_labels)
        rows, scores, _ = self._fit_folds(X, y, target, method, routed, random_state)
        return np.concatenate(rows), np.concatenate(scores)

    # ----------------------------------------------------------------------
    # Answers

    def _as_target(self, decided):
        """Return decisions in the form of the target."""
        if self._target.kind == BINARY:
            return self.classes_[decided[:, 0].astype(int)]
        decided = decided.astype(self._target.dtype)
        if self._target.sparse_type is None:
            return decided
        return self._target.sparse_type(sp.csr_array(decided))

    # ----------------------------------------------------------------------
    # scikit-learn

    def get_metadata_routing(self):
        """Tell where the parameters of `fit` go.

        Returns
        -------
        routing : MetadataRouter
            To the classifier, and to the splitter.
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
        if inner.classifier_tags is not None:
            tags.classifier_tags.multi_label = inner.classifier_tags.multi_label
        tags.classifier_tags.multi_class = not self._binary_or_multilabel_only
        return tags
