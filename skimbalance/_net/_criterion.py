"""The batch loss: weights and reduction around an unreduced loss.

    sum_ij w_ij l_ij / (rows in the batch * trained labels * mean sample weight)

`pos_weight` and `label_weight` enter the sum and never the divisor, and a row of weight
2 counts as two rows. A missing label becomes a negative of weight 0 before the loss
sees it: a mask afterwards would still leave the gradient of a NaN.
"""

import torch
from torch import nn

from skimbalance.losses import PointwiseLoss, SetLoss, SoftmaxLoss


class _Criterion(nn.Module):
    """Base: holds the loss and the weights, all as buffers that move with the net."""

    sums_rows = True  # or takes the rows of a batch together

    def __init__(self, loss, pos_weight=None, label_weight=None, mean_weight=1.0):
        super().__init__()
        self.loss = loss
        self.register_buffer("pos_weight", pos_weight)
        self.register_buffer("label_weight", label_weight)
        self.mean_weight = mean_weight


class ClassCriterion(_Criterion):
    """Multiclass: one value a row, weighted by row and by true class."""

    def forward(self, scores, labels, weight):
        value = self.loss(scores, labels)
        if self.pos_weight is not None:
            value = value * self.pos_weight[labels].to(value.dtype)
        if weight is not None:
            value = value * weight
        return value.sum() / (len(scores) * self.mean_weight)


class _LabelCriterion(_Criterion):
    def __init__(self, *args, n_trained=1, has_missing=False, **kwargs):
        super().__init__(*args, **kwargs)
        self.n_trained, self.has_missing = n_trained, has_missing

    def _read(self, labels, dtype):
        """Return targets of 0 and 1, and what masks the missing cells."""
        targets = labels.to(dtype)
        if not self.has_missing:
            return targets, None
        return targets.clamp_(min=0), (labels >= 0).to(dtype)


class PointwiseCriterion(_LabelCriterion):
    """Labels one by one: each cell has its weight."""

    def forward(self, scores, labels, weight):
        dtype = torch.promote_types(scores.dtype, torch.float32)
        targets, cell_weight = self._read(labels, dtype)
        for factor in self._factors(targets, weight):
            cell_weight = factor if cell_weight is None else cell_weight * factor
        total = self.loss.weighted_sum(scores, targets, cell_weight)
        return total / (len(scores) * self.n_trained * self.mean_weight)

    def _factors(self, targets, weight):
        if self.pos_weight is not None:
            yield torch.where(targets > 0, self.pos_weight, 1.0).to(targets.dtype)
        if self.label_weight is not None:
            yield self.label_weight.to(targets.dtype)
        if weight is not None:
            yield weight if weight.ndim == 2 else weight.unsqueeze(1)


class SetCriterion(_LabelCriterion):
    """The labels of a row together: rows have weights, cells a mask."""

    sums_rows = False

    def forward(self, scores, labels, weight):
        targets, cell_weight = self._read(labels, scores.dtype)
        if cell_weight is None:
            cell_weight = torch.ones_like(targets)
        if self.label_weight is not None:
            cell_weight = cell_weight * self.label_weight
        if weight is not None and weight.ndim == 2:
            cell_weight = cell_weight * weight
        value = self.loss(scores, targets, cell_weight)
        if weight is not None and weight.ndim == 1:
            value = value * weight
        return value.sum() / (len(scores) * self.mean_weight)


def criterion_of(loss):
    """Return the criterion class that weighs this kind of loss."""
    kinds = {
        PointwiseLoss: PointwiseCriterion,
        SoftmaxLoss: ClassCriterion,
        SetLoss: SetCriterion,
    }
    return next(kinds[base] for base in type(loss).__mro__ if base in kinds)
