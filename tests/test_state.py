"""Warm starts, checkpoints and interrupts: what is taken over, and what is refused."""

import errno
import io
import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from nets import small, small_problem, stable_id
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback, EarlyStopping, Freezer, Initializer, LRScheduler
from torch import nn

from skimbalance.exceptions import CheckpointWarning
from skimbalance.neural_network import ImbalancedNetClassifier
from skimbalance.neural_network._output import LabelOutput

X, Y = small_problem()


def weights(net):
    return [p.detach().clone() for p in net.net_.module_.parameters()]


def distance(one, other):
    return max((p - q).abs().max().item() for p, q in zip(one, other, strict=True))


# -------------------------------------------------------------------------- warm start


@pytest.mark.parametrize("n_members", [1, 3])
def test_a_warm_start_takes_every_changed_parameter(n_members):
    net = small(warm_start=True, n_members=n_members).fit(X, Y)
    before = weights(net)
    scaler, previous = net.scaler_, net.net_
    net.set_params(
        lr=1e-300,
        optimizer=torch.optim.SGD,
        optimizer_params={"momentum": 0.5},
        weight_decay=0.25,
        batch_size=17,
        gradient_accumulation=2,
        max_grad_norm=3.0,
        precision="32",
        dropout=0.2,
        activation="tanh",
        callbacks=[("mine", Callback())],
        net_params={"use_caching": False},
        verbose=0,
    ).fit(X * 3 + 5, Y)
    assert distance(before, weights(net)) < 1e-6
    (group, bias) = net.net_.optimizer_.param_groups
    assert type(net.net_.optimizer_) is torch.optim.SGD
    assert (group["lr"], group["momentum"]) == (1e-300, 0.5)
    assert (group["weight_decay"], bias["weight_decay"]) == (0.25, 0.0)
    assert (net.net_.batch_size, net.net_.iterator_train__accumulate) == (17, 2)
    assert net.net_.step_.max_grad_norm == 3.0
    assert net.net_.module_.bias.dtype == torch.float32
    assert net.net_.module_.body.hidden[2].p == 0.2
    assert "mine" in dict(net.net_.callbacks_)
    assert net.net_.use_caching is False
    assert net.scaler_ is scaler
    assert net.net_ is not previous
    assert net.n_iter_ == len(net.history_) == 6


@pytest.mark.parametrize("n_members", [1, 3])
def test_a_warm_start_goes_on_with_and_without_dropout(n_members):
    """Which the number of rows chooses: there is none up to 100 rows."""
    net = small(
        hidden_layer_sizes=(4, 3, 2), dropout="auto", warm_start=True, lr=1e-300
    ).set_params(n_members=n_members)
    before = weights(net.fit(X, Y))
    few = slice(0, 100)
    for rows, rate in ((few, None), (slice(None), 0.5), (few, None)):
        assert distance(before, weights(net.fit(X[rows], Y[rows]))) < 1e-6
        assert getattr(net.members_[0].body.hidden[2], "p", None) == rate
    net.set_params(dropout=0.3).fit(X, Y)
    assert net.members_[0].body.hidden[2].p == 0.3


@pytest.mark.parametrize(
    "change, message",
    [
        ({"hidden_layer_sizes": (8,)}, "hidden_layer_sizes changed"),
        ({"n_members": 2}, "n_members changed"),
        ({"standardize": False}, "standardize=False"),
    ],
)
def test_a_warm_start_refuses_what_cannot_go_on(change, message):
    net = small(warm_start=True).fit(X, Y)
    proba = net.predict_proba(X)
    with pytest.raises(ValueError, match=f"warm_start=True .*{message}"):
        net.set_params(**change).fit(X, Y)
    np.testing.assert_array_equal(proba, net.predict_proba(X))


def other_width(n_features, n_outputs, width=3):
    return nn.Sequential(nn.Linear(n_features, width), nn.Linear(width, n_outputs))


def test_a_warm_start_names_the_parameter_of_an_own_module():
    net = ImbalancedNetClassifier(other_width, max_epochs=1, warm_start=True).fit(X, Y)
    with pytest.raises(ValueError, match=r"warm_start=True .*module__width changed"):
        net.set_params(module__width=5).fit(X, Y)
    with pytest.raises(ValueError, match=r"warm_start=True .*module"):
        net.set_params(module=nn.Linear, module_params=None).fit(X, Y)


