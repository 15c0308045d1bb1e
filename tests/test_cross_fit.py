"""Cross-fitting: each member holds out a fold, and out-of-fold scores judge."""

import warnings

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
import torch
from nets import documented_sums, linear
from scipy.special import expit, logit, softmax
from sklearn.metrics import average_precision_score, make_scorer
from skorch.callbacks import Callback, EpochScoring

from skimbalance._labels import check_target
from skimbalance._log_odds import match_means
from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.exceptions import ImbalanceWarning, UndefinedLabelWarning
from skimbalance.losses import LogLoss, SetLoss
from skimbalance.neural_network import ImbalancedMLPClassifier, ImbalancedNetClassifier
from skimbalance.neural_network._checkpoint import digest_of_values
from skimbalance.neural_network._module import (
    PointwiseCriterion,
    SetCriterion,
    sum_over_members,
)
from skimbalance.neural_network._rows import TrainingData, encode_rows
from skimbalance.thresholds import MatchedPrevalence


def mlp(**params):
    """Return a small net that holds out folds."""
    defaults = {"hidden_layer_sizes": (16,), "max_epochs": 4, "random_state": 0}
    return ImbalancedMLPClassifier(**{**defaults, **params})


@pytest.fixture(scope="module")
def problem():
    X, Y = make_imbalanced_multilabel(
        300, 6, 4, cardinality=1.2, imbalance_ratio=6, random_state=0
    )
    return X.astype(np.float64), Y.astype(np.int64)


@pytest.fixture(scope="module")
def fitted(problem):
    return mlp().fit(*problem)


def with_stored_zeros(X):
    """Return a sparse array that stores all entries, those of 0 too."""
    stored = sp.csr_array(np.ones_like(X))
    stored.data = X.ravel().copy()
    return stored


def training_data(Y, n_folds=5, weight=None, groups=None, seed=0):
    X = np.zeros((Y.shape[0], 1))
    data = TrainingData(encode_rows(X, check_target(Y), weight, None), groups=groups)
    data.split_folds(n_folds, np.random.RandomState(seed))
    return data


# --------------------------------------------------------------------------
# The folds


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("n_folds", [2, 5])
def test_folds_partition_the_rows_and_keep_the_fraction_of_each_label(
    container, n_folds
):
    rng = np.random.default_rng(0)
    Y = (rng.random((203, 6)) < [0.5, 0.2, 0.1, 0.05, 0.9, 0.3]).astype(int)
    data = training_data(container(Y), n_folds)
    fold = data.training.fold
    assert data.n_folds == n_folds
    assert data.training.index is data.rows.index
    np.testing.assert_array_equal(np.sort(data.held_out.index), np.arange(203))
    assert (np.diff(fold[data.held_out.index]) >= 0).all()
    sizes = np.bincount(fold)
    assert sizes.max() - sizes.min() <= 1
    counts = np.array([Y[fold == k].sum(axis=0) for k in range(n_folds)])
    assert (counts.max(axis=0) - counts.min(axis=0) <= 2).all()
    assert data.is_split
    assert data.population is data.rows


def test_groups_stay_in_one_fold():
    Y = np.random.default_rng(0).integers(0, 2, size=(120, 3))
    groups = np.arange(120) // 4
    fold = training_data(Y, groups=groups).training.fold
    assert all(len(set(fold[groups == group])) == 1 for group in set(groups))


def test_there_are_no_more_folds_than_groups():
    Y = np.random.default_rng(0).integers(0, 2, size=(120, 3))
    assert training_data(Y, groups=np.arange(120) % 3).n_folds == 3
    with pytest.raises(ValueError, match="cannot be split"):
        training_data(Y, groups=np.zeros(120))


def test_rows_that_do_not_count_have_no_fold():
    Y = np.random.default_rng(0).integers(0, 2, size=(60, 3)).astype(float)
    Y[7], weight = np.nan, np.ones(60)
    weight[:3] = 0
    data = training_data(Y, weight=weight)
    np.testing.assert_array_equal(data.training.fold[[0, 1, 2, 7]], -1)
    assert not {0, 1, 2, 7} & set(data.held_out.index)


@pytest.mark.parametrize(
    "params, n_members",
    [
        ({}, 5),
        ({"n_members": 3}, 3),
        ({"n_members": 1}, 1),
        ({"cross_fit": False}, 1),
        ({"early_stopping": False}, 1),
        ({"early_stopping": False, "cross_fit": True}, 5),
    ],
)
def test_number_of_members(problem, params, n_members):
    net = mlp(max_epochs=1, **params).fit(*problem)
    assert len(net.members_) == n_members
    held_out_by_fold = n_members > 1
    assert (net.out_of_fold_log_odds_ is not None) == held_out_by_fold


