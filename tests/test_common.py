"""Checks, searches and meta-estimators of scikit-learn, on generated and real data."""

import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline as make_sampling_pipeline
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import (
    check_estimator,
    estimator_checks_generator,
)
from torch import nn

from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.losses import AsymmetricLoss, SoftmaxLogLoss
from skimbalance.metrics import (
    UndefinedLabelWarning,
    expected_observed_ratio,
    get_scorer,
    multilabel_average_precision_score,
)
from skimbalance.model_selection import MultilabelStratifiedKFold
from skimbalance.neural_network import ImbalancedMLPClassifier, ImbalancedNetClassifier
from skimbalance.weights import PosWeightTransformer

MACRO_AP = get_scorer("macro_average_precision")


@pytest.mark.parametrize(
    "estimator",
    [
        # Of 90 fits, which take a minute with the default number of epochs.
        ImbalancedMLPClassifier(max_epochs=10),
        pytest.param(ImbalancedMLPClassifier(), marks=pytest.mark.slow),
        pytest.param(ImbalancedNetClassifier(), marks=pytest.mark.slow),
    ],
)
def test_defaults_pass_every_check(estimator):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(estimator, on_fail=None)
    failed = {r["check_name"]: r for r in results if r["status"] == "failed"}
    assert not failed
    skipped = {r["check_name"] for r in results if r["status"] == "skipped"}
    assert skipped <= {"check_array_api_input"}
    assert sum(r["status"] == "passed" for r in results) > 50


def small(**params):
    """Return a net that trains in a fraction of a second."""
    defaults = {"hidden_layer_sizes": (32,), "max_epochs": 4, "random_state": 0}
    return ImbalancedMLPClassifier(**{**defaults, **params})


def folds(n_splits=3):
    return MultilabelStratifiedKFold(n_splits, shuffle=True, random_state=0)


@pytest.fixture(scope="module")
def problem():
    X, Y = make_imbalanced_multilabel(
        400, 6, 4, cardinality=1.2, imbalance_ratio=4, random_state=0
    )
    return X.astype(np.float64), Y.astype(np.int64)


# ------------------------------------------------------------------------- real data


@pytest.mark.filterwarnings("ignore::skimbalance.metrics.UndefinedLabelWarning")
@pytest.mark.filterwarnings("ignore:No positive class found:UserWarning")
def test_cross_validation_on_enron(load):
    data = load("enron")
    Y = data["Y"].toarray().astype(int)
    frequent = Y[:, Y.sum(axis=0) >= 30]
    net = small(max_epochs=15)
    scores = cross_val_score(
        net, data["X"], frequent, cv=folds(), scoring="average_precision"
    )
    assert (scores > 2 * frequent.mean()).all()
    ours = cross_val_score(net, data["X"], frequent, cv=folds(), scoring=MACRO_AP)
    np.testing.assert_allclose(ours, scores, atol=1e-9)


def test_grid_search_on_sparse_inputs_and_labels(load):
    data = load("tmc2007_500")
    X, Y = data["X"][:3000], data["Y"][:3000]
    search = GridSearchCV(
        small(),
        {"loss": ["log_loss", "focal"], "pos_weight": [None, "sqrt"]},
        scoring=MACRO_AP,
        cv=folds(),
    ).fit(X, Y)
    assert len(search.cv_results_["params"]) == 4
    assert search.best_score_ > 3 * Y.mean()
    assert sp.issparse(search.predict(X[:10]))


def test_grid_search_with_missing_labels(load):
    data = load("tox21")
    Y = np.where(data["Y"] == -1, np.nan, data["Y"])[:2500]
    search = GridSearchCV(
        small(), {"pos_weight": [None, "log"]}, scoring=MACRO_AP, cv=folds()
    ).fit(data["X"][:2500], Y)
    assert search.best_score_ > 1.5 * np.nanmean(Y)
    proba = search.predict_proba(data["X"][:2500])
    assert 0.7 < expected_observed_ratio(Y, proba) < 1.3


def test_missing_labels_in_cross_val_predict_raise_an_error_with_the_remedy(load):
    data = load("tox21")
    Y = np.where(data["Y"] == -1, np.nan, data["Y"])[:500]
    with pytest.raises(ValueError, match=r"np.where\(y == 2, np.nan, y\)"):
        cross_val_predict(
            small(), data["X"][:500], Y, method="predict_proba", cv=folds()
        )


