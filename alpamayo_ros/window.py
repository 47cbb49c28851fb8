"""One tick's choice of frames, before anything is decoded, and the sixteen poses that go with it.

A `Window` keeps the candidates it chose from, so that the worker can strike out a frame that does not decode and
choose again by the same rule. Pure functions on stamps; payloads are never looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from alpamayo_ros.contract import SECOND_NS, SLOT_OFFSETS_NS, NotReady, Reason
from alpamayo_ros.geometry import Pose
from alpamayo_ros.slots import SlotRule, Unfilled, fill_slots, stand_ins, within


@dataclass(frozen=True, eq=False)
class Frame:
    """One camera frame as it came: its corrected stamp and its payload (serialized bytes, live; anything in a test).

    Frames compare by identity: two messages with one stamp are two frames.
    """

    role: str
    stamp_ns: int
    payload: Any


@dataclass(frozen=True, eq=False)
class Candidates:
    """What one camera has to offer around the window: frames by rising stamp, and the camera's own period.

    `earlier` is the frame before the first one, which is too early to be chosen.
    """

    frames: tuple[Frame, ...]
    period_ns: int
    earlier: Frame | None = None


@dataclass(frozen=True, eq=False)
class Window:
    """A complete tick: which frame fills which slot of which camera, and where the vehicle was.

    Attributes:
        t0_ns: the tick's time.
        epoch: the epoch it belongs to; a result of an ended epoch is dropped.
        frames: `frames[role][k]`, slot k, oldest first.
        stand_in: `stand_in[role][k]`: slot k's own frame was lost, a neighbour stands in for it.
        poses: the 16 odometry poses (odometry's child frame in its `header.frame_id`), t0-1.5 s ... t0.
        odometry_frame, odometry_child: frame ids of those poses.
        command: the user's text at the time of judgement.
        candidates, rule, max_skew_ns: what the choice was made from.
    """

    t0_ns: int
    epoch: int
    frames: Mapping[str, tuple[Frame, ...]]
    stand_in: Mapping[str, tuple[bool, ...]]
    poses: Pose
    odometry_frame: str
    odometry_child: str
    command: str
    candidates: Mapping[str, Candidates]
    rule: SlotRule
    max_skew_ns: int

    @property
    def roles(self) -> tuple[str, ...]:
        return tuple(self.frames)

    @property
    def stamps_ns(self) -> np.ndarray:
        """(cameras, 4) int64 corrected stamps."""
        return np.array([[frame.stamp_ns for frame in frames] for frames in self.frames.values()], dtype=np.int64)

    @property
    def offsets_ns(self) -> np.ndarray:
        """(cameras, 4) int64: how far each frame is after (+) or before (-) its slot."""
        return self.stamps_ns - slot_times(self.t0_ns)


def slot_times(t0_ns: int) -> np.ndarray:
    """(4,) int64, the window's slots."""
    return t0_ns + np.asarray(SLOT_OFFSETS_NS, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Choice:
    """The frames of a window, and which of them stand in for lost ones."""

    frames: dict[str, tuple[Frame, ...]]
    stand_in: dict[str, tuple[bool, ...]]


def choose_frames(
    t0_ns: int, candidates: Mapping[str, Candidates], rule: SlotRule, max_skew_ns: int
) -> Choice | NotReady:
    """Fills the four slots of every camera, or says which camera cannot and by how much."""
    slots = [t0_ns + offset for offset in SLOT_OFFSETS_NS]
    frames: dict[str, tuple[Frame, ...]] = {}
    stand_in: dict[str, tuple[bool, ...]] = {}
    for role, offered in candidates.items():
        stamps = [frame.stamp_ns for frame in offered.frames]
        chosen = fill_slots(stamps, slots, rule, offered.period_ns)
        if isinstance(chosen, Unfilled):
            return _unfilled(chosen, role, t0_ns, rule)
        frames[role] = tuple(offered.frames[index] for index in chosen)
        stand_in[role] = stand_ins(stamps, slots, chosen, offered.period_ns)
    return _skew(t0_ns, frames, stand_in, max_skew_ns) or Choice(frames, stand_in)


def without(window: Window, refused: Frame) -> Window | NotReady:
    """The same window chosen again, `refused` struck from its candidates."""
    offered = window.candidates[refused.role]
    remaining = tuple(frame for frame in offered.frames if frame is not refused)
    candidates = {**window.candidates, refused.role: replace(offered, frames=remaining)}
    choice = choose_frames(window.t0_ns, candidates, window.rule, window.max_skew_ns)
    if isinstance(choice, NotReady):
        return choice
    return replace(window, frames=choice.frames, stand_in=choice.stand_in, candidates=candidates)


def _unfilled(unfilled: Unfilled, role: str, t0_ns: int, rule: SlotRule) -> NotReady:
    slot = SLOT_OFFSETS_NS[unfilled.slot] / SECOND_NS
    numbers = {"slot": slot, "tolerance": rule.tolerance_ns / SECOND_NS, "max_repeats": rule.max_repeats}
    if unfilled.distance_ns is not None:
        numbers["distance"] = unfilled.distance_ns / SECOND_NS
    if unfilled.reason is Reason.CAMERA_REPEAT:
        detail = f"slot {slot:+.1f} s and another would both repeat a neighbour's frame, more than max_repeats allows"
    else:
        detail = f"no frame near enough to slot {slot:+.1f} s"
    return NotReady(unfilled.reason, role, detail, numbers, t0_ns)


def _skew(
    t0_ns: int, frames: Mapping[str, Sequence[Frame]], stand_in: Mapping[str, Sequence[bool]], max_skew_ns: int
) -> NotReady | None:
    """Cameras too far apart within one slot; a stand-in, off by design, is bounded by the tolerance alone."""
    for number, offset in enumerate(SLOT_OFFSETS_NS):
        stamps = {role: frames[role][number].stamp_ns for role in frames if not stand_in[role][number]}
        if not stamps:
            continue
        first, last = min(stamps, key=stamps.__getitem__), max(stamps, key=stamps.__getitem__)
        skew = stamps[last] - stamps[first]
        if not within(skew, max_skew_ns):
            slot = offset / SECOND_NS
            numbers = {"slot": slot, "skew": skew / SECOND_NS, "max_skew": max_skew_ns / SECOND_NS}
            detail = f"{first} and {last} are too far apart in slot {slot:+.1f} s"
            return NotReady(Reason.CAMERA_SKEW, last, detail, numbers, t0_ns)
    return None
