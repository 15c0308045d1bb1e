"""The algorithms of the splitters, against brute force and on planted splits."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from skimbalance.model_selection._greedy import _counts_per_part, fill_parts
from skimbalance.model_selection._label_counts import (
    desired_counts,
    even_range,
    label_pairs,
    missing,
    positives,
    whole_sizes,
)
from skimbalance.model_selection._splitters import stratified_parts
from skimbalance.model_selection._swaps import tabu_search

seeds = st.integers(0, 2**32 - 1)


def random_labels(rng, n_samples, n_labels, density=0.2):
    return sp.csr_array(
        (rng.random_sample((n_samples, n_labels)) < density), dtype="i1"
    )


def counts_of(labels, part, n_parts):
    dense = labels.toarray().astype(int)
    return np.array([dense[part == j].sum(axis=0) for j in range(n_parts)]).T


def folds_of(labels, n_folds, rng=None, **options):
    sizes = np.full(n_folds, labels.shape[0] / n_folds)
    return stratified_parts(labels, sizes, rng, n_required=n_folds, **options)


# ------------------------------------------------------------------------------ columns


def test_positives_and_missing_of_every_form():
    codes = np.array([[1, 0, -1], [0, 0, 1], [-1, 0, 1]], dtype=np.int8)
    for values in (codes, sp.csr_array(codes)):
        np.testing.assert_array_equal(positives(values).toarray(), codes == 1)
        np.testing.assert_array_equal(
            missing(values).toarray(), (codes == -1)[:, [0, 2]]
        )
    classes = np.array([2, 0, 2])
    np.testing.assert_array_equal(
        positives(classes).toarray(), [[0, 0, 1], [1, 0, 0], [0, 0, 1]]
    )
    assert missing(classes).shape == (3, 0)


@given(seeds)
@settings(max_examples=30)
def test_label_pairs_are_the_products_of_columns(seed):
    rng = np.random.RandomState(seed)
    labels = random_labels(rng, rng.randint(1, 30), rng.randint(1, 8), 0.4)
    dense = labels.toarray().astype(int)
    columns = [
        dense[:, i] * dense[:, j]
        for i, j in itertools.combinations(range(dense.shape[1]), 2)
        if (dense[:, i] * dense[:, j]).sum() > 1
    ]
    expected = np.array(columns).T if columns else np.empty((len(dense), 0))
    np.testing.assert_array_equal(label_pairs(labels).toarray(), expected)


def test_too_many_pairs_raise_before_they_are_made():
    row = sp.csr_array(np.ones((1, 10_001), dtype=np.int8))
    with pytest.raises(ValueError, match=r"50,005,000 here.*limit of 50,000,000"):
        label_pairs(row)


# --------------------------------------------------------------------- desired counts


@given(seeds)
def test_desired_counts_add_up_and_leave_no_required_part_without(seed):
    rng = np.random.RandomState(seed)
    n_parts = rng.randint(2, 8)
    n_required = rng.randint(0, n_parts + 1)
    totals, sizes = rng.randint(0, 40, size=20), rng.randint(1, 30, size=n_parts)
    desired = desired_counts(totals, sizes, n_required)
    np.testing.assert_allclose(desired.sum(axis=1), totals, atol=1e-6)
    assert desired.min() >= -1e-9
    enough = totals >= n_required
    assert desired[enough, :n_required].min(initial=1) >= 1 - 1e-9
    np.testing.assert_allclose(
        desired[~enough], np.outer(totals, sizes / sizes.sum())[~enough]
    )


def test_even_range_allows_the_total():
    desired = np.array([[1.0, 1.0], [2.5, 2.5], [0.9, 0.1], [0.75, 2.25]])
    least, most = even_range(desired)
    np.testing.assert_array_equal(least, [[1, 1], [2, 2], [1, 0], [1, 2]])
    np.testing.assert_array_equal(most, [[1, 1], [3, 3], [1, 1], [1, 3]])


@given(st.integers(1, 500), st.integers(1, 12))
def test_whole_sizes_are_those_of_k_fold(n_samples, n_parts):
    sizes = whole_sizes(np.full(n_parts, n_samples / n_parts))
    expected = [len(part) for part in np.array_split(np.arange(n_samples), n_parts)]
    assert sizes.tolist() == expected


# ------------------------------------------------------------------------------- greedy


def one_by_one(demand, n_free, n_rows):
    """The paper's inner loop: each row to the part with the largest demand."""
    demand, n_free = demand.copy(), n_free.copy()
    for _ in range(n_rows):
        best = max(range(len(demand)), key=lambda j: (round(demand[j], 6), n_free[j]))
        demand[best] -= 1
        n_free[best] -= 1
    return demand


