"""Pointwise losses made of something else: a user's function, or another loss."""

from numbers import Integral, Real
from typing import ClassVar

import numpy as np
import torch

from skimbalance._validation import Number, StrOptions, check_parameters
from skimbalance.losses._base import AT_LEAST_0, PointwiseLoss, at_least_float32
from skimbalance.losses._pointwise import LogLoss

__all__ = [
    "FunctionLoss",
    "HardNegativeMiningLoss",
]

# Few rows suffice to see whether entries mix, and a check precedes each fit.
_CHECK_ROWS = 4


class FunctionLoss(PointwiseLoss):
    """A user's function ``f(scores, targets)`` as a loss that is a sum over the labels.

    The estimators make one of any function, or torch loss with ``reduction="none"``,
    that is passed as `loss`.

    Inverse: the general formula, by autograd, as is the starting bias. If it does not
    increase, the loss is calibrated on held-out rows instead, with a warning.

    When to use it: for a loss from a paper or a forum answer, as it stands there.

    Parameters
    ----------
    function : callable
        Maps scores and targets, both of shape (n_samples, n_labels), to the unreduced
        loss of the same shape. Each output must depend on its own entry alone. It is
        called with targets of 0 and of 1 alone; soft targets mix what it gives.

    Examples
    --------
    >>> import torch
    >>> from skimbalance.losses import FunctionLoss
    >>> def squared(scores, targets):
    ...     return (scores.sigmoid() - targets) ** 2
    >>> loss = FunctionLoss(squared)
    >>> loss(torch.tensor([[0.0]]), torch.tensor([[1.0]]))
    tensor([[0.2500]])
    >>> loss.log_odds(torch.tensor([[-1.0, 2.0]])).round(decimals=4)
    tensor([[-1.,  2.]], dtype=torch.float64)
    """

    _parameter_constraints: ClassVar = {
        "function": [callable],
    }

    def __init__(self, function):
        super().__init__()
        self.function = function

    def check_params(self, n_outputs):
        super().check_params(n_outputs)
        generator = torch.Generator().manual_seed(0)
        scores = torch.randn(_CHECK_ROWS, n_outputs, generator=generator)
        scores[0] = 20 * scores[0].sign()  # neither a probability nor a mild score
        targets = (torch.rand(scores.shape, generator=generator) < 0.5).float()
        value = self._checked_value(scores.requires_grad_(), targets)
        scores, value = scores.detach(), value.detach()
        self._check_independent(value, _changed(scores), targets)
        self._check_independent(value, scores, _changed(targets))

    def _check_called(self, n_outputs):  # noqa: ARG002
        # The function may hold tensors on another device than `check_params` tries.
        check_parameters(self)

    def _checked_value(self, scores, targets):
        """Return what the function gives, or raise an error that says what is wrong."""
        try:
            value = self.function(scores, targets)
        except Exception as error:
            raise ValueError(
                "The loss function failed on raw scores of shape "
                f"{tuple(scores.shape)} and targets of 0 and 1: {error}. It must take "
                "raw scores (logits) of any size; for the cross-entropy use "
                "loss='log_loss'."
            ) from error
        if getattr(value, "shape", None) != scores.shape:
            raise ValueError(
                f"The loss function gave {_described(value)} for scores of shape "
                f"{tuple(scores.shape)}, but must give one value for each entry: use "
                "reduction='none', and do not sum or average."
            )
        if not value.requires_grad:
            raise ValueError(
                "The loss function gave values without a gradient by the scores: "
                "compute them from the scores by differentiable torch functions."
            )
        (slope,) = torch.autograd.grad(value.sum(), scores, allow_unused=True)
        if not value.isfinite().all() or (slope is not None and slope.isnan().any()):
            raise ValueError(
                "The loss function gave NaN or infinity for scores between -20 and 20. "
                "Write logsigmoid(z), not log(sigmoid(z)), and no root or logarithm of "
                "what may be 0 or negative."
            )
        return value

    def _check_independent(self, before, scores, targets):
        """Raise a ValueError if a change of the entry (1, 0) moved any other."""
        after = self.function(scores, targets).detach().clone()
        after[1, 0] = before[1, 0]
        if not torch.allclose(after, before, rtol=1e-4, atol=1e-6, equal_nan=True):
            raise ValueError(
                "The loss function mixes entries: changing one score or target moved "
                "the loss of others. Give a function of each entry alone, or derive "
                "from skimbalance.losses.SetLoss."
            )

    def positive(self, scores):
        return self.function(scores, torch.ones_like(scores))

    def negative(self, scores):
        return self.function(scores, torch.zeros_like(scores))


def _changed(entries):
    """Return a copy with another value of the entry (1, 0)."""
    entries = entries.clone()
    entries[1, 0] = 1 - entries[1, 0]
    return entries


def _described(value):
    """Return what a function gave, for an error: a shape or a type."""
    shape = getattr(value, "shape", None)
    return f"a {type(value).__name__}" if shape is None else f"shape {tuple(shape)}"


