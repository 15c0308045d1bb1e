"""Nets as torch modules, exported programs and ONNX models."""

import json
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from nets import linear, small, small_problem, stable_id
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version
from torch import nn
from torch.nn.functional import softplus

from skimbalance._labels import BINARY, MULTICLASS, MULTILABEL
from skimbalance.calibration import BaseCalibrator, LabelCalibrator
from skimbalance.losses import (
    LOSSES,
    AsymmetricLoss,
    FocalLoss,
    SoftmaxLoss,
    SoftTargetLoss,
)
from skimbalance.neural_network import (
    ImbalancedNetClassifier,
    register_onnx_converter,
)
from skimbalance.over_sampling import LPROS
from skimbalance.thresholds import Cardinality, Cost, FBeta, TopK, Uncorrected

TOLERANCE = 1e-5
METHODS = "predict", "predict_proba"
X, Y = small_problem()
NAMES = np.array(["cat", "dog", "eel", "fox"])
CLASSES = NAMES[np.argmax(Y + 0.5 * np.eye(4)[np.arange(300) % 4], axis=1)]
TARGETS = {BINARY: np.where(Y[:, 0], "yes", "no"), MULTICLASS: CLASSES}
# What torch and skl2onnx warn of is theirs.
ignore_warnings = pytest.mark.filterwarnings("ignore")


class UserMap(BaseCalibrator):
    """A calibrator whose map has a kink, differs by label, and is plain NumPy."""

    def learn(self, labels, log_odds, weight):
        self.slope_ = np.linspace(0.5, 1.5, labels.shape[1])

    def map(self, log_odds):
        return self.slope_ * np.maximum(log_odds, 3 * log_odds + 1)


def by_autograd(scores, targets):
    gap = torch.where(targets > 0.5, -scores, scores)
    return softplus(gap) + 0.3 * softplus(2 * gap - 1)


class ClassesByAutograd(SoftmaxLoss):
    def forward(self, scores, targets):
        rows = torch.arange(len(scores))
        return scores.log_softmax(dim=1)[rows, targets] ** 2


class TableLoss(FocalLoss):
    """A loss whose inverse differs by label and has a kink."""

    def unweighted_log_odds(self, scores):
        return scores + torch.relu(scores - 0.3)


def assert_same(module, net, X=X):
    """Compare a module, or a function of X, with the predictions of its net."""
    proba, predicted = net.predict_proba(X), net.predict(X)
    with torch.no_grad():
        found = module(torch.as_tensor(X))
    labels, answers = (np.asarray(part) for part in found)
    assert answers.dtype == proba.dtype
    np.testing.assert_allclose(answers, proba, atol=TOLERANCE, rtol=0)
    if net._target.kind != MULTILABEL:
        labels = net.classes_[labels]
    is_clear = np.ones(labels.shape, dtype=bool)
    thresholds = net._output.thresholds(net._usable_rule())
    if thresholds is not None and net._output.has_probabilities:
        column = [min(net._target.positive, proba.shape[1] - 1)]
        positive = proba if labels.ndim == 2 else proba[:, column]
        is_clear = (abs(positive - thresholds) > TOLERANCE).reshape(labels.shape)
    assert is_clear.mean() > 0.9
    np.testing.assert_array_equal(labels[is_clear], predicted[is_clear])


def target_of(kind):
    return TARGETS.get(kind, Y)


LEARNT = {"early_stopping": True, "validation_fraction": 0.4}
ALL_LOSSES = [pytest.param(*key, id="-".join(key)) for key in LOSSES]


@pytest.mark.parametrize("n_members", [1, 5])
@pytest.mark.parametrize("loss, kind", ALL_LOSSES)
def test_each_loss(loss, kind, n_members):
    net = small(
        loss=loss, n_members=n_members, cross_fit=n_members > 1, early_stopping=True
    )
    net.fit(X, target_of(kind))
    assert_same(net.to_torch(METHODS), net)


