"""The estimators as their users meet them."""

import copy
import io
import json
import pickle
import subprocess
import sys
import warnings

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import torch
from scipy.special import logit
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning
from sklearn.metrics import (
    average_precision_score,
    f1_score,
    get_scorer,
    roc_auc_score,
)
from sklearn.preprocessing import StandardScaler
from sklearn.utils import compute_sample_weight
from skorch.callbacks import Callback, EarlyStopping, LRScheduler
from torch import nn

from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.losses import FocalLoss, LogLoss, PointwiseLoss, SoftmaxLogLoss
from skimbalance.metrics import UndefinedLabelWarning, probability_ratio
from skimbalance.model_selection import multilabel_train_test_split
from skimbalance.neural_network import ImbalancedMLPClassifier, ImbalancedNetClassifier
from skimbalance.weights import PosWeightTransformer, compute_pos_weight


def small(**params):
    """A net that trains in a blink, on all its rows."""
    defaults = {
        "hidden_layer_sizes": (16,),
        "max_epochs": 3,
        "early_stopping": False,
        "random_state": 0,
    }
    return ImbalancedMLPClassifier(**{**defaults, **params})


def linear(n_features, n_outputs, bias=True):
    return nn.Linear(n_features, n_outputs, bias=bias)


@pytest.fixture(scope="module")
def problem():
    X, Y = make_imbalanced_multilabel(
        300, 6, 4, cardinality=1.2, imbalance_ratio=4, random_state=0
    )
    return X.astype(np.float64), Y.astype(np.int64)


# ------------------------------------------------------------------ scikit-learn's
# checks


def test_single_precision_changes_sample_weight_equivalence_little(problem):
    X, Y = problem[0][:40], problem[1][:40]
    times = np.random.default_rng(0).integers(0, 4, size=40)
    net = ImbalancedMLPClassifier(precision="32", max_epochs=20, random_state=0)
    weighted = net.fit(X, Y, sample_weight=times).decision_function(X)
    repeated = clone(net).fit(np.repeat(X, times, axis=0), np.repeat(Y, times, axis=0))
    np.testing.assert_allclose(weighted, repeated.decision_function(X), atol=1e-3)


# ----------------------------------------------------------------------- kinds of
# target


@pytest.mark.parametrize("n_labels", [1, 2, 3, 1000])
@pytest.mark.parametrize("x_kind", [np.asarray, sp.csr_array, sp.csc_matrix])
@pytest.mark.parametrize("y_kind", [np.asarray, sp.csr_array, sp.coo_matrix])
def test_label_matrices_of_every_size_and_container(n_labels, x_kind, y_kind):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 5)) * (rng.random((60, 5)) < 0.7)
    Y = (rng.random((60, n_labels)) < 0.3).astype(np.int32)
    Y[0], Y[1] = 1, 0
    net = small().fit(x_kind(X), y_kind(Y))
    assert net.predict_proba(x_kind(X)).shape == (60, n_labels)
    assert net.decision_function(x_kind(X)).shape == (60, n_labels)
    assert net.n_labels_ == n_labels
    np.testing.assert_array_equal(net.classes_, np.tile([0, 1], (n_labels, 1)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        decided = net.predict(x_kind(X))
        assert 0 <= net.score(x_kind(X), y_kind(Y)) <= 1
    assert decided.shape == (60, n_labels)
    assert decided.dtype == np.int32
    assert sp.issparse(decided) == (y_kind is not np.asarray)
    if sp.issparse(decided):
        assert isinstance(decided, sp.spmatrix) == issubclass(y_kind, sp.spmatrix)
        assert decided.format == "csr"


def test_dense_and_sparse_give_the_same_net(problem):
    X, Y = problem
    X = X * (np.abs(X) > 0.5)
    reference = small(standardize=False).fit(X, Y).decision_function(X)
    for x, y in ((sp.csr_array(X), Y), (X, sp.csr_array(Y)), (X, sp.csc_array(Y))):
        net = small(standardize=False).fit(x, y)
        np.testing.assert_allclose(net.decision_function(x), reference, atol=1e-10)
        np.testing.assert_allclose(net.decision_function(X), reference, atol=1e-10)


def test_dense_training_then_sparse_prediction_are_centred_alike(problem):
    X, Y = problem
    net = small().fit(X, Y)
    np.testing.assert_allclose(
        net.predict_proba(sp.csr_array(X)), net.predict_proba(X), atol=1e-10
    )


def test_binary_target():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    y = np.where(X[:, 0] + 0.3 * rng.normal(size=200) > 0.8, "rare", "common")
    net = small(max_epochs=100, lr=0.02).fit(X, y)
    np.testing.assert_array_equal(net.classes_, ["common", "rare"])
    proba = net.predict_proba(X)
    assert proba.shape == (200, 2)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    np.testing.assert_allclose(net.decision_function(X), logit(proba[:, 1]), atol=1e-6)
    np.testing.assert_array_equal(net.predict(X), net.classes_[(proba[:, 1] > 0.5) * 1])
    assert net.score(X, y) > 0.85
    cautious = clone(net).set_params(threshold=0.9).fit(X, y)
    np.testing.assert_array_equal(
        cautious.predict(X) == "rare", cautious.predict_proba(X)[:, 1] > 0.9
    )


def test_multiclass_target():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(240, 4))
    y = np.digitize(X[:, 0], [-1, 0, 1.2]) * 10
    net = small(max_epochs=100, lr=0.02).fit(X, y)
    np.testing.assert_array_equal(net.classes_, [0, 10, 20, 30])
    proba = net.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    np.testing.assert_allclose(np.exp(net.decision_function(X)), proba)
    np.testing.assert_array_equal(net.predict(X), net.classes_[proba.argmax(axis=1)])
    assert net.score(X, y) > 0.8
    focal = small(loss="focal", max_epochs=5).fit(X, y)
    assert type(focal.loss_).__name__ == "SoftmaxFocalLoss"


def test_one_class_gives_probabilities_of_one():
    X = np.random.default_rng(0).normal(size=(20, 3))
    with pytest.warns(UndefinedLabelWarning):
        net = small().fit(X, np.full(20, 7))
    np.testing.assert_array_equal(net.predict_proba(X), np.ones((20, 1)))
    np.testing.assert_array_equal(net.predict(X), np.full(20, 7))


def test_column_of_labels_and_column_of_classes():
    X = np.random.default_rng(0).normal(size=(30, 3))
    column = (X[:, :1] > 0).astype(float)
    column[0] = np.nan
    net = small().fit(X, column)
    assert net.predict_proba(X).shape == (30, 1)
    with pytest.warns(DataConversionWarning):
        net = small().fit(X, np.arange(30).reshape(-1, 1) % 3)
    assert net.predict(X).shape == (30,)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.int64, np.float32])
