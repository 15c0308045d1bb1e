"""Training on a CUDA device against a plain torch loop, the CPU, and more members."""

import os
import sys
from functools import partial

import torch
from _page import in_turns, machine, table, write
from loss_cost import batch as draw_batch
from loss_cost import is_measured, our_step, torch_step
from throughput import EPOCHS, problem
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
DTYPES = {"32": torch.float32, "bf16": torch.bfloat16}


def plain_loop(X, Y, hidden, batch_size, precision):
    """Train with everything on the device, and read no loss."""
    X, Y = torch.from_numpy(X).cuda(), torch.from_numpy(Y).cuda()
    module = MLP(X.shape[1], Y.shape[1], hidden).cuda()
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3, fused=True)
    for _ in range(EPOCHS):
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


def ours(X, Y, hidden, batch_size, precision="32", device="cuda", **params):
    """Train the estimator on the same batches for as many epochs."""
    ImbalancedNetClassifier(
        module_params={"hidden_layer_sizes": hidden, "dropout": 0.0},
        standardize=False,
        max_epochs=EPOCHS,
        batch_size=batch_size,
        precision=precision,
        early_stopping=False,
        device=device,
        random_state=0,
        **params,
    ).fit(X, Y)


def training_table():
    """Compare every size with the plain loop and with the CPU of the same machine."""
    lines = []
    for n_labels, n_rows, *net in SIZES:
        case = *problem(n_labels, n_rows), *net
        tasks = [partial(loop, *case, p) for p in DTYPES for loop in (plain_loop, ours)]
        plain, own, plain_half, own_half = in_turns(tasks, repeats=3)
        on_cpu = partial(ours, *case, device="cpu")
        (cpu,) = in_turns([on_cpu], repeats=1)
        hidden = "-".join(map(str, net[0]))
        line = [f"{n_labels:,}", f"{n_rows:,}", hidden, net[1]]
        line += [f"{1000 * own / EPOCHS:.0f}", f"**{own / plain:.2f}**"]
        line += [f"**{own_half / plain_half:.2f}**", f"{cpu / own:.1f}"]
        lines.append(line)
        print(line, flush=True)
    header = ["labels", "rows", "hidden", "batch", "ms/epoch"]
    return table([*header, "to the loop", "to the loop, bf16", "CPU / GPU"], lines)


def members_table():
    """Time several members in one program against one."""
    lines = []
    for n_labels, n_rows, *net in (SIZES[0], SIZES[2]):
        case = *problem(n_labels, n_rows), *net
        tasks = [partial(ours, *case, n_members=number) for number in MEMBERS]
        times = in_turns(tasks, repeats=3)
        ratios = [f"{time / times[0]:.2f}" for time in times]
        lines.append([f"{n_labels:,}", "-".join(map(str, net[0])), net[1], *ratios])
        print(lines[-1], flush=True)
    return table(["labels", "hidden", "batch", *map(str, MEMBERS)], lines)


def synchronized(step):
    """Return a function that takes many steps and waits for the last one."""

    def steps():
        for _ in range(20):
            step()
        torch.cuda.synchronize()

    return steps


def loss_table():
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
    lines = [
        [f"`{name}`", *ratios[2 * number : 2 * number + 2]]
        for number, name in enumerate(losses)
    ]
    print(lines, flush=True)
    return table(["loss", "batch loss", "compiled"], lines), 1000 * reference / 20


def main():
    """Measure on the CUDA device and write the page."""
    if not torch.cuda.is_available():
        sys.exit("There is no CUDA device here; the page stays as it was measured.")
    losses, own = loss_table()
    write(
        "gpu",
        f"""# On a GPU

{torch.cuda.get_device_name()} beside {os.cpu_count()} cores, torch
{torch.__version__}.

## Training

`fit` without early stopping, from start to end, with the data moved to the device once
(`data_device="auto"`), over a hand-written loop whose data lie on the device
(`randperm`, index, fused AdamW; no validation, no `.item()`), with the same module,
batches and {EPOCHS} epochs; 100 features. `CPU / GPU` is the time of the same `fit` on
the cores of that machine over its time on the device.

{training_table()}

## Members

The time of `fit` with `n_members` nets in one batched program over that of one net.

{members_table()}

## Losses

Forward and backward on a batch of 256 rows and 7,900 labels over the time of eager
`torch.nn.functional.binary_cross_entropy_with_logits(..., pos_weight=w)`, which takes
{own:.2f} ms.

{losses}

{machine()}
""",
    )


if __name__ == "__main__":
    main()
