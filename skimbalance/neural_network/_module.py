"""The module that is trained: the user's, with a bias that starts at the base rates.

`ScoreModule` holds one net and `MemberModule` several, each parameter of which gains a
first axis for the members: they read the same batch, and each layer is one batched
matrix product, so that K small nets take far less than K times as long as one. The
user's module is tried on real rows before any training.

A criterion is the batch loss: weights and reduction around a plain loss,

    sum_ij w_ij l_ij / (rows in the batch * trained labels * mean entry weight)

with the mean of w_ij over all rows and trained labels, where a missing label counts 0.
The criterion returns the sum. The divisor enters as the factor that `backward` starts
from, which saves one operation on the sum and one on its gradient. `pos_weight` and
`label_weight` enter the sum and never the divisor, and a row of weight 2 counts as two
rows. A missing label becomes a negative of weight 0 before the loss sees it: a mask
afterwards would still leave the gradient of a NaN.
"""

import contextlib
import copy
import inspect
import threading
from collections.abc import Mapping
from operator import attrgetter
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, vmap

from skimbalance._base import warn_user
from skimbalance._validation import (
    accepted_names,
    check_choice,
    check_interval,
    check_keywords,
    check_layer_sizes,
)
from skimbalance.exceptions import ModuleOutputWarning
from skimbalance.losses import PointwiseLoss, SetLoss, SoftmaxLoss
from skimbalance.modules import ACTIVATIONS, MLP, SparseLinear, SparseRows

_BODY = "body."
# Factors of the parameters that leave a sigmoid in [0, 1], and little else.
_STRETCHES = 30.0, -30.0, 1e6, -1e6
_TOLERANCE = 1e-4


def copied(value, copies=None):
    """Return a deep copy; where a part cannot be copied it is shared.

    Writers and connections hold locks, for example.

    Parameters
    ----------
    value : object
    copies : dict or None
        Copies of parts that have been made before, by the `id` of the part.
    """
    known = dict(copies or {})  # `deepcopy` adds parts to it, half-made where it fails
    try:
        return copy.deepcopy(value, known)
    except Exception:  # each type has an error of its own
        if isinstance(value, dict):
            return {key: copied(entry, copies) for key, entry in value.items()}
        if type(value) in (list, tuple):
            return type(value)(copied(entry, copies) for entry in value)
        return value


class ScoreModule(nn.Module):
    """The user's module, with an output bias that starts at the base rates.

    If the module adds a bias to its output, that is the output bias, and the start is
    added to its value; else this class adds a parameter. The module that the user
    passes, or returns from a function, is copied and never changed.

    Parameters
    ----------
    build : callable
        ``build(n_features, n_outputs, **params)`` gives the user's module.
    params : dict
        Its parameters.
    n_features : int or tuple of int, or dict or list of these
        The shape of a row; of several inputs, that of each.
    n_outputs : int
        Number of raw scores of a row.
    bias : array-like of shape (n_outputs,)
        Where the bias starts.
    dtype : torch.dtype
        The dtype of the weights.
    are_integers : list of bool, default=()
        Which of several inputs hold integers.
    **more
        Further parameters that skorch's callbacks set, such as `InputShapeSetter`; they
        go to `build` if it takes them.
    """

    n_members = 1
    reads_integers = False
    # What a thread has to hold while it computes scores.
    lock: Any = contextlib.nullcontext()

    def __init__(
        self,
        build,
        params,
        n_features,
        n_outputs,
        bias,
        dtype,
        are_integers=(),
        **more,
    ):
        super().__init__()
        # What scales raw inputs, in a member that is handed to the user. No attribute
        # of the class, which torch would find before a submodule.
        self.inputs: Any = None
        params = copied(params) | _accepted(build, more)
        self.body: Any = copied(_built(build, n_features, n_outputs, params))
        self.accepts_sparse = getattr(self.body, "accepts_sparse", False)
        self.n_outputs = n_outputs
        self.to(dtype)
        start = torch.as_tensor(bias, dtype=dtype)
        x, found = _probe(self.accepts_sparse, n_features, dtype), None
        if any(are_integers):  # as a module with embeddings reads them
            given = _with_integers(x, are_integers)
            found = _added_bias(self.body, given, n_outputs)
        found = found or _added_bias(self.body, x, n_outputs)
        self.bias_name, self.own_bias = f"{_BODY}{found}", None
        if found is None:
            self.bias_name, self.own_bias = "own_bias", nn.Parameter(start.clone())
        else:
            self.bias.data += start

    @property
    def bias(self):
        """The output bias, which weight decay leaves alone."""
        return attrgetter(self.bias_name)(self)

    def forward(self, x):
        if self.inputs is not None:
            x = self.inputs(x).to(self.bias.dtype)
        scores = check_scores(called(self.body, x), n_rows_of(x), self.n_outputs)
        return scores if self.own_bias is None else scores + self.own_bias

    def members(self) -> list[nn.Module]:
        """Return each net in this module, on copies of its weights, to predict with."""
        # A training without held-out rows leaves dropout switched on.
        return [self.member(number).eval() for number in range(self.n_members)]

    def member(self, number) -> nn.Module:  # noqa: ARG002
        """Return one net of this module, on a copy of its weights."""
        return copy.deepcopy(self)

    def scores_of(self, member, x):  # noqa: ARG002
        """Return the raw scores of one member, of shape (n_samples, n_outputs)."""
        return self(x)


