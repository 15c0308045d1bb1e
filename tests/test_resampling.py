"""The samplers of label matrices by hand, against reference figures, and in general."""

import unittest.mock
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from samplers import (
    DETERMINISTIC,
    SAMPLERS,
    SYNTHETIC,
    UNDER,
    make,
    make_data,
    resample,
)

from skimbalance import over_sampling
from skimbalance._neighbors import (
    Features,
    interpolate,
    most_frequent,
    nearest_rows,
    row_lengths,
)
from skimbalance._resampling import (
    Imbalance,
    LocalImbalance,
    adjusted_hamming,
    flip,
    n_resampled,
    rows_of_label_sets,
    spread,
)
from skimbalance.exceptions import ResamplingWarning
from skimbalance.metrics import mean_imbalance_ratio
from skimbalance.over_sampling import LPROS, MLROS, MLSMOTE, MLSOL, REMEDIAL
from skimbalance.under_sampling import LPRUS, MLRUS, MLTL, MLUL, MLeNN, _influence

seeds = st.integers(0, 2**32 - 1)
properties = settings.get_profile("properties")
TINY = ("tinyA", "tinyB")


def indicator(rows):
    return sp.csr_array(np.array(rows, dtype=np.int32))


def as_text(labels):
    return ["".join(map(str, row)) for row in np.asarray(labels)]


@pytest.fixture
def reference_data(resampling_reference, load):
    """Return a function from the name of a set to its figures, X and Y."""

    def read(name):
        figures = resampling_reference["sets"][name]
        if "data" in figures:
            Y = np.array([list(row) for row in figures["data"]["Y"]], dtype=int)
            return figures, np.array(figures["data"]["X"]), Y
        data = load(name)
        return figures, data["X"].astype(np.float64), data["Y"].toarray().astype(int)

    return read


# ------------------------------------------------------------------ parts of samplers


def test_spread_is_even_up_to_the_capacities():
    np.testing.assert_array_equal(spread(10, np.array([20, 1, 2])), [7, 1, 2])
    np.testing.assert_array_equal(spread(10, np.array([5, 5, 5])), [3, 3, 4])
    np.testing.assert_array_equal(spread(99, np.array([3, 0, 2])), [3, 0, 2])


def test_number_of_rows_of_a_fraction():
    assert n_resampled(0.29, 100) == 29  # .29 * 100 is below 29
    assert n_resampled(0.1, 645) == 64


def test_label_sets_with_the_empty_one():
    bags = rows_of_label_sets(indicator([[1, 0], [0, 0], [1, 0], [1, 1], [0, 0]]))
    assert [bag.tolist() for bag in bags] == [[0, 2], [1, 4], [3]]


def test_adjusted_hamming_distance():
    labels = indicator([[1, 1, 0], [1, 0, 1], [0, 0, 0], [0, 0, 0], [1, 1, 0]])
    distances = adjusted_hamming(
        labels, np.array([0, 2]), np.array([[1, 2, 4], [3, 0, 1]])
    )
    # 2 of 4, 2 of 2, 0 of 4; 0 of 0 is defined as 0, 2 of 2 twice.
    np.testing.assert_array_equal(distances, [[0.5, 1, 0], [0, 1, 1]])


def test_a_label_without_positives_is_neither_rare_nor_frequent():
    imbalance = Imbalance.of(indicator([[1, 1, 0], [1, 0, 0], [1, 0, 0]]))
    assert imbalance.mean == 2
    np.testing.assert_array_equal(imbalance.minority, [False, True, False])
    np.testing.assert_array_equal(imbalance.majority, [True, False, False])


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_a_ratio_of_the_mean_is_neither_rare_nor_frequent_in_any_order(order):
    # Ratios of 14/9, 1, 7/3 and 4/3, whose mean is 14/9.
    Y = np.repeat(np.eye(4, dtype=int), [18, 28, 12, 21], axis=0)[:, order]
    imbalance = Imbalance.of(indicator(Y))
    expected = [np.isin(order, labels) for labels in ([2], [1, 3])]
    np.testing.assert_array_equal(imbalance.minority, expected[0])
    np.testing.assert_array_equal(imbalance.majority, expected[1])
    # Clones of the rare label end at 18 rows, where its ratio is the mean.
    sampler = MLROS(sampling_strategy=5.0, random_state=0)
    with pytest.warns(ResamplingWarning):
        _, cloned = sampler.fit_resample(np.zeros((79, 1)), Y)
    assert len(cloned) == 79 + 6


def test_flipped_columns():
    labels = indicator([[1, 0, 1], [0, 0, 1], [1, 1, 0]])
    flipped = flip(labels, np.array([True, False, True]))
    np.testing.assert_array_equal(flipped.toarray(), [[0, 0, 0], [1, 0, 0], [0, 1, 1]])
    back = flip(flipped, np.array([True, False, True]))
    np.testing.assert_array_equal(back.toarray(), labels.toarray())


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_nearest_rows_break_ties_by_the_row(container):
    points = np.array([[0.0], [2], [1], [2], [2], [10]])
    expected = [[2, 1], [3, 4], [0, 1], [1, 4], [1, 3], [1, 3]]
    np.testing.assert_array_equal(nearest_rows(container(points), 2), expected)


