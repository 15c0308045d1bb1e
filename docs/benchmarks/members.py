"""The time of several nets trained together, against one net and one by one."""

from _page import in_turns, machine, table, write

from skimbalance.datasets import make_imbalanced_multilabel
from skimbalance.neural_network import ImbalancedMLPClassifier

EPOCHS = 3
MEMBERS = (2, 4, 8, 16)


def train(X, Y, n_members):
    """Fit a 100-100-14 net on batches of 128."""
    ImbalancedMLPClassifier(
        (100,),
        n_members=n_members,
        max_epochs=EPOCHS,
        batch_size=128,
        early_stopping=False,
        random_state=0,
    ).fit(X, Y)


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
    write(
        "members",
        f"""# Many nets trained together

`n_members=K` stacks the weights of K nets, so that each layer is one batched matrix
product. 20,000 rows of 100 features, one hidden layer of 100 units, 14 labels, batches
of 128, no early stopping; `fit` from start to end.

{table(header, rows)}

[](gpu.md) has the times on a CUDA device.

{machine()}
""",
    )


if __name__ == "__main__":
    main()
