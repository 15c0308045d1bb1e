"""Properties of weights, for any data: scale, zeros and whole numbers.

Each property has 20 examples, and 200 with the slow tests; see tests/conftest.py.
"""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight as sklearn_class_weight

from skimbalance._counts import count_labels
from skimbalance._labels import check_label_matrix
from skimbalance._validation import check_weights
from skimbalance.calibration import (
    LabelCalibrator,
    PooledCalibrator,
    TemperatureCalibrator,
)
from skimbalance.losses import AsymmetricLoss, FocalLoss, LogLoss, ZLPRLoss
from skimbalance.metrics import (
    calibration_error,
    coverage_error,
    expected_observed_ratio,
    label_ranking_average_precision_score,
    multilabel_average_precision_score,
    multilabel_brier_score_loss,
    multilabel_fbeta_score,
    multilabel_log_loss,
    multilabel_roc_auc_score,
    ndcg_at_k,
    precision_at_k,
    predicted_observed_ratio,
    recall_at_k,
)
from skimbalance.neural_network import ImbalancedMLPClassifier
from skimbalance.neural_network._module import criterion_of
from skimbalance.thresholds import tune_thresholds
from skimbalance.weights import (
    WEIGHT_SCHEMES,
    compute_class_weight,
    compute_label_weight,
    compute_pos_weight,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore::skimbalance.exceptions.ImbalanceWarning"
)
properties = settings.get_profile("properties")
seeds = st.integers(0, 2**32 - 1)
LOSSES = ["log_loss", "focal", "asymmetric", "zlpr", "soft_f1", "two_way"]
POINTWISE = LOSSES[:3]


class Case:
    """Random rows, label matrices with missing entries, and weights with zeros."""

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        n, k = rng.integers(12, 40), rng.integers(2, 5)
        self.X = rng.normal(size=(n, 3))
        self.Y = (rng.random((n, k)) < rng.uniform(0.05, 0.9, k)).astype(float)
        self.with_missing = np.where(
            rng.random((n, k)) < rng.choice([0, 0.3]), np.nan, self.Y
        )
        self.with_missing[0] = self.Y[0]
        self.y = rng.integers(0, rng.integers(2, 4), n)
        self.y[:3] = [0, 1, self.y.max()]
        self.rows = rng.uniform(0.1, 4, n) * (rng.random(n) < 0.8)
        self.entries = rng.uniform(0.1, 4, (n, k)) * (rng.random((n, k)) < 0.8)
        self.rows[:3] = self.entries[0] = 1.0
        self.times = rng.integers(0, 4, n)
        self.times[:3] = 1
        self.P = rng.choice([rng.random((n, k)), rng.integers(1, 9, (n, k)) / 10])
        self.rng, self.seed = rng, seed

    def net(self, **params):
        schemes = [None, "balanced", "sqrt", "effective_number"]
        loss = LOSSES[self.seed % len(LOSSES)]
        pos_weight = schemes[self.seed % 4] if loss in POINTWISE else None
        params = {
            "hidden_layer_sizes": (3,) if self.seed % 2 else (),
            "loss": loss,
            "pos_weight": pos_weight,
            "max_epochs": 2,
            "random_state": 0,
            "early_stopping": bool(self.seed % 3 == 0),
            "correct_probabilities": loss in POINTWISE,
            **params,
        }
        return ImbalancedMLPClassifier(**params)

    def fitted(self, y, weight, X=None, **params):
        model = self.net(**params).fit(
            self.X if X is None else X, y, sample_weight=weight
        )
        return model.predict_proba(self.X)


cases = st.builds(Case, seeds)


def sparse(weight):
    return sp.csr_array(weight - 1)


# --------------------------------------------------------------------------------- fit


@properties
@given(cases, st.integers(-200, 200), st.floats(1e-12, 1e12))
def test_the_scale_of_weights_does_not_matter_to_fit(case, exponent, factor):
    for y, weight in (
        (case.with_missing, case.entries),
        (case.Y, case.rows),
        (sp.csr_array(case.with_missing), case.entries),
    ):
        expected = case.fitted(y, weight)
        np.testing.assert_array_equal(case.fitted(y, weight * 2.0**exponent), expected)
        np.testing.assert_allclose(
            case.fitted(y, weight * factor), expected, rtol=0, atol=1e-8
        )


