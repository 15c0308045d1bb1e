"""The positive class of wrappers, scorers and displays, and what goes by names."""

import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.dummy import DummyClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import partial_dependence
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    f1_score,
    log_loss,
    make_scorer,
    precision_score,
    roc_auc_score,
)
from sklearn.model_selection import cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.fixes import parse_version

from skimbalance.calibration import MultilabelCalibratedClassifierCV
from skimbalance.displays import (
    MultilabelCalibrationDisplay,
    MultilabelPrecisionRecallDisplay,
    ThresholdCurveDisplay,
)
from skimbalance.exceptions import PositiveClassWarning, UndefinedLabelWarning
from skimbalance.metrics import get_scorer
from skimbalance.neural_network import ImbalancedMLPClassifier
from skimbalance.thresholds import (
    Cost,
    FBeta,
    MinimumExpectedCostClassifier,
    MultilabelFixedThresholdClassifier,
    MultilabelTunedThresholdClassifierCV,
    tune_thresholds,
)

RARE_FIRST = {
    "strings": (np.array(["ok", "fraud"]), "fraud"),
    "objects": (np.array(["ok", "fraud"], dtype=object), "fraud"),
    "numbers": (np.array([2, 1]), 1),
    "bools": (np.array([True, False]), False),
}
each_coding = pytest.mark.parametrize(
    ("names", "rare"), RARE_FIRST.values(), ids=RARE_FIRST
)


def _rows(n=500, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    return X, (X[:, 0] + rng.normal(size=n) > 1.5).astype(int)


def _label_rows(n=300):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 4))
    return X, (X[:, :3] + rng.normal(size=(n, 3)) > [0.3, 0.8, 1.4]).astype(int)


WRAPPERS = {
    "f_beta": lambda **o: MultilabelFixedThresholdClassifier(
        LogisticRegression(), threshold=FBeta(beta=2), **o
    ),
    "cost": lambda **o: MultilabelFixedThresholdClassifier(
        LogisticRegression(), threshold=Cost(cost_fn=9), **o
    ),
    "prior": lambda **o: MultilabelFixedThresholdClassifier(
        LogisticRegression(), threshold="prior", **o
    ),
    "number": lambda **o: MultilabelFixedThresholdClassifier(
        LogisticRegression(), threshold=0.2, **o
    ),
    "tuned": lambda **o: MultilabelTunedThresholdClassifierCV(
        LogisticRegression(), **o
    ),
    "scorer": lambda **o: MultilabelTunedThresholdClassifierCV(
        LogisticRegression(), scoring="precision", **o
    ),
    "constraint": lambda **o: MultilabelTunedThresholdClassifierCV(
        LogisticRegression(), constraint=("recall", 0.7), **o
    ),
    "margins": lambda **o: MultilabelTunedThresholdClassifierCV(LinearSVC(), **o),
    "calibrated": lambda **o: MultilabelCalibratedClassifierCV(
        LogisticRegression(), method="isotonic", **o
    ),
}


@each_coding
@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_pos_label_predicts_as_the_target_of_0_and_1(wrap, names, rare):
    X, t = _rows()
    plain = wrap().fit(X, t)
    model = wrap(pos_label=rare).fit(X, names[t])
    np.testing.assert_array_equal(model.predict(X) == rare, plain.predict(X) == 1)
    np.testing.assert_array_equal(model.classes_, np.unique(names))
    assert model.pos_label_ == rare
    if hasattr(model, "thresholds_"):
        np.testing.assert_allclose(model.thresholds_, plain.thresholds_, atol=1e-6)
    if hasattr(model, "predict_proba"):
        # The columns follow classes_, whatever is positive.
        proba = model.predict_proba(X)
        np.testing.assert_allclose(proba[:, ::-1], plain.predict_proba(X), atol=1e-6)
        np.testing.assert_array_equal(model.predict_log_proba(X), np.log(proba))
    if hasattr(model, "decision_function"):
        scores = model.decision_function(X)
        np.testing.assert_allclose(scores, -plain.decision_function(X), atol=1e-4)


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_bad_pos_labels(wrap):
    X, t = _rows(60)
    with pytest.raises(ValueError, match=r"pos_label='frod'.*Did you mean 'fraud'"):
        wrap(pos_label="frod").fit(X, np.where(t, "fraud", "ok"))
    with pytest.raises(ValueError, match="multiclass"):
        wrap(pos_label=1).fit(X, np.arange(60) % 3)
    with pytest.raises(ValueError, match="multilabel"):
        wrap(pos_label=1).fit(X, np.column_stack([t, 1 - t]))


