"""A snapshot as a driver sees it: what is visible, in the coordinates of the route. No hidden intention gets in.

Brake lamps, indicators, hazard lamps, motion and colours are read as they show; which car will brake or which light
will change is not known here. What the cameras do not see is not in a `Situation`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np

from alpamayo_ros.geometry import wrap_angle
from alpamayo_ros.world.causes import Component
from alpamayo_ros.world.curves import STEP
from alpamayo_ros.world.roads import LANE
from alpamayo_ros.world.scene import Scene
from alpamayo_ros.world.state import Blinker, CarState, Colour, EgoState, Snapshot
from alpamayo_ros.world.vehicle import FRONT_REACH, WHEELBASE
from alpamayo_ros.world.visibility import Blockers, blockers, sees_car, sees_cone, sees_light, sees_pedestrian

IN_LANE = 1.45  # metres from the route's line to the middle of a car that is in the way
CUTTING_IN = 0.7  # beyond this from the line a car that comes in is still cutting in
CROSSING_SPEED = 0.4  # m/s across the road, from which a pedestrian is crossing
BESIDE = 1.7  # metres beyond the paving within which a person who walks towards it counts
JUNCTION_RANGE = 80.0
BEND_RANGE, BEND_CURVATURE = 90.0, 0.008  # metres ahead; 1/m from which a road is a bend
CONES_AFTER = 5.0  # metres that the rear axle goes on beyond the last cone before the cones are done
_LIGHTS = {
    Colour.RED: Component.RED_LIGHT, Colour.YELLOW: Component.YELLOW_LIGHT, Colour.GREEN: Component.GREEN_LIGHT,
}  # fmt: skip


class Manner(Enum):
    """What a car ahead is doing, by its lamps and motion."""

    DRIVING = "driving"
    BRAKING = "braking"
    STANDING = "standing"
    FROM_LEFT = "from_left"
    FROM_RIGHT = "from_right"


@dataclass(frozen=True)
class Lead:
    """The nearest car ahead in the way: gap from bumper to bumper (m), speed (m/s), what it is doing, and how far
    its middle still is from the route's line (m, never negative)."""

    gap: float
    speed: float
    manner: Manner
    aside: float


@dataclass(frozen=True)
class Signal:
    """The next light: metres from the front bumper to its stop line, its colour."""

    room: float
    colour: Colour


@dataclass(frozen=True)
class Crosser:
    """A person crossing: metres from the front bumper to their line, d on the road, speed to the left."""

    room: float
    d: float
    speed: float


@dataclass(frozen=True)
class Narrowing:
    """Cones in the lane, from `start` to `end` along the route, on the right (side -1) or left (+1)."""

    start: float
    end: float
    side: int


@dataclass(frozen=True)
class Situation:
    """All that the rule driver decides from. `s`, `d`, `heading`: the rear axle on the route; `bend`: its curvature."""

    s: float
    d: float
    heading: float
    speed: float
    acceleration: float
    bend: float
    lead: Lead | None
    signal: Signal | None
    crossers: tuple[Crosser, ...]
    narrowing: Narrowing | None
    junction_ahead: bool


def perceive(scene: Scene, snapshot: Snapshot) -> Situation:
    """The situation of the ego at this instant."""
    ego = snapshot.ego
    s, d, heading = scene.roads.route.frenet_pose(ego.x, ego.y, ego.yaw)
    blocking = blockers(scene, snapshot)
    front = s + FRONT_REACH
    return Situation(
        s, d, heading, ego.speed, ego.acceleration, math.tan(ego.steering) / WHEELBASE,
        lead=_lead(scene, snapshot, blocking, s),
        signal=_signal(scene, snapshot, blocking, front),
        crossers=_crossers(scene, snapshot, blocking, front),
        narrowing=_narrowing(scene, ego, blocking, s),
        junction_ahead=_junction_ahead(scene, s),
    )  # fmt: skip


