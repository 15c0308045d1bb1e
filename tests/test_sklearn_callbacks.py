"""Callbacks of scikit-learn, which its version 1.9 has introduced."""

import pickle

import numpy as np
import pytest
from nets import small, small_problem
from sklearn.model_selection import GridSearchCV

X, Y = small_problem()


class Recorder:
    """Records the tasks that begin and end, and stops at an epoch."""

    def __init__(self, stop_at=None):
        self.events, self.stop_at = [], stop_at

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.events.append(("begin", context.task_name, context.task_id))

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.events.append(("end", context.task_name, context.task_id))
        if fitted_estimator is not None:
            assert fitted_estimator.predict_proba(X).shape == Y.shape
        return self.stop_at == context.task_id and context.task_name == "epoch"


def test_no_callbacks_before_version_1_9():
    net = small()
    assert net.set_callbacks() is net


def test_each_epoch_is_a_task():
    pytest.importorskip("sklearn.callback", reason="needs scikit-learn 1.9")
    recorder, plain = Recorder(), small().fit(X, Y)
    net = small().set_callbacks(recorder).fit(X, Y)
    epochs = [(kind, "epoch", k) for k in range(3) for kind in ("begin", "end")]
    ends = [("begin", "fit", 0), *epochs, ("end", "fit", 0)]
    assert recorder.events == ["setup", *ends, "teardown"]
    np.testing.assert_array_equal(net.predict_proba(X), plain.predict_proba(X))
    again = pickle.loads(pickle.dumps(net))
    assert not any("_callback" in name for name in vars(net.net_.outputs_.estimator))
    np.testing.assert_array_equal(again.predict_proba(X), plain.predict_proba(X))
    assert small(max_epochs=9).set_callbacks(Recorder(stop_at=1)).fit(X, Y).n_iter_ == 2


def test_callbacks_are_torn_down_after_an_error():
    pytest.importorskip("sklearn.callback", reason="needs scikit-learn 1.9")
    recorder = Recorder()
    net = small(loss="focel").set_callbacks(recorder)
    with pytest.raises(ValueError, match="focel"):
        net.fit(X, Y)
    assert recorder.events == ["setup", ("begin", "fit", 0), "teardown"]
    assert not hasattr(net, "_callback_tasks")


def test_scores_of_each_epoch():
    callback = pytest.importorskip("sklearn.callback", reason="needs scikit-learn 1.9")
    monitor = callback.ScoringMonitor(scoring="average_precision")
    net = small(early_stopping=True).set_callbacks(monitor).fit(X, Y)
    scores = [
        row["average_precision"]
        for row in monitor.get_logs().data
        if row["task_name"] == "epoch"
    ]
    assert len(scores) == net.n_iter_
    # Without an inverse there are no probabilities before the calibration.
    monitor = callback.ScoringMonitor(scoring="average_precision")
    small(loss="zlpr", early_stopping=True).set_callbacks(monitor).fit(X, Y)
    found = [row.get("average_precision") for row in monitor.get_logs().data]
    assert np.isfinite(found[0])


@pytest.mark.filterwarnings("error:.*does not support callbacks")
def test_searches_reach_the_epochs():
    callback = pytest.importorskip("sklearn.callback", reason="needs scikit-learn 1.9")
    pytest.importorskip("rich", reason="the progress bar needs rich")
    monitor = callback.ScoringMonitor(scoring="average_precision")
    net = small().set_callbacks(monitor)
    search = GridSearchCV(net, {"lr": [0.01, 0.1]}, cv=2)
    search.set_callbacks(callback.ProgressBar()).fit(X, Y)
    epochs = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(epochs) == 3 * (2 * 2 + 1)
