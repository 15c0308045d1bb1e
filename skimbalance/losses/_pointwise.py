"""Losses that are a sum over the labels, for binary and multilabel targets.

In the formulas z is the score, s its sigmoid, LS the log of the sigmoid; l+ and l- are
the loss of a positive and of a negative label.
"""

import torch
from torch.nn.functional import logsigmoid

from skimbalance._validation import check_interval
from skimbalance.losses._base import PointwiseLoss

__all__ = [
    "AsymmetricLoss",
    "FocalLoss",
    "LogLoss",
]


def _power(base, log_base, exponent):
    """Raise to a power: by products where that is exact, else in log form."""
    if isinstance(exponent, (int, float)) and exponent in (1, 2, 3):
        return base**exponent
    return (exponent * log_base).exp()


def _check_exponents(name, values):
    for value in torch.as_tensor(values, dtype=torch.float64).reshape(-1).tolist():
        check_interval(name, value, 0)


def _as_exponent(value, like):
    """A number stays a number; one value for each label becomes a tensor."""
    if isinstance(value, (int, float)):
        return value
    return torch.as_tensor(value, dtype=like.dtype, device=like.device)


class LogLoss(PointwiseLoss):
    """Log loss, or binary cross-entropy: ``l+ = -LS(z)``, ``l- = -LS(-z)``.

    Its inverse is the sigmoid. With a `pos_weight` w it equals torch's
    ``BCEWithLogitsLoss(pos_weight=w)``, and the log-odds are ``z - log w``.

    When to use it: always first. It is the fastest, and its probabilities need the
    least correction.

    Examples
    --------
    >>> import torch
    >>> from skimbalance.losses import LogLoss
    >>> LogLoss()(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 0.0]))
    tensor([0.6931, 2.1269])
    """

    proper = True

    def positive(self, scores):
        return -logsigmoid(scores)

    def negative(self, scores):
        return -logsigmoid(-scores)

    def value_and_gradient(self, scores, targets):
        value = scores.clamp(min=0).addcmul_(targets, scores, value=-1)
        value.add_(scores.abs().neg_().exp_().log1p_())
        return value, scores.sigmoid().sub_(targets)

    unit_log_odds_total = True

    def unit_log_odds(self, scores):
        return scores


class FocalLoss(PointwiseLoss):
    """Focal loss [1]_: ``l+ = -(1 - s)^gamma LS(z)``, ``l- = -s^gamma LS(-z)``.

    Easy examples fade: a label predicted at 0.99 counts ``0.01^gamma`` of its log loss.
    The scores are underconfident by a known map [2]_, which `log_odds` undoes.

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
    """

    def __init__(self, gamma=2.0, *, detach_modulator=False):
        super().__init__()
        self.gamma = gamma
        self.detach_modulator = detach_modulator

    def check_params(self):
        _check_exponents("gamma", self.gamma)

    def _term(self, scores):
        gamma = _as_exponent(self.gamma, scores)
        return _focal_term(scores, gamma, self.detach_modulator)

    def positive(self, scores):
        return self._term(scores)

    def negative(self, scores):
        return self._term(-scores)

    def value_and_gradient(self, scores, targets):
        gamma = _as_exponent(self.gamma, scores)
        s, q, log_s, log_q = _sigmoids(scores)
        attached = 0 if self.detach_modulator else gamma
        positive, rise = _focal_slope(s, q, log_s, log_q, gamma, attached)
        negative, fall = _focal_slope(q, s, log_q, log_s, gamma, attached)
        return torch.lerp(negative, positive, targets), fall.neg_().lerp_(rise, targets)

    unit_log_odds_total = True

    def unit_log_odds(self, scores):
        gamma = _as_exponent(self.gamma, scores)
        if self.detach_modulator:
            return (gamma + 1) * scores
        return _focal_half(scores, gamma) - _focal_half(-scores, gamma)


def _sigmoids(scores):
    """Return s, 1 - s and their logs, each exact in its own tail."""
    flipped = -scores
    return scores.sigmoid(), flipped.sigmoid(), logsigmoid(scores), logsigmoid(flipped)


def _focal_term(scores, gamma, detach=False):
    """The loss of a label whose probability is the sigmoid of the scores."""
    modulator = _power(scores.neg().sigmoid(), logsigmoid(-scores), gamma)
    return -(modulator.detach() if detach else modulator) * logsigmoid(scores)


