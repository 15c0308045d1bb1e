"""Several inputs in a dict or a tuple, Datasets with targets, and parameter groups."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from nets import linear, small
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from skorch.helper import SliceDataset, SliceDict
from torch import nn
from torch.utils.data import Dataset

from skimbalance.calibration import MultilabelCalibratedClassifierCV
from skimbalance.ensemble import MultilabelStackingClassifier
from skimbalance.neural_network import ImbalancedNetClassifier
from skimbalance.thresholds import MultilabelTunedThresholdClassifierCV

N = 240
RNG = np.random.default_rng(0)
IDS = RNG.integers(0, 9, (N, 3))
DENSE = RNG.normal(size=(N, 4)).astype(np.float32)
Y = ((IDS[:, 0] > 4) ^ (DENSE[:, 0] > 0)).astype(int)


class TwoInputs(nn.Module):
    """A module whose forward takes tokens and numbers."""

    def __init__(self, n_features, n_outputs, width=4):
        super().__init__()
        is_dict = isinstance(n_features, dict)
        n_ids, n_dense = (
            (n_features["ids"], n_features["dense"]) if is_dict else n_features
        )
        self.embedding = nn.Embedding(9, width)
        self.output = nn.Linear(n_ids * width + n_dense, n_outputs)

    def forward(self, ids, dense):
        assert ids.dtype is torch.int64
        return self.output(torch.cat([self.embedding(ids).flatten(1), dense], dim=1))


class OneArray(TwoInputs):
    """The same module, which takes one array apart."""

    def __init__(self, n_features, n_outputs):
        super().__init__([3, n_features - 3], n_outputs)

    def forward(self, x):
        return super().forward(x[:, :3].long(), x[:, 3:])


def net(module=TwoInputs, **params):
    given = {"max_epochs": 4, "lr": 0.02, "random_state": 0, **params}
    return ImbalancedNetClassifier(module, **given)


def both(rows=slice(None)):
    return {"ids": IDS[rows], "dense": DENSE[rows]}


@pytest.fixture(scope="module")
def fitted():
    return net().fit(both(), Y)


@pytest.mark.parametrize("params", [{}, {"n_members": 3, "cross_fit": True}])
def test_several_inputs_give_what_one_array_gives(params):
    joined = np.hstack([IDS, DENSE]).astype(np.float32)
    expected = net(OneArray, **params).fit(joined, Y).predict_proba(joined)
    as_dict = net(**params).fit(both(), Y)
    np.testing.assert_allclose(as_dict.predict_proba(both()), expected, atol=1e-6)
    as_tuple = net(**params).fit((IDS, DENSE), Y)
    np.testing.assert_allclose(
        as_tuple.predict_proba((IDS, DENSE)), expected, atol=1e-6
    )
    assert not hasattr(as_dict, "n_features_in_")
    raw = as_dict.members_[0]({"ids": torch.tensor(IDS), "dense": torch.tensor(DENSE)})
    assert raw.shape == (N, 1)


def test_rows_are_indexed_together(fitted):
    proba = fitted.predict_proba(both())
    assert proba.dtype == np.float32
    rows = np.array([5, 3, 3, 200])
    np.testing.assert_allclose(fitted.predict_proba(both(rows)), proba[rows], atol=1e-6)
    swapped = {"dense": DENSE, "ids": IDS.astype(float)}
    np.testing.assert_array_equal(fitted.predict_proba(swapped), proba)
    frame = {"dense": pd.DataFrame(DENSE), "ids": torch.tensor(IDS)}
    np.testing.assert_array_equal(fitted.predict_proba(frame), proba)
    np.testing.assert_allclose(fitted.net_.predict_proba(both()), proba, atol=1e-6)


def test_folds_and_searches_slice_a_slice_dict():
    joined = np.hstack([IDS, DENSE]).astype(np.float32)
    given = SliceDict(**both())
    options = {"cv": 3, "method": "predict_proba"}
    proba = cross_val_predict(net(), given, Y, **options)
    expected = cross_val_predict(net(OneArray), joined, Y, **options)
    np.testing.assert_allclose(proba, expected, atol=1e-6)
    grid = {"module__width": [2, 4]}
    search = GridSearchCV(net(), grid, cv=3, error_score="raise").fit(given, Y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_tools_of_this_package_slice_a_slice_dict():
    labels, given = np.column_stack([Y, 1 - Y]), SliceDict(**both())
    for wrapped in (
        MultilabelTunedThresholdClassifierCV(net(max_epochs=1), cv=2),
        MultilabelCalibratedClassifierCV(net(max_epochs=1), cv=2),
        MultilabelStackingClassifier([("net", net(max_epochs=1))], cv=2),
    ):
        assert wrapped.fit(given, labels).predict(given).shape == labels.shape
        message = r"X must be array-like, got a dict.*SliceDict\(\*\*X\)"
        with pytest.raises(TypeError, match=message):
            wrapped.fit(both(), labels)


def test_held_out_rows_chunks_and_weights():
    held = {"X_val": both(slice(0, 60)), "y_val": Y[:60]}
    weight = np.ones(N)
    weight[:60] = 0
    model = net(early_stopping=True).fit(both(), Y, weight, **held)
    assert np.isfinite(model.predict_proba(both())).all()
    chunks = net().partial_fit(both(slice(0, 100)), Y[:100], classes=[0, 1])
    chunks.partial_fit(both(slice(100, None)), Y[100:])
    assert chunks.predict(both()).shape == (N,)


def test_integers_become_floats_for_a_module_that_reads_floats():
    class Sum(nn.Module):
        def __init__(self, n_features, n_outputs):
            super().__init__()
            self.one = nn.Linear(n_features["a"], n_outputs)
            self.scale = nn.Parameter(torch.ones(n_outputs))

        def forward(self, a, b):
            return self.one(a) + self.scale * b.unsqueeze(1)

    given = {"a": IDS, "b": IDS[:, 0]}  # b has one dimension
    proba = net(Sum).fit(given, Y).predict_proba(given)
    floats = {key: value.astype(float) for key, value in given.items()}
    model = net(Sum).fit(floats, Y)
    np.testing.assert_allclose(proba, model.predict_proba(floats), atol=1e-6)


ERRORS = [
    ({"ids": IDS, "dense": DENSE[:-1]}, r"X\['ids'\]: 240, X\['dense'\]: 239"),
    ({"ids": IDS[:9], "dense": DENSE[:9]}, "X: 9, y: 240"),
    ((IDS, np.full((N, 4), np.nan)), r"X\[1\] contains NaN"),
    ({"ids": IDS.astype(str), "dense": DENSE}, r"X\['ids'\] holds strings"),
    ((sp.csr_array(IDS), DENSE), r"X\[0\] must be a dense array"),
    ({"ids": both(), "dense": DENSE}, r"X\['ids'\] must be a dense array"),
    ({1: IDS, 2: DENSE}, "names of arguments"),
    ({}, "names of arguments"),
    ({"ids": IDS, "numbers": DENSE}, "module cannot be built"),
    ({"ids": IDS, "dense": DENSE, "more": DENSE}, "module fails .* more: a tensor"),
]


@pytest.mark.parametrize(("X", "message"), ERRORS, ids=[text for _, text in ERRORS])
def test_several_inputs_that_do_not_fit_are_named(X, message):
    with pytest.raises((ValueError, TypeError), match=message):
        net().fit(X, Y)


def test_what_several_inputs_do_not_go_with_is_named(fitted, tmp_path):
    for other in ({"ids": IDS}, (IDS, DENSE), DENSE, {"ids": IDS, "dense": IDS}):
        with pytest.raises(
            ValueError, match=r"fitted with rows of shape \{'ids': \(3,"
        ):
            fitted.predict_proba(other)
    with pytest.raises(ValueError, match=r"X\['ids'\] holds .*held integers in fit"):
        fitted.predict_proba({"ids": IDS + 0.5, "dense": DENSE})
    with pytest.raises(ValueError, match="fitted with rows of shape"):
        net(linear).fit(DENSE, Y).predict_proba((DENSE, DENSE))
    for model in (small(), ImbalancedNetClassifier()):
        with pytest.raises(TypeError, match="X is a dict, but the default"):
            model.fit(both(), Y)
    with pytest.raises(ValueError, match="standardize=True needs X as one array"):
        net(standardize=True).fit(both(), Y)
    with pytest.raises(ValueError, match="modules in members_ take the arrays"):
        fitted.to_torch()


# ---------------------------------------------------------------------------- Datasets


class Pairs(Dataset):
    """Items of an input and its target."""

    def __init__(self, target):
        self.target = target

    def __len__(self):
        return N

    def __getitem__(self, index):
        return torch.tensor(DENSE[index]), torch.tensor(self.target[index])


@pytest.mark.parametrize("target", [Y, np.column_stack([Y, IDS[:, 1] > 6]).astype(int)])
def test_a_dataset_with_targets_in_cross_validation_and_searches(target):
    data = Pairs(target)
    X, y = SliceDataset(data, 0), SliceDataset(data, 1)
    model = net(linear)
    given = model.fit(X, y).predict_proba(DENSE)
    np.testing.assert_array_equal(given, model.fit(DENSE, target).predict_proba(DENSE))
    scores = cross_val_score(model, X, y, cv=3, error_score="raise")
    np.testing.assert_allclose(scores, cross_val_score(model, DENSE, target, cv=3))
    search = GridSearchCV(model, {"lr": [0.1, 0.01]}, cv=3, error_score="raise")
    plain = search.fit(DENSE, target).best_score_
    assert search.fit(X, y).best_score_ == pytest.approx(plain)
    with pytest.raises(ValueError, match=r"y=skorch.helper.SliceDataset\(dataset, 1\)"):
        model.fit(data, None)
    with pytest.raises(ValueError, match=r"y=skorch.helper.SliceDataset\(dataset, 1\)"):
        model.partial_fit(data, None, classes=[0, 1])


def test_collate_functions_are_refused():
    for name in ("iterator_train__collate_fn", "iterator_valid__collate_fn"):
        with pytest.raises(ValueError, match=f"{name}.*nothing to collate: pad"):
            net(net_params={name: list}).fit(both(), Y)


# -------------------------------------------------------------------------- fine-tuning


def test_a_pretrained_part_trains_at_its_own_rate_and_comes_out_by_its_names():
    start = nn.Embedding(9, 4).state_dict()

    class FineTuned(TwoInputs):
        def __init__(self, n_features, n_outputs):
            super().__init__(n_features, n_outputs)
            self.embedding.load_state_dict(start)

    groups = [("embedding.*", {"lr": 1e-30}), ("output.*", {"lr": 0.1})]
    model = net(FineTuned, weight_decay=0.0)
    model.set_params(optimizer__param_groups=groups).fit(both(), Y)
    end = model.members_[0].body.state_dict()
    assert list(end) == ["embedding.weight", "output.weight", "output.bias"]
    assert torch.equal(end["embedding.weight"], start["weight"])
    rates = {group["lr"] for group in model.net_.optimizer_.param_groups}
    assert rates >= {1e-30, 0.1}
    own = TwoInputs({"ids": 3, "dense": 4}, 1)
    own.load_state_dict(end)
    rows = torch.tensor(IDS), torch.tensor(DENSE)
    member = model.members_[0]
    torch.testing.assert_close(own(*rows), member(dict(zip(both(), rows, strict=True))))
