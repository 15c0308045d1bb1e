"""Parameters: nested ones, and bad input that is refused before training."""

import inspect
import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from nets import linear, small, small_problem, stable_id
from sklearn.exceptions import NotFittedError
from sklearn.metrics import average_precision_score
from skorch.callbacks import Callback
from torch import nn

from skimbalance.losses import FocalLoss, LogLoss, SoftmaxLogLoss
from skimbalance.metrics import multilabel_average_precision_score
from skimbalance.neural_network import ImbalancedMLPClassifier, ImbalancedNetClassifier
from skimbalance.weights import PosWeightTransformer


@pytest.fixture(scope="module")
def problem():
    return small_problem()


# ----------------------------------------------------------------------- nested
# parameters


def test_nested_parameters_reach_dicts_and_objects():
    net = ImbalancedNetClassifier(linear, module_params={"bias": True})
    given = net.module_params
    net.set_params(module__bias=False, optimizer__eps=1e-9, loss="focal", loss__gamma=3)
    assert given == {"bias": True}
    assert net.module_params == {"bias": False}
    assert net.get_params()["optimizer__eps"] == 1e-9
    assert net.loss_params == {"gamma": 3}
    assert "module__bias" not in net.get_params(deep=False)
    net.set_params(loss=FocalLoss(), loss_params=None, loss__gamma=4)
    assert net.loss.gamma == 4
    assert net.loss_params is None
    net.set_params(pos_weight=PosWeightTransformer(), pos_weight__scheme="log")
    assert net.pos_weight.scheme == "log"
    with pytest.raises(ValueError, match="Invalid parameter"):
        net.set_params(modul__bias=False)


# --------------------------------------------------------------------------- bad input

