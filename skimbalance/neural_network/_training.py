"""The skorch net: its training step, its epochs and the end of its training."""

import contextlib
import dis
import fnmatch
import inspect
import pickle
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import cloudpickle
import numpy as np
import torch
from sklearn.base import ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from skorch import NeuralNet
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochTimer,
    LRScheduler,
)
from skorch.callbacks.scoring import ScoringBase
from skorch.callbacks.training import ParamMapper
from skorch.dataset import unpack_data
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from skimbalance._base import warn_user
from skimbalance._validation import accepted_names, closest
from skimbalance.neural_network._callbacks import AverageWeights, Progress
from skimbalance.neural_network._cuda_graphs import Capture, Recorder, can_record
from skimbalance.neural_network._data import (
    Batches,
    GatheredRows,
    RowSet,
)
from skimbalance.neural_network._module import (
    all_finite,
    sum_over_members,
    user_name,
)
from skimbalance.neural_network._optimizer import clear_gradients, takes_closure
from skimbalance.neural_network._rows import is_tiny

_RAISE = dis.opmap["RAISE_VARARGS"]
_LOSSES = "train_loss", "valid_loss", "valid_score"
# The names of the callbacks that `Net.train` adds to those of skorch and of the user.
_OUR_CALLBACKS = "keep_best", "average_weights", "checkpoint"
# The precision of the products under autocast, where it is half of that of the weights.
_HALF = {"16": torch.float16, "bf16": torch.bfloat16}
# Parameters of a skorch net that the estimator sets itself.
_RESERVED_NET_PARAMS = {
    "batch_size",
    "callbacks",
    "compile",
    "criterion",
    "dataset",
    "device",
    "iterator_train",
    "iterator_valid",
    "lr",
    "max_epochs",
    "module",
    "optimizer",
    "predict_nonlinearity",
    "train_split",
    "verbose",
    "warm_start",
}
# What a user sets instead, where the parameter of the estimator has another name; None
# where the estimator needs its own.
_INSTEAD_OF = {
    "criterion": "loss",
    "dataset": None,
    "iterator_train": "batch_size and num_workers",
    "iterator_valid": "batch_size and num_workers",
    "predict_nonlinearity": "correct_probabilities",
    "train_split": "validation_fraction, or X_val and y_val of fit,",
}


def random_generator(random_state):
    """Return a generator; None draws fresh entropy, not NumPy's global state."""
    if random_state is None:
        return np.random.RandomState()
    return check_random_state(random_state)


def draw_seed(rng):
    """Return a seed for torch."""
    return int(rng.randint(np.iinfo(np.int32).max))


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