def test_few_rows_and_modules_of_ones_own_have_no_folds(problem):
    X, Y = problem
    assert len(mlp().fit(X[:100], Y[:100]).members_) == 1
    assert len(mlp().fit(X[:101], Y[:101]).members_) == 5
    net = ImbalancedNetClassifier(linear, max_epochs=1, random_state=0)
    assert len(net.fit(X, Y).members_) == 1
    assert len(net.set_params(cross_fit=True).fit(X, Y).members_) == 5


def test_too_many_values_for_five_nets_have_one(problem, monkeypatch):
    X, Y = problem
    path = "skimbalance.neural_network._cross_fit._MOST_VALUES"
    monkeypatch.setattr(path, X.size + Y.size - 1)
    assert len(mlp(max_epochs=1).fit(X, Y).members_) == 1
    assert len(mlp(max_epochs=1).fit(sp.csr_array(X * (X > 0)), Y).members_) == 5
    assert len(mlp(max_epochs=1, cross_fit=True).fit(X, Y).members_) == 5


def test_rows_of_the_user_are_one_held_out_part(problem):
    X, Y = problem
    net = mlp().fit(X[:200], Y[:200], X_val=X[200:], y_val=Y[200:])
    assert len(net.members_) == 1
    assert net.out_of_fold_log_odds_ is None
    with pytest.raises(ValueError, match="cross_fit=True holds out folds"):
        mlp(cross_fit=True).fit(X, Y, X_val=X, y_val=Y)
    with pytest.raises(ValueError, match="cross_fit=True needs at least two members"):
        mlp(cross_fit=True, n_members=1).fit(X, Y)


# --------------------------------------------------------------------------
# The training


FOLD = torch.tensor([0, 1, 2, 2, 1, 0, 0, 1])


@pytest.mark.parametrize("weight", [None, "rows", "entries"])
@pytest.mark.parametrize("missing", [False, True])
def test_loss_of_a_member_is_the_mean_over_its_own_rows(weight, missing):
    torch.manual_seed(0)
    scores = torch.randn(8, 3, 4, dtype=torch.float64, requires_grad=True)
    labels = torch.randint(-1 if missing else 0, 2, (8, 4), dtype=torch.int8)
    given = {"rows": (8,), "entries": (8, 4)}.get(weight)
    given = None if given is None else torch.rand(given, dtype=torch.float64)
    criterion = PointwiseCriterion(LogLoss(), n_trained=4, has_missing=missing)
    total = sum_over_members(criterion, scores, labels, given, FOLD)
    loss, entry = total / criterion.divisor(8), torch.ones(8, 4, dtype=torch.float64)
    if given is not None:
        entry = entry * (given if given.ndim == 2 else given[:, None])
    entry = entry * (labels >= 0)
    right = 0
    for k in range(3):
        own = k != FOLD
        values = torch.nn.functional.binary_cross_entropy_with_logits(
            scores[own, k], labels[own].clamp(min=0).double(), reduction="none"
        )
        right = right + (values * entry[own]).sum() / own.sum() / 4
    torch.testing.assert_close(loss, right)
    loss.backward()
    for k in range(3):
        assert (scores.grad[k == FOLD, k] == 0).all()
        assert (scores.grad[k != FOLD, k] != 0).any()


class Mean(SetLoss):
    """A loss of a whole batch, which a row of weight 0 would change."""

    depends_on_batch = True

    def forward(self, scores, targets, entry_weight):
        value = (scores.sigmoid() - targets).mean() ** 2 + scores.max()
        return value.expand(len(scores)) / len(scores)


def test_losses_that_couple_rows_see_only_the_rows_of_a_member():
    torch.manual_seed(0)
    scores = torch.randn(8, 3, 4, dtype=torch.float64)
    labels = torch.randint(0, 2, (8, 4), dtype=torch.int8)
    criterion = SetCriterion(Mean(), n_trained=4)
    total = sum_over_members(criterion, scores, labels, None, FOLD)
    right = 0
    for k in range(3):
        own = k != FOLD
        right = right + criterion(scores[own, k], labels[own], None) * 8 / own.sum()
    torch.testing.assert_close(total, right)


