"""Batches in which rare labels are more frequent, and what they do to the training.

Drawing a label first and then one of its rows draws each row with a known probability.
So rows are drawn by these probabilities, once for a whole epoch, and `Batches` hands
them out as it hands out shuffled ones: a step costs the same.
"""

from numbers import Real
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator

from skimbalance._base import DocLinkMixin
from skimbalance._columns import ratio
from skimbalance._counts import count_labels
from skimbalance._labels import BINARY, MULTICLASS, MULTILABEL
from skimbalance._validation import Number, check_choice, check_parameters
from skimbalance.model_selection._label_counts import positives

# Relative differences of the probabilities of rows of one class that are rounding.
_ROUNDING = 1e-9


class LabelAwareBatches(DocLinkMixin, BaseEstimator):
    """Draw a label first, then a row among those that have it, for `batch_sampler`.

    Class-aware sampling [1]_, for rows with several labels or none. A row ``i`` is
    drawn with the probability ::

        q_i = uniform / n + (1 - uniform) * sum_l s_l y_il / n_l,   s_l ~ n_l ** power

    with `n` rows, of which `n_l` have the label `l`. In a binary or multiclass target
    each class is a label. Without the uniform part, rows without labels would never
    train.

    An object of your own takes its place in `batch_sampler`, if it has the method
    `row_probabilities`. Its attribute `correct`, False if there is none, means the same
    as here.

    Parameters
    ----------
    power : float, default=0.0
        Between 0, where all labels are drawn equally often (``"label_aware"``), and 1,
        where each is drawn by its number of positives. 0.5 is square-root sampling
        [2]_ (``"square_root"``).
    uniform : float, default=0.2
        Fraction of the draws that take any row, at least 0.2.
    correct : bool, default=False
        Weigh each row by ``1 / (n q_i)``, at most ``1 / uniform``, so that the expected
        gradient is that of plain batches. Only the noise of the gradients of rare
        labels changes then, not what the net converges to.

    See Also
    --------
    ImbalancedMLPClassifier : Takes it as `batch_sampler`.

    References
    ----------
    .. [1] Shen, Lin, Huang, "Relay Backpropagation for Effective Learning of Deep
       Convolutional Neural Networks", ECCV 2016.
    .. [2] Mahajan et al., "Exploring the Limits of Weakly Supervised Pretraining",
       ECCV 2018.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from skimbalance.neural_network import LabelAwareBatches
    >>> labels = sp.csr_array([[1, 0], [1, 0], [1, 1], [0, 0]])
    >>> LabelAwareBatches(uniform=0.4).row_probabilities(labels)
    array([0.2, 0.2, 0.5, 0.1])
    """

    _parameter_constraints = {  # noqa: RUF012
        "power": [Number(Real, 0, 1, closed="both")],
        # Below, a row without labels would weigh more than five others.
        "uniform": [Number(Real, 0.2, 1, closed="both")],
        "correct": ["boolean"],
    }

    def __init__(self, power=0.0, uniform=0.2, correct=False):
        self.power = power
        self.uniform = uniform
        self.correct = correct

    def row_probabilities(self, y) -> np.ndarray:
        """Return how often each row is drawn.

        Parameters
        ----------
        y : csr_array of shape (n_samples, n_labels)
            1 for the labels of each row, or for its class. No other value is stored.

        Returns
        -------
        probabilities : ndarray of float64, shape (n_samples,)
            At least 0, with a sum of 1 here; other objects may return any sum.
        """
        n_samples, n_labels = y.shape
        n_positive = np.bincount(y.indices, minlength=n_labels)
        is_present = n_positive > 0
        if not is_present.any():
            return np.full(n_samples, 1 / n_samples)
        # A label of no row would take draws that no row can get: 0 ** 0 is 1.
        of_label = np.where(is_present, n_positive**self.power, 0.0)
        by_label = y @ ratio(of_label / of_label.sum(), n_positive, undefined=0.0)
        return self.uniform / n_samples + (1 - self.uniform) * by_label


BATCH_SAMPLERS = {
    "label_aware": LabelAwareBatches(),
    "square_root": LabelAwareBatches(power=0.5),
}


def resolve_sampler(batch_sampler: Any) -> Any:
    """Return the object that a parameter `batch_sampler` stands for, checked.

    Raises
    ------
    ValueError
        If a name is not known, or a parameter of the object is out of its range.
    TypeError
        If it has no method `row_probabilities`.
    """
    if isinstance(batch_sampler, str):
        check_choice("batch_sampler", batch_sampler, BATCH_SAMPLERS)
        return BATCH_SAMPLERS[batch_sampler]
    is_object = callable(getattr(batch_sampler, "row_probabilities", None))
    if not is_object or isinstance(batch_sampler, type):
        raise TypeError(
            f"batch_sampler={batch_sampler!r} must be None, one of "
            f"{sorted(BATCH_SAMPLERS)}, or an object with the method "
            "row_probabilities(y), such as LabelAwareBatches(correct=True)."
        )
    if isinstance(batch_sampler, LabelAwareBatches):
        check_parameters(batch_sampler)
    return batch_sampler


