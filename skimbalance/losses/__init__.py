"""Losses for imbalanced targets, each with the way back to probabilities.

`LOSSES` maps ``(name, target kind)`` to a class: the name picks the loss for the kind
of target at hand. A loss of your own derives from `PointwiseLoss`, `SoftmaxLoss` or
`SetLoss` and is passed as an object; a plain function of scores and targets will do,
too.

Each module of losses lists what is public in its `__all__` and what has a name in its
registry; nothing is listed here.
"""

from skimbalance.losses import _labelset, _pointwise, _softmax, _wrappers
from skimbalance.losses._base import PointwiseLoss, SoftmaxLoss
from skimbalance.losses._labelset import *  # noqa: F403
from skimbalance.losses._labelset import LABEL_SET_LOSSES, SetLoss
from skimbalance.losses._pointwise import *  # noqa: F403
from skimbalance.losses._pointwise import POINTWISE_LOSSES
from skimbalance.losses._softmax import *  # noqa: F403
from skimbalance.losses._softmax import SOFTMAX_LOSSES
from skimbalance.losses._wrappers import *  # noqa: F403
from skimbalance.losses._wrappers import SELECTION_LOSSES

__all__ = ["LOSSES", "PointwiseLoss", "SetLoss", "SoftmaxLoss"]
__all__ += _pointwise.__all__
__all__ += _labelset.__all__
__all__ += _softmax.__all__
__all__ += _wrappers.__all__
__all__.sort()

LOSSES = {
    (name, kind): loss
    for family in (POINTWISE_LOSSES, SELECTION_LOSSES, LABEL_SET_LOSSES, SOFTMAX_LOSSES)
    for name, loss in family.items()
    for kind in loss.target_types
}
