"""The two kinds of error of the model: what was loaded is wrong, or what was asked is wrong."""

from __future__ import annotations


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be used; the message says which file or field, and what to do."""


class InputError(ValueError):
    """An input that the model refuses before the device is touched.

    Attributes:
        name: the refusal's short name, for diagnostics (`history_not_finite`, `prompt_too_long`, ...).
    """

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(f"{name}: {detail}")
        self.name = name
