"""The default module."""

import pytest
import torch
from torch import nn

from skimbalance.modules import MLP


def test_layers_are_as_asked_for():
    net = MLP(5, 3, hidden_layer_sizes=(7, 4), activation="tanh", dropout=0.25)
    kinds = nn.Linear, nn.Tanh, nn.Dropout
    assert len(net.hidden) == 6
    assert all(map(isinstance, net.hidden, kinds * 2))
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


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_dropout_drops_a_fraction_and_keeps_the_mean(fraction, dtype):
    layer = MLP(3, 2, (4,), dropout=fraction).hidden[2]
    x = torch.ones(1001, 333, dtype=dtype, requires_grad=True)
    torch.manual_seed(0)
    y = layer(x)
    kept = y > 0
    assert kept.double().mean().item() == pytest.approx(1 - fraction, abs=3e-3)
    # Entries of one row, of one column and neighbours are dropped independently.
    for dim in (0, 1):
        spread = kept.double().mean(dim=dim).std().item()
        expected = (fraction * (1 - fraction) / kept.shape[dim]) ** 0.5
        assert spread == pytest.approx(expected, rel=0.2)
    both = (kept[:, 1:] & kept[:, :-1]).double().mean().item()
    assert both == pytest.approx((1 - fraction) ** 2, abs=3e-3)
    assert y.dtype == dtype
    expected = torch.full_like(y[kept], 1 / (1 - fraction))
    torch.testing.assert_close(
        y[kept], expected, rtol=1e-4 + torch.finfo(dtype).eps, atol=0
    )
    y.sum().backward()
    torch.testing.assert_close(x.grad, y)
    torch.manual_seed(0)
    torch.testing.assert_close(layer(x), y)
    assert layer.eval()(x) is x


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
