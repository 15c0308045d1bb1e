"""Checkpoints: a killed run goes on as if nothing had happened."""

import os
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from skorch.callbacks import LRScheduler
from torch import nn

from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.neural_network import ImbalancedMLPClassifier, ImbalancedNetClassifier
from skimbalance.neural_network._checkpoint import (
    _FREE_IN_CHUNKS,
    _FREE_PARAMS,
    identity_of,
)

SCRIPT = """
import os, signal, sys
import numpy as np
from skorch.callbacks import Callback
from test_checkpoint import estimator, problem

class Kill(Callback):
    def on_batch_end(self, net, training=False, **kwargs):
        if training and len(net.history) == 4:
            os.kill(os.getpid(), signal.SIGKILL)

X, Y = problem()
net = estimator(sys.argv[1], random_state=None)
net.set_params(callbacks=[*net.callbacks, Kill()]).fit(X, Y)
"""


@pytest.mark.parametrize(
    "estimator", [ImbalancedMLPClassifier, ImbalancedNetClassifier]
)
def test_the_parameters_that_may_change_are_parameters(estimator):
    """All others are compared when a run is resumed, those added later as well."""
    known = estimator().get_params(deep=False).keys()
    assert known >= _FREE_PARAMS | _FREE_IN_CHUNKS


def problem():
    return make_imbalanced_multilabel(
        600, 6, 5, cardinality=1.5, imbalance_ratio=4, random_state=0
    )


def estimator(folder, **params):
    defaults = {
        "hidden_layer_sizes": (16,),
        "max_epochs": 8,
        "batch_size": 64,
        "early_stopping": True,
        "lr": 0.01,
        "checkpoint": folder,
        "callbacks": [LRScheduler("StepLR", step_size=2, gamma=0.7)],
        "random_state": 0,
    }
    return ImbalancedMLPClassifier(**{**defaults, **params})


def same_weights(one, other):
    a, b = one.net_.module_.state_dict(), other.net_.module_.state_dict()
    return all(torch.equal(a[key], b[key]) for key in a)


def test_a_killed_run_ends_at_the_weights_of_an_unbroken_one(tmp_path, monkeypatch):
    """Even without a random state: the seed is in the checkpoint."""
    here = os.path.dirname(__file__)
    path = os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert len(saved["history"]) == 3
    X, Y = problem()
    resumed = estimator(tmp_path, resume=True, random_state=None).fit(X, Y)
    seed = saved["seed"]
    monkeypatch.setattr("skimbalance.neural_network._base.draw_seed", lambda rng: seed)
    whole = estimator(None, random_state=None).fit(X, Y)
    assert same_weights(resumed, whole)
    assert resumed.n_iter_ == whole.n_iter_ == 8
    keys = "epoch", "train_loss", "valid_loss", "valid_score"
    for a, b in zip(resumed.history_, whole.history_):
        assert [a.get(key) for key in keys] == [b.get(key) for key in keys]
    assert resumed.best_score_ == whole.best_score_
    np.testing.assert_array_equal(resumed.predict_proba(X), whole.predict_proba(X))


def test_a_finished_run_is_resumed_at_its_end(tmp_path):
    X, Y = problem()
    first = estimator(tmp_path, n_iter_no_change=2, max_epochs=60, lr=0.05).fit(X, Y)
    assert first.n_iter_ < 60
    again = estimator(
        tmp_path, n_iter_no_change=2, max_epochs=60, lr=0.05, resume=True
    ).fit(X, Y)
    assert same_weights(first, again)
    assert again.history_ == first.history_
    longer = estimator(tmp_path / "longer", max_epochs=3).fit(X, Y)
    longer = estimator(tmp_path / "longer", max_epochs=5, resume=True).fit(X, Y)
    assert same_weights(longer, estimator(None, max_epochs=5).fit(X, Y))


