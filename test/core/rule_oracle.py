"""The time base's rule once more, by brute force: every message rescans everything that came before it.

Written from the rule's sentences (README, "The time base"), sharing no code with the observer: slow, plain lists.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

MS = 1_000_000


@dataclass
class Message:
    """One message in order of receipt: `stream` is a camera role or "odometry"; `pose` only for odometry."""

    stream: str
    stamp_ns: int
    pose: tuple | None = None


def assign(stamps, slots, tolerance_ns, max_repeats, period_ns):
    """All ways to fill the slots in time order with frames as near as the nearest; the best one by the rule."""
    near = []
    for slot in slots:
        distances = [abs(s - slot) for s in stamps]
        limit = min(min(distances, default=0) + period_ns // 4, 11 * tolerance_ns // 10)
        near.append([s for s in stamps if abs(s - slot) <= limit])
    best = None
    for chosen in product(*near):
        if any(later < earlier for earlier, later in zip(chosen, chosen[1:], strict=False)):
            continue
        repeats = len(chosen) - len(set(chosen))
        distance = sum(abs(c - slot) for c, slot in zip(chosen, slots, strict=True))
        if best is None or (repeats, distance, chosen) < best:
            best = (repeats, distance, chosen)
    return None if best is None or best[0] > max_repeats else best[2]


def assign_at_or_before(stamps, slots, tolerance_ns, max_repeats):
    chosen = []
    for slot in slots:
        before = [s for s in stamps if s <= slot and 10 * (slot - s) <= 11 * tolerance_ns]
        if not before:
            return None
        chosen.append(max(before))
    return tuple(chosen) if len(chosen) - len(set(chosen)) <= max_repeats else None


def period_of(stamps):
    """The median step of the last sixteen stamps, once there are three."""
    steps = sorted(np.diff(sorted(stamps)[-16:]).tolist())
    return steps[len(steps) // 2] if len(steps) >= 2 else None


def windows(messages, roles, reference, *, pick="nearest", plan_period=100 * MS, tolerance=100 * MS, max_repeats=1,
            max_skew=100 * MS, max_wait=100 * MS, max_gap=250 * MS):  # fmt: skip
    """[(t0, {role: four stamps} or None where it is refused)] in order of judgement."""
    seen = {role: [] for role in roles}
    odometry = []
    waiting, result, last_t0 = [], [], None
    for message in messages:
        if message.stream == "odometry":
            odometry.append(message)
        else:
            seen[message.stream].append(message.stamp_ns)
        if message.stream == reference and message.stamp_ns == max(seen[reference]):
            half_frame = (period_of(seen[reference]) or 0) // 2
            if last_t0 is None or message.stamp_ns >= last_t0 + plan_period - half_frame:
                last_t0 = message.stamp_ns
                waiting.append((last_t0, max((o.stamp_ns for o in odometry), default=None)))
        while waiting:
            t0, odometry_then = waiting[0]
            newest_odometry = max((o.stamp_ns for o in odometry), default=None)
            settled = all(s and max(s) >= t0 - (period_of(s) or 0) // 2 for s in seen.values())
            complete = settled and newest_odometry is not None and newest_odometry >= t0
            expired = max(seen[reference]) >= t0 + max_wait or (
                odometry_then is not None and newest_odometry >= odometry_then + max_wait
            )
            if not (complete or expired):
                break
            waiting.pop(0)
            result.append((t0, _judge(t0, seen, odometry, pick, tolerance, max_repeats, max_skew, max_gap)))
    return result


def _judge(t0, seen, odometry, pick, tolerance, max_repeats, max_skew, max_gap):
    slots = [t0 - 300 * MS, t0 - 200 * MS, t0 - 100 * MS, t0]
    frames = {}
    for role, stamps in seen.items():
        period = period_of(stamps) or 100 * MS
        if period > 130 * MS:
            return None
        if pick == "nearest":
            frames[role] = assign(stamps, slots, tolerance, max_repeats, period)
        else:
            frames[role] = assign_at_or_before(stamps, slots, tolerance, max_repeats)
        if frames[role] is None:
            return None
    for k, slot in enumerate(slots):
        own = []
        for role, chosen in frames.items():
            others = [abs(chosen[j] - slots[j]) for j in range(4) if chosen[j] == chosen[k] and j != k]
            distance, period = abs(chosen[k] - slot), period_of(seen[role]) or 100 * MS
            if 4 * distance <= 3 * period and not any(d < distance for d in others):
                own.append(chosen[k])
        if own and 10 * (max(own) - min(own)) > 11 * max_skew:
            return None
    stamps = sorted(o.stamp_ns for o in odometry)
    if not stamps or stamps[-1] < t0 or stamps[0] > t0 - 1500 * MS:
        return None
    first = max(s for s in stamps if s <= t0 - 1500 * MS)
    last = min(s for s in stamps if s >= t0)
    within = [s for s in stamps if first <= s <= last]
    return frames if max(np.diff(within), default=0) <= max_gap else None


def history(messages, t0_ns):
    """Sixteen poses in the ego frame of t0 by scipy, from all odometry: (16, 3), (16, 3, 3)."""
    odometry = sorted((m for m in messages if m.stream == "odometry"), key=lambda m: m.stamp_ns)
    origin = np.array(odometry[0].pose[:3])
    seconds = np.array([(m.stamp_ns - t0_ns) / 1e9 for m in odometry])
    at = np.arange(-15, 1) / 10
    points = np.array([np.array(m.pose[:3]) - origin for m in odometry])
    xyz = np.stack([np.interp(at, seconds, points[:, axis]) for axis in range(3)], axis=-1)
    rotation = Slerp(seconds, Rotation.from_quat([m.pose[3:] for m in odometry]))(at)
    inverse = rotation[-1].inv()
    return inverse.apply(xyz - xyz[-1]), (inverse * rotation).as_matrix()
