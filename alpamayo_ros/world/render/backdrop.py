"""What lies behind everything, for one camera and size: sky, skyline, bare ground, the ground's grain, headlights.

A camera's pitch and height never change, so the sky, the horizon and each ground pixel's place beside the ego are
computed once; a frame only turns the skyline and looks the grain up in world coordinates.
"""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np

from alpamayo_ros.world.render.palette import GROUND, SKYLINE, Lighting
from alpamayo_ros.world.render.view import View
from alpamayo_ros.world.scenario import Zone

GRAIN_SIZE = 512  # texels of the repeating grain, a power of two
TEXELS_PER_METRE = 20.0
GRAIN_LEVELS = 8  # contrast steps, from none in the distance to full near by
GRAIN_RANGE = 28.0  # metres, over which the grain fades
SKYLINE_POINTS = 720  # around the horizon
UNITY = 128  # the grain's value that leaves a colour as it is
GAIN_UNITY = 100  # and that of the light's gain


class Backdrop:
    """`paint` fills a frame before roads are drawn; `finish_ground` gives the ground grain, light and haze after."""

    def __init__(self, view: View, lighting: Lighting, zone: Zone, exposure: float, skyline_seed: int) -> None:
        width, yaw = view.width, math.radians(view.camera.yaw)
        self._focal = view.focal
        self._horizon = math.ceil((view.height - 1) / 2)  # first row of ground
        self._base = _gradients(view, lighting, zone, exposure)
        self._skyline = _skyline(zone, skyline_seed)
        haze = np.array(lighting.horizon)
        near = lighting.flat(np.array(SKYLINE[zone]))
        self._skyline_colours = [
            tuple(float(c) for c in exposure * (far * haze + (1 - far) * near)) for far in (0.65, 0.3)
        ]
        self._columns = np.linspace(-0.05 * width, 1.05 * width, 64)
        beside = np.arctan2((width - 1) / 2 - self._columns, self._focal)
        self._azimuth, self._cosine = beside + yaw, np.cos(beside)
        ahead, left, distance = _ground_places(view, self._horizon)
        self._ahead, self._left = ahead.ravel(), left.ravel()
        fade = np.clip(1.0 - distance / GRAIN_RANGE, 0.0, 1.0) ** 0.7
        level = np.rint(fade * (GRAIN_LEVELS - 1)).astype(np.int32)
        self._level = (level * GRAIN_SIZE * GRAIN_SIZE).ravel()
        self._grain = _grain(lighting.texture)
        self._gain, self._veil = _air(ahead, left, distance, lighting, exposure)

    def paint(self, image: np.ndarray, yaw: float) -> None:
        """Sky, two ranges of skyline, and bare ground, into an (H, W, 3) uint8 image."""
        np.copyto(image, self._base)
        place = ((self._azimuth + yaw) / (2 * math.pi) * SKYLINE_POINTS) % SKYLINE_POINTS
        first = place.astype(int)
        share = place - first
        for heights, colour in zip(self._skyline, self._skyline_colours, strict=True):
            elevation = heights[first] * (1 - share) + heights[first + 1] * share
            rows = self._horizon - self._focal * elevation / self._cosine
            outline = np.stack([self._columns, rows], axis=-1)
            ends = [[self._columns[-1], self._horizon + 1], [self._columns[0], self._horizon + 1]]
            points = np.rint(np.concatenate([outline, ends]) * 16).astype(np.int32)
            cv2.fillPoly(image, [points], colour, cv2.LINE_AA, 4)

    def finish_ground(self, image: np.ndarray, x: float, y: float, yaw: float) -> None:
        """Roughens the ground by its grain, which is fixed to the world, lights it by the headlights, and hazes it."""
        ground = image[self._horizon :]
        cos, sin = math.cos(yaw) * TEXELS_PER_METRE, math.sin(yaw) * TEXELS_PER_METRE
        # Whole periods are taken off first, so that float32 keeps texels apart far from the origin.
        x0, y0 = (x * TEXELS_PER_METRE) % GRAIN_SIZE, (y * TEXELS_PER_METRE) % GRAIN_SIZE
        across = (self._ahead * np.float32(cos) - self._left * np.float32(sin) + np.float32(x0)).astype(np.int32)
        down = (self._ahead * np.float32(sin) + self._left * np.float32(cos) + np.float32(y0)).astype(np.int32)
        across &= GRAIN_SIZE - 1
        down &= GRAIN_SIZE - 1
        down *= GRAIN_SIZE
        down += across
        down += self._level
        gain = self._grain.take(down).reshape(ground.shape[:2])
        cv2.multiply(ground, cv2.merge([gain, gain, gain]), ground, 1.0 / UNITY)
        cv2.multiply(ground, self._gain, ground, 1.0 / GAIN_UNITY)
        cv2.add(ground, self._veil, ground)


