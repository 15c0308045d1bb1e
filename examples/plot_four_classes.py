"""
Four classes of unequal size: class weights, thresholds or costs?
=================================================================

Classes that exclude each other can be balanced in three places: in training, by weights
of the *true* class; after training, by weights of the *predicted* class; or by the
costs of each pair of true and predicted class. Only the last states what an error is
worth. The last two leave the probabilities as they are.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_classification
from sklearn.metrics import ConfusionMatrixDisplay, balanced_accuracy_score, log_loss
from sklearn.model_selection import train_test_split

from skimbalance.neural_network import ImbalancedMLPClassifier
from skimbalance.thresholds import MinimumExpectedCostClassifier

SIZES = np.array([198, 436, 710, 272])
X, y = make_classification(
    2 * SIZES.sum(),
    n_features=12,
    n_informative=6,
    n_classes=4,
    n_clusters_per_class=2,
    weights=SIZES / SIZES.sum(),
    class_sep=0.7,
    flip_y=0.05,
    random_state=0,
)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.5, stratify=y, random_state=0
)
print("training rows of each class:", np.bincount(y_train))

# %%
# The costs: to miss the rarest class costs ten, to miss any other one costs one.

COST = np.ones((4, 4)) - np.eye(4)
COST[0, 1:] = 10


def net(**params):
    """Return a net with the parameters that are compared."""
    return ImbalancedMLPClassifier((64,), random_state=0, **params)


plain = net().fit(X_train, y_train)
weighted = net(class_weight="balanced").fit(X_train, y_train)
shaped = net(pos_weight="balanced").fit(X_train, y_train)
by_cost = MinimumExpectedCostClassifier(net(), COST).fit(X_train, y_train)

prior = np.bincount(y_train) / len(y_train)
predictions = {
    "plain": plain.predict(X_test),
    "class_weight='balanced'": weighted.predict(X_test),
    "pos_weight='balanced'": shaped.predict(X_test),
    "p / prior (predicted class)": (plain.predict_proba(X_test) / prior).argmax(axis=1),
    "least expected cost": by_cost.predict(X_test),
}
proba = {
    "plain": plain.predict_proba(X_test),
    "class_weight='balanced'": weighted.predict_proba(X_test),
    "pos_weight='balanced'": shaped.predict_proba(X_test),
}

print(f"{'':30}{'accuracy':>10}{'balanced':>10}{'cost a row':>12}{'log-loss':>10}")
for name, predicted in predictions.items():
    loss = f"{log_loss(y_test, proba[name]):10.3f}" if name in proba else ""
    print(
        f"{name:30}{(predicted == y_test).mean():10.3f}"
        f"{balanced_accuracy_score(y_test, predicted):10.3f}"
        f"{COST[y_test, predicted].mean():12.3f}{loss}"
    )

# %%
# Three of the confusion matrices, each row in per cent of the true class.

figure, axes = plt.subplots(1, 3, figsize=(11, 4.3), layout="constrained")
shown = ["plain", "p / prior (predicted class)", "least expected cost"]
for ax, name in zip(axes, shown, strict=True):
    ConfusionMatrixDisplay.from_predictions(
        y_test,
        predictions[name],
        normalize="true",
        values_format=".0%",
        ax=ax,
        colorbar=False,
        cmap="Blues",
    )
    ax.set_title(name)
plt.show()

# %%
# Conclusion
# ----------
#
# Read each rule by the metric that it is made for. For the balanced accuracy, dividing
# the probabilities of the plain net by the base rates reaches 0.66, and training with
# ``class_weight="balanced"`` 0.64: no second training is needed, and the log-loss stays
# at 0.743 instead of 0.811. Where errors differ in cost, the class of least expected
# cost is the cheapest, with 0.64 a row against 0.91 of the next, at the lowest
# accuracy: it finds 89 per cent of the class that matters, and only 3 per cent of class
# 3. The balanced weights of the true class change the probabilities, which then
# describe a balanced population, so that their log-loss on these rows is the worst.
# `pos_weight` is corrected, and its log-loss is close to that of the plain net. Here
# each true class has one cost, so ``class_weight={0: 10}`` would state the same as the
# matrix: use one of the two, never both (:doc:`a few classes
# </user_guide/four_classes>`).
