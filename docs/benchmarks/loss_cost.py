"""Forward and backward of every pointwise loss against torch's own cross-entropy."""

import statistics
import time

import torch
from _page import machine, table, write
from torch.nn.functional import binary_cross_entropy_with_logits, linear, softplus
from torch.profiler import ProfilerActivity, profile

from skimbalance._net import criterion_of
from skimbalance._validation import MULTILABEL
from skimbalance.losses import LOSSES, LogLoss, PointwiseLoss

ROWS, LABELS, RATE, HIDDEN = 256, 7900, 0.006, 256


def seconds(function):
    """Time one call on one thread, without the time that other programs take."""
    start = time.thread_time()
    function()
    return time.thread_time() - start


def in_turns(functions, repeats):
    """Time several functions in turns; return the medians."""
    for function in functions:
        function()
    rounds = [[seconds(function) for function in functions] for _ in range(repeats)]
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


def batch():
    """Draw scores and labels with 47 positives a row, and weights of the positives."""
    torch.manual_seed(0)
    scores = torch.randn(ROWS, LABELS) * 2 - 4
    return scores, torch.rand(ROWS, LABELS) < RATE, torch.full((LABELS,), 12.0)


def torch_step(scores, labels, pos_weight):
    """Return a function that evaluates torch's loss and its gradient."""
    targets = labels.float()

    def step():
        z = scores.detach().requires_grad_()
        binary_cross_entropy_with_logits(z, targets, pos_weight=pos_weight).backward()

    return step


def our_step(loss, scores, labels, pos_weight, compiled):
    """Return the same for the batch loss around one of ours, labels as stored."""
    loss.setup(labels.sum(dim=0) + 1, (~labels).sum(dim=0))
    criterion = criterion_of(loss)(loss, pos_weight=pos_weight, n_trained=LABELS)
    evaluate = torch.compile(criterion) if compiled else criterion
    stored = labels.to(torch.int8)

    def step():
        z = scores.detach().requires_grad_()
        evaluate(z, stored, None).backward()

    return step


def peak_memory(step):
    """Return the most bytes that a step holds beyond its inputs."""
    step()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        step()
    held = most = 0
    for event in profiler.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    return most


def is_measured(loss):
    """Sampling losses compute all cells and then choose; they are another trade."""
    return issubclass(loss, PointwiseLoss) and "Mining" not in loss.__name__


def output_steps(positives, rate):
    """Return a step of the output layer on all columns, and on those drawn."""
    torch.manual_seed(0)
    frequency = 1 / (torch.arange(LABELS) + 20.0)
    labels = torch.rand(ROWS, LABELS) < frequency * (positives / frequency.sum())
    hidden = torch.randn(ROWS, HIDDEN).relu().requires_grad_()
    weight = torch.randn(LABELS, HIDDEN).mul_(0.05).requires_grad_()
    criterion = criterion_of(LogLoss())(LogLoss(), n_trained=LABELS)
    stored = labels.to(torch.int8)

    def full():
        hidden.grad = weight.grad = None
        criterion(linear(hidden, weight), stored, None).backward()

    def sampled():
        hidden.grad = weight.grad = None
        columns = (torch.rand(LABELS) < rate).nonzero().squeeze(1)
        scores = linear(hidden, weight[columns])
        row, column = labels.nonzero(as_tuple=True)
        positive = (hidden[row] * weight[column]).sum(dim=1)
        negatives = (softplus(scores) * ~labels[:, columns]).sum()
        ((negatives + softplus(-positive).sum()) / labels.numel()).backward()

    return full, sampled


def sampling_table():
    """Measure what leaving out columns of negatives would save."""
    rows = []
    for positives in (5, 47):
        for rate in (0.05, 0.2):
            full, sampled = in_turns(output_steps(positives, rate), repeats=11)
            rows.append([positives, rate, f"**{sampled / full:.2f}**"])
    return table(["positives a row", "share of negatives", "time"], rows)


def main():
    """Measure every loss and write the page."""
    torch.set_num_threads(1)
    drawn = batch()
    names = {
        name: loss
        for (name, kind), loss in LOSSES.items()
        if kind == MULTILABEL and is_measured(loss)
    }
    steps = [torch_step(*drawn)]
    for loss in names.values():
        steps += [our_step(loss(), *drawn, compiled) for compiled in (False, True)]
    reference, *ours = in_turns(steps, repeats=11)
    cells = ROWS * LABELS * 4
    rows = []
    for number, name in enumerate(names):
        eager, compiled = ours[2 * number], ours[2 * number + 1]
        memory = peak_memory(steps[1 + 2 * number]) / cells
        rows.append(
            [
                f"`{name}`",
                f"**{eager / reference:.2f}**",
                f"**{compiled / reference:.2f}**",
                f"{memory:.2f}",
            ]
        )
        print(rows[-1], flush=True)
    header = ["loss", "eager", "`torch.compile`", "peak memory, batches"]
    write(
        "loss_cost",
        f"""# What a loss costs

Forward and backward on a batch of {ROWS} rows and {LABELS:,} labels (float32, CPU, 47
positives a row) with a `pos_weight`, as the estimators call it, over the time of eager
`torch.nn.functional.binary_cross_entropy_with_logits(..., pos_weight=w)` in the same
run: {1000 * reference:.0f} ms of one CPU thread. Memory is the peak beyond scores and
labels, in sizes of the batch; torch's own takes {peak_memory(steps[0]) / cells:.2f}.

{table(header, rows)}

The gradient is computed beside the value, block by block of rows in the CPU's cache;
the term of a positive label is evaluated at the positives only. Soft targets (label
smoothing) need both terms everywhere, about half as much again.

## Random negatives

Forward and backward through an output layer on {HIDDEN} hidden units with log loss,
when only the drawn columns and the positives are computed, over the time of all. No
loss here does so yet: it has to reach into the output layer of the module.

{sampling_table()}

{machine()}
""",
    )


if __name__ == "__main__":
    main()