def test_nearest_rows_of_a_tree_are_the_same(monkeypatch):
    points = make_data(n_samples=200)[0]
    expected = nearest_rows(points, 5)
    monkeypatch.setattr("skimbalance._neighbors._MOST_CHUNKED", 100)
    np.testing.assert_array_equal(nearest_rows(points, 5), expected)


def _nearest_by_formula(points, n_neighbors):
    """Return the nearest rows by squared differences in float64, added in order."""
    points = np.asarray(points, dtype=np.float64)
    squared = ((points[:, None] - points[None]) ** 2).cumsum(axis=2)[..., -1]
    np.fill_diagonal(squared, np.inf)
    return np.argsort(squared, axis=1, kind="stable")[:, :n_neighbors]


def _hard_points(kind, n_columns):
    """Return rows whose squared norms are far above their squared distances."""
    rng = np.random.RandomState(0)
    points = 300 * rng.normal(size=(200, n_columns))
    since_1970 = 1.7e9 * (np.arange(n_columns) == 0)
    if kind == "offset":
        return points + since_1970
    if kind == "offset or 0":
        return points + since_1970 * (rng.random_sample((200, 1)) < 0.5)
    if kind == "offset of tenths":
        return np.round(points / 300) / 10 + since_1970
    if kind == "integers":
        return np.round(points / 300) + since_1970
    if kind == "integers beside 2**60":
        return np.where(points > 300, 2.0**60, np.round(points / 300))
    if kind == "outliers":
        return np.where(points > 600, 1e12, points)
    return points[rng.randint(0, 20, 200)]


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("n_columns", [2, 20])
@pytest.mark.parametrize(
    "kind",
    [
        "offset",
        "offset or 0",
        "offset of tenths",
        "integers",
        "integers beside 2**60",
        "outliers",
        "duplicates",
    ],
)
def test_nearest_rows_are_those_of_the_formula(kind, n_columns, container):
    points = _hard_points(kind, n_columns)
    for n_neighbors in (1, 4):
        found = nearest_rows(container(points), n_neighbors)
        expected = _nearest_by_formula(points, n_neighbors)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("n_columns", [2, 20])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_common_scale_changes_no_neighbors(sign, dtype, n_columns, container):
    points = make_data(n_features=n_columns)[0].astype(dtype)
    expected = _nearest_by_formula(points, 3)
    scale = 2.0 ** (sign * {"float32": 80, "float64": 600}[dtype])
    scaled = (points.astype(np.float64) * scale).astype(dtype)
    np.testing.assert_array_equal(nearest_rows(container(scaled), 3), expected)


@pytest.mark.parametrize("n_columns", [2, 20])
@pytest.mark.parametrize("kind", ["offset", "offset or 0", "outliers"])
def test_nearest_rows_of_many_are_those_of_the_formula(kind, n_columns, monkeypatch):
    points = _hard_points(kind, n_columns)
    monkeypatch.setattr("skimbalance._neighbors._MOST_CHUNKED", 100)
    expected = _nearest_by_formula(points, 4)
    np.testing.assert_array_equal(nearest_rows(points, 4), expected)


def test_differences_of_the_largest_numbers_are_finite():
    points = np.array([[-1.7e308], [1.7e308], [1.6e308], [-1.5e308]])
    np.testing.assert_array_equal(nearest_rows(points, 1).ravel(), [3, 2, 1, 0])


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("scale", [1.0, 1e-300, 1e300])
def test_lengths_of_rows(container, scale):
    rows = np.array([[3.0, 4.0], [0.0, 0.0], [0.0, -2.0]]) * scale
    expected = np.array([5.0, 0.0, 2.0]) * scale
    np.testing.assert_allclose(row_lengths(container(rows)), expected, rtol=1e-14)


def test_most_frequent_value_and_of_two_the_nearer():
    codes = np.array([[0, 1], [0, 2], [1, 3], [1, 3]])
    rows = most_frequent(codes, np.array([[0, 2, 3], [1, 0, 2]]))
    np.testing.assert_array_equal(rows, [[2, 2], [1, 1]])
    assert codes[rows[0, 0], 0] == 1
    tie = most_frequent(codes, np.array([[1, 2]]))
    np.testing.assert_array_equal(tie, [[1, 1]])


def test_distances_of_nominal_values_are_those_of_label_frequencies():
    X = pd.DataFrame({"number": [0.0, 3, 0, 0], "word": ["a", "a", "b", "b"]})
    labels = indicator([[1, 0], [0, 0], [1, 1], [1, 0]])
    points = Features.read(X, "auto").points(labels)
    # P(1 | a) is (1/2, 0), P(1 | b) is (1, 1/2): both differ by 1/2 for both classes.
    squared = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    np.testing.assert_allclose(squared[0], [0, 9, 0.5, 0.5], atol=1e-12)
    np.testing.assert_allclose(squared[2], [0.5, 9.5, 0, 0], atol=1e-12)


