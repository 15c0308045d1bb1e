"""The rows of a fit as the net reads them, from the encoded arrays to the batches.

A `RowSet` is an index into arrays that are encoded once and never copied, and `Batches`
hands it out. No array is converted or copied as a whole: rows are gathered
for many batches at once, scaled in place and handed out as slices, so that a step pays
neither for a call per row nor for a scaled copy of the data. Items of a torch dataset
are read or computed row by row.
"""

import copy
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from skorch.dataset import Dataset

from skimbalance._counts import SparseWeights
from skimbalance.modules import SparseRows
from skimbalance.preprocessing import _CLIP, InputEncoder

# The least scale that float32 holds with all its digits.
_TINY_SINGLE = np.finfo(np.float32).tiny
# Bytes of the rows gathered at once.
_CHUNK_BYTES = 2**20
# How many times as many on CUDA, where the calls of a gathering outlast its kernels.
_CUDA_CHUNKS = 16
# Below this fraction of stored values a sparse product is quicker than a dense one.
_SPARSE_DENSITY = 0.04


class BatchTargets(torch.Tensor):
    """The second item of a batch: the labels as a tensor, and what goes with them.

    Labels are int8 with -1 for a missing one, or class indices. To NumPy, as callbacks
    of skorch convert them, they are the targets as the user passed them.

    Attributes
    ----------
    labels : Tensor
        The same labels as a plain tensor, which torch computes with faster.
    weight : Tensor or None
        Weights of rows or entries.
    fraction : float
        Weight of the mean loss of these rows in the loss of a step.
    first, last : bool
        Where in the step the batch stands: more than one batch makes a step when
        gradients accumulate.
    fold : Tensor of int64 or None
        Of each row, the member that does not train on it.
    share : Tensor of shape (n_members,) or None
        The rows of a batch over those that each member trains on, where several
        processes share the batch.
    member : int or None
        The only member that scores these rows, as it does not train on them.
    importance : Tensor of shape (n_rows, n_members) or None
        The weight of each drawn row for each member, 0 where it does not train on it.
    """

    # Without it each operation on the labels would look for an override in Python.
    __torch_function__: Any = torch._C._disabled_torch_function_impl

    labels: torch.Tensor
    weight: torch.Tensor | None
    decode = fold = member = share = importance = None

    def cpu(self):  # type: ignore[override]  # of torch's generated stubs
        """Return the targets in the memory of the CPU."""
        if self.device.type == "cpu":
            return self
        return _with_labels(self.labels.cpu(), self)

    def numpy(self):  # type: ignore[override]
        """Return the targets as the user passed them."""
        labels = self.labels.numpy()
        return labels if self.decode is None else self.decode(labels)


def _with_labels(labels, like):
    """Return labels with the attributes of other batch targets."""
    targets = labels.as_subclass(BatchTargets)
    vars(targets).update(vars(like), labels=labels)
    return targets


def batch_targets(labels, weight, place, decode, fold=None, member=None):
    """Return labels, weights and the place in a step as the second item of a batch."""
    if labels is None:
        return None
    targets = labels.as_subclass(BatchTargets)
    targets.labels, targets.weight, targets.decode = labels, weight, decode
    targets.fraction, targets.first, targets.last = place
    targets.fold, targets.member = fold, member
    return targets


def weigh_drawn(y, weight):
    """Add the weights of drawn rows to the targets of a batch.

    Parameters
    ----------
    y : BatchTargets
    weight : Tensor of shape (n_rows,) or (n_rows, n_members)
    """
    if weight.ndim == 2:
        y.importance = weight
    elif y.weight is None:
        y.weight = weight
    else:
        y.weight = y.weight * (weight if y.weight.ndim == 1 else weight.unsqueeze(1))


def _moved(array, dtype, device):
    """Return an array as a tensor on a device, for CUDA through pinned memory."""
    tensor = torch.as_tensor(array)
    if dtype.itemsize < tensor.dtype.itemsize:
        tensor = tensor.to(dtype)  # before it goes to the device: fewer bytes to copy
    if device.type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    return tensor.to(device=device, dtype=dtype, non_blocking=True)


