"""The public callbacks of skorch, as they are, and the fitted net as a skorch net."""

import json
import threading

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from nets import linear
from sklearn.metrics import accuracy_score, average_precision_score, f1_score
from skorch.callbacks import (
    BatchScoring,
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    EpochTimer,
    Freezer,
    GradientNormClipping,
    Initializer,
    InputShapeSetter,
    LoadInitState,
    LRScheduler,
    ParamMapper,
    PassthroughScoring,
    PrintLog,
    ProgressBar,
    TensorBoard,
    TrainEndCheckpoint,
    Unfreezer,
    WarmRestartLR,
)
from torch import nn
from torch.optim import lr_scheduler

from skimbalance.neural_network import ImbalancedMLPClassifier, ImbalancedNetClassifier

RNG = np.random.default_rng(0)
X = RNG.normal(size=(240, 5)) * [1, 10, 0.1, 1, 1] + 3
LABELS = (RNG.normal(size=(240, 3)) + X[:, :1] > [3.5, 3.5, 4.0]).astype(int)
NAMES = np.array(["no", "yes"])
TARGETS = {
    "binary": NAMES[LABELS[:, 0]],
    "multilabel": LABELS,
    "multiclass": np.array(["a", "b", "c"])[LABELS[:, :2].sum(axis=1)],
}
MEMBERS = [1, 5]


class TwoParts(nn.Module):
    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.back = nn.Linear(n_features, 4)
        self.head = nn.Linear(4, n_outputs)

    def forward(self, x):
        return self.head(self.back(x).tanh())


def net(callbacks, **params):
    defaults = {
        "max_epochs": 3,
        "batch_size": 64,
        "early_stopping": True,
        "callbacks": callbacks,
        "lr": 0.01,
        "random_state": 0,
    }
    return ImbalancedNetClassifier(TwoParts, **{**defaults, **params})


class Writer:
    """A logger that cannot be copied."""

    def __init__(self):
        self.lock, self.tags, self.is_closed = threading.Lock(), [], False

    def add_scalar(self, tag, scalar_value, global_step):
        assert np.isfinite(scalar_value)
        self.tags.append((tag, global_step))

    def close(self):
        self.is_closed = True


def n_right(net, X, y):
    """A scorer that asks the net, and returns a number of rows."""
    predicted = net.predict(X)
    assert len(predicted) == len(y)
    return float((predicted == y).reshape(len(y), -1).all(axis=1).sum())


def of_names(kind):
    if kind == "multilabel":
        return ["accuracy", "f1_macro", "neg_log_loss"][:2]
    return ["accuracy", "neg_log_loss"]


