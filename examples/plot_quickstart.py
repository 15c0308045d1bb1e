"""Compare losses and weights, with and without corrected probabilities.

Run by ``make demo``. The data are overlaid images of digits; ``make demo
DATA=file.npz`` reads a file with the arrays X and Y, each dense or as the parts of a
CSR matrix (X_data, X_indices, X_indptr, X_shape), and ``make demo DATA=name`` a
multilabel data set of OpenML.
"""

import subprocess
import sys
import time
from pathlib import Path

import joblib
import matplotlib.pyplot as plt
import numpy as np
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.calibration import calibration_curve
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MaxAbsScaler

from skimbalance.datasets import make_overlaid_digits
from skimbalance.metrics import (
    expected_observed_ratio,
    multilabel_average_precision_score,
    predicted_observed_ratio,
)
from skimbalance.model_selection import (
    MultilabelStratifiedKFold,
    multilabel_train_test_split,
)
from skimbalance.neural_network import ImbalancedMLPClassifier
from skimbalance.thresholds import plug_in_threshold

OUTPUT = Path("demo_output")


def read_npz(path):
    """Read X and Y, dense or as the parts of a CSR matrix."""

    def array(file, name):
        if name in file:
            return file[name]
        indices = file[f"{name}_indices"]
        data = file.get(f"{name}_data", np.ones(len(indices), np.float32))
        parts = data, indices, file[f"{name}_indptr"]
        return sp.csr_array(parts, shape=tuple(file[f"{name}_shape"]))

    with np.load(path, allow_pickle=False) as file:
        X, Y = array(file, "X"), array(file, "Y")
    return X, (Y.toarray() if sp.issparse(Y) else Y)


def read_openml(name):
    """Read a data set whose targets are columns of two values."""
    from sklearn.datasets import fetch_openml

    data = fetch_openml(name, version="active", as_frame=True)
    Y = data.target.to_frame() if data.target.ndim == 1 else data.target
    X = data.data.astype(float).to_numpy()
    return X, (Y.max() == Y).to_numpy().astype(int)


def read(source):
    """Return inputs and labels, of those labels with at least 15 positives."""
    if source is None:
        X, Y = make_overlaid_digits(3000, imbalance_ratio=30, random_state=0)
    elif source.endswith(".npz"):
        X, Y = read_npz(source)
    else:
        X, Y = read_openml(source)
    Y = np.where(Y < 0, 0, Y).astype(int)
    return X, Y[:, Y.sum(axis=0) >= 15]


def log_loss(Y, proba):
    """Return the mean log-loss over all entries."""
    proba = np.clip(proba, 1e-7, 1 - 1e-7)
    return -np.mean(np.where(Y == 1, np.log(proba), np.log(1 - proba)))


def search(X, Y):
    """Search over losses and weights with multilabel-stratified folds."""
    model = Pipeline(
        [
            ("scale", MaxAbsScaler()),
            ("net", ImbalancedMLPClassifier((128,), max_epochs=25, random_state=0)),
        ]
    )
    grid = {
        "net__loss": ["log_loss", "focal", "asymmetric"],
        "net__pos_weight": [None, "sqrt"],
    }
    folds = MultilabelStratifiedKFold(3, shuffle=True, random_state=0)
    found = GridSearchCV(model, grid, scoring="average_precision", cv=folds).fit(X, Y)
    print("\nGrid search, macro average precision over 3 folds:")
    results = found.cv_results_
    for params, mean in zip(results["params"], results["mean_test_score"], strict=True):
        print(f"  {params['net__loss']:<12}{params['net__pos_weight']!s:<8}{mean:.3f}")
    return found.best_params_


def models():
    """Return the classifiers of the table."""
    net = ImbalancedMLPClassifier(max_epochs=60, random_state=0)
    weighted = clone(net).set_params(pos_weight="balanced")
    mlp = MLPClassifier((512, 256), early_stopping=True, max_iter=60, random_state=0)
    return {
        "MLPClassifier": mlp,
        "log loss": clone(net).set_params(verbose=1),
        "pos_weight, raw": clone(weighted).set_params(correct_probabilities=False),
        "pos_weight, corrected": weighted,
        "focal": clone(net).set_params(loss="focal"),
        "asymmetric": clone(net).set_params(loss="asymmetric"),
    }


