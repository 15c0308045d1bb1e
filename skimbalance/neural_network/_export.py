"""A fitted net as one torch module or ONNX graph, from raw inputs to its answers.

Each stage of a prediction is a module of its own: inputs are scaled or encoded, each
member gives raw scores, the inverse of the loss and the calibrator turn them into
log-odds or log-probabilities, members are averaged, and a rule thresholds them.

No stage computes with NumPy or autograd, which an exported program cannot do. A map
from scores to log-odds that is not a line becomes a table of cubics, `_MonotoneTable`:
the formulas of the losses are exact in the tails by functions that ONNX does not have,
such as `log1p`. All but the members computes in float64, as the estimator does.
"""

import contextlib
import copy
import inspect
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.special import logit
from sklearn.utils.validation import check_is_fitted
from torch import nn
from torch.nn.functional import embedding, logsigmoid

import skimbalance
from skimbalance._labels import BINARY, MULTICLASS, MULTILABEL, with_missing
from skimbalance._validation import check_choice
from skimbalance.calibration import LabelCalibrator, PooledCalibrator
from skimbalance.losses import SoftmaxLoss, SoftTargetLoss
from skimbalance.losses._inverse import (
    DECLARED,
    IdentityLink,
    LogOddsLink,
    unsmoothed_log_odds,
    unsmoothed_log_probabilities,
)
from skimbalance.metrics import label_report
from skimbalance.neural_network._checks import check_threshold_for
from skimbalance.neural_network._rows import as_dense
from skimbalance.preprocessing import _CLIP, InputEncoder
from skimbalance.thresholds._rules import (
    Cardinality,
    RowRule,
    ThresholdRule,
    TopK,
    Uncorrected,
)

# Columns of a card that have a meaning where there is a threshold for each label.
_OF_THRESHOLDS = "predicted_observed_ratio", "threshold"
_METHODS = "predict", "predict_proba", "decision_function"
# Intervals that a table starts with: over scores of -20 to 20 each is .6 wide.
_FIRST_INTERVALS = 64
# How often an interval is halved. A kink of the map is then missed by 1e-5 at most.
_MOST_HALVINGS = 14
# The error of a cubic in log-odds, relative beyond 1, up to which no interval is
# halved. That of a probability is a quarter of it.
_TABLE_ERROR = 1e-7
# Places in an interval at which the error is measured and the slope is checked.
_PLACES = torch.linspace(0, 1, 7, dtype=torch.float64)
# Log-odds between which a calibrator of another class is tabulated; probabilities
# beyond are 0 and 1 in float64.
_CALIBRATED_RANGE = 40.0
_TINY = torch.finfo(torch.float64).tiny


class ExportMixin:
    """Give a net the methods that make a torch module or an ONNX file of it."""

    def to_torch(self, response_method="predict_proba") -> nn.Module:
        """Return one torch module from raw inputs to what the estimator predicts.

        It holds copies of all parts: the input stage, the members, the inverse of the
        loss, the calibrator and the thresholds. `torch.export.export` takes it with a
        dynamic number of rows.

        Parameters
        ----------
        response_method : {"predict_proba", "predict", "decision_function"} or tuple \
                of these, default="predict_proba"
            What the module returns; a tuple of tensors for a tuple. ``"predict"`` gives
            the label matrix, or the indices in `classes_` of the predicted classes.

        Returns
        -------
        module : torch.nn.Module
            On the CPU, in evaluation mode. It takes a dense tensor of shape (n_samples,
            n_features); scores and probabilities are of float32 where that is, else of
            float64. A table with categories becomes such a tensor by
            ``category_encoder_.transform(X)``. Products are of the precision of the
            weights, so that with ``precision="bf16"`` or ``"16"`` the probabilities
            are not those of the estimator to more than two or three digits.

        Raises
        ------
        ValueError
            If a method is not known, or the rule or a calibrator is of a class of your
            own whose computation torch cannot repeat.
        """
        check_is_fitted(self)
        return _ServingModule(self, response_method)

    def export_onnx(
        self, path, response_method=("predict", "predict_proba"), *, dtype=None
    ) -> None:
        """Write an ONNX model from raw inputs to what the estimator predicts.

        The input is named ``"X"`` and takes any number of rows; the outputs have the
        names of the methods. The metadata of the model holds `classes_`, the names of
        the labels and of the features, and the categories of each feature, as JSON. A
        category enters as its place in this list, from 1 on, an unknown one as 0, and a
        missing one as the next number. Needs onnx and onnxscript.

        Parameters
        ----------
        path : str or path
            The file to write.
        response_method : str or tuple of str, default=("predict", "predict_proba")
            As in `to_torch`.
        dtype : {"float32", "float64"}, default=None
            The dtype of the inputs, and of probabilities. None is that of the weights
            of the net.

        Raises
        ------
        ValueError
            If a method or the dtype is not known, or a part of the estimator has no
            counterpart in ONNX.
        """
        check_is_fitted(self)
        onnx_program(self, response_method, dtype).save(str(path))

    def save_card(self, path, X, y) -> None:
        """Write a model card in Markdown: labels, thresholds and figures of each.

        Parameters
        ----------
        path : str or path
            The file to write.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows that did not train the net.
        y : {array-like, sparse matrix} of shape (n_samples,) or (n_samples, n_labels)
            Their targets.

        Raises
        ------
        ValueError
            If the rows do not fit the net, or it has no probabilities.
        """
        check_is_fitted(self)
        Path(path).write_text(_card(self, X, y), encoding="utf-8")


