"""The estimators: what a user of scikit-learn sees."""

import copy
from dataclasses import replace

import numpy as np
import scipy.sparse as sp
import torch
from scipy.special import log_expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skimbalance._base import (
    DictParamsMixin,
    unchanged_on_error,
    warn_positive_class,
    warn_undefined,
    warn_user,
)
from skimbalance._net import (
    Batches,
    Checkpoint,
    DatasetRows,
    KeepBest,
    MemberModule,
    Net,
    ScoreModule,
    copied_callbacks,
    criterion_of,
    gradients,
    reads_integers,
    seeded,
    try_module,
)
from skimbalance._stratification import stratify
from skimbalance._validation import (
    BINARY,
    MULTICLASS,
    MULTILABEL,
    check_label_counts,
    check_same_length,
    check_target,
    check_weights,
    encode_like,
)
from skimbalance.exceptions import ImbalanceWarning
from skimbalance.losses._resolve import (
    check_link,
    check_loss,
    resolve_loss,
    target_types_of,
)
from skimbalance.modules import MLP
from skimbalance.neural_network._answers import (
    answer_dtype,
    both_classes,
    stacked,
    top_k,
    warn_no_label,
    warn_no_positive,
)
from skimbalance.neural_network._continuing import (
    check_warm_start,
    run_identity,
    take_over,
)
from skimbalance.neural_network._head import ClassHead, LabelHead
from skimbalance.neural_network._inputs import as_one_array, check_groups, read_inputs
from skimbalance.neural_network._monitor import (
    KeepLast,
    can_judge,
    check_scoring,
    make_monitor,
    try_score,
    unjudged_epochs,
)
from skimbalance.neural_network._outputs import NetOutputs, decoder
from skimbalance.neural_network._parameters import (
    as_switch,
    check_first_chunk,
    check_same_classes,
    check_same_positive,
    check_top_k,
    check_training_params,
    find_device,
    is_tiny,
    make_step,
    moves_data,
    optimizer_params,
    resolve_batch_size,
    resolve_optimizer,
    resolve_precision,
)
from skimbalance.neural_network._per_output import (
    check_class_weight,
    resolve_bias,
    resolve_weight,
)
from skimbalance.neural_network._rows import EncodedRows, encode_rows
from skimbalance.preprocessing import InputScaler
from skimbalance.thresholds._rules import (
    Accuracy,
    Given,
    Uncorrected,
    check_threshold,
    resolve_rule,
)

_VALIDATION_CELLS = 2**23
# One chunk of a prediction, of which a handful of copies are worked on.
_PREDICTION_BYTES = 2**23
_CALIBRATION_CELLS = 2**20
_MATCHED_CELLS = 2**22
_LEAST_CALIBRATION_ROWS = 100
# Scores that differ with the class that counts as positive.
_SCORES_OF_POSITIVES = {"average_precision", "f1", "jaccard", "precision", "recall"}
_TRIED_ROWS = 32


def _has_probabilities(estimator):
    """Whether probabilities can be told; an AttributeError with the reason if not."""
    if not estimator.__sklearn_is_fitted__() or estimator._head.has_probabilities:
        return True
    raise AttributeError(
        f"{type(estimator._head.loss).__name__} has no inverse, and no rows were held "
        "out to calibrate its scores on. Fit with early_stopping=True, pass X_val and "
        "y_val, or set correct_probabilities=False for the raw scores."
    )


