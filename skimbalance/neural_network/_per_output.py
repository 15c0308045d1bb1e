"""Parameters that hold a value for each label or class, by position or by name."""

import numpy as np

from skimbalance._validation import align_weights, check_choice, closest
from skimbalance.weights import (
    LABEL_WEIGHT_SCHEMES,
    WEIGHT_SCHEMES,
    PosWeightTransformer,
)

_SCHEMES = {"pos_weight": WEIGHT_SCHEMES, "label_weight": LABEL_WEIGHT_SCHEMES}


def as_outputs(name, value, target, positive=False):
    """Return a number, or a number for each output, as an array of float64.

    Parameters
    ----------
    name : str
        Name of the parameter.
    value : float, array-like of shape (n_outputs,), dict, Series or data frame
    target : Target
        Names the outputs: the columns of a label frame, the classes of a multiclass
        target, the positive class of a binary one.
    positive : bool, default=False
        Whether all must be greater than 0.

    Returns
    -------
    ndarray of shape (n_outputs,)

    Raises
    ------
    ValueError
        If the value is no number, not finite, or of another shape.
    """
    array = np.asarray(align_weights(value, target.output_names, name))
    if array.dtype.kind not in "iuf":
        raise ValueError(
            f"{name}={value!r} must be a number, or a number for each label or class."
        )
    if array.shape not in ((), (1,), (target.n_outputs,)):
        raise ValueError(
            f"{name} has shape {array.shape}, expected a number or "
            f"({target.n_outputs},): one for each label, or class of a multiclass "
            "target."
        )
    if not (np.isfinite(array) & ((array > 0) | (not positive))).all():
        condition = "finite and greater than 0" if positive else "finite"
        raise ValueError(f"{name} must be {condition}, got {value!r}.")
    return np.broadcast_to(array, (target.n_outputs,)).astype(np.float64)


def resolve_weight(name, weight, target):
    """Return `pos_weight` or `label_weight` without names: a scheme, or an array.

    Parameters
    ----------
    name : {"pos_weight", "label_weight"}
    weight : None, str, PosWeightTransformer, float, array-like, dict or Series
    target : Target
    """
    if weight is None or isinstance(weight, PosWeightTransformer):
        return weight
    if isinstance(weight, str):
        check_choice(name, weight, _SCHEMES[name])
        return weight
    return as_outputs(name, weight, target, positive=True)


def resolve_bias(init_bias, target):
    """Return `init_bias` as "prior", or as an array with a number for each output."""
    if isinstance(init_bias, str):
        check_choice("init_bias", init_bias, {"prior", "zero"})
        return "prior" if init_bias == "prior" else np.zeros(target.n_outputs)
    return as_outputs("init_bias", init_bias, target)


def check_class_weight(class_weight, target):
    """Raise a ValueError unless the entries of a dict are weights of known classes.

    As in scikit-learn, a class that is left out has weight 1 if all keys are classes.
    """
    if not isinstance(class_weight, dict) or target.classes.ndim == 2:
        return
    for key, weight in class_weight.items():
        number = isinstance(weight, (int, float, np.number))
        if not number or not np.isfinite(weight) or weight < 0:
            raise ValueError(
                f"class_weight[{key!r}]={weight!r} must be a finite number that is not "
                "negative."
            )
    known = target.classes.tolist()
    unknown = [key for key in class_weight if key not in known]
    if unknown and any(label not in class_weight for label in known):
        raise ValueError(
            f"class_weight has the keys {unknown[:5]}, which are none of the classes, "
            f"{known[:5]}.{closest(unknown[0], known)}"
        )
