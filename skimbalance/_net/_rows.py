"""Rows on their way to the net: stored as they came, dense one batch at a time.

No array is converted or copied as a whole. Rows are gathered for many batches at once,
scaled in place and handed out as slices, so that a step pays neither for a call per row
nor for a scaled copy of the data.
"""

import copy
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch

from skimbalance._entry_weights import SparseWeights
from skimbalance._net._dataset import DatasetRows
from skimbalance.modules import SparseRows

# Rows that are gathered at once.
_CHUNK_BYTES = 2**20
# Below this share of stored values a sparse product is quicker than a dense one.
_SPARSE_DENSITY = 0.04


class Batch(NamedTuple):
    """What a step reads; `labels` is int8 with -1 for a missing label.

    `share` is the weight of the mean loss of these rows in the loss of a step, and
    `first` and `last` tell where in the step they stand: more than one batch makes a
    step when gradients accumulate.
    """

    x: torch.Tensor | SparseRows
    labels: torch.Tensor | None
    weight: torch.Tensor | None
    share: float = 1.0
    first: bool = True
    last: bool = True


def _moved(array, dtype, device):
    """Return an array as a tensor of a dtype on a device, by pinned memory to CUDA."""
    tensor = torch.as_tensor(array)
    if dtype.itemsize < tensor.dtype.itemsize:
        tensor = tensor.to(dtype)
    if device.type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    return tensor.to(device=device, dtype=dtype, non_blocking=True)


def _as_memory(array):
    """Return an array as a tensor, which gathers on all threads, if it lies in memory.

    What is only read, from a file as a rule, stays what it is.
    """
    in_memory = isinstance(array, np.ndarray) and array.flags.writeable
    if not in_memory or min(array.strides) < 0:
        return array
    return torch.from_numpy(array)


class _DenseSource:
    """An array whose rows are gathered as a tensor."""

    def __init__(self, array, dtype, device, center=None, scale=None):
        self.array, self.dtype, self.device = _as_memory(array), dtype, device
        self.center = None if center is None else self._tensor(center)
        self.scale = None if scale is None else self._tensor(scale)

    def _tensor(self, array):
        return _moved(array, self.dtype, self.device)

    @property
    def row_bytes(self):
        """Roughly what a gathered row takes."""
        return int(np.prod(self.array.shape[1:])) * self.dtype.itemsize

    batch_row_bytes = row_bytes

    def move(self):
        """Put the whole array on the device, for good."""
        if sp.issparse(self.array):
            self.array = _ResidentRows(self.array, self.device)
        elif not isinstance(self.array, DatasetRows):
            self.array = torch.as_tensor(self.array).to(self.device)

    def gather(self, index):
        rows = self._tensor(self._rows(index))
        if self.center is not None:
            rows = rows.sub_(self.center)
        return rows if self.scale is None else rows.div_(self.scale)

    def _rows(self, index):
        if isinstance(self.array, torch.Tensor):
            return self.array.index_select(
                0, torch.from_numpy(index).to(self.array.device)
            )
        if hasattr(self.array, "toarray"):
            return self.array[index].toarray()
        return self.array.take(index, axis=0)


class _ResidentRows:
    """A CSR array on a device, from which rows are taken without waiting for it."""

    def __init__(self, array, device):
        self.shape, self.nnz, self.device = array.shape, array.nnz, device
        self.indptr = array.indptr.astype(np.int64)
        self.indices = torch.as_tensor(array.indices).to(device)
        self.data = torch.as_tensor(array.data).to(device)

    def __getitem__(self, index):
        start = self.indptr[index]
        length = self.indptr[index + 1] - start
        indptr = np.concatenate([[0], np.cumsum(length)])
        shift = np.stack([start - indptr[:-1], length])
        shift = _moved(shift, torch.int64, self.device)
        place = torch.arange(indptr[-1], device=self.device)
        place += torch.repeat_interleave(*shift, output_size=int(indptr[-1]))
        rows = copy.copy(self)
        rows.shape, rows.indptr = (len(index), self.shape[1]), indptr
        rows.indices, rows.data = self.indices[place], self.data[place]
        return rows

    def toarray(self):
        row = np.repeat(np.arange(self.shape[0]), np.diff(self.indptr))
        row = _moved(row, torch.int64, self.device)
        dense = self.data.new_zeros(self.shape)
        dense[row, self.indices.long()] = self.data
        return dense


class _DenseChunk:
    """Gathered rows of a CSR array; a slice of them is a dense tensor."""

    def __init__(self, rows, source):
        self.width, self.base = rows.shape[1], source.base
        self.indptr = rows.indptr.astype(np.int64)
        row = np.repeat(np.arange(rows.shape[0]), np.diff(self.indptr))
        self.place = _moved(row, torch.int64, source.device).mul_(self.width)
        self.place += torch.as_tensor(rows.indices).to(source.device)
        self.values = source.values(rows)

    def __getitem__(self, rows):
        cells = slice(self.indptr[rows.start], self.indptr[rows.stop])
        n_rows = rows.stop - rows.start
        block = self.values.new_full((n_rows * self.width,), self.base)
        block[self.place[cells] - rows.start * self.width] = (
            self.values[cells] + self.base
        )
        return block.reshape(n_rows, self.width)


