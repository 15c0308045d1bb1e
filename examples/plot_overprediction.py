"""
Why does my net predict far too many positives?
===============================================

``pos_weight = negatives / positives`` is the usual advice for rare labels. It makes a
false negative as expensive as many false positives, so the net asks for more predicted
positives: its scores are no probabilities any more. Here the same weighted net is
trained twice, to be read raw and corrected, beside a net without weights.
"""

import matplotlib.pyplot as plt

from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.displays import MultilabelCalibrationDisplay
from skimbalance.metrics import (
    expected_observed_ratio,
    multilabel_average_precision_score,
    multilabel_log_loss,
    predicted_observed_ratio,
)
from skimbalance.model_selection import multilabel_train_test_split
from skimbalance.neural_network import ImbalancedMLPClassifier

X, Y = make_imbalanced_multilabel(6000, n_labels=20, random_state=0)
X_train, X_test, Y_train, Y_test = multilabel_train_test_split(
    X, Y, stratify=Y, test_size=0.3, random_state=0
)

# %%
# Three fits that differ in one parameter each.

nets = {
    "no weight": ImbalancedMLPClassifier((128,), random_state=0),
    "balanced, raw": ImbalancedMLPClassifier(
        (128,), pos_weight="balanced", correct_probabilities=False, random_state=0
    ),
    "balanced, corrected": ImbalancedMLPClassifier(
        (128,), pos_weight="balanced", random_state=0
    ),
}
proba = {
    name: net.fit(X_train, Y_train).predict_proba(X_test) for name, net in nets.items()
}

print(
    f"{'':22}{'macro AP':>9}{'log-loss':>10}{'expected/obs.':>15}{'predicted/obs.':>16}"
)
for name, p in proba.items():
    print(
        f"{name:22}{multilabel_average_precision_score(Y_test, p):9.3f}"
        f"{multilabel_log_loss(Y_test, p):10.3f}"
        f"{expected_observed_ratio(Y_test, p):15.2f}"
        f"{predicted_observed_ratio(Y_test, p > 0.5):16.2f}"
    )

# %%
# The reliability diagram: calibrated probabilities lie on the diagonal.

MultilabelCalibrationDisplay.from_predictions(
    Y_test, proba["balanced, corrected"], uncorrected=proba["balanced, raw"]
)
plt.show()

# %%
# Conclusion
# ----------
#
# The weight of ``negatives / positives`` makes the raw net expect 5.86 times as many
# positives as there are, and its log-loss is three times that of the net without a
# weight. Corrected by the inverse of the loss and calibrated, as by default, the
# expected number is right to one per cent, and the log-loss is 0.133, close to the
# 0.131 of no weight. The weight has not improved the ranking: the macro average
# precision is no better than without. If the aim was to predict more positives, move
# the threshold: see :ref:`sphx_glr_auto_examples_plot_many_labels.py`.
