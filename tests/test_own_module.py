"""Modules of a user's own: never changed, tried before training, stored by value."""

import pickle
import subprocess
import sys
import warnings
from types import SimpleNamespace

import cloudpickle
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from nets import linear, small, small_problem, stable_id
from torch import nn

from skimbalance.exceptions import ModuleOutputWarning
from skimbalance.neural_network import ImbalancedNetClassifier
from skimbalance.neural_network._data import (
    Batches,
    RowSet,
    input_source,
)
from skimbalance.preprocessing import InputScaler

CPU = torch.device("cpu")
X, Y = small_problem()


def net(module, **params):
    params = {"max_epochs": 2, "random_state": 0, "early_stopping": False, **params}
    return ImbalancedNetClassifier(module, **params)


# ------------------------------------------------------------------------------- copies


class OnTop(nn.Module):
    def __init__(self, n_features, n_outputs, below, start=None):
        super().__init__()
        self.below, self.top = below, nn.Linear(5, n_outputs)
        if start is not None:
            self.top.weight = nn.Parameter(start)

    def forward(self, x):
        return self.top(self.below(x).relu())


class Shared(nn.Module):
    below = nn.Linear(6, 5)  # one for all instances

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.layer, self.top = self.below, nn.Linear(5, n_outputs)

    def forward(self, x):
        return self.top(self.layer(x).relu())


def given(kind):
    """Return the parameters of a net that are given a module, and this module."""
    base = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Linear(5, 4))
    below, start = nn.Linear(6, 5), torch.zeros(4, 5)
    return {
        "function": ({"module": lambda d, o: base}, base),
        "parameter": ({"module": OnTop, "module_params": {"below": below}}, below),
        "tensor": (
            {"module": OnTop, "module_params": {"below": below, "start": start}},
            nn.ParameterList([nn.Parameter(start), *below.parameters()]),
        ),
        "class": ({"module": Shared}, Shared.below),
    }[kind]


@pytest.mark.parametrize("n_members", [1, 3])
@pytest.mark.parametrize("precision", ["32", "64"])
@pytest.mark.parametrize("kind", ["function", "parameter", "tensor", "class"])
def test_what_the_user_passes_never_changes(kind, precision, n_members):
    params, base = given(kind)
    before = {key: value.clone() for key, value in base.state_dict().items()}
    fitted = net(**params, precision=precision, n_members=n_members, lr=0.1)
    first = fitted.fit(X, Y).predict_proba(X)
    np.testing.assert_array_equal(first, fitted.fit(X, Y).predict_proba(X))
    for key, value in base.state_dict().items():
        assert torch.equal(value, before[key])
        assert value.dtype == before[key].dtype
    assert base.training


# -------------------------------------------------------------------------------- trial


def ending(*layers):
    return lambda d, o: nn.Sequential(
        nn.Linear(d, 8), nn.ReLU(), nn.Linear(8, o), *layers
    )


@pytest.mark.parametrize("n_members", [1, 3])
@pytest.mark.parametrize("target", ["binary", "multilabel", "multiclass"])
@pytest.mark.parametrize("kind", ["sigmoid", "softmax"])
def test_a_module_that_ends_in_probabilities_warns(kind, target, n_members):
    y = {"binary": Y[:, 0], "multilabel": Y, "multiclass": Y.argmax(axis=1)}[target]
    module = ending(nn.Sigmoid() if kind == "sigmoid" else nn.Softmax(dim=1))
    with pytest.warns(
        ModuleOutputWarning, match=f"{kind}.*raw scores .logits"
    ) as caught:
        net(module, n_members=n_members).fit(X, y)
    warned = [w for w in caught if w.category is ModuleOutputWarning]
    assert [w.filename for w in warned] == [__file__]


class Small(nn.Module):
    """Gives small numbers of one sign, which are no probabilities."""

    def forward(self, x):
        return 1e-3 * x.abs()


@pytest.mark.parametrize(
    "last",
    [(), (nn.ReLU(),), (nn.Tanh(),), (nn.LogSoftmax(1),), (Small(),), (nn.Softplus(),)],
    ids=stable_id,
)
@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_other_modules_are_not(last, scale):
    with warnings.catch_warnings():
        warnings.simplefilter("error", ModuleOutputWarning)
        for seed in range(5):
            net(ending(*last), random_state=seed, max_epochs=1).fit(scale * X, Y)
            no_bias = lambda d, o: nn.Linear(d, o, bias=False)  # noqa: E731
            net(no_bias, random_state=seed, max_epochs=1).fit(abs(X) * scale, Y[:, 0])


