"""Losses for multiclass targets.

In the formulas z are the scores of a row, p their softmax and y the true class.
"""

from functools import partial
from typing import ClassVar

import numpy as np
import torch
from torch.nn.functional import cross_entropy, logsigmoid, softplus

from skimbalance.losses._base import (
    ABOVE_0,
    ABOVE_MINUS_1,
    AT_LEAST_0,
    TINY,
    SoftmaxLoss,
    at_least_float32,
)

__all__ = [
    "LDAMLoss",
    "LogitAdjustedLoss",
    "SoftTargetLoss",
    "SoftmaxFocalLoss",
    "SoftmaxLogLoss",
    "SoftmaxPoly1Loss",
]


def _cross_entropy(scores, targets):
    return cross_entropy(scores, targets, reduction="none")


class SoftmaxLogLoss(SoftmaxLoss):
    """Log loss, or cross-entropy: ``-log p_y``.

    With weights by true class, `pos_weight`, the loss of a row is ``-w_y log p_y``.

    Inverse: the softmax; with weights w by true class ``p_k / w_k``, normalised.

    When to use it: always first.

    Examples
    --------
    >>> import torch
    >>> from skimbalance.losses import SoftmaxLogLoss
    >>> SoftmaxLogLoss()(torch.tensor([[0.0, 1.0, 2.0]]), torch.tensor([2]))
    tensor([0.4076])
    """

    def forward(self, scores, targets):
        return _cross_entropy(at_least_float32(scores), targets)

    def closed_form_log_posterior(self, scores):
        return scores