@given(seeds)
def test_a_label_placed_at_once_is_as_even_as_row_by_row(seed):
    rng = np.random.RandomState(seed)
    n_parts, n_rows = rng.randint(2, 8), rng.randint(0, 30)
    demand = rng.randint(-8, 30, size=n_parts) / 4
    n_free = rng.randint(0, 50, size=n_parts).astype(float)
    excess = (n_free.mean() - n_free).tolist()
    counts = np.array(_counts_per_part(demand.tolist(), excess, n_rows, rng))
    assert counts.sum() == n_rows
    assert counts.min() >= 0
    np.testing.assert_allclose(
        np.sort(demand - counts), np.sort(one_by_one(demand, n_free, n_rows))
    )


def test_fill_parts_leaves_none_empty():
    part = np.zeros(5, dtype=int)
    fill_parts(part, 3, np.array([9, 4, 1, 2, 7]))
    assert part.tolist() == [0, 0, 1, 2, 0]


def test_fill_parts_takes_from_the_parts_that_may_stay_empty():
    part = np.array([1, 2, 1, 2])
    fill_parts(part, 2, np.array([1, 5, 1, 4]))
    assert part.tolist() == [1, 2, 1, 0]


# --------------------------------------------------------------------------- refinement


def deviation(items, part, n_parts):
    counts = np.array([items[part == j].sum(axis=0) for j in range(n_parts)])
    return ((counts - items.sum(axis=0) / n_parts) ** 2).sum()


@pytest.mark.parametrize("seed", range(5))
def test_tabu_search_finds_the_best_of_all_ways(seed):
    rng = np.random.RandomState(seed)
    items = rng.randint(0, 3, size=(8, 5)).astype(float)
    start = np.arange(8) % 2
    ways = [
        np.isin(np.arange(8), chosen).astype(int)
        for chosen in itertools.combinations(range(8), 4)
    ]
    best = min(deviation(items, part, 2) for part in ways)
    counts = np.array([items[start == j].sum(axis=0) for j in range(2)])
    costs = items @ (counts - items.sum(axis=0) / 2).T
    found = tabu_search(costs, items @ items.T, start, rng)
    assert np.bincount(found).tolist() == [4, 4]
    assert deviation(items, found, 2) == pytest.approx(best)


@given(seeds)
@settings(max_examples=25)
def test_refinement_keeps_sizes_and_makes_counts_more_even(seed):
    rng = np.random.RandomState(seed)
    n_folds = rng.randint(2, 7)
    labels = random_labels(rng, rng.randint(n_folds, 150), rng.randint(1, 15))
    even = labels.sum(axis=0)[:, None] / n_folds
    least, most = np.floor(even), np.ceil(even)

    def lacking_and_excess(part):
        counts = counts_of(labels, part, n_folds)
        lacking = ((counts == 0) & (least > 0)) | ((counts > 1) & (most == 1))
        over, under = np.maximum(counts - most, 0), np.maximum(least - counts, 0)
        return lacking.sum(), (over + under).sum()

    greedy = folds_of(labels, n_folds, np.random.RandomState(0), refine=False)
    refined = folds_of(labels, n_folds, np.random.RandomState(0))
    expected = [len(p) for p in np.array_split(np.arange(labels.shape[0]), n_folds)]
    assert np.bincount(refined, minlength=n_folds).tolist() == expected
    if np.bincount(greedy, minlength=n_folds).tolist() == expected:
        assert lacking_and_excess(refined) <= lacking_and_excess(greedy)


def tiled(rng, n_folds, n_rows, n_labels):
    """A block of rows, once for each fold."""
    block = rng.random_sample((n_rows, n_labels)) < rng.choice([0.05, 0.2, 0.5])
    return np.tile(block, (n_folds, 1))


