"""Write losses.md: prose from here, tables from the registry and the docstrings."""

import inspect
import re
from pathlib import Path

from skimbalance._labels import (
    MULTICLASS,
    MULTILABEL,
)
from skimbalance.losses import LOSSES

HERE = Path(__file__).resolve().parent
COST = HERE.parent / "benchmarks" / "loss_cost.md"
HEADER = ("`loss=`", "what it is", "inverse", "when to use it", "cost")


def paragraph(doc, title):
    """Return the paragraph of a docstring that begins with a title."""
    found = re.search(rf"\n{title}: (.*?)(?:\n\n|\Z)", doc, re.S)
    return found.group(1)


def formula(doc):
    """Return the summary, with the next paragraph where it holds no formula."""
    summary, details = doc.split("\n\n")[:2]
    return summary if "``" in summary else f"{summary} {details}"


def plain(text):
    """Put reStructuredText on one Markdown line, without references."""
    text = re.sub(r" \[\d\]_", "", " ".join(text.split()))
    return text.replace("``", "`").replace("|", "\\|").rstrip(".")


def costs():
    """Return the eager cost of each loss as measured with several threads."""
    page = COST.read_text().partition(f"\n{threads()} threads;")[2]
    return dict(re.findall(r"^\| `(\w+)` \| \*\*(.*?)\*\*", page, re.M))


def threads():
    """Return the number of threads of the second table of costs."""
    return re.search(r"^(\d+) threads;", COST.read_text(), re.M).group(1)


def table(kind):
    """Return the table of all losses for a kind of target."""
    names = {}
    for (name, other), loss in LOSSES.items():
        if other == kind:
            names.setdefault(loss, []).append(name)
    cost = costs() if kind == MULTILABEL else {}
    lines = [HEADER, ["---"] * len(HEADER)]
    for loss, called in names.items():
        doc = inspect.getdoc(loss)
        parts = [
            formula(doc),
            paragraph(doc, "Inverse"),
            paragraph(doc, "When to use it"),
        ]
        shown = " ".join(f"`{name}`" for name in called)
        lines.append([shown, *map(plain, parts), cost.get(called[0], "")])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


