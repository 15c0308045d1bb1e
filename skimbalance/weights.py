"""Weights computed from the counts of labels or classes.

A *positive weight* acts within a label, on its positive term only. It distorts the
probabilities, and the estimators correct them for it. A *label weight* acts across
labels and distorts nothing.

A scheme is one function of two counts, the count that is weighed and the count that it
is compared with. `WEIGHT_SCHEMES` holds those of `compute_pos_weight`: the positives
are compared with the negatives, a class with ``n_samples / n_classes``, so that
``"balanced"`` is scikit-learn's ``n_samples / (n_classes * n_k)``.
`LABEL_WEIGHT_SCHEMES` holds those of `compute_label_weight`, by the same names: a label
is compared with the most frequent one.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skimbalance._base import DocLinkMixin
from skimbalance._counts import MISSING, check_label_counts, count_labels
from skimbalance._labels import (
    BINARY,
    MULTICLASS,
    MULTILABEL,
    Target,
    check_target,
    encode_like,
)
from skimbalance._validation import (
    check_choice,
    check_interval,
    check_same_length,
    check_weights,
    column_order,
)

__all__ = [
    "LABEL_WEIGHT_SCHEMES",
    "PosWeightTransformer",
    "WEIGHT_SCHEMES",
    "compute_class_weight",
    "compute_label_weight",
    "compute_pos_weight",
]


# For the error of a weight that is not finite: negatives over positives, computed by
# hand, is infinite without positives.
UNDEFINED_RATIO = (
    " A label without positives or without negatives has no ratio to weigh by; "
    "compute_pos_weight of skimbalance.weights returns 1 for it."
)


def _balanced(count, reference, **_):
    return reference / count


def _sqrt(count, reference, **_):
    return np.sqrt(reference / count)


def _log(count, reference, **_):
    # 1 is added, since the weight would be negative where positives are the majority.
    return np.log1p(reference / count)


def _power(count, reference, *, power, **_):
    return (reference / count) ** power


def _effective_ratio(count, reference, *, beta, **_):
    # The factor 1 / (1 - beta) of both numbers cancels.
    return _effective_number(reference, beta) / _effective_number(count, beta)


def _effective_number(count, beta):
    """Return the effective number of Cui et al. (2019) times ``1 - beta``.

    ``1 - beta ** count`` without the cancellation that a beta near 1 brings; of a beta
    of 0 the logarithm is infinite.
    """
    return np.ones_like(count) if beta == 0 else -np.expm1(count * np.log(beta))


WEIGHT_SCHEMES = {
    "balanced": _balanced,
    "effective_number": _effective_ratio,
    "log": _log,
    "power": _power,
    "sqrt": _sqrt,
}


def _among_labels(scheme):
    """Return a scheme that compares each label with the most frequent one."""
    # The negatives do not serve here: nearly all rows are negatives of any rare label.
    return lambda count, **params: scheme(count, count.max(), **params)


def _inverse_effective_number(count, *, beta, **_):
    return (1 - beta) / _effective_number(count, beta)


LABEL_WEIGHT_SCHEMES = {
    **{name: _among_labels(scheme) for name, scheme in WEIGHT_SCHEMES.items()},
    # The weight of Cui et al. (2019) depends on the count of the label alone.
    "effective_number": _inverse_effective_number,
}


def _class_counts(index, n_classes, sample_weight):
    """Return the count of each class, and the mean count, which it is compared with.

    A class whose rows all have weight 0 is none, as if they were absent.
    """
    counts = np.bincount(index, weights=sample_weight, minlength=n_classes)
    mean = counts.sum() / max(np.count_nonzero(counts), 1)
    return counts.astype(float), np.full(n_classes, mean)


def _count_target(target, sample_weight):
    """Return the count of each output and the count that it is compared with."""
    values = target.values
    if target.kind == MULTICLASS:
        weight = check_weights(sample_weight, len(values))
        return _class_counts(values, len(target.classes), weight)
    weight = check_weights(sample_weight, *values.shape, label_names=target.label_names)
    return count_labels(values, weight)


def _resolve_counts(y, label_counts, n_samples, sample_weight):
    """Return both counts of each label, from the targets or from given counts."""
    if (y is None) == (label_counts is None):
        raise ValueError("Pass exactly one of y and label_counts.")
    if label_counts is None:
        if n_samples is not None:
            raise ValueError("n_samples goes with label_counts, not with y.")
        check_same_length(y=y, sample_weight=sample_weight)
        return _count_target(check_target(y), sample_weight)
    if sample_weight is not None:
        raise ValueError(
            "sample_weight goes with y; label_counts must be weighted already."
        )
    return check_label_counts(label_counts, n_samples)


def _check_weight_by_class(weight, target):
    """Raise a ValueError for one number as the `pos_weight` of several classes.

    It would multiply the loss of every row, and change nothing.
    """
    is_number = not isinstance(weight, Mapping) and np.ndim(weight) == 0
    if is_number and target.kind == MULTICLASS:
        raise ValueError(
            f"pos_weight={weight!r} is a single number, which would weigh the "
            f"{target.n_outputs} classes alike. Pass a weight for each class, as an "
            "array in the order of classes_ or as a dict, or a scheme such as "
            "'balanced'; class_weight takes some of the classes, and 1 for the rest."
        )


def _check_power_and_beta(power, beta):
    check_interval("power", power, -np.inf, closed="neither")
    check_interval("beta", beta, 0, 1, closed="left")


def _normalize(weight, defined, normalize):
    """Scale the weights of the labels with counts to mean 1 or sum 1."""
    check_choice("normalize", normalize, {"mean", "sum"})
    scale = weight[defined].sum()
    if normalize == "mean":
        scale /= max(defined.sum(), 1)  # all may be undefined: their sum is 0
    return np.where(defined, weight / scale, weight) if scale > 0 else weight


def _weigh(scheme, *counts, smoothing, cap, normalize, **params):
    """Return the weights of a scheme; a label whose counts do not define one gets 1."""
    check_interval("smoothing", smoothing, 0)
    if cap is not None:
        check_interval("cap", cap, 0, closed="neither")
    counts = np.array(counts) + smoothing
    # A count of 0 would make a weight 0 or infinite, or NaN after the scaling.
    defined = (counts > 0).all(axis=0)
    weight = np.ones(counts.shape[1])
    if defined.any():
        weight[defined] = scheme(*counts[:, defined], **params)
    # Before the normalisation, which would make the bound depend on other labels.
    if cap is not None:
        weight = np.minimum(weight, cap)
    return weight if normalize is None else _normalize(weight, defined, normalize)


def compute_pos_weight(
    y: Any = None,
    scheme: str = "balanced",
    *,
    label_counts: Any = None,
    n_samples: int | None = None,
    power: float = 0.5,
    beta: float = 0.999,
    smoothing: float = 0.0,
    cap: float | None = None,
    normalize: str | None = None,
    sample_weight: Any = None,
) -> np.ndarray:
    r"""Compute the weight of the positives of each label.

    With :math:`n_+` positives and :math:`n_-` negatives among the observed entries of
    a label, the weight is

    ======================  ==================================================
    ``"balanced"``          :math:`n_- / n_+`
    ``"sqrt"``              :math:`\sqrt{n_- / n_+}`
    ``"log"``               :math:`\log(1 + n_- / n_+)`
    ``"power"``             :math:`(n_- / n_+)^{power}`
    ``"effective_number"``  :math:`(1 - \beta^{n_-}) / (1 - \beta^{n_+})` [1]_
    ======================  ==================================================

    Parameters
    ----------
    y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
        0, 1 and NaN for a missing label; or the 1-D target of a binary or multiclass
        problem. Never densified.
    scheme : str, default="balanced"
        A name in `WEIGHT_SCHEMES`.
    label_counts : array-like of shape (n_labels,) or pair of such, default=None
        Instead of `y`: the positives of each label, together with `n_samples`; or the
        pair ``(n_positive, n_negative)`` of arrays, of one label ``([100], [900])``.
    n_samples : int, default=None
        The number of rows that `label_counts` were counted on.
    power : float, default=0.5
        Exponent of ``"power"``: 0 is no weight, 1 is ``"balanced"``.
    beta : float, default=0.999
        In [0, 1), for ``"effective_number"``: 0 is no weight, towards 1 is
        ``"balanced"``.
    smoothing : float, default=0.0
        Added to both counts.
    cap : float, default=None
        No weight is larger, before normalisation.
    normalize : {None, "mean", "sum"}, default=None
        ``"mean"`` scales the weights to mean 1 over the labels (their sum is
        `n_labels`), ``"sum"`` to sum 1.
    sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels)
        Entries are counted with these weights; by default each counts 1.

    Returns
    -------
    pos_weight : ndarray of float64, shape (n_labels,)
        For a 1-D binary `y`, shape (1,): the weight of ``classes[1]``. For a multiclass
        `y`, shape (n_classes,), with :math:`n / n_{classes}` in the place of
        :math:`n_-`. A label without positives or without negatives (after smoothing)
        has weight 1.

    Raises
    ------
    ValueError
        Unless exactly one of `y` and `label_counts` is given; if `label_counts` is two
        numbers without `n_samples`, a count is negative, the scheme is unknown, or a
        parameter is out of its range.

    See Also
    --------
    compute_label_weight : Weights across labels.
    PosWeightTransformer : The same as an estimator, to search over.

    References
    ----------
    .. [1] Cui, Jia, Lin, Song, Belongie, "Class-Balanced Loss Based on Effective Number
       of Samples", CVPR 2019. The ratio is its form for labels.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.weights import compute_pos_weight
    >>> Y = np.array([[1, 0], [0, 1], [1, 0], [1, 0]])
    >>> compute_pos_weight(Y)
    array([0.33333333, 3.        ])
    >>> compute_pos_weight(label_counts=[1000, 100, 10], n_samples=10_000)
    array([  9.,  99., 999.])
    >>> compute_pos_weight(np.repeat([0, 1, 2, 3], [198, 436, 710, 272])).round(2)
    array([2.04, 0.93, 0.57, 1.49])
    """
    check_choice("scheme", scheme, WEIGHT_SCHEMES)
    _check_power_and_beta(power, beta)
    positive, negative = _resolve_counts(y, label_counts, n_samples, sample_weight)
    return _weigh(
        WEIGHT_SCHEMES[scheme],
        positive,
        negative,
        smoothing=smoothing,
        cap=cap,
        normalize=normalize,
        power=power,
        beta=beta,
    )


def _class_weights(target, class_weight, sample_weight=None):
    """Return the weight of each class of a 1-D target.

    Parameters
    ----------
    target : Target
        Binary or multiclass.
    class_weight : str or dict
        As in `compute_class_weight`.
    sample_weight : ndarray of shape (n_samples,) or None
        The weights with which a scheme counts the rows.
    """
    classes = target.classes.tolist()
    if not isinstance(class_weight, str):
        return _given_weights(class_weight, classes)
    check_choice("class_weight", class_weight, WEIGHT_SCHEMES)
    counts = _class_counts(target.class_index, len(classes), sample_weight)
    # For a class, the count that it is compared with takes the place of the negatives.
    return compute_pos_weight(label_counts=counts, scheme=class_weight)


def compute_class_weight(
    y: Any,
    class_weight: str | Mapping = "balanced",
    *,
    normalize: str | None = None,
    sample_weight: Any = None,
) -> dict[Any, float]:
    """Compute the `class_weight` of a 1-D target as a dict.

    A class weight is a sample weight by class, and so part of the data: predicted
    probabilities are those of the weighted data. To weigh the training only, pass
    `pos_weight`.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Classes.
    class_weight : str or dict, default="balanced"
        A name in `WEIGHT_SCHEMES`, or the weight of each class; a class that is not in
        the dict has weight 1, as in scikit-learn.
    normalize : {None, "mean", "sum"}, default=None
        ``"mean"`` scales the weights to mean 1 over the classes (their sum is
        `n_classes`), ``"sum"`` to sum 1.
    sample_weight : array-like of shape (n_samples,), default=None
        The weights with which a scheme counts the rows, as in scikit-learn.

    Returns
    -------
    class_weight : dict
        The weight of each class of `y`, as the estimators and scikit-learn take it.

    Raises
    ------
    ValueError
        If the scheme is unknown, a weight is not a finite number of at least 0, or the
        dict names a class that is not in `y`.

    See Also
    --------
    compute_pos_weight : The same weights as an array, which are corrected for.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.weights import compute_class_weight
    >>> y = np.repeat([0, 1, 2, 3], [198, 436, 710, 272])
    >>> weight = compute_class_weight(y, normalize="mean")
    >>> {k: round(w, 2) for k, w in weight.items()}
    {0: 1.63, 1: 0.74, 2: 0.45, 3: 1.18}
    """
    target = check_target(y)
    if target.kind == MULTILABEL:
        raise ValueError(
            "class_weight goes with a 1-D y. For a label matrix use compute_pos_weight "
            "or compute_label_weight."
        )
    check_same_length(y=y, sample_weight=sample_weight)
    sample_weight = check_weights(sample_weight, len(target.values))
    weight = _class_weights(target, class_weight, sample_weight)
    if normalize is not None:
        weight = _normalize(weight, np.ones(len(weight), dtype=bool), normalize)
    return dict(zip(target.classes.tolist(), weight.tolist(), strict=True))


def _given_weights(class_weight, classes):
    """Return the weights of a dict in the order of the classes."""
    if not isinstance(class_weight, Mapping):
        raise ValueError(
            f"class_weight={class_weight!r} must be a dict of a weight for each class, "
            f"such as {{{classes[0]!r}: 1.0}}, or one of {sorted(WEIGHT_SCHEMES)}."
        )
    unknown = [key for key in class_weight if key not in classes]
    if unknown:
        raise ValueError(
            f"class_weight has the key {unknown[0]!r}, which is not a class of y "
            f"({', '.join(map(repr, classes[:5]))})."
        )
    for key, value in class_weight.items():
        check_interval(f"class_weight[{key!r}]", value, 0, closed="left")
    # As in scikit-learn, a class that is left out has weight 1.
    return np.array([float(class_weight.get(key, 1.0)) for key in classes])


def compute_label_weight(
    y: Any = None,
    scheme: str = "balanced",
    *,
    label_counts: Any = None,
    n_samples: int | None = None,
    power: float = 0.5,
    beta: float = 0.999,
    smoothing: float = 0.0,
    cap: float | None = None,
    normalize: str | None = "mean",
    sample_weight: Any = None,
) -> np.ndarray:
    r"""Compute the weight of each label among the labels.

    With :math:`n_k` positives of label k, the weight is

    ======================  ==============================================
    ``"balanced"``          :math:`\max_j n_j / n_k`, so the smallest is 1
    ``"sqrt"``              :math:`\sqrt{\max_j n_j / n_k}`
    ``"log"``               :math:`\log(1 + \max_j n_j / n_k)`
    ``"power"``             :math:`(\max_j n_j / n_k)^{power}`
    ``"effective_number"``  :math:`(1 - \beta) / (1 - \beta^{n_k})` [1]_
    ======================  ==============================================

    Parameters
    ----------
    y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
        0, 1 and NaN for a missing label. Never densified.
    scheme : str, default="balanced"
        A name in `LABEL_WEIGHT_SCHEMES`.
    label_counts : array-like of shape (n_labels,) or pair of such, default=None
        Instead of `y`: the positives of each label, together with `n_samples`; or the
        pair ``(n_positive, n_negative)`` of arrays, of one label ``([100], [900])``.
    n_samples : int, default=None
        The number of rows that `label_counts` were counted on.
    power : float, default=0.5
        Exponent of ``"power"``: 0 is no weight, 1 is ``"balanced"``.
    beta : float, default=0.999
        In [0, 1), for ``"effective_number"``.
    smoothing : float, default=0.0
        Added to the counts.
    cap : float, default=None
        No weight is larger, before normalisation.
    normalize : {None, "mean", "sum"}, default="mean"
        ``"mean"`` scales the weights to mean 1 over the labels with positives,
        ``"sum"`` to sum 1.
    sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels)
        Entries are counted with these weights; by default each counts 1.

    Returns
    -------
    label_weight : ndarray of float64, shape (n_labels,)
        A label without positives has weight 1.

    Raises
    ------
    ValueError
        Unless exactly one of `y` and `label_counts` is given; if `label_counts` is two
        numbers without `n_samples`, a count is negative, the scheme is unknown, or a
        parameter is out of its range.

    See Also
    --------
    compute_pos_weight : Weights of the positives within each label.

    References
    ----------
    .. [1] Cui, Jia, Lin, Song, Belongie, "Class-Balanced Loss Based on Effective Number
       of Samples", CVPR 2019.

    Examples
    --------
    >>> from skimbalance.weights import compute_label_weight
    >>> compute_label_weight(label_counts=[40, 20, 10], n_samples=100, normalize=None)
    array([1., 2., 4.])
    """
    check_choice("scheme", scheme, LABEL_WEIGHT_SCHEMES)
    _check_power_and_beta(power, beta)
    positive, _ = _resolve_counts(y, label_counts, n_samples, sample_weight)
    return _weigh(
        LABEL_WEIGHT_SCHEMES[scheme],
        positive,
        smoothing=smoothing,
        cap=cap,
        normalize=normalize,
        power=power,
        beta=beta,
    )


def _sparse_excess(labels, pos_weight):
    """Return the weights of sparse labels as the excess over 1, which stays sparse."""
    # What is stored and no positive is missing: its weight 0 is 1 below the others.
    excess = np.where(labels.data == 1, pos_weight[labels.indices] - 1, -1.0)
    # Copies of the index arrays, which belong to the labels of the user.
    stored = excess, labels.indices.copy(), labels.indptr.copy()
    return sp.csr_array(stored, shape=labels.shape)


class PosWeightTransformer(DocLinkMixin, BaseEstimator):
    """`compute_pos_weight` as an estimator that can be searched over.

    The estimators accept it as `pos_weight`, so that a grid sets its parameters as
    ``pos_weight__scheme``. They fit it inside their `fit`, on the training part only,
    and correct the probabilities for its weights. The result of its `transform(Y)`
    passed as `sample_weight` gives the same training, up to the scale of the loss, but
    is part of the data: the probabilities are those of the weighted data, and not
    corrected.

    Parameters
    ----------
    scheme : str, default="balanced"
        A name in `WEIGHT_SCHEMES`.
    power : float, default=0.5
        Exponent of ``"power"``.
    beta : float, default=0.999
        For ``"effective_number"``.
    smoothing : float, default=0.0
        Added to both counts.
    cap : float, default=None
        No weight is larger, before normalisation.
    normalize : {None, "mean", "sum"}, default=None
        Scale of the weights.

    Attributes
    ----------
    pos_weight_ : ndarray of float64, shape (n_labels,)
        The weight of the positives of each label.

    target_type_ : str
        ``"binary"``, ``"multiclass"`` or ``"multilabel-indicator"``.

    classes_ : ndarray of shape (n_classes,) or (n_labels, 2)
        The classes of a 1-D target; ``[0, 1]`` for each label of a label matrix.

    See Also
    --------
    compute_pos_weight : The function, with the formulas.

    Examples
    --------
    >>> import numpy as np
    >>> from skimbalance.weights import PosWeightTransformer
    >>> Y = np.array([[1, 0], [0, 1], [1, 0], [1, 0]])
    >>> PosWeightTransformer("balanced").fit_transform(Y).round(2)
    array([[0.33, 1.  ],
           [1.  , 3.  ],
           [0.33, 1.  ],
           [0.33, 1.  ]])
    """

    def __init__(
        self,
        scheme: str = "balanced",
        *,
        power: float = 0.5,
        beta: float = 0.999,
        smoothing: float = 0.0,
        cap: float | None = None,
        normalize: str | None = None,
    ) -> None:
        self.scheme = scheme
        self.power = power
        self.beta = beta
        self.smoothing = smoothing
        self.cap = cap
        self.normalize = normalize

    def fit(
        self, y: Any = None, sample_weight: Any = None, *, label_counts: Any = None
    ) -> Self:
        """Compute the weights.

        Parameters
        ----------
        y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
            The targets, as in `compute_pos_weight`.
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels)
            Entries are counted with these weights.
        label_counts : pair of array-like of shape (n_labels,), default=None
            Instead of `y`: ``(n_positive, n_negative)``.

        Returns
        -------
        self : PosWeightTransformer
            The fitted transformer.

        Raises
        ------
        ValueError
            As `compute_pos_weight`.
        """
        self.pos_weight_ = compute_pos_weight(
            y,
            label_counts=label_counts,
            sample_weight=sample_weight,
            **self.get_params(),
        )
        if y is None:
            # Counts do not name classes: they are those of labels.
            classes = np.tile([0, 1], (len(self.pos_weight_), 1))
            target = Target(MULTILABEL, None, classes)
        else:
            # Without the labels, which a pickle would carry along.
            target = replace(check_target(y), values=None)
        self._target = target
        self.target_type_, self.classes_ = target.kind, target.classes
        return self

    def transform(self, y: Any) -> Any:
        """Return the weight of every entry.

        Parameters
        ----------
        y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
            Targets of the kind that the transformer was fitted on; the labels of a
            frame are found by their names.

        Returns
        -------
        weight : ndarray of shape like `y`, or csr_array of shape (n_samples, n_labels)
            `pos_weight_` where the label is 1, 1 where it is 0, 0 where it is missing.
            For a sparse `y` the excess over 1: ``w - 1`` on the positives, -1 where
            the label is missing, not stored elsewhere. Either is accepted as
            `sample_weight`.

        Raises
        ------
        ValueError
            If `y` has another number of labels, or a class not seen in `fit`.
        """
        check_is_fitted(self)
        labels = encode_like(y, self._target)
        if self.target_type_ == MULTICLASS:
            return self.pos_weight_[labels]
        if sp.issparse(labels):
            weight: Any = _sparse_excess(labels, self.pos_weight_)
        else:
            weight = np.where(labels == 1, self.pos_weight_, 1.0)
            # So that the weights can be used where NaN in the labels is replaced by 0.
            weight[labels == MISSING] = 0.0
        if self.target_type_ == BINARY:
            return weight.ravel()
        order = column_order(y, self._target.label_names, "y")
        # From the fitted order into that of `y`, which the weights go with.
        return weight if order is None else weight[:, np.argsort(order)]

    def fit_transform(self, y: Any, sample_weight: Any = None) -> Any:
        """Fit, then transform the same targets.

        Parameters
        ----------
        y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
            The targets.
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels)
            Entries are counted with these weights.

        Returns
        -------
        weight : ndarray or csr_array
            As `transform`.

        Raises
        ------
        ValueError
            As `compute_pos_weight`.
        """
        return self.fit(y, sample_weight).transform(y)