SETTINGS = {
    "scoring_validation": lambda _: [EpochScoring(n_right, name="s")],
    "scoring_training": lambda _: [EpochScoring(n_right, name="s", on_train=True)],
    "scoring_uncached": lambda _: [EpochScoring(n_right, name="s", use_caching=False)],
    "scoring_default": lambda _: [EpochScoring(None, name="s", lower_is_better=False)],
    "scoring_training_uncached": lambda _: [
        EpochScoring(n_right, name="s", on_train=True, use_caching=False)
    ],
    "batch_validation": lambda _: [BatchScoring(n_right, name="s")],
    "batch_training": lambda _: [BatchScoring(n_right, name="s", on_train=True)],
    "batch_uncached": lambda _: [BatchScoring(n_right, name="s", use_caching=False)],
    "batch_accuracy": lambda _: [BatchScoring("accuracy", name="s", on_train=True)],
    "passthrough": lambda _: [PassthroughScoring("train_loss", on_train=True)],
    "print_log": lambda _: [PrintLog(sink=lambda text: None)],
    "progress_bar": lambda _: [ProgressBar(detect_notebook=False)],
    "progress_bar_count": lambda _: [ProgressBar("count")],
    "timer": lambda _: [("second_timer", EpochTimer())],
    "class": lambda _: [PrintLog],
    "checkpoint": lambda folder: [Checkpoint(dirname=folder)],
    "checkpoint_every": lambda folder: [
        Checkpoint(monitor=None, dirname=folder, f_params="p{last_epoch[epoch]}.pt")
    ],
    "checkpoint_batch": lambda folder: [
        Checkpoint(dirname=folder, f_params="{last_batch[valid_batch_size]}.pt")
    ],
    "checkpoint_score": lambda folder: [
        EpochScoring(n_right, name="s", lower_is_better=False),
        Checkpoint(monitor="s_best", dirname=folder, load_best=True),
    ],
    "checkpoint_pickle": lambda folder: [
        Checkpoint(dirname=folder, f_pickle="net.pkl")
    ],
    "train_end": lambda folder: [TrainEndCheckpoint(dirname=folder)],
    "early_stopping": lambda _: [EarlyStopping(patience=9, load_best=True)],
    "early_stopping_train": lambda _: [
        EarlyStopping("train_loss", patience=1, threshold=1e9)
    ],
    "lr_epoch": lambda _: [LRScheduler("StepLR", step_size=1, gamma=0.5)],
    "lr_cosine": lambda _: [LRScheduler("CosineAnnealingLR", T_max=3)],
    "lr_plateau": lambda _: [
        LRScheduler("ReduceLROnPlateau", monitor="valid_loss", patience=0)
    ],
    "lr_plateau_batch": lambda _: [
        LRScheduler("ReduceLROnPlateau", monitor="train_loss", step_every="batch")
    ],
    "lr_one_cycle": lambda _: [
        LRScheduler(
            lr_scheduler.OneCycleLR, max_lr=0.1, total_steps=99, step_every="batch"
        )
    ],
    "lr_cyclic": lambda _: [
        LRScheduler(
            "CyclicLR",
            base_lr=0.01,
            max_lr=0.1,
            step_every="batch",
            cycle_momentum=False,
        )
    ],
    "lr_lambda": lambda _: [LRScheduler("LambdaLR", lr_lambda=lambda t: 0.9**t)],
    "lr_warm_restart": lambda _: [LRScheduler(WarmRestartLR, max_lr=0.02)],
    "clipping": lambda _: [GradientNormClipping(0.1)],
    "input_shape": lambda _: [InputShapeSetter()],
    "freezer": lambda _: [Freezer("back.*"), Unfreezer("back.weight", at=2)],
    "initializer": lambda _: [Initializer("head.weight", fn=nn.init.zeros_)],
    "mapper": lambda _: [ParamMapper("head.bias", fn=nn.init.zeros_, at=2)],
    "tensorboard": lambda _: [TensorBoard(Writer())],
}


@pytest.mark.parametrize("n_members", MEMBERS)
@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("setting", SETTINGS)
def test_a_callback_works_as_it_is(setting, kind, n_members, tmp_path):
    callbacks = SETTINGS[setting](str(tmp_path))
    fitted = net(callbacks, n_members=n_members, max_epochs=2)
    fitted.fit(X, TARGETS[kind])
    history = fitted.net_.history
    assert len(history) == 2 or setting == "checkpoint_score"  # loads an earlier one
    if "s" in history[-1]:
        assert np.isfinite(history[:, "s"]).all()
        assert len(history[:, "s_best"]) == len(history)
    else:
        assert "scoring" not in setting
        assert not setting.startswith("batch")
    for callback in callbacks:
        if getattr(callback, "dirname", None):
            names = {file.name for file in tmp_path.iterdir()}
            assert any(name.endswith(".pt") for name in names)
            assert any(name.endswith("history.json") for name in names)
    assert np.isfinite(fitted.predict_proba(X)).all()


# ---------------------------------------------------------------- values of the scores


class Remember(Callback):
    """Keeps what the net predicts at the end of the last epoch."""

    def on_epoch_end(self, net, dataset_valid=None, dataset_train=None, **kwargs):
        self.valid = net.predict_proba(dataset_valid), dataset_valid.y
        self.train_y = dataset_train.y


@pytest.mark.parametrize("n_members", MEMBERS)
@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("use_caching", [True, False])
def test_scores_are_those_of_scikit_learn(kind, n_members, use_caching):
    scorings = [
        EpochScoring("accuracy", name="accuracy", use_caching=use_caching),
        EpochScoring("f1_macro", name="f1", use_caching=use_caching),
        ("remember", Remember()),
    ]
    fitted = net(scorings, n_members=n_members).fit(X, TARGETS[kind])
    remember = dict(fitted.net_.callbacks_)["remember"]
    proba, y = remember.valid
    if kind == "multilabel":
        predicted = (proba > 0.5).astype(int)
    else:
        predicted = fitted.classes_[proba.argmax(axis=1)]
    last = fitted.net_.history[-1]
    assert last["accuracy"] == pytest.approx(accuracy_score(y, predicted))
    f1 = f1_score(y, predicted, average="macro", zero_division=0)
    assert last["f1"] == pytest.approx(f1)
    assert len(y) + len(remember.train_y) == len(X)