BAD = [
    ({}, {"X": np.zeros((0, 6)), "y": []}, "empty"),
    ({}, {"y": np.zeros((299, 4))}, "inconsistent numbers of samples"),
    ({"standardize": True}, {"X": "nan"}, "NaN"),
    ({}, {"X": "inf"}, "infinity"),
    ({}, {"y": np.full((300, 4), 2)}, "the value 2"),
    ({}, {"y": np.full((300, 4), -1)}, r"np.where\(y == -1, np.nan, y\)"),
    ({}, {"y": np.zeros((300, 0))}, "at least one row and one label"),
    ({}, {"y": np.linspace(0, 1, 300)}, "continuous"),
    ({}, {"y": np.full(300, np.nan)}, "NaN"),
    ({}, {"y": None}, "y cannot be None|requires y to be passed"),
    ({"loss": "focl"}, {}, "Did you mean 'focal'"),
    ({"loss": "asymmetric"}, {"y": np.arange(300) % 3}, "but y is multiclass"),
    ({"loss": SoftmaxLogLoss()}, {}, "but y is multilabel-indicator"),
    ({"loss": LogLoss()}, {"y": np.arange(300) % 3}, "but y is multiclass"),
    ({"loss": LogLoss(), "loss_params": {"gamma": 1}}, {}, "loss_params goes with"),
    ({"loss": "focal", "loss_params": {"gama": 1}}, {}, "Did you mean 'gamma'"),
    ({"loss_params": {"gamma": 1}}, {}, "loss__gamma is not a parameter of LogLoss"),
    ({"loss": "focal", "loss_params": {"gamma": -1}}, {}, "'gamma' parameter.*Got -1"),
    ({"pos_weight": "sqr"}, {}, "Did you mean 'sqrt'"),
    ({"pos_weight": [1, 2]}, {}, r"pos_weight has shape \(2,\)"),
    ({"pos_weight": 0.0}, {}, r"pos_weight must lie in \(0, inf\)"),
    ({"pos_weight": [1, 2, 3, -1]}, {}, "pos_weight must lie in"),
    ({"pos_weight": [1, 2, 3, np.nan]}, {}, "pos_weight must lie in"),
    (
        {"pos_weight": [1, np.inf, np.inf, 3]},
        {},
        "got inf for label 1, inf for label 2. A label without.* returns 1 for it",
    ),
    (
        {"pos_weight": 5.0},
        {"y": np.arange(300) % 3},
        "pos_weight=5.0 is a single number.* 3 classes alike.* 'balanced'",
    ),
    (
        {"pos_weight": np.float32(5)},
        {"y": np.arange(300) % 3},
        "Pass a weight for each class",
    ),
    ({"label_weight": "balance"}, {}, "Did you mean 'balanced'"),
    ({"label_weight": "balanced"}, {"y": np.arange(300) % 3}, "label_weight goes with"),
    ({"class_weight": "balanced"}, {}, "class_weight goes with a 1-D y"),
    ({}, {"sample_weight": np.ones((300, 3))}, "sample_weight has shape"),
    ({}, {"sample_weight": np.zeros(300)}, "(?i)zero"),
    ({}, {"sample_weight": np.full(300, -1.0)}, "not be negative|not negative"),
    ({}, {"sample_weight": np.full(300, np.nan)}, "NaN"),
    ({"hidden_layer_sizes": (0,)}, {}, "hidden_layer_sizes"),
    ({"activation": "rely"}, {}, "Did you mean 'relu'"),
    ({"dropout": 1.0}, {}, "dropout"),
    ({"lr": 0}, {}, "'lr' parameter.*Got 0 instead"),
    ({"optimizer_params": {"lr": 1}}, {}, "lr is given twice"),
    (
        {"weight_decay": 0.1, "optimizer_params": {"weight_decay": 1}},
        {},
        "weight_decay is given twice",
    ),
    ({"weight_decay": -1}, {}, "'weight_decay'.*Got -1"),
    ({"optimizer_params": {"bettas": 1}}, {}, "Did you mean 'betas'"),
    ({"net_params": {"train_split": None}}, {}, "'train_split'.*X_val and y_val"),
    ({"net_params": {"criterion__x": None}}, {}, "'criterion__x'.* Use loss instead"),
    ({"net_params": {"lr": 1}}, {}, "Use the parameter lr of the estimator"),
    ({"net_params": {"dataset": None}}, {}, "'dataset'.* Leave it out"),
    ({"net_params": {"use_cachin": True}}, {}, "Did you mean 'use_caching'"),
    ({"net_params": {"compile": True}}, {}, "'compile'"),
    ({"net_params": {"predict_nonlinearity": None}}, {}, "Use correct_probabilities"),
    ({"max_epochs": 0}, {}, "max_epochs"),
    ({"batch_size": 0}, {}, "batch_size"),
    ({"precision": "8"}, {}, "'precision'.*Got '8'"),
    ({"early_stopping": "yes"}, {}, "early_stopping"),
    ({"validation_fraction": 1.0}, {}, "validation_fraction"),
    ({"n_iter_no_change": 0}, {}, "n_iter_no_change"),
    ({"scoring": "macro_average_precisoin"}, {}, "Did you mean"),
    ({"correct_probabilities": "yes"}, {}, "correct_probabilities"),
    ({"threshold": 1.5}, {}, r"must lie in \[0, 1\]"),
    ({"threshold": [0.5, 0.5]}, {}, r"expected a number or \(4,\)"),
    ({"threshold": "uncorected"}, {}, "Did you mean 'uncorrected'"),
    ({"threshold": "prevalence"}, {}, r"Did you mean 'prior'\?"),
    (
        {"threshold": "prevalance"},
        {},
        r"mean 'matched_prevalence' or 'prior' \(prevalence\)\?",
    ),
    ({"threshold": "f1_scor"}, {}, r"Did you mean 'f_beta' \(f1_score\)\?"),
    ({"threshold": 0.4}, {"y": np.arange(300) % 3}, "largest probability"),
    ({"init_bias": "priors"}, {}, "Did you mean 'prior'"),
    ({"num_workers": -1}, {}, "num_workers"),
    ({"gradient_accumulation": 0}, {}, "'gradient_accumulation'.*Got 0"),
    ({"max_grad_norm": 0.0}, {}, "'max_grad_norm'.*Got 0.0"),
    (
        {"max_grad_norm": 1.0, "optimizer": torch.optim.LBFGS},
        {},
        r"max_grad_norm=1.0 has no meaning for LBFGS.* Leave max_grad_norm",
    ),
    ({"data_device": "meta"}, {}, "data_device='meta' must be 'auto', 'cpu'"),
    ({"resume": True}, {}, "resume=True needs checkpoint"),
    ({"checkpoint": "here", "warm_start": True}, {}, "do not go together"),
    ({"device": "gpu"}, {}, "device='gpu' is not a torch device"),
    ({"module_params": {}}, {}, None),
]


