"""Searches on a Dask cluster: the scores of one process, the data sent once."""

import joblib
import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.metrics import get_scorer
from skimbalance.model_selection import MultilabelStratifiedKFold
from skimbalance.neural_network import ImbalancedMLPClassifier

distributed = pytest.importorskip(
    "distributed", reason="needs the extra: pip install 'skimbalance[dask]'"
)


@pytest.fixture(scope="module")
def cluster():
    """Start two worker processes of one thread each."""
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with (
        distributed.LocalCluster(processes=True, **options) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def search(n_jobs):
    net = ImbalancedMLPClassifier(
        (16,), max_epochs=3, early_stopping=False, random_state=0
    )
    return GridSearchCV(
        net,
        {"loss": ["log_loss", "focal"]},
        scoring=get_scorer("macro_average_precision"),
        cv=MultilabelStratifiedKFold(3, shuffle=True, random_state=0),
        n_jobs=n_jobs,
    )


def test_a_search_on_two_workers_gives_the_scores_of_one_process(cluster):
    X, Y = make_imbalanced_multilabel(
        400, 6, 4, cardinality=1.2, imbalance_ratio=4, random_state=0
    )
    serial = search(None).fit(X, Y)
    with joblib.parallel_config(backend="dask", scatter=[X, Y]):
        parallel = search(-1).fit(X, Y)
    assert len(cluster.scheduler_info()["workers"]) == 2
    np.testing.assert_allclose(
        parallel.cv_results_["mean_test_score"],
        serial.cv_results_["mean_test_score"],
        atol=1e-5,
    )
    np.testing.assert_allclose(
        parallel.predict_proba(X), serial.predict_proba(X), atol=1e-5
    )
