"""One harness for all samplers: containers, parameters, pipelines, bad input."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import torch
from imblearn.base import is_sampler
from imblearn.pipeline import Pipeline
from imblearn.utils import estimator_checks as imblearn_checks
from samplers import CLONING, SAMPLERS, SYNTHETIC, UNDER, make, make_data, resample
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils import estimator_checks as sklearn_checks

from skimbalance.exceptions import ResamplingWarning
from skimbalance.over_sampling import LPROS, MLROS, MLSMOTE, MLSOL, REMEDIAL
from skimbalance.under_sampling import LPRUS, MLRUS, MLTL, MLUL, MLeNN

each_sampler = pytest.mark.parametrize("sampler", SAMPLERS)
ROWS = [*CLONING, *UNDER]
WITH_NEIGHBORS = [MLSMOTE, MLSOL, MLeNN, MLTL, MLUL]
X, Y = make_data(n_samples=80)


def mixed_frame(seed=0):
    """Return a frame with columns of many dtypes, and its labels."""
    rng = np.random.RandomState(seed)
    n_samples = len(X)
    words = rng.choice(["red", "green", "blue"], n_samples)
    frame = pd.DataFrame(
        {
            "float": X[:, 0],
            "single": X[:, 1].astype(np.float32),
            "integer": rng.randint(0, 50, n_samples).astype(np.int16),
            "nullable": pd.array(rng.randint(0, 50, n_samples), dtype="Int64"),
            "category": pd.Categorical(words, categories=["blue", "green", "red", "x"]),
            "string": words,
            "bool": rng.random_sample(n_samples) < 0.5,
        },
        index=np.arange(n_samples) + 1000,
    )
    names = ["a", "b", "c", "d"]
    return frame, pd.DataFrame(Y, columns=names, dtype="int16", index=frame.index)


# -------------------------------------------------------------------------- containers


@each_sampler
@pytest.mark.parametrize("container", [sp.csr_array, sp.csr_matrix, sp.csc_array])
def test_sparse_in_sparse_out(sampler, container):
    X_sparse = container(np.where(np.abs(X) > 0.5, X, 0)).astype(np.float32)
    Y_sparse = container(Y)
    X_new, Y_new = resample(sampler, X_sparse, Y_sparse)
    for new, old in ((X_new, X_sparse), (Y_new, Y_sparse)):
        assert type(new) is type(old)
        assert new.dtype == old.dtype
    dense = resample(sampler, X_sparse.toarray(), Y)
    np.testing.assert_allclose(X_new.toarray(), dense[0], rtol=1e-6)
    np.testing.assert_array_equal(Y_new.toarray(), dense[1])


@each_sampler
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, bool])
def test_arrays_keep_their_dtype(sampler, dtype):
    values = (X * 3).astype(dtype)
    X_new, Y_new = resample(sampler, values, Y.astype(dtype))
    assert X_new.dtype == Y_new.dtype == dtype
    assert len(X_new) == len(Y_new)


@each_sampler
def test_data_frames_keep_columns_and_dtypes(sampler):
    frame, labels = mixed_frame()
    X_new, Y_new = resample(sampler, frame, labels)
    pd.testing.assert_series_equal(X_new.dtypes, frame.dtypes)
    pd.testing.assert_series_equal(Y_new.dtypes, labels.dtypes)
    expected = np.arange(len(X_new))
    np.testing.assert_array_equal(X_new.index, expected)
    np.testing.assert_array_equal(Y_new.index, expected)
    for column in ("category", "string"):
        assert set(X_new[column]) <= set(frame[column])
    if sampler not in UNDER:
        pd.testing.assert_frame_equal(X_new[: len(X)], frame.reset_index(drop=True))


@each_sampler
def test_frames_of_polars_give_the_same(sampler):
    frame, labels = mixed_frame()
    X_polars, Y_polars = pl.from_pandas(frame), pl.from_pandas(labels)
    X_new, Y_new = resample(sampler, X_polars, Y_polars)
    assert X_new.schema == X_polars.schema
    assert Y_new.schema == Y_polars.schema
    X_pandas, Y_pandas = resample(sampler, frame, labels)
    np.testing.assert_array_equal(Y_new.to_numpy(), Y_pandas)
    for column in ("float", "integer", "nullable", "string", "bool"):
        assert X_new[column].to_list() == X_pandas[column].tolist()


@pytest.mark.parametrize("sampler", SYNTHETIC)
def test_bools_that_count_as_numbers_are_rounded_in_any_frame(sampler):
    rng = np.random.RandomState(0)
    columns = {f"column{j}": rng.uniform(size=80) < 0.5 for j in range(4)}
    labels = rng.uniform(size=(80, 3)) < [0.6, 0.3, 0.1]
    new = [
        np.asarray(
            resample(sampler, frame(columns), labels, categorical_features=None)[0]
        )
        for frame in (pd.DataFrame, pl.DataFrame)
    ]
    assert len(new[0]) > 80
    np.testing.assert_array_equal(*new)


@each_sampler
def test_tensors_in_tensors_out(sampler):
    expected = resample(sampler, X.astype(np.float32), Y)
    given = torch.tensor(X, dtype=torch.float32), torch.tensor(Y, dtype=torch.bool)
    for new, before, values in zip(
        resample(sampler, *given), given, expected, strict=True
    ):
        assert new.dtype == before.dtype
        np.testing.assert_array_equal(new, values)


@each_sampler
@pytest.mark.parametrize("values", [np.int64, bool])
def test_labels_of_categories(sampler, values):
    labels = pd.DataFrame(Y.astype(values)).astype("category")
    _, new = resample(sampler, X, labels)
    pd.testing.assert_series_equal(new.dtypes, labels.dtypes)
    np.testing.assert_array_equal(new.astype(int), resample(sampler, X, Y)[1])


@pytest.mark.parametrize("sampler", SYNTHETIC)
def test_numbers_beside_strings_stay_numbers_outside_frames(sampler):
    frame = mixed_frame()[0][["float", "integer", "string"]]
    expected, _ = resample(sampler, frame, Y)
    options = {"categorical_features": [2]}
    rows = frame.to_numpy()
    for given in (rows, rows.tolist()):
        new, _ = resample(sampler, given, Y, **options)
        assert type(new) is type(given)
        assert [list(row) for row in new] == expected.to_numpy().tolist()


@pytest.mark.parametrize("sampler", SYNTHETIC)
def test_an_array_of_short_strings_cuts_no_number_off(sampler):
    words = mixed_frame()[0]["string"]
    numbers = X[:, 0].round(1)
    text = np.column_stack([numbers.astype(str), words]).astype("U5")
    new, _ = resample(sampler, text, Y, categorical_features=[1])
    frame = pd.DataFrame({"number": numbers, "word": words})
    expected, _ = resample(sampler, frame, Y)
    np.testing.assert_array_equal(new[:, 0].astype(float), expected["number"])


@each_sampler
def test_frames_of_sparse_columns(sampler):
    sparse = np.where(np.abs(X) > 0.5, X, 0)
    frame = pd.DataFrame(sparse, columns=list("abcd")).astype(pd.SparseDtype(float, 0))
    X_new, Y_new = resample(sampler, frame, Y)
    assert (X_new.dtypes == frame.dtypes).all()
    expected = resample(sampler, sparse, Y)
    np.testing.assert_array_equal(X_new.to_numpy(), expected[0])
    np.testing.assert_array_equal(Y_new, expected[1])


@each_sampler
def test_lists_in_lists_out(sampler):
    X_new, Y_new = resample(sampler, X.tolist(), Y.tolist())
    expected = resample(sampler, X, Y)
    assert isinstance(X_new, list)
    assert isinstance(Y_new, list)
    np.testing.assert_array_equal(X_new, expected[0])
    np.testing.assert_array_equal(Y_new, expected[1])


@pytest.mark.parametrize("sampler", WITH_NEIGHBORS)
def test_nominal_columns_by_name_position_and_mask_are_the_same(sampler):
    frame, labels = mixed_frame()
    frame = frame[["float", "single", "integer", "category"]]
    results = [
        resample(sampler, frame, labels, categorical_features=chosen)
        for chosen in (["integer", "category"], [2, 3], [False, False, True, True])
    ]
    for X_new, Y_new in results[1:]:
        pd.testing.assert_frame_equal(X_new, results[0][0])
        pd.testing.assert_frame_equal(Y_new, results[0][1])
    assert set(results[0][0]["integer"]) <= set(frame["integer"])
    # In an array no column is nominal unless it is named.
    codes = frame["category"].cat.codes
    values = frame.assign(category=codes).to_numpy(dtype=np.float64)
    for chosen in ([2, 3], [False, False, True, True]):
        X_new, Y_new = resample(sampler, values, Y, categorical_features=chosen)
        np.testing.assert_array_equal(Y_new, results[0][1])
        np.testing.assert_allclose(X_new[:, 0], results[0][0]["float"])
        assert set(X_new[:, 3]) <= set(codes)


@pytest.mark.parametrize("sampler", WITH_NEIGHBORS)
@pytest.mark.parametrize("container", [np.asarray, sp.csr_array, pd.DataFrame])
def test_empty_categorical_features_are_none(sampler, container):
    data = container(X)
    expected = resample(sampler, data, Y, categorical_features=None)
    for empty in ([], (), np.array([], dtype=int), np.array([]), np.zeros(4, bool)):
        results = resample(sampler, data, Y, categorical_features=empty)
        for result, other in zip(results, expected, strict=True):
            if sp.issparse(result):
                result, other = result.toarray(), other.toarray()
            np.testing.assert_array_equal(result, other)


def test_a_frame_of_nominal_columns_alone():
    frame = mixed_frame()[0][["category", "bool"]]
    for sampler in WITH_NEIGHBORS:
        X_new, _ = resample(sampler, frame, Y)
        pd.testing.assert_series_equal(X_new.dtypes, frame.dtypes)


@pytest.mark.parametrize("sampler", [LPROS, MLROS, REMEDIAL, LPRUS, MLRUS])
def test_random_samplers_read_no_value_of_x(sampler):
    texts = np.array([["some text", None, np.nan]] * len(X), dtype=object)
    X_new, Y_new = resample(sampler, texts, Y)
    assert X_new.dtype == object
    assert len(X_new) == len(Y_new)


# ------------------------------------------------------------------------ conventions


@each_sampler
def test_clone_pickle_and_repeated_calls_give_the_same(sampler):
    fitted = make(sampler)
    expected = resample(sampler, X, Y)
    for other in (fitted, clone(fitted), pickle.loads(pickle.dumps(fitted)), fitted):
        X_new, Y_new = other.fit_resample(X, Y)
        np.testing.assert_array_equal(X_new, expected[0])
        np.testing.assert_array_equal(Y_new, expected[1])


@each_sampler
def test_fitted_attributes(sampler):
    frame, labels = mixed_frame()
    fitted = make(sampler)
    assert is_sampler(fitted)
    assert fitted.fit(frame, labels) is fitted
    assert fitted.n_features_in_ == 7
    np.testing.assert_array_equal(fitted.feature_names_in_, frame.columns)
    np.testing.assert_array_equal(fitted.get_feature_names_out(), frame.columns)
    assert not hasattr(fitted, "sample_indices_")
    fitted.fit_resample(frame, labels)
    assert hasattr(fitted, "sample_indices_") is (sampler in ROWS)
    tags = fitted.__sklearn_tags__()
    assert tags.sampler_tags.sample_indices is (sampler in ROWS)
    assert tags.target_tags.multi_output
    assert not tags.target_tags.single_output


GRIDS = {
    LPROS: {"sampling_strategy": [0.1, 0.2]},
    MLROS: {"sampling_strategy": [0.1, 0.2]},
    REMEDIAL: {},
    MLSMOTE: {"k_neighbors": [3, 5], "label_combination": ["ranking", "union"]},
    MLSOL: {"sampling_strategy": [0.1, 0.2], "k_neighbors": [3, 5]},
    LPRUS: {"sampling_strategy": [0.1, 0.2]},
    MLRUS: {"sampling_strategy": [0.1, 0.2]},
    MLeNN: {"threshold": [0.5, 0.75]},
    MLTL: {"threshold": [0.25, 0.5]},
    MLUL: {"sampling_strategy": [0.1, 0.2], "n_neighbors": [3, 5]},
}


@each_sampler
@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_search_over_a_pipeline(sampler, container):
    pipeline = Pipeline(
        [("sampler", make(sampler)), ("nearest", KNeighborsClassifier())]
    )
    grid = {f"sampler__{name}": values for name, values in GRIDS[sampler].items()}
    search = GridSearchCV(
        pipeline, {**grid, "nearest__n_neighbors": [3]}, cv=2, error_score="raise"
    )
    search.fit(container(X), Y)
    assert search.predict(container(X)).shape == Y.shape


@pytest.mark.parametrize("sampler", ROWS)
@pytest.mark.parametrize("shape", [(80,), (80, 4)])
def test_weights_go_with_their_rows(sampler, shape):
    weight = np.random.RandomState(0).random_sample(shape)
    fitted = make(sampler)
    X_new, Y_new, new_weight = fitted.fit_resample(X, Y, sample_weight=weight)
    np.testing.assert_array_equal(new_weight, weight[fitted.sample_indices_])
    expected = resample(sampler, X, Y)
    np.testing.assert_array_equal(X_new, expected[0])
    np.testing.assert_array_equal(Y_new, expected[1])
    with pytest.raises(ValueError, match="sample_weight has shape"):
        fitted.fit_resample(X, Y, sample_weight=weight[:5])


@pytest.mark.parametrize("sampler", WITH_NEIGHBORS)
def test_n_jobs_changes_nothing(sampler):
    expected, parallel = (resample(sampler, X, Y, n_jobs=n) for n in (None, 2))
    np.testing.assert_array_equal(parallel[0], expected[0])
    np.testing.assert_array_equal(parallel[1], expected[1])


# imbalanced-learn's checks of samplers. Those that hold run on label matrices in the
# place of its targets of classes; the others cannot hold, for the reason given.
APPLICABLE = {
    "check_samplers_one_label",
    "check_samplers_sparse",
    "check_samplers_list",
    "check_samplers_preserve_dtype",
    "check_samplers_sample_indices",
    "check_sampler_get_feature_names_out",
    "check_sampler_get_feature_names_out_pandas",
}
NOT_APPLICABLE = {
    "check_target_type": "expects an error for label matrices",
    "check_samplers_fit": "needs sampling_strategy_, a count for each class",
    "check_samplers_fit_resample": "counts classes",
    "check_samplers_sampling_strategy_fit_resample": "counts classes",
    "check_samplers_pandas": "needs a target of one dimension, a pandas Series",
    "check_samplers_pandas_sparse": "needs a target of one dimension, a pandas Series",
    "check_samplers_string": "needs a target of one dimension",
    "check_samplers_nan": "needs a target of one dimension",
    "check_samplers_multiclass_ova": "needs a target of classes",
    "check_samplers_2d_target": "needs a target of one column",
}


def _imblearn_checks(sampler):
    checks = imblearn_checks._yield_sampler_checks(sampler)
    return {imblearn_checks._check_name(check): check for check in checks}


@each_sampler
def test_the_lists_of_checks_are_complete(sampler):
    names = _imblearn_checks(sampler()).keys()
    assert names <= APPLICABLE | NOT_APPLICABLE.keys()
    assert names >= APPLICABLE


@each_sampler
@pytest.mark.parametrize("name", sorted(APPLICABLE))
@pytest.mark.filterwarnings("ignore::skimbalance.exceptions.ResamplingWarning")
def test_checks_of_imbalanced_learn(sampler, name, monkeypatch):
    def label_matrix(n_samples=200, n_features=4, **_):
        return make_data(n_samples=n_samples, n_features=n_features)

    monkeypatch.setattr(imblearn_checks, "sample_dataset_generator", label_matrix)
    monkeypatch.setattr(imblearn_checks, "make_blobs", label_matrix)
    _imblearn_checks(sampler())[name](sampler.__name__, make(sampler))


@each_sampler
@pytest.mark.parametrize(
    "check",
    [
        sklearn_checks.check_parameters_default_constructible,
        sklearn_checks.check_no_attributes_set_in_init,
        sklearn_checks.check_get_params_invariance,
        sklearn_checks.check_set_params,
        sklearn_checks.check_estimator_repr,
    ],
)
def test_checks_of_scikit_learn(sampler, check):
    check(sampler.__name__, sampler())


# -------------------------------------------------------------------------- bad input


@each_sampler
@pytest.mark.parametrize("y", [Y[:, 0], Y[:, :1], Y[:, 0].tolist(), Y.sum(axis=1)])
def test_a_single_label_is_refused_with_the_sampler_to_use(sampler, y):
    with pytest.raises(
        ValueError, match=r"label matrices of several columns.*use "
    ) as e:
        make(sampler).fit_resample(X, y)
    if sampler is not REMEDIAL:
        module, _, name = str(e.value).split("use ")[1].rstrip(".").rpartition(".")
        assert hasattr(__import__(module, fromlist=[name]), name)


@each_sampler
@pytest.mark.parametrize("method", ["fit", "fit_resample"])
def test_none_is_refused(sampler, method):
    call = getattr(make(sampler), method)
    with pytest.raises(ValueError, match="requires y to be passed, but y is None"):
        call(X, None)
    with pytest.raises(ValueError, match="requires X to be passed, but X is None"):
        call(None, Y)


@pytest.mark.parametrize("sampler", WITH_NEIGHBORS)
@pytest.mark.parametrize("method", ["fit", "fit_resample"])
def test_samplers_with_neighbors_need_columns(sampler, method):
    call = getattr(make(sampler), method)
    for column in (X[:, 0], X[:, 0].tolist(), pd.Series(X[:, 0])):
        with pytest.raises(
            ValueError, match=r"2D array, got 1D array instead.*\(80,\)"
        ):
            call(column, Y)
    with pytest.raises(ValueError, match="2D array, got 3D array instead"):
        call(X[:, :, None], Y)


@each_sampler
def test_missing_labels_are_refused_with_a_way_out(sampler):
    missing = Y.astype(float)
    missing[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"missing labels\. Drop these rows"):
        make(sampler).fit_resample(X, missing)


@each_sampler
def test_other_values_and_other_lengths_are_refused(sampler):
    with pytest.raises(ValueError, match="contains the value 2"):
        make(sampler).fit_resample(X, Y * 2)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        make(sampler).fit_resample(X[1:], Y)


@each_sampler
def test_nothing_to_resample_warns_once_and_changes_nothing(sampler):
    equal = np.array([[1, 0], [0, 1]] * 10)
    # No neighbour differs, all labels and label sets are equally frequent.
    far = np.repeat([[0.0], [100.0]], 10, axis=0) + np.arange(20)[:, None] / 100
    equal = equal[np.argsort(np.arange(20) % 2, kind="stable")]
    with pytest.warns(ResamplingWarning, match="returns the input unchanged") as record:
        X_new, Y_new = make(sampler).fit_resample(far, equal)
    assert len(record) == 1
    assert record[0].filename == __file__
    np.testing.assert_array_equal(X_new, far)
    np.testing.assert_array_equal(Y_new, equal)


@each_sampler
def test_labels_without_positives_are_no_labels_to_resample(sampler):
    with pytest.warns(ResamplingWarning, match="returns the input unchanged"):
        X_new, _ = make(sampler, n_neighbors=3).fit_resample(X, np.zeros_like(Y))
    np.testing.assert_array_equal(X_new, X)
    more = np.column_stack([Y, np.zeros(len(Y), dtype=int)])
    _, Y_new = resample(sampler, X, more)
    _, expected = resample(sampler, X, Y)
    if sampler is not MLUL:  # whose draws are the same, too, but for rounding
        np.testing.assert_array_equal(Y_new[:, :4], expected)
    assert not Y_new[:, 4].any()


def test_the_fraction_that_can_be_reached_is_never_0():
    labels = np.repeat([[1, 0], [0, 1], [1, 1]], [6668, 6667, 6665], axis=0)
    sampler = LPROS(sampling_strategy=0.5)  # the mean is 6666 and two thirds
    with pytest.warns(ResamplingWarning, match="changes 1 rows.* at most 5e-05"):
        sampler.fit_resample(labels, labels)


@pytest.mark.parametrize("sampler", [LPROS, MLROS, MLSOL, LPRUS, MLRUS, MLUL])
def test_a_fraction_below_one_row_warns(sampler):
    with pytest.warns(ResamplingWarning, match="of 80 rows is less than one row"):
        X_new, _ = make(sampler, sampling_strategy=0.001).fit_resample(X, Y)
    np.testing.assert_array_equal(X_new, X)


@pytest.mark.parametrize("sampler", [LPROS, MLROS, MLSOL, LPRUS, MLRUS, MLUL])
@pytest.mark.parametrize("value", [0, -0.1, np.inf, np.nan, "auto", {0: 5}, None, True])
def test_a_wrong_sampling_strategy_is_refused(sampler, value):
    with pytest.raises(ValueError, match="'sampling_strategy' parameter"):
        make(sampler, sampling_strategy=value).fit_resample(X, Y)


@pytest.mark.parametrize("sampler", [LPRUS, MLRUS, MLUL])
def test_not_all_rows_can_be_removed(sampler):
    with pytest.raises(ValueError, match="'sampling_strategy' parameter"):
        make(sampler, sampling_strategy=1.0).fit_resample(X, Y)


@pytest.mark.parametrize(
    ("sampler", "name"),
    [(MLSOL, "k_neighbors"), (MLeNN, "n_neighbors"), (MLUL, "n_neighbors")],
)
def test_more_neighbors_than_rows_are_refused(sampler, name):
    with pytest.raises(ValueError, match=f"{name}=80 needs at least 81 rows.*lower"):
        make(sampler, **{name: 80}).fit_resample(X, Y)
    with pytest.raises(ValueError, match=f"'{name}' parameter"):
        make(sampler, **{name: 0}).fit_resample(X, Y)


@pytest.mark.parametrize("sampler", WITH_NEIGHBORS)
def test_missing_values_are_refused_by_samplers_with_neighbors(sampler):
    values = X.copy()
    values[3, 1] = np.nan
    with pytest.raises(ValueError, match="X has missing values"):
        make(sampler).fit_resample(values, Y)
    frame, labels = mixed_frame()
    frame.loc[1003, "string"] = None
    with pytest.raises(ValueError, match="missing value in the nominal column 5"):
        make(sampler).fit_resample(frame, labels)


@pytest.mark.parametrize("sampler", WITH_NEIGHBORS)
def test_wrong_nominal_columns_are_refused(sampler):
    frame, labels = mixed_frame()
    with pytest.raises(ValueError, match="X has no column 'colour'"):
        make(sampler, categorical_features=["colour"]).fit_resample(frame, labels)
    with pytest.raises(ValueError, match="got 9 for an X of 4 columns"):
        make(sampler, categorical_features=[9]).fit_resample(X, Y)
    for mask in ([True, False], np.ones(5, dtype=bool), pd.array([True] * 3)):
        with pytest.raises(
            ValueError, match=r"the mask has shape \(\d,\), but X has 4"
        ):
            make(sampler, categorical_features=mask).fit_resample(X, Y)
    for columns in ({2}, [[0]], [1.5]):
        with pytest.raises(ValueError, match="must be a mask, indices or names"):
            make(sampler, categorical_features=columns).fit_resample(X, Y)
    with pytest.raises(ValueError, match='must be "auto", None'):
        make(sampler, categorical_features="all").fit_resample(X, Y)
    with pytest.raises(ValueError, match="goes with dense X"):
        make(sampler, categorical_features=[0]).fit_resample(sp.csr_array(X), Y)
    with pytest.raises(ValueError, match="which are no numbers: name them in cat"):
        make(sampler, categorical_features=None).fit_resample(frame, labels)


@pytest.mark.parametrize("sampler", SYNTHETIC)
def test_synthetic_rows_carry_no_weights(sampler):
    with pytest.raises(TypeError, match="sample_weight"):
        make(sampler).fit_resample(X, Y, sample_weight=np.ones(80))
