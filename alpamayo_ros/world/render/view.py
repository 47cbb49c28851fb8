"""A camera's view as a projection: world to pixels, what lies outside, the cut at the near plane, the filling."""

from __future__ import annotations

import math

import cv2
import numpy as np

from alpamayo_ros.world.rig import Camera

NEAR = 0.25  # metres, the near plane
FAR = 190.0
SHIFT = 4  # cv2's fractional bits of a coordinate
LEAST_PIXELS = 1.5  # a face smaller than this both ways is not drawn
_WHOLE, _CUT, _DISC = 0, 1, 2  # a polygon before the near plane, one that it cuts, a disc


class View:
    """One camera at one image size. Stateless: the ego's pose comes with each call."""

    def __init__(self, camera: Camera, height: int, width: int) -> None:
        self.camera, self.height, self.width = camera, height, width
        self.focal = camera.focal_length(width)
        self._centre = np.array([(width - 1) / 2, (height - 1) / 2]) * (1 << SHIFT)
        # Half a degree more than the image on each side, so that nothing at its border is lost.
        self.slopes = ((width + 8) / (2 * self.focal), (height + 8) / (2 * self.focal))

    def axes(self, x: float, y: float, yaw: float) -> tuple[np.ndarray, np.ndarray]:
        """World -> optical for an ego pose: p_optical = (p_world - origin) @ axes; (3, 3) and (3,)."""
        cos, sin = math.cos(yaw), math.sin(yaw)
        turn = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
        return turn @ self.camera.rotation, self.camera.eye(x, y, yaw)

    def seen(self, points: np.ndarray) -> np.ndarray:
        """(N, 4, 3) optical corners -> (N,) bool: not wholly beyond one side of the view, nor too far."""
        x, y, z = (np.ascontiguousarray(points[..., axis].T) for axis in range(3))
        wide, high = self.slopes[0] * z, self.slopes[1] * z
        nearest, farthest = z.min(axis=0), z.max(axis=0)
        seen = (farthest > NEAR) & (nearest < FAR)
        seen &= ((x - wide).min(axis=0) < 0) & ((x + wide).max(axis=0) > 0)
        seen &= ((y - high).min(axis=0) < 0) & ((y + high).max(axis=0) > 0)
        return seen

    def fill(self, image: np.ndarray, points: np.ndarray, radius: np.ndarray | None, colours: np.ndarray) -> None:
        """Fills optical faces in order.

        Args:
            image: (H, W, 3) uint8, drawn into.
            points: (N, 4, 3) corners; of a disc the first one is the centre.
            radius: (N,) metres, above zero for discs; None: no discs.
            colours: (N, 3).
        """
        # Corners first: numpy reduces over a long last axis many times faster than over one of four.
        x, y, z = (np.ascontiguousarray(points[..., axis].T) for axis in range(3))
        scale = self.focal * (1 << SHIFT) / np.maximum(z, NEAR)
        x, y = np.rint(x * scale + self._centre[0]), np.rint(y * scale + self._centre[1])
        size = np.zeros(len(points)) if radius is None else radius * scale[0]
        kinds = np.where(size > 0.0, _DISC, np.where(z.min(axis=0) > NEAR, _WHOLE, _CUT))
        extent = np.maximum(x.max(axis=0) - x.min(axis=0), y.max(axis=0) - y.min(axis=0))
        large = np.maximum(extent, size) > LEAST_PIXELS * (1 << SHIFT)
        fixed = np.empty((len(points), 4, 2), np.int32)
        fixed[..., 0], fixed[..., 1] = x.T, y.T
        centres, sizes, shades = fixed[:, 0].tolist(), size.astype(int).tolist(), colours.tolist()
        fill, circle, smooth = cv2.fillConvexPoly, cv2.circle, cv2.LINE_AA
        for index, kind in zip(*(found.tolist() for found in _drawn(large, kinds)), strict=True):
            if kind == _WHOLE:
                fill(image, fixed[index], shades[index], smooth, SHIFT)
            elif kind == _DISC:
                circle(image, centres[index], sizes[index], shades[index], -1, smooth, SHIFT)
            else:
                fill(image, self._clipped(points[index]), shades[index], smooth, SHIFT)

    def _clipped(self, corners: np.ndarray) -> np.ndarray:
        """One polygon cut at the near plane (Sutherland and Hodgman), as fixed-point pixels."""
        kept = []
        for here, after in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            if here[2] > NEAR:
                kept.append(here)
            if (here[2] > NEAR) != (after[2] > NEAR):
                kept.append(here + (after - here) * ((NEAR - here[2]) / (after[2] - here[2])))
        cut = np.array(kept)
        return np.rint(cut[:, :2] * (self.focal * (1 << SHIFT) / cut[:, 2:]) + self._centre).astype(np.int32)


def _drawn(large: np.ndarray, kinds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices and kinds of the faces worth drawing. A cut polygon's extent is not known yet, so it always is."""
    chosen = np.flatnonzero(large | (kinds == _CUT))
    return chosen, kinds[chosen]