class Gives(nn.Module):
    """Gives something else than raw scores."""

    def __init__(self, n_features, n_outputs, change):
        super().__init__()
        self.layer, self.change = nn.Linear(n_features, n_outputs), change

    def forward(self, x):
        return self.change(self.layer(x))


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda s: (), "returns a tuple.*'logits'"),
        (lambda s: ((s, s), s), "returns a tuple.*'logits'"),
        (lambda s: {"scores": s}, "returns a dict.*'logits'"),
        (lambda s: SimpleNamespace(logits=None), "SimpleNamespace.*'logits'"),
        (lambda s: None, "returns a NoneType"),
        (lambda s: s[:, :1], r"shape \(32, 1\) for 32 rows"),
        (lambda s: s[:1], r"shape \(1, 4\)"),
        (lambda s: s[None], r"shape \(1, 32, 4\)"),
        (lambda s: (s > 0).long(), "torch.int64"),
        (lambda s: s / 0, "NaN or infinite scores"),
        (lambda s: s.reshape(-1, 7), "module fails on the first rows of X"),
        (lambda s: s @ s, "module fails on the first rows of X"),
    ],
)
@pytest.mark.parametrize("n_members", [1, 2])
def test_what_a_module_gives_is_checked_before_training(change, message, n_members):
    fitted = net(Gives, module_params={"change": change}, n_members=n_members)
    with pytest.raises(
        (ValueError, TypeError), match=f"(?s)module.*{message}|{message}"
    ):
        fitted.fit(X, Y)
    assert not hasattr(fitted, "net_")


@pytest.mark.parametrize("n_members", [1, 2])
@pytest.mark.parametrize(
    "change",
    [
        lambda s: (s, s.exp()),
        lambda s: [s],
        lambda s: {"loss": None, "logits": s},
        lambda s: SimpleNamespace(logits=s),
    ],
)
def test_scores_among_other_outputs(change, n_members):
    """Modules of Hugging Face return mappings with the attribute `logits`."""
    params = {"n_members": n_members, "max_epochs": 2, "random_state": 0}
    plain = net(Gives, module_params={"change": lambda s: s}, **params).fit(X, Y)
    fitted = net(Gives, module_params={"change": change}, **params).fit(X, Y)
    np.testing.assert_array_equal(fitted.predict_proba(X), plain.predict_proba(X))
    assert fitted.net_.module_.bias_name == plain.net_.module_.bias_name
    # The trained module of the user: its weights have their own names.
    body = Gives(X.shape[1], Y.shape[1], change)
    body.load_state_dict(fitted.members_[0].body.state_dict())


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_a_sigmoid_of_inputs_of_any_scale_is_told(scale):
    with pytest.warns(ModuleOutputWarning, match="sigmoid"):
        net(ending(nn.Sigmoid())).fit(scale * X, Y)


class Shaped(nn.Module):
    def __init__(self, *, n_features, n_outputs):
        super().__init__()


class Broken(nn.Module):
    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.weights = {}["weights.pt"]


@pytest.mark.parametrize(
    "module",
    [lambda: nn.Linear(6, 4), lambda d: nn.Linear(d, 4), Shaped, Broken, nn.Sequential],
)
def test_a_module_that_cannot_be_built_is_named(module):
    fitted = net(module)
    with pytest.raises((ValueError, TypeError), match=r"module cannot be built.*must"):
        fitted.fit(X, Y)
    assert not hasattr(fitted, "net_")


class Unlinked(nn.Module):
    """A layer whose output is computed by a function that breaks its gradient."""

    def __init__(self, n_features, n_outputs, output):
        super().__init__()
        self.layer, self.output = nn.Linear(n_features, n_outputs), output

    def forward(self, x):
        return self.output(self.layer, x)


DETACHED = [
    lambda layer, x: layer(x).detach(),
    lambda layer, x: 2 * layer(x).detach(),
    lambda layer, x: torch.from_numpy(layer(x).detach().numpy()),
    lambda layer, x: x @ layer.weight.data.T,
]


@pytest.mark.parametrize("output", DETACHED)
def test_a_module_without_a_gradient_is_named(output):
    fitted = net(Unlinked, module_params={"output": output})
    with pytest.raises(ValueError, match="module gives scores that do not depend on"):
        fitted.fit(X, Y)
    assert not hasattr(fitted, "net_")


def test_a_module_that_overwrites_inputs_of_the_gradient_is_named():
    def output(layer, x):
        scores = layer(x)
        x.zero_()
        return scores

    data = X.copy()
    with pytest.raises(ValueError, match=r"module gives scores .* no gradient of"):
        net(Unlinked, module_params={"output": output}).fit(data, Y)
    np.testing.assert_array_equal(data, X)


