"""Measures of predicted probabilities, and the statistics of the study `forest.py`.

Labels are arrays of 0, 1 and -1 (missing); a missing entry counts nowhere.
"""

import warnings

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score

# Positives of a label in the whole set, first and last of each band.
BANDS = {"1-7": (1, 7), "8-15": (8, 15), "16-49": (16, 49), "50+": (50, np.inf)}
LEVEL = 0.005  # a smaller difference counts half


def clip(proba, n_train):
    """Clip probabilities to what that many training rows can tell from 0 and 1."""
    return np.clip(proba, 0.5 / n_train, 1 - 0.5 / n_train)


def log_loss(labels, proba):
    """Return the mean log-loss of the observed entries."""
    seen = labels >= 0
    proba = np.where(labels == 1, proba, 1 - proba)[seen]
    return -np.log(np.maximum(proba, 1e-15)).mean()


def calibration_slope(labels, proba):
    """Return the slope of outcomes on log-odds beside an intercept, and its error.

    1 is calibrated, below 1 is over-confident. NaN where one outcome only is observed.
    """
    seen = labels >= 0
    # Further out, one wrong entry of a probability of 0 alone would set the slope.
    proba, target = np.clip(proba[seen], 1e-7, 1 - 1e-7), labels[seen]
    if target.min() == target.max():
        return np.nan, np.nan
    log_odds = np.log(proba / (1 - proba))
    model = LogisticRegression(C=np.inf, solver="newton-cholesky")
    fitted = model.fit(log_odds[:, None], target).predict_proba(log_odds[:, None])
    inputs = np.stack([log_odds, np.ones(len(proba))])
    information = (inputs * fitted.prod(axis=1)) @ inputs.T
    return model.coef_[0, 0], np.sqrt(np.linalg.pinv(information)[0, 0])


def macro_average_precision(labels, proba, known):
    """Return the mean over labels that are known in training and have test positives.

    Also returns the number of these labels.
    """
    columns = np.flatnonzero(known & (labels == 1).any(axis=0))
    seen = labels >= 0
    values = [
        average_precision_score(labels[seen[:, c], c], proba[seen[:, c], c])
        for c in columns
    ]
    return (np.mean(values) if values else np.nan), len(columns)


def measures(labels, proba, train_labels, whole_positives):
    """Return all measures of probabilities of a label matrix as a dict.

    Sums of expected and observed positives are kept, so that splits can be pooled.
    """
    n_train = len(train_labels)
    positives = (train_labels == 1).sum(axis=0)
    observed = (train_labels >= 0).sum(axis=0)
    prior = np.tile(
        clip(positives / np.maximum(observed, 1), n_train), (len(labels), 1)
    )
    seen, is_positive = labels >= 0, labels == 1
    ap, n_labels = macro_average_precision(labels, proba, positives > 0)
    loss, floor = log_loss(labels, proba), log_loss(labels, prior)
    slope, slope_error = calibration_slope(labels, proba)
    bands = {}
    for name, (first, last) in BANDS.items():
        chosen = (whole_positives >= first) & (whole_positives <= last)
        bands[name] = [
            np.sum(values[:, chosen], where=seen[:, chosen])
            for values in (proba, is_positive, prior)
        ]
    expected, found, expected_prior = np.sum(list(bands.values()), axis=0)
    return {
        "ap": ap,
        "n_labels": n_labels,
        "log_loss": loss,
        "skill": 1 - loss / floor,
        "expected": expected,
        "observed": found,
        "expected_prior": expected_prior,
        "train_positives": positives.sum(),
        "slope": slope,
        "slope_error": slope_error,
        "bands": bands,
    }


def class_measures(index, proba, train_index, n_classes):
    """Return the measures of a single-label target, by class against the rest.

    A binary target is the label matrix of its second class.
    """
    labels, train = np.eye(n_classes, dtype=int)[index], np.eye(n_classes)[train_index]
    columns = slice(1, None) if n_classes == 2 else slice(None)
    found = measures(
        labels[:, columns],
        proba[:, columns],
        train[:, columns],
        labels[:, columns].sum(axis=0) + train[:, columns].sum(axis=0),
    )
    if n_classes > 2:
        rows, prior = np.arange(len(index)), clip(train.mean(axis=0), len(train))
        loss = -np.log(np.maximum(proba[rows, index], 1e-15)).mean()
        found["log_loss"] = loss
        found["skill"] = 1 + loss / np.log(prior / prior.sum())[index].mean()
    return found


def prediction_measures(labels, predicted):
    """Return numbers of predicted and true positives, and macro-F1."""
    seen = labels >= 0
    columns = np.flatnonzero((labels == 1).any(axis=0))
    with warnings.catch_warnings():  # labels that are never predicted have F1 0
        warnings.simplefilter("ignore")
        f1 = [
            f1_score(labels[seen[:, c], c], predicted[seen[:, c], c]) for c in columns
        ]
    return {
        "predicted": np.sum(predicted, where=seen),
        "true": np.sum(labels, where=seen),
        "macro_f1": np.mean(f1) if f1 else np.nan,
    }


# --------------------------------------------------------------------------
# Statistics over splits and sets


def split_error(differences, test_ratio):
    """Return the standard error of a mean over overlapping splits of one set.

    The differences of r splits share training rows, so that sd / sqrt(r) is too small:
    Nadeau and Bengio, "Inference for the Generalization Error", Machine Learning 2003,
    has sd * sqrt(1 / r + n_test / n_train). NaN of fewer than two.
    """
    if len(differences) < 2:
        return np.nan
    return np.std(differences, ddof=1) * np.sqrt(1 / len(differences) + test_ratio)


def bootstrap_interval(values, n_draws=10_000, seed=0):
    """Return the 95 % interval of a mean, drawing values with replacement."""
    values = np.asarray(values, dtype=float)
    rng = np.random.default_rng(seed)
    means = values[rng.integers(len(values), size=(n_draws, len(values)))].mean(axis=1)
    return tuple(np.quantile(means, [0.025, 0.975]))


def summary(differences):
    """Return the comparison of two methods from their mean difference on each set.

    Parameters
    ----------
    differences : dict of float
        By set.

    Returns
    -------
    summary : dict or None
        Mean and interval, the interval without the best set, the numbers of sets ahead,
        level and behind, points (a level set counts half), and the worst set.
    """
    if not differences:
        return None
    values = np.array(list(differences.values()))
    rest = np.delete(values, values.argmax())
    ahead, behind = int((values >= LEVEL).sum()), int((values <= -LEVEL).sum())
    level = len(values) - ahead - behind
    return {
        "n_sets": len(values),
        "mean": values.mean(),
        "interval": bootstrap_interval(values),
        "without_best": bootstrap_interval(rest) if len(rest) else (np.nan, np.nan),
        "ahead": ahead,
        "level": level,
        "behind": behind,
        "points": ahead + level / 2,
        "worst": min(differences, key=differences.get),
    }