def test_decisions_keep_the_dtype(problem, dtype):
    X, Y = problem
    for y in (Y.astype(dtype), sp.csr_array(Y.astype(dtype)), Y[:, 0].astype(dtype)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert small().fit(X, y).predict(X).dtype == dtype


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_data_frames(problem, frame):
    X, Y = problem
    x = frame({f"x{k}": X[:, k] for k in range(6)})
    y = frame({name: Y[:, k] for k, name in enumerate("abcd")})
    net = small().fit(x, y)
    scikit_learns = getattr(StandardScaler().fit(x), "feature_names_in_", None)
    np.testing.assert_array_equal(
        getattr(net, "feature_names_in_", None), scikit_learns
    )
    np.testing.assert_array_equal(net.label_names_, list("abcd"))
    reference = small().fit(X, Y)
    np.testing.assert_allclose(net.predict_proba(x), reference.predict_proba(X))
    assert not hasattr(net.fit(X, Y), "label_names_")


def test_inputs_of_more_dimensions():
    class Convolution(nn.Module):
        def __init__(self, n_features, n_outputs, channels=4):
            super().__init__()
            assert n_features == (1, 8, 8)
            self.layers = nn.Sequential(
                nn.Conv2d(1, channels, 3), nn.ReLU(), nn.Flatten()
            )
            self.output = nn.Linear(channels * 36, n_outputs)

        def forward(self, x):
            return self.output(self.layers(x))

    rng = np.random.default_rng(0)
    X = rng.integers(0, 255, size=(50, 1, 8, 8), dtype=np.uint8)
    Y = (X.reshape(50, -1)[:, :3] > 128).astype(int)
    net = ImbalancedNetClassifier(Convolution, max_epochs=2, random_state=0)
    assert net.fit(X, Y).predict_proba(X).shape == (50, 3)
    with pytest.raises(ValueError, match=r"rows of shape \(1, 8, 8\)"):
        net.predict(X[:, :, :, :7])


# -------------------------------------------------- missing labels, constants and
# weights


def test_missing_labels_are_cells_of_weight_zero(problem):
    X, Y = problem
    rng = np.random.default_rng(1)
    missing = rng.random(Y.shape) < 0.3
    holes = np.where(missing, np.nan, Y)
    reference = small().fit(X, Y, sample_weight=1.0 - missing)
    for y in (holes, sp.csr_array(holes)):
        net = small().fit(X, y)
        np.testing.assert_allclose(
            net.decision_function(X), reference.decision_function(X), atol=1e-10
        )
        assert net.predict(X).dtype == np.float64
    decided = net.predict(X).toarray()
    right = ((decided == holes) | missing).all(axis=1)
    assert net.score(X, holes) == pytest.approx(right.mean())
    assert net.score(X, sp.csr_array(holes)) == pytest.approx(right.mean())


def test_a_missing_label_never_reaches_the_gradient():
    X = np.zeros((4, 2))
    Y = np.array([[1, np.nan], [0, np.nan], [1, 1], [0, 0.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net = small().fit(X, Y)
    assert np.isfinite(net.decision_function(X)).all()


def test_labels_with_one_value_are_constants_with_one_warning():
    X = np.random.default_rng(0).normal(size=(50, 3))
    Y = np.zeros((50, 4))
    Y[:, 0] = X[:, 0] > 0
    Y[:, 1] = 1
    Y[:10, 2] = np.nan
    Y[:, 3] = np.nan
    with pytest.warns(
        UndefinedLabelWarning, match=r"3 of 4 .* \(columns 1, 2, 3\)"
    ) as w:
        net = small().fit(X, Y)
    assert len(w) == 1
    density = (Y[:, 0].sum() + 50) / 140
    proba = net.predict_proba(X)
    np.testing.assert_allclose(proba[:, 1], 50.5 / 51)
    np.testing.assert_allclose(proba[:, 2], 0.5 / 41)
    np.testing.assert_allclose(proba[:, 3], density)
    decided = net.set_params(threshold=0.995).predict(X)
    np.testing.assert_array_equal(decided[:, 1], 1)
    np.testing.assert_array_equal(decided[:, 2], 0)


def test_a_constant_label_does_not_move_the_others(problem):
    X, Y = problem
    wide = np.hstack([Y, np.zeros((len(Y), 1), dtype=int)])
    with pytest.warns(UndefinedLabelWarning):
        net = ImbalancedNetClassifier(linear, max_epochs=1, random_state=0).fit(X, wide)
    biases = net.net_.module_.bias.detach().numpy()
    assert np.isfinite(biases).all()
    assert np.isfinite(net.predict_proba(X)).all()


def test_sample_weights_are_repeated_rows(problem):
    X, Y = problem[0][:60], problem[1][:60]
    times = np.random.default_rng(0).integers(0, 3, size=60)
    cells = np.repeat(times[:, None], 4, axis=1)
    net = small(max_epochs=20, pos_weight="sqrt")
    repeated = clone(net).fit(np.repeat(X, times, axis=0), np.repeat(Y, times, axis=0))
    expected = repeated.decision_function(X)
    for weight in (times, cells):
        for y in (Y, sp.csr_array(Y)):
            found = clone(net).fit(X, y, sample_weight=weight).decision_function(X)
            np.testing.assert_allclose(found, expected, atol=1e-8)


def test_pos_weight_is_undone_and_sample_weight_defines_the_population(problem):
    """The same training, read in two ways."""
    X, Y = problem
    transformer = PosWeightTransformer("balanced")
    by_weight = small(pos_weight=transformer, init_bias="zero").fit(X, Y)
    by_sample = small(init_bias="zero").fit(
        X, Y, sample_weight=transformer.fit(Y).transform(Y)
    )
    weight = compute_pos_weight(Y)
    np.testing.assert_allclose(by_weight.pos_weight_, weight)
    raw = clone(by_weight).set_params(correct_probabilities=False).fit(X, Y)
    np.testing.assert_allclose(
        by_sample.decision_function(X), raw.decision_function(X), atol=1e-6
    )
    np.testing.assert_allclose(
        by_weight.decision_function(X),
        raw.decision_function(X) - np.log(weight),
        atol=1e-8,
    )
    sparse = small(init_bias="zero").fit(
        X, sp.csr_array(Y), sample_weight=transformer.transform(sp.csr_array(Y))
    )
    np.testing.assert_allclose(
        sparse.decision_function(X), by_sample.decision_function(X), atol=1e-8
    )


def test_class_weight_is_scikit_learns(problem):
    X, Y = problem
    y = Y[:, 0]
    by_class = small(class_weight={0: 1.0, 1: 5.0}).fit(X, y)
    by_row = small().fit(X, y, sample_weight=np.where(y == 1, 5.0, 1.0))
    np.testing.assert_allclose(by_class.predict_proba(X), by_row.predict_proba(X))
    balanced = small(class_weight="balanced").fit(X, y)
    by_row = small().fit(X, y, sample_weight=compute_sample_weight("balanced", y))
    np.testing.assert_allclose(balanced.predict_proba(X), by_row.predict_proba(X))


def test_weights_come_from_the_training_part_only():
    X, Y = make_imbalanced_multilabel(1200, 5, 3, random_state=0)
    X_val, Y_val = X[:100], np.ones((100, 3), dtype=int)
    net = small(pos_weight="balanced").fit(X, Y, X_val=X_val, y_val=Y_val)
    np.testing.assert_allclose(net.pos_weight_, compute_pos_weight(Y))
    split = small(pos_weight="balanced", early_stopping="auto").fit(X, Y)
    assert not np.allclose(split.pos_weight_, compute_pos_weight(Y), rtol=1e-6)
    np.testing.assert_allclose(split.pos_weight_, compute_pos_weight(Y), rtol=0.1)


def test_batch_loss_is_the_formula_written_out(problem):
    """sum w l n / (rows * labels * sum of weights), whatever pos_weight is."""
    X, Y = problem
    rng = np.random.default_rng(0)
    sample_weight = rng.random(len(Y)) + 0.5
    pos_weight, label_weight = np.array([2.0, 3.0, 5.0, 7.0]), [1.0, 0.5, 2.0, 1.0]
    net = ImbalancedNetClassifier(
        linear,
        pos_weight=pos_weight,
        label_weight=label_weight,
        early_stopping=False,
        max_epochs=1,
        batch_size=len(Y),
        lr=1e-12,
        random_state=0,
    ).fit(X, Y, sample_weight=sample_weight)
    z = net.net_.module_(torch.as_tensor(X)).detach().numpy()
    loss = np.where(Y == 1, pos_weight * np.logaddexp(0, -z), np.logaddexp(0, z))
    weight = sample_weight[:, None] * np.asarray(label_weight)
    expected = (weight * loss).sum() / (4 * sample_weight.sum())
    assert net.history_[0]["train_loss"] == pytest.approx(expected, rel=1e-9)


# ----------------------------------------------------------------------------- honesty


def test_starting_bias_predicts_the_base_rates(problem):
    X, Y = problem
    for loss in ("log_loss", "focal", "asymmetric"):
        for pos_weight in (None, "balanced"):
            net = ImbalancedNetClassifier(
                linear, loss=loss, pos_weight=pos_weight, max_epochs=1, lr=1e-12
            )
            net.set_params(module__bias=False, early_stopping=False)
            zero = net.fit(0 * X, Y)
            np.testing.assert_allclose(
                zero.predict_proba(0 * X[:1])[0], Y.mean(axis=0), rtol=1e-6
            )


@pytest.fixture(scope="module")
def known_posterior():
    rates = np.geomspace(0.005, 0.2, 20)
    X, Y, posterior = make_imbalanced_multilabel(
        8000,
        10,
        20,
        cardinality=rates.sum(),
        imbalance_ratio=40,
        return_posterior=True,
        random_state=0,
    )
    return multilabel_train_test_split(
        X, Y, posterior, stratify=Y, test_size=0.4, random_state=0
    )


def _log_loss(Y, P):
    return -np.mean(np.log(np.where(Y == 1, P, 1 - P)))


def test_corrected_probabilities_are_honest(known_posterior):
    X, X_test, Y, Y_test, _, _ = known_posterior
    net = ImbalancedMLPClassifier((64,), pos_weight="balanced", random_state=0)
    raw = clone(net).set_params(correct_probabilities=False).fit(X, Y)
    exact = clone(net).set_params(correct_probabilities="exact").fit(X, Y)
    corrected = net.fit(X, Y)
    assert corrected.probabilities_honest_
    assert not raw.probabilities_honest_
    assert corrected.calibrator_ is not None
    assert exact.calibrator_ is None
    assert probability_ratio(Y_test, raw.predict_proba(X_test)) > 3
    assert 0.85 < probability_ratio(Y_test, corrected.predict_proba(X_test)) < 1.15
    constant = _log_loss(Y_test, np.broadcast_to(Y.mean(axis=0), Y_test.shape))
    assert _log_loss(Y_test, corrected.predict_proba(X_test)) < 0.95 * constant
    assert _log_loss(Y_test, raw.predict_proba(X_test)) > constant
    order = np.argsort(raw.decision_function(X_test), axis=0)
    ranked = np.take_along_axis(corrected.decision_function(X_test), order, axis=0)
    assert (np.diff(ranked, axis=0) > -1e-6).all()


def test_trained_threshold_cuts_where_the_raw_score_is_zero(problem):
    X, Y = problem
    for loss in ("log_loss", "focal", "asymmetric"):
        net = small(
            loss=loss, pos_weight="balanced", threshold="trained", max_epochs=20
        )
        raw = clone(net).set_params(correct_probabilities=False, threshold=0.5)
        np.testing.assert_array_equal(
            net.fit(X, Y).predict(X), raw.fit(X, Y).predict(X)
        )
    y = Y.argmax(axis=1)
    net = small(pos_weight="balanced", threshold="trained", max_epochs=20).fit(X, y)
    raw = clone(net).set_params(correct_probabilities=False, threshold=0.5).fit(X, y)
    np.testing.assert_array_equal(net.predict(X), raw.predict(X))


def test_thresholds_by_label(problem):
    X, Y = problem
    cuts = [0.1, 0.3, 0.5, 0.9]
    net = small(threshold=cuts).fit(X, Y)
    np.testing.assert_array_equal(net.predict(X), net.predict_proba(X) > cuts)


def test_empty_rows_are_warned_of_once():
    X, Y = make_imbalanced_multilabel(
        300, 5, 100, cardinality=4, imbalance_ratio=2, random_state=0
    )
    net = small().fit(X, Y)
    with pytest.warns(UserWarning, match="rows got no label") as caught:
        net.predict(X)
    assert len(caught) == 1


@pytest.mark.parametrize("n_labels", [1, 2, 3, 100])
def test_scikit_learns_scorers_agree_with_a_hand_computation(n_labels):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 4))
    Y = (X @ rng.normal(size=(4, n_labels)) + rng.normal(size=(80, n_labels)) > 0) * 1
    net = small().fit(X, Y)
    proba, decided = net.predict_proba(X), net.predict(X)
    by_hand = {
        "average_precision": [average_precision_score(*c) for c in zip(Y.T, proba.T)],
        "roc_auc": [roc_auc_score(*c) for c in zip(Y.T, proba.T)],
        "f1_macro": [f1_score(*c) for c in zip(Y.T, decided.T)],
    }
    for name, values in by_hand.items():
        if n_labels == 1 and name == "f1_macro":
            values = [f1_score(Y.ravel(), decided.ravel(), average="macro")]
        assert get_scorer(name)(net, X, Y) == pytest.approx(np.mean(values))


# ---------------------------------------------------------------------------- training


def test_early_stopping_keeps_the_best_weights():
    X, Y = make_imbalanced_multilabel(1500, 8, 3, random_state=0)
    net = small(early_stopping="auto", max_epochs=60, n_iter_no_change=3, lr=0.05)
    net.fit(X, Y)
    scores = [epoch["valid_score"] for epoch in net.history_]
    best = int(np.argmax(scores))
    assert net.n_iter_ == len(scores) == best + 4 < 60
    assert net.best_score_ == scores[best]
    shorter = clone(net).set_params(max_epochs=best + 1).fit(X, Y)
    np.testing.assert_array_equal(net.predict_proba(X), shorter.predict_proba(X))


def test_early_stopping_can_watch_the_loss_or_any_scorer(problem):
    X, Y = problem
    plain = {"early_stopping": True, "max_epochs": 4}
    watched = small(scoring="loss", **plain).fit(X, Y)
    losses = [epoch["valid_loss"] for epoch in watched.history_]
    assert watched.best_score_ == pytest.approx(-min(losses))
    assert "valid_score" not in watched.history_[0]
    for scoring in ("macro_average_precision", "f1_macro", "roc_auc"):
        assert small(scoring=scoring, **plain).fit(X, Y).best_score_ > 0
    seen = []

    def scorer(estimator, x, y):
        seen.append((x.shape, y.shape))
        return estimator.predict_proba(x).mean()

    small(scoring=scorer, **plain).fit(X, Y)
    assert seen == [((30, 6), (30, 4))] * 4
    y = Y[:, 0]
    assert small(scoring="average_precision", **plain).fit(X, y).best_score_ > 0
    multiclass = small(scoring="accuracy", **plain).fit(X, Y.argmax(axis=1))
    assert 0 < multiclass.best_score_ <= 1


def test_few_held_out_positives_fall_back_to_the_loss():
    X, Y = make_imbalanced_multilabel(1000, 5, 50, cardinality=0.5, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedLabelWarning)
        net = small(early_stopping="auto").fit(X, Y)
    assert "valid_score" not in net.history_[0]
    assert "valid_loss" in net.history_[0]


def test_groups_stay_on_one_side_of_the_validation_split():
    X = np.arange(2000.0).reshape(-1, 1)
    groups = np.repeat(np.arange(200), 10)
    Y = np.random.default_rng(0).integers(0, 2, size=(2000, 3))
    seen = []

    def scorer(estimator, x, y):
        seen.append(x.ravel())
        return 0.0

    net = small(scoring=scorer, max_epochs=1, early_stopping="auto")
    net.fit(X, Y, groups=groups)
    held = groups[seen[0].astype(int)]
    values, counts = np.unique(held, return_counts=True)
    assert (counts == 10).all()
    assert 10 < len(values) < 40


def test_a_label_with_a_single_positive_keeps_it_in_training():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1200, 3))
    Y = (rng.random((1200, 40)) < 0.1).astype(int)
    Y[:, 7:30] = 0
    Y[rng.integers(0, 1200, 23), np.arange(7, 30)] = 1
    for seed in range(3):
        net = small(max_epochs=1, random_state=seed, early_stopping="auto").fit(X, Y)
        np.testing.assert_allclose(net.prior_[7:30], 1 / 1080, rtol=1e-3)


