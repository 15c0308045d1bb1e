"""Our training against others: the same steps, timed in turns.

Lines are kept in a cache, so that an interrupted run goes on where it stopped.
"""

import json
import os
import sys
import tempfile
import warnings
from functools import partial
from itertools import chain, product
from pathlib import Path

import numpy as np
import torch
from _page import in_turns, machine, table, write
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from skorch import NeuralNet
from threadpoolctl import threadpool_limits
from torch.nn.functional import binary_cross_entropy_with_logits

from skimbalance.modules import MLP
from skimbalance.neural_network import ImbalancedNetClassifier

EPOCHS = 5
SIZES = {14: 20_000, 1_000: 20_000, 7_900: 2_048}  # rows, by the number of labels
THREADS = sorted({1, os.cpu_count()})
CACHE = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())


def plain_loop(X, Y, batch_size, hidden, epochs=EPOCHS):
    """Train as tutorials do: no validation, no reading of the loss."""
    X, Y = torch.from_numpy(X), torch.from_numpy(Y).float()
    module = MLP(X.shape[1], Y.shape[1], hidden)
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3, fused=True)
    for _ in range(epochs):
        order = torch.randperm(len(X))
        for start in range(0, len(X), batch_size):
            rows = order[start : start + batch_size]
            optimizer.zero_grad(set_to_none=True)
            loss = binary_cross_entropy_with_logits(module(X[rows]), Y[rows])
            loss.backward()
            optimizer.step()


def ours(X, Y, batch_size, hidden, epochs=EPOCHS):
    """Train the estimator for as many epochs on the same batches."""
    ImbalancedNetClassifier(
        module_params={"hidden_layer_sizes": hidden, "dropout": 0.0},
        standardize=False,
        max_epochs=epochs,
        batch_size=batch_size,
        precision="32",
        early_stopping=False,
        random_state=0,
    ).fit(X, Y)


def skorch_net(X, Y, batch_size, hidden, epochs=EPOCHS):
    """Train skorch's own net, with its data loader."""
    NeuralNet(
        MLP,
        torch.nn.BCEWithLogitsLoss,
        module__n_features=X.shape[1],
        module__n_outputs=Y.shape[1],
        module__hidden_layer_sizes=hidden,
        optimizer=torch.optim.AdamW,
        optimizer__fused=True,
        lr=1e-3,
        max_epochs=epochs,
        batch_size=batch_size,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    ).fit(X, Y.astype(np.float32))


def sklearn_mlp(X, Y, batch_size, hidden, epochs=EPOCHS):
    """Train scikit-learn's net."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        MLPClassifier(
            hidden,
            batch_size=batch_size,
            max_iter=epochs,
            tol=0.0,
            n_iter_no_change=epochs,
            random_state=0,
        ).fit(X, Y)


def problem(n_labels, n_rows=None):
    """Draw inputs, and labels with two positives a row that do not depend on them."""
    rng, n_rows = np.random.default_rng(0), n_rows or SIZES[n_labels]
    X = rng.normal(size=(n_rows, 100)).astype(np.float32)
    Y = (rng.random((n_rows, n_labels)) < 2 / n_labels).astype(np.int8)
    Y[0] = 1  # no label without a positive, which would not be trained
    return X, Y


def in_cache(key, sides):
    """Return the medians of both sides, measured now or earlier."""
    file = CACHE / f"{key}-{torch.get_num_threads()}.json"
    if not file.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(in_turns(sides(), repeats=5)))
    print(file.stem, file.read_text(), flush=True)
    return json.loads(file.read_text())


def over_threads(line):
    """Return ``line()`` with one thread, and with all cores."""
    for threads in THREADS:
        torch.set_num_threads(threads)
        with threadpool_limits(threads):
            yield line()


def against_the_plain_loop():
    """Return the lines of the first table."""
    cases = product(SIZES, ((100,), (512, 256)), (128, 256, 1024))
    return [line_of(*case) for case in cases]


def line_of(n_labels, hidden, batch):
    """Return a line of the first table."""

    def sides():
        case = *problem(n_labels), batch, hidden
        return partial(plain_loop, *case), partial(ours, *case)

    def times():
        plain, own = in_cache(f"plain-{n_labels}-{net}-{batch}", sides)
        return f"{1000 * own / EPOCHS:.0f}", f"**{own / plain:.2f}**"

    net = "-".join(map(str, hidden))
    return [n_labels, net, batch, *chain.from_iterable(over_threads(times))]


def against(name, n_labels, other, dtype=np.float32):
    """Return a line of the second table."""

    def sides():
        X, Y = problem(n_labels)
        case = X.astype(dtype), Y, 128, (100,)
        return partial(other, *case), partial(ours, *case)

    def times():
        theirs, own = in_cache(key, sides)
        return f"{1000 * theirs / EPOCHS:.0f}", f"**{theirs / own:.1f}**"

    key = f"{other.__name__}-{n_labels}-{np.dtype(dtype).name}"
    return [name, n_labels, *chain.from_iterable(over_threads(times))]


def with_onednn():
    """Return how many times faster products by oneDNN make us, by threads."""

    def sides():
        case = *problem(1_000), 256, (512, 256)

        def train(precision):
            torch.set_float32_matmul_precision(precision)
            ours(*case)

        return partial(train, "highest"), partial(train, "medium")

    def ratio():
        plain, own = in_cache("onednn", sides)
        torch.set_float32_matmul_precision("highest")
        return f"{plain / own:.2f}"

    return " and ".join(over_threads(ratio))


def main():
    """Measure every size and write the page."""
    others = [
        against("skorch `NeuralNet` with a `DataLoader`", 14, skorch_net),
        against("scikit-learn `MLPClassifier`", 1_000, sklearn_mlp),
        against(
            "the same, float64 `X`, on which it computes in float64",
            1_000,
            sklearn_mlp,
            np.float64,
        ),
    ]
    by_threads = [f"{n} thread{'s' * (n > 1)}" for n in THREADS]
    header = ["labels", "hidden", "batch"]
    header += chain.from_iterable((f"ms/epoch, {n}", "ratio") for n in by_threads)
    first = table(header, against_the_plain_loop())
    header = ["against", "labels"]
    header += chain.from_iterable((f"ms/epoch, {n}", "times") for n in by_threads)
    second = table(header, others)
    write(
        "throughput",
        f"""# Throughput

`fit` without early stopping against a hand-written torch loop (`randperm`, index, step;
no validation, no `.item()`): 100 features, 20,000 rows (2,048 at 7,900 labels), the
same module, fused AdamW, batch size and {EPOCHS} epochs in single precision. `fit`
includes its checks, the label counts and the history. Milliseconds are those of `fit`;
the ratio is `fit` over the loop.

{first}

With 14 labels and one hidden layer of 100, the time of a step is mostly the overhead of
torch's calls. `fit` has one more group of parameters: its optimizer decays the weights
and not the output bias.

Against other libraries at equal epochs, one hidden layer of 100, batches of 128.
Milliseconds are those of the other library; *times* is how many times faster `fit` is.

{second}

## Products on AMD processors

The matrix products of torch come from MKL, which does not use all instructions of some
AMD processors. `torch.set_float32_matmul_precision("medium")` sends them to oneDNN. On
this machine that makes `fit` {with_onednn()} times faster ({" and ".join(by_threads)},
1,000 labels, hidden layers of 512 and 256, batches of 256), with the same losses to
seven digits. Where a processor multiplies bfloat16 faster, oneDNN rounds to that.

[](gpu.md) has the same comparison on a CUDA device.

{machine()}
""",
    )


if __name__ == "__main__":
    main()