def test_a_member_never_sees_its_held_out_labels(problem):
    X, Y = problem
    params = {"early_stopping": False, "cross_fit": True, "max_epochs": 2}
    one = mlp(**params).fit(X, Y)
    (_, fold), rng = one._folds, np.random.default_rng(1)
    other = Y.copy()
    rows = np.flatnonzero(fold == 3)
    other[rows] = Y[rng.permutation(rows)]  # the counts stay, and with them the bias
    # From the same folds, as after the first of these calls.
    two = mlp(**params)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            TrainingData,
            "split_folds",
            lambda self, n_folds, rng: (rng, self.set_folds(fold)),
        )
        two.fit(X, other)
    for number, (a, b) in enumerate(zip(one.members_, two.members_, strict=True)):
        same = all(map(torch.equal, a.state_dict().values(), b.state_dict().values()))
        assert same == (number == 3)


def test_memorised_noise_does_not_leak_into_out_of_fold_scores():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 40))
    Y = (rng.random((200, 6)) < 0.3).astype(int)
    params = {"hidden_layer_sizes": (64,), "dropout": 0.0, "lr": 0.01}
    net = mlp(**params, max_epochs=60, early_stopping=False, cross_fit=True)
    net.set_params(scoring="loss", correct_probabilities="exact")
    # The last weights, which know the labels by heart.
    net.set_params(callbacks=[Last()]).fit(X, Y)
    own = average_precision_score(Y, net.out_of_fold_log_odds_)
    each = [
        average_precision_score(Y, net_scores)
        for net_scores in np.moveaxis(member_scores(net, X), 1, 0)
    ]
    assert min(each) > 0.7
    assert abs(own - Y.mean()) < 0.06


class Last(Callback):
    """Make the kept weights those of the last epoch."""

    def on_train_end(self, net, **kwargs):
        net.module_.load_state_dict(self.state)

    def on_epoch_end(self, net, **kwargs):
        state = net.module_.state_dict()
        self.state = {key: value.clone() for key, value in state.items()}


def member_scores(net, X):
    """Return raw scores of shape (n_samples, n_members, n_outputs)."""
    with torch.no_grad():
        scores = [m.eval()(torch.as_tensor(X)) for m in net.members_]
    return torch.stack(scores, 1).double().numpy()


def test_same_seed_same_bits(problem, fitted):
    again = mlp().fit(*problem)
    np.testing.assert_array_equal(
        again.out_of_fold_log_odds_, fitted.out_of_fold_log_odds_
    )
    np.testing.assert_array_equal(
        again.predict_proba(problem[0]), fitted.predict_proba(problem[0])
    )


def test_out_of_fold_scores_are_those_of_the_member_that_held_the_row_out(
    problem, fitted
):
    X, _ = problem
    _, fold = fitted._folds
    raw = member_scores(fitted, X)[np.arange(len(X)), fold]
    right = fitted.calibrator_.transform(raw)
    np.testing.assert_allclose(fitted.out_of_fold_log_odds_, right, rtol=1e-5)


# --------------------------------------------------------------------------
# The stop


class Scores(Callback):
    """Keep the out-of-fold scores of every epoch, as a callback of skorch sees them."""

    def on_epoch_begin(self, net, **kwargs):
        self.seen = [*getattr(self, "seen", []), []]

    def on_batch_end(self, net, batch, training, y_pred, **kwargs):
        if not training:
            self.seen[-1].append((y_pred.numpy(), batch[1].numpy()))


def test_the_stop_is_at_the_best_pooled_average_precision():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 10))
    Y = (X[:, :4] + 2 * rng.normal(size=(300, 4)) > [1, 2, 3, 4]).astype(int)
    Y[:, 3] = 0
    Y[:2, 3] = 1  # too few to vote
    scoring = EpochScoring("average_precision", name="ap", lower_is_better=False)
    callbacks = [("scores", Scores()), ("ap", scoring)]
    net = mlp(max_epochs=60, n_iter_no_change=4, lr=0.01, callbacks=callbacks)
    net.fit(X, Y)
    seen = dict(net.net_.callbacks_)["scores"].seen
    pooled = []
    for epoch in seen:
        scores, labels = (np.concatenate(part) for part in zip(*epoch, strict=True))
        assert len(scores) == 300
        pooled.append(
            average_precision_score(labels[:, :3], scores[:, :3], average="macro")
        )
    np.testing.assert_allclose([row["valid_score"] for row in net.history_], pooled)
    best = int(np.argmax(pooled))
    assert net.best_score_ == pytest.approx(pooled[best])
    assert net.n_iter_ == best + 1 + 4 < 60
    # The kept weights are those of the best epoch: their scores are out of fold, too.
    labels = Y[:, :3]
    kept = average_precision_score(labels, net.out_of_fold_log_odds_[:, :3])
    assert kept == pytest.approx(pooled[best], abs=1e-6)
    # A callback of skorch reads the same scores, of all labels.
    for row, epoch in zip(net.net_.history, seen, strict=True):
        scores, labels = (np.concatenate(part) for part in zip(*epoch, strict=True))
        assert row["ap"] == pytest.approx(average_precision_score(labels, scores))


