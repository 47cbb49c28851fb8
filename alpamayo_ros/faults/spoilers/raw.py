"""Raw images whose encoding, size or bytes are wrong."""

from __future__ import annotations

import random

from alpamayo_ros.faults import truth
from alpamayo_ros.faults.feed import STEP_NS, Feed, Item, Spoil
from alpamayo_ros.faults.spoilers.streams import in_stream, some_camera


def raw_encoding_unknown(rng: random.Random, feed: Feed) -> Spoil:
    name = rng.choice(("16UC1", "32FC3", "jpeg", ""))
    return in_stream(some_camera(rng), lambda item: [item.changed(encoding=name)])


def raw_encoding_changes(rng: random.Random, feed: Feed) -> Spoil:
    """The same picture as bgr8 and rgb8 in turn, each said truly."""
    import numpy as np

    def change(item: Item) -> list[Item]:
        if item.stamp_ns // (10 * STEP_NS) % 2:
            return [item]
        pixels = np.frombuffer(item.values["data"], np.uint8).reshape(truth.HEIGHT, truth.WIDTH, 3)
        return [item.changed(encoding="bgr8", data=np.ascontiguousarray(pixels[..., ::-1]).tobytes())]

    return in_stream(some_camera(rng), change)


def raw_short(rng: random.Random, feed: Feed) -> Spoil:
    return in_stream(some_camera(rng), lambda item: [item.changed(data=item.values["data"][: rng.randrange(1000)])])


def raw_huge(rng: random.Random, feed: Feed) -> Spoil:
    """A size that no memory holds."""
    return in_stream(some_camera(rng), lambda item: [item.changed(height=60_000, width=60_000, step=180_000)])


def raw_step_wrong(rng: random.Random, feed: Feed) -> Spoil:
    return in_stream(some_camera(rng), lambda item: [item.changed(step=rng.randrange(1, truth.WIDTH))])
