"""The parameter `resampler`: the training rows of each member, resampled on their own.

Held-out rows are set aside first, so that no copy or blend of one trains the net that
is judged by it. Members read common batches: a row that is among those of one member
only, such as a synthetic one, has no weight in the loss of the others.
"""

from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.utils import assert_all_finite, check_random_state

from skimbalance._base import warn_user
from skimbalance._categories import categorical_mask
from skimbalance._labels import MULTILABEL, encode_like, has_missing
from skimbalance._resampling import BaseMultilabelSampler
from skimbalance.exceptions import ResamplingWarning
from skimbalance.neural_network._data import DatasetRows, JoinedRows
from skimbalance.neural_network._rows import Rows, as_dense, decode_labels


@dataclass(frozen=True)
class Resampled:
    """What a resampler made of the training rows.

    Attributes
    ----------
    rows : Rows
        Those of all members: real ones, as often as the member that has the most copies
        of them reads them, and new ones, which follow the real ones in the arrays.
    trains : ndarray of bool, shape (n_rows, n_members)
        Which members train on each of them.
    """

    rows: Rows
    trains: np.ndarray

    def of_members(self):
        """Yield the rows that each member trains on."""
        for own in self.trains.T:
            yield self.rows.at(self.rows.index[own])


@dataclass(frozen=True)
class _Member:
    """The resampled rows of one member.

    Attributes
    ----------
    copied : ndarray of int
        Rows of the arrays that are left as they were, with repetitions.
    X, values : array
        Inputs and encoded targets of new rows.
    sources : ndarray of int
        Of each new row, the one whose weight it has.
    """

    copied: np.ndarray
    X: Any
    values: Any
    sources: np.ndarray


def check_resampler(resampler):
    """Raise an error unless an object can be copied and does nothing but resample.

    Raises
    ------
    TypeError
        If it has no such methods.
    ValueError
        If it is a pipeline with a step that transforms the rows.
    """
    names = "fit_resample", "get_params"
    has_methods = all(callable(getattr(resampler, name, None)) for name in names)
    if not has_methods or isinstance(resampler, type):
        raise TypeError(
            f"resampler={resampler!r} must be None or an object with the method "
            "fit_resample, such as MLSMOTE() of skimbalance.over_sampling for a label "
            "matrix, or RandomOverSampler() of imbalanced-learn for classes."
        )
    for transformer in _transformers_in(resampler):
        raise ValueError(
            f"resampler={resampler!r} has the step {transformer!r}, which changes the "
            "rows that train the net, but not those that it predicts. Put the step "
            "before the net: Pipeline([('transform', ...), ('net', net)])."
        )


def _transformers_in(resampler):
    """Yield the steps of a pipeline, of any depth, that do not resample."""
    for _, step in getattr(resampler, "steps", ()):
        if hasattr(step, "fit_resample"):
            yield from _transformers_in(step)
        elif step is not None and step != "passthrough":
            yield step


def resample(estimator, data, seed) -> Resampled:
    """Resample the training rows of each member.

    Parameters
    ----------
    estimator : BaseImbalancedNet
        Its `resampler` is not None.
    data : TrainingData
        Split already.
    seed : int
        The seed of the fit, which gives each member one of its own.

    Raises
    ------
    ValueError
        If the rows cannot be resampled, or what is made of them is no training set.
    """
    rows = data.training
    _check_rows(estimator, rows)
    parts = list(rows.outside_each_fold()) if data.n_folds else [rows]
    samplers = _seeded_copies(estimator.resampler, len(parts), seed)
    messages: list[str] = []
    for sampler in samplers:
        _set_categories(sampler, estimator)
        if isinstance(sampler, BaseMultilabelSampler):
            sampler._warn = messages.append
    members = [
        _resample_member(sampler, part)
        for sampler, part in zip(samplers, parts, strict=True)
    ]
    if messages:
        n_others = len(messages) - 1
        others = f" The same holds for {n_others} other members, with other numbers."
        warn_user(messages[0] + others * (n_others > 0), ResamplingWarning)
    _check_categories(estimator, members)
    if rows.weight is not None and any(len(m.sources) for m in members):
        for sampler in samplers:
            _check_carries_weights(sampler, estimator)
    return _joined(rows, members)


