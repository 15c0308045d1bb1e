"""Log-loss of every loss and weighting: raw scores, corrected, and calibrated.

``python corrected_losses.py [FOLDER]`` keeps its results in
FOLDER/corrected_losses.json, so an interrupted run goes on where it stopped. The real
data sets are read by the script
``load.py`` in the folder that the environment variable SKIMBALANCE_DATA names, and are
left out where there is none.
"""

import copy
import importlib.util
import json
import os
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from _page import table, write
from sklearn.model_selection import train_test_split

from skimbalance._labels import (
    MULTICLASS,
    MULTILABEL,
)
from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.losses import LOSSES
from skimbalance.metrics import multilabel_average_precision_score
from skimbalance.model_selection import multilabel_train_test_split
from skimbalance.neural_network import ImbalancedMLPClassifier

KNOWN_SEEDS, REAL_SEEDS = range(3), range(1)
# Those of at least 1,000 rows, but for go_vertebrate_bp, which takes a minute a fit.
REAL_SETS = (
    "zen_abalone_19",
    "zen_mammography",
    "mc_page_blocks",
    "mc_wine_quality_red",
    "mc_yeast",
    "water_quality",
    "yeast",
    "scene",
    "sider27",
    "enron",
    "hmc_cellcycle_fun",
    "tox21",
    "corel5k",
    "bibtex",
    "tmc2007_500",
    "goemotions",
    "delicious",
)
WEIGHTS = ((None, 0.0), ("sqrt", 0.0), ("balanced", 0.0), (None, 0.05))
READINGS = ("raw", "corrected", "calibrated")
COLUMNS = ("loss", "`pos_weight`", "smoothing", *READINGS, "average precision")
# One net with one held-out part: a few thousand fits of five would take days.
ONE_NET = {"n_members": 1, "standardize": True}
KNOWN = {
    **ONE_NET,
    "hidden_layer_sizes": (64,),
    "dropout": 0.0,
    "lr": 3e-3,
    "batch_size": 1024,
    "max_epochs": 12,
    "scoring": "loss",
}
REAL = {
    **ONE_NET,
    "hidden_layer_sizes": (128,),
    "lr": 2e-3,
    "max_epochs": 40,
    "early_stopping": True,
    "validation_fraction": 0.2,
}


def cases(kind):
    """Yield (loss, pos_weight, label_smoothing); those without an inverse come last."""
    losses = {
        loss.__name__: (name, loss())
        for (name, k), loss in LOSSES.items()
        if k == kind and name != "soft_target"  # by default the same as log loss
    }
    for name, loss in sorted(losses.values(), key=lambda pair: pair[0]):
        if loss.invertible:
            yield from ((name, *weight) for weight in WEIGHTS)
    for name, loss in sorted(losses.values(), key=lambda pair: pair[0]):
        if not loss.invertible:
            yield name, None, 0.0


def readings(model, X):
    """Return probabilities read from the raw scores in three ways."""

    def read(**changes):
        output = copy.copy(model._output)
        vars(output).update(changes)
        return model._filled(X, output.class_probabilities)

    return {
        "raw": read(calibrator=None, correct=False),
        "corrected": read(calibrator=None),
        "calibrated": model.predict_proba(X),
    }


def log_loss(eta, proba, observed=1.0):
    """Return the mean over the entries, the expected one where eta is a posterior."""
    proba = np.clip(proba.astype(float), 1e-9, 1 - 1e-9)
    losses = -(eta * np.log(proba) + (1 - eta) * np.log1p(-proba))
    weight = np.broadcast_to(observed, losses.shape)
    return float((losses * weight).sum() / weight.sum())


def class_log_loss(y, proba, classes):
    """Mean over the rows."""
    column = np.searchsorted(classes, y)
    picked = proba[np.arange(len(y)), column].astype(float)
    return float(-np.log(picked.clip(1e-9)).mean())


def class_average_precision(y, proba):
    """Macro average over the classes, or that of the second of two."""
    labels = (y[:, None] == np.unique(y)) * 1
    chosen = slice(1, 2) if labels.shape[1] == 2 else slice(None)
    return multilabel_average_precision_score(labels[:, chosen], proba[:, chosen])


def known_problem():
    """Draw 100,000 rows whose posterior is known, and 30,000 to test on."""
    rates = np.geomspace(0.2, 0.005, 10)
    X, Y, posterior = make_imbalanced_multilabel(
        130_000,
        20,
        10,
        cardinality=rates.sum(),
        imbalance_ratio=40,
        return_posterior=True,
        random_state=0,
    )
    train, test = slice(100_000), slice(100_000, None)
    eta = posterior[test].astype(float)
    return (
        X[train],
        Y[train],
        X[test],
        lambda proba, _: log_loss(eta, proba),
        lambda proba: multilabel_average_precision_score(Y[test], proba),
    )


def real_problem(load, name, seed):
    """Split a real set by its kind, and say how its probabilities are scored."""
    data = load(name)
    if "Y" not in data:
        X, X_test, y, y_test = train_test_split(
            data["X"], data["y"], test_size=0.3, stratify=data["y"], random_state=seed
        )
        return (
            X,
            y,
            X_test,
            lambda p, classes: class_log_loss(y_test, p, classes),
            lambda p: class_average_precision(y_test, p),
        )
    Y = data["Y"].toarray() if sp.issparse(data["Y"]) else data["Y"]
    Y = Y[:, (Y == 1).sum(axis=0) >= 10]
    missing = Y == -1
    Y = np.where(missing, np.nan, Y) if missing.any() else Y
    X, X_test, Y, Y_test = multilabel_train_test_split(
        data["X"], Y, stratify=Y, test_size=0.3, random_state=seed
    )
    observed = ~np.isnan(Y_test.astype(float))
    truth = np.where(observed, Y_test, 0)
    return (
        X,
        Y,
        X_test,
        lambda p, _: log_loss(truth, p, observed),
        lambda p: multilabel_average_precision_score(Y_test, p),
    )