def test_a_frozen_module_trains_its_bias_only():
    frozen = lambda d, o: nn.Linear(d, o).requires_grad_(False)  # noqa: E731
    assert np.isfinite(net(frozen).fit(X, Y).predict_proba(X)).all()


@pytest.mark.parametrize(
    "mode", [torch.no_grad, torch.inference_mode, torch.enable_grad]
)
@pytest.mark.parametrize("module", [linear, None])
def test_gradient_modes_of_the_caller(mode, module):
    plain = small() if module is None else net(module)
    reference = plain.fit(X, Y).predict_proba(X)
    with mode():
        before = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
        found = plain.fit(X, Y).predict_proba(X)
        assert (torch.is_grad_enabled(), torch.is_inference_mode_enabled()) == before
        plain.partial_fit(X, Y).net_.partial_fit(X, Y)
    np.testing.assert_array_equal(found, reference)
    plain.partial_fit(X, Y)


# ----------------------------------------------------------------------------- integers


class Tokens(nn.Module):
    def __init__(self, n_features, n_outputs, size=9, shift=0):
        super().__init__()
        self.embedding, self.shift = nn.Embedding(size, n_outputs), shift
        self.dtypes = set()

    def forward(self, x):
        if self.training:
            self.dtypes.add(x.dtype)
        return self.embedding(x % self.embedding.num_embeddings - self.shift).mean(1)


class SparseEmbedding(nn.Module):
    def __init__(self, n_features, n_outputs, sparse=True):
        super().__init__()
        self.embedding = nn.Embedding(9, 4, sparse=sparse)
        self.layer = nn.Linear(4 * n_features, n_outputs)

    def forward(self, x):
        return self.layer(self.embedding(x.long()).flatten(1))


@pytest.mark.parametrize("optimizer", ["sgd", "adagrad"])
def test_an_embedding_with_sparse_gradients_trains_as_a_dense_one(optimizer):
    ids = np.random.default_rng(0).integers(0, 9, (300, 5))
    both = {}
    for sparse in (True, False):
        given = {"optimizer": optimizer, "module_params": {"sparse": sparse}}
        both[sparse] = net(SparseEmbedding, **given, lr=0.1).fit(ids, Y)
    weight = [p.detach() for p in both[True].net_.module_.parameters()]
    dense = [p.detach() for p in both[False].net_.module_.parameters()]
    for one, other in zip(weight, dense, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("n_members", [1, 2])
@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8])
def test_integers_reach_a_module_that_reads_them(dtype, n_members):
    ids = np.random.default_rng(0).integers(0, 9, (300, 5)).astype(dtype)
    fitted = net(Tokens, n_members=n_members, early_stopping=True).fit(ids, Y)
    assert fitted.net_.module_.body.dtypes == {torch.int64}
    proba = fitted.predict_proba(ids)
    np.testing.assert_array_equal(proba, fitted.predict_proba(ids.astype(np.float64)))
    twin = pickle.loads(pickle.dumps(fitted)).partial_fit(ids, Y)
    assert twin.predict_proba(ids).shape == Y.shape
    with pytest.raises(ValueError, match="X of integers"):
        fitted.predict_proba(ids + 0.5)


@pytest.mark.parametrize(
    "as_given",
    [
        lambda ids: ids.astype(object),
        lambda ids: pd.DataFrame(ids).astype("Int64"),
        lambda ids: pd.DataFrame(ids).astype(object),
        lambda ids: pd.DataFrame(ids).astype({0: bool}).astype({1: "UInt8"}),
    ],
    ids=["objects", "nullable", "frame_of_objects", "beside_bools"],
)
def test_integers_in_a_dtype_that_is_none_reach_a_module_that_reads_them(as_given):
    ids = np.random.default_rng(0).integers(0, 9, (300, 5))
    ids[:, 0] %= 2
    fitted = net(Tokens).fit(as_given(ids), Y)
    assert fitted.net_.module_.body.dtypes == {torch.int64}
    found = fitted.predict_proba(as_given(ids))
    np.testing.assert_array_equal(found, net(Tokens).fit(ids, Y).predict_proba(ids))


def test_ids_beyond_float32_stay_apart():
    ids = 2**24 + np.arange(300).reshape(-1, 1)
    fitted = net(Tokens, module_params={"size": 300}, lr=0.5, max_epochs=50)
    y = np.arange(300) % 2
    assert (fitted.fit(ids, y).predict(ids) == y).all()


def test_modules_of_floats_get_floats_from_integers():
    counts = np.random.default_rng(0).integers(0, 9, (300, 6))
    found = net(linear).fit(counts, Y).predict_proba(counts)
    floats = counts.astype(np.float64)
    np.testing.assert_array_equal(
        found, net(linear).fit(floats, Y).predict_proba(floats)
    )


