"""Threshold rules: objects that turn probabilities into predicted labels.

A rule holds parameters and is never fitted in place. It asks a `ThresholdSource` for
base rates and held-out thresholds: the fitted net, a classifier that wraps another one,
or known labels. A rule class derives from one of three abstract classes, each with one
abstract method:

- `PlainRule`: the thresholds follow from costs or from base rates,
- `HeldOutRule`: they are learnt from held-out rows,
- `RowRule`: the labels of a row are compared, without thresholds.

A class without that method cannot be instantiated, so no rule can act as another one.
CONTRIBUTING.md lists what belongs to a new rule.
"""

import difflib
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from skimbalance._base import DocLinkMixin, NamedParamsMixin, warn_undefined
from skimbalance._columns import (
    all_entries,
    iter_columns,
    mass_at_least,
    total,
)
from skimbalance._counts import have_both_values, rows_with_weight
from skimbalance._labels import BINARY, MULTICLASS, MULTILABEL
from skimbalance._validation import (
    check_beta,
    check_k,
    check_per_label,
    closest,
)
from skimbalance.thresholds._plug_in import (
    check_thresholds,
    f_beta_of_sums,
    midpoint_below,
    plug_in,
)

__all__ = [
    "Accuracy",
    "Cardinality",
    "Cost",
    "FBeta",
    "MatchedPrevalence",
    "MicroFBeta",
    "Prior",
    "TopK",
    "Uncorrected",
]

# The threshold of the greatest expected accuracy, and scikit-learn's default.
_DEFAULT = 0.5
# Sums of weights differ by rounding alone up to this fraction of the largest.
_TIE = 1e-12


# --------------------------------------------------------------------------
# What a rule is


class ThresholdSource(Protocol):
    """What a rule may ask of the classifier that predicts by it."""

    @property
    def prior(self) -> Any:
        """The base rate of each label."""

    @property
    def label_names(self) -> Any:
        """The names of the labels, or None."""

    def learnt_thresholds(self, rule) -> Any:
        """Return the thresholds that a `HeldOutRule` learnt from held-out rows."""

    def uncorrected_thresholds(self) -> Any:
        """Return the probabilities that belong to a raw score of 0."""


class ThresholdRule(DocLinkMixin, BaseEstimator, ABC):
    """Base of all rules.

    Attributes
    ----------
    target_types : tuple of str
        The kinds of target that the rule is for.
    needs_held_out : bool
        Whether the rule learns from rows that did not train the classifier.
    needs_rows : bool
        Whether it compares the labels of these rows. A net refuses such a rule: it
        keeps a summary of the held-out scores of each label, not the rows.
    depends_on_pos_label : bool
        Whether another positive class leads to other predictions. If so, users are
        warned where the majority counts as positive and `pos_label` is not set.
    """

    target_types: tuple[str, ...] = (BINARY, MULTILABEL)
    needs_held_out = False
    needs_rows = False
    depends_on_pos_label: Any = True

    def check(self, kind, n_labels, label_names=None):
        """Raise a ValueError unless the rule suits a target.

        Parameters
        ----------
        kind : str
            The kind of target.
        n_labels : int
            1 for a binary target.
        label_names : ndarray of str or None

        Raises
        ------
        ValueError
            If it does not.
        """
        if kind not in self.target_types:
            raise ValueError(f"threshold={self!r} {self._unsuited(kind)}")
        self._check_params(n_labels, label_names)

    def _unsuited(self, kind):
        text = f"is for {' and '.join(self.target_types)} targets, but y is {kind}."
        if kind != MULTICLASS:
            return text
        return (
            f"{text} For costs of errors between classes wrap the estimator in "
            "skimbalance.thresholds.MinimumExpectedCostClassifier; for balanced "
            "accuracy predict the largest of proba / prior_."
        )

    def _check_params(self, n_labels, label_names):
        """Raise a ValueError unless the parameters make sense."""

    @abstractmethod
    def thresholds(self, source: ThresholdSource) -> NDArray[np.float64] | None:
        """Return a threshold for each label, or None where rows are compared.

        Parameters
        ----------
        source : ThresholdSource
        """

    def predict(self, proba, thresholds):
        """Return which labels are predicted.

        Parameters
        ----------
        proba : ndarray of shape (n_samples, n_labels)
        thresholds : ndarray of shape (n_labels,) or None
            From `thresholds`.

        Returns
        -------
        predicted : ndarray of bool, shape (n_samples, n_labels)
        """
        return proba > thresholds

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags._skip_test = True  # a rule has no fit, which most of the checks call
        return tags


