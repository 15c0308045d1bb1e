"""The order of the gallery."""

from pathlib import Path


class GalleryOrder:
    """Sort examples by their place in `GALLERY` of the configuration."""

    def __init__(self, src_dir):
        self.src_dir = src_dir

    def __call__(self, filename):
        """Return the place of an example; one that is not listed comes last."""
        name = Path(filename).stem
        return (GALLERY.index(name) if name in GALLERY else len(GALLERY), name)


# Reading order: the quick start, the questions of the README, then one topic each.
GALLERY = [
    "plot_quickstart",
    "plot_many_labels",
    "plot_overprediction",
    "plot_pos_weight_power",
    "plot_label_weights",
    "plot_four_classes",
    "plot_rare_binary",
    "plot_training_loop",
    "plot_reliability",
    "plot_thresholds",
    "plot_folds",
    "plot_mlsmote",
    "plot_batches",
    "plot_missing_labels",
    "plot_text",
    "plot_images",
    "plot_fine_tuning",
]
