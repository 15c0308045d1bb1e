"""Weights against the formulas, written out."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.utils.class_weight import (
    compute_class_weight as sklearn_class_weight,
)

from skimbalance.weights import (
    LABEL_WEIGHT_SCHEMES,
    WEIGHT_SCHEMES,
    PosWeightTransformer,
    compute_class_weight,
    compute_label_weight,
    compute_pos_weight,
)

POSITIVE = np.array([1000.0, 100.0, 10.0])
NEGATIVE = 10_000 - POSITIVE


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [
        ("balanced", [9, 99, 999]),
        ("sqrt", [3, 9.95, 31.6]),
        ("log", [2.3, 4.6, 6.9]),
        ("effective_number", [1.58, 10.5, 100]),
    ],
)
def test_schemes_give_the_published_table(scheme, expected):
    weight = compute_pos_weight(label_counts=POSITIVE, n_samples=10_000, scheme=scheme)
    np.testing.assert_allclose(weight, expected, rtol=6e-3)


def test_schemes_equal_their_formulas():
    counts = (POSITIVE, NEGATIVE)
    ratio = NEGATIVE / POSITIVE
    beta = 0.99
    expected = {
        "balanced": ratio,
        "sqrt": np.sqrt(ratio),
        "log": np.log(1 + ratio),
        "power": ratio**0.3,
        "effective_number": (1 - beta**NEGATIVE) / (1 - beta**POSITIVE),
    }
    assert expected.keys() == WEIGHT_SCHEMES.keys()
    for scheme, values in expected.items():
        weight = compute_pos_weight(
            label_counts=counts, scheme=scheme, power=0.3, beta=beta
        )
        np.testing.assert_allclose(weight, values, rtol=1e-12)


def test_label_schemes_equal_their_formulas():
    ratio = POSITIVE.max() / POSITIVE
    beta = 0.99
    expected = {
        "balanced": ratio,
        "sqrt": np.sqrt(ratio),
        "log": np.log(1 + ratio),
        "power": ratio**0.3,
        "effective_number": (1 - beta) / (1 - beta**POSITIVE),
    }
    assert expected.keys() == LABEL_WEIGHT_SCHEMES.keys() == WEIGHT_SCHEMES.keys()
    for scheme, values in expected.items():
        arguments = {"label_counts": POSITIVE, "n_samples": 10_000, "scheme": scheme}
        arguments |= {"power": 0.3, "beta": beta}
        raw = compute_label_weight(**arguments, normalize=None)
        np.testing.assert_allclose(raw, values, rtol=1e-9)
        mean_one = compute_label_weight(**arguments)
        np.testing.assert_allclose(mean_one, values / values.mean(), rtol=1e-9)
    assert ratio.min() == 1


def test_parity_with_the_smoothed_ratio():
    """``neg / (pos + 1e-5)``, for labels with positives."""
    expected = NEGATIVE / (POSITIVE + 1e-5)
    weight = compute_pos_weight(label_counts=(POSITIVE, NEGATIVE))
    np.testing.assert_allclose(weight, expected, rtol=1e-5)


def test_limits_of_beta_and_power():
    counts = {"label_counts": (POSITIVE, NEGATIVE)}
    ones = compute_pos_weight(scheme="effective_number", beta=0.0, **counts)
    np.testing.assert_array_equal(ones, 1)
    np.testing.assert_array_equal(
        compute_pos_weight(scheme="power", power=0, **counts), 1
    )
    np.testing.assert_allclose(
        compute_pos_weight(scheme="effective_number", beta=1 - 1e-12, **counts),
        NEGATIVE / POSITIVE,
        rtol=1e-6,
    )


def test_smoothing_cap_and_normalize():
    counts = {"label_counts": (POSITIVE, NEGATIVE)}
    smooth = compute_pos_weight(smoothing=5.0, **counts)
    np.testing.assert_allclose(smooth, (NEGATIVE + 5) / (POSITIVE + 5))
    np.testing.assert_allclose(compute_pos_weight(cap=50, **counts), [9, 50, 50])
    assert compute_pos_weight(normalize="mean", **counts).mean() == pytest.approx(1)
    assert compute_pos_weight(normalize="sum", **counts).sum() == pytest.approx(1)
    ratio = compute_pos_weight(normalize="sum", **counts) / (NEGATIVE / POSITIVE)
    np.testing.assert_allclose(ratio, ratio[0])


def test_labels_with_one_value_have_weight_one():
    Y = np.array([[0, 1, 1], [0, 1, 0], [0, 1, 0]])
    for scheme in WEIGHT_SCHEMES:
        weight = compute_pos_weight(Y, scheme)
        np.testing.assert_array_equal(weight[:2], 1)
        assert np.isfinite(weight).all()
    np.testing.assert_allclose(compute_pos_weight(Y, normalize="mean"), [1, 1, 1])
    assert compute_label_weight(Y)[0] == 1
    smooth = compute_pos_weight(Y, smoothing=1.0)
    np.testing.assert_allclose(smooth, [4, 1 / 4, 3 / 2])


@st.composite
def label_matrices(draw):
    n, k = draw(st.integers(1, 12)), draw(st.integers(1, 5))
    entries = st.lists(
        st.sampled_from([0.0, 1.0, np.nan]), min_size=n * k, max_size=n * k
    )
    return np.array(draw(entries)).reshape(n, k)


@given(label_matrices())
def test_dense_sparse_and_counts_agree(Y):
    expected_counts = (Y == 1).sum(axis=0), (Y == 0).sum(axis=0)
    reference = compute_pos_weight(label_counts=expected_counts)
    np.testing.assert_array_equal(compute_pos_weight(Y), reference)
    for kind in (sp.csr_array, sp.csr_matrix, sp.csc_array, sp.coo_array):
        np.testing.assert_array_equal(compute_pos_weight(kind(Y)), reference)


@given(label_matrices(), st.data())
def test_weighted_counts_are_repeated_rows(Y, data):
    times = data.draw(st.lists(st.integers(0, 3), min_size=len(Y), max_size=len(Y)))
    repeated = np.repeat(Y, times, axis=0)
    if len(repeated) == 0:
        return
    expected = compute_pos_weight(repeated)
    entries = np.repeat(np.asarray(times)[:, None], Y.shape[1], axis=1)
    for weight in (times, entries):
        for y in (Y, sp.csr_array(Y)):
            found = compute_pos_weight(y, sample_weight=weight)
            np.testing.assert_allclose(found, expected)
    excess = sp.csr_array(entries - 1.0)
    for y in (Y, sp.csr_array(Y)):
        np.testing.assert_allclose(
            compute_pos_weight(y, sample_weight=excess), expected
        )


def test_binary_and_multiclass_targets():
    y = np.repeat(["no", "yes"], [30, 10])
    np.testing.assert_allclose(compute_pos_weight(y), [3.0])
    y = np.repeat([3, 5, 8, 9], [198, 436, 710, 272])
    balanced = sklearn_class_weight("balanced", classes=np.unique(y), y=y)
    np.testing.assert_allclose(compute_pos_weight(y), balanced)
    np.testing.assert_allclose(balanced, [2.04, 0.93, 0.57, 1.49], atol=5e-3)
    np.testing.assert_allclose(compute_pos_weight(y, "sqrt"), np.sqrt(balanced))


def test_transformer_weighs_every_entry():
    Y = np.array([[1, 0], [0, np.nan], [1, 1], [0, 0]])
    transformer = PosWeightTransformer("balanced").fit(Y)
    np.testing.assert_allclose(transformer.pos_weight_, [1, 2])
    expected = np.array([[1, 1], [1, 0], [1, 2], [1, 1.0]])
    np.testing.assert_allclose(transformer.transform(Y), expected)
    excess = transformer.transform(sp.csr_array(Y))
    assert sp.issparse(excess)
    assert excess.nnz <= 4
    np.testing.assert_allclose(excess.toarray() + 1, expected)


def test_weights_of_entries_are_in_the_order_of_the_labels_as_they_are_passed():
    Y = pd.DataFrame([[1, 1, 0], [0, 1, 0], [0, 1, 1]] * 3 + [[0, 0, 1]])
    Y.columns, order = ["a", "b", "c"], ["c", "a", "b"]
    transformer = PosWeightTransformer().fit(Y)
    expected = transformer.transform(Y)
    np.testing.assert_array_equal(
        transformer.transform(Y[order]), expected[:, [2, 0, 1]]
    )
    sparse = Y[order].astype(pd.SparseDtype(int, 0))
    excess = transformer.transform(sparse).toarray()
    np.testing.assert_allclose(1 + excess, expected[:, [2, 0, 1]])


def test_transformer_of_one_dimensional_targets():
    y = np.array(["a", "b", "b", "b", "b"])
    np.testing.assert_allclose(
        PosWeightTransformer().fit_transform(y), [1, 0.25, 0.25, 0.25, 0.25]
    )
    y = np.array([0, 1, 1, 2, 2, 2])
    np.testing.assert_allclose(
        PosWeightTransformer().fit_transform(y), [2, 1, 1, 2 / 3, 2 / 3, 2 / 3]
    )


def test_transformer_is_a_scikit_learn_object():
    transformer = PosWeightTransformer("power", power=0.3, cap=7.0)
    twin = clone(transformer).set_params(scheme="sqrt")
    assert transformer.scheme == "power"
    assert twin.get_params()["cap"] == 7.0
    assert not hasattr(clone(transformer.fit([[1], [0]])), "pos_weight_")
    by_counts = PosWeightTransformer().fit(label_counts=(POSITIVE, NEGATIVE))
    np.testing.assert_allclose(by_counts.pos_weight_, NEGATIVE / POSITIVE)
    assert by_counts.transform(np.eye(3)).shape == (3, 3)


@pytest.mark.parametrize("compute", [compute_label_weight, PosWeightTransformer().fit])
def test_two_numbers_are_no_counts(compute):
    with pytest.raises(ValueError, match="one label or two"):
        compute(label_counts=[100, 200])
    compute(label_counts=([100], [200]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y": [[1]], "scheme": "sqr"}, "Did you mean 'sqrt'"),
        ({}, "exactly one of y and label_counts"),
        ({"y": [[1]], "label_counts": [1], "n_samples": 1}, "exactly one of"),
        ({"y": [[1]], "n_samples": 3}, "n_samples goes with label_counts"),
        ({"label_counts": [1, 2, 3]}, "pair"),
        ({"label_counts": [100, 200]}, r"one label or two.* \(\[100\], \[200\]\)"),
        ({"label_counts": np.array([100, 200])}, "pass n_samples as well"),
        ({"label_counts": [5], "n_samples": 3}, "exceed n_samples"),
        ({"label_counts": ([1], [np.nan])}, "finite"),
        (
            {"label_counts": ([1], [1]), "sample_weight": [1]},
            "sample_weight goes with y",
        ),
        ({"y": [[1, 2]]}, "the value 2"),
        ({"y": [[1, -1]]}, r"\(y > 0\).astype\(int\)"),
        ({"y": [[1, -1], [0, 0]]}, r"np.where\(y == -1, np.nan, y\)"),
        ({"y": np.zeros((3, 0))}, "at least one row and one label"),
        ({"y": [[1]], "power": np.inf}, "power"),
        ({"y": [[1]], "beta": 1.0}, "beta"),
        ({"y": [[1]], "smoothing": -1}, "smoothing"),
        ({"y": [[1]], "cap": 0}, "cap"),
        ({"y": [[1], [0]], "normalize": "max"}, "normalize"),
        ({"y": [[1], [0]], "sample_weight": [1]}, "inconsistent"),
        (
            {"y": [[1], [0]], "sample_weight": [[1, 1], [1, 1]]},
            "sample_weight has shape",
        ),
        ({"y": [[1], [0]], "sample_weight": [1, -1]}, "not negative"),
        ({"y": [0.1, 0.7, 0.3]}, "continuous"),
    ],
)
def test_bad_input_names_the_parameter(arguments, message):
    with pytest.raises(ValueError, match=message):
        compute_pos_weight(**arguments)


def test_transformer_refuses_what_it_was_not_fitted_on():
    transformer = PosWeightTransformer().fit(np.eye(3))
    with pytest.raises(ValueError, match="2 labels, but 3"):
        transformer.transform(np.eye(2))
    with pytest.raises(ValueError, match="not among the known"):
        PosWeightTransformer().fit(["a", "b"]).transform(["c"])


FOUR = np.repeat(["a", "b", "c", "d"], [198, 436, 710, 272])


def test_class_weight_is_a_dict_that_scikit_learn_takes():
    weight = compute_class_weight(FOUR)
    expected = sklearn_class_weight("balanced", classes=np.unique(FOUR), y=FOUR)
    assert list(weight) == ["a", "b", "c", "d"]
    np.testing.assert_allclose(list(weight.values()), expected)
    assert compute_class_weight([0, 1, 1, 1]) == pytest.approx({0: 2, 1: 2 / 3})


@pytest.mark.parametrize(("normalize", "total"), [("sum", 1), ("mean", 4)])
@pytest.mark.parametrize("given", ["balanced", "sqrt", {"a": 3, "c": 0.5}])
def test_class_weight_is_normalised_to_sum_one_or_the_number_of_classes(
    given, normalize, total
):
    plain = compute_class_weight(FOUR, given)
    scaled = compute_class_weight(FOUR, given, normalize=normalize)
    assert sum(scaled.values()) == pytest.approx(total)
    ratio = np.array(list(scaled.values())) / list(plain.values())
    np.testing.assert_allclose(ratio, ratio[0])
    if isinstance(given, dict):
        assert plain == {"a": 3, "b": 1, "c": 0.5, "d": 1}


@pytest.mark.parametrize(
    ("y", "given", "message"),
    [
        (FOUR, "ballanced", "Did you mean 'balanced'"),
        (FOUR, {"e": 1.0}, "not a class of y"),
        (FOUR, {"a": -1.0}, "class_weight"),
        (np.eye(3), "balanced", "1-D y"),
    ],
)
def test_class_weight_checks_its_input(y, given, message):
    with pytest.raises(ValueError, match=message):
        compute_class_weight(y, given)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "float16", "int64"])
def test_counts_of_narrow_numbers(dtype):
    counts = np.array([100, 20], dtype=dtype)
    expected = [9900 / 100, 9980 / 20]
    found = compute_pos_weight(label_counts=counts, n_samples=10_000)
    np.testing.assert_allclose(found, expected)


def test_a_class_without_weight_is_none():
    y, weight = np.array([0, 0, 0, 1, 2]), [1.0, 1, 1, 1, 0]
    for scheme in WEIGHT_SCHEMES:
        found = compute_class_weight(y, scheme, sample_weight=weight)
        assert found == {**compute_class_weight(y[:4], scheme), 2: 1.0}


def test_sparse_weights_share_no_memory_with_the_labels():
    dense = np.array([[1, 0], [0, 1], [1, 1], [0, 1]], dtype=np.int8)
    Y = sp.csr_array(dense)
    weight = PosWeightTransformer("power", power=0).fit_transform(Y)
    weight.eliminate_zeros()
    np.testing.assert_array_equal(Y.toarray(), dense)
