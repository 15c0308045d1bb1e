"""Time and memory of the resamplers of label matrices, and mldr's figures beside."""

import json
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from _page import DATA, HERE, load, machine, peak_bytes, table, write

from skimbalance.exceptions import ResamplingWarning
from skimbalance.metrics import mean_imbalance_ratio
from skimbalance.over_sampling import LPROS, MLROS, MLSMOTE, MLSOL
from skimbalance.under_sampling import LPRUS, MLRUS, MLeNN

SAMPLERS = {
    "MLROS": MLROS(random_state=0),
    "MLSMOTE": MLSMOTE(random_state=0),
    "MLSOL": MLSOL(random_state=0),
    "MLeNN": MLeNN(),
}
RANDOM = LPROS, LPRUS, MLROS, MLRUS
ROWS = 1_000, 3_000, 10_000, 30_000
N_FEATURES, N_LABELS = 50, 20
REAL = (("MLSMOTE", "tmc2007_500"), ("MLeNN", "bibtex"))
SETS = "emotions", "birds", "yeast", "medical", "enron"
N_SEEDS = 20
# The faults of mldr.resampling 0.2.3 that explain the differences.
FAULTS = {
    "LPROS": "other numbers of copies; label sets grow beyond the mean size",
    "LPRUS": "other numbers of rows, rounded for each label set",
    "MLROS": "labels are never left out; labels with one row get copies of others",
    "MLRUS": "too few rows, drawn once among those without rare labels",
}


def problem(n_rows):
    """Draw dense rows in 20 clusters and long-tailed labels that follow them."""
    rng = np.random.default_rng(0)
    cluster = rng.integers(0, 20, n_rows)
    X = rng.normal(size=(20, N_FEATURES))[cluster]
    X = (X + rng.normal(size=X.shape)).astype(np.float32)
    rates = rng.random((20, N_LABELS)) * np.geomspace(0.5, 0.02, N_LABELS)
    return X, (rng.random((n_rows, N_LABELS)) < rates[cluster]).astype(np.int8)


def measure(name, X, Y):
    """Return processor seconds, extra megabytes, and the rows before and after."""
    SAMPLERS[name].fit_resample(*problem(300))  # imports and first calls
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew, on Linux
    before, start = peak_bytes(), time.process_time()
    X_new, _ = SAMPLERS[name].fit_resample(X, Y)
    seconds = time.process_time() - start
    figures = seconds, (peak_bytes() - before) / 2**20, X.shape[0], X_new.shape[0]
    print(name, figures, flush=True)
    return figures


def measure_alone(name, X, Y):
    """Return the same from a new process, which has no freed memory to use again."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure, name, X, Y).result()


def measure_real(name, data):
    """Return the same on a real set."""
    rows = load(data)
    return measure_alone(name, rows["X"], rows["Y"])


def plot(growth):
    """Draw seconds and megabytes over the rows, a line for each sampler."""
    units = "processor seconds", "extra memory, MB"
    figure, axes = plt.subplots(1, 2, figsize=(8.5, 3.6), layout="constrained")
    for ax, place, unit in zip(axes, (0, 1), units, strict=True):
        for (name, values), marker in zip(growth.items(), "os^D", strict=True):
            ax.plot(ROWS, [row[place] for row in values], marker=marker, label=name)
        ax.set(xlabel="rows", ylabel=unit, xlim=(0, None), ylim=(0, None))
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes[0].legend(frameon=False)
    figure.savefig(HERE / "resampling.png", dpi=120)


def after(sampler, Y, percent):
    """Return the rows and the mean imbalance ratio after, each a mean over seeds."""
    rows, ratios = [], []
    for seed in range(N_SEEDS):
        made = sampler(sampling_strategy=percent / 100, random_state=seed)
        _, Y_new = made.fit_resample(np.zeros((Y.shape[0], 1)), Y)
        rows.append(Y_new.shape[0])
        ratios.append(mean_imbalance_ratio(Y_new))
    return np.mean(rows), np.mean(ratios)


def compare():
    """Return lines of our figures beside those of mldr.resampling."""
    path = DATA.parent / "reference" / "resampling.json"
    sets = json.loads(path.read_text())["sets"]
    lines = []
    for sampler in RANDOM:
        for name in SETS:
            Y = load(name)["Y"]
            for percent in (10, 25):
                entry = sets[name]["random"][f"{sampler.__name__}_P{percent}"]
                stats = entry["stats"]
                rows, ratio = after(sampler, Y, percent)
                lines.append(
                    [
                        sampler.__name__,
                        name,
                        f"{percent} %",
                        f"{rows:.0f}",
                        f"{stats['rows']['mean']:.0f}",
                        f"{ratio:.2f}",
                        f"{stats['meanIR_pos']['mean']:.2f}",
                    ]
                )
    return lines


def main():
    """Measure, draw and write the page."""
    warnings.simplefilter("ignore", ResamplingWarning)
    real = [(*pair, *measure_real(*pair)) for pair in REAL]
    growth = {
        name: [measure_alone(name, *problem(n)) for n in ROWS] for name in SAMPLERS
    }
    plot(growth)
    shown = [
        [f"`{name}`", data, f"{n:,}", f"{m:,}", f"{s:.1f}", f"{mb:.0f}"]
        for name, data, s, mb, n, m in real
    ]
    sizes = [
        [f"{n:,}", *(f"{v[k][0]:.2f} / {v[k][1]:.0f}" for v in growth.values())]
        for k, n in enumerate(ROWS)
    ]
    faults = "\n".join(f"- `{name}`: {fault}." for name, fault in FAULTS.items())
    header = ["sampler", "set", "fraction", "rows", "rows, mldr", "MeanIR"]
    write(
        "resampling",
        f"""# Resampling

## Time and memory

Processor time of one `fit_resample` on one thread, since the machine had other load,
and the peak memory beyond the data and the libraries. Both sets have sparse rows.

{table(["sampler", "set", "rows", "rows after", "seconds", "MB"], shown)}

On {N_FEATURES} dense columns and {N_LABELS} labels, processor seconds / MB:

![Time and memory over rows](resampling.png)

{table(["rows", *growth], sizes)}

Distances of all pairs of rows take a time that grows with the square of the rows, but
only 64 MB of them, with copies, are held at a time; beyond 20,000 dense rows
scikit-learn's search takes over. `MLSMOTE` compares the rows of one rare label at a
time, and `MLROS` none. `MLTL` and `MLUL` search as `MLeNN` and `MLSOL` do.

{machine()}

## Beside mldr.resampling

Rows and the mean imbalance ratio after resampling, means of {N_SEEDS} seeds, beside the
R package mldr.resampling 0.2.3. The rows are those that the papers define: the fraction
that was asked for, unless no label or label set is left to resample. The differences
come from what the package does otherwise:

{faults}

{table([*header, "MeanIR, mldr"], compare())}
""",
    )


if __name__ == "__main__":
    main()