def _as_memory(array):
    """Return an array as a tensor, which gathers on all threads, if it lies in memory.

    A read-only array, as a rule a memory map of a file, is returned as it is.
    """
    # torch warns of arrays that it could write to, and takes no negative strides.
    in_memory = isinstance(array, np.ndarray) and array.flags.writeable
    if not in_memory or min(array.strides) < 0:
        return array
    return torch.from_numpy(array)


class _DenseSource:
    """An array whose rows are gathered as a tensor."""

    def __init__(self, array, dtype, device):
        self.array: Any = _as_memory(array)
        self.dtype, self.device = dtype, device

    @property
    def row_bytes(self):
        """About how many bytes a gathered row takes."""
        return int(np.prod(self.array.shape[1:])) * self.dtype.itemsize

    @property
    def batch_row_bytes(self):
        """About how many bytes a row takes as the net reads it."""
        return int(np.prod(self.row_shape)) * self.dtype.itemsize

    @property
    def row_shape(self):
        """The shape of a row as the net reads it."""
        return self.array.shape[1:]

    def move(self):
        """Put the whole array on the device, for good."""
        if sp.issparse(self.array):
            self.array = _ResidentRows(self.array, self.device)
        elif not isinstance(self.array, DatasetRows):
            self.array = torch.as_tensor(self.array).to(self.device)

    def gather(self, index):
        return _moved(self._rows(index), self.dtype, self.device)

    def _rows(self, index):
        """Return a copy of some rows, where the array lies."""
        if isinstance(self.array, torch.Tensor):
            index = _moved(index, torch.int64, self.array.device)
            return self.array.index_select(0, index)
        if hasattr(self.array, "toarray"):
            return torch.as_tensor(self.array[index].toarray())
        return torch.as_tensor(self.array.take(index, axis=0))


class _InputSource(_DenseSource):
    """An array of inputs, which are scaled in their own precision and then converted.

    Times in seconds since 1970 differ by less than the rounding of float32.
    """

    def __init__(self, array, dtype, device, center=None, scale=None):
        super().__init__(array, dtype, device)
        wide = dtype is torch.float32 and not _scales_in_single(array, center, scale)
        self.exact_dtype = torch.float64 if wide else dtype
        self.center, self.scale = (
            None if part is None else torch.as_tensor(part).to(self.exact_dtype)
            for part in (center, scale)
        )

    def gather(self, index):
        rows = self._rows(index)
        if self.exact_dtype is self.dtype:
            return self._scaled(_moved(rows, self.dtype, self.device))
        rows = self._scaled(rows.to(self.exact_dtype))
        _check_range(rows, self.dtype)
        return _moved(rows, self.dtype, self.device)

    def _scaled(self, rows):
        if self.center is not None:
            rows = rows.sub_(self._on_device_of(rows, "center"))
        if self.scale is not None:
            rows = rows.div_(self._on_device_of(rows, "scale"))
        return rows

    def _on_device_of(self, rows, name):
        """Return a statistic on the device of the rows, and keep it there."""
        statistic = getattr(self, name).to(rows.device)
        setattr(self, name, statistic)
        return statistic