def test_local_imbalance_by_hand():
    # Two neighbours each; the second label has three of four, so that 0 is rarer.
    labels = indicator([[1, 1], [1, 1], [0, 1], [0, 0]])
    neighbors = np.array([[1, 2], [0, 2], [0, 3], [1, 2]])
    local = LocalImbalance.of(labels, neighbors)
    np.testing.assert_array_equal(local.flipped, [False, True])
    np.testing.assert_array_equal(
        local.rarer.toarray(), [[1, 0], [1, 0], [0, 0], [0, 1]]
    )
    # Of the neighbours of rows 0 and 1 one lacks the label; row 3 is an outlier.
    np.testing.assert_array_equal(local.difficulty.data, [0.5, 0.5, 1])
    np.testing.assert_array_equal(local.scores().data, [0.5, 0.5, 0])
    # Row 0 is a neighbour of 1 and 2, of which only 1 scores; row 2 of 0, 1 and 3.
    np.testing.assert_allclose(_influence(local), [0.25, 0.25, -1 / 3, 0])


def test_local_imbalance_is_that_of_the_reference(reference_data):
    figures, _, labels = reference_data("tinyA")
    steps = figures["MLSOL_MLUL_k3"]["steps"]
    neighbors = np.array(steps["neighbours_positions_in_labelled_rows"]) - 1
    local = LocalImbalance.of(indicator(labels), neighbors)
    np.testing.assert_array_equal(local.flipped, np.array(steps["minority_value"]) == 0)
    entries = local.rarer.toarray() == 1
    np.testing.assert_allclose(local.difficulty.data, np.array(steps["C"])[entries])
    scores = np.maximum(steps["S_minus1_is_none"], 0)
    np.testing.assert_allclose(local.scores().toarray(), scores)
    np.testing.assert_allclose(local.scores().sum(axis=1), steps["w"])
    # mldr.resampling does not divide by the number of rows whose neighbour it is.
    n_reverse = np.bincount(neighbors.ravel(), minlength=len(labels))
    np.testing.assert_allclose(_influence(local) * n_reverse, steps["u"], atol=1e-12)


# -------------------------------------------------------------------- samplers by hand


def test_lpros_by_hand():
    X, Y = np.arange(8)[:, None], np.array([[1, 0]] * 5 + [[0, 1]] * 2 + [[1, 1]])
    # The mean size is 8/3: no rows are lacking but in the last set, which gets one.
    sampler = LPROS(sampling_strategy=0.125, random_state=0)
    X_new, Y_new = sampler.fit_resample(X, Y)
    np.testing.assert_array_equal(sampler.sample_indices_, [*range(8), 7])
    np.testing.assert_array_equal(X_new, X[sampler.sample_indices_])
    np.testing.assert_array_equal(Y_new[8], [1, 1])
    with pytest.warns(ResamplingWarning, match=r"1 rows instead of 4.* at most 0\.125"):
        X_new, _ = sampler.set_params(sampling_strategy=0.5).fit_resample(X, Y)
    assert len(X_new) == 9


def test_lprus_by_hand():
    X, Y = np.arange(9)[:, None], np.array([[1, 0]] * 6 + [[0, 1]] * 2 + [[0, 0]])
    sampler = LPRUS(sampling_strategy=0.3, random_state=0)  # 2 rows; the mean is 3
    sampler.fit_resample(X, Y)
    kept = sampler.sample_indices_
    assert len(kept) == 7
    assert set(kept) >= {6, 7, 8}
    with pytest.warns(ResamplingWarning, match=r"3 rows instead of 7.*most 0\.3333"):
        sampler.set_params(sampling_strategy=0.8).fit_resample(X, Y)


def test_mlros_by_hand():
    X, Y = np.arange(10)[:, None], np.array([[1, 0]] * 8 + [[1, 1]] + [[0, 1]])
    # Ratios 1 and 4.5, mean 2.75. A copy of row 8 gives 10/3, of row 9 gives 9/3.
    sampler = MLROS(sampling_strategy=0.1, random_state=0)
    sampler.fit_resample(X, Y)
    assert len(sampler.sample_indices_) == 11
    assert sampler.sample_indices_[10] in (8, 9)
    # After two copies the ratio is 11/4, 10/4 or 9/4: the label is left out.
    with pytest.warns(ResamplingWarning, match=r"2 rows instead of 5.*most 0\.2"):
        sampler.set_params(sampling_strategy=0.5).fit_resample(X, Y)


def test_mlros_draws_in_rounds():
    Y = np.array([[1, 0, 1, 1, 1]] * 20 + [[0, 1, 0, 0, 0]] * 2 + [[0, 0, 0, 0, 1]])
    Y[20, 4], Y[:18, 4] = 1, 0
    # Ratios 1, 10, 1, 1, 5, mean 3.6: rows of the second and the last label in turns.
    sampler = MLROS(sampling_strategy=0.13, random_state=0)  # two of 23 rows
    sampler.fit_resample(Y, Y)
    first, second = Y[sampler.sample_indices_[23:]]
    assert first[1] == 1
    assert second[4] == 1