def test_held_out_rows_of_the_user(problem):
    X, Y = problem
    net = small(scoring="loss").fit(X[:200], Y[:200], X_val=X[200:], y_val=Y[200:])
    assert "valid_loss" in net.history_[0]
    assert net.calibrator_ is not None
    with pytest.raises(ValueError, match="X_val and y_val go together"):
        small().fit(X, Y, X_val=X)
    with pytest.raises(ValueError, match="y_val has 3 labels"):
        small().fit(X, Y, X_val=X, y_val=Y[:, :3])


def _explode_after(epoch):
    class Explode(nn.Module):
        """A module whose weights become infinite in a given epoch."""

        def __init__(self, n_features, n_outputs):
            super().__init__()
            self.layer, self.calls = nn.Linear(n_features, n_outputs), 0

        def forward(self, x):
            if self.training:
                self.calls += 1
                if self.calls > epoch:
                    return self.layer(x) * torch.nan
            return self.layer(x)

    return Explode


def test_divergence_restores_the_last_good_weights(problem):
    X, Y = problem
    full = {"batch_size": 300, "random_state": 0}
    net = ImbalancedNetClassifier(_explode_after(3), max_epochs=9, **full)
    with pytest.warns(ConvergenceWarning, match="diverged in epoch 4"):
        net.fit(X, Y)
    good = ImbalancedNetClassifier(_explode_after(99), max_epochs=3, **full).fit(X, Y)
    np.testing.assert_array_equal(net.predict_proba(X), good.predict_proba(X))
    with pytest.raises(ValueError, match="diverged in its first epoch"):
        ImbalancedNetClassifier(_explode_after(0), **full).fit(X, Y)


