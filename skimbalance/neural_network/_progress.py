"""What a user who asked for it sees of a running training."""

import datetime
import sys

from skorch.callbacks import Callback
from tqdm import tqdm

_SHOWN = "train_loss", "valid_loss", "valid_score"


def _figures(row):
    return {key: f"{row[key]:.4f}" for key in _SHOWN if key in row}


class Progress(Callback):
    """Show loss, score and time left: a bar on a terminal, a line an epoch elsewhere.

    Silent unless the net's `verbose` is set.
    """

    bar = None

    def on_train_begin(self, net, **kwargs):  # noqa: ARG002
        if net.verbose and sys.stdout.isatty():
            self.bar = tqdm(
                total=net.last_epoch_,
                initial=len(net.history),
                unit="epoch",
                file=sys.stdout,
                dynamic_ncols=True,
            )

    def on_epoch_end(self, net, **kwargs):  # noqa: ARG002
        if self.bar is not None:
            self.bar.set_postfix(_figures(net.history[-1]), refresh=False)
            self.bar.update()
        elif net.verbose:
            sys.stdout.write(_line(net.history, net.last_epoch_))
            sys.stdout.flush()

    def on_train_end(self, net, **kwargs):  # noqa: ARG002
        if self.bar is not None:
            self.bar.close()
            self.bar = None


def _line(history, last_epoch):
    row, epoch = history[-1], len(history)
    figures = "  ".join(f"{key} {value}" for key, value in _figures(row).items())
    seconds = [past["dur"] for past in history if "dur" in past]
    left = sum(seconds) / len(seconds) * (last_epoch - epoch)
    left = datetime.timedelta(seconds=round(left))
    return f"epoch {epoch}/{last_epoch}  {figures}  {row['dur']:.1f} s  {left} left\n"