VARIANTS = [
    (MULTILABEL, {"loss": by_autograd}),
    (MULTILABEL, {"loss": FocalLoss(gamma=[0, 1, 2, 3])}),
    (MULTILABEL, {"loss": AsymmetricLoss(margin=0.3), "pos_weight": "balanced"}),
    (MULTILABEL, {"loss": "focal", "label_smoothing": 0.1}),
    (MULTILABEL, {"loss": "focal", "correct_probabilities": False}),
    (MULTILABEL, {"n_members": 5, "loss": "poly1"}),
    (MULTILABEL, {"threshold": FBeta(beta=2), **LEARNT}),
    (MULTILABEL, {"threshold": [0.1, 0.3, 0.5, 0.9]}),
    (MULTILABEL, {"threshold": TopK(k=2)}),
    (MULTILABEL, {"threshold": Cardinality()}),
    (MULTILABEL, {"threshold": Uncorrected(), "pos_weight": 5.0}),
    (MULTILABEL, {"standardize": True}),
    (MULTILABEL, {"standardize": False}),
    (MULTILABEL, {"precision": "32"}),
    *(
        (MULTILABEL, {"correct_probabilities": calibrator, **LEARNT})
        for calibrator in (
            LabelCalibrator("sigmoid"),
            LabelCalibrator("beta"),
            LabelCalibrator("temperature"),
            LabelCalibrator("isotonic"),
            UserMap(),
        )
    ),
    (BINARY, {"threshold": Cost(1, 20), "pos_label": "no"}),
    (BINARY, {"pos_weight": "balanced", "pos_label": "yes"}),
    (MULTICLASS, {"label_smoothing": 0.1, "pos_weight": [1, 2, 3, 4]}),
    (MULTICLASS, {"loss": "logit_adjusted", "threshold": Uncorrected()}),
    (MULTICLASS, {"loss": SoftTargetLoss(0.7 * np.eye(4) + 0.1)}),
    (MULTICLASS, {"loss": ClassesByAutograd()}),
    (MULTICLASS, {"correct_probabilities": False, "n_members": 3}),
    # Drawn and resampled rows have base rates of their own.
    *(
        (kind, {"batch_sampler": "label_aware", "correct_probabilities": correct})
        for kind in (BINARY, MULTICLASS)
        for correct in (True, "exact")
    ),
    (MULTILABEL, {"batch_sampler": "label_aware", **LEARNT}),
    (MULTILABEL, {"resampler": LPROS(), **LEARNT}),
    (MULTILABEL, {"resampler": LPROS(), "loss": "focal", "cross_fit": True, **LEARNT}),
    (BINARY, {"batch_sampler": "square_root", "label_smoothing": 0.1, **LEARNT}),
    (MULTICLASS, {"batch_sampler": "square_root", "label_smoothing": 0.1, **LEARNT}),
]


@pytest.mark.parametrize("kind, params", VARIANTS, ids=stable_id)
def test_each_stage(kind, params):
    net = small(**params).fit(X, target_of(kind))
    assert_same(net.to_torch(METHODS), net)


def test_wide_tables_with_centred_bins():
    wide = np.exp(np.random.default_rng(0).normal(size=(300, 120)))
    net = small(max_epochs=2).fit(wide, Y)
    assert net.scaler_.encoding_ == "piecewise_linear"
    assert_same(net.to_torch(METHODS), net, wide)


def test_kinks_between_float32_scores_are_kept():
    """A cubic over a kink would be wrong by the width of the interval."""
    net = small(loss=by_autograd, correct_probabilities="exact", max_epochs=1)
    net.fit(X, Y)
    link = TableLoss().link()
    from skimbalance.neural_network._export import _LinkTable

    table = _LinkTable(link)
    scores = torch.linspace(-60, 60, 9999, dtype=torch.float64).unsqueeze(1)
    gap = (table(scores).sigmoid() - link(scores).sigmoid()).abs().max()
    assert gap < TOLERANCE
    assert (table(scores).diff(dim=0) > 0).all()


def test_labels_of_one_value_and_sparse_training():
    from scipy.sparse import csr_array

    targets = Y.copy()
    targets[:, 2] = 1
    net = small().fit(csr_array(np.maximum(X, 0)), targets)
    assert_same(net.to_torch(METHODS), net, np.maximum(X, 0))
    net = small().fit(X, np.ones_like(Y))
    assert_same(net.to_torch(METHODS), net)
    net = small().fit(X, np.zeros(300, dtype=int))
    assert_same(net.to_torch(METHODS), net)


def test_float32_inputs_give_float32():
    net = small(loss="focal").fit(X.astype(np.float32), Y)
    assert_same(net.to_torch(METHODS), net, X.astype(np.float32))


class Embedded(nn.Module):
    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.embedding = nn.Embedding(10, 3)
        self.output = nn.Linear(3 * n_features, n_outputs)

    def forward(self, x):
        return self.output(self.embedding(x).flatten(1))


def test_modules_of_the_user():
    codes = np.abs(X * 3).astype(np.int64).clip(0, 9)
    net = ImbalancedNetClassifier(Embedded, max_epochs=2, random_state=0).fit(codes, Y)
    assert_same(net.to_torch(METHODS), net, codes)

    def convolution(shape, n_outputs):
        layers = nn.Conv2d(1, 2, 2), nn.Flatten(), nn.Linear(8, n_outputs)
        return nn.Sequential(*layers)

    images = X.reshape(300, 1, 2, 3)[:, :, :, [0, 1, 2]]
    images = np.concatenate([images, images[:, :, :1]], axis=2)
    net = ImbalancedNetClassifier(convolution, max_epochs=2, n_members=2).fit(images, Y)
    assert_same(net.to_torch(METHODS), net, images)


