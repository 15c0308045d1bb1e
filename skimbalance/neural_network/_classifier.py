"""The estimators: what a user of scikit-learn sees."""

import copy
from dataclasses import replace

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from skimbalance._base import (
    DictParamsMixin,
    unchanged_on_error,
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
    copy_state,
    criterion_of,
    fingerprint,
    seeded,
)
from skimbalance._stratification import positives, stratify
from skimbalance._validation import (
    BINARY,
    MULTICLASS,
    MULTILABEL,
    check_choice,
    check_label_counts,
    check_same_length,
    check_target,
    check_weights,
    encode_like,
)
from skimbalance.exceptions import NoPositivePredictedWarning
from skimbalance.losses._resolve import check_link, check_loss, resolve_loss
from skimbalance.modules import MLP
from skimbalance.neural_network._decisions import reads_held_out_rows
from skimbalance.neural_network._head import ClassHead, LabelHead
from skimbalance.neural_network._monitor import find_scorer, make_monitor
from skimbalance.neural_network._parameters import (
    check_module,
    check_net_params,
    check_threshold,
    check_top_k,
    check_training_params,
    find_device,
    is_tiny,
    make_step,
    moves_data,
    optimizer_params,
    resolve_batch_size,
    resolve_precision,
)
from skimbalance.neural_network._rows import EncodedRows, encode_rows
from skimbalance.preprocessing import InputScaler
from skimbalance.weights import PosWeightTransformer

