"""Label matrices and targets: every container holds the same entries."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from skimbalance._base import unchanged_on_error
from skimbalance._counts import check_label_counts, count_labels
from skimbalance._labels import (
    BINARY,
    MULTICLASS,
    MULTILABEL,
    Target,
    check_label_matrix,
    check_target,
    encode_like,
    has_missing,
)
from skimbalance._validation import (
    align_weights,
    check_integer,
    check_interval,
    check_per_label,
    check_same_length,
    check_weights,
    closest,
)
from skimbalance.metrics import empty_label_fold_count, label_distribution_distance
from skimbalance.thresholds import plug_in_threshold
from skimbalance.weights import compute_pos_weight

ENTRIES = arrays(
    np.float64,
    array_shapes(min_dims=2, max_dims=2, max_side=6),
    elements=st.sampled_from([0.0, 1.0, np.nan]),
)


def dense(labels):
    return labels.toarray() if sp.issparse(labels) else labels


def codes_by_hand(Y):
    return np.where(np.isnan(Y), -1, Y).astype(np.int8)


@given(ENTRIES)
def test_every_container_holds_the_same_entries(Y):
    expected = codes_by_hand(Y)
    frame = pd.DataFrame(Y, columns=[f"l{k}" for k in range(Y.shape[1])])
    for container in (
        Y,
        np.asfortranarray(Y),
        Y.tolist(),
        Y.astype(np.float32),
        Y.astype(object),
        frame,
        frame.astype("Float64"),
        pl.DataFrame(dict(frame.items())),
        sp.csr_array(Y),
        sp.csc_matrix(Y),
        sp.coo_array(Y),
    ):
        labels = check_label_matrix(container)
        assert labels.dtype == np.int8
        np.testing.assert_array_equal(dense(labels), expected)
        assert has_missing(labels) == np.isnan(Y).any()


def test_sparse_zeros_and_repeated_entries_are_resolved_on_a_copy():
    entries = np.array([1.0, 0.0, 0.5, 0.5])
    Y = sp.coo_array((entries, ([0, 0, 1, 1], [0, 1, 1, 1])), shape=(2, 2)).tocsr()
    stored = Y.data.copy()
    labels = check_label_matrix(Y)
    np.testing.assert_array_equal(labels.toarray(), [[1, 0], [0, 1]])
    assert labels.nnz == 2
    np.testing.assert_array_equal(Y.data, stored)


@given(ENTRIES, st.data())
def test_counts_leave_missing_entries_and_weightless_rows_out(Y, data):
    weight = data.draw(arrays(np.float64, len(Y), elements=st.sampled_from([0, 1, 2])))
    repeated = np.repeat(Y, weight.astype(int), axis=0)
    expected = (repeated == 1).sum(axis=0), (repeated == 0).sum(axis=0)
    for labels in (check_label_matrix(Y), check_label_matrix(sp.csr_array(Y))):
        for found, wanted in zip(count_labels(labels, weight), expected):
            np.testing.assert_allclose(found, wanted)


@pytest.mark.parametrize(
    "y, kind, classes",
    [
        ([0, 1, 1], BINARY, [0, 1]),
        (["no", "yes", "no"], BINARY, ["no", "yes"]),
        ([True, False], BINARY, [False, True]),
        ([-1.0, 1.0], BINARY, [-1, 1]),
        ([7, 7], BINARY, [7]),
        ([3, 1, 2, 3], MULTICLASS, [1, 2, 3]),
        ([[0, 1], [1, 1]], MULTILABEL, [[0, 1], [0, 1]]),
        ([[0], [1]], MULTILABEL, [[0, 1]]),
    ],
)
def test_kind_and_classes(y, kind, classes):
    target = check_target(np.asarray(y))
    assert target.kind == kind
    np.testing.assert_array_equal(target.classes, classes)
    np.testing.assert_array_equal(
        dense(encode_like(np.asarray(y), target)), dense(target.values)
    )


def test_the_second_class_is_the_positive_one():
    values = check_target(np.array(["b", "a", "b"])).values
    np.testing.assert_array_equal(values, [[1], [0], [1]])


def test_column_names_and_container_are_remembered():
    frame = pd.DataFrame([[0, 1], [1, 0]], columns=["cat", 5])
    assert check_target(frame).label_names.tolist() == ["cat", "5"]
    target = check_target(sp.csc_matrix([[0, 1], [1, 0]]))
    assert target.sparse_type is sp.csr_matrix
    assert target.label_names is None


@pytest.mark.parametrize(
    "y, message",
    [
        (np.array([[0, 2], [1, 0]]), r"contains the value 2"),
        (np.array([[0, -1], [1, 0]]), r"np.where\(y == -1, np.nan, y\)"),
        (sp.csr_array([[0, 0.5]]), r"contains the value 0.5"),
        (np.array([[0, np.inf]]), r"contains the value inf"),
        (np.array([["a", "b"]]), r"must hold 0, 1 or NaN"),
        (np.empty((3, 0)), r"at least one row and one label"),
        (np.empty((0, 3)), r"at least one row and one label"),
        (np.zeros((2, 2, 2)), r"must have one or two dimensions|two dimensions"),
        (np.array([0.5, 1.5, 2.5]), r"continuous"),
        (np.array([0.0, np.nan]), r"missing label is NaN in a 2-D"),
        (np.array([]), r"is empty"),
        (None, r"requires y to be passed"),
    ],
)
def test_bad_targets(y, message):
    with pytest.raises(ValueError, match=message):
        check_target(y)


@pytest.mark.parametrize(
    "y, message",
    [
        (np.zeros((3, 4)), "has 4 labels, but 2 were fitted"),
        (sp.csr_array((3, 1)), "has 1 labels, but 2 were fitted"),
    ],
)
def test_another_number_of_labels(y, message):
    with pytest.raises(ValueError, match=message):
        encode_like(y, Target(MULTILABEL, None, np.tile([0, 1], (2, 1))))


def test_unknown_classes_are_named():
    with pytest.raises(ValueError, match=r"'d'"):
        encode_like(
            np.array(["a", "d"]), Target(MULTICLASS, None, np.array(["a", "b", "c"]))
        )


@pytest.mark.parametrize(
    "counts, n_samples, message",
    [
        ([1, 2, 3], None, "n_samples"),
        ([5], 3, "label_counts"),
        ([-1], 3, "label_counts"),
        (([1, 2], [3]), None, "2 counts of positives, but 1"),
        ([np.nan], 3, "label_counts"),
    ],
)
def test_bad_counts(counts, n_samples, message):
    with pytest.raises(ValueError, match=message):
        check_label_counts(counts, n_samples)


def test_an_error_leaves_the_estimator_as_it_was():
    class Fitted:
        def __init__(self):
            self.coef_ = 1

        def fit(self, fail):
            with unchanged_on_error(self):
                self.coef_, self.new_ = 2, 3
                if fail:
                    raise ValueError("no")

    estimator = Fitted()
    with pytest.raises(ValueError, match="no"):
        estimator.fit(fail=True)
    assert vars(estimator) == {"coef_": 1}
    estimator.fit(fail=False)
    assert vars(estimator) == {"coef_": 2, "new_": 3}


# ------------------------------------------------------------------- targets of users

Y2 = np.array([[0, 1], [1, 0], [1, 1]])


@pytest.mark.parametrize(
    ("y", "words", "no_words"),
    [
        (np.where(Y2, 1, -1), [r"(y > 0).astype(int)"], ["nan"]),
        (np.where(Y2, 1.0, -1.0), [r"(y > 0).astype(int)"], ["nan"]),
        (np.array([[1, -1], [np.nan, 1]]), ["(y + 1) / 2, which keeps NaN"], []),
        (sp.csr_array(np.where(Y2, 1, -1)), ["pass y > 0"], ["nan"]),
        (np.array([[-1, 0], [1, 1]]), ["missing", "np.where(y == -1, np.nan, y)"], []),
        (np.array([[-9, 0], [1, 1]]), ["missing", "np.where(y == -9, np.nan, y)"], []),
        (sp.csr_array([[-1, 0], [1, 1]]), ["y.data[y.data == -1] = np.nan"], []),
        (Y2 + 1, ["as 0 and 1", "(y == 2).astype(int)"], ["nan", "missing"]),
        (255 * Y2, ["as 0 and 1", "(y == 255).astype(int)"], ["nan", "missing"]),
        (np.array([[0, 3], [1, 2]]), ["MultiOutputClassifier", "(y > 0)"], ["nan"]),
        (Y2 / 2 + 0.25, ["Soft labels", "0 or 1"], ["nan"]),
        (sp.csr_array(Y2 / 2), ["Soft labels"], ["nan"]),
        (np.array([0, 0.5, 1]), ["Soft labels"], ["nan"]),
        (Y2 * 2.5 - 1, ["regression"], ["nan"]),
        (np.array([[0, np.inf]]), ["Infinity"], []),
        (np.where(Y2, "yes", "no"), ["strings", "(y == 'yes').astype(int)"], ["Multi"]),
        (np.where(Y2, True, False).astype(str), ["(y == 'True').astype(int)"], []),
        (
            np.array([[0, 1], [99, 1]]),
            ["np.where(y == 99, np.nan, y)"],
            ["multioutput"],
        ),
        (np.array([[0, 255], [255, 0]]), ["(y == 255).astype(int)"], ["missing"]),
        (Y2.astype(str), ["strings", "y.astype(int)"], []),
        (Y2.astype(str).astype(object), ["strings", "y.astype(int)"], []),
        (np.array([["a", "x"], ["b", "y"]]), ["MultiOutputClassifier"], []),
        ([["a"], ["a", "b"]], ["MultiLabelBinarizer"], []),
        ([["a", "c"], ["a", "b"]], ["MultiLabelBinarizer"], []),
        ([("a",), ("a", "b")], ["MultiLabelBinarizer"], []),
        ([{"a"}, {"a", "b"}], ["MultiLabelBinarizer"], []),
        ([[1], [1, 2]], ["MultiLabelBinarizer"], []),
        (pd.Series([["a"], ["a", "b"]]), ["MultiLabelBinarizer"], []),
        (np.array([{"a"}, set()], dtype=object), ["MultiLabelBinarizer"], []),
        (["p", None, "n"], ["missing", "None"], ["regression"]),
        (["p", np.nan, "n"], ["missing", "NaN"], ["regression"]),
        (pd.Series(["p", pd.NA], dtype="string"), ["missing", "NA"], []),
        (pd.Series(["p", None], dtype="category"), ["missing"], []),
        (pl.Series(["p", None]), ["missing"], []),
        (pd.Series([1, pd.NA], dtype="Int64"), ["missing"], []),
        (np.ma.masked_array([1, 0], [False, True]), ["missing"], []),
        ([1, "a"], ["mixes strings"], []),
        (pd.Series(pd.to_datetime(["2020-01-01", "2020-01-02"])), ["dates"], []),
        ([datetime.date(2020, 1, 1)] * 2, ["dates"], []),
        (np.array([1, 2], dtype="timedelta64[s]"), ["dates or times"], []),
        (np.array([1j, 2]), ["complex"], []),
        (sp.csr_array(Y2 * 1j), ["complex"], []),
        (np.array([(1, 0)], dtype=[("a", int), ("b", int)]), ["dtype"], []),
        (pd.Series(pd.period_range("2020", periods=2, freq="D")), ["Period"], []),
        ({"a": 1}, ["dict"], []),
        ("abc", ["str"], []),
        (1, ["array-like"], []),
    ],
    ids=lambda value: None if isinstance(value, list) else type(value).__name__,
)
def test_the_error_of_a_bad_target_says_how_to_convert_it(y, words, no_words):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        check_target(y)
    for word in ["y", *words]:
        assert word in str(error.value)
    for word in no_words:
        assert word not in str(error.value)


@pytest.mark.parametrize("y", [np.array([b"a", b"b"]), [b"a", b"b"]])
def test_bytes_are_refused(y):
    with pytest.raises(TypeError, match="y holds bytes"):
        check_target(y)


@pytest.mark.parametrize(
    ("y", "classes", "index"),
    [
        (pd.Series([1, 0, 1], dtype="Int64"), [0, 1], [1, 0, 1]),
        (pd.Series([True, False], dtype="boolean"), [False, True], [1, 0]),
        (pd.Series(["b", "a"], dtype="string"), ["a", "b"], [1, 0]),
        (pd.Series(["b", "a"], dtype="category"), ["a", "b"], [1, 0]),
        (pd.Categorical([3, 1]), [1, 3], [1, 0]),
        (pd.Index([3, 1]), [1, 3], [1, 0]),
        (pl.Series(["b", "a"]), ["a", "b"], [1, 0]),
        (np.array([True, False], dtype=object), [False, True], [1, 0]),
        (np.array([2**60 + 1, 2**60], dtype=object), [2**60, 2**60 + 1], [1, 0]),
        (np.array([1, 0, 1], dtype=">i4"), [0, 1], [1, 0, 1]),
        (np.ma.masked_array([1, 0], [False, False]), [0, 1], [1, 0]),
        (["b", "a"], ["a", "b"], [1, 0]),
    ],
)
def test_one_dimensional_targets_of_every_container(y, classes, index):
    target = check_target(y)
    assert target.classes.tolist() == classes
    assert [type(c) for c in target.classes.tolist()] == [type(c) for c in classes]
    assert target.values.ravel().tolist() == index
    np.testing.assert_array_equal(encode_like(y, target), target.values)


@pytest.mark.parametrize(
    "y",
    [
        pd.DataFrame({"a": [1, 0, None]}, dtype=object),
        pd.DataFrame({"a": [1, 0, pd.NA]}, dtype=object),
        pd.DataFrame({"a": [True, False, None]}, dtype=object),
        pd.DataFrame({"a": [1, 0, pd.NA]}, dtype="Int64"),
        pl.DataFrame({"a": [1, 0, None]}),
        np.ma.masked_array([[1], [0], [1]], [[False], [False], [True]]),
        [[1], [0], [None]],
    ],
    ids=lambda y: type(y).__name__,
)
def test_missing_labels_of_every_library(y):
    target = check_target(y)
    assert target.kind == MULTILABEL
    assert target.values.tolist() == [[1], [0], [-1]]
    assert target.dtype.kind == "f"
    np.testing.assert_array_equal(encode_like(y, target), target.values)


def test_a_frame_of_sparse_columns_keeps_its_names():
    frame = pd.DataFrame.sparse.from_spmatrix(sp.csr_matrix(Y2), columns=list("ab"))
    target = check_target(frame)
    assert target.label_names.tolist() == ["a", "b"]
    np.testing.assert_array_equal(dense(target.values), Y2)
    np.testing.assert_array_equal(dense(encode_like(frame[["b", "a"]], target)), Y2)


@pytest.mark.parametrize(
    ("classes", "y", "message"),
    [
        (["a", "b"], [1, 0], r"classes \[0, 1\]"),
        ([0, 1], ["a", "b"], r"classes \['a', 'b'\]"),
        ([0, 1], [0, np.nan], "missing value"),
        (["a", "b"], ["a", None], "missing value"),
        ([0, 1], [[0, 1], [1, 1]], "has 2 columns, but a 1-D target"),
        ([0, 1], sp.csr_array([[0, 1], [1, 1]]), "has 2 columns, but a 1-D target"),
        ([0, 1, 2], [0, 3], r"classes \[3\]"),
    ],
)
def test_later_targets_that_do_not_fit(classes, y, message):
    with pytest.raises(ValueError, match=message):
        encode_like(y, check_target(classes))


@pytest.mark.parametrize("y", [{"a": 1, "b": 2}, {1, 2}, "ab", b"ab", 3])
def test_the_error_of_an_object_without_rows_names_it(y):
    with pytest.raises(TypeError, match=r"^y"):
        check_same_length(X=[1, 2], y=y)


# ------------------------------------------------------------------------------ weights


@given(ENTRIES, st.data())
def test_sparse_weights_are_their_dense_form(Y, data):
    values = st.sampled_from([0.0, 0.1, 1.0, 2.5])
    W = data.draw(arrays(np.float64, Y.shape, elements=values))
    assume(W.any())
    weight = check_weights(sp.csr_array(W - 1), *Y.shape)
    np.testing.assert_allclose(weight.toarray(), W)
    np.testing.assert_allclose((weight / 3.0).toarray(), W / 3.0)
    np.testing.assert_array_equal((weight / 3.0).toarray() == 0, W == 0)
    np.testing.assert_array_equal(weight.zeros().toarray(), W == 0)
    assert weight.max() == pytest.approx(W.max())
    expected = (W * (Y == 1)).sum(axis=0), (W * (Y == 0)).sum(axis=0)
    for w, factor in ((W, 1.0), (weight, 1.0), (weight / 3.0, 1 / 3)):
        for labels in (check_label_matrix(Y), check_label_matrix(sp.csr_array(Y))):
            for found, wanted in zip(count_labels(labels, w), expected):
                np.testing.assert_allclose(found, factor * wanted, atol=1e-12)
                np.testing.assert_array_equal(found == 0, wanted == 0)


def test_counts_of_sparse_labels_have_no_rounding_noise():
    rng = np.random.default_rng(0)
    for _ in range(50):
        Y = (rng.random((50, 4)) < [1, 0.9, 0.3, 0]).astype(float)
        Y[:, 1] = np.where(rng.random(50) < 0.1, np.nan, 1)
        w = rng.uniform(0.1, 3, 50)
        W = np.repeat(w[:, None], 4, axis=1)
        for weight in (w, check_weights(sp.csr_array(W - 1), 50, 4), W):
            positive, negative = count_labels(
                check_label_matrix(sp.csr_array(Y)), weight
            )
            assert negative[0] == negative[1] == positive[3] == 0
            np.testing.assert_allclose(positive, w @ (Y == 1), rtol=1e-12)
            np.testing.assert_allclose(negative, w @ (Y == 0), rtol=1e-12)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([[1, -1], [1, 1]], "not negative"),
        ([1, np.nan], "finite"),
        ([1, np.inf], "finite"),
        ([0, 0], "zero everywhere"),
        ([[0, 0], [0, 0]], "zero everywhere"),
        (sp.csr_array(-np.ones((2, 2))), "zero everywhere"),
        (sp.csr_array([[-1.5, 0], [0, 0]]), "not negative"),
        (sp.csr_array([[np.nan, 0], [0, 0]]), "finite"),
        ([1, 1, 1], r"shape \(3,\), expected \(2,\) or \(2, 2\)"),
        ([[1], [1]], "shape"),
        (["a", "b"], "numbers"),
        ([1j, 1], "numbers"),
        (np.array([1, None], dtype=object), "finite"),
        (pd.Series([1, pd.NA], dtype="Int64"), "finite"),
        (pd.DataFrame({"a": [1, 1], "c": [1, 1]}), r"lacks \['b'\]"),
    ],
)
def test_bad_weights(weight, message):
    with pytest.raises(ValueError, match="my_weight.*" + message):
        check_weights(weight, 2, 2, "my_weight", np.array(["a", "b"], dtype=object))


def test_weights_of_every_container():
    names = np.array(["a", "b"], dtype=object)
    expected = np.array([[1.0, 2], [0, 4]])
    frame = pd.DataFrame(expected, columns=["a", "b"])
    for weight in (
        expected.tolist(),
        expected.astype(int),
        expected.astype(object),
        frame,
        frame[["b", "a"]],
        pl.DataFrame({"b": [2, 4], "a": [1, 0]}),
        pd.DataFrame(expected),  # without names
        sp.coo_array(expected - 1),
        frame.astype("Float64"),
    ):
        found = check_weights(weight, 2, 2, label_names=names)
        found = found if isinstance(found, np.ndarray) else found.toarray()
        np.testing.assert_array_equal(found, expected)
    for weight in ([1, 3], pd.Series([1, 3]), pl.Series([1, 3]), np.int8([1, 3])):
        np.testing.assert_array_equal(check_weights(weight, 2), [1, 3])
    np.testing.assert_array_equal(check_weights(2, 2), [2, 2])


@pytest.mark.parametrize("value", [0, 4, 1.5, True, "2", None, np.nan, [2]])
def test_integers_out_of_range(value):
    with pytest.raises(
        ValueError, match=r"k=.* an integer of at least 1 and at most 3"
    ):
        check_integer("k", value, 1, 3)


@pytest.mark.parametrize("value", [2, 2.0, np.int64(2), np.float32(2)])
def test_integers_in_range(value):
    assert type(check_integer("k", value, 1, 3)) is int
    assert check_integer("k", value, 2) == 2


def test_a_number_or_one_number_for_each_label():
    np.testing.assert_array_equal(check_per_label("t", 0.5, 2), [0.5, 0.5])
    np.testing.assert_array_equal(check_per_label("t", [1, 2], 2), [1.0, 2.0])
    for value, message in (
        ([1, 2, 3], r"t has shape \(3,\), expected a number or \(2,\)"),
        ([1, np.nan], "t must be finite"),
        ("a", r"t=.* must be a number or an array of shape \(2,\)"),
        ("1", r"t=.* must be a number or an array of shape \(2,\)"),
        (True, r"t=.* must be a number or an array of shape \(2,\)"),
        ([[1], [1, 2]], r"t=.* must be a number or an array of shape \(2,\)"),
    ):
        with pytest.raises(ValueError, match=message):
            check_per_label("t", value, 2)
    named = check_per_label("t", {"b": 1, "a": 2}, 2, names=["a", "b"])
    with pytest.raises(ValueError, match=r"got inf for label 'a'\. Replace it\."):
        check_per_label(
            "t", [np.inf, 1], 2, names=["a", "b"], hint_outside=" Replace it."
        )
    with pytest.raises(ValueError, match="nan for label 2 and 7 more"):
        check_per_label("t", np.full(10, np.nan), 10)
    np.testing.assert_array_equal(named, [2.0, 1.0])


@pytest.mark.parametrize(
    ("closed", "interval"),
    [
        ("both", r"\[0, 1\]"),
        ("left", r"\[0, 1\)"),
        ("right", r"\(0, 1\]"),
        ("neither", r"\(0, 1\)"),
    ],
)
def test_numbers_of_an_interval(closed, interval):
    limits = {"low": 0, "high": 1, "closed": closed}
    np.testing.assert_array_equal(check_per_label("t", 0.5, 2, **limits), [0.5, 0.5])
    for value, is_end in ((0, "left"), (1, "right"), (-1, ""), (np.inf, "")):
        if is_end and closed in ("both", is_end):
            check_per_label("t", value, 2, **limits)
            check_interval("t", value, **limits)
            continue
        with pytest.raises(ValueError, match=f"t must lie in {interval}"):
            check_per_label("t", [0.5, value], 2, **limits)
        with pytest.raises(ValueError, match=f"must be a number in {interval}"):
            check_interval("t", value, **limits)


def test_a_repeated_name_of_a_weight_is_named():
    weights = pd.Series([1, 2, 3], index=["a", "b", "b"])
    with pytest.raises(ValueError, match="t has the name 'b' more than once"):
        align_weights(weights, ["a", "b"], "t")


@pytest.mark.parametrize(
    ("name", "options", "meant"),
    [
        ("F1", ["f1", "accuracy"], "f1"),
        ("f1_score", ["f1", "accuracy"], "f1"),
        ("Fraud", ["fraud", "ok"], "fraud"),
        ("BALANCED", ["balanced", "sqrt"], "balanced"),
        ("Dog", ["Dogs", "cat"], "Dogs"),
    ],
)
def test_the_nearest_spelling_ignores_case_and_endings(name, options, meant):
    assert closest(name, options) == f" Did you mean {meant!r}?"
    assert closest("zebra", options) == ""


@pytest.mark.parametrize("weights", [{"a": 1.0}, pd.Series({"a": 1.0, "b": 2.0})])
def test_weights_by_name_need_labels_with_names(weights):
    with pytest.raises(ValueError, match="the labels have no names"):
        align_weights(weights, None, "pos_weight")
    assert align_weights({1: 2.0, 0: 1.0}, None, "pos_weight").tolist() == [1, 2]


@pytest.mark.parametrize(
    "weights",
    [
        {30: 3.0, 10: 1.0, 20: 2.0},
        pd.Series({30: 3.0, 10: 1.0, 20: 2.0}),
        pd.DataFrame([[3.0, 1.0, 2.0]], columns=[30, 10, 20]),
        pd.DataFrame({"weight": [3.0, 1.0, 2.0]}, index=[30, 10, 20]),
    ],
)
def test_weights_find_labels_whose_names_are_numbers(weights):
    names = check_target(pd.DataFrame([[0, 1, 0], [1, 0, 1]], columns=[10, 20, 30]))
    found = align_weights(weights, names.label_names, "cost_fn")
    np.testing.assert_array_equal(found, [1, 2, 3])


@pytest.mark.parametrize(
    "weights",
    [
        {0: 3.0, 1: 1.0, 2: 2.0},
        pd.Series([3.0, 1.0, 2.0]),
        pd.DataFrame([[3.0, 1.0, 2.0]]),
        pd.DataFrame({"weight": [3.0, 1.0, 2.0]}),
    ],
)
def test_numbers_from_0_are_names_where_the_labels_have_them(weights):
    """As the columns of frames: of labels with other names they are an order."""
    names = check_target(pd.DataFrame([[0, 1, 0], [1, 0, 1]], columns=[2, 0, 1]))
    for known in (names.label_names, [2, 0, 1]):
        found = check_per_label("threshold", weights, 3, names=known)
        np.testing.assert_array_equal(found, [2, 3, 1])
    if not isinstance(weights, dict):
        found = check_per_label("threshold", weights, 3, names=["c", "a", "b"])
        np.testing.assert_array_equal(found, [3, 1, 2])


def test_label_frames_of_repeated_names_are_refused():
    frame = pd.DataFrame([[0, 1, 0], [1, 0, 1]], columns=["a", "a", "b"])
    for check in (check_target, check_label_matrix):
        with pytest.raises(ValueError, match="y_true has the column name 'a' more"):
            check(frame, "y_true")


@pytest.mark.parametrize("kind", ["bsr", "coo", "csc", "csr", "dia", "dok", "lil"])
@pytest.mark.parametrize("of", ["array", "matrix"])
def test_labels_and_lengths_of_every_sparse_container(kind, of):
    y = getattr(sp, f"{kind}_{of}")(np.array([[0, 1], [1, 1], [0, 0]]))
    check_same_length(X=y, y=[0, 1, 2])
    assert check_target(y).values.toarray().tolist() == [[0, 1], [1, 1], [0, 0]]


def test_masks_of_numbers_are_not_dropped():
    """In y a masked entry is a missing label; a masked number has no meaning."""
    Y = np.array([[1, 0], [0, 1], [1, 1]])
    masked = np.ma.masked_array([0.2, 0.9, 0.4], mask=[0, 1, 0])
    with pytest.raises(ValueError, match="sample_weight has masked entries"):
        compute_pos_weight(Y, sample_weight=masked)
    with pytest.raises(ValueError, match="y_score has masked entries"):
        plug_in_threshold(np.ma.masked_array(np.full((3, 2), 0.5), mask=Y))
    whole = np.ma.masked_array([1.0, 2.0, 1.0])
    np.testing.assert_array_equal(
        compute_pos_weight(Y, sample_weight=whole),
        compute_pos_weight(Y, sample_weight=[1.0, 2.0, 1.0]),
    )


def test_weights_by_name_from_a_row_of_polars():
    polars = pytest.importorskip("polars")
    given = polars.DataFrame({"z": [9.0], "x": [2.0], "y": [3.0]})
    found = check_per_label(
        "w", given, 3, names=np.array(["x", "y", "z"], dtype=object)
    )
    np.testing.assert_array_equal(found, [2.0, 3.0, 9.0])


@pytest.mark.parametrize("splits", [None, 3, [(1, 2)], [([0], [[1]])], [([0], [-1])]])
def test_splits_are_row_indices(splits):
    Y = [[1, 0], [0, 1], [1, 1]]
    for measure in (label_distribution_distance, empty_label_fold_count):
        with pytest.raises((TypeError, ValueError), match=r"^splits "):
            measure(Y, splits)