def test_scores_and_a_single_method():
    for kind in (MULTILABEL, BINARY, MULTICLASS):
        net = small(pos_label="no" if kind == BINARY else None)
        net.fit(X, target_of(kind))
        for method in ("decision_function", "predict_proba"):
            found = net.to_torch(method)(torch.as_tensor(X))
            expected = getattr(net, method)(X)
            np.testing.assert_allclose(found, expected, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("kind", [MULTILABEL, MULTICLASS])
def test_scores_of_members_far_from_zero(kind):
    """Their probabilities are 0 and 1 in float64, but the log-odds rank them."""
    net = small(n_members=3, standardize=False).fit(X, target_of(kind))
    far = 1e4 * X
    expected = net.decision_function(far)
    assert abs(expected).max() > 1000
    found = net.to_torch("decision_function")(torch.as_tensor(far))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-3)


def test_the_module_shares_nothing_with_the_net():
    net = small().fit(X, Y)
    module, before = net.to_torch(), net.predict_proba(X)
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.is_floating_point():
                tensor.zero_()
    np.testing.assert_array_equal(net.predict_proba(X), before)
    assert not any(parameter.requires_grad for parameter in module.parameters())


def test_bad_requests_name_the_way_out():
    net = small()
    with pytest.raises(ValueError, match="not fitted"):
        net.to_torch()
    net.fit(X, Y)
    with pytest.raises(ValueError, match="response_method"):
        net.to_torch("proba")

    class OwnRule(TopK):
        def predict(self, proba, thresholds=None):
            return proba > 0.7

    net.set_params(threshold=OwnRule())
    with pytest.raises(ValueError, match="response_method='predict_proba'"):
        net.to_torch("predict")
    net.to_torch()
    net = small(loss="zlpr").fit(X, Y)
    with pytest.raises(AttributeError, match="predict_proba"):
        net.to_torch()
    assert net.to_torch("predict")(torch.as_tensor(X)).shape == Y.shape


# --------------------------------------------------------------------------
# Exported programs


def exported(net):
    """Return an exported program of a net, as a function of X."""
    program = torch.export.export(
        net.to_torch(METHODS),
        (torch.as_tensor(X[:3]),),
        dynamic_shapes=({0: torch.export.Dim("n")},),
    )
    return program.module()


def onnx_session(path):
    runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    session = runtime.InferenceSession(path)
    return lambda x: session.run(None, {"X": np.asarray(x)})


def slow(*values):
    """Return the values of a parametrised test that runs among the slow ones."""
    return pytest.param(*values, marks=pytest.mark.slow)


EXPORTED = [
    (MULTILABEL, {"loss": "focal", "n_members": 5, "cross_fit": True, **LEARNT}),
    (MULTILABEL, {"threshold": Cardinality()}),
    (MULTILABEL, {"correct_probabilities": LabelCalibrator("isotonic"), **LEARNT}),
    slow(MULTILABEL, {"correct_probabilities": LabelCalibrator("beta"), **LEARNT}),
    slow(MULTILABEL, {"batch_sampler": "label_aware", **LEARNT}),
    (BINARY, {"precision": "32", "pos_label": "no"}),
    pytest.param(
        MULTICLASS,
        {"loss": "focal", "batch_sampler": "label_aware"},
        marks=pytest.mark.skipif(
            parse_version(torch.__version__) < parse_version("2.8"),
            reason="torch 2.6 and 2.7 fix the number of rows for this loss",
        ),
    ),
]


@ignore_warnings
@pytest.mark.parametrize("kind, params", EXPORTED, ids=stable_id)
def test_exported_programs_take_any_number_of_rows(kind, params, tmp_path):
    net = small(**params).fit(X, target_of(kind))
    program = exported(net)
    for n_rows in (1, 31, 300):
        assert_same(program, net, X[:n_rows])
    pytest.importorskip("onnxscript", reason="torch.onnx needs onnxscript")
    net.export_onnx(tmp_path / "net.onnx", METHODS, dtype="float64")
    for n_rows in (1, 31, 300):
        assert_same(onnx_session(tmp_path / "net.onnx"), net, X[:n_rows])


