"""Missing values and categories of a table, in the default net and its input stage."""

import io
import itertools
import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from nets import linear, small, small_problem
from sklearn.base import clone
from sklearn.model_selection import cross_val_predict
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import check_estimator

from skimbalance.modules import MLP
from skimbalance.neural_network import (
    ImbalancedMLPClassifier,
    ImbalancedNetClassifier,
    register_onnx_converter,
)
from skimbalance.neural_network._data import scaled_source
from skimbalance.neural_network._export import input_stage
from skimbalance.preprocessing import CategoryEncoder, InputEncoder
from skimbalance.thresholds import MultilabelFixedThresholdClassifier

N = 300


def make_table(n_rows=N, seed=0):
    """Return a table of every kind of column, and a target that needs them."""
    rng = np.random.default_rng(seed)
    color = rng.choice(["red", "green", "blue"], n_rows)
    size = rng.choice([10, 20, 30], n_rows)
    shop = rng.choice(np.array(["a", "b", None], dtype=object), n_rows)
    price = np.where(rng.random(n_rows) < 0.2, np.nan, rng.normal(size=n_rows))
    X = pd.DataFrame(
        {
            "price": price,
            "color": color,
            "size": pd.Categorical(size),
            "count": rng.integers(0, 9, n_rows),
            "shop": pd.Series(shop, dtype=object),
            "vip": rng.random(n_rows) < 0.5,
        }
    )
    y = (color == "red") ^ (size == 20) ^ (np.isnan(price))
    return X, y.astype(int)


@pytest.fixture(scope="module")
def fitted():
    X, y = make_table()
    return small(n_members=2, cross_fit=True, early_stopping=True).fit(X, y), X, y


# ------------------------------------------------------------------------------- codes


def test_codes_are_those_of_scikit_learns_encoder():
    X, _ = make_table()
    encoder = CategoryEncoder().fit(X)
    is_categorical = [False, True, True, False, True, False]
    np.testing.assert_array_equal(encoder.is_categorical_, is_categorical)
    codes = encoder.transform(X)
    assert codes.dtype == np.float64
    columns = X[["color", "size", "shop"]].astype(object)
    expected = OrdinalEncoder(encoded_missing_value=2).fit_transform(columns)
    np.testing.assert_array_equal(codes[:, [1, 2, 4]], 1 + expected)
    others = X[["price", "count", "vip"]].astype(float)
    np.testing.assert_array_equal(codes[:, [0, 3, 5]], others)
    assert encoder.categories_[1].tolist() == ["blue", "green", "red"]
    assert encoder.categories_[0] is None
    assert encoder.n_codes_.tolist() == [4, 4, 4]


def test_codes_of_rare_unknown_and_missing_categories():
    column = ["a"] * 3 + ["b"] * 2 + ["c"]
    encoder = CategoryEncoder([0]).fit(np.array(column, dtype=object).reshape(-1, 1))
    assert encoder.n_codes_.tolist() == [3]
    given = np.array(["a", "b", "c", "d", None, np.nan], dtype=object).reshape(-1, 1)
    np.testing.assert_array_equal(encoder.transform(given).ravel(), [1, 2, 0, 0, 0, 0])
    all_kept = CategoryEncoder([0], min_frequency=1).fit(given)
    codes = all_kept.transform(given).ravel()
    np.testing.assert_array_equal(codes, [1, 2, 3, 4, 5, 5])
    numbers = np.array([[3.0], [3.0], [1.5], [1.5], [np.nan], [np.nan]])
    codes = CategoryEncoder([True]).fit_transform(numbers).ravel()
    np.testing.assert_array_equal(codes, [2, 2, 1, 1, 3, 3])


@pytest.mark.parametrize(
    "column",
    [
        pd.Categorical(["x", "y", None] * 100),
        pd.array(["x", "y", None] * 100, dtype="string"),
        pd.Series(["x", "y", None] * 100, dtype=object),
        pd.Series(["x", "y", np.nan] * 100, dtype="str"),
    ],
)
def test_the_dtypes_of_pandas_give_the_same_codes(column):
    frame = pd.DataFrame({"s": column, "n": pd.array([1, 2, None] * 100, "Int64")})
    encoder = CategoryEncoder().fit(frame)
    assert encoder.is_categorical_.tolist() == [True, False]
    expected = np.array([[1, 1], [2, 2], [3, np.nan]] * 100)
    np.testing.assert_array_equal(encoder.transform(frame), expected)


