"""Losses that are a sum over the labels, for binary and multilabel targets.

In the formulas z is the score, s its sigmoid, LS the log of the sigmoid; l+ and l- are
the loss of a positive and of a negative label.
"""

from numbers import Real
from typing import ClassVar

import numpy as np
import torch
from torch.nn.functional import (
    binary_cross_entropy_with_logits,
    logsigmoid,
    softplus,
)

from skimbalance._validation import Number, check_per_label, switch
from skimbalance.losses._base import (
    ABOVE_0,
    ABOVE_MINUS_1,
    AT_LEAST_0,
    PointwiseLoss,
    at_least_float32,
)
from skimbalance.losses._fused import any_is_learnt

__all__ = [
    "AsymmetricLoss",
    "DistributionBalancedLoss",
    "FocalLoss",
    "LogLoss",
    "NegativeTolerantLoss",
    "Poly1Loss",
]

# Entries of a batch up to which calls cost more than passes over memory: torch's own
# loss, with fewer calls, is faster. It makes more passes where there is a `pos_weight`.
_UNFUSED_ENTRIES = 2**20
_UNFUSED_WEIGHTED_ENTRIES = 2**16


# Compiled code takes both from one exponential; uncompiled, one call each is fastest.
def _sigmoid(scores):
    """Return the sigmoid, by the exponential that `_softplus` shares if compiled."""
    if not torch.compiler.is_compiling():
        return scores.sigmoid()
    e = scores.abs().neg().exp()
    return torch.where(scores < 0, e, 1.0) / (1 + e)


def _softplus(scores):
    """``log(1 + e^z)``; torch's own becomes z from 20 on, too early in float64."""
    if not torch.compiler.is_compiling():
        return softplus(scores, threshold=40)
    return scores.clamp(min=0) + scores.abs().neg().exp().log1p()


def _power(base, log_base, exponent):
    """Return a power: by products for small integers, else in log form.

    In log form a base that underflows to 0 keeps its power, and has no slope of NaN.
    """
    if isinstance(exponent, (int, float)) and exponent in (1, 2, 3):
        return base**exponent
    return (exponent * log_base(base)).exp_()


def _as_exponent(value, like, labels=slice(None)):
    """Return a number as a float, and one value for each label as a tensor."""
    if not hasattr(value, "__len__") or getattr(value, "ndim", 1) == 0:
        return float(value)
    return torch.as_tensor(value, dtype=like.dtype, device=like.device)[labels]


def _mirrored(value, slope):
    """Return the value, and the derivative by z instead of the one by ``-z``."""
    return value, slope.neg_()


class _SymmetricLoss(PointwiseLoss):
    """Base of losses with ``l+(z) = l-(-z)``: a subclass writes the negative term."""

    # That of the negatives is called, hence not stated again.
    _signed_sources = ("positive_value_and_grad",)

    def positive_value_and_grad(self, scores, labels=slice(None)):
        return _mirrored(*self.negative_value_and_grad(-scores, labels))

    def _signed_value_and_grad(self, scores, targets):
        sign = torch.where(targets, -1.0, 1.0).to(scores.dtype)
        value, slope = self.negative_value_and_grad(sign * scores)
        return value, sign * slope


class LogLoss(_SymmetricLoss):
    """Log loss, or binary cross-entropy: ``l+ = -LS(z)``, ``l- = -LS(-z)``.

    With a `pos_weight` it equals torch's ``BCEWithLogitsLoss(pos_weight=w)``.

    Inverse: the sigmoid.

    When to use it: always first. It is the fastest, and its probabilities need the
    least correction.

    Examples
    --------
    >>> import torch
    >>> from skimbalance.losses import LogLoss
    >>> LogLoss()(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 0.0]))
    tensor([0.6931, 2.1269])
    """

    def negative(self, scores):
        # Mining ranks by the values alone; with the derivative it takes a tenth longer.
        return -logsigmoid(-scores)

    def negative_value_and_grad(self, scores, labels=slice(None)):  # noqa: ARG002
        return _softplus(scores), _sigmoid(scores)

    def weighted_sum(
        self, scores, targets, weight=None, pos_weight=None, positive=None
    ):
        few = _UNFUSED_ENTRIES if pos_weight is None else _UNFUSED_WEIGHTED_ENTRIES
        is_large = type(self) is not LogLoss or scores.numel() > few
        # Torch's own loss has no gradient by its weights.
        if is_large or any_is_learnt(weight, pos_weight):
            given = targets, weight, pos_weight, positive
            return super().weighted_sum(scores, *given)
        scores = at_least_float32(scores)
        return binary_cross_entropy_with_logits(
            scores,
            targets.to(scores.dtype),
            weight,
            reduction="sum",
            pos_weight=pos_weight,
        )


