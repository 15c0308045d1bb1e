"""Links: the checked maps from raw scores to log-odds or log-probabilities.

Derivatives of a loss give a map from scores to log-odds, but not always a usable one.
It has an inverse where every probability that the counted rows can tell from 0 and 1
belongs to one score. This is checked on the map itself, with the parameters of the
loss, its label counts and its `pos_weight`; nothing is taken on trust. Where the map
passes, or at least increases, it is continued so that scores up to 1e4 have finite,
strictly increasing log-odds; else the raw scores stay as they are.
"""

import torch

SCORE_LIMIT = 1e4
_SEARCH_LIMIT = 20.0  # 1 - sigmoid(20) still has half of its digits
_SEARCH_STEP = 0.125
# Farther scores are of interest only where nearer ones miss some probabilities.
_NEAR_LIMIT = 12.0
# No training brings a score beyond this, so what lies there is not reached.
_REACHED_LIMIT = 100.0
# Scores that a float32 net tells apart, and the log-odds that may lie between them.
_RESOLUTION = 1e-6
_LARGEST_JUMP = 0.5
_N_TARGETS = 24
_LEAST_SLOPE = 1e-3
# Beyond the ends of a map scores only rank: a steeper line would turn each of them
# into certainty, and leave calibrators nothing but outliers.
_LARGEST_SLOPE = 1.0
_LEAST_RISE = 1e-9  # rounding of a flat map is less
_DIFFERENCE = 1e-4
_BLOCK_ENTRIES = 2**20
# Where derivatives by autograd are exact enough to judge a closed form by.
_COMPARED_LIMIT = 8.0
_COMPARED_ERROR = 1e-2

_FALLS = "has no increasing map from scores to probabilities"
_MISSES = "has no score for some of the probabilities that the data can tell apart"
_JUMPS = "has one best score for many probabilities, since its slope jumps"
CONTRADICTS = "has a closed form that contradicts the derivatives of its own terms"
DECLARED = "is declared to have no inverse"
WEIGHED = "weighs an entry by other entries, which no map of its score undoes"


def derivative(values, scores):
    """Return the elementwise derivative of `values` by `scores`, zero if unrelated."""
    if not values.requires_grad:
        return torch.zeros_like(scores)
    (slope,) = torch.autograd.grad(values.sum(), scores, allow_unused=True)
    return torch.zeros_like(scores) if slope is None else slope


def log_slope_ratio(rising, falling):
    """Return ``log l_neg' - log(-l_pos')``.

    Infinite where one slope alone has the sign that pushes a score back, NaN where
    none has.
    """
    up, down = rising.clamp(min=0).log(), falling.neg().clamp(min=0).log()
    return up - down


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


class IdentityLink:
    """The link of a loss without an inverse: scores stay what they are."""

    def __init__(self, problem=DECLARED):
        self.problem, self.is_proper = problem, False

    def __call__(self, scores):
        return torch.as_tensor(scores, dtype=torch.float64)

    def initial_scores(self, prior):
        """Return zeros: without an inverse no start is better than another."""
        return torch.zeros_like(prior)


class LogOddsLink:
    """A map from scores to log-odds that was checked, and is finite and increasing.

    Parameters
    ----------
    function : callable
        Elementwise, or by column, on float64 tensors of shape (n, n_columns).
    shift : Tensor of float64, shape () or (n_columns,)
        What is subtracted: the log of the weight of the positives.
    ends : Tensor of float64, shape (2, n_columns)
        The scores between which the function is used; it goes on as a straight line.
    problem : str or None
        Why the map is no inverse; None where it is one.
    is_proper : bool
        Whether the function is the identity, which is then not computed.
    """

    def __init__(self, function, shift, ends, problem, is_proper):
        self.function, self.shift, self.problem = function, shift, problem
        self.is_proper, self.ends = is_proper, ends
        self._values, slopes = _value_and_slope(function, ends)
        self._slopes = slopes.clamp(_LEAST_SLOPE, _LARGEST_SLOPE)

    def __call__(self, scores):
        scores = torch.as_tensor(scores, dtype=torch.float64)
        if self.is_proper:
            return scores - self.shift
        inner = scores.clamp(*self.ends)
        slope = torch.where(scores < inner, self._slopes[0], self._slopes[1])
        value = torch.where(scores < inner, self._values[0], self._values[1])
        outer = value + slope * (scores - inner)
        return torch.where(scores == inner, self.function(inner), outer) - self.shift

    def initial_scores(self, prior):
        """Return the scores that stand for the base rates, by bisection."""
        return solve_increasing(self, torch.logit(prior))


