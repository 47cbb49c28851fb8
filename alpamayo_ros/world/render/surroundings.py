"""Meshes of what stands beside the road, in world coordinates; made once for a scene."""

from __future__ import annotations

import numpy as np

from alpamayo_ros.world.render.figures import cone
from alpamayo_ros.world.render.mesh import RGB, Mesh, box, disc, frustum, join, plate_x, plate_y, polygons, round_plate
from alpamayo_ros.world.scenery import Prop
from alpamayo_ros.world.state import Body

CROWNS = ((66.0, 104.0, 50.0), (84.0, 120.0, 56.0), (56.0, 92.0, 58.0), (116.0, 122.0, 52.0))
WALLS = (
    (196.0, 168.0, 138.0),
    (172.0, 96.0, 78.0),
    (214.0, 206.0, 188.0),
    (150.0, 158.0, 166.0),
    (186.0, 178.0, 120.0),
)
ROOFS = ((132.0, 62.0, 48.0), (86.0, 82.0, 84.0), (112.0, 76.0, 56.0))
WINDOW, WINDOW_LIT = (70.0, 84.0, 100.0), (255.0, 214.0, 130.0)
STEEL = (116.0, 120.0, 124.0)
BLACK = (28.0, 28.0, 30.0)


def prop_mesh(prop: Prop, dusk: bool) -> Mesh:
    """The faces of one prop, in the world. Signals change and are not made here."""
    make = {
        "tree": _tree, "bush": _bush, "hedge": _hedge, "block": _block, "house": _house,
        "lamp_post": _lamp_post, "post": _post, "sign": _sign, "cone": lambda prop, dusk: cone(),
        "line_post": _line_post, "beacon": _beacon,
    }[prop.kind]  # fmt: skip
    return make(prop, dusk).placed(prop.x, prop.y, prop.yaw)


def _lighter(colour: RGB, factor: float) -> RGB:
    return tuple(min(channel * factor, 255.0) for channel in colour)


def _tree(prop: Prop, dusk: bool) -> Mesh:
    crown = CROWNS[prop.look % len(CROWNS)]
    height, reach = prop.body.height, 0.55 * prop.body.length
    rng = np.random.default_rng(prop.look)
    parts = [box(-0.16, 0.16, -0.16, 0.16, 0.0, 0.5 * height, (88.0, 66.0, 48.0))]
    for level, size, tone in ((0.45, 1.0, 0.78), (0.62, 1.05, 0.95), (0.80, 0.8, 1.12)):
        for _ in range(2):
            x, y = rng.uniform(-0.45, 0.45, 2) * reach
            parts.append(disc(x, y, level * height, size * reach * rng.uniform(0.75, 1.0), _lighter(crown, tone)))
    return join(*parts)


def _bush(prop: Prop, dusk: bool) -> Mesh:
    crown = CROWNS[prop.look % len(CROWNS)]
    reach = prop.body.length / 2
    return join(
        disc(0.3, 0.2, 0.45 * prop.body.height, reach, _lighter(crown, 0.8)),
        disc(-0.2, -0.3, 0.6 * prop.body.height, 0.7 * reach, _lighter(crown, 1.05)),
    )


def _hedge(prop: Prop, dusk: bool) -> Mesh:
    x, y = prop.body.length / 2, prop.body.width / 2
    leaf = _lighter((64.0, 104.0, 48.0), 0.9 + 0.05 * (prop.look % 5))
    return box(-x, x, -y, y, 0.0, prop.body.height, leaf, _lighter(leaf, 1.15))


def _block(prop: Prop, dusk: bool) -> Mesh:
    """A town house with single windows towards the road and bands of them on the other sides."""
    x, y, top = prop.body.length / 2, prop.body.width / 2, prop.body.height
    wall = WALLS[prop.look % len(WALLS)]
    parts = [box(-x, x, -y, y, 0.0, top, wall, _lighter(wall, 0.7))]
    rng = np.random.default_rng(prop.look)
    for z in np.arange(1.0, top - 1.6, 2.9):
        for left in np.arange(-x + 0.8, x - 1.2, 2.4):
            lit = dusk and rng.random() < 0.35
            colour, glow = (WINDOW_LIT, 1.0) if lit else (WINDOW, 0.0)
            parts.append(plate_y(-y - 0.02, left, left + 1.3, z, z + 1.5, colour, -1, glow))
        parts.append(plate_x(-x - 0.02, -y + 1.0, y - 1.0, z, z + 1.5, WINDOW, -1))
        parts.append(plate_x(x + 0.02, -y + 1.0, y - 1.0, z, z + 1.5, WINDOW, 1))
        parts.append(plate_y(y + 0.02, -x + 1.0, x - 1.0, z, z + 1.5, WINDOW, 1))
    return join(*parts)


