"""Coloured faces in 3-D, and the few solids that everything in the world is built from.

A face is a flat convex quadrilateral (a triangle repeats a corner) or, where `radius` > 0, a disc that always looks
at the camera and has its centre in the first corner. Faces of one mesh are listed in painting order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

RGB = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Mesh:
    """F faces: `corners` (F, 4, 3) metres, `normal` (F, 3) unit or zero for discs, `colour` (F, 3) RGB 0..255,
    `glow` (F,) 1 where the face shines by itself, `radius` (F,) metres, 0 for polygons."""

    corners: np.ndarray
    normal: np.ndarray
    colour: np.ndarray
    glow: np.ndarray
    radius: np.ndarray

    def __len__(self) -> int:
        return len(self.radius)

    def __getitem__(self, chosen: np.ndarray) -> Mesh:
        """The chosen faces only, by a mask or by indices."""
        return Mesh(
            self.corners[chosen], self.normal[chosen], self.colour[chosen], self.glow[chosen], self.radius[chosen]
        )

    def placed(self, x: float, y: float, yaw: float) -> Mesh:
        """The same faces, turned by `yaw` about z and moved to (x, y)."""
        cos, sin = math.cos(yaw), math.sin(yaw)
        turn = np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
        return Mesh(self.corners @ turn + [x, y, 0.0], self.normal @ turn, self.colour, self.glow, self.radius)


EMPTY = Mesh(np.zeros((0, 4, 3)), np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0), np.zeros(0))


def join(*meshes: Mesh) -> Mesh:
    """One mesh of several, painted in this order."""
    return Mesh(
        np.concatenate([mesh.corners for mesh in meshes]),
        np.concatenate([mesh.normal for mesh in meshes]),
        np.concatenate([mesh.colour for mesh in meshes]),
        np.concatenate([mesh.glow for mesh in meshes]),
        np.concatenate([mesh.radius for mesh in meshes]),
    )


def polygons(corners: np.ndarray, colour: RGB, glow: float = 0.0) -> Mesh:
    """(F, 4, 3) quadrilaterals, counter-clockwise seen from outside."""
    corners = np.asarray(corners, dtype=np.float64)
    # The diagonals' product is a normal also where a corner is repeated.
    normal = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    count = len(corners)
    return Mesh(corners, normal, np.tile(np.float64(colour), (count, 1)), np.full(count, glow), np.zeros(count))


def disc(x: float, y: float, z: float, radius: float, colour: RGB, glow: float = 0.0) -> Mesh:
    """A ball, seen as a disc from everywhere."""
    return Mesh(
        np.tile([x, y, z], (1, 4, 1)), np.zeros((1, 3)), np.float64([colour]), np.array([glow]), np.array([radius])
    )


def frustum(
    bottom: tuple[float, float, float, float], top: tuple[float, float, float, float], z0: float, z1: float,
    colour: RGB, lid: RGB | None = None, glow: float = 0.0,
) -> Mesh:  # fmt: skip
    """A block between two rectangles (x0, x1, y0, y1) at heights z0 and z1: front, back, left, right, lid."""
    low = _ring(bottom, z0)
    high = _ring(top, z1)
    sides = [[low[i], low[j], high[j], high[i]] for i, j in ((3, 0), (1, 2), (0, 1), (2, 3))]
    walls = polygons(np.array(sides), colour, glow)
    return join(walls, polygons(np.array([high]), lid or colour, glow))


def box(x0: float, x1: float, y0: float, y1: float, z0: float, z1: float, colour: RGB, lid: RGB | None = None) -> Mesh:
    """An upright block without a bottom."""
    return frustum((x0, x1, y0, y1), (x0, x1, y0, y1), z0, z1, colour, lid)


def _ring(rectangle: tuple[float, float, float, float], z: float) -> np.ndarray:
    x0, x1, y0, y1 = rectangle
    return np.array([[x1, y1, z], [x0, y1, z], [x0, y0, z], [x1, y0, z]])


def plate_x(x: float, y0: float, y1: float, z0: float, z1: float, colour: RGB, facing: int, glow: float = 0.0) -> Mesh:
    """An upright rectangle in the plane x, seen from ahead (`facing` 1) or from behind (-1)."""
    ring = [[x, y0, z0], [x, y1, z0], [x, y1, z1], [x, y0, z1]]
    return polygons(np.array([ring if facing > 0 else ring[::-1]]), colour, glow)


def plate_y(y: float, x0: float, x1: float, z0: float, z1: float, colour: RGB, facing: int, glow: float = 0.0) -> Mesh:
    """An upright rectangle in the plane y, seen from the left (`facing` 1) or from the right (-1)."""
    ring = [[x1, y, z0], [x0, y, z0], [x0, y, z1], [x1, y, z1]]
    return polygons(np.array([ring if facing > 0 else ring[::-1]]), colour, glow)


def round_plate(
    centre: tuple[float, float, float], radius: float, axis: str, colour: RGB, facing: int, glow: float = 0.0
) -> Mesh:
    """A flat twelve-sided disc across `axis` ("x" or "y"), seen from its positive (`facing` 1) or negative side."""
    angles = np.radians(15.0 + 30.0 * np.arange(12))
    u, z = radius * np.cos(angles), centre[2] + radius * np.sin(angles)
    if axis == "x":
        ring = np.stack([np.full(12, centre[0]), centre[1] + u, z], axis=-1)
    else:
        ring = np.stack([centre[0] - u, np.full(12, centre[1]), z], axis=-1)
    quads = np.stack([ring[[0, k, k + 1, k + 2]] for k in range(1, 11, 2)])
    return polygons(quads if facing > 0 else quads[:, ::-1], colour, glow)
