"""Frames of one camera: backdrop, ground, shadows, then everything upright from far to near, then sensor noise.

A frame depends on the scene, the snapshot and the camera alone. No two instants of a drive give equal bytes: the
noise is a window into a fixed field, and no two milliseconds of a minute use the same window.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from alpamayo_ros.world.render.backdrop import Backdrop, headlight
from alpamayo_ros.world.render.cast_meshes import SceneMeshes
from alpamayo_ros.world.render.mesh import Mesh
from alpamayo_ros.world.render.palette import LIGHTING
from alpamayo_ros.world.render.view import NEAR, View
from alpamayo_ros.world.rig import Camera
from alpamayo_ros.world.state import EgoState, Snapshot

SMALL = 320  # up to this width frames are drawn at twice their size: thin things fade instead of flickering
NOISE_WINDOWS = 256  # places of the noise window, each way
SHADOW = (34.0, 34.0, 38.0)


class Renderer:
    """Renders one camera of one scene at one size. Keeps nothing between frames but tables."""

    def __init__(self, meshes: SceneMeshes, camera: Camera, height: int, width: int) -> None:
        scenario = meshes.scene.scenario
        self._meshes, self._size = meshes, (height, width)
        self._lighting = LIGHTING[scenario.daylight]
        self._exposure = scenario.exposure
        scale = 2 if width <= SMALL else 1
        self._view = View(camera, height * scale, width * scale)
        skyline = int(scenario.stream("skyline").integers(1 << 30))
        self._backdrop = Backdrop(self._view, self._lighting, scenario.zone, self._exposure, skyline)
        self._ground_colour = self._exposure * self._lighting.flat(meshes.ground.colour)
        self._noise = _noise_field(height, width, self._lighting.noise)
        self._noise_key = int(scenario.stream(camera.role).integers(NOISE_WINDOWS**2))

    def render(self, snapshot: Snapshot) -> np.ndarray:
        """(H, W, 3) uint8 RGB of this instant."""
        ego, view = snapshot.ego, self._view
        image = np.empty((view.height, view.width, 3), np.uint8)
        self._backdrop.paint(image, ego.yaw)
        axes, origin = view.axes(ego.x, ego.y, ego.yaw)
        self._paint_ground(image, axes, origin)
        self._backdrop.finish_ground(image, ego.x, ego.y, ego.yaw)
        self._paint_shadows(image, snapshot, axes, origin)
        self._paint_upright(image, snapshot, axes, origin)
        if image.shape[:2] != self._size:
            image = cv2.resize(image, self._size[::-1], interpolation=cv2.INTER_AREA)
        return self._with_noise(image, snapshot.t_ns)

    def _hazed(self, colour: np.ndarray, depth: np.ndarray) -> np.ndarray:
        haze = self._lighting.haze(depth)[:, None]
        return self._exposure * (colour * (1.0 - haze) + haze * np.array(self._lighting.horizon))

    def _flat(self, flat: np.ndarray, axes: np.ndarray, origin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N, 4, 2) quadrilaterals on the ground -> the optical corners of those in view, and which they are."""
        points = (flat - origin[:2]) @ axes[:2] - origin[2] * axes[2]
        seen = self._view.seen(points)
        return points[seen], seen

    def _paint_ground(self, image: np.ndarray, axes: np.ndarray, origin: np.ndarray) -> None:
        points, seen = self._flat(self._meshes.ground.corners, axes, origin)
        self._view.fill(image, points, None, self._ground_colour[seen])

    def _paint_shadows(self, image: np.ndarray, snapshot: Snapshot, axes: np.ndarray, origin: np.ndarray) -> None:
        points, _ = self._flat(self._meshes.shadows(snapshot), axes, origin)
        dark = self._lighting.flat(np.tile(SHADOW, (len(points), 1)))
        self._view.fill(image, points, None, self._hazed(dark, points[:, 0, 2]))

    def _paint_upright(self, image: np.ndarray, snapshot: Snapshot, axes: np.ndarray, origin: np.ndarray) -> None:
        faces = self._meshes.upright(snapshot, self._view, axes, origin)
        points = (faces.corners - origin) @ axes
        toward = np.einsum("fi,fi->f", faces.normal, origin - faces.corners[:, 0]) > 0.0
        seen = np.where(faces.radius > 0.0, points[:, 0, 2] > NEAR + faces.radius, toward & self._view.seen(points))
        faces, points = faces[seen], points[seen]
        colours = self._hazed(self._lit(faces, snapshot.ego), points[:, 0, 2])
        self._view.fill(image, points, faces.radius, colours)

    def _lit(self, faces: Mesh, ego: EgoState) -> np.ndarray:
        shaded = self._lighting.shade(faces.colour, faces.normal)
        if self._lighting.headlights > 0.0:
            offset = faces.corners[:, 0, :2] - [ego.x, ego.y]
            cos, sin = math.cos(ego.yaw), math.sin(ego.yaw)
            beam = headlight(offset @ [cos, sin], offset @ [-sin, cos])
            shaded = shaded + faces.colour * (self._lighting.headlights * beam)[:, None]
        glow = faces.glow[:, None]
        return shaded * (1.0 - glow) + faces.colour * glow

    def _with_noise(self, image: np.ndarray, t_ns: int) -> np.ndarray:
        # An odd multiplier permutes the windows, so 65536 successive milliseconds use as many different ones.
        window = (self._noise_key + (t_ns // 1_000_000) * 40503) % NOISE_WINDOWS**2
        down, across = divmod(window, NOISE_WINDOWS)
        height, width = self._size
        noise = self._noise[down : down + height, across : across + width]
        return cv2.addWeighted(image, 1.0, noise, 1.0, -128.0)


_FIELDS: dict[tuple[int, int, float], np.ndarray] = {}


def _noise_field(height: int, width: int, deviation: float) -> np.ndarray:
    """Gaussian noise around 128, larger than a frame by the number of windows; one for each size and deviation."""
    key = (height, width, deviation)
    if key not in _FIELDS:
        shape = (height + NOISE_WINDOWS, width + NOISE_WINDOWS, 3)
        noise = np.random.default_rng(11).standard_normal(shape, dtype=np.float32) * deviation
        _FIELDS[key] = np.clip(np.rint(128.0 + noise), 0, 255).astype(np.uint8)
    return _FIELDS[key]
