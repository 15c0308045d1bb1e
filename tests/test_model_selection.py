"""The public splitters: valid splits, even labels, seeds, warnings and errors."""

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    StratifiedKFold,
    cross_validate,
    train_test_split,
)
from sklearn.utils.metadata_routing import get_routing_for_object

from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.metrics import (
    UndefinedLabelWarning,
    empty_label_fold_count,
    example_distribution_distance,
    label_distribution_distance,
    label_pair_distribution_distance,
)
from skimbalance.model_selection import (
    MultilabelStratifiedGroupKFold,
    MultilabelStratifiedKFold,
    MultilabelStratifiedShuffleSplit,
    RepeatedMultilabelStratifiedKFold,
    multilabel_train_test_split,
)

seeds = st.integers(0, 2**32 - 1)
SPLITTERS = [
    MultilabelStratifiedKFold(3),
    MultilabelStratifiedKFold(4, shuffle=True, random_state=0),
    MultilabelStratifiedGroupKFold(3),
    RepeatedMultilabelStratifiedKFold(n_splits=3, n_repeats=2, random_state=0),
    MultilabelStratifiedShuffleSplit(3, test_size=0.3, random_state=0),
]
each_splitter = pytest.mark.parametrize("cv", SPLITTERS, ids=repr)


def random_labels(seed, n_samples=60, n_labels=6, density=0.3):
    rng = np.random.RandomState(seed)
    return (rng.random_sample((n_samples, n_labels)) < density).astype(int)


def splits_of(cv, y, groups=None):
    """All splits as lists, without the warning about empty label-folds."""
    if isinstance(cv, MultilabelStratifiedGroupKFold) and groups is None:
        groups = np.arange(len(y) if not sp.issparse(y) else y.shape[0]) // 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedLabelWarning)
        return [
            (train.tolist(), test.tolist())
            for train, test in cv.split(np.zeros(y.shape[0]), y, groups)
        ]


# ------------------------------------------------------------------------- valid splits


@each_splitter
def test_splits_are_disjoint_and_as_many_as_get_n_splits(cv):
    Y = random_labels(0)
    splits = splits_of(cv, Y)
    assert len(splits) == cv.get_n_splits()
    for train, test in splits:
        assert sorted(train + test) == list(range(60))
        assert train
        assert test


@pytest.mark.parametrize("refine", [True, False])
@given(seed=seeds)
@settings(max_examples=40)
def test_every_row_is_tested_once(seed, refine):
    rng = np.random.RandomState(seed)
    k = rng.randint(2, 8)
    Y = random_labels(seed, rng.randint(k, 80), rng.randint(1, 8))
    tests = [
        test for _, test in splits_of(MultilabelStratifiedKFold(k, refine=refine), Y)
    ]
    assert sorted(itertools.chain(*tests)) == list(range(len(Y)))
    if refine:
        assert np.ptp([len(test) for test in tests]) <= 1


def test_repeats_are_different_partitions():
    Y = random_labels(1)
    cv = RepeatedMultilabelStratifiedKFold(n_splits=3, n_repeats=3, random_state=0)
    tests = [test for _, test in splits_of(cv, Y)]
    for start in (0, 3, 6):
        assert sorted(itertools.chain(*tests[start : start + 3])) == list(range(60))
    assert tests[0] != tests[3] != tests[6]


sizes = st.one_of(st.none(), st.floats(0.05, 0.6), st.integers(2, 20))


@given(seeds, sizes, sizes)
@settings(max_examples=60)
def test_sizes_are_those_of_scikit_learn(seed, test_size, train_size):
    Y = random_labels(seed, 41)
    asked = {"test_size": test_size, "train_size": train_size}
    try:
        expected = [len(part) for part in train_test_split(Y, **asked)]
    except ValueError:
        assume(False)
    parts = multilabel_train_test_split(Y, stratify=Y, random_state=0, **asked)
    assert [len(part) for part in parts] == expected
    if test_size is not None:
        cv = MultilabelStratifiedShuffleSplit(2, random_state=0, **asked)
        for train, test in splits_of(cv, Y):
            assert [len(train), len(test)] == expected
            assert not set(train) & set(test)


