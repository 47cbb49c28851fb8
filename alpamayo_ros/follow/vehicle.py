"""Where the vehicle is and how it moves, from odometry: interpolated in the past, predicted a little ahead."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from alpamayo_ros.contract import SECOND_NS, NotReady, Reason
from alpamayo_ros.geometry import Pose, interpolate_poses, quaternion_from_yaw, quaternion_multiply, yaw_of_quaternion
from alpamayo_ros.timeline import Push, Timeline

# Seconds of odometry kept: the latency of the slowest model that can be driven by.
HORIZON = 12.0
REWIND = 0.5
# Seconds of speeds from which the acceleration is taken.
ACCELERATION_WINDOW = 0.3
# No vehicle is faster, nor turns faster (m/s, rad/s).
FASTEST, QUICKEST = 100.0, 20.0
# Below this a yaw rate says more of noise than of the steering (m/s).
STEERING_SPEED = 1.0


@dataclass(frozen=True, eq=False)
class Vehicle:
    """The vehicle (centre of the rear axle) at `stamp_ns`, in odometry's frame.

    Attributes:
        pose: one pose, (3,) and (4,).
        speed: m/s along its x axis.
        yaw_rate: rad/s, + = left.
        acceleration: m/s^2 along its x axis.
    """

    stamp_ns: int
    pose: Pose
    speed: float
    yaw_rate: float = 0.0
    acceleration: float = 0.0

    @property
    def yaw(self) -> float:
        return float(yaw_of_quaternion(self.pose.quaternion))

    @property
    def curvature(self) -> float | None:
        """1/m of its present arc; None where it is too slow to tell."""
        return self.yaw_rate / self.speed if self.speed > STEERING_SPEED else None

    def after(self, seconds: float) -> Vehicle:
        """Where it is a moment later with its acceleration and yaw rate held; it does not begin to roll backwards."""
        speed = self.speed + self.acceleration * seconds
        if self.speed >= 0.0:
            speed = max(speed, 0.0)
        middle = self.yaw + 0.5 * self.yaw_rate * seconds
        way = 0.5 * (self.speed + speed) * seconds
        xyz = self.pose.xyz + [way * math.cos(middle), way * math.sin(middle), 0.0]
        turned = quaternion_multiply(quaternion_from_yaw(self.yaw_rate * seconds), self.pose.quaternion)
        stamp = self.stamp_ns + round(seconds * SECOND_NS)
        return replace(self, stamp_ns=stamp, pose=Pose(xyz, turned), speed=speed)


Sample = tuple[float, float, float, float, float, float, float, float, float]  # a pose, then twist.linear.x, angular.z


class VehicleLog:
    """The last seconds of odometry."""

    def __init__(self) -> None:
        self._timeline: Timeline[Sample] = Timeline(round(HORIZON * SECOND_NS), round(REWIND * SECOND_NS))

    @property
    def newest_ns(self) -> int | None:
        return self._timeline.newest_ns

    def push(self, stamp_ns: int, sample: Sample) -> NotReady | None:
        """Takes one odometry message; what cannot be used is refused. Stamps that go far back start anew."""
        if stamp_ns <= 0:
            return NotReady(Reason.STAMP_INVALID, "odometry", f"stamp {stamp_ns} ns")
        if not all(map(math.isfinite, sample)):
            return NotReady(Reason.ODOMETRY_NOT_FINITE, "odometry", "pose or twist is not finite")
        norm = math.hypot(*sample[3:7])
        if abs(norm - 1.0) > 1e-2:
            return NotReady(Reason.QUATERNION_NOT_UNIT, "odometry", "orientation is no unit quaternion", {"norm": norm})
        if abs(sample[7]) > FASTEST or abs(sample[8]) > QUICKEST:
            numbers = {"speed": sample[7], "yaw_rate": sample[8]}
            return NotReady(Reason.ODOMETRY_JUMP, "odometry", "no vehicle moves like its twist", numbers)
        if self._timeline.push(stamp_ns, sample) is Push.REWOUND:
            self._timeline.clear()
            self._timeline.push(stamp_ns, sample)
        return None

    def clear(self) -> None:
        self._timeline.clear()

    def at(self, stamp_ns: int) -> Vehicle | None:
        """The vehicle at a past time; None where odometry does not reach it on both sides."""
        oldest, newest = self._timeline.oldest_ns, self._timeline.newest_ns
        if oldest is None or not oldest <= stamp_ns <= newest:
            return None
        stamps, samples = self._timeline.around(stamp_ns, stamp_ns)
        stamps_ns, values = np.array(stamps, dtype=np.int64), np.array(samples)
        poses = interpolate_poses(stamps_ns, Pose(values[:, :3], _unit(values[:, 3:7])), np.array([stamp_ns]))
        speed, yaw_rate = (
            float(np.interp(stamp_ns - stamps[0], stamps_ns - stamps[0], values[:, column])) for column in (7, 8)
        )
        return Vehicle(stamp_ns, Pose(poses.xyz[0], poses.quaternion[0]), speed, yaw_rate, self._acceleration(stamp_ns))

    def newest(self) -> Vehicle | None:
        """The vehicle as odometry last told."""
        newest = self._timeline.newest_ns
        return None if newest is None else self.at(newest)

    def _acceleration(self, stamp_ns: int) -> float:
        """Slope of the speeds of the last moments, by least squares; 0 where there are too few."""
        stamps, samples = self._timeline.between(stamp_ns - round(ACCELERATION_WINDOW * SECOND_NS), stamp_ns)
        if len(stamps) < 3:
            return 0.0
        times = (np.array(stamps) - stamps[-1]) / SECOND_NS
        times = times - times.mean()
        return float(times @ np.array([sample[7] for sample in samples]) / (times @ times))


def _unit(quaternions: np.ndarray) -> np.ndarray:
    return quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True)