@contextlib.contextmanager
def gradients():
    """Enable gradients in a block of code, also inside `torch.no_grad()`."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


class Step:
    """Compute the gradients of a batch and update the weights.

    Parameters
    ----------
    half : torch.dtype or None
        Half precision of the products (autocast); weights and losses stay float32.
        float16 scales the loss, so that small gradients survive.
    max_grad_norm : float or None
        Norm that the gradient of all weights together is clipped to. skorch's
        `GradientNormClipping` does the same, but every step has to notify it.
    records : bool
        Whether gradients may be recorded as CUDA graphs.
    """

    def __init__(self, half=None, max_grad_norm=None, records=False):
        self.half, self.max_grad_norm, self.records = half, max_grad_norm, records
        self.part = 0, 1
        self.module: Any = None
        self.optimizer: Any = None
        self.scaler: Any = None
        self.recorder: Any = None
        self.parameters: list = []

    def __getstate__(self):
        # A CUDA graph cannot be stored, and a copy of the net records its own.
        return vars(self) | {"recorder": None}

    def begin(self, net):
        """Take the module and the optimizer of a net that is about to train."""
        self.module, self.optimizer = net.module_, net.optimizer_
        self.parameters = [p for _, p in net.get_all_learnable_params()]
        scales = self.half is torch.float16
        self.scaler = torch.amp.GradScaler(net.device.type) if scales else None
        self.factors = {}
        self.recorder = None
        if self.records and can_record(net):
            self.recorder = Recorder(self.parameters, partial(Capture, net.device))

    def end(self):
        """Drop the references to the optimizer and its tensors."""
        if self.recorder is not None:
            self.recorder.end()
        self.module = self.optimizer = self.scaler = self.recorder = None
        self.parameters, self.factors = [], {}

    def begin_epoch(self):
        """Synchronise the random generators of the processes."""

    def summed(self, total):
        """Return the sum over all processes."""
        return total

    def autocast(self, device):
        """Return the context in which scores and losses are computed."""
        if self.half is None:
            return contextlib.nullcontext()
        return torch.autocast(device.type, self.half)

    def compute(self, gradients, batch):
        """Return what ``gradients(batch)`` returns, which a CUDA graph may replay."""
        if self.recorder is None or not isinstance(batch[0], torch.Tensor):
            return gradients(batch)
        return self.recorder(gradients, batch)

    def backward(self, total, factor):
        """Add the gradient of the summed loss of a batch, times a factor."""
        if factor not in self.factors:
            self.factors[factor] = torch.full_like(total, factor)
        if self.scaler is not None:
            total = self.scaler.scale(total)
        total.backward(self.factors[factor])

    def finish_gradients(self):
        """Undo the scaling of the loss in the gradients."""
        if self.scaler is not None:
            self.scaler.unscale_(self.optimizer)

    def update(self):
        """Clip the gradients and update the weights."""
        if self.max_grad_norm is not None:
            nn.utils.clip_grad_norm_(self.parameters, self.max_grad_norm)
        if self.scaler is None:
            self.optimizer.step()
        else:
            self.scaler.step(self.optimizer)
            self.scaler.update()

    def state(self):
        """Return the state that a checkpoint stores."""
        return {} if self.scaler is None else self.scaler.state_dict()

    def load_state(self, state):
        """Continue from a stored state."""
        if self.scaler is not None:
            self.scaler.load_state_dict(state)


class ParallelStep(Step):
    """A `Step` of one process among several, through Hugging Face accelerate.

    skorch's `AccelerateMixin` gives each process its rows by a torch DataLoader, which
    reads them one by one; here `Batches` gives it its part of every batch.

    Parameters
    ----------
    accelerator : accelerate.Accelerator
        Knows the processes and the device of this one.
    half, max_grad_norm : object
        As in `Step`.
    """

    def __init__(self, accelerator, half=None, max_grad_norm=None):
        super().__init__(half, max_grad_norm)
        self.accelerator = accelerator
        self.part = accelerator.process_index, accelerator.num_processes

    def __getstate__(self):
        # A saved net goes on alone: processes cannot be stored.
        return super().__getstate__() | {"accelerator": None, "part": (0, 1)}

    def begin(self, net):
        super().begin(net)
        if self.part[1] > 1 and any(True for _ in net.criterion_.loss.parameters()):
            raise ValueError(
                f"{type(net.criterion_.loss).__name__} has parameters, of which each "
                "process would train its own: train on one process, or put them into "
                "the module."
            )
        if self.accelerator is not None:
            self.module = self.accelerator.prepare_model(net.module_)

    def end(self):
        super().end()
        if self.accelerator is not None:
            self.accelerator.free_memory()  # or it would keep the net of every fit

    def begin_epoch(self):
        if self.accelerator is not None:
            from accelerate.utils import synchronize_rng_states

            synchronize_rng_states(["torch"])

    def summed(self, total):
        if self.accelerator is None:
            return total
        return self.accelerator.reduce(total, "sum")


class TrainingStopped(KeyboardInterrupt):
    """End the training before its last epoch, on purpose.

    A subclass of KeyboardInterrupt, as skorch's `partial_fit` ends without an error at
    that one only.
    """


def _is_raised_by_skorch(error):
    """Return whether a callback of skorch raised this KeyboardInterrupt on purpose.

    A Ctrl-C of the user may arrive while such a callback runs. It is told apart by the
    instruction that raised the error: in the callback that is a `raise` statement.
    """
    trace = error.__traceback__
    while trace.tb_next is not None:
        trace = trace.tb_next
    module = trace.tb_frame.f_globals.get("__name__", "")
    code = trace.tb_frame.f_code.co_code
    return module.startswith("skorch.callbacks.") and code[trace.tb_lasti] == _RAISE


def _compile(module):
    """Compile a module, separately from other modules of its class.

    torch limits the compilations of one class. Without this option, which old versions
    lack, it stops compiling after some fits in one process.
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


