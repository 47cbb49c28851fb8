"""What a fault is done to: a camera drawn from the seed, one stream of all."""

from __future__ import annotations

import random
from collections.abc import Callable

from alpamayo_ros.contract import CAMERA_ROLES, REFERENCE_ROLE
from alpamayo_ros.faults.feed import Item, Spoil

LATE = 0.3  # seconds


def some_camera(rng: random.Random, reference: bool = True) -> str:
    return rng.choice([role for role in CAMERA_ROLES if reference or role != REFERENCE_ROLE])


def in_stream(stream: str, change: Callable[[Item], list[Item]]) -> Spoil:
    """Changes one stream, and leaves the others."""
    return Spoil(lambda item: change(item) if item.stream == stream else [item], stream)