def test_a_batch_score_is_the_mean_over_rows():
    plain = [BatchScoring("accuracy", name="b"), EpochScoring("accuracy", name="e")]
    fitted = net(plain, batch_size=10).fit(X, TARGETS["binary"])
    for row in fitted.net_.history:
        assert row["b"] == pytest.approx(row["e"])


@pytest.mark.parametrize("n_members", MEMBERS)
def test_the_history_holds_losses_of_batches_and_which_is_best(n_members):
    passed = PassthroughScoring("valid_loss")
    fitted = net([passed], n_members=n_members, max_epochs=6, lr=0.1).fit(X, LABELS)
    history = fitted.net_.history
    for prefix in ("train", "valid"):
        best = np.inf
        for row in history:
            batches = [b for b in row["batches"] if f"{prefix}_loss" in b]
            sizes = [b[f"{prefix}_batch_size"] for b in batches]
            losses = [b[f"{prefix}_loss"] for b in batches]
            mean = np.average(losses, weights=sizes)
            assert row[f"{prefix}_loss"] == pytest.approx(mean)
            assert row[f"{prefix}_loss_best"] == (row[f"{prefix}_loss"] < best)
            best = min(best, row[f"{prefix}_loss"])
    json.dumps(history.to_list())


def test_watching_changes_nothing_of_the_training():
    plain = net(None).fit(X, LABELS).predict_proba(X)
    watched = [EpochScoring("f1_macro", use_caching=False), BatchScoring(n_right)]
    np.testing.assert_array_equal(plain, net(watched).fit(X, LABELS).predict_proba(X))


# ---------------------------------------------------------------- effects of callbacks


@pytest.mark.parametrize("n_members", MEMBERS)
def test_parameters_go_by_the_names_of_the_users_module(n_members):
    fitted = net([Freezer("back.*")], n_members=n_members, max_epochs=1)
    start = fitted.set_params(lr=1e-300).fit(X, LABELS).members_
    end = fitted.set_params(lr=0.1, max_epochs=4).fit(X, LABELS).members_
    for before, after in zip(start, end):
        assert torch.equal(before.body.back.weight, after.body.back.weight)
        assert not torch.equal(before.body.head.weight, after.body.head.weight)
    names = [name for name, _ in fitted.net_.get_all_learnable_params()]
    assert names == ["back.weight", "back.bias", "head.weight", "head.bias"]


def test_groups_of_parameters_take_the_users_names():
    groups = [("back.*", {"lr": 1e-300}), ("head.weight", {"weight_decay": 0.3})]
    fitted = net(None, optimizer_params={"param_groups": groups}).fit(X, LABELS)
    module, found = fitted.net_.module_, fitted.net_.optimizer_.param_groups
    by_id = {id(p): group for group in found for p in group["params"]}
    assert by_id[id(module.body.back.weight)]["lr"] == 1e-300
    assert by_id[id(module.body.head.weight)]["weight_decay"] == 0.3
    assert by_id[id(module.bias)]["weight_decay"] == 0
    assert sum(len(group["params"]) for group in found) == 4


@pytest.mark.parametrize("kind", [Freezer, Unfreezer, Initializer, ParamMapper])
def test_a_pattern_that_matches_nothing_is_refused(kind):
    with pytest.raises(ValueError, match=r"'bakc\.\*'.*Did you mean 'back'"):
        net([kind("bakc.*")]).fit(X, LABELS)
    groups = {"param_groups": [("bakc.*", {"lr": 1.0})]}
    with pytest.raises(ValueError, match=r"param_groups'\].*'bakc\.\*'"):
        net(None, optimizer_params=groups).fit(X, LABELS)


def test_loggers_get_what_is_logged_and_are_never_copied():
    writer = Writer()
    net([TensorBoard(writer)]).fit(X, LABELS)
    assert {tag for tag, _ in writer.tags} >= {"Loss/train_loss", "Loss/valid_loss"}
    assert {step for _, step in writer.tags} == {1, 2, 3}
    assert writer.is_closed


