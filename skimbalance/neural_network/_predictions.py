"""The arrays that the estimators predict, and warnings about them."""

from numbers import Real
from typing import Any

import numpy as np
import scipy.sparse as sp

from skimbalance._base import warn_undefined, warn_user
from skimbalance._labels import BINARY, MULTILABEL
from skimbalance.exceptions import NoPositivePredictedWarning
from skimbalance.thresholds._rules import Given, resolve_rule

_SELDOM_PREDICTED = (
    "calibrated probabilities of {} seldom exceed {}. Set threshold to a rule that "
    "fits your metric, such as 'f_beta'{}; set_params does it without another fit. Or "
    "wrap the estimator in a classifier of skimbalance.thresholds."
)
_OF_LABELS = " (macro F1) or 'micro_f_beta' (micro F1)"


def answer_dtype(X):
    """Return the dtype of what is predicted: float32 for such inputs, else float64."""
    return np.float32 if X.dtype == np.float32 else np.float64


def stacked(blocks, n_rows, dtype):
    """Concatenate blocks, holding one at a time."""
    out, start = None, 0
    for block in blocks:
        if out is None:  # the first block shows the number of columns
            out = np.empty((n_rows, *block.shape[1:]), dtype=dtype)
        out[start : start + len(block)] = block
        start += len(block)
    return out


def top_k(proba, k):
    """Return columns and values of the k largest of each row, in descending order."""
    # A partition first, so that only k columns have to be sorted.
    top = np.argpartition(proba, proba.shape[1] - k, axis=1)[:, -k:]
    order = np.argsort(-np.take_along_axis(proba, top, axis=1), axis=1, kind="stable")
    top = np.take_along_axis(top, order, axis=1)
    return top, np.take_along_axis(proba, top, axis=1)


def label_matrix(blocks, n_rows, target):
    """Stack predicted blocks in the container and the dtype of the fitted `y`.

    Parameters
    ----------
    blocks : iterable of ndarray of bool, shape (n_block_rows, n_labels)
    n_rows : int
    target : Target
    """
    if target.sparse_type is None:
        return stacked(blocks, n_rows, target.dtype)
    blocks = [sp.csr_array(block.astype(target.dtype)) for block in blocks]
    return target.sparse_type(sp.vstack(blocks))


def warn_few_predicted(predicted, estimator):
    """Warn where thresholds are numbers, and few probabilities exceed them.

    A rule serves a metric or costs, for which to predict nothing may be right.
    """
    rule, target = resolve_rule(estimator.threshold), estimator._target
    if not isinstance(rule, Given):
        return
    is_number = isinstance(rule.value, Real)
    shown = f"a threshold of {rule.value:g}" if is_number else "their thresholds"
    if target.kind == MULTILABEL:
        _warn_no_label(predicted, estimator._fraction_without_label, shown)
    elif target.kind == BINARY and len(target.classes) == 2:
        positive = target.classes[target.positive]
        _warn_no_positive(predicted, positive, estimator.prior_[0], shown)


def _warn_no_label(labels, fraction_without_label, thresholds):
    """Warn if most rows got no label, though most rows of the training have one."""
    n_rows = labels.shape[0]
    n_empty = n_rows - np.count_nonzero(np.asarray(labels.sum(axis=1)))
    if n_empty > n_rows / 2 > 0 and fraction_without_label <= 0.5:
        why = _SELDOM_PREDICTED.format("rare labels", thresholds, _OF_LABELS)
        warn_user(
            f"{n_empty} of {n_rows} rows got no label: {why}",
            NoPositivePredictedWarning,
        )


def _warn_no_positive(predicted, positive, prior, threshold):
    """Warn if no row is predicted positive where at least one positive is expected."""
    n_rows = len(predicted)
    # With fewer expected positives, none is no surprise.
    if n_rows * prior >= 1 and not (predicted == positive).any():
        shown = positive.item() if isinstance(positive, np.generic) else positive
        why = _SELDOM_PREDICTED.format("a rare class", threshold, "")
        warn_user(
            f"No positive is predicted among {n_rows} rows, where one expects "
            f"{prior:.2%} of class {shown!r}: {why}",
            NoPositivePredictedWarning,
        )


def warn_constant(trained):
    """Warn of labels that have one value only in `y`."""
    if trained.all():
        return
    columns = np.flatnonzero(~trained)
    shown = ", ".join(map(str, columns[:5])) + (", ..." if len(columns) > 5 else "")
    warn_undefined(
        f"{len(columns)} of {len(trained)} labels have one value only in y (columns "
        f"{shown}); they are left out of the training and predicted as a constant."
    )


class NetOutputs:
    """Give a skorch net the inputs, targets and predictions of its estimator.

    Parameters
    ----------
    estimator : BaseImbalancedNet
        As it is when this is made; it is copied without its net, so that a net alone
        can be stored and no reference cycle keeps its memory.
    """

    def __init__(self, estimator):
        self.estimator: Any = object.__new__(type(estimator))
        vars(self.estimator).update(
            vars(estimator), net_=None, accelerator=None, callbacks=None
        )
        # Callbacks of scikit-learn, and what they know of the running fit, hold data.
        for name in [name for name in vars(self.estimator) if "_callback" in name]:
            del vars(self.estimator)[name]

    @property
    def classes(self):
        """The classes of the estimator."""
        return self.estimator.classes_

    def rows(self, net, X, y=None):
        """Return inputs and targets as the estimator takes them, as the net reads them.

        Parameters
        ----------
        net : Net
        X : {array-like, sparse matrix, data frame, Tensor or Dataset}
            Inputs, which are scaled here.
        y : {array-like, sparse matrix, data frame, Tensor} or None
            Targets.
        """
        X = self.estimator._check_inputs(_in_numpy(X), reset=False)
        y = None if y is None else self.estimator._encode_y(_in_numpy(y))
        rows = self.estimator._plain_rows(X, y)
        read = self.estimator._as_read(rows, net)
        if y is not None:
            read.row_params = self.estimator._output.row_params(rows)
        return read

    def probabilities(self, raw):
        """Return the probabilities of raw scores, as `predict_proba` does."""
        return self.estimator._output.class_probabilities(raw)

    def predictions(self, raw):
        """Return the predictions for raw scores, as `predict` does."""
        predicted, target = self.estimator._predictor()(raw), self.estimator._target
        is_labels = target.kind == MULTILABEL
        return predicted.astype(target.dtype) if is_labels else predicted


def _in_numpy(array):
    """Return a tensor, as skorch takes them, as an array."""
    return array.numpy(force=True) if hasattr(array, "numpy") else array
