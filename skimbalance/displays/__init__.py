"""Displays of scores, probabilities, thresholds, training and label matrices.

The displays follow scikit-learn's pattern: `from_estimator` or `from_predictions`, of
label matrices `from_labels`, computes the data and draws; `plot` draws again. Up to ten
labels have a curve each; beyond, a band covers nine of ten labels, and only the labels
asked for have a curve. Counts of up to 60 labels have a line each, with the name.
"""

from skimbalance.displays._curves import (
    MultilabelCalibrationDisplay,
    MultilabelPrecisionRecallDisplay,
    ThresholdCurveDisplay,
    TrainingHistoryDisplay,
)
from skimbalance.displays._labels import (
    LabelCooccurrenceDisplay,
    LabelImbalanceDisplay,
    ResamplingDisplay,
)

__all__ = [
    "LabelCooccurrenceDisplay",
    "LabelImbalanceDisplay",
    "MultilabelCalibrationDisplay",
    "MultilabelPrecisionRecallDisplay",
    "ResamplingDisplay",
    "ThresholdCurveDisplay",
    "TrainingHistoryDisplay",
]
