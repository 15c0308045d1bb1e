"""The samplers of label matrices and data for their tests."""

import warnings

import numpy as np

from skimbalance.exceptions import ResamplingWarning
from skimbalance.over_sampling import LPROS, MLROS, MLSMOTE, MLSOL, REMEDIAL
from skimbalance.under_sampling import LPRUS, MLRUS, MLTL, MLUL, MLeNN

UNDER = [LPRUS, MLRUS, MLeNN, MLTL, MLUL]
CLONING = [LPROS, MLROS, REMEDIAL]
SYNTHETIC = [MLSMOTE, MLSOL]
SAMPLERS = [*CLONING, *SYNTHETIC, *UNDER]
DETERMINISTIC = [REMEDIAL, MLeNN, MLTL]


def make(sampler, **params):
    """Return a sampler with those of the parameters that it has."""
    params = {"random_state": 0, **params}
    known = sampler().get_params()
    return sampler(**{name: params[name] for name in params if name in known})


def resample(sampler, X, y, **params):
    """Return the resampled data, without warnings of too few rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResamplingWarning)
        return make(sampler, **params).fit_resample(X, y)


def make_data(seed=0, n_samples=60, frequencies=(0.5, 0.3, 0.15, 0.1), n_features=4):
    """Return random rows without ties, and labels with the given frequencies."""
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(n_samples, n_features))
    return X, (rng.random_sample((n_samples, len(frequencies))) < frequencies) * 1
