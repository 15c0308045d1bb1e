"""Several nets in one: each parameter gains a first axis for the members.

All members read the same batch, and each layer is one batched matrix product, so that K
small nets take far less than K times as long as one.
"""

import copy

import torch
from torch.func import functional_call, vmap

from skimbalance.neural_network._module import ScoreModule


def _tensors(module):
    return dict(module.named_parameters()) | dict(module.named_buffers())


class MemberModule(ScoreModule):
    """As many score modules as members, with weights and dropout of their own.

    Gives raw scores of shape (n_samples, n_members, n_outputs).

    Parameters
    ----------
    n_members : int
        Number of members.
    **kwargs
        As `ScoreModule`; each member is built, and so initialised, anew.
    """

    def __init__(self, *, n_members, **kwargs):
        super().__init__(**kwargs)
        self.accepts_sparse, self.n_members = False, n_members
        others = [_tensors(ScoreModule(**kwargs)) for _ in range(n_members - 1)]
        for name, tensor in _tensors(self).items():
            tensor.data = torch.stack(
                [tensor.data, *(other[name].data for other in others)]
            )

    def forward(self, x):
        if self.bias.ndim == 1:  # inside the map, or a member on its own
            return super().forward(x)
        parameters = dict(self.named_parameters()), dict(self.named_buffers())
        members = vmap(
            lambda tensors: functional_call(self, tensors, (x,)),
            out_dims=1,
            randomness="different",
        )
        return members(parameters)

    def members(self):
        return [self.member(number) for number in range(self.n_members)]

    def member(self, number):
        member = copy.deepcopy(self)
        for tensor in _tensors(member).values():
            tensor.data = tensor.data[number].clone()
        return member
