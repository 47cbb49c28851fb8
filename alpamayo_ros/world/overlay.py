"""A plan drawn into a camera's image: the chosen path as a ribbon on the road, the other samples as lines."""

from __future__ import annotations

import cv2
import numpy as np

from alpamayo_ros.contract import Plan
from alpamayo_ros.world.rig import Camera

CHOSEN, OTHERS = (64, 224, 255), (255, 214, 96)  # RGB
RIBBON_HALF = 0.85  # metres
NEAREST = 0.6  # metres of depth, before which nothing is drawn
OPACITY = 0.45


def draw_plan(image: np.ndarray, camera: Camera, plan: Plan) -> np.ndarray:
    """A copy of an (H, W, 3) RGB image with the plan's samples on the ground plane."""
    drawn = image.copy()
    width = max(1, image.shape[1] // 480)
    for index in range(len(plan.xyz)):
        if index != plan.chosen:
            _line(drawn, camera, plan.xyz[index], OTHERS, width)
    xyz, yaw = plan.xyz[plan.chosen], plan.yaw[plan.chosen]
    ribbon = drawn.copy()
    for quad in _ribbon(xyz, yaw):
        _polygon(ribbon, camera, quad)
    cv2.addWeighted(ribbon, OPACITY, drawn, 1.0 - OPACITY, 0.0, drawn)
    _line(drawn, camera, xyz, CHOSEN, width + 1)
    return drawn


def _ribbon(xyz: np.ndarray, yaw: np.ndarray) -> np.ndarray:
    """(N, 4, 3) quadrilaterals along a path, vehicle-wide; pieces shorter than 5 cm are left out."""
    side = RIBBON_HALF * np.stack([-np.sin(yaw), np.cos(yaw), np.zeros_like(yaw)], axis=-1)
    left, right = xyz + side, xyz - side
    quads = np.stack([right[:-1], right[1:], left[1:], left[:-1]], axis=1)
    return quads[np.linalg.norm(np.diff(xyz, axis=0), axis=1) > 0.05]


def _pixels(image: np.ndarray, camera: Camera, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3) ego points -> (N, 2) int32 pixels in 1/16, and which are before the camera."""
    height, width = image.shape[:2]
    optical = camera.to_optical(points)
    depth = optical[:, 2]
    k = camera.intrinsics(height, width)
    safe = np.maximum(depth, NEAREST)
    uv = np.stack([k[0, 0] * optical[:, 0] / safe + k[0, 2], k[1, 1] * optical[:, 1] / safe + k[1, 2]], axis=-1)
    return np.rint(np.clip(uv, -1e4, 1e4) * 16).astype(np.int32), depth > NEAREST


def _line(image: np.ndarray, camera: Camera, xyz: np.ndarray, colour: tuple[int, int, int], width: int) -> None:
    pixels, before = _pixels(image, camera, xyz)
    if before.sum() > 1:
        cv2.polylines(image, [pixels[before]], False, colour, width, cv2.LINE_AA, 4)


def _polygon(image: np.ndarray, camera: Camera, quad: np.ndarray) -> None:
    pixels, before = _pixels(image, camera, quad)
    if before.all():
        cv2.fillConvexPoly(image, pixels, CHOSEN, cv2.LINE_AA, 4)
