"""The input stage of the default net.

Nets train badly on columns of different scale, so the default net standardises its
input with statistics of its training part. Rows are scaled batch by batch: no scaled
copy of the data is ever made.
"""

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted, validate_data

from skimbalance._validation import check_weights

__all__ = [
    "InputScaler",
]

_CHUNK_ROWS = 8192


class InputScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Standardise dense columns; bring sparse rows to a common size.

    A dense column is centred and divided by its standard deviation. A sparse matrix is
    multiplied by one number, so that the mean square of its cells is 1: centring would
    densify it, and dividing a rare column by its deviation would blow it up.

    Attributes
    ----------
    center_ : ndarray of shape (n_features,) or None
        What is subtracted; None after fitting on a sparse matrix.

    scale_ : ndarray of shape (n_features,) or float
        What the rest is divided by.

    n_features_in_ : int
        Number of columns seen in `fit`.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, when they are strings.

    See Also
    --------
    sklearn.preprocessing.StandardScaler : What is used for dense columns.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.preprocessing import InputScaler
    >>> InputScaler().fit_transform(np.array([[0.0, 5.0], [2.0, 5.0]]))
    array([[-1.,  0.],
           [ 1.,  0.]])
    """

    def fit(self, X, y=None, sample_weight=None):  # noqa: ARG002
        """Learn the centre and the scale.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Read in chunks of rows, never copied as a whole.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        self : InputScaler
            The fitted transformer.

        Raises
        ------
        ValueError
            If `X` is empty or not finite.
        """
        X = validate_data(self, X, accept_sparse="csr")
        sample_weight = check_weights(sample_weight, X.shape[0])
        if sp.issparse(X):
            self.center_, self.scale_ = None, _common_scale(X, sample_weight)
            return self
        scaler = StandardScaler()
        for start in range(0, X.shape[0], _CHUNK_ROWS):
            rows = slice(start, start + _CHUNK_ROWS)
            weight = None if sample_weight is None else sample_weight[rows]
            scaler.partial_fit(X[rows], sample_weight=weight)
        self.center_, self.scale_ = scaler.mean_, scaler.scale_
        return self

    def transform(self, X):
        """Return the scaled rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows of the kind that was fitted.

        Returns
        -------
        ndarray or csr_array of shape (n_samples, n_features)
            A scaled copy.

        Raises
        ------
        ValueError
            If `X` has another number of columns.
        """
        check_is_fitted(self)
        X = validate_data(
            self,
            X,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            reset=False,
        )
        if sp.issparse(X) and self.center_ is not None:
            X = X.toarray()
        return (X if self.center_ is None else X - self.center_) / self.scale_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _common_scale(X, sample_weight):
    largest = np.abs(X.data).max(initial=0)
    if largest == 0:
        return 1.0
    # In units of the largest value, no square is beyond the range of its dtype.
    units = sp.csr_array((X.data / np.float64(largest), X.indices, X.indptr), X.shape)
    squares = units.multiply(units).sum(axis=1)
    mean = np.average(np.asarray(squares).ravel(), weights=sample_weight) / X.shape[1]
    return float(np.sqrt(mean) * largest) if mean > 0 else 1.0