def _card(estimator, X, y):
    """Return the text of a model card."""
    output, target = estimator._output, estimator._target
    proba, labels = estimator.predict_proba(X), as_dense(estimator._encode_y(y))
    thresholds = None
    if target.kind == MULTICLASS:
        labels = (labels.reshape(-1, 1) == np.arange(len(target.classes))).astype(int)
    else:
        labels = with_missing(labels)
        thresholds = output.thresholds(estimator._usable_rule())
        if target.kind == BINARY:
            proba = proba[:, [min(target.positive, proba.shape[1] - 1)]]
    shown = 0.5 if thresholds is None else thresholds
    names = output.label_names
    report = label_report(labels, proba, threshold=shown, label_names=names)
    columns = list(report)
    if thresholds is None:  # the labels or classes of a row compete
        columns = [name for name in columns if name not in _OF_THRESHOLDS]
    rows = zip(*(report[name] for name in columns), strict=True)
    cells = [[_cell(value) for value in row] for row in rows]
    table = [columns, ["---"] * len(columns), *cells]
    defaults = inspect.signature(type(estimator).__init__).parameters
    given = {
        key: value
        for key, value in estimator.get_params(deep=False).items()
        if repr(value) != repr(defaults[key].default)
    }
    params = [f"- `{key}`: `{value!r}`" for key, value in given.items()]
    return "\n".join(
        [
            f"# {type(estimator).__name__}",
            "",
            f"{target.kind} target, {len(proba)} rows, {estimator.n_iter_} epochs, "
            f"skimbalance {skimbalance.__version__}. Probabilities are "
            f"{'' if estimator.probabilities_corrected_ else 'not '}corrected for loss "
            "and weights. A ratio of expected to observed positives near 1 stands for "
            "calibrated probabilities.",
            "",
            *(params or ["Default parameters."]),
            "",
            *("| " + " | ".join(row) + " |" for row in table),
            "",
        ]
    )


def _cell(value):
    """Return a name, or a number with three digits, as a cell of a table."""
    if isinstance(value, str):
        return value.replace("|", "\\|")
    return f"{value:.3g}" if isinstance(value, float) else str(value)