# --------------------------------------------------------------------------
# Scorers in the tuned classifier


def _tuned(scoring, **options):
    return MultilabelTunedThresholdClassifierCV(
        LogisticRegression(), scoring=scoring, shrinkage=0, **options
    )


@each_coding
def test_the_pos_label_of_a_scorer_counts(names, rare):
    X, t = _rows()
    y = names[t]
    plain = _tuned("f1").fit(X, t)
    own = _tuned(make_scorer(f1_score, pos_label=rare)).fit(X, y)
    np.testing.assert_allclose(own.thresholds_, plain.thresholds_, atol=1e-6)
    assert own.pos_label_ == rare
    by_partial = partial(f1_score, pos_label=rare)
    # scikit-learn 1.7 cannot show the scorer of a function without a name.
    shows_partial = parse_version(sklearn.__version__) >= parse_version("1.8")
    for scoring in (by_partial, *[make_scorer(by_partial)] * shows_partial):
        again = _tuned(scoring).fit(X, y)
        np.testing.assert_array_equal(again.thresholds_, own.thresholds_)
    ours = _tuned(get_scorer("macro_f1", pos_label=rare)).fit(X, y)
    np.testing.assert_array_equal(ours.predict(X), own.predict(X))
    other = y[t == 0][0]
    with pytest.raises(ValueError, match="the scorer has pos_label"):
        _tuned(make_scorer(f1_score, pos_label=rare), pos_label=other).fit(X, y)
    with pytest.raises(ValueError, match="none of the classes"):
        _tuned(make_scorer(f1_score, pos_label="neither")).fit(X, y)


def test_a_scorer_gets_the_classes_as_they_were_passed():
    X, t = _rows(200)
    y, received = np.where(t, "fraud", "ok"), set()

    def metric(y_true, y_pred):
        received.update(y_true, y_pred)
        return balanced_accuracy_score(y_true, y_pred)

    found = _tuned(make_scorer(metric), pos_label="fraud").fit(X, y)
    assert received == {"fraud", "ok"}
    exact = _tuned("balanced_accuracy").fit(X, t)
    np.testing.assert_allclose(found.best_scores_, exact.best_scores_)


@pytest.mark.parametrize(
    "scoring",
    ["f1", "precision", "f1_macro", make_scorer(f1_score), f1_score],
    ids=["f1", "precision", "f1_macro", "scorer", "function"],
)
def test_weights_of_rows_reach_every_metric(scoring):
    X, t = _rows(200)
    plain, ones, drawn = (
        _tuned(scoring).fit(X, t, sample_weight=w)
        for w in (None, np.ones(200), np.where(t, 5.0, 1.0))
    )
    np.testing.assert_allclose(plain.thresholds_, ones.thresholds_)
    assert not np.allclose(plain.thresholds_, drawn.thresholds_)


def test_a_metric_without_weights_is_refused_before_training():
    X, t = _rows(60)

    def metric(y_true, y_pred):
        return 0.0

    class Untrainable(LogisticRegression):
        def fit(self, X, y, sample_weight=None):
            raise AssertionError("trained")

    for scoring in (metric, make_scorer(metric)):
        model = MultilabelTunedThresholdClassifierCV(Untrainable(), scoring=scoring)
        with pytest.raises(ValueError, match="sample_weight"):
            model.fit(X, t, sample_weight=np.ones(60))


def test_tuning_for_the_majority_warns_once():
    X, t = _rows(200)
    y = np.where(t, "fraud", "ok")
    for options in (
        {"scoring": "f1"},
        {"scoring": "precision"},
        {"constraint": ("recall", 0.5)},
    ):
        model = MultilabelTunedThresholdClassifierCV(LogisticRegression(), **options)
        with pytest.warns(PositiveClassWarning, match="pos_label") as caught:
            model.fit(X, y)
        assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for scoring in ("accuracy", "balanced_accuracy", "f1_macro"):
            _tuned(scoring).fit(X, y)
        _tuned(make_scorer(f1_score, pos_label="ok")).fit(X, y)


