"""Losses for multiclass targets.

In the formulas z are the scores of a row, p their softmax and y the true class.
"""

import torch
from torch.nn.functional import cross_entropy, logsigmoid

from skimbalance._validation import check_interval
from skimbalance.losses._base import SoftmaxLoss, at_least_float32

__all__ = [
    "SoftmaxFocalLoss",
    "SoftmaxLogLoss",
]


class SoftmaxLogLoss(SoftmaxLoss):
    """Log loss, or cross-entropy: ``-log p_y``.

    Its inverse is the softmax; with weights w by true class it is ``p_k / w_k``,
    normalised.

    When to use it: always first.

    Examples
    --------
    >>> import torch
    >>> from skimbalance.losses import SoftmaxLogLoss
    >>> SoftmaxLogLoss()(torch.tensor([[0.0, 1.0, 2.0]]), torch.tensor([2]))
    tensor([0.4076])
    """

    proper = True

    def forward(self, scores, targets):
        return cross_entropy(at_least_float32(scores), targets, reduction="none")

    def closed_form_log_posterior(self, scores):
        return scores

    def initial_scores(self, prior, pos_weight=1.0):
        prior = torch.as_tensor(prior, dtype=torch.float64)
        scores = (prior * torch.as_tensor(pos_weight, dtype=torch.float64)).log()
        return scores - scores.mean()


class SoftmaxFocalLoss(SoftmaxLoss):
    """Focal loss [1]_ of the true class: ``-(1 - p_y)^gamma log p_y``.

    The posterior is proportional to ``h(p_k)`` with
    ``h(v) = v / ((1 - v)^gamma - gamma v (1 - v)^(gamma - 1) log v)`` [2]_.

    When to use it: many easy rows of the large classes drown the rest.

    Parameters
    ----------
    gamma : float, default=2.0
        Focusing exponent, at least 0; 0 is log loss.

    References
    ----------
    .. [1] Lin, Goyal, Girshick, He, Dollar, "Focal Loss for Dense Object Detection",
       ICCV 2017.
    .. [2] Charoenphakdee, Vongkulbhisal, Chairatanakul, Sugiyama, "On Focal Loss for
       Class-Posterior Probability Estimation", CVPR 2021.

    Examples
    --------
    >>> import torch
    >>> from skimbalance.losses import SoftmaxFocalLoss
    >>> SoftmaxFocalLoss()(torch.tensor([[0.0, 1.0, 2.0]]), torch.tensor([2]))
    tensor([0.0457])
    """

    def __init__(self, gamma=2.0):
        super().__init__()
        self.gamma = gamma

    def check_params(self):
        check_interval("gamma", self.gamma, 0)

    def forward(self, scores, targets):
        log_p, log_rest = _log_p_and_rest(at_least_float32(scores))
        column = targets.reshape(-1, 1)
        log_p, log_rest = log_p.gather(1, column), log_rest.gather(1, column)
        return -((self.gamma * log_rest).exp() * log_p).squeeze(1)

    def closed_form_log_posterior(self, scores):
        log_p, log_rest = _log_p_and_rest(scores)
        # -p log p / (1 - p) tends to 1 for p near 1.
        odds = (log_p - log_rest.clamp(min=-600)).exp()
        ratio = torch.where(log_rest < -600, 1.0, -log_p * odds)
        return log_p - self.gamma * log_rest - (self.gamma * ratio).log1p()


def _log_p_and_rest(scores):
    """Return ``log p`` and ``log(1 - p)``, both exact where p is near 1."""
    top = scores.argmax(dim=1, keepdim=True)
    others = scores.scatter(1, top, -torch.inf).logsumexp(dim=1, keepdim=True)
    lead = scores.gather(1, top) - others
    log_p = scores.log_softmax(dim=1)
    log_rest = torch.log1p(-log_p.exp().scatter(1, top, 0.0))
    return (
        log_p.scatter(1, top, logsigmoid(lead)),
        log_rest.scatter(1, top, logsigmoid(-lead)),
    )


SOFTMAX_LOSSES = {
    "focal": SoftmaxFocalLoss,
    "log_loss": SoftmaxLogLoss,
}
