"""Training on a CUDA device against a plain torch loop, the CPU, and more members.

``make bench-gpu``, or ``python gpu.py``, writes the page in less than six minutes and
needs the package and its dependencies only, and pytest for the tests. Without a CUDA
device the page stays as it is. ``--device cpu --quick`` takes the same path at tiny
sizes, prints the page and does not write it, so that a machine without a GPU tests it.
"""

import argparse
import os
import pickle
import platform
import re
import subprocess
import sys
import tempfile
import time
import traceback
from functools import partial
from pathlib import Path

import torch
from _page import HERE, in_turns, seconds, table, write
from loss_cost import batch as draw_batch
from loss_cost import is_measured, our_step, torch_step
from throughput import problem
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.profiler import ProfilerActivity, profile

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
QUICK_SIZES = [(3, 300, (8,), 64)]
# An epoch is the difference of a long and a short fit, which start alike.
SHORT, LONG = 2, 6
MEMBERS = (1, 5, 16)
MEMBERS_EPOCHS = 3
DTYPES = {"32": torch.float32, "bf16": torch.bfloat16}
HEADER = ["labels", "rows", "hidden", "batch"]
# Seconds: no section begins after the first, and the tests end by the second. The
# losses are compiled last, which is taken to need less than 100 seconds.
LAST_START, TESTS_END = 250, 280
LOADED = """
import pickle, sys
import numpy as np
net, X, expected = pickle.load(open(sys.argv[1], "rb"))
found = net.predict_proba(X)
print(net.device_.type, abs(found - expected).max())
"""


class Machine:
    """The device that is measured, the sizes, and the time that is left."""

    def __init__(self, device, quick):
        self.device, self.quick = device, quick
        self.on_cuda = device == "cuda"
        self.sizes = QUICK_SIZES if quick else SIZES
        self.members = MEMBERS[:2] if quick else MEMBERS
        self.repeats = 1 if quick else 3
        self.start = time.perf_counter()

    def wait(self):
        """Wait for what the device has been given to do."""
        if self.on_cuda:
            torch.cuda.synchronize()

    def elapsed(self):
        """Return the seconds since the script has begun."""
        return time.perf_counter() - self.start

    def describe(self):
        """Return what the figures are measured on."""
        name = torch.cuda.get_device_name() if self.on_cuda else platform.machine()
        return (
            f"{name} beside {os.cpu_count()} cores, Python "
            f"{platform.python_version()}, torch {torch.__version__}"
        )

    def peak_megabytes(self, task):
        """Return the most memory of the device that a task holds, or a dash."""
        if not self.on_cuda:
            return "-"
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        task()
        return f"{torch.cuda.max_memory_allocated() / 2**20:,.0f}"


def plain_loop(machine, X, Y, hidden, batch_size, epochs, precision="32"):
    """Train with everything on the device, and read no loss."""
    device = machine.device
    X, Y = torch.from_numpy(X).to(device), torch.from_numpy(Y).to(device)
    module = MLP(X.shape[1], Y.shape[1], hidden).to(device)
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3, fused=True)
    for _ in range(epochs):
        order = torch.randperm(len(X), device=device)
        for start in range(0, len(X), batch_size):
            rows = order[start : start + batch_size]
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast(device, DTYPES[precision], enabled=precision != "32"):
                scores = module(X[rows])
            loss = binary_cross_entropy_with_logits(scores.float(), Y[rows].float())
            loss.backward()
            optimizer.step()
    machine.wait()