class Interrupted(nn.Linear):
    """A module during whose fourth step a user presses Ctrl-C."""

    steps = 0

    def forward(self, x):
        self.steps += self.training
        if self.training and self.steps == 4:
            raise KeyboardInterrupt
        return super().forward(x)


def test_an_interrupt_keeps_the_best_so_far(problem):
    X, Y = problem
    net = ImbalancedNetClassifier(Interrupted, batch_size=150, random_state=0)
    with pytest.warns(ConvergenceWarning, match="interrupted in epoch 2"):
        net.fit(X, Y)
    good = ImbalancedNetClassifier(linear, batch_size=150, random_state=0, max_epochs=1)
    np.testing.assert_array_equal(net.predict_proba(X), good.fit(X, Y).predict_proba(X))
    with pytest.raises(KeyboardInterrupt):
        net.set_params(batch_size=50).fit(X, Y)


def test_callbacks_of_skorch_run_and_are_never_changed(problem):
    X, Y = problem
    schedule = LRScheduler("StepLR", step_size=1, gamma=0.1)
    stop = EarlyStopping(monitor="train_loss", patience=2, threshold=1e9)
    net = small(callbacks=[schedule, ("stop", stop)], max_epochs=9).fit(X, Y)
    assert net.net_.optimizer_.param_groups[0]["lr"] < 1e-4
    assert net.n_iter_ == 3
    assert not hasattr(schedule, "lr_scheduler_")
    assert stop.misses_ == 0


