"""The estimators on a CUDA device give what they give on the CPU."""

import copy
import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from nets import linear, small, small_problem
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import estimator_checks_generator
from skorch.callbacks import EpochScoring, GradientNormClipping, LRScheduler

from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.losses import LOSSES
from skimbalance.metrics import multilabel_average_precision_score
from skimbalance.neural_network import ImbalancedMLPClassifier, ImbalancedNetClassifier

pytestmark = pytest.mark.cuda
# Without dropout both devices do the same computation in the same order of rows.
EXACT = {"dropout": 0.0, "precision": "64"}
# Some losses have no inverse, and nothing is held out here.
UNCORRECTED = {"correct_probabilities": False, **EXACT}


@pytest.fixture(scope="module")
def problem():
    return small_problem()


@pytest.fixture(scope="module")
def larger():
    """2,000 rows, 12 labels, of which some are rare."""
    X, Y = make_imbalanced_multilabel(
        2_000, 20, 12, cardinality=1.5, imbalance_ratio=20, random_state=0
    )
    return X, Y.astype(np.int8)


def on_both(problem, fit=None, **params):
    """Return what the same net predicts, trained on the CPU and on CUDA."""
    X, Y = problem
    fit = fit or (lambda net: net.fit(X, Y))
    nets = [fit(small(device=device, **params)) for device in ("cpu", "cuda")]
    assert nets[1].device_.type == "cuda"
    return [net.predict_proba(X) for net in nets]


def losses_of(kind):
    """Return the names of the losses of a kind of target."""
    return sorted(name for name, target in LOSSES if target == kind)


@pytest.mark.parametrize("loss", losses_of("multilabel-indicator"))
def test_every_loss_of_labels_trains_as_on_the_cpu(problem, loss):
    params = dict(UNCORRECTED)
    if loss == "hard_negatives":
        # Its draws on the CPU advance the generator that orders the batches: without
        # draws that count, and in one batch, both devices do the same.
        params |= {"loss_params": {"easy_rate": 0.0}, "batch_size": len(problem[0])}
    proba, on_cuda = on_both(problem, loss=loss, **params)
    np.testing.assert_allclose(on_cuda, proba, atol=1e-6)


@pytest.mark.parametrize("loss", losses_of("multiclass"))
def test_every_loss_of_classes_trains_as_on_the_cpu(problem, loss):
    X, Y = problem
    y = np.argmax(np.c_[Y, np.ones(len(Y))], axis=1)
    params = dict(UNCORRECTED)
    if loss == "soft_target":
        size = len(np.unique(y))
        params["loss_params"] = {"target_matrix": 0.8 * np.eye(size) + 0.2 / size}
    proba, on_cuda = on_both((X, y), loss=loss, **params)
    np.testing.assert_allclose(on_cuda, proba, atol=1e-6)


@pytest.mark.parametrize(
    "params",
    [
        {"pos_weight": "sqrt"},
        {"n_members": 3},
        {"gradient_accumulation": 2, "batch_size": 32},
        {"label_smoothing": 0.1},
        {"max_grad_norm": 0.5},
        {"optimizer": "sgd", "lr": 0.1},
        {"num_workers": 2, "data_device": "cpu"},
        {"early_stopping": True, "threshold": "f_beta"},
        {"callbacks": [LRScheduler("StepLR", step_size=1), GradientNormClipping(1.0)]},
    ],
    ids=lambda params: "-".join(params),
)
def test_settings_act_as_on_the_cpu(problem, params):
    proba, on_cuda = on_both(problem, **EXACT, **params)
    np.testing.assert_allclose(on_cuda, proba, atol=1e-6)


@pytest.mark.parametrize("module", [None, linear], ids=["sparse", "dense"])
def test_sparse_inputs_and_labels(module):
    X = sp.random_array((400, 500), density=0.02, format="csr", rng=0)
    Y = sp.csr_array((np.arange(400)[:, None] % np.array([2, 3, 5]) == 0).astype(int))
    proba = []
    for device in ("cpu", "cuda"):
        params = {"device": device, "precision": "64", "max_epochs": 3}
        if module is None:
            net = small(dropout=0.0, **params)
        else:
            net = ImbalancedNetClassifier(module, random_state=0, **params)
        proba.append(net.fit(X, Y).predict_proba(X))
    np.testing.assert_allclose(proba[1], proba[0], atol=1e-6)


def test_weights_and_missing_labels(problem):
    X, Y = problem
    Y = Y.astype(float)
    Y[::7, 1] = np.nan
    weight = np.random.default_rng(0).integers(0, 3, Y.shape).astype(float)
    proba, on_cuda = on_both(
        (X, Y), fit=lambda net: net.fit(X, Y, sample_weight=weight), **EXACT
    )
    np.testing.assert_allclose(on_cuda, proba, atol=1e-6)


def test_a_binary_target(problem):
    X, Y = problem
    y = Y[:, np.argmin(Y.sum(axis=0))]
    proba, on_cuda = on_both((X, y), pos_weight="balanced", **EXACT)
    np.testing.assert_allclose(on_cuda, proba, atol=1e-6)


