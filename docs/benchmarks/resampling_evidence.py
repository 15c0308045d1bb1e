"""Whether resampling, balanced batches or weights help three classifiers.

    python docs/benchmarks/resampling_evidence.py --minutes 60

computes the cells (set, seed, model, method) that the results file lacks and writes
the page from the file; without ``--minutes`` it writes the page only. One line of JSON
is added for each cell.
"""

import argparse
import functools
import json
import os
import time
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from _forest_statistics import clip, macro_average_precision, measures
from _page import HERE, load, machine, table, write
from scipy import sparse, stats
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.preprocessing import MaxAbsScaler, StandardScaler

from skimbalance import over_sampling, under_sampling
from skimbalance.metrics import multilabel_fbeta_score
from skimbalance.model_selection import MultilabelStratifiedShuffleSplit
from skimbalance.neural_network import ImbalancedMLPClassifier, LabelAwareBatches
from skimbalance.thresholds import tune_thresholds

RESULTS = HERE / "resampling_evidence.jsonl"
N_SEEDS, N_TREES, N_JOBS = 5, 300, 2
# Under 5,000 rows, cheapest first.
SETS = (
    *("emotions", "water_quality", "birds", "medical", "yeast", "scene"),
    *("cal500", "sider27", "enron", "hmc_cellcycle_fun"),
)
# Training positives below which a label counts as rare.
RARE = 30
# Sets below which no test is made, a choice.
FEWEST_SETS = 6
LEVEL = 0.05
RESAMPLERS = {
    name: getattr(module, name)()
    for module in (over_sampling, under_sampling)
    for name in sorted(module.__all__)
}
# Parameters of the nets, and of the forest.
OF_NETS = {
    "batches: label_aware": {"batch_sampler": "label_aware"},
    "batches: label_aware, corrected": {
        "batch_sampler": LabelAwareBatches(correct=True)
    },
    "batches: square_root": {"batch_sampler": "square_root"},
    'pos_weight="sqrt"': {"pos_weight": "sqrt"},
}
BALANCED = 'class_weight="balanced"'
# Fits a forest for each label, twice: one seed takes longer than all else of a forest,
# and the 499 labels of this set too long.
BALANCED_SEEDS = 1
WITHOUT_BALANCED = "hmc_cellcycle_fun"
NETS = {
    "plain net": ImbalancedMLPClassifier(n_members=1),
    "default": ImbalancedMLPClassifier(),
}
MODELS = {
    "plain net": "One net, stopped and calibrated on a tenth of the rows",
    "forest": f"A random forest of {N_TREES} trees",
    "default": "The default: five cross-fitted nets",
}
NONE = "none"


class Cell(NamedTuple):
    """One model, fitted in one way."""

    set: str
    seed: int
    model: str
    method: str


def methods_of(model):
    """Return the names of what is tried with a model."""
    others = [BALANCED] if model == "forest" else [*OF_NETS]
    return [NONE, *RESAMPLERS, *others]


def plan():
    """Return all cells; of each seed first those of the two quick models."""
    cells = [
        Cell(name, seed, model, method)
        for name in SETS
        for seed in range(N_SEEDS)
        for model in MODELS
        for method in methods_of(model)
        if method != BALANCED or (name != WITHOUT_BALANCED and seed < BALANCED_SEEDS)
    ]
    sets, models = list(SETS), list(MODELS)
    return sorted(
        cells,
        key=lambda c: (
            c.seed,
            c.model == "default",
            sets.index(c.set),
            models.index(c.model),
        ),
    )


# --------------------------------------------------------------------------
# One cell


@functools.lru_cache(maxsize=1)
def read(name):
    """Return inputs and a dense label matrix."""
    data = load(name)
    Y = data["Y"] if isinstance(data["Y"], np.ndarray) else data["Y"].toarray()
    return data["X"], Y.astype(np.int8)


def split(Y, test_size, seed):
    """Return stratified training and test rows."""
    cv = MultilabelStratifiedShuffleSplit(1, test_size=test_size, random_state=seed)
    return next(cv.split(Y, Y))


