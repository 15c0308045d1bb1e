"""Displays: their data by hand, and pictures that stay readable."""

from functools import partial
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score, precision_score
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skimbalance.calibration import MultilabelCalibratedClassifierCV
from skimbalance.displays import (
    MultilabelCalibrationDisplay,
    MultilabelPrecisionRecallDisplay,
    ThresholdCurveDisplay,
    TrainingHistoryDisplay,
)
from skimbalance.exceptions import UndefinedLabelWarning
from skimbalance.neural_network import ImbalancedMLPClassifier
from skimbalance.thresholds import (
    MultilabelFixedThresholdClassifier,
    MultilabelTunedThresholdClassifierCV,
)

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def _drawn(n=400, k=3, shift=-1.0, seed=0):
    rng = np.random.default_rng(seed)
    proba = expit(rng.normal(size=(n, k)) * 1.5 + shift)
    return (rng.random((n, k)) < proba).astype(int), proba


FROM_SCORES = [
    MultilabelPrecisionRecallDisplay,
    MultilabelCalibrationDisplay,
    ThresholdCurveDisplay,
]
each_display = pytest.mark.parametrize("display", FROM_SCORES)


def test_precision_recall_by_hand():
    Y, S = np.array([1, 0, 1, 0, 0, 1]), np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    shown = MultilabelPrecisionRecallDisplay.from_predictions(Y, S)
    # A third of the positives at the top, two thirds after three, all after six.
    for recall, precision in ((0.0, 1.0), (0.33, 1.0), (0.34, 2 / 3), (1.0, 0.5)):
        place = np.abs(shown.recall - recall).argmin()
        assert shown.macro[place] == pytest.approx(precision)
    assert shown.average_precision["macro"] == average_precision_score(Y, S)


def test_precision_recall_of_many_labels():
    Y, P = _drawn(k=4)
    shown = MultilabelPrecisionRecallDisplay.from_predictions(Y, P)
    curves = np.array(list(shown.label_curves.values()))
    np.testing.assert_allclose(shown.macro, curves.mean(axis=0))
    assert (shown.low <= shown.macro).all()
    assert (shown.macro <= shown.high).all()
    whole = MultilabelPrecisionRecallDisplay.from_predictions(Y.ravel(), P.ravel())
    np.testing.assert_allclose(shown.micro, whole.macro)
    assert shown.average_precision["micro"] == pytest.approx(
        average_precision_score(Y, P, average="micro")
    )
    assert shown.average_precision["label 2"] == pytest.approx(
        average_precision_score(Y[:, 2], P[:, 2])
    )


@each_display
def test_missing_and_sparse_labels_are_read(display):
    Y, P = _drawn()
    with_missing = np.where(np.random.default_rng(1).random(Y.shape) < 0.2, np.nan, Y)
    dense, sparse = (
        display.from_predictions(y, P)
        for y in (with_missing, sp.csr_array(with_missing))
    )
    for key, value in vars(dense).items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, getattr(sparse, key))
    complete = display.from_predictions(Y, P)
    lines = complete.line_.get_ydata(), dense.line_.get_ydata()
    assert not np.array_equal(*lines)


@each_display
def test_weights_are_repeated_rows(display):
    Y, P = _drawn(60)
    times = np.random.default_rng(0).integers(1, 4, len(Y))
    options = {"strategy": "uniform"} if "Calibration" in display.__name__ else {}
    weighted = display.from_predictions(Y, P, sample_weight=times, **options)
    repeated = display.from_predictions(
        np.repeat(Y, times, axis=0), np.repeat(P, times, axis=0), **options
    )
    np.testing.assert_allclose(
        weighted.line_.get_ydata(), repeated.line_.get_ydata(), atol=1e-12
    )


def test_calibration_by_hand():
    P = np.repeat([[0.1], [0.3], [0.8]], 10, axis=0)
    Y = (np.arange(30)[:, None] % 10 < np.repeat([2, 3, 9], 10)[:, None]).astype(int)
    shown = MultilabelCalibrationDisplay.from_predictions(Y, P, n_bins=3)
    expected, observed = shown.curves["probabilities"]
    np.testing.assert_allclose(expected, [0.1, 0.3, 0.8])
    np.testing.assert_allclose(observed, [0.2, 0.3, 0.9])
    means = shown.label_means["probabilities"]
    np.testing.assert_allclose(np.ravel(means), [0.4, 14 / 30])