class BaseImbalancedNet(DictParamsMixin, ClassifierMixin, BaseEstimator):
    """The estimator, but for the names of its parameters."""

    # ------------------------------------------------------------------------- fitting

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
        """Train the net, undo what the training distorts, and keep what decides.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features), \
                or torch Dataset
            Inputs; (n_samples, ...) for a module that takes more dimensions. A memory
            map is read batch by batch, and so is a map-style Dataset, whose items are
            inputs or tuples that begin with one.
        y : {array-like, sparse matrix, data frame} of shape (n_samples,) or \
                (n_samples, n_labels)
            Classes, or a label matrix of 0, 1 and NaN for a missing label. In a sparse
            one a cell that is not stored is 0 and a stored NaN is missing.
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
                default=None
            Weights of rows or cells. They define the population: probabilities are
            honest for the weighted one, and nothing is undone. 0 means that the row or
            cell is not there. A sparse matrix holds what the weights exceed 1 by.
        X_val : {array-like, sparse matrix} of shape (n_held_out, n_features), \
                default=None
            Rows to hold out, instead of a part of `X`.
        y_val : {array-like, sparse matrix} of shape (n_held_out,) or \
                (n_held_out, n_labels), default=None
            Their targets.
        sample_weight_val : array-like of shape (n_held_out,), default=None
            Their weights.
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
        with unchanged_on_error(self), gradients():
            X, groups = as_one_array(X, y=y), check_groups(groups)
            check_same_length(X=X, y=y, sample_weight=sample_weight, groups=groups)
            target = check_target(y, pos_label=self.pos_label)
            self._check_params(target)
            rows = self._encode(X, target, sample_weight, reset=True)
            held_out = self._encode_held_out(X_val, y_val, sample_weight_val, target)
            return self._fit(rows, held_out, target, groups)

    def partial_fit(self, X, y, classes=None, sample_weight=None, *, label_counts=None):
        """Train for one epoch on a chunk of the rows.

        Nothing is held out, no input statistics are gathered beyond those of the first
        chunk, and weights are not recomputed: what depends on the label counts needs
        them at the first call.

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
            Weights of rows or cells.
        label_counts : pair of array-like of shape (n_labels,), default=None
            ``(n_positive, n_negative)`` over all chunks to come: of each label, or, for
            a multiclass `y`, of each class against the rest. Sets the starting bias,
            and is needed at the first call by weight schemes and by losses that read
            counts. Without it the bias starts at zero.

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
            X = as_one_array(X, y=y)
            check_same_length(X=X, y=y, sample_weight=sample_weight)
            if self.__sklearn_is_fitted__():
                check_same_classes(self, classes)
                target = replace(self._target, values=self._encode_y(y))
                rows = self._encode(X, target, sample_weight, reset=False)
            else:
                target = _target_of_classes(y, classes, self.pos_label)
                self._check_params(target)
                check_first_chunk(self, target, classes, label_counts)
                rows = self._encode(X, target, sample_weight, reset=True)
                self._start(rows, target, label_counts)
            return self._train_chunk(rows, target)

    def _check_params(self, target):
        """Check the parameters, alone and with the target, before any work."""
        check_training_params(self)
        self._check_threshold(target)
        check_loss(
            resolve_loss(self.loss, self.loss_params, target.kind),
            target.n_outputs,
            self.label_smoothing,
        )
        check_scoring(self.scoring, target, self.pos_label)
        check_class_weight(self.class_weight, target)
        resolve_weight("pos_weight", self.pos_weight, target)
        resolve_weight("label_weight", self.label_weight, target)
        resolve_bias(self.init_bias, target)
        goes_on = self.warm_start and self.__sklearn_is_fitted__()
        if goes_on and np.array_equal(target.classes, self.classes_):
            check_same_positive(self, target.positive)
        if target.kind == MULTICLASS and self.label_weight is not None:
            raise ValueError(
                "label_weight goes with a label matrix; weigh the classes of a 1-D y "
                "by class_weight or pos_weight."
            )

    def _check_inputs(self, X, reset, name="X"):
        """Return inputs of any container as an array, a CSR array or `DatasetRows`."""
        X = read_inputs(self, X, reset, self._module()[0] is not MLP, name)
        if reset:
            self._input_shape = X.shape[1:]
        return X

    def _encode(self, X, target, sample_weight, reset, names=("X", "y")):
        X = self._check_inputs(X, reset, names[0])
        return encode_rows(X, target, sample_weight, self.class_weight, names[1])

    def _encode_y(self, y, name="y"):
        return encode_like(y, self._target, name)

    def _encode_held_out(self, X_val, y_val, sample_weight_val, target):
        if X_val is None and y_val is None:
            if sample_weight_val is not None:
                raise ValueError("sample_weight_val goes with X_val and y_val.")
            return None
        if X_val is None or y_val is None:
            raise ValueError("X_val and y_val go together: pass both or neither.")
        X_val = as_one_array(X_val, "X_val", y_val)
        check_same_length(X_val=X_val, y_val=y_val, sample_weight_val=sample_weight_val)
        target = replace(target, values=encode_like(y_val, target, "y_val"))
        names = "X_val", "y_val"
        return self._encode(X_val, target, sample_weight_val, reset=False, names=names)

    def _fit(self, rows, held_out, target, groups):
        checkpoint = self._open_checkpoint()
        seed = None if checkpoint is None else checkpoint.seed
        if seed is None:
            seed = _draw_seed(_generator(self.random_state))
        rng = np.random.RandomState(seed)
        vars(self).pop("_rng", None)
        counts = all_counts = _count(target, rows)
        if held_out is None and self._holds_out(len(rows)):
            rows, held_out = self._split(rows, target, groups, rng)
            counts = _count(target, rows)
        if held_out is None and self._rule().needs_held_out:
            raise ValueError(
                f"threshold={self.threshold!r} learns from held-out rows, and "
                f"there are none among {len(rows)} rows: pass X_val and y_val, set "
                "early_stopping=True, or wrap the estimator in "
                "skimbalance.thresholds.MultilabelFixedThresholdClassifier."
            )
        previous = self._net_to_continue(target, rows)
        head = self._make_head(target, counts, all_counts, held_out is not None)
        self._set_head(head, target, rows)
        _warn_constant(self._head.trained)
        if self._head.trained.any():
            with seeded(seed, self.device_):
                self.net_ = self._make_net(rows)
                if previous is not None:
                    take_over(self.net_, previous, not hasattr(self, "module_params"))
                if checkpoint is not None:
                    checkpoint.seed = seed
                    checkpoint.about = run_identity(self, rows, held_out)
                self._train(rows, held_out, counts, checkpoint)
        return self

    def _open_checkpoint(self):
        """Return what saves the epochs, with what an earlier run has saved, or None."""
        if self.checkpoint is None:
            return None
        return Checkpoint(self.checkpoint, self.resume)

    def _rule(self):
        return resolve_rule(self.threshold, self.threshold_params)

    def _check_threshold(self, target):
        check_threshold(
            self.threshold,
            self.threshold_params,
            target.kind,
            target.n_outputs,
            target.output_names,
        )

    def _holds_out(self, n_rows):
        if isinstance(self.early_stopping, str):
            return not is_tiny(n_rows)
        return bool(self.early_stopping)

    def _split(self, rows, target, groups, rng):
        """Hold out some rows, stratified, as an index into the same arrays."""
        n_rows = len(rows)
        n_held = max(1, round(self.validation_fraction * n_rows))
        n_held = min(n_held, max(100, _VALIDATION_CELLS // target.n_outputs))
        labels = rows.rarer_values()
        groups = None if groups is None else np.asarray(groups)[rows.index]
        sizes = n_rows - n_held, n_held
        part = stratify(labels, sizes, rng, groups, n_required=2)
        if part.all() or not part.any():
            raise ValueError(
                "The rows cannot be split into a training and a validation part. Pass "
                "more rows or groups, X_val and y_val, or early_stopping=False."
            )
        return rows.at(rows.index[part == 0]), rows.at(rows.index[part == 1])

    def _net_to_continue(self, target, rows):
        """Return the net of an earlier fit when `warm_start` asks to go on with it."""
        if not self.warm_start or getattr(self, "net_", None) is None:
            return None
        check_warm_start(self, target, self._standardizes(rows))
        return self.net_

    def _asks_about_positives(self, target, pos_weight):
        """Yield the parameters that treat the positive class in its own way."""
        if target.kind != BINARY:
            return
        is_array = isinstance(pos_weight, np.ndarray)
        if pos_weight is not None and not (is_array and (pos_weight == 1).all()):
            yield "pos_weight"
        if self._rule().is_about_positives:
            yield "threshold"
        if isinstance(self.scoring, str) and self.scoring in _SCORES_OF_POSITIVES:
            yield "scoring"

    def _make_head(self, target, counts, all_counts, holds_out=False):
        loss = resolve_loss(self.loss, self.loss_params, target.kind)
        pos_weight = resolve_weight("pos_weight", self.pos_weight, target)
        asking = next(self._asks_about_positives(target, pos_weight), None)
        if asking is not None and all_counts is not None:
            asked = f"{asking}={getattr(self, asking)!r}"
            warn_positive_class(target, self.pos_label, asked, all_counts)
        head = ClassHead if target.kind == MULTICLASS else LabelHead
        head = head(
            loss,
            target.n_outputs,
            counts,
            all_counts,
            pos_weight=pos_weight,
            label_weight=resolve_weight("label_weight", self.label_weight, target),
            correct=as_switch(self.correct_probabilities),
            smoothing=self.label_smoothing,
        )
        if counts is None or head.trained.any():
            correct = as_switch(self.correct_probabilities)
            check_link(head.loss, head.link, correct, holds_out)
        return head

    def _set_head(self, head, target, rows):
        """Set the fitted attributes that are known before training."""
        self._head, self._target = head, replace(target, values=None)
        head.label_names = target.output_names
        self.classes_ = target.classes
        vars(self).pop("label_names_", None)
        if target.label_names is not None:
            self.label_names_ = target.label_names
        self.loss_, self.prior_ = head.loss, head.prior
        ones = np.ones(head.n_outputs)
        self.pos_weight_ = ones if head.pos_weight is None else head.pos_weight
        if target.kind != MULTICLASS:
            self.n_labels_ = target.n_outputs
            self._share_without_label = rows.fraction_without_label()
        self.device_ = find_device(self)
        self._dtype = resolve_precision(self.precision, rows.X, self.device_)
        if not (self.warm_start and getattr(self, "net_", None) is not None):
            # A warm start keeps the scaler under the weights that it goes on with.
            self.scaler_ = self._fit_scaler(rows)
        self.net_, self.history_, self.n_iter_, self.best_score_ = None, [], 0, None

    def _standardizes(self, rows):
        """Whether inputs are scaled before the module reads them."""
        standardize, is_dataset = self.standardize, isinstance(rows.X, DatasetRows)
        if isinstance(standardize, str):
            return self._module()[0] is MLP and not is_dataset
        if standardize and is_dataset:
            raise ValueError(
                "standardize=True needs X as an array; a Dataset scales its own items."
            )
        return bool(standardize)

    def _fit_scaler(self, rows):
        if not self._standardizes(rows):
            return None
        return InputScaler().fit(rows.X, sample_weight=rows.row_weight())

    def _make_net(self, rows):
        build, params = self._module(len(rows), sp.issparse(rows.X))
        shape = self._input_shape
        optimizer = optimizer_params(
            self.optimizer, self.optimizer_params, self.weight_decay, self.device_
        )
        step = make_step(self)
        net = Net(
            module=ScoreModule if self.n_members == 1 else MemberModule,
            module__build=build,
            module__params=params,
            module__n_features=shape[0] if len(shape) == 1 else shape,
            module__n_outputs=self._head.n_outputs,
            module__bias=self._initial_bias(),
            module__dtype=self._dtype,
            **({} if self.n_members == 1 else {"module__n_members": self.n_members}),
            criterion=criterion_of(self._head.loss),
            criterion__loss=copy.deepcopy(self._head.loss),
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
            compile=self.compile,
            verbose=self.verbose,
            **{f"optimizer__{key}": value for key, value in optimizer.items()},
            **(self.net_params or {}),
        ).initialize()
        net.step_ = step
        self._try_module(net, rows)
        net.outputs_, self._net_shape = NetOutputs(self), shape
        return net

    def _try_module(self, net, rows):
        """Try the module on some rows, and find out whether it reads integers."""
        few = rows.at(rows.index[:_TRIED_ROWS])
        takes_any = self.scaler_ is None and self._module()[0] is not MLP
        if takes_any and np.issubdtype(rows.X.dtype, np.integer):
            net.module_.reads_integers = not sp.issparse(rows.X) and reads_integers(
                net.module_, self._first_batch(few, net, torch.int64)
            )
        try_module(net.module_, self._first_batch(few, net))

    def _first_batch(self, rows, net, x_dtype=None):
        read = self._as_read(rows, net, x_dtype=x_dtype)
        x, _ = next(iter(Batches(read, len(rows))))
        return x

    def _initial_bias(self):
        bias = resolve_bias(self.init_bias, self._target)
        return self._head.initial_bias() if isinstance(bias, str) else bias

    def _as_read(self, rows, net=None, moves=False, x_dtype=None):
        """Return encoded rows as the net reads them."""
        net = net or self.net_
        if x_dtype is None and net.module_.reads_integers:
            x_dtype = torch.int64
        read = rows.row_set(
            self._dtype, self.device_, self.scaler_, net.reads_sparse, moves, x_dtype
        )
        read.decode = decoder(self._target)
        return read

    def _as_trained_on(self, rows):
        """Return encoded rows as the net reads them, moved to it if that pays."""
        moves = moves_data(self.data_device, self.device_, rows.n_bytes)
        return self._as_read(rows, moves=moves)

    def _train(self, rows, held_out, counts, checkpoint):
        self._reweigh(rows, counts)
        watched = None if held_out is None else self._as_trained_on(held_out)
        keeper, epochs = self._keeper(rows, held_out)
        self._run(rows, watched, epochs, keeper, checkpoint)
        if held_out is not None:
            self._calibrate(rows, held_out)
        self.net_.outputs_ = NetOutputs(self)

    def _keeper(self, rows, held_out):
        """Return what keeps the best weights, and the most epochs."""
        epochs = int(self.max_epochs)
        if held_out is None:
            return KeepBest(), epochs
        kind, values = self._target.kind, held_out.taken("values")
        if can_judge(self.scoring, kind, self._head, values):
            patience = self.n_iter_no_change if self.early_stopping else None
            return KeepBest(self._monitor(held_out), patience), epochs
        if self.early_stopping:
            rows_of_a_step = self.net_.batch_size * self.gradient_accumulation
            epochs = min(epochs, unjudged_epochs(len(rows), rows_of_a_step))
        return KeepLast(), epochs

    def _monitor(self, held_out):
        """Return what early stopping watches; a score of the user is tried first."""
        values = held_out.taken("values")
        score = make_monitor(
            self.scoring,
            self._head,
            self._target,
            held_out.taken("X") if callable(self.scoring) else None,
            values,
        )
        if score is not None and self.scoring is not None:
            try_score(score, self.scoring, self._target, values)
        return score

    def _reweigh(self, rows, counts):
        """Tell the batch loss the weights of these rows."""
        params = self._head.criterion_params(counts, len(rows), rows.values)
        self.net_.reweigh(copy.deepcopy(self._head.loss), params)

    def _run(self, rows, watched, epochs, keeper, checkpoint=None):
        if self.net_.history:
            keeper.start_from(self.net_.module_)
        rows = self._as_trained_on(rows)
        self.net_.train(rows, watched, epochs, keeper, checkpoint)
        self._head.loss.load_state_dict(self.net_.criterion_.loss.state_dict())
        if any(True for _ in self._head.loss.parameters()):  # which were trained, too
            self._head.find_link()
        self.history_ = self.net_.epochs()
        self.n_iter_ = len(self.history_)
        best = keeper.best.value
        self.best_score_ = best if np.isfinite(best) else None

    def _calibrate(self, rows, held_out):
        """Fit what the inverse of the loss leaves over.

        Slope and intercept come from rows that did not train. A tenth of the rows holds
        a tenth of the positives: how many of a label there are is known better from all
        rows. Those that the user has held out may be of another population than those
        that trained, so they stand for themselves.
        """
        split = rows.X is held_out.X
        index = np.union1d(rows.index, held_out.index) if split else held_out.index
        meant = held_out.at(index)
        counts = _count(self._target, meant)
        seen = self._scored(self._thinned(held_out, _CALIBRATION_CELLS))
        self._head.calibrate(*seen, counts)
        if self._head.calibrator is not None:
            scored = self._thinned(meant, _MATCHED_CELLS)
            doubt = 1 - len(scored) / len(meant) if split else 1.0
            self._head.match_prevalence(*self._scored(scored), counts, doubt)
            if split:
                self._head.match_level(*seen, counts)
        if self._rule().needs_held_out:
            self._learn_thresholds(*seen)

    def _learn_thresholds(self, raw, values, weight):
        """Learn the thresholds; a failure must not lose the training before it."""
        try:
            self._head.learn_thresholds(self._rule(), raw, values, weight)
        except Exception as error:
            warn_user(
                f"The net is trained, but threshold={self.threshold!r} could not "
                f"learn its thresholds ({type(error).__name__}: {error}). Give predict "
                "another one, such as set_params(threshold=0.5).",
                ImbalanceWarning,
            )

    def _thinned(self, rows, most_cells):
        """Return every so many rows, of about so many outputs in all."""
        most = max(_LEAST_CALIBRATION_ROWS, most_cells // self._head.n_outputs)
        return rows.at(rows.index[:: -(-len(rows) // most)])

    def _scored(self, rows):
        """Return the raw scores, the targets and the weights of rows."""
        read = self._as_trained_on(rows)
        raw = torch.cat(list(self.net_.raw_scores(read, self.net_.batch_size)))
        return raw, rows.taken("values"), rows.taken("weight")

    def _start(self, rows, target, label_counts):
        """Make the head and the net before the first chunk."""
        if label_counts is not None:
            label_counts = check_label_counts(label_counts, n_labels=target.n_outputs)
        head = self._make_head(target, label_counts, label_counts)
        self._set_head(head, target, rows)
        with seeded(self._next_seed(), self.device_):
            self.net_ = self._make_net(rows)

    def _next_seed(self):
        """Return a seed for one more chunk, from a generator that goes on."""
        if not hasattr(self, "_rng"):
            self._rng = _generator(self.random_state)
        return _draw_seed(self._rng)

    def _train_chunk(self, rows, target):
        counts = _count(target, rows)
        self._head.see(counts)
        with seeded(self._next_seed(), self.device_):
            if self.net_ is None:  # a fit on labels of one value only
                self.net_ = self._make_net(rows)
            self._reweigh(rows, counts)
            self._run(rows, None, 1, KeepBest())
        return self

    # ----------------------------------------------------------------------- predicting

    @property
    def calibrator_(self):
        """What corrects the scores after the inverse of the loss, or None."""
        check_is_fitted(self)
        return self._head.calibrator

    @property
    def members_(self):
        """The trained nets as torch modules, one for each member."""
        check_is_fitted(self)
        if self.net_ is None:
            return []
        return self.net_.module_.members()

    @property
    def probabilities_honest_(self):
        """Whether the probabilities are free of the distortion of the training."""
        check_is_fitted(self)
        return self._head.is_honest

    def _blocks(self, X, answer):
        """Yield ``answer(raw_scores)`` of the rows of checked inputs, in order."""
        n_rows, n_outputs = X.shape[0], self._head.n_outputs
        rows = None
        if self.net_ is not None:
            rows = self._as_read(EncodedRows(X, None, None, np.arange(n_rows)))
        width = 8 * n_outputs + (0 if rows is None else rows.batch_row_bytes)
        size = int(np.clip(_PREDICTION_BYTES // width, 1, max(n_rows, 1)))
        if rows is None:
            for start in range(0, n_rows, size):
                rows = min(size, n_rows - start)
                yield answer(torch.zeros(rows, n_outputs, dtype=torch.float64))
            return
        for raw in self.net_.raw_scores(rows, size):
            yield answer(raw)

    def _filled(self, X, answer):
        """Return the answers for all rows in one array of the inputs' precision."""
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
        scores = self._filled(X, lambda raw: self._head.scores(raw))
        if self._target.kind != BINARY:
            return scores
        return (-scores if self._target.is_flipped else scores).ravel()

    def _class_probabilities(self, raw):
        """Return a column for each class, or for each label of a label matrix."""
        scores = self._head.scores(raw)
        if self._target.kind == BINARY:
            return both_classes(scores, self._target)
        return self._head.probabilities(scores)

    def _class_log_probabilities(self, raw):
        """Return log-probabilities, finite where a probability is too small."""
        scores = self._head.scores(raw)
        if self._target.kind == BINARY:
            return both_classes(scores, self._target, log=True)
        return log_expit(scores) if self._target.kind == MULTILABEL else scores

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
            Of each class, or that each label is 1. float32 for float32 inputs, else
            float64. Honest if `probabilities_honest_`.

        Raises
        ------
        ValueError
            If the inputs are not of the fitted shape.
        """
        return self._filled(X, self._class_probabilities)

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
            exact = self._filled(X, self._class_log_probabilities)
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
        check_top_k(k, len(self.classes_))
        X = self._check_inputs(X, reset=False)
        indices = np.empty((X.shape[0], k), dtype=np.int64)
        proba = np.empty((X.shape[0], k), dtype=answer_dtype(X))
        start = 0
        for block in self._blocks(X, self._class_probabilities):
            rows = slice(start, start + len(block))
            indices[rows], proba[rows] = top_k(block, k)
            start = rows.stop
        return indices, proba

    def predict(self, X):
        """Decide, by `threshold` on the probabilities.

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
        self._check_threshold(self._target)
        X = self._check_inputs(X, reset=False)
        blocks = self._blocks(X, self._class_predictions)
        if self._target.kind == MULTILABEL:
            return self._label_matrix(blocks, X.shape[0])
        predicted = np.concatenate(list(blocks))
        if self._target.kind == BINARY and len(self.classes_) == 2:
            positive = self.classes_[self._target.positive]
            warn_no_positive(predicted, positive, self.prior_[0])
        return predicted

    def _class_predictions(self, raw):
        """Return the classes of raw scores, or the labels of a label matrix."""
        predicted = self._head.decide(raw, self._usable_rule())
        if self._target.kind == MULTILABEL:
            return predicted
        if len(self.classes_) == 1:
            return np.repeat(self.classes_, len(predicted))
        if self._target.kind == BINARY:
            positive = self._target.positive
            predicted = np.where(predicted.ravel(), positive, 1 - positive)
        return self.classes_[predicted]

    def _usable_rule(self):
        """Return the rule; without probabilities only the raw scores are left."""
        rule = self._rule()
        if self._head.has_probabilities or isinstance(rule, Uncorrected):
            return rule
        if isinstance(rule, Accuracy) or (isinstance(rule, Given) and rule.is_default):
            return Uncorrected()
        raise ValueError(
            f"threshold={self.threshold!r} needs probabilities, but there are none: "
            "the loss has no inverse and no rows were held out to calibrate on. Fit "
            "with early_stopping=True, or set threshold='trained'."
        )

    def _label_matrix(self, blocks, n_rows):
        """Stack decided blocks in the container and the dtype of the fitted `y`."""
        sparse_type, dtype = self._target.sparse_type, self._target.dtype
        if sparse_type is None:
            labels = stacked(blocks, n_rows, dtype)
        else:
            labels = sp.vstack([sp.csr_array(block.astype(dtype)) for block in blocks])
            labels = sparse_type(labels)
        n_empty = n_rows - np.count_nonzero(np.asarray(labels.sum(axis=1)))
        warn_no_label(n_empty, n_rows, self._share_without_label)
        return labels

    def score(self, X, y, sample_weight=None):
        """Return the share of rows that are decided right in all their labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.
        y : {array-like, sparse matrix} of shape (n_samples,) or (n_samples, n_labels)
            Targets; a missing label is right whatever is decided.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        score : float
            The accuracy; for a label matrix the subset accuracy.

        Raises
        ------
        ValueError
            If the inputs are not of the fitted shape.
        """
        if not self.__sklearn_is_fitted__() or self._target.kind != MULTILABEL:
            return super().score(X, y, sample_weight)
        labels, decided = self._encode_y(y), self.predict(X)
        labels = labels.toarray() if sp.issparse(labels) else labels
        decided = decided.toarray() if sp.issparse(decided) else decided
        right = ((labels == decided) | (labels < 0)).all(axis=1)
        weight = check_weights(sample_weight, len(right))
        return float(np.average(right, weights=weight))

    # ----------------------------------------------------------------------
    # scikit-learn

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_head")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        kinds = target_types_of(self.loss)
        tags.classifier_tags.multi_label = MULTILABEL in kinds
        tags.classifier_tags.multi_class = MULTICLASS in kinds
        return tags

    def __getstate__(self):
        # Processes and their connections cannot be stored.
        return super().__getstate__() | {"accelerator": None}

    def __setstate__(self, state):
        super().__setstate__(state)
        if getattr(self, "net_", None) is not None:
            # A net trained on a device that is not here has moved to the CPU.
            self.device_ = torch.device(self.net_.device)


def _generator(random_state):
    """Return a generator; None draws fresh entropy, not NumPy's global state."""
    if random_state is None:
        return np.random.RandomState()
    return check_random_state(random_state)


def _draw_seed(rng):
    return int(rng.randint(np.iinfo(np.int32).max))


def _count(target, rows):
    """Return the weighted counts of each output over the rows that are meant."""
    count = ClassHead.count if target.kind == MULTICLASS else LabelHead.count
    return count(rows.taken("values"), rows.taken("weight"), target.n_outputs)


def _target_of_classes(y, classes, pos_label):
    """Encode a first chunk: a 1-D `y` by all its classes, of which it may lack some."""
    if classes is None or sp.issparse(y) or np.ndim(y) == 2:
        return check_target(y, pos_label=pos_label)
    target = check_target(np.asarray(classes), "classes", pos_label)
    return replace(target, values=encode_like(y, target))


def _warn_constant(trained):
    if trained.all():
        return
    columns = np.flatnonzero(~trained)
    shown = ", ".join(map(str, columns[:5])) + (", ..." if len(columns) > 5 else "")
    warn_undefined(
        f"{len(columns)} of {len(trained)} labels have one value only in y (columns "
        f"{shown}); they are left out of the training and predicted as a constant."
    )
