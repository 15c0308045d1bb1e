"""The seed problem: 80,000 rows, 7,900 labels, 130 positives a row, on two cores.

Each method trains in a process of its own, so that its peak memory is its own, and its
figures are kept in a cache: an interrupted run goes on where it stopped.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import torch
from _page import DATA, load, machine, peak_bytes, reset_peak, table, write
from scipy.special import expit
from torch.nn.functional import binary_cross_entropy_with_logits

from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.metrics import (
    expected_observed_ratio,
    multilabel_average_precision_score,
    predicted_observed_ratio,
)
from skimbalance.model_selection import multilabel_train_test_split
from skimbalance.modules import MLP
from skimbalance.neural_network import ImbalancedMLPClassifier

BATCH, HIDDEN, DROPOUT = 256, (512, 256), 0.5
METHODS = {
    "log loss": {},
    "balanced": {"pos_weight": "balanced"},
    "sqrt": {"pos_weight": "sqrt"},
    "focal": {"loss": "focal"},
    "focal, lr 3e-4": {"loss": "focal", "lr": 3e-4},
    "asymmetric": {"loss": "asymmetric"},
    "asymmetric, lr 3e-4": {"loss": "asymmetric", "lr": 3e-4},
    "hard negatives": {"loss": "hard_negatives"},
}
PLAIN_RATES = "1e-3", "3e-3", "3e-4"
COLUMNS = (
    "macro AP",
    "micro AP",
    "log-loss",
    "expected / observed",
    "predicted / observed at 0.5",
    "at matched prevalence",
    "s/epoch",
)


# ----------------------------------------------------------------------------- the data


def generate(folder, n_rows, n_test=16_000, n_valid=2_000):
    """Draw the seed problem and keep its parts as files."""
    X, Y, posterior = make_imbalanced_multilabel(
        n_rows,
        512,
        7_900,
        cardinality=130,
        imbalance_ratio=15,
        sparse=True,
        return_posterior=True,
        random_state=0,
    )
    edges = [0, n_rows - n_test - n_valid, n_rows - n_test, n_rows]
    for name, start, stop in zip(PARTS, edges[:-1], edges[1:], strict=True):
        keep(folder, name, X[start:stop], Y[start:stop])
    np.save(folder / "posterior.npy", posterior[-n_test:])


def split_real(folder, _):
    """Split a real data set in the same way."""
    data = load("go_vertebrate_bp")
    X, Y = data["X"], data["Y"]
    X, X_test, Y, Y_test = multilabel_train_test_split(
        X, Y, stratify=Y, test_size=0.2, random_state=0
    )
    X, X_valid, Y, Y_valid = multilabel_train_test_split(
        X, Y, stratify=Y, test_size=0.1, random_state=0
    )
    parts = (X, Y), (X_valid, Y_valid), (X_test, Y_test)
    for part, arrays in zip(PARTS, parts, strict=True):
        keep(folder, part, *arrays)


PARTS = "train", "valid", "test"


def keep(folder, name, X, Y):
    """Save one part."""
    for letter, array in (("X", X), ("Y", Y)):
        if sp.issparse(array):
            sp.save_npz(folder / f"{letter}_{name}.npz", array, compressed=False)
        else:
            np.save(folder / f"{letter}_{name}.npy", array)


def read(folder, name):
    """Return inputs and labels of one part."""
    return [read_array(folder / f"{letter}_{name}") for letter in "XY"]


def read_array(path):
    """Return a dense or a sparse array."""
    dense = path.with_suffix(".npy")
    if dense.exists():
        return np.load(dense)
    return sp.csr_array(sp.load_npz(path.with_suffix(".npz")))


# -------------------------------------------------------------------------- the figures


def log_loss(Y, proba):
    """Return the mean log-loss of an entry."""
    total = 0.0
    for start in range(0, len(proba), 1000):
        rows = slice(start, start + 1000)
        p = proba[rows].astype(np.float64).clip(1e-12, 1 - 1e-12)
        log_odds = Y[rows].multiply(np.log(p) - np.log1p(-p))
        total -= np.log1p(-p).sum() + log_odds.sum()
    return total / proba.size


def judge(folder, proba, valid_proba):
    """Return the figures of a line; validation rows set the matched thresholds."""
    Y = read(folder, "test")[1]
    rates = np.asarray(read(folder, "train")[1].mean(axis=0)).ravel()
    columns = zip(valid_proba.T, rates, strict=True)
    matched = np.array([np.quantile(column, 1 - rate) for column, rate in columns])
    score = multilabel_average_precision_score
    values = (
        score(Y, proba),
        score(Y, proba, average="micro"),
        log_loss(Y, proba),
        expected_observed_ratio(Y, proba),
        predicted_observed_ratio(Y, proba > 0.5),
        predicted_observed_ratio(Y, proba > matched),
    )
    return dict(zip(COLUMNS, map(float, values), strict=False))


def array_bytes(array):
    """Return what an array holds."""
    if sp.issparse(array):
        return array.data.nbytes + array.indices.nbytes + array.indptr.nbytes
    return array.nbytes


def needed_bytes(X, Y):
    """Return X, Y, the parameters with optimizer state, and a batch's activations."""
    module = MLP(X.shape[1], Y.shape[1], HIDDEN)
    parameters = sum(p.numel() for p in module.parameters())
    # Scores, targets, value and gradient of the loss, and the gradient of the scores.
    activations = 5 * Y.shape[1] + 4 * sum(HIDDEN) + X.shape[1]
    return array_bytes(X) + array_bytes(Y) + 4 * (4 * parameters + BATCH * activations)


