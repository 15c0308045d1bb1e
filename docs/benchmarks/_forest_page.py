"""The page of the study `forest.py`, from its records."""

import itertools
import re
from collections import Counter, defaultdict

import numpy as np
from _forest_statistics import BANDS, split_error, summary
from _page import table

SINGLE_LABEL_PEERS = ("rf", "et", "lr", "mlp", "hist", "ours")  # of the mean rank


def _mean(values):
    values = [value for value in values if value is not None]
    return np.mean(values) if values else np.nan


def _table(header, rows):
    """Return a table without the rows and columns that have no result, or "".

    The first entry of a row is its name. A study that is not complete would show
    columns of empty entries otherwise.
    """
    rows = [list(map(str, row)) for row in rows]
    rows = [row for row in rows if any(row[1:])]
    kept = [k for k in range(len(header)) if k == 0 or any(row[k] for row in rows)]
    if not rows:
        return ""
    return table([header[k] for k in kept], [[row[k] for k in kept] for row in rows])


def _section(title, *parts):
    """Return a section of texts and tables, or "" if it has no table.

    A part is a table, or a pair of the text that introduces a table, and the table;
    a table without results takes its text with it.
    """
    pairs = [("", part) if isinstance(part, str) else part for part in parts]
    pairs = [(text, found) for text, found in pairs if found]
    if not pairs:
        return ""
    texts = [each for pair in pairs for each in pair if each]
    return "\n\n".join([f"## {title}", *texts])


def _listed(words):
    """Return words as "a, b and c"."""
    return " and ".join(", ".join(words).rsplit(", ", 1))


class Study:
    """The records by set and method, and what is computed from them.

    Parameters
    ----------
    records : dict
        The record of each cell that was run.
    cells : list
        All cells of the plan.
    sets : dict of str
        The group of each set.
    methods : dict of Method
    """

    def __init__(self, records, cells, sets, methods):
        self.records, self.cells = records, cells
        self.sets, self.methods = sets, methods
        self.found = defaultdict(lambda: defaultdict(list))
        for cell, record in records.items():
            if record["status"] == "ok":
                key = cell.set, cell.method, cell.inner
                self.found[key][cell.repeat].append(record)

    @property
    def methods_run(self):
        """The methods that have a result."""
        return [m for m in self.methods if any(key[1] == m for key in self.found)]

    def names(self, *groups):
        """Return the sets of some groups."""
        return [name for name, group in self.sets.items() if group in groups]

    @property
    def multilabel(self):
        """The sets of the multilabel comparison."""
        return self.names("labels", "large")

    def repeats(self, name, method, measure="ap", inner=0):
        """Return a measure of a method by repeat, the mean over its seeds."""
        found = self.found.get((name, method, inner), {})
        return {r: _mean([each[measure] for each in found[r]]) for r in found}

    def all_records(self, name, method):
        """Return the records of a set and a method."""
        found = self.found.get((name, method, 0), {})
        return list(itertools.chain.from_iterable(found.values()))

    def value(self, name, method, measure="ap"):
        """Return the mean of a measure over the repeats; NaN if there is none."""
        return _mean(self.repeats(name, method, measure).values())

    def pairs(self, name, a, b, measure="ap"):
        """Return the difference of two methods on each split that both have."""
        first, second = (self.repeats(name, m, measure) for m in (a, b))
        common = sorted(first.keys() & second.keys())
        return np.array([first[r] - second[r] for r in common])

    def difference(self, name, a, b, measure="ap"):
        """Return mean difference on a set and its standard error, or NaN.

        With one split, the error is that of the seeds only.
        """
        pairs = self.pairs(name, a, b, measure)
        if not len(pairs):
            return np.nan, np.nan
        found = self.all_records(name, a)
        if len(pairs) > 1:
            ratio = found[0]["n_test"] / found[0]["n_train"]
            return pairs.mean(), split_error(pairs, ratio)
        return pairs.mean(), split_error([each[measure] for each in found], 0)

    def differences(self, names, a, b, measure="ap"):
        """Return the mean difference on each set that both methods finished."""
        found = {name: self.difference(name, a, b, measure)[0] for name in names}
        return {name: value for name, value in found.items() if not np.isnan(value)}

    def pooled(self, names, method, numerator, denominator="observed"):
        """Return the ratio of two sums over all splits of some sets."""
        found = [each for name in names for each in self.all_records(name, method)]
        below = sum(each.get(denominator, 0) for each in found)
        return sum(each[numerator] for each in found) / below if below else np.nan

    def title(self, method):
        return self.methods[method].title

    def time_ratio(self, name, method, measure="fit_cpu_seconds"):
        """Return the median ratio to the fit time of RF 300, same split and run."""
        forest = {(r["repeat"], r["run"]): r for r in self.all_records(name, "rf")}
        ratios = [
            each[measure] / forest[key][measure]
            for each in self.all_records(name, method)
            if (key := (each["repeat"], each["run"])) in forest
        ]
        return np.median(ratios) if ratios else np.nan

    def seconds(self, name, method, measure="fit_seconds"):
        """Return the median fit time on a set."""
        found = [each[measure] for each in self.all_records(name, method)]
        return np.median(found) if found else np.nan

    def is_fast(self, name, measure="fit_seconds"):
        """Whether ours takes at most three times RF 300's time, or 20 seconds.

        In processor time, RF 300 counts as if it used both cores all the time, and
        ours as if it used one.
        """
        factor = 3 if measure == "fit_seconds" else 1.5
        is_short = self.seconds(name, "ours", measure) <= 20
        return bool(is_short or self.time_ratio(name, "ours", measure) <= factor)

    def picked_peer(self, name):
        """Return the peer of best AP over the folds inside the training part."""
        inner = defaultdict(dict)
        for (found, method, fold), values in self.found.items():
            if found == name and fold:
                inner[method][fold] = values[0][0]["ap"]
        n_folds = max(map(len, inner.values()), default=0)
        means = {m: _mean(v.values()) for m, v in inner.items() if len(v) == n_folds}
        return max(means, key=means.get) if means else None

    def best_peer(self, name):
        """Return the peer of best AP on the test rows."""
        peers = [m for m in self.methods if not self.methods[m].ours]
        values = {m: self.value(name, m) for m in peers}
        values = {m: value for m, value in values.items() if not np.isnan(value)}
        return max(values, key=values.get) if values else None


