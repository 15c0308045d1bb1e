"""Training on a CUDA device against a plain torch loop, the CPU, and more members.

``make bench-gpu``, or ``python gpu.py``, writes the page in less than six minutes and
needs the package and its dependencies only, and pytest for the tests. Without a CUDA
device the page stays as it is. ``--device cpu --quick`` takes the same path at tiny
sizes, prints the page and does not write it, so that a machine without a GPU tests it.
"""

import argparse
import importlib.util
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
from itertools import product
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
# An epoch is the difference of a long and a short fit, which start alike. The long one
# has so many steps more, at least, and so many epochs more.
SHORT, MORE_STEPS, MORE_EPOCHS = 2, 600, 4
MEMBERS = (1, 5, 16)
MEMBERS_EPOCHS = 10
DTYPES = {"32": torch.float32, "bf16": torch.bfloat16}
HEADER = ["labels", "rows", "hidden", "batch"]
# Seconds: no section begins after the first, and the tests end by the second. The
# losses are compiled last, which is taken to need less than 100 seconds.
LAST_START, TESTS_END = 250, 280
TESTS = "tests/test_cuda.py", "tests/test_cuda_graphs.py"
LOADED = """
import pickle, sys
for name in sys.argv[1:]:
    net, X, expected = pickle.load(open(name, "rb"))
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
        self.repeats = 1 if quick else 2
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


class OwnModule(MLP):
    """The same net as a module of the user, whose steps are not recorded."""


def ours(device, X, Y, hidden, batch_size, epochs, module=MLP, **params):
    """Train the estimator on the same batches for as many epochs."""
    return ImbalancedNetClassifier(
        module,
        module_params={"hidden_layer_sizes": hidden, "dropout": 0.0},
        standardize=False,
        max_epochs=epochs,
        batch_size=batch_size,
        early_stopping=False,
        device=device,
        random_state=0,
        **{"precision": "32", **params},
    ).fit(X, Y)


def both(machine, size):
    """Return the plain loop and the estimator, as functions of the epochs."""
    n_labels, n_rows, *net = size
    case = *problem(n_labels, n_rows), *net
    return partial(plain_loop, machine, *case), partial(ours, machine.device, *case)


def more_epochs(machine, size):
    """Return how many epochs a long fit has more than a short one."""
    _, n_rows, _, batch = size
    steps = 1 if machine.quick else MORE_STEPS
    return max(MORE_EPOCHS, -(-steps * batch // n_rows))


def start_and_epoch(tasks, more, repeats):
    """Yield the seconds before the first epoch, and those of an epoch, by task."""
    runs = [partial(task, n) for task in tasks for n in (SHORT, SHORT + more)]
    times = iter(in_turns(runs, repeats))
    for short, long in zip(times, times, strict=True):
        epoch = (long - short) / more
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
        halves.append(partial(halves[1], module=OwnModule))
        more = more_epochs(machine, size)
        times = start_and_epoch([*tasks, *halves], more, machine.repeats)
        (_, plain), (start, own), (_, plain_half), *others = times
        ratios = [own / plain, *(other / plain_half for _, other in others)]
        # Without a round for warming up: the cores of a GPU machine are slow at this.
        on_cpu = partial(tasks[1].func, "cpu", *tasks[1].args[1:])
        short, long = (seconds(partial(on_cpu, n)) for n in (1, 1 + MORE_EPOCHS))
        cpu_epoch = (long - short) / MORE_EPOCHS
        line = [f"{start:.2f}", f"{1000 * own:.0f}"]
        line += [f"**{ratio:.2f}**" for ratio in ratios]
        lines.append([*name_of(*size), *line, f"{cpu_epoch / own:.1f}"])
        print(lines[-1], flush=True)
    columns = ["start, s", "ms/epoch", "to the loop", "bf16", "own module"]
    return f"""An epoch of `fit` without early stopping, with the data moved to the
