"""The torch modules that the estimators use by default."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.functional import embedding, embedding_bag, linear, pad

from skimbalance._validation import (
    check_choice,
    check_interval,
    check_layer_sizes,
)

__all__ = [
    "MLP",
    "SparseLinear",
    "SparseRows",
]

ACTIVATIONS = {
    "gelu": nn.GELU,
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


class SparseRows:
    """A batch of sparse rows, the input of a module with ``accepts_sparse = True``.

    The three arrays of a CSR matrix, as `torch.nn.functional.embedding_bag` takes them.

    Parameters
    ----------
    indices : Tensor of int32 or int64, shape (n_stored,)
        Columns of the stored values, row after row.
    offsets : Tensor of the same dtype, shape (n_samples,)
        Where each row starts.
    values : Tensor of float, shape (n_stored,)
        The stored values.
    n_features : int
        Number of columns.

    See Also
    --------
    SparseLinear : The layer that reads them.

    Examples
    --------
    >>> import torch
    >>> from skimbalance.modules import SparseRows
    >>> indices, offsets = torch.tensor([0, 2, 1]), torch.tensor([0, 2])
    >>> rows = SparseRows(indices, offsets, torch.tensor([1.0, 2.0, 3.0]), n_features=3)
    >>> rows.matmul(torch.eye(3))
    tensor([[1., 0., 2.],
            [0., 3., 0.]])
    """

    def __init__(
        self,
        indices: torch.Tensor,
        offsets: torch.Tensor,
        values: torch.Tensor,
        n_features: int,
    ) -> None:
        self.indices, self.offsets, self.values = indices, offsets, values
        self.n_features = n_features

    def __len__(self) -> int:
        return len(self.offsets)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of columns."""
        return len(self), self.n_features

    def matmul(self, matrix: torch.Tensor) -> torch.Tensor:
        """Return the product with a dense matrix.

        Takes time proportional to the stored values, and so does its gradient.

        Parameters
        ----------
        matrix : Tensor of shape (n_features, n_columns)
            Fastest if its rows are contiguous.

        Returns
        -------
        Tensor of shape (n_samples, n_columns)
            The product.
        """
        return embedding_bag(
            self.indices,
            matrix,
            self.offsets,
            mode="sum",
            per_sample_weights=self.values.to(matrix.dtype),
        )


class SparseLinear(nn.Module):
    """`torch.nn.Linear` that also takes `SparseRows`.

    The first layer of a module for sparse inputs. Its weight has a row for each input
    column, so that a stored value reads one contiguous part of it.

    Parameters
    ----------
    in_features : int
        Number of input columns.
    out_features : int
        Number of outputs.
    bias : bool, default=True
        Whether a bias is added.

    Attributes
    ----------
    weight : Parameter of shape (in_features, out_features)
        The transpose of that of `torch.nn.Linear`, with the same initialisation.
    bias : Parameter of shape (out_features,) or None
        Added to the product.

    Notes
    -----
    A module of your own trains on CSR inputs without a dense copy of any batch if this
    is its first layer and its class has ``accepts_sparse = True``. The estimator passes
    `SparseRows` where that is faster, and dense tensors elsewhere.

    Examples
    --------
    >>> import torch
    >>> from skimbalance.modules import SparseLinear
    >>> SparseLinear(4, 3)(torch.zeros(2, 4)).shape
    torch.Size([2, 3])
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        plain = nn.Linear(in_features, out_features, bias)
        self.weight = nn.Parameter(plain.weight.detach().t().contiguous())
        self.bias = plain.bias

    def forward(self, x: torch.Tensor | SparseRows) -> torch.Tensor:
        """Return ``x W + b``.

        Parameters
        ----------
        x : Tensor of shape (n_samples, in_features) or SparseRows
            Input rows.

        Returns
        -------
        Tensor of shape (n_samples, out_features)
            The outputs.
        """
        if not isinstance(x, SparseRows):
            return linear(x, self.weight.t(), self.bias)
        product = x.matmul(self.weight)
        return product if self.bias is None else product + self.bias

    def extra_repr(self) -> str:
        n_inputs, n_outputs = self.weight.shape
        return f"{n_inputs}, {n_outputs}, bias={self.bias is not None}"


class _Dropout(nn.Dropout):
    """Dropout that draws 16 bits for each entry on a CPU.

    torch draws each entry on its own there, which takes ten times as long. The rate is
    rounded to a 65,536th. Compiled code and other devices use torch's dropout.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002
        elsewhere = input.device.type != "cpu" or torch.compiler.is_compiling()
        if elsewhere or not self.training:
            return super().forward(input)
        return input * _dropout_factor(input, 1 - self.p)