def test_strings_of_numbers_are_numbers_unless_they_are_named():
    frame = pd.DataFrame({"code": ["01", "02", None] * 2})
    numbers = CategoryEncoder().fit_transform(frame.astype(object))
    np.testing.assert_array_equal(numbers.ravel(), [1, 2, np.nan] * 2)
    named = CategoryEncoder(["code"]).fit(frame)
    assert named.categories_[0].tolist() == ["01", "02"]


def test_polars_gives_what_pandas_gives(fitted):
    polars = pytest.importorskip("polars")
    net, X, y = fitted
    frame = polars.DataFrame(
        {
            name: polars.Series(name, X[name].astype(str).tolist(), polars.Categorical)
            if name == "size"
            else X[name].tolist()
            for name in X.columns
        }
    )
    again = clone(net).fit(frame, y)
    np.testing.assert_array_equal(again.predict_proba(frame), net.predict_proba(X))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["colour"], "X has no column 'colour'.*Did you mean 'color'"),
        ([6], "got 6 for an X of 6 columns"),
        ([True] * 5, r"the mask has shape \(5,\), but X has 6 columns"),
        ([1.5], "must be a mask, indices or names"),
        ("auto", "'categorical_features'"),
    ],
)
def test_columns_that_are_not_there_are_named(given, message):
    X, y = make_table()
    for estimator in (CategoryEncoder(given), small(categorical_features=given)):
        with pytest.raises(ValueError, match=message):
            estimator.fit(X, y)


def test_every_way_to_name_the_columns_gives_the_same():
    X, _ = make_table()
    expected = CategoryEncoder().fit_transform(X)
    mask = np.array([False, True, True, False, True, False])
    for given in (
        mask,
        mask.tolist(),
        [1, 2, 4],
        [-5, 2, 4],
        ["shop", "size", "color"],
    ):
        np.testing.assert_array_equal(CategoryEncoder(given).fit_transform(X), expected)


def test_values_without_an_order_or_a_hash():
    mixed = np.array([1, "a", 2.5, "a", 1, 2.5], dtype=object).reshape(-1, 1)
    encoder = CategoryEncoder([0]).fit(mixed)
    assert encoder.categories_[0].tolist() == [2.5, 1, "a"]
    np.testing.assert_array_equal(encoder.transform(mixed).ravel(), [2, 3, 1, 3, 2, 1])
    lists = np.empty((4, 1), dtype=object)
    lists[:, 0] = [[1]] * 4
    with pytest.raises(TypeError, match=r"Column 0 holds values .*unhashable"):
        CategoryEncoder([0]).fit(lists)


def test_the_category_encoder_passes_scikit_learns_checks():
    results = check_estimator(CategoryEncoder(), on_fail=None, on_skip=None)
    assert not [r["check_name"] for r in results if r["status"] == "failed"]


# ------------------------------------------------------------------------- input stage


def encode_by_hand(encoder, X):
    """Return what the documentation of `InputEncoder` says, column by column."""
    numbers = X[:, ~encoder.is_categorical_]
    scaled, bins, missing = [], [], []
    for k, values in enumerate(numbers.T):
        present = np.sort(values[~np.isnan(values)])
        low, median, high = np.quantile(
            present, [0.25, 0.5, 0.75], method="inverted_cdf"
        )
        absent = np.isnan(values)
        values = np.where(absent, median, values)
        unit = (values - median) / (high - low)
        scaled.append(unit / np.sqrt(1 + (unit / 3) ** 2))
        edges = encoder.bin_edges_[k]
        for left, right in itertools.pairwise(edges):
            bins.append(np.clip((values - left) / (right - left), 0, 1))
        if absent.any():
            missing.append(absent)
    codes = X[:, encoder.is_categorical_].T
    return np.column_stack([*scaled, *bins, *missing, *codes])


def make_numbers():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 5))
    X[rng.random(200) < 0.3, 1] = np.nan
    X[rng.random(200) < 0.01, 2] = np.nan
    X[:, 3] = rng.integers(0, 4, 200)
    return X


