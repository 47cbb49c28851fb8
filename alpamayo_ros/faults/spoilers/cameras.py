"""Cameras that fall silent, stand still, lag or stamp wrongly: when frames come, and what time they say."""

from __future__ import annotations

import random
from dataclasses import replace

from alpamayo_ros.contract import CAMERA_ROLES, REFERENCE_ROLE, SECOND_NS
from alpamayo_ros.faults.feed import STEP_NS, Feed, Item, Spoil
from alpamayo_ros.faults.spoilers.streams import LATE, in_stream, some_camera


def camera_dead(rng: random.Random, feed: Feed) -> Spoil:
    return in_stream(some_camera(rng, reference=False), lambda item: [])


def reference_dead(rng: random.Random, feed: Feed) -> Spoil:
    return in_stream(REFERENCE_ROLE, lambda item: [])


def all_cameras_dead(rng: random.Random, feed: Feed) -> Spoil:
    return Spoil(lambda item: [] if item.stream in CAMERA_ROLES else [item])


def everything_dead(rng: random.Random, feed: Feed) -> Spoil:
    return Spoil(lambda item: [])


def camera_frozen(rng: random.Random, feed: Feed) -> Spoil:
    """The same bytes under new stamps."""
    held: list[dict] = []

    def freeze(item: Item) -> list[Item]:
        held.append(item.values)
        return [replace(item, values=held[0])]

    return in_stream(some_camera(rng), freeze)


def camera_stuck(rng: random.Random, feed: Feed) -> Spoil:
    """The same message again and again, stamp and all."""
    held: list[Item] = []

    def stick(item: Item) -> list[Item]:
        held.append(item)
        return [replace(item, stamp_ns=held[0].stamp_ns, values=held[0].values)]

    return in_stream(some_camera(rng), stick)


def camera_slow(rng: random.Random, feed: Feed) -> Spoil:
    keep = rng.choice((3, 4, 5))
    return in_stream(some_camera(rng), lambda item: [item] if item.stamp_ns // (10 * STEP_NS) % keep == 0 else [])


def camera_late(rng: random.Random, feed: Feed) -> Spoil:
    return in_stream(some_camera(rng, reference=False), lambda item: [replace(item, due=item.due + LATE)])


def reference_late(rng: random.Random, feed: Feed) -> Spoil:
    """All the other streams are earlier than it: ticks are late by as much, and right."""
    return in_stream(REFERENCE_ROLE, lambda item: [replace(item, due=item.due + LATE)])


def camera_lossy(rng: random.Random, feed: Feed) -> Spoil:
    return in_stream(some_camera(rng, reference=False), lambda item: [] if rng.random() < 0.6 else [item])


def camera_doubled(rng: random.Random, feed: Feed) -> Spoil:
    return in_stream(some_camera(rng), lambda item: [item, item])


def cameras_out_of_order(rng: random.Random, feed: Feed) -> Spoil:
    """Every second frame of a camera comes 60 ms late, behind or beside its neighbours of other cameras."""
    late = {0: 0.0, 1: 0.06}
    return in_stream(
        some_camera(rng, reference=False),
        lambda item: [replace(item, due=item.due + late[item.stamp_ns // (10 * STEP_NS) % 2])],
    )


def camera_stamps_off(rng: random.Random, feed: Feed) -> Spoil:
    """A camera that stamps 80 ms late, all the time: wrong, and plausible."""
    return in_stream(
        some_camera(rng, reference=False), lambda item: [replace(item, stamp_ns=item.stamp_ns - 80_000_000)]
    )


def camera_zero_stamp(rng: random.Random, feed: Feed) -> Spoil:
    return in_stream(some_camera(rng), lambda item: [replace(item, stamp_ns=0)])


def camera_future(rng: random.Random, feed: Feed) -> Spoil:
    """Stamps of an hour ahead."""
    return in_stream(
        some_camera(rng, reference=False), lambda item: [replace(item, stamp_ns=item.stamp_ns + 3600 * SECOND_NS)]
    )
