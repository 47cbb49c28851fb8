"""The ego history: sixteen poses at 10 Hz out of odometry of any rate.

Interpolated between neighbours (translation linear, rotation slerp), never extrapolated; whatever cannot be had
is a `NotReady` with its numbers. Poses stay in odometry's own frame and in float64; `centred` brings them to the
ego frame of t0, which is the only place where large map coordinates are subtracted.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from alpamayo_ros.contract import HISTORY_OFFSETS_NS, SECOND_NS, NotReady, Reason
from alpamayo_ros.geometry import Pose, interpolate_poses, quaternion_to_matrix
from alpamayo_ros.timeline import Timeline

# nav_msgs carries doubles, but some sources convert from float32, whose unit quaternions are off by 1e-7; one
# that is off by more than this was never normalised, or is not a rotation (all zeros).
UNIT_TOLERANCE = 1e-2
# A pose that does not change at all for this many of its usual steps, and for this long (ns), is held by a source that
# has stopped measuring, where the vehicle moved faster than this before (m/s): nothing on wheels stops so.
HELD_STEPS, HELD_NS, HELD_SPEED = 3, 50_000_000, 2.5
# Changes of the pose that tell its usual step and the speed before.
CHANGES = 8
# What a pose may jump beyond max_speed x dt before it is a teleport: metres of honest localisation noise.
JUMP_SLACK = 0.5


@dataclass(frozen=True)
class OdometryLimits:
    """What odometry must keep to: the widest gap to interpolate over (ns), the highest credible speed (m/s)."""

    max_gap_ns: int = 250_000_000
    max_speed: float = 80.0


Sample = tuple[float, float, float, float, float, float, float]  # x y z, then quaternion x y z w


def check_sample(sample: Sample) -> NotReady | None:
    """Refuses a pose that is no pose."""
    if not all(map(math.isfinite, sample)):
        bad = [
            name
            for name, value in zip(("x", "y", "z", "qx", "qy", "qz", "qw"), sample, strict=True)
            if not math.isfinite(value)
        ]
        return NotReady(Reason.ODOMETRY_NOT_FINITE, "odometry", f"pose has no finite {', '.join(bad)}")
    norm = math.hypot(*sample[3:])
    if abs(norm - 1.0) > UNIT_TOLERANCE:
        return NotReady(Reason.QUATERNION_NOT_UNIT, "odometry", "orientation is no unit quaternion", {"norm": norm})
    return None


class Stillness:
    """Watches for a pose that stands under new stamps in the middle of a drive.

    A source may repeat its pose for a few messages (a filter that is slower than its publisher), so how long it may
    stand follows from how often it changes.
    """

    def __init__(self) -> None:
        self._changes: deque[tuple[int, Sample]] = deque(maxlen=CHANGES)

    def clear(self) -> None:
        self._changes.clear()

    def check(self, stamp_ns: int, sample: Sample) -> NotReady | None:
        """Takes the next pose by stamp; a refusal of it where the vehicle cannot have stood since it last changed."""
        changes = self._changes
        if not changes or sample != changes[-1][1]:
            if not changes or stamp_ns > changes[-1][0]:
                changes.append((stamp_ns, sample))
            return None
        if len(changes) < 3:
            return None
        stood = stamp_ns - changes[-1][0]
        steps = sorted(later[0] - earlier[0] for earlier, later in zip(changes, list(changes)[1:], strict=False))
        if stood <= max(HELD_NS, HELD_STEPS * steps[len(steps) // 2]):
            return None
        (began, first), (ended, last) = changes[0], changes[-1]
        speed = math.dist(first[:3], last[:3]) / ((ended - began) / SECOND_NS)
        if speed <= HELD_SPEED:
            return None
        detail = "the pose stands under new stamps in the middle of a drive"
        return NotReady(Reason.ODOMETRY_FROZEN, "odometry", detail, {"for": stood / SECOND_NS, "speed": speed})


def ego_history(timeline: Timeline[Sample], t0_ns: int, limits: OdometryLimits) -> Pose | NotReady:
    """Sixteen poses at t0-1.5 s ... t0, (16, 3) and (16, 4), in odometry's frame; or why not."""
    refusal = _reach(timeline, t0_ns)
    if refusal is not None:
        return refusal
    stamps, samples = timeline.around(t0_ns + HISTORY_OFFSETS_NS[0], t0_ns)
    stamps_ns = np.array(stamps, dtype=np.int64)
    values = np.array(samples, dtype=np.float64)
    steps_ns = np.diff(stamps_ns)
    if steps_ns.size and steps_ns.max() > limits.max_gap_ns:
        widest = int(steps_ns.argmax())
        numbers = {
            "gap": steps_ns[widest] / SECOND_NS,
            "max_gap": limits.max_gap_ns / SECOND_NS,
            "at": (stamps[widest] - t0_ns) / SECOND_NS,
        }
        return NotReady(Reason.ODOMETRY_GAP, "odometry", "neighbours too far apart to interpolate", numbers, t0_ns)
    moved = np.linalg.norm(np.diff(values[:, :3], axis=0), axis=1)
    excess = moved - (limits.max_speed * steps_ns / SECOND_NS + JUMP_SLACK)
    if excess.size and excess.max() > 0:
        worst = int(excess.argmax())
        numbers = {"moved": float(moved[worst]), "within": steps_ns[worst] / SECOND_NS, "max_speed": limits.max_speed}
        return NotReady(Reason.ODOMETRY_JUMP, "odometry", "the pose jumped within the history", numbers, t0_ns)
    quaternions = values[:, 3:] / np.linalg.norm(values[:, 3:], axis=1, keepdims=True)
    return interpolate_poses(stamps_ns, Pose(values[:, :3], quaternions), t0_ns + np.array(HISTORY_OFFSETS_NS))


def centred(poses: Pose) -> tuple[np.ndarray, np.ndarray]:
    """(16, 3) positions and (16, 3, 3) rotations in the frame of the last pose: R0^-1 (p - p0), R0^-1 R.

    The full 3-D rotation, in float64 (spec/model.md 1.4). The last row is exactly zero and identity.
    """
    to_ego = quaternion_to_matrix(poses.quaternion[-1]).T
    xyz = (poses.xyz - poses.xyz[-1]) @ to_ego.T
    rotation = to_ego @ quaternion_to_matrix(poses.quaternion)
    rotation[-1] = np.eye(3)
    return xyz, rotation


def _reach(timeline: Timeline[Sample], t0_ns: int) -> NotReady | None:
    """Whether odometry spans [t0 - 1.5 s, t0]."""
    oldest, newest = timeline.oldest_ns, timeline.newest_ns
    if oldest is None or newest is None:
        return NotReady(Reason.ODOMETRY_MISSING, "odometry", "no odometry has come", {}, t0_ns)
    if newest < t0_ns:
        numbers = {"behind": (t0_ns - newest) / SECOND_NS}
        return NotReady(Reason.ODOMETRY_STALE, "odometry", "odometry has not passed t0", numbers, t0_ns)
    if oldest > t0_ns + HISTORY_OFFSETS_NS[0]:
        numbers = {"span": max(0, t0_ns - oldest) / SECOND_NS, "needed": -HISTORY_OFFSETS_NS[0] / SECOND_NS}
        return NotReady(Reason.HISTORY_SHORT, "odometry", "the history does not reach back far enough", numbers, t0_ns)
    return None
