"""Odometry that is gone, late, broken or plausibly wrong."""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import replace

from alpamayo_ros.faults.feed import STEP_NS, Feed, Item, Spoil
from alpamayo_ros.faults.spoilers.streams import LATE, in_stream


def odometry_dead(rng: random.Random, feed: Feed) -> Spoil:
    return in_stream("odometry", lambda item: [])


def odometry_frozen(rng: random.Random, feed: Feed) -> Spoil:
    """The pose stands, the stamps go on, and the twist says that the wheels turn."""
    held: list[Item] = []

    def freeze(item: Item) -> list[Item]:
        held.append(item)
        return [item.changed(pose=held[0].values["pose"])]

    return in_stream("odometry", freeze)


def odometry_nan(rng: random.Random, feed: Feed) -> Spoil:
    broken, value = rng.randrange(7), rng.choice((math.nan, math.inf, -math.inf))
    return in_stream(
        "odometry",
        lambda item: [item.changed(pose=tuple(value if k == broken else v for k, v in enumerate(item.values["pose"])))],
    )


def _moved(item: Item, x: float, y: float) -> Item:
    pose = item.values["pose"]
    return item.changed(pose=(pose[0] + x, pose[1] + y, *pose[2:]))


def odometry_jump(rng: random.Random, feed: Feed) -> Spoil:
    """50 m to a side for as long as it lasts."""
    angle = rng.uniform(0, 2 * math.pi)
    return in_stream("odometry", lambda item: [_moved(item, 50 * math.cos(angle), 50 * math.sin(angle))])


def odometry_spikes(rng: random.Random, feed: Feed) -> Spoil:
    """One pose of twenty is 50 m off, the first one to begin with."""
    number = itertools.count()
    return in_stream("odometry", lambda item: [_moved(item, 50.0, 0.0) if next(number) % 20 == 0 else item])


def odometry_huge(rng: random.Random, feed: Feed) -> Spoil:
    """Finite, and beyond what can be squared."""
    return in_stream("odometry", lambda item: [_moved(item, rng.choice((1e300, -1e200)), 0.0)])


def odometry_quaternion(rng: random.Random, feed: Feed) -> Spoil:
    scale = rng.choice((0.0, 0.5, 2.0, 1e-6))
    return in_stream(
        "odometry",
        lambda item: [item.changed(pose=item.values["pose"][:3] + tuple(scale * q for q in item.values["pose"][3:]))],
    )


def odometry_wrong_frame(rng: random.Random, feed: Feed) -> Spoil:
    """Poses of a map under a map's name."""
    return in_stream("odometry", lambda item: [_moved(item, 5.0, 3.0).changed(frame_id="map")])


def odometry_wrong_child(rng: random.Random, feed: Feed) -> Spoil:
    return in_stream("odometry", lambda item: [_moved(item, 1.4, 0.0).changed(child="imu_link")])


def odometry_5hz(rng: random.Random, feed: Feed) -> Spoil:
    return in_stream("odometry", lambda item: [item] if item.stamp_ns // STEP_NS % 20 == 0 else [])


def odometry_2hz(rng: random.Random, feed: Feed) -> Spoil:
    return in_stream("odometry", lambda item: [item] if item.stamp_ns // STEP_NS % 50 == 0 else [])


def odometry_late(rng: random.Random, feed: Feed) -> Spoil:
    return in_stream("odometry", lambda item: [replace(item, due=item.due + LATE)])


def odometry_zero_stamp(rng: random.Random, feed: Feed) -> Spoil:
    return in_stream("odometry", lambda item: [replace(item, stamp_ns=0)])


def odometry_malformed(rng: random.Random, feed: Feed) -> Spoil:
    return in_stream("odometry", lambda item: [item.changed(bytes=rng.randbytes(rng.randrange(200)))])


def odometry_scaled(rng: random.Random, feed: Feed) -> Spoil:
    """A worn tyre: the distance is 4 % too long, from the first pose on. Wrong, and plausible."""
    start: list[tuple] = []

    def scale(item: Item) -> list[Item]:
        pose = item.values["pose"]
        start.append(pose)
        return [_moved(item, 0.04 * (pose[0] - start[0][0]), 0.04 * (pose[1] - start[0][1]))]

    return in_stream("odometry", scale)


def odometry_two_publishers(rng: random.Random, feed: Feed) -> Spoil:
    """Another localisation on the same topic, two metres beside."""
    feed.publisher("odometry", "second")

    def second(item: Item) -> list[Item]:
        other = replace(_moved(item, 0.0, 2.0), stamp_ns=item.stamp_ns + 5_000_000, publisher="second")
        return [item, other]

    return replace(in_stream("odometry", second), stop=lambda: feed.end_publisher("odometry", "second"))


def odometry_flood(rng: random.Random, feed: Feed) -> Spoil:
    return in_stream(
        "odometry", lambda item: [feed.odometry(item.stamp_ns + k * 1_000_000, item.due) for k in range(10)]
    )
