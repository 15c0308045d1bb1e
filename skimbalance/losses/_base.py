"""The base classes of losses: what a loss defines, and what it inherits.

Training may distort the scores, because the distortion can be inverted: the score ``z``
that minimises the expected loss of one label satisfies
``eta * l_pos'(z) + (1 - eta) * l_neg'(z) = 0``, hence

    eta = P(y = 1 | x) = l_neg'(z) / (l_neg'(z) - l_pos'(z)).

One formula covers every pointwise loss, a user's own included, by autograd; a closed
form only makes it faster and exact in the tails. For softmax losses the posterior is
the left null vector of the matrix ``d l_y / d z_k``.

Weights and reduction stay outside: a loss maps scores and targets to unreduced values.
"""

import functools
from numbers import Real
from typing import ClassVar, cast

import torch
from sklearn.base import BaseEstimator

from skimbalance._base import DocLinkMixin
from skimbalance._labels import BINARY, MULTICLASS, MULTILABEL
from skimbalance._validation import Number, check_choice, check_parameters
from skimbalance.losses._arguments import (
    as_weight,
    check_constructor,
    check_counted,
    check_counts,
    check_once,
    check_overrides,
    check_pos_weight,
    check_shape,
    check_target_values,
    check_tensors,
    check_values,
    check_weight_values,
    depth,
    float64,
    like,
    log_weight,
    parameter_names,
)
from skimbalance.losses._fused import Term, Unreduced, WeightedSum, any_is_learnt
from skimbalance.losses._inverse import (
    CONTRADICTS,
    DECLARED,
    NO_MAP,
    WEIGHTED,
    SoftmaxLink,
    contradicts,
    derivative,
    find_link,
    find_softmax_link,
    left_null_vector,
    log_slope_ratio,
)

# The least eta that is distinguished from 0 before `setup` has counted the rows: that
# of a million rows, 0.5 / (n + 1).
_UNSEEN_FLOOR = 5e-7
# The same where there are hardly any rows to count.
_LARGEST_FLOOR = 0.25
TINY = torch.finfo(torch.float64).tiny
# Entries of `_parameter_constraints`; infinity is no number.
AT_LEAST_0 = (Number(Real, 0, None, closed="left"),)
ABOVE_0 = (Number(Real, 0, None, closed="neither"),)
ABOVE_MINUS_1 = (Number(Real, -1, None, closed="neither"),)


def at_least_float32(scores):
    """Return half precision as float32, since 1 - sigmoid(8) is 0 in bfloat16."""
    return scores.float() if scores.dtype in (torch.float16, torch.bfloat16) else scores