class PlainRule(ThresholdRule):
    """Base of the rules whose thresholds need no held-out rows."""


class HeldOutRule(ThresholdRule):
    """Base of the rules that learn thresholds from held-out rows."""

    needs_held_out = True

    def thresholds(self, source):
        return source.learnt_thresholds(self)

    @abstractmethod
    def learn(self, labels, proba, weight) -> NDArray[np.float64]:
        """Return a threshold for each label.

        Parameters
        ----------
        labels, proba, weight : ndarray
            As `iter_columns` takes them; every label has a positive and a negative.
        """


class RowRule(ThresholdRule):
    """Base of the rules that compare the labels of a row."""

    target_types = (MULTILABEL,)

    def thresholds(self, source):  # noqa: ARG002
        return None

    def _unsuited(self, kind):
        return (
            f"compares the labels of a row: it needs a label matrix, but y is {kind}."
        )

    def predict(self, proba, thresholds=None):  # noqa: ARG002
        return _most_probable(proba, self.n_predicted(proba))

    @abstractmethod
    def n_predicted(self, proba) -> Any:
        """Return how many labels of each row are predicted.

        Parameters
        ----------
        proba : ndarray of shape (n_samples, n_labels)

        Returns
        -------
        n_predicted : int or ndarray of int, shape (n_samples,)
        """


def _most_probable(proba, n_predicted):
    """Return which labels are among the most probable; of equal ones the first."""
    # Only a stable sort keeps the order of labels of equal probability.
    order = np.argsort(-proba, axis=1, kind="stable")
    ranks = np.arange(proba.shape[1])
    chosen = ranks < np.broadcast_to(n_predicted, (len(proba),))[:, None]
    predicted = np.zeros(proba.shape, dtype=bool)
    np.put_along_axis(predicted, order, chosen, axis=1)
    return predicted


# --------------------------------------------------------------------------
# Rules that need no held-out rows


class Given(PlainRule):
    """Threshold at given numbers: what a float or an array as `threshold` stands for.

    Parameters
    ----------
    value : float, array-like of shape (n_labels,), dict or pandas Series
        On the probabilities; a dict or a Series by the names of the labels.
    """

    target_types = (BINARY, MULTICLASS, MULTILABEL)

    def __init__(self, value: Any = _DEFAULT):
        self.value = value

    @property
    def depends_on_pos_label(self):
        """Whether a threshold is not 0.5, where both classes are alike."""
        return not self.is_default

    @property
    def is_default(self):
        """Whether the thresholds are 0.5."""
        return np.ndim(self.value) == 0 and self.value == _DEFAULT

    def check(self, kind, n_labels, label_names=None):
        if kind != MULTICLASS:
            check_thresholds(self.value, n_labels, label_names)
        # The classes of a multiclass target compete: there is nothing to threshold.
        elif not self.is_default:
            raise ValueError(
                f"threshold={self.value!r}: for a multiclass target, the class of the "
                "largest probability is predicted (leave the default, 0.5), or that of "
                "the largest raw score ('uncorrected')."
            )

    def thresholds(self, source):
        names = source.label_names
        return check_thresholds(self.value, len(source.prior), names)


class Accuracy(PlainRule):
    """Threshold at 0.5, which has the greatest expected accuracy of each label.

    Its name as a string is ``"accuracy"``.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skimbalance.thresholds import Accuracy, MultilabelFixedThresholdClassifier
    >>> X, y = make_classification(random_state=0)
    >>> model = MultilabelFixedThresholdClassifier(
    ...     LogisticRegression(), threshold=Accuracy())
    >>> model.fit(X, y).thresholds_
    array([0.5])
    """

    depends_on_pos_label = False

    def thresholds(self, source):
        return np.full(len(source.prior), _DEFAULT)


