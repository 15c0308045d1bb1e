"""The two public estimators: their parameters, and nothing else.

A parameter has four places here: the table of constraints, and the docstring, the
signature and `__init__` of `ImbalancedNetClassifier`. After a change, run
``python tools/copy_parameters.py``, which copies them to `ImbalancedMLPClassifier`.
"""

import os
from numbers import Integral, Real

import torch

from skimbalance._validation import Number, StrOptions, switch
from skimbalance.calibration import BaseCalibrator, TemperatureCalibrator
from skimbalance.modules import ACTIVATIONS, MLP
from skimbalance.neural_network._base import BaseImbalancedNet

__all__ = [
    "ImbalancedMLPClassifier",
    "ImbalancedNetClassifier",
]

# What each parameter may be. Where a line has no_validation, the function that reads
# the parameter checks it with the target, or has an error that says more.
CONSTRAINTS = {
    "loss": "no_validation",
    "loss_params": [dict, None],
    "pos_weight": "no_validation",
    "label_weight": "no_validation",
    "class_weight": [dict, StrOptions({"balanced"}), None],
    "pos_label": "no_validation",
    "label_smoothing": [Number(Real, 0, 1, closed="left")],
    "correct_probabilities": [
        *switch(),
        StrOptions({"exact"}),
        BaseCalibrator,
        TemperatureCalibrator,
    ],
    "threshold": "no_validation",
    "init_bias": "no_validation",
    "standardize": [*switch(), StrOptions({"auto"})],
    "optimizer": "no_validation",
    "optimizer_params": [dict, None],
    "lr": [Number(Real, 0, None, closed="neither")],
    "weight_decay": [Number(Real, 0, None, closed="left"), None],
    "max_epochs": [Number(Integral, 1, None, closed="left")],
    "batch_size": [Number(Integral, 1, None, closed="left"), StrOptions({"auto"})],
    "batch_sampler": "no_validation",
    "resampler": "no_validation",
    "gradient_accumulation": [Number(Integral, 1, None, closed="left")],
    "max_grad_norm": [Number(Real, 0, None, closed="neither"), None],
    "precision": [StrOptions({"auto", "16", "32", "64", "bf16"})],
    "compile": [*switch(), StrOptions({"auto"})],
    "cross_fit": [*switch(), StrOptions({"auto"})],
    "early_stopping": [*switch(), StrOptions({"auto"})],
    "validation_fraction": [Number(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [Number(Integral, 1, None, closed="left")],
    "scoring": [str, callable, None],
    "callbacks": [list, tuple, None],
    "net_params": [dict, None],
    "n_members": [Number(Integral, 1, None, closed="left"), StrOptions({"auto"})],
    "num_workers": [Number(Integral, 0, None, closed="left")],
    "device": [str, torch.device, Number(Integral, 0, None, closed="left"), None],
    "data_device": [str, torch.device, Number(Integral, 0, None, closed="left")],
    "warm_start": switch(),
    "accelerator": "no_validation",
    "checkpoint": [str, os.PathLike, None],
    "resume": switch(),
    "random_state": ["random_state"],
    "verbose": ["boolean", Number(Integral, 0, None, closed="left")],
}


MLP_CONSTRAINTS = {
    "hidden_layer_sizes": "no_validation",
    "activation": [StrOptions(set(ACTIVATIONS))],
    "dropout": [Number(Real, 0, 1, closed="left"), StrOptions({"auto"})],
}


class ImbalancedNetClassifier(BaseImbalancedNet):
    """Classifier for imbalanced data around any torch module.

    One class for binary, multiclass and multilabel targets. It trains the module with a
    chosen loss and chosen weights, returns probabilities from which their distortion is
    removed, and predicts by a threshold on these.

    Parameters
    ----------
    module : class or function, default=MLP
        Called as ``module(n_features, n_outputs, **module_params)``, it returns a torch
        module that maps ``(n_samples, n_features)`` to raw scores ``(n_samples,
        n_outputs)``. `n_features` is an int for a 2-D `X`, else ``X.shape[1:]``;
        `n_outputs` is 1 for a binary `y`, the number of classes for a multiclass one,
        of labels for a label matrix. The scores may also be the first item of a tuple,
        or the item or attribute ``logits`` of what the module returns. A module of your
        own is a single net with a tenth of the rows held out; `cross_fit` makes five.
    module_params : dict, default=None
        Parameters of the module, also as ``module__name`` in `set_params` and grids.
    loss : str or loss object, default="log_loss"
        A name in `skimbalance.losses.LOSSES`, or an object of your own class.
    loss_params : dict, default=None
        Parameters of a loss given by name, also as ``loss__name``.
    pos_weight : None, str, float, PosWeightTransformer, dict or array-like of shape \
            (n_labels,), default=None
        Weight of the positives within each label: a scheme of `WEIGHT_SCHEMES`, a
        number, an array of shape (n_labels,) or (n_classes,), a dict or Series by label
        or class, or a transformer. Computed from the training part only, and corrected
        in the probabilities. The classes of a multiclass `y` need one weight each: a
        single number is refused.
    label_weight : None, str, float, PosWeightTransformer, dict or array-like of shape \
            (n_labels,), default=None
        Weight of each label among the labels: a scheme of `LABEL_WEIGHT_SCHEMES`, a
        number, an array of shape (n_labels,), a dict or Series by label, or a
        transformer. It multiplies the loss of a label as a whole, so that there is
        nothing to correct in its probabilities.
    class_weight : dict, "balanced" or None, default=None
        For a 1-D `y`, exactly scikit-learn's: a sample weight by class. Such weights
        are part of the data, so the probabilities are not corrected for them.
    pos_label : int, float, bool or str, default=None
        The class of a binary `y` that counts as positive; None is ``classes_[1]``. It
        is the class of `pos_weight`, `prior_`, a scalar `threshold`, the rules, costs
        and what early stopping watches. It never changes `classes_`, the columns of
        `predict_proba` or the sign of `decision_function`. Where scikit-learn encodes
        `y` before it fits (`cross_val_predict` of probabilities, `StackingClassifier`),
        pass the place of the class in sorted order, 0 or 1.
    label_smoothing : float, default=0.0
        Train on ``(1 - e) y + e prior`` instead of y, in [0, 1): each target moves
        towards the base rate of its label or class. Corrected in the probabilities.
    correct_probabilities : bool, "exact" or calibrator, default=True
        True applies the exact inverse of loss and `pos_weight`; then, where rows are
        held out, it fits one slope, and an intercept of each label that makes its
        probabilities add up. ``"exact"`` applies the inverse alone, False neither: the
        raw scores are read as log-odds. A calibrator of `skimbalance.calibration`,
        such as ``LabelCalibrator("beta")``, is fitted in the place of the slope, and
        needs held-out rows. `fit` reads it; setting it after `fit` changes nothing
        until the next `fit`.
    threshold : float, array-like of shape (n_labels,), dict, pandas Series, str or \
            rule object, default=0.5
        A label is predicted where its probability is greater; a dict or a Series has
        the threshold of each label by its name, or that of the positive class of a
        binary `y` by the name of this class. A rule is an object of
        `skimbalance.thresholds`, such as ``FBeta(beta=2)``, whose parameters are
        searched as ``threshold__beta``, or its name, such as ``"f_beta"``, which stands
        for the default parameters; the user guide compares the rules. ``"uncorrected"``
        thresholds the probability that raw scores of 0 stand for, in all members, the
        trade-off that the weights asked for; for a multiclass target, it predicts the
        class of the largest raw score. Rules that learn thresholds read the held-out
        rows: all rows with `cross_fit`, else few. `fit` keeps a summary of their
        scores, whatever the threshold, so that each of these rules may also be set
        after `fit`. A label that was constant in training is predicted by its constant,
        at 0.5.
    init_bias : {"prior", "zero"}, float, dict or array-like of shape (n_outputs,), \
            default="prior"
        Where the output bias starts: ``"prior"`` is where the loss predicts the base
        rates.
    standardize : bool or "auto", default="auto"
        ``"auto"`` encodes the input of the default module by
        `skimbalance.preprocessing.InputEncoder`, unless it is a Dataset: piecewise
        linearly up to 112 dense columns, or up to 300 that are far from normal, else by
        a robust scale with a smooth clip, and sparse rows by their norm. True scales
        the input by `skimbalance.preprocessing.InputScaler`, for any module. The
        missing values and the categories of `ImbalancedMLPClassifier` need ``"auto"``.
    optimizer : class or str, default=torch.optim.AdamW
        A torch optimizer, or its name in `torch.optim`, such as ``"adam"``.
    optimizer_params : dict, default=None
        Its parameters, also as ``optimizer__name``.
    lr : float, default=1e-3
        Learning rate.
    weight_decay : float, default=None
        None is the optimizer's own default. The output bias never decays.
    max_epochs : int, default=100
        Maximum number of epochs; see `n_iter_`.
    batch_size : int or "auto", default="auto"
        ``"auto"``: all rows up to 100 rows; above 100 rows, the power of two nearest to
        a 20th of them, between 32 and 256.
    batch_sampler : None, str or object, default=None
        How batches are made from the training rows. None shuffles them.
        ``"label_aware"`` draws a label first, then one of its rows; ``"square_root"``
        draws labels by the square root of their frequency. A fifth of the rows is drawn
        from all, with labels or without. `LabelAwareBatches` has parameters; an object
        of your own has its method `row_probabilities`. Probabilities are corrected:
        exactly for a 1-D `y`, by the held-out rows for a label matrix, since the shift
        depends on the row there. `partial_fit` refuses it.
    resampler : object, default=None
        Changes the training rows before they make batches, by its method
        `fit_resample`: a resampler of `skimbalance.over_sampling` or
        `skimbalance.under_sampling` for a label matrix, one of imbalanced-learn for
        classes. Rows are held out first, and each member with a fold of its own gets
        its own rows resampled, so that stopping, calibration and thresholds read real
        rows only. It reads `X` as it is passed, before `standardize`; its parameters
        are searched as ``resampler__k_neighbors``. Its `random_state` comes from
        that of the estimator, unless it has one. `pos_weight` and the other weights
        are computed from the rows before they are resampled. `partial_fit` refuses it.
    gradient_accumulation : int, default=1
        How many batches make a step: the gradient of all their rows, in the memory of
        one batch.
    max_grad_norm : float, default=None
        Clip the gradient of all weights together to this norm.
    precision : {"auto", "16", "32", "64", "bf16"}, default="auto"
        Floating-point precision. ``"auto"`` is 64 bits for up to 100 rows, unless they
        are of 32 bits, and else 32 bits. ``"bf16"`` and ``"16"`` compute products in
        half precision by autocast, and keep weights and losses in 32 bits; ``"16"``
        scales the loss.
    compile : bool or "auto", default="auto"
        True compiles the module and the batch loss by `torch.compile`, which pays on
        large nets that train for long. ``"auto"`` compiles nothing, but on a CUDA
        device the gradients of a batch are recorded as a CUDA graph and replayed on the
        other batches, where the module, the loss and the optimizer are known to do the
        same on each. False launches each kernel in each step.
    cross_fit : bool or "auto", default="auto"
        Put the rows into as many folds as there are members, stratified by label, and
        hold out each fold from one member. All rows train, and each has a score of a
        member that did not train on it: early stopping, calibration and thresholds
        read these out-of-fold scores, and the weights are averaged over the epochs
        (Shamir & Zhang, ICML 2013). False holds out one part from all members.
        ``"auto"`` is True for the default module, more than 100 rows and up to 67
        million values in inputs and targets, unless `X_val` is passed, ``n_members=1``,
        or early stopping is off.
    early_stopping : bool or "auto", default="auto"
        Hold out rows, stop when their score does not improve, and keep the best
        weights, those of one epoch for all members. ``"auto"`` does so for more than
        100 rows.
    validation_fraction : float, default=0.1
        Without folds, the fraction of the rows that is held out, stratified by label;
        at most as many rows as make 8.4 million entries, or 100. A label with two
        positives or more has one on each side, where the number of held-out rows allows
        it.
    n_iter_no_change : int, default=10
        Epochs without a better score after which training stops.
    scoring : None, str or callable, default=None
        The score that early stopping monitors on the held-out rows: a name known to
        `skimbalance.metrics.get_scorer` or `sklearn.metrics.get_scorer`, ``"loss"``, or
        a callable ``scorer(estimator, X, y)``, whose estimator predicts each row by a
        member that did not train on it. Scorers of a label matrix get the labels that
        can be ranked, as below; a function of your own gets all labels. Scorers that
        take weights get those of the held-out rows. None chooses:

        - with folds, the macro average precision over labels, or classes, with at least
          3 positives, not all in one fold;
        - with one held-out part, the same over labels with at least 3 positives there,
          if these are half of the labels and have 100 positives together; else the
          log-loss of the corrected probabilities; for a multiclass `y`, the loss;
        - with too few positives for either, no score: it trains for 5 epochs, or as
          many as make 100 steps if that is longer, at most `max_epochs`.

        The user guide has the details, under "When training stops".
    callbacks : list, default=None
        Callbacks of skorch, their classes, or pairs (name, callback); copied in every
        fit. With folds, one that changes weights has to do so on batches: at the end
        of an epoch it finds the average of the epochs, which is judged and kept.
    net_params : dict, default=None
        Further parameters of the skorch net.
    n_members : int or "auto", default="auto"
        Train this many nets of different initial weights and dropout in one batched
        program, and average their probabilities: a deep ensemble (Lakshminarayanan,
        Pritzel, Blundell, NeurIPS 2017). ``"auto"`` is 5 with `cross_fit`, else 1. With
        folds there are no more than there are groups.
    num_workers : int, default=0
        Threads that gather rows ahead of the training. Rows on their way to a CUDA
        device go through pinned memory.
    device : str or torch.device, default=None
        None is CUDA where there is one, else the CPU.
    data_device : "auto", str or torch.device, default="auto"
        Where the training data lie. ``"auto"`` moves them to a CUDA device once if they
        take at most half of its free memory; ``"cpu"`` leaves them where they are.
    warm_start : bool, default=False
        Go on from the weights of the last fit.
    accelerator : accelerate.Accelerator, default=None
        One of several processes that train together, each on its part of every batch,
        as started by ``torchrun`` or ``accelerate launch``. Left out when the estimator
        is stored.
    checkpoint : str or path, default=None
        A folder in which `fit` saves its state after every epoch.
    resume : bool, default=False
        Go on from the checkpoint, if there is one, with the same data and parameters: a
        killed run ends at the same weights as an unbroken one.
    random_state : int, RandomState instance or None, default=None
        Pass an int for the same result again. The global generators of NumPy and torch
        are never touched; None draws fresh entropy.
    verbose : int, default=0
        1 shows loss, score and time left: a bar on a terminal, elsewhere a line an
        epoch.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,) or (n_labels, 2)
        Classes of a 1-D target; ``[0, 1]`` for each label of a label matrix.
    n_labels_ : int
        Number of labels; 1 for a binary target. Not set for a multiclass one.
    label_names_ : ndarray of str, shape (n_labels,)
        Column names of `y`, when it was a data frame.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of str, shape (n_features,)
        Names of the features, when all are strings.
    net_ : skorch.NeuralNet or None
        The trained net; None when no label had two values.
    loss_ : Loss
        The loss, with what it learnt from the label counts.
    pos_weight_ : ndarray of shape (n_outputs,)
        The weights of the positives.
    prior_ : ndarray of shape (n_outputs,)
        Base rates that the probabilities have: of all rows of `fit`, or of the training
        part where nothing matches the probabilities to the others, with the weights of
        `sample_weight` and `class_weight`, so that with ``class_weight="balanced"`` all
        classes have the same. Of `X_val` where the probabilities are matched to these
        rows, and so drawn a little to what the net predicts there.
    thresholds_ : ndarray of float64, shape (n_labels,), or None
        `predict` compares the probabilities with these: those of `threshold`, also
        where it was set after `fit`. For a binary target, one on the probability of the
        positive class. None for a multiclass target, and for the rules that compare
        the labels of a row, `TopK` and `Cardinality`.
    scaler_ : InputEncoder, InputScaler or None
        The input stage.
    category_encoder_ : CategoryEncoder or None
        What turns a table with categories into numbers, before the input stage; None
        where no column has categories.
    calibrator_ : calibrator or None
        Slope and intercept, fitted on the held-out rows. An intercept for each label or
        class is then fitted on all rows of `X`, or on `X_val` alone if that is passed.
        With folds they map the scores of each member, before their mean.
    members_ : list of torch.nn.Module
        The trained nets, in evaluation mode, each giving raw scores of its own for
        dense rows of `X`, which its attribute `inputs` scales. The attribute `body` of
        each is your module, whose `state_dict` your class loads.
    out_of_fold_log_odds_ : ndarray of float32 or None, shape (n_samples,), \
            (n_samples, n_labels) or (n_samples, n_classes)
        What `decision_function` gives for the rows of `fit`, each by the member that
        did not train on it; NaN for a row without weight or labels. None without folds,
        beyond 16.8 million entries, and after `partial_fit` or loading.
    probabilities_corrected_ : bool
        Whether the probabilities are free of the distortion of the training.
    history_ : list of dict
        For each epoch its number, losses, validation score and seconds.
    n_iter_ : int
        Number of epochs. If it is `max_epochs`, training ended with the epochs and not
        by early stopping: the score may have been improving still. No warning says so.
    best_score_ : float or None
        Best validation score, or minus the best validation loss. None if no rows were
        held out, or too few of their entries are positive to show when to stop.
    effective_batch_size_ : float or None
        With `batch_sampler` or `resampler`, the number of equally weighted rows that
        tell a member as much as a batch (Kish): `batch_size` where these draw without
        weights, less the rows that a fold holds out. It reads no `sample_weight`.
    device_ : torch.device
        Where the net is.

    See Also
    --------
    ImbalancedMLPClassifier : The same with a multilayer perceptron.

    Notes
    -----
    A label with one value only in `y` is left out of the training, and predicted as the
    constant ``(n_positive + 0.5) / (n + 1)``, with one warning.

    A loss without an inverse is calibrated on the held-out rows, by a slope and an
    intercept for each label that are drawn towards those of all labels, or by a
    temperature and an intercept for each class. Where nothing is held out,
    `predict_proba` and `decision_function` are not there, and `predict` thresholds the
    raw scores at 0.

    Up to 100 rows, training is one full batch an epoch, without dropout, and nothing is
    held out by default. Such a net is over-confident: pass `X_val` and `y_val`, set
    `cross_fit` or `early_stopping`, or calibrate it.

    Examples
    --------
    >>> from torch import nn
    >>> from skimbalance.datasets import make_imbalanced_multilabel
    >>> from skimbalance.neural_network import ImbalancedNetClassifier
    >>> def module(n_features, n_outputs, width=32):
    ...     return nn.Sequential(
    ...         nn.Linear(n_features, width), nn.ReLU(), nn.Linear(width, n_outputs))
    >>> X, Y = make_imbalanced_multilabel(400, n_labels=3, random_state=0)
    >>> net = ImbalancedNetClassifier(
    ...     module, module_params={"width": 16}, pos_weight="sqrt", random_state=0)
    >>> net.fit(X, Y).predict_proba(X).shape
    (400, 3)
    """

    _parameter_constraints = {  # noqa: RUF012
        "module": "no_validation",
        "module_params": [dict, None],
        **CONSTRAINTS,
    }
    _dict_params = {  # noqa: RUF012
        "module": "module_params",
        "loss": "loss_params",
        "optimizer": "optimizer_params",
    }

    def __init__(
        self,
        module=MLP,
        *,
        module_params=None,
        loss="log_loss",
        loss_params=None,
        pos_weight=None,
        label_weight=None,
        class_weight=None,
        pos_label=None,
        label_smoothing=0.0,
        correct_probabilities=True,
        threshold=0.5,
        init_bias="prior",
        standardize="auto",
        optimizer=torch.optim.AdamW,
        optimizer_params=None,
        lr=1e-3,
        weight_decay=None,
        max_epochs=100,
        batch_size="auto",
        batch_sampler=None,
        resampler=None,
        gradient_accumulation=1,
        max_grad_norm=None,
        precision="auto",
        compile="auto",  # noqa: A002
        cross_fit="auto",
        early_stopping="auto",
        validation_fraction=0.1,
        n_iter_no_change=10,
        scoring=None,
        callbacks=None,
        net_params=None,
        n_members="auto",
        num_workers=0,
        device=None,
        data_device="auto",
        warm_start=False,
        accelerator=None,
        checkpoint=None,
        resume=False,
        random_state=None,
        verbose=0,
    ):
        self.module = module
        self.module_params = module_params
        self.loss = loss
        self.loss_params = loss_params
        self.pos_weight = pos_weight
        self.label_weight = label_weight
        self.class_weight = class_weight
        self.pos_label = pos_label
        self.label_smoothing = label_smoothing
        self.correct_probabilities = correct_probabilities
        self.threshold = threshold
        self.init_bias = init_bias
        self.standardize = standardize
        self.optimizer = optimizer
        self.optimizer_params = optimizer_params
        self.lr = lr
        self.weight_decay = weight_decay
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.batch_sampler = batch_sampler
        self.resampler = resampler
        self.gradient_accumulation = gradient_accumulation
        self.max_grad_norm = max_grad_norm
        self.precision = precision
        self.compile = compile
        self.cross_fit = cross_fit
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.scoring = scoring
        self.callbacks = callbacks
        self.net_params = net_params
        self.n_members = n_members
        self.num_workers = num_workers
        self.device = device
        self.data_device = data_device
        self.warm_start = warm_start
        self.accelerator = accelerator
        self.checkpoint = checkpoint
        self.resume = resume
        self.random_state = random_state
        self.verbose = verbose


class ImbalancedMLPClassifier(BaseImbalancedNet):
    """Multilayer perceptron for imbalanced data, multilabel first.

    `ImbalancedNetClassifier` with the default module, whose parameters are flat.

    Parameters
    ----------
    hidden_layer_sizes : tuple of int or int, default=(512, 256)
        Width of each hidden layer; empty for a linear model.
    activation : {"relu", "gelu", "silu", "tanh"}, default="relu"
        Between the layers.
    dropout : float or "auto", default="auto"
        Fraction of the hidden units left out in training; ``"auto"`` is 0.5, and 0 up
        to 100 rows.
    categorical_features : {"from_dtype"}, None or array-like of shape \
            (n_features,) or (n_categorical,), default="from_dtype"
        Columns of a table whose values are categories, as in
        `sklearn.ensemble.HistGradientBoostingClassifier`: a mask, indices, or names of
        columns. ``"from_dtype"`` takes those of a data frame that have a categorical
        dtype, or hold strings that are not all numbers. They are encoded by
        `skimbalance.preprocessing.CategoryEncoder` and embedded. Needs
        ``standardize="auto"``.
    loss : str or loss object, default="log_loss"
        A name in `skimbalance.losses.LOSSES`, or an object of your own class.
    loss_params : dict, default=None
        Parameters of a loss given by name, also as ``loss__name``.
    pos_weight : None, str, float, PosWeightTransformer, dict or array-like of shape \
            (n_labels,), default=None
        Weight of the positives within each label: a scheme of `WEIGHT_SCHEMES`, a
        number, an array of shape (n_labels,) or (n_classes,), a dict or Series by label
        or class, or a transformer. Computed from the training part only, and corrected
        in the probabilities. The classes of a multiclass `y` need one weight each: a
        single number is refused.
    label_weight : None, str, float, PosWeightTransformer, dict or array-like of shape \
            (n_labels,), default=None
        Weight of each label among the labels: a scheme of `LABEL_WEIGHT_SCHEMES`, a
        number, an array of shape (n_labels,), a dict or Series by label, or a
        transformer. It multiplies the loss of a label as a whole, so that there is
        nothing to correct in its probabilities.
    class_weight : dict, "balanced" or None, default=None
        For a 1-D `y`, exactly scikit-learn's: a sample weight by class. Such weights
        are part of the data, so the probabilities are not corrected for them.
    pos_label : int, float, bool or str, default=None
        The class of a binary `y` that counts as positive; None is ``classes_[1]``. It
        is the class of `pos_weight`, `prior_`, a scalar `threshold`, the rules, costs
        and what early stopping watches. It never changes `classes_`, the columns of
        `predict_proba` or the sign of `decision_function`. Where scikit-learn encodes
        `y` before it fits (`cross_val_predict` of probabilities, `StackingClassifier`),
        pass the place of the class in sorted order, 0 or 1.
    label_smoothing : float, default=0.0
        Train on ``(1 - e) y + e prior`` instead of y, in [0, 1): each target moves
        towards the base rate of its label or class. Corrected in the probabilities.
    correct_probabilities : bool, "exact" or calibrator, default=True
        True applies the exact inverse of loss and `pos_weight`; then, where rows are
        held out, it fits one slope, and an intercept of each label that makes its
        probabilities add up. ``"exact"`` applies the inverse alone, False neither: the
        raw scores are read as log-odds. A calibrator of `skimbalance.calibration`,
        such as ``LabelCalibrator("beta")``, is fitted in the place of the slope, and
        needs held-out rows. `fit` reads it; setting it after `fit` changes nothing
        until the next `fit`.
    threshold : float, array-like of shape (n_labels,), dict, pandas Series, str or \
            rule object, default=0.5
        A label is predicted where its probability is greater; a dict or a Series has
        the threshold of each label by its name, or that of the positive class of a
        binary `y` by the name of this class. A rule is an object of
        `skimbalance.thresholds`, such as ``FBeta(beta=2)``, whose parameters are
        searched as ``threshold__beta``, or its name, such as ``"f_beta"``, which stands
        for the default parameters; the user guide compares the rules. ``"uncorrected"``
        thresholds the probability that raw scores of 0 stand for, in all members, the
        trade-off that the weights asked for; for a multiclass target, it predicts the
        class of the largest raw score. Rules that learn thresholds read the held-out
        rows: all rows with `cross_fit`, else few. `fit` keeps a summary of their
        scores, whatever the threshold, so that each of these rules may also be set
        after `fit`. A label that was constant in training is predicted by its constant,
        at 0.5.
    init_bias : {"prior", "zero"}, float, dict or array-like of shape (n_outputs,), \
            default="prior"
        Where the output bias starts: ``"prior"`` is where the loss predicts the base
        rates.
    standardize : bool or "auto", default="auto"
        ``"auto"`` encodes the input of the default module by
        `skimbalance.preprocessing.InputEncoder`, unless it is a Dataset: piecewise
        linearly up to 112 dense columns, or up to 300 that are far from normal, else by
        a robust scale with a smooth clip, and sparse rows by their norm. True scales
        the input by `skimbalance.preprocessing.InputScaler`, for any module. The
        missing values and the categories of `ImbalancedMLPClassifier` need ``"auto"``.
    optimizer : class or str, default=torch.optim.AdamW
        A torch optimizer, or its name in `torch.optim`, such as ``"adam"``.
    optimizer_params : dict, default=None
        Its parameters, also as ``optimizer__name``.
    lr : float, default=1e-3
        Learning rate.
    weight_decay : float, default=None
        None is the optimizer's own default. The output bias never decays.
    max_epochs : int, default=100
        Maximum number of epochs; see `n_iter_`.
    batch_size : int or "auto", default="auto"
        ``"auto"``: all rows up to 100 rows; above 100 rows, the power of two nearest to
        a 20th of them, between 32 and 256.
    batch_sampler : None, str or object, default=None
        How batches are made from the training rows. None shuffles them.
        ``"label_aware"`` draws a label first, then one of its rows; ``"square_root"``
        draws labels by the square root of their frequency. A fifth of the rows is drawn
        from all, with labels or without. `LabelAwareBatches` has parameters; an object
        of your own has its method `row_probabilities`. Probabilities are corrected:
        exactly for a 1-D `y`, by the held-out rows for a label matrix, since the shift
        depends on the row there. `partial_fit` refuses it.
    resampler : object, default=None
        Changes the training rows before they make batches, by its method
        `fit_resample`: a resampler of `skimbalance.over_sampling` or
        `skimbalance.under_sampling` for a label matrix, one of imbalanced-learn for
        classes. Rows are held out first, and each member with a fold of its own gets
        its own rows resampled, so that stopping, calibration and thresholds read real
        rows only. It reads `X` as it is passed, before `standardize`; its parameters
        are searched as ``resampler__k_neighbors``. Its `random_state` comes from
        that of the estimator, unless it has one. `pos_weight` and the other weights
        are computed from the rows before they are resampled. `partial_fit` refuses it.
    gradient_accumulation : int, default=1
        How many batches make a step: the gradient of all their rows, in the memory of
        one batch.
    max_grad_norm : float, default=None
        Clip the gradient of all weights together to this norm.
    precision : {"auto", "16", "32", "64", "bf16"}, default="auto"
        Floating-point precision. ``"auto"`` is 64 bits for up to 100 rows, unless they
        are of 32 bits, and else 32 bits. ``"bf16"`` and ``"16"`` compute products in
        half precision by autocast, and keep weights and losses in 32 bits; ``"16"``
        scales the loss.
    compile : bool or "auto", default="auto"
        True compiles the module and the batch loss by `torch.compile`, which pays on
        large nets that train for long. ``"auto"`` compiles nothing, but on a CUDA
        device the gradients of a batch are recorded as a CUDA graph and replayed on the
        other batches, where the module, the loss and the optimizer are known to do the
        same on each. False launches each kernel in each step.
    cross_fit : bool or "auto", default="auto"
        Put the rows into as many folds as there are members, stratified by label, and
        hold out each fold from one member. All rows train, and each has a score of a
        member that did not train on it: early stopping, calibration and thresholds
        read these out-of-fold scores, and the weights are averaged over the epochs
        (Shamir & Zhang, ICML 2013). False holds out one part from all members.
        ``"auto"`` is True for the default module, more than 100 rows and up to 67
        million values in inputs and targets, unless `X_val` is passed, ``n_members=1``,
        or early stopping is off.
    early_stopping : bool or "auto", default="auto"
        Hold out rows, stop when their score does not improve, and keep the best
        weights, those of one epoch for all members. ``"auto"`` does so for more than
        100 rows.
    validation_fraction : float, default=0.1
        Without folds, the fraction of the rows that is held out, stratified by label;
        at most as many rows as make 8.4 million entries, or 100. A label with two
        positives or more has one on each side, where the number of held-out rows allows
        it.
    n_iter_no_change : int, default=10
        Epochs without a better score after which training stops.
    scoring : None, str or callable, default=None
        The score that early stopping monitors on the held-out rows: a name known to
        `skimbalance.metrics.get_scorer` or `sklearn.metrics.get_scorer`, ``"loss"``, or
        a callable ``scorer(estimator, X, y)``, whose estimator predicts each row by a
        member that did not train on it. Scorers of a label matrix get the labels that
        can be ranked, as below; a function of your own gets all labels. Scorers that
        take weights get those of the held-out rows. None chooses:

        - with folds, the macro average precision over labels, or classes, with at least
          3 positives, not all in one fold;
        - with one held-out part, the same over labels with at least 3 positives there,
          if these are half of the labels and have 100 positives together; else the
          log-loss of the corrected probabilities; for a multiclass `y`, the loss;
        - with too few positives for either, no score: it trains for 5 epochs, or as
          many as make 100 steps if that is longer, at most `max_epochs`.

        The user guide has the details, under "When training stops".
    callbacks : list, default=None
        Callbacks of skorch, their classes, or pairs (name, callback); copied in every
        fit. With folds, one that changes weights has to do so on batches: at the end
        of an epoch it finds the average of the epochs, which is judged and kept.
    net_params : dict, default=None
        Further parameters of the skorch net.
    n_members : int or "auto", default="auto"
        Train this many nets of different initial weights and dropout in one batched
        program, and average their probabilities: a deep ensemble (Lakshminarayanan,
        Pritzel, Blundell, NeurIPS 2017). ``"auto"`` is 5 with `cross_fit`, else 1. With
        folds there are no more than there are groups.
    num_workers : int, default=0
        Threads that gather rows ahead of the training. Rows on their way to a CUDA
        device go through pinned memory.
    device : str or torch.device, default=None
        None is CUDA where there is one, else the CPU.
    data_device : "auto", str or torch.device, default="auto"
        Where the training data lie. ``"auto"`` moves them to a CUDA device once if they
        take at most half of its free memory; ``"cpu"`` leaves them where they are.
    warm_start : bool, default=False
        Go on from the weights of the last fit.
    accelerator : accelerate.Accelerator, default=None
        One of several processes that train together, each on its part of every batch,
        as started by ``torchrun`` or ``accelerate launch``. Left out when the estimator
        is stored.
    checkpoint : str or path, default=None
        A folder in which `fit` saves its state after every epoch.
    resume : bool, default=False
        Go on from the checkpoint, if there is one, with the same data and parameters: a
        killed run ends at the same weights as an unbroken one.
    random_state : int, RandomState instance or None, default=None
        Pass an int for the same result again. The global generators of NumPy and torch
        are never touched; None draws fresh entropy.
    verbose : int, default=0
        1 shows loss, score and time left: a bar on a terminal, elsewhere a line an
        epoch.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,) or (n_labels, 2)
        Classes of a 1-D target; ``[0, 1]`` for each label of a label matrix.
    n_labels_ : int
        Number of labels; 1 for a binary target. Not set for a multiclass one.
    label_names_ : ndarray of str, shape (n_labels,)
        Column names of `y`, when it was a data frame.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of str, shape (n_features,)
        Names of the features, when all are strings.
    net_ : skorch.NeuralNet or None
        The trained net; None when no label had two values.
    loss_ : Loss
        The loss, with what it learnt from the label counts.
    pos_weight_ : ndarray of shape (n_outputs,)
        The weights of the positives.
    prior_ : ndarray of shape (n_outputs,)
        Base rates that the probabilities have: of all rows of `fit`, or of the training
        part where nothing matches the probabilities to the others, with the weights of
        `sample_weight` and `class_weight`, so that with ``class_weight="balanced"`` all
        classes have the same. Of `X_val` where the probabilities are matched to these
        rows, and so drawn a little to what the net predicts there.
    thresholds_ : ndarray of float64, shape (n_labels,), or None
        `predict` compares the probabilities with these: those of `threshold`, also
        where it was set after `fit`. For a binary target, one on the probability of the
        positive class. None for a multiclass target, and for the rules that compare
        the labels of a row, `TopK` and `Cardinality`.
    scaler_ : InputEncoder, InputScaler or None
        The input stage.
    category_encoder_ : CategoryEncoder or None
        What turns a table with categories into numbers, before the input stage; None
        where no column has categories.
    calibrator_ : calibrator or None
        Slope and intercept, fitted on the held-out rows. An intercept for each label or
        class is then fitted on all rows of `X`, or on `X_val` alone if that is passed.
        With folds they map the scores of each member, before their mean.
    members_ : list of torch.nn.Module
        The trained nets, in evaluation mode, each giving raw scores of its own for
        dense rows of `X`, which its attribute `inputs` scales. The attribute `body` of
        each is your module, whose `state_dict` your class loads.
    out_of_fold_log_odds_ : ndarray of float32 or None, shape (n_samples,), \
            (n_samples, n_labels) or (n_samples, n_classes)
        What `decision_function` gives for the rows of `fit`, each by the member that
        did not train on it; NaN for a row without weight or labels. None without folds,
        beyond 16.8 million entries, and after `partial_fit` or loading.
    probabilities_corrected_ : bool
        Whether the probabilities are free of the distortion of the training.
    history_ : list of dict
        For each epoch its number, losses, validation score and seconds.
    n_iter_ : int
        Number of epochs. If it is `max_epochs`, training ended with the epochs and not
        by early stopping: the score may have been improving still. No warning says so.
    best_score_ : float or None
        Best validation score, or minus the best validation loss. None if no rows were
        held out, or too few of their entries are positive to show when to stop.
    effective_batch_size_ : float or None
        With `batch_sampler` or `resampler`, the number of equally weighted rows that
        tell a member as much as a batch (Kish): `batch_size` where these draw without
        weights, less the rows that a fold holds out. It reads no `sample_weight`.
    device_ : torch.device
        Where the net is.

    See Also
    --------
    ImbalancedNetClassifier : The same for a module of your own.

    Examples
    --------
    >>> from skimbalance.datasets import make_imbalanced_multilabel
    >>> from skimbalance.neural_network import ImbalancedMLPClassifier
    >>> X, Y = make_imbalanced_multilabel(400, n_labels=3, random_state=0)
    >>> net = ImbalancedMLPClassifier(loss="focal", random_state=0).fit(X, Y)
    >>> net.predict_proba(X).shape
    (400, 3)
    """

    _parameter_constraints = {  # noqa: RUF012
        **MLP_CONSTRAINTS,
        "categorical_features": ["array-like", StrOptions({"from_dtype"}), None],
        **CONSTRAINTS,
    }
    _module_names = tuple(MLP_CONSTRAINTS)
    _dict_params = {  # noqa: RUF012
        "loss": "loss_params",
        "optimizer": "optimizer_params",
    }

    def __init__(
        self,
        hidden_layer_sizes=(512, 256),
        *,
        activation="relu",
        dropout="auto",
        categorical_features="from_dtype",
        loss="log_loss",
        loss_params=None,
        pos_weight=None,
        label_weight=None,
        class_weight=None,
        pos_label=None,
        label_smoothing=0.0,
        correct_probabilities=True,
        threshold=0.5,
        init_bias="prior",
        standardize="auto",
        optimizer=torch.optim.AdamW,
        optimizer_params=None,
        lr=1e-3,
        weight_decay=None,
        max_epochs=100,
        batch_size="auto",
        batch_sampler=None,
        resampler=None,
        gradient_accumulation=1,
        max_grad_norm=None,
        precision="auto",
        compile="auto",  # noqa: A002
        cross_fit="auto",
        early_stopping="auto",
        validation_fraction=0.1,
        n_iter_no_change=10,
        scoring=None,
        callbacks=None,
        net_params=None,
        n_members="auto",
        num_workers=0,
        device=None,
        data_device="auto",
        warm_start=False,
        accelerator=None,
        checkpoint=None,
        resume=False,
        random_state=None,
        verbose=0,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.dropout = dropout
        self.categorical_features = categorical_features
        self.loss = loss
        self.loss_params = loss_params
        self.pos_weight = pos_weight
        self.label_weight = label_weight
        self.class_weight = class_weight
        self.pos_label = pos_label
        self.label_smoothing = label_smoothing
        self.correct_probabilities = correct_probabilities
        self.threshold = threshold
        self.init_bias = init_bias
        self.standardize = standardize
        self.optimizer = optimizer
        self.optimizer_params = optimizer_params
        self.lr = lr
        self.weight_decay = weight_decay
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.batch_sampler = batch_sampler
        self.resampler = resampler
        self.gradient_accumulation = gradient_accumulation
        self.max_grad_norm = max_grad_norm
        self.precision = precision
        self.compile = compile
        self.cross_fit = cross_fit
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.scoring = scoring
        self.callbacks = callbacks
        self.net_params = net_params
        self.n_members = n_members
        self.num_workers = num_workers
        self.device = device
        self.data_device = data_device
        self.warm_start = warm_start
        self.accelerator = accelerator
        self.checkpoint = checkpoint
        self.resume = resume
        self.random_state = random_state
        self.verbose = verbose

    def _reads_tables(self):
        # Other input stages have no value in place of a missing one.
        return isinstance(self.standardize, str)