def test_optimizers_that_evaluate_the_loss_themselves(problem):
    X, Y = problem
    net = small(optimizer=torch.optim.LBFGS, lr=0.5, batch_size=300).fit(X, Y)
    losses = [epoch["train_loss"] for epoch in net.history_]
    assert losses[-1] < losses[0]


def test_the_starting_bias_never_decays(problem):
    X, Y = problem
    net = ImbalancedNetClassifier(
        linear, weight_decay=0.5, optimizer=torch.optim.SGD, lr=1e-12, max_epochs=1
    ).fit(X, Y)
    groups = net.net_.optimizer_.param_groups
    decays = {p: group["weight_decay"] for group in groups for p in group["params"]}
    module = net.net_.module_
    assert decays[module.bias] == 0
    assert decays[module.body.weight] == 0.5


def test_user_loss_gets_everything_for_free(problem):
    class SquaredLogLoss(PointwiseLoss):
        def positive(self, scores):
            return nn.functional.softplus(-scores) ** 2

        def negative(self, scores):
            return nn.functional.softplus(scores) ** 2

    X, Y = problem
    loss = SquaredLogLoss()
    net = small(loss=loss, pos_weight="sqrt", max_epochs=30).fit(X, Y)
    assert net.loss_ is not loss
    assert not dict(loss.named_buffers())
    assert 0.8 < probability_ratio(Y, net.predict_proba(X)) < 1.2


def test_warm_start_goes_on(problem):
    X, Y = problem
    net = small(warm_start=True, max_epochs=2, dropout=0.0, lr=0.01).fit(X, Y)
    first = net.history_[-1]["train_loss"]
    module = net.net_.module_
    net.fit(X, Y)
    assert net.net_.module_ is module
    assert net.n_iter_ == 4
    assert net.history_[-1]["train_loss"] < first
    with pytest.raises(ValueError, match="warm_start"):
        net.fit(X, Y[:, :2])
    with pytest.raises(ValueError, match="warm_start"):
        net.fit(X[:, :2], Y)


# -------------------------------------------------------------------------- partial_fit


def test_partial_fit_trains_in_chunks(problem):
    X, Y = problem
    counts = Y.sum(axis=0), (1 - Y).sum(axis=0)
    net = small(pos_weight="sqrt")
    for _ in range(20):
        for start in (0, 100, 200):
            chunk = slice(start, start + 100)
            net.partial_fit(X[chunk], Y[chunk], label_counts=counts)
    np.testing.assert_allclose(net.pos_weight_, np.sqrt(counts[1] / counts[0]))
    assert net.n_iter_ == 60
    losses = [epoch["train_loss"] for epoch in net.history_]
    assert np.mean(losses[-3:]) < np.mean(losses[:3])
    assert 0.7 < probability_ratio(Y, net.predict_proba(X)) < 1.3