class FocalLoss(_SymmetricLoss):
    """Focal loss [1]_: ``l+ = -(1 - s)^gamma LS(z)``, ``l- = -s^gamma LS(-z)``.

    Easy examples fade: a label predicted at 0.99 counts ``0.01^gamma`` of its log loss.
    At the optimum of the loss the sigmoid of a score lies nearer to 1/2 than the
    probability, by a known map [2]_, which the inverse corrects. That a net on few rows
    is over-confident is another matter, of any loss, and is left to a calibrator.

    Inverse: log-odds ``A(z) - A(-z)`` with the function ``A(z) = (gamma + 1) LS(z) +
    log(1 - gamma e^-z LS(-z))``; ``(gamma + 1) z`` with a detached modulator.

    When to use it: many easy negatives drown the rest. Expect a gain in ranking on
    small, sparse problems, none in probabilities.

    Parameters
    ----------
    gamma : float or array-like of shape (n_labels,), default=2.0
        Focusing exponent, at least 0; 0 is log loss.
    detach_modulator : bool, default=False
        Treat the factor ``(1 - p)^gamma`` as a constant weight. Same values, another
        gradient, and the log-odds become ``(gamma + 1) z``.

    References
    ----------
    .. [1] Lin, Goyal, Girshick, He, Dollar, "Focal Loss for Dense Object Detection",
       ICCV 2017. Its balance factor is a `pos_weight` here; the factor is
       ``(1 - p_t)^gamma`` of the true class for both signs.
    .. [2] Charoenphakdee, Vongkulbhisal, Chairatanakul, Sugiyama, "On Focal Loss for
       Class-Posterior Probability Estimation", CVPR 2021.

    Examples
    --------
    >>> import torch
    >>> from skimbalance.losses import FocalLoss
    >>> FocalLoss(gamma=2.0)(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 0.0]))
    tensor([0.1733, 1.6501])

    In a training loop, and back to probabilities:

    >>> loss, weight = FocalLoss(gamma=2.0), torch.tensor([4.0, 9.0])
    >>> scores, targets = torch.zeros(1, 2), torch.tensor([[1, 0]])
    >>> loss(scores, targets, pos_weight=weight, reduction="mean")
    tensor(0.4332)
    >>> loss.log_odds(scores, weight).sigmoid()
    tensor([[0.2000, 0.1000]], dtype=torch.float64)
    """

    _parameter_constraints: ClassVar = {
        "gamma": [*AT_LEAST_0, "array-like"],
        "detach_modulator": switch(),
    }

    def __init__(self, gamma=2.0, *, detach_modulator=False):
        super().__init__()
        self.gamma = gamma
        self.detach_modulator = detach_modulator

    def check_params(self, n_outputs):
        super().check_params(n_outputs)
        check_per_label("gamma", self.gamma, n_outputs, low=0)

    def link(self, pos_weight=1.0, device=None, n_outputs=None):
        # The derivatives are computed in place: scores need a column for each gamma.
        if n_outputs is None and np.ndim(self.gamma) == 1:
            n_outputs = np.size(self.gamma)
        return super().link(pos_weight, device, n_outputs)

    def negative_value_and_grad(self, scores, labels=slice(None)):
        gamma = _as_exponent(self.gamma, scores, labels)
        return _focal_value_and_grad(
            scores, gamma, 0 if self.detach_modulator else gamma
        )


def _focal_value_and_grad(scores, gamma, attached):
    """Return ``-s^gamma LS(-z)``, the focal loss of a negative, and its derivative.

    ``attached`` is gamma, or 0 where the factor ``s^gamma`` is taken as a constant.
    """
    s, value = _sigmoid(scores), _softplus(scores)
    if isinstance(gamma, (int, float)) and gamma == 0:
        return value, s
    modulator = _power(s, lambda _: logsigmoid(scores), gamma)
    fading = torch.addcmul(value, s, value, value=-1).mul_(attached)
    return value.mul_(modulator), fading.add_(s).mul_(modulator)