@pytest.mark.parametrize(
    ("params", "data", "message"),
    [case for case in BAD if case[2]],
    ids=[f"{i}-{case[2][:25]}" for i, case in enumerate(BAD) if case[2]],
)
def test_bad_input_names_the_way_out_and_changes_nothing(
    problem, params, data, message
):
    X, Y = problem
    data = {"X": X, "y": Y, **data}
    if isinstance(data["X"], str):
        value = {"nan": np.nan, "inf": np.inf}[data["X"]]
        data["X"] = np.where(np.arange(len(X))[:, None] == 3, value, X)
    fitted = small().fit(X, Y)
    before = fitted.predict_proba(X)
    with pytest.raises((ValueError, TypeError), match=message):
        fitted.set_params(**params).fit(**data)
    np.testing.assert_array_equal(before, fitted.predict_proba(X))
    fresh = small(**params)
    with pytest.raises((ValueError, TypeError)):
        fresh.fit(**data)
    assert not [name for name in vars(fresh) if name.endswith("_")]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_cuda_where_there_is_none(problem):
    with pytest.raises(ValueError, match="finds no CUDA device"):
        small(device="cuda").fit(*problem)


def test_bad_modules(problem):
    X, Y = problem
    cases = [
        (nn.Linear(6, 4), None, "pass the class or a function that builds it"),
        ("mlp", None, "must be a class or a function"),
        (lambda a, _: nn.Linear(a, 3), None, r"shape \(32, 3\).*\(32, 4\)"),
        (linear, {"bais": True}, "Did you mean 'bias'"),
        (linear, {"n_outputs": 3}, "set by the estimator itself"),
        (linear, [1], "'module_params'.*must be an instance of 'dict'"),
    ]
    for module, module_params, message in cases:
        net = ImbalancedNetClassifier(module, module_params=module_params)
        with pytest.raises((TypeError, ValueError), match=message):
            net.fit(X, Y)


def test_predicting_another_number_of_features(problem):
    X, Y = problem
    net = small().fit(X, Y)
    with pytest.raises(ValueError, match=r"5 features.*6 features"):
        net.predict(X[:, :5])
    with pytest.raises(ValueError, match="3 labels, but 4"):
        net.score(X, Y[:, :3])


@pytest.mark.parametrize(
    "method", ["predict", "predict_proba", "predict_log_proba", "decision_function"]
)
def test_what_is_not_fitted_says_so(problem, method):
    X, _ = problem
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(small(), method)(X)


