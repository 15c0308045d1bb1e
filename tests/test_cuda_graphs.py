"""Recorded gradients are those that are computed batch by batch.

The tests that need no device take a capture that computes again where a CUDA graph is
replayed: into the memory of the first call, from the memory that it has read.
"""

import copy
import pickle

import numpy as np
import pytest
import torch
from nets import small, small_problem
from skorch.callbacks import Callback, GradientNormClipping, LRScheduler
from torch import nn

from skimbalance.neural_network import _cuda_graphs, _training
from skimbalance.neural_network._cuda_graphs import Recorder


class Captures:
    """Stands in for the capture of CUDA graphs, and counts captures and replays."""

    def __init__(self):
        self.n_captures = self.n_replays = 0

    def __call__(self, compute, clear):
        compute()
        clear()
        outputs, self.n_captures = compute(), self.n_captures + 1
        parameters = clear.__self__.parameters
        kept = [p.grad for p in parameters]

        def replay():
            self.n_replays += 1
            clear()
            for mine, new in zip(outputs, compute(), strict=True):
                mine.data.copy_(new)
            for mine, parameter in zip(kept, parameters, strict=True):
                if mine is not None:
                    mine.copy_(parameter.grad)

        return replay, outputs


@pytest.fixture
def problem():
    return small_problem()


@pytest.fixture
def captures(monkeypatch):
    """Record nets on the CPU as they are recorded on CUDA."""
    made = Captures()
    monkeypatch.setattr(_training, "Capture", lambda _: made)
    monkeypatch.setattr(_cuda_graphs, "_DEVICES", {"cpu", "cuda"})
    return made


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"n_members": 3},
        {"cross_fit": True, "n_members": 3},
        {"pos_weight": "balanced", "loss": "focal", "max_grad_norm": 0.1},
        {"callbacks": [GradientNormClipping(0.1)]},
        {"batch_size": 64, "optimizer": "sgd", "lr": 0.1},
    ],
    ids=lambda params: "-".join(params) or "default",
)
def test_recorded_fits_are_those_that_are_not(captures, monkeypatch, problem, params):
    params = {"batch_size": 70, "dropout": 0.0, **params}
    recorded = small(**params).fit(*problem).predict_proba(problem[0])
    # Batches of two sizes at most, and each batch is a replay.
    assert 1 <= captures.n_captures <= 2
    assert captures.n_replays >= 3 * 4
    monkeypatch.setattr(_training, "can_record", lambda net: False)
    plain = small(**params).fit(*problem).predict_proba(problem[0])
    np.testing.assert_allclose(recorded, plain, rtol=1e-6)


def test_weights_and_missing_labels_are_read_from_each_batch(
    captures, monkeypatch, problem
):
    X, Y = problem
    Y = Y.astype(float)
    Y[::7, 1] = np.nan
    weight = np.random.default_rng(0).integers(1, 4, len(Y)).astype(float)
    fits = []
    for records in (True, False):
        if not records:
            monkeypatch.setattr(_training, "can_record", lambda net: False)
        net = small(batch_size=64, dropout=0.0).fit(X, Y, sample_weight=weight)
        fits.append(net.predict_proba(X))
    np.testing.assert_allclose(*fits, rtol=1e-6)


class Watcher(Callback):
    def on_batch_end(self, net, **kwargs):
        pass


class Stranger(Callback):
    def on_epoch_end(self, net, **kwargs):
        pass


@pytest.mark.parametrize(
    "params",
    [
        {"loss": "hard_negatives", "correct_probabilities": False},
        {"optimizer": "lbfgs", "lr": 0.1},
        {"loss": "focal", "loss_params": {"gamma": [1.0, 2.0, 3.0, 0.5]}},
        {"gradient_accumulation": 2},
        {"callbacks": [LRScheduler("StepLR", step_size=1)]},  # it may act on a batch
        {"callbacks": [Watcher()]},
        {"callbacks": [Stranger()]},
    ],
    ids=lambda params: "-".join(f"{k}-{v}" for k, v in params.items())[:40],
)
def test_what_python_may_change_is_not_recorded(captures, problem, params):
    small(batch_size=75, **params).fit(*problem)
    assert captures.n_captures == 0


def test_modules_with_hooks_are_not_recorded(captures, problem):
    net = small().fit(*problem).net_
    assert captures.n_captures > 0
    assert _cuda_graphs.can_record(net)
    net.module_.body.output.register_forward_hook(lambda *_: None)
    assert not _cuda_graphs.can_record(net)


