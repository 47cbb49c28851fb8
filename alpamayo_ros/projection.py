"""Points of the ego frame in a camera's image, by its CameraInfo and its place in the vehicle.

Camera models of sensor_msgs/CameraInfo: plumb_bob and rational_polynomial (Brown-Conrady), equidistant (Kannala and
Brandt 2006, what ROS and OpenCV call fisheye). Distortion is OpenCV's to compute.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from alpamayo_ros.geometry import Pose, matrix_from_yaw, quaternion_to_matrix

MODELS = ("plumb_bob", "rational_polynomial", "equidistant")
NEAREST = 0.3  # metres of depth, before which nothing is drawn
WIDEST = float(np.radians(85.0))  # off the axis, for any camera


@dataclass(frozen=True, eq=False)
class CameraModel:
    """One camera: (3, 3) K for images of `size` (height, width), distortion, the pose of its optical frame (in ego)."""

    k: np.ndarray
    distortion: np.ndarray
    model: str
    size: tuple[int, int]
    pose: Pose

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N, 3) points of the ego frame -> (N, 2) pixels (x, y), and (N,) bool: in view of the camera's model."""
        optical = (np.asarray(points) - self.pose.xyz) @ quaternion_to_matrix(self.pose.quaternion)
        depth, aside = optical[:, 2], np.hypot(optical[:, 0], optical[:, 1])
        visible = (depth > NEAREST) & (np.arctan2(aside, depth) < self.widest)
        return self.pixels(np.where(visible[:, None], optical, [0.0, 0.0, 1.0])), visible

    @cached_property
    def widest(self) -> float:
        """Radians off the axis up to which the distortion is one to one; beyond, its polynomial folds back."""
        angles = np.linspace(0.0, WIDEST, 400)
        rays = np.stack([np.sin(angles), np.zeros_like(angles), np.cos(angles)], axis=-1)
        outward = np.diff(self.pixels(rays)[:, 0])
        return float(angles[int(np.argmax(outward <= 0))]) if (outward <= 0).any() else WIDEST

    def pixels(self, optical: np.ndarray) -> np.ndarray:
        """(N, 3) points of the optical frame, before the camera -> (N, 2) pixels."""
        none = np.zeros(3)
        if self.model == "equidistant":
            return cv2.fisheye.projectPoints(optical[:, None], none, none, self.k, self.distortion[:4])[0][:, 0]
        return cv2.projectPoints(optical[:, None], none, none, self.k, self.distortion)[0][:, 0]


def camera_model(
    k: Sequence[float], distortion: Sequence[float], model: str, size: tuple[int, int], pose: Pose
) -> CameraModel | None:
    """A camera by the fields of its CameraInfo and its pose; None where it is not calibrated or of an unknown model."""
    if model not in ("", *MODELS) or not np.isfinite((*k, *distortion)).all() or k[0] <= 0 or min(size) <= 0:
        return None
    coefficients = np.array(distortion if len(distortion) else np.zeros(5), dtype=np.float64)
    return CameraModel(np.array(k, dtype=np.float64).reshape(3, 3), coefficients, model, size, pose)


def ribbon(xyz: np.ndarray, yaw: np.ndarray, half_width: float) -> np.ndarray:
    """(M, 4, 3) quadrilaterals on the ground along a path of (N, 3) points and (N,) headings; short ones left out."""
    side = half_width * matrix_from_yaw(yaw)[:, :, 1]
    left, right = xyz + side, xyz - side
    quads = np.stack([right[:-1], right[1:], left[1:], left[:-1]], axis=1)
    return quads[np.linalg.norm(np.diff(xyz, axis=0), axis=1) > 0.05]


def draw_path(
    image: np.ndarray, camera: CameraModel, xyz: np.ndarray, yaw: np.ndarray, colour: tuple[int, int, int]
) -> np.ndarray:
    """A copy of an (H, W, 3) image with a path as a vehicle-wide ribbon on the ground."""
    scale = np.array([image.shape[1] / camera.size[1], image.shape[0] / camera.size[0]])
    layer, drawn = image.copy(), image.copy()
    for quad in ribbon(xyz, yaw, 0.85):
        pixels, visible = camera.project(quad)
        if visible.all():
            corners = np.rint(np.clip(pixels * scale, -1e4, 1e4) * 16).astype(np.int32)
            cv2.fillConvexPoly(layer, corners, colour, cv2.LINE_AA, 4)
    cv2.addWeighted(layer, 0.45, drawn, 0.55, 0.0, drawn)
    pixels, visible = camera.project(xyz)
    line = np.rint(np.clip(pixels[visible] * scale, -1e4, 1e4) * 16).astype(np.int32)
    if len(line) > 1:
        cv2.polylines(drawn, [line], False, colour, max(2, image.shape[1] // 480), cv2.LINE_AA, 4)
    return drawn