def _house(prop: Prop, dusk: bool) -> Mesh:
    """A small house with a pitched roof."""
    x, y, top = prop.body.length / 2, prop.body.width / 2, prop.body.height
    wall, roof = WALLS[prop.look % len(WALLS)], ROOFS[prop.look % len(ROOFS)]
    eaves = 0.55 * top
    lit = dusk and prop.look % 2 == 0
    colour, glow = (WINDOW_LIT, 1.0) if lit else (WINDOW, 0.0)
    gable = [[-x, y, eaves], [-x, -y, eaves], [-x, 0.0, top], [-x, 0.0, top]]
    far_gable = [[x, -y, eaves], [x, y, eaves], [x, 0.0, top], [x, 0.0, top]]
    slope = [[-x - 0.3, -y - 0.4, eaves], [x + 0.3, -y - 0.4, eaves], [x + 0.3, 0.0, top], [-x - 0.3, 0.0, top]]
    back = [[x + 0.3, y + 0.4, eaves], [-x - 0.3, y + 0.4, eaves], [-x - 0.3, 0.0, top], [x + 0.3, 0.0, top]]
    return join(
        box(-x, x, -y, y, 0.0, eaves, wall),
        polygons(np.array([gable, far_gable]), wall),
        plate_y(-y - 0.02, -0.6 * x, -0.2 * x, 1.0, 2.2, colour, -1, glow),
        plate_y(-y - 0.02, 0.25 * x, 0.65 * x, 1.0, 2.2, colour, -1, glow),
        polygons(np.array([back, slope]), roof),
    )


def _lamp_post(prop: Prop, dusk: bool) -> Mesh:
    glow = 1.0 if dusk else 0.0
    lamp = (255.0, 226.0, 160.0) if dusk else (210.0, 212.0, 214.0)
    top = prop.body.height
    # The front (-y) is the road's side for both rows.
    return join(
        box(-0.08, 0.08, -0.08, 0.08, 0.0, top, STEEL),
        box(-0.06, 0.06, -1.4, 0.0, top - 0.1, top, STEEL),
        box(-0.14, 0.14, -1.9, -1.2, top - 0.16, top - 0.02, lamp)
        if not dusk
        else disc(0, -1.5, top - 0.1, 0.22, lamp, glow),
    )


def _post(prop: Prop, dusk: bool) -> Mesh:
    return join(
        box(-0.07, 0.07, -0.07, 0.07, 0.0, 1.0, (236.0, 236.0, 232.0)),
        box(-0.075, 0.075, -0.075, 0.075, 0.68, 0.88, BLACK),
    )


def _line_post(prop: Prop, dusk: bool) -> Mesh:
    """Yellow and black bands, with reflectors' glow."""
    return _banded(prop.body, (252.0, 200.0, 24.0), 0.4 if dusk else 0.0)


def _beacon(prop: Prop, dusk: bool) -> Mesh:
    """White and black bands under an amber globe."""
    globe = disc(0.0, 0.0, prop.body.height - 0.3, 0.34, (255.0, 150.0, 10.0), 1.0)
    return join(_banded(prop.body, (244.0, 244.0, 240.0), 0.3 if dusk else 0.0), globe)


def _banded(body: Body, light: RGB, glow: float) -> Mesh:
    half, bands = body.width / 2, np.linspace(0.0, body.height, 6)
    square = (-half, half, -half, half)
    return join(
        *(
            frustum(square, square, z0, z1, light if index % 2 == 0 else BLACK, None, glow if index % 2 == 0 else 0.0)
            for index, (z0, z1) in enumerate(zip(bands[:-1], bands[1:], strict=True))
        )
    )


def _sign(prop: Prop, dusk: bool) -> Mesh:
    """A round speed limit sign that looks backwards (-x), with its number in strokes."""
    parts = [
        box(-0.05, 0.05, -0.05, 0.05, 0.0, 2.6, STEEL),
        round_plate((-0.06, 0.0, 2.2), 0.46, "x", (206.0, 28.0, 34.0), -1, 0.15),
        round_plate((-0.07, 0.0, 2.2), 0.35, "x", (246.0, 246.0, 244.0), -1, 0.15),
    ]
    # Seen from behind, left is +y; each digit is drawn in a 0.22 x 0.36 m cell.
    for digit, left in zip(str(prop.look), (0.25, -0.03), strict=True):
        parts += [_stroke(left, *stroke) for stroke in _DIGITS[digit]]
    return join(*parts)


_TOP, _MIDDLE, _BOTTOM = (0.0, 0.31, 0.22, 0.05), (0.0, 0.155, 0.22, 0.05), (0.0, 0.0, 0.22, 0.05)
_UPPER_LEFT, _UPPER_RIGHT = (0.0, 0.18, 0.05, 0.18), (0.17, 0.18, 0.05, 0.18)
_LOWER_LEFT, _LOWER_RIGHT = (0.0, 0.0, 0.05, 0.18), (0.17, 0.0, 0.05, 0.18)
_DIGITS = {
    "0": (_TOP, _BOTTOM, _UPPER_LEFT, _UPPER_RIGHT, _LOWER_LEFT, _LOWER_RIGHT),
    "3": (_TOP, _MIDDLE, _BOTTOM, _UPPER_RIGHT, _LOWER_RIGHT),
    "4": (_MIDDLE, _UPPER_LEFT, _UPPER_RIGHT, _LOWER_RIGHT),
    "5": (_TOP, _MIDDLE, _BOTTOM, _UPPER_LEFT, _LOWER_RIGHT),
}


def _stroke(left: float, across: float, up: float, width: float, height: float) -> Mesh:
    y1 = left - across
    z0 = 2.02 + up
    return plate_x(-0.08, y1 - width, y1, z0, z0 + height, (20.0, 20.0, 24.0), -1)
