"""Losses that take the labels of a row, or of a batch, together.

In the formulas z is the score and s its sigmoid; P are the positive entries and N the
negative ones. None has an inverse label by label.
"""

from typing import ClassVar

import torch
from torch.nn.functional import softplus

from skimbalance._labels import MULTILABEL
from skimbalance.losses._arguments import check_once, check_values
from skimbalance.losses._base import ABOVE_0, Loss, at_least_float32
from skimbalance.losses._inverse import IdentityLink

__all__ = [
    "SoftF1Loss",
    "TwoWayLoss",
    "ZLPRLoss",
]


# Keeps 0/0 out of the means over nothing; the least float32 divides by it, still.
_LEAST_DIVISOR = 1e-12


def _mean_weight(entry_weight, dim):
    """Return the mean over the entries with a weight, 0 where there is none."""
    return entry_weight.sum(dim) / (entry_weight > 0).sum(dim).clamp(min=1)


class SetLoss(Loss):
    """Base of losses that take the labels of a row, or of a batch, together.

    They have no inverse label by label and no `pos_weight`; their probabilities come
    from a calibration on held-out rows. Row weights multiply the value of the row. A
    loss whose value depends on other rows sets ``depends_on_batch = True`` and gets the
    row weights in the entry weights instead; the mean of its values is the loss of the
    batch.

    See Also
    --------
    PointwiseLoss : For losses that are a sum over the labels.

    Examples
    --------
    >>> import torch
    >>> from skimbalance.losses import SetLoss
    >>> class RowError(SetLoss):
    ...     def forward(self, scores, targets, entry_weight):
    ...         return (entry_weight * (scores.sigmoid() - targets) ** 2).sum(dim=1)
    >>> scores, targets = torch.zeros(1, 3), torch.tensor([[1.0, 0.0, 0.0]])
    >>> RowError()(scores, targets, torch.ones(1, 3))
    tensor([0.7500])
    """

    target_types = (MULTILABEL,)
    invertible = False

    def link(self, pos_weight=1.0, device=None, n_outputs=None):  # noqa: ARG002
        check_once(self, n_outputs)
        if n_outputs is not None:
            scores = torch.tensor([[-1.0], [0.5]], device=device).repeat(1, n_outputs)
            targets = torch.eye(2, n_outputs, device=device)
            value = self(scores, targets, torch.ones_like(scores))
            check_values(value, (2,), f"{type(self).__name__}.forward", "row")
        return IdentityLink()

    def _weighted(self, scores, targets, args, pos_weight, weight, *, reduced):
        """Return the loss of each row, with the weights as its `entry_weight`."""
        if pos_weight is not None:
            raise ValueError(
                f"{type(self).__name__} takes the labels of a row together and has no "
                "pos_weight. Leave it None."
            )
        if targets.dtype == torch.bool:  # torch has no 1 - y of these
            targets = targets.to(torch.int8)
        if not args:
            entry_weight = torch.ones_like(at_least_float32(scores))
            if weight is not None:
                entry_weight, weight = self._row_part(entry_weight * weight)
            args = (entry_weight,)
        return super()._weighted(scores, targets, args, None, weight, reduced=reduced)

    def _row_part(self, entry_weight):
        """Split weights into relative ones of the entries, and one for each row.

        So equal weights of all entries of a row multiply its loss.
        """
        if self.depends_on_batch:
            return entry_weight, None
        mean = _mean_weight(entry_weight, dim=1)
        return entry_weight / torch.where(mean > 0, mean, 1.0).unsqueeze(1), mean

    def forward(self, scores, targets, entry_weight):
        """Return the loss of each row.

        Parameters
        ----------
        scores : Tensor of shape (n_samples, n_labels)
            Raw scores (logits).
        targets : Tensor of shape (n_samples, n_labels)
            0 and 1.
        entry_weight : Tensor of shape (n_samples, n_labels)
            0 where the label is missing.

        Returns
        -------
        Tensor of shape (n_samples,)
            One value a row.

        Raises
        ------
        NotImplementedError
            If the subclass does not define it.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define forward(scores, targets, entry_weight)."
        )


class ZLPRLoss(SetLoss):
    """Zero-bounded log-sum-exp and pairwise rank-based loss (ZLPR) [1]_, row by row.

    ``log(1 + sum_P e^-z) + log(1 + sum_N e^z)``: every positive should score above
    every negative, and 0 lie between them. Many labels cost little more than one, since
    only the worst entries of a row count.

    Inverse: none; calibrated on held-out rows.

    When to use it: many labels with few positives a row, judged by the ranking within
    the row. Without probabilities the threshold is at 0.

    References
    ----------
    .. [1] Su, Zhu, Murtadha, Pan, Wen, Liu, "ZLPR: A Novel Loss for Multi-Label
       Classification", 2022.

    Examples
    --------
    >>> import torch
    >>> from skimbalance.losses import ZLPRLoss
    >>> scores, targets = torch.zeros(1, 3), torch.tensor([[1.0, 0.0, 0.0]])
    >>> ZLPRLoss()(scores, targets, torch.ones(1, 3))
    tensor([1.7918])
    """

    def forward(self, scores, targets, entry_weight):
        scores = at_least_float32(scores)
        positive = _log_sum(-scores, targets * entry_weight, dim=1)
        return positive + _log_sum(scores, (1 - targets) * entry_weight, dim=1)


def _log_sum(scores, weight, dim):
    """Return ``log(1 + sum w e^z)``."""
    # The log of a weight of 0 is -inf, which logsumexp leaves out with its gradient.
    terms = scores + weight.to(scores.dtype).log()
    return torch.cat([torch.zeros_like(terms[:, :1]), terms], dim).logsumexp(dim)


class SoftF1Loss(SetLoss):
    """One minus the F1 score of each label in the batch, with s in the place of 0 or 1.

    ``1 - 2 sum s y / sum (s + y)`` over the rows of the batch, averaged over the labels
    that have a positive in it, by the mean weight of their entries. Row weights count
    inside the sums.

    Inverse: none, the optimum of a label is a step at half of its best F1 score [1]_;
    calibrated on held-out rows.

    When to use it: as a comparison. Log loss with the plug-in threshold for F1 has as
    good an F1 score, and keeps its probabilities; where batches hold few positives of a
    label, the soft F1 score of the batch says little about that of the data.

    References
    ----------
    .. [1] Lipton, Elkan, Naryanaswamy, "Optimal Thresholding of Classifiers to Maximize
       F1 Measure", ECML PKDD 2014.

    Examples
    --------
    >>> import torch
    >>> from skimbalance.losses import SoftF1Loss
    >>> scores, targets = torch.zeros(2, 1), torch.tensor([[1.0], [0.0]])
    >>> SoftF1Loss()(scores, targets, torch.ones(2, 1))
    tensor([0.5000, 0.5000])
    """

    depends_on_batch = True

    def forward(self, scores, targets, entry_weight):
        s, entry_weight = map(at_least_float32, (scores, entry_weight))
        s = s.sigmoid()
        hit = (entry_weight * s * targets).sum(dim=0)
        both = (entry_weight * (s + targets)).sum(dim=0)
        present = (entry_weight * targets).sum(dim=0) > 0
        # The unused branch of `where` has a gradient, too: no 0/0 in it.
        missed = torch.where(present, 1 - 2 * hit / both.clamp(min=_LEAST_DIVISOR), 0.0)
        weight = _mean_weight(entry_weight, dim=0) * present
        mean = (missed * weight).sum() / weight.sum().clamp(min=_LEAST_DIVISOR)
        return mean.expand(len(scores))


class TwoWayLoss(SetLoss):
    """Two-way loss [1]_: positives above negatives, in each row and in each label.

    ``softplus(Tp log sum_P e^(-z / Tp) + Tn log sum_N e^(z / Tn))``, once over the
    labels of each row and once over the rows of the batch for each label, both
    averaged, and added. Rows and labels that do not have both a positive and a negative
    are left out of sum and mean alike. Row weights count; label weights have no meaning
    here.

    Inverse: none; calibrated on held-out rows.

    When to use it: judged by the ranking both within rows and within labels, with
    batches large enough to hold positives of most labels.

    Parameters
    ----------
    positive_temperature : float, default=4.0
        Tp, greater than 0: above 1 every positive counts, not the worst alone.
    negative_temperature : float, default=1.0
        Tn, greater than 0.

    References
    ----------
    .. [1] Kobayashi, "Two-Way Multi-Label Loss", CVPR 2023.

    Examples
    --------
    >>> import torch
    >>> from skimbalance.losses import TwoWayLoss
    >>> scores, targets = torch.zeros(2, 2), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> TwoWayLoss()(scores, targets, torch.ones(2, 2))
    tensor([1.3863, 1.3863])
    """

    depends_on_batch = True

    _parameter_constraints: ClassVar = {
        "positive_temperature": ABOVE_0,
        "negative_temperature": ABOVE_0,
    }

    # The paper's temperatures.
    def __init__(self, positive_temperature=4.0, negative_temperature=1.0):
        super().__init__()
        self.positive_temperature = positive_temperature
        self.negative_temperature = negative_temperature

    def forward(self, scores, targets, entry_weight):
        scores, entry_weight = map(at_least_float32, (scores, entry_weight))
        observed = (entry_weight > 0).to(scores.dtype)
        row_weight = _mean_weight(entry_weight, dim=1)
        by_label, ranked = self._margins(
            scores, targets, observed * row_weight.unsqueeze(1), dim=0
        )
        labels = torch.where(ranked, by_label, 0.0).sum() / ranked.sum().clamp(min=1)
        by_row, ranked = self._margins(scores, targets, observed, dim=1)
        row_weight = torch.where(ranked, row_weight, 0.0)
        rows = torch.where(ranked, by_row, 0.0) * row_weight
        return rows / row_weight.mean().clamp(min=_LEAST_DIVISOR) + labels

    def _margins(self, scores, targets, weight, dim):
        """Return the loss of each slice, and which slices have both values."""
        positive, negative = targets * weight, (1 - targets) * weight
        up = _soft_maximum(-scores, positive, self.positive_temperature, dim)
        down = _soft_maximum(scores, negative, self.negative_temperature, dim)
        return softplus(up + down), (positive > 0).any(dim) & (negative > 0).any(dim)


def _soft_maximum(scores, weight, temperature, dim):
    """Return ``T log sum w e^(z / T)``; a slice without any weight counts evenly.

    Its value is not used, but logsumexp of -inf alone would have a gradient of NaN.
    """
    weight = torch.where((weight > 0).any(dim, keepdim=True), weight, 1.0)
    return temperature * (scores / temperature + weight.log()).logsumexp(dim)


LABEL_SET_LOSSES = {
    "soft_f1": SoftF1Loss,
    "two_way": TwoWayLoss,
    "zlpr": ZLPRLoss,
}
