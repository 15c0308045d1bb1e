"""The gradients of a batch on a CUDA device as one graph of kernels.

A step of a net of two hidden layers launches some 40 kernels. Beside an H200, Python
needs 1.2 to 2.5 ms to launch them, and the device .1 to .25 ms to run them. A CUDA
graph launches them all by one call: scores, loss and gradients are recorded once for
each shape of a batch, and replayed on the other batches of that shape. The optimizer
steps outside of the graph, with gradients that may have been clipped before.

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
from skimbalance.neural_network._optimizer import clear_gradients

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
    return (
        type(net.module_.body) is MLP
        and _is_replayable(net.criterion_.loss)
        # Another one might keep the gradients, which are the same tensors in each step.
        and type(net.optimizer_).__module__.startswith("torch.optim.")
        and not net.step_takes_closure_
        and net.iterator_train__accumulate == 1
        and not _is_watched(net)
        # torch captures one graph at a time in a process, and random numbers of other
        # threads must not be drawn meanwhile.
        and threading.current_thread() is threading.main_thread()
    )


def _is_replayable(loss):
    """Return whether a loss computes the same of each batch, on the device alone."""
    return (
        type(loss) in set(LOSSES.values())
        and not loss.depends_on_batch
        # Arrays of parameters are copied to the device at each call.
        and not any(np.ndim(value) for value in loss.get_params().values())
    )


def _is_watched(net):
    """Return whether anything of the user looks into a step of the training."""
    callbacks = [type(callback).__module__ for _, callback in net.callbacks_]
    return (
        net.compile
        or net.watches_batches_
        or net.tasks_ is not None
        or not all(name.startswith(_KNOWN_CALLBACKS) for name in callbacks)
        or any(_has_hooks(part) for part in net.module_.modules())
        or any(_has_hooks(part) for part in net.module_.parameters())
        or torch.is_anomaly_enabled()
    )


def _has_hooks(part):
    """Return whether a module or a parameter has hooks of any kind."""
    found = [getattr(part, name) for name in dir(part) if name.endswith("_hooks")]
    return any(hooks for hooks in found if not callable(hooks))  # no methods


class Recorder:
    """Record how the gradients of a batch are computed, and replay that on others.

    Parameters
    ----------
    parameters : list of Parameter
        Whose gradients are computed. A parameter that has moved in memory, or is frozen
        since, is recorded anew.
    make_capture : callable
        Gives a capture, whose graphs share memory. ``capture(compute, parameters)``
        returns a function without arguments that does again what `compute` did, in the
        same memory, and what `compute` returned. It may call `compute` before, and
        clear the gradients of the parameters.
    """

    def __init__(self, parameters, make_capture):
        self.parameters, self.make_capture = parameters, make_capture
        self.recorded, self.state = {}, None
        self.capture: Any = None

    def __call__(self, compute, batch):
        """Return what ``compute(batch)`` returns, and set the gradients.

        Parameters
        ----------
        compute : callable
            Takes a batch, gives its gradients to the parameters, which have none, and
            returns tensors.
        batch : pair of Tensor and BatchTargets
        """
        state = [(p.data_ptr(), p.requires_grad) for p in self.parameters]
        if state != self.state:
            # Memory whose graphs are gone takes no further ones.
            self.recorded, self.state, self.capture = {}, state, self.make_capture()
        tensors = _tensors_of(batch)
        key = tuple(map(_layout, tensors))
        if key not in self.recorded:
            self.recorded[key] = self._record(compute, tensors)
        inputs, replay, outputs, gradients = self.recorded[key]
        for mine, given in zip(inputs, tensors, strict=True):
            if given is not None:
                mine.copy_(given, non_blocking=True)
        replay()
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient
        return outputs

    def _record(self, compute, tensors):
        inputs = [None if part is None else part.clone() for part in tensors]
        x, labels, weight, fold, share, importance = inputs
        y: Any = batch_targets(labels, weight, (1.0, True, True), None, fold)
        y.share, y.importance = share, importance
        replay, outputs = self.capture(lambda: compute((x, y)), self.parameters)
        gradients = [parameter.grad for parameter in self.parameters]
        return inputs, replay, outputs, gradients

    def end(self):
        """Give the memory of the graphs back, which torch keeps for graphs alone."""
        if self.recorded:
            self.recorded, self.capture = {}, None
            clear_gradients(self.parameters)
            torch.cuda.empty_cache()


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

    def __call__(self, compute, parameters):
        """Return a function that replays a computation, and what it returned.

        Parameters
        ----------
        compute : callable
            Without arguments.
        parameters : list of Parameter
            That `compute` gives gradients, and which have none.

        Raises
        ------
        RuntimeError
            If the computation cannot be captured, with this driver for example.
        """
        with torch.cuda.device(self.device):
            present = torch.cuda.current_stream()
            stream = _stream(torch.cuda.current_device())
            stream.wait_stream(present)
            with torch.cuda.stream(stream):
                random_state = torch.cuda.get_rng_state()
                # Libraries set themselves up at their first call, which no graph holds.
                compute()
                clear_gradients(parameters)
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
        except RuntimeError as error:
            raise RuntimeError(
                "The training step cannot be captured as a CUDA graph here. Set "
                f"compile=False, in a new process. The cause is: {error}"
            ) from error
        return graph.replay, outputs