def test_constant_scores_warn():
    X, Y = _label_rows()
    with pytest.warns(UndefinedLabelWarning, match="3 of 3 labels have constant"):
        MultilabelTunedThresholdClassifierCV(DummyClassifier()).fit(X, Y)
    with pytest.warns(UndefinedLabelWarning, match="1 of 2 labels have constant"):
        tune_thresholds(Y[:, :2], np.column_stack([X[:, 0], np.full(300, 0.2)]))


# --------------------------------------------------------------------------
# Scorers by name

REFERENCES = {
    "macro_average_precision": average_precision_score,
    "micro_roc_auc": roc_auc_score,
    "neg_macro_log_loss": lambda y, p: -log_loss(y, p),
    "neg_micro_brier_score": lambda y, p: -brier_score_loss(y, p),
    "macro_f1": lambda y, p: f1_score(y, p > 0.5),
}


@each_coding
@pytest.mark.parametrize("name", REFERENCES)
def test_scorers_read_any_two_classes(name, names, rare):
    X, t = _rows()
    y = names[t]
    model = LogisticRegression().fit(X, y)
    proba = model.predict_proba(X)
    scorer = get_scorer(name, pos_label=rare)
    value = scorer(model, X, y)
    assert value == pytest.approx(REFERENCES[name](t, proba[:, 0]))
    assert scorer(model, X, pd.Series(y)) == value
    last = get_scorer(name)(model, X, y)
    assert last == pytest.approx(REFERENCES[name](1 - t, proba[:, 1]))
    weight = np.exp(X[:, 1])
    assert scorer(model, X, y, sample_weight=weight) != value
    assert np.isfinite(cross_val_score(model, X, y, scoring=scorer, cv=3)).all()


def test_scorers_refuse_what_they_cannot_read():
    X, Y = _label_rows()
    scorer = get_scorer("macro_f1", pos_label="fraud")
    model = OneVsRestClassifier(LogisticRegression()).fit(X, Y)
    with pytest.raises(ValueError, match="label matrix"):
        scorer(model, X, Y)
    three = np.arange(300) % 3
    model = LogisticRegression().fit(X, three)
    with pytest.raises(ValueError, match="3 classes"):
        get_scorer("macro_f1")(model, X, three)
    model = LogisticRegression().fit(X, np.where(Y[:, 0], "a", "b"))
    with pytest.raises(ValueError, match="none of the classes"):
        scorer(model, X, np.where(Y[:, 0], "a", "b"))


def test_scorers_align_label_frames():
    X, Y = _label_rows()
    frame = pd.DataFrame(Y, columns=["a", "b", "c"])
    net = ImbalancedMLPClassifier((), max_epochs=2, random_state=0).fit(X, frame)
    scorer = get_scorer("macro_average_precision")
    expected = pytest.approx(scorer(net, X, frame))
    assert scorer(net, X, frame[["c", "a", "b"]]) == expected


# --------------------------------------------------------------------------
# Displays

DISPLAYS = [
    MultilabelPrecisionRecallDisplay,
    MultilabelCalibrationDisplay,
    ThresholdCurveDisplay,
]


@pytest.fixture
def plt():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    pyplot = pytest.importorskip("matplotlib.pyplot")
    yield pyplot
    pyplot.close("all")


@each_coding
@pytest.mark.parametrize("display", DISPLAYS)
def test_displays_draw_the_positive_class(plt, display, names, rare):
    X, t = _rows()
    y = names[t]
    model = LogisticRegression().fit(X, y)
    proba = model.predict_proba(X)[:, 0]
    expected = display.from_predictions(t, proba).line_.get_ydata()
    for shown in (
        display.from_predictions(y, proba, pos_label=rare),
        display.from_estimator(model, X, y, pos_label=rare),
    ):
        ours = shown.line_.get_ydata()
        np.testing.assert_allclose(ours, expected, atol=1e-9)
    with pytest.raises(ValueError, match="none of the classes"):
        display.from_estimator(model, X, y, pos_label="neither")


