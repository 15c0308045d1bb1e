"""Effect of weights on probabilities and predictions, before and after the correction.

On yeast (published split) and on problems whose posterior is known; five seeds. The
figures of each fit are kept in a cache: an interrupted run goes on where it stopped.
"""

import functools

import numpy as np
from _page import machine, table, write
from _predictions import arguments, cached, loader
from sklearn.metrics import f1_score, log_loss

from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.metrics import (
    expected_observed_ratio,
    multilabel_average_precision_score,
)
from skimbalance.model_selection import multilabel_train_test_split
from skimbalance.neural_network import ImbalancedMLPClassifier
from skimbalance.thresholds import plug_in_threshold

# Rows, labels, labels of a row and seeds: a fit takes 5 to 20 minutes of a processor.
LARGE = (20_000, 512, 5, 3), (20_000, 1000, 2, 3), (60_000, 1000, 2, 1)
RATES = np.geomspace(0.005, 0.2, 20)
VARIANTS = {
    "plain log loss": {},
    '`pos_weight="balanced"`, raw': {
        "pos_weight": "balanced",
        "correct_probabilities": False,
    },
    '`"balanced"`, `"exact"`': {
        "pos_weight": "balanced",
        "correct_probabilities": "exact",
    },
    '`"balanced"`, corrected': {"pos_weight": "balanced"},
}


def entry_log_loss(Y, proba):
    """Return the mean log-loss over all entries."""
    return log_loss(Y.ravel(), np.clip(proba.astype(float), 1e-12, 1 - 1e-12).ravel())


def known_posterior(n_rows, n_labels, cardinality, ratio, signal, seed):
    """Return a split problem with its posterior: X, Y and P, train and test."""
    drawn = make_imbalanced_multilabel(
        n_rows,
        30,
        n_labels,
        cardinality=cardinality,
        imbalance_ratio=ratio,
        signal=signal,
        return_posterior=True,
        random_state=seed,
    )
    return multilabel_train_test_split(
        *drawn, stratify=drawn[1], test_size=0.3, random_state=seed
    )


def yeast(load, seed):  # noqa: ARG001
    """Return the published split."""
    data = load("yeast")
    train, test = data["train_idx"], data["test_idx"]
    X, Y = data["X"], data["Y"].toarray().astype(int)
    return X[train], X[test], Y[train], Y[test]


def synthetic(seed):
    """Return 20 labels from 0.5 to 20 %."""
    ratio = RATES[-1] / RATES[0]
    return known_posterior(20_000, 20, RATES.sum(), ratio, 2.0, seed)[:4]


def calibration_figures(problem, params, seed):
    """Fit one variant; return its figures for the first table."""
    X, X_test, Y_train, Y = problem(seed)
    net = ImbalancedMLPClassifier(**params, random_state=seed).fit(X, Y_train)
    proba, base = net.predict_proba(X_test), Y_train.mean(axis=0)
    ratios = expected_observed_ratio(Y, proba, average=None)[Y.sum(axis=0) >= 100]
    skill = 1 - entry_log_loss(Y, proba) / entry_log_loss(
        Y, np.broadcast_to(base, Y.shape)
    )
    return {
        "macro AP": multilabel_average_precision_score(Y, proba),
        "expected / observed": expected_observed_ratio(Y, proba),
        "median abs log ratio": np.median(np.abs(np.log(ratios))),
        "log-loss skill": skill,
    }


def mean_and_spread(values):
    """Format the mean and the standard deviation over the seeds."""
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}"


def over_seeds(options, name, n_seeds, figures_of):
    """Return the figures of ``figures_of(seed)``, formatted over the seeds."""
    found = [
        cached(options, f"{name}_{seed}", functools.partial(figures_of, seed))
        for seed in range(n_seeds)
    ]
    return {key: mean_and_spread([f[key] for f in found]) for key in found[0]}


def calibration_table(options, name, problem):
    """Fit every variant with every seed."""
    rows = []
    for k, (variant, params) in enumerate(VARIANTS.items()):
        figures_of = functools.partial(calibration_figures, problem, params)
        key = f"corrected_{name}_{k}"
        figures = over_seeds(options, key, options.seeds, figures_of)
        rows.append([variant, *figures.values()])
        print(rows[-1], flush=True)
    return table(["", *figures], rows)


def micro_f1(Y, proba, threshold):
    """Return micro-F1 of the predictions above a threshold."""
    return f1_score(Y, proba > threshold, average="micro", zero_division=0)


def predictions_figures(n_rows, n_labels, cardinality, seed):
    """Compare the net with the oracle, each at the threshold from held-out rows."""
    X, X_rest, Y, Y_rest, _, oracle = known_posterior(
        n_rows, n_labels, cardinality, 20.0, 4.0, seed
    )
    proba = ImbalancedMLPClassifier(random_state=seed).fit(X, Y).predict_proba(X_rest)
    half = len(Y_rest) // 2

    def at_plug_in(scores):
        threshold = plug_in_threshold(scores[:half], average="micro")[0]
        return micro_f1(Y_rest[half:], scores[half:], threshold)

    best = at_plug_in(oracle)
    return {
        "least positives to learn from": Y.sum(axis=0).min(),
        "micro-F1 at 0.5": micro_f1(Y_rest[half:], proba[half:], 0.5),
        "of the oracle at 0.5": micro_f1(Y_rest[half:], oracle[half:], 0.5),
        "at the plug-in threshold": at_plug_in(proba),
        "of the oracle at its plug-in threshold": best,
        "fraction of the oracle": at_plug_in(proba) / best,
    }


def predictions_table(options):
    """Very many labels of which a handful are on."""
    rows = []
    for *case, n_seeds in LARGE:
        n_rows, n_labels, cardinality = case
        figures_of = functools.partial(predictions_figures, *case)
        key = f"corrected_{n_rows}_{n_labels}"
        figures = over_seeds(options, key, n_seeds, figures_of)
        rows.append(
            [f"{n_labels}, {cardinality} on", f"{n_rows:,}", n_seeds, *figures.values()]
        )
        print(rows[-1], flush=True)
    return table(["labels", "rows", "seeds", *figures], rows)


def main():
    """Measure and write the page."""
    options = arguments()
    published = functools.partial(yeast, loader(options.data))
    write(
        "corrected_probabilities",
        f"""# Corrected probabilities and the predictions made of them

`ImbalancedMLPClassifier()` with its defaults but for what the first column says. Mean
and standard deviation over {options.seeds} seeds. The ratio is the sum of the
probabilities over the true positives of the test rows; the median is over labels with
at least 100 test positives; the skill is the fraction by which the log-loss is below
that of the constant base rates. A constant passes the ratio alone: read it together
with the skill.

## Yeast, published split

{calibration_table(options, "yeast", published)}

## Known posterior: 20 labels from 0.5 to 20 %, 20,000 rows

{calibration_table(options, "synthetic", synthetic)}

## Hundreds of labels, a handful of them on

`make_imbalanced_multilabel` with a standard deviation of 4 of the log-odds, rarest to
most frequent label 1 to 20. Of the rows 70 % train, 15 % give the threshold and 15 %
are scored. At 0.5, the default of `predict`, the net misses nearly all labels of a row,
and so does the oracle. What keeps the net from the oracle is the number of positives
that it learns from, given for the rarest label.

{predictions_table(options)}

{machine()}
""",
    )


if __name__ == "__main__":
    main()