def test_moved_and_frozen_weights_are_recorded_anew():
    weight, captures = nn.Parameter(torch.ones(2)), Captures()
    recorder = Recorder([weight], captures)
    batch = _batch([[1.0, 2.0], [3.0, 4.0]])

    def compute(batch):
        total = (batch[0] * weight).sum()
        if total.requires_grad:
            total.backward()
        return batch[0] * weight, total

    assert recorder(compute, batch)[1] == 10
    weight.data.mul_(2)  # in place: the recording reads the new values
    assert recorder(compute, batch)[1] == 20
    assert captures.n_captures == 1
    weight.data = torch.full((2,), 3.0)
    assert recorder(compute, batch)[1] == 30
    assert captures.n_captures == 2
    torch.testing.assert_close(weight.grad, torch.tensor([4.0, 6.0]))
    weight.requires_grad_(False)
    recorder(compute, batch)
    assert captures.n_captures == 3
    assert weight.grad is None
    recorder(compute, _batch([[1.0, 2.0]]))  # another number of rows
    assert captures.n_captures == 4


def test_what_cannot_be_captured_is_computed():
    weight = nn.Parameter(torch.ones(2))
    recorder = Recorder([weight], lambda compute, clear: compute() and None)

    def compute(batch):
        total = (batch[0] * weight).sum()
        total.backward()
        return (total,)

    for value in (1.0, 2.0):
        weight.grad = None
        assert recorder(compute, _batch([[value, 1.0]])) == (value + 1,)
        torch.testing.assert_close(weight.grad, torch.tensor([value, 1.0]))


def _batch(rows):
    x = torch.tensor(rows)
    labels = torch.zeros(len(x), 1, dtype=torch.int8)
    return x, _cuda_graphs.batch_targets(labels, None, (1.0, True, True), None)


on_cuda = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="no CUDA device here"
)


@pytest.mark.cuda
@on_cuda
def test_on_cuda_a_failed_capture_leaves_the_fit_as_it_is(monkeypatch, problem):
    def failing(self, compute):
        captured(self, lambda: compute()[0].cpu())  # waits for the device
        assert captured(self, lambda: torch.cuda.synchronize()) is None

    params = {"device": "cuda", "batch_size": 70, "dropout": 0.5}
    expected = small(**params).fit(*problem).predict_proba(problem[0])
    captured = _cuda_graphs.Capture._captured
    monkeypatch.setattr(_cuda_graphs.Capture, "_captured", failing)
    proba = small(**params).fit(*problem).predict_proba(problem[0])
    np.testing.assert_allclose(proba, expected, rtol=1e-5)


@pytest.mark.cuda
@on_cuda
def test_on_cuda_fits_leave_no_memory_behind(problem):
    held = []
    for _ in range(40):
        small(device="cuda").fit(*problem)
        held.append(torch.cuda.memory_allocated())
    assert held[-1] == held[1]


@pytest.mark.cuda
@on_cuda
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"n_members": 3},
        {"cross_fit": True, "n_members": 3},
        {"precision": "bf16"},
        {"precision": "16"},
        {"max_grad_norm": 0.1},
    ],
    ids=lambda params: "-".join(map(str, params)) or "default",
)
def test_graphs_give_what_kernels_launched_one_by_one_give(
    monkeypatch, problem, params
):
    X, _ = problem
    n_captures = []
    capture = _cuda_graphs.Capture.__call__
    monkeypatch.setattr(
        _cuda_graphs.Capture,
        "__call__",
        lambda self, *args: n_captures.append(1) or capture(self, *args),
    )
    params = {"device": "cuda", "batch_size": 70, "dropout": 0.5, **params}
    first, second = (small(**params).fit(*problem).predict_proba(X) for _ in range(2))
    assert 2 <= len(n_captures) <= 4
    np.testing.assert_array_equal(first, second)
    monkeypatch.setattr(_training, "can_record", lambda net: False)
    eager = small(**params).fit(*problem).predict_proba(X)
    assert len(n_captures) <= 4
    np.testing.assert_allclose(first, eager, rtol=1e-5)


def test_a_recorded_net_can_be_stored_while_it_trains(captures, problem):
    """A callback of skorch, such as `Checkpoint(f_pickle=...)`, may do so."""
    copies = []

    class Store(Callback):
        __module__ = "skorch.callbacks"

        def on_epoch_end(self, net, **kwargs):
            copies.append(pickle.loads(pickle.dumps(copy.deepcopy(net.step_))))

    small(callbacks=[Store()]).fit(*problem)
    assert captures.n_captures > 0
    assert {step.recorder for step in copies} == {None}
