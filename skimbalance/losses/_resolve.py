"""From what a user passes as `loss` to a loss object, checked beforehand."""

from skimbalance._validation import check_choice, check_interval, check_keywords
from skimbalance.losses import LOSSES
from skimbalance.losses._base import PointwiseLoss, SetLoss, SoftmaxLoss
from skimbalance.losses._wrappers import FunctionLoss


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
        if not callable(loss) or isinstance(loss, type):
            raise TypeError(
                f"loss={loss!r} must be a name in skimbalance.losses.LOSSES, an object "
                "of a class derived from PointwiseLoss, SoftmaxLoss or SetLoss, or a "
                "function of scores and targets that gives the unreduced loss."
            )
        loss = FunctionLoss(loss)
    if loss_params:
        raise ValueError(
            "loss_params goes with the name of a loss; set the parameters of a loss "
            "object on the object."
        )
    if kind not in loss.target_types:
        raise ValueError(
            f"loss={loss!r} is for {' and '.join(loss.target_types)} targets, but y is "
            f"{kind}."
        )
    return loss


def _loss_by_name(name, params, kind):
    known = sorted({loss for loss, _ in LOSSES})
    check_choice("loss", name, known)
    if (name, kind) not in LOSSES:
        kinds = [other for loss, other in LOSSES if loss == name]
        options = ", ".join(repr(loss) for loss, other in LOSSES if other == kind)
        raise ValueError(
            f"loss={name!r} is for {' and '.join(kinds)} targets, but y is {kind}. Use "
            f"one of {options}."
        )
    loss = LOSSES[name, kind]
    check_keywords("loss", params, loss)
    return loss(**params)


def check_loss(loss, n_outputs, label_smoothing, correct):
    """Raise a ValueError unless the loss bears what the estimator does around it."""
    loss.check_params()
    loss.check_outputs(n_outputs)
    check_interval("label_smoothing", label_smoothing, 0, 1, closed="left")
    if label_smoothing and isinstance(loss, SetLoss):
        raise ValueError(
            f"label_smoothing has no meaning for {type(loss).__name__}, which takes "
            "the labels of a row together. Leave it 0."
        )
    if correct == "exact" and not loss.invertible:
        raise ValueError(
            f"correct_probabilities='exact', but {type(loss).__name__} has no exact "
            "inverse. Leave it True: the scores are then calibrated on held-out rows."
        )
