"""What the skorch net asks of the estimator: rows, targets and answers."""

from functools import partial

import numpy as np

from skimbalance._validation import BINARY, MISSING, MULTILABEL, encode_like
from skimbalance.neural_network._data import EncodedRows


class NetOutputs:
    """Give a skorch net the inputs, targets and answers of its estimator.

    Parameters
    ----------
    estimator : BaseImbalancedNet
        As it is when this is made; it is copied without its net, so that a net alone
        can be stored and no reference cycle keeps its memory.
    """

    def __init__(self, estimator):
        self.estimator = object.__new__(type(estimator))
        vars(self.estimator).update(
            vars(estimator), net_=None, accelerator=None, callbacks=None
        )

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
        if y is not None:
            y = encode_like(_in_numpy(y), self.estimator._target, "y")
        index = np.arange(X.shape[0])
        return self.estimator._as_read(EncodedRows(X, y, None, index), net)

    def probabilities(self, raw):
        """Return the probabilities of raw scores, as `predict_proba` does."""
        return self.estimator._class_probabilities(raw)

    def decisions(self, raw):
        """Return the decisions on raw scores, as `predict` does."""
        return self.estimator._class_predictions(raw)


def decoder(target):
    """Return a function from encoded labels to targets as the user passed them."""
    return partial(_decoded, target.kind, target.classes, target.is_flipped)


def _decoded(kind, classes, is_flipped, labels):
    if kind == MULTILABEL:
        missing = labels == MISSING
        return np.where(missing, np.nan, labels) if missing.any() else labels
    if kind == BINARY:
        labels = labels.ravel()
        labels = 1 - labels if is_flipped else labels
    return classes[labels]


def _in_numpy(array):
    """Return a tensor, as skorch takes them, as an array."""
    return array.numpy(force=True) if hasattr(array, "numpy") else array