def test_groups_of_several_types_are_refused_by_name(problem):
    X, Y = problem
    groups = np.array([None, "a"] * (len(X) // 2), dtype=object)
    with pytest.raises(ValueError, match="groups holds values"):
        small(early_stopping=True).fit(X, Y, groups=groups)


@pytest.mark.parametrize(
    "weight, message",
    [
        (np.full(300, -1.0), "^sample_weight_val contains"),
        (np.zeros(300), "^sample_weight_val is zero everywhere"),
        (np.ones((300, 7)), "^sample_weight_val has shape"),
        (np.repeat([[0.0], [1.0]], [299, 1], axis=0), "^sample_weight_val has shape"),
        (["a"] * 300, "^sample_weight_val must hold numbers"),
    ],
)
def test_weights_of_held_out_rows_are_named(problem, weight, message):
    X, Y = problem
    held_out = {"X_val": X, "y_val": Y, "sample_weight_val": weight}
    with pytest.raises(ValueError, match=message):
        small().fit(X, Y, **held_out)


def test_held_out_rows_without_an_entry_that_counts_are_named(problem):
    X, Y = problem
    weight = np.ones(Y.shape)
    weight[:, 0] = 0
    missing = np.where(weight > 0, np.nan, Y)
    held_out = {"X_val": X, "y_val": missing, "sample_weight_val": weight}
    with pytest.raises(ValueError, match=r"sample_weight_val leave no row.* of y_val"):
        small().fit(X, Y, **held_out)


def test_a_split_that_leaves_nothing_says_so():
    X, Y = np.zeros((4, 1)), np.array([[1], [0], [1], [0]])
    with pytest.raises(ValueError, match="cannot be split"):
        small(early_stopping=True).fit(X, Y, groups=[0, 0, 0, 0])


def test_float32_inputs_give_float32_answers(problem):
    X, Y = problem
    net = small().fit(X.astype(np.float32), Y)
    assert net.predict_proba(X.astype(np.float32)).dtype == np.float32
    assert net.predict_proba(X).dtype == np.float64
    assert net.net_.module_.bias.dtype == torch.float32
    assert small().fit(X, Y).net_.module_.bias.dtype == torch.float32
    few = X[:100], Y[:100]
    assert small().fit(*few).net_.module_.bias.dtype == torch.float64
    assert small(precision="32").fit(*few).net_.module_.bias.dtype == torch.float32


def test_progress_is_printed_only_when_asked_for(problem, capsys):
    small().fit(*problem)
    assert capsys.readouterr().out == ""
    small(verbose=1).fit(*problem)
    lines = capsys.readouterr().out.strip().splitlines()
    assert [line.split()[:3] for line in lines] == [
        ["epoch", f"{number}/3", "train_loss"] for number in (1, 2, 3)
    ]
    assert all(line.endswith(" left") for line in lines)


def test_scikit_learn_scores_every_epoch_with_skorch_callbacks(problem):
    """A user's per-batch callback sees every batch and its gradients."""

    class Watch(Callback):
        def initialize(self):
            self.seen_ = []
            return self

        def on_batch_end(self, net, batch=None, training=False, **kwargs):
            self.seen_.append((training, len(batch[0])))

        def on_grad_computed(self, net, named_parameters, **kwargs):
            self.norms_ = [p.grad.norm() for _, p in named_parameters]

    X, Y = problem
    net = small(callbacks=[("watch", Watch())], max_epochs=1, batch_size=100).fit(X, Y)
    watch = dict(net.net_.callbacks_)["watch"]
    assert watch.seen_ == [(True, 100)] * 3
    assert len(watch.norms_) == 4


# ------------------------------------------------------------- the table of parameters


@pytest.mark.parametrize(
    "estimator", [ImbalancedMLPClassifier, ImbalancedNetClassifier]
)
def test_every_parameter_has_its_line_in_the_table(estimator):
    parameters = set(inspect.signature(estimator).parameters)
    assert set(estimator._parameter_constraints) == parameters


def test_the_shared_source_of_the_two_estimators_is_the_same():
    """Run ``python tools/copy_parameters.py`` where this fails."""
    path = Path(__file__).parents[1] / "tools" / "copy_parameters.py"
    tool = runpy.run_path(str(path))
    source = tool["PATH"].read_text()
    assert tool["render"](source) == source
    changed = source.replace("max_epochs=100,", "max_epochs=99,", 1)
    assert tool["render"](changed).count("max_epochs=99,") == 2


WHOLE = ["max_epochs", "n_iter_no_change", "n_members", "batch_size", "num_workers"]
SWITCHES = ["standardize", "early_stopping", "compile", "warm_start", "resume"]
NUMBERS = ["lr", "weight_decay", "max_grad_norm", "validation_fraction", "dropout"]
WRONG = [
    *((name, value) for name in WHOLE for value in (1.5, np.inf, True, "2", -1)),
    *((name, value) for name in SWITCHES for value in ("false", "yes", 2)),
    *((name, value) for name in NUMBERS for value in (np.nan, np.inf, "a", True, -1)),
    ("gradient_accumulation", 1.5),
    ("gradient_accumulation", np.inf),
    ("label_smoothing", np.nan),
    ("correct_probabilities", "yes"),
    ("correct_probabilities", 2),
    ("verbose", "a"),
    ("verbose", -1),
    ("init_bias", np.nan),
    ("init_bias", [0.0, 1.0]),
    ("init_bias", [0.0, np.inf, 0.0, 0.0]),
    ("init_bias", None),
    ("hidden_layer_sizes", (4.5,)),
    ("hidden_layer_sizes", "64"),
    ("hidden_layer_sizes", (0,)),
    ("hidden_layer_sizes", (-3,)),
    ("hidden_layer_sizes", (True,)),
    ("hidden_layer_sizes", None),
    ("hidden_layer_sizes", {8, 4}),
    ("hidden_layer_sizes", iter([8])),
    ("hidden_layer_sizes", np.array([[8]])),
    ("activation", None),
    ("activation", ["relu"]),
    ("callbacks", [3]),
    ("callbacks", [("a", 3)]),
    ("callbacks", 3),
    ("callbacks", "disable"),
    ("optimizer", 3),
    ("optimizer", "adma"),
    ("optimizer", nn.Linear),
    ("optimizer", torch.optim.SGD([torch.zeros(1)], lr=1.0)),
    ("device", 1.5),
    ("device", "meta"),
    ("data_device", "x"),
    ("precision", 32),
    ("random_state", "a"),
    ("random_state", -1),
    ("pos_weight", "auto"),
    ("pos_weight", True),
    ("pos_weight", ["a"]),
    ("pos_weight", np.inf),
    ("label_weight", "auto"),
    ("label_weight", 0.0),
    ("class_weight", [1.0, 2.0]),
    ("class_weight", "balance"),
    ("threshold", np.nan),
    ("checkpoint", 3),
    ("optimizer_params", 3),
    ("optimizer_params", {"betas": 3}),
    ("optimizer_params", {"eps": -1.0}),
    ("optimizer_params", {"eps": "a"}),
    ("optimizer_params", {"betas": (0.9, 0.9, 0.9)}),
    ("optimizer_params", {"amsgrad": "no"}),
    *(
        ("optimizer_params", {"param_groups": groups})
        for groups in (
            3,
            "hidden.*",
            {"hidden.*": {"lr": 0.1}},
            [("hidden.*",)],
            [("hidden.*", 0.1)],
            [(3, {"lr": 0.1})],
            [("hidden.*", {"lrr": 0.1})],
            [("hidden.*", {"lr": -1.0})],
        )
    ),
    ("optimizer", "muon"),
    ("optimizer", torch.optim.SparseAdam),
    ("optimizer", lambda params, lr: None),
    ("optimizer", lambda params: None),
    *((name, 10**400) for name in NUMBERS),
    ("device", 2**63),
    ("data_device", 2**63),
    ("loss", int),
    ("loss_params", [1]),
    ("net_params", "a"),
    ("net_params", {3: None}),
    ("hidden_layer_sizes", 2**63),
    ("scoring", 3),
    ("scoring", "los"),
]


@pytest.mark.parametrize(("name", "value"), WRONG, ids=lambda v: str(v)[:20])
def test_a_wrong_parameter_is_named_before_any_work(problem, name, value):
    """In `fit`, and at the first call to `partial_fit`."""
    X, Y = problem
    for method in ("fit", "partial_fit"):
        net = small(**{name: value})
        with pytest.raises((ValueError, TypeError), match=name):
            getattr(net, method)(X, Y)
        assert not [key for key in vars(net) if key.endswith("_")]


def test_the_error_is_one_of_value_and_of_type_and_has_the_nearest_spelling(problem):
    for error in (ValueError, TypeError):
        with pytest.raises(error, match="Did you mean 'balanced'"):
            small(class_weight="balance").fit(*problem)
    with pytest.raises(ValueError, match=r"Did you mean .*'adam'"):
        small(optimizer="adma").fit(*problem)


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ({"max_epochs": np.int64(2)}, {"max_epochs": 2}),
        ({"lr": np.float32(0.5)}, {"lr": 0.5}),
        ({"hidden_layer_sizes": 8}, {"hidden_layer_sizes": (8,)}),
        ({"hidden_layer_sizes": np.array([8, 4])}, {"hidden_layer_sizes": (8, 4)}),
        ({"optimizer": "AdamW"}, {}),
        ({"optimizer": "sgd"}, {"optimizer": torch.optim.SGD}),
        ({"standardize": np.False_}, {"standardize": False}),
        ({"early_stopping": np.True_}, {"early_stopping": True}),
        ({"early_stopping": 1}, {"early_stopping": True}),
        ({"batch_size": np.int32(50)}, {"batch_size": 50}),
        (
            {"init_bias": {3: 0.0, 1: 1.0, 0: 2.0, 2: 0.5}},
            {"init_bias": [2, 1, 0.5, 0]},
        ),
        ({"callbacks": [Callback]}, {}),
        ({"callbacks": [("mine", Callback())]}, {}),
    ],
    ids=stable_id,
)
def test_other_forms_of_a_value_give_the_same_net(problem, given, plain):
    X, Y = problem
    expected = small(**plain).fit(X, Y).predict_proba(X)
    np.testing.assert_array_equal(small(**given).fit(X, Y).predict_proba(X), expected)


