"""Splitters that keep every label represented in every part.

Iterative stratification, refined by swaps, on dense or sparse label matrices. A sparse
matrix is never made dense, and the features are never read. The fraction of a label is
over its observed entries. The splitters work wherever scikit-learn takes one.
"""

from skimbalance.model_selection._splitters import (
    MultilabelStratifiedGroupKFold,
    MultilabelStratifiedKFold,
    MultilabelStratifiedShuffleSplit,
    RepeatedMultilabelStratifiedKFold,
    multilabel_train_test_split,
)

__all__ = [
    "MultilabelStratifiedGroupKFold",
    "MultilabelStratifiedKFold",
    "MultilabelStratifiedShuffleSplit",
    "RepeatedMultilabelStratifiedKFold",
    "multilabel_train_test_split",
]
