"""One rollout of AlpaSim: what the simulator has sent, and the plan for an instant of its time. No gRPC here.

The simulator's clock stands still while it waits for an answer, so nothing more can come for that instant. What came is
therefore kept until `drive`, and goes through the observer in the order of its stamps: the answer follows from what was
sent, not from the order in which calls that run side by side arrive.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from alpamayo_ros.compose import in_frame
from alpamayo_ros.contract import CAMERA_INDEX, PLAN_OFFSETS_NS, SECOND_NS, NotReady, Policy, Reason
from alpamayo_ros.geometry import Pose, interpolate_poses
from alpamayo_ros.history import Sample
from alpamayo_ros.imaging import decode_picture
from alpamayo_ros.observer import Observer, ObserverConfig, Outcome
from alpamayo_ros.slots import SlotRule
from alpamayo_ros.tick import Decoding, Refused, Tick, TickRunner
from alpamayo_ros.window import Window

# AlpaSim's logical camera ids are the feature names of NVIDIA's data set.
CAMERAS = {role: f"camera_{role}_{'30' if role == 'front_tele' else '120'}fov" for role in CAMERA_INDEX}
LOCAL, RIG = "local", "rig"
# The newest window must not be older than this when a plan is asked for: the simulator renders before it asks.
MAX_AGE_NS = SECOND_NS // 2
# What may wait for a call of `drive`. A simulator that drives on without asking is observed meanwhile.
MAX_WAITING = 2048
MAX_WAITING_BYTES = 256 << 20
# Until a rollout has had a full window, cameras without enough frames are no fault.
_WARMING_UP = (Reason.CAMERA_MISSING, Reason.CAMERA_GAP, Reason.CAMERA_REPEAT)


class Invalid(ValueError):
    """Something that a simulator must not send; the message says what, and what is right."""


@dataclass(frozen=True, eq=False)
class Answer:
    """The path from an instant on, in the local frame.

    Attributes:
        stamps_ns: (N,) int64, rising; the first is the instant that was asked for. Empty while the cameras warm up.
        poses: N rig poses at those stamps.
        samples: the poses of every sample at t0 + 0.1 s (k + 1), (S, 64), for the simulator's log; None where empty.
        tick: where it comes from; None where empty.
        waiting: what is still missing, where empty.
    """

    stamps_ns: np.ndarray
    poses: Pose
    samples: Pose | None = None
    tick: Tick | None = None
    waiting: NotReady | None = None


class Rollout:
    """One session's streams, observer and policy. Its caller sees to it that one thread at a time uses it.

    Args:
        policy: this rollout's alone; it begins afresh.
        threads: that decode images.
    """

    def __init__(self, policy: Policy, threads: int = 4):
        # Every frame of the reference camera may be asked about, and a simulator loses none.
        self._observer = Observer(ObserverConfig(plan_period_ns=0, slots=SlotRule(max_repeats=0)))
        roles = self._observer.config.roles
        self._decoding = Decoding(dict.fromkeys(roles, decode_picture), threads)
        self._runner = TickRunner(policy, self._decoding)
        self._waiting: list[tuple[int, int, str, bytes | Sample]] = []  # stamp, order of coming, stream, value
        self._waiting_bytes = 0
        self._number = count()
        self._newest: Outcome | None = None
        self._warm = False

    @property
    def command(self) -> str:
        return self._observer.command

    @command.setter
    def command(self, text: str) -> None:
        self._observer.command = text

    def image(self, role: str, stamp_ns: int, data: bytes) -> None:
        """An encoded image (JPEG or PNG) whose exposure ended at `stamp_ns`."""
        self._keep(stamp_ns, role, data, len(data))

    def pose(self, stamp_ns: int, sample: Sample) -> None:
        """The rig's pose in the local frame."""
        self._keep(stamp_ns, "odometry", sample, 0)

    def drive(self, now_ns: int) -> Answer | Refused:
        """The plan for `now_ns` from everything up to then; what is stamped later waits for a later call."""
        while self._waiting and self._waiting[0][0] <= now_ns:
            self._observe_oldest()
        self._settle(self._observer.judge_waiting())
        outcome = self._newest
        if outcome is None:
            role = self._observer.config.reference
            return _nothing(NotReady(Reason.CAMERA_MISSING, role, "no frame of this camera has come", {}, now_ns))
        if isinstance(outcome, NotReady):
            cold = not self._warm and outcome.reason in _WARMING_UP
            return _nothing(outcome) if cold else Refused(outcome)
        if now_ns - outcome.t0_ns > MAX_AGE_NS:
            numbers = {"behind": (now_ns - outcome.t0_ns) / SECOND_NS, "allowed": MAX_AGE_NS / SECOND_NS}
            role = self._observer.config.reference
            return Refused(NotReady(Reason.CAMERA_STALE, role, "its newest frame is too old", numbers, now_ns))
        result = self._runner(outcome)
        return result if isinstance(result, Refused) else _answer(result, now_ns)

    def close(self) -> None:
        self._decoding.close()

    def _settle(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            if outcome.t0_ns is not None:
                self._newest = outcome
                self._warm = self._warm or isinstance(outcome, Window)

    def _keep(self, stamp_ns: int, stream: str, value: bytes | Sample, size: int) -> None:
        heapq.heappush(self._waiting, (stamp_ns, next(self._number), stream, value))
        self._waiting_bytes += size
        if len(self._waiting) > MAX_WAITING or self._waiting_bytes > MAX_WAITING_BYTES:
            for _ in range(len(self._waiting) // 2):
                self._observe_oldest()

    def _observe_oldest(self) -> None:
        stamp_ns, _, stream, value = heapq.heappop(self._waiting)
        if stream == "odometry":
            self._settle(self._observer.push_odometry(stamp_ns, value, LOCAL, RIG))
        else:
            self._waiting_bytes -= len(value)
            self._settle(self._observer.push_frame(stream, stamp_ns, value))


def _nothing(reason: NotReady) -> Answer:
    return Answer(np.empty(0, np.int64), Pose(np.empty((0, 3)), np.empty((0, 4))), waiting=reason)


def _answer(tick: Tick, now_ns: int) -> Answer:
    """The chosen sample from `now_ns` on, at its own stamps; where the vehicle is by the plan comes first."""
    samples = in_frame(tick.plan, tick.ego)
    chosen = tick.plan.chosen
    stamps = tick.plan.t0_ns + np.array((0, *PLAN_OFFSETS_NS), dtype=np.int64)
    poses = Pose(
        np.vstack([tick.ego.xyz, samples.xyz[chosen]]), np.vstack([tick.ego.quaternion, samples.quaternion[chosen]])
    )
    present = interpolate_poses(stamps, poses, np.array([now_ns]))
    later = stamps > now_ns
    path = Pose(
        np.vstack([present.xyz, poses.xyz[later]]), np.vstack([present.quaternion, poses.quaternion[later]])
    )
    return Answer(np.concatenate([[now_ns], stamps[later]]), path, samples, tick)


def roles_of(available: Sequence[str], cameras: Mapping[str, str]) -> dict[str, str]:
    """Logical id -> role, of the cameras that the model looks at.

    Raises:
        Invalid: the rollout lacks one.
    """
    missing = [f"{role} ({identity})" for role, identity in cameras.items() if identity not in available]
    if missing:
        raise Invalid(
            f"the rollout has the cameras {', '.join(sorted(available)) or 'none'}, and the model needs "
            f"{', '.join(missing)}: add them to the simulator's cameras, or name others with --camera ROLE=ID"
        )
    return {identity: role for role, identity in cameras.items()}
