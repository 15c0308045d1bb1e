"""The splitters beside iterative-stratification and scikit-multilearn-ng.

Needs ``pip install skimbalance[bench]`` and the data sets in ``SKIMBALANCE_DATA``. What
was measured is kept in a folder of the system's temporary one, so an interrupted run
goes on where it was; delete the folder to measure anew. The peers take most of an hour
for the first half of the page: ``python stratification.py costs`` measures the second
half, on groups, speed and growth, and keeps the first.
"""

import functools
import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import scipy.sparse as sp
from _page import HERE, machine, seconds, table, write
from sklearn.model_selection import GroupKFold

from skimbalance.exceptions import UndefinedLabelWarning
from skimbalance.metrics import (
    empty_label_fold_count,
    label_distribution_distance,
    label_pair_distribution_distance,
)
from skimbalance.model_selection import (
    MultilabelStratifiedGroupKFold,
    MultilabelStratifiedKFold,
)

CACHE = Path(tempfile.gettempdir()) / "skimbalance-stratification"
DATA = Path(os.environ.get("SKIMBALANCE_DATA", HERE.parents[2] / "shared" / "data"))
SETS = """birds cal500 emotions scene yeast water_quality medical enron sider27 tox21
hmc_cellcycle_fun bibtex corel5k tmc2007_500 goemotions delicious go_vertebrate_bp"""
SETS = SETS.split()
FOLDS, SEEDS = (5, 10), range(5)
MANY_POSITIVES = 30_000  # From here on one seed, as a peer takes minutes for it.
PATIENCE, PATIENCE_OF_RACE = 200, 600
NOISE = 1e-12
PEERS = "iterstrat", "skml1", "skml2"
LABEL_WISE = "ours", "iterstrat", "skml1"
SHORT = "ours", "i-s", "s-m"


# ------------------------------------------------------------------------ the splitters


def ours(order=1, refine=True):
    """Return a function that splits with this library."""

    def split(Y, k, seed):
        cv = MultilabelStratifiedKFold(
            k, shuffle=True, random_state=seed, order=order, refine=refine
        )
        return [test for _, test in cv.split(None, Y)]

    return split


def iterative_stratification(Y, k, seed):
    """Split as iterative-stratification does, which takes dense arrays only."""
    from iterstrat.ml_stratifiers import MultilabelStratifiedKFold as TheirKFold

    cv = TheirKFold(k, shuffle=True, random_state=seed)
    Y = Y.toarray()
    return [test for _, test in cv.split(np.zeros(len(Y)), Y)]


def scikit_multilearn(order):
    """Return a function that splits as scikit-multilearn-ng does.

    It is seeded by the global generator: with its own `random_state` it permutes the
    rows, but not the indices that it returns.
    """

    def split(Y, k, seed):
        from skmultilearn.model_selection import IterativeStratification

        np.random.seed(seed)  # noqa: NPY002
        cv = IterativeStratification(n_splits=k, order=order)
        Y = Y.toarray()
        return [np.asarray(test) for _, test in cv.split(np.zeros(Y.shape), Y)]

    return split


SPLITTERS = {
    "ours": ours(),
    "ours, order=2": ours(order=2),
    "ours, refine=False": ours(refine=False),
    "iterstrat": iterative_stratification,
    "skml1": scikit_multilearn(1),
    "skml2": scikit_multilearn(2),
}


def check_peers():
    """Stop with a clear message where a peer is not installed."""
    try:
        import iterstrat  # noqa: F401
        import skmultilearn  # noqa: F401
    except ImportError as error:
        sys.exit(f"{error}. Install the peers: pip install 'skimbalance[bench]'")


# --------------------------------------------------------------------------- the labels


def real(name):
    """Return the positives of a data set."""
    sys.path.insert(0, str(DATA))
    from load import load

    return sp.csr_array(load(name)["Y"] == 1).astype(np.int8)


