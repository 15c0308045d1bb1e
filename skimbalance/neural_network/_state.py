"""The state of a fitted net without pickles: arrays, numbers, types and names.

skops reads the state of an object by `__getstate__`, and stores arrays, containers and
the names of types, but no tensors. So a net has two states. `pickle`, `joblib` and
`copy` get all attributes, by `__reduce_ex__`. `__getstate__` returns the plain one, in
which tensors are arrays, and the skorch net is what makes it anew: its parameters, and
the weights of module, criterion and optimizer. Nothing in it is unpickled, so that
loading runs no code but that of the types that the user trusts.
"""

import copyreg
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from skorch.history import History
from torch import nn

from skimbalance._labels import MULTILABEL, Target, _LabelClasses
from skimbalance.neural_network._predictions import NetOutputs
from skimbalance.neural_network._training import Net, Step, seeded

_PLAIN = "plain_state"
# Attributes of the output model that follow from the others.
_DERIVED = "link", "invertible"
# What other code attaches to a torch module for its own purposes.
_HOOKS = "hooks", "hooks_with_kwargs", "hooks_always_called"


class StateMixin(BaseEstimator):
    """Give an estimator one state for pickles and copies, and a plain one for skops."""

    net_: Any

    def __reduce_ex__(self, protocol: Any) -> Any:
        if type(self).__getstate__ is not StateMixin.__getstate__:
            return super().__reduce_ex__(protocol)  # that of a user's subclass
        return copyreg.__newobj__, (type(self),), self._whole_state()  # type: ignore[attr-defined]

    def _whole_state(self):
        """Return all attributes but those that cannot or need not be stored."""
        # Processes and their connections cannot be stored. Out-of-fold scores are as
        # many as the entries of `y`, and are of use right after `fit`.
        state: Any = dict(super().__getstate__())  # type: ignore[misc]
        if state.get("out_of_fold_log_odds_") is not None:
            state["out_of_fold_log_odds_"] = None
        return state | {"accelerator": None}

    def __getstate__(self):
        state = self._whole_state()
        if "_output" not in state:
            return state
        net, output = state.pop("net_"), state.pop("_output")
        dropped = "loss_", "_target", "classes_", "device_", "_skl_callbacks"
        for name in dropped:
            state.pop(name, None)
        return {
            **plain(state),
            _PLAIN: {"net": plain_net(net), "output": plain_output(output)},
        }

    def __setstate__(self, state):
        state = dict(state)
        parts = state.pop(_PLAIN, None)
        super().__setstate__(state if parts is None else restored(state))  # type: ignore[misc]
        if parts is not None:
            _restore_fit(self, parts)
        if getattr(self, "net_", None) is not None:
            # A net trained on a device that is not here has moved to the CPU.
            self.device_ = torch.device(self.net_.device)


class PlainTensor:
    """A tensor as an array; torch's 16-bit floats, which NumPy lacks, as integers."""

    def __init__(self, tensor):
        tensor = tensor.detach().cpu()
        self.dtype = str(tensor.dtype).removeprefix("torch.")
        if tensor.dtype is torch.bfloat16:
            tensor = tensor.view(torch.int16)
        self.array = tensor.numpy().copy()

    def restored(self):
        """Return the tensor."""
        dtype = getattr(torch, self.dtype)
        tensor = torch.tensor(self.array)
        return tensor.view(dtype) if dtype is torch.bfloat16 else tensor.to(dtype)


class PlainParameter(PlainTensor):
    """A parameter of a module as an array."""

    def restored(self):
        return nn.Parameter(super().restored())


class PlainDtype:
    """The name of a torch dtype, which skops cannot make anew."""

    def __init__(self, dtype):
        self.name = str(dtype).removeprefix("torch.")

    def restored(self):
        """Return the dtype."""
        dtype = getattr(torch, self.name)
        if not isinstance(dtype, torch.dtype):
            raise TypeError(f"torch.{self.name} is no dtype.")
        return dtype