@contextlib.contextmanager
def _optional_modules():
    """Name the extra that holds a module, where it is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ImportError(
            f"ONNX models need {error.name}: pip install 'skimbalance[serving]'."
        ) from error


def onnx_program(estimator, response_method, dtype=None) -> Any:
    """Return the ONNX program of a fitted net, as `torch.onnx.export` gives it.

    Parameters
    ----------
    estimator : BaseImbalancedNet
    response_method : str or tuple of str
    dtype : str, torch.dtype or None
        That of the inputs.
    """
    module = _ServingModule(estimator, response_method)
    if not isinstance(dtype, torch.dtype):
        own = str(estimator._dtype).removeprefix("torch.")
        check_choice("dtype", dtype or own, {"float32", "float64"})
        dtype = getattr(torch, dtype or own)
    link = getattr(module.scores, "link", None)
    if isinstance(link, _ClassLink) and not link.has_closed_form:
        raise ValueError(
            f"loss: the inverse of {type(link.loss).__name__} takes derivatives of the "
            "loss, which ONNX cannot compute. Define closed_form_log_posterior, or set "
            "correct_probabilities=False."
        )
    # Two rows: torch.export takes a dimension of 1 for a constant.
    rows = torch.zeros(2, *estimator._input_shape, dtype=dtype)
    with _optional_modules():
        program: Any = torch.onnx.export(
            module,
            (rows,),
            input_names=["X"],
            output_names=list(module.methods),
            dynamic_shapes=({0: torch.export.Dim("n_samples")},),
            dynamo=True,
            verbose=False,
        )
    about = {"classes": np.asarray(estimator.classes_).tolist()}
    encoder = getattr(estimator, "category_encoder_", None)
    if encoder is not None:
        about["categories"] = [
            None if values is None else values.tolist()
            for values in encoder.categories_
        ]
    for name in ("label_names_", "feature_names_in_"):
        if hasattr(estimator, name):
            about[name.rstrip("_")] = list(map(str, getattr(estimator, name)))
    for name, value in about.items():
        program.model.metadata_props[name] = json.dumps(value, default=str)
    return program


class _ServingModule(nn.Module):
    """All stages of a prediction; see `ExportMixin.to_torch`."""

    def __init__(self, estimator, response_method):
        super().__init__()
        if isinstance(estimator._input_shape, dict | list):
            raise ValueError(
                "X of fit was several arrays, but an exported module reads one. The "
                "modules in members_ take the arrays, and give raw scores."
            )
        given = response_method
        self.is_tuple = isinstance(given, tuple | list)
        self.methods = tuple(given) if self.is_tuple else (given,)
        for method in self.methods:
            check_choice("response_method", method, _METHODS)
        output, net = estimator._output, estimator.net_
        for method in self.methods:
            if method != "predict":  # raises where there are no probabilities
                getattr(estimator, method)
        target, self.n_outputs = output.target, output.n_outputs
        # Not the target as a whole: torch 2.6 traces no strings, as classes may be.
        self.kind, self.is_flipped = target.kind, target.is_flipped
        self.has_one_class = target.kind == BINARY and len(target.classes) == 1
        self.dtype = estimator._dtype
        self.reads_integers = net is not None and net.module_.reads_integers
        self.inputs = input_stage(estimator.scaler_)
        members = [] if net is None else net.module_.members()
        self.members = nn.ModuleList(members)
        is_multiclass = target.kind == MULTICLASS
        self.scores = (_ClassScores if is_multiclass else _LabelScores)(output)
        self.decision = None
        if "predict" in self.methods:
            check_threshold_for(estimator, target)
            self.decision = _decision(output, estimator._usable_rule())
        self.cpu().eval().requires_grad_(False)
        for tensor in self.buffers():  # some are views of arrays of the estimator
            tensor.data = tensor.data.clone()

    def forward(self, x):
        wide = torch.float32 if x.dtype == torch.float32 else torch.float64
        raw = self._raw_scores(x)
        scores = self.scores(raw)
        answers = tuple(
            self._predicted(raw, scores)
            if method == "predict"
            else getattr(self, f"_{method}")(scores).to(wide)
            for method in self.methods
        )
        return answers if self.is_tuple else answers[0]

    def _raw_scores(self, x):
        """Return the raw scores, of shape (n_samples, n_members, n_outputs)."""
        if not len(self.members):  # no label had two values
            shape = x.shape[0], 1, self.n_outputs
            return torch.zeros(shape, dtype=torch.float64, device=x.device)
        x = x.to(torch.int64) if self.reads_integers else self.inputs(x).to(self.dtype)
        return torch.stack([member(x) for member in self.members], dim=1)

    def _predict_proba(self, scores):
        if self.kind == MULTICLASS:
            return scores.exp()
        if self.kind == MULTILABEL:
            return scores.sigmoid()
        if self.has_one_class:
            return torch.ones_like(scores)
        scores = self._decision_function(scores).unsqueeze(1)
        # Each column from the log-odds: 1 - p would be 0 where p rounds to 1.
        return torch.cat([-scores, scores], dim=1).sigmoid()

    def _decision_function(self, scores):
        if self.kind != BINARY:
            return scores
        return (-scores if self.is_flipped else scores).squeeze(1)

    def _predicted(self, raw, scores):
        """Return the label matrix, or the indices of the predicted classes."""
        assert self.decision is not None
        predicted = self.decision(raw, scores).to(torch.int64)
        if self.kind != BINARY:
            return predicted
        predicted = predicted.squeeze(1)
        if self.has_one_class:
            return torch.zeros_like(predicted)
        return 1 - predicted if self.is_flipped else predicted


# --------------------------------------------------------------------------
# Inputs


def _buffer(values):
    return nn.Buffer(torch.tensor(np.asarray(values, dtype=np.float64)))


def input_stage(scaler) -> nn.Module:
    """Return what scales or encodes raw inputs, by the fitted input stage."""
    if scaler is None:
        return nn.Identity()
    if not isinstance(scaler, InputEncoder):
        return _Scaled(scaler)
    return _Normalized(scaler) if scaler.center_ is None else _Encoded(scaler)


class _Scaled(nn.Module):
    """The rows as `InputScaler.transform` gives them."""

    def __init__(self, scaler):
        super().__init__()
        center = 0.0 if scaler.center_ is None else scaler.center_
        self.center, self.scale = _buffer(center), _buffer(scaler.scale_)

    def forward(self, x):
        return (x.double() - self.center) / self.scale


class _Normalized(nn.Module):
    """Dense rows as an `InputEncoder` that was fitted on sparse rows gives them."""

    def __init__(self, encoder):
        super().__init__()
        self.scale = _buffer(encoder.scale_)

    def forward(self, x):
        x = x.double() / self.scale
        length = (x * x).sum(dim=1, keepdim=True).sqrt()
        return x * (len(self.scale) ** 0.5 / torch.where(length > 0, length, 1.0))


class _Encoded(nn.Module):
    """The rows as an `InputEncoder` that was fitted on dense rows gives them."""

    def __init__(self, encoder):
        super().__init__()
        self.center = _buffer(encoder.center_)
        self.unit = _buffer(encoder.scale_ * _CLIP)
        self.column = nn.Buffer(torch.as_tensor(encoder._bin_column))
        self.start = _buffer(encoder._bin_start)
        self.width = _buffer(encoder._bin_width)
        masks = ~encoder.is_categorical_, encoder.is_categorical_, encoder.has_missing_
        self.numbers, self.codes, self.incomplete = (
            nn.Buffer(torch.as_tensor(np.flatnonzero(mask))) for mask in masks
        )
        self.mean = _buffer(encoder._bin_mean)

    def forward(self, x):
        x = x.double()
        codes = x.index_select(1, self.codes) if len(self.codes) else None
        x = x if codes is None else x.index_select(1, self.numbers)
        missing = x.isnan()
        x = torch.where(missing, self.center, x)
        unit = ((x - self.center) / self.unit).clamp(-1e8, 1e8)
        parts = [_CLIP * unit / (1 + unit * unit).sqrt()]
        if len(self.column):
            bins = (x.index_select(1, self.column) - self.start) / self.width
            parts.append(bins.clamp(0, 1) - self.mean)
        if len(self.incomplete):
            parts.append(missing.index_select(1, self.incomplete).double())
        if codes is not None:
            parts.append(codes)
        return torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]


# --------------------------------------------------------------------------
# Scores


class _Line(nn.Module):
    """A slope and an intercept, each for all columns or one for each of them."""

    def __init__(self, slope=1.0, intercept=0.0):
        super().__init__()
        self.slope, self.intercept = _buffer(slope), _buffer(intercept)

    def forward(self, scores):
        return self.slope * scores + self.intercept


class _Scores(nn.Module):
    """Base: from raw scores of members to log-odds or log-probabilities of the mean.

    Parameters
    ----------
    output : LabelOutput or ClassOutput
    """

    calibration: nn.Module

    def __init__(self, output):
        super().__init__()
        self.corrects, self.smoothing = bool(output.correct), output.smoothing
        self.prior = _buffer(output.training_prior)
        self.floor = _buffer(output._floor)
        # With folds the calibrator maps scores of single members, else of their mean.
        self.calibrates_members = output.has_learnt is not None
        share = 1.0 if output.has_learnt is None else output.has_learnt
        self.share = _buffer(share)
        # By how much drawn or resampled rows move the log-odds of each output.
        rates = 0.0 if output.log_rates is None else output.log_rates
        self.log_rates = _buffer(rates)

    def forward(self, raw):
        raw = raw.double()
        n_members = raw.shape[1]
        scores = self.corrected(raw)
        if self.calibrates_members:
            return self.pooled(self.calibration(scores))
        scores = scores.squeeze(1) if n_members == 1 else self.pooled(scores)
        return self.calibration(scores)

    def corrected(self, raw) -> torch.Tensor:
        """Return the scores of each member without the distortion of the training."""
        raise NotImplementedError

    def pooled(self, scores) -> torch.Tensor:
        """Return the score of the mean probability of the members."""
        raise NotImplementedError


def _log_sum(logs):
    """Return the logarithm of a sum over members, however small its terms are."""
    largest = logs.amax(dim=1, keepdim=True)
    return (logs - largest).exp().sum(dim=1).log() + largest.squeeze(1)


class _OfSome(nn.Module):
    """The calibration of some labels; the log-odds of the others stay as they are."""

    def __init__(self, calibration, calibrated):
        super().__init__()
        self.calibration = calibration
        self.calibrated = nn.Buffer(torch.as_tensor(calibrated))

    def forward(self, log_odds):
        return torch.where(self.calibrated, self.calibration(log_odds), log_odds)


class _LabelScores(_Scores):
    """The log-odds of labels, as `LabelOutput.scores` gives them."""

    def __init__(self, output):
        super().__init__(output)
        self.link = _label_link(output.link) if self.corrects else nn.Identity()
        self.calibration = _label_calibration(output.calibrator, output.n_outputs)
        if not output.calibrated.all():
            self.calibration = _OfSome(self.calibration, output.calibrated)
        self.trained = nn.Buffer(torch.as_tensor(output.trained))
        self.constant = _buffer(output.constant)

    def forward(self, raw):
        return torch.where(self.trained, super().forward(raw), self.constant)

    def corrected(self, raw):
        if not self.corrects:
            return raw
        scores = self.link(raw)
        if self.smoothing:
            given = self.prior, self.smoothing, self.floor
            scores = unsmoothed_log_odds(scores, *given)
        return scores - self.log_rates

    def pooled(self, scores):
        """Return the log-odds of the mean probability over the members that count."""
        yes, no = (
            _log_sum(logsigmoid(sign * scores) + self.share.log()) for sign in (1, -1)
        )
        return yes - no


class _ClassScores(_Scores):
    """The log-probabilities of classes, as `ClassOutput.scores` gives them."""

    def __init__(self, output):
        super().__init__(output)
        self.link = _ClassLink(output.link, output.loss)
        calibrator = output.calibrator
        self.calibration: nn.Module = nn.Identity()
        if calibrator is not None:
            line = _Line(calibrator.slope_, calibrator.intercept_)
            self.calibration = nn.Sequential(line, nn.LogSoftmax(dim=-1))

    def corrected(self, raw):
        if not self.corrects:
            return raw.log_softmax(dim=-1)
        # The formulas of the losses take rows of scores.
        n_members = raw.shape[1]
        return torch.stack([self._of_member(raw[:, k]) for k in range(n_members)], 1)

    def _of_member(self, raw):
        log_p = self.link(raw)
        if self.smoothing:
            given = self.prior, self.smoothing, self.floor[0]
            log_p = unsmoothed_log_probabilities(log_p, *given)
        return (log_p - self.log_rates).log_softmax(dim=-1)

    def pooled(self, scores):
        """Return the log of the members' mean probability."""
        return _log_sum(scores) - math.log(scores.shape[1])


