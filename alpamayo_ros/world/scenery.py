"""What stands beside the road: trees, hedges, houses, lamp posts, signs, signals, beacons. Nothing of it moves.

The surroundings tell the zone, and with it the speed limit: kerbs and blocks of houses in town, hedges and small
houses in the suburb, marker posts and trees in the country.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alpamayo_ros.world.roads import CORNER_RADIUS, Road, RoadMap
from alpamayo_ros.world.scenario import Scenario, Zone
from alpamayo_ros.world.state import Body

SIGNAL_BODY = Body(0.4, 1.0, 5.0)
LAMP_HEIGHTS = {"red": 4.25, "yellow": 3.65, "green": 3.05}  # metres, the lamps' centres
LAMP_RADIUS = 0.26
# kind -> (metres between two, chance of each, least and largest metres beyond the road's edge)
_ALONG: dict[Zone, tuple[tuple[str, float, float, float, float], ...]] = {
    Zone.TOWN: (("block", 15.0, 0.8, 9.0, 13.0), ("lamp_post", 32.0, 1.0, 1.2, 1.2), ("tree", 19.0, 0.35, 4.5, 6.0)),
    Zone.SUBURB: (
        ("hedge", 5.0, 0.75, 3.2, 3.8),
        ("house", 24.0, 0.7, 12.0, 20.0),
        ("tree", 15.0, 0.5, 5.5, 11.0),
        ("lamp_post", 45.0, 1.0, 1.4, 1.4),
    ),
    Zone.RURAL: (("post", 12.0, 1.0, 1.0, 1.0), ("tree", 9.0, 0.5, 7.0, 40.0), ("bush", 8.0, 0.4, 4.0, 25.0)),
}
_BODIES = {
    "lamp_post": Body(0.2, 0.2, 6.5),
    "hedge": Body(5.0, 1.1, 1.3),
    "post": Body(0.14, 0.14, 1.0),
    "sign": Body(0.1, 0.8, 2.6),
    "signal": SIGNAL_BODY,
    "line_post": Body(0.3, 0.3, 2.4),
    "beacon": Body(0.3, 0.3, 3.2),
    "cone": Body(0.5, 0.5, 0.9),
}
CROSSED_REACH = 150.0  # metres of a road that the ego only crosses or leaves
KERB_SIDE = 0.6  # metres beyond the paving, of posts and beacons
ZEBRA_HALF = 2.0  # metres, half a zebra's length along the road
_CLEAR = 1.0  # metres that anything but kerbside furniture keeps from paving


@dataclass(frozen=True)
class Prop:
    """One thing: its kind, place, heading, box, and a number that varies its look."""

    kind: str
    x: float
    y: float
    yaw: float
    body: Body
    look: int = 0


def build_scenery(scenario: Scenario, roads: RoadMap) -> tuple[Prop, ...]:
    """All props of a scenario but cones and signals."""
    rng = scenario.stream("scenery")
    props: list[Prop] = []
    for index, road in enumerate(roads.roads):
        low, high = _furnished(scenario, road, index == 0)
        for kind, pitch, chance, nearest, farthest in _ALONG[scenario.zone]:
            for side in (1.0, -1.0):
                edge = road.left if side > 0 else -road.right
                for s in np.arange(low, high, pitch):
                    if rng.random() < chance:
                        jitter = rng.uniform(-0.3, 0.3) * pitch if kind not in ("post", "hedge", "lamp_post") else 0.0
                        d = side * (edge + rng.uniform(nearest, farthest))
                        props.append(_prop(kind, road.curve.at(float(s + jitter), d), side, rng))
    props = [prop for prop in props if _stands_clear(prop, roads)]
    return tuple(props) + _signs(scenario, roads)


def _furnished(scenario: Scenario, road: Road, main: bool) -> tuple[float, float]:
    """From where to where a road has things beside it: all along what the ego drives, a piece of what it crosses."""
    if main and scenario.turn == "straight":
        return -40.0, road.curve.end_s - 10.0
    if main:
        return -40.0, scenario.event_s + CROSSED_REACH
    reach = road.curve.end_s - 10.0
    return (-CROSSED_REACH if scenario.turn != "right" else -reach), (
        CROSSED_REACH if scenario.turn != "left" else reach
    )


def _prop(kind: str, place: tuple[float, float, float, float], side: float, rng: np.random.Generator) -> Prop:
    x, y, yaw, _ = place
    if side < 0:
        yaw += np.pi  # fronts look at the road: the right-hand side (-y) of a prop is its front
    look = int(rng.integers(64))
    if kind == "tree":
        body = Body(2.6, 2.6, float(rng.uniform(4.5, 8.0)))
    elif kind == "bush":
        body = Body(1.6, 1.6, float(rng.uniform(0.8, 1.6)))
    elif kind == "block":
        body = Body(float(rng.uniform(9.0, 13.0)), 9.0, float(rng.uniform(6.5, 13.0)))
    elif kind == "house":
        body = Body(float(rng.uniform(8.0, 11.0)), 8.0, float(rng.uniform(5.0, 6.5)))
    else:
        body = _BODIES[kind]
    return Prop(kind, x, y, float(yaw), body, look)


def _stands_clear(prop: Prop, roads: RoadMap) -> bool:
    """Off every road, and away from junctions' corners, where it would hide the signals."""
    reach = max(prop.body.length, prop.body.width) / 2
    margin = reach + _CLEAR if reach > 0.3 else 0.5
    place = np.array([prop.x, prop.y])
    if bool(roads.paved(place, margin)):
        return False
    return all(np.hypot(*(place - junction.xy)) > 3.0 * CORNER_RADIUS + reach for junction in roads.junctions)


