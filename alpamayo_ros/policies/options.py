"""A policy's options: read from a command line, and checked against what its configuration's fields declare."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any


def named(text: str) -> tuple[str, Any]:
    """ "name=value" of a command line, the value as JSON where it is JSON.

    Raises:
        ValueError: no "=".
    """
    name, separator, value = text.partition("=")
    if not separator:
        raise ValueError(f"--option {text!r} is not NAME=VALUE")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


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
