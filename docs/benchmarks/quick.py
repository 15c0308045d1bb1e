"""Compare ratios of times that the pages quote with bounds, in a few minutes.

Run by ``make bench-quick``. Prints a table, and exits with 1 where a ratio is above its
bound. Each ratio is the processor time of ours over that of the other side, taken in
turns on one thread, so that other work of the machine changes it little.

A bound is 1.4 times the ratio that was measured when it was written. In three runs next
to other work of the machine, the ratios were 0.83 to 1.13 times the middle one. Other
processors were not tried: compare with a run of the commit before the change there.
"""

import statistics
import sys
import time
from functools import partial

import loss_cost
import members
import metrics_speed
import sparse_input
import stratification
import throughput
import torch
from sklearn.metrics import average_precision_score
from threadpoolctl import threadpool_limits

from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.losses import FocalLoss, LogLoss
from skimbalance.metrics import multilabel_average_precision_score
from skimbalance.thresholds import tune_thresholds

SLACK = 1.4
EPOCHS = 3


def fit_against(other, n_labels, n_rows, batch_size, hidden):
    """Return `fit` and another way to train on the same batches."""
    X, Y = throughput.problem(n_labels, n_rows)
    case = X, Y, batch_size, hidden, EPOCHS
    return partial(throughput.ours, *case), partial(other, *case)


def loss_step(loss):
    """Return value and gradient of a loss on a batch, and torch's own cross-entropy."""
    drawn = loss_cost.batch()
    positives = drawn[1].sum(dim=0) + 1
    loss.setup(positives, (~drawn[1]).sum(dim=0))
    sides = loss_cost.our_step(loss, *drawn, False), loss_cost.torch_step(*drawn)
    return [partial(repeat, side, 20) for side in sides]


def repeat(function, times):
    """Call a function many times."""
    for _ in range(times):
        function()


def average_precision():
    """Return macro average precision, ours and scikit-learn's."""
    case = metrics_speed.problem(200)
    return (
        partial(multilabel_average_precision_score, *case),
        partial(average_precision_score, *case),
    )


def thresholds():
    """Return thresholds of best F1, ours and a loop over the labels."""
    case = metrics_speed.problem(200)
    return (
        partial(tune_thresholds, *case, shrinkage=0),
        partial(metrics_speed.loop, *case),
    )


def folds():
    """Return five stratified folds, ours and those of iterative-stratification."""
    Y = stratification.made(10_000, 500, 5, 20)
    return (
        partial(stratification.ours(), Y, 5, 0),
        partial(stratification.iterative_stratification, Y, 5, 0),
    )


def several_members():
    """Return `fit` of sixteen members and of one."""
    X, Y = make_imbalanced_multilabel(
        5_000, 100, 14, cardinality=2.0, imbalance_ratio=10, random_state=0
    )
    return partial(members.train, X, Y, 16), partial(members.train, X, Y, 1)


def sparse_rows():
    """Return `fit` on CSR rows as they are, and on batches made dense."""
    X, Y = sparse_input.problem(10_000, 75)
    return (
        partial(sparse_input.fit, X, Y, True),
        partial(sparse_input.fit, X, Y, False),
    )


# What is compared, the page that quotes it, how to make both sides, and the ratio that
# was measured on one thread when the bound was set.
CHECKS = [
    (
        "fit / plain loop, 14 labels",
        "throughput",
        partial(fit_against, throughput.plain_loop, 14, 10_000, 128, (100,)),
        1.15,
    ),
    (
        "fit / plain loop, 1,000 labels",
        "throughput",
        partial(fit_against, throughput.plain_loop, 1_000, 5_000, 256, (512, 256)),
        1.01,
    ),
    (
        "fit / skorch, 14 labels",
        "throughput",
        partial(fit_against, throughput.skorch_net, 14, 10_000, 128, (100,)),
        0.42,
    ),
    (
        "fit / MLPClassifier, 1,000 labels",
        "throughput",
        partial(fit_against, throughput.sklearn_mlp, 1_000, 5_000, 128, (100,)),
        0.53,
    ),
    ("log loss step / torch's", "loss_cost", lambda: loss_step(LogLoss()), 0.68),
    (
        "focal step / torch's log loss",
        "loss_cost",
        lambda: loss_step(FocalLoss()),
        0.85,
    ),
    ("average precision / scikit-learn", "metrics_speed", average_precision, 0.09),
    ("best thresholds / loop of curves", "metrics_speed", thresholds, 0.135),
    ("folds / iterative-stratification", "stratification", folds, 0.135),
    ("16 members / 1", "members", several_members, 5.8),
    ("sparse rows / dense batches", "sparse_input", sparse_rows, 0.30),
]


def measure(sides, rounds=5):
    """Return the ratio of the median processor times of two functions."""
    times = []
    for _ in range(rounds + 1):
        taken = []
        for side in sides:
            start = time.process_time()
            side()
            taken.append(time.process_time() - start)
        times.append(taken)
    # The first round loads code and fills caches.
    ours, other = (statistics.median(column) for column in zip(*times[1:], strict=True))
    return ours / other


def main():
    """Measure every ratio, print the table, and return the number of broken bounds."""
    loss_cost.with_a_steady_heap()
    torch.set_num_threads(1)
    broken = 0
    print(f"{'ours / other':<36}{'page':<16}{'ratio':>8}{'bound':>8}", flush=True)
    with threadpool_limits(1):
        for name, page, make, written in CHECKS:
            ratio, bound = measure(make()), SLACK * written
            broken += ratio > bound
            mark = "  above its bound" if ratio > bound else ""
            print(f"{name:<36}{page:<16}{ratio:>8.3f}{bound:>8.3f}{mark}", flush=True)
    return broken


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
