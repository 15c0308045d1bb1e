"""Generators of imbalanced multilabel problems.

`make_imbalanced_multilabel` has a known posterior, so that calibration can be measured;
`make_overlaid_digits` has the pixels of scanned digits, so that features are learnt.
"""

from numbers import Integral, Real
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.special import expit, logit
from sklearn.datasets import load_digits
from sklearn.utils import check_random_state

from skimbalance._validation import Number, check_arguments, check_interval, switch

__all__ = [
    "make_imbalanced_multilabel",
    "make_overlaid_digits",
]

# Entries whose log-odds are computed at once: 32 MiB of doubles.
_CHUNK_ENTRIES = 2**22
# Rows drawn to find the intercepts. The standard error of a base rate is at most
# 0.5 / sqrt(16384) = 0.004, and less for a rarer label.
_PILOT_ROWS = 16_384
# Base rates from here on need intercepts that leave few labels uncertain.
_MAX_RATE = 0.95

# Constraints of the parameters, as `_parameter_constraints` of an estimator.
_COUNT = [Number(Integral, 1, None, closed="left")]
_DIGITS_CONSTRAINTS = {
    "n_samples": _COUNT,
    "imbalance_ratio": [Number(Real, 1, None, closed="left")],
    "random_state": ["random_state"],
}
_MULTILABEL_CONSTRAINTS = {
    **_DIGITS_CONSTRAINTS,
    "n_features": _COUNT,
    "n_labels": _COUNT,
    "cardinality": [Number(Real, 0, None, closed="neither")],
    "signal": [Number(Real, 0, None, closed="left")],
    "n_factors": _COUNT,
    "sparse": switch(),
    "return_posterior": switch(),
}


def _long_tail(n_labels, total, ratio):
    """Return decreasing rates of a given sum, the first `ratio` times the last."""
    rates = np.geomspace(ratio, 1.0, n_labels)
    return rates * (total / rates.sum())


def _intercepts(signal, rates):
    """Solve ``mean(sigmoid(signal + b)) == rate`` for each label, by bisection."""
    # A signal of standard deviation 4 moves the intercept by less than 40, and 60 steps
    # shrink an interval of 80 to the rounding of doubles.
    low, high = logit(rates) - 40, logit(rates) + 40
    for _ in range(60):
        middle = (low + high) / 2
        too_low = expit(signal + middle).mean(axis=0) < rates
        low, high = np.where(too_low, middle, low), np.where(too_low, high, middle)
    return (low + high) / 2


