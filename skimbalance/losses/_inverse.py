"""Links: the checked maps from raw scores to log-odds or log-probabilities.

Derivatives of a loss give a map from scores to log-odds, but not always a usable one.
It has an inverse where every probability that the counted rows can tell from 0 and 1
belongs to one score. This is checked on the map itself, with the parameters of the
loss, its label counts and its `pos_weight`. Where the map passes, or at least
increases, it is continued so that scores up to 1e4 have finite, strictly increasing
log-odds; otherwise the raw scores stay as they are.

For a softmax loss the scores that minimise the expected loss satisfy ``eta G(z) = 0``
for the matrix ``G[y, k] = d l_y / d z_k``, so the posterior is its left null vector.
That it exists, is positive, and that every posterior belongs to scores of its own is
checked on some posteriors.

The last part is the inverse of label smoothing. A target y becomes ``(1 - e) y + e
pi``, so the net learns ``t = (1 - e) eta + e pi`` and ``eta = (t - e pi) / (1 - e)``.
Smoothing towards 1/2 would raise a label of 1 % to 3 % at e = 0.05; towards its own
base rate it leaves the mean unchanged. A net may give a t that no eta in (0, 1) stands
for: from the least eta that the counted rows can tell from zero, the map continues
parallel to the identity on the log-odds.
"""

import numpy as np
import torch
from scipy.optimize.elementwise import find_root
from torch.autograd.function import once_differentiable

SCORE_LIMIT = 1e4
_SEARCH_LIMIT = 20.0  # 1 - sigmoid(20) still has half of its digits
_SEARCH_STEP = 0.125
# Beyond the search: where 1 - sigmoid still has three digits, and where it has none.
_PRECISE_SCORES = torch.arange(20.5, 30.5, 0.5, dtype=torch.float64)
_FAR_SCORES = torch.arange(31.0, 101.0, 1.0, dtype=torch.float64)
# Scores beyond this limit are of interest only where nearer ones miss probabilities.
_NEAR_LIMIT = 12.0
# No training brings a score beyond this, so what lies there is not reached.
_REACHED_LIMIT = 100.0
# Two scores this close are one to a float32 net; the log-odds may rise this much
# between them before the map counts as a jump.
_RESOLUTION = 1e-6
_LARGEST_JUMP = 0.5
# Probabilities, evenly spaced in log-odds, that the search for jumps follows.
_N_TARGETS = 24
_LEAST_SLOPE = 1e-3
# Beyond the ends of a map scores only rank: a steeper line would turn each of them
# into certainty, and leave calibrators nothing but outliers.
_LARGEST_SLOPE = 1.0
_LEAST_RISE = 1e-9  # the rounding error of a flat map is smaller
_DIFFERENCE = 1e-4  # of a central difference: about the cube root of float64's epsilon
_TABLE_ENTRIES = 2**20  # evaluated at a time: 8 MiB of float64
# Where derivatives by autograd are exact enough to judge a closed form by.
_COMPARED_LIMIT = 8.0
_COMPARED_ERROR = 1e-2

_FALLS = "has no increasing map from scores to probabilities"
_MISSES = (
    f"has no score within {_REACHED_LIMIT:.0f} of 0 for some of the probabilities that "
    "the data can tell apart"
)
_LEAVES = "has a map that bends at scores beyond 20, where it is continued as a line"
_JUMPS = "has one best score for many probabilities, since its slope jumps"
CONTRADICTS = "has a closed form that contradicts the derivatives of its own terms"
DECLARED = "is declared to have no inverse"
WEIGHTED = "weights an entry by other entries, which no map of its score inverts"

# Relative error up to which a posterior balances the gradients of a softmax loss.
_BALANCE_TOLERANCE = 1e-3
_N_TESTED = 3  # classes that a tested posterior lies near
_TEST_STEPS = 500
_SCALE_OF_TESTED_SCORES = 2.0
NO_MAP = "has no map from scores to probabilities of the classes"
_MISSES_CLASSES = "has no scores for some probabilities of the classes"


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


def as_vector(values):
    """Return numbers as a tensor of float64 with one axis."""
    return torch.atleast_1d(torch.as_tensor(values, dtype=torch.float64))