# --------------------------------------------------------------------------
# Formats


def number(value, digits=3, sign=False):
    """Format a number without its leading zero; nothing for NaN."""
    if np.isnan(value):
        return ""
    text = f"{value:{'+' if sign else ''}.{digits}f}"
    return re.sub(r"^([+-]?)0\.", r"\1.", text)


def signed(value):
    return number(value, sign=True)


def interval(bounds):
    if np.isnan(bounds[0]):
        return ""
    return f"[{signed(bounds[0])}, {signed(bounds[1])}]"


def with_error(pair):
    value, error = pair
    return signed(value) + ("" if np.isnan(error) else f" ({number(error)})")


def yes(held):
    return "yes" if held else "**no**"


# --------------------------------------------------------------------------
# Sections


def comparison(study, pairs, names, measure="ap"):
    """Return a table of summaries of pairs of methods."""
    rows = []
    for a, b in pairs:
        found = summary(study.differences(names, a, b, measure))
        if found is None:
            continue
        worst = found["worst"]
        rows.append([
            f"{study.title(a)} - {study.title(b)}",
            found["n_sets"],
            f"**{signed(found['mean'])}**",
            interval(found["interval"]),
            interval(found["without_best"]),
            f"{found['ahead']} / {found['level']} / {found['behind']}",
            f"{worst} {with_error(study.difference(worst, a, b, measure))}",
        ])  # fmt: skip
    header = ["", "sets", "mean", "95 %", "without the best set",
              "ahead / level / behind", "worst set"]  # fmt: skip
    return _table(header, rows)


def by_set(study, names, measure="ap"):
    """Return a table of a measure by set and method, of sets with two methods."""
    methods = [
        m for m in study.methods if any(study.repeats(n, m, measure) for n in names)
    ]
    rows = []
    for name in names:
        values = [study.value(name, m, measure) for m in methods]
        if np.isfinite(values).sum() < 2:  # one method alone compares nothing
            continue
        best = np.nanmax(values)
        shown = [f"**{number(v)}**" if v == best else number(v) for v in values]
        rows.append([name, *shown])
    return _table(["set", *map(study.title, methods)], rows)


