"""A comfortable stop, for when plans stop coming: along the last path that was meant, else on the present arc."""

from __future__ import annotations

import numpy as np

from alpamayo_ros.contract import PLAN_PERIOD
from alpamayo_ros.follow.intent import Intent
from alpamayo_ros.follow.tracking import Bounds, track
from alpamayo_ros.follow.trajectory import Trajectory
from alpamayo_ros.follow.vehicle import Vehicle
from alpamayo_ros.unicycle import integrate

# Seconds of the arc that is held where there is no path.
ARC = 20.0


def stop(
    vehicle: Vehicle, bounds: Bounds, braking: float, along: Intent | None = None, steering: float | None = None
) -> Trajectory:
    """The vehicle comes to rest with `braking` (m/s^2), entered and left without a jerk, and stays.

    Args:
        along: the path to stop on; None: the arc that the vehicle is on.
        steering: its present wheel angle where known.
    """
    return track(along or _arc(vehicle), vehicle, bounds, steering, braking)


def _arc(vehicle: Vehicle) -> Intent:
    """Speed and curvature held for so long that any stop fits in."""
    count = round(ARC / PLAN_PERIOD)
    curvature = np.full(count, vehicle.curvature or 0.0)
    xyz, yaw, _ = integrate(max(vehicle.speed, 0.0), np.zeros(count), curvature)
    cos, sin = np.cos(vehicle.yaw), np.sin(vehicle.yaw)
    turned = np.stack([cos * xyz[:, 0] - sin * xyz[:, 1], sin * xyz[:, 0] + cos * xyz[:, 1], xyz[:, 2]], axis=-1)
    places = np.concatenate([vehicle.pose.xyz[None], vehicle.pose.xyz + turned])
    headings = np.concatenate([[vehicle.yaw], vehicle.yaw + yaw])
    return Intent(vehicle.stamp_ns, places, headings, np.full(count + 1, vehicle.speed))
