"""What the raw scores of the net mean: log-odds, probabilities and predictions.

An output model knows the target. It weighs the loss, says where the bias starts,
removes the distortion of loss and weights from the scores, and compares with
thresholds. `LabelOutput` reads each score as a label of its own, `ClassOutput` the
scores of a row together.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from scipy.special import expit, log_expit, log_softmax, logit, logsumexp, softmax
from sklearn.base import BaseEstimator, clone

from skimbalance._columns import one_in, ratio
from skimbalance._labels import BINARY, MULTICLASS, MULTILABEL, has_missing
from skimbalance._log_odds import (
    blocks_of_rows,
    both_classes,
    inside_unit_interval,
    prevalence_of_counts,
    smoothed_prevalence,
    target_mean_probability,
)
from skimbalance._validation import check_choice, check_per_label
from skimbalance.calibration import (
    BaseCalibrator,
    LabelCalibrator,
    PooledCalibrator,
    TemperatureCalibrator,
)
from skimbalance.calibration._calibrators import ShrunkClassCalibrator
from skimbalance.losses import SetLoss, TwoWayLoss
from skimbalance.losses._inverse import (
    unsmoothed_log_odds,
    unsmoothed_log_probabilities,
)
from skimbalance.losses._resolve import check_loss, resolve_loss
from skimbalance.neural_network._rows import (
    decode_labels,
)
from skimbalance.thresholds._rules import (
    ThresholdRule,
    Uncorrected,
    is_same_rule,
)
from skimbalance.thresholds._summary import ScoreSummary
from skimbalance.weights import (
    LABEL_WEIGHT_SCHEMES,
    UNDEFINED_RATIO,
    WEIGHT_SCHEMES,
    PosWeightTransformer,
    _check_weight_by_class,
    compute_label_weight,
)

# What to do about weights that are not positive and finite.
_OUTSIDE = {
    "pos_weight": UNDEFINED_RATIO,
    "label_weight": " To leave a label out, leave its column out of y.",
}
_SCHEMES = {"pos_weight": WEIGHT_SCHEMES, "label_weight": LABEL_WEIGHT_SCHEMES}
# The log-odds of 6 in a million, a choice: the log loss of an entry that agrees with a
# bias beyond it has a gradient below 1e-5.
_BIAS_LIMIT = 12.0
# The least probability that smoothing leaves where the rows have not been counted.
_UNSEEN_FLOOR = 5e-7
# Entries that slope and intercept are fitted on: two numbers need no more.
_SLOPE_ENTRIES = 2**20
# Log-odds beyond this are rounding of float32 probabilities, 6e-8 next to 1: a score of
# 100 for a single wrong entry would flatten the slope for all others.
_MOST_LOG_ODDS = 15.0
# Part of the spread of single scores that the mean keeps in any case.
_LEAST_SPREAD = 0.5
# Keeps a ratio of variances finite where all scores are equal.
_LEAST_VARIANCE = 1e-12


class OutputParams(NamedTuple):
    """The parameters that an output model is made from, checked with the target.

    Attributes
    ----------
    loss : Loss
        As the user gave it, or made from its name.
    pos_weight, label_weight : None, str, PosWeightTransformer or ndarray
        A scheme, or a weight for each output.
    init_bias : "prior" or ndarray
        Where the output bias starts.
    correct : bool, "exact" or calibrator
        Which stages remove the distortion; a calibrator takes the place of the default.
    smoothing : float
        The fraction of the base rates in the targets.
    """

    loss: Any
    pos_weight: Any
    label_weight: Any
    init_bias: Any
    correct: Any
    smoothing: float


def resolve_output_params(estimator, target):
    """Return the parameters that an output model is made from, checked.

    Parameters
    ----------
    estimator : BaseImbalancedNet
    target : Target

    Raises
    ------
    ValueError
        If one makes no sense for the target.
    """
    loss = resolve_loss(estimator.loss, estimator.loss_params, target.kind)
    check_loss(loss, target.n_outputs, estimator.label_smoothing)
    pos_weight = _resolve_weight("pos_weight", estimator.pos_weight, target)
    label_weight = _resolve_weight("label_weight", estimator.label_weight, target)
    if isinstance(loss, TwoWayLoss) and label_weight is not None:
        raise ValueError(
            "label_weight has no meaning for TwoWayLoss, which compares the labels of "
            "a row with each other. Leave it None."
        )
    if target.kind == MULTICLASS and label_weight is not None:
        raise ValueError(
            "label_weight goes with a label matrix; weigh the classes of a 1-D y "
            "by class_weight or pos_weight."
        )
    return OutputParams(
        loss,
        pos_weight,
        label_weight,
        _resolve_bias(estimator.init_bias, target),
        as_switch(estimator.correct_probabilities),
        estimator.label_smoothing,
    )


def as_switch(value):
    """Return a bool for 0 and 1; a string or an object is left as it is."""
    return value if isinstance(value, str | BaseEstimator) else bool(value)


def _resolve_weight(name, weight, target):
    """Return `pos_weight` or `label_weight` without names: a scheme, or an array."""
    if weight is None or isinstance(weight, PosWeightTransformer):
        return weight
    if isinstance(weight, str):
        check_choice(name, weight, _SCHEMES[name])
        return weight
    if name == "pos_weight":
        _check_weight_by_class(weight, target)
    return _as_outputs(name, weight, target, positive=True)


def _resolve_bias(init_bias, target):
    """Return `init_bias` as "prior", or as an array with a number for each output."""
    # "prior" stays a string: the base rates are known only with the training part.
    if isinstance(init_bias, str):
        check_choice("init_bias", init_bias, {"prior", "zero"})
        return "prior" if init_bias == "prior" else np.zeros(target.n_outputs)
    return _as_outputs("init_bias", init_bias, target)


def _as_outputs(name, value, target, positive=False):
    """Return a number, or a number for each output, as an array of float64.

    Parameters
    ----------
    name : str
        Name of the parameter.
    value : float, array-like of shape (n_outputs,), dict, Series or data frame
    target : Target
        Names the outputs: the columns of a label frame, the classes of a multiclass
        target, the positive class of a binary one.
    positive : bool, default=False
        Whether all must be greater than 0.

    Returns
    -------
    ndarray of shape (n_outputs,)

    Raises
    ------
    ValueError
        If the value is no number, not finite, or of another shape.
    """
    return check_per_label(
        name,
        value,
        target.n_outputs,
        names=target.output_names,
        low=0 if positive else -np.inf,
        closed="neither",
        hint_outside=_OUTSIDE.get(name, "") if positive else "",
    )


def _fit_weight(weight, counts):
    """Return the weights of the outputs; a transformer computes them from counts."""
    if isinstance(weight, PosWeightTransformer):
        fitted: Any = clone(weight)
        return fitted.fit(label_counts=counts).pos_weight_
    return weight


class _Output:
    """Base: a copy of the loss, its weights, and the correction of their distortion.

    Parameters
    ----------
    params : OutputParams
        Never changed.
    data : TrainingData
        Its target and its counts are read.
    """

    if TYPE_CHECKING:
        # Attributes and methods of the two subclasses, for type checkers.
        trained: np.ndarray

        def __getattr__(self, name: str) -> Any: ...

    def __init__(self, params, data):
        loss: Any
        loss, pos_weight, label_weight = params[:3]
        if pos_weight is not None and isinstance(loss, SetLoss):
            raise ValueError(
                f"pos_weight has no meaning for {type(loss).__name__}, which takes the "
                "labels of a row together. Leave it None."
            )
        if isinstance(params.correct, BaseEstimator):
            self._check_calibrator(params.correct)
        # Without the labels, which a pickle of the estimator would carry along.
        self.target = replace(data.target, values=None)
        self.n_outputs = n_outputs = data.target.n_outputs
        self.correct, self.smoothing = params.correct, params.smoothing
        # Of the rows that the probabilities are matched to; NaN for an output that they
        # do not tell of.
        self.matched_prior: Any = np.full(n_outputs, np.nan)
        self.init_bias = params.init_bias
        self.calibrator: Any = None
        # Of held-out scores, and the rule of `fit` with the thresholds learnt from it.
        self.summary: ScoreSummary | None = None
        self.learnt: Any = None
        # With folds: which members have seen both values of each output in training.
        self.has_learnt: Any = None
        # By how much resampling or drawing moves the log-odds of each output.
        self.log_rates: Any = None
        # `setup` stores the label counts in the loss: that of the user stays as it is.
        self.loss: Any = clone(loss)
        counts = data.counts
        if counts is None:
            self.training_prior = self._unknown_prior(n_outputs)
            # Not read: `check_first_chunk` refuses weights that depend on the counts.
            weighted = counts = (np.empty(n_outputs),) * 2
            self._floor = np.full(n_outputs, _UNSEEN_FLOOR)
        else:
            self.loss.setup(*counts)
            self.training_prior = self._prior(counts)
            weighted = self._weight_counts(counts)
            # The least probability that the counted rows can tell from 0.
            self._floor = 0.5 / (counts[0] + counts[1] + 1)
        if isinstance(pos_weight, str):
            pos_weight = PosWeightTransformer(pos_weight)
        self.pos_weight = _fit_weight(pos_weight, weighted)
        self.find_link()
        if isinstance(label_weight, str):
            label_weight = compute_label_weight(
                scheme=label_weight, label_counts=counts
            )
        self.label_weight = _fit_weight(label_weight, counts)
        self._start_counts(data.all_counts, data.counts_all_chunks)

    @property
    def label_names(self):
        """The names of the outputs, or None where `y` has none."""
        return self.target.output_names

    @property
    def prior(self):
        """The base rates that the probabilities have.

        Those of the rows that train, or that the probabilities are matched to.
        """
        matched = self.matched_prior
        return np.where(np.isnan(matched), self.training_prior, matched)

    def prior_of(self, counts):
        """Return the base rates of counted rows; NaN where an output is not trained."""
        return np.where(self.trained, self._prior(counts), np.nan)

    def find_link(self):
        """Get the checked map from scores to log-odds of the loss."""
        self.link = self.loss.link(self._distorting_weight, n_outputs=self.n_outputs)
        self.invertible = self.link.problem is None

    def update_loss(self, loss):
        """Copy the parameters of the loss that is trained, and find its link anew."""
        if any(True for _ in loss.parameters()):
            self.loss.load_state_dict(loss.state_dict())
            self.find_link()

    @property
    def _distorting_weight(self):
        return 1.0 if self.pos_weight is None else self.pos_weight

    def initial_bias(self):
        """Return where the output bias starts: where the loss predicts the base rates.

        A number of the user for each output comes before that.
        """
        if not isinstance(self.init_bias, str):
            return self.init_bias
        drawn = self.log_rates is not None
        prior = self._drawn_prior() if drawn else self.training_prior
        scores = self.link.initial_scores(torch.as_tensor(prior))
        return scores.clamp(-_BIAS_LIMIT, _BIAS_LIMIT).numpy()

    def start_bias(self, module, outputs):
        """Start the bias anew of outputs of a trained net that have not been trained.

        Parameters
        ----------
        module : ScoreModule
        outputs : ndarray of bool, shape (n_outputs,)
        """
        if outputs.any():
            bias = module.bias.data
            bias[..., outputs] = torch.as_tensor(self.initial_bias()).to(bias)[outputs]

    @property
    def is_corrected(self):
        """Whether the probabilities are free of distortion: removed, or never there."""
        return self.has_probabilities if self.correct else not self._distorts

    @property
    def corrects(self):
        """Whether the inverse of the loss removes a distortion from the scores."""
        return bool(self.correct) and self.invertible and self._distorts

    @property
    def _distorts(self):
        # `label_weight` is missing here: it scales the loss of a label as a whole.
        weighs = self.pos_weight is not None or bool(self.smoothing)
        weighs = weighs or self.log_rates is not None
        return weighs or not self.link.is_identity

    @property
    def has_probabilities(self):
        """Whether scores can be turned into probabilities, or are to stay as they are.

        A loss without an inverse needs held-out rows to be calibrated on.
        """
        corrected = self.invertible or self.calibrator is not None
        return corrected or not self.correct or not self.trained.any()

    def scores(self, raw):
        """Return the log-odds, or log-probabilities, of raw scores.

        Parameters
        ----------
        raw : Tensor of shape (n_samples, n_outputs)
            As the net gave them. With members, of shape (n_samples, n_members,
            n_outputs): their probabilities are averaged.

        Returns
        -------
        ndarray of float64, shape (n_samples, n_outputs)
        """
        raw = raw.double()
        if self.has_learnt is not None and raw.ndim == 3:
            # Calibrated one by one: the calibrator is fitted on scores of single ones.
            members = [self._calibrated(self._corrected(m)) for m in raw.unbind(1)]
            return self._pool(members, self.has_learnt)
        return self._calibrated(self._averaged(raw))

    @property
    def has_corrections(self):
        """Whether a calibration or thresholds were learnt from held-out rows."""
        return self.calibrator is not None or self.summary is not None

    def keep_corrections(self, previous):
        """Take over the calibration and the thresholds of an earlier fit."""
        self.calibrator = previous.calibrator
        self.matched_prior = previous.matched_prior
        self.summary, self.learnt = previous.summary, previous.learnt

    def _calibrated(self, scores):
        return scores if self.calibrator is None else self.calibrator.transform(scores)

    def class_probabilities(self, raw):
        """Return a column for each class, or for each label of a label matrix."""
        scores = self.scores(raw)
        if self.target.kind == BINARY:
            return both_classes(scores, self.target)
        return self.probabilities(scores)

    def class_log_probabilities(self, raw):
        """Return log-probabilities, finite where a probability is too small."""
        scores = self.scores(raw)
        if self.target.kind == BINARY:
            return both_classes(scores, self.target, log=True)
        return log_expit(scores) if self.target.kind == MULTILABEL else scores

    def predict(self, raw, rule, thresholds, dtype=np.float64):
        """Return the classes that a rule predicts, or the labels of a label matrix.

        Parameters
        ----------
        raw : Tensor
            Raw scores.
        rule : ThresholdRule
        thresholds : ndarray of shape (n_outputs,) or None
            From `thresholds`, which may learn them: once for all rows.
        dtype : type
            That of `predict_proba`, whose rounding decides ties with a threshold.
        """
        predicted = self._predict(raw, rule, thresholds, dtype)
        if self.target.kind == MULTILABEL:
            return predicted
        return decode_labels(self.target, predicted.astype(np.int64, copy=False))

    def _smoothing_params(self):
        if not self.smoothing:
            return {}
        return {"smoothing": self.smoothing, "prior": self.training_prior}

    def _averaged(self, raw):
        if raw.ndim == 2:
            return self._corrected(raw)
        members = [self._corrected(member) for member in raw.unbind(1)]
        return self._pool(members, self.has_learnt)

    def calibrate_members(self, raw, values, weight, member, counts):
        """Fit a calibrator that is right for the mean of the members' probabilities.

        One slope and one intercept on the out-of-fold scores of all rows. Then the
        intercept of each output moves until the probabilities add up to what
        `prevalence_of_counts` returns. The mean over members has the same expected sum.

        Parameters
        ----------
        raw : Tensor of shape (n_samples, n_outputs)
            Out-of-fold raw scores.
        values, weight : array
            Targets and weights of the same rows.
        member : ndarray of int, shape (n_samples,)
            Which member scored each row.
        counts : pair of ndarray of shape (n_outputs,)
            Weighted positives and negatives of the population.
        """
        if not self.correct or self.correct == "exact":
            return
        scores = self._corrected(raw.double())
        if self.invertible:
            scores = np.clip(scores, -_MOST_LOG_ODDS, _MOST_LOG_ODDS)
        weight = self._column_weight(values, weight) * self.has_learnt[member]
        some = one_in(-(-scores.size // _SLOPE_ENTRIES), len(scores))
        calibrator = self._fit_calibrator(scores[some], values[some], weight[some])
        self.calibrator = calibrator
        if not calibrator.matches_prevalence:
            return
        # A calibrator of the user may have no intercept, and be far off in all labels.
        self._match_total(scores, counts, weight)
        mass, observed = np.zeros(self.n_outputs), counts[0] + counts[1]
        mass += weight.sum(axis=0)
        mean = ratio(self._expected(scores, weight), mass, undefined=0.0)
        rate = prevalence_of_counts(counts[0], mean * observed, observed)
        prevalence = self._as_prevalence(inside_unit_interval(rate))
        self._match(scores, prevalence, weight)

    def calibrate(self, raw, values, weight, counts):
        """Fit what remains to be corrected, on rows that did not train the net.

        Parameters
        ----------
        raw : Tensor
            Their raw scores.
        values, weight : array
            Their targets and weights.
        counts : pair of ndarray of shape (n_outputs,)
            Weighted positives and negatives of the population, whose prevalences the
            rows are weighted to have. Without that, a rare label has too many positives
            among them: the split places one there even where its fraction is below one.
        """
        if self.correct and self.correct != "exact":
            weight = self._population_weight(values, weight, counts)
            scores = self._averaged(raw.double())
            self.calibrator = self._fit_calibrator(scores, values, weight)

    def _check_calibrator(self, calibrator):
        """Raise a ValueError unless a calibrator suits the target."""
        if not isinstance(calibrator, self._calibrator_type):
            raise ValueError(
                f"correct_probabilities={calibrator!r} is not for this target: binary "
                "targets and label matrices take a BaseCalibrator of "
                "skimbalance.calibration, multiclass ones a TemperatureCalibrator."
            )

    def _new_calibrator(self) -> Any:
        """Return the calibrator of the user, or else that of the loss."""
        if isinstance(self.correct, BaseEstimator):
            return clone(self.correct)
        return self._default_calibrators[0 if self.invertible else 1]()

    def match_prevalence(self, raw, values, weight, counts, sampling_weight):
        """Move the calibrator's intercepts until the probabilities add up.

        Parameters
        ----------
        raw : Tensor
            Raw scores of rows of the population, all of them or a sample.
        values, weight : array
            Targets and weights of the same rows.
        counts : pair of ndarray of shape (n_outputs,)
            Weighted positives and negatives of the population.
        sampling_weight : float
            As in `target_mean_probability`.

        Returns
        -------
        prevalence : ndarray of shape (n_outputs,)
            The mean probabilities; NaN where the rows have no weight.
        """
        scores = self._averaged(raw.double())
        weight = self._column_weight(values, weight)
        scored = np.broadcast_to(weight.sum(axis=0), (self.n_outputs,))
        mean = self._expected(scores, weight) / np.where(scored > 0, scored, 1.0)
        rate = smoothed_prevalence(*counts)
        target = target_mean_probability(mean, rate, scored, sampling_weight)
        target = self._as_prevalence(target)
        self._match(scores, target, weight)
        return np.where(scored > 0, target, np.nan)

    def _expected(self, scores, weight):
        """Return the weighted sums of the calibrated probabilities.

        In blocks, as each step on all rows is a copy of the scores.
        """
        sums = np.zeros(self.n_outputs)
        for rows in blocks_of_rows(scores):
            proba = self.probabilities(self.calibrator.transform(scores[rows]))
            sums += (weight[rows] * proba).sum(axis=0)
        return sums


class LabelOutput(_Output):
    """Binary and multilabel: each corrected score is the log-odds of a label.

    The threshold rules read it as their `ThresholdSource`.

    A label that has one value only among the rows seen so far is not trained, and is
    predicted as a constant.
    """

    # With an inverse of the loss, and without.
    _default_calibrators = PooledCalibrator, LabelCalibrator
    _calibrator_type = BaseCalibrator

    def _start_counts(self, counts, all_chunks):
        # Rows of a later `partial_fit` are added to those of `fit`.
        self.counts_known, self._has_prior = all_chunks, counts is not None
        zeros = np.zeros(self.n_outputs)
        self._counts = (zeros, zeros) if counts is None else counts
        self._find_constants()
        self._trained_in_fit = self.trained

    def update_counts(self, counts):
        """Count further rows, and return which labels begin to be trained.

        They were constant in `fit`. Where the first call is `partial_fit` without
        label counts, the bias of all labels has started at zero, and stays.
        """
        before = self.trained
        if not self.counts_known:
            self._counts = tuple(
                a + b for a, b in zip(self._counts, counts, strict=True)
            )
            self._find_constants()
        begins = self.trained & ~before & self._has_prior
        # Where none was known at the start, no part of the training reads it.
        changes = begins | (not self._has_prior)
        if changes.any():
            prior = self._prior(self._counts)
            self.training_prior = np.where(changes, prior, self.training_prior)
        return begins

    def keep_corrections(self, previous):
        super().keep_corrections(previous)
        self._trained_in_fit = previous._trained_in_fit

    @property
    def calibrated(self):
        """Which labels the calibrator maps: those that were trained when it was fitted.

        It knows neither the slope nor the base rate of a label that was constant then,
        and whose training begins later. The log-odds of such a label stay as they are;
        without an inverse of the loss there are none but the mapped ones. The scores
        of labels that are constant still are not read.
        """
        return self._trained_in_fit | ~self.trained | (not self.invertible)

    def _calibrated(self, scores):
        calibrated = super()._calibrated(scores)
        if self.calibrator is None or self.calibrated.all():
            return calibrated
        return np.where(self.calibrated, calibrated, scores)

    def _find_constants(self):
        """Find the labels of one value only, and the log-odds that they are given."""
        positive, negative = self._counts
        observed = positive + negative
        self.trained = (positive > 0) & (negative > 0)
        # For a label without an observed entry, nothing is known but the other labels.
        density = positive.sum() / max(observed.sum(), 1)
        rate = np.where(observed > 0, (positive + 0.5) / (observed + 1), density)
        self.constant = logit(rate.clip(1e-6, 1 - 1e-6))

    @staticmethod
    def _weight_counts(counts):
        return counts

    @staticmethod
    def _unknown_prior(n_outputs):
        return np.full(n_outputs, 0.5)

    @staticmethod
    def _prior(counts):
        positive, negative = counts
        observed = positive + negative
        floor = 0.5 / (observed + 1)
        rate = np.divide(positive, observed, out=floor.copy(), where=observed > 0)
        return rate.clip(floor, 1 - floor)

    def criterion_params(self):
        """Return the weights of the batch loss, which its method `weigh` takes."""
        label_weight = self.label_weight
        # A weight of 0 leaves a constant label out: no other code has to know of it.
        if not self.trained.all():
            label_weight = self.trained * (
                1.0 if label_weight is None else label_weight
            )
        return {
            "pos_weight": self.pos_weight,
            "label_weight": label_weight,
            "n_trained": self._n_trained,
            **self._smoothing_params(),
        }

    @property
    def _n_trained(self):
        return max(int(self.trained.sum()), 1)

    def row_params(self, rows):
        """Return what the batch loss knows of rows, as its method `read_rows` takes."""
        observed = sum(count[self.trained].sum() for count in rows.counts)
        n_entries = len(rows) * self._n_trained
        return {
            "mean_entry_weight": observed / (n_entries * rows.mean_weight) or 1.0,
            "has_missing": has_missing(rows.values),
        }

    def _corrected(self, raw):
        """Return log-odds without the distortion of loss and smoothing."""
        if not self.correct:
            return raw.numpy()
        scores = self.link(raw)
        if self.smoothing:
            prior = torch.as_tensor(self.training_prior)
            floor = torch.as_tensor(self._floor)
            scores = unsmoothed_log_odds(scores, prior, self.smoothing, floor)
        scores = scores.numpy()
        return scores if self.log_rates is None else scores - self.log_rates

    def _drawn_prior(self):
        """Return the base rates of the rows that are resampled or drawn."""
        return expit(logit(self.training_prior) + self.log_rates)

    def find_learnt(self, data):
        """Find out which members train on both values of each label."""
        counts = np.array([rows.counts for rows in data.rows_of_members()])
        learnt = (counts > 0).all(axis=1)
        # Where none has seen both, as of one positive and one negative, all take part.
        self.has_learnt = learnt | ~learnt.any(axis=0)

    def _fit_calibrator(self, scores, values, weight):
        # Labels without a score of their own, and missing ones, are left out.
        labels = np.where((values < 0) | ~self.trained, np.nan, values)
        return self._new_calibrator().fit(scores, labels, weight)

    def _population_weight(self, values, weight, counts):
        """Return weights of entries that give the rows the prevalences of `counts`.

        A label without a positive or a negative among the rows keeps its weights.
        """
        weight = self._column_weight(values, weight)
        here = np.array([(weight * (values == value)).sum(axis=0) for value in (1, 0)])
        there = np.asarray(counts)
        # No weight gives a prevalence to a label that lacks one of its values here.
        usable = (here > 0).all(axis=0) & (there > 0).all(axis=0)
        here, there = (np.where(usable, count, 1.0) for count in (here, there))
        factor = there / there.sum(axis=0) * here.sum(axis=0) / here
        return weight * np.where(values == 1, factor[0], factor[1])

    def match_overall_prevalence(self, raw, values, weight, counts):
        """Shift all intercepts equally to match the sum of held-out probabilities.

        The net has fitted the positives that it was trained on, so the sum of its
        probabilities is too small on new rows. The held-out rows show by how much, for
        all labels together.
        """
        scores = self._averaged(raw.double())
        weight = self._population_weight(values, weight, counts)
        proba = expit(self.calibrator.transform(scores))
        scored = weight.sum()
        wanted = weight.sum(axis=0) @ smoothed_prevalence(*counts)
        mean, rate = np.array([[(weight * proba).sum()], [wanted]]) / scored
        target = target_mean_probability(mean, rate, scored, sampling_weight=1.0)
        self.calibrator.match_prevalence(scores, target.item(), weight)

    def _match_total(self, scores, counts, weight):
        """Move all intercepts alike until the probabilities of all labels add up."""
        mass = weight.sum(axis=0)
        rate = ratio(counts[0], counts[0] + counts[1], undefined=0.5)
        total = inside_unit_interval(mass @ rate / mass.sum())
        self.calibrator.match_prevalence(scores, float(total), weight)

    def _column_weight(self, values, weight):
        """Return a weight for each entry, 0 where the label is missing or constant."""
        observed = (values >= 0) & self.trained
        if weight is None:
            return observed.astype(np.float64)
        weight = weight.toarray() if hasattr(weight, "toarray") else weight
        return weight.reshape(len(observed), -1) * observed

    @staticmethod
    def _as_prevalence(mean):
        """Return the mean probabilities as they are: those of a row have no sum."""
        return mean

    def _match(self, scores, prevalence, weight):
        self.calibrator.match_prevalence(scores, prevalence, weight)

    def scores(self, raw):
        scores = super().scores(raw)
        if not self.trained.all():
            scores = np.where(self.trained, scores, self.constant)
        return scores

    @staticmethod
    def _pool(scores, has_learnt):
        """Return the log-odds of the members' mean probability.

        A member that trained on no positive of a label, or no negative, is left out.
        """
        share = None
        if has_learnt is not None and not has_learnt.all():
            share = has_learnt[:, None].astype(np.float64)
        positive, negative = (
            logsumexp([log_expit(sign * score) for score in scores], axis=0, b=share)
            for sign in (1, -1)
        )
        return positive - negative

    def probabilities(self, scores):
        """Return the probability of each label."""
        return expit(scores)

    def spread_of_mean(self, raw, fold):
        """Return how much less the members' mean is spread than the score of one.

        A mean of `K` members has the variance of one without ``1 - 1 / K`` of the
        variance between members, measured where all of them trained on a row or all
        but one. With it `MatchedPrevalence` predicts 1.02, .99, 1.10, 1.01 and .99 of
        the positives of fresh rows (emotions, yeast, birds, medical, cal500; one
        split), and 1.02, .98, 1.05, 1.00 and .93 without. Between members that did not
        train on a row the variance is 1.5 times as much, which did no better.

        Parameters
        ----------
        raw : Tensor of shape (n_samples, n_members, n_outputs)
            Raw scores of rows of `fit`.
        fold : ndarray of int, shape (n_samples,)
            The member that did not train on each row.
        """
        n_rows, n_members = raw.shape[:2]
        if n_members < 3 or not self.trained.any():
            return 1.0  # a single member trained on each row
        members = [self._calibrated(self._corrected(m)) for m in raw.double().unbind(1)]
        scores = np.stack(members, axis=1)[:, :, self.trained]
        is_out = fold[:, None] == np.arange(n_members)
        others = scores[~is_out].reshape(n_rows, n_members - 1, -1)
        between = others.var(axis=1, ddof=1).mean() * (1 - 1 / n_members)
        whole = scores[is_out].var(axis=0).mean()
        ratio_of_variances = between / max(whole, _LEAST_VARIANCE)
        return float(np.sqrt(max(1 - ratio_of_variances, _LEAST_SPREAD**2)))

    def summarize(self, raw, values, weight, spread=1.0):
        """Keep a summary of the scores of rows that did not train the net.

        The scores of single members are drawn together as those of the mean are, at
        the same mean probability of each label: there are fewer large ones in a mean,
        and thresholds on single scores would be passed too seldom.
        """
        if self.trained.any():  # else a rule has nothing to learn from
            known = values, self.scores(raw), weight
            summary = ScoreSummary.of_scores(*known, chosen=self.trained)
            self.summary = summary.drawn_together(spread)

    def learn_thresholds(self, rule):
        """Keep the thresholds of a rule, so that `predict` need not learn them."""
        # A copy, as a later `set_params(threshold__beta=...)` changes the rule itself.
        kept: Any = clone(rule)
        self.learnt = kept, self.learnt_thresholds(rule)

    def learnt_thresholds(self, rule):
        """Return the thresholds that a rule learns from the held-out scores."""
        if self.learnt is not None and is_same_rule(rule, self.learnt[0]):
            return self.learnt[1]
        if not self.trained.any():
            return np.full(self.n_outputs, 0.5)
        if self.summary is None:
            raise ValueError(
                f"threshold={rule!r} learns its thresholds from held-out rows, and "
                "there are none of this fit: fit again with early_stopping=True or "
                "with X_val and y_val, or wrap the fitted estimator with cv='prefit' "
                "in skimbalance.thresholds.MultilabelFixedThresholdClassifier."
            )
        return self.summary.thresholds(rule)

    def uncorrected_thresholds(self):
        """Return the probabilities that belong to a raw score of 0."""
        return self.probabilities(self.scores(torch.zeros(1, self.n_outputs))[0])

    def thresholds(self, rule):
        """Return the probabilities above which a rule predicts the labels, or None."""
        thresholds = rule.thresholds(self)
        return None if thresholds is None else np.where(self.trained, thresholds, 0.5)

    def _predict(self, raw, rule, thresholds, dtype):
        """Return which labels a rule predicts."""
        scores = self.scores(raw)
        if thresholds is not None and type(rule).predict is ThresholdRule.predict:
            return _exceed(scores, thresholds, dtype)
        return rule.predict(self.probabilities(scores).astype(dtype), thresholds)


def _exceed(log_odds, thresholds, dtype):
    """Return which probabilities, rounded to a dtype, are above thresholds.

    Log-odds compare as probabilities do, and save an exponential of most entries. Near
    a threshold rounding decides, and thresholds are often probabilities of rows: there
    the probabilities themselves are compared.
    """
    bounds = logit(thresholds.clip(0, 1))
    slopes = np.maximum(thresholds * (1 - thresholds), np.finfo(np.float64).tiny)
    with np.errstate(invalid="ignore"):  # of an infinite bound
        gap = log_odds - bounds
    predicted = gap > 0
    rows, columns = np.nonzero(np.abs(gap) <= 8 * np.finfo(dtype).eps / slopes)
    proba = expit(log_odds[rows, columns]).astype(dtype)
    predicted[rows, columns] = proba > thresholds[columns]
    return predicted


class ClassOutput(_Output):
    """Multiclass: the scores of a row compete."""

    _default_calibrators = TemperatureCalibrator, ShrunkClassCalibrator
    _calibrator_type = TemperatureCalibrator

    def _start_counts(self, counts, all_chunks):  # noqa: ARG002
        self.trained = np.ones(self.n_outputs, dtype=bool)
        self._counts = np.zeros(self.n_outputs) if counts is None else None

    def update_counts(self, counts):
        """Count further rows where the prior is not known; return no class.

        A class without rows is a class of probability near 0.
        """
        if self._counts is not None:
            self._counts = self._counts + counts[0]
            self.training_prior = self._prior((self._counts,))
        return np.zeros(self.n_outputs, dtype=bool)

    @staticmethod
    def _unknown_prior(n_outputs):
        return np.full(n_outputs, 1 / n_outputs)

    @staticmethod
    def _weight_counts(counts):
        inside = counts[0]
        return inside, np.full_like(inside, inside.sum() / len(inside))

    @staticmethod
    def _prior(counts):
        total = counts[0].sum()
        # A class without rows gets half a row, so that its log is finite.
        rate = np.maximum(counts[0] / total, 0.5 / (total + 1))
        return rate / rate.sum()

    def criterion_params(self):
        """Return the weights of the batch loss, which its method `weigh` takes."""
        return {"pos_weight": self.pos_weight, **self._smoothing_params()}

    def row_params(self, rows):
        """Return what the batch loss knows of rows, as its method `read_rows` takes."""
        mean = rows.counts[0].sum() / (len(rows) * rows.mean_weight)
        return {"mean_entry_weight": mean or 1.0}

    def _corrected(self, raw):
        """Return log-probabilities without the distortion of loss and smoothing."""
        if not self.correct:
            return log_softmax(raw.numpy(), axis=1)
        log_p = self.link(raw)
        if self.smoothing:
            prior = torch.as_tensor(self.training_prior)
            floor = float(self._floor[0])
            log_p = unsmoothed_log_probabilities(log_p, prior, self.smoothing, floor)
        if self.log_rates is not None:
            return log_softmax(log_p.numpy() - self.log_rates, axis=1)
        return log_p.numpy()

    def _drawn_prior(self):
        """Return the base rates of the rows that are resampled or drawn."""
        return softmax(np.log(self.training_prior) + self.log_rates)

    def find_learnt(self, data):
        """Count all members: a class that one has not seen is near 0 there."""
        self.has_learnt = np.ones((data.n_folds, 1), dtype=bool)

    def _fit_calibrator(self, scores, values, weight):
        return self._new_calibrator().fit(scores, values, weight.ravel())

    @staticmethod
    def _column_weight(values, weight):
        """Return the weight of each row, as a column."""
        weight = np.ones(len(values)) if weight is None else weight
        return weight.reshape(-1, 1)

    def _population_weight(self, values, weight, counts):
        """Return weights, as a column, for the prevalences of `counts`."""
        weight = np.ones(len(values)) if weight is None else weight
        here = np.bincount(values, weights=weight, minlength=self.n_outputs)
        factor = np.divide(counts[0], here, out=np.ones(len(here)), where=here > 0)
        weight = weight * factor[values]
        return (weight * (here.sum() / weight.sum())).reshape(-1, 1)

    def match_overall_prevalence(self, raw, values, weight, counts):
        """Do nothing: the probabilities of a row add up to one."""

    def _match_total(self, scores, counts, weight):
        """Do nothing: the probabilities of a row add up to one."""

    @staticmethod
    def _as_prevalence(mean):
        """Return the mean probabilities, each shrunk by itself, with a sum of 1."""
        return mean / mean.sum()

    def _match(self, scores, prevalence, weight):
        self.calibrator.match_prevalence(scores, prevalence, weight.ravel())

    @staticmethod
    def _pool(scores, has_learnt):  # noqa: ARG004
        """Return the log of the members' mean probability."""
        return logsumexp(scores, axis=0) - np.log(len(scores))

    def probabilities(self, scores):
        """Return the probability of each class."""
        return np.exp(scores)

    def thresholds(self, rule):
        """Return None: the classes of a row compete."""

    def _predict(self, raw, rule, thresholds, dtype):  # noqa: ARG002
        """Return the index of the predicted class."""
        # The largest raw score; the inverse of a loss may change the order of classes.
        if isinstance(rule, Uncorrected):
            return (raw if raw.ndim == 2 else raw.mean(1)).numpy().argmax(axis=1)
        return self.scores(raw).argmax(axis=1)
