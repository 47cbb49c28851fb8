"""One sample of a plan in the fixed frame, to be asked by place (where does it bend?) and by time (how far is it?)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from alpamayo_ros.contract import PLAN_PERIOD, SECOND_NS
from alpamayo_ros.geometry import Pose, yaw_of_quaternion

# Waypoints over which speeds are averaged: a flow's controls are noisy from step to step.
SMOOTHING = 5
# Places nearer to each other than this have no direction of their own: a standing model's are noise (m).
STEP = 0.05


@dataclass(frozen=True, eq=False)
class Intent:
    """Where a plan leads from the pose at its t0 on.

    Attributes:
        t0_ns: the plan's t0.
        xyz: (N + 1, 3) metres in the fixed frame, every 0.1 s from t0 on.
        yaw: (N + 1,) radians, unwrapped.
        speed: (N + 1,) m/s.
    """

    t0_ns: int
    xyz: np.ndarray
    yaw: np.ndarray
    speed: np.ndarray

    @property
    def end_ns(self) -> int:
        """The time of its last waypoint."""
        return self.t0_ns + (len(self.xyz) - 1) * round(PLAN_PERIOD * SECOND_NS)

    @cached_property
    def way(self) -> np.ndarray:
        """(N + 1,) metres driven at each waypoint; a step against the heading is never driven."""
        steps = np.diff(self.xyz[:, :2], axis=0)
        ahead = np.cos(self.yaw[:-1]) * steps[:, 0] + np.sin(self.yaw[:-1]) * steps[:, 1] > 0.0
        return np.concatenate([[0.0], np.where(ahead, np.hypot(steps[:, 0], steps[:, 1]), 0.0).cumsum()])

    @cached_property
    def pace(self) -> np.ndarray:
        """(N + 1,) m/s, the speeds averaged over neighbours and never negative."""
        padded = np.pad(np.maximum(self.speed, 0.0), SMOOTHING // 2, mode="edge")
        return np.convolve(padded, np.full(SMOOTHING, 1.0 / SMOOTHING), mode="valid")

    @cached_property
    def line(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The path without its standing parts: metres (M,), xyz (M, 3), yaw (M,), the metres `STEP` apart at least."""
        kept = [0]
        for number, metres in enumerate(self.way.tolist()):
            if metres - self.way[kept[-1]] >= STEP:
                kept.append(number)
        return self.way[kept], self.xyz[kept], self.yaw[kept]


def intent(t0_ns: int, start: Pose, poses: Pose, speed: np.ndarray, acceleration: np.ndarray) -> Intent:
    """A plan's sample that starts from the vehicle's pose at t0.

    Args:
        start: (3,) and (4,), the vehicle at t0.
        poses: (64, 3) and (64, 4), waypoint k at t0 + 0.1 (k + 1) s, in the same frame.
        speed, acceleration: (64,) as in a `Plan`; acceleration is held during the 0.1 s that end at a waypoint.
    """
    yaw = np.unwrap(np.concatenate([[yaw_of_quaternion(start.quaternion)], yaw_of_quaternion(poses.quaternion)]))
    first = speed[0] - acceleration[0] * PLAN_PERIOD
    return Intent(
        t0_ns, np.concatenate([start.xyz[None], poses.xyz]), yaw, np.concatenate([[first], np.asarray(speed, float)])
    )