@pytest.mark.parametrize("name", ["early_stopping", "cross_fit"])
def test_a_warm_start_names_what_set_the_number_of_members(name):
    net = small(warm_start=True, n_members="auto", early_stopping=True)
    net.set_params(cross_fit="auto").fit(X, Y)
    assert len(net.members_) == 5
    with pytest.raises(ValueError, match=f"present module: {name} changed. Set it"):
        net.set_params(**{name: False}).fit(X, Y)
    net.set_params(**{name: True if name == "early_stopping" else "auto"})
    with pytest.raises(ValueError, match=r"number of members \(by X_val, groups or"):
        net.fit(X, Y, X_val=X, y_val=Y)


@pytest.mark.parametrize("change", [{}, {"hidden_layer_sizes": (8,)}])
def test_a_warm_start_names_the_container_of_the_inputs(change):
    net = small(warm_start=True).fit(sp.csr_array(X), Y)
    named = "".join(f"{name}, " for name in change)
    message = rf"module: {named}the container of X \(sparse or dense\) changed"
    with pytest.raises(ValueError, match=message):
        net.set_params(**change).fit(X, Y)


def test_a_warm_start_of_no_steps_predicts_the_same():
    """Neither the bias nor the scaler moves under the weights."""
    net = small(warm_start=True, correct_probabilities=False).fit(X, Y)
    before = net.predict_proba(X)
    net.set_params(lr=1e-300).fit(X[::2] * 2, Y[::2])
    np.testing.assert_allclose(net.predict_proba(X), before, rtol=1e-9)


@pytest.mark.parametrize("policy", ["StepLR", "ExponentialLR", "LambdaLR"])
def test_a_schedule_begins_anew_in_a_warm_start(policy):
    params = {"StepLR": {"step_size": 1}, "LambdaLR": {"lr_lambda": lambda t: 0.1**t}}
    schedule = LRScheduler(policy, **params.get(policy, {"gamma": 0.1}))
    net = small(warm_start=True, lr=0.1, max_epochs=3).fit(X, Y)
    for n_epochs in (6, 9):
        net.set_params(callbacks=[schedule]).fit(X, Y)
        (group, _) = net.net_.optimizer_.param_groups
        assert group["lr"] == pytest.approx(0.1 * 0.1**3)
        assert net.n_iter_ == len(net.history_) == n_epochs


def test_a_callback_of_an_epoch_acts_in_a_warm_start():
    net = small(warm_start=True, callbacks=[Freezer("hidden*")]).fit(X, Y)
    before = net.net_.module_.body.hidden[0].weight.clone()
    after = net.fit(X, Y).net_.module_.body.hidden[0].weight
    assert torch.equal(before, after)
    assert not after.requires_grad
    zeros = Initializer("hidden*weight", fn=nn.init.zeros_, at=3)
    net.set_params(callbacks=[zeros], lr=1e-300, precision="64").fit(X, Y)
    assert net.net_.module_.body.hidden[0].weight.abs().max() < 1e-250


# ------------------------------------------------------------------------- checkpoints


def run(folder, **params):
    defaults = {"checkpoint": folder, "max_epochs": 2, "batch_size": 64, "lr": 0.01}
    return small(**{**defaults, **params})


@pytest.mark.parametrize(
    "change",
    [
        {"pos_weight": 3.0},
        {"pos_weight": np.full(4, 2.0)},
        {"label_weight": [1.0, 2.0, 1.0, 1.0]},
        {"label_smoothing": 0.1},
        {"loss": "focal"},
        {"loss": "focal", "loss_params": {"gamma": 1.0}},
        {"init_bias": "zero"},
        {"dropout": 0.1},
        {"activation": "gelu"},
        {"standardize": False},
        {"optimizer_params": {"amsgrad": True}},
        {"weight_decay": 0.5},
        {"batch_size": 32},
        {"gradient_accumulation": 2},
        {"max_grad_norm": 1.0},
        {"precision": "64"},
        {"n_members": 2},
        {"early_stopping": True},
        {"callbacks": [LRScheduler("StepLR", step_size=1)]},
        {"random_state": 7},
    ],
    ids=stable_id,
)
def test_what_changes_the_weights_is_refused_by_name(tmp_path, change):
    run(tmp_path).fit(X, Y)
    (name, *_) = change
    with pytest.raises(ValueError, match=f"checkpoint.*of another run: .*{name} was "):
        run(tmp_path, resume=True, **change).fit(X, Y)