def test_a_saved_net_is_loaded_at_the_start_of_another(tmp_path):
    saved = TrainEndCheckpoint(dirname=str(tmp_path), f_optimizer=None)
    first = net([saved]).fit(X, LABELS)
    again = net([LoadInitState(saved.initialize())], lr=1e-300, max_epochs=1)
    again.fit(X, LABELS)
    for key, value in first.net_.module_.state_dict().items():
        torch.testing.assert_close(again.net_.module_.state_dict()[key], value)
    assert len(again.net_.history) == 4


@pytest.mark.parametrize(
    "callbacks",
    [
        [EarlyStopping()],
        [("stop", EarlyStopping(monitor="valid_score"))],
        [Checkpoint()],
        [LRScheduler("ReduceLROnPlateau", monitor="valid_loss")],
        [EpochScoring("f1_macro", name="f1"), EarlyStopping(monitor="f1")],
    ],
)
def test_a_monitor_of_held_out_rows_is_refused_before_training(callbacks, tmp_path):
    for item in callbacks:
        callback = item[-1] if isinstance(item, tuple) else item
        if isinstance(callback, Checkpoint):
            callback.dirname = str(tmp_path)
    without = net(callbacks, early_stopping=False)
    with pytest.raises(ValueError, match=r"has monitor='.*none are held out.*X_val"):
        without.fit(X, LABELS)
    with pytest.raises(ValueError, match="none are held out"):
        without.partial_fit(X, LABELS)
    without.fit(X, LABELS, X_val=X, y_val=LABELS)
    free = [
        EarlyStopping(monitor="train_loss"),
        LRScheduler("StepLR", step_size=1, monitor="valid_loss"),
        EpochScoring("f1_macro", name="f1", on_train=True),
        ("by_f1", EarlyStopping(monitor="f1", lower_is_better=False)),
    ]
    assert net(free, early_stopping=False).fit(X, LABELS).n_iter_ == 3


@pytest.mark.parametrize("name", [None, "saved"])
def test_a_callback_that_holds_another_holds_its_copy(tmp_path, name):
    saved = TrainEndCheckpoint(dirname=str(tmp_path), f_optimizer=None)
    first = net([saved]).fit(X, LABELS)
    both = [saved if name is None else (name, saved), LoadInitState(saved)]
    again = net(both, lr=1e-300, max_epochs=1).fit(X, LABELS)
    for key, value in first.net_.module_.state_dict().items():
        torch.testing.assert_close(again.net_.module_.state_dict()[key], value)
    assert len(again.net_.history) == 4
    # The objects of the user are as they were, for another fit.
    assert both[1].checkpoint is saved
    assert not hasattr(saved, "checkpoint_")
    copies = {type(one): one for _, one in again.net_.callbacks_}
    assert copies[LoadInitState].checkpoint is copies[TrainEndCheckpoint]


def test_input_shape_setter_reaches_a_module_that_takes_the_parameter():
    seen = []

    def module(n_features, n_outputs, input_dim=1):
        seen.append(input_dim)
        return nn.Linear(n_features, n_outputs)

    fitted = ImbalancedNetClassifier(
        module, callbacks=[InputShapeSetter()], max_epochs=1, random_state=0
    ).fit(X, LABELS)
    assert seen == [1, 5]
    assert fitted.net_.history[-1]["train_loss"] > 0


@pytest.mark.parametrize("n_members", MEMBERS)
def test_early_stopping_of_skorch_restores_its_own_best(n_members):
    class Losses(Callback):
        """The training loss rises after the second epoch."""

        def on_epoch_end(self, net, **kwargs):
            epoch = len(net.history)
            net.history.record("watched", abs(epoch - 2.0))
            if epoch == 2:
                self.state = {
                    key: value.clone()
                    for key, value in net.module_.state_dict().items()
                }

    stop = EarlyStopping("watched", patience=2, load_best=True, sink=lambda text: None)
    callbacks = [("losses", Losses()), stop]
    fitted = net(callbacks, early_stopping=False, max_epochs=9, n_members=n_members)
    fitted.fit(X, LABELS)
    assert fitted.n_iter_ == 4
    expected = dict(fitted.net_.callbacks_)["losses"].state
    for key, value in fitted.net_.module_.state_dict().items():
        assert torch.equal(value, expected[key])