class _SparseChunk:
    """Gathered rows of a CSR array; a slice of them stays sparse."""

    def __init__(self, rows, source):
        self.indptr, self.width = rows.indptr, rows.shape[1]
        self.indices = torch.as_tensor(rows.indices).to(source.device)
        offsets = torch.as_tensor(rows.indptr)
        self.offsets = _moved(offsets, self.indices.dtype, source.device)
        self.values = source.values(rows)

    def __getitem__(self, rows):
        cells = slice(self.indptr[rows.start], self.indptr[rows.stop])
        offsets = self.offsets[rows] - int(cells.start)
        return SparseRows(self.indices[cells], offsets, self.values[cells], self.width)


class _SparseSource:
    """A CSR array whose rows become dense batch by batch, or stay sparse."""

    def __init__(self, array, dtype, device, scale=None, base=0, chunk=_DenseChunk):
        self.array, self.dtype, self.device = array, dtype, device
        self.scale, self.base, self.chunk = scale, base, chunk

    @property
    def row_bytes(self):
        """Roughly what a gathered row takes."""
        return 16 * self.array.nnz // max(1, self.array.shape[0])

    @property
    def batch_row_bytes(self):
        """Roughly what a row takes as the net reads it."""
        if self.chunk is _SparseChunk:
            return self.row_bytes
        return self.array.shape[1] * self.dtype.itemsize

    def move(self):
        """Put the whole array on the device, for good."""
        self.array = _ResidentRows(self.array, self.device)

    def values(self, rows):
        """Return the stored values of gathered rows as the net reads them."""
        values = _moved(rows.data, self.dtype, self.device)
        return values if self.scale is None else values / self.scale

    def gather(self, index):
        return self.chunk(self.array[index], self)


def input_source(X, dtype, device, center=None, scale=None, keep_sparse=False):
    """Return the source of inputs, shifted by `center` and divided by `scale`.

    With `keep_sparse`, batches of a CSR `X` are `SparseRows` if so few values are
    stored that this is quicker than dense ones.
    """
    if not sp.issparse(X) or center is not None:
        return _DenseSource(X, dtype, device, center, scale)
    few = X.nnz <= _SPARSE_DENSITY * X.shape[0] * X.shape[1]
    chunk = _SparseChunk if keep_sparse and few else _DenseChunk
    return _SparseSource(X, dtype, device, scale, chunk=chunk)


def label_source(labels, device):
    """Return the source of a label matrix or of class indices."""
    if sp.issparse(labels):
        return _SparseSource(labels, torch.int8, device)
    dtype = torch.int8 if labels.ndim == 2 else torch.int64
    return _DenseSource(labels, dtype, device)


def weight_source(weight, dtype, device):
    """Return the source of the weights of rows or entries."""
    if weight is None:
        return None
    if isinstance(weight, SparseWeights):
        return _SparseSource(weight.excess, dtype, device, base=weight.base)
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
        return 8 + sum(s.row_bytes for s in self.sources if s is not None)

    @property
    def batch_row_bytes(self):
        """Roughly what a row of inputs takes as the net reads it."""
        return self.sources[0].batch_row_bytes

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
    accumulate : int
        How many batches make a step of the optimizer.
    part : pair of int
        Rank of this process and number of processes: each takes its share of the rows
        of every batch.
    """

    def __init__(
        self,
        rows,
        batch_size,
        shuffle=False,
        num_workers=0,
        accumulate=1,
        part=(0, 1),
    ):
        self.rows, self.shuffle, self.num_workers = rows, shuffle, num_workers
        self.accumulate, self.part = accumulate, part
        n_batches = -(-len(rows) // batch_size)
        if len(rows) // n_batches < part[1]:
            raise ValueError(
                f"batch_size={batch_size} is too small: each of {part[1]} processes "
                "needs a row of every batch."
            )
        self.bounds = -(-np.arange(n_batches + 1) * len(rows) // n_batches)

    def __len__(self):
        return len(self.bounds) - 1

    def __iter__(self):
        n_rows, (rank, world) = len(self.rows), self.part
        order = torch.randperm(n_rows).numpy() if self.shuffle else np.arange(n_rows)
        batches = [order[start:stop][rank::world] for start, stop in self._spans(1)]
        at_once = max(1, _CHUNK_BYTES // (batches[-1].size * self.rows.row_bytes))
        chunks = [
            batches[start : start + at_once] for start in range(0, len(self), at_once)
        ]
        places, indices = self._places(), map(np.concatenate, chunks)
        for chunk, parts in zip(chunks, self._gathered(indices), strict=True):
            ends = np.cumsum([0, *map(len, chunk)])
            for start, stop in pairwise(ends):
                cuts = (None if part is None else part[start:stop] for part in parts)
                yield Batch(*cuts, *next(places))

    def _spans(self, n_batches):
        """Return where runs of so many batches start and stop."""
        return pairwise([*self.bounds[:-1:n_batches], self.bounds[-1]])

    def _places(self):
        """Yield share, first and last of each batch, as in `Batch`."""
        group, (rank, world) = self.accumulate, self.part
        steps = [stop - start for start, stop in self._spans(group)]
        for number, (start, stop) in enumerate(self._spans(1)):
            own = len(range(start + rank, stop, world))
            # Processes are averaged as if their shares were equal.
            share = own * world / steps[number // group]
            first = number % group == 0
            yield share, first, number % group == group - 1 or stop == len(self.rows)

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
