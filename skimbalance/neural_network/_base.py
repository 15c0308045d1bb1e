"""The base of the estimators: fit, partial_fit and the methods that predict."""

import contextlib
import copy
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skimbalance._base import (
    DictParamsMixin,
    DocLinkMixin,
    unchanged_on_error,
    warn_user,
)
from skimbalance._labels import (
    BINARY,
    MULTICLASS,
    MULTILABEL,
    check_target,
    encode_like,
)
from skimbalance._meta import LabelScoreMixin
from skimbalance._validation import (
    align_labels,
    check_groups,
    check_k,
    check_same_length,
)
from skimbalance.exceptions import ImbalanceWarning
from skimbalance.losses._resolve import check_link, target_types_of
from skimbalance.modules import MLP
from skimbalance.neural_network._batches import make_draws
from skimbalance.neural_network._callbacks import (
    CallbackSupport,
    KeepBest,
    copied_callbacks,
    early_stopping_of,
    fit_tasks,
    with_callbacks,
)
from skimbalance.neural_network._checkpoint import (
    Checkpoint,
    check_warm_start,
    go_on_with_chunks,
    run_identity,
    take_over,
)
from skimbalance.neural_network._checks import (
    as_one_array,
    check_chunks_suffice,
    check_first_chunk,
    check_has_targets,
    check_params,
    check_same_classes,
    check_threshold_for,
    read_inputs,
    read_label_counts,
    recount_categories,
    target_of_classes,
    warn_of_positive_class,
)
from skimbalance.neural_network._cross_fit import (
    check_held_out,
    check_needs_no_held_out,
    hold_out,
    keep_corrections,
    out_of_fold_log_odds,
    remember_folds,
    trained_on_others,
)
from skimbalance.neural_network._data import Batches
from skimbalance.neural_network._devices import (
    find_device,
    moves_data,
    resolve_precision,
)
from skimbalance.neural_network._export import ExportMixin, input_stage
from skimbalance.neural_network._module import (
    MemberModule,
    ScoreModule,
    copied,
    criterion_of,
    reads_integers,
    try_module,
)
from skimbalance.neural_network._optimizer import (
    optimizer_params,
    resolve_optimizer,
)
from skimbalance.neural_network._output import (
    ClassOutput,
    LabelOutput,
)
from skimbalance.neural_network._predictions import (
    NetOutputs,
    answer_dtype,
    label_matrix,
    stacked,
    top_k,
    warn_constant,
    warn_few_predicted,
)
from skimbalance.neural_network._resampler import resample
from skimbalance.neural_network._rows import (
    HELD_OUT_NAMES,
    FirstChunk,
    Rows,
    TrainingData,
    as_dense,
    encode_rows,
    is_tiny,
)
from skimbalance.neural_network._state import StateMixin
from skimbalance.neural_network._training import (
    Net,
    draw_seed,
    gradients,
    make_step,
    random_generator,
    resolve_batch_size,
    seeded,
)
from skimbalance.preprocessing import InputEncoder, InputScaler
from skimbalance.thresholds._rules import (
    Accuracy,
    Given,
    RuleParamsMixin,
    Uncorrected,
    resolve_rule,
)

# Bytes of one chunk of a prediction. A few copies of a chunk exist at a time, so this
# bounds the memory of a prediction, whatever the number of rows.
_PREDICTION_BYTES = 2**23
# Dropout of the default module, where the rows make more than one batch: the rate of
# Srivastava et al. (2014).
_DROPOUT = 0.5
# Out-of-fold scores are kept up to so many: 64 MB.
_OUT_OF_FOLD_ENTRIES = 2**24
# Held-out entries that slope and intercept are fitted on. The bound is a choice: it
# limits the time of the fit, which reads all of them in each evaluation.
_CALIBRATION_ENTRIES = 2**20
# Entries whose probabilities are added up to match the prevalence of each label: 32 MiB
# of float64. More than for the slope, as a rare label has few positives among them.
_MATCHED_ENTRIES = 2**22
# Values that an `InputEncoder` is fitted on: of 300 columns 14,000 rows, whose octiles
# are within .3 % of the rows. More would be a copy of a large array.
_ENCODER_VALUES = 2**22
# Entries that the spread of the members' mean is measured on, one number for all
# labels. Between such parts of the rows it varies by .001, .007 and .001 (yeast,
# medical, birds), and all members have to score them: .3 % of a fit.
_SPREAD_ENTRIES = 2**13
# Rows that a calibration gets in any case, however many labels there are.
_LEAST_CALIBRATION_ROWS = 100
# Rows that a module is tried on before any training.
_TRIED_ROWS = 32


