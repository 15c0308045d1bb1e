"""Deep nets for imbalanced classification, behind scikit-learn's interface.

The public modules:

===================  ==========================================================
`neural_network`     `ImbalancedNetClassifier`, `ImbalancedMLPClassifier`
`losses`             weighted, focal, asymmetric, ... losses, with their inverses
`weights`            `compute_pos_weight`, `compute_label_weight` and a transformer
`model_selection`    multilabel-stratified splitters
`metrics`            scores and imbalance measures that read missing labels
`thresholds`         threshold rules, tuned thresholds, costs
`calibration`        calibrators for scores without an exact inverse
`displays`           precision-recall, calibration, threshold and training plots
`datasets`           generators of imbalanced problems
`modules`            the torch modules used as defaults
`preprocessing`      the scaling of the inputs of the default net
`exceptions`         warnings, all derived from one class
===================  ==========================================================

A module is imported on first use: ``import skimbalance`` imports neither torch nor
scikit-learn.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # For editors and type checkers; at run time `__getattr__` imports them.
    from skimbalance import (
        calibration,
        datasets,
        displays,
        exceptions,
        losses,
        metrics,
        model_selection,
        modules,
        neural_network,
        preprocessing,
        thresholds,
        weights,
    )

__version__ = "0.1.0"

__all__ = [
    "calibration",
    "datasets",
    "displays",
    "exceptions",
    "losses",
    "metrics",
    "model_selection",
    "modules",
    "neural_network",
    "preprocessing",
    "thresholds",
    "weights",
]


def __getattr__(name: str):
    """Import a public module on first use."""
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
