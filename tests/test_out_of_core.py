"""Data that do not fit into memory: maps, datasets, and one chunk after another."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback
from torch.utils.data import Dataset, TensorDataset

from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.metrics import expected_observed_ratio
from skimbalance.neural_network import ImbalancedMLPClassifier
from skimbalance.preprocessing import InputScaler


def small(**params):
    defaults = {"hidden_layer_sizes": (16,), "max_epochs": 2, "early_stopping": False}
    return ImbalancedMLPClassifier(**{**defaults, "random_state": 0, **params})


@pytest.fixture(scope="module")
def problem():
    return make_imbalanced_multilabel(
        500, 6, 4, cardinality=1.2, imbalance_ratio=4, random_state=0
    )


def as_map(folder, X):
    np.save(folder / "X.npy", X)
    return np.load(folder / "X.npy", mmap_mode="r")


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_a_memory_map_gives_the_same_net(tmp_path, problem, dtype):
    X, Y = problem
    X = (40 * X + 128).clip(0, 255).astype(dtype)
    mapped = as_map(tmp_path, X)
    for params in ({}, {"num_workers": 2}):
        net = small(**params).fit(mapped, Y)
        reference = small().fit(X, Y)
        np.testing.assert_array_equal(
            net.predict_proba(mapped), reference.predict_proba(X)
        )


def test_a_memory_map_is_never_read_as_a_whole(tmp_path):
    """Integers are the hard case: scaling must not turn all of them into floats."""
    rng = np.random.default_rng(0)
    X = as_map(tmp_path, rng.integers(0, 255, (200_000, 150), dtype=np.uint8))
    y = X[:, 0] > 200
    tracemalloc.start()
    try:
        net = small(max_epochs=1, precision="32", batch_size=4096).fit(X, y)
        net.predict_top_k(X, 1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.5 * X.nbytes  # 30 MB; as float64 they would be 240 MB


class Rows(Dataset):
    """Reads rows one by one, and counts them."""

    def __init__(self, X):
        self.X, self.read = X, 0

    def __len__(self):
        return len(self.X)

    def __getitem__(self, row):
        self.read += 1
        return torch.as_tensor(self.X[row])


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_dataset_gives_the_same_net(problem, num_workers):
    X, Y = problem
    reference = small(standardize=False, early_stopping=True).fit(X, Y)
    dataset = Rows(X)
    for given in (dataset, TensorDataset(torch.as_tensor(X), torch.zeros(len(X)))):
        net = small(num_workers=num_workers, early_stopping=True).fit(given, Y)
        np.testing.assert_array_equal(
            net.predict_proba(given), reference.predict_proba(X)
        )
        assert net.n_features_in_ == 6
    assert dataset.read > 2 * len(X)
    with pytest.raises(ValueError, match="a Dataset scales its own items"):
        small(standardize=True).fit(dataset, Y)
    with pytest.raises(ValueError, match="rows of shape"):
        net.predict(Rows(X[:, :3]))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        small().fit(dataset, Y[:-1])


def test_chunks_with_the_counts_of_all_are_calibrated(problem):
    X, Y = problem
    counts = Y.sum(axis=0), (1 - Y).sum(axis=0)
    net = small(pos_weight="balanced", hidden_layer_sizes=())
    for _ in range(30):
        for start in range(0, 500, 125):
            rows = slice(start, start + 125)
            net.partial_fit(X[rows], sp.csr_array(Y[rows]), label_counts=counts)
    np.testing.assert_allclose(net.pos_weight_, counts[1] / counts[0])
    assert 0.8 < expected_observed_ratio(Y, net.predict_proba(X)) < 1.25


def test_the_scaler_reads_integers_in_chunks(problem):
    X = (10 * problem[0]).astype(np.int16)
    scaler, reference = InputScaler().fit(X), InputScaler().fit(X.astype(np.float64))
    np.testing.assert_allclose(scaler.center_, reference.center_)
    np.testing.assert_allclose(scaler.scale_, reference.scale_)
    for kind in (np.int8, np.float64):
        scaled = InputScaler().fit(sp.csr_array(X.clip(-100, 100).astype(kind)))
        mean_square = (X.clip(-100, 100).astype(float) ** 2).mean()
        assert scaled.scale_ == pytest.approx(np.sqrt(mean_square))


def test_weights_compare_the_rows_of_one_chunk_with_those_of_another():
    """Chunks of one class each: by weights of mean 1 each, nothing would be weighed."""
    rng = np.random.default_rng(0)
    y = (rng.random(400) < 0.2).astype(int)
    chunks = np.flatnonzero(y), np.flatnonzero(y == 0)
    weight = np.where(y == 1, 9.0, 1.0)
    rate = np.average(y, weights=weight)
    options = {"optimizer": "sgd", "lr": 0.5, "standardize": False, "batch_size": 20}
    for given, class_weight in ((weight, None), (np.ones(400), {0: 1, 1: 9})):
        net = small(hidden_layer_sizes=(), class_weight=class_weight, **options)
        for _ in range(30):
            for rows in chunks:
                X = np.zeros((len(rows), 1))
                net.partial_fit(X, y[rows], [0, 1], sample_weight=given[rows])
            net.set_params(lr=0.85 * net.lr)
        proba = net.predict_proba(np.zeros((1, 1)))[0, 1]
        assert proba == pytest.approx(rate, abs=0.03)


def test_the_base_rates_are_those_of_the_chunks_so_far(problem):
    X, Y = problem
    multilabel, classes = small(), small()
    y = Y[:, :2] @ [1, 2]
    for rows in (slice(300), slice(300, None)):
        multilabel.partial_fit(X[rows], Y[rows])
        classes.partial_fit(X[rows], y[rows], classes=[0, 1, 2, 3])
    np.testing.assert_allclose(multilabel.prior_, Y.mean(axis=0))
    np.testing.assert_allclose(classes.prior_, np.bincount(y) / 500, atol=1e-3)
    multilabel.set_params(threshold="prior")
    np.testing.assert_allclose(multilabel.thresholds_, Y.mean(axis=0))


def test_a_chunk_that_fails_leaves_no_trace(problem):
    X, Y = problem
    constant = Y.copy()
    constant[:, 0] = 0

    class Fail(Callback):
        def on_epoch_end(self, net, **kwargs):
            if len(net.history) > 2:
                raise RuntimeError("disk is full")

    net = small(callbacks=[Fail()]).fit(X, constant)
    before, rates = net.predict_proba(X), net.net_.optimizer_.param_groups
    for _ in range(2):
        with pytest.raises(RuntimeError, match="disk is full"):
            net.set_params(lr=0.01).partial_fit(X, Y)
        with pytest.raises(ValueError, match="features"):
            net.partial_fit(X[:, 1:], Y)
        assert {group["lr"] for group in rates} == {0.01}
    np.testing.assert_array_equal(net.predict_proba(X), before)
    assert len(net.net_.history) == len(net.history_) == 2


@pytest.mark.parametrize("starts", ["fit", "partial_fit"])
def test_the_scale_of_all_weights_has_no_effect_in_chunks(problem, starts):
    """Nor in what counts half a row beside the weights: constants and base rates."""
    X, Y = problem
    first, weight = Y.copy(), np.random.default_rng(0).uniform(0.5, 2, 500)
    first[:, 0] = 0
    found = []
    for scale in (1, 128, 2.0**-20):
        net = small(optimizer="sgd", lr=0.1)
        getattr(net, starts)(X[:300], first[:300], sample_weight=scale * weight[:300])
        proba = [net.predict_proba(X)]
        net.partial_fit(X[300:], Y[300:], sample_weight=scale * weight[300:])
        found.append([*proba, net.predict_proba(X), np.tile(net.prior_, (500, 1))])
    np.testing.assert_allclose(found[1], found[0], rtol=1e-6)
    np.testing.assert_allclose(found[2], found[0], rtol=1e-6)


def test_a_chunk_that_is_interrupted_is_not_counted(problem):
    X, Y = problem
    first = Y.copy()
    first[:, 0] = 0

    class Interrupt(Callback):
        armed = False

        def on_batch_begin(self, net, training=False, **kwargs):
            if training and Interrupt.armed:
                Interrupt.armed = False
                raise KeyboardInterrupt

    net = small(callbacks=[Interrupt()]).fit(X, first)
    before, n_epochs = net.predict_proba(X), net.n_iter_
    Interrupt.armed = True
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        net.partial_fit(X, Y)
    np.testing.assert_array_equal(net.predict_proba(X), before)
    assert net.n_iter_ == len(net.history_) == n_epochs
    net.partial_fit(X, Y)
    assert net.prior_[0] == pytest.approx(Y[:, 0].mean() / 2)