def test_shuffle_split_holds_out_a_tenth_by_default():
    ((train, test),) = splits_of(MultilabelStratifiedShuffleSplit(1), random_labels(0))
    assert (len(train), len(test)) == (54, 6)


# --------------------------------------------------------------- seeds, dtypes, formats


def forms(Y):
    yield Y
    yield from (Y.astype(dtype) for dtype in (bool, np.int8, np.float32, np.float64))
    yield from (make(Y) for make in (sp.csr_matrix, sp.csr_array, sp.csc_array))
    yield sp.coo_array(Y.astype(bool))
    yield pd.DataFrame(Y)
    unsorted = sp.csr_array(Y[:, ::-1])
    unsorted.indices = Y.shape[1] - 1 - unsorted.indices
    unsorted.has_sorted_indices = False
    yield unsorted
    with_zeros = sp.csr_array(np.ones_like(Y, dtype=float))
    with_zeros.data[:] = Y.ravel()
    yield with_zeros


@each_splitter
@pytest.mark.parametrize("order", [1, 2])
def test_the_form_of_y_does_not_matter(cv, order):
    Y = random_labels(3)
    twin = type(cv)(**{**_params(cv), "order": order})
    expected = splits_of(twin, Y)
    for form in forms(Y):
        assert splits_of(twin, form) == expected


def _params(cv):
    hidden = {"_default_test_size"}
    return {name: value for name, value in vars(cv).items() if name not in hidden}


@each_splitter
def test_a_seed_gives_the_same_splits(cv):
    Y = random_labels(4)
    assert splits_of(cv, Y) == splits_of(cv, Y)


def test_seeds_differ():
    Y = random_labels(5)
    for make in (
        lambda seed: MultilabelStratifiedKFold(3, shuffle=True, random_state=seed),
        lambda seed: MultilabelStratifiedGroupKFold(3, shuffle=True, random_state=seed),
        lambda seed: MultilabelStratifiedShuffleSplit(3, random_state=seed),
    ):
        assert splits_of(make(0), Y) != splits_of(make(1), Y)


def test_y_is_left_as_it_was():
    for form in forms(random_labels(6)):
        if sp.issparse(form) and form.format == "csr":
            before = form.data.copy(), form.indices.copy(), form.indptr.copy()
            splits_of(MultilabelStratifiedKFold(3), form)
            after = form.data, form.indices, form.indptr
            for one, other in zip(before, after, strict=True):
                np.testing.assert_array_equal(one, other)


class Untouchable:
    """Features of which only the number of rows may be read."""

    shape = (60, 10)

    def __len__(self):
        return 60

    def __getitem__(self, key):
        raise AssertionError("X was read")

    __array__ = __iter__ = __getitem__


@each_splitter
def test_features_are_never_read(cv):
    groups = np.arange(60) if isinstance(cv, MultilabelStratifiedGroupKFold) else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedLabelWarning)
        list(cv.split(Untouchable(), random_labels(0), groups))


# ------------------------------------------------------------------ one-dimensional `y`


@given(seeds)
@settings(max_examples=50)
def test_classes_are_distributed_as_evenly_as_scikit_learn_does(seed):
    rng = np.random.RandomState(seed)
    k, n_classes = rng.randint(2, 7), rng.randint(2, 6)
    y = rng.choice(n_classes, size=rng.randint(3 * k, 120), p=_skewed(n_classes))
    assume(np.bincount(y).max() >= k and len(np.unique(y)) > 1)

    def worst(cv):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            folds = [np.bincount(y[test], minlength=6) for _, test in cv.split(y, y)]
        return np.abs(np.array(folds) - np.bincount(y, minlength=6) / k).sum()

    ours = worst(MultilabelStratifiedKFold(k))
    assert ours <= worst(StratifiedKFold(k)) + 1e-9