class _ClassLink(nn.Module):
    """A `SoftmaxLink` whose function belongs to a loss that is a part of the module."""

    def __init__(self, link, loss):
        super().__init__()
        self.is_softmax = link.problem not in (None, DECLARED)
        self.shift = _buffer(link.shift)
        self.loss: Any = copy.deepcopy(loss)
        inverse = None
        if isinstance(loss, SoftTargetLoss) and loss.target_matrix is not None:
            # ONNX solves no linear systems.
            inverse = _buffer(np.linalg.inv(np.asarray(loss.target_matrix)))
        self.inverse = inverse

    @property
    def has_closed_form(self):
        """Whether no derivative of the loss is computed."""
        general = SoftmaxLoss.closed_form_log_posterior
        stated = type(self.loss).closed_form_log_posterior
        return self.is_softmax or stated is not general

    def forward(self, scores):
        if self.is_softmax:
            return scores.log_softmax(dim=1)
        if self.inverse is None:
            log_p = self.loss.closed_form_log_posterior(scores)
        else:
            p = scores.softmax(dim=1)
            least = (self.loss._floor().to(p) * p).clamp(min=_TINY)
            log_p = torch.maximum(p @ self.inverse, least).log()
        return (log_p - self.shift).log_softmax(dim=1)


# --------------------------------------------------------------------------
# Tables


