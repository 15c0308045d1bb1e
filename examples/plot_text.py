"""
How do I tag texts with 120 rare topics?
========================================

TF-IDF of raw texts is a sparse matrix, and a topic is present in two texts of a
hundred. The net reads the sparse rows as they are. The texts are drawn here, from 120
topics with a few words each among common ones, so that nothing has to be downloaded.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline

from skimbalance.metrics import (
    multilabel_average_precision_score,
    multilabel_fbeta_score,
    multilabel_log_loss,
    predicted_observed_ratio,
)
from skimbalance.model_selection import multilabel_train_test_split
from skimbalance.neural_network import ImbalancedMLPClassifier

rng = np.random.default_rng(0)
N_TOPICS, N_TEXTS = 120, 3000
common = [f"w{k}" for k in range(1500)]
frequency = 1 / np.arange(1, 1501)
frequency /= frequency.sum()
# A word of a topic is a common word as well: its presence is evidence, not proof.
words_of_topic = rng.choice(common[100:], (N_TOPICS, 8))
rates = np.geomspace(0.06, 0.006, N_TOPICS)
Y = (rng.random((N_TEXTS, N_TOPICS)) < rates).astype(int)


def write(topics):
    """Return a text of common words, and of some words of its topics."""
    words = list(rng.choice(common, 40, p=frequency))
    for topic in topics:
        words += list(rng.choice(words_of_topic[topic], 2))
    return " ".join(words)


texts = np.array([write(np.flatnonzero(row)) for row in Y])
train, test, Y_train, Y_test = multilabel_train_test_split(
    texts, Y, stratify=Y, test_size=0.3, random_state=0
)
n_positive = Y_train.sum(axis=0)
print(f"{Y.sum(axis=1).mean():.1f} topics a text, {n_positive.min()} to", end=" ")
print(f"{n_positive.max()} texts of a topic to learn from")

# %%
# Two pipelines: the usual linear model for each topic, and one net for all of them.

models = {
    "OneVsRest(LogisticRegression)": make_pipeline(
        TfidfVectorizer(), OneVsRestClassifier(LogisticRegression(C=10))
    ),
    "ImbalancedMLPClassifier((512,))": make_pipeline(
        TfidfVectorizer(),
        ImbalancedMLPClassifier((512,), threshold="f_beta", random_state=0),
    ),
}
each = {}
print(
    f"{'':32}{'macro AP':>9}{'log-loss':>10}{'macro F1':>10}{'predicted/observed':>20}"
)
for name, model in models.items():
    model.fit(train, Y_train)
    proba, predicted = model.predict_proba(test), model.predict(test)
    each[name] = multilabel_average_precision_score(Y_test, proba, average=None)
    print(
        f"{name:32}{each[name].mean():9.3f}{multilabel_log_loss(Y_test, proba):10.4f}"
        f"{multilabel_fbeta_score(Y_test, predicted):10.3f}"
        f"{predicted_observed_ratio(Y_test, predicted):20.2f}"
    )

# %%

linear, net = each.values()
figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
axes[0].scatter(linear, net, c=np.log10(n_positive), s=18)
axes[0].plot([0, 1], [0, 1], color="0.7")
axes[0].set(xlabel="AP of the linear model", ylabel="AP of the net")
axes[0].set_title("Each dot is a topic; dark ones are rare")
edges = np.quantile(n_positive, np.linspace(0, 1, 7))
middle = (edges[1:] + edges[:-1]) / 2
bins = np.clip(np.digitize(n_positive, edges[1:-1]), 0, 5)
for name, values in each.items():
    mean = [values[bins == k].mean() for k in range(6)]
    axes[1].plot(middle, mean, "o-", label=name)
axes[1].set(xscale="log", xlabel="texts to learn from", ylabel="average precision")
axes[1].set_xticks([20, 50, 100], ["20", "50", "100"])
axes[1].minorticks_off()  # their labels would run into each other
axes[1].set_title("The rarer the topic, the harder")
axes[1].legend(fontsize="small")
plt.show()

# %%
# Conclusion
# ----------
#
# Topics that are bags of words are what a linear model is made for: it ranks a little
# better, with a macro average precision of 0.627 against 0.609. One wide hidden layer
# comes near it; the default's second layer, which combines words, does not help here
# (on texts of real sets the two were level). The net's probabilities are better, with a
# log-loss of 0.0427 against 0.0596, and so are its decisions: at 0.5 the linear model
# predicts 0.07 times as many tags as there are, with a macro F1 of 0.059. The net with
# ``threshold="f_beta"`` reaches 0.569, and predicts about as many tags as there are.
# The thresholds of this library go around any classifier:
# ``MultilabelTunedThresholdClassifierCV(linear)`` gives the linear model its own.
