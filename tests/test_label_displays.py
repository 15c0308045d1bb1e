"""Displays of label matrices: their data by hand, and pictures that stay readable."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from skimbalance.displays import (
    LabelCooccurrenceDisplay,
    LabelImbalanceDisplay,
    ResamplingDisplay,
)
from skimbalance.metrics import mean_imbalance_ratio, scumble_score

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")

Y = np.array([[0, 1, 0], [1, 1, 0], [1, 1, 1], [0, 0, 0], [0, 1, 0]])
DRAWINGS = {
    "imbalance": LabelImbalanceDisplay.from_labels,
    "cooccurrence": LabelCooccurrenceDisplay.from_labels,
    "resampling": lambda y, **options: ResamplingDisplay.from_labels(y, y, **options),
}
each_drawing = pytest.mark.parametrize("draw", DRAWINGS.values(), ids=DRAWINGS.keys())


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def _labels(n_labels, n_samples=600, seed=0):
    """Return sparse labels with one without positives, frequent ones in the middle."""
    rng = np.random.default_rng(seed)
    frequency = rng.permutation(0.4 / np.arange(1, n_labels + 1))
    labels = rng.random((n_samples, n_labels)) < frequency
    labels[:, -1] = False
    return sp.csr_array(labels.astype(np.int8))


def test_imbalance_by_hand():
    display = LabelImbalanceDisplay.from_labels(Y, label_names=["a", "b", "c"])
    assert display.n_positive.tolist() == [4, 2, 1]
    assert display.label_names == ["b", "a", "c"]
    assert display.mean_imbalance_ratio == mean_imbalance_ratio(Y)
    assert [bar.get_width() for bar in display.bars_] == [4, 2, 1]
    names = [tick.get_text() for tick in display.ax_.get_yticklabels()]
    assert names == ["b", "a", "c"]


def test_rare_labels_are_marked():
    display = LabelImbalanceDisplay.from_labels(Y, rare=2)
    colours = [bar.get_facecolor() for bar in display.bars_]
    assert colours[0] == colours[1] != colours[2]
    assert "1 label" in display.figure_.legends[0].get_texts()[0].get_text()


def test_cooccurrence_by_hand():
    display = LabelCooccurrenceDisplay.from_labels(Y, label_names=["a", "b", "c"])
    assert display.label_names == ["b", "a", "c"]
    expected = [[1, 2 / 4, 1 / 4], [1, 1, 1 / 2], [1, 1, 1]]
    np.testing.assert_allclose(display.probability, expected)
    assert display.scumble == pytest.approx(scumble_score(Y))


def test_pairs_count_where_both_labels_are_observed():
    missing = np.array([[1, 1], [1, 0], [1, np.nan], [0, np.nan]])
    display = LabelCooccurrenceDisplay.from_labels(missing)
    np.testing.assert_allclose(display.probability, [[1, 1 / 2], [1, 1]])


def test_many_labels_are_represented_by_frequent_and_by_shared_ones():
    labels = _labels(300)
    display = LabelCooccurrenceDisplay.from_labels(labels, max_labels=20)
    counts = np.sort(np.asarray(labels.sum(axis=0)).ravel())[::-1]
    assert display.n_positive[:10].tolist() == counts[:10].tolist()
    assert len(display.label_names) == 20
    assert display.n_labels == 300
    chosen = LabelCooccurrenceDisplay.from_labels(labels, labels=[3, 8])
    assert set(chosen.label_names) == {"label 3", "label 8"}


def test_resampling_by_hand():
    after = np.vstack([Y, Y[2:3], Y[2:3]])
    display = ResamplingDisplay.from_labels(Y, after)
    assert display.before.tolist() == [4, 2, 1]
    assert display.after.tolist() == [6, 4, 3]
    assert display.n_rows == (5, 7)
    ratios = mean_imbalance_ratio(Y), mean_imbalance_ratio(after)
    assert display.mean_imbalance_ratio == ratios
    assert display.after_.get_xdata().tolist() == [6, 4, 3]


def test_resampled_frames_are_matched_by_name():
    before = pd.DataFrame(Y, columns=["a", "b", "c"])
    display = ResamplingDisplay.from_labels(before, before[["c", "a", "b"]])
    np.testing.assert_array_equal(display.before, display.after)


@each_drawing
@pytest.mark.parametrize("n_labels", [1, 5, 50, 60, 61, 5000])
def test_text_and_artists_stay_few_and_legible(draw, n_labels):
    display = draw(_labels(n_labels))
    display.figure_.canvas.draw()
    height = display.figure_.get_figheight()
    assert height < 10.5
    ticks = [t for t in display.ax_.get_yticklabels() if t.get_text()]
    assert len(ticks) <= 60
    assert min(tick.get_fontsize() for tick in ticks) >= 5
    boxes = [tick.get_window_extent() for tick in ticks]
    for above, below in pairwise(boxes):
        assert above.y0 >= below.y1 or below.y0 >= above.y1
    assert len(display.ax_.findobj()) < 1500


@each_drawing
def test_axes_of_the_user_are_drawn_on(draw):
    figure, ax = plt.subplots(figsize=(3, 2))
    display = draw(_labels(40), ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert figure.get_size_inches().tolist() == [3, 2]
    assert not figure.legends
    display.plot()


@each_drawing
def test_container_and_missing_labels(draw):
    for other in (Y, sp.csr_matrix(Y), pd.DataFrame(Y), np.where(Y == 0, np.nan, 1.0)):
        draw(other)
    draw(np.zeros((3, 2)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: LabelImbalanceDisplay.from_labels(Y, rare=-1), "rare=-1"),
        (
            lambda: LabelImbalanceDisplay.from_labels(Y, label_names=["a"]),
            "1 names for 3 labels",
        ),
        (
            lambda: ResamplingDisplay.from_labels(Y, Y[:, :2]),
            "y_after has 2 labels, but y_before has 3",
        ),
        (lambda: LabelCooccurrenceDisplay.from_labels(Y, labels=[3]), "below 3"),
        (
            lambda: LabelCooccurrenceDisplay.from_labels(Y, max_labels=1),
            "max_labels=1",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
