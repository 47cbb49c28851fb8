"""Meshes of pedestrians, cones and signals: the small things that decide what a driver does."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from alpamayo_ros.world.render.mesh import RGB, Mesh, box, disc, frustum, join, plate_x, polygons, round_plate
from alpamayo_ros.world.render.palette import CLOTHES
from alpamayo_ros.world.scenery import LAMP_HEIGHTS, LAMP_RADIUS

SKIN, HAIR = (224.0, 172.0, 134.0), (60.0, 42.0, 30.0)
STEP_LENGTH = 0.75  # metres a step
COAT_GLOW = 0.4  # of warning coats, which reflect what light there is
GAIT_PHASES = 8
CONE_ORANGE, CONE_WHITE = (255.0, 96.0, 16.0), (245.0, 245.0, 240.0)
LAMPS = {"red": (255.0, 36.0, 28.0), "yellow": (255.0, 190.0, 20.0), "green": (40.0, 240.0, 130.0)}
LAMPS_OFF = {"red": (70.0, 20.0, 20.0), "yellow": (70.0, 54.0, 14.0), "green": (16.0, 58.0, 36.0)}


@lru_cache(maxsize=64)
def pedestrian(clothes: int, phase: int | None) -> Mesh:
    """A person, x forward; `phase` 0 .. GAIT_PHASES - 1 of the gait, None standing."""
    top, trousers = CLOTHES[clothes % len(CLOTHES)]
    swing = 0.0 if phase is None else 0.34 * math.sin(2 * math.pi * phase / GAIT_PHASES)
    parts = []
    for side, forward in ((1, swing), (-1, -swing)):
        y = side * 0.13
        parts.append(_limb((0.0, y, 0.88), (forward, y, 0.0), 0.12, trousers))
    for side, forward in ((1, -swing), (-1, swing)):
        y = side * 0.37
        parts.append(_limb((0.0, y, 1.42), (0.8 * forward, y, 0.85), 0.08, tuple(0.85 * c for c in top), COAT_GLOW))
    parts.append(frustum((-0.17, 0.17, -0.3, 0.3), (-0.17, 0.17, -0.3, 0.3), 0.7, 1.47, top, glow=COAT_GLOW))
    parts.append(disc(0.0, 0.0, 1.62, 0.16, HAIR))
    parts.append(disc(0.02, 0.0, 1.59, 0.125, SKIN))
    return join(*parts)


def _limb(
    upper: tuple[float, float, float], lower: tuple[float, float, float], half: float, colour: RGB, glow: float = 0.0
) -> Mesh:  # fmt: skip
    """A slanting square rod between two points."""
    ring = np.array([[half, half, 0.0], [-half, half, 0.0], [-half, -half, 0.0], [half, -half, 0.0]])
    low, high = ring + lower, ring + upper
    sides = [[low[i], low[j], high[j], high[i]] for i, j in ((3, 0), (1, 2), (0, 1), (2, 3))]
    return polygons(np.array(sides), colour, glow)


@lru_cache(maxsize=1)
def cone() -> Mesh:
    """A traffic cone, 0.9 m high, with two white bands."""
    parts = [box(-0.26, 0.26, -0.26, 0.26, 0.0, 0.05, (40.0, 40.0, 42.0))]
    heights, colours = (
        (0.05, 0.32, 0.48, 0.62, 0.74, 0.9),
        (CONE_ORANGE, CONE_WHITE, CONE_ORANGE, CONE_WHITE, CONE_ORANGE),
    )
    for z0, z1, colour in zip(heights[:-1], heights[1:], colours, strict=True):
        r0, r1 = 0.21 * (1.0 - z0) + 0.01, 0.21 * (1.0 - z1) + 0.01
        parts.append(frustum((-r0, r0, -r0, r0), (-r1, r1, -r1, r1), z0, z1, colour, glow=0.35))
    return join(*parts)


@lru_cache(maxsize=8)
def signal(colour: str) -> Mesh:
    """A signal post whose lamps look backwards (-x); the lit one is larger, as its glare makes it."""
    parts = [box(-0.07, 0.07, -0.07, 0.07, 0.0, 2.6, (70.0, 74.0, 78.0))]
    parts.append(box(-0.12, 0.12, -0.62, 0.62, 2.5, 4.8, (236.0, 236.0, 228.0), (90.0, 92.0, 94.0)))
    parts.append(plate_x(-0.13, -0.54, 0.54, 2.58, 4.72, (26.0, 28.0, 30.0), -1))
    for name, z in LAMP_HEIGHTS.items():
        lit = name == colour
        if lit:
            halo = tuple(0.45 * channel for channel in LAMPS[name])
            parts.append(round_plate((-0.14, 0.0, z), 1.6 * LAMP_RADIUS, "x", halo, -1, 1.0))
        shade = LAMPS[name] if lit else LAMPS_OFF[name]
        radius = (1.2 if lit else 0.85) * LAMP_RADIUS
        parts.append(round_plate((-0.15, 0.0, z), radius, "x", shade, -1, 1.0 if lit else 0.0))
    return join(*parts)
