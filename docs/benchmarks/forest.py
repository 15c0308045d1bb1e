"""The untuned net against random forests and other classifiers, as a resumable study.

    python docs/benchmarks/forest.py --minutes 60

computes the cells (set, repeat, method, seed) that the results file lacks, most useful
first, and writes the page from the file; without ``--minutes`` it writes the page only.
Each cell runs in a process of its own, which is ended at the limit.
"""

import argparse
import functools
import json
import multiprocessing
import os
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from _forest_methods import METHODS, build, label_probabilities
from _forest_page import page
from _forest_statistics import class_measures, clip, measures, prediction_measures
from _page import HERE, load, write
from sklearn.model_selection import StratifiedKFold

from skimbalance.model_selection import (
    MultilabelStratifiedKFold,
    MultilabelStratifiedShuffleSplit,
)

N_REPEATS = 10
N_FOLDS = 5  # of single-label sets
N_INNER = 3  # folds inside the training part, which pick a peer
N_SEEDS = 3  # of ours, where there is one split
# Kind of each set, cheapest first. "labels" are under 5,000 rows, with ten repeated
# splits; "large" ones have their published split, or one 70/30 split.
SETS = {
    **dict.fromkeys(
        ("emotions", "birds", "water_quality", "medical", "cal500", "yeast", "scene"),
        "labels",
    ),
    **dict.fromkeys(("sider27", "enron", "hmc_cellcycle_fun"), "labels"),
    **dict.fromkeys(
        ("mc_glass", "mc_ecoli", "zen_oil", "mc_yeast", "mc_wine_quality_red"),
        "classes",
    ),
    **dict.fromkeys(("zen_abalone_19", "mc_page_blocks", "zen_mammography"), "classes"),
    "corel5k": "large",
    "embeddings": "embeddings",
    "bibtex": "large",
    "tox21": "large",
    "tmc2007_500": "large",
    "delicious": "large",
    "goemotions": "large",
}


class Cell(NamedTuple):
    """One fit; `inner` is 0, or the number of a fold inside the training part."""

    set: str
    repeat: int
    method: str
    seed: int
    inner: int = 0

    @property
    def kind(self):
        """The kind of data that methods are chosen by."""
        return SETS[self.set].replace("large", "labels")


def round_of(cell):
    """Return the pass over the sets in which a cell is due.

    Breadth first: a repeat of the main methods on all small sets, then the other
    methods on these, and the large sets, beside the next repeat.
    """
    is_large = SETS[cell.set] in ("large", "embeddings")
    other = not METHODS[cell.method].main
    # On one split the seeds take the place of the repeats.
    number = cell.seed if is_large else cell.repeat
    return number + is_large + other + 2 * (cell.inner > 0)


def plan():
    """Return all cells of the study in the order in which they are run."""
    cells = []
    repeats_of = {"labels": N_REPEATS, "classes": N_FOLDS}
    for name, group in SETS.items():
        for key, method in METHODS.items():
            repeats = range(repeats_of.get(group, 1))
            n_seeds = N_SEEDS if method.ours and group not in repeats_of else 1
            # Each repeat has a seed of its own.
            found = [
                Cell(name, repeat, key, repeat + seed)
                for repeat in repeats
                for seed in range(n_seeds)
            ]
            if group == "labels" and not method.ours:
                found += [Cell(name, 0, key, 0, fold + 1) for fold in range(N_INNER)]
            cells += [cell for cell in found if method.reads(cell.kind)]
    sets, methods = list(SETS), list(METHODS)
    return sorted(
        cells,
        key=lambda c: (
            round_of(c),
            sets.index(c.set),
            c.repeat,
            methods.index(c.method),
        ),
    )


# --------------------------------------------------------------------------
# Data


