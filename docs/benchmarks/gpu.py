"""Training on a CUDA device against a plain torch loop, the CPU, and more members.

``python gpu.py [FOLDER]`` keeps its lines in FOLDER/gpu.json, so that an interrupted
run goes on where it stopped.
"""

import json
import os
import platform
import sys
import tempfile
from functools import partial
from pathlib import Path

import torch
from _page import in_turns, table, write
from loss_cost import batch as draw_batch
from loss_cost import is_measured, our_step, torch_step
from throughput import problem
from torch.nn.functional import binary_cross_entropy_with_logits

from skimbalance._labels import MULTILABEL
from skimbalance.losses import LOSSES
from skimbalance.modules import MLP
from skimbalance.neural_network import ImbalancedNetClassifier

# Labels, rows, hidden layers, rows of a batch.
SIZES = [
    (14, 20_000, (100,), 128),
    (14, 20_000, (512, 256), 1_024),
    (1_000, 20_000, (512, 256), 256),
    (1_000, 20_000, (512, 256), 1_024),
    (7_900, 40_000, (512, 256), 1_024),
]
MEMBERS = (1, 5, 16)
# An epoch is the difference of a long and a short fit, which start alike.
SHORT, LONG = 2, 8
MEMBERS_EPOCHS = 5
DTYPES = {"32": torch.float32, "bf16": torch.bfloat16}


def plain_loop(X, Y, hidden, batch_size, epochs, precision="32"):
    """Train with everything on the device, and read no loss."""
    X, Y = torch.from_numpy(X).cuda(), torch.from_numpy(Y).cuda()
    module = MLP(X.shape[1], Y.shape[1], hidden).cuda()
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3, fused=True)
    for _ in range(epochs):
        order = torch.randperm(len(X), device="cuda")
        for start in range(0, len(X), batch_size):
            rows = order[start : start + batch_size]
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cuda", DTYPES[precision], enabled=precision != "32"):
                scores = module(X[rows])
            loss = binary_cross_entropy_with_logits(scores.float(), Y[rows].float())
            loss.backward()
            optimizer.step()
    torch.cuda.synchronize()


def ours(X, Y, hidden, batch_size, epochs, precision="32", device="cuda", **params):
    """Train the estimator on the same batches for as many epochs."""
    ImbalancedNetClassifier(
        module_params={"hidden_layer_sizes": hidden, "dropout": 0.0},
        standardize=False,
        max_epochs=epochs,
        batch_size=batch_size,
        precision=precision,
        early_stopping=False,
        device=device,
        random_state=0,
        **params,
    ).fit(X, Y)


def start_and_epoch(tasks, repeats=3):
    """Yield the seconds before the first epoch, and those of an epoch, by task."""
    runs = [partial(task, epochs) for task in tasks for epochs in (SHORT, LONG)]
    times = iter(in_turns(runs, repeats))
    for short, long in zip(times, times, strict=True):
        epoch = (long - short) / (LONG - SHORT)
        yield short - SHORT * epoch, epoch


class Lines:
    """Lines of tables by name, kept in a file."""

    def __init__(self, folder):
        self.path = Path(folder) / "gpu.json"
        self.lines = json.loads(self.path.read_text()) if self.path.exists() else {}

    def get(self, name, measure):
        """Return a line, measured now or earlier."""
        if name not in self.lines:
            self.lines[name] = measure()
            self.path.write_text(json.dumps(self.lines, indent=1))
        print(name, self.lines[name], flush=True)
        return self.lines[name]


def name_of(n_labels, n_rows, hidden, batch):
    """Return the first columns of a line."""
    return [f"{n_labels:,}", f"{n_rows:,}", "-".join(map(str, hidden)), str(batch)]


