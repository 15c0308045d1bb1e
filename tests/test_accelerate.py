"""One fit on several processes gives the model of one process."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import joblib
import numpy as np
import parallel_fit
import pytest
import torch
from sklearn.base import clone

from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.neural_network import ImbalancedMLPClassifier

accelerate = pytest.importorskip("accelerate", reason="needs skimbalance[accelerate]")


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    """What two processes found, each in a file of its own."""
    folder = tmp_path_factory.mktemp("found")
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    launch += ["--nproc_per_node", "2", parallel_fit.__file__, str(folder)]
    done = subprocess.run(
        launch,
        capture_output=True,
        text=True,
        timeout=300,
        cwd=Path(__file__).parents[1],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("name", parallel_fit.CASES)
def test_two_processes_give_the_model_of_one(two_processes, name):
    proba, losses = parallel_fit.answers(name)
    for rank in (0, 1):
        found = np.load(two_processes / f"{name}_{rank}_2.npz")
        np.testing.assert_allclose(found["proba"], proba, rtol=1e-9)
        np.testing.assert_allclose(found["losses"], losses, rtol=1e-9)


@pytest.fixture
def problem():
    return make_imbalanced_multilabel(100, 6, 4, imbalance_ratio=3, random_state=0)


def test_one_process_with_an_accelerator(problem, tmp_path):
    X, Y = problem
    params = {"max_epochs": 3, "random_state": 0}
    alone = ImbalancedMLPClassifier((8,), **params).fit(X, Y)
    accelerator = accelerate.Accelerator(cpu=True)
    net = ImbalancedMLPClassifier((8,), **params, accelerator=accelerator)
    proba = clone(net).fit(X, Y).predict_proba(X)
    np.testing.assert_allclose(proba, alone.predict_proba(X))
    joblib.dump(net.fit(X, Y), tmp_path / "net.joblib")
    again = joblib.load(tmp_path / "net.joblib")
    assert again.accelerator is None
    assert not accelerator._models  # it keeps no net alive
    np.testing.assert_array_equal(again.predict_proba(X), proba)
    again.partial_fit(X, Y)


@pytest.mark.parametrize(
    "accelerator, params, message",
    [
        ("yes", {}, "accelerator='yes' must be an accelerate.Accelerator"),
        ({}, {"device": "meta"}, "device='meta', but accelerator trains on 'cpu'"),
        ({"mixed_precision": "bf16"}, {}, "set precision of the estimator"),
        ({"num_processes": 2}, {"random_state": None}, "random_state=None must be"),
        ({"gradient_accumulation_steps": 2}, {}, "set gradient_accumulation"),
        ({"num_processes": 9}, {"random_state": 0, "batch_size": 8}, "9 processes"),
    ],
)
def test_bad_accelerators(problem, accelerator, params, message):
    if isinstance(accelerator, dict):
        facts = {
            "device": torch.device("cpu"),
            "mixed_precision": "no",
            "gradient_accumulation_steps": 1,
            "num_processes": 1,
            "process_index": 0,
            "prepare_model": lambda module: module,
            "free_memory": lambda: None,
        }
        accelerator = SimpleNamespace(**facts | accelerator)
    net = ImbalancedMLPClassifier((8,), accelerator=accelerator, **params)
    with pytest.raises((TypeError, ValueError), match=message):
        net.fit(*problem)