def test_each_class_is_ranked_against_the_rest(problem):
    X, Y = problem
    y = np.where(Y.any(axis=1), Y.argmax(axis=1), 4)
    y[:2] = 9  # too few rows to vote
    scoring = EpochScoring("average_precision", name="ap", lower_is_better=False)
    net = mlp(callbacks=[("ap", scoring), ("scores", Scores())]).fit(X, y)
    expected = []
    for epoch in dict(net.net_.callbacks_)["scores"].seen:
        scores, labels = (np.concatenate(part) for part in zip(*epoch, strict=True))
        proba = softmax(scores.astype(float), axis=1)
        one_hot = labels[:, None] == np.unique(y)
        expected.append(average_precision_score(one_hot[:, :5], proba[:, :5]))
    np.testing.assert_allclose([row["valid_score"] for row in net.history_], expected)
    assert net.best_score_ == pytest.approx(max(expected))
    # skorch's reads the class of two rows as well.
    assert not np.allclose(net.net_.history[:, "ap"], expected, rtol=1e-3)


class RecordWeights(Callback):
    """Records the weights of the module after the last batch and after each epoch."""

    def __init__(self):
        self.trained, self.judged = [], []

    def on_batch_end(self, net, training=False, **kwargs):
        if training:
            self.last = net.module_.bias.detach().double().clone()

    def on_epoch_end(self, net, **kwargs):
        self.trained.append(self.last)
        self.judged.append(net.module_.bias.detach().double().clone())


def test_epochs_are_judged_by_the_average_of_the_weights(problem):
    """(1 - 3 / (t + 3)) of the average of `t` epochs, and the rest of the next one."""
    net = mlp(callbacks=[("record", RecordWeights())], max_epochs=6).fit(*problem)
    record = dict(net.net_.callbacks_)["record"]
    expected = record.trained[0]
    for t, (trained, judged) in enumerate(
        zip(record.trained, record.judged, strict=True)
    ):
        expected = expected + 3 / (t + 3) * (trained - expected)
        torch.testing.assert_close(judged, expected, rtol=1e-5, atol=1e-6)
    assert not torch.allclose(record.judged[-1], record.trained[-1], rtol=1e-3)
    best = int(np.argmax([row["valid_score"] for row in net.history_]))
    torch.testing.assert_close(net.net_.module_.bias.double(), record.judged[best])
    assert net.net_.average_ is None


def test_one_net_is_that_of_its_best_epoch(problem):
    callbacks = [("record", RecordWeights())]
    net = mlp(callbacks=callbacks, max_epochs=3, n_members=1).fit(*problem)
    record = dict(net.net_.callbacks_)["record"]
    for trained, judged in zip(record.trained, record.judged, strict=True):
        assert torch.equal(trained, judged)


def test_without_a_label_that_votes_the_epochs_are_fixed():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(400, 4)), np.zeros((400, 3), dtype=int)
    for k in range(3):
        Y[rng.choice(400, 2, replace=False), k] = 1
    net = mlp(max_epochs=30, batch_size=20).fit(X, Y)
    assert net.n_iter_ == 5  # 20 steps an epoch, 100 in all
    assert net.best_score_ is None


def test_a_label_whose_positives_are_in_one_fold_does_not_vote():
    rng = np.random.default_rng(0)
    X, groups = rng.normal(size=(300, 4)), np.arange(300) // 30
    Y = (rng.random((300, 2)) < 0.3).astype(int)
    Y[:, 1] = groups == 0
    seen = []

    def metric(y, proba):
        seen.append((np.shape(y), np.shape(proba)))
        return 0.0

    scorer = make_scorer(metric, response_method="predict_proba")
    mlp(scoring=scorer, max_epochs=1).fit(X, Y, groups=groups)
    assert set(seen) == {((300, 1), (300, 1))}


