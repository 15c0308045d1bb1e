"""Small nets and a small problem for the tests of the estimators."""

import re

import numpy as np
from sklearn.linear_model import PoissonRegressor
from torch import nn

from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.neural_network import ImbalancedMLPClassifier


def small(**params):
    """Return a net that trains in milliseconds, on all rows, or all but a tenth."""
    defaults = {
        "hidden_layer_sizes": (16,),
        "max_epochs": 3,
        "batch_size": 100,
        "early_stopping": False,
        "cross_fit": False,
        "random_state": 0,
    }
    return ImbalancedMLPClassifier(**{**defaults, **params})


def linear(n_features, n_outputs, bias=True):
    return nn.Linear(n_features, n_outputs, bias=bias)


def small_problem():
    """Return 300 rows of 6 features and 4 labels."""
    X, Y = make_imbalanced_multilabel(
        300, 6, 4, cardinality=1.2, imbalance_ratio=4, random_state=0
    )
    return X.astype(np.float64), Y.astype(np.int64)


def stable_id(value):
    """Return an id of a parameter without addresses, the same in every process."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))


def documented_sums(positive, expected, mass):
    """Return the sums of calibrated probabilities by the formulas of the guide."""
    log_rate = np.log(positive / mass)[:, None]
    log_rate = log_rate - log_rate.mean()
    trend = PoissonRegressor(alpha=1 / expected.sum(), tol=1e-10, max_iter=1000)
    trend.fit(log_rate, positive / expected, sample_weight=expected)
    moved = expected * trend.predict(log_rate)
    return moved * (positive + 0.3) / (moved + 0.3)