_VALIDATION_CELLS = 2**23
# One chunk of a prediction, of which a handful of copies are worked on.
_PREDICTION_BYTES = 2**23
_CALIBRATION_CELLS = 2**20
_LEAST_CALIBRATION_ROWS = 100


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
        with unchanged_on_error(self):
            check_same_length(X=X, y=y, sample_weight=sample_weight, groups=groups)
            target = check_target(y)
            self._check_params(target)
            rows = self._encode(X, target, sample_weight, y, reset=True)
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
        with unchanged_on_error(self):
            check_same_length(X=X, y=y, sample_weight=sample_weight)
            if self.__sklearn_is_fitted__():
                target = replace(self._target, values=self._encode_y(y))
                rows = self._encode(X, target, sample_weight, y, reset=False)
            else:
                target = check_target(y) if classes is None else _of_classes(y, classes)
                self._check_params(target)
                self._check_first_chunk(target, classes, label_counts)
                rows = self._encode(X, target, sample_weight, y, reset=True)
                self._start(rows, target, label_counts)
            return self._train_chunk(rows, target)

    def _check_params(self, target):
        check_training_params(self)
        check_net_params(self.net_params)
        self._check_threshold(target.kind, target.n_outputs)
        check_module(*self._module())
        if self.scoring not in (None, "loss"):
            find_scorer(self.scoring)
        check_loss(
            resolve_loss(self.loss, self.loss_params, target.kind),
            target.n_outputs,
            self.label_smoothing,
        )
        optimizer_params(
            self.optimizer,
            self.optimizer_params,
            self.weight_decay,
            find_device(self),
        )
        if target.kind == MULTICLASS and self.label_weight is not None:
            raise ValueError(
                "label_weight goes with a label matrix; weigh the classes of a 1-D y "
                "by class_weight or pos_weight."
            )

    def _check_inputs(self, X, reset):
        if isinstance(X, torch.utils.data.Dataset):
            X = DatasetRows(X)
            self.n_features_in_ = X.shape[1] if reset else self.n_features_in_
        else:
            X = self._check_array(X, reset)
        if reset:
            self._input_shape = X.shape[1:]
        elif X.shape[1:] != self._input_shape:
            raise ValueError(
                f"X has rows of shape {X.shape[1:]}, but the estimator was fitted with "
                f"rows of shape {self._input_shape}."
            )
        return X

    def _check_array(self, X, reset):
        X = validate_data(
            self,
            X,
            reset=reset,
            accept_sparse="csr",
            order="C",
            allow_nd=self._module()[0] is not MLP,
        )
        return sp.csr_array(X) if sp.issparse(X) else X

    def _encode(self, X, target, sample_weight, y, reset):
        X = self._check_inputs(X, reset)
        return encode_rows(X, target, sample_weight, self.class_weight, y)

    def _encode_y(self, y, name="y"):
        return encode_like(y, self._target, name)

    def _encode_held_out(self, X_val, y_val, sample_weight_val, target):
        if X_val is None and y_val is None:
            return None
        if X_val is None or y_val is None:
            raise ValueError("X_val and y_val go together: pass both or neither.")
        check_same_length(X_val=X_val, y_val=y_val, sample_weight_val=sample_weight_val)
        target = replace(target, values=encode_like(y_val, target, "y_val"))
        return self._encode(X_val, target, sample_weight_val, y_val, reset=False)

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
            pairs = zip(all_counts, _count(target, held_out), strict=True)
            counts = tuple(np.maximum(total - held, 0.0) for total, held in pairs)
        if held_out is None and reads_held_out_rows(self.threshold):
            raise ValueError(
                f"threshold={self.threshold!r} takes its cuts from held-out rows, and "
                f"there are none among {len(rows)} rows: pass X_val and y_val, set "
                "early_stopping=True, or wrap the estimator in "
                "skimbalance.thresholds.MultilabelFixedThresholdClassifier."
            )
        previous = self._net_to_continue(target)
        head = self._make_head(target, counts, all_counts, held_out is not None)
        self._set_head(head, target, rows)
        _warn_constant(self._head.trained)
        if self._head.trained.any():
            with seeded(seed, self.device_):
                self.net_ = previous or self._make_net(rows)
                if checkpoint is not None:
                    checkpoint.seed = seed
                    checkpoint.about = self._identity(rows, held_out)
                self._train(rows, held_out, counts, checkpoint)
        return self

    def _open_checkpoint(self):
        """Return what saves the epochs, with what an earlier run has saved, or None."""
        if self.checkpoint is None:
            return None
        return Checkpoint(self.checkpoint, self.resume)

    def _identity(self, rows, held_out):
        """Return what a run has in common with one that may resume it."""
        sizes = [
            tuple(value.shape) for value in self.net_.module_.state_dict().values()
        ]
        return {
            "loss": repr(self._head.loss),
            "optimizer": self.optimizer.__name__,
            "batch_size": self.net_.batch_size,
            "precision": self.precision,
            "sizes of the weights": sizes,
            "number of training rows": len(rows),
            "number of held-out rows": 0 if held_out is None else len(held_out),
            "fingerprint of X": fingerprint(rows.X),
            "fingerprint of the label counts": fingerprint(self.prior_),
        }

    def _check_threshold(self, kind, n_outputs):
        check_threshold(self.threshold, self.threshold_params, kind, n_outputs)

    def _holds_out(self, n_rows):
        if self.early_stopping == "auto":
            return not is_tiny(n_rows)
        return self.early_stopping

    def _split(self, rows, target, groups, rng):
        """Hold out some rows, stratified, as an index into the same arrays."""
        n_rows = len(rows)
        n_held = max(1, round(self.validation_fraction * n_rows))
        n_held = min(n_held, max(100, _VALIDATION_CELLS // target.n_outputs))
        labels = positives(rows.values)
        if n_rows < rows.X.shape[0]:
            labels = labels[rows.index]
        groups = None if groups is None else np.asarray(groups)[rows.index]
        part = stratify(labels, (n_rows - n_held, n_held), rng, groups)
        if part.all() or not part.any():
            raise ValueError(
                "The rows cannot be split into a training and a validation part. Pass "
                "more rows or groups, X_val and y_val, or early_stopping=False."
            )
        return rows.at(rows.index[part == 0]), rows.at(rows.index[part == 1])

    def _net_to_continue(self, target):
        """Return the net of an earlier fit when `warm_start` asks to go on with it."""
        if not self.warm_start or not self.__sklearn_is_fitted__():
            return None
        if not np.array_equal(self.classes_, target.classes):
            raise ValueError(
                "warm_start=True goes on with the classes and labels of the earlier "
                "fit, but y has others. Set warm_start=False to start anew."
            )
        if self.net_ is not None and self._input_shape != self._net_shape:
            raise ValueError(
                f"warm_start=True goes on with rows of shape {self._net_shape}, but X "
                f"has rows of shape {self._input_shape}. Set warm_start=False to start "
                "anew."
            )
        return self.net_

    def _make_head(self, target, counts, all_counts, holds_out=False):
        loss = resolve_loss(self.loss, self.loss_params, target.kind)
        head = ClassHead if target.kind == MULTICLASS else LabelHead
        head = head(
            loss,
            target.n_outputs,
            counts,
            all_counts,
            pos_weight=self.pos_weight,
            label_weight=self.label_weight,
            correct=self.correct_probabilities,
            smoothing=self.label_smoothing,
        )
        if head.trained.any():
            check_link(head.loss, head.link, self.correct_probabilities, holds_out)
        return head

    def _set_head(self, head, target, rows):
        """Set the fitted attributes that are known before training."""
        self._head, self._target = head, replace(target, values=None)
        self.classes_ = target.classes
        vars(self).pop("label_names_", None)
        if target.label_names is not None:
            self.label_names_ = target.label_names
        self.loss_, self.prior_ = head.loss, head.prior
        ones = np.ones(head.n_outputs)
        self.pos_weight_ = ones if head.pos_weight is None else head.pos_weight
        if target.kind != MULTICLASS:
            self.n_labels_ = target.n_outputs
            self._share_without_label = _share_without_label(rows)
        self.device_ = find_device(self)
        self._dtype = resolve_precision(self.precision, rows.X, self.device_)
        self.scaler_ = self._fit_scaler(rows)
        self.net_, self.history_, self.n_iter_, self.best_score_ = None, [], 0, None

    def _fit_scaler(self, rows):
        standardize, is_dataset = self.standardize, isinstance(rows.X, DatasetRows)
        if standardize == "auto":
            standardize = self._module()[0] is MLP and not is_dataset
        elif standardize and is_dataset:
            raise ValueError(
                "standardize=True needs X as an array; a Dataset scales its own items."
            )
        if not standardize:
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
            optimizer=self.optimizer,
            lr=self.lr,
            batch_size=resolve_batch_size(self.batch_size, len(rows)),
            iterator_train=Batches,
            iterator_train__shuffle=True,
            iterator_train__num_workers=self.num_workers,
            iterator_train__accumulate=self.gradient_accumulation,
            iterator_train__part=step.part,
            iterator_valid=Batches,
            train_split=None,
            callbacks=copy.deepcopy(self.callbacks),
            device=self.device_,
            verbose=self.verbose,
            **{f"optimizer__{key}": value for key, value in optimizer.items()},
            **(self.net_params or {}),
        ).initialize()
        net.step = step
        few = self._as_read(rows.at(rows.index[:2]), net)
        next(net.raw_scores(few, len(few)))  # a module that does not fit fails here
        self._net_shape = shape
        if self.compile:
            net.compile_module()
        return net

    def _initial_bias(self):
        if isinstance(self.init_bias, str):
            check_choice("init_bias", self.init_bias, {"prior", "zero"})
            if self.init_bias == "prior":
                return self._head.initial_bias()
            return np.zeros(self._head.n_outputs)
        bias = np.asarray(self.init_bias, dtype=np.float64)
        return np.broadcast_to(bias, (self._head.n_outputs,)).copy()

    def _as_read(self, rows, net=None, moves=False):
        """Return encoded rows as the net reads them."""
        keep_sparse = (net or self.net_).reads_sparse
        return rows.row_set(self._dtype, self.device_, self.scaler_, keep_sparse, moves)

    def _as_trained_on(self, rows):
        """Return encoded rows as the net reads them, moved to it if that pays."""
        moves = moves_data(self.data_device, self.device_, rows.n_bytes)
        return self._as_read(rows, moves=moves)

    def _train(self, rows, held_out, counts, checkpoint):
        self._reweigh(rows, counts)
        watched = score = patience = None
        if held_out is not None:
            watched = self._as_trained_on(held_out)
            score = self._monitor(held_out)
            patience = self.n_iter_no_change if self.early_stopping else None
        keeper = KeepBest(score, patience)
        self._run(rows, watched, int(self.max_epochs), keeper, checkpoint)
        if held_out is not None:
            self._calibrate(held_out)

    def _monitor(self, held_out):
        return make_monitor(
            self.scoring,
            self._head,
            self._target.kind,
            self.classes_,
            held_out.taken("X") if callable(self.scoring) else None,
            held_out.taken("values"),
        )

    def _reweigh(self, rows, counts):
        """Tell the batch loss the weights of these rows."""
        params = self._head.criterion_params(counts, len(rows), rows.values)
        self.net_.reweigh(copy.deepcopy(self._head.loss), params)

    def _run(self, rows, watched, epochs, keeper, checkpoint=None):
        if self.net_.history:
            keeper.state = copy_state(self.net_.module_)
        rows = self._as_trained_on(rows)
        self.net_.train(rows, watched, epochs, keeper, checkpoint)
        self._head.loss.load_state_dict(self.net_.criterion_.loss.state_dict())
        if any(True for _ in self._head.loss.parameters()):  # which were trained, too
            self._head.find_link()
        self.history_ = self.net_.epochs()
        self.n_iter_ = len(self.history_)
        self.best_score_ = keeper.best_value if watched is not None else None

    def _calibrate(self, held_out):
        """Fit what the inverse of the loss leaves over, on rows that did not train."""
        most = max(_LEAST_CALIBRATION_ROWS, _CALIBRATION_CELLS // self._head.n_outputs)
        held_out = held_out.at(held_out.index[:: -(-len(held_out) // most)])
        read = self._as_trained_on(held_out)
        raw = self.net_.raw_scores(read, len(held_out))
        seen = torch.cat(list(raw)), held_out.taken("values"), held_out.taken("weight")
        self._head.calibrate(*seen)
        if reads_held_out_rows(self.threshold):
            self._head.learn_cuts(self.threshold, self.threshold_params, *seen)

    def _check_first_chunk(self, target, classes, label_counts):
        if classes is None and target.kind != MULTILABEL:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        weights = {"pos_weight": self.pos_weight, "label_weight": self.label_weight}
        counting = [
            f"{name}={weight!r}"
            for name, weight in weights.items()
            if isinstance(weight, (str, PosWeightTransformer))
        ]
        if resolve_loss(self.loss, self.loss_params, target.kind).needs_counts:
            counting.append(f"loss={self.loss!r}")
        if self.label_smoothing:
            counting.append(f"label_smoothing={self.label_smoothing!r}")
        if counting and label_counts is None:
            raise ValueError(
                f"{' and '.join(counting)} cannot be used in partial_fit without "
                "label_counts=(n_positive, n_negative) over all chunks: pass them at "
                "the first call, or give the weights as an array."
            )

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
        return _stacked(self._blocks(X, answer), X.shape[0], _answer_dtype(X))

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
        return scores.ravel() if self._target.kind == BINARY else scores

    def _class_probabilities(self, raw):
        """Return a column for each class, or for each label of a label matrix."""
        proba = self._head.probabilities(self._head.scores(raw))
        if self._target.kind != BINARY:
            return proba
        if len(self.classes_) == 1:
            return np.ones_like(proba)
        return np.hstack([1 - proba, proba])

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
        proba = np.empty((X.shape[0], k), dtype=_answer_dtype(X))
        start = 0
        for block in self._blocks(X, self._class_probabilities):
            rows = slice(start, start + len(block))
            indices[rows], proba[rows] = _top_k(block, k)
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
        self._check_threshold(self._target.kind, self._head.n_outputs)
        rule = self._usable_threshold(), self.threshold_params
        X = self._check_inputs(X, reset=False)
        blocks = self._blocks(X, lambda raw: self._head.decide(raw, *rule))
        if self._target.kind == MULTILABEL:
            return self._label_matrix(blocks, X.shape[0])
        decided = np.concatenate(list(blocks)).ravel().astype(int)
        if len(self.classes_) == 1:
            decided[:] = 0
        return self.classes_[decided]

    def _usable_threshold(self):
        """Return the threshold; without probabilities only the trained one is left."""
        if self._head.has_probabilities:
            return self.threshold
        if isinstance(self.threshold, str) or np.all(np.equal(self.threshold, 0.5)):
            return "trained"
        raise ValueError(
            f"threshold={self.threshold!r} cuts probabilities, but there are none: "
            "the loss has no inverse and no rows were held out to calibrate on. Fit "
            "with early_stopping=True, or set threshold='trained'."
        )

    def _label_matrix(self, blocks, n_rows):
        """Stack decided blocks in the container and the dtype of the fitted `y`."""
        sparse_type, dtype = self._target.sparse_type, self._target.dtype
        if sparse_type is None:
            labels = _stacked(blocks, n_rows, dtype)
        else:
            labels = sp.vstack([sp.csr_array(block.astype(dtype)) for block in blocks])
            labels = sparse_type(labels)
        self._warn_empty_rows(labels)
        return labels

    def _warn_empty_rows(self, labels):
        n_empty = labels.shape[0] - np.count_nonzero(np.asarray(labels.sum(axis=1)))
        if n_empty > labels.shape[0] / 2 > 0 and self._share_without_label <= 0.5:
            warn_user(
                f"{n_empty} of {labels.shape[0]} rows got no label: honest "
                "probabilities of rare labels seldom pass a threshold of 0.5. Set "
                "threshold to a rule that fits your metric, such as 'f_beta', or wrap "
                "the estimator in a classifier of skimbalance.thresholds.",
                NoPositivePredictedWarning,
            )

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
        tags.classifier_tags.multi_label = True
        return tags

    def __getstate__(self):
        # Processes and their connections cannot be stored.
        return super().__getstate__() | {"accelerator": None}

    def __setstate__(self, state):
        super().__setstate__(state)
        if getattr(self, "net_", None) is not None:
            # A net trained on a device that is not here has moved to the CPU.
            self.device_ = torch.device(self.net_.device)


def _answer_dtype(X):
    return np.float32 if X.dtype == np.float32 else np.float64


def _stacked(blocks, n_rows, dtype):
    """Return blocks of rows as one array, holding one block beside it."""
    out, start = None, 0
    for block in blocks:
        if out is None:
            out = np.empty((n_rows, *block.shape[1:]), dtype=dtype)
        out[start : start + len(block)] = block
        start += len(block)
    return out


def _top_k(proba, k):
    """Return the columns and the values of the k largest of each row, falling."""
    top = np.argpartition(proba, proba.shape[1] - k, axis=1)[:, -k:]
    order = np.argsort(-np.take_along_axis(proba, top, axis=1), axis=1, kind="stable")
    top = np.take_along_axis(top, order, axis=1)
    return top, np.take_along_axis(proba, top, axis=1)


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


def _share_without_label(rows):
    if sp.issparse(rows.values):
        labelled = np.diff(rows.values.indptr) > 0
    else:
        labelled = (rows.values > 0).any(axis=1)
    return 1 - float(np.mean(labelled[rows.index]))


def _of_classes(y, classes):
    """Encode a 1-D `y` by its known classes; a label matrix knows its own."""
    if sp.issparse(y) or np.ndim(y) == 2:
        return check_target(y)
    target = check_target(np.asarray(classes))
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