def _signs(scenario: Scenario, roads: RoadMap) -> tuple[Prop, ...]:
    """The speed limit, every 90 m on the right of the route; `look` is the number on it in km/h."""
    number = int(round(scenario.speed_limit * 3.6 / 10.0)) * 10
    signs = []
    for s in np.arange(25.0, roads.route.end_s - 100.0, 90.0):
        if all(abs(s - junction.s) > 25.0 for junction in roads.junctions):
            x, y, yaw, _ = roads.route.at(float(s), roads.main.right - 1.3)
            signs.append(Prop("sign", x, y, yaw, _BODIES["sign"], number))
    return tuple(signs)


def signal_posts(roads: RoadMap, junction: int) -> tuple[Prop, ...]:
    """The two posts of a junction's signal, beyond the crossing, one on each side; they face the ego."""
    crossing = roads.junctions[junction]
    s = crossing.exit + 3.0
    posts = []
    for d in (roads.main.right - 1.0, roads.main.left + 1.0):
        x, y, yaw, _ = roads.main.curve.at(s, d)
        posts.append(Prop("signal", x, y, yaw, _BODIES["signal"], junction))
    return tuple(posts)


def line_posts(roads: RoadMap, junction: int) -> tuple[Prop, ...]:
    """The two banded posts at the ends of a signal's stop line, which the side cameras see from near by."""
    return _pair(roads, "line_post", roads.junctions[junction].stop_s)


def beacons(roads: RoadMap, zebra_s: float) -> tuple[Prop, ...]:
    """The two beacons of a zebra, just beyond it, where they hide nobody who crosses."""
    return _pair(roads, "beacon", zebra_s + ZEBRA_HALF + 0.3)


def _pair(roads: RoadMap, kind: str, s: float) -> tuple[Prop, ...]:
    """One on each side of the main road."""
    places = [roads.main.curve.at(s, d)[:3] for d in (roads.main.right - KERB_SIDE, roads.main.left + KERB_SIDE)]
    return tuple(Prop(kind, *place, _BODIES[kind]) for place in places)


def cone_prop(roads: RoadMap, s: float, d: float) -> Prop:
    """A cone at (s, d) of the main road."""
    x, y, yaw, _ = roads.main.curve.at(s, d)
    return Prop("cone", x, y, yaw, _BODIES["cone"])
