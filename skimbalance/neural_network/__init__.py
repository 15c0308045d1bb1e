"""Imbalanced classifiers that hold a neural net.

Three stages that do not leak into each other: training weighs what the net learns from,
the inverse of the loss turns scores into corrected probabilities, thresholds turn these
into decisions.
"""

from skimbalance.neural_network._batches import LabelAwareBatches
from skimbalance.neural_network._estimators import (
    ImbalancedMLPClassifier,
    ImbalancedNetClassifier,
)
from skimbalance.neural_network._export import register_onnx_converter

__all__ = [
    "ImbalancedMLPClassifier",
    "ImbalancedNetClassifier",
    "LabelAwareBatches",
    "register_onnx_converter",
]
