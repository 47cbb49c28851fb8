"""The scene from above, the ego's heading upwards: road, scenery, traffic, lights, history, samples, chosen plan."""

from __future__ import annotations

import math

import cv2
import numpy as np

from alpamayo_ros.contract import Plan
from alpamayo_ros.world.overlay import CHOSEN, OTHERS
from alpamayo_ros.world.render.figures import LAMPS
from alpamayo_ros.world.render.ground import Ground, build_ground
from alpamayo_ros.world.render.palette import GROUND, PAINTS
from alpamayo_ros.world.scene import Scene
from alpamayo_ros.world.state import Body, EgoState, Snapshot, footprint
from alpamayo_ros.world.vehicle import BODY, CENTRE_AHEAD

AHEAD = 0.80  # share of the picture's height that lies ahead of the ego
EGO, HISTORY, TRUTH = (250, 250, 252), (255, 255, 255), (240, 120, 220)
BUILDING, LEAVES, POST = (112, 108, 112), (70, 104, 62), (150, 150, 156)
CONE, BRAKE, AMBER, PERSON = (255, 110, 30), (255, 60, 50), (255, 170, 20), (255, 236, 120)
_MUTED = 0.72


class BirdsEye:
    """Draws one scene from above. The ground is built once."""

    def __init__(self, scene: Scene, height: int, width: int, pixels_per_metre: float) -> None:
        self._scene, self._size, self._scale = scene, (height, width), pixels_per_metre
        self._ground: Ground = build_ground(scene)

    def draw(self, snapshot: Snapshot, history: np.ndarray, plan: Plan, truth: np.ndarray | None = None) -> np.ndarray:
        """(height, width, 3) RGB.

        Args:
            history: (16, 3) in the ego frame.
            truth: (64, 3) the rule driver's future in the ego frame, drawn beside the plan.
        """
        zone = self._scene.scenario.zone
        base = tuple(int(_MUTED * channel) for channel in GROUND[zone])
        image = np.full((*self._size, 3), base, np.uint8)
        ego = snapshot.ego
        self._fill(image, ego, self._ground.corners, _MUTED * self._ground.colour)
        self._props(image, ego)
        self._lights(image, snapshot)
        self._traffic(image, snapshot)
        self._paths(image, ego, history, plan, truth)
        return image

    def _pixels(self, ego: EgoState, points: np.ndarray) -> np.ndarray:
        """(..., 2) world -> (..., 2) int32 pixels in 1/16."""
        cos, sin = math.cos(ego.yaw), math.sin(ego.yaw)
        offset = np.asarray(points) - [ego.x, ego.y]
        return self._ego_pixels(np.stack([offset @ [cos, sin], offset @ [-sin, cos]], axis=-1))

    def _ego_pixels(self, points: np.ndarray) -> np.ndarray:
        """(..., 2) ego frame -> (..., 2) int32 pixels in 1/16."""
        height, width = self._size
        column = width / 2 - points[..., 1] * self._scale
        row = AHEAD * height - points[..., 0] * self._scale
        return np.rint(16 * np.stack([column, row], axis=-1)).astype(np.int32)

    def _fill(self, image: np.ndarray, ego: EgoState, quads: np.ndarray, colours: np.ndarray) -> None:
        pixels = self._pixels(ego, quads)
        inside = np.all((pixels.max(axis=1) > 0) & (pixels.min(axis=1) < 16 * np.array(self._size[::-1])), axis=1)
        for quad, colour in zip(pixels[inside], colours[inside].tolist(), strict=True):
            cv2.fillConvexPoly(image, quad, colour, cv2.LINE_AA, 4)

    def _box(self, image: np.ndarray, ego: EgoState, corners: np.ndarray, colour: tuple[float, ...]) -> None:
        cv2.fillConvexPoly(image, self._pixels(ego, corners), colour, cv2.LINE_AA, 4)

    def _dot(self, image: np.ndarray, ego: EgoState, x: float, y: float, metres: float, colour: tuple) -> None:
        centre = self._pixels(ego, np.array([x, y]))
        cv2.circle(image, centre.tolist(), int(16 * max(metres * self._scale, 2.0)), colour, -1, cv2.LINE_AA, 4)

    def _props(self, image: np.ndarray, ego: EgoState) -> None:
        for prop in self._scene.props:
            if math.hypot(prop.x - ego.x, prop.y - ego.y) > 130.0:
                continue
            if prop.kind in ("block", "house"):
                self._box(image, ego, footprint(prop.x, prop.y, prop.yaw, prop.body), BUILDING)
            elif prop.kind == "hedge":
                self._box(image, ego, footprint(prop.x, prop.y, prop.yaw, prop.body), LEAVES)
            elif prop.kind in ("tree", "bush"):
                self._dot(image, ego, prop.x, prop.y, 0.5 * prop.body.length, LEAVES)
            elif prop.kind == "cone":
                self._dot(image, ego, prop.x, prop.y, 0.35, CONE)
            elif prop.kind != "signal":
                self._dot(image, ego, prop.x, prop.y, 0.15, POST)

    def _lights(self, image: np.ndarray, snapshot: Snapshot) -> None:
        roads = self._scene.roads
        for light in snapshot.lights:
            junction, colour = roads.junctions[light.junction], LAMPS[light.colour.value]
            ends = [roads.main.curve.at(junction.stop_s, d)[:2] for d in (-1.7, 1.7)]
            first, second = self._pixels(snapshot.ego, np.array(ends)).tolist()
            cv2.line(image, first, second, colour, max(2, int(0.6 * self._scale)), cv2.LINE_AA, 4)
            for post in self._scene.signals[light.junction]:
                self._dot(image, snapshot.ego, post.x, post.y, 0.9, colour)

    def _traffic(self, image: np.ndarray, snapshot: Snapshot) -> None:
        ego = snapshot.ego
        for car in snapshot.cars:
            self._box(image, ego, footprint(car.x, car.y, car.yaw, car.body), PAINTS[car.paint % len(PAINTS)])
            cabin = Body(0.45 * car.body.length, 0.8 * car.body.width, 1.0)
            self._box(image, ego, footprint(car.x, car.y, car.yaw, cabin), (40, 46, 54))
            back = np.array([math.cos(car.yaw), math.sin(car.yaw)]) * -0.46 * car.body.length
            colour = BRAKE if car.braking else AMBER if car.blinker.value != "off" else None
            if colour:
                lamps = Body(0.4, car.body.width, 1.0)
                self._box(image, ego, footprint(car.x + back[0], car.y + back[1], car.yaw, lamps), colour)
        for person in snapshot.pedestrians:
            self._dot(image, ego, person.x, person.y, 0.45, PERSON)

    def _paths(
        self, image: np.ndarray, ego: EgoState, history: np.ndarray, plan: Plan, truth: np.ndarray | None
    ) -> None:
        thick = max(2, int(0.45 * self._scale))
        centre = (ego.x + CENTRE_AHEAD * math.cos(ego.yaw), ego.y + CENTRE_AHEAD * math.sin(ego.yaw))
        self._box(image, ego, footprint(*centre, ego.yaw, BODY), EGO)
        for index in range(len(plan.xyz)):
            if index != plan.chosen:
                self._line(image, plan.xyz[index], OTHERS, max(1, thick // 2))
        if truth is not None:
            self._line(image, truth, TRUTH, max(1, thick // 2))
        self._line(image, plan.xyz[plan.chosen], CHOSEN, thick)
        for place in self._ego_pixels(plan.xyz[plan.chosen, 9::10, :2]).tolist():
            cv2.circle(image, place, int(16 * 0.42 * self._scale), CHOSEN, -1, cv2.LINE_AA, 4)
        for place in self._ego_pixels(history[:, :2]).tolist():
            cv2.circle(image, place, int(16 * 0.22 * self._scale), HISTORY, -1, cv2.LINE_AA, 4)

    def _line(self, image: np.ndarray, xyz: np.ndarray, colour: tuple[int, int, int], width: int) -> None:
        points = np.concatenate([np.zeros((1, 2)), xyz[:, :2]])
        cv2.polylines(image, [self._ego_pixels(points)], False, colour, width, cv2.LINE_AA, 4)