class SoftmaxFocalLoss(SoftmaxLoss):
    """Focal loss [1]_ of the true class: ``-(1 - p_y)^gamma log p_y``.

    Inverse: proportional to ``h(p_k)``,
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

    _parameter_constraints: ClassVar = {
        "gamma": AT_LEAST_0,
    }

    def __init__(self, gamma=2.0):
        super().__init__()
        self.gamma = gamma

    def forward(self, scores, targets):
        log_p, log_rest = _log_p_and_rest(at_least_float32(scores))
        column = targets.reshape(-1, 1)
        log_p, log_rest = log_p.gather(1, column), log_rest.gather(1, column)
        return -((self.gamma * log_rest).exp() * log_p).squeeze(1)

    def closed_form_log_posterior(self, scores):
        log_p, log_rest = _log_p_and_rest(scores)
        # -p log p / (1 - p) tends to 1 for p near 1; exp of more than 709 is
        # infinite.
        odds = (log_p - log_rest.clamp(min=-600)).exp()
        ratio = torch.where(log_rest < -600, 1.0, -log_p * odds)
        return log_p - self.gamma * log_rest - (self.gamma * ratio).log1p()


def _lead(scores):
    """Return the log-odds of each class against all others, ``(n, n_classes)``.

    ``log(1 - p)`` from p is 0 or -inf where p rounds to 1, as that of the top class
    does: its log-odds come from the scores themselves.
    """
    top = scores.argmax(dim=1, keepdim=True)
    others = scores.scatter(1, top, -torch.inf).logsumexp(dim=1, keepdim=True)
    log_p = scores.log_softmax(dim=1)
    lead = log_p - torch.log1p(-log_p.exp().scatter(1, top, 0.0))
    return lead.scatter(1, top, scores.gather(1, top) - others)


def _log_p_and_rest(scores):
    """Return ``log p`` and ``log(1 - p)``, both exact where p is near 1."""
    lead = _lead(scores)
    return logsigmoid(lead), logsigmoid(-lead)


class SoftmaxPoly1Loss(SoftmaxLoss):
    """Poly-1 loss [1]_ of the true class: ``-log p_y + e (1 - p_y)``.

    Inverse: proportional to ``p_k / (1 + e p_k)``.

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
    >>> from skimbalance.losses import SoftmaxPoly1Loss
    >>> SoftmaxPoly1Loss()(torch.tensor([[0.0, 1.0, 2.0]]), torch.tensor([2]))
    tensor([0.7424])
    """

    _parameter_constraints: ClassVar = {
        "epsilon": ABOVE_MINUS_1,
    }

    def __init__(self, epsilon=1.0):
        super().__init__()
        self.epsilon = epsilon

    def forward(self, scores, targets):
        log_loss = _cross_entropy(at_least_float32(scores), targets)
        return log_loss - self.epsilon * torch.expm1(-log_loss)

    def closed_form_log_posterior(self, scores):
        log_p = scores.log_softmax(dim=1)
        return log_p - (self.epsilon * log_p.exp()).log1p()


class LogitAdjustedLoss(SoftmaxLoss):
    """Logit-adjusted loss [1]_, balanced softmax [2]_: log loss of ``z + tau log pi``.

    The net learns how the classes differ apart from their frequencies: the class of the
    largest raw score is the one of greatest balanced accuracy. The estimator predicts
    that class with ``threshold="uncorrected"``, and the most probable class with the
    default.

    Inverse: ``softmax(z + tau log pi)``.

    When to use it: to train towards balanced accuracy. With the probabilities of
    plain log loss, dividing by the base rates predicts the same classes.

    Parameters
    ----------
    tau : float, default=1.0
        How much of the base rates is removed, at least 0; 0 is log loss, 1 the
        balanced softmax.

    References
    ----------
    .. [1] Menon, Jayasumana, Rawat, Jain, Veit, Kumar, "Long-Tail Learning via Logit
       Adjustment", ICLR 2021.
    .. [2] Ren, Yu, Sheng, Ma, Zhao, Yi, Li, "Balanced Meta-Softmax for Long-Tailed
       Visual Recognition", NeurIPS 2020.

    Examples
    --------
    >>> import torch
    >>> from skimbalance.losses import LogitAdjustedLoss
    >>> loss = LogitAdjustedLoss().setup([90, 10], [10, 90])
    >>> loss(torch.zeros(2, 2), torch.tensor([0, 1]))
    tensor([0.1054, 2.3026])
    """

    _parameter_constraints: ClassVar = {
        "tau": AT_LEAST_0,
    }

    def __init__(self, tau=1.0):
        super().__init__()
        self.tau = tau

    def setup(self, n_positive, n_negative):
        super().setup(n_positive, n_negative)
        # Half a row at least: a class without rows has a base rate, too.
        counts = self.n_positive_.clamp(min=0.5)
        self.register_buffer("offset_", self.tau * (counts / counts.sum()).log())
        return self

    def _adjusted(self, scores):
        return scores + self.state("offset_", scores)

    def forward(self, scores, targets):
        return _cross_entropy(self._adjusted(at_least_float32(scores)), targets)

    def closed_form_log_posterior(self, scores):
        return self._adjusted(scores)


class LDAMLoss(SoftmaxLoss):
    """Label-distribution-aware margin loss [1]_: log loss of ``scale (z - m_y)``.

    The score of the true class is lowered by a margin proportional to ``n_y^(-1/4)``
    before the softmax, so rare classes are separated more widely.

    Inverse: on paper ``p_k (1 - (1 - e^(-scale m_k)) p_k)``, p the softmax of ``scale
    z``; at the usual scale that is all but flat between the margins, so calibrated on
    held-out rows.

    When to use it: rare classes with few rows each, judged by accuracy or by their
    ranking.

    Parameters
    ----------
    max_margin : float, default=0.5
        Margin of the rarest class, at least 0.
    scale : float, default=30.0
        Factor on the scores, greater than 0.

    References
    ----------
    .. [1] Cao, Wei, Gaidon, Arechiga, Ma, "Learning Imbalanced Datasets with
       Label-Distribution-Aware Margin Loss", NeurIPS 2019.

    Examples
    --------
    >>> import torch
    >>> from skimbalance.losses import LDAMLoss
    >>> loss = LDAMLoss(scale=1.0).setup([160, 10], [10, 160])
    >>> loss(torch.zeros(2, 2), torch.tensor([0, 1]))
    tensor([0.8259, 0.9741])
    """

    invertible = False

    _parameter_constraints: ClassVar = {
        "max_margin": AT_LEAST_0,
        "scale": ABOVE_0,
    }

    # The margin and the scale of the authors' code.
    def __init__(self, max_margin=0.5, scale=30.0):
        super().__init__()
        self.max_margin = max_margin
        self.scale = scale

    def setup(self, n_positive, n_negative):
        super().setup(n_positive, n_negative)
        # The exponent minimises the bound of the paper on the error of two classes.
        margin = self.n_positive_.clamp(min=0.5) ** -0.25
        self.register_buffer("margin_", self.max_margin * margin / margin.max())
        return self

    def forward(self, scores, targets):
        scores = at_least_float32(scores)
        column = targets.reshape(-1, 1)
        lead = _lead(self.scale * scores).gather(1, column).squeeze(1)
        return softplus(self.scale * self.state("margin_", scores)[targets] - lead)

    def closed_form_log_posterior(self, scores):
        return self.scale * scores


class SoftTargetLoss(SoftmaxLoss):
    """Log loss towards soft targets of each class: ``-sum_k W[y, k] log p_k``.

    Row y of the matrix is the target distribution of rows whose class is y: how much
    they should look like each class, most of all like their own. These are similarities
    and no costs, which have zeros on the diagonal.

    Inverse: proportional to ``W^-T p``; where the softmax lies outside of what the rows
    can mix, its negative parts are replaced by small positive ones.

    When to use it: labels known to be confused with known rates, or ordered classes.
    For costs of wrong predictions train plain log loss and predict by expected cost.

    Parameters
    ----------
    target_matrix : array-like of shape (n_classes, n_classes), default=None
        Soft target of each true class, one in a row: at least 0, of full rank, and
        largest on the diagonal. Rows are used as they are, whatever their sum. None is
        the identity, which is log loss.

    Examples
    --------
    >>> import torch
    >>> from skimbalance.losses import SoftTargetLoss
    >>> loss = SoftTargetLoss([[0.9, 0.1], [0.2, 0.8]])
    >>> loss(torch.zeros(1, 2), torch.tensor([1]))
    tensor([0.6931])
    >>> loss.log_probabilities(torch.tensor([[0.55, 0.45]]).log()).exp()
    tensor([[0.5000, 0.5000]], dtype=torch.float64)
    """

    def __init__(self, target_matrix=None):
        super().__init__()
        self.target_matrix = target_matrix

    def check_params(self, n_outputs):
        if self.target_matrix is None:
            return
        try:
            matrix = np.asarray(self.target_matrix, dtype=np.float64)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"target_matrix must hold numbers: {error}.") from error
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
            raise ValueError(
                f"target_matrix has shape {matrix.shape}, expected (n_classes, "
                "n_classes): a row for each true class."
            )
        if not (np.isfinite(matrix) & (matrix >= 0)).all():
            raise ValueError("target_matrix must be finite and at least 0.")
        if np.linalg.matrix_rank(matrix) < len(matrix):
            raise ValueError(
                "target_matrix is singular: some classes have soft targets that others "
                "mix to, so no scores can tell them apart. Change its rows."
            )
        if (matrix.diagonal() <= 0).any() or (
            matrix > matrix.diagonal()[:, np.newaxis]
        ).any():
            raise ValueError(
                "target_matrix must be largest on its diagonal: row y is the target "
                "distribution of class y, [0.9, 0.1, 0] for example, and no cost. For "
                "costs of wrong predictions train loss='log_loss' and predict by "
                "skimbalance.thresholds.MinimumExpectedCostClassifier."
            )
        if len(matrix) != n_outputs:
            raise ValueError(
                f"target_matrix is for {len(matrix)} classes, but y has {n_outputs}."
            )

    def _matrix(self, scores):
        if self.target_matrix is None:
            return torch.eye(scores.shape[1], dtype=scores.dtype, device=scores.device)
        return torch.as_tensor(
            np.asarray(self.target_matrix), dtype=scores.dtype, device=scores.device
        )

    def forward(self, scores, targets):
        scores = at_least_float32(scores)
        weight = self._matrix(scores)[targets]
        return -(weight * scores.log_softmax(dim=1)).sum(dim=1)

    def closed_form_log_posterior(self, scores):
        return self._log_weighted_posterior(scores, scores.new_zeros(()))

    def link(self, pos_weight=1.0, device=None, n_outputs=None):
        link = super().link(pos_weight, device, n_outputs)
        own = SoftTargetLoss.closed_form_log_posterior
        # A subclass may have a closed form of its own, which the link has already.
        if type(self).closed_form_log_posterior is own:
            link.function = partial(self._log_weighted_posterior, shift=link.shift)
        return link

    def _log_weighted_posterior(self, scores, shift):
        """Return the log of the posterior times the class weights, up to a constant.

        The floor is one of the posterior without the weights. With them, it would be
        10,000 times as large for a class of weight 1e-4.
        """
        if self.target_matrix is None:  # the log-loss
            return scores.log_softmax(dim=1)
        p = scores.softmax(dim=1)
        weighted = torch.linalg.solve(self._matrix(scores).T, p.T).T
        log_p = (weighted.clamp(min=TINY).log() - shift).log_softmax(dim=1)
        least = (scores - shift).log_softmax(dim=1) + self._floor().to(scores).log()
        return torch.maximum(log_p, least) + shift


SOFTMAX_LOSSES = {
    "balanced_softmax": LogitAdjustedLoss,
    "focal": SoftmaxFocalLoss,
    "ldam": LDAMLoss,
    "log_loss": SoftmaxLogLoss,
    "logit_adjusted": LogitAdjustedLoss,
    "poly1": SoftmaxPoly1Loss,
    "soft_target": SoftTargetLoss,
}