device once (`data_device="auto"`), over one of a hand-written loop whose data lie on
the device (`randperm`, index, fused AdamW; no validation, no `.item()`), with the same
net and batches; 100 features. *To the loop* compares both in float32, and *bf16* both
in bfloat16.

With the module of the library and its losses, `fit` replays the gradients of a batch as
a CUDA graph; the loop launches its kernels one by one, which on that machine takes
longer than they run. A module of the user is not recorded, as nobody knows what it does
in Python: *own module* is `fit` with a subclass of `MLP`, in bfloat16.

An epoch is the difference of a long and a short fit over the epochs that the long one
has more: {MORE_EPOCHS}, or as many as make {MORE_STEPS} steps. `start` is the time of
`fit` before the first epoch: checks, counts, the move to the device and the recording.
`CPU / GPU` compares an epoch on the cores of that machine with one on the device.

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

    size, lines = machine.sizes[-1], []
    tasks = both(machine, size)
    # Wall time without the profiler, which slows the launches of kernels.
    times = start_and_epoch(tasks, more_epochs(machine, size), machine.repeats)
    for name, task, (_, epoch) in zip(
        ("plain loop", "`fit`"), tasks, times, strict=True
    ):
        fits = [partial(task, n) for n in (SHORT, SHORT + MORE_EPOCHS)]
        short, long = map(kernel_seconds, fits)
        kernels = (long - short) / MORE_EPOCHS
        memory = machine.peak_megabytes(partial(task, SHORT))
        line = [f"{1000 * epoch:.0f}", f"{1000 * kernels:.0f}"]
        lines.append([name, *line, f"{kernels / epoch:.0%}", memory])
        print(lines[-1], flush=True)
    n_labels, n_rows, *_ = size
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
    lines, files = [], []
    with tempfile.TemporaryDirectory() as folder:
        for precision, n_members in product(("32", "64"), (1, 5)):
            params = {"precision": precision, "n_members": n_members}
            net = ours(machine.device, X, Y, (16,), 64, 3, **params)
            lines.append([precision, n_members, net.device_.type])
            files.append(Path(folder) / f"{precision}-{n_members}.pkl")
            files[-1].write_bytes(pickle.dumps((net, X, net.predict_proba(X))))
        done = subprocess.run(
            [sys.executable, "-c", LOADED, *map(str, files)],
            env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
            capture_output=True,
            text=True,
            check=True,
        )
    found = map(str.split, done.stdout.splitlines())
    for line, (device, difference) in zip(lines, found, strict=True):
        line += [device, f"{float(difference):.0e}"]
        print(line, flush=True)
    columns = ["precision", "members", "trained on", "loaded on"]
    return f"""Estimators that are pickled after a fit on the device and loaded in a
process that sees none: the largest difference of a probability.

{table([*columns, "largest difference"], lines)}"""


def cuda_tests(machine):
    """Run the tests of a device, and return what pytest counts."""
    root = HERE.parents[1]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    # Other packages on that machine may warn when they are imported.
    command += ["-o", "filterwarnings=default", *TESTS]
    if importlib.util.find_spec("xdist") is not None:
        command += ["-n", str(min(8, os.cpu_count()))]
    left = max(TESTS_END - machine.elapsed(), 1)
    try:
        done = subprocess.run(
            command,
            cwd=root,
            capture_output=True,
            text=True,
            timeout=left,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"The tests did not end in the {left:.0f} seconds left for them."
    print(done.stdout[-3000:], done.stderr[-1000:], flush=True)
    counts = re.findall(r"\d+ (?:passed|failed|skipped|errors?|xfailed)", done.stdout)
    if not counts:
        return "The tests could not run: they need pytest and a checkout."
    names = " and ".join(f"`{name}`" for name in TESTS)
    failed = re.findall(r"^FAILED (\S+)", done.stdout, flags=re.MULTILINE)
    lines = [f"{names} on this device: {', '.join(dict.fromkeys(counts))}."]
    if failed:
        lines += ["", *(f"* `{name}` failed" for name in failed)]
    return "\n".join(lines)


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
