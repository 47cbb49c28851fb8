"""Meshes of cars, around the middle of the footprint, x forward.

Lamps are larger than on real cars, so that they tell something at 160 pixels of image width.
"""

from __future__ import annotations

from functools import lru_cache

from alpamayo_ros.world.render.mesh import RGB, Mesh, box, frustum, join, plate_x, plate_y, round_plate
from alpamayo_ros.world.render.palette import PAINTS
from alpamayo_ros.world.state import Body

GLASS = (36.0, 44.0, 54.0)
RUBBER = (24.0, 24.0, 26.0)
TRIM = (38.0, 38.0, 42.0)
BRAKE = (255.0, 44.0, 30.0)
TAIL_OFF, TAIL_DUSK = (120.0, 18.0, 20.0), (165.0, 16.0, 16.0)
AMBER = (255.0, 168.0, 20.0)
HEADLAMP, HEADLAMP_DUSK = (226.0, 232.0, 236.0), (255.0, 250.0, 226.0)


@lru_cache(maxsize=512)
def car(body: Body, style: str, paint: int, braking: bool, left: bool, right: bool, dusk: bool) -> Mesh:
    """A car with its lamps as they are: `left` and `right` say whether those indicators are lit just now."""
    colour = PAINTS[paint % len(PAINTS)]
    shell = _van(body, colour) if style == "van" else _saloon(body, style, colour)
    return join(shell, _wheels(body), _lamps(body, style, braking, left, right, dusk))


def _shaded(colour: RGB, factor: float) -> RGB:
    return tuple(channel * factor for channel in colour)


def _saloon(body: Body, style: str, colour: RGB) -> Mesh:
    x, y, top = body.length / 2, body.width / 2, body.height
    waist = 0.6 * top
    sill = box(-x, x, -y, y, 0.22, 0.45, _shaded(colour, 0.55))
    flank = frustum((-x, x, -y, y), (-x + 0.05, x - 0.15, -y + 0.05, y - 0.05), 0.45, waist, colour)
    rear_low, rear_high = {
        "sedan": (-x + 0.75, -x + 1.35),
        "hatch": (-x + 0.1, -x + 0.5),
        "suv": (-x + 0.1, -x + 0.35),
    }[style]
    front_low, front_high = x - 1.15, x - 1.95
    base = (rear_low, front_low, -y + 0.08, y - 0.08)
    roof = (rear_high, front_high, -y + 0.24, y - 0.24)
    cabin = frustum(base, roof, waist, top - 0.07, GLASS)
    return join(sill, flank, cabin, box(*roof, top - 0.07, top, colour))


def _van(body: Body, colour: RGB) -> Mesh:
    x, y, top = body.length / 2, body.width / 2, body.height
    sill = box(-x, x, -y, y, 0.22, 0.5, TRIM)
    shell = frustum((-x, x, -y, y), (-x, x - 0.7, -y + 0.08, y - 0.08), 0.5, top, colour)
    panes = join(
        plate_x(-x - 0.01, -y + 0.25, -0.06, top - 1.05, top - 0.35, GLASS, -1),
        plate_x(-x - 0.01, 0.06, y - 0.25, top - 1.05, top - 0.35, GLASS, -1),
        plate_y(y - 0.02, x - 1.9, x - 0.75, top - 1.1, top - 0.45, GLASS, 1),
        plate_y(-y + 0.02, x - 1.9, x - 0.75, top - 1.1, top - 0.45, GLASS, -1),
        frustum(
            (x - 0.3, x - 0.28, -y + 0.2, y - 0.2), (x - 0.62, x - 0.6, -y + 0.2, y - 0.2), top - 1.1, top - 0.3, GLASS
        ),
    )
    return join(sill, shell, panes)


def _wheels(body: Body) -> Mesh:
    y = body.width / 2 + 0.01
    return join(
        *(
            round_plate((x, side * y, 0.34), radius, "y", colour, side)
            for x in (-0.3 * body.length, 0.31 * body.length)
            for side in (1, -1)
            for radius, colour in ((0.36, RUBBER), (0.18, (150.0, 152.0, 156.0)))
        )
    )


def _lamps(body: Body, style: str, braking: bool, left: bool, right: bool, dusk: bool) -> Mesh:
    x, y, waist = body.length / 2, body.width / 2, 0.6 * body.height
    low, high = (0.8, 1.35) if style == "van" else (waist - 0.4, waist - 0.06)
    rear, front = -x - 0.02, x + 0.02
    red = BRAKE if braking else (TAIL_DUSK if dusk else TAIL_OFF)
    glow = 1.0 if braking or dusk else 0.0
    width = 0.5 if braking else 0.4
    parts = [plate_x(rear, -0.3, 0.3, low - 0.02, low + 0.13, (225.0, 225.0, 215.0), -1)]
    parts += [
        plate_x(rear, *span, low, high, red, -1, glow) for span in ((-y + 0.03, -y + width), (y - width, y - 0.03))
    ]
    if braking:
        third = body.height - (0.12 if style == "van" else 0.3)
        behind = rear - 0.02 if style != "sedan" else rear + 0.85
        parts.append(plate_x(behind, -0.45, 0.45, third - 0.07, third + 0.07, BRAKE, -1, 1.0))
    lamp, shine = (HEADLAMP_DUSK, 1.0) if dusk else (HEADLAMP, 0.0)
    parts += [
        plate_x(front, *span, low, high - 0.05, lamp, 1, shine)
        for span in ((-y + 0.05, -y + 0.45), (y - 0.45, y - 0.05))
    ]
    parts.append(plate_x(front, -0.55, 0.55, 0.42, 0.62, TRIM, 1))
    parts += [_indicator(body, low, high, side) for side, lit in ((1, left), (-1, right)) if lit]
    return join(*parts)


def _indicator(body: Body, low: float, high: float, side: int) -> Mesh:
    """Amber lamps at one side's rear and front corner and on its flank."""
    x, y = body.length / 2, body.width / 2
    inner, outer = side * (y - 0.42), side * (y + 0.08)
    span = (min(inner, outer), max(inner, outer))
    flank = side * (y + 0.03)
    return join(
        plate_x(-x - 0.05, *span, low - 0.16, high + 0.02, AMBER, -1, 1.0),
        plate_x(x + 0.05, *span, low - 0.1, high, AMBER, 1, 1.0),
        plate_y(flank, -x, -x + 0.4, low - 0.1, high, AMBER, side, 1.0),
        plate_y(flank, x - 0.4, x, low - 0.1, high, AMBER, side, 1.0),
    )