def _arguments(x):
    """Return the arguments by which a module gets a batch, and its keywords."""
    if isinstance(x, dict):
        return (), x
    return x if isinstance(x, tuple) else (x,), {}


def called(body, x):
    """Return the output of a user's module, which may take several inputs.

    Parameters
    ----------
    body : torch.nn.Module
    x : Tensor, SparseRows, or dict or tuple of Tensor
        The entries of a dict are keywords, as skorch passes them.
    """
    args, keywords = _arguments(x)
    return body(*args, **keywords)


def n_rows_of(x):
    """Return the number of rows of a batch."""
    args, keywords = _arguments(x)
    # `len` of a tensor would fix the number of rows in an exported program.
    return next(iter((*args, *keywords.values()))).shape[0]


def user_name(name):
    """Return the name that a parameter has in the user's own module."""
    return name.removeprefix(_BODY)


def find_scores(output: Any) -> Any:
    """Return the raw scores in what a module returns.

    That is the first item of a tuple or list, the item or the attribute `logits` of
    others, as modules of Hugging Face have it, and else the output itself.
    """
    if isinstance(output, torch.Tensor):
        return output
    if isinstance(output, Mapping) and "logits" in output:
        return output["logits"]
    logits = getattr(output, "logits", None)
    if isinstance(logits, torch.Tensor):
        return logits
    return output[0] if isinstance(output, tuple | list) and output else output


def all_finite(values):
    """Return whether all values of a tensor are finite.

    A sum is read first: a mask of the size of the scores took a sixth of a prediction
    of 1,000 labels. The sum may overflow where no value does.
    """
    return bool(values.sum().isfinite()) or bool(values.isfinite().all())


def check_scores(output, n_rows, n_outputs):
    """Return the scores that a user's module gives, if there is one for each output."""
    scores = find_scores(output)
    if not isinstance(scores, torch.Tensor):
        raise TypeError(
            f"module returns a {type(output).__name__}, but must return raw scores of "
            "shape (n_samples, n_outputs): a tensor, a tuple that begins with it, a "
            "mapping with the item 'logits', or an object with the attribute `logits`."
        )
    if scores.shape != (n_rows, n_outputs):
        raise ValueError(
            f"module gives an output of shape {tuple(scores.shape)} for {n_rows} "
            f"rows, but must give shape {(n_rows, n_outputs)}: one raw score "
            "for each output. Build the module with n_outputs outputs, its second "
            "argument."
        )
    if not scores.is_floating_point():
        raise TypeError(
            f"module gives an output of {scores.dtype}, but must give raw scores of a "
            "floating-point dtype."
        )
    return scores


def _built(build, n_features, n_outputs, params):
    """Return the user's module, or raise an error that names `module`."""
    try:
        body = build(n_features, n_outputs, **params)
    except Exception as error:  # each module has errors of its own
        given = "".join(f", {key}={value!r}" for key, value in params.items())
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(
            f"module cannot be built: {getattr(build, '__name__', build)}({n_features},"
            f" {n_outputs}{given}) raises {type(error).__name__}: {error}. It must "
            "take the number of features (the shape of a row) and the number of "
            "outputs; others are named in module_params."
        ) from error
    if not isinstance(body, nn.Module):
        raise TypeError(
            f"module must return a torch.nn.Module, got {type(body).__name__}."
        )
    return body


