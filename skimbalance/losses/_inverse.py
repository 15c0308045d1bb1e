"""Numerical inversion: what turns derivatives of a loss into a usable map.

A map from scores to log-odds must be finite and strictly increasing for scores up to
1e4, or ranks are tied and probabilities are 0, 1 or NaN. Derivatives of a loss give
such a map only where they neither underflow nor vanish; the rest is continued by hand.
"""

import torch

SCORE_LIMIT = 1e4
_SEARCH_LIMIT = 20.0  # 1 - sigmoid(20) still has half of its digits
_SEARCH_STEP = 0.25
_LEAST_SLOPE = 1e-3
_DIFFERENCE = 1e-4


def derivative(values, scores):
    """Return the elementwise derivative of `values` by `scores`, zero if unrelated."""
    if not values.requires_grad:
        return torch.zeros_like(scores)
    return torch.autograd.grad(values.sum(), scores)[0]


def narrow(holds, inside, outside, steps=60):
    """Close in on the border of `holds` from both sides; return the inner end."""
    for _ in range(steps):
        middle = (inside + outside) / 2
        hit = holds(middle)
        inside = torch.where(hit, middle, inside)
        outside = torch.where(hit, outside, middle)
    return inside


def solve_increasing(function, target):
    """Solve ``function(z) == target`` for z within the limit of scores."""
    low = torch.full_like(target, -SCORE_LIMIT)
    return narrow(lambda z: function(z) <= target, low, -low, steps=100)


def continue_linearly(function, floor, n_columns):
    """Make an increasing function finite and strictly increasing everywhere.

    It is kept on the interval around its zero where it is finite, at least `floor`, and
    not flat. Beyond that it goes on as a straight line.

    Parameters
    ----------
    function : callable
        Elementwise, or by column, on float64 tensors of shape (n, n_columns).
    floor : Tensor broadcastable to (n_columns,)
        Values under it are not trusted.
    n_columns : int
        1 if `function` does not depend on the column.

    Returns
    -------
    callable
        On tensors whose last dimension broadcasts with n_columns.
    """

    def slope(z):
        return (function(z + _DIFFERENCE) - function(z - _DIFFERENCE)) / _DIFFERENCE / 2

    def usable(z):
        values = function(z)
        steep = slope(z).nan_to_num(0.0, posinf=0.0, neginf=0.0) >= _LEAST_SLOPE
        return values.isfinite() & (values >= floor) & steep

    low, high = _usable_interval(function, usable, floor, n_columns)
    ends = torch.stack([low, high])
    low_value, high_value = function(ends)
    low_slope, high_slope = slope(ends).clamp(min=_LEAST_SLOPE)

    def continued(z):
        inner = function(z.clamp(low, high))
        below = low_value + low_slope * (z - low)
        above = high_value + high_slope * (z - high)
        return torch.where(z < low, below, torch.where(z > high, above, inner))

    return continued


def _usable_interval(function, usable, floor, n_columns):
    """Return the ends, by column, of the usable interval around the zero."""
    steps = int(2 * _SEARCH_LIMIT / _SEARCH_STEP) + 1
    grid = torch.linspace(-_SEARCH_LIMIT, _SEARCH_LIMIT, steps, dtype=torch.float64)
    grid = grid.to(floor.device).reshape(-1, 1).expand(-1, n_columns)
    good = usable(grid)
    centre = function(grid).abs().masked_fill(~good, torch.inf).argmin(dim=0)
    index = torch.arange(steps, device=floor.device).reshape(-1, 1)
    first = torch.where(~good & (index < centre), index + 1, 0).amax(dim=0)
    last = torch.where(~good & (index > centre), index - 1, steps - 1).amin(dim=0)
    outward = torch.tensor([[-_SEARCH_STEP], [_SEARCH_STEP]]).to(grid)
    ends = torch.stack([grid[first, 0], grid[last, 0]])
    return narrow(usable, ends, ends + outward)


def solve_fixed_point(function, target, steps=1000):
    """Solve ``function(z) == target`` by steps along the error, halved when it grows.

    For maps whose slope is positive and bounded, such as log-posteriors by scores.
    """
    scores, rate = target.clone(), 1.0
    error = target - function(scores)
    for _ in range(steps):
        trial = scores + rate * error
        trial_error = target - function(trial)
        if trial_error.norm() < error.norm():
            scores, error = trial, trial_error
        else:
            rate /= 2
        if error.abs().max() < 1e-14 or rate < 1e-9:
            break
    return scores