class Draws:
    """The rows of each epoch, drawn by probabilities, and what weighs them.

    Parameters
    ----------
    probability : ndarray of float64, shape (n_rows,)
        Sums to 1.
    importance : ndarray of shape (n_rows,) or (n_rows, n_members), or None
        Weight of a drawn row, or for each member, 0 where it does not train on it.
    log_rates : ndarray of shape (n_outputs,) or None
        By how much the draws move the log-odds of each label, or the log-probability
        of each class. None where the weights correct it.
    """

    # Where the weights go, once it is known.
    device: Any = None

    def __init__(self, probability, importance=None, log_rates=None):
        self.probability, self.importance = probability, importance
        self.log_rates = log_rates

    def order(self) -> np.ndarray:
        """Draw the rows of an epoch, as many as there are, by torch's generator.

        Systematic sampling: a row comes `floor` or `ceil` of `n q_i` times, which is
        less noise than independent draws.
        """
        n_rows = len(self.probability)
        # In a new order each time, or neighbours would never come together.
        shuffled = torch.randperm(n_rows).numpy()
        edges = np.cumsum(self.probability[shuffled])
        start = torch.rand((), dtype=torch.float64).item()
        place = (np.arange(n_rows) + start) / n_rows * edges[-1]
        drawn = np.searchsorted(edges, place, side="right").clip(max=n_rows - 1)
        return shuffled[drawn][torch.randperm(n_rows).numpy()]

    def weights_of(self, order) -> torch.Tensor | None:
        """Return the weights of drawn rows, or None."""
        if self.importance is None:
            return None
        return torch.as_tensor(self.importance[order], device=self.device)

    def effective_size(self, batch_size) -> float:
        """Return the number of equally weighted rows that tell as much as a batch.

        Kish's effective sample size, the mean over members.
        """
        if self.importance is None:
            return float(batch_size)
        q, weight = self.probability, self.importance.reshape(len(self.probability), -1)
        return float(batch_size * ((q @ weight) ** 2 / (q @ weight**2)).mean())


def make_draws(estimator, data, output) -> Draws:
    """Return the draws from the training rows, by the batch sampler if there is one.

    Parameters
    ----------
    estimator : BaseImbalancedNet
        Has a `batch_sampler` or a `resampler`.
    data : TrainingData
        Split, and resampled, already.
    output : LabelOutput or ClassOutput

    Raises
    ------
    ValueError
        If the draws shift probabilities that nothing can correct, or weights have no
        meaning for the loss.
    """
    rows, trains = data.batch_rows, data.trains
    classes = _classes_of(rows)
    y = rows.positives() if classes is None else positives(classes)
    if estimator.resampler is not None:
        _check_can_calibrate("resampler", estimator, output, data)
        if estimator.batch_sampler is None:
            q = np.full(len(rows), 1 / len(rows))
            return Draws(q, _importance(q, trains), _log_rates(q, trains, data))
    sampler = resolve_sampler(estimator.batch_sampler)
    if getattr(sampler, "correct", False):
        if output.loss.depends_on_batch:
            raise ValueError(
                f"batch_sampler={estimator.batch_sampler!r} weighs rows, but the loss "
                f"{type(output.loss).__name__} is a function of all rows of a batch. "
                "Set correct=False, or use another loss."
            )
        draws = _corrected_draws(sampler, y, trains)
        if data.resampled is not None:
            plain = np.full(len(rows), 1 / len(rows))
            draws.log_rates = _log_rates(plain, trains, data)
        return draws
    if classes is not None and data.resampled is None:
        # The same rates for all members, so that one shift corrects each of them.
        q = _probabilities(sampler, y)
        if _is_constant(q, classes):
            return Draws(q, _importance(q, trains), _log_rates(q, None, data))
    q, importance = _own_draws(sampler, y, trains)
    _check_can_calibrate("batch_sampler", estimator, output, data)
    return Draws(q, importance, _log_rates(q, None, data))


def _classes_of(rows):
    """Return the class index of each row of a target of classes; None for labels."""
    if rows.target.kind == MULTILABEL:
        return None
    values = rows.selected("values")
    return values[:, 0].astype(np.int64) if rows.target.kind == BINARY else values