@pytest.mark.parametrize("changed", ["X", "y", "sample_weight"])
def test_other_data_are_refused_even_in_another_order(tmp_path, changed):
    data = {"X": X, "y": Y, "sample_weight": np.linspace(1, 2, len(X))}
    run(tmp_path).fit(**data)
    data[changed] = np.roll(data[changed], 1, axis=0)
    with pytest.raises(ValueError, match=f"another run: data of {changed}"):
        run(tmp_path, resume=True).fit(**data)


@pytest.mark.parametrize("cross_fit", [True, False])
@pytest.mark.parametrize("before", [None, np.arange(len(X)) // 8])
def test_other_groups_are_refused_by_name(tmp_path, cross_fit, before):
    params = {"cross_fit": cross_fit, "early_stopping": True, "n_members": 2}
    run(tmp_path, **params).fit(X, Y, groups=before)
    for other in (np.arange(len(X)) // 4, np.arange(len(X)) // 40):
        with pytest.raises(ValueError, match=r"another run: .*data of groups"):
            run(tmp_path, resume=True, **params).fit(X, Y, groups=other)
    names = None if before is None else [f"group {number:03}" for number in before]
    run(tmp_path, resume=True, **params).fit(X, Y, groups=names)


def test_what_changes_no_weights_is_free(tmp_path):
    run(tmp_path).fit(X, Y)
    free = {
        "threshold": "prior",
        "verbose": 0,
        "device": "cpu",
        "num_workers": 1,
        "data_device": "cpu",
        "correct_probabilities": False,
        "callbacks": [Callback()],
    }
    resumed = run(tmp_path, resume=True, max_epochs=4, **free).fit(X, Y)
    whole = run(None, max_epochs=4).fit(X, Y)
    assert distance(weights(resumed), weights(whole)) == 0


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"pos_weight": 2}, {"pos_weight": np.float32(2)}),
        (
            {"pos_weight": [1.0, 2.0, 3.0, 1.5]},
            {"pos_weight": np.array([1, 2, 3, 1.5])},
        ),
        ({"optimizer": "adamw"}, {"optimizer": torch.optim.AdamW}),
        ({"hidden_layer_sizes": 8}, {"hidden_layer_sizes": [8]}),
        ({"early_stopping": 0}, {"early_stopping": np.False_}),
        ({"batch_size": 64}, {"batch_size": np.int64(64)}),
        ({"random_state": 0}, {"random_state": np.int64(0)}),
    ],
)
def test_another_form_of_the_same_value_is_free(tmp_path, before, after):
    run(tmp_path, **before).fit(X, Y)
    resumed = run(tmp_path, resume=True, max_epochs=4, **after).fit(X, Y)
    whole = run(None, max_epochs=4, **before).fit(X, Y)
    assert distance(weights(resumed), weights(whole)) == 0


def test_runs_that_share_a_folder_do_not_break_each_other(tmp_path):
    nets = [run(tmp_path, max_epochs=15, random_state=seed) for seed in range(3)]
    with ThreadPoolExecutor(3) as pool:
        fitted = list(pool.map(lambda net: net.fit(X, Y), nets))
    assert [net.n_iter_ for net in fitted] == [15, 15, 15]
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]
    kept = torch.load(
        io.BytesIO((tmp_path / "checkpoint.pt").read_bytes()[:-32]), weights_only=True
    )
    assert len(kept["history"]) == 15


@pytest.mark.parametrize("folder", ["", "a\0b"])
def test_a_folder_that_cannot_be_is_named(folder):
    with pytest.raises(ValueError, match="checkpoint="):
        run(folder).fit(X, Y)


def test_a_failure_of_torch_to_write_names_the_file(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("unexpected pos 64 vs 0")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OSError, match=r"checkpoint\.pt' cannot be written: unexpected"):
        run(tmp_path).fit(X, Y)


class Counting(Callback):
    """Lowers the rate by a state of its own."""

    def __init__(self):
        self.seen, self.log = 0, []

    def on_epoch_end(self, net, **kwargs):
        self.seen += 1
        self.log.append(self.seen)
        for group in net.optimizer_.param_groups:
            group["lr"] *= 0.9**self.seen