@pytest.mark.parametrize(
    ("name", "least", "pos_weight", "seed"),
    [
        ("emotions", 0.72, None, 0),
        *(
            pytest.param("yeast", 0.48, weight, seed, marks=pytest.mark.slow)
            for weight in (None, "balanced")
            for seed in (0, 1)
        ),
    ],
)
def test_the_default_ranks_and_is_calibrated(load, name, least, pos_weight, seed):
    """A random forest reaches .73 and .53 (docs/benchmarks/forest.md)."""
    data = load(name)
    X, Y = data["X"], data["Y"].toarray()
    train, test = data["train_idx"], data["test_idx"]
    net = ImbalancedMLPClassifier(pos_weight=pos_weight, random_state=seed)
    proba = net.fit(X[train], Y[train]).predict_proba(X[test])
    assert multilabel_average_precision_score(Y[test], proba) > least
    assert 0.9 < expected_observed_ratio(Y[test], proba) < 1.1


def test_binary_real_data(load):
    data = load("zen_mammography")
    X, y = data["X"][::2], data["y"][::2]
    net = small(max_epochs=10)
    scores = cross_val_score(net, X, y, cv=3, scoring="average_precision")
    assert (scores > 5 * y.mean()).all()


def test_multiclass_real_data(load):
    data = load("mc_glass")
    net = small(max_epochs=60, lr=5e-3)
    scoring = {"accuracy": "accuracy", "log_loss": "neg_log_loss"}
    scores = cross_validate(net, data["X"], data["y"], cv=3, scoring=scoring)
    assert scores["test_accuracy"].mean() > 0.55
    assert scores["test_log_loss"].mean() > -1.4


# ------------------------------------------------------------------------------- grids


def test_grids_over_nested_parameters(problem):
    X, Y = problem

    def module(n_features, n_outputs, width=8):
        return nn.Sequential(
            nn.Linear(n_features, width), nn.Tanh(), nn.Linear(width, n_outputs)
        )

    net = ImbalancedNetClassifier(module, max_epochs=2, random_state=0)
    grids = [
        {"module__width": [4, 16], "optimizer__eps": [1e-9]},
        {"loss": ["focal"], "loss__gamma": [0.5, 4.0]},
        {
            "pos_weight": [PosWeightTransformer()],
            "pos_weight__scheme": ["sqrt", "balanced"],
        },
    ]
    for grid in grids:
        search = GridSearchCV(net, grid, scoring="average_precision", cv=3).fit(X, Y)
        scores = search.cv_results_["mean_test_score"]
        assert len(scores) == 2
        assert scores[0] != scores[1]
    assert net.module_params is None
    assert net.loss_params is None


def test_pipeline_and_parallel_search_agree_with_a_serial_one(problem):
    X, Y = problem
    model = make_pipeline(StandardScaler(), small(max_epochs=10))
    grid = {"imbalancedmlpclassifier__loss": ["log_loss", "asymmetric"]}
    serial, parallel = (
        GridSearchCV(model, grid, scoring=MACRO_AP, cv=folds(), n_jobs=n_jobs).fit(X, Y)
        for n_jobs in (None, 2)
    )
    np.testing.assert_allclose(
        serial.cv_results_["mean_test_score"],
        parallel.cv_results_["mean_test_score"],
        atol=1e-5,
    )


def test_halving_search(problem):
    X, Y = problem
    search = HalvingGridSearchCV(
        small(),
        {"lr": [1e-5, 1e-3, 1e-2]},
        min_resources=100,
        cv=folds(),
        scoring=MACRO_AP,
        random_state=0,
    ).fit(X, Y)
    assert search.n_resources_[0] == 100
    assert search.best_params_["lr"] > 1e-5


class RepeatRareRows(BaseEstimator):
    """A multilabel sampler that needs no more than `fit_resample`."""

    def fit_resample(self, X, y):
        rare = np.flatnonzero(y[:, -1])
        rows = np.concatenate([np.arange(len(y)), np.repeat(rare, 3)])
        self.n_rows_ = len(rows)
        return X[rows], y[rows]