def _label_link(link) -> nn.Module:
    """Return the map from raw scores to log-odds, which is a table unless a line."""
    if isinstance(link, IdentityLink):
        return nn.Identity()
    if link.is_identity:
        return _Line(intercept=-link.shift.numpy())
    return _LinkTable(link)


class _LinkTable(nn.Module):
    """A `LogOddsLink`: a table between its ends, lines beyond them.

    Parameters
    ----------
    link : LogOddsLink
    """

    def __init__(self, link: LogOddsLink):
        super().__init__()
        low, high = link.ends
        self.low, self.high = nn.Buffer(low), nn.Buffer(high)
        self.slopes, self.shift = nn.Buffer(link._slopes), nn.Buffer(link.shift)
        width = (high - low).clamp(min=_TINY)
        self.width = nn.Buffer(width)
        # Columns share the ends of the intervals, relative to their own two ends.
        self.table = _tabulated(lambda u: link.function(low + u * width), len(low))

    def forward(self, scores):
        inner = torch.minimum(torch.maximum(scores, self.low), self.high)
        slope = torch.where(scores < inner, self.slopes[0], self.slopes[1])
        value = self.table((inner - self.low) / self.width)
        return value + slope * (scores - inner) - self.shift


class _MonotoneTable(nn.Module):
    """A piecewise cubic of scores, by column.

    Parameters
    ----------
    knots : Tensor of float64, shape (n_intervals,) or (n_columns, n_intervals)
        Where the intervals start, in ascending order.
    cubics : Tensor of float64, shape (n_intervals, n_columns, 4)
        Coefficients of the powers of the distance to that start.
    """

    def __init__(self, knots, cubics):
        super().__init__()
        knots = torch.atleast_2d(knots)
        n_tables, n_intervals = knots.shape
        # A power of two, so that a search by halves needs no bounds.
        size = 2 ** (n_intervals - 1).bit_length()
        padded = torch.full((n_tables, size), torch.inf, dtype=torch.float64)
        padded[:, :n_intervals] = knots
        self.size, self.n_columns = size, cubics.shape[1]
        self.knots = nn.Buffer(padded.flatten())
        self.first = nn.Buffer(size * torch.arange(n_tables))
        self.cubics = nn.Buffer(cubics.flatten(0, 1).contiguous())
        self.column = nn.Buffer(torch.arange(self.n_columns))

    def forward(self, scores):
        # `searchsorted` has no counterpart in ONNX.
        index = torch.zeros_like(scores, dtype=torch.int64) + self.first
        step = self.size // 2
        while step:
            further = index + step
            index = torch.where(self.knots[further] <= scores, further, index)
            step //= 2
        apart = scores - self.knots[index]
        place = (index - self.first) * self.n_columns + self.column
        a, b, c, d = embedding(place, self.cubics).unbind(-1)
        return ((d * apart + c) * apart + b) * apart + a