def _mean_of_members(scores):
    """Return the mean over members, with the scores of each as an attribute."""
    if scores.ndim != 3:
        return scores
    mean = scores.mean(1)
    mean.members = scores
    return mean


class Net(ClassifierMixin, NeuralNet):
    """A skorch net whose batches are slices of the arrays of the user.

    The fitted net answers as a `skorch.NeuralNetClassifier` does: `forward` gives raw
    scores of shape (n_samples, n_outputs), the mean over members; `predict_proba` and
    `predict` give what the estimator does, with the threshold that `fit` had. It takes
    rows of `X` as the estimator does, and scales them itself.

    `run_single_epoch` is overridden, since skorch reads the loss of every batch and so
    waits for the device each time. This net waits once an epoch, unless a callback
    reads the losses of batches.
    """

    if TYPE_CHECKING:
        # skorch's signature names the types of its own parts, not of ours.
        def __init__(self, *args: Any, **kwargs: Any): ...

    # A callback may hold the optimizer, whose tensors must follow to another device.
    cuda_dependent_attributes_ = ["callbacks"]  # noqa: RUF012

    # The answers of the estimator, which sets them; see `NetOutputs`.
    outputs_: Any = None
    # What a step of the training does, set by the estimator.
    step_: Step
    criterion_: Any
    module_: Any
    # What tells scikit-learn's callbacks of each epoch, while `fit` runs.
    tasks_: Any = None
    # The batch that callbacks are notified of.
    batch_: Any = None
    # The raw scores of the validation part in the running epoch, batch by batch.
    valid_scores_: Any = None
    # While members train that hold out folds.
    average_: AverageWeights | None = None
    last_epoch_ = 0
    # Epochs of an earlier fit whose weights this net continues with.
    earlier_: Sequence = ()

    @property
    def _default_callbacks(self):
        return [("epoch_timer", EpochTimer()), ("progress", Progress())]

    @property
    def classes_(self):
        """The classes of the estimator."""
        return self.outputs_.classes

    # ------------------------------------------------------------------------ training

    def train(self, training, validation, epochs, stopping, checkpoint=None):
        """Train, then put the best weights back.

        Parameters
        ----------
        training : RowSet
        validation : RowSet or None
        epochs : int
        stopping : KeepBest
        checkpoint : Checkpoint or None
            What saves each epoch, and may know where to go on.
        """
        # Members that hold out folds: a plain net is that of its last, or best, epoch.
        self.average_ = None if training.fold is None else AverageWeights()
        with self._watched(stopping, checkpoint), self._whole_weights(stopping):
            with self._ending_early(stopping):
                self._begin(training, validation, epochs, stopping, checkpoint)
                epochs = self.last_epoch_ - len(self.history)
                if epochs > 0 and not self.stopped_:
                    self.fit_loop(training, validation, epochs=epochs)
            with self._ending_early(stopping):
                self._keep(stopping)
                self.notify("on_train_end", X=training, y=validation)
        self.history[:0], self.earlier_ = self.earlier_, ()

    def _begin(self, training, validation, epochs, stopping, checkpoint):
        """Notify of the start of training, and restore the state of an earlier run."""
        self._check_monitors(validation)
        self.last_epoch_ = epochs + len(self.history)
        if checkpoint is not None:
            checkpoint.restore(self)
        n_known, module = len(self.history), self.module_
        self.notify("on_train_begin", X=training, y=validation)
        if self.module_ is not module and stopping.best.state is not None:
            # A callback has made the module anew.
            self._load(stopping.best.state)
        # A callback may load the history of an earlier run, which does not count.
        self.last_epoch_ += len(self.history) - n_known
        if checkpoint is not None:
            checkpoint.restore_step(self)

    @contextlib.contextmanager
    def _watched(self, stopping, checkpoint):
        """Add the callbacks of the estimator for as long as training lasts.

        The best weights are kept before the user's callbacks are notified of an epoch,
        so that they find its score; the checkpoint comes last, so that it saves what
        they have done.
        """
        callbacks, last = self.callbacks_, []
        if self.average_ is not None:
            last.append(("average_weights", self.average_))
        if checkpoint is not None:
            checkpoint.stopping = stopping
            last.append(("checkpoint", checkpoint))
        first, *others = callbacks
        self.callbacks_ = [first, ("keep_best", stopping), *others, *last]
        try:
            yield
        finally:
            self.callbacks_, self.valid_scores_, self.batch_ = callbacks, None, None
            self.average_ = None
            self.step_.end()

    @contextlib.contextmanager
    def _whole_weights(self, stopping):
        """Restore the net where the block raises: that of the chunks before, if any."""
        n_epochs, before = len(self.history), stopping.best.state
        try:
            yield
        except BaseException:
            del self.history[n_epochs:]
            state = stopping.best.state if before is None else before
            if state is not None:
                self._load(state)
            raise

    @contextlib.contextmanager
    def _ending_early(self, stopping):
        """Let training end before its last epoch, and keep the best weights."""
        try:
            yield
        except TrainingStopped:
            pass
        except KeyboardInterrupt:
            if stopping.best.state is None:
                raise
            warn_user(
                f"Training was interrupted in epoch {len(self.history)}; the best "
                "weights so far are kept.",
                ConvergenceWarning,
            )
        if self.history and "train_loss" not in self.history[-1]:
            del self.history[-1]  # an epoch that was not trained to its end

    def _keep(self, stopping):
        """Put the best weights back; before the first epoch, keep the present ones."""
        if stopping.best.state is None:
            stopping.start_from(self.trained_)
        self._load(stopping.best.state)

    def _load(self, state):
        """Load weights; where an interrupt arrives meanwhile, load them again."""
        try:
            self.trained_.load_state_dict(state)
        except KeyboardInterrupt:
            self._load(state)
            raise

    def notify(self, method_name, **cb_kwargs):
        # First: the last callback takes the averaged weights out of the module.
        stops = self.tasks_ is not None and self.tasks_.follow(method_name)
        try:
            super().notify(method_name, **cb_kwargs)
        except KeyboardInterrupt as error:
            if _is_raised_by_skorch(error):
                raise TrainingStopped from error
            raise
        if method_name == "on_train_begin":
            # After the callbacks, which may have made another module or optimizer.
            self._check_patterns()
            self.step_takes_closure_ = takes_closure(self.optimizer_)
            self.step_.begin(self)
        elif method_name == "on_train_end":
            self.step_.end()
        elif method_name == "on_epoch_end" and (self.stopped_ or stops):
            raise TrainingStopped

    def on_train_begin(self, net, X=None, y=None, **kwargs):  # noqa: ARG002
        self.stopped_ = self.gradients_seen_ = False
        ours = {*dict(self.get_default_callbacks()), *_OUR_CALLBACKS}
        self.records_batches_ = any(name not in ours for name, _ in self.callbacks_)
        self.watches_batches_ = _overrides(
            self.callbacks_, "on_batch_begin", "on_batch_end"
        )
        self.watches_gradients_ = _overrides(self.callbacks_, "on_grad_computed")
        self.best_losses_ = {}
        for row in (*self.earlier_, *self.history):
            for key in _LOSSES:
                if row.get(f"{key}_best"):
                    self.best_losses_[key] = row[key]

    def partial_fit(self, X, y=None, classes=None, **fit_params):
        with gradients():
            if not self.initialized_:
                self.initialize()
            self.last_epoch_ = len(self.history) + self.max_epochs
            return super().partial_fit(X, y, classes=classes, **fit_params)

    def check_data(self, X, y=None):
        """Check nothing: the estimator reads the data, and knows the classes."""

    def get_dataset(self, X, y=None):
        if isinstance(X, RowSet):
            return X
        if self.batch_ is not None and X is self.batch_[0]:
            # A callback predicts the batch that it was notified of, which is scaled.
            return GatheredRows(*self.batch_)
        return self.outputs_.rows(self, X, y)

    def get_split_datasets(self, X, y=None, **fit_params):
        if isinstance(X, RowSet):
            return X, y
        return super().get_split_datasets(X, y, **fit_params)

    # ------------------------------------------------------------ module and optimizer

    @property
    def trained_(self):
        """The module and the loss, which may have parameters that are trained, too."""
        return torch.nn.ModuleDict(
            {"module": self.module_, "loss": self.criterion_.loss}
        )

    @property
    def reads_sparse(self):
        """Whether the module takes `SparseRows`."""
        return self.module_.accepts_sparse

    def torch_compile(self, module, name):  # noqa: ARG002
        # In place: the names of the parameters stay, and pickles need no compiler.
        if self.compile:
            _compile(module)
        return module

    def get_all_learnable_params(self):
        for name, parameter in super().get_all_learnable_params():
            yield user_name(name), parameter

    def _get_params_for_optimizer(self, prefix, named_parameters):
        # As skorch's, with checked patterns, and without decay of the output bias.
        named = list(named_parameters)
        names = [name for name, _ in named]
        for pattern, _ in self.get_params_for(prefix).get("param_groups", []):
            _check_pattern(pattern, names, f"{prefix}_params['param_groups']")
        (groups,), kwargs = super()._get_params_for_optimizer(prefix, named)
        if any(getattr(part, "sparse", False) for part in self.module_.modules()):
            # An embedding with sparse gradients, for which torch has no fused step.
            kwargs.pop("fused", None)
        known = inspect.signature(getattr(self, prefix)).parameters
        if "weight_decay" in known:
            groups = list(_without_decay(groups, self.module_.bias))
        return (groups,), kwargs

    def initialize_optimizer(self, *args, **kwargs):
        try:
            return super().initialize_optimizer(*args, **kwargs)
        except (TypeError, ValueError) as error:
            if "optimizer" in str(error):
                raise
            raise ValueError(
                f"optimizer={self.optimizer!r} does not take the parameters of the "
                f"module: {error}"
            ) from error

    def _check_patterns(self):
        """Raise where a callback looks for parameters that are not there."""
        names = [name for name, _ in self.get_all_learnable_params()]
        for callback_name, callback in self.callbacks_:
            if isinstance(callback, ParamMapper):
                for pattern in callback.patterns:
                    _check_pattern(pattern, names, f"The callback {callback_name!r}")

    def _check_monitors(self, validation):
        """Raise where a callback reads a score of held-out rows, and there are none."""
        held_out_scores = {"valid_loss", "valid_score"} | {
            callback.name_
            for _, callback in self.callbacks_
            if isinstance(callback, ScoringBase) and not callback.on_train
        }
        for name, callback in self.callbacks_ if validation is None else ():
            if isinstance(callback, LRScheduler):  # other schedules read no score
                reads = callback.policy in ("ReduceLROnPlateau", ReduceLROnPlateau)
            else:
                reads = isinstance(callback, (EarlyStopping, Checkpoint))
            monitor = callback.monitor if reads else None
            is_key = isinstance(monitor, str)
            if is_key and monitor.removesuffix("_best") in held_out_scores:
                raise ValueError(
                    f"The callback {name!r} has monitor={monitor!r}, a score of "
                    "held-out rows, and none are held out. Set early_stopping=True, "
                    "pass X_val and y_val to fit, or set monitor to a score of the "
                    "training, such as 'train_loss'."
                )

    def reweigh(self, params):
        """Give the criterion the weights of another chunk of the rows.

        It stays the same object, since the optimizer may train parameters of the loss.

        Parameters
        ----------
        params : dict
            As `weigh` of the criterion takes them.
        """
        for key, value in params.items():
            # Read again where a callback makes the module anew, and the rest with it.
            setattr(self, f"criterion__{key}", value)
        self.criterion_.weigh(**params)
        self.criterion_.to(self.device)

    # ----------------------------------------------------------------- steps and epochs

    def infer(self, x, **fit_params):  # noqa: ARG002
        return self.module_(x)

    def _infer_batch(self, x, y):
        """Return raw scores: of the only member that scores the rows, if there is one.

        Whoever scores held-out rows gets scores of members that did not train on them.
        """
        with self.module_.lock:
            if y is None or y.member is None:
                return self.infer(x)
            return self.module_.scores_of(y.member, x)

    def evaluation_step(self, batch, training=False):
        self.check_is_fitted()
        with torch.set_grad_enabled(training), self.step_.autocast(self.device):
            self._set_training(training)
            scores = self._infer_batch(*unpack_data(batch))
        return scores.to(self.module_.bias.dtype)

    def _total_loss(self, batch) -> tuple[torch.Tensor, Any]:
        """Return the scores and the sum of the losses, which members add to."""
        x, y = unpack_data(batch)
        targets = y.labels, y.weight
        with self.step_.autocast(self.device):
            if y.member is None:
                scores = self.step_.module(x)
            else:
                scores = self._infer_batch(x, y)
            if scores.ndim == 3:
                targets = (*targets, y.fold, y.share, y.importance)
                return scores, sum_over_members(self.criterion_, scores, *targets)
            return scores, self.criterion_(scores, *targets)

    def _step_of(self, scores, total):
        """Return skorch's dict for a step; its loss is None where nothing reads it."""
        watched = self.watches_batches_ or self.records_batches_
        is_read = watched or self.step_takes_closure_
        loss = total / self._divisor(len(scores), scores) if is_read else None
        return {"loss": loss, "y_pred": scores, "total": total}

    def _divisor(self, n_rows, scores):
        """Return what makes a mean, over rows and members, of a sum of losses."""
        n_members = scores.shape[1] if scores.ndim == 3 else 1
        return self.criterion_.divisor(n_rows) * n_members

    def train_step_single(self, batch, **fit_params):  # noqa: ARG002
        return self._step_of(*self.step_.compute(self._gradients, batch))

    def _gradients(self, batch):
        """Compute the gradients of a batch; return scores and sum as `_total_loss`."""
        scores, total = self._total_loss(batch)
        # Each of several members gets the gradient that it would get alone.
        fraction = batch[1].fraction
        factor = fraction / self.criterion_.divisor(len(scores))
        if self.gradients_seen_:
            self.step_.backward(total, factor)
        else:
            self._first_backward(total, factor)
        # Without its history: what keeps the scores would keep all of the batch.
        return scores.detach(), total.detach()

    def _first_backward(self, total, factor):
        """Compute the first gradients, or raise where the module detaches them."""
        weights = [p for p in self.module_.body.parameters() if p.requires_grad]
        try:
            if total.requires_grad:
                self.step_.backward(total, factor)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise ValueError(
                f"module gives scores that torch finds no gradient of: {error}"
            ) from error
        if weights and all(weight.grad is None for weight in weights):
            raise ValueError(
                "module gives scores that do not depend on its weights, as far as "
                "torch knows, so that nothing would be trained. Look for detach(), "
                ".data, torch.no_grad() or NumPy in its forward method."
            )
        self.gradients_seen_ = True

    def train_step(self, batch, **fit_params):
        if self.step_takes_closure_:
            return super().train_step(batch, **fit_params)
        if batch[1].first:
            clear_gradients(self.step_.parameters)
        step = self.train_step_single(batch)
        if batch[1].last:
            self.step_.finish_gradients()
            if self.watches_gradients_:
                self._show_gradients(batch)
            self.step_.update()
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
        self.criterion_.read_rows(**iterator.rows.row_params)
        self.valid_scores_ = []
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        if training:
            self.step_.begin_epoch()
        run = self._watched_step if self.watches_batches_ else self._plain_step
        losses, sizes, scores = [], [], total
        for batch in iterator:
            step = run(batch, training, prefix, step_fn, fit_params)
            total += step["total"]
            losses.append(step["loss"])
            scores = step["y_pred"]
            sizes.append(len(scores))
        if self.records_batches_ and not self.watches_batches_:
            self._record_batches(prefix, losses, sizes)
        if training:
            total = self.step_.summed(total)
        # The only wait for the device in an epoch.
        mean = total.item() / self._divisor(len(iterator.rows), scores)
        self.record(f"{prefix}_loss", mean)
        self.history.record(f"{prefix}_batch_count", len(iterator))
        if training and self.average_ is not None:
            self.average_.lend(self.trained_)

    def _plain_step(self, batch, training, prefix, step_fn, fit_params):  # noqa: ARG002
        return step_fn(batch, **fit_params)

    def _watched_step(self, batch, training, prefix, step_fn, fit_params):
        """Run a step as skorch does: notify before and after, and record its loss."""
        self.notify("on_batch_begin", batch=batch, training=training)
        step = step_fn(batch, **fit_params)
        shown = _mean_of_members(step["y_pred"].detach())
        self.history.record_batch(f"{prefix}_loss", step["loss"].item())
        self.history.record_batch(f"{prefix}_batch_size", len(shown))
        self.batch_ = batch
        self.notify(
            "on_batch_end",
            batch=batch,
            training=training,
            loss=step["loss"],
            y_pred=shown,
        )
        self.batch_ = None
        # A callback that predicts has put the module into that mode.
        self._set_training(training)
        return step

    def _record_batches(self, prefix, losses, sizes):
        """Write the history of the batches, for callbacks that read it at the end."""
        for loss, size in zip(torch.stack(losses).tolist(), sizes, strict=True):
            self.history.new_batch()
            self.history.record_batch(f"{prefix}_loss", loss)
            self.history.record_batch(f"{prefix}_batch_size", size)

    def record(self, name, value, lower_is_better=True):
        """Write a score of the epoch, and whether it is the best, into the history."""
        best = self.best_losses_.get(name)
        is_best = bool(np.isfinite(value)) and (
            best is None or bool(value < best if lower_is_better else value > best)
        )
        if is_best:
            self.best_losses_[name] = value
        self.history.record(name, value)
        self.history.record(f"{name}_best", is_best)

    def epochs(self):
        """Return the history as a list of plain dicts, one an epoch."""
        keys = {"dur": "seconds"} | {key: key for key in _LOSSES}
        return [
            {"epoch": number}
            | {name: float(row[key]) for key, name in keys.items() if key in row}
            for number, row in enumerate(self.history, start=1)
        ]

    # ---------------------------------------------------------------------- predictions

    def raw_scores(self, rows, batch_size):
        """Yield the raw scores of the rows in order, on the CPU, chunk by chunk."""
        self._set_training(False)
        for x, y in Batches(rows, batch_size):
            yield self._finite_scores(x, y)

    def _finite_scores(self, x, y):
        """Return the scores of a chunk, in full precision if half overflows."""
        with torch.no_grad(), self.step_.autocast(self.device):
            scores = self._on_cpu(self._infer_batch(x, y))
        if self.step_.half is not None and not all_finite(scores):
            with torch.no_grad():
                scores = self._on_cpu(self._infer_batch(x, y))
        if not all_finite(scores):
            raise ValueError(
                "The net has no finite scores for some rows of X: their values are too "
                "far from those that it was trained on. Check X for outliers, or clip "
                "it."
            )
        return scores

    def _on_cpu(self, scores):
        return scores.to(self.module_.bias.dtype).cpu()

    def forward_iter(self, X, training=False, device="cpu"):
        for scores in super().forward_iter(X, training=training, device=device):
            yield _mean_of_members(scores)

    def predict_proba(self, X):
        return self._answers(X, self.outputs_.probabilities)

    def predict(self, X):
        return self._answers(X, self.outputs_.predictions)

    def _answers(self, X, answer):
        scores: Any = self.forward_iter(X)
        dtype = self.module_.bias.dtype
        return np.concatenate(
            [answer(getattr(raw, "members", raw).to(dtype).cpu()) for raw in scores]
        )

    # ---------------------------------------------------------------------- persistence

    def load_params(self, *args, **kwargs):
        # safetensors takes the name of a device, and no torch.device.
        device, self.device = self.device, str(self.device)
        try:
            super().load_params(*args, **kwargs)
        finally:
            self.device = device

    def __getstate__(self):
        # As skorch's, but for classes of a function, a notebook or a script, which a
        # worker process has not got by name: cloudpickle stores these by value.
        names = [
            name
            for name in vars(self)
            if name.startswith(tuple(self.cuda_dependent_attributes_))
        ]
        left_out = {*names, "tasks_"}
        state = {key: v for key, v in vars(self).items() if key not in left_out}
        parts = {name: vars(self)[name] for name in names}
        state["__cuda_dependent_attributes__"] = _pickled(parts)
        return state


