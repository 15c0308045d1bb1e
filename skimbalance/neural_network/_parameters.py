"""From the user's parameters to what training needs, checked beforehand."""

import numbers

import numpy as np
import torch
from torch import nn

from skimbalance._net import Net, ParallelStep, Step, takes_closure
from skimbalance._validation import (
    MULTICLASS,
    accepted_names,
    check_choice,
    check_interval,
    check_keywords,
    closest,
)
from skimbalance.neural_network._decisions import check_rule

_SMALL_CELLS = 10**6
_FULL_BATCH_ROWS = 200
_DROPOUT = 0.5
_PRECISIONS = {
    "16": torch.float32,
    "32": torch.float32,
    "64": torch.float64,
    "bf16": torch.float32,
}
_HALF = {"16": torch.float16, "bf16": torch.bfloat16}
# Share of the free memory of a device that training data may take by themselves.
_DEVICE_SHARE = 0.5
_RESERVED_NET_PARAMS = {
    "batch_size",
    "callbacks",
    "compile",
    "criterion",
    "dataset",
    "device",
    "iterator_train",
    "iterator_valid",
    "lr",
    "max_epochs",
    "module",
    "optimizer",
    "train_split",
    "verbose",
    "warm_start",
}


def check_module(module, module_params):
    """Raise unless the module is a class or function that takes these parameters."""
    if isinstance(module, nn.Module):
        raise TypeError(
            f"module is a {type(module).__name__} instance: pass the class or a "
            "function that builds it, module(n_features, n_outputs, **module_params), "
            "so that every fit starts from new weights."
        )
    if not callable(module):
        raise TypeError(
            f"module={module!r} must be a class or a function that builds a torch "
            "module: module(n_features, n_outputs, **module_params)."
        )
    names, _ = accepted_names(module)
    check_keywords("module", module_params, module, reserved=names[:2])


def optimizer_params(optimizer, params, weight_decay, device):
    """Return the constructor parameters of the optimizer, but for the learning rate."""
    params = dict(params or {})
    groups = list(params.pop("param_groups", []))
    check_keywords("optimizer", params, optimizer, reserved=("params",))
    if "lr" in params:
        raise ValueError("lr is said twice: as lr and as optimizer__lr. Keep lr.")
    names, _ = accepted_names(optimizer)
    if weight_decay is not None:
        if "weight_decay" in params:
            raise ValueError(
                "weight_decay is said twice: as weight_decay and as "
                "optimizer__weight_decay. Keep one."
            )
        check_interval("weight_decay", weight_decay, 0)
        check_keywords("optimizer", {"weight_decay": weight_decay}, optimizer)
        params["weight_decay"] = weight_decay
    if "fused" in names and not {"fused", "foreach", "capturable"} & params.keys():
        params["fused"] = device.type in ("cpu", "cuda")
    if "weight_decay" in names:
        # The starting bias is no weight: decay would pull it off the base rate.
        groups.insert(0, ("bias", {"weight_decay": 0.0}))
    return {**params, "param_groups": groups}


def check_net_params(params):
    """Raise unless the extra parameters of the skorch net are known and not ours."""
    names, _ = accepted_names(Net.__init__)
    options = sorted(set(names) - _RESERVED_NET_PARAMS - {"self"})
    for key in params or {}:
        prefix = key.partition("__")[0]
        if prefix in _RESERVED_NET_PARAMS - {"callbacks"} or key == "callbacks":
            raise ValueError(
                f"net_params must not hold {key!r}, which the estimator sets itself."
            )
        if key not in options and not key.startswith("callbacks__"):
            raise ValueError(
                f"net_params holds {key!r}, which is no parameter of a skorch net."
                f"{closest(key, options)}"
            )


def resolve_device(device):
    """Return a torch device; None is CUDA where there is one, else the CPU."""
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"device={device!r} is not a torch device.") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            f"device={str(device)!r}, but torch finds no CUDA device. Use device=None "
            "or 'cpu', or install a CUDA build of torch."
        )
    return device


def find_device(estimator):
    """Return the torch device on which an estimator trains."""
    if estimator.accelerator is None:
        return resolve_device(estimator.device)
    return estimator.accelerator.device


def resolve_precision(precision, X, device):
    """Return the dtype of the weights and of the rows that the net reads."""
    if precision != "auto":
        check_choice("precision", precision, {"auto", *_PRECISIONS})
        return _PRECISIONS[precision]
    narrow = X.dtype in (np.float32, np.float16)
    size = X.nnz if hasattr(X, "nnz") else X.size
    small = size < _SMALL_CELLS and device.type == "cpu"
    return torch.float64 if small and not narrow else torch.float32


def make_step(estimator):
    """Return what a step of the training does beside the plain one."""
    half, accelerator = _HALF.get(estimator.precision), estimator.accelerator
    if accelerator is None:
        return Step(half, estimator.max_grad_norm)
    return ParallelStep(accelerator, half, estimator.max_grad_norm)


def moves_data(data_device, device, n_bytes):
    """Whether training data of that size are put on the device for good."""
    if device.type == "cpu" or data_device == "cpu":
        return False
    if data_device != "auto":
        return True
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return n_bytes <= _DEVICE_SHARE * free


def _check_data_device(data_device, device):
    if data_device == "auto" or resolve_device(data_device).type in (
        "cpu",
        resolve_device(device).type,
    ):
        return
    raise ValueError(
        f"data_device={data_device!r} must be 'auto', 'cpu' or the device that trains."
    )