def main_table(study, names):
    """Return ours, RF 300 and the stack on each set."""
    pairs = [("ours", "rf"), ("stack", "rf"), ("stack", "ours")]
    rows = []
    for name in names:
        if not study.repeats(name, "ours"):
            continue
        peer = study.best_peer(name)
        best = f"{study.title(peer)} {number(study.value(name, peer))}" if peer else ""
        rows.append([
            name,
            len(study.pairs(name, "ours", "rf")),
            *(number(study.value(name, m)) for m in ("ours", "stack", "rf")),
            *(with_error(study.difference(name, *pair)) for pair in pairs),
            best,
        ])  # fmt: skip
    header = ["set", "splits", "ours", "stack", "RF 300", "ours - RF 300",
              "stack - RF 300", "stack - ours", "best peer by test score"]  # fmt: skip
    return _table(header, rows)


def prior_ratio(study, name, method):
    """Return E/O over that of the training prevalences."""
    return study.pooled([name], method, "expected", "expected_prior")


def pooled_slope(study, names, method):
    """Return the mean slope of the sets, and that weighted by its information."""
    found = [r for name in names for r in study.all_records(name, method)]
    found = [r for r in found if r["slope"] is not None and r["slope_error"]]
    if not found:
        return np.nan
    weight = np.array([r["slope_error"] ** -2.0 for r in found])
    return weight @ [r["slope"] for r in found] / weight.sum()


def calibration_table(study, names):
    """Return E/O, slope and the predictions at matched prevalence of each set."""
    rows = [
        [
            name,
            number(study.pooled([name], "ours", "expected")),
            number(prior_ratio(study, name, "ours")),
            number(prior_ratio(study, name, "stack")),
            number(prior_ratio(study, name, "rf")),
            *(number(study.value(name, m, "slope")) for m in ("ours", "stack", "rf")),
            number(study.pooled([name], "ours", "predicted", "true")),
            number(study.pooled([name], "stack", "predicted", "true")),
        ]
        for name in names
        if study.repeats(name, "ours")
    ]
    header = ["set", "E/O ours", "/ prior: ours", "stack", "RF 300", "slope: ours",
              "stack", "RF 300", "predicted / true: ours", "stack"]  # fmt: skip
    return _table(header, rows)


def band_ratios(study, names, method):
    """Return E/O by band of positives on stratified splits, with its test positives.

    A dict of (ratio, test positives of a split) by band.
    """
    found = [r for name in names for r in study.all_records(name, method)]
    found = [r for r in found if r["split"].startswith("stratified")]
    out = {}
    for band in BANDS:
        expected, observed, _ = np.sum(
            [[0, 0, 0], *(r["bands"][band] for r in found)], 0
        )
        ratio = expected / observed if observed else np.nan
        out[band] = ratio, observed / max(len(found), 1)
    return out


def band_table(study, names):
    """Return E/O by band, pooled and of each set with 100 test positives in it."""
    rows = []
    for method in ("ours", "stack", "rf", "rf_calibrated"):
        ratios = [ratio for ratio, _ in band_ratios(study, names, method).values()]
        rows.append([f"all sets, {study.title(method)}", *map(number, ratios)])
    for name in names:
        found = band_ratios(study, [name], "ours").values()
        shown = [number(r) if n >= 100 else "" for r, n in found]
        if any(each != "" for each in shown):
            rows.append([f"{name}, ours", *shown])
    return _table(["positives of the label", *BANDS], rows)


def time_table(study, names):
    """Return seconds of RF 300 and ours, and processor time of all to RF 300's."""
    others = [m for m in study.methods if any(study.repeats(n, m) for n in names)]
    others = [m for m in others if m not in ("rf", "ours", "mlp_256")]
    rows = []
    for name in names:
        pair = [
            study.seconds(name, m, measure)
            for measure in ("fit_seconds", "fit_cpu_seconds")
            for m in ("ours", "rf")
        ]
        if not np.isnan(pair).any():
            ratios = [study.time_ratio(name, m) for m in ("ours", *others)]
            shown = [number(each, 1) for each in pair]
            rows.append([name, *shown, *(number(each, 2) for each in ratios)])
    header = ["set", "ours, s", "RF 300, s", "ours, CPU s", "RF 300, CPU s"]
    return _table([*header, "ours / RF 300", *map(study.title, others)], rows)