def _pickled(parts):
    try:
        return cloudpickle.dumps(parts)
    except Exception:  # a global of a script that cannot be stored, but is found again
        return pickle.dumps(parts)


def _check_pattern(pattern, names, owner):
    """Raise a ValueError where a pattern matches no parameter of the module."""
    if callable(pattern):
        found = any(map(pattern, names))
    else:
        found = any(fnmatch.fnmatch(name, pattern) for name in names)
    if not found:
        parts = {".".join(name.split(".")[:n]) for name in names for n in range(1, 9)}
        hint = closest(str(pattern).rstrip(".*"), sorted(parts))
        raise ValueError(
            f"{owner} has the pattern {pattern!r}, which matches no parameter of the "
            f"module.{hint} They are {', '.join(names)}."
        )


def _without_decay(groups, bias):
    """Yield parameter groups; the output bias has a group of its own, without decay.

    The starting bias is no weight: decay would pull it off the base rate.
    """
    for group in groups:
        others = [p for p in group["params"] if p is not bias]
        if others:
            yield {**group, "params": others}
        if len(others) < len(group["params"]):
            yield {**group, "params": [bias], "weight_decay": 0.0}


def resolve_batch_size(batch_size, n_rows):
    """Return the number of rows of a batch."""
    if batch_size != "auto":
        return int(batch_size)
    if is_tiny(n_rows):
        return n_rows
    return int(np.clip(2 ** round(np.log2(n_rows / 20)), 32, 256))


