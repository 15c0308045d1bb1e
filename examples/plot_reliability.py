"""
How do I read a reliability diagram?
====================================

Four sets of probabilities for the same rows: the true ones, two that are wrong in a
known way, and the constant base rate. Each kind of error has its own picture. The
constant has the picture of the true ones, although it knows nothing about a row.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import expit, logit

from skimbalance.calibration import LabelCalibrator
from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.displays import MultilabelCalibrationDisplay
from skimbalance.metrics import (
    expected_observed_ratio,
    multilabel_average_precision_score,
    multilabel_log_loss,
)

_, Y, posterior = make_imbalanced_multilabel(
    20_000, n_labels=10, cardinality=2, return_posterior=True, random_state=0
)
z = logit(posterior.astype(float))
rng = np.random.default_rng(0)
proba = {
    "calibrated": posterior,
    "too many: odds times nine": expit(z + np.log(9)),
    "over-confident: noise and a slope of 2": expit(
        2 * (z + rng.normal(size=z.shape) - z.mean(axis=0)) + z.mean(axis=0)
    ),
    "the constant base rate": np.tile(Y.mean(axis=0), (len(Y), 1)),
}

# %%
# Points above the diagonal: more positives than expected. Below it: fewer. A dot is a
# label, a line joins bins of entries of all labels.

figure, axes = plt.subplots(2, 2, figsize=(10, 9), layout="constrained")
for ax, (name, p) in zip(axes.flat, proba.items(), strict=True):
    MultilabelCalibrationDisplay.from_predictions(Y, p, ax=ax)
    ax.set_title(name)
plt.show()

# %%
# The figures that belong to the pictures. A calibrator is fitted on one half of the
# rows and applied to the other.

half = len(Y) // 2
print(f"{'':40}{'macro AP':>9}{'exp./obs.':>10}{'log-loss':>10}{'calibrated':>11}")
for name, p in proba.items():
    scores = logit(np.clip(p, 1e-6, 1 - 1e-6).astype(float))
    calibrator = LabelCalibrator().fit(scores[:half], Y[:half])
    mended = expit(calibrator.transform(scores[half:]))
    print(
        f"{name:40}{multilabel_average_precision_score(Y, p):9.3f}"
        f"{expected_observed_ratio(Y, p):10.2f}"
        f"{multilabel_log_loss(Y[half:], p[half:]):10.3f}"
        f"{multilabel_log_loss(Y[half:], mended):11.3f}"
    )

# %%
# Conclusion
# ----------
#
# A *shift* (all points on one side of the diagonal) is a wrong base rate or a weight
# that was not corrected: the calibrator repairs it, to the log-loss of the true
# probabilities, and the ranking was never wrong. A *slope* (too few positives at high
# probabilities, too many at low ones) is over-confidence: the calibrator repairs the
# slope, not the noise, so the log-loss stays above that of the true probabilities. And
# a diagonal alone proves little: the constant base rate is calibrated, but has the
# worst average precision, and no calibrator improves it. Read the diagram together with
# average precision and log-loss.