def made(n_samples, n_labels, per_row, ratio, seed=0):
    """Return labels whose frequencies fall geometrically, `ratio` from end to end."""
    rng = np.random.default_rng(seed)
    weight = np.geomspace(ratio, 1, n_labels)
    counts = rng.binomial(n_samples, np.minimum(weight * per_row / weight.sum(), 0.9))
    rows = [rng.choice(n_samples, count, replace=False) for count in counts]
    ends = np.concatenate([[0], counts.cumsum()]).astype(np.int32)
    ones = np.ones(ends[-1], dtype=np.int8)
    entries = ones, np.concatenate(rows).astype(np.int32), ends
    return sp.csc_array(entries, shape=(n_samples, n_labels)).tocsr()


LARGE = {
    "20,000 x 1,000, 5 a row": (20_000, 1_000, 5, 500),
    "20,000 x 1,000, 30 a row": (20_000, 1_000, 30, 500),
    "80,000 x 7,900, 120 a row": (80_000, 7_900, 120, 1_000),
    "80,000 x 7,900, 120 a row, all alike": (80_000, 7_900, 120, 1),
}


# ------------------------------------------------------------------------ measured once


def kept(name, measure):
    """Return what was measured under this name, or measure it now."""
    CACHE.mkdir(exist_ok=True)
    path = CACHE / f"{name}.json"
    if not path.exists():
        path.write_text(json.dumps(measure()))
    return json.loads(path.read_text())


def apart(*words, patience=PATIENCE):
    """Run this script for one measurement in a process of its own; None if too slow."""
    command = [sys.executable, __file__, *map(str, words)]
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, check=True, timeout=patience
        )
    except subprocess.TimeoutExpired:
        return None
    return json.loads(done.stdout.splitlines()[-1])


def part_path(*case):
    """Return where the part of each row is kept."""
    return CACHE / f"{'_'.join(map(str, case))}.npz"


def split_real(who, name, k, seed):
    """Split a data set, keep the part of each row, return the seconds."""
    Y = real(name)
    start = time.perf_counter()
    tests = SPLITTERS[who](Y, int(k), int(seed))
    elapsed = time.perf_counter() - start
    part = np.full(Y.shape[0], -1)
    for j, test in enumerate(tests):
        part[test] = j
    np.savez(part_path(who, name, k, seed), part=part)
    return elapsed


def race(name):
    """Time a large matrix with ours, with iterative-stratification, and ours again.

    Returns the seconds of both, and the memory that theirs took on top of the matrix.
    """
    Y = made(*LARGE[name])
    own = [seconds(lambda: SPLITTERS["ours"](Y, 5, 0)) for _ in range(3)]
    before = int(Path("/proc/self/statm").read_text().split()[1])
    theirs = seconds(lambda: iterative_stratification(Y, 5, 0))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    own += [seconds(lambda: SPLITTERS["ours"](Y, 5, 0)) for _ in range(3)]
    return statistics.median(own), theirs, peak - before * resource.getpagesize()