def _dropout_factor(x, keep_rate):
    """Return ``1 / keep_rate`` for an entry that is kept and 0 for one that is not."""
    n_kept = max(round(2**16 * keep_rate), 1)
    # One draw of 64 bits gives four entries.
    drawn = torch.randint(-(2**63), 2**63 - 1, (-(-x.numel() // 4),))
    numbers = drawn.view(torch.int16)[: x.numel()].to(torch.float32)
    # The lowest n_kept of the integers from -2**15 on are kept: their difference to the
    # bound is at least 1.
    kept = torch.rsub(numbers, n_kept - 2**15).clamp(0, 1)
    return kept.to(x.dtype).mul_(2**16 / n_kept).view(x.shape)


# Length of the embedding of a column: that of a one-hot code, and for columns of more
# categories this many.
_MOST_EMBEDDED = 32
# The deviation of a one-hot column as `InputEncoder` would encode it is near this.
_CODE_SIZE = 1.7


class _Embedding(nn.Module):
    """Embed columns of codes, and keep the columns before them.

    A code starts as its one-hot code, so that the net starts as one of one-hot columns;
    code 0, of unknown categories, starts as zeros. More categories than are embedded
    start as random codes of the same length.

    Parameters
    ----------
    n_codes : sequence of int
        Number of codes of each of the last columns.

    Attributes
    ----------
    weight : Parameter of shape (sum of n_codes, n_most)
        The codes of all columns, one after another, so that one look-up embeds them
        all. Columns of fewer categories use the first entries.
    """

    first: torch.Tensor
    used: torch.Tensor

    def __init__(self, n_codes: Sequence[int]) -> None:
        super().__init__()
        codes = list(map(_first_codes, n_codes))
        sizes = torch.tensor([part.shape[1] for part in codes])
        n_most = max(1, int(sizes.max()))
        padded = [pad(part, (0, n_most - part.shape[1])) for part in codes]
        self.weight = nn.Parameter(torch.cat(padded))
        first = torch.tensor(n_codes).cumsum(0) - torch.tensor(n_codes)
        is_used = torch.arange(n_most) < sizes.unsqueeze(1)
        # Not stored: they follow from `n_codes`.
        self.register_buffer("first", first, persistent=False)
        used = is_used.flatten().nonzero().squeeze(1)
        self.register_buffer("used", used, persistent=False)
        self.n_columns, self.n_embedded = len(codes), len(used)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the columns of numbers, then the embedded codes.

        Parameters
        ----------
        x : Tensor of shape (n_samples, n_features)
            The last columns hold codes.

        Returns
        -------
        Tensor of shape (n_samples, n_numbers + n_embedded), or, where the weights of
        several members are stacked, (n_members, n_samples, n_numbers + n_embedded)
            The embedded rows.
        """
        n_numbers = x.shape[1] - self.n_columns
        # Not by slices, which torch 2.6 and 2.7 do not export for any number of rows.
        numbers, codes = x.tensor_split([n_numbers], dim=1)
        codes = codes.to(torch.int64)
        weight, first, used = self.weight, self.first, self.used
        if weight.ndim == 3:  # stacked, as are the buffers
            n_members, n_all, _ = weight.shape
            numbers = numbers.expand(n_members, *numbers.shape)
            start = torch.arange(0, n_members * n_all, n_all, device=codes.device)
            codes = codes + start.reshape(-1, 1, 1)
            weight, first, used = weight.flatten(0, 1), first[0], used[0]
        embedded = embedding(codes + first, weight).flatten(-2)
        return torch.cat([numbers, embedded.index_select(-1, used)], dim=-1)


def _first_codes(n_codes):
    """Return what the codes of a column start as; 0 stands for unknown categories."""
    n_known = n_codes - 1
    if n_known <= _MOST_EMBEDDED:
        known = torch.eye(n_known)
    else:
        known = torch.randn(n_known, _MOST_EMBEDDED) / _MOST_EMBEDDED**0.5
    unknown = torch.zeros(1, known.shape[1])
    return torch.cat([unknown, _CODE_SIZE * known])


class MLP(nn.Module):
    """Multilayer perceptron: linear layers with an activation and dropout between.

    Parameters
    ----------
    n_features : int
        Number of input columns.
    n_outputs : int
        Number of raw scores: labels, classes, or 1 for a binary target.
    hidden_layer_sizes : tuple of int or int, default=(512, 256)
        Width of each hidden layer; empty for a linear model.
    activation : {"relu", "gelu", "silu", "tanh"}, default="relu"
        Between the layers.
    dropout : float, default=0.0
        Fraction of the hidden units set to 0 in training, in [0, 1).
    sparse_input : bool, default=False
        Make the first layer a `SparseLinear`, so that it reads `SparseRows` as well.
    n_codes : sequence of int, default=()
        Number of codes of each of the last columns, which hold whole numbers from 0 on
        and are embedded.

    Raises
    ------
    ValueError
        If a size, the activation or the dropout is out of range.

    Examples
    --------
    >>> import torch
    >>> from skimbalance.modules import MLP
    >>> MLP(4, 3, hidden_layer_sizes=(8,))(torch.zeros(2, 4)).shape
    torch.Size([2, 3])
    """

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        hidden_layer_sizes: int | Sequence[int] = (512, 256),
        activation: str = "relu",
        dropout: float = 0.0,
        sparse_input: bool = False,
        n_codes: Sequence[int] = (),
    ) -> None:
        super().__init__()
        check_choice("activation", activation, ACTIVATIONS)
        check_interval("dropout", dropout, 0, 1, closed="left")
        self.accepts_sparse = sparse_input
        # None for numbers alone: no name is added to the weights of such a net.
        self.embedding = _Embedding(n_codes) if len(n_codes) else None
        layers: list[nn.Module] = []
        width = n_features
        if self.embedding is not None:
            width += self.embedding.n_embedded - len(n_codes)
        layer = SparseLinear if sparse_input else nn.Linear
        for size in check_layer_sizes(hidden_layer_sizes):
            # Without dropout, too, the weights have the names that they have with it.
            drop = _Dropout(dropout) if dropout else nn.Identity()
            layers += [layer(width, size), ACTIVATIONS[activation](), drop]
            width, layer = size, nn.Linear
        self.hidden = nn.Sequential(*layers)
        self.output = layer(width, n_outputs)
        nn.init.zeros_(self.output.bias)  # the estimators start it at the base rates

    def forward(self, x: torch.Tensor | SparseRows) -> torch.Tensor:
        """Return the raw scores of a batch.

        Parameters
        ----------
        x : Tensor of shape (n_samples, n_features) or SparseRows
            Input rows.

        Returns
        -------
        Tensor of shape (n_samples, n_outputs)
            Raw scores.
        """
        return self.output(self.hidden(self.embedded(x)))

    def embedded(self, x: Any) -> Any:
        """Return a batch with embedded codes, or as it is where there are none.

        Parameters
        ----------
        x : Tensor of shape (n_samples, n_features) or SparseRows
            Input rows.

        Returns
        -------
        Tensor or SparseRows
            What the first layer reads.
        """
        return x if self.embedding is None else self.embedding(x)
