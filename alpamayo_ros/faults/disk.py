"""The disk runs full in the middle of a replay: it has to say so, and to come to the same results when there is room.

Stood in for by a limit on the size of the files that the process may write (RLIMIT_FSIZE), which fails a write as a
full disk does, at the same places, and needs no privileges. (The error's number is EFBIG instead of ENOSPC.)
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from alpamayo_ros.contract import CAMERA_ROLES, SECOND_NS
from alpamayo_ros.faults import truth
from alpamayo_ros.faults.feed import FRAME_STEPS, STEP_NS
from alpamayo_ros.world import wire
from alpamayo_ros.world.state import EgoState

SECONDS = 4
START_NS = 1000 * SECOND_NS
# Between nothing and the report, which is the largest file (bytes).
ROOM = (4_096, 400_000)


def full(seed: int, known: truth.Truth) -> tuple[float, str]:
    """Seconds until a replay ended on a full disk, and what was wrong with it ("" for nothing)."""
    rng = random.Random(f"disk_full {seed}")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        _bag(place / "bag", known)
        whole = _replay(place / "bag", place / "whole", resource.RLIM_INFINITY)
        if whole.returncode:
            return 0.0, f"the replay fails with room, too: {whole.stderr[-300:]}"
        room = rng.randrange(*ROOM)
        began = time.monotonic()
        cut = _replay(place / "bag", place / "cut", room)
        took = time.monotonic() - began
        if cut.returncode == 0:
            return took, f"with files of {room} bytes at most it ended as if all were well"
        if "Traceback" in cut.stderr or "too large" not in cut.stderr:
            return took, f"with files of {room} bytes it said: {cut.stderr[-300:]}"
        again = _replay(place / "bag", place / "cut", resource.RLIM_INFINITY)
        if again.returncode:
            return took, f"with room again: {again.stderr[-300:]}"
        same = _results(place / "whole") == _results(place / "cut")
        return took, "" if same else "with room again it came to other results"


def _results(out: Path) -> dict:
    found = sorted(out.rglob("metrics.json"))
    return json.loads(found[0].read_text()) if found else {}


def _replay(bag: Path, out: Path, room: int) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "alpamayo_ros", "replay", str(bag), "--policy", "baseline", "--out", str(out)],
        capture_output=True, text=True, timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
    )  # fmt: skip


def _bag(path: Path, known: truth.Truth) -> None:
    from rosbags.rosbag2 import StoragePlugin, Writer

    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        topics = {role: f"/camera/{role}/image/compressed" for role in CAMERA_ROLES}
        kinds = {**dict.fromkeys(CAMERA_ROLES, wire.COMPRESSED), "odometry": wire.ODOMETRY}
        connections = {
            stream: writer.add_connection(topics.get(stream, "/odometry"), kind, typestore=wire.store())
            for stream, kind in kinds.items()
        }
        for step in range(SECONDS * SECOND_NS // STEP_NS):
            stamp = START_NS + step * STEP_NS
            x, y, _, _, _, qz, qw = truth.pose(stamp)
            ego = EgoState(x, y, 2.0 * float(np.arctan2(qz, qw)), truth.SPEED, 0.0, 0.0)
            writer.write(connections["odometry"], stamp, wire.odometry(stamp, ego))
            for role in CAMERA_ROLES if step % FRAME_STEPS == 0 else ():
                writer.write(connections[role], stamp, _compressed(role, stamp, known.picture(role, stamp)))


def _compressed(role: str, stamp_ns: int, data: bytes) -> bytes:
    header = wire._header(stamp_ns, wire.optical_frame(role))
    return wire._serialize(wire.COMPRESSED, header, "jpeg", np.frombuffer(data, np.uint8))
