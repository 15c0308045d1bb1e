"""Steps: accumulated and clipped gradients, half precision, compiled nets, progress."""

import inspect
import io
import pickle
import sys

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.neural_network import ImbalancedMLPClassifier, ImbalancedNetClassifier
from skimbalance.neural_network._data import (
    Batches,
    RowSet,
    input_source,
    label_source,
)
from skimbalance.neural_network._optimizer import clear_gradients
from skimbalance.neural_network._training import Step

CPU = torch.device("cpu")


def small(**params):
    defaults = {
        "hidden_layer_sizes": (16,),
        "dropout": 0.0,
        "max_epochs": 3,
        "early_stopping": False,
        "random_state": 0,
    }
    return ImbalancedMLPClassifier(**{**defaults, **params})


@pytest.fixture(scope="module")
def problem():
    X, Y = make_imbalanced_multilabel(
        300, 6, 4, cardinality=1.2, imbalance_ratio=4, random_state=0
    )
    return X.astype(np.float64), Y.astype(np.int64)


# ------------------------------------------------------------------------- accumulation


@pytest.mark.parametrize("accumulate", [1, 2, 4, 99])
def test_shares_of_a_step_are_shares_of_its_rows(accumulate):
    source = input_source(np.zeros((103, 2)), torch.float64, CPU)
    rows = RowSet(np.arange(103), source, label_source(np.zeros((103, 1)), CPU))
    batches = list(Batches(rows, 10, accumulate=accumulate))
    steps, step = [], []
    for x, y in batches:
        assert y.first == (not step)
        step.append((x, y))
        if y.last:
            steps.append(step)
            step = []
    assert not step
    assert [len(step) for step in steps[:-1]] == [accumulate] * (len(steps) - 1)
    for step in steps:
        sizes = np.array([len(x) for x, _ in step])
        np.testing.assert_allclose([y.fraction for _, y in step], sizes / sizes.sum())


def test_accumulated_gradients_are_those_of_the_larger_batch(problem):
    X, Y = problem
    plain = {
        "optimizer": torch.optim.SGD,
        "lr": 0.5,
        "max_epochs": 4,
        "precision": "64",
    }
    whole = small(batch_size=300, **plain).fit(X, Y).decision_function(X)
    parts = small(batch_size=60, gradient_accumulation=5, **plain).fit(X, Y)
    np.testing.assert_allclose(parts.decision_function(X), whole, atol=1e-10)
    steps = small(batch_size=60, **plain).fit(X, Y).decision_function(X)
    assert not np.allclose(steps, whole, atol=1e-3)


# ----------------------------------------------------------------------------- clipping


class Norms(Callback):
    """Remembers the gradient's norm before it is clipped."""

    def initialize(self):
        self.norms_ = []
        return self

    def on_grad_computed(self, net, named_parameters, **kwargs):
        grads = [p.grad.reshape(-1) for _, p in named_parameters]
        self.norms_.append(torch.cat(grads).norm().item())


def test_a_long_gradient_is_cut_to_the_norm(problem):
    X, Y = problem
    plain = {"optimizer": torch.optim.SGD, "lr": 1.0, "max_epochs": 1}
    plain |= {"batch_size": 300, "weight_decay": 0.0, "standardize": False}

    def length_of_step(**params):
        net = small(**plain, **params, callbacks=[("norms", Norms())])
        before = net.set_params(lr=1e-300).fit(X, Y).net_.module_.state_dict()
        fitted = net.set_params(lr=1.0).fit(X, Y).net_
        after = fitted.module_.state_dict()
        moved = torch.cat([(after[k] - before[k]).reshape(-1) for k in before])
        return moved.norm().item(), dict(fitted.callbacks_)["norms"].norms_[0]

    length, norm = length_of_step()
    assert length == pytest.approx(norm, rel=1e-3)
    clipped, _ = length_of_step(max_grad_norm=norm / 3)
    assert clipped == pytest.approx(norm / 3, rel=1e-3)
    assert length_of_step(max_grad_norm=norm * 3)[0] == pytest.approx(norm, rel=1e-3)


# ---------------------------------------------------------------------------- precision


class Types(nn.Linear):
    """Remembers the type in which its scores are computed."""

    seen = None

    def forward(self, x):
        scores = super().forward(x)
        Types.seen = scores.dtype
        return scores


@pytest.mark.parametrize(
    "precision, computed",
    [("16", torch.float16), ("bf16", torch.bfloat16), ("32", torch.float32)],
)
def test_half_precision_is_for_products_alone(problem, precision, computed):
    X, Y = problem
    net = ImbalancedNetClassifier(
        Types, precision=precision, max_epochs=20, lr=0.02, random_state=0
    ).fit(X, Y)
    assert Types.seen == computed
    module = net.net_.module_
    assert {p.dtype for p in module.parameters()} == {torch.float32}
    proba = net.predict_proba(X)
    assert Types.seen == computed
    full = net.set_params(precision="32").fit(X, Y).predict_proba(X)
    np.testing.assert_allclose(proba, full, atol=0.02)


