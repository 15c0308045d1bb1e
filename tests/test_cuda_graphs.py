"""Recorded gradients are those that are computed batch by batch.

The tests that need no device take a capture that computes again where a CUDA graph is
replayed: into the memory of the first call, from the memory that it has read.
"""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from nets import small, small_problem
from skorch.callbacks import (
    Callback,
    GradientNormClipping,
    LRScheduler,
)
from torch import nn

from skimbalance.neural_network import _cuda_graphs, _training
from skimbalance.neural_network._cuda_graphs import Recorder
from skimbalance.neural_network._optimizer import clear_gradients


class Captures:
    """Stands in for the capture of CUDA graphs, and counts captures and replays."""

    def __init__(self):
        self.n_captures = self.n_replays = 0

    def __call__(self, compute, parameters):
        compute()
        clear_gradients(parameters)
        outputs, self.n_captures = compute(), self.n_captures + 1
        kept = [p.grad for p in parameters]

        def replay():
            self.n_replays += 1
            clear_gradients(parameters)
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
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
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
def test_recorded_fits_are_those_that_are_not(captures, problem, params):
    params = {"batch_size": 70, "dropout": 0.0, **params}
    recorded = small(**params).fit(*problem).predict_proba(problem[0])
    # Batches of two sizes at most, and each batch is a replay.
    assert 1 <= captures.n_captures <= 2
    assert captures.n_replays >= 3 * 4
    plain = small(compile=False, **params).fit(*problem).predict_proba(problem[0])
    assert captures.n_captures <= 2
    np.testing.assert_allclose(recorded, plain, rtol=1e-6)


def test_weights_and_missing_labels_are_read_from_each_batch(captures, problem):
    X, Y = problem
    Y = Y.astype(float)
    Y[::7, 1] = np.nan
    weight = np.random.default_rng(0).integers(1, 4, len(Y)).astype(float)
    fits = []
    for compile_ in ("auto", False):
        net = small(batch_size=64, dropout=0.0, compile=compile_)
        fits.append(net.fit(X, Y, sample_weight=weight).predict_proba(X))
    assert 1 <= captures.n_captures <= 2
    np.testing.assert_allclose(*fits, rtol=1e-6)


class Watcher(Callback):
    def on_batch_end(self, net, **kwargs):
        pass


class Stranger(Callback):
    def on_epoch_end(self, net, **kwargs):
        pass


class OwnOptimizer(torch.optim.SGD):
    pass


@pytest.mark.parametrize(
    "params",
    [
        {"loss": "hard_negatives", "correct_probabilities": False},
        {"optimizer": "lbfgs", "lr": 0.1},
        {"loss": "focal", "loss_params": {"gamma": [1.0, 2.0, 3.0, 0.5]}},
        {"gradient_accumulation": 2, "batch_size": 100},
        {"compile": False},
        {"optimizer": OwnOptimizer},
        {"callbacks": [LRScheduler("StepLR", step_size=1)]},  # it may act on a batch
        {"callbacks": [Watcher()]},
        {"callbacks": [Stranger()]},
    ],
    ids=lambda params: "-".join(f"{k}-{v}" for k, v in params.items())[:40],
)
def test_what_python_may_change_is_not_recorded(captures, problem, params):
    small(**{"batch_size": 75, **params}).fit(*problem)
    assert captures.n_captures == 0


def test_hooks_and_other_threads_record_nothing(captures, problem):
    net = small().fit(*problem).net_
    assert captures.n_captures > 0
    assert _cuda_graphs.can_record(net)
    with ThreadPoolExecutor(1) as pool:
        assert not pool.submit(_cuda_graphs.can_record, net).result()
    hook = net.module_.body.output.register_forward_hook(lambda *_: None)
    assert not _cuda_graphs.can_record(net)
    hook.remove()
    assert _cuda_graphs.can_record(net)
    hook = net.module_.body.output.weight.register_hook(lambda gradient: gradient)
    assert not _cuda_graphs.can_record(net)
    hook.remove()
    with torch.autograd.set_detect_anomaly(True):
        assert not _cuda_graphs.can_record(net)


def test_moved_and_frozen_weights_are_recorded_anew(device):
    weight, captures = nn.Parameter(torch.ones(2, device=device)), Captures()

    def make_capture():
        return captures if device == "cpu" else _cuda_graphs.Capture(device)

    recorder = Recorder([weight], make_capture)

    def compute(batch):
        total = (batch[0] * weight).sum()
        if total.requires_grad:
            total.backward()
        return (batch[0] * weight).detach(), total.detach()

    def total_of(rows):
        weight.grad = None
        x = torch.tensor(rows, device=device)
        labels = torch.zeros(len(x), 1, dtype=torch.int8, device=device)
        y = _cuda_graphs.batch_targets(labels, None, (1.0, True, True), None)
        return recorder(compute, (x, y))[1].item()

    rows = [[1.0, 2.0], [3.0, 4.0]]
    assert total_of(rows) == 10
    with torch.no_grad():
        weight.mul_(2)  # in place: the recording reads the new values
    assert total_of(rows) == 20
    assert len(recorder.recorded) == 1
    assert total_of([[1.0, 2.0]]) == 6  # another number of rows
    assert len(recorder.recorded) == 2
    weight.data = torch.full((2,), 3.0, device=device)
    assert total_of(rows) == 30
    assert len(recorder.recorded) == 1
    assert weight.grad.tolist() == [4, 6]
    weight.requires_grad_(False)
    assert total_of(rows) == 30
    assert weight.grad is None


@pytest.fixture
def on_device(monkeypatch):
    """Count the graphs that are captured on a device."""
    captured, captures = _cuda_graphs.Capture._captured, Captures()

    def counted(self, compute):
        done = captured(self, compute)
        captures.n_captures += 1
        return done

    monkeypatch.setattr(_cuda_graphs.Capture, "_captured", counted)
    return captures


@pytest.mark.cuda
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"n_members": 3},
        {"cross_fit": True, "n_members": 3},
        {"precision": "bf16"},
        {"precision": "16"},
        {"max_grad_norm": 0.1},
        {"label_smoothing": 0.1, "pos_weight": "balanced"},
        {"loss": "zlpr", "correct_probabilities": False},
        {"loss": "distribution_balanced", "correct_probabilities": False},
        {"batch_size": 64},  # 300 rows in batches of 59 to 60
    ],
    ids=lambda params: "-".join(map(str, params)) or "default",
)
def test_graphs_give_what_kernels_launched_one_by_one_give(on_device, problem, params):
    X, _ = problem
    params = {"device": "cuda", "batch_size": 77, "dropout": 0.5, **params}
    first, second = (small(**params).fit(*problem).predict_proba(X) for _ in range(2))
    assert on_device.n_captures in (2, 4)
    np.testing.assert_array_equal(first, second)
    eager = small(compile=False, **params).fit(*problem).predict_proba(X)
    assert on_device.n_captures <= 4
    np.testing.assert_allclose(first, eager, rtol=1e-5)


@pytest.mark.cuda
def test_on_cuda_fits_leave_no_memory_behind(on_device, problem):
    held = []
    for _ in range(40):
        small(device="cuda").fit(*problem)
        held.append((torch.cuda.memory_allocated(), torch.cuda.memory_reserved()))
    assert on_device.n_captures >= 40
    assert held[-1] == held[1]


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
