"""
How do I fine-tune a pretrained body, fold by fold?
===================================================

A body trained on one task is reused for another with few rows. Each fit of a
cross-validation has to start from the pretrained weights, not from those that the last
fold has left. A module that is passed as an object is copied in every fit, so that
holds by itself.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from skorch.callbacks import Freezer
from torch import nn

from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.metrics import multilabel_average_precision_score
from skimbalance.model_selection import MultilabelStratifiedKFold
from skimbalance.neural_network import ImbalancedNetClassifier

# Both tasks depend on the same factors of the input: 40 frequent labels with many rows,
# and the 10 rare labels that are wanted, with 400.
X, Y = make_imbalanced_multilabel(
    4000, n_labels=50, cardinality=10, imbalance_ratio=12, signal=3, random_state=0
)
X_source, Y_source = X[400:], Y[400:, :40]
X_few, Y_few = X[:400], Y[:400, 40:]
print("positives of the rare labels:", Y_few.sum(axis=0))

# %%
# Pretraining, with any loop. Here it is a short one.

torch.manual_seed(0)
body = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU())
source = nn.Sequential(body, nn.Linear(32, 40))
optimizer = torch.optim.AdamW(source.parameters(), lr=3e-3)
inputs, targets = torch.tensor(X_source), torch.tensor(Y_source).float()
for _ in range(12):
    for rows in torch.randperm(len(inputs)).split(128):
        loss = nn.functional.binary_cross_entropy_with_logits(
            source(inputs[rows]), targets[rows]
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
before = [weights.clone() for weights in body.parameters()]


# %%
# Three nets on the few rows: from scratch, all of the body trained, the body frozen.


class Tuned(nn.Module):
    """A body, and a new head for the labels at hand."""

    def __init__(self, n_features, n_outputs, body):
        super().__init__()
        self.body, self.head = body, nn.Linear(32, n_outputs)

    def forward(self, x):
        """Return the raw scores."""
        return self.head(self.body(x))


def fresh_body():
    """Return an untrained body."""
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU())


def net(body, callbacks=None):
    """Return an estimator around a body."""
    return ImbalancedNetClassifier(
        Tuned,
        module_params={"body": body},
        callbacks=callbacks,
        standardize=False,
        max_epochs=25,
        random_state=0,
    )


nets = {
    "from scratch": net(fresh_body()),
    "fine-tuned": net(body),
    "frozen body": net(body, [Freezer("body.*")]),
}
folds = MultilabelStratifiedKFold(3, shuffle=True, random_state=0)
each = {}
for name, estimator in nets.items():
    proba = np.zeros(Y_few.shape)
    for train, test in folds.split(X_few, Y_few):
        estimator.fit(X_few[train], Y_few[train])
        proba[test] = estimator.predict_proba(X_few[test])
    each[name] = multilabel_average_precision_score(Y_few, proba, average=None)
    print(f"{name:14} macro AP over three folds {each[name].mean():.3f}")

unchanged = all(
    torch.equal(old, new) for old, new in zip(before, body.parameters(), strict=True)
)
print("the pretrained body itself is unchanged:", unchanged)

# %%

figure, ax = plt.subplots(figsize=(8, 4), layout="constrained")
for k, (name, values) in enumerate(each.items()):
    ax.bar(np.arange(10) + 0.27 * (k - 1), values, 0.27, label=name)
ax.set(xlabel="rare label", ylabel="average precision, out of fold")
ax.set_xticks(range(10))
ax.set_title("A pretrained body helps on average, not each label")
ax.legend()
plt.show()

# %%
# Conclusion
# ----------
#
# On average the pretrained body helps, most where it is trained further: the macro
# average precision is 0.271, against 0.246 with the body frozen and 0.233 from scratch.
# Not every label gains. With 9 to 30 positives a label the values of single labels are
# noisy: read the mean. Each fold starts from the pretrained weights, and the body that
# was passed is unchanged at the end.