@pytest.mark.parametrize("sampler", [MLROS, MLRUS])
def test_no_label_comes_last_where_a_round_does_not_reach_all(sampler):
    # The first half of the labels is rare, or frequent, and the second half as well.
    n_rare, n_samples = 20, 200
    Y = np.zeros((n_samples, n_rare + 1), dtype=int)
    Y[: 5 * n_rare, :n_rare] = np.repeat(np.eye(n_rare, dtype=int), 5, axis=0)
    Y[5 * n_rare :, n_rare] = 1
    if sampler is MLRUS:
        Y[:, n_rare] = 0
        Y[-1, n_rare] = 1
    changes = np.zeros(n_rare)
    for seed in range(20):  # five rows for 20 labels
        _, new = resample(sampler, Y, Y, sampling_strategy=0.025, random_state=seed)
        changes += np.abs(new.sum(axis=0) - Y.sum(axis=0))[:n_rare]
    assert changes.sum() == 100
    assert changes[: n_rare // 2].sum() > 25
    assert changes[n_rare // 2 :].sum() > 25


@pytest.mark.parametrize("sampler", [LPROS, LPRUS])
def test_chance_decides_which_of_equal_label_sets_change(sampler):
    # 64 sets, of which 32 have one row and 32 have nine: the mean is five.
    sizes = np.tile([1, 9], 32)
    sets = (np.arange(64)[:, None] >> np.arange(6)) & 1
    Y = np.repeat(sets, sizes, axis=0)
    changes = np.zeros(len(Y))
    for seed in range(20):  # nine rows of 32 sets
        fitted = make(sampler, sampling_strategy=0.03, random_state=seed)
        fitted.fit_resample(Y, Y)
        kept = np.bincount(fitted.sample_indices_, minlength=len(Y))
        changes += np.abs(kept - 1)
    of_set = np.add.reduceat(changes, np.cumsum(sizes) - sizes)
    assert of_set[:32].sum() + of_set[32:].sum() == 180
    assert of_set[:32].sum() > 50
    assert of_set[32:].sum() > 50


def test_mlrus_by_hand():
    X, Y = np.arange(10)[:, None], np.array([[1, 0]] * 8 + [[0, 1]] * 2)
    # Ratios 1 and 4, mean 2.5: the most frequent label is never at the mean, but all
    # its rows may go.
    sampler = MLRUS(sampling_strategy=0.3, random_state=0)
    _, Y_new = sampler.fit_resample(X, Y)
    np.testing.assert_array_equal(Y_new.sum(axis=0), [5, 2])
    with pytest.warns(ResamplingWarning, match="8 rows instead of 9"):
        sampler.set_params(sampling_strategy=0.9).fit_resample(X, Y)


def test_remedial_by_hand():
    X, Y = np.arange(4)[:, None], np.array([[1, 0], [1, 0], [1, 1], [0, 0]])
    sampler = REMEDIAL()
    X_new, Y_new = sampler.fit_resample(X, Y)
    np.testing.assert_array_equal(sampler.sample_indices_, [0, 1, 2, 3, 2])
    np.testing.assert_array_equal(X_new.ravel(), [0, 1, 2, 3, 2])
    np.testing.assert_array_equal(Y_new, [[1, 0], [1, 0], [0, 1], [0, 0], [1, 0]])


def test_mlsmote_by_hand():
    X = np.array([[0.0], [1], [2], [3], [5], [9], [10], [11], [14]])
    rare = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1])
    Y = np.column_stack([np.ones(9, int), rare, [0, 0, 0, 0, 0, 0, 1, 1, 0]])
    # Ratios 1, 9/4, 9/2; the mean is 2.58, so that only the last label is rare: its
    # two rows, 10 and 11, are seeds, with one neighbour each.
    with unittest.mock.patch.object(
        Features, "between", autospec=True, side_effect=Features.between
    ) as between:
        X_new, Y_new = MLSMOTE(k_neighbors=3, random_state=0).fit_resample(X, Y)
    np.testing.assert_array_equal(between.call_args.args[1], [6, 7])
    np.testing.assert_array_equal(between.call_args.args[2], [7, 6])
    np.testing.assert_array_equal(Y_new[9:], [[1, 1, 1], [1, 1, 1]])
    assert ((X_new[9:] >= 10) & (X_new[9:] <= 11)).all()


def test_mlsmote_combines_labels_by_hand():
    labels = indicator([[1, 1, 0], [1, 0, 0], [1, 0, 1], [1, 1, 0]])
    groups = np.array([[0, 1, 2, 3]])
    results = {"ranking": [1, 0, 0], "union": [1, 1, 1], "intersection": [1, 0, 0]}
    for how, expected in results.items():
        combined = MLSMOTE(label_combination=how)._combine(labels, groups)
        np.testing.assert_array_equal(combined.toarray()[0], expected)
    # Two of three are more than half.
    ranking = MLSMOTE()._combine(labels, np.array([[0, 1, 3]]))
    np.testing.assert_array_equal(ranking.toarray()[0], [1, 1, 0])