@pytest.mark.parametrize("true", [np.True_, 1, np.int64(1)])
def test_every_form_of_true_corrects_probabilities(problem, true):
    X, Y = problem
    params = {"pos_weight": 9.0, "early_stopping": True}
    expected = small(**params).fit(X, Y)
    net = small(**params, correct_probabilities=true).fit(X, Y)
    assert type(net.calibrator_) is type(expected.calibrator_)
    assert net.calibrator_ is not None
    np.testing.assert_array_equal(net.predict_proba(X), expected.predict_proba(X))
    for false in (np.False_, 0):
        net = small(**params, correct_probabilities=false).fit(X, Y)
        assert net.calibrator_ is None
        assert not net.probabilities_corrected_


def test_parameters_of_the_default_module_are_checked_in_the_net_too(problem):
    X, Y = problem
    for name, value in [("hidden_layer_sizes", (4.5,)), ("activation", "rely")]:
        net = ImbalancedNetClassifier(module_params={name: value})
        with pytest.raises(ValueError, match=name):
            net.fit(X, Y)


@pytest.mark.parametrize(
    "class_weight",
    [{0: -1.0}, {0: np.nan}, {0: 1.0, 5: 2.0}, {"0": 1.0}, {0: "a"}],
    ids=stable_id,
)
def test_entries_of_class_weight(problem, class_weight):
    y = np.arange(300) % 3
    with pytest.raises(ValueError, match="class_weight"):
        small(class_weight=class_weight).fit(problem[0], y)


