"""Conditions on a trajectory: those of Autoware's planning validator, and stricter ones of this package.

Autoware's names and defaults are those of autoware_universe's planning_validator trajectory checker (read 2026-11:
interval, relative angle, curvature, accelerations, lateral jerk, steering, steering rate, deviations from the vehicle,
forward length, shift against the trajectory before). As there, angles and curvatures are taken on points that are at
least a metre apart. The conditions that it has no words for are `time`, `start`, `jerk` and `consistent`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from alpamayo_ros.follow.trajectory import Trajectory
from alpamayo_ros.follow.vehicle import Vehicle
from alpamayo_ros.geometry import wrap_angle

# Metres between the points that angles are taken on, and between the points of a circle for a curvature.
APART = 1.0
# A vehicle slower than this stands (m/s): it needs no way ahead, and its trajectory may be exchanged.
STANDING = 0.1
# Below this the brake may be let off as fast as the vehicle comes to rest (m/s).
CREEPING = 1.5


@dataclass(frozen=True)
class Limits:
    """What a trajectory may have at the most; SI units. The defaults are Autoware's, the last four this package's."""

    interval: float = 100.0
    relative_angle: float = 2.0
    curvature: float = 1.0
    lateral_acceleration: float = 9.8
    lateral_jerk: float = 7.0
    acceleration: float = 9.8
    deceleration: float = 9.8
    steering: float = 1.414
    steering_rate: float = 10.0
    velocity_deviation: float = 100.0
    distance_deviation: float = 100.0
    longitudinal_distance_deviation: float = 1.0
    yaw_deviation: float = 1.5708
    forward_braking: float = 3.0
    forward_margin: float = 2.0
    lateral_shift: float = 0.5
    forward_shift: float = 1.0
    backward_shift: float = 0.1
    time_step: float = 0.1
    jerk: float = math.inf
    start: float = math.inf
    inconsistency: float = math.inf
    wheel_base: float = 2.8


AUTOWARE = Limits()
# A passenger's bounds instead of a validator's (the comfort bounds of metrics.py), and fields that agree.
STRICT = Limits(
    interval=5.0, relative_angle=0.6, curvature=0.3, lateral_acceleration=4.89, lateral_jerk=7.0, acceleration=2.4,
    deceleration=4.05, steering=0.7, steering_rate=0.6, velocity_deviation=0.5, distance_deviation=0.2,
    longitudinal_distance_deviation=0.2, yaw_deviation=0.1, jerk=4.13, start=0.01, inconsistency=0.1,
)  # fmt: skip


def measure(
    trajectory: Trajectory, vehicle: Vehicle, before: Trajectory | None, limits: Limits
) -> Mapping[str, tuple[float, float]]:
    """Every condition's value and its limit; it holds where the value does not exceed the limit.

    Args:
        vehicle: at or after the trajectory's first point.
        before: the trajectory that held until now.
    """
    numbers = (
        trajectory.times, trajectory.poses.xyz, trajectory.poses.quaternion, trajectory.speed, trajectory.acceleration,
        trajectory.heading_rate, trajectory.steering,
    )  # fmt: skip
    if len(trajectory.times) < 2:
        return {"size": (2.0 - len(trajectory.times), 0.0)}
    if not all(np.isfinite(values).all() for values in numbers):
        return {"finite": (1.0, 0.0)}
    return {
        **_shape(trajectory, limits),
        **_motion(trajectory, limits),
        **_beside_vehicle(trajectory, vehicle, limits),
        **_shift(trajectory, vehicle, before, limits),
    }


def broken(
    trajectory: Trajectory, vehicle: Vehicle, before: Trajectory | None = None, limits: Limits = AUTOWARE
) -> dict[str, tuple[float, float]]:
    """The conditions that do not hold, with their values and limits; empty for a good trajectory."""
    measured = measure(trajectory, vehicle, before, limits)
    return {name: pair for name, pair in measured.items() if not pair[0] <= pair[1]}


def _shape(trajectory: Trajectory, limits: Limits) -> dict[str, tuple[float, float]]:
    steps = np.hypot(*np.diff(trajectory.poses.xyz[:, :2], axis=0).T)
    xy, speed, acceleration = _thinned(trajectory)
    curvature = curvatures(xy)
    wheels = np.arctan(limits.wheel_base * curvature)
    ways = np.hypot(*np.diff(xy, axis=0).T)
    seconds = ways / np.maximum(0.5 * (speed[1:] + speed[:-1]), 1e-5)
    azimuth = np.arctan2(*np.diff(xy, axis=0).T[::-1])
    return {
        "interval": (float(steps.max()), limits.interval),
        "relative_angle": (_most(wrap_angle(np.diff(azimuth))), limits.relative_angle),
        "curvature": (_most(curvature), limits.curvature),
        "lateral_acceleration": (_most(speed**2 * curvature), limits.lateral_acceleration),
        "lateral_jerk": (_most(3.0 * speed**2 * acceleration * curvature), limits.lateral_jerk),
        "steering": (max(_most(wheels), _most(trajectory.steering)), limits.steering),
        "steering_rate": (_most(np.diff(wheels) / np.maximum(seconds, 1e-5)), limits.steering_rate),
    }


def _motion(trajectory: Trajectory, limits: Limits) -> dict[str, tuple[float, float]]:
    steps = np.diff(trajectory.times)
    speed, acceleration = trajectory.speed, trajectory.acceleration
    # Braking ends with the motion: to let the brake off in the last metre is no jerk that one could plan away.
    released = (speed[1:] < CREEPING) & (acceleration[:-1] < 0.0) & (np.diff(acceleration) > 0.0)
    jerk = np.where(released, 0.0, np.diff(acceleration) / steps)
    return {
        "time": (_most(steps - limits.time_step), 1e-6),
        "acceleration": (float(acceleration.max()), limits.acceleration),
        "deceleration": (float(-acceleration.min()), limits.deceleration),
        "jerk": (_most(jerk), limits.jerk),
        "wheel_rate": (_most(np.diff(trajectory.steering) / steps), limits.steering_rate),
        "consistent": (inconsistency(trajectory, limits.wheel_base), limits.inconsistency),
    }


def _beside_vehicle(trajectory: Trajectory, vehicle: Vehicle, limits: Limits) -> dict[str, tuple[float, float]]:
    xyz, yaw = trajectory.poses.xyz, trajectory.yaw
    near = _nearest(trajectory, vehicle)
    aside, along = _offset(vehicle.pose.xyz, xyz[near], yaw[near])
    at_an_end = near in (0, len(xyz) - 1)
    need = vehicle.speed**2 / (2.0 * limits.forward_braking) - limits.forward_margin
    ahead = float(np.hypot(*np.diff(xyz[near:, :2], axis=0).T).sum()) - along
    standing = abs(vehicle.speed) < STANDING
    first = np.linalg.norm(xyz[0] - vehicle.pose.xyz)
    return {
        "velocity_deviation": (abs(trajectory.speed[near] - vehicle.speed), limits.velocity_deviation),
        "distance_deviation": (abs(aside), limits.distance_deviation),
        "longitudinal_distance_deviation": (abs(along) if at_an_end else 0.0, limits.longitudinal_distance_deviation),
        "yaw_deviation": (abs(float(wrap_angle(yaw[near] - vehicle.yaw))), limits.yaw_deviation),
        "forward_trajectory_length": (0.0 if standing else need - ahead, 0.0),
        "start": (float(first), limits.start),
    }


def _shift(
    trajectory: Trajectory, vehicle: Vehicle, before: Trajectory | None, limits: Limits
) -> dict[str, tuple[float, float]]:
    """A trajectory that jumps away from the one before, beside the vehicle or along."""
    if before is None or abs(vehicle.speed) < STANDING:
        return {}
    near, last = _nearest(trajectory, vehicle), _nearest(before, vehicle)
    place = trajectory.poses.xyz[near]
    beside_vehicle, _ = _offset(place, vehicle.pose.xyz, vehicle.yaw)
    aside, along = _offset(place, before.poses.xyz[last], float(before.yaw[last]))
    lateral = abs(aside) if abs(beside_vehicle) > limits.lateral_shift else 0.0
    found = {"lateral_shift": (lateral, limits.lateral_shift)}
    if last < len(before.times) - 2:
        if near == 0:
            found["forward_shift"] = (along, limits.forward_shift)
        elif near >= len(trajectory.times) - 2:
            found["backward_shift"] = (-along, limits.backward_shift)
    return found


def inconsistency(trajectory: Trajectory, wheel_base: float) -> float:
    """How far the fields contradict each other, as the worst of five errors: m, m/s, rad, rad/s and rad."""
    dt = np.diff(trajectory.times)
    yaw, speed, heading_rate = trajectory.yaw, trajectory.speed, trajectory.heading_rate
    steps = np.hypot(*np.diff(trajectory.poses.xyz[:, :2], axis=0).T)
    moving = speed > STANDING
    wheels = np.arctan(wheel_base * heading_rate / np.where(moving, speed, 1.0))
    return max(
        _most(steps - _middle(speed) * dt),
        _most(np.diff(speed) - _middle(trajectory.acceleration) * dt),
        _most(np.diff(yaw) - _middle(heading_rate) * dt),
        _most(heading_rate - speed * np.tan(trajectory.steering) / wheel_base),
        _most(np.where(moving, trajectory.steering - wheels, 0.0)),
    )


def curvatures(xy: np.ndarray) -> np.ndarray:
    """(N, 2) -> (N,) 1/m, each of the circle through a point and its neighbours more than `APART` away; + = left."""
    count = len(xy)
    if count < 3:
        return np.zeros(count)
    way = np.concatenate([[0.0], np.hypot(*np.diff(xy, axis=0).T).cumsum()])
    index = np.arange(count)
    back = np.maximum(np.searchsorted(way, way - APART, side="left") - 1, 0)
    fore = np.minimum(np.searchsorted(way, way + APART, side="right"), count - 1)
    a, b, c = xy[back], xy, xy[fore]
    ab, bc, ac = b - a, c - b, c - a
    cross = ab[:, 0] * bc[:, 1] - ab[:, 1] * bc[:, 0]
    lengths = np.hypot(*ab.T) * np.hypot(*bc.T) * np.hypot(*ac.T)
    found = np.where(lengths > 1e-9, 2.0 * cross / np.where(lengths > 1e-9, lengths, 1.0), 0.0)
    whole = (way - APART > 0.0) & (way + APART < way[-1])
    if not whole.any():
        found[:] = found[1] if count == 3 else found[1:-1][np.abs(found[1:-1]).argmax()]
        return found
    inner = index[whole]
    found[: inner[0]], found[inner[-1] + 1 :] = found[inner[0]], found[inner[-1]]
    return found


def _thinned(trajectory: Trajectory) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """xy, speed and acceleration of points that are more than `APART` from each other."""
    xy, kept = trajectory.poses.xyz[:, :2], [0]
    for number in range(1, len(xy)):
        if math.dist(xy[number], xy[kept[-1]]) > APART:
            kept.append(number)
    return xy[kept], trajectory.speed[kept], trajectory.acceleration[kept]


def _nearest(trajectory: Trajectory, vehicle: Vehicle) -> int:
    gaps = np.hypot(*(trajectory.poses.xyz[:, :2] - vehicle.pose.xyz[:2]).T)
    return int(gaps.argmin())


def _offset(place: np.ndarray, origin: np.ndarray, yaw: float) -> tuple[float, float]:
    """Metres to the left of and along a heading."""
    dx, dy = place[:2] - origin[:2]
    return float(dy * math.cos(yaw) - dx * math.sin(yaw)), float(dx * math.cos(yaw) + dy * math.sin(yaw))


def _middle(values: np.ndarray) -> np.ndarray:
    return 0.5 * (values[1:] + values[:-1])


def _most(values: np.ndarray) -> float:
    return float(np.abs(values).max()) if np.size(values) else 0.0