class _EncodedSource(_DenseSource):
    """An array whose rows are encoded as by `InputEncoder.transform`.

    In float64, and on the device: encoded rows have up to nine times as many values.

    Parameters
    ----------
    encoder : InputEncoder
        Fitted.
    """

    def __init__(self, array, dtype, device, encoder):
        super().__init__(array, dtype, device)
        self.n_outputs = encoder._n_outputs
        self.parts: Any = {"scale": torch.as_tensor(encoder.scale_)}
        if encoder.center_ is not None:
            self.parts |= {
                "center": torch.as_tensor(encoder.center_),
                "column": torch.as_tensor(encoder._bin_column),
                "start": torch.as_tensor(encoder._bin_start),
                "width": torch.as_tensor(encoder._bin_width),
                "mean": torch.as_tensor(encoder._bin_mean),
                "incomplete": _places(encoder.has_missing_),
            }
        if encoder.is_categorical_.any():
            self.parts["numbers"] = _places(~encoder.is_categorical_)
            self.parts["codes"] = _places(encoder.is_categorical_)
        self.has_missing = True
        if not isinstance(array, DatasetRows):
            # Infinite where values are missing, or where the sum overflows, too.
            with np.errstate(all="ignore"):
                self.has_missing = not np.isfinite(array.sum())

    @property
    def row_bytes(self):
        return int(np.prod(self.row_shape)) * 8

    @property
    def row_shape(self):
        return (self.n_outputs,)

    def gather(self, index):
        rows = self._rows(index)
        rows = _moved(rows, rows.dtype, self.device).double()
        if self.parts["scale"].device != rows.device:  # stay there from now on
            self.parts = {key: part.to(rows.device) for key, part in self.parts.items()}
        return self._encoded(rows).to(self.dtype)

    def _encoded(self, rows):
        scale, center = self.parts["scale"], self.parts.get("center")
        if center is None:
            rows = rows.div_(scale)
            length = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
            length = torch.where(length > 0, length, 1.0)
            return rows.mul_(rows.shape[1] ** 0.5 / length)
        out = rows.new_empty(len(rows), self.n_outputs)
        if "codes" in self.parts:
            codes = self.parts["codes"]
            out[:, self.n_outputs - len(codes) :] = rows.index_select(1, codes)
            rows = rows.index_select(1, self.parts["numbers"])
        column, n_features = self.parts["column"], rows.shape[1]
        n_scaled = n_features + len(column)
        places = self.parts["incomplete"]
        indicators = out[:, n_scaled : n_scaled + len(places)].zero_()
        if self.has_missing:
            missing = rows.isnan()
            indicators.copy_(missing.index_select(1, places))
            rows = torch.where(missing, center, rows)
        bins = torch.index_select(rows, 1, column)
        bins.sub_(self.parts["start"]).div_(self.parts["width"]).clamp_(0, 1)
        torch.sub(bins, self.parts["mean"], out=out[:, n_features:n_scaled])
        unit = rows.sub_(center).div_(scale).div_(_CLIP).clamp_(-1e8, 1e8)
        out[:, :n_features] = _CLIP * unit / torch.sqrt(1 + unit * unit)
        return out


def _places(mask):
    return torch.as_tensor(np.flatnonzero(mask))


def _is_normal_in_single(scale):
    """Return whether the scale is large enough to be a divisor in float32."""
    return scale is None or bool((np.asarray(scale) >= _TINY_SINGLE).all())


def _scales_in_single(array, center, scale):
    """Return whether rows and centre of an array can be subtracted in float32."""
    if not np.can_cast(array.dtype, np.float32) or not _is_normal_in_single(scale):
        return False
    if center is None:
        return True
    # A centre far from zero is rounded by more than the rows are scaled to.
    rounding = center - np.float32(center).astype(np.float64)
    return bool((np.abs(rounding) <= 1e-3 * scale).all())


def _check_range(rows, dtype):
    """Raise a ValueError where finite values become infinite in a narrower dtype."""
    if rows.device.type != "cpu" or not rows.numel():
        return  # a check would wait for the device; the loss becomes NaN in that case
    low, high = rows.aminmax()
    if max(-low, high) > torch.finfo(dtype).max:
        raise ValueError(
            "X holds values beyond the range of float32, which the net computes in. "
            "Scale X, or set precision='64'."
        )


class _IntegerSource(_DenseSource):
    """An array of integers for a module that takes integers, such as embeddings."""

    def __init__(self, array, device):
        super().__init__(array, torch.int64, device)

    def gather(self, index):
        rows = self._rows(index)
        integers = rows.to(torch.int64)
        if rows.is_floating_point() and not torch.equal(integers.to(rows.dtype), rows):
            raise ValueError(
                "The module was fitted on an X of integers, but X holds other numbers."
            )
        return _moved(integers, torch.int64, self.device)