@pytest.mark.parametrize("precision", ["bf16", "16"])
@pytest.mark.parametrize("n_members", [1, 3])
def test_half_precision_ranks_as_full_precision_does(larger, precision, n_members):
    X, Y = larger
    scores = {}
    for asked in ("32", precision):
        net = ImbalancedMLPClassifier(
            (64,),
            device="cuda",
            precision=asked,
            n_members=n_members,
            max_epochs=10,
            random_state=0,
        )
        proba = net.fit(X, Y).predict_proba(X)
        assert np.isfinite(proba).all()
        scores[asked] = multilabel_average_precision_score(Y, proba)
    assert scores[precision] == pytest.approx(scores["32"], abs=0.05)


@pytest.mark.parametrize("n_members", [1, 3])
def test_the_same_seed_gives_the_same_bits(larger, n_members):
    X, Y = larger
    params = {"device": "cuda", "max_epochs": 3, "n_members": n_members}
    nets = [
        ImbalancedMLPClassifier((64,), random_state=0, **params).fit(X, Y)
        for _ in range(2)
    ]
    first, second = (net.predict_proba(X) for net in nets)
    np.testing.assert_array_equal(first, second)


def test_the_default_device_is_cuda(problem):
    assert small().fit(*problem).device_.type == "cuda"


def test_the_global_generators_of_torch_are_left_alone(problem):
    before = torch.cuda.get_rng_state(), torch.get_rng_state()
    small(device="cuda").fit(*problem)
    torch.testing.assert_close(torch.cuda.get_rng_state(), before[0], rtol=0, atol=0)
    torch.testing.assert_close(torch.get_rng_state(), before[1], rtol=0, atol=0)


@pytest.mark.parametrize("n_members", [1, 3])
def test_a_resumed_run_ends_at_the_same_bits(problem, tmp_path, n_members):
    X, Y = problem
    params = {"device": "cuda", "n_members": n_members, "dropout": 0.5}
    whole = small(max_epochs=6, **params).fit(X, Y).predict_proba(X)
    small(max_epochs=3, checkpoint=tmp_path, **params).fit(X, Y)
    rest = small(max_epochs=6, checkpoint=tmp_path, resume=True, **params).fit(X, Y)
    np.testing.assert_array_equal(rest.predict_proba(X), whole)


def test_a_checkpoint_of_cuda_resumes_on_the_cpu(problem, tmp_path):
    X, Y = problem
    whole = small(max_epochs=6, device="cpu", **EXACT).fit(X, Y).predict_proba(X)
    small(max_epochs=3, device="cuda", checkpoint=tmp_path, **EXACT).fit(X, Y)
    rest = small(
        max_epochs=6, device="cpu", checkpoint=tmp_path, resume=True, **EXACT
    ).fit(X, Y)
    np.testing.assert_allclose(rest.predict_proba(X), whole, atol=1e-6)


def test_warm_start_and_partial_fit_go_on(problem):
    X, Y = problem
    proba = []
    for device in ("cpu", "cuda"):
        net = small(device=device, warm_start=True, **EXACT).fit(X, Y).fit(X, Y)
        proba.append(net.partial_fit(X, Y).predict_proba(X))
    np.testing.assert_allclose(proba[1], proba[0], atol=1e-6)


def test_pickles_and_copies_predict_the_same(problem):
    X, Y = problem
    net = small(device="cuda").fit(X, Y)
    proba = net.predict_proba(X)
    for twin in (pickle.loads(pickle.dumps(net)), copy.deepcopy(net)):
        np.testing.assert_array_equal(twin.predict_proba(X), proba)


# torch.compile itself calls what it deprecates.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_compiled_nets_predict_as_eager_ones(problem):
    proba = [
        small(device="cuda", compile=compiled, **EXACT).fit(*problem)
        for compiled in (False, True)
    ]
    eager, compiled = (net.predict_proba(problem[0]) for net in proba)
    np.testing.assert_allclose(compiled, eager, atol=1e-6)


def test_the_fitted_skorch_net_reads_arrays(problem):
    X, Y = problem
    net = small(device="cuda", callbacks=[EpochScoring("average_precision")])
    net.fit(X, Y)
    assert net.net_.forward(X).shape == Y.shape
    np.testing.assert_allclose(net.net_.predict_proba(X), net.predict_proba(X))


def test_cross_validation_in_two_processes(larger):
    net = ImbalancedMLPClassifier((32,), device="cuda", max_epochs=2, random_state=0)
    alone = cross_val_score(net, *larger, cv=2, scoring="average_precision")
    shared = cross_val_score(net, *larger, cv=2, scoring="average_precision", n_jobs=2)
    np.testing.assert_allclose(shared, alone)


def test_few_rows_are_computed_in_double_precision(problem):
    X, Y = problem
    few = small(device="cuda").fit(X[:100].astype(np.float64), Y[:100])
    assert {weight.dtype for weight in few.net_.module_.parameters()} == {torch.float64}


def test_weighted_rows_count_as_repeated_ones():
    """scikit-learn compares the two at 1e-7, which float32 does not hold."""
    net = ImbalancedMLPClassifier(device="cuda", max_epochs=5, random_state=0)
    names = {
        "check_sample_weight_equivalence_on_dense_data",
        "check_sample_weight_equivalence_on_sparse_data",
    }
    seen = set()
    for estimator, check in estimator_checks_generator(net):
        name = getattr(check, "func", check).__name__
        if name in names:
            check(estimator)
            seen.add(name)
    assert seen == names
