"""Sums of probabilities of labels with few training positives.

On generated labels whose rates are known, in bands of the expected number of training
positives; 20 seeds.
"""

import sys
import warnings

import numpy as np
from _page import machine, table, write

from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.exceptions import UndefinedLabelWarning
from skimbalance.neural_network import ImbalancedMLPClassifier

SEEDS = range(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
FEW_SEEDS = SEEDS[:8]  # of 400 labels, and of one label alone
BANDS = {"1 to 4": 1, "5 to 9": 4.5, "10 to 29": 9.5, "30 to 100": 29.5, "more": 101}
RARE = np.geomspace(100, 1, 140)
ALL = np.geomspace(1000, 1, 400)  # frequent labels set the slope of the calibration
SHORT = {"hidden_layer_sizes": (128,), "max_epochs": 30}
FRESH = 20_000
CASES = {
    "300 rows": (300, RARE, 2.0, {}),
    "2,000 rows": (2000, RARE, 2.0, {}),
    "5,000 rows": (5000, RARE, 2.0, {}),
    '2,000 rows, `"exact"`': (2000, RARE, 2.0, {"correct_probabilities": "exact"}),
    '2,000 rows, `pos_weight="sqrt"`': (2000, RARE, 2.0, {"pos_weight": "sqrt"}),
    '2,000 rows, `loss="focal"`': (2000, RARE, 2.0, {"loss": "focal"}),
    "2,000 rows, nothing to learn": (2000, RARE, 0.0, {}),
    "4,000 rows, 30 epochs": (4000, ALL, 2.0, SHORT),
    '4,000 rows, 30 epochs, `pos_weight="balanced"`': (
        4000,
        ALL,
        2.0,
        SHORT | {"pos_weight": "balanced"},
    ),
}
ONE_LABEL = {"4": 4, "8": 8, "20": 20, "60": 60}


def drawn(n_rows, expected, signal, seed, fresh=FRESH):
    """Return training and fresh rows of labels with expected numbers of positives."""
    X, Y = make_imbalanced_multilabel(
        n_rows + fresh,
        20,
        len(expected),
        cardinality=expected.sum() / n_rows,
        imbalance_ratio=expected[0] / expected[-1],
        signal=signal,
        random_state=seed,
    )
    return X[:n_rows], Y[:n_rows], X[n_rows:], Y[n_rows:]


def sums(problem, params, seed):
    """Return for each label the sum of its probabilities, and its positives."""
    X, Y, X_fresh, Y_fresh = problem
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedLabelWarning)
        net = ImbalancedMLPClassifier(**params, random_state=seed).fit(X, Y)
    proba = net.predict_proba(X_fresh)
    return proba.sum(axis=0, dtype=float), Y_fresh.sum(axis=0, dtype=float)


def in_bands(values, expected):
    """Add up the values of the labels of each band; NaN for a band without a label."""
    band = np.searchsorted(list(BANDS.values()), expected, side="right") - 1
    n_labels = np.bincount(band, minlength=len(BANDS))
    summed = np.bincount(band, values, minlength=len(BANDS))
    return np.where(n_labels > 0, summed, np.nan)


def pooled(case):
    """Return the ratio of each band over all seeds, and its spread over seeds."""
    n_rows, labels, signal, params = case
    seeds = [
        sums(drawn(n_rows, labels, signal, seed), params, seed)
        for seed in (SEEDS if labels is RARE else FEW_SEEDS)
    ]
    expected, positives = np.array(
        [[in_bands(values, labels) for values in seed] for seed in seeds]
    ).swapaxes(0, 1)
    ratio = expected.sum(axis=0) / positives.sum(axis=0)
    spread = (expected / positives).std(axis=0)
    return [
        "" if np.isnan(r) else f"{r:.2f} ± {s:.2f}"
        for r, s in zip(ratio, spread, strict=True)
    ]


def bands_table():
    """Compare the sums in each band."""
    rows = []
    for name, case in CASES.items():
        rows.append([name, *pooled(case)])
        print(rows[-1], flush=True)
    return table(["", *BANDS], rows)


def one_label(expected, signal):
    """Return the pooled ratio of a single label among 2,000 rows."""
    total = np.zeros(2)
    for seed in FEW_SEEDS:
        rare = drawn(2000, np.array([float(expected)]), signal, seed, 60_000)
        total += np.ravel(sums(rare, {}, seed))
    return f"{total[0] / total[1]:.2f}"


def one_label_table():
    """Fit one rare label alone."""
    rows = [
        [name, *(one_label(expected, signal) for expected in ONE_LABEL.values())]
        for name, signal in (("2,000 rows", 2.0), ("nothing to learn", 0.0))
    ]
    print(rows, flush=True)
    return table(["", *ONE_LABEL], rows)


def main():
    """Measure and write the page."""
    write(
        "few_positives",
        f"""# Labels with few positives

The sum of the probabilities over the true positives of {FRESH:,} fresh rows, for
`ImbalancedMLPClassifier()` with its defaults except for the first column. The 140
labels of `make_imbalanced_multilabel` have 1 to 100 positives among the training rows
*in expectation*, which defines the columns: labels are not selected by the number that
was drawn. In the last two lines 400 labels have 1 to 1,000, and one hidden layer of 128
units is trained for 30 epochs at most: the slope that calibrates the frequent labels is
above 1 there. A label without a positive counts with the constant probability that it
gets. Pooled over {len(SEEDS)} seeds, {len(FEW_SEEDS)} in the last two lines, with the
standard deviation of one seed's ratio; the aim is 0.7 to 1.4 in each column.

{bands_table()}

`"exact"` omits the calibration: the rarer the label, the more its probabilities are too
small. The positives of a rare label are few and its probabilities are uncertain, but
the number of positives is known, and the intercept of each label is matched to it.

Labels that are selected by a low number of *training* positives behave otherwise: many
of them drew fewer than their rate by chance, and even the base rates of the training
rows are then too small on other rows
([why](../user_guide/corrected_probabilities.md#rare-labels-chosen-by-their-count)).

## One rare label alone

A binary target of 2,000 rows, and of the expected number of positives in the first
line. {len(FEW_SEEDS)} seeds; the number of positives of a seed has a standard
deviation of its square root.

{one_label_table()}

{machine()}
""",
    )


if __name__ == "__main__":
    main()