@properties
@given(cases)
def test_a_fit_to_an_entry_of_weight_zero_is_one_to_a_missing_label(case):
    absent = case.entries == 0
    flipped = np.where(absent, 1 - case.Y, case.Y)
    with_missing = np.where(absent, np.nan, case.Y)
    expected = case.fitted(with_missing, case.entries)
    for y, weight in (
        (flipped, case.entries),
        (with_missing, np.where(absent, 7.0, case.entries)),
    ):
        np.testing.assert_allclose(case.fitted(y, weight), expected, rtol=0, atol=1e-8)


@properties
@given(cases)
def test_a_fit_to_rows_of_weight_zero_is_one_without_them(case):
    kept = case.rows > 0
    far = np.where(kept[:, None], case.X, 1e3)
    for y, class_weight, params in (
        (case.with_missing, None, {}),
        (case.y, "balanced", {"loss": "log_loss", "pos_weight": None}),
    ):
        params = {**params, "class_weight": class_weight}
        expected = case.fitted(y[kept], case.rows[kept], X=case.X[kept], **params)
        np.testing.assert_allclose(
            case.fitted(y, case.rows, X=far, **params), expected, rtol=0, atol=1e-8
        )


@properties
@given(cases)
def test_a_fit_reads_the_same_weights_from_every_container(case):
    names = list("abcd")[: case.Y.shape[1]]
    frame, weights = (
        pd.DataFrame(each, columns=names) for each in (case.with_missing, case.entries)
    )
    expected = case.fitted(case.with_missing, case.entries)
    for y, weight in (
        (case.with_missing, sparse(case.entries)),
        (sp.csr_array(case.with_missing), sparse(case.entries)),
        (sp.csr_array(case.with_missing), case.entries),
        (frame, weights),
        (frame, weights[names[::-1]]),
        (case.with_missing, case.entries.tolist()),
    ):
        np.testing.assert_allclose(case.fitted(y, weight), expected, rtol=0, atol=1e-8)


@properties
@given(cases)
def test_a_weight_of_rows_is_its_copy_in_each_column(case):
    expected = case.fitted(case.with_missing, case.rows)
    copied = np.repeat(case.rows[:, None], case.Y.shape[1], axis=1)
    for y, weight in (
        (case.with_missing, copied),
        (case.with_missing, sparse(copied)),
        (sp.csr_array(case.with_missing), sparse(copied)),
        (case.with_missing, pd.Series(case.rows)),
    ):
        np.testing.assert_allclose(case.fitted(y, weight), expected, rtol=0, atol=1e-8)
    copied[0, 0] *= 1.0001
    moved = case.fitted(case.with_missing, copied)
    np.testing.assert_allclose(moved, expected, rtol=0, atol=1e-3)


FULL_BATCH = {"early_stopping": False, "batch_size": 1000, "loss": "log_loss"}


@properties
@given(cases)
@example(Case(2_103_921_103))  # a label of less than one row of mean weight
def test_a_fit_to_whole_weights_is_one_to_repeated_rows(case):
    """Where nothing is split or batched; a scheme that reads sizes cannot hold.

    Adam divides by the size of a gradient, and so magnifies the rounding of small ones.
    """
    again = np.repeat(np.arange(len(case.X)), case.times)
    for y, params in (
        (case.with_missing, {"pos_weight": ["balanced", "sqrt", "log"][case.seed % 3]}),
        (case.y, {"class_weight": "balanced", "pos_weight": None}),
    ):
        params = {**FULL_BATCH, **params}
        repeated = case.fitted(y[again], None, X=case.X[again], **params)
        weighted = case.fitted(y, case.times, **params)
        # The probability of a label of one value, or of less than one row of mean
        # weight, is shrunk by weights of mean 1.
        trained, tolerance = slice(None), 1e-6
        if y.ndim == 2:
            counts = [(y[again] == value).sum(axis=0) for value in (0, 1)]
            trained = np.min(counts, axis=0) * len(y) >= case.times.sum()
            if not trained.all():  # which the hidden layer passes on to other labels
                tolerance = 1e-3
        np.testing.assert_allclose(
            weighted[:, trained], repeated[:, trained], rtol=0, atol=tolerance
        )


@properties
@given(cases)
def test_the_order_of_rows_does_not_matter_to_a_fit_to_one_batch(case):
    order = case.rng.permutation(len(case.X))
    params = {**FULL_BATCH, "pos_weight": "balanced"}
    expected = case.fitted(case.with_missing, case.entries, **params)
    found = case.fitted(
        case.with_missing[order], case.entries[order], X=case.X[order], **params
    )
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


# ------------------------------------------------------------------ counts and weights


def labels_of(Y):
    return [check_label_matrix(each) for each in (Y, sp.csr_array(Y))]


