"""The measures and statistics of the study `docs/benchmarks/forest.py`, by hand."""

import importlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.testing import assert_allclose

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "benchmarks"


@pytest.fixture
def statistics(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("_forest_statistics")


@pytest.fixture
def pages(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("_forest_page")


def test_the_error_of_overlapping_splits(statistics):
    # The differences 1 and 3 have the sd sqrt(2).
    expected = np.sqrt(2) * np.sqrt(1 / 2 + 30 / 70)
    assert_allclose(statistics.split_error([1.0, 3.0], 30 / 70), expected)
    assert np.isnan(statistics.split_error([1.0], 30 / 70))


def test_the_bootstrap_interval(statistics):
    assert_allclose(statistics.bootstrap_interval([0.5, 0.5, 0.5]), [0.5, 0.5])
    # The mean of 400 values 0 and 1 has the standard error .025.
    interval = statistics.bootstrap_interval(np.arange(400) % 2)
    assert_allclose(interval, [0.451, 0.549], atol=0.003)


def test_the_summary_over_sets(statistics):
    found = statistics.summary({"a": 0.04, "b": 0.004, "c": -0.02, "d": 0.006})
    assert (found["ahead"], found["level"], found["behind"]) == (2, 1, 1)
    assert (found["points"], found["worst"], found["n_sets"]) == (2.5, "c", 4)
    assert_allclose(found["mean"], 0.0075)
    # Of three sets, one is drawn three times in 1 of 27 draws, over 2.5 %.
    assert_allclose(found["without_best"], [-0.02, 0.006])
    assert statistics.summary({}) is None


def test_the_measures_of_a_label_matrix(statistics):
    # The second label has no training positive, the third a missing entry.
    labels = np.array([[1, 0, 1], [0, 1, -1], [1, 0, 0], [0, 0, 0]])
    proba = np.array(
        [[0.8, 0.1, 0.5], [0.6, 0.1, 0.5], [0.4, 0.1, 0.25], [0.2, 0.1, 0.25]]
    )
    train = np.array([[1, 0, 1], [0, 0, 0]])
    found = statistics.measures(labels, proba, train, np.array([3, 10, 60]))
    # Positives of the first label are at ranks 1 and 3; the third has 1 at rank 1.
    assert_allclose(found["ap"], np.mean([(1 + 2 / 3) / 2, 1]))
    assert found["n_labels"] == 2
    of_truth = [0.8, 0.4, 0.4, 0.8, 0.9, 0.1, 0.9, 0.9, 0.5, 0.75, 0.75]
    assert_allclose(found["log_loss"], -np.log(of_truth).mean())
    # Prevalences .5, 0 (clipped to 1 / (2 * 2)) and .5.
    floor = -np.log([0.5] * 4 + [0.75, 0.25, 0.75, 0.75] + [0.5] * 3).mean()
    assert_allclose(found["skill"], 1 + np.log(of_truth).mean() / floor)
    assert_allclose(found["bands"]["1-7"], [2.0, 2, 2.0])
    assert_allclose(found["bands"]["8-15"], [0.4, 1, 1.0])
    assert_allclose(found["bands"]["50+"], [1.0, 1, 1.5])
    sums = [found[key] for key in ("expected", "observed", "expected_prior")]
    assert_allclose(sums, [3.4, 4, 4.5])
    assert found["train_positives"] == 2


def test_the_calibration_slope(statistics):
    # 80 % positives where .9 is predicted and 20 % where .1 is.
    proba = np.repeat([0.9, 0.1], 10)[:, None]
    labels = np.repeat([1, 0, 1, 0], [8, 2, 2, 8])[:, None]
    slope, error = statistics.calibration_slope(labels, proba)
    assert_allclose(slope, np.log(4) / np.log(9), rtol=1e-4)
    # Each row has the information .16 times the square of its log-odds.
    assert_allclose(error, 1 / np.sqrt(20 * 0.16 * np.log(9) ** 2), rtol=1e-4)


def test_the_measures_of_classes(statistics):
    proba = np.array([[0.5, 0.3, 0.2], [0.2, 0.6, 0.2], [0.1, 0.1, 0.8]])
    found = statistics.class_measures(
        np.array([0, 1, 2]), proba, np.array([0, 0, 1, 2]), 3
    )
    assert found["ap"] == 1
    assert_allclose(found["log_loss"], -np.log([0.5, 0.6, 0.8]).mean())
    floor = -np.log([0.5, 0.25, 0.25]).mean()
    assert_allclose(found["skill"], 1 - found["log_loss"] / floor)
    binary = statistics.class_measures(
        np.array([0, 1]), np.array([[0.3, 0.7], [0.6, 0.4]]), np.array([0, 1]), 2
    )
    assert_allclose(binary["ap"], 0.5)
    assert_allclose(binary["log_loss"], -np.log([0.3, 0.4]).mean())


def test_the_measures_of_predictions(statistics):
    labels = np.array([[1, 0], [1, -1], [0, 1], [0, 0]])
    predicted = np.array([[1, 0], [0, 1], [0, 1], [1, 1]])
    found = statistics.prediction_measures(labels, predicted)
    assert (found["predicted"], found["true"]) == (4, 3)
    # F1 is 2 TP / (predicted + true): 2 / 4 and 2 / 3.
    assert_allclose(found["macro_f1"], (0.5 + 2 / 3) / 2)


class Cell(NamedTuple):
    set: str
    repeat: int
    method: str
    seed: int
    inner: int = 0


class Method(NamedTuple):
    title: str
    ours: bool


def test_differences_pair_the_splits_and_average_the_seeds(pages):
    aps = {
        Cell("a", 0, "ours", 0): 0.5,
        Cell("a", 0, "ours", 1): 0.7,
        Cell("a", 1, "ours", 1): 0.9,
        Cell("a", 2, "ours", 2): 0.1,  # without its pair
        Cell("a", 0, "rf", 0): 0.5,
        Cell("a", 1, "rf", 1): 0.6,
        Cell("b", 0, "ours", 0): 0.2,
        Cell("b", 0, "ours", 1): 0.4,
        Cell("b", 0, "rf", 0): 0.5,
    }
    records = {
        cell: {"status": "ok", "ap": ap, "n_train": 70, "n_test": 30}
        for cell, ap in aps.items()
    }
    records[Cell("b", 1, "rf", 1)] = {"status": "limit"}
    methods = {"ours": Method("ours", True), "rf": Method("RF", False)}
    study = pages.Study(records, [], {"a": "labels", "b": "large"}, methods)
    mean, error = study.difference("a", "ours", "rf")
    assert_allclose(mean, (0.1 + 0.3) / 2)
    assert_allclose(error, np.sqrt(0.02) * np.sqrt(1 / 2 + 30 / 70))
    mean, error = study.difference("b", "ours", "rf")
    assert_allclose(mean, -0.2)
    assert_allclose(error, np.sqrt(0.02) / np.sqrt(2))  # of the seeds
    assert study.best_peer("a") == "rf"


def test_the_page_leaves_out_what_has_not_been_run(pages):
    """One method has one fit, the other none: there is nothing to compare."""
    sets = {"first_set": "labels", "second_set": "classes"}
    methods = {"ours": Method("ours", True), "rf": Method("RF 300", False)}
    cells = [Cell(s, r, m, 0) for s in sets for r in range(2) for m in methods]
    records = {cells[0]: {"status": "ok", "ap": 0.5, "n_train": 70, "n_test": 30}}
    study = pages.Study(records, cells, sets, methods)
    assert study.methods_run == ["ours"]
    text, found = pages.coverage(study)
    assert "Of 8 planned fits 1 have been run (ours on 1, of 2 sets)" in text
    assert found.splitlines()[2:] == ["| first_set | 1/2 |"]
    assert pages.by_set(study, list(sets)) == ""
    assert pages.comparison(study, [("ours", "rf")], list(sets)) == ""
    assert pages._section("Title", ("No table follows.", "")) == ""


def test_tables_have_no_empty_rows_and_columns(pages):
    rows = [["a", "", ".1"], ["b", "", ""], ["c", "", ".2"]]
    table = pages._table(["set", "RF 300", "ours"], rows)
    assert table.splitlines()[2:] == ["| a | .1 |", "| c | .2 |"]