def _tabulated(function, n_columns):
    """Return a table of an increasing function on the unit interval.

    An interval is halved until its cubic is right and increases in all columns. What is
    left after `_MOST_HALVINGS` contains a kink or a jump, and becomes a line.

    Parameters
    ----------
    function : callable
        Elementwise, or by column, on float64 tensors of shape (n, n_columns).
    n_columns : int
    """
    start = torch.arange(_FIRST_INTERVALS, dtype=torch.float64) / _FIRST_INTERVALS
    width, knots, cubics = 1 / _FIRST_INTERVALS, [], []
    for halving in range(_MOST_HALVINGS + 1):
        u = (start.unsqueeze(1) + width * _PLACES).reshape(-1, 1).clamp(max=1.0)
        values = function(u.expand(-1, n_columns).contiguous())
        values = values.reshape(len(start), len(_PLACES), n_columns)
        fitted, is_right = _fitted_cubics(values, width)
        if halving == _MOST_HALVINGS:
            line = (values[:, -1] - values[:, 0]) / width
            zero = torch.zeros_like(line)
            line = torch.stack([values[:, 0], line, zero, zero], dim=-1)
            fitted[~is_right] = line[~is_right]
            is_right[:] = True
        knots.append(start[is_right])
        cubics.append(fitted[is_right])
        left, width = start[~is_right], width / 2
        start = torch.stack([left, left + width], dim=1).flatten()
        if not len(start):
            break
    found, order = torch.cat(knots).sort()
    return _MonotoneTable(found, torch.cat(cubics)[order])


def _fitted_cubics(values, width):
    """Return the cubics through every second value, and where they are right.

    Parameters
    ----------
    values : Tensor of float64, shape (n_intervals, 7, n_columns)
        At evenly spaced places.
    width : float
        Of an interval.

    Returns
    -------
    cubics : Tensor of shape (n_intervals, n_columns, 4)
    is_right : Tensor of bool, shape (n_intervals,)
    """
    powers = torch.arange(4, dtype=torch.float64)
    vandermonde = _PLACES.unsqueeze(1) ** powers
    through = torch.linalg.inv(vandermonde[::2])
    cubics = torch.einsum("pi,nik->nkp", through, values[:, ::2])
    found = torch.einsum("ip,nkp->nik", vandermonde, cubics)
    error = (found - values).abs() / values.abs().clamp(min=1)
    slopes = powers[1:] * _PLACES.unsqueeze(1) ** powers[:-1]
    rises = torch.einsum("ip,nkp->nik", slopes, cubics[..., 1:]) >= 0
    is_right = (error <= _TABLE_ERROR).all(dim=1) & rises.all(dim=1)
    return cubics / width**powers, is_right.all(dim=1)


# --------------------------------------------------------------------------
# Calibration


def _label_calibration(calibrator, n_outputs) -> nn.Module:
    """Return what maps log-odds as `transform` of a fitted calibrator does."""
    if calibrator is None:
        return nn.Identity()
    if isinstance(calibrator, PooledCalibrator):
        return _Line(calibrator.slope_, calibrator.intercept_)
    if type(calibrator).map is not LabelCalibrator.map:
        return _CalibratorTable(calibrator, n_outputs)
    if calibrator.method == "isotonic":
        return _Steps(calibrator)
    slopes = np.exp(calibrator.parameters_[:, :-1])
    intercept = calibrator.parameters_[:, -1] + calibrator.intercept_
    if calibrator.method == "beta":
        return _Beta(slopes, intercept)
    return _Line(slopes[:, 0], intercept)


class _Beta(nn.Module):
    """Beta calibration: slopes of log p and of -log(1 - p)."""

    def __init__(self, slopes, intercept):
        super().__init__()
        self.slopes, self.intercept = _buffer(slopes.T), _buffer(intercept)

    def forward(self, scores):
        # Not softplus: onnxruntime lacks it in float64.
        both = logsigmoid(scores), -logsigmoid(-scores)
        return self.slopes[0] * both[0] + self.slopes[1] * both[1] + self.intercept


