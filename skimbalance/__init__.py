"""Deep nets for imbalanced classification, behind scikit-learn's interface.

The modules:

===================  ==========================================================
`neural_network`     `ImbalancedNetClassifier`, `ImbalancedMLPClassifier`
`losses`             weighted, focal, asymmetric, ... losses, with their inverses
`weights`            `compute_pos_weight`, `compute_label_weight` and a transformer
`model_selection`    multilabel-stratified splitters
`metrics`            scores and imbalance measures that read missing labels
`over_sampling`      multilabel resamplers that add rows for rare labels
`under_sampling`     multilabel resamplers that remove rows of frequent labels
`thresholds`         from probabilities to predictions: rules, search, costs
`calibration`        calibrators for scores without an exact inverse, prior shift
`ensemble`           a weighted, calibrated combination of different classifiers
`displays`           precision-recall, calibration, threshold and training plots
`datasets`           generators of imbalanced problems
`modules`            the torch modules used as defaults
`preprocessing`      the scaling of the inputs of the default net
`exceptions`         warnings, all derived from one class
===================  ==========================================================

Submodules are imported on first use, so that ``import skimbalance`` imports no other
library.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # editors and type checkers complete the names from here
    from skimbalance import (
        calibration,
        datasets,
        displays,
        ensemble,
        exceptions,
        losses,
        metrics,
        model_selection,
        modules,
        neural_network,
        over_sampling,
        preprocessing,
        thresholds,
        under_sampling,
        weights,
    )

__version__ = "0.1.0"

__all__ = [
    "calibration",
    "datasets",
    "displays",
    "ensemble",
    "exceptions",
    "losses",
    "metrics",
    "model_selection",
    "modules",
    "neural_network",
    "over_sampling",
    "preprocessing",
    "thresholds",
    "under_sampling",
    "weights",
]


def __getattr__(name):
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return [*globals(), *__all__]