def _probabilities(sampler, y, must_draw_all=False):
    """Return the probabilities of a sampler, checked, with the sum 1."""
    q = np.asarray(sampler.row_probabilities(y), dtype=np.float64)
    name = f"batch_sampler={sampler!r}: row_probabilities"
    if q.shape != y.shape[:1]:
        raise ValueError(
            f"{name} must return an array of shape ({y.shape[0]},), a number for each "
            f"row, but returned the shape {q.shape}."
        )
    if not np.isfinite(q).all() or q.min() < 0 or q.sum() == 0:
        raise ValueError(f"{name} must return finite numbers of at least 0, not all 0.")
    if must_draw_all and q.min() == 0:
        raise ValueError(
            f"{name} returns 0 for some rows, which no weight can make up for: draw "
            "each row, or set correct=False."
        )
    return q / q.sum()


def _is_constant(q, classes):
    """Return whether all rows of a class are drawn equally often."""
    mean = ratio(np.bincount(classes, q), np.bincount(classes))
    return bool((np.abs(q - mean[classes]) <= _ROUNDING * q.max()).all())


def _importance(q, trains):
    """Return weights with which each member draws from its own rows."""
    if trains is None or trains.all():
        return None
    # Not divided by the number of such rows in a batch, which would bias the mean.
    return (trains / (q @ trains)).astype(np.float32)


def _member_probabilities(sampler, y, trains, must_draw_all=False) -> Any:
    """Return the probabilities by which each member draws from its own rows.

    Of shape (n_rows, n_members). The frequencies of labels are those of its own rows.
    """
    if trains is None:
        return _probabilities(sampler, y, must_draw_all)[:, None]
    probability = np.zeros(trains.shape)
    for member, own in enumerate(trains.T):
        probability[own, member] = _probabilities(sampler, y[own], must_draw_all)
    return probability


def _own_draws(sampler, y, trains):
    """Return probabilities for all members, and the weights that each gives a row.

    Members read the same batches. A row comes by its mean probability over members, and
    the weight of a member is the ratio of its own one to that: near 1 / (1 - 1 / K),
    more where a label has lost a row of few to the fold of the member.
    """
    probability = _member_probabilities(sampler, y, trains)
    q = probability.mean(axis=1)
    if probability.shape[1] == 1:
        return q, None
    weight = ratio(
        probability, np.broadcast_to(q[:, None], probability.shape), undefined=0.0
    )
    return q, weight.astype(np.float32)


def _corrected_draws(sampler, y, trains):
    """Return draws whose weights make the expected gradient that of plain batches."""
    probability = _member_probabilities(sampler, y, trains, must_draw_all=True)
    q = probability.mean(axis=1)
    # Positive on the rows that train a member, and 0 on its fold.
    weight = (probability > 0) / (q[:, None] * (probability > 0).sum(axis=0))
    weight = weight.astype(np.float32)
    return Draws(q, weight[:, 0] if probability.shape[1] == 1 else weight)


def _log_rates(q, trains, data):
    """Return by how much draws move the log-odds of labels, or those of classes.

    In proportion to the training rows as they are, before a resampler changes them.
    Where each member draws from its own rows, `trains` marks them.
    """
    if trains is not None:
        of_members = q[:, None] * trains
        q = (of_members / of_members.sum(axis=0)).mean(axis=1)
    values, plain_values = (
        rows.selected("values") for rows in (data.batch_rows, data.training)
    )
    n_plain = len(data.training)
    if data.target.kind == MULTICLASS:
        n_classes = data.target.n_outputs
        n_rows = np.bincount(plain_values, minlength=n_classes)
        drawn = np.bincount(values, q, minlength=n_classes) * n_plain
        rates = ratio(drawn, n_rows, undefined=1.0)
        # A class that lost all its rows to a resampler keeps its rate.
        return np.log(np.where(rates > 0, rates, 1.0))
    drawn, plain = count_labels(values, q * n_plain), count_labels(plain_values)
    # A label of one value has no log-odds; it is left out of the training.
    is_known = (np.minimum(*drawn) > 0) & (np.minimum(*plain) > 0)
    odds = [ratio(*counts, undefined=1.0) for counts in (drawn, plain)]
    return np.log(np.where(is_known, odds[0] / np.where(is_known, odds[1], 1.0), 1.0))


def _check_can_calibrate(name, estimator, output, data):
    """Raise a ValueError where nothing corrects a shift that differs by row."""
    if not output.correct:
        return
    shown = f"{name}={getattr(estimator, name)!r}"
    way_out = "Set correct_probabilities=False for probabilities of the resampled rows."
    if name == "batch_sampler":
        way_out = (
            "Set LabelAwareBatches(correct=True), or correct_probabilities=False for "
            "probabilities of the drawn rows."
        )
    if output.correct == "exact":
        raise ValueError(
            f"{shown} shifts the probabilities of this target by amounts that depend "
            "on the row, so there is no exact inverse: set correct_probabilities=True. "
            f"{way_out}"
        )
    if data.held_out is None:
        raise ValueError(
            f"{shown} shifts the probabilities of this target by amounts that only "
            "held-out rows show, and none are held out: pass X_val and y_val, or set "
            f"early_stopping=True. {way_out}"
        )