def test_without_resume_a_checkpoint_is_overwritten_and_nothing_else_changes(tmp_path):
    X, Y = problem()
    reference = estimator(None).fit(X, Y)
    for resume in (False, True, False):  # nothing there yet, all there, all there
        net = estimator(tmp_path / "new", resume=resume).fit(X, Y)
        assert same_weights(net, reference)
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["checkpoint.pt"]


@pytest.mark.parametrize(
    "content",
    [b"", b"no checkpoint", b"PK\x03\x04 torn", "truncated", "other", "code", "list"],
)
def test_a_damaged_file_is_refused(tmp_path, content):
    X, Y = problem()
    file = tmp_path / "checkpoint.pt"
    if content == "truncated":
        estimator(tmp_path, max_epochs=1).fit(X, Y)
        file.write_bytes(file.read_bytes()[:-2000])
    elif content == "other":
        torch.save({"weights": torch.zeros(3)}, file)
    elif content == "list":
        torch.save([torch.zeros(3)], file)
    elif content == "code":
        torch.save({"module": nn.Linear(2, 2)}, file)
    else:
        file.write_bytes(content)
    before = file.read_bytes()
    net = estimator(tmp_path, resume=True)
    with pytest.raises(ValueError, match=r"checkpoint\.pt.*resume=False"):
        net.fit(X, Y)
    assert not hasattr(net, "net_")
    assert file.read_bytes() == before
    assert estimator(tmp_path, max_epochs=1).fit(X, Y).n_iter_ == 1


def test_names_and_code_are_compared_when_a_run_is_resumed():
    weights = pd.DataFrame([[1.0, 3.0]], columns=["a", "b"])
    assert identity_of(weights) == identity_of(weights.copy())
    assert identity_of(weights) != identity_of(weights.rename(columns={"a": "c"}))
    polars = pytest.importorskip("polars")
    frame = polars.from_pandas(weights)
    assert identity_of(frame) == identity_of(polars.from_pandas(weights))
    assert identity_of(frame) != identity_of(frame.rename({"a": "c"}))
    assert identity_of(frame["a"]) != identity_of(frame["b"])


def test_an_edited_module_is_another_run(tmp_path):
    def module_of(activation):
        class Own(nn.Module):
            def __init__(self, n_features, n_outputs):
                super().__init__()
                self.first = nn.Linear(n_features, 4)
                self.last = nn.Linear(4, n_outputs)

            if activation == "relu":

                def forward(self, x):
                    return self.last(self.first(x).relu())

            else:

                def forward(self, x):
                    return self.last(self.first(x).tanh())

        return Own

    def net(activation):
        return ImbalancedNetClassifier(
            module_of(activation),
            max_epochs=2,
            checkpoint=tmp_path,
            resume=True,
            random_state=0,
        )

    X, Y = problem()
    expected = net("relu").fit(X, Y).predict_proba(X)
    np.testing.assert_array_equal(net("relu").fit(X, Y).predict_proba(X), expected)
    with pytest.raises(ValueError, match="of another run: module was"):
        net("tanh").fit(X, Y)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"hidden_layer_sizes": (8,)}, r"hidden_layer_sizes was \[16\] and is \[8\]"),
        ({"loss": "focal"}, "loss was"),
        ({"batch_size": 32}, "batch_size was 64 and is 32"),
        (
            {"optimizer": torch.optim.Adam},
            "optimizer was torch.optim.adamw.AdamW and is torch.optim.adam.Adam",
        ),
        ("X", "data of X"),
        ("Y", "data of y"),
        ("rows", "number of training rows was 600 and is 550"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(tmp_path, change, message):
    X, Y = problem()
    estimator(tmp_path, max_epochs=2).fit(X, Y)
    if change == "X":
        X = X + 1
    elif change == "Y":
        Y = Y[:, ::-1]
    elif change == "rows":
        X, Y = X[:-50], Y[:-50]
    net = estimator(tmp_path, resume=True)
    net.set_params(**(change if isinstance(change, dict) else {}))
    with pytest.raises(ValueError, match=f"of another run: .*{message}"):
        net.fit(X, Y)