# -------------------------------------------------------------------------- the methods


def run_oracle(folder):
    """Judge the true posterior, whose thresholds come from the test rows."""
    posterior = np.load(folder / "posterior.npy")
    return {"oracle": judge(folder, posterior, posterior)}


def estimator(method, epochs):
    """Return what trains like the plain loop does."""
    return ImbalancedMLPClassifier(
        HIDDEN,
        dropout=DROPOUT,
        batch_size=BATCH,
        max_epochs=epochs,
        random_state=0,
        **METHODS[method],
    )


def run_memory(folder):
    """Measure the peak memory of `fit`."""
    X_val, Y_val = (array[:1000] for array in read(folder, "valid"))
    # The libraries' own code and buffers are no part of a problem's memory.
    estimator("log loss", 1).fit(X_val[:300], Y_val[:300, :50])
    before = reset_peak()
    X, Y = read(folder, "train")
    estimator("log loss", 2).fit(X, Y, X_val=X_val, y_val=Y_val)
    needed = needed_bytes(X, Y)
    return {"ratio": (peak_bytes() - before) / needed, "megabytes": needed / 1e6}


def run_ours(folder, method, epochs):
    """Fit the estimator; return one line, or two where weights are corrected."""
    X, Y = read(folder, "train")
    X_val, Y_val = read(folder, "valid")
    net = estimator(method, epochs).fit(X, Y, X_val=X_val, y_val=Y_val)
    seconds = float(np.median([epoch["seconds"] for epoch in net.history_]))
    common = {"s/epoch": seconds, "epochs": net.n_iter_}
    inputs = read(folder, "test")[0], X_val
    lines = {method: judge(folder, *map(net.predict_proba, inputs)) | common}
    if method == "balanced":
        raw = judge(folder, *(raw_proba(net, X) for X in inputs))
        lines["balanced, not corrected"] = raw | common
    return lines


def raw_proba(net, X):
    """Return the sigmoid of the raw scores: take back calibration and weights."""
    scores, fitted = net.decision_function(X), net.calibrator_
    scores -= np.asarray(fitted.intercept_, dtype=scores.dtype)
    scores /= np.asarray(fitted.slope_, dtype=scores.dtype)
    scores += np.log(net.pos_weight_).astype(scores.dtype)
    return expit(scores, out=scores)


def dense(rows):
    """Return rows as a float tensor."""
    rows = rows.toarray() if sp.issparse(rows) else rows
    return torch.from_numpy(rows).float()


def plain_proba(module, X):
    """Predict as a plain loop does."""
    module.eval()
    starts = range(0, X.shape[0], 1024)
    with torch.no_grad():
        parts = [module(dense(X[at : at + 1024])).sigmoid() for at in starts]
    module.train()
    return torch.cat(parts).numpy()


def plain_epoch(module, optimizer, X, Y, pos_weight):
    """Take one step a batch, as a tutorial does."""
    order = torch.randperm(X.shape[0]).numpy()
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        optimizer.zero_grad(set_to_none=True)
        loss = binary_cross_entropy_with_logits(
            module(dense(X[rows])), dense(Y[rows]), pos_weight=pos_weight
        )
        loss.backward()
        optimizer.step()