# ------------------------------------------------------------- the net as a skorch net


@pytest.mark.parametrize("n_members", MEMBERS)
@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("container", [np.asarray, sp.csr_array, torch.tensor])
def test_the_net_answers_as_the_estimator_does(kind, n_members, container):
    params = {"max_epochs": 3, "n_members": n_members, "early_stopping": True}
    fitted = ImbalancedMLPClassifier(
        (8,), **params, pos_weight="sqrt", precision="64", random_state=0
    ).fit(X, TARGETS[kind])
    net, given = fitted.net_, container(X[:50])
    np.testing.assert_allclose(
        net.predict_proba(given), fitted.predict_proba(X[:50]), rtol=1e-9
    )
    np.testing.assert_array_equal(net.predict(given), fitted.predict(X[:50]))
    assert net.predict(given).dtype == fitted.predict(X[:50]).dtype
    np.testing.assert_array_equal(net.classes_, fitted.classes_)
    n_outputs = {"binary": 1}.get(kind, 3)
    rows = torch.as_tensor(X[:50])
    each = [m.eval()(rows).detach() for m in fitted.members_]
    forward = net.forward(given)
    assert forward.shape == (50, n_outputs)
    torch.testing.assert_close(forward, torch.stack(each).mean(0))
    torch.testing.assert_close(torch.cat(list(net.forward_iter(given))), forward)
    assert net.get_params()["lr"] == fitted.lr
    score = accuracy_score(TARGETS[kind], fitted.predict(X))
    assert net.score(X, TARGETS[kind]) == pytest.approx(score)


@pytest.mark.parametrize("kind", TARGETS)
def test_the_net_trains_further_and_saves_its_parameters(kind, tmp_path):
    fitted = net(None, lr=0.03, early_stopping=False).fit(X, TARGETS[kind])
    first = fitted.net_.history[-1, "train_loss"]
    fitted.net_.save_params(f_params=tmp_path / "p.pt", f_history=tmp_path / "h.json")
    before = fitted.net_.predict_proba(X)
    fitted.net_.partial_fit(X, TARGETS[kind])
    assert len(fitted.net_.history) == 6
    assert fitted.net_.history[-1, "train_loss"] < first
    assert not np.array_equal(before, fitted.net_.predict_proba(X))
    fitted.net_.load_params(f_params=tmp_path / "p.pt", f_history=tmp_path / "h.json")
    np.testing.assert_array_equal(before, fitted.net_.predict_proba(X))
    assert len(fitted.net_.history) == 3


def test_the_parameters_go_through_safetensors(tmp_path):
    pytest.importorskip("safetensors")
    file, y = tmp_path / "net.safetensors", TARGETS["multilabel"]
    net, other = (
        ImbalancedMLPClassifier(max_epochs=n, random_state=0).fit(X, y).net_
        for n in (1, 2)
    )
    net.save_params(f_params=file, use_safetensors=True)
    other.load_params(f_params=file, use_safetensors=True)
    assert torch.equal(other.forward(X), net.forward(X))


def test_a_scorer_of_scikit_learn_takes_the_net():
    from sklearn.metrics import get_scorer

    fitted = net(None).fit(X, TARGETS["binary"])
    found = get_scorer("average_precision")
    expected = average_precision_score(LABELS[:, 0], fitted.predict_proba(X)[:, 1])
    with pytest.raises(ValueError, match="pos_label"):
        found(fitted.net_, X, TARGETS["binary"])
    y = LABELS[:, 0]
    fitted = net(None).fit(X, y)
    assert found(fitted.net_, X, y) == pytest.approx(expected)


def test_batches_look_like_those_of_skorch():
    seen = []

    class Look(Callback):
        def on_batch_end(self, net, batch, y_pred, loss, training, **kwargs):
            x, y = batch
            seen.append((x.shape, y.shape, y_pred.shape, y.dtype, y.numpy().dtype.kind))
            assert loss.ndim == 0

    net([Look()], n_members=5, batch_size=300).fit(X, TARGETS["multiclass"])
    assert seen[0] == ((216, 5), (216,), (216, 3), torch.int64, "U")
    assert len(seen) == 6
    assert linear(3, 2)
