"""Early stopping: the best weights so far, and when training ends."""

from typing import NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback

from skimbalance._base import warn_user


def copy_state(module, place=None):
    """Return a copy of the weights and buffers of a module, in the place of another."""
    state = module.state_dict()
    if place is None:
        return {key: value.clone() for key, value in state.items()}
    for key, value in state.items():
        place[key].copy_(value)
    return place


class Best(NamedTuple):
    """The weights that are kept, their epoch, and the score that they have."""

    state: dict | None = None
    epoch: int = 0
    value: float = np.nan


class KeepBest(Callback):
    """Watch each epoch: keep the best weights, stop when they get no better.

    skorch's `EarlyStopping` reads one key of the history; this one also scores the
    validation part, bears a score that is NaN, and keeps weights that an interrupt
    cannot tear apart.

    Parameters
    ----------
    score : callable or None
        ``score(raw_scores) -> float`` of the validation part, higher is better. None
        watches the validation loss, or takes the last epoch where nothing is held out.
    patience : int or None
        Epochs without gain after which training stops; None never stops.

    Attributes
    ----------
    best : Best
        Replaced as a whole, so that weights, epoch and score always belong together.
    warned : bool
        Whether a score was not finite, which is told once.
    """

    def __init__(self, score=None, patience=None):
        self.score, self.patience = score, patience
        self.best, self.warned, self._spare = Best(), False, None

    def start_from(self, module):
        """Keep weights that are good already, of a net that is trained further."""
        self.best = Best(copy_state(module))

    def on_epoch_end(self, net, **kwargs):  # noqa: ARG002
        epoch = len(net.history)
        if not _is_finite(net):
            self._diverged(net, epoch)
            return
        value = self._finite(self._value(net))
        if self._is_better(value):
            self._keep(net.module_, epoch, value)
        net.stopped_ = self.patience is not None and (
            epoch - self.best.epoch >= self.patience
        )

    def _is_better(self, value):
        """Whether weights are to be kept; while no score is finite, the last are."""
        return value > self.best.value or not np.isfinite(self.best.value)

    def _keep(self, module, epoch, value):
        # The copy is whole before it counts: an interrupt leaves the former one.
        state, old = copy_state(module, self._spare), self.best.state
        self._spare = None
        self.best = Best(state, epoch, value)
        self._spare = old

    def _finite(self, value):
        """Return a score, or NaN where there is none, of which the user is told."""
        if value is None or np.isfinite(value):
            return np.nan if value is None else value
        if not self.warned:
            self.warned = True
            watched = "scoring gives" if self.score is not None else "The loss is"
            warn_user(
                f"{watched} {value} on the validation part. A score that is not finite "
                "counts as the worst; where no epoch has another, the last weights are "
                "kept.",
                ConvergenceWarning,
            )
        return np.nan

    def _diverged(self, net, epoch):
        if self.best.state is None:
            raise ValueError(
                "Training diverged in its first epoch: the loss or the weights are not "
                "finite. Lower lr, or scale X."
            )
        net.stopped_ = True
        warn_user(
            f"Training diverged in epoch {epoch}: the loss or the weights are not "
            "finite. The best weights so far were restored; lower lr, or scale X.",
            ConvergenceWarning,
        )

    def _value(self, net):
        if self.score is not None:
            value = self.score(net.valid_scores_)
            net.record("valid_score", value, lower_is_better=False)
            return value
        last = net.history[-1]
        return -last["valid_loss"] if "valid_loss" in last else None

    def saved(self):
        """Return what goes on after a checkpoint, as plain data."""
        state, epoch, value = self.best
        return {
            "state": state,
            "epoch": epoch,
            "value": float(value),
            "warned": self.warned,
        }

    def restore(self, saved):
        """Go on from what was saved."""
        self.best = Best(saved["state"], saved["epoch"], saved["value"])
        self.warned = saved["warned"]


def _is_finite(net):
    if not np.isfinite(net.history[-1]["train_loss"]):
        return False
    return all(bool(value.isfinite().all()) for value in net.module_.parameters())
