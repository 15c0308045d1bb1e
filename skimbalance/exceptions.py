"""Warnings of the library, all derived from one class that a filter can name."""

__all__ = [
    "CalibrationWarning",
    "CheckpointWarning",
    "ImbalanceWarning",
    "ModuleOutputWarning",
    "NoPositivePredictedWarning",
    "PositiveClassWarning",
    "ResamplingWarning",
    "UndefinedLabelWarning",
]


class ImbalanceWarning(UserWarning):
    """Base of the warnings of this library.

    Examples
    --------
    >>> import warnings
    >>> from skimbalance.exceptions import ImbalanceWarning
    >>> warnings.simplefilter("ignore", ImbalanceWarning)
    """


class UndefinedLabelWarning(ImbalanceWarning):
    """Some labels lack a value that the computation needs, and are left out."""


class NoPositivePredictedWarning(ImbalanceWarning):
    """The predictions have no positive, or most rows of a label matrix have none."""


class PositiveClassWarning(ImbalanceWarning):
    """The class that counts as positive is the majority, and `pos_label` is not set."""


class ResamplingWarning(ImbalanceWarning):
    """A resampler changes fewer rows than it was asked to, or none."""


class CalibrationWarning(ImbalanceWarning):
    """The scores have no exact map to probabilities, or cannot be calibrated."""


class ModuleOutputWarning(ImbalanceWarning):
    """The module gives probabilities where raw scores are expected."""


class CheckpointWarning(ImbalanceWarning):
    """A checkpoint cannot hold all that a resumed run would need."""
