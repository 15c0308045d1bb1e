"""Checkpoints: what a killed training needs to go on as if nothing had happened.

One file, replaced as a whole after every epoch. It holds tensors, numbers and strings
only, so that it loads with ``weights_only=True``: a checkpoint runs no code. A digest
of the whole file stands at its end.
"""

import contextlib
import errno
import hashlib
import io
import os
import pickle
import threading
from pathlib import Path

import numpy as np
import torch
from skorch.callbacks import Callback
from skorch.history import History

from skimbalance._base import warn_user
from skimbalance._net._state import restore_callback, state_of
from skimbalance.exceptions import CheckpointWarning

_FORMAT = "skimbalance checkpoint 3"
_DIGEST_BYTES = hashlib.sha256().digest_size
_UNREADABLE = pickle.UnpicklingError, RuntimeError, EOFError, OSError
# How an optimizer computes, which the device decides and a checkpoint does not.
_EXECUTION = "fused", "foreach", "capturable"


class Checkpoint(Callback):
    """Save the state of the training after every epoch, and restore it.

    skorch's `Checkpoint` saves weights, optimizer and history apart; this one saves
    what a run needs to end at the same bits, in one file that is never half written.

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
        What a run must have in common with the one that is resumed: strings by the
        names that a user knows. Set before training.
    seed : int
        The seed of the run, which a resumed one takes over.
    keeper : KeepBest
        Watches the epochs, and goes on watching.
    """

    def __init__(self, folder, resume):
        self.file = Path(folder) / "checkpoint.pt"
        _prepare(self.file)
        self.saved = _read(self.file) if resume and self.file.exists() else None
        self.about, self.keeper, self.told = {}, None, set()
        self.seed = None if self.saved is None else self.saved["seed"]

    def restore(self, net):
        """Put a net and its keeper into the saved state.

        Raises
        ------
        ValueError
            If the checkpoint is of another run.
        """
        self.rates = [group["lr"] for group in net.optimizer_.param_groups]
        if self.saved is None:
            return
        self._check_same_run()
        net.module_.load_state_dict(self.saved["module"])
        self._restore_optimizer(net.optimizer_)
        net.history = History(self.saved["history"])
        self.keeper.restore(self.saved["best"])

    def restore_step(self, net):
        """Put what belongs to a training that has begun into the saved state."""
        self.starts = {name: dict(vars(cb)) for name, cb in net.callbacks_}
        if self.saved is None:
            return
        for name, callback in net.callbacks_:
            restore_callback(callback, self.saved["callbacks"].get(name, {}))
        # Callbacks may have moved them: a new schedule sets the rates, for example.
        net.module_.load_state_dict(self.saved["module"])
        for name, parameter in net.module_.named_parameters():
            parameter.requires_grad_(name in self.saved["trainable"])
        self._restore_optimizer(net.optimizer_)
        self._scale_schedules(net)
        net.stopped_ = self.saved["stopped"]
        net.step_.load_state(self.saved["step"])
        torch.set_rng_state(self.saved["rng"].cpu())
        if net.device.type == "cuda" and self.saved["device_rng"] is not None:
            torch.cuda.set_rng_state(self.saved["device_rng"].cpu(), net.device)
        self.saved = None

    def _restore_optimizer(self, optimizer):
        fresh = [
            {key: group[key] for key in _EXECUTION if key in group}
            for group in optimizer.param_groups
        ]
        optimizer.load_state_dict(self.saved["optimizer"])
        _restore_dtypes(optimizer, self.saved["optimizer"]["state"])
        ratios = self._ratios()
        for group, execution, ratio in zip(
            optimizer.param_groups, fresh, ratios, strict=True
        ):
            group.update(execution)
            for key in ("lr", "initial_lr"):
                if key in group:
                    group[key] = _scaled(group[key], ratio)

    def _ratios(self):
        """Return the new and the old learning rate with which each group begins."""
        return list(zip(self.rates, self.saved["rates"], strict=True))

    def _scale_schedules(self, net):
        for _, callback in net.callbacks_:
            schedule = getattr(callback, "lr_scheduler_", None)
            for name in ("base_lrs", "_last_lr"):
                rates = getattr(schedule, name, None)
                if isinstance(rates, list) and len(rates) == len(self.rates):
                    rates[:] = map(_scaled, rates, self._ratios())

    def _check_same_run(self):
        before = self.saved["about"]
        differing = [
            f"{key} was {_shown(before.get(key))} and is {_shown(value)}"
            for key, value in self.about.items()
            if before.get(key) != value
        ]
        if differing:
            raise ValueError(
                f"The checkpoint {str(self.file)!r} is of another run: "
                f"{'; '.join(differing)}. Give this run a folder of its own, or set "
                "resume=False to overwrite it."
            )

    def on_epoch_end(self, net, **kwargs):  # noqa: ARG002
        if net.step_.part[0] != 0:  # one of several processes writes
            return
        on_cuda = net.device.type == "cuda"
        state = {
            "format": _FORMAT,
            "about": self.about,
            "seed": self.seed,
            "module": net.module_.state_dict(),
            "trainable": _trainable(net.module_),
            "optimizer": net.optimizer_.state_dict(),
            "rates": self.rates,
            "callbacks": self._callbacks_of(net),
            "history": [_plain(row) for row in net.history],
            "best": self.keeper.saved(),
            "stopped": bool(net.stopped_),
            "step": net.step_.state(),
            "rng": torch.get_rng_state(),
            "device_rng": torch.cuda.get_rng_state(net.device) if on_cuda else None,
        }
        _write(self.file, state)

    def _callbacks_of(self, net):
        """Return the state of the user's callbacks, and tell what cannot be stored."""
        states, ours = {}, dict(net.get_default_callbacks())
        for name, callback in net.callbacks_:
            if name in ours or callback in (self, self.keeper):
                continue
            states[name], left_out = state_of(callback, self.starts[name])
            if left_out and name not in self.told:
                self.told.add(name)
                warn_user(
                    f"The checkpoint cannot hold {', '.join(left_out)} of the callback "
                    f"{name!r}, which is no plain data: a resumed run starts it anew.",
                    CheckpointWarning,
                )
        return states