def test_a_scoring_of_the_user_reads_out_of_fold_predictions():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(200, 30)), (rng.random((200, 3)) < 0.4).astype(int)
    values = []

    def scorer(estimator, X, y):
        values.append(average_precision_score(y, estimator.predict_proba(X)))
        return values[-1]

    mlp(hidden_layer_sizes=(64,), dropout=0.0, max_epochs=40, lr=0.01).set_params(
        scoring=scorer, n_iter_no_change=40
    ).fit(X, Y)
    assert max(values) < 0.55


# --------------------------------------------------------------------------
# Calibration


def test_probabilities_are_the_mean_of_the_calibrated_members(problem, fitted):
    X, _ = problem
    each = [
        expit(fitted.calibrator_.transform(raw))
        for raw in np.moveaxis(member_scores(fitted, X), 1, 0)
    ]
    np.testing.assert_allclose(fitted.predict_proba(X), np.mean(each, 0), rtol=1e-5)


@pytest.mark.parametrize("kind", ["plain", "missing", "weighted"])
def test_out_of_fold_probabilities_add_up_by_the_formula(problem, kind):
    X, Y = problem
    Y, weight, rng = Y.astype(float), None, np.random.default_rng(0)
    if kind == "missing":
        Y[rng.random(Y.shape) < 0.2] = np.nan
    if kind == "weighted":
        weight = rng.integers(1, 4, size=Y.shape).astype(float)
    net = mlp().fit(X, Y, sample_weight=weight)
    mass = ~np.isnan(Y) * (1.0 if weight is None else weight)
    mass = mass * np.isfinite(Y).sum() / mass.sum()
    y = (mass * (Y == 1)).sum(axis=0)
    calibrator, log_odds = net.calibrator_, net.out_of_fold_log_odds_
    before = log_odds - calibrator.intercept_ + common_intercept(net, Y, mass)
    s = (mass * expit(before)).sum(axis=0)
    found = (mass * expit(log_odds)).sum(axis=0)
    right = documented_sums(y, s, mass.sum(axis=0))
    np.testing.assert_allclose(found, right, rtol=1e-4)


def common_intercept(net, Y, mass):
    """Return the intercept that is fitted before the labels' own ones."""
    from skimbalance.calibration import PooledCalibrator

    calibrator = net.calibrator_
    raw = (net.out_of_fold_log_odds_ - calibrator.intercept_) / calibrator.slope_
    return PooledCalibrator().fit(raw.astype(float), Y, mass).intercept_


def test_multiclass_probabilities_add_up(problem):
    X, Y = problem
    y = Y.argmax(axis=1)
    net = mlp().fit(X, y)
    assert net.out_of_fold_log_odds_.shape == (300, 4)
    proba = np.exp(net.out_of_fold_log_odds_)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(proba.sum(axis=0), np.bincount(y), rtol=0.1)
    np.testing.assert_allclose(net.predict_proba(X).sum(axis=1), 1)


@pytest.mark.parametrize("pos_label", [None, "no"])
def test_binary_scores_have_the_sign_of_the_decision_function(problem, pos_label):
    X, Y = problem
    y = np.where(Y[:, 0] == 1, "yes", "no")
    net = mlp(pos_label=pos_label, max_epochs=20).fit(X, y)
    log_odds = net.out_of_fold_log_odds_
    assert log_odds.shape == (300,)
    assert np.corrcoef(log_odds, net.decision_function(X))[0, 1] > 0.8


def test_probabilities_of_fresh_rows_add_up():
    expected, counted, positives = np.zeros(6), np.zeros(6), np.zeros(6)
    for seed in range(3):
        X, Y = make_imbalanced_multilabel(
            3000, 8, 6, cardinality=1.0, imbalance_ratio=20, random_state=seed
        )
        net = mlp(hidden_layer_sizes=(32,), max_epochs=15, random_state=seed)
        net.fit(X[:500], Y[:500])
        expected += net.predict_proba(X[500:]).sum(axis=0)
        counted += 5 * Y[:500].sum(axis=0)
        positives += Y[500:].sum(axis=0)
    assert expected.sum() / positives.sum() == pytest.approx(1, abs=0.08)
    # No better than the prevalences of the training rows, for each label.
    np.testing.assert_allclose(expected / counted, 1, atol=0.2)