def test_uncorrected_and_corrected_probabilities_are_drawn():
    Y, P = _drawn()
    shown = MultilabelCalibrationDisplay.from_predictions(Y, P, uncorrected=np.sqrt(P))
    texts = [t.get_text() for t in shown.ax_.get_legend().get_texts()]
    assert texts == ["corrected", "uncorrected", "calibrated"]
    gaps = [np.abs(np.subtract(*curve)).mean() for curve in shown.curves.values()]
    assert gaps[0] < gaps[1] / 3
    assert shown.ax_.get_xscale() == "linear"
    rare = MultilabelCalibrationDisplay.from_predictions(*_drawn(2000, shift=-6.0))
    assert rare.ax_.get_xscale() == "log"
    at_zero = rare.ax_.transData.transform((1e-3, 0.0))
    assert not np.isfinite(at_zero).all()  # a bin without positives is left out


def test_threshold_curves_by_hand():
    Y, P = _drawn()
    shown = ThresholdCurveDisplay.from_predictions(Y, P)
    for place in (10, 40, 70):
        predicted = shown.thresholds[place] <= P
        expected = f1_score(Y, predicted, average="macro")
        assert shown.f1[place] == pytest.approx(expected)
        expected = precision_score(Y, predicted, average="macro", zero_division=np.nan)
        assert shown.precision[place] == pytest.approx(expected)
        recall = [(p & (y == 1)).sum() / y.sum() for y, p in zip(Y.T, predicted.T)]
        assert shown.recall[place] == pytest.approx(np.mean(recall))
    for k, threshold in enumerate(shown.label_thresholds.values()):
        each = [f1_score(Y[:, k], P[:, k] >= c) for c in shown.thresholds]
        assert threshold == shown.thresholds[np.argmax(each)]


@pytest.mark.parametrize("lowest", [-4.0, 0.01, 0.2])
def test_scores_equal_to_a_threshold_are_not_predicted(lowest):
    """As by the classifiers: those of votes often lie on a threshold."""
    rng = np.random.default_rng(0)
    score = np.append(lowest, rng.integers(3, 11, 300) / 10)
    y = (rng.random(301) < np.clip(score, 0, 1)).astype(int)
    shown = ThresholdCurveDisplay.from_predictions(y, score)
    f1 = [f1_score(y, score > threshold) for threshold in shown.thresholds]
    np.testing.assert_allclose(shown.f1, f1)
    assert shown.recall[0] == 1
    assert shown.recall[-1] == 0


def test_thresholds_of_a_classifier_are_marked():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    Y = (X[:, :3] + rng.normal(size=(200, 3)) > 0.7).astype(int)
    inner = OneVsRestClassifier(LogisticRegression())
    model = MultilabelTunedThresholdClassifierCV(inner).fit(X, Y)
    shown = ThresholdCurveDisplay.from_estimator(model, X, Y)
    np.testing.assert_allclose(list(shown.label_thresholds.values()), model.thresholds_)
    scores = ThresholdCurveDisplay.from_predictions(Y, model.decision_function(X))
    assert scores.thresholds[0] < 0


@each_display
def test_from_estimator_reads_any_classifier(display):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 4))
    Y = (X[:, :3] + rng.normal(size=(150, 3)) > 0.5).astype(int)
    model = OneVsRestClassifier(LogisticRegression()).fit(X, Y)
    from_model = display.from_estimator(model, X, Y)
    from_proba = display.from_predictions(Y, model.predict_proba(X))
    np.testing.assert_allclose(
        from_model.line_.get_ydata(), from_proba.line_.get_ydata()
    )
    binary = LogisticRegression().fit(X, np.array(["a", "b"])[Y[:, 0]])
    shown = display.from_estimator(binary, X, np.array(["a", "b"])[Y[:, 0]])
    assert shown.figure_ is shown.ax_.figure
    _, ax = plt.subplots()
    assert display.from_estimator(model, X, Y, ax=ax).ax_ is ax