def ours(device, X, Y, hidden, batch_size, epochs, precision="32", **params):
    """Train the estimator on the same batches for as many epochs."""
    return ImbalancedNetClassifier(
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


def both(machine, size):
    """Return the plain loop and the estimator, as functions of the epochs."""
    n_labels, n_rows, *net = size
    case = *problem(n_labels, n_rows), *net
    return partial(plain_loop, machine, *case), partial(ours, machine.device, *case)


def start_and_epoch(tasks, repeats):
    """Yield the seconds before the first epoch, and those of an epoch, by task."""
    runs = [partial(task, epochs) for task in tasks for epochs in (SHORT, LONG)]
    times = iter(in_turns(runs, repeats))
    for short, long in zip(times, times, strict=True):
        epoch = (long - short) / (LONG - SHORT)
        yield short - SHORT * epoch, epoch


def name_of(n_labels, n_rows, hidden, batch):
    """Return the first columns of a line."""
    return [f"{n_labels:,}", f"{n_rows:,}", "-".join(map(str, hidden)), str(batch)]


def training(machine):
    """Compare each size with the plain loop, and with the CPU of the same machine."""
    lines = []
    for size in machine.sizes:
        tasks = both(machine, size)
        halves = [partial(task, precision="bf16") for task in tasks]
        times = start_and_epoch([*tasks, *halves], machine.repeats)
        (_, plain), (start, own), (_, plain_half), (_, own_half) = times
        # Without a round for warming up: the cores of a GPU machine are slow at this.
        on_cpu = partial(tasks[1].func, "cpu", *tasks[1].args[1:])
        short, long = (seconds(partial(on_cpu, epochs)) for epochs in (SHORT, LONG))
        cpu_epoch = (long - short) / (LONG - SHORT)
        rows = size[1] / own
        line = [f"{start:.2f}", f"{1000 * own:.0f}", f"{rows:,.0f}"]
        line += [f"**{own / plain:.2f}**", f"**{own_half / plain_half:.2f}**"]
        lines.append([*name_of(*size), *line, f"{cpu_epoch / own:.1f}"])
        print(lines[-1], flush=True)
    columns = ["start, s", "ms/epoch", "rows/s", "to the loop", "to the loop, bf16"]
    return f"""An epoch of `fit` without early stopping, with the data moved to the
device once (`data_device="auto"`), over one of a hand-written loop whose data lie on
the device (`randperm`, index, fused AdamW; no validation, no `.item()`), with the same
module and batches; 100 features. An epoch is the difference of {LONG} and {SHORT}
epochs over {LONG - SHORT}. `start` is the time of `fit` before the first epoch: checks,
counts and the move to the device. `CPU / GPU` compares an epoch on the cores of that
machine with one on the device. With 7,900 labels the start takes as long as dozens of
epochs, and its noise reaches the figures of that line: they are rough.

{table([*HEADER, *columns, "CPU / GPU"], lines)}"""


def busy_and_memory(machine):
    """Compare kernel time with wall time at the largest size, and peak memory."""
    kind = ProfilerActivity.CUDA if machine.on_cuda else ProfilerActivity.CPU
    total = "self_device_time_total" if machine.on_cuda else "self_cpu_time_total"

    def kernel_seconds(task):
        with profile(activities=[kind]) as profiler:
            task()
            machine.wait()
        # An annotation, such as that of an optimizer's step, spans kernels that count.
        return 1e-6 * sum(
            getattr(event, total)
            for event in profiler.key_averages()
            if not getattr(event, "is_user_annotation", False)
        )

    tasks, lines = both(machine, machine.sizes[-1]), []
    # Wall time without the profiler, which slows the launches of kernels.
    times = start_and_epoch(tasks, machine.repeats)
    for name, task, (_, epoch) in zip(
        ("plain loop", "`fit`"), tasks, times, strict=True
    ):
        short, long = (kernel_seconds(partial(task, n)) for n in (SHORT, LONG))
        kernels = (long - short) / (LONG - SHORT)
        memory = machine.peak_megabytes(partial(task, SHORT))
        line = [f"{1000 * epoch:.0f}", f"{1000 * kernels:.0f}"]
        lines.append([name, *line, f"{kernels / epoch:.0%}", memory])
        print(lines[-1], flush=True)
    n_labels, n_rows, *_ = machine.sizes[-1]
    columns = ["", "ms/epoch", "kernels, ms", "busy", "peak memory, MiB"]
    return f"""An epoch of {n_rows:,} rows and {n_labels:,} labels in float32: its time,
the time of its kernels by `torch.profiler`, their fraction of it, and the most memory
of a fit.

{table(columns, lines)}"""


def members(machine):
    """Time a fit of several members in one program against one of one net."""
    lines = []
    for size in (machine.sizes[0], machine.sizes[len(machine.sizes) // 2]):
        _, task = both(machine, size)
        fits = [partial(task, MEMBERS_EPOCHS, n_members=n) for n in machine.members]
        times = in_turns(fits, machine.repeats)
        lines.append([*name_of(*size), *(f"{time / times[0]:.2f}" for time in times)])
        lines[-1] += map(machine.peak_megabytes, fits)
        print(lines[-1], flush=True)
    columns = [f"time, {n}" for n in machine.members]
    columns += [f"MiB, {n}" for n in machine.members]
    return f"""The time of a `fit` of {MEMBERS_EPOCHS} epochs with so many `n_members`
in one batched program over that of one net, and the peak memory.

{table([*HEADER, *columns], lines)}"""


def loaded_on_cpu(machine):
    """Store fits of the device, and predict with them where there is no device."""
    X, Y = problem(3, 400)
    lines = []
    for precision in ("32", "64"):
        for n_members in (1, 5):
            params = {"precision": precision, "n_members": n_members}
            net = ours(machine.device, X, Y, (16,), 64, 3, **params)
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "net.pkl"
                file.write_bytes(pickle.dumps((net, X, net.predict_proba(X))))
                done = subprocess.run(
                    [sys.executable, "-c", LOADED, str(file)],
                    env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
                    capture_output=True,
                    text=True,
                    check=True,
                )
            device, difference = done.stdout.split()
            trained = net.device_.type
            lines.append([precision, n_members, trained, device])
            lines[-1].append(f"{float(difference):.0e}")
            print(lines[-1], flush=True)
    columns = ["precision", "members", "trained on", "loaded on"]
    return f"""Estimators that are pickled after a fit on the device and loaded in a
process that sees none: the largest difference of a probability.

{table([*columns, "largest difference"], lines)}"""


def cuda_tests(machine):
    """Run `tests/test_cuda.py`, and return what pytest counts."""
    root = HERE.parents[1]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    left = max(TESTS_END - machine.elapsed(), 1)
    try:
        done = subprocess.run(
            [*command, "tests/test_cuda.py"],
            cwd=root,
            capture_output=True,
            text=True,
            timeout=left,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return (
            f"`tests/test_cuda.py` did not end in the {left:.0f} seconds left for it."
        )
    print(done.stdout[-3000:], done.stderr[-1000:], flush=True)
    counts = re.findall(r"\d+ (?:passed|failed|skipped|errors?|xfailed)", done.stdout)
    if not counts:
        return "`tests/test_cuda.py` could not run: it needs pytest and a checkout."
    return f"`tests/test_cuda.py` on this device: {', '.join(dict.fromkeys(counts))}."


def loss_steps(machine):
    """Time a step of every pointwise loss against torch's own cross-entropy."""
    drawn = [tensor.to(machine.device) for tensor in draw_batch()]
    names = [name for name, kind in LOSSES if kind == MULTILABEL]
    losses = {name: LOSSES[name, MULTILABEL] for name in names}
    losses = {name: loss() for name, loss in losses.items() if is_measured(loss)}
    kinds = {"batch loss": False, "compiled": True}
    if machine.quick:  # torch.compile alone takes longer than all the rest
        losses, kinds = dict(list(losses.items())[:1]), {"batch loss": False}
    steps = [torch_step(*drawn)]
    for loss in losses.values():
        loss.setup(drawn[1].sum(dim=0).cpu() + 1, (~drawn[1]).sum(dim=0).cpu())
        steps += [our_step(loss, *drawn, compiled) for compiled in kinds.values()]

    def repeated(step):
        for _ in range(1 if machine.quick else 20):
            step()
        machine.wait()

    runs = [partial(repeated, step) for step in steps]
    reference, *times = in_turns(runs, 1 if machine.quick else 11)
    ratios = [f"**{time / reference:.2f}**" for time in times]
    lines = [
        [f"`{name}`", *ratios[len(kinds) * place : len(kinds) * (place + 1)]]
        for place, name in enumerate(losses)
    ]
    return f"""Forward and backward on a batch of 256 rows and 7,900 labels over the
time of eager `torch.nn.functional.binary_cross_entropy_with_logits(..., pos_weight=w)`.

{table(["loss", *kinds], lines)}"""


SECTIONS = {
    "Training": training,
    "Busy time and memory": busy_and_memory,
    "Members": members,
    "Trained on a GPU, loaded on a CPU": loaded_on_cpu,
    "Tests": cuda_tests,
    "Losses": loss_steps,
}


def page(machine):
    """Measure every section, and return the page and whether all went well."""
    parts, failed = [f"# On a GPU\n\nMeasured on one {machine.describe()}."], False
    for title, section in SECTIONS.items():
        if machine.elapsed() > LAST_START:
            text = "Not measured: the time of the script was over."
        else:
            try:
                text = section(machine)
            # A GPU is rare: what the other sections find must not be lost.
            except Exception as error:
                traceback.print_exc()
                text, failed = f"Not measured: `{type(error).__name__}`.", True
        parts.append(f"## {title}\n\n{text}")
        print(f"{title}: {machine.elapsed():.0f} s", flush=True)
    return "\n\n".join(parts) + "\n", failed


def main():
    """Measure, and write or print the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, no page")
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        # Not an error: `make bench` goes on with the pages of the CPU.
        print("There is no CUDA device here; the page stays as it was measured.")
        return
    text, failed = page(Machine(arguments.device, arguments.quick))
    if arguments.device == "cuda" and not arguments.quick:
        write("gpu", text)
    else:
        print(text)
    sys.exit(failed)


if __name__ == "__main__":
    main()
