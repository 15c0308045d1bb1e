"""The training loop: the only package that imports skorch.

A skorch net wrapped so that batches are slices of arrays (`_rows`), weights stay
outside the loss (`_criterion`) and an epoch waits for the device once (`_training`).
"""

from skimbalance._net._best import KeepBest
from skimbalance._net._checkpoint import Checkpoint
from skimbalance._net._copies import copied, copied_callbacks
from skimbalance._net._criterion import criterion_of
from skimbalance._net._dataset import DatasetRows
from skimbalance._net._identity import digest, identity_of, training_callbacks
from skimbalance._net._members import MemberModule
from skimbalance._net._module import ScoreModule
from skimbalance._net._parallel import ParallelStep
from skimbalance._net._rows import (
    Batches,
    RowSet,
    input_source,
    label_source,
    weight_source,
)
from skimbalance._net._step import Step, takes_closure
from skimbalance._net._training import Net, gradients, seeded
from skimbalance._net._trial import reads_integers, try_module

__all__ = [
    "Batches",
    "Checkpoint",
    "DatasetRows",
    "KeepBest",
    "MemberModule",
    "Net",
    "ParallelStep",
    "RowSet",
    "ScoreModule",
    "Step",
    "copied",
    "copied_callbacks",
    "criterion_of",
    "digest",
    "gradients",
    "identity_of",
    "input_source",
    "label_source",
    "reads_integers",
    "seeded",
    "takes_closure",
    "training_callbacks",
    "try_module",
    "weight_source",
]
