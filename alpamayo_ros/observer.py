"""From streams to ticks: the one rule of the time base.

t0 is a stamp of the reference camera, at least one `plan_period` less half a frame after the previous t0. Its
window is complete when every camera's choice is settled (it has a frame at or after t0, or its newest is within
half its own period of it) and odometry has passed t0; `max_wait` after it opened it is judged as it stands. Time
passes for the observer only as the stamps of the reference camera and of odometry advance, so its answers follow
from stamps and order of receipt alone, live and in lockstep replay.

The observer knows no ROS and looks at no payload. One thread may use it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from alpamayo_ros.contract import (
    CAMERA_ROLES,
    HISTORY_OFFSETS_NS,
    REFERENCE_ROLE,
    SECOND_NS,
    SLOT_OFFSETS_NS,
    NotReady,
    Reason,
)
from alpamayo_ros.history import OdometryLimits, Sample, Stillness, check_sample, ego_history
from alpamayo_ros.slots import SlotRule
from alpamayo_ros.timeline import Push, Timeline
from alpamayo_ros.window import Candidates, Frame, Window, choose_frames

# 8 Hz, the slowest camera that fills four slots of 0.1 s with at most one repeat; jitter of the median allowed for.
SLOWEST_PERIOD_NS = 130_000_000
# How long frames are kept: the slots, the tolerance and the wait behind t0, and the latency between cameras.
FRAME_HORIZON_NS = 1_000_000_000
# How long odometry is kept: the history behind t0, and the latency between odometry and cameras.
ODOMETRY_HORIZON_NS = -HISTORY_OFFSETS_NS[0] + SECOND_NS
# And how many at most, whatever a source may send: a second of 120 Hz, and 2.5 s of 800 Hz.
MOST_FRAMES, MOST_POSES = 120, 2000
# Odometry of other frames takes over where the old one has been silent for this long.
TAKEOVER_NS = 600_000_000
# A stamp further back than this is a rewind (a looped bag), not a late message.
REWIND_NS = 500_000_000


@dataclass(frozen=True)
class ObserverConfig:
    """The time base's parameters; all times in nanoseconds.

    `time_offset_ns[role]` is added to every stamp of that camera (a camera that stamps late has a negative one).
    """

    roles: tuple[str, ...] = CAMERA_ROLES
    reference: str = REFERENCE_ROLE
    plan_period_ns: int = 100_000_000
    slots: SlotRule = SlotRule()
    max_skew_ns: int = 100_000_000
    max_wait_ns: int = 100_000_000
    time_offset_ns: Mapping[str, int] = field(default_factory=dict)
    odometry: OdometryLimits = OdometryLimits()
    max_jump_ns: int = SECOND_NS


@dataclass
class _Tick:
    """An opened t0 that waits for its window; `odometry_ns` is how far odometry was when it opened."""

    t0_ns: int
    odometry_ns: int | None


Outcome = Window | NotReady
T = TypeVar("T")


class Observer:
    """Four camera timelines and odometry in, windows and refusals out.

    Every `push_*` returns what it brought about, oldest first: windows and refusals of ticks that it settled, and
    a refusal of the pushed message itself, which has no t0, where that is no good (such a message is not kept).
    """

    def __init__(self, config: ObserverConfig | None = None, epoch: int = 0):
        self.config = config or ObserverConfig()
        self.epoch = epoch
        self.epoch_cause = "start"
        self.command = ""
        self._cameras: dict[str, Timeline[Frame]] = {
            role: Timeline(FRAME_HORIZON_NS, REWIND_NS, MOST_FRAMES) for role in self.config.roles
        }
        self._odometry: Timeline[Sample] = Timeline(ODOMETRY_HORIZON_NS, REWIND_NS, MOST_POSES)
        self._odometry_frames: tuple[str, str] | None = None
        self._stillness = Stillness()
        self._camera_frames: dict[str, str] = {}
        self._ticks: deque[_Tick] = deque()
        self._last_t0_ns: int | None = None
        self.tally: Counter[tuple[str, Push]] = Counter()  # what became of each stream's messages

    def new_epoch(self, cause: str) -> int:
        """Empties all histories; what was observed or planned before belongs to an ended epoch."""
        self.epoch += 1
        self.epoch_cause = cause
        for timeline in self._cameras.values():
            timeline.clear()
        self._odometry.clear()
        self._stillness.clear()
        self._odometry_frames = None
        self._camera_frames.clear()
        self._ticks.clear()
        self._last_t0_ns = None
        return self.epoch

    def push_frame(self, role: str, stamp_ns: int, payload: Any, frame_id: str = "") -> list[Outcome]:
        """Takes a camera frame. `stamp_ns` is the message's own stamp; the role's time offset is added here.

        A camera keeps its `frame_id` for an epoch: another one is another camera on this topic.
        """
        if stamp_ns <= 0:
            return [NotReady(Reason.STAMP_INVALID, role, "the stamp is zero; let the camera driver stamp its frames")]
        stamp_ns += self.config.time_offset_ns.get(role, 0)
        timeline = self._cameras[role]
        known = self._camera_frames.setdefault(role, frame_id)
        rewinds = timeline.newest_ns is not None and stamp_ns < timeline.newest_ns - REWIND_NS
        if frame_id != known and not rewinds:
            detail = f"images of {frame_id!r} among those of {known!r}; if cameras were changed, call ~/reset"
            return [NotReady(Reason.FRAME_MISMATCH, role, detail)]
        frame = Frame(role, stamp_ns, payload)
        pushed = self._put(role, timeline, stamp_ns, frame)
        if role == self.config.reference and pushed is Push.NEWEST:
            self._open_tick(stamp_ns)
        return self._judge()

    def push_odometry(
        self, stamp_ns: int, sample: Sample, frame_id: str = "", child_frame_id: str = ""
    ) -> list[Outcome]:
        """Takes one odometry pose (x, y, z, qx, qy, qz, qw of `child_frame_id` in `frame_id`)."""
        if stamp_ns <= 0:
            return [
                NotReady(Reason.STAMP_INVALID, "odometry", "the stamp is zero; stamp odometry when it was measured")
            ]
        refusal = (
            check_sample(sample)
            or self._foreign(stamp_ns, (frame_id, child_frame_id))
            or self._stillness.check(stamp_ns, sample)
        )
        if refusal is not None:
            return [refusal]
        newest = self._odometry.newest_ns
        if newest is not None and stamp_ns - newest > self.config.max_jump_ns:
            self.new_epoch(f"odometry jumped forward by {(stamp_ns - newest) / SECOND_NS:.3f} s")
        if self._put("odometry", self._odometry, stamp_ns, sample) is not Push.DUPLICATE:
            self._odometry_frames = (frame_id, child_frame_id)
        return self._judge()

    def judge_waiting(self) -> list[Outcome]:
        """Judges every waiting tick as it stands, for a caller to whom nothing can come any more before it answers."""
        waiting = [tick.t0_ns for tick in self._ticks]
        self._ticks.clear()
        return [self._observe(t0_ns) for t0_ns in waiting]

    @property
    def stream_ages_ns(self) -> dict[str, int | None]:
        """How far each stream's newest stamp is behind the newest stamp of all; None where nothing has come."""
        newest = {role: timeline.newest_ns for role, timeline in self._cameras.items()}
        newest["odometry"] = self._odometry.newest_ns
        latest = max((stamp for stamp in newest.values() if stamp is not None), default=0)
        return {name: None if stamp is None else latest - stamp for name, stamp in newest.items()}

    @property
    def stream_rates(self) -> dict[str, float | None]:
        """Hz by stamps; None before three messages."""
        periods = {role: timeline.period_ns for role, timeline in self._cameras.items()}
        periods["odometry"] = self._odometry.period_ns
        return {name: SECOND_NS / period if period else None for name, period in periods.items()}

    def _put(self, stream: str, timeline: Timeline[T], stamp_ns: int, value: T) -> Push:
        """Pushes into a timeline; a rewind begins a new epoch with this value as its first."""
        newest = timeline.newest_ns
        pushed = timeline.push(stamp_ns, value)
        self.tally[stream, pushed] += 1
        if pushed is Push.REWOUND:
            self.new_epoch(f"{stream} went back by {((newest or 0) - stamp_ns) / SECOND_NS:.3f} s")
            timeline.push(stamp_ns, value)
            return Push.NEWEST
        return pushed

    def _foreign(self, stamp_ns: int, frames: tuple[str, str]) -> NotReady | None:
        """Odometry of other frames than this epoch's. When the old ones have fallen silent, the new ones take over."""
        if self._odometry_frames in (None, frames):
            return None
        newest = self._odometry.newest_ns
        if newest is not None and stamp_ns - newest > TAKEOVER_NS:
            self.new_epoch(f"odometry of {' -> '.join(frames)} alone")
            return None
        old, new = (" -> ".join(pair) for pair in (self._odometry_frames or ("", ""), frames))
        detail = f"odometry of {new} among odometry of {old}: two publishers on one topic?"
        return NotReady(Reason.FRAME_MISMATCH, "odometry", detail)

    def _open_tick(self, stamp_ns: int) -> None:
        if self._last_t0_ns is not None:
            half_frame = (self._cameras[self.config.reference].period_ns or 0) // 2
            if stamp_ns < self._last_t0_ns + self.config.plan_period_ns - half_frame:
                return
        self._last_t0_ns = stamp_ns
        self._ticks.append(_Tick(stamp_ns, self._odometry.newest_ns))

    def _judge(self) -> list[Outcome]:
        """Settles waiting ticks, oldest first."""
        outcomes: list[Outcome] = []
        while self._ticks and (self._complete(self._ticks[0].t0_ns) or self._expired(self._ticks[0])):
            outcomes.append(self._observe(self._ticks.popleft().t0_ns))
        return outcomes

    def _complete(self, t0_ns: int) -> bool:
        newest = self._odometry.newest_ns
        if newest is None or newest < t0_ns:
            return False
        return all(_settled(timeline, t0_ns) for timeline in self._cameras.values())

    def _expired(self, tick: _Tick) -> bool:
        wait = self.config.max_wait_ns
        reference = self._cameras[self.config.reference].newest_ns
        if reference is not None and reference >= tick.t0_ns + wait:
            return True
        newest = self._odometry.newest_ns
        return newest is not None and tick.odometry_ns is not None and newest >= tick.odometry_ns + wait

    def _observe(self, t0_ns: int) -> Outcome:
        candidates: dict[str, Candidates] = {}
        for role, timeline in self._cameras.items():
            offered = self._offer(role, timeline, t0_ns)
            if isinstance(offered, NotReady):
                return offered
            candidates[role] = offered
        choice = choose_frames(t0_ns, candidates, self.config.slots, self.config.max_skew_ns)
        if isinstance(choice, NotReady):
            return choice
        poses = ego_history(self._odometry, t0_ns, self.config.odometry)
        if isinstance(poses, NotReady):
            return poses
        frame_id, child_frame_id = self._odometry_frames or ("", "")
        return Window(
            t0_ns, self.epoch, choice.frames, choice.stand_in, poses, frame_id, child_frame_id, self.command,
            candidates, self.config.slots, self.config.max_skew_ns,
        )  # fmt: skip

    def _offer(self, role: str, timeline: Timeline[Frame], t0_ns: int) -> Candidates | NotReady:
        """The camera's frames around the window, or why it has nothing to offer."""
        newest, period = timeline.newest_ns, timeline.period_ns
        if newest is None:
            return NotReady(Reason.CAMERA_MISSING, role, "no frame of this camera has come", {}, t0_ns)
        reach = self.config.slots.tolerance_ns * 11 // 10
        if newest < t0_ns - reach:
            numbers = {"behind": (t0_ns - newest) / SECOND_NS, "tolerance": self.config.slots.tolerance_ns / SECOND_NS}
            return NotReady(Reason.CAMERA_STALE, role, "its newest frame is too old", numbers, t0_ns)
        if period is not None and period > SLOWEST_PERIOD_NS:
            numbers = {"rate": SECOND_NS / period, "needed": 8.0}
            return NotReady(Reason.CAMERA_TOO_SLOW, role, "the camera is too slow for slots of 0.1 s", numbers, t0_ns)
        first_ns = t0_ns + SLOT_OFFSETS_NS[0] - reach
        _, frames = timeline.between(first_ns, t0_ns + reach)
        before, values = timeline.around(first_ns, first_ns)
        earlier = values[0] if before and before[0] < first_ns else None
        return Candidates(tuple(frames), period or self.config.plan_period_ns, earlier)


def _settled(timeline: Timeline[Frame], t0_ns: int) -> bool:
    """Whether no frame to come can be nearer to t0 than those that are here."""
    newest = timeline.newest_ns
    if newest is None:
        return False
    return newest >= t0_ns - (timeline.period_ns or 0) // 2