def test_imbalanced_learn_pipelines(problem):
    X, Y = problem
    model = make_sampling_pipeline(RepeatRareRows(), small()).fit(X, Y)
    assert model[0].n_rows_ > len(Y)
    assert model.predict_proba(X).shape == Y.shape
    y = Y[:, -1]
    model = make_sampling_pipeline(
        RandomOverSampler(random_state=0), small(max_epochs=10)
    )
    proba = model.fit(X, y).predict_proba(X)[:, 1]
    assert proba.mean() > 2 * y.mean()
    assert average_precision_score(y, proba) > 2 * y.mean()


# ------------------------------------------------------------------ other estimators


@pytest.mark.parametrize("n_labels", [1, 2, 3, 4])
def test_cross_val_predict_gives_probabilities(problem, n_labels):
    X, Y = problem[0], problem[1][:, :n_labels]
    proba = cross_val_predict(small(), X, Y, method="predict_proba", cv=3)
    assert proba.shape == Y.shape
    assert ((proba > 0) & (proba < 1)).all()


def test_permutation_importance_finds_the_informative_feature():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 5))
    Y = np.stack([X[:, 2] > 0.5, X[:, 2] < -1], axis=1).astype(int)
    net = small(max_epochs=60, lr=0.01).fit(X, Y)
    found = permutation_importance(
        net, X, Y, scoring="average_precision", n_repeats=3, random_state=0
    )
    assert found.importances_mean.argmax() == 2


def test_meta_estimators_of_binary_targets(problem):
    X, y = problem[0], problem[1][:, 0]
    calibrated = CalibratedClassifierCV(small(), cv=3).fit(X, y)
    assert calibrated.predict_proba(X).shape == (len(y), 2)
    stacked = StackingClassifier(
        [("net", small()), ("linear", LogisticRegression())], cv=3
    ).fit(X, y)
    assert stacked.predict_proba(X).shape == (len(y), 2)


def test_undefined_labels_in_a_fold_warn_and_leave_scores_finite(problem):
    X, Y = problem
    Y = np.hstack([Y, np.zeros((len(Y), 1), dtype=int)])
    Y[0, -1] = 1
    with pytest.warns(UndefinedLabelWarning):
        scores = cross_val_score(small(), X, Y, cv=3, scoring=MACRO_AP)
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("n_labels", [1, 2, 4])
def test_partial_dependence_has_a_curve_for_each_label(problem, n_labels):
    X, Y = problem[0], problem[1][:, :n_labels]
    net = small().fit(X, Y)
    found = partial_dependence(net, X, [1], grid_resolution=4)
    moved = np.repeat(X[None], 4, axis=0)
    moved[:, :, 1] = found["grid_values"][0][:, None]
    expected = [net.predict_proba(rows).mean(axis=0) for rows in moved]
    np.testing.assert_allclose(found["average"], np.transpose(expected), atol=1e-12)
    assert net.classes_.shape == (n_labels, 2)
    assert [row[1] for row in net.classes_] == [1] * n_labels
    again = pickle.loads(pickle.dumps(net)).classes_
    np.testing.assert_array_equal(again, [[0, 1]] * n_labels)


@pytest.mark.parametrize(
    ("loss", "multi_class", "multi_label"),
    [
        ("log_loss", True, True),
        ("asymmetric", False, True),
        (AsymmetricLoss(), False, True),
        ("ldam", True, False),
        (SoftmaxLogLoss(), True, False),
        (lambda scores, targets: (scores.sigmoid() - targets) ** 2, False, True),
    ],
)
def test_the_tags_are_those_of_the_loss(loss, multi_class, multi_label):
    tags = small(loss=loss).__sklearn_tags__().classifier_tags
    assert tags.multi_class == multi_class
    assert tags.multi_label == multi_label


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_an_estimator_with_another_loss_and_class_passes_checks():
    """The checks feed the targets that the tags claim."""
    checks = {
        "check_classifiers_train",
        "check_classifiers_classes",
        "check_fit2d_1sample",
    }
    net = small(loss="asymmetric", max_epochs=60, lr=0.01, hidden_layer_sizes=16)
    for estimator, check in estimator_checks_generator(net):
        if getattr(check, "func", check).__name__ in checks:
            check(estimator)