class Loss(DocLinkMixin, BaseEstimator, torch.nn.Module):
    """Base of all losses: a torch module that scikit-learn can clone.

    Constructor parameters are stored under their own names, unchanged. What a loss
    learns from the label counts it registers as buffers in `setup`, which estimators
    call on a clone, and reads by `state`.

    Attributes
    ----------
    target_types : tuple of str
        The kinds of target that the loss takes.
    depends_on_batch : bool
        Whether the loss of a row depends on the other rows of its batch.
    invertible : bool
        Whether raw scores stand for probabilities, by the check in `link`. A class that
        sets ``invertible = False`` has its scores calibrated on held-out rows without
        the check and its warning; one that sets it True is checked all the same.
    """

    target_types = ()
    depends_on_batch = False
    # As in scikit-learn; the names and values that `check_params` compares.
    _parameter_constraints: ClassVar[dict] = {}
    # Of the constructor, and what `check_once` has checked last.
    _parameter_names: ClassVar[tuple] = ()
    _checked = ()
    n_positive_: torch.Tensor
    n_negative_: torch.Tensor

    def __new__(cls, *args, **kwargs):  # noqa: ARG004
        """Refuse what the constructors of torch's criteria take, with the way out."""
        check_constructor(cls, kwargs)
        return super().__new__(cls)

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        cls._parameter_names = parameter_names(cls)

    def __init__(self):
        super().__init__()

    def __getstate__(self):
        # A loss that was called is stored, and hashed, as one that was not.
        state = dict(cast("dict", super().__getstate__()))
        state.pop("_checked", None)
        return state

    def _apply(self, fn, recurse=True):
        # `half` of a net that holds the loss would round counts, or make them infinite.
        learnt = dict(self._buffers)
        super()._apply(fn, recurse)
        for name, before in learnt.items():
            after = self._buffers[name]
            if before is None or after is None:  # as a buffer may be registered
                continue
            if after.dtype != before.dtype:
                self._buffers[name] = before.to(after.device)
        return self

    def _current_parameters(self):
        """Return the values of the constructor parameters, in their order."""
        return [getattr(self, name, None) for name in self._parameter_names]

    def _check_called(self, n_outputs):
        """Check the parameters before a call or an inverse."""
        self.check_params(n_outputs)

    def _has_inverse(self):
        """Return whether `link` finds an inverse.

        A loss that needs the label counts is taken to have one before `setup`.
        """
        if self.needs_counts and "n_positive_" not in self._buffers:
            return True
        return self.link().problem is None

    # A property; typed as its value, because a class may set it to False.
    invertible = cast("bool", property(lambda self: self._has_inverse()))

    def _states_no_inverse(self):
        """Return whether the class sets ``invertible = False``."""
        stated = type(self).invertible
        return not isinstance(stated, property) and not stated

    @property
    def needs_counts(self):
        """Whether the loss learns from the label counts: it defines `setup`."""
        return type(self).setup is not Loss.setup

    def check_params(self, n_outputs):  # noqa: ARG002
        """Check the constructor parameters, by `_parameter_constraints`.

        `setup` calls it, the estimators do before any work, and so does the first call
        after a parameter was set.

        Parameters
        ----------
        n_outputs : int
            The number of scores of a row.

        Raises
        ------
        ValueError, TypeError
            If a parameter is invalid, or does not fit the number of outputs.
        """
        check_parameters(self)

    def setup(self, n_positive, n_negative):
        """Learn what the loss needs from the label counts.

        A parameter that enters it and is set later counts from the next `setup` on.

        Parameters
        ----------
        n_positive, n_negative : array-like of shape (n_outputs,)
            Weighted counts of the observed entries. For a multiclass target, of the
            rows in the class and out of it.

        Returns
        -------
        self : Loss
            The same object, with its buffers set.

        Raises
        ------
        ValueError
            If a count is negative or not finite, or their numbers differ.
        """
        positive, negative = check_counts(n_positive, n_negative)
        self.check_params(len(positive))
        self.register_buffer("n_positive_", positive)
        self.register_buffer("n_negative_", negative)
        return self

    def __call__(
        self,
        scores,
        targets,
        *args,
        pos_weight=None,
        weight=None,
        reduction="none",
    ):
        """Compute the loss as a criterion of a torch training loop does.

        Parameters
        ----------
        scores : Tensor of shape (n_samples, n_outputs)
            Raw scores (logits).
        targets : Tensor of shape (n_samples, n_labels) or (n_samples,)
            Labels 0 and 1, soft labels between them, or class indices for a loss of
            classes. Compiled code checks the values of no targets and weights.
        *args : tuple
            Further arguments of `forward`: the `entry_weight` of a `SetLoss`.
        pos_weight : float or array-like of shape (n_outputs,), default=None
            Weight of the positives, or of the rows by true class: a number multiplies
            the loss of all classes alike.
        weight : float or Tensor broadcastable to the unreduced loss, default=None
            Weight of each entry, or of each row for a loss of classes; 0 leaves it out.
            For a loss of whole rows the mean of a row multiplies its value, and what
            the entries differ by is their `entry_weight`.
        reduction : {"none", "mean", "sum"}, default="none"
            torch's own criteria reduce by ``"mean"``, which has to be asked for here.
            It divides by the number of entries, or rows, whatever their weights.

        Returns
        -------
        Tensor
            Of shape () for ``"mean"`` and ``"sum"``, which count the weights that
            `entry_weight` of a pointwise loss gives; else unreduced.

        Raises
        ------
        ValueError
            If the shape of the targets or of a weight does not suit the scores, targets
            are no labels or classes, a weight is negative, or a parameter of the loss
            is invalid.
        TypeError
            If scores or targets are no tensors, or the targets of a loss of classes are
            no integers.
        """
        check_choice("reduction", reduction, ("none", "mean", "sum"))
        of_classes = isinstance(self, SoftmaxLoss)
        check_tensors(scores, targets, of_classes)
        n_outputs = scores.shape[-1] if scores.ndim else 1
        check_pos_weight(pos_weight, n_outputs)
        if not torch.compiler.is_compiling():  # values are no part of a graph
            check_target_values(scores, targets, of_classes)
            check_weight_values("pos_weight", pos_weight)
            check_weight_values("weight", weight)
            check_once(self, n_outputs)
            check_counted(self, n_outputs)
        if of_classes:  # torch takes narrow integers for masks, or refuses them
            targets = targets.long()
        if weight is not None:
            shape = scores.shape[:1] if of_classes or args else scores.shape
            weight = as_weight(weight, scores, shape)
        value = self._weighted(
            scores, targets, args, pos_weight, weight, reduced=reduction != "none"
        )
        if reduction == "none":
            return value
        n_values = scores.numel() if isinstance(self, PointwiseLoss) else len(scores)
        return value.sum() / (n_values if reduction == "mean" else 1)

    def _weighted(self, scores, targets, args, pos_weight, weight, *, reduced):  # noqa: ARG002
        """Return the loss times the weights; a sum will do where it is `reduced`."""
        value = super().__call__(scores, targets, *args)
        of_entries = isinstance(self, PointwiseLoss)
        expected = scores.shape if of_entries else scores.shape[:1]
        name = f"{type(self).__name__}.forward"
        check_shape(value, expected, name, "entry" if of_entries else "row")
        if pos_weight is not None:
            value = value * like(pos_weight, scores).expand(scores.shape[1])[targets]
        return value if weight is None else value * weight

    def initial_scores(self, prior, pos_weight=1.0):
        """Return the scores at which the loss predicts given base rates.

        As the bias of the last layer they start the training at the base rates.

        Parameters
        ----------
        prior : array-like of shape (n_outputs,)
            Base rates of the labels or classes, above 0 and below 1. Where a label may
            have no positive in training, take ``(n_positive + 0.5) / (n_samples + 1)``.
        pos_weight : float, array-like of shape (n_outputs,) or None, default=1.0
            The weight of the positives, or by true class, in training.

        Returns
        -------
        Tensor of float64, shape (n_outputs,)
            Zeros where no map from scores to probabilities increases.

        Raises
        ------
        ValueError
            If a base rate is not between 0 and 1: its score would be infinite, and the
            label could never be learnt.
        """
        prior = torch.atleast_1d(float64(prior)).detach()
        if not ((prior > 0) & (prior < 1)).all():
            raise ValueError(
                "prior: base rates must be above 0 and below 1, but go from "
                f"{prior.min():g} to {prior.max():g}. For labels without positives "
                "take (n_positive + 0.5) / (n_samples + 1) instead of the mean."
            )
        check_pos_weight(pos_weight, len(prior))
        link = self.link(pos_weight, prior.device, len(prior))
        return link.initial_scores(prior).detach()

    def link(self, pos_weight=1.0, device=None, n_outputs=None):
        """Return the map from raw scores to log-odds, or log-probabilities.

        It is checked here, with the parameters of the loss, the label counts of `setup`
        and the weight. Its `problem` is None, or the reason why the scores stand for no
        probabilities and have to be calibrated on held-out rows. Its `initial_scores`
        are those at which the loss predicts given base rates.

        Parameters
        ----------
        pos_weight : float, array-like of shape (n_outputs,) or None, default=1.0
            The weight of the positives, or by true class, in training.
        device : torch.device, default=None
            Where the scores are; None is the CPU.
        n_outputs : int, default=None
            The number of scores of a row, where `setup` has not seen the label counts.

        Returns
        -------
        callable
            Takes raw scores of shape (n_samples, n_outputs).

        Raises
        ------
        NotImplementedError
            If the subclass does not define it.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must derive from PointwiseLoss, SoftmaxLoss or "
            "SetLoss."
        )

    def state(self, name, like):
        """Return a buffer learnt in `setup`, in the dtype and on the device of `like`.

        Parameters
        ----------
        name : str
            The buffer.
        like : Tensor
            The scores.

        Returns
        -------
        Tensor
            Of shape (n_outputs,).

        Raises
        ------
        RuntimeError
            If `setup` has not been called.
        """
        buffer = self._buffers.get(name)
        if buffer is None:
            raise RuntimeError(
                f"{type(self).__name__} learns from the label counts: call "
                "setup(n_positive, n_negative) before using it."
            )
        return buffer.to(like)

    def _floor(self):
        """Return the least probability that the counted rows can distinguish from 0."""
        if "n_positive_" not in self._buffers:
            return float64([_UNSEEN_FLOOR])
        n_rows = self.n_positive_ + self.n_negative_
        return (0.5 / (n_rows + 1)).double().clamp(max=_LARGEST_FLOOR)


def _derive_again(cls, base, name, sources):
    """Restore the default of a method where a subclass overrides what it depends on.

    Without this, a subclass of a built-in loss that overrides a term would keep the
    formulas that were derived from the term it replaces.
    """
    if any(depth(cls, source) < depth(cls, name) for source in sources):
        setattr(cls, name, vars(base)[name])


_TERMS = "positive", "negative"
_FUSED_TERMS = "positive_value_and_grad", "negative_value_and_grad"


class PointwiseLoss(Loss):
    """Base of losses that are a sum over the labels: binary and multilabel targets.

    A subclass writes `positive` and `negative`, elementwise in the scores, and gets the
    rest: soft targets, half precision, the inverse and the starting bias. `forward` is
    not overridden without both terms, since they are what is trained. Write
    ``logsigmoid``, never ``log(sigmoid)``, so that large scores stay finite, and
    ``exp(q * logsigmoid)``, never ``sigmoid ** q``: the derivative of a sigmoid has
    half of its digits left at a score of 18, and the inverse with it.

    Instead of the two terms it may write `positive_value_and_grad` and
    `negative_value_and_grad`, which return the derivative as well: such a loss is
    evaluated in one pass over the batch where autograd needs many, and its inverse is
    exact in the tails. The built-in losses do so. `unweighted_log_odds` may give the
    map from scores to log-odds in a closed form; it is compared with the derivatives.
    `entry_weight` is for losses that weight an entry by other entries.

    Whether scores stand for probabilities is checked in `link`: each probability that
    the counted rows can tell apart must belong to one score. A loss that fails is
    calibrated on held-out rows instead, with a warning; a class that sets
    ``invertible = False`` is calibrated without one.

    See Also
    --------
    SoftmaxLoss : For multiclass targets.
    SetLoss : For losses that couple the labels of a row.

    Examples
    --------
    >>> import torch
    >>> import torch.nn.functional as F
    >>> from skimbalance.losses import PointwiseLoss
    >>> class SquaredLogLoss(PointwiseLoss):
    ...     def positive(self, scores):
    ...         return F.softplus(-scores) ** 2
    ...     def negative(self, scores):
    ...         return F.softplus(scores) ** 2
    >>> loss = SquaredLogLoss()
    >>> loss(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 0.0]))
    tensor([0.4805, 4.5238])
    >>> loss.log_odds(torch.tensor([-1.0, 0.0, 1.0]))
    tensor([-2.4332,  0.0000,  2.4332], dtype=torch.float64)
    """

    target_types = (BINARY, MULTILABEL)
    # Whether both terms come with a derivative that belongs to them.
    _has_derivatives = False
    # The methods that `_signed_value_and_grad` states again in another form.
    _signed_sources = _FUSED_TERMS

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        pairs = tuple(zip(_TERMS, _FUSED_TERMS, strict=True))
        check_overrides(cls, pairs)
        for term, fused in pairs:
            _derive_again(cls, PointwiseLoss, term, (fused,))
        signed = "_signed_value_and_grad"
        _derive_again(cls, PointwiseLoss, signed, cls._signed_sources)
        _derive_again(cls, PointwiseLoss, "unweighted_log_odds", _TERMS + _FUSED_TERMS)
        cls._has_derivatives = all(
            getattr(cls, fused) is not getattr(PointwiseLoss, fused)
            and depth(cls, fused) <= depth(cls, term)
            for term, fused in pairs
        )

    def check_params(self, n_outputs):
        super().check_params(n_outputs)
        if self._is_fused and any_is_learnt(*self.parameters()):
            raise ValueError(
                f"{type(self).__name__} gives its derivative by the scores alone, so "
                "that no parameter of it can be learnt. Derive a class from "
                "PointwiseLoss that writes positive and negative, which autograd "
                "differentiates."
            )

    def positive(self, scores):
        """Return the loss of each score where the label is 1.

        Parameters
        ----------
        scores : Tensor of shape (n_samples, n_labels)
            Raw scores (logits).

        Returns
        -------
        Tensor of shape (n_samples, n_labels)
            Unreduced.

        Raises
        ------
        NotImplementedError
            If the subclass defines neither it nor the method that adds the derivative.
        """
        return Term.apply(self.positive_value_and_grad, scores)

    def negative(self, scores):
        """Return the loss of each score where the label is 0.

        Parameters
        ----------
        scores : Tensor of shape (n_samples, n_labels)
            Raw scores (logits).

        Returns
        -------
        Tensor of shape (n_samples, n_labels)
            Unreduced.

        Raises
        ------
        NotImplementedError
            If the subclass defines neither it nor the method that adds the derivative.
        """
        return Term.apply(self.negative_value_and_grad, scores)

    def positive_value_and_grad(self, scores, labels=slice(None)):
        """Return `positive` and its derivative by the score, without autograd.

        Together with `negative_value_and_grad` it takes the place of the two terms.

        Parameters
        ----------
        scores : Tensor of shape (n_samples, n_labels) or (n_entries,)
            Raw scores, at least float32.
        labels : slice or Tensor of int64, shape (n_entries,), default=slice(None)
            The columns that the scores are of; indexes what differs by label.

        Returns
        -------
        value, slope : Tensor of the shape of the scores
            Two new tensors, which the caller may overwrite.

        Raises
        ------
        NotImplementedError
            If the subclass does not define it.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define positive(scores)."
        )

    def negative_value_and_grad(self, scores, labels=slice(None)):
        """Return `negative` and its derivative by the score, without autograd.

        Parameters
        ----------
        scores : Tensor of shape (n_samples, n_labels) or (n_entries,)
            Raw scores, at least float32.
        labels : slice or Tensor of int64, shape (n_entries,), default=slice(None)
            The columns that the scores are of.

        Returns
        -------
        value, slope : Tensor of the shape of the scores
            Two new tensors, which the caller may overwrite.

        Raises
        ------
        NotImplementedError
            If the subclass does not define it.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define negative(scores)."
        )

    def _signed_value_and_grad(self, scores, targets):
        """Return the loss of each entry and its derivative, for targets of bool.

        By default both terms are computed everywhere, and one is chosen. A loss whose
        terms are one function of the signed score halves that work.
        """
        terms = (
            self.positive_value_and_grad(scores),
            self.negative_value_and_grad(scores),
        )
        return tuple(torch.where(targets, *pair) for pair in zip(*terms, strict=True))

    def entry_weight(self, scores, targets, weight=None):  # noqa: ARG002
        """Return the weight of each entry, where it depends on other entries.

        Optional; by default `weight` as it is. Such a factor belongs to the loss, but
        no map of single scores inverts it. Where it depends on other rows, set
        ``depends_on_batch = True``; otherwise it may be called with some rows at a
        time.

        Parameters
        ----------
        scores : Tensor of shape (n_samples, n_labels)
            Raw scores, detached.
        targets : Tensor of shape (n_samples, n_labels)
            0 and 1, as integers or booleans.
        weight : Tensor broadcastable to (n_samples, n_labels), default=None
            Weight of each entry so far; 0 where the label is missing.

        Returns
        -------
        Tensor broadcastable to (n_samples, n_labels), or None
            The weights to use.
        """
        return weight

    def unweighted_log_odds(self, scores):
        """Return the log-odds of eta for scores trained without `pos_weight`.

        By default ``log l_neg' - log(-l_pos')``. A class may give a closed form.

        Parameters
        ----------
        scores : Tensor of float64, shape (n_samples, n_labels)
            Raw scores.

        Returns
        -------
        Tensor of float64, shape (n_samples, n_labels)
            Not used where it is flat or not finite.
        """
        if self._is_fused:
            _, falling = self.positive_value_and_grad(scores)
            _, rising = self.negative_value_and_grad(scores)
            return log_slope_ratio(rising, falling)
        with torch.enable_grad():
            scores = scores.detach().requires_grad_()
            falling = derivative(self.positive(scores), scores)
            rising = derivative(self.negative(scores), scores)
        return log_slope_ratio(rising, falling)

    @property
    def _is_fused(self):
        """Whether the loss is evaluated in one pass, without autograd."""
        return self._has_derivatives

    def _weighted(self, scores, targets, args, pos_weight, weight, *, reduced):
        """Return the loss times the weights; a sum will do where it is `reduced`."""
        if pos_weight is not None:  # a number, too, is looked up by label
            pos_weight = like(pos_weight, scores).expand(scores.shape[-1:])
        if reduced:
            return self.weighted_sum(scores, targets, weight, pos_weight)
        if pos_weight is None:
            return super()._weighted(
                scores, targets, args, None, weight, reduced=reduced
            )
        scores = at_least_float32(scores)
        targets = targets.to(scores.dtype)
        value = self._mixture(scores, targets, pos_weight)
        return value if weight is None else value * weight

    def forward(self, scores, targets):
        """Return the unreduced loss.

        Parameters
        ----------
        scores : Tensor of shape (n_samples, n_labels)
            Raw scores (logits). Half precision is computed in float32.
        targets : Tensor of shape (n_samples, n_labels)
            0 and 1, or soft targets between them, which mix the two terms.

        Returns
        -------
        Tensor of shape (n_samples, n_labels)
            At least float32.
        """
        scores = at_least_float32(scores)
        targets = targets.to(scores.dtype)
        if self._is_fused and not any_is_learnt(targets):
            return Unreduced.apply(self, scores, targets)
        return self._mixture(scores, targets)

    def _mixture(self, scores, targets, pos_weight=None):
        """Return the loss of each entry, by autograd; a soft target mixes the terms."""
        terms = [getattr(self, name)(scores) for name in _TERMS]
        for name, term in zip(_TERMS, terms, strict=True):
            # A mean would be broadcast.
            check_shape(term, scores.shape, f"{type(self).__name__}.{name}", "entry")
        positive = targets if pos_weight is None else targets * pos_weight
        return positive * terms[0] + (1 - targets) * terms[1]

    def weighted_sum(
        self, scores, targets, weight=None, pos_weight=None, positive=None
    ):
        """Return the sum of the loss over all entries, weighted, with less memory.

        Parameters
        ----------
        scores : Tensor of shape (n_samples, n_labels)
            Raw scores (logits).
        targets : Tensor of shape (n_samples, n_labels)
            In [0, 1]. Integers or booleans, which cannot lie between, are fastest.
        weight : Tensor broadcastable to (n_samples, n_labels), default=None
            Weight of each entry.
        pos_weight : Tensor of shape (n_labels,), default=None
            Weight of the positive term.
        positive : Tensor of shape (n_samples, n_labels), default=None
            What `entry_weight` gets where targets are soft, 0 and 1 as integers or
            booleans; None is where they exceed 1/2.

        Returns
        -------
        Tensor of shape ()
            ``sum(weight * (targets * pos_weight * l_pos + (1 - targets) * l_neg))``,
            with the weights that `entry_weight` makes of `weight`.
        """
        scores = at_least_float32(scores)
        if not targets.is_floating_point():
            positive = None  # `targets` serves; compilers accept no tensor twice
        else:
            positive = targets > 0.5 if positive is None else positive
            targets = targets.to(scores.dtype)
        if pos_weight is not None:
            pos_weight = pos_weight.to(scores.dtype)
        is_fused = self._is_fused and not any_is_learnt(targets, weight, pos_weight)
        # Otherwise `WeightedSum` asks for the weights block by block.
        if self.depends_on_batch or not is_fused:
            entries = targets if positive is None else positive
            weight = self.entry_weight(scores.detach(), entries, weight)
        if is_fused:
            given = scores, targets, weight, pos_weight, positive
            return WeightedSum.apply(self, *given)
        targets = targets.to(scores.dtype)
        value = self._mixture(scores, targets, pos_weight)
        return value.sum() if weight is None else (value * weight).sum()

    def log_odds(self, scores, pos_weight=1.0):
        """Return the log-odds of ``P(y = 1 | x)`` that a trained score stands for.

        Parameters
        ----------
        scores : Tensor or array-like of shape (n_samples, n_labels)
            Raw scores.
        pos_weight : float, array-like of shape (n_labels,) or None, default=1.0
            The weight of the positives that the scores were trained with.

        Returns
        -------
        Tensor of float64, shape (n_samples, n_labels)
            Finite and strictly increasing for scores up to 1e4. Where the map is flat
            (asymmetric loss below its margin) it goes on linearly from the point at
            which eta falls to ``0.5 / (n + 1)``, n being the number of rows that
            `setup` counted, so that no ranks are tied. Where it does not increase, the
            scores as they are.
        """
        scores = float64(scores)
        n_outputs = scores.shape[-1] if scores.ndim else None
        return self.link(pos_weight, scores.device, n_outputs)(scores)

    def link(self, pos_weight=1.0, device=None, n_outputs=None):
        # The weight multiplies the positive gradient, hence the odds that scores stand
        # for: the map is shifted by its log, and so is what is of interest of it.
        if n_outputs is None and "n_positive_" in self._buffers:
            n_outputs = len(self.n_positive_)
        check_once(self, n_outputs)
        shift = log_weight(pos_weight, device, n_outputs)
        floor = torch.logit(self._floor().to(device))
        low, high = torch.broadcast_tensors(floor + shift, shift - floor)
        n_columns = self._check_terms(n_outputs or low.shape[-1], device)
        if n_columns == 1:  # one map serves the extremes of all labels
            low, high = low.amin(0, keepdim=True), high.amax(0, keepdim=True)
        function = self.unweighted_log_odds
        general = functools.partial(PointwiseLoss.unweighted_log_odds, self)
        problem = self._stated_problem()
        is_closed = type(self).unweighted_log_odds != PointwiseLoss.unweighted_log_odds
        if is_closed and contradicts(function, general, low, high, n_columns):
            function, problem = general, CONTRADICTS
        link = find_link(function, low, high, shift, n_columns)
        link.problem = problem or link.problem
        link.is_identity = link.is_identity and link.problem is None
        return link

    def _stated_problem(self):
        """Return why there is no inverse where the class shows it, or None."""
        if self._states_no_inverse():
            return DECLARED
        weighs = type(self).entry_weight is not PointwiseLoss.entry_weight
        return WEIGHTED if weighs else None

    def _check_terms(self, n_labels, device):
        """Return 1 if the terms are the same in all columns, else the number of labels.

        Raise unless both terms give a finite number for each score, and one of them
        depends on it.
        """
        scores = torch.tensor([[-1.0], [0.5]], dtype=torch.float64, device=device)
        scores.requires_grad_()
        n_columns, depends = 1, False
        for name in _TERMS:
            term = getattr(self, name)
            with torch.enable_grad():
                wide = term(scores.expand(-1, n_labels).contiguous())
            expected = (2, n_labels if n_labels > 1 else None)
            check_values(wide, expected, f"{type(self).__name__}.{name}", "entry")
            depends = depends or wide.requires_grad
            if not _ignores_columns(term, scores, wide):
                n_columns = wide.shape[1]
        if not depends:
            raise ValueError(
                f"loss: {type(self).__name__}.positive and negative give values "
                "without a gradient by the scores: compute them from the scores by "
                "differentiable torch functions."
            )
        return n_columns


def _ignores_columns(term, scores, wide):
    """Return whether one column of scores gives what each of several gives.

    If so the map is checked for one label instead of all.
    """
    try:
        narrow = term(scores)
    except (RuntimeError, IndexError, ValueError):  # a parameter has a value a label
        return False
    return narrow.shape == (2, 1) and bool((narrow == wide).all())


class SoftmaxLoss(Loss):
    """Base of losses for multiclass targets: one value a row from all its scores.

    A subclass writes ``forward(scores, targets)``, with class indices as targets, and
    gets the posterior and the starting bias. `closed_form_log_posterior` is optional:
    without it the posterior is the left null vector of the matrix of derivatives.

    See Also
    --------
    PointwiseLoss : For binary and multilabel targets.

    Examples
    --------
    >>> import torch
    >>> from skimbalance.losses import SoftmaxLoss
    >>> class SquaredSoftmaxLogLoss(SoftmaxLoss):
    ...     def forward(self, scores, targets):
    ...         rows = torch.arange(len(scores))
    ...         return scores.log_softmax(dim=1)[rows, targets] ** 2
    >>> loss = SquaredSoftmaxLogLoss()
    >>> loss.log_probabilities(torch.tensor([[0.0, 0.0, 1.0]])).exp()
    tensor([[0.1037, 0.1037, 0.7927]], dtype=torch.float64)
    """

    target_types = (MULTICLASS,)

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        _derive_again(cls, SoftmaxLoss, "closed_form_log_posterior", ("forward",))

    def forward(self, scores, targets):
        """Return the loss of each row.

        Parameters
        ----------
        scores : Tensor of shape (n_samples, n_classes)
            Raw scores (logits).
        targets : Tensor of int64, shape (n_samples,)
            Index of the true class.

        Returns
        -------
        Tensor of shape (n_samples,)
            Unreduced, at least float32.

        Raises
        ------
        NotImplementedError
            If the subclass does not define it.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define forward(scores, targets)."
        )

    def closed_form_log_posterior(self, scores):
        """Return the log of the posterior, up to a constant in each row.

        Optional.

        Parameters
        ----------
        scores : Tensor of float64, shape (n_samples, n_classes)
            Raw scores.

        Returns
        -------
        Tensor of float64, shape (n_samples, n_classes)
            Need not be normalised.
        """
        posterior = left_null_vector(self._gradient_matrices(scores))
        return posterior.clamp(min=TINY).log()

    def _gradient_matrices(self, scores):
        """Return the matrices ``d l_y / d z_k``, one a sample."""
        return torch.stack(
            [self._gradients(scores, k) for k in range(scores.shape[1])], dim=1
        )

    def _gradients(self, scores, true_class):
        """Return ``d l_y / d z`` for y the given class, one row a sample."""
        targets = torch.full((len(scores),), true_class, device=scores.device)
        with torch.enable_grad():
            scores = scores.detach().requires_grad_()
            return derivative(self.forward(scores, targets), scores)

    def link(self, pos_weight=1.0, device=None, n_outputs=None):
        prior = self._prior(n_outputs, device)
        check_once(self, len(prior))
        shift = log_weight(pos_weight, device, len(prior))
        self._check_forward(len(prior), device)
        function = self.closed_form_log_posterior
        general = SoftmaxLoss.closed_form_log_posterior
        is_closed = type(self).closed_form_log_posterior is not general
        if self._states_no_inverse():
            problem = DECLARED if is_closed else NO_MAP
            return SoftmaxLink(function, shift, problem, is_identity=False)
        gradients = self._gradient_matrices
        return find_softmax_link(function, gradients, prior, shift, is_closed=is_closed)

    def _has_inverse(self):
        # Before `setup` the number of classes is not known.
        return "n_positive_" not in self._buffers or self.link().problem is None

    def _prior(self, n_classes, device):
        """Return the base rates that `setup` counted; equal ones before."""
        if "n_positive_" in self._buffers:
            # Half a row at least: a class without rows has a base rate, too.
            counts = self.n_positive_.to(device).clamp(min=0.5)
        else:
            counts = torch.ones(n_classes, dtype=torch.float64, device=device)
        return counts / counts.sum()

    def _check_forward(self, n_classes, device):
        """Raise unless `forward` returns a number for each row."""
        scores = torch.tensor([[-1.0], [0.5]], dtype=torch.float64, device=device)
        scores = scores.repeat(1, n_classes).requires_grad_()
        classes = torch.tensor([0, n_classes - 1], device=device)
        name = f"{type(self).__name__}.forward"
        check_values(self(scores, classes), (2,), name, "row")

    def log_probabilities(self, scores, pos_weight=1.0):
        """Return the log of ``P(y = k | x)`` that trained scores stand for.

        Parameters
        ----------
        scores : Tensor or array-like of shape (n_samples, n_classes)
            Raw scores.
        pos_weight : float, array-like of shape (n_classes,) or None, default=1.0
            The weights by true class that the scores were trained with.

        Returns
        -------
        Tensor of float64, shape (n_samples, n_classes)
            Normalised.
        """
        scores = float64(scores)
        return self.link(pos_weight, scores.device, scores.shape[1])(scores)
