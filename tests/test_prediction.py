"""Predicting at scale: chunks, sparse decisions, and the top labels alone."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp

from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.neural_network import ImbalancedMLPClassifier


def small(**params):
    defaults = {"hidden_layer_sizes": (8,), "max_epochs": 2, "early_stopping": False}
    return ImbalancedMLPClassifier(**{**defaults, "random_state": 0, **params})


@pytest.fixture(scope="module")
def problem():
    X, Y = make_imbalanced_multilabel(
        400, 6, 30, cardinality=3, imbalance_ratio=4, random_state=0
    )
    return X, Y


def _sorted_columns(proba, k):
    order = np.argsort(-proba, axis=1)[:, :k]
    return order, np.take_along_axis(proba, order, axis=1)


@pytest.mark.parametrize("k", [1, 5, 30])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_top_k_is_the_sorted_matrix(problem, k, dtype):
    X, Y = problem[0].astype(dtype), problem[1]
    net = small().fit(X, Y)
    indices, proba = net.predict_top_k(X, k)
    expected, values = _sorted_columns(net.predict_proba(X), k)
    np.testing.assert_array_equal(proba, values)
    assert proba.dtype == dtype
    assert indices.dtype == np.int64
    np.testing.assert_array_equal(
        np.take_along_axis(net.predict_proba(X), indices, axis=1), values
    )
    if k == 1:
        np.testing.assert_array_equal(indices, expected)
    assert all(len(set(row)) == k for row in indices)


def test_top_k_of_classes(problem):
    X, Y = problem
    for y in (Y.argmax(axis=1) % 5, Y[:, 0]):
        net = small().fit(X, y)
        indices, proba = net.predict_top_k(X, 2)
        np.testing.assert_allclose(
            proba, -np.sort(-net.predict_proba(X), axis=1)[:, :2]
        )
        np.testing.assert_array_equal(
            net.classes_[indices[:, 0]],
            net.classes_[net.predict_proba(X).argmax(axis=1)],
        )


@pytest.mark.parametrize("k", [0, 31, 2.5, "all", None])
def test_top_k_refuses_what_is_no_number_of_labels(problem, k):
    net = small().fit(*problem)
    with pytest.raises(
        ValueError, match=r"k=.* at least 1 and at most the number of labels, 30"
    ):
        net.predict_top_k(problem[0], k)


@pytest.mark.parametrize("chunk_bytes", [1, 2000, 2**23])
def test_answers_do_not_depend_on_the_chunks(monkeypatch, problem, chunk_bytes):
    X, Y = problem
    net = small(threshold=0.1).fit(X, sp.csr_array(Y))
    methods = net.predict_proba, net.decision_function, net.predict
    expected = [method(X) for method in methods]
    monkeypatch.setattr(
        "skimbalance.neural_network._base._PREDICTION_BYTES", chunk_bytes
    )
    for method, whole in zip(methods, expected):
        found = method(X)
        if sp.issparse(whole):
            found, whole = found.toarray(), whole.toarray()
        np.testing.assert_allclose(found, whole, rtol=1e-6)
    indices, _ = net.predict_top_k(X, 3)
    np.testing.assert_array_equal(indices[:, 0], net.predict_proba(X).argmax(axis=1))


def _peak(function):
    tracemalloc.start()
    try:
        answer = function()
        return answer, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_predicting_holds_the_answer_and_a_chunk():
    """NumPy's arrays are traced; torch's own tensors are one chunk, too."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 4)).astype(np.float32)
    Y = sp.random_array((300, 2000), density=0.05, format="csr", rng=0) != 0
    net = small(threshold=0.99).fit(X[:300], sp.csr_array(Y))
    proba, peak = _peak(lambda: net.predict_proba(X))
    chunk = 2**23
    assert peak < proba.nbytes + 8 * chunk
    _, peak = _peak(lambda: net.predict_top_k(X, 5))
    assert peak < 8 * chunk < proba.nbytes
    with pytest.warns(
        UserWarning, match=r"got no label.*'micro_f_beta'.*without another fit"
    ):
        predicted, peak = _peak(lambda: net.predict(X))
    assert isinstance(predicted, sp.csr_array)
    assert peak < 8 * chunk


def test_wide_sparse_inputs_are_predicted_in_large_chunks():
    X = sp.random_array((500, 40_000), density=0.001, format="csr", rng=0)
    Y = (np.arange(500)[:, None] % np.array([2, 3])) == 0
    net = small().fit(X, Y)
    sizes = []
    module = net.net_.module_
    module.register_forward_hook(lambda _, inputs, __: sizes.append(len(inputs[0])))
    net.predict_proba(X)
    assert sizes == [500]


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_log_probabilities_are_those_of_the_probabilities(problem, kind, dtype):
    X, Y = problem[0].astype(dtype), problem[1][:, :3]
    y = {"binary": Y[:, 0], "multiclass": Y.argmax(axis=1), "multilabel": Y}[kind]
    net = small(standardize=True).fit(X, y)  # an encoder clips what is far out
    log_proba = net.predict_log_proba(X)
    np.testing.assert_array_equal(log_proba, np.log(net.predict_proba(X)))
    assert log_proba.dtype == dtype
    # Inputs so far out that the probabilities of both values round to 0 or 1.
    far = np.concatenate([X, -X]) * dtype(1e6)
    with np.errstate(divide="ignore"):
        logs = np.log(net.predict_proba(far))
    log_proba = net.predict_log_proba(far)
    assert np.isfinite(log_proba).all()
    known = np.isfinite(logs)
    np.testing.assert_array_equal(log_proba[known], logs[known])
    assert not known.all()
    assert (log_proba[~known] < -100).all()


def test_both_probabilities_of_two_classes_keep_their_precision(problem):
    """Neither is 1 minus the other, which is 0 where that rounds to 1."""
    X, y = problem[0].astype(np.float64), problem[1][:, 0]
    for pos_label in (0, 1):
        net = small(init_bias=45.0, lr=1e-12, pos_label=pos_label).fit(X, y)
        proba = net.predict_proba(X)
        log_odds = net.decision_function(X)
        np.testing.assert_allclose(proba[:, 1], 1 / (1 + np.exp(-log_odds)), 1e-12)
        np.testing.assert_allclose(proba[:, 0], 1 / (1 + np.exp(log_odds)), 1e-12)
        assert (proba > 0).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["labels", "binary", "other positive"])
def test_a_probability_at_its_threshold_is_not_above_it(dtype, kind):
    """Thresholds are often probabilities of rows, as of precision_recall_curve."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4)).astype(dtype)
    Y = (X[:, :3] + rng.normal(size=(200, 3)) > 1).astype(int)
    pos_label = {"binary": 1, "other positive": 0}.get(kind)
    y = Y if kind == "labels" else Y[:, 0]
    net = small(pos_label=pos_label, n_members=3).fit(X, y)
    proba = net.predict_proba(X)
    for row in range(60):
        if kind == "labels":
            threshold = proba[row].tolist()
            expected = (proba > threshold).astype(int)
        else:
            threshold = float(proba[row, pos_label])
            above = proba[:, pos_label] > threshold
            expected = np.where(above, pos_label, 1 - pos_label)
        predicted = net.set_params(threshold=threshold).predict(X)
        np.testing.assert_array_equal(predicted, expected)


def test_numbers_in_an_array_of_objects_are_scored_as_they_are_fitted(problem):
    X, Y = problem
    y = Y[:, 0]
    net = small().fit(X, y.astype(object))
    assert net.score(X, y.astype(object)) == net.score(X, y)