SCHEDULES = {
    "cosine": lambda: LRScheduler("CosineAnnealingLR", T_max=6),
    "step": lambda: LRScheduler("StepLR", step_size=2, gamma=0.5),
    "several": lambda: LRScheduler("MultiStepLR", milestones=[2, 4]),
    "plateau": lambda: LRScheduler("ReduceLROnPlateau", patience=0, threshold=0.5),
    "lambda": lambda: LRScheduler("LambdaLR", lr_lambda=lambda t: 0.9**t),
    "cyclic": lambda: LRScheduler(
        "CyclicLR",
        base_lr=0.01,
        max_lr=0.1,
        step_size_up=3,
        step_every="batch",
        cycle_momentum=False,
    ),
    "one_cycle": lambda: LRScheduler(
        torch.optim.lr_scheduler.OneCycleLR,
        max_lr=0.1,
        total_steps=99,
        step_every="batch",
    ),
    "restarts": lambda: LRScheduler(max_lr=0.02),
    "stop": lambda: EarlyStopping(
        "train_loss", patience=2, threshold=0.5, load_best=True, sink=lambda text: None
    ),
    "frozen": lambda: Freezer("hidden*"),
    "frozen_later": lambda: Freezer("hidden*", at=2),
    "own": Counting,
}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_state_of_callbacks_goes_on(tmp_path, schedule):
    made = SCHEDULES[schedule]
    whole = run(None, callbacks=[made()], max_epochs=6).fit(X, Y)
    run(tmp_path, callbacks=[made()], max_epochs=2).fit(X, Y)
    again = run(tmp_path, callbacks=[made()], max_epochs=6, resume=True).fit(X, Y)
    assert distance(weights(whole), weights(again)) == 0
    rates = [net.net_.optimizer_.param_groups[0]["lr"] for net in (whole, again)]
    assert rates[0] == rates[1]
    if schedule == "own":
        assert again.net_.callbacks_[-1][1].log == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("optimizer", ["nadam", "asgd", "adafactor", "lbfgs"])
def test_the_state_of_the_optimizer_goes_on(tmp_path, optimizer):
    params = {"optimizer": optimizer, "precision": "64"}
    whole = run(None, max_epochs=4, **params).fit(X, Y)
    run(tmp_path, **params).fit(X, Y)
    again = run(tmp_path, max_epochs=4, resume=True, **params).fit(X, Y)
    assert distance(weights(whole), weights(again)) == 0


@pytest.mark.parametrize("schedule", [None, "cosine"])
def test_another_learning_rate_takes_effect(tmp_path, schedule):
    made = [] if schedule is None else [SCHEDULES[schedule]()]
    run(tmp_path, callbacks=made, lr=0.01).fit(X, Y)
    net = run(tmp_path, callbacks=made, lr=0.001, resume=True, max_epochs=4).fit(X, Y)
    factor = 1.0 if schedule is None else (1 + np.cos(np.pi * 4 / 6)) / 2
    for group in net.net_.optimizer_.param_groups:
        assert group["lr"] == pytest.approx(0.001 * factor)


class Unstorable(Callback):
    def on_epoch_end(self, net, **kwargs):
        self.stream = object()


def test_state_that_cannot_be_stored_is_told_once(tmp_path):
    net = run(tmp_path, callbacks=[Unstorable()])
    with pytest.warns(CheckpointWarning, match="stream of the callback 'Unstorable'"):
        net.fit(X, Y)


@pytest.mark.parametrize("place", [0, 1, 0.3, 0.7, -60, -1])
def test_one_flipped_bit_anywhere_is_found(tmp_path, place):
    run(tmp_path).fit(X, Y)
    file = tmp_path / "checkpoint.pt"
    content = bytearray(file.read_bytes())
    place = int(place * len(content)) if 0 < place < 1 else place
    content[place] ^= 1
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"checkpoint\.pt' is damaged"):
        run(tmp_path, resume=True).fit(X, Y)


def test_a_folder_or_a_file_in_the_way_is_told_before_training(tmp_path):
    (tmp_path / "checkpoint.pt").mkdir()
    for resume in (False, True):
        with pytest.raises(ValueError, match="is a folder"):
            run(tmp_path, resume=resume).fit(X, Y)
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="must be a folder"):
        run(tmp_path / "file").fit(X, Y)


def test_a_full_disk_leaves_the_last_checkpoint_and_no_part(tmp_path, monkeypatch):
    run(tmp_path).fit(X, Y)
    before = (tmp_path / "checkpoint.pt").read_bytes()
    (tmp_path / "checkpoint.partial").write_text("of a run that was killed")

    def full(number):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match=r"checkpoint\.pt' cannot be written.*No space"):
        run(tmp_path).fit(X, Y)
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.pt"]
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


