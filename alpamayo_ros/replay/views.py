"""Where cameras look: yaw and horizontal field of view, from CameraInfo and /tf_static, against the model's own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from alpamayo_ros.geometry import quaternion_to_matrix
from alpamayo_ros.replay.projection import CameraModel

# Further from what the model was trained with than this, a camera is worth a warning.
WARN_YAW, WARN_FOV = 15.0, 0.25


@dataclass(frozen=True)
class View:
    """Degrees: yaw counter-clockwise from straight ahead, horizontal field of view."""

    yaw: float
    fov: float

    def turned(self, other: View) -> float:
        """How far this one looks to the left of the other."""
        return (self.yaw - other.yaw + 180.0) % 360.0 - 180.0

    def distance(self, other: View) -> float:
        """How unlike two views are; 30 degrees of yaw count as much as a field of view twice as wide."""
        return abs(self.turned(other)) / 30.0 + abs(math.log2(self.fov / other.fov))


# What the model was trained with: NVIDIA's names say the fields of view.
TRAINED = {
    "cross_left": View(60.0, 120.0),
    "front_wide": View(0.0, 120.0),
    "cross_right": View(-60.0, 120.0),
    "front_tele": View(0.0, 30.0),
}


def view(camera: CameraModel) -> View:
    """Where a camera looks and how much it sees, on a level with its axis."""
    axis = quaternion_to_matrix(camera.pose.quaternion)[:, 2]
    angles = np.radians(np.linspace(-89.0, 89.0, 1781))
    rays = np.stack([np.sin(angles), np.zeros_like(angles), np.cos(angles)], axis=-1)
    pixels = camera.pixels(rays)
    inside = (np.abs(angles) < camera.widest) & (pixels[:, 0] >= 0) & (pixels[:, 0] < camera.size[1])
    return View(math.degrees(math.atan2(axis[1], axis[0])), float(np.degrees(np.ptp(angles[inside]))))


def warnings(views: Mapping[str, View]) -> list[str]:
    """A sentence for each role whose camera is far from what the model was trained with."""
    said = []
    for role, seen in views.items():
        trained = TRAINED[role]
        if abs(seen.turned(trained)) > WARN_YAW:
            said.append(f"{role} looks at {seen.yaw:+.0f} degrees; the model was trained with {trained.yaw:+.0f}")
        if abs(seen.fov / trained.fov - 1.0) > WARN_FOV:
            said.append(f"{role} sees {seen.fov:.0f} degrees; the model was trained with {trained.fov:.0f}")
    return said