def _ground_places(view: View, horizon: int) -> tuple[np.ndarray, ...]:
    """For each pixel below the horizon, where its ray meets the ground: metres ahead and left of the ego; distance."""
    camera = view.camera
    rows, columns = np.mgrid[horizon : view.height, 0 : view.width].astype(np.float64)
    depth = camera.xyz[2] * view.focal / np.maximum(rows - (view.height - 1) / 2, 0.25)
    aside = depth * ((view.width - 1) / 2 - columns) / view.focal
    yaw = math.radians(camera.yaw)
    ahead = camera.xyz[0] + depth * math.cos(yaw) - aside * math.sin(yaw)
    left = camera.xyz[1] + depth * math.sin(yaw) + aside * math.cos(yaw)
    far = np.hypot(depth, aside)
    # Beyond a few hundred metres the grain is invisible and float32 texels would lose their place.
    shown = far < 400.0
    return np.where(shown, ahead, 0.0).astype(np.float32), np.where(shown, left, 0.0).astype(np.float32), far


def _gradients(view: View, lighting: Lighting, zone: Zone, exposure: float) -> np.ndarray:
    """(H, W, 3) uint8: sky from zenith to horizon, and bare ground."""
    height, width = view.height, view.width
    below = np.arange(height) - (height - 1) / 2
    up = np.clip(-below / view.focal, 0.0, None)
    share = (1.0 - np.exp(-up / 0.35))[:, None]
    sky = np.array(lighting.horizon) * (1 - share) + np.array(lighting.zenith) * share
    ground = lighting.flat(np.array(GROUND[zone]))
    column = np.where((below < 0)[:, None], sky, ground) * exposure
    return np.ascontiguousarray(np.broadcast_to(np.clip(column, 0, 255).astype(np.uint8)[:, None], (height, width, 3)))


def _skyline(zone: Zone, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Elevations (tangents) around the horizon, far hills and a nearer row of trees or roofs; one point repeated."""
    rng = np.random.default_rng(seed)
    turn = np.linspace(0.0, 2 * np.pi, SKYLINE_POINTS, endpoint=False)
    hills = np.full(SKYLINE_POINTS, 0.035)
    for wave in (2, 3, 5, 8, 13):
        hills += 0.035 / wave * np.sin(wave * turn + rng.uniform(0, 2 * np.pi))
    if zone is Zone.TOWN:
        near = np.repeat(rng.uniform(0.015, 0.065, SKYLINE_POINTS // 12), 12)
    else:
        near = 0.018 + 0.010 * np.abs(np.convolve(rng.standard_normal(SKYLINE_POINTS), np.ones(3) / 2, mode="same"))
    return tuple(np.concatenate([np.maximum(h, 0.004), np.maximum(h[:2], 0.004)]) for h in (hills, near))


@lru_cache(maxsize=4)
def _grain(contrast: float) -> np.ndarray:
    """Flat uint8: GRAIN_LEVELS repeating tiles of multipliers around UNITY, of rising contrast."""
    rng = np.random.default_rng(7)
    noise = np.zeros((GRAIN_SIZE, GRAIN_SIZE))
    for cells, strength in ((512, 1.0), (128, 0.5), (32, 0.6), (8, 0.7)):
        coarse = rng.standard_normal((cells, cells)).astype(np.float32)
        coarse = np.pad(coarse, 2, mode="wrap")
        scale = GRAIN_SIZE // cells
        fine = cv2.resize(coarse, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        noise += strength * fine[2 * scale : 2 * scale + GRAIN_SIZE, 2 * scale : 2 * scale + GRAIN_SIZE]
    noise *= 9.0 * contrast / noise.std()
    levels = [np.clip(UNITY + noise * level / (GRAIN_LEVELS - 1), 1, 255) for level in range(GRAIN_LEVELS)]
    return np.rint(np.stack(levels)).astype(np.uint8).ravel()


def headlight(ahead: np.ndarray, left: np.ndarray) -> np.ndarray:
    """The share of the headlights' light at a place beside the ego: a pool that widens and fades ahead."""
    distance = np.maximum(ahead - 3.0, 0.1)
    width = 2.2 + 0.22 * distance
    return np.exp(-((left / width) ** 2)) * np.exp(-distance / 26.0) * (ahead > 3.0) * np.minimum(distance / 3.0, 1.0)


def _air(
    ahead: np.ndarray, left: np.ndarray, distance: np.ndarray, lighting: Lighting, exposure: float
) -> tuple[np.ndarray, np.ndarray]:
    """(h, W, 3) uint8 each: what a ground colour is multiplied by (GAIN_UNITY = 1), and the haze that is added."""
    haze = lighting.haze(distance)[..., None]
    beam = headlight(ahead.astype(np.float64), left.astype(np.float64))[..., None]
    gain = (1.0 - haze) * (1.0 + lighting.headlights * 2.4 * beam * np.array([1.0, 0.98, 0.9]))
    veil = haze * np.array(lighting.horizon) * exposure
    return tuple(np.clip(np.rint(values), 0, 255).astype(np.uint8) for values in (GAIN_UNITY * gain, veil))
