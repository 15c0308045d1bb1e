"""Value and gradient of a pointwise loss in one pass, where a class gives both.

On the CPU the batch is evaluated in blocks of rows whose tensors stay in the cache, and
positives, few as a rule, are looked up once, so that the loss of a negative is all that
is computed everywhere. Compilers and other devices get the batch in one piece.
"""

import numpy as np
import torch
from torch.autograd.function import once_differentiable

# Entries of a block for each of up to two threads: 1 MiB of float32, so that the few
# tensors of a block fit a cache of level 2 or 3.
_BLOCK_ENTRIES = 2**18
# Fraction of entries up to which it pays to look them up one by one.
_FEW = 0.1


def any_is_learnt(*tensors):
    """Return whether a gradient by targets or weights is asked for.

    The pass in one has none but by the scores, and would leave it out without a word.
    """
    return any(each is not None and each.requires_grad for each in tensors)


class _Fused(torch.autograd.Function):
    """Base: the first argument is no tensor, the second the scores."""

    @staticmethod
    @once_differentiable  # untyped in torch: hence the mark for pyright
    def backward(ctx, grad_output):  # pyright: ignore[reportIncompatibleMethodOverride]
        others = [None] * (len(ctx.needs_input_grad) - 2)
        return None, _scaled_gradient(ctx, grad_output), *others


class Unreduced(_Fused):
    """The loss of each entry."""

    @staticmethod
    def forward(ctx, loss, scores, targets):
        return _keep_gradient(ctx, _unreduced, loss, scores, targets)


class Term(_Fused):
    """One term of a loss, by the method that gives its value and derivative."""

    @staticmethod
    def forward(ctx, value_and_grad, scores):
        value, gradient = value_and_grad(scores)
        ctx.save_for_backward(gradient)
        return value


class WeightedSum(_Fused):
    """``sum(weight * loss)`` over the entries."""

    @staticmethod
    def forward(ctx, loss, scores, targets, weight, pos_weight, positive):
        given = scores, targets, weight, pos_weight, positive
        return _keep_gradient(ctx, _weighted_sum, loss, *given)


def _keep_gradient(ctx, evaluate, loss, scores, *others):
    """Return the value for a function that returns value and gradient; keep the latter.

    On the CPU the gradient is kept on the context, not among the saved tensors, which
    nothing may write to: the backward pass scales it in place. The inputs are saved as
    well, for a graph that is differentiated twice.
    """
    scores = scores.contiguous()
    value, gradient = evaluate(loss, scores, *others)
    if _in_one_piece(scores):
        ctx.save_for_backward(gradient)
    else:
        ctx.save_for_backward(scores, *others)
        ctx.evaluate, ctx.loss, ctx.gradient = evaluate, loss, gradient
    return value


def _scaled_gradient(ctx, grad_output):
    """Return the gradient times that of the value, in its own memory where possible.

    A second backward pass has to compute it again.
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

    def block_sum(rows):
        # A function of its own, so that its tensors are freed before the next block.
        terms, entries = evaluate(rows), None if weight is None else weight[rows]
        if not loss.depends_on_batch:
            entries = loss.entry_weight(scores[rows], positive[rows], entries)
        value, gradient[rows] = _multiplied(terms, entries)
        return value.sum()

    for rows in _blocks(scores, n_kept=1):
        total += block_sum(rows)
    return total, gradient


def _in_one_piece(scores):
    """Return whether the batch is best left whole: for a compiler or a GPU."""
    return torch.compiler.is_compiling() or scores.device.type != "cpu"


def _evaluator(loss, scores, targets, pos_weight=None):
    """Return a function of rows that gives the value and gradient of their entries."""
    positives = None
    if not _in_one_piece(scores):
        positives = _look_up(loss, scores, targets, pos_weight)
    if positives is None:
        return lambda rows: _mixed(loss, scores[rows], targets[rows], pos_weight)
    return lambda rows: _with_positives(
        loss.negative_value_and_grad(scores[rows]), rows, positives
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
    """Return value and gradient of all entries; a soft target mixes the two terms."""
    if targets.is_floating_point():
        return _mixture(loss, targets, pos_weight, scores)
    positive = _as_mask(targets, scores.dtype)
    terms = loss._signed_value_and_grad(scores, positive)
    if pos_weight is None:
        return terms
    return _multiplied(terms, torch.where(positive, pos_weight, 1.0))


def _as_mask(targets, dtype):
    """Return which of the hard targets are positive."""
    if torch.compiler.is_compiling():  # a mask is vectorised where it is of a float
        return targets.to(dtype) > 0
    return targets.to(torch.bool)


def _look_up(loss, scores, targets, pos_weight):
    """Return where targets are not 0, by flat index, with value and gradient; or None.

    All at once, as small steps between the blocks would let the other threads idle.
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
        terms = _multiplied(loss.positive_value_and_grad(*found), weight)
    return index, entries, terms


def _mixture(loss, fraction, weight, scores, *labels):
    """Return value and gradient where a fraction of each entry is positive."""
    low = _multiplied(loss.negative_value_and_grad(scores, *labels), 1 - fraction)
    high = _multiplied(loss.positive_value_and_grad(scores, *labels), weight)
    return [a.addcmul_(b, fraction) for a, b in zip(low, high, strict=True)]


def _with_positives(terms, rows, positives):
    """Write the looked-up entries into the value and the gradient of some rows."""
    index, entries, looked_up = positives
    width = terms[0][:1].numel()
    part = slice(*np.searchsorted(index, (rows.start * width, rows.stop * width)))
    place = entries[part] - rows.start * width
    for everywhere, here in zip(terms, looked_up, strict=True):
        everywhere.view(-1)[place] = here[part]
    return terms


def _multiplied(terms, weight):
    """Return value and gradient times a weight, in their own memory."""
    return terms if weight is None else [term.mul_(weight) for term in terms]