def test_mlsmote_copies_the_only_row_of_a_label():
    X, Y = make_data(frequencies=(0.5, 0.4))
    Y = np.column_stack([Y, np.arange(60) == 7])
    X_new, Y_new = resample(MLSMOTE, X, Y)
    np.testing.assert_array_equal(X_new[60:], X[[7]])
    np.testing.assert_array_equal(Y_new[60:], Y[[7]])


def test_mlsol_labels_by_hand():
    # Ten neighbours are not needed: the reach depends on the difficulty alone.
    rarer = indicator([[1, 1, 1, 1, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 0]])
    difficulty = sp.csr_array(rarer, dtype=float)
    # Safe, borderline, rare, outlier.
    difficulty.data = np.tile([0.2, 0.5, 0.8, 1.0], 2)
    nobody = sp.csr_array((3, 3), dtype=np.int32)
    local = LocalImbalance(rarer, np.zeros(5, bool), nobody, difficulty)
    seed = np.zeros(4, int)
    other, fraction = np.ones(4, int), np.array([0.0, 0.5, 0.6, 0.9])
    labels = over_sampling._labels_on_way(local, seed, other, fraction).toarray()
    expected = [[1, 1, 1, 0, 0], [1, 1, 1, 0, 0], [0, 1, 1, 0, 0], [0, 0, 1, 0, 0]]
    np.testing.assert_array_equal(labels, expected)
    # From the other end, at the same place.
    labels = over_sampling._labels_on_way(local, other, seed, 1 - fraction).toarray()
    np.testing.assert_array_equal(labels, expected)
    both = over_sampling._labels_on_way(local, seed, other + 1, fraction).toarray()
    np.testing.assert_array_equal(both, np.tile([1, 1, 1, 1, 0], (4, 1)))


def test_mlsol_turns_rare_entries_next_to_borderline_ones():
    rarer = indicator([[1], [1], [1], [1]])
    difficulty = sp.csr_array(rarer, dtype=float)
    difficulty.data = np.array([0.5, 0.8, 0.8, 1.0])
    # Row 1 has row 0 as a neighbour, row 2 has row 1, so that both turn; row 3 never.
    adjacency = indicator([[0, 0, 0, 1], [1, 0, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0]])
    local = LocalImbalance(rarer, np.zeros(1, bool), adjacency, difficulty)
    np.testing.assert_array_equal(
        over_sampling._reach(local).data, [0.75, 0.75, 0.75, -1e-5]
    )


def test_mlsol_draws_seeds_by_their_scores():
    X = np.array([[0.0], [1], [2], [10], [11], [12], [20], [21]])
    Y = np.array([[1, 0]] * 3 + [[0, 1]] + [[0, 0]] + [[0, 1]] + [[0, 0]] * 2)
    # With two neighbours, rows 0 to 2 agree and score 0; rows 3 and 5 have one unlike
    # neighbour, so that all seeds are among them.
    with unittest.mock.patch.object(
        Features, "between", autospec=True, side_effect=Features.between
    ) as between:
        MLSOL(k_neighbors=2, sampling_strategy=3.0, random_state=0).fit_resample(X, Y)
    assert set(between.call_args.args[1]) == {3, 5}
    assert set(between.call_args.args[2]) == {3, 4, 5}


def test_mlenn_by_hand():
    X = np.array([[0.0], [1], [2], [10], [11], [12.5], [20], [21.5]])
    Y = np.array([[1, 0], [1, 0], [1, 0], [1, 0], [0, 1], [0, 1], [1, 0], [0, 0]])
    # Row 3 has the neighbours 4 and 5, of the other label; row 6 has row 7, without
    # labels, and row 5; rows 4 and 5 have the rare label, row 7 has none.
    sampler = MLeNN(n_neighbors=2)
    sampler.fit_resample(X, Y)
    np.testing.assert_array_equal(sampler.sample_indices_, [0, 1, 2, 4, 5, 7])


def test_mltl_by_hand():
    X = np.array([[0.0], [1], [3], [10], [11], [13], [14], [30], [31]])
    Y = np.array([[1, 0, 0]] * 9)
    Y[4] = [0, 1, 0]
    Y[5:7] = [1, 1, 0]
    Y[7:] = [[1, 0, 0], [0, 0, 0]]
    # Nearest neighbours of each other: (0, 1), (3, 4), (5, 6), (7, 8). The labels of
    # (3, 4) and (7, 8) differ; 4 has the rare label, 8 none. 2 is linked to nobody.
    sampler = MLTL()
    sampler.fit_resample(X, Y)
    np.testing.assert_array_equal(sampler.sample_indices_, [0, 1, 2, 4, 5, 6, 8])


def test_mltl_removes_both_rows_of_a_link_of_frequent_labels():
    X = np.array([[0.0], [1], [10], [12], [20], [22], [30]])
    Y = np.array([[1, 0, 0], [0, 1, 0], *[[1, 1, 0]] * 4, [0, 0, 1]])
    sampler = MLTL()
    sampler.fit_resample(X, Y)
    np.testing.assert_array_equal(sampler.sample_indices_, [2, 3, 4, 5, 6])


