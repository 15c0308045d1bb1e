"""Links of softmax losses: the checked map from scores to log-probabilities.

The scores that minimise the expected loss satisfy ``eta G(z) = 0`` for the matrix
``G[y, k] = d l_y / d z_k``, so the posterior is its left null vector. That it exists,
is positive, and that every posterior belongs to scores of its own is checked on some.
"""

import torch

from skimbalance.losses._inverse import CONTRADICTS, DECLARED

_TOLERANCE = 1e-3
_N_TESTED = 3
_TEST_STEPS = 500
NO_MAP = "has no map from scores to probabilities of the classes"
_MISSES = "has no scores for some probabilities of the classes"


class SoftmaxLink:
    """A checked map from scores to log-probabilities; the softmax where it failed.

    Parameters
    ----------
    function : callable
        From scores of shape (n, n_classes) to log-probabilities up to a constant.
    shift : Tensor of float64, shape () or (n_classes,)
        What is subtracted: the log of the weights by true class.
    problem : str or None
        Why the map is no inverse; None where it is one.
    is_proper : bool
        Whether scores are log-probabilities as they are.
    """

    def __init__(self, function, shift, problem, is_proper):
        self.function, self.shift, self.problem = function, shift, problem
        self.is_proper = is_proper

    def __call__(self, scores):
        scores = torch.as_tensor(scores, dtype=torch.float64)
        if self.problem not in (None, DECLARED):
            return scores.log_softmax(dim=1)
        return (self.function(scores) - self.shift).log_softmax(dim=1)

    def initial_scores(self, prior):
        """Return the scores of mean 0 that stand for the base rates."""
        scores = solve_fixed_point(self, torch.log(prior).reshape(1, -1))[0]
        return scores - scores.mean()


def find_softmax_link(function, slopes, prior, shift, *, is_closed):
    """Check a map from scores to log-posteriors against the slopes of the loss.

    Parameters
    ----------
    function : callable
        From scores of shape (n, n_classes) to log-posteriors up to a constant.
    slopes : callable
        From such scores to the matrices G, of shape (n, n_classes, n_classes).
    prior : Tensor of float64, shape (n_classes,)
        The base rates.
    shift : Tensor of float64, shape () or (n_classes,)
        The log of the weights by true class.
    is_closed : bool
        Whether `function` is a closed form, and not derived from the slopes.

    Returns
    -------
    SoftmaxLink
        With a `problem` where the map is no inverse.
    """
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(4, len(prior), generator=generator, dtype=torch.float64)
    scores = 2 * scores.to(prior.device)
    error = (function(scores).log_softmax(1) - scores.log_softmax(1)).abs().max()
    problem = _problem(function, slopes, prior, scores, is_closed)
    return SoftmaxLink(function, shift, problem, bool(error < 1e-6))


def _problem(function, slopes, prior, scores, is_closed):
    """Return why the map is no inverse, or None."""
    if not is_closed:
        matrices = slopes(scores)
        posterior = left_null_vector(matrices)
        if not _balances(posterior, matrices) or not (posterior > 0).all():
            return NO_MAP
    targets = _tested_posteriors(prior)
    found = solve_fixed_point(
        lambda z: function(z).log_softmax(1),
        targets.log(),
        steps=_TEST_STEPS,
        tolerance=_TOLERANCE / 10,
    )
    reached = (function(found).log_softmax(1) - targets.log()).abs()
    if not (reached < _TOLERANCE).all():
        return _MISSES
    if not _balances(targets, slopes(found)):
        return CONTRADICTS if is_closed else NO_MAP
    first, second = torch.triu_indices(len(targets), len(targets), 1)
    along = (found[first] - found[second]) * (targets[first] - targets[second])
    return None if (along.sum(dim=1) > -1e-12).all() else NO_MAP


def _tested_posteriors(prior):
    """Return some posteriors: the base rates, and some near one class."""
    n_classes = len(prior)
    even = torch.full_like(prior, 1 / n_classes)
    corners = torch.eye(n_classes).to(prior)[:_N_TESTED]
    mixed = 0.7 * corners + 0.15 * prior + 0.15 * even
    return torch.cat([torch.stack([prior, (prior + 2 * even) / 3]), mixed])


def _balances(posteriors, matrices):
    """Tell whether the expected slopes vanish, which they do at a minimum."""
    expected = (posteriors.unsqueeze(1) @ matrices).abs().amax(dim=(1, 2))
    size = (posteriors.unsqueeze(2) * matrices).abs().amax(dim=(1, 2))
    return bool((expected <= _TOLERANCE * size).all() and (size > 0).all())


def left_null_vector(matrices):
    """Solve ``p G = 0`` with sum 1 for a stack of square matrices of rank K - 1."""
    system = matrices.transpose(1, 2).clone()
    system[:, -1] = 1.0
    right = torch.zeros_like(system[:, :, 0])
    right[:, -1] = 1.0
    return torch.linalg.solve_ex(system, right).result


def solve_fixed_point(function, target, steps=1000, tolerance=1e-14):
    """Solve ``function(z) == target`` row by row, for maps of bounded positive slope.

    Steps go along the error; a row's are halved where it grows, else lengthened.
    """
    scores, rate = target.clone(), torch.ones_like(target[:, :1])
    error = target - function(scores)
    for _ in range(steps):
        trial = scores + rate * error
        trial_error = target - function(trial)
        better = trial_error.norm(dim=1, keepdim=True) < error.norm(dim=1, keepdim=True)
        scores = torch.where(better, trial, scores)
        error = torch.where(better, trial_error, error)
        rate = torch.where(better, 1.2 * rate, rate / 2)
        if ((error.abs().amax(dim=1) < tolerance) | (rate[:, 0] < 1e-9)).all():
            break
    return scores