# -------------------------------------------------------------------------- interrupts


class Interrupt(Callback):
    """Presses Ctrl-C in a method of a callback, in an epoch."""

    def __init__(self, method, epoch, by_signal):
        self.epoch, self.by_signal = epoch, by_signal
        vars(self)[f"{method}_"] = None
        self.method = method

    def _press(self, net):
        if len(net.history) != self.epoch:
            return
        if self.by_signal:
            signal.raise_signal(signal.SIGINT)
        raise KeyboardInterrupt


def pressing(method, epoch, by_signal):
    def press(self, net, *args, **kwargs):
        self._press(net)

    kind = type("Pressing", (Interrupt,), {method: press})
    return kind(method, epoch, by_signal)


METHODS = "on_epoch_begin", "on_batch_end", "on_grad_computed", "on_epoch_end"


@pytest.mark.parametrize("by_signal", [True, False])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("epoch", [1, 3])
def test_an_interrupt_keeps_whole_weights_or_goes_on_up(method, epoch, by_signal):
    net = small(
        callbacks=[pressing(method, epoch, by_signal)],
        max_epochs=5,
        early_stopping=True,
        batch_size=64,
        scoring="loss",
    )
    if epoch == 1 and method != "on_epoch_end":
        with pytest.raises(KeyboardInterrupt):
            net.fit(X, Y)
        assert not hasattr(net, "net_")
        return
    with pytest.warns(ConvergenceWarning, match=f"interrupted in epoch {epoch}"):
        net.fit(X, Y)
    n_whole = epoch if method == "on_epoch_end" else epoch - 1
    plain = net.set_params(callbacks=None, max_epochs=n_whole)
    found = weights(net)
    assert distance(found, weights(plain.fit(X, Y))) == 0


def test_an_interrupt_while_weights_are_copied_tears_nothing(monkeypatch):
    """Both where the best are kept, and where they are put back."""
    from skimbalance.neural_network import _callbacks, _training

    copy_state, calls = _callbacks.copy_state, []

    def torn(module, place=None):
        calls.append(1)
        if len(calls) == 4:
            state = module.state_dict()
            key = next(iter(state))
            if place is not None:
                place[key].copy_(state[key])
            raise KeyboardInterrupt
        return copy_state(module, place)

    monkeypatch.setattr(_callbacks, "copy_state", torn)
    with pytest.warns(ConvergenceWarning, match="interrupted in epoch 4"):
        net = small(max_epochs=6).fit(X, Y)
    monkeypatch.undo()
    whole = small(max_epochs=3).fit(X, Y)
    assert distance(weights(net), weights(whole)) == 0

    load, pressed = nn.Module.load_state_dict, []

    def torn_load(self, state, *args, **kwargs):
        if not pressed:
            pressed.append(1)
            with torch.no_grad():
                next(self.parameters()).zero_()
            raise KeyboardInterrupt
        return load(self, state, *args, **kwargs)

    monkeypatch.setattr(_training.torch.nn.Module, "load_state_dict", torn_load)
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        net = small(max_epochs=3).fit(X, Y)
    assert distance(weights(net), weights(whole)) == 0


def test_an_interrupt_while_a_checkpoint_is_written(tmp_path, monkeypatch):
    calls = []

    def press(number):
        calls.append(1)
        if len(calls) == 4:  # a file and a folder an epoch
            raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", press)
    with pytest.warns(ConvergenceWarning, match="interrupted in epoch 2"):
        net = run(tmp_path, max_epochs=5).fit(X, Y)
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.pt"]
    assert distance(weights(net), weights(run(None).fit(X, Y))) == 0


def test_a_failure_in_partial_fit_leaves_the_weights():
    class Fail(Callback):
        calls = 0

        def on_batch_end(self, net, **kwargs):
            type(self).calls += 1
            if type(self).calls > 5:
                raise RuntimeError("no")

    net = small(callbacks=[Fail()], batch_size=64).partial_fit(X, Y)
    before = weights(net)
    with pytest.raises(RuntimeError, match="no"):
        net.partial_fit(X, Y)
    assert distance(before, weights(net)) == 0


def test_skorch_ends_the_training_without_a_word(recwarn):
    stop = EarlyStopping(
        "train_loss", patience=1, threshold=1e9, sink=lambda text: None
    )
    assert small(callbacks=[stop], max_epochs=9).fit(X, Y).n_iter_ == 2
    assert not [w for w in recwarn if issubclass(w.category, ConvergenceWarning)]