def cost_table(study, names):
    """Return macro AP to RF 300 against fit time to RF 300, of all methods."""
    rows = []
    for method in study.methods:
        gained = study.differences(names, method, "rf")
        ratios = [study.time_ratio(name, method) for name in gained]
        ratios = [ratio for ratio in ratios if not np.isnan(ratio)]
        if gained and ratios:
            ratio = np.exp(np.mean(np.log(ratios)))
            mean = signed(np.mean(list(gained.values())))
            rows.append([study.title(method), len(gained), mean, number(ratio, 2)])
    rows = rows if len(rows) > 1 else []  # RF 300 against itself
    return _table(["", "sets", "macro AP - RF 300", "CPU time / RF 300"], rows)


def picked_section(study, names):
    """Return ours against the peer that folds inside the training part pick."""
    rows, found = [], {}
    for name in names:
        peer = study.picked_peer(name)
        if peer and not np.isnan(found_ := study.difference(name, "ours", peer)[0]):
            found[name] = found_
            rows.append([name, study.title(peer), signed(found_)])
    if not rows:
        return "", None
    total = summary(found)
    line = (
        f"Mean difference {signed(total['mean'])} {interval(total['interval'])} over "
        f"{total['n_sets']} sets."
    )
    return _table(["set", "picked peer", "ours - picked"], rows) + "\n\n" + line, total


def forest_better(study, names):
    """Return the paragraphs on the sets where a forest ranks better than the net."""
    texts = []
    for forest in ("rf", "et"):
        found = study.differences(names, "ours", forest)
        behind = {name: value for name, value in found.items() if value < 0}
        listed = ", ".join(f"{n} ({signed(v)})" for n, v in behind.items())
        texts.append(
            f"{study.title(forest)} has the higher macro AP than the net on "
            f"{len(behind)} of {len(found)} sets: {listed or 'none'}."
        )
        stack = list(study.differences(behind, "stack", forest).values())
        if stack:
            ahead = sum(value > 0 for value in stack)
            texts[-1] += (
                f" Of the {len(stack)} of these on which the stack was run, it is "
                f"ahead of {study.title(forest)} on {ahead}, by "
                f"{signed(np.mean(stack))} on average."
            )
    advice = (
        "There, use `MultilabelStackingClassifier()`, which fits the net and extremely "
        "randomised trees and weighs them by their out-of-fold scores."
    )
    return "\n\n".join([*texts, advice])


def rank_table(study, names):
    """Return the mean rank by log-loss on single-label sets that all finished."""
    ranks = []
    for name in names:
        values = [study.value(name, m, "log_loss") for m in SINGLE_LABEL_PEERS]
        if not np.isnan(values).any():
            ranks.append(np.argsort(np.argsort(values)) + 1)
    if not ranks:
        return "", None
    means = dict(zip(SINGLE_LABEL_PEERS, np.mean(ranks, axis=0), strict=True))
    rows = [[study.title(m), number(v, 2)] for m, v in means.items()]
    return _table(["", f"mean rank by log-loss, {len(ranks)} sets"], rows), means


def coverage(study):
    """Return a sentence on what was run, and a table of it by set and method."""
    outer = [cell for cell in study.cells if not cell.inner]
    status = Counter(study.records[c]["status"] for c in outer if c in study.records)
    n_sets = {
        m: sum(bool(study.repeats(n, m)) for n in study.sets) for m in study.methods_run
    }
    by_count = defaultdict(list)
    for method, count in sorted(n_sets.items(), key=lambda item: -item[1]):
        by_count[count].append(study.title(method))
    where = "; ".join(f"{_listed(titles)} on {n}" for n, titles in by_count.items())
    text = (
        f"Of {len(outer):,} planned fits {status['ok']} have been run ({where}, of "
        f"{len(study.sets)} sets); what has not been run is left out below."
    )
    if status["limit"] or status["error"]:
        text += (
            f" {status['limit']} fits ran past the limit, and {status['error']} ended "
            "with an error."
        )
    rows = [
        [name, *(_finished(study, outer, name, m) for m in study.methods_run)]
        for name in study.sets
    ]
    return text, _table(["set", *map(study.title, study.methods_run)], rows)


def _finished(study, cells, name, method):
    """Return "2/10" for two of ten cells, and what else came of them."""
    planned = [c for c in cells if (c.set, c.method) == (name, method)]
    found = [study.records[c]["status"] for c in planned if c in study.records]
    if not found:
        return ""
    text = f"{found.count('ok')}/{len(planned)}"
    for what in ("limit", "error"):
        text += f", {found.count(what)} {what}" if what in found else ""
    return text


# --------------------------------------------------------------------------
# Targets


