"""Fitted nets through skops, which stores no pickles."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from nets import linear, small, small_problem, stable_id
from sklearn.ensemble import RandomForestClassifier
from skorch.callbacks import LRScheduler
from torch import nn

from skimbalance.calibration import MultilabelCalibratedClassifierCV
from skimbalance.ensemble import MultilabelStackingClassifier
from skimbalance.losses import FocalLoss, HardNegativeMiningLoss, PointwiseLoss
from skimbalance.neural_network import (
    ImbalancedMLPClassifier,
    ImbalancedNetClassifier,
)
from skimbalance.neural_network._state import PlainTensor, plain, restored
from skimbalance.thresholds import (
    FBeta,
    MultilabelFixedThresholdClassifier,
    MultilabelTunedThresholdClassifierCV,
)

skops_io = pytest.importorskip("skops.io", reason="needs skops")
X, Y = small_problem()
CLASSES = np.array(list("abcd"))[np.arange(300) % 4]


class Shifted(PointwiseLoss):
    """A loss with a parameter that is trained."""

    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(()))

    def positive(self, scores):
        return nn.functional.softplus(self.shift - scores)

    def negative(self, scores):
        return nn.functional.softplus(scores - self.shift)


class WithBuffers(nn.Module):
    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.norm = nn.BatchNorm1d(n_features)
        self.output = nn.Linear(n_features, n_outputs)

    def forward(self, x):
        return self.output(self.norm(x))


def round_trip(model):
    content = skops_io.dumps(model)
    trusted = skops_io.get_untrusted_types(data=content)
    return skops_io.loads(content, trusted=trusted)


NETS = [
    (ImbalancedMLPClassifier((16,), max_epochs=3, random_state=0), Y),
    (small(n_members=3, loss="focal", label_smoothing=0.1), Y),
    (small(loss=HardNegativeMiningLoss(FocalLoss()), early_stopping=True), Y),
    (small(loss=Shifted(), correct_probabilities="exact"), Y),
    (small(threshold=FBeta(beta=2), early_stopping=True), Y),
    (small(pos_label="no"), np.where(Y[:, 0], "yes", "no")),
    (small(loss="logit_adjusted", precision="32"), CLASSES),
    (small(callbacks=[LRScheduler]), Y),
    (ImbalancedNetClassifier(WithBuffers, max_epochs=3, random_state=0), Y),
    (ImbalancedNetClassifier(linear, max_epochs=3, n_members=2, random_state=0), Y),
    (small(), np.ones_like(Y)),
]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("net, y", NETS, ids=stable_id)
def test_round_trip_has_equal_bits(net, y):
    net = net.fit(X, y)
    again = round_trip(net)
    np.testing.assert_array_equal(again.predict_proba(X), net.predict_proba(X))
    np.testing.assert_array_equal(again.predict(X), net.predict(X))
    assert again.history_ == net.history_
    assert type(again.classes_) is type(net.classes_)
    assert vars(again).keys() == vars(net).keys()
    module = again.to_torch()(torch.as_tensor(X))
    np.testing.assert_allclose(module, net.predict_proba(X), atol=1e-5, rtol=0)


def test_training_goes_on_with_the_state_of_the_optimizer():
    net = small(warm_start=True).fit(X, Y)
    again = round_trip(net)
    for model in (net, again):
        model.partial_fit(X[:50], Y[:50])
    np.testing.assert_array_equal(again.predict_proba(X), net.predict_proba(X))
    for model in (net, again):
        model.set_params(random_state=1).fit(X, Y)
    np.testing.assert_array_equal(again.predict_proba(X), net.predict_proba(X))


def test_parameters_set_after_the_fit_change_nothing_of_the_net():
    net = small().fit(X, Y)
    expected = net.predict_proba(X)
    net.set_params(precision="bf16", max_grad_norm=1.0, compile=False, loss="focal")
    again = round_trip(net)
    np.testing.assert_array_equal(again.predict_proba(X), expected)
    assert again.net_.step_.max_grad_norm is None


def test_unfitted_nets_and_frames():
    again = round_trip(small(loss="focal"))
    assert again.get_params()["loss"] == "focal"
    frame = pd.DataFrame(X, columns=list("abcdef"))
    net = small().fit(frame, pd.DataFrame(Y, columns=list("wxyz")))
    again = round_trip(net)
    assert again.label_names_.tolist() == list("wxyz")
    np.testing.assert_array_equal(again.predict_proba(frame), net.predict_proba(frame))


WRAPPERS = [
    MultilabelFixedThresholdClassifier(small(max_epochs=1), threshold="f_beta", cv=2),
    MultilabelTunedThresholdClassifierCV(small(max_epochs=1), cv=2),
    MultilabelCalibratedClassifierCV(small(max_epochs=1), cv=2),
    MultilabelStackingClassifier(
        [("net", small(max_epochs=1)), ("forest", RandomForestClassifier(3))], cv=2
    ),
]


@pytest.mark.parametrize("wrapper", WRAPPERS, ids=lambda each: type(each).__name__)
def test_wrappers_of_label_matrices_in_frames(wrapper):
    X_frame = pd.DataFrame(X, columns=list("abcdef"))
    fitted = wrapper.fit(X_frame, pd.DataFrame(Y, columns=list("wxyz")))
    again = round_trip(fitted)
    assert type(again.classes_) is type(fitted.classes_)
    for method in ("predict_proba", "predict"):
        expected = getattr(fitted, method)(X_frame)
        np.testing.assert_array_equal(getattr(again, method)(X_frame), expected)


def test_nothing_is_loaded_from_a_pickle():
    """Bytes in the file would be unpickled without the user's trust."""
    schema = skops_io.dumps(small().fit(X, Y))
    assert b"BytesNode" not in schema
    assert b"BytearrayNode" not in schema


def test_pickles_and_copies_keep_all_attributes():
    net = small().fit(X, Y)
    for again in (copy.copy(net), copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert vars(again).keys() == vars(net).keys()
        np.testing.assert_array_equal(again.predict_proba(X), net.predict_proba(X))


class OwnState(ImbalancedMLPClassifier):
    def __getstate__(self):
        return super().__getstate__() | {"note": "kept"}


def test_subclass_with_a_state_of_its_own():
    net = OwnState((8,), max_epochs=2, random_state=0).fit(X, Y)
    again = pickle.loads(pickle.dumps(net))
    assert again.note == "kept"
    np.testing.assert_array_equal(again.predict_proba(X), net.predict_proba(X))


def test_tensors_of_each_dtype():
    dtypes = torch.bfloat16, torch.float16, torch.int8, torch.bool, torch.complex64
    for dtype in dtypes:
        tensor = torch.tensor([[0, 1], [2, 3]]).to(dtype)
        again = PlainTensor(tensor).restored()
        assert again.dtype is dtype
        assert torch.equal(again, tensor)
    value = {"a": [torch.float32, (nn.Parameter(torch.ones(2)), 5)]}
    again = restored(plain(value))
    assert again["a"][0] is torch.float32
    assert isinstance(again["a"][1][0], nn.Parameter)
