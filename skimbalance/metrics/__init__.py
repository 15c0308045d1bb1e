"""Metrics of label matrices: rare, sparse and missing labels are read as they are.

Two ratios have the number of true positives below: `expected_observed_ratio` the sum of
the probabilities above, `predicted_observed_ratio` the number of predicted positives.
The first one measures calibration, the second one thresholds.

A label for which a metric is not defined, such as one without positives, is left out of
the mean with one warning that counts such labels (``undefined="skip"``).
"""

from skimbalance.exceptions import UndefinedLabelWarning
from skimbalance.metrics._imbalance import (
    imbalance_ratio_cv,
    imbalance_ratio_per_label,
    imbalance_report,
    label_cardinality,
    label_density,
    label_diversity,
    mean_imbalance_ratio,
    scumble_score,
    theoretical_complexity_score,
)
from skimbalance.metrics._per_label import (
    calibration_error,
    expected_observed_ratio,
    multilabel_average_precision_score,
    multilabel_brier_score_loss,
    multilabel_fbeta_score,
    multilabel_log_loss,
    multilabel_roc_auc_score,
    predicted_observed_ratio,
)
from skimbalance.metrics._ranking import (
    coverage_error,
    label_propensity,
    label_ranking_average_precision_score,
    ndcg_at_k,
    precision_at_k,
    propensity_scored_precision_at_k,
    recall_at_k,
)
from skimbalance.metrics._reports import label_frequency_report, label_report
from skimbalance.metrics._scorers import get_scorer, get_scorer_names
from skimbalance.metrics._splits import (
    empty_label_fold_count,
    example_distribution_distance,
    label_distribution_distance,
    label_pair_distribution_distance,
)

__all__ = [
    "UndefinedLabelWarning",
    "calibration_error",
    "coverage_error",
    "empty_label_fold_count",
    "example_distribution_distance",
    "expected_observed_ratio",
    "get_scorer",
    "get_scorer_names",
    "imbalance_ratio_cv",
    "imbalance_ratio_per_label",
    "imbalance_report",
    "label_cardinality",
    "label_density",
    "label_distribution_distance",
    "label_diversity",
    "label_frequency_report",
    "label_pair_distribution_distance",
    "label_propensity",
    "label_ranking_average_precision_score",
    "label_report",
    "mean_imbalance_ratio",
    "multilabel_average_precision_score",
    "multilabel_brier_score_loss",
    "multilabel_fbeta_score",
    "multilabel_log_loss",
    "multilabel_roc_auc_score",
    "ndcg_at_k",
    "precision_at_k",
    "predicted_observed_ratio",
    "propensity_scored_precision_at_k",
    "recall_at_k",
    "scumble_score",
    "theoretical_complexity_score",
]