# ------------------------------------------------------------------------- names

BY_NAME = {
    "pos_weight": [2.0, 1.0, 5.0, 9.0],
    "label_weight": [1.0, 3.0, 2.0, 5.0],
    "init_bias": [0.0, -1.0, 1.0, 2.0],
    "threshold": [0.1, 0.2, 0.3, 0.4],
}
LABELS = list("abcd")


def _forms(values):
    series = pd.Series(values, index=LABELS)[list("dbca")]
    return [dict(series), series, series.to_frame(), series.to_frame().T]


@pytest.mark.parametrize("name", BY_NAME)
def test_values_by_label_name_are_read_by_name(problem, name):
    X, Y = problem
    frame = pd.DataFrame(Y, columns=LABELS)
    expected = small(**{name: BY_NAME[name]}).fit(X, frame)
    for given in _forms(BY_NAME[name]):
        net = small(**{name: given}).fit(X, frame)
        np.testing.assert_array_equal(net.predict_proba(X), expected.predict_proba(X))
        np.testing.assert_array_equal(net.predict(X), expected.predict(X))
    wrong = [
        {"a": 0.5, "b": 0.5, "c": 0.5},
        {"a": 0.5, "b": 0.5, "c": 0.5, "e": 0.5},
        pd.Series(0.5, index=list("aabc")),
        pd.DataFrame(0.5, index=[0, 1], columns=LABELS),
    ]
    for given in wrong:
        with pytest.raises(ValueError, match=name):
            small(**{name: given}).fit(X, frame)
    with pytest.raises(ValueError, match=name):
        small(**{name: dict(zip(LABELS, BY_NAME[name], strict=True))}).fit(X, Y)


