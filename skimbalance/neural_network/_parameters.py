"""From the user's parameters to what training needs, checked beforehand.

`CONSTRAINTS` says in one line what each parameter may be. Parameters that hold a value
for each label or class take it by position or by name.
"""

import numbers
import os
from numbers import Integral, Real

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer

from skimbalance._base import warn_positive_class
from skimbalance._labels import (
    BINARY,
    MULTICLASS,
    MULTILABEL,
    find_positive,
)
from skimbalance._validation import (
    Number,
    StrOptions,
    accepted_names,
    align_weights,
    check_choice,
    check_interval,
    check_keywords,
    check_layer_sizes,
    check_parameters,
    closest,
    switch,
)
from skimbalance.losses._resolve import check_loss, resolve_loss
from skimbalance.modules import ACTIVATIONS, MLP
from skimbalance.neural_network._callbacks import check_scoring
from skimbalance.neural_network._criterion import ParallelStep, Step, takes_closure
from skimbalance.neural_network._training import Net
from skimbalance.thresholds._rules import resolve_rule
from skimbalance.weights import (
    LABEL_WEIGHT_SCHEMES,
    WEIGHT_SCHEMES,
    PosWeightTransformer,
)

_SMALL_ENTRIES = 10**6
_FULL_BATCH_ROWS = 200
_DROPOUT = 0.5
_PRECISIONS = {
    "16": torch.float32,
    "32": torch.float32,
    "64": torch.float64,
    "bf16": torch.float32,
}
# Scores that differ with the class that counts as positive.
_SCORES_OF_POSITIVES = {"average_precision", "f1", "jaccard", "precision", "recall"}
_HALF = {"16": torch.float16, "bf16": torch.bfloat16}
# Fraction of the free memory of a device that training data may take by themselves.
_DEVICE_FRACTION = 0.5
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
# One line a parameter. What a line cannot say is checked by `check_params`
# and by the functions that resolve the parameter.
CONSTRAINTS = {
    "loss": "no_validation",
    "loss_params": [dict, None],
    "pos_weight": "no_validation",
    "label_weight": "no_validation",
    "class_weight": [dict, StrOptions({"balanced"}), None],
    "pos_label": "no_validation",
    "label_smoothing": [Number(Real, 0, 1, closed="left")],
    "correct_probabilities": [*switch(), StrOptions({"exact"})],
    "threshold": "no_validation",
    "init_bias": "no_validation",
    "standardize": [*switch(), StrOptions({"auto"})],
    "optimizer": "no_validation",
    "optimizer_params": [dict, None],
    "lr": [Number(Real, 0, None, closed="neither")],
    "weight_decay": [Number(Real, 0, None, closed="left"), None],
    "max_epochs": [Number(Integral, 1, None, closed="left")],
    "batch_size": [Number(Integral, 1, None, closed="left"), StrOptions({"auto"})],
    "gradient_accumulation": [Number(Integral, 1, None, closed="left")],
    "max_grad_norm": [Number(Real, 0, None, closed="neither"), None],
    "precision": [StrOptions({"auto", *_PRECISIONS})],
    "compile": switch(),
    "early_stopping": [*switch(), StrOptions({"auto"})],
    "validation_fraction": [Number(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [Number(Integral, 1, None, closed="left")],
    "scoring": [str, callable, None],
    "callbacks": [list, tuple, None],
    "net_params": [dict, None],
    "n_members": [Number(Integral, 1, None, closed="left")],
    "num_workers": [Number(Integral, 0, None, closed="left")],
    "device": [str, torch.device, Number(Integral, 0, None, closed="left"), None],
    "data_device": [str, torch.device, Number(Integral, 0, None, closed="left")],
    "warm_start": switch(),
    "accelerator": "no_validation",
    "checkpoint": [str, os.PathLike, None],
    "resume": switch(),
    "random_state": ["random_state"],
    "verbose": ["boolean", Number(Integral, 0, None, closed="left")],
}
MODULE_CONSTRAINTS = {"module": "no_validation", "module_params": [dict, None]}
MLP_CONSTRAINTS = {
    "hidden_layer_sizes": "no_validation",
    "activation": [StrOptions(set(ACTIVATIONS))],
    "dropout": [Number(Real, 0, 1, closed="left"), StrOptions({"auto"})],
}
_SCHEMES = {"pos_weight": WEIGHT_SCHEMES, "label_weight": LABEL_WEIGHT_SCHEMES}


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
    if module is MLP:
        check_layer_sizes(module_params.get("hidden_layer_sizes", ()))
        check_choice("activation", module_params.get("activation", "relu"), ACTIVATIONS)
        check_interval("dropout", module_params["dropout"], 0, 1, closed="left")


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


def optimizer_params(optimizer, params, weight_decay, device):
    """Return the constructor parameters of the optimizer, but for the learning rate."""
    optimizer, params = resolve_optimizer(optimizer), dict(params or {})
    groups = params.pop("param_groups", None) or []
    if not isinstance(groups, (list, tuple)):
        raise ValueError(
            f"optimizer_params['param_groups']={groups!r} must be a list of pairs of a "
            "pattern of names and a dict."
        )
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
        check_keywords("optimizer", {"weight_decay": weight_decay}, optimizer)
        params["weight_decay"] = weight_decay
    if "fused" in names and not {"fused", "foreach", "capturable"} & params.keys():
        params["fused"] = device.type in ("cpu", "cuda")
    return {**params, "param_groups": list(groups)}


def _check_optimizer(estimator):
    """Raise a ValueError unless the optimizer makes steps; it is tried on a weight."""
    device = find_device(estimator)
    optimizer = resolve_optimizer(estimator.optimizer)
    params = optimizer_params(
        optimizer, estimator.optimizer_params, estimator.weight_decay, device
    )
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


def check_net_params(params):
    """Raise unless the extra parameters of the skorch net are known and not ours."""
    names, _ = accepted_names(Net.__init__)
    options = sorted(set(names) - _RESERVED_NET_PARAMS - {"self"})
    for key in params or {}:
        prefix = str(key).partition("__")[0]
        if prefix in _RESERVED_NET_PARAMS - {"callbacks"} or key == "callbacks":
            raise ValueError(
                f"net_params must not hold {key!r}, which the estimator sets itself."
            )
        if key not in options and prefix != "callbacks":
            raise ValueError(
                f"net_params holds {key!r}, which is no parameter of a skorch net."
                f"{closest(key, options)}"
            )


def check_callbacks(callbacks):
    """Raise a TypeError unless all are callbacks of skorch, their classes, or pairs."""
    for callback in callbacks or ():
        pair = isinstance(callback, tuple) and len(callback) == 2
        name, candidate = callback if pair else ("", callback)
        if not isinstance(name, str) or not hasattr(candidate, "on_train_begin"):
            raise TypeError(
                f"callbacks holds {callback!r}, which is no callback. It must hold "
                "callbacks of skorch, their classes, or pairs (name, callback)."
            )


def resolve_device(device, name="device"):
    """Return a torch device; None is CUDA where there is one, else the CPU."""
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(device)
    except (RuntimeError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{name}={device!r} is not a torch device.") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            f"{name}={str(device)!r}, but torch finds no CUDA device. Use {name}=None "
            "or 'cpu', or install a CUDA build of torch."
        )
    return device


def _check_device(device):
    """Raise a ValueError unless numbers can be written to the device and read back."""
    device = resolve_device(device)
    try:
        torch.zeros(1, device=device).item()
    except Exception as error:
        raise ValueError(
            f"device={str(device)!r} cannot be used here. Use device=None or 'cpu'."
        ) from error


def find_device(estimator):
    """Return the torch device on which an estimator trains."""
    if estimator.accelerator is None:
        return resolve_device(estimator.device)
    return estimator.accelerator.device


def resolve_precision(precision, X, device):
    """Return the dtype of the weights and of the rows that the net reads."""
    if precision != "auto":
        return _PRECISIONS[precision]
    narrow = X.dtype in (np.float32, np.float16)
    size = X.nnz if hasattr(X, "nnz") else X.size
    small = size < _SMALL_ENTRIES and device.type == "cpu"
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
    return n_bytes <= _DEVICE_FRACTION * free


def _check_data_device(data_device, device):
    """Raise a ValueError unless the data can lie where the net trains."""
    if data_device == "auto" or resolve_device(data_device, "data_device").type in (
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


def check_top_k(k, n_columns):
    """Raise a ValueError unless `k` is a number of columns."""
    whole = isinstance(k, numbers.Integral) and not isinstance(k, bool)
    if not whole or not 1 <= k <= n_columns:
        raise ValueError(
            f"k={k!r} must be a whole number between 1 and {n_columns}, the number of "
            "labels or classes."
        )


def _check_step(estimator):
    """Raise a ValueError where an optimizer that needs a closure cannot do as asked."""
    optimizer = resolve_optimizer(estimator.optimizer)
    if not hasattr(optimizer, "step") or not takes_closure(optimizer):
        return
    options = {
        "gradient_accumulation": estimator.gradient_accumulation != 1,
        "max_grad_norm": estimator.max_grad_norm is not None,
        "precision": estimator.precision == "16",
    }
    for name in (name for name, given in options.items() if given):
        raise ValueError(
            f"{name}={getattr(estimator, name)!r} has no meaning for "
            f"{optimizer.__name__}, which evaluates the loss itself."
        )


def _check_accelerator(estimator):
    """Raise unless an Accelerator leaves precision and steps to the estimator."""
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
    """Raise a ValueError where checkpoints contradict another parameter."""
    if estimator.resume and estimator.checkpoint is None:
        raise ValueError("resume=True needs checkpoint, the folder to resume from.")
    if estimator.checkpoint == "":
        raise ValueError("checkpoint='' is no folder. Give one, or None for none.")
    if estimator.checkpoint is not None and estimator.warm_start:
        raise ValueError(
            "checkpoint and warm_start do not go together: a warm start goes on from "
            "the estimator, resume=True from a checkpoint. Choose one."
        )


def resolve_threshold(estimator):
    """Return the threshold rule of an estimator."""
    return resolve_rule(estimator.threshold)


def check_threshold_for(estimator, target):
    """Raise a ValueError unless `threshold` suits the target."""
    rule = resolve_threshold(estimator)
    rule.check(target.kind, target.n_outputs, target.output_names)


def check_params(estimator, target):
    """Check the parameters, alone and with the target, before any work."""
    _check_params_alone(estimator)
    check_threshold_for(estimator, target)
    loss = resolve_loss(estimator.loss, estimator.loss_params, target.kind)
    check_loss(loss, target.n_outputs, estimator.label_smoothing)
    check_scoring(estimator.scoring, target, estimator.pos_label)
    _check_class_weight(estimator.class_weight, target)
    resolve_weight("pos_weight", estimator.pos_weight, target)
    resolve_weight("label_weight", estimator.label_weight, target)
    resolve_bias(estimator.init_bias, target)
    goes_on = estimator.warm_start and estimator.__sklearn_is_fitted__()
    if goes_on and np.array_equal(target.classes, estimator.classes_):
        _check_same_positive(estimator, target.positive)
    if target.kind == MULTICLASS and estimator.label_weight is not None:
        raise ValueError(
            "label_weight goes with a label matrix; weigh the classes of a 1-D y "
            "by class_weight or pos_weight."
        )


def check_first_chunk(estimator, target, classes, label_counts):
    """Raise a ValueError where the first call of `partial_fit` lacks what it needs."""
    if classes is None and target.kind != MULTILABEL:
        raise ValueError("classes must be passed on the first call to partial_fit.")
    if resolve_threshold(estimator).needs_held_out:
        raise ValueError(
            f"threshold={estimator.threshold!r} learns from held-out rows, and "
            "partial_fit holds none out: use a rule that needs none, or wrap the "
            "fitted estimator with cv='prefit' in "
            "skimbalance.thresholds.MultilabelFixedThresholdClassifier."
        )
    counting = [
        f"{name}={getattr(estimator, name)!r}"
        for name in _SCHEMES
        if isinstance(getattr(estimator, name), (str, PosWeightTransformer))
    ]
    loss = resolve_loss(estimator.loss, estimator.loss_params, target.kind)
    if loss.needs_counts:
        counting.append(f"loss={estimator.loss!r}")
    if estimator.label_smoothing:
        counting.append(f"label_smoothing={estimator.label_smoothing!r}")
    if counting and label_counts is None:
        raise ValueError(
            f"{' and '.join(counting)} cannot be used in partial_fit without "
            "label_counts=(n_positive, n_negative) over all chunks: pass them at "
            "the first call, or give the weights as an array."
        )


def warn_of_positive_class(estimator, data, pos_weight):
    """Warn where a parameter treats a positive class that nobody chose in its own way.

    Parameters
    ----------
    estimator : BaseImbalancedNet
    data : TrainingData
    pos_weight : None, str, PosWeightTransformer or ndarray
        From `resolve_weight`.
    """
    if data.target.kind != BINARY or data.all_counts is None:
        return
    name, scoring = None, estimator.scoring
    is_one = isinstance(pos_weight, np.ndarray) and (pos_weight == 1).all()
    if pos_weight is not None and not is_one:
        name = "pos_weight"
    elif resolve_threshold(estimator).depends_on_pos_label:
        name = "threshold"
    elif isinstance(scoring, str) and scoring in _SCORES_OF_POSITIVES:
        name = "scoring"
    if name is not None:
        asked = f"{name}={getattr(estimator, name)!r}"
        warn_positive_class(data.target, estimator.pos_label, asked, data.all_counts)


def _check_params_alone(estimator):
    """Check all that can be checked of the parameters without the target."""
    check_parameters(estimator)
    check_callbacks(estimator.callbacks)
    check_net_params(estimator.net_params)
    check_module(*estimator._module())
    _check_accelerator(estimator)
    _check_step(estimator)
    if estimator.accelerator is None:
        _check_device(estimator.device)
    _check_data_device(estimator.data_device, estimator.device)
    _check_checkpoint(estimator)
    _check_optimizer(estimator)


def as_switch(value):
    """Return a bool for whatever stands for one; a string is left as it is."""
    return value if isinstance(value, str) else bool(value)


def _are_classes(values, classes):
    try:
        return np.array_equal(np.unique(values), classes)
    except TypeError:  # they cannot be sorted
        return False


def check_same_classes(estimator, classes):
    """Raise a ValueError if a later chunk has other classes, or another `pos_label`.

    Parameters
    ----------
    estimator : BaseImbalancedNet
        Fitted.
    classes : array-like or None
        As passed to `partial_fit`.
    """
    target = estimator._target
    if target.kind == MULTILABEL:
        return
    if classes is not None and not _are_classes(classes, target.classes):
        raise ValueError(
            f"classes={classes!r} differs from the classes of the first call to "
            f"partial_fit, {target.classes.tolist()}."
        )
    if target.kind == BINARY and estimator.pos_label is not None:
        positive = find_positive(target.classes, estimator.pos_label)
        _check_same_positive(estimator, positive)


def _check_same_positive(estimator, positive):
    """Raise a ValueError if training goes on with the other class as positive."""
    target = estimator._target
    if positive != target.positive:
        raise ValueError(
            f"pos_label={estimator.pos_label!r}, but the net was trained with "
            f"{target.classes.tolist()[target.positive]!r} as the positive class. Fit "
            "a new estimator, or set pos_label back."
        )


def as_outputs(name, value, target, positive=False):
    """Return a number, or a number for each output, as an array of float64.

    Parameters
    ----------
    name : str
        Name of the parameter.
    value : float, array-like of shape (n_outputs,), dict, Series or data frame
    target : Target
        Names the outputs: the columns of a label frame, the classes of a multiclass
        target, the positive class of a binary one.
    positive : bool, default=False
        Whether all must be greater than 0.

    Returns
    -------
    ndarray of shape (n_outputs,)

    Raises
    ------
    ValueError
        If the value is no number, not finite, or of another shape.
    """
    array = np.asarray(align_weights(value, target.output_names, name))
    if array.dtype.kind not in "iuf":
        raise ValueError(
            f"{name}={value!r} must be a number, or a number for each label or class."
        )
    if array.shape not in ((), (1,), (target.n_outputs,)):
        raise ValueError(
            f"{name} has shape {array.shape}, expected a number or "
            f"({target.n_outputs},): one for each label, or class of a multiclass "
            "target."
        )
    if not (np.isfinite(array) & ((array > 0) | (not positive))).all():
        condition = "finite and greater than 0" if positive else "finite"
        raise ValueError(f"{name} must be {condition}, got {value!r}.")
    return np.broadcast_to(array, (target.n_outputs,)).astype(np.float64)


def resolve_weight(name, weight, target):
    """Return `pos_weight` or `label_weight` without names: a scheme, or an array.

    Parameters
    ----------
    name : {"pos_weight", "label_weight"}
    weight : None, str, PosWeightTransformer, float, array-like, dict or Series
    target : Target
    """
    if weight is None or isinstance(weight, PosWeightTransformer):
        return weight
    if isinstance(weight, str):
        check_choice(name, weight, _SCHEMES[name])
        return weight
    return as_outputs(name, weight, target, positive=True)


def resolve_bias(init_bias, target):
    """Return `init_bias` as "prior", or as an array with a number for each output."""
    if isinstance(init_bias, str):
        check_choice("init_bias", init_bias, {"prior", "zero"})
        return "prior" if init_bias == "prior" else np.zeros(target.n_outputs)
    return as_outputs("init_bias", init_bias, target)


def _check_class_weight(class_weight, target):
    """Raise a ValueError unless the entries of a dict are weights of known classes.

    As in scikit-learn, a class that is left out has weight 1 if all keys are classes.
    """
    if not isinstance(class_weight, dict) or target.classes.ndim == 2:
        return
    for key, weight in class_weight.items():
        number = isinstance(weight, (int, float, np.number))
        if not number or not np.isfinite(weight) or weight < 0:
            raise ValueError(
                f"class_weight[{key!r}]={weight!r} must be a finite number that is not "
                "negative."
            )
    known = target.classes.tolist()
    unknown = [key for key in class_weight if key not in known]
    if unknown and any(label not in class_weight for label in known):
        raise ValueError(
            f"class_weight has the keys {unknown[:5]}, which are none of the classes, "
            f"{known[:5]}.{closest(unknown[0], known)}"
        )