def test_mlul_by_hand():
    X = np.array([[0.0], [1], [2], [10], [11], [12], [20], [21]])
    Y = np.array([[1, 0]] * 3 + [[0, 1]] + [[0, 0]] + [[0, 1]] + [[0, 0]] * 2)
    # Rows 3 and 5 score 1/2 and are neighbours of each other, of 4 and of 6 or 7;
    # row 4 makes both harder, so that its value is the least, 0: it always goes.
    for seed in range(20):
        sampler = MLUL(sampling_strategy=0.125, n_neighbors=2, random_state=seed)
        sampler.fit_resample(X, Y)
        np.testing.assert_array_equal(sampler.sample_indices_, [0, 1, 2, 3, 5, 6, 7])


# ------------------------------------------------------------------- reference figures


@pytest.mark.parametrize("name", [*TINY, "emotions", "birds", "yeast"])
def test_mlsmote_has_the_labels_of_the_reference(reference_data, name):
    figures, X, Y = reference_data(name)
    expected = figures["MLSMOTE_k3_labels"]["corrected"]["labels"]
    _, Y_new = MLSMOTE(k_neighbors=3, random_state=0).fit_resample(X, Y)
    assert as_text(Y_new[len(Y) :]) == expected


@pytest.mark.parametrize("name", [*TINY, "emotions", "birds"])
def test_mlenn_removes_the_rows_of_the_reference(reference_data, name):
    figures, X, Y = reference_data(name)
    n_compared = 0
    for entry, found in figures["deterministic"].items():
        if not entry.startswith("MLeNN"):
            continue
        expected = found["marked_by_the_loop_neighbours_1_to_k"]
        k, threshold = entry.removeprefix("MLeNN_k").split("_TH")
        sampler = MLeNN(n_neighbors=int(k), threshold=float(threshold))
        if not expected["rows_without_minority_label"]:
            with pytest.warns(ResamplingWarning, match="unchanged"):
                sampler.fit_resample(X, Y)
        else:
            sampler.fit_resample(X, Y)
        removed = np.setdiff1d(np.arange(len(X)), sampler.sample_indices_) + 1
        assert removed.tolist() == expected["rows_without_minority_label"]
        n_compared += 1
    assert n_compared == 7


@pytest.mark.parametrize("name", [*TINY, "emotions", "birds"])
def test_remedial_has_the_rows_of_the_reference(reference_data, name):
    figures, X, Y = reference_data(name)
    expected = figures["deterministic"]["REMEDIAL"]
    sampler = REMEDIAL()
    X_new, Y_new = sampler.fit_resample(X, Y)
    split = np.array(expected["split_rows"]) - 1
    np.testing.assert_array_equal(sampler.sample_indices_[len(Y) :], split)
    halves = expected["split_labels_without_majority"]
    assert as_text(Y_new[split]) == halves
    assert as_text(Y_new[len(Y) :]) == expected["split_labels_without_minority"]
    unsplit = np.setdiff1d(np.arange(len(Y)), split)
    np.testing.assert_array_equal(Y_new[unsplit], Y[unsplit])
    np.testing.assert_array_equal(X_new, X[sampler.sample_indices_])
    assert len(Y_new) == expected["stats"]["rows"]


NAMES = (*TINY, "emotions", "birds", "yeast", "medical", "enron")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("percent", [10, 25])
@pytest.mark.parametrize("sampler", [LPROS, LPRUS, MLROS, MLRUS])
def test_random_samplers_change_as_many_rows_as_the_papers_say(
    reference_data, name, percent, sampler
):
    _, X, Y = reference_data(name)
    sign = 1 if sampler in (LPROS, MLROS) else -1
    _, Y_new = resample(sampler, X, Y, sampling_strategy=percent / 100)
    most = int(percent * len(Y) / 100)
    changed = sign * (len(Y_new) - len(Y))
    if sampler in (LPROS, LPRUS):
        sizes = np.unique(Y, axis=0, return_counts=True)[1]
        room = np.floor(sign * (sizes.mean() - sizes)).clip(0).sum()
        assert changed == min(most, room)
    elif sampler is MLRUS:
        assert changed == most
    else:
        # All but the tiny sets have enough rare labels, or copies, to reach it.
        assert 0 < changed <= most
        left = Imbalance.of(sp.csr_array(Y))
        if changed < most:
            ratios = Y_new.sum(axis=0).max() / Y_new.sum(axis=0)
            # A label that has reached the mean may leave it again by others' copies.
            assert (ratios[left.minority] <= left.mean).any()


# How far the means may be apart: the clones of mldr.resampling go beyond the mean size
# of a label set and the mean ratio of a label, and its MLRUS removes too few rows.
TOLERANCES = {LPROS: 0.05, LPRUS: 0.05, MLROS: 0.1, MLRUS: 0.1}