@properties
@given(cases)
def test_counts_by_hand(case):
    for weight in (case.rows[:, None], case.entries):
        W = np.broadcast_to(weight, case.Y.shape)
        expected = [(W * (case.with_missing == value)).sum(axis=0) for value in (1, 0)]
        dense = case.rows if weight.shape[1] == 1 else case.entries
        for labels in labels_of(case.with_missing):
            for w in (dense, check_weights(sparse(W), *W.shape)):
                for found, wanted in zip(count_labels(labels, w), expected):
                    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)
                    np.testing.assert_array_equal(found == 0, wanted == 0)


@properties
@given(cases)
def test_weights_count_whole_weights_as_repeats(case):
    again = np.repeat(np.arange(len(case.Y)), case.times)
    for compute in (compute_pos_weight, compute_label_weight):
        for scheme in WEIGHT_SCHEMES:
            expected = compute(case.with_missing[again], scheme)
            for y in (case.with_missing, sp.csr_array(case.with_missing)):
                found = compute(y, scheme, sample_weight=case.times)
                np.testing.assert_allclose(found, expected, rtol=1e-10)


@properties
@given(cases)
def test_class_weights_are_those_of_repeats_and_of_scikit_learn(case):
    classes, y = np.unique(case.y), case.y
    again = np.repeat(np.arange(len(y)), case.times)
    found = compute_class_weight(y, sample_weight=case.times)
    expected = sklearn_class_weight("balanced", classes=classes, y=y[again])
    np.testing.assert_allclose(list(found.values()), expected, rtol=1e-10)
    weighted = list(compute_class_weight(y, sample_weight=case.rows).values())
    by_hand = [
        case.rows.sum() / (len(classes) * case.rows[y == k].sum()) for k in classes
    ]
    np.testing.assert_allclose(weighted, by_hand, rtol=1e-10)


# ---------------------------------------------------------------- losses and gradients


def value_and_gradient(loss, scores, labels, weight):
    criterion = criterion_of(loss)(loss, has_missing=True)
    scores = torch.tensor(scores, requires_grad=True)
    labels, weight = torch.as_tensor(labels), torch.as_tensor(weight)
    value = criterion(scores, labels, weight)
    value.backward()
    return value.item(), scores.grad.numpy()


@properties
@given(cases, st.sampled_from([LogLoss, FocalLoss, AsymmetricLoss, ZLPRLoss]))
def test_loss_and_gradient_of_whole_weights_are_those_of_repeats(case, kind):
    again = np.repeat(np.arange(len(case.Y)), case.times)
    labels, scores = (
        check_label_matrix(case.with_missing),
        case.rng.normal(size=case.Y.shape),
    )
    loss = kind()
    loss.setup(*count_labels(labels))
    times = case.times.astype(float)
    value, gradient = value_and_gradient(loss, scores, labels, times)
    expected, parts = value_and_gradient(
        loss, scores[again], labels[again], np.ones(len(again))
    )
    summed = np.zeros_like(scores)
    np.add.at(summed, again, parts)
    assert value == pytest.approx(expected, rel=1e-10)
    np.testing.assert_allclose(gradient, summed, rtol=0, atol=1e-10)
    copied = np.repeat(times[:, None], case.Y.shape[1], axis=1)
    value, gradient = value_and_gradient(loss, scores, labels, copied)
    assert value == pytest.approx(expected, rel=1e-10)
    np.testing.assert_allclose(gradient, summed, rtol=0, atol=1e-10)


# ------------------------------------------------- calibration, thresholds and metrics


def of_label_calibrator(make):
    def fitted(case, y, P, weight):
        calibrator = make().fit(np.log(P / (1 - P)), y, weight)
        return calibrator.transform(np.log(case.P / (1 - case.P)))

    return fitted


def of_temperature(case, y, P, weight):
    log_p = np.log(P / P.sum(axis=1, keepdims=True))
    y = np.nan_to_num(y.toarray() if sp.issparse(y) else y).argmax(axis=1)
    return TemperatureCalibrator().fit(log_p, y, weight).transform(log_p[:1])


def of_score(score, *args, **options):
    def value(case, y, P, weight):
        return score(y, P, *args, sample_weight=weight, **options)

    return value


def of_predictions(score, **options):
    def value(case, y, P, weight):
        return score(y, (P > 0.5).astype(int), sample_weight=weight, **options)

    return value


