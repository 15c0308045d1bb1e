"""The parameter resampler: which rows it reads, what trains, and what stays real."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import torch
from imblearn.over_sampling import SMOTE, SMOTENC, RandomOverSampler
from imblearn.pipeline import Pipeline
from imblearn.under_sampling import RandomUnderSampler
from nets import small, small_problem
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import TensorDataset

from skimbalance._labels import check_target
from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.exceptions import ResamplingWarning
from skimbalance.losses import TwoWayLoss
from skimbalance.metrics import expected_observed_ratio, multilabel_log_loss
from skimbalance.neural_network import (
    ImbalancedMLPClassifier,
    ImbalancedNetClassifier,
    LabelAwareBatches,
    _base,
)
from skimbalance.neural_network._module import SetCriterion, sum_over_members
from skimbalance.neural_network._resampler import _joined, _resample_member
from skimbalance.neural_network._rows import encode_rows
from skimbalance.over_sampling import MLROS, MLSMOTE, MLSOL, REMEDIAL
from skimbalance.under_sampling import MLRUS, MLTL, MLUL, MLeNN

# MLROS warns where it stops before the fraction that it was asked for.
pytestmark = pytest.mark.filterwarnings(
    "ignore::skimbalance.exceptions.ResamplingWarning"
)


class Spy(BaseEstimator):
    """Append copies of random rows, and remember what was passed."""

    seen: list = []  # noqa: RUF012

    def __init__(self, n_copies=10, random_state=None):
        self.n_copies, self.random_state = n_copies, random_state

    def fit_resample(self, X, y):
        Spy.seen.append((X, y, self.random_state))
        rng = np.random.RandomState(self.random_state)
        chosen = rng.randint(X.shape[0], size=self.n_copies)
        self.sample_indices_ = np.append(np.arange(X.shape[0]), chosen)
        return X[self.sample_indices_], y[self.sample_indices_]


class Returning(BaseEstimator):
    """Return what a function makes of the rows."""

    def __init__(self, function=None):
        self.function = function

    def fit_resample(self, X, y):
        return self.function(X, y)


def raise_runtime_error(X, y):
    raise RuntimeError("no clusters")


def holding_out(**params):
    """Return a small net that holds rows out, as a resampler needs."""
    return small(early_stopping=True, **params)


def in_folds(**params):
    """Return five small nets, each without a fold of its own."""
    return small(**{"early_stopping": "auto", "cross_fit": True, **params})


@pytest.fixture(scope="module")
def problem():
    return small_problem()


@pytest.fixture
def seen():
    Spy.seen.clear()
    return Spy.seen


@pytest.fixture
def resampled(monkeypatch):
    """Return a list that gets the resampled rows of each fit."""
    kept, resample = [], _base.resample

    def spy(*args):
        kept.append(resample(*args))
        return kept[-1]

    monkeypatch.setattr(_base, "resample", spy)
    return kept


def numbered(X):
    """Return inputs whose first column is the number of the row."""
    return np.column_stack([np.arange(len(X)), X])


def rows_of(X):
    """Return which rows of `numbered` inputs these are."""
    return np.sort(X[:, 0].astype(int))


# ------------------------------------------------------------------- the rows it reads


def test_each_member_resamples_the_rows_outside_its_fold(problem, seen, resampled):
    X, labels = problem
    net = in_folds(resampler=Spy(n_copies=7)).fit(numbered(X), labels)
    fold = net._folds[1]
    assert len(seen) == 5
    for member, (given, y, _) in enumerate(seen):
        own = np.flatnonzero(fold != member)
        np.testing.assert_array_equal(rows_of(given), own)
        np.testing.assert_array_equal(y[np.argsort(given[:, 0])], labels[own])
        # The member trains on these rows and on copies of them, and on no other.
        rows = list(resampled[0].of_members())[member]
        assert len(rows) == len(own) + 7
        np.testing.assert_array_equal(np.unique(rows.index), own)


def test_a_held_out_part_never_reaches_it(problem, seen):
    X, labels = problem
    holding_out(resampler=Spy(), validation_fraction=0.2).fit(numbered(X), labels)
    ((given, _, _),) = seen
    assert len(given) == 240
    seen.clear()
    net = small(resampler=Spy(), early_stopping=True)
    net.fit(
        numbered(X)[:200], labels[:200], X_val=numbered(X)[200:], y_val=labels[200:]
    )
    ((given, _, _),) = seen
    np.testing.assert_array_equal(rows_of(given), np.arange(200))


def test_rows_without_weight_never_reach_it(problem, seen):
    X, labels = problem
    weight = np.ones(len(X))
    weight[::3] = 0
    holding_out(resampler=Spy()).fit(numbered(X), labels, sample_weight=weight)
    assert not np.isin(rows_of(seen[0][0]), np.flatnonzero(weight == 0)).any()


def test_all_scores_are_of_real_rows(problem):
    X, labels = problem
    net = in_folds(resampler=MLSMOTE()).fit(X, labels)
    assert net.out_of_fold_log_odds_.shape == labels.shape
    assert np.isfinite(net.out_of_fold_log_odds_).all()
    plain = in_folds().fit(X, labels)
    for name in ("center_", "scale_"):
        np.testing.assert_array_equal(
            getattr(net.scaler_, name), getattr(plain.scaler_, name)
        )
    np.testing.assert_array_equal(net.prior_, plain.prior_)


# ---------------------------------------------------------------------- how it is kept


def _rows(X, y, weight=None):
    return encode_rows(X, check_target(y), weight, None)


def test_copies_and_new_rows_are_told_apart():
    X, y = np.arange(8.0).reshape(4, 2), np.array([[1, 0], [0, 1], [1, 1], [0, 0]])
    rows = _rows(X, y)

    def function(X, y):
        new = (X[:1] + X[1:2]) / 2
        return np.vstack([X[[0, 1, 2, 3]], new]), np.vstack([y, [[1, 0]]])

    member = _resample_member(Returning(function), rows)
    np.testing.assert_array_equal(member.copied, [0, 1, 2, 3])
    np.testing.assert_array_equal(member.X, [[1, 2]])
    np.testing.assert_array_equal(member.values, [[1, 0]])
    # A row whose labels change is a new one, with its weight.
    splitting = REMEDIAL()
    member = _resample_member(splitting, rows.at(np.array([0, 0, 0, 1, 2])))
    assert set(member.sources) <= {2}
    assert len(member.copied) + len(member.sources) == len(splitting.sample_indices_)


def test_members_share_real_rows_and_keep_new_ones_to_themselves():
    X, y = np.arange(8.0).reshape(4, 2), np.array([[1, 0], [0, 1], [1, 1], [0, 0]])
    rows = _rows(X, y)

    def copies(numbers, new=0):
        def function(X, y):
            kept = np.array(numbers)
            extra = np.full((new, 2), 100.0)
            return np.vstack([X[kept], extra]), np.vstack([y[kept], y[:new]])

        sampler = Returning(function)
        sampler.sample_indices_ = np.append(numbers, np.full(new, 10))
        return sampler

    members = [
        _resample_member(copies([0, 0, 1]), rows),
        _resample_member(copies([0, 2], new=1), rows),
    ]
    result = _joined(rows, members)
    np.testing.assert_array_equal(result.rows.index, [0, 0, 1, 2, 4])
    np.testing.assert_array_equal(
        result.trains, [[1, 1], [1, 0], [1, 0], [0, 1], [0, 1]]
    )
    np.testing.assert_array_equal(result.rows.X[4], [100, 100])
    assert rows.X.shape[0] == 4
    sizes = [len(part) for part in result.of_members()]
    assert sizes == [3, 3]


@pytest.mark.parametrize("container", [np.asarray, sp.csr_matrix, sp.csc_array])
@pytest.mark.parametrize(
    "resampler", [MLROS(), MLSMOTE(), REMEDIAL(), MLRUS()], ids=str
)
def test_containers_do_not_matter(resampler, container, problem):
    X, labels = problem
    X = np.where(X > 0, X, 0)
    net = holding_out(resampler=resampler, standardize=False)
    dense = net.fit(X, labels).predict_proba(X)
    other = clone(net).fit(container(X), container(labels)).predict_proba(X)
    np.testing.assert_allclose(other, dense, rtol=1e-4, atol=1e-5)


def test_a_member_may_lose_all_positives_of_a_label(problem):
    X, labels = problem

    def without(X, y):
        kept = y[:, 0] == 0
        return X[kept], y[kept]

    net = in_folds(resampler=Returning(without)).fit(X, labels)
    assert np.isfinite(net.predict_proba(X)).all()
    mean = net.predict_proba(X)[:, 0].mean()
    assert mean == pytest.approx(labels[:, 0].mean(), abs=0.1)


# ------------------------------------------------------------------------ probabilities


@pytest.mark.parametrize("cross_fit", [True, False])
def test_probabilities_are_calibrated_on_untouched_rows(cross_fit):
    X, labels, posterior = make_imbalanced_multilabel(
        4000, 10, 6, imbalance_ratio=10, return_posterior=True, random_state=0
    )
    train, test = slice(1000), slice(1000, None)
    net = ImbalancedMLPClassifier(
        (16,),
        resampler=MLROS(sampling_strategy=0.5),
        cross_fit=cross_fit,
        validation_fraction=0.2,
        max_epochs=12,
        random_state=0,
    )
    proba = net.fit(X[train], labels[train]).predict_proba(X[test])
    assert net.probabilities_corrected_
    assert 0.93 < expected_observed_ratio(labels[test], proba) < 1.07
    assert 0.93 < proba.sum() / posterior[test].sum() < 1.07


def _classes(n_classes, n=900, seed=0):
    rng = np.random.default_rng(seed)
    p = [0.9, 0.1] if n_classes == 2 else [0.8, 0.15, 0.05]
    y = rng.choice(n_classes, n, p=p)
    return rng.normal(size=(n, 3)) + np.eye(3)[y], np.array(["no", "yes", "odd"])[y]


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(
    "resampler", [SMOTE(), RandomOverSampler(), RandomUnderSampler()], ids=str
)
def test_samplers_of_classes(resampler, n_classes):
    X, y = _classes(n_classes)
    net = ImbalancedMLPClassifier(
        (8,), resampler=resampler, max_epochs=6, random_state=0
    ).fit(X, y)
    fresh, truth = _classes(n_classes, seed=1)
    proba = net.predict_proba(fresh)
    observed = [(truth == name).mean() for name in net.classes_]
    np.testing.assert_allclose(proba.mean(axis=0), observed, atol=0.035)
    # The bias starts at the base rates of the resampled rows, which are equal.
    np.testing.assert_allclose(net._output.initial_bias(), 0, atol=1e-5)


def test_uncorrected_probabilities_are_those_of_the_resampled_rows():
    X, y = _classes(2)
    net = ImbalancedMLPClassifier(
        (), resampler=RandomOverSampler(), correct_probabilities=False, random_state=0
    ).fit(X, y)
    assert not net.probabilities_corrected_
    positive = list(net.classes_).index("yes")
    assert net.predict_proba(X)[:, positive].mean() > 0.3


# --------------------------------------------------------------------------- parameters


def test_same_seed_same_bits(problem, seen):
    X, labels = problem
    for make in (in_folds, holding_out):
        net = make(resampler=MLSMOTE())
        first = net.fit(X, labels).predict_proba(X)
        np.testing.assert_array_equal(net.fit(X, labels).predict_proba(X), first)
        other = clone(net).set_params(random_state=1).fit(X, labels)
        assert not np.array_equal(other.predict_proba(X), first)
    in_folds(resampler=Spy()).fit(X, labels)
    assert len({state for _, _, state in seen}) == 5
    states = [state for _, _, state in seen]
    seen.clear()
    in_folds(resampler=Spy()).fit(X, labels)
    assert [state for _, _, state in seen] == states


def test_random_state_of_the_resampler_comes_first(problem, seen):
    X, labels = problem
    resampler = Spy(random_state=3)
    holding_out(resampler=resampler).fit(X, labels)
    assert seen[0][2] == 3
    seen.clear()
    for seed in (0, 1):
        in_folds(resampler=resampler, random_state=seed).fit(X, labels)
    states = [state for _, _, state in seen]
    assert states[:5] == states[5:]
    assert len(set(states)) == 5
    assert resampler.random_state == 3
    assert not hasattr(resampler, "sample_indices_")


def test_it_is_searched_copied_and_stored(problem):
    X, labels = problem
    net = holding_out(resampler=MLSMOTE(), max_epochs=1)
    search = GridSearchCV(
        net,
        {"resampler__k_neighbors": [2, 4]},
        cv=2,
        scoring=lambda net, X, y: -multilabel_log_loss(y, net.predict_proba(X)),
        error_score="raise",
    ).fit(X, labels)
    assert search.best_estimator_.resampler.k_neighbors in (2, 4)
    assert net.get_params()["resampler__k_neighbors"] == 5
    stored = pickle.loads(pickle.dumps(search.best_estimator_))
    proba = search.predict_proba(X)
    np.testing.assert_array_equal(stored.predict_proba(X), proba)
    again = clone(search.best_estimator_).fit(X, labels)
    np.testing.assert_array_equal(again.predict_proba(X), proba)


def test_resumed_training_reads_the_same_rows(tmp_path, problem):
    X, labels = problem
    whole = in_folds(resampler=MLSMOTE(), max_epochs=4).fit(X, labels)
    first = in_folds(resampler=MLSMOTE(), max_epochs=2, checkpoint=tmp_path)
    first.fit(X, labels)
    resumed = clone(first).set_params(max_epochs=4, resume=True).fit(X, labels)
    np.testing.assert_array_equal(resumed.predict_proba(X), whole.predict_proba(X))
    other = clone(first).set_params(resampler__k_neighbors=2, resume=True)
    with pytest.raises(ValueError, match="resampler"):
        other.fit(X, labels)


def test_batches_are_drawn_from_the_resampled_rows_of_a_member(problem, resampled):
    X, labels = problem
    for sampler in ("label_aware", LabelAwareBatches(correct=True)):
        net = in_folds(resampler=MLSMOTE(), batch_sampler=sampler).fit(X, labels)
        assert np.isfinite(net.predict_proba(X)).all()
        assert net.effective_batch_size_ < net.net_.batch_size
    assert len(resampled[0].rows) > len(X)


def test_losses_of_whole_batches_read_own_rows_only(problem):
    X, labels = problem
    net = in_folds(resampler=MLSMOTE(), loss="two_way", max_epochs=1).fit(X, labels)
    assert np.isfinite(net.predict_proba(X)).all()


def test_weights_go_with_copies(problem, resampled):
    X, labels = problem
    weight = np.random.default_rng(0).random(len(X)) + 0.5
    each = np.tile(weight[:, None], labels.shape[1])
    each[:, 0] *= 2
    for given in (weight, each, sp.csr_matrix(each)):
        for resampler in (MLROS(), REMEDIAL()):
            net = in_folds(resampler=resampler, max_epochs=1, random_state=0)
            expected = net.fit(X, labels, sample_weight=given).predict_proba(X)
            assert np.isfinite(expected).all()
            net.fit(X, sp.csr_array(labels), sample_weight=given)
            np.testing.assert_allclose(net.predict_proba(X), expected, atol=1e-6)
    with pytest.raises(ValueError, match=r"MLSMOTE.*sample_weight.*such as MLROS"):
        in_folds(resampler=MLSMOTE()).fit(X, labels, sample_weight=weight)


def test_own_modules_and_rows_of_more_dimensions(problem):
    X, labels = problem

    def image(shape, n_outputs):
        return nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(shape)), n_outputs))

    def embedding(n_features, n_outputs):
        return nn.Sequential(
            nn.Embedding(50, 4), nn.Flatten(), nn.Linear(4 * n_features, n_outputs)
        )

    for build, inputs in (
        (image, X.reshape(-1, 2, 3)),
        (embedding, np.random.default_rng(0).integers(50, size=X.shape)),
    ):
        for cross_fit in (True, False):
            net = ImbalancedNetClassifier(
                build,
                resampler=MLSMOTE(),
                cross_fit=cross_fit,
                max_epochs=1,
                random_state=0,
            ).fit(inputs, labels)
            assert np.isfinite(net.predict_proba(inputs)).all()


def test_a_pipeline_of_resamplers(problem, resampled):
    steps = [("split", REMEDIAL()), ("none", "passthrough"), ("clone", MLROS())]
    for resampler in (REMEDIAL(), Pipeline(steps)):
        holding_out(resampler=resampler).fit(*problem)
    split, both = (len(each.trains) for each in resampled)
    assert split < both


# --------------------------------------------------------------------------- bad input

SCALED = Pipeline([("scale", StandardScaler()), ("clone", MLROS())])


@pytest.mark.parametrize(
    ("resampler", "error", "message"),
    [
        ("mlros", TypeError, "fit_resample"),
        (MLROS, TypeError, "fit_resample"),
        (MLROS(sampling_strategy=-1), ValueError, r"fails on \d+ training rows"),
        (SMOTE(), ValueError, "skimbalance.over_sampling"),
        (SCALED, ValueError, r"step StandardScaler\(\), which changes the rows"),
        (Pipeline([("inner", SCALED)]), ValueError, "Put the step before the net"),
        (Returning(lambda X, y: (X[:0], y[:0])), ValueError, "fails on"),
        (Returning(lambda X, y: (X[:5], y)), ValueError, "5 rows of X"),
        (Returning(lambda X, y: (X, y[:, :2])), ValueError, "has 2 labels"),
        (Returning(lambda X, y: (X[:, :1], y)), ValueError, "rows of 6 columns"),
        (Returning(lambda X, y: (X[:, 0], y)), ValueError, "rows of 6 columns"),
        (Returning(lambda X, y: (X * np.nan, y)), ValueError, "its X contains NaN"),
        (Returning(lambda X, y: (X * np.inf, y)), ValueError, "its X contains"),
        (Returning(lambda X, y: None), ValueError, r"non-iterable NoneType object\. "),
        (Returning(raise_runtime_error), ValueError, "fails on .* no clusters"),
    ],
)
def test_bad_resamplers_are_named(resampler, error, message, problem):
    with pytest.raises(error, match=message):
        holding_out(resampler=resampler).fit(*problem)


def test_a_generator_is_no_random_state(problem):
    resampler = MLSMOTE(random_state=np.random.default_rng(0))
    with pytest.raises(ValueError, match="cannot be used to seed"):
        in_folds(resampler=resampler).fit(*problem)


def test_indices_that_are_not_those_of_the_result(problem):
    resampler = Spy()
    resampler.fit_resample = lambda X, y: (X, y)
    resampler.sample_indices_ = np.arange(3)
    rows = _rows(*problem)
    with pytest.raises(ValueError, match=r"sample_indices_ have the shape \(3,\)"):
        _resample_member(resampler, rows)


def test_results_in_other_containers(problem):
    X, labels = problem
    plain = holding_out(resampler=Returning(lambda X, y: (X, y))).fit(X, labels)
    for function in (
        lambda X, y: (sp.coo_matrix(X), sp.coo_matrix(y)),
        lambda X, y: (pd.DataFrame(X).set_index(X[:, 0]), pd.DataFrame(y)),
    ):
        net = holding_out(resampler=Returning(function)).fit(X, labels)
        np.testing.assert_array_equal(net.predict_proba(X), plain.predict_proba(X))


def test_it_warns_once_for_all_members(problem):
    with pytest.warns(ResamplingWarning) as caught:
        in_folds(resampler=MLROS(), max_epochs=1).fit(*problem)
    (warning,) = caught
    assert "for 4 other members" in str(warning.message)
    with pytest.warns(ResamplingWarning) as caught:
        holding_out(resampler=MLROS(), max_epochs=1).fit(*problem)
    assert "other members" not in str(caught[0].message)


@pytest.fixture
def table(problem):
    """Return a data frame with a column of categories, and labels."""
    X, labels = problem
    names = np.random.default_rng(0).choice(list("uvwxyz"), len(X))
    return pd.DataFrame(X, columns=list("abcdef")).assign(name=names), labels


@pytest.mark.parametrize("given", ["auto", ["name"], [6]], ids=str)
def test_new_rows_have_categories_of_others(table, given, resampled):
    X, labels = table
    resampler = MLSMOTE(categorical_features=given)
    net = in_folds(resampler=resampler, max_epochs=1).fit(X, labels)
    rows = resampled[0].rows
    assert len(rows.X) > len(X)
    assert set(rows.X[:, 6]) == {1, 2, 3, 4, 5, 6}
    assert net.resampler.categorical_features == given
    resampler = SMOTENC(categorical_features=given)
    in_folds(resampler=resampler, max_epochs=1).fit(X, labels[:, 0])
    assert set(resampled[1].rows.X[:, 6]) == {1, 2, 3, 4, 5, 6}


@pytest.mark.parametrize("sampler", [MLSMOTE, MLSOL, MLeNN, MLTL, MLUL])
@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_frames_of_numbers_are_resampled_as_arrays(sampler, frame, problem):
    X, labels = problem
    names = list("abcdef")
    X_frame = frame(dict(zip(names, X.T, strict=True)))
    plain = holding_out(resampler=sampler(), max_epochs=1).fit(X, labels)
    net = holding_out(resampler=sampler(), max_epochs=1).fit(X_frame, labels)
    np.testing.assert_array_equal(net.predict_proba(X_frame), plain.predict_proba(X))


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_default_samplers_resample_frames_with_categories(frame, table, resampled):
    X, labels = table
    X = frame({name: X[name].to_numpy() for name in X.columns})
    for sampler in (MLSMOTE, MLSOL, MLeNN, MLTL, MLUL):
        holding_out(resampler=sampler(), max_epochs=1).fit(X, labels)
        assert set(resampled[-1].rows.X[:, 6]) <= set(range(7))


def test_a_series_of_names_and_an_empty_list_are_columns(table, resampled):
    X, labels = table
    names = pd.Series(["name"], dtype=object)
    resampler = MLSMOTE(categorical_features=names)
    holding_out(resampler=resampler, max_epochs=1).fit(X, labels)
    assert set(resampled[-1].rows.X[:, 6]) <= set(range(7))
    resampler = MLSMOTE(categorical_features=[])
    holding_out(resampler=resampler, max_epochs=1).fit(X[list("abcdef")], labels)


def test_values_between_categories_are_refused(table):
    X, labels = table
    for resampler, y in (
        (MLSMOTE(categorical_features=None), labels),
        (SMOTE(), labels[:, 0]),
    ):
        with pytest.raises(ValueError, match=r"columns \[6\].*SMOTENC"):
            holding_out(resampler=resampler).fit(X, y)
    holding_out(resampler=MLROS(), max_epochs=1).fit(X, labels)


def test_what_cannot_be_resampled(problem):
    X, labels = problem
    missing = labels.astype(float)
    missing[0, 0] = np.nan
    with pytest.raises(ValueError, match=r"missing labels.*Drop these rows"):
        holding_out(resampler=MLROS()).fit(X, missing)
    weight = np.ones(labels.shape)
    weight[0, 0] = 0
    with pytest.raises(ValueError, match="entries of weight 0"):
        holding_out(resampler=MLROS()).fit(X, labels, sample_weight=weight)
    dataset = TensorDataset(torch.as_tensor(X), torch.as_tensor(labels))
    with pytest.raises(ValueError, match="X is a Dataset"):
        holding_out(resampler=MLROS()).fit(dataset, labels)
    with pytest.raises(ValueError, match="RandomOverSampler"):
        holding_out(resampler=MLROS()).fit(X, labels[:, 0])
    net = holding_out(resampler=SMOTE(), class_weight="balanced")
    with pytest.raises(ValueError, match="class_weight"):
        net.fit(X, labels[:, 0])
    with pytest.raises(ValueError, match=r"held-out rows.*early_stopping=True"):
        small(resampler=MLROS()).fit(X, labels)
    with pytest.raises(ValueError, match="no exact inverse"):
        holding_out(resampler=MLROS(), correct_probabilities="exact").fit(X, labels)


def table_of_categories(has_missing):
    rng = np.random.default_rng(0)
    amount = rng.normal(size=300)
    if has_missing:
        amount[::7] = np.nan
    X = pd.DataFrame({"amount": amount, "color": rng.choice(list("rgb"), 300)})
    return X, (rng.random(300) < 0.2).astype(int)


@pytest.mark.parametrize("resampler", [MLSMOTE(), MLSOL(), SMOTENC("auto")])
def test_new_rows_have_categories(resampler, resampled):
    X, y = table_of_categories(has_missing=False)
    is_smote = isinstance(resampler, SMOTENC)
    Y = y if is_smote else np.column_stack([y, 1 - y, X["amount"] > 1]).astype(int)
    net = small(resampler=resampler, early_stopping=True).fit(X, Y)
    rows = resampled[-1].rows
    assert len(rows.X) > 300
    assert set(rows.X[:, 1]) <= {0, 1, 2, 3}
    assert np.isfinite(net.predict_proba(X)).all()


def test_a_copy_of_a_row_with_missing_values_is_a_copy(resampled):
    X, y = table_of_categories(has_missing=True)
    small(resampler=RandomOverSampler(), early_stopping=True).fit(X, y)
    assert len(resampled[-1].rows.X) == 300


def test_several_inputs_are_not_resampled():
    X = {"a": np.ones((40, 2)), "b": np.ones((40, 2))}
    net = ImbalancedNetClassifier(Multiplied, resampler=MLROS(), max_epochs=1)
    with pytest.raises(ValueError, match=r"MLROS\(\) reads X as one matrix, but X is"):
        net.fit(X, np.eye(2, dtype=int)[np.arange(40) % 2])


class Multiplied(nn.Module):
    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.output = nn.Linear(n_features["a"], n_outputs)

    def forward(self, a, b):
        return self.output(a * b)


def test_partial_fit_refuses_it(problem):
    X, labels = problem
    net = holding_out(resampler=MLROS())
    with pytest.raises(ValueError, match=r"resampler=MLROS.*resampler=None"):
        net.partial_fit(X, labels)
    with pytest.raises(ValueError, match="call fit"):
        net.fit(X, labels).partial_fit(X, labels)


def test_losses_of_whole_batches_leave_out_the_rows_of_others():
    torch.manual_seed(0)
    criterion = SetCriterion(TwoWayLoss())
    scores = torch.randn(6, 2, 3, dtype=torch.float64)
    labels = (torch.rand(6, 3) < 0.5).to(torch.int8)
    importance = torch.tensor([[1, 1], [2, 0], [0, 2], [1, 1], [0, 2], [1, 1]]).double()
    fold = torch.tensor([-1] * 6)  # synthetic rows are held out from no member
    total = sum_over_members(
        criterion, scores, labels, None, fold=fold, importance=importance
    )
    by_hand = 0
    for member, own in enumerate(([0, 1, 3, 5], [0, 2, 3, 4, 5])):
        value = criterion(scores[own, member], labels[own], None)
        by_hand += value * 6 / len(own)
    torch.testing.assert_close(total, by_hand)
