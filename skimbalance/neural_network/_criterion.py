"""The batch loss and a step: weights, reduction and gradients around a plain loss.

    sum_ij w_ij l_ij / (rows in the batch * trained labels * mean sample weight)

A criterion gives the sum; the divisor enters with the gradient of the sum, which is one
step less on the way there and one less on the way back.

`pos_weight` and `label_weight` enter the sum and never the divisor, and a row of weight
2 counts as two rows. A missing label becomes a negative of weight 0 before the loss
sees it: a mask afterwards would still leave the gradient of a NaN.

A `Step` is what happens between this sum and the next weights, on one process or on
several.
"""

import contextlib
import inspect

import torch
from torch import nn

from skimbalance.losses import PointwiseLoss, SetLoss, SoftmaxLoss


class _Criterion(nn.Module):
    """Base: holds the loss and the weights, all as buffers that move with the net."""

    def __init__(
        self,
        loss,
        pos_weight=None,
        label_weight=None,
        mean_weight=1.0,
        smoothing=0.0,
        prior=None,
    ):
        super().__init__()
        self.loss = loss
        self.register_buffer("pos_weight", pos_weight)
        self.register_buffer("label_weight", label_weight)
        self.register_buffer("prior", prior)
        self.mean_weight, self.smoothing = mean_weight, smoothing

    @property
    def sums_rows(self):
        """Whether rows count one by one, or the rows of a batch together."""
        return not self.loss.depends_on_batch

    def divisor(self, n_rows):
        """Return what makes a mean of the sum over so many rows."""
        return n_rows * self.mean_weight


class ClassCriterion(_Criterion):
    """Multiclass: one value a row, weighted by row and by true class."""

    def forward(self, scores, labels, weight):
        value = self._value(scores, labels)
        if self.smoothing:
            value = torch.lerp(value, self._expected(scores, labels), self.smoothing)
        if weight is not None:
            value = value * weight
        return value.sum()

    def _value(self, scores, labels):
        value = self.loss(scores, labels)
        if self.pos_weight is None:
            return value
        return value * self.pos_weight[labels].to(value.dtype)

    def _expected(self, scores, labels):
        """Return the loss of each row if its class were drawn by the base rates."""
        values = (
            rate * self._value(scores, torch.full_like(labels, k))
            for k, rate in enumerate(self.prior.to(scores.dtype))
        )
        return sum(values)


class _LabelCriterion(_Criterion):
    def __init__(self, *args, n_trained=1, has_missing=False, **kwargs):
        super().__init__(*args, **kwargs)
        self.n_trained, self.has_missing = n_trained, has_missing

    def _targets(self, labels):
        """Return labels of 0 and 1; a missing one is a 0 that a weight of 0 hides."""
        return labels.clamp(min=0) if self.has_missing else labels

    def _entry_weight(self, labels, weight, dtype):
        """Multiply what weighs each entry, or a column or a row of entries; or None."""
        product = None
        for factor in self._factors(labels, weight, dtype):
            product = factor if product is None else product * factor
        return product

    def _factors(self, labels, weight, dtype):
        """Yield the weights of missing labels, of labels and of rows or entries."""
        if self.has_missing:
            yield (labels.clamp(max=0) + 1).to(dtype)
        if self.label_weight is not None:
            yield self.label_weight.to(dtype)
        if weight is not None:
            yield weight if weight.ndim == 2 else weight.unsqueeze(1)


class PointwiseCriterion(_LabelCriterion):
    """Labels one by one: each entry has its weight."""

    def forward(self, scores, labels, weight):
        dtype = torch.promote_types(scores.dtype, torch.float32)
        weight = self._entry_weight(labels, weight, dtype)
        targets, positive = self._targets(labels), None
        if self.smoothing:
            positive, prior = targets, self.prior.to(dtype).expand_as(scores)
            targets = torch.lerp(targets.to(dtype), prior, self.smoothing)
        given = targets, weight, self.pos_weight, positive
        return self.loss.weighted_sum(scores, *given)

    def divisor(self, n_rows):
        return super().divisor(n_rows) * self.n_trained


class SetCriterion(_LabelCriterion):
    """The labels of a row together: entries have a mask, rows have weights."""

    def forward(self, scores, labels, weight):
        dtype = torch.promote_types(scores.dtype, torch.float32)
        outside = None
        if self.sums_rows and weight is not None:
            outside, weight = _row_part(labels, weight)
        entry_weight = self._entry_weight(labels, weight, dtype)
        if entry_weight is None:
            entry_weight = scores.new_ones((), dtype=dtype)
        targets = self._targets(labels).to(dtype)
        value = self.loss(scores, targets, entry_weight.expand_as(scores))
        if outside is not None:
            value = value * outside
        return value.sum()

    def divisor(self, n_rows):
        # What couples rows divides by the weights that it finds.
        return super().divisor(n_rows) if self.sums_rows else n_rows