@pytest.mark.parametrize("name", ["emotions", "yeast"])
@pytest.mark.parametrize("sampler", TOLERANCES)
def test_mean_imbalance_ratio_is_near_the_reference(reference_data, name, sampler):
    figures, X, Y = reference_data(name)
    expected = figures["random"][f"{sampler.__name__}_P10"]["stats"]["meanIR"]
    ratios = [
        mean_imbalance_ratio(
            resample(sampler, X, Y, sampling_strategy=0.1, random_state=seed)[1]
        )
        for seed in range(20)
    ]
    assert np.mean(ratios) == pytest.approx(expected["mean"], rel=TOLERANCES[sampler])


# -------------------------------------------------------------------------- invariants


@st.composite
def problems(draw):
    """Draw X with repeated values or without, and labels, some of them without rows."""
    rng = np.random.RandomState(draw(seeds))
    n_samples, n_labels = draw(st.integers(8, 40)), draw(st.integers(2, 5))
    X = rng.normal(size=(n_samples, 3))
    if draw(st.booleans()):
        X = np.round(X)
    density = rng.choice([0.0, 0.05, 0.2, 0.5, 0.8], n_labels)
    return X, (rng.random_sample((n_samples, n_labels)) < density).astype(int)


@pytest.mark.parametrize("sampler", UNDER)
@given(problem=problems(), seed=seeds)
@properties
def test_no_row_is_invented_by_an_under_sampler(sampler, problem, seed):
    X, Y = problem
    fitted = make(sampler, random_state=seed, n_neighbors=2, sampling_strategy=0.4)
    with unittest.mock.patch("skimbalance._resampling.warn_user"):
        X_new, Y_new = fitted.fit_resample(X, Y)
    rows = fitted.sample_indices_
    assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(X_new, X[rows])
    np.testing.assert_array_equal(Y_new, Y[rows])
    assert len(X) - len(rows) <= len(X) * 0.4 or sampler in (MLeNN, MLTL)
    if sampler in (MLeNN, MLTL):
        rare = Imbalance.of(sp.csr_array(Y)).minority
        removed = np.setdiff1d(np.arange(len(X)), rows)
        assert not Y[removed][:, rare].any()
        assert Y[removed].any(axis=1).all()


@pytest.mark.parametrize("sampler", [LPROS, MLROS])
@given(problem=problems(), seed=seeds)
@properties
def test_clones_are_rows_of_rare_labels_or_sets(sampler, problem, seed):
    X, Y = problem
    fitted = make(sampler, random_state=seed, sampling_strategy=0.4)
    with unittest.mock.patch("skimbalance._resampling.warn_user"):
        X_new, Y_new = fitted.fit_resample(X, Y)
    rows = fitted.sample_indices_
    np.testing.assert_array_equal(rows[: len(X)], np.arange(len(X)))
    np.testing.assert_array_equal(X_new, X[rows])
    np.testing.assert_array_equal(Y_new, Y[rows])
    assert len(rows) - len(X) <= 0.4 * len(X)
    clones = Y[rows[len(X) :]]
    if sampler is MLROS:
        assert clones[:, Imbalance.of(sp.csr_array(Y)).minority].any(axis=1).all()
        return
    sizes = np.unique(Y_new, axis=0, return_counts=True)[1]
    before = np.unique(Y, axis=0, return_counts=True)[1]
    grown = sizes > before
    assert (sizes[grown] <= before.mean()).all()


@given(problem=problems())
@properties
def test_remedial_keeps_the_counts_and_splits_rows_in_two(problem):
    X, Y = problem
    sampler = REMEDIAL()
    with unittest.mock.patch("skimbalance._resampling.warn_user"):
        _, Y_new = sampler.fit_resample(X, Y)
    np.testing.assert_array_equal(Y_new.sum(axis=0), Y.sum(axis=0))
    together = np.zeros_like(Y)
    np.add.at(together, sampler.sample_indices_, Y_new)
    np.testing.assert_array_equal(together, Y)


@pytest.mark.parametrize("sampler", SYNTHETIC)
@given(problem=problems(), seed=seeds)
@properties
def test_synthetic_rows_lie_in_the_box_of_a_seed_and_its_partner(
    sampler, problem, seed
):
    X, Y = problem
    fitted = make(sampler, random_state=seed, k_neighbors=3)
    with (
        unittest.mock.patch("skimbalance._resampling.warn_user"),
        unittest.mock.patch.object(
            Features, "between", autospec=True, side_effect=Features.between
        ) as between,
    ):
        X_new, Y_new = fitted.fit_resample(X, Y)
    np.testing.assert_array_equal(X_new[: len(X)], X)
    np.testing.assert_array_equal(Y_new[: len(X)], Y)
    if not between.called:
        assert len(X_new) == len(X)
        return
    new, labels = X_new[len(X) :], Y_new[len(X) :]
    first, second = between.call_args.args[1:3]
    low, high = np.minimum(X[first], X[second]), np.maximum(X[first], X[second])
    assert ((new >= low) & (new <= high)).all()
    rare = Imbalance.of(sp.csr_array(Y)).minority
    if sampler is MLSMOTE:
        shared = Y[first] * Y[second]
        assert shared[:, rare].any(axis=1).all()
        assert labels[:, rare].any(axis=1).all()
        assert len(new) == Y[:, rare].sum()
    else:
        assert len(new) == int(0.3 * len(X))
        np.testing.assert_array_equal(
            labels[Y[first] == Y[second]], Y[first][Y[first] == Y[second]]
        )


