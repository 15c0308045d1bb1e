"""The training loop: batches hold the selected rows, whatever the container."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from nets import stable_id
from torch import nn

from skimbalance._counts import SparseWeights
from skimbalance.losses import FocalLoss, LogLoss, SetLoss, SoftmaxLogLoss
from skimbalance.modules import MLP
from skimbalance.neural_network._data import (
    Batches,
    RowSet,
    input_source,
    label_source,
    weight_source,
)
from skimbalance.neural_network._module import ScoreModule, criterion_of
from skimbalance.neural_network._training import seeded

CPU = torch.device("cpu")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(37, 5)) * (RNG.random((37, 5)) < 0.6)
Y = RNG.integers(-1, 2, size=(37, 4)).astype(np.int8)
W = RNG.random((37, 4))
ROWS = RNG.permutation(37)[:23]
CENTER, SCALE = RNG.normal(size=5), RNG.random(5) + 0.5


def collect(batches):
    gathered = zip(*((x, y.labels, y.weight) for x, y in batches), strict=True)
    parts = [torch.cat(part) for part in gathered]
    return [part.numpy() for part in parts]


@pytest.mark.parametrize("chunk_bytes", [1, 2**10, 2**23])
@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("sparse", [False, True])
def test_batches_hold_the_rows_in_order(monkeypatch, chunk_bytes, num_workers, sparse):
    monkeypatch.setattr("skimbalance.neural_network._data._CHUNK_BYTES", chunk_bytes)
    kind = sp.csr_array if sparse else np.asarray
    rows = RowSet(
        ROWS,
        input_source(kind(X), torch.float64, CPU, None, 2.0),
        label_source(kind(Y), CPU),
        weight_source(SparseWeights(kind(W - 1)) if sparse else W, torch.float64, CPU),
    )
    batches = Batches(rows, 6, num_workers=num_workers)
    sizes = [len(x) for x, _ in batches]
    assert sizes == [6, 6, 6, 5]
    assert len(batches) == 4
    x, y, w = collect(batches)
    np.testing.assert_allclose(x, X[ROWS] / 2)
    np.testing.assert_array_equal(y, Y[ROWS])
    np.testing.assert_allclose(w, W[ROWS])
    assert y.dtype == np.int8


def test_a_last_batch_is_never_a_handful_of_rows():
    rows = RowSet(np.arange(33), input_source(X, torch.float32, CPU))
    assert [len(x) for x, _ in Batches(rows, 16)] == [11, 11, 11]
    assert [len(x) for x, _ in Batches(rows, 100)] == [33]


def test_shuffled_batches_are_a_new_permutation_each_time():
    rows = RowSet(
        ROWS, input_source(X, torch.float64, CPU), label_source(np.arange(37), CPU)
    )
    batches = Batches(rows, 4, shuffle=True)
    with seeded(0, CPU):
        first = np.concatenate([y.labels for _, y in batches])
        second = np.concatenate([y.labels for _, y in batches])
    with seeded(0, CPU):
        again = np.concatenate([y.labels for _, y in batches])
    assert sorted(first) == sorted(ROWS)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
def test_dense_statistics_scale_sparse_rows_too(kind):
    rows = RowSet(ROWS, input_source(kind(X), torch.float64, CPU, CENTER, SCALE))
    x = torch.cat([x for x, _ in Batches(rows, 7)])
    np.testing.assert_allclose(x, (X[ROWS] - CENTER) / SCALE)


def test_read_only_and_integer_inputs_are_read():
    image = RNG.integers(0, 255, size=(37, 2, 3), dtype=np.uint8)
    image.flags.writeable = False
    rows = RowSet(ROWS, input_source(image, torch.float32, CPU, None, 255.0))
    x = torch.cat([x for x, _ in Batches(rows, 7)])
    assert x.dtype == torch.float32
    np.testing.assert_allclose(x, image[ROWS] / 255, rtol=1e-6)


def test_reading_never_changes_the_arrays():
    before = X.copy()
    rows = RowSet(np.arange(37), input_source(X, torch.float64, CPU, CENTER, SCALE))
    for x, _ in Batches(rows, 37):
        x.add_(1)
    np.testing.assert_array_equal(X, before)


def test_seeded_leaves_the_generator_where_it_was():
    state = torch.get_rng_state()
    with seeded(3, CPU):
        first = torch.rand(3)
    with seeded(3, CPU):
        assert torch.equal(first, torch.rand(3))
    assert torch.equal(torch.get_rng_state(), state)


def weighted_mean(loss, labels, scores, entries):
    value = np.where(labels == 1, loss.positive(scores), loss.negative(scores))
    return (entries * value * (labels >= 0)).sum() / len(labels)


@pytest.mark.parametrize("loss", [LogLoss(), FocalLoss()], ids=stable_id)
@pytest.mark.parametrize("weight", ["none", "rows", "entries"])
def test_pointwise_criterion_is_the_formula(loss, weight):
    scores = torch.as_tensor(RNG.normal(size=(37, 4))).requires_grad_()
    pos_weight, label_weight = RNG.random(4) + 1, RNG.random(4)
    criterion = criterion_of(loss)(
        loss,
        torch.as_tensor(pos_weight),
        torch.as_tensor(label_weight),
        mean_entry_weight=1.7,
        n_trained=3,
        has_missing=True,
    )
    entries = {"none": np.ones((37, 1)), "rows": W[:, :1], "entries": W}[weight]
    given = {"none": None, "rows": W[:, 0], "entries": W}[weight]
    total = criterion(
        scores, torch.as_tensor(Y), None if given is None else torch.as_tensor(given)
    )
    factor = entries * label_weight * np.where(Y == 1, pos_weight, 1)
    expected = weighted_mean(loss, Y, scores.detach(), factor) / (3 * 1.7)
    assert total.item() / criterion.divisor(37) == pytest.approx(expected)
    (gradient,) = torch.autograd.grad(total, scores)
    assert (gradient.numpy()[Y == -1] == 0).all()


def test_class_criterion_is_the_formula():
    scores = torch.as_tensor(RNG.normal(size=(37, 3)))
    labels = torch.as_tensor(RNG.integers(0, 3, size=37))
    weight, pos_weight = torch.as_tensor(W[:, 0]), torch.tensor([1.0, 2.0, 5.0])
    criterion = criterion_of(SoftmaxLogLoss())(
        SoftmaxLogLoss(), pos_weight.double(), mean_entry_weight=0.5
    )
    log_p = scores.log_softmax(dim=1)[torch.arange(37), labels]
    expected = -(weight * pos_weight[labels] * log_p).sum() / 37 / 0.5
    found = criterion(scores, labels, weight) / criterion.divisor(37)
    torch.testing.assert_close(found, expected)
    plain = criterion_of(SoftmaxLogLoss())(SoftmaxLogLoss())
    found = plain(scores, labels, None) / plain.divisor(37)
    torch.testing.assert_close(found, -log_p.mean())


class RowError(SetLoss):
    def forward(self, scores, targets, entry_weight):
        return (entry_weight * (scores - targets) ** 2).sum(dim=1)


@pytest.mark.parametrize("weight", ["none", "rows", "entries"])
def test_set_criterion_masks_cells_and_weighs_rows(weight):
    scores = torch.as_tensor(RNG.normal(size=(37, 4)))
    label_weight = torch.as_tensor(RNG.random(4))
    criterion = criterion_of(RowError())(
        RowError(), label_weight=label_weight, mean_entry_weight=2.0, has_missing=True
    )
    given = {"none": None, "rows": W[:, 0], "entries": W}[weight]
    entries = {"none": np.ones((37, 1)), "rows": W[:, :1], "entries": W}[weight]
    expected = (
        entries * label_weight.numpy() * (Y >= 0) * (scores.numpy() - Y) ** 2
    ).sum()
    found = criterion(
        scores, torch.as_tensor(Y), None if given is None else torch.as_tensor(given)
    )
    assert found.item() == pytest.approx(expected)
    assert criterion.divisor(37) == 37 * 2.0


@pytest.mark.parametrize("n_rows, batch_size", [(7, 3), (21, 4), (10_001, 16), (5, 9)])
def test_batches_are_even_within_a_row(n_rows, batch_size):
    rows = RowSet(
        np.arange(n_rows), input_source(np.zeros((n_rows, 1)), torch.float64, CPU)
    )
    sizes = [len(x) for x, _ in Batches(rows, batch_size)]
    assert sum(sizes) == n_rows
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("accumulate", [1, 2, 3])
@pytest.mark.parametrize("world", [1, 2, 3])
def test_shares_add_up_to_the_mean_over_a_step(accumulate, world):
    values = np.random.default_rng(0).normal(size=(41, 1))
    source = input_source(values, torch.float64, CPU)
    rows = RowSet(np.arange(41), source, label_source(np.zeros((41, 1)), CPU))
    steps, seen = {}, []
    for rank in range(world):
        batches = Batches(rows, 8, accumulate=accumulate, part=(rank, world))
        step = 0
        for x, y in batches:
            steps.setdefault(step, [])
            steps[step].append((y.fraction / world * x.mean(), x))
            seen.extend(x.ravel().tolist())
            step += y.last
    np.testing.assert_allclose(np.sort(seen), np.sort(values.ravel()))
    for parts in steps.values():
        mean = torch.cat([x for _, x in parts]).mean()
        torch.testing.assert_close(sum(part for part, _ in parts), mean)


class Bent(nn.Module):
    """Adds a bias that is no longer one behind the activation."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.layer = nn.Linear(n_features, n_outputs)

    def forward(self, x):
        return self.layer(x).relu()


