"""Inputs: containers and dtypes that are accepted, and errors that name the input."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from nets import linear, small, small_problem
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from skorch.helper import SliceDataset
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from skimbalance.neural_network import ImbalancedMLPClassifier, ImbalancedNetClassifier
from skimbalance.over_sampling import MLROS


@pytest.fixture(scope="module")
def problem():
    return small_problem()


class Items(Dataset):
    """A Dataset whose items a function computes."""

    def __init__(self, item, length=300):
        self.item, self.length = item, length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        return self.item(index)


class Stream(IterableDataset):
    def __iter__(self):
        yield torch.zeros(6)


def own(**params):
    return ImbalancedNetClassifier(linear, max_epochs=2, random_state=0, **params)


NETS = pytest.mark.parametrize("net", [small, own])


CONTAINERS = [
    (lambda X: [X, X], "X is a list, but one array"),
    (lambda X: [{"a": 1.0}] * len(X), "X is a list of dicts"),
    (lambda X: (row for row in X), "X is of type generator"),
    (lambda X: None, "X is of type NoneType"),
    (lambda X: 3, "X is of type int"),
    (lambda X: DataLoader(TensorDataset(torch.tensor(X))), "X is a DataLoader.*X=load"),
    (lambda X: Stream(), "X is an iterable Dataset"),
    (lambda X: Items(lambda i: {"x": X[i]}), "items are of type dict"),
    (lambda X: Items(lambda i: ({"x": X[i]}, 1)), "items are of type dict"),
    (lambda X: Items(lambda i: 1.0), "items are of type float"),
    (lambda X: Items(lambda i: X[i], 0), "Dataset of length 0"),
    (lambda X: Items(lambda i: X[i][: 3 + i % 2]), "differ in shape"),
    (lambda X: Items(lambda i: np.array(["a"])), "numbers are expected"),
    (lambda X: torch.tensor(X).to_sparse(), "layout torch.sparse_coo"),
    (lambda X: [[1.0], [1.0, 2.0]] * 150, r"rows of X differ in length \(1, 2\). Pad"),
    (lambda X: [np.zeros(1), np.zeros(2)] * 150, "rows of X differ in length"),
    (lambda X: [np.zeros((2, 1)), np.zeros((2, 2))] * 150, "rows of X differ in shape"),
    (
        lambda X: np.array([[1.0], [1.0, 2.0]] * 150, dtype=object),
        "rows of X differ in length",
    ),
    (lambda X: np.ma.masked_greater(X, 1), "X is a masked array"),
    (lambda X: np.zeros((300, 0)), "X: Found array with 0 feature"),
    (lambda X: X[:, 0], "X: Expected 2D array"),
    (lambda X: sp.csr_array(np.where(X > 1, np.nan, X)), "Input X contains NaN"),
    (lambda X: np.where(X > 1, np.inf, X), "Input X contains infinity"),
    (lambda X: X.astype(complex), "X holds complex numbers"),
    (lambda X: sp.csr_array(X.astype(complex)), "X holds complex numbers"),
    (lambda X: torch.zeros(300, 6, device="meta"), "X is a meta tensor"),
    (lambda X: set(range(300)), "X is of type set"),
    (lambda X: X.astype("M8[s]"), "Column 0 of X holds dates or times"),
    (lambda X: X.astype(str), "Column 0 of X holds strings"),
    (lambda X: [["a", "b"]] * 300, "Column 0 of X holds strings such as 'a'"),
    (
        lambda X: np.where(X > 1, np.longdouble("1e400"), X),
        "beyond the range of float64",
    ),
]


@NETS
@pytest.mark.parametrize(
    ("make", "message"), CONTAINERS, ids=[message for _, message in CONTAINERS]
)
def test_the_error_of_an_input_without_numbers_names_the_input(
    problem, net, make, message
):
    X, Y = problem
    with pytest.raises((ValueError, TypeError), match=message):
        net().fit(make(X), Y)


CATEGORIES = [
    (pd.Categorical(["CA", "NY"] * 150), "strings such as 'CA'.*OneHotEncoder"),
    (["CA", "NY"] * 150, "strings such as 'CA'.*ColumnTransformer"),
    (pd.array(["CA", "NY"] * 150, dtype="string"), "strings such as 'CA'"),
]
COLUMNS = [
    (np.array([1, "x"] * 150, dtype=object), "strings such as 'x'"),
    (pd.date_range("2020", periods=300), "dates or times"),
    (pd.to_timedelta(np.arange(300), "D"), "dates or times"),
    (pd.date_range("2020", periods=300, tz="UTC"), "dates or times"),
    (pd.period_range("2020", periods=300, freq="D"), "no numbers"),
]


@NETS
@pytest.mark.parametrize(("column", "message"), COLUMNS)
def test_a_column_without_numbers_is_named(problem, net, column, message):
    X, Y = problem
    frame = pd.DataFrame({"x": X[:, 0], "s": column})
    with pytest.raises((ValueError, TypeError), match=f"Column 's' of X .*{message}"):
        net().fit(frame, Y)


@pytest.mark.parametrize(("column", "message"), CATEGORIES)
def test_a_net_that_embeds_no_categories_names_their_column(problem, column, message):
    X, Y = problem
    frame = pd.DataFrame({"x": X[:, 0], "s": column})
    for net in (own(), small(standardize=True), small(categorical_features=None)):
        with pytest.raises(ValueError, match=f"Column 's' of X .*{message}"):
            net.fit(frame, Y)


def test_columns_of_polars(problem):
    polars = pytest.importorskip("polars")
    X, Y = problem
    frame = polars.DataFrame(X, schema=list("abcdef"))
    expected = small().fit(X, Y).predict_proba(X)
    np.testing.assert_array_equal(small().fit(frame, Y).predict_proba(frame), expected)
    with pytest.raises(ValueError, match="Column 's' of X holds strings such as 'CA'"):
        own().fit(frame.with_columns(s=polars.lit("CA")), Y)
    dates = polars.Series(pd.date_range("2020", periods=300))
    with pytest.raises(ValueError, match="Column 's' of X holds dates"):
        small().fit(frame.with_columns(s=dates, t=polars.lit("CA")), Y)


@pytest.mark.parametrize("name", ["flags", "prices"])
def test_objects_of_polars_are_numbers_of_pandas(name):
    """Bools with missing values, and decimals, which NumPy has no dtype for."""
    polars = pytest.importorskip("polars")
    flags = polars.Series([True, None, False] * 20)
    prices = polars.Series([1.5, 2.25, None] * 20).cast(polars.Decimal(10, 2))
    column = {"flags": flags, "prices": prices}[name]
    y, net = np.tile([0, 1], 30), small()
    for others in ({}, {"a": np.arange(60.0)}):
        frame = polars.DataFrame({**others, name: column})
        floats = frame.cast(polars.Float64).to_pandas()
        expected = net.fit(floats, y).predict_proba(floats)
        for X in (frame, frame.to_pandas()):
            np.testing.assert_array_equal(net.predict_proba(X), expected)
            found = clone(net).fit(X, y).predict_proba(X)
            np.testing.assert_array_equal(found, expected)
        with pytest.raises(ValueError, match="X contains NaN"):
            own().fit(frame, y)


def test_a_column_name_that_comes_twice_is_refused(problem):
    X, Y = problem
    frame = pd.DataFrame(X[:, :2], columns=["s", "s"])
    with pytest.raises(ValueError, match="X has the column name 's' more than once"):
        small().fit(frame, Y)


@NETS
@pytest.mark.parametrize(
    "column",
    [
        pd.Categorical([1, 2] * 150),
        pd.array([1, 2] * 150, dtype="Int64"),
        np.array([1, 2] * 150, dtype=object),
        np.array(["1", "2"] * 150, dtype=object),
    ],
)
def test_numbers_in_other_columns_are_read(problem, net, column):
    X, Y = problem
    frame = pd.DataFrame({"x": X[:, 0], "s": column})
    plain = pd.DataFrame({"x": X[:, 0], "s": [1.0, 2.0] * 150})
    expected = net().fit(plain, Y).predict_proba(plain)
    # Else the default net embeds the categories of pandas.
    given = {} if net is own else {"categorical_features": None}
    fitted = net(**given).fit(frame, Y)
    np.testing.assert_array_equal(fitted.predict_proba(frame), expected)


DTYPES = [">f4", ">f8", np.longdouble, np.float16, ">i4", np.uint16, np.uint32, "u8"]


@NETS
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_every_dtype_of_numbers_gives_what_its_values_give(
    problem, net, dtype, container
):
    X, Y = problem
    values = np.abs(4 * X).astype(dtype)
    if container is sp.csr_array:
        given = sp.csr_array(values.astype(float))
        given.data = given.data.astype(dtype)
    else:
        given = values
    plain = container(values.astype(float))
    expected = net(precision="64").fit(plain, Y).predict_proba(plain)
    proba = net(precision="64").fit(given, Y).predict_proba(given)
    np.testing.assert_allclose(proba, expected, atol=1e-6)


@NETS
def test_tensors_and_lists_are_read_as_arrays(problem, net):
    X, Y = problem
    expected = net().fit(X, Y).predict_proba(X)
    grad = torch.tensor(X, requires_grad=True)
    for given in (torch.tensor(X), grad, X.tolist(), list(X), tuple(X.tolist())):
        proba = net().fit(given, Y).predict_proba(given)
        np.testing.assert_array_equal(proba, expected)


def test_datasets_in_cross_validation(problem):
    """A Dataset is sliced by skorch's SliceDataset, to which the error points."""
    X, Y = problem
    y = Y[:, 0]
    data = Items(lambda i: (torch.tensor(X[i]), int(y[i])))
    with pytest.raises(TypeError, match="SliceDataset"):
        cross_val_score(own(), data, y, cv=3, error_score="raise")
    sliced = cross_val_score(own(), SliceDataset(data), y, cv=3, error_score="raise")
    plain = cross_val_score(own(), X, y, cv=3)
    np.testing.assert_allclose(sliced, plain)


