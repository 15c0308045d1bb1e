"""The methods that the study `forest.py` compares, as scikit-learn classifiers."""

import functools
import importlib
import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from joblib import Parallel, delayed
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from skimbalance.ensemble import MultilabelStackingClassifier
from skimbalance.neural_network import ImbalancedMLPClassifier

N_JOBS = 2


class PerLabel(ClassifierMixin, BaseEstimator):
    """One copy of a classifier for each label, on the rows where it is observed.

    A label of one value is predicted by it. Classifiers without threads of their own
    are fitted two at a time.
    """

    def __init__(self, estimator):
        self.estimator = estimator

    def fit(self, X, Y):
        own_threads = getattr(self.estimator, "n_jobs", None) is not None
        jobs = Parallel(1 if own_threads else N_JOBS, prefer="threads")
        self.fitted_ = jobs(delayed(self._fit_label)(X, y) for y in Y.T)
        return self

    def _fit_label(self, X, y):
        """Fit one label; return its value if it has only one."""
        values = np.unique(y[y >= 0])
        if len(values) < 2:
            return float(values[0]) if len(values) else 0.0
        if (y < 0).any():
            X, y = X[np.flatnonzero(y >= 0)], y[y >= 0]
        return clone(self.estimator).fit(X, y)

    def predict_proba(self, X):
        columns = [
            np.full(X.shape[0], each)
            if isinstance(each, float)
            else each.predict_proba(X)[:, 1]
            for each in self.fitted_
        ]
        return np.column_stack(columns)


