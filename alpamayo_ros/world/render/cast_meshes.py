"""The faces of a scene at an instant, gathered for a camera: what stands, what moves, and the shadows below.

Made once for a scene and shared by its cameras.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from alpamayo_ros.world.render.cars import car
from alpamayo_ros.world.render.figures import GAIT_PHASES, STEP_LENGTH, pedestrian, signal
from alpamayo_ros.world.render.ground import build_ground
from alpamayo_ros.world.render.mesh import EMPTY, Mesh, join
from alpamayo_ros.world.render.paint_order import paint_order
from alpamayo_ros.world.render.surroundings import prop_mesh
from alpamayo_ros.world.render.view import View
from alpamayo_ros.world.scenario import Daylight
from alpamayo_ros.world.scene import Scene
from alpamayo_ros.world.scenery import Prop
from alpamayo_ros.world.state import PEDESTRIAN_BODY, Blinker, Body, CarState, PedestrianState, Snapshot, footprint

BLINK_NS, BLINK_ON_NS = 600_000_000, 360_000_000  # dark for less than the 0.3 s that the model's window spans
VIEW_RANGE = 150.0  # metres to the farthest prop that is drawn
LEAST_SIZE = 1.2  # pixels, below which a thing is not drawn


@dataclass(frozen=True, eq=False)
class _Thing:
    """Something upright: its faces in the world, its (4, 2) footprint, and its reach in metres."""

    mesh: Mesh
    footprint: np.ndarray
    size: float


class SceneMeshes:
    """Meshes of a scene: `ground`, and `upright` things of a snapshot in painting order for an eye."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.ground = build_ground(scene)
        self._dusk = scene.scenario.daylight is Daylight.DUSK
        self._props = [_standing(prop, self._dusk) for prop in scene.scenery + scene.cones]
        self._places = np.array([thing.footprint.mean(axis=0) for thing in self._props]).reshape(-1, 2)
        self._sizes = np.array([thing.size for thing in self._props])
        self._posts = [(junction, k) for junction, posts in enumerate(scene.signals) for k in range(len(posts))]
        self._signals: dict[tuple[int, int, str], _Thing] = {}
        self._latest: Snapshot | None = None
        self._moved: list[_Thing] = []

    def upright(self, snapshot: Snapshot, view: View, axes: np.ndarray, origin: np.ndarray) -> Mesh:
        """Everything upright in and near the view, far to near, in world coordinates."""
        if self._latest is not snapshot:  # the four cameras ask for the same instant in turn
            self._latest, self._moved = snapshot, self._moving(snapshot)
        moving = self._moved
        places = np.concatenate(
            [self._places, np.array([thing.footprint for thing in moving]).reshape(-1, 4, 2).mean(axis=1)]
        )
        sizes = np.concatenate([self._sizes, np.array([thing.size for thing in moving])])
        offset = places - origin[:2]
        depth, aside = offset @ axes[:2, 2], np.abs(offset @ axes[:2, 0])
        inside = (depth > -sizes) & (depth < VIEW_RANGE) & (sizes * view.focal > LEAST_SIZE * depth)
        inside &= aside < view.slopes[0] * np.maximum(depth, 0.0) + sizes * np.hypot(1.0, view.slopes[0])
        chosen = np.flatnonzero(inside)
        if not len(chosen):
            return EMPTY
        things = [
            self._props[index] if index < len(self._props) else moving[index - len(self._props)] for index in chosen
        ]
        order = paint_order(origin[:2], np.array([thing.footprint for thing in things]))
        return join(*(things[index].mesh for index in order))

    def _moving(self, snapshot: Snapshot) -> list[_Thing]:
        things = [
            _Thing(self._car(c, snapshot.t_ns), footprint(c.x, c.y, c.yaw, c.body), _size(c.body))
            for c in snapshot.cars
        ]
        things += [
            _Thing(_pedestrian(p), footprint(p.x, p.y, p.yaw, PEDESTRIAN_BODY), _size(PEDESTRIAN_BODY))
            for p in snapshot.pedestrians
        ]
        shown = {light.junction: light.colour.value for light in snapshot.lights}
        return things + [self._signal(junction, number, shown.get(junction, "")) for junction, number in self._posts]

    def _signal(self, junction: int, number: int, colour: str) -> _Thing:
        key = (junction, number, colour)
        if key not in self._signals:
            post = self.scene.signals[junction][number]
            mesh = signal(colour).placed(post.x, post.y, post.yaw)
            self._signals[key] = _Thing(mesh, footprint(post.x, post.y, post.yaw, post.body), _size(post.body))
        return self._signals[key]

    def _car(self, state: CarState, t_ns: int) -> Mesh:
        lit = t_ns % BLINK_NS < BLINK_ON_NS
        left = lit and state.blinker in (Blinker.LEFT, Blinker.HAZARD)
        right = lit and state.blinker in (Blinker.RIGHT, Blinker.HAZARD)
        mesh = car(state.body, state.style, state.paint, state.braking, left, right, self._dusk)
        return mesh.placed(state.x, state.y, state.yaw)

    def shadows(self, snapshot: Snapshot) -> np.ndarray:
        """(N, 4, 2) ground quadrilaterals below cars and people."""
        quads = [_grown(footprint(c.x, c.y, c.yaw, c.body), 0.12) for c in snapshot.cars]
        quads += [_grown(footprint(p.x, p.y, p.yaw, PEDESTRIAN_BODY), -0.05) for p in snapshot.pedestrians]
        return np.array(quads).reshape(-1, 4, 2)


def _size(body: Body) -> float:
    return max(math.hypot(body.length, body.width) / 2, body.height / 2) + 0.5


def _standing(prop: Prop, dusk: bool) -> _Thing:
    return _Thing(prop_mesh(prop, dusk), footprint(prop.x, prop.y, prop.yaw, prop.body), _size(prop.body))


def _grown(corners: np.ndarray, margin: float) -> np.ndarray:
    outward = corners - corners.mean(axis=0)
    return corners + margin * np.sign(outward) * (np.abs(outward) > 1e-6)


def _pedestrian(person: PedestrianState) -> Mesh:
    phase = None
    if person.speed > 0.1:
        phase = int(person.walked / (2 * STEP_LENGTH) * GAIT_PHASES) % GAIT_PHASES
    return pedestrian(person.clothes, phase).placed(person.x, person.y, person.yaw)