def _accepted(build, params):
    """Return the parameters that a class or function takes by name."""
    if not params:
        return {}
    known = inspect.signature(build).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in known.values())
    return {key: params[key] for key in params if takes_any or key in known}


def _probe(accepts_sparse, n_features, dtype):
    """Return two rows that a module can be tried on."""
    if accepts_sparse:
        nothing = torch.zeros(0, dtype=torch.int64)
        offsets = torch.zeros(2, dtype=torch.int64)
        return SparseRows(nothing, offsets, nothing.to(dtype), n_features)
    if isinstance(n_features, dict):
        return {key: _probe(False, n, dtype) for key, n in n_features.items()}
    if isinstance(n_features, list):
        return tuple(_probe(False, n, dtype) for n in n_features)
    return torch.zeros(2, *np.atleast_1d(n_features).astype(int), dtype=dtype)


def _with_integers(x, are_integers):
    """Return several inputs, some of them as integers."""
    args, keywords = _arguments(x)
    parts = [*args, *keywords.values()]
    both = zip(parts, are_integers, strict=True)
    parts = [part.long() if is_integer else part for part, is_integer in both]
    return dict(zip(keywords, parts, strict=True)) if keywords else tuple(parts)


@torch.no_grad()
def _added_bias(module, x, n_outputs):
    """Return the name of the last parameter that is added to the output, or None.

    It is found by trial: adding a step to the parameter must add that step to the
    output.
    """
    was_training, found = module.training, None
    module.eval()
    try:
        scores = find_scores(called(module, x))
        up = 100 + torch.linspace(0, 100, n_outputs).to(scores)
        for name, parameter in module.named_parameters():
            if parameter.shape == up.shape and parameter.requires_grad:
                steps = (_scores_after(module, x, parameter, z) for z in (up, -up))
                if all(map(_is_near, steps, (scores + up, scores - up))):
                    found = name
    except Exception:  # the module reads no such rows, and nothing is found
        return None
    finally:
        module.train(was_training)
    return found


def _scores_after(module, x, parameter, step):
    """Return the output after a step of a parameter, which is then reverted."""
    kept = parameter.clone()
    try:
        parameter += step
        return find_scores(called(module, x))
    finally:
        parameter.copy_(kept)


def _is_near(scores, expected):
    return scores.shape == expected.shape and torch.allclose(scores, expected, 1e-3)


def _tensors(module):
    return dict(module.named_parameters()) | dict(module.named_buffers())


class _Lock:
    """A lock of an object that is stored and copied: each copy has one of its own."""

    def __init__(self):
        self._lock = threading.RLock()

    def __reduce__(self):
        return type(self), ()

    def __enter__(self):
        self._lock.acquire()

    def __exit__(self, *error):
        self._lock.release()


class MemberModule(ScoreModule):
    """As many score modules as members, with weights and dropout of their own.

    Gives raw scores of shape (n_samples, n_members, n_outputs).

    Parameters
    ----------
    n_members : int
        Number of members.
    in_lockstep : bool, default=False
        Compute one after another, as torch cannot map the module over its weights.
    **kwargs
        As `ScoreModule`; each member is built, and so initialised, anew.
    """

    def __init__(self, *, n_members, in_lockstep=False, **kwargs):
        super().__init__(**kwargs)
        self.n_members, self.is_mlp = n_members, type(self.body) is MLP
        self.in_lockstep = in_lockstep
        if not self.is_mlp:
            # `functional_call` puts other tensors in the place of the weights: a thread
            # that predicts at the same time would find them there.
            self.lock = _Lock()
        self.accepts_sparse = self.accepts_sparse and self.is_mlp
        others = [_tensors(ScoreModule(**kwargs)) for _ in range(n_members - 1)]
        for name, tensor in _tensors(self).items():
            tensor.data = torch.stack(
                [tensor.data, *(other[name].data for other in others)]
            )

    def forward(self, x):
        if self.bias.ndim == 1:  # inside the map, or a member on its own
            return super().forward(x)
        if self.is_mlp:
            scores = _stacked_scores(self.body, x)
            return scores if self.own_bias is None else scores + self.own_bias
        if self.in_lockstep:
            each = [self._member_scores(k, x) for k in range(self.n_members)]
            return torch.stack(each, dim=1)
        parameters = dict(self.named_parameters()), dict(self.named_buffers())
        members = vmap(
            lambda tensors: functional_call(self, tensors, (x,)),
            out_dims=1,
            randomness="different",
        )
        return members(parameters)

    def member(self, number):
        member = copy.deepcopy(self)
        for tensor in _tensors(member).values():
            tensor.data = tensor.data[number].clone()
        return member

    def scores_of(self, member, x):
        if self._compiled_call_impl is not None:
            # Weights of another shape would be compiled anew, for each member.
            return self(x)[:, member]
        return self._member_scores(member, x)

    def _member_scores(self, member, x):
        """Return the scores by views of the weights, which gradients go through."""
        tensors = {name: tensor[member] for name, tensor in _tensors(self).items()}
        return functional_call(self, tensors, (x,))


