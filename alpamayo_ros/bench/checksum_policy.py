"""The ingest bench's policy: the baseline, once it has seen that all sixteen images are those that were sent."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from alpamayo_ros.bench.camera_feed import HEIGHT, Feed, checksum
from alpamayo_ros.contract import Observation, Plan
from alpamayo_ros.policies.baseline import Baseline


@dataclass(frozen=True)
class Config:
    """What is being sent."""

    encoding: str = field(default="jpeg", metadata={"description": "Encoding of the feed."})
    rate: int = field(default=10, metadata={"description": "Frames a second and camera of the feed."})


class ChecksumPolicy(Baseline):
    """Counts images that are what was sent, and those that are not."""

    name = "checksum"
    checked = wrong = ticks = 0

    def __init__(self, config: Config):
        super().__init__()
        self._feed = Feed(config.encoding, config.rate)
        self._known: dict[int, tuple[np.ndarray, int]] = {}  # images that the last tick had too, and their checksums

    def __call__(self, observation: Observation) -> Plan:
        cls = type(self)
        if observation.images[0][0].shape[0] == HEIGHT and observation.t0_ns > 10**18:
            cls.ticks += 1
            before, self._known = self._known, {}
            for role, images, stamps in zip(
                observation.cameras, observation.images, observation.stamps_ns.tolist(), strict=True
            ):
                for image, stamp in zip(images, stamps, strict=True):
                    cls.checked += 1
                    known = before.get(id(image)) or (image, checksum(image))
                    self._known[id(image)] = known
                    cls.wrong += known[1] != self._feed.checksums[role][self._feed.variant(stamp)]
        return super().__call__(observation)


def create(config: Config) -> ChecksumPolicy:
    return ChecksumPolicy(config)
