"""Measures of imbalance against the figures of the R package mldr, and by hand."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from skimbalance.metrics import (
    UndefinedLabelWarning,
    imbalance_ratio_cv,
    imbalance_ratio_per_label,
    imbalance_report,
    label_cardinality,
    label_density,
    label_diversity,
    mean_imbalance_ratio,
    scumble_score,
    theoretical_complexity_score,
)

SETS = ("emotions", "birds", "yeast", "medical", "enron", "tinyA", "tinyB")
# The fourth row has no label, the third label one positive.
Y = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 1], [0, 0, 0], [1, 0, 0]])
MISSING = np.where(np.arange(15).reshape(5, 3) == 1, np.nan, Y)


def _labels_of(resampling_reference, load, name):
    """Return X and Y of a set; the tiny ones stand in the reference."""
    if name.startswith("tiny"):
        data = resampling_reference["sets"][name]["data"]
        return np.array(data["X"]), np.array([list(row) for row in data["Y"]], int)
    data = load(name)
    return data["X"], data["Y"]


@pytest.mark.parametrize("name", SETS)
def test_measures_equal_the_reference(name, resampling_reference, load):
    X, labels = _labels_of(resampling_reference, load, name)
    expected = resampling_reference["measures"][name]
    known = np.array(expected["IRLbl"])
    np.testing.assert_allclose(imbalance_ratio_per_label(labels), known, rtol=1e-6)
    for measure, value in {
        "meanIR": mean_imbalance_ratio(labels),
        "CVIR_sd_n1_positive": imbalance_ratio_cv(labels),
        "scumble": scumble_score(labels),
        "cardinality": label_cardinality(labels),
        "density": label_density(labels),
        "labelsets": label_diversity(labels),
        "tcs": theoretical_complexity_score(X, labels),
    }.items():
        assert value == pytest.approx(expected[measure], rel=1e-6), measure
    np.testing.assert_allclose(
        scumble_score(labels, per="label"), expected["scumble_label"], atol=1e-6
    )
    if "scumble_row" in expected:
        np.testing.assert_allclose(
            scumble_score(labels, per="row"), expected["scumble_row"], atol=1e-6
        )


def test_a_label_without_positives_is_left_out_unlike_in_mldr(
    resampling_reference, load
):
    _, labels = _labels_of(resampling_reference, load, "tinyA")
    labels = np.column_stack([labels, np.zeros(len(labels), dtype=int)])
    expected = resampling_reference["measures"]["tinyA_plus_never_positive"]
    ratios = imbalance_ratio_per_label(labels)
    assert np.isnan(ratios[-1])
    np.testing.assert_allclose(ratios[:-1], expected["IRLbl"][:-1], rtol=1e-6)
    with pytest.warns(UndefinedLabelWarning, match="1 of 4 labels"):
        mean = mean_imbalance_ratio(labels)
    assert mean == pytest.approx(expected["meanIR_positive_labels"], rel=1e-6)
    assert mean > expected["meanIR"]
    with pytest.warns(UndefinedLabelWarning):
        variation = imbalance_ratio_cv(labels)
    assert variation == pytest.approx(expected["CVIR_sd_n1_positive"], rel=1e-6)
    assert scumble_score(labels) == pytest.approx(expected["scumble"], rel=1e-6)
    assert np.isnan(scumble_score(labels, per="label")[-1])


def test_measures_by_hand():
    assert imbalance_ratio_per_label(Y).tolist() == [1, 2, 4]
    assert mean_imbalance_ratio(Y) == pytest.approx(7 / 3)
    assert imbalance_ratio_cv(Y) == pytest.approx(np.std([1, 2, 4], ddof=1) * 3 / 7)
    rows = [1 - 2**0.5 / 1.5, 0, 1 - 2 / (7 / 3), 0, 0]
    np.testing.assert_allclose(scumble_score(Y, per="row"), rows, atol=1e-15)
    assert scumble_score(Y) == pytest.approx(np.mean(rows))
    by_label = [np.mean([*rows[:3], 0]), np.mean([rows[0], rows[2]]), rows[2]]
    np.testing.assert_allclose(scumble_score(Y, per="label"), by_label)
    assert label_cardinality(Y) == pytest.approx(7 / 5)
    assert label_density(Y) == pytest.approx(7 / 15)
    assert label_diversity(Y) == 4
    assert label_diversity(Y, normalize=True) == 0.8
    X = np.zeros((5, 7))
    assert theoretical_complexity_score(X, Y) == pytest.approx(np.log(7 * 3 * 4))


@pytest.mark.parametrize(
    "measure",
    [
        imbalance_ratio_per_label,
        mean_imbalance_ratio,
        imbalance_ratio_cv,
        scumble_score,
        lambda y: scumble_score(y, per="row"),
        lambda y: scumble_score(y, per="label"),
        label_cardinality,
        label_density,
        label_diversity,
    ],
)
def test_container_does_not_matter(measure):
    expected = measure(Y)
    unsorted = sp.csr_matrix(
        (np.ones(7), [1, 0, 0, 2, 0, 1, 0], [0, 2, 3, 6, 6, 7]), shape=(5, 3)
    )
    others = [sp.csr_matrix(Y), sp.csc_array(Y), pd.DataFrame(Y), Y.tolist(), Y == 1]
    for other in [*others, unsorted]:
        np.testing.assert_array_equal(measure(other), expected)


def test_missing_labels_count_by_frequency():
    # The second label is observed in four rows, one of which is positive.
    np.testing.assert_allclose(imbalance_ratio_per_label(MISSING), [1, 3.2, 4])
    assert label_cardinality(MISSING) == pytest.approx(0.8 + 0.25 + 0.2)
    csr = sp.csr_array(np.nan_to_num(MISSING, nan=2))
    csr.data[csr.data == 2] = np.nan
    np.testing.assert_allclose(imbalance_ratio_per_label(csr), [1, 3.2, 4])


@pytest.mark.parametrize(
    "measure",
    [
        scumble_score,
        label_diversity,
        lambda y: theoretical_complexity_score(np.ones((5, 2)), y),
    ],
)
def test_measures_of_whole_rows_refuse_missing_labels(measure):
    with pytest.raises(ValueError, match=r"missing labels.* Drop"):
        measure(MISSING)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="one dimension"):
        mean_imbalance_ratio([0, 1, 1])
    with pytest.raises(ValueError, match="per='rows'"):
        scumble_score(Y, per="rows")
    with pytest.raises(ValueError, match="X has 4 rows"):
        theoretical_complexity_score(np.ones((4, 2)), Y)
    with pytest.raises(ValueError, match="at least one column"):
        theoretical_complexity_score(np.ones((5, 0)), Y)


def test_no_positive_at_all_is_undefined():
    zeros = np.zeros((4, 2))
    assert np.isnan(imbalance_ratio_per_label(zeros)).all()
    with pytest.warns(UndefinedLabelWarning):
        assert np.isnan(mean_imbalance_ratio(zeros))
    assert scumble_score(zeros) == 0
    assert label_diversity(zeros) == 1
    assert np.isnan(imbalance_ratio_cv([[1], [0]]))


def test_report_has_counts_measures_and_a_reading():
    frame = pd.DataFrame(Y, columns=["cat", "dog", "eel"])
    report = imbalance_report(frame)
    assert report.index.tolist() == ["cat", "dog", "eel"]
    assert report["n_positive"].tolist() == [4, 2, 1]
    assert report["n_observed"].tolist() == [5, 5, 5]
    assert report["imbalance_ratio"].tolist() == [1, 2, 4]
    np.testing.assert_array_equal(report["scumble"], scumble_score(Y, per="label"))
    measures = report.attrs["measures"]
    for measure in (mean_imbalance_ratio, imbalance_ratio_cv, scumble_score):
        assert measures[measure.__name__] == measure(Y)
    assert measures["label_cardinality"] == label_cardinality(Y)
    reading = report.attrs["reading"]
    assert reading.startswith(
        "3 labels have fewer than 10 positives, 3 fewer than 5; 20 % of rows carry none"
    )
    assert "MultilabelStratifiedKFold" in reading
    assert "counts as imbalanced" in reading


def test_reading_of_a_balanced_set_names_no_resampling(resampling_reference, load):
    _, labels = _labels_of(resampling_reference, load, "emotions")
    reading = imbalance_report(labels).attrs["reading"]
    assert reading.startswith("0 labels have fewer than 10 positives, 0 fewer than 5")
    assert "does not count as imbalanced" in reading


def test_reading_names_labels_without_positives_and_missing_labels():
    report = imbalance_report(MISSING * [1, 1, 0])
    assert report["scumble"].isna().all()
    reading = report.attrs["reading"]
    assert "1 label has no positive" in reading
    assert "% of rows carry none that is observed" in reading
    assert "6.7 % of the entries are missing" in reading
    assert imbalance_report(np.zeros((9, 2))).attrs["reading"]
    csr = sp.csr_matrix(MISSING)
    pd.testing.assert_frame_equal(imbalance_report(csr), imbalance_report(MISSING))


def test_names_of_another_number_are_refused():
    with pytest.raises(ValueError, match="2 names for 3 labels"):
        imbalance_report(Y, label_names=["a", "b"])
