"""Several nets trained as one: the same as each alone."""

import pickle
import time
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.losses import SetLoss
from skimbalance.neural_network import ImbalancedMLPClassifier, ImbalancedNetClassifier
from skimbalance.neural_network._module import MemberModule, try_module


@pytest.fixture(scope="module")
def problem():
    return make_imbalanced_multilabel(400, 6, 4, imbalance_ratio=3, random_state=0)


def net(**params):
    params = {"early_stopping": False, "max_epochs": 3, "random_state": 0} | params
    return ImbalancedMLPClassifier((8,), **params)


def member_proba(member, X):
    with torch.no_grad():
        return member.eval()(torch.as_tensor(X)).sigmoid().double().numpy()


def test_probabilities_are_the_mean_of_the_members(problem):
    X, Y = problem
    fitted = net(n_members=5).fit(X, Y)
    assert len(fitted.members_) == 5
    each = [member_proba(member, X) for member in fitted.members_]
    np.testing.assert_allclose(fitted.predict_proba(X), np.mean(each, axis=0), 1e-5)
    assert np.std(each, axis=0).min() > 0


def test_members_are_in_evaluation_mode(problem):
    """Dropout would change their scores from call to call."""
    X, Y = problem
    fitted = net(n_members=2, dropout=0.5).fit(X, Y)
    for _ in range(2):
        rows = torch.as_tensor(X)
        each = torch.stack([member(rows) for member in fitted.members_])
        expected = fitted.net_.forward(X)
        torch.testing.assert_close(each.mean(0).detach(), expected)
        fitted.partial_fit(X, Y)
    (alone,) = net(dropout=0.5).fit(X, Y).members_
    assert not any(module.training for module in alone.modules())


def test_multiclass_probabilities_are_the_mean_of_the_members(problem):
    X, Y = problem
    fitted = net(n_members=3).fit(X, Y.argmax(axis=1))
    x = torch.as_tensor(X)
    with torch.no_grad():
        each = [m.eval()(x).softmax(1) for m in fitted.members_]
    expected = torch.stack(each).mean(0).double().numpy()
    np.testing.assert_allclose(fitted.predict_proba(X), expected, rtol=1e-5)


class Constant(nn.Module):
    """Starts the same in every member and has no dropout."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.layer = nn.Linear(n_features, n_outputs)
        nn.init.constant_(self.layer.weight, 0.1)
        nn.init.zeros_(self.layer.bias)

    def forward(self, x):
        return torch.tanh(self.layer(x))


class Product(SetLoss):
    """A loss that takes a whole batch together."""

    def forward(self, scores, targets, entry_weight):
        overlap = (scores.sigmoid() * targets * entry_weight).sum()
        return -overlap.expand(len(scores)) / len(scores)


@pytest.mark.parametrize("optimizer", [torch.optim.AdamW, torch.optim.SGD])
@pytest.mark.parametrize("loss", ["log_loss", "asymmetric", Product()])
def test_members_train_as_one_alone_does(problem, optimizer, loss):
    X, Y = problem
    params = {
        "loss": loss,
        "optimizer": optimizer,
        "lr": 0.01,
        "max_epochs": 3,
        "early_stopping": False,
        "pos_weight": None if isinstance(loss, SetLoss) else "sqrt",
        "correct_probabilities": False,
        "precision": "64",
        "batch_size": len(X),
        "random_state": 0,
    }
    one = ImbalancedNetClassifier(Constant, **params).fit(X, Y)
    some = ImbalancedNetClassifier(Constant, **params, n_members=3).fit(X, Y)
    (alone,) = one.members_
    for member in some.members_:
        for name, value in alone.state_dict().items():
            torch.testing.assert_close(member.state_dict()[name], value)
    for ours, theirs in zip(some.history_, one.history_):
        assert ours["train_loss"] == pytest.approx(theirs["train_loss"])


def test_members_with_early_stopping_and_calibration_persist(problem, tmp_path):
    X, Y = problem
    fitted = net(n_members=3, early_stopping=True, pos_weight="balanced").fit(X, Y)
    assert fitted.calibrator_ is not None
    joblib.dump(fitted, tmp_path / "net.joblib")
    again = joblib.load(tmp_path / "net.joblib")
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    again.partial_fit(X, Y)
    assert again.n_iter_ == fitted.n_iter_ + 1


def test_batch_norm_keeps_statistics_of_each_member(problem):
    X, Y = problem

    def build(n_features, n_outputs):
        return nn.Sequential(
            nn.BatchNorm1d(n_features), nn.Linear(n_features, n_outputs)
        )

    params = {"standardize": False, "early_stopping": False, "max_epochs": 2}
    fitted = ImbalancedNetClassifier(build, n_members=2, **params).fit(X + 3, Y)
    for member in fitted.members_:
        mean = member.body[0].running_mean
        assert (mean > 1).all()


def test_one_member_is_the_plain_net(problem):
    X, Y = problem
    (member,) = net().fit(X, Y).members_
    assert member.bias.shape == (4,)


def test_number_of_members_is_checked(problem):
    with pytest.raises(ValueError, match="'n_members' parameter"):
        net(n_members=0).fit(*problem)


class Recurrent(nn.Module):
    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.recurrent = nn.LSTM(n_features, n_outputs, batch_first=True)

    def forward(self, x):
        return self.recurrent(x.unsqueeze(1))[0][:, -1]


class Branching(nn.Module):
    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.layer = nn.Linear(n_features, n_outputs)

    def forward(self, x):
        return self.layer(x if self.layer.weight.sum() > 0 else -x)


class SpectralNorm(nn.Module):
    """Its training alone cannot be batched; predictions can."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        layer = nn.Linear(n_features, n_outputs)
        self.layer = nn.utils.parametrizations.spectral_norm(layer)

    def forward(self, x):
        return self.layer(x)