@pytest.mark.parametrize("display", DISPLAYS)
def test_displays_align_frames_and_refuse_what_has_no_label(plt, display):
    X, Y = _label_rows()
    frame = pd.DataFrame(Y, columns=["a", "b", "c"])
    proba = OneVsRestClassifier(LogisticRegression()).fit(X, Y).predict_proba(X)
    scores = pd.DataFrame(proba, columns=["a", "b", "c"])
    expected = display.from_predictions(Y, proba).line_.get_ydata()
    aligned = display.from_predictions(frame, scores[["c", "a", "b"]])
    np.testing.assert_array_equal(aligned.line_.get_ydata(), expected)
    for y_true, y_score, message in (
        (frame, scores.rename(columns={"a": "x"}), "label columns"),
        ([[np.nan]], [[0.3]], "y_true has no"),
        (np.full((3, 2), np.nan), np.full((3, 2), 0.5), "y_true has no"),
        ([], [], "y_true is empty"),
        (np.empty((0, 2)), np.empty((0, 2)), "y_true has shape"),
        ([0, 1, 2], [0.1, 0.2, 0.3], "3 classes"),
    ):
        with pytest.raises(ValueError, match=message):
            display.from_predictions(y_true, y_score)


def test_thresholds_are_drawn_on_the_scores_that_they_are_for(plt):
    X, t = _rows()
    y = np.where(t, "fraud", "ok")
    model = MultilabelTunedThresholdClassifierCV(
        LogisticRegression(), response_method="decision_function", pos_label="fraud"
    ).fit(X, y)
    shown = ThresholdCurveDisplay.from_estimator(model, X, y)
    assert list(shown.label_thresholds.values()) == list(model.thresholds_)
    assert shown.thresholds[0] == pytest.approx(-model.decision_function(X).max())
    other = ThresholdCurveDisplay.from_estimator(model, X, y, pos_label="ok")
    assert list(other.label_thresholds.values()) != list(model.thresholds_)
    X, Y = _label_rows()
    frame = pd.DataFrame(Y, columns=["a", "b", "c"])
    marks = {"c": 0.3, "a": 0.1, "b": 0.2}
    shown = ThresholdCurveDisplay.from_predictions(frame, Y * 0.8, thresholds=marks)
    assert shown.label_thresholds == {"a": 0.1, "b": 0.2, "c": 0.3}


# --------------------------------------------------------------------------
# Costs by class


def test_a_cost_matrix_is_read_by_the_names_of_the_classes():
    X, t = _rows()
    y, classes = np.where(t, "fraud", "ok"), ["ok", "fraud"]
    costs = pd.DataFrame([[0, 1], [50, 0]], classes, classes)

    def flagged(costs, **options):
        model = MinimumExpectedCostClassifier(LogisticRegression(), costs, **options)
        return model.fit(X, y).predict(X) == "fraud"

    proba = LogisticRegression().fit(X, y).predict_proba(X)[:, 0]
    expected = proba > 1 / 51
    for order in ((0, 1), (1, 0)):
        rows = costs.iloc[list(order)]
        np.testing.assert_array_equal(flagged(rows), expected)
        columns = costs.iloc[:, list(order)]
        np.testing.assert_array_equal(flagged(columns), expected)
        np.testing.assert_array_equal(flagged(columns, pos_label="fraud"), expected)
    array = costs.to_numpy()
    np.testing.assert_array_equal(flagged(array, pos_label="fraud"), expected)
    np.testing.assert_array_equal(flagged(array[::-1, ::-1]), expected)
    for bad in (
        costs.rename(index={"ok": "okay"}),
        costs.rename(columns={"ok": "okay"}),
        costs.reset_index(drop=True),
        costs.rename(index={"ok": "fraud"}),
        costs.astype(str).replace("50", "dear"),
    ):
        with pytest.raises(ValueError, match="cost_matrix"):
            flagged(bad)


# --------------------------------------------------------------------------
# Classifiers that are fitted already, or of one class


@pytest.mark.parametrize(
    "wrap",
    [
        MultilabelFixedThresholdClassifier,
        MultilabelTunedThresholdClassifierCV,
        MultilabelCalibratedClassifierCV,
        MinimumExpectedCostClassifier,
    ],
)
def test_weights_do_not_reach_a_frozen_estimator(wrap):
    X, t = _rows()
    y = np.where(t, "fraud", "ok")
    frozen = FrozenEstimator(LogisticRegression().fit(X[:250], y[:250]))
    rest = X[250:], y[250:]
    options = {} if wrap is MinimumExpectedCostClassifier else {"pos_label": "fraud"}
    plain, ones, drawn = (
        wrap(frozen, **options).fit(*rest, sample_weight=w)
        for w in (None, np.ones(250), np.where(t[250:], 9.0, 1.0))
    )
    np.testing.assert_allclose(plain.predict_proba(X), ones.predict_proba(X))
    if wrap is MultilabelCalibratedClassifierCV:
        assert (
            drawn.predict_proba(X)[:, 0].sum() > 2 * plain.predict_proba(X)[:, 0].sum()
        )
    elif wrap is MultilabelTunedThresholdClassifierCV:
        assert drawn.thresholds_ < plain.thresholds_
    else:
        np.testing.assert_array_equal(drawn.predict_proba(X), frozen.predict_proba(X))


