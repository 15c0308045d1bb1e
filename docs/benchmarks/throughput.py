"""Our training against others: the same steps, timed in turns."""

import sys
import warnings
from functools import partial

import numpy as np
import torch
from _page import in_turns, machine, table, write
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from skorch import NeuralNet
from torch.nn.functional import binary_cross_entropy_with_logits

from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.modules import MLP
from skimbalance.neural_network import ImbalancedNetClassifier

EPOCHS = 3
SIZES = {14: 20_000, 1_000: 20_000, 7_900: 4_000}  # rows, by the number of labels


def plain_loop(X, Y, batch_size, hidden, epochs=EPOCHS):
    """Train as a tutorial does: no validation, no reading of the loss."""
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
    """Draw as many labels."""
    return make_imbalanced_multilabel(
        n_rows or SIZES[n_labels], 100, n_labels, cardinality=2.0, random_state=0
    )


def against_the_plain_loop():
    """Yield the lines of the first table."""
    for n_labels in SIZES:
        X, Y = problem(n_labels)
        for batch_size in (128, 1024):
            for hidden in ((100,), (512, 256)):
                case = X, Y, batch_size, hidden
                sides = [partial(plain_loop, *case), partial(ours, *case)]
                plain, own = in_turns(sides, repeats=3)
                net = "-".join(map(str, hidden))
                line = [n_labels, net, batch_size, f"{plain / EPOCHS:.2f}"]
                yield [*line, f"{own / EPOCHS:.2f}", f"**{own / plain:.2f}**"]


def against_other_libraries():
    """Yield the lines of the second table."""
    others = (
        (14, skorch_net, "skorch `NeuralNet`, `DataLoader`"),
        (
            1_000,
            sklearn_mlp,
            "scikit-learn `MLPClassifier`",
        ),
    )
    for n_labels, other, name in others:
        case = *problem(n_labels), 128, (100,)
        sides = [partial(other, *case), partial(ours, *case)]
        theirs, own = in_turns(sides, repeats=3)
        line = [name, n_labels, f"{theirs / EPOCHS:.2f}", f"{own / EPOCHS:.2f}"]
        yield [*line, f"**{theirs / own:.1f}**"]


def on_a_gpu():
    """Return a paragraph on CUDA, where there is one."""
    if not torch.cuda.is_available():
        return "Not measured yet: there was no CUDA device on this machine."
    X, Y = problem(7_900, 40_000)
    device = torch.cuda.get_device_name()
    plain, own = in_turns([lambda: gpu_loop(X, Y), lambda: gpu_fit(X, Y)], repeats=3)
    return (
        f"{device}, 7,900 labels, batches of 1,024, bf16: **{plain / own:.2f}** of the "
        "samples a second of a plain loop with autocast whose data lie on the device."
    )


def gpu_loop(X, Y):
    """Train the plain loop with everything on the device."""
    X, Y = torch.from_numpy(X).cuda(), torch.from_numpy(Y).cuda()
    module = MLP(X.shape[1], Y.shape[1]).cuda()
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3, fused=True)
    for _ in range(EPOCHS):
        order = torch.randperm(len(X), device="cuda")
        for start in range(0, len(X), 1024):
            rows = order[start : start + 1024]
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cuda", torch.bfloat16):
                scores = module(X[rows])
                loss = binary_cross_entropy_with_logits(scores, Y[rows].float())
            loss.backward()
            optimizer.step()
    torch.cuda.synchronize()


def gpu_fit(X, Y):
    """Train the estimator in the same way."""
    ImbalancedNetClassifier(
        module_params={"dropout": 0.0},
        standardize=False,
        max_epochs=EPOCHS,
        batch_size=1024,
        precision="bf16",
        early_stopping=False,
        random_state=0,
    ).fit(X, Y)


def collected(lines):
    """Print lines as they come."""
    rows = []
    for line in lines:
        print(line, file=sys.stderr, flush=True)
        rows.append(line)
    return rows


def main():
    """Measure every size and write the page."""
    header = [
        "labels",
        "hidden",
        "batch",
        "plain loop, s/epoch",
        "`fit`, s/epoch",
        "ratio",
    ]
    first = table(header, collected(against_the_plain_loop()))
    header = ["against", "labels", "theirs, s/epoch", "`fit`, s/epoch", "times faster"]
    second = table(header, collected(against_other_libraries()))
    write(
        "throughput",
        f"""# Throughput

`fit` without early stopping against a hand-written torch loop (`randperm`, index, step;
no validation, no `.item()`): 100 features, 20,000 rows (4,000 at 7,900 labels), the
same module, fused AdamW, batch size and {EPOCHS} epochs in single precision. `fit`
includes its checks, the label counts and the history.

{first}

Against other libraries at equal epochs, one hidden layer of 100, batches of 128:

{second}

## On a GPU

{on_a_gpu()}

{machine()}
""",
    )


if __name__ == "__main__":
    main()
