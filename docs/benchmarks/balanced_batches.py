"""Balanced batches: the cost of a step, and whether weights correct the shift.

python balanced_batches.py [--results FILE] [--minutes M] [--parts cost paired]

Results are kept in a file as they come, and a run goes on where the last one ended.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from _page import load, machine, table, write

from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.metrics import (
    expected_observed_ratio,
    multilabel_average_precision_score,
    multilabel_log_loss,
)
from skimbalance.model_selection import multilabel_train_test_split
from skimbalance.neural_network import ImbalancedMLPClassifier, LabelAwareBatches

# Enough epochs that the steps, and not what comes before them, take the time.
SEEDS, REPEATS, EPOCHS = 10, 5, 10
RESULTS = Path(tempfile.gettempdir()) / "balanced_batches.json"
SAMPLERS = {
    "plain": None,
    "label-aware": "label_aware",
    "label-aware, corrected": LabelAwareBatches(correct=True),
}
MEASURES = {
    "log_loss": lambda y, p: multilabel_log_loss(y, p, average="micro"),
    "expected_observed": expected_observed_ratio,
    "average_precision": multilabel_average_precision_score,
}


def few_labels():
    """Return generated rows of which most have no label."""
    X, Y = make_imbalanced_multilabel(
        1500, 20, 15, cardinality=0.4, imbalance_ratio=15, random_state=0
    )
    return {"X": X, "Y": Y}


SETS = {"birds": lambda: load("birds"), "few labels": few_labels}


def measure_cost(results):
    """Time fits of 1,000 labels in turns, by the time of the processor."""
    X, Y = make_imbalanced_multilabel(
        4000, 100, 1000, cardinality=5.0, imbalance_ratio=100, random_state=0
    )
    for n_members in (1, 5):
        if _cost_key(n_members) in results:
            continue
        times = {name: [] for name in SAMPLERS}
        for repeat in range(REPEATS + 1):
            for name, sampler in SAMPLERS.items():
                net = ImbalancedMLPClassifier(
                    (128,),
                    batch_sampler=sampler,
                    batch_size=128,
                    cross_fit=n_members > 1,
                    n_members=n_members,
                    max_epochs=EPOCHS,
                    correct_probabilities=False,
                    scoring="loss",
                    precision="32",
                    random_state=0,
                )
                start = time.process_time()
                net.fit(X, Y)
                if repeat:  # the first one warms up
                    times[name].append(time.process_time() - start)
        results[_cost_key(n_members)] = {
            name: statistics.median(column) for name, column in times.items()
        }
        yield


def _cost_key(n_members):
    """Return the key of a cost, which results of other lengths do not have."""
    return f"cost {n_members}, {EPOCHS} epochs"


def measure_paired(results):
    """Train with and without corrected batches on the same splits, seed by seed."""
    for name, read in SETS.items():
        data = read()
        for seed in range(SEEDS):
            key = f"paired {name} {seed}"
            if key in results:
                continue
            parts = multilabel_train_test_split(
                data["X"],
                data["Y"],
                stratify=data["Y"],
                test_size=0.3,
                random_state=seed,
            )
            results[key] = {
                sampler: _scores(SAMPLERS[sampler], *parts, seed)
                for sampler in ("plain", "label-aware, corrected", "label-aware")
            }
            yield


def _scores(sampler, X, X_test, Y, Y_test, seed):
    net = ImbalancedMLPClassifier(batch_sampler=sampler, random_state=seed).fit(X, Y)
    proba = net.predict_proba(X_test)
    scores = {name: float(score(Y_test, proba)) for name, score in MEASURES.items()}
    return scores | {"effective": net.effective_batch_size_}


def _cost_rows(results):
    for n_members, kind in ((1, "one net"), (5, "five members")):
        times = results[_cost_key(n_members)]
        ratios = [times[name] / times["plain"] for name in SAMPLERS]
        yield [kind, *(f"{ratio:.2f}" for ratio in ratios)]


def _paired_rows(results):
    for name in SETS:
        runs = [v for k, v in results.items() if k.startswith(f"paired {name} ")]
        for sampler in ("label-aware, corrected", "label-aware"):
            cells = [name, sampler]
            for measure in MEASURES:
                plain, drawn = (
                    np.array([run[which][measure] for run in runs])
                    for which in ("plain", sampler)
                )
                error = (drawn - plain).std(ddof=1) / len(runs) ** 0.5
                cells += [
                    f"{plain.mean():.4f}",
                    f"{(drawn - plain).mean():+.4f} ({error:.4f})",
                ]
            yield cells


def _is_complete(results):
    """Return whether all figures of the page are there."""
    keys = [_cost_key(n_members) for n_members in (1, 5)]
    keys += [f"paired {name} {seed}" for name in SETS for seed in range(SEEDS)]
    return all(key in results for key in keys)


def write_page(results):
    """Write the page from the results."""
    cost = table(["", *SAMPLERS], list(_cost_rows(results)))
    header = ["set", "batches", "log-loss, plain", "difference (s.e.)"]
    header += [
        "E/O, plain",
        "difference (s.e.)",
        "macro AP, plain",
        "difference (s.e.)",
    ]
    paired = table(header, list(_paired_rows(results)))
    fractions = {
        name: np.mean(np.asarray(read()["Y"].sum(axis=1)).ravel() == 0)
        for name, read in SETS.items()
    }
    unlabelled = ", ".join(f"{100 * v:.0f} % of {k}" for k, v in fractions.items())
    write(
        "balanced_batches",
        f"""# Balanced batches

## What a step costs

Time of the processor of a `fit` of {EPOCHS} epochs with a batch sampler, over that of
plain batches: 1,000 labels, 4,000 rows, one hidden layer of 128 units, batches of 128.
The rows of an epoch are drawn at once, so that a step does the same.

{cost}

## Whether weights correct the shift

`LabelAwareBatches(correct=True)` weighs the drawn rows so that the expected gradient is
that of plain batches. {SEEDS} seeds of the split and the net, the same for both; means,
and differences with their standard errors. Rows without a label: {unlabelled}. Below
each, the same draws without weights, calibrated on held-out rows.

{paired}

{machine()}
""",
    )


def main():
    """Measure what is missing, and write the page when all is there."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--minutes", type=float, default=np.inf)
    parser.add_argument("--parts", nargs="+", default=["cost", "paired"])
    given, start = parser.parse_args(), time.monotonic()
    file = given.results
    results = json.loads(file.read_text()) if file.exists() else {}
    parts = {"cost": measure_cost, "paired": measure_paired}
    for part in given.parts:
        for _ in parts[part](results):
            file.write_text(json.dumps(results, indent=1))
            if time.monotonic() - start > 60 * given.minutes:
                return
    if _is_complete(results):
        write_page(results)


if __name__ == "__main__":
    main()
