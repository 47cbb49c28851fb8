"""The road map: what is paved, how it is marked, where junctions and stop lines are, and the ego's route.

Lateral positions d are metres to the left of a road's reference curve. The main road's reference is the centre of
the ego's lane, so that the route and the main road agree up to the junction where the route turns.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from alpamayo_ros.world.curves import STEP, Curve, smooth_turn
from alpamayo_ros.world.scenario import LIGHT_FAMILIES, TURN_FAMILIES, Bend, Family, Layout, Scenario

LANE = 3.6  # metres, every lane but the single one
SINGLE_LANE = 4.4
SHOULDER = 0.3  # paved, beyond the edge line
CORNER_RADIUS = 6.0
BEHIND = 70.0  # metres of road behind the start
AHEAD = 640.0
CROSS_REACH = 460.0  # half length of a crossing road
TURN_EXTENT = {"left": 11.3, "right": 8.2}  # with these a turn begins on a sample of the route
STOP_LINE_SETBACK = CORNER_RADIUS + 2.0  # before the crossing road's edge
SECOND_EVENT_AFTER = 130.0
STRAIGHT_AROUND = 50.0  # metres before and after a junction or another place that has to be seen in time


@dataclass(frozen=True)
class Line:
    """A painted line along a road: at d, `dash` and `space` metres (dash 0: solid), white or yellow."""

    d: float
    dash: float = 0.0
    space: float = 0.0
    yellow: bool = False


@dataclass(frozen=True, eq=False)
class Road:
    """A paved strip between `right` and `left` of its curve, with its lines; `gaps` (s, s) carry no lines."""

    curve: Curve
    right: float
    left: float
    lines: tuple[Line, ...]
    gaps: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Junction:
    """Where a road crosses the main road at a right angle.

    `s`: centre, along the route; `entry` and `exit`: the crossing road's edges there; `stop_s`: the stop line;
    `xy`, `yaw`: of the centre, on the ego's lane; `half_width` of the crossing road.
    """

    s: float
    entry: float
    exit: float
    stop_s: float
    xy: tuple[float, float]
    yaw: float
    half_width: float


@dataclass(frozen=True, eq=False)
class RoadMap:
    """Roads (main road first), junctions along the route, the route itself, and the corners' rounded paving.

    `turn_s`: where the route's turn begins and ends, None where it goes straight.
    """

    roads: tuple[Road, ...]
    junctions: tuple[Junction, ...]
    route: Curve
    turn_s: tuple[float, float] | None

    @property
    def main(self) -> Road:
        return self.roads[0]

    @cached_property
    def corners(self) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], ...]:
        """(corner point, unit vector away from the crossing road, unit vector away from the main road) of each."""
        found = []
        for junction in self.junctions:
            forward = np.array([np.cos(junction.yaw), np.sin(junction.yaw)])
            leftward = np.array([-forward[1], forward[0]])
            for along in (-1.0, 1.0):
                for side, edge in ((1.0, self.main.left), (-1.0, self.main.right)):
                    point = np.array(junction.xy) + forward * along * junction.half_width + leftward * edge
                    found.append((point, forward * along, leftward * side))
        return tuple(found)

    def paved(self, points: np.ndarray, margin: float = 0.0) -> np.ndarray:
        """(..., 2) world points -> (...) bool: on a road or its rounded corners, or within `margin` metres of one."""
        points = np.asarray(points, dtype=np.float64)
        inside = np.zeros(points.shape[:-1], dtype=bool)
        for road in self.roads:
            s, d = np.moveaxis(road.curve.frenet(points), -1, 0)
            inside |= (d >= road.right - margin) & (d <= road.left + margin)
        for corner, outward, sideways in self.corners:
            u = (points - corner) @ outward
            v = (points - corner) @ sideways
            near = (u >= 0) & (v >= 0) & (u <= CORNER_RADIUS) & (v <= CORNER_RADIUS)
            inside |= near & (np.hypot(CORNER_RADIUS - u, CORNER_RADIUS - v) >= CORNER_RADIUS - margin)
        return inside


def build_roads(scenario: Scenario) -> RoadMap:
    """The road map of a scenario; the start is at the origin, heading where the scenario's stream says."""
    rng = scenario.stream("roads")
    heading = float(rng.uniform(-np.pi, np.pi))
    crossing_s = _crossings(scenario)
    bends = _bends(scenario, crossing_s or _narrow_places(scenario), rng)
    main = _main_road(scenario, _from_start(bends, heading), rng, crossing_s)
    junctions = tuple(_junction(main.curve, s) for s in crossing_s)
    crossings = tuple(_crossing_road(main, junction) for junction in junctions)
    route, turn_s = _route(scenario, main.curve, junctions)
    return RoadMap((main, *crossings), junctions, route, turn_s)


def _crossings(scenario: Scenario) -> tuple[float, ...]:
    first = round(scenario.event_s / STEP) * STEP
    if scenario.family in TURN_FAMILIES:
        return (first,)
    if scenario.family in LIGHT_FAMILIES:
        return (first, first + SECOND_EVENT_AFTER)
    return ()


def _narrow_places(scenario: Scenario) -> tuple[float, ...]:
    """Where something is met that the tele camera should have in view in time: those places lie on straight road."""
    if scenario.family in (Family.PEDESTRIAN, Family.CONES):
        return scenario.event_s, scenario.event_s + SECOND_EVENT_AFTER
    return (scenario.event_s,) if scenario.family is Family.LEAD_STOPPED else ()


