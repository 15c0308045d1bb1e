"""Losses for imbalanced targets, each with the way back to probabilities.

`LOSSES` maps ``(name, target kind)`` to a class: the name picks the loss for the kind
of target at hand. A loss of your own derives from `PointwiseLoss`, `SoftmaxLoss` or
`SetLoss` and is passed as an object.
"""

from skimbalance.losses._base import PointwiseLoss, SetLoss, SoftmaxLoss
from skimbalance.losses._pointwise import (
    POINTWISE_LOSSES,
    AsymmetricLoss,
    FocalLoss,
    LogLoss,
)
from skimbalance.losses._softmax import (
    SOFTMAX_LOSSES,
    SoftmaxFocalLoss,
    SoftmaxLogLoss,
)

__all__ = [
    "AsymmetricLoss",
    "FocalLoss",
    "LOSSES",
    "LogLoss",
    "PointwiseLoss",
    "SetLoss",
    "SoftmaxFocalLoss",
    "SoftmaxLogLoss",
    "SoftmaxLoss",
]

LOSSES = {
    (name, kind): loss
    for family in (POINTWISE_LOSSES, SOFTMAX_LOSSES)
    for name, loss in family.items()
    for kind in loss.target_types
}
