"""The cost of scikit-learn's callbacks on a fit of many short batches, in pairs."""

import contextlib
import os
import statistics
import sys
import time

import torch
from _page import machine, table, write
from sklearn.callback import ProgressBar, ScoringMonitor

from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.neural_network import ImbalancedMLPClassifier
from skimbalance.neural_network._callbacks import _FitTasks

ROWS, BATCH, EPOCHS, PAIRS = 6_400, 32, 15, 7


class NoAction:
    """A callback that is notified of each task, and does nothing."""

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        pass


CALLBACKS = {
    "one without action": lambda: [NoAction()],
    "`ProgressBar()`": lambda: [ProgressBar()],
    '`ProgressBar(), ScoringMonitor(scoring="average_precision")`': lambda: [
        ProgressBar(),
        ScoringMonitor(scoring="average_precision"),
    ],
}


class Stopwatch:
    """Sum the time of the fit's thread inside the methods that notify callbacks."""

    def __init__(self):
        self.seconds = 0.0
        for name in ("__init__", "follow", "end"):
            setattr(_FitTasks, name, self.timed(getattr(_FitTasks, name)))

    def timed(self, method):
        """Return a method that adds its time."""

        def wrapped(*args, **kwargs):
            start = time.thread_time()
            try:
                return method(*args, **kwargs)
            finally:
                self.seconds += time.thread_time() - start

        return wrapped


def fit_seconds(X, Y, callbacks, stopwatch):
    """Return the time of a fit's thread, its part in callbacks, and the bar's thread.

    Processor seconds, but the last, which is the part of a core that other threads use.
    """
    net = ImbalancedMLPClassifier(
        (32,),
        batch_size=BATCH,
        max_epochs=EPOCHS,
        early_stopping=False,
        random_state=0,
    )
    net.set_callbacks(*callbacks)
    clocks = time.thread_time, time.process_time, time.perf_counter
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        stopwatch.seconds = 0.0
        starts = [clock() for clock in clocks]
        net.fit(X, Y)
        own, process, wall = (
            clock() - start for clock, start in zip(clocks, starts, strict=True)
        )
    inside = stopwatch.seconds
    return own, inside / (own - inside), (process - own) / wall


def pairs(X, Y, make_callbacks, stopwatch):
    """Return the three ratios of each pair: slower, inside callbacks, other threads."""
    found = []
    for pair in range(PAIRS + 1):
        sides = [[], make_callbacks()]
        # Each side goes first in half of the pairs; the first pair warms up.
        order = (0, 1) if pair % 2 else (1, 0)
        times = {side: fit_seconds(X, Y, sides[side], stopwatch) for side in order}
        print(times, file=sys.stderr, flush=True)
        slower = times[1][0] / times[0][0] - 1
        found.append((slower, times[1][1], times[1][2] - times[0][2]))
    return zip(*found[1:], strict=True)


def main():
    """Measure, and write the page."""
    os.environ["FORCE_COLOR"] = "1"  # rich draws no bar where it finds no terminal
    torch.set_num_threads(1)
    X, Y = make_imbalanced_multilabel(ROWS, n_labels=6, random_state=0)
    lines, stopwatch = [], Stopwatch()
    for name, make_callbacks in CALLBACKS.items():
        slower, inside, others = pairs(X, Y, make_callbacks, stopwatch)
        lines.append(
            [
                name,
                f"**{statistics.median(inside):.2%}**",
                f"{statistics.median(slower):+.1%}",
            ]
        )
        lines[-1].append(f"{min(slower):+.1%} to {max(slower):+.1%}")
        lines[-1].append(f"{max(statistics.median(others), 0):.1%}")
        print(lines[-1], flush=True)
    columns = ["callbacks", "inside callbacks", "pairs", "range", "other threads"]
    write(
        "callback_cost",
        f"""# The cost of scikit-learn's callbacks

{machine()}

A `fit` of {EPOCHS} epochs of {ROWS // BATCH} batches of {BATCH} rows after
`set_callbacks`, in processor time of its thread. `inside callbacks` is the time from
each notification until it returns, over that of the rest of the fit. `pairs` compares
with a fit without callbacks: the median and the range of {PAIRS} pairs, in which the
two take turns at going first. On a machine with other work the pairs differ by
more than what a callback costs. `other threads` is the part of one core that they take
beside the fit: scikit-learn draws its bar ten times a second in a thread of its own.
The bar is drawn to no screen.

{table(columns, lines)}

A callback is notified once an epoch, so that a batch costs nothing. `ScoringMonitor`
copies the estimator and scores all rows after each epoch, which is what it is for.
""",
    )


if __name__ == "__main__":
    main()
