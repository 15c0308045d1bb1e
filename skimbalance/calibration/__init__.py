"""Calibrators: from scores to calibrated probabilities, learnt on held-out rows.

The loss itself removes the distortion that its weights and its form cause. What
remains, the over-confidence of a flexible net on few rows, takes two numbers for all
labels together. Classifiers without such an inverse take a map for each label.
"""

from skimbalance.calibration._base_rates import estimate_prior, prior_shift
from skimbalance.calibration._calibrators import (
    BaseCalibrator,
    LabelCalibrator,
    PooledCalibrator,
    TemperatureCalibrator,
)
from skimbalance.calibration._classifier import MultilabelCalibratedClassifierCV

__all__ = [
    "BaseCalibrator",
    "LabelCalibrator",
    "MultilabelCalibratedClassifierCV",
    "PooledCalibrator",
    "TemperatureCalibrator",
    "estimate_prior",
    "prior_shift",
]
