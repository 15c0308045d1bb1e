"""From calibrated probabilities to predicted labels.

A threshold is no part of training. It follows from what an error costs, from the
probabilities alone, or from labels that did not train the model; never from the rows
that are predicted.

`thresholds._rules` lists the public rules in its `__all__` and their names in its
registry; no rule is listed here.
"""

from skimbalance.thresholds import _rules
from skimbalance.thresholds._classifiers import (
    MinimumExpectedCostClassifier,
    MultilabelFixedThresholdClassifier,
    MultilabelTunedThresholdClassifierCV,
)
from skimbalance.thresholds._plug_in import expected_f_beta, plug_in_threshold
from skimbalance.thresholds._rules import *  # noqa: F403
from skimbalance.thresholds._search import tune_thresholds

__all__ = [
    "MinimumExpectedCostClassifier",
    "MultilabelFixedThresholdClassifier",
    "MultilabelTunedThresholdClassifierCV",
    "expected_f_beta",
    "plug_in_threshold",
    "tune_thresholds",
]
__all__ += _rules.__all__
__all__.sort()
