"""Searches over the workers of a Dask cluster."""

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.model_selection import MultilabelStratifiedKFold
from skimbalance.neural_network import ImbalancedMLPClassifier

distributed = pytest.importorskip("distributed", reason="needs skimbalance[dask]")


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes of one thread each."""
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_a_search_on_dask_equals_one_at_home(cluster):
    X, Y = make_imbalanced_multilabel(400, 6, 4, imbalance_ratio=3, random_state=0)
    search = GridSearchCV(
        ImbalancedMLPClassifier((8,), max_epochs=3, random_state=0),
        {"pos_weight": [None, "sqrt"], "loss": ["log_loss", "focal"]},
        scoring="average_precision",
        cv=MultilabelStratifiedKFold(2, shuffle=True, random_state=0),
    )
    at_home = clone(search).fit(X, Y)
    with parallel_config(backend="dask", scatter=[X, Y]):
        search.fit(X, Y)
    assert search.best_params_ == at_home.best_params_
    for key in ("split0_test_score", "split1_test_score"):
        np.testing.assert_allclose(
            search.cv_results_[key], at_home.cv_results_[key], rtol=1e-5
        )
    np.testing.assert_allclose(
        search.predict_proba(X), at_home.predict_proba(X), rtol=1e-5, atol=1e-7
    )


def test_the_work_was_done_by_the_workers(cluster):
    """A backend that fell back to threads here would pass the test above."""
    import os

    from joblib import Parallel, delayed

    with parallel_config(backend="dask"):
        places = set(Parallel()(delayed(os.getpid)() for _ in range(8)))
    assert os.getpid() not in places
