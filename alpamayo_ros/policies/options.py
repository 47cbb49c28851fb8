"""Checks a policy's options against the ranges and choices that its configuration's fields declare."""

from __future__ import annotations

from dataclasses import fields


def check(config: object) -> None:
    """Refuses a value outside its field's `metadata` range (inclusive) or choices; for `__post_init__`.

    Raises:
        ValueError: with the field, the value and what is allowed.
    """
    for entry in fields(config):
        value, limits = getattr(config, entry.name), entry.metadata.get("range")
        choices = entry.metadata.get("choices", ())
        if limits is not None and not limits[0] <= value <= limits[1]:
            raise ValueError(f"{entry.name} = {value} is outside {limits[0]} ... {limits[1]}")
        if choices and value not in choices:
            raise ValueError(f"{entry.name} = '{value}' is not one of {', '.join(map(repr, choices))}")
