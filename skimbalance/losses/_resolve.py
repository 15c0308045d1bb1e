"""Turn what a user passes as `loss` into a loss object, and check it."""

import inspect

import torch

from skimbalance._base import warn_user
from skimbalance._validation import (
    accepted_names,
    check_choice,
    check_interval,
    check_keywords,
)
from skimbalance.exceptions import CalibrationWarning
from skimbalance.losses import LOSSES
from skimbalance.losses._base import Loss, PointwiseLoss, SoftmaxLoss
from skimbalance.losses._inverse import CONTRADICTS, DECLARED
from skimbalance.losses._labelset import SetLoss
from skimbalance.losses._wrappers import FunctionLoss

# Names of the log loss in Keras, LightGBM, scikit-learn and torch, in letters only.
_LOG_LOSS_NAMES = ("bce", "ce", "crossentropy", "logistic", "logloss", "nll")
# Torch's losses that take no raw scores, or no label matrix, and what they take.
_UNFIT = {
    torch.nn.BCELoss: "probabilities",
    torch.nn.NLLLoss: "log-probabilities",
    torch.nn.CrossEntropyLoss: "the scores of all classes and makes one value a row",
    torch.nn.KLDivLoss: "log-probabilities",
}
_WAY_OUT = (
    "a name in skimbalance.losses.LOSSES, such as 'log_loss', an object of a class "
    "derived from PointwiseLoss, SoftmaxLoss or SetLoss, or a function of scores and "
    "targets that gives the unreduced loss"
)


def resolve_loss(loss, loss_params, kind):
    """Return a loss object for the kind of target.

    Parameters
    ----------
    loss : str, Loss or callable
        A name in `LOSSES`, an object, which is used as it is, or a function.
    loss_params : dict or None
        Constructor parameters that go with a name.
    kind : str
        The kind of target.
    """
    if isinstance(loss, str):
        return _loss_by_name(loss, loss_params or {}, kind)
    if not isinstance(loss, (PointwiseLoss, SoftmaxLoss, SetLoss)):
        _check_function(loss)
        loss = FunctionLoss(loss)
    if loss_params:
        raise ValueError(
            "loss_params goes with the name of a loss; set the parameters of a loss "
            "object on the object."
        )
    if kind not in loss.target_types:
        raise ValueError(
            f"loss={loss!r} is for {' and '.join(loss.target_types)} targets, but y is "
            f"{kind}. {_names_for(kind)}"
        )
    return loss


def _names_for(kind):
    """Return a sentence that lists the names for a kind of target."""
    options = ", ".join(repr(name) for name, other in LOSSES if other == kind)
    return f"Use one of {options}."


def _loss_by_name(name, params, kind):
    """Return the loss of a name for a kind of target, or raise what is wrong."""
    known = sorted({loss for loss, _ in LOSSES})
    if name not in known and _means_log_loss(name):
        raise ValueError(
            f"loss={name!r} is not known. Did you mean 'log_loss'? It is the "
            "cross-entropy of raw scores, for labels and for classes."
        )
    check_choice("loss", name, known)
    if (name, kind) not in LOSSES:
        kinds = [other for loss, other in LOSSES if loss == name]
        raise ValueError(
            f"loss={name!r} is for {' and '.join(kinds)} targets, but y is {kind}. "
            f"{_names_for(kind)}"
        )
    loss = LOSSES[name, kind]
    check_keywords("loss", params, loss)
    return loss(**params)


def _means_log_loss(name):
    """Return whether an unknown name is another library's name of the log loss."""
    letters = "".join(filter(str.isalpha, name.lower()))
    return letters in _LOG_LOSS_NAMES or any(
        part in letters for part in _LOG_LOSS_NAMES if len(part) > 2
    )


