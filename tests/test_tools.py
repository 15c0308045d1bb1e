"""The recipes of the guide for other tools: each section of the page runs alone."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
from test_docs import BLOCK, TOOLS, run_blocks

from skimbalance.neural_network import ImbalancedMLPClassifier

PREAMBLE, *SECTIONS = TOOLS.read_text().split("\n## ")
BY_TOOL = {section.partition(":")[0].lower(): section for section in SECTIONS}
# These tools warn of their own use of deprecated functions.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """Return a function that runs a section in an empty folder."""
    # MLflow and Ray send usage statistics by default, which a test must not. Ray writes
    # a token into the home folder unless there is one.
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    monkeypatch.chdir(tmp_path)

    def run(tool):
        text = f"{PREAMBLE}\n## {BY_TOOL[tool]}"
        return run_blocks(text, str(TOOLS), monkeypatch)

    return run


def test_optuna_prunes_by_the_score_of_an_epoch(recipe):
    study = recipe("optuna")["study"]
    pruned = [trial for trial in study.trials if trial.state.name == "PRUNED"]
    assert all(trial.last_step < 8 for trial in pruned)
    complete = [trial for trial in study.trials if trial.state.name == "COMPLETE"]
    for trial in complete:
        assert trial.value == max(trial.intermediate_values.values())
    assert study.best_value == max(trial.value for trial in complete)


def test_tensorboard_has_the_history(recipe):
    net = recipe("tensorboard")["net"]
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator("runs/first").Reload()
    for tag, column in {
        "Loss/train_loss": "train_loss",
        "Loss/valid_score": "valid_score",
    }.items():
        found = [event.value for event in events.Scalars(tag)]
        np.testing.assert_allclose(found, net.net_.history[:, column], rtol=1e-6)


def test_mlflow_keeps_parameters_metrics_and_the_model(recipe):
    names = recipe("mlflow")
    client = names["mlflow"].MlflowClient()
    run_id, net = names["run"].info.run_id, names["net"]
    history = client.get_metric_history(run_id, "train_loss")
    assert [metric.step for metric in history] == [1, 2, 3, 4]
    expected = net.net_.history[:, "train_loss"]
    np.testing.assert_allclose([metric.value for metric in history], expected)
    assert client.get_run(run_id).data.params["max_epochs"] == "4"
    assert names["again"].predict_proba(names["X"]).shape == names["Y"].shape


@pytest.mark.slow
def test_dask_searches_as_this_process_does(recipe):
    names = recipe("dask")
    search, at_home = (
        names["search"],
        names["GridSearchCV"](
            names["search"].estimator,
            names["search"].param_grid,
            scoring="average_precision",
            cv=names["folds"],
        ).fit(names["X"], names["Y"]),
    )
    np.testing.assert_allclose(
        search.cv_results_["mean_test_score"],
        at_home.cv_results_["mean_test_score"],
        rtol=1e-5,
    )


def test_ray_scores_as_this_process_does(recipe):
    # The page compares the two, and prints the result.
    assert recipe("ray")["scores"].shape == (2,)


def test_accelerate_in_one_process(recipe):
    names = recipe("accelerate")
    again = joblib.load("net.joblib")
    X, Y = names["X"], names["Y"]
    alone = ImbalancedMLPClassifier((16,), max_epochs=4, random_state=0).fit(X, Y)
    np.testing.assert_allclose(again.predict_proba(X), alone.predict_proba(X))


@pytest.mark.slow
def test_accelerate_as_a_script_of_two_processes(recipe, tmp_path):
    pytest.importorskip("accelerate", reason="needs skimbalance[accelerate]")
    text = PREAMBLE + BY_TOOL["accelerate"]
    code = "\n".join(block for block, _ in BLOCK.findall(text))
    (tmp_path / "train.py").write_text(code)
    root = str(Path(__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    done = subprocess.run(
        [*launch, "--nproc_per_node", "2", "train.py"],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    net = joblib.load("net.joblib")
    assert net.n_iter_ == 4
    assert net.accelerator is None