class Prior(PlainRule):
    """Threshold at the base rate, which suits the balanced accuracy of each label.

    Its name as a string is ``"prior"``. A label of one value is thresholded at 0.5.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skimbalance.thresholds import MultilabelFixedThresholdClassifier, Prior
    >>> X, y = np.arange(10.0).reshape(-1, 1), np.repeat([0, 1], [8, 2])
    >>> model = MultilabelFixedThresholdClassifier(
    ...     LogisticRegression(), threshold=Prior())
    >>> model.fit(X, y).thresholds_
    array([0.2])
    """

    depends_on_pos_label = False

    def thresholds(self, source):
        prior = np.asarray(source.prior)
        # At 0 or 1 a label of one value would be predicted as the other one.
        return np.where((prior > 0) & (prior < 1), prior, _DEFAULT)


class Cost(PlainRule):
    """Threshold where a false positive and a false negative are expected to cost alike.

    Its name as a string is ``"cost"``, which has equal costs.

    The threshold is ``cost_fp / (cost_fp + cost_fn)``. Right predictions cost nothing.
    Where they do, take the differences: `cost_fp` is what a predicted positive costs
    more than a predicted negative in a row that is negative, `cost_fn` what it costs
    less in one that is positive. If each check costs c, also that of a true positive,
    and a missed positive costs m, the rule is ``Cost(cost_fp=c, cost_fn=m - c)``: the
    threshold ``c / m``. An importance w of a label multiplies both costs and cancels.
    Costs belong here and not into `pos_weight`: as weights, whether corrected or not,
    they lead to a higher cost.

    Parameters
    ----------
    cost_fp, cost_fn : float, array-like of shape (n_labels,), dict or pandas Series, \
            default=1.0
        Costs of a false positive and of a false negative; a dict or a Series has the
        cost of each label by its name, or that of the positive class of a binary
        target by the name of this class.

    References
    ----------
    .. [1] Elkan, "The Foundations of Cost-Sensitive Learning", IJCAI 2001.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skimbalance.thresholds import Cost, MultilabelFixedThresholdClassifier
    >>> X, y = make_classification(random_state=0)
    >>> model = MultilabelFixedThresholdClassifier(
    ...     LogisticRegression(), threshold=Cost(cost_fn=9))
    >>> model.fit(X, y).thresholds_
    array([0.1])

    Each check costs 5, and a missed positive costs 200:

    >>> by_check = model.set_params(threshold=Cost(cost_fp=5, cost_fn=200 - 5))
    >>> by_check.fit(X, y).thresholds_
    array([0.025])
    """

    def __init__(self, cost_fp=1.0, cost_fn=1.0):
        self.cost_fp = cost_fp
        self.cost_fn = cost_fn

    @property
    def depends_on_pos_label(self):
        """Whether the two errors differ in their costs."""
        # An array holds the costs of several labels, which are taken to differ.
        costs = (np.ndim(self.cost_fp) == 0, np.ndim(self.cost_fn) == 0)
        return not all(costs) or self.cost_fp != self.cost_fn

    def _check_params(self, n_labels, label_names):
        self._costs(n_labels, label_names)

    def _costs(self, n_labels, label_names):
        """Return both costs of each label."""
        costs = np.empty((2, n_labels))
        for row, name in zip(costs, ("cost_fp", "cost_fn"), strict=True):
            cost = getattr(self, name)
            row[:] = check_per_label(name, cost, n_labels, names=label_names, low=0)
        if not costs.any(axis=0).all():
            raise ValueError("cost_fp and cost_fn must not both be 0.")
        return costs

    def thresholds(self, source):
        cost_fp, cost_fn = self._costs(len(source.prior), source.label_names)
        return cost_fp / (cost_fp + cost_fn)


class Uncorrected(PlainRule):
    """Threshold the raw score of a net at 0, before loss and weights are corrected.

    Its name as a string is ``"uncorrected"``.

    This is the trade-off that `pos_weight` and the loss of a net of
    `skimbalance.neural_network` asked for. The threshold of a label is the probability
    that raw scores of 0 stand for, in all members. For a multiclass target, the class
    of the largest raw score is predicted. Other classifiers have no raw scores.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from skimbalance.neural_network import ImbalancedMLPClassifier
    >>> from skimbalance.thresholds import Uncorrected
    >>> X, y = make_classification(random_state=0)
    >>> net = ImbalancedMLPClassifier(
    ...     (), pos_weight="balanced", threshold=Uncorrected(), random_state=0)
    >>> net.fit(X, y).predict(X).shape
    (100,)
    """

    target_types = (BINARY, MULTICLASS, MULTILABEL)
    depends_on_pos_label = False

    def thresholds(self, source):
        return source.uncorrected_thresholds()


