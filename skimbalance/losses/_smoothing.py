"""Label smoothing towards the base rate, undone on the log scale.

A target y becomes ``(1 - e) y + e pi``, so the net learns ``t = (1 - e) eta + e pi``
and ``eta = (t - e pi) / (1 - e)``. Smoothing towards 1/2 would raise a label of 1 % to
3 % at e = 0.05; towards its own base rate it leaves the mean alone.

A net may give a t that no eta in (0, 1) stands for. From the least eta that the counted
rows can tell from zero the map goes on, parallel to the identity on the log-odds.
"""

import torch


def unsmoothed_log_odds(log_odds, prior, amount, floor):
    """Return the log-odds of eta for those of t.

    Parameters
    ----------
    log_odds : Tensor of float64, shape (n_samples, n_labels)
        After the inverse of the loss.
    prior, floor : Tensor of float64, shape (n_labels,)
        The base rates, and the least eta that is told from zero.
    amount : float
        The share e of the base rate in the targets, in [0, 1).

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
        The share of the base rates in the targets, in [0, 1).
    floor : float
        The least probability that is told from zero.

    Returns
    -------
    Tensor of float64, shape (n_samples, n_classes)
        Normalised.
    """
    low = ((1 - amount) * floor + amount * prior).log()
    inner = torch.maximum(log_p, low)
    eta = (inner.exp() - amount * prior) / (1 - amount)
    return (eta.log() + (log_p - inner)).log_softmax(dim=1)