def resolve_batch_size(batch_size, n_rows):
    """Return the number of rows of a batch."""
    if batch_size != "auto":
        check_interval("batch_size", batch_size, 1)
        return int(batch_size)
    if is_tiny(n_rows):
        return n_rows
    return int(np.clip(2 ** round(np.log2(n_rows / 20)), 32, 256))


def is_tiny(n_rows):
    """Whether the rows make one full batch, and bear neither dropout nor a split."""
    return n_rows <= _FULL_BATCH_ROWS


def default_dropout(n_rows):
    """Return the dropout of the default module."""
    return 0.0 if is_tiny(n_rows) else _DROPOUT


def check_threshold(threshold, params, kind, n_outputs):
    """Raise a ValueError unless the threshold makes sense for the target."""
    if kind != MULTICLASS and isinstance(threshold, str):
        check_rule(threshold, params, kind, n_outputs)
        return
    if kind == MULTICLASS:
        if isinstance(threshold, str):
            check_choice("threshold", threshold, {"trained"})
        elif threshold != 0.5:
            raise ValueError(
                f"threshold={threshold!r}: a multiclass target is decided by the "
                "largest probability (leave the default, 0.5) or by 'trained'."
            )
        return
    values = np.asarray(threshold)
    numeric = values.dtype.kind in "iuf" or isinstance(threshold, numbers.Real)
    if not numeric or values.shape not in ((), (n_outputs,)):
        raise ValueError(
            f"threshold must be a number, an array of shape ({n_outputs},) or the "
            f"name of a rule, got {threshold!r}."
        )
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"threshold={threshold!r} must lie in [0, 1].")


def check_top_k(k, n_columns):
    """Raise a ValueError unless `k` is a number of columns."""
    if not isinstance(k, numbers.Integral) or not 1 <= k <= n_columns:
        raise ValueError(
            f"k={k!r} must be a whole number between 1 and {n_columns}, the number of "
            "labels or classes."
        )


def _check_step(estimator):
    check_interval("gradient_accumulation", estimator.gradient_accumulation, 1)
    if estimator.max_grad_norm is not None:
        check_interval("max_grad_norm", estimator.max_grad_norm, 0, closed="neither")
    if not takes_closure(estimator.optimizer):
        return
    options = {
        "gradient_accumulation": estimator.gradient_accumulation != 1,
        "max_grad_norm": estimator.max_grad_norm is not None,
        "precision": estimator.precision == "16",
    }
    for name in (name for name, given in options.items() if given):
        raise ValueError(
            f"{name}={getattr(estimator, name)!r} has no meaning for "
            f"{estimator.optimizer.__name__}, which evaluates the loss itself."
        )


def _check_accelerator(estimator):
    accelerator = estimator.accelerator
    if accelerator is None:
        return
    if not hasattr(accelerator, "prepare_model"):
        raise TypeError(
            f"accelerator={accelerator!r} must be an accelerate.Accelerator or None."
        )
    if accelerator.mixed_precision != "no":
        raise ValueError(
            f"accelerator has mixed_precision={accelerator.mixed_precision!r}. Leave "
            "it 'no', and set precision of the estimator to 'bf16' or '16'."
        )
    if accelerator.gradient_accumulation_steps != 1:
        raise ValueError(
            "accelerator has gradient_accumulation_steps="
            f"{accelerator.gradient_accumulation_steps}. Leave it 1, and set "
            "gradient_accumulation of the estimator."
        )
    if estimator.device is not None and (
        resolve_device(estimator.device).type != accelerator.device.type
    ):
        raise ValueError(
            f"device={estimator.device!r}, but accelerator trains on "
            f"{str(accelerator.device)!r}. Leave device None."
        )
    if accelerator.num_processes > 1 and not isinstance(
        estimator.random_state, numbers.Integral
    ):
        raise ValueError(
            f"random_state={estimator.random_state!r} must be an int with several "
            "processes, which all have to draw the same."
        )


def _check_checkpoint(estimator):
    if estimator.resume and estimator.checkpoint is None:
        raise ValueError("resume=True needs checkpoint, the folder to resume from.")
    if estimator.checkpoint is not None and estimator.warm_start:
        raise ValueError(
            "checkpoint and warm_start do not go together: a warm start goes on from "
            "the estimator, resume=True from a checkpoint. Choose one."
        )


def check_training_params(estimator):
    """Check the numbers, switches and dicts that every fit reads."""
    for name in (
        "module_params",
        "loss_params",
        "threshold_params",
        "optimizer_params",
        "net_params",
    ):
        value = getattr(estimator, name, None)
        if value is not None and not isinstance(value, dict):
            raise TypeError(f"{name}={value!r} must be a dict or None.")
    check_interval("lr", estimator.lr, 0, closed="neither")
    check_interval("max_epochs", estimator.max_epochs, 1)
    check_interval("n_iter_no_change", estimator.n_iter_no_change, 1)
    check_interval("num_workers", estimator.num_workers, 0)
    check_interval("n_members", estimator.n_members, 1)
    _check_accelerator(estimator)
    _check_step(estimator)
    _check_data_device(estimator.data_device, estimator.device)
    _check_checkpoint(estimator)
    check_interval(
        "validation_fraction", estimator.validation_fraction, 0, 1, closed="neither"
    )
    if estimator.early_stopping not in ("auto", True, False):
        raise ValueError(
            f"early_stopping={estimator.early_stopping!r} must be 'auto', True or "
            "False."
        )
    if estimator.correct_probabilities not in (True, False, "exact"):
        raise ValueError(
            f"correct_probabilities={estimator.correct_probabilities!r} must be True, "
            "'exact' or False."
        )
