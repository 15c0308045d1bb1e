"""The default module."""

import pytest
import torch
from torch import nn

from skimbalance.modules import MLP


def test_layers_are_as_asked_for():
    net = MLP(5, 3, hidden_layer_sizes=(7, 4), activation="tanh", dropout=0.25)
    kinds = [type(layer) for layer in net.hidden]
    assert kinds == [nn.Linear, nn.Tanh, nn.Dropout] * 2
    assert [p.shape for p in net.parameters() if p.ndim == 2] == [
        (7, 5),
        (4, 7),
        (3, 4),
    ]
    assert net.hidden[2].p == 0.25
    assert not any(isinstance(layer, nn.Dropout) for layer in MLP(5, 3).hidden)


def test_no_hidden_layer_is_a_linear_model():
    net = MLP(5, 3, hidden_layer_sizes=())
    x = torch.randn(4, 5)
    torch.testing.assert_close(net(x), x @ net.output.weight.T + net.output.bias)


def test_offset_is_added_to_the_scores():
    net, x, offset = MLP(5, 3), torch.randn(4, 5), torch.randn(3)
    torch.testing.assert_close(net.forward_with_offset(x, offset), net(x) + offset)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hidden_layer_sizes": (8, 0)}, "hidden_layer_sizes"),
        ({"activation": "rely"}, "Did you mean 'relu'"),
        ({"dropout": 1.0}, "dropout"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        MLP(5, 3, **arguments)
