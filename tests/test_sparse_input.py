"""Sparse inputs: the same numbers as dense ones, without a dense copy of a batch."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone
from torch import nn

from skimbalance.modules import MLP, SparseLinear, SparseRows
from skimbalance.neural_network import ImbalancedMLPClassifier, ImbalancedNetClassifier
from skimbalance.neural_network._data import (
    Batches,
    RowSet,
    input_source,
    label_source,
    scaled_source,
)
from skimbalance.preprocessing import InputEncoder, InputScaler

CPU = torch.device("cpu")


def sparse_matrix(n_rows=60, n_features=400, density=0.02, seed=0):
    X = sp.random_array(
        (n_rows, n_features), density=density, format="csr", rng=seed, dtype=np.float64
    )
    X.data -= 0.3
    return X


def as_rows(X):
    return SparseRows(
        *(torch.as_tensor(array) for array in (X.indices, X.indptr[:-1], X.data)),
        X.shape[1],
    )


def copy_weights(layer, plain):
    state = layer.state_dict()
    plain.load_state_dict({**state, "weight": state["weight"].t()})


@pytest.mark.parametrize("bias", [True, False])
def test_sparse_linear_is_torchs_linear(bias):
    X = sparse_matrix()
    layer = SparseLinear(400, 7, bias=bias).double()
    plain = nn.Linear(400, 7, bias=bias).double()
    copy_weights(layer, plain)
    dense = torch.as_tensor(X.toarray())
    expected = plain(dense)
    torch.testing.assert_close(layer(as_rows(X)), expected)
    torch.testing.assert_close(layer(dense), expected)
    (expected**3).sum().backward()
    (layer(as_rows(X)) ** 3).sum().backward()
    torch.testing.assert_close(layer.weight.grad.t(), plain.weight.grad)
    if bias:
        torch.testing.assert_close(layer.bias.grad, plain.bias.grad)


def test_rows_without_a_stored_value_give_the_bias():
    empty = sp.csr_array((3, 5))
    layer = SparseLinear(5, 2).double()
    assert as_rows(empty).shape == (3, 5)
    torch.testing.assert_close(layer(as_rows(empty)), layer.bias.expand(3, 2))


def _step(optimizer, x, layer):
    (layer(x) ** 2).sum().backward()
    optimizer.step()


@pytest.mark.parametrize("fused", [False, True])
def test_optimizers_move_both_layouts_alike(fused):
    X = sparse_matrix()
    layer = SparseLinear(400, 5).double()
    plain = nn.Linear(400, 5).double()
    copy_weights(layer, plain)
    for module, x in ((layer, as_rows(X)), (plain, torch.as_tensor(X.toarray()))):
        optimizer = torch.optim.AdamW(module.parameters(), lr=0.1, fused=fused)
        for _ in range(3):
            optimizer.zero_grad()
            _step(optimizer, x, module)
    torch.testing.assert_close(layer.weight.t(), plain.weight)


def test_rows_stay_sparse_only_where_few_values_are_stored():
    for density, kind in ((0.02, SparseRows), (0.2, torch.Tensor)):
        X = sparse_matrix(density=density)
        for keep_sparse, expected in ((True, kind), (False, torch.Tensor)):
            source = input_source(X, torch.float64, CPU, keep_sparse=keep_sparse)
            x, _ = next(iter(Batches(RowSet(np.arange(60), source), 16)))
            assert isinstance(x, expected)


@pytest.mark.parametrize("moved", [False, True])
@pytest.mark.parametrize("chunk_bytes", [1, 2**23])
@pytest.mark.parametrize("index_type", [np.int32, np.int64])
def test_sparse_batches_hold_the_rows_in_order(
    monkeypatch, moved, chunk_bytes, index_type
):
    monkeypatch.setattr("skimbalance.neural_network._data._CHUNK_BYTES", chunk_bytes)
    X = sparse_matrix()
    X.indices, X.indptr = X.indices.astype(index_type), X.indptr.astype(index_type)
    kept = np.random.default_rng(0).permutation(60)[:37]
    source = input_source(X, torch.float32, CPU, scale=2.0, keep_sparse=True)
    if moved:
        source.move()
    batches = Batches(RowSet(kept, source), 10)
    dense = torch.cat([x.matmul(torch.eye(400)) for x, _ in batches])
    np.testing.assert_allclose(dense, X[kept].toarray() / 2, rtol=1e-6)
    assert [len(x) for x, _ in batches] == [10, 9, 9, 9]


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
def test_rows_moved_to_the_device_are_the_same_rows(kind):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(50, 6)), rng.integers(-1, 2, size=(50, 9)).astype(np.int8)
    kept = rng.permutation(50)[:33]
    found = []
    for move in (False, True):
        sources = (
            input_source(kind(X), torch.float64, CPU, X.mean(axis=0), X.std(axis=0)),
            label_source(kind(Y), CPU),
        )
        for source in sources if move else ():
            source.move()
        found.append(list(Batches(RowSet(kept, *sources), 8)))
    for (x, y), (moved_x, moved_y) in zip(*found):
        torch.testing.assert_close(x, moved_x)
        torch.testing.assert_close(y.labels, moved_y.labels)
    np.testing.assert_array_equal(torch.cat([y.labels for _, y in found[1]]), Y[kept])


@pytest.mark.parametrize("hidden", [(), (16,), (16, 8)])
def test_sparse_and_dense_training_give_the_same_net(hidden):
    X = sparse_matrix(200)
    Y = (np.random.default_rng(1).random((200, 3)) < 0.3).astype(int)
    net = ImbalancedMLPClassifier(
        hidden,
        standardize=False,
        max_epochs=3,
        batch_size=50,
        precision="64",
        random_state=0,
    )
    dense = net.fit(X.toarray(), Y).decision_function(X.toarray())
    sparse = net.fit(X, Y)
    assert sparse.net_.reads_sparse
    np.testing.assert_allclose(sparse.decision_function(X), dense, atol=1e-10)
    np.testing.assert_allclose(sparse.decision_function(X.toarray()), dense, atol=1e-10)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("fitted_on, read", [(0, 0), (0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("encoding", ["piecewise_linear", "smooth_clip", "row_norm"])
@pytest.mark.parametrize("moved", [False, True])
@pytest.mark.parametrize("n_columns", [5, 120])  # the bins of 120 are centred
def test_encoded_batches_are_those_of_the_transformer(
    encoding, fitted_on, read, dtype, moved, n_columns
):
    kinds = [np.asarray, sp.csr_array]
    X = np.random.default_rng(0).normal(size=(60, 5)) * [1, 9, 0.1, 1, 1]
    X[:, 4] = 2  # a constant column
    X[X < -0.5], X[7] = 0, 0
    X = np.tile(X, n_columns // 5)
    given = np.float64 if dtype is torch.float64 else np.float32
    encoder = InputEncoder(encoding, dtype=given).fit(kinds[fitted_on](X))
    source = scaled_source(kinds[read](X), dtype, CPU, encoder)
    if moved:
        source.move()
    kept = np.random.default_rng(1).permutation(60)
    rows = RowSet(kept, source)
    found = torch.cat([x for x, _ in Batches(rows, 16)])
    right = encoder.transform(X)
    assert found.dtype == dtype
    assert rows.shape == right.shape
    np.testing.assert_allclose(found, right[kept], rtol=1e-6, atol=1e-12)


def test_the_default_net_reads_encoded_inputs():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(80, 3)), rng.integers(0, 2, size=(80, 2))
    net = ImbalancedMLPClassifier((4,), max_epochs=1, random_state=0).fit(X, Y)
    assert isinstance(net.scaler_, InputEncoder)
    assert net.members_[0].body.hidden[0].in_features == 3 + 3 * 8
    assert net.n_features_in_ == 3
    encoded = net.scaler_.transform(X)
    plain = clone(net).set_params(standardize=False).fit(encoded, Y)
    np.testing.assert_array_equal(plain.predict_proba(encoded), net.predict_proba(X))
    scaled = clone(net).set_params(standardize=True).fit(X, Y)
    assert isinstance(scaled.scaler_, InputScaler)
    assert scaled.members_[0].body.hidden[0].in_features == 3


def test_real_text_gives_the_same_net(load):
    data = load("medical")
    X, Y = data["X"][:300], data["Y"][:300]
    Y = Y[:, np.asarray(Y.sum(axis=0)).ravel() > 5]
    net = ImbalancedMLPClassifier(
        (32,), max_epochs=3, early_stopping=False, precision="64", random_state=0
    )
    sparse = net.fit(X, Y).decision_function(X)
    encoded = net.scaler_.transform(X).toarray()
    dense = net.set_params(standardize=False).fit(encoded, Y)
    np.testing.assert_allclose(dense.decision_function(encoded), sparse, atol=1e-5)


class Seen(nn.Module):
    """Remembers what it is given."""

    kinds = ()

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.layer = SparseLinear(n_features, n_outputs)

    def forward(self, x):
        type(self).kinds = (*self.kinds, type(x))
        return self.layer(x)


def test_modules_get_sparse_rows_only_if_they_say_so():
    class Sparse(Seen):
        kinds, accepts_sparse = (), True

    X = sparse_matrix(density=0.01)
    Y = np.eye(2, dtype=int)[np.arange(60) % 2]
    for module, kind in ((Seen, torch.Tensor), (Sparse, SparseRows)):
        net = ImbalancedNetClassifier(module, max_epochs=1, random_state=0).fit(X, Y)
        assert set(module.kinds) == {kind}
        assert net.predict_proba(X).shape == (60, 2)


def test_mlp_without_hidden_layers_reads_sparse_rows():
    X = sparse_matrix()
    module = MLP(400, 3, hidden_layer_sizes=(), sparse_input=True).double()
    torch.testing.assert_close(module(as_rows(X)), module(torch.as_tensor(X.toarray())))


@pytest.mark.parametrize("standardize", ["auto", True, False])
def test_entries_that_are_stored_twice_add_up(standardize):
    X = sparse_matrix(150, 12, density=0.3)
    rows = np.repeat(np.arange(150), np.diff(X.indptr))
    halves = np.concatenate([0.25 * X.data, 0.75 * X.data])
    indptr = np.append(0, np.cumsum(2 * np.diff(X.indptr)))
    order = np.argsort(np.tile(rows, 2), kind="stable")
    twice = sp.csr_array((halves[order], np.tile(X.indices, 2)[order], indptr), X.shape)
    assert not twice.has_canonical_format
    y = X[:, [0]].toarray().ravel() > 0
    options = {"max_epochs": 2, "random_state": 0, "standardize": standardize}
    net = ImbalancedMLPClassifier((8,), **options).fit(X, y)
    expected = net.predict_proba(X)
    np.testing.assert_allclose(net.predict_proba(twice), expected, rtol=1e-6)
    again = ImbalancedMLPClassifier((8,), **options).fit(twice, y)
    np.testing.assert_allclose(again.predict_proba(X), expected, rtol=1e-6)
    assert twice.nnz == 2 * X.nnz  # the matrix of the user stays as it is
    for scaler in (InputScaler(), InputEncoder(encoding="row_norm")):
        found = scaler.fit(X).transform(twice)
        np.testing.assert_allclose(found.toarray(), scaler.transform(X).toarray())