class HardNegativeMiningLoss(PointwiseLoss):
    """Online hard example mining [1]_: of the negatives of a batch, keep the hardest.

    All positives count, and for each of them the `ratio` hardest negatives, plus a
    random fraction of the easy ones, with the weights that the mined loss gives them;
    the others have weight 0.

    Inverse: none, since which negatives count depends on the scores; calibrated on
    held-out rows.

    When to use it: many labels whose negatives are nearly all trivial, judged by their
    ranking. It costs more than the loss it mines: all negatives are computed first.

    Parameters
    ----------
    loss : PointwiseLoss, default=None
        What is mined; None is log loss.
    ratio : float, default=3.0
        Hard negatives for each positive, at least 0.
    easy_rate : float, default=0.05
        Fraction of the other negatives that is kept at random, in [0, 1].
    min_negatives : int, default=10
        Hard negatives even where there is no positive, at least 0.
    per : {"label", "batch"}, default="label"
        Whether the hardest are chosen within each label or among all entries.

    References
    ----------
    .. [1] Shrivastava, Gupta, Girshick, "Training Region-Based Object Detectors with
       Online Hard Example Mining", CVPR 2016.

    Examples
    --------
    >>> import torch
    >>> from skimbalance.losses import HardNegativeMiningLoss
    >>> loss = HardNegativeMiningLoss(ratio=1, easy_rate=0, min_negatives=0)
    >>> scores = torch.tensor([[0.0], [2.0], [-1.0]])
    >>> loss.entry_weight(scores, torch.tensor([[True], [False], [False]]))
    tensor([[1.],
            [1.],
            [0.]])
    """

    invertible = False
    depends_on_batch = True

    _parameter_constraints: ClassVar = {
        "loss": [PointwiseLoss, None],
        "ratio": AT_LEAST_0,
        "easy_rate": [Number(Real, 0, 1, closed="both")],
        "min_negatives": [Number(Integral, 0, None, closed="left")],
        "per": [StrOptions({"label", "batch"})],
    }

    # Three negatives a positive is the ratio of SSD (Liu et al., ECCV 2016).
    def __init__(
        self, loss=None, ratio=3.0, easy_rate=0.05, min_negatives=10, per="label"
    ):
        super().__init__()
        self.loss = loss
        self.ratio = ratio
        self.easy_rate = easy_rate
        self.min_negatives = min_negatives
        self.per = per

    @property
    def _mined(self):
        return LogLoss() if self.loss is None else self.loss

    @property
    def needs_counts(self):
        """Whether the mined loss cannot be used before `setup`."""
        return self._mined.needs_counts

    @property
    def _is_fused(self):
        return self._mined._is_fused

    def check_params(self, n_outputs):
        super().check_params(n_outputs)
        self._mined.check_params(n_outputs)

    def _current_parameters(self):
        mined = () if self.loss is None else self.loss._current_parameters()
        return [*super()._current_parameters(), *mined]

    def _check_called(self, n_outputs):
        check_parameters(self)
        self._mined._check_called(n_outputs)

    def setup(self, n_positive, n_negative):
        super().setup(n_positive, n_negative)
        self._mined.setup(n_positive, n_negative)
        return self

    def positive(self, scores):
        return self._mined.positive(scores)

    def negative(self, scores):
        return self._mined.negative(scores)

    def positive_value_and_grad(self, scores, labels=slice(None)):
        return self._mined.positive_value_and_grad(scores, labels)

    def negative_value_and_grad(self, scores, labels=slice(None)):
        return self._mined.negative_value_and_grad(scores, labels)

    def unweighted_log_odds(self, scores):
        return self._mined.unweighted_log_odds(scores)

    def entry_weight(self, scores, targets, weight=None):
        weight = self._mined.entry_weight(scores, targets, weight)
        scores, targets = at_least_float32(scores), targets.bool()
        candidates, positives = ~targets, targets
        if weight is not None:  # what is left out calls for no negatives
            candidates, positives = candidates & (weight > 0), targets & (weight > 0)
        hardness = self.negative(scores).detach().masked_fill(~candidates, -torch.inf)
        if self.per == "label":
            hard = self._hardest(hardness, positives)
        else:
            flat = self._hardest(hardness.reshape(-1, 1), positives.reshape(-1, 1))
            hard = flat.reshape(scores.shape)
        # By default rand_like draws in the order of memory: a transposed batch would
        # keep others.
        drawn = torch.rand_like(scores, memory_format=torch.contiguous_format)
        easy = drawn < self.easy_rate
        kept = (targets | (candidates & (hard | easy))).to(scores.dtype)
        return kept if weight is None else kept * weight

    def _hardest(self, hardness, positives):
        """Return which entries are among the hardest of their column."""
        # A little less, since 0.3 times 50 is above 15 in float32.
        n_kept = ((1 - 1e-6) * self.ratio * positives.sum(dim=0)).ceil().long()
        n_kept = n_kept.clamp(min=self.min_negatives, max=len(hardness))
        # By a sort of all: `topk` takes one k for all columns.
        place = (len(hardness) - n_kept).clamp(max=len(hardness) - 1)
        last = _sorted_columns(hardness).gather(0, place.unsqueeze(0))
        return (hardness >= last) & (n_kept > 0)


def _sorted_columns(values):
    """Sort each column; on a CPU by NumPy, which is several times as fast."""
    if values.device.type != "cpu" or torch.compiler.is_compiling():
        return values.sort(dim=0).values
    return torch.from_numpy(np.sort(values.numpy(), axis=0))


SELECTION_LOSSES = {"hard_negatives": HardNegativeMiningLoss}