def run_cell(cell):
    """Fit and predict a cell; return what is recorded."""
    X, Y = read(cell.set)
    train, test = split(Y, 0.3, cell.seed)
    # Neighbours need columns of one scale; centring would make a sparse matrix dense.
    scaler = MaxAbsScaler() if sparse.issparse(X) else StandardScaler()
    X_train, X_test = scaler.fit_transform(X[train]), scaler.transform(X[test])
    start = time.process_time()
    run = run_forest if cell.model == "forest" else run_net
    proba, predicted = run(cell, X_train, Y[train], X_test)
    labels, n_positive = Y[test], Y[train].sum(axis=0)
    known = (n_positive > 0) & (n_positive < RARE)
    kept = ("ap", "log_loss", "expected", "observed")
    found = measures(labels, proba, Y[train], Y.sum(axis=0))
    return {name: found[name] for name in kept} | {
        "rare_ap": macro_average_precision(labels, proba, known)[0],
        "f1": multilabel_fbeta_score(labels, predicted, average="macro"),
        "cpu_seconds": time.process_time() - start,
    }


def run_net(cell, X, Y, X_test):
    """Return probabilities of a net, and labels at the thresholds that it tunes."""
    net = clone(NETS[cell.model]).set_params(
        threshold="f_beta", random_state=cell.seed, **OF_NETS.get(cell.method, {})
    )
    if cell.method in RESAMPLERS:
        net.set_params(resampler=RESAMPLERS[cell.method])
    net.fit(X, Y)
    return net.predict_proba(X_test).astype(np.float64), net.predict(X_test)


def run_forest(cell, X, Y, X_test):
    """Return probabilities of a forest, and labels at tuned thresholds.

    The thresholds are those of a forest without three tenths of the training rows,
    tuned on these: they are not resampled.
    """
    proba = forest_probabilities(cell, X, Y, X_test)
    rows, held_out = split(Y, 0.3, cell.seed)
    inner = forest_probabilities(cell, X[rows], Y[rows], X[held_out])
    thresholds = tune_thresholds(Y[held_out], inner, threshold="f_beta")
    return proba, proba > thresholds


def forest_probabilities(cell, X, Y, X_test):
    """Fit a forest on rows, resampled if the method is a resampler."""
    if cell.method in RESAMPLERS:
        sampler = clone(RESAMPLERS[cell.method])
        if "random_state" in sampler.get_params():
            sampler.set_params(random_state=cell.seed)
        X, Y = sampler.fit_resample(X, Y)
    forest = RandomForestClassifier(N_TREES, n_jobs=N_JOBS, random_state=cell.seed)
    columns = np.flatnonzero((Y.min(axis=0) == 0) & (Y.max(axis=0) == 1))
    out = np.tile(Y.mean(axis=0), (X_test.shape[0], 1))
    if cell.method == BALANCED:
        # With a label matrix, scikit-learn multiplies the weights of the labels of a
        # row, which leaves a few rows that count: one forest a label.
        forest = MultiOutputClassifier(forest.set_params(class_weight="balanced"))
    # A list of one array a label, as all sets have several labels of two values.
    each = forest.fit(X, Y[:, columns]).predict_proba(X_test)
    out[:, columns] = np.column_stack([part[:, 1] for part in each])
    return clip(out, len(Y))


# --------------------------------------------------------------------------
# The study


def read_results(path):
    """Return the records of the results file by cell."""
    if not path.exists():
        return {}
    records = map(json.loads, path.read_text().splitlines())
    return {Cell(*(r[field] for field in Cell._fields)): r for r in records}


def rounded(value):
    """Return a number of seven digits, for JSON; None for NaN."""
    return None if np.isnan(value) else float(f"{value:.7g}")


def run(options):
    """Compute the missing cells until the time is over."""
    deadline = time.monotonic() + 60 * options.minutes
    done = read_results(options.results)
    for cell in plan():
        if cell in done or cell.set not in options.sets:
            continue
        if time.monotonic() >= deadline:
            break
        start = time.monotonic()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of resamplers that stop early
                figures = {k: rounded(v) for k, v in run_cell(cell).items()}
        except Exception as error:  # recorded, and the study goes on
            figures = {"error": f"{type(error).__name__}: {error}"[:300]}
        seconds = round(time.monotonic() - start, 1)
        record = cell._asdict() | figures | {"seconds": seconds}
        with options.results.open("a") as file:
            file.write(json.dumps(record) + "\n")
        print(*cell, figures.get("ap", figures.get("error")), seconds, flush=True)