def measure(problem, settings, case, seed):
    """Fit once; return the log-loss of each reading, and the average precision."""
    X, y, X_test, score, rank = problem
    loss, weight, smoothing = case
    model = ImbalancedMLPClassifier(
        loss=loss,
        pos_weight=weight,
        label_smoothing=smoothing,
        random_state=seed,
        **settings,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
        answers = readings(model, X_test)
    found = {name: score(proba, model.classes_) for name, proba in answers.items()}
    return found | {"ranking": rank(answers["calibrated"])}


class Cache:
    """What was measured, on disk."""

    def __init__(self, folder):
        self.path = Path(folder) / "corrected_losses.json"
        self.found = json.loads(self.path.read_text()) if self.path.exists() else {}

    def get(self, key, compute):
        """Return a result, computed and stored if it is not there yet."""
        key = "|".join(map(str, key))
        if key not in self.found:
            self.found[key] = compute()
            self.path.write_text(json.dumps(self.found))
            print(key, self.found[key], flush=True)
        return self.found[key]


def real_loader():
    """Return the function that reads a real set, or None."""
    script = Path(os.environ.get("SKIMBALANCE_DATA", "")) / "load.py"
    if not script.is_file():
        return None
    spec = importlib.util.spec_from_file_location("real_data", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load


def ratios(cache, name, case, seeds, problem, settings):
    """Compare each seed with the plain net of the same seed: log-losses, ranking."""
    rows = []
    for seed in seeds:
        own, plain = (
            cache.get(
                (name, seed, *c),
                lambda c=c, seed=seed: measure(problem(seed), settings, c, seed),
            )
            for c in (case, ("log_loss", None, 0.0))
        )
        gain = 100 * (own["ranking"] - plain["ranking"])
        rows.append([*(own[r] / plain["calibrated"] for r in READINGS), gain])
    return np.array(rows)


def line(case, values):
    """Format one row of a table."""
    loss, weight, smoothing = case
    *losses, (gain, spread) = zip(values.mean(0), values.std(0), strict=True)
    shown = [f"{mean:.3f} ± {sd:.3f}" for mean, sd in losses]
    shown.append(f"{gain:+.1f} ± {spread:.1f}")
    return [f"`{loss}`", weight or "", smoothing or "", *shown]


def known_table(cache):
    """Measure the known posterior; return its table."""
    drawn = known_problem()
    rows = [
        line(case, ratios(cache, "known", case, KNOWN_SEEDS, lambda _: drawn, KNOWN))
        for case in cases(MULTILABEL)
    ]
    return table(list(COLUMNS), rows)


def kind_of(name):
    """Say which losses go with a real set."""
    return MULTICLASS if name.startswith("mc_") else MULTILABEL


def real_table(cache, load, kind):
    """Measure the real sets of a kind; return the mean over them."""
    names = [name for name in REAL_SETS if kind_of(name) == kind]
    rows = []
    for case in cases(kind):
        values = []
        for name in names:
            if name.startswith("zen_") and case[0] in ("zlpr", "soft_f1", "two_way"):
                continue  # a single label has no set
            problem = lambda seed, name=name: real_problem(load, name, seed)  # noqa: E731
            values.append(ratios(cache, name, case, REAL_SEEDS, problem, REAL).mean(0))
        rows.append(line(case, np.array(values)))
    return table(list(COLUMNS), rows), names


def main():
    """Measure what is missing and write the page."""
    cache = Cache(sys.argv[1] if len(sys.argv) > 1 else tempfile.gettempdir())
    known, load = known_table(cache), real_loader()
    parts = [
        f"""# Calibration of every loss

Log-loss on held-out rows as a ratio to that of the plain log-loss net (of the same
seed): 1 is as good, 2 twice as bad. *raw* reads the scores as log-odds; *corrected*
inverts loss, `pos_weight` and smoothing exactly (for a loss without an inverse: by that
of its terms, or not at all); *calibrated* is what `predict_proba` returns: corrected,
then calibrated on the held-out part. The last column is the gain in macro average
precision over the plain net, in points.

## A known posterior

100,000 rows, 10 labels at 20 to 0.5 %, 30,000 test rows scored by their true posterior;
a net of 64 units, 12 epochs; mean and standard deviation over {len(KNOWN_SEEDS)} seeds.

{known}
"""
    ]
    for kind in (MULTILABEL, MULTICLASS) if load else ():
        measured, names = real_table(cache, load, kind)
        title = "multiclass" if kind == MULTICLASS else "binary and multilabel"
        parts.append(f"""## Real sets: {title}

{", ".join(names)}.

70 % to train, labels with at least 10 positives, a net of 128 units that stops early by
the default criterion. One split of each set; mean and standard deviation over the sets.
On few rows the correction removes bias, not variance: a loss that learns less stays
behind.

{measured}
""")
    write("corrected_losses", "\n".join(parts))


if __name__ == "__main__":
    main()
