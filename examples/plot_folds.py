"""
Do my folds keep the rare labels?
=================================

A random fold of ten has no positive of a label with ten positives in a third of the
cases, and its average precision is then undefined. Multilabel-stratified folds keep the
fraction of each label.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import KFold

from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.metrics import empty_label_fold_count, label_distribution_distance
from skimbalance.model_selection import MultilabelStratifiedKFold

X, Y = make_imbalanced_multilabel(
    3000, n_labels=100, cardinality=4, imbalance_ratio=15, random_state=0
)
n_positive = Y.sum(axis=0)
print(f"{n_positive.min()} to {n_positive.max()} positives a label")

# %%

splitters = {
    "KFold": KFold(10, shuffle=True, random_state=0),
    "MultilabelStratifiedKFold": MultilabelStratifiedKFold(
        10, shuffle=True, random_state=0
    ),
}
splits = {name: list(cv.split(X, Y)) for name, cv in splitters.items()}

print(f"{'':28}{'label-folds without a positive':>32}{'label distance':>16}")
for name, parts in splits.items():
    print(
        f"{name:28}{empty_label_fold_count(Y, parts):32d}"
        f"{label_distribution_distance(Y, parts):16.4f}"
    )

# %%
# The positives of each label in each test fold, rarest labels at the bottom.

figure, axes = plt.subplots(1, 2, figsize=(10, 5), layout="constrained", sharey=True)
order = np.argsort(-n_positive)
for ax, (name, parts) in zip(axes, splits.items(), strict=True):
    counts = np.array([Y[test].sum(axis=0) for _, test in parts]).T[order]
    relative = counts / (n_positive[order, None] / 10)
    image = ax.imshow(relative, aspect="auto", vmin=0, vmax=2, cmap="RdBu")
    ax.set(xlabel="test fold", xticks=range(10))
    ax.set_title(name)
axes[0].set_ylabel("label, from frequent to rare")
figure.colorbar(image, ax=axes, label="positives / a tenth of the label's positives")
plt.show()

# %%
# Conclusion
# ----------
#
# Random folds leave nine times a label without a positive in a test fold, although each
# label has at least 20 positives for the ten folds: a metric of such a label is
# undefined there. The stratified folds have a positive of each label in each fold, and
# the distance between the label fractions of the folds is a seventh of that of random
# folds.
