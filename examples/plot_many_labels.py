"""
512 labels of which five are positive: why does the net predict none?
=====================================================================

A row has about five positives among 512 labels, so most labels have a base rate around
one per cent. Few probabilities exceed 0.5, however good the net is. Change the
threshold before you change the training.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import expit

from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.metrics import multilabel_fbeta_score, predicted_observed_ratio
from skimbalance.model_selection import multilabel_train_test_split
from skimbalance.neural_network import ImbalancedMLPClassifier
from skimbalance.thresholds import tune_thresholds

X, Y, posterior = make_imbalanced_multilabel(
    4000,
    n_labels=512,
    cardinality=5,
    imbalance_ratio=8,
    signal=4,
    return_posterior=True,
    random_state=0,
)
X_train, X_test, Y_train, Y_test, _, oracle = multilabel_train_test_split(
    X, Y, posterior, stratify=Y, test_size=0.3, random_state=0
)
print(f"{Y.sum(axis=1).mean():.1f} positives in a row, {Y.mean():.2%} of the entries")

# %%
# One fit. Cross-fitting leaves a score for each training row, of a net that did not
# train on the row. `tune_thresholds` finds the thresholds of any rule on these scores.
# ``ImbalancedMLPClassifier(threshold="f_beta")`` does the same within `fit`.

net = ImbalancedMLPClassifier((128,), max_epochs=30, random_state=0)
net.fit(X_train, Y_train)
proba = net.predict_proba(X_test)
held_out = expit(net.out_of_fold_log_odds_)

predicted = {"0.5, the default": proba > 0.5, "posterior at 0.5": oracle > 0.5}
for rule in ("f_beta", "micro_f_beta", "matched_prevalence"):
    thresholds = tune_thresholds(Y_train, held_out, threshold=rule)
    predicted[f'"{rule}"'] = proba > thresholds

print(f"{'threshold':28}{'predicted / observed':>22}{'macro F1':>10}{'micro F1':>10}")
scores = {}
for name, labels in predicted.items():
    scores[name] = [
        multilabel_fbeta_score(Y_test, labels, average=average)
        for average in ("macro", "micro")
    ]
    ratio = predicted_observed_ratio(Y_test, labels)
    print(f"{name:28}{ratio:22.2f}{scores[name][0]:10.3f}{scores[name][1]:10.3f}")

# %%
# How many labels does a row get?

figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
bins = np.arange(-0.5, 13.5)
observed = Y_test.sum(axis=1)
axes[0].hist(observed, bins, color="0.8", label="observed")
for name in ("0.5, the default", '"micro_f_beta"'):
    axes[0].hist(predicted[name].sum(axis=1), bins, histtype="step", lw=2, label=name)
axes[0].set(xlabel="positive labels in a row", ylabel="test rows")
axes[0].set_title("At 0.5 most rows get no label")
axes[0].legend()
place = np.arange(len(scores))
axes[1].barh(
    place - 0.2, [macro for macro, _ in scores.values()], 0.4, label="macro F1"
)
axes[1].barh(
    place + 0.2, [micro for _, micro in scores.values()], 0.4, label="micro F1"
)
axes[1].set_yticks(place, list(scores))
axes[1].invert_yaxis()
axes[1].set_title("Each threshold serves a metric")
axes[1].legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=2)
plt.show()

# %%
# Conclusion
# ----------
#
# At 0.5 most rows get no label. A better net alone would not solve that: the true
# posterior at 0.5 predicts 0.31 times as many labels as there are. Thresholds by the
# metric raise the macro F1 of the net from 0.038 to between 0.230 and 0.259, and the
# micro F1 from 0.075 to about 0.3, which is near that of the true posterior at 0.5, or
# above it. Which one to take depends on what is reported: ``"f_beta"`` has the best
# macro F1, ``"micro_f_beta"`` the best micro F1, and ``"matched_prevalence"`` predicts
# nearly as many labels as there are.
