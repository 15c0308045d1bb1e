"""The torch modules that the estimators use by default."""

from torch import nn
from torch.nn.functional import linear

from skimbalance._validation import check_choice, check_interval

__all__ = [
    "MLP",
]

_ACTIVATIONS = {
    "gelu": nn.GELU,
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


class MLP(nn.Module):
    """Multilayer perceptron: linear layers with an activation and dropout between.

    Parameters
    ----------
    n_features : int
        Number of input columns.
    n_outputs : int
        Number of raw scores: labels, classes, or 1 for a binary target.
    hidden_layer_sizes : tuple of int, default=(512, 256)
        Width of each hidden layer; empty for a linear model.
    activation : {"relu", "gelu", "silu", "tanh"}, default="relu"
        Between the layers.
    dropout : float, default=0.0
        Share of the hidden units left out in training, in [0, 1).

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
        n_features,
        n_outputs,
        hidden_layer_sizes=(512, 256),
        activation="relu",
        dropout=0.0,
    ):
        super().__init__()
        check_choice("activation", activation, _ACTIVATIONS)
        check_interval("dropout", dropout, 0, 1, closed="left")
        layers, width = [], n_features
        for size in hidden_layer_sizes:
            check_interval("hidden_layer_sizes", size, 1)
            layers += [nn.Linear(width, size), _ACTIVATIONS[activation]()]
            if dropout:
                layers.append(nn.Dropout(dropout))
            width = size
        self.hidden = nn.Sequential(*layers)
        self.output = nn.Linear(width, n_outputs)

    def forward(self, x):
        """Return the raw scores of a batch.

        Parameters
        ----------
        x : Tensor of shape (n_samples, n_features)
            Input rows.

        Returns
        -------
        Tensor of shape (n_samples, n_outputs)
            Raw scores.
        """
        return self.output(self.hidden(x))

    def forward_with_offset(self, x, offset):
        """Return ``forward(x) + offset`` without another pass over the scores.

        Parameters
        ----------
        x : Tensor of shape (n_samples, n_features)
            Input rows.
        offset : Tensor of shape (n_outputs,)
            Added to the scores.

        Returns
        -------
        Tensor of shape (n_samples, n_outputs)
            Raw scores.
        """
        return linear(self.hidden(x), self.output.weight, self.output.bias + offset)
