"""Inputs that a torch dataset reads or computes row by row."""

import numpy as np


class DatasetRows:
    """A map-style torch dataset, read like an array of inputs.

    Parameters
    ----------
    dataset : torch.utils.data.Dataset
        Items are inputs, or tuples that begin with one.
    """

    def __init__(self, dataset):
        self.dataset = dataset
        first = self._input(0)
        self.shape, self.dtype = (len(dataset), *first.shape), first.dtype
        self.size = int(np.prod(self.shape))
        self.nbytes = self.size * self.dtype.itemsize

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        return self.take(index)

    def take(self, index, axis=0):  # noqa: ARG002
        """Return some rows as an array."""
        rows = [self._input(int(row)) for row in index]
        for row in rows:
            if row.shape != self.shape[1:]:
                raise ValueError(
                    f"The items of the Dataset differ in shape: {row.shape} and "
                    f"{self.shape[1:]}. Pad or crop them to one length."
                )
        return np.stack(rows)

    def _input(self, row):
        item = self.dataset[row]
        return np.asarray(item[0] if isinstance(item, (tuple, list)) else item)