def _trainable(module):
    """Return the names of the parameters that no callback has frozen."""
    return [name for name, p in module.named_parameters() if p.requires_grad]


def _restore_dtypes(optimizer, saved):
    """Give the state of an optimizer the dtypes that it was saved with.

    torch casts all of it to the dtype of the weights, running products of NAdam too.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for number, entries in saved.items():
        state = optimizer.state[parameters[number]]
        for key, value in entries.items():
            if isinstance(value, torch.Tensor) and state[key].dtype != value.dtype:
                state[key] = value.to(state[key].device)


def _scaled(rate, ratio):
    """Return a learning rate as if its training had begun with another one."""
    new, old = ratio
    return rate if new == old else new * (rate / old)


def _shown(value):
    return "not there" if value is None else value


def _plain(row):
    """Return a row of the history without its batches, in Python's own numbers."""
    plain = {
        key: value.item() if isinstance(value, np.generic) else value
        for key, value in row.items()
    }
    return {**plain, "batches": []}


def _partial(file):
    """Return a file to write to first, which no other run writes to."""
    writer = f"{os.getpid()}-{threading.get_ident()}"
    return file.with_name(f"{file.stem}.{writer}.partial")


def _prepare(file):
    """Make the folder, and raise before training where no file can be written."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        for partial in file.parent.glob(f"{file.stem}*.partial"):
            partial.unlink(missing_ok=True)  # of a run that was killed
        is_folder = file.is_dir()
    except (OSError, ValueError) as error:
        raise ValueError(
            f"checkpoint={str(file.parent)!r} must be a folder to write in: {error}"
        ) from error
    if is_folder:
        raise ValueError(
            f"{str(file)!r} is a folder, where the checkpoint is to be written. Give "
            "checkpoint another folder."
        )
    if not os.access(file.parent, os.W_OK):
        raise ValueError(f"checkpoint={str(file.parent)!r} cannot be written in.")


def _write(file, state):
    """Write a state so that the file holds, at any time, the old one or the new one."""
    partial = _partial(file)
    try:
        content = _with_digest(state)
        try:
            _replace(file, partial, content)
        except FileNotFoundError:  # another run in the folder has tidied it up
            _replace(file, partial, content)
        _sync_folder(file.parent)
    except (OSError, RuntimeError) as error:
        raise OSError(
            getattr(error, "errno", None) or errno.EIO,
            f"The checkpoint {str(file)!r} cannot be written: {error}",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _with_digest(state):
    stream = io.BytesIO()
    torch.save(state, stream)
    stream.write(hashlib.sha256(stream.getbuffer()).digest())
    return stream.getbuffer()


def _replace(file, partial, content):
    with open(partial, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    os.replace(partial, file)


def _sync_folder(folder):
    """Make sure that a file that was renamed is found after a power cut."""
    try:
        number = os.open(folder, os.O_RDONLY)
    except OSError:  # folders cannot be opened on Windows
        return
    try:
        os.fsync(number)
    except OSError:  # nor synchronised on some network drives
        pass
    finally:
        os.close(number)


def _read(file):
    try:
        content = file.read_bytes()
        body, digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
        if hashlib.sha256(body).digest() != digest:
            raise EOFError("the digest does not fit")
        saved = torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise ValueError(
            f"{str(file)!r} is damaged, or no checkpoint at all: {error}. Delete it, "
            "or set resume=False to overwrite it."
        ) from error
    if not isinstance(saved, dict) or saved.get("format") != _FORMAT:
        raise ValueError(
            f"{str(file)!r} is not a checkpoint of this version of skimbalance. Delete "
            "it, or set resume=False to overwrite it."
        )
    return saved