@given(problem=problems())
@properties
def test_label_combinations_of_mlsmote_contain_each_other(problem):
    X, Y = problem
    union, ranking, intersection = (
        resample(MLSMOTE, X, Y, label_combination=how)[1]
        for how in ("union", "ranking", "intersection")
    )
    assert (intersection <= ranking).all()
    assert (ranking <= union).all()


@pytest.mark.parametrize("sampler", SAMPLERS)
@given(problem=problems(), seed=seeds)
@properties
def test_results_depend_on_the_seed_and_not_on_the_container(sampler, problem, seed):
    X, Y = problem
    X = np.round(X)  # sums of whole numbers are exact, so that ties are ties
    params = {"random_state": seed, "k_neighbors": 3, "n_neighbors": 3}
    before = X.copy(), Y.copy()
    X_new, Y_new = resample(sampler, X, Y, **params)
    again = resample(sampler, np.asfortranarray(X), np.asfortranarray(Y), **params)
    sparse = resample(sampler, sp.csr_array(X), sp.csr_array(Y), **params)
    for other in (again, [part.toarray() for part in sparse]):
        np.testing.assert_array_equal(other[0], X_new)
        np.testing.assert_array_equal(other[1], Y_new)
    np.testing.assert_array_equal(X, before[0])
    np.testing.assert_array_equal(Y, before[1])


@pytest.mark.parametrize("sampler", [MLSMOTE, MLSOL, MLeNN, MLTL, MLUL])
@given(problem=problems(), seed=seeds)
@properties
def test_an_offset_and_a_common_scale_do_not_matter(sampler, problem, seed):
    X, Y = problem
    X = np.round(X * 2**20) / 2**20  # so that an offset rounds nothing
    params = {"random_state": seed, "k_neighbors": 3, "n_neighbors": 3}
    X_new, Y_new = resample(sampler, X, Y, **params)
    offset = 2.0**31 * (np.arange(X.shape[1]) == 0)
    X_offset, Y_offset = resample(sampler, X + offset, Y, **params)
    np.testing.assert_array_equal(Y_offset, Y_new)
    # New rows are rounded where the offset is large: 2 ** 31 has steps of 5e-7.
    np.testing.assert_allclose(X_offset - offset, X_new, rtol=0, atol=5e-7)
    for scale in (2.0**600, 2.0**-600):
        X_scaled, Y_scaled = resample(sampler, X * scale, Y, **params)
        np.testing.assert_array_equal(Y_scaled, Y_new)
        np.testing.assert_array_equal(X_scaled / scale, X_new)
    single = X.astype(np.float32)
    X_new, Y_new = resample(sampler, single, Y, **params)
    for exponent in (-80, 80):
        scaled = np.ldexp(single, exponent)
        X_scaled, Y_scaled = resample(sampler, scaled, Y, **params)
        X_sparse, Y_sparse = resample(sampler, sp.csr_array(scaled), Y, **params)
        np.testing.assert_array_equal(Y_scaled, Y_new)
        np.testing.assert_array_equal(Y_sparse, Y_new)
        np.testing.assert_array_equal(np.ldexp(X_scaled, -exponent), X_new)
        np.testing.assert_array_equal(X_sparse.toarray(), X_scaled)


@pytest.mark.parametrize("sampler", [*DETERMINISTIC, MLSMOTE])
@given(seed=seeds)
@properties
def test_order_of_the_rows_does_not_matter(sampler, seed):
    X, Y = make_data(seed % 1000)
    order = np.random.RandomState(seed).permutation(len(X))
    rows = [
        sorted(as_text(Y_new) if sampler is MLSMOTE else np.c_[X_new, Y_new].tolist())
        for X_new, Y_new in (
            resample(sampler, X, Y),
            resample(sampler, X[order], Y[order]),
        )
    ]
    assert rows[0] == rows[1]


@given(seed=seeds, scale=st.sampled_from([1.0, 1e-300, 1e300, 1e16]))
@properties
def test_interpolation_stays_in_the_box_and_is_the_same_when_sparse(seed, scale):
    rng = np.random.RandomState(seed)
    first, second = scale * rng.normal(size=(2, 20, 3)) * rng.randint(0, 2, (2, 20, 3))
    dense = interpolate(first, second, np.random.RandomState(seed))
    sparse = interpolate(
        sp.csr_array(first), sp.csr_array(second), np.random.RandomState(seed)
    )
    np.testing.assert_array_equal(sparse.toarray(), dense)
    assert (dense >= np.minimum(first, second)).all()
    assert (dense <= np.maximum(first, second)).all()