def _focal_slope(s, q, log_s, log_q, gamma, attached):
    """Return `_focal_term` and its derivative by the score whose sigmoid is s."""
    modulator = _power(q, log_q, gamma)
    slope = (s * log_s).mul_(attached).sub_(q).mul_(modulator)
    return modulator.mul_(log_s).neg_(), slope


def _focal_half(scores, gamma):
    """``LS(z) - gamma LS(-z) - log1p(-gamma e^z LS(z))``, for scores of any size."""
    # -e^z LS(z) = log1p(e^-z) / e^-z, which tends to 1 for large z.
    ratio = torch.where(
        scores > 30, 1.0, -scores.clamp(max=30).exp() * logsigmoid(scores)
    )
    return logsigmoid(scores) - gamma * logsigmoid(-scores) - (gamma * ratio).log1p()


class AsymmetricLoss(PointwiseLoss):
    """Asymmetric loss [1]_: focal, with its own exponent and a margin for negatives.

    ``l+ = -(1 - s)^g+ LS(z)``, ``l- = -s_m^g- log(1 - s_m)`` with
    ``s_m = max(s - margin, 0)``. Negatives under the margin are ignored altogether.

    Its raw scores are far too high (a true 0.01 reads 0.32); `log_odds` undoes that.
    The map is flat under the margin and goes on linearly there. With
    ``gamma_positive=0`` and a margin of 0.05 no score stands for more than 0.9637.

    When to use it: multilabel problems with many labels, judged by their ranking.

    Parameters
    ----------
    gamma_positive : float, default=1.0
        Exponent of the positives, at least 0.
    gamma_negative : float, default=4.0
        Exponent of the negatives, at least 0.
    margin : float, default=0.05
        Probability below which a negative costs nothing, in [0, 1).

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

    def __init__(self, gamma_positive=1.0, gamma_negative=4.0, margin=0.05):
        super().__init__()
        self.gamma_positive = gamma_positive
        self.gamma_negative = gamma_negative
        self.margin = margin

    def check_params(self):
        check_interval("gamma_positive", self.gamma_positive, 0)
        check_interval("gamma_negative", self.gamma_negative, 0)
        check_interval("margin", self.margin, 0, 1, closed="left")

    def _shifted(self, s, log_q):
        """Return ``s_m`` and ``log(1 - s_m)``."""
        if self.margin == 0:
            return s, log_q
        shifted = (s - self.margin).clamp(min=0)
        return shifted, torch.log1p(-shifted)

    def positive(self, scores):
        return _focal_term(scores, self.gamma_positive)

    def negative(self, scores):
        shifted, log_rest = self._shifted(scores.sigmoid(), logsigmoid(-scores))
        counted = shifted > 0
        base = torch.where(counted, shifted, 1.0)
        return torch.where(counted, -(base**self.gamma_negative) * log_rest, 0.0)

    def value_and_gradient(self, scores, targets):
        s, q, log_s, log_q = _sigmoids(scores)
        gamma = self.gamma_positive
        positive, rise = _focal_slope(s, q, log_s, log_q, gamma, gamma)
        shifted, log_rest = self._shifted(s, log_q)
        counted = shifted > 0
        # log(1 - s_m) / s_m and q / (1 - s_m) tend to finite limits at both ends.
        ratio = torch.where(counted, log_rest / shifted, -1.0).mul_(q)
        tiny = torch.finfo(q.dtype).tiny
        fall = ((q + tiny) / (q + (self.margin + tiny))).sub_(
            ratio, alpha=self.gamma_negative
        )
        focus = shifted**self.gamma_negative
        fall.mul_(s).mul_(focus).mul_(counted)
        negative = focus.mul_(log_rest).neg_()
        return negative.lerp_(positive, targets), fall.lerp_(rise, targets)

    def unit_log_odds(self, scores):
        s, q, log_s, log_q = _sigmoids(scores)
        shifted, log_rest = self._shifted(s, log_q)
        ratio = self.gamma_negative * torch.where(shifted > 0, -log_rest / shifted, 1.0)
        if self.margin == 0:
            rising = (1 + q * ratio).log()
        else:
            rising = log_q + (1 / (q + self.margin) + ratio).log()
        rising = rising + log_s + self.gamma_negative * shifted.log()
        ratio = torch.where(scores > 30, 1.0, -log_s / q)  # tends to 1
        falling = (self.gamma_positive + 1) * log_q
        return rising - falling - (self.gamma_positive * s * ratio).log1p()


POINTWISE_LOSSES = {
    "asymmetric": AsymmetricLoss,
    "focal": FocalLoss,
    "log_loss": LogLoss,
}
