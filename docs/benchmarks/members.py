"""The time of several nets trained together, against one net and one by one.

And of five nets that hold out folds, against a loop of batched products in torch.
"""

from itertools import pairwise

import numpy as np
import torch
from _page import in_turns, machine, table, write
from torch.nn.functional import binary_cross_entropy_with_logits, dropout

from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.neural_network import ImbalancedMLPClassifier

EPOCHS = 3
MEMBERS = (2, 4, 8, 16)
# Sizes of the five nets with folds.
N_FOLDS, N_FEATURES, N_LABELS, BATCH, N_ROWS = 5, 300, 27, 256, 6400
FOLD_EPOCHS = 12


def train(X, Y, n_members):
    """Fit a 100-100-14 net on batches of 128."""
    ImbalancedMLPClassifier(
        (100,),
        n_members=n_members,
        max_epochs=EPOCHS,
        batch_size=128,
        early_stopping=False,
        standardize=True,
        random_state=0,
    ).fit(X, Y)


def folds_problem():
    """Draw the rows on which nets hold out folds."""
    X, Y = make_imbalanced_multilabel(
        N_ROWS, N_FEATURES, N_LABELS, cardinality=2.0, imbalance_ratio=10
    )
    return X.astype(np.float32), Y


def train_folds(X, Y, epochs):
    """Fit five nets on scaled inputs of one width with the products below."""
    ImbalancedMLPClassifier(
        batch_size=BATCH,
        max_epochs=epochs,
        n_iter_no_change=epochs,
        standardize=True,
        random_state=0,
    ).fit(X, Y)


def loop_of_products(X, Y, epochs):
    """Train five masked nets by `baddbmm`, and score each fold by its net."""
    x, y = torch.as_tensor(X), torch.as_tensor(Y, dtype=torch.float32)
    fold = torch.arange(len(x)) % N_FOLDS
    sizes = (N_FEATURES, 512, 256, N_LABELS)
    weights = [
        torch.empty(N_FOLDS, a, b).uniform_(-(a**-0.5), a**-0.5).requires_grad_()
        for a, b in pairwise(sizes)
    ]
    biases = [torch.zeros(N_FOLDS, 1, b, requires_grad=True) for b in sizes[1:]]
    optimizer = torch.optim.AdamW([*weights, *biases], weight_decay=0.01, fused=True)

    def scores(x, chosen=slice(None), rate=0.0):
        out = x.expand(len(weights[0][chosen]), *x.shape)
        for layer, (w, b) in enumerate(zip(weights, biases, strict=True)):
            out = torch.baddbmm(b[chosen], out, w[chosen])
            if layer < 2:
                out = dropout(out.relu(), rate, training=rate > 0)
        return out

    for _ in range(epochs):
        order = torch.randperm(len(x))
        for start in range(0, len(x), BATCH):
            rows = order[start : start + BATCH]
            out, target = scores(x[rows], rate=0.5), y[rows]
            loss = binary_cross_entropy_with_logits(
                out, target.expand_as(out), reduction="none"
            )
            mask = (fold[rows] != torch.arange(N_FOLDS)[:, None]).float()
            optimizer.zero_grad(set_to_none=True)
            (loss.mean(2) * mask / mask.sum(1, keepdim=True)).sum().backward()
            optimizer.step()
        with torch.no_grad():
            for k in range(N_FOLDS):
                scores(x[fold == k], slice(k, k + 1))


def folds_ratio():
    """Return the seconds of an epoch with folds, ours and the loop's.

    Of a difference in epochs, as a `fit` also splits the rows and calibrates.
    """
    problem = folds_problem()
    tasks = [
        lambda train=train, n=n: train(*problem, n)
        for train in (train_folds, loop_of_products)
        for n in (FOLD_EPOCHS, 2)
    ]
    ours, ours_start, loop, loop_start = in_turns(tasks)
    return [t / (FOLD_EPOCHS - 2) for t in (ours - ours_start, loop - loop_start)]


def main():
    """Measure and write the page."""
    X, Y = make_imbalanced_multilabel(
        20_000, 100, 14, cardinality=2.0, imbalance_ratio=10, random_state=0
    )
    tasks = [lambda n=n: train(X, Y, n) for n in (1, *MEMBERS)]
    one, *several = in_turns(tasks)
    rows = [[1, f"{one / EPOCHS:.2f}", "1.00", "1.00"]]
    rows += [
        [n, f"{time / EPOCHS:.2f}", f"**{time / one:.2f}**", f"{n * one / time:.2f}"]
        for n, time in zip(MEMBERS, several, strict=True)
    ]
    header = ["members", "s/epoch", "times one net", "gain over one by one"]
    torch.set_num_threads(1)
    ours, loop = folds_ratio()
    write(
        "members",
        f"""# Many nets trained together

`n_members=K` stacks the weights of K nets, so that each layer is one batched matrix
product. 20,000 rows of 100 features, one hidden layer of 100 units, 14 labels, batches
of 128, no early stopping; `fit` from start to end.

{table(header, rows)}

## Five nets that hold out folds

{N_ROWS:,} rows of {N_FEATURES} features, {N_LABELS} labels, hidden layers of 512 and
256 units, dropout, batches of {BATCH}, one thread. An epoch, with the scoring of each
fold by the net that holds it out, takes {ours:.2f} s; a loop of `torch.baddbmm` with
the same masks, dropout and optimizer takes {loop:.2f} s. The ratio is
**{ours / loop:.2f}**; ours also computes the average precision of the epoch.

[](gpu.md) has the times on a CUDA device.

{machine()}
""",
    )


if __name__ == "__main__":
    main()
