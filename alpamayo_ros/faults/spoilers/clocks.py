"""Time that jumps, stands or runs ahead of the sensors."""

from __future__ import annotations

import random
from dataclasses import replace

from alpamayo_ros.contract import SECOND_NS
from alpamayo_ros.faults.feed import STEP_NS, Feed, Item, Spoil
from alpamayo_ros.faults.spoilers.streams import in_stream


def clock_back(rng: random.Random, feed: Feed) -> Spoil:
    """Simulated time, and all stamps with it, go back (a looped bag)."""
    feed.shift_ns -= rng.randrange(20, 90) * 10 * STEP_NS
    return Spoil(about="clock")


def clock_forward(rng: random.Random, feed: Feed) -> Spoil:
    feed.shift_ns += rng.randrange(20, 900) * 10 * STEP_NS
    return Spoil(about="clock")


def clock_stopped(rng: random.Random, feed: Feed) -> Spoil:
    """The clock stands, the sensors go on."""
    return in_stream("clock", lambda item: [])


def time_paused(rng: random.Random, feed: Feed) -> Spoil:
    """A paused simulation: nothing comes, and no time passes."""
    held = feed.shift_ns
    began: list[int] = []

    def pause(item: Item) -> list[Item]:
        began.append(item.stamp_ns)
        return []

    def resume() -> None:
        if began:
            feed.shift_ns = held - (began[-1] - began[0])

    return Spoil(pause, "", resume)


def clock_ahead(rng: random.Random, feed: Feed) -> Spoil:
    """The clock alone is four seconds ahead of the sensors."""
    return in_stream("clock", lambda item: [replace(item, stamp_ns=item.stamp_ns + 4 * SECOND_NS)])
