"""A trial of the user's module on real rows, before any training."""

import contextlib

import torch
from torch.func import functional_call

from skimbalance._base import warn_user
from skimbalance.exceptions import ModuleOutputWarning
from skimbalance.neural_network._module import check_scores

# Factors of the parameters that leave a sigmoid in [0, 1], and little else.
_STRETCHES = 30.0, -30.0
_TOLERANCE = 1e-4


def reads_integers(module, x):
    """Whether a module takes rows of integers, as one with embeddings does.

    Parameters
    ----------
    module : ScoreModule
    x : Tensor of int64
        The first rows.
    """
    try:
        with _evaluated_body(module) as body:
            check_scores(body(x), len(x), module.n_outputs)
    except Exception:  # linear layers and convolutions read floats only
        return False
    return True


def try_module(module, x):
    """Raise, or warn, where a module does not give raw scores of real rows.

    Parameters
    ----------
    module : ScoreModule
        Before it is trained.
    x : Tensor or SparseRows
        The first rows, as the module reads them.
    """
    with _evaluated_body(module) as body:
        try:
            scores = check_scores(body(x), len(x), module.n_outputs)
        except (RuntimeError, IndexError, NotImplementedError) as error:
            raise ValueError(
                f"module fails on the first rows of X, given to it as {_told(x)}: "
                f"{error}"
            ) from error
        if not scores.isfinite().all():
            raise ValueError(
                "module gives NaN or infinite scores for the first rows of X before it "
                "is trained. Look for a logarithm, a root or a division in it, or "
                "scale X."
            )
        kind = _bounded_kind(body, x, scores)
    if kind is not None:
        warn_user(
            f"The module seems to end in a {kind}: its outputs are probabilities, but "
            "raw scores (logits) are expected. The loss applies the nonlinearity by "
            f"itself, so leave the {kind} out of the module.",
            ModuleOutputWarning,
        )


@contextlib.contextmanager
def _evaluated_body(module):
    """Give the user's module, or that of one member, without a trace of its use."""
    body = module.body if module.n_members == 1 else module.member(0).body
    was_training, device = body.training, module.bias.device
    body.eval()
    try:
        devices = [device] if device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices), torch.no_grad():
            yield body
    finally:
        body.train(was_training)


def _told(x):
    if not isinstance(x, torch.Tensor):
        return f"{type(x).__name__} of shape {tuple(x.shape)}"
    return f"a tensor of {x.dtype} and shape {tuple(x.shape)}"


def _bounded_kind(body, x, scores):
    """Return "softmax" or "sigmoid" where a module ends in one, or None."""
    if not _in_unit_interval(scores) or scores.max() - scores.min() < _TOLERANCE:
        return None
    if not all(_in_unit_interval(_stretched(body, x, by)) for by in _STRETCHES):
        return None
    sums = scores.double().sum(dim=1)
    is_softmax = scores.shape[1] > 1 and bool((sums - 1).abs().max() < _TOLERANCE)
    return "softmax" if is_softmax else "sigmoid"


def _in_unit_interval(scores):
    return bool(((scores >= 0) & (scores <= 1)).all())


def _stretched(body, x, factor):
    """Return the output of a module with parameters times a factor."""
    named = body.named_parameters()
    return functional_call(body, {name: p * factor for name, p in named}, (x,))
