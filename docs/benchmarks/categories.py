"""Categories and missing values in the default net, against one-hot and imputation."""

import sys
import time
import warnings

import numpy as np
import pandas as pd
from _page import load, machine, table, write
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_breast_cancer
from sklearn.impute import SimpleImputer
from sklearn.metrics import average_precision_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skimbalance.neural_network import ImbalancedMLPClassifier

SETS = "emotions", "water_quality", "mc_yeast", "mc_wine_quality_red", "breast_cancer"
N_SEEDS, MOST_ROWS, MISSING = 3, 1500, 0.1


def read(name):
    """Return inputs, and a label matrix or classes 0, 1, ..."""
    if name == "breast_cancer":
        return load_breast_cancer(return_X_y=True)
    data = load(name)
    if "y" in data:
        return data["X"], np.unique(data["y"], return_inverse=True)[1]
    return data["X"], data["Y"].toarray().astype(int)


def as_table(X, rng):
    """Bin half of the columns into 3 to 20 categories, and mask values at random."""
    n_columns = X.shape[1]
    frame = pd.DataFrame(np.asarray(X, dtype=float)).add_prefix("x")
    for k in rng.permutation(n_columns)[: n_columns // 2]:
        values, n_bins = frame[f"x{k}"], rng.integers(3, 21)
        edges = np.unique(np.quantile(values, np.linspace(0, 1, n_bins + 1)[1:-1]))
        # The names are in no order, so that only their identity counts.
        names = rng.permutation([f"c{number:02}" for number in range(len(edges) + 1)])
        frame[f"x{k}"] = pd.Categorical(names[np.searchsorted(edges, values)])
    return frame.mask(rng.random(X.shape) < MISSING)


def one_hot(net):
    """Return the pipeline that the default net is compared with."""
    is_number = {"dtype_include": "number"}
    columns = make_column_transformer(
        (
            SimpleImputer(strategy="median", add_indicator=True),
            make_column_selector(**is_number),
        ),
        (
            OneHotEncoder(handle_unknown="ignore", sparse_output=False),
            make_column_selector(dtype_exclude="number"),
        ),
    )
    return make_pipeline(columns, net)


def macro_ap(y, proba):
    """Return the mean average precision of the labels or classes with a positive."""
    if y.ndim == 1 and proba.shape[1] == 2:
        return average_precision_score(y, proba[:, 1])
    Y = y if y.ndim == 2 else y.reshape(-1, 1) == np.arange(proba.shape[1])
    seen = np.flatnonzero(Y.any(axis=0))
    return np.mean([average_precision_score(Y[:, k], proba[:, k]) for k in seen])


def trial(name, seed):
    """Return macro AP and CPU seconds of both, on one split with one set of masks."""
    X, y = read(name)
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(X))[:MOST_ROWS]
    X, y = as_table(X[rows], rng), y[rows]
    stratify = y if y.ndim == 1 else None
    parts = train_test_split(X, y, test_size=0.3, random_state=seed, stratify=stratify)
    X_train, X_test, y_train, y_test = parts
    out = []
    for make in (lambda net: net, one_hot):
        model = make(ImbalancedMLPClassifier(random_state=seed))
        start = time.process_time()
        model.fit(X_train, y_train)
        spent = time.process_time() - start
        out += [macro_ap(y_test, model.predict_proba(X_test)), spent]
    print(name, seed, *out, flush=True)
    return out


def line(name, trials):
    """Return one line of the table."""
    n_seeds = len(trials)
    ours, _, piped, _ = trials.mean(axis=0)
    difference = trials[:, 0] - trials[:, 2]
    error = difference.std(ddof=1) / np.sqrt(n_seeds)
    X, y = read(name)
    wins = np.count_nonzero(difference >= 0)
    return [
        name,
        f"{min(len(X), MOST_ROWS):,}",
        X.shape[1],
        y.shape[1] if y.ndim == 2 else y.max() + 1,
        f"{ours:.4f}",
        f"{piped:.4f}",
        f"{difference.mean():+.4f} ± {error:.4f}",
        f"{wins} of {n_seeds}",
        f"{np.median(trials[:, 1] / trials[:, 3]):.2f}",
    ]


def main(n_seeds=N_SEEDS):
    """Measure and write the page."""
    # Rare labels are constant in some training parts.
    warnings.simplefilter("ignore")
    trials = np.array([[trial(name, seed) for name in SETS] for seed in range(n_seeds)])
    rows = [line(name, trials[:, k]) for k, name in enumerate(SETS)]
    n_best = sum(float(row[6].split()[0]) >= 0 for row in rows)
    header = [
        "set",
        "rows",
        "columns",
        "labels or classes",
        "embedded",
        "one-hot",
        "difference ± standard error",
        "at least equal",
        "CPU time of fit, ratio",
    ]
    write(
        "categories",
        f"""# Categories and missing values

Macro average precision on 30 % test rows of `ImbalancedMLPClassifier` on a data frame
with categories and missing values ("embedded"), and of the same net behind
`OneHotEncoder` and `SimpleImputer` with the median and indicators ("one-hot"). Half of
the columns of each set are binned into 3 to 20 categories whose names have no order,
and {MISSING:.0%} of all values are masked at random. In each of {n_seeds} runs both get
the same masks, split and seed. breast_cancer is shipped by scikit-learn.

{table(header, rows)}

The mean is at least that of the pipeline on {n_best} of {len(rows)} sets. A difference
of less than two standard errors may be chance.

{machine()}
""",
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
