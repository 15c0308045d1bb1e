"""Checks of what a loss is called with, and of what its constructor is given."""

import inspect
from operator import is_

import numpy as np
import torch

from skimbalance._validation import check_parameters


def as_tensor(values, **options):
    """Return numbers of any container as a tensor; a Series or a frame by position."""
    if hasattr(values, "__array__") and not isinstance(values, torch.Tensor):
        # torch would look up the entries of a Series by its names. A copy, since torch
        # takes no reversed array, and warns of one that is read-only.
        values = np.array(values, dtype=np.float64)
    return torch.as_tensor(values, **options)


def float64(values):
    """Return a tensor of double precision."""
    return as_tensor(values, dtype=torch.float64)


def check_constructor(cls, arguments):
    """Refuse what the constructors of torch's criteria take, with the way out."""
    accepted = inspect.signature(cls.__init__).parameters
    for name in ("pos_weight", "weight", "reduction"):
        if name in arguments and name not in accepted:
            raise TypeError(
                f"{cls.__name__}() takes no {name}: pass it in the call, "
                f"loss(scores, targets, {name}=...)."
            )


def parameter_names(cls):
    """Return the names of the constructor parameters of a class."""
    kinds = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
    return tuple(each.name for each in parameters if each.kind not in kinds)


def depth(cls, name):
    """Return how far up in the bases of a class an attribute is defined."""
    return next(i for i, base in enumerate(cls.__mro__) if name in vars(base))


def check_overrides(cls, terms):
    """Refuse a `forward` or `weighted_sum` that the terms of the loss contradict.

    Training and reductions evaluate the terms; only an unreduced call asks `forward`.
    `terms` holds, for each term, the names of the methods that state it.
    """
    depths = [min(depth(cls, name) for name in names) for names in terms]
    # LogLoss sums by torch's own function and states one term, which the other mirrors.
    for name, stated in (("forward", max(depths)), ("weighted_sum", min(depths))):
        if depth(cls, name) < stated:
            raise TypeError(
                f"{cls.__name__} overrides {name}, but not the terms of the loss, by "
                "which it is trained and reduced: write positive(scores) and "
                "negative(scores) instead, or derive from SetLoss."
            )


def check_once(loss, n_outputs):
    """Check the parameters of a loss, unless they are those of its last check.

    Every batch comes here, so values are compared by identity: a check takes longer
    than the loss of a small batch. Without a number of outputs no lengths are checked.
    """
    given = n_outputs, *loss._current_parameters()
    last = loss._checked
    is_known = len(given) == len(last) and given[0] == last[0]
    if is_known and all(map(is_, given[1:], last[1:])):
        return
    if n_outputs is None:
        check_parameters(loss)
    else:
        loss._check_called(n_outputs)
    loss.__dict__["_checked"] = given


def check_counted(loss, n_outputs):
    """Raise where `setup` had counts of other outputs: they would be broadcast."""
    counts = loss._buffers.get("n_positive_")
    if counts is not None and loss.needs_counts and len(counts) != n_outputs:
        raise ValueError(
            f"setup had the counts of {len(counts)} outputs, but the scores have "
            f"{n_outputs} columns. One label has scores of shape (n_samples, 1)."
        )


def check_counts(n_positive, n_negative):
    """Return label counts as new tensors of float64, or raise."""
    counts = [float64(values).detach().clone() for values in (n_positive, n_negative)]
    for name, values in zip(("n_positive", "n_negative"), counts, strict=True):
        if values.ndim != 1:
            raise ValueError(
                f"{name} has the shape {tuple(values.shape)}, but must be an array of "
                "one count for each output."
            )
        if not (values.isfinite() & (values >= 0)).all():
            raise ValueError(
                f"{name} must hold counts that are finite and at least 0, but is "
                f"{values.tolist()}."
            )
    if len(counts[0]) != len(counts[1]):
        raise ValueError(
            f"n_positive has {len(counts[0])} counts and n_negative {len(counts[1])}: "
            "pass both for each output."
        )
    return counts


def like(values, scores):
    """Return weights as a tensor with the device of the scores, at least float32.

    They never pass through a dtype of less precision than that of the scores.
    """
    dtype = torch.promote_types(scores.dtype, torch.float32)
    return as_tensor(values, dtype=dtype, device=scores.device)


def as_weight(weight, scores, shape):
    """Return a `weight` as a tensor that can be broadcast to a shape, or raise."""
    if not isinstance(weight, torch.Tensor):
        weight = like(weight, scores)
    fits = weight.ndim <= len(shape) and all(
        size in (1, needed)
        for size, needed in zip(weight.shape[::-1], shape[::-1], strict=False)
    )
    if not fits:
        raise ValueError(
            f"weight has the shape {tuple(weight.shape)}, which cannot be broadcast to "
            f"{tuple(shape)}, the shape of what it weights."
        )
    return weight