PAGE = """<!-- written by losses.py; do not edit -->
# Which loss?

Plain log loss, first. A loss determines what the net attends to, not what its
probabilities mean: every loss below gives calibrated probabilities, by its inverse or
by a calibration on held-out rows. So a loss is one more parameter of a search:

```python
from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.neural_network import ImbalancedMLPClassifier

X, Y = make_imbalanced_multilabel(1000, n_labels=5, random_state=0)
grid = {{"loss": ["log_loss", "focal", "asymmetric"], "pos_weight": [None, "sqrt"]}}
```

`loss_params={{"gamma": 3.0}}` or `loss__gamma=3.0` reaches the parameters of a loss
given by name; an object, `loss=FocalLoss(3.0)`, does as well. A name means the loss for
the kind of target: `"focal"` is the softmax focal loss for a multiclass `y`.

## Labels: binary and multilabel

`z` is the score, `s` its sigmoid, `LS` the log of the sigmoid, `l+` and `l-` the loss
of a positive and of a negative label. *Cost* is forward and backward over the time of
torch's binary cross-entropy, both with {threads} threads ([how it was measured, and
with one thread](../benchmarks/loss_cost.md)).

{labels}

What the inverse is worth, in log-loss, and what each loss does to the ranking:
[calibration of every loss](../benchmarks/corrected_losses.md).

## Classes: multiclass

`p` is the softmax of the scores, `y` the true class, `pi` the base rates.

{classes}

## What is not in the tables

**Class-balanced loss** (effective number of samples) is a `pos_weight`, not a loss:
`pos_weight="effective_number"` goes with every loss above that is a sum over labels.

**Logit adjustment for labels** would add `log(pi / (1 - pi))` to each score. A net has
that bias anyway, so it trains nothing new and ranks alike; what it changes is the
threshold, to the prior. With calibrated probabilities that is a rule: label k is
predicted where its probability exceeds its own base rate.

```python
net = ImbalancedMLPClassifier(max_epochs=5).fit(X, Y)
at_the_prior = net.set_params(threshold=net.prior_).predict(X)
```

**A cost of each wrong prediction** is no loss either. Train log loss and predict the
class of least expected cost; `SoftTargetLoss` is for labels that are confused when they
are recorded.

**Hard negatives** are in the table, but on none of the sets we measured do they rank
better than plain log loss by more than the spread between sets: with a bias that starts
at the base rate, easy negatives hardly drown anything.

**Random negatives** for very many labels are not here: a loss saves nothing unless it
leaves out the columns that it does not draw, and those lie in the module. [What that
would save](../benchmarks/loss_cost.md#random-negatives) is measured.

## More epochs for some

A step of the score is not the same step of the log-odds: a focal loss multiplies it by
about `gamma + 1`, an asymmetric one with its defaults by 3.5 where the probability is
0.1, and by 5 where it is 0.001. So does the noise of the random weights that a net
starts with, and it takes longer to unlearn: in ten epochs of [the seed
problem](../benchmarks/seed_problem.md) the macro AP is 0.143 with the focal loss, 0.109
with the asymmetric one and 0.152 with log loss.

## Label smoothing

`label_smoothing=0.05` goes with every loss but those of whole rows: the targets move to
`(1 - e) y + e pi`, towards the base rate of their label or class and not towards 1/2,
which would make a label of 1 % one of 3 %. The probabilities are moved back.

## Weights of four classes

198, 436, 710 and 272 rows. Weights that make the classes count alike are
`n / (4 n_k)`:

```pycon
>>> import numpy as np
>>> from skimbalance.weights import compute_pos_weight
>>> y = np.repeat([0, 1, 2, 3], [198, 436, 710, 272])
>>> compute_pos_weight(y).round(2)
array([2.04, 0.93, 0.57, 1.49])

```

The frequencies themselves, 0.12, 0.27, 0.44, 0.17, are upside down: they weigh up the
largest class, which has the most say already. Torch's `CrossEntropyLoss(weight=w)`
divides each batch by the weights that it happens to hold. Here the divisor is the same
for all batches of a size: with `pos_weight`, the number of rows; with `class_weight`
and `sample_weight`, the number of rows times the mean weight of the training rows. So
`pos_weight` five times as large makes the loss five times as large, while
`class_weight` five times as large trains the same net.

As `pos_weight` these weights shape the training and are corrected: the probabilities
are those of the 1,616 rows. As `class_weight` they mean that the classes *are* equally
frequent where the net will be used, and nothing is corrected. `compute_class_weight`
returns the dict, normalised to sum 1 or to the number of classes if asked:

```pycon
>>> from skimbalance.weights import compute_class_weight
>>> weight = compute_class_weight(y, "balanced", normalize="sum")
>>> {{k: round(w, 2) for k, w in weight.items()}}
{{0: 0.41, 1: 0.18, 2: 0.11, 3: 0.3}}

```

## A loss of your own

A function of scores and targets that gives the loss of each entry is enough:

```python
def squared_error(scores, targets):
    return (scores.sigmoid() - targets) ** 2


net = ImbalancedMLPClassifier(loss=squared_error, pos_weight="sqrt", max_epochs=5)
proba = net.fit(X, Y).predict_proba(X)
```

So is a torch loss with `reduction="none"` that takes raw scores. It is checked before
training on a small batch: the output has the shape of the scores, is finite and has a
gradient, and an entry moves its own output alone. A class derived from `PointwiseLoss`,
`SoftmaxLoss` or `SetLoss` gives parameters to search over.

## Which losses have an inverse

The inverse comes from the derivatives of the loss, or from a closed form that is
compared with them. Each loss is checked, built in or your own, with its parameters, the
label counts and `pos_weight`; `loss.link(pos_weight).problem` is the result. The map
from scores to log-odds must increase, and each probability from `0.5 / (n + 1)` to `1 -
0.5 / (n + 1)` must have a score of its own between -100 and 100, n being the number of
rows; where such a score is beyond 20, the map must be a straight line there. Squared
and generalized cross-entropies have an inverse, a squared hinge as well; a hinge, the
absolute error and the Hill loss have none, and an asymmetric loss has none with
`gamma_positive=0` and a margin (it stops at 0.9637) or with `gamma_negative=0` and a
margin (it jumps).

What fails is calibrated on held-out rows, with one `CalibrationWarning` that gives the
reason; `correct_probabilities="exact"` is then refused, and so is a fit that holds no
rows out.

## Losses without an inverse

Mined, distribution-balanced and set-level losses, and those that fail the check, are
calibrated on the held-out rows: a slope and an intercept for each label, drawn towards
those of all labels where it has few positives (`LabelCalibrator`); LDAM by a
temperature and an intercept for each class. If nothing was held out (up to 100 rows,
`early_stopping=False`, `partial_fit`), `predict_proba` and `decision_function` of the
built-in ones do not exist. scikit-learn's `available_if` makes the error, an
`AttributeError` that names the method only; the reason is its cause, which a traceback
shows above it, and code finds as `error.__cause__`. `predict` has its threshold at a
raw score of 0.

## Where copied code differs

- The focal factor is `(1 - p_t)^gamma`, `p_t` being the probability of what is true. A
  widely copied version has `(1 - p)^gamma` for both signs, and keeps 98 % of the loss
  of an easy negative at p = 0.01 instead of 0.01 %.
- `p_t` comes from the unweighted cross-entropy; `exp(-weighted loss)` is none.
- torchvision's `alpha=0.25` weighs positives *down*, to 1/3 of the negatives.
- `log(sigmoid(z).clamp(1e-8))` stops learning at z = -20, where it is needed most.
- The distribution-balanced weights are 0/0 on a row without positives; here r is 0.
- The shift of the distribution-balanced loss is `kappa * log(1 / p - 1)` in the paper
  and here; the authors' code divides it by lambda once more, so that its `init_bias` is
  `kappa * negative_scale` here.
- The asymmetric loss of the authors' code can take the focusing factors as constants
  (`disable_torch_grad_focal_loss`), which is `AsymmetricLoss(detach_modulator=True)`.
"""


def main():
    """Write the page beside this script."""
    tables = {"labels": table(MULTILABEL), "classes": table(MULTICLASS)}
    page = PAGE.format(**tables, threads=threads())
    (HERE / "losses.md").write_text(page)


if __name__ == "__main__":
    main()