def own_peak(Y):
    """Return the memory that our split takes on top of the matrix."""
    tracemalloc.start()
    SPLITTERS["ours"](Y, 5, 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


# -------------------------------------------------------------------------------
# quality


def floor_distance(Y, k):
    """Return the label-distribution distance of the most even whole numbers."""
    n, total = Y.shape[0], Y.sum(axis=0)
    total = total[(total > 0) & (total < n)]
    least, odds = total // k, total / (n - total)
    more = total - least * k

    def distance(count):
        return np.abs(count / (n / k - count) - odds)

    return (((k - more) * distance(least) + more * distance(least + 1)) / k).mean()


def measures(who, name, k, seed):
    """Return the measures of one splitting, None if the splitter is too slow."""
    case = who, name, k, seed
    split = functools.partial(apart, "split") if who in PEERS else split_real
    if kept(f"split_{'_'.join(map(str, case))}", lambda: split(*case)) is None:
        return None
    Y, part = real(name), np.load(part_path(*case))["part"]
    splits = [((), np.flatnonzero(part == j)) for j in range(k)]
    return {
        "excess": label_distribution_distance(Y, splits) - floor_distance(Y, k),
        "pairs": label_pair_distribution_distance(Y, splits),
        "empty": empty_label_fold_count(Y, splits),
        "spread": int(np.ptp(np.bincount(part, minlength=k))),
    }


def seeds_of(name):
    """Return the seeds with which a set is split."""
    return SEEDS if real(name).nnz < MANY_POSITIVES else SEEDS[:1]


def summary(who, name, k):
    """Return the means over the seeds, None if the splitter is too slow."""
    runs = []
    for seed in seeds_of(name):
        key = f"measures_{who}_{name}_{k}_{seed}"
        runs.append(kept(key, lambda seed=seed: measures(who, name, k, seed)))
        if runs[-1] is None:
            return dict.fromkeys(("excess", "pairs", "empty", "spread"))
    return {
        "excess": statistics.mean(run["excess"] for run in runs),
        "pairs": statistics.mean(run["pairs"] for run in runs),
        "empty": sum(run["empty"] for run in runs),
        "spread": max(run["spread"] for run in runs),
    }


def all_summaries():
    """Return the summaries of every splitter by set and number of folds."""
    results = {}
    for name, k in itertools.product(SETS, FOLDS):
        results[name, k] = {who: summary(who, name, k) for who in SPLITTERS}
        print(name, k, flush=True)
    return results


def least_empty(name, k):
    """Return how many label-folds must be empty, over the seeds."""
    totals = real(name).sum(axis=0)
    return int(np.maximum(k - totals[totals > 0], 0).sum()) * len(seeds_of(name))


def verdict_on_labels(results):
    """Compare the excess with that of iterative-stratification."""
    pairs = [(r["ours"]["excess"], r["iterstrat"]["excess"]) for r in results.values()]
    ratios = [max(own / theirs, 0.01) for own, theirs in pairs if theirs > NOISE]
    mean = np.exp(np.mean(np.log(ratios)))
    above = sum(own > max(theirs, 0) + NOISE for own, theirs in pairs)
    return (
        f"The excess is **{mean:.3f}** times that of iterative-stratification, as the "
        f"geometric mean over the {len(ratios)} of {len(results)} cases where theirs "
        "is above 0 (a ratio below 0.01 counts as 0.01; the largest is "
        f"{max(ratios):.2f}). It is above theirs in {above} cases."
    )


def verdict_on_folds(results):
    """Describe the sizes of the folds, and how many label-folds are empty."""
    spread = max(result["ours"]["spread"] for result in results.values())
    emptier = sum(
        result["ours"]["empty"] > min(result[who]["empty"] for who in PEERS[:2])
        for result in results.values()
    )
    return (
        f"The folds differ by {spread} row at most. In {emptier} cases they have more "
        "empty label-folds, summed over the seeds, than one of the peers."
    )


def verdict_on_pairs(results):
    """Describe how often pairs are most even with ``order=2``."""
    best = [
        min(r[who]["pairs"] for who in PEERS if r[who]["pairs"] is not None)
        for r in results.values()
    ]
    own = [result["ours, order=2"]["pairs"] for result in results.values()]
    lower = sum(a < b for a, b in zip(own, best, strict=True))
    mean = np.exp(np.mean(np.log(np.divide(own, best))))
    return (
        f"With `order=2` the pair error is below that of every peer in {lower} of "
        f"{len(results)} cases, and {mean:.2f} times that of the best peer as the "
        "geometric mean."
    )


def shown(value, form="{:.2g}"):
    """Format a figure; a dash is what was too slow to measure."""
    if value is None:
        return "-"
    return form.format(0 if abs(value) < NOISE else value)


def label_table(results):
    """Return the excess, the empty label-folds and the range of sizes."""
    header = ["set, folds", "floor", "ours", "`refine=False`", "i-s", "s-m"]
    header += [f"{what}: {who}" for what in ("empty", "sizes") for who in SHORT]
    rows = []
    for (name, k), result in results.items():
        splitters = "ours", "ours, refine=False", *PEERS[:2]
        row = [f"{name}, {k}", shown(floor_distance(real(name), k))]
        row += [shown(result[who]["excess"]) for who in splitters]
        row += [result[who]["empty"] - least_empty(name, k) for who in LABEL_WISE]
        row += [result[who]["spread"] for who in LABEL_WISE]
        rows.append(row)
    return table(header, rows)


def pair_table(results):
    """Return the pair errors."""
    header = ["set, folds", "ours", "ours, `order=2`", "i-s", "s-m", "s-m, order 2"]
    splitters = "ours", "ours, order=2", *PEERS
    rows = [
        [f"{name}, {k}", *(shown(r[who]["pairs"], "{:.3g}") for who in splitters)]
        for (name, k), r in results.items()
    ]
    return table(header, rows)


# ------------------------------------------------------------------------------- groups


def made_groups(n_samples):
    """Yield 100 groups of much the same size, and 100 of very different ones."""
    rng = np.random.RandomState(0)
    yield "alike", rng.randint(100, size=n_samples)
    yield "skewed", rng.zipf(1.3, size=n_samples) % 100


def group_table():
    """Return label errors and sizes beside those of `GroupKFold`."""
    rows = []
    for name in ("birds", "enron", "yeast", "bibtex", "tmc2007_500"):
        Y = real(name)
        for kind, groups in made_groups(Y.shape[0]):
            row = [f"{name}, {kind}"]
            for cv in (MultilabelStratifiedGroupKFold(5), GroupKFold(5)):
                splits = list(cv.split(np.zeros(Y.shape[0]), Y, groups))
                sizes = [len(test) for _, test in splits]
                row += [shown(label_distribution_distance(Y, splits)), np.ptp(sizes)]
            rows.append(row)
    header = ["set, groups", "ours", "range of sizes", "`GroupKFold`", "range of sizes"]
    return table(header, rows)


# --------------------------------------------------------------------- speed and growth


def turns(Y):
    """Return the CPU seconds of a split, of one without refinement, and of `tocsc`.

    All use one thread; other processes would blow up the wall-clock time of the longer
    ones most. Medians of five turns.
    """
    functions = ours(), ours(refine=False)
    calls = [*(lambda split=split: split(Y, 5, 0) for split in functions), Y.tocsc]
    rounds = [[cpu_seconds(call) for call in calls] for _ in range(6)][1:]
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


def cpu_seconds(function):
    """Time one call by the processor's clock."""
    start = time.process_time()
    function()
    return time.process_time() - start


def speed_table():
    """Return seconds and memory beside iterative-stratification."""
    header = ["rows x labels", "ours, s", "`refine=False`, s", "in `tocsc`"]
    header += ["race: ours, s", "i-s, s", "times faster", "memory: ours", "i-s"]
    rows = []
    for name, shape in LARGE.items():
        raced, theirs, peak = kept(
            f"race_{name}".replace(" ", ""),
            lambda name=name: apart("race", name, patience=PATIENCE_OF_RACE),
        ) or (None, None, None)
        Y = made(*shape)
        own, plain, to_csc = turns(Y)
        size = Y.data.nbytes + Y.indices.nbytes + Y.indptr.nbytes
        row = [name, f"{own:.2f}", f"{plain:.2f}", f"{plain / to_csc:.1f}"]
        row += [shown(raced), shown(theirs, "{:.0f}")]
        row += [shown(theirs and theirs / raced, "**{:.0f}**")]
        row += [shown(own_peak(Y) / size), shown(peak and peak / size, "{:.0f}")]
        rows.append(row)
        print(row, flush=True)
    return table(header, rows)


def plot_growth():
    """Draw the time per positive from 1 to 16 million, and return it as a table."""
    n_positives, nanoseconds = [], []
    for millions in (1, 4, 16):
        Y = made(millions * 1_000_000 // 60, 2_000, 60, 500)
        n_positives.append(Y.nnz)
        nanoseconds.append([1e9 * each / Y.nnz for each in turns(Y)])
        print(n_positives[-1], nanoseconds[-1], flush=True)
    names = "ours", "ours, refine=False", "Y.tocsc()"
    figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
    for name, line in zip(names, zip(*nanoseconds, strict=True), strict=True):
        axes.plot(n_positives, line, marker="o", label=name)
    axes.set(xscale="log", xlabel="positives", ylabel="CPU nanoseconds per positive")
    axes.set_ylim(bottom=0)
    axes.legend()
    figure.savefig(HERE / "stratification_growth.png", dpi=120)
    rows = [
        [f"{n / 1e6:.1f} million", *(f"{each:.0f}" for each in line)]
        for n, line in zip(n_positives, nanoseconds, strict=True)
    ]
    return table(["positives", *(f"`{name}`, ns" for name in names)], rows)


# ----------------------------------------------------------------------------- the page


def quality(results):
    """Return the part of the page on labels and pairs."""
    return f"""# Stratification

`MultilabelStratifiedKFold` beside iterative-stratification (i-s) and
scikit-multilearn-ng (s-m), shuffled, means over {len(SEEDS)} seeds; sets of more than
{MANY_POSITIVES:,} positives are split with one. The latter peer is seeded through
NumPy's global generator: with its own `random_state` it permutes the rows, but not the
indices that it returns.

## Labels

The *floor* of the label-distribution distance is where each label's positives are
spread as evenly as whole numbers allow, over folds of equal size. The table has what is
above it; where the rows cannot be divided equally, a value can fall a hair below 0.
*Empty* counts, summed over the seeds, the label-folds without a positive beyond those
that are bound to be empty; *sizes* is the difference between the largest and the
smallest fold.

* {verdict_on_labels(results)}
* {verdict_on_folds(results)}

{label_table(results)}

## Pairs of labels

The label-pair distribution distance. A dash stands where a peer was given up, after
{PATIENCE} seconds.

* {verdict_on_pairs(results)}

{pair_table(results)}
"""


def costs():
    """Return the part of the page on groups, speed and growth."""
    return f"""## Groups

Label-distribution distance over 5 folds of 100 groups, of much the same size or of very
different ones. The largest of the latter exceeds a fold, so that the sizes cannot be
equal.

{group_table()}

## Speed and memory

5 folds; the frequencies of the labels fall geometrically, 500 or 1,000 to 1, or are all
alike. The first three columns are CPU seconds, medians of five turns. In the race, one
process splits three times with ours, once with i-s, and three times with ours again, by
the wall clock; a dash stands where that took longer than {PATIENCE_OF_RACE} seconds.
Memory is the peak on top of the input, as multiples of the CSR matrix (int32 indices,
int8 values); i-s takes a dense matrix, which is part of it.

{speed_table()}

## Growth

CPU time per positive, 60 a row over 2,000 labels.

{plot_growth()}

![Time per positive](stratification_growth.png)
"""


def main(*parts):
    """Measure all, or the costs alone, and write the page."""
    check_peers()
    if parts == ("costs",):
        written = (HERE / "stratification.md").read_text()
        first = written[: written.index("## Groups")]
    else:
        first = quality(all_summaries()) + "\n"
    write("stratification", "\n".join([first + costs(), machine()]))


if __name__ == "__main__":
    warnings.simplefilter("ignore", UndefinedLabelWarning)
    if sys.argv[1:2] in (["split"], ["race"]):
        measurement = {"split": split_real, "race": race}[sys.argv[1]]
        print(json.dumps(measurement(*sys.argv[2:])))
    else:
        main(*sys.argv[1:])