def measure(model, train, validation, test):
    """Fit, choose thresholds on the validation rows, and score the test rows once."""
    start = time.perf_counter()
    model.fit(*train)
    seconds = time.perf_counter() - start
    threshold = plug_in_threshold(model.predict_proba(validation[0]))
    proba, Y = model.predict_proba(test[0]), test[1]
    f1 = {"average": "macro", "zero_division": 0}
    return {
        "macro AP": multilabel_average_precision_score(Y, proba),
        "log-loss": log_loss(Y, proba),
        "exp. / obs.": expected_observed_ratio(Y, proba),
        "pred. / obs.": predicted_observed_ratio(Y, proba > 0.5),
        "F1 at 0.5": f1_score(Y, proba > 0.5, **f1),
        "F1 plug-in": f1_score(Y, proba > threshold, **f1),
        "seconds": seconds,
    }


def show(rows):
    """Print the table."""
    columns = list(next(iter(rows.values())))
    print("\n" + " " * 22 + "".join(f"{name:>13}" for name in columns))
    for name, row in rows.items():
        print(f"{name:<22}" + "".join(f"{row[column]:>13.3f}" for column in columns))


def draw(rows, models, test, path):
    """Draw calibration curves, and macro F1 at two thresholds."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
    left.plot([0, 1], [0, 1], color="grey", linewidth=1)
    for name, marker in (
        ("log loss", "s"),
        ("pos_weight, raw", "x"),
        ("pos_weight, corrected", "o"),
    ):
        proba = models[name].predict_proba(test[0])
        observed, expected = calibration_curve(
            test[1].ravel(), proba.ravel(), n_bins=12, strategy="quantile"
        )
        left.plot(expected, observed, marker + "-", label=name, linewidth=1)
    left.set(xlabel="mean predicted probability", ylabel="fraction of positives")
    left.set_title("Weights distort probabilities; the inverse corrects them")
    left.legend(loc="upper left")
    names, place = list(rows), np.arange(len(rows))
    for shift, key in ((-0.2, "F1 at 0.5"), (0.2, "F1 plug-in")):
        values = [rows[name][key] for name in names]
        right.barh(place + shift, values, height=0.4, label=key)
    right.set_yticks(place, names)
    right.invert_yaxis()
    right.set(xlabel="macro F1 on test rows")
    right.set_title("The threshold explains most of the difference in F1")
    right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2)
    figure.savefig(path, dpi=120)


CHECK = """
import sys, joblib, numpy as np
model, X, expected = joblib.load(sys.argv[1])
assert np.array_equal(model.predict_proba(X), expected)
print("Read back in a new process: the same probabilities.")
"""


def persist(model, X, path):
    """Write the model, read it in a new process, and compare."""
    joblib.dump((model, X[:50], model.predict_proba(X[:50])), path)
    subprocess.run([sys.executable, "-c", CHECK, str(path)], check=True)


def main(source=None):
    """Search, compare, draw, persist."""
    OUTPUT.mkdir(exist_ok=True)
    X, Y = read(source)
    print(f"{X.shape[0]} rows, {X.shape[1]} features, {Y.shape[1]} labels, ", end="")
    print(f"{Y.mean(axis=0).min():.2%} to {Y.mean(axis=0).max():.2%} positive")
    X_fit, X_test, Y_fit, Y_test = multilabel_train_test_split(
        X, Y, stratify=Y, test_size=0.25, random_state=0
    )
    X_train, X_valid, Y_train, Y_valid = multilabel_train_test_split(
        X_fit, Y_fit, stratify=Y_fit, test_size=0.2, random_state=0
    )
    best = search(X_train, Y_train)
    print(f"best: {best}\n")
    fitted, rows, test = models(), {}, (X_test, Y_test)
    for name, model in fitted.items():
        rows[name] = measure(model, (X_train, Y_train), (X_valid, Y_valid), test)
    show(rows)
    draw(rows, fitted, test, OUTPUT / "quickstart.png")
    print(f"\nPicture: {OUTPUT / 'quickstart.png'}")
    persist(fitted["pos_weight, corrected"], X_test, OUTPUT / "net.joblib")


if __name__ == "__main__":
    main(*sys.argv[1:2])