AVERAGES = "macro", "micro", "samples", "weighted"
BY_ENTRY = {
    f"{name}-{average}": make(score, average=average)
    for average in AVERAGES
    for name, make, score in (
        ("average precision", of_score, multilabel_average_precision_score),
        ("roc auc", of_score, multilabel_roc_auc_score),
        ("log-loss", of_score, multilabel_log_loss),
        ("brier", of_score, multilabel_brier_score_loss),
        ("calibration error", of_score, calibration_error),
        ("f-beta", of_predictions, multilabel_fbeta_score),
    )
}
BY_ENTRY |= {
    "uniform calibration error": of_score(calibration_error, strategy="uniform"),
    "expected-observed ratio": of_score(expected_observed_ratio),
    "predicted-observed ratio": of_predictions(predicted_observed_ratio),
    "pooled calibrator": of_label_calibrator(PooledCalibrator),
    "label calibrator": of_label_calibrator(LabelCalibrator),
    "isotonic calibrator": of_label_calibrator(lambda: LabelCalibrator("isotonic")),
    "thresholds": of_score(tune_thresholds),
    "thresholds of micro": of_score(tune_thresholds, average="micro"),
}
ROW_SEARCH = "thresholds of rows"
BY_ROW = {
    "temperature": of_temperature,
    "precision at k": of_score(precision_at_k, 1),
    "recall at k": of_score(recall_at_k, 1),
    "ndcg": of_score(ndcg_at_k, 2),
    "coverage": of_score(coverage_error),
    "ranking": of_score(label_ranking_average_precision_score),
    ROW_SEARCH: of_score(tune_thresholds, average="samples"),
}
each = pytest.mark.parametrize("name", [*BY_ENTRY, *BY_ROW])
each_by_entry = pytest.mark.parametrize("name", list(BY_ENTRY))
CALLS = {**BY_ENTRY, **BY_ROW}


# Mean scores of rows often tie at several thresholds; rounding then decides.
@pytest.mark.parametrize("name", [name for name in CALLS if name != ROW_SEARCH])
@properties
@given(case=cases)
def test_whole_weights_are_repeats(name, case):
    call, again = CALLS[name], np.repeat(np.arange(len(case.Y)), case.times)
    expected = call(case, case.with_missing[again], case.P[again], None)
    for y in (case.with_missing, sp.csr_array(case.with_missing)):
        found = call(case, y, case.P, case.times)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


# A prior of a calibrator and the shrinkage of a threshold count rows, and repeats too.
READS_COUNTS = {name for name in CALLS if "calibrator" in name or "thresh" in name}
READS_COUNTS.add("temperature")


@pytest.mark.parametrize("name", [name for name in CALLS if name not in READS_COUNTS])
@properties
@given(case=cases, exponent=st.integers(-60, 60))
def test_the_scale_of_weights_does_not_matter(name, case, exponent):
    call = CALLS[name]
    expected = call(case, case.with_missing, case.P, case.rows)
    found = call(case, case.with_missing, case.P, case.rows * 2.0**exponent)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


@each
@properties
@given(case=cases)
def test_rows_of_weight_zero_equal_absent_rows(name, case):
    call, kept = CALLS[name], case.rows > 0
    expected = call(case, case.with_missing[kept], case.P[kept], case.rows[kept])
    found = call(case, case.with_missing, case.P, case.rows)
    # A temperature is found to a millionth of its logarithm.
    tolerance = 1e-4 if name == "temperature" else 1e-6
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=1e-8)


@each_by_entry
@properties
@given(case=cases)
def test_entries_in_every_container(name, case):
    call, W = CALLS[name], case.entries
    names = list("abcd")[: W.shape[1]]
    expected = call(case, case.with_missing, case.P, W)
    with_missing = np.where(W == 0, np.nan, case.with_missing)
    frame = pd.DataFrame(case.with_missing, columns=names)
    for y, weight in (
        (sp.csr_array(case.with_missing), W),
        (case.with_missing, sparse(W)),
        (sp.csr_array(case.with_missing), sparse(W)),
        (frame, pd.DataFrame(W, columns=names)[names[::-1]]),
        (with_missing, np.where(W == 0, 5.0, W)),
    ):
        found = call(case, y, case.P, weight)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


@each
@properties
@given(case=cases)
def test_the_order_of_rows_does_not_matter(name, case):
    call, order = CALLS[name], case.rng.permutation(len(case.Y))
    if name == "temperature":
        order[order.argmin()], order[0] = order[0], 0
    expected = call(case, case.with_missing, case.P, case.rows)
    found = call(case, case.with_missing[order], case.P[order], case.rows[order])
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)
