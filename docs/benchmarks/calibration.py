"""Probabilities of nets before and after `MultilabelCalibratedClassifierCV`."""

import warnings

import numpy as np
from _page import table, write
from _predictions import arguments, over_seeds

from skimbalance.calibration import MultilabelCalibratedClassifierCV
from skimbalance.losses import SetLoss
from skimbalance.metrics import calibration_error, multilabel_log_loss
from skimbalance.neural_network import ImbalancedMLPClassifier

SETS = ("yeast", "scene", "enron", "corel5k", "bibtex", "tmc2007_500")


class SoftF1(SetLoss):
    """One minus the F1 of soft predictions, of each label over the batch."""

    def forward(self, scores, targets, entry_weight):
        proba, truth = scores.sigmoid() * entry_weight, targets * entry_weight
        sizes = (proba.sum(0) + truth.sum(0)).clamp(min=1e-6)
        short = (1 - 2 * (proba * truth).sum(0) / sizes).sum()
        return short.expand(len(scores))


LOSSES = {
    "log-loss": {},
    "log-loss, `pos_weight='sqrt'`": {"pos_weight": "sqrt"},
    "asymmetric": {"loss": "asymmetric"},
    "soft F1": {
        "loss": SoftF1(),
        "correct_probabilities": False,
        "scoring": "macro_average_precision",
    },
}


def net(loss, seed):
    return ImbalancedMLPClassifier(
        (64,),
        max_epochs=20,
        n_members=1,
        standardize=True,
        random_state=seed,
        **LOSSES[loss],
    )


def predictions(data, loss, seed):
    """Return probabilities of the test rows, as they are and calibrated."""
    X, Y, train, test = data["X"], data["Y"], data["train_idx"], data["test_idx"]
    raw = net(loss, seed).fit(X[train], Y[train]).predict_proba(X[test])
    model = MultilabelCalibratedClassifierCV(net(loss, seed))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        calibrated = model.fit(X[train], Y[train]).predict_proba(X[test])
    return {"raw": raw.astype(np.float32), "calibrated": calibrated.astype(np.float32)}


def measured(data, answers):
    """Return log-loss, skill and calibration error, before and after."""
    Y = data["Y"][data["test_idx"]]
    rates = np.asarray(data["Y"][data["train_idx"]].mean(axis=0)).ravel()
    constant = np.broadcast_to(rates.clip(1e-6, 1 - 1e-6), Y.shape)
    floor = multilabel_log_loss(Y, constant, average="micro")
    loss, error = (
        [f(Y, answers[key].astype(float), average="micro") for key in answers]
        for f in (multilabel_log_loss, calibration_error)
    )
    return [*loss, *(1 - value / floor for value in loss), *error]


def page(rows, means, n_seeds):
    left_out = [name for name in SETS if name not in {row[0] for row in rows}]
    not_measured = f"\n\nNot measured: {', '.join(left_out)}." if left_out else ""
    header = [
        "set",
        "loss",
        "log-loss before",
        "after",
        "change",
        "skill before",
        "after",
        "calibration error before",
        "after",
    ]
    overall = table(
        ["loss", "sets", "mean change of the log-loss", "worst set"],
        [
            [loss, len(each), f"**{np.mean(each):+.1%}**", f"{max(each):+.1%}"]
            for loss, each in means.items()
        ],
    )
    return f"""# Calibration

A net of one hidden layer (64 units, at most 20 epochs), trained on the published
training part, which predicts the test part. *Before* are its own probabilities: for
losses with an inverse the distortion is removed exactly and the rest calibrated on its
held-out rows; soft F1 has no inverse, its raw scores are read as log-odds. *After* is
`MultilabelCalibratedClassifierCV(net)` with its defaults: a sigmoid for each label,
drawn towards the common one, on out-of-fold scores, and the mean of the five nets.

{overall}

Skill is one minus the log-loss over that of the constant base rates: a constant is well
calibrated and has the skill 0, so the calibration error alone is no evidence of skill.
It is taken over bins of equal mass, of all entries together. Each figure is the mean
over {n_seeds} seeds of the net.{not_measured}

{table(header, rows)}
"""


def main():
    """Measure every set, loss and seed and write the page."""
    options = arguments()
    rows, means = [], {loss: [] for loss in LOSSES}
    for name, loss, mean in over_seeds(
        options, "calibration", SETS, LOSSES, predictions, measured
    ):
        change = mean[1] / mean[0] - 1
        means[loss].append(change)
        figures = [f"{mean[0]:.4f}", f"{mean[1]:.4f}", f"{change:+.1%}"]
        figures += [f"{value:.3f}" for value in mean[2:4]]
        figures += [f"{value:.4f}" for value in mean[4:]]
        rows.append([name, loss, *figures])
    measured_losses = {loss: each for loss, each in means.items() if each}
    write("calibration", page(rows, measured_losses, options.seeds))


if __name__ == "__main__":
    main()