class Words(nn.Module):
    """Reads indices only, and cannot be tried on anything else."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.layer = nn.EmbeddingBag(10, n_outputs)

    def forward(self, x):
        return self.layer(x.long()) if x.any() else self.layer(x)


def plain(n_features, n_outputs):
    return nn.Sequential(nn.Linear(n_features, 3), nn.Dropout(), nn.Linear(3, 3))


def no_bias(n_features, n_outputs):
    return nn.Linear(n_features, n_outputs, bias=False)


@pytest.mark.parametrize(
    "build, name",
    [
        (nn.Linear, "body.bias"),
        (plain, "body.2.bias"),
        (MLP, "body.output.bias"),
        (no_bias, "own_bias"),
        (Bent, "own_bias"),
        (Words, "own_bias"),
    ],
)
def test_a_bias_that_the_module_adds_serves_as_ours(build, name):
    start, x = np.array([1.0, -2.0, 3.0]), torch.ones(2, 4, dtype=torch.float64)
    torch.manual_seed(0)
    module = ScoreModule(build, {}, 4, 3, start, torch.float64)
    torch.manual_seed(0)
    body = build(4, 3).double()
    assert module.bias_name == name
    assert module.training
    expected = body.eval()(x) + torch.as_tensor(start)
    torch.testing.assert_close(module.eval()(x), expected)
    assert len(list(module.parameters())) == len(list(body.parameters())) + (
        name == "own_bias"
    )