def _find_root(function, low, high):
    """Return where a function turns from negative to positive, by entry.

    `function` maps a table of scores to one of values, and may differ by column. Of the
    three tables returned, the first and the last lie left and right of the change by
    the resolution of float64. Where the sign is the same everywhere, all three are the
    end that is nearest to the other sign.
    """
    table = low.detach().clone()

    def values_at(scores, index):
        # find_root passes the entries that are not solved yet as one array; a map that
        # differs by column needs whole rows.
        table.view(-1)[torch.as_tensor(index)] = torch.as_tensor(scores).to(table)
        return function(table).detach().reshape(-1).cpu().numpy()[index]

    # Detached, since a weight that is learnt shifts the map.
    ends = [end.detach().reshape(-1).cpu().numpy() for end in (low, high)]
    found = find_root(values_at, ends, args=(np.arange(low.numel()),))
    nearest = np.where(found.f_bracket[0] > 0, *ends)
    left, right = found.bracket
    return [
        torch.as_tensor(np.where(found.success, scores, nearest)).to(low).view_as(low)
        for scores in (left, found.x, right)
    ]


class _Differentiable(torch.autograd.Function):
    """A map of scores with its derivative, which autograd does not find itself.

    The map is made of derivatives of the loss, in place.
    """

    @staticmethod
    def forward(ctx, function, scores):
        value, slope = _value_and_slope(function, scores)
        ctx.save_for_backward(slope)
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output):  # pyright: ignore[reportIncompatibleMethodOverride]
        (slope,) = ctx.saved_tensors
        return None, slope * grad_output


