"""Training: early stopping, callbacks, chunks, randomness and persistence."""

import copy
import io
import json
import os
import pickle
import subprocess
import sys
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from nets import linear, small, small_problem
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import EarlyStopping, LRScheduler
from torch import nn

from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.losses import FocalLoss, PointwiseLoss
from skimbalance.metrics import (
    UndefinedLabelWarning,
    expected_observed_ratio,
    multilabel_log_loss,
)
from skimbalance.neural_network import ImbalancedNetClassifier
from skimbalance.weights import PosWeightTransformer, compute_class_weight


@pytest.fixture(scope="module")
def problem():
    return small_problem()


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


@pytest.mark.parametrize(
    "params", [{"pos_weight": "balanced"}, {"loss": "focal"}, {"label_smoothing": 0.1}]
)
def test_few_held_out_positives_watch_corrected_probabilities(params):
    X, Y = make_imbalanced_multilabel(
        1000, 5, 6, cardinality=0.6, imbalance_ratio=3, random_state=0
    )
    X_val, Y_val = X[:100], Y[:100]
    assert Y_val.sum(axis=0).min() >= 3
    assert Y_val.sum() < 100
    held_out = {"X_val": X_val, "y_val": Y_val}
    net = small(correct_probabilities="exact", max_epochs=5, **params).fit(
        X[100:], Y[100:], **held_out
    )
    log_loss = multilabel_log_loss(Y_val, net.predict_proba(X_val))
    assert net.best_score_ == pytest.approx(-log_loss, rel=1e-4)
    raw = (
        clone(net)
        .set_params(correct_probabilities=False)
        .fit(X[100:], Y[100:], **held_out)
    )
    assert "valid_score" not in raw.history_[0]


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
    # Without a calibration, `prior_` is that of the training part.
    params = {"early_stopping": "auto", "correct_probabilities": "exact"}
    for seed in range(3):
        net = small(max_epochs=1, random_state=seed, **params).fit(X, Y)
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
    search = {"line_search_fn": "strong_wolfe"}
    lbfgs = {"optimizer": torch.optim.LBFGS, "optimizer_params": search, "lr": 1.0}
    net = small(**lbfgs, batch_size=300).fit(X, Y)
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
    assert 0.8 < expected_observed_ratio(Y, net.predict_proba(X)) < 1.2


def test_warm_start_goes_on(problem):
    X, Y = problem
    net = small(warm_start=True, max_epochs=2, dropout=0.0, lr=0.01).fit(X, Y)
    first = net.history_[-1]["train_loss"]
    net.fit(X, Y)
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
    assert 0.7 < expected_observed_ratio(Y, net.predict_proba(X)) < 1.3


def test_partial_fit_reads_counts_by_the_names_of_labels_and_classes(problem):
    X, Y = problem
    y = pd.Series(np.array(["a", "b", "c"])[Y[:, 0] + (X[:, 0] > -0.5)])
    counts = y.value_counts()
    assert list(counts.index) != ["a", "b", "c"]  # it sorts by size
    known = {"classes": ["a", "b", "c"], "label_counts": (counts, 300 - counts)}
    net = small(pos_weight="balanced").partial_fit(X, y, **known)
    np.testing.assert_allclose(net.prior_, counts.sort_index() / 300)
    np.testing.assert_allclose(net.pos_weight_, 100 / counts.sort_index())

    frame = pd.DataFrame(Y, columns=list("wxyz"))
    positive = frame.sum()
    chunk, known = frame[frame.columns[::-1]], (positive, dict(300 - positive))
    net = small(pos_weight="balanced").partial_fit(X, chunk, label_counts=known)
    np.testing.assert_allclose(net.pos_weight_, ((300 - positive) / positive)[::-1])
    # Labels without names are counted in their order, whatever the Series calls them.
    net = small(pos_weight="balanced")
    net.partial_fit(X, Y, label_counts=(positive, 300 - positive))
    np.testing.assert_allclose(net.pos_weight_, (300 - positive) / positive)
    with pytest.raises(ValueError, match="label_counts must have one entry for each"):
        small().partial_fit(X, frame, label_counts=(positive[1:], 300 - positive[1:]))