# --------------------------------------------------------------------------
# The page


class Comparison(NamedTuple):
    """A method against none, over sets; each value is a mean over seeds."""

    method: str
    n_cells: int
    differences: dict  # by measure, an array over sets
    ratio: float  # expected over observed positives


def compare(results, model, method):
    """Return the paired differences of a method to no resampling."""
    by_set, n_cells, ratios = {}, 0, []
    for name in SETS:
        pairs = [
            (results[cell], results[cell._replace(method=NONE)])
            for seed in range(N_SEEDS)
            if _is_there(results, cell := Cell(name, seed, model, method))
            and _is_there(results, cell._replace(method=NONE))
        ]
        if not pairs:
            continue
        n_cells += len(pairs)
        by_set[name] = {
            key: _mean([_difference(key, *pair) for pair in pairs])
            for key in ("ap", "log_loss", "rare_ap", "f1")
        }
        expected = sum(record["expected"] for record, _ in pairs)
        ratios.append(expected / sum(record["observed"] for record, _ in pairs))
    keys = ("ap", "log_loss", "rare_ap", "f1")
    differences = {
        key: np.array([row[key] for row in by_set.values() if row[key] is not None])
        for key in keys
    }
    return Comparison(method, n_cells, differences, np.mean(ratios or [np.nan]))


def _is_there(results, cell):
    return cell in results and "error" not in results[cell]


def _difference(key, record, plain):
    """Return a difference; of the log-loss in per cent of that without resampling."""
    if record[key] is None or plain[key] is None:
        return None
    difference = record[key] - plain[key]
    return 100 * difference / plain[key] if key == "log_loss" else difference


def _mean(values):
    values = [value for value in values if value is not None]
    return float(np.mean(values)) if values else None


def p_values(comparisons, key):
    """Return p of the paired t-test over sets, with Holm's correction, or NaN.

    A signed-rank test of ten sets has no p below .002, which is above .05 after the
    correction for 14 methods unless all ten sets agree.
    """
    p = np.full(len(comparisons), np.nan)
    for number, comparison in enumerate(comparisons):
        values = comparison.differences[key]
        if len(values) >= FEWEST_SETS:
            p[number] = stats.ttest_1samp(values, 0).pvalue if values.any() else 1.0
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    factor = np.arange(len(order), 0, -1)
    p[order] = np.minimum(np.maximum.accumulate(p[order] * factor), 1)
    return p


def with_error(values, digits):
    """Show the mean over sets with its standard error."""
    if not len(values):
        return ""
    error = values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else np.nan
    shown = "" if np.isnan(error) else f" ({error:.{digits}f})"
    return f"{values.mean():+.{digits}f}{shown}"


def wins(values):
    """Return on how many sets values are above 0."""
    return int((values > 0).sum())


def compare_all(results, model):
    """Return the comparisons of a model that have cells, and their p by measure."""
    comparisons = [compare(results, model, m) for m in methods_of(model) if m != NONE]
    comparisons = [each for each in comparisons if each.n_cells]
    return comparisons, {key: p_values(comparisons, key) for key in ("ap", "log_loss")}


def section(results, model):
    """Return the two tables of a model."""
    comparisons, p = compare_all(results, model)
    if not comparisons:
        return f"## {MODELS[model]}\n\nNo cell yet."
    plain = compare(results, model, NONE)
    header = ["method", "cells", "sets", "macro AP", "better", "p"]
    header += ["log-loss, %", "better", "p"]
    size = [plain.n_cells, len(plain.differences["ap"])]
    rows = [["none", *size, *[""] * 6]]
    others = [["none", "", f"{plain.ratio:.2f}", ""]]
    for number, each in enumerate(comparisons):
        found = each.differences
        of_ap, of_loss = (
            "" if np.isnan(values[number]) else f"{values[number]:.3f}"
            for values in p.values()
        )
        rows.append(
            [
                *(each.method, each.n_cells, len(found["ap"])),
                *(with_error(found["ap"], 4), wins(found["ap"]), of_ap),
                *(with_error(found["log_loss"], 1), wins(-found["log_loss"]), of_loss),
            ]
        )
        rare, f1 = (with_error(found[key], 4) for key in ("rare_ap", "f1"))
        others.append([each.method, rare, f"{each.ratio:.2f}", f1])
    further = table(["method", f"macro AP under {RARE}", "E/O", "macro F1"], others)
    return f"## {MODELS[model]}\n\n{table(header, rows)}\n\n{further}"