def test_a_member_without_a_positive_of_a_label_has_no_say():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(150, 4)), (rng.random((150, 2)) < 0.3).astype(int)
    Y[:, 1] = 0
    Y[7, 1] = 1
    net = mlp().fit(X, Y)
    _, fold = net._folds
    learnt = np.ones((5, 2))
    learnt[fold[7], 1] = 0
    np.testing.assert_array_equal(net._output.has_learnt, learnt)
    scores = np.moveaxis(member_scores(net, X), 1, 0)
    each = np.array([expit(net.calibrator_.transform(raw)) for raw in scores])
    mean = (each * learnt[:, None]).sum(axis=0) / learnt.sum(axis=0)
    np.testing.assert_allclose(net.predict_proba(X), mean, rtol=1e-5)


@pytest.mark.parametrize("correct", [False, "exact"])
def test_without_calibration_the_members_are_averaged(problem, correct):
    X, Y = problem
    net = mlp(correct_probabilities=correct).fit(X, Y)
    assert net.calibrator_ is None
    mean = expit(member_scores(net, X)).mean(axis=1)
    np.testing.assert_allclose(net.predict_proba(X), mean, rtol=1e-5)
    np.testing.assert_allclose(net.decision_function(X), logit(mean), rtol=1e-4)


# --------------------------------------------------------------------------
# Thresholds


def test_thresholds_are_those_of_scores_spread_as_the_mean_is(problem):
    X, Y = problem
    net = mlp(threshold="matched_prevalence", max_epochs=20).fit(X, Y)
    _, fold = net._folds
    each = net.calibrator_.transform(member_scores(net, X).reshape(-1, 4))
    each, rows = each.reshape(300, 5, 4), np.arange(300)
    between = np.array(
        [
            np.delete(each[row], fold[row], axis=0).var(axis=0, ddof=1)
            for row in range(300)
        ]
    ).mean()
    single = each[rows, fold]
    spread = np.sqrt(1 - between * 0.8 / single.var(axis=0).mean())
    assert 0.5 < spread < 0.999
    drawn = spread * single
    drawn += match_means(drawn, expit(single).mean(axis=0))
    right = MatchedPrevalence().learn(Y, expit(drawn), None)
    np.testing.assert_allclose(net._output.learnt[1], right, rtol=1e-4)


def test_as_many_positives_are_predicted_in_fresh_rows_as_there_are():
    predicted = positives = 0
    for seed in range(3):
        X, Y = make_imbalanced_multilabel(
            3000, 8, 6, cardinality=1.5, imbalance_ratio=8, random_state=seed
        )
        params = {"hidden_layer_sizes": (32,), "max_epochs": 30, "random_state": seed}
        net = mlp(threshold="matched_prevalence", **params).fit(X[:500], Y[:500])
        predicted += net.predict(X[500:]).sum()
        positives += 2500 * Y[:500].mean(axis=0).sum()
    assert predicted / positives == pytest.approx(1, abs=0.07)


# --------------------------------------------------------------------------
# What goes on


def test_out_of_fold_scores_are_not_stored(fitted, tmp_path):
    joblib.dump(fitted, tmp_path / "net.joblib")
    again = joblib.load(tmp_path / "net.joblib")
    assert again.out_of_fold_log_odds_ is None
    assert fitted.out_of_fold_log_odds_ is not None


def test_a_resumed_run_has_the_folds_of_the_first(problem, tmp_path, monkeypatch):
    X, Y = problem
    whole = mlp(max_epochs=6).fit(X, Y)
    params = {"checkpoint": tmp_path, "max_epochs": 6}

    class Kill(Callback):
        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == 3:
                raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        mlp(**params, callbacks=[Kill()]).fit(X, Y)

    def other(self, n_folds, rng):
        raise AssertionError("the folds of the checkpoint are to be used")

    monkeypatch.setattr(TrainingData, "split_folds", other)
    resumed = mlp(**params, resume=True).fit(X, Y)
    np.testing.assert_array_equal(resumed._folds[1], whole._folds[1])
    np.testing.assert_array_equal(resumed.predict_proba(X), whole.predict_proba(X))