def make_embeddings(n_samples=6000, n_features=128, n_labels=512, n_positive=5):
    """Return normal inputs, and labels: the top outputs of a random two-layer net."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_samples, n_features), dtype=np.float32)
    hidden = np.maximum(X @ rng.standard_normal((n_features, 256)) / n_features**0.5, 0)
    scores = hidden @ rng.standard_normal((256, n_labels))
    Y = np.zeros((n_samples, n_labels), dtype=np.int8)
    top = np.argpartition(-scores, n_positive, axis=1)[:, :n_positive]
    np.put_along_axis(Y, top, 1, axis=1)
    return {"X": X, "Y": Y}


@functools.lru_cache(maxsize=1)
def read(name):
    """Return inputs and target: int8 labels with -1 for missing, or class indices."""
    data = make_embeddings() if name == "embeddings" else load(name)
    if "y" in data:
        classes, index = np.unique(data["y"], return_inverse=True)
        return data["X"], index, len(classes), {}
    Y = data["Y"] if isinstance(data["Y"], np.ndarray) else data["Y"].toarray()
    return data["X"], Y.astype(np.int8), None, data


def with_nan(Y):
    """Return labels with NaN for missing, if there are missing ones."""
    return np.where(Y < 0, np.nan, Y) if (Y < 0).any() else Y


def split(cell):
    """Return the name of the split of a cell, and its training and test rows."""
    X, target, n_classes, data = read(cell.set)
    if n_classes:
        folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=0)
        return "stratified fold", *list(folds.split(X, target))[cell.repeat]
    if SETS[cell.set] == "large" and "train_idx" in data:
        return "published", data["train_idx"], data["test_idx"]
    target = with_nan(target)
    cv = MultilabelStratifiedShuffleSplit(1, test_size=0.3, random_state=cell.repeat)
    train, test = next(cv.split(target, target))
    if cell.inner:
        cv = MultilabelStratifiedKFold(N_INNER, shuffle=True, random_state=cell.repeat)
        folds = list(cv.split(train, target[train]))
        return "inner fold", *(train[rows] for rows in folds[cell.inner - 1])
    return "stratified 70/30", train, test


# --------------------------------------------------------------------------
# One cell


def run_cell(cell):
    """Fit and predict a cell; return what is recorded."""
    X, target, n_classes, _ = read(cell.set)
    name, train, test = split(cell)
    method = METHODS[cell.method]
    has_missing = not n_classes and bool((target < 0).any())
    model = build(method, cell.seed, X, cell.kind, has_missing)
    y = with_nan(target[train]) if method.reads_missing else target[train]
    if not method.ours and y.dtype == np.int8:
        # scikit-learn 1.9's label_binarize counts the labels in the dtype of y: from
        # 129 labels on, the columns that MLPClassifier trains are out of order in int8.
        y = y.astype(np.int64)
    start = time.perf_counter(), time.process_time()
    model.fit(X[train], y)
    fitted = time.perf_counter(), time.process_time()
    proba = label_probabilities(model, X[test])
    record = {
        "split": name,
        "n_train": len(train),
        "n_test": len(test),
        "fit_seconds": fitted[0] - start[0],
        "fit_cpu_seconds": fitted[1] - start[1],
        "predict_seconds": time.perf_counter() - fitted[0],
    }
    if not method.ours:
        proba = clip(proba, len(train))
    if n_classes:
        if proba.shape[1] > 2:
            proba = proba / proba.sum(axis=1, keepdims=True)
        return record | class_measures(target[test], proba, target[train], n_classes)
    whole = (target == 1).sum(axis=0)
    record |= measures(target[test], proba, target[train], whole)
    if method.ours:
        record |= prediction_measures(target[test], np.asarray(model.predict(X[test])))
    return record


def _child(connection, cell):
    """Send what a cell records, or its error."""
    warnings.simplefilter("ignore")  # peers that do not converge, labels without values
    try:
        record = {"status": "ok", **run_cell(cell)}
    except Exception as error:  # recorded, and the study goes on
        record = {"status": "error", "error": f"{type(error).__name__}: {error}"[:300]}
    connection.send(record)


def run_within(cell, limit, context):
    """Run a cell in a process of its own, which is ended after `limit` seconds."""
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(sender, cell))
    process.start()
    sender.close()
    try:
        record = receiver.recv() if receiver.poll(limit) else {"status": "limit"}
    except EOFError:  # ended by the system, as for want of memory
        record = {"status": "error", "error": "the process died"}
    process.kill()
    process.join()
    return record


# --------------------------------------------------------------------------
# The study


def _rounded(value):
    """Return a record of plain numbers of seven digits, for JSON."""
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    if isinstance(value, (float, np.floating)):
        return None if np.isnan(value) else float(f"{value:.7g}")
    return int(value) if isinstance(value, np.integer) else value


def read_results(path):
    """Return the records of the results file by cell."""
    if not path.exists():
        return {}
    records = map(json.loads, path.read_text().splitlines())
    return {Cell(*(r[field] for field in Cell._fields)): r for r in records}


def forget(path, methods):
    """Remove the records of some methods from the results file."""
    kept = [r for cell, r in read_results(path).items() if cell.method not in methods]
    path.write_text("".join(json.dumps(record) + "\n" for record in kept))


def run(options, path):
    """Compute the missing cells until the time is over."""
    deadline = time.monotonic() + 60 * options.minutes
    # Read by the processes of the cells; a server forks them after its imports.
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    context = multiprocessing.get_context(
        "forkserver" if os.name == "posix" else "spawn"
    )
    context.set_forkserver_preload(["sklearn.ensemble", "skimbalance.ensemble"])
    common = {
        "run": datetime.now(UTC).isoformat(timespec="seconds"),
        "threads": options.threads,
        "limit": options.limit,
    }
    done = read_results(path)
    for cell in plan():
        left_out = (
            cell in done
            or cell.set not in (options.sets or SETS)
            or cell.method not in (options.methods or METHODS)
            or cell.repeat >= options.repeats
            or (cell.inner and not options.inner)
            or not METHODS[cell.method].is_installed()
        )
        if left_out:
            continue
        if time.monotonic() >= deadline:
            break
        record = cell._asdict() | common | {"load": os.getloadavg()[0]}
        record |= run_within(cell, options.limit, context)
        with path.open("a") as file:
            file.write(json.dumps(_rounded(record)) + "\n")
        figures = {k: record.get(k) for k in ("status", "ap", "skill", "fit_seconds")}
        print(*cell, *figures.values(), flush=True)


def arguments():
    """Read the options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=0, help="time to compute")
    parser.add_argument("--sets", nargs="+", choices=SETS, metavar="SET")
    parser.add_argument("--methods", nargs="+", choices=METHODS, metavar="METHOD")
    parser.add_argument("--repeats", type=int, default=N_REPEATS)
    parser.add_argument("--inner", action="store_true", help="also pick peers by folds")
    parser.add_argument("--limit", type=float, default=600, help="seconds for a cell")
    parser.add_argument("--threads", type=int, default=2, help="threads of torch")
    parser.add_argument("--folder", type=Path, default=HERE, help="of the results file")
    parser.add_argument(
        "--forget",
        nargs="+",
        choices=METHODS,
        metavar="METHOD",
        default=[],
        help="remove their results first; with rf, so that times are of one run",
    )
    return parser.parse_args()


def main():
    """Compute cells for the time given, and write the page."""
    options = arguments()
    options.folder.mkdir(parents=True, exist_ok=True)
    path = options.folder / "forest_results.jsonl"
    if options.forget:
        forget(path, options.forget)
    try:
        run(options, path)
    finally:
        text = page(read_results(path), plan(), SETS, METHODS)
        if options.folder == HERE:
            write("forest", text)
        else:
            (options.folder / "forest.md").write_text(text)


if __name__ == "__main__":
    main()
