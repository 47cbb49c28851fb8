"""The four cameras: fields of view, mounting, intrinsics and extrinsics. Enough for CameraInfo and /tf_static.

Pinhole without distortion; the optical frame is REP-103's (x right, y down, z forward). The rig is the one of
`config/carla_rig.json`: a roof mount with the yaws and fields of view of Alpamayo's cameras, not their exact places.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from alpamayo_ros.contract import CAMERA_ROLES
from alpamayo_ros.geometry import matrix_from_yaw, matrix_to_quaternion

# The optical axes (columns: x, y, z) in a frame with x forward, y left, z up.
OPTICAL_IN_BODY = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])


@dataclass(frozen=True)
class Camera:
    """One pinhole camera: horizontal field of view and yaw in degrees, `xyz` metres in base_link."""

    role: str
    fov: float
    yaw: float
    xyz: tuple[float, float, float]

    def focal_length(self, width: int) -> float:
        """Pixels; the same for x and y."""
        return width / (2.0 * math.tan(math.radians(self.fov) / 2.0))

    def intrinsics(self, height: int, width: int) -> np.ndarray:
        """(3, 3) K, with the principal point in the middle of the image (pixel centres at integers)."""
        f = self.focal_length(width)
        return np.array([[f, 0.0, (width - 1) / 2], [0.0, f, (height - 1) / 2], [0.0, 0.0, 1.0]])

    @cached_property
    def rotation(self) -> np.ndarray:
        """(3, 3): the camera optical frame's axes in base_link."""
        return matrix_from_yaw(math.radians(self.yaw)) @ OPTICAL_IN_BODY

    @cached_property
    def quaternion(self) -> np.ndarray:
        """(4,) xyzw: the same rotation, for /tf_static (parent base_link, child the optical frame)."""
        return matrix_to_quaternion(self.rotation)

    def to_optical(self, points: np.ndarray) -> np.ndarray:
        """(..., 3) points in base_link -> (..., 3) in the optical frame."""
        return (np.asarray(points) - np.array(self.xyz)) @ self.rotation

    def eye(self, x: float, y: float, yaw: float) -> np.ndarray:
        """(3,) the camera's place in the world for an ego pose."""
        return np.array([x, y, 0.0]) + matrix_from_yaw(yaw) @ np.array(self.xyz)


RIG: dict[str, Camera] = {
    camera.role: camera
    for camera in (
        Camera("cross_left", 120.0, 60.0, (1.0, 0.5, 2.4)),
        Camera("front_wide", 120.0, 0.0, (1.5, 0.0, 2.4)),
        Camera("cross_right", 120.0, -60.0, (1.0, -0.5, 2.4)),
        Camera("front_tele", 30.0, 0.0, (1.5, 0.0, 2.4)),
    )
}
if tuple(RIG) != CAMERA_ROLES:
    raise RuntimeError(f"the rig's cameras {tuple(RIG)} are not the contract's {CAMERA_ROLES}")