@pytest.mark.slow
@ignore_warnings
@pytest.mark.parametrize("n_members", [1, 5])
@pytest.mark.parametrize("loss, kind", ALL_LOSSES)
def test_each_exported_loss(loss, kind, n_members, tmp_path):
    pytest.importorskip("onnxscript", reason="torch.onnx needs onnxscript")
    net = small(
        loss=loss, n_members=n_members, cross_fit=n_members > 1, early_stopping=True
    )
    net.fit(X, target_of(kind))
    net.export_onnx(tmp_path / "net.onnx", METHODS, dtype="float64")
    program, session = exported(net), onnx_session(tmp_path / "net.onnx")
    for n_rows in (1, 31, 300):
        assert_same(program, net, X[:n_rows])
        assert_same(session, net, X[:n_rows])


@ignore_warnings
def test_onnx_metadata_and_dtype(tmp_path):
    onnx = pytest.importorskip("onnx", reason="needs onnx")
    pytest.importorskip("onnxscript", reason="torch.onnx needs onnxscript")
    frame = pd.DataFrame(X, columns=list("abcdef"))
    net = small(precision="64").fit(frame, pd.DataFrame(Y, columns=NAMES))
    net.export_onnx(tmp_path / "net.onnx")
    model = onnx.load(tmp_path / "net.onnx")
    about = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    assert about["label_names"] == NAMES.tolist()
    assert about["feature_names_in"] == list("abcdef")
    assert about["classes"] == [[0, 1]] * 4
    assert [output.name for output in model.graph.output] == list(METHODS)
    # By default the dtype of the weights.
    assert model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.DOUBLE
    with pytest.raises(ValueError, match="dtype"):
        net.export_onnx(tmp_path / "net.onnx", dtype="float16")


def test_no_onnx_of_an_inverse_by_derivatives(tmp_path):
    net = small(loss=ClassesByAutograd()).fit(X, CLASSES)
    with pytest.raises(ValueError, match="closed_form_log_posterior"):
        net.export_onnx(tmp_path / "net.onnx")


@ignore_warnings
@pytest.mark.parametrize(
    "dtype", [np.float32, pytest.param(np.float64, marks=pytest.mark.slow)]
)
def test_pipelines_convert(dtype):
    skl2onnx = pytest.importorskip("skl2onnx", reason="needs skl2onnx")
    pytest.importorskip("onnxscript", reason="torch.onnx needs onnxscript")
    runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    register_onnx_converter()
    rows = X.astype(dtype)
    for y in (Y, CLASSES, np.where(Y[:, 0], 5, 7)):
        pipeline = make_pipeline(StandardScaler(), small(loss="focal")).fit(rows, y)
        model = skl2onnx.to_onnx(pipeline, rows[:1])
        session = runtime.InferenceSession(model.SerializeToString())
        labels, proba = session.run(["label", "probabilities"], {"X": rows})
        np.testing.assert_array_equal(labels, pipeline.predict(rows))
        expected = pipeline.predict_proba(rows)
        assert proba.dtype == dtype
        np.testing.assert_allclose(proba, expected, atol=TOLERANCE, rtol=0)


def test_a_member_alone_takes_any_number_of_rows():
    for module in (linear, None):
        net = small() if module is None else ImbalancedNetClassifier(module)
        member = net.set_params(max_epochs=1).fit(X, Y).members_[0].eval()
        x = torch.as_tensor(X).to(next(member.parameters()).dtype)
        dynamic = ({0: torch.export.Dim("n")},)
        program = torch.export.export(member, (x[:7],), dynamic_shapes=dynamic)
        torch.testing.assert_close(program.module()(x), member(x))


@pytest.mark.parametrize("kind", [MULTILABEL, BINARY, MULTICLASS])
def test_model_card(kind, tmp_path):
    net = small(loss="focal").fit(X, target_of(kind))
    net.save_card(tmp_path / "card.md", X, target_of(kind))
    text = (tmp_path / "card.md").read_text()
    assert "- `loss`: `'focal'`" in text
    assert "lr" not in text
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + net._output.n_outputs
    assert ("threshold" in text) == (kind != MULTICLASS)
    if kind != MULTILABEL:
        assert all(str(name) in text for name in net._output.label_names)


def test_a_module_that_is_not_installed_is_named_with_its_extra(monkeypatch, tmp_path):
    def export(*args, **kwargs):  # as torch does, unless it has been imported before
        raise ModuleNotFoundError("No module named 'onnxscript'", name="onnxscript")

    monkeypatch.setattr(torch.onnx, "export", export)
    with pytest.raises(ImportError, match=r"onnxscript: pip install 'skimbalance\["):
        small().fit(X, Y).export_onnx(tmp_path / "net.onnx")
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ImportError, match=r"need skl2onnx: pip install"):
        register_onnx_converter()
