"""From honest probabilities to decisions.

A cut is no part of training. It follows from what an error costs, from the
probabilities alone, or from labels that did not train the model; never from the rows
that are decided.
"""

from skimbalance.thresholds._classifiers import (
    MinimumExpectedCostClassifier,
    MultilabelFixedThresholdClassifier,
    MultilabelTunedThresholdClassifierCV,
)
from skimbalance.thresholds._rules import expected_f_beta, plug_in_threshold
from skimbalance.thresholds._search import tune_thresholds

__all__ = [
    "MinimumExpectedCostClassifier",
    "MultilabelFixedThresholdClassifier",
    "MultilabelTunedThresholdClassifierCV",
    "expected_f_beta",
    "plug_in_threshold",
    "tune_thresholds",
]