def _stacked_scores(mlp, x):
    """Return the raw scores of several MLPs whose parameters are stacked.

    Of shape (n_samples, n_members, n_outputs). `vmap` would do the same, but takes
    no `SparseRows`, and calls of its own for each operation.
    """
    x = mlp.embedded(x)
    for layer in (*mlp.hidden, mlp.output):
        has_weight = isinstance(layer, (nn.Linear, SparseLinear))
        x = _stacked_layer(layer, x) if has_weight else layer(x)
    return x.transpose(0, 1)


def _stacked_layer(layer, x):
    """Return the outputs of stacked linear layers, members first.

    The first layer reads the same rows for all members, as one product.
    """
    weight, bias = layer.weight, layer.bias
    is_linear = isinstance(layer, nn.Linear)  # its weight has a row for each output
    if isinstance(x, SparseRows):
        return torch.stack([x.matmul(w) for w in weight.unbind()]) + bias.unsqueeze(1)
    if x.ndim == 2 and is_linear:
        both = torch.addmm(bias.flatten(), x, weight.flatten(0, 1).t())
        return both.unflatten(1, bias.shape).transpose(0, 1)
    if x.ndim == 2:
        x = x.expand(len(weight), *x.shape)
    weight = weight.transpose(1, 2) if is_linear else weight
    return torch.baddbmm(bias.unsqueeze(1), x, weight)


def reads_integers(module, x):
    """Whether a module takes rows of integers, as one with embeddings does.

    Parameters
    ----------
    module : ScoreModule
    x : Tensor of int64
        The first rows.
    """
    try:
        with _evaluated_body(module) as body:
            check_scores(called(body, x), n_rows_of(x), module.n_outputs)
    except Exception:  # linear layers and convolutions read floats only
        return False
    return True


def try_module(module, x):
    """Raise, or warn, where a module does not give raw scores of real rows.

    Parameters
    ----------
    module : ScoreModule
        Before it is trained.
    x : Tensor or SparseRows
        The first rows, as the module reads them.
    """
    with _evaluated_body(module) as body:
        try:
            output = called(body, x)
        except (RuntimeError, TypeError, IndexError, NotImplementedError) as error:
            raise ValueError(
                "module fails on the first rows of X, given to it as "
                f"{_described_rows(x)}: {error}"
            ) from error
        scores = check_scores(output, n_rows_of(x), module.n_outputs)
        if not scores.isfinite().all():
            raise ValueError(
                "module gives NaN or infinite scores for the first rows of X before it "
                "is trained. Look for a logarithm, a root or a division in it, or "
                "scale X."
            )
        kind = _bounded_kind(body, x, scores)
        if module.n_members > 1:
            _try_members(module, x)
    if kind is not None:
        warn_user(
            f"The module seems to end in a {kind}: its outputs are probabilities, but "
            "raw scores (logits) are expected. The loss applies the nonlinearity by "
            f"itself, so leave the {kind} out of the module.",
            ModuleOutputWarning,
        )


