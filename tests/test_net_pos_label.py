"""The positive class of a binary target: `pos_label`, and what it never changes."""

import warnings

import numpy as np
import pandas as pd
import pytest
from nets import small
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import cross_val_predict

from skimbalance.exceptions import NoPositivePredictedWarning, PositiveClassWarning
from skimbalance.thresholds import Cost
from skimbalance.weights import PosWeightTransformer


@pytest.fixture(scope="module")
def problem():
    """400 rows of which a tenth is positive."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 5))
    return X, X[:, 0] + rng.normal(size=400) > 1.8


def named(t):
    """The same target with the positive class first in the alphabet."""
    return np.where(t, "fraud", "ok")


PARAMS = [
    {},
    {"pos_weight": 20.0, "threshold": "uncorrected"},
    {"pos_weight": "balanced", "threshold": "f_beta", "early_stopping": True},
    {"pos_weight": PosWeightTransformer("sqrt"), "threshold": 0.2},
    {"threshold": Cost(cost_fn=50.0)},
    {"threshold": "prior", "label_smoothing": 0.1},
    {"init_bias": -2.0, "n_members": 2},
    {"loss": "asymmetric", "early_stopping": True},
    {"correct_probabilities": False, "pos_weight": 5.0},
    {"scoring": "average_precision", "early_stopping": True},
    {"scoring": "f1", "early_stopping": True, "lr": 0.01},
    {"scoring": "macro_average_precision", "early_stopping": True},
    {"class_weight": "balanced"},
]


@pytest.mark.filterwarnings("ignore::skimbalance.exceptions.ImbalanceWarning")
@pytest.mark.parametrize("params", PARAMS, ids=[str(list(p)) for p in PARAMS])
def test_a_named_class_is_what_the_one_of_zero_and_one_is(problem, params):
    X, t = problem
    plain = small(**params).fit(X, t.astype(int))
    net = small(**params, pos_label="fraud").fit(X, named(t))
    assert list(net.classes_) == ["fraud", "ok"]
    np.testing.assert_array_equal(net.predict_proba(X)[:, ::-1], plain.predict_proba(X))
    np.testing.assert_array_equal(net.decision_function(X), -plain.decision_function(X))
    np.testing.assert_array_equal(
        net.predict_log_proba(X)[:, ::-1], plain.predict_log_proba(X)
    )
    np.testing.assert_array_equal(net.predict(X) == "fraud", plain.predict(X) == 1)
    np.testing.assert_array_equal(net.prior_, plain.prior_)
    np.testing.assert_array_equal(net.pos_weight_, plain.pos_weight_)
    assert net.best_score_ == plain.best_score_
    assert net.score(X, named(t)) == plain.score(X, t.astype(int))
    columns, proba = net.predict_top_k(X, 1)
    np.testing.assert_array_equal(columns[:, 0], net.predict_proba(X).argmax(axis=1))
    np.testing.assert_array_equal(proba[:, 0], net.predict_proba(X).max(axis=1))


def test_held_out_rows_and_chunks_are_encoded_alike(problem):
    X, t = problem
    held = {"X_val": X[:100], "y_val": t[:100].astype(int)}
    plain = small().fit(X[100:], t[100:].astype(int), **held)
    held["y_val"] = named(t[:100])
    net = small(pos_label="fraud").fit(X[100:], named(t[100:]), **held)
    np.testing.assert_array_equal(net.predict_proba(X)[:, ::-1], plain.predict_proba(X))
    plain, net = small(pos_weight=9.0), small(pos_weight=9.0, pos_label="fraud")
    for rows in (slice(0, 200), slice(200, 400)):
        plain.partial_fit(X[rows], t[rows].astype(int), classes=[0, 1])
        net.partial_fit(X[rows], named(t[rows]), classes=["ok", "fraud"])
    np.testing.assert_array_equal(net.predict_proba(X)[:, ::-1], plain.predict_proba(X))


def test_the_last_class_is_the_positive_one(problem):
    X, t = problem
    none = small().fit(X, named(t))
    last = small(pos_label="ok").fit(X, named(t))
    np.testing.assert_array_equal(none.predict_proba(X), last.predict_proba(X))
    one = small(pos_label=1).fit(X, np.where(t, 1, 2))
    assert one.prior_[0] == pytest.approx(t.mean())


def test_a_class_that_is_not_there_or_a_target_without_one_is_refused(problem):
    X, t = problem
    with pytest.raises(ValueError, match=r"pos_label='frod'.*Did you mean 'fraud'"):
        small(pos_label="frod").fit(X, named(t))
    with pytest.raises(ValueError, match=r"pos_label=1 .*y is multiclass"):
        small(pos_label=1).fit(X, np.arange(400) % 3)
    with pytest.raises(ValueError, match=r"pos_label=1 .*y is multilabel"):
        small(pos_label=1).fit(X, np.column_stack([t, ~t]))


@pytest.mark.parametrize(
    "params",
    [
        {"pos_label": "fraud"},
        {"class_weight": {"fraud": 9, "ok": 1}},
        {"scoring": make_scorer(f1_score, pos_label="fraud"), "early_stopping": True},
    ],
    ids=lambda params: next(iter(params)),
)
def test_the_name_of_a_class_that_scikit_learn_has_encoded(problem, params):
    X, t = problem
    predict = {"cv": 2, "method": "predict_proba"}
    with pytest.raises(ValueError, match=r"\[0, 1\].*encoded.*place in sorted order"):
        cross_val_predict(small(**params), X, named(t), **predict)


def test_the_place_of_a_class_serves_where_scikit_learn_encodes(problem):
    X, t = problem
    predict = {"cv": 2, "method": "predict_proba"}
    params = {"pos_weight": 5.0, "correct_probabilities": False}
    found = cross_val_predict(small(pos_label=0, **params), X, named(t), **predict)
    expected = cross_val_predict(small(**params), X, t.astype(int), **predict)
    np.testing.assert_array_equal(found[:, ::-1], expected)


def test_the_hint_at_an_encoded_target_is_for_0_and_1_alone(problem):
    X, t = problem
    for y in (t, t + 1.0, named(t)):
        with pytest.raises(ValueError, match="none of the classes") as error:
            small(pos_label="yes").fit(X, y)
        assert "encoded" not in str(error.value)


def test_training_does_not_go_on_with_the_other_class(problem):
    X, t = problem
    y = named(t)
    net = small(pos_label="fraud").partial_fit(X, y, classes=["fraud", "ok"])
    with pytest.raises(ValueError, match=r"classes=.* differs"):
        net.partial_fit(X, y, classes=["fraud", "ok", "other"])
    with pytest.raises(ValueError, match="pos_label='ok', but the net was trained"):
        net.set_params(pos_label="ok").partial_fit(X, y)
    net = small(pos_label="fraud", warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="trained with 'fraud' as the positive class"):
        net.set_params(pos_label="ok").fit(X, y)


def test_a_scorer_with_a_class_of_its_own_sees_the_classes(problem):
    X = problem[0]
    t = X[:, 0] > 1
    y = named(t)
    scorer = make_scorer(f1_score, pos_label="fraud")
    params = {"early_stopping": True, "lr": 0.02, "max_epochs": 10}
    plain = small(scoring="f1", pos_label="fraud", **params).fit(X, y)
    own = small(scoring=scorer, pos_label="fraud", **params).fit(X, y)
    assert own.best_score_ == plain.best_score_ > 0
    seen = []

    def watch(estimator, X, y):
        seen.append((set(y), list(estimator.classes_)))
        return f1_score(y, estimator.predict(X), pos_label="fraud")

    called = small(scoring=watch, pos_label="fraud", **params).fit(X, y)
    assert called.best_score_ == plain.best_score_
    assert seen[0] == ({"fraud", "ok"}, ["fraud", "ok"])
    with pytest.raises(ValueError, match="scoring has pos_label='fraud', but"):
        small(scoring=scorer, pos_label="ok", **params).fit(X, y)
    with pytest.raises(
        ValueError, match="scoring has pos_label='fraud', which is none"
    ):
        small(scoring=scorer, **params).fit(X, t)


@pytest.mark.parametrize(
    "params",
    [
        {"pos_weight": 5.0},
        {"pos_weight": [5.0]},
        {"pos_weight": "balanced"},
        {"threshold": Cost(cost_fn=9.0)},
        {"threshold": 0.2},
        {"threshold": "f_beta", "early_stopping": True},
        {"scoring": "average_precision", "early_stopping": True},
    ],
)
def test_a_majority_that_counts_as_positive_is_warned_of_once(problem, params):
    X, t = problem
    name = next(iter(params))
    with pytest.warns(PositiveClassWarning, match=f"{name}=.* treats the") as caught:
        small(**params).fit(X, named(t))
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert "pos_label='fraud'" in str(caught[0].message)
    for pos_label in ("fraud", "ok"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            small(**params, pos_label=pos_label).fit(X, named(t))


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"pos_weight": 1.0},
        {"pos_weight": [1.0]},
        {"threshold": "uncorrected"},
        {"threshold": "cost"},
    ],
)
def test_nothing_is_warned_of_where_both_classes_are_treated_alike(problem, params):
    X, t = problem
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(**params).fit(X, named(t))


def test_classes_of_balanced_weight_are_alike_but_for_rounding(problem):
    X, t = problem
    for last in (0.1, 0.3):
        weight = np.where(t, last * (len(t) - t.sum()), last * t.sum())
        with warnings.catch_warnings():
            warnings.simplefilter("error", PositiveClassWarning)
            small(pos_weight=2.0, class_weight="balanced").fit(X, t)
            small(pos_weight=2.0).fit(X, ~t, sample_weight=weight)


def test_weights_and_thresholds_by_class(problem):
    X, t = problem
    y = named(t)
    net = small(pos_label="fraud", pos_weight={"fraud": 3.0}, threshold={"fraud": 0.1})
    assert net.fit(X, y).pos_weight_ == 3.0
    np.testing.assert_array_equal(
        net.predict(X) == "fraud", net.predict_proba(X)[:, 0] > 0.1
    )
    with pytest.raises(ValueError, match=r"pos_weight must have .*\['fraud'\]"):
        net.set_params(pos_weight={"fraud": 3.0, "ok": 1.0}).fit(X, y)
    classes = np.array(["low", "mid", "top"])[np.digitize(X[:, 1], [0, 1])]
    by_class = pd.Series({"mid": 2.0, "top": 3.0, "low": 1.0})
    for weight in (by_class, dict(by_class)):
        net = small(pos_weight=weight).fit(X, classes)
        np.testing.assert_array_equal(net.pos_weight_, [1, 2, 3])


@pytest.mark.parametrize("pos_label", [1, 0])
def test_no_positive_is_warned_of_once_at_the_line_of_the_user(problem, pos_label):
    X, t = problem
    y = t.astype(int) if pos_label else 1 - t.astype(int)
    net = small(pos_label=pos_label, max_epochs=1, threshold=0.99).fit(X, y)
    for predict in (net.predict, lambda X: net.score(X, y)):
        with pytest.warns(
            NoPositivePredictedWarning,
            match=f"of class {pos_label}: .* exceed a threshold of 0.99",
        ) as caught:
            predict(X)
        assert len(caught) == 1
        assert caught[0].filename == __file__
    assert (net.predict(X[: 0 + 5]) != pos_label).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.predict(X[:5])  # where less than one positive is expected
        # Costs decide, and may decide that nothing is worth its price.
        net.set_params(threshold=Cost(cost_fp=99, cost_fn=1)).predict(X)