# --------------------------------------------------------------------------
# Rules that learn from held-out rows


class FBeta(HeldOutRule):
    """Threshold each label where its expected F-beta is greatest.

    The plug-in threshold of `plug_in_threshold`, of held-out probabilities.
    Its name as a string is ``"f_beta"``, with a beta of 1.

    Parameters
    ----------
    beta : float, default=1.0
        Weight of the recall: 0 is the precision, infinity the recall.
    guard : bool, default=False
        Use `MatchedPrevalence` for a label that would be predicted in every row, as its
        best expected F-beta is that of predicting all. This lowers the expected F-beta;
        it avoids useless predictions.

    See Also
    --------
    plug_in_threshold : The thresholds of given probabilities.
    MicroFBeta : One threshold for all labels.

    References
    ----------
    .. [1] Lipton, Elkan, Naryanaswamy, "Optimal Thresholding of Classifiers to Maximize
       F1 Measure", ECML PKDD 2014.

    Examples
    --------
    >>> from sklearn.datasets import make_multilabel_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.multiclass import OneVsRestClassifier
    >>> from skimbalance.thresholds import FBeta, MultilabelFixedThresholdClassifier
    >>> X, Y = make_multilabel_classification(random_state=0)
    >>> model = MultilabelFixedThresholdClassifier(
    ...     OneVsRestClassifier(LogisticRegression()), threshold=FBeta(beta=2))
    >>> model.fit(X, Y).thresholds_.shape
    (5,)
    """

    def __init__(self, beta=1.0, guard=False):
        self.beta = beta
        self.guard = guard

    def _check_params(self, n_labels, label_names):  # noqa: ARG002
        check_beta(self.beta)

    def learn(self, labels, proba, weight):
        columns = iter_columns(labels, proba, weight)
        return np.array([self._learn_label(*column) for column in columns])

    def _learn_label(self, target, proba, weight):
        """Return the threshold of one label, by `MatchedPrevalence` where guarded."""
        threshold, best = plug_in(proba, self.beta, weight)
        if not self.guard:
            return threshold
        n_positive = total(weight, target)
        n_rows = len(proba) if weight is None else weight.sum()
        of_all = f_beta_of_sums(self.beta, n_positive, n_rows, n_positive)
        is_useless = best <= of_all or proba.min() > threshold
        return _matched_threshold(target, proba, weight) if is_useless else threshold


class MicroFBeta(HeldOutRule):
    """Threshold all labels at one value, where the expected micro F-beta is greatest.

    Its name as a string is ``"micro_f_beta"``, with a beta of 1.

    Parameters
    ----------
    beta : float, default=1.0
        Weight of the recall: 0 is the precision, infinity the recall.

    See Also
    --------
    FBeta : A threshold for each label.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import make_multilabel_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.multiclass import OneVsRestClassifier
    >>> from skimbalance.thresholds import (
    ...     MicroFBeta, MultilabelFixedThresholdClassifier)
    >>> X, Y = make_multilabel_classification(random_state=0)
    >>> model = MultilabelFixedThresholdClassifier(
    ...     OneVsRestClassifier(LogisticRegression()), threshold=MicroFBeta())
    >>> np.ptp(model.fit(X, Y).thresholds_)
    np.float64(0.0)
    """

    def __init__(self, beta=1.0):
        self.beta = beta

    def _check_params(self, n_labels, label_names):  # noqa: ARG002
        check_beta(self.beta)

    def learn(self, labels, proba, weight):
        _, proba, weight = all_entries(labels, proba, weight)
        return np.full(labels.shape[1], plug_in(proba, self.beta, weight)[0])


class MatchedPrevalence(HeldOutRule):
    """Predict each label in as many held-out rows as have it.

    Its name as a string is ``"matched_prevalence"``.

    See Also
    --------
    Prior : The threshold at the base rate itself.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skimbalance.thresholds import (
    ...     MatchedPrevalence, MultilabelFixedThresholdClassifier)
    >>> X, y = make_classification(weights=[0.8], random_state=0)
    >>> model = MultilabelFixedThresholdClassifier(
    ...     LogisticRegression(), threshold=MatchedPrevalence())
    >>> 10 < model.fit(X, y).predict(X).sum() < 30
    np.True_
    """

    depends_on_pos_label = False

    def learn(self, labels, proba, weight):
        columns = iter_columns(labels, proba, weight)
        return np.array([_matched_threshold(*column) for column in columns])


