"""One step of training: half precision, accumulated and clipped gradients."""

import contextlib
import inspect

import torch
from torch import nn


def takes_closure(optimizer):
    """Whether an optimizer, or its class, evaluates the loss itself, as L-BFGS does."""
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    return closure is not None and closure.default is inspect.Parameter.empty


class Step:
    """What happens between the scores of a batch and the next weights.

    Parameters
    ----------
    half : torch.dtype or None
        Half precision of the products (autocast); weights and losses stay float32.
        float16 scales the loss, so that small gradients survive.
    max_grad_norm : float or None
        Norm that the gradient of all weights together is cut down to.
    """

    def __init__(self, half=None, max_grad_norm=None):
        self.half, self.max_grad_norm = half, max_grad_norm
        self.part = 0, 1

    def begin(self, net):
        """Find out about a net that is about to train."""
        self.module, self.optimizer = net.module_, net.optimizer_
        self.parameters = [p for _, p in net.get_all_learnable_params()]
        scales = self.half is torch.float16
        self.scaler = torch.amp.GradScaler(net.device.type) if scales else None
        self.factors = {}

    def end(self):
        """Let go of the optimizer and its tensors."""
        self.module = self.optimizer = self.scaler = self.parameters = None
        self.factors = {}

    def begin_epoch(self):
        """Agree with other processes on what is random."""

    def summed(self, total):
        """Return the sum over all processes."""
        return total

    def autocast(self, device):
        """Return the context in which scores and losses are computed."""
        if self.half is None:
            return contextlib.nullcontext()
        return torch.autocast(device.type, self.half)

    def clear(self):
        """Forget the gradients of the last step."""
        for parameter in self.parameters:
            parameter.grad = None

    def backward(self, total, factor):
        """Add the gradient of a part of the step, which is so much of a sum."""
        if factor not in self.factors:
            self.factors[factor] = torch.full_like(total, factor)
        if self.scaler is not None:
            total = self.scaler.scale(total)
        total.backward(self.factors[factor])

    def finish_gradients(self):
        """Make the gradients what they would be in full precision."""
        if self.scaler is not None:
            self.scaler.unscale_(self.optimizer)

    def update(self):
        """Move the weights."""
        if self.max_grad_norm is not None:
            nn.utils.clip_grad_norm_(self.parameters, self.max_grad_norm)
        if self.scaler is None:
            self.optimizer.step()
        else:
            self.scaler.step(self.optimizer)
            self.scaler.update()

    def state(self):
        """Return what goes on in the next epoch."""
        return {} if self.scaler is None else self.scaler.state_dict()

    def load_state(self, state):
        """Go on from a state."""
        if self.scaler is not None:
            self.scaler.load_state_dict(state)
