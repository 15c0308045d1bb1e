"""Rows on their way to the net: stored as they came, dense one batch at a time.

No array is converted or copied as a whole. Rows are gathered for many batches at once,
scaled in place and handed out as slices, so that a step pays neither for a call per row
nor for a scaled copy of the data.
"""

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch

_CHUNK_BYTES = 2**23


class Batch(NamedTuple):
    """What a step reads; `labels` is int8 with -1 for a missing label."""

    x: torch.Tensor
    labels: torch.Tensor | None
    weight: torch.Tensor | None


class _DenseSource:
    """An array whose rows are gathered as a tensor."""

    def __init__(self, array, dtype, device, center=None, scale=None):
        self.array, self.dtype, self.device = array, dtype, device
        self.center = None if center is None else self._tensor(center)
        self.scale = None if scale is None else self._tensor(scale)

    def _tensor(self, array):
        return torch.as_tensor(array).to(device=self.device, dtype=self.dtype)

    def gather(self, index):
        if sp.issparse(self.array):
            rows = self._tensor(self.array[index].toarray())
        else:
            rows = self._tensor(self.array.take(index, axis=0))
        if self.center is not None:
            rows = rows.sub_(self.center)
        return rows if self.scale is None else rows.div_(self.scale)


class _SparseChunk:
    """Gathered rows of a CSR array; a slice of them is a dense tensor."""

    def __init__(self, rows, source):
        self.width, self.base = rows.shape[1], source.base
        self.indptr = rows.indptr.astype(np.int64)
        row = np.repeat(np.arange(rows.shape[0]), np.diff(self.indptr))
        self.place = torch.from_numpy(row * self.width + rows.indices).to(source.device)
        values = torch.from_numpy(rows.data)
        self.values = values.to(device=source.device, dtype=source.dtype)
        if source.scale is not None:
            self.values = self.values / source.scale

    def __getitem__(self, rows):
        cells = slice(self.indptr[rows.start], self.indptr[rows.stop])
        n_rows = rows.stop - rows.start
        block = self.values.new_full((n_rows * self.width,), self.base)
        block[self.place[cells] - rows.start * self.width] = (
            self.values[cells] + self.base
        )
        return block.reshape(n_rows, self.width)


class _SparseSource:
    """A CSR array whose rows become dense batch by batch."""

    def __init__(self, array, dtype, device, scale=None, base=0):
        self.array, self.dtype, self.device = array, dtype, device
        self.scale, self.base = scale, base

    def gather(self, index):
        return _SparseChunk(self.array[index], self)


def input_source(X, dtype, device, center=None, scale=None):
    """Return the source of inputs, shifted by `center` and divided by `scale`."""
    if sp.issparse(X) and center is None:
        return _SparseSource(X, dtype, device, scale)
    return _DenseSource(X, dtype, device, center, scale)


def label_source(labels, device):
    """Return the source of a label matrix or of class indices."""
    if sp.issparse(labels):
        return _SparseSource(labels, torch.int8, device)
    dtype = torch.int8 if labels.ndim == 2 else torch.int64
    return _DenseSource(labels, dtype, device)


def weight_source(weight, dtype, device):
    """Return the source of weights; a sparse matrix holds the excess over one."""
    if weight is None:
        return None
    if sp.issparse(weight):
        return _SparseSource(weight, dtype, device, base=1)
    return _DenseSource(weight, dtype, device)


class RowSet:
    """Inputs, labels and weights of the same rows, or of some of them.

    Parameters
    ----------
    rows : ndarray of int
        Which rows of the sources.
    x, labels, weight : source or None
        From `input_source`, `label_source` and `weight_source`.
    """

    def __init__(self, rows, x, labels=None, weight=None):
        self.rows, self.sources = rows, (x, labels, weight)

    def __len__(self):
        return len(self.rows)

    @property
    def row_bytes(self):
        """Roughly what a gathered row takes."""
        widths = [np.prod(s.array.shape[1:]) for s in self.sources if s is not None]
        return 8 * int(sum(widths)) + 8

    def gather(self, index):
        """Return the gathered parts of some rows, to be cut into batches."""
        index = self.rows[index]
        return [None if s is None else s.gather(index) for s in self.sources]


class Batches:
    """Iterate over a `RowSet` in batches of nearly equal size.

    A last batch of a handful of rows would weigh as much as a full one, and a single
    row breaks batch normalisation; so the rows are spread evenly.

    Parameters
    ----------
    rows : RowSet
    batch_size : int
        At most so many rows each.
    shuffle : bool
        A new order in each pass, from torch's generator.
    num_workers : int
        Threads that gather ahead; 0 gathers in step.
    """

    def __init__(self, rows, batch_size, shuffle=False, num_workers=0):
        self.rows, self.shuffle, self.num_workers = rows, shuffle, num_workers
        self.n_batches = -(-len(rows) // batch_size)
        self.batch_size = -(-len(rows) // self.n_batches)

    def __len__(self):
        return self.n_batches

    def __iter__(self):
        n_rows, size = len(self.rows), self.batch_size
        order = torch.randperm(n_rows).numpy() if self.shuffle else np.arange(n_rows)
        step = size * max(1, _CHUNK_BYTES // (size * self.rows.row_bytes))
        chunks = [order[start : start + step] for start in range(0, n_rows, step)]
        for index, parts in zip(chunks, self._gathered(chunks), strict=True):
            for start in range(0, len(index), size):
                cut = slice(start, min(start + size, len(index)))
                yield Batch(*(None if part is None else part[cut] for part in parts))

    def _gathered(self, chunks):
        if not self.num_workers:
            yield from map(self.rows.gather, chunks)
            return
        with ThreadPoolExecutor(self.num_workers) as pool:
            ahead = deque()
            for chunk in chunks:
                ahead.append(pool.submit(self.rows.gather, chunk))
                if len(ahead) > self.num_workers:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