class _Steps(nn.Module):
    """Isotonic regressions by label, drawn to the sigmoid that all labels share."""

    def __init__(self, calibrator):
        super().__init__()
        fitted = calibrator.parameters_
        self.sigmoid = _Line(np.exp(calibrator.pooled_[0]), calibrator.pooled_[1])
        self.own = _buffer([0.0 if label is None else label[1] for label in fitted])
        self.intercept = _buffer(calibrator.intercept_)
        knots, lines = zip(*map(_lines_of_steps, fitted), strict=True)
        self.last = _buffer([each[-1] for each in knots])
        self.first = _buffer([each[0] for each in knots])
        size = max(map(len, knots))
        starts = torch.full((len(knots), size), torch.inf, dtype=torch.float64)
        cubics = torch.zeros(size, len(knots), 4, dtype=torch.float64)
        for k, (start, line) in enumerate(zip(knots, lines, strict=True)):
            starts[k, : len(start)] = torch.as_tensor(start)
            cubics[: len(start), k, :2] = torch.as_tensor(line)
        self.steps = _MonotoneTable(starts, cubics)

    def forward(self, scores):
        inner = torch.minimum(torch.maximum(scores, self.first), self.last)
        common = self.sigmoid(scores).sigmoid()
        proba = self.own * self.steps(inner) + (1 - self.own) * common
        # The logit of 40, the bound of `LabelCalibrator`; 1 - p has no such p.
        log_odds = proba.clamp(min=_TINY).log() - (1 - proba).clamp(min=_TINY).log()
        return log_odds.clamp(-_CALIBRATED_RANGE, _CALIBRATED_RANGE) + self.intercept


def _lines_of_steps(fitted):
    """Return where the lines of an isotonic regression start, value and slope there."""
    if fitted is None:
        return np.zeros(1), np.zeros((1, 2))
    x = np.asarray(fitted[0].X_thresholds_, dtype=np.float64)
    y = np.asarray(fitted[0].y_thresholds_, dtype=np.float64)
    slopes = np.append(np.diff(y) / np.diff(x), 0.0)
    return x, np.stack([y, slopes], axis=1)


class _CalibratorTable(nn.Module):
    """A calibrator of a class of the user, whose `map` computes with NumPy."""

    def __init__(self, calibrator, n_outputs):
        super().__init__()
        width = 2 * _CALIBRATED_RANGE

        def mapped(u):
            log_odds = (u * width - _CALIBRATED_RANGE).numpy()
            return torch.as_tensor(np.asarray(calibrator.transform(log_odds)))

        self.table = _tabulated(mapped, n_outputs)
        self.width = width

    def forward(self, scores):
        inner = scores.clamp(-_CALIBRATED_RANGE, _CALIBRATED_RANGE)
        return self.table(inner / self.width + 0.5)


# --------------------------------------------------------------------------
# Decisions


def _decision(output, rule) -> nn.Module:
    """Return what predicts by a rule, from raw scores and from scores."""
    if output.target.kind == MULTICLASS:
        return _LargestScore(isinstance(rule, Uncorrected))
    if type(rule).predict is ThresholdRule.predict:
        return _Thresholds(logit(output.thresholds(rule).clip(0, 1)))
    known = (TopK, Cardinality)
    if type(rule).predict is RowRule.predict and isinstance(rule, known):
        return _MostProbable(rule.k if isinstance(rule, TopK) else None)
    raise ValueError(
        f"threshold={rule!r} predicts by a method of its own, which torch cannot "
        "repeat. Export response_method='predict_proba', and predict by the rule."
    )


class _LargestScore(nn.Module):
    """The class of the largest score."""

    def __init__(self, of_raw):
        super().__init__()
        self.of_raw = of_raw

    def forward(self, raw, scores):
        return (raw.mean(dim=1) if self.of_raw else scores).argmax(dim=1)


class _Thresholds(nn.Module):
    """The labels whose log-odds are above a threshold."""

    def __init__(self, thresholds):
        super().__init__()
        self.thresholds = _buffer(thresholds)

    def forward(self, raw, scores):  # noqa: ARG002
        return scores > self.thresholds


class _MostProbable(nn.Module):
    """The most probable labels of each row, `k` or as many as are expected."""

    def __init__(self, k):
        super().__init__()
        self.k = k

    def forward(self, raw, scores):  # noqa: ARG002
        proba = scores.sigmoid()
        # Of equal labels the first is first, in torch on the CPU and in ONNX's TopK;
        # the overload that promises it has no counterpart in ONNX.
        order = proba.sort(dim=1, descending=True).indices
        # The rank of each label: the inverse of the order.
        rank = order.sort(dim=1).indices
        if self.k is not None:
            return rank < self.k
        return rank < proba.sum(dim=1, keepdim=True).round()


# --------------------------------------------------------------------------
# skl2onnx