def _row_part(labels, weight):
    """Split weights into one for each row and what its entries weigh beside it.

    A weight of rows acts outside of the loss and one of entries inside: without this,
    equal weights in a row would mean something else than the same weight of the row.
    """
    if weight.ndim == 1:
        return weight, None
    observed = (labels >= 0).to(weight.dtype)
    mean = (weight * observed).sum(dim=1) / observed.sum(dim=1).clamp(min=1)
    return mean, weight / torch.where(mean > 0, mean, 1.0).unsqueeze(1)


def sum_over_members(criterion, scores, labels, weight):
    """Return the sum of the members' losses on one batch.

    Parameters
    ----------
    criterion : ClassCriterion, PointwiseCriterion or SetCriterion
    scores : Tensor of shape (n_samples, n_members, n_outputs)
    labels, weight : Tensor or None
        What each member is compared with.
    """
    if not criterion.sums_rows:
        return sum(criterion(one, labels, weight) for one in scores.unbind(1))
    labels, weight = (
        None if part is None else torch.cat([part] * scores.shape[1])
        for part in (labels, weight)
    )
    return criterion(scores.transpose(0, 1).flatten(0, 1), labels, weight)


def criterion_of(loss):
    """Return the criterion class that weighs this kind of loss."""
    kinds = {
        PointwiseLoss: PointwiseCriterion,
        SoftmaxLoss: ClassCriterion,
        SetLoss: SetCriterion,
    }
    return next(kinds[base] for base in type(loss).__mro__ if base in kinds)


def takes_closure(optimizer):
    """Whether an optimizer, or its class, evaluates the loss itself, as L-BFGS does."""
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    return closure is not None and closure.default is inspect.Parameter.empty


class Step:
    """What happens between the scores of a batch and the next weights.

    Parameters
    ----------
    half : torch.dtype or None
        Half precision of the products (autocast); weights and losses stay float32.
        float16 scales the loss, so that small gradients survive.
    max_grad_norm : float or None
        Norm that the gradient of all weights together is clipped to.
    """

    def __init__(self, half=None, max_grad_norm=None):
        self.half, self.max_grad_norm = half, max_grad_norm
        self.part = 0, 1

    def begin(self, net):
        """Find out about a net that is about to train."""
        self.module, self.optimizer = net.module_, net.optimizer_
        self.parameters = [p for _, p in net.get_all_learnable_params()]
        scales = self.half is torch.float16
        self.scaler = torch.amp.GradScaler(net.device.type) if scales else None
        self.factors = {}

    def end(self):
        """Let go of the optimizer and its tensors."""
        self.module = self.optimizer = self.scaler = self.parameters = None
        self.factors = {}

    def begin_epoch(self):
        """Agree with other processes on what is random."""

    def summed(self, total):
        """Return the sum over all processes."""
        return total

    def autocast(self, device):
        """Return the context in which scores and losses are computed."""
        if self.half is None:
            return contextlib.nullcontext()
        return torch.autocast(device.type, self.half)

    def clear(self):
        """Forget the gradients of the last step."""
        for parameter in self.parameters:
            parameter.grad = None

    def backward(self, total, factor):
        """Add the gradient of a part of the step, which is so much of a sum."""
        if factor not in self.factors:
            self.factors[factor] = torch.full_like(total, factor)
        if self.scaler is not None:
            total = self.scaler.scale(total)
        total.backward(self.factors[factor])

    def finish_gradients(self):
        """Make the gradients what they would be in full precision."""
        if self.scaler is not None:
            self.scaler.unscale_(self.optimizer)

    def update(self):
        """Move the weights."""
        if self.max_grad_norm is not None:
            nn.utils.clip_grad_norm_(self.parameters, self.max_grad_norm)
        if self.scaler is None:
            self.optimizer.step()
        else:
            self.scaler.step(self.optimizer)
            self.scaler.update()

    def state(self):
        """Return what goes on in the next epoch."""
        return {} if self.scaler is None else self.scaler.state_dict()

    def load_state(self, state):
        """Go on from a state."""
        if self.scaler is not None:
            self.scaler.load_state_dict(state)


class ParallelStep(Step):
    """A `Step` of one process among several, through Hugging Face accelerate.

    Parameters
    ----------
    accelerator : accelerate.Accelerator
        Knows the processes and the device of this one.
    half, max_grad_norm : object
        As in `Step`.
    """

    def __init__(self, accelerator, half=None, max_grad_norm=None):
        super().__init__(half, max_grad_norm)
        self.accelerator = accelerator
        self.part = accelerator.process_index, accelerator.num_processes

    def __getstate__(self):
        # A saved net goes on alone: processes cannot be stored.
        return vars(self) | {"accelerator": None, "part": (0, 1)}

    def begin(self, net):
        super().begin(net)
        if self.accelerator is not None:
            self.module = self.accelerator.prepare_model(net.module_)

    def end(self):
        super().end()
        if self.accelerator is not None:
            self.accelerator.free_memory()  # or it would keep the net of every fit

    def begin_epoch(self):
        if self.accelerator is not None:
            from accelerate.utils import synchronize_rng_states

            synchronize_rng_states(["torch"])

    def summed(self, total):
        if self.accelerator is None:
            return total
        return self.accelerator.reduce(total, "sum")
