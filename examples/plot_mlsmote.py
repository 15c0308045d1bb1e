"""
Where does MLSMOTE put the new rows of a rare label?
====================================================

`MLSMOTE` takes each row of a rare label as a seed, draws one of its nearest neighbours
among the rows of the same label, and puts a new row between both. In two columns all of
this can be seen, and since the data are generated, so can be whether the label is
likely where the new rows are.
"""

import matplotlib.pyplot as plt
import numpy as np

from skimbalance.metrics import imbalance_ratio_per_label
from skimbalance.over_sampling import MLSMOTE

CENTERS, RADII = np.array([[-1.5, 1.3], [1.7, -1.2]]), np.array([0.6, 0.25])
NAMES = ["frequent", "medium", "rare"]


def probability_of_rare(X):
    """Return how likely the rare label is: around two centres, and nowhere else."""
    distances = np.linalg.norm(X[:, None] - CENTERS, axis=2)
    return 0.9 * np.exp(-((distances / RADII) ** 4)).max(axis=1)


rng = np.random.default_rng(1)
X = rng.uniform(-3, 3, size=(700, 2))
Y = np.column_stack(
    [
        X[:, 0] + rng.normal(scale=0.5, size=len(X)) > -1.8,
        X[:, 1] + rng.normal(scale=0.5, size=len(X)) > 1,
        rng.uniform(size=len(X)) < probability_of_rare(X),
    ]
).astype(int)
ratios = imbalance_ratio_per_label(Y)
for name, count, ratio in zip(NAMES, Y.sum(axis=0), ratios, strict=True):
    print(f"{name:9}{count:5} positives, imbalance ratio {ratio:5.1f}")

# %%
# Only "rare" has a ratio above the mean, so each of its rows is a seed once. The new
# rows follow those of the input, in the order of the seeds. What is drawn differs, so
# the means are over 50 random states.

seeds = np.flatnonzero(Y[:, 2])
rare = X[seeds]
is_small = np.linalg.norm(rare - CENTERS[1], axis=1) < 1
new_rows = {}
for k in (5, 2):
    drawn = [
        MLSMOTE(k_neighbors=k, random_state=state).fit_resample(X, Y)[0][len(X) :]
        for state in range(50)
    ]
    new_rows[k] = np.stack(drawn)
print(f"{len(seeds)} seeds, {is_small.sum()} of them in the small group")

print(f"{'':24}{'P(rare), mean':>15}{'P(rare) < 0.1':>15}{'small group':>15}")
for name, rows in (
    ("real rows", rare[None]),
    *((f"new rows, {k} neighbours", rows) for k, rows in new_rows.items()),
):
    chance = probability_of_rare(rows.reshape(-1, 2)).reshape(rows.shape[:2])
    unlikely = chance < 0.1
    figures = chance.mean(), unlikely.mean(), unlikely[:, is_small].mean()
    print(f"{name:24}" + "".join(f"{value:15.2f}" for value in figures))

# %%
# The seed of the first picture is the real row that is nearest to the centre of the
# small group. The new rows are those of five random states.

seed = np.linalg.norm(rare - CENTERS[1], axis=1).argmin()
order = np.linalg.norm(rare - rare[seed], axis=1).argsort()[1:6]

figure, axes = plt.subplots(1, 3, figsize=(12, 4.2), layout="constrained")
grid = np.linspace(-3, 3, 121)
mesh = np.stack(np.meshgrid(grid, grid), axis=-1)
likely = probability_of_rare(mesh.reshape(-1, 2)).reshape(121, 121)
for axis in axes:
    axis.contourf(grid, grid, likely, [0.1, 0.5, 1], colors=["0.92", "0.82"])
    axis.scatter(*X.T, s=4, color="0.6", label="other real rows")
    axis.scatter(*rare.T, s=28, color="C0", label="real rows of the label")
    axis.set(xticks=[], yticks=[], aspect="equal", xlim=(-3, 3), ylim=(-3, 3))

for neighbor in rare[order]:
    axes[0].plot(*np.stack([rare[seed], neighbor]).T, color="C1", lw=1)
axes[0].scatter(*rare[order].T, s=28, color="C1", label="5 neighbours of the seed")
axes[0].scatter(*rare[seed], s=90, marker="*", color="C3", label="a seed", zorder=3)
axes[0].set_title("Neighbours are rows of the label")
for axis, (k, rows) in zip(axes[1:], new_rows.items(), strict=True):
    axis.scatter(
        *rows[:5].reshape(-1, 2).T, s=24, marker="x", color="C3", label="new rows"
    )
    axis.set_title(f"New rows, {k} neighbours")
handles = {}
for axis in axes:
    found, titles = axis.get_legend_handles_labels()
    handles |= dict(zip(titles, found, strict=True))
figure.legend(handles.values(), handles, loc="outside lower center", ncols=5)
plt.show()

# %%
# Conclusion
# ----------
#
# MLSMOTE fills the space between the rows that a label already has. In the large group
# that is where the label is likely: the new rows have a mean probability of 0.68, real
# ones of 0.65. The small group has 4 rows, fewer than 5 neighbours, so some partners
# lie in the other group, and 47 % of the new rows of its seeds lie where the label is
# as good as impossible. With 2 neighbours none does. Keep `k_neighbors` below the
# number of rows of the smallest group that you expect. No neighbour adds what a rare
# label lacks, which is rows from where it has not been seen yet.
