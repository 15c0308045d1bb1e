"""Callbacks of the training: early stopping with what it watches, and progress.

Early stopping watches a score of the held-out rows, or their loss. The copies that
`copied_callbacks` makes keep a fit from changing what the user passed.
"""

import contextlib
import copy
import datetime
import inspect
import sys
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer as sklearn_scorer
from skorch.callbacks import Callback
from tqdm import tqdm

from skimbalance import metrics
from skimbalance._base import warn_user
from skimbalance._counts import count_labels
from skimbalance._labels import BINARY, MULTICLASS, no_class
from skimbalance._validation import (
    Scorer,
    accepted_names,
    closest,
    scorer_pos_label,
)
from skimbalance.neural_network._module import all_finite, copied
from skimbalance.neural_network._rows import (
    as_dense,
    decode_labels,
)

try:  # scikit-learn 1.9
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:
    CallbackSupportMixin: Any = None

    def with_callbacks(method: Any) -> Any:
        """Return a method as it is, where scikit-learn has no callbacks."""
        return method


# A choice: with fewer positives, one row makes up half or all of the average precision
# of a label.
_LEAST_POSITIVES = 3
# A new epoch has the part 3 / (t + 3) of the average of the weights, after `t` epochs:
# 1 + eta with the eta = 2 of Shamir & Zhang (2013).
_AVERAGED = 3
# Scores that are worked on at a time, in double precision.
_BLOCK_ENTRIES = 2**18
# Positives of all ranked labels together from which their macro average is watched.
_LEAST_POOLED_POSITIVES = 100
# Held-out positives, of all outputs together, below which a score is noise.
_LEAST_JUDGED = 5
# Choices: the epochs of a training without a usable score, or its steps if longer.
_UNJUDGED_EPOCHS = 5
_UNJUDGED_STEPS = 100
_SHOWN = "train_loss", "valid_loss", "valid_score"
# Callbacks of this module hold writers and connections, which cannot be copied.
_LOGGERS = "skorch.callbacks.logging"


def copy_state(module, place=None):
    """Return a copy of the weights and buffers; overwrite another copy if given."""
    state = module.state_dict()
    if place is None:
        return {key: value.clone() for key, value in state.items()}
    for key, value in state.items():
        place[key].copy_(value)
    return place


class AverageWeights(Callback):
    """Let each epoch be judged, and kept, by the average of the weights so far.

    Later epochs weigh more: after `t` epochs the next one has a part of ``3 / (t + 3)``
    (polynomial-decay averaging with eta = 2, Shamir & Zhang 2013). The average lacks
    the noise of the last steps: three splits inside the training rows of emotions,
    birds, water_quality, cal500 and medical gained .004 of macro average precision and
    .005 of log-loss skill. The weights that are trained stay as they are.

    It comes after the user's callbacks, which find the average in the module.

    Attributes
    ----------
    average : dict or None
        Weights and buffers; those of integers are the last ones.
    n_epochs : int
        How many it is of.
    trained : dict or None
        The weights to go on with, while the module holds the average.
    """

    def __init__(self):
        self.average: Any = None
        self.n_epochs, self.trained = 0, None

    def lend(self, module):
        """Add the weights of a module to the average, and give it the average."""
        self.trained = copy_state(module)
        if self.average is None:
            self.average = copy_state(module)
        for key, value in self.trained.items():
            # A resumed run has read the average into the memory of the CPU.
            mean = self.average[key] = self.average[key].to(value.device)
            if mean.is_floating_point():
                mean.lerp_(value, _AVERAGED / (self.n_epochs + _AVERAGED))
            else:
                mean.copy_(value)
        self.n_epochs += 1
        module.load_state_dict(self.average)

    def on_epoch_end(self, net, *args, **kwargs):  # noqa: ARG002
        net.trained_.load_state_dict(self.trained)
        self.trained = None


class Best(NamedTuple):
    """The weights that are kept, their epoch, and the score that they have."""

    state: dict | None = None
    epoch: int = 0
    value: float = np.nan