def find_link(function, low, high, shift, n_columns):
    """Check a map from scores to log-odds, and make it usable for every score.

    Parameters
    ----------
    function : callable
        Elementwise, or by column, on float64 tensors of shape (n, n_columns).
    low, high : Tensor of float64, shape (n_columns,)
        The log-odds, before the shift, between which each value must belong to one
        score; values under `low` are not trusted.
    shift : Tensor of float64, shape () or (n_columns,)
        What is subtracted from the log-odds.
    n_columns : int
        1 if `function` does not depend on the column.

    Returns
    -------
    LogOddsLink or IdentityLink
        With a `problem` where the map is no inverse.
    """
    table = _Table(function, low, high, n_columns)
    problem = table.problem()
    if problem == _FALLS:
        return IdentityLink(problem)
    ends = table.usable_ends(_LEAST_SLOPE if problem else _LEAST_RISE)
    if ends is None:
        return IdentityLink(problem or _JUMPS)
    return LogOddsLink(function, shift, ends, problem, table.is_identity())


def contradicts(closed, general, low, high, n_columns):
    """Tell whether a closed form differs from the map that derivatives give."""
    grid = _grid(n_columns, low.device)
    grid = grid[grid[:, 0].abs() <= _COMPARED_LIMIT]
    ours, theirs = _by_block(general, grid), _by_block(closed, grid)
    judged = ours.isfinite() & (ours > low) & (ours < high)
    error = (ours - theirs).abs() > _COMPARED_ERROR * (1 + ours.abs())
    return bool((judged & (error | theirs.isnan())).any())


def _grid(n_columns, device):
    steps = int(2 * _SEARCH_LIMIT / _SEARCH_STEP) + 1
    grid = torch.linspace(-_SEARCH_LIMIT, _SEARCH_LIMIT, steps, dtype=torch.float64)
    return grid.to(device).reshape(-1, 1).expand(-1, n_columns)


