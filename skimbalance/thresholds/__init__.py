"""From calibrated probabilities to predicted labels.

A threshold is no part of training. It follows from what an error costs, from the
probabilities alone, or from labels that did not train the model; never from the rows
that are predicted.
"""

from skimbalance.thresholds._classifiers import (
    MinimumExpectedCostClassifier,
    MultilabelFixedThresholdClassifier,
    MultilabelTunedThresholdClassifierCV,
)
from skimbalance.thresholds._rules import (
    Accuracy,
    Cardinality,
    Cost,
    FBeta,
    MatchedPrevalence,
    MicroFBeta,
    Prior,
    TopK,
    Uncorrected,
    expected_f_beta,
    plug_in_threshold,
)
from skimbalance.thresholds._search import tune_thresholds

__all__ = [
    "Accuracy",
    "Cardinality",
    "Cost",
    "FBeta",
    "MatchedPrevalence",
    "MicroFBeta",
    "MinimumExpectedCostClassifier",
    "MultilabelFixedThresholdClassifier",
    "MultilabelTunedThresholdClassifierCV",
    "Prior",
    "TopK",
    "Uncorrected",
    "expected_f_beta",
    "plug_in_threshold",
    "tune_thresholds",
]
