"""The gradients of a batch on a CUDA device as one graph of kernels.

A step of a net of two hidden layers launches some 40 kernels. Beside an H200, Python
needs 1.2 to 2.5 ms to launch them, and the device .1 to .25 ms to run them. A CUDA
graph launches them all by one call: scores, loss and gradients are recorded once for
each shape of a batch, and replayed on the other batches of that shape. The optimizer
steps outside of the graph, so that schedules may change its learning rate and callbacks
the gradients.

What is recorded is what Python did for one batch. A module or a loss that decides
anything in Python, by chance or by a counter, would be replayed wrongly. Hence only the
library's own module and losses are recorded, with callbacks of the library and of
skorch that do not look into a step.
"""

import functools
import threading
from typing import Any

import numpy as np
import torch

from skimbalance.losses import LOSSES
from skimbalance.modules import MLP
from skimbalance.neural_network._data import batch_targets

# torch captures one graph at a time in a process.
_LOCK = threading.Lock()
_DEVICES = {"cuda"}
_KNOWN_CALLBACKS = "skimbalance.", "skorch."


def can_record(net):
    """Return whether the gradients of a net may be recorded.

    Parameters
    ----------
    net : Net
        Its training begins.
    """
    if torch.device(net.device).type not in _DEVICES:
        return False
    module, loss = net.module_, net.criterion_.loss
    callbacks = [type(callback).__module__ for _, callback in net.callbacks_]
    return (
        type(module.body) is MLP
        and not net.compile
        and not any(_has_hooks(part) for part in module.modules())
        and type(loss) in set(LOSSES.values())
        and not loss.depends_on_batch
        # Arrays of parameters are copied to the device at each call.
        and not any(np.ndim(value) for value in loss.get_params().values())
        and not net.step_takes_closure_
        and not net.watches_batches_
        and all(name.startswith(_KNOWN_CALLBACKS) for name in callbacks)
    )


def _has_hooks(module):
    hooks = (
        module._forward_hooks,
        module._forward_pre_hooks,
        module._backward_hooks,
        module._backward_pre_hooks,
    )
    return any(hooks)


class Recorder:
    """Record how the gradients of a batch are computed, and replay that on others.

    Parameters
    ----------
    parameters : list of Parameter
        Whose gradients are computed. A parameter that has moved in memory, or is frozen
        since, is recorded anew.
    capture : callable
        ``capture(compute, clear)`` returns a function without arguments that does again
        what `compute` did, in the same memory, and what `compute` returned; or None
        where that cannot be captured. It may call `compute` before, and `clear` to
        remove the gradients.
    """

    def __init__(self, parameters, capture):
        self.parameters, self.capture = parameters, capture
        self.recorded, self.seen = {}, None

    def __call__(self, compute, batch):
        """Return what ``compute(batch)`` returns, and set the gradients.

        Parameters
        ----------
        compute : callable
            Takes a batch, gives its gradients to the parameters, which have none, and
            returns tensors.
        batch : pair of Tensor and BatchTargets
        """
        seen = [(p.data_ptr(), p.requires_grad) for p in self.parameters]
        if seen != self.seen:
            self.recorded, self.seen = {}, seen
        tensors = _tensors_of(batch)
        key = batch[1].fraction, *map(_layout, tensors)
        if key not in self.recorded:
            self.recorded[key] = self._record(compute, batch, tensors)
        if self.recorded[key] is None:
            return compute(batch)
        inputs, replay, outputs, gradients = self.recorded[key]
        for mine, given in zip(inputs, tensors, strict=True):
            if given is not None:
                mine.copy_(given, non_blocking=True)
        replay()
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient
        return outputs

    def _record(self, compute, batch, tensors):
        inputs = [None if part is None else part.clone() for part in tensors]
        x, labels, weight, fold, share, importance = inputs
        place = batch[1].fraction, True, True
        y: Any = batch_targets(labels, weight, place, None, fold)
        y.share, y.importance = share, importance
        captured = self.capture(lambda: compute((x, y)), self._clear)
        if captured is None:
            self._clear()
            return None
        replay, outputs = captured
        gradients = [parameter.grad for parameter in self.parameters]
        return inputs, replay, [part.detach() for part in outputs], gradients

    def _clear(self):
        for parameter in self.parameters:
            parameter.grad = None


def _tensors_of(batch):
    """Return all tensors of a batch."""
    x, y = batch
    return x, y.labels, y.weight, y.fold, y.share, y.importance


def _layout(tensor):
    return None if tensor is None else (tensor.shape, tensor.dtype)


@functools.cache
def _stream(number):
    """Return the stream that captures on the device of a number.

    The same for all fits: torch keeps the workspaces of cuBLAS of each stream for good,
    which are 64 MiB on an H200.
    """
    return torch.cuda.Stream(number)


class Capture:
    """Capture computations on a device as CUDA graphs, which share their memory."""

    def __init__(self, device):
        self.device, self.pool = device, torch.cuda.graph_pool_handle()

    def __call__(self, compute, clear):
        """Return a function that replays a computation, and what it returned.

        None where the computation cannot be captured, by this driver for example.

        Parameters
        ----------
        compute : callable
            Without arguments.
        clear : callable
            Removes what `compute` leaves behind.
        """
        with torch.cuda.device(self.device), _LOCK:
            present = torch.cuda.current_stream()
            stream = _stream(torch.cuda.current_device())
            stream.wait_stream(present)
            with torch.cuda.stream(stream):
                random_state = torch.cuda.get_rng_state()
                # Libraries set themselves up at their first call, which no graph holds.
                compute()
                clear()
                torch.cuda.set_rng_state(random_state)
                captured = self._captured(compute)
            present.wait_stream(stream)
        return captured

    def _captured(self, compute):
        graph = torch.cuda.CUDAGraph()
        try:
            # `torch.cuda.graph` would empty the cache of memory first, which takes
            # longer than many steps. Threads that gather rows may go on.
            graph.capture_begin(self.pool, capture_error_mode="thread_local")
            try:
                outputs = compute()
            finally:
                graph.capture_end()
        except RuntimeError:
            return None
        return graph.replay, outputs