def test_the_error_of_rows_of_another_shape_names_the_fitted_shape():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3, 4, 4)), np.arange(60) % 2

    def module(shape, n_outputs):
        return nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(shape)), n_outputs))

    net = ImbalancedNetClassifier(module, max_epochs=1, random_state=0).fit(X, y)
    flat = X.reshape(60, -1)
    for other in (flat, pd.DataFrame(flat), sp.csr_array(flat), X[:, :2], X[:, 0]):
        with pytest.raises(ValueError, match=r"fitted with rows of shape \(3, 4, 4\)"):
            net.predict_proba(other)
    with pytest.raises(
        ValueError, match=r"rows of shape \(3, 0\), which hold no value"
    ):
        net.fit(np.zeros((60, 3, 0)), y)


def test_what_goes_with_the_held_out_rows_is_named(problem):
    X, Y = problem
    frame = pd.DataFrame(X, columns=list("abcdef"))
    held = {"X_val": X[:50], "y_val": Y[:50]}
    cases = [
        ({"y_val": Y}, "X_val and y_val go together"),
        ({"sample_weight_val": np.ones(50)}, "goes with X_val and y_val"),
        ({**held, "X_val": X[:50, :5]}, "X_val: X has 5 features"),
        ({**held, "X_val": {"a": X[:50]}}, "X_val is a dict"),
        ({**held, "X_val": np.full((50, 6), np.inf)}, "X_val: Input X contains inf"),
        ({**held, "y_val": Y[:49]}, "X_val: 50, y_val: 49"),
        ({"groups": np.zeros((300, 2))}, r"groups has shape \(300, 2\)"),
        ({"groups": np.zeros(299)}, "groups: 299"),
    ]
    for given, message in cases:
        with pytest.raises((ValueError, TypeError), match=message):
            small(early_stopping=True).fit(X, Y, **given)
    with pytest.raises(ValueError, match="X_val: The feature names should match"):
        small().fit(frame, Y, X_val=frame[list("fedcba")], y_val=Y)