def test_missing_values_and_codes_in_the_input_encoder():
    X = make_numbers()
    encoder = InputEncoder(dtype=np.float64, categorical_features=[3]).fit(X)
    assert encoder.has_missing_.tolist() == [False, True, True, False]
    encoded = encoder.transform(X)
    np.testing.assert_allclose(encoded, encode_by_hand(encoder, X), atol=1e-12)
    names = encoder.get_feature_names_out()
    assert len(names) == encoded.shape[1]
    assert names[-3:].tolist() == ["x1_missing", "x2_missing", "x3"]


def test_a_value_that_is_missing_only_later_is_the_median():
    X = make_numbers()[:, [0, 1]]
    encoder = InputEncoder(dtype=np.float64).fit(X)
    row = np.array([[np.nan, np.nan]])
    medians = np.array([[np.quantile(X[:, 0], 0.5, method="inverted_cdf"), np.nan]])
    np.testing.assert_array_equal(encoder.transform(row), encoder.transform(medians))
    empty = InputEncoder().fit(np.full((4, 1), np.nan))
    np.testing.assert_array_equal(empty.transform([[np.nan], [5.0]]), [[0, 1], [0, 0]])


def test_rows_of_weight_0_have_no_missing_values():
    X = make_numbers()[:, [1, 0]]
    weight = np.where(np.isnan(X[:, 0]), 0.0, 2.0)
    encoder = InputEncoder().fit(X, sample_weight=weight)
    plain = InputEncoder().fit(X[weight > 0])
    assert not encoder.has_missing_.any()
    np.testing.assert_array_equal(encoder.transform(X), plain.transform(X))