# ------------------------------------------------------------------------ NaN as score


@pytest.mark.parametrize("scores", [[np.nan, 0.1, 0.3, 0.2, 0.1], [0.2, np.nan, 0.1]])
def test_nan_is_the_worst_score(scores):
    given = iter([*scores, *[0.0] * 9])
    net = small(
        scoring=lambda estimator, x, y: next(given),
        early_stopping=True,
        max_epochs=len(scores),
    )
    with pytest.warns(ConvergenceWarning, match="scoring gives nan") as caught:
        net.fit(X, Y)
    assert len([w for w in caught if w.category is ConvergenceWarning]) == 1
    assert net.best_score_ == np.nanmax(scores)
    best = int(np.nanargmax(scores)) + 1
    plain = small(early_stopping=True, max_epochs=best, scoring=lambda e, x, y: best)
    given = iter(range(9))
    plain.set_params(scoring=lambda e, x, y: next(given))
    assert distance(weights(net), weights(plain.fit(X, Y))) == 0


def test_scores_that_are_all_nan_never_stop_the_training():
    net = small(
        scoring=lambda estimator, x, y: np.nan,
        early_stopping=True,
        n_iter_no_change=2,
        max_epochs=6,
    )
    with pytest.warns(ConvergenceWarning, match="last weights are kept"):
        net.fit(X, Y)
    assert net.n_iter_ == 6
    assert net.best_score_ is None


@pytest.mark.parametrize(
    "step", ["calibrate", "match_prevalence", "match_overall_prevalence"]
)
def test_an_interrupt_while_the_scores_are_calibrated(monkeypatch, step):
    params = {"loss": "focal", "early_stopping": True, "max_epochs": 4}
    whole = small(**params).fit(X, Y)
    method, calls = getattr(LabelOutput, step), []

    def interrupted(*args, **kwargs):
        calls.append(args)
        answer = method(*args, **kwargs)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return answer

    monkeypatch.setattr(LabelOutput, step, interrupted)
    net = small(**params)
    with pytest.warns(ConvergenceWarning, match="interrupt came after") as caught:
        net.fit(X, Y)
    assert [w.filename for w in caught] == [__file__]
    np.testing.assert_array_equal(net.predict_proba(X), whole.predict_proba(X))


# ------------------------------------------------------------------------- partial_fit


@pytest.mark.parametrize(
    "change",
    [
        {"lr": "a"},
        {"lr": -1},
        {"verbose": "x"},
        {"max_grad_norm": 0.5},
        {"loss": "focal"},
        {"pos_weight": 3.0},
        {"dropout": 0.4},
        {"activation": "tanh"},
        {"hidden_layer_sizes": (9,)},
        {"batch_size": 7},
        {"optimizer": "sgd"},
        {"weight_decay": 0.3},
        {"n_members": 2},
        {"callbacks": [Callback()]},
    ],
    ids=stable_id,
)
def test_a_later_chunk_refuses_what_it_cannot_change(change):
    (name,) = change
    net = small().partial_fit(X, Y)
    proba = net.predict_proba(X)
    with pytest.raises((ValueError, TypeError), match=name):
        net.set_params(**change).partial_fit(X, Y)
    np.testing.assert_array_equal(net.predict_proba(X), proba)


def test_a_later_chunk_takes_another_learning_rate_and_other_forms():
    net = small(hidden_layer_sizes=8, optimizer="adamw").partial_fit(X, Y)
    before = weights(net)
    net.set_params(hidden_layer_sizes=(8,), optimizer=torch.optim.AdamW, lr=1e-300)
    net.set_params(threshold="prior", early_stopping=True).partial_fit(X, Y)
    assert distance(before, weights(net)) < 1e-12
    assert {g["lr"] for g in net.net_.optimizer_.param_groups} == {1e-300}
    net.set_params(lr=0.1).partial_fit(X, Y)
    for group in net.net_.optimizer_.param_groups:
        assert group["lr"] == pytest.approx(0.1)
    assert distance(before, weights(net)) > 0.01


@pytest.mark.parametrize("classes", [[0, None], ["0", "1"], 3, [0, 1, 2], [0]])
def test_other_classes_of_a_later_chunk_are_refused(classes):
    net = small().partial_fit(X, Y[:, 0], classes=[0, 1])
    with pytest.raises(ValueError, match="classes="):
        net.partial_fit(X, Y[:, 0], classes=classes)