def present(scene: Scene, snapshot: Snapshot) -> frozenset[Component]:
    """Every component that is in view at this instant, whether or not it matters: what a text may cite."""
    ego, blocking = snapshot.ego, blockers(scene, snapshot)
    s, _, _ = scene.roads.route.frenet_pose(ego.x, ego.y, ego.yaw)
    found = {Component.ROAD}
    ahead = scene.roads.route.curvature[np.abs(_route_s(scene) - s - BEND_RANGE / 2) < BEND_RANGE / 2]
    if len(ahead) and np.max(np.abs(ahead)) > BEND_CURVATURE:
        found.add(Component.BEND)
    if _junction_ahead(scene, s):
        found.add(Component.JUNCTION)
    if any(sees_car(ego, blocking, car) for car in snapshot.cars):
        found.add(Component.CAR)
    if any(sees_pedestrian(ego, blocking, person) for person in snapshot.pedestrians):
        found.add(Component.PEDESTRIAN)
    if any(sees_cone(ego, blocking, cone) for cone in scene.cones):
        found.add(Component.CONES)
    for light in snapshot.lights:
        if sees_light(ego, blocking, scene.signals[light.junction], light.colour.value):
            found.add(_LIGHTS[light.colour])
    return frozenset(found)


def _route_s(scene: Scene) -> np.ndarray:
    route = scene.roads.route
    return route.start_s + STEP * np.arange(len(route.yaw))


def _lead(scene: Scene, snapshot: Snapshot, blocking: Blockers, s: float) -> Lead | None:
    route, nearest = scene.roads.route, None
    for car in snapshot.cars:
        car_s, car_d = route.frenet(np.array([car.x, car.y]))
        _, _, yaw, _ = route.at(float(car_s))
        if math.cos(car.yaw - yaw) < 0.5:
            continue  # oncoming or across
        manner = _manner(car, float(car_d))
        gap = float(car_s) - car.body.length / 2 - s - FRONT_REACH
        ahead = manner is not None and car_s - s > 1.0
        if ahead and (nearest is None or gap < nearest.gap) and sees_car(snapshot.ego, blocking, car):
            along = car.speed * math.cos(float(wrap_angle(car.yaw - yaw)))
            nearest = Lead(gap, along, manner, abs(float(car_d)))
    return nearest


def _manner(car: CarState, d: float) -> Manner | None:
    """What the car does that concerns the ego; None where it keeps to another lane."""
    if abs(d) > CUTTING_IN and abs(d) < LANE + 0.5:
        if car.blinker is Blinker.RIGHT and d > 0:
            return Manner.FROM_LEFT
        if car.blinker is Blinker.LEFT and d < 0:
            return Manner.FROM_RIGHT
    if abs(d) > IN_LANE:
        return None
    if car.speed < 0.5:
        return Manner.STANDING
    return Manner.BRAKING if car.braking else Manner.DRIVING


def _signal(scene: Scene, snapshot: Snapshot, blocking: Blockers, front: float) -> Signal | None:
    for light in snapshot.lights:
        room = scene.roads.junctions[light.junction].stop_s - front
        if room < -1.5:
            continue
        posts = scene.signals[light.junction]
        return Signal(room, light.colour) if sees_light(snapshot.ego, blocking, posts, light.colour.value) else None
    return None


def _crossers(scene: Scene, snapshot: Snapshot, blocking: Blockers, front: float) -> tuple[Crosser, ...]:
    found = []
    main = scene.roads.main
    for person in snapshot.pedestrians:
        s, d = (float(value) for value in main.curve.frenet(np.array([person.x, person.y])))
        across = person.speed * math.sin(float(wrap_angle(person.yaw - main.curve.at(s)[2])))
        towards = abs(across) > CROSSING_SPEED and main.right - BESIDE < d < main.left + BESIDE
        standing_on_road = person.speed < CROSSING_SPEED and main.right < d < main.left
        if (towards or standing_on_road) and s > front and sees_pedestrian(snapshot.ego, blocking, person):
            found.append(Crosser(s - front, d, across))
    return tuple(found)


def _narrowing(scene: Scene, ego: EgoState, blocking: Blockers, s: float) -> Narrowing | None:
    """The next row of cones, once its second cone is seen, or while the ego is beside it."""
    placed = iter(scene.cones)
    for row in scene.cast.cones:
        cones = [next(placed) for _ in row.places]
        if row.end + CONES_AFTER < s:
            continue
        if row.s < s + FRONT_REACH or any(sees_cone(ego, blocking, cone) for cone in cones[1:4]):
            return Narrowing(row.s, row.end, row.side)
        return None
    return None


def _junction_ahead(scene: Scene, s: float) -> bool:
    """A junction is near ahead, or the ego is still on it or in its turn."""
    front, turned = s + FRONT_REACH, scene.roads.turn_s[1] if scene.roads.turn_s else -math.inf
    return any(j.entry - JUNCTION_RANGE < front and s < max(j.exit, turned) for j in scene.roads.junctions)
