"""Tiny bases that more than one room shares."""

__all__ = ["UndefinedLabelWarning"]


class UndefinedLabelWarning(UserWarning):
    """Some labels lack a value that the computation needs, and were left out."""
