"""What one tick of a replay came to, as a value and as bytes.

The bytes of the results leave out what differs from run to run (timings) and what is only for the eye (pictures):
equal replays have equal bytes, and their hash is the replay's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from alpamayo_ros.compose import Placed, in_frame
from alpamayo_ros.contract import NotReady, Plan, Reason
from alpamayo_ros.geometry import Pose

_ARRAYS = ("xyz", "yaw", "speed", "acceleration", "curvature")


@dataclass(frozen=True, eq=False)
class Planned:
    """A tick that came to a plan.

    Attributes:
        plan: in the ego frame of t0, without timings.
        roles, stamps_ns, stand_in: the cameras and their (cameras, 4) images.
        odometry_frame, ego: the ego frame's pose at t0 in odometry's frame.
        output_frame, placed: the same in the output frame.
    """

    plan: Plan
    command: str
    roles: tuple[str, ...]
    stamps_ns: np.ndarray
    stand_in: np.ndarray
    odometry_frame: str
    ego: Pose
    output_frame: str
    placed: Pose


@dataclass(frozen=True, eq=False)
class Record:
    """One outcome of a replay.

    Attributes:
        t0_ns: the tick; None for a message that was refused by itself.
        received_ns: the bag's time at which the tick was settled.
        refusal: why it came to nothing; None for a plan.
        refused: frames that did not decode on the way.
        timings: stage -> seconds.
        pictures: role -> JPEG of the image at t0, downscaled.
    """

    t0_ns: int | None
    received_ns: int
    epoch: int
    refusal: NotReady | None = None
    planned: Planned | None = None
    refused: tuple[NotReady, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict)
    pictures: Mapping[str, bytes] = field(default_factory=dict)


def placed(record: Record) -> Placed:
    """A plan's record as what messages are composed from."""
    p = record.planned
    return Placed(
        p.plan, p.output_frame, in_frame(p.plan, p.placed), record.epoch, p.command, p.roles, p.stamps_ns, p.stand_in,
        record.refused,
    )  # fmt: skip


def results(record: Record) -> bytes:
    """The record without timings and pictures."""
    head: dict[str, Any] = {
        "t0_ns": record.t0_ns,
        "received_ns": record.received_ns,
        "epoch": record.epoch,
        "refusal": _refusal(record.refusal) if record.refusal else None,
        "refused": [_refusal(refusal) for refusal in record.refused],
    }
    body = b""
    if record.planned is not None:
        p = record.planned
        head["planned"] = {
            "samples": len(p.plan.reasoning), "reasoning": p.plan.reasoning, "chosen": p.plan.chosen,
            "policy": p.plan.policy, "notes": p.plan.notes, "command": p.command, "roles": p.roles,
            "odometry_frame": p.odometry_frame, "output_frame": p.output_frame,
        }  # fmt: skip
        poses = (p.ego.xyz, p.ego.quaternion, p.placed.xyz, p.placed.quaternion)
        parts = [np.asarray(getattr(p.plan, name), "<f8") for name in _ARRAYS] + [np.asarray(a, "<f8") for a in poses]
        parts += [np.asarray(p.stamps_ns, "<i8"), np.asarray(p.stand_in, "u1")]
        body = b"".join(part.tobytes() for part in parts)
    text = json.dumps(head, separators=(",", ":")).encode()
    return len(text).to_bytes(4, "little") + text + body


def extras(record: Record) -> bytes:
    """Timings and pictures."""
    sizes = {role: len(data) for role, data in record.pictures.items()}
    text = json.dumps({"timings": dict(record.timings), "pictures": sizes}).encode()
    return len(text).to_bytes(4, "little") + text + b"".join(record.pictures.values())


def read(result: bytes, extra: bytes) -> Record:
    """The record of these bytes."""
    head, body = _split(result)
    side, data = _split(extra)
    pictures, at = {}, 0
    for role, size in side["pictures"].items():
        pictures[role] = data[at : at + size]
        at += size
    return Record(
        head["t0_ns"], head["received_ns"], head["epoch"], _refused(head["refusal"]) if head["refusal"] else None,
        _planned(head, body) if "planned" in head else None, tuple(map(_refused, head["refused"])), side["timings"],
        pictures,
    )  # fmt: skip


class Digest:
    """The hash of a replay: over the results of all its ticks, in order."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, result: bytes) -> None:
        self._hash.update(len(result).to_bytes(8, "little") + result)

    def __str__(self) -> str:
        return self._hash.hexdigest()


def _planned(head: dict[str, Any], body: bytes) -> Planned:
    said = head["planned"]
    samples, at = said["samples"], 0

    def take(dtype: str, *shape: int) -> np.ndarray:
        nonlocal at
        array = np.frombuffer(body, dtype, count=int(np.prod(shape)), offset=at).reshape(shape)
        at += array.nbytes
        return array

    xyz = take("<f8", samples, 64, 3)
    series = [take("<f8", samples, 64) for _ in _ARRAYS[1:]]
    ego = Pose(take("<f8", 3), take("<f8", 4))
    placed_at = Pose(take("<f8", 3), take("<f8", 4))
    cameras = len(said["roles"])
    stamps, stand_in = take("<i8", cameras, 4), take("u1", cameras, 4).astype(bool)
    plan = Plan(
        head["t0_ns"], xyz, *series, tuple(said["reasoning"]), said["chosen"], said["policy"], {}, tuple(said["notes"])
    )
    return Planned(
        plan, said["command"], tuple(said["roles"]), stamps, stand_in, said["odometry_frame"], ego,
        said["output_frame"], placed_at,
    )  # fmt: skip


def _refusal(refusal: NotReady) -> dict[str, Any]:
    numbers = {name: float(value) for name, value in refusal.numbers.items()}
    return {"reason": refusal.reason.value, "stream": refusal.stream, "detail": refusal.detail, "numbers": numbers,
            "t0_ns": refusal.t0_ns}  # fmt: skip


def _refused(said: dict[str, Any]) -> NotReady:
    return NotReady(Reason(said["reason"]), said["stream"], said["detail"], said["numbers"], said["t0_ns"])


def _split(data: bytes) -> tuple[dict[str, Any], bytes]:
    length = int.from_bytes(data[:4], "little")
    return json.loads(data[4 : 4 + length]), data[4 + length :]
