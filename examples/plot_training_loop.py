"""
How do I use a loss in my own training loop?
============================================

You have a loop and want to keep it. A loss of `skimbalance.losses` is a criterion like
torch's own, `compute_pos_weight` gives the weights, the calibrators and thresholds take
arrays. Four lines around the loop of a weighted focal loss give probabilities whose sum
is right, and thresholds. The same net without focal loss and without weights is beside
it, since these lines are worth more than the choice of the loss.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.special import expit
from torch import nn

from skimbalance.calibration import LabelCalibrator
from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.displays import MultilabelCalibrationDisplay
from skimbalance.losses import FocalLoss, LogLoss
from skimbalance.metrics import (
    expected_observed_ratio,
    multilabel_fbeta_score,
    multilabel_log_loss,
)
from skimbalance.model_selection import (
    MultilabelStratifiedKFold,
    multilabel_train_test_split,
)
from skimbalance.thresholds import tune_thresholds
from skimbalance.weights import compute_pos_weight

X, Y = make_imbalanced_multilabel(6000, n_labels=10, signal=3, random_state=0)
X_fit, X_test, Y_fit, Y_test = multilabel_train_test_split(
    X, Y, stratify=Y, test_size=0.3, random_state=0
)
X_train, X_valid, Y_train, Y_valid = multilabel_train_test_split(
    X_fit, Y_fit, stratify=Y_fit, test_size=0.25, random_state=0
)

# %%
# The loop, as you have it. Line 1: the bias of the last layer starts where the loss
# predicts the base rates. The half positive that is added keeps the base rate of a
# label without positives above 0, whose score would be minus infinity.


def train(X, Y, criterion, pos_weight=1.0):
    """Train a net; return a function that gives its raw scores."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 10))
    prior = (Y.sum(axis=0) + 0.5) / (len(Y) + 1)
    with torch.no_grad():
        module[-1].bias.copy_(criterion.initial_scores(prior, pos_weight))  # line 1
    optimizer = torch.optim.AdamW(module.parameters(), lr=2e-3)
    inputs, targets = torch.tensor(X), torch.tensor(Y)
    for _ in range(25):
        for rows in torch.randperm(len(inputs)).split(128):
            scores = module(inputs[rows])
            loss = criterion(
                scores, targets[rows], pos_weight=pos_weight, reduction="mean"
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return torch.no_grad()(lambda X: module(torch.tensor(X)))


focal = FocalLoss(gamma=2.0)
weight = compute_pos_weight(Y_train, "sqrt")
net = train(X_train, Y_train, focal, weight)

# %%
# Line 2: from scores to log-odds, by the inverse of loss and weight. Line 3: a
# calibrator corrects what the net has overfitted. Line 4: thresholds for the calibrated
# probabilities. Lines 3 and 4 may read the same rows, which did not train the net: a
# slope and an intercept leave the order of the rows, on which the thresholds depend.

log_odds = focal.log_odds(net(X_valid), weight).numpy()  # line 2
calibrator = LabelCalibrator().fit(log_odds, Y_valid)  # line 3
calibrated = expit(calibrator.transform(log_odds))
threshold = tune_thresholds(Y_valid, calibrated)  # line 4

new_log_odds = focal.log_odds(net(X_test), weight).numpy()
proba = expit(calibrator.transform(new_log_odds))

# %%
# Beside it, the sigmoids of the same net; a net with the usual weight ``neg / pos``;
# and a net of plain log loss without weights. All get thresholds from the same rows.
# ``undefined=0.0`` counts a label for which F1 is not defined as 0, so that the means
# of all models are over the same labels.

old = train(X_train, Y_train, LogLoss(), compute_pos_weight(Y_train, "balanced"))
plain = train(X_train, Y_train, LogLoss())
found = {
    "log loss, neg / pos": [expit(old(X).numpy()) for X in (X_valid, X_test)],
    "log loss": [expit(plain(X).numpy()) for X in (X_valid, X_test)],
    "focal: sigmoid": [expit(net(X).numpy()) for X in (X_valid, X_test)],
    "focal: log_odds": [expit(log_odds), expit(new_log_odds)],
    "focal: calibrated": [calibrated, proba],
}


def report(name, proba, threshold):
    """Print the figures of a model on the test rows."""
    f1 = [
        multilabel_fbeta_score(Y_test, proba > t, undefined=0.0)
        for t in (0.5, threshold)
    ]
    print(
        f"{name:22}{expected_observed_ratio(Y_test, proba):20.2f}"
        f"{multilabel_log_loss(Y_test, proba):10.3f}{f1[0]:12.3f}{f1[1]:10.3f}"
    )


print(
    f"{'':22}{'expected / observed':>20}{'log-loss':>10}{'F1 at 0.5':>12}{'tuned':>10}"
)
for name, (on_valid, on_test) in found.items():
    report(name, on_test, tune_thresholds(Y_valid, on_valid))

# %%
# With folds, every row calibrates and tunes, and none is lost for the training. The
# calibrator of the out-of-fold log-odds belongs to each net, so each is calibrated
# before the mean. These log-odds are of all rows, whose prevalences the calibrator has
# met already; only labels of very few positives need `match_prevalence`.

out_of_fold = np.empty(Y_fit.shape)
nets = []
folds = MultilabelStratifiedKFold(5, shuffle=True, random_state=0)
for rows, held_out in folds.split(X_fit, Y_fit):
    nets.append(train(X_fit[rows], Y_fit[rows], focal, weight))
    out_of_fold[held_out] = focal.log_odds(nets[-1](X_fit[held_out]), weight)
calibrator = LabelCalibrator().fit(out_of_fold, Y_fit)
threshold = tune_thresholds(Y_fit, expit(calibrator.transform(out_of_fold)))
each = [calibrator.transform(focal.log_odds(net(X_test), weight)) for net in nets]
mean = expit(each).mean(axis=0)
report("focal: five folds", mean, threshold)

# %%

MultilabelCalibrationDisplay.from_predictions(
    Y_test, proba, uncorrected=found["focal: sigmoid"][1]
)
plt.show()

# %%
# Conclusion
# ----------
#
# The sigmoid of the focal net expects 2.57 times as many positives as there are,
# because loss and weight are still in it, and so does that of log loss with the usual
# weight, 2.61 times. `log_odds` takes both out: the expected number is right to two per
# cent, and the log-loss falls from 0.320 to 0.203; the calibrator takes it to 0.198,
# the five folds to 0.195. But log loss without any weight has 0.195 with a single net
# and nothing to correct: neither focal loss nor a weight improves probabilities. Nor do
# they improve F1, once each net has its own thresholds: 0.438 to 0.448 for all of them.
# The thresholds matter where probabilities are right: from 0.339 to 0.446 for log loss.
# For the sigmoid of the focal net, 0.5 is by chance as good. So begin with log loss and
# line 4; lines 1 to 3 are for a loss or a weight that you have reasons for. The user
# guide has :doc:`the details </user_guide/training_loop>`.