@pytest.mark.parametrize("container", [pd.Series, dict])
@pytest.mark.parametrize(
    "names, rates, pos_label, prior",
    [
        (["ok", "fraud"], [0.9, 0.1], "fraud", [0.1]),
        (["n", "p"], [0.9, 0.1], None, [0.1]),
        ([0, 1], [0.9, 0.1], None, [0.1]),
        (["c", "a", "b"], [0.6, 0.1, 0.3], None, [0.1, 0.3, 0.6]),
    ],
    ids=str,
)
def test_partial_fit_reads_the_rows_of_each_class(
    problem, names, rates, pos_label, prior, container
):
    X, _ = problem
    y = np.repeat(names, np.round(300 * np.array(rates)).astype(int))
    counts = container(pd.Series(y).value_counts())  # sorted by size
    net = small(pos_weight="balanced", pos_label=pos_label)
    net.partial_fit(X, y, classes=names, label_counts=counts)
    np.testing.assert_allclose(net.prior_, prior)
    expected = (
        (1 - net.prior_) / net.prior_ if len(prior) == 1 else 1 / (3 * net.prior_)
    )
    np.testing.assert_allclose(net.pos_weight_, expected)


def test_partial_fit_refuses_counts_by_other_names(problem):
    X, Y = problem
    known = {"classes": ["n", "p"], "label_counts": {"positive": 30, "negative": 270}}
    y = np.array(["n", "p"])[Y[:, 0]]
    with pytest.raises(ValueError, match=r"one entry for each of \['n', 'p'\]"):
        small().partial_fit(X, y, **known)
    with pytest.raises(ValueError, match="must be the pair"):
        small().partial_fit(X, Y, label_counts={"positive": 30, "negative": 270})


@pytest.mark.parametrize(
    "before, change",
    [
        ({"loss": FocalLoss(gamma=2.0)}, {"loss__gamma": 1.0}),
        ({"pos_weight": PosWeightTransformer("sqrt")}, {"pos_weight__power": 0.3}),
    ],
    ids=["loss", "pos_weight"],
)
def test_partial_fit_refuses_what_changes_in_an_object(problem, before, change):
    X, Y = problem
    counts = Y.sum(axis=0), (1 - Y).sum(axis=0)
    net = small(**before).partial_fit(X, Y, label_counts=counts)
    net.partial_fit(X, Y).set_params(**change)
    name = next(iter(before))
    with pytest.raises(ValueError, match=f"{name}=.* goes on with a net that was made"):
        net.partial_fit(X, Y)


def test_partial_fit_needs_counts_and_classes_where_they_matter(problem):
    X, Y = problem
    with pytest.raises(ValueError, match="label_counts"):
        small(pos_weight="sqrt").partial_fit(X, Y)
    with pytest.raises(ValueError, match="label_counts"):
        small(pos_weight=PosWeightTransformer()).partial_fit(X, Y)
    with pytest.raises(ValueError, match="label_counts is for 2 labels"):
        small().partial_fit(X, Y, label_counts=([1, 2], [3, 4]))
    with pytest.raises(ValueError, match="one label or two"):
        small().partial_fit(X, Y, label_counts=[30, 270])
    with pytest.raises(ValueError, match="classes must be passed"):
        small().partial_fit(X, Y[:, 0])
    one = small().partial_fit(X, Y[:, 0], classes=[0, 1], label_counts=(30, 270))
    assert one.prior_ == pytest.approx(0.1)
    net = small().partial_fit(X[:50], Y[:50, 0], classes=[0, 1, 2])
    assert net.predict_proba(X).shape == (300, 3)
    with pytest.raises(ValueError, match="not among the known"):
        net.partial_fit(X, Y[:, 0] + 5)
    bias = small(lr=1e-12).partial_fit(X, Y).net_.module_.bias
    np.testing.assert_allclose(bias.detach(), 0, atol=1e-9)