def test_a_trial_changes_no_buffer_and_no_random_state():
    def build(n_features, n_outputs):
        layers = nn.BatchNorm1d(n_features), nn.Dropout(), nn.Linear(6, n_outputs)
        return nn.Sequential(*layers)

    given = {"n_features": 6, "n_outputs": 4, "bias": np.zeros(4), "params": {}}
    module = MemberModule(n_members=2, build=build, dtype=torch.float32, **given)
    x = torch.randn(32, 6)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    state, was_training = torch.get_rng_state(), module.training
    try_module(module, x)
    assert torch.equal(torch.get_rng_state(), state)
    assert module.training == was_training
    assert not module.in_lockstep
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name]), name
    try_module(module, x[:1])  # too few rows for the statistics of a batch


@pytest.mark.parametrize("module", [Recurrent, Branching, SpectralNorm])
@pytest.mark.parametrize("cross_fit", [False, True])
def test_members_that_torch_cannot_batch_train_one_after_another(
    problem, module, cross_fit
):
    X, Y = problem
    params = {"early_stopping": False, "max_epochs": 2, "random_state": 0}
    net = ImbalancedNetClassifier(module, n_members=3, cross_fit=cross_fit, **params)
    net.set_params(correct_probabilities=False).fit(X, Y)
    start = clone(net).set_params(lr=1e-300).fit(X, Y)
    x = torch.as_tensor(X).to(net.net_.module_.bias.dtype)
    with torch.no_grad():
        each = [member.eval()(x).sigmoid().numpy() for member in net.members_]
    np.testing.assert_allclose(net.predict_proba(X), np.mean(each, axis=0), 1e-5)
    for member, before in zip(net.members_, start.members_, strict=True):
        pairs = zip(member.parameters(), before.parameters(), strict=True)
        assert not any(torch.equal(after, first) for after, first in pairs)


class Slow(nn.Linear):
    """A module that lets other threads run before it reads its weights again."""

    def forward(self, x):
        scores = super().forward(x)
        time.sleep(1e-3)
        return scores + super().forward(x)


class SlowBranch(Slow):
    """One that torch cannot batch."""

    def forward(self, x):
        return super().forward(x if self.bias.sum().isfinite() else -x)


@pytest.mark.parametrize("module", [Slow, SlowBranch])
def test_threads_predict_at_the_same_time(problem, module):
    X, Y = problem
    fitted = ImbalancedNetClassifier(module, n_members=3, max_epochs=1, random_state=0)
    fitted = pickle.loads(pickle.dumps(fitted.fit(X, Y)))
    parts = np.array_split(X, 20)
    expected = [fitted.predict_proba(part) for part in parts]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(fitted.predict_proba, parts))
    np.testing.assert_array_equal(np.concatenate(found), np.concatenate(expected))
