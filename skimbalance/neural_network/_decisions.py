"""How a net decides: by rules on its probabilities, with cuts from held-out rows."""

import numpy as np

from skimbalance._validation import BINARY, check_choice, check_interval, closest
from skimbalance.thresholds._rules import (
    HELD_OUT_RULES,
    ROW_RULES,
    RULES,
    cost_cuts,
    decide_most_probable,
    expected_cardinality,
    held_out_cuts,
)

_DEFAULTS = {"beta": 1.0, "cost_fp": 1.0, "cost_fn": 1.0, "guard": False, "k": 1}


def reads_held_out_rows(threshold):
    """Whether a threshold is a rule whose cuts come from held-out rows."""
    return isinstance(threshold, str) and threshold in HELD_OUT_RULES


def compares_labels(threshold):
    """Whether a threshold is a rule that decides the labels of a row together."""
    return isinstance(threshold, str) and threshold in ROW_RULES


def check_rule(rule, params, kind, n_outputs):
    """Raise a ValueError unless a rule and its parameters suit the target."""
    check_choice("threshold", rule, {"trained", *RULES})
    for key in params or {}:
        if key not in _DEFAULTS:
            raise ValueError(
                f"threshold_params has no entry {key!r}.{closest(key, _DEFAULTS)} It "
                f"may hold {sorted(_DEFAULTS)}."
            )
    params = {**_DEFAULTS, **(params or {})}
    check_interval("threshold_params['beta']", params["beta"], 0)
    if rule == "cost":
        cost_cuts(params["cost_fp"], params["cost_fn"], n_outputs)
    if rule in ROW_RULES and kind == BINARY:
        raise ValueError(
            f"threshold={rule!r} compares the labels of a row: it needs a label matrix."
        )
    if rule == "top_k" and not (1 <= params["k"] <= n_outputs):
        raise ValueError(
            f"threshold_params['k']={params['k']} must be at most the number of labels,"
            f" {n_outputs}."
        )


def plain_cuts(rule, params, prior):
    """Return the probabilities above which labels are decided by a rule that knows."""
    params = {**_DEFAULTS, **(params or {})}
    if rule == "cost":
        return cost_cuts(params["cost_fp"], params["cost_fn"], len(prior))
    return prior if rule == "prior" else np.full(len(prior), 0.5)


def learnt_cuts(rule, params, labels, proba, weight):
    """Return the cuts of a rule that reads held-out rows."""
    params = {**_DEFAULTS, **(params or {})}
    options = {"beta": params["beta"], "guard": params["guard"]}
    return held_out_cuts(rule, labels, proba, weight, **options)


def decide_by_row(rule, params, proba):
    """Return whether each label is decided, by a rule that compares those of a row."""
    k = {**_DEFAULTS, **(params or {})}["k"]
    return decide_most_probable(
        proba, k if rule == "top_k" else expected_cardinality(proba)
    )
