"""The module that is trained: the user's, and a bias that starts at the base rates."""

import copy
import inspect
from operator import attrgetter

import numpy as np
import torch
from torch import nn

from skimbalance.modules import SparseRows
from skimbalance.neural_network._copies import copied

_BODY = "body."


class ScoreModule(nn.Module):
    """The user's module, with an output bias that starts at the base rates.

    The bias is a parameter of our own, unless the module turns out to add one to its
    output by itself: then it is that one, with the start added to its value. What the
    user passes, or returns from a function, is copied and never changed.

    Parameters
    ----------
    build : callable
        ``build(n_features, n_outputs, **params)`` gives the user's module.
    params : dict
        Its parameters.
    n_features : int or tuple of int
        The shape of a row.
    n_outputs : int
        Number of raw scores of a row.
    bias : array-like of shape (n_outputs,)
        Where the bias starts.
    dtype : torch.dtype
        Of the weights.
    **more
        Further parameters that skorch's callbacks set, such as `InputShapeSetter`; they
        go to `build` if it takes them.
    """

    n_members = 1
    reads_integers = False

    def __init__(self, build, params, n_features, n_outputs, bias, dtype, **more):
        super().__init__()
        params = copied(params) | _accepted(build, more)
        self.body = copied(build(n_features, n_outputs, **params))
        if not isinstance(self.body, nn.Module):
            raise TypeError(
                f"module must return a torch.nn.Module, got {type(self.body).__name__}."
            )
        self.accepts_sparse = getattr(self.body, "accepts_sparse", False)
        self.n_outputs = n_outputs
        self.to(dtype)
        start = torch.as_tensor(bias, dtype=dtype)
        x = _probe(self.accepts_sparse, n_features, dtype)
        found = _added_bias(self.body, x, n_outputs)
        self.bias_name, self.own_bias = f"{_BODY}{found}", None
        if found is None:
            self.bias_name, self.own_bias = "own_bias", nn.Parameter(start.clone())
        else:
            self.bias.data += start

    @property
    def bias(self):
        """The output bias, which weight decay leaves alone."""
        return attrgetter(self.bias_name)(self)

    def forward(self, x):
        scores = check_scores(self.body(x), len(x), self.n_outputs)
        return scores if self.own_bias is None else scores + self.own_bias

    def members(self):
        """Return each net in this module, on copies of its weights."""
        return [self.member(0)]

    def member(self, number):  # noqa: ARG002
        """Return one net of this module, on a copy of its weights."""
        return copy.deepcopy(self)


def user_name(name):
    """Return the name that a parameter has in the user's own module."""
    return name.removeprefix(_BODY)


def check_scores(scores, n_rows, n_outputs):
    """Return what a user's module gives, if it is one raw score for each output."""
    if not isinstance(scores, torch.Tensor):
        kind = type(scores).__name__
        item = "its `logits`" if hasattr(scores, "logits") else "the item that holds it"
        raise TypeError(
            f"module returns a {kind}, but must return one tensor of raw scores of "
            f"shape (n_samples, n_outputs). Wrap it in a module that returns {item}."
        )
    if scores.shape != (n_rows, n_outputs):
        raise ValueError(
            f"module gives an output of shape {tuple(scores.shape)} for {n_rows} "
            f"rows, but must give shape {(n_rows, n_outputs)}: one raw score "
            "for each output. Its second argument, n_outputs, is their number."
        )
    if not scores.is_floating_point():
        raise TypeError(
            f"module gives an output of {scores.dtype}, but must give raw scores of a "
            "floating-point dtype."
        )
    return scores


def _accepted(build, params):
    """Return the parameters that a class or function takes by name."""
    if not params:
        return {}
    known = inspect.signature(build).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in known.values())
    return {key: params[key] for key in params if takes_any or key in known}


def _probe(accepts_sparse, n_features, dtype):
    """Return two rows that a module can be tried on."""
    if accepts_sparse:
        nothing = torch.zeros(0, dtype=torch.int64)
        offsets = torch.zeros(2, dtype=torch.int64)
        return SparseRows(nothing, offsets, nothing.to(dtype), n_features)
    return torch.zeros(2, *np.atleast_1d(n_features), dtype=dtype)


@torch.no_grad()
def _added_bias(module, x, n_outputs):
    """Return the name of the last parameter that is added to the output, or None.

    Found by trial: a step of the parameter has to be the step of the output.
    """
    was_training, found = module.training, None
    module.eval()
    try:
        scores = module(x)
        up = 100 + torch.linspace(0, 100, n_outputs).to(scores)
        for name, parameter in module.named_parameters():
            if parameter.shape == up.shape and parameter.requires_grad:
                steps = (_scores_after(module, x, parameter, z) for z in (up, -up))
                if all(map(_is_near, steps, (scores + up, scores - up))):
                    found = name
    except Exception:  # the module reads no such rows, and nothing is found
        return None
    finally:
        module.train(was_training)
    return found


def _scores_after(module, x, parameter, step):
    """Return the output after a step of a parameter, which is then taken back."""
    kept = parameter.clone()
    try:
        parameter += step
        return module(x)
    finally:
        parameter.copy_(kept)


def _is_near(scores, expected):
    return scores.shape == expected.shape and torch.allclose(scores, expected, 1e-3)
