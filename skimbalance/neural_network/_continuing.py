"""What lets a training go on: from an earlier fit, or from a checkpoint."""

import numbers

import numpy as np

from skimbalance._net import digest, identity_of, training_callbacks
from skimbalance._validation import check_layer_sizes
from skimbalance.neural_network._parameters import as_switch, resolve_optimizer

# What changes no weights, or may be changed on purpose when a run is resumed. All other
# parameters have to be the same, those that are added later as well.
_FREE_PARAMS = {
    "accelerator",
    "callbacks",
    "checkpoint",
    "compile",
    "correct_probabilities",
    "data_device",
    "device",
    "lr",
    "max_epochs",
    "num_workers",
    "random_state",
    "resume",
    "threshold",
    "threshold_params",
    "verbose",
    "warm_start",
}


# Parameters that may be given in several forms.
_ONE_FORM = {
    "early_stopping": as_switch,
    "hidden_layer_sizes": check_layer_sizes,
    "optimizer": resolve_optimizer,
    "standardize": as_switch,
}


def run_identity(estimator, rows, held_out):
    """Return what a run has in common with one that may resume it, as texts.

    Parameters
    ----------
    estimator : BaseImbalancedNet
    rows, held_out : EncodedRows, and EncodedRows or None
        The two parts of the data.
    """
    identity = {
        name: identity_of(_ONE_FORM.get(name, lambda given: given)(value))
        for name, value in estimator.get_params(deep=False).items()
        if name not in _FREE_PARAMS
    }
    if isinstance(estimator.random_state, numbers.Integral):
        identity["random_state"] = identity_of(estimator.random_state)
    X, y, weight, index = (None,) * 4 if held_out is None else _arrays(held_out)
    return {
        **identity,
        "callbacks": identity_of(training_callbacks(estimator.callbacks)),
        "sizes of the weights": repr(_shapes(estimator.net_)),
        "number of training rows": repr(len(rows)),
        "number of held-out rows": repr(0 if held_out is None else len(held_out)),
        "data of X": digest(rows.X, X),
        "data of y": digest(rows.values, y),
        "data of sample_weight": digest(rows.weight, weight),
        "choice of the held-out rows": digest(rows.index, index),
    }


def _arrays(rows):
    return rows.X, rows.values, rows.weight, rows.index


def _shapes(net):
    state = net.module_.state_dict()
    return {name: tuple(value.shape) for name, value in state.items()}


def check_warm_start(estimator, target, is_scaled):
    """Raise a ValueError where a fitted net cannot go on with other data.

    Parameters
    ----------
    estimator : BaseImbalancedNet
        Fitted, with a net.
    target : Target
        Of the present data.
    is_scaled : bool
        Whether inputs are to be scaled.
    """
    faults = {
        "the classes and labels of the earlier fit, but y has others": not (
            np.array_equal(estimator.classes_, target.classes)
        ),
        f"rows of shape {estimator._net_shape}, but X has rows of shape "
        f"{estimator._input_shape}": estimator._input_shape != estimator._net_shape,
        f"inputs that are {'' if estimator.scaler_ else 'not '}scaled, but "
        f"standardize={estimator.standardize!r}": is_scaled
        != (estimator.scaler_ is not None),
    }
    for fault in (text for text, holds in faults.items() if holds):
        raise ValueError(
            f"warm_start=True goes on with {fault}. Set warm_start=False to start anew."
        )


def take_over(net, previous, is_flat):
    """Put the weights and the history of an earlier net into a new one.

    Its epochs are told to no callback: schedules and what is to happen at an epoch
    begin anew, as the optimizer does.

    Parameters
    ----------
    net, previous : Net
    is_flat : bool
        Whether parameters of the module are parameters of the estimator, which names
        them in the error.
    """
    if _shapes(previous) != _shapes(net):
        raise ValueError(
            "warm_start=True goes on with the weights of the earlier fit, which do not "
            f"fit the present module: {_changed(previous, net, is_flat)} changed. Set "
            "it back, or set warm_start=False to start anew."
        )
    net.module_.load_state_dict(previous.module_.state_dict())
    net.earlier_ = list(previous.history)


def _changed(previous, net, is_flat):
    """Return the parameters in which the modules of two nets differ, as a text."""
    before, after = previous.module__params, net.module__params
    changed = [
        key if is_flat else f"module__{key}"
        for key in sorted(before.keys() | after.keys())
        if identity_of(before.get(key)) != identity_of(after.get(key))
    ]
    if identity_of(previous.module__build) != identity_of(net.module__build):
        changed.insert(0, "module")
    if previous.module_.n_members != net.module_.n_members:
        changed.append("n_members")
    return ", ".join(changed) or "module"