def _matched_threshold(target, score, weight):
    """Return the threshold that as many scores exceed as there are positives.

    Equal scores lie on one side, so the nearest possible number is taken.
    """
    wanted = total(weight, target)
    levels = np.unique(score)
    # The last entry is a threshold above all scores, where nothing is predicted.
    mass = np.append(mass_at_least(score, levels, weight), 0)
    gap = np.abs(mass - wanted)
    # Where two levels are equally near, rounding must not choose between them.
    best = np.argmax(gap <= gap.min() + _TIE * mass[0])
    if best == len(levels):
        return np.float64(levels[-1])
    return midpoint_below(score, levels[best], lowest=0.0)


def learn_thresholds(rule, labels, proba, weight: Any = None):
    """Return the thresholds of a rule on held-out rows.

    A label without a positive, a negative or an observed entry among them is
    thresholded at 0.5, with one warning.

    Parameters
    ----------
    rule : HeldOutRule
    labels, proba, weight : ndarray
        As `iter_columns` takes them; of rows that did not train what gave `proba`.

    Returns
    -------
    thresholds : ndarray of float64, shape (n_labels,)
    """
    kept = rows_with_weight(weight)
    if kept is not None:  # no threshold lies at the score of a row that is absent
        labels, proba, weight = labels[kept], proba[kept], weight[kept]
    known = have_both_values(labels, weight)
    thresholds = np.full(len(known), _DEFAULT)
    if not known.all():
        warn_undefined(
            f"{(~known).sum()} of {len(known)} labels have one value only, or none, in "
            f"the held-out rows: they are thresholded at {_DEFAULT}."
        )
    if known.any():
        if weight is not None and weight.ndim == 2:
            weight = weight[:, known]
        thresholds[known] = rule.learn(labels[:, known], proba[:, known], weight)
    return thresholds


# --------------------------------------------------------------------------
# Rules that compare the labels of a row


class TopK(RowRule):
    """Predict the k most probable labels of each row; of equal ones the first.

    Its name as a string is ``"top_k"``, which predicts one label.

    Parameters
    ----------
    k : int, default=1
        At most the number of labels.

    Examples
    --------
    >>> from sklearn.datasets import make_multilabel_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.multiclass import OneVsRestClassifier
    >>> from skimbalance.thresholds import MultilabelFixedThresholdClassifier, TopK
    >>> X, Y = make_multilabel_classification(random_state=0)
    >>> model = MultilabelFixedThresholdClassifier(
    ...     OneVsRestClassifier(LogisticRegression()), threshold=TopK(k=2))
    >>> set(model.fit(X, Y).predict(X).sum(axis=1).tolist())
    {2}
    """

    def __init__(self, k=1):
        self.k = k

    def _check_params(self, n_labels, label_names):  # noqa: ARG002
        check_k(self.k, n_labels)

    def n_predicted(self, proba):  # noqa: ARG002
        return int(self.k)


class Cardinality(RowRule):
    """Predict as many labels of a row as it is expected to have.

    Its name as a string is ``"cardinality"``.

    The expected number is the sum of the probabilities of the row, rounded.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import make_multilabel_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.multiclass import OneVsRestClassifier
    >>> from skimbalance.thresholds import (
    ...     Cardinality, MultilabelFixedThresholdClassifier)
    >>> X, Y = make_multilabel_classification(random_state=0)
    >>> model = MultilabelFixedThresholdClassifier(
    ...     OneVsRestClassifier(LogisticRegression()), threshold=Cardinality())
    >>> expected = model.fit(X, Y).predict_proba(X).sum(axis=1)
    >>> bool((model.predict(X).sum(axis=1) == np.rint(expected)).all())
    True
    """

    def n_predicted(self, proba):
        return np.rint(proba.sum(axis=1)).astype(int)


# --------------------------------------------------------------------------
# Names