class TabM(ClassifierMixin, BaseEstimator):
    """TabM with its default size (Gorishniy et al., ICLR 2025), for a label matrix.

    AdamW with the learning rate and decay of the authors' example; stopped by the
    log-loss of a tenth of the rows, with their patience of 16 epochs. Each of the 32
    submodels is trained on its own loss, and their probabilities are averaged.
    """

    def __init__(self, seed):
        self.seed = seed

    def fit(self, X, Y):
        import tabm

        torch.manual_seed(self.seed)
        X, Y = _dense(X), torch.as_tensor(Y, dtype=torch.float32).nan_to_num(-1)
        self.net_ = tabm.TabM.make(n_num_features=X.shape[1], d_out=Y.shape[1])
        optimizer = torch.optim.AdamW(
            self.net_.parameters(), lr=2e-3, weight_decay=3e-4
        )
        order = torch.randperm(len(X))
        held_out, rows = order[: len(X) // 10], order[len(X) // 10 :]
        best, patience, state = np.inf, 16, None
        while patience:
            self.net_.train()
            for batch in rows[torch.randperm(len(rows))].split(256):
                scores, target = self.net_(X[batch]), Y[batch, None]
                weight = (target >= 0).expand_as(scores).float()
                target = target.clamp(min=0).expand_as(scores)
                optimizer.zero_grad()
                (
                    cross_entropy(scores, target, weight, reduction="sum")
                    / len(batch)
                    / self.net_.k
                ).backward()
                optimizer.step()
            loss = self._loss(X[held_out], Y[held_out])
            patience -= 1
            if loss < best:
                best, patience = loss, 16
                state = {k: v.clone() for k, v in self.net_.state_dict().items()}
        self.net_.load_state_dict(state)
        return self

    def _loss(self, X, Y):
        """Return the log-loss of the averaged probabilities of observed entries."""
        proba = torch.as_tensor(self._proba(X)).clamp(1e-7, 1 - 1e-7)
        return torch.where(Y == 1, proba, 1 - proba)[Y >= 0].log().mean().neg().item()

    def _proba(self, X):
        self.net_.eval()
        with torch.inference_mode():
            return torch.cat([self.net_(x).sigmoid().mean(1) for x in X.split(1024)])

    def predict_proba(self, X):
        return self._proba(_dense(X)).numpy()


def _dense(X):
    return torch.as_tensor(X.toarray() if sparse.issparse(X) else X).float()


@dataclass(frozen=True)
class Method:
    """How a method is built and what it can read.

    `title` is its name in tables. `main` methods come first in the order of the study.
    `ours` come with calibrated probabilities, which are not clipped, and with three
    seeds. `reads_missing` is for NaN in place of a missing label. `needs` is a package
    without which the method is left out.
    """

    title: str
    build: Callable
    main: bool = False
    ours: bool = False
    per_label: bool = False
    scaled: bool = False
    reads_missing: bool = False
    needs: str = ""
    kinds: tuple = ("labels", "classes")

    def is_installed(self):
        """Whether the package that it needs is there."""
        return not self.needs or importlib.util.find_spec(self.needs) is not None

    def description(self):
        """Return the constructor call, and how labels and inputs are given."""
        if not self.is_installed():
            return f"of the package `{self.needs}`, not installed"
        call = re.sub(r"\s+", " ", repr(self.build(0)))
        # XGBoost shows the parameters that have no value, too.
        call = re.sub(r"\w+=None, (?=\w)|, \w+=None|, \.\.\.|missing=nan, ", "", call)
        per_label = ", for each label" if self.per_label else ""
        return f"`{call}`{per_label}{', scaled inputs' if self.scaled else ''}"

    def reads(self, kind):
        """Whether it takes part on sets of this kind; embeddings are labels too."""
        return kind in self.kinds or (kind == "embeddings" and "labels" in self.kinds)


def _seeded(cls, *args, **params):
    """Return a function of the seed that builds a classifier."""
    return lambda seed: cls(*args, random_state=seed, **params)


def _forest(cls, **params):
    return _seeded(cls, 300, n_jobs=N_JOBS, **params)


def _optional(module, name, **params):
    """Return the same for a class of a package that may be absent."""
    found = functools.partial(importlib.import_module, module)
    return lambda seed: getattr(found(), name)(
        n_jobs=N_JOBS, random_state=seed, **params
    )


def _calibrated_forest(seed):
    """Return a forest that is calibrated on its out-of-bag probabilities."""
    forest = _forest(RandomForestClassifier, oob_score=True)(seed)
    return MultilabelStackingClassifier([("forest", forest)])


_our = functools.partial(Method, main=True, ours=True, reads_missing=True)
_scaled = functools.partial(Method, scaled=True)
_linear = functools.partial(Method, scaled=True, per_label=True)
# With a label matrix, scikit-learn multiplies the weights of the labels of a row, which
# leaves a few rows that count: balanced forests are fitted per label.
_balanced = functools.partial(Method, per_label=True)
_early = functools.partial(_seeded, MLPClassifier, early_stopping=True)
METHODS = {
    "ours": _our("ours", _seeded(ImbalancedMLPClassifier)),
    "rf": Method("RF 300", _forest(RandomForestClassifier), main=True),
    "et": Method("ET 300", _forest(ExtraTreesClassifier), main=True),
    "lr": _linear("LR", _seeded(LogisticRegression, max_iter=1000), main=True),
    "mlp": _scaled("MLP", _seeded(MLPClassifier), main=True),
    "stack": _our("stack", _seeded(MultilabelStackingClassifier)),
    "rf_calibrated": Method("RF calibrated", _calibrated_forest, reads_missing=True),
    "rf_balanced": _balanced(
        "RF balanced", _forest(RandomForestClassifier, class_weight="balanced")
    ),
    "et_balanced": _balanced(
        "ET balanced", _forest(ExtraTreesClassifier, class_weight="balanced")
    ),
    "lr_balanced": _linear(
        "LR balanced",
        _seeded(LogisticRegression, max_iter=1000, class_weight="balanced"),
    ),
    "mlp_stopped": _scaled("MLP stopped", _early()),
    "mlp_256": _scaled("MLP 256", _early((256,)), main=True, kinds=("embeddings",)),
    "knn": _scaled("kNN", lambda _: KNeighborsClassifier(n_jobs=N_JOBS)),
    "hist": Method(
        "HistGB",
        _seeded(HistGradientBoostingClassifier),
        main=True,
        kinds=("classes",),
    ),
    "lightgbm": Method(
        "LightGBM",
        _optional("lightgbm", "LGBMClassifier", verbose=-1),
        per_label=True,
        needs="lightgbm",
    ),
    "xgboost": Method(
        "XGBoost",
        _optional("xgboost", "XGBClassifier"),
        per_label=True,
        needs="xgboost",
    ),
    "tabm": _scaled("TabM", TabM, reads_missing=True, needs="tabm", kinds=("labels",)),
}


def build(method, seed, X, kind, has_missing):
    """Return the unfitted classifier of a method for these data."""
    model = method.build(seed)
    if kind != "classes" and (
        method.per_label or (has_missing and not method.reads_missing)
    ):
        model = PerLabel(model)
    if method.scaled:
        # Centring would make a sparse matrix dense.
        scaler = MaxAbsScaler() if sparse.issparse(X) else StandardScaler()
        model = make_pipeline(scaler, model)
    if method.ours and kind != "classes":
        # Sets the thresholds only: training and probabilities stay the default's.
        model.set_params(threshold="matched_prevalence")
    return model


def label_probabilities(model, X):
    """Return the probability of each label, of a model of any form of the output."""
    proba = model.predict_proba(X)
    if not isinstance(proba, list):
        return np.asarray(proba, dtype=np.float64)
    columns = zip(proba, model.classes_, strict=True)
    return np.column_stack(
        [each[:, -1] * (classes[-1] == 1) for each, classes in columns]
    ).astype(np.float64)