def _skewed(n_classes):
    weights = 0.5 ** np.arange(n_classes)
    return weights / weights.sum()


@pytest.mark.parametrize("name", ["mc_yeast", "mc_page_blocks", "zen_oil"])
def test_real_classes_are_distributed_as_evenly_as_scikit_learn_does(load, name):
    y = load(name)["y"]
    counts = {}
    for cv in (MultilabelStratifiedKFold(10), StratifiedKFold(10)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            folds = [test for _, test in cv.split(y, y)]
        counts[type(cv)] = np.array([np.bincount(y[test]) for test in folds])
        assert np.ptp([len(test) for test in folds]) <= 1
    expected = np.bincount(y) / 10
    ours, theirs = (np.abs(count - expected).max() for count in counts.values())
    assert ours <= max(theirs, 1)


def test_strings_are_classes():
    y = np.array(["rare"] * 4 + ["frequent"] * 20)
    for _, test in MultilabelStratifiedKFold(4).split(y, y):
        assert (y[test] == "rare").sum() == 1
    table = MultilabelStratifiedKFold(4).report(y)
    assert table["label"].tolist() == ["frequent", "rare"]
    assert table["positives"].tolist() == [20, 4]


# ----------------------------------------------------- missing, empty and frequent ones


def test_missing_labels_are_distributed_too():
    rng = np.random.RandomState(0)
    Y = (rng.random_sample((400, 5)) < 0.3).astype(float)
    Y[rng.random_sample(Y.shape) < 0.4] = np.nan
    for form in (Y, sp.csr_array(Y), pd.DataFrame(Y)):
        for _, test in splits_of(MultilabelStratifiedKFold(5), form):
            n_missing = np.isnan(Y[test]).sum(axis=0)
            n_positive = np.nansum(Y[test], axis=0)
            assert np.abs(n_missing - np.isnan(Y).sum(axis=0) / 5).max() < 3
            assert np.abs(n_positive - np.nansum(Y, axis=0) / 5).max() < 1


def test_real_missing_labels_keep_their_observed_fraction(load):
    Y = load("tox21")["Y"].astype(float)
    Y[Y < 0] = np.nan
    ours = splits_of(MultilabelStratifiedKFold(5, shuffle=True, random_state=0), Y)
    blind = MultilabelStratifiedKFold(5, shuffle=True, random_state=0)
    blind = splits_of(blind, np.nan_to_num(Y))
    assert label_distribution_distance(Y, ours) < 0.5 * label_distribution_distance(
        Y, blind
    )


def test_labels_without_positives_and_rows_without_labels():
    Y = random_labels(0, density=0.1)
    Y[:, 2] = 0
    Y[::3] = 0
    with pytest.warns(UndefinedLabelWarning, match=r"have no positive at all") as seen:
        splits = list(MultilabelStratifiedKFold(3).split(Y, Y))
    assert len(seen) == 1
    assert [len(test) for _, test in splits] == [20, 20, 20]
    with pytest.warns(UndefinedLabelWarning, match="1 of 1 labels"):
        list(MultilabelStratifiedKFold(3).split(Y, np.zeros((60, 1))))


@pytest.mark.parametrize(
    "cv",
    [
        MultilabelStratifiedKFold(4),
        RepeatedMultilabelStratifiedKFold(n_splits=4, n_repeats=5, random_state=0),
        MultilabelStratifiedShuffleSplit(6, test_size=0.25, random_state=0),
    ],
    ids=repr,
)
def test_one_warning_counts_the_labels_without_a_positive(cv):
    Y = np.zeros((40, 5), dtype=int)
    Y[:20, 0] = Y[10:30, 1] = Y[:1, 2] = Y[5:6, 3] = 1
    message = r"^3 of 5 labels .* of which 1 have no positive at all"
    with pytest.warns(UndefinedLabelWarning, match=message) as seen:
        list(cv.split(Y, Y))
    assert len(seen) == 1
    assert seen[0].filename == __file__


def test_no_warning_where_every_part_has_a_positive():
    Y = random_labels(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for cv in SPLITTERS:
            groups = np.arange(60) // 2 if "Group" in repr(cv) else None
            list(cv.split(Y, Y, groups))


@each_splitter
def test_report_counts_what_split_gives(cv):
    Y = random_labels(1, density=0.06)
    frame = pd.DataFrame(Y, columns=[f"label {j}" for j in range(6)])
    groups = np.arange(60) // 2
    grouped = isinstance(cv, MultilabelStratifiedGroupKFold)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = cv.report(frame, groups) if grouped else cv.report(frame)
    assert table["label"].tolist() == list(frame.columns)
    assert table["positives"].tolist() == Y.sum(axis=0).tolist()
    counts = [Y[test].sum(axis=0) for _, test in splits_of(cv, Y)]
    for j, count in enumerate(counts):
        assert table[f"fold_{j}"].tolist() == count.tolist()
    assert table["folds_without"].tolist() == (np.array(counts) == 0).sum(0).tolist()
    names = ["label", "positives", *(f"fold_{j}" for j in range(len(counts)))]
    assert list(pd.DataFrame(table)) == [*names, "folds_without"]
    plain = cv.report(Y, groups) if grouped else cv.report(Y)
    assert plain["label"].tolist() == list(range(6))


# ------------------------------------------------------------ faults of other splitters


@pytest.mark.parametrize("name", ["yeast", "enron"])
def test_shuffling_keeps_the_stratification(load, name):
    Y = load(name)["Y"]
    splitters = (
        MultilabelStratifiedKFold(5),
        MultilabelStratifiedKFold(5, shuffle=True, random_state=0),
        MultilabelStratifiedKFold(5, shuffle=True, random_state=1),
        KFold(5, shuffle=True, random_state=0),
    )
    *ours, random = (
        label_distribution_distance(Y, splits_of(cv, Y)) for cv in splitters
    )
    assert max(ours) < 0.5 * random
    assert max(ours) < 1.5 * min(ours)


@given(seeds)
@settings(max_examples=60)
def test_a_rare_label_is_in_every_test_part_that_it_can_be_in(seed):
    rng = np.random.RandomState(seed)
    k, n_samples = rng.randint(2, 6), rng.randint(40, 200)
    Y = random_labels(seed, n_samples, 5)
    Y[:, 0] = 0
    Y[rng.choice(n_samples, k, replace=False), 0] = 1
    for _, test in splits_of(MultilabelStratifiedKFold(k), Y):
        assert Y[test, 0].sum() == 1
    Y[:, 1] = 0
    Y[rng.choice(n_samples, 2, replace=False), 1] = 1
    train, test = multilabel_train_test_split(Y, stratify=Y, random_state=seed)
    assert train[:, 1].sum() == test[:, 1].sum() == 1


def test_ignored_groups_warn():
    Y, groups = random_labels(0), np.arange(60) // 2
    for cv in SPLITTERS:
        if not isinstance(cv, MultilabelStratifiedGroupKFold):
            name = type(cv).__name__
            with pytest.warns(UserWarning, match=f"groups .* ignored by {name}"):
                list(cv.split(Y, Y, groups))


# ------------------------------------------------------------------------------- groups


def test_no_group_is_on_both_sides_in_200_random_cases():
    for seed in range(200):
        rng = np.random.RandomState(seed)
        n_groups = rng.randint(2, 11)
        groups = rng.randint(n_groups, size=rng.randint(20, 80)) * 7 - 3
        groups = groups.astype(str) if seed % 2 else groups
        n_groups = len(np.unique(groups))
        Y = random_labels(seed, len(groups), 4)
        k = rng.randint(2, n_groups + 1) if n_groups > 2 else 2
        shuffled = {"shuffle": True, "random_state": seed} if seed % 3 else {}
        cv = MultilabelStratifiedGroupKFold(k, refine=seed % 4 < 2, **shuffled)
        tests = []
        for train, test in splits_of(cv, Y, groups):
            assert test
            assert not set(groups[train]) & set(groups[test])
            tests += test
        assert sorted(tests) == list(range(len(Y)))
        train, test = multilabel_train_test_split(
            groups,
            stratify=Y,
            groups=groups,
            test_size=0.3,
            random_state=seed,
            refine=seed % 4 < 2,
        )
        assert len(train)
        assert len(test)
        assert not set(train) & set(test)


@pytest.mark.parametrize("name", ["yeast", "birds", "medical"])
def test_labels_are_more_even_than_group_k_fold_leaves_them(load, name):
    Y = load(name)["Y"]
    groups = np.random.RandomState(0).randint(60, size=Y.shape[0])
    ours = splits_of(MultilabelStratifiedGroupKFold(5), Y, groups)
    theirs = list(GroupKFold(5).split(groups, groups=groups))
    distance = label_distribution_distance
    assert distance(Y, ours) < 0.7 * distance(Y, theirs)
    assert example_distribution_distance(ours) < 0.02 * Y.shape[0]


def test_two_large_groups_still_make_two_sides():
    groups = np.repeat([0, 1], 50)
    train, test = multilabel_train_test_split(
        groups, stratify=random_labels(0, 100), groups=groups, test_size=0.1
    )
    assert {len(train), len(test)} == {50}


@pytest.mark.parametrize("test_size", [0.1, 0.3])
@pytest.mark.parametrize("refine", [True, False])
def test_no_group_is_left_out_where_it_fits_neither_size_better(refine, test_size):
    groups = np.repeat([0, 1, 2], [34, 34, 32])
    train, test = multilabel_train_test_split(
        groups,
        stratify=random_labels(0, 100),
        groups=groups,
        test_size=test_size,
        train_size=0.99 - test_size,
        refine=refine,
        random_state=0,
    )
    assert len(train) + len(test) == 100


def test_groups_reach_the_splitter_by_metadata_routing():
    X, Y = make_imbalanced_multilabel(60, 4, 3, random_state=0)
    groups = np.arange(60) // 3
    cv = MultilabelStratifiedGroupKFold(3)
    with config_context(enable_metadata_routing=True):
        request = get_routing_for_object(cv).split.requests
        assert request == {"groups": True}
        for other in SPLITTERS:
            if other is not cv and "Group" not in repr(other):
                assert not get_routing_for_object(other).split.requests
        dummy = DummyClassifier()
        result = cross_validate(
            dummy, X, Y, cv=cv, params={"groups": groups}, return_indices=True
        )
        search = GridSearchCV(dummy, {"strategy": ["prior", "uniform"]}, cv=cv)
        search.fit(X, Y, groups=groups)
    assert search.n_splits_ == 3
    for train, test in zip(*result["indices"].values(), strict=True):
        assert not set(groups[train]) & set(groups[test])


# ---------------------------------------------------------------------- whole data sets


@pytest.mark.parametrize("name", ["emotions", "yeast", "water_quality", "birds"])
def test_pairs_are_more_even_with_order_2(load, name):
    Y = load(name)["Y"]
    pair, label = {}, {}
    for order in (1, 2):
        splits = [
            splits_of(
                MultilabelStratifiedKFold(
                    5, shuffle=True, random_state=seed, order=order
                ),
                Y,
            )
            for seed in range(3)
        ]
        pair[order] = np.mean([label_pair_distribution_distance(Y, s) for s in splits])
        label[order] = np.mean([label_distribution_distance(Y, s) for s in splits])
    assert pair[2] < 0.8 * pair[1]
    assert label[2] < 1.2 * label[1]


@pytest.mark.parametrize(
    ("positives", "test_size"),
    [
        ((5,), 0.5),
        ((1,), 0.5),
        ((6,), 0.25),
        ((6, 2, 10, 14), 0.25),
        ((5, 15, 25), 0.1),
    ],
)
@pytest.mark.filterwarnings("ignore:.*without a positive")
def test_half_a_positive_goes_to_either_side(positives, test_size):
    rng = np.random.default_rng(0)
    Y = np.zeros((100, len(positives)), dtype=int)
    for k, n in enumerate(positives):
        Y[rng.permutation(100)[:n], k] = 1
    cv = MultilabelStratifiedShuffleSplit(60, test_size=test_size, random_state=0)
    counts = np.array([Y[test].sum(axis=0) for _, test in cv.split(Y, Y)])
    wanted = np.array(positives) * test_size
    halves = (wanted % 1 == 0.5) & ((wanted > 1) | (np.array(positives) == 1))
    assert halves.any()
    for low, column in zip(np.floor(wanted[halves]), counts[:, halves].T):
        assert set(column.tolist()) == {low, low + 1}
        # A fair coin lands within 16 of 30, four deviations, in all but 1 of 16,000.
        assert 14 <= (column == low).sum() <= 46


@pytest.mark.parametrize(
    ("n_classes", "n_each", "test_size"), [(3, 5, 0.5), (3, 10, 0.25), (5, 3, 0.5)]
)
@pytest.mark.parametrize(
    "as_labels", [False, pytest.param(True, marks=pytest.mark.slow)]
)
def test_each_class_is_as_often_the_smaller_one(
    n_classes, n_each, test_size, as_labels
):
    # All classes have the same quota, but the size of the test part forces some of
    # them to be rounded up and some down.
    y = np.repeat(np.arange(n_classes), n_each)
    given = np.eye(n_classes, dtype=int)[y] if as_labels else y
    cv = MultilabelStratifiedShuffleSplit(60, test_size=test_size, random_state=0)
    counts = [
        np.bincount(y[test], minlength=n_classes) for _, test in cv.split(y, given)
    ]
    lower = (counts == np.min(counts)).mean(axis=0)
    assert set(np.ravel(counts)) == {np.min(counts), np.min(counts) + 1}
    expected = lower.mean()
    assert np.abs(lower - expected).max() < 4 * np.sqrt(expected * (1 - expected) / 60)


@pytest.mark.parametrize("y", [[0, 0, 0, 0], ["a"] * 4, [[1], [1], [1], [1]]])
@pytest.mark.filterwarnings("ignore:.*without a positive")
def test_report_of_a_constant_target(y):
    table = MultilabelStratifiedKFold(2).report(y)
    assert len(table) == 1
    assert table["positives"].tolist() == [4]
    assert table["fold_0"].tolist() == table["fold_1"].tolist() == [2]


def test_frames_of_sparse_columns_are_split_like_dense_ones():
    Y = np.random.default_rng(0).integers(0, 2, size=(40, 3))
    frame = pd.DataFrame.sparse.from_spmatrix(sp.csr_matrix(Y), columns=list("abc"))
    cv = MultilabelStratifiedKFold(4, shuffle=True, random_state=0)
    for found, expected in zip(cv.split(frame, frame), cv.split(Y, Y)):
        np.testing.assert_array_equal(found[1], expected[1])
    assert cv.report(frame)["label"].tolist() == ["a", "b", "c"]


@pytest.mark.parametrize("name", ["cal500", "enron", "hmc_cellcycle_fun", "corel5k"])
def test_only_unavoidable_label_folds_are_empty(load, name):
    Y = load(name)["Y"]
    totals = np.asarray(Y.sum(axis=0)).ravel()
    least = np.maximum(10 - totals[totals > 0], 0).sum()
    cv = MultilabelStratifiedKFold(10, shuffle=True, random_state=0)
    assert empty_label_fold_count(Y, splits_of(cv, Y)) == least


def test_arrays_of_every_kind_are_split_at_the_same_rows():
    Y = random_labels(0)
    index = np.arange(60)
    arrays = [
        index,
        index.tolist(),
        sp.csr_array(np.diag(index)),
        sp.csc_matrix(np.diag(index)),
        pd.DataFrame({"a": index}, index=index[::-1]),
        pd.Series(index),
    ]
    parts = multilabel_train_test_split(*arrays, stratify=sp.csr_array(Y), test_size=9)
    assert len(parts) == 12
    train, test = parts[:2]
    assert [len(train), len(test)] == [51, 9]
    assert parts[2:4] == [train.tolist(), test.tolist()]
    for diagonal, rows in zip(parts[4:8], [train, test, train, test], strict=True):
        assert sp.issparse(diagonal)
        np.testing.assert_array_equal(diagonal.toarray().sum(axis=1), rows)
    np.testing.assert_array_equal(parts[8]["a"], train)
    np.testing.assert_array_equal(parts[11], test)


@each_splitter
def test_repr_is_written_as_scikit_learn_does(cv):
    text = repr(cv)
    names = [part.split("=")[0].strip() for part in text.split("(", 1)[1].split(",")]
    assert text.startswith(type(cv).__name__)
    assert names == sorted(names)
    assert repr(eval(text, globals())) == text


# ---------------------------------------------------------------------------- bad input


def split_once(**options):
    def call():
        y = options.pop("y", random_labels(0))
        cv = options.pop("cv", None) or MultilabelStratifiedKFold(3)
        X, groups = options.pop("X", np.zeros(60)), options.pop("groups", None)
        return next(iter(cv.split(X, y, groups)))

    return call


def halves(**options):
    Y = random_labels(0)
    return lambda: multilabel_train_test_split(Y, **{"stratify": Y, **options})


K, G, R, S = (
    MultilabelStratifiedKFold,
    MultilabelStratifiedGroupKFold,
    RepeatedMultilabelStratifiedKFold,
    MultilabelStratifiedShuffleSplit,
)
BAD = [
    (lambda: K(1), "k-fold cross-validation requires at least one train/test split"),
    (lambda: R(n_splits=1), "setting n_splits=2 or more, got n_splits=1"),
    (lambda: K(2.5), "number of folds must be of Integral type"),
    (lambda: R(n_repeats=0), "n_repeats=0 must be an integer of at least 1"),
    (lambda: S(0), "n_splits=0 must be an integer of at least 1"),
    (lambda: K(order=3), "order=3 is not known"),
    (lambda: K(random_state=0), "random_state has no effect since shuffle is False"),
    (
        split_once(cv=K(61)),
        "n_splits=61 greater than the number of samples: n_samples=60",
    ),
    (split_once(X=np.zeros(59)), "inconsistent numbers of samples: X: 59, y: 60"),
    (split_once(y=np.linspace(0, 1, 60)), "Supported target types.*Got 'continuous'"),
    (
        split_once(y=np.arange(120).reshape(60, 2)),
        "Got 'multiclass-multioutput' instead.*MultiOutputClassifier",
    ),
    (split_once(y=np.full((60, 2), 0.3)), "Got 'continuous-multioutput'"),
    (split_once(y=sp.csr_array(np.full((60, 2), 2))), "value 2"),
    (split_once(y=np.r_[np.nan, np.ones(59)]), "y contains NaN or infinity"),
    (split_once(y=None), "requires y to be passed"),
    (split_once(cv=G(3)), "The 'groups' parameter should not be None"),
    (split_once(cv=G(3), groups=np.arange(59)), "groups: 59"),
    (split_once(cv=G(3), groups=np.zeros((60, 1))), "shape .60, 1., but must have one"),
    (split_once(cv=G(3), groups=["a", None] * 30), "values that cannot be sorted"),
    (
        split_once(cv=G(3), groups=np.arange(60) % 2),
        "n_splits=3 .* number of groups: 2",
    ),
    (split_once(cv=S(test_size=1.5)), "test_size=1.5 should be .* in the \\(0, 1\\)"),
    (split_once(cv=S(test_size=60)), "test_size=60 should be"),
    (split_once(cv=S(test_size=50, train_size=20)), "70, should be smaller than"),
    (split_once(cv=S(), X=np.zeros(1), y=[[1]]), "train set will be empty"),
    (lambda: multilabel_train_test_split(stratify=[1]), "At least one array required"),
    (halves(test_size=0), "test_size=0 should be"),
    (halves(stratify=np.zeros((59, 2))), "array: 60, stratify: 59"),
    (halves(stratify=None), "requires stratify to be passed"),
    (halves(groups=np.zeros(60)), "n_groups=1 .* at least two groups"),
    (halves(groups=np.zeros(59)), "groups: 59"),
    (halves(groups=np.zeros((60, 2))), "shape .60, 2., but must have one"),
    (halves(order="second"), "order='second' is not known"),
]


@pytest.mark.parametrize(("call", "message"), BAD, ids=[message for _, message in BAD])
def test_bad_input_raises_a_clear_error(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_flags_must_be_bool():
    with pytest.raises(TypeError, match="shuffle must be True or False; got 0"):
        K(shuffle=0)
    with pytest.raises(TypeError, match="refine must be True or False; got 'no'"):
        S(refine="no")


# ------------------------------------------------------------------------- the measures


def odds(positive, observed):
    negative = observed - positive
    return positive / negative if negative else (np.inf if positive else 0.0)


def written_out(columns, tests):
    """The distance of the papers in loops; NaN is a missing entry."""
    distances = []
    for column in columns:
        observed = ~np.isnan(column)
        total, n = np.nansum(column), observed.sum()
        if 0 < total < n:
            whole = odds(total, n)
            distances += [
                abs(odds(np.nansum(column[test]), observed[test].sum()) - whole)
                for test in tests
            ]
    return np.mean(distances) if distances else 0.0


@given(seeds)
@settings(max_examples=60)
def test_measures_equal_the_formulas_of_the_papers(seed):
    rng = np.random.RandomState(seed)
    Y = random_labels(seed, rng.randint(6, 30), rng.randint(1, 6), 0.5).astype(float)
    if seed % 2:
        Y[rng.random_sample(Y.shape) < 0.2] = np.nan
    splits = list(KFold(3).split(Y))
    tests = [test for _, test in splits]
    pairs = [Y[:, i] * Y[:, j] for i, j in itertools.combinations(range(Y.shape[1]), 2)]
    empty = sum(
        int(np.nansum(Y[test, j]) == 0 and np.nansum(Y[:, j]) > 0)
        for test in tests
        for j in range(Y.shape[1])
    )
    lengths = np.array([len(test) for test in tests])
    for form in (Y, sp.csr_array(Y)):
        assert label_distribution_distance(form, splits) == pytest.approx(
            written_out(Y.T, tests)
        )
        assert label_pair_distribution_distance(form, splits) == pytest.approx(
            written_out(pairs, tests)
        )
        assert empty_label_fold_count(form, splits) == empty
    assert example_distribution_distance(splits) == pytest.approx(
        np.abs(lengths - lengths.mean()).mean()
    )


def test_measures_raise_on_what_is_no_split():
    Y = random_labels(0)
    with pytest.raises(ValueError, match="splits is empty"):
        label_distribution_distance(Y, [])
    with pytest.raises(ValueError, match=r"pairs \(train, test\)"):
        example_distribution_distance([[1, 2, 3]])
    with pytest.raises(ValueError, match="more than the 60 rows"):
        empty_label_fold_count(Y, [([0], [60])])
    with pytest.raises(ValueError, match="row indices, which are integers"):
        example_distribution_distance([([0], [1.5, 2.0])])
    with pytest.raises(ValueError, match="contains the value 3"):
        label_pair_distribution_distance(np.full((2, 2), 3), [([0], [1])])