class _ResidentRows:
    """A CSR array on a device; selecting rows does not wait for the device."""

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
        entries = slice(self.indptr[rows.start], self.indptr[rows.stop])
        n_rows = rows.stop - rows.start
        block = self.values.new_full((n_rows * self.width,), self.base)
        block[self.place[entries] - rows.start * self.width] = (
            self.values[entries] + self.base
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
        entries = slice(self.indptr[rows.start], self.indptr[rows.stop])
        offsets = self.offsets[rows] - int(entries.start)
        return SparseRows(
            self.indices[entries], offsets, self.values[entries], self.width
        )


class _SparseSource:
    """A CSR array whose rows become dense batch by batch, or stay sparse."""

    def __init__(
        self,
        array,
        dtype,
        device,
        scale=None,
        base: float = 0,
        chunk: Callable = _DenseChunk,
    ):
        self.array, self.dtype, self.device = array, dtype, device
        self.scale, self.base, self.chunk = scale, base, chunk

    @property
    def row_bytes(self):
        """About how many bytes a gathered row takes."""
        return 16 * self.array.nnz // max(1, self.array.shape[0])

    @property
    def batch_row_bytes(self):
        """About how many bytes a row takes as the net reads it."""
        if self.chunk is _SparseChunk:
            return self.row_bytes
        return self.array.shape[1] * self.dtype.itemsize

    @property
    def row_shape(self):
        """The shape of a row as the net reads it."""
        return self.array.shape[1:]

    def move(self):
        """Put the whole array on the device, for good."""
        self.array = _ResidentRows(self.array, self.device)

    def values(self, rows):
        """Return the stored values of gathered rows as the net reads them."""
        if self.scale is None or self.dtype is not torch.float32:
            values = _moved(rows.data, self.dtype, self.device)
            return values if self.scale is None else values / self.scale
        values = torch.as_tensor(rows.data)
        if values.dtype is not torch.float32 or not _is_normal_in_single(self.scale):
            values = values.double()  # scaled before it loses precision
        return _moved(values / self.scale, self.dtype, self.device)

    def gather(self, index):
        return self.chunk(self.array[index], self)


class _NormalizedSource(_SparseSource):
    """A CSR array whose rows get one length, as by `InputEncoder.transform`.

    The factor of each row is computed once, on the CPU: sums on a CUDA device come in
    another order in each run.
    """

    def __init__(self, array, dtype, device, scale, chunk):
        super().__init__(array, dtype, device, scale, chunk=chunk)
        self.factor = np.empty(array.shape[0])
        step = max(1, _CHUNK_BYTES // max(self.row_bytes, 1))
        for start in range(0, len(self.factor), step):
            rows = array[start : start + step]
            squares = (rows.data / scale[rows.indices]) ** 2, rows.indices, rows.indptr
            total = sp.csr_array(squares, shape=rows.shape).sum(axis=1)
            length = np.sqrt(np.where(total > 0, total, 1.0))
            self.factor[start : start + step] = np.sqrt(array.shape[1]) / length

    def gather(self, index):
        part = copy.copy(self)  # of these rows, since threads gather others
        part.factor = self.factor[index]
        return self.chunk(self.array[index], part)

    def values(self, rows):
        values = torch.as_tensor(rows.data).double()
        scale = torch.as_tensor(self.scale).to(values.device)
        values = values / scale[torch.as_tensor(rows.indices).long()]
        factor = np.repeat(self.factor, np.diff(rows.indptr))
        return _moved(
            values * _moved(factor, torch.float64, values.device),
            self.dtype,
            self.device,
        )


class _JoinedChunk:
    """Gathered rows of several arrays; a slice is a dict or a tuple of tensors."""

    def __init__(self, parts, join):
        self.parts, self.join = parts, join

    def __getitem__(self, rows):
        return self.join([part[rows] for part in self.parts])


class JoinedSource:
    """Several arrays of inputs whose rows are gathered together.

    Parameters
    ----------
    X : JoinedRows
    dtype : torch.dtype
    device : torch.device
    keeps_integers : bool
        Whether integers stay such; else all numbers become floats.
    """

    def __init__(self, X, dtype, device, keeps_integers):
        self.join, self.row_shape, self.device = X.join, (), device
        self.sources = [
            _IntegerSource(part, device)
            if keeps_integers and part.dtype.kind in "biu"
            else _InputSource(part, dtype, device)
            for part in X.arrays
        ]

    @property
    def row_bytes(self):
        """About how many bytes a gathered row takes."""
        return sum(source.row_bytes for source in self.sources)

    batch_row_bytes = row_bytes

    def move(self):
        """Put the arrays on the device, for good."""
        for source in self.sources:
            source.move()

    def gather(self, index):
        return _JoinedChunk([s.gather(index) for s in self.sources], self.join)


class JoinedRows:
    """Several arrays of inputs with the same rows.

    Parameters
    ----------
    arrays : list of ndarray
        Each with a row for each sample.
    names : list of str or None
        The arguments of the module that they become; None passes them by position.
    """

    def __init__(self, arrays, names=None):
        self.arrays, self.names = arrays, names
        self.shape = (arrays[0].shape[0],)
        self.size = sum(array.size for array in arrays)
        self.nbytes = sum(array.nbytes for array in arrays)
        self.has_integers = any(array.dtype.kind in "biu" for array in arrays)
        # That of the floats, or float64, decides on the precision of the net.
        floats = [array.dtype for array in arrays if array.dtype.kind == "f"]
        self.dtype = np.result_type(*(floats or [np.float64]))

    def __len__(self):
        return self.shape[0]

    def join(self, parts):
        """Return what belongs to each array, in the form that the user passed."""
        if self.names is None:
            return tuple(parts)
        return dict(zip(self.names, parts, strict=True))

    @property
    def row_shape(self):
        """The shape of a row of each array, in a dict or a list."""
        shapes = [array.shape[1:] for array in self.arrays]
        return shapes if self.names is None else self.join(shapes)


def scaled_source(X, dtype, device, scaler, keep_sparse=False):
    """Return the source of inputs that the input stage of an estimator scales.

    Parameters
    ----------
    X : ndarray, csr_array or DatasetRows
    dtype : torch.dtype
    device : torch.device
    scaler : InputScaler, InputEncoder or None
        Fitted.
    keep_sparse : bool, default=False
        As in `input_source`.
    """
    if not isinstance(scaler, InputEncoder):
        center = None if scaler is None else scaler.center_
        scale = None if scaler is None else scaler.scale_
        return input_source(X, dtype, device, center, scale, keep_sparse)
    if sp.issparse(X) and scaler.center_ is None:
        chunk = _chunk_of(X, keep_sparse)
        return _NormalizedSource(X, dtype, device, scaler.scale_, chunk=chunk)
    return _EncodedSource(X, dtype, device, scaler)


def _chunk_of(X, keep_sparse):
    """Return how rows of a CSR array are handed out: sparse if that is quicker."""
    few = X.nnz <= _SPARSE_DENSITY * X.shape[0] * X.shape[1]
    return _SparseChunk if keep_sparse and few else _DenseChunk


def input_source(X, dtype, device, center=None, scale=None, keep_sparse=False):
    """Return the source of inputs, shifted by `center` and divided by `scale`.

    With `keep_sparse`, batches of a CSR `X` are `SparseRows` if so few values are
    stored that this is quicker than dense ones. The integers of a dense `X` stay such
    where the dtype is int64.
    """
    if dtype is torch.int64:
        return _IntegerSource(X, device)
    if not sp.issparse(X) or center is not None:
        return _InputSource(X, dtype, device, center, scale)
    return _SparseSource(X, dtype, device, scale, chunk=_chunk_of(X, keep_sparse))


def label_source(labels, device):
    """Return the source of a label matrix or of class indices."""
    if labels is None:
        return None
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


class RowSet(Dataset):
    """Inputs, labels and weights of the same rows, or of some of them.

    For skorch it is a dataset: its inputs are the object itself, so that the net reads
    the arrays without a copy, and its targets are in the form that the user passed.

    Parameters
    ----------
    rows : ndarray of int
        Which rows of the sources.
    x, labels, weight : source or None
        From `input_source`, `label_source` and `weight_source`.
    decode : callable or None
        Turns an array of labels into targets as the user passed them.

    Attributes
    ----------
    folds : ndarray of int or None
        Ascending: the only member that scores each of the rows.
    draws : Draws or None
        What draws the rows of an epoch, where they are not only shuffled.
    row_params : dict
        Parameters of the criterion that depend on the rows, for its `read_rows`.
    """

    row_params: Any = None
    draws: Any = None
    folds: Any = None
    fold: Any = None

    def __init__(self, rows, x, labels=None, weight=None, decode=None):
        self.rows, self.sources = rows, (x, labels, weight, None)
        self.decode = decode

    def mask_folds(self, fold, source):
        """Tell of each row of the arrays which member does not train on it."""
        self.sources, self.fold = (*self.sources[:3], source), fold

    def share_of_training(self, index):
        """Return the number of rows over that of those that each member trains on."""
        fold = self.fold[self.rows[index]]
        held_out = np.bincount(fold, minlength=self.fold.max() + 1)
        return torch.as_tensor(len(index) / np.maximum(len(index) - held_out, 1))

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, row):
        rows = np.atleast_1d(np.arange(len(self))[row])
        x, labels, weight, _ = self.gather(rows)
        every = slice(0, len(rows))
        labels, weight = (
            None if part is None else part[every] for part in (labels, weight)
        )
        y = batch_targets(labels, weight, (1.0, True, True), self.decode)
        return x[every], y

    @property
    def shape(self):
        """The number of rows and the shape of a row, as of an array."""
        return (len(self), *self.sources[0].row_shape)

    @property
    def X(self):  # noqa: N802
        """The inputs, which a net takes as they are."""
        return self

    @property
    def y(self):
        """The targets as the user passed them, or None where there are none."""
        labels = self.sources[1]
        if labels is None:
            return None
        labels = labels.gather(self.rows)[0 : len(self)].cpu().numpy()
        return labels if self.decode is None else self.decode(labels)

    def inputs(self):
        """Return the inputs of all rows as the net reads them."""
        source: Any = self.sources[0]
        return source.gather(self.rows)[slice(0, len(self))]

    @property
    def row_bytes(self):
        """About how many bytes a gathered row takes."""
        return 8 + sum(s.row_bytes for s in self.sources if s is not None)

    @property
    def chunk_bytes(self):
        """How many bytes are gathered at once."""
        is_on_cuda = self.sources[0].device.type == "cuda"
        return _CHUNK_BYTES * (_CUDA_CHUNKS if is_on_cuda else 1)

    @property
    def batch_row_bytes(self):
        """About how many bytes a row of inputs takes as the net reads it."""
        return self.sources[0].batch_row_bytes

    def gather(self, index) -> list[Any]:
        """Return the gathered parts of some rows, to be sliced into batches."""
        index = self.rows[index]
        return [None if s is None else s.gather(index) for s in self.sources]


class _Gathered:
    """A part of a batch that is gathered already; any slice returns the whole part."""

    def __init__(self, part):
        self.part = part

    def __getitem__(self, rows):
        return self.part


class GatheredRows(Dataset):
    """One batch that takes the place of the rows it was made of.

    Parameters
    ----------
    x : Tensor, SparseRows, or dict or tuple of Tensor
    y : BatchTargets
    """

    row_bytes = chunk_bytes = 1

    def __init__(self, x, y):
        self.X, self.y, self.decode = x, y, y.decode
        self.folds = None if y.member is None else np.full(len(y), y.member)

    def __len__(self):
        return len(self.y)

    def gather(self, index):  # noqa: ARG002
        """Return the parts of the batch, as `RowSet.gather` does."""
        parts = self.X, self.y.labels, self.y.weight, self.y.fold
        return [None if part is None else _Gathered(part) for part in parts]


class Batches:
    """Yield pairs of inputs and `BatchTargets` in batches of nearly equal size.

    With batches of `batch_size`, a last one of a few rows would weigh as much as a full
    one, and batch normalisation fails on a single row. Where a single member scores
    each row, all rows of a batch have the same one.

    Parameters
    ----------
    rows : RowSet
    batch_size : int
        Maximum number of rows of a batch.
    shuffle : bool
        A new order in each pass, from torch's generator.
    num_workers : int
        Threads that gather ahead; 0 gathers in step.
    accumulate : int
        How many batches make a step of the optimizer.
    part : pair of int
        Rank of this process and number of processes: each takes its part of the rows
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
        edges = np.array([0, len(rows)])
        if rows.folds is not None:
            edges = np.append(np.unique(rows.folds, return_index=True)[1], len(rows))
        starts = [
            start + _even_bounds(stop - start, batch_size)[:-1]
            for start, stop in pairwise(edges)
        ]
        self.bounds = np.append(np.concatenate(starts), len(rows))
        if part[1] > 1 and np.diff(self.bounds).min() < part[1]:
            raise ValueError(
                f"batch_size={batch_size} is too small: each of {part[1]} processes "
                "needs a row of every batch."
            )

    def __len__(self):
        return len(self.bounds) - 1

    def __iter__(self):
        n_rows, (rank, world) = len(self.rows), self.part
        order, drawn_weight = np.arange(n_rows), None
        if self.shuffle and self.rows.draws is not None:
            order = self.rows.draws.order()
            drawn_weight = self.rows.draws.weights_of(order)
        elif self.shuffle:
            order = torch.randperm(n_rows).numpy()
        batches = [order[start:stop][rank::world] for start, stop in self._spans(1)]
        batch_bytes = batches[-1].size * self.rows.row_bytes
        at_once = max(1, self.rows.chunk_bytes // batch_bytes)
        chunks = [
            batches[start : start + at_once] for start in range(0, len(self), at_once)
        ]
        places, indices = self._places(), map(np.concatenate, chunks)
        folds, number = self.rows.folds, 0
        for chunk, parts in zip(chunks, self._gathered(indices), strict=True):
            ends = np.cumsum([0, *map(len, chunk)])
            for start, stop in pairwise(ends):
                x, labels, weight, fold = (
                    None if part is None else part[start:stop] for part in parts
                )
                member = None if folds is None else int(folds[self.bounds[number]])
                number += 1
                given = labels, weight, next(places), self.rows.decode, fold, member
                y: Any = batch_targets(*given)
                bounds = slice(*self.bounds[number - 1 : number + 1])
                if drawn_weight is not None:
                    weigh_drawn(y, drawn_weight[bounds][rank::world])
                elif fold is not None and self.part[1] > 1:
                    y.share = self.rows.share_of_training(order[bounds]).to(fold.device)
                yield x, y

    def _spans(self, n_batches):
        """Return where runs of `n_batches` batches start and stop."""
        return pairwise([*self.bounds[:-1:n_batches], self.bounds[-1]])

    def _places(self):
        """Yield fraction, first and last of each batch, as in `BatchTargets`."""
        group, (rank, world) = self.accumulate, self.part
        steps = [stop - start for start, stop in self._spans(group)]
        for number, (start, stop) in enumerate(self._spans(1)):
            own = len(range(start + rank, stop, world))
            # Processes are averaged as if their fractions were equal.
            fraction = own * world / steps[number // group]
            first = number % group == 0
            yield fraction, first, number % group == group - 1 or stop == len(self.rows)

    def _gathered(self, chunks):
        """Yield gathered rows, ahead of their use where there are threads for it."""
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


def _even_bounds(n_rows, batch_size):
    """Return where batches of nearly equal size start, and the end of the last."""
    n_batches = -(-n_rows // batch_size)
    return -(-np.arange(n_batches + 1) * n_rows // n_batches)


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