class IdentityLink:
    """The link of a loss without an inverse: scores stay what they are."""

    problem: str | None

    def __init__(self, problem=DECLARED):
        self.problem, self.is_identity = problem, False

    def __call__(self, scores):
        return torch.as_tensor(scores, dtype=torch.float64)

    def initial_scores(self, prior):
        """Return zeros: without an inverse no start is better than another."""
        return torch.zeros_like(as_vector(prior))


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
    is_identity : bool
        Whether the function is the identity, which is then not computed.
    """

    def __init__(self, function, shift, ends, problem, is_identity):
        self.function, self.shift, self.ends = function, shift, ends
        self.problem, self.is_identity = problem, is_identity
        self._values, slopes = _value_and_slope(function, ends)
        self._slopes = slopes.clamp(_LEAST_SLOPE, _LARGEST_SLOPE)

    def __call__(self, scores):
        """Return log-odds of float64: the map between its ends, and lines beyond."""
        scores = torch.as_tensor(scores, dtype=torch.float64)
        if self.is_identity:
            return scores - self.shift
        inner = scores.clamp(*self.ends)
        slope = torch.where(scores < inner, self._slopes[0], self._slopes[1])
        value = torch.where(scores < inner, self._values[0], self._values[1])
        outer = value + slope * (scores - inner)
        if inner.requires_grad:
            mapped = _Differentiable.apply(self.function, inner)
        else:
            mapped = self.function(inner)
        return torch.where(scores == inner, mapped, outer) - self.shift

    def initial_scores(self, prior):
        """Return the scores that stand for the base rates.

        Parameters
        ----------
        prior : array-like of shape (n_columns,)
            Base rates, strictly between 0 and 1.

        Returns
        -------
        Tensor of float64, shape (n_columns,)
        """
        target = torch.logit(as_vector(prior))
        if self.is_identity:
            return target + self.shift
        limit = torch.full_like(target, SCORE_LIMIT)
        return _find_root(lambda scores: self(scores) - target, -limit, limit)[1]


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
    is_identity = table.is_identity()
    if is_identity and problem is None:  # usable everywhere: the search is left out
        return LogOddsLink(function, shift, table.grid[[0, -1]], None, is_identity)
    ends = table.usable_ends(_LEAST_SLOPE if problem else _LEAST_RISE)
    if ends is None:
        return IdentityLink(problem or _JUMPS)
    link = LogOddsLink(function, shift, ends, problem, is_identity)
    if problem is None and _leaves_line(link, low, high):
        link.problem = _LEAVES
    return link


def _leaves_line(link, low, high):
    """Return whether a map differs from its link at scores beyond the search.

    The link is a straight line there. The map is not if the scores of the loss are
    shifted that far.
    """
    beyond = torch.cat([_PRECISE_SCORES, _FAR_SCORES]).to(low.device)
    scores = torch.cat([-beyond, beyond]).reshape(-1, 1).expand(-1, link.ends.shape[1])
    value, line = link.function(scores.contiguous()), link(scores) + link.shift
    tolerance = torch.where(scores.abs() <= _PRECISE_SCORES[-1], 0.1, 1.0)
    is_followed = value.isfinite() & (value > low) & (value < high)
    return bool((is_followed & ((value - line).abs() > tolerance)).any())


def contradicts(closed, general, low, high, n_columns):
    """Return whether a closed form differs from the map that derivatives give."""
    grid = _grid(n_columns, low.device)
    grid = grid[grid[:, 0].abs() <= _COMPARED_LIMIT]
    derived, stated = _by_block(general, grid), _by_block(closed, grid)
    compared = derived.isfinite() & (derived > low) & (derived < high)
    differs = (derived - stated).abs() > _COMPARED_ERROR * (1 + derived.abs())
    return bool((compared & (differs | stated.isnan())).any())


def _grid(n_columns, device):
    """Return the scores at which a map is checked, the same in each column."""
    steps = int(2 * _SEARCH_LIMIT / _SEARCH_STEP) + 1
    grid = torch.linspace(-_SEARCH_LIMIT, _SEARCH_LIMIT, steps, dtype=torch.float64)
    return grid.to(device).reshape(-1, 1).expand(-1, n_columns)


def _by_block(function, table):
    """Evaluate a function of a table on some rows at a time, to save memory."""
    size = max(1, _TABLE_ENTRIES // table.shape[1])
    return torch.cat([function(rows.contiguous()) for rows in table.split(size)])


def _value_and_slope(function, scores):
    """Return a map and its derivative, by a central difference, in one call.

    The difference is one-sided where the map ends, as that of a squared hinge does.
    """
    shifts = 0.0, _DIFFERENCE, -_DIFFERENCE
    values = function(torch.cat([scores + shift for shift in shifts]))
    value, high, low = values.chunk(3)
    steps = high.isfinite().to(scores) + low.isfinite()
    high, low = (torch.where(end.isfinite(), end, value) for end in (high, low))
    return value, (high - low) / (_DIFFERENCE * steps)


class _Table:
    """The values of a map on a grid of scores, and what follows from them."""

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
        """Clamp to the log-odds of interest, also where outer scores have NaN.

        Both slopes vanish there, as they do where a sigmoid underflows.
        """
        values = torch.where(scores < self.first_known, self.low, values)
        values = torch.where(scores > self.last_known, self.high, values)
        return torch.minimum(torch.maximum(values, self.low), self.high)

    def _without_far_ends(self, values):
        """Set far scores to an end of the range, once the map has reached that end.

        The loss of a clamped sigmoid, for example, has no gradient at such scores.
        """
        left = (values <= self.low) & (self.grid < 0)
        right = (values >= self.high) & (self.grid > 0)
        later = left.flip(0).cumsum(dim=0).flip(0) > 0
        earlier = right.cumsum(dim=0) > 0
        values = torch.where(later & (self.grid < -_NEAR_LIMIT), self.low, values)
        return torch.where(earlier & (self.grid > _NEAR_LIMIT), self.high, values)

    def _least_trusted(self):
        """Return, by column, the log-odds under which the map is not used.

        That is minus infinity where the map increases over the whole grid, as for a
        focal loss. Else it is the least log-odds of interest, or the last value of the
        map if that is smaller.
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
        """Return whether scores are log-odds as they are."""
        return bool((self.raw - self.grid).abs().nan_to_num(1.0).max() < 1e-6)

    def _reaches(self):
        """Return by column whether each value of interest is taken.

        The map continues beyond the grid with its slope at the ends.
        """
        further = (_REACHED_LIMIT - _SEARCH_LIMIT) / _SEARCH_STEP
        steps = self.raw.diff(dim=0).nan_to_num(0.0, posinf=0.0, neginf=0.0)
        steps = torch.where(steps < _LEAST_SLOPE * _SEARCH_STEP, 0.0, steps)
        reaches_low = self.values[0] - further * steps[0] <= self.low
        reaches_high = self.values[-1] + further * steps[-1] >= self.high
        return reaches_low & reaches_high

    def _jumps(self):
        """Return whether the map jumps between scores that float32 cannot distinguish.

        Intervals that contain a followed log-odds and rise too much are halved, until
        they rise less or are as narrow as the resolution of float32.
        """
        below, above = self.grid[:-1], self.grid[1:]
        first, last = self.values[:-1], self.values[1:]
        while self._rises_too_much(first, last).any():
            if (above - below).max() <= _RESOLUTION:
                return True
            # Columns share a table: a row is kept for the sake of any of them.
            rows = self._rises_too_much(first, last).any(dim=1)
            below, above, first, last = (
                part[rows] for part in (below, above, first, last)
            )
            middle = (below + above) / 2
            value = self._clamped(middle, self.function(middle))
            below, above = torch.cat([below, middle]), torch.cat([middle, above])
            first, last = torch.cat([first, value]), torch.cat([value, last])
        return False

    def _rises_too_much(self, first, last):
        """Return which intervals hold a followed log-odds and rise too much."""
        step = (self.high - self.low) / (_N_TARGETS + 1)
        places = (
            ((values - self.low) / step).ceil().clamp(1, _N_TARGETS + 1)
            for values in (first, last)
        )
        return (last - first > _LARGEST_JUMP) & torch.lt(*places)

    def _is_usable(self, scores, least_slope=_LEAST_SLOPE):
        """Return where the map is finite, to be trusted and not flat."""
        values, slope = _value_and_slope(self.function, scores)
        slope = slope.nan_to_num(0.0, posinf=0.0, neginf=0.0)
        return values.isfinite() & (values >= self.trusted) & (slope >= least_slope)

    def _centre(self, least_slope):
        """Return usable scores in the middle of the log-odds of interest, or None.

        Where the map jumps over the middle it may be usable on one side of it only.
        """
        target = (self.low + self.high) / 2
        index = (self.values <= target).sum(dim=0).clamp(1, len(self.grid) - 1)
        ends = self.grid[:, 0][index - 1], self.grid[:, 0][index]
        below, _, above = _find_root(
            lambda z: self._clamped(z, self.function(z)) - target,
            *(end.unsqueeze(0) for end in ends),
        )
        centre = torch.where(self._is_usable(below, least_slope), below, above)
        return centre if self._is_usable(centre, least_slope).all() else None

    def usable_ends(self, least_slope):
        """Return the scores, by column, between which the map is used, or None.

        It must be so steep at least in the middle of what is of interest.
        """
        centre = self._centre(least_slope)
        if centre is None:
            return None
        limit = torch.full_like(centre, _SEARCH_LIMIT)
        # Negative where the map is usable above the centre and unusable below it.
        below, above = torch.ones_like(centre), -torch.ones_like(centre)
        inside = torch.cat([below, above])
        left, _, right = _find_root(
            lambda z: torch.where(self._is_usable(z), inside, -inside),
            torch.cat([-limit, centre]),
            torch.cat([centre, limit]),
        )
        return torch.stack([right[0], left[1]])


