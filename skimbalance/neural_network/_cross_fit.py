"""Which rows a fit holds out: a fold from each member, one part from all, or none.

With folds, each member trains on the rows of all other folds, and every row has a score
of the member that did not train on it. Early stopping, calibration and thresholds read
these scores only.
"""

import numpy as np
from sklearn.base import BaseEstimator

from skimbalance._base import warn_user
from skimbalance._labels import BINARY
from skimbalance.exceptions import ImbalanceWarning
from skimbalance.modules import MLP
from skimbalance.neural_network._checkpoint import digest_of_values
from skimbalance.neural_network._checks import goes_on
from skimbalance.neural_network._data import JoinedRows
from skimbalance.neural_network._rows import is_tiny
from skimbalance.thresholds._rules import resolve_rule

# Members, and so folds, where the user leaves the choice: on 27 multilabel sets five
# nets are ahead of one by .016 in macro average precision, and 10 to 20 gained nothing.
_N_FOLDS = 5
# Values of inputs and targets up to which `cross_fit="auto"` trains a net a fold.
# Five nets take about five times as long as one, which 80,000 rows of 7,900 labels need
# not: a tenth of them has enough positives to judge by. The bound is a choice.
_MOST_VALUES = 2**26
# What learns the same from other rows.
_WRAPPERS = {
    "threshold": "skimbalance.thresholds.MultilabelFixedThresholdClassifier",
    "correct_probabilities": (
        "skimbalance.calibration.MultilabelCalibratedClassifierCV"
    ),
}


def hold_out(estimator, data, rng, saved=None):
    """Hold out rows of the data as the parameters ask for.

    Parameters
    ----------
    estimator : BaseImbalancedNet
    data : TrainingData
    rng : RandomState
    saved : ndarray of int16 or None
        Folds, or the held-out part, of a checkpoint, which a resumed run goes on with.
    """
    holds_out = bool(estimator.early_stopping)
    if isinstance(estimator.early_stopping, str):
        holds_out = not is_tiny(len(data.rows))
    crosses = _cross_fits(estimator, data, holds_out)
    if not crosses and (data.held_out is not None or not holds_out):
        return
    kept = saved if saved is not None else _kept_parts(estimator, data, crosses)
    if _suits(kept, data):
        (data.set_folds if crosses else data.set_held_out)(kept)
    elif crosses:
        data.split_folds(_n_folds(estimator), rng)
    else:
        data.split(estimator.validation_fraction, rng)


def check_held_out(estimator, data):
    """Raise a ValueError where a parameter lacks the rows that it is learnt from."""
    name = _learnt_parameter(estimator)
    if name and data.held_out is None:
        raise ValueError(
            f"{name}={getattr(estimator, name)!r} is learnt from held-out rows, and "
            f"there are none among {len(data.rows)} rows: pass X_val and y_val, set "
            f"early_stopping=True, or wrap the estimator in {_WRAPPERS[name]}."
        )


def check_needs_no_held_out(estimator):
    """Raise a ValueError where `partial_fit` would have to hold out rows."""
    name = _learnt_parameter(estimator)
    if name:
        raise ValueError(
            f"{name}={getattr(estimator, name)!r} is learnt from held-out rows, and "
            "partial_fit holds none out: choose a value that needs none, or wrap the "
            f"fitted estimator with cv='prefit' in {_WRAPPERS[name]}."
        )


def _learnt_parameter(estimator):
    """Return the name of a parameter that asks for held-out rows, or None."""
    if resolve_rule(estimator.threshold).needs_held_out:
        return "threshold"
    if isinstance(estimator.correct_probabilities, BaseEstimator):
        return "correct_probabilities"
    return None


def _cross_fits(estimator, data, holds_out):
    """Return whether each member holds out a fold of its own."""
    if isinstance(estimator.cross_fit, str):
        if data.held_out is not None or not holds_out or estimator.n_members == 1:
            return False
        if goes_on(estimator):  # with as many nets as there are
            return _was_cross_fitted(estimator)
        n_rows = len(data.rows)
        is_suitable = not is_tiny(n_rows) and _n_values(data.rows) <= _MOST_VALUES
        return estimator._module()[0] is MLP and is_suitable
    if estimator.cross_fit and data.held_out is not None:
        raise ValueError(
            "cross_fit=True holds out folds of X, and X_val is held out already. "
            "Leave X_val and y_val out, or set cross_fit='auto'."
        )
    if estimator.cross_fit and _n_folds(estimator) == 1:
        # Those of a warm start are as many as there are.
        way_out = "warm_start=False" if goes_on(estimator) else "n_members='auto'"
        raise ValueError(f"cross_fit=True needs at least two members: set {way_out}.")
    return bool(estimator.cross_fit)