def register_onnx_converter() -> None:
    """Let skl2onnx convert a pipeline or a search that contains a net.

    It registers the two estimators with skl2onnx, once in a process. The converted
    model has the outputs ``label``, the predicted classes or the label matrix, and
    ``probabilities``. Needs skl2onnx, onnx and onnxscript.

    Examples
    --------
    >>> from skimbalance.neural_network import register_onnx_converter
    >>> register_onnx_converter()  # doctest: +SKIP
    >>> from skl2onnx import to_onnx  # doctest: +SKIP
    >>> model = to_onnx(pipeline, X[:1])  # doctest: +SKIP
    """
    with _optional_modules():
        from skl2onnx import (  # pyright: ignore[reportMissingImports]
            update_registered_converter,
        )

    from skimbalance.neural_network import _estimators

    for name in ("ImbalancedMLPClassifier", "ImbalancedNetClassifier"):
        update_registered_converter(
            getattr(_estimators, name),
            f"Skimbalance{name}",
            _set_onnx_shapes,
            _convert_to_onnx,
            parser=_declare_onnx_outputs,
            # Users turn this off for each classifier of scikit-learn.
            options={"zipmap": [False]},
        )


def _declare_onnx_outputs(scope, model, inputs, custom_parsers=None):  # noqa: ARG001
    """Declare the operator of a net and its two outputs."""
    from skl2onnx.common import (  # pyright: ignore[reportMissingImports]
        data_types as types,
    )

    operator = scope.declare_local_operator(f"Skimbalance{type(model).__name__}", model)
    operator.inputs.extend(inputs)
    kinds = types.Int64TensorType, types.FloatTensorType
    for name, kind in zip(("label", "probabilities"), kinds, strict=True):
        operator.outputs.append(scope.declare_local_variable(name, kind()))
    return operator.outputs


def _set_onnx_shapes(operator):
    """Set the types and the shapes of both outputs."""
    from skl2onnx.common import (  # pyright: ignore[reportMissingImports]
        data_types as types,
    )

    model = operator.raw_operator
    n_columns, is_multilabel = len(model.classes_), model._target.kind == MULTILABEL
    label, proba = operator.outputs
    is_text = model.classes_.dtype.kind in "OSU"
    kind = types.StringTensorType if is_text else types.Int64TensorType
    label.type = kind([None, n_columns] if is_multilabel else [None])
    is_single = isinstance(operator.inputs[0].type, types.FloatTensorType)
    kind = types.FloatTensorType if is_single else types.DoubleTensorType
    proba.type = kind([None, n_columns])


def _convert_to_onnx(scope, operator, container):
    """Add the graph of a net to that of a pipeline."""
    import onnx  # pyright: ignore[reportMissingImports]

    model, label, proba = operator.raw_operator, *operator.outputs
    if getattr(model, "category_encoder_", None) is not None:
        raise ValueError(
            "categorical_features: skl2onnx has no counterpart of CategoryEncoder. "
            "Write the net by export_onnx, whose input is category_encoder_.transform("
            "X), or encode the categories by OneHotEncoder in the pipeline."
        )
    kind = type(operator.inputs[0].type).__name__
    # Integers and booleans are read as float64, as by the estimator.
    dtype = torch.float32 if kind == "FloatTensorType" else torch.float64
    program = onnx_program(model, ("predict", "predict_proba"), dtype)
    prefix = scope.get_unique_operator_name("net") + "_"
    graph = onnx.compose.add_prefix(program.model_proto, prefix).graph
    names = [variable.full_name for variable in operator.inputs]
    joined = names[0]
    if len(names) > 1:
        joined = scope.get_unique_variable_name("joined")
        container.add_node("Concat", names, joined, axis=1, op_version=13)
    enum = onnx.TensorProto.FLOAT if dtype is torch.float32 else onnx.TensorProto.DOUBLE
    container.add_node("Cast", joined, graph.input[0].name, to=enum, op_version=13)
    container.nodes.extend(graph.node)
    container.initializers.extend(graph.initializer)
    for opset in program.model_proto.opset_import:
        container.node_domain_version_pair_sets.add((opset.domain, opset.version))
    predicted, answers = (output.name for output in graph.output)
    container.add_node("Identity", answers, proba.full_name, op_version=13)
    classes = np.asarray(model.classes_)
    if classes.ndim == 2:
        container.add_node("Identity", predicted, label.full_name, op_version=13)
        return
    is_text = classes.dtype.kind in "OSU"
    enum = onnx.TensorProto.STRING if is_text else onnx.TensorProto.INT64
    values = [str(c).encode() for c in classes] if is_text else classes.astype(int)
    table = scope.get_unique_variable_name("classes")
    container.add_initializer(table, enum, [len(classes)], list(values))
    container.add_node("Gather", [table, predicted], label.full_name, op_version=13)