def check_pos_weight(pos_weight, n_outputs):
    """Raise where a weight of the positives is no number and no array of one each.

    Without a number of outputs an array may have any length; None is no weight.
    """
    if pos_weight is None:
        return
    if isinstance(pos_weight, str):
        raise TypeError(
            f"pos_weight={pos_weight!r} is a scheme, which needs the labels of all "
            f"rows: pass compute_pos_weight(Y, {pos_weight!r}) of skimbalance.weights."
        )
    shape = tuple(as_tensor(pos_weight).shape)
    if len(shape) > 1 or (n_outputs and shape not in ((), (1,), (n_outputs,))):
        columns = f"{n_outputs} columns" if n_outputs else "a column for each output"
        raise ValueError(
            f"pos_weight has the shape {shape}, but the scores have {columns}: pass a "
            "number, or an array with one axis and a weight for each column."
        )


def check_tensors(scores, targets, of_classes):
    """Raise where targets do not go with the scores: they would be broadcast."""
    for name, array in (("scores", scores), ("targets", targets)):
        if not isinstance(array, torch.Tensor):
            raise TypeError(
                f"{name} must be a tensor, not {type(array).__name__}: pass "
                f"torch.as_tensor({name})."
            )
    shape = tuple(scores.shape)
    needed = shape[:1] if of_classes else shape
    if tuple(targets.shape) != needed:
        what = "the index of the class of each row" if of_classes else "a label each"
        raise ValueError(
            f"targets has the shape {tuple(targets.shape)}, but scores of the shape "
            f"{shape} need {needed}, {what}."
        )
    if of_classes and (targets.is_floating_point() or targets.dtype == torch.bool):
        raise TypeError(
            f"targets must be class indices, as int64, not {targets.dtype}. A matrix "
            "of labels needs a loss of labels, such as LogLoss."
        )


def check_target_values(scores, targets, of_classes):
    """Raise where targets are no labels, soft targets or classes of the scores.

    The formulas give numbers for others too, which differ by reduction.
    """
    if targets.dtype == torch.bool or not targets.numel():
        return
    highest = scores.shape[1] - 1 if of_classes else 1
    # As numbers: comparing tensors takes as long as finding the two.
    least, most = (end.item() for end in targets.aminmax())
    if not (least >= 0 and most <= highest):  # NaN is neither
        what = f"the classes 0 to {highest}" if of_classes else "labels in [0, 1]"
        raise ValueError(
            f"targets must be {what}, but go from {least:g} to {most:g}. A missing "
            "label is left out by weight=0 for its entry, with 0 in its place."
        )


def check_weight_values(name, weight):
    """Raise where a weight is negative or NaN: training would raise the loss there."""
    if weight is None:
        return
    weight = as_tensor(weight)
    if weight.dtype == torch.bool or not weight.numel():
        return
    least = weight.min().item()
    if not least >= 0:  # NaN is not
        raise ValueError(
            f"{name} must be at least 0, but its least value is {least:g}. To turn 0 "
            "and 1 round, write 1 - mask: ~ of integers is negative."
        )


def check_shape(values, expected, name, unit):
    """Raise unless a loss gave values of a shape; None is of any length."""
    shape = tuple(getattr(values, "shape", ()))
    if len(shape) != len(expected) or any(
        size not in (None, found) for size, found in zip(expected, shape, strict=True)
    ):
        given = f"shape {shape}" if shape else f"a single {type(values).__name__}"
        raise ValueError(
            f"loss: {name} gave {given} for scores of {expected[0]} rows, but must "
            f"give one value for each {unit}. Do not sum or average: the estimator "
            "does, and so does the reduction of the call."
        )


def check_values(values, expected, name, unit):
    """Raise unless a loss gave finite values of a shape; None is of any length."""
    check_shape(values, expected, name, unit)
    if not values.isfinite().all():
        raise ValueError(
            f"loss: {name} gave NaN or infinity for scores of -1 and 0.5, but must be "
            "finite for all scores."
        )


def log_weight(pos_weight, device, n_outputs):
    """Return the log of the weight of the positives, by which an inverse is shifted."""
    check_pos_weight(pos_weight, n_outputs)
    shift = float64(1.0 if pos_weight is None else pos_weight).to(device).log()
    if not shift.isfinite().all():
        raise ValueError(
            "pos_weight must be positive and finite: the odds that scores stand for "
            "are divided by it."
        )
    return shift
