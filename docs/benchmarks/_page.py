"""Helpers of the benchmark scripts: timing in turns, and writing a page."""

import importlib.util
import os
import platform
import re
import resource
import statistics
import sys
import time
from pathlib import Path

import numpy
import sklearn
import torch

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("SKIMBALANCE_DATA", HERE.parents[2] / "shared" / "data"))


def load(name):
    """Read a real data set by name."""
    script = DATA / "load.py"
    if not script.exists():
        sys.exit(f"No real data at {DATA}; set SKIMBALANCE_DATA to their folder.")
    spec = importlib.util.spec_from_file_location("real_data", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load(name)


def seconds(function):
    """Time one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def in_turns(functions, repeats=5):
    """Time several functions in turns, so that noise hits all; return the medians."""
    for function in functions:
        function()
    rounds = [[seconds(function) for function in functions] for _ in range(repeats)]
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


def peak_bytes():
    """Return the peak memory of this process, without that of its parent."""
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss would begin at that of the parent
        kilobytes = re.search(r"VmHWM:\s*(\d+)", status.read_text()).group(1)
        return 1024 * int(kilobytes)
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def reset_peak():
    """Return the memory of this process, from which its peak begins anew on Linux."""
    control = Path("/proc/self/clear_refs")
    if control.exists():
        control.write_text("5")  # the resident size becomes the peak: see proc(5)
    return peak_bytes()


def table(header, rows):
    """Format a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def machine():
    """Return a paragraph on the machine and the versions of a measurement."""
    return (
        f"Measured on {os.cpu_count()} cores ({platform.machine()}), "
        f"{torch.get_num_threads()} torch threads, Python {platform.python_version()}, "
        f"torch {torch.__version__}, scikit-learn {sklearn.__version__}, NumPy "
        f"{numpy.__version__}. Figures are ratios of medians measured in turns in one "
        "run; other machines will differ."
    )


def write(name, text):
    """Write the page into the folder of its script."""
    script = Path(sys.argv[0]).name
    head = f"<!-- written by {script}; do not edit -->\n"
    (HERE / f"{name}.md").write_text(head + text.strip() + "\n")