def _pair_targets(study, names, single):
    """Yield the targets that compare macro AP: text, figure, whether they hold."""
    found = summary(study.differences(names, "ours", "rf"))
    if found:
        errors = {n: study.difference(n, "ours", "rf") for n in names}
        low = [n for n, (d, e) in errors.items() if d + np.nan_to_num(e) < -0.02]
        mean, n_sets = found["mean"], found["n_sets"]
        figure = number(mean, 4, sign=True)
        yield "ours - RF 300 at least +.010", figure, mean >= 0.01
        bounds = found["interval"]
        yield "its interval above 0", interval(bounds), bounds[0] > 0
        bounds = found["without_best"]
        yield "also without the best set", interval(bounds), bounds[0] > 0
        points = f"{found['points']:g} of {n_sets}"
        yield "ahead on 10 of 16", points, found["points"] >= 10 / 16 * n_sets
        yield "no set below -.02 by its error", ", ".join(low) or "none", not low
    peers = [m for m in study.methods if not study.methods[m].ours]
    means = {m: summary(study.differences(names, "ours", m)) for m in peers}
    means = {m: s["mean"] for m, s in means.items() if s}
    if means:
        worst = min(means, key=means.get)
        figure = (
            f"{signed(means[worst])} to {study.title(worst)}, of {len(means)} peers"
        )
        yield "ours above every peer", figure, means[worst] > 0
    picked = picked_section(study, names)[1]
    if picked:
        mean = picked["mean"]
        yield "ours above the peer picked in training", signed(mean), mean > 0
    for other, bar, share in (("rf", 0.012, 11 / 16), ("ours", 0.01, 13 / 16)):
        found = summary(study.differences(names, "stack", other))
        if found:
            title = study.title(other)
            mean, low = found["mean"], found["interval"][0]
            figure = f"{signed(mean)} {interval(found['interval'])}"
            held = mean >= bar and (low > 0 or other == "ours")
            yield f"stack - {title} at least {signed(bar)}", figure, held
            points, n_sets = found["points"], found["n_sets"]
            text = f"stack ahead of {title} on {round(16 * share)} of 16"
            yield text, f"{points:g} of {n_sets}", points >= share * n_sets
    yield from _single_label_targets(study, single)
    embedded = study.differences(["embeddings"], "ours", "mlp_256")
    if embedded:
        value = embedded["embeddings"]
        yield "embeddings: ours above MLP (256,)", signed(value), value > 0


def _single_label_targets(study, single):
    """Yield the targets of single-label sets."""
    forest = study.differences(single, "ours", "rf")
    if forest:
        mean, low = _mean(forest.values()), min(forest, key=forest.get)
        yield "single-label: ours - RF 300 at least -.01", signed(mean), mean >= -0.01
        figure = f"{low} {signed(forest[low])}"
        yield "single-label: no set below -.03", figure, forest[low] >= -0.03
    net = _mean(study.differences(single, "ours", "mlp").values())
    if not np.isnan(net):
        yield "single-label: ours - MLP at least +.01", signed(net), net >= 0.01
    ranks = rank_table(study, single)[1]
    if ranks:
        best = min(ranks, key=ranks.get)
        figure = f"{number(ranks['ours'], 2)}, best {study.title(best)}"
        yield "single-label: best mean rank by log-loss", figure, best == "ours"


def _calibration_targets(study, names):
    """Yield the targets of calibration."""
    for other in ("rf", "rf_calibrated"):
        lacking = {}
        for name in names:
            found = study.all_records(name, "ours")
            if found and found[0]["n_train"] + found[0]["n_test"] >= 1000:
                lacking |= study.differences([name], "ours", other, "skill")
        if lacking:
            worst = min(lacking, key=lacking.get)
            figure = f"worst: {worst} {signed(lacking[worst])}"
            text = f"skill at most .003 below {study.title(other)}, from 1,000 rows"
            yield text, figure, lacking[worst] >= -0.003
    skills = [
        summary(study.differences(names, "stack", other, "skill"))
        for other in ("ours", "rf")
    ]
    if all(skills):
        low = min(each["mean"] for each in skills)
        yield "skill of the stack above net and forest", signed(low), low > 0
    counted = [
        name
        for name in names
        if (found := study.all_records(name, "ours"))
        and min(found[0]["train_positives"], found[0]["observed"]) >= 1000
    ]
    yield from _within(
        {n: prior_ratio(study, n, "ours") for n in counted}, 0.93, 1.07,
        "E/O / prior, from 1,000 positives",
    )  # fmt: skip
    slope = {"pooled": pooled_slope(study, names, "ours")}
    yield from _within(slope, 0.9, 1.15, "slope of fresh outcomes")
    for band in list(BANDS)[1:]:
        pooled = {"pooled": band_ratios(study, names, "ours")[band][0]}
        yield from _within(pooled, 0.7, 1.4, f"E/O of labels of {band} positives")
        each = {n: band_ratios(study, [n], "ours")[band] for n in names}
        each = {n: ratio for n, (ratio, count) in each.items() if count >= 100}
        yield from _within(each, 0.6, 1.7, f"the same, each set ({band})")
    matched = {"pooled": study.pooled(names, "ours", "predicted", "true")}
    yield from _within(matched, 0.9, 1.1, "predicted / true, matched prevalence")