def test_a_warm_start_on_the_same_rows_keeps_the_folds(problem):
    X, Y = problem
    net = mlp(warm_start=True, random_state=None).fit(X, Y)
    fold = net._folds[1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.fit(X, Y)
    np.testing.assert_array_equal(net._folds[1], fold)
    assert net.n_iter_ == 8
    assert net.out_of_fold_log_odds_ is not None


@pytest.mark.parametrize("validation_fraction", [0.1, 0.3])
def test_a_warm_start_on_the_same_rows_keeps_the_held_out_part(validation_fraction):
    """Labels that nothing predicts show whether a held-out row has trained."""
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(600, 10)), (rng.random((600, 3)) < 0.3).astype(int)
    net = mlp(
        hidden_layer_sizes=(64,),
        n_members=1,
        warm_start=True,
        random_state=np.random.RandomState(0),  # draws anew in each fit
        scoring="average_precision",
        max_epochs=30,
        lr=0.01,
        dropout=0.0,
    ).fit(X, Y)
    part = net._folds[1]
    net.set_params(validation_fraction=validation_fraction)
    for _ in range(2):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            net.fit(X, Y)
        np.testing.assert_array_equal(net._folds[1], part)
    assert net.best_score_ < 0.55
    assert net.calibrator_.slope_ < 0.8


def test_a_warm_start_of_one_net_on_other_rows_keeps_the_calibration(problem):
    X, Y = problem
    net = mlp(n_members=1, warm_start=True, random_state=None).fit(X[:200], Y[:200])
    calibrator, summary = net.calibrator_, net._output.summary
    for _ in range(2):
        with pytest.warns(ImbalanceWarning, match="goes on with other rows"):
            net.fit(X[100:], Y[100:])
        assert net.calibrator_ is calibrator
        assert net._output.summary is summary
    held_out = {"X_val": X[:100], "y_val": Y[:100]}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.fit(X[100:], Y[100:], **held_out)
    assert net.calibrator_ is not calibrator
    prior = net.prior_
    with pytest.warns(ImbalanceWarning, match="goes on with other rows"):
        net.fit(X[100:], Y[100:])
    np.testing.assert_array_equal(net.prior_, prior)


def test_a_warm_start_after_nothing_was_held_out_calibrates(problem):
    X, Y = problem
    net = mlp(n_members=1, warm_start=True, early_stopping=False).fit(X, Y)
    assert net.calibrator_ is None
    assert net.set_params(early_stopping=True).fit(X, Y).calibrator_ is not None


@pytest.mark.parametrize(
    "first, again",
    [
        ((np.array, np.array), (np.array, sp.csr_array)),
        ((np.array, sp.csr_array), (np.array, np.array)),
        ((np.array, np.array), (np.float32, np.array)),
        ((np.float32, np.array), (np.array, np.float32)),
        ((sp.csr_array, np.array), (sp.csc_array, np.array)),
        ((sp.csr_array, np.array), (with_stored_zeros, np.array)),
    ],
)
def test_a_warm_start_knows_the_rows_in_another_container(problem, first, again):
    X, Y = problem
    X = X * (X > 0)
    net = mlp(warm_start=True).fit(first[0](X), first[1](Y))
    fold = net._folds[1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.fit(again[0](X), again[1](Y))
    np.testing.assert_array_equal(net._folds[1], fold)


@pytest.mark.parametrize("place", [(0, 0), (299, 5), (299, 0)])
def test_a_warm_start_finds_one_other_value(problem, place):
    X, Y = problem
    net, other = mlp(warm_start=True, max_epochs=1).fit(X, Y), X.copy()
    other[place] += 1
    with pytest.warns(ImbalanceWarning, match="goes on with other rows"):
        net.fit(other, Y)
    labels = Y.copy()
    labels[place[0], 0] = 1 - labels[place[0], 0]
    net = mlp(warm_start=True, max_epochs=1).fit(X, Y)
    with pytest.warns(ImbalanceWarning, match="goes on with other rows"):
        net.fit(X, sp.csr_array(labels))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int8])
def test_the_digest_of_values_does_not_depend_on_the_blocks(dtype, monkeypatch):
    rng = np.random.default_rng(0)
    X = (rng.integers(-2, 3, size=(50, 7)) * (rng.random((50, 7)) < 0.3)).astype(dtype)
    whole = digest_of_values(X)
    monkeypatch.setattr("skimbalance.neural_network._checkpoint._BLOCK_VALUES", 20)
    assert digest_of_values(X) == whole
    assert digest_of_values(sp.csr_array(X)) == whole
    assert digest_of_values(X.astype(float)) == whole
    assert digest_of_values(X[::-1]) != whole
    assert digest_of_values(X.reshape(25, 14)) != whole
    assert digest_of_values(X[:, :1]) != digest_of_values(X[:, 0])


