"""The data of a fit: what it counts, how it is split, and for whom it stands."""

import numpy as np
import pytest
import scipy.sparse as sp

from skimbalance._labels import check_target
from skimbalance.neural_network._rows import (
    FirstChunk,
    TrainingData,
    decode_labels,
    encode_rows,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = (RNG.random((60, 4)) < [0.3, 0.6, 0.1, 0.5]).astype(float)
Y[RNG.random(Y.shape) < 0.1] = np.nan
Y[7] = np.nan
WEIGHT = RNG.random(60) + 0.5
WEIGHT[:3] = 0


def encoded(y, weight=None, X=X, pos_label=None):
    return encode_rows(X, check_target(y, pos_label=pos_label), weight, None)


def counted(Y, weight):
    """The weighted positives and negatives of each label, one entry at a time."""
    counts = np.zeros((2, Y.shape[1]))
    for row, column in np.ndindex(Y.shape):
        if not np.isnan(Y[row, column]):
            counts[int(Y[row, column] == 0), column] += weight[row]
    return counts


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_counts_are_those_of_the_entries(container, weight):
    rows = encoded(container(Y), weight)
    expected = counted(Y, np.ones(60) if weight is None else weight)
    if weight is not None:  # scaled to mean 1 over the observed entries
        n_observed = (~np.isnan(Y[3:])).sum()
        expected *= n_observed / expected.sum()
    np.testing.assert_allclose(rows.counts, expected, rtol=1e-12)
    part = rows.at(rows.index[::3])
    kept = np.isin(np.arange(60), part.index)
    scale = 1 if weight is None else rows.weight[3] / weight[3]
    given = np.ones(60) if weight is None else weight * scale
    np.testing.assert_allclose(part.counts, counted(Y, given * kept), rtol=1e-12)


def test_counts_of_classes_are_rows_in_and_out_of_each():
    y = np.repeat(["a", "b", "c"], [30, 20, 10])
    inside, outside = encoded(y).counts
    np.testing.assert_array_equal(inside, [30, 20, 10])
    np.testing.assert_array_equal(outside, [30, 40, 50])


def test_a_split_takes_each_row_once_and_keeps_the_arrays():
    rows = encoded(Y, WEIGHT)
    data = TrainingData(rows)
    assert data.training is data.rows
    assert data.held_out is None
    assert not data.is_split
    data.split(0.25, np.random.RandomState(0))
    both = np.concatenate([data.training.index, data.held_out.index])
    np.testing.assert_array_equal(np.sort(both), rows.index)
    assert not {0, 1, 2, 7} & set(both)  # without a weight, or without a label
    assert len(data.held_out) == round(0.25 * len(rows))
    assert data.training.X is data.held_out.X is rows.X
    assert data.is_split
    assert data.population is rows
    parts = np.add(data.counts, data.held_out.counts)
    np.testing.assert_allclose(parts, data.all_counts, rtol=1e-12)


def test_groups_stay_together_in_a_split():
    groups = np.arange(60) // 5
    data = TrainingData(encoded(Y), groups=groups)
    data.split(0.25, np.random.RandomState(0))
    sides = [set(groups[part.index]) for part in (data.training, data.held_out)]
    assert sides[0].isdisjoint(sides[1])


def test_rows_that_the_user_holds_out_stand_for_themselves():
    rows, held_out = encoded(Y), encoded(Y[:20], X=X[:20].copy())
    data = TrainingData(rows, held_out)
    assert not data.is_split
    assert data.population is held_out
    assert data.counts is data.all_counts is rows.counts


def test_the_first_chunk_has_the_counts_that_it_is_given():
    rows = encoded(Y)
    assert FirstChunk(rows, None).counts is None
    counts = np.array([9.0, 8, 7, 6]), np.array([1.0, 2, 3, 4])
    data = FirstChunk(rows, counts)
    assert data.counts is data.all_counts is counts


@pytest.mark.parametrize(
    "y, pos_label",
    [
        (np.array(["no", "yes", "no", "no"]), None),
        (np.array(["no", "yes", "no", "no"]), "no"),
        (np.array([3, 1, 2, 1]), None),
        (np.array([[0, 1.0], [np.nan, 0], [1, 1], [0, 0]]), None),
    ],
)
def test_decoded_labels_are_those_that_were_encoded(y, pos_label):
    target = check_target(y, pos_label=pos_label)
    np.testing.assert_array_equal(decode_labels(target, target.values), y)


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_a_stored_nan_is_no_label(container):
    observed = np.arange(60) != 7
    expected = np.mean(np.nansum(Y[observed], axis=1) == 0)
    assert encoded(container(Y)).fraction_without_label() == pytest.approx(expected)