def _check_rows(estimator, rows):
    """Raise a ValueError where the rows are not what a resampler reads."""
    shown = f"resampler={estimator.resampler!r}"
    if isinstance(rows.X, DatasetRows):
        raise ValueError(
            f"{shown} reads X as a whole, but X is a Dataset, which is read item by "
            "item. Pass X as an array, or use batch_sampler, which reads the labels "
            "only."
        )
    if isinstance(rows.X, JoinedRows):
        raise ValueError(
            f"{shown} reads X as one matrix, but X is several arrays. Use "
            "batch_sampler, which reads the labels only, or pass X as one array."
        )
    # An entry of weight 0 counts as missing, too.
    if rows.target.kind == MULTILABEL and has_missing(rows.selected("values")):
        raise ValueError(
            f"{shown} needs all labels of a row, but y has missing labels, or entries "
            "of weight 0. Drop these rows, or use pos_weight or batch_sampler, which "
            "read missing labels."
        )


def _check_carries_weights(sampler, estimator):
    """Raise a ValueError where the weight of a new row is not known."""
    if not hasattr(sampler, "sample_indices_"):
        raise ValueError(
            f"resampler={estimator.resampler!r} makes new rows, whose weights are not "
            "known. Leave sample_weight and class_weight out, use a resampler that "
            "copies or removes rows and has sample_indices_, such as MLROS or "
            "RandomOverSampler, or set pos_weight."
        )


def _seeded_copies(resampler, n_members, seed):
    """Return a copy of the resampler for each member, each with a seed of its own.

    They come from the seed of the fit, or from that of the user, which a single net
    has as it is.
    """
    copies = []
    for member in range(n_members):
        sampler = clone(resampler)
        for name, value in sorted(sampler.get_params().items()):
            is_own = n_members == 1 and value is not None
            if name.rpartition("__")[2] == "random_state" and not is_own:
                states = np.random.SeedSequence(_as_seed(value, seed))
                state = int(states.generate_state(n_members)[member])
                sampler.set_params(**{name: state})
        copies.append(sampler)
    return copies


def _as_seed(random_state, seed):
    """Return a seed for the `random_state` of a copied resampler."""
    if random_state is None:
        return seed
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


def _set_categories(sampler, estimator):
    """Set the positions of the categorical columns of a copied resampler.

    It reads an array of codes, which has neither names nor dtypes of columns. Positions
    are a list, since SMOTENC of imbalanced-learn 0.14 compares them with "auto".
    """
    encoder = estimator.category_encoder_
    names = getattr(estimator, "feature_names_in_", None)
    for name, value in sampler.get_params().items():
        if name.rpartition("__")[2] != "categorical_features":
            continue
        mask = None
        if isinstance(value, str):  # "auto", which is no column of an array
            mask = None if encoder is None else encoder.is_categorical_
        elif names is not None and any(isinstance(v, str) for v in np.ravel(value)):
            mask = categorical_mask(value, len(names), names)
        if mask is not None:
            sampler.set_params(**{name: np.flatnonzero(mask).tolist()})


def _check_categories(estimator, members):
    """Raise a ValueError where new rows lie between two categories."""
    encoder = estimator.category_encoder_
    if encoder is None:
        return
    columns = np.flatnonzero(encoder.is_categorical_)
    is_between = [(member.X[:, columns] % 1 > 0).any(axis=0) for member in members]
    if np.any(is_between):
        raise ValueError(
            f"resampler={estimator.resampler!r} makes values between the categories of "
            f"the columns {columns[np.any(is_between, axis=0)].tolist()}. Use a "
            "resampler that copies or removes rows, or one with categorical_features, "
            "such as MLSMOTE, or SMOTENC of imbalanced-learn."
        )


def _resample_member(sampler, rows) -> _Member:
    """Resample the rows of one member, and separate copies from new rows."""
    X, y = _as_given(rows)
    X_new, values, place = _result_of(sampler, rows, X, y)
    known = np.flatnonzero(place < len(rows))
    is_copy = np.zeros(len(place), dtype=bool)
    # Samplers may also change the labels of a row (REMEDIAL), or move it (shrinkage).
    same = _equal_rows(X_new[known], X[place[known]])
    same &= _equal_rows(values[known], rows.selected("values")[place[known]])
    is_copy[known] = same
    sources = rows.index[np.where(place < len(rows), place, 0)]
    inputs = X_new[~is_copy]
    if not sp.issparse(inputs):
        inputs = inputs.reshape(-1, *rows.X.shape[1:])
    return _Member(sources[is_copy], inputs, values[~is_copy], sources[~is_copy])


def _as_given(rows) -> tuple[Any, Any]:
    """Return the inputs as a matrix, and the targets in the form of the user."""
    X, values = rows.selected("X"), rows.selected("values")
    if rows.target.kind != MULTILABEL:
        return _as_matrix(X), decode_labels(replace(rows.target, values=None), values)
    return _as_matrix(X), values


