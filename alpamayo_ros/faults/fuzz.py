"""`fuzz`: mutated bytes into everything that reads bytes; nothing may escape but our own named refusals.

From good messages of every kind: bits flipped, pieces cut, doubled, swapped or overwritten, lengths and floats made
extreme, and sheer noise, from a seed. What is fed is what the live driver runs: the header, the decoders, odometry
through the observer, transforms into the buffer, camera information into the rig check, commands.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from alpamayo_ros import serialized
from alpamayo_ros.cdr import CdrError, header
from alpamayo_ros.contract import REFERENCE_ROLE, SECOND_NS
from alpamayo_ros.imaging import DECODERS, ImageError
from alpamayo_ros.observer import Observer
from alpamayo_ros.rig_check import RigCheck
from alpamayo_ros.tf_buffer import TransformBuffer, TransformError
from alpamayo_ros.world import wire
from alpamayo_ros.world.rig import RIG
from alpamayo_ros.world.state import EgoState

STAMP = 1000 * SECOND_NS
# Values that break what was not meant for them.
EXTREMES = (
    b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\1\0\0\0", struct.pack("<d", float("nan")),
    struct.pack("<d", float("inf")), struct.pack("<d", 1e300), struct.pack("<d", -5e-324), struct.pack("<q", -1),
)  # fmt: skip


@dataclass
class Readers:
    """What reads each kind of message, with the state that a driver would have."""

    observer: Observer = field(default_factory=Observer)
    places: TransformBuffer = field(default_factory=TransformBuffer)
    rig: RigCheck = field(default_factory=lambda: RigCheck("base_link"))

    def image(self, data: bytes) -> None:
        self._frame(data)
        DECODERS["raw"](data)

    def compressed(self, data: bytes) -> None:
        self._frame(data)
        DECODERS["compressed"](data)

    def odometry(self, data: bytes) -> None:
        got = serialized.odometry(data)
        self.observer.push_odometry(got.stamp_ns, got.sample, got.frame_id, got.child_frame_id)

    def transforms(self, data: bytes) -> None:
        for each in serialized.transforms(data):
            self.places.set_transform(each.parent, each.child, each.stamp_ns, each.pose)
            self.places.lookup("map", "base_link", each.stamp_ns)

    def camera_info(self, data: bytes) -> None:
        serialized.camera_info(data)
        self.rig.take_info(REFERENCE_ROLE, data)
        self.rig.swaps()

    def command(self, data: bytes) -> None:
        serialized.text(data).encode()

    def _frame(self, data: bytes) -> None:
        stamp, frame_id = header(data)
        self.observer.push_frame(REFERENCE_ROLE, stamp, None, frame_id)


# The named refusals: everything else that is raised has escaped. (A ValueError is the transform buffer's.)
REFUSALS: dict[str, tuple[type[Exception], ...]] = {
    "image": (CdrError, ImageError),
    "compressed": (CdrError, ImageError),
    "odometry": (CdrError,),
    "transforms": (CdrError, TransformError, ValueError),
    "camera_info": (CdrError,),
    "command": (CdrError,),
}


def originals() -> dict[str, list[bytes]]:
    """Good messages of every kind, small ones."""
    rng = np.random.default_rng(0)
    picture = np.repeat(np.repeat(rng.integers(0, 256, (4, 6, 3), dtype=np.uint8), 4, 0), 4, 1)
    ego = EgoState(1.0, 2.0, 0.3, 8.0, 0.0, 0.01)
    raw = [
        wire._serialize(
            wire.IMAGE, wire._header(STAMP, "c"), 16, 24, name, 0, 24 * size, np.zeros(rows * 24 * size, np.uint8)
        )
        for name, size, rows in (("rgb8", 3, 16), ("mono8", 1, 16), ("nv12", 1, 24), ("bayer_rggb8", 1, 16))
    ]
    return {
        "image": raw,
        "compressed": [wire.compressed_image(role, STAMP, picture) for role in RIG][:2],
        "odometry": [wire.odometry(STAMP, ego)],
        "transforms": [wire.transform(STAMP, ego), wire.static_transforms(STAMP)],
        "camera_info": [wire.camera_info(role, STAMP, 1080, 1920) for role in RIG][:2],
        "command": [wire.text("turn left at the next junction")],
    }


def mutated(rng: random.Random, good: bytes) -> bytes:
    """A few mutations of a good message."""
    data = bytearray(good)
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        _MUTATIONS[rng.randrange(len(_MUTATIONS))](rng, data)
    return bytes(data)


def _flip(rng: random.Random, data: bytearray) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _cut(rng: random.Random, data: bytearray) -> None:
    del data[rng.randrange(len(data) + 1) :]


def _drop(rng: random.Random, data: bytearray) -> None:
    start = rng.randrange(len(data) + 1)
    del data[start : start + rng.randrange(1, 9)]


def _insert(rng: random.Random, data: bytearray) -> None:
    start = rng.randrange(len(data) + 1)
    data[start:start] = rng.randbytes(rng.randrange(1, 9))


def _extreme(rng: random.Random, data: bytearray) -> None:
    value = rng.choice(EXTREMES)
    start = rng.randrange(len(data) + 1) // 4 * 4
    data[start : start + len(value)] = value


def _noise(rng: random.Random, data: bytearray) -> None:
    start = rng.randrange(len(data) + 1)
    length = rng.randrange(1, 33)
    data[start : start + length] = rng.randbytes(length)


def _repeat(rng: random.Random, data: bytearray) -> None:
    start = rng.randrange(len(data) + 1)
    data[start:start] = data[start : start + rng.randrange(1, 65)]


def _all_noise(rng: random.Random, data: bytearray) -> None:
    data[4:] = rng.randbytes(rng.randrange(120))


_MUTATIONS: tuple[Callable[[random.Random, bytearray], None], ...] = (
    _flip, _flip, _cut, _drop, _insert, _extreme, _extreme, _noise, _repeat, _all_noise,
)  # fmt: skip


@dataclass
class Outcome:
    """What came of a run: inputs and refusals by kind, what escaped with the bytes that did it, the longest input."""

    inputs: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    escaped: list[dict[str, str]] = field(default_factory=list)
    slowest_ms: float = 0.0


def fuzz(inputs: int, seed: int) -> Outcome:
    """Feeds so many inputs, every kind in turn."""
    rng, good, outcome, readers = random.Random(seed), originals(), Outcome(), Readers()
    kinds = list(good)
    for number in range(inputs):
        kind = kinds[number % len(kinds)]
        if number % 10_000 == 0:
            readers = Readers()  # as after a restart: what was learned of good messages is learned again
        data = mutated(rng, rng.choice(good[kind])) if number % 100 else rng.choice(good[kind])
        outcome.inputs[kind] += 1
        began = time.perf_counter()
        try:
            getattr(readers, kind)(data)
        except REFUSALS[kind]:
            outcome.refused[kind] += 1
        except Exception as error:
            if len(outcome.escaped) < 20:
                outcome.escaped.append({"kind": kind, "error": f"{type(error).__name__}: {error}", "bytes": data.hex()})
        outcome.slowest_ms = max(outcome.slowest_ms, 1e3 * (time.perf_counter() - began))
    return outcome


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="alpamayo_ros fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    began = time.monotonic()
    outcome = fuzz(options.inputs, options.seed)
    report = {
        "command": f"python -m alpamayo_ros fuzz --inputs {options.inputs} --seed {options.seed}",
        "machine": {"cpus": os.cpu_count(), "python": sys.version.split()[0]},
        "inputs": sum(outcome.inputs.values()),
        "inputs_by_kind": dict(outcome.inputs),
        "refused_by_kind": dict(outcome.refused),
        "escaped": outcome.escaped,
        "slowest_ms": round(outcome.slowest_ms, 1),
        "seconds": round(time.monotonic() - began, 1),
    }
    text = json.dumps(report, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")
    return 1 if outcome.escaped else 0
