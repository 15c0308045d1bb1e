"""Label matrices and targets: every container means the same cells."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from skimbalance._base import unchanged_on_error
from skimbalance._validation import (
    BINARY,
    MULTICLASS,
    MULTILABEL,
    Target,
    check_label_counts,
    check_label_matrix,
    check_target,
    count_labels,
    encode_like,
    has_missing,
)

CELLS = arrays(
    np.float64,
    array_shapes(min_dims=2, max_dims=2, max_side=6),
    elements=st.sampled_from([0.0, 1.0, np.nan]),
)


def dense(labels):
    return labels.toarray() if sp.issparse(labels) else labels


def codes_by_hand(Y):
    return np.where(np.isnan(Y), -1, Y).astype(np.int8)


@given(CELLS)
def test_every_container_means_the_same_cells(Y):
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


def test_sparse_zeros_and_repeated_cells_are_resolved_on_a_copy():
    cells = np.array([1.0, 0.0, 0.5, 0.5])
    Y = sp.coo_array((cells, ([0, 0, 1, 1], [0, 1, 1, 1])), shape=(2, 2)).tocsr()
    stored = Y.data.copy()
    labels = check_label_matrix(Y)
    np.testing.assert_array_equal(labels.toarray(), [[1, 0], [0, 1]])
    assert labels.nnz == 2
    np.testing.assert_array_equal(Y.data, stored)


@given(CELLS, st.data())
def test_counts_leave_missing_cells_and_weightless_rows_out(Y, data):
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