# ------------------------------------------------------------------ softmax losses


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
    is_identity : bool
        Whether scores are log-probabilities as they are.
    """

    def __init__(self, function, shift, problem, is_identity):
        self.function, self.shift, self.problem = function, shift, problem
        self.is_identity = is_identity

    def __call__(self, scores):
        scores = torch.as_tensor(scores, dtype=torch.float64)
        if self.problem not in (None, DECLARED):
            return scores.log_softmax(dim=1)
        return (self.function(scores) - self.shift).log_softmax(dim=1)

    def initial_scores(self, prior):
        """Return the scores of mean 0 that stand for the base rates.

        Parameters
        ----------
        prior : array-like of shape (n_classes,)
            Base rates, strictly between 0 and 1. They are divided by their sum, which
            half a positive that is added to each moves from 1.

        Returns
        -------
        Tensor of float64, shape (n_classes,)
        """
        target = as_vector(prior).log().log_softmax(dim=0)
        scores = _solve_fixed_point(self, target.reshape(1, -1))[0]
        return scores - scores.mean()


def find_softmax_link(function, gradients, prior, shift, *, is_closed):
    """Check a map from scores to log-posteriors against the gradients of the loss.

    Parameters
    ----------
    function : callable
        From scores of shape (n, n_classes) to log-posteriors up to a constant.
    gradients : callable
        From such scores to the matrices G, of shape (n, n_classes, n_classes).
    prior : Tensor of float64, shape (n_classes,)
        The base rates.
    shift : Tensor of float64, shape () or (n_classes,)
        The log of the weights by true class.
    is_closed : bool
        Whether `function` is a closed form, and not derived from the gradients.

    Returns
    -------
    SoftmaxLink
        With a `problem` where the map is no inverse.
    """
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(4, len(prior), generator=generator, dtype=torch.float64)
    scores = _SCALE_OF_TESTED_SCORES * scores.to(prior.device)
    error = (function(scores).log_softmax(1) - scores.log_softmax(1)).abs().max()
    problem = _softmax_problem(function, gradients, prior, scores, is_closed)
    return SoftmaxLink(function, shift, problem, bool(error < 1e-6))


def _softmax_problem(function, gradients, prior, scores, is_closed):
    """Return why the map is no inverse, or None."""
    if not is_closed:
        matrices = gradients(scores)
        posterior = left_null_vector(matrices)
        if not _balances(posterior, matrices) or not (posterior > 0).all():
            return NO_MAP
    targets = _tested_posteriors(prior)
    found = _solve_fixed_point(
        lambda z: function(z).log_softmax(1),
        targets.log(),
        steps=_TEST_STEPS,
        tolerance=_BALANCE_TOLERANCE / 10,
    )
    reached = (function(found).log_softmax(1) - targets.log()).abs()
    if not (reached < _BALANCE_TOLERANCE).all():
        return _MISSES_CLASSES
    if not _balances(targets, gradients(found)):
        return CONTRADICTS if is_closed else NO_MAP
    # A monotone map: the way between two scores is never against that of posteriors.
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
    """Return whether the expected gradients vanish, as they do at a minimum."""
    expected = (posteriors.unsqueeze(1) @ matrices).abs().amax(dim=(1, 2))
    size = (posteriors.unsqueeze(2) * matrices).abs().amax(dim=(1, 2))
    return bool((expected <= _BALANCE_TOLERANCE * size).all() and (size > 0).all())


def left_null_vector(matrices):
    """Solve ``p G = 0`` with sum 1 for a stack of square matrices of rank K - 1."""
    system = matrices.transpose(1, 2).clone()
    system[:, -1] = 1.0
    right = torch.zeros_like(system[:, :, 0])
    right[:, -1] = 1.0
    return torch.linalg.solve_ex(system, right).result


def _solve_fixed_point(function, target, steps=1000, tolerance=1e-14):
    """Solve ``function(z) == target`` row by row, for maps of bounded positive slope.

    A step is a multiple of the error, by row: halved if the error grows, else
    increased.
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