def check_net_params(params):
    """Raise unless the extra parameters of the skorch net are known and not ours."""
    names, _ = accepted_names(Net.__init__)
    options = sorted(set(names) - _RESERVED_NET_PARAMS - {"self"})
    for key in params or {}:
        prefix = str(key).partition("__")[0]
        if prefix in _RESERVED_NET_PARAMS - {"callbacks"} or key == "callbacks":
            raise ValueError(
                f"net_params must not hold {key!r}, which the estimator sets itself."
                f"{_instead_of(str(key), prefix)}"
            )
        if key not in options and prefix != "callbacks":
            raise ValueError(
                f"net_params holds {key!r}, which is no parameter of a skorch net."
                f"{closest(key, options)}"
            )


def _instead_of(key, name):
    """Return the way out for a parameter of a skorch net that the estimator sets."""
    if key.endswith("__collate_fn"):
        # Rows are drawn by index for many batches at once, and then sliced.
        return (
            " Batches are slices of gathered rows, so there is nothing to collate: pad "
            "or crop the items of a Dataset to one shape in its __getitem__, and pass "
            "several inputs as a dict of arrays."
        )
    instead = _INSTEAD_OF.get(name, f"the parameter {name} of the estimator")
    return f" Use {instead} instead." if instead else " Leave it out."


def make_step(estimator):
    """Return the step of a training: on one process, or one of several."""
    half, accelerator = _HALF.get(estimator.precision), estimator.accelerator
    if accelerator is None:
        return Step(half, estimator.max_grad_norm, estimator.compile == "auto")
    return ParallelStep(accelerator, half, estimator.max_grad_norm)