@each_display
def test_from_estimator_reads_frames_by_name(display):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 4))
    Y = (X[:, :3] + rng.normal(size=(150, 3)) > [0.5, 0.9, 1.2]).astype(int)
    Y = pd.DataFrame(Y, columns=["a", "b", "c"])
    weight = rng.integers(1, 6, Y.shape).astype(float)
    inner = OneVsRestClassifier(LogisticRegression())
    model = make_pipeline(StandardScaler(), MultilabelCalibratedClassifierCV(inner))
    model.fit(X, Y)
    plain = display.from_estimator(model, X, Y)
    expected = display.from_estimator(model, X, Y, sample_weight=weight)
    assert not np.array_equal(plain.line_.get_ydata(), expected.line_.get_ydata())
    shown = display.from_estimator(
        model, X, Y[["c", "a", "b"]], sample_weight=weight[:, [2, 0, 1]]
    )
    np.testing.assert_allclose(shown.line_.get_ydata(), expected.line_.get_ydata())


def test_what_is_given_by_position_goes_with_the_columns_of_y():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 4))
    Y = (X[:, :3] + rng.normal(size=(150, 3)) > [0.5, 0.9, 1.2]).astype(int)
    Y = pd.DataFrame(Y, columns=["a", "b", "c"])
    model = MultilabelTunedThresholdClassifierCV(
        OneVsRestClassifier(LogisticRegression()), cv=2
    ).fit(X, Y)
    other, names = Y[["c", "a", "b"]], ["C", "A", "B"]
    draw = partial(MultilabelPrecisionRecallDisplay.from_estimator, model, X)
    plain = draw(Y)
    shown = draw(other, label_names=names, labels=[0, 1])
    assert list(shown.label_curves) == ["C", "A"]
    for name in "ac":
        curve = shown.label_curves[name.upper()]
        np.testing.assert_array_equal(curve, plain.label_curves[name])
    draw = partial(ThresholdCurveDisplay.from_estimator, model, X, other)
    own = dict(zip("ABC", model.thresholds_, strict=True))
    assert draw(label_names=names).label_thresholds == own
    given = draw(thresholds=[0.3, 0.1, 0.2]).label_thresholds
    assert given == {"c": 0.3, "a": 0.1, "b": 0.2}


def test_the_labels_of_two_estimators_are_matched_by_name():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 4))
    Y = (X[:, :3] + rng.normal(size=(150, 3)) > [0.5, 0.9, 1.2]).astype(int)
    Y = pd.DataFrame(Y, columns=["a", "b", "c"])
    models = [
        MultilabelFixedThresholdClassifier(OneVsRestClassifier(LogisticRegression()))
        for _ in range(3)
    ]
    model = models[0].fit(X, Y)
    same, other = models[1].fit(X, Y), models[2].fit(X, Y[["c", "a", "b"]])
    for y in (Y, Y.to_numpy()):
        draw = partial(MultilabelCalibrationDisplay.from_estimator, model, X, y)
        curves = [draw(uncorrected=each).curves for each in (same, other)]
        np.testing.assert_allclose(curves[0]["uncorrected"], curves[1]["uncorrected"])


