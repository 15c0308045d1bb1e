"""Value and slope of a pointwise loss in one pass, where a class gives both.

On the CPU the batch is worked on in blocks of rows whose tensors stay in the cache, and
positives, few as a rule, are looked up once, so that the loss of a negative is all that
is computed everywhere. Compilers and other devices get the batch in one piece.
"""

import numpy as np
import torch
from torch.autograd.function import once_differentiable

# Entries of a block for each of up to two threads; a few such tensors fit the cache.
_BLOCK_ENTRIES = 2**18
# Share of entries up to which it pays to look them up one by one.
_FEW = 0.1


class Unreduced(torch.autograd.Function):
    """The loss of each entry, its gradient computed beside it."""

    @staticmethod
    def forward(ctx, loss, scores, targets):
        return _keep(ctx, _unreduced, loss, scores, targets)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output):
        return None, _spend(ctx, grad_output), None


class Term(torch.autograd.Function):
    """One term of a loss, by the method that gives its value and derivative."""

    @staticmethod
    def forward(ctx, value_and_grad, scores):
        value, gradient = value_and_grad(scores)
        ctx.save_for_backward(gradient)
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output):
        (gradient,) = ctx.saved_tensors
        return None, gradient * grad_output


class WeightedSum(torch.autograd.Function):
    """``sum(weight * loss)``, its gradient computed beside it."""

    @staticmethod
    def forward(ctx, loss, scores, targets, weight, pos_weight, positive):
        given = scores, targets, weight, pos_weight, positive
        return _keep(ctx, _weighted_sum, loss, *given)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output):
        return None, _spend(ctx, grad_output), None, None, None, None


def _keep(ctx, evaluate, loss, scores, *others):
    """Return the value for a function that returns value and gradient; keep the rest.

    On the CPU the gradient is kept such that its memory can be given away.
    """
    scores = scores.contiguous()
    value, gradient = evaluate(loss, scores, *others)
    if _in_one_piece(scores):
        ctx.save_for_backward(gradient)
    else:
        ctx.save_for_backward(scores, *others)
        ctx.evaluate, ctx.loss, ctx.gradient = evaluate, loss, gradient
    return value


def _spend(ctx, grad_output):
    """Return the gradient times that of the value, in its own memory where possible.

    A second backward pass has to compute it anew.
    """
    if not hasattr(ctx, "evaluate"):
        (gradient,) = ctx.saved_tensors
        return gradient * grad_output
    gradient, ctx.gradient = ctx.gradient, None
    if gradient is None:
        _, gradient = ctx.evaluate(ctx.loss, *ctx.saved_tensors)
    return gradient.mul_(grad_output)


def _unreduced(loss, scores, targets):
    """Return the loss of each entry, and its derivative by the score."""
    value, gradient = torch.empty_like(scores), torch.empty_like(scores)
    evaluate = _evaluator(loss, scores, targets)
    for rows in _blocks(scores, n_kept=2):
        value[rows], gradient[rows] = evaluate(rows)
    return value, gradient


def _weighted_sum(loss, scores, targets, weight, pos_weight, positive):
    """Return the weighted sum of the losses, and its derivative by each score."""
    weight = None if weight is None else weight.expand_as(scores)
    positive = targets if positive is None else positive
    gradient, total = torch.empty_like(scores), scores.new_zeros(())
    evaluate = _evaluator(loss, scores, targets, pos_weight)

    def summed(rows):
        terms, entries = evaluate(rows), None if weight is None else weight[rows]
        if not loss.depends_on_batch:
            entries = loss.entry_weight(scores[rows], positive[rows], entries)
        value, gradient[rows] = _weighed(terms, entries)
        return value.sum()

    for rows in _blocks(scores, n_kept=1):
        total += summed(rows)
    return total, gradient


def _in_one_piece(scores):
    return torch.compiler.is_compiling() or scores.device.type != "cpu"


def _evaluator(loss, scores, targets, pos_weight=None):
    """Return a function of rows that gives the value and the slope of their entries."""
    found = None
    if not _in_one_piece(scores):
        found = _looked_up(loss, scores, targets, pos_weight)
    if found is None:
        return lambda rows: _mixed(loss, scores[rows], targets[rows], pos_weight)
    return lambda rows: _with_found(
        loss.negative_value_and_grad(scores[rows]), rows, found
    )


def _blocks(scores, n_kept):
    """Yield slices of rows that hold a block's entries.

    Smaller where the caller keeps more tensors of the size of the batch.
    """
    if _in_one_piece(scores):
        yield slice(None)
        return
    entries = _BLOCK_ENTRIES * min(torch.get_num_threads(), 2) // n_kept
    size = max(1, entries // max(1, scores[:1].numel()))
    for start in range(0, len(scores), size):
        yield slice(start, start + size)


def _mixed(loss, scores, targets, pos_weight):
    """Return value and slope of all entries; a soft target mixes the two terms."""
    if targets.is_floating_point():
        return _mixture(loss, targets, pos_weight, scores)
    positive = _as_mask(targets, scores.dtype)
    terms = loss.signed_value_and_grad(scores, positive)
    if pos_weight is None:
        return terms
    return _weighed(terms, torch.where(positive, pos_weight, 1.0))


def _as_mask(targets, dtype):
    """Return which of the hard targets are positive."""
    if torch.compiler.is_compiling():  # a mask is vectorised where it is of a float
        return targets.to(dtype) > 0
    return targets.to(torch.bool)


def _looked_up(loss, scores, targets, pos_weight):
    """Return where targets are not 0, by flat index, with value and slope; or None.

    All at once: small steps between the blocks would let the other threads fall asleep.
    """
    other = targets.to(torch.bool).numpy()
    if np.count_nonzero(other) > _FEW * other.size:
        return None
    index = np.flatnonzero(other)
    entries = torch.from_numpy(index)
    labels = entries % scores.shape[-1]
    weight = None if pos_weight is None else pos_weight[labels]
    found = scores.reshape(-1)[entries], labels
    if targets.is_floating_point():
        terms = _mixture(loss, targets.reshape(-1)[entries], weight, *found)
    else:
        terms = _weighed(loss.positive_value_and_grad(*found), weight)
    return index, entries, terms


def _mixture(loss, share, weight, scores, *labels):
    """Return value and slope where so much of each entry is positive."""
    low = _weighed(loss.negative_value_and_grad(scores, *labels), 1 - share)
    high = _weighed(loss.positive_value_and_grad(scores, *labels), weight)
    return [a.addcmul_(b, share) for a, b in zip(low, high, strict=True)]


def _with_found(terms, rows, found):
    """Put what was looked up into the value and the slope of some rows."""
    index, entries, looked_up = found
    width = terms[0][:1].numel()
    part = slice(*np.searchsorted(index, (rows.start * width, rows.stop * width)))
    place = entries[part] - rows.start * width
    for everywhere, here in zip(terms, looked_up, strict=True):
        everywhere.view(-1)[place] = here[part]
    return terms


def _weighed(terms, weight):
    return terms if weight is None else [term.mul_(weight) for term in terms]
