"""Forward and backward of every pointwise loss against torch's own cross-entropy."""

import os
import sys

import torch
from _page import in_turns, machine, table, write
from torch.nn.functional import binary_cross_entropy_with_logits, linear, softplus
from torch.profiler import ProfilerActivity, profile

from skimbalance._labels import MULTILABEL
from skimbalance.losses import LOSSES, LogLoss, PointwiseLoss
from skimbalance.neural_network._module import criterion_of

ROWS, LABELS, RATE, HIDDEN = 256, 7900, 0.006, 256


def with_a_steady_heap():
    """Start again, if need be, with memory that is not given back between the steps.

    Else the first touch of each page is timed: a few milliseconds, or none by chance.
    """
    settings = {"MALLOC_TRIM_THRESHOLD_": "2000000000", "MALLOC_MMAP_MAX_": "0"}
    if not settings.items() <= os.environ.items():
        environment = os.environ | settings
        os.execve(sys.executable, [sys.executable, *sys.argv], environment)


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
    criterion = criterion_of(loss)(loss, pos_weight=pos_weight, n_trained=LABELS)
    evaluate = torch.compile(criterion) if compiled else criterion
    stored = labels.to(torch.int8)

    def step():
        z = scores.detach().requires_grad_()
        (evaluate(z, stored, None) / z.numel()).backward()

    return step


def plain_step(loss, scores, labels, _, compiled):
    """Return the same for a loss on its own: a mean of what it gives for each entry."""
    evaluate = torch.compile(loss) if compiled else loss
    targets = labels.float()

    def step():
        z = scores.detach().requires_grad_()
        evaluate(z, targets).mean().backward()

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
    """Return whether a loss computes the entries that it uses: mining computes all."""
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
        (criterion(linear(hidden, weight), stored, None) / labels.numel()).backward()

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
    return table(["positives a row", "fraction of negatives", "time"], rows)


def time_table(losses, drawn):
    """Measure every loss; return a table of ratios, and the time of torch's own."""
    steps = [torch_step(*drawn)]
    for loss in losses.values():
        for make in (our_step, plain_step):
            steps += [make(loss, *drawn, compiled) for compiled in (False, True)]
    reference, *ours = in_turns(steps, repeats=21)
    ratios = [f"**{own / reference:.2f}**" for own in ours]
    lines = [
        [f"`{name}`", *ratios[4 * number : 4 * number + 4]]
        for number, name in enumerate(losses)
    ]
    header = ["loss", "batch loss", "compiled", "`loss(scores, targets)`", "compiled"]
    return table(header, lines), 1000 * reference


def memory_table(losses, drawn):
    """Measure the peak memory of every loss; return a table, and that of torch's."""
    batch_bytes = ROWS * LABELS * 4
    lines = []
    for name, loss in losses.items():
        steps = [make(loss, *drawn, False) for make in (our_step, plain_step)]
        peaks = [f"{peak_memory(step) / batch_bytes:.2f}" for step in steps]
        lines.append([f"`{name}`", *peaks])
    header = ["loss", "batch loss", "`loss(scores, targets)`"]
    return table(header, lines), peak_memory(torch_step(*drawn)) / batch_bytes


def main():
    """Measure every loss and write the page."""
    with_a_steady_heap()
    drawn = batch()
    losses = {
        name: loss()
        for (name, kind), loss in LOSSES.items()
        if kind == MULTILABEL and is_measured(loss)
    }
    for loss in losses.values():
        loss.setup(drawn[1].sum(dim=0) + 1, (~drawn[1]).sum(dim=0))
    times = []
    for threads in sorted({1, os.cpu_count()}):
        torch.set_num_threads(threads)
        torch.compiler.reset()  # it counts the versions of a function
        measured, own = time_table(losses, drawn)
        threads = f"{threads} threads" if threads > 1 else "One thread"
        times.append(f"{threads}; torch's own takes {own:.1f} ms:\n\n{measured}")
        print(times[-1], flush=True)
    memory, own = memory_table(losses, drawn)
    write(
        "loss_cost",
        f"""# What a loss costs

Forward and backward on a batch of {ROWS} rows and {LABELS:,} labels (float32, CPU, 47
positives a row), over the time of eager
`torch.nn.functional.binary_cross_entropy_with_logits(..., pos_weight=w)` in the same
run. *Batch loss* is what the estimators call: labels as stored, with a `pos_weight`,
reduced. `loss(scores, targets)` takes targets as floats, gives the loss of each
entry, and a mean follows; soft targets need both terms of an entry in compiled code.

{(chr(10) * 2).join(times)}

Peak memory beyond scores and labels, in sizes of the batch; torch's own takes
{own:.2f}:

{memory}

The gradient is computed with the value, block by block of rows in the CPU's cache;
the term of a positive label is evaluated at the positives only. Label smoothing, with
which no target is 0, needs both terms everywhere, and twice the time.

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