def _has_probabilities(estimator):
    """Return True if there are probabilities; else raise an error with the reason."""
    if not estimator.__sklearn_is_fitted__() or estimator._output.has_probabilities:
        return True
    raise AttributeError(
        f"{type(estimator._output.loss).__name__} has no inverse, and no rows were "
        "held out to calibrate its scores on. Fit with early_stopping=True, pass X_val "
        "and y_val, or set correct_probabilities=False for the raw scores."
    )


@contextlib.contextmanager
def _after_training(step, way_out):
    """Turn an error of a step after the training into a warning, to keep the net."""
    try:
        yield
    except KeyboardInterrupt:
        warn_user(
            f"The net is trained, but {step} was interrupted. {way_out}",
            ConvergenceWarning,
        )
    except Exception as error:
        warn_user(
            f"The net is trained, but {step} failed ({type(error).__name__}: {error}). "
            f"{way_out}",
            ImbalanceWarning,
        )


# Without ClassifierMixin its tags would come after those of BaseEstimator.
class BaseImbalancedNet(
    ExportMixin,
    CallbackSupport,
    DocLinkMixin,
    RuleParamsMixin,
    DictParamsMixin,
    LabelScoreMixin,
    ClassifierMixin,
    StateMixin,
    BaseEstimator,
):
    """Base of the two estimators, which add the parameters and their defaults."""

    # The trained net; None where no label had two values.
    net_: Any
    # The parameters of the default module, where they are the estimator's own.
    _module_names: tuple[str, ...] = ()

    if TYPE_CHECKING:
        # The parameters, which the subclasses name once, and the fitted attributes.
        def __getattr__(self, name: str) -> Any: ...

    # ------------------------------------------------------------------------- fitting

    @with_callbacks
    def fit(
        self,
        X,
        y,
        sample_weight=None,
        *,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
        groups=None,
    ):
        """Train the net, correct what the training distorts, and learn thresholds.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features), \
                torch Dataset, or dict or tuple of arrays
            Inputs; (n_samples, ...) for a module that takes more dimensions. A memory
            map is read batch by batch, and so is a map-style Dataset, whose items are
            inputs or tuples that begin with one. A dict of arrays becomes the keyword
            arguments of a module of your own, a tuple its arguments.
            `ImbalancedMLPClassifier` takes missing values (NaN) and categories of a
            data frame.
        y : {array-like, sparse matrix, data frame} of shape (n_samples,) or \
                (n_samples, n_labels)
            Classes, or a label matrix of 0, 1 and NaN for a missing label. In a sparse
            one an entry that is not stored is 0 and a stored NaN is missing.
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
                default=None
            Weights of rows or entries. Weights are part of the data: predicted
            probabilities are those of the weighted data. A row or an entry of weight 0
            is ignored. A sparse matrix holds what the weights exceed 1 by.
        X_val : {array-like, sparse matrix} of shape (n_held_out, n_features), \
                default=None
            Rows to hold out, instead of a part of `X`. They stand for the rows to
            predict: calibrated probabilities have their base rates, not those of `y`.
        y_val : {array-like, sparse matrix} of shape (n_held_out,) or \
                (n_held_out, n_labels), default=None
            Their targets.
        sample_weight_val : array-like of shape (n_held_out,) or \
                (n_held_out, n_labels), default=None
            Their weights, in the scores of each epoch as well.
        groups : array-like of shape (n_samples,), default=None
            Rows of one group are never on both sides of the validation split.

        Returns
        -------
        self : estimator
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or an input makes no sense, before training, and then the
            estimator is as it was; or if training diverges in its first epoch.
        TypeError
            If `module` or `loss` is nothing that can be used.
        """
        tasks = fit_tasks(self, X, y, sample_weight)
        # First: on an error scikit-learn tears down what it has set on the estimator.
        with tasks, unchanged_on_error(self), gradients():
            X, groups = as_one_array(X, y=y), check_groups(groups)
            check_same_length(X=X, y=y, sample_weight=sample_weight, groups=groups)
            check_has_targets(X, y)
            target = check_target(y, pos_label=self.pos_label)
            params = check_params(self, target)
            rows = self._encode(X, target, sample_weight)
            held_out = self._encode_held_out(X_val, y_val, sample_weight_val, rows)
            return self._fit(TrainingData(rows, held_out, groups), params)

    def partial_fit(self, X, y, classes=None, sample_weight=None, *, label_counts=None):
        """Train for one epoch on a chunk of the rows.

        Nothing is held out, no input statistics are gathered beyond those of the first
        chunk, and weights are not recomputed: what depends on the label counts needs
        them at the first call. What is ``"auto"`` by the number of rows (`batch_size`,
        `precision`, `dropout`) follows from those of the first chunk.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.
        y : {array-like, sparse matrix} of shape (n_samples,) or (n_samples, n_labels)
            Targets.
        classes : array-like of shape (n_classes,), default=None
            All classes of a 1-D `y`; needed at the first call, and there only.
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
                default=None
            Weights of rows or entries, divided by the mean of those of `fit`, or of the
            first chunk, so that rows of several chunks compare.
        label_counts : pair of array-like, Series or dict, default=None
            ``(n_positive, n_negative)`` over all chunks to come: of each label, or, for
            a multiclass `y`, of each class against the rest. Series and dicts are read
            by these names. One of the rows of each class of a 1-D `y`, such as
            `value_counts` of pandas, stands for both. Sets the starting bias, and is
            needed at the first call by weight schemes and by losses that read counts.
            Without it the bias is zero, and `prior_` is that of the chunks so far.

        Returns
        -------
        self : estimator
            The estimator.

        Raises
        ------
        ValueError
            If the first call lacks `classes` or `label_counts` where they are needed,
            or the chunk does not fit what was seen before.
        """
        with unchanged_on_error(self), gradients():
            check_chunks_suffice(self)
            X = as_one_array(X, y=y)
            check_same_length(X=X, y=y, sample_weight=sample_weight)
            check_has_targets(X, y)
            if self.__sklearn_is_fitted__():
                check_same_classes(self, classes)
                go_on_with_chunks(self)
                y, weight = align_labels(y, sample_weight, self._target.label_names)
                target = replace(self._target, values=self._encode_y(y))
                X = self._check_inputs(X, reset=False)
                given = weight, self.class_weight
                rows = encode_rows(X, target, *given, unit=self._weight_unit)
            else:
                target = target_of_classes(y, classes, self.pos_label)
                params = check_params(self, target)
                check_first_chunk(self, target, params, classes, label_counts)
                check_needs_no_held_out(self)
                rows = self._encode(X, target, sample_weight)
                self._start(rows, params, label_counts)
            return self._train_chunk(rows)

    def _check_inputs(self, X, reset, name="X") -> Any:
        """Return inputs of any container as an array, `DatasetRows` or `JoinedRows`."""
        X = read_inputs(self, X, reset, self._module()[0] is not MLP, name)
        if reset:
            self._input_shape = getattr(X, "row_shape", X.shape[1:])
            # Others have no value in place of a missing one.
            self._imputes = self._reads_tables() and isinstance(X, np.ndarray)
        return X

    def _reads_tables(self):
        """Whether inputs may lack values, or hold categories."""
        return False

    def _encode(self, X, target, sample_weight):
        """Return the rows that train: all of them, or the first chunk."""
        inputs = self._check_inputs(X, reset=True)
        rows = encode_rows(inputs, target, sample_weight, self.class_weight)
        if len(rows) < inputs.shape[0]:
            rows = recount_categories(self, X, rows)
        return rows

    def _encode_y(self, y):
        return encode_like(y, self._target)

    def _encode_held_out(self, X_val, y_val, sample_weight_val, rows):
        """Return the rows that the user holds out beside others, or None."""
        if X_val is None and y_val is None:
            if sample_weight_val is not None:
                raise ValueError("sample_weight_val goes with X_val and y_val.")
            return None
        if X_val is None or y_val is None:
            raise ValueError("X_val and y_val go together: pass both or neither.")
        X_val = as_one_array(X_val, "X_val", y_val)
        check_same_length(X_val=X_val, y_val=y_val, sample_weight_val=sample_weight_val)
        target, names = rows.target, HELD_OUT_NAMES
        given = y_val, sample_weight_val, target.label_names
        y_val, weight = align_labels(*given, names[1:])
        target = replace(target, values=encode_like(y_val, target, "y_val"))
        inputs = self._check_inputs(X_val, reset=False, name=names[0])
        # Balanced weights are those of the classes in `y`, whatever `y_val` holds.
        return encode_rows(inputs, target, weight, rows.class_weight, names)

    def _fit(self, data, params):
        """Split the data, then train, correct and learn thresholds on its parts."""
        checkpoint = seed = None
        if self.checkpoint is not None:
            checkpoint = Checkpoint(self.checkpoint, self.resume)
            seed = checkpoint.seed
        if seed is None:  # else a resumed run repeats the draws of the first one
            seed = draw_seed(random_generator(self.random_state))
        self.__dict__.pop("_rng", None)
        saved = None if checkpoint is None else checkpoint.fold
        hold_out(self, data, np.random.RandomState(seed), saved)
        check_held_out(self, data)
        if self.resampler is not None:
            data.resampled = resample(self, data, seed)
        previous = self._net_to_continue(data)
        output, corrected = self._make_output(data, params), None
        if self.batch_sampler is not None or data.resampled is not None:
            data.draws = make_draws(self, data, output)
            output.log_rates = data.draws.log_rates
        begins = None
        if previous is not None:
            begins = output.trained & ~self._output.trained
            corrected = self._output if trained_on_others(self, data) else None
        self._set_output(output, data)
        warn_constant(self._output.trained)
        if self._output.trained.any():
            with seeded(seed, self.device_):
                self.net_ = self._make_net(data.batch_rows, data.n_folds)
                if previous is not None:
                    take_over(self.net_, previous)
                    output.update_loss(self.net_.criterion_.loss)
                    output.start_bias(self.net_.module_, begins)
                if checkpoint is not None:
                    checkpoint.seed, checkpoint.about = seed, run_identity(self, data)
                    checkpoint.fold = data.part
                self._train(data, checkpoint, corrected)
        remember_folds(self, data, corrected is None)
        return self

    def _module(self, n_rows=0, sparse_input=False):
        """Return what builds the module, and its parameters for such inputs."""
        build, params = MLP, {name: getattr(self, name) for name in self._module_names}
        if not self._module_names:
            build, params = self.module, {**(self.module_params or {})}
        if build is MLP:
            if params.setdefault("dropout", "auto") == "auto":
                params["dropout"] = 0.0 if is_tiny(n_rows) else _DROPOUT
            params.setdefault("sparse_input", sparse_input)
        return build, params

    def _net_to_continue(self, data):
        """Return the net of an earlier fit if `warm_start` continues from it."""
        if not self.warm_start or getattr(self, "net_", None) is None:
            return None
        check_warm_start(self, data.target, self._standardizes(data.rows.X))
        return self.net_

    def _make_output(self, data, params):
        """Return what turns raw scores into probabilities and predictions."""
        warn_of_positive_class(self, data, params.pos_weight)
        make = ClassOutput if data.target.kind == MULTICLASS else LabelOutput
        output, has_held_out = make(params, data), data.held_out is not None
        if data.n_folds:
            output.find_learnt(data)
        if data.counts is None or output.trained.any():
            check_link(output.loss, output.link, output.correct, has_held_out)
        return output

    def _set_output(self, output, data):
        """Set the fitted attributes that are known before training."""
        self._output, self._target = output, output.target
        self.classes_ = output.target.classes
        for name in ("label_names_", "n_labels_", "_fraction_without_label"):
            self.__dict__.pop(name, None)
        if output.target.label_names is not None:
            self.label_names_ = output.target.label_names
        self.loss_, self.prior_ = output.loss, output.prior
        self._weight_unit = data.rows.unit  # of the weights of later chunks, too
        ones = np.ones(output.n_outputs)
        self.pos_weight_ = ones if output.pos_weight is None else output.pos_weight
        if output.target.kind != MULTICLASS:
            self.n_labels_ = output.n_outputs
            self._fraction_without_label = data.training.fraction_without_label()
        self.device_ = find_device(self)
        rows = data.rows
        self._dtype = resolve_precision(self.precision, rows.X, len(rows))
        if not (self.warm_start and getattr(self, "net_", None) is not None):
            # A warm start keeps the scaler under the weights that it goes on with.
            self.scaler_ = self._fit_scaler(data.training)
        self.net_, self.history_, self.n_iter_, self.best_score_ = None, [], 0, None
        self.out_of_fold_log_odds_ = self.effective_batch_size_ = None

    def _standardizes(self, X):
        """Whether inputs are scaled before the module reads them."""
        standardize, is_array = self.standardize, hasattr(X, "ndim")
        if isinstance(standardize, str):
            return self._module()[0] is MLP and is_array
        if standardize and not is_array:
            raise ValueError(
                "standardize=True needs X as one array: a Dataset scales its own "
                "items, and several inputs are scaled before they are passed."
            )
        return bool(standardize)

    def _fit_scaler(self, rows):
        if not self._standardizes(rows.X):
            return None
        if not isinstance(self.standardize, str):
            return InputScaler().fit(rows.X, sample_weight=rows.row_weight())
        weight, X = rows.row_weight(), rows.X
        n_values = X.nnz if sp.issparse(X) else X.size
        if n_values > _ENCODER_VALUES:
            # Quantiles need no more rows, and read the columns one by one.
            index = rows.thinned(len(rows) * _ENCODER_VALUES // n_values).index
            weight, X = weight[index], X[index]
        if (weight == weight[0]).all():
            weight = None  # which sorts each column in half of the time
        dtype: Any = np.float64 if self._dtype is torch.float64 else np.float32
        codes = self.category_encoder_
        codes = None if codes is None else codes.is_categorical_
        encoder = InputEncoder(dtype=dtype, categorical_features=codes)
        return encoder.fit(X, sample_weight=weight)

    def _make_net(self, rows, n_folds=0):
        """Return a skorch net with new weights, tried on the first rows."""
        build, params = self._module(len(rows), sp.issparse(rows.X))
        if self.category_encoder_ is not None:
            params["n_codes"] = tuple(self.category_encoder_.n_codes_.tolist())
        n_members = n_folds or (1 if self.n_members == "auto" else self.n_members)
        shape, is_single = self._input_shape, n_members == 1
        optimizer = optimizer_params(self, self.device_)
        step = make_step(self)
        more: Any = {} if is_single else {"module__n_members": n_members}
        if isinstance(shape, dict | list):
            more["module__are_integers"] = self._integer_parts
        net: Any = Net(
            module=ScoreModule if is_single else MemberModule,
            module__build=build,
            module__params=params,
            module__n_features=self._net_width(shape),
            module__n_outputs=self._output.n_outputs,
            module__bias=self._output.initial_bias(),
            module__dtype=self._dtype,
            **more,
            criterion=criterion_of(self._output.loss),
            criterion__loss=copy.deepcopy(self._output.loss),
            **{f"criterion__{key}": v for key, v in self._criterion_params().items()},
            optimizer=resolve_optimizer(self.optimizer),
            lr=self.lr,
            max_epochs=int(self.max_epochs),
            batch_size=resolve_batch_size(self.batch_size, len(rows)),
            iterator_train=Batches,
            iterator_train__shuffle=True,
            iterator_train__num_workers=self.num_workers,
            iterator_train__accumulate=self.gradient_accumulation,
            iterator_train__part=step.part,
            iterator_valid=Batches,
            train_split=None,
            callbacks=copied_callbacks(self.callbacks),
            device=self.device_,
            compile=self.compile not in ("auto", False),
            verbose=self.verbose,
            **{f"optimizer__{key}": value for key, value in optimizer.items()},
            **(self.net_params or {}),
        ).initialize()
        net.step_ = step
        self._try_module(net, rows.first(_TRIED_ROWS))
        net.outputs_, self._net_shape = NetOutputs(self), shape
        # Losses and transformers may be changed in place by `set_params`.
        self._made_with = {
            name: copied(value) if hasattr(value, "get_params") else value
            for name, value in self.get_params(deep=False).items()
        }
        return net

    def _net_width(self, shape):
        """Return the number of inputs of the module, or the shape of a row."""
        if isinstance(self.scaler_, InputEncoder):
            return self.scaler_._n_outputs
        if isinstance(shape, dict):
            return {name: _n_features(one) for name, one in shape.items()}
        if isinstance(shape, list):
            return list(map(_n_features, shape))
        return _n_features(shape)

    def _try_module(self, net, rows):
        """Try the module on some rows, and find out whether it reads integers."""
        takes_any = self.scaler_ is None and self._module()[0] is not MLP
        is_integer = np.issubdtype(rows.X.dtype, np.integer)
        if takes_any and getattr(rows.X, "has_integers", is_integer):
            net.module_.reads_integers = not sp.issparse(rows.X) and reads_integers(
                net.module_, self._as_read(rows, net, x_dtype=torch.int64).inputs()
            )
        try_module(net.module_, self._as_read(rows, net).inputs())
        if net.module_.n_members > 1:  # also where a callback makes the module anew
            net.module__in_lockstep = net.module_.in_lockstep

    def _plain_rows(self, X, y=None):
        """Return all rows of checked inputs and encoded targets."""
        return Rows(X, replace(self._target, values=y), None, np.arange(X.shape[0]))

    def _as_read(self, rows, net=None, moves=False, x_dtype=None):
        """Return encoded rows as the net reads them."""
        net = net or self.net_
        if x_dtype is None and net.module_.reads_integers:
            x_dtype = torch.int64
        return rows.row_set(
            self._dtype, self.device_, self.scaler_, net.reads_sparse, moves, x_dtype
        )

    def _as_trained_on(self, rows):
        """Return encoded rows as the net reads them, moved to it if that pays."""
        moves = moves_data(self.data_device, self.device_, rows.n_bytes)
        read = self._as_read(rows, moves=moves)
        read.row_params = self._output.row_params(rows)
        return read

    def _train(self, data, checkpoint, corrected):
        """Train, stopping early if rows are held out, and calibrate on these.

        Where none is known to be held out, `corrected` is the output model of the
        earlier fit, whose corrections are kept.
        """
        held_out, watched = data.held_out, data.watched
        watched = None if watched is None else self._as_trained_on(watched)
        stopping, epochs = early_stopping_of(self, data)
        self._run(data.batch_rows, watched, epochs, stopping, checkpoint, data.draws)
        if corrected is not None:
            keep_corrections(self._output, corrected)
            self.prior_ = self._output.prior
        if held_out is None or corrected is not None:
            return
        with _after_training("the calibration", "Fit again to have it."):
            calibrate = self._calibrate_members if data.n_folds else self._calibrate
            try:
                scored = calibrate(data)
            except KeyboardInterrupt:  # the rest takes moments, so one interrupt waits
                scored = calibrate(data)
                warn_user(
                    "The interrupt came after the training, whose calibration was "
                    "ended: nothing is lost.",
                    ConvergenceWarning,
                )
            if self._target.kind != MULTICLASS and self._output.has_probabilities:
                self._summarize(data, *scored)

    def _criterion_params(self):
        """Return the weights of the batch loss, as tensors."""
        return {
            key: torch.as_tensor(value, dtype=self._dtype)
            if isinstance(value, np.ndarray)
            else value
            for key, value in self._output.criterion_params().items()
        }

    def _run(self, rows, watched, epochs, stopping, checkpoint=None, draws=None):
        """Run the training loop, and set the fitted attributes that come from it."""
        if self.net_.history or self.net_.earlier_:
            stopping.start_from(self.net_.trained_)
        rows = self._as_trained_on(rows)
        if draws is not None:
            rows.draws, draws.device = draws, self.device_
            self.effective_batch_size_ = draws.effective_size(self.net_.batch_size)
            self.net_.effective_batch_size_ = self.effective_batch_size_
        self.net_.tasks_ = vars(self).get("_callback_tasks")
        self.net_.train(rows, watched, epochs, stopping, checkpoint)
        self.net_.tasks_ = None
        self._output.update_loss(self.net_.criterion_.loss)
        self.history_ = self.net_.epochs()
        self.n_iter_ = len(self.history_)
        best = stopping.best.value
        self.best_score_ = best if np.isfinite(best) else None

    def _calibrate(self, data):
        """Fit the calibrator; return the scores, targets and weights of held-out rows.

        Slope and intercept are fitted on rows that did not train. Prevalences are then
        matched on all rows, since the held-out part has few positives of a rare label.
        """
        output, population = self._output, data.population
        counts = population.counts
        held_out = self._scored(self._thinned(data.held_out, _CALIBRATION_ENTRIES))
        output.calibrate(*held_out, counts)
        if output.calibrator is not None and output.calibrator.matches_prevalence:
            scored = self._thinned(population, _MATCHED_ENTRIES)
            fraction = len(scored) / len(population) if data.is_split else 0.0
            of_rows = self._scored(scored)
            matched = output.match_prevalence(*of_rows, counts, 1 - fraction)
            if data.is_split:
                output.match_overall_prevalence(*held_out, counts)
                matched = output.prior_of(counts)
            # Of all rows of `fit`, or of another population, perhaps.
            output.matched_prior = matched
            self.prior_ = output.prior
        return held_out

    def _calibrate_members(self, data):
        """Fit the calibration on out-of-fold scores; keep and return these scores."""
        most_entries = max(_MATCHED_ENTRIES, _OUT_OF_FOLD_ENTRIES)
        rows = self._thinned(data.held_out, most_entries)
        raw, values, weight = self._scored(rows)
        member = rows.fold[rows.index]
        counts = data.population.counts
        self._output.calibrate_members(raw, values, weight, member, counts)
        if self._output.has_probabilities and len(rows) == len(data.held_out):
            self.out_of_fold_log_odds_ = out_of_fold_log_odds(self, rows, raw)
        return raw, values, weight

    def _summarize(self, data, raw, values, weight):
        """Keep a summary of held-out scores, and learn the thresholds of the rule."""
        way_out = "Fit again to set a rule that learns from them."
        with _after_training("the summary of the held-out scores", way_out):
            spread = 1.0
            if data.n_folds:
                rows = self._thinned(data.training, _SPREAD_ENTRIES)
                of_all, _, _ = self._scored(rows)
                spread = self._output.spread_of_mean(of_all, rows.fold[rows.index])
            self._output.summarize(raw, values, weight, spread)
        rule = resolve_rule(self.threshold)
        if rule.needs_held_out:
            step = f"learning the thresholds of threshold={self.threshold!r}"
            way_out = "Give predict another one, such as set_params(threshold=0.5)."
            with _after_training(step, way_out):
                self._output.learn_thresholds(rule)

    def _thinned(self, rows, most_entries):
        """Return about evenly spaced rows, of at most `most_entries` entries in all."""
        most = max(_LEAST_CALIBRATION_ROWS, most_entries // self._output.n_outputs)
        return rows.thinned(most)

    def _scored(self, rows):
        """Return the raw scores, the dense targets and the weights of rows."""
        read = self._as_trained_on(rows)
        raw = torch.cat(list(self.net_.raw_scores(read, self.net_.batch_size)))
        return raw, as_dense(rows.selected("values")), rows.selected("weight")

    def _start(self, rows, params, label_counts):
        """Make the output model and the net before the first chunk."""
        if label_counts is not None:
            label_counts = read_label_counts(label_counts, rows.target)
        data = FirstChunk(rows, label_counts)
        self._set_output(self._make_output(data, params), data)
        with seeded(self._next_seed(), self.device_):
            self.net_ = self._make_net(rows)

    def _next_seed(self):
        """Return the seed of the next chunk, from the generator of all chunks."""
        if not hasattr(self, "_rng"):
            self._rng = random_generator(self.random_state)
        return draw_seed(self._rng)

    def _train_chunk(self, rows):
        """Train for an epoch on the rows of one chunk."""
        output, before = self._output, vars(self._output).copy()
        # Each member trains on all rows of a chunk, and holds none out any more.
        self.out_of_fold_log_odds_ = self._folds = None
        with unchanged_on_error(output), seeded(self._next_seed(), self.device_):
            begins = output.update_counts(rows.counts)
            if self.net_ is None:  # a fit on labels of one value only
                self.net_ = self._make_net(rows)
            output.start_bias(self.net_.module_, begins)
            self.net_.reweigh(self._criterion_params())
            n_epochs = len(self.net_.history)
            self._run(rows, None, 1, KeepBest())
            if len(self.net_.history) == n_epochs:
                # An interrupt has restored the former weights, which know no new rows.
                vars(output).update(before)
        self.prior_ = output.prior
        return self

    # ----------------------------------------------------------------------- predicting

    @property
    def calibrator_(self):
        """The calibrator, which is applied after the inverse of the loss; or None."""
        check_is_fitted(self)
        return self._output.calibrator

    @property
    def members_(self):
        """The trained nets as torch modules of dense raw inputs, one a member."""
        check_is_fitted(self)
        members: list[Any] = [] if self.net_ is None else self.net_.module_.members()
        for member in members if self.scaler_ is not None else ():
            member.inputs = input_stage(self.scaler_).to(member.bias.device).eval()
        return members

    @property
    def thresholds_(self):
        """The thresholds of `threshold` as it is now set, on the probabilities."""
        check_is_fitted(self)
        check_threshold_for(self, self._target)
        return self._output.thresholds(self._usable_rule())

    @property
    def probabilities_corrected_(self):
        """Whether the probabilities are free of the distortion of the training."""
        check_is_fitted(self)
        return self._output.is_corrected

    def _blocks(self, X, answer):
        """Yield ``answer(raw_scores)`` of the rows of checked inputs, in order."""
        n_rows, n_outputs = X.shape[0], self._output.n_outputs
        net, rows = self.net_, None
        if net is not None:
            rows = self._as_read(self._plain_rows(X))
        width = 8 * n_outputs + (0 if rows is None else rows.batch_row_bytes)
        size = int(np.clip(_PREDICTION_BYTES // width, 1, max(n_rows, 1)))
        if net is None:
            for start in range(0, n_rows, size):
                n_block = min(size, n_rows - start)
                yield answer(torch.zeros(n_block, n_outputs, dtype=torch.float64))
            return
        for raw in net.raw_scores(rows, size):
            yield answer(raw)

    def _filled(self, X, answer) -> Any:
        """Return the results for all rows in one array, in the dtype of the inputs."""
        check_is_fitted(self)
        X = self._check_inputs(X, reset=False)
        return stacked(self._blocks(X, answer), X.shape[0], answer_dtype(X))

    @available_if(_has_probabilities)
    def decision_function(self, X):
        """Return the log-odds of each label, or the log-probabilities of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        scores : ndarray of shape (n_samples,), (n_samples, n_labels) or
        (n_samples, n_classes)
            For a binary and a multilabel target 0 stands for a probability of 0.5.
            float32 for float32 inputs, else float64.

        Raises
        ------
        ValueError
            If the inputs are not of the fitted shape.
        """
        scores = self._filled(X, lambda raw: self._output.scores(raw))
        if self._target.kind != BINARY:
            return scores
        return (-scores if self._target.is_flipped else scores).ravel()

    @available_if(_has_probabilities)
    def predict_proba(self, X):
        """Return probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes) or (n_samples, n_labels)
            The probability of each class, or that each label is 1; float32 for float32
            inputs, else float64. Corrected if `probabilities_corrected_`.

        Raises
        ------
        ValueError
            If the inputs are not of the fitted shape.
        """
        check_is_fitted(self)
        return self._filled(X, self._output.class_probabilities)

    @available_if(_has_probabilities)
    def predict_log_proba(self, X):
        """Return the logarithm of the probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        log_proba : ndarray of shape (n_samples, n_classes) or (n_samples, n_labels)
            The logarithm of `predict_proba`; finite where that is 0, as the probability
            is too small for its dtype.

        Raises
        ------
        ValueError
            If the inputs are not of the fitted shape.
        """
        proba = self.predict_proba(X)
        is_zero = proba == 0
        log_proba = np.log(np.where(is_zero, 1, proba))
        if is_zero.any():
            exact = self._filled(X, self._output.class_log_probabilities)
            log_proba[is_zero] = exact[is_zero]
        return log_proba

    @available_if(_has_probabilities)
    def predict_top_k(self, X, k):
        """Return the most probable labels of each row, without the full matrix.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.
        k : int
            How many labels of each row.

        Returns
        -------
        indices : ndarray of int64, shape (n_samples, k)
            Columns of `predict_proba`, the most probable first.
        probabilities : ndarray of shape (n_samples, k)
            Their probabilities, of the dtype that `predict_proba` returns.

        Raises
        ------
        ValueError
            If `k` is not a whole number between 1 and the number of columns, or the
            inputs are not of the fitted shape.
        """
        check_is_fitted(self)
        k = check_k(k, len(self.classes_))
        X = self._check_inputs(X, reset=False)
        indices = np.empty((X.shape[0], k), dtype=np.int64)
        proba = np.empty((X.shape[0], k), dtype=answer_dtype(X))
        start = 0
        for block in self._blocks(X, self._output.class_probabilities):
            rows = slice(start, start + len(block))
            indices[rows], proba[rows] = top_k(block, k)
            start = rows.stop
        return indices, proba

    def predict(self, X):
        """Predict, by `threshold` on the probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        y : ndarray or sparse matrix of shape (n_samples,) or (n_samples, n_labels)
            Classes, or a label matrix of the dtype of the fitted `y`, CSR if that was
            sparse.

        Raises
        ------
        ValueError
            If the inputs are not of the fitted shape.
        """
        check_is_fitted(self)
        check_threshold_for(self, self._target)
        X = self._check_inputs(X, reset=False)
        blocks = self._blocks(X, self._predictor(answer_dtype(X)))
        if self._target.kind == MULTILABEL:
            predicted = label_matrix(blocks, X.shape[0], self._target)
        else:
            predicted = np.concatenate(list(blocks))
        warn_few_predicted(predicted, self)
        return predicted

    def _predictor(self, dtype: Any = np.float64):
        """Return what predicts the classes of raw scores, or their labels."""
        rule = self._usable_rule()
        # Found once: rows are predicted in blocks, and a rule may have to learn.
        thresholds = self._output.thresholds(rule)
        return partial(
            self._output.predict, rule=rule, thresholds=thresholds, dtype=dtype
        )

    def _usable_rule(self):
        """Return the rule; without probabilities, it thresholds raw scores at 0."""
        rule = resolve_rule(self.threshold)
        if self._output.has_probabilities or isinstance(rule, Uncorrected):
            return rule
        if isinstance(rule, Accuracy) or (isinstance(rule, Given) and rule.is_default):
            return Uncorrected()
        raise ValueError(
            f"threshold={self.threshold!r} needs probabilities, but there are none: "
            "the loss has no inverse and no rows were held out to calibrate on. Fit "
            "with early_stopping=True, or set threshold='uncorrected'."
        )

    # ----------------------------------------------------------------------
    # scikit-learn

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_output")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = self._reads_tables()
        kinds = target_types_of(self.loss)
        tags.classifier_tags.multi_label = MULTILABEL in kinds
        tags.classifier_tags.multi_class = MULTICLASS in kinds
        return tags


def _n_features(shape):
    """Return the shape of a row as a module gets it."""
    return shape[0] if len(shape) == 1 else shape