class Poly1Loss(_SymmetricLoss):
    """Poly-1 loss [1]_: ``l+ = -LS(z) + e (1 - s)``, ``l- = -LS(-z) + e s``.

    Log loss with another leading coefficient of its expansion in ``1 - p``.

    Inverse: odds ``s (1 + e (1 - s)) : (1 - s) (1 + e s)``.

    When to use it: as a mild change of log loss that keeps most of its calibration.

    Parameters
    ----------
    epsilon : float, default=1.0
        What is added to the leading coefficient; above -1, 0 is log loss.

    References
    ----------
    .. [1] Leng, Tan, Liu, Cubuk, Shi, Cheng, Anguelov, "PolyLoss: A Polynomial
       Expansion Perspective of Classification Loss Functions", ICLR 2022.

    Examples
    --------
    >>> import torch
    >>> from skimbalance.losses import Poly1Loss
    >>> Poly1Loss()(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 0.0]))
    tensor([1.1931, 3.0077])
    """

    _parameter_constraints: ClassVar = {
        "epsilon": ABOVE_MINUS_1,
    }

    def __init__(self, epsilon=1.0):
        super().__init__()
        self.epsilon = epsilon

    def negative_value_and_grad(self, scores, labels=slice(None)):  # noqa: ARG002
        s, value = _sigmoid(scores), _softplus(scores)
        value.add_(s, alpha=self.epsilon)
        return value, (s * (1 + self.epsilon)).addcmul_(s, s, value=-self.epsilon)

    def unweighted_log_odds(self, scores):
        # A prediction takes a third of the time that the derivatives need.
        s, q = scores.sigmoid(), scores.neg().sigmoid()
        return scores + (self.epsilon * q).log1p() - (self.epsilon * s).log1p()


class NegativeTolerantLoss(PointwiseLoss):
    """Negative-tolerant loss [1]_: log loss, shifted by label, milder on negatives.

    With ``u = z - nu``: ``l+ = softplus(-u)``, ``l- = softplus(lambda u) / lambda``.
    The shift of label k is ``nu_k = kappa log(N / n_k - 1)``, N rows, n_k positives.

    Inverse: log-odds ``LS(lambda u) - LS(-u)``.

    When to use it: negatives so many that they push scores far below zero. Its inverse
    is exact; the estimator's starting bias does much of its work already.

    Parameters
    ----------
    kappa : float, default=0.05
        Size of the shift, as in the paper. The authors' code divides it by lambda once
        more: its ``init_bias`` is `kappa` times `negative_scale` here.
    negative_scale : float, default=2.0
        The lambda of the paper, greater than 0: above 1 the gradient of a negative
        fades faster.

    References
    ----------
    .. [1] Wu, Huang, Liu, Wang, Lin, "Distribution-Balanced Loss for Multi-Label
       Classification in Long-Tailed Datasets", ECCV 2020.

    Examples
    --------
    >>> import torch
    >>> from skimbalance.losses import NegativeTolerantLoss
    >>> loss = NegativeTolerantLoss().setup([10, 100], [990, 900])
    >>> loss(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]))
    tensor([[0.8146, 0.2947]])
    """

    gamma = 0.0  # not focal; the subclass has it as a parameter

    _parameter_constraints: ClassVar = {
        "kappa": AT_LEAST_0,
        "negative_scale": ABOVE_0,
    }

    def __init__(self, kappa=0.05, negative_scale=2.0):
        super().__init__()
        self.kappa = kappa
        self.negative_scale = negative_scale

    def setup(self, n_positive, n_negative):
        super().setup(n_positive, n_negative)
        # Half a row at least: a label without positives has a shift, too.
        positive, negative = (
            counts.clamp(min=0.5) for counts in (self.n_positive_, self.n_negative_)
        )
        self.register_buffer("shift_", self.kappa * (negative / positive).log())
        return self

    def positive_value_and_grad(self, scores, labels=slice(None)):
        shifted = self.state("shift_", scores)[labels] - scores
        return _mirrored(*_focal_value_and_grad(shifted, self.gamma, self.gamma))

    def negative_value_and_grad(self, scores, labels=slice(None)):
        scale, shift = self.negative_scale, self.state("shift_", scores)[labels]
        shifted = torch.add(-scale * shift, scores, alpha=scale)
        value, slope = _focal_value_and_grad(shifted, self.gamma, self.gamma)
        return value.div_(scale), slope

    def _signed_value_and_grad(self, scores, targets):
        """Evaluate one focal loss, of the score times -1 or lambda by target."""
        shifted = scores - self.state("shift_", scores)
        hit, scale = targets.to(scores.dtype), self.negative_scale
        value, slope = _focal_value_and_grad(
            (scale - (1 + scale) * hit) * shifted, self.gamma, self.gamma
        )
        return value.mul_(1 / scale + (1 - 1 / scale) * hit), slope.mul_(1 - 2 * hit)


