"""Our training against a hand-written torch loop: the same steps, timed in turns."""

import torch
from _page import in_turns, machine, table, write
from torch.nn.functional import binary_cross_entropy_with_logits

from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.modules import MLP
from skimbalance.neural_network import ImbalancedNetClassifier

EPOCHS = 3


def plain_loop(X, Y, batch_size, hidden):
    """Train as a tutorial does: no validation, no reading of the loss."""
    X, Y = torch.from_numpy(X), torch.from_numpy(Y).float()
    module = MLP(X.shape[1], Y.shape[1], hidden)
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3, fused=True)
    for _ in range(EPOCHS):
        order = torch.randperm(len(X))
        for start in range(0, len(X), batch_size):
            rows = order[start : start + batch_size]
            optimizer.zero_grad(set_to_none=True)
            loss = binary_cross_entropy_with_logits(module(X[rows]), Y[rows])
            loss.backward()
            optimizer.step()


def ours(X, Y, batch_size, hidden):
    """Train the estimator for as many epochs on the same batches."""
    ImbalancedNetClassifier(
        module_params={"hidden_layer_sizes": hidden, "dropout": 0.0},
        standardize=False,
        max_epochs=EPOCHS,
        batch_size=batch_size,
        early_stopping=False,
        random_state=0,
    ).fit(X, Y)


def main():
    """Measure every size and write the page."""
    rows = []
    for n_labels in (14, 1000):
        X, Y = make_imbalanced_multilabel(
            20_000, 100, n_labels, cardinality=2.0, random_state=0
        )
        for hidden in ((100,), (512, 256)):
            for batch_size in (128, 256):
                case = X, Y, batch_size, hidden
                plain, own = in_turns(
                    [lambda case=case: plain_loop(*case), lambda case=case: ours(*case)]
                )
                rows.append(
                    [
                        n_labels,
                        "-".join(map(str, hidden)),
                        batch_size,
                        f"{plain / EPOCHS:.2f}",
                        f"{own / EPOCHS:.2f}",
                        f"**{own / plain:.2f}**",
                    ]
                )
                print(rows[-1], flush=True)
    header = [
        "labels",
        "hidden",
        "batch",
        "plain loop, s/epoch",
        "`fit`, s/epoch",
        "ratio",
    ]
    write(
        "throughput",
        f"""# Throughput

`fit` without early stopping against a hand-written torch loop (`randperm`, index, step;
no validation, no `.item()`): 20,000 rows of 100 features, the same module, optimiser,
batch size and number of epochs. `fit` includes its checks, the label counts and the
history.

{table(header, rows)}

{machine()}
""",
    )


if __name__ == "__main__":
    main()