def _try_members(module, x):
    """Let members compute one after another if torch cannot compute all at once.

    `vmap` has no rule for recurrent layers, for branches that depend on data, and for
    what some layers do in training only, such as a spectral norm.
    """
    try:
        _try_modes(module, x)
        return
    except RuntimeError:
        module.in_lockstep = True
    try:
        _try_modes(module, x)
    except RuntimeError as error:
        raise ValueError(
            f"n_members={module.n_members}, but torch cannot compute several members "
            f"of this module at once: {error} Set n_members=1, or average several "
            "estimators, in a VotingClassifier for example."
        ) from error


def _try_modes(module, x):
    """Compute scores as predictions do, and as training does.

    A copy does so, as training changes buffers: the statistics of a batch, for example.
    """
    twin = copy.deepcopy(module)
    twin.eval()(x)
    if n_rows_of(x) > 1:  # which such statistics need
        with torch.enable_grad():
            twin.train()(x)


@contextlib.contextmanager
def _evaluated_body(module):
    """Yield the user's module, or that of a member, and restore its state."""
    body = module.body if module.n_members == 1 else module.member(0).body
    was_training, device = body.training, module.bias.device
    body.eval()
    try:
        devices = [device] if device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices), torch.no_grad():
            yield body
    finally:
        body.train(was_training)


def _described_rows(x):
    if isinstance(x, dict | tuple):
        args, keywords = _arguments(x)
        every = [f"{key}: {_described_rows(part)}" for key, part in keywords.items()]
        return ", ".join([*map(_described_rows, args), *every])
    if not isinstance(x, torch.Tensor):
        return f"{type(x).__name__} of shape {tuple(x.shape)}"
    return f"a tensor of {x.dtype} and shape {tuple(x.shape)}"


def _bounded_kind(body, x, scores):
    """Return "softmax" or "sigmoid" where a module ends in one, or None."""
    if not _in_unit_interval(scores):
        return None
    stretched = [_stretched(body, x, by) for by in _STRETCHES]
    if not all(map(_in_unit_interval, stretched)):
        return (
            None  # raw scores that happen to lie in the interval leave it when scaled
        )
    sums = scores.double().sum(dim=1)
    if bool((sums - 1).abs().max() < _TOLERANCE):
        # A softmax over one output is 1 whatever the weights are.
        return "softmax"
    spread = max(_spread(outputs) for outputs in (scores, *stretched))
    return "sigmoid" if spread >= _TOLERANCE else None


def _in_unit_interval(scores):
    """Return whether all scores lie in [0, 1]; NaN, from huge weights, is ignored."""
    return not bool(((scores < 0) | (scores > 1)).any())


def _spread(scores):
    scores = scores[scores.isfinite()]
    return float(scores.max() - scores.min()) if len(scores) else 0.0


def _stretched(body, x, factor):
    """Return the output of a module with parameters times a factor."""
    named = body.named_parameters()
    stretched = {name: p * factor for name, p in named}
    return find_scores(functional_call(body, stretched, *_arguments(x)))


class _Criterion(nn.Module):
    """Base: holds the loss and the weights, all as buffers that move with the net.

    Parameters
    ----------
    loss : Loss
    *args, **weights
        As in `weigh`.
    """

    pos_weight: Any
    label_weight: Any
    prior: Any

    def __init__(self, loss, *args, **weights):
        super().__init__()
        self.loss: Any = loss
        self.weigh(*args, **weights)

    def weigh(
        self,
        pos_weight=None,
        label_weight=None,
        mean_entry_weight=1.0,
        smoothing=0.0,
        prior=None,
    ):
        """Set the weights; those of another chunk of the rows take their place.

        Parameters
        ----------
        pos_weight, label_weight : Tensor of shape (n_outputs,) or None
        mean_entry_weight : float
            The mean weight of the entries of trained labels, where a missing one
            counts 0: it makes the mean loss about as large as without weights.
        smoothing : float
            The fraction of the base rates in the targets.
        prior : Tensor of shape (n_outputs,) or None
            The base rates.
        """
        self.register_buffer("pos_weight", pos_weight)
        self.register_buffer("label_weight", label_weight)
        self.register_buffer("prior", prior)
        self.mean_entry_weight, self.smoothing = mean_entry_weight, smoothing

    def read_rows(self, mean_entry_weight):
        """Set what depends on the rows of an epoch, which train or are held out.

        Parameters
        ----------
        mean_entry_weight : float
            As in `weigh`, of these rows.
        """
        self.mean_entry_weight = mean_entry_weight

    @property
    def sums_rows(self):
        """Whether the loss is a sum over rows, not a function of the batch."""
        return not self.loss.depends_on_batch

    def divisor(self, n_rows):
        """Return the number that the sum over `n_rows` rows is divided by."""
        return n_rows * self.mean_entry_weight