RULES: dict[str, type[ThresholdRule]] = {
    "accuracy": Accuracy,
    "cardinality": Cardinality,
    "cost": Cost,
    "f_beta": FBeta,
    "micro_f_beta": MicroFBeta,
    "prior": Prior,
    "matched_prevalence": MatchedPrevalence,
    "top_k": TopK,
    "uncorrected": Uncorrected,
}
# What other libraries and papers call the rules.
_SYNONYMS = {
    "balanced_accuracy": "prior",
    "base_rate": "prior",
    "cost_matrix": "cost",
    "cost_sensitive": "cost",
    "default": "accuracy",
    "elkan": "cost",
    "f0.5": "f_beta",
    "f1": "f_beta",
    "f1_macro": "f_beta",
    "f1_micro": "micro_f_beta",
    "f1_score": "f_beta",
    "f2": "f_beta",
    "f_score": "f_beta",
    "macro_f1": "f_beta",
    "macro_f_beta": "f_beta",
    "rate": "matched_prevalence",
    "micro_f1": "micro_f_beta",
    "plug_in": "f_beta",
    "prevalence": "prior",
    "raw": "uncorrected",
}


def _check_name(name):
    """Raise a ValueError with the nearest name unless there is a rule of this name."""
    if name in RULES:
        return
    plain = name.lower().replace("-", "_").replace(" ", "_")
    # The nearest name alone would mislead: "prevalance" is a part of
    # "matched_prevalence", but means "prevalence", a synonym of "prior".
    hint = closest(plain, RULES)
    synonyms = difflib.get_close_matches(plain, _SYNONYMS, n=1)
    if plain in _SYNONYMS:
        hint = f" Did you mean {_SYNONYMS[plain]!r}?"
    elif synonyms and repr(_SYNONYMS[synonyms[0]]) not in hint:
        known = f"{_SYNONYMS[synonyms[0]]!r} ({synonyms[0]})"
        hint = f"{hint[:-1]} or {known}?" if hint else f" Did you mean {known}?"
    raise ValueError(
        f"threshold={name!r} is not known.{hint} Use a number, an array, a rule object "
        f"of skimbalance.thresholds, or one of {', '.join(map(repr, sorted(RULES)))}."
    )


def resolve_rule(threshold: Any) -> ThresholdRule:
    """Return the rule object that a `threshold` parameter stands for.

    Parameters
    ----------
    threshold : float, array-like, dict, pandas Series, str or ThresholdRule
        A name stands for the rule with its default parameters.
    """
    if isinstance(threshold, str):
        _check_name(threshold)
        return RULES[threshold]()
    # A class has most attributes of a rule, and would fail only after training.
    if isinstance(threshold, type) and issubclass(threshold, ThresholdRule):
        raise TypeError(
            f"threshold={threshold.__name__} is a class: pass an object, "
            f"{threshold.__name__}()."
        )
    return threshold if isinstance(threshold, ThresholdRule) else Given(threshold)


def _check_has_params(threshold, params):
    """Raise a ValueError that shows the rule object if a name is given parameters."""
    if not params or hasattr(threshold, "get_params"):
        return
    if not isinstance(threshold, str):
        raise ValueError(
            f"threshold={threshold!r} is a number or has one for each label, and no "
            "parameters; pass a rule object of skimbalance.thresholds, such as "
            "threshold=FBeta(beta=2)."
        )
    _check_name(threshold)
    rule = RULES[threshold]
    known = rule._get_param_names()
    for name in params.keys() - set(known):
        raise ValueError(
            f"{rule.__name__}, the rule of threshold={threshold!r}, has no parameter "
            f"{name!r}.{closest(name, known)} It has {known}."
        )
    shown = ", ".join(f"{name}={value!r}" for name, value in sorted(params.items()))
    raise ValueError(
        f'threshold="{threshold}" is a name and has no parameters; pass '
        f"threshold={rule.__name__}({shown})."
    )


class RuleParamsMixin(NamedParamsMixin):
    """Explain that ``threshold__beta`` needs a rule object."""

    _nested_checks: ClassVar = {"threshold": _check_has_params}


def is_same_rule(first: ThresholdRule, second: ThresholdRule) -> bool:
    """Whether two rules have one class and the same parameters."""
    if type(first) is not type(second):
        return False
    # Parameters may be arrays, which have no single truth value.
    params, others = first.get_params(), second.get_params()
    return all(np.array_equal(params[name], others[name]) for name in params)
