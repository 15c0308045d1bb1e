"""The engine room: the only place that imports skorch.

A skorch net wrapped so that batches are slices of arrays (`_rows`), weights stay
outside the loss (`_criterion`) and an epoch waits for the device once (`_training`).
"""

from skimbalance._net._checkpoint import Checkpoint, fingerprint
from skimbalance._net._criterion import criterion_of
from skimbalance._net._dataset import DatasetRows
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
from skimbalance._net._training import KeepBest, Net, copy_state, seeded

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
    "copy_state",
    "criterion_of",
    "fingerprint",
    "input_source",
    "label_source",
    "seeded",
    "takes_closure",
    "weight_source",
]
