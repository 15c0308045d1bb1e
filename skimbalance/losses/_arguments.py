"""Checks of what a loss is called with, and of what its constructor is given."""

import inspect

import torch


def float64(values):
    """Return a tensor of double precision."""
    return torch.as_tensor(values, dtype=torch.float64)


def check_constructor(cls, arguments):
    """Refuse what the constructors of torch's criteria take, with the way out."""
    accepted = inspect.signature(cls.__init__).parameters
    for name in ("pos_weight", "weight", "reduction"):
        if name in arguments and name not in accepted:
            raise TypeError(
                f"{cls.__name__}() takes no {name}: pass it in the call, "
                f"loss(scores, targets, {name}=...)."
            )


def check_pos_weight(pos_weight, n_outputs):
    """Raise where a weight of the positives is no number and no array of one each."""
    if isinstance(pos_weight, str):
        raise TypeError(
            f"pos_weight={pos_weight!r} is a scheme, which needs the labels of all "
            f"rows: pass compute_pos_weight(Y, {pos_weight!r}) of skimbalance.weights."
        )
    weight = torch.as_tensor(pos_weight)
    if weight.numel() not in (1, n_outputs):
        raise ValueError(
            f"pos_weight has the shape {tuple(weight.shape)}, but the scores have "
            f"{n_outputs} columns: pass a number, or a weight for each column."
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


def log_weight(pos_weight, device):
    """Return the log of the weight of the positives, by which an inverse is shifted."""
    shift = float64(pos_weight).to(device).log()
    if not shift.isfinite().all():
        raise ValueError(
            "pos_weight must be positive and finite: the odds that scores stand for "
            "are divided by it."
        )
    return shift
