"""The ground as flat quadrilaterals in painting order: verges, kerbs, roads, corners, lines, zebras, stop lines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alpamayo_ros.world.curves import STEP, Curve
from alpamayo_ros.world.render.palette import ASPHALT, GRAVEL, KERB, PAVEMENT, WHITE_PAINT, YELLOW_PAINT
from alpamayo_ros.world.roads import CORNER_RADIUS, CROSS_REACH, Line, Road, RoadMap
from alpamayo_ros.world.scenario import Zone
from alpamayo_ros.world.scene import Scene
from alpamayo_ros.world.scenery import ZEBRA_HALF

LONGEST_PIECE = 16.0  # metres of one quadrilateral along a straight road
SAGITTA = 0.05  # metres that a quadrilateral's side may miss of a bend
LINE_WIDTH = 0.16
STOP_LINE, YIELD_LINE = 0.6, 0.5  # metres along the road
YIELDS_BEFORE = 4.0  # metres from a zebra's middle to the far side of its give-way line


@dataclass(frozen=True, eq=False)
class Ground:
    """`corners` (Q, 4, 2) world metres, `colour` (Q, 3) RGB; later ones lie on top."""

    corners: np.ndarray
    colour: np.ndarray


def build_ground(scene: Scene) -> Ground:
    """All painted and paved ground of a scene."""
    roads, zone = scene.roads, scene.scenario.zone
    layers: list[tuple[np.ndarray, tuple[float, float, float]]] = []
    for road in roads.roads:
        layers += _verges(road, zone)
    layers += [(_strip(road, road.right, road.left, *_reach(roads, road)), ASPHALT) for road in roads.roads]
    if roads.junctions:
        layers.append((_corner_fans(roads), ASPHALT))
    for road in roads.roads:
        layers += [_painted(roads, road, line) for line in road.lines]
    for s in scene.cast.zebras:
        layers.append((_zebra(roads.main, s), WHITE_PAINT))
        layers.append((_across(roads.main, s - YIELDS_BEFORE - YIELD_LINE, s - YIELDS_BEFORE), WHITE_PAINT))
    for junction in roads.junctions:
        layers.append((_across(roads.main, junction.stop_s, junction.stop_s + STOP_LINE), WHITE_PAINT))
    corners = np.concatenate([quads for quads, _ in layers])
    colour = np.concatenate([np.tile(np.float64(rgb), (len(quads), 1)) for quads, rgb in layers])
    return Ground(corners, colour)


def _reach(roads: RoadMap, road: Road) -> tuple[float, float]:
    if road is roads.main:
        return road.curve.start_s, road.curve.end_s
    return -CROSS_REACH, CROSS_REACH


def _band(curve: Curve, s: np.ndarray, d0: float, d1: float) -> np.ndarray:
    """Quadrilaterals between d0 < d1 and consecutive s; (K - 1, 4, 2), counter-clockwise."""
    right, _ = curve.points(s, d0)
    left, _ = curve.points(s, d1)
    return np.stack([right[:-1], right[1:], left[1:], left[:-1]], axis=1)


def _strip(road: Road, d0: float, d1: float, s0: float, s1: float) -> np.ndarray:
    """A band along the road, in pieces as long as its bends allow."""
    curve = road.curve
    ends = [s0]
    while ends[-1] < s1 - 0.5:
        first = max(int((ends[-1] - curve.start_s) / STEP), 0)
        sharpest = float(np.max(np.abs(curve.curvature[first : first + int(LONGEST_PIECE / STEP)]), initial=1e-6))
        ends.append(min(ends[-1] + min(np.sqrt(8.0 * SAGITTA / sharpest), LONGEST_PIECE), s1))
    return _band(curve, np.array(ends), d0, d1)


def _pieces(road: Road, s0: float, s1: float) -> list[tuple[float, float]]:
    """[s0, s1] without the road's gaps."""
    pieces = []
    for low, high in road.gaps:
        pieces.append((s0, low))
        s0 = high
    pieces.append((s0, s1))
    return pieces


def _verges(road: Road, zone: Zone) -> list[tuple[np.ndarray, tuple[float, float, float]]]:
    """What borders the paving on both sides: pavement and kerb in town, a strip of gravel elsewhere."""
    layers = []
    bands = ((3.4, PAVEMENT), (0.28, KERB)) if zone is Zone.TOWN else ((0.7, GRAVEL),)
    for s0, s1 in _pieces(road, road.curve.start_s, road.curve.end_s):
        for width, colour in bands:
            layers.append((_strip(road, road.right - width, road.right, s0, s1), colour))
            layers.append((_strip(road, road.left, road.left + width, s0, s1), colour))
    return layers


def _corner_fans(roads: RoadMap) -> np.ndarray:
    """The rounded corners, each a fan of triangles between the corner point and the arc."""
    angles = np.linspace(0.0, np.pi / 2, 7)
    fans = []
    for corner, outward, sideways in roads.corners:
        u = CORNER_RADIUS * (1.0 - np.sin(angles))[:, None]
        v = CORNER_RADIUS * (1.0 - np.cos(angles))[:, None]
        arc = corner + u * outward + v * sideways
        fans += [[corner, arc[k], arc[k + 1], arc[k + 1]] for k in range(len(angles) - 1)]
    return np.array(fans)


def _painted(roads: RoadMap, road: Road, line: Line) -> tuple[np.ndarray, tuple[float, float, float]]:
    colour = YELLOW_PAINT if line.yellow else WHITE_PAINT
    d0, d1 = line.d - LINE_WIDTH / 2, line.d + LINE_WIDTH / 2
    quads = []
    for s0, s1 in _pieces(road, *_reach(roads, road)):
        if line.dash == 0.0:
            quads.append(_strip(road, d0, d1, s0, s1))
            continue
        for start in np.arange(s0, s1 - line.dash, line.dash + line.space):
            quads.append(_band(road.curve, np.array([start, start + line.dash]), d0, d1))
    return np.concatenate(quads), colour


def _zebra(road: Road, s: float) -> np.ndarray:
    starts = np.arange(road.right + 0.3, road.left - 0.4, 1.0)
    return np.concatenate([_band(road.curve, np.array([s - ZEBRA_HALF, s + ZEBRA_HALF]), d, d + 0.55) for d in starts])


def _across(road: Road, s0: float, s1: float) -> np.ndarray:
    """A line across the lanes of the ego's direction: up to the yellow line where there is one."""
    left = next((line.d for line in road.lines if line.yellow), road.left - 0.3)
    return _band(road.curve, np.array([s0, s1]), road.right + 0.3, left)