def test_a_warm_start_on_other_rows_keeps_the_calibration(problem):
    X, Y = problem
    net = mlp(warm_start=True, threshold="f_beta").fit(X[:200], Y[:200])
    calibrator, thresholds = net.calibrator_, net._output.learnt
    for rows in (slice(100, 300), slice(100, 300)):  # no row is forgotten
        with pytest.warns(ImbalanceWarning, match="goes on with other rows"):
            net.fit(X[rows], Y[rows])
        assert net.calibrator_ is calibrator
        assert net._output.learnt is thresholds
        assert net.out_of_fold_log_odds_ is None


@pytest.mark.parametrize(
    "change, message",
    [
        ({"n_members": 2}, "n_members changed"),
        ({"standardize": True}, "an InputEncoder scales, but standardize=True"),
    ],
)
def test_a_warm_start_refuses_what_it_cannot_change(problem, change, message):
    X, Y = problem
    net = mlp(warm_start=True, max_epochs=1).fit(X, Y)
    net.set_params(n_members=net.net_.module_.n_members).fit(X, Y)
    net.set_params(**change)
    with pytest.raises(ValueError, match=message):
        net.fit(X, Y)


def test_a_warm_start_of_one_net_cannot_cross_fit(problem):
    X, Y = problem
    net = mlp(cross_fit=True, warm_start=True, max_epochs=1).partial_fit(X, Y)
    with pytest.raises(ValueError, match="two members: set warm_start=False"):
        net.fit(X, Y)


def test_a_warm_start_keeps_groups_together(problem, monkeypatch):
    X, Y = problem
    net = mlp(warm_start=True).fit(X, Y)
    calibrator, groups = net.calibrator_, np.arange(300) // 8
    folds, set_folds = [], TrainingData.set_folds
    monkeypatch.setattr(
        TrainingData,
        "set_folds",
        lambda self, fold: (folds.append(fold), set_folds(self, fold)),
    )
    with pytest.warns(ImbalanceWarning, match="groups that its folds divide"):
        net.fit(X, Y, groups=groups)
    (fold,) = folds
    assert all(len(set(fold[groups == group])) == 1 for group in set(groups))
    assert net.calibrator_ is calibrator
    # Folds that no group is divided by are kept.
    net = mlp(warm_start=True).fit(X, Y, groups=groups)
    fold = net._folds[1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.fit(X, Y, groups=np.arange(300) // 4)
    np.testing.assert_array_equal(net._folds[1], fold)


def test_partial_fit_trains_all_members_and_fits_no_calibration(problem):
    X, Y = problem
    net = mlp().fit(X, Y)
    calibrator = net.calibrator_
    before = [m.bias.clone() for m in net.members_]
    net.partial_fit(X, Y)
    assert net.calibrator_ is calibrator
    assert net.out_of_fold_log_odds_ is None
    assert not any(map(torch.equal, before, [m.bias for m in net.members_]))
    net.set_params(warm_start=True)
    with pytest.warns(ImbalanceWarning, match="goes on with other rows"):
        net.fit(X, Y)


@pytest.mark.parametrize("loss", ["log_loss", "focal"])
@pytest.mark.parametrize("goes_on", ["warm_start", "partial_fit"])
def test_a_label_that_was_constant_recovers(goes_on, loss):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 6))
    noise = rng.normal(size=(600, 3))
    Y = (X[:, :3] + noise > [0.5, 1.0, 1.6]).astype(int)
    before = Y * [1, 1, 0]
    net = mlp(loss=loss, max_epochs=20, warm_start=goes_on == "warm_start")
    with pytest.warns(UndefinedLabelWarning, match="one value only"):
        net.fit(X, before)
    if goes_on == "warm_start":
        with pytest.warns(ImbalanceWarning, match="goes on with other rows"):
            net.fit(X, Y)
    else:
        for _ in range(30):
            net.partial_fit(X, Y)
    proba = net.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=0), Y.sum(axis=0), rtol=0.2)
    # What was learnt without the label maps only the others: the slope is not 1.
    assert abs(net.calibrator_.slope_ - 1) > 0.1
    raw = np.array([(m(torch.as_tensor(X).float())).detach() for m in net.members_])
    if loss == "log_loss":
        own = expit(raw[:, :, 2].astype(float)).mean(axis=0)
        np.testing.assert_allclose(proba[:, 2], own, rtol=1e-4)
    exported = net.to_torch("predict_proba")(torch.as_tensor(X))
    np.testing.assert_allclose(exported, proba, rtol=1e-5)