def _check_function(function):
    """Raise unless a function can be a loss, as far as that shows without a call."""
    if inspect.isclass(function):
        _refuse_class(function)
    if not callable(function):
        raise TypeError(f"loss={function!r} must be {_WAY_OUT}.")
    for unfit, expected in _UNFIT.items():
        if isinstance(function, unfit):
            raise ValueError(
                f"loss={function!r} takes {expected}, but the net gives raw scores "
                "(logits) of labels, and functions are for labels only. Use "
                "loss='log_loss', which is the cross-entropy of labels and of classes; "
                "pos_weight, label_weight, class_weight and label_smoothing of the "
                "estimator take the place of its parameters."
            )
    reduction = getattr(function, "reduction", "none")
    if reduction != "none":
        raise ValueError(
            f"loss={function!r} has reduction={reduction!r}, but must give "
            "one value for each entry, which the estimator weights and averages. Use "
            "reduction='none'."
        )


def _refuse_class(given):
    """Raise a TypeError that shows how to pass an object of a class instead."""
    name = given.__name__
    if issubclass(given, Loss):
        names = sorted({key for (key, _), loss in LOSSES.items() if loss is given})
        by_name = f", or its name, loss={names[0]!r}" if names else ""
        way_out = f"Pass an object, loss={name}(){by_name}"
    elif issubclass(given, tuple(_UNFIT)):
        way_out = "Use loss='log_loss', the cross-entropy of raw scores"
    elif "reduction" in accepted_names(given)[0]:
        way_out = f"Pass an object, loss={name}(reduction='none')"
    else:
        way_out = f"Pass an object, loss={name}()"
    raise TypeError(f"loss={name} is a class. {way_out}; or any of LOSSES by name.")


def check_loss(loss, n_outputs, label_smoothing):
    """Raise a ValueError unless the loss fits the outputs and the label smoothing."""
    loss.check_params(n_outputs)
    check_interval("label_smoothing", label_smoothing, 0, 1, closed="left")
    if label_smoothing and isinstance(loss, SetLoss):
        raise ValueError(
            f"label_smoothing has no meaning for {type(loss).__name__}, which takes "
            "the labels of a row together. Leave it 0."
        )


def check_link(loss, link, correct, holds_out):
    """Refuse, or warn of, a loss whose scores stand for no probabilities.

    Parameters
    ----------
    loss : Loss
        After `setup`.
    link : callable
        What its `link` returned, with the weight of the positives.
    correct : bool or "exact"
        As the estimator's `correct_probabilities`.
    holds_out : bool
        Whether rows are held out that the scores can be calibrated on.

    Raises
    ------
    ValueError
        If the exact inverse is asked for and there is none, the loss contradicts
        itself, or nothing takes the place of an inverse.
    """
    if link.problem is None:
        return
    about = f"{_described(loss)} {link.problem}"
    if link.problem == CONTRADICTS:
        raise ValueError(
            f"loss: {about}. Correct the closed form of the inverse, or leave it out."
        )
    if isinstance(correct, str):
        raise ValueError(
            f"correct_probabilities='exact', but loss {about}: it has no exact "
            "inverse. Change the parameters of the loss or pos_weight, or leave "
            "correct_probabilities=True: the scores are then calibrated on held-out "
            "rows."
        )
    if not correct or link.problem == DECLARED:
        return
    if not holds_out:
        raise ValueError(
            f"loss: {about}, hence no inverse, and no rows are held out to calibrate "
            "its scores on. Change the parameters of the loss or pos_weight, hold rows "
            "out (early_stopping=True, or X_val and y_val), or set "
            "correct_probabilities=False."
        )
    warn_user(
        f"loss: {about}, hence no inverse; they are calibrated on held-out rows "
        "instead.",
        CalibrationWarning,
    )


def _described(loss):
    """Return the class of a loss with its parameters."""
    if isinstance(loss, FunctionLoss):
        function = loss.function
        return f"function {getattr(function, '__name__', type(function).__name__)}"
    params = ", ".join(f"{key}={value!r}" for key, value in loss.get_params().items())
    return f"{type(loss).__name__}({params})"


def target_types_of(loss):
    """Return the kinds of target that a loss takes; all where that is unknown."""
    kinds = {kind for _, kind in LOSSES}
    if isinstance(loss, str):
        return {kind for name, kind in LOSSES if name == loss} or kinds
    if callable(loss) and not hasattr(loss, "target_types"):
        loss = FunctionLoss
    return set(getattr(loss, "target_types", kinds))
