"""Parameters: nested ones, and bad input that is refused before training."""

import numpy as np
import pytest
import torch
from nets import linear, small, small_problem
from skorch.callbacks import Callback
from torch import nn

from skimbalance.losses import FocalLoss, LogLoss, SoftmaxLogLoss
from skimbalance.neural_network import ImbalancedNetClassifier
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
    ({}, {"X": "nan"}, "NaN"),
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
    ({"loss": "focal", "loss_params": {"gamma": -1}}, {}, "gamma=-1"),
    ({"pos_weight": "sqr"}, {}, "Did you mean 'sqrt'"),
    ({"pos_weight": [1, 2]}, {}, r"pos_weight has shape \(2,\)"),
    ({"pos_weight": 0.0}, {}, "pos_weight must be finite and greater than 0"),
    ({"pos_weight": [1, 2, 3, -1]}, {}, "pos_weight must be finite"),
    ({"pos_weight": [1, 2, 3, np.nan]}, {}, "pos_weight must be finite"),
    ({"label_weight": "invers"}, {}, "Did you mean 'inverse'"),
    ({"label_weight": "inverse"}, {"y": np.arange(300) % 3}, "label_weight goes with"),
    ({"class_weight": "balanced"}, {}, "class_weight goes with a 1-D y"),
    ({}, {"sample_weight": np.ones((300, 3))}, "sample_weight has shape"),
    ({}, {"sample_weight": np.zeros(300)}, "(?i)zero"),
    ({}, {"sample_weight": np.full(300, -1.0)}, "not be negative|not negative"),
    ({}, {"sample_weight": np.full(300, np.nan)}, "NaN"),
    ({"hidden_layer_sizes": (0,)}, {}, "hidden_layer_sizes"),
    ({"activation": "rely"}, {}, "Did you mean 'relu'"),
    ({"dropout": 1.0}, {}, "dropout"),
    ({"lr": 0}, {}, "lr=0"),
    ({"optimizer_params": {"lr": 1}}, {}, "lr is said twice"),
    (
        {"weight_decay": 0.1, "optimizer_params": {"weight_decay": 1}},
        {},
        "weight_decay is said twice",
    ),
    ({"weight_decay": -1}, {}, "weight_decay=-1"),
    ({"optimizer_params": {"bettas": 1}}, {}, "Did you mean 'betas'"),
    ({"net_params": {"train_split": None}}, {}, "'train_split'"),
    ({"net_params": {"criterion__x": None}}, {}, "'criterion__x'"),
    ({"net_params": {"use_cachin": True}}, {}, "Did you mean 'use_caching'"),
    ({"net_params": {"compile": True}}, {}, "'compile'"),
    ({"max_epochs": 0}, {}, "max_epochs"),
    ({"batch_size": 0}, {}, "batch_size"),
    ({"precision": "8"}, {}, "precision='8'"),
    ({"early_stopping": "yes"}, {}, "early_stopping"),
    ({"validation_fraction": 1.0}, {}, "validation_fraction"),
    ({"n_iter_no_change": 0}, {}, "n_iter_no_change"),
    ({"scoring": "macro_average_precisoin"}, {}, "Did you mean"),
    ({"correct_probabilities": "yes"}, {}, "correct_probabilities"),
    ({"threshold": 1.5}, {}, r"must lie in \[0, 1\]"),
    ({"threshold": [0.5, 0.5]}, {}, r"array of shape \(4,\)"),
    ({"threshold": "traned"}, {}, "Did you mean 'trained'"),
    ({"threshold": 0.4}, {"y": np.arange(300) % 3}, "largest probability"),
    ({"init_bias": "priors"}, {}, "Did you mean 'prior'"),
    ({"num_workers": -1}, {}, "num_workers"),
    ({"gradient_accumulation": 0}, {}, "gradient_accumulation=0"),
    ({"max_grad_norm": 0.0}, {}, "max_grad_norm=0.0"),
    (
        {"max_grad_norm": 1.0, "optimizer": torch.optim.LBFGS},
        {},
        "max_grad_norm=1.0 has no meaning for LBFGS",
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
        (linear, [1], "must be a dict"),
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
    assert small().fit(X, Y).net_.module_.bias.dtype == torch.float64
    assert small(precision="32").fit(X, Y).net_.module_.bias.dtype == torch.float32


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