def test_names_of_y_are_enough_to_match_the_labels_of_two_estimators():
    """A classifier without names has the order of `y`, the other one its own."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 4))
    Y = (X[:, :3] + rng.normal(size=(150, 3)) > [0.5, 0.9, 1.2]).astype(int)
    Y = pd.DataFrame(Y, columns=["a", "b", "c"])
    plain = OneVsRestClassifier(LogisticRegression()).fit(X, Y.to_numpy())
    named = MultilabelFixedThresholdClassifier(plain, cv=2).fit(X, Y[["c", "a", "b"]])
    draw = MultilabelCalibrationDisplay.from_estimator
    expected = draw(plain, X, Y).curves["probabilities"]
    for first, second in ((plain, named), (named, plain)):
        curves = draw(first, X, Y, uncorrected=second).curves
        for curve in curves.values():
            np.testing.assert_allclose(curve, expected)


def test_a_pipeline_and_a_search_have_the_positive_class_and_thresholds_of_theirs():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 4))
    y = np.where(X[:, 0] + rng.normal(size=150) > 1, "fraud", "ok")
    model = MultilabelTunedThresholdClassifierCV(
        LogisticRegression(), pos_label="fraud"
    )
    alone = ThresholdCurveDisplay.from_estimator(model.fit(X, y), X, y)
    search = GridSearchCV(make_pipeline(FunctionTransformer(), model), {}).fit(X, y)
    shown = ThresholdCurveDisplay.from_estimator(search, X, y)
    assert shown.label_thresholds == alone.label_thresholds
    np.testing.assert_array_equal(shown.f1, alone.f1)


def test_calibration_of_two_estimators():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 4))
    Y = (X[:, :3] > 0.5).astype(int)
    model = OneVsRestClassifier(LogisticRegression()).fit(X, Y)
    weak = OneVsRestClassifier(LogisticRegression(C=1e-4)).fit(X, Y)
    shown = MultilabelCalibrationDisplay.from_estimator(model, X, Y, uncorrected=weak)
    assert set(shown.curves) == {"corrected", "uncorrected"}


@each_display
@pytest.mark.parametrize("n_labels", [5, 300])
def test_artists_do_not_grow_with_the_labels(display, n_labels):
    """Few artists and a legend that fits, whatever the number of labels."""
    Y, P = _drawn(300, n_labels)
    shown = display.from_predictions(Y, P)
    shown.figure_.canvas.draw()
    assert len(shown.ax_.get_lines()) <= 12
    texts = [t.get_text() for t in shown.ax_.get_legend().get_texts()]
    assert len(texts) <= 10
    if n_labels > 10 and "Calibration" not in display.__name__:
        assert any("300 labels" in text for text in texts)


def test_chosen_labels_and_names():
    pd = pytest.importorskip("pandas")
    Y, P = _drawn(k=12)
    frame = pd.DataFrame(Y, columns=[f"name {k}" for k in range(12)])
    shown = MultilabelPrecisionRecallDisplay.from_predictions(frame, P, labels=[3, 7])
    assert list(shown.label_curves) == ["name 3", "name 7"]
    assert not MultilabelPrecisionRecallDisplay.from_predictions(Y, P).label_curves


def test_names_that_repeat_or_are_those_of_the_means():
    Y, P = _drawn()
    for display in (MultilabelPrecisionRecallDisplay, ThresholdCurveDisplay):
        with pytest.raises(ValueError, match="'cat' more than once"):
            display.from_predictions(Y, P, label_names=["cat", "dog", "cat"])
    names = ["macro", "micro", "cat"]
    shown = MultilabelPrecisionRecallDisplay.from_predictions(Y, P, label_names=names)
    plain = MultilabelPrecisionRecallDisplay.from_predictions(Y, P)
    keys = ["macro", "micro", "label macro", "label micro", "cat"]
    assert list(shown.average_precision) == keys
    values = list(plain.average_precision.values())
    assert list(shown.average_precision.values()) == values


@pytest.mark.parametrize(
    "display", [MultilabelPrecisionRecallDisplay, ThresholdCurveDisplay]
)
def test_labels_without_positives_are_left_out(display):
    Y, P = _drawn()
    Y[:, 1] = 0
    with pytest.warns(UndefinedLabelWarning, match="1 of 3 labels") as caught:
        shown = display.from_predictions(Y, P)
    assert len(caught) == 1
    assert np.isfinite(shown.line_.get_ydata()).all()
    with pytest.raises(ValueError, match="no positive label"):
        display.from_predictions(np.zeros_like(Y), P)


def test_training_history():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    Y = (X[:, :3] + rng.normal(size=(300, 3)) > 0.5).astype(int)
    net = ImbalancedMLPClassifier((8,), max_epochs=5, random_state=0).fit(X, Y)
    shown = TrainingHistoryDisplay.from_estimator(net)
    losses = [epoch["train_loss"] for epoch in net.history_]
    np.testing.assert_allclose(shown.line_.get_ydata(), losses)
    history = [
        {"epoch": k, "train_loss": 1 / k, "valid_loss": 1 / k, "valid_score": s}
        for k, s in enumerate([0.1, 0.5, 0.3], 1)
    ]
    shown = TrainingHistoryDisplay.from_predictions(history)
    texts = [t.get_text() for t in shown.ax_.get_legend().get_texts()]
    assert texts[-1] == "best epoch, 2"
    for epoch in history:
        epoch["valid_score"] = np.nan  # as the ROC AUC of rows of one class
    shown = TrainingHistoryDisplay.from_predictions(history)
    texts = [t.get_text() for t in shown.ax_.get_legend().get_texts()]
    assert texts[-1] == "best epoch, 3"
    alone = TrainingHistoryDisplay.from_predictions([{"train_loss": 1.0}])
    assert alone.valid_loss is None


def test_history_of_a_net_in_a_pipeline_or_a_search():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 4))
    y = (X[:, 0] > 0.5).astype(int)
    net = ImbalancedMLPClassifier((4,), n_members=1, max_epochs=2, random_state=0)
    pipeline = make_pipeline(StandardScaler(), net)
    search = GridSearchCV(pipeline, {"imbalancedmlpclassifier__lr": [1e-3]}, cv=2)
    for model in (pipeline, search):
        shown = TrainingHistoryDisplay.from_estimator(model.fit(X, y))
        assert len(shown.epoch) == 2
    with pytest.raises(ValueError, match="no history_"):
        TrainingHistoryDisplay.from_estimator(make_pipeline(StandardScaler()).fit(X))


def test_one_label_has_one_curve_and_its_base_rate():
    Y, P = _drawn(k=1)
    shown = MultilabelPrecisionRecallDisplay.from_predictions(Y, P)
    texts = [t.get_text() for t in shown.ax_.get_legend().get_texts()]
    assert len(texts) == 2
    assert shown.base_rate == pytest.approx(Y.mean())
    assert texts[1] == f"base rate ({Y.mean():.2g})"
    assert not any("90 %" in text or "micro" in text for text in texts)
    assert "labels" not in shown.ax_.get_title()
    curve = ThresholdCurveDisplay.from_predictions(Y, P)
    assert curve.ax_.get_ylabel() == "Score"


@each_display
def test_title_counts_the_labels(display):
    assert display.from_predictions(*_drawn()).ax_.get_title().endswith("of 3 labels")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: TrainingHistoryDisplay.from_predictions([]), "history"),
        (lambda: TrainingHistoryDisplay.from_predictions([{"loss": 1}]), "train_loss"),
        (
            lambda: TrainingHistoryDisplay.from_estimator(LogisticRegression()),
            "no history_",
        ),
        (
            lambda: MultilabelPrecisionRecallDisplay.from_predictions(
                [[1, 0], [0, 1]], np.eye(2), labels=[2]
            ),
            "column numbers below 2",
        ),
        (
            lambda: MultilabelPrecisionRecallDisplay.from_predictions(
                [[1, 0], [0, 1]], np.eye(2), labels=[False, True]
            ),
            "column numbers below 2",
        ),
        (
            lambda: MultilabelPrecisionRecallDisplay.from_predictions(
                [[1, 0], [0, 1]], np.eye(2), labels=["cat"]
            ),
            "column numbers below 2",
        ),
        (
            lambda: ThresholdCurveDisplay.from_predictions(
                [[1, 0], [0, 1]], np.eye(2), label_names=["a"]
            ),
            "label_names",
        ),
        (
            lambda: MultilabelCalibrationDisplay.from_predictions([1, 0], [0.5, 2]),
            "between 0 and 1",
        ),
        (
            lambda: MultilabelCalibrationDisplay.from_predictions(
                [1, 0], [0.5, 0.2], strategy="mass"
            ),
            "strategy",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"skimbalance\[plot\]"):
        TrainingHistoryDisplay.from_predictions([{"train_loss": 1.0}])


def test_tick_labels_of_a_narrow_logarithmic_axis_do_not_overlap():
    rng = np.random.default_rng(0)
    proba = np.clip(rng.gamma(4, 0.003, 2000), 1e-3, 0.08)
    y = (rng.random(2000) < proba).astype(int)
    display = MultilabelCalibrationDisplay.from_predictions(y, proba, n_bins=5)
    display.figure_.canvas.draw()
    axis = display.ax_.xaxis
    shown = axis.get_ticklabels() + axis.get_ticklabels(minor=True)
    low, high = display.ax_.bbox.x0 - 1, display.ax_.bbox.x1 + 1
    boxes = [label.get_window_extent() for label in shown if label.get_text()]
    boxes = sorted((b.x0, b.x1) for b in boxes if low <= (b.x0 + b.x1) / 2 <= high)
    assert len(boxes) >= 2
    assert all(first[1] < second[0] for first, second in pairwise(boxes))