def test_numbers_as_column_names_are_names(problem):
    X, Y = problem
    frame = pd.DataFrame(Y, columns=[3, 1, 0, 2])
    weight = {0: 1.0, 1: 2.0, 2: 3.0, 3: 4.0}
    for given in (weight, pd.Series(weight)[[3, 0, 1, 2]]):
        net = small(pos_weight=given).fit(X, frame)
        np.testing.assert_array_equal(net.pos_weight_, [4, 2, 1, 3])


def test_label_frames_in_another_order_are_aligned(problem):
    X, Y = problem
    frame = pd.DataFrame(Y, columns=LABELS)
    other = frame[list("dbca")]
    nets = [
        small(early_stopping=True).fit(X, frame, X_val=X[:90], y_val=held[:90])
        for held in (frame, other)
    ]
    np.testing.assert_array_equal(*(net.predict_proba(X) for net in nets))
    assert nets[0].score(X, frame) == nets[0].score(X, other)
    chunks = [small(), small()]
    for net, second in zip(chunks, (frame, other), strict=True):
        net.partial_fit(X[:150], frame[:150]).partial_fit(X[150:], second[150:])
    np.testing.assert_array_equal(*(net.predict_proba(X) for net in chunks))
    renamed = frame.rename(columns={"a": "z"})
    with pytest.raises(ValueError, match=r"y_val must have the label columns.*'a'"):
        small().fit(X, frame, X_val=X, y_val=renamed)


# ----------------------------------------------------------------------- scoring


@pytest.mark.parametrize(
    ("scoring", "y"),
    [
        ("macro_average_precision", np.arange(300) % 3),
        ("macro_f1", np.arange(300) % 3),
        ("f1", np.arange(300) % 3),
        ("balanced_accuracy", None),
    ],
)
def test_a_score_that_the_target_cannot_have_is_refused_before_training(
    problem, scoring, y
):
    epochs = []

    class Watch(Callback):
        def on_epoch_end(self, net, **kwargs):
            epochs.append(len(net.history))

    X, Y = problem
    net = small(scoring=scoring, early_stopping=True, callbacks=[Watch()])
    with pytest.raises(ValueError, match=r"scoring=.* gives no number for a multi"):
        net.fit(X, Y if y is None else y)
    assert not epochs


@pytest.mark.parametrize(
    "metric", [average_precision_score, multilabel_average_precision_score]
)
def test_a_metric_is_no_scorer(problem, metric):
    with pytest.raises(TypeError, match=r"scorer\(estimator, X, y\).*make_scorer"):
        small(scoring=metric).fit(*problem)


@pytest.mark.parametrize("value", [None, "high", np.zeros(2)])
def test_a_score_that_is_no_number_is_refused(problem, value):
    net = small(scoring=lambda estimator, X, y: value, early_stopping=True)
    with pytest.raises(ValueError, match=r"scoring=.* gives no number"):
        net.fit(*problem)