def verdicts(results, model):
    """Return which methods are better and worse by each primary measure, and tested."""
    comparisons, p = compare_all(results, model)
    better, worse, n_tested = {}, {}, 0
    for key, sign in (("ap", 1), ("log_loss", -1)):
        shown = p[key] < LEVEL
        gains = [sign * each.differences[key].mean() for each in comparisons]
        names = [each.method for each in comparisons]
        better[key] = [
            n for n, s, g in zip(names, shown, gains, strict=True) if s * g > 0
        ]
        worse[key] = [
            n for n, s, g in zip(names, shown, gains, strict=True) if s * g < 0
        ]
        n_tested += int((~np.isnan(p[key])).sum())
    return better, worse, n_tested


def rule_of_thumb(results):
    """Return what follows from the figures for each model."""
    lines = []
    titles = {"ap": "macro AP", "log_loss": "log-loss"}
    for model, title in MODELS.items():
        better, worse, n_tested = verdicts(results, model)
        if not n_tested:
            lines.append(
                f"* *{title}*: fewer than {FEWEST_SETS} sets are there, too few for a "
                "test."
            )
            continue
        parts = []
        for key, name in titles.items():
            gained = ", ".join(better[key]) or "no method"
            lost = ", ".join(worse[key]) or "no method"
            parts.append(f"in {name} {gained} is better, and {lost} is worse")
        both = [name for name in better["ap"] if name not in worse["log_loss"]]
        both += [n for n in better["log_loss"] if n not in (*worse["ap"], *both)]
        advice = "Leave the rows as they are."
        if both:
            advice = f"Try {', '.join(both)} in a search."
        lines.append(f"* *{title}*: {'; '.join(parts)}. {advice}")
    return "\n".join(lines)


def page(results):
    """Return the text of the page."""
    cells = plan()
    done = [cell for cell in cells if _is_there(results, cell)]
    failed = [cell for cell in results if "error" in results[cell]]
    seeds = [sum(c.seed == seed for c in done) for seed in range(N_SEEDS)]
    failures = "".join(
        f"\n* {cell.set}, {cell.model}, {cell.method}: {results[cell]['error']}"
        for cell in failed
    )
    sections = "\n\n".join(section(results, model) for model in MODELS)
    return f"""# When does resampling help?

Three classifiers on {len(SETS)} sets ({", ".join(SETS)}), with each resampler at its
defaults, balanced batches and weights, against the same classifier without any of it.
This page rests on {len(done)} of {len(cells)} cells (set, seed, classifier, method);
by seed: {", ".join(map(str, seeds))}. Each seed is a stratified 70/30 split. Inputs are
scaled before, as the neighbours of the resamplers need it. The nets resample the
training rows only (`resampler=`), and so does the forest, whose probabilities are not
calibrated, but clipped to half a row.

Figures are differences to "none" on the same splits: means over sets with standard
errors in brackets. The log-loss is in per cent of that without resampling; less is
better. "Better" counts the sets on which the method is. p is of a paired t-test over
sets, with Holm's correction over the methods of a table and of a measure; none is given
below {FEWEST_SETS} sets. "Macro AP under
{RARE}" is over the labels with fewer than {RARE} training positives, E/O the expected
over the observed positives, and macro F1 is at thresholds that are tuned for it on rows
that are held out (nets), or on three tenths of the training rows (forest).
{BALANCED} fits a forest for each label: it has one seed, and is left out on
{WITHOUT_BALANCED}.

{sections}

## Rule of thumb

{rule_of_thumb(results)}

A method is named where its p is below {LEVEL}. Where none is named, no effect was shown
by these cells, which is not the same as none.
{failures and f"{chr(10)}Cells that failed:{chr(10)}{failures}{chr(10)}"}
{machine()}
"""


def main():
    """Compute cells for the time given, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=0, help="time to compute")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS, metavar="SET")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", str(N_JOBS))
    try:
        run(options)
    finally:
        write("resampling_evidence", page(read_results(options.results)))


if __name__ == "__main__":
    main()