def test_partial_fit_refuses_to_balance_each_chunk_by_itself(problem):
    X, Y = problem
    y, message = Y[:, 0], "class_weight='balanced' is not supported for partial_fit"
    with pytest.raises(ValueError, match=message):
        small(class_weight="balanced").partial_fit(X, y, classes=[0, 1])
    net = small(class_weight="balanced").fit(X, y)
    with pytest.raises(ValueError, match=message):
        net.partial_fit(X, y)
    net.set_params(class_weight=compute_class_weight(y)).partial_fit(X, y)
    assert net.n_iter_ == 4


def test_partial_fit_revives_a_label_once_it_had_both_values(problem):
    X, Y = problem
    Y = Y.copy()
    Y[:100, 0] = 0
    net = small().partial_fit(X[:100], Y[:100])
    assert len(np.unique(net.predict_proba(X)[:, 0])) == 1
    net.partial_fit(X[100:], Y[100:])
    assert len(np.unique(net.predict_proba(X)[:, 0])) > 1


def test_a_first_chunk_leaves_the_bias_where_the_module_starts(problem):
    X, Y = problem
    net = ImbalancedNetClassifier(linear, lr=1e-12, random_state=0)
    with torch.random.fork_rng():
        bias = net.partial_fit(X, Y).net_.module_.bias.detach()
    # That of nn.Linear is uniform, and its limit is 1 / sqrt(n_features).
    assert 0.05 < bias.abs().max() < 1 / np.sqrt(X.shape[1])


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
    net = small(hidden_layer_sizes=(100,), standardize=True, max_epochs=2).fit(X, Y)
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

    # What the estimator answers with is on the CPU wherever the net is.
    apart = {"__cuda_dependent_attributes__", "outputs_"}
    outside = {key: value for key, value in state.items() if key not in apart}
    Find(io.BytesIO(pickle.dumps(outside))).load()
    assert ("torch._utils", "_rebuild_tensor_v2") not in found
    assert not any(module == "torch.storage" for module, _ in found)


@pytest.mark.cuda
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
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


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


def test_warm_start_refuses_other_names_and_orders():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(40, 3)), columns=list("abc"))
    Y = pd.DataFrame(rng.integers(0, 2, (40, 3)), columns=list("xyz"))
    net = small(warm_start=True).fit(X, Y)
    before = net.predict_proba(X)
    for inputs, targets, match in (
        (X, Y[["z", "y", "x"]], r"labels \['x', 'y', 'z'\], but y has \['z', 'y'"),
        (X[["c", "b", "a"]], Y, r"features \['a', 'b', 'c'\], but X has \['c', 'b'"),
    ):
        with pytest.raises(ValueError, match=match):
            net.fit(inputs, targets)
        assert list(net.label_names_) == ["x", "y", "z"]
        assert list(net.feature_names_in_) == ["a", "b", "c"]
        np.testing.assert_array_equal(net.predict_proba(X), before)
    net.fit(X, Y).fit(X.to_numpy(), Y.to_numpy())  # arrays have no names to compare


def test_a_function_as_scoring_gets_all_labels_in_their_order():
    X, Y = make_imbalanced_multilabel(
        400, 4, 6, cardinality=1, imbalance_ratio=5, random_state=0
    )
    Y[:, 2] = 0
    Y[3, 2] = 1  # with one positive, it cannot be ranked
    shapes = []

    def weighted(estimator, X, y):
        proba = estimator.predict_proba(X)
        shapes.append((proba.shape[1], y.shape[1]))
        assert y[:, 2].sum() <= 1 < y[:, 3].sum()
        return -(np.abs(y - proba) @ np.arange(6)).mean()

    net = small(scoring=weighted, early_stopping=True, max_epochs=3).fit(X, Y)
    assert set(shapes) == {(6, 6)}
    assert net.best_score_ < 0