class PlainModule:
    """A module without tensors, such as a loss: its class and its attributes."""

    def __init__(self, module):
        self.type = type(module)
        self.state = plain(
            {key: v for key, v in vars(module).items() if not key.endswith(_HOOKS)}
        )

    def restored(self):
        """Return the module."""
        if not (isinstance(self.type, type) and issubclass(self.type, nn.Module)):
            raise TypeError(f"{self.type!r} is no torch module.")
        module = self.type.__new__(self.type)
        nn.Module.__init__(module)
        vars(module).update(restored(self.state))
        return module


_PLAIN_TYPES = PlainTensor, PlainDtype, PlainModule


def plain(value: Any) -> Any:
    """Return a value with plain objects in place of tensors, dtypes and modules."""
    if isinstance(value, nn.Parameter):
        return PlainParameter(value)
    if isinstance(value, torch.Tensor):
        return PlainTensor(value)
    if isinstance(value, torch.dtype):
        return PlainDtype(value)
    if isinstance(value, nn.Module):
        return PlainModule(value)
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(plain, value))
    return value


def restored(value: Any) -> Any:
    """Return what `plain` was given."""
    if isinstance(value, _PLAIN_TYPES):
        return value.restored()
    if isinstance(value, dict):
        return {key: restored(entry) for key, entry in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(restored, value))
    return value


def plain_output(output):
    """Return the class and the attributes of an output model."""
    state = {key: v for key, v in vars(output).items() if key not in _DERIVED}
    target = vars(state.pop("target"))
    target = target | {
        "classes": np.asarray(target["classes"]),
        "dtype": None if target["dtype"] is None else np.dtype(target["dtype"]).str,
    }
    return {"type": type(output), "state": plain(state), "target": target}


def plain_net(net):
    """Return the parameters of a skorch net, and the weights of its parts; or None."""
    if net is None:
        return None
    params = net.get_params(deep=False)
    for name in ("outputs_", "step_"):
        params.pop(name, None)
    return plain(
        {
            "params": params,
            "history": [dict(row) for row in net.history],
            "module": dict(net.module_.state_dict()),
            "criterion": dict(net.criterion_.state_dict()),
            "optimizer": net.optimizer_.state_dict(),
            "reads_integers": net.module_.reads_integers,
            # That of the training: `set_params` may have changed the parameters since.
            "step": [net.step_.half, net.step_.max_grad_norm, net.step_.records],
        }
    )


def _restore_fit(estimator, parts):
    """Set the fitted attributes that a plain state has in another form."""
    stored = parts["output"]
    output = stored["type"].__new__(stored["type"])
    vars(output).update(restored(stored["state"]))
    output.target = _restored_target(stored["target"])
    output.find_link()
    estimator._output, estimator.loss_ = output, output.loss
    estimator._target, estimator.net_ = output.target, None
    estimator.classes_ = output.target.classes
    estimator.device_ = torch.device("cpu")
    if parts["net"] is not None:
        estimator.net_ = _restored_net(estimator, restored(parts["net"]))


def _restored_target(stored):
    """Return the target, without labels, that `plain_output` was given."""
    target = Target(**stored)
    if target.kind == MULTILABEL:
        target = replace(target, classes=target.classes.view(_LabelClasses))
    if target.dtype is not None:
        target = replace(target, dtype=np.dtype(target.dtype))
    return target


def _restored_net(estimator, stored):
    """Return the skorch net that `plain_net` was given."""
    params = stored["params"]
    if torch.device(params["device"]).type == "cuda" and not torch.cuda.is_available():
        params["device"] = torch.device("cpu")
    device = torch.device(params["device"])
    with seeded(0, device):  # new weights, which are overwritten, draw numbers
        net: Any = Net(**params).initialize()
    net.module_.load_state_dict(stored["module"])
    net.module_.reads_integers = stored["reads_integers"]
    net.criterion_.load_state_dict(stored["criterion"])
    net.optimizer_.load_state_dict(stored["optimizer"])
    net.history_ = History(stored["history"])
    net.step_ = Step(*stored["step"])
    net.outputs_ = NetOutputs(estimator)
    return net
