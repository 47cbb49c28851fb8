"""What the cameras can see: whether a thing is inside some image, large enough there, and not hidden.

Sizes are angles, so the answer holds for every resolution: a bound of 0.01 is 1.6 pixels of a frame 160 pixels wide.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from alpamayo_ros.world.rig import RIG, Camera
from alpamayo_ros.world.scene import Scene
from alpamayo_ros.world.scenery import LAMP_HEIGHTS, LAMP_RADIUS, Prop
from alpamayo_ros.world.state import PEDESTRIAN_BODY, Body, CarState, EgoState, PedestrianState, Snapshot

ASPECT = 320 / 576  # height over width of the model's images
OPAQUE = ("block", "house", "hedge", "tree", "bush")  # kinds of props that can hide something

OCCLUDES_WITHIN = 100.0  # metres


@dataclass(frozen=True)
class Bounds:
    """When a thing counts as seen: nearer than `within` metres, and in some image at least `share` of its width large.

    A thing is as large as the side of a square of its area.
    """

    within: float
    share: float


CAR = Bounds(100.0, 0.014)
PEDESTRIAN = Bounds(75.0, 0.010)
LIGHT = Bounds(85.0, 0.0105)
CONE = Bounds(75.0, 0.010)


@dataclass(frozen=True, eq=False)
class Blockers:
    """Boxes that hide what is behind them: `centre` (B, 2), `yaw` (B,), `half` (B, 3) with z from the ground."""

    centre: np.ndarray
    yaw: np.ndarray
    half: np.ndarray
    name: tuple[str, ...]

    def hide(self, eye: np.ndarray, points: np.ndarray, but: str = "") -> np.ndarray:
        """(P, 3) world points -> (P,) bool: some box but the one called `but` cuts the line from `eye`.

        The slab test (Kay and Kajiya 1986) on all pairs at once.
        """
        keep = np.array([name != but for name in self.name], dtype=bool)
        if not keep.any():
            return np.zeros(len(points), dtype=bool)
        cos, sin = np.cos(self.yaw[keep]), np.sin(self.yaw[keep])
        half, centre = self.half[keep], self.centre[keep]
        offset = eye[:2] - centre
        start = np.stack([cos * offset[:, 0] + sin * offset[:, 1], -sin * offset[:, 0] + cos * offset[:, 1]], axis=-1)
        ray = points - eye
        along = cos[:, None] * ray[:, 0] + sin[:, None] * ray[:, 1]
        across = -sin[:, None] * ray[:, 0] + cos[:, None] * ray[:, 1]
        enter = np.zeros(along.shape)
        leave = np.ones(along.shape)
        up = np.broadcast_to(ray[:, 2], along.shape)
        for origin, step, low, high in (
            (start[:, 0], along, -half[:, 0], half[:, 0]),
            (start[:, 1], across, -half[:, 1], half[:, 1]),
            (np.full(len(half), eye[2]), up, np.zeros(len(half)), half[:, 2]),
        ):
            step = np.where(np.abs(step) < 1e-9, 1e-9, step)
            first, second = (low - origin)[:, None] / step, (high - origin)[:, None] / step
            enter = np.maximum(enter, np.minimum(first, second))
            leave = np.minimum(leave, np.maximum(first, second))
        return np.any(enter < leave - 1e-6, axis=0)


def blockers(scene: Scene, snapshot: Snapshot) -> Blockers:
    """Everything opaque near the ego at this instant."""
    ego = snapshot.ego
    things = [(car.name, car.x, car.y, car.yaw, car.body) for car in snapshot.cars]
    things += [("", prop.x, prop.y, prop.yaw, prop.body) for prop in scene.scenery if _opaque_near(prop, ego)]
    return Blockers(
        np.array([[x, y] for _, x, y, _, _ in things]).reshape(-1, 2),
        np.array([yaw for _, _, _, yaw, _ in things]),
        np.array([[body.length / 2, body.width / 2, body.height] for *_, body in things]).reshape(-1, 3),
        tuple(name for name, *_ in things),
    )


def _opaque_near(prop: Prop, ego: EgoState) -> bool:
    return prop.kind in OPAQUE and abs(prop.x - ego.x) < OCCLUDES_WITHIN and abs(prop.y - ego.y) < OCCLUDES_WITHIN


def sees(ego: EgoState, blocking: Blockers, points: np.ndarray, size: float, bounds: Bounds, but: str = "") -> bool:
    """True where at least half of a thing's points are shown by one camera of the rig, large enough and near enough.

    Args:
        points: (P, 3) world points spread over the thing.
        size: the side of a square of its area, metres.
        but: the name of its own box, which does not hide it.
    """
    for camera in RIG.values():
        eye = camera.eye(ego.x, ego.y, ego.yaw)
        shown = _shown(camera, ego, points, size, bounds)
        if 2 * shown.sum() >= len(points) and 2 * np.sum(shown & ~blocking.hide(eye, points, but)) >= len(points):
            return True
    return False


def _shown(camera: Camera, ego: EgoState, points: np.ndarray, size: float, bounds: Bounds) -> np.ndarray:
    """(P,) bool: inside the image, large and near enough, whatever is in between."""
    cos, sin = math.cos(ego.yaw), math.sin(ego.yaw)
    offset = points - [ego.x, ego.y, 0.0]
    local = np.stack(
        [cos * offset[:, 0] + sin * offset[:, 1], -sin * offset[:, 0] + cos * offset[:, 1], points[:, 2]], -1
    )
    right, down, depth = camera.to_optical(local).T
    half = math.tan(math.radians(camera.fov) / 2)
    safe = np.maximum(depth, 0.1)
    inside = (depth > 0.1) & (np.abs(right) < half * safe) & (np.abs(down) < half * ASPECT * safe)
    return inside & (depth < bounds.within) & (size / (2 * half * safe) >= bounds.share)


def sees_car(ego: EgoState, blocking: Blockers, car: CarState) -> bool:
    return sees(ego, blocking, _spread(car.x, car.y, car.yaw, car.body), _side(car.body), CAR, car.name)


def sees_pedestrian(ego: EgoState, blocking: Blockers, person: PedestrianState) -> bool:
    points = _spread(person.x, person.y, person.yaw, PEDESTRIAN_BODY)
    return sees(ego, blocking, points, _side(PEDESTRIAN_BODY), PEDESTRIAN)


def sees_cone(ego: EgoState, blocking: Blockers, cone: Prop) -> bool:
    return sees(ego, blocking, _spread(cone.x, cone.y, cone.yaw, cone.body), _side(cone.body), CONE)


def sees_light(ego: EgoState, blocking: Blockers, posts: tuple[Prop, ...], colour: str) -> bool:
    """The lit lamp of one of a signal's posts."""
    for post in posts:
        lamp = np.array([[post.x, post.y, LAMP_HEIGHTS[colour]]])
        if sees(ego, blocking, lamp, 2 * LAMP_RADIUS, LIGHT):
            return True
    return False


def _spread(x: float, y: float, yaw: float, body: Body) -> np.ndarray:
    """(9, 3) points of a box: three heights over its middle and over the middles of two opposite walls."""
    cos, sin = math.cos(yaw), math.sin(yaw)
    places = [(x + share * body.length * cos, y + share * body.length * sin) for share in (-0.45, 0.0, 0.45)]
    return np.array([[px, py, share * body.height] for px, py in places for share in (0.3, 0.6, 0.9)])


def _side(body: Body) -> float:
    return math.sqrt(body.width * body.height)
