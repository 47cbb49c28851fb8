"""The world as it really is in a fault run: a picture for every camera and stamp, and a pose for every stamp.

The pictures are a few seconds of a drive of the small world, drawn once and looped, so that feed and oracle agree on
every pixel without talking. The vehicle drives a wide circle at constant speed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np

from alpamayo_ros.contract import CAMERA_ROLES, HISTORY_OFFSETS_NS, SECOND_NS, SLOT_PERIOD_NS
from alpamayo_ros.history import Sample

VARIANTS = 20
HEIGHT, WIDTH = 144, 256
SPEED, RADIUS = 8.0, 150.0
FRAME, CHILD = "odom", "base_link"
# Drawn pictures of a drive that begins after this many steps of 10 ms, one every 0.1 s.
_SKIPPED, _BETWEEN = 200, 10


@dataclass(frozen=True)
class Truth:
    """JPEGs by role, and the checksum of each one's pixels."""

    pictures: dict[str, list[bytes]]
    checksums: dict[str, list[int]]

    def picture(self, role: str, stamp_ns: int) -> bytes:
        """What the camera shows at a stamp."""
        return self.pictures[role][variant(stamp_ns)]

    def checksum(self, role: str, stamp_ns: int) -> int:
        return self.checksums[role][variant(stamp_ns)]

    def save(self, path: Path) -> None:
        arrays = {
            f"{role}/{k}": np.frombuffer(data, np.uint8)
            for role, each in self.pictures.items()
            for k, data in enumerate(each)
        }
        np.savez(path, **arrays)


def variant(stamp_ns: int) -> int:
    """Which of the looped pictures belongs to a stamp."""
    return stamp_ns // SLOT_PERIOD_NS % VARIANTS


def pose(stamp_ns: int) -> Sample:
    """base_link in odom."""
    turned = SPEED / RADIUS * ((stamp_ns % (3600 * SECOND_NS)) / SECOND_NS)
    return (
        RADIUS * math.sin(turned), RADIUS * (1.0 - math.cos(turned)), 0.0,
        0.0, 0.0, math.sin(turned / 2.0), math.cos(turned / 2.0),
    )  # fmt: skip


def history(t0_ns: int) -> np.ndarray:
    """(16, 2): where the vehicle was, in the ego frame of t0."""
    x0, y0, *_, qz, qw = pose(t0_ns)
    yaw = 2.0 * math.atan2(qz, qw)
    places = np.array([pose(t0_ns + back)[:2] for back in HISTORY_OFFSETS_NS]) - (x0, y0)
    cos, sin = math.cos(yaw), math.sin(yaw)
    return places @ np.array([[cos, -sin], [sin, cos]])


def checksum(image: np.ndarray) -> int:
    """Of an image's pixels."""
    return crc32(np.ascontiguousarray(image))


def draw(seed: int = 3) -> Truth:
    """The pictures of one drive."""
    import simplejpeg

    from alpamayo_ros.world import scenario
    from alpamayo_ros.world.episode import Cameras, Episode, Size
    from alpamayo_ros.world.vehicle import Control

    episode = Episode(scenario.draw(scenario.Family.LEAD_STEADY, seed))
    cameras = Cameras(episode.scene, Size(HEIGHT, WIDTH))
    pictures: dict[str, list[bytes]] = {role: [] for role in CAMERA_ROLES}
    for step in range(_SKIPPED + VARIANTS * _BETWEEN):
        if step >= _SKIPPED and step % _BETWEEN == 0:
            for role in CAMERA_ROLES:
                image = cameras.render(role, episode.snapshot)
                pictures[role].append(simplejpeg.encode_jpeg(np.ascontiguousarray(image), 90, "RGB", "420"))
        episode.step(Control(0.0, 0.0))
    return _with_checksums(pictures)


def load(path: Path) -> Truth:
    """What `save` wrote."""
    with np.load(path) as arrays:
        return _with_checksums(
            {role: [arrays[f"{role}/{k}"].tobytes() for k in range(VARIANTS)] for role in CAMERA_ROLES}
        )


def _with_checksums(pictures: dict[str, list[bytes]]) -> Truth:
    from alpamayo_ros.imaging import decode_jpeg

    sums = {role: [checksum(decode_jpeg(data)) for data in each] for role, each in pictures.items()}
    flat = [value for each in sums.values() for value in each]
    if len(set(flat)) != len(flat):
        raise RuntimeError("two of the drawn pictures are equal: a frozen or swapped camera could not be told")
    return Truth(pictures, sums)
