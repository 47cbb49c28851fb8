"""The frames of the ingest bench: what is sent, and the checksum that each must have when it arrives.

A frame's content follows from its camera and its stamp alone, so that sender and checker agree without talking.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from alpamayo_ros.contract import CAMERA_ROLES, SECOND_NS

HEIGHT, WIDTH = 1080, 1920
VARIANTS = 5  # different pictures a camera; more would only cost start-up
ODOMETRY_RATE = 100
QUALITY = 85


def checksum(image: np.ndarray) -> int:
    """Of all pixels of a contiguous (H, W, 3) uint8 image."""
    return int(np.ascontiguousarray(image).reshape(-1).view(np.uint64).sum(dtype=np.uint64))


@dataclass
class Feed:
    """Payloads of four cameras at a rate.

    Args:
        encoding: "jpeg" or "rgb8".
        rate: frames a second and camera.
    """

    encoding: str
    rate: int
    payloads: dict[str, list[bytes]] = field(default_factory=dict)
    checksums: dict[str, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for number, role in enumerate(CAMERA_ROLES):
            pictures = [_picture(number * VARIANTS + variant) for variant in range(VARIANTS)]
            if self.encoding == "rgb8":
                self.payloads[role] = [picture.tobytes() for picture in pictures]
                seen = pictures
            else:
                options = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
                self.payloads[role] = [cv2.imencode(".jpg", p[..., ::-1], options)[1].tobytes() for p in pictures]
                seen = [cv2.imdecode(np.frombuffer(data, np.uint8), 1)[..., ::-1] for data in self.payloads[role]]
            self.checksums[role] = [checksum(picture) for picture in seen]

    def stamp_ns(self, start_s: int, number: int) -> int:
        """The stamp of the frame `number` after a start on a whole second."""
        return start_s * SECOND_NS + round(number * SECOND_NS / self.rate)

    def variant(self, stamp_ns: int) -> int:
        """Which picture a stamp carries."""
        return round(stamp_ns * self.rate / SECOND_NS) % VARIANTS if stamp_ns else 0


def _picture(seed: int) -> np.ndarray:
    """(1080, 1920, 3) uint8 with a street scene's mix of edges and plain areas: a JPEG of some 250 kB."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (34, 60, 3), dtype=np.uint8)
    image = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    noise = rng.integers(-9, 10, (HEIGHT // 2, WIDTH // 2, 1), dtype=np.int16)
    noise = cv2.resize(noise, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)[..., None]
    return np.clip(image + noise, 0, 255).astype(np.uint8)
