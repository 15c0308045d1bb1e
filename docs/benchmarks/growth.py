"""How time and memory grow with the rows and with the labels."""

import json
import subprocess
import sys
import time

import matplotlib.pyplot as plt
import numpy as np
import scipy.sparse as sp
from _page import HERE, machine, peak_bytes, table, write
from matplotlib.ticker import MaxNLocator

from skimbalance.neural_network import ImbalancedMLPClassifier

N_FEATURES, CARDINALITY, HIDDEN, BATCH, EPOCHS = 128, 20, (256,), 256, 2
ROWS = 10_000, 20_000, 40_000, 80_000, 160_000
LABELS = 500, 1_000, 2_000, 4_000, 8_000, 16_000
FEWEST = ROWS[0], LABELS[0]


def problem(n_rows, n_labels):
    """Draw inputs and labels that are independent of each other."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, N_FEATURES)).astype(np.float32)
    indices = rng.integers(0, n_labels, n_rows * CARDINALITY).astype(np.int32)
    indptr = np.arange(0, len(indices) + 1, CARDINALITY)
    Y = sp.csr_array(
        (np.ones(len(indices), dtype=np.int8), indices, indptr),
        shape=(n_rows, n_labels),
    )
    Y.sum_duplicates()
    Y.data[:] = 1
    return X, Y


def fit(X, Y):
    """Train without a validation part: time and memory of the training itself."""
    return ImbalancedMLPClassifier(
        HIDDEN,
        batch_size=BATCH,
        max_epochs=EPOCHS,
        early_stopping=False,
        standardize=True,
        random_state=0,
    ).fit(X, Y)


def measure(n_rows, n_labels):
    """Return processor seconds an epoch and megabytes beyond the libraries' own."""
    fit(*problem(300, 50))
    before = peak_bytes()
    X, Y = problem(n_rows, n_labels)
    start = time.process_time()
    fit(X, Y)
    seconds = (time.process_time() - start) / EPOCHS
    return seconds, (peak_bytes() - before) / 2**20


def in_a_process(n_rows, n_labels):
    """Return the same, measured in a process of its own."""
    own = [sys.executable, __file__, str(n_rows), str(n_labels)]
    done = subprocess.run(own, check=True, capture_output=True, text=True)
    figures = json.loads(done.stdout)
    print(n_rows, n_labels, figures, flush=True)
    return figures


def plot(by_rows, by_labels):
    """Draw both figures over both sizes, with the line through them."""
    figure, axes = plt.subplots(2, 2, figsize=(8, 5.5), layout="constrained")
    names = (f"rows (of {FEWEST[1]:,} labels)", f"labels (of {FEWEST[0]:,} rows)")
    for column, (sizes, values) in enumerate(((ROWS, by_rows), (LABELS, by_labels))):
        for row, unit in enumerate(("processor seconds an epoch", "peak memory, MB")):
            ax, measured = axes[row, column], np.array(values)[:, row]
            slope, start = np.polyfit(sizes, measured, 1)
            ax.plot(sizes, start + slope * np.array(sizes), color="0.7")
            ax.plot(sizes, measured, "o")
            ax.set(xlabel=names[column], ylabel=unit, xlim=(0, None), ylim=(0, None))
            ax.xaxis.set_major_locator(MaxNLocator(5))
            ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    figure.savefig(HERE / "growth.png", dpi=120)


def straightness(sizes, values):
    """Return the fraction of the variance that a straight line explains."""
    return np.corrcoef(sizes, values)[0, 1] ** 2


def lines(sizes, values):
    """Return a table of sizes, seconds and megabytes."""
    pairs = zip(sizes, values, strict=True)
    return [[f"{n:,}", f"{s:.2f}", f"{m:.0f}"] for n, (s, m) in pairs]


def main():
    """Measure, draw and write the page."""
    by_rows = [in_a_process(n, FEWEST[1]) for n in ROWS]
    by_labels = [in_a_process(FEWEST[0], n) for n in LABELS]
    plot(by_rows, by_labels)
    squares = [
        straightness(sizes, np.array(values)[:, column])
        for sizes, values in ((ROWS, by_rows), (LABELS, by_labels))
        for column in (0, 1)
    ]
    shown = ", ".join(f"{square:.3f}" for square in squares)
    header = ["s/epoch", "peak, MB"]
    write(
        "growth",
        f"""# Growth

`fit` of a net with {HIDDEN[0]} hidden units on {N_FEATURES} inputs, CSR labels with
{CARDINALITY} positives a row, batches of {BATCH}. Each size runs in a process of its
own. Time is processor time of `fit`, checks included, over the number of epochs: the
machine had other load. Memory is what `fit` and its data take beyond the libraries
themselves.

![Time and memory over rows and labels](growth.png)

Straight lines explain these fractions of the variance (time and memory over rows, time
and memory over labels): {shown}.

{table(["rows", *header], lines(ROWS, by_rows))}

{table(["labels", *header], lines(LABELS, by_labels))}

{machine()}
""",
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(*map(int, sys.argv[1:]))))
    else:
        main()
