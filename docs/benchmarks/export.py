"""Largest difference between a net and its exported forms, for every loss."""

import logging
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from _page import table, write

from skimbalance._labels import BINARY, MULTICLASS, MULTILABEL
from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.losses import LOSSES
from skimbalance.neural_network import ImbalancedMLPClassifier

BATCHES = 1, 31, 500
METHODS = "predict", "predict_proba"
TOLERANCE = 1e-5


def problem():
    """Return inputs, and a target of each kind."""
    X, Y = make_imbalanced_multilabel(1000, 20, 6, imbalance_ratio=8, random_state=0)
    X = X.astype(np.float64)
    classes = np.array(list("abcdef"))[(X[:, :6] + 2 * Y).argmax(axis=1)]
    return X, {MULTILABEL: Y, BINARY: Y[:, 0], MULTICLASS: classes}


def fitted(loss, n_members, X, y):
    """Return a fitted net; five members are cross-fitted."""
    net = ImbalancedMLPClassifier(
        (32,),
        loss=loss,
        n_members=n_members,
        cross_fit=n_members > 1,
        max_epochs=10,
        precision="64",
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return net.fit(X, y)


def exported_forms(net, X):
    """Yield a function of the inputs for each exported form of a net."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "net.onnx")
        net.export_onnx(path, METHODS, dtype="float64")
        session = onnxruntime.InferenceSession(path)
    yield lambda rows: session.run(None, {"X": rows})
    module, batch = net.to_torch(METHODS), torch.export.Dim("n")
    given = (torch.as_tensor(X[:3]),)
    program = torch.export.export(module, given, dynamic_shapes=({0: batch},)).module()
    yield lambda rows: [part.numpy() for part in program(torch.as_tensor(rows))]


def differences(form, net, X):
    """Return the largest difference of a probability by batch, and wrong predictions.

    A prediction counts where no probability lies within the tolerance of its threshold.
    """
    gaps, n_wrong = [], 0
    for n_rows in BATCHES:
        labels, proba = form(X[:n_rows])
        expected, predicted = net.predict_proba(X[:n_rows]), net.predict(X[:n_rows])
        gaps.append(np.abs(proba - expected).max())
        if labels.ndim == 1:
            labels = net.classes_[labels]
        is_wrong = labels != predicted
        if labels.ndim == 2:
            is_wrong &= np.abs(expected - 0.5) > TOLERANCE
        n_wrong += is_wrong.sum()
    return gaps, n_wrong


def measure():
    """Return the table, the largest difference and the number of wrong predictions."""
    X, targets = problem()
    rows, largest, n_wrong = [], 0.0, 0
    for (loss, kind), _ in sorted(LOSSES.items()):
        for n_members in (1, 5):
            net, cells = fitted(loss, n_members, X, targets[kind]), []
            for form in exported_forms(net, X):
                gaps, wrong = differences(form, net, X)
                cells += [f"{gap:.1e}" for gap in gaps]
                largest, n_wrong = max(largest, *gaps), n_wrong + wrong
            rows.append([f"`{loss}`", kind, n_members, *cells])
            print(rows[-1], flush=True)
    return rows, largest, n_wrong


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # of torch's exporter
    rows, largest, n_wrong = measure()
    forms = [f"{form}, {n}" for form in ("ONNX", "torch.export") for n in BATCHES]
    write(
        "export",
        f"""# Exported nets

Largest difference between a probability of an exported net and that of `predict_proba`,
for every loss, with one member and with five cross-fitted ones, in batches of 1, 31 and
500 rows: under onnxruntime (`export_onnx`) and as a program of `torch.export`
(`to_torch`). One program takes all three numbers of rows. Losses without
an inverse are calibrated on held-out rows. The nets compute in 64 bits.

Largest difference of all: {largest:.1e}. Predictions that differ where no probability
lies within 1e-5 of its threshold: {n_wrong}.

{table(["loss", "target", "members", *forms], rows)}

torch {torch.__version__}, onnxruntime {onnxruntime.__version__}.
""",
    )