def counted(rng, n_folds, n_rows, n_labels, most=30):
    """Each label as often in each fold, in any of its rows."""
    planted = np.zeros((n_folds, n_rows, n_labels), dtype=bool)
    for label in range(n_labels):
        n_each = rng.randint(0, min(n_rows, most) + 1)
        for fold in planted:
            fold[rng.choice(n_rows, n_each, replace=False), label] = True
    return planted.reshape(-1, n_labels)


def rare(rng, n_folds, n_rows, n_labels):
    """Each label at most twice in each fold: hardly another split is perfect."""
    return counted(rng, n_folds, n_rows, n_labels, most=2)


@given(
    seeds, st.sampled_from([tiled, counted, rare]), st.integers(2, 10), st.booleans()
)
@settings(max_examples=120)
def test_every_fold_has_each_frequent_label_where_a_perfect_split_is_planted(
    seed, plant, n_folds, shuffled
):
    rng = np.random.RandomState(seed)
    planted = plant(rng, n_folds, rng.randint(2, 25), rng.randint(1, 13))
    labels = sp.csr_array(rng.permutation(planted), dtype=np.int8)
    part = folds_of(labels, n_folds, rng if shuffled else None)
    frequent = labels.sum(axis=0) >= n_folds
    assert counts_of(labels, part, n_folds)[frequent].min(initial=1) > 0
    assert np.ptp(np.bincount(part)) == 0


@pytest.mark.parametrize("name", ["yeast", "enron", "bibtex", "corel5k"])
def test_real_labels_end_within_one_where_the_greedy_ones_do_not(load, name):
    labels = sp.csr_array(load(name)["Y"], dtype=np.int8)
    totals = labels.sum(axis=0)
    error = {}
    for refine in (False, True):
        part = folds_of(labels, 10, np.random.RandomState(0), refine=refine)
        counts = counts_of(labels, part, 10)
        error[refine] = (np.abs(counts - (totals / 10)[:, None]) >= 1).sum()
    assert np.ptp(np.bincount(part)) <= 1
    assert error[True] <= 0.5 * error[False]


# ---------------------------------------------------------------------- size and memory


def rich_rows(seed, n_samples=1500, n_labels=1500):
    """Rows with very few and very many labels, most of them rare."""
    rng = np.random.RandomState(seed)
    richness = np.exp(1.2 * rng.normal(size=(n_samples, 1)))
    rate = np.minimum(1.2 * richness / (np.arange(n_labels) + 3), 0.9)
    return sp.csr_array((rng.random_sample(rate.shape) < rate).astype(np.int8))


@pytest.mark.parametrize("n_held", [100, 150, 151])
@pytest.mark.parametrize("seed", range(3))
def test_rare_labels_do_not_fill_a_small_part_with_rich_rows(n_held, seed):
    labels = rich_rows(seed)
    n_samples = labels.shape[0]
    sizes = n_samples - n_held, n_held
    totals = labels.sum(axis=0)
    frequent = labels[:, totals >= 50]
    in_small = [
        frequent[stratified_parts(labels, sizes, np.random.RandomState(i)) == 1].sum()
        for i in range(3)
    ]
    desired = frequent.sum() * n_held / n_samples
    assert np.mean(in_small) == pytest.approx(desired, rel=0.15)


def test_a_label_space_that_no_memory_holds_is_never_densified():
    import tracemalloc

    rng = np.random.RandomState(0)
    n_samples, n_labels, per_row = 30_000, 100_000, 8
    columns = np.minimum(rng.pareto(1.0, (n_samples, per_row)) * 50, n_labels - 1)
    row = np.repeat(np.arange(n_samples), per_row)
    entries = np.ones(row.size, dtype=np.int8), (row, columns.astype(int).ravel())
    labels = sp.csr_array(entries, shape=(n_samples, n_labels))
    labels.data[:] = 1
    tracemalloc.start()
    part = folds_of(labels, 5, rng, refine=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.bincount(part).min() > 5000
    # The desired counts alone, 100,000 labels in 5 folds, are 4 MB.
    assert peak < 100e6