class DistributionBalancedLoss(NegativeTolerantLoss):
    """Distribution-balanced loss [1]_: negative-tolerant, focal, and weighted by row.

    With ``u = z - nu`` as in `NegativeTolerantLoss`, ``l+`` is the focal loss of u,
    ``l-`` that of ``lambda u`` divided by lambda, both times ``alpha + sigmoid(beta (r
    - mu))``: ``r_k = (1 / n_k) / sum_i y_i / n_i`` compares the scarcity of label k
    with that of the labels that its row has. r is 0 for a row without positives.

    Inverse: none, since the factor depends on the other labels of the row; calibrated
    on held-out rows.

    When to use it: long-tailed multilabel problems in which frequent labels accompany
    the rare ones, judged by their ranking.

    Parameters
    ----------
    gamma : float, default=2.0
        Focusing exponent, at least 0.
    kappa : float, default=0.05
        Size of the shift, as in the paper. The authors' code divides it by lambda once
        more: its ``init_bias`` is `kappa` times `negative_scale` here.
    negative_scale : float, default=2.0
        The lambda of the paper, greater than 0.
    alpha : float, default=0.1
        Least weight of an entry, at least 0.
    beta : float, default=10.0
        Steepness of the weights.
    mu : float, default=0.2
        Where the weights rise.

    References
    ----------
    .. [1] Wu, Huang, Liu, Wang, Lin, "Distribution-Balanced Loss for Multi-Label
       Classification in Long-Tailed Datasets", ECCV 2020.

    Examples
    --------
    >>> import torch
    >>> from skimbalance.losses import DistributionBalancedLoss
    >>> loss = DistributionBalancedLoss().setup([10, 100], [990, 900])
    >>> labels = torch.tensor([[True, True], [False, True]])
    >>> loss.entry_weight(torch.zeros(2, 2), labels)
    tensor([[1.0992, 0.3514],
            [1.1000, 1.0997]])
    """

    invertible = False

    _parameter_constraints: ClassVar = {
        **NegativeTolerantLoss._parameter_constraints,
        "gamma": AT_LEAST_0,
        "alpha": AT_LEAST_0,
        "beta": [Number(Real, None, None, closed="neither")],
        "mu": [Number(Real, None, None, closed="neither")],
    }

    # The values of the authors' configuration for COCO-MLT.
    def __init__(
        self,
        gamma=2.0,
        *,
        kappa=0.05,
        negative_scale=2.0,
        alpha=0.1,
        beta=10.0,
        mu=0.2,
    ):
        super().__init__(kappa, negative_scale)
        self.gamma = gamma
        self.alpha = alpha
        self.beta = beta
        self.mu = mu

    def setup(self, n_positive, n_negative):
        super().setup(n_positive, n_negative)
        self.register_buffer("rarity_", 1 / self.n_positive_.clamp(min=0.5))
        return self

    def entry_weight(self, scores, targets, weight=None):
        rarity = self.state("rarity_", scores)
        found = targets.to(rarity.dtype) * rarity
        if weight is not None:  # a label that is left out is none of the row
            found *= weight > 0
        of_row = found.sum(dim=1, keepdim=True)
        scale = torch.where(of_row > 0, self.beta / of_row, 0.0)
        # scale * rarity is beta * r
        steepened = (scale * rarity).sub_(self.beta * self.mu)
        factor = steepened.sigmoid_().add_(self.alpha)
        return factor if weight is None else factor.mul_(weight)


