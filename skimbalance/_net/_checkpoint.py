"""Checkpoints: what a killed training needs to go on as if nothing had happened.

One file, replaced as a whole after every epoch. It holds tensors, numbers and strings
only, so that it loads with ``weights_only=True``: a checkpoint runs no code.
"""

import os
import pickle
import zlib
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import torch
from skorch.callbacks import Callback
from skorch.history import History

_FORMAT = "skimbalance checkpoint 1"
_SAMPLED_ROWS = 64


class Checkpoint(Callback):
    """Save the state of the training after every epoch, and restore it.

    Parameters
    ----------
    folder : str or path
        Made if it is not there.
    resume : bool
        Read what an earlier run has left in the folder, if there is anything.

    Attributes
    ----------
    saved : dict or None
        What was read.
    about : dict
        What a run must have in common with the one that is resumed: numbers, strings
        and tuples. Set before training.
    seed : int
        The seed of the run, which a resumed one takes over.
    keeper : KeepBest
        Watches the epochs, and goes on watching.
    """

    def __init__(self, folder, resume):
        self.file = Path(folder) / "checkpoint.pt"
        self.saved = _read(self.file) if resume and self.file.exists() else None
        self.about, self.keeper = {}, None
        self.seed = None if self.saved is None else self.saved["seed"]

    def restore(self, net):
        """Put a net and its keeper into the saved state.

        Raises
        ------
        ValueError
            If the checkpoint is of another run.
        """
        if self.saved is None:
            return
        self._check_same_run()
        net.module_.load_state_dict(self.saved["module"])
        net.optimizer_.load_state_dict(self.saved["optimizer"])
        net.history = History(self.saved["history"])
        vars(self.keeper).update(self.saved["best"])

    def restore_step(self, net):
        """Put what belongs to a training that has begun into the saved state."""
        if self.saved is None:
            return
        net.stopped_ = self.saved["stopped"]
        net.step.load_state(self.saved["step"])
        torch.set_rng_state(self.saved["rng"].cpu())
        if net.device.type == "cuda":
            torch.cuda.set_rng_state(self.saved["device_rng"].cpu(), net.device)
        self.saved = None

    def _check_same_run(self):
        differing = [
            f"{key} was {self.saved['about'].get(key)!r} and is {value!r}"
            for key, value in self.about.items()
            if self.saved["about"].get(key) != value
        ]
        if differing:
            raise ValueError(
                f"The checkpoint {str(self.file)!r} is of another run: "
                f"{'; '.join(differing)}. Give this run a folder of its own, or set "
                "resume=False to overwrite it."
            )

    def on_epoch_end(self, net, **kwargs):  # noqa: ARG002
        if net.step.part[0] != 0:  # one of several processes writes
            return
        on_cuda = net.device.type == "cuda"
        keeper = self.keeper
        _write(
            self.file,
            {
                "format": _FORMAT,
                "about": self.about,
                "seed": self.seed,
                "module": net.module_.state_dict(),
                "optimizer": net.optimizer_.state_dict(),
                "history": [_plain(row) for row in net.history],
                "best": {
                    "state": keeper.state,
                    "best_value": float(keeper.best_value),
                    "best_epoch": keeper.best_epoch,
                },
                "stopped": bool(net.stopped_),
                "step": net.step.state(),
                "rng": torch.get_rng_state(),
                "device_rng": torch.cuda.get_rng_state(net.device) if on_cuda else None,
            },
        )


def _plain(row):
    """Return a row of the history without its batches, in Python's own numbers."""
    plain = {
        key: value.item() if isinstance(value, np.generic) else value
        for key, value in row.items()
    }
    return {**plain, "batches": []}


def _write(file, state):
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    torch.save(state, partial)
    os.replace(partial, file)


def _read(file):
    unreadable = pickle.UnpicklingError, RuntimeError, EOFError, OSError
    try:
        saved = torch.load(file, map_location="cpu", weights_only=True)
    except unreadable as error:
        raise ValueError(
            f"{str(file)!r} is damaged, or no checkpoint at all: it cannot be loaded "
            "with weights_only=True. Delete it, or set resume=False to overwrite it."
        ) from error
    if not isinstance(saved, dict) or saved.get("format") != _FORMAT:
        raise ValueError(
            f"{str(file)!r} is not a checkpoint of this version of skimbalance. Delete "
            "it, or set resume=False to overwrite it."
        )
    return saved


def fingerprint(array):
    """Return a number that tells arrays of rows apart, from a sample of the rows."""
    rows = np.linspace(0, array.shape[0] - 1, _SAMPLED_ROWS).astype(np.int64)
    if sp.issparse(array):
        sample = array[np.unique(rows)]
        return zlib.crc32(sample.data, zlib.crc32(sample.indices))
    return zlib.crc32(np.ascontiguousarray(array.take(np.unique(rows), axis=0)))
