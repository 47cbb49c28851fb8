"""A trajectory that starts at the vehicle: what is published, as values."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from alpamayo_ros.contract import PLAN_PERIOD, SECOND_NS
from alpamayo_ros.follow.vehicle import Vehicle
from alpamayo_ros.geometry import Pose, quaternion_from_yaw, quaternion_multiply, yaw_of_quaternion


@dataclass(frozen=True, eq=False)
class Trajectory:
    """N points, the first of them the vehicle at `stamp_ns`.

    Attributes:
        stamp_ns: the time of the first point.
        times: (N,) seconds after it, rising.
        poses: (N, 3) and (N, 4) in the fixed frame.
        speed: (N,) m/s along the path.
        acceleration: (N,) m/s^2.
        heading_rate: (N,) rad/s, + = left.
        steering: (N,) radians of the front wheels, + = left.
    """

    stamp_ns: int
    times: np.ndarray
    poses: Pose
    speed: np.ndarray
    acceleration: np.ndarray
    heading_rate: np.ndarray
    steering: np.ndarray

    @property
    def yaw(self) -> np.ndarray:
        """(N,) radians, unwrapped."""
        return np.unwrap(yaw_of_quaternion(self.poses.quaternion))

    def from_point(self, first: int) -> Trajectory:
        """The same trajectory, stamped the same, without its points before `first`."""
        kept = slice(first, None)
        return replace(
            self, times=self.times[kept], poses=Pose(self.poses.xyz[kept], self.poses.quaternion[kept]),
            speed=self.speed[kept], acceleration=self.acceleration[kept], heading_rate=self.heading_rate[kept],
            steering=self.steering[kept],
        )  # fmt: skip

    def steering_at(self, stamp_ns: int) -> float | None:
        """The wheel angle that it has at a time within it."""
        seconds = (stamp_ns - self.stamp_ns) / SECOND_NS
        within = self.times[0] <= seconds <= self.times[-1]
        return float(np.interp(seconds, self.times, self.steering)) if within else None


def upright(vehicle: Vehicle, xyz: np.ndarray, yaw: np.ndarray) -> Pose:
    """Poses along a path with the vehicle's own roll and pitch: its attitude turned about the vertical.

    Args:
        xyz: (N, 3); yaw: (N,) radians.
    """
    turned = quaternion_from_yaw(yaw - vehicle.yaw)
    return Pose(xyz, quaternion_multiply(turned, np.broadcast_to(vehicle.pose.quaternion, turned.shape)))


def grid(count: int) -> np.ndarray:
    """(count,) seconds: 0, 0.1, 0.2 ..."""
    return np.arange(count) * PLAN_PERIOD
