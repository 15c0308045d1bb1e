"""The skorch net: what a step, an epoch and the end of training do."""

import contextlib
import inspect
import warnings

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from skorch import NeuralNet
from skorch.callbacks import Callback, EpochTimer

from skimbalance._net._criterion import sum_over_members
from skimbalance._net._progress import Progress
from skimbalance._net._rows import Batches
from skimbalance._net._step import takes_closure


@contextlib.contextmanager
def seeded(seed, device):
    """Seed torch for a block of code and leave its global generators untouched."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.default_generator.manual_seed(seed)
        if devices:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


class TrainingStopped(Exception):  # noqa: N818
    """Training ends before its last epoch, as it should."""


def copy_state(module, place=None):
    """Return a copy of the weights and buffers of a module, in the place of another."""
    state = module.state_dict()
    if place is None:
        return {key: value.clone() for key, value in state.items()}
    for key, value in state.items():
        place[key].copy_(value)
    return place


class KeepBest(Callback):
    """Watch each epoch: keep the best weights, stop when they get no better.

    Parameters
    ----------
    score : callable or None
        ``score(raw_scores) -> float`` of the validation part, higher is better. None
        watches the validation loss, or takes the last epoch where nothing is held out.
    patience : int or None
        Epochs without gain after which training stops; None never stops.
    state : dict or None
        Weights that are good already, of a net that is trained further.
    """

    def __init__(self, score=None, patience=None, state=None):
        self.score, self.patience, self.state = score, patience, state
        self.best_value, self.best_epoch = -np.inf, 0

    def on_epoch_end(self, net, **kwargs):  # noqa: ARG002
        epoch = len(net.history)
        if not _is_finite(net):
            self._diverged(net, epoch)
            return
        value = self._value(net)
        if value is None or value > self.best_value or self.best_epoch == 0:
            self.state = copy_state(net.module_, self.state)
            self.best_epoch = epoch
            self.best_value = -np.inf if value is None else value
        net.stopped_ = self.patience is not None and (
            epoch - self.best_epoch >= self.patience
        )

    def _diverged(self, net, epoch):
        if self.state is None:
            raise ValueError(
                "Training diverged in its first epoch: the loss or the weights are not "
                "finite. Lower lr, or scale X."
            )
        net.stopped_ = True
        warnings.warn(
            f"Training diverged in epoch {epoch}: the loss or the weights are not "
            "finite. The best weights so far were restored; lower lr, or scale X.",
            ConvergenceWarning,
            stacklevel=2,
        )

    def _value(self, net):
        if self.score is not None:
            value = self.score(net.valid_scores_)
            net.history.record("valid_score", value)
            return value
        last = net.history[-1]
        return -last["valid_loss"] if "valid_loss" in last else None


def _is_finite(net):
    if not np.isfinite(net.history[-1]["train_loss"]):
        return False
    return all(bool(value.isfinite().all()) for value in net.module_.parameters())


def _compile(module):
    """Compile a module, apart from others of its class: torch counts compilations.

    Where torch cannot keep them apart it gives up after some fits in a process.
    """
    known = inspect.signature(torch.compile).parameters
    options = {"isolate_recompiles": True} if "isolate_recompiles" in known else {}
    module.compile(**options)


def _overrides(callbacks, *methods):
    return any(
        getattr(type(callback), method) is not getattr(Callback, method)
        for _, callback in callbacks
        for method in methods
    )


class Net(NeuralNet):
    """A skorch net on `RowSet`: the same hooks, one wait for the device an epoch."""

    # A callback may hold the optimizer, whose tensors must follow to another device.
    cuda_dependent_attributes_ = ["callbacks"]  # noqa: RUF012

    compiles = False

    @property
    def _default_callbacks(self):
        return [("epoch_timer", EpochTimer()), ("progress", Progress())]

    def train(self, training, validation, epochs, keeper, checkpoint=None):
        """Train, then put the best weights back.

        Parameters
        ----------
        training : RowSet
        validation : RowSet or None
        epochs : int
        keeper : KeepBest
        checkpoint : Checkpoint or None
            What saves each epoch, and may know where to go on.
        """
        with self._watched(keeper, checkpoint):
            self.last_epoch_ = epochs + len(self.history)
            if checkpoint is not None:
                checkpoint.restore(self)
            self.notify("on_train_begin", X=training, y=validation)
            if checkpoint is not None:
                checkpoint.restore_step(self)
            with self._ending_early(keeper):
                self._train_on(training, validation)
        self.notify("on_train_end", X=training, y=validation)
        self.module_.load_state_dict(keeper.state)

    @contextlib.contextmanager
    def _watched(self, keeper, checkpoint):
        """Let our own callbacks watch for as long as training lasts."""
        callbacks = self.callbacks_
        own = [("keep_best", keeper)]
        if checkpoint is not None:
            checkpoint.keeper = keeper
            own.append(("checkpoint", checkpoint))
        self.callbacks_ = [*callbacks[:1], *own, *callbacks[1:]]
        try:
            yield
        finally:
            self.callbacks_, self.valid_scores_ = callbacks, None

    def _train_on(self, training, validation):
        epochs = self.last_epoch_ - len(self.history)
        if epochs > 0 and not self.stopped_:
            self.fit_loop(training, validation, epochs=epochs)

    @contextlib.contextmanager
    def _ending_early(self, keeper):
        """Let training end before its last epoch without losing what it has."""
        try:
            yield
        except TrainingStopped:
            pass
        except KeyboardInterrupt:
            if keeper.state is None:
                raise
            warnings.warn(
                f"Training was interrupted in epoch {len(self.history)}; the best "
                "weights so far are kept.",
                ConvergenceWarning,
                stacklevel=3,
            )

    def notify(self, method_name, **cb_kwargs):
        try:
            super().notify(method_name, **cb_kwargs)
        except KeyboardInterrupt as error:
            # The way in which skorch's own callbacks end the training.
            raise TrainingStopped from error
        if method_name == "on_epoch_end" and self.stopped_:
            raise TrainingStopped

    def on_train_begin(self, net, X=None, y=None, **kwargs):  # noqa: ARG002
        self.stopped_ = False
        self.watches_batches_ = _overrides(
            self.callbacks_, "on_batch_begin", "on_batch_end"
        )
        self.watches_gradients_ = _overrides(self.callbacks_, "on_grad_computed")
        self.step_takes_closure_ = takes_closure(self.optimizer_)
        self.reports_batches_ = self.watches_batches_ or self.step_takes_closure_
        self.step.begin(self)

    def on_train_end(self, net, X=None, y=None, **kwargs):  # noqa: ARG002
        self.step.end()

    @property
    def reads_sparse(self):
        """Whether the module takes `SparseRows`."""
        return self.module_.accepts_sparse

    def get_split_datasets(self, X, y=None, **fit_params):  # noqa: ARG002
        return X, y

    def get_all_learnable_params(self):
        # The bias goes by one name, so that a group of its own finds it anywhere.
        bias = self.module_.bias
        for name, parameter in super().get_all_learnable_params():
            yield "bias" if parameter is bias else name, parameter

    def infer(self, x, **fit_params):  # noqa: ARG002
        return self.module_(x)

    def _total_loss(self, batch):
        """Return the scores and the sum of the losses, which members add to."""
        with self.step.autocast(self.device):
            scores, targets = self.step.module(batch.x), (batch.labels, batch.weight)
            if scores.ndim == 3:
                return scores, sum_over_members(self.criterion_, scores, *targets)
            return scores, self.criterion_(scores, *targets)

    def _step_of(self, scores, total):
        """Return what a step tells; the mean loss only to those who ask for it."""
        step = {"total": total.detach(), "y_pred": scores}
        if self.reports_batches_:
            step["loss"] = step["total"] / self._divisor(len(scores))
        return step

    def _divisor(self, n_rows):
        """Return what makes a mean, over rows and members, of a sum of losses."""
        return self.criterion_.divisor(n_rows) * self.module_.n_members

    def train_step_single(self, batch, **fit_params):  # noqa: ARG002
        scores, total = self._total_loss(batch)
        # Each of several members gets the gradient that it would get alone.
        self.step.backward(total, batch.share / self.criterion_.divisor(len(scores)))
        return self._step_of(scores, total)

    def train_step(self, batch, **fit_params):
        if self.step_takes_closure_:
            return super().train_step(batch, **fit_params)
        if batch.first:
            self.step.clear()
        step = self.train_step_single(batch)
        if batch.last:
            self.step.finish_gradients()
            if self.watches_gradients_:
                self._show_gradients(batch)
            self.step.update()
        return step

    def _show_gradients(self, batch):
        parameters = list(self.get_all_learnable_params())
        self.notify(
            "on_grad_computed", named_parameters=parameters, batch=batch, training=True
        )

    def validation_step(self, batch, **fit_params):  # noqa: ARG002
        with torch.no_grad():
            scores, total = self._total_loss(batch)
        self.valid_scores_.append(scores.to(self.module_.bias.dtype).cpu())
        return self._step_of(scores, total)

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        if iterator is None:
            return
        self._set_training(training)
        self.valid_scores_ = []
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        if training:
            self.step.begin_epoch()
        for batch in iterator:
            if self.watches_batches_:
                self.notify("on_batch_begin", batch=batch, training=training)
            step = step_fn(batch, **fit_params)
            total += step["total"]
            if self.watches_batches_:
                self.notify("on_batch_end", batch=batch, training=training, **step)
        if training:
            total = self.step.summed(total)
        # The only wait for the device in an epoch.
        mean = total.item() / self._divisor(len(iterator.rows))
        self.history.record(f"{prefix}_loss", mean)
        self.history.record(f"{prefix}_batch_count", len(iterator))

    def reweigh(self, loss, params):
        """Put a batch loss with other weights in the place of the present one.

        Parameters
        ----------
        loss : Loss
            A copy that this net may move to its device.
        params : dict
            Constructor parameters of the criterion; arrays become tensors.
        """
        dtype = self.module_.bias.dtype
        tensors = {
            key: torch.as_tensor(value, dtype=dtype)
            if isinstance(value, np.ndarray)
            else value
            for key, value in params.items()
        }
        self.criterion_ = self.criterion(loss, **tensors).to(self.device)
        if self.compiles:
            _compile(self.criterion_)

    def compile_module(self):
        """Compile the module, and from now on every batch loss."""
        self.compiles = True
        _compile(self.module_)

    def epochs(self):
        """Return the history as a list of plain dicts, one an epoch."""
        keys = {"dur": "seconds"}
        keys.update((key, key) for key in ("train_loss", "valid_loss", "valid_score"))
        return [
            {"epoch": number}
            | {name: float(row[key]) for key, name in keys.items() if key in row}
            for number, row in enumerate(self.history, start=1)
        ]

    def raw_scores(self, rows, batch_size):
        """Yield the raw scores of the rows in order, on the CPU, chunk by chunk."""
        self._set_training(False)
        dtype = self.module_.bias.dtype
        for batch in Batches(rows, batch_size):
            with torch.no_grad(), self.step.autocast(self.device):
                yield self.module_(batch.x).to(dtype).cpu()