def _within(values, low, high, text):
    """Yield one target: all values within bounds; nothing if there are none."""
    values = {n: value for n, value in values.items() if not np.isnan(value)}
    if values:
        name = max(values, key=lambda n: abs(np.log(values[n])))
        held = all(low <= value <= high for value in values.values())
        where = "" if name == "pooled" else f"furthest: {name} "
        bounds = f"{number(low, 2)} to {number(high, 2)}"
        yield f"{text}, {bounds}", where + number(values[name]), held


def targets(study, names, single):
    """Return the table of targets."""
    rows = [
        *_pair_targets(study, names, single),
        *_calibration_targets(study, names),
    ]
    run = [n for n in study.sets if not np.isnan(study.time_ratio(n, "ours"))]
    for measure, what in (("fit_seconds", ""), ("fit_cpu_seconds", ", processor time")):
        slow = [name for name in run if not study.is_fast(name, measure)]
        figure = f"{len(run) - len(slow)} of {len(run)}"
        if run:
            text = f"fit at most 3 RF 300 or 20 s, each set{what}"
            rows.append((text, figure, not slow))
    # A part of the sets decides nothing.
    is_complete = all(study.repeats(n, m) for n in names for m in ("ours", "rf"))
    so_far = "" if is_complete else " so far"
    rows = [[text, figure, yes(held) + so_far] for text, figure, held in rows]
    return _table(["target", "measured", "holds"], rows)


def _environment(study):
    """Return a sentence on runs, threads and load."""
    if not study.records:
        return ""
    found = list(study.records.values())
    loads = [record["load"] for record in found if "load" in record]
    dates = sorted(record["run"][:10] for record in found)
    limits = ", ".join(sorted({f"{record['limit']:g}" for record in found}))
    threads = ", ".join(sorted({str(record["threads"]) for record in found}))
    return (
        f"Run between {dates[0]} and {dates[-1]}, {threads} torch threads, two for "
        f"forests, at most {limits} seconds a cell; the load average at the start of a "
        f"cell was {np.median(loads or [np.nan]):.1f} in the median, "
        f"{max(loads, default=np.nan):.1f} at most. Other work of the machine "
        "lengthens the elapsed time of a fit."
    )


def page(records, cells, sets, methods):
    """Return the text of the page, without methods and tables that have no result."""
    study = Study(records, cells, sets, methods)
    sections = [
        f"# The untuned net against random forests\n\n{_head(study)}",
        _targets_section(study),
        *_score_sections(study),
        _calibration_section(study),
        _single_label_section(study),
        _section("Generated embeddings", (_EMBEDDINGS, by_set(study, ["embeddings"]))),
        _time_section(study),
        _section(
            "Where a forest is still better", forest_better(study, study.multilabel)
        ),
        _section(
            "Finished fits",
            ("Finished of planned, by set and method:", coverage(study)[1]),
        ),
    ]
    return "\n\n".join(section for section in sections if section)


_EMBEDDINGS = """\
6,000 normal inputs of 128 columns, and for each row the five largest of the 512 outputs
of a random net of two layers; one 70/30 split."""