class ClassCriterion(_Criterion):
    """Multiclass: one value a row, weighted by row and by true class."""

    def forward(self, scores, labels, weight):
        value = self._value(scores, labels)
        if self.smoothing:
            value = torch.lerp(value, self._expected(scores, labels), self.smoothing)
        if weight is not None:
            value = value * weight
        return value.sum()

    def _value(self, scores, labels):
        # Not the call: it checks the values of targets that the fit has checked.
        value = self.loss.forward(scores, labels)
        if self.pos_weight is None:
            return value
        return value * self.pos_weight[labels].to(value.dtype)

    def _expected(self, scores, labels):
        """Return the loss of each row if its class were sampled by the base rates."""
        values = (
            rate * self._value(scores, torch.full_like(labels, k))
            for k, rate in enumerate(self.prior.to(scores.dtype))
        )
        return sum(values, start=torch.zeros_like(scores[:, 0]))


class _LabelCriterion(_Criterion):
    """Base for label matrices, which may lack labels of rows.

    `n_trained` is the number of labels that are not constant.
    """

    def weigh(self, *args, n_trained=1, has_missing=False, **weights):
        super().weigh(*args, **weights)
        self.n_trained, self.has_missing = n_trained, has_missing

    def read_rows(self, mean_entry_weight, has_missing):
        super().read_rows(mean_entry_weight)
        self.has_missing = has_missing

    def _targets(self, labels):
        """Return labels of 0 and 1; a missing label becomes a 0, whose weight is 0."""
        return labels.clamp(min=0) if self.has_missing else labels

    def _entry_weight(self, labels, weight, dtype):
        """Multiply what weighs each entry, or a column or a row of entries; or None."""
        product = None
        for factor in self._factors(labels, weight, dtype):
            product = factor if product is None else product * factor
        return product

    def _factors(self, labels, weight, dtype):
        """Yield the weights of missing labels, of labels and of rows or entries."""
        if self.has_missing:
            yield (labels.clamp(max=0) + 1).to(dtype)
        if self.label_weight is not None:
            yield self.label_weight.to(dtype)
        if weight is not None:
            yield weight if weight.ndim == 2 else weight.unsqueeze(1)


class PointwiseCriterion(_LabelCriterion):
    """Criterion of a `PointwiseLoss`: each entry has a weight."""

    def forward(self, scores, labels, weight):
        dtype = torch.promote_types(scores.dtype, torch.float32)
        weight = self._entry_weight(labels, weight, dtype)
        targets, positive = self._targets(labels), None
        if self.smoothing:
            positive, prior = targets, self.prior.to(dtype).expand_as(scores)
            targets = torch.lerp(targets.to(dtype), prior, self.smoothing)
        given = targets, weight, self.pos_weight, positive
        return self.loss.weighted_sum(scores, *given)

    def divisor(self, n_rows):
        return super().divisor(n_rows) * self.n_trained


class SetCriterion(_LabelCriterion):
    """Criterion of a `SetLoss`: entries have a mask, rows have weights."""

    def forward(self, scores, labels, weight):
        dtype = torch.promote_types(scores.dtype, torch.float32)
        outside = None
        if self.sums_rows and weight is not None:
            outside, weight = _row_part(labels, weight)
        entry_weight = self._entry_weight(labels, weight, dtype)
        if entry_weight is None:
            entry_weight = scores.new_ones((), dtype=dtype)
        targets = self._targets(labels).to(dtype)
        value = self.loss.forward(scores, targets, entry_weight.expand_as(scores))
        if outside is not None:
            value = value * outside
        return value.sum()

    def divisor(self, n_rows):
        # What couples rows divides by the weights that it finds.
        return super().divisor(n_rows) if self.sums_rows else n_rows


