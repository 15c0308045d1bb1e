"""Helpers of the benchmark scripts on real data: reading them, and a cache."""

import argparse
import functools
import importlib.util
import os
import tempfile
from pathlib import Path

import numpy as np


def arguments():
    """Read the folders of the data and of the cache."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--data",
        default=os.environ.get("SKIMBALANCE_DATA"),
        help="folder with load.py and the data sets; default: SKIMBALANCE_DATA",
    )
    parser.add_argument(
        "--cache",
        default=Path(tempfile.gettempdir()) / "skimbalance_benchmarks",
        help="folder in which results are kept, so that a run can be resumed",
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--cached-only",
        action="store_true",
        help="write the page from what the cache holds, computing nothing",
    )
    options = parser.parse_args()
    if options.data is None:
        parser.exit(message="No real data: set SKIMBALANCE_DATA or pass --data.\n")
    return options


def loader(folder):
    """Return the function that reads a data set by name."""
    spec = importlib.util.spec_from_file_location("load", Path(folder) / "load.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load


def cached(options, name, compute):
    """Return the arrays that a function computes, from the cache if they are there."""
    path = Path(options.cache) / f"{name}.npz"
    if not path.exists():
        if options.cached_only:
            return None
        arrays = compute()
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part.npz")
        np.savez(partial, **arrays)
        partial.rename(path)
        print(name, flush=True)
    with np.load(path) as file:
        return dict(file)


def over_seeds(options, topic, sets, variants, predict, measure):
    """Yield each set and variant with the mean of its figures over the seeds.

    `predict(data, variant, seed)` gives the arrays that are kept, `measure(data,
    arrays)` the figures. What lacks a seed in the cache is left out.
    """
    load = loader(options.data)
    for name in sets:
        data = load(name)
        for k, variant in enumerate(variants):
            found = [
                cached(
                    options,
                    f"{topic}_{name}_{k}_{seed}",
                    functools.partial(predict, data, variant, seed),
                )
                for seed in range(options.seeds)
            ]
            if all(arrays is not None for arrays in found):
                figures = [measure(data, arrays) for arrays in found]
                yield name, variant, np.mean(figures, axis=0)