def make_imbalanced_multilabel(
    n_samples: int = 1000,
    n_features: int = 20,
    n_labels: int = 10,
    *,
    cardinality: float = 1.0,
    imbalance_ratio: float = 20.0,
    signal: float = 2.0,
    n_factors: int = 8,
    sparse: bool = False,
    return_posterior: bool = False,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[Any, ...]:
    """Draw a learnable multilabel problem whose posterior is known.

    Inputs are standard normal. Each label's log-odds are a linear function of a few
    nonlinear factors of the input, so labels are correlated, and independent given the
    input. The base rates fall geometrically from label to label.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows.
    n_features : int, default=20
        Number of input columns.
    n_labels : int, default=10
        Number of labels.
    cardinality : float, default=1.0
        Expected number of positive labels a row: the sum of the base rates.
    imbalance_ratio : float, default=20.0
        Base rate of the most frequent label over that of the rarest; at least 1.
    signal : float, default=2.0
        Standard deviation of the log-odds over the rows, of which that of a single
        label differs by chance, most with few features: with 20 features and a signal
        of 2 it is between 1.5 and 2.4 for nine of ten labels. 0 is noise, 4 nearly
        certain.
    n_factors : int, default=8
        Number of factors that the labels depend on.
    sparse : bool, default=False
        Return the labels as a CSR array.
    return_posterior : bool, default=False
        Return ``P(y = 1 | x)`` of every entry as well.
    random_state : int, RandomState instance or None, default=None
        Pass an int for the same draw again.

    Returns
    -------
    X : ndarray of float32, shape (n_samples, n_features)
        Inputs.
    Y : ndarray of int8 or csr_array of int8, shape (n_samples, n_labels)
        Labels. Pass ``Y.astype(int)`` to `MLPClassifier` of scikit-learn 1.9, which
        puts the columns of an int8 matrix of more than 128 labels out of order.
    posterior : ndarray of float32, shape (n_samples, n_labels)
        If `return_posterior`.

    Raises
    ------
    ValueError
        If a parameter is not of its type or range, or the most frequent label would
        need a base rate of 0.95 or more.

    Examples
    --------
    >>> from skimbalance.datasets import make_imbalanced_multilabel
    >>> X, Y = make_imbalanced_multilabel(500, n_labels=4, random_state=0)
    >>> X.shape, Y.shape
    ((500, 20), (500, 4))
    """
    check_arguments("make_imbalanced_multilabel", _MULTILABEL_CONSTRAINTS, locals())
    check_interval("cardinality", cardinality, 0, n_labels, closed="neither")
    rates = _long_tail(n_labels, cardinality, imbalance_ratio)
    if rates[0] >= _MAX_RATE:
        raise ValueError(
            f"cardinality={cardinality} and imbalance_ratio={imbalance_ratio} give the "
            f"most frequent of {n_labels} labels a base rate of {rates[0]:.2f}. Lower "
            "one of them."
        )
    rng: Any = check_random_state(random_state)
    X = rng.normal(size=(n_samples, n_features)).astype(np.float32)
    mixing = rng.normal(size=(n_features, n_factors)) / np.sqrt(n_features)
    loading = rng.normal(size=(n_factors, n_labels))
    loading *= signal / np.sqrt((loading**2).sum(axis=0))

    def log_odds(rows):
        # The sine of a standard normal has variance (1 - e^-2) / 2.
        return np.sin(rows @ mixing) @ loading / np.sqrt((1 - np.exp(-2)) / 2)

    pilot = rng.normal(size=(_PILOT_ROWS, n_features))
    intercept = np.concatenate(
        [
            _intercepts(log_odds(pilot)[:, labels], rates[labels])
            for labels in _chunks(n_labels, len(pilot))
        ]
    )
    blocks, posteriors = [], []
    for rows in _chunks(n_samples, n_labels):
        proba = expit(log_odds(X[rows]) + intercept)
        drawn = (rng.random(proba.shape) < proba).astype(np.int8)
        blocks.append(sp.csr_array(drawn) if sparse else drawn)
        if return_posterior:
            posteriors.append(proba.astype(np.float32))
    Y = sp.vstack(blocks, format="csr") if sparse else np.concatenate(blocks)
    return (X, Y, np.concatenate(posteriors)) if return_posterior else (X, Y)


def _chunks(length, width):
    """Return slices of rows of `width` entries that bound the memory of a chunk."""
    step = max(1, _CHUNK_ENTRIES // width)
    return [slice(start, start + step) for start in range(0, length, step)]


def make_overlaid_digits(
    n_samples: int = 2000,
    *,
    imbalance_ratio: float = 20.0,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw images of two to four handwritten digits that overlap.

    The digits are scikit-learn's bundled 8 x 8 scans, placed at random and added up.
    The label of an image is the set of its digits; the odds of the digits in a draw
    fall geometrically.

    Parameters
    ----------
    n_samples : int, default=2000
        Number of images.
    imbalance_ratio : float, default=20.0
        Odds of the most frequent digit against the rarest in each draw; at least 1.
        The digits of an image differ, which brings their frequencies nearer: with 20,
        the most frequent label has 12 to 14 times the images of the rarest one.
    random_state : int, RandomState instance or None, default=None
        Pass an int for the same draw again.

    Returns
    -------
    X : ndarray of float32, shape (n_samples, 256)
        Pixels in [0, 1], row by row.
    Y : ndarray of int8, shape (n_samples, 10)
        Which digits are there. Column k is digit k; which digits are rare is drawn.

    Raises
    ------
    ValueError
        If a parameter is not of its type or range.

    Notes
    -----
    Several images contain the same scan: a random split of the images measures new
    arrangements, not new handwriting.

    Examples
    --------
    >>> from skimbalance.datasets import make_overlaid_digits
    >>> X, Y = make_overlaid_digits(100, random_state=0)
    >>> X.shape, Y.shape
    ((100, 256), (100, 10))
    """
    check_arguments("make_overlaid_digits", _DIGITS_CONSTRAINTS, locals())
    rng = check_random_state(random_state)
    digits: Any = load_digits()
    scans = [digits.images[digits.target == k] / 16 for k in range(10)]
    rates = rng.permutation(_long_tail(10, 1.0, imbalance_ratio))
    X = np.zeros((n_samples, 16, 16), dtype=np.float32)
    Y = np.zeros((n_samples, 10), dtype=np.int8)
    for i in range(n_samples):
        drawn = rng.choice(10, size=rng.randint(2, 5), replace=False, p=rates)
        Y[i, drawn] = 1
        for k, quarter in zip(drawn, rng.permutation(4), strict=False):
            inward = rng.randint(3, size=2)
            top, left = np.where(np.divmod(quarter, 2), 8 - inward, inward)
            scan = scans[k][rng.randint(len(scans[k]))]
            X[i, top : top + 8, left : left + 8] += scan
    return np.minimum(X, 1).reshape(n_samples, -1), Y
