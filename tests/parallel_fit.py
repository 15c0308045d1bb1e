"""Fits that are run by one process and, under torchrun, by several; a script."""

import sys
from pathlib import Path

import numpy as np

from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.neural_network import ImbalancedMLPClassifier

CASES = {
    "multilabel": {"pos_weight": "balanced"},
    "accumulated": {"gradient_accumulation": 2, "max_grad_norm": 0.5},
    # One held-out part: the temperature of all rows is found to 1e-8, not to 1e-9.
    "multiclass": {"loss": "focal", "cross_fit": False},
    "no_validation": {"early_stopping": False, "optimizer__amsgrad": True},
}


def answers(name, accelerator=None):
    """Return probabilities and training losses of one case."""
    X, Y = make_imbalanced_multilabel(301, 6, 4, imbalance_ratio=3, random_state=0)
    net = ImbalancedMLPClassifier(
        (8,),
        dropout=0.0,
        precision="64",
        max_epochs=4,
        batch_size=31,
        early_stopping=True,
        random_state=0,
        accelerator=accelerator,
    ).set_params(**CASES[name])
    X = X.astype(np.float64)
    net.fit(X, Y.argmax(axis=1) if name == "multiclass" else Y)
    return net.predict_proba(X), [row["train_loss"] for row in net.history_]


def main(folder):
    """Write what this process found."""
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=True)
    for name in CASES:
        proba, losses = answers(name, accelerator)
        file = f"{name}_{accelerator.process_index}_{accelerator.num_processes}.npz"
        np.savez(Path(folder) / file, proba=proba, losses=losses)
    accelerator.end_training()  # or its threads may outlive the interpreter


if __name__ == "__main__":
    main(sys.argv[1])