# ---------------------------------------------------------------------------- precision


@pytest.mark.parametrize("dtype", [np.float64, np.int64, np.float32])
@pytest.mark.parametrize("center", [1.7e9, -3e12])
@pytest.mark.parametrize("moved", [False, True])
def test_rows_are_scaled_before_they_lose_precision(dtype, center, moved):
    rng = np.random.default_rng(0)
    array = (center + rng.integers(-500, 500, (100, 3))).astype(dtype)
    scaler = InputScaler().fit(array)
    source = input_source(array, torch.float32, CPU, scaler.center_, scaler.scale_)
    if moved:
        source.move()
    index = rng.permutation(100)[:40]
    x = torch.cat([x for x, _ in Batches(RowSet(index, source), 7)])
    expected = (array.astype(np.float64) - scaler.center_) / scaler.scale_
    assert x.dtype == torch.float32
    np.testing.assert_allclose(x, expected[index], atol=1e-5)


def test_sparse_values_are_scaled_before_they_lose_precision():
    dense = np.where(np.random.default_rng(0).random((50, 4)) < 0.3, 1e45, 0)
    array = sp.csr_array(dense)
    scale = InputScaler().fit(array).scale_
    assert scale == pytest.approx(1e45 * np.sqrt(np.mean(dense > 0)))
    rows = RowSet(np.arange(50), input_source(array, torch.float32, CPU, None, scale))
    x = torch.cat([x for x, _ in Batches(rows, 20)])
    np.testing.assert_allclose(x, dense / scale, rtol=1e-6)


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("size", [1e-42, 1e19, 1e25, 1e37])
def test_columns_of_any_size_give_finite_probabilities(kind, size):
    rng = np.random.default_rng(0)
    wide = (rng.normal(size=(300, 6)) * (rng.random((300, 6)) < 0.4)).astype(np.float32)
    given = kind(wide * np.float32(size))
    wide = (wide * np.float32(size)).astype(np.float64) / size  # few digits are left
    proba = small().fit(given, Y).predict_proba(given)
    expected = small().fit(kind(wide), Y).predict_proba(kind(wide))
    np.testing.assert_allclose(proba, expected, atol=1e-3)


def test_values_beyond_float32_are_refused():
    far = X.copy()
    far[3, 2] = 1e39
    with pytest.raises(ValueError, match="X holds values beyond the range of float32"):
        net(linear, precision="32").fit(far, Y)
    fitted = net(linear, precision="32").fit(X, Y)
    with pytest.raises(ValueError, match="X holds values beyond the range of float32"):
        fitted.predict_proba(far)
    assert np.isfinite(net(linear, precision="64").fit(X, Y).predict_proba(far)).all()


@pytest.mark.parametrize("precision", ["16", "32", "bf16"])
def test_no_nan_leaves_the_predictions(precision):
    fitted = small(precision=precision).fit(X, Y)
    far = X[:3].astype(np.float32)
    far[0, 0] = 1e6
    assert np.isfinite(fitted.predict_proba(far)).all()
    far[0, 0] = 3e38
    far[1, 0] = -3e38
    try:
        assert np.isfinite(fitted.predict_proba(far)).all()
    except ValueError as error:
        assert "X" in str(error)  # noqa: PT017


# -------------------------------------------------------------------------- persistence


def test_a_net_of_a_local_class_is_stored_by_value():
    class Local(nn.Linear):
        pass

    fitted = net(Local, n_members=2).fit(X, Y)
    again = pickle.loads(cloudpickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    again.partial_fit(X, Y)
    again = pickle.loads(cloudpickle.dumps(fitted.net_))
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))


SCRIPT = """
import pickle, sys
import cloudpickle, numpy as np
from torch import nn
from skimbalance.neural_network import ImbalancedNetClassifier

class Net(nn.Linear):
    pass

X = np.random.default_rng(0).normal(size=(60, 3))
model = ImbalancedNetClassifier(Net, max_epochs=1, random_state=0)
model.fit(X, (X > 0.5).astype(int))
open(sys.argv[1], "wb").write(cloudpickle.dumps((model, X, model.predict_proba(X))))
again = pickle.loads(pickle.dumps(model))
assert type(again.net_.module_.body) is Net
"""


def test_a_net_of_a_script_is_loaded_in_another_process(tmp_path):
    path = str(tmp_path / "net.pkl")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, path], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    with open(path, "rb") as file:
        model, given, proba = pickle.load(file)
    np.testing.assert_array_equal(model.predict_proba(given), proba)
