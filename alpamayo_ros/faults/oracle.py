"""Who knows the truth: whether a published plan was built on bad input, and when a fault was named. Plain values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from alpamayo_ros.contract import CAMERA_ROLES, PLAN_PERIOD_NS
from alpamayo_ros.faults import truth
from alpamayo_ros.faults.feed import MAP, MAP_TO_ODOM

STREAMS = (*CAMERA_ROLES, "odometry", "command")
# What an honest history may be off by between odometry's messages, and a path's first pose by a turn that goes on (m).
HISTORY_ERROR, START_ERROR = 0.5, 1.0


@dataclass(frozen=True, eq=False)
class PlanSeen:
    """A published plan: when it came (monotonic s), its images as (role, stamp), and what the fake policy noted."""

    at: float
    t0_ns: int
    frame_id: str
    xy: np.ndarray
    images: tuple[tuple[str, int], ...]
    checksums: tuple[int, ...]
    history: np.ndarray | None


@dataclass(frozen=True)
class Told:
    """A diagnostic: when it came, and all that it names ("reason stream")."""

    at: float
    names: frozenset[str]


def wrong(plan: PlanSeen, known: truth.Truth) -> str | None:
    """What of a plan is not true, or None."""
    if not np.isfinite(plan.xy).all():
        return "the path is not finite"
    for (role, stamp), seen in zip(plan.images, plan.checksums, strict=False):
        if seen != known.checksum(role, stamp):
            return f"{role} at {stamp} is another picture, {(stamp - plan.t0_ns) / 1e9:+.3f} s from t0"
    if plan.history is not None:
        off = float(np.abs(plan.history - truth.history(plan.t0_ns)).max())
        if off > HISTORY_ERROR:
            return f"the history is {off:.2f} m off"
    x, y = truth.pose(plan.t0_ns + PLAN_PERIOD_NS)[:2]
    if plan.frame_id == MAP:
        x, y = _in_map(x, y)
    elif plan.frame_id != truth.FRAME:
        return f"the path is in {plan.frame_id}"
    off = float(np.hypot(plan.xy[0, 0] - x, plan.xy[0, 1] - y))
    return f"the path begins {off:.2f} m from the vehicle" if off > START_ERROR else None


def named(told: Iterable[Told], names: Sequence[str], about: str, since: float) -> tuple[float, str] | None:
    """Seconds after `since` until one of the names was told, of this stream or of none in particular; and which."""
    for each in told:
        if each.at < since:
            continue
        for said in sorted(each.names):
            name, _, stream = said.partition(" ")
            if name in names and (about not in STREAMS or not stream or about == stream):
                return each.at - since, said
    return None


def back(plans: Iterable[PlanSeen], stamp_ns: int, since: float) -> float | None:
    """Seconds after `since` until a plan of a t0 at or after a stamp came; None where none did."""
    return next((plan.at - since for plan in plans if plan.at >= since and plan.t0_ns >= stamp_ns), None)


def _in_map(x: float, y: float) -> tuple[float, float]:
    dx, dy, yaw = MAP_TO_ODOM
    return dx + math.cos(yaw) * x - math.sin(yaw) * y, dy + math.sin(yaw) * x + math.cos(yaw) * y
