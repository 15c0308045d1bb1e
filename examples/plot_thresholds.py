"""
How do I threshold by cost, or guarantee a recall?
==================================================

One set of calibrated probabilities, three different wishes: the best F1, the least cost
where a missed positive costs 20 false alarms, and a recall of at least 80 per cent that
is shown with confidence. None of them needs another training.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import expit

from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.displays import ThresholdCurveDisplay
from skimbalance.model_selection import multilabel_train_test_split
from skimbalance.neural_network import ImbalancedMLPClassifier
from skimbalance.thresholds import Cost, tune_thresholds

X, Y = make_imbalanced_multilabel(
    5000, n_labels=6, cardinality=1, imbalance_ratio=5, signal=3, random_state=1
)
X_train, X_test, Y_train, Y_test = multilabel_train_test_split(
    X, Y, stratify=Y, test_size=0.4, random_state=0
)
net = ImbalancedMLPClassifier((128,), max_epochs=30, random_state=0)
net.fit(X_train, Y_train)
proba = net.predict_proba(X_test)

# %%
# The thresholds come from the out-of-fold scores of the training rows.

held_out = expit(net.out_of_fold_log_odds_)
thresholds = {
    "0.5": np.full(6, 0.5),
    "best F1": tune_thresholds(Y_train, held_out),
    "cost 1 : 20": tune_thresholds(Y_train, held_out, threshold=Cost(cost_fn=20)),
    "recall of 0.8": tune_thresholds(Y_train, held_out, constraint=("recall", 0.8)),
}

print(
    f"{'':16}{'thresholds':>14}{'macro F1':>10}{'cost a row':>12}{'least recall':>14}"
)
summary = {}
for name, threshold in thresholds.items():
    predicted = proba > threshold
    hits = (predicted & (Y_test == 1)).sum(axis=0)
    missed = Y_test.sum(axis=0) - hits
    alarms = predicted.sum(axis=0) - hits
    f1 = (2 * hits / (2 * hits + missed + alarms)).mean()
    cost = (20 * missed + alarms).sum() / len(Y_test)
    recall = hits / Y_test.sum(axis=0)
    summary[name] = f1, cost, recall
    span = f"{threshold.min():.2f} to {threshold.max():.2f}"
    print(f"{name:16}{span:>14}{f1:10.3f}{cost:12.2f}{recall.min():14.2f}")

# %%

figure, axes = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
ThresholdCurveDisplay.from_predictions(Y_test, proba, ax=axes[0])
below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.14), "fontsize": "small"}
axes[0].legend(ncols=4, **below)
for k, (name, (_, _, recall)) in enumerate(summary.items()):
    axes[1].bar(np.arange(6) + 0.2 * (k - 1.5), recall, 0.2, label=name)
axes[1].axhline(0.8, color="0.3", lw=1, ls="--")
axes[1].set(xlabel="label, from frequent to rare", ylabel="recall on test rows")
axes[1].set_title("Only the constraint keeps each recall near 0.8")
axes[1].legend(ncols=4, **below)
plt.show()

# %%
# Conclusion
# ----------
#
# Each threshold is best at its own aim: the tuned one at F1, the one by cost at cost,
# which is less than a third of that at 0.5. The constraint keeps the recall of *each*
# label above 0.8, and at 0.81 not far above it. The threshold by cost exceeds that
# recall as well, since a missed positive is expensive, but has an F1 of 0.447 instead
# of 0.553. All of them read the same probabilities. Since these are calibrated, the
# threshold by cost needs no labels at all: 1 / (1 + 20).