def run_plain(folder, rate, epochs):
    """Train the plain loop; take the epoch that is best on the validation rows."""
    X, Y = read(folder, "train")
    X_val, Y_val = read(folder, "valid")
    positive = np.asarray(Y.sum(axis=0)).ravel()
    pos_weight = dense((X.shape[0] - positive) / np.maximum(positive, 1))
    torch.manual_seed(0)
    module = MLP(X.shape[1], Y.shape[1], HIDDEN, dropout=DROPOUT)
    optimizer = torch.optim.AdamW(module.parameters(), lr=float(rate), fused=True)
    best, seconds, state = -1.0, [], None
    for _ in range(epochs):
        start = time.perf_counter()
        plain_epoch(module, optimizer, X, Y, pos_weight)
        seconds.append(time.perf_counter() - start)
        score = multilabel_average_precision_score(Y_val, plain_proba(module, X_val))
        if score > best:
            best = score
            state = {key: value.clone() for key, value in module.state_dict().items()}
    module.load_state_dict(state)
    inputs = read(folder, "test")[0], X_val
    figures = judge(folder, *(plain_proba(module, X) for X in inputs))
    extra = {"s/epoch": float(np.median(seconds)), "valid": best, "epochs": epochs}
    return {f"plain loop, lr {rate}": figures | extra}


def run(folder, method, epochs):
    """Run one method in this process."""
    if method == "oracle":
        return run_oracle(folder)
    if method == "memory":
        return run_memory(folder)
    if method in METHODS:
        return run_ours(folder, method, epochs)
    return run_plain(folder, method, epochs)


# ----------------------------------------------------------------------------- the page


def measured(folder, method, epochs):
    """Return the figures of a method, from the cache or from a process of its own."""
    file = folder / f"{method}-{epochs}.json"
    if not file.exists():
        own = [sys.executable, __file__, "--folder", folder, "--epochs", epochs]
        subprocess.run([*map(str, own), "--method", method], check=True)
    figures = json.loads(file.read_text())
    print(method, figures, flush=True)
    return figures


def shown(figures):
    """Format the figures of a line."""
    digits = {"log-loss": 4, "s/epoch": 1}
    return [
        f"{figures[c]:.{digits.get(c, 3)}f}" if c in figures else "" for c in COLUMNS
    ]


def section(title, folder, epochs, methods):
    """Measure a problem; return a heading and a table."""
    methods = [*methods, *PLAIN_RATES]
    if (folder / "posterior.npy").exists():
        methods.insert(0, "oracle")
    lines = {}
    for method in methods:
        lines |= measured(folder, method, epochs)
    memory = measured(folder, "memory", epochs)
    return f"""## {title}

{table(["method", *COLUMNS], [[name, *shown(lines[name])] for name in lines])}

Peak memory: **{memory["ratio"]:.2f}** times {memory["megabytes"]:.0f} MB.
"""


def arguments():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=80_000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "skimbalance-seed"
    )
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--method", help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    """Measure what is not in the cache, and write the page."""
    given = arguments()
    if given.method:
        lines = run(given.folder, given.method, given.epochs)
        file = given.folder / f"{given.method}-{given.epochs}.json"
        file.write_text(json.dumps(lines))
        return
    problems = {f"{given.rows:,} x 512, 7,900 labels": ("seed", generate)}
    if DATA.exists():
        problems["go_vertebrate_bp, 4,962 labels"] = ("go", split_real)
    sections = []
    for title, (name, make) in problems.items():
        folder = given.cache / f"{name}-{given.rows}"
        if not any(folder.glob("Y_test.*")):
            folder.mkdir(parents=True, exist_ok=True)
            make(folder, given.rows)
        sections.append(section(title, folder, given.epochs, given.methods))
    write(
        "seed_problem",
        f"""# The seed problem

{given.rows:,} rows of 512 inputs, 7,900 labels of which 130 are positive, base rates
from 0.3 % to 4.8 %, drawn with a known posterior; 16,000 rows are held out for the
table and 2,000 for choosing the epoch and the thresholds. All methods train the same
multilayer perceptron ({" and ".join(map(str, HIDDEN))} hidden units, dropout {DROPOUT})
with fused AdamW on batches of {BATCH}, for {given.epochs} epochs, and keep the epoch
that is best on the validation rows: the plain loop by macro average precision, ours by
the default criterion, which is that score, or, where the validation rows have fewer
than three positives of most labels as in the second table, the log-loss of
probabilities. The plain loop is `BCEWithLogitsLoss(pos_weight=neg / pos)` at three
learning rates; ours keep the default, 1e-3. A step of the score of a focal or an
asymmetric loss is a larger step of the log-odds, so these are shown at a smaller rate,
too. *At matched prevalence* is predicted over observed positives with the threshold of
each label that as many validation rows exceed as its base rate requires. Methods run
one after another, so seconds per epoch depend on the other load of the machine;
[throughput](throughput.md) compares in turns. No loss here [samples random
negatives](loss_cost.md#random-negatives).

Peak memory is that of `fit` with 1,000 rows held out, beyond what the libraries take by
themselves, over the sum of the training inputs, their CSR labels, the parameters with
gradient and optimizer state, and the activations of a batch.

{chr(10).join(sections)}

{machine()}
""",
    )


if __name__ == "__main__":
    main()