class KeepBest(Callback):
    """Keep the best weights, and stop when no epoch improves them any more.

    skorch's `EarlyStopping` reads one key of the history; this one also scores the
    validation part, accepts a score that is NaN, and keeps weights that an interrupt
    cannot tear apart.

    Parameters
    ----------
    score : callable or None
        ``score(raw_scores, loss) -> float`` of the validation part, higher is better.
        None watches the validation loss, or takes the last epoch where nothing is held
        out.
    patience : int or None
        Epochs without gain after which training stops; None never stops.

    Attributes
    ----------
    best : Best
        Replaced as a whole, so that weights, epoch and score always belong together.
    warned : bool
        Whether a score was not finite, of which there is one warning.
    """

    def __init__(self, score=None, patience=None):
        self.score, self.patience = score, patience
        self.best, self.warned, self._spare = Best(), False, None

    def start_from(self, module):
        """Take the weights of a continued net as the best so far."""
        self.best = Best(copy_state(module))

    def on_epoch_end(self, net, *args, **kwargs):  # noqa: ARG002
        epoch = len(net.history)
        if not _is_finite(net):
            self._diverged(net, epoch)
            return
        value = self._finite(self._value(net))
        if self._is_better(value):
            self._keep(net.trained_, epoch, value)
        net.stopped_ = self.patience is not None and (
            epoch - self.best.epoch >= self.patience
        )

    def _is_better(self, value):
        """Return whether the score is better, or no score has been finite yet."""
        return value > self.best.value or not np.isfinite(self.best.value)

    def _keep(self, module, epoch, value):
        # The copy is whole before it counts: an interrupt leaves the former one.
        state, old = copy_state(module, self._spare), self.best.state
        self._spare = None
        self.best = Best(state, epoch, value)
        self._spare = old

    def _finite(self, value):
        """Return a score, or NaN with one warning where it is not finite."""
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
        """Stop the training, or raise where no weights are kept yet."""
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
        """Return a score of the epoch, higher is better; None without held-out rows."""
        if self.score is not None:
            value = self.score(net.valid_scores_, net.criterion_.loss)
            net.record("valid_score", value, lower_is_better=False)
            return value
        last = net.history[-1]
        return -last["valid_loss"] if "valid_loss" in last else None

    def saved(self):
        """Return the state that a checkpoint stores, as plain data."""
        state, epoch, value = self.best
        return {
            "state": state,
            "epoch": epoch,
            "value": float(value),
            "warned": self.warned,
        }

    def restore(self, saved):
        """Continue from a saved state."""
        self.best = Best(saved["state"], saved["epoch"], saved["value"])
        self.warned = saved["warned"]


def _is_finite(net):
    """Return whether the loss of an epoch and the weights after it are finite.

    Sums are read first, as by `all_finite`; all at once, to wait for the device once.
    """
    if not np.isfinite(net.history[-1]["train_loss"]):
        return False
    weights = list(net.module_.parameters())
    total = torch.stack([weight.detach().sum() for weight in weights]).sum()
    return bool(total.isfinite()) or all(map(all_finite, weights))


class KeepLast(KeepBest):
    """Keep the last weights, whatever the held-out rows say."""

    def _value(self, net):  # noqa: ARG002
        return None