@pytest.mark.parametrize("n_columns", [5, 130])
@pytest.mark.parametrize("has_missing", [True, False])
def test_the_torch_stages_equal_the_encoder(n_columns, has_missing):
    X = np.hstack([make_numbers()] * (n_columns // 5))
    encoder = InputEncoder(dtype=np.float64, categorical_features=[3, 0]).fit(X)
    rows = X if has_missing else np.nan_to_num(X)
    expected = encoder.transform(rows)
    source = scaled_source(rows, torch.float64, torch.device("cpu"), encoder)
    gathered = source.gather(np.arange(len(rows))).numpy()
    np.testing.assert_allclose(gathered, expected, rtol=1e-12, atol=1e-12)
    assert source.row_shape == expected.shape[1:]
    stage = input_stage(encoder)(torch.tensor(rows)).numpy()
    np.testing.assert_allclose(stage, expected, rtol=1e-12, atol=1e-12)


def test_an_embedding_starts_as_one_hot_codes():
    codes = np.array([[0, 2], [3, 1], [1, 0]])
    x = torch.tensor(np.column_stack([[0.5, 1.0, 2.0], codes]), dtype=torch.float32)
    mlp = MLP(3, 2, hidden_layer_sizes=(), n_codes=(4, 3))
    one_hot = OneHotEncoder(categories=[[1, 2, 3], [1, 2]], handle_unknown="ignore")
    expected = 1.7 * one_hot.fit_transform(codes).toarray()
    embedded = mlp.embedded(x).detach().numpy()
    np.testing.assert_array_equal(embedded[:, :1], x[:, :1])
    np.testing.assert_allclose(embedded[:, 1:], expected, rtol=1e-6)
    with torch.no_grad():
        wide = MLP(1, 1, n_codes=(1001,)).embedded(torch.arange(1001.0).unsqueeze(1))
    assert wide.shape == (1001, 32)
    assert not wide[0].any()
    assert wide[1:].norm(dim=1).mean() == pytest.approx(1.7, rel=0.05)


def test_members_embed_as_they_would_alone(fitted):
    net, X, _ = fitted
    rows = torch.tensor(net.category_encoder_.transform(X))
    every = np.concatenate([raw.numpy() for raw in raw_scores(net, X)])
    for number, member in enumerate(net.members_):
        with torch.no_grad():
            alone = member(rows).numpy()
        np.testing.assert_allclose(every[:, number], alone, rtol=1e-4, atol=1e-5)


def raw_scores(net, X):
    checked = net._check_inputs(X, reset=False)
    return net._blocks(checked, lambda raw: raw)


# --------------------------------------------------------------------------- estimator


def test_the_default_net_learns_from_categories_and_missing_values():
    X, y = make_table(1000)
    net = ImbalancedMLPClassifier((64,), max_epochs=30, random_state=0).fit(X, y)
    X_test, y_test = make_table(400, seed=1)
    assert net.score(X_test, y_test) > 0.85  # .88; a constant has .5
    assert net.feature_names_in_.tolist() == X.columns.tolist()
    assert net.n_features_in_ == 6


def test_numbers_alone_train_the_same_net_as_before():
    """Neither columns nor parameters are added where there is nothing to encode."""
    X, Y = small_problem()
    net = small().fit(X, Y)
    assert net.category_encoder_ is None
    assert net.net_.module_.body.embedding is None
    assert "embedding" not in " ".join(net.net_.module_.state_dict())
    frame = pd.DataFrame(X, columns=list("abcdef"))
    proba = net.predict_proba(X)
    np.testing.assert_array_equal(small().fit(frame, Y).predict_proba(frame), proba)
    none = small(categorical_features=None).fit(X, Y)
    np.testing.assert_array_equal(none.predict_proba(X), proba)
    # The median is what a missing value is read as, and no column is added.
    medians = np.quantile(X, 0.5, axis=0, method="inverted_cdf")
    absent = X.copy()
    absent[::3, 2] = np.nan
    filled = np.where(np.isnan(absent), medians, absent)
    given, expected = net.predict_proba(absent), net.predict_proba(filled)
    np.testing.assert_array_equal(given, expected)


def test_unknown_and_rare_categories_are_no_error(fitted):
    net, X, _ = fitted
    unknown = X.assign(color="violet", size=99)
    known = X.assign(color=X["color"][0])
    assert np.isfinite(net.predict_proba(unknown)).all()
    assert not np.allclose(net.predict_proba(unknown), net.predict_proba(known))
    # Members, the codes of three columns, and the known ones of each.
    assert net.net_.module_.body.embedding.weight.shape == (2, 12, 3)


def test_both_input_formats_of_categories_agree():
    X, y = make_table()
    net = small().fit(X, y)
    array = X.astype(object).to_numpy()
    by_index = small(categorical_features=[1, 2, 4]).fit(array, y)
    np.testing.assert_array_equal(by_index.predict_proba(array), net.predict_proba(X))
    with pytest.warns(UserWarning, match="valid feature names"):
        np.testing.assert_array_equal(net.predict_proba(array), net.predict_proba(X))
    with pytest.raises(ValueError, match="X has 5 features"):
        by_index.predict_proba(array[:, :5])
    with pytest.raises(ValueError, match="must be a data frame or a dense array"):
        net.predict_proba(sp.csr_array((3, 6)))
    with pytest.raises(ValueError, match=r"Column 'price' of X holds strings"):
        net.predict_proba(X.assign(price="cheap"))
    dates = X.assign(price=pd.date_range("2020", periods=N))
    with pytest.raises(ValueError, match="Column 'price' of X holds dates"):
        small().fit(dates, y)


def test_what_does_not_go_with_categories_is_named():
    X, y = make_table()
    numbers = X[["price", "count"]]
    for standardize in (True, False):
        with pytest.raises(ValueError, match="needs standardize='auto'"):
            small(standardize=standardize, categorical_features=["color"]).fit(X, y)
        with pytest.raises(ValueError, match="contains NaN"):
            small(standardize=standardize).fit(numbers, y)
        assert not get_tags(small(standardize=standardize)).input_tags.allow_nan
    assert get_tags(small()).input_tags.allow_nan
    with pytest.raises(ValueError, match="needs a dense X"):
        small(categorical_features=[0]).fit(sp.csr_array(np.eye(N)), y)
    own = ImbalancedNetClassifier(linear, max_epochs=1)
    assert not get_tags(own).input_tags.allow_nan
    with pytest.raises(ValueError, match="contains NaN"):
        own.fit(numbers, y)
    with pytest.raises(ValueError, match="contains infinity"):
        small().fit(numbers.fillna(np.inf), y)


def test_exports_and_copies_equal_the_net(fitted, tmp_path):
    net, X, _ = fitted
    X = X.assign(color=np.where(np.arange(N) < 9, "violet", X["color"]))
    X.loc[:5, "count"] = np.nan
    proba, rows = net.predict_proba(X), net.category_encoder_.transform(X)
    copied = pickle.loads(pickle.dumps(net))
    np.testing.assert_array_equal(copied.predict_proba(X), proba)
    module = net.to_torch()
    np.testing.assert_allclose(module(torch.tensor(rows)).numpy(), proba, atol=1e-6)
    program = torch.export.export(
        module, (torch.tensor(rows),), dynamic_shapes=({0: torch.export.Dim("n")},)
    )
    exported = program.module()(torch.tensor(rows[:7])).numpy()
    np.testing.assert_allclose(exported, proba[:7], atol=1e-6)
    np.testing.assert_allclose(net.net_.predict_proba(X), proba, atol=1e-7)


def test_onnx_equals_the_net(fitted, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    net, X, _ = fitted
    X = X.assign(color="violet")
    path = tmp_path / "net.onnx"
    net.export_onnx(path, "predict_proba")
    session = onnxruntime.InferenceSession(path)
    rows = net.category_encoder_.transform(X).astype(np.float32)
    (proba,) = session.run(None, {"X": rows})
    np.testing.assert_allclose(proba, net.predict_proba(X), atol=1e-5)
    categories = session.get_modelmeta().custom_metadata_map["categories"]
    assert categories.startswith('[null, ["blue", "green", "red"], [10, 20, 30]')


def test_a_pipeline_with_categories_is_not_converted_by_skl2onnx():
    skl2onnx = pytest.importorskip("skl2onnx")
    register_onnx_converter()
    X = np.random.default_rng(0).integers(0, 3, (N, 2)).astype(np.float32)
    net = small(categorical_features=[1]).fit(X, (X[:, 1] == 1).astype(int))
    with pytest.raises(ValueError, match="categorical_features: skl2onnx has no"):
        skl2onnx.to_onnx(net, X[:1])


def test_skops_stores_the_categories(fitted):
    skops = pytest.importorskip("skops.io")
    net, X, _ = fitted
    stored = skops.dumps(net)
    types = skops.get_untrusted_types(data=stored)
    assert "skimbalance.preprocessing.CategoryEncoder" in types
    again = skops.load(io.BytesIO(stored), trusted=types)
    np.testing.assert_array_equal(again.predict_proba(X), net.predict_proba(X))


def test_chunks_and_warm_starts_keep_the_codes():
    X, y = make_table()
    net = small().partial_fit(X[:200], y[:200], classes=[0, 1])
    encoder = net.category_encoder_
    net.partial_fit(X[200:].assign(color="violet"), y[200:])
    assert net.category_encoder_ is encoder
    warm = small(warm_start=True).fit(X, y)
    encoder = warm.category_encoder_
    warm.fit(X.assign(color="violet"), y)
    assert warm.category_encoder_ is encoder
    assert clone(warm).fit(X[["price", "count"]], y).category_encoder_ is None


def test_tools_around_take_the_table():
    X, y = make_table()
    proba = cross_val_predict(small(), X, y, cv=3, method="predict_proba")
    assert np.isfinite(proba).all()
    Y = np.column_stack([y, X["vip"]])
    rule = MultilabelFixedThresholdClassifier(small(), cv=3).fit(X, Y)
    assert rule.predict(X).shape == Y.shape
    held = small(early_stopping=True).fit(X, y, X_val=X[:100], y_val=y[:100])
    assert held.category_encoder_ is not None


# --------------------------------------------------------------------------- containers


def test_a_mask_of_objects_is_a_mask():
    X, _ = make_table()
    mask = np.array([False, True, True, False, True, False], dtype=object)
    encoder = CategoryEncoder(mask).fit(X)
    assert encoder.is_categorical_.tolist() == mask.tolist()


def test_a_category_is_the_same_in_each_precision():
    X = np.column_stack([[0.1, 0.2, np.nan] * 4, [1.0, 2.0, 3.0] * 4])
    codes = CategoryEncoder([0]).fit_transform(X)
    for fitted, given in ((np.float64, np.float32), (np.float32, np.float64)):
        encoder = CategoryEncoder([0]).fit(X.astype(fitted))
        np.testing.assert_array_equal(encoder.transform(X.astype(given)), codes)
    halves = X.astype(np.float16)
    np.testing.assert_array_equal(CategoryEncoder([0]).fit_transform(halves), codes)


@pytest.mark.parametrize(
    "values", [[5, 2**63 + 1, 2**63 + 2], ["a\0", "b", "c"]], ids=["ids", "zero byte"]
)
def test_categories_that_numpy_would_round_are_found_again(values):
    column = pd.Series(2 * values)
    encoder = CategoryEncoder(categorical_features=["c"]).fit(
        pd.DataFrame({"c": column})
    )
    codes = encoder.transform(pd.DataFrame({"c": column[:3]}))
    np.testing.assert_array_equal(codes.ravel(), [1, 2, 3])


def test_numbers_beside_strings_in_a_list_of_rows():
    rows, y = [[1.5, "a"], [None, "b"], [0.5, "b"]] * 10, [0, 1, 1] * 10
    array = np.array(rows, dtype=object)
    codes = CategoryEncoder([1]).fit_transform(rows)
    np.testing.assert_array_equal(codes, CategoryEncoder([1]).fit_transform(array))
    net = small(categorical_features=[1]).fit(array, y)
    complete = [[1.5, "a"], [0.5, "b"]]
    proba = small(categorical_features=[1]).fit(rows, y).predict_proba(complete)
    np.testing.assert_array_equal(proba, net.predict_proba(complete))
    with pytest.raises(ValueError, match="Column 1 of X holds strings such as 'a'"):
        small().fit(complete * 10, [0, 1] * 10)


def test_rows_that_are_not_there():
    X, y = make_table()
    for columns in (["color"], ["color", "price"]):
        net = small().fit(X[columns], y)
        shape = rf"X: .*0 sample\(s\) \(shape=\(0, {len(columns)}\)\)"
        with pytest.raises(ValueError, match=shape):
            net.predict_proba(X[columns][:0])
    with pytest.raises(ValueError, match="X holds strings such as"):
        small().fit(X["color"], y)


def test_errors_about_strings_and_dates_name_the_way_out():
    X, y = make_table()
    for given in (None, ["color"]):
        net = small(categorical_features=given)
        with pytest.raises(ValueError, match="or name it in categorical_features"):
            net.fit(X, y)
    day = pd.Series([*pd.date_range("2020", periods=N - 1).date, None], dtype=object)
    with pytest.raises(ValueError, match="Column 'day' of X holds dates"):
        small().fit(X.assign(day=day), y)


def test_rows_without_weight_or_label_have_no_categories():
    X, y = make_table()
    kept = (X["color"] != "red").to_numpy()
    without = small().fit(X[kept], y[kept])
    weighted = small().fit(X, y, sample_weight=kept.astype(float))
    assert weighted.category_encoder_.categories_[1].tolist() == ["blue", "green"]
    expected = without.predict_proba(X)
    np.testing.assert_array_equal(weighted.predict_proba(X), expected)
    Y = np.column_stack([y, 1 - y]).astype(float)
    Y[~kept] = np.nan
    missing = small().fit(X, Y)
    expected = small().fit(X[kept], Y[kept]).predict_proba(X)
    np.testing.assert_array_equal(missing.predict_proba(X), expected)


def test_a_warm_start_keeps_the_columns():
    X, y = make_table()
    net = small(warm_start=True).fit(X, y)
    for given in (None, ["color"], [1]):
        net.set_params(categorical_features=given)
        message = r"of the columns \[1, 2, 4\], but categorical_features="
        with pytest.raises(ValueError, match=message):
            net.fit(X, y)
    net.set_params(categorical_features=["color", "size", "shop"]).fit(X, y)
    numbers = small(warm_start=True).fit(X[["price", "count"]], y)
    numbers.set_params(categorical_features=["count"])
    with pytest.raises(ValueError, match=r"of the columns \[\], but categorical_fea"):
        numbers.fit(X[["price", "count"]], y)