def test_a_dataset_after_a_frame_removes_the_names_of_the_features(problem):
    X, Y = problem
    net = own().fit(pd.DataFrame(X, columns=list("abcdef")), Y)
    assert not hasattr(net.fit(Items(lambda i: X[i]), Y), "feature_names_in_")


def test_a_dataset_is_encoded_as_the_array_that_was_fitted(problem):
    X, Y = problem
    data = Items(lambda i: X[i])
    for fitted in (X, sp.csr_array(X)):
        net = small().fit(fitted, Y)
        np.testing.assert_array_equal(net.predict_proba(data), net.predict_proba(X))
    table = np.c_[np.arange(300) % 3, X]
    net = small(categorical_features=[0]).fit(table, Y)
    with pytest.raises(ValueError, match="as the net was fitted on categories"):
        net.predict_proba(Items(lambda i: table[i]))


def test_missing_values_go_with_what_was_fitted(problem):
    X, Y = problem
    lacking = X.copy()
    lacking[0, 0] = np.nan
    for fitted in (sp.csr_array(X), Items(lambda i: X[i])):
        with pytest.raises(ValueError, match="Input X contains NaN"):
            small().fit(fitted, Y).predict_proba(lacking)
    net = small().fit(lacking, Y)
    expected = net.predict_proba(lacking)
    net.set_params(standardize=True)  # for the next fit
    np.testing.assert_array_equal(net.predict_proba(lacking), expected)


def test_tables_of_pyarrow():
    """Their `columns` are arrays, and `column_names` the names."""
    pa = pytest.importorskip("pyarrow")
    X, Y = small_problem()
    kind = np.where(X[:, 0] > 0, "u", "v")
    frame = pd.DataFrame(X, columns=[f"x{k}" for k in range(X.shape[1])]).assign(
        kind=pd.Categorical(kind)
    )
    labels = pd.DataFrame(Y, columns=[f"y{k}" for k in range(Y.shape[1])])
    net = ImbalancedMLPClassifier(
        (4,), max_epochs=2, categorical_features="from_dtype", random_state=0
    )
    expected = clone(net).fit(frame, labels)
    table = pa.table({name: frame[name].to_numpy() for name in frame.columns[:-1]})
    table = table.append_column("kind", pa.array(kind).dictionary_encode())
    found = net.fit(table, pa.table(dict(labels)))
    np.testing.assert_array_equal(found.feature_names_in_, frame.columns)
    np.testing.assert_array_equal(found.label_names_, labels.columns)
    np.testing.assert_array_equal(
        found.predict_proba(table), expected.predict_proba(frame)
    )
    with pytest.raises(TypeError, match=r"pass X.to_pandas\(\)"):
        MLROS().fit_resample(table, Y)