def _by_block(function, table):
    """Evaluate a function of a table on some rows at a time, to spare memory."""
    size = max(1, _BLOCK_ENTRIES // table.shape[1])
    return torch.cat([function(rows.contiguous()) for rows in table.split(size)])


def _value_and_slope(function, scores):
    """Return a map and its derivative, by a central difference, in one call."""
    shifts = 0.0, _DIFFERENCE, -_DIFFERENCE
    values = function(torch.cat([scores + shift for shift in shifts]))
    value, high, low = values.chunk(3)
    return value, (high - low) / (2 * _DIFFERENCE)


class _Table:
    """The values of a map on a grid of scores, and what they tell about it."""

    def __init__(self, function, low, high, n_columns):
        self.function, self.low, self.high = function, low, high
        self.grid = _grid(n_columns, low.device)
        self.raw = _by_block(function, self.grid)
        known = ~self.raw.isnan()
        self.first_known = torch.where(known, self.grid, torch.inf).amin(dim=0)
        self.last_known = torch.where(known, self.grid, -torch.inf).amax(dim=0)
        self.values = self._without_far_ends(self._clamped(self.grid, self.raw))
        self.trusted = self._least_trusted()

    def _clamped(self, scores, values):
        """Clamp to the log-odds of interest; outer NaN counts as the end on its side.

        Both slopes vanish there, as they do where a sigmoid underflows.
        """
        values = torch.where(scores < self.first_known, self.low, values)
        values = torch.where(scores > self.last_known, self.high, values)
        return torch.minimum(torch.maximum(values, self.low), self.high)

    def _without_far_ends(self, values):
        """Let far scores count as an end, once the map has come to that end.

        A clamped sigmoid, say, pushes back no score that is so far out.
        """
        left = (values <= self.low) & (self.grid < 0)
        right = (values >= self.high) & (self.grid > 0)
        later = left.flip(0).cumsum(dim=0).flip(0) > 0
        earlier = right.cumsum(dim=0) > 0
        values = torch.where(later & (self.grid < -_NEAR_LIMIT), self.low, values)
        return torch.where(earlier & (self.grid > _NEAR_LIMIT), self.high, values)

    def _least_trusted(self):
        """Return, by column, the log-odds under which the map is not used.

        Nothing where it goes on rising all the way down, as a focal loss does. Else the
        least value of interest, or the last one where all of interest lie farther up.
        """
        rises = self.raw.diff(dim=0) >= _LEAST_SLOPE * _SEARCH_STEP
        rises = rises & self.raw[:-1].isfinite()
        endless = (rises | (self.values[:-1] > self.low)).all(dim=0)
        last = torch.minimum(self.low, self.raw[-1].nan_to_num(torch.inf))
        return torch.where(endless, -torch.inf, last)

    def problem(self):
        """Return why the map is no inverse, or None."""
        rises = self.values.diff(dim=0)
        rising = rises >= _LEAST_RISE
        begun = rising.cumsum(dim=0) > 0
        to_come = rising.flip(0).cumsum(dim=0).flip(0) > 0
        # A map that ends in flat parts misses probabilities; one with a flat part, a
        # fall or NaN between does not even order them.
        if (begun & to_come & ~rising).any() or not (rises > -_LEAST_RISE).all():
            return _FALLS
        if not (begun[-1] | self._reaches()).all():
            moves = (self.raw.diff(dim=0) >= _LEAST_RISE).any(dim=0)
            return _MISSES if moves.all() else _FALLS
        if not self._reaches().all():
            return _MISSES
        return _JUMPS if self._jumps() else None

    def is_identity(self):
        """Tell whether scores are log-odds as they are."""
        return bool((self.raw - self.grid).abs().nan_to_num(1.0).max() < 1e-6)

    def _reaches(self):
        """Tell by column whether each value of interest is taken, as the ends go on."""
        further = (_REACHED_LIMIT - _SEARCH_LIMIT) / _SEARCH_STEP
        steps = self.raw.diff(dim=0).nan_to_num(0.0, posinf=0.0, neginf=0.0)
        steps = torch.where(steps < _LEAST_SLOPE * _SEARCH_STEP, 0.0, steps)
        reaches_low = self.values[0] - further * steps[0] <= self.low
        reaches_high = self.values[-1] + further * steps[-1] >= self.high
        return reaches_low & reaches_high

    def _jumps(self):
        """Tell whether scores that a net cannot tell apart stand for unlike odds."""
        if (self.values.diff(dim=0) <= _LARGEST_JUMP).all():
            return False
        fraction = torch.linspace(0, 1, _N_TARGETS + 2).to(self.grid)[1:-1, None]
        below, above = self._locate(torch.lerp(self.low, self.high, fraction))
        first, last = (self._clamped(z, self.function(z)) for z in (below, above))
        return bool((last - first > _LARGEST_JUMP).any())

    def _locate(self, targets):
        """Return scores, as close as float32 tells apart, between which targets lie."""
        targets = targets.expand(-1, self.grid.shape[1])
        index = torch.searchsorted(
            self.values.T.contiguous(), targets.T.contiguous(), right=True
        ).T.clamp(1, len(self.grid) - 1)
        below, above = self.grid[:, 0][index - 1], self.grid[:, 0][index]
        while (above - below).max() > _RESOLUTION:
            middle = (below + above) / 2
            hit = self._clamped(middle, self.function(middle)) <= targets
            below, above = (
                torch.where(hit, middle, below),
                torch.where(hit, above, middle),
            )
        return below, above

    def _is_usable(self, scores, least_slope=_LEAST_SLOPE):
        """Tell where the map is finite, to be trusted and not flat."""
        values, slope = _value_and_slope(self.function, scores)
        slope = slope.nan_to_num(0.0, posinf=0.0, neginf=0.0)
        return values.isfinite() & (values >= self.trusted) & (slope >= least_slope)

    def usable_ends(self, least_slope):
        """Return the scores, by column, between which the map is used, or None.

        It must be so steep at least in the middle of what is of interest.
        """
        below, above = self._locate(((self.low + self.high) / 2).reshape(1, -1))
        centre = torch.where(self._is_usable(below, least_slope), below, above)
        if not self._is_usable(centre, least_slope).all():
            return None
        outer = torch.full_like(centre, _SEARCH_LIMIT)
        outer = torch.cat([-outer, outer])
        return narrow(self._is_usable, centre.expand_as(outer), outer)
