"""Copy what ImbalancedMLPClassifier shares with ImbalancedNetClassifier.

The parameters of the two differ in the module only. Each is documented and listed once,
in ImbalancedNetClassifier; this script copies the rest of the docstring and of
`__init__` into the source of ImbalancedMLPClassifier, where editors read it:

    python tools/copy_parameters.py

A test fails where the two have drifted apart.
"""

from pathlib import Path

PATH = Path(__file__).parents[1] / "skimbalance/neural_network/_estimators.py"
CLASS = "class ImbalancedMLPClassifier("
# Where each shared part starts and what comes after it, in both classes.
PARTS = [
    ("    loss : ", "    See Also\n"),
    ("        loss=", "    ):\n"),
    ("        self.loss = ", "\n\n"),
]


def _find(text, start, stop):
    """Return where a shared part starts and where it ends."""
    first = text.index(start)
    end = text.find(stop, first)
    return first, len(text.rstrip()) if end < 0 else end


def render(source):
    """Return the source, with the shared parts copied from the first class."""
    place = source.index(CLASS)
    net, mlp = source[:place], source[place:]
    for start, stop in PARTS:
        shared = net[slice(*_find(net, start, stop))]
        first, last = _find(mlp, start, stop)
        mlp = mlp[:first] + shared + mlp[last:]
    return net + mlp


if __name__ == "__main__":
    PATH.write_text(render(PATH.read_text()))