def test_float16_scales_the_loss_so_that_small_gradients_survive():
    weight = nn.Parameter(torch.zeros(3))
    gradients = {}

    class FakeNet:
        device, module_ = CPU, None
        optimizer_ = torch.optim.SGD([weight], lr=1.0)

        def get_all_learnable_params(self):
            return [("weight", weight)]

    for half in (None, torch.float16):
        step = Step(half)
        step.begin(FakeNet())
        clear_gradients(step.parameters)
        tiny = (weight.half() if half else weight).sum() * 1e-8
        step.backward(tiny.float(), 0.5)
        step.finish_gradients()
        gradients[half] = weight.grad.clone()
    torch.testing.assert_close(gradients[None], torch.full((3,), 5e-9))
    torch.testing.assert_close(
        gradients[torch.float16], gradients[None], rtol=0.02, atol=0
    )


def test_an_infinite_scaled_gradient_skips_the_step(problem):
    X, Y = problem
    net = small(precision="16", max_epochs=2).fit(X, Y)
    assert np.isfinite(net.predict_proba(X)).all()
    assert pickle.loads(pickle.dumps(net)).net_.step_.scaler is None


# ------------------------------------------------------------------------------ compile


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's own modules
def test_a_compiled_net_is_the_same_net(problem):
    X, Y = problem
    plain = small().fit(X, Y)
    compiled = small(compile=True).fit(X, Y)
    np.testing.assert_allclose(
        compiled.predict_proba(X), plain.predict_proba(X), atol=1e-8
    )
    assert list(compiled.net_.module_.state_dict()) == list(
        plain.net_.module_.state_dict()
    )
    twin = pickle.loads(pickle.dumps(compiled))
    np.testing.assert_allclose(
        twin.predict_proba(X), compiled.predict_proba(X), atol=1e-8
    )


@pytest.mark.skipif(
    "isolate_recompiles" not in inspect.signature(torch.compile).parameters,
    reason="this torch counts compilations over all nets of a process",
)
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's own modules
def test_compiled_nets_do_not_use_up_each_others_compilations(problem):
    X, Y = problem
    limits = {"recompile_limit": 2, "fail_on_recompile_limit_hit": True}
    with torch._dynamo.config.patch(**limits):
        for width in (5, 6, 7):
            small(hidden_layer_sizes=(width,), max_epochs=1, compile=True).fit(X, Y)


# ----------------------------------------------------------------------------- progress


class Terminal(io.StringIO):
    """A stream that reports to be a terminal."""

    def isatty(self):
        return True


def test_a_terminal_shows_a_bar(problem, monkeypatch):
    X, Y = problem
    monkeypatch.setattr(sys, "stdout", Terminal())
    net = small(verbose=1, early_stopping=True).fit(X, Y)
    shown = sys.stdout.getvalue()
    assert "3/3" in shown
    assert "train_loss=" in shown
    assert "valid_loss=" in shown
    pickle.dumps(net)


# ----------------------------------------------------------------------- where data lie


@pytest.mark.parametrize("cross_fit, n_sources", [(False, 2), (True, 3)])
def test_moved_rows_are_moved_once_and_shared_by_both_parts(
    problem, monkeypatch, cross_fit, n_sources
):
    X, Y = problem
    params = {"early_stopping": True, "cross_fit": cross_fit}
    reference = small(**params).fit(X, Y).predict_proba(X)
    path = "skimbalance.neural_network._base.moves_data"
    monkeypatch.setattr(path, lambda *args: True)
    moved = []
    for source in ("_DenseSource", "_SparseSource"):
        kind = getattr(sys.modules["skimbalance.neural_network._data"], source)
        move = kind.move
        monkeypatch.setattr(
            kind, "move", lambda self, move=move: (moved.append(self), move(self))
        )
    net = small(**params).fit(X, Y)
    assert len(moved) == n_sources  # inputs, labels and folds
    np.testing.assert_array_equal(net.predict_proba(X), reference)


@pytest.mark.cuda
def test_data_on_the_device_give_the_same_net(problem):
    X, Y = problem
    plain = {"device": "cuda", "precision": "32"}
    kept = small(data_device="cpu", **plain).fit(X, Y).predict_proba(X)
    moved = small(data_device="cuda", **plain).fit(X, Y).predict_proba(X)
    np.testing.assert_allclose(kept, moved, atol=1e-5)


def test_workers_gather_labels_and_sparse_inputs_too():
    import scipy.sparse as sp

    X = sp.random_array((400, 500), density=0.02, format="csr", rng=0)
    Y = sp.csr_array((np.arange(400)[:, None] % np.array([2, 3, 5]) == 0).astype(int))
    rows = RowSet(
        np.arange(400),
        input_source(X, torch.float64, CPU, keep_sparse=True),
        label_source(Y, CPU),
    )
    for (x, y), ahead in zip(Batches(rows, 64), Batches(rows, 64, num_workers=3)):
        torch.testing.assert_close(x.values, ahead[0].values)
        torch.testing.assert_close(y.labels, ahead[1].labels)