class AsymmetricLoss(PointwiseLoss):
    """Asymmetric loss [1]_: focal, with its own exponent and a margin for negatives.

    ``l+ = -(1 - s)^g+ LS(z)``, ``l- = -s_m^g- log(1 - s_m)`` with
    ``s_m = max(s - margin, 0)``. Negatives under the margin are ignored altogether.

    Its raw scores are far too high: where the probability is 0.01, their sigmoid is
    0.32.

    Inverse: the general formula, ``l-' / (l-' - l+')``; flat under the margin, where it
    goes on linearly. With ``gamma_positive=0`` and a margin of 0.05 no score stands for
    more than 0.9637, and with ``gamma_negative=0`` and a margin many probabilities have
    their best score at the margin: such parameters are detected with the label counts
    and `pos_weight`, and calibrated on held-out rows instead.

    When to use it: multilabel problems with many labels, judged by their ranking.

    Parameters
    ----------
    gamma_positive : float, default=1.0
        Exponent of the positives, at least 0.
    gamma_negative : float, default=4.0
        Exponent of the negatives, at least 0.
    margin : float, default=0.05
        Probability below which a negative costs nothing, in [0, 1).
    detach_modulator : bool, default=False
        Treat the factors ``(1 - s)^g+`` and ``s_m^g-`` as constant weights: same
        values, another gradient, another inverse. The authors' code calls it
        ``disable_torch_grad_focal_loss``.

    References
    ----------
    .. [1] Ridnik, Ben-Baruch, Zamir, Noy, Friedman, Protter, Zelnik-Manor, "Asymmetric
       Loss For Multi-Label Classification", ICCV 2021.

    Examples
    --------
    >>> import torch
    >>> from skimbalance.losses import AsymmetricLoss
    >>> AsymmetricLoss()(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 0.0]))
    tensor([0.3466, 0.8464])
    """

    _parameter_constraints: ClassVar = {
        "gamma_positive": AT_LEAST_0,
        "gamma_negative": AT_LEAST_0,
        "margin": [Number(Real, 0, 1, closed="left")],
        "detach_modulator": switch(),
    }

    # The defaults of the authors' code; the paper has gamma_positive=0.
    def __init__(
        self,
        gamma_positive=1.0,
        gamma_negative=4.0,
        margin=0.05,
        *,
        detach_modulator=False,
    ):
        super().__init__()
        self.gamma_positive = gamma_positive
        self.gamma_negative = gamma_negative
        self.margin = margin
        self.detach_modulator = detach_modulator

    def _attached(self, gamma):
        """Return the exponent where its factor has a gradient of its own, else 0."""
        return 0 if self.detach_modulator else gamma

    def positive_value_and_grad(self, scores, labels=slice(None)):  # noqa: ARG002
        gamma = self.gamma_positive
        return _mirrored(*_focal_value_and_grad(-scores, gamma, self._attached(gamma)))

    def negative_value_and_grad(self, scores, labels=slice(None)):  # noqa: ARG002
        gamma = self.gamma_negative
        if self.margin == 0:
            return _focal_value_and_grad(scores, gamma, self._attached(gamma))
        # q = 1 - s, where s exceeds the margin; all that follows is 0 elsewhere.
        q = _sigmoid(-scores).clamp_(max=1 - self.margin)
        shifted = (1 - self.margin) - q
        gain = shifted.neg().log1p_()
        # d(-log(1 - s_m)) = s q / (1 - s_m)
        slope = (q + self.margin).reciprocal_().mul_(shifted)
        slope.sub_(gain, alpha=self._attached(gamma))
        slope.mul_(q.addcmul_(q, q, value=-1))
        if gamma == 1:
            focus = torch.ones_like(shifted)
        else:
            focus = _power(shifted, torch.log, gamma - 1)
        if gamma < 1:  # its derivative has no bound at the margin
            focus.masked_fill_(shifted == 0, 0.0)
        return gain.mul_(shifted).mul_(focus).neg_(), slope.mul_(focus)


POINTWISE_LOSSES = {
    "asymmetric": AsymmetricLoss,
    "distribution_balanced": DistributionBalancedLoss,
    "focal": FocalLoss,
    "log_loss": LogLoss,
    "negative_tolerant": NegativeTolerantLoss,
    "poly1": Poly1Loss,
}
