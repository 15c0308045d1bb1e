"""CSR inputs through the first layer, against densifying each batch."""

import numpy as np
import scipy.sparse as sp
from _page import in_turns, machine, table, write

from skimbalance.neural_network import ImbalancedNetClassifier

N_ROWS, N_LABELS, BATCH, EPOCHS = 2560, 100, 256, 1


def problem(n_features, n_stored):
    """Draw rows with a fixed number of stored values and labels."""
    rng = np.random.default_rng(0)
    indices = rng.integers(0, n_features, (N_ROWS, n_stored)).ravel()
    indptr = np.arange(0, len(indices) + 1, n_stored)
    X = sp.csr_array(
        (np.ones(len(indices), dtype=np.float32), indices.astype(np.int32), indptr),
        shape=(N_ROWS, n_features),
    )
    X.sum_duplicates()
    drawn = rng.random((N_ROWS, N_LABELS)) < 0.02
    drawn[:2] = np.eye(2, dtype=bool)[:, [0]]
    return X, sp.csr_array(drawn.astype(np.int8))


def fit(X, Y, sparse_input):
    """Train with one first layer or the other; everything else is the same."""
    ImbalancedNetClassifier(
        module_params={"dropout": 0.0, "sparse_input": sparse_input},
        max_epochs=EPOCHS,
        batch_size=BATCH,
        precision="32",
        early_stopping=False,
        standardize=True,
        random_state=0,
    ).fit(X, Y)


def measure(n_features, n_stored):
    """Return one line of the table."""
    X, Y = problem(n_features, n_stored)
    sparse, dense = in_turns(
        [lambda: fit(X, Y, True), lambda: fit(X, Y, False)], repeats=3
    )
    line = [f"{n_features:,}", n_stored, f"{dense:.2f}", f"{sparse:.2f}"]
    print(line, flush=True)
    return [*line, f"**{dense / sparse:.1f}**"]


def main():
    """Measure and write the page."""
    cases = (2_000, 10), (2_000, 75), (10_000, 75), (47_000, 75)
    rows = [measure(*case) for case in cases]
    header = ["features", "values a row", "dense, s", "sparse, s", "times faster"]
    write(
        "sparse_input",
        f"""# Sparse inputs

`fit` for {EPOCHS} epoch of {N_ROWS:,} CSR rows, {N_LABELS} labels, batches of {BATCH},
hidden layers of 512 and 256. Both sides read the same CSR matrix with the same fused
AdamW; one passes the batches to a `SparseLinear`, the other makes each batch dense.

{table(header, rows)}

The gradient of the first weight is dense on both sides: a sparse gradient would need
another optimizer, which does not update the moments of columns without stored values in
a batch, and would give another result. The remaining time at 47,000 features is that of
the optimizer, which updates all weights.

The estimator chooses the sparse path where at most 4 % of the values are stored; above,
the dense product is faster.

{machine()}
""",
    )


if __name__ == "__main__":
    main()
