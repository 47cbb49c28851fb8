"""Curves by arc length: a planar line with heading and curvature, its points, and where a point lies beside it.

Frenet coordinates: s metres along the curve, d metres to its left. It knows nothing of roads or cars.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from alpamayo_ros.geometry import wrap_angle

STEP = 0.5  # metres between the samples of a curve


@dataclass(frozen=True, eq=False)
class Curve:
    """Samples every `STEP` metres from `start_s` on: `xy` (N, 2), `yaw` (N,), `curvature` (N,) in 1/m, + = left."""

    xy: np.ndarray
    yaw: np.ndarray
    curvature: np.ndarray
    start_s: float = 0.0

    @staticmethod
    def from_curvature(curvature: np.ndarray, x: float, y: float, yaw: float, start_s: float = 0.0) -> Curve:
        """The curve that begins at (x, y, yaw) and bends by `curvature` (N,) at its samples.

        Midpoint integration: the heading by the trapezoidal rule, the position by the mean heading of a step.
        """
        curvature = np.asarray(curvature, dtype=np.float64)
        turns = 0.5 * (curvature[1:] + curvature[:-1]) * STEP
        headings = yaw + np.concatenate([[0.0], np.cumsum(turns)])
        middle = 0.5 * (headings[1:] + headings[:-1])
        xy = np.empty((len(curvature), 2))
        xy[0] = x, y
        xy[1:, 0] = x + np.cumsum(np.cos(middle)) * STEP
        xy[1:, 1] = y + np.cumsum(np.sin(middle)) * STEP
        return Curve(xy, headings, curvature, start_s)

    @property
    def end_s(self) -> float:
        return self.start_s + (len(self.xy) - 1) * STEP

    def at(self, s: float, d: float = 0.0) -> tuple[float, float, float, float]:
        """(x, y, yaw, curvature) of the point at s, moved d to the left. Straight on beyond both ends."""
        position = (s - self.start_s) / STEP
        index = min(max(int(position), 0), len(self._rows) - 2)
        fraction = position - index
        inside = min(max(fraction, 0.0), 1.0)
        x0, y0, yaw0, bend0 = self._rows[index]
        x1, y1, yaw1, bend1 = self._rows[index + 1]
        yaw = yaw0 + inside * (yaw1 - yaw0)
        x, y = x0 + fraction * (x1 - x0), y0 + fraction * (y1 - y0)
        return x - d * math.sin(yaw), y + d * math.cos(yaw), yaw, bend0 + inside * (bend1 - bend0)

    @cached_property
    def _rows(self) -> list[list[float]]:
        """The samples as plain floats, which `at` reads several times faster than from arrays."""
        return np.column_stack([self.xy, self.yaw, self.curvature]).tolist()

    def points(self, s: np.ndarray, d: np.ndarray | float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Many points at once: `s` (K,), `d` (K,) or one -> xy (K, 2), yaw (K,). Clamped to the curve's ends."""
        position = np.clip((np.asarray(s) - self.start_s) / STEP, 0.0, len(self.xy) - 1.0)
        index = np.minimum(position.astype(int), len(self.xy) - 2)
        fraction = position - index
        yaw = self.yaw[index] + fraction * (self.yaw[index + 1] - self.yaw[index])
        xy = self.xy[index] + fraction[:, None] * (self.xy[index + 1] - self.xy[index])
        normal = np.stack([-np.sin(yaw), np.cos(yaw)], axis=-1)
        return xy + normal * np.broadcast_to(d, yaw.shape)[:, None], yaw

    def frenet(self, points: np.ndarray) -> np.ndarray:
        """(..., 2) world points -> (..., 2) their (s, d).

        The nearest sample, corrected to second order by its curvature: off by less than 1 mm within 5 m of a
        curve whose radius is 20 m or more.
        """
        points = np.asarray(points, dtype=np.float64)
        flat = points.reshape(-1, 2)
        dx = flat[:, 0, None] - self.xy[None, :, 0]
        dy = flat[:, 1, None] - self.xy[None, :, 1]
        nearest = np.argmin(dx * dx + dy * dy, axis=1)
        row = np.arange(len(flat))
        dx, dy = dx[row, nearest], dy[row, nearest]
        cos, sin = np.cos(self.yaw[nearest]), np.sin(self.yaw[nearest])
        along, across = dx * cos + dy * sin, dy * cos - dx * sin
        bend = self.curvature[nearest]
        along_curve = along / np.maximum(1.0 - bend * across, 0.2)
        s = self.start_s + nearest * STEP + along_curve
        d = across - 0.5 * bend * along * along_curve
        return np.stack([s, d], axis=-1).reshape(points.shape)

    def frenet_pose(self, x: float, y: float, yaw: float) -> tuple[float, float, float]:
        """(s, d, heading relative to the curve) of one pose."""
        s, d = self.frenet(np.array([x, y]))
        return float(s), float(d), float(wrap_angle(yaw - self.at(s)[2]))


def smooth_turn(angle: float, extent: float) -> np.ndarray:
    """Curvature samples of a turn by `angle` radians (+ = left) that goes `extent` forward and `extent` aside.

    The curvature rises linearly over the first third, holds, and falls over the last: a clothoid, an arc, a
    clothoid. `extent` is exact for +-90 degrees, where the symmetry makes both displacements equal.
    """
    count = 3 * 64 + 1
    u = np.linspace(0.0, 1.0, count)
    shape = np.clip(np.minimum(u, 1.0 - u) * 3.0, 0.0, 1.0)
    heading = np.concatenate([[0.0], np.cumsum(0.5 * (shape[1:] + shape[:-1]))])
    heading *= angle / heading[-1]
    forward = np.mean(np.cos(0.5 * (heading[1:] + heading[:-1])))
    length = extent / forward
    samples = np.arange(0.0, length, STEP)
    profile = np.clip(np.minimum(samples, length - samples) * 3.0 / length, 0.0, 1.0)
    return profile * (angle / (profile.sum() * STEP))
