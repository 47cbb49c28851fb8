"""TF that is gone, late or no tree."""

from __future__ import annotations

import math
import random
from dataclasses import replace

from alpamayo_ros.faults import truth
from alpamayo_ros.faults.feed import MAP, MAP_TO_ODOM, Feed, Spoil
from alpamayo_ros.faults.spoilers.streams import LATE, in_stream


def tf_missing(rng: random.Random, feed: Feed) -> Spoil:
    return in_stream("tf", lambda item: [])


def tf_late(rng: random.Random, feed: Feed) -> Spoil:
    return in_stream("tf", lambda item: [replace(item, due=item.due + LATE)])


def tf_loop(rng: random.Random, feed: Feed) -> Spoil:
    """Each frame is the other's parent."""
    back = (truth.FRAME, MAP, 0.0, 0.0, 0.0)
    return in_stream("tf", lambda item: [item.changed(links=[*item.values["links"], back])])


def tf_nan(rng: random.Random, feed: Feed) -> Spoil:
    return in_stream("tf", lambda item: [item.changed(links=[(MAP, truth.FRAME, math.nan, *MAP_TO_ODOM[1:])])])


def tf_malformed(rng: random.Random, feed: Feed) -> Spoil:
    return in_stream("tf", lambda item: [item.changed(bytes=rng.randbytes(rng.randrange(4, 120)))])