def _row_part(labels, weight):
    """Split weights into one for each row and relative ones of its entries.

    A weight of a row multiplies the loss of the row, and weights of entries act inside
    of that loss. The split makes equal weights of all entries the same as a weight of
    the row.
    """
    if weight.ndim == 1:
        return weight, None
    observed = (labels >= 0).to(weight.dtype)
    mean = (weight * observed).sum(dim=1) / observed.sum(dim=1).clamp(min=1)
    return mean, weight / torch.where(mean > 0, mean, 1.0).unsqueeze(1)


def sum_over_members(
    criterion, scores, labels, weight, fold=None, share=None, importance=None
):
    """Return the sum of the members' losses on one batch.

    Parameters
    ----------
    criterion : ClassCriterion, PointwiseCriterion or SetCriterion
    scores : Tensor of shape (n_samples, n_members, n_outputs)
    labels, weight : Tensor or None
        What each member is compared with.
    fold : Tensor of int64, shape (n_samples,), or None
        The member that does not train on a row. The mean over the other rows counts as
        that of a whole batch.
    share : Tensor of shape (n_members,) or None
        The number of rows of the batch over that of the other rows, where these are not
        all rows of it.
    importance : Tensor of shape (n_samples, n_members) or None
        The weight of each row for each member, 0 for its fold, where rows are drawn. A
        loss that couples rows takes each that trains as it is.
    """
    n_rows, n_members = scores.shape[:2]
    trains = None
    if fold is not None and importance is None:
        trains = fold != torch.arange(n_members, device=fold.device).unsqueeze(1)
    if not criterion.sums_rows:
        if importance is not None:
            trains = importance.t() > 0
        if trains is None:
            return sum(criterion(one, labels, weight) for one in scores.unbind(1))
        return _sum_of_training(criterion, scores, labels, weight, trains)
    labels = torch.cat([labels] * n_members)
    weight = None if weight is None else torch.cat([weight] * n_members)
    dtype, mask = torch.promote_types(scores.dtype, torch.float32), None
    if importance is not None:
        mask = importance.to(dtype).t().flatten()
    elif trains is not None:
        if share is None:
            share = n_rows / trains.sum(dim=1).clamp(min=1).to(dtype)
        mask = (trains.to(dtype) * share.to(dtype).unsqueeze(1)).flatten()
    if mask is not None:
        if weight is not None:
            mask = weight * (mask if weight.ndim == 1 else mask.unsqueeze(1))
        weight = mask
    return criterion(scores.transpose(0, 1).flatten(0, 1), labels, weight)


def _sum_of_training(criterion, scores, labels, weight, trains):
    """Return the sum of losses that couple rows, of the rows that a member trains on.

    A weight of 0 would leave a row in the ranks or sums that such a loss computes.
    """
    total = scores.new_zeros(())
    for one, own_rows in zip(scores.unbind(1), trains, strict=True):
        rows = torch.nonzero(own_rows).squeeze(1)
        if len(rows):
            own = None if weight is None else weight[rows]
            value = criterion(one[rows], labels[rows], own)
            total = total + value * (len(scores) / len(rows))
    return total


def criterion_of(loss):
    """Return the criterion class that weighs this kind of loss."""
    kinds = {
        PointwiseLoss: PointwiseCriterion,
        SoftmaxLoss: ClassCriterion,
        SetLoss: SetCriterion,
    }
    return next(kinds[base] for base in type(loss).__mro__ if base in kinds)


def check_module(module, module_params):
    """Raise unless the module is a class or function that takes these parameters."""
    if isinstance(module, nn.Module):
        raise TypeError(
            f"module is a {type(module).__name__} instance: pass the class or a "
            "function that builds it, module(n_features, n_outputs, **module_params), "
            "so that every fit starts from new weights."
        )
    if not callable(module):
        raise TypeError(
            f"module={module!r} must be a class or a function that builds a torch "
            "module: module(n_features, n_outputs, **module_params)."
        )
    names, _ = accepted_names(module)
    check_keywords("module", module_params, module, reserved=names[:2])
    if module is MLP:
        check_layer_sizes(module_params.get("hidden_layer_sizes", ()))
        check_choice("activation", module_params.get("activation", "relu"), ACTIVATIONS)
        check_interval("dropout", module_params["dropout"], 0, 1, closed="left")