def _n_values(rows):
    """Return the number of values of inputs, without zeros if sparse, and targets."""
    n_inputs = rows.X.nnz if hasattr(rows.X, "nnz") else rows.X.size
    return n_inputs + len(rows) * rows.target.n_outputs


def _n_folds(estimator):
    """Return the number of folds, which is that of the members."""
    if estimator.n_members != "auto":
        return int(estimator.n_members)
    return estimator.net_.module_.n_members if goes_on(estimator) else _N_FOLDS


def _was_cross_fitted(estimator):
    return goes_on(estimator) and estimator._output.has_learnt is not None


def _identity(rows):
    """Return a text that is the same for the same rows, in whatever container."""
    inputs = rows.X.arrays if isinstance(rows.X, JoinedRows) else [rows.X]
    return digest_of_values(*inputs, rows.values)


def _kept_parts(estimator, data, are_folds):
    """Return the folds, or the held-out part, of a fit of the same rows, or None."""
    folds = getattr(estimator, "_folds", None)
    if not goes_on(estimator) or folds is None:
        return None
    if _was_cross_fitted(estimator) != are_folds:
        return None
    net = estimator.net_
    # As many members were asked for, or there are as many: groups may allow fewer.
    known = "auto", net.outputs_.estimator.n_members, net.module_.n_members
    if estimator.n_members not in known:
        return None
    identity, part = folds
    return part if identity == _identity(data.rows) else None


def _suits(part, data):
    """Return whether each row has a part, none is empty, and none divides a group."""
    if part is None or len(part) != data.rows.X.shape[0]:
        return False
    n_parts = part.max() + 1
    part = part[data.rows.index]
    if data.groups is not None:
        groups = data.groups[data.rows.index]
        _, first, group = np.unique(groups, return_index=True, return_inverse=True)
        if (part != part[first][group]).any():
            return False
    return bool((part >= 0).all() and np.bincount(part, minlength=n_parts).all())


def trained_on_others(estimator, data):
    """Return whether nets that hold out rows may have trained on them before.

    Then a score of held-out rows may be that of training rows. Where the last fit has
    learnt nothing from held-out rows, there is nothing to keep instead.
    """
    if not goes_on(estimator) or not data.is_split:
        return False
    if not estimator._output.has_corrections and not _was_cross_fitted(estimator):
        return False
    return data.part is not _kept_parts(estimator, data, data.n_folds > 0)


def keep_corrections(output, previous):
    """Give an output model the calibration and the thresholds of an earlier fit."""
    output.keep_corrections(previous)
    warn_user(
        "warm_start=True goes on with other rows than the last fit, or with groups "
        "that its folds divide, or its held-out part. A row may be held out from a net "
        "that has trained on it, so the scores that stop the training may be too high, "
        "and the calibration and the thresholds of the last fit are kept. Pass the "
        "same rows and groups again, or set warm_start=False.",
        ImbalanceWarning,
    )


def remember_folds(estimator, data, are_held_out):
    """Let a warm start on the same rows hold out the same ones again.

    None are remembered where nets may have trained on them before.
    """
    estimator._folds = None
    if data.is_split and are_held_out:
        estimator._folds = _identity(data.rows), data.part


def out_of_fold_log_odds(estimator, rows, raw):
    """Return the scores of all rows as `decision_function` has them, NaN for others.

    Parameters
    ----------
    estimator : BaseImbalancedNet
    rows : Rows
        In the order of the folds.
    raw : Tensor
        Their out-of-fold raw scores.
    """
    target, scores = estimator._target, estimator._output.scores(raw)
    scores = -scores if target.is_flipped else scores
    kept = np.full((rows.X.shape[0], scores.shape[1]), np.nan, dtype=np.float32)
    kept[rows.index] = scores
    return kept.ravel() if target.kind == BINARY else kept
