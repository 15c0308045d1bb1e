"""The optimizer of a net: found by name, given its parameters, and tried."""

import inspect

import torch
from torch.optim import Optimizer

from skimbalance._validation import accepted_names, check_keywords, closest
from skimbalance.neural_network._devices import find_device


def takes_closure(optimizer):
    """Whether an optimizer, or its class, evaluates the loss itself, as L-BFGS does."""
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    return closure is not None and closure.default is inspect.Parameter.empty


def clear_gradients(parameters):
    """Remove the gradients of the last step."""
    for parameter in parameters:
        parameter.grad = None


def resolve_optimizer(optimizer):
    """Return an optimizer class, which may be given by its name in `torch.optim`."""
    if isinstance(optimizer, str):
        known = {
            name.lower(): value
            for name, value in vars(torch.optim).items()
            if isinstance(value, type) and issubclass(value, Optimizer)
        }
        # Their base class, and two that take sparse gradients or matrices only.
        for unfit in ("optimizer", "sparseadam", "muon"):
            known.pop(unfit, None)
        if optimizer.lower() not in known:
            raise ValueError(
                f"optimizer={optimizer!r} is not known."
                f"{closest(optimizer.lower(), known)} Use one of {sorted(known)}, or a "
                "class derived from torch.optim.Optimizer."
            )
        return known[optimizer.lower()]
    if isinstance(optimizer, Optimizer):
        raise TypeError(
            f"optimizer is an instance of {type(optimizer).__name__}: pass the class, "
            "and its parameters as optimizer_params."
        )
    is_class = isinstance(optimizer, type)
    if not (issubclass(optimizer, Optimizer) if is_class else callable(optimizer)):
        raise TypeError(
            f"optimizer={optimizer!r} must be the name of an optimizer of torch, such "
            "as 'adam', or a class derived from torch.optim.Optimizer."
        )
    return optimizer


def optimizer_params(estimator, device):
    """Return the constructor parameters of the optimizer, but for the learning rate."""
    optimizer = resolve_optimizer(estimator.optimizer)
    params, decay = dict(estimator.optimizer_params or {}), estimator.weight_decay
    groups = params.pop("param_groups", None) or []
    if not isinstance(groups, (list, tuple)):
        raise ValueError(
            f"optimizer_params['param_groups']={groups!r} must be a list of pairs of a "
            "pattern of names and a dict."
        )
    check_keywords("optimizer", params, optimizer, reserved=("params",))
    if "lr" in params:
        raise ValueError("lr is given twice: as lr and as optimizer__lr. Keep lr.")
    names, _ = accepted_names(optimizer)
    if decay is not None:
        if "weight_decay" in params:
            raise ValueError(
                "weight_decay is given twice: as weight_decay and as "
                "optimizer__weight_decay. Keep one."
            )
        check_keywords("optimizer", {"weight_decay": decay}, optimizer)
        params["weight_decay"] = decay
    # One kernel for all weights: a step of small nets is mostly calls of kernels.
    if "fused" in names and not {"fused", "foreach", "capturable"} & params.keys():
        params["fused"] = device.type in ("cpu", "cuda")
    return {**params, "param_groups": list(groups)}


def check_optimizer(estimator):
    """Raise a ValueError unless the optimizer makes steps; it is tried on a weight."""
    device = find_device(estimator)
    optimizer = resolve_optimizer(estimator.optimizer)
    if hasattr(optimizer, "step") and takes_closure(optimizer):
        _check_closure(estimator, optimizer)
    params = optimizer_params(estimator, device)
    groups = params.pop("param_groups")
    _check_param_groups(groups, optimizer)
    for more in ({}, *(entries for _, entries in groups)):
        params_of_group = {"lr": estimator.lr, **params, **more}
        try:
            _try_step(optimizer, params_of_group, device)
        except Exception as error:  # each optimizer has errors of its own
            raise ValueError(
                f"optimizer={estimator.optimizer!r} makes no steps with "
                f"optimizer_params={estimator.optimizer_params!r}: {error}"
            ) from error


def _try_step(optimizer, params, device):
    weight = torch.zeros(1, 1, requires_grad=True, device=device)
    weight.grad = torch.ones_like(weight)
    made = optimizer([weight], **params)
    if not hasattr(made, "param_groups") or not callable(getattr(made, "step", None)):
        raise TypeError(f"it gives a {type(made).__name__}, which is no optimizer.")
    if takes_closure(made):
        made.step(lambda: (weight**2).sum())
    else:
        made.step()


def _check_param_groups(groups, optimizer):
    """Raise a ValueError unless groups are pairs of a pattern and known parameters."""
    known, takes_any = accepted_names(optimizer)
    for group in groups:
        is_pair = isinstance(group, (tuple, list)) and len(group) == 2
        pattern, entries = group if is_pair else (None, None)
        if not isinstance(entries, dict) or not (
            isinstance(pattern, str) or callable(pattern)
        ):
            raise ValueError(
                f"optimizer_params['param_groups'] holds {group!r}, but must hold "
                "pairs of a pattern of names and a dict, such as ('hidden.*', "
                "{'lr': 0.0001})."
            )
        for key in entries:
            if key not in known and not takes_any:
                raise ValueError(
                    f"optimizer_params['param_groups'] sets {key!r}, which is no "
                    f"parameter of the optimizer.{closest(key, known)}"
                )


def _check_closure(estimator, optimizer):
    """Raise a ValueError for parameters that an optimizer with a closure ignores."""
    options = {
        "gradient_accumulation": estimator.gradient_accumulation != 1,
        "max_grad_norm": estimator.max_grad_norm is not None,
        "precision": estimator.precision == "16",
    }
    for name in (name for name, given in options.items() if given):
        raise ValueError(
            f"{name}={getattr(estimator, name)!r} has no meaning for "
            f"{optimizer.__name__}, which evaluates the loss itself. Leave {name} at "
            "its default, or use another optimizer, such as AdamW."
        )
