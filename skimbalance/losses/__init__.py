"""Losses for imbalanced targets, each with the way back to probabilities.

`LOSSES` maps ``(name, target kind)`` to a class: the name picks the loss for the kind
of target at hand. A loss of your own derives from `PointwiseLoss`, `SoftmaxLoss` or
`SetLoss` and is passed as an object; a plain function of scores and targets will do,
too.
"""

from skimbalance.losses._base import PointwiseLoss, SetLoss, SoftmaxLoss
from skimbalance.losses._pointwise import (
    POINTWISE_LOSSES,
    AsymmetricLoss,
    DistributionBalancedLoss,
    FocalLoss,
    LogLoss,
    NegativeTolerantLoss,
    Poly1Loss,
)
from skimbalance.losses._set import SET_LOSSES, SoftF1Loss, TwoWayLoss, ZLPRLoss
from skimbalance.losses._softmax import (
    SOFTMAX_LOSSES,
    LDAMLoss,
    LogitAdjustedLoss,
    SoftmaxFocalLoss,
    SoftmaxLogLoss,
    SoftmaxPoly1Loss,
    SoftTargetLoss,
)
from skimbalance.losses._wrappers import (
    SELECTION_LOSSES,
    FunctionLoss,
    HardNegativeMiningLoss,
)

__all__ = [
    "AsymmetricLoss",
    "DistributionBalancedLoss",
    "FocalLoss",
    "FunctionLoss",
    "HardNegativeMiningLoss",
    "LDAMLoss",
    "LOSSES",
    "LogLoss",
    "LogitAdjustedLoss",
    "NegativeTolerantLoss",
    "PointwiseLoss",
    "Poly1Loss",
    "SetLoss",
    "SoftF1Loss",
    "SoftTargetLoss",
    "SoftmaxFocalLoss",
    "SoftmaxLogLoss",
    "SoftmaxLoss",
    "SoftmaxPoly1Loss",
    "TwoWayLoss",
    "ZLPRLoss",
]

LOSSES = {
    (name, kind): loss
    for family in (POINTWISE_LOSSES, SELECTION_LOSSES, SET_LOSSES, SOFTMAX_LOSSES)
    for name, loss in family.items()
    for kind in loss.target_types
}
