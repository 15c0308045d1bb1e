"""Time of metrics and thresholds of many labels against scikit-learn's, in turns."""

import tracemalloc

import numpy as np
import scipy.sparse as sp
from _page import in_turns, machine, table, write
from sklearn.metrics import average_precision_score, precision_recall_curve

from skimbalance.metrics import multilabel_average_precision_score
from skimbalance.thresholds import tune_thresholds

N_SAMPLES = 16_000


def problem(n_labels, *, sparse=False):
    """Draw rare labels and probabilities that rank them better than chance."""
    rng = np.random.default_rng(0)
    rates = np.exp(rng.normal(-4.5, 1.0, n_labels)).clip(0.001, 0.4)
    scores = rng.standard_normal((N_SAMPLES, n_labels), dtype=np.float32)
    labels = rng.random((N_SAMPLES, n_labels), dtype=np.float32) < rates
    scores += 1.5 * labels
    np.negative(scores, out=scores)
    np.exp(scores, out=scores)
    scores += 1
    np.reciprocal(scores, out=scores)
    return (sp.csr_array(labels) if sparse else labels.astype(np.int8)), scores


def loop(Y, scores):
    """Find the threshold of best F1 of each label with scikit-learn."""
    best = np.empty(Y.shape[1])
    for k in range(Y.shape[1]):
        precision, recall, thresholds = precision_recall_curve(Y[:, k], scores[:, k])
        f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
        best[k] = thresholds[f1[:-1].argmax()]
    return best


def memory():
    """Measure the memory that 7,900 labels take beyond the inputs, on sparse labels."""
    Y, scores = problem(7_900, sparse=True)
    rows = []
    for name, function in (
        ("macro average precision", multilabel_average_precision_score),
        ("`tune_thresholds`", tune_thresholds),
    ):
        tracemalloc.start()
        function(Y, scores)
        rows.append([name, f"{tracemalloc.get_traced_memory()[1] / 1e9:.2f} GB"])
        tracemalloc.stop()
    return rows


def speed():
    Y, scores = problem(1_000)
    tasks = [
        (
            "macro average precision",
            "`average_precision_score`",
            lambda: average_precision_score(Y, scores),
            lambda: multilabel_average_precision_score(Y, scores),
        ),
        (
            "thresholds of best F1, `shrinkage=0`",
            "loop of `precision_recall_curve`",
            lambda: loop(Y, scores),
            lambda: tune_thresholds(Y, scores, shrinkage=0),
        ),
        (
            "thresholds, and plug-in thresholds to shrink towards",
            "the same loop, which shrinks nothing",
            lambda: loop(Y, scores),
            lambda: tune_thresholds(Y, scores),
        ),
    ]
    rows = []
    for name, other, theirs, ours in tasks:
        seconds = in_turns([theirs, ours], repeats=3)
        ratio = f"**{seconds[0] / seconds[1]:.1f}**"
        rows.append([name, other, *(f"{value:.2f}" for value in seconds), ratio])
    return rows


def main():
    """Measure speed and memory and write the page."""
    taken = memory()
    header = ["task", "scikit-learn", "theirs, s", "ours, s", "times faster"]
    write(
        "metrics_speed",
        f"""# Metrics and thresholds of many labels

{N_SAMPLES:,} rows, float32 probabilities, labels of 0.1 to 40 % positives (median 1 %);
1,000 labels, dense:

{table(header, speed())}

7,900 labels, sparse, beyond the inputs (0.5 GB of probabilities):

{table(["task", "highest allocation"], taken)}

{machine()}
""",
    )


if __name__ == "__main__":
    main()
