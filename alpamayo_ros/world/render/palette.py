"""Colours and light: what a surface looks like by day and at dusk. RGB, 0 to 255."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alpamayo_ros.world.scenario import Daylight, Zone

ASPHALT = (92.0, 92.0, 95.0)
WHITE_PAINT = (228.0, 228.0, 222.0)
YELLOW_PAINT = (236.0, 186.0, 40.0)
PAVEMENT = (164.0, 158.0, 150.0)
KERB = (200.0, 198.0, 192.0)
GRAVEL = (140.0, 128.0, 108.0)
GROUND = {Zone.TOWN: (126.0, 138.0, 104.0), Zone.SUBURB: (96.0, 142.0, 70.0), Zone.RURAL: (138.0, 144.0, 76.0)}
SKYLINE = {Zone.TOWN: (136.0, 140.0, 150.0), Zone.SUBURB: (92.0, 122.0, 96.0), Zone.RURAL: (84.0, 112.0, 74.0)}
PAINTS = (
    (104.0, 26.0, 46.0), (32.0, 62.0, 130.0), (206.0, 208.0, 212.0), (44.0, 46.0, 52.0),
    (120.0, 124.0, 130.0), (226.0, 220.0, 204.0), (30.0, 96.0, 82.0), (150.0, 140.0, 104.0),
)  # fmt: skip
CLOTHES = (
    ((255.0, 40.0, 30.0), (40.0, 44.0, 70.0)), ((255.0, 225.0, 20.0), (60.0, 60.0, 66.0)),
    ((20.0, 140.0, 255.0), (35.0, 35.0, 40.0)), ((250.0, 250.0, 246.0), (50.0, 70.0, 120.0)),
    ((255.0, 120.0, 10.0), (70.0, 60.0, 52.0)), ((255.0, 50.0, 200.0), (40.0, 40.0, 48.0)),
)  # fmt: skip


@dataclass(frozen=True)
class Lighting:
    """How the scene is lit: multipliers of a surface's colour (ambient, sun), the sky, haze, and sensor noise.

    `headlights` is the share of full light that the ego's headlights add near by; `texture` the contrast of the
    ground's grain; `noise` the sensor's standard deviation in grey levels.
    """

    ambient: tuple[float, float, float]
    sun: tuple[float, float, float]
    sun_direction: tuple[float, float, float]
    zenith: tuple[float, float, float]
    horizon: tuple[float, float, float]
    haze_range: float
    headlights: float
    texture: float
    noise: float

    def shade(self, colour: np.ndarray, normal: np.ndarray) -> np.ndarray:
        """(F, 3) colours under this light for (F, 3) normals; discs (zero normals) get the mean."""
        facing = normal @ (np.array(self.sun_direction) / np.linalg.norm(self.sun_direction))
        facing = np.where(np.any(normal != 0.0, axis=1), np.maximum(facing, 0.0), 0.55)
        return colour * (np.array(self.ambient) + facing[:, None] * np.array(self.sun))

    def haze(self, distance: np.ndarray) -> np.ndarray:
        """The share of a colour that the air's takes at a distance (metres)."""
        return 1.0 - np.exp(-np.maximum(distance, 0.0) / self.haze_range)

    def flat(self, colour: np.ndarray) -> np.ndarray:
        """(..., 3) colours of level ground under this light."""
        up = self.sun_direction[2] / np.linalg.norm(self.sun_direction)
        return np.asarray(colour) * (np.array(self.ambient) + up * np.array(self.sun))


LIGHTING = {
    Daylight.DAY: Lighting(
        ambient=(0.58, 0.60, 0.64),
        sun=(0.52, 0.49, 0.43),
        sun_direction=(0.35, 0.5, 0.75),
        zenith=(92.0, 148.0, 214.0),
        horizon=(206.0, 222.0, 234.0),
        haze_range=420.0,
        headlights=0.0,
        texture=1.0,
        noise=2.2,
    ),
    Daylight.DUSK: Lighting(
        ambient=(0.36, 0.37, 0.45),
        sun=(0.10, 0.07, 0.05),
        sun_direction=(-0.7, 0.3, 0.25),
        zenith=(38.0, 46.0, 84.0),
        horizon=(196.0, 132.0, 100.0),
        haze_range=320.0,
        headlights=0.55,
        texture=0.8,
        noise=4.0,
    ),
}