def _head(study):
    """Return what is compared, how, and what has been run."""
    missing = (
        " Where labels are missing (tox21), peers are fitted per label on the observed "
        "rows."
    )
    described = [
        [study.title(m), study.methods[m].description()] for m in study.methods_run
    ]
    return f"""\
`ImbalancedMLPClassifier()`, all parameters at their defaults, against
`RandomForestClassifier(300)` and other classifiers, also untuned, on the same splits.
Macro AP is the mean average precision over the labels with a positive on both sides of
the split. Skill is one minus the log-loss over that of the training prevalences.

{coverage(study)[0]} A mean over repeats rests on those that are finished.

The plan has ten repeated stratified 70/30 splits for sets under 5,000 rows, for others
the published split or one stratified 70/30, with three seeds of ours, and five
stratified folds for single-label sets. Peers' probabilities are clipped to [1 / 2m, 1 -
1 / 2m], m training rows.{missing if study.repeats("tox21", "rf") else ""}
Scaled inputs are standardised (sparse ones divided by the largest value of the column).

{_environment(study)}

{table(["", "method"], described)}"""


def _targets_section(study):
    """Return the targets, and on how many sets they rest."""
    names, single = study.multilabel, study.names("classes")
    n_finished = [len(study.differences(n, "ours", "rf")) for n in (names, single)]
    intro = f"""\
Over the sets that are finished: {n_finished[0]} of {len(names)} multilabel sets and
{n_finished[1]} of {len(single)} single-label ones; of fewer than these a line says
nothing final."""
    return _section("Targets", (intro, targets(study, names, single)))


def _score_sections(study):
    """Return the sections on macro AP and on the log-loss."""
    names = study.multilabel
    against = [("ours", m) for m in study.methods_run if not study.methods[m].ours]
    stacked = [("stack", m) for m in ("ours", "rf", "et", "rf_calibrated")]
    error = """\
In brackets the standard error of the mean difference: over splits, sd * sqrt(1 / r +
n_test / n_train) with r splits, which share rows; with one split, that of the seeds
only."""
    means = """\
Means over the sets that both finished, and 95 % bootstrap interval over sets. Level is
a difference under .005."""
    stack = "The stack of net and trees:"
    picked = (
        "Against the peer that three folds inside the training part of the first split "
        "pick:"
    )
    yield _section(
        "Macro average precision",
        (error, main_table(study, names)),
        by_set(study, names),
        (means, comparison(study, against, names)),
        (stack, comparison(study, stacked[:3], names)),
        (picked, picked_section(study, names)[0]),
    )
    yield _section(
        "Log-loss skill",
        by_set(study, names, "skill"),
        comparison(study, against, names, "skill"),
        comparison(study, stacked, names, "skill"),
    )


def _calibration_section(study):
    """Return the section on sums of probabilities and slopes."""
    names = study.multilabel
    intro = f"""\
E/O is the sum of the probabilities over the number of positives, of all splits
together; */ prior* divides it by what the training prevalences give on the same splits.
The slope of fresh outcomes on log-odds is 1 where probabilities are calibrated, below 1
where they are over-confident: pooled, weighted by the inverse variance,
{number(pooled_slope(study, names, "ours"))} for ours and
{number(pooled_slope(study, names, "rf"))} for RF 300. The last columns are predicted
over true positives under `threshold="matched_prevalence"`."""
    bands = """\
E/O by the positives of a label in the whole set, on stratified random splits; a set has
a figure where a split has 100 test positives in the band:"""
    return _section(
        "Calibration",
        (intro, calibration_table(study, names)),
        (bands, band_table(study, names)),
    )


def _single_label_section(study):
    """Return the section on targets of one label a row."""
    single = study.names("classes")
    intro = (
        "Macro average precision over the classes; of the second class where there "
        "are two."
    )
    classes = [("ours", m) for m in SINGLE_LABEL_PEERS[:-1]]
    return _section(
        "Single-label sets",
        (intro, by_set(study, single)),
        comparison(study, classes, single),
        by_set(study, single, "skill"),
        rank_table(study, single)[0],
    )


def _time_section(study):
    """Return the section on fit times."""
    sets = [*study.multilabel, *study.names("classes"), "embeddings"]
    times = time_table(study, sets)
    intro = """\
Medians over splits and seeds, elapsed and in processor time (CPU) of all threads, which
other work of the machine changes less. RF 300 has two threads."""
    if any(not np.isnan(study.time_ratio(name, "ours")) for name in sets):
        intro += """ Ratios are of processor
times, to RF 300 on the same split in the same run. The target in processor time counts
RF 300 as if it used both cores all the time, and ours as if it used one."""
    against = """\
Macro AP against time; the ratio of times is the geometric mean over the sets:"""
    return _section(
        "Fit time", (intro, times), (against, cost_table(study, study.multilabel))
    )