def _bends(scenario: Scenario, straight_at: tuple[float, ...], rng: np.random.Generator) -> np.ndarray:
    """The main road's curvature at its samples: arcs of drawn radius and length, with eased ends.

    The road's heading stays within about 75 degrees of where it began, so that it never meets itself.
    """
    s = np.arange(-BEHIND, AHEAD + STEP, STEP)
    bends = np.zeros(len(s))
    radii = {Bend.GENTLE: (130.0, 260.0), Bend.WINDING: (60.0, 110.0)}
    position, heading = 15.0 + rng.uniform(0.0, 20.0), 0.0
    if scenario.bend in (Bend.SHARP_LEFT, Bend.SHARP_RIGHT):
        sign = 1.0 if scenario.bend is Bend.SHARP_LEFT else -1.0
        radius, angle = rng.uniform(24.0, 36.0), rng.uniform(0.9, 1.25)
        length = angle * radius
        bends[(s >= scenario.event_s) & (s < scenario.event_s + length)] = sign / radius
        second = scenario.event_s + SECOND_EVENT_AFTER
        bends[(s >= second) & (s < second + length)] = -sign / radius
    sign = float(rng.choice([-1.0, 1.0]))
    while scenario.bend in radii and position < AHEAD:
        radius = rng.uniform(*radii[scenario.bend])
        length = rng.uniform(30.0, 70.0)
        bends[(s >= position) & (s < position + length)] = sign / radius
        heading += sign * length / radius
        position += length + rng.uniform(0.0, 25.0)
        sign = -np.sign(heading) if abs(heading) > 0.7 else -sign
    for place in straight_at:
        bends[np.abs(s - place) < STRAIGHT_AROUND] = 0.0
    ease = np.hanning(int(14.0 / STEP))
    return np.convolve(bends, ease / ease.sum(), mode="same")


def _from_start(bends: np.ndarray, heading: float) -> Curve:
    """The curve of these samples, placed so that s = 0 is the origin with this heading."""
    curve = Curve.from_curvature(bends, 0.0, 0.0, heading, -BEHIND)
    x, y, yaw, _ = curve.at(0.0)
    turn = heading - yaw
    cos, sin = np.cos(turn), np.sin(turn)
    xy = (curve.xy - [x, y]) @ np.array([[cos, sin], [-sin, cos]])
    return Curve(xy, curve.yaw + turn, curve.curvature, -BEHIND)


def _main_road(scenario: Scenario, curve: Curve, rng: np.random.Generator, crossings: tuple[float, ...]) -> Road:
    reach = LANE + SHOULDER + CORNER_RADIUS
    gaps = tuple((s - reach, s + reach) for s in crossings)
    half = LANE / 2
    if scenario.layout is Layout.ONE_LANE:
        edge = SINGLE_LANE / 2 - SHOULDER
        return Road(curve, -SINGLE_LANE / 2, SINGLE_LANE / 2, (Line(-edge), Line(edge)), gaps)
    if scenario.layout is Layout.TWO_WAY:
        middle = Line(half, 3.0, 3.0, yellow=True)
        return Road(curve, -half - SHOULDER, half + LANE + SHOULDER, (Line(-half), middle, Line(half + LANE)), gaps)
    in_right_lane = rng.random() < 0.5
    if scenario.family is Family.CUT_IN:
        in_right_lane = scenario.behaviour == "left"
    side = 1.0 if in_right_lane else -1.0
    edges = sorted((-side * (half + SHOULDER), side * (half + LANE + SHOULDER)))
    lines = (Line(-side * half), Line(side * half, 3.0, 6.0), Line(side * (half + LANE)))
    return Road(curve, edges[0], edges[1], lines, gaps)


def _junction(curve: Curve, s: float) -> Junction:
    x, y, yaw, _ = curve.at(s)
    half_width = LANE + SHOULDER
    return Junction(s, s - half_width, s + half_width, s - half_width - STOP_LINE_SETBACK, (x, y), yaw, half_width)


def _crossing_road(main: Road, junction: Junction) -> Road:
    """A two-way road across the main road; its curve runs to the main road's left, s = 0 on the ego's lane."""
    count = int(2 * CROSS_REACH / STEP) + 1
    leftward = junction.yaw + np.pi / 2
    start = np.array(junction.xy) - CROSS_REACH * np.array([np.cos(leftward), np.sin(leftward)])
    curve = Curve.from_curvature(np.zeros(count), start[0], start[1], leftward, -CROSS_REACH)
    gap = (main.right - CORNER_RADIUS, main.left + CORNER_RADIUS)
    half = junction.half_width
    return Road(curve, -half, half, (Line(-LANE), Line(0.0, 3.0, 3.0, yellow=True), Line(LANE)), (gap,))


def _route(
    scenario: Scenario, main: Curve, junctions: tuple[Junction, ...]
) -> tuple[Curve, tuple[float, float] | None]:
    """The ego's lane centre, through the turn where the scenario has one."""
    if scenario.turn == "straight":
        return main, None
    left = scenario.turn == "left"
    extent = TURN_EXTENT[scenario.turn]
    # Keeping right, the lane to turn into is the far one for a left turn and the near one for a right turn.
    begin = junctions[0].s + (LANE / 2 if left else -LANE / 2) - extent
    before = int(round((begin - main.start_s) / STEP))
    turn = smooth_turn(np.pi / 2 if left else -np.pi / 2, extent)
    after = np.zeros(int(CROSS_REACH / STEP) - 40)
    x, y, yaw, _ = main.at(main.start_s)
    route = Curve.from_curvature(np.concatenate([main.curvature[:before], turn, after]), x, y, yaw, main.start_s)
    return route, (begin, begin + len(turn) * STEP)
