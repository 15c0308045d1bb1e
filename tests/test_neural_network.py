"""The estimators as their users meet them: targets, weights, calibration."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import torch
from nets import linear, small, small_problem
from scipy.special import logit
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning
from sklearn.metrics import (
    average_precision_score,
    f1_score,
    get_scorer,
    roc_auc_score,
)
from sklearn.preprocessing import StandardScaler
from sklearn.utils import compute_sample_weight
from torch import nn

from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.metrics import UndefinedLabelWarning, expected_observed_ratio
from skimbalance.model_selection import multilabel_train_test_split
from skimbalance.neural_network import ImbalancedMLPClassifier, ImbalancedNetClassifier
from skimbalance.weights import PosWeightTransformer, compute_pos_weight


@pytest.fixture(scope="module")
def problem():
    return small_problem()


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
        predicted = net.predict(x_kind(X))
        assert 0 <= net.score(x_kind(X), y_kind(Y)) <= 1
    assert predicted.shape == (60, n_labels)
    assert predicted.dtype == np.int32
    assert sp.issparse(predicted) == (y_kind is not np.asarray)
    if sp.issparse(predicted):
        assert isinstance(predicted, sp.spmatrix) == issubclass(y_kind, sp.spmatrix)
        assert predicted.format == "csr"


def test_dense_and_sparse_give_the_same_net(problem):
    X, Y = problem
    X = X * (np.abs(X) > 0.5)
    reference = small(standardize=False, precision="64").fit(X, Y)
    reference = reference.decision_function(X)
    for x, y in ((sp.csr_array(X), Y), (X, sp.csr_array(Y)), (X, sp.csc_array(Y))):
        net = small(standardize=False, precision="64").fit(x, y)
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
    predicted = net.predict(X).toarray()
    right = ((predicted == holes) | missing).all(axis=1)
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
    predicted = net.set_params(threshold=0.995).predict(X)
    np.testing.assert_array_equal(predicted[:, 1], 1)
    np.testing.assert_array_equal(predicted[:, 2], 0)


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
    entries = np.repeat(times[:, None], 4, axis=1)
    net = small(max_epochs=20, pos_weight="sqrt")
    repeated = clone(net).fit(np.repeat(X, times, axis=0), np.repeat(Y, times, axis=0))
    expected = repeated.decision_function(X)
    for weight in (times, entries):
        for y in (Y, sp.csr_array(Y)):
            found = clone(net).fit(X, y, sample_weight=weight).decision_function(X)
            np.testing.assert_allclose(found, expected, atol=1e-8)


def test_pos_weight_is_corrected_and_sample_weight_defines_the_population(problem):
    """The same training, read in two ways."""
    X, Y = problem
    transformer = PosWeightTransformer("balanced")
    # The input scaler reads sample weights, which belong to the population.
    net = small(init_bias="zero", standardize=False, precision="64")
    by_weight = clone(net).set_params(pos_weight=transformer).fit(X, Y)
    by_sample = clone(net).fit(X, Y, sample_weight=transformer.fit(Y).transform(Y))
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
    sparse = clone(net).fit(
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
        precision="64",
        random_state=0,
    ).fit(X, Y, sample_weight=sample_weight)
    z = net.net_.module_(torch.as_tensor(X)).detach().numpy()
    loss = np.where(Y == 1, pos_weight * np.logaddexp(0, -z), np.logaddexp(0, z))
    weight = sample_weight[:, None] * np.asarray(label_weight)
    expected = (weight * loss).sum() / (4 * sample_weight.sum())
    assert net.history_[0]["train_loss"] == pytest.approx(expected, rel=1e-9)


# ------------------------------------------------------------------------- calibration


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


def test_corrected_probabilities_are_calibrated(known_posterior):
    X, X_test, Y, Y_test, _, _ = known_posterior
    net = ImbalancedMLPClassifier((32,), pos_weight="balanced", random_state=0)
    raw = clone(net).set_params(correct_probabilities=False).fit(X, Y)
    corrected = net.fit(X, Y)
    assert corrected.probabilities_corrected_
    assert not raw.probabilities_corrected_
    assert corrected.calibrator_ is not None
    assert expected_observed_ratio(Y_test, raw.predict_proba(X_test)) > 3
    assert (
        0.85 < expected_observed_ratio(Y_test, corrected.predict_proba(X_test)) < 1.15
    )
    constant = _log_loss(Y_test, np.broadcast_to(Y.mean(axis=0), Y_test.shape))
    assert _log_loss(Y_test, corrected.predict_proba(X_test)) < 0.95 * constant
    assert _log_loss(Y_test, raw.predict_proba(X_test)) > constant
    # No member ranks otherwise; their mean may, since each is calibrated by itself.
    order = np.argsort(raw.out_of_fold_log_odds_, axis=0)
    ranked = np.take_along_axis(corrected.out_of_fold_log_odds_, order, axis=0)
    assert (np.diff(ranked, axis=0) > -1e-6).all()


def test_trained_threshold_cuts_where_the_raw_score_is_zero(problem):
    X, Y = problem
    for loss in ("log_loss", "focal", "asymmetric"):
        net = small(
            loss=loss, pos_weight="balanced", threshold="uncorrected", max_epochs=20
        )
        raw = clone(net).set_params(correct_probabilities=False, threshold=0.5)
        np.testing.assert_array_equal(
            net.fit(X, Y).predict(X), raw.fit(X, Y).predict(X)
        )
    y = Y.argmax(axis=1)
    net = small(pos_weight="balanced", threshold="uncorrected", max_epochs=20).fit(X, y)
    raw = clone(net).set_params(correct_probabilities=False, threshold=0.5).fit(X, y)
    np.testing.assert_array_equal(net.predict(X), raw.predict(X))


def test_thresholds_by_label(problem):
    X, Y = problem
    thresholds = [0.1, 0.3, 0.5, 0.9]
    net = small(threshold=thresholds).fit(X, Y)
    np.testing.assert_array_equal(net.predict(X), net.predict_proba(X) > thresholds)


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
    proba, predicted = net.predict_proba(X), net.predict(X)
    by_hand = {
        "average_precision": [average_precision_score(*c) for c in zip(Y.T, proba.T)],
        "roc_auc": [roc_auc_score(*c) for c in zip(Y.T, proba.T)],
        "f1_macro": [f1_score(*c) for c in zip(Y.T, predicted.T)],
    }
    for name, values in by_hand.items():
        if n_labels == 1 and name == "f1_macro":
            values = [f1_score(Y.ravel(), predicted.ravel(), average="macro")]
        assert get_scorer(name)(net, X, Y) == pytest.approx(np.mean(values))


def test_effective_numbers_do_not_depend_on_the_container_of_the_weights():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    Y = (rng.random((200, 2)) < [0.1, 0.7]).astype(int)
    n_positive, beta = Y.sum(axis=0), 0.999
    expected = (1 - beta ** (200 - n_positive)) / (1 - beta**n_positive)
    net = small(pos_weight="effective_number", max_epochs=1, early_stopping=False)
    tens = np.full(Y.shape, 10.0)
    for weight in (None, tens[:, 0], tens, sp.csr_array(tens - 1)):
        for y in (Y, sp.csr_array(Y)):
            found = clone(net).fit(X, y, sample_weight=weight).pos_weight_
            np.testing.assert_allclose(found, expected, rtol=1e-10)
    tens[0, 0] = 9.0
    found = clone(net).fit(X, Y, sample_weight=tens).pos_weight_
    np.testing.assert_allclose(found, expected, rtol=1e-2)


@pytest.mark.parametrize("early_stopping", [True, False, "auto"])
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array], ids=["dense", "sparse"])
def test_a_label_set_without_an_observed_entry_is_refused(early_stopping, form):
    X, y = np.random.default_rng(0).normal(size=(60, 3)), np.full((60, 2), np.nan)
    with pytest.raises(ValueError, match="No label is observed: y is missing"):
        small(early_stopping=early_stopping).fit(X, form(y))
    y[0] = 1
    weight = np.ones((60, 2))
    weight[0] = 0
    with pytest.raises(ValueError, match="leave no row to learn from"):
        small(early_stopping=early_stopping).fit(X, form(y), sample_weight=weight)


def test_rows_half_missing_and_half_of_weight_zero_are_absent(problem):
    X, Y = problem[0][:90].astype(float), problem[1][:90].astype(float)
    W = np.ones(Y.shape)
    far, half = np.full((20, X.shape[1]), 1e3), np.full((20, Y.shape[1]), np.nan)
    half[:, 0], zero = 1, np.ones(half.shape)
    zero[:, 0] = 0
    net = small(early_stopping=True)
    expected = clone(net).fit(X, Y, sample_weight=W)
    padded = clone(net).fit(np.r_[X, far], np.r_[Y, half], sample_weight=np.r_[W, zero])
    np.testing.assert_array_equal(padded.scaler_.center_, expected.scaler_.center_)
    np.testing.assert_array_equal(padded.prior_, expected.prior_)
    np.testing.assert_array_equal(padded.predict_proba(X), expected.predict_proba(X))


def test_class_weight_balanced_counts_the_sample_weights(problem):
    X, y = problem[0][:60], problem[1][:60, 0]
    times = np.random.default_rng(0).integers(0, 4, 60)  # up to 100 rows in all
    net = small(class_weight="balanced", early_stopping=False, batch_size=500)
    repeated = clone(net).fit(np.repeat(X, times, axis=0), np.repeat(y, times))
    weighted = clone(net).fit(X, y, sample_weight=times)
    np.testing.assert_allclose(
        weighted.decision_function(X), repeated.decision_function(X), atol=1e-8
    )
    np.testing.assert_allclose(weighted.prior_, 0.5, rtol=1e-10)
    with pytest.raises(ValueError, match="'class_weight' parameter"):
        clone(net).set_params(class_weight=[1, 2]).fit(X, y)


def test_frames_of_weights_and_sparse_labels_go_by_name(problem):
    X, Y = problem[0][:100], problem[1][:100, :3]
    W = np.random.default_rng(0).uniform(0.1, 3, Y.shape)
    names = ["a", "b", "c"]
    net = small(early_stopping=False)
    expected = clone(net).fit(X, Y, sample_weight=W).predict_proba(X)
    weights = pd.DataFrame(W, columns=names)[["c", "a", "b"]]
    for y in (
        pd.DataFrame(Y, columns=names),
        pd.DataFrame.sparse.from_spmatrix(sp.csr_matrix(Y), columns=names),
    ):
        fitted = clone(net).fit(X, y, sample_weight=weights)
        assert fitted.label_names_.tolist() == names
        np.testing.assert_allclose(fitted.predict_proba(X), expected, atol=1e-8)
    weights.columns = ["c", "a", "x"]
    with pytest.raises(ValueError, match="sample_weight must have the label columns"):
        clone(net).fit(X, pd.DataFrame(Y, columns=names), sample_weight=weights)