def test_a_fitted_estimator_determines_the_classes_and_the_labels():
    X, Y = _label_rows()
    three = np.arange(300) % 3
    frozen = FrozenEstimator(LogisticRegression().fit(X, three))
    model = MinimumExpectedCostClassifier(frozen).fit(X, three % 2)
    np.testing.assert_array_equal(model.predict(X), frozen.predict(X))
    frame = pd.DataFrame(Y, columns=["a", "b", "c"])
    net = ImbalancedMLPClassifier((), max_epochs=2, random_state=0).fit(X, frame)
    options = {"threshold": "f_beta", "cv": "prefit"}
    plain, moved = (
        MultilabelFixedThresholdClassifier(net, **options).fit(X, y)
        for y in (frame, frame[["c", "a", "b"]])
    )
    np.testing.assert_array_equal(plain.thresholds_, moved.thresholds_)
    assert moved.score(X, frame[["b", "c", "a"]]) == plain.score(X, frame)


@pytest.mark.parametrize("value", [0, 1, "only"])
@pytest.mark.parametrize(
    "inner", [DummyClassifier(), DecisionTreeClassifier()], ids=["dummy", "tree"]
)
@pytest.mark.parametrize(
    "wrap",
    [
        MultilabelFixedThresholdClassifier,
        MultilabelTunedThresholdClassifierCV,
        MultilabelCalibratedClassifierCV,
        MinimumExpectedCostClassifier,
    ],
)
@pytest.mark.filterwarnings("ignore::skimbalance.exceptions.UndefinedLabelWarning")
def test_one_class_is_predicted(wrap, inner, value):
    X, _ = _rows(60)
    model = wrap(inner).fit(X, np.full(60, value))
    assert set(model.predict(X).tolist()) == {value}
    np.testing.assert_array_equal(model.predict_proba(X), np.ones((60, 1)))


def test_a_fold_of_the_positive_class_alone_gives_probabilities_of_one():
    X = np.arange(8.0).reshape(-1, 1)
    y = np.array([0, 0, 0, 1, 1, 1, 1, 1])
    folds = [(np.arange(4, 8), np.arange(4)), (np.arange(4), np.arange(4, 8))]
    model = MultilabelFixedThresholdClassifier(
        DecisionTreeClassifier(), threshold="matched_prevalence", cv=folds, pos_label=1
    ).fit(X, y)
    # Out of fold: 1, 1, 1, 1 of the tree that saw ones only, then 1, 1, 1, 1.
    assert model.thresholds_ < 1


def test_a_missing_method_says_why():
    X, Y = _label_rows(60)
    net = ImbalancedMLPClassifier((), loss="zlpr", max_epochs=1, random_state=0)
    for wrap in (
        MultilabelCalibratedClassifierCV,
        MultilabelFixedThresholdClassifier,
        MultilabelTunedThresholdClassifierCV,
    ):
        model = wrap(net, cv=2)
        if wrap is MultilabelFixedThresholdClassifier:
            model.set_params(threshold="f_beta")
        with pytest.raises(ValueError, match="held out") as caught:
            model.fit(X, Y)
        assert "early_stopping" in str(caught.value)
    fitted = net.fit(X, Y)
    with pytest.raises(ValueError, match="early_stopping"):
        MultilabelCalibratedClassifierCV(fitted, cv="prefit").fit(X, Y)


def test_precision_scorer_is_silent_where_nothing_is_predicted():
    X, t = _rows(200)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = _tuned("precision").fit(X, t)
    assert precision_score(t, model.predict(X)) > 0.5


def test_partial_dependence_has_a_curve_for_each_label():
    X, Y = _label_rows(100)
    net = ImbalancedMLPClassifier((), max_epochs=1, random_state=0).fit(X, Y)
    wrapped = MultilabelFixedThresholdClassifier(net, cv="prefit").fit(X, Y)
    for model in (net, wrapped):
        curves = partial_dependence(model, X, [0], grid_resolution=5)["average"]
        assert curves.shape == (3, 5)
