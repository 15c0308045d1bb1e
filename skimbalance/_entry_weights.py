"""Weights of the entries of a label matrix that are never densified."""

import numpy as np
import scipy.sparse as sp


class SparseWeights:
    """A weight for each entry: `base`, plus what a sparse matrix stores beyond it.

    Most entries of a large label matrix weigh the same, so that only the others are
    stored. Sums add weights, each of which is at least 0: nothing is subtracted, and a
    sum is 0 only where all weights are.

    Parameters
    ----------
    excess : csr_array or csc_array of float64, shape (n_samples, n_labels)
        What the weight of an entry exceeds `base` by.
    base : float
        The weight of an entry that is not stored.
    """

    ndim = 2

    def __init__(self, excess, base=1.0):
        self.excess, self.base = excess, base

    @property
    def shape(self):
        """The numbers of rows and of labels."""
        return self.excess.shape

    @property
    def nbytes(self):
        """The size of the stored arrays."""
        excess = self.excess
        return excess.data.nbytes + excess.indices.nbytes + excess.indptr.nbytes

    @property
    def T(self):  # noqa: N802
        """The weights of the transposed label matrix."""
        return SparseWeights(self.excess.T.tocsr(), self.base)

    def __getitem__(self, index):
        return SparseWeights(self.excess[index], self.base)

    def stored(self):
        """Return the weights of the stored entries."""
        return self.base + self.excess.data

    def toarray(self):
        """Return the weights as a dense array."""
        return self.base + self.excess.toarray()

    def tocsc(self):
        """Return the weights stored by columns."""
        return SparseWeights(self.excess.tocsc(), self.base)

    def scaled(self, factor):
        """Return the weights times a number; a weight of 0 stays exactly 0."""
        return SparseWeights(self.excess * factor, self.base * factor)

    def max(self):
        """Return the largest weight."""
        n_stored, size = self.excess.nnz, np.prod(self.shape)
        return self.stored().max(initial=0.0 if n_stored == size else self.base)

    def zeros(self):
        """Return the indicator of the entries of weight 0."""
        excess = self.excess
        is_zero = (self.stored() == 0).astype(np.int8)
        zero = sp.csr_array(
            (is_zero, excess.indices.copy(), excess.indptr.copy()), shape=self.shape
        )
        zero.eliminate_zeros()
        return zero

    def sum_of(self, cells):
        """Return the weight of some entries of each column.

        Parameters
        ----------
        cells : csr_array of shape (n_samples, n_labels)
            1 for an entry that counts; no other value is stored.
        """
        n_cells = np.bincount(cells.indices, minlength=self.shape[1])
        return self._column_sums(self.excess.multiply(cells).tocsr(), n_cells)

    def sum_outside(self, cells):
        """Return the weight of all other entries of each column; see `sum_of`."""
        outside = sp.csr_array(self.excess - self.excess.multiply(cells))
        outside.eliminate_zeros()
        n_cells = np.bincount(cells.indices, minlength=self.shape[1])
        return self._column_sums(outside, self.shape[0] - n_cells)

    def _column_sums(self, excess, n_cells):
        """Sum the weights of `n_cells` entries, of which `excess` stores some."""
        size = self.shape[1]
        n_stored = np.bincount(excess.indices, minlength=size)
        stored = np.bincount(excess.indices, self.base + excess.data, size)
        return (n_cells - n_stored) * self.base + stored