def early_stopping_of(estimator, data):
    """Return what keeps the best weights of a training, and the most epochs.

    A scoring that the user has asked for is always followed. Without one, too few
    held-out positives do not show when to stop: training takes a few epochs then.

    Parameters
    ----------
    estimator : BaseImbalancedNet
        With a net that is about to be trained.
    data : TrainingData
    """
    output, scoring = estimator._output, estimator.scoring
    epochs = int(estimator.max_epochs)
    held_out = data.watched
    if held_out is None:
        return KeepBest(), epochs
    if scoring is not None or _can_judge(output, held_out):
        patience = estimator.n_iter_no_change if estimator.early_stopping else None
        return KeepBest(_make_score(scoring, output, held_out), patience), epochs
    if estimator.early_stopping:
        rows_of_a_step = estimator.net_.batch_size * estimator.gradient_accumulation
        n_steps = -(-len(data.batch_rows) // rows_of_a_step)
        epochs = min(epochs, max(_UNJUDGED_EPOCHS, -(-_UNJUDGED_STEPS // n_steps)))
    return KeepLast(), epochs


class _ScoredRows(ClassifierMixin, BaseEstimator):
    """A classifier with fixed predictions, for the scorers that call one."""

    def __init__(self, classes, scores, probabilities):
        self.classes_, self.scores = classes, scores
        self.probabilities = probabilities

    def decision_function(self, X):  # noqa: ARG002
        return self.scores

    def predict_proba(self, X):  # noqa: ARG002
        return self.probabilities(self.scores)

    def predict(self, X):
        proba = self.predict_proba(X)
        if self.classes_.ndim == 2:
            return (proba > 0.5).astype(int)
        return self.classes_[proba.argmax(axis=1)]


def find_scorer(scoring):
    """Return a scorer by name, ours before scikit-learn's, or the callable itself."""
    if callable(scoring):
        return scoring
    try:
        return metrics.get_scorer(scoring)
    except ValueError:
        pass
    try:
        return sklearn_scorer(scoring)
    except (ValueError, TypeError) as error:
        names = [*metrics.get_scorer_names(), "loss"]
        raise ValueError(
            f"scoring={scoring!r} is not known.{closest(scoring, names)} Use 'loss', a "
            "name that skimbalance.metrics.get_scorer or sklearn.metrics.get_scorer "
            "knows, or a callable scorer(estimator, X, y)."
        ) from error


def _takes_three(function):
    """Whether a function takes three arguments by position; True if none can tell."""
    try:
        inspect.signature(function).bind(None, None, None)
    except TypeError:
        return False
    except ValueError:  # some built-in functions have no signature
        return True
    return True


def check_scoring(scoring, target, pos_label):
    """Raise a ValueError if a scorer is not known, or has another `pos_label`."""
    if scoring is None or scoring == "loss":
        return
    if callable(scoring) and not _takes_three(scoring):
        raise TypeError(
            f"scoring={scoring!r} cannot be called as scorer(estimator, X, y). For a "
            "metric of (y_true, y_score), pass its name, such as 'average_precision', "
            "or sklearn.metrics.make_scorer of it."
        )
    own = scorer_pos_label(find_scorer(scoring))
    if own is None or target.kind != BINARY:
        return
    known = target.classes.tolist()
    if own not in known:
        raise ValueError(
            f"scoring has pos_label={own!r}, which is {no_class(own, known)}"
        )
    if pos_label is not None and own != pos_label:
        raise ValueError(
            f"scoring has pos_label={own!r}, but the estimator has "
            f"pos_label={pos_label!r}. Give both the same, or one of them only."
        )


def _reads_own_classes(scorer):
    """Whether a scorer expects the classes as the user passed them, and not 0 and 1.

    Those of scikit-learn without a `pos_label` take 1 for the positive class.
    """
    return not isinstance(scorer, Scorer) or scorer_pos_label(scorer) is not None


def _reliable_labels(rows):
    """Return which labels have enough of both values to be ranked.

    With folds, the positives have to be in several of them: the only member that scores
    the positives of one fold has not seen any, and ranks them at random.
    """
    positive, negative = count_labels(_one_against_rest(rows))
    reliable = (positive >= _LEAST_POSITIVES) & (negative > 0)
    for fold in rows.in_each_fold():
        reliable &= count_labels(_one_against_rest(fold))[0] < positive
    return reliable


def _one_against_rest(rows):
    """Return the labels of the rows: those of a label matrix, or one for each class."""
    values = rows.selected("values")
    if rows.target.kind != MULTICLASS:
        return values
    return (values[:, None] == np.arange(rows.target.n_outputs)).astype(np.int8)


def _can_judge(output, rows):
    """Return whether held-out rows show when to stop."""
    if rows.by_fold and output.target.kind != MULTICLASS:
        return bool(_reliable_labels(rows).any())
    return _n_rare(output, rows.selected("values")) >= _LEAST_JUDGED


def _ranks_reliably(output, rows):
    """Return whether enough held-out labels can be ranked to watch their macro AP.

    Out-of-fold scores of all rows are as good as there can be any: each label with
    enough positives has its say.
    """
    reliable = _reliable_labels(rows)
    if rows.by_fold:
        return reliable.any()
    pooled = count_labels(rows.selected("values"))[0][reliable].sum()
    half = output.trained.sum() / 2
    return reliable.sum() >= half and pooled >= _LEAST_POOLED_POSITIVES


def _n_rare(output, values):
    """Return how many entries have the rarer value of their trained label."""
    if output.target.kind == MULTICLASS:
        return len(values) - np.bincount(values, minlength=1).max()
    return np.minimum(*count_labels(values))[output.trained].sum()


def _default_scoring(output, rows):
    """Return the score that early stopping watches by default.

    The loss with large weights of rare labels is too noisy: where an inverse removes
    them from the probabilities, these are watched.
    """
    if output.target.kind == MULTICLASS and not rows.by_fold:
        return "loss"
    if _ranks_reliably(output, rows):
        return "macro_average_precision"
    return "neg_micro_log_loss" if output.corrects else "loss"


def _in_user_form(target, scorer, rows, by_user):
    """Return `y` as it was passed, its classes, and the columns that are scored.

    By default each class of a multiclass target is scored against the rest. A function
    of the user gets all labels: it may have a weight or a cost for each of them.
    """
    values = rows.selected("values")
    if target.kind == BINARY and not _reads_own_classes(scorer):
        return values[:, 0], np.array([0, 1]), slice(None)
    is_multiclass = target.kind == MULTICLASS
    if target.kind == BINARY or (is_multiclass and by_user):
        return decode_labels(target, values), target.classes, slice(None)
    columns = _reliable_labels(rows)
    if not columns.any() or (by_user and not isinstance(scorer, Scorer)):
        columns[:] = True
    labels = as_dense(_one_against_rest(rows)[:, columns])
    if is_multiclass:
        return labels, np.tile([0, 1], (labels.shape[1], 1)), columns
    return decode_labels(target, labels), target.classes[columns], columns


def _make_score(scoring, output, held_out):
    """Return ``score(raw_scores, loss)`` of the held-out rows, or None for the loss.

    Parameters
    ----------
    scoring : None, "loss", str or callable
        None is macro average precision, where held-out positives are enough for it: at
        least 3 in at least half of the trained labels, at least 100 in all. Labels with
        fewer are never scored. Else it is the log-loss of corrected probabilities, or
        the loss itself, which multiclass targets watch without folds. Out of fold,
        labels with 3 positives, not all in one fold, are enough, and each class of a
        multiclass target is a label. A scoring of the user is tried first.
    output : LabelOutput or ClassOutput
        Turns raw scores into probabilities.
    held_out : Rows
    """
    target, values = output.target, held_out.selected("values")
    by_user, X = scoring is not None, None
    if not by_user:
        scoring = _default_scoring(output, held_out)
    if isinstance(scoring, str) and scoring == "loss":
        return None
    scorer = find_scorer(scoring)
    if callable(scoring):
        X = held_out.selected("X")
    y, classes, columns = _in_user_form(target, scorer, held_out, by_user)
    weights = _weights_for(scorer, held_out, columns)
    sign = -1 if target.is_flipped and _reads_own_classes(scorer) else 1

    def score(raw, loss):
        output.update_loss(loss)
        scores = _scores_of(raw, output, columns)
        probabilities = output.probabilities
        if target.kind == BINARY:
            scores, probabilities = sign * scores[:, 0], _of_both_classes
        value = scorer(_ScoredRows(classes, scores, probabilities), X, y, **weights)
        return _as_number(value, scoring, target)

    if by_user:
        _try_score(score, scoring, target, values, output.loss)
    return score


def _weights_for(scorer, rows, columns):
    """Return the weights of held-out rows or entries by keyword, if a scorer takes any.

    A function of the user is called without, as ``scorer(estimator, X, y)``.
    """
    weight = rows.selected("weight")
    if weight is None or not isinstance(scorer, Scorer):
        return {}
    names, takes_any = accepted_names(scorer._score_func)
    # scikit-learn's ROC AUC of pairs of classes refuses the weights that it has a
    # parameter for.
    is_of_pairs = scorer._kwargs.get("multi_class") == "ovo"
    if is_of_pairs or not (takes_any or "sample_weight" in names):
        return {}
    if weight.ndim == 2 and getattr(scorer, "weighs_entries", False):
        weight = weight if isinstance(weight, np.ndarray) else weight.toarray()
        weight = weight[:, columns]
    elif weight.ndim == 2:  # rankings of a row, and scikit-learn's metrics
        weight = rows.row_weight()[rows.index]
    return {"sample_weight": weight}


def _scores_of(raw, output, columns):
    """Return the scores of some columns, in the net's precision; empties `raw`."""
    stop, dtype = sum(map(len, raw)), raw[0].numpy().dtype
    n_columns = np.empty(output.n_outputs)[columns].size
    scores = np.empty((stop, n_columns), dtype=dtype)
    size = max(1, _BLOCK_ENTRIES // output.n_outputs)
    while raw:
        for block in reversed(raw.pop().split(size)):
            start = stop - len(block)
            scores[start:stop] = output.scores(block)[:, columns]
            stop = start
    return scores


def _of_both_classes(scores):
    proba = expit(scores).reshape(-1, 1)
    return np.hstack([1 - proba, proba])


def _try_score(score, scoring, target, values, loss):
    """Raise a ValueError that names `scoring` where it cannot score the held-out rows.

    It scores perfect predictions: a score that suits the target has a value for them.
    """
    if not isinstance(find_scorer(scoring), Scorer):
        return  # a function of the user may count its calls
    try:
        score([_perfect_scores(target, values)], loss)
    except Exception as error:
        reason = str(error).partition(". ")[0].partition("\n")[0]
        raise ValueError(_no_number(scoring, target, reason)) from error


def _as_number(value, scoring, target):
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise ValueError(_no_number(scoring, target, error)) from error


def _no_number(scoring, target, reason):
    return (
        f"scoring={scoring!r} gives no number for a {target.kind} target ({reason}). "
        "Use 'loss', or a score for such targets."
    )


def _perfect_scores(target, values):
    """Return raw scores that are high where a label or class is the true one."""
    if target.kind == MULTICLASS:
        right = np.arange(target.n_outputs) == values[:, None]
    else:
        right = as_dense(values) == 1
    return 8 * torch.as_tensor(right).double() - 4


def _figures(row):
    return {key: f"{row[key]:.4f}" for key in _SHOWN if key in row}


class Progress(Callback):
    """Show loss, score and time left: a bar on a terminal, a line an epoch elsewhere.

    Silent unless the net's `verbose` is set. skorch's `ProgressBar` counts batches,
    for which the loss of each is read, and its `PrintLog` shows no time left.
    """

    bar: tqdm | None = None

    def on_train_begin(self, net, *args, **kwargs):  # noqa: ARG002
        effective = getattr(net, "effective_batch_size_", None)
        if net.verbose and effective is not None:
            rows = f"{net.batch_size} drawn rows, {effective:.1f} by weight"
            sys.stdout.write(f"batches of {rows}\n")
        if net.verbose and sys.stdout.isatty():
            self.bar = tqdm(
                total=net.last_epoch_,
                initial=len(net.history),
                unit="epoch",
                file=sys.stdout,
                dynamic_ncols=True,
            )

    def on_epoch_end(self, net, *args, **kwargs):  # noqa: ARG002
        if self.bar is not None:
            self.bar.set_postfix(_figures(net.history[-1]), refresh=False)
            self.bar.update()
        elif net.verbose:
            sys.stdout.write(_line(net.history, net.last_epoch_))
            sys.stdout.flush()

    def on_train_end(self, net, *args, **kwargs):  # noqa: ARG002
        if self.bar is not None:
            self.bar.close()
            self.bar = None


def _line(history, last_epoch):
    """Return what a log shows of the last epoch."""
    row, epoch = history[-1], len(history)
    figures = "  ".join(f"{key} {value}" for key, value in _figures(row).items())
    seconds = [past["dur"] for past in history if "dur" in past]
    left = sum(seconds) / len(seconds) * (last_epoch - epoch)
    left = datetime.timedelta(seconds=round(left))
    return f"epoch {epoch}/{last_epoch}  {figures}  {row['dur']:.1f} s  {left} left\n"


def copied_callbacks(callbacks):
    """Return copies of callbacks, which share the loggers that they write to.

    A callback that holds another one of them, as `LoadInitState` does, holds its copy.
    """
    if callbacks is None:
        return None
    given = [
        item[-1] if isinstance(item, (tuple, list)) else item for item in callbacks
    ]
    twins = {id(one): copy.copy(one) for one in given if isinstance(one, Callback)}
    for callback in given:
        twin, kind = twins.get(id(callback)), type(callback)
        # A logger keeps the objects that it writes to.
        is_logger = any(base.__module__ == _LOGGERS for base in kind.__mro__)
        if twin is not None and not is_logger:
            vars(twin).update(copied(vars(callback), twins))
    return [_twin_of(item, twins) for item in callbacks]


def _twin_of(item, twins):
    """Return a callback's copy, or a class as it is; or a pair of a name and these."""
    if isinstance(item, (tuple, list)):
        return item[0], _twin_of(item[1], twins)
    return twins.get(id(item), item)


def check_callbacks(callbacks):
    """Raise a TypeError unless all are callbacks of skorch, their classes, or pairs."""
    for callback in callbacks or ():
        pair = isinstance(callback, tuple) and len(callback) == 2
        name, candidate = callback if pair else ("", callback)
        if not isinstance(name, str) or not hasattr(candidate, "on_train_begin"):
            raise TypeError(
                f"callbacks holds {callback!r}, which is no callback. It must hold "
                "callbacks of skorch, their classes, or pairs (name, callback)."
            )


# --------------------------------------------------------------------------
# Callbacks of scikit-learn


class _NoCallbacks:
    """Give the nets a `set_callbacks` without effect, before scikit-learn 1.9."""

    def set_callbacks(self, *callbacks):  # noqa: ARG002
        """Return the estimator: this scikit-learn has no callbacks.

        Parameters
        ----------
        *callbacks : object
            Ignored.

        Returns
        -------
        self : estimator
            The estimator.
        """
        return self


CallbackSupport: Any = CallbackSupportMixin or _NoCallbacks


@contextlib.contextmanager
def fit_tasks(estimator, X, y, sample_weight):
    """Tell scikit-learn's callbacks of a fit, and let the net tell them of its epochs.

    Does nothing where no callback is set, by the user or a search.
    """
    if not getattr(estimator, "_skl_callbacks", None):
        yield
        return
    estimator._callback_tasks = tasks = _FitTasks(estimator, X, y, sample_weight)
    try:
        yield
        tasks.end()
    finally:
        vars(estimator).pop("_callback_tasks", None)


class _FitTasks:
    """The tasks of a fit, as scikit-learn calls them: all of it, and each epoch."""

    def __init__(self, estimator, X, y, sample_weight):
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self.estimator, self.epoch = estimator, None
        self.given = {"X": X, "y": y, "metadata": metadata}
        most = estimator.max_epochs  # which is checked later
        most = int(most) if isinstance(most, Integral) else None
        self.fit = estimator._init_callback_context(max_subtasks=most)
        self.fit.call_on_fit_task_begin(estimator=estimator, **self.given)

    def follow(self, event):
        """Begin or end the task of an epoch; return whether a callback asks to stop."""
        if event == "on_epoch_begin":
            self.epoch = self.fit.subcontext(task_name="epoch")
            self.epoch.call_on_fit_task_begin(estimator=self.estimator, **self.given)
        elif event == "on_epoch_end" and self.epoch is not None:
            task, self.epoch = self.epoch, None
            return self._end(task)
        return False

    def end(self):
        """End the task of the fit, and before it that of an interrupted epoch."""
        if self.epoch is not None:
            self._end(self.epoch)
        self._end(self.fit)

    def _end(self, task):
        return task.call_on_fit_task_end(
            estimator=self.estimator,
            reconstruction_attributes=self._predicts,
            **self.given,
        )

    def _predicts(self):
        """Return nothing to add: a copy predicts; None while it has no probabilities.

        Those of a loss without an inverse are calibrated after the last epoch.
        """
        return {} if self.estimator._output.has_probabilities else None