def _as_matrix(X):
    # imbalanced-learn builds sparse rows by the type of X, and knows matrices.
    return sp.csr_matrix(X) if sp.issparse(X) else X.reshape(len(X), -1)


def _result_of(sampler, rows, X, y) -> tuple[Any, Any, np.ndarray]:
    """Return what a resampler makes of rows, and the source of each row of that.

    In the containers of the net. The source of a new row may be no row of `X`.
    """
    try:
        X_new, y_new = sampler.fit_resample(X, y)
        values = _in_container(encode_like(y_new, rows.target), rows.values)
        X_new = _in_container(X_new, X)
        place = getattr(sampler, "sample_indices_", None)
        if place is None:  # by convention, new rows follow those of the input
            place = np.arange(values.shape[0])
        _check_result(X_new, values, np.shape(place), X)
    except (RuntimeError, TypeError, ValueError) as error:
        hint = ""
        if rows.target.kind == MULTILABEL:
            hint = (
                " Resamplers of label matrices are in skimbalance.over_sampling and "
                "skimbalance.under_sampling."
            )
        raise ValueError(
            f"resampler={sampler!r} fails on {len(rows)} training rows: "
            f"{str(error).rstrip('.')}.{hint}"
        ) from error
    return X_new, values, np.asarray(place)


def _in_container(array, like) -> Any:
    """Return an array in the container and the dtype of another one."""
    if sp.issparse(like):
        return sp.csr_array(array).astype(like.dtype)
    return np.asarray(as_dense(array), dtype=like.dtype)


def _check_result(X_new, values, shape_of_sources, X):
    """Raise a ValueError where resampled rows are no training rows for the net."""
    n_new = values.shape[0]
    if X_new.shape[:1] != (n_new,) or not n_new:
        raise ValueError(f"it returns {X_new.shape[0]} rows of X and {n_new} of y")
    if X_new.shape[1:] != X.shape[1:]:
        raise ValueError(
            f"it returns X of the shape {X_new.shape}, but it was given rows of "
            f"{X.shape[1]} columns"
        )
    if shape_of_sources != (n_new,):
        raise ValueError(
            f"its sample_indices_ have the shape {shape_of_sources}, but it returns "
            f"{n_new} rows"
        )
    given = X.data if sp.issparse(X) else X
    allows_nan = bool(np.isnan(given).any())
    with np.errstate(invalid="ignore"):  # inf - inf, in the sum that finds infinity
        assert_all_finite(X_new, allow_nan=allows_nan, input_name="its X")


def _equal_rows(rows, others):
    """Return which rows of two arrays of one container are equal."""
    if sp.issparse(rows):
        return np.diff(sp.csr_array(rows != others).indptr) == 0
    same = (rows == others) | ((rows != rows) & (others != others))  # NaN equals NaN
    return same if same.ndim == 1 else same.all(axis=1)


def _joined(rows, members) -> Resampled:
    """Return the rows of all members as one set, and which member has which."""
    n_rows, n_members = rows.X.shape[0], len(members)
    counts = np.stack(
        [np.bincount(member.copied, minlength=n_rows) for member in members], axis=1
    )
    # The j-th entry of a row belongs to the members with more than j copies of it.
    most = counts.max(axis=1)
    index = np.repeat(np.arange(n_rows), most)
    number = np.arange(len(index)) - np.repeat(np.cumsum(most) - most, most)
    trains = counts[index] > number[:, None]
    sizes = [len(member.sources) for member in members]
    if not any(sizes):
        return Resampled(rows.at(index), trains)
    index = np.append(index, n_rows + np.arange(sum(sizes)))
    owner = np.repeat(np.arange(n_members), sizes)
    trains = np.concatenate([trains, owner[:, None] == np.arange(n_members)])
    sources = np.concatenate([member.sources for member in members])
    weight, fold = rows.weight, rows.fold
    if weight is not None:
        weight = weight[np.append(np.arange(n_rows), sources)]
    if fold is not None:  # held out from no member, and read by one
        fold = np.append(fold, np.full(len(sources), -1, dtype=fold.dtype))
    values = _stacked([rows.values, *(member.values for member in members)])
    return Resampled(
        Rows(
            _stacked([rows.X, *(member.X for member in members)]),
            replace(rows.target, values=values),
            weight,
            index,
            fold=fold,
        ),
        trains,
    )


def _stacked(parts):
    """Return arrays of one container below each other."""
    if sp.issparse(parts[0]):
        return sp.csr_array(sp.vstack(parts, format="csr"))
    return np.concatenate(parts)