def test_partial_fit_needs_counts_and_classes_where_they_matter(problem):
    X, Y = problem
    with pytest.raises(ValueError, match="label_counts"):
        small(pos_weight="sqrt").partial_fit(X, Y)
    with pytest.raises(ValueError, match="label_counts"):
        small(pos_weight=PosWeightTransformer()).partial_fit(X, Y)
    with pytest.raises(ValueError, match="label_counts is for 2 labels"):
        small().partial_fit(X, Y, label_counts=([1, 2], [3, 4]))
    with pytest.raises(ValueError, match="classes must be passed"):
        small().partial_fit(X, Y[:, 0])
    net = small().partial_fit(X[:50], Y[:50, 0], classes=[0, 1, 2])
    assert net.predict_proba(X).shape == (300, 3)
    with pytest.raises(ValueError, match="not among the known"):
        net.partial_fit(X, Y[:, 0] + 5)
    bias = small(lr=1e-12).partial_fit(X, Y).net_.module_.bias
    np.testing.assert_allclose(bias.detach(), 0, atol=1e-9)


def test_partial_fit_revives_a_label_once_it_had_both_values(problem):
    X, Y = problem
    Y = Y.copy()
    Y[:100, 0] = 0
    net = small().partial_fit(X[:100], Y[:100])
    assert len(np.unique(net.predict_proba(X)[:, 0])) == 1
    net.partial_fit(X[100:], Y[100:])
    assert len(np.unique(net.predict_proba(X)[:, 0])) > 1


def test_partial_fit_goes_on_after_fit(problem):
    X, Y = problem
    net = small().fit(X, Y)
    before = net.predict_proba(X)
    net.partial_fit(X, Y)
    assert net.n_iter_ == 4
    assert not np.array_equal(before, net.predict_proba(X))


# ---------------------------------------------------------- randomness and persistence


def test_same_seed_same_bits_and_global_generators_untouched():
    X, Y = make_imbalanced_multilabel(1100, 6, 5, random_state=0)
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first = small(max_epochs=5).fit(X, Y).predict_proba(X)
    torch.manual_seed(6)
    second = small(max_epochs=5).fit(X, Y).predict_proba(X)
    np.testing.assert_array_equal(first, second)
    torch.manual_seed(5)
    for seed in (0, None, np.random.RandomState(0)):
        small(random_state=seed).fit(X, Y).partial_fit(X, Y)
    assert torch.equal(torch.get_rng_state(), state[0])
    np.testing.assert_array_equal(np.random.get_state()[1], state[1])  # noqa: NPY002
    other = small(max_epochs=5, random_state=1).fit(X, Y).predict_proba(X)
    assert not np.allclose(first, other)


def test_number_of_threads_changes_little(problem):
    X, Y = problem
    threads = torch.get_num_threads()
    try:
        results = []
        for n_threads in (1, 2):
            torch.set_num_threads(n_threads)
            results.append(small(max_epochs=20).fit(X, Y).predict_proba(X))
    finally:
        torch.set_num_threads(threads)
    np.testing.assert_allclose(*results, atol=1e-5)


def test_workers_that_gather_ahead_change_nothing():
    X, Y = make_imbalanced_multilabel(5000, 300, 5, random_state=0)
    net = small(max_epochs=2).fit(X, Y)
    ahead = small(max_epochs=2, num_workers=2).fit(X, Y)
    np.testing.assert_array_equal(net.predict_proba(X), ahead.predict_proba(X))


def test_fresh_process_predicts_the_same(problem, tmp_path):
    X, Y = problem
    net = small(pos_weight="balanced", early_stopping=True).fit(X, sp.csr_array(Y))
    np.save(tmp_path / "X.npy", X)
    joblib.dump(net, tmp_path / "net.joblib")
    (tmp_path / "net.pickle").write_bytes(pickle.dumps(net))
    code = f"""
import json, pickle, joblib, numpy as np
X = np.load(r"{tmp_path / "X.npy"}")
nets = [joblib.load(r"{tmp_path / "net.joblib"}")]
nets.append(pickle.load(open(r"{tmp_path / "net.pickle"}", "rb")))
print(json.dumps([net.predict_proba(X).tolist() for net in nets]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    for proba in json.loads(done.stdout):
        np.testing.assert_array_equal(np.array(proba), net.predict_proba(X))


def test_a_pickle_holds_no_rows_and_goes_on_training():
    X, Y = make_imbalanced_multilabel(5000, 100, 20, random_state=0)
    net = small(hidden_layer_sizes=(100,), max_epochs=2).fit(X, Y)
    size = sum(p.numel() * 4 for p in net.net_.module_.parameters())
    blob = pickle.dumps(net)
    assert len(blob) <= 3 * size + 200_000
    assert len(blob) < X.nbytes / 2
    twin = pickle.loads(blob)
    again = twin.partial_fit(X, Y).predict_proba(X)
    np.testing.assert_array_equal(again, net.partial_fit(X, Y).predict_proba(X))


def test_tensors_of_another_device_follow_the_net(problem):
    """What callbacks hold is unpickled through torch.load, so that it can be mapped."""
    X, Y = problem
    schedule = LRScheduler("StepLR", step_size=1)
    net = small(callbacks=[schedule]).fit(X, Y).net_
    state = net.__getstate__()
    assert "callbacks_" not in state
    assert "module_" not in state
    found = []

    class Find(pickle.Unpickler):
        def find_class(self, module, name):
            found.append((module, name))
            return super().find_class(module, name)

    outside = {k: v for k, v in state.items() if k != "__cuda_dependent_attributes__"}
    Find(io.BytesIO(pickle.dumps(outside))).load()
    assert ("torch._utils", "_rebuild_tensor_v2") not in found
    assert not any(module == "torch.storage" for module, _ in found)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_a_net_trained_on_cuda_loads_where_there_is_none(problem, tmp_path):
    X, Y = problem
    net = small(device="cuda", callbacks=[LRScheduler("StepLR", step_size=1)]).fit(X, Y)
    joblib.dump((net, X, net.predict_proba(X)), tmp_path / "net.joblib")
    code = f"""
