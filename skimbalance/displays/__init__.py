"""Displays of scores, probabilities, thresholds and training.

The displays follow scikit-learn's pattern: `from_estimator` or `from_predictions`
computes the data and draws, `plot` draws again. Up to ten labels have a line each;
beyond, a band covers nine of ten labels, and only the labels asked for have a line.
"""

from skimbalance.displays._curves import (
    MultilabelCalibrationDisplay,
    MultilabelPrecisionRecallDisplay,
    ThresholdCurveDisplay,
    TrainingHistoryDisplay,
)

__all__ = [
    "MultilabelCalibrationDisplay",
    "MultilabelPrecisionRecallDisplay",
    "ThresholdCurveDisplay",
    "TrainingHistoryDisplay",
]