def training_line(n_labels, n_rows, *net):
    """Compare a size with the plain loop and with the CPU of the same machine."""
    case = *problem(n_labels, n_rows), *net
    tasks = [partial(task, *case) for task in (plain_loop, ours)]
    halves = [partial(task, precision="bf16") for task in tasks]
    (_, plain), (start, own) = start_and_epoch(tasks)
    (_, plain_half), (_, own_half) = start_and_epoch(halves)
    (on_cpu,) = start_and_epoch([partial(tasks[1], device="cpu")], repeats=1)
    line = [f"{start:.2f}", f"{1000 * own:.0f}", f"**{own / plain:.2f}**"]
    return [*line, f"**{own_half / plain_half:.2f}**", f"{on_cpu[1] / own:.1f}"]


def members_line(n_labels, n_rows, *net):
    """Time a fit of several members in one program against one of one net."""
    case = *problem(n_labels, n_rows), *net, MEMBERS_EPOCHS
    tasks = [partial(ours, *case, n_members=number) for number in MEMBERS]
    times = in_turns(tasks, repeats=3)
    return [f"{time / times[0]:.2f}" for time in times]


def synchronized(step):
    """Return a function that takes many steps and waits for the last one."""

    def steps():
        for _ in range(20):
            step()
        torch.cuda.synchronize()

    return steps


def loss_lines():
    """Time a step of every pointwise loss against torch's own cross-entropy."""
    drawn = [tensor.cuda() for tensor in draw_batch()]
    names = [name for name, kind in LOSSES if kind == MULTILABEL]
    losses = {name: LOSSES[name, MULTILABEL] for name in names}
    losses = {name: loss() for name, loss in losses.items() if is_measured(loss)}
    steps = [torch_step(*drawn)]
    for loss in losses.values():
        loss.setup(drawn[1].sum(dim=0).cpu() + 1, (~drawn[1]).sum(dim=0).cpu())
        steps += [our_step(loss, *drawn, compiled) for compiled in (False, True)]
    reference, *times = in_turns(list(map(synchronized, steps)), repeats=11)
    ratios = [f"**{time / reference:.2f}**" for time in times]
    return [
        [f"`{name}`", *ratios[2 * number : 2 * number + 2]]
        for number, name in enumerate(losses)
    ]


def device():
    """Return what the figures were measured on."""
    if not torch.cuda.is_available():
        sys.exit("There is no CUDA device here; the page stays as it was measured.")
    return (
        f"{torch.cuda.get_device_name()} beside {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, torch {torch.__version__}"
    )


def page(lines):
    """Measure what is missing, and return the page."""
    on = lines.get("device", device)
    losses = lines.get("losses", loss_lines)
    trained = [
        [*name_of(*size), *lines.get(f"training {size}", partial(training_line, *size))]
        for size in SIZES
    ]
    members = [
        [*name_of(*size), *lines.get(f"members {size}", partial(members_line, *size))]
        for size in (SIZES[0], SIZES[2])
    ]
    header = ["labels", "rows", "hidden", "batch"]
    measured = ["start, s", "ms/epoch", "to the loop", "to the loop, bf16", "CPU / GPU"]
    return f"""# On a GPU

Measured on one {on}.

## Training

An epoch of `fit` without early stopping, with the data moved to the device once
(`data_device="auto"`), over one of a hand-written loop whose data lie on the device
(`randperm`, index, fused AdamW; no validation, no `.item()`), with the same module and
batches; 100 features. An epoch is the difference of {LONG} and {SHORT} epochs over
{LONG - SHORT}. `start` is the time of `fit` before the first epoch: checks, counts and
the move to the device. `CPU / GPU` compares an epoch on the cores of that machine with
one on the device. With 7,900 labels the start takes as long as dozens of epochs, and
its noise reaches the figures of that line: they are rough.

{table([*header, *measured], trained)}

## Members

The time of a `fit` of {MEMBERS_EPOCHS} epochs with so many `n_members` in one batched
program over that of one net.

{table([*header, *map(str, MEMBERS)], members)}

## Losses

Forward and backward on a batch of 256 rows and 7,900 labels over the time of eager
`torch.nn.functional.binary_cross_entropy_with_logits(..., pos_weight=w)`.

{table(["loss", "batch loss", "compiled"], losses)}
"""


if __name__ == "__main__":
    folder = sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()
    write("gpu", page(Lines(folder)))