import joblib, numpy as np, torch
assert not torch.cuda.is_available()
net, X, proba = joblib.load(r"{tmp_path / "net.joblib"}")
np.testing.assert_allclose(net.predict_proba(X), proba, atol=1e-5)
assert net.device_.type == "cpu"
"""
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={"CUDA_VISIBLE_DEVICES": ""}
    )


def test_clone_of_a_fitted_net_is_unfitted(problem):
    net = small(loss=FocalLoss(3.0), pos_weight=PosWeightTransformer()).fit(*problem)
    twin = clone(net)
    assert not hasattr(twin, "net_")
    assert twin.loss.gamma == 3.0
    assert twin.loss is not net.loss


def test_deep_copies_are_independent(problem):
    X, Y = problem
    net = small().fit(X, Y)
    before = net.predict_proba(X)
    copy.deepcopy(net).partial_fit(X, Y)
    np.testing.assert_array_equal(before, net.predict_proba(X))


# ----------------------------------------------------------------------- nested
# parameters


def test_nested_parameters_reach_dicts_and_objects():
    net = ImbalancedNetClassifier(linear, module_params={"bias": True})
    given = net.module_params
    net.set_params(module__bias=False, optimizer__eps=1e-9, loss="focal", loss__gamma=3)
    assert given == {"bias": True}
    assert net.module_params == {"bias": False}
    assert net.get_params()["optimizer__eps"] == 1e-9
    assert net.loss_params == {"gamma": 3}
    assert "module__bias" not in net.get_params(deep=False)
    net.set_params(loss=FocalLoss(), loss_params=None, loss__gamma=4)
    assert net.loss.gamma == 4
    assert net.loss_params is None
    net.set_params(pos_weight=PosWeightTransformer(), pos_weight__scheme="log")
    assert net.pos_weight.scheme == "log"
    with pytest.raises(ValueError, match="Invalid parameter"):
        net.set_params(modul__bias=False)


# --------------------------------------------------------------------------- bad input

BAD = [
    ({}, {"X": np.zeros((0, 6)), "y": []}, "empty"),
    ({}, {"y": np.zeros((299, 4))}, "inconsistent numbers of samples"),
    ({}, {"X": "nan"}, "NaN"),
    ({}, {"X": "inf"}, "infinity"),
    ({}, {"y": np.full((300, 4), 2)}, "the value 2"),
    ({}, {"y": np.full((300, 4), -1)}, r"np.where\(y == -1, np.nan, y\)"),
    ({}, {"y": np.zeros((300, 0))}, "at least one row and one label"),
    ({}, {"y": np.linspace(0, 1, 300)}, "continuous"),
    ({}, {"y": np.full(300, np.nan)}, "NaN"),
    ({}, {"y": None}, "y cannot be None|requires y to be passed"),
    ({"loss": "focl"}, {}, "Did you mean 'focal'"),
    ({"loss": "asymmetric"}, {"y": np.arange(300) % 3}, "but y is multiclass"),
    ({"loss": SoftmaxLogLoss()}, {}, "but y is multilabel-indicator"),
    ({"loss": LogLoss()}, {"y": np.arange(300) % 3}, "but y is multiclass"),
    ({"loss": LogLoss(), "loss_params": {"gamma": 1}}, {}, "loss_params goes with"),
    ({"loss": "focal", "loss_params": {"gama": 1}}, {}, "Did you mean 'gamma'"),
    ({"loss": "focal", "loss_params": {"gamma": -1}}, {}, "gamma=-1"),
    ({"pos_weight": "sqr"}, {}, "Did you mean 'sqrt'"),
    ({"pos_weight": [1, 2]}, {}, r"pos_weight has shape \(2,\)"),
    ({"pos_weight": 0.0}, {}, "pos_weight must be finite and greater than 0"),
    ({"pos_weight": [1, 2, 3, -1]}, {}, "pos_weight must be finite"),
    ({"pos_weight": [1, 2, 3, np.nan]}, {}, "pos_weight must be finite"),
    ({"label_weight": "invers"}, {}, "Did you mean 'inverse'"),
    ({"label_weight": "inverse"}, {"y": np.arange(300) % 3}, "label_weight goes with"),
    ({"class_weight": "balanced"}, {}, "class_weight goes with a 1-D y"),
    ({}, {"sample_weight": np.ones((300, 3))}, "sample_weight has shape"),
    ({}, {"sample_weight": np.zeros(300)}, "(?i)zero"),
    ({}, {"sample_weight": np.full(300, -1.0)}, "not be negative|not negative"),
    ({}, {"sample_weight": np.full(300, np.nan)}, "NaN"),
    ({"hidden_layer_sizes": (0,)}, {}, "hidden_layer_sizes"),
    ({"activation": "rely"}, {}, "Did you mean 'relu'"),
    ({"dropout": 1.0}, {}, "dropout"),
    ({"lr": 0}, {}, "lr=0"),
    ({"optimizer_params": {"lr": 1}}, {}, "lr is said twice"),
    (
        {"weight_decay": 0.1, "optimizer_params": {"weight_decay": 1}},
        {},
        "weight_decay is said twice",
    ),
    ({"weight_decay": -1}, {}, "weight_decay=-1"),
    ({"optimizer_params": {"bettas": 1}}, {}, "Did you mean 'betas'"),
    ({"net_params": {"train_split": None}}, {}, "'train_split'"),
    ({"net_params": {"criterion__x": None}}, {}, "'criterion__x'"),
    ({"net_params": {"use_cachin": True}}, {}, "Did you mean 'use_caching'"),
    ({"net_params": {"compile": True}}, {}, "'compile'"),
    ({"max_epochs": 0}, {}, "max_epochs"),
    ({"batch_size": 0}, {}, "batch_size"),
    ({"precision": "8"}, {}, "precision='8'"),
    ({"early_stopping": "yes"}, {}, "early_stopping"),
    ({"validation_fraction": 1.0}, {}, "validation_fraction"),
    ({"n_iter_no_change": 0}, {}, "n_iter_no_change"),
    ({"scoring": "macro_average_precisoin"}, {}, "Did you mean"),
    ({"correct_probabilities": "yes"}, {}, "correct_probabilities"),
    ({"threshold": 1.5}, {}, r"must lie in \[0, 1\]"),
    ({"threshold": [0.5, 0.5]}, {}, r"array of shape \(4,\)"),
    ({"threshold": "traned"}, {}, "Did you mean 'trained'"),
    ({"threshold": 0.4}, {"y": np.arange(300) % 3}, "largest probability"),
    ({"init_bias": "priors"}, {}, "Did you mean 'prior'"),
    ({"num_workers": -1}, {}, "num_workers"),
    ({"gradient_accumulation": 0}, {}, "gradient_accumulation=0"),
    ({"max_grad_norm": 0.0}, {}, "max_grad_norm=0.0"),
    (
        {"max_grad_norm": 1.0, "optimizer": torch.optim.LBFGS},
        {},
        "max_grad_norm=1.0 has no meaning for LBFGS",
    ),
    ({"data_device": "meta"}, {}, "data_device='meta' must be 'auto', 'cpu'"),
    ({"resume": True}, {}, "resume=True needs checkpoint"),
    ({"checkpoint": "here", "warm_start": True}, {}, "do not go together"),
    ({"device": "gpu"}, {}, "device='gpu' is not a torch device"),
    ({"module_params": {}}, {}, None),
]


@pytest.mark.parametrize(
    ("params", "data", "message"),
    [case for case in BAD if case[2]],
    ids=[f"{i}-{case[2][:25]}" for i, case in enumerate(BAD) if case[2]],
)
def test_bad_input_names_the_way_out_and_changes_nothing(
    problem, params, data, message
):
    X, Y = problem
    data = {"X": X, "y": Y, **data}
    if isinstance(data["X"], str):
        value = {"nan": np.nan, "inf": np.inf}[data["X"]]
        data["X"] = np.where(np.arange(len(X))[:, None] == 3, value, X)
    fitted = small().fit(X, Y)
    before = fitted.predict_proba(X)
    with pytest.raises((ValueError, TypeError), match=message):
        fitted.set_params(**params).fit(**data)
    np.testing.assert_array_equal(before, fitted.predict_proba(X))
    fresh = small(**params)
    with pytest.raises((ValueError, TypeError)):
        fresh.fit(**data)
    assert not [name for name in vars(fresh) if name.endswith("_")]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_cuda_where_there_is_none(problem):
    with pytest.raises(ValueError, match="finds no CUDA device"):
        small(device="cuda").fit(*problem)


def test_bad_modules(problem):
    X, Y = problem
    cases = [
        (nn.Linear(6, 4), None, "pass the class or a function that builds it"),
        ("mlp", None, "must be a class or a function"),
        (lambda a, _: nn.Linear(a, 3), None, r"shape \(2, 3\).*\(2, 4\)"),
        (linear, {"bais": True}, "Did you mean 'bias'"),
        (linear, {"n_outputs": 3}, "set by the estimator itself"),
        (linear, [1], "must be a dict"),
    ]
    for module, module_params, message in cases:
        net = ImbalancedNetClassifier(module, module_params=module_params)
        with pytest.raises((TypeError, ValueError), match=message):
            net.fit(X, Y)


def test_predicting_another_number_of_features(problem):
    X, Y = problem
    net = small().fit(X, Y)
    with pytest.raises(ValueError, match=r"5 features.*6 features"):
        net.predict(X[:, :5])
    with pytest.raises(ValueError, match="3 labels, but 4"):
        net.score(X, Y[:, :3])


def test_a_split_that_leaves_nothing_says_so():
    X, Y = np.zeros((4, 1)), np.array([[1], [0], [1], [0]])
    with pytest.raises(ValueError, match="cannot be split"):
        small(early_stopping=True).fit(X, Y, groups=[0, 0, 0, 0])


def test_float32_inputs_give_float32_answers(problem):
    X, Y = problem
    net = small().fit(X.astype(np.float32), Y)
    assert net.predict_proba(X.astype(np.float32)).dtype == np.float32
    assert net.predict_proba(X).dtype == np.float64
    assert net.net_.module_.bias.dtype == torch.float32
    assert small().fit(X, Y).net_.module_.bias.dtype == torch.float64
    assert small(precision="32").fit(X, Y).net_.module_.bias.dtype == torch.float32


def test_progress_is_printed_only_when_asked_for(problem, capsys):
    small().fit(*problem)
    assert capsys.readouterr().out == ""
    small(verbose=1).fit(*problem)
    lines = capsys.readouterr().out.strip().splitlines()
    assert [line.split()[:3] for line in lines] == [
        ["epoch", f"{number}/3", "train_loss"] for number in (1, 2, 3)
    ]
    assert all(line.endswith(" left") for line in lines)


def test_scikit_learn_scores_every_epoch_with_skorch_callbacks(problem):
    """A user's per-batch callback sees every batch and its gradients."""

    class Watch(Callback):
        def initialize(self):
            self.seen_ = []
            return self

        def on_batch_end(self, net, batch=None, training=False, **kwargs):
            self.seen_.append((training, len(batch.x)))

        def on_grad_computed(self, net, named_parameters, **kwargs):
            self.norms_ = [p.grad.norm() for _, p in named_parameters]

    X, Y = problem
    net = small(callbacks=[("watch", Watch())], max_epochs=1, batch_size=100).fit(X, Y)
    watch = dict(net.net_.callbacks_)["watch"]
    assert watch.seen_ == [(True, 100)] * 3
    assert len(watch.norms_) == 5