# ----------------------------------------------------------------- label smoothing


def unsmoothed_log_odds(log_odds, prior, amount, floor):
    """Return the log-odds of eta for those of t: the inverse of label smoothing.

    Parameters
    ----------
    log_odds : Tensor of float64, shape (n_samples, n_labels)
        After the inverse of the loss.
    prior : Tensor of float64, shape (n_labels,)
        The base rates.
    amount : float
        The fraction e of the base rate in the targets, in [0, 1).
    floor : Tensor of float64, shape (n_labels,)
        The least eta that is distinguished from 0.

    Returns
    -------
    Tensor of float64, shape (n_samples, n_labels)
        Finite and strictly increasing in the input.
    """
    low = torch.logit(torch.lerp(floor, prior, amount))
    high = torch.logit(torch.lerp(1 - floor, prior, amount))
    inner = log_odds.clamp(low, high)
    # The log-odds of (t - e pi) : (1 - t - e (1 - pi)).
    yes = (inner.sigmoid() - amount * prior).log()
    no = (inner.neg().sigmoid() - amount * (1 - prior)).log()
    return yes - no + (log_odds - inner)


def unsmoothed_log_probabilities(log_p, prior, amount, floor):
    """Return the log of the posterior of each class for the smoothed one.

    Parameters
    ----------
    log_p : Tensor of float64, shape (n_samples, n_classes)
        After the inverse of the loss.
    prior : Tensor of float64, shape (n_classes,)
        The base rates.
    amount : float
        The fraction of the base rates in the targets, in [0, 1).
    floor : float
        The least probability that is distinguished from 0.

    Returns
    -------
    Tensor of float64, shape (n_samples, n_classes)
        Normalised.
    """
    low = ((1 - amount) * floor + amount * prior).log()
    inner = torch.maximum(log_p, low)
    eta = (inner.exp() - amount * prior) / (1 - amount)
    return (eta.log() + (log_p - inner)).log_softmax(dim=1)
